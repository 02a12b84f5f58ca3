#include "sim/station.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/check.h"
#include "sim/dist.h"

#define NONE UINT32_MAX
#define Q16 16u
#define SERVICE_MAX_NS (UINT64_C(1) << 46)
#define NAME_BYTES_MAX 128

/* What an ARRIVE carries. */
enum { DATA_JOB, DATA_PRIORITY, DATA_HOP, DATA_ENTERED };

/* A job in the station. */
struct slot {
    uint64_t job;
    uint64_t hop;
    uint64_t entered_ns; /* The network. */
    uint64_t arrived_ns; /* Here. */
    uint64_t finish_q16; /* Sharing: the attained work at which it is done. */
    uint32_t priority;
    uint32_t next; /* In the queue, in the batch, or in the list of free slots. */
};

struct queue {
    uint32_t first;
    uint32_t last;
};

struct station {
    struct station_config config; /* Its `routes` point to the copy below; its name is gone. */
    struct rng_stream service_stream;
    struct rng_stream route_stream;
    struct station_route *routes;
    struct slot *slots;
    uint32_t *heap; /* Sharing: slots by finish_q16, then job. */
    uint32_t free_first;
    uint32_t count; /* In the station. */
    uint32_t busy;  /* Servers at work. */
    uint64_t attained_q16;
    uint64_t generation; /* Sharing: a DONE of an older one is void. */
    uint64_t accounted_ns;
    struct queue queues[STATION_PRIORITIES_MAX];
    struct station_counts counts;
};

/* ---- Making ---- */

static struct rng_stream station_stream(const struct station_config *config, const char *what)
{
    char name[NAME_BYTES_MAX];
    const int length = snprintf(name, sizeof name, "station/%s/%s", config->name, what);
    CHECK(length > 0 && length < NAME_BYTES_MAX);
    return rng_stream(config->seed, name);
}

static void config_check(const struct station_config *config)
{
    CHECK(config->server_count >= 1);
    CHECK(config->batch_max >= 1);
    CHECK(config->priority_count >= 1 && config->priority_count <= STATION_PRIORITIES_MAX);
    CHECK(config->capacity >= 1 && config->capacity <= STATION_SLOTS_MAX);
    CHECK(config->service != NULL);
    CHECK(config->name != NULL);
    if (config->discipline == STATION_SHARING) {
        CHECK(config->batch_max == 1);
        CHECK(config->priority_count == 1);
    }
    double total = 0.0;
    for (uint32_t i = 0; i < config->route_count; i++) {
        CHECK(config->routes[i].probability >= 0.0);
        total += config->routes[i].probability;
    }
    CHECK(total <= 1.0 + 1e-9);
}

struct station *station_create(const struct station_config *config)
{
    config_check(config);
    struct station *station = calloc(1, sizeof *station);
    if (station == NULL) {
        return NULL;
    }
    station->config = *config;
    station->config.name = NULL;
    station->slots = calloc(config->capacity, sizeof *station->slots);
    station->heap = calloc(config->capacity, sizeof *station->heap);
    station->routes = calloc(config->route_count + 1, sizeof *station->routes);
    if (station->slots == NULL || station->heap == NULL || station->routes == NULL) {
        station_destroy(station);
        return NULL;
    }
    for (uint32_t i = 0; i < config->route_count; i++) {
        station->routes[i] = config->routes[i];
    }
    station->config.routes = station->routes;
    for (uint32_t i = 0; i < config->capacity; i++) {
        station->slots[i].next = i + 1 < config->capacity ? i + 1 : NONE;
    }
    for (uint32_t i = 0; i < STATION_PRIORITIES_MAX; i++) {
        station->queues[i] = (struct queue){NONE, NONE};
    }
    station->service_stream = station_stream(config, "service");
    station->route_stream = station_stream(config, "route");
    return station;
}

void station_destroy(struct station *station)
{
    if (station != NULL) {
        free(station->slots);
        free(station->heap);
        free(station->routes);
        free(station);
    }
}

/* ---- Counting ---- */

static uint32_t servers_at_work(const struct station *station)
{
    if (station->config.discipline == STATION_FIFO) {
        return station->busy;
    }
    return station->count < station->config.server_count ? station->count
                                                         : station->config.server_count;
}

/* Brings integrals and attained work up to now. To be called before anything changes. */
static void station_account(struct station *station, uint64_t now_ns)
{
    CHECK(now_ns >= station->accounted_ns);
    const uint64_t passed_ns = now_ns - station->accounted_ns;
    const uint32_t working = servers_at_work(station);
    station->accounted_ns = now_ns;
    station->counts.count_ns += passed_ns * station->count;
    station->counts.busy_ns += passed_ns * working;
    if (station->config.discipline == STATION_SHARING && station->count > 0) {
        const unsigned __int128 q16 = ((unsigned __int128)passed_ns << Q16) * working;
        station->attained_q16 += (uint64_t)(q16 / station->count);
    }
}

