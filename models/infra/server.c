#include "models/infra/server.h"

#include "models/infra/faults.h"
#include "sim/pages.h"

#include <stddef.h>
#include <stdlib.h>

#define TIMER_COST_NS 500u
#define SWEEP_NS 250000000u
/* Operations under way in a worker. In steady state some hundred (1000 messages/s x 20 ms, and
 * their receipts); the rest is for the minute after a fault, when sessions are dropped for want of
 * one. */
#define GATEWAY_FLIGHTS_MAX 4096u
#define FANOUT_FLIGHTS_MAX 16384u

static const struct plan *plan_of(const struct server *server)
{
    return server->peer.world->plan;
}

static uint64_t wall_ms(const struct server *server, uint64_t now_ns)
{
    const struct world *world = server->peer.world;
    uint64_t ms = WALL_BASE_MS + now_ns / 1000000;
    if (plan_of(server)->fault_count > 0) {
        ms = (uint64_t)((int64_t)ms + faults_skew_ms(world, server->peer.node, now_ns));
    }
    return ms;
}

static void worker_arm(struct sim_context *context, struct server *server, uint32_t worker)
{
    struct server_worker *w = &server->workers[worker];
    uint64_t due_ns = chat_due(w->chat);
    if (due_ns >= w->armed_ns) {
        return;
    }
    uint64_t now_ns = sim_context_now(context);
    w->armed_ns = due_ns > now_ns ? due_ns : now_ns;
    struct sim_event event = {
        .time_ns = w->armed_ns,
        .node = server->peer.node,
        .kind = EV_TICK,
        .flags = (uint16_t)worker,
    };
    sim_send(context, &event);
}

bool server_step(struct sim_context *context, struct server *server, uint32_t worker,
                 struct chat_event *event, uint64_t cost_ns)
{
    struct server_worker *w = &server->workers[worker];
    struct chat_effects *effects = &server->scratch[sim_context_thread(context)]->effects;
    uint64_t now_ns = sim_context_now(context);
    uint64_t start_ns = now_ns > w->free_ns ? now_ns : w->free_ns;
    start_ns = outage_finish(&server->peer.outage, start_ns, 0);
    if (start_ns == SIM_NEVER) {
        return false;
    }
    if (start_ns - now_ns > server->backlog_ns) {
        server->backlog_ns = start_ns - now_ns;
    }
    for (bool more = true; more; event->kind = CHAT_EV_MORE) {
        event->now_ns = start_ns;
        event->wall_ms = wall_ms(server, start_ns);
        more = chat_step(w->chat, event, effects);
        uint64_t work_ns = (cost_ns + server_cost(server, effects)) * server->load_milli / 1000;
        uint64_t end_ns = outage_finish(&server->peer.outage, start_ns, work_ns);
        if (end_ns == SIM_NEVER) {
            return false; /* Killed in the middle: nothing of it leaves. */
        }
        usage_add(&server->peer, start_ns, work_ns);
        w->free_ns = end_ns;
        server_apply(context, server, worker, effects, end_ns);
        start_ns = end_ns;
        cost_ns = 0;
        count_add(context, server->peer.world, COUNT_STEPS, 1);
    }
    worker_arm(context, server, worker);
    return true;
}

static void on_timer(struct sim_context *context, struct server *server, uint32_t worker)
{
    server->workers[worker].armed_ns = SIM_NEVER;
    struct chat_event event = {.kind = CHAT_EV_TIMER};
    server_step(context, server, worker, &event, TIMER_COST_NS);
}

static void on_route(struct sim_context *context, struct server *server,
                     const struct sim_event *event)
{
    struct route route;
    EVENT_READ(event, &route);
    struct chat_entry entry;
    entry_unpack(&route.entry, &entry);
    uint32_t worker = event->flags % server->worker_count;
    uint32_t device = (uint32_t)route.entry.device >> 4;
    if (server_is_of_another(server, worker, route.conn_id, route.entry.more, device)) {
        count_add(context, server->peer.world, COUNT_LOST, 1);
        return;
    }
    entry.alone = 0;
    entry.position = route.position;
    struct chat_event step = {
        .kind = CHAT_EV_ROUTED,
        .conn_id = route.conn_id,
        .user_id = route.entry.more,
        .device_id = device,
        .entries = &entry,
        .count = 1,
    };
    const struct plan_gateway *gateway = &plan_of(server)->gateway;
    uint64_t cost_ns = gateway->cpu_effect_ns + entry.text.size_bytes * gateway->cpu_byte_ps / 1000;
    server_step(context, server, worker, &step, cost_ns);
}

