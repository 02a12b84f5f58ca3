/* Loading: layers, variants, overrides, lists, and every scenario that is shipped. */
#include "tests/unit/test_scenario.h"

#include <glob.h>
#include <math.h>

#include "scenarios/schema.h"
#include "scenarios/table.h"

static void a_scenario_sets_what_it_says(void **state)
{
    struct bench *bench = *state;
    assert_loads(
        bench,
        "{\"$schema\": \"x\", \"name\": \"mine\", \"level\": 4,\n"
        " \"kafka\": {\"about\": \"why\", \"brokers\": 20, \"nic\": \"1 Gbps\"},\n"
        " \"population\": {\"message_rate\": \"3.5M/s\", \"users\": \"100M\"},\n"
        " \"network\": {\"wifi\": {\"rtt\": {\"law\": \"constant\", \"median\": \"8 ms\"}}}}",
        NULL);
    const struct plan *p = &bench->plan;
    assert_string_equal(p->name, "mine");
    assert_string_equal(p->variant, "");
    assert_int_equal(p->level, 4);
    assert_int_equal(p->kafka.brokers, 20);
    assert_int_equal(p->kafka.nic_bytes_per_s, 125000000);
    assert_true(p->population.message_rate_per_s == 3.5e6);
    assert_int_equal(p->network.access[PLAN_ACCESS_WIFI].rtt.kind, PLAN_LAW_CONSTANT);
    assert_true(p->network.access[PLAN_ACCESS_WIFI].rtt.mean == 8e6);
    assert_int_equal(p->kafka.replication, 3); /* And the rest is as it was. */
    assert_int_equal(bench->problems.error_count, 0);
}

static void laws_are_complete(void **state)
{
    struct bench *bench = *state;
    assert_loads(
        bench,
        "{\"population\": {\"record_size\": {\"mean\": \"265 B\", \"sigma\": 0.5},"
        "\"read_delay\": {\"law\": \"exponential\", \"median\": \"10 s\", \"floor\": \"1 s\"}}}",
        NULL);
    const struct plan_law *size = &bench->plan.population.record_size;
    assert_true(fabs(size->median - (165.0 + 100.0 * exp(-0.125))) < 1e-9);
    const struct plan_law *delay = &bench->plan.population.read_delay;
    assert_true(fabs(delay->mean - (1e9 + 9e9 / log(2.0))) < 1.0);
    struct plan_law uniform = {.kind = PLAN_LAW_UNIFORM, .floor = 2.0, .mean = 5.0};
    plan_law_complete(&uniform, true);
    assert_true(uniform.median == 5.0);
    assert_true(plan_law_least(&uniform) == 2.0);
}

static void derived_quantities_are_by_hand(void **state)
{
    struct bench *bench = *state;
    assert_loads(
        bench,
        "{\"population\": {\"users\": 1000, \"connected\": 200, \"devices_per_user\": 1.5,"
        "\"connection_life\": \"100 s\", \"message_rate\": \"30/s\", \"peak_factor\": 3,"
        "\"group_share\": 0.5, \"group_size\": {\"mean\": 11}}, \"network\": {\"zones\": 2}}",
        NULL);
    const struct plan *p = &bench->plan;
    assert_true(plan_group_recipients(p) == 10.0);
    assert_true(plan_recipients(p) == 5.5);
    assert_true(plan_message_rate_mean_per_s(p) == 10.0);
    assert_true(plan_logins_per_s(p) == 3.0);
    assert_int_equal(plan_offline_life_ns(p), 400000000000);
    assert_int_equal(plan_lookahead_ns(p), 100000);
    assert_int_equal(plan_zone_of(p, 3), 1);
    assert_int_equal(plan_tier_nodes(p, PLAN_TIER_REDIS), 3);
    assert_string_equal(plan_tier_name(PLAN_TIER_CASSANDRA), "cassandra");
}

