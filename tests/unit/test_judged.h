/* Verdicts and budgets of the made-up result, made up as well: one of each kind. */
#ifndef TESTS_UNIT_TEST_JUDGED_H
#define TESTS_UNIT_TEST_JUDGED_H

#include <math.h>

#include "reports/budget.h"
#include "reports/verdict.h"
#include "tests/unit/test_result.h"

/* To be freed. `result` comes to have the claims and budgets. */
static inline struct verdicts *made_verdicts(struct result *result)
{
    struct plan *plan = made_plan(result);
    struct verdicts *verdicts = calloc(1, sizeof *verdicts);
    assert_non_null(verdicts);
    plan->claim_count = 2;
    snprintf(plan->claims[0].id, sizeof plan->claims[0].id, "kafka_brokers");
    snprintf(plan->claims[1].id, sizeof plan->claims[1].id, "snowflake_formula");
    verdicts->count = 2;
    struct verdict *v = &verdicts->list[0];
    v->claim = &plan->claims[0];
    v->info = claim_find("kafka_brokers");
    v->status = VERDICT_FAILS;
    v->claimed = 20;
    v->found = v->would_hold = 48;
    snprintf(v->claimed_text, sizeof v->claimed_text, "20");
    snprintf(v->found_text, sizeof v->found_text, "48");
    snprintf(v->condition, sizeof v->condition,
             "network in binds at 134%%: short by a factor of 1.34, which is long enough a text "
             "to be wrapped on the screen");
    snprintf(v->explanation, sizeof v->explanation, "20 x 125 MB/s are 2.5 GB/s.");
    snprintf(v->would_hold_text, sizeof v->would_hold_text, "48 brokers");
    v->override_count = verdicts->override_count = 1;
    v->overrides[0].value = 48;
    snprintf(v->overrides[0].field, sizeof v->overrides[0].field, "kafka.brokers");
    snprintf(v->overrides[0].text, sizeof v->overrides[0].text, "kafka.brokers=48");
    verdicts->overrides[0] = v->overrides[0];
    v->analytic.present = true;
    v->analytic.unit = METRIC_SHARE;
    v->analytic.value.value = 1.34;
    v->check = VERDICT_CHECK_HOLDS;
    snprintf(v->check_text, sizeof v->check_text, "48 brokers holds");
    verdicts->checked = verdicts->check_keeps_up = true;
    verdicts->check_fraction = 1;
    v = &verdicts->list[1];
    v->claim = &plan->claims[1];
    v->info = claim_find("snowflake_formula");
    v->status = VERDICT_UNKNOWN;
    v->claimed = v->found = v->would_hold = (double)NAN;
    snprintf(v->claimed_text, sizeof v->claimed_text, "unique \033[31m");
    return verdicts;
}

/* One that is undecided, and one without data. */
static inline void made_budgets(struct result *result, struct budget_outcomes *outcomes)
{
    struct plan *plan = made_plan(result);
    plan->budget_count = 2;
    snprintf(plan->budgets[0].text, PLAN_TEXT_SIZE, "delivery.p99 < 170 ms");
    snprintf(plan->budgets[0].metric, sizeof plan->budgets[0].metric, "delivery.p99");
    plan->budgets[0].limit = 170e6;
    snprintf(plan->budgets[1].text, PLAN_TEXT_SIZE, "poll.p99 < 1 s");
    snprintf(plan->budgets[1].metric, sizeof plan->budgets[1].metric, "poll.p99");
    plan->budgets[1].limit = 1e9;
    budgets_judge(result, outcomes);
}

#endif
