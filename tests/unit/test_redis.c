/* redis: what a shard costs, against queueing theory; what it loses; Pub/Sub and presence. */
#include "models/infra/faults.h"
#include "tests/unit/redis_bed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

static double utilization(const struct redis_bed *bed)
{
    struct resource_use uses[RESOURCE_COUNT] = {{0, 0}};
    redis_use(bed->shard, uses);
    return uses[RESOURCE_CPU].used;
}

/* One host sends LOCATEs at a Poisson rate that would make `load` of the shard's time, alone. */
static void poisson_run(struct redis_bed *bed, double load, double work_ns, uint32_t calls,
                        struct dist *gap)
{
    const struct dist_spec spec = {.law = DIST_EXPONENTIAL, .mean = work_ns / load};
    assert_int_equal(dist_init(gap, &spec), DIST_OK);
    bed->plan.run.duration_ns = (uint64_t)(work_ns / load * calls);
    redis_bed_start(bed, 10);
    bed->hosts[0].gap = gap;
    bed->hosts[0].wanted = calls;
    const struct sim_event first = {.kind = EV_TICK};
    sim_post(bed->sim, &first);
    sim_run(bed->sim, SIM_NEVER - 1);
}

/* Pollaczek and Khinchine: a response of D + D rho / (2 (1 - rho)). */
static void test_without_pipelining_a_shard_is_an_m_d_1_queue(void **state)
{
    (void)state;
    const double work_ns = COMMAND_NS + ROUND_TRIP_NS;
    struct dist *gap = malloc(sizeof *gap);
    assert_non_null(gap);
    for (uint32_t i = 0; i < 2; i++) {
        const double load = i == 0 ? 0.3 : 0.7;
        struct redis_bed *bed = redis_bed_create();
        bed->plan.redis.pipeline_max = 1;
        poisson_run(bed, load, work_ns, 400000, gap);
        const struct redis_host *host = &bed->hosts[0];
        assert_int_equal(host->count, 400000);
        double response_ns = (double)host->response_ns / host->count;
        double expected_ns = work_ns * (1 + load / (2 * (1 - load)));
        assert_true(fabs(response_ns / expected_ns - 1) < 0.02);
        assert_true(fabs(utilization(bed) / load - 1) < 0.01);
        redis_bed_destroy(bed);
    }
    free(gap);
}

/* Three times more than it could do one by one; by batches it keeps up. */
static void test_pipelining_carries_a_load_that_single_commands_would_not(void **state)
{
    (void)state;
    struct dist *gap = malloc(sizeof *gap);
    assert_non_null(gap);
    struct redis_bed *bed = redis_bed_create();
    poisson_run(bed, 3, COMMAND_NS + ROUND_TRIP_NS, 400000, gap);
    const struct redis_host *host = &bed->hosts[0];
    assert_int_equal(host->count, 400000);
    /* A batch of n takes T = r + n c, and n come in T: T = r / (1 - c / gap), all of them full. */
    double batch_ns = ROUND_TRIP_NS / (1 - COMMAND_NS / dist_mean(gap));
    assert_true((double)host->response_ns / host->count < 2.5 * batch_ns);
    assert_true(utilization(bed) < 1);
    redis_bed_destroy(bed);
    free(gap);
}

static void test_a_batch_pays_for_one_round_trip_of_each_host(void **state)
{
    (void)state;
    struct redis_bed *bed = redis_bed_create();
    bed->plan.redis.pipeline_max = 4;
    redis_bed_start(bed, 10);
    const struct call call = redis_bed_key(CACHE_LOCATE, 1, 1, 0, 0);
    for (uint32_t i = 0; i < 6; i++) {
        redis_bed_call(bed, MS, 0, 0, &call); /* Two pipelines, as only four fit one. */
    }
    redis_bed_call(bed, MS, 1, 0, &call);
    redis_bed_call(bed, MS + 100, 0, 0,
                   &call); /* While that is in service: in the next batch, ... */
    redis_bed_call(bed, MS + 200, 0, 0, &call); /* ... which has not begun. */
    sim_run(bed->sim, 10 * MS);
    const struct redis_host *host = &bed->hosts[0];
    assert_int_equal(host->count, 8);
    const uint64_t start_ns = MS + REDIS_BED_HOP_NS;
    assert_int_equal(host->kept[0].time_ns, start_ns + ROUND_TRIP_NS + COMMAND_NS);
    assert_int_equal(host->kept[3].time_ns, start_ns + ROUND_TRIP_NS + 4 * COMMAND_NS);
    assert_int_equal(host->kept[5].time_ns, start_ns + 2 * ROUND_TRIP_NS + 6 * COMMAND_NS);
    assert_int_equal(bed->hosts[1].kept[0].time_ns, start_ns + 3 * ROUND_TRIP_NS + 7 * COMMAND_NS);
    assert_int_equal(host->kept[6].time_ns, start_ns + 4 * ROUND_TRIP_NS + 8 * COMMAND_NS);
    assert_int_equal(host->kept[7].time_ns, start_ns + 4 * ROUND_TRIP_NS + 9 * COMMAND_NS);
    redis_bed_destroy(bed);
}

