/* Metrics: every figure of a result by its name, for budgets, comparisons and the runs database.
 *
 *     delivery.p99   delivery.mean   delivery.max   delivery.count      a stage
 *     messages_acked.rate   messages_acked.measured   messages_acked.total   a counter
 *     gateway.cpu   gateway.cpu.max   gateway.memory.used   kafka.disk_space.total   a resource
 *     unfinished   unfinished.growth   kafka.lag   deliveries_per_message ...    the system
 *
 * The names are known before a run: a scenario that asks for one that nobody measures is refused
 * when it is loaded. Whether a run has a figure is another question: see metric_value().
 *
 * Figures are of the whole system. Where only a share of it was simulated, counts, rates and totals
 * are divided by that share; what is a mean, a quantile or a utilization needs no scaling.
 */
#ifndef REPORTS_METRIC_H
#define REPORTS_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/result.h"

#define METRIC_NAME_SIZE 48u
#define METRIC_ABOUT_SIZE 192u
#define METRIC_TEXT_SIZE 40u

/* In what a figure is measured: SI without prefixes, but times in nanoseconds as everywhere. */
enum metric_unit {
    METRIC_COUNT,     /* 1 */
    METRIC_FACTOR,    /* 1, a ratio that may well be above 1. */
    METRIC_SHARE,     /* 1, 0 to 1; a utilization can be above. */
    METRIC_RATE,      /* 1/s */
    METRIC_TIME,      /* ns */
    METRIC_BYTES,     /* B */
    METRIC_BYTE_RATE, /* B/s */
    METRIC_UNIT_COUNT,
};

/* Which way is better: what a comparison calls a regression. */
enum metric_better { METRIC_LESS, METRIC_MORE, METRIC_NEITHER };

struct metric {
    char name[METRIC_NAME_SIZE];
    char about[METRIC_ABOUT_SIZE]; /* One sentence, without a full stop. */
    enum metric_unit unit;
    enum metric_better better;
};

/* Metrics are numbered from 0 to metric_count() - 1, the same in each build, in the order stages,
 * counters, resources, system. */
uint32_t metric_count(void);

/* index < metric_count(). */
struct metric metric_at(uint32_t index);

/* Its index; UINT32_MAX where there is none of that name. */
uint32_t metric_find(const char *name);

/* The figure in the unit of the metric, with its 95% interval where there is one (`known`). Stages
 * have intervals from their batches; rates of messages sent, acked and delivered and the CPU of a
 * tier from the time series; what is counted or stands at the end has none. false: the run has no
 * such figure, and `estimate` has not changed: a stage that nothing passed, a quantile that needs
 * more samples than there are, a ratio over nothing, a run that ended in its warm-up. */
bool metric_value(const struct result *result, uint32_t index, struct result_estimate *estimate);

/* What the interval is from, so that two runs with one seed can be paired: values of successive,
 * equal parts of the measured time. Writes at most RESULT_BATCHES; returns how many, 0 where the
 * figure has no interval, or a batch too few samples for the quantile. */
uint32_t metric_batches(const struct result *result, uint32_t index,
                        double batches[RESULT_BATCHES]);

/* By name, for those who know it exists: false also where it doesn't. */
bool metric_value_of(const struct result *result, const char *name,
                     struct result_estimate *estimate);

/* "ns", "B/s", "1" ...: for files. */
const char *metric_unit_name(enum metric_unit unit);

/* "less", "more", "neither". */
const char *metric_better_name(enum metric_better better);

/* A figure for people: "83.1 ms", "3.5M/s", "41%", "-" for what is no number. Writes into `buffer`
 * of METRIC_TEXT_SIZE and returns it. */
const char *metric_text(enum metric_unit unit, double value, char *buffer);

#endif
