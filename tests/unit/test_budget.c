/* metric and budget: figures by name, and limits that gate. */
#include "reports/budget.h"

#include <math.h>

#include "tests/unit/test_result.h"

/* A budget of the made-up result. */
static struct budget_outcome outcome_of(struct result *result, const char *metric,
                                        enum plan_compare compare, double limit)
{
    struct budget_outcomes outcomes;
    struct plan *plan = made_plan(result);
    plan->budget_count = 1;
    snprintf(plan->budgets[0].metric, sizeof plan->budgets[0].metric, "%s", metric);
    snprintf(plan->budgets[0].text, sizeof plan->budgets[0].text, "%s < something", metric);
    plan->budgets[0].compare = compare;
    plan->budgets[0].limit = limit;
    budgets_judge(result, &outcomes);
    assert_int_equal(outcomes.count, 1);
    assert_int_equal(outcomes.failed, outcomes.list[0].passes ? 0 : 1);
    return outcomes.list[0];
}

static double figure(const struct result *result, const char *name)
{
    struct result_estimate estimate;
    if (!metric_value_of(result, name, &estimate)) {
        fail_msg("no figure for %s", name);
    }
    return estimate.value;
}

static bool has_figure(const struct result *result, const char *name)
{
    struct result_estimate estimate;
    return metric_value_of(result, name, &estimate);
}

/* -- Metrics -------------------------------------------------------------------------------------
 */

static void names_are_unique_and_lead_back_to_their_metric(void **state)
{
    (void)state;
    assert_true(metric_count() > 200);
    for (uint32_t i = 0; i < metric_count(); i++) {
        struct metric metric = metric_at(i);
        assert_int_equal(metric_find(metric.name), i);
        assert_true(metric.about[0] != '\0' && strlen(metric.about) < METRIC_ABOUT_SIZE - 1);
        assert_int_equal(strspn(metric.name, "abcdefghijklmnopqrstuvwxyz0123456789_."),
                         strlen(metric.name));
    }
    assert_int_equal(metric_find("delivery.p98"), UINT32_MAX);
    assert_int_equal(metric_find(""), UINT32_MAX);
}

static void figures_are_those_of_the_result(void **state)
{
    struct result *result = *state;
    assert_true(figure(result, "delivery.p99") == 166e6);
    assert_true(fabs(figure(result, "delivery.mean") - 45.65e6) < 1);
    assert_true(figure(result, "delivery.max") == 830e6);
    assert_true(figure(result, "delivery.count") == 35e6);
    assert_true(figure(result, "messages_acked.rate") == 3499000);
    assert_true(figure(result, "messages_acked.measured") == 34990000);
    assert_true(figure(result, "messages_acked.total") == 34990007);
    assert_true(figure(result, "cassandra.cpu") == 0.63);
    assert_true(figure(result, "cassandra.cpu.max") == 0.93);
    assert_true(figure(result, "kafka.disk_space") == 0.1);
    assert_true(fabs(figure(result, "kafka.disk_space.used") - 2e12) < 1);
    assert_true(fabs(figure(result, "kafka.disk_space.total") - 24e12) < 1);
    assert_true(figure(result, "unfinished") == 312345);
    assert_true(figure(result, "kafka.lag") == 1200);
    assert_true(fabs(figure(result, "deliveries_per_message") - 30.1 / 34.99) < 1e-9);
    assert_true(figure(result, "binding") == 0.63);
}

static void a_sample_is_scaled_up_where_it_counts_and_not_where_it_is_a_mean(void **state)
{
    struct result *result = *state;
    result->fraction = 0.1;
    assert_true(fabs(figure(result, "messages_acked.rate") - 34990000) < 1);
    assert_true(fabs(figure(result, "unfinished") - 3123450) < 1);
    assert_true(fabs(figure(result, "kafka.disk_space.total") - 240e12) < 1);
    assert_true(figure(result, "delivery.p99") == 166e6);
    assert_true(figure(result, "cassandra.cpu") == 0.63);
    assert_true(fabs(figure(result, "deliveries_per_message") - 30.1 / 34.99) < 1e-9);
}

static void what_the_run_has_not_is_no_figure(void **state)
{
    struct result *result = *state;
    assert_false(has_figure(result, "poll.p99"));      /* Nothing passed. */
    assert_true(has_figure(result, "poll.count"));     /* ... which is known. */
    assert_false(has_figure(result, "connect.p99.9")); /* Of 500. */
    assert_false(has_figure(result, "redis.nic_in"));  /* No such resource. */
    assert_false(has_figure(result, "lost"));          /* Not judged. */
    assert_false(has_figure(result, "polls_empty.share"));
    result->judged = true;
    assert_true(figure(result, "lost") == 0);
    result->violation_words_count = 1;
    snprintf(result->violations[0], sizeof result->violations[0], "guarantee 2: gone");
    assert_true(figure(result, "lost") == 1);
    result->end_ns = result->from_ns; /* It ended in the warm-up. */
    assert_false(has_figure(result, "delivery.p99"));
    assert_false(has_figure(result, "unfinished"));
}

