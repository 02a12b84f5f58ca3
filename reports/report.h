/* What a run says of itself, for people and for CI: the data that all writers of a run share.
 *
 * A run has one result or several: the variants of a scenario, several scenarios, or both. They
 * are told side by side. Everything here is borrowed by the writers for the call. */
#ifndef REPORTS_REPORT_H
#define REPORTS_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "models/result.h"
#include "reports/result_json.h"

/* A parameter of the scenario, with where its default comes from. */
struct report_parameter {
    const char *path;    /* "kafka.brokers" */
    const char *value;   /* As a scenario gives it: "20", "5 s". */
    const char *initial; /* The default; NULL: it must be given. */
    const char *about;
    const char *source;
    const char *sure; /* "measured", "vendor", ... */
    bool changed;     /* The value is not the default. */
};

struct report_variant {
    const struct result *result; /* result->plan names scenario and variant. */
    struct result_facts facts;   /* With its verdicts and budgets. */
    const char *title;           /* "ladder/polling" */
    const struct report_parameter *parameters;
    uint32_t parameter_count;
};

struct report {
    const struct report_variant *variants;
    uint32_t variant_count; /* At least 1. */
};

/* One page, HTML, that needs nothing else: no network, no other file. Runs gnuplot. false: not all
 * of it could be drawn or written, and `error` (CHART_ERROR_SIZE) says why. */
bool report_html_write(FILE *stream, const struct report *report, char *error);

/* Tables for other programs: a line for each stage, tier and resource, interval, counter, by
 * RFC 4180 but for the line end, \n. Figures are in SI units, full precision; what is not known is
 * empty. false: errno says why. */
bool report_csv_stages(FILE *stream, const struct report *report);
bool report_csv_tiers(FILE *stream, const struct report *report);
bool report_csv_series(FILE *stream, const struct report *report);
bool report_csv_counters(FILE *stream, const struct report *report);

/* JUnit XML: a suite for each result; a case for each claim and budget, and for what the run itself
 * promises. Names are unique; figures stand in the bodies. false: errno says why. */
bool report_junit_write(FILE *stream, const struct report *report);

/* Markdown for the page of a CI job. false: errno says why. */
bool report_markdown_write(FILE *stream, const struct report *report);

#endif
