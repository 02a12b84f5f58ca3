/* compare: two results, and whether the second is worse.
 *
 * A gate for CI: a baseline stands in the repository, a build runs the scenario again, and exit
 * status 3 says that something got worse than noise and the tolerance explain. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/compare.h"
#include "scenarios/commands.h"
#include "scenarios/judged.h"
#include "scenarios/units.h"

#define NAMES_MAX 64u

struct compare_options {
    const char *names[NAMES_MAX]; /* Metrics; argv's. */
    uint32_t name_count;          /* 0: all. */
    bool any_seed;
    double tolerance;
    bool any_plan;
    bool all;
    bool quiet;
    const char *base;
    const char *next;
};

static const char usage[] =
    "Usage: chatscale compare BASE NEW [OPTION]...\n"
    "Compares two result.json: which figures changed by more than the tolerance, and not by "
    "chance.\n"
    "\n"
    "      --metric NAME      only that one (may be repeated): fewer figures, narrower intervals\n"
    "      --tolerance SHARE  changes up to that are none; 5% if not given\n"
    "      --any-plan         the scenarios may differ: two designs instead of two builds\n"
    "      --any-seed         the seeds may differ: not paired, and their luck is not taken out\n"
    "      --all              lists what did not change, too\n"
    "  -q, --quiet            prints nothing but errors\n"
    "  -h, --help             prints this\n"
    "\n"
    "Runs are paired batch by batch, which finds far smaller changes. Intervals hold all together\n"
    "with 95%. Figures without one are listed where they differ, and never called changed.\n"
    "Exit status: 0 nothing got worse, 3 something did, 2 bad input, or what can't be compared.\n";

static bool read_tolerance(const char *text, double *tolerance)
{
    struct units_value value;
    if (units_parse(UNITS_SHARE, text, &value) != UNITS_OK) {
        fprintf(stderr, "chatscale compare: --tolerance takes a share, like 5%%, not \"%s\"\n",
                text);
        return false;
    }
    *tolerance = value.real;
    return true;
}

static bool read_name(const char *text, struct compare_options *options)
{
    char near[METRIC_NAME_SIZE];
    if (metric_find(text) != UINT32_MAX && options->name_count < NAMES_MAX) {
        options->names[options->name_count++] = text;
        return true;
    }
    const char *nearest = judged_nearest_metric(text, near, sizeof near);
    fprintf(stderr, "chatscale compare: no metric \"%.60s\"%s%s%s\n", text,
            nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
            nearest == NULL ? "" : "?");
    return false;
}

