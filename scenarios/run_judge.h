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

#define RUN_CHECK_EVENTS 1e8 /* Some minutes on one core. */

/* The plan with all overrides of the verdicts set; of a system that keeps up there is far more to
 * simulate than of one that does not, so a sample of it where it would be more than
 * RUN_CHECK_EVENTS, which is noted as check_fraction. Or NULL, with the reason in the verdicts'
 * check_note: the table does not allow a figure, or memory is short. The caller frees it. */
struct plan *run_check_plan(const struct plan *plan, struct verdicts *verdicts);

#endif