static void on_record(struct sim_context *context, struct server *server,
                      const struct sim_event *event)
{
    struct record record;
    EVENT_READ(event, &record);
    const struct world *world = server->peer.world;
    const struct plan_fanout *fanout = &plan_of(server)->fanout;
    struct chat_entry entry;
    entry_unpack(&record.entry, &entry);
    count_add(context, world, COUNT_RECORDS, 1);
    stage_record(context, world, STAGE_LOG,
                 stamp_age_ns((uint32_t)record.published, sim_context_now(context)));
    struct chat_event step = {
        .kind = CHAT_EV_RECORD,
        .entries = &entry,
        .count = 1,
        .offset = (uint64_t)record.entry.more << 40 | record.offset,
    };
    server_commit_open(server, event->flags & 0xff, record.entry.more, record.offset);
    uint64_t cost_ns = fanout->cpu_record_ns + entry.text.size_bytes * fanout->cpu_byte_ps / 1000;
    server_step(context, server, event->flags & 0xff, &step, cost_ns);
}

/* Workers' sessions lie in turn: those in use fill huge pages, whatever room there is. */
static char *session_memory(const struct server *server, uint32_t worker, uint32_t slot)
{
    size_t index = (size_t)slot * server->worker_count + worker;
    return server->sessions + index * CHAT_SESSION_BYTES;
}

static void sessions_clear(struct server *server, uint32_t worker)
{
    const struct server_worker *w = &server->workers[worker];
    for (uint32_t slot = 0; slot < w->fresh_slot; slot++) {
        memset(session_memory(server, worker, slot), 0, CHAT_SESSION_BYTES);
    }
}

static void worker_reset(struct server *server, uint32_t worker)
{
    struct server_worker *w = &server->workers[worker];
    struct chat_config config = server->config;
    config.gateway = gateway_name(server, worker);
    config.machine = server->peer.index % 1024;
    config.sequence_count = 4096 / server->worker_count;
    config.sequence_first = worker * config.sequence_count;
    config.reserved_until_ms = server->reserved_ms;
    if (w->chat != NULL) {
        memset(w->chat, 0, chat_size(&config));
        sessions_clear(server, worker);
    }
    config.sessions = session_memory(server, worker, 0);
    w->chat = chat_init(w->memory, &config);
    w->armed_ns = SIM_NEVER;
    w->connected = 0;
    w->free_slot = SLOT_NONE;
    w->fresh_slot = 0;
    w->flush_armed = false;
    memset(w->commits, 0, SERVER_COMMITS_MAX * sizeof *w->commits);
}

static void on_down(struct sim_context *context, struct server *server)
{
    kafka_producer_reset(server->producer);
    server_reset_clients(context, server);
    for (uint32_t i = 0; i < server->worker_count; i++) {
        struct server_worker *w = &server->workers[i];
        worker_reset(server, i);
        for (uint32_t slot = 0; slot <= server->flights_max; slot++) {
            free(w->calls[slot].rows);
        }
        memset(w->calls, 0, (server->flights_max + 1) * sizeof *w->calls);
        w->free_ns = sim_context_now(context);
    }
}

static uint64_t connected_of(const struct server *server)
{
    uint64_t connected = 0;
    for (uint32_t i = 0; i < server->worker_count; i++) {
        connected += server->workers[i].connected;
    }
    return connected;
}

static void send_refresh(struct sim_context *context, struct server *server, bool started)
{
    struct world *world = server->peer.world;
    uint64_t connected = connected_of(server);
    for (uint32_t shard = 0; shard < world->count[CLASS_REDIS]; shard++) {
        struct call call = {
            .token = SERVER_REFRESH_TOKEN | shard,
            .source = server->peer.node,
            .op = started ? 1 : 0,
        };
        call.key.position = connected / world->count[CLASS_REDIS];
        call.key.channel = server->peer.index;
        struct sim_event event = {.kind = EV_REFRESH};
        EVENT_WRITE(&event, &call);
        net_send(context, &server->peer, world->base[CLASS_REDIS] + shard, sim_context_now(context),
                 64, &event);
    }
}

static void sweep_arm(struct sim_context *context, struct server *server, uint16_t kind,
                      uint64_t delay_ns)
{
    struct sim_event event = {
        .time_ns = sim_context_now(context) + delay_ns,
        .node = server->peer.node,
        .kind = kind,
    };
    sim_send(context, &event);
}

/* Of all connections, a second. */
static double beats_per_s(const struct server *server)
{
    const struct plan_client *client = &plan_of(server)->client;
    bool beats = client->transport == PLAN_WEBSOCKET && server->peer.class == CLASS_GATEWAY;
    return beats ? 1e9 * (double)connected_of(server) / (double)client->heartbeat_ns : 0;
}

