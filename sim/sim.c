#include "sim/sim.h"

#include "sim/check.h"
#include "sim/internal.h"
#include "sim/pages.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_BITS_MAX 20u

static void *worker_main(void *argument)
{
    struct sim_context *thread = argument;
    struct sim *sim = thread->sim;
    uint64_t runs = 0;
    for (;;) {
        pthread_mutex_lock(&sim->mutex);
        while (sim->runs == runs && !sim->stopping) {
            pthread_cond_wait(&sim->changed, &sim->mutex);
        }
        runs = sim->runs;
        bool stopping = sim->stopping;
        pthread_mutex_unlock(&sim->mutex);
        if (stopping) {
            return NULL;
        }
        window_loop(thread);
        pthread_mutex_lock(&sim->mutex);
        sim->running--;
        pthread_cond_broadcast(&sim->changed);
        pthread_mutex_unlock(&sim->mutex);
    }
}

static uint32_t window_bits(uint64_t lookahead_ns)
{
    uint32_t bits = 63u - (uint32_t)__builtin_clzll(lookahead_ns);
    return bits < WINDOW_BITS_MAX ? bits : WINDOW_BITS_MAX;
}

struct sim *sim_create(const struct sim_config *config)
{
    CHECK(config->thread_count >= 1 && config->thread_count <= SIM_THREADS_MAX);
    CHECK(config->node_count_max <= SIM_NODES_MAX);
    struct sim *sim = calloc(1, sizeof *sim);
    if (sim == NULL) {
        return NULL;
    }
    sim->config = *config;
    /* A window of one nanosecond would be no window: such a lookahead is as good as none. */
    if (config->lookahead_ns < 2) {
        sim->config.scheduler = SIM_PLAIN;
    }
    if (sim->config.scheduler == SIM_PLAIN) {
        sim->config.thread_count = 1;
    } else {
        sim->window_bits = window_bits(config->lookahead_ns);
    }
    uint32_t thread_count = sim->config.thread_count;
    pthread_mutex_init(&sim->mutex, NULL);
    pthread_cond_init(&sim->changed, NULL);
    sim->nodes = calloc(config->node_count_max, sizeof *sim->nodes);
    sim->threads = pages_allocate(thread_count * sizeof *sim->threads);
    bool complete = sim->nodes != NULL && sim->threads != NULL;
    for (uint32_t i = 0; complete && i < thread_count; i++) {
        struct sim_context *thread = &sim->threads[i];
        thread->sim = sim;
        thread->thread = i;
        thread->drained_span = 1; /* Spans 0 and 1 are near from the start. */
        wheel_window(thread, 0);
        thread->row = pages_allocate(thread_count * sizeof *thread->row);
        complete = thread->row != NULL;
    }
    if (!complete) {
        sim_destroy(sim);
        return NULL;
    }
    return sim;
}

static void workers_start(struct sim *sim)
{
    for (uint32_t i = 1; i < sim->config.thread_count; i++) {
        struct sim_context *thread = &sim->threads[i];
        CHECK(pthread_create(&thread->pthread, NULL, worker_main, thread) == 0);
    }
    sim->started = true;
}

void sim_destroy(struct sim *sim)
{
    if (sim == NULL) {
        return;
    }
    if (sim->started) {
        pthread_mutex_lock(&sim->mutex);
        sim->stopping = true;
        pthread_cond_broadcast(&sim->changed);
        pthread_mutex_unlock(&sim->mutex);
    }
    uint32_t thread_count = sim->threads == NULL ? 0 : sim->config.thread_count;
    for (uint32_t i = 0; i < thread_count; i++) {
        struct sim_context *thread = &sim->threads[i];
        if (i > 0 && sim->started) {
            pthread_join(thread->pthread, NULL);
        }
        while (thread->slabs != NULL) {
            struct slab *next = thread->slabs->next;
            pages_free(thread->slabs, thread->slabs->size_bytes);
            thread->slabs = next;
        }
        if (thread->row != NULL) {
            pages_free(thread->row, thread_count * sizeof *thread->row);
        }
        free(thread->local);
        free(thread->gathered);
        free(thread->due);
        free(thread->keys);
        free(thread->keys_spare);
    }
    if (sim->threads != NULL) {
        pages_free(sim->threads, sim->config.thread_count * sizeof *sim->threads);
    }
    plain_free(&sim->plain);
    free(sim->nodes);
    pthread_mutex_destroy(&sim->mutex);
    pthread_cond_destroy(&sim->changed);
    free(sim);
}

