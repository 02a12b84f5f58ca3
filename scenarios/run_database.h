/* Where `chatscale run` notes its results, and `chatscale runs` finds them. */
#ifndef SCENARIOS_RUN_DATABASE_H
#define SCENARIOS_RUN_DATABASE_H

#include <stdbool.h>

#include "reports/report.h"
#include "scenarios/run_options.h"

#define RUN_DATABASE_PATH_SIZE 4096u

/* The usual file: $XDG_DATA_HOME/chatscale/runs.db, or ~/.local/share/chatscale/runs.db. false: the
 * environment names no home. */
bool run_database_path(char path[RUN_DATABASE_PATH_SIZE]);

/* Before anything runs: opens, or makes, the file that results will be noted in, and closes it.
 * Returns -1 to go on, or the exit status, having said why on stderr. `path` is left empty where
 * nothing is to be noted: without --out and --db, with --no-db, and, with a note, where the usual
 * place can't be written. */
int run_database_check(const struct run_options *options, char path[RUN_DATABASE_PATH_SIZE]);

/* false: said on stderr, and nothing of the run is noted. */
bool run_database_add(const char *path, const struct report *report, const char *where);

#endif
