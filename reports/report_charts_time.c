/* Charts over time: one scale each, one clock, warm-up and drain grey, faults marked. */
#include "reports/report_charts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/chart.h"
#include "reports/humane.h"
#include "reports/report_faults.h"
#include "reports/words.h"

#define POINTS_MAX 140u /* More can't be told apart in a chart. */
#define FAULT_LABELS_MAX 4u
#define LABEL_GAP 0.075 /* Of the plot's height, between two names of lines. */
#define LINES_MAX RESULT_TIERS

struct line {
    const char *name;
    const float *values;
    uint32_t slot;
    double level; /* Mean over the measured time: where its name stands. */
};

struct clock {
    double scale; /* Seconds in a unit of the axis. */
    const char *unit;
    double end; /* In that unit. */
};

static struct clock clock_of(const struct result *result)
{
    double end_s = (double)result->interval_ns * 1e-9 * result->interval_count;
    struct clock clock = {1, "s", end_s};
    if (end_s > 3 * 86400.0) {
        clock = (struct clock){86400, "d", end_s / 86400};
    } else if (end_s > 3 * 3600.0) {
        clock = (struct clock){3600, "h", end_s / 3600};
    } else if (end_s > 600) {
        clock = (struct clock){60, "min", end_s / 60};
    }
    return clock;
}

static double level_of(const struct result *result, const float *values)
{
    double sum = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < result->interval_count; i++) {
        uint64_t at_ns = i * result->interval_ns;
        if (at_ns >= result->from_ns && at_ns < result->until_ns) {
            sum += (double)values[i];
            count++;
        }
    }
    return count > 0 ? sum / count : 0;
}

/* A point stands in the middle of the intervals it is the mean of. */
static double put_lines(FILE *script, const struct result *result, const struct line *lines,
                        uint32_t count, struct clock clock)
{
    double most = 0;
    uint32_t step = (result->interval_count + POINTS_MAX - 1) / POINTS_MAX;
    step = step < 1 ? 1 : step;
    double span = (double)result->interval_ns * 1e-9 / clock.scale;
    fputs("$D << EOD\n", script);
    for (uint32_t i = 0; i < result->interval_count; i += step) {
        uint32_t end = i + step < result->interval_count ? i + step : result->interval_count;
        fprintf(script, "%.5g", span * (i + end) / 2);
        for (uint32_t l = 0; l < count; l++) {
            double sum = 0;
            for (uint32_t k = i; k < end; k++) {
                sum += (double)lines[l].values[k];
            }
            double mean = sum / (end - i);
            most = fmax(most, mean);
            fprintf(script, " %.5g", mean);
        }
        fputc('\n', script);
    }
    fputs("EOD\n", script);
    return most;
}

/* The names of the lines, at their right and apart from each other. */
static void put_names(FILE *script, struct line *lines, uint32_t count, double top)
{
    uint32_t order[LINES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        while (at > 0 && lines[order[at - 1]].level > lines[i].level) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
    double least = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct line *line = &lines[order[i]];
        double room = top * (1 - LABEL_GAP * (count - 1 - i));
        double at = fmin(fmax(line->level, least), room);
        fprintf(script,
                "set label %u '%s' at graph 1, first %.6g left offset 0.6,0 tc rgb "
                "\"#00000%u\"\n",
                20 + i, line->name, at, line->slot);
        least = at + top * LABEL_GAP;
    }
}

static void put_shade(FILE *script, uint32_t id, double from, double until, const char *slot,
                      const char *density)
{
    fprintf(script,
            "set object %u rect from first %.6g, graph 0 to first %.6g, graph 1 fc rgb "
            "\"#00000%s\" fs solid %s noborder behind\n",
            id, from, until, slot, density);
}

static void put_faults(FILE *script, const struct result *result, struct clock clock)
{
    const struct plan *plan = result->plan;
    char words[WORDS_SIZE];
    char quoted[WORDS_SIZE];
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        const struct plan_fault *fault = &plan->faults[i];
        double from = (double)(plan->run.warmup_ns + fault->at_ns) * 1e-9 / clock.scale;
        double until = from + (double)fault->duration_ns * 1e-9 / clock.scale;
        until = fault->duration_ns == 0 || until > clock.end ? clock.end : until;
        if (from >= clock.end) {
            continue;
        }
        put_shade(script, 40 + i, from, until, "4", "0.12");
        fprintf(script,
                "set arrow %u from first %.6g, graph 0 to first %.6g, graph 1 nohead lw 1.5 dt "
                "(5,4) lc rgb \"#000004\"\n",
                40 + i, from, from);
        if (i < FAULT_LABELS_MAX) {
            fault_words(fault, words, sizeof words);
            fprintf(script, "set label %u %s at first %.6g, graph %.3f %s tc rgb \"#000004\"\n",
                    40 + i, chart_quote(words, quoted, sizeof quoted), from, 0.95 - 0.08 * i,
                    from > clock.end * 0.6 ? "right offset -0.5,0" : "left offset 0.5,0");
        }
    }
}

