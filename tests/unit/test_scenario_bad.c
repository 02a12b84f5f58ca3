/* Bad input: each kind is refused with its place and a remedy, in bounded time and memory. */
#include "tests/unit/test_scenario.h"

#include <sys/resource.h>
#include <time.h>

struct bad {
    const char *text;
    const char *expected;
};

static void refuse_all(struct bench *bench, const struct bad *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_refused(bench, cases[i].text, cases[i].expected);
    }
}

#define REFUSE(bench, cases) refuse_all(bench, cases, sizeof(cases) / sizeof(cases)[0])

static void what_is_not_json_is_refused(void **state)
{
    static const struct bad cases[] = {
        {"", "s.json:1:1: $: the file is empty; \"chatscale init\""},
        {"  \n ", "s.json:2:2: $: the file is empty"},
        {"hello", ":1:1: $: hello is not JSON"},
        {"[1]", "a scenario is an object in { }"},
        {"{} x", ":1:4: $: something follows the end"},
        {"{\"kafka\": {\"brokers\": 3",
         ":1:24: $.kafka: the file ends inside an object that opened"},
        {"{\"kafka\": {\"bro", "the file ends inside a text; is it cut short?"},
        {"{\"kafka\":", "the file ends where a value is expected"},
        {"{\"level\": 1 \"name\": 2}", "a comma or } is expected here"},
        {"{\"level\" 1}", "a colon is expected after the field name \"level\""},
        {"{\"level\": 1,}", ":1:12: $: no comma before }; remove it"},
        {"{ // why\n}", "JSON has no comments"},
        {"{\"name\": 'x'}", "double quotes"},
        {"{\"name\": \"a\nb\"}", "the line ends inside a text"},
        {"{\"name\": \"a\tb\"}", "a control character (code 9)"},
        {"{\"name\": \"\\q\"}", "no such escape"},
        {"{\"name\": \"\\ud800\"}", "\\ud800 is no character"},
        {"{\"name\": \"\\u0000\"}", "\\u0000 is no character"},
        {"{\"level\": 01}", "not a JSON number"},
        {"{\"level\": +1}", "begins with a digit or a minus"},
        {"{\"level\": 1.}", "not a JSON number"},
        {"{\"level\": 0.11111111111111111111111111111111111111111}", "at most 40 are read"},
    };
    REFUSE(*state, cases);
}

static void utf8_must_be_valid(void **state)
{
    static const char *const broken[] = {
        "\xff", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80",
    };
    struct bench *bench = *state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"name\": \"\u00e9%s\", \"lvel\": 1}", broken[i]);
        assert_refused(bench, text, ":1:12: $.name: byte 0x");
        assert_says(bench, "did you mean \"level\"?"); /* And the rest is judged all the same. */
    }
    assert_refused(bench, "{\xff}", "a field name in double quotes");
    assert_loads(bench, "\xef\xbb\xbf{\"name\": \"\u00e9\u20ac\U0001F600\"}", NULL);
}

static void numbers_must_fit(void **state)
{
    static const struct bad cases[] = {
        {"{\"kafka\": {\"brokers\": NaN}}", ":1:23: $.kafka.brokers: NaN is not a number"},
        {"{\"kafka\": {\"brokers\": -Infinity}}", "-Infinity is not a number"},
        {"{\"kafka\": {\"brokers\": 1e400}}", "1e400 is out of range"},
        {"{\"run\": {\"seed\": 9007199254740993}}", "is past 2^53"},
        {"{\"run\": {\"seed\": 123456789012345678901234567890}}", "is past 2^53"},
        {"{\"kafka\": {\"brokers\": -3}}", "-3 is negative, which makes no sense here"},
        {"{\"kafka\": {\"brokers\": 0}}", "0 is too small; the least is 1"},
        {"{\"kafka\": {\"brokers\": 1.5}}", "round it"},
        {"{\"kafka\": {\"linger\": \"-5 ms\"}}", "negative"},
        {"{\"population\": {\"connected\": 0}}", "the least is 1"},
        {"{\"population\": {\"group_share\": \"140%\"}}", "the most is 100%"},
        {"{\"run\": {\"duration\": 0}}", "the least is 1 ms"},
    };
    REFUSE(*state, cases);
    struct bench *bench = *state;
    assert_loads(bench, "{\"run\": {\"seed\": \"18446744073709551615\"}}", NULL);
    assert_int_equal(bench->plan.run.seed, UINT64_MAX);
    assert_loads(bench, "{\"run\": {\"seed\": 9007199254740992}}", NULL);
}

