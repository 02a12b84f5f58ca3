/* A window on one thread: take what is due, order it by (node, time, kind, content), run each node
 * alone. Keys of 8 bytes are sorted; events stay where they are until their handler reads them. */
#include "sim/internal.h"

#include "sim/check.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK 12u /* Events are asked for five blocks ahead, what they will touch four to one. */
#define INDEX_BITS 24u
#define SPINS_MAX 2000u
#define INSERTION_MAX 24u

int event_compare(const struct sim_event *a, const struct sim_event *b)
{
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    if (a->flags != b->flags) {
        return a->flags < b->flags ? -1 : 1;
    }
    for (uint32_t i = 0; i < SIM_DATA_WORDS; i++) {
        if (a->data[i] != b->data[i]) {
            return a->data[i] < b->data[i] ? -1 : 1;
        }
    }
    return 0;
}

static void keys_insertion(uint64_t *keys, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint64_t key = keys[i];
        uint32_t at = i;
        for (; at > 0 && keys[at - 1] > key; at--) {
            keys[at] = keys[at - 1];
        }
        keys[at] = key;
    }
}

/* Least significant digit first, over the bits in which the keys differ. The result is in *keys. */
static void keys_radix(uint64_t **keys, uint64_t **spare, uint32_t count, uint32_t digit_bits)
{
    uint32_t offsets[1u << 11];
    uint64_t differ = 0;
    for (uint32_t i = 1; i < count; i++) {
        differ |= (*keys)[i] ^ (*keys)[0];
    }
    uint64_t mask = ((uint64_t)1 << digit_bits) - 1;
    for (uint32_t shift = INDEX_BITS; shift < 64; shift += digit_bits) {
        if ((differ >> shift & mask) == 0) {
            continue;
        }
        memset(offsets, 0, sizeof offsets[0] << digit_bits);
        for (uint32_t i = 0; i < count; i++) {
            offsets[(*keys)[i] >> shift & mask]++;
        }
        uint32_t sum = 0;
        for (uint32_t digit = 0; digit <= mask; digit++) {
            uint32_t here = offsets[digit];
            offsets[digit] = sum;
            sum += here;
        }
        for (uint32_t i = 0; i < count; i++) {
            uint64_t key = (*keys)[i];
            (*spare)[offsets[key >> shift & mask]++] = key;
        }
        uint64_t *swap = *keys;
        *keys = *spare;
        *spare = swap;
    }
}

static void due_reserve(struct sim_context *thread, uint32_t count)
{
    if (count <= thread->due_max) {
        return;
    }
    CHECK(count < (1u << INDEX_BITS));
    uint32_t max = thread->due_max == 0 ? 1024 : thread->due_max;
    while (max < count) {
        max *= 2;
    }
    thread->due_max = max;
    thread->gathered = realloc(thread->gathered, max * sizeof *thread->gathered);
    thread->due = realloc(thread->due, max * sizeof *thread->due);
    thread->keys = realloc(thread->keys, max * sizeof *thread->keys);
    thread->keys_spare = realloc(thread->keys_spare, max * sizeof *thread->keys_spare);
    CHECK(thread->gathered != NULL && thread->due != NULL && thread->keys != NULL &&
          thread->keys_spare != NULL);
}

/* What is due at or after the end of this run goes back to where it was. */
static uint32_t due_put_back(struct sim_context *thread, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct sim_event *event = thread->gathered[i];
        if (event->time_ns >= thread->sim->until_ns) {
            wheel_append(thread, thread->thread, event);
            continue;
        }
        thread->gathered[kept] = event;
        thread->keys[kept] = (thread->keys[i] >> INDEX_BITS) << INDEX_BITS | kept;
        kept++;
    }
    return kept;
}

/* Lists what is due, as keys of (node, time in the window, place in the list). */
static uint32_t due_gather(struct sim_context *thread, struct chunk *chunks)
{
    const struct sim *sim = thread->sim;
    uint32_t count = 0;
    for (struct chunk *chunk = chunks; chunk != NULL; chunk = chunk->next) {
        due_reserve(thread, count + CHUNK_EVENTS);
        if (chunk->next != NULL) {
            __builtin_prefetch(chunk->next);
            __builtin_prefetch((const char *)chunk->next + 64);
        }
        for (uint32_t i = 0; i < chunk->count; i++) {
            thread->gathered[count] = &chunk->events[i];
            thread->keys[count] = chunk->keys[i] << INDEX_BITS | count;
            count++;
        }
    }
    if (thread->window_end_ns > sim->until_ns) {
        count = due_put_back(thread, count);
    }
    if (count <= INSERTION_MAX) {
        keys_insertion(thread->keys, count);
    } else {
        keys_radix(&thread->keys, &thread->keys_spare, count, count < 2048 ? 8 : 11);
    }
    return count;
}