static void put_clock(FILE *script, const struct result *result, struct clock clock)
{
    double from = (double)result->from_ns * 1e-9 / clock.scale;
    double until = (double)result->until_ns * 1e-9 / clock.scale;
    fprintf(script,
            "set xrange [0:%.6g]; set xlabel 'simulated time, %s' offset 0,0.4\n"
            "set xtics tc rgb \"black\"\n",
            clock.end, clock.unit);
    if (from > 0) {
        put_shade(script, 10, 0, from, "1", "0.10");
    }
    if (until < clock.end) {
        put_shade(script, 11, until, clock.end, "1", "0.10");
    }
    put_faults(script, result, clock);
}

/* Five or so round values, with their units. */
static void put_value_tics(FILE *script, double top, bool percent)
{
    char text[HUMANE_SIZE];
    double rough = top / 5;
    double decade = pow(10, floor(log10(rough)));
    double step = rough / decade > 5 ? 10 : rough / decade > 2 ? 5 : rough / decade > 1 ? 2 : 1;
    step *= decade;
    fputs("set ytics (", script);
    for (uint32_t i = 0; i * step <= top; i++) {
        humane_count(i * step * (percent ? 100 : 1), text);
        fprintf(script, "%s'%s%s' %.6g", i == 0 ? "" : ", ", text, percent ? "%%" : "", i * step);
    }
    fputs(") tc rgb \"black\"\n", script);
}

static char *over_time(struct charts_size size, const struct result *result, struct line *lines,
                       uint32_t count, const char *title, bool percent)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *script = open_memstream(&text, &bytes);
    if (script == NULL) {
        return NULL;
    }
    struct clock clock = clock_of(result);
    fprintf(script,
            "set lmargin at screen %.5f; set rmargin at screen %.5f\n"
            "set tmargin at screen %.5f; set bmargin at screen %.5f\n"
            "unset key; set tics nomirror scale 0; set border 1 lc rgb \"#000009\"\n"
            "set grid ytics lt 1 lw 0.6 lc rgb \"#000009\"\n",
            52.0 / size.width, 1 - 74.0 / size.width, 1 - 34.0 / size.height, 54.0 / size.height);
    for (uint32_t l = 0; l < count; l++) {
        lines[l].level = level_of(result, lines[l].values);
    }
    double most = put_lines(script, result, lines, count, clock);
    double top = most > 0 ? most * 1.15 : 1;
    fprintf(script,
            "set yrange [0:%.6g]\n"
            "set label 1 '%s' at screen %.5f, screen %.5f\n",
            top, title, 8.0 / size.width, 1 - 14.0 / size.height);
    put_value_tics(script, top, percent);
    put_clock(script, result, clock);
    put_names(script, lines, count, top);
    for (uint32_t l = 0; l < count; l++) {
        fprintf(script, "%s $D using 1:%u with lines lw 2 %s lc rgb \"#00000%u\"",
                l == 0 ? "plot" : ",", l + 2, charts_dash(lines[l].slot), lines[l].slot);
    }
    fputs(count > 0 ? "\n" : "plot NaN\n", script);
    return fclose(script) == 0 ? text : NULL;
}

char *charts_rates(struct charts_size size, const struct result *result)
{
    struct line lines[] = {
        {"delivered", result->delivered_per_s, 2, 0},
        {"sent", result->sent_per_s, 1, 0},
        {"acked", result->acked_per_s, 6, 0},
    };
    return over_time(size, result, lines, 3, "messages a second", false);
}

uint32_t charts_tier_slot(uint32_t tier)
{
    static const uint32_t slots[RESULT_TIERS] = {1, 2, 5, 3, 6, 7, 8};
    return slots[tier < RESULT_TIERS ? tier : 0];
}

char *charts_cpu(struct charts_size size, const struct result *result)
{
    static const char *const names[RESULT_TIERS] = {"clients",   "chat",  "fan-out", "Kafka",
                                                    "Cassandra", "Redis", "push"};
    struct line lines[LINES_MAX];
    uint32_t count = 0;
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        const struct result_tier *tier = &result->tiers[t];
        const struct result_resource *busiest = words_busiest(tier, true);
        if (tier->cpu_mean != NULL && busiest != NULL) {
            lines[count++] = (struct line){names[t], tier->cpu_mean, charts_tier_slot(t), 0};
        }
    }
    return over_time(size, result, lines, count, "CPU in use, mean over the nodes of a tier", true);
}
