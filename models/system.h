/* The assembly: a plan's parts wired together into one running system.
 *
 *     system_create(plan) --> system_advance()* --> system_result() --> system_destroy()
 */
#ifndef MODELS_SYSTEM_H
#define MODELS_SYSTEM_H

#include "models/plan.h"
#include "models/result.h"

#include <stdbool.h>
#include <stdint.h>

struct system;

/* A message of a trace that is replayed instead of a synthetic workload. */
struct system_trace_message {
    uint64_t time_ns; /* From the first, not yet compressed. */
    uint32_t sender;  /* From 0. */
    uint32_t recipient;
};

struct system_options {
    uint32_t threads; /* 1 or more. */
    bool plain;       /* The plain scheduler: slow, the oracle. */
    uint32_t cells;   /* How nodes are grouped: 0 as is best; else by a hash, into so many. */
    const struct system_trace_message *trace; /* Sorted by time; borrowed; NULL: none. */
    uint32_t trace_count;
    uint32_t trace_users;
};

/* Bytes of memory that running this plan needs, all included. */
uint64_t system_memory_bytes(const struct plan *plan, const struct system_options *options);

/* Builds everything in its steady state. `plan` is borrowed and outlives it. Memory has to be there
 * (ask system_memory_bytes() first). What can't be built from a valid plan (more gateways than a
 * location can name) is said in `error`, and the answer is NULL. */
struct system *system_create(const struct plan *plan, const struct system_options *options,
                             char error[256]);
void system_destroy(struct system *system);

/* Simulates up to `until_ns` (not beyond system_end_ns()). */
void system_advance(struct system *system, uint64_t until_ns);
uint64_t system_now_ns(const struct system *system);
uint64_t system_end_ns(const struct system *system);
uint64_t system_events(const struct system *system);

/* What happened so far. `result` is overwritten; free it by result_free(). Once, at the end. */
void system_result(struct system *system, struct result *result);

#endif
