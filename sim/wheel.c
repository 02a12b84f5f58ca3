#include "sim/internal.h"

#include "sim/check.h"
#include "sim/pages.h"

#define SLAB_BYTES ((size_t)2 << 20)

_Static_assert(sizeof(struct sim_event) == 64, "sim.h promises a cache line");
_Static_assert(sizeof(struct chunk) == 1024, "two lines of keys and 14 events");

static void bit_set(uint64_t *bits, uint64_t index)
{
    bits[index / 64] |= (uint64_t)1 << (index % 64);
}

static void bit_clear(uint64_t *bits, uint64_t index)
{
    bits[index / 64] &= ~((uint64_t)1 << (index % 64));
}

/* The first set bit at or after `from` in a ring of `count` bits, as a distance from `from`;
 * `count` if there is none. */
static uint64_t bit_distance(const uint64_t *bits, uint64_t count, uint64_t from)
{
    uint64_t index = from % count;
    uint64_t word = bits[index / 64] >> (index % 64);
    if (word != 0) {
        return (uint64_t)__builtin_ctzll(word);
    }
    uint64_t distance = 64 - index % 64;
    while (distance < count) {
        uint64_t at = (index + distance) % count;
        if (bits[at / 64] != 0) {
            distance += (uint64_t)__builtin_ctzll(bits[at / 64]);
            return distance < count ? distance : count;
        }
        distance += 64;
    }
    return count;
}

static struct chunk *chunk_take(struct sim_context *thread)
{
    if (thread->free_chunks == NULL) {
        struct slab *slab = pages_allocate(SLAB_BYTES);
        CHECK(slab != NULL);
        slab->next = thread->slabs;
        slab->size_bytes = SLAB_BYTES;
        thread->slabs = slab;
        thread->slab_bytes += SLAB_BYTES;
        struct chunk *chunks = (struct chunk *)(void *)((char *)slab + sizeof(struct chunk));
        for (size_t i = 0; i < SLAB_BYTES / sizeof(struct chunk) - 1; i++) {
            chunks[i].owner = (uint16_t)thread->thread;
            chunks[i].next = thread->free_chunks;
            thread->free_chunks = &chunks[i];
        }
    }
    struct chunk *chunk = thread->free_chunks;
    thread->free_chunks = chunk->next;
    return chunk;
}

void wheel_window(struct sim_context *thread, uint64_t window)
{
    thread->window = window;
    thread->near_end_ns = ((window >> SPAN_BITS) + 2) << SPAN_BITS << thread->sim->window_bits;
}

static void bucket_add(struct sim_context *thread, uintptr_t *bucket, const struct sim_event *event)
{
    if ((*bucket & BUCKET_LEFT) == 0) {
        struct chunk *fresh = chunk_take(thread);
        fresh->next = (struct chunk *)*bucket;
        fresh->count = CHUNK_EVENTS;
        *bucket = (uintptr_t)fresh | CHUNK_EVENTS;
    }
    bucket_put(thread->sim, bucket, event);
}

/* Empties a bucket; the chain of what was in it. */
static struct chunk *bucket_take(uintptr_t *bucket)
{
    struct chunk *chunk = (struct chunk *)(*bucket & ~BUCKET_LEFT);
    if (chunk != NULL) {
        chunk->count = (uint16_t)(CHUNK_EVENTS - (*bucket & BUCKET_LEFT));
    }
    *bucket = 0;
    return chunk;
}

void wheel_append_slow(struct sim_context *thread, uintptr_t *bucket, const struct sim_event *event)
{
    uint64_t window = event->time_ns >> thread->sim->window_bits;
    CHECK(window >= thread->window);
    bit_set(thread->near_bits, window % NEAR_COUNT);
    bucket_add(thread, bucket, event);
}

void wheel_append_far(struct sim_context *thread, uint32_t reader, const struct sim_event *event)
{
    uint64_t span = event->time_ns >> thread->sim->window_bits >> SPAN_BITS;
    uint64_t last = (thread->window >> SPAN_BITS) + MID_COUNT - 1;
    span = span < last ? span : last;
    bit_set(thread->mid_bits, span % MID_COUNT);
    bucket_add(thread, &thread->row[reader].mid[span % MID_COUNT], event);
}

uint64_t wheel_next(const struct sim_context *thread, uint64_t from)
{
    uint64_t distance = bit_distance(thread->near_bits, NEAR_COUNT, from);
    if (distance < NEAR_COUNT) {
        return from + distance;
    }
    uint64_t span = (from >> SPAN_BITS) + 1;
    distance = bit_distance(thread->mid_bits, MID_COUNT, span);
    if (distance == MID_COUNT) {
        return SIM_NEVER;
    }
    /* A span's mid bucket is moved to near ones when the span before it begins. */
    uint64_t window = (span + distance - 1) << SPAN_BITS;
    return window > from ? window : from;
}

void wheel_drain(struct sim_context *thread, uint64_t window)
{
    struct sim *sim = thread->sim;
    uint64_t upto = (window >> SPAN_BITS) + 1;
    if (upto > thread->drained_span + MID_COUNT) {
        thread->drained_span = upto - MID_COUNT;
    }
    while (thread->drained_span < upto) {
        uint64_t span = ++thread->drained_span;
        bit_clear(thread->mid_bits, span % MID_COUNT);
        for (uint32_t writer = 0; writer < sim->config.thread_count; writer++) {
            struct wheel *wheel = &sim->threads[writer].row[thread->thread];
            struct chunk *chain = bucket_take(&wheel->mid[span % MID_COUNT]);
            for (struct chunk *chunk = chain; chunk != NULL; chunk = chunk->next) {
                for (uint32_t i = 0; i < chunk->count; i++) {
                    wheel_append(thread, thread->thread, &chunk->events[i]);
                }
            }
            wheel_return(thread, chain);
        }
    }
}

struct chunk *wheel_take(struct sim_context *thread, uint64_t window)
{
    struct sim *sim = thread->sim;
    struct chunk *all = NULL;
    bit_clear(thread->near_bits, window % NEAR_COUNT);
    for (uint32_t writer = 0; writer < sim->config.thread_count; writer++) {
        struct wheel *wheel = &sim->threads[writer].row[thread->thread];
        struct chunk *chain = bucket_take(&wheel->near[window % NEAR_COUNT]);
        while (chain != NULL) {
            struct chunk *next = chain->next;
            chain->next = all;
            all = chain;
            chain = next;
        }
    }
    return all;
}

void wheel_return(struct sim_context *thread, struct chunk *chunks)
{
    while (chunks != NULL) {
        struct chunk *next = chunks->next;
        struct chunk **list = &thread->free_chunks;
        if (chunks->owner != thread->thread) {
            struct wheel *wheel = &thread->sim->threads[chunks->owner].row[thread->thread];
            list = &wheel->returned[thread->steps & 1];
        }
        chunks->next = *list;
        *list = chunks;
        chunks = next;
    }
}

void wheel_collect(struct sim_context *thread)
{
    for (uint32_t reader = 0; reader < thread->sim->config.thread_count; reader++) {
        struct chunk **list = &thread->row[reader].returned[(thread->steps + 1) & 1];
        while (*list != NULL) {
            struct chunk *chunk = *list;
            *list = chunk->next;
            chunk->next = thread->free_chunks;
            thread->free_chunks = chunk;
        }
    }
}
