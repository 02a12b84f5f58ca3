#include "models/system.h"

#include "models/client/judge.h"
#include "models/client/law.h"
#include "models/system_state.h"
#include "sim/pages.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NEAR_SPARE                                                                                 \
    32u /* One in so many more clients than are connected: those that come and go.                 \
         */
#define INTERVALS_MAX 2000u
#define LOCATION_SERVERS_MAX 4096u
#define LOCATION_SLOTS_MAX (1u << 20)

static uint32_t scaled(uint32_t count, double fraction)
{
    uint32_t less = (uint32_t)(count * fraction + 0.5);
    return less > 0 ? less : 1;
}

/* A sample: so much of the clients, with as much of the fleet. */
static void plan_sample(struct plan *plan)
{
    double fraction = plan->run.fidelity;
    if (fraction >= 1) {
        return;
    }
    plan->population.users = (uint64_t)((double)plan->population.users * fraction) + 1;
    plan->population.connected = (uint64_t)((double)plan->population.connected * fraction) + 1;
    plan->population.message_rate_per_s *= fraction;
    plan->population.history_rate_per_s *= fraction;
    plan->population.membership_rate_per_s *= fraction;
    plan->population.groups = (uint64_t)((double)plan->population.groups * fraction) + 1;
    plan->gateway.servers = scaled(plan->gateway.servers, fraction);
    plan->fanout.servers = scaled(plan->fanout.servers, fraction);
    uint32_t replication = plan->kafka.replication;
    plan->kafka.brokers = scaled(plan->kafka.brokers, fraction);
    plan->kafka.brokers = plan->kafka.brokers > replication ? plan->kafka.brokers : replication;
    plan->kafka.partitions = scaled(plan->kafka.partitions, fraction);
    replication = plan->cassandra.replication;
    plan->cassandra.nodes = scaled(plan->cassandra.nodes, fraction);
    plan->cassandra.nodes =
        plan->cassandra.nodes > replication ? plan->cassandra.nodes : replication;
    plan->redis.shards = scaled(plan->redis.shards, fraction);
    plan->push.quota_per_s *= fraction;
}

static void world_times(struct world *world, const struct plan *plan)
{
    world->from_ns = plan->run.warmup_ns;
    world->until_ns = plan->run.warmup_ns + plan->run.duration_ns;
    world->stop_ns = world->until_ns;
    uint64_t end_ns = world->until_ns + plan->run.drain_ns;
    world->interval_ns = plan->run.sample_interval_ns;
    while (end_ns / world->interval_ns + 1 > INTERVALS_MAX) {
        world->interval_ns *= 2;
    }
    world->interval_count = (uint32_t)((end_ns + world->interval_ns - 1) / world->interval_ns);
}

static void world_people(struct world *world, const struct plan *plan, uint32_t populations)
{
    const struct plan_population *population = &plan->population;
    uint64_t near = population->connected + population->connected / NEAR_SPARE + 64;
    bool all = plan->run.contents || near > population->users || population->trace.file[0] != 0;
    world->near = (uint32_t)(all ? population->users : near);
    double more = population->devices_per_user - 1;
    uint32_t second = (uint32_t)(more < 1 ? more * world->near : world->near);
    world->devices_per_user = second > 0 ? 2 : 1;
    world->client_count = world->near + second;
    world->clients_each = (world->client_count + populations - 1) / populations;
}

static void world_nodes(struct world *world, const struct plan *plan)
{
    world->count[CLASS_GATEWAY] = plan->gateway.servers;
    world->count[CLASS_FANOUT] = plan->fanout.servers;
    world->count[CLASS_KAFKA] = plan->kafka.brokers;
    world->count[CLASS_CASSANDRA] = plan->cassandra.nodes;
    world->count[CLASS_REDIS] = plan->redis.shards;
    world->count[CLASS_PUSH] = 1;
    /* No shard is empty: with few clients there are fewer of them than gateways. */
    uint32_t populations = plan->gateway.servers;
    world_people(world, plan, populations);
    world->count[CLASS_POPULATION] =
        (world->client_count + world->clients_each - 1) / world->clients_each;
    uint32_t node = 0;
    for (uint32_t class = 0; class < CLASS_COUNT; class ++) {
        world->base[class] = node;
        node += world->count[class];
    }
}

