/* The command line of `chatscale run`. */
#ifndef SCENARIOS_RUN_OPTIONS_H
#define SCENARIOS_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "scenarios/load.h"

#define RUN_SCENARIOS_MAX 256u

/* All strings are argv's. */
struct run_options {
    const char *paths[RUN_SCENARIOS_MAX];
    uint32_t path_count;
    const char *sets[SCENARIO_SETS_MAX];
    uint32_t set_count;
    const char *out; /* NULL: no files. */
    bool no_report;  /* All files but report.html. */
    const char *db;  /* The run database; NULL: the usual one, where there is an `out`. */
    bool no_db;
    bool seeded;
    uint64_t seed;    /* Over the scenario's, where `seeded`. */
    uint32_t threads; /* 0: as is best for each plan. */
    uint32_t cells;
    bool plain;
    bool json;
    bool quiet;
    bool memory_needed;
    bool no_color;
    bool explain;         /* Verdicts at length. */
    bool no_check;        /* Claims are judged by the one run. */
    int budget_exit_code; /* Where a budget fails. */
};

/* The processors that this process may use, 1 or more. */
uint32_t run_processors(void);

/* Returns -1 to go on, or the exit status, having said why on stderr (or printed the help). */
int run_options_read(int argc, char **argv, struct run_options *options);

#endif
