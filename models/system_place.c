#include "models/client/judge.h"
#include "models/infra/client_link.h"
#include "models/system_state.h"

#include <pthread.h>

#define FIRST_POSITION ((uint64_t)1 << 40) /* Generation 1, nothing appended. */
#define PENDING_MAX 100000.0

/* A share of the work, for one of the machine's threads. */
struct part {
    struct system *system;
    uint32_t first;
    uint32_t step;
    void (*work)(struct system *system, uint32_t index, struct server_scratch *scratch);
    uint32_t count;
    pthread_t thread;
};

static void *part_main(void *argument)
{
    struct part *part = argument;
    for (uint32_t i = part->first; i < part->count; i += part->step) {
        part->work(part->system, i, part->system->scratch[part->first]);
    }
    return NULL;
}

static void in_parallel(struct system *system, uint32_t count,
                        void (*work)(struct system *, uint32_t, struct server_scratch *))
{
    struct part parts[SIM_THREADS_MAX];
    uint32_t threads = system->world.thread_count;
    for (uint32_t i = 0; i < threads; i++) {
        parts[i] = (struct part){
            .system = system, .first = i, .step = threads, .work = work, .count = count};
        CHECK(pthread_create(&parts[i].thread, NULL, part_main, &parts[i]) == 0);
    }
    for (uint32_t i = 0; i < threads; i++) {
        pthread_join(parts[i].thread, NULL);
    }
}

/* How long ago the client's last frame was. */
static uint64_t idle(const struct system *system, uint32_t client)
{
    double draw =
        dist_value(&system->setup.exponential, rng_draw(&system->idle, client, 0).word[0]);
    double ns = 1e9 * draw / (system->setup.activity_per_s + 1e-6);
    return ns < 3e12 ? (uint64_t)ns : (uint64_t)3e12;
}

/* The clients whose home is one gateway: those populations with that remainder. */
static void place_gateway(struct system *system, uint32_t gateway, struct server_scratch *scratch)
{
    struct world *world = &system->world;
    uint32_t gateways = world->count[CLASS_GATEWAY];
    for (uint32_t p = gateway; p < world->count[CLASS_POPULATION]; p += gateways) {
        uint32_t first = p * world->clients_each;
        for (uint32_t i = 0; i < world->clients_each && first + i < world->client_count; i++) {
            uint32_t client = first + i;
            uint32_t worker;
            if (!population_begins_online(system->populations[p], client)) {
                continue;
            }
            uint64_t idle_ns = idle(system, client);
            uint64_t conn_id = server_place(system->servers[gateway], scratch, client,
                                            FIRST_POSITION, idle_ns, &worker);
            if (conn_id != 0) {
                population_place(system->populations[p], client, gateway, conn_id, FIRST_POSITION,
                                 idle_ns);
            }
        }
    }
}

static uint32_t pending(const struct system *system, uint32_t client)
{
    const struct plan_population *population = &system->plan.population;
    double logins_per_s = system->setup.leave_rate_per_s;
    if (logins_per_s <= 0 || system->setup.client.transport != TRANSPORT_WEBSOCKET) {
        return 0;
    }
    /* What goes to those offline is fetched by those who log in. */
    double mean = population->offline_share * population->message_rate_per_s *
                  plan_recipients(&system->plan) * workload_entries(&system->workload) /
                  logins_per_s;
    double draw =
        dist_value(&system->setup.exponential, rng_draw(&system->pending, client, 0).word[0]);
    return (uint32_t)(mean * draw < PENDING_MAX ? mean * draw : PENDING_MAX);
}

static void place_device(struct system *system, struct inbox *inbox, uint32_t client)
{
    struct world *world = &system->world;
    uint32_t cores = system->plan.gateway.cores;
    uint32_t gateway = 0;
    uint64_t conn_id = population_connection(
        system->populations[client_population(world, client) - world->base[CLASS_POPULATION]],
        client, &gateway);
    inbox_place(inbox, client_user(world, client), client_device(world, client),
                gateway * cores + client % cores, conn_id,
                conn_id != 0 ? 0 : pending(system, client), WALL_BASE_MS);
}

static void place_shard(struct system *system, uint32_t shard, struct server_scratch *scratch)
{
    struct world *world = &system->world;
    struct inbox *inbox = redis_inbox(system->shards[shard]);
    uint32_t shards = world->count[CLASS_REDIS];
    (void)scratch;
    for (uint32_t user = shard == 0 ? shards : shard; user <= world->near; user += shards) {
        place_device(system, inbox, user - 1);
        if (world->near + user - 1 < world->client_count) {
            place_device(system, inbox, world->near + user - 1);
        }
    }
}

/* Contents runs: groups have had their members since before the first message. */
static void place_group(struct system *system, uint64_t group)
{
    struct world *world = &system->world;
    struct chat_member members[CHAT_PAGE_MAX];
    struct chat_channel channel = {group, 0};
    uint64_t above = 0;
    for (uint32_t count = CHAT_PAGE_MAX; count == CHAT_PAGE_MAX;) {
        count = workload_members(&system->workload, group, above, members, CHAT_PAGE_MAX);
        for (uint32_t i = 0; i < count; i++) {
            above = members[i].user;
            struct chat_effect effect = {.kind = CHAT_FX_STORE, .op = STORE_MEMBER};
            effect.entry = (struct chat_entry){
                .id = 1, .user = above, .channel = channel, .kind = ENTRY_JOINED};
            for (uint32_t node = 0; node < world->count[CLASS_CASSANDRA]; node++) {
                cassandra_seed(cassandra_at(system->ring, node), &effect);
            }
            judge_joined(world->judge, channel, above, 1);
        }
    }
    if (workload_group_size(&system->workload, group) > system->plan.core.hybrid_threshold) {
        judge_pulled(world->judge, channel);
    }
}

void system_place(struct system *system)
{
    struct world *world = &system->world;
    if (system->plan.run.contents) {
        /* Few clients, each of which connects by itself. */
        for (uint64_t group = 1; group <= system->workload.groups; group++) {
            place_group(system, group);
        }
        return;
    }
    system->pending = rng_stream(system->plan.run.seed, "pending");
    system->idle = rng_stream(system->plan.run.seed, "idle");
    in_parallel(system, world->count[CLASS_GATEWAY], place_gateway);
    in_parallel(system, world->count[CLASS_REDIS], place_shard);
}