static void units_must_be_right(void **state)
{
    static const struct bad cases[] = {
        {"{\"run\": {\"duration\": \"5 MB\"}}",
         "\"5 MB\" is not a duration; write it like \"5 s\""},
        {"{\"run\": {\"warmup\": 5}}", "5 has no unit; a duration is written like \"5 s\""},
        {"{\"kafka\": {\"nic\": \"1 s\"}}", "\"1 s\" is not bytes a second; write it like"},
        {"{\"kafka\": {\"disk\": \"fast\"}}", "\"fast\" is not a size in bytes"},
        {"{\"population\": {\"message_rate\": \"3.5M\"}}", "\"3.5M\" is not a rate"},
        {"{\"run\": {\"contents\": \"true\"}}", "true or false, without quotes"},
        {"{\"run\": {\"seed\": null}}", "null says nothing"},
        {"{\"run\": {\"duration\": true}}", "a duration is expected here, not true or false"},
        {"{\"name\": 4}", "a text is expected here, not a number"},
        {"{\"kafka\": 3}", "an object in { } with its fields is expected here, not a number"},
        {"{\"faults\": {}}", "a list in [ ] is expected here, not an object"},
        {"{\"faults\": [1]}", "an object in { }"},
        {"{\"kafka\": {\"about\": 3}}", "\"about\" is for words"},
        {"{\"routing\": \"stiky\"}", "none of sticky, redis, kafka; did you mean \"sticky\"?"},
    };
    REFUSE(*state, cases);
}

static void names_must_be_known(void **state)
{
    static const struct bad cases[] = {
        {"{\"kafka\": {\"brokrs\": 3}}",
         "s.json:1:12: $.kafka.brokrs: unknown field; did you mean \"brokers\"?"},
        {"{\n  \"kafak\": {}}", ":2:3: $.kafak: unknown field; did you mean \"kafka\"?"},
        {"{\"brokers\": 4}", "did you mean \"kafka.brokers\"?"},
        {"{\"extend\": \"x\"}", "did you mean \"extends\"?"},
        {"{\"zzzzzzzz\": 1}", "unknown field; remove it"},
        {"{\"faults\": [{\"knd\": \"kill\"}]}",
         "$.faults[0].knd: unknown field; did you mean \"kind\"?"},
        {"{\"kafka.brokers\": 3}", "no dots or brackets; nest it"},
        {"{\"faults[].at\": 3}", "no dots or brackets"},
        {"{\"population\": {\"record_size\": {\"mdian\": 1}}}", "did you mean"},
    };
    REFUSE(*state, cases);
}

static void keys_must_be_unique(void **state)
{
    struct bench *bench = *state;
    assert_refused(
        bench, "{\"kafka\": {\"brokers\": 3,\n \"brok\\u0065rs\": 4}, \"level\": 1, \"kafka\": {}}",
        ":2:2: $.kafka.brokers: given twice, first at line 1, column 12");
    assert_says(bench, "$.kafka: given twice, first at line 1, column 2");
    assert_int_equal(bench->problems.error_count, 2);
}

static void all_faults_are_listed(void **state)
{
    struct bench *bench = *state;
    assert_refused(
        bench,
        "{\"kafka\": {\"brokrs\": 3, \"brokers\": 0, \"nic\": \"1 s\"}, \"lvel\": 1e400,\n"
        " \"faults\": [{\"kind\": \"kil\"}], \"cassandra\": {\"replication\": 5}}",
        "brokrs");
    assert_int_equal(bench->problems.error_count, 7); /* 1e400 counts beside its field. */
    assert_says(bench, "did you mean \"kill\"?");
    assert_says(bench, "5 copies need as many nodes");
}

