#include "reports/screen.h"

#include <math.h>

#include "reports/humane.h"
#include "tests/unit/test_judged.h"
#include "tests/unit/test_result.h"

static const struct screen_options plain = {
    .colour = false, .repeat = "chatscale run made-up.json --seed 1", .file = "out/result.json"};

/* Whatever is shown keeps to the screen and to ASCII, and never says NaN. */
static void assert_screen(const char *text)
{
    uint32_t lines = 0;
    for (const char *line = text; *line != '\0'; lines++) {
        size_t length = strcspn(line, "\n");
        if (length > SCREEN_COLUMNS || lines >= SCREEN_LINES) {
            fail_msg("line %u of %zu columns: %.*s", lines + 1, length, (int)length, line);
        }
        for (size_t i = 0; i < length; i++) {
            assert_in_range(line[i], 0x20, 0x7E);
        }
        line += length;
        assert_int_equal(*line, '\n');
        line++;
    }
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
}

static char *drawn(const struct result *result, const struct screen_options *options)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    assert_true(screen_write(stream, result, options));
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void assert_shows(const struct result *result, const char *expected)
{
    char *text = drawn(result, &plain);
    assert_screen(text);
    if (strstr(text, expected) == NULL) {
        fail_msg("expected: %s\nbut there is:\n%s", expected, text);
    }
    free(text);
}

static void a_system_that_keeps_up_is_shown_on_one_screen(void **state)
{
    static const char expected[] =
        "made-up / sticky, level 8: 50M clients, 49.8M online; 10 s measured after 2 s of warm-up; "
        "seed\n"
        "18446744073709551615\n"
        "cassandra cpu binds at 63%; the system keeps up.\n"
        "\n"
        "messages    sent 3.5M/s  acked 3.5M/s  delivered 3.01M/s\n"
        "a message   deliveries 0.86, tries 1.02\n"
        "receipts    delivered 3M/s  read 2.1M/s\n"
        "\n"
        "latency           count        p50        p95        p99   +- (p99)      p99.9        "
        "max\n"
        "delivery            35M    41.5 ms     104 ms     166 ms    16.6 ms     332 ms     830 "
        "ms\n"
        "uplink              35M      21 ms    52.5 ms      84 ms     8.4 ms     168 ms     420 "
        "ms\n"
        "connect             500     120 ms     300 ms     480 ms      48 ms          -      2.4 "
        "s\n"
        "\n"
        "mean/max     nodes       cpu   net out      disk    memory\n"
        "gateway          6    10/15%      2/3%              30/31%\n"
        "fanout           9    20/25%      4/6%\n"
        "kafka           12    30/35%      6/9%    10/12%\n"
        "cassandra       15   *63/93%     8/12%    20/22%\n"
        "redis           18    50/55%    10/15%              50/55%\n"
        "max is the fullest node of each tier, which holds and moves\n"
        "gateway     memory 19.8 GB of 64 GB, network out 37.5 MB/s\n"
        "fanout      network out 75 MB/s\n"
        "kafka       disk 2.4 TB of 20 TB, network out 112 MB/s\n"
        "cassandra   disk 660 GB of 3 TB, network out 150 MB/s\n"
        "redis       memory 8.8 GB of 16 GB, network out 188 MB/s\n"
        "\n"
        "unfinished  312k messages sent and not acked at the end, 1.2k records not consumed\n"
        "speed       123M events, 4.1M/s, 2 wall s a simulated s, 2 threads, 6 GiB\n"
        "repeat      chatscale run made-up.json --seed 1\n"
        "result      out/result.json\n";
    char *text = drawn(*state, &plain);
    assert_screen(text);
    assert_string_equal(text, expected);
    free(text);
}

static void an_overloaded_system_has_no_steady_state(void **state)
{
    struct result *result = *state;
    result->overloaded = true;
    result->unfinished_growth_per_s = 12345;
    made_resource(result, 4, MADE_CPU, "cpu", 32, 1.34, 1.5);
    assert_shows(
        result,
        "OVERLOADED: cassandra cpu binds at 134%; unfinished grows by 12.3k msg/s; 312345 "
        "messages never\nfinished: no steady state, latencies below are of those that finished.\n");
    assert_shows(result, " *134/150%");
}

