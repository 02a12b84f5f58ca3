/* kafka: against the sum of an isolated record's steps, against bytes counted by hand, and against
 * its own promises while brokers and workers are killed. */
#include "tests/unit/kafka_bed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define HOSTS 3u

/* Runs until nothing is left to do; everything published must be through by then. */
static void run(struct kafka_bed *bed, uint64_t until_ns)
{
    kafka_bed_start(bed);
    sim_run(bed->sim, until_ns);
}

static uint32_t record_count(const struct kafka_bed *bed)
{
    return bed->options.hosts * bed->options.records;
}

/* Without faults: each record answered once, seen once, by its partition's owner, by offset. */
static void check_exactly_once(const struct kafka_bed *bed)
{
    uint32_t *counts = kafka_bed_counts(bed);
    uint64_t *offsets = calloc(bed->plan.kafka.partitions, sizeof *offsets);
    for (uint32_t i = 0; i < record_count(bed); i++) {
        assert_int_equal(bed->asked[i].replies, 1);
        assert_int_equal(bed->asked[i].err, CHAT_OK);
        assert_int_equal(counts[i], 1);
    }
    for (uint32_t i = 0; i < bed->options.servers; i++) {
        const struct kafka_server *server = &bed->servers[i];
        for (uint32_t k = 0; k < server->seen_count; k++) {
            const struct kafka_seen *seen = &server->seen[k];
            uint32_t node;
            uint32_t worker;
            assert_int_equal(seen->offset, offsets[seen->partition]++);
            assert_true(kafka_worker_of(bed->kafka, seen->partition, 0, &node, &worker));
            assert_int_equal(node, server->peer.node);
            assert_int_equal(worker, seen->worker % bed->plan.fanout.cores);
        }
        assert_int_equal(server->under_way, 0);
    }
    for (uint32_t i = 0; i < bed->plan.kafka.brokers; i++) {
        struct kafka_lag lag = kafka_lag(kafka_at(bed->kafka, i), sim_now(bed->sim));
        assert_int_equal(lag.held, 0);
        assert_int_equal(lag.records, 0);
    }
    free(counts);
    free(offsets);
}

/* With faults: what was answered was seen; a partition's offsets name one record each. */
static void check_at_least_once(const struct kafka_bed *bed)
{
    uint32_t *counts = kafka_bed_counts(bed);
    for (uint32_t i = 0; i < record_count(bed); i++) {
        if (bed->asked[i].answered_ns != 0 && counts[i] == 0) {
            fail_msg("seed %llu: record %u was answered and is lost",
                     (unsigned long long)bed->plan.run.seed, i);
        }
    }
    size_t span = record_count(bed) * (size_t)8;
    uint32_t partitions = bed->plan.kafka.partitions;
    uint32_t *records = calloc(span * partitions, sizeof *records);
    assert_non_null(records);
    for (uint32_t i = 0; i < bed->options.servers; i++) {
        for (uint32_t k = 0; k < bed->servers[i].seen_count; k++) {
            const struct kafka_seen *seen = &bed->servers[i].seen[k];
            assert_true(seen->offset < span);
            uint32_t *record = &records[seen->offset * partitions + seen->partition];
            assert_true(*record == 0 || *record == seen->record + 1);
            *record = seen->record + 1;
        }
    }
    free(records);
    free(counts);
}

static void check_all_answered(const struct kafka_bed *bed)
{
    for (uint32_t i = 0; i < record_count(bed); i++) {
        assert_true(bed->asked[i].answered_ns != 0);
    }
}

static void test_each_record_is_answered_once_and_seen_once_in_order(void **state)
{
    (void)state;
    for (enum plan_acks acks = PLAN_ACKS_NONE; acks <= PLAN_ACKS_ALL; acks++) {
        struct kafka_bed *bed = kafka_bed_plan(5, 40, 20 * SECOND);
        bed->plan.kafka.acks = acks;
        bed->plan.network.rtt_in_zone =
            (struct plan_law){.kind = PLAN_LAW_EXPONENTIAL, .floor = 2e5, .mean = 5e5};
        bed->plan.network.rtt_between_zones =
            (struct plan_law){.kind = PLAN_LAW_EXPONENTIAL, .floor = 4e5, .mean = 1e6};
        bed->options.records = 5000;
        run(bed, 20 * SECOND);
        check_exactly_once(bed);
        kafka_bed_free(bed);
    }
}