static void rates_and_cpu_have_intervals_from_the_series(void **state)
{
    struct result *result = *state;
    struct result_estimate estimate;
    free(result->acked_per_s);
    result->interval_count = 150;
    result->interval_ns = 100000000;
    result->acked_per_s = made_series(150, 3.5e6f);
    for (uint32_t i = 0; i < 150; i += 3) {
        result->acked_per_s[i] = 3.4e6f;
    }
    assert_true(metric_value_of(result, "messages_acked.rate", &estimate));
    assert_true(estimate.known);
    assert_true(estimate.low < 3499000 && estimate.high > 3499000);
    assert_true(metric_value_of(result, "messages_acked.total", &estimate));
    assert_false(estimate.known);
}

/* -- Budgets -------------------------------------------------------------------------------------
 */

static void each_operator_does_what_it_says_at_the_limit(void **state)
{
    struct result *result = *state;
    static const struct {
        enum plan_compare compare;
        double limit; /* For 1200 records. */
        bool passes;
    } cases[] = {
        {PLAN_LESS, 1200, false},    {PLAN_LESS, 1201, true},      {PLAN_AT_MOST, 1200, true},
        {PLAN_AT_MOST, 1199, false}, {PLAN_MORE, 1200, false},     {PLAN_MORE, 1199, true},
        {PLAN_AT_LEAST, 1200, true}, {PLAN_AT_LEAST, 1201, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct budget_outcome outcome =
            outcome_of(result, "kafka.lag", cases[i].compare, cases[i].limit);
        assert_int_equal(outcome.passes, cases[i].passes);
        assert_int_equal(outcome.status, cases[i].passes ? BUDGET_KEPT : BUDGET_BREACHED);
    }
}

static void the_margin_is_what_is_left(void **state)
{
    struct result *result = *state;
    assert_true(outcome_of(result, "kafka.lag", PLAN_LESS, 1500).margin == 300);
    assert_true(outcome_of(result, "kafka.lag", PLAN_LESS, 1000).margin == -200);
    assert_true(outcome_of(result, "kafka.lag", PLAN_AT_LEAST, 1000).margin == 200);
}

/* p99 is 166 ms, from 149.4 to 182.6. */
static void a_limit_within_the_interval_is_undecided_and_the_scenario_chooses(void **state)
{
    struct result *result = *state;
    struct plan *plan = made_plan(result);
    assert_int_equal(outcome_of(result, "delivery.p99", PLAN_LESS, 190e6).status, BUDGET_KEPT);
    assert_int_equal(outcome_of(result, "delivery.p99", PLAN_LESS, 140e6).status, BUDGET_BREACHED);
    struct budget_outcome outcome = outcome_of(result, "delivery.p99", PLAN_LESS, 170e6);
    assert_int_equal(outcome.status, BUDGET_UNDECIDED);
    assert_false(outcome.passes);
    plan->run.undecided = PLAN_UNDECIDED_PASSES;
    assert_true(outcome_of(result, "delivery.p99", PLAN_LESS, 170e6).passes);
    assert_true(outcome_of(result, "delivery.p99", PLAN_LESS, 160e6).passes); /* 166 above. */
    assert_false(outcome_of(result, "delivery.p99", PLAN_LESS, 140e6).passes);
}

static void no_data_fails_whatever_the_scenario_chooses(void **state)
{
    struct result *result = *state;
    made_plan(result)->run.undecided = PLAN_UNDECIDED_PASSES;
    struct budget_outcome outcome = outcome_of(result, "poll.p99", PLAN_LESS, 1e9);
    assert_int_equal(outcome.status, BUDGET_NO_DATA);
    assert_false(outcome.passes);
    assert_true(isnan(outcome.margin));
    outcome = outcome_of(result, "no.such.metric", PLAN_LESS, 1e9);
    assert_int_equal(outcome.status, BUDGET_NO_DATA);
}

static void a_line_has_value_limit_interval_and_margin(void **state)
{
    struct result *result = *state;
    char line[256];
    struct budget_outcome outcome = outcome_of(result, "delivery.p99", PLAN_LESS, 100e6);
    snprintf(made_plan(result)->budgets[0].text, PLAN_TEXT_SIZE, "delivery.p99 < 100 ms");
    assert_string_equal(budget_text(&outcome, line, sizeof line),
                        "delivery.p99 < 100 ms: 166 ms (149 ms to 183 ms), 66 ms beyond it");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, made_setup, made_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_are_unique_and_lead_back_to_their_metric),
        TEST(figures_are_those_of_the_result),
        TEST(a_sample_is_scaled_up_where_it_counts_and_not_where_it_is_a_mean),
        TEST(what_the_run_has_not_is_no_figure),
        TEST(rates_and_cpu_have_intervals_from_the_series),
        TEST(each_operator_does_what_it_says_at_the_limit),
        TEST(the_margin_is_what_is_left),
        TEST(a_limit_within_the_interval_is_undecided_and_the_scenario_chooses),
        TEST(no_data_fails_whatever_the_scenario_chooses),
        TEST(a_line_has_value_limit_interval_and_margin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
