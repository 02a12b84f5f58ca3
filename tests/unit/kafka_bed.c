#include "tests/unit/kafka_bed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#define CORES 4u

struct plan_law kafka_bed_constant(double value)
{
    return (struct plan_law){.kind = PLAN_LAW_CONSTANT, .mean = value, .median = value};
}

/* -- Hosts ---------------------------------------------------------------------------------------
 */

static void host_route(struct sim_context *context, struct kafka_host *host, uint32_t record)
{
    struct kafka_bed *bed = host->bed;
    struct route route = {
        .entry = {.id = record + 1, .size_bytes = (uint16_t)bed->options.text_bytes}};
    uint32_t name = record % bed->options.hosts;
    struct sim_event event = {.kind = EV_ROUTE, .flags = (uint16_t)name};
    EVENT_WRITE(&event, &route);
    uint64_t now_ns = sim_context_now(context);
    bed->asked[record].asked_ns = now_ns;
    net_send(context, &host->peer, kafka_route_broker(&bed->world, name, now_ns), now_ns, 0,
             &event);
}

static void host_publish(struct sim_context *context, struct kafka_host *host, uint32_t record)
{
    struct kafka_bed *bed = host->bed;
    uint64_t now_ns = sim_context_now(context);
    struct kafka_asked *asked = &bed->asked[record];
    asked->asked_ns = asked->tries++ == 0 ? now_ns : asked->asked_ns;
    struct call call = {
        .token = record | (uint64_t)asked->tries << 32,
        .entry = {.id = record + 1,
                  .first = (uint32_t)(hash_mix(record) % bed->options.channels),
                  .size_bytes = (uint16_t)bed->options.text_bytes},
        .source = host->peer.node,
    };
    uint32_t sample =
        kafka_produce(host->producer, context, &host->peer, record % 4, now_ns, &call);
    bed->asked[record].sample = sample != 0 ? sample : bed->asked[record].sample;
    if (bed->options.timeout_ns != 0) {
        struct sim_event again = {
            .time_ns = now_ns + bed->options.timeout_ns,
            .node = host->peer.node,
            .kind = EV_TICK2,
            .data = {call.token},
        };
        sim_send(context, &again);
    }
}

static void host_tick(struct sim_context *context, struct kafka_host *host)
{
    const struct kafka_bed_options *options = &host->bed->options;
    uint64_t now_ns = sim_context_now(context);
    for (uint32_t i = 0; i < options->burst && host->next < options->records; i++) {
        uint32_t record = host->peer.index * options->records + host->next++;
        if (options->routes) {
            host_route(context, host, record);
        } else {
            host_publish(context, host, record);
        }
    }
    host->last_ns = now_ns;
    if (host->next < options->records) {
        uint64_t bits = rng_next(&host->peer.rng).word[0];
        double gap_ns = (double)options->gap_ns * (options->regular ? 1 : -log(rng_unit(bits)));
        struct sim_event event = {
            .time_ns = now_ns + (uint64_t)gap_ns + 1, .node = host->peer.node, .kind = EV_TICK};
        sim_send(context, &event);
    }
}

static void host_reply(struct sim_context *context, struct kafka_host *host,
                       const struct sim_event *event)
{
    struct reply reply;
    EVENT_READ(event, &reply);
    struct kafka_bed *bed = host->bed;
    uint32_t record = (uint32_t)reply.token;
    struct kafka_asked *asked = &bed->asked[record];
    assert_int_equal(record / bed->options.records, host->peer.index);
    assert_int_equal(event->flags, record % 4);
    assert_int_equal(reply.row, ROW_NONE);
    asked->replies++;
    if (asked->sample != 0) {
        kafka_producer_heard(host->producer, asked->sample, event->time_ns);
        asked->sample = 0;
    }
    assert_true(asked->replies <= asked->tries); /* Each call is answered once. */
    asked->err = reply.err;
    if (reply.err == CHAT_OK && asked->answered_ns == 0) {
        asked->answered_ns = event->time_ns;
    } else if (asked->answered_ns == 0 && bed->options.timeout_ns != 0 &&
               reply.token >> 32 == asked->tries) {
        struct sim_event again = {
            .time_ns = event->time_ns + 20 * MS,
            .node = host->peer.node,
            .kind = EV_TICK2,
            .data = {reply.token},
        };
        sim_send(context, &again);
    }
}

