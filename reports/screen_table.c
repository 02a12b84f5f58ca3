#include "reports/screen_state.h"

#include <math.h>
#include <string.h>

#include "reports/humane.h"

#define SIZES_SHOWN 5u
#define CELL_COLUMNS 9

const char *screen_paint(const struct screen *screen, enum screen_colour colour)
{
    static const char *const sequences[] = {
        [SCREEN_PLAIN] = "\033[0m", [SCREEN_BOLD] = "\033[1m",    [SCREEN_DIM] = "\033[2m",
        [SCREEN_RED] = "\033[31m",  [SCREEN_YELLOW] = "\033[33m", [SCREEN_GREEN] = "\033[32m",
    };
    return screen->options->colour ? sequences[colour] : "";
}

const char *screen_resource(const char *name)
{
    static const char *const names[][2] = {
        {"nic_in", "network in"},
        {"nic_out", "network out"},
        {"disk_io", "disk io"},
        {"disk_space", "disk"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i][0], name) == 0) {
            return names[i][1];
        }
    }
    return name;
}

/* -- Latency by stage ----------------------------------------------------------------------------
 */

/* Of fewer samples than that, a quantile is only the greatest of them. */
static bool has_quantile(const struct result_stage *stage, uint32_t quantile)
{
    return (double)stage->count * (1 - result_quantiles[quantile]) >= 0.999;
}

static const char *quantile_text(const struct result_stage *stage, uint32_t quantile, char *buffer)
{
    if (!has_quantile(stage, quantile)) {
        return "-";
    }
    return humane_time(stage->quantile_ns[quantile].value, buffer);
}

static const char *interval_text(const struct result_stage *stage, uint32_t quantile, char *buffer)
{
    const struct result_estimate *estimate = &stage->quantile_ns[quantile];
    if (!estimate->known || !has_quantile(stage, quantile)) {
        return "-";
    }
    return humane_time(fmax(estimate->high - estimate->value, estimate->value - estimate->low),
                       buffer);
}

static void latency_row(const struct screen *screen, const struct result_stage *stage)
{
    enum { P50 = 0, P95 = 2, P99 = 3, P999 = 4 };
    char count[HUMANE_SIZE];
    char p50[HUMANE_SIZE];
    char p95[HUMANE_SIZE];
    char p99[HUMANE_SIZE];
    char spread[HUMANE_SIZE];
    char p999[HUMANE_SIZE];
    char max[HUMANE_SIZE];
    fprintf(screen->stream, "%-14.14s %8s %10s %10s %10s %10s %10s %10s\n", stage->name,
            humane_count((double)stage->count, count), quantile_text(stage, P50, p50),
            quantile_text(stage, P95, p95), quantile_text(stage, P99, p99),
            interval_text(stage, P99, spread), quantile_text(stage, P999, p999),
            humane_time(stage->max_ns, max));
}

void screen_latencies(const struct screen *screen, uint32_t rows)
{
    static const char *const leading[] = {"delivery", "ack", "receipt"};
    const size_t leading_count = sizeof leading / sizeof *leading;
    const struct result *result = screen->result;
    fprintf(screen->stream, "%s%-14s %8s %10s %10s %10s %10s %10s %10s%s\n",
            screen_paint(screen, SCREEN_BOLD), "latency", "count", "p50", "p95", "p99", "+- (p99)",
            "p99.9", "max", screen_paint(screen, SCREEN_PLAIN));
    uint32_t shown = 0;
    for (size_t i = 0; i < leading_count; i++) {
        const struct result_stage *stage = result_stage(result, leading[i]);
        if (stage != NULL && stage->count > 0) {
            latency_row(screen, stage);
            shown++;
        }
    }
    uint32_t hidden = 0;
    for (uint32_t i = 0; i < result->stage_count; i++) {
        const struct result_stage *stage = &result->stages[i];
        bool led = false;
        for (size_t k = 0; k < leading_count; k++) {
            led = led || strcmp(stage->name, leading[k]) == 0;
        }
        if (led || stage->count == 0) {
            continue;
        }
        if (shown < rows) {
            latency_row(screen, stage);
            shown++;
        } else {
            hidden++;
        }
    }
    if (shown == 0) {
        fputs("nothing passed any stage\n", screen->stream);
    } else if (hidden > 0) {
        fprintf(screen->stream, "... and %u stages more in the result\n", hidden);
    }
}

/* -- Utilization by tier -------------------------------------------------------------------------
 */

/* "41/63%": mean over nodes, and the busiest. */
static void utilization_text(double mean, double max, char *buffer, size_t size)
{
    static const double most = 9.99;
    if (!isfinite(mean) || !isfinite(max)) {
        snprintf(buffer, size, "-");
    } else if (mean > most || max > most) {
        char m[HUMANE_SIZE];
        char b[HUMANE_SIZE];
        snprintf(buffer, size, "%.6s/%.6sx", humane_count(mean, m), humane_count(max, b));
    } else {
        snprintf(buffer, size, "%.0f/%.0f%%", mean * 100, max * 100);
    }
}