/* Returns -1 to go on, or the exit status. */
static int read_options(int argc, char **argv, struct compare_options *options)
{
    static const struct option known[] = {
        {"metric", required_argument, NULL, 'm'},
        {"any-seed", no_argument, NULL, 's'},
        {"tolerance", required_argument, NULL, 't'},
        {"any-plan", no_argument, NULL, 'p'},
        {"all", no_argument, NULL, 'a'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    bool good = true;
    *options = (struct compare_options){.tolerance = 0.05};
    optind = 0; /* Another command may have read its options before. */
    while (good && (option = getopt_long(argc, argv, "qh", known, NULL)) != -1) {
        switch (option) {
        case 't':
            good = read_tolerance(optarg, &options->tolerance);
            break;
        case 'm':
            good = read_name(optarg, options);
            break;
        case 's':
            options->any_seed = true;
            break;
        case 'p':
            options->any_plan = true;
            break;
        case 'a':
            options->all = true;
            break;
        case 'q':
            options->quiet = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return fflush(stdout) == 0 ? EXIT_SUCCESS : COMMAND_OTHER;
        default:
            good = false;
        }
    }
    if (!good || argc - optind != 2) {
        fputs(good ? "chatscale compare: two results, BASE and NEW\n" : "", stderr);
        fputs("Try `chatscale compare --help`.\n", stderr);
        return COMMAND_INPUT;
    }
    options->base = argv[optind];
    options->next = argv[optind + 1];
    return -1;
}

/* -- The table -----------------------------------------------------------------------------------
 */

static enum metric_unit unit_of(const struct result_read_metric *metric)
{
    uint32_t index = metric_find(metric->name);
    return index == UINT32_MAX ? METRIC_FACTOR : metric_at(index).unit;
}

static void put_line(const struct compare_line *line)
{
    static const char *const words[] = {"same", "better", "WORSE", "differs", "no interval"};
    char before[METRIC_TEXT_SIZE];
    char after[METRIC_TEXT_SIZE];
    char effect[32] = "-";
    char interval[64] = "-";
    enum metric_unit unit = unit_of(line->base);
    if (isfinite(line->effect)) {
        snprintf(effect, sizeof effect, "%+.1f%%", line->effect * 100);
    }
    if (!isnan(line->low) && line->base->value.value != 0) {
        double scale = 100 / fabs(line->base->value.value);
        snprintf(interval, sizeof interval, "%+.1f%% to %+.1f%%", line->low * scale,
                 line->high * scale);
    }
    printf("%-11s  %-28s %10s %10s  %9s  %s\n", words[line->change], line->base->name,
           metric_text(unit, line->base->value.value, before),
           metric_text(unit, line->next->value.value, after), effect, interval);
}

static void show(const struct compare *compare, const struct compare_options *options,
                 const struct result_read *base)
{
    static const enum compare_change order[] = {COMPARE_WORSE, COMPARE_BETTER, COMPARE_DIFFERENT,
                                                COMPARE_UNSURE, COMPARE_SAME};
    char tolerance[METRIC_TEXT_SIZE];
    printf("%s%s%s: %u worse, %u better, of %u figures; tolerance %s, %s\n", base->scenario,
           base->variant[0] == '\0' ? "" : " / ", base->variant, compare->worse_count,
           compare->better_count, compare->line_count,
           metric_text(METRIC_SHARE, options->tolerance, tolerance),
           compare->paired ? "paired by seed" : "not paired: the seeds differ");
    bool any = false;
    for (size_t o = 0; o < sizeof order / sizeof *order; o++) {
        for (uint32_t i = 0; i < compare->line_count; i++) {
            const struct compare_line *line = &compare->lines[i];
            if (line->change != order[o] || (line->change == COMPARE_SAME && !options->all)) {
                continue;
            }
            if (!any) {
                printf("\n%-11s  %-28s %10s %10s  %9s  %s\n", "", "", "base", "new", "change",
                       "interval");
            }
            any = true;
            put_line(line);
        }
    }
}

/* -- The command ---------------------------------------------------------------------------------
 */

static bool read_one(const char *path, struct result_read *result)
{
    char why[256];
    if (result_read(path, result, why, sizeof why)) {
        return true;
    }
    fprintf(stderr, "chatscale compare: %s: %s\n", path, why);
    return false;
}

static int compare_files(const struct compare_options *options, struct result_read *base,
                         struct result_read *next, struct compare *compare)
{
    char why[256];
    bool good = read_one(options->base, base);
    good = read_one(options->next, next) && good;
    if (!good) {
        return COMMAND_INPUT;
    }
    if (!compare_allowed(base, next, options->any_plan, options->any_seed, why, sizeof why)) {
        fprintf(stderr, "chatscale compare: %s and %s can't be compared: %s\n", options->base,
                options->next, why);
        return COMMAND_INPUT;
    }
    compare_results(base, next, options->names, options->name_count, options->tolerance, compare);
    if (!options->quiet) {
        show(compare, options, base);
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return COMMAND_OTHER;
    }
    return compare->worse_count > 0 ? COMMAND_BUDGET : EXIT_SUCCESS;
}

int command_compare(int argc, char **argv)
{
    struct compare_options options;
    int status = read_options(argc, argv, &options);
    if (status >= 0) {
        return status;
    }
    struct result_read *results = calloc(2, sizeof *results);
    struct compare *compare = calloc(1, sizeof *compare);
    status = results == NULL || compare == NULL
                 ? COMMAND_OTHER
                 : compare_files(&options, &results[0], &results[1], compare);
    free(results);
    free(compare);
    return status;
}
