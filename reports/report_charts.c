#include "reports/report_charts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/chart.h"
#include "reports/humane.h"
#include "reports/words.h"

#define CDF_POINTS 96u
#define NINES_MAX 4.0 /* 99.99% is the top of the scale. */
#define ROWS_MAX 8u

enum { P99 = 3 }; /* Of result_quantiles. */

static bool is_narrow(struct charts_size size)
{
    return size.width < 500;
}

/* Margins are fixed, since gnuplot can't measure the page's font. */
static void put_margins(FILE *script, struct charts_size size, double left, double right,
                        double top, double bottom)
{
    fprintf(script,
            "set lmargin at screen %.5f; set rmargin at screen %.5f\n"
            "set tmargin at screen %.5f; set bmargin at screen %.5f\n",
            left / size.width, 1 - right / size.width, 1 - top / size.height, bottom / size.height);
    fputs("unset key; set tics nomirror scale 0\nset border 1 lc rgb \"#000009\"\n"
          "set grid xtics ytics lt 1 lw 0.6 lc rgb \"#000009\"\n",
          script);
}

const char *charts_dash(uint32_t slot)
{
    static const char *const dashes[CHARTS_SLOTS + 1] = {
        "", "", "", "dt (8,4)", "dt (2,4)", "", "dt (8,3,2,3)", "dt (4,3)", "dt (12,4)"};
    return slot <= CHARTS_SLOTS ? dashes[slot] : "";
}

/* -- Latency -------------------------------------------------------------------------------------
 */

static double cdf_ns(uint32_t point)
{
    return pow(10, 3 + 8.0 * point / (CDF_POINTS - 1));
}

/* 1 ms: 0; of n samples no share is nearer to 1 than 1 - 1/n. */
static double nines(const struct result_stage *stage, uint32_t point)
{
    double rest = 1 - (double)stage->cdf[point];
    double least = 1 / (double)(stage->count > 0 ? stage->count : 1);
    return fmin(NINES_MAX, -log10(fmax(rest, least)));
}

/* From the first point that any curve has left 0 to where all have come to the top. */
static void cdf_range(const struct charts_curve *curves, uint32_t count, double *from_ns,
                      double *until_ns)
{
    uint32_t first = CDF_POINTS;
    uint32_t last = 0;
    for (uint32_t c = 0; c < count; c++) {
        for (uint32_t i = 0; i < CDF_POINTS; i++) {
            if (curves[c].stage->cdf[i] > 0.02f && i < first) {
                first = i;
            }
            if ((double)curves[c].stage->cdf[i] < 0.9999 && i + 1 > last) {
                last = i + 1;
            }
        }
    }
    first = first == CDF_POINTS ? 0 : first;
    last = last >= CDF_POINTS ? CDF_POINTS - 1 : last <= first ? first + 1 : last;
    *from_ns = pow(10, floor(log10(cdf_ns(first) * 1.001)));
    double top = pow(10, ceil(log10(cdf_ns(last) * 0.999)));
    *until_ns = cdf_ns(last) < top * 0.3 ? top * 0.3 : top;
}

static void put_time_tics(FILE *script, double from_ns, double until_ns, bool narrow)
{
    char text[HUMANE_SIZE];
    const char *comma = "";
    double decades = log10(until_ns / from_ns);
    fputs("set xtics (", script);
    for (double ns = from_ns; ns <= until_ns * 1.001; ns *= 10) {
        fprintf(script, "%s'%s' %.6g", comma, humane_time(ns, text), ns);
        comma = ", ";
        if (ns * 3 <= until_ns * 1.001 && decades <= (narrow ? 3.1 : 4.1)) {
            fprintf(script, ", '%s' %.6g", humane_time(ns * 3, text), ns * 3);
        }
    }
    fputs(") tc rgb \"black\"\n", script);
}

static void put_curve_data(FILE *script, uint32_t index, const struct result_stage *stage)
{
    fprintf(script, "$C%u << EOD\n", index);
    for (uint32_t i = 0; i < CDF_POINTS; i++) {
        double now = nines(stage, i);
        bool starts = i + 1 < CDF_POINTS && stage->cdf[i + 1] > 0;
        if (stage->cdf[i] > 0 || starts) {
            fprintf(script, "%.6g %.4f\n", cdf_ns(i), now);
        }
        if (now >= NINES_MAX || (double)stage->cdf[i] >= 1) {
            break;
        }
    }
    fputs("EOD\n", script);
}