/* Columns that some tier fills. */
static uint32_t columns_used(const struct result *result)
{
    uint32_t used = 0;
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
            used |= result->tiers[t].resources[r].present ? 1u << r : 0;
        }
    }
    return used;
}

static const char *column_name(const struct result *result, uint32_t resource)
{
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        if (result->tiers[t].resources[resource].present) {
            const char *name = result->tiers[t].resources[resource].name;
            return strcmp(name, "connections") == 0 ? "conns"
                   : strcmp(name, "nic_in") == 0    ? "net in"
                   : strcmp(name, "nic_out") == 0   ? "net out"
                                                    : screen_resource(name);
        }
    }
    return "";
}

/* `blanks` is what stands empty to the left, and is not written at the end of a line. */
static void utilization_cell(const struct screen *screen, uint32_t tier, uint32_t index,
                             int *blanks)
{
    const struct result *result = screen->result;
    const struct result_resource *resource = &result->tiers[tier].resources[index];
    if (!resource->present) {
        *blanks += CELL_COLUMNS + 1;
        return;
    }
    char text[24];
    char cell[28];
    bool binds = tier == result->binding_tier && index == result->binding_resource;
    utilization_text(resource->utilization_mean, resource->utilization_max, text, sizeof text);
    snprintf(cell, sizeof cell, "%s%s", binds ? "*" : "", text);
    enum screen_colour colour = resource->utilization_max >= SCREEN_FULL   ? SCREEN_RED
                                : resource->utilization_max >= SCREEN_NEAR ? SCREEN_YELLOW
                                                                           : SCREEN_PLAIN;
    fprintf(screen->stream, "%*s %s%*s%s", *blanks, "",
            colour == SCREEN_PLAIN ? "" : screen_paint(screen, colour), CELL_COLUMNS, cell,
            colour == SCREEN_PLAIN ? "" : screen_paint(screen, SCREEN_PLAIN));
    *blanks = 0;
}

void screen_utilization(const struct screen *screen)
{
    const struct result *result = screen->result;
    uint32_t used = columns_used(result);
    if (used == 0) {
        fputs("no tier was loaded\n", screen->stream);
        return;
    }
    fprintf(screen->stream, "%s%-11s %6s", screen_paint(screen, SCREEN_BOLD), "mean/max", "nodes");
    for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
        if ((used >> r & 1) != 0) {
            fprintf(screen->stream, " %*.*s", CELL_COLUMNS, CELL_COLUMNS, column_name(result, r));
        }
    }
    fprintf(screen->stream, "%s\n", screen_paint(screen, SCREEN_PLAIN));
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        const struct result_tier *tier = &result->tiers[t];
        bool any = false;
        for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
            any = any || tier->resources[r].present;
        }
        if (!any) {
            continue;
        }
        fprintf(screen->stream, "%-11.11s %6u", tier->name, tier->nodes);
        int blanks = 0;
        for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
            if ((used >> r & 1) != 0) {
                utilization_cell(screen, t, r, &blanks);
            }
        }
        fputc('\n', screen->stream);
    }
}

/* -- Where memory, disk and network grow ---------------------------------------------------------
 */

static const struct result_resource *resource_of(const struct result_tier *tier, const char *name)
{
    for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
        if (tier->resources[r].present && strcmp(tier->resources[r].name, name) == 0) {
            return &tier->resources[r];
        }
    }
    return NULL;
}

/* Appends "disk 1.2 TB of 32 TB"; network without its limit, which is the same all over. */
static void append_size(const struct result_tier *tier, const char *name, char *line, size_t size)
{
    const struct result_resource *resource = resource_of(tier, name);
    if (resource == NULL) {
        return;
    }
    char used[HUMANE_SIZE];
    char limit[HUMANE_SIZE];
    size_t length = strlen(line);
    const char *comma = length > 0 ? ", " : "";
    humane_bytes(resource->used_max, used);
    if (strncmp(name, "nic_", 4) == 0) {
        snprintf(line + length, size - length, "%s%s %s/s", comma, screen_resource(name), used);
    } else {
        snprintf(line + length, size - length, "%s%s %s of %s", comma, screen_resource(name), used,
                 humane_bytes(resource->limit, limit));
    }
}

void screen_sizes(const struct screen *screen)
{
    const struct result *result = screen->result;
    uint32_t shown = 0;
    for (uint32_t t = 0; t < RESULT_TIERS && shown < SIZES_SHOWN; t++) {
        char line[256] = "";
        append_size(&result->tiers[t], "memory", line, sizeof line);
        append_size(&result->tiers[t], "disk_space", line, sizeof line);
        append_size(&result->tiers[t], "nic_in", line, sizeof line);
        append_size(&result->tiers[t], "nic_out", line, sizeof line);
        if (line[0] == '\0') {
            continue;
        }
        if (shown == 0) {
            fprintf(screen->stream,
                    "%smax is the fullest node of each tier, which holds and moves%s\n",
                    screen_paint(screen, SCREEN_BOLD), screen_paint(screen, SCREEN_PLAIN));
        }
        fprintf(screen->stream, "%-11.11s %.88s\n", result->tiers[t].name, line);
        shown++;
    }
}