struct station_counts station_counts(const struct station *station, uint64_t now_ns)
{
    CHECK(now_ns >= station->accounted_ns);
    struct station_counts counts = station->counts;
    counts.count_ns += (now_ns - station->accounted_ns) * station->count;
    counts.busy_ns += (now_ns - station->accounted_ns) * servers_at_work(station);
    return counts;
}

void station_reset(struct station *station, uint64_t now_ns)
{
    station_account(station, now_ns);
    station->counts = (struct station_counts){.since_ns = now_ns};
}

/* ---- Leaving ---- */

static uint32_t station_route(const struct station *station, const struct slot *slot)
{
    double left = rng_unit(rng_draw(&station->route_stream, slot->job, slot->hop).word[0]);
    for (uint32_t i = 0; i < station->config.route_count; i++) {
        left -= station->routes[i].probability;
        if (left < 0.0) {
            return station->routes[i].node;
        }
    }
    return STATION_EXIT;
}

/* A job leaves the station: on to the next, or out of the network. Frees its slot. */
static void station_leave(struct station *station, struct sim_context *context, uint32_t index)
{
    struct slot *slot = &station->slots[index];
    const uint64_t now_ns = sim_context_now(context);
    const uint32_t node = station_route(station, slot);
    CHECK(station->count > 0);
    station->count--;
    station->counts.departures++;
    station->counts.sojourn_ns += now_ns - slot->arrived_ns;
    station->counts.priority_departures[slot->priority]++;
    station->counts.priority_sojourn_ns[slot->priority] += now_ns - slot->arrived_ns;
    if (node == STATION_EXIT) {
        station->counts.exits++;
        station->counts.exit_sojourn_ns += now_ns - slot->entered_ns;
    } else {
        struct sim_event event = station_arrival(node, now_ns, slot->job, slot->priority);
        event.data[DATA_HOP] = slot->hop + 1;
        event.data[DATA_ENTERED] = slot->entered_ns;
        sim_send(context, &event);
    }
    slot->next = station->free_first;
    station->free_first = index;
}

static uint64_t station_service_ns(const struct station *station, const struct slot *slot)
{
    const struct rng_bits bits = rng_draw(&station->service_stream, slot->job, slot->hop);
    const uint64_t service_ns = dist_ns(station->config.service, bits.word[0]);
    CHECK(service_ns <= SERVICE_MAX_NS);
    return service_ns;
}

static void send_done(struct sim_context *context, uint64_t time_ns, uint64_t what)
{
    const struct sim_event event = {
        .time_ns = time_ns,
        .node = sim_context_node(context),
        .kind = STATION_DONE,
        .data = {what},
    };
    sim_send(context, &event);
}

/* ---- First come, first served, by priority, in batches ---- */

static void queue_push(struct station *station, uint32_t index)
{
    struct queue *queue = &station->queues[station->slots[index].priority];
    station->slots[index].next = NONE;
    if (queue->first == NONE) {
        queue->first = index;
    } else {
        station->slots[queue->last].next = index;
    }
    queue->last = index;
}

/* The first in line of the most urgent; NONE if nobody waits. */
static uint32_t queue_pop(struct station *station)
{
    for (uint32_t i = 0; i < station->config.priority_count; i++) {
        struct queue *queue = &station->queues[i];
        const uint32_t index = queue->first;
        if (index != NONE) {
            queue->first = station->slots[index].next;
            station->slots[index].next = NONE;
            return index;
        }
    }
    return NONE;
}

/* Free servers take from the queue as long as both last. */
static void queue_start(struct station *station, struct sim_context *context)
{
    while (station->busy < station->config.server_count) {
        const uint32_t first = queue_pop(station);
        if (first == NONE) {
            return;
        }
        uint32_t last = first;
        for (uint32_t taken = 1; taken < station->config.batch_max; taken++) {
            const uint32_t index = queue_pop(station);
            if (index == NONE) {
                break;
            }
            station->slots[last].next = index;
            last = index;
        }
        station->busy++;
        const uint64_t service_ns = station_service_ns(station, &station->slots[first]);
        send_done(context, sim_context_now(context) + service_ns, first);
    }
}

static void queue_done(struct station *station, struct sim_context *context, uint32_t first)
{
    CHECK(station->busy > 0);
    station->busy--;
    uint32_t index = first;
    while (index != NONE) {
        const uint32_t next = station->slots[index].next;
        station_leave(station, context, index);
        index = next;
    }
    queue_start(station, context);
}

/* ---- Processor sharing ---- */

static bool heap_before(const struct station *station, uint32_t a, uint32_t b)
{
    const struct slot *left = &station->slots[a];
    const struct slot *right = &station->slots[b];
    return left->finish_q16 != right->finish_q16 ? left->finish_q16 < right->finish_q16
                                                 : left->job < right->job;
}

