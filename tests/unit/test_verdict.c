/* verdict: every claim goes both ways, by the numbers of the scenario or of the run. */
#include "reports/verdict.h"

#include <math.h>

#include "scenarios/judged.h"
#include "scenarios/run_judge.h"
#include "tests/unit/test_scenario.h"

/* A result that was made up, of the plan of a scenario that was not. */
struct court {
    struct bench bench;
    struct result result;
    struct verdicts verdicts;
};

static int setup(void **state)
{
    struct court *court = calloc(1, sizeof *court);
    assert_non_null(court);
    *state = court;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void add_stage(struct result *result, const char *name, double mean_ms, double p99_ms)
{
    struct result_stage *stage = &result->stages[result->stage_count++];
    *stage = (struct result_stage){.name = name, .count = 1000000, .max_ns = p99_ms * 2e6};
    double mean_ns = mean_ms * 1e6;
    stage->mean_ns = (struct result_estimate){mean_ns, mean_ns * 0.95, mean_ns * 1.05, true};
    for (uint32_t q = 0; q < RESULT_QUANTILES; q++) {
        double value = q < 3 ? mean_ns : p99_ms * 1e6;
        stage->quantile_ns[q] = (struct result_estimate){value, value * 0.9, value * 1.1, true};
    }
    for (uint32_t i = 0; i < 96; i++) { /* Uniform up to the p99 and a little. */
        double ns = pow(10, 3 + 8.0 * i / 95);
        stage->cdf[i] = (float)fmin(1, ns / (p99_ms * 1e6) * 0.99);
    }
}

static void add_counter(struct result *result, const char *name, double per_s)
{
    result->counters[result->counter_count++] =
        (struct result_counter){.name = name,
                                .measured = (uint64_t)(per_s * 10),
                                .total = (uint64_t)(per_s * 12),
                                .per_s = per_s};
}

/* Ten seconds of a system that keeps up, and whose tiers tell nothing but by formula. */
static void make_result(struct court *court)
{
    static const char *const tiers[RESULT_TIERS] = {"population", "gateway", "fanout", "kafka",
                                                    "cassandra",  "redis",   "push"};
    struct result *result = &court->result;
    const struct plan *plan = &court->bench.plan;
    memset(result, 0, sizeof *result);
    result->plan = plan;
    result->from_ns = 1000000000;
    result->until_ns = 11000000000;
    result->end_ns = 12000000000;
    result->fraction = 1;
    result->events = 1;
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        result->tiers[t].name = tiers[t];
        result->tiers[t].nodes = 10;
    }
    add_counter(result, "messages_sent", plan->population.message_rate_per_s);
    add_counter(result, "messages_acked", plan->population.message_rate_per_s);
    add_counter(result, "deliveries", plan->population.message_rate_per_s * plan_recipients(plan));
}

static void load(struct court *court, const char *claim, const char *fields)
{
    char text[1024];
    snprintf(text, sizeof text, "{\"extends\": \"whatsapp-sized.json\"%s%s, \"claims\": [{%s}]}",
             fields[0] == '\0' ? "" : ", ", fields, claim);
    problems_init(&court->bench.problems);
    struct scenario *scenario = scenario_open_text("scenarios/made-up.json", text, strlen(text),
                                                   NULL, 0, &court->bench.problems);
    assert_non_null(scenario);
    bool good = scenario_plan(scenario, 0, &court->bench.plan, &court->bench.problems);
    scenario_close(scenario);
    if (!good) {
        problems_print(&court->bench.problems, stderr, true);
        fail_msg("%s", text);
    }
    make_result(court);
}

static const struct verdict *judge(struct court *court)
{
    verdicts_judge(&court->result, &court->verdicts);
    assert_int_equal(court->verdicts.count, 1);
    return &court->verdicts.list[0];
}

static const char *id_of(const char *claim, char *id, size_t size)
{
    const char *start = strstr(claim, "\"id\": \"") + strlen("\"id\": \"");
    snprintf(id, size, "%.*s", (int)strcspn(start, "\""), start);
    return id;
}

