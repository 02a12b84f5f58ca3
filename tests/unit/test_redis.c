/* redis: what a shard costs against queueing theory, what it loses, and its short ways against
 * inbox_apply(). Hosts here are nodes that send what a script says and keep what comes back. */
#include "models/infra/faults.h"
#include "models/infra/inbox_counted.h"
#include "models/infra/redis.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#define HOP_NS 100000u /* One way, always. */
#define COMMAND_NS 1500u
#define ROUND_TRIP_NS 8000u
#define MS 1000000u
#define GATEWAYS 3u
#define CORES 2u
#define SHARD (GATEWAYS + 1u) /* Node ids: gateways, one fan-out, shards. */
#define KEPT_MAX 256u
#define POSITION(n) ((uint64_t)1 << INBOX_POSITION_BITS | (n))

struct host {
    struct peer peer;
    /* A Poisson source of LOCATEs, where gap is not NULL. */
    const struct dist *gap;
    uint32_t wanted;
    uint32_t sent;
    /* What came back. */
    uint32_t count;
    uint64_t response_ns; /* Sum, hops excluded; a LOCATE's token is when it was sent. */
    struct sim_event kept[KEPT_MAX];
};

struct fleet {
    struct plan plan;
    struct world world;
    struct sim *sim;
    struct host hosts[GATEWAYS + 1];
    struct redis *shard;
    struct stats *stats;
};

static void call_send(struct sim_context *context, struct host *host, struct sim_event *event)
{
    net_send(context, &host->peer, SHARD, sim_context_now(context), 0, event);
}

static void host_handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct host *host = state;
    if (event->kind != EV_TICK) {
        if (host->count < KEPT_MAX) {
            host->kept[host->count] = *event;
        }
        host->count++;
        host->response_ns += event->time_ns - event->data[0] - 2u * (uint64_t)HOP_NS;
        return;
    }
    struct call call = {.token = event->time_ns, .source = host->peer.node, .op = CACHE_LOCATE};
    call.key.user = 1;
    struct sim_event out = {.kind = EV_CALL};
    EVENT_WRITE(&out, &call);
    call_send(context, host, &out);
    if (++host->sent < host->wanted) {
        uint64_t gap_ns = dist_ns(host->gap, rng_next(&host->peer.rng).word[1]);
        struct sim_event next = {
            .time_ns = event->time_ns + gap_ns, .node = host->peer.node, .kind = EV_TICK};
        sim_send(context, &next);
    }
}

static const struct sim_class host_class = {.name = "host", .handle = host_handle};

static void plan_init(struct plan *plan)
{
    plan->run.seed = 11;
    plan->run.duration_ns = 10u * 1000u * (uint64_t)MS;
    plan->network.zones = 1;
    plan->gateway.cores = CORES;
    plan->population.record_size.mean = 200;
    plan->population.group_size_mean = 10;
    plan->core.presence_ttl_ns = 3000u * (uint64_t)MS;
    plan->redis = (struct plan_redis){
        .shards = 1,
        .cpu_command_ns = COMMAND_NS,
        .cpu_round_trip_ns = ROUND_TRIP_NS,
        .pipeline_max = 16,
        .key_overhead_bytes = 100,
        .presence_bytes = 100,
        .list_overhead_bytes = 100,
        .memory_bytes = 1000000000,
        .rss_ratio = 1,
        .save_ratio = 1,
        .failover_ns = 200u * (uint64_t)MS,
    };
}

static struct fleet *fleet_create(void)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    assert_non_null(fleet);
    plan_init(&fleet->plan);
    return fleet;
}

static void fleet_start(struct fleet *fleet, uint64_t near)
{
    struct world *world = &fleet->world;
    const struct dist_spec hop = {.law = DIST_CONSTANT, .mean = HOP_NS};
    world->plan = &fleet->plan;
    assert_int_equal(dist_init(&world->in_zone, &hop), DIST_OK);
    world->between_zones = world->in_zone;
    world->base[CLASS_GATEWAY] = 0;
    world->count[CLASS_GATEWAY] = GATEWAYS;
    world->base[CLASS_FANOUT] = GATEWAYS;
    world->count[CLASS_FANOUT] = 1;
    world->base[CLASS_REDIS] = SHARD;
    world->count[CLASS_REDIS] = 1;
    world->until_ns = fleet->plan.run.duration_ns;
    world->interval_ns = world->until_ns;
    world->interval_count = 1;
    world->thread_count = 1;
    world->devices_per_user = world->devices_per_user == 0 ? 1 : world->devices_per_user;
    world->zones = calloc(SHARD + 1, 1);
    world->usage = calloc(SHARD + 1, sizeof *world->usage);
    fleet->stats = calloc(1, sizeof *fleet->stats);
    assert_true(world->zones != NULL && world->usage != NULL && fleet->stats != NULL);
    world->stats = &fleet->stats;
    faults_init(world);
    const struct sim_config config = {
        .lookahead_ns = HOP_NS, .thread_count = 1, .node_count_max = SHARD + 1};
    fleet->sim = sim_create(&config);
    assert_non_null(fleet->sim);
    for (uint32_t i = 0; i <= GATEWAYS; i++) {
        bool gateway = i < GATEWAYS;
        peer_init(&fleet->hosts[i].peer, world, gateway ? CLASS_GATEWAY : CLASS_FANOUT,
                  gateway ? i : 0, 0);
        sim_add_node(fleet->sim, &host_class, &fleet->hosts[i], 0);
    }
    fleet->shard = redis_create(world, 0, near);
    assert_non_null(fleet->shard);
    sim_add_node(fleet->sim, &redis_class, fleet->shard, 0);
}

