#include "tests/swarm/world.h"

#include "tests/swarm/world_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The one global: what a failing CHECK says. Tests run one world at a time. */
static char running[96];

const char *world_running(void)
{
    return running;
}

struct world_options world_options_default(uint64_t seed)
{
    return (struct world_options){
        .seed = seed, .faults = FAULT_ALL, .run_ms = 12000, .quiet_ms = 30000};
}

uint64_t draw(struct world *world)
{
    return rng_next(&world->rng).word[0];
}

uint64_t below(struct world *world, uint64_t n)
{
    return rng_below(draw(world), n);
}

bool chance(struct world *world, uint32_t per_mille)
{
    return below(world, 1000) < per_mille;
}

bool fault(struct world *world, enum world_fault kind, uint32_t per_mille)
{
    bool hit = world->faulty && (world->options.faults & kind) != 0 && chance(world, per_mille);
    world->result.faults += hit;
    return hit;
}

void trace(const struct world *world, const char *format, ...)
{
    if (!world->options.trace) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%9.3f ", (double)world->now_ns / 1e6);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void violate(struct world *world, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("  world: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    world->result.violations++;
}

/* Events: a binary heap by time, then by the dice. */

static bool goes_first(const struct happening *a, const struct happening *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->tie < b->tie);
}

static void heap_swap(struct world *world, uint32_t i, uint32_t k)
{
    struct happening one = world->heap[i];
    world->heap[i] = world->heap[k];
    world->heap[k] = one;
}

/* The new happening is placed by its time at once, so it may be filled in but not moved. */
struct happening *happen(struct world *world, uint64_t delay_ns, enum happening_kind kind,
                         uint32_t index)
{
    if (world->heap_count == world->heap_max) {
        world->heap_max = world->heap_max == 0 ? 1024 : 2 * world->heap_max;
        world->heap = realloc(world->heap, world->heap_max * sizeof *world->heap);
        CHECK(world->heap != NULL);
    }
    uint32_t at = world->heap_count++;
    world->heap[at] = (struct happening){
        .at_ns = world->now_ns + delay_ns, .tie = draw(world), .kind = kind, .index = index};
    while (at > 0 && goes_first(&world->heap[at], &world->heap[(at - 1) / 2])) {
        heap_swap(world, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
    return &world->heap[at];
}

static struct happening heap_take(struct world *world)
{
    struct happening first = world->heap[0];
    world->heap[0] = world->heap[--world->heap_count];
    for (uint32_t at = 0;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < world->heap_count && goes_first(&world->heap[child], &world->heap[least])) {
                least = child;
            }
        }
        if (least == at) {
            return first;
        }
        heap_swap(world, at, least);
        at = least;
    }
}

/* Nodes. */

uint64_t node_wall_ms(const struct world *world, const struct node *node)
{
    return (uint64_t)((int64_t)wall_ms(world) + node->skew_ms);
}

static struct chat_config node_config(struct world *world, const struct node *node)
{
    bool small = (world->options.faults & FAULT_SMALL) != 0 && chance(world, 400);
    struct chat_config config = chat_config_default(SESSIONS_MAX);
    uint64_t reserved_ms = 0;
    for (uint32_t i = 0; i < REPLICAS; i++) {
        uint64_t here_ms = table_reserved(world->tables[i], node->index / 2);
        reserved_ms = here_ms > reserved_ms ? here_ms : reserved_ms;
    }
    config.gateway = node->index;
    config.machine = node->index / 2; /* Two workers of one machine split its sequence. */
    config.sequence_first = node->index % 2 * 2048;
    config.sequence_count = 2048;
    config.reserved_until_ms = reserved_ms;
    config.reserve_ms = 2000;
    config.flights_max = small ? 24 : 512;
    config.records_max = small ? 4 : 32;
    config.unacked_max = small ? 16 : 512;
    config.pages_max = small ? 1 : 8;
    config.session_sends_max = small ? 3 : 16;
    config.receipts = world->options.watermark ? RECEIPTS_WATERMARK : RECEIPTS_MESSAGE;
    config.window_ns = world->options.seed % 2 * 100ull * MS;
    config.hold_ns = 2000ull * MS;
    config.confirm_ns = 500ull * MS;
    config.gap_ns = 100ull * MS;
    config.retry_first_ns = 20ull * MS;
    config.retry_max_ns = 500ull * MS;
    return config;
}

