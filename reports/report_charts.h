/* The scripts of the report's charts. Each is made for a width: narrow ones for phones.
 *
 * What is drawn comes from the result alone; names go through chart_quote(). The caller frees what
 * is returned; NULL where memory is short. */
#ifndef REPORTS_REPORT_CHARTS_H
#define REPORTS_REPORT_CHARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "models/result.h"

#define CHARTS_CURVES_MAX 8u
#define CHARTS_SLOTS 8u /* Colours for curves: slots 1 to 8 of the page. */

struct charts_size {
    uint32_t width;
    uint32_t height;
};

struct charts_curve {
    const struct result_stage *stage;
    uint32_t slot; /* Colour and dashes. */
    bool main;     /* Drawn thicker, its p99 marked. */
};

/* Share of messages at least this fast, over latency: logarithms both, so that each nine is as far
 * from the last. `limit_ns` at `limit_share` shades what is over a limit; 0: none. */
char *charts_cdf(struct charts_size size, const struct charts_curve *curves, uint32_t count,
                 double limit_ns, double limit_share);

/* Messages sent, acked and delivered a second over time. */
char *charts_rates(struct charts_size size, const struct result *result);

/* CPU of each tier over time, mean over its nodes. */
char *charts_cpu(struct charts_size size, const struct result *result);

/* The most used resources, mean and busiest node, against their capacity. */
char *charts_utilization(struct charts_size size, const struct result *result);

/* Rows that charts_utilization() draws, so that the height fits. */
uint32_t charts_utilization_rows(const struct result *result);

/* gnuplot's dash type of a slot, "" for solid; CSS has the same as .dash-N. */
const char *charts_dash(uint32_t slot);

/* The slot of a tier's line. */
uint32_t charts_tier_slot(uint32_t tier);

#endif
