/* A result as JSON: "chatscale-result", version 2, described by reports/result.schema.json.
 *
 * Everything but "host" is the same, byte for byte, for a plan and a seed, on any machine of one
 * build and any number of threads. What only this run knows (wall clock, threads, memory, when, how
 * to repeat it from here) stands under "host" and nowhere else.
 *
 * Units are in the names or beside the figures, SI without prefixes, times in nanoseconds. Where
 * there is no figure there is null: the latency of a stage that nothing passed, the interval of an
 * estimate that has too few samples. The seed and the hash are texts, since JSON's readers keep 53
 * bits of a number. A change that a reader of version 2 could stumble over makes it version 3.
 * Version 2 added "claims", "check", "budgets" and "metrics".
 */
#ifndef REPORTS_RESULT_JSON_H
#define REPORTS_RESULT_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "models/result.h"
#include "reports/budget.h"
#include "reports/verdict.h"

#define RESULT_JSON_FORMAT "chatscale-result"
#define RESULT_JSON_VERSION 2u
#define RESULT_JSON_SCHEMA_FILE "reports/result.schema.json"

/* The names of result_quantiles, there and on the screen: "p50", ... "p99.99". */
extern const char *const result_quantile_names[RESULT_QUANTILES];

/* What the result itself does not know. All strings are borrowed; NULL: not known. */
struct result_facts {
    uint64_t plan_hash;           /* Results are comparable only where it is the same. */
    const char *plan_json;        /* The whole plan, as a scenario that says everything. */
    const char *const *overrides; /* "kafka.brokers=30", as they were given. */
    uint32_t override_count;
    const struct verdicts *verdicts;       /* NULL: none were judged. */
    const struct budget_outcomes *budgets; /* Likewise. */
    const char *repeat;                    /* Host: the command line that repeats it. */
    uint64_t started_unix_s;               /* Host; 0: not known. */
    uint32_t processor_count;              /* Host. */
};

/* Writes the document, without a newline at its end. false: not all of it could be written, and
 * errno says why. */
bool result_json_write(FILE *stream, const struct result *result, const struct result_facts *facts);

#endif