static void fleet_destroy(struct fleet *fleet)
{
    faults_free(&fleet->world);
    redis_destroy(fleet->shard);
    sim_destroy(fleet->sim);
    free(fleet->world.zones);
    free(fleet->world.usage);
    free(fleet->stats);
    free(fleet);
}

/* A call that reaches the shard at `at_ns`. */
static void call_at(struct fleet *fleet, uint64_t at_ns, uint32_t host, uint16_t device,
                    const struct call *call)
{
    struct sim_event event = {
        .time_ns = at_ns, .node = SHARD, .kind = EV_CALL, .flags = (uint16_t)(device << 8)};
    struct call sent = *call;
    sent.source = host;
    EVENT_WRITE(&event, &sent);
    sim_post(fleet->sim, &event);
}

static struct call key_call(enum chat_op op, uint64_t token, uint32_t user, uint64_t conn_id,
                            uint64_t position)
{
    struct call call = {.token = token, .op = (uint16_t)(op | (token == 0 ? 0x8000 : 0))};
    call.key.user = user;
    call.key.conn_id = conn_id;
    call.key.position = position;
    return call;
}

static struct call append_call(uint64_t token, uint32_t user, uint64_t id, uint16_t named)
{
    return (struct call){
        .token = token,
        .entry =
            {.id = id, .first = 1, .second = 2, .user = 1, .kind = ENTRY_MESSAGE, .more = user},
        .op = CACHE_APPEND,
        .argument = named,
    };
}

static struct reply reply_at(const struct host *host, uint32_t index)
{
    assert_true(index < host->count && index < KEPT_MAX);
    assert_int_equal(host->kept[index].kind, EV_REPLY);
    struct reply reply;
    EVENT_READ(&host->kept[index], &reply);
    return reply;
}

static double utilization(const struct fleet *fleet)
{
    struct resource_use uses[RESOURCE_COUNT] = {{0, 0}};
    redis_use(fleet->shard, uses);
    return uses[RESOURCE_CPU].used;
}

/* One host sends LOCATEs at a Poisson rate that would make `load` of the shard's time, alone. */
static void poisson_run(struct fleet *fleet, double load, double work_ns, uint32_t calls,
                        struct dist *gap)
{
    const struct dist_spec spec = {.law = DIST_EXPONENTIAL, .mean = work_ns / load};
    assert_int_equal(dist_init(gap, &spec), DIST_OK);
    fleet->plan.run.duration_ns = (uint64_t)(work_ns / load * calls);
    fleet_start(fleet, 10);
    fleet->hosts[0].gap = gap;
    fleet->hosts[0].wanted = calls;
    const struct sim_event first = {.kind = EV_TICK};
    sim_post(fleet->sim, &first);
    sim_run(fleet->sim, SIM_NEVER - 1);
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
        struct fleet *fleet = fleet_create();
        fleet->plan.redis.pipeline_max = 1;
        poisson_run(fleet, load, work_ns, 400000, gap);
        const struct host *host = &fleet->hosts[0];
        assert_int_equal(host->count, 400000);
        double response_ns = (double)host->response_ns / host->count;
        double expected_ns = work_ns * (1 + load / (2 * (1 - load)));
        assert_true(fabs(response_ns / expected_ns - 1) < 0.02);
        assert_true(fabs(utilization(fleet) / load - 1) < 0.01);
        fleet_destroy(fleet);
    }
    free(gap);
}