static void extends_goes_under(void **state)
{
    struct bench *bench = *state;
    bench_file(bench, "bottom.json",
               "{\"kafka\": {\"brokers\": 5, \"partitions\": 7}, \"redis\": {\"shards\": 9},"
               " \"faults\": [{\"kind\": \"kill\", \"tier\": \"redis\"},"
               "              {\"kind\": \"pause\", \"tier\": \"redis\"}]}");
    bench_file(bench, "middle.json", "{\"extends\": \"bottom.json\", \"kafka\": {\"brokers\": 6}}");
    assert_loads(bench,
                 "{\"extends\": \"middle.json\", \"redis\": {\"replicas\": 2},"
                 " \"faults\": [{\"kind\": \"slow\", \"tier\": \"kafka\"}]}",
                 NULL);
    const struct plan *p = &bench->plan;
    assert_int_equal(p->kafka.brokers, 6);
    assert_int_equal(p->kafka.partitions, 7);
    assert_int_equal(p->redis.shards, 9);
    assert_int_equal(p->redis.replicas, 2);
    assert_int_equal(p->fault_count, 1); /* A list is replaced as a whole. */
    assert_int_equal(p->faults[0].kind, PLAN_FAULT_SLOW);
    assert_int_equal(p->faults[0].tier, PLAN_TIER_KAFKA);
    assert_string_equal(p->name, "s");
}

static void a_fault_below_is_named_there(void **state)
{
    struct bench *bench = *state;
    bench_file(bench, "bottom.json", "{\n \"kafka\": {\"replication\": 4}}");
    assert_refused(bench, "{\"extends\": \"bottom.json\", \"lvel\": 1}",
                   "/bottom.json:2:27: $.kafka.replication: 4 copies");
    assert_says(bench, "/s.json:1:28: $.lvel: unknown field");
    bench_file(bench, "bottom.json", "{");
    assert_refused(bench, "{\"extends\": \"bottom.json\", \"lvel\": 1}", "/bottom.json:1:2");
    assert_says(bench, "$.lvel: unknown field");
    /* A list set anew says nothing about the fields of the one below. */
    bench_file(bench, "bottom.json", "{\"faults\": [{\"kind\": \"kill\", \"tier\": \"redis\"}]}");
    assert_refused(bench, "{\"extends\": \"bottom.json\", \"faults\": [{\"tier\": \"redis\"}]}",
                   "s.json:1:39: $.faults[0].kind: must be given");
}

static void circles_and_long_chains_are_refused(void **state)
{
    struct bench *bench = *state;
    assert_refused(bench, "{\"extends\": \"s.json\"}", ":1:13: $.extends: extends");
    assert_says(bench, "a circle");
    bench_file(bench, "a.json", "{\"extends\": \"./s.json\"}");
    assert_refused(bench, "{\"extends\": \"a.json\"}", "/a.json:1:13: $.extends: extends");
    assert_says(bench, "a circle");
    for (uint32_t i = 0; i < 12; i++) {
        char name[16];
        char text[64];
        snprintf(name, sizeof name, "c%u.json", i);
        snprintf(text, sizeof text, "{\"extends\": \"c%u.json\"}", i + 1);
        bench_file(bench, name, text);
    }
    assert_refused(bench, "{\"extends\": \"c0.json\"}", "a chain of more than 8 files");
}

static void overrides_come_last(void **state)
{
    struct bench *bench = *state;
    static const char text[] = "{\"kafka\": {\"brokers\": 5}, \"population\": {\"read_share\": 1},"
                               " \"faults\": [{\"kind\": \"kill\", \"tier\": \"redis\"}]}";
    assert_loads(bench, text, "kafka.brokers=30");
    assert_int_equal(bench->plan.kafka.brokers, 30);
    assert_loads(bench, text, "population.message_rate=1M/min");
    assert_true(bench->plan.population.message_rate_per_s == 1e6 / 60.0);
    assert_loads(bench, text, "routing=kafka");
    assert_int_equal(bench->plan.routing, PLAN_ROUTING_KAFKA);
    assert_loads(bench, text, "run.contents=true");
    assert_true(bench->plan.run.contents);
    assert_loads(bench, text, "faults[0].at=3 s");
    assert_int_equal(bench->plan.faults[0].at_ns, 3000000000);
    assert_loads(bench, text, "name=other");
    assert_string_equal(bench->plan.name, "other");
}