/* The share of the CPU that connections take which do nothing but beat. */
static double idle_share(const struct server *server)
{
    const struct plan_gateway *gateway = &plan_of(server)->gateway;
    if (server->peer.class != CLASS_GATEWAY) {
        return 0;
    }
    double beat_ns = (double)(gateway->cpu_frame_in_ns + gateway->cpu_frame_out_ns);
    double idle_ns = (double)connected_of(server) * (double)gateway->cpu_idle_ns;
    double share = 1e-9 * (idle_ns + beats_per_s(server) * beat_ns) / server->worker_count;
    return share < 0.99 ? share : 0.99;
}

/* It slows everything else down. */
static void load_update(struct server *server)
{
    double idle = idle_share(server);
    if (server->peer.class == CLASS_GATEWAY) {
        double tls_share = plan_of(server)->gateway.tls_share;
        server->load_milli = (uint64_t)(1000 * (1 + tls_share) / (1 - idle));
    }
}

/* Heartbeats of the last sweep, both ways. They are counted, and hold up nobody: they come one by
 * one, all the time. */
static void beats_count(struct server *server, uint64_t now_ns)
{
    const struct world *world = server->peer.world;
    if (now_ns >= world->from_ns && now_ns < world->until_ns) {
        double beats = beats_per_s(server) * SWEEP_NS * 1e-9;
        uint64_t bytes = (uint64_t)(beats * (double)plan_of(server)->network.framing_bytes + 0.5);
        server->peer.in_bytes += bytes;
        server->peer.out_bytes += bytes;
    }
}

static void handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct server *server = state;
    outage_pass(&server->peer.outage, event->time_ns);
    if (event->kind == EV_DOWN) {
        on_down(context, server);
        return;
    }
    if (outage_is_down(&server->peer.outage, event->time_ns)) {
        if (event->kind == EV_TICK2 || event->kind == EV_TICK3) {
            sweep_arm(context, server, event->kind, SWEEP_NS);
        } else {
            count_add(context, server->peer.world, COUNT_LOST, 1);
            if (event->kind == EV_OPEN) {
                server_on_uplink(context, server, event); /* Refused: nobody listens. */
            }
        }
        return;
    }
    switch (event->kind) {
    case EV_UP:
        if (server->peer.class == CLASS_GATEWAY) {
            send_refresh(context, server, true);
        }
        break;
    case EV_TICK:
        on_timer(context, server, event->flags);
        break;
    case EV_TICK2:
        load_update(server);
        beats_count(server, event->time_ns);
        server_timeouts(context, server);
        sweep_arm(context, server, EV_TICK2, SWEEP_NS);
        break;
    case EV_TICK3:
        send_refresh(context, server, false);
        sweep_arm(context, server, EV_TICK3, plan_of(server)->core.presence_ttl_ns / 3);
        break;
    case EV_INNER:
        server_commit_flush(context, server, event->flags, sim_context_now(context));
        break;
    case EV_REPLY:
        server_on_reply(context, server, event);
        break;
    case EV_ROUTE:
        on_route(context, server, event);
        break;
    case EV_RECORD:
        on_record(context, server, event);
        break;
    case EV_OPEN:
    case EV_FRAME:
    case EV_CLOSE:
        server_on_uplink(context, server, event);
        break;
    default:
        CHECK(!"an event that no server knows");
    }
}

static uint32_t worker_of(const struct server *server, const struct sim_event *event)
{
    return event->kind == EV_ROUTE ? event->flags % server->worker_count : event->flags & 0xff;
}

static void prefetch_server(const struct server *server, const struct sim_event *event)
{
    const char *line = (const char *)server;
    for (uint32_t i = 0; i < offsetof(struct server, workers); i += 64) {
        __builtin_prefetch(line + i, 1);
    }
    /* A route's worker is known only from the server: its lines come a step later. */
    line = (const char *)&server->workers[event->kind == EV_ROUTE ? 0 : event->flags & 0xff];
    __builtin_prefetch(line, 1);
    __builtin_prefetch(line + 64, 1);
}