/* TCP and one request at a time: partition by partition, a host's records keep their order. */
static void test_a_hosts_records_keep_their_order(void **state)
{
    (void)state;
    struct kafka_bed *bed = kafka_bed_plan(3, 7, 20 * SECOND);
    bed->plan.network.rtt_in_zone =
        (struct plan_law){.kind = PLAN_LAW_EXPONENTIAL, .floor = 2e5, .mean = 2e7};
    bed->plan.network.rtt_between_zones = bed->plan.network.rtt_in_zone;
    bed->options.burst = 7;
    run(bed, 20 * SECOND);
    check_exactly_once(bed);
    uint32_t last[HOSTS][7] = {{0}};
    for (uint32_t i = 0; i < bed->options.servers; i++) {
        for (uint32_t k = 0; k < bed->servers[i].seen_count; k++) {
            const struct kafka_seen *seen = &bed->servers[i].seen[k];
            uint32_t *before = &last[seen->record / bed->options.records][seen->partition];
            assert_true(*before <= seen->record);
            *before = seen->record + 1;
        }
    }
    kafka_bed_free(bed);
}

/* Nothing else is under way: the NICs are free, each CPU is idle. */
static void test_an_isolated_record_takes_the_sum_of_its_steps(void **state)
{
    (void)state;
    struct kafka_bed *bed = kafka_bed_plan(3, 3, 10 * SECOND);
    bed->plan.kafka.nic_bytes_per_s = 0;
    bed->options.hosts = 1;
    bed->options.records = 20;
    bed->options.gap_ns = 100 * MS;
    bed->options.regular = true;
    run(bed, 10 * SECOND);
    const uint64_t bytes = 9 + 8 + 40 + 160 + 61;
    uint64_t appended_ns = 5 * MS + LATENCY_NS + 40000 + 300 + bytes;
    uint64_t owed_ns = bytes * 2; /* The leader's two responses, on top of the next visits. */
    uint64_t fetched_ns = appended_ns + LATENCY_NS + 40000 + bytes;
    uint64_t acked_ns = fetched_ns + LATENCY_NS + 40000;
    for (uint32_t i = 0; i < bed->options.servers; i++) {
        for (uint32_t k = 0; k < bed->servers[i].seen_count; k++) {
            const struct kafka_seen *seen = &bed->servers[i].seen[k];
            const struct kafka_asked *asked = &bed->asked[seen->record];
            uint64_t answered_ns = asked->answered_ns - asked->asked_ns;
            uint64_t seen_ns = seen->time_ns - asked->asked_ns;
            assert_in_range(answered_ns, acked_ns + LATENCY_NS, acked_ns + LATENCY_NS + owed_ns);
            assert_in_range(seen_ns, acked_ns + LATENCY_NS, acked_ns + LATENCY_NS + 50000);
            assert_int_equal(seen->published, stamp_of(asked->asked_ns));
        }
    }
    check_exactly_once(bed);
    kafka_bed_free(bed);
}

static void test_linger_bounds_what_batching_costs(void **state)
{
    (void)state;
    for (uint64_t linger_ns = 0; linger_ns <= 20 * MS; linger_ns += 10 * MS) {
        struct kafka_bed *bed = kafka_bed_plan(3, 30, 20 * SECOND);
        bed->plan.kafka.linger_ns = linger_ns;
        bed->options.records = 4000;
        run(bed, 20 * SECOND);
        check_exactly_once(bed);
        uint64_t sum_ns = 0;
        for (uint32_t i = 0; i < record_count(bed); i++) {
            uint64_t took_ns = bed->asked[i].answered_ns - bed->asked[i].asked_ns;
            assert_in_range(took_ns, 4 * LATENCY_NS, linger_ns + 3 * MS);
            sum_ns += took_ns;
        }
        /* 1000 records/s and 3 brokers: a record waits for what is left of its request's linger,
         * which a first one has all of: L (1 + rL / 2) / (1 + rL). */
        double linger = (double)linger_ns;
        double more = linger * 1e-9 * 1000 / 3;
        double waits = linger * (1 + more / 2) / (1 + more);
        double mean = (double)sum_ns / record_count(bed);
        assert_in_range((uint64_t)mean, (uint64_t)(waits * 0.97) + 4 * LATENCY_NS,
                        (uint64_t)(waits * 1.03) + 10 * LATENCY_NS);
        kafka_bed_free(bed);
    }
}

