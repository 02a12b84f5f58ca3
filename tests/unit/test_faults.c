/* faults: who is hit, when, and what it does to a packet; drawn faults against their own law. */
#include "models/infra/faults.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#define WARMUP_NS 10000000000u
#define SECOND_NS 1000000000u

/* Nodes: populations 0 to 3, gateways 4 to 9, fan-outs 10 to 13, Kafka 14 to 16, Cassandra 17 to
 * 22, Redis 23 to 25, push 26. Three zones: the i-th of a class stands in zone i % 3. */
static const uint32_t class_counts[CLASS_COUNT] = {4, 6, 4, 3, 6, 3, 1};

struct fleet {
    struct plan plan;
    struct world world;
    uint32_t node_count;
};

static void fleet_init(struct fleet *fleet)
{
    memset(fleet, 0, sizeof *fleet);
    fleet->plan.run.seed = 7;
    fleet->plan.run.warmup_ns = WARMUP_NS;
    fleet->plan.run.duration_ns = (uint64_t)100 * SECOND_NS;
    fleet->plan.network.zones = 3;
    fleet->plan.network.retransmit_timeout_ns = 200000000;
    fleet->world.plan = &fleet->plan;
    for (uint32_t i = 0; i < CLASS_COUNT; i++) {
        fleet->world.base[i] = fleet->node_count;
        fleet->world.count[i] = class_counts[i];
        fleet->node_count += class_counts[i];
    }
}

static struct fleet *fleet_create(void)
{
    struct fleet *fleet = malloc(sizeof *fleet);
    assert_non_null(fleet);
    fleet_init(fleet);
    return fleet;
}

static void fleet_destroy(struct fleet *fleet)
{
    faults_free(&fleet->world);
    free(fleet);
}

static struct plan_fault *fault_add(struct fleet *fleet, enum plan_fault_kind kind,
                                    enum plan_tier tier)
{
    struct plan_fault *fault = &fleet->plan.faults[fleet->plan.fault_count++];
    *fault = (struct plan_fault){
        .kind = kind,
        .tier = tier,
        .at_ns = 5u * (uint64_t)SECOND_NS,
        .duration_ns = 2u * (uint64_t)SECOND_NS,
        .index = PLAN_ANY,
        .zone = PLAN_ANY,
        .count = 1,
        .factor = 10,
        .loss = 0.5,
    };
    return fault;
}

/* The nodes with an outage, as bits. */
static uint64_t hit(const struct fleet *fleet)
{
    uint64_t nodes = 0;
    for (uint32_t node = 0; node < fleet->node_count; node++) {
        nodes |= (uint64_t)(fleet->world.outages[node] != NULL) << node;
    }
    return nodes;
}

static uint64_t bits(uint32_t first, uint32_t count, uint32_t step)
{
    uint64_t nodes = 0;
    for (uint32_t i = 0; i < count; i += step) {
        nodes |= (uint64_t)1 << (first + i);
    }
    return nodes;
}

static void test_a_plan_without_faults_leaves_every_node_and_path_alone(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    faults_init(&fleet->world);
    assert_int_equal(hit(fleet), 0);
    assert_null(fleet->world.cuts);
    assert_int_equal(fleet->world.cut_count, 0);
    assert_int_equal(faults_skew_ms(&fleet->world, 5, WARMUP_NS), 0);
    fleet_destroy(fleet);
}

static void test_a_kill_counts_from_the_end_of_the_warm_up(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fault_add(fleet, PLAN_FAULT_KILL, PLAN_TIER_KAFKA)->index = 2;
    faults_init(&fleet->world);
    assert_int_equal(hit(fleet), bits(16, 1, 1));
    assert_int_equal(fleet->world.outage_counts[16], 1);
    const struct outage_interval *interval = fleet->world.outages[16];
    assert_int_equal(interval->from_ns, WARMUP_NS + 5 * (uint64_t)SECOND_NS);
    assert_int_equal(interval->until_ns, WARMUP_NS + 7 * (uint64_t)SECOND_NS);
    assert_int_equal(interval->kind, OUTAGE_DOWN);
    fleet_destroy(fleet);
}