/* Events of one node and one time, from `first` on: ordered by kind and content. */
static void due_order_ties(struct due *due, const uint64_t *keys, uint32_t first, uint32_t count)
{
    for (uint32_t i = first + 1; i < count; i++) {
        if (keys[i] >> INDEX_BITS != keys[first] >> INDEX_BITS) {
            return;
        }
        struct due one = due[i];
        uint32_t at = i;
        for (; at > first && event_compare(due[at - 1].event, one.event) > 0; at--) {
            due[at] = due[at - 1];
        }
        due[at] = one;
    }
}

/* From sorted keys to events and nodes. */
static void due_list(struct sim_context *thread, uint32_t count)
{
    const struct sim *sim = thread->sim;
    uint32_t shift = INDEX_BITS + sim->window_bits;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t key = thread->keys[i];
        thread->due[i].event = thread->gathered[key & ((1u << INDEX_BITS) - 1)];
        thread->due[i].node = &sim->nodes[key >> shift];
    }
}

static void local_push(struct sim_context *thread, const struct sim_event *event)
{
    if (thread->local_count == thread->local_max) {
        thread->local_max = thread->local_max == 0 ? 64 : thread->local_max * 2;
        thread->local = realloc(thread->local, thread->local_max * sizeof *thread->local);
        CHECK(thread->local != NULL);
    }
    uint32_t at = thread->local_count++;
    while (at > 0 && event_before(event, &thread->local[(at - 1) / 2])) {
        thread->local[at] = thread->local[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    thread->local[at] = *event;
}

static struct sim_event local_pop(struct sim_context *thread)
{
    struct sim_event top = thread->local[0];
    struct sim_event last = thread->local[--thread->local_count];
    uint32_t at = 0;
    for (uint32_t child; (child = 2 * at + 1) < thread->local_count; at = child) {
        if (child + 1 < thread->local_count &&
            event_before(&thread->local[child + 1], &thread->local[child])) {
            child++;
        }
        if (!event_before(&thread->local[child], &last)) {
            break;
        }
        thread->local[at] = thread->local[child];
    }
    thread->local[at] = last;
    return top;
}

static void handle(struct sim_context *thread, const struct node *node,
                   const struct sim_event *event)
{
    thread->now_ns = event->time_ns;
    thread->handled++;
    node->class->handle(thread, node->state, event);
}

/* Runs what the current node sent to itself: up to `next`, or all that is due where it is NULL. */
static void local_run(struct sim_context *thread, const struct node *node,
                      const struct sim_event *next)
{
    while (thread->local_count > 0) {
        if (thread->local[0].time_ns >= thread->sim->until_ns) {
            struct sim_event event = local_pop(thread);
            wheel_append(thread, thread->thread, &event);
            continue;
        }
        if (next != NULL && !event_before(&thread->local[0], next)) {
            return;
        }
        struct sim_event event = local_pop(thread);
        handle(thread, node, &event);
    }
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void prefetch_events(const struct due *due, uint32_t first, uint32_t count)
{
    uint32_t end = least(first + BLOCK, count);
    for (uint32_t i = first; i < end; i++) {
        __builtin_prefetch(due[i].event);
    }
}

/* The step of each event's class that lies `distance` blocks before its handler. */
static void prefetch_step(const struct due *due, uint32_t first, uint32_t count, uint32_t distance)
{
    uint32_t end = least(first + BLOCK, count);
    for (uint32_t i = first; i < end; i++) {
        const struct node *node = due[i].node;
        if (node->prefetch_steps >= distance) {
            node->class->prefetch(node->state, due[i].event, node->prefetch_steps - distance);
        }
    }
}

/* Before block `first` is handled, its successors' memory is on the way. */
static void prefetch_blocks(const struct due *due, uint32_t first, uint32_t count)
{
    prefetch_events(due, first + (SIM_PREFETCH_STEPS_MAX + 1) * BLOCK, count);
    for (uint32_t distance = SIM_PREFETCH_STEPS_MAX; distance > 0; distance--) {
        prefetch_step(due, first + distance * BLOCK, count, distance);
    }
}

/* The first blocks were not asked for behind any others. */
static void prefetch_begin(const struct due *due, uint32_t count)
{
    for (uint32_t block = 0; block <= SIM_PREFETCH_STEPS_MAX; block++) {
        prefetch_events(due, block * BLOCK, count);
    }
    for (uint32_t distance = SIM_PREFETCH_STEPS_MAX; distance > 0; distance--) {
        for (uint32_t block = 0; block < distance; block++) {
            prefetch_step(due, block * BLOCK, count, distance);
        }
    }
}

static void window_handle(struct sim_context *thread, uint32_t count)
{
    struct due *due = thread->due;
    const uint64_t *keys = thread->keys;
    const struct node *node = NULL;
    prefetch_begin(due, count);
    for (uint32_t block = 0; block < count; block += BLOCK) {
        prefetch_blocks(due, block, count);
        uint32_t end = least(block + BLOCK, count);
        for (uint32_t i = block; i < end; i++) {
            if (i + 1 < count && ((keys[i] ^ keys[i + 1]) >> INDEX_BITS) == 0) {
                due_order_ties(due, keys, i, count);
            }
            const struct sim_event *event = due[i].event;
            if (thread->local_count > 0) {
                local_run(thread, node, due[i].node == node ? event : NULL);
            }
            node = due[i].node;
            thread->node = event->node;
            handle(thread, node, event);
        }
    }
    if (thread->local_count > 0) {
        local_run(thread, node, NULL);
    }
}

void window_run(struct sim_context *thread, uint64_t window)
{
    wheel_collect(thread);
    wheel_drain(thread, window);
    thread->window_end_ns = (window + 1) << thread->sim->window_bits;
    struct chunk *chunks = wheel_take(thread, window);
    uint32_t count = due_gather(thread, chunks);
    if (count > 0) {
        due_list(thread, count);
        window_handle(thread, count);
    }
    wheel_return(thread, chunks);
}

void sim_send(struct sim_context *context, const struct sim_event *event)
{
    struct sim *sim = context->sim;
    context->sent++;
    if (event->node == context->node) {
        CHECK(event->time_ns >= context->now_ns);
        if (sim->window_bits != 0 && event->time_ns < context->window_end_ns) {
            local_push(context, event);
            return;
        }
    } else {
        CHECK(event->node < sim->node_count);
        CHECK(event->time_ns >= context->now_ns + sim->config.lookahead_ns);
    }
    if (sim->config.scheduler == SIM_PLAIN) {
        plain_push(&sim->plain, event);
    } else {
        wheel_append(context, sim->nodes[event->node].thread, event);
    }
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void phase_sleep(struct barrier *barrier, uint32_t phase)
{
    atomic_fetch_add_explicit(&barrier->sleepers, 1, memory_order_seq_cst);
    while (atomic_load_explicit(&barrier->phase, memory_order_seq_cst) == phase) {
        syscall(SYS_futex, &barrier->phase, FUTEX_WAIT_PRIVATE, phase, NULL, NULL, 0);
    }
    atomic_fetch_sub_explicit(&barrier->sleepers, 1, memory_order_seq_cst);
}

void barrier_wait(struct barrier *barrier, uint32_t thread_count)
{
    if (thread_count == 1) {
        return;
    }
    uint32_t phase = atomic_load_explicit(&barrier->phase, memory_order_acquire);
    if (atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel) + 1 == thread_count) {
        atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&barrier->phase, phase + 1, memory_order_seq_cst);
        if (atomic_load_explicit(&barrier->sleepers, memory_order_seq_cst) > 0) {
            syscall(SYS_futex, &barrier->phase, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
        }
        return;
    }
    /* Spin while the others are near; sleep where there are too few processors for all. */
    for (uint32_t spins = 0; spins < SPINS_MAX; spins++) {
        if (atomic_load_explicit(&barrier->phase, memory_order_acquire) != phase) {
            return;
        }
        relax();
    }
    phase_sleep(barrier, phase);
}

/* Every thread runs this loop; they agree on the next window from what each published. */
void window_loop(struct sim_context *thread)
{
    struct sim *sim = thread->sim;
    uint32_t thread_count = sim->config.thread_count;
    uint64_t end = sim->until_ns >> sim->window_bits;
    bool partial = (sim->until_ns & (((uint64_t)1 << sim->window_bits) - 1)) != 0;
    uint64_t from = thread->window;
    for (;;) {
        uint32_t parity = (uint32_t)(thread->steps & 1);
        atomic_store_explicit(&sim->next_window[parity][thread->thread], wheel_next(thread, from),
                              memory_order_relaxed);
        barrier_wait(&sim->barrier, thread_count);
        uint64_t window = SIM_NEVER;
        for (uint32_t i = 0; i < thread_count; i++) {
            uint64_t other =
                atomic_load_explicit(&sim->next_window[parity][i], memory_order_relaxed);
            window = other < window ? other : window;
        }
        thread->steps++;
        if (window > end || (window == end && !partial)) {
            wheel_window(thread, end);
            wheel_drain(thread, end);
            return;
        }
        wheel_window(thread, window);
        window_run(thread, window);
        if (window == end) {
            return;
        }
        from = window + 1;
    }
}
