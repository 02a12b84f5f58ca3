#include "models/infra/redis.h"

#include "models/infra/faults.h"
#include "models/infra/redis_marks.h"

#define REFRESH_KEY_BYTES 60u /* One EXPIRE on the wire. */
#define REFRESH_STARTED 1u

static uint32_t source_of(const struct redis *redis, uint32_t node)
{
    const struct world *world = redis->peer.world;
    uint32_t index = node - world->base[CLASS_GATEWAY];
    if (index < world->count[CLASS_GATEWAY]) {
        return index;
    }
    index = node - world->base[CLASS_FANOUT];
    CHECK(index < world->count[CLASS_FANOUT]);
    return world->count[CLASS_GATEWAY] + index;
}

/* What arrives then: which batch is it in? */
static void batch_open(struct redis *redis, uint64_t arrival_ns)
{
    if (arrival_ns >= redis->free_ns) {
        redis->batch++;
        redis->batch_ns = arrival_ns;
    } else if (arrival_ns > redis->batch_ns) {
        redis->batch++;
        redis->batch_ns = redis->free_ns;
    }
}

/* The work of one more command in the open batch. */
static uint64_t command_join(struct redis *redis, uint32_t source, uint32_t bytes)
{
    const struct plan_redis *plan = redis_plan(redis);
    struct redis_source *from = &redis->sources[source];
    uint32_t batch = redis->batch & 0xffffff;
    uint32_t most =
        plan->pipeline_max < REDIS_COMMANDS_MAX ? plan->pipeline_max : REDIS_COMMANDS_MAX;
    uint64_t work_ns = plan->cpu_command_ns + bytes * plan->cpu_byte_ps / 1000;
    if (from->batch != batch || from->commands >= most) {
        from->batch = batch & 0xffffff;
        from->commands = 0;
        work_ns += plan->cpu_round_trip_ns;
    }
    from->commands = (from->commands + 1u) & 0xff;
    return work_ns;
}

bool redis_serve(struct redis *redis, uint64_t arrival_ns, uint64_t work_ns,
                 struct redis_service *service)
{
    uint64_t start_ns = arrival_ns > redis->free_ns ? arrival_ns : redis->free_ns;
    uint64_t finish_ns = outage_finish(&redis->peer.outage, start_ns, work_ns);
    if (finish_ns == SIM_NEVER) {
        /* Idle from then on; what still comes before is lost alike. */
        uint64_t down_ns = outage_down_between(&redis->peer.outage, start_ns, SIM_NEVER);
        redis->free_ns = down_ns > redis->free_ns ? down_ns : redis->free_ns;
        return false;
    }
    CHECK(finish_ns >= redis->free_ns);
    *service = (struct redis_service){start_ns, finish_ns};
    redis->free_ns = finish_ns;
    usage_add(&redis->peer, start_ns, work_ns);
    return true;
}

uint64_t redis_wall_ms(const struct redis *redis, uint64_t now_ns)
{
    uint64_t ms = WALL_BASE_MS + now_ns / 1000000;
    if (redis->peer.world->plan->fault_count > 0) {
        ms += (uint64_t)faults_skew_ms(redis->peer.world, redis->peer.node, now_ns);
    }
    return ms;
}

static void replicate(struct redis *redis, uint64_t start_ns)
{
    inbox_replicate(redis->inbox);
    uint64_t late_ns = start_ns - redis->replicate_ns;
    redis->replicate_ns += late_ns / REDIS_LAG_NS * REDIS_LAG_NS + REDIS_LAG_NS;
    CHECK(redis->replicate_ns > start_ns);
}

static bool op_writes(uint32_t op)
{
    static const uint32_t reads =
        1u << (CACHE_INBOX - CACHE_REGISTER) | 1u << (CACHE_LOCATE - CACHE_REGISTER) |
        1u << (CACHE_MEMBERS - CACHE_REGISTER) | 1u << (CACHE_MEMBER - CACHE_REGISTER);
    if (op == REDIS_OFFER) {
        return true;
    }
    CHECK(op >= CACHE_REGISTER && op <= CACHE_FORGET);
    return (reads >> (op - CACHE_REGISTER) & 1) == 0;
}

/* Each replica is sent what is written; it leaves by the same NIC. */
static void replicas_feed(struct redis *redis, uint64_t now_ns, uint32_t bytes)
{
    struct peer *peer = &redis->peer;
    uint32_t all_bytes = redis_plan(redis)->replicas * bytes;
    nic_send(peer, now_ns, all_bytes);
    if (now_ns >= peer->world->from_ns && now_ns < peer->world->until_ns) {
        peer->out_bytes += all_bytes;
    }
}