/* Large texts, so that acknowledgements and fetches are small beside them. */
static void test_the_nics_carry_each_byte_once_in_and_once_to_each_reader(void **state)
{
    (void)state;
    for (uint32_t replication = 1; replication <= 3; replication++) {
        struct kafka_bed *bed = kafka_bed_plan(4, 16, 20 * SECOND);
        bed->plan.kafka.replication = replication;
        bed->plan.kafka.min_insync = 1;
        bed->options.text_bytes = 20000;
        run(bed, 20 * SECOND);
        check_exactly_once(bed);
        double in = 0;
        double out = 0;
        double written = 0;
        double space = 0;
        for (uint32_t i = 0; i < 4; i++) {
            struct resource_use uses[RESOURCE_COUNT] = {{0}};
            kafka_use(kafka_at(bed->kafka, i), uses);
            in += uses[RESOURCE_NIC_IN].used;
            out += uses[RESOURCE_NIC_OUT].used;
            written += uses[RESOURCE_DISK_IO].used;
            space += uses[RESOURCE_DISK_SPACE].used;
        }
        double bytes = record_count(bed) * 20057.0 / 20;
        assert_true(in > bytes * replication && in < bytes * replication * 1.02);
        assert_true(out > bytes * replication && out < bytes * replication * 1.02);
        assert_true(written > bytes * replication && written < bytes * replication * 1.005);
        assert_true(space > written * 86400 * 7 / 3 * 0.999 &&
                    space < written * 86400 * 7 / 3 * 1.001);
        kafka_bed_free(bed);
    }
}

static void test_a_slow_workers_credit_holds_back_its_partitions_alone(void **state)
{
    (void)state;
    struct kafka_bed *bed = kafka_bed_plan(1, 8, 60 * SECOND);
    bed->plan.kafka.replication = 1;
    bed->plan.kafka.min_insync = 1;
    bed->options.service_ns = SIM_NEVER;
    run(bed, 10 * SECOND);
    /* One broker, and two servers of four workers with one partition each. */
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(bed->servers[i].under_way_max, 4 * FETCH_CREDIT);
    }
    struct kafka_lag lag = kafka_lag(kafka_at(bed->kafka, 0), sim_now(bed->sim));
    assert_int_equal(lag.records, record_count(bed));
    assert_in_range(lag.oldest_ns, 9800 * MS, 10 * SECOND);
    kafka_bed_free(bed);
    /* A worker that is slow, not stuck, is fed as it commits: 64 in 100 ms and a commit's way. */
    bed = kafka_bed_plan(1, 1, 60 * SECOND);
    bed->plan.kafka.replication = 1;
    bed->plan.kafka.min_insync = 1;
    bed->options.service_ns = 100 * MS;
    bed->options.flush_ns = 0;
    run(bed, 60 * SECOND);
    check_exactly_once(bed);
    const struct kafka_seen *last = &bed->servers[0].seen[bed->servers[0].seen_count - 1];
    assert_int_equal(bed->servers[0].under_way_max, FETCH_CREDIT);
    assert_in_range(last->time_ns, 3000 / 64 * 100 * MS, 3000 / 64 * 103 * MS);
    kafka_bed_free(bed);
}

/* Credit comes back out of turn; what the worker must remember of a partition stays bounded. */
static void test_no_partition_runs_far_ahead_of_its_committed_offset(void **state)
{
    (void)state;
    struct kafka_bed *bed = kafka_bed_plan(3, 6, 60 * SECOND);
    bed->options.stuck = true;
    run(bed, 20 * SECOND);
    check_all_answered(bed);
    for (uint32_t i = 0; i < bed->options.servers; i++) {
        uint64_t seen[6] = {0};
        for (uint32_t k = 0; k < bed->servers[i].seen_count; k++) {
            seen[bed->servers[i].seen[k].partition]++;
        }
        for (uint32_t k = 0; k < 6; k++) {
            assert_true(seen[k] == 0 || seen[k] == FETCH_CREDIT);
        }
    }
    kafka_bed_free(bed);
}

