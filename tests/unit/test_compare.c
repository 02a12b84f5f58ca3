/* compare and result_read: change told from noise, and what is not ours refused. */
#include "reports/compare.h"

#include <math.h>
#include <unistd.h>

#include "reports/result_json.h"
#include "tests/unit/test_result.h"

/* -- Comparison ----------------------------------------------------------------------------------
 */

struct pair {
    struct result_read base;
    struct result_read next;
    struct compare compare;
};

static int setup(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);
    assert_non_null(pair);
    struct result_read *both[] = {&pair->base, &pair->next};
    for (size_t i = 0; i < 2; i++) {
        snprintf(both[i]->hash, sizeof both[i]->hash, "0123456789abcdef");
        snprintf(both[i]->seed, sizeof both[i]->seed, "1");
        both[i]->duration_ns = 10e9;
        both[i]->fraction = 1;
    }
    *state = pair;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* Noise that both runs share, and does not cancel unless they are paired. */
static double noise(uint32_t batch)
{
    static const double values[RESULT_BATCHES] = {0.3,  -0.2, 0.1, -0.3,  0.25,
                                                  0.05, -0.1, 0.2, -0.25, -0.05};
    return values[batch];
}

/* A metric of 100, with the shared noise of that share, changed by `factor`. */
static void add(struct pair *pair, const char *name, enum metric_better better, double factor,
                uint32_t batches)
{
    struct result_read *both[] = {&pair->base, &pair->next};
    for (size_t i = 0; i < 2; i++) {
        struct result_read_metric *metric = &both[i]->metrics[both[i]->metric_count++];
        double value = i == 0 ? 100 : 100 * factor;
        memset(metric, 0, sizeof *metric);
        snprintf(metric->name, sizeof metric->name, "%s", name);
        snprintf(metric->unit, sizeof metric->unit, "ns");
        metric->better = better;
        metric->value = (struct result_estimate){value, value, value, batches > 0};
        metric->batch_count = batches;
        for (uint32_t b = 0; b < batches; b++) {
            metric->batches[b] = value * (1 + noise(b)) + (i == 0 ? 0.0 : 0.01) * (b % 3);
        }
    }
}

static enum compare_change change(struct pair *pair, double tolerance)
{
    compare_results(&pair->base, &pair->next, NULL, 0, tolerance, &pair->compare);
    return pair->compare.lines[0].change;
}

static void pairs_show_what_noise_would_hide(void **state)
{
    struct pair *pair = *state;
    add(pair, "delivery.p99", METRIC_LESS, 1.10, 10);
    assert_int_equal(change(pair, 0.05), COMPARE_WORSE);
    assert_true(pair->compare.paired);
    assert_int_equal(pair->compare.worse_count, 1);
    assert_true(fabs(pair->compare.lines[0].effect - 0.1) < 1e-9);
    snprintf(pair->next.seed, sizeof pair->next.seed, "2");
    assert_int_equal(change(pair, 0.05), COMPARE_SAME); /* Noise of 20%: can't be told. */
    assert_false(pair->compare.paired);
}

static void what_lies_within_the_tolerance_is_no_change(void **state)
{
    struct pair *pair = *state;
    add(pair, "delivery.p99", METRIC_LESS, 1.04, 10);
    assert_int_equal(change(pair, 0.05), COMPARE_SAME);
    assert_int_equal(change(pair, 0.03), COMPARE_WORSE);
}

static void the_metric_says_which_way_is_better(void **state)
{
    struct pair *pair = *state;
    add(pair, "messages_acked.rate", METRIC_MORE, 1.2, 10);
    assert_int_equal(change(pair, 0.05), COMPARE_BETTER);
    assert_int_equal(pair->compare.worse_count, 0);
    pair->base.metrics[0].better = METRIC_LESS;
    assert_int_equal(change(pair, 0.05), COMPARE_WORSE);
    pair->base.metrics[0].better = METRIC_NEITHER;
    assert_int_equal(change(pair, 0.05), COMPARE_DIFFERENT);
    assert_int_equal(pair->compare.worse_count, 0);
}

static void what_has_no_interval_is_never_a_regression(void **state)
{
    struct pair *pair = *state;
    add(pair, "unfinished", METRIC_LESS, 9, 0);
    assert_int_equal(change(pair, 0.05), COMPARE_UNSURE);
    assert_int_equal(pair->compare.worse_count, 0);
    assert_true(isnan(pair->compare.lines[0].low));
}

static void more_figures_ask_for_more_evidence(void **state)
{
    struct pair *pair = *state;
    add(pair, "a", METRIC_LESS, 1.2, 10);
    change(pair, 0.05);
    double alone = pair->compare.lines[0].high - pair->compare.lines[0].low;
    assert_true(fabs(pair->compare.confidence - 0.95) < 1e-9);
    for (int i = 0; i < 99; i++) {
        add(pair, "b", METRIC_LESS, 1, 10);
    }
    change(pair, 0.05);
    assert_true(fabs(pair->compare.confidence - 0.9995) < 1e-9);
    assert_true(pair->compare.lines[0].high - pair->compare.lines[0].low > 1.5 * alone);
    static const char *const only[] = {"a"};
    compare_results(&pair->base, &pair->next, only, 1, 0.05, &pair->compare);
    assert_int_equal(pair->compare.line_count, 1);
    assert_true(fabs(pair->compare.confidence - 0.95) < 1e-9);
}

