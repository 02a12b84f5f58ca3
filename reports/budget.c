#include "reports/budget.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *budget_status_name(enum budget_status status)
{
    static const char *const names[] = {"pass", "fail", "undecided", "no data"};
    return names[status];
}

const char *budget_compare_text(enum plan_compare compare)
{
    static const char *const texts[] = {"<", "<=", ">", ">="};
    return texts[compare];
}

static bool keeps(enum plan_compare compare, double value, double limit)
{
    switch (compare) {
    case PLAN_LESS:
        return value < limit;
    case PLAN_AT_MOST:
        return value <= limit;
    case PLAN_MORE:
        return value > limit;
    case PLAN_AT_LEAST:
        return value >= limit;
    }
    return false;
}

/* Decided only where both ends of the interval say the same. */
static enum budget_status compared(const struct plan_budget *budget,
                                   const struct result_estimate *value)
{
    bool kept = keeps(budget->compare, value->value, budget->limit);
    if (value->known && (keeps(budget->compare, value->low, budget->limit) != kept ||
                         keeps(budget->compare, value->high, budget->limit) != kept)) {
        return BUDGET_UNDECIDED;
    }
    return kept ? BUDGET_KEPT : BUDGET_BREACHED;
}

static struct budget_outcome judged(const struct result *result, const struct plan_budget *budget)
{
    struct budget_outcome outcome = {
        .budget = budget, .status = BUDGET_NO_DATA, .margin = (double)NAN};
    uint32_t index = metric_find(budget->metric);
    if (index == UINT32_MAX) {
        snprintf(outcome.metric.name, sizeof outcome.metric.name, "%.40s", budget->metric);
        return outcome;
    }
    outcome.metric = metric_at(index);
    if (!metric_value(result, index, &outcome.value)) {
        return outcome;
    }
    bool upper = budget->compare == PLAN_LESS || budget->compare == PLAN_AT_MOST;
    outcome.status = compared(budget, &outcome.value);
    outcome.passes =
        outcome.status == BUDGET_KEPT || (outcome.status == BUDGET_UNDECIDED &&
                                          result->plan->run.undecided == PLAN_UNDECIDED_PASSES);
    outcome.margin =
        upper ? budget->limit - outcome.value.value : outcome.value.value - budget->limit;
    return outcome;
}

void budgets_judge(const struct result *result, struct budget_outcomes *outcomes)
{
    const struct plan *plan = result->plan;
    memset(outcomes, 0, sizeof *outcomes);
    outcomes->count = plan->budget_count;
    for (uint32_t i = 0; i < plan->budget_count; i++) {
        outcomes->list[i] = judged(result, &plan->budgets[i]);
        outcomes->failed += !outcomes->list[i].passes;
    }
}

const char *budget_text(const struct budget_outcome *outcome, char *buffer, size_t size)
{
    char value[METRIC_TEXT_SIZE];
    char low[METRIC_TEXT_SIZE];
    char high[METRIC_TEXT_SIZE];
    char margin[METRIC_TEXT_SIZE];
    char interval[2 * METRIC_TEXT_SIZE + 16] = "";
    enum metric_unit unit = outcome->metric.unit;
    if (outcome->status == BUDGET_NO_DATA) {
        snprintf(buffer, size, "%s: the run has no such figure", outcome->budget->text);
        return buffer;
    }
    if (outcome->value.known) {
        snprintf(interval, sizeof interval, " (%s to %s)",
                 metric_text(unit, outcome->value.low, low),
                 metric_text(unit, outcome->value.high, high));
    }
    metric_text(unit, fabs(outcome->margin), margin);
    snprintf(buffer, size, "%s: %s%s, %s %s", outcome->budget->text,
             metric_text(unit, outcome->value.value, value), interval, margin,
             outcome->margin < 0 ? "beyond it" : "left");
    return buffer;
}