/* Whoever reads a verdict finds a figure, a reason and a way out in it. */
static void assert_explains_itself(const struct verdict *v)
{
    assert_true(strlen(v->explanation) >= 60);
    assert_true(strlen(v->explanation) < VERDICT_EXPLANATION_SIZE - 1);
    assert_true(strpbrk(v->explanation, "0123456789") != NULL);
    assert_null(strstr(v->explanation, "nan"));
    assert_null(strstr(v->explanation, "inf"));
    if (v->status != VERDICT_HOLDS) {
        assert_true(v->condition[0] != '\0');
    }
    if (v->status == VERDICT_FAILS || v->status == VERDICT_HOLDS_IF) {
        assert_true(v->would_hold_text[0] != '\0' || strstr(v->condition, "interval") != NULL ||
                    strstr(v->condition, "keep up") != NULL);
    }
}

#define C(id, value) "\"id\": \"" id "\", \"value\": \"" value "\""
#define AVERAGE ", \"at\": \"average\""
#define POLL "\"client\": {\"transport\": \"polling\", \"poll_interval\": "
#define LONG "\"client\": {\"transport\": \"long_polling\", "

/* The claim, fields over whatsapp-sized.json, and what becomes of it. */
static const struct {
    const char *claim;
    const char *fields;
    enum verdict_status status;
} trials[] = {
    {C("connections", "50M"), "", VERDICT_HOLDS},
    {C("connections", "50M"), "\"gateway\": {\"servers\": 500}", VERDICT_HOLDS_IF},
    {C("connections", "50M"), "\"gateway\": {\"servers\": 400}", VERDICT_FAILS},
    {C("connections", "50M"), "\"gateway\": {\"memory\": \"512 MiB\"}", VERDICT_FAILS},
    {C("chat_servers", "750"), "", VERDICT_HOLDS},
    {C("chat_servers", "500"), "", VERDICT_HOLDS_IF},
    {C("chat_servers", "500"), "\"gateway\": {\"connections_max\": \"65k\"}", VERDICT_FAILS},
    {C("msg_rate_avg", "1.16M/s"), "", VERDICT_HOLDS},
    {C("msg_rate_avg", "1.16M/s"), "\"population\": {\"peak_factor\": 2}", VERDICT_FAILS},
    {C("msg_rate_peak", "3.5M/s"), "", VERDICT_HOLDS},
    {C("msg_rate_peak", "3.5M/s"), "\"cassandra\": {\"nodes\": 2700}", VERDICT_HOLDS_IF},
    {C("msg_rate_peak", "3.5M/s"), "\"cassandra\": {\"nodes\": 2000}", VERDICT_FAILS},
    {C("msg_rate_peak", "3.5M/s"), "\"population\": {\"message_rate\": \"1M/s\"}", VERDICT_FAILS},
    {C("storage_per_day", "20 TB"), "", VERDICT_FAILS},
    {C("storage_per_day", "20 TB"), "\"population\": {\"message_rate\": \"1.8M/s\"}",
     VERDICT_HOLDS},
    {C("storage_per_year", "22 PB"), "", VERDICT_FAILS},
    {C("storage_per_year", "22 PB"), "\"cassandra\": {\"replication\": 1}", VERDICT_HOLDS},
    {C("kafka_throughput", "700 MB/s"), "", VERDICT_FAILS},
    {C("kafka_throughput", "700 MB/s"), "\"population\": {\"message_rate\": \"2M/s\"}",
     VERDICT_HOLDS},
    {C("kafka_brokers", "20"), "\"kafka\": {\"nic\": \"1 Gbps\"}", VERDICT_FAILS},
    {C("kafka_brokers", "30"), "\"kafka\": {\"nic\": \"1 Gbps\"}", VERDICT_HOLDS_IF},
    {C("kafka_brokers", "40"), "\"kafka\": {\"nic\": \"1 Gbps\"}", VERDICT_HOLDS},
    {C("kafka_retention", "1.2 PB"), "", VERDICT_HOLDS},
    {C("kafka_retention", "1.2 PB"), "\"kafka\": {\"retention\": \"30 d\"}", VERDICT_FAILS},
    {C("presence_memory", "5 GB"), "", VERDICT_FAILS},
    {C("presence_memory", "5 GB"), "\"population\": {\"connected\": \"10M\"}", VERDICT_HOLDS},
    {C("cassandra_writes", "10.5M/s"), "", VERDICT_FAILS},
    {C("cassandra_writes", "10.5M/s"), "\"population\": {\"message_rate\": \"700k/s\"}",
     VERDICT_HOLDS},
    {C("cassandra_nodes", "210"), "", VERDICT_FAILS},
    {C("cassandra_nodes", "3000"), "", VERDICT_HOLDS},
    {C("cassandra_nodes", "2500"), "", VERDICT_HOLDS_IF},
    {C("cassandra_nodes", "3000"), "\"cassandra\": {\"cores\": 16}", VERDICT_FAILS},
    {C("cassandra_capacity", "630 TB"), "", VERDICT_FAILS},
    {C("cassandra_capacity", "630 TB"), "\"cassandra\": {\"retention\": \"2 d\"}", VERDICT_HOLDS},
    {C("group_fanout", "8.3M/s"), "", VERDICT_FAILS},
    {C("group_fanout", "3.5M/s"), "", VERDICT_HOLDS},
    {C("snowflake_lifetime", "69 years"), "", VERDICT_HOLDS},
    {C("snowflake_lifetime", "70 years"), "", VERDICT_FAILS},
    {C("snowflake_rate", "4096"), "", VERDICT_HOLDS},
    {C("snowflake_rate", "8192"), "", VERDICT_FAILS},
    {C("snowflake_rate", "4096"),
     "\"population\": {\"message_rate\": \"1B/s\"}, \"gateway\": {\"servers\": 10}", VERDICT_FAILS},
    {C("snowflake_formula", "x"), "\"gateway\": {\"servers\": 244}", VERDICT_HOLDS},
    {C("snowflake_formula", "x"), "\"gateway\": {\"servers\": 245}", VERDICT_FAILS},
    {C("polling_requests", "10M/s"), POLL "\"5 s\"}", VERDICT_HOLDS},
    {C("polling_requests", "10M/s"), POLL "\"1 s\"}", VERDICT_FAILS},
    {C("polling_requests", "10M/s"), POLL "\"50 s\"}", VERDICT_FAILS},
    {C("polling_requests", "10M/s"), "", VERDICT_UNKNOWN},
    {C("polling_latency", "2.5 s") AVERAGE, POLL "\"5 s\"}", VERDICT_HOLDS},
    {C("polling_latency", "2.5 s") AVERAGE, POLL "\"10 s\"}", VERDICT_FAILS},
    {C("polling_latency", "2.5 s"), POLL "\"5 s\"}", VERDICT_FAILS},
    {C("polling_waste", "99%"), POLL "\"5 s\"}", VERDICT_FAILS},
    {C("polling_waste", "99%"), POLL "\"10 ms\"}", VERDICT_HOLDS},
    {C("polling_waste", "99%"), POLL "\"1 s\"}", VERDICT_HOLDS_IF},
    {C("long_polling_latency", "100 ms"), LONG "\"poll_check\": \"500 ms\"}", VERDICT_FAILS},
    {C("long_polling_latency", "100 ms") AVERAGE, LONG "\"poll_check\": 0}", VERDICT_HOLDS},
    {C("long_polling_latency", "100 ms"), LONG "\"poll_check\": 0}", VERDICT_UNKNOWN},
    {C("long_polling_waste", "20%"), LONG "\"poll_hold\": \"30 s\"}", VERDICT_FAILS},
    {C("long_polling_waste", "90%"), LONG "\"poll_hold\": \"1 s\"}", VERDICT_HOLDS},
    {C("long_polling_connections", "65000"), LONG "\"poll_hold\": \"30 s\"}", VERDICT_HOLDS_IF},
    {C("long_polling_connections", "65000"),
     LONG "\"poll_hold\": \"30 s\"}, \"gateway\": {\"cores\": 1}", VERDICT_FAILS},
    {C("websocket_latency", "50 ms"), "\"client\": {\"transport\": \"polling\"}", VERDICT_UNKNOWN},
};