/* Three times more than it could do one by one; by batches it keeps up. */
static void test_pipelining_carries_a_load_that_single_commands_would_not(void **state)
{
    (void)state;
    struct dist *gap = malloc(sizeof *gap);
    assert_non_null(gap);
    struct fleet *fleet = fleet_create();
    poisson_run(fleet, 3, COMMAND_NS + ROUND_TRIP_NS, 400000, gap);
    const struct host *host = &fleet->hosts[0];
    assert_int_equal(host->count, 400000);
    /* A batch of n takes T = r + n c, and n come in T: T = r / (1 - c / gap), all of them full. */
    double batch_ns = ROUND_TRIP_NS / (1 - COMMAND_NS / dist_mean(gap));
    assert_true((double)host->response_ns / host->count < 2.5 * batch_ns);
    assert_true(utilization(fleet) < 1);
    fleet_destroy(fleet);
    free(gap);
}

static void test_a_batch_pays_for_one_round_trip_of_each_host(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fleet->plan.redis.pipeline_max = 4;
    fleet_start(fleet, 10);
    const struct call call = key_call(CACHE_LOCATE, 1, 1, 0, 0);
    for (uint32_t i = 0; i < 6; i++) {
        call_at(fleet, MS, 0, 0, &call); /* Two pipelines, as only four fit one. */
    }
    call_at(fleet, MS, 1, 0, &call);
    call_at(fleet, MS + 100, 0, 0, &call); /* While that is in service: in the next batch, ... */
    call_at(fleet, MS + 200, 0, 0, &call); /* ... which has not begun. */
    sim_run(fleet->sim, 10u * MS);
    const struct host *host = &fleet->hosts[0];
    assert_int_equal(host->count, 8);
    const uint64_t start_ns = MS + HOP_NS;
    assert_int_equal(host->kept[0].time_ns, start_ns + ROUND_TRIP_NS + COMMAND_NS);
    assert_int_equal(host->kept[3].time_ns, start_ns + ROUND_TRIP_NS + 4 * COMMAND_NS);
    assert_int_equal(host->kept[5].time_ns, start_ns + 2 * ROUND_TRIP_NS + 6 * COMMAND_NS);
    assert_int_equal(fleet->hosts[1].kept[0].time_ns,
                     start_ns + 3 * ROUND_TRIP_NS + 7 * COMMAND_NS);
    assert_int_equal(host->kept[6].time_ns, start_ns + 4 * ROUND_TRIP_NS + 8 * COMMAND_NS);
    assert_int_equal(host->kept[7].time_ns, start_ns + 4 * ROUND_TRIP_NS + 9 * COMMAND_NS);
    fleet_destroy(fleet);
}

static void test_a_pause_delays_and_a_slow_shard_stretches(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    for (uint32_t i = 0; i < 2; i++) {
        fleet->plan.faults[fleet->plan.fault_count++] = (struct plan_fault){
            .kind = i == 0 ? PLAN_FAULT_PAUSE : PLAN_FAULT_SLOW,
            .tier = PLAN_TIER_REDIS,
            .at_ns = (10 + 20 * (uint64_t)i) * MS,
            .duration_ns = 10u * MS,
            .index = PLAN_ANY,
            .zone = PLAN_ANY,
            .factor = 3,
        };
    }
    fleet_start(fleet, 10);
    const struct call call = key_call(CACHE_LOCATE, 1, 1, 0, 0);
    call_at(fleet, 12u * MS, 0, 0, &call);
    call_at(fleet, 32u * MS, 0, 0, &call);
    sim_run(fleet->sim, 100u * MS);
    const struct host *host = &fleet->hosts[0];
    assert_int_equal(host->count, 2);
    assert_int_equal(host->kept[0].time_ns, 20u * MS + HOP_NS + ROUND_TRIP_NS + COMMAND_NS);
    assert_int_equal(host->kept[1].time_ns, 32u * MS + HOP_NS + 3 * (ROUND_TRIP_NS + COMMAND_NS));
    fleet_destroy(fleet);
}

static void test_a_fork_stops_the_shard_once_a_period(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fleet->plan.redis.save_period_ns = 1000u * (uint64_t)MS;
    fleet->plan.redis.fork_stall_ns_per_gb = 1000u * (uint64_t)MS;
    fleet_start(fleet, 99999); /* 100,000 users of 124 + 200 B: 32.4 MB, so 32.4 ms. */
    const struct call call = key_call(CACHE_LOCATE, 0, 1, 0, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        struct call asked = call;
        asked.token = i * (uint64_t)MS;
        asked.op = CACHE_LOCATE;
        call_at(fleet, asked.token, 0, 0, &asked);
    }
    sim_run(fleet->sim, 2000u * (uint64_t)MS);
    const struct host *host = &fleet->hosts[0];
    assert_int_equal(host->count, 1000);
    /* Those who came in the stall waited for half of it, on average: 33 * 16.2 ms. */
    double waited_ms = (double)host->response_ns * 1e-6 + 1000 * 0.1; /* No hop there. */
    assert_true(waited_ms > 400 && waited_ms < 700);
    fleet_destroy(fleet);
}