/* First the server and its worker, then what the core says, and the host's own beside it. */
static void prefetch(const void *state, const struct sim_event *event, uint32_t step)
{
    const struct server *server = state;
    uint64_t conn_id = 0;
    uint64_t token = 0;
    if (step == 0) {
        prefetch_server(server, event);
        return;
    }
    if (event->kind == EV_FRAME) {
        conn_id = event->data[0];
    } else if (event->kind == EV_ROUTE) {
        conn_id = event->data[5];
    } else if (event->kind == EV_REPLY && (event->data[0] & SERVER_REFRESH_TOKEN) == 0) {
        token = event->data[0];
    } else if (event->kind != EV_RECORD) {
        return;
    }
    const struct server_worker *w = &server->workers[worker_of(server, event)];
    struct chat_touch touch = chat_prefetch(w->chat, conn_id, token, step - 1);
    if (touch.session != UINT32_MAX) {
        __builtin_prefetch(&w->slots[touch.session], 1);
    }
    if (touch.token != UINT32_MAX) {
        __builtin_prefetch(&w->calls[touch.token], 1);
    }
}

const struct sim_class server_class = {
    .name = "server", .handle = handle, .prefetch = prefetch, .prefetch_steps = 4};

static struct chat_config core_config(const struct plan *plan, enum infra_class class,
                                      uint32_t slot_count)
{
    struct chat_config config = chat_config_default(slot_count);
    if (class == CLASS_FANOUT) {
        /* Kafka's credit keeps to in_flight_max, but for one record a broker at least, and what a
         * takeover inherits. */
        config.records_max = plan->fanout.in_flight_max > plan->kafka.brokers
                                 ? plan->fanout.in_flight_max
                                 : plan->kafka.brokers;
        config.records_max += FANOUT_FLIGHTS_MAX / 16;
        config.flights_max = FANOUT_FLIGHTS_MAX > 3 * config.records_max ? FANOUT_FLIGHTS_MAX
                                                                         : 3 * config.records_max;
        config.unacked_max = 1;
        config.pages_max = 256;
    } else {
        config.records_max = 1;
        config.flights_max = GATEWAY_FLIGHTS_MAX;
        config.unacked_max = GATEWAY_FLIGHTS_MAX + slot_count / 32;
        config.pages_max = 1;
        if (plan->core.receipts == PLAN_RECEIPTS_WATERMARK) {
            config.flights_max += slot_count / 4; /* Marks that wait for others. */
        }
        if (plan->client.transport == PLAN_LONG_POLLING) {
            config.flights_max += slot_count; /* Each request that is held waits as one. */
        }
    }
    config.reserve_ms = plan->run.contents ? 1000 : 0;
    config.devices_max = plan->population.devices_per_user > 1 ? CHAT_DEVICES_MAX : 1;
    config.hybrid_threshold = plan->core.hybrid_threshold;
    config.receipts =
        plan->core.receipts == PLAN_RECEIPTS_WATERMARK ? RECEIPTS_WATERMARK : RECEIPTS_MESSAGE;
    config.window_ns = plan->core.receipts_window_ns;
    config.hold_ns = plan->client.poll_hold_ns;
    config.check_ns = plan->client.poll_check_ns;
    config.confirm_ns = plan->core.redeliver_ns;
    config.retry_first_ns = plan->core.retry_first_ns;
    config.retry_max_ns = plan->core.retry_max_ns;
    return config;
}

static uint32_t slots_of(const struct plan *plan, enum infra_class class)
{
    if (class != CLASS_GATEWAY) {
        return 1;
    }
    return (uint32_t)(plan->gateway.connections_max / plan->gateway.cores + 1);
}

static size_t calls_bytes(const struct server *server)
{
    return ((server->flights_max + 1) * sizeof(struct server_call) + 63) / 64 * 64;
}

/* A worker's core, calls, commits and slots lie side by side, on small pages, since most of it is
 * never touched. Sessions lie apart. */
static size_t server_worker_bytes(const struct server *server, uint32_t slot_count)
{
    size_t bytes = chat_size(&server->config) + calls_bytes(server) +
                   SERVER_COMMITS_MAX * sizeof(struct server_commit) +
                   slot_count * sizeof(struct server_slot);
    return (bytes + 63) / 64 * 64;
}