static void every_claim_goes_both_ways_by_the_numbers_of_the_scenario(void **state)
{
    struct court *court = *state;
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
        load(court, trials[i].claim, trials[i].fields);
        const struct verdict *v = judge(court);
        if (v->status != trials[i].status) {
            fail_msg("%s with {%s}: %s, not %s: %s", trials[i].claim, trials[i].fields,
                     verdict_status_name(v->status), verdict_status_name(trials[i].status),
                     v->condition);
        }
        if (v->status != VERDICT_UNKNOWN) {
            assert_explains_itself(v);
        }
    }
}

/* Those that only a run decides are tried below. */
static void no_claim_is_left_out_of_these_trials(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < claim_count(); c++) {
        const char *wanted = claim_at(c)->id;
        bool holds = strstr(wanted, "delivery") != NULL || strstr(wanted, "websocket") != NULL;
        bool fails = holds;
        for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
            char id[PLAN_NAME_SIZE];
            bool same = strcmp(id_of(trials[i].claim, id, sizeof id), wanted) == 0;
            holds |=
                same && (trials[i].status == VERDICT_HOLDS || trials[i].status == VERDICT_HOLDS_IF);
            fails |= same && trials[i].status == VERDICT_FAILS;
        }
        if (!holds || !fails) {
            fail_msg("%s is not tried both ways", wanted);
        }
    }
}

