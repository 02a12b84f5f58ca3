#include "tests/unit/cassandra_bed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

static void host_send(struct sim_context *context, struct host *host, const struct sim_event *event)
{
    struct call call;
    EVENT_READ(event, &call);
    struct answer *answer = &host->bed->answers[call.token];
    uint64_t now_ns = sim_context_now(context);
    answer->asked_ns = answer->tries++ == 0 ? now_ns : answer->asked_ns;
    cassandra_send(context, &host->peer, now_ns, event->flags, &call);
    if (host->bed->retries && answer->tries < 40) { /* Asks again if this comes to nothing. */
        struct sim_event again = *event;
        again.time_ns = now_ns + 20 * MS + rng_next(&host->peer.rng).word[0] % (20 * MS);
        again.kind = EV_TICK2;
        sim_send(context, &again);
    }
}

static void host_handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct host *host = state;
    struct reply reply;
    if (event->kind == EV_TICK || event->kind == EV_TICK2) {
        const struct answer *answer = &host->bed->answers[event->data[0]];
        if (event->kind == EV_TICK || answer->err == 1 || answer->err == CHAT_ERR_UNKNOWN ||
            answer->err == CHAT_ERR_FAILED) {
            host_send(context, host, event);
        }
        return;
    }
    assert_int_equal(event->kind, EV_REPLY);
    EVENT_READ(event, &reply);
    struct answer *answer = &host->bed->answers[reply.token];
    bool final = answer->err == CHAT_OK || answer->err == CHAT_ERR_EXISTS;
    if (host->bed->retries && final) {
        return;
    }
    answer->done_ns = event->time_ns;
    answer->err =
        answer->err == 1 || host->bed->retries || reply.err < answer->err ? reply.err : answer->err;
    answer->value = reply.plain.value;
    answer->replies += reply.index == 0;
    if (reply.row == ROW_ENTRY && reply.index < ROWS_MAX) {
        answer->ids[reply.index] = reply.entry.id;
        answer->row = reply.index == 0 ? reply.entry : answer->row;
    } else if (reply.row == ROW_MEMBER) {
        answer->ids[reply.index] = reply.member.user;
    } else if (reply.row == ROW_LOCATION) {
        answer->ids[reply.index] = reply.location.device;
    }
    answer->row_count += reply.row != ROW_NONE;
}

static const struct sim_class host_class = {.name = "host", .handle = host_handle};

struct plan_law bed_constant(double value)
{
    return (struct plan_law){.kind = PLAN_LAW_CONSTANT, .mean = value, .median = value};
}

struct bed *bed_plan(uint32_t nodes, uint64_t run_ns)
{
    struct bed *bed = calloc(1, sizeof *bed);
    assert_non_null(bed);
    bed->answers = calloc(TOKENS_MAX, sizeof *bed->answers);
    assert_non_null(bed->answers);
    bed->plan.run.duration_ns = run_ns;
    bed->plan.run.seed = 1;
    bed->plan.population.peak_factor = 3;
    bed->plan.network.zones = 3;
    bed->plan.network.rtt_in_zone = bed_constant(2 * LATENCY_NS);
    bed->plan.network.rtt_between_zones = bed_constant(2 * LATENCY_NS);
    bed->plan.network.retransmit_timeout_ns = 200 * MS;
    bed->plan.core.inbox_ttl_ns = 30 * 86400 * SECOND;
    bed->plan.core.claim_ttl_ns = 7 * 86400 * SECOND;
    bed->plan.cassandra = (struct plan_cassandra){
        .nodes = nodes,
        .replication = 3,
        .consistency = PLAN_QUORUM,
        .cores = 16,
        .write_slots = 32,
        .read_slots = 32,
        .read_disk = bed_constant(0),
        .lwt_rounds = 2,
        .write_amplification = 7,
        .compaction_bytes_per_s = 64 << 20,
        .disk_bytes_per_s = 1000000000,
        .disk_bytes = 3000000000000,
        .disk_usable = 0.45,
        .retention_ns = 365 * 86400 * SECOND,
        .commitlog_sync_ns = 10 * SECOND,
        .write_timeout_ns = 2 * SECOND,
        .read_timeout_ns = 5 * SECOND,
        .hint_window_ns = 3600 * SECOND,
        .coordinator_max = 4096,
        .nic_bytes_per_s = 1250000000,
    };
    return bed;
}

void bed_fault(struct bed *bed, enum plan_fault_kind kind, uint32_t index, uint64_t at_ns,
               uint64_t duration_ns)
{
    bed->plan.faults[bed->plan.fault_count++] = (struct plan_fault){
        .kind = kind,
        .tier = PLAN_TIER_CASSANDRA,
        .at_ns = at_ns,
        .duration_ns = duration_ns,
        .index = index,
        .zone = PLAN_ANY,
        .count = 1,
    };
}

