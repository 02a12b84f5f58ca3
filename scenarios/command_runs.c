/* runs: what the database of runs holds, and how a metric went from run to run. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reports/database.h"
#include "reports/metric.h"
#include "scenarios/commands.h"
#include "scenarios/nearest.h"
#include "scenarios/run_database.h"
#include "scenarios/units.h"

#define BAR_COLUMNS 24
#define LIMIT 20u

struct runs_options {
    const char *database; /* NULL: the usual one. */
    struct database_filter filter;
};

static const char usage[] =
    "Usage: chatscale runs [OPTION]...\n"
    "Lists the runs in the database that `chatscale run --out` adds to, the latest last.\n"
    "\n"
    "      --db FILE        another database; else $XDG_DATA_HOME/chatscale/runs.db, or\n"
    "                       ~/.local/share/chatscale/runs.db\n"
    "      --scenario NAME  only runs of that scenario\n"
    "      --since WHEN     only runs begun since a day (2026-11-01) or within a time (\"7 d\")\n"
    "      --metric NAME    how a metric went: its figure, interval, and change from run to run\n"
    "  -n, --limit N        the latest N; 20 without this, 0 for all\n"
    "  -h, --help           prints this\n"
    "\n"
    "Exit status: 0; 2 bad input or usage, a database that is no run database included; 1 "
    "otherwise.\n";

/* -- Options -------------------------------------------------------------------------------------
 */

static bool read_since(const char *text, uint64_t *since_unix_s)
{
    struct tm day = {0};
    struct units_value value;
    const char *end = strptime(text, "%Y-%m-%d", &day);
    if (end != NULL && *end == '\0') {
        *since_unix_s = (uint64_t)timegm(&day);
        return true;
    }
    if (units_parse(UNITS_DURATION, text, &value) == UNITS_OK) {
        uint64_t now = (uint64_t)time(NULL);
        uint64_t span = value.whole / UINT64_C(1000000000);
        *since_unix_s = span < now ? now - span : 0;
        return true;
    }
    fprintf(stderr,
            "chatscale runs: --since takes a day, 2026-11-01, or a time, \"7 d\"; not \"%s\"\n",
            text);
    return false;
}

static bool read_metric(const char *text, struct database_filter *filter)
{
    filter->metric = text;
    if (metric_find(text) != UINT32_MAX) {
        return true;
    }
    char near[METRIC_NAME_SIZE] = "";
    uint32_t least = nearest_limit(text) + 1;
    for (uint32_t i = 0; i < metric_count(); i++) {
        struct metric metric = metric_at(i);
        uint32_t distance = nearest_distance(text, metric.name);
        if (distance < least) {
            least = distance;
            snprintf(near, sizeof near, "%s", metric.name);
        }
    }
    fprintf(stderr, "chatscale runs: there is no metric \"%.64s\"%s%s%s\n", text,
            near[0] == '\0' ? "" : "; did you mean ", near, near[0] == '\0' ? "" : "?");
    return false;
}

static bool read_limit(const char *text, uint32_t *limit)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number > UINT32_MAX) {
        fprintf(stderr, "chatscale runs: --limit takes a whole number, not \"%s\"\n", text);
        return false;
    }
    *limit = (uint32_t)number;
    return true;
}

static bool read_option(int option, const char *text, struct runs_options *options)
{
    switch (option) {
    case 'd':
        options->database = text;
        return true;
    case 's':
        options->filter.scenario = text;
        return true;
    case 't':
        return read_since(text, &options->filter.since_unix_s);
    case 'm':
        return read_metric(text, &options->filter);
    case 'n':
        return read_limit(text, &options->filter.limit);
    default:
        return false; /* getopt has said why. */
    }
}

/* Returns -1 to go on, or the exit status. */
static int read_options(int argc, char **argv, struct runs_options *options)
{
    static const struct option known[] = {
        {"db", required_argument, NULL, 'd'},
        {"scenario", required_argument, NULL, 's'},
        {"since", required_argument, NULL, 't'},
        {"metric", required_argument, NULL, 'm'},
        {"limit", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    optind = 0; /* Another command may have read its options before. */
    while ((option = getopt_long(argc, argv, "n:h", known, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return fflush(stdout) == 0 ? EXIT_SUCCESS : COMMAND_OTHER;
        }
        if (!read_option(option, optarg, options)) {
            fputs("Try `chatscale runs --help`.\n", stderr);
            return COMMAND_INPUT;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "chatscale runs: what is \"%s\"? Try `chatscale runs --help`.\n",
                argv[optind]);
        return COMMAND_INPUT;
    }
    return -1;
}

/* -- Rows ----------------------------------------------------------------------------------------
 */

/* A row is kept until all are known, since bars need the largest figure. */
struct row {
    uint64_t id;
    char when[32];
    char name[2 * PLAN_NAME_SIZE];
    char seed[24];
    char hash[24];
    char verdict[32];
    double value;
    double low;
    double high;
};

struct rows {
    struct row *list;
    size_t count;
    bool full; /* Memory was short. */
};

/* What a terminal would obey is not shown. */
static void clean(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == 0x7f) {
            *text = '?';
        }
    }
}

static void keep(const struct database_run *run, void *context)
{
    struct rows *rows = context;
    struct row *list = realloc(rows->list, (rows->count + 1) * sizeof *list);
    if (list == NULL) {
        rows->full = true;
        return;
    }
    rows->list = list;
    struct row *row = &list[rows->count++];
    time_t started = (time_t)run->started_unix_s;
    struct tm utc;
    *row = (struct row){
        .id = run->id, .when = "-", .value = run->value, .low = run->low, .high = run->high};
    if (gmtime_r(&started, &utc) != NULL) {
        strftime(row->when, sizeof row->when, "%Y-%m-%d %H:%M", &utc);
    }
    snprintf(row->name, sizeof row->name, "%.60s%s%.60s", run->scenario,
             run->variant[0] == '\0' ? "" : "/", run->variant);
    snprintf(row->seed, sizeof row->seed, "%.20s", run->seed);
    snprintf(row->hash, sizeof row->hash, "%.8s", run->hash);
    snprintf(row->verdict, sizeof row->verdict, "%.30s", run->verdict);
    clean(row->name);
    clean(row->verdict);
}

static int name_columns(const struct rows *rows)
{
    size_t columns = strlen("scenario");
    for (size_t i = 0; i < rows->count; i++) {
        size_t length = strlen(rows->list[i].name);
        columns = length > columns ? length : columns;
    }
    return columns > 40 ? 40 : (int)columns;
}

static void show_list(const struct rows *rows)
{
    int columns = name_columns(rows);
    char value[METRIC_TEXT_SIZE];
    printf("%5s  %-16s  %-*s  %-8s  %-10s  %12s  %s\n", "run", "started, UTC", columns, "scenario",
           "hash", "seed", "delivery.p99", "verdict");
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->list[i];
        printf("%5" PRIu64 "  %-16s  %-*.*s  %-8s  %-10.10s  %12s  %s\n", row->id, row->when,
               columns, columns, row->name, row->hash, row->seed,
               isfinite(row->value) ? metric_text(METRIC_TIME, row->value, value) : "-",
               row->verdict);
    }
}