static void a_station_may_be_full_though_nothing_grows(void **state)
{
    struct result *result = *state;
    result->overloaded = true;
    result->unfinished_growth_per_s = -3;
    result->unfinished = 0;
    assert_shows(result,
                 "OVERLOADED: no tier is full (cassandra cpu 63%); 0 messages never finished: no");
}

static void an_overload_is_not_blamed_on_a_disk_that_will_not_do(void **state)
{
    struct result *result = *state;
    result->overloaded = true;
    made_resource(result, 4, MADE_DISK_SPACE, "disk_space", 3e12, 7.6, 7.7);
    made_resource(result, 3, MADE_NIC_OUT, "nic_out", 1.25e9, 0.91, 0.99);
    result->finding_count = 1;
    result->findings[0] = (struct result_finding){4, MADE_DISK_SPACE, 7.6};
    assert_shows(result, "OVERLOADED: kafka network out binds at 91%; 312345 messages never");
    assert_shows(result, " Does not fit: cassandra disk at 760%.\n");
}

static void a_full_node_is_named_though_its_tier_has_room(void **state)
{
    struct result *result = *state;
    made_resource(result, 5, MADE_CPU, "cpu", 1, 0.4, 1);
    assert_shows(result, "cassandra cpu binds at 63%; the system keeps up. Fullest node: redis #2, "
                         "cpu at 100%.\n");
}

static void what_does_not_fit_is_said_though_messages_keep_up(void **state)
{
    struct result *result = *state;
    made_resource(result, 4, MADE_DISK_SPACE, "disk_space", 3e12, 34.92, 35);
    result->finding_count = 4;
    for (uint32_t i = 0; i < 4; i++) {
        result->findings[i] = (struct result_finding){4, MADE_DISK_SPACE, 34.92};
    }
    assert_shows(result, "cassandra cpu binds at 63%; messages keep up. Does not fit: cassandra "
                         "disk at 3492%,");
    assert_shows(result, ", and 1 more.\n");
    assert_shows(result, "34.9/35x");
    assert_shows(result, "disk 105 TB of 3 TB");
}

static void an_empty_result_is_no_trouble(void **state)
{
    (void)state;
    struct plan *plan = calloc(1, sizeof *plan);
    struct result *result = calloc(1, sizeof *result);
    assert_non_null(plan);
    assert_non_null(result);
    result->plan = plan;
    const struct screen_options nothing = {.colour = false};
    char *text = drawn(result, &nothing);
    assert_screen(text);
    assert_string_equal(
        text, ": 0 clients, 0 online; 0 ns measured; seed 0\n"
              "Nothing was measured, so nothing is known.\n"
              "\n"
              "messages    sent 0/s  acked 0/s  delivered 0/s\n"
              "a message   deliveries -, tries -\n"
              "receipts    delivered 0/s  read 0/s\n"
              "\n"
              "latency           count        p50        p95        p99   +- (p99)      p99.9      "
              "  max\n"
              "nothing passed any stage\n"
              "\n"
              "no tier was loaded\n"
              "\n"
              "unfinished  0 messages sent and not acked at the end, 0 records not consumed\n"
              "speed       0 events, 0/s, 0 wall s a simulated s, 0 threads, 0 B\n");
    free(text);
    free(result);
    free(plan);
}

static void figures_that_are_none_are_not_shown(void **state)
{
    struct result *result = *state;
    result->unfinished_growth_per_s = NAN;
    result->host.wall_s_per_simulated_s = INFINITY;
    result->host.events_per_s = NAN;
    result->stages[1].quantile_ns[3].value = NAN;
    result->counters[0].per_s = NAN;
    made_resource(result, 4, MADE_CPU, "cpu", 0, NAN, INFINITY);
    made_resource(result, 3, MADE_CPU, "cpu", INFINITY, 1e300, 1e300);
    char *text = drawn(result, &plain);
    assert_screen(text);
    free(text);
}

