#include "reports/result_json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <unistd.h>

#include "reports/writer.h"
#include "tests/unit/test_judged.h"
#include "tests/unit/test_result.h"

static const struct result_facts facts = {
    .plan_hash = 0x123456789abcdefu,
    .plan_json = "{\n\t\"name\":\t\"made-up\",\n\t\"list\":\t[1, 2]\n}",
    .overrides = (const char *const[]){"kafka.brokers=30"},
    .override_count = 1,
    .repeat = "chatscale run made-up.json",
    .started_unix_s = 1700000000,
    .processor_count = 2,
};

/* Not inlined: gcc 12 then takes what open_memstream() made for a dangling pointer. */
__attribute__((noinline)) static char *written(const struct result *result,
                                               const struct result_facts *known)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    assert_true(result_json_write(stream, result, known));
    assert_int_equal(fclose(stream), 0);
    return text;
}

static cJSON *parsed(const struct result *result)
{
    char *text = written(result, &facts);
    cJSON *root = cJSON_ParseWithOpts(text, NULL, true);
    assert_non_null(root);
    free(text);
    return root;
}

/* "a.b.2.c": members by name, elements by number. */
static const cJSON *at(const cJSON *root, const char *path)
{
    char part[64];
    while (root != NULL && *path != '\0') {
        size_t length = strcspn(path, "/");
        snprintf(part, sizeof part, "%.*s", (int)length, path);
        root = cJSON_IsArray(root) ? cJSON_GetArrayItem(root, atoi(part))
                                   : cJSON_GetObjectItemCaseSensitive(root, part);
        path += length + (path[length] == '/');
    }
    return root;
}

static void assert_number(const cJSON *root, const char *path, double expected)
{
    const cJSON *item = at(root, path);
    assert_true(cJSON_IsNumber(item));
    assert_true(item->valuedouble == expected);
}

static void assert_text(const cJSON *root, const char *path, const char *expected)
{
    const cJSON *item = at(root, path);
    assert_true(cJSON_IsString(item));
    assert_string_equal(item->valuestring, expected);
}

static void every_figure_stands_where_the_schema_says(void **state)
{
    struct result *result = *state;
    result->finding_count = 1;
    result->findings[0] = (struct result_finding){4, MADE_DISK_SPACE, 1.2};
    cJSON *root = parsed(result);
    assert_text(root, "format", "chatscale-result");
    assert_number(root, "version", 2);
    assert_text(root, "scenario/variant", "sticky");
    assert_text(root, "scenario/hash", "0123456789abcdef");
    assert_text(root, "scenario/overrides/0", "kafka.brokers=30");
    assert_number(root, "scenario/plan/list/1", 2);
    assert_text(root, "run/seed", "18446744073709551615");
    assert_number(root, "measured/events", 123456789);
    assert_text(root, "binding/tier", "cassandra");
    assert_text(root, "binding/resource", "cpu");
    assert_number(root, "binding/utilization", 0.63);
    assert_text(root, "findings/0/tier", "cassandra");
    assert_text(root, "findings/0/resource", "disk_space");
    assert_number(root, "findings/0/utilization", 1.2);
    assert_number(root, "unfinished/messages", 312345);
    assert_text(root, "stages/1/name", "delivery");
    assert_number(root, "stages/1/p99/value", 41.5e6 * 4);
    assert_number(root, "stages/1/p99/low", 41.5e6 * 4 * 0.9);
    assert_text(root, "stages/1/p99/unit", "ns");
    assert_number(root, "stages/1/cdf/95", 1);
    assert_number(root, "counters/2/per_s", 3499000);
    assert_text(root, "tiers/4/name", "cassandra");
    assert_number(root, "tiers/4/resources/0/utilization_max", 0.93);
    assert_number(root, "tiers/4/series/cpu_mean/2", 0.25);
    assert_text(root, "host/started", "2023-11-14T22:13:20Z");
    assert_text(root, "host/scheduler", "windows");
    cJSON_Delete(root);
}