/* -- Faults ------------------------------------------------------------------------------------ */

#define APPENDS 300u
#define KILL_NS (200u * (uint64_t)MS)

/* Device 1 of user 1 is registered; then an entry a millisecond; a kill after some 200 of them. At
 * 900 ms somebody registers and reads the inbox. */
static struct fleet *killed_fleet(uint32_t replicas, uint64_t duration_ns, uint64_t seed)
{
    struct fleet *fleet = fleet_create();
    fleet->plan.run.contents = true;
    fleet->plan.run.seed = seed;
    fleet->plan.redis.replicas = replicas;
    fleet->plan.fault_count = 1;
    fleet->plan.faults[0] = (struct plan_fault){.kind = PLAN_FAULT_KILL,
                                                .tier = PLAN_TIER_REDIS,
                                                .at_ns = KILL_NS,
                                                .duration_ns = duration_ns,
                                                .index = PLAN_ANY,
                                                .zone = PLAN_ANY};
    fleet_start(fleet, 0);
    faults_post(&fleet->world, fleet->sim);
    struct call call = key_call(CACHE_REGISTER, 1, 1, 77, 0);
    call_at(fleet, 1000, 0, 1, &call);
    for (uint32_t i = 1; i <= APPENDS; i++) {
        call = append_call(1 + i, 1, i, 0);
        call_at(fleet, i * (uint64_t)MS, GATEWAYS, 0, &call);
    }
    return fleet;
}

static void test_a_failover_loses_the_tail_and_begins_a_generation(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct fleet *fleet = killed_fleet(1, 0, seed);
        struct call call = key_call(CACHE_REGISTER, 1000, 1, 78, 0);
        call_at(fleet, 900u * (uint64_t)MS, 0, 1, &call);
        sim_run(fleet->sim, 1000u * (uint64_t)MS);
        /* Down from 200 to 400 ms: 199 of 300 entries were answered. */
        assert_int_equal(fleet->hosts[GATEWAYS].count, 199);
        assert_int_equal(fleet->stats->total[COUNT_LOST], 101);
        struct reply reply = reply_at(&fleet->hosts[0], 1);
        assert_int_equal(reply.row, ROW_LOCATION);
        assert_int_equal(reply.location.flags & 1, 1);
        assert_int_equal(reply.location.position >> INBOX_POSITION_BITS, 2);
        uint64_t kept = reply.location.position & 0xffffffff;
        assert_true(kept <= 199 && kept >= 199 - 50);
        fleet_destroy(fleet);
    }
}

static void test_a_shard_nobody_takes_over_from_begins_empty(void **state)
{
    (void)state;
    /* Without a replica; and with one, but up again before the failover. */
    for (uint32_t replicas = 0; replicas < 2; replicas++) {
        struct fleet *fleet = killed_fleet(replicas, 150u * (uint64_t)MS, 1);
        struct call call = append_call(1000, 1, 1000, 0);
        call_at(fleet, 349u * (uint64_t)MS, 0, 0, &call);
        call.token = 1001;
        call_at(fleet, 351u * (uint64_t)MS, 0, 0, &call);
        call = append_call(1002, 1, 1000, 1u << 1 | 1u << 2);
        call_at(fleet, 352u * (uint64_t)MS, 0, 0, &call);
        sim_run(fleet->sim, 1000u * (uint64_t)MS);
        const struct host *host = &fleet->hosts[0];
        assert_int_equal(host->count, 4);
        struct reply reply = reply_at(host, 1);
        assert_int_equal(reply.token, 1001);
        assert_int_equal(reply.err, CHAT_ERR_MISSING);
        for (uint32_t i = 0; i < 2; i++) { /* Naming the devices makes them. */
            reply = reply_at(host, 2 + i);
            assert_int_equal(reply.err, CHAT_OK);
            assert_int_equal(reply.index, i);
            assert_int_equal(reply.total, 2);
            assert_int_equal(reply.location.position, (uint64_t)2 << INBOX_POSITION_BITS | 1);
        }
        fleet_destroy(fleet);
    }
}