static void host_handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct kafka_host *host = state;
    struct kafka_bed *bed = host->bed;
    if (event->kind == EV_TICK) {
        host_tick(context, host);
    } else if (event->kind == EV_TICK2) { /* Too late, or refused a moment ago. */
        const struct kafka_asked *asked = &bed->asked[(uint32_t)event->data[0]];
        if (asked->answered_ns == 0 && asked->tries == event->data[0] >> 32) {
            host_publish(context, host, (uint32_t)event->data[0]);
        }
    } else if (event->kind == EV_REPLY) {
        host_reply(context, host, event);
    } else if (event->kind == EV_ROUTE) {
        struct route route;
        EVENT_READ(event, &route);
        uint32_t at = host->peer.index;
        struct kafka_seen *seen =
            &bed->routed[(size_t)at * bed->options.records * bed->options.hosts];
        seen[bed->routed_count[at]++] =
            (struct kafka_seen){.time_ns = event->time_ns, .record = (uint32_t)route.entry.id - 1};
        assert_int_equal(event->flags, at);
    }
}

static const struct sim_class host_class = {.name = "host", .handle = host_handle};

/* -- Workers -------------------------------------------------------------------------------------
 */

static void server_record(struct sim_context *context, struct kafka_server *server,
                          const struct sim_event *event)
{
    struct record record;
    EVENT_READ(event, &record);
    const struct kafka_bed *bed = server->bed;
    if (server->seen_count == server->seen_max) {
        server->seen_max = 2 * server->seen_max + 64;
        server->seen = realloc(server->seen, server->seen_max * sizeof *server->seen);
        assert_non_null(server->seen);
    }
    server->seen[server->seen_count++] = (struct kafka_seen){
        .time_ns = event->time_ns,
        .offset = record.offset,
        .record = (uint32_t)record.entry.id - 1,
        .partition = record.entry.more,
        .worker = server->peer.index * CORES + event->flags,
        .published = (uint32_t)record.published,
    };
    assert_true(event->flags < CORES);
    server->under_way++;
    if (server->under_way > server->under_way_max) {
        server->under_way_max = server->under_way;
    }
    if (bed->options.service_ns != SIM_NEVER) {
        struct sim_event done = {
            .time_ns = event->time_ns + bed->options.service_ns,
            .node = server->peer.node,
            .kind = EV_TICK,
            .flags = event->flags,
            .data = {server->life, record.entry.more, record.offset},
        };
        sim_send(context, &done);
    }
}

static void server_done(struct sim_context *context, struct kafka_server *server,
                        const struct sim_event *event)
{
    uint32_t partition = (uint32_t)event->data[1];
    if (event->data[0] != server->life) {
        return;
    }
    server->under_way--;
    server->next[partition] = server->bed->options.stuck ? 0 : event->data[2] + 1;
    server->workers[partition] = event->flags;
    if (server->credit[partition]++ == 0) {
        server->dirty[server->dirty_count++] = partition;
    }
    if (!server->flush_armed) {
        server->flush_armed = true;
        struct sim_event flush = {
            .time_ns = event->time_ns + server->bed->options.flush_ns,
            .node = server->peer.node,
            .kind = EV_TICK2,
            .data = {server->life},
        };
        sim_send(context, &flush);
    }
}

static void server_flush(struct sim_context *context, struct kafka_server *server)
{
    server->flush_armed = false;
    for (uint32_t i = 0; i < server->dirty_count; i++) {
        uint32_t partition = server->dirty[i];
        kafka_commit(context, &server->peer, server->workers[partition], sim_context_now(context),
                     partition, server->next[partition], server->credit[partition]);
        server->credit[partition] = 0;
    }
    server->dirty_count = 0;
}

