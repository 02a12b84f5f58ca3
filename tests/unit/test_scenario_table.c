/* The table: its defaults are those that the sources give, it is well formed, and what is printed
 * from it is current. */
#include "tests/unit/test_scenario.h"

#include <cjson/cJSON.h>
#include <math.h>

#include "scenarios/nearest.h"
#include "scenarios/schema.h"
#include "scenarios/table.h"

static void assert_law(const struct plan_law *law, double median, double sigma)
{
    assert_int_equal(law->kind, PLAN_LAW_LOGNORMAL);
    assert_true(law->median == median);
    assert_true(law->sigma == sigma);
    assert_true(law->floor < median);
    assert_true(law->mean > median);
}

/* Written down again in SI, from the list of sources and not from the table. */
static void population_defaults_are_the_cited_ones(void **state)
{
    struct bench *bench = *state;
    struct plan *p = &bench->plan;
    table_defaults(p);
    double per_day = p->population.message_rate_per_s * 86400.0 / p->population.peak_factor;
    assert_true(fabs(per_day / (double)p->population.users - 41.0) < 0.5);
    assert_true((double)p->population.connected == 0.32 * (double)p->population.users);
    assert_true(p->population.peak_factor == 1.55);
    assert_true(p->population.group_share == 0.14);
    assert_true(p->population.group_size_mean == 10.0);
    assert_true(p->population.group_size_sigma == 1.0);
    assert_int_equal(p->population.group_size_max, 1024);
    assert_true(fabs(plan_recipients(p) - 2.1) < 0.05);
    assert_true(p->population.devices_per_user == 1.2);
    assert_true(p->population.zipf_s == 1.0);
    assert_int_equal(p->population.connection_life_ns, 640000000000);
    assert_law(&p->population.read_delay, 60e9, 2.0);
    assert_true(p->population.record_size.mean == 200.0);
    assert_int_equal(p->client.transport, PLAN_WEBSOCKET);
    assert_int_equal(p->client.poll_interval_ns, 5000000000);
    assert_int_equal(p->client.poll_hold_ns, 30000000000);
    assert_int_equal(p->client.heartbeat_ns, 30000000000);
    assert_int_equal(p->core.presence_ttl_ns, 75000000000);
    assert_int_equal(p->core.inbox_ttl_ns, 2592000000000000);
    assert_int_equal(p->core.claim_ttl_ns, 604800000000000);
    assert_int_equal(p->core.hybrid_threshold, 1000);
    assert_int_equal(p->core.history_page, 20);
    assert_true(p->push.loss == 0.05);
    assert_true(p->push.quota_per_s == 10000.0);
    assert_law(&p->push.apns_latency, 1e9, 1.2);
    assert_law(&p->push.fcm_latency, 2e9, 1.2);
}

static void network_and_gateway_defaults_are_the_cited_ones(void **state)
{
    struct bench *bench = *state;
    struct plan *p = &bench->plan;
    table_defaults(p);
    assert_law(&p->network.rtt_in_zone, 300000.0, 0.5);
    assert_int_equal(plan_lookahead_ns(p), 100000);
    assert_true(p->network.rtt_between_zones.median == 800000.0);
    assert_law(&p->network.access[PLAN_ACCESS_4G].rtt, 50e6, 0.6);
    assert_law(&p->network.access[PLAN_ACCESS_5G].rtt, 35e6, 0.6);
    assert_law(&p->network.access[PLAN_ACCESS_WIFI].rtt, 20e6, 0.6);
    assert_true(p->network.access[PLAN_ACCESS_4G].loss == 0.003);
    assert_true(p->network.access[PLAN_ACCESS_WIFI].loss == 0.002);
    assert_int_equal(p->network.access[PLAN_ACCESS_4G].wakeup_ns, 75000000);
    assert_int_equal(p->network.handshake_round_trips, 3);
    assert_int_equal(p->network.idle_timeout_ns, 240000000000);
    assert_int_equal(p->network.framing_bytes, 80);
    assert_int_equal(p->gateway.connections_max, 100000);
    assert_int_equal(p->gateway.connection_kernel_bytes, 3000);
    assert_int_equal(p->gateway.connection_user_bytes, 4000);
    assert_int_equal(p->gateway.connection_tls_bytes, 10000);
    assert_int_equal(p->gateway.cpu_idle_ns, 10000);
    assert_int_equal(p->gateway.cpu_handshake_ns, 500000);
    assert_true(p->gateway.tls_share == 0.02);
    /* 40 us a delivered message: send, delivered, read in; ack, message, two receipts out. */
    assert_int_equal(3 * p->gateway.cpu_frame_in_ns + 4 * p->gateway.cpu_frame_out_ns +
                         10 * p->gateway.cpu_effect_ns,
                     40000);
}