static void test_what_a_kill_finds_waiting_never_happens(void **state)
{
    (void)state;
    struct fleet *fleet = killed_fleet(0, 0, 1);
    struct call call = append_call(5000, 2, 9, 2);
    for (uint32_t i = 0; i < 100; i++) {
        call_at(fleet, KILL_NS - 50000, 1, 0, &call); /* 50 us before: 8 us and 1.5 us each. */
    }
    sim_run(fleet->sim, KILL_NS - 1);
    uint64_t elements = inbox_counts(redis_inbox(fleet->shard)).elements;
    sim_run(fleet->sim, 1000u * (uint64_t)MS);
    /* 7 batches of 16 were begun at most; what started before the kill was answered. */
    assert_true(fleet->hosts[1].count > 10 && fleet->hosts[1].count < 30);
    assert_int_equal(elements, 199 + fleet->hosts[1].count);
    fleet_destroy(fleet);
}

/* -- Pub/Sub and presence ---------------------------------------------------------------------- */

static void test_pub_sub_forwards_to_the_gateway_that_is_named(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fleet->plan.fault_count = 1;
    fleet->plan.faults[0] = (struct plan_fault){
        .kind = PLAN_FAULT_KILL, .tier = PLAN_TIER_GATEWAY, .index = 1, .zone = PLAN_ANY};
    fleet_start(fleet, 10);
    struct route route = {.entry = {.id = 3, .kind = ENTRY_MESSAGE, .more = 5}, .conn_id = 99};
    struct sim_event event = {.time_ns = MS, .node = SHARD, .kind = EV_ROUTE};
    EVENT_WRITE(&event, &route);
    event.flags = 2 * CORES + 1;
    sim_post(fleet->sim, &event);
    event.flags = 1 * CORES;
    sim_post(fleet->sim, &event);
    sim_run(fleet->sim, 10u * MS);
    assert_int_equal(fleet->hosts[1].count, 0);
    assert_int_equal(fleet->hosts[2].count, 1);
    assert_int_equal(fleet->stats->total[COUNT_LOST], 1);
    const struct sim_event *got = &fleet->hosts[2].kept[0];
    assert_int_equal(got->kind, EV_ROUTE);
    assert_int_equal(got->flags, 2 * CORES + 1);
    assert_memory_equal(got->data, &route, sizeof route);
    /* Second in its batch: the publisher's round trip and two commands came before. */
    assert_int_equal(got->time_ns, MS + HOP_NS + 3 * ROUND_TRIP_NS + 4 * COMMAND_NS);
    fleet_destroy(fleet);
}

static void refresh_at(struct fleet *fleet, uint64_t at_ns, uint32_t gateway, uint64_t keys,
                       bool started)
{
    struct sim_event event = {.time_ns = at_ns, .node = SHARD, .kind = EV_REFRESH};
    struct call call = {.source = gateway, .op = started ? 1 : 0};
    call.key.position = keys;
    EVENT_WRITE(&event, &call);
    sim_post(fleet->sim, &event);
}

static bool is_online(struct fleet *fleet, uint32_t user, uint64_t at_ns)
{
    uint32_t before = fleet->hosts[2].count;
    const struct call call = key_call(CACHE_LOCATE, 1, user, 0, 0);
    call_at(fleet, at_ns, 2, 0, &call);
    sim_run(fleet->sim, at_ns + 10u * MS);
    assert_int_equal(fleet->hosts[2].count, before + 1);
    return reply_at(&fleet->hosts[2], before).row == ROW_LOCATION;
}

static void test_a_refresh_keeps_presence_and_costs_a_command_a_key(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fleet_start(fleet, 10);
    inbox_place(redis_inbox(fleet->shard), 1, 1, 0 * CORES + 1, 7, 0, WALL_BASE_MS);
    inbox_place(redis_inbox(fleet->shard), 2, 1, 1 * CORES, 8, 0, WALL_BASE_MS);
    refresh_at(fleet, 2000u * (uint64_t)MS, 0, 100, false);
    assert_true(is_online(fleet, 1, 2900u * (uint64_t)MS));
    assert_true(is_online(fleet, 2, 2950u * (uint64_t)MS));
    assert_true(is_online(fleet, 1, 4500u * (uint64_t)MS));
    assert_false(is_online(fleet, 2, 4550u * (uint64_t)MS)); /* Time to live: 3 s. */
    double work_ns = 100 * COMMAND_NS + 7 * ROUND_TRIP_NS + 4 * (COMMAND_NS + ROUND_TRIP_NS);
    assert_true(fabs(utilization(fleet) * (double)fleet->world.until_ns - work_ns) < 1);
    /* Nothing was lost of gateway 0; of gateway 1, everything. */
    refresh_at(fleet, 4600u * (uint64_t)MS, 0, 1, false);
    refresh_at(fleet, 4700u * (uint64_t)MS, 1, 1, false);
    refresh_at(fleet, 4800u * (uint64_t)MS, 1, 1, false);
    sim_run(fleet->sim, 5000u * (uint64_t)MS);
    assert_int_equal(fleet->hosts[0].count, 0);
    assert_int_equal(fleet->hosts[1].count, 1);
    assert_int_equal(reply_at(&fleet->hosts[1], 0).plain.value, 1);
    assert_int_equal(reply_at(&fleet->hosts[1], 0).token, 0);
    fleet_destroy(fleet);
}

