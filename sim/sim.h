/* The engine's door: nodes, events between them, and a run that is the same however it is split.
 *
 * A *node* is what shares nothing with another: a gateway, a broker, a Cassandra node, a shard of
 * the population. It has a class (its handler), a state (its own memory) and a dense id. Nodes
 * reach each other by events alone, and obey one law:
 *
 *     to yourself at any time from now on; to another node no sooner than the lookahead.
 *
 * Time therefore advances in windows no longer than the lookahead, and inside a window every node
 * is run alone, on any thread, in any order. Its due events are handled by (time, kind, content),
 * never by arrival. Results are bit-identical for any number of threads and any grouping of nodes
 * into cells, by construction. SIM_PLAIN runs the same handlers from one ordered queue: it is the
 * oracle for SIM_WINDOWS, and runs alone where the lookahead is zero.
 *
 * An event is a value of one cache line. Nothing is allocated for it, nothing owned, nothing freed,
 * and a rank could send it to another as it stands. A batch is a run of events of one time.
 *
 * What the engine does not do: chance (rng.h, dist.h), queueing (station.h), counting (stat.h,
 * histogram.h). It draws nothing and counts only its own events.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_NEVER UINT64_MAX
#define SIM_NODES_MAX (1u << 20)
#define SIM_THREADS_MAX 64u
#define SIM_DATA_WORDS 6u
#define SIM_PREFETCH_STEPS_MAX 4u

/* 64 bytes. `data` is the model's; unused words must be zero, since they take part in the order. */
struct sim_event {
    uint64_t time_ns;
    uint32_t node; /* Who handles it. */
    uint16_t kind; /* Meaning is the node class's; lower kinds come first at equal times. */
    uint16_t flags;
    uint64_t data[SIM_DATA_WORDS];
};

struct sim;
struct sim_context; /* What a handler is given: its thread's side of the engine. */

struct sim_class {
    const char *name;
    /* Handles one event. `event` is valid for the call. */
    void (*handle)(struct sim_context *context, void *state, const struct sim_event *event);
    /* Asks the processor for the state that handle(event) will touch. Called for each event with
     * step 0, 1 ... prefetch_steps - 1, some ten events before the next step and then the handler:
     * so each step may read what the one before asked for. Must not write, and must tolerate any
     * event of the class. */
    void (*prefetch)(const void *state, const struct sim_event *event, uint32_t step);
    uint32_t prefetch_steps; /* 0 to SIM_PREFETCH_STEPS_MAX. */
};

enum sim_scheduler { SIM_WINDOWS, SIM_PLAIN };

struct sim_config {
    enum sim_scheduler scheduler; /* Zero lookahead always runs SIM_PLAIN. */
    uint64_t lookahead_ns;        /* Least delay of an event between two nodes; 0 is legal. */
    uint32_t thread_count;        /* 1 to SIM_THREADS_MAX; SIM_PLAIN uses one whatever it says. */
    uint32_t node_count_max;      /* At most SIM_NODES_MAX. */
};

/* NULL where memory is short. The caller frees it with sim_destroy(). */
struct sim *sim_create(const struct sim_config *config);
void sim_destroy(struct sim *sim);

/* Adds a node and returns its id: 0, 1, 2, ... in order of the calls. `class` and `state` are
 * borrowed until sim_destroy(). `cell` says which nodes share a thread: node goes to thread
 * cell % thread_count. Not during a run. */
uint32_t sim_add_node(struct sim *sim, const struct sim_class *class, void *state, uint32_t cell);

/* Posts an event from outside, before or between runs. Its time must not lie before sim_now(). */
void sim_post(struct sim *sim, const struct sim_event *event);

/* Handles every event with a time before `until_ns`; afterwards sim_now() is `until_ns`. Returns
 * the number of events handled. May be called again with a later time. */
uint64_t sim_run(struct sim *sim, uint64_t until_ns);

uint64_t sim_now(const struct sim *sim);
uint64_t sim_handled(const struct sim *sim);      /* Events since sim_create(). */
uint64_t sim_pending(const struct sim *sim);      /* Events posted or sent and not yet handled. */
uint64_t sim_window_ns(const struct sim *sim);    /* 0 under SIM_PLAIN. */
uint64_t sim_memory_bytes(const struct sim *sim); /* Held by the engine itself. */

/* For handlers. sim_send() copies the event; it CHECKs the law. */
void sim_send(struct sim_context *context, const struct sim_event *event);
uint64_t sim_context_now(const struct sim_context *context);
uint32_t sim_context_node(const struct sim_context *context);
uint32_t sim_context_thread(const struct sim_context *context);

#endif