/* The whole nine above all curves. */
static double nines_top(const struct charts_curve *curves, uint32_t count)
{
    double top = 2;
    for (uint32_t c = 0; c < count; c++) {
        top = fmax(top, ceil(nines(curves[c].stage, CDF_POINTS - 1) - 0.1));
    }
    return fmin(top, NINES_MAX);
}

static void put_limit(FILE *script, double limit_ns, double limit_share, double until_ns,
                      bool narrow)
{
    if (limit_ns <= 0 || limit_ns >= until_ns) {
        return;
    }
    fprintf(script,
            "set object 1 rect from %.6g,0 to %.6g,%.4f fc rgb \"#000004\" fs solid 0.14 "
            "noborder behind\n"
            "set label 2 '%s' at %.6g,0.16 right offset -0.6,0 tc rgb \"#000004\"\n",
            limit_ns, until_ns, -log10(1 - limit_share),
            narrow ? "too slow" : "slower than claimed", until_ns);
}

/* The main curve's p99, as a dot with its figure, at its right, where there is no other curve. */
static void put_mark(FILE *script, const struct charts_curve *curve)
{
    char text[WORDS_SIZE];
    fprintf(script,
            "set label 3 'p99 %s' at %.6g,2 point pt 7 ps 0.7 lc rgb \"#00000%u\" "
            "left offset 0.9,-0.5 front tc rgb \"#00000%u\"\n",
            words_quantile(curve->stage, P99, text), curve->stage->quantile_ns[P99].value,
            curve->slot, curve->slot);
}

static bool is_marked(const struct charts_curve *curve)
{
    return curve->main && words_has_quantile(curve->stage, P99) &&
           curve->stage->quantile_ns[P99].value > 0;
}

char *charts_cdf(struct charts_size size, const struct charts_curve *curves, uint32_t count,
                 double limit_ns, double limit_share)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *script = open_memstream(&text, &bytes);
    double from_ns;
    double until_ns;
    if (script == NULL) {
        return NULL;
    }
    cdf_range(curves, count, &from_ns, &until_ns);
    until_ns = limit_ns > 0 ? fmax(until_ns, limit_ns * 1.5) : until_ns;
    for (uint32_t c = 0; c < count; c++) { /* Room for the mark's text. */
        bool tight = is_marked(&curves[c]) && curves[c].stage->quantile_ns[P99].value >
                                                  until_ns / (is_narrow(size) ? 12 : 6);
        until_ns *= tight ? 3 : 1;
    }
    put_margins(script, size, 62, 16, 34, 54);
    fprintf(script,
            "set logscale x; set xrange [%.6g:%.6g]; set yrange [0:%g]\n"
            "set ytics ('0%%%%' 0, '50%%%%' 0.30103, '90%%%%' 1, '99%%%%' 2, '99.9%%%%' 3, "
            "'99.99%%%%' 4) "
            "tc rgb \"black\"\n"
            "set xlabel 'latency, log scale' offset 0,0.4\n"
            "set label 1 'share of messages at least this fast' at screen %.5f, screen %.5f\n",
            from_ns, until_ns, nines_top(curves, count), 8.0 / size.width, 1 - 14.0 / size.height);
    put_time_tics(script, from_ns, until_ns, is_narrow(size));
    put_limit(script, limit_ns, limit_share, until_ns, is_narrow(size));
    for (uint32_t c = 0; c < count; c++) {
        put_curve_data(script, c, curves[c].stage);
        if (is_marked(&curves[c])) {
            put_mark(script, &curves[c]);
        }
    }
    for (uint32_t c = count; c-- > 0;) { /* The first is drawn last, on top. */
        fprintf(script, "%s $C%u with lines lw %s %s lc rgb \"#00000%u\"",
                c + 1 == count ? "plot" : ",", c, curves[c].main ? "3" : "2",
                charts_dash(curves[c].slot), curves[c].slot);
    }
    fputs(count > 0 ? "\n" : "plot NaN\n", script);
    return fclose(script) == 0 ? text : NULL;
}

/* -- Utilization ---------------------------------------------------------------------------------
 */

struct row {
    const struct result_tier *tier;
    const struct result_resource *resource;
    bool binds;
};

