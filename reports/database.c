#include "reports/database.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "reports/budget.h"
#include "reports/metric.h"
#include "reports/verdict.h"
#include "reports/version.h"

#define APPLICATION_ID 0x43485343 /* "CHSC" */
#define BUSY_MS 30000

struct database {
    sqlite3 *sqlite;
    char path[4096];
};

static const char tables[] =
    "CREATE TABLE runs("
    " id INTEGER PRIMARY KEY, started_unix_s INTEGER NOT NULL, chatscale TEXT NOT NULL,"
    " scenario TEXT NOT NULL, variant TEXT NOT NULL, level INTEGER NOT NULL, hash TEXT NOT NULL,"
    " seed TEXT NOT NULL, fraction REAL NOT NULL, partial INTEGER NOT NULL,"
    " overloaded INTEGER NOT NULL, violations INTEGER NOT NULL, claims INTEGER NOT NULL,"
    " claims_failed INTEGER NOT NULL, budgets INTEGER NOT NULL, budgets_failed INTEGER NOT NULL,"
    " verdict TEXT NOT NULL, repeat TEXT NOT NULL, folder TEXT NOT NULL, wall_s REAL NOT NULL"
    ") STRICT;"
    "CREATE INDEX runs_started ON runs(started_unix_s);"
    "CREATE TABLE metrics("
    " run INTEGER NOT NULL REFERENCES runs(id), name TEXT NOT NULL, value REAL NOT NULL,"
    " low REAL, high REAL, unit TEXT NOT NULL, PRIMARY KEY(run, name)"
    ") STRICT, WITHOUT ROWID;";

/* -- Opening -------------------------------------------------------------------------------------
 */

static enum database_err complain(const char *path, enum database_err err, const char *what,
                                  char *error)
{
    snprintf(error, DATABASE_ERROR_SIZE, "%.400s: %.400s", path, what);
    return err;
}

static enum database_err failed(struct database *database, char *error)
{
    int code = sqlite3_errcode(database->sqlite) & 0xff;
    bool damaged = code == SQLITE_NOTADB || code == SQLITE_CORRUPT;
    char what[512];
    snprintf(what, sizeof what, "%s%s",
             code == SQLITE_NOTADB    ? "it is no SQLite database"
             : code == SQLITE_CORRUPT ? "the database is damaged or cut short"
                                      : sqlite3_errmsg(database->sqlite),
             damaged ? "; remedy: another --db FILE, or move this one away" : "");
    return complain(database->path, damaged ? DATABASE_ERR_FOREIGN : DATABASE_ERR_OTHER, what,
                    error);
}