static void the_judge_has_his_say(void **state)
{
    struct result *result = *state;
    result->judged = true;
    result->judged_acked = 1200;
    result->judged_shown = 1500;
    result->judged_owed = 3;
    assert_shows(result, "judge       every guarantee kept: 1200 acked, 1500 shown, 3 owed\n");
    result->violation_count = 17;
    result->violation_words_count = RESULT_VIOLATIONS_MAX;
    for (uint32_t i = 0; i < RESULT_VIOLATIONS_MAX; i++) {
        memset(result->violations[i], 'x', sizeof result->violations[i] - 1);
        memcpy(result->violations[i], "lost \033[2J", 9);
    }
    assert_shows(result, "JUDGE       17 violations: 1200 acked, 1500 shown, 3 owed\n"
                         "            lost ?[2Jxx");
    assert_shows(result, "\n            ... and 15 more\n");
}

static void a_partial_run_says_so(void **state)
{
    struct result *result = *state;
    result->partial = true;
    result->end_ns = 7000000000;
    assert_shows(result, "\nPARTIAL: interrupted at 7 s of 15 s.\n");
    assert_shows(result, "; 5 s measured after 2 s of warm-up;");
    assert_shows(result, "cassandra cpu binds at 63%; the system keeps up so far.\n");
    result->end_ns = 1000000000;
    assert_shows(result, "Nothing was measured, so nothing is known.\n");
    assert_shows(result, "PARTIAL: interrupted at 1 s of 15 s, in the warm-up.\n");
}

static void claims_and_budgets_come_before_the_figures(void **state)
{
    struct result *result = *state;
    struct verdicts *verdicts = made_verdicts(result);
    struct budget_outcomes budgets;
    made_budgets(result, &budgets);
    struct screen_options options = plain;
    options.verdicts = verdicts;
    options.budgets = &budgets;
    char *text = drawn(result, &options);
    assert_screen(text);
    static const char expected[] =
        "\nclaims  0 hold, 0 only if, 1 fail, 1 unknown\n"
        "FAILS    kafka_brokers        20; found 48: network in binds at 134%: short by a factor "
        "of "
        "1.34,\n"
        "                              which is long enough a text to be wrapped on the screen. "
        "Checked: 48\n"
        "                              brokers holds\n"
        "UNKNOWN  snowflake_formula    unique ?[31m\n"
        "         checked, keeps up    --set kafka.brokers=48\n"
        "\nbudgets 0 of 2 pass\n"
        "UNSURE   delivery.p99         < 170 ms: 166 ms (149 ms to 183 ms), 4 ms left; undecided "
        "fails\n"
        "NO DATA  poll.p99             < 1 s: the run has no such figure\n"
        "\nmessages ";
    if (strstr(text, expected) == NULL) {
        fail_msg("expected: %s\nbut there is:\n%s", expected, text);
    }
    free(text);
    free(verdicts);
}

static void a_sample_says_so(void **state)
{
    struct result *result = *state;
    result->fraction = 0.1;
    assert_shows(result, "A sample of 10%: clients, nodes and rates below are the sample's.\n");
}

static void the_largest_of_all_still_fits(void **state)
{
    struct result *result = *state;
    static const char *const names[RESULT_RESOURCES] = {
        "cpu", "nic_in", "nic_out", "disk_io", "disk_space", "memory", "connections", "quota"};
    memset(made_plan(result)->name, 'n', PLAN_NAME_SIZE - 1);
    memset(made_plan(result)->variant, 'v', PLAN_NAME_SIZE - 1);
    while (result->stage_count < RESULT_STAGES_MAX) {
        made_stage(result, "a_stage_of_a_long_name", 123456789, 123456789);
    }
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        result->tiers[t].nodes = 999999;
        for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
            made_resource(result, t, r, names[r], 123.4e12, 9.87, 9.98);
        }
    }
    result->overloaded = true;
    result->finding_count = RESULT_FINDINGS_MAX;
    result->unfinished = UINT64_MAX;
    result->consumer_lag_records = UINT64_MAX;
    result->unfinished_growth_per_s = 123456;
    result->partial = true;
    result->fraction = 0.123;
    result->judged = true;
    result->violation_count = UINT64_MAX;
    result->violation_words_count = RESULT_VIOLATIONS_MAX;
    made_counter(result, "messages_refused", 123456789);
    made_counter(result, "redeliveries", 123456789);
    made_counter(result, "deliveries_offline", 123456789);
    made_counter(result, "pushes", 123456789);
    made_counter(result, "connects", 123456789);
    made_counter(result, "polls", 123456789);
    made_counter(result, "polls_empty", 123456789);
    assert_shows(result, "stages more in the result\n");
}