static void storage_defaults_are_the_cited_ones(void **state)
{
    struct bench *bench = *state;
    struct plan *p = &bench->plan;
    table_defaults(p);
    assert_int_equal(p->kafka.linger_ns, 5000000);
    assert_int_equal(p->kafka.batch_bytes, 16384);
    assert_int_equal(p->kafka.acks, PLAN_ACKS_ALL);
    assert_int_equal(p->kafka.replication, 3);
    assert_int_equal(p->kafka.min_insync, 2);
    assert_int_equal(p->kafka.requests_in_flight_max, 5);
    assert_int_equal(p->kafka.delivery_timeout_ns, 5000000000);
    assert_int_equal(p->kafka.fetch_min_bytes, 1);
    assert_int_equal(p->kafka.fetch_wait_ns, 500000000);
    assert_int_equal(p->kafka.fetch_partition_bytes, 1 << 20);
    assert_int_equal(p->kafka.fetch_bytes, 50 << 20);
    assert_int_equal(p->kafka.batch_overhead_bytes, 61);
    assert_int_equal(p->kafka.record_overhead_bytes, 9);
    assert_int_equal(p->kafka.retention_ns, 604800000000000);
    assert_int_equal(p->kafka.session_timeout_ns, 45000000000);
    assert_int_equal(p->kafka.rebalance_pause_ns, 3000000000);
    assert_int_equal(p->kafka.network_threads, 3);
    assert_int_equal(p->kafka.io_threads, 8);
    /* 20K replica writes/s on 16 cores, coordination included. */
    assert_int_equal(p->cassandra.cpu_write_ns + p->cassandra.cpu_coordinate_ns / 3,
                     p->cassandra.cores * 1000000000ull / 20000);
    assert_int_equal(p->cassandra.write_slots, 32);
    assert_int_equal(p->cassandra.read_slots, 32);
    assert_true(p->cassandra.write_amplification == 7.0);
    assert_int_equal(p->cassandra.compaction_bytes_per_s, 64 << 20);
    assert_true(p->cassandra.disk_usable == 0.45);
    assert_int_equal(p->cassandra.row_overhead_bytes, 10);
    assert_int_equal(p->cassandra.cell_overhead_bytes, 3);
    assert_int_equal(p->cassandra.gc_pause_ns, 100000000);
    assert_int_equal(p->cassandra.gc_period_ns, 10000000000);
    assert_int_equal(p->cassandra.write_timeout_ns, 2000000000);
    assert_int_equal(p->cassandra.read_timeout_ns, 5000000000);
    assert_int_equal(p->cassandra.hint_window_ns, 10800000000000);
    assert_int_equal(p->cassandra.commitlog_sync_ns, 10000000000);
    assert_int_equal(p->redis.cpu_command_ns, 1500);
    assert_int_equal(p->redis.cpu_round_trip_ns, 8000);
    assert_int_equal(p->redis.key_overhead_bytes + 100, 224);
    assert_int_equal(p->redis.list_overhead_bytes, 130);
    assert_int_equal(p->redis.element_overhead_bytes, 3);
    assert_true(p->redis.rss_ratio == 1.2);
    assert_true(p->redis.save_ratio == 1.3);
    assert_int_equal(p->redis.fork_stall_ns_per_gb, 12000000);
}

/* Every row's own default, read back, is its default: through text and through the plan. */
static void each_default_equals_the_table(void **state)
{
    struct bench *bench = *state;
    assert_loads(bench, "{}", NULL);
    struct plan *again = malloc(sizeof *again);
    assert_non_null(again);
    table_defaults(again);
    snprintf(again->name, sizeof again->name, "s"); /* The file's. */
    assert_memory_equal(again, &bench->plan, sizeof *again);
    for (uint32_t i = 0; i < table_count(); i++) {
        const struct table_row *row = table_row(i);
        char text[PLAN_ABOUT_SIZE];
        char why[PLAN_TEXT_SIZE];
        if (row->array != ARRAY_NONE || strcmp(row->path, "name") == 0) {
            continue;
        }
        table_get(row, &bench->plan, 0, text, sizeof text);
        assert_true(table_set(row, again, 0, text, false, why, sizeof why));
    }
    assert_memory_equal(again, &bench->plan, sizeof *again);
    free(again);
}