void node_start(struct world *world, struct node *node)
{
    struct chat_config config = node_config(world, node);
    size_t size_bytes = chat_size(&config);
    node->memory = aligned_alloc(64, (size_bytes + 63) / 64 * 64);
    CHECK(node->memory != NULL);
    memset(node->memory, 0, size_bytes);
    node->chat = chat_init(node->memory, &config);
    node->alive = true;
    node->incarnation++;
    node->timer_ns = CHAT_NEVER;
    node->blobs = 0;
    node->records = 0;
    memset(node->conns, 0, sizeof node->conns);
    for (uint32_t i = 0; i < SHARDS; i++) {
        inbox_gateway_started(world->shards[i], node->index, wall_ms(world));
        node->stamps[i] = inbox_refresh(world->shards[i], node->index, wall_ms(world));
    }
    trace(world, "node %u starts, reserved until %" PRIu64, node->index, config.reserved_until_ms);
}

void node_die(struct world *world, struct node *node)
{
    trace(world, "node %u dies", node->index);
    node->alive = false;
    for (uint32_t slot = 0; slot < SESSIONS_MAX; slot++) {
        uint32_t serial = node->conns[slot];
        if (serial != 0) {
            world->conns[serial].server_open = false;
            happen(world, below(world, 1500) * MS, HAPPEN_GONE, serial);
        }
    }
    free(node->memory);
    node->memory = NULL;
    node->chat = NULL;
}

static void on_send(struct world *world, struct node *node, const struct chat_effect *effect)
{
    uint32_t serial = node->conns[(uint32_t)effect->conn_id];
    if (serial == 0 || world->conns[serial].id != effect->conn_id) {
        violate(world, "node %u SENDs to a connection that is not there", node->index);
        return;
    }
    send_down(world, serial, &effect->frame);
}

static void on_drop(struct world *world, struct node *node, const struct chat_effect *effect)
{
    uint32_t serial = node->conns[(uint32_t)effect->conn_id];
    if (serial == 0 || world->conns[serial].id != effect->conn_id) {
        violate(world, "node %u DROPs a connection that is not there", node->index);
        return;
    }
    node->conns[(uint32_t)effect->conn_id] = 0;
    world->conns[serial].server_open = false;
    trace(world, "node %u drops conn %u: %s", node->index, serial,
          chat_err_text((enum chat_err)effect->err));
    struct chat_frame closed = {0};
    send_down(world, serial, &closed);
}

static void on_commit(struct world *world, struct node *node, const struct chat_effect *effect)
{
    uint32_t partition = (uint32_t)(effect->position >> 32);
    CHECK(node->records > 0);
    node->records--;
    log_commit(world->log, 0, partition, effect->position & UINT32_MAX);
    happen(world, 0, HAPPEN_PUMP, partition);
}

static void on_route(struct world *world, const struct chat_effect *effect)
{
    if (fault(world, FAULT_ROUTE, 60)) {
        return;
    }
    uint64_t delay_ns = below(world, chance(world, 50) ? 300 * MS : 5 * MS);
    struct happening *route = happen(world, delay_ns, HAPPEN_ROUTE, effect->gateway);
    route->entry = effect->entry;
    route->a = effect->conn_id;
    route->b = effect->user;
    route->c = effect->device;
}

static void on_push(struct world *world, struct node *node, const struct chat_effect *effect)
{
    struct person *person = person_of(world, effect->user, effect->device);
    if (person != NULL && chance(world, 900)) {
        happen(world, below(world, 1000 * MS), HAPPEN_WAKE, (uint32_t)(person - world->people));
    }
    call_start(world, node, effect);
}

static void effect_apply(struct world *world, struct node *node, const struct chat_effect *effect)
{
    switch ((enum chat_effect_kind)effect->kind) {
    case CHAT_FX_SEND:
        on_send(world, node, effect);
        break;
    case CHAT_FX_DROP:
        on_drop(world, node, effect);
        break;
    case CHAT_FX_STORE:
    case CHAT_FX_READ:
    case CHAT_FX_PUBLISH:
    case CHAT_FX_CACHE:
        call_start(world, node, effect);
        break;
    case CHAT_FX_COMMIT:
        on_commit(world, node, effect);
        break;
    case CHAT_FX_ROUTE:
        on_route(world, effect);
        break;
    case CHAT_FX_PUSH:
        on_push(world, node, effect);
        break;
    case CHAT_FX_RELEASE:
        CHECK(node->blobs > 0);
        node->blobs--;
        break;
    case CHAT_FX_KINDS:
        CHECK(!"an effect");
    }
}