static void bad_overrides_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"kafka.brokrs=30", "--set kafka.brokrs=30: $.kafka.brokrs: unknown field; did you mean "
                            "\"kafka.brokers\"?"},
        {"brokers=30", "did you mean \"kafka.brokers\"?"},
        {"kafka=3", "names a whole section"},
        {"kafka.brokers=0", "--set kafka.brokers=0: $.kafka.brokers: \"0\" is too small"},
        {"kafka.brokers=2", "--set kafka.brokers=2: $.kafka.brokers: 3 copies need"},
        {"kafka.brokers", "an override is a field, = and a value"},
        {"=3", "an override is a field, = and a value"},
        {"faults[0].at=1 s", "there are 0 faults"},
        {"faults[x].at=1 s", "unknown field"},
        {"faults[99999999999].at=1 s", "unknown field"},
        {"faults[70].at=1 s", "there are 0 faults"},
        {"run.duration=5", "has no unit"},
        {"routing=redi", "did you mean \"redis\"?"},
        {"run.contents=yes", "neither true nor false"},
        {"zzz.yyy.xxx=1", "unknown field"},
    };
    struct bench *bench = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(bench_load(bench, bench_file(bench, "s.json", "{}"), cases[i][0]));
        assert_says(bench, cases[i][1]);
        assert_int_equal(bench->problems.error_count, 1);
    }
}

static void variants_are_plans_of_their_own(void **state)
{
    struct bench *bench = *state;
    bench_file(bench, "base.json",
               "{\"kafka\": {\"brokers\": 9}, \"variants\": [{\"name\": \"old\"}]}");
    const char *path =
        bench_file(bench, "s.json",
                   "{\"extends\": \"base.json\", \"redis\": {\"shards\": 4}, \"variants\": [\n"
                   " {\"name\": \"a\", \"about\": \"one\", \"kafka\": {\"brokers\": 5}},\n"
                   " {\"name\": \"b\", \"routing\": \"sticky\"}]}");
    const char *sets[] = {"kafka.partitions=50"};
    struct scenario *s = scenario_open(path, sets, 1, &bench->problems);
    assert_non_null(s);
    assert_int_equal(scenario_variant_count(s), 2);
    assert_string_equal(scenario_variant_name(s, 1), "b");
    assert_true(scenario_plan(s, 0, &bench->plan, &bench->problems));
    assert_string_equal(bench->plan.name, "s");
    assert_string_equal(bench->plan.variant, "a");
    assert_string_equal(bench->plan.about, "one");
    assert_int_equal(bench->plan.kafka.brokers, 5);
    assert_int_equal(bench->plan.kafka.partitions, 50);
    uint64_t hash = plan_hash(&bench->plan);
    assert_true(scenario_plan(s, 1, &bench->plan, &bench->problems));
    assert_int_equal(bench->plan.kafka.brokers, 9);
    assert_int_equal(bench->plan.redis.shards, 4);
    assert_int_equal(bench->plan.routing, PLAN_ROUTING_STICKY);
    assert_true(plan_hash(&bench->plan) != hash);
    scenario_close(s);
}

static void bad_variants_are_refused(void **state)
{
    struct bench *bench = *state;
    const char *path = bench_file(
        bench, "s.json",
        "{\"lvel\": 1, \"variants\": [{\"name\": \"a\", \"kafka\": {\"brokrs\": 1}},"
        "{\"name\": \"b\", \"extends\": \"x\"}, {\"name\": \"a\"}, {}, 3, {\"name\": \"x/y\"}]}");
    struct scenario *s = scenario_open(path, NULL, 0, &bench->problems);
    assert_non_null(s);
    assert_int_equal(bench->problems.error_count, 4);
    assert_int_equal(scenario_variant_count(s), 2);
    /* A fault that both share stands once in the list, and still fails both. */
    assert_false(scenario_plan(s, 0, &bench->plan, &bench->problems));
    assert_false(scenario_plan(s, 1, &bench->plan, &bench->problems));
    assert_int_equal(bench->problems.error_count, 7);
    assert_says(bench, "$.variants[0].kafka.brokrs: unknown field; did you mean \"brokers\"?");
    assert_says(bench, "$.variants[1].extends: does not belong here");
    assert_says(bench, "another variant has this name");
    scenario_close(s);
    assert_refused(bench, "{\"variants\": {}}", "a list in [ ] of variants");
    problems_init(&bench->problems);
    path = bench_file(bench, "s.json",
                      "{\"lvel\": 1, \"variants\": [{\"name\": \"a\"}, {\"name\": \"b\"}]}");
    s = scenario_open(path, NULL, 0, &bench->problems);
    assert_int_equal(bench->problems.error_count, 0);
    assert_false(scenario_plan(s, 0, &bench->plan, &bench->problems));
    assert_false(scenario_plan(s, 1, &bench->plan, &bench->problems));
    assert_int_equal(bench->problems.error_count, 1);
    scenario_close(s);
}

