/* PHOLD: so many events are pending, and each, when handled, schedules one at now + 0.1 + Exp(1) on
 * a node drawn at random. The 0.1 is the lookahead, so a window holds a twelfth of what is pending.
 *
 * The engine by windows on one and two threads, its plain scheduler, and beside them what anybody
 * would write in an afternoon: one binary heap of events. All draw the same numbers at the same
 * cost. Rounds are interleaved and the best of each counts, since the machine is seldom alone. */
#include "sim/check.h"
#include "sim/rng.h"
#include "sim/sim.h"
#include "tests/bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NODES 10000u
#define LOOKAHEAD_NS 65536u
#define UNIT_NS (10 * LOOKAHEAD_NS)
#define ROUNDS 2u

struct node {
    struct rng_cursor chance;
};

static struct sim_event next_event(struct node *node, uint64_t now_ns)
{
    struct rng_bits bits = rng_next(&node->chance);
    double wait = -log(rng_unit(bits.word[0]));
    return (struct sim_event){
        .time_ns = now_ns + LOOKAHEAD_NS + (uint64_t)(wait * UNIT_NS),
        .node = (uint32_t)rng_below(bits.word[1], NODES),
    };
}

static void nodes_init(struct node *nodes)
{
    struct rng_stream stream = rng_stream(1, "phold");
    for (uint32_t i = 0; i < NODES; i++) {
        nodes[i].chance = (struct rng_cursor){.stream = stream, .entity = i};
    }
}

/* -- The baseline ------------------------------------------------------------------------------ */

struct heap {
    struct sim_event *events; /* From 1. */
    uint32_t count;
};

static void heap_push(struct heap *heap, const struct sim_event *event)
{
    uint32_t at = ++heap->count;
    for (; at > 1 && heap->events[at / 2].time_ns > event->time_ns; at /= 2) {
        heap->events[at] = heap->events[at / 2];
    }
    heap->events[at] = *event;
}

static struct sim_event heap_pop(struct heap *heap)
{
    struct sim_event least = heap->events[1];
    struct sim_event last = heap->events[heap->count--];
    uint32_t at = 1;
    for (uint32_t child = 2; child <= heap->count; child = 2 * at) {
        child +=
            child < heap->count && heap->events[child + 1].time_ns < heap->events[child].time_ns;
        if (heap->events[child].time_ns >= last.time_ns) {
            break;
        }
        heap->events[at] = heap->events[child];
        at = child;
    }
    heap->events[at] = last;
    return least;
}

/* Returns events a second. */
static double run_heap(uint32_t pending, uint64_t until_ns, uint64_t from_ns)
{
    struct node *nodes = calloc(NODES, sizeof *nodes);
    struct heap heap = {.events = calloc(pending + 2, sizeof *heap.events)};
    CHECK(nodes != NULL && heap.events != NULL);
    nodes_init(nodes);
    for (uint32_t i = 0; i < pending; i++) {
        struct sim_event event = next_event(&nodes[i % NODES], 0);
        heap_push(&heap, &event);
    }
    uint64_t handled = 0;
    uint64_t start_ns = bench_ns();
    bool measuring = false;
    for (;;) {
        struct sim_event event = heap_pop(&heap);
        if (event.time_ns >= until_ns) {
            break;
        }
        if (!measuring && event.time_ns >= from_ns) {
            measuring = true;
            handled = 0;
            start_ns = bench_ns();
        }
        event = next_event(&nodes[event.node], event.time_ns);
        heap_push(&heap, &event);
        handled++;
    }
    double seconds = (double)(bench_ns() - start_ns) * 1e-9;
    free(heap.events);
    free(nodes);
    return (double)handled / seconds;
}

/* -- The engine -------------------------------------------------------------------------------- */

static void handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct sim_event next = next_event(state, event->time_ns);
    sim_send(context, &next);
}

static void prefetch(const void *state, const struct sim_event *event, uint32_t step)
{
    (void)event;
    (void)step;
    __builtin_prefetch(state, 1);
}

static double run_sim(enum sim_scheduler scheduler, uint32_t threads, uint32_t pending,
                      uint64_t until_ns, uint64_t from_ns)
{
    static const struct sim_class class = {
        .name = "phold", .handle = handle, .prefetch = prefetch, .prefetch_steps = 1};
    const struct sim_config config = {.scheduler = scheduler,
                                      .lookahead_ns = LOOKAHEAD_NS,
                                      .thread_count = threads,
                                      .node_count_max = NODES};
    struct node *nodes = calloc(NODES, sizeof *nodes);
    struct sim *sim = sim_create(&config);
    CHECK(nodes != NULL && sim != NULL);
    nodes_init(nodes);
    for (uint32_t i = 0; i < NODES; i++) {
        sim_add_node(sim, &class, &nodes[i], i);
    }
    for (uint32_t i = 0; i < pending; i++) {
        struct sim_event event = next_event(&nodes[i % NODES], 0);
        sim_post(sim, &event);
    }
    sim_run(sim, from_ns);
    uint64_t start_ns = bench_ns();
    uint64_t handled = sim_run(sim, until_ns);
    double seconds = (double)(bench_ns() - start_ns) * 1e-9;
    sim_destroy(sim);
    free(nodes);
    return (double)handled / seconds;
}

static void measure(uint32_t pending, uint64_t events)
{
    static const char *const names[] = {"plain binary heap, 60 lines", "windows, 1 thread",
                                        "windows, 2 threads", "plain: 4-ary heap"};
    /* Each event comes back after 1.1 units on average. */
    uint64_t from_ns = UNIT_NS;
    uint64_t until_ns = from_ns + (uint64_t)(1.1 * UNIT_NS * (double)events / pending);
    double best[4] = {0, 0, 0, 0};
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const double now[4] = {
            run_heap(pending, until_ns, from_ns),
            run_sim(SIM_WINDOWS, 1, pending, until_ns, from_ns),
            run_sim(SIM_WINDOWS, 2, pending, until_ns, from_ns),
            run_sim(SIM_PLAIN, 1, pending, until_ns, from_ns),
        };
        for (uint32_t i = 0; i < 4; i++) {
            best[i] = fmax(best[i], now[i]);
        }
    }
    for (uint32_t i = 0; i < 4; i++) {
        printf("%-30s %9u %10.2f M %10.1f %8.2f x\n", names[i], pending, best[i] * 1e-6,
               1e9 / best[i], best[i] / best[0]);
    }
}

int main(int argc, char **argv)
{
    uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    printf("PHOLD, %u nodes, random target, best of %u rounds of some %llu events\n", NODES, ROUNDS,
           (unsigned long long)events);
    printf("repeat: %s %llu\n", argv[0], (unsigned long long)events);
    printf("%-30s %9s %12s %10s %10s\n", "scheduler", "pending", "events/s", "ns/event", "ratio");
    measure(10000, events);
    measure(1000000, events);
    return 0;
}