static void test_a_pause_delays_and_a_slow_shard_stretches(void **state)
{
    (void)state;
    struct redis_bed *bed = redis_bed_create();
    redis_bed_fault(bed, PLAN_FAULT_PAUSE, PLAN_TIER_REDIS, 10 * MS, 10 * MS);
    redis_bed_fault(bed, PLAN_FAULT_SLOW, PLAN_TIER_REDIS, 30 * MS, 10 * MS)->factor = 3;
    redis_bed_start(bed, 10);
    const struct call call = redis_bed_key(CACHE_LOCATE, 1, 1, 0, 0);
    redis_bed_call(bed, 12 * MS, 0, 0, &call);
    redis_bed_call(bed, 32 * MS, 0, 0, &call);
    sim_run(bed->sim, 100 * MS);
    const struct redis_host *host = &bed->hosts[0];
    assert_int_equal(host->count, 2);
    assert_int_equal(host->kept[0].time_ns,
                     20 * MS + REDIS_BED_HOP_NS + ROUND_TRIP_NS + COMMAND_NS);
    assert_int_equal(host->kept[1].time_ns,
                     32 * MS + REDIS_BED_HOP_NS + 3 * (ROUND_TRIP_NS + COMMAND_NS));
    redis_bed_destroy(bed);
}

static void test_a_fork_stops_the_shard_once_a_period(void **state)
{
    (void)state;
    struct redis_bed *bed = redis_bed_create();
    bed->plan.redis.save_period_ns = 1000 * MS;
    bed->plan.redis.fork_stall_ns_per_gb = 1000 * MS;
    redis_bed_start(bed, 99999); /* 100,000 users of 124 + 200 B: 32.4 MB, so 32.4 ms. */
    const struct call call = redis_bed_key(CACHE_LOCATE, 0, 1, 0, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        struct call asked = call;
        asked.token = i * MS;
        asked.op = CACHE_LOCATE;
        redis_bed_call(bed, asked.token, 0, 0, &asked);
    }
    sim_run(bed->sim, 2000 * MS);
    const struct redis_host *host = &bed->hosts[0];
    assert_int_equal(host->count, 1000);
    /* Those who came in the stall waited for half of it, on average: 33 * 16.2 ms. */
    double waited_ms = (double)host->response_ns * 1e-6 + 1000 * 0.1; /* No hop there. */
    assert_true(waited_ms > 400 && waited_ms < 700);
    redis_bed_destroy(bed);
}

/* -- Faults ------------------------------------------------------------------------------------ */

#define APPENDS 300u
#define KILL_NS (200 * MS)

/* Device 1 of user 1 is registered; then an entry a millisecond; a kill after some 200 of them. At
 * 900 ms somebody registers and reads the inbox. */
static struct redis_bed *killed_bed(uint32_t replicas, uint64_t duration_ns, uint64_t seed)
{
    struct redis_bed *bed = redis_bed_create();
    bed->plan.run.contents = true;
    bed->plan.run.seed = seed;
    bed->plan.redis.replicas = replicas;
    redis_bed_fault(bed, PLAN_FAULT_KILL, PLAN_TIER_REDIS, KILL_NS, duration_ns);
    redis_bed_start(bed, 0);
    faults_post(&bed->world, bed->sim);
    struct call call = redis_bed_key(CACHE_REGISTER, 1, 1, 77, 0);
    redis_bed_call(bed, 1000, 0, 1, &call);
    for (uint32_t i = 1; i <= APPENDS; i++) {
        call = redis_bed_append(1 + i, 1, i, 0);
        redis_bed_call(bed, i * MS, REDIS_BED_GATEWAYS, 0, &call);
    }
    return bed;
}