static void timer_arm(struct world *world, struct node *node)
{
    uint64_t due_ns = chat_due(node->chat);
    if (due_ns == node->timer_ns) {
        return;
    }
    node->timer_ns = due_ns;
    node->timer_version++;
    if (due_ns != CHAT_NEVER) {
        uint64_t delay_ns = due_ns > world->now_ns ? due_ns - world->now_ns : 0;
        happen(world, delay_ns, HAPPEN_TIMER, node->index)->a = node->timer_version;
    }
}

void node_step(struct world *world, struct node *node, struct chat_event *event)
{
    CHECK(node->alive);
    bool more = true;
    while (more) {
        event->now_ns = world->now_ns;
        event->wall_ms = node_wall_ms(world, node);
        more = chat_step(node->chat, event, &world->effects);
        world->result.steps++;
        for (uint32_t i = 0; i < world->effects.count; i++) {
            effect_apply(world, node, &world->effects.list[i]);
        }
        *event = (struct chat_event){.kind = CHAT_EV_MORE};
    }
    timer_arm(world, node);
}

static void on_timer(struct world *world, struct node *node, uint64_t version)
{
    if (node->alive && version == node->timer_version) {
        node->timer_ns = CHAT_NEVER;
        struct chat_event event = {.kind = CHAT_EV_TIMER};
        node_step(world, node, &event);
        pump_node(world, node);
    }
}

static void on_routed(struct world *world, const struct happening *route)
{
    struct node *node = &world->nodes[route->index];
    if (node->alive) {
        struct chat_event event = {
            .kind = CHAT_EV_ROUTED,
            .conn_id = route->a,
            .user_id = route->b,
            .device_id = (uint32_t)route->c,
            .entries = &route->entry,
            .count = 1,
        };
        node_step(world, node, &event);
    }
}

/* Presence in bulk; a stamp that changed means: look at each. */
static void on_refresh(struct world *world, struct node *node)
{
    happen(world, (REFRESH_MS + below(world, 100)) * MS, HAPPEN_REFRESH, node->index);
    if (!node->alive || !node->gateway) {
        return;
    }
    for (uint32_t i = 0; i < SHARDS; i++) {
        if (fault(world, FAULT_LAPSE, 200)) {
            continue;
        }
        uint64_t stamp = inbox_refresh(world->shards[i], node->index, wall_ms(world));
        bool changed = stamp != node->stamps[i];
        node->stamps[i] = stamp;
        for (uint32_t slot = 0; changed && slot < SESSIONS_MAX; slot++) {
            uint32_t serial = node->conns[slot];
            if (serial == 0) {
                continue;
            }
            const struct conn *conn = &world->conns[serial];
            const struct person *person = &world->people[conn->person];
            bool stream =
                conn->transport == TRANSPORT_WEBSOCKET || conn->transport == TRANSPORT_LONG_POLL;
            if (stream && person->user % SHARDS == i &&
                !inbox_holds(world->shards[i], person->user, person->device, node->index, conn->id,
                             wall_ms(world))) {
                trace(world, "node %u lost presence of conn %u", node->index, serial);
                struct chat_event event = {.kind = CHAT_EV_LOST, .conn_id = conn->id};
                node_step(world, node, &event);
            }
        }
    }
}

static void on_assign(struct world *world, uint32_t partition)
{
    struct partition_state *state = &world->partitions[partition];
    uint32_t candidates[NODES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->node_count; i++) {
        if (world->nodes[i].alive && world->nodes[i].fanout) {
            candidates[count++] = i;
        }
    }
    if (count == 0) {
        happen(world, 100 * MS, HAPPEN_ASSIGN, partition);
        return;
    }
    state->node = candidates[below(world, count)];
    state->incarnation = world->nodes[state->node].incarnation;
    state->next = log_rewind(world->log, 0, partition);
    trace(world, "partition %u goes to node %u from %" PRIu64, partition, state->node, state->next);
    pump(world, partition);
}

