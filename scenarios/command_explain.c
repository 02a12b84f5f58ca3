/* explain: what a name means, of a parameter, a metric or a claim. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/metric.h"
#include "reports/verdict.h"
#include "scenarios/commands.h"
#include "scenarios/nearest.h"
#include "scenarios/schema.h"
#include "scenarios/table.h"

#define NAME_SIZE 128u

static const char usage[] =
    "Usage: chatscale explain [NAME]...\n"
    "Says what a parameter of a scenario, a metric of a result or a claim is: its unit, its\n"
    "default and where that comes from, how it is judged. Without a name it lists all names.\n"
    "\n"
    "  -h, --help  prints this\n"
    "\n"
    "Exit status: 0; 2 for a name that nobody knows.\n";

static void explain_parameter(const struct table_row *row)
{
    printf("%s: a parameter of scenarios\n  %s\n", row->path, row->about);
    if (row->initial == NULL) {
        puts("  default  must be given");
    } else if (row->initial[0] != '\0') {
        printf("  default  %s\n", row->initial);
    }
    fputs("  values   ", stdout);
    reference_range(stdout, row);
    putchar('\n');
    if (row->source != NULL && row->source[0] != '\0') {
        printf("  source   %s (%s)\n", row->source, table_sure_name(row->sure));
    }
}

static void explain_metric(const struct metric *metric)
{
    printf("%s: a metric of results\n  %s\n", metric->name, metric->about);
    printf("  unit     %s\n", metric_unit_name(metric->unit));
    if (metric->better != METRIC_NEITHER) {
        printf("  better   %s\n", metric_better_name(metric->better));
    }
}

static void explain_claim(const struct claim_info *info)
{
    printf("%s: a claim (%s)\n  it holds where %s\n", info->id, verdict_kind_name(info->kind),
           info->about);
    if (!info->words) {
        printf("  unit     %s\n", metric_unit_name(info->unit));
    }
}

/* The nearest of all names so far. */
struct nearest {
    const char *wanted;
    char name[NAME_SIZE];
    uint32_t distance;
};

static void nearest_try(struct nearest *nearest, const char *name)
{
    uint32_t distance = nearest_distance(nearest->wanted, name);
    if (distance < nearest->distance) {
        nearest->distance = distance;
        snprintf(nearest->name, sizeof nearest->name, "%s", name);
    }
}

static void refuse(const char *name)
{
    struct nearest nearest = {.wanted = name, .distance = nearest_limit(name) + 1};
    for (uint32_t i = 0; i < table_count(); i++) {
        nearest_try(&nearest, table_row(i)->path);
    }
    for (uint32_t i = 0; i < metric_count(); i++) {
        nearest_try(&nearest, metric_at(i).name);
    }
    for (uint32_t i = 0; i < claim_count(); i++) {
        nearest_try(&nearest, claim_at(i)->id);
    }
    fprintf(stderr, "chatscale explain: there is no parameter, metric or claim \"%.64s\"", name);
    if (nearest.name[0] != '\0') {
        fprintf(stderr, "; did you mean %s?", nearest.name);
    }
    fputs("\n`chatscale explain` lists all names.\n", stderr);
}

static bool explain(const char *name)
{
    const struct table_row *row = table_find(name);
    uint32_t index = metric_find(name);
    const struct claim_info *info = claim_find(name);
    if (row == NULL && index == UINT32_MAX && info == NULL) {
        refuse(name);
        return false;
    }
    if (row != NULL) {
        explain_parameter(row);
    }
    if (index != UINT32_MAX) {
        struct metric metric = metric_at(index);
        explain_metric(&metric);
    }
    if (info != NULL) {
        explain_claim(info);
    }
    return true;
}

static void list_all(void)
{
    puts("Parameters of scenarios:");
    for (uint32_t i = 0; i < table_count(); i++) {
        printf("  %s\n", table_row(i)->path);
    }
    puts("\nMetrics of results:");
    for (uint32_t i = 0; i < metric_count(); i++) {
        printf("  %s\n", metric_at(i).name);
    }
    puts("\nClaims:");
    for (uint32_t i = 0; i < claim_count(); i++) {
        printf("  %s\n", claim_at(i)->id);
    }
}

int command_explain(int argc, char **argv)
{
    static const struct option known[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    optind = 0; /* Another command may have read its options before. */
    int option = getopt_long(argc, argv, "h", known, NULL);
    if (option != -1) {
        fputs(usage, option == 'h' ? stdout : stderr);
        return option == 'h' ? EXIT_SUCCESS : COMMAND_INPUT;
    }
    if (optind == argc) {
        list_all();
    }
    bool good = true;
    for (int i = optind; i < argc; i++) {
        good = explain(argv[i]) && good;
    }
    if (fflush(stdout) != 0) {
        return COMMAND_OTHER;
    }
    return good ? EXIT_SUCCESS : COMMAND_INPUT;
}
