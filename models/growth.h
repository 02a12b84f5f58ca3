/* Whether what is unfinished grows: the difference between a system that keeps up and one that does
 * not, told from the time series of a result.
 *
 *     unfinished(t) = slope * t + noise,  t in the second half of the measured time
 *
 * A system that keeps up has some acks a second x time to an ack messages under way (Little's law),
 * and their number wanders. It is called overloaded only where all of this holds:
 *   1. the slope is above 3 standard errors, the residuals' correlation allowed for;
 *   2. it is above 0.2% of the rate sent;
 *   3. more is unfinished at the end of the measured time than Little's law explains by what an ack
 *      took in the first half;
 *   4. where the scenario has faults, the drain has not finished it either: what a fault delays and
 *      the system then works off is the fault's doing.
 */
#ifndef MODELS_GROWTH_H
#define MODELS_GROWTH_H

#include "models/result.h"

struct growth {
    double slope_per_s;     /* 0 where there are too few intervals to tell. */
    double error_per_s;     /* Its standard error. */
    double sent_per_s;      /* Mean over the second half. */
    double acked_per_s_max; /* Of its busiest interval. */
    double unfinished;      /* At the end of the measured time. */
    bool known;
};

/* Reads the measured time and the series sent_per_s and acked_per_s. */
struct growth growth_measure(const struct result *result);

/* `ack_s`: mean time to an ack in the first half. Reads plan, partial, unfinished of `result`. */
bool growth_is_overload(const struct growth *growth, double ack_s, const struct result *result);

#endif