static void dispatch(struct world *world, const struct happening *happening)
{
    switch (happening->kind) {
    case HAPPEN_TIMER:
        on_timer(world, &world->nodes[happening->index], happening->a);
        break;
    case HAPPEN_CALL:
        call_arrives(world, happening->call);
        break;
    case HAPPEN_REPLY:
        call_answered(world, happening->call);
        break;
    case HAPPEN_ROUTE:
        on_routed(world, happening);
        break;
    case HAPPEN_UP:
        frame_up(world, happening);
        break;
    case HAPPEN_DOWN:
        frame_down(world, happening);
        break;
    case HAPPEN_CLOSE:
        conn_close(world, happening->index);
        break;
    case HAPPEN_GONE:
        conn_gone(world, happening->index);
        break;
    case HAPPEN_REFRESH:
        on_refresh(world, &world->nodes[happening->index]);
        break;
    case HAPPEN_START:
        if (!world->nodes[happening->index].alive) {
            node_start(world, &world->nodes[happening->index]);
        }
        break;
    case HAPPEN_ASSIGN:
        on_assign(world, happening->index);
        break;
    case HAPPEN_PUMP:
        pump(world, happening->index);
        break;
    case HAPPEN_DEVICE:
        judge_device(world->judge, happening->a, (uint32_t)happening->b);
        break;
    case HAPPEN_FAULT:
        fault_happens(world);
        break;
    case HAPPEN_HEAL:
        heal(world);
        break;
    case HAPPEN_MEMBER:
        member_happens(world);
        break;
    default:
        person_happens(world, happening);
        break;
    }
}

/* A whole run. */

static void run_until(struct world *world, uint64_t until_ns)
{
    while (world->heap_count > 0 && world->heap[0].at_ns < until_ns) {
        struct happening happening = heap_take(world);
        world->now_ns = happening.at_ns;
        dispatch(world, &happening);
    }
    world->now_ns = until_ns;
}

static void backends_create(struct world *world)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct inbox_config config = inbox_config_default(true);
        config.gateways_max = NODES_MAX;
        config.presence_ttl_ms = PRESENCE_TTL_MS;
        config.stride = SHARDS;
        config.rest = i;
        world->shards[i] = inbox_create(&config);
        CHECK(world->shards[i] != NULL);
    }
    for (uint32_t i = 0; i < REPLICAS; i++) {
        struct table_config config = table_config_default();
        config.watermark = world->options.watermark;
        world->tables[i] = table_create(&config);
        CHECK(world->tables[i] != NULL);
    }
    world->log = log_create(PARTITIONS, 1);
    world->judge = judge_create();
    CHECK(world->log != NULL && world->judge != NULL);
    if (world->options.watermark) {
        judge_watermark(world->judge);
    }
}

static void world_create(struct world *world, const struct world_options *options)
{
    world->options = *options;
    world->rng = (struct rng_cursor){.stream = rng_stream(options->seed, "swarm")};
    world->now_ns = MS;
    world->faulty = true;
    world->conn_count = 1;
    backends_create(world);
    world->node_count = 2 + (uint32_t)below(world, NODES_MAX - 1);
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct node *node = &world->nodes[i];
        node->index = i;
        node->gateway = i != 1;
        node->fanout = i != 0 || chance(world, 500);
        node_start(world, node);
        happen(world, below(world, REFRESH_MS * MS), HAPPEN_REFRESH, i);
    }
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        world->partitions[i].node = NODES_MAX;
        happen(world, 0, HAPPEN_ASSIGN, i);
    }
    people_create(world);
    happen(world, 0, HAPPEN_FAULT, 0);
    happen(world, 0, HAPPEN_HEAL, 0);
    happen(world, 500 * MS, HAPPEN_MEMBER, 0);
}

static void world_destroy(struct world *world)
{
    while (world->heap_count > 0) {
        struct happening happening = heap_take(world);
        if (happening.kind == HAPPEN_CALL || happening.kind == HAPPEN_REPLY) {
            free(happening.call);
        }
    }
    for (uint32_t i = 0; i < world->node_count; i++) {
        free(world->nodes[i].memory);
    }
    people_destroy(world);
    for (uint32_t i = 0; i < SHARDS; i++) {
        inbox_destroy(world->shards[i]);
    }
    for (uint32_t i = 0; i < REPLICAS; i++) {
        table_destroy(world->tables[i]);
    }
    log_destroy(world->log);
    judge_destroy(world->judge);
    free(world->heap);
    free(world->conns);
    free(world->messages);
    free(world);
}

struct world_result world_run(const struct world_options *options)
{
    snprintf(running, sizeof running, "seed %" PRIu64 ", faults 0x%" PRIx32 "%s", options->seed,
             options->faults, options->watermark ? ", watermark" : "");
    struct world *world = calloc(1, sizeof *world);
    CHECK(world != NULL);
    world_create(world, options);
    run_until(world, options->run_ms * MS);
    quiesce(world);
    run_until(world, (options->run_ms + options->quiet_ms) * MS);
    verdict(world);
    struct world_result result = world->result;
    world_destroy(world);
    running[0] = 0;
    return result;
}
