/* Stations: where work waits its turn, with events.
 *
 * A node class of the engine, for what needs to see its queue change: processor sharing,
 * priorities, batches, routing among stations. It is what textbook networks are built from, and
 * costs two events a visit. Where first come, first served is enough, use fifo.h: it has no events
 * of its own, and is included here.
 *
 *     ARRIVE -> [full? lost] -> queue by priority, then order of arrival
 *     a server is free -> takes up to batch_max of the first in line   -> DONE at now + service
 *     DONE  -> each of the batch is routed: ARRIVE at the next node, or leaves the network
 *
 * Under processor sharing nobody queues: all n in the station advance together at the rate
 * min(1, c / n), and the one with the least work left is DONE first. Work attained is kept as a
 * whole number of 2^-16 ns, so a run is bit-identical; a departure is late by a ns or two.
 *
 * An ARRIVE's data: [0] job id, [1] priority (0 is served first), [2] hop, the number of visits
 * before this one, [3] when the job entered the network, in ns. Service and route are drawn by
 * (job, hop) from streams of the station, so they do not depend on who arrived first.
 * Stations that route to each other without a delay need lookahead 0, so SIM_PLAIN.
 */
#ifndef SIM_STATION_H
#define SIM_STATION_H

#include "sim/fifo.h"
#include "sim/rng.h"
#include "sim/sim.h"

#include <stdint.h>

struct dist;

#define STATION_PRIORITIES_MAX 8u
#define STATION_SLOTS_MAX (1u << 24)
#define STATION_EXIT UINT32_MAX

enum station_kind { STATION_DONE = 1, STATION_ARRIVE = 2, STATION_EMIT = 3 };

enum station_discipline { STATION_FIFO, STATION_SHARING };

/* One row of the next-node table. */
struct station_route {
    uint32_t node;      /* STATION_EXIT leaves the network. */
    double probability; /* Rows add up to at most 1; the rest exits. */
};

struct station_config {
    enum station_discipline discipline;
    uint32_t server_count;              /* 1 or more. */
    uint32_t batch_max;                 /* Taken by one server at once; 1 under STATION_SHARING. */
    uint32_t priority_count;            /* 1 to STATION_PRIORITIES_MAX; 1 under STATION_SHARING. */
    uint32_t capacity;                  /* In the system together; 1 to STATION_SLOTS_MAX. */
    const struct dist *service;         /* Borrowed; ns a job, or ns a batch. */
    const struct station_route *routes; /* Borrowed; may be NULL when route_count is 0. */
    uint32_t route_count;
    uint64_t seed;
    const char *name; /* Names the streams; distinct stations, distinct names. Not kept. */
};

/* What has been seen since the beginning or the latest station_reset(). Means follow: number in
 * the system = count_ns / elapsed; response = sojourn_ns / departures; and so on. */
struct station_counts {
    uint64_t since_ns;
    uint64_t arrivals; /* Lost ones included. */
    uint64_t losses;
    uint64_t departures;
    uint64_t exits;           /* Departures that left the network. */
    uint64_t count_ns;        /* Integral over time of the number in the system. */
    uint64_t busy_ns;         /* Integral over time of the number of busy servers. */
    uint64_t sojourn_ns;      /* Sum over departures of time in this station. */
    uint64_t exit_sojourn_ns; /* Sum over exits of time in the network. */
    uint64_t priority_departures[STATION_PRIORITIES_MAX];
    uint64_t priority_sojourn_ns[STATION_PRIORITIES_MAX]; /* Sum over these departures. */
};

/* Opaque inside; lives as long as the caller keeps it. */
struct station;

/* The class to hand to sim_add_node(), with the station as state. */
extern const struct sim_class station_class;

/* NULL where memory is short; a config outside the ranges above is a bug and CHECKed. The caller
 * frees it with station_destroy(). `routes` are read now; the nodes they name may be added later.
 */
struct station *station_create(const struct station_config *config);
void station_destroy(struct station *station);

/* Counts up to `now_ns`, which no handled event lies after. */
struct station_counts station_counts(const struct station *station, uint64_t now_ns);

/* Forgets what was counted, not who is there: the end of a warm-up. */
void station_reset(struct station *station, uint64_t now_ns);

/* An arrival of a job from outside, to be given to sim_post(). */
struct sim_event station_arrival(uint32_t node, uint64_t time_ns, uint64_t job, uint32_t priority);

/* Jobs from outside, one after another, `gap` apart (drawn), each sent to `node`; a node class of
 * its own. Post station_emission() once to start it; it keeps itself going. Job ids are
 * first_job, first_job + job_step, ... */
struct station_source {
    struct rng_stream stream;
    const struct dist *gap; /* Borrowed; ns. */
    uint32_t node;
    uint32_t priority;
    uint64_t first_job;
    uint64_t job_step;
    uint64_t emitted;
};

extern const struct sim_class station_source_class;

/* The event that starts a source which is node `node` of the engine: its first job comes one gap
 * later. */
struct sim_event station_emission(uint32_t node, uint64_t time_ns);

#endif