static void a_latency_is_judged_by_what_the_run_measured_at_its_percentile(void **state)
{
    static const char *const ids[] = {"delivery_latency", "websocket_latency"};
    struct court *court = *state;
    for (size_t i = 0; i < 2; i++) {
        char claim[96];
        snprintf(claim, sizeof claim, "\"id\": \"%s\", \"value\": \"100 ms\"", ids[i]);
        load(court, claim, "");
        assert_int_equal(judge(court)->status, VERDICT_UNKNOWN); /* Nothing was delivered. */
        add_stage(&court->result, "delivery", 40, 80);
        assert_int_equal(judge(court)->status, VERDICT_HOLDS);
        court->result.stage_count = 0;
        add_stage(&court->result, "delivery", 40, 200);
        assert_int_equal(judge(court)->status, VERDICT_FAILS);
        assert_explains_itself(judge(court));
        assert_non_null(strstr(judge(court)->condition, "p49")); /* Uniform: half are within. */
        assert_true(judge(court)->simulated.value.value == 200e6);
        assert_true(judge(court)->analytic.present);
        court->result.stage_count = 0;
        add_stage(&court->result, "delivery", 40, 99);
        assert_int_equal(judge(court)->status, VERDICT_HOLDS_IF); /* 89 to 109 ms. */
        snprintf(claim, sizeof claim, "\"id\": \"%s\", \"value\": \"100 ms\"" AVERAGE, ids[i]);
        load(court, claim, "");
        add_stage(&court->result, "delivery", 40, 200);
        assert_int_equal(judge(court)->status, VERDICT_HOLDS); /* The average is another matter. */
        court->result.overloaded = true;
        assert_int_equal(judge(court)->status, VERDICT_FAILS);
    }
}

/* -- What the run says counts --------------------------------------------------------------------
 */

static void give_cpu(struct court *court, uint32_t tier, double utilization)
{
    court->result.tiers[tier].resources[0] =
        (struct result_resource){.name = "cpu",
                                 .unit = "share",
                                 .present = true,
                                 .used_mean = utilization,
                                 .used_max = utilization,
                                 .limit = 1,
                                 .utilization_mean = utilization,
                                 .utilization_max = utilization};
}

