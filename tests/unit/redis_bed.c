#include "tests/unit/redis_bed.h"

#include "models/infra/faults.h"

#include <stdlib.h>

static void host_handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct redis_host *host = state;
    if (event->kind != EV_TICK) {
        if (host->count < REDIS_BED_KEPT_MAX) {
            host->kept[host->count] = *event;
        }
        host->count++;
        host->response_ns += event->time_ns - event->data[0] - 2u * REDIS_BED_HOP_NS;
        return;
    }
    struct call call = {.token = event->time_ns, .source = host->peer.node, .op = CACHE_LOCATE};
    call.key.user = 1;
    struct sim_event out = {.kind = EV_CALL};
    EVENT_WRITE(&out, &call);
    net_send(context, &host->peer, REDIS_BED_SHARD, event->time_ns, 0, &out);
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
    plan->run.duration_ns = 10000 * MS;
    plan->network.zones = 1;
    plan->gateway.cores = REDIS_BED_CORES;
    plan->population.record_size.mean = 200;
    plan->population.group_size_mean = 10;
    plan->core.presence_ttl_ns = 3000 * MS;
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
        .failover_ns = 200 * MS,
    };
}

struct redis_bed *redis_bed_create(void)
{
    struct redis_bed *bed = calloc(1, sizeof *bed);
    CHECK(bed != NULL);
    plan_init(&bed->plan);
    return bed;
}

void redis_bed_start(struct redis_bed *bed, uint64_t near)
{
    struct world *world = &bed->world;
    const struct dist_spec hop = {.law = DIST_CONSTANT, .mean = REDIS_BED_HOP_NS};
    world->plan = &bed->plan;
    CHECK(dist_init(&world->in_zone, &hop) == DIST_OK);
    world->between_zones = world->in_zone;
    world->base[CLASS_GATEWAY] = 0;
    world->count[CLASS_GATEWAY] = REDIS_BED_GATEWAYS;
    world->base[CLASS_FANOUT] = REDIS_BED_GATEWAYS;
    world->count[CLASS_FANOUT] = 1;
    world->base[CLASS_REDIS] = REDIS_BED_SHARD;
    world->count[CLASS_REDIS] = 1;
    world->until_ns = bed->plan.run.duration_ns;
    world->interval_ns = world->until_ns;
    world->interval_count = 1;
    world->thread_count = 1;
    world->devices_per_user = world->devices_per_user == 0 ? 1 : world->devices_per_user;
    world->zones = calloc(REDIS_BED_SHARD + 1, 1);
    world->usage = calloc(REDIS_BED_SHARD + 1, sizeof *world->usage);
    bed->stats = calloc(1, sizeof *bed->stats);
    CHECK(world->zones != NULL && world->usage != NULL && bed->stats != NULL);
    world->stats = &bed->stats;
    faults_init(world);
    const struct sim_config config = {
        .lookahead_ns = REDIS_BED_HOP_NS, .thread_count = 1, .node_count_max = REDIS_BED_SHARD + 1};
    bed->sim = sim_create(&config);
    CHECK(bed->sim != NULL);
    for (uint32_t i = 0; i <= REDIS_BED_GATEWAYS; i++) {
        bool gateway = i < REDIS_BED_GATEWAYS;
        peer_init(&bed->hosts[i].peer, world, gateway ? CLASS_GATEWAY : CLASS_FANOUT,
                  gateway ? i : 0, 0);
        sim_add_node(bed->sim, &host_class, &bed->hosts[i], 0);
    }
    bed->shard = redis_create(world, 0, near);
    CHECK(bed->shard != NULL);
    sim_add_node(bed->sim, &redis_class, bed->shard, 0);
}

void redis_bed_destroy(struct redis_bed *bed)
{
    faults_free(&bed->world);
    redis_destroy(bed->shard);
    sim_destroy(bed->sim);
    free(bed->world.zones);
    free(bed->world.usage);
    free(bed->stats);
    free(bed);
}

struct plan_fault *redis_bed_fault(struct redis_bed *bed, enum plan_fault_kind kind,
                                   enum plan_tier tier, uint64_t at_ns, uint64_t duration_ns)
{
    CHECK(bed->plan.fault_count < PLAN_FAULTS_MAX);
    struct plan_fault *fault = &bed->plan.faults[bed->plan.fault_count++];
    *fault = (struct plan_fault){
        .kind = kind,
        .tier = tier,
        .at_ns = at_ns,
        .duration_ns = duration_ns,
        .index = PLAN_ANY,
        .zone = PLAN_ANY,
        .count = 1,
    };
    return fault;
}

void redis_bed_call(struct redis_bed *bed, uint64_t at_ns, uint32_t host, uint16_t device,
                    const struct call *call)
{
    struct sim_event event = {.time_ns = at_ns,
                              .node = REDIS_BED_SHARD,
                              .kind = EV_CALL,
                              .flags = (uint16_t)(device << 8)};
    struct call sent = *call;
    sent.source = host;
    EVENT_WRITE(&event, &sent);
    sim_post(bed->sim, &event);
}

struct call redis_bed_key(enum chat_op op, uint64_t token, uint32_t user, uint64_t conn_id,
                          uint64_t position)
{
    struct call call = {.token = token, .op = (uint16_t)(op | (token == 0 ? 0x8000 : 0))};
    call.key.user = user;
    call.key.conn_id = conn_id;
    call.key.position = position;
    return call;
}

struct call redis_bed_append(uint64_t token, uint32_t user, uint64_t id, uint16_t named)
{
    return (struct call){
        .token = token,
        .entry =
            {.id = id, .first = 1, .second = 2, .user = 1, .kind = ENTRY_MESSAGE, .more = user},
        .op = CACHE_APPEND,
        .argument = named,
    };
}

struct reply redis_bed_reply(const struct redis_host *host, uint32_t index)
{
    CHECK(index < host->count && index < REDIS_BED_KEPT_MAX);
    CHECK(host->kept[index].kind == EV_REPLY);
    struct reply reply;
    EVENT_READ(&host->kept[index], &reply);
    return reply;
}
