#include "reports/database.h"

#include <math.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/test_result.h"

#define ADDERS 8

struct bed {
    struct result *result;
    char folder[64];
    char path[128];
    char error[DATABASE_ERROR_SIZE];
};

static int bed_setup(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    void *result = NULL;
    assert_non_null(bed);
    assert_int_equal(made_setup(&result), 0);
    bed->result = result;
    snprintf(bed->folder, sizeof bed->folder, "/tmp/chatscale-database-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    snprintf(bed->path, sizeof bed->path, "%s/runs.db", bed->folder);
    *state = bed;
    return 0;
}

static int bed_teardown(void **state)
{
    struct bed *bed = *state;
    void *result = bed->result;
    unlink(bed->path);
    rmdir(bed->folder);
    made_teardown(&result);
    free(bed);
    return 0;
}

static enum database_err add(struct bed *bed, uint64_t started_unix_s)
{
    struct database *database;
    const struct report_variant variant = {
        .result = bed->result,
        .title = "made-up/sticky",
        .facts = {.plan_hash = 0xabc, .started_unix_s = started_unix_s, .repeat = "chatscale run"},
    };
    const struct report report = {&variant, 1};
    enum database_err err = database_open(bed->path, true, &database, bed->error);
    if (err == DATABASE_OK) {
        err = database_add(database, &report, "/out", bed->error);
        database_close(database);
    }
    return err;
}

struct seen {
    uint32_t count;
    uint64_t started_unix_s[16];
    double value;
    double high;
    char verdict[64];
};

static void note(const struct database_run *run, void *context)
{
    struct seen *seen = context;
    assert_true(seen->count < 16);
    assert_string_equal(run->scenario, "made-up");
    assert_string_equal(run->variant, "sticky");
    assert_string_equal(run->seed, "18446744073709551615");
    assert_string_equal(run->hash, "0000000000000abc");
    assert_string_equal(run->where, "/out");
    snprintf(seen->verdict, sizeof seen->verdict, "%s", run->verdict);
    seen->started_unix_s[seen->count++] = run->started_unix_s;
    seen->value = run->value;
    seen->high = run->high;
}

static struct seen list(struct bed *bed, const struct database_filter *filter)
{
    struct seen seen = {0};
    struct database *database;
    assert_int_equal(database_open(bed->path, false, &database, bed->error), DATABASE_OK);
    assert_int_equal(database_list(database, filter, note, &seen, bed->error), DATABASE_OK);
    database_close(database);
    return seen;
}

static void a_run_comes_back_as_it_was_noted(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(add(bed, 1000), DATABASE_OK);
    struct seen seen = list(bed, &(struct database_filter){0});
    const struct result_stage *delivery = result_stage(bed->result, "delivery");
    assert_int_equal(seen.count, 1);
    assert_true(seen.started_unix_s[0] == 1000);
    assert_true(seen.value == delivery->quantile_ns[3].value); /* delivery.p99 */
    assert_true(seen.high == delivery->quantile_ns[3].high);
    assert_string_equal(seen.verdict, "ok");
}

static void a_bad_run_says_so(void **state)
{
    struct bed *bed = *state;
    bed->result->overloaded = true;
    assert_int_equal(add(bed, 1), DATABASE_OK);
    assert_string_equal(list(bed, &(struct database_filter){0}).verdict, "overloaded");
    bed->result->partial = true;
    assert_int_equal(add(bed, 2), DATABASE_OK);
    assert_string_equal(list(bed, &(struct database_filter){0}).verdict, "partial");
}

static void a_list_is_filtered_and_ends_with_the_latest(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(add(bed, 3000), DATABASE_OK);
    assert_int_equal(add(bed, 1000), DATABASE_OK);
    assert_int_equal(add(bed, 2000), DATABASE_OK);
    struct seen seen = list(bed, &(struct database_filter){.limit = 2});
    assert_int_equal(seen.count, 2);
    assert_true(seen.started_unix_s[0] == 2000 && seen.started_unix_s[1] == 3000);
    assert_int_equal(list(bed, &(struct database_filter){.since_unix_s = 1001}).count, 2);
    assert_int_equal(list(bed, &(struct database_filter){.scenario = "made-up"}).count, 3);
    assert_int_equal(list(bed, &(struct database_filter){.scenario = "other"}).count, 0);
    assert_int_equal(list(bed, &(struct database_filter){.metric = "poll.p99"}).count, 0);
    seen = list(bed, &(struct database_filter){.metric = "cassandra.cpu"});
    assert_int_equal(seen.count, 3);
    assert_true(fabs(seen.value - 0.63) < 1e-9);
}

/* Each of several processes makes the file if it is the first, and adds. */
static void many_may_add_at_once(void **state)
{
    struct bed *bed = *state;
    pid_t adders[ADDERS];
    for (uint32_t i = 0; i < ADDERS; i++) {
        adders[i] = fork();
        if (adders[i] == 0) {
            _exit(add(bed, 100 + i) == DATABASE_OK ? 0 : 1);
        }
    }
    for (uint32_t i = 0; i < ADDERS; i++) {
        int status = -1;
        assert_int_equal(waitpid(adders[i], &status, 0), adders[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(list(bed, &(struct database_filter){0}).count, ADDERS);
}

static void sql(struct bed *bed, const char *text)
{
    sqlite3 *sqlite;
    assert_int_equal(sqlite3_open(bed->path, &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sqlite, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(sqlite);
}

/* Refused both to read and to write, and not changed. */
static void assert_refused(struct bed *bed, enum database_err expected, const char *words)
{
    struct stat before;
    struct stat after;
    struct database *database;
    stat(bed->path, &before);
    for (int write = 0; write < 2; write++) {
        assert_int_equal(database_open(bed->path, write == 1, &database, bed->error), expected);
        assert_null(database);
        if (strstr(bed->error, words) == NULL || strstr(bed->error, bed->path) == NULL) {
            fail_msg("expected %s, but it says: %s", words, bed->error);
        }
    }
    stat(bed->path, &after);
    assert_true(before.st_size == after.st_size);
}

static void what_is_not_ours_is_refused(void **state)
{
    struct bed *bed = *state;
    sql(bed, "CREATE TABLE recipes(name TEXT)");
    assert_refused(bed, DATABASE_ERR_FOREIGN, "of another program; remedy:");
    FILE *file = fopen(bed->path, "w");
    assert_non_null(file);
    fputs("This is a text of more than sixteen bytes, and no database at all.\n", file);
    fclose(file);
    assert_refused(bed, DATABASE_ERR_FOREIGN, "no SQLite database; remedy:");
}

static void another_version_is_refused(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(add(bed, 1), DATABASE_OK);
    sql(bed, "PRAGMA user_version = 99");
    assert_refused(bed, DATABASE_ERR_FOREIGN, "of version 99");
}

static void what_was_cut_short_is_refused(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(add(bed, 1), DATABASE_OK);
    assert_int_equal(truncate(bed->path, 4096 * 3 + 100), 0);
    assert_refused(bed, DATABASE_ERR_FOREIGN, "damaged or cut short; remedy:");
}

static void nothing_to_read_is_not_made(void **state)
{
    struct bed *bed = *state;
    struct database *database;
    assert_int_equal(database_open(bed->path, false, &database, bed->error), DATABASE_ERR_NONE);
    assert_int_not_equal(access(bed->path, F_OK), 0);
    assert_int_equal(database_open(bed->folder, true, &database, bed->error), DATABASE_ERR_OTHER);
    assert_non_null(strstr(bed->error, "it is no file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_comes_back_as_it_was_noted, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(a_bad_run_says_so, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(a_list_is_filtered_and_ends_with_the_latest, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(many_may_add_at_once, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(what_is_not_ours_is_refused, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(another_version_is_refused, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(what_was_cut_short_is_refused, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(nothing_to_read_is_not_made, bed_setup, bed_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