static void where_a_run_keeps_up_its_own_utilization_decides(void **state)
{
    struct court *court = *state;
    load(court, C("cassandra_nodes", "3000"), "");
    court->result.tiers[4].nodes = 3000;
    give_cpu(court, 4, 0.5);
    const struct verdict *v = judge(court);
    assert_int_equal(v->status, VERDICT_HOLDS);
    assert_true(v->simulated.present && fabs(v->simulated.value.value - 0.5) < 1e-9);
    assert_true(v->analytic.present && v->analytic.value.value > 0.7); /* Side by side. */
    give_cpu(court, 4, 0.9);
    assert_int_equal(judge(court)->status, VERDICT_HOLDS_IF);
    court->result.overloaded = true; /* Then it says nothing of what was asked for. */
    give_cpu(court, 4, 0.1);
    v = judge(court);
    assert_false(v->simulated.present);
    assert_true(v->status == VERDICT_HOLDS);
}

static void a_system_that_does_not_keep_up_carries_no_rate(void **state)
{
    struct court *court = *state;
    load(court, C("msg_rate_peak", "3.5M/s"), "");
    assert_int_equal(judge(court)->status, VERDICT_HOLDS);
    court->result.overloaded = true;
    court->result.unfinished_growth_per_s = 1000;
    assert_int_equal(judge(court)->status, VERDICT_FAILS);
    court->result.partial = true;
    assert_int_equal(judge(court)->status, VERDICT_UNKNOWN);
}

static void what_is_full_in_the_run_binds_before_what_idles_behind_it(void **state)
{
    struct court *court = *state;
    load(court, C("msg_rate_peak", "3.5M/s"),
         "\"cassandra\": {\"nodes\": 300}, \"redis\": {\"shards\": 1}");
    court->result.overloaded = true;
    const struct verdict *v = judge(court);
    assert_int_equal(strncmp(v->condition, "redis cpu binds first", 21), 0);
    give_cpu(court, 4, 0.99);
    give_cpu(court, 5, 0.1);
    v = judge(court);
    assert_int_equal(strncmp(v->condition, "cassandra cpu binds first", 25), 0);
    assert_non_null(strstr(v->condition, "behind it redis cpu"));
}

static void a_sample_stands_for_the_whole(void **state)
{
    struct court *court = *state;
    load(court, C("msg_rate_peak", "3.5M/s"), "");
    court->result.fraction = 0.1;
    court->result.counters[1].per_s = 350000;
    const struct verdict *v = judge(court);
    assert_true(fabs(v->found - 3.5e6) < 1);
}

/* -- What would hold -----------------------------------------------------------------------------
 */

static void what_would_hold_can_be_set_and_then_holds(void **state)
{
    static const char *const claims[] = {
        C("cassandra_nodes", "210"),  C("kafka_brokers", "3"),           C("chat_servers", "100"),
        C("presence_memory", "5 GB"), C("cassandra_capacity", "630 TB"), C("connections", "70M")};
    struct court *court = *state;
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        load(court, claims[i], "");
        enum verdict_status first = judge(court)->status;
        assert_true(first == VERDICT_FAILS || first == VERDICT_HOLDS_IF);
        assert_true(verdicts_need_check(&court->verdicts));
        struct plan *changed = run_check_plan(&court->bench.plan, &court->verdicts);
        if (changed == NULL) {
            fail_msg("%s: %s", claims[i], court->verdicts.check_note);
        }
        struct result again = court->result;
        again.plan = changed;
        verdicts_check(&court->verdicts, &again);
        const struct verdict *v = &court->verdicts.list[0];
        if (v->check != VERDICT_CHECK_HOLDS) {
            fail_msg("%s: %s", claims[i], v->check_text);
        }
        assert_int_equal(v->status, first); /* The claim itself has not changed. */
        free(changed);
    }
}