static void server_down(struct kafka_server *server)
{
    server->life++;
    server->under_way = 0;
    server->flush_armed = false;
    server->dirty_count = 0;
    memset(server->credit, 0, server->bed->plan.kafka.partitions * sizeof *server->credit);
}

static void server_handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct kafka_server *server = state;
    outage_pass(&server->peer.outage, sim_context_now(context));
    if (event->kind == EV_DOWN) {
        server_down(server);
    } else if (outage_is_down(&server->peer.outage, sim_context_now(context))) {
        return;
    } else if (event->kind == EV_RECORD) {
        server_record(context, server, event);
    } else if (event->kind == EV_TICK) {
        server_done(context, server, event);
    } else if (event->kind == EV_TICK2 && event->data[0] == server->life) {
        server_flush(context, server);
    }
}

static const struct sim_class server_class = {.name = "server", .handle = server_handle};

/* -- The bed -------------------------------------------------------------------------------------
 */

struct kafka_bed *kafka_bed_plan(uint32_t brokers, uint32_t partitions, uint64_t run_ns)
{
    struct kafka_bed *bed = calloc(1, sizeof *bed);
    assert_non_null(bed);
    struct plan *plan = &bed->plan;
    plan->run.duration_ns = run_ns;
    plan->run.seed = 1;
    plan->population.peak_factor = 3;
    plan->network.zones = 3;
    plan->network.rtt_in_zone = kafka_bed_constant(2 * LATENCY_NS);
    plan->network.rtt_between_zones = kafka_bed_constant(2 * LATENCY_NS);
    plan->network.retransmit_timeout_ns = 200 * MS;
    plan->network.framing_inside_bytes = 60;
    plan->gateway.cores = 1;
    plan->fanout.cores = CORES;
    plan->fanout.in_flight_max = 4096;
    plan->kafka = (struct plan_kafka){
        .brokers = brokers,
        .partitions = partitions,
        .replication = 3,
        .min_insync = 2,
        .acks = PLAN_ACKS_ALL,
        .linger_ns = 5 * MS,
        .batch_bytes = 1000000,
        .network_threads = 3,
        .io_threads = 8,
        .cpu_request_ns = 40000,
        .cpu_record_ns = 300,
        .cpu_byte_ps = 1000,
        .nic_bytes_per_s = 1250000000,
        .disk_bytes_per_s = 600000000,
        .disk_bytes = 10000000000000,
        .retention_ns = 7 * 86400 * SECOND,
        .batch_overhead_bytes = 61,
        .record_overhead_bytes = 9,
        .key_bytes = 8,
        .fetch_min_bytes = 1,
        .fetch_wait_ns = 500 * MS,
        .fetch_partition_bytes = 1048576,
        .fetch_bytes = 52428800,
        .session_timeout_ns = 6 * SECOND,
        .rebalance_pause_ns = 1 * SECOND,
        .failover_ns = 2 * SECOND,
    };
    bed->options = (struct kafka_bed_options){
        .hosts = 3,
        .servers = 2,
        .records = 1000,
        .burst = 1,
        .gap_ns = 1 * MS,
        .channels = 1000,
        .text_bytes = 160,
        .service_ns = 2 * MS,
        .flush_ns = 5 * MS,
        .threads = 1,
        .scheduler = SIM_WINDOWS,
    };
    return bed;
}

void kafka_bed_fault(struct kafka_bed *bed, enum plan_fault_kind kind, enum plan_tier tier,
                     uint32_t index, uint64_t at_ns, uint64_t duration_ns)
{
    bed->plan.faults[bed->plan.fault_count++] = (struct plan_fault){
        .kind = kind,
        .tier = tier,
        .at_ns = at_ns,
        .duration_ns = duration_ns,
        .index = index,
        .zone = PLAN_ANY,
        .count = 1,
        .factor = 10,
        .loss = 0.3,
    };
}