static void test_a_gateway_that_started_anew_has_nobody_and_is_told_nothing(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fleet_start(fleet, 10);
    inbox_place(redis_inbox(fleet->shard), 1, 1, 1, 7, 0, WALL_BASE_MS);
    assert_true(is_online(fleet, 1, 100u * MS));
    refresh_at(fleet, 200u * MS, 0, 0, true);
    assert_false(is_online(fleet, 1, 300u * MS));
    refresh_at(fleet, 400u * MS, 0, 0, false);
    sim_run(fleet->sim, 500u * MS);
    assert_int_equal(fleet->hosts[0].count, 0);
    fleet_destroy(fleet);
}

/* -- Contents and counts ----------------------------------------------------------------------- */

static void test_entries_travel_as_one_packet_that_ends_with_the_last_position(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fleet->plan.run.contents = true;
    fleet_start(fleet, 0);
    struct call call = append_call(1, 4, 100, 2);
    call_at(fleet, 1u * MS, 0, 0, &call);
    call = append_call(2, 4, 101, 0);
    call_at(fleet, 2u * MS, 0, 0, &call);
    call = key_call(CACHE_INBOX, 3, 4, 0, POSITION(1));
    call_at(fleet, 3u * MS, 0, 1, &call);
    call = key_call(CACHE_INBOX, 4, 4, 0, POSITION(2));
    call_at(fleet, 4u * MS, 0, 1, &call);
    call = key_call(CACHE_INBOX, 5, 4, 0, 0);
    call_at(fleet, 5u * MS, 0, 2, &call);
    sim_run(fleet->sim, 10u * MS);
    const struct host *host = &fleet->hosts[0];
    assert_int_equal(host->count, 6);
    struct reply entry = reply_at(host, host->kept[2].data[1] == 101 ? 2 : 3);
    struct reply end = reply_at(host, host->kept[2].data[1] == 101 ? 3 : 2);
    assert_int_equal(host->kept[2].time_ns, host->kept[3].time_ns);
    assert_int_equal(entry.row, ROW_ENTRY);
    assert_int_equal(entry.entry.id, 101);
    assert_int_equal(entry.entry.more, 2);
    assert_int_equal(entry.value_low, 1);
    assert_int_equal(entry.total, 2);
    assert_int_equal(end.row, ROW_NONE);
    assert_int_equal(end.total, 2);
    assert_int_equal(end.index, 1);
    assert_int_equal(end.plain.value, POSITION(2));
    end = reply_at(host, 4); /* Nothing behind. */
    assert_int_equal(end.row, ROW_NONE);
    assert_int_equal(end.total, 1);
    assert_int_equal(end.plain.value, POSITION(2));
    assert_int_equal(reply_at(host, 5).err, CHAT_ERR_MISSING); /* No such device. */
    fleet_destroy(fleet);
}

static void test_far_users_are_woken_and_take_no_memory(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fleet_start(fleet, 10);
    uint64_t bytes = inbox_counts(redis_inbox(fleet->shard)).memory_bytes;
    for (uint32_t i = 0; i < 3; i++) {
        const struct call call = append_call(1 + i, 4000000000u, 9, 0);
        call_at(fleet, (1 + i) * MS, 0, 0, &call);
    }
    struct call call = key_call(CACHE_LOCATE, 8, 11, 0, 0);
    call_at(fleet, 5u * MS, 0, 0, &call);
    call = key_call(CACHE_TRIM, 0, 11, 0, 4);
    call_at(fleet, 6u * MS, 0, 1, &call);
    sim_run(fleet->sim, 10u * MS);
    assert_int_equal(fleet->hosts[0].count, 4);
    for (uint32_t i = 0; i < 3; i++) {
        const struct reply reply = reply_at(&fleet->hosts[0], i);
        assert_int_equal(reply.row, ROW_LOCATION);
        assert_int_equal(reply.total, 1);
        assert_int_equal(reply.location.user, 4000000000u);
        assert_int_equal(reply.location.device, 1);
        assert_int_equal(reply.location.conn_id, 0);
        assert_int_equal(reply.location.flags, 0);
    }
    const struct reply located = reply_at(&fleet->hosts[0], 3);
    assert_int_equal(located.err, CHAT_OK);
    assert_int_equal(located.row, ROW_NONE);
    assert_int_equal(inbox_counts(redis_inbox(fleet->shard)).memory_bytes, bytes);
    fleet_destroy(fleet);
}