static uint32_t node_count(const struct world *world)
{
    return world->base[CLASS_PUSH] + world->count[CLASS_PUSH];
}

static void world_network(struct world *world, const struct plan *plan)
{
    law_init(&world->in_zone, &plan->network.rtt_in_zone, 0.5);
    law_init(&world->between_zones, &plan->network.rtt_between_zones, 0.5);
    double cut = 0;
    for (uint32_t i = 0; i < PLAN_ACCESS_COUNT; i++) {
        law_init(&world->access[i], &plan->network.access[i].rtt, 0.5);
        cut += plan->network.access[i].share;
        if (i < 2) {
            world->access_cut[i] = (uint32_t)(cut >= 1 ? UINT32_MAX : cut * 4294967296.0);
        }
    }
    world->zones = calloc(node_count(world), 1);
    CHECK(world->zones != NULL);
    for (uint32_t class = CLASS_GATEWAY; class < CLASS_COUNT; class ++) {
        for (uint32_t i = 0; i < world->count[class]; i++) {
            world->zones[world->base[class] + i] = (uint8_t)plan_zone_of(plan, i);
        }
    }
}

static bool system_check(const struct system *system, char error[256])
{
    const struct plan *plan = &system->plan;
    const struct world *world = &system->world;
    uint64_t slots = plan->gateway.connections_max / plan->gateway.cores + 1;
    const char *what = NULL;
    if (plan->gateway.servers > LOCATION_SERVERS_MAX) {
        what = "gateway.servers is above 4096, more than a location can name";
    } else if (slots > LOCATION_SLOTS_MAX) {
        what = "gateway.connections_max / gateway.cores is above 1,048,576";
    } else if (plan->gateway.servers * plan->gateway.cores >= INBOX_GATEWAYS_MAX) {
        what = "gateway.servers x gateway.cores is above 65,534 workers";
    } else if (plan->gateway.cores > 255 || plan->fanout.cores > 255) {
        what = "a server has more than 255 cores";
    } else if (plan->population.users > UINT32_MAX) {
        what = "population.users is above 4,294,967,295";
    } else if (node_count(world) > SIM_NODES_MAX) {
        what = "the fleet has more than 1,048,576 nodes";
    }
    if (what != NULL) {
        snprintf(error, 256, "%s; use fewer, or a sample (run.fidelity)", what);
    }
    return what == NULL;
}

static double far_share(const struct system *system)
{
    const struct plan_population *population = &system->plan.population;
    double near_offline = 1 - (double)system->setup.online / (double)system->world.client_count;
    double far = (population->offline_share - near_offline) / (1 - near_offline);
    return far > 0 ? far : 0;
}

/* The path forgets a connection after `idle` of silence, unless a heartbeat breaks it. Of a device
 * with frames at rate a, the mean time to the first gap that is as long is (e^(a idle) - 1) / a. */
static double forget_rate_per_s(const struct plan *plan, const struct population_setup *setup)
{
    double idle_s = 1e-9 * (double)plan->network.idle_timeout_ns;
    if (plan->client.transport != PLAN_WEBSOCKET ||
        plan->client.heartbeat_ns < plan->network.idle_timeout_ns) {
        return 0;
    }
    double rate_per_s = setup->activity_per_s > 1e-9 ? setup->activity_per_s : 1e-9;
    return setup->online * rate_per_s / expm1(rate_per_s * idle_s);
}

