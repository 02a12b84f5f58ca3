/* What one command line asks to run: a job for each scenario and variant, loaded and checked before
 * the first begins. */
#ifndef SCENARIOS_RUN_JOBS_H
#define SCENARIOS_RUN_JOBS_H

#include <stdint.h>
#include <stdio.h>

#include "models/plan.h"
#include "models/system.h"
#include "scenarios/run_options.h"

#define RUN_FOLDER_SIZE (2 * PLAN_NAME_SIZE)

struct run_job {
    struct plan *plan; /* The job's. */
    const char *path;  /* As given; borrowed. */
    uint64_t memory_bytes;
    char title[RUN_FOLDER_SIZE];  /* "ladder/polling", to name it in messages. */
    char folder[RUN_FOLDER_SIZE]; /* Where its result goes, below --out; "" there itself. */
};

/* Read freely; run_jobs_free() frees it, also after an error. */
struct run_jobs {
    struct run_job *list;
    uint32_t count;
};

/* Loads all scenarios. Problems go to stderr, findings and notes only where not `quiet`. Returns -1
 * to go on, or the exit status when all have been looked at. */
int run_jobs_load(struct run_jobs *jobs, const struct run_options *options);
void run_jobs_free(struct run_jobs *jobs);

/* How a plan is to be run, but for its trace. Where the command line names no number of threads,
 * there are as many as processors; or one, where a window holds too few events to share. */
struct system_options run_jobs_options(const struct run_options *options, const struct plan *plan);

/* About so many events a simulated second: for choices that have no bearing on a result. */
double run_jobs_events_per_s(const struct plan *plan);

/* Of the largest. */
uint64_t run_jobs_memory_bytes(const struct run_jobs *jobs);

/* Whether every job has room in `available` bytes; says on stderr which has not, and the remedy. */
bool run_jobs_fit(const struct run_jobs *jobs, const struct run_options *options,
                  uint64_t available);

/* The command that repeats the job, quoted for a shell. The caller frees it; NULL where memory is
 * short. */
char *run_job_repeat(const struct run_job *job, const struct run_options *options);

#endif