static void test_a_full_broker_refuses(void **state)
{
    (void)state;
    struct kafka_bed *bed = kafka_bed_plan(4096, 1, 60 * SECOND);
    bed->options.servers = 0;
    bed->options.records = 6000;
    run(bed, 30 * SECOND);
    uint32_t refused = 0;
    for (uint32_t i = 0; i < record_count(bed); i++) {
        refused += bed->asked[i].err == CHAT_ERR_FAILED;
    }
    struct kafka_lag lag = kafka_lag(kafka_at(bed->kafka, 0), sim_now(bed->sim));
    assert_int_equal(lag.held, KAFKA_RECORDS_MAX / 4096);
    assert_int_equal(lag.refused, refused);
    assert_int_equal(lag.held + refused, record_count(bed));
    kafka_bed_free(bed);
}

static void test_no_answered_record_is_lost_with_its_broker(void **state)
{
    (void)state;
    struct kafka_bed *bed = kafka_bed_plan(4, 16, 30 * SECOND);
    bed->options.records = 8000;
    bed->options.timeout_ns = 3 * SECOND;
    kafka_bed_fault(bed, PLAN_FAULT_KILL, PLAN_TIER_KAFKA, 1, 2 * SECOND, 4 * SECOND);
    run(bed, 40 * SECOND);
    check_at_least_once(bed);
    check_all_answered(bed);
    /* It leads until somebody has noticed, then its first other replica, then itself again. */
    uint32_t node = bed->world.base[CLASS_KAFKA];
    assert_int_equal(kafka_leader(&bed->world, 1, 4 * SECOND - 1), node + 1);
    assert_int_equal(kafka_leader(&bed->world, 1, 4 * SECOND), node + 2);
    assert_int_equal(kafka_leader(&bed->world, 1, 10 * SECOND - 1), node + 2);
    assert_int_equal(kafka_leader(&bed->world, 1, 10 * SECOND), node + 1);
    /* Consumers read on where they were: only what was produced twice is seen twice. */
    uint32_t *counts = kafka_bed_counts(bed);
    uint32_t twice = 0;
    for (uint32_t i = 0; i < record_count(bed); i++) {
        assert_true(counts[i] <= bed->asked[i].tries);
        twice += counts[i] > 1;
    }
    assert_true(twice < 200);
    free(counts);
    kafka_bed_free(bed);
}

static void test_too_few_replicas_in_sync_refuse(void **state)
{
    (void)state;
    struct kafka_bed *bed = kafka_bed_plan(3, 3, 30 * SECOND);
    bed->options.records = 10000;
    kafka_bed_fault(bed, PLAN_FAULT_KILL, PLAN_TIER_KAFKA, 1, 1 * SECOND, 4 * SECOND);
    kafka_bed_fault(bed, PLAN_FAULT_KILL, PLAN_TIER_KAFKA, 2, 1 * SECOND, 4 * SECOND);
    run(bed, 30 * SECOND);
    for (uint32_t i = 0; i < record_count(bed); i++) {
        const struct kafka_asked *asked = &bed->asked[i];
        bool home =
            kafka_partition(&bed->world, (uint32_t)(hash_mix(i) % bed->options.channels), 0) == 0;
        if (home && asked->asked_ns > 3 * SECOND && asked->asked_ns < 5 * SECOND - 10 * MS) {
            assert_int_equal(asked->err, CHAT_ERR_FAILED);
        } else if (home && asked->asked_ns > 5 * SECOND + 10 * MS) {
            assert_int_equal(asked->err, CHAT_OK);
        }
    }
    kafka_bed_free(bed);
}

static void test_a_dead_workers_records_go_to_the_next_owner(void **state)
{
    (void)state;
    struct kafka_bed *bed = kafka_bed_plan(3, 24, 60 * SECOND);
    bed->options.records = 8000;
    kafka_bed_fault(bed, PLAN_FAULT_KILL, PLAN_TIER_FANOUT, 0, 2 * SECOND, 20 * SECOND);
    run(bed, 60 * SECOND);
    check_at_least_once(bed);
    check_all_answered(bed);
    uint32_t node;
    uint32_t worker;
    uint32_t first = bed->world.base[CLASS_FANOUT];
    assert_true(kafka_worker_of(bed->kafka, 0, 8 * SECOND - 1, &node, &worker));
    assert_int_equal(node, first);
    assert_false(kafka_worker_of(bed->kafka, 0, 8 * SECOND, &node, &worker));
    assert_true(kafka_worker_of(bed->kafka, 0, 9 * SECOND, &node, &worker));
    assert_int_equal(node, first + 1);
    assert_false(kafka_worker_of(bed->kafka, 0, 22 * SECOND, &node, &worker));
    assert_true(kafka_worker_of(bed->kafka, 0, 23 * SECOND, &node, &worker));
    assert_int_equal(node, first);
    /* Nothing is consumed while the group rebalances but what was on its way. */
    for (uint32_t k = 0; k < bed->servers[1].seen_count; k++) {
        uint64_t time_ns = bed->servers[1].seen[k].time_ns;
        assert_false(time_ns > 8 * SECOND + 5 * MS && time_ns < 9 * SECOND);
    }
    uint32_t *counts = kafka_bed_counts(bed);
    for (uint32_t i = 0; i < record_count(bed); i++) {
        assert_in_range(counts[i], 1, 3);
    }
    free(counts);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(kafka_lag(kafka_at(bed->kafka, i), 60 * SECOND).held, 0);
    }
    kafka_bed_free(bed);
}