static void setup_population(struct system *system)
{
    const struct plan *plan = &system->plan;
    const struct plan_population *population = &plan->population;
    struct population_setup *setup = &system->setup;
    double share = (double)population->connected / (double)population->users;
    uint64_t online = population->connected;
    if (system->world.client_count > system->world.near) {
        online += (uint64_t)((double)(system->world.client_count - system->world.near) *
                             (system->world.near == population->users ? share : 1));
    }
    setup->online =
        (uint32_t)(online < system->world.client_count ? online : system->world.client_count);
    static const uint8_t transports[] = {TRANSPORT_WEBSOCKET, TRANSPORT_LONG_POLL, TRANSPORT_POLL};
    setup->client = client_config_default(transports[plan->client.transport]);
    setup->client.window = 1; /* One's messages in the order written, also when one is refused. */
    setup->client.poll_interval_ns = plan->client.poll_interval_ns;
    setup->client.backoff_first_ns = plan->client.reconnect_first_ns;
    setup->client.backoff_max_ns = plan->client.reconnect_max_ns;
    setup->client.backoff_sure_milli =
        1000 - (uint32_t)(1000 * plan->client.reconnect_jitter + 0.5);
    setup->client.send_timeout_ticks = (uint32_t)(plan->client.send_timeout_ns / 100000000u) + 1;
    struct dist_spec unit = {.law = DIST_EXPONENTIAL, .mean = 1};
    CHECK(dist_init(&setup->exponential, &unit) == DIST_OK);
    law_init(&setup->read_delay, &population->read_delay, 1);
    setup->write_rate_per_s = population->message_rate_per_s;
    setup->history_rate_per_s = population->history_rate_per_s;
    setup->membership_rate_per_s = population->membership_rate_per_s;
    if (!plan->run.contents) {
        setup->read_rate_per_s =
            population->message_rate_per_s * plan_recipients(plan) * population->read_share;
    }
    if (population->connection_life_ns > 0) {
        setup->leave_rate_per_s =
            (double)setup->online * 1e9 / (double)population->connection_life_ns;
    }
    /* A message is a frame and an ack, and a delivery, DELIVERED, READ and two receipts each. */
    setup->activity_per_s = population->message_rate_per_s * (2 + 5 * plan_recipients(plan)) /
                            (double)(setup->online > 0 ? setup->online : 1);
    setup->forget_rate_per_s = forget_rate_per_s(plan, setup);
    workload_init(&system->workload, plan, system->world.near, far_share(system));
    setup->workload = &system->workload;
}

static void stats_create(struct system *system)
{
    struct world *world = &system->world;
    world->stats = calloc(world->thread_count, sizeof *world->stats);
    system->scratch = calloc(world->thread_count, sizeof *system->scratch);
    CHECK(world->stats != NULL && system->scratch != NULL);
    for (uint32_t i = 0; i < world->thread_count; i++) {
        world->stats[i] = pages_allocate(sizeof *world->stats[i]);
        system->scratch[i] = pages_allocate(sizeof *system->scratch[i]);
        CHECK(world->stats[i] != NULL && system->scratch[i] != NULL);
        world->stats[i]->series = calloc(world->interval_count, sizeof *world->stats[i]->series);
        CHECK(world->stats[i]->series != NULL);
    }
}

static void nodes_create(struct system *system)
{
    struct world *world = &system->world;
    uint32_t gateways = world->count[CLASS_GATEWAY];
    system->populations = calloc(world->count[CLASS_POPULATION], sizeof *system->populations);
    system->servers = calloc(gateways + world->count[CLASS_FANOUT], sizeof *system->servers);
    system->shards = calloc(world->count[CLASS_REDIS], sizeof *system->shards);
    CHECK(system->populations != NULL && system->servers != NULL && system->shards != NULL);
    system->kafka = kafka_create(world);
    system->ring = cassandra_create(world);
    system->push = push_create(world);
    CHECK(system->kafka != NULL && system->ring != NULL && system->push != NULL);
    for (uint32_t i = 0; i < world->count[CLASS_POPULATION]; i++) {
        system->populations[i] = population_create(world, i, &system->setup);
    }
    for (uint32_t i = 0; i < gateways + world->count[CLASS_FANOUT]; i++) {
        bool gateway = i < gateways;
        system->servers[i] =
            server_create(world, gateway ? CLASS_GATEWAY : CLASS_FANOUT, gateway ? i : i - gateways,
                          &system->workload, system->scratch);
    }
    for (uint32_t i = 0; i < world->count[CLASS_REDIS]; i++) {
        system->shards[i] = redis_create(world, i, world->near);
        CHECK(system->shards[i] != NULL);
    }
}

