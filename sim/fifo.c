#include "sim/fifo.h"

#include <string.h>

/* In memory behind the other servers' free times, where there is a capacity. */
struct ring {
    uint64_t head;
    uint64_t count;
    uint64_t starts[]; /* When those waiting will start, sorted; room for capacity - servers. */
};

#define RING_WORDS (sizeof(struct ring) / sizeof(uint64_t))

static struct ring *fifo_ring(const struct fifo *fifo)
{
    CHECK(fifo->capacity > 0);
    return (struct ring *)(void *)(fifo->memory + (fifo->server_count - 1));
}

static uint64_t ring_size(const struct fifo *fifo)
{
    return fifo->capacity - fifo->server_count;
}

/* Forgets those who have started. */
static void ring_pass(const struct fifo *fifo, struct ring *ring, uint64_t now_ns)
{
    while (ring->count > 0 && ring->starts[ring->head] <= now_ns) {
        ring->head = ring->head + 1 == ring_size(fifo) ? 0 : ring->head + 1;
        ring->count--;
    }
}

size_t fifo_memory_words(uint32_t server_count, uint32_t capacity)
{
    CHECK(server_count >= 1 && server_count <= FIFO_SERVERS_MAX);
    CHECK(capacity == 0 || (capacity >= server_count && capacity <= FIFO_CAPACITY_MAX));
    return server_count - 1 + (capacity > 0 ? RING_WORDS + (capacity - server_count) : 0);
}

void fifo_init(struct fifo *fifo, uint32_t server_count, uint32_t capacity, uint64_t *memory)
{
    const size_t words = fifo_memory_words(server_count, capacity);
    CHECK(words == 0 || memory != NULL);
    if (words > 0) {
        memset(memory, 0, words * sizeof *memory);
    }
    *fifo = (struct fifo){
        .memory = memory,
        .server_count = server_count & 0xFFu,
        .capacity = capacity & 0xFFFFFFu,
    };
}

static void fifo_lose(struct fifo *fifo)
{
    fifo->losses += fifo->losses < UINT32_MAX;
}

bool fifo_admit(struct fifo *fifo, uint64_t now_ns)
{
    struct ring *ring = fifo_ring(fifo);
    ring_pass(fifo, ring, now_ns);
    if (fifo->free_ns <= now_ns) {
        CHECK(ring->count == 0); /* Nobody waits while a server is free. */
        return true;
    }
    if (ring->count == ring_size(fifo)) {
        fifo_lose(fifo);
        return false;
    }
    return true;
}

void fifo_note_waiting(struct fifo *fifo, uint64_t start_ns)
{
    struct ring *ring = fifo_ring(fifo);
    CHECK(ring->count < ring_size(fifo));
    uint64_t place = ring->head + ring->count;
    place = place >= ring_size(fifo) ? place - ring_size(fifo) : place;
    ring->starts[place] = start_ns;
    ring->count++;
}

/* The others are a heap: parents are free no later than their children. */
void fifo_place_many(struct fifo *fifo, uint64_t free_ns)
{
    uint64_t *heap = fifo->memory;
    const uint32_t count = fifo->server_count - 1u;
    if (free_ns <= heap[0]) {
        fifo->free_ns = free_ns;
        return;
    }
    fifo->free_ns = heap[0];
    uint32_t at = 0;
    for (uint32_t child = 1; child < count; child = 2 * at + 1) {
        child += child + 1 < count && heap[child + 1] < heap[child];
        if (heap[child] >= free_ns) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = free_ns;
}

uint32_t fifo_count(struct fifo *fifo, uint64_t now_ns)
{
    CHECK(now_ns >= fifo->arrived_ns);
    struct ring *ring = fifo_ring(fifo);
    ring_pass(fifo, ring, now_ns);
    uint32_t count = (uint32_t)ring->count + (fifo->free_ns > now_ns);
    for (uint32_t i = 0; i + 1 < fifo->server_count; i++) {
        count += fifo->memory[i] > now_ns;
    }
    CHECK(count <= fifo->capacity);
    return count;
}

struct fifo_visit fifo_serve_through_slow(struct fifo *fifo, struct outage *outage, uint64_t now_ns,
                                          uint64_t service_ns)
{
    CHECK(now_ns >= fifo->arrived_ns);
    outage_pass(outage, now_ns);
    fifo->arrived_ns = now_ns;
    fifo->arrivals++;
    if (outage_is_down(outage, now_ns)) {
        fifo_lose(fifo);
        return (struct fifo_visit){SIM_NEVER, SIM_NEVER};
    }
    if (fifo->capacity != 0 && !fifo_admit(fifo, now_ns)) {
        return (struct fifo_visit){SIM_NEVER, SIM_NEVER};
    }
    const uint64_t start_ns = now_ns > fifo->free_ns ? now_ns : fifo->free_ns;
    const uint64_t departure_ns =
        start_ns == SIM_NEVER ? SIM_NEVER : outage_finish(outage, start_ns, service_ns);
    const uint64_t down_ns = outage_down_between(outage, now_ns, departure_ns);
    if (fifo->capacity != 0 && start_ns > now_ns) {
        fifo_note_waiting(fifo, start_ns);
    }
    if (down_ns == SIM_NEVER) {
        fifo_place(fifo, departure_ns);
        if (departure_ns == SIM_NEVER) { /* Paused for good. */
            fifo_lose(fifo);
        } else {
            fifo_tally(fifo, start_ns - now_ns, departure_ns - start_ns);
        }
        return (struct fifo_visit){start_ns, departure_ns};
    }
    fifo_lose(fifo);
    if (down_ns <= start_ns) { /* Lost while it waited: no server ever saw it. */
        return (struct fifo_visit){SIM_NEVER, SIM_NEVER};
    }
    /* The server is idle from the DOWN on. Who comes before it and would start then is lost by the
     * line above; who comes while it lasts is refused. */
    fifo->busy_ns += down_ns - start_ns;
    fifo_place(fifo, down_ns);
    return (struct fifo_visit){start_ns, SIM_NEVER};
}

/* How much of what a server was given lies after now; nothing was tallied for one held for good. */
static uint64_t held_later_ns(uint64_t free_ns, uint64_t now_ns)
{
    return free_ns > now_ns && free_ns != SIM_NEVER ? free_ns - now_ns : 0;
}

double fifo_utilization(const struct fifo *fifo, uint64_t now_ns)
{
    CHECK(now_ns > 0);
    CHECK(now_ns >= fifo->arrived_ns);
    uint64_t later_ns = held_later_ns(fifo->free_ns, now_ns);
    for (uint32_t i = 0; i + 1 < fifo->server_count; i++) {
        later_ns += held_later_ns(fifo->memory[i], now_ns);
    }
    CHECK(fifo->busy_ns >= later_ns);
    return (double)(fifo->busy_ns - later_ns) / ((double)now_ns * fifo->server_count);
}
