/* Traces: what is read, what is skipped with a note, and what is refused. */
#include "tests/unit/test_scenario.h"

#include <zlib.h>

#include "scenarios/trace.h"

static bool read_text(struct bench *bench, struct trace *trace, const char *text)
{
    problems_init(&bench->problems);
    return trace_read(trace, bench_file(bench, "t.txt", text), NULL, &bench->problems);
}

static void messages_are_renumbered_and_timed_from_the_first(void **state)
{
    struct trace t;
    assert_true(
        read_text(*state, &t, "src dst unix_time\n900 7 100\n7\t30 100.525\r\n30 900 160\n"));
    assert_int_equal(t.message_count, 3);
    assert_int_equal(t.user_count, 3);
    assert_int_equal(t.start_unix_s, 100);
    assert_int_equal(t.span_ns, 60000000000);
    assert_int_equal(t.messages[0].sender, 2); /* 7, 30, 900. */
    assert_int_equal(t.messages[0].recipient, 0);
    assert_int_equal(t.messages[0].time_ns, 0);
    assert_int_equal(t.messages[1].recipient, 1);
    assert_int_equal(t.messages[1].time_ns, 525000000);
    assert_int_equal(t.comment_count, 1);
    assert_false(t.sorted);
    trace_free(&t);
}

static void what_is_odd_is_noted_and_skipped(void **state)
{
    struct bench *bench = *state;
    struct trace t;
    assert_true(read_text(bench, &t, "# c\n1 2 300\n2 1 100\n3 3 4\n\n% x\n1 3 100\n2 4 300\n1 2"));
    assert_int_equal(t.message_count, 4);
    assert_int_equal(t.comment_count, 2);
    assert_int_equal(t.self_count, 1);
    assert_int_equal(t.truncated_count, 1);
    assert_true(t.sorted);
    assert_int_equal(t.user_count, 4);
    /* Sorted, and equal times keep their order. */
    assert_int_equal(t.messages[0].sender, 1);
    assert_int_equal(t.messages[1].recipient, 2);
    assert_int_equal(t.messages[2].recipient, 1);
    assert_int_equal(t.messages[3].recipient, 3);
    assert_int_equal(bench->problems.error_count, 0);
    assert_says(bench, "note: not sorted by time; sorted");
    assert_says(bench, "note: 2 comment or header lines skipped");
    assert_says(bench, "note: 1 message to oneself skipped");
    assert_says(bench, "note: the last line is cut short; skipped");
    trace_free(&t);
}

static void a_last_time_that_was_cut_is_no_time(void **state)
{
    struct trace t;
    assert_true(read_text(*state, &t, "1 2 1082040961\n2 1 10820"));
    assert_int_equal(t.message_count, 1);
    assert_int_equal(t.truncated_count, 1);
    trace_free(&t);
    assert_true(read_text(*state, &t, "1 2 1082040961\n2 1 1082040962")); /* No newline: fine. */
    assert_int_equal(t.message_count, 2);
    trace_free(&t);
}

static void what_is_no_trace_is_refused(void **state)
{
    static const char *const cases[][2] = {
        {"", "t.txt: an empty trace"},
        {"# nothing\n", "an empty trace"},
        {"1 1 5\n", "an empty trace"},
        {"1 2 3\nhello world\n", "t.txt:2:1: not of the form `src dst unix_time`"},
        {"1 2\n2 1 3\n", "t.txt:1:1: not of the form"},
        {"1 2 3 4\n", "not of the form"},
        {"-1 2 3\n", "not of the form"},
        {"1 2 -3\n", "not of the form"},
        {"1 2 nan\n", "not of the form"},
        {"1 2 99999999999999999999\n", "not of the form"},
        {"99999999999999999999999 2 5\n", "not of the form"},
        {"1,2,3\n", "not of the form"},
    };
    struct bench *bench = *state;
    struct trace t;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(read_text(bench, &t, cases[i][0]));
        assert_says(bench, cases[i][1]);
    }
    char line[400];
    memset(line, '1', sizeof line);
    line[sizeof line - 1] = '\0';
    assert_false(read_text(bench, &t, line));
    assert_says(bench, "a line of more than 255 characters");
    problems_init(&bench->problems);
    const char *path = bench_bytes(bench, "t.txt", "\0\n1 2 3\n", 8);
    assert_false(trace_read(&t, path, NULL, &bench->problems));
    assert_says(bench, "a NUL character");
    assert_false(trace_read(&t, bench->folder, NULL, &bench->problems));
    assert_says(bench, "is no file");
    assert_false(trace_read(&t, "/tmp/there/is/none", NULL, &bench->problems));
    assert_says(bench, "can't be read: No such file");
}

