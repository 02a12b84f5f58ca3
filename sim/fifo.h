/* Fifo: first come, first served, by c servers, without events of its own.
 *
 * When a visit arrives its departure is already decided (Lindley 1952 for one server, Kiefer and
 * Wolfowitz 1955 for c): it starts when the earliest server is free. So a visit costs one event,
 * its departure's, which the caller sends; nothing is ever taken back. Outages must therefore be
 * known ahead (outage.h), and what needs to see its queue change is a station (station.h).
 *
 * Invariants: free_ns is the least of the servers' free times; visits start in the order in which
 * they arrive; a server is never idle while somebody waits. Arrivals must come in order of time.
 *
 * With a capacity K (in service and waiting together) an arrival that finds K in the system is
 * lost, and counted. Who departs in the nanosecond of the arrival has left. This is exact: start
 * times of those waiting are kept in a ring, for they are sorted.
 */
#ifndef SIM_FIFO_H
#define SIM_FIFO_H

#include "sim/check.h"
#include "sim/outage.h"
#include "sim/sim.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIFO_SERVERS_MAX 64u
#define FIFO_INLINE_MAX 8u /* Servers sorted in without a call. */
#define FIFO_CAPACITY_MAX ((1u << 24) - 1u)

/* One cache line, all that a single server without capacity touches. Read freely; write only
 * through the functions below. */
struct fifo {
    uint64_t free_ns;    /* When the earliest server is free. */
    uint64_t arrived_ns; /* The latest arrival. */
    uint64_t arrivals;   /* Lost ones included. */
    uint64_t busy_ns; /* Time that servers were, or are going to be, held by what was accepted. */
    uint64_t wait_ns; /* Sum over those accepted and not lost; no service time in it. */
    uint64_t wait_max_ns;
    uint64_t *memory;          /* Borrowed: the other servers' free times, then the ring. */
    uint32_t server_count : 8; /* 1 to FIFO_SERVERS_MAX. */
    uint32_t capacity : 24;    /* 0 is unlimited. */
    uint32_t losses; /* Refused for capacity, or lost in an outage; stays at its maximum. */
};

_Static_assert(sizeof(struct fifo) == 64, "fifo.h promises one cache line");

struct fifo_visit {
    uint64_t start_ns;     /* SIM_NEVER for one that never starts. */
    uint64_t departure_ns; /* SIM_NEVER for one that is lost. */
};

/* Words of memory that such a fifo borrows; 0 for a single server without capacity. */
size_t fifo_memory_words(uint32_t server_count, uint32_t capacity);

/* 1 to FIFO_SERVERS_MAX servers, all free at 0; `capacity` is 0 or from server_count to
 * FIFO_CAPACITY_MAX. `memory` has fifo_memory_words() words, needs no clearing, and must outlive
 * `fifo`; NULL where none is needed. */
void fifo_init(struct fifo *fifo, uint32_t server_count, uint32_t capacity, uint64_t *memory);

/* How many are in the system at `now_ns`, which is not before the latest arrival. Only for a fifo
 * with a capacity: others don't remember. */
uint32_t fifo_count(struct fifo *fifo, uint64_t now_ns);

/* How long an arrival at `now_ns` would wait. */
static inline uint64_t fifo_backlog_ns(const struct fifo *fifo, uint64_t now_ns)
{
    return fifo->free_ns > now_ns ? fifo->free_ns - now_ns : 0;
}

/* For the inline functions. */
void fifo_place_many(struct fifo *fifo, uint64_t free_ns);
bool fifo_admit(struct fifo *fifo, uint64_t now_ns);
void fifo_note_waiting(struct fifo *fifo, uint64_t start_ns);

/* The earliest server will be free at `free_ns` instead: sorts it in among the others. Without
 * branches, since nobody could predict them: the greater of two is carried on to the next. */
static inline void fifo_place(struct fifo *fifo, uint64_t free_ns)
{
    const uint32_t other_count = fifo->server_count - 1u;
    if (other_count == 0) {
        fifo->free_ns = free_ns;
        return;
    }
    if (other_count > FIFO_INLINE_MAX - 1) {
        fifo_place_many(fifo, free_ns);
        return;
    }
    uint64_t *others = fifo->memory;
    uint64_t carried_ns = free_ns > others[0] ? free_ns : others[0];
    fifo->free_ns = free_ns > others[0] ? others[0] : free_ns;
    for (uint32_t i = 1; i < other_count; i++) {
        const uint64_t other_ns = others[i];
        others[i - 1] = carried_ns > other_ns ? other_ns : carried_ns;
        carried_ns = carried_ns > other_ns ? carried_ns : other_ns;
    }
    others[other_count - 1] = carried_ns;
}

static inline void fifo_tally(struct fifo *fifo, uint64_t wait_ns, uint64_t held_ns)
{
    fifo->busy_ns += held_ns;
    fifo->wait_ns += wait_ns;
    fifo->wait_max_ns = wait_ns > fifo->wait_max_ns ? wait_ns : fifo->wait_max_ns;
}

/* A visit of `service_ns` arrives at `now_ns`, not before the one before it. */
static inline struct fifo_visit fifo_serve(struct fifo *fifo, uint64_t now_ns, uint64_t service_ns)
{
    CHECK(now_ns >= fifo->arrived_ns);
    fifo->arrived_ns = now_ns;
    fifo->arrivals++;
    if (fifo->capacity != 0 && !fifo_admit(fifo, now_ns)) {
        return (struct fifo_visit){SIM_NEVER, SIM_NEVER};
    }
    const uint64_t start_ns = now_ns > fifo->free_ns ? now_ns : fifo->free_ns;
    const uint64_t departure_ns = start_ns + service_ns;
    if (fifo->capacity != 0 && start_ns > now_ns) {
        fifo_note_waiting(fifo, start_ns);
    }
    fifo_place(fifo, departure_ns);
    fifo_tally(fifo, start_ns - now_ns, service_ns);
    return (struct fifo_visit){start_ns, departure_ns};
}

/* The same on a node with outages: service is stretched by SLOW and suspended by PAUSE. A visit
 * that a DOWN meets, waiting or in service, is lost with everything else in the node: departure_ns
 * is SIM_NEVER, and its server is free when the node is up again. An arrival at a node that is down
 * touches no server. Passes the outage's cursor to now_ns. */
struct fifo_visit fifo_serve_through_slow(struct fifo *fifo, struct outage *outage, uint64_t now_ns,
                                          uint64_t service_ns);

static inline struct fifo_visit fifo_serve_through(struct fifo *fifo, struct outage *outage,
                                                   uint64_t now_ns, uint64_t service_ns)
{
    const uint64_t start_ns = now_ns > fifo->free_ns ? now_ns : fifo->free_ns;
    if (start_ns + service_ns <= outage_next(outage)) {
        return fifo_serve(fifo, now_ns, service_ns);
    }
    return fifo_serve_through_slow(fifo, outage, now_ns, service_ns);
}

/* Share of [0, now_ns) in which a server was busy, averaged over servers, 0 to 1. What is held
 * beyond now_ns is not counted. `now_ns` is above 0 and not before the latest arrival. */
double fifo_utilization(const struct fifo *fifo, uint64_t now_ns);

#endif