static void lists_are_read_in_full(void **state)
{
    struct bench *bench = *state;
    assert_loads(bench,
                 "{\"faults\": [{\"kind\": \"loss\", \"tier\": \"client\", \"loss\": \"20%\"},\n"
                 "  {\"kind\": \"skew\", \"tier\": \"gateway\", \"index\": 2, \"skew\": \"-3 s\","
                 "   \"at\": \"1 s\", \"duration\": \"2 s\"},\n"
                 "  {\"kind\": \"partition\", \"zone\": 1}],\n"
                 " \"random_faults\": [{\"tier\": \"cassandra\"}],\n"
                 " \"claims\": [{\"id\": \"connections\", \"value\": \"50M\"}],\n"
                 " \"budgets\": [\"delivery.p99 < 100 ms\"]}",
                 NULL);
    const struct plan *p = &bench->plan;
    assert_int_equal(p->fault_count, 3);
    assert_true(p->faults[0].loss == 0.2);
    assert_int_equal(p->faults[0].index, PLAN_ANY);
    assert_int_equal(p->faults[0].count, 1);
    assert_int_equal(p->faults[1].index, 2);
    assert_int_equal(p->faults[1].skew_ns, -3000000000);
    assert_int_equal(p->faults[1].at_ns, 1000000000);
    assert_int_equal(p->faults[1].duration_ns, 2000000000);
    assert_int_equal(p->faults[2].tier, PLAN_TIER_ALL);
    assert_int_equal(p->faults[2].zone, 1);
    assert_int_equal(p->random_faults[0].kind, PLAN_FAULT_KILL);
    assert_int_equal(p->random_faults[0].mttr_ns, 600000000000);
    assert_string_equal(p->claims[0].id, "connections");
    assert_int_equal(p->claims[0].position.line, 5);
    assert_string_equal(p->budgets[0].text, "delivery.p99 < 100 ms");
    assert_int_equal(p->budgets[0].position.line, 6);
    assert_int_equal(p->budgets[0].position.column, 14);
    assert_true(p->claims[0].figure == 50e6);
    assert_int_equal(p->claims[0].at, PLAN_AT_P99);
    assert_string_equal(p->budgets[0].metric, "delivery.p99");
    assert_int_equal(p->budgets[0].compare, PLAN_LESS);
    assert_true(p->budgets[0].limit == 100e6);
}

static void budgets_are_taken_apart_in_the_unit_of_their_metric(void **state)
{
    struct bench *bench = *state;
    assert_loads(bench,
                 "{\"budgets\": [\"gateway.cpu<=70%\", \" messages_acked.rate >= 3.5M/s \","
                 " \"kafka.disk_space.total > 1 TB\", \"unfinished<10\"]}",
                 NULL);
    const struct plan_budget *b = bench->plan.budgets;
    assert_string_equal(b[0].metric, "gateway.cpu");
    assert_int_equal(b[0].compare, PLAN_AT_MOST);
    assert_true(b[0].limit == 0.7);
    assert_string_equal(b[1].metric, "messages_acked.rate");
    assert_int_equal(b[1].compare, PLAN_AT_LEAST);
    assert_true(b[1].limit == 3.5e6);
    assert_int_equal(b[2].compare, PLAN_MORE);
    assert_true(b[2].limit == 1e12);
    assert_true(b[3].limit == 10);
}

static void lists_are_bounded(void **state)
{
    struct bench *bench = *state;
    static const char *const elements[][2] = {{"faults", "{\"kind\": \"zone\", \"zone\": 0}"},
                                              {"budgets", "\"online > 1\""},
                                              {"random_faults", "{\"tier\": \"kafka\"}"}};
    for (size_t i = 0; i < 3; i++) {
        char text[4096];
        size_t used = (size_t)sprintf(text, "{\"%s\": [", elements[i][0]);
        for (uint32_t e = 0; e < 70; e++) {
            used += (size_t)sprintf(text + used, "%s%s", e == 0 ? "" : ",", elements[i][1]);
        }
        sprintf(text + used, "]}");
        assert_refused(bench, text, i == 2 ? "more than the 16" : "more than the 64");
        assert_int_equal(bench->problems.error_count, 1);
    }
    assert_int_equal(bench->plan.random_fault_count, PLAN_RANDOM_FAULTS_MAX);
}