static void law_build(struct dist *dist, const struct plan_law *law)
{
    struct dist_spec spec = {.law = DIST_CONSTANT, .mean = law->mean / 2};
    if (law->kind == PLAN_LAW_EXPONENTIAL) {
        spec = (struct dist_spec){
            .law = DIST_EXPONENTIAL, .mean = (law->mean - law->floor) / 2, .shift = law->floor / 2};
    }
    assert_int_equal(dist_init(dist, &spec), DIST_OK);
}

static void world_build(struct kafka_bed *bed)
{
    struct world *world = &bed->world;
    uint32_t hosts = bed->options.hosts;
    uint32_t servers = bed->options.servers;
    world->plan = &bed->plan;
    world->count[CLASS_GATEWAY] = hosts;
    world->count[CLASS_FANOUT] = servers;
    world->count[CLASS_KAFKA] = bed->plan.kafka.brokers;
    world->base[CLASS_FANOUT] = hosts;
    world->base[CLASS_KAFKA] = hosts + servers;
    uint32_t nodes = hosts + servers + bed->plan.kafka.brokers;
    law_build(&world->in_zone, &bed->plan.network.rtt_in_zone);
    law_build(&world->between_zones, &bed->plan.network.rtt_between_zones);
    world->from_ns = 0;
    world->until_ns = bed->plan.run.duration_ns;
    world->interval_ns = SECOND;
    world->interval_count = (uint32_t)(bed->plan.run.duration_ns / SECOND) + 1;
    world->usage = calloc((size_t)nodes * world->interval_count, sizeof *world->usage);
    world->zones = calloc(nodes, 1);
    world->thread_count = bed->options.threads;
    world->stats = bed->stats;
    assert_non_null(world->usage);
    assert_non_null(world->zones);
    for (uint32_t i = 0; i < bed->options.threads; i++) {
        bed->stats[i] = calloc(1, sizeof *bed->stats[i]);
        assert_non_null(bed->stats[i]);
    }
    faults_init(world);
}

static void hosts_build(struct kafka_bed *bed)
{
    uint32_t hosts = bed->options.hosts;
    size_t records = (size_t)hosts * bed->options.records;
    bed->hosts = calloc(hosts, sizeof *bed->hosts);
    bed->asked = calloc(records, sizeof *bed->asked);
    bed->routed_count = calloc(hosts, sizeof *bed->routed_count);
    bed->routed = bed->options.routes ? calloc(hosts * records, sizeof *bed->routed) : NULL;
    assert_true(bed->hosts != NULL && bed->asked != NULL && bed->routed_count != NULL);
    for (uint32_t i = 0; i < hosts; i++) {
        struct kafka_host *host = &bed->hosts[i];
        host->bed = bed;
        peer_init(&host->peer, &bed->world, CLASS_GATEWAY, i, 0);
        bed->world.zones[host->peer.node] = (uint8_t)host->peer.zone;
        host->producer = kafka_producer_create(&bed->world);
        assert_non_null(host->producer);
        assert_int_equal(sim_add_node(bed->sim, &host_class, host, i), host->peer.node);
        struct sim_event event = {.time_ns = 1 + i * bed->options.gap_ns / hosts,
                                  .node = host->peer.node,
                                  .kind = EV_TICK};
        sim_post(bed->sim, &event);
    }
}

static void servers_build(struct kafka_bed *bed)
{
    uint32_t partitions = bed->plan.kafka.partitions;
    bed->servers = calloc(bed->options.servers, sizeof *bed->servers);
    assert_non_null(bed->servers);
    for (uint32_t i = 0; i < bed->options.servers; i++) {
        struct kafka_server *server = &bed->servers[i];
        server->bed = bed;
        peer_init(&server->peer, &bed->world, CLASS_FANOUT, i, 0);
        bed->world.zones[server->peer.node] = (uint8_t)server->peer.zone;
        server->next = calloc(partitions, sizeof *server->next);
        server->credit = calloc(partitions, sizeof *server->credit);
        server->dirty = calloc(partitions, sizeof *server->dirty);
        server->workers = calloc(partitions, sizeof *server->workers);
        assert_true(server->next != NULL && server->credit != NULL && server->dirty != NULL &&
                    server->workers != NULL);
        assert_int_equal(sim_add_node(bed->sim, &server_class, server, i), server->peer.node);
    }
}

