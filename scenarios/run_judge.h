/* What a run says about its scenario's claims and budgets; and the plan of the further run that
 * checks the figures which were found to hold. */
#ifndef SCENARIOS_RUN_JUDGE_H
#define SCENARIOS_RUN_JUDGE_H

#include "reports/budget.h"
#include "reports/verdict.h"

/* Some 250 KB. */
struct run_judgement {
    struct verdicts verdicts;
    struct budget_outcomes budgets;
};

/* The caller frees it; NULL where memory is short. */
struct run_judgement *run_judge(const struct result *result);

/* The plan with all overrides of the verdicts set, or NULL, with the reason in the verdicts'
 * check_note: the table does not allow a figure, or memory is short. The caller frees it. */
struct plan *run_check_plan(const struct plan *plan, struct verdicts *verdicts);

#endif