static void nesting_and_size_are_bounded(void **state)
{
    struct bench *bench = *state;
    size_t size = 5 << 20;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, '[', size);
    assert_false(bench_load(bench, bench_bytes(bench, "deep.json", text, 10000), NULL));
    assert_says(bench, "deep.json:1:33: ");
    assert_says(bench, "nested deeper than 32");
    for (size_t i = 0; i < size; i++) {
        text[i] = "{\"a\":"[i % 5];
    }
    assert_false(bench_load(bench, bench_bytes(bench, "deep.json", text, 50000), NULL));
    assert_says(bench, "nested deeper than 32");
    memset(text, ' ', size);
    assert_false(bench_load(bench, bench_bytes(bench, "wide.json", text, size), NULL));
    assert_says(bench, "larger than the 4 MiB");
    memset(text, '1', size);
    for (size_t i = 2; i < size; i += 2) {
        text[i] = ',';
    }
    text[0] = '[';
    assert_false(bench_load(bench, bench_bytes(bench, "many.json", text, 4 << 20), NULL));
    assert_says(bench, "more than 100000 values");
    free(text);
}

/* A gigabyte is refused by its size, without being read. */
static void a_huge_file_costs_nothing(void **state)
{
    struct bench *bench = *state;
    const char *path = bench_file(bench, "huge.json", "");
    assert_int_equal(truncate(path, (off_t)1 << 30), 0);
    clock_t before = clock();
    assert_false(bench_load(bench, path, NULL));
    assert_says(bench, "larger than the 4 MiB");
    assert_true(clock() - before < CLOCKS_PER_SEC / 4);
    assert_false(bench_load(bench, "/dev/zero", NULL));
    assert_says(bench, "larger than the 4 MiB");
    assert_false(bench_load(bench, bench->folder, NULL));
    assert_says(bench, "is a folder");
    assert_false(bench_load(bench, "/tmp/there/is/none.json", NULL));
    assert_says(bench, "can't be read: No such file");
}

/* Many equal keys in one object are found by sorting, not by comparing all with all. */
static void many_keys_take_no_square_time(void **state)
{
    struct bench *bench = *state;
    char *text = malloc(1 << 20);
    assert_non_null(text);
    size_t used = 1;
    text[0] = '{';
    for (uint32_t i = 0; i < 60000; i++) {
        used += (size_t)sprintf(text + used, "%s\"k%u\":1", i == 0 ? "" : ",", i % 59999);
    }
    text[used++] = '}';
    clock_t before = clock();
    assert_false(bench_load(bench, bench_bytes(bench, "keys.json", text, used), NULL));
    assert_true(clock() - before < 10 * CLOCKS_PER_SEC);
    assert_says(bench, "$.k0: given twice");
    assert_int_equal(bench->problems.count, PROBLEMS_MAX);
    assert_true(bench->problems.dropped > 0);
    free(text);
}

static void contradictions_are_refused(void **state)
{
    static const struct bad cases[] = {
        {"{\"kafka\": {\"replication\": 5}}", "5 copies need as many brokers, and there are 3"},
        {"{\"cassandra\": {\"nodes\": 2}}", "$.cassandra.nodes: 3 copies need as many nodes"},
        {"{\"kafka\": {\"min_insync\": 4}}", "4 copies in sync of 3 can never be"},
        {"{\"population\": {\"connected\": \"200k\"}}", "200000 connected of 100000 users"},
        {"{\"population\": {\"record_size\": {\"mean\": \"100 B\"}}}", "above the floor of 165 B"},
        {"{\"population\": {\"read_delay\": {\"max\": \"10 s\"}}}",
         "max must lie above the median"},
        {"{\"network\": {\"wifi\": {\"share\": 1}}}", "make 150%, not 100%"},
        {"{\"run\": {\"sample_interval\": \"1 h\"}}", "longer than the run itself"},
        {"{\"run\": {\"contents\": true, \"fidelity\": \"1%\"}}", "fidelity must be 100%"},
        {"{\"population\": {\"group_size\": {\"mean\": 5000}}}", "above the largest of 1024"},
        {"{\"client\": {\"reconnect_first\": \"2 min\"}}", "longer than the longest"},
    };
    REFUSE(*state, cases);
}

