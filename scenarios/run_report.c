#include "scenarios/run_report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reports/chart.h"
#include "scenarios/commands.h"
#include "scenarios/table.h"

int run_report_check(const struct run_options *options)
{
    char error[CHART_ERROR_SIZE];
    if (options->out == NULL || options->no_report || chart_available(error)) {
        return -1;
    }
    fprintf(stderr,
            "chatscale run: report.html needs gnuplot for its charts: %s, or --no-report for all "
            "the other files\n",
            error);
    return COMMAND_OTHER;
}

/* -- Keeping -------------------------------------------------------------------------------------
 */

static char *value_text(const struct table_row *row, const struct plan *plan)
{
    char text[PLAN_ABOUT_SIZE + 8];
    return strdup(table_get(row, plan, 0, text, sizeof text));
}

/* All settings of a plan but lists, which the scenario's JSON has. The caller frees them. */
static struct report_parameter *parameters_of(const struct plan *plan, uint32_t *count)
{
    struct report_parameter *list = calloc(table_count(), sizeof *list);
    struct plan *defaults = calloc(1, sizeof *defaults);
    bool good = list != NULL && defaults != NULL;
    *count = 0;
    if (good) {
        table_defaults(defaults);
    }
    for (uint32_t i = 0; good && i < table_count(); i++) {
        const struct table_row *row = table_row(i);
        if (row->array != ARRAY_NONE) {
            continue;
        }
        char *value = value_text(row, plan);
        char *initial = value_text(row, defaults);
        good = value != NULL && initial != NULL;
        list[(*count)++] = (struct report_parameter){
            .path = row->path,
            .value = value,
            .initial = row->initial,
            .about = row->about,
            .source = row->source,
            .sure = table_sure_name(row->sure),
            .changed = good && strcmp(value, initial) != 0,
        };
        free(initial);
    }
    free(defaults);
    return list;
}

static void free_variant(const struct report_variant *variant, struct run_judgement *judgement)
{
    for (uint32_t p = 0; p < variant->parameter_count; p++) {
        free((void *)(uintptr_t)variant->parameters[p].value);
    }
    free((void *)(uintptr_t)variant->parameters);
    free((void *)(uintptr_t)variant->facts.plan_json);
    free((void *)(uintptr_t)variant->facts.repeat);
    result_free((struct result *)(uintptr_t)variant->result);
    free((void *)(uintptr_t)variant->result);
    free(judgement);
}

bool run_report_keep(struct run_report *report, const struct run_job *job, struct result *result,
                     struct run_judgement *judgement, const struct result_facts *facts)
{
    struct report_variant variant = {.result = result, .facts = *facts, .title = job->title};
    size_t count = report->count + 1;
    struct report_variant *variants = realloc(report->variants, count * sizeof *variants);
    report->variants = variants == NULL ? report->variants : variants;
    struct run_judgement **judgements = realloc(report->judgements, count * sizeof *judgements);
    report->judgements = judgements == NULL ? report->judgements : judgements;
    variant.parameters = parameters_of(job->plan, &variant.parameter_count);
    if (variants == NULL || judgements == NULL || variant.parameters == NULL) {
        free_variant(&variant, judgement);
        fputs("chatscale run: no memory left to keep a result\n", stderr);
        return false;
    }
    variants[report->count] = variant;
    judgements[report->count] = judgement;
    report->count++;
    return true;
}

void run_report_free(struct run_report *report)
{
    for (uint32_t i = 0; i < report->count; i++) {
        free_variant(&report->variants[i], report->judgements[i]);
    }
    free(report->variants);
    free(report->judgements);
    memset(report, 0, sizeof *report);
}

/* -- Writing -------------------------------------------------------------------------------------
 */

static bool write_html(FILE *stream, const void *context)
{
    char error[CHART_ERROR_SIZE] = "";
    bool good = report_html_write(stream, context, error);
    if (!good) {
        fprintf(stderr, "chatscale run: report.html: %s\n", error);
        errno = 0; /* It is said. */
    }
    return good;
}

static bool write_stages(FILE *stream, const void *context)
{
    return report_csv_stages(stream, context);
}

static bool write_tiers(FILE *stream, const void *context)
{
    return report_csv_tiers(stream, context);
}

static bool write_series(FILE *stream, const void *context)
{
    return report_csv_series(stream, context);
}

static bool write_counters(FILE *stream, const void *context)
{
    return report_csv_counters(stream, context);
}

static bool write_junit(FILE *stream, const void *context)
{
    return report_junit_write(stream, context);
}

static bool write_markdown(FILE *stream, const void *context)
{
    return report_markdown_write(stream, context);
}

bool run_report_write(const struct run_report *report, const struct run_out *out,
                      const struct run_options *options)
{
    const struct report whole = {report->variants, report->count};
    const struct run_out_file files[] = {
        {"stages.csv", write_stages, &whole}, {"tiers.csv", write_tiers, &whole},
        {"series.csv", write_series, &whole}, {"counters.csv", write_counters, &whole},
        {"junit.xml", write_junit, &whole},   {"summary.md", write_markdown, &whole},
        {"report.html", write_html, &whole}, /* Last, and the first to be left out. */
    };
    size_t count = sizeof files / sizeof *files;
    if (report->count == 0) {
        return true; /* Interrupted before anything ran. */
    }
    if (run_out_write_all(out, files, options->no_report ? count - 1 : count)) {
        return true;
    }
    fprintf(stderr,
            "chatscale run: so no report, tables, junit.xml or summary.md are in %s; each "
            "result.json there is whole\n",
            out->path);
    return false;
}