static void colours_come_only_where_they_are_wanted(void **state)
{
    struct screen_options coloured = plain;
    coloured.colour = true;
    char *text = drawn(*state, &coloured);
    assert_non_null(strstr(text, "\033[32mcassandra cpu binds"));
    assert_non_null(strstr(text, "\033[33m  *63/93%\033[0m"));
    free(text);
}

static void figures_have_three_digits_and_a_unit(void **state)
{
    (void)state;
    char buffer[HUMANE_SIZE];
    assert_string_equal(humane_count(0, buffer), "0");
    assert_string_equal(humane_count(0.863, buffer), "0.86");
    assert_string_equal(humane_count(999.4, buffer), "999");
    assert_string_equal(humane_count(999.6, buffer), "1k");
    assert_string_equal(humane_count(12345, buffer), "12.3k");
    assert_string_equal(humane_count(3.5e6, buffer), "3.5M");
    assert_string_equal(humane_count(1e11, buffer), "100B");
    assert_string_equal(humane_count(-1234, buffer), "-1.23k");
    assert_string_equal(humane_count(NAN, buffer), "-");
    assert_string_equal(humane_count(INFINITY, buffer), "-");
    assert_string_equal(humane_count(1e29, buffer), "1.00e+17T");
    assert_string_equal(humane_bytes(999, buffer), "999 B");
    assert_string_equal(humane_bytes(2.2e16, buffer), "22 PB");
    assert_string_equal(humane_memory(6.5 * 1024 * 1024 * 1024, buffer), "6.5 GiB");
    assert_string_equal(humane_time(850, buffer), "850 ns");
    assert_string_equal(humane_time(41.55e6, buffer), "41.5 ms");
    assert_string_equal(humane_time(999.9e6, buffer), "1 s");
    assert_string_equal(humane_time(179e9, buffer), "179 s");
    assert_string_equal(humane_time(300e9, buffer), "5 min");
    assert_string_equal(humane_time(86400e9 * 30, buffer), "30 d");
    assert_string_equal(humane_percent(0.004, buffer), "0.4%");
    assert_string_equal(humane_percent(0.414, buffer), "41%");
    assert_string_equal(humane_percent(1.34, buffer), "134%");
}

static void a_full_disk_is_an_error(void **state)
{
    FILE *full = fopen("/dev/full", "w");
    if (full == NULL) {
        skip();
    }
    assert_false(screen_write(full, *state, &plain));
    fclose(full);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, made_setup, made_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_system_that_keeps_up_is_shown_on_one_screen),
        TEST(an_overloaded_system_has_no_steady_state),
        TEST(a_station_may_be_full_though_nothing_grows),
        TEST(an_overload_is_not_blamed_on_a_disk_that_will_not_do),
        TEST(a_full_node_is_named_though_its_tier_has_room),
        TEST(what_does_not_fit_is_said_though_messages_keep_up),
        cmocka_unit_test(an_empty_result_is_no_trouble),
        TEST(figures_that_are_none_are_not_shown),
        TEST(the_judge_has_his_say),
        TEST(a_partial_run_says_so),
        TEST(claims_and_budgets_come_before_the_figures),
        TEST(a_sample_says_so),
        TEST(the_largest_of_all_still_fits),
        TEST(colours_come_only_where_they_are_wanted),
        TEST(a_full_disk_is_an_error),
        cmocka_unit_test(figures_have_three_digits_and_a_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