static void what_cannot_be_compared_is_refused_with_the_reason(void **state)
{
    struct pair *pair = *state;
    char why[256];
    assert_true(compare_allowed(&pair->base, &pair->next, false, false, why, sizeof why));
    snprintf(pair->next.hash, sizeof pair->next.hash, "feedfeedfeedfeed");
    assert_false(compare_allowed(&pair->base, &pair->next, false, false, why, sizeof why));
    assert_non_null(strstr(why, "the plans differ"));
    assert_true(compare_allowed(&pair->base, &pair->next, true, false, why, sizeof why));
    snprintf(pair->next.seed, sizeof pair->next.seed, "2");
    assert_false(compare_allowed(&pair->base, &pair->next, true, false, why, sizeof why));
    assert_non_null(strstr(why, "the seeds differ"));
    assert_true(compare_allowed(&pair->base, &pair->next, true, true, why, sizeof why));
    pair->next.duration_ns = 20e9;
    assert_false(compare_allowed(&pair->base, &pair->next, true, true, why, sizeof why));
    assert_non_null(strstr(why, "run.duration"));
    pair->next.duration_ns = 10e9;
    pair->next.fraction = 0.1;
    assert_false(compare_allowed(&pair->base, &pair->next, true, true, why, sizeof why));
    assert_non_null(strstr(why, "run.fidelity"));
    pair->next.fraction = 1;
    pair->next.partial = true;
    assert_false(compare_allowed(&pair->base, &pair->next, true, true, why, sizeof why));
    assert_non_null(strstr(why, "the new run was interrupted"));
}

/* -- Reading -------------------------------------------------------------------------------------
 */

/* The file of the made-up result; `length` bytes of it, or all. */
static void write_result(const struct result *result, const char *path, long length)
{
    const struct result_facts facts = {.plan_hash = 0xabc};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(result_json_write(file, result, &facts));
    fclose(file);
    if (length > 0) {
        assert_int_equal(truncate(path, length), 0);
    }
}

static void what_was_written_reads_back(void **state)
{
    struct result *result = *state;
    char path[] = "/tmp/chatscale-compare-XXXXXX";
    char why[256];
    close(mkstemp(path));
    result->stages[1].batch_count = 2;
    result->stages[1].batch_mean_ns[0] = 0.1 + 0.2;
    result->stages[1].batch_mean_ns[1] = 41e6;
    write_result(result, path, 0);
    struct result_read *read = calloc(1, sizeof *read);
    assert_non_null(read);
    if (!result_read(path, read, why, sizeof why)) {
        fail_msg("%s", why);
    }
    assert_string_equal(read->scenario, "made-up");
    assert_string_equal(read->variant, "sticky");
    assert_string_equal(read->hash, "0000000000000abc");
    assert_string_equal(read->seed, "18446744073709551615");
    assert_true(read->duration_ns == 10e9);
    const struct result_read_metric *mean = result_read_find(read, "delivery.mean");
    assert_non_null(mean);
    assert_int_equal(mean->better, METRIC_LESS);
    assert_int_equal(mean->batch_count, 2);
    assert_true(mean->batches[0] == 0.1 + 0.2);
    assert_true(mean->value.known && mean->value.low == 41.5e6);
    assert_false(result_read_find(read, "unfinished")->value.known);
    assert_null(result_read_find(read, "poll.p99"));
    free(read);
    unlink(path);
}

static void what_is_cut_or_not_ours_is_refused(void **state)
{
    struct result *result = *state;
    char path[] = "/tmp/chatscale-compare-XXXXXX";
    char why[256];
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"", "not JSON, or cut short"},
        {"{}", "not a result of chatscale"},
        {"[]", "several results"},
        {"{\"format\": \"other\", \"version\": 2}", "not a result of chatscale"},
        {"{\"format\": \"chatscale-result\"}", "has no version"},
        {"{\"format\": \"chatscale-result\", \"version\": 1, \"chatscale\": \"0.1.0\"}",
         "is version 1 of the format, written by chatscale 0.1.0, and this one reads 2"},
        {"{\"format\": \"chatscale-result\", \"version\": 2, \"chatscale\": \"0.1.0\"}",
         "parts of it are missing"},
    };
    struct result_read *read = calloc(1, sizeof *read);
    assert_non_null(read);
    close(mkstemp(path));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(cases[i].text, file);
        fclose(file);
        assert_false(result_read(path, read, why, sizeof why));
        if (strstr(why, cases[i].why) == NULL) {
            fail_msg("%s: %s, not %s", cases[i].text, why, cases[i].why);
        }
    }
    write_result(result, path, 5000);
    assert_false(result_read(path, read, why, sizeof why));
    assert_non_null(strstr(why, "not JSON, or cut short"));
    unlink(path);
    assert_false(result_read(path, read, why, sizeof why));
    assert_non_null(strstr(why, "can't be read: No such file"));
    free(read);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define READ(name) cmocka_unit_test_setup_teardown(name, made_setup, made_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pairs_show_what_noise_would_hide),
        TEST(what_lies_within_the_tolerance_is_no_change),
        TEST(the_metric_says_which_way_is_better),
        TEST(what_has_no_interval_is_never_a_regression),
        TEST(more_figures_ask_for_more_evidence),
        TEST(what_cannot_be_compared_is_refused_with_the_reason),
        READ(what_was_written_reads_back),
        READ(what_is_cut_or_not_ours_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