static void test_counted_inboxes_say_how_many_rows_there_would_be(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fleet_start(fleet, 10);
    inbox_place(redis_inbox(fleet->shard), 3, 1, 0, 0, 5, WALL_BASE_MS);
    struct call call = key_call(CACHE_INBOX, 1, 3, 0, 0);
    call_at(fleet, 1u * MS, 0, 1, &call);
    call = key_call(CACHE_TRIM, 0, 3, 0, POSITION(4));
    call_at(fleet, 2u * MS, 0, 1, &call);
    call = key_call(CACHE_INBOX, 2, 3, 0, 0);
    call_at(fleet, 3u * MS, 0, 1, &call);
    sim_run(fleet->sim, 10u * MS);
    struct reply reply = reply_at(&fleet->hosts[0], 0);
    assert_int_equal(reply.row, ROW_NONE);
    assert_int_equal(reply.plain.value, POSITION(5));
    assert_int_equal(reply.value_low, 5);
    reply = reply_at(&fleet->hosts[0], 1);
    assert_int_equal(reply.value_low, 1);
    fleet_destroy(fleet);
}

static void test_member_lists_are_found_as_often_as_a_cache_would(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fleet->plan.population.groups = 1000;
    fleet->plan.population.group_share = 0.5;
    fleet->plan.population.message_rate_per_s = 1000;
    fleet->plan.core.member_cache_ttl_ns = 6000u * (uint64_t)MS; /* a T = 3: 3 of 4 hit. */
    fleet_start(fleet, 10);
    for (uint32_t i = 0; i < 20000; i++) {
        struct call call = {.token = i + 1, .op = CACHE_MEMBERS};
        call.entry.first = 1 + i % 1000;
        call_at(fleet, i * 10000u, 0, 0, &call);
    }
    sim_run(fleet->sim, 1000u * (uint64_t)MS);
    assert_int_equal(fleet->hosts[0].count, 20000);
    uint32_t hits = 0;
    for (uint32_t i = 0; i < KEPT_MAX; i++) {
        const struct reply reply = reply_at(&fleet->hosts[0], i);
        assert_true(reply.err == CHAT_OK || reply.err == CHAT_ERR_MISSING);
        hits += reply.err == CHAT_OK;
    }
    assert_true(hits > KEPT_MAX * 0.65 && hits < KEPT_MAX * 0.85);
    struct resource_use uses[RESOURCE_COUNT] = {{0, 0}};
    redis_use(fleet->shard, uses);
    double held = (double)inbox_counts(redis_inbox(fleet->shard)).memory_bytes;
    assert_true(fabs(uses[RESOURCE_MEMORY].used - held - 750 * (200 + 10 * 24)) < 1);
    fleet_destroy(fleet);
}

static void test_a_second_device_exists_only_where_the_fleet_has_one(void **state)
{
    (void)state;
    struct fleet *fleet = fleet_create();
    fleet->world.devices_per_user = 2;
    fleet->world.near = 10;
    fleet->world.client_count = 14; /* Users 1 to 4 have two. */
    fleet_start(fleet, 10);
    assert_int_equal(inbox_counts(redis_inbox(fleet->shard)).devices, 14 + 2); /* And user 0. */
    struct call call = append_call(1, 4, 9, 0);
    call_at(fleet, 1u * MS, 0, 0, &call);
    call = append_call(2, 5, 9, 0);
    call_at(fleet, 2u * MS, 0, 0, &call);
    call = append_call(3, 3, 9, 0);
    call_at(fleet, 3u * MS, 0, 2, &call); /* Sent from device 2: only to device 1. */
    sim_run(fleet->sim, 10u * MS);
    const struct host *host = &fleet->hosts[0];
    assert_int_equal(host->count, 4);
    assert_int_equal(reply_at(host, 0).total, 2);
    assert_int_equal(host->kept[0].time_ns, host->kept[1].time_ns);
    assert_int_equal(reply_at(host, 2).total, 1);
    assert_int_equal(reply_at(host, 2).location.device, 1);
    assert_int_equal(reply_at(host, 3).location.device, 1);
    fleet_destroy(fleet);
}

/* -- The inline path, against inbox_apply() -----------------------------------------------------
 */

static void locations_agree(const struct inbox_reply *reply, bool told,
                            const struct inbox_located *located)
{
    assert_int_equal(reply->location_count, told);
    if (told) {
        assert_int_equal(reply->locations[0].conn_id, located->conn_id);
        assert_int_equal(reply->locations[0].position, located->position);
        assert_int_equal(reply->locations[0].trimmed, located->trimmed);
        assert_int_equal(reply->locations[0].gateway, located->gateway);
        assert_int_equal(reply->locations[0].fresh, located->fresh);
        assert_int_equal(reply->locations[0].pushed, located->pushed);
    }
}