static void what_is_unwise_is_a_finding(void **state)
{
    struct bench *bench = *state;
    assert_loads(bench,
                 "{\"population\": {\"users\": \"50M\", \"connected\": \"10M\"},"
                 " \"gateway\": {\"memory\": \"1 GB\"}, \"client\": {\"heartbeat\": \"5 min\"}}",
                 NULL);
    assert_int_equal(bench->problems.error_count, 0);
    assert_says(bench, "finding: $.population.connected: 1.2e+07 connections");
    assert_says(bench, "120 servers would do");
    assert_says(bench, "$.gateway.memory");
    assert_says(bench, "forgets a connection before the next beat");
    assert_says(bench, "presence expires between two beats");
}

/* All shipped scenarios load, all variants, and so does each plan written out in full. */
static void every_shipped_scenario_loads(void **state)
{
    struct bench *bench = *state;
    struct plan *again = malloc(sizeof *again);
    assert_non_null(again);
    glob_t found;
    assert_int_equal(glob("scenarios/*.json", 0, NULL, &found), 0);
    uint32_t count = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        if (strcmp(found.gl_pathv[i], SCHEMA_FILE) == 0) {
            continue;
        }
        problems_init(&bench->problems);
        struct scenario *s = scenario_open(found.gl_pathv[i], NULL, 0, &bench->problems);
        assert_non_null(s);
        for (uint32_t v = 0; v < scenario_variant_count(s); v++, count++) {
            bool good = scenario_plan(s, v, &bench->plan, &bench->problems);
            problems_print(&bench->problems, stderr, false);
            assert_true(good);
            assert_true(strlen(bench->plan.about) > 5);
            char *text = plan_text(&bench->plan);
            assert_non_null(text);
            char *trace = strstr(text, "scenarios/data/"); /* Relative to the written file. */
            struct scenario *full =
                scenario_open_text(trace == NULL ? "x/full.json" : "full.json", text, strlen(text),
                                   NULL, 0, &bench->problems);
            assert_non_null(full);
            assert_true(scenario_plan(full, 0, again, &bench->problems));
            assert_true(plan_hash(again) == plan_hash(&bench->plan));
            char *text_again = plan_text(again);
            assert_string_equal(text, text_again);
            free(text);
            free(text_again);
            scenario_close(full);
        }
        scenario_close(s);
    }
    assert_true(count >= 25);
    globfree(&found);
    free(again);
}

/* The figures of the design's table, from the scenario that puts it on trial. */
static void whatsapp_is_the_table(void **state)
{
    struct bench *bench = *state;
    assert_true(bench_load(bench, "scenarios/whatsapp.json", NULL));
    const struct plan *p = &bench->plan;
    assert_int_equal(p->population.connected, 50000000);
    assert_true(p->population.devices_per_user == 1.0);
    assert_true(p->population.message_rate_per_s == 3.5e6);
    assert_true(fabs(plan_message_rate_mean_per_s(p) - 1.16e6) < 1e4);
    assert_true(plan_recipients(p) == 1.0);
    assert_int_equal(p->gateway.servers, 500);
    assert_int_equal(p->kafka.brokers, 20);
    assert_int_equal(p->kafka.nic_bytes_per_s, 125000000);
    assert_int_equal(p->cassandra.nodes, 210);
    assert_int_equal(p->cassandra.disk_bytes, 3000000000000);
    assert_int_equal(p->redis.memory_bytes, 5000000000);
    assert_true(p->population.record_size.mean == 200.0);
    assert_int_equal(p->claim_count, 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_scenario_sets_what_it_says, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(laws_are_complete, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(derived_quantities_are_by_hand, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(extends_goes_under, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_fault_below_is_named_there, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(circles_and_long_chains_are_refused, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(overrides_come_last, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(bad_overrides_are_refused, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(variants_are_plans_of_their_own, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(bad_variants_are_refused, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(lists_are_read_in_full, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(lists_are_bounded, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(budgets_are_taken_apart_in_the_unit_of_their_metric,
                                        bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(what_is_unwise_is_a_finding, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(every_shipped_scenario_loads, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(whatsapp_is_the_table, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
