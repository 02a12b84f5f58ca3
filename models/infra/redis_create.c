#include "models/infra/redis_marks.h"

#include <math.h>
#include <stdlib.h>

#define SMALL_VALUE_BYTES 24u /* A position, a connection, a membership. */

static struct inbox_config inbox_for(const struct world *world, uint32_t index, uint64_t near)
{
    const struct plan *plan = world->plan;
    const struct plan_redis *redis = &plan->redis;
    uint64_t list_bytes = redis->key_overhead_bytes + redis->list_overhead_bytes;
    double entry_bytes = (double)redis->element_overhead_bytes + plan->population.record_size.mean;
    bool contents = plan->run.contents;
    uint32_t devices = world->devices_per_user > 1 ? world->devices_per_user : 1;
    return (struct inbox_config){
        .contents = contents,
        .gateways_max = world->count[CLASS_GATEWAY] * plan->gateway.cores,
        .devices_max = contents ? CHAT_DEVICES_MAX : devices,
        .stride = world->count[CLASS_REDIS],
        .rest = index,
        .users_max = near / world->count[CLASS_REDIS] + 1,
        .presence_ttl_ms = plan->core.presence_ttl_ns / 1000000,
        .entry_ttl_ms = plan->core.inbox_ttl_ns / 1000000,
        .memory_max_bytes = contents ? redis->memory_bytes : 0,
        .bytes = {.device = (uint32_t)redis->key_overhead_bytes + SMALL_VALUE_BYTES,
                  .presence = (uint32_t)(redis->key_overhead_bytes + redis->presence_bytes),
                  .list = (uint32_t)list_bytes,
                  .element = (uint32_t)entry_bytes,
                  .group = (uint32_t)list_bytes,
                  .member = (uint32_t)redis->element_overhead_bytes + SMALL_VALUE_BYTES},
    };
}

/* Counted mode: all users have as many slots as one can have devices, but only the first
 * client_count - near have a second. */
static void devices_absent(struct redis *redis)
{
    const struct world *world = redis->peer.world;
    uint32_t stride = world->count[CLASS_REDIS];
    if (redis->view.slots == NULL || redis->view.devices != 2) {
        return;
    }
    uint32_t first = redis->peer.index == 0 ? stride : redis->peer.index;
    for (uint32_t user = first; user <= redis->near; user += stride) {
        if (user > world->client_count - world->near) {
            inbox_counted_slots(&redis->view, user)[1].flags = SLOT_UNKNOWN;
            redis->inbox->counts.devices--;
        }
    }
}

/* Of look-ups at random moments at a list that lives for a while after it was filled, those that
 * find it. */
static double members_cached(const struct plan *plan)
{
    const struct plan_population *population = &plan->population;
    if (population->groups == 0 || plan->run.contents) {
        return 0;
    }
    double rate_per_s = population->message_rate_per_s * population->group_share;
    double each_per_s = rate_per_s / (double)population->groups;
    double expected = each_per_s * (double)plan->core.member_cache_ttl_ns * 1e-9;
    return expected / (1 + expected);
}

/* The plan's mean size counts a group by its messages; here each counts once, and of lognormal
 * sizes that mean is smaller by exp(sigma^2). */
static double members_bytes(const struct redis *redis, const struct inbox_bytes *bytes)
{
    const struct world *world = redis->peer.world;
    const struct plan_population *population = &world->plan->population;
    double sigma = population->group_size_sigma;
    double size = fmax(population->group_size_mean * exp(-sigma * sigma), 2);
    double lists = (double)population->groups * redis->members_cached / world->count[CLASS_REDIS];
    return lists * (bytes->group + size * bytes->member);
}

/* How long a fork stops it, when everyone near is online. */
static uint64_t fork_stall_ns(const struct redis *redis, const struct inbox_bytes *bytes)
{
    const struct plan_redis *plan = redis_plan(redis);
    double devices = (double)inbox_counts(redis->inbox).devices;
    double used = devices * ((double)bytes->device + bytes->presence) + redis->members_bytes;
    return (uint64_t)(used * plan->rss_ratio * 1e-9 * (double)plan->fork_stall_ns_per_gb);
}