static void world_start(struct bed *bed)
{
    struct world *world = &bed->world;
    struct dist_spec spec = {.law = DIST_CONSTANT, .mean = LATENCY_NS};
    uint32_t total = HOSTS + bed->plan.cassandra.nodes;
    world->plan = &bed->plan;
    assert_int_equal(dist_init(&world->in_zone, &spec), DIST_OK);
    assert_int_equal(dist_init(&world->between_zones, &spec), DIST_OK);
    for (uint32_t i = 0; i < CLASS_COUNT; i++) {
        world->base[i] = i <= CLASS_GATEWAY ? 0 : i <= CLASS_CASSANDRA ? HOSTS : total;
    }
    world->count[CLASS_GATEWAY] = HOSTS;
    world->count[CLASS_CASSANDRA] = bed->plan.cassandra.nodes;
    world->until_ns = bed->plan.run.duration_ns;
    world->interval_ns = SECOND;
    world->interval_count = (uint32_t)(world->until_ns / SECOND + 1);
    world->zones = calloc(total, sizeof *world->zones);
    world->usage = calloc((size_t)total * world->interval_count, sizeof *world->usage);
    world->stats = bed->stats;
    for (uint32_t i = 0; i < world->thread_count; i++) {
        bed->stats[i] = calloc(1, sizeof *bed->stats[i]);
    }
    for (uint32_t i = 0; i < total; i++) {
        world->zones[i] = (uint8_t)((i < HOSTS ? i : i - HOSTS) % 3);
    }
    faults_init(world);
}

void bed_start_on(struct bed *bed, uint32_t thread_count, enum sim_scheduler scheduler)
{
    struct sim_config config = {.scheduler = scheduler,
                                .lookahead_ns = LATENCY_NS,
                                .thread_count = thread_count,
                                .node_count_max = HOSTS + NODES_MAX};
    bed->world.thread_count = thread_count;
    world_start(bed);
    bed->sim = sim_create(&config);
    bed->ring = cassandra_create(&bed->world);
    assert_non_null(bed->ring);
    for (uint32_t i = 0; i < HOSTS; i++) {
        peer_init(&bed->hosts[i].peer, &bed->world, CLASS_GATEWAY, i, 0);
        bed->hosts[i].bed = bed;
        sim_add_node(bed->sim, &host_class, &bed->hosts[i], i);
    }
    for (uint32_t i = 0; i < bed->plan.cassandra.nodes; i++) {
        sim_add_node(bed->sim, cassandra_class(&bed->world), cassandra_at(bed->ring, i), i);
    }
    cassandra_post(bed->ring, bed->sim);
    faults_post(&bed->world, bed->sim);
}

void bed_start(struct bed *bed)
{
    bed_start_on(bed, 1, SIM_PLAIN);
}

void bed_free(struct bed *bed)
{
    cassandra_destroy(bed->ring);
    sim_destroy(bed->sim);
    faults_free(&bed->world);
    for (uint32_t i = 0; i < bed->world.thread_count; i++) {
        free(bed->stats[i]);
    }
    free(bed->world.zones);
    free(bed->world.usage);
    free(bed->answers);
    free(bed);
}

void bed_call(struct bed *bed, uint32_t host, uint64_t time_ns, uint32_t token, uint32_t device,
              struct call call)
{
    struct sim_event event = {
        .time_ns = time_ns, .node = host, .kind = EV_TICK, .flags = (uint16_t)(device << 8 | 5)};
    assert_true(token < TOKENS_MAX);
    call.token = token;
    bed->answers[token].err = 1;
    EVENT_WRITE(&event, &call);
    sim_post(bed->sim, &event);
}

struct call message(uint64_t id, uint32_t first, uint32_t second, uint32_t recipient)
{
    return (struct call){.entry = {.id = id,
                                   .first = first,
                                   .second = second,
                                   .user = first,
                                   .size_bytes = 160,
                                   .kind = ENTRY_MESSAGE,
                                   .more = recipient},
                         .op = STORE_MESSAGE};
}

struct call group_message(uint64_t id, uint32_t group)
{
    return message(id, group, 0, 0);
}

struct call history(uint32_t first, uint32_t second, uint16_t rows)
{
    return (struct call){.entry = {.id = UINT64_MAX, .first = first, .second = second},
                         .op = READ_HISTORY,
                         .argument = rows};
}

struct call claim(uint64_t id, uint32_t user, uint32_t key)
{
    return (struct call){.entry = {.id = id, .stamp = key, .device = 1, .more = user},
                         .op = STORE_CLAIM};
}

struct call by_user(enum chat_op op, uint32_t user)
{
    return (struct call){.entry = {.more = user}, .op = (uint16_t)op, .argument = 1};
}

uint64_t message_id(uint64_t n)
{
    return (64000000000u + n) << 22; /* Snowflake: some time after 1700000000000. */
}