/* One operation on both: `quick` inline, `plain` by inbox_apply(). */
static void both_do(struct inbox *quick, struct inbox *plain, uint32_t op, uint32_t user,
                    uint64_t position, uint64_t now_ms, struct inbox_reply *reply)
{
    struct chat_effect effect = {.kind = CHAT_FX_CACHE, .op = (uint8_t)op, .user = user};
    effect.position = op == CACHE_TRIM ? position : 0;
    effect.device = op == CACHE_APPEND || op == CACHE_LOCATE ? 0 : 1;
    effect.conn_id = op == CACHE_REGISTER || op == CACHE_UNREGISTER ? 1 + position % 3 : 0;
    uint32_t gateway = user % 4;
    inbox_apply(plain, gateway, &effect, NULL, now_ms, reply);
    const struct inbox_view view = inbox_view(quick);
    struct slot *slot = inbox_counted_slots(&view, user);
    struct inbox_located located;
    if (!inbox_counted_known(slot) || op == CACHE_REGISTER || op == CACHE_UNREGISTER) {
        int32_t err = reply->err;
        inbox_apply(quick, gateway, &effect, NULL, now_ms, reply);
        assert_int_equal(err, reply->err);
    } else if (op == CACHE_APPEND) {
        locations_agree(reply, inbox_counted_append(quick, slot, now_ms, &located), &located);
    } else if (op == CACHE_LOCATE) {
        locations_agree(reply, inbox_counted_locate(quick, slot, now_ms, &located), &located);
    } else {
        inbox_counted_trim(quick, slot, position);
    }
}

static void test_the_inline_path_does_what_inbox_apply_does(void **state)
{
    (void)state;
    static const uint8_t ops[] = {CACHE_APPEND, CACHE_APPEND,   CACHE_APPEND,    CACHE_TRIM,
                                  CACHE_LOCATE, CACHE_REGISTER, CACHE_UNREGISTER};
    struct inbox_config config = inbox_config_default(false);
    config.gateways_max = 4;
    config.stride = 7;
    config.rest = 3;
    config.users_max = 20;
    struct inbox *quick = inbox_create(&config);
    struct inbox *plain = inbox_create(&config);
    struct inbox_reply *reply = malloc(sizeof *reply);
    assert_true(quick != NULL && plain != NULL && reply != NULL);
    const struct rng_stream stream = rng_stream(3, "operations");
    uint64_t now_ms = WALL_BASE_MS;
    for (uint32_t i = 0; i < 200000; i++) {
        struct rng_bits draw = rng_draw(&stream, 0, i);
        uint32_t user = 3 + 7 * (uint32_t)(draw.word[0] % 20);
        uint32_t what = (uint32_t)(draw.word[0] >> 32) % 1000;
        now_ms += draw.word[1] % 100;
        uint64_t generation = inbox_counts(plain).generation - (what % 20 == 0);
        uint64_t position = generation << INBOX_POSITION_BITS | (draw.word[1] >> 32) % 100;
        if (what == 0) {
            inbox_failover(quick);
            inbox_failover(plain);
        } else if (what == 1 && i % 5 == 0) {
            inbox_flush(quick);
            inbox_flush(plain);
        } else if (what == 2) {
            inbox_gateway_started(quick, user % 4, now_ms);
            inbox_gateway_started(plain, user % 4, now_ms);
        } else if (what < 6) { /* Seldom enough to come too late now and then. */
            assert_int_equal(inbox_refresh(quick, user % 4, now_ms),
                             inbox_refresh(plain, user % 4, now_ms));
        } else {
            both_do(quick, plain, ops[what % 7], user, position, now_ms, reply);
        }
        const struct inbox_counts a = inbox_counts(quick);
        const struct inbox_counts b = inbox_counts(plain);
        assert_memory_equal(&a, &b, sizeof a);
    }
    assert_true(inbox_counts(plain).registered > 0 && inbox_counts(plain).elements > 0);
    inbox_destroy(quick);
    inbox_destroy(plain);
    free(reply);
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
        cmocka_unit_test(test_entries_travel_as_one_packet_that_ends_with_the_last_position),
        cmocka_unit_test(test_far_users_are_woken_and_take_no_memory),
        cmocka_unit_test(test_counted_inboxes_say_how_many_rows_there_would_be),
        cmocka_unit_test(test_member_lists_are_found_as_often_as_a_cache_would),
        cmocka_unit_test(test_a_second_device_exists_only_where_the_fleet_has_one),
        cmocka_unit_test(test_the_inline_path_does_what_inbox_apply_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