static void overrides_of_several_claims_are_set_together(void **state)
{
    struct court *court = *state;
    load(court,
         C("cassandra_nodes", "210") "}, {" C("cassandra_capacity",
                                              "630 TB") "}, {" C("msg_rate_peak", "3.5M/s"),
         "\"cassandra\": {\"nodes\": 300}, \"redis\": {\"shards\": 10}");
    verdicts_judge(&court->result, &court->verdicts);
    uint32_t nodes = 0;
    uint32_t shards = 0;
    for (uint32_t i = 0; i < court->verdicts.override_count; i++) {
        nodes += strncmp(court->verdicts.overrides[i].text, "cassandra.nodes=", 16) == 0;
        shards += strncmp(court->verdicts.overrides[i].text, "redis.shards=", 13) == 0;
    }
    assert_int_equal(nodes, 1);
    assert_int_equal(shards, 1);
}

static void arithmetic_needs_no_further_run(void **state)
{
    struct court *court = *state;
    load(court, C("storage_per_day", "20 TB"), "");
    assert_int_equal(judge(court)->status, VERDICT_FAILS);
    assert_false(verdicts_need_check(&court->verdicts));
}

static void a_check_that_fails_is_told_as_such(void **state)
{
    struct court *court = *state;
    load(court, C("msg_rate_peak", "3.5M/s"), "\"cassandra\": {\"nodes\": 2000}");
    assert_int_equal(judge(court)->status, VERDICT_FAILS);
    struct result again = court->result; /* Of the same plan: nothing was set. */
    again.overloaded = true;
    verdicts_check(&court->verdicts, &again);
    assert_int_equal(court->verdicts.list[0].check, VERDICT_CHECK_FAILS);
    assert_non_null(strstr(court->verdicts.list[0].check_text, "does not hold"));
    assert_false(court->verdicts.check_keeps_up);
}

/* -- The page ------------------------------------------------------------------------------------
 */

static void assert_page_names(const char *page, const char *name)
{
    char quoted[METRIC_NAME_SIZE + 2];
    snprintf(quoted, sizeof quoted, "`%s`", name);
    if (strstr(page, quoted) == NULL) {
        fail_msg("docs/verdicts.md has no %s", quoted);
    }
}

static void the_page_names_every_claim_stage_and_counter(void **state)
{
    static const char *const stages[] = {
#define STAGE_NAME(enumerator, text, about) (text),
        RESULT_STAGES(STAGE_NAME)
#undef STAGE_NAME
#define COUNTER_NAME(enumerator, text, about) (text),
            RESULT_COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
    };
    (void)state;
    FILE *file = fopen("docs/verdicts.md", "r");
    assert_non_null(file);
    char *page = calloc(1, 65536);
    assert_non_null(page);
    assert_in_range(fread(page, 1, 65535, file), 1000, 65000);
    fclose(file);
    for (uint32_t i = 0; i < claim_count(); i++) {
        assert_page_names(page, claim_at(i)->id);
    }
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        assert_page_names(page, stages[i]);
    }
    for (uint32_t i = metric_count() - 12; i < metric_count(); i++) { /* The system's. */
        struct metric metric = metric_at(i);
        assert_page_names(page, metric.name);
    }
    free(page);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_claim_goes_both_ways_by_the_numbers_of_the_scenario),
        TEST(no_claim_is_left_out_of_these_trials),
        TEST(a_latency_is_judged_by_what_the_run_measured_at_its_percentile),
        TEST(where_a_run_keeps_up_its_own_utilization_decides),
        TEST(a_system_that_does_not_keep_up_carries_no_rate),
        TEST(what_is_full_in_the_run_binds_before_what_idles_behind_it),
        TEST(a_sample_stands_for_the_whole),
        TEST(what_would_hold_can_be_set_and_then_holds),
        TEST(overrides_of_several_claims_are_set_together),
        TEST(arithmetic_needs_no_further_run),
        TEST(a_check_that_fails_is_told_as_such),
        TEST(the_page_names_every_claim_stage_and_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