static void node_add(struct system *system, enum infra_class class, uint32_t index,
                     const struct sim_class *sim_class, void *state)
{
    struct world *world = &system->world;
    /* An even share of each class for each thread; a population beside its gateway. */
    uint32_t cell = (uint32_t)((uint64_t)index * world->thread_count / world->count[class]);
    if (system->options.cells > 0) {
        cell = (uint32_t)(hash_mix(world->base[class] + index + 1) % system->options.cells);
    }
    uint32_t node = sim_add_node(system->sim, sim_class, state, cell);
    CHECK(node == world->base[class] + index);
}

static void nodes_add(struct system *system)
{
    struct world *world = &system->world;
    for (uint32_t i = 0; i < world->count[CLASS_POPULATION]; i++) {
        node_add(system, CLASS_POPULATION, i, &population_class, system->populations[i]);
    }
    for (uint32_t i = 0; i < world->count[CLASS_GATEWAY]; i++) {
        node_add(system, CLASS_GATEWAY, i, &server_class, system->servers[i]);
    }
    for (uint32_t i = 0; i < world->count[CLASS_FANOUT]; i++) {
        node_add(system, CLASS_FANOUT, i, &server_class,
                 system->servers[world->count[CLASS_GATEWAY] + i]);
    }
    for (uint32_t i = 0; i < world->count[CLASS_KAFKA]; i++) {
        node_add(system, CLASS_KAFKA, i, &kafka_broker_class, kafka_at(system->kafka, i));
    }
    for (uint32_t i = 0; i < world->count[CLASS_CASSANDRA]; i++) {
        node_add(system, CLASS_CASSANDRA, i, cassandra_class(&system->world),
                 cassandra_at(system->ring, i));
    }
    for (uint32_t i = 0; i < world->count[CLASS_REDIS]; i++) {
        node_add(system, CLASS_REDIS, i, &redis_class, system->shards[i]);
    }
    node_add(system, CLASS_PUSH, 0, &push_class, system->push);
}

static void nodes_start(struct system *system)
{
    struct world *world = &system->world;
    for (uint32_t i = 0; i < world->count[CLASS_POPULATION]; i++) {
        population_start(system->populations[i], system->sim);
    }
    for (uint32_t i = 0; i < world->count[CLASS_GATEWAY] + world->count[CLASS_FANOUT]; i++) {
        server_start(system->servers[i], system->sim);
    }
    kafka_post(system->kafka, system->sim);
    cassandra_post(system->ring, system->sim);
    faults_post(world, system->sim);
}

struct system *system_create(const struct plan *plan, const struct system_options *options,
                             char error[256])
{
    struct system *system = calloc(1, sizeof *system);
    CHECK(system != NULL);
    struct world *world = &system->world;
    system->asked = plan;
    system->plan = *plan;
    system->options = *options;
    plan_sample(&system->plan);
    if (options->trace_users > system->plan.population.users) {
        system->plan.population.users = options->trace_users;
    }
    if (options->trace_count > 1) {
        double span_ns = (double)options->trace[options->trace_count - 1].time_ns;
        system->plan.population.message_rate_per_s =
            options->trace_count * 1e9 * plan->population.trace.compress / (span_ns + 1);
    }
    world->plan = &system->plan;
    /* The judge hears everything in one order: contents runs are small, and take one thread. */
    world->thread_count = options->plain || plan->run.contents ? 1 : options->threads;
    world_times(world, &system->plan);
    world_nodes(world, &system->plan);
    if (!system_check(system, error)) {
        free(system);
        return NULL;
    }
    world_network(world, &system->plan);
    world->usage =
        pages_allocate((size_t)node_count(world) * world->interval_count * sizeof *world->usage);
    CHECK(world->usage != NULL);
    faults_init(world);
    if (plan->run.contents) {
        world->judge = judge_create();
        CHECK(world->judge != NULL);
        if (plan->core.receipts == PLAN_RECEIPTS_WATERMARK) {
            judge_watermark(world->judge);
        }
    }
    setup_population(system);
    stats_create(system);
    struct sim_config config = {
        .scheduler = options->plain ? SIM_PLAIN : SIM_WINDOWS,
        .lookahead_ns = plan_lookahead_ns(&system->plan),
        .thread_count = world->thread_count,
        .node_count_max = node_count(world),
    };
    system->sim = sim_create(&config);
    CHECK(system->sim != NULL);
    nodes_create(system);
    nodes_add(system);
    system_replay(system);
    system_place(system);
    nodes_start(system);
    return system;
}

