/* The database of runs: a row for each result, with all its metrics, in one SQLite file, so that a
 * trend can be shown.
 *
 *     runs(id, started, scenario, variant, ...) 1 --- n metrics(run, name, value, low, high, unit)
 *
 * The file says by its application id that it is ours, and by its user version which tables it has;
 * any other is refused, and so is one that is damaged. Nothing is ever changed in a row that is
 * there. Any number of processes may add and read at the same time: each addition is one
 * transaction, and waits up to half a minute for its turn. */
#ifndef REPORTS_DATABASE_H
#define REPORTS_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

#include "reports/report.h"

#define DATABASE_ERROR_SIZE 1024u
#define DATABASE_VERSION 1

struct database;

enum database_err {
    DATABASE_OK = 0,
    DATABASE_ERR_NONE = -1,    /* There is no such file, and it was to be read. */
    DATABASE_ERR_FOREIGN = -2, /* No database of ours, another version, or damaged. */
    DATABASE_ERR_OTHER = -3,   /* It can't be opened, read or written, or memory is short. */
};

/* Opens the file; to write, makes it where it is missing or empty. On an error nothing is open, and
 * `error` (DATABASE_ERROR_SIZE) says why, with the remedy. */
enum database_err database_open(const char *path, bool write, struct database **database,
                                char *error);
void database_close(struct database *database); /* NULL: nothing to do. */

/* Adds all results of a run, or none. `where` is the directory of its files; NULL: none. */
enum database_err database_add(struct database *database, const struct report *report,
                               const char *where, char *error);

/* What to list; zero: everything. */
struct database_filter {
    const char *scenario;  /* Its name. */
    uint64_t since_unix_s; /* Begun no earlier. */
    uint32_t limit;        /* Only the latest so many. */
    const char *metric;    /* Only runs that have it, with its figure. */
};

/* Texts are borrowed for the call. */
struct database_run {
    uint64_t id;
    uint64_t started_unix_s;
    const char *scenario;
    const char *variant; /* "" for none. */
    const char *seed;
    const char *hash;    /* Of the scenario: figures of the same are of the same question. */
    const char *verdict; /* "ok", "overloaded", "partial", "2 budgets breached", ... */
    const char *where;   /* Directory; "" for none. */
    double value;        /* Of the filter's metric, or else of delivery.p99; NAN: it has none. */
    double low;          /* NAN: no interval. */
    double high;
};

/* Calls `visit` for each run, the oldest first. */
enum database_err database_list(struct database *database, const struct database_filter *filter,
                                void (*visit)(const struct database_run *run, void *context),
                                void *context, char *error);

#endif