static void test_a_failover_loses_the_tail_and_begins_a_generation(void **state)
{
    (void)state;
    uint64_t lost = 0;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct redis_bed *bed = killed_bed(1, 0, seed);
        struct call call = redis_bed_key(CACHE_REGISTER, 1000, 1, 78, 0);
        redis_bed_call(bed, 900 * MS, 0, 1, &call);
        sim_run(bed->sim, 1000 * MS);
        /* Down from 200 to 400 ms: 199 of 300 entries were answered. */
        assert_int_equal(bed->hosts[REDIS_BED_GATEWAYS].count, 199);
        assert_int_equal(bed->stats->total[COUNT_LOST], 101);
        struct reply reply = redis_bed_reply(&bed->hosts[0], 1);
        assert_int_equal(reply.row, ROW_LOCATION);
        assert_int_equal(reply.location.flags & 1, 1);
        assert_int_equal(reply.location.position >> INBOX_POSITION_BITS, 2);
        uint64_t kept = reply.location.position & 0xffffffff;
        assert_true(kept <= 199 && kept >= 199 - 50);
        lost += 199 - kept;
        redis_bed_destroy(bed);
    }
    assert_true(lost > 5 * 5); /* Each is anything up to 50. */
}

static void test_a_shard_nobody_takes_over_from_begins_empty(void **state)
{
    (void)state;
    /* Without a replica; and with one, but up again before the failover. */
    for (uint32_t replicas = 0; replicas < 2; replicas++) {
        struct redis_bed *bed = killed_bed(replicas, 150 * MS, 1);
        struct call call = redis_bed_append(1000, 1, 1000, 0);
        redis_bed_call(bed, 349 * MS, 0, 0, &call);
        call.token = 1001;
        redis_bed_call(bed, 351 * MS, 0, 0, &call);
        call = redis_bed_append(1002, 1, 1000, 1u << 1 | 1u << 2);
        redis_bed_call(bed, 352 * MS, 0, 0, &call);
        sim_run(bed->sim, 1000 * MS);
        const struct redis_host *host = &bed->hosts[0];
        assert_int_equal(host->count, 4);
        struct reply reply = redis_bed_reply(host, 1);
        assert_int_equal(reply.token, 1001);
        assert_int_equal(reply.err, CHAT_ERR_MISSING);
        for (uint32_t i = 0; i < 2; i++) { /* Naming the devices makes them. */
            reply = redis_bed_reply(host, 2 + i);
            assert_int_equal(reply.err, CHAT_OK);
            assert_int_equal(reply.index, i);
            assert_int_equal(reply.total, 2);
            assert_int_equal(reply.location.position, (uint64_t)2 << INBOX_POSITION_BITS | 1);
        }
        redis_bed_destroy(bed);
    }
}

static void test_what_a_kill_finds_waiting_never_happens(void **state)
{
    (void)state;
    struct redis_bed *bed = killed_bed(0, 0, 1);
    const struct call call = redis_bed_append(5000, 2, 9, 2);
    for (uint32_t i = 0; i < 100; i++) {
        redis_bed_call(bed, KILL_NS - 40000, 1, 0, &call);
    }
    sim_run(bed->sim, KILL_NS - 1);
    uint64_t elements = inbox_counts(redis_inbox(bed->shard)).elements;
    sim_run(bed->sim, 1000 * MS);
    /* A pipeline of 16 takes 32 us. The next command would have taken until 1.5 us after the kill;
     * those behind it are shorter, but it is not they who are served. */
    assert_int_equal(bed->hosts[1].count, 16);
    assert_int_equal(elements, 199 + 16);
    redis_bed_destroy(bed);
}

/* -- Pub/Sub and presence ---------------------------------------------------------------------- */

static void test_pub_sub_forwards_to_the_gateway_that_is_named(void **state)
{
    (void)state;
    struct redis_bed *bed = redis_bed_create();
    redis_bed_fault(bed, PLAN_FAULT_KILL, PLAN_TIER_GATEWAY, 0, 0)->index = 1;
    redis_bed_start(bed, 10);
    struct route route = {.entry = {.id = 3, .kind = ENTRY_MESSAGE, .more = 5}, .conn_id = 99};
    struct sim_event event = {.time_ns = MS, .node = REDIS_BED_SHARD, .kind = EV_ROUTE};
    EVENT_WRITE(&event, &route);
    event.flags = 2 * REDIS_BED_CORES + 1;
    sim_post(bed->sim, &event);
    event.flags = 1 * REDIS_BED_CORES;
    sim_post(bed->sim, &event);
    sim_run(bed->sim, 10 * MS);
    assert_int_equal(bed->hosts[1].count, 0);
    assert_int_equal(bed->hosts[2].count, 1);
    assert_int_equal(bed->stats->total[COUNT_LOST], 1);
    const struct sim_event *got = &bed->hosts[2].kept[0];
    assert_int_equal(got->kind, EV_ROUTE);
    assert_int_equal(got->flags, 2 * REDIS_BED_CORES + 1);
    assert_memory_equal(got->data, &route, sizeof route);
    /* Second in its batch: the publisher's round trip and two commands came before. */
    assert_int_equal(got->time_ns, MS + REDIS_BED_HOP_NS + 3 * ROUND_TRIP_NS + 4 * COMMAND_NS);
    redis_bed_destroy(bed);
}

