/* Budgets: limits that a scenario sets its result, "delivery.p99 < 100 ms".
 *
 * The loader has taken the text apart (struct plan_budget) and refused metrics that don't exist, so
 * that a misspelt budget never passes. What a run has no figure for is as bad as a breach: a gate
 * that nothing went through proves nothing. Where the 95% interval of a figure holds the limit, the
 * run can't tell: undecided, and run.undecided of the scenario says whether that passes. A figure
 * without an interval is compared as it is.
 */
#ifndef REPORTS_BUDGET_H
#define REPORTS_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "models/result.h"
#include "reports/metric.h"

enum budget_status {
    BUDGET_KEPT,
    BUDGET_BREACHED,
    BUDGET_UNDECIDED, /* The interval of the figure holds the limit. */
    BUDGET_NO_DATA,
};

struct budget_outcome {
    const struct plan_budget *budget; /* Borrowed from the plan. */
    struct metric metric;
    struct result_estimate value; /* Not with NO_DATA. */
    enum budget_status status;
    bool passes;   /* KEPT; UNDECIDED where the scenario says so. */
    double margin; /* How far within the limit, in the metric's unit; below 0: beyond it. NAN with
                      NO_DATA. */
};

struct budget_outcomes {
    uint32_t count;
    uint32_t failed; /* Those that don't pass: above 0 makes the exit status 3. */
    struct budget_outcome list[PLAN_BUDGETS_MAX];
};

/* Judges all budgets of the result's plan, in their order. */
void budgets_judge(const struct result *result, struct budget_outcomes *outcomes);

/* "pass", "fail", "undecided", "no data". */
const char *budget_status_name(enum budget_status status);

/* "<", "<=", ">", ">=". */
const char *budget_compare_text(enum plan_compare compare);

/* One line for people, without the status: "delivery.p99 < 100 ms: 83.1 ms (80.2 to 86 ms), 16.9 ms
 * left". Cut at `size`; returns `buffer`. */
const char *budget_text(const struct budget_outcome *outcome, char *buffer, size_t size);

#endif