static void test_targets_are_an_index_or_a_count_from_the_first_or_all(void **state)
{
    (void)state;
    const struct {
        uint32_t index, zone, count;
        uint64_t nodes;
    } cases[] = {
        {1, PLAN_ANY, 1, bits(5, 1, 1)},         {PLAN_ANY, PLAN_ANY, 1, bits(4, 1, 1)},
        {PLAN_ANY, PLAN_ANY, 4, bits(4, 4, 1)},  {PLAN_ANY, PLAN_ANY, 0, bits(4, 6, 1)},
        {PLAN_ANY, 1, 1, bits(5, 1, 1)},         {PLAN_ANY, 1, 2, bits(5, 4, 3)},
        {PLAN_ANY, 2, 0, bits(6, 4, 3)},         {99, PLAN_ANY, 1, 0},
        {PLAN_ANY, PLAN_ANY, 99, bits(4, 6, 1)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fleet *fleet = fleet_create();
        struct plan_fault *fault = fault_add(fleet, PLAN_FAULT_PAUSE, PLAN_TIER_GATEWAY);
        fault->index = cases[i].index;
        fault->zone = cases[i].zone;
        fault->count = cases[i].count;
        faults_init(&fleet->world);
        assert_int_equal(hit(fleet), cases[i].nodes);
        fleet_destroy(fleet);
    }
}

static void test_a_lost_zone_takes_every_tier_and_no_client(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fault_add(fleet, PLAN_FAULT_ZONE, PLAN_TIER_ALL)->zone = 1;
    faults_init(&fleet->world);
    uint64_t expected =
        bits(5, 4, 3) | bits(11, 1, 1) | bits(15, 1, 1) | bits(18, 4, 3) | bits(24, 1, 1);
    assert_int_equal(hit(fleet), expected);
    fleet_destroy(fleet);
}

static void test_where_faults_overlap_the_severer_holds(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    struct plan_fault *slow = fault_add(fleet, PLAN_FAULT_SLOW, PLAN_TIER_REDIS);
    slow->duration_ns = 0; /* To the end. */
    struct plan_fault *kill = fault_add(fleet, PLAN_FAULT_KILL, PLAN_TIER_REDIS);
    kill->at_ns = 6u * (uint64_t)SECOND_NS;
    faults_init(&fleet->world);
    const struct outage_interval *intervals = fleet->world.outages[23];
    assert_int_equal(fleet->world.outage_counts[23], 3);
    assert_int_equal(intervals[0].kind, OUTAGE_SLOW);
    assert_int_equal(intervals[0].stretch_milli, 10000);
    assert_int_equal(intervals[1].kind, OUTAGE_DOWN);
    assert_int_equal(intervals[1].from_ns, WARMUP_NS + 6 * (uint64_t)SECOND_NS);
    assert_int_equal(intervals[2].kind, OUTAGE_SLOW);
    assert_int_equal(intervals[2].until_ns, SIM_NEVER);
    fleet_destroy(fleet);
}

static void test_a_partition_cuts_what_has_one_end_inside_while_it_lasts(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fault_add(fleet, PLAN_FAULT_PARTITION, PLAN_TIER_ALL)->zone = 0;
    faults_init(&fleet->world);
    const struct world *world = &fleet->world;
    uint64_t from_ns = WARMUP_NS + 5 * (uint64_t)SECOND_NS;
    assert_int_equal(cuts_delay(world, 4, 5, from_ns, 0), SIM_NEVER);
    assert_int_equal(cuts_delay(world, 5, 4, from_ns, 0), SIM_NEVER);
    assert_int_equal(cuts_delay(world, 0, 4, from_ns, 0), SIM_NEVER); /* A client in no zone. */
    assert_int_equal(cuts_delay(world, 4, 7, from_ns, 0), 0);
    assert_int_equal(cuts_delay(world, 5, 6, from_ns, 0), 0);
    assert_int_equal(cuts_delay(world, 4, 5, from_ns - 1, 0), 0);
    assert_int_equal(cuts_delay(world, 4, 5, from_ns + 2u * (uint64_t)SECOND_NS, 0), 0);
    fleet_destroy(fleet);
}

/* A packet is late by (2^k - 1) timeouts with probability p^k (1 - p). */
static void test_loss_costs_retransmissions_as_tcp_makes_them(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    struct plan_fault *loss = fault_add(fleet, PLAN_FAULT_LOSS, PLAN_TIER_REDIS);
    loss->index = 0;
    loss->loss = 0.3;
    faults_init(&fleet->world);
    const struct rng_stream stream = rng_stream(1, "packets");
    const uint32_t packets = 200000;
    uint32_t counts[3] = {0};
    for (uint32_t i = 0; i < packets; i++) {
        uint64_t delay_ns = cuts_delay(&fleet->world, 4, 23, WARMUP_NS + 6 * (uint64_t)SECOND_NS,
                                       rng_draw(&stream, 0, i).word[0]);
        uint64_t timeouts = delay_ns / 200000000;
        assert_int_equal(delay_ns % 200000000, 0);
        assert_int_equal((timeouts + 1) & timeouts, 0);
        for (uint32_t k = 0; k < 3; k++) {
            counts[k] += timeouts == (1u << k) - 1;
        }
    }
    for (uint32_t k = 0; k < 3; k++) {
        double share = pow(0.3, k) * 0.7;
        double deviation = sqrt(share * (1 - share) / packets);
        assert_true(fabs((double)counts[k] / packets - share) < 4 * deviation);
    }
    fleet_destroy(fleet);
}

static void test_a_packet_that_nothing_lets_through_is_given_up(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fault_add(fleet, PLAN_FAULT_LOSS, PLAN_TIER_REDIS)->loss = 0.9999;
    faults_init(&fleet->world);
    uint64_t at_ns = WARMUP_NS + 6 * (uint64_t)SECOND_NS;
    assert_int_equal(cuts_delay(&fleet->world, 4, 23, at_ns, 0), SIM_NEVER);
    assert_int_not_equal(cuts_delay(&fleet->world, 4, 23, at_ns, UINT64_MAX), SIM_NEVER);
    fleet_destroy(fleet);
}

/* The search ends early; a naive one does not. */
static void test_many_random_cuts_are_found_as_by_looking_at_all(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fleet->plan.random_fault_count = 2;
    fleet->plan.random_faults[0] = (struct plan_random_fault){
        PLAN_FAULT_PARTITION, PLAN_TIER_GATEWAY, 2u * (uint64_t)SECOND_NS, SECOND_NS, 1, 0};
    fleet->plan.random_faults[1] = (struct plan_random_fault){
        PLAN_FAULT_LOSS, PLAN_TIER_REDIS, 3u * (uint64_t)SECOND_NS, SECOND_NS, 1, 0.2};
    fault_add(fleet, PLAN_FAULT_PARTITION, PLAN_TIER_FANOUT)->duration_ns = 0;
    faults_init(&fleet->world);
    assert_int_equal(hit(fleet), 0);
    assert_true(fleet->world.cut_count > 200);
    const struct rng_stream stream = rng_stream(2, "asked");
    uint32_t lost = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        struct rng_bits draw = rng_draw(&stream, 0, i);
        uint64_t now_ns = rng_below(draw.word[0], (uint64_t)120 * SECOND_NS);
        uint32_t from = (uint32_t)(draw.word[1] % 27);
        uint32_t to = (uint32_t)(draw.word[1] / 27 % 27);
        bool partitioned = false;
        bool lossy = false;
        for (uint32_t k = 0; k < fleet->world.cut_count; k++) {
            const struct cut *cut = &fleet->world.cuts[k];
            bool from_in = cut->inside != NULL ? cut->inside[from] != 0 : cut->node == from;
            bool to_in = cut->inside != NULL ? cut->inside[to] != 0 : cut->node == to;
            if (cut->from_ns <= now_ns && now_ns < cut->until_ns && from_in != to_in) {
                partitioned = partitioned || cut->loss >= 1;
                lossy = lossy || cut->loss < 1;
            }
        }
        lost += partitioned;
        uint64_t delay_ns = cuts_delay(&fleet->world, from, to, now_ns, 0);
        assert_int_equal(delay_ns == SIM_NEVER, partitioned || lossy); /* 0: all is lost. */
        delay_ns = cuts_delay(&fleet->world, from, to, now_ns, UINT64_MAX);
        assert_int_equal(delay_ns == SIM_NEVER, partitioned);
    }
    assert_true(lost > 1000);
    fleet_destroy(fleet);
}