struct server *server_create(struct world *world, enum infra_class class, uint32_t index,
                             const struct workload *workload, struct server_scratch **scratch)
{
    const struct plan *plan = world->plan;
    bool gateway = class == CLASS_GATEWAY;
    uint32_t worker_count = gateway ? plan->gateway.cores : plan->fanout.cores;
    size_t size = sizeof(struct server) + worker_count * sizeof(struct server_worker);
    struct server *server = aligned_alloc(64, (size + 63) / 64 * 64);
    CHECK(server != NULL);
    memset(server, 0, size);
    peer_init(&server->peer, world, class, index,
              gateway ? plan->gateway.nic_bytes_per_s : plan->fanout.nic_bytes_per_s);
    server->worker_count = worker_count;
    server->workload = workload;
    server->scratch = scratch;
    server->load_milli = 1000;
    uint32_t slot_count = slots_of(plan, class);
    server->config = core_config(plan, class, slot_count);
    server->config.sessions = server; /* Not in the core's own: worker_reset() says where. */
    server->config.sessions_step = worker_count;
    server->flights_max = server->config.flights_max;
    server->producer = kafka_producer_create(world);
    size_t each = server_worker_bytes(server, slot_count);
    server->memory_bytes = each * server->worker_count;
    server->memory = pages_allocate_sparse(server->memory_bytes);
    server->sessions_bytes = (size_t)slot_count * CHAT_SESSION_BYTES * server->worker_count;
    server->sessions = pages_allocate(server->sessions_bytes);
    CHECK(server->producer != NULL && server->memory != NULL && server->sessions != NULL);
    if (plan->run.contents) {
        server->versions =
            calloc(server->worker_count * (server->flights_max + 1), sizeof *server->versions);
        CHECK(server->versions != NULL);
    }
    for (uint32_t i = 0; i < server->worker_count; i++) {
        struct server_worker *w = &server->workers[i];
        w->slot_count = slot_count;
        char *at = server->memory + i * each;
        w->memory = at;
        w->calls = (struct server_call *)(void *)(at += chat_size(&server->config));
        w->commits = (struct server_commit *)(void *)(at += calls_bytes(server));
        w->slots = (struct server_slot *)(void *)(at + SERVER_COMMITS_MAX * sizeof *w->commits);
        worker_reset(server, i);
    }
    return server;
}

void server_destroy(struct server *server)
{
    if (server == NULL) {
        return;
    }
    for (uint32_t i = 0; i < server->worker_count; i++) {
        struct server_worker *w = &server->workers[i];
        for (uint32_t slot = 0; slot <= server->flights_max; slot++) {
            free(w->calls[slot].rows);
        }
    }
    pages_free(server->memory, server->memory_bytes);
    pages_free(server->sessions, server->sessions_bytes);
    kafka_producer_destroy(server->producer);
    free(server->versions);
    free(server);
}

/* All that is reserved, also what no connection will touch: where address space is limited, that is
 * what counts. */
uint64_t server_memory_bytes(const struct plan *plan, enum infra_class class)
{
    uint32_t slot_count = slots_of(plan, class);
    struct server server = {.config = core_config(plan, class, slot_count)};
    server.config.sessions = &server;
    server.flights_max = server.config.flights_max;
    uint64_t workers = class == CLASS_GATEWAY ? plan->gateway.cores : plan->fanout.cores;
    size_t sessions = (size_t)slot_count * CHAT_SESSION_BYTES;
    return workers * (server_worker_bytes(&server, slot_count) + sessions);
}

void server_start(struct server *server, struct sim *sim)
{
    load_update(server);
    uint64_t period_ns = server->peer.world->plan->core.presence_ttl_ns / 3;
    struct sim_event event = {.node = server->peer.node, .kind = EV_TICK2};
    event.time_ns = rng_below(rng_next(&server->peer.rng).word[0], SWEEP_NS);
    sim_post(sim, &event);
    if (server->peer.class == CLASS_GATEWAY) {
        event.kind = EV_TICK3;
        event.time_ns = rng_below(rng_next(&server->peer.rng).word[0], period_ns);
        sim_post(sim, &event);
    }
}

void server_use(const struct server *server, struct resource_use uses[RESOURCE_COUNT])
{
    const struct world *world = server->peer.world;
    const struct plan_gateway *gateway = &world->plan->gateway;
    double measured_ns = (double)(world->until_ns - world->from_ns);
    uint64_t connected = connected_of(server);
    /* Work was stretched by what the idle connections took: taken apart again. */
    double idle = idle_share(server);
    double busy = (double)server->peer.busy_ns / (measured_ns * server->worker_count);
    busy = busy * (1 - idle) + idle;
    peer_use(&server->peer, uses);
    if (server->peer.class == CLASS_GATEWAY) {
        uint64_t each = gateway->connection_kernel_bytes + gateway->connection_user_bytes +
                        gateway->connection_tls_bytes;
        uses[RESOURCE_CONNECTIONS] =
            (struct resource_use){(double)connected, (double)gateway->connections_max};
        uses[RESOURCE_MEMORY] =
            (struct resource_use){(double)(connected * each), (double)gateway->memory_bytes};
    }
    uses[RESOURCE_CPU] = (struct resource_use){busy, 1};
}