static void references_to_nothing_are_refused(void **state)
{
    static const struct bad cases[] = {
        {"{\"faults\": [{\"kind\": \"kill\", \"tier\": \"gateway\", \"index\": 7}]}",
         "$.faults[0].index: there are 3 gateway nodes, counted from 0; no node 7"},
        {"{\"faults\": [{\"kind\": \"kill\", \"tier\": \"kafka\", \"count\": 9}]}",
         "9 kafka nodes"},
        {"{\"faults\": [{\"kind\": \"zone\", \"zone\": 3}]}", "there are 3 zones"},
        {"{\"faults\": [{\"kind\": \"kill\", \"tier\": \"redis\", \"index\": 1, \"zone\": 2}]}",
         "redis 1 stands in zone 1, not 2"},
        {"{\"faults\": [{\"kind\": \"zone\"}]}", "which zone?"},
        {"{\"faults\": [{\"kind\": \"kill\"}]}", "which tier?"},
        {"{\"faults\": [{\"tier\": \"kafka\"}]}", ":1:13: $.faults[0].kind: must be given"},
        {"{\"faults\": [{\"kind\": \"skew\", \"tier\": \"redis\"}]}", "by how much?"},
        {"{\"faults\": [{\"kind\": \"kill\", \"tier\": \"redis\", \"at\": \"1 h\"}]}", "is over"},
        {"{\"random_faults\": [{\"kind\": \"zone\", \"tier\": \"kafka\"}]}", "kill, slow, pause"},
        {"{\"claims\": [{\"id\": \"connections\"}]}", "$.claims[0].value: must be given"},
        {"{\"claims\": [{\"id\": \"A\", \"value\": \"1\"}]}", "small letters"},
        {"{\"claims\": [{\"id\": \"connections\", \"value\": \"1\"}, {\"id\": \"connections\", "
         "\"value\": \"2\"}]}",
         "claimed already, by element 0"},
        {"{\"claims\": [{\"id\": \"kafka_broker\", \"value\": \"1\"}]}",
         ":1:20: $.claims[0].id: nobody can judge this claim; did you mean \"kafka_brokers\"?"},
        {"{\"claims\": [{\"id\": \"zzzzzzzzzz\", \"value\": \"1\"}]}", "docs/verdicts.md lists"},
        {"{\"claims\": [{\"id\": \"storage_per_day\", \"value\": \"20 s\"}]}",
         "$.claims[0].value: \"20 s\" is not"},
        {"{\"claims\": [{\"id\": \"connections\", \"value\": \"0\"}]}", "a claim of nothing"},
        {"{\"claims\": [{\"id\": \"delivery_latency\", \"value\": \"1 s\", \"at\": \"p98\"}]}",
         "did you mean \"p90\"?"},
        {"{\"budgets\": [\"fast\"]}", "$.budgets[0]: a budget is a metric"},
        {"{\"budgets\": [\"< 3\"]}", "a budget is a metric"},
        {"{\"budgets\": [\"online <\"]}", "a budget is a metric"},
        {"{\"budgets\": [\"online = 3\"]}", "a budget is a metric"},
        {"{\"budgets\": [\"delivery.p9 < 1 s\"]}",
         ":1:14: $.budgets[0]: unknown metric \"delivery.p9\"; did you mean \"delivery.p90\"?"},
        {"{\"budgets\": [\"happiness > 9\"]}", "unknown metric \"happiness\""},
        {"{\"budgets\": [\"delivery.p99 < 100\"]}", "\"100\" is not a duration"},
        {"{\"budgets\": [\"gateway.cpu < 3 GB\"]}", "\"3 GB\" is not"},
        {"{\"run\": {\"undecided\": \"passes\"}}", "did you mean \"pass\"?"},
        {"{\"extends\": \"none.json\"}", "none.json\", which can't be read: No such file"},
        {"{\"extends\": 3}", "the name of a scenario file is expected"},
        {"{\"population\": {\"trace\": {\"file\": \"none.txt\"}}}",
         "$.population.trace.file: the trace"},
    };
    REFUSE(*state, cases);
}

static void memory_stays_bounded(void **state)
{
    (void)state;
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    assert_true(usage.ru_maxrss < 1 << 20); /* KiB: of all tests above, with sanitizers too. */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_not_json_is_refused, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(utf8_must_be_valid, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(numbers_must_fit, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(units_must_be_right, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(names_must_be_known, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(keys_must_be_unique, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(all_faults_are_listed, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(nesting_and_size_are_bounded, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_huge_file_costs_nothing, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(many_keys_take_no_square_time, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(contradictions_are_refused, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(references_to_nothing_are_refused, bench_setup,
                                        bench_teardown),
        cmocka_unit_test(memory_stays_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
