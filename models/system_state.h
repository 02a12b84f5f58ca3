/* The assembly's inside: system.c builds and runs it, system_place.c puts it into its steady state,
 * system_replay.c gives it a trace's messages,
 * system_result.c reads it out. */
#ifndef MODELS_SYSTEM_STATE_H
#define MODELS_SYSTEM_STATE_H

#include "models/infra/cassandra.h"
#include "models/infra/faults.h"
#include "models/infra/infra.h"
#include "models/infra/kafka.h"
#include "models/infra/population.h"
#include "models/infra/push.h"
#include "models/infra/redis.h"
#include "models/infra/server.h"
#include "models/system.h"

struct system {
    const struct plan *asked; /* The caller's. */
    struct plan plan;         /* What is simulated: the sample of it. */
    struct system_options options;
    struct world world;
    struct workload workload;
    struct population_setup setup;
    struct sim *sim;
    struct population **populations;
    struct server **servers; /* Gateways, then fan-out. */
    struct redis **shards;
    struct kafka *kafka;
    struct cassandra_ring *ring;
    struct push *push;
    struct server_scratch **scratch;
    uint32_t *trace_starts; /* Of a trace: by user, where its recipients begin, in ... */
    uint32_t *trace_recipients;
    struct population_write *trace_writes; /* By population, then time. */
    struct rng_stream pending;             /* Of what waits for those offline, and ... */
    struct rng_stream idle;                /* ... of how long those online have been silent. */
};

/* Replays options.trace, if there is one: sorts it by sender and by population. */
void system_replay(struct system *system);
void system_replay_free(struct system *system);

/* Everyone who is online at the start is connected, registered and live; the inboxes of those who
 * are not hold what a steady state would have left there. */
void system_place(struct system *system);

#endif