static void rows_are_well_formed(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < table_count(); i++) {
        const struct table_row *row = table_row(i);
        assert_ptr_equal(table_find(row->path), row); /* So paths are unique. */
        assert_int_equal(table_index_of(row), i);
        assert_false(table_is_section(row->path));
        assert_true(strlen(row->about) > 0);
        assert_true(strlen(row->path) < PLAN_NAME_SIZE);
        assert_true(row->array != ARRAY_NONE || strlen(row->source) > 0);
        for (uint32_t j = 0; j < i; j++) { /* No two fields lie over each other. */
            const struct table_row *other = table_row(j);
            bool apart = row->array != other->array || row->offset >= other->offset + other->size ||
                         other->offset >= row->offset + row->size;
            assert_true(apart);
        }
    }
    assert_null(table_find("kafka"));
    assert_true(table_is_section("kafka"));
    assert_true(table_is_section("faults"));
    assert_true(table_is_section("faults[]"));
    assert_false(table_is_section("kaf"));
}

static void nearest_names_are_near(void **state)
{
    (void)state;
    assert_int_equal(nearest_distance("brokers", "brokers"), 0);
    assert_int_equal(nearest_distance("brokrs", "brokers"), 1);
    assert_int_equal(nearest_distance("borkers", "brokers"), 1);
    assert_int_equal(nearest_distance("kitten", "sitting"), 3);
    assert_int_equal(nearest_distance("", "abc"), 3);
    assert_int_equal(nearest_distance("Kafka", "kafka"), 0);
    char buffer[PLAN_NAME_SIZE * 2];
    assert_string_equal(table_nearest("kafka", "brokrs", buffer, sizeof buffer), "brokers");
    assert_string_equal(table_nearest("", "popluation", buffer, sizeof buffer), "population");
    assert_string_equal(table_nearest("", "shards", buffer, sizeof buffer), "redis.shards");
    assert_null(table_nearest("kafka", "xyzzyplugh", buffer, sizeof buffer));
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s is missing: run chatscale schema --write\n", path);
        fail();
    }
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static void assert_current(const char *path, char *expected)
{
    char *text = read_text(path);
    if (strcmp(text, expected) != 0) {
        fprintf(stderr, "%s is not what the table says: run chatscale schema --write\n", path);
        fail();
    }
    free(text);
    free(expected);
}

static void schema_and_reference_are_current(void **state)
{
    (void)state;
    assert_current(SCHEMA_FILE, schema_text());
    assert_current(REFERENCE_FILE, reference_text());
}

static const cJSON *get(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (item == NULL) {
        fprintf(stderr, "the schema lacks %s\n", key);
        fail();
    }
    return item;
}

/* Every row is found in the schema by its path, closed on the way, and has its default. */
static void the_schema_has_every_row(void **state)
{
    (void)state;
    char *text = schema_text();
    cJSON *root = cJSON_Parse(text);
    assert_non_null(root);
    assert_string_equal(get(root, "$schema")->valuestring,
                        "https://json-schema.org/draft/2020-12/schema");
    for (uint32_t i = 0; i < table_count(); i++) {
        const struct table_row *row = table_row(i);
        char path[PLAN_NAME_SIZE];
        snprintf(path, sizeof path, "%s", row->path);
        const cJSON *at = root;
        for (char *part = strtok(path, "."); part != NULL; part = strtok(NULL, ".")) {
            char *list = strstr(part, "[]");
            assert_true(cJSON_IsFalse(get(at, "additionalProperties")));
            if (list != NULL) {
                *list = '\0';
            }
            at = get(get(at, "properties"), part);
            at = list == NULL ? at : get(at, "items");
        }
        assert_non_null(strstr(get(at, "description")->valuestring, row->about));
        bool number = row->kind < UNITS_KIND_COUNT && row->initial != NULL;
        if (number && cJSON_IsString(get(at, "default"))) {
            assert_string_equal(get(at, "default")->valuestring, row->initial);
        }
    }
    const cJSON *variant = get(get(get(root, "properties"), "variants"), "items");
    assert_string_equal(get(get(get(variant, "properties"), "kafka"), "$ref")->valuestring,
                        "#/properties/kafka");
    cJSON_Delete(root);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(population_defaults_are_the_cited_ones, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(network_and_gateway_defaults_are_the_cited_ones,
                                        bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(storage_defaults_are_the_cited_ones, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(each_default_equals_the_table, bench_setup, bench_teardown),
        cmocka_unit_test(rows_are_well_formed),
        cmocka_unit_test(nearest_names_are_near),
        cmocka_unit_test(schema_and_reference_are_current),
        cmocka_unit_test(the_schema_has_every_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
