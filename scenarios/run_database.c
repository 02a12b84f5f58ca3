#include "scenarios/run_database.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "reports/database.h"
#include "scenarios/commands.h"

bool run_database_path(char path[RUN_DATABASE_PATH_SIZE])
{
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    int length = -1;
    if (data != NULL && data[0] == '/') { /* As XDG has it: a relative path is none. */
        length = snprintf(path, RUN_DATABASE_PATH_SIZE, "%s/chatscale/runs.db", data);
    } else if (home != NULL && home[0] == '/') {
        length = snprintf(path, RUN_DATABASE_PATH_SIZE, "%s/.local/share/chatscale/runs.db", home);
    }
    return length > 0 && length < (int)RUN_DATABASE_PATH_SIZE;
}

/* The folders above the file. */
static void make_folders(const char *path)
{
    char part[RUN_DATABASE_PATH_SIZE];
    for (size_t i = 1; path[i] != '\0'; i++) {
        if (path[i] == '/') {
            memcpy(part, path, i);
            part[i] = '\0';
            (void)mkdir(part, 0700); /* What can't be made shows when the file is opened. */
        }
    }
}

int run_database_check(const struct run_options *options, char path[RUN_DATABASE_PATH_SIZE])
{
    char error[DATABASE_ERROR_SIZE];
    struct database *database;
    path[0] = '\0';
    if (options->no_db || (options->db == NULL && options->out == NULL)) {
        return -1;
    }
    if (options->db != NULL) {
        snprintf(path, RUN_DATABASE_PATH_SIZE, "%s", options->db);
    } else if (run_database_path(path)) {
        make_folders(path);
    } else {
        path[0] = '\0';
        return -1; /* A machine without homes keeps no history. */
    }
    enum database_err err = database_open(path, true, &database, error);
    database_close(database);
    if (err == DATABASE_OK) {
        return -1;
    }
    if (options->db == NULL && err == DATABASE_ERR_OTHER) {
        path[0] = '\0';
        if (!options->quiet) {
            fprintf(stderr, "chatscale run: this run is not noted in the database: %s\n", error);
        }
        return -1;
    }
    fprintf(stderr, "chatscale run: --db %s; or --no-db\n", error);
    return err == DATABASE_ERR_FOREIGN ? COMMAND_INPUT : COMMAND_OTHER;
}

bool run_database_add(const char *path, const struct report *report, const char *where)
{
    char error[DATABASE_ERROR_SIZE];
    char folder[RUN_DATABASE_PATH_SIZE];
    struct database *database;
    const char *absolute = where == NULL ? NULL : realpath(where, folder);
    if (path[0] == '\0' || report->variant_count == 0) {
        return true;
    }
    enum database_err err = database_open(path, true, &database, error);
    if (err == DATABASE_OK) {
        err = database_add(database, report, absolute, error);
    }
    database_close(database);
    if (err != DATABASE_OK) {
        fprintf(stderr, "chatscale run: the run can't be noted in the database: %s\n", error);
    }
    return err == DATABASE_OK;
}