static void test_a_cut_makes_consumers_late_and_loses_nothing(void **state)
{
    (void)state;
    struct kafka_bed *bed = kafka_bed_plan(3, 24, 60 * SECOND);
    bed->options.records = 8000;
    bed->options.timeout_ns = 3 * SECOND;
    kafka_bed_fault(bed, PLAN_FAULT_PARTITION, PLAN_TIER_FANOUT, 0, 2 * SECOND, 2 * SECOND);
    kafka_bed_fault(bed, PLAN_FAULT_PARTITION, PLAN_TIER_KAFKA, 2, 5 * SECOND, 1 * SECOND);
    kafka_bed_fault(bed, PLAN_FAULT_LOSS, PLAN_TIER_KAFKA, 0, 6 * SECOND, 1 * SECOND);
    kafka_bed_fault(bed, PLAN_FAULT_PAUSE, PLAN_TIER_KAFKA, 1, 7 * SECOND, 1 * SECOND);
    kafka_bed_fault(bed, PLAN_FAULT_SLOW, PLAN_TIER_KAFKA, 0, 8 * SECOND, 1 * SECOND);
    run(bed, 60 * SECOND);
    check_at_least_once(bed);
    check_all_answered(bed);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(kafka_lag(kafka_at(bed->kafka, i), 60 * SECOND).held, 0);
    }
    kafka_bed_free(bed);
}

static void test_routes_take_a_linger_and_two_ways(void **state)
{
    (void)state;
    struct kafka_bed *bed = kafka_bed_plan(3, 3, 20 * SECOND);
    bed->options.routes = true;
    run(bed, 20 * SECOND);
    for (uint32_t i = 0; i < HOSTS; i++) {
        assert_int_equal(bed->routed_count[i], bed->options.records);
        for (uint32_t k = 0; k < bed->routed_count[i]; k++) {
            const struct kafka_seen *seen = &bed->routed[i * record_count(bed) + k];
            uint64_t took_ns = seen->time_ns - bed->asked[seen->record].asked_ns;
            assert_in_range(took_ns, 5 * MS + 2 * LATENCY_NS, 6 * MS + 2 * LATENCY_NS);
        }
    }
    kafka_bed_free(bed);
}

static struct kafka_bed *swarm_plan(uint64_t seed)
{
    struct kafka_bed *bed = kafka_bed_plan(3 + (uint32_t)seed % 3, 12, 20 * SECOND);
    bed->plan.run.seed = seed;
    bed->plan.kafka.failover_ns = (seed & 1) != 0 ? 1 * SECOND : 200 * MS;
    bed->plan.kafka.session_timeout_ns = (seed & 2) != 0 ? 2 * SECOND : 500 * MS;
    bed->plan.kafka.rebalance_pause_ns = (seed & 4) != 0 ? 300 * MS : 0;
    bed->plan.kafka.min_insync = (seed & 8) != 0 ? 1 : 2;
    bed->plan.network.rtt_in_zone =
        (struct plan_law){.kind = PLAN_LAW_EXPONENTIAL, .floor = 2e5, .mean = 1e6};
    bed->plan.network.rtt_between_zones = bed->plan.network.rtt_in_zone;
    bed->options.records = 2000;
    bed->options.gap_ns = 8 * MS;
    bed->options.service_ns = 20 * MS;
    bed->options.timeout_ns = 1500 * MS;
    enum plan_tier tiers[2] = {PLAN_TIER_KAFKA, PLAN_TIER_FANOUT};
    for (uint32_t i = 0; i < 2; i++) {
        bed->plan.random_faults[bed->plan.random_fault_count++] = (struct plan_random_fault){
            .kind = PLAN_FAULT_KILL,
            .tier = tiers[i],
            .mtbf_ns = 6 * SECOND,
            .mttr_ns = 1 * SECOND,
        };
    }
    if ((seed & 16) != 0) {
        bed->plan.random_faults[bed->plan.random_fault_count++] = (struct plan_random_fault){
            .kind = PLAN_FAULT_PARTITION,
            .tier = PLAN_TIER_KAFKA,
            .mtbf_ns = 6 * SECOND,
            .mttr_ns = 500 * MS,
        };
    }
    return bed;
}