/* The run before it of the same scenario and variant; NULL: none. */
static const struct row *before(const struct rows *rows, size_t index)
{
    for (size_t i = index; i-- > 0;) {
        if (strcmp(rows->list[i].name, rows->list[index].name) == 0) {
            return &rows->list[i];
        }
    }
    return NULL;
}

static void show_trend_row(const struct rows *rows, size_t index, enum metric_unit unit,
                           double most, int columns)
{
    const struct row *row = &rows->list[index];
    const struct row *last = before(rows, index);
    char value[METRIC_TEXT_SIZE];
    char low[METRIC_TEXT_SIZE];
    char high[METRIC_TEXT_SIZE];
    char interval[2 * METRIC_TEXT_SIZE + 8] = "-";
    char change[24] = "";
    if (isfinite(row->low)) {
        snprintf(interval, sizeof interval, "%s to %s", metric_text(unit, row->low, low),
                 metric_text(unit, row->high, high));
    }
    if (last != NULL && last->value != 0) {
        snprintf(change, sizeof change, "%+.1f%%", (row->value / last->value - 1) * 100);
    }
    int bar = most > 0 && row->value > 0 ? (int)lround(row->value / most * BAR_COLUMNS) : 0;
    printf("%5" PRIu64 "  %-16s  %-*.*s  %-8s  %10s  %-24s  %9s  %.*s\n", row->id, row->when,
           columns, columns, row->name, row->hash, metric_text(unit, row->value, value), interval,
           change, bar, "########################");
}

static void show_trend(const struct rows *rows, const char *name)
{
    struct metric metric = metric_at(metric_find(name));
    double most = 0;
    for (size_t i = 0; i < rows->count; i++) {
        most = fmax(most, rows->list[i].value);
    }
    int columns = name_columns(rows);
    printf("%s: %s\n%5s  %-16s  %-*s  %-8s  %10s  %-24s  %9s\n", metric.name, metric.about, "run",
           "started, UTC", columns, "scenario", "hash", "value", "95% interval", "change");
    for (size_t i = 0; i < rows->count; i++) {
        show_trend_row(rows, i, metric.unit, most, columns);
    }
}

/* -- The command ---------------------------------------------------------------------------------
 */

static int list_runs(struct database *database, const struct runs_options *options)
{
    struct rows rows = {0};
    char error[DATABASE_ERROR_SIZE];
    enum database_err err = database_list(database, &options->filter, keep, &rows, error);
    if (err != DATABASE_OK || rows.full) {
        fprintf(stderr, "chatscale runs: %s\n", rows.full ? "no memory left" : error);
        free(rows.list);
        return err == DATABASE_ERR_FOREIGN ? COMMAND_INPUT : COMMAND_OTHER;
    }
    if (rows.count == 0) {
        fputs("chatscale runs: no run fits\n", stderr);
    } else if (options->filter.metric != NULL) {
        show_trend(&rows, options->filter.metric);
    } else {
        show_list(&rows);
    }
    free(rows.list);
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : COMMAND_OTHER;
}

int command_runs(int argc, char **argv)
{
    struct runs_options options = {.filter = {.limit = LIMIT}};
    char path[RUN_DATABASE_PATH_SIZE];
    char error[DATABASE_ERROR_SIZE];
    struct database *database;
    int status = read_options(argc, argv, &options);
    if (status >= 0) {
        return status;
    }
    if (options.database == NULL && !run_database_path(path)) {
        fputs("chatscale runs: neither XDG_DATA_HOME nor HOME is set; which --db FILE?\n", stderr);
        return COMMAND_INPUT;
    }
    enum database_err err =
        database_open(options.database == NULL ? path : options.database, false, &database, error);
    if (err == DATABASE_ERR_NONE && options.database == NULL) {
        fprintf(stderr, "chatscale runs: no runs yet: %s\n", error);
        return EXIT_SUCCESS;
    }
    if (err != DATABASE_OK) {
        fprintf(stderr, "chatscale runs: %s\n", error);
        return err == DATABASE_ERR_OTHER ? COMMAND_OTHER : COMMAND_INPUT;
    }
    status = list_runs(database, &options);
    database_close(database);
    return status;
}