uint32_t sim_add_node(struct sim *sim, const struct sim_class *class, void *state, uint32_t cell)
{
    CHECK(sim->node_count < sim->config.node_count_max);
    CHECK(class->prefetch_steps <= SIM_PREFETCH_STEPS_MAX);
    sim->nodes[sim->node_count] = (struct node){
        .class = class,
        .state = state,
        .thread = cell % sim->config.thread_count,
        .prefetch_steps = class->prefetch_steps,
    };
    return sim->node_count++;
}

void sim_post(struct sim *sim, const struct sim_event *event)
{
    CHECK(event->time_ns >= sim->now_ns);
    CHECK(event->node < sim->node_count);
    sim->posted++;
    if (sim->config.scheduler == SIM_PLAIN) {
        plain_push(&sim->plain, event);
        return;
    }
    uint32_t thread = sim->nodes[event->node].thread;
    wheel_append(&sim->threads[thread], thread, event);
}

uint64_t sim_run(struct sim *sim, uint64_t until_ns)
{
    CHECK(until_ns >= sim->now_ns);
    uint64_t before = sim_handled(sim);
    sim->until_ns = until_ns;
    if (sim->config.scheduler == SIM_PLAIN) {
        plain_run(sim);
    } else {
        if (!sim->started) {
            workers_start(sim);
        }
        pthread_mutex_lock(&sim->mutex);
        sim->runs++;
        sim->running = sim->config.thread_count - 1;
        pthread_cond_broadcast(&sim->changed);
        pthread_mutex_unlock(&sim->mutex);
        window_loop(&sim->threads[0]);
        pthread_mutex_lock(&sim->mutex);
        while (sim->running > 0) {
            pthread_cond_wait(&sim->changed, &sim->mutex);
        }
        pthread_mutex_unlock(&sim->mutex);
    }
    sim->now_ns = until_ns;
    return sim_handled(sim) - before;
}

uint64_t sim_now(const struct sim *sim)
{
    return sim->now_ns;
}

uint64_t sim_handled(const struct sim *sim)
{
    uint64_t handled = 0;
    for (uint32_t i = 0; i < sim->config.thread_count; i++) {
        handled += sim->threads[i].handled;
    }
    return handled;
}

uint64_t sim_pending(const struct sim *sim)
{
    uint64_t sent = sim->posted;
    for (uint32_t i = 0; i < sim->config.thread_count; i++) {
        sent += sim->threads[i].sent;
    }
    return sent - sim_handled(sim);
}

uint64_t sim_window_ns(const struct sim *sim)
{
    return sim->config.scheduler == SIM_PLAIN ? 0 : (uint64_t)1 << sim->window_bits;
}

uint64_t sim_memory_bytes(const struct sim *sim)
{
    uint64_t bytes = sim->config.node_count_max * sizeof *sim->nodes +
                     sim->plain.max * (sizeof(struct heap_item) + sizeof(struct sim_event) + 4);
    for (uint32_t i = 0; i < sim->config.thread_count; i++) {
        const struct sim_context *thread = &sim->threads[i];
        bytes += sizeof *thread + sim->config.thread_count * sizeof *thread->row;
        bytes += thread->slab_bytes + thread->due_max * 40ull;
    }
    return bytes;
}

uint64_t sim_context_now(const struct sim_context *context)
{
    return context->now_ns;
}

uint32_t sim_context_node(const struct sim_context *context)
{
    return context->node;
}

uint32_t sim_context_thread(const struct sim_context *context)
{
    return context->thread;
}
