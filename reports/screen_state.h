/* The screen's inside: screen.c says what happened, screen_table.c lays out figures. */
#ifndef REPORTS_SCREEN_STATE_H
#define REPORTS_SCREEN_STATE_H

#include "reports/screen.h"

#include <stddef.h>

#define SCREEN_FULL 0.995 /* From here on a station has no room left. */
#define SCREEN_NEAR 0.8   /* From here on the busiest node is worth a colour. */

enum screen_colour {
    SCREEN_PLAIN,
    SCREEN_BOLD,
    SCREEN_DIM,
    SCREEN_RED,
    SCREEN_YELLOW,
    SCREEN_GREEN
};

struct screen {
    FILE *stream;
    const struct result *result;
    const struct screen_options *options;
};

/* The escape sequence, or "" where there is no colour. */
const char *screen_paint(const struct screen *screen, enum screen_colour colour);

/* "cpu", "network in", ... */
const char *screen_resource(const char *name);

/* What came from outside, without what a terminal would obey. Cut at `size`; returns `buffer`. */
const char *screen_clean(const char *outside, char *buffer, size_t size);

/* Nothing where there is nothing to say. */
void screen_verdicts(const struct screen *screen);
void screen_budgets(const struct screen *screen);

/* With at most `rows` stages. */
void screen_latencies(const struct screen *screen, uint32_t rows);
void screen_utilization(const struct screen *screen);
void screen_sizes(const struct screen *screen);

#endif