static void test_random_failures_have_their_law_and_their_own_streams(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fleet->plan.run.duration_ns = (uint64_t)4000 * SECOND_NS;
    fleet->world.count[CLASS_PUSH] = 200; /* Room for a law; the last class may grow. */
    fleet->node_count += 199;
    fleet->plan.random_fault_count = 1;
    fleet->plan.random_faults[0] = (struct plan_random_fault){PLAN_FAULT_KILL,
                                                              PLAN_TIER_PUSH,
                                                              30u * (uint64_t)SECOND_NS,
                                                              10u * (uint64_t)SECOND_NS,
                                                              1,
                                                              0};
    faults_init(&fleet->world);
    double down_s = 0;
    double failures = 0;
    for (uint32_t node = 26; node < fleet->node_count; node++) {
        for (uint32_t i = 0; i < fleet->world.outage_counts[node]; i++) {
            const struct outage_interval *interval = &fleet->world.outages[node][i];
            assert_int_equal(interval->kind, OUTAGE_DOWN);
            down_s += (double)(interval->until_ns - interval->from_ns) * 1e-9;
            failures++;
        }
    }
    assert_true(fabs(failures / (200 * 4010.0) - 1 / 40.0) < 0.03 / 40);
    assert_true(fabs(down_s / failures - 10) < 0.3);

    /* A rule behind it, and more nodes before it, leave its draws alone. */
    struct fleet *other = fleet_create();
    other->plan.run.duration_ns = fleet->plan.run.duration_ns;
    other->plan.random_fault_count = 2;
    other->plan.random_faults[0] = fleet->plan.random_faults[0];
    other->plan.random_faults[1] = fleet->plan.random_faults[0];
    other->plan.random_faults[1].tier = PLAN_TIER_GATEWAY;
    other->world.count[CLASS_REDIS] = 5;
    other->world.base[CLASS_PUSH] += 2;
    faults_init(&other->world);
    assert_int_equal(other->world.outage_counts[28], fleet->world.outage_counts[26]);
    assert_memory_equal(other->world.outages[28], fleet->world.outages[26],
                        fleet->world.outage_counts[26] * sizeof *fleet->world.outages[26]);
    assert_true(other->world.outages[4][0].from_ns != other->world.outages[5][0].from_ns);
    fleet_destroy(other);
    fleet_destroy(fleet);
}