/* The machine's outages, of which a replica shortens a DOWN, and the forks'. */
static bool outages_init(struct redis *redis, uint64_t stall_ns)
{
    struct peer *peer = &redis->peer;
    const struct world *world = peer->world;
    const struct plan_run *run = &world->plan->run;
    uint64_t end_ns = run->warmup_ns + run->duration_ns + run->drain_ns;
    uint64_t period_ns = redis_plan(redis)->save_period_ns;
    uint64_t fork_count = period_ns == 0 || stall_ns == 0 ? 0 : end_ns / period_ns + 1;
    uint32_t given = world->outage_counts[peer->node];
    uint32_t count_max = 2 * (given + (uint32_t)fork_count) + 1;
    struct outage_interval *intervals = calloc(count_max, sizeof *intervals);
    if (intervals == NULL) {
        return false;
    }
    redis->intervals = intervals;
    uint32_t count = 0;
    for (uint32_t i = 0; i < given; i++) {
        struct outage_interval interval = world->outages[peer->node][i];
        if (interval.kind == OUTAGE_DOWN && redis_fails_over(redis, interval.from_ns)) {
            interval.until_ns = interval.from_ns + redis_plan(redis)->failover_ns;
        }
        if (interval.from_ns < interval.until_ns) {
            intervals[count++] = interval;
        }
    }
    const struct rng_stream stream = rng_stream(run->seed, "redis.fork");
    uint64_t fork_ns = rng_below(rng_draw(&stream, peer->index, 0).word[0], period_ns);
    for (uint64_t i = 0; i < fork_count; i++) {
        uint64_t until_ns = fork_ns + (stall_ns < period_ns ? stall_ns : period_ns);
        intervals[count++] = (struct outage_interval){fork_ns, until_ns, OUTAGE_PAUSE, 1000};
        fork_ns += period_ns;
    }
    int64_t normal = count == 0 ? 0 : outage_normalise(intervals, count, count_max);
    CHECK(normal >= 0);
    CHECK(outage_init(&peer->outage, intervals, (uint32_t)normal) == OUTAGE_OK);
    return true;
}

struct redis *redis_create(struct world *world, uint32_t index, uint64_t near)
{
    const struct plan *plan = world->plan;
    uint32_t gateways = world->count[CLASS_GATEWAY];
    uint32_t source_count = 2 * gateways + world->count[CLASS_FANOUT];
    CHECK(index < world->count[CLASS_REDIS]);
    CHECK(near < UINT32_MAX);
    size_t bytes = sizeof(struct redis) + source_count * sizeof(struct redis_source);
    bytes = (bytes + 63) / 64 * 64;
    struct redis *redis = aligned_alloc(64, bytes);
    if (redis == NULL) {
        return NULL;
    }
    memset(redis, 0, bytes);
    peer_init(&redis->peer, world, CLASS_REDIS, index, plan->redis.nic_bytes_per_s);
    struct inbox_config config = inbox_for(world, index, near);
    redis->source_count = source_count;
    redis->near = config.contents ? UINT32_MAX : (uint32_t)near;
    redis->members = rng_stream(plan->run.seed, "redis.members");
    redis->members_cached = members_cached(plan);
    redis->members_bytes = members_bytes(redis, &config.bytes);
    redis->inbox = inbox_create(&config);
    redis->stamps = calloc(gateways, sizeof *redis->stamps);
    redis->offer = config.contents ? calloc(1, sizeof *redis->offer) : NULL;
    if (redis->inbox == NULL || redis->stamps == NULL ||
        (config.contents && redis->offer == NULL)) {
        redis_destroy(redis);
        return NULL;
    }
    redis->view = inbox_view(redis->inbox);
    devices_absent(redis);
    if (!redis_marks_create(redis) || !outages_init(redis, fork_stall_ns(redis, &config.bytes))) {
        redis_destroy(redis);
        return NULL;
    }
    /* A replica copies at a phase of its own, so that no fault's round time is kind to it. */
    const struct rng_stream lag = rng_stream(plan->run.seed, "redis.lag");
    bool lags = config.contents && plan->redis.replicas > 0;
    uint64_t phase_ns = rng_below(rng_draw(&lag, index, 0).word[0], REDIS_LAG_NS);
    redis->replicate_ns = lags ? phase_ns : SIM_NEVER;
    for (uint32_t i = 0; i < gateways; i++) {
        redis->stamps[i] = redis_refresh(redis, i, WALL_BASE_MS);
    }
    return redis;
}

void redis_destroy(struct redis *redis)
{
    if (redis == NULL) {
        return;
    }
    redis_marks_destroy(redis);
    inbox_destroy(redis->inbox);
    free(redis->stamps);
    free(redis->offer);
    free(redis->intervals);
    free(redis);
}

struct inbox *redis_inbox(struct redis *redis)
{
    return redis->inbox;
}

void redis_use(const struct redis *redis, struct resource_use uses[RESOURCE_COUNT])
{
    const struct world *world = redis->peer.world;
    const struct plan_redis *plan = redis_plan(redis);
    double measured_ns = (double)(world->until_ns - world->from_ns);
    double used = (double)inbox_counts(redis->inbox).memory_bytes + redis->members_bytes;
    double saving = plan->save_period_ns == 0 ? 1 : plan->save_ratio;
    peer_use(&redis->peer, uses);
    uses[RESOURCE_CPU] = (struct resource_use){(double)redis->peer.busy_ns / measured_ns, 1};
    uses[RESOURCE_MEMORY] =
        (struct resource_use){used * plan->rss_ratio * saving, (double)plan->memory_bytes};
}