static void what_is_not_known_is_null(void **state)
{
    struct result *result = *state;
    made_plan(result)->variant[0] = '\0';
    result->unfinished_growth_per_s = NAN;
    result->binding_resource = 7;
    cJSON *root = parsed(result);
    assert_true(cJSON_IsNull(at(root, "scenario/variant")));
    assert_true(cJSON_IsNull(at(root, "stages/3/p99")));
    assert_true(cJSON_IsNull(at(root, "stages/3/max_ns")));
    assert_int_equal(cJSON_GetArraySize(at(root, "stages/3/cdf")), 0);
    assert_true(cJSON_IsNull(at(root, "stages/1/p99.99/low")));
    assert_true(cJSON_IsNumber(at(root, "stages/1/p99.99/value")));
    assert_true(cJSON_IsNull(at(root, "unfinished/growth_per_s")));
    assert_true(cJSON_IsNull(at(root, "binding")));
    assert_true(cJSON_IsNull(at(root, "judge")));
    cJSON_Delete(root);
}

static void a_judged_run_says_what_was_found(void **state)
{
    struct result *result = *state;
    result->judged = true;
    result->violation_count = 20;
    result->violation_words_count = 2;
    snprintf(result->violations[0], sizeof result->violations[0], "guarantee 2: \"lost\"");
    snprintf(result->violations[1], sizeof result->violations[1], "cut in \xC3");
    result->judged_acked = 9007199254740993u;
    char *text = written(result, &facts);
    assert_non_null(strstr(text, "\"violations\": 20,"));
    assert_non_null(strstr(text, "\"guarantee 2: \\\"lost\\\"\","));
    assert_non_null(strstr(text, "\"cut in \xEF\xBF\xBD\""));
    assert_non_null(strstr(text, "\"acked\": 9007199254740993,"));
    free(text);
}

static void only_host_knows_the_machine(void **state)
{
    struct result *result = *state;
    char *one = written(result, &facts);
    struct result_facts other = facts;
    other.repeat = "elsewhere";
    other.started_unix_s = 1;
    other.processor_count = 96;
    memset(&result->host, 0x3f, sizeof result->host);
    result->host.plain = true;
    char *two = written(result, &other);
    size_t host = (size_t)(strstr(one, "  \"host\": {") - one);
    assert_memory_equal(one, two, host);
    assert_string_not_equal(one + host, two + host);
    free(one);
    free(two);
}

static void numbers_are_the_shortest_that_read_back(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},           {0.1, "0.1"},       {1.0 / 3, "0.3333333333333333"},
                 {3.5e6, "3500000"}, {1e300, "1e+300"},  {5e-324, "4.94065645841247e-324"},
                 {-2.5, "-2.5"},     {INFINITY, "null"}, {NAN, "null"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64] = "";
        FILE *stream = fmemopen(text, sizeof text, "w");
        struct writer writer;
        writer_init(&writer, stream);
        writer_real(&writer, NULL, cases[i].value);
        fclose(stream);
        assert_string_equal(text, cases[i].text);
    }
    char text[256] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");
    struct writer writer;
    writer_init(&writer, stream);
    writer_floats(&writer, NULL, (const float[]){0.1f, 16777216.0f, 1e-7f, NAN}, 4);
    fclose(stream);
    assert_string_equal(text, "[0.1, 16777216, 1e-07, null]");
}

