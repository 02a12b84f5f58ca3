/* What `chatscale run --out` writes when all jobs are done: report.html, tables, junit.xml,
 * summary.md. All of them or none.
 *
 *     run_report_check() --> run_report_keep()* --> run_report_write() --> run_report_free()
 *
 * The results of all jobs are kept until then, since they are told side by side. */
#ifndef SCENARIOS_RUN_REPORT_H
#define SCENARIOS_RUN_REPORT_H

#include "models/result.h"
#include "reports/report.h"
#include "scenarios/run_jobs.h"
#include "scenarios/run_judge.h"
#include "scenarios/run_options.h"
#include "scenarios/run_out.h"

/* Written only through the functions below; zero at first. */
struct run_report {
    struct report_variant *variants;
    struct run_judgement **judgements; /* One for each. */
    uint32_t count;
};

/* Before anything runs: is what will be needed there? Returns -1 to go on, or the exit status,
 * having said why on stderr. */
int run_report_check(const struct run_options *options);

/* Takes over result, judgement (which may be NULL) and the texts of `facts` (plan_json, repeat),
 * also on an error: false, where memory is short. The job must live until run_report_free(). */
bool run_report_keep(struct run_report *report, const struct run_job *job, struct result *result,
                     struct run_judgement *judgement, const struct result_facts *facts);

/* false: said on stderr; then none of the files is there. */
bool run_report_write(const struct run_report *report, const struct run_out *out,
                      const struct run_options *options);

void run_report_free(struct run_report *report);

#endif