void kafka_bed_start(struct kafka_bed *bed)
{
    world_build(bed);
    const struct sim_config config = {
        .scheduler = bed->options.scheduler,
        .lookahead_ns = plan_lookahead_ns(&bed->plan),
        .thread_count = bed->options.threads,
        .node_count_max = bed->world.base[CLASS_KAFKA] + bed->world.count[CLASS_KAFKA],
    };
    bed->sim = sim_create(&config);
    assert_non_null(bed->sim);
    hosts_build(bed);
    servers_build(bed);
    bed->kafka = kafka_create(&bed->world);
    assert_non_null(bed->kafka);
    for (uint32_t i = 0; i < bed->plan.kafka.brokers; i++) {
        uint32_t node = sim_add_node(bed->sim, &kafka_broker_class, kafka_at(bed->kafka, i), i);
        assert_int_equal(node, bed->world.base[CLASS_KAFKA] + i);
        bed->world.zones[node] = (uint8_t)plan_zone_of(&bed->plan, i);
    }
    kafka_post(bed->kafka, bed->sim);
    faults_post(&bed->world, bed->sim);
}

void kafka_bed_free(struct kafka_bed *bed)
{
    sim_destroy(bed->sim);
    kafka_destroy(bed->kafka);
    for (uint32_t i = 0; i < bed->options.hosts; i++) {
        kafka_producer_destroy(bed->hosts[i].producer);
    }
    for (uint32_t i = 0; i < bed->options.servers; i++) {
        free(bed->servers[i].seen);
        free(bed->servers[i].next);
        free(bed->servers[i].credit);
        free(bed->servers[i].dirty);
        free(bed->servers[i].workers);
    }
    for (uint32_t i = 0; i < bed->options.threads; i++) {
        free(bed->stats[i]);
    }
    faults_free(&bed->world);
    free(bed->world.usage);
    free(bed->world.zones);
    free(bed->hosts);
    free(bed->servers);
    free(bed->asked);
    free(bed->routed);
    free(bed->routed_count);
    free(bed);
}

/* -- What came of it -----------------------------------------------------------------------------
 */

uint32_t *kafka_bed_counts(const struct kafka_bed *bed)
{
    uint32_t *counts = calloc((size_t)bed->options.hosts * bed->options.records, sizeof *counts);
    assert_non_null(counts);
    for (uint32_t i = 0; i < bed->options.servers; i++) {
        for (uint32_t k = 0; k < bed->servers[i].seen_count; k++) {
            counts[bed->servers[i].seen[k].record]++;
        }
    }
    return counts;
}

uint64_t kafka_bed_total(const struct kafka_bed *bed, enum counter counter)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < bed->options.threads; i++) {
        total += bed->stats[i]->total[counter];
    }
    return total;
}

uint64_t kafka_bed_digest(const struct kafka_bed *bed)
{
    uint64_t digest = 0;
    for (uint32_t i = 0; i < bed->options.hosts * bed->options.records; i++) {
        const struct kafka_asked *asked = &bed->asked[i];
        digest = hash_mix(digest ^ asked->answered_ns) + asked->replies + asked->tries;
    }
    for (uint32_t i = 0; i < bed->options.servers; i++) {
        for (uint32_t k = 0; k < bed->servers[i].seen_count; k++) {
            const struct kafka_seen *seen = &bed->servers[i].seen[k];
            digest = hash_mix(digest ^ seen->time_ns) + seen->record + seen->offset;
        }
    }
    for (uint32_t i = 0; i < bed->plan.kafka.brokers; i++) {
        struct resource_use uses[RESOURCE_COUNT] = {{0}};
        kafka_use(kafka_at(bed->kafka, i), uses);
        for (uint32_t k = 0; k < RESOURCE_COUNT; k++) {
            digest = hash_mix(digest ^ (uint64_t)uses[k].used);
        }
    }
    return digest;
}