static void test_skews_add_up_while_they_last(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    struct plan_fault *skew = fault_add(fleet, PLAN_FAULT_SKEW, PLAN_TIER_GATEWAY);
    skew->index = 1;
    skew->skew_ns = -3 * (int64_t)SECOND_NS;
    struct plan_fault *more = fault_add(fleet, PLAN_FAULT_SKEW, PLAN_TIER_GATEWAY);
    more->count = 0;
    more->at_ns = 6u * (uint64_t)SECOND_NS;
    more->skew_ns = 500000000;
    faults_init(&fleet->world);
    uint64_t start_ns = WARMUP_NS + 5 * (uint64_t)SECOND_NS;
    assert_int_equal(faults_skew_ms(&fleet->world, 5, start_ns - 1), 0);
    assert_int_equal(faults_skew_ms(&fleet->world, 5, start_ns), -3000);
    assert_int_equal(faults_skew_ms(&fleet->world, 5, start_ns + SECOND_NS), -2500);
    assert_int_equal(faults_skew_ms(&fleet->world, 5, start_ns + 2u * (uint64_t)SECOND_NS), 500);
    assert_int_equal(faults_skew_ms(&fleet->world, 4, start_ns), 0);
    assert_int_equal(faults_skew_ms(&fleet->world, 0, start_ns + SECOND_NS), 0);
    fleet_destroy(fleet);
}