static void errors_are_listed_but_not_for_ever(void **state)
{
    struct bench *bench = *state;
    struct trace t;
    char text[4000] = "";
    for (uint32_t i = 0; i < 500; i++) {
        strcat(text, "bad 1\n");
    }
    assert_false(read_text(bench, &t, text));
    assert_int_equal(bench->problems.error_count, 10);
}

static void gzip_is_read_and_its_end_is_missed(void **state)
{
    struct bench *bench = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/t.gz", bench->folder);
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    for (uint32_t i = 0; i < 5000; i++) {
        gzprintf(file, "%u %u %u\n", i * 7919 % 1000, 1000 + i * 104729 % 1000, 1000000 + i);
    }
    gzclose(file);
    struct trace t;
    assert_true(trace_read(&t, path, NULL, &bench->problems));
    assert_int_equal(t.message_count, 5000);
    trace_free(&t);
    assert_int_equal(truncate(path, 9000), 0);
    assert_false(trace_read(&t, path, NULL, &bench->problems));
    assert_says(bench, "the compressed data ends early");
}

static void the_shipped_trace_is_what_its_authors_say(void **state)
{
    struct bench *bench = *state;
    struct trace t;
    assert_true(trace_read(&t, "scenarios/data/collegemsg.txt.gz", NULL, &bench->problems));
    assert_int_equal(t.message_count, 59835);
    assert_int_equal(t.user_count, 1899);
    assert_int_equal(t.span_ns / 86400000000000, 193);
    assert_int_equal(t.self_count + t.truncated_count, 0);
    assert_false(t.sorted);
    for (uint32_t i = 1; i < t.message_count; i++) {
        assert_true(t.messages[i].time_ns >= t.messages[i - 1].time_ns);
        assert_true(t.messages[i].sender != t.messages[i].recipient);
    }
    trace_free(&t);
}

static void a_scenario_names_it_relative_to_itself(void **state)
{
    struct bench *bench = *state;
    bench_file(bench, "t.txt", "1 2 3\n2 3 4\n");
    assert_loads(bench, "{\"population\": {\"trace\": {\"file\": \"t.txt\", \"compress\": 10}}}",
                 NULL);
    assert_true(strncmp(bench->plan.population.trace.file, bench->folder, strlen(bench->folder)) ==
                0);
    assert_refused(bench,
                   "{\"population\": {\"users\": 2, \"connected\": 2, \"group_share\": 0,"
                   " \"trace\": {\"file\": \"t.txt\"}}}",
                   "the trace has 3 people, and there are 2 users");
    assert_refused(bench,
                   "{\"run\": {\"fidelity\": \"10%\"},"
                   "\"population\": {\"trace\": {\"file\": \"t.txt\"}}}",
                   "a trace is replayed whole");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_are_renumbered_and_timed_from_the_first,
                                        bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(what_is_odd_is_noted_and_skipped, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(a_last_time_that_was_cut_is_no_time, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(what_is_no_trace_is_refused, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(errors_are_listed_but_not_for_ever, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(gzip_is_read_and_its_end_is_missed, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(the_shipped_trace_is_what_its_authors_say, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(a_scenario_names_it_relative_to_itself, bench_setup,
                                        bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