/* Sorted, the most used first; what is used by less than a thousandth says nothing. */
static uint32_t utilization_rows(const struct result *result, struct row rows[ROWS_MAX])
{
    uint32_t count = 0;
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
            const struct result_resource *resource = &result->tiers[t].resources[r];
            bool room = strcmp(resource->name, "disk_space") == 0 &&
                        resource->utilization_mean < WORDS_NEAR; /* It fills with days. */
            if (!resource->present || room || resource->utilization_mean < 0.001) {
                continue;
            }
            uint32_t at = count;
            while (at > 0 && rows[at - 1].resource->utilization_mean < resource->utilization_mean) {
                at--;
            }
            if (at == ROWS_MAX) {
                continue;
            }
            count = count < ROWS_MAX ? count + 1 : count;
            memmove(&rows[at + 1], &rows[at], (count - 1 - at) * sizeof *rows);
            rows[at] = (struct row){&result->tiers[t], resource,
                                    t == result->binding_tier && r == result->binding_resource};
        }
    }
    return count;
}

uint32_t charts_utilization_rows(const struct result *result)
{
    struct row rows[ROWS_MAX];
    return utilization_rows(result, rows);
}

static void put_rows(FILE *script, const struct row *rows, uint32_t count, double right)
{
    char name[WORDS_SIZE];
    fputs("$U << EOD\n", script);
    for (uint32_t i = 0; i < count; i++) {
        const struct result_resource *resource = rows[i].resource;
        bool full = resource->utilization_mean >= WORDS_FULL;
        bool near = resource->utilization_max >= WORDS_NEAR;
        const char *word = full ? "full" : rows[i].binds ? "binds first" : near ? "near" : "";
        snprintf(name, sizeof name, "%s, %s", words_tier(rows[i].tier->name, false),
                 words_resource(rows[i].tier, resource));
        char mean[HUMANE_SIZE];
        char max[HUMANE_SIZE];
        humane_percent(resource->utilization_mean, mean);
        humane_percent(resource->utilization_max, max);
        fprintf(script, "\"%s\" %.6g %.6g %d \"%s / %s  %s\" \"%s / %s\"\n", name,
                fmin(resource->utilization_mean, right), fmin(resource->utilization_max, right),
                full                    ? 4
                : rows[i].binds || near ? 2
                                        : 1,
                mean, max, word, mean, max);
    }
    fputs("EOD\n", script);
}

char *charts_utilization(struct charts_size size, const struct result *result)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *script = open_memstream(&text, &bytes);
    if (script == NULL) {
        return NULL;
    }
    struct row rows[ROWS_MAX];
    uint32_t count = utilization_rows(result, rows);
    bool narrow = is_narrow(size);
    const double right = 1.25;
    put_margins(script, size, narrow ? 168 : 212, narrow ? 84 : 158, 38, 52);
    put_rows(script, rows, count, right);
    fprintf(script,
            "set border 0; set errorbars 0.6; set xrange [0:%g]; set yrange [%u-0.4:-0.6]\n"
            "unset ytics; set xtics (%s) tc rgb \"black\"; set grid xtics\n"
            "set arrow 1 from 1,-0.6 to 1,%u-0.4 nohead lw 1.5 dt (6,4) lc rgb \"#000004\" front\n"
            "set label 1 'capacity' at 1,-0.6 center offset 0,0.7 tc rgb \"#000004\"\n"
            "set label 2 '%s' at %g,-0.6 left offset %s,0.7\n"
            "set xlabel 'share of capacity' offset 0,0.3\n",
            right, count,
            narrow ? "'0' 0, '50%%' 0.5" : "'0' 0, '25%%' 0.25, '50%%' 0.5, '75%%' 0.75", count,
            narrow ? "mean / max" : "mean / busiest node", right, narrow ? "-0.6" : "0.4");
    fputs("plot $U using (0):0:(0):2:($0-0.3):($0+0.3):4 with boxxyerror fs solid noborder "
          "lc rgb var, '' using 2:0:2:3 with xerrorbars pt 0 lw 1.5 lc rgb \"#000000\", "
          "'' using (0):0:1 with labels right offset -0.8,0, ",
          script);
    fprintf(script, "'' using (%g):0:%s with labels left offset 0.4,0\n", right,
            narrow ? "6" : "5");
    return fclose(script) == 0 ? text : NULL;
}