/* Puts `index` in at the bottom place and lets it rise. */
static void heap_push(struct station *station, uint32_t index, uint32_t place)
{
    uint32_t *heap = station->heap;
    while (place > 0 && heap_before(station, index, heap[(place - 1) / 2])) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = index;
}

/* Takes the top out of a heap of `count`. */
static uint32_t heap_pop(struct station *station, uint32_t count)
{
    uint32_t *heap = station->heap;
    const uint32_t top = heap[0];
    const uint32_t sinking = heap[count - 1];
    uint32_t place = 0;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child + 1 < count - 1 && heap_before(station, heap[child + 1], heap[child])) {
            child++;
        }
        if (child >= count - 1 || !heap_before(station, heap[child], sinking)) {
            break;
        }
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = sinking;
    return top;
}

/* Announces the end of the job with the least work left, as things are now. */
static void sharing_announce(struct station *station, struct sim_context *context)
{
    station->generation++;
    if (station->count == 0) {
        station->attained_q16 = 0;
        return;
    }
    const uint64_t finish_q16 = station->slots[station->heap[0]].finish_q16;
    const uint64_t left_q16 =
        finish_q16 > station->attained_q16 ? finish_q16 - station->attained_q16 : 0;
    const unsigned __int128 unit = (unsigned __int128)servers_at_work(station) << Q16;
    const unsigned __int128 left_ns =
        ((unsigned __int128)left_q16 * station->count + unit - 1) / unit;
    send_done(context, sim_context_now(context) + (uint64_t)left_ns, station->generation);
}

static void sharing_done(struct station *station, struct sim_context *context)
{
    const uint32_t index = heap_pop(station, station->count);
    station_leave(station, context, index);
    sharing_announce(station, context);
}

/* ---- Events ---- */

static void station_arrive(struct station *station, struct sim_context *context,
                           const struct sim_event *event)
{
    station->counts.arrivals++;
    if (station->count == station->config.capacity) {
        station->counts.losses++;
        return;
    }
    CHECK(event->data[DATA_PRIORITY] < station->config.priority_count);
    const uint32_t index = station->free_first;
    CHECK(index != NONE);
    struct slot *slot = &station->slots[index];
    station->free_first = slot->next;
    *slot = (struct slot){
        .job = event->data[DATA_JOB],
        .hop = event->data[DATA_HOP],
        .entered_ns = event->data[DATA_ENTERED],
        .arrived_ns = event->time_ns,
        .priority = (uint32_t)event->data[DATA_PRIORITY],
        .next = NONE,
    };
    station->count++;
    if (station->config.discipline == STATION_FIFO) {
        queue_push(station, index);
        queue_start(station, context);
        return;
    }
    slot->finish_q16 = station->attained_q16 + (station_service_ns(station, slot) << Q16);
    CHECK(slot->finish_q16 >= station->attained_q16);
    heap_push(station, index, station->count - 1);
    sharing_announce(station, context);
}

static void station_handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct station *station = state;
    station_account(station, event->time_ns);
    if (event->kind == STATION_ARRIVE) {
        station_arrive(station, context, event);
        return;
    }
    CHECK(event->kind == STATION_DONE);
    if (station->config.discipline == STATION_FIFO) {
        queue_done(station, context, (uint32_t)event->data[0]);
    } else if (event->data[0] == station->generation) {
        sharing_done(station, context);
    }
}

const struct sim_class station_class = {.name = "station", .handle = station_handle};

struct sim_event station_arrival(uint32_t node, uint64_t time_ns, uint64_t job, uint32_t priority)
{
    struct sim_event event = {.time_ns = time_ns, .node = node, .kind = STATION_ARRIVE};
    event.data[DATA_JOB] = job;
    event.data[DATA_PRIORITY] = priority;
    event.data[DATA_ENTERED] = time_ns;
    return event;
}

/* ---- Source ---- */

/* data[0] is 0 for the event that starts a source, else 1. */
struct sim_event station_emission(uint32_t node, uint64_t time_ns)
{
    return (struct sim_event){.time_ns = time_ns, .node = node, .kind = STATION_EMIT};
}

static void source_handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct station_source *source = state;
    CHECK(event->kind == STATION_EMIT);
    if (event->data[0] != 0) {
        const uint64_t job = source->first_job + source->job_step * source->emitted;
        const struct sim_event arrival =
            station_arrival(source->node, event->time_ns, job, source->priority);
        sim_send(context, &arrival);
        source->emitted++;
    }
    const uint64_t bits = rng_draw(&source->stream, 0, source->emitted).word[0];
    struct sim_event next =
        station_emission(sim_context_node(context), event->time_ns + dist_ns(source->gap, bits));
    next.data[0] = 1;
    sim_send(context, &next);
}

const struct sim_class station_source_class = {.name = "source", .handle = source_handle};