/* Kills everywhere, and a quiet end: nothing answered is lost, and nothing is held up for ever. */
static void test_a_swarm_of_kills_loses_nothing_answered(void **state)
{
    (void)state;
    uint64_t seeds = getenv("CHATSCALE_QUICK") != NULL ? 8 : 64;
    for (uint64_t i = 0; i <= seeds; i++) {
        uint64_t seed = i == 0 ? 720 : i; /* That one has been wrong before. */
        struct kafka_bed *bed = swarm_plan(seed);
        run(bed, 120 * SECOND);
        check_at_least_once(bed);
        for (uint32_t k = 0; k < record_count(bed); k++) {
            if (bed->asked[k].answered_ns == 0) {
                fail_msg("seed %llu: record %u was never answered", (unsigned long long)seed, k);
            }
        }
        for (uint32_t k = 0; k < bed->plan.kafka.brokers; k++) {
            struct kafka_lag lag = kafka_lag(kafka_at(bed->kafka, k), sim_now(bed->sim));
            if (lag.held != 0 || lag.lost != 0) {
                fail_msg("seed %llu: broker %u holds %llu, lost %llu", (unsigned long long)seed, k,
                         (unsigned long long)lag.held, (unsigned long long)lag.lost);
            }
        }
        kafka_bed_free(bed);
    }
}

static void test_results_do_not_depend_on_threads_or_scheduler(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed += 23) {
        uint64_t digest = 0;
        for (uint32_t threads = 0; threads <= 3; threads++) {
            struct kafka_bed *bed = swarm_plan(seed);
            bed->plan.run.duration_ns = 4 * SECOND; /* All of it, faster. */
            bed->plan.random_faults[0].mtbf_ns = SECOND;
            bed->plan.random_faults[1].mtbf_ns = SECOND;
            bed->options.gap_ns = 2 * MS;
            bed->options.threads = threads == 0 ? 1 : threads;
            bed->options.scheduler = threads == 0 ? SIM_PLAIN : SIM_WINDOWS;
            run(bed, 6 * SECOND);
            uint64_t got = kafka_bed_digest(bed);
            digest = threads == 0 ? got : digest;
            assert_int_equal(got, digest);
            kafka_bed_free(bed);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_record_is_answered_once_and_seen_once_in_order),
        cmocka_unit_test(test_a_hosts_records_keep_their_order),
        cmocka_unit_test(test_an_isolated_record_takes_the_sum_of_its_steps),
        cmocka_unit_test(test_linger_bounds_what_batching_costs),
        cmocka_unit_test(test_the_nics_carry_each_byte_once_in_and_once_to_each_reader),
        cmocka_unit_test(test_a_slow_workers_credit_holds_back_its_partitions_alone),
        cmocka_unit_test(test_no_partition_runs_far_ahead_of_its_committed_offset),
        cmocka_unit_test(test_a_full_broker_refuses),
        cmocka_unit_test(test_no_answered_record_is_lost_with_its_broker),
        cmocka_unit_test(test_too_few_replicas_in_sync_refuse),
        cmocka_unit_test(test_a_dead_workers_records_go_to_the_next_owner),
        cmocka_unit_test(test_a_cut_makes_consumers_late_and_loses_nothing),
        cmocka_unit_test(test_routes_take_a_linger_and_two_ways),
        cmocka_unit_test(test_a_swarm_of_kills_loses_nothing_answered),
        cmocka_unit_test(test_results_do_not_depend_on_threads_or_scheduler),
    };
    return cmocka_run_group_tests_name("kafka", tests, NULL, NULL);
}
