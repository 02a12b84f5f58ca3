/* Outages: when a node is down, paused or slow, drawn ahead of time.
 *
 * A departure once computed can't be taken back, so a node must know its own future faults when it
 * computes one. A schedule is a sorted list of disjoint intervals [from, until):
 *
 *     DOWN   the process is dead; whatever was in it is lost. Work that a DOWN meets never ends.
 *     PAUSE  the process stands still (a long garbage collection, a frozen virtual machine); work
 *            is suspended and goes on afterwards.
 *     SLOW   work takes stretch_milli / 1000 times as long while it lasts; what one interval does
 * of a work that goes on after it is rounded down to whole ns.
 *
 * The schedule has a cursor. Time asked about may go forward only: no function may be asked about a
 * time before the latest outage_pass(). Questions about later times don't move the cursor, so a
 * queue may ask when work will end that starts in an hour.
 *
 * Cost: one comparison while nothing is wrong.
 */
#ifndef SIM_OUTAGE_H
#define SIM_OUTAGE_H

#include "sim/rng.h"
#include "sim/sim.h"

#include <stdbool.h>
#include <stdint.h>

struct dist;

/* By severity: where intervals overlap, outage_normalise() lets the greater win. */
enum outage_kind { OUTAGE_SLOW, OUTAGE_PAUSE, OUTAGE_DOWN };

struct outage_interval {
    uint64_t from_ns;
    uint64_t until_ns;      /* Exclusive, above from_ns; SIM_NEVER is for good. */
    uint32_t kind;          /* enum outage_kind. */
    uint32_t stretch_milli; /* SLOW: 1000 or more; 1000 changes nothing. */
};

enum outage_err {
    OUTAGE_OK = 0,
    OUTAGE_ERR_INTERVAL = -1, /* Empty, of an unknown kind, or a stretch below 1000. */
    OUTAGE_ERR_ORDER = -2,    /* Not sorted, or overlapping. */
    OUTAGE_ERR_FULL = -3,     /* More intervals than there is room for. */
};

/* Read freely; write only through the functions below. All zero is a node without outages. */
struct outage {
    uint64_t next_ns; /* Start of the current or next interval + 1; 0 is none. See outage_next(). */
    const struct outage_interval *intervals; /* Borrowed from the owner. */
    uint32_t interval_count;
    uint32_t index; /* First interval that has not been passed. */
};

/* `intervals` must outlive `outage`. On an error nothing has changed. */
enum outage_err outage_init(struct outage *outage, const struct outage_interval *intervals,
                            uint32_t interval_count);

/* Sorts `count` intervals in place and cuts overlaps, the severer kind winning and, among SLOWs,
 * the slower; equal neighbours are joined. May need up to 2 * count - 1 places. Returns the new
 * count, or a negative enum outage_err; on OUTAGE_ERR_FULL or _INTERVAL nothing has changed. */
int64_t outage_normalise(struct outage_interval *intervals, uint32_t count, uint32_t count_max);

/* Draws alternating up and down times until `until_ns`, starting up at 0: intervals of `kind` (and
 * `stretch_milli`, for SLOW), lasting `down`, between them `up`, both laws in ns. Returns how many
 * were written, or OUTAGE_ERR_FULL when there are more than `count_max`. */
int64_t outage_draw(struct outage_interval *intervals, uint32_t count_max, enum outage_kind kind,
                    uint32_t stretch_milli, const struct dist *up, const struct dist *down,
                    struct rng_cursor *cursor, uint64_t until_ns);

/* Start of the current or next interval, SIM_NEVER if there is none. */
static inline uint64_t outage_next(const struct outage *outage)
{
    return outage->next_ns - 1; /* 0 wraps to SIM_NEVER: so all zero is no outage. */
}

/* The slow paths of the inline functions. */
void outage_pass_slow(struct outage *outage, uint64_t now_ns);
const struct outage_interval *outage_find(const struct outage *outage, uint64_t time_ns);
uint64_t outage_finish_slow(const struct outage *outage, uint64_t start_ns, uint64_t work_ns);
uint64_t outage_up_slow(const struct outage *outage, uint64_t time_ns);
uint64_t outage_down_slow(const struct outage *outage, uint64_t from_ns, uint64_t until_ns);

/* Time has come to `now_ns`; nobody will ask about earlier times. Optional, but without it the
 * slow paths search from the beginning. */
static inline void outage_pass(struct outage *outage, uint64_t now_ns)
{
    if (now_ns >= outage_next(outage)) {
        outage_pass_slow(outage, now_ns);
    }
}

/* The interval that holds `time_ns`, or NULL. Valid as long as the intervals. */
static inline const struct outage_interval *outage_at(const struct outage *outage, uint64_t time_ns)
{
    return time_ns < outage_next(outage) ? (const struct outage_interval *)0
                                         : outage_find(outage, time_ns);
}

static inline bool outage_is_down(const struct outage *outage, uint64_t time_ns)
{
    const struct outage_interval *interval = outage_at(outage, time_ns);
    return interval != (const struct outage_interval *)0 && interval->kind == OUTAGE_DOWN;
}

/* When `work_ns` of work, begun at `start_ns`, is done: stretched by SLOW, suspended by PAUSE.
 * SIM_NEVER if the node is down at the start or goes down before the end. Work that ends in the
 * very nanosecond in which a DOWN begins is done. */
static inline uint64_t outage_finish(const struct outage *outage, uint64_t start_ns,
                                     uint64_t work_ns)
{
    const uint64_t finish_ns = start_ns + work_ns;
    return finish_ns <= outage_next(outage) ? finish_ns
                                            : outage_finish_slow(outage, start_ns, work_ns);
}

/* First time from `time_ns` on at which the node is not DOWN; SIM_NEVER if it never is. */
static inline uint64_t outage_up(const struct outage *outage, uint64_t time_ns)
{
    return time_ns < outage_next(outage) ? time_ns : outage_up_slow(outage, time_ns);
}

/* The start of the first DOWN that holds or begins in [from_ns, until_ns); SIM_NEVER if none. */
static inline uint64_t outage_down_between(const struct outage *outage, uint64_t from_ns,
                                           uint64_t until_ns)
{
    return until_ns <= outage_next(outage) ? SIM_NEVER
                                           : outage_down_slow(outage, from_ns, until_ns);
}

#endif
