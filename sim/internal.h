/* The engine's inside, shared by sim.c, wheel.c, window.c and plain.c.
 *
 * Where events wait. Each thread owns a *row* of wheels, one for each thread that reads from it, so
 * a send is an append to memory that nobody else writes:
 *
 *     wheel(writer, reader):  near[2048]  one bucket a window, for this span and the next
 *                             mid[1024]   one bucket a span of 1024 windows; what lies beyond the
 *                                         ring is parked in its last bucket, and parked again
 *
 * A bucket is a chain of chunks of 1 KiB. At the start of a window each reader takes its bucket
 * from every writer; at the start of a span it moves the next span's mid bucket into its own near
 * ones. A chunk goes home to its writer through `returned`, two lists used in turn, so that one
 * side never touches the list of the other within a window. One barrier a window is the only
 * meeting.
 */
#ifndef SIM_INTERNAL_H
#define SIM_INTERNAL_H

#include "sim/sim.h"

#include <pthread.h>
#include <stdatomic.h>

#define NEAR_COUNT 2048u
#define SPAN_BITS 10u
#define MID_COUNT 1024u
#define CHUNK_EVENTS 14u

/* Two lines of keys, then the events: ordering a window reads the keys alone. Aligned to its size.
 */
struct chunk {
    struct chunk *next;
    uint16_t count; /* Once it is taken out of its bucket. */
    uint16_t owner;
    uint32_t unused;
    uint64_t keys[CHUNK_EVENTS]; /* node << window_bits | time in its window. */
    struct sim_event events[CHUNK_EVENTS];
};

/* A bucket is the address of its first chunk and, in the low bits, how many events still fit in it:
 * a send writes to a chunk without reading it. All others are full. 0 is empty. */
#define BUCKET_LEFT ((uintptr_t)sizeof(struct chunk) - 1)

struct wheel {
    uintptr_t near[NEAR_COUNT];
    uintptr_t mid[MID_COUNT];
    struct chunk *returned[2]; /* Written by the reader in windows of that parity. */
};

struct slab {
    struct slab *next;
    size_t size_bytes;
};

struct node {
    const struct sim_class *class;
    void *state;
    uint32_t thread;
    uint32_t prefetch_steps;
    uint64_t unused; /* 32 bytes: never across a line. */
};

/* An event that is due, with its node, in the order in which it will be handled. */
struct due {
    const struct sim_event *event;
    const struct node *node;
};

/* A thread of the engine, and the context that its handlers see. */
struct sim_context {
    struct sim *sim;
    uint64_t now_ns;
    uint64_t window_end_ns; /* Self events before it are kept in `local`. */
    uint64_t window; /* Being run, or the first not yet run to its end; alike in all threads. */
    uint32_t node;
    uint32_t thread;
    uint64_t handled;
    uint64_t sent;
    struct wheel *row; /* One wheel for each reading thread. */
    struct chunk *free_chunks;
    struct slab *slabs;
    uint64_t slab_bytes;
    uint64_t near_bits[NEAR_COUNT / 64]; /* Windows in which this row holds something. */
    uint64_t mid_bits[MID_COUNT / 64];
    uint64_t near_end_ns;  /* What is due before it goes to a near bucket. */
    uint64_t drained_span; /* Mid buckets up to this span have been moved to near ones. */
    uint64_t steps;        /* Windows run: its parity chooses the lists of returned chunks. */
    /* Self events of the node being run, due within the window: a binary heap. */
    struct sim_event *local;
    uint32_t local_count;
    uint32_t local_max;
    /* Scratch for ordering a window. */
    const struct sim_event **gathered;
    struct due *due;
    uint64_t *keys;
    uint64_t *keys_spare;
    uint32_t due_max;
    pthread_t pthread;
};

struct heap_item {
    uint64_t time_ns;
    uint32_t node;
    uint32_t slot;
};

struct plain {
    struct heap_item *heap;
    struct sim_event *slots;
    uint32_t *free_slots;
    uint32_t count;
    uint32_t free_count;
    uint32_t max;
};

struct barrier {
    _Atomic uint32_t arrived;
    _Atomic uint32_t phase;
    _Atomic uint32_t sleepers;
};

struct sim {
    struct sim_config config;
    struct node *nodes;
    uint32_t node_count;
    uint64_t now_ns;
    uint64_t until_ns;
    uint32_t window_bits;
    struct sim_context *threads;
    struct plain plain;
    uint64_t posted;
    struct barrier barrier;
    _Atomic uint64_t next_window[2][SIM_THREADS_MAX];
    /* Workers sleep here between runs. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint64_t runs;
    uint32_t running;
    bool stopping;
    bool started;
};

/* The order of two events of one node and one time: kind, then content. */
int event_compare(const struct sim_event *a, const struct sim_event *b);
static inline bool event_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : event_compare(a, b) < 0;
}

/* Time has come to `window`. */
void wheel_window(struct sim_context *thread, uint64_t window);
void wheel_append_slow(struct sim_context *thread, uintptr_t *bucket,
                       const struct sim_event *event);
void wheel_append_far(struct sim_context *thread, uint32_t reader, const struct sim_event *event);

/* Into a bucket that has room. */
static inline void bucket_put(const struct sim *sim, uintptr_t *bucket,
                              const struct sim_event *event)
{
    struct chunk *chunk = (struct chunk *)(*bucket & ~BUCKET_LEFT);
    uint32_t at = CHUNK_EVENTS - (uint32_t)(*bucket & BUCKET_LEFT);
    *bucket -= 1;
    chunk->keys[at] = (uint64_t)event->node << sim->window_bits |
                      (event->time_ns & (((uint64_t)1 << sim->window_bits) - 1));
    chunk->events[at] = *event;
}

static inline void wheel_append(struct sim_context *thread, uint32_t reader,
                                const struct sim_event *event)
{
    if (event->time_ns >= thread->near_end_ns) {
        wheel_append_far(thread, reader, event);
        return;
    }
    uint64_t window = event->time_ns >> thread->sim->window_bits;
    uintptr_t *bucket = &thread->row[reader].near[window % NEAR_COUNT];
    if ((*bucket & BUCKET_LEFT) == 0) {
        wheel_append_slow(thread, bucket, event);
        return;
    }
    bucket_put(thread->sim, bucket, event);
}

/* The windows before which nothing in this row is due: at least `from`. */
uint64_t wheel_next(const struct sim_context *thread, uint64_t from);
/* Moves mid buckets to near ones, as far as `window` asks for. */
void wheel_drain(struct sim_context *thread, uint64_t window);
/* Takes what the window holds for this thread, from every writer: a chain of chunks. */
struct chunk *wheel_take(struct sim_context *thread, uint64_t window);
void wheel_return(struct sim_context *thread, struct chunk *chunks);
void wheel_collect(struct sim_context *thread);

void window_run(struct sim_context *thread, uint64_t window);
void window_loop(struct sim_context *thread);
void barrier_wait(struct barrier *barrier, uint32_t thread_count);

void plain_push(struct plain *plain, const struct sim_event *event);
void plain_run(struct sim *sim);
void plain_free(struct plain *plain);

#endif