static void text_is_valid_whatever_came(void **state)
{
    (void)state;
    char text[256] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");
    struct writer writer;
    writer_init(&writer, stream);
    writer_text(&writer, NULL, "a\"\\\n\x01\x7f \xC3\xA9 \xC0\xAF \xED\xA0\x80 \xF5 \xE2\x82");
    fclose(stream);
    assert_string_equal(text, "\"a\\\"\\\\\\n\\u0001\\u007f \xC3\xA9 \xEF\xBF\xBD\xEF\xBF\xBD "
                              "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD "
                              "\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void a_full_disk_is_an_error(void **state)
{
    FILE *full = fopen("/dev/full", "w");
    if (full == NULL) {
        skip();
    }
    assert_false(result_json_write(full, *state, &facts));
    fclose(full);
}

/* Held to reports/result.schema.json by python3-jsonschema, where there is one. */
static void it_keeps_its_schema(void **state)
{
    struct result *result = *state;
    if (system("/usr/bin/python3 -c 'import jsonschema' 2>/dev/null") != 0) {
        skip();
    }
    static const char *const check =
        "import json, sys, jsonschema\n"
        "schema = json.load(open(sys.argv[1]))\n"
        "jsonschema.Draft202012Validator.check_schema(schema)\n"
        "jsonschema.Draft202012Validator(schema).validate(json.load(open(sys.argv[2])))\n";
    for (int judged = 0; judged < 2; judged++) {
        char path[] = "/tmp/chatscale-result-XXXXXX";
        int file = mkstemp(path);
        assert_true(file >= 0);
        FILE *stream = fdopen(file, "w");
        result->judged = judged == 1;
        result->finding_count = (uint32_t)judged;
        result->findings[0] = (struct result_finding){4, MADE_DISK_SPACE, 1.2};
        struct verdicts *verdicts = made_verdicts(result);
        struct budget_outcomes budgets;
        struct result_facts all = facts;
        made_budgets(result, &budgets);
        all.verdicts = judged == 1 ? verdicts : NULL;
        all.budgets = judged == 1 ? &budgets : NULL;
        assert_true(result_json_write(stream, result, &all));
        fclose(stream);
        free(verdicts);
        char command[1024];
        snprintf(command, sizeof command, "/usr/bin/python3 -c '%s' %s %s", check,
                 RESULT_JSON_SCHEMA_FILE, path);
        int status = system(command);
        unlink(path);
        assert_int_equal(status, 0);
    }
}

static void verdicts_and_budgets_are_told_with_their_figures(void **state)
{
    struct result *result = *state;
    struct verdicts *verdicts = made_verdicts(result);
    struct budget_outcomes budgets;
    struct result_facts all = facts;
    made_budgets(result, &budgets);
    all.verdicts = verdicts;
    all.budgets = &budgets;
    char *text = written(result, &all);
    cJSON *root = cJSON_ParseWithOpts(text, NULL, true);
    assert_non_null(root);
    assert_text(root, "claims/0/id", "kafka_brokers");
    assert_text(root, "claims/0/kind", "capacity");
    assert_text(root, "claims/0/verdict", "fails");
    assert_number(root, "claims/0/claimed/value", 20);
    assert_number(root, "claims/0/would_hold/value", 48);
    assert_text(root, "claims/0/overrides/0", "kafka.brokers=48");
    assert_number(root, "claims/0/analytic/value", 1.34);
    assert_true(cJSON_IsNull(at(root, "claims/0/simulated")));
    assert_text(root, "claims/0/check", "holds");
    assert_true(cJSON_IsNull(at(root, "claims/1/found/value")));
    assert_true(cJSON_IsTrue(at(root, "check/keeps_up")));
    assert_text(root, "budgets/0/status", "undecided");
    assert_number(root, "budgets/0/value", 166e6);
    assert_number(root, "budgets/0/limit", 170e6);
    assert_number(root, "budgets/0/margin", 4e6);
    assert_text(root, "budgets/1/status", "no data");
    assert_true(cJSON_IsNull(at(root, "budgets/1/value")));
    cJSON_Delete(root);
    free(text);
    free(verdicts);
}

static void parts_are_found_by_name(void **state)
{
    struct result *result = *state;
    assert_ptr_equal(result_stage(result, "delivery"), &result->stages[1]);
    assert_null(result_stage(result, "deliver"));
    assert_ptr_equal(result_counter(result, "messages_acked"), &result->counters[2]);
    assert_null(result_counter(result, ""));
    assert_ptr_equal(result_tier(result, "kafka"), &result->tiers[3]);
    assert_null(result_tier(result, "client"));
    result_free(result); /* Twice does no harm: the teardown is the second. */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, made_setup, made_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_figure_stands_where_the_schema_says),
        TEST(what_is_not_known_is_null),
        TEST(a_judged_run_says_what_was_found),
        TEST(only_host_knows_the_machine),
        TEST(a_full_disk_is_an_error),
        TEST(it_keeps_its_schema),
        TEST(verdicts_and_budgets_are_told_with_their_figures),
        TEST(parts_are_found_by_name),
        cmocka_unit_test(numbers_are_the_shortest_that_read_back),
        cmocka_unit_test(text_is_valid_whatever_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