void system_destroy(struct system *system)
{
    if (system == NULL) {
        return;
    }
    struct world *world = &system->world;
    sim_destroy(system->sim);
    for (uint32_t i = 0; i < world->count[CLASS_POPULATION]; i++) {
        population_destroy(system->populations[i]);
    }
    for (uint32_t i = 0; i < world->count[CLASS_GATEWAY] + world->count[CLASS_FANOUT]; i++) {
        server_destroy(system->servers[i]);
    }
    for (uint32_t i = 0; i < world->count[CLASS_REDIS]; i++) {
        redis_destroy(system->shards[i]);
    }
    kafka_destroy(system->kafka);
    cassandra_destroy(system->ring);
    push_destroy(system->push);
    for (uint32_t i = 0; i < world->thread_count; i++) {
        free(world->stats[i]->series);
        pages_free(world->stats[i], sizeof *world->stats[i]);
        pages_free(system->scratch[i], sizeof *system->scratch[i]);
    }
    faults_free(world);
    if (world->judge != NULL) {
        judge_destroy(world->judge);
    }
    pages_free(world->usage,
               (size_t)node_count(world) * world->interval_count * sizeof *world->usage);
    free(world->zones);
    free(world->stats);
    free(system->scratch);
    free(system->populations);
    system_replay_free(system);
    free(system->servers);
    free(system->shards);
    free(system);
}

void system_advance(struct system *system, uint64_t until_ns)
{
    uint64_t end_ns = system_end_ns(system);
    sim_run(system->sim, until_ns < end_ns ? until_ns : end_ns);
}

uint64_t system_now_ns(const struct system *system)
{
    return sim_now(system->sim);
}

uint64_t system_end_ns(const struct system *system)
{
    return system->world.until_ns + system->plan.run.drain_ns;
}

uint64_t system_events(const struct system *system)
{
    return sim_handled(system->sim);
}

uint64_t system_memory_bytes(const struct plan *plan, const struct system_options *options)
{
    struct plan sample = *plan;
    struct world world = {.plan = &sample};
    plan_sample(&sample);
    world_times(&world, &sample);
    world_nodes(&world, &sample);
    uint64_t threads = options->threads > 0 ? options->threads : 1;
    uint64_t bytes = population_memory_bytes(world.client_count);
    bytes += world.count[CLASS_GATEWAY] * server_memory_bytes(&sample, CLASS_GATEWAY);
    bytes += world.count[CLASS_FANOUT] * server_memory_bytes(&sample, CLASS_FANOUT);
    bytes += (uint64_t)world.near * world.devices_per_user * redis_device_bytes(&sample);
    bytes += (uint64_t)node_count(&world) * world.interval_count * sizeof(struct usage);
    bytes += threads * sizeof(struct stats);
    bytes += (uint64_t)world.count[CLASS_CASSANDRA] * 16384;
    bytes += (uint64_t)world.count[CLASS_KAFKA] * (1u << 20);
    bytes += sample.run.contents ? (uint64_t)world.client_count * 256 * 1024 : 0;
    /* Events under way: some 10 a message on access networks of 50 ms, 64 bytes each, doubled. */
    bytes += (uint64_t)(sample.population.message_rate_per_s * plan_recipients(&sample) * 10 *
                        0.05 * 128);
    return bytes + (64u << 20);
}