static void refresh_at(struct redis_bed *bed, uint64_t at_ns, uint32_t gateway, uint64_t keys,
                       bool started)
{
    struct sim_event event = {.time_ns = at_ns, .node = REDIS_BED_SHARD, .kind = EV_REFRESH};
    struct call call = {.source = gateway, .op = started ? 1 : 0};
    call.key.position = keys;
    EVENT_WRITE(&event, &call);
    sim_post(bed->sim, &event);
}

static bool is_online(struct redis_bed *bed, uint32_t user, uint64_t at_ns)
{
    uint32_t before = bed->hosts[2].count;
    const struct call call = redis_bed_key(CACHE_LOCATE, 1, user, 0, 0);
    redis_bed_call(bed, at_ns, 2, 0, &call);
    sim_run(bed->sim, at_ns + 10 * MS);
    assert_int_equal(bed->hosts[2].count, before + 1);
    return redis_bed_reply(&bed->hosts[2], before).row == ROW_LOCATION;
}

static void test_a_refresh_keeps_presence_and_costs_a_command_a_key(void **state)
{
    (void)state;
    struct redis_bed *bed = redis_bed_create();
    redis_bed_start(bed, 10);
    inbox_place(redis_inbox(bed->shard), 1, 1, 0 * REDIS_BED_CORES + 1, 7, 0, WALL_BASE_MS);
    inbox_place(redis_inbox(bed->shard), 2, 1, 1 * REDIS_BED_CORES, 8, 0, WALL_BASE_MS);
    refresh_at(bed, 2000 * MS, 0, 100, false);
    assert_true(is_online(bed, 1, 2900 * MS));
    assert_true(is_online(bed, 2, 2950 * MS));
    assert_true(is_online(bed, 1, 4500 * MS));
    assert_false(is_online(bed, 2, 4550 * MS)); /* Time to live: 3 s. */
    double work_ns = 100 * COMMAND_NS + 7 * ROUND_TRIP_NS + 4 * (COMMAND_NS + ROUND_TRIP_NS);
    assert_true(fabs(utilization(bed) * (double)bed->world.until_ns - work_ns) < 1);
    /* Nothing was lost of gateway 0; of gateway 1, everything. */
    refresh_at(bed, 4600 * MS, 0, 1, false);
    refresh_at(bed, 4700 * MS, 1, 1, false);
    refresh_at(bed, 4800 * MS, 1, 1, false);
    sim_run(bed->sim, 5000 * MS);
    assert_int_equal(bed->hosts[0].count, 0);
    assert_int_equal(bed->hosts[1].count, 1);
    assert_int_equal(redis_bed_reply(&bed->hosts[1], 0).plain.value, 1);
    assert_int_equal(redis_bed_reply(&bed->hosts[1], 0).token, 0);
    redis_bed_destroy(bed);
}

static void test_a_gateway_that_started_anew_has_nobody_and_is_told_nothing(void **state)
{
    (void)state;
    struct redis_bed *bed = redis_bed_create();
    redis_bed_start(bed, 10);
    inbox_place(redis_inbox(bed->shard), 1, 1, 1, 7, 0, WALL_BASE_MS);
    assert_true(is_online(bed, 1, 100 * MS));
    refresh_at(bed, 200 * MS, 0, 0, true);
    assert_false(is_online(bed, 1, 300 * MS));
    refresh_at(bed, 400 * MS, 0, 0, false);
    sim_run(bed->sim, 500 * MS);
    assert_int_equal(bed->hosts[0].count, 0);
    redis_bed_destroy(bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_pipelining_a_shard_is_an_m_d_1_queue),
        cmocka_unit_test(test_pipelining_carries_a_load_that_single_commands_would_not),
        cmocka_unit_test(test_a_batch_pays_for_one_round_trip_of_each_host),
        cmocka_unit_test(test_a_pause_delays_and_a_slow_shard_stretches),
        cmocka_unit_test(test_a_fork_stops_the_shard_once_a_period),
        cmocka_unit_test(test_a_failover_loses_the_tail_and_begins_a_generation),
        cmocka_unit_test(test_a_shard_nobody_takes_over_from_begins_empty),
        cmocka_unit_test(test_what_a_kill_finds_waiting_never_happens),
        cmocka_unit_test(test_pub_sub_forwards_to_the_gateway_that_is_named),
        cmocka_unit_test(test_a_refresh_keeps_presence_and_costs_a_command_a_key),
        cmocka_unit_test(test_a_gateway_that_started_anew_has_nobody_and_is_told_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
