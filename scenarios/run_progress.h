/* How far a run is, on a terminal; and in which steps it goes there.
 *
 * A run goes by slices of simulated time that take some 150 ms of wall clock each, so that Ctrl-C
 * and the line are never far away. How it is sliced has no bearing on the result. */
#ifndef SCENARIOS_RUN_PROGRESS_H
#define SCENARIOS_RUN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define RUN_SLICE_FIRST_NS 1000000u
#define RUN_LINE_SIZE 80u

/* The next slice, after one of `slice_ns` that took `wall_s`: at most 4 times as long. */
uint64_t run_slice_next(uint64_t slice_ns, double wall_s);

struct run_moment {
    uint64_t now_ns;
    uint64_t end_ns;
    uint64_t events;
    double wall_s; /* Since the run began. */
};

/* "3.2 s of 9 s, 36%, 1.5M events/s, 2.1 wall s a simulated s, 12 s left" into RUN_LINE_SIZE, for
 * what went on between the two moments. Returns `buffer`. */
const char *run_progress_text(const struct run_moment *before, const struct run_moment *now,
                              char *buffer);

/* Written only through the functions below. */
struct run_progress {
    FILE *stream; /* NULL: no terminal, nothing is shown. */
    bool shown;
    struct run_moment last;
};

/* Shows on stderr if that is a terminal that can, and `wanted`. */
void run_progress_init(struct run_progress *progress, bool wanted);

/* Replaces the line; `text` is ours. */
void run_progress_say(struct run_progress *progress, const char *text);

/* Replaces the line by that of the moment, a few times a second at most. */
void run_progress_show(struct run_progress *progress, const struct run_moment *now);

void run_progress_clear(struct run_progress *progress);

/* Seconds of a clock that only goes forward. */
double run_clock_s(void);

#endif