static void on_call(struct sim_context *context, struct redis *redis, const struct sim_event *event)
{
    struct redis_job job = {.context = context, .redis = redis, .flags = event->flags};
    const struct world *world = redis->peer.world;
    EVENT_READ(event, &job.call);
    uint32_t framing_bytes = (uint32_t)world->plan->network.framing_inside_bytes;
    uint32_t bytes = call_bytes(world, &job.call);
    uint64_t arrival_ns = net_receive(&redis->peer, event->time_ns, bytes);
    batch_open(redis, arrival_ns);
    uint64_t work_ns =
        command_join(redis, source_of(redis, job.call.source), bytes - framing_bytes);
    if (!redis_serve(redis, arrival_ns, work_ns, &job.service)) {
        count_add(context, world, COUNT_LOST, 1);
        return;
    }
    if (job.service.start_ns >= redis->replicate_ns) {
        replicate(redis, job.service.start_ns);
    }
    if (op_writes(job.call.op & 0xfff)) {
        replicas_feed(redis, event->time_ns, bytes);
    }
    redis_apply(&job);
}

/* The publisher is not named in a route. It is a fan-out worker for a message, a gateway for a
 * receipt, and which of them follows from the channel, as the log's partitions do: so commands that
 * would share a batch share one here. */
static uint32_t publisher_of(const struct redis *redis, const struct packed_entry *entry)
{
    const struct world *world = redis->peer.world;
    uint32_t gateways = world->count[CLASS_GATEWAY];
    uint32_t fanouts = world->count[CLASS_FANOUT];
    uint64_t hash = channel_hash(entry->first, entry->second);
    bool message = entry->kind == ENTRY_MESSAGE || entry->kind == ENTRY_LIVE;
    if (message && fanouts > 0) {
        return gateways + (uint32_t)(hash % fanouts);
    }
    return (uint32_t)(hash % gateways);
}

/* Pub/Sub. The subscriber's socket is written once a batch, too: it pays as for a round trip. */
static void on_route(struct sim_context *context, struct redis *redis,
                     const struct sim_event *event)
{
    const struct world *world = redis->peer.world;
    struct route route;
    EVENT_READ(event, &route);
    uint32_t gateway = event->flags / world->plan->gateway.cores;
    CHECK(gateway < world->count[CLASS_GATEWAY]);
    const struct call like = {.entry = route.entry};
    uint32_t bytes = call_bytes(world, &like);
    uint32_t content_bytes = bytes - (uint32_t)world->plan->network.framing_inside_bytes;
    uint32_t subscriber = world->count[CLASS_GATEWAY] + world->count[CLASS_FANOUT] + gateway;
    uint64_t arrival_ns = net_receive(&redis->peer, event->time_ns, bytes);
    batch_open(redis, arrival_ns);
    uint64_t work_ns = command_join(redis, publisher_of(redis, &route.entry), content_bytes) +
                       command_join(redis, subscriber, content_bytes);
    struct redis_service service;
    uint32_t to = world->base[CLASS_GATEWAY] + gateway;
    /* A gateway that is down has not subscribed. */
    if (!redis_serve(redis, arrival_ns, work_ns, &service) ||
        !world_is_up(world, to, service.start_ns)) {
        count_add(context, world, COUNT_LOST, 1);
        return;
    }
    struct sim_event forward = *event;
    net_send(context, &redis->peer, to, service.finish_ns, bytes, &forward);
}

uint64_t redis_refresh(struct redis *redis, uint32_t gateway, uint64_t now_ms)
{
    uint32_t cores = redis->peer.world->plan->gateway.cores;
    uint64_t stamp = 0;
    for (uint32_t worker = 0; worker < cores; worker++) {
        stamp += inbox_refresh(redis->inbox, gateway * cores + worker, now_ms);
    }
    return stamp;
}

