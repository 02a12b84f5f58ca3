/* Reading a result.json again: what a comparison needs of it, and only what is ours.
 *
 * Strict: another format or version, a file that was cut, a metric without a name, and what lies
 * outside the limits are refused, with the reason. Numbers come back as they were written
 * (writer.h writes the shortest text that reads back as the same number). */
#ifndef REPORTS_RESULT_READ_H
#define REPORTS_RESULT_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "reports/metric.h"

#define RESULT_READ_METRICS_MAX 1024u
#define RESULT_READ_BYTES_MAX (64u << 20)
#define RESULT_READ_NAME_SIZE 128u

struct result_read_metric {
    char name[METRIC_NAME_SIZE];
    char unit[8];
    enum metric_better better;
    struct result_estimate value;
    uint32_t batch_count;
    double batches[RESULT_BATCHES];
};

/* Some 250 KB. Read freely. */
struct result_read {
    char chatscale[32]; /* The version of the program that wrote it. */
    char scenario[RESULT_READ_NAME_SIZE];
    char variant[RESULT_READ_NAME_SIZE]; /* Empty: none. */
    char hash[24];                       /* Of the plan: equal where the plans are. */
    char seed[24];
    double warmup_ns;
    double duration_ns;
    double fraction;
    bool partial;
    bool overloaded;
    uint32_t metric_count;
    struct result_read_metric metrics[RESULT_READ_METRICS_MAX];
};

/* false, with what is wrong and what to do in `why`; `result` is not to be used then. */
bool result_read(const char *path, struct result_read *result, char *why, size_t size);

/* NULL where the result has none of that name. */
const struct result_read_metric *result_read_find(const struct result_read *result,
                                                  const char *name);

#endif