/* A node that writes down what it is told. */
struct witness {
    uint32_t count;
    struct sim_event events[8];
};

static void witness_handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    (void)context;
    struct witness *witness = state;
    assert_true(witness->count < 8);
    witness->events[witness->count++] = *event;
}

static const struct sim_class witness_class = {.name = "witness", .handle = witness_handle};

static void test_nodes_are_told_when_they_go_down_and_come_up(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fault_add(fleet, PLAN_FAULT_KILL, PLAN_TIER_GATEWAY);
    fault_add(fleet, PLAN_FAULT_PAUSE, PLAN_TIER_FANOUT);
    fault_add(fleet, PLAN_FAULT_KILL, PLAN_TIER_REDIS)->duration_ns = 0;
    faults_init(&fleet->world);
    const struct sim_config config = {
        .lookahead_ns = 1000, .thread_count = 1, .node_count_max = fleet->node_count};
    struct sim *sim = sim_create(&config);
    struct witness *witnesses = calloc(fleet->node_count, sizeof *witnesses);
    assert_true(sim != NULL && witnesses != NULL);
    for (uint32_t i = 0; i < fleet->node_count; i++) {
        sim_add_node(sim, &witness_class, &witnesses[i], 0);
    }
    faults_post(&fleet->world, sim);
    sim_run(sim, (uint64_t)100 * SECOND_NS);
    for (uint32_t i = 0; i < fleet->node_count; i++) {
        assert_int_equal(witnesses[i].count, i == 4 ? 2 : i == 23 ? 1 : 0);
    }
    assert_int_equal(witnesses[4].events[0].kind, EV_DOWN);
    assert_int_equal(witnesses[4].events[0].time_ns, WARMUP_NS + 5 * (uint64_t)SECOND_NS);
    assert_int_equal(witnesses[4].events[1].kind, EV_UP);
    assert_int_equal(witnesses[4].events[1].time_ns, WARMUP_NS + 7 * (uint64_t)SECOND_NS);
    assert_int_equal(witnesses[23].events[0].kind, EV_DOWN);
    free(witnesses);
    sim_destroy(sim);
    fleet_destroy(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_plan_without_faults_leaves_every_node_and_path_alone),
        cmocka_unit_test(test_a_kill_counts_from_the_end_of_the_warm_up),
        cmocka_unit_test(test_targets_are_an_index_or_a_count_from_the_first_or_all),
        cmocka_unit_test(test_a_lost_zone_takes_every_tier_and_no_client),
        cmocka_unit_test(test_where_faults_overlap_the_severer_holds),
        cmocka_unit_test(test_a_partition_cuts_what_has_one_end_inside_while_it_lasts),
        cmocka_unit_test(test_loss_costs_retransmissions_as_tcp_makes_them),
        cmocka_unit_test(test_a_packet_that_nothing_lets_through_is_given_up),
        cmocka_unit_test(test_many_random_cuts_are_found_as_by_looking_at_all),
        cmocka_unit_test(test_random_failures_have_their_law_and_their_own_streams),
        cmocka_unit_test(test_skews_add_up_while_they_last),
        cmocka_unit_test(test_nodes_are_told_when_they_go_down_and_come_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