static void on_refresh(struct sim_context *context, struct redis *redis,
                       const struct sim_event *event)
{
    struct redis_job job = {.context = context, .redis = redis, .flags = event->flags};
    const struct world *world = redis->peer.world;
    const struct plan_redis *plan = redis_plan(redis);
    EVENT_READ(event, &job.call);
    uint32_t gateway = job.call.source - world->base[CLASS_GATEWAY];
    CHECK(gateway < world->count[CLASS_GATEWAY]);
    uint64_t keys = job.call.key.position;
    uint64_t content_bytes = keys * REFRESH_KEY_BYTES;
    uint32_t bytes = (uint32_t)(content_bytes + world->plan->network.framing_inside_bytes);
    uint64_t arrival_ns = net_receive(&redis->peer, event->time_ns, bytes);
    batch_open(redis, arrival_ns);
    uint64_t round_trips = (keys + plan->pipeline_max - 1) / plan->pipeline_max;
    uint64_t work_ns = keys * plan->cpu_command_ns + round_trips * plan->cpu_round_trip_ns +
                       content_bytes * plan->cpu_byte_ps / 1000;
    if (!redis_serve(redis, arrival_ns, work_ns, &job.service)) {
        count_add(context, world, COUNT_LOST, 1);
        return;
    }
    replicas_feed(redis, event->time_ns, bytes);
    uint64_t now_ms = redis_wall_ms(redis, job.service.start_ns);
    bool started = (job.call.op & 0xfff) == REFRESH_STARTED;
    uint32_t cores = world->plan->gateway.cores;
    for (uint32_t worker = 0; started && worker < cores; worker++) {
        inbox_gateway_started(redis->inbox, gateway * cores + worker, now_ms);
    }
    uint64_t stamp = redis_refresh(redis, gateway, now_ms);
    bool lost = stamp != redis->stamps[gateway] && !started;
    redis->stamps[gateway] = stamp;
    if (lost) {
        redis_answer_plain(&job, CHAT_OK, 1, 0);
    }
}

bool redis_fails_over(const struct redis *redis, uint64_t from_ns)
{
    const struct world *world = redis->peer.world;
    const struct plan_redis *plan = redis_plan(redis);
    const struct outage_interval *intervals = world->outages[redis->peer.node];
    for (uint32_t i = 0; i < world->outage_counts[redis->peer.node]; i++) {
        if (intervals[i].kind == OUTAGE_DOWN && intervals[i].from_ns == from_ns) {
            return plan->replicas > 0 && intervals[i].until_ns - from_ns > plan->failover_ns;
        }
    }
    return false;
}

/* What comes until it is up again is lost, so its contents may change at once. */
static void on_down(struct redis *redis, uint64_t now_ns)
{
    redis_marks_clear(redis);
    if (!redis_fails_over(redis, now_ns)) {
        inbox_flush(redis->inbox);
        return;
    }
    if (now_ns >= redis->replicate_ns) {
        replicate(redis, now_ns);
    }
    inbox_failover(redis->inbox);
}

static void handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct redis *redis = state;
    outage_pass(&redis->peer.outage, event->time_ns);
    if (event->kind == EV_DOWN) {
        on_down(redis, event->time_ns);
        return;
    }
    if (event->kind == EV_UP) { /* Of the machine, whose place may have been taken long ago. */
        return;
    }
    if (outage_is_down(&redis->peer.outage, event->time_ns)) {
        count_add(context, redis->peer.world, COUNT_LOST, 1);
        return;
    }
    switch (event->kind) {
    case EV_CALL:
        on_call(context, redis, event);
        break;
    case EV_ROUTE:
        on_route(context, redis, event);
        break;
    case EV_REFRESH:
        on_refresh(context, redis, event);
        break;
    default:
        CHECK(!"an event that no shard knows");
    }
}

static void prefetch_shard(const struct redis *redis, const struct sim_event *event)
{
    __builtin_prefetch(redis, 1);
    __builtin_prefetch(&redis->peer.rng, 1);
    __builtin_prefetch(&redis->free_ns, 1);
    if (event->kind == EV_CALL) {
        uint32_t source;
        const char *call = (const char *)event->data;
        memcpy(&source, call + offsetof(struct call, source), sizeof source);
        __builtin_prefetch(&redis->sources[source_of(redis, source)], 1);
    }
}

static void prefetch_user(const struct redis *redis, const struct sim_event *event)
{
    if (event->kind != EV_CALL || redis->view.slots == NULL) {
        return;
    }
    uint32_t user;
    uint16_t op;
    const char *call = (const char *)event->data;
    memcpy(&user, call + offsetof(struct call, key.user), sizeof user);
    memcpy(&op, call + offsetof(struct call, op), sizeof op);
    if (!redis_op_is_listed(op & 0xfff) && user <= redis->near) {
        __builtin_prefetch(inbox_counted_slots(&redis->view, user), 1);
    }
}

/* What follows from the shard's address and the event, then what that says. */
static void prefetch(const void *state, const struct sim_event *event, uint32_t step)
{
    const struct redis *redis = state;
    if (step == 0) {
        prefetch_shard(redis, event);
    } else if (step == 1) {
        __builtin_prefetch(redis->inbox, 1);
    } else {
        prefetch_user(redis, event);
    }
}

const struct sim_class redis_class = {
    .name = "redis", .handle = handle, .prefetch = prefetch, .prefetch_steps = 3};