static bool run_sql(struct database *database, const char *sql)
{
    return sqlite3_exec(database->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* The one number, or text's number, that the statement gives. false: it fails. */
static bool read_number(struct database *database, const char *sql, int64_t *number)
{
    sqlite3_stmt *statement;
    bool good = sqlite3_prepare_v2(database->sqlite, sql, -1, &statement, NULL) == SQLITE_OK;
    good = good && sqlite3_step(statement) == SQLITE_ROW;
    if (good) {
        *number = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return good;
}

/* Whether it is ours. `empty`: it has no tables, so it can become ours. */
static enum database_err identify(struct database *database, bool *empty, char *error)
{
    int64_t application;
    int64_t version;
    int64_t count;
    int64_t sound;
    if (!read_number(database, "PRAGMA application_id", &application) ||
        !read_number(database, "PRAGMA user_version", &version) ||
        !read_number(database, "SELECT count(*) FROM sqlite_schema", &count) ||
        !read_number(database, "SELECT quick_check = 'ok' FROM pragma_quick_check(1)", &sound)) {
        return failed(database, error);
    }
    *empty = count == 0 && application == 0 && version == 0;
    char what[256];
    if (!*empty && application != APPLICATION_ID) {
        return complain(database->path, DATABASE_ERR_FOREIGN,
                        "it is a database of another program; remedy: another --db FILE", error);
    }
    if (!*empty && version != DATABASE_VERSION) {
        snprintf(what, sizeof what,
                 "it is a run database of version %" PRId64 ", and chatscale " CHATSCALE_VERSION
                 " has version %d; remedy: another --db FILE, or the chatscale that made it",
                 version, DATABASE_VERSION);
        return complain(database->path, DATABASE_ERR_FOREIGN, what, error);
    }
    if (sound != 1) {
        return complain(database->path, DATABASE_ERR_FOREIGN,
                        "the database is damaged or cut short; remedy: another --db FILE, or move "
                        "this one away",
                        error);
    }
    return DATABASE_OK;
}

/* Two processes may find it empty at the same time; the second finds it made. */
static enum database_err make_tables(struct database *database, char *error)
{
    bool empty = false;
    char pragmas[128];
    snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             APPLICATION_ID, DATABASE_VERSION);
    if (!run_sql(database, "BEGIN IMMEDIATE")) {
        return failed(database, error);
    }
    enum database_err err = identify(database, &empty, error);
    if (err == DATABASE_OK && empty &&
        (!run_sql(database, tables) || !run_sql(database, pragmas))) {
        err = failed(database, error);
    }
    if (!run_sql(database, err == DATABASE_OK ? "COMMIT" : "ROLLBACK") && err == DATABASE_OK) {
        err = failed(database, error);
    }
    return err;
}

static enum database_err open_file(struct database *database, bool write, char *error)
{
    struct stat info;
    int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    bool there = stat(database->path, &info) == 0;
    if (!there && !write) {
        return complain(database->path, DATABASE_ERR_NONE, strerror(errno), error);
    }
    if (there && !S_ISREG(info.st_mode)) {
        return complain(database->path, DATABASE_ERR_OTHER, "it is no file", error);
    }
    if (sqlite3_open_v2(database->path, &database->sqlite, flags, NULL) != SQLITE_OK) {
        return failed(database, error);
    }
    sqlite3_busy_timeout(database->sqlite, BUSY_MS);
    bool empty = false;
    enum database_err err = identify(database, &empty, error);
    if (err == DATABASE_OK && empty && !write) {
        return complain(database->path, DATABASE_ERR_FOREIGN,
                        "it is empty, no run database; remedy: another --db FILE", error);
    }
    if (err == DATABASE_OK && write) {
        err = make_tables(database, error);
    }
    return err;
}

enum database_err database_open(const char *path, bool write, struct database **database,
                                char *error)
{
    struct database *made = calloc(1, sizeof *made);
    *database = NULL;
    if (made == NULL || strlen(path) >= sizeof made->path) {
        free(made);
        return complain(path, DATABASE_ERR_OTHER, "no memory left, or the path is too long", error);
    }
    memcpy(made->path, path, strlen(path));
    enum database_err err = open_file(made, write, error);
    if (err != DATABASE_OK) {
        database_close(made);
        return err;
    }
    *database = made;
    return DATABASE_OK;
}

void database_close(struct database *database)
{
    if (database != NULL) {
        sqlite3_close(database->sqlite);
        free(database);
    }
}

/* -- Adding --------------------------------------------------------------------------------------
 */

static uint32_t claims_failed(const struct report_variant *variant)
{
    uint32_t count = 0;
    for (uint32_t i = 0; variant->facts.verdicts != NULL && i < variant->facts.verdicts->count;
         i++) {
        count += variant->facts.verdicts->list[i].status == VERDICT_FAILS;
    }
    return count;
}

/* The worst that can be said of it, in few words. */
static void say_verdict(const struct report_variant *variant, char *text, size_t size)
{
    const struct result *result = variant->result;
    uint32_t breached = variant->facts.budgets == NULL ? 0 : variant->facts.budgets->failed;
    uint32_t failed_claims = claims_failed(variant);
    if (result->partial) {
        snprintf(text, size, "partial");
    } else if (result->violation_count > 0) {
        snprintf(text, size, "guarantees broken");
    } else if (breached > 0) {
        snprintf(text, size, "%u budget%s breached", breached, breached == 1 ? "" : "s");
    } else if (result->overloaded) {
        snprintf(text, size, "overloaded");
    } else if (failed_claims > 0) {
        snprintf(text, size, "%u claim%s failed", failed_claims, failed_claims == 1 ? "" : "s");
    } else {
        snprintf(text, size, "ok");
    }
}

static void bind_text(sqlite3_stmt *statement, int column, const char *text)
{
    sqlite3_bind_text(statement, column, text == NULL ? "" : text, -1, SQLITE_TRANSIENT);
}

static void bind_run(sqlite3_stmt *statement, const struct report_variant *variant,
                     const char *where)
{
    const struct result *result = variant->result;
    const struct plan *plan = result->plan;
    char hash[24];
    char seed[24];
    char verdict[64];
    snprintf(hash, sizeof hash, "%016" PRIx64, variant->facts.plan_hash);
    snprintf(seed, sizeof seed, "%" PRIu64, plan->run.seed);
    say_verdict(variant, verdict, sizeof verdict);
    int c = 1;
    sqlite3_bind_int64(statement, c++, (int64_t)variant->facts.started_unix_s);
    bind_text(statement, c++, CHATSCALE_VERSION);
    bind_text(statement, c++, plan->name);
    bind_text(statement, c++, plan->variant);
    sqlite3_bind_int64(statement, c++, plan->level);
    bind_text(statement, c++, hash);
    bind_text(statement, c++, seed);
    sqlite3_bind_double(statement, c++, result->fraction);
    sqlite3_bind_int64(statement, c++, result->partial);
    sqlite3_bind_int64(statement, c++, result->overloaded);
    sqlite3_bind_int64(statement, c++, (int64_t)result->violation_count);
    sqlite3_bind_int64(statement, c++,
                       variant->facts.verdicts == NULL ? 0 : variant->facts.verdicts->count);
    sqlite3_bind_int64(statement, c++, claims_failed(variant));
    sqlite3_bind_int64(statement, c++,
                       variant->facts.budgets == NULL ? 0 : variant->facts.budgets->count);
    sqlite3_bind_int64(statement, c++,
                       variant->facts.budgets == NULL ? 0 : variant->facts.budgets->failed);
    bind_text(statement, c++, verdict);
    bind_text(statement, c++, variant->facts.repeat);
    bind_text(statement, c++, where);
    sqlite3_bind_double(statement, c++, result->host.wall_s);
}

static bool add_metrics(struct database *database, int64_t run, const struct result *result)
{
    sqlite3_stmt *statement;
    bool good = sqlite3_prepare_v2(database->sqlite, "INSERT INTO metrics VALUES(?,?,?,?,?,?)", -1,
                                   &statement, NULL) == SQLITE_OK;
    for (uint32_t i = 0; good && i < metric_count(); i++) {
        struct result_estimate estimate;
        struct metric metric = metric_at(i);
        if (!metric_value(result, i, &estimate) || !isfinite(estimate.value)) {
            continue;
        }
        sqlite3_bind_int64(statement, 1, run);
        bind_text(statement, 2, metric.name);
        sqlite3_bind_double(statement, 3, estimate.value);
        if (estimate.known) {
            sqlite3_bind_double(statement, 4, estimate.low);
            sqlite3_bind_double(statement, 5, estimate.high);
        }
        bind_text(statement, 6, metric_unit_name(metric.unit));
        good = sqlite3_step(statement) == SQLITE_DONE;
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
    }
    sqlite3_finalize(statement);
    return good;
}

static bool add_one(struct database *database, const struct report_variant *variant,
                    const char *where)
{
    static const char insert[] =
        "INSERT INTO runs(started_unix_s, chatscale, scenario, variant, level, hash, seed, "
        "fraction,"
        " partial, overloaded, violations, claims, claims_failed, budgets, budgets_failed, verdict,"
        " repeat, folder, wall_s) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
    sqlite3_stmt *statement;
    bool good = sqlite3_prepare_v2(database->sqlite, insert, -1, &statement, NULL) == SQLITE_OK;
    if (good) {
        bind_run(statement, variant, where);
        good = sqlite3_step(statement) == SQLITE_DONE;
    }
    sqlite3_finalize(statement);
    return good &&
           add_metrics(database, sqlite3_last_insert_rowid(database->sqlite), variant->result);
}

enum database_err database_add(struct database *database, const struct report *report,
                               const char *where, char *error)
{
    bool good = run_sql(database, "BEGIN IMMEDIATE");
    for (uint32_t v = 0; good && v < report->variant_count; v++) {
        good = add_one(database, &report->variants[v], where);
    }
    good = good && run_sql(database, "COMMIT");
    if (!good) {
        enum database_err err = failed(database, error);
        (void)run_sql(database, "ROLLBACK");
        return err;
    }
    return DATABASE_OK;
}

/* -- Listing -------------------------------------------------------------------------------------
 */

static double column_real(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL
               ? NAN
               : sqlite3_column_double(statement, column);
}

static const char *column_text(sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    return text == NULL ? "" : (const char *)text;
}

static struct database_run row_of(sqlite3_stmt *statement)
{
    return (struct database_run){
        .id = (uint64_t)sqlite3_column_int64(statement, 0),
        .started_unix_s = (uint64_t)sqlite3_column_int64(statement, 1),
        .scenario = column_text(statement, 2),
        .variant = column_text(statement, 3),
        .seed = column_text(statement, 4),
        .hash = column_text(statement, 5),
        .verdict = column_text(statement, 6),
        .where = column_text(statement, 7),
        .value = column_real(statement, 8),
        .low = column_real(statement, 9),
        .high = column_real(statement, 10),
    };
}

enum database_err database_list(struct database *database, const struct database_filter *filter,
                                void (*visit)(const struct database_run *run, void *context),
                                void *context, char *error)
{
    static const char select[] =
        "SELECT * FROM (SELECT r.id, r.started_unix_s, r.scenario, r.variant, r.seed, r.hash,"
        " r.verdict, r.folder, m.value, m.low, m.high FROM runs r"
        " LEFT JOIN metrics m ON m.run = r.id AND m.name = ?1"
        " WHERE (?2 = '' OR r.scenario = ?2) AND r.started_unix_s >= ?3"
        " AND (?4 = 0 OR m.value IS NOT NULL)"
        " ORDER BY r.started_unix_s DESC, r.id DESC LIMIT ?5)"
        " ORDER BY started_unix_s, id";
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(database->sqlite, select, -1, &statement, NULL) != SQLITE_OK) {
        return failed(database, error);
    }
    bind_text(statement, 1, filter->metric == NULL ? "delivery.p99" : filter->metric);
    bind_text(statement, 2, filter->scenario);
    sqlite3_bind_int64(statement, 3, (int64_t)filter->since_unix_s);
    sqlite3_bind_int64(statement, 4, filter->metric != NULL);
    sqlite3_bind_int64(statement, 5, filter->limit == 0 ? INT64_MAX : filter->limit);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct database_run run = row_of(statement);
        visit(&run, context);
    }
    enum database_err err = code == SQLITE_DONE ? DATABASE_OK : failed(database, error);
    sqlite3_finalize(statement);
    return err;
}
