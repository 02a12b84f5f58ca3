#include "scenarios/judged.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "reports/metric.h"
#include "reports/verdict.h"
#include "scenarios/nearest.h"
#include "scenarios/units.h"

#define BUDGET_FORM "a budget is a metric, one of < <= > >= and a limit: \"delivery.p99 < 100 ms\""

static void refuse(const struct builder *b, const char *path, uint32_t element, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

/* Adds an error at the field, which somebody has set. */
static void refuse(const struct builder *b, const char *path, uint32_t element, const char *format,
                   ...)
{
    char text[PROBLEM_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char buffer[PROBLEM_PATH_SIZE];
    struct place place = builder_place(b, path, element, buffer);
    problems_add(b->problems, PROBLEM_ERROR, &place, "%s", text);
}

static enum units_kind kind_of(enum metric_unit unit)
{
    static const enum units_kind kinds[METRIC_UNIT_COUNT] = {
        [METRIC_COUNT] = UNITS_COUNT,         [METRIC_FACTOR] = UNITS_FACTOR,
        [METRIC_SHARE] = UNITS_SHARE,         [METRIC_RATE] = UNITS_RATE,
        [METRIC_TIME] = UNITS_DURATION,       [METRIC_BYTES] = UNITS_BYTES,
        [METRIC_BYTE_RATE] = UNITS_BYTE_RATE,
    };
    return kinds[unit];
}

/* The figure that `text` says; refused at the field where it says none. */
static bool read_figure(const struct builder *b, const char *path, uint32_t element,
                        enum metric_unit unit, const char *text, double *figure)
{
    enum units_kind kind = kind_of(unit);
    struct units_value value;
    if (units_parse(kind, text, &value) == UNITS_OK) {
        *figure = value.real;
        return true;
    }
    refuse(b, path, element, "\"%.60s\" is not %s; write it like %s", text, units_noun(kind),
           units_example(kind));
    return false;
}

/* -- The nearest name ----------------------------------------------------------------------------
 */

static void consider(const char *wanted, const char *name, uint32_t *best, char *buffer,
                     size_t size)
{
    uint32_t distance = nearest_distance(wanted, name);
    if (distance < *best) {
        *best = distance;
        snprintf(buffer, size, "%s", name);
    }
}

const char *judged_nearest_metric(const char *name, char *buffer, size_t size)
{
    uint32_t best = nearest_limit(name) + 1;
    uint32_t count = metric_count();
    buffer[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        struct metric metric = metric_at(i);
        consider(name, metric.name, &best, buffer, size);
    }
    return buffer[0] == '\0' ? NULL : buffer;
}

const char *judged_nearest_claim(const char *name, char *buffer, size_t size)
{
    uint32_t best = nearest_limit(name) + 1;
    buffer[0] = '\0';
    for (uint32_t i = 0; i < claim_count(); i++) {
        consider(name, claim_at(i)->id, &best, buffer, size);
    }
    return buffer[0] == '\0' ? NULL : buffer;
}

/* -- Claims --------------------------------------------------------------------------------------
 */

static void resolve_claim(const struct builder *b, uint32_t element)
{
    struct plan_claim *claim = &b->plan->claims[element];
    const struct claim_info *info = claim_find(claim->id);
    claim->figure = (double)NAN;
    if (claim->id[0] == '\0') {
        return; /* It has been said that it must be given. */
    }
    if (info == NULL) {
        char near[PLAN_NAME_SIZE];
        const char *nearest = judged_nearest_claim(claim->id, near, sizeof near);
        refuse(b, "claims[].id", element, "nobody can judge this claim; %s%s%s",
               nearest == NULL ? "docs/verdicts.md lists those that can be" : "did you mean \"",
               nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
        return;
    }
    bool valued = claim->value[0] != '\0' && !info->words;
    if (valued &&
        read_figure(b, "claims[].value", element, info->unit, claim->value, &claim->figure) &&
        claim->figure <= 0) {
        refuse(b, "claims[].value", element, "a claim of nothing; give a figure above 0");
    }
}

/* -- Budgets -------------------------------------------------------------------------------------
 */

/* "delivery.p99 < 100 ms" into metric and limit; false where it has not that form. */
static bool split_budget(struct plan_budget *budget, char limit[PLAN_TEXT_SIZE])
{
    const char *text = budget->text + strspn(budget->text, " \t");
    size_t length = strcspn(text, "<> \t");
    const char *compare = text + length + strspn(text + length, " \t");
    if (length == 0 || length >= sizeof budget->metric || (*compare != '<' && *compare != '>')) {
        return false;
    }
    memset(budget->metric, 0, sizeof budget->metric);
    memcpy(budget->metric, text, length);
    bool or_equal = compare[1] == '=';
    budget->compare = *compare == '<' ? (or_equal ? PLAN_AT_MOST : PLAN_LESS)
                                      : (or_equal ? PLAN_AT_LEAST : PLAN_MORE);
    compare += or_equal ? 2 : 1;
    snprintf(limit, PLAN_TEXT_SIZE, "%s", compare + strspn(compare, " \t"));
    return limit[0] != '\0';
}

static void resolve_budget(const struct builder *b, uint32_t element)
{
    struct plan_budget *budget = &b->plan->budgets[element];
    char limit[PLAN_TEXT_SIZE];
    if (budget->text[0] == '\0') {
        return;
    }
    if (!split_budget(budget, limit)) {
        refuse(b, "budgets[]", element, BUDGET_FORM);
        return;
    }
    uint32_t index = metric_find(budget->metric);
    if (index == UINT32_MAX) {
        char near[METRIC_NAME_SIZE];
        /* Not for what is only counted any more: it takes some microseconds. */
        bool full = b->problems->count == PROBLEMS_MAX;
        const char *nearest =
            full ? NULL : judged_nearest_metric(budget->metric, near, sizeof near);
        refuse(b, "budgets[]", element, "unknown metric \"%s\"; %s%s%s", budget->metric,
               nearest == NULL ? "docs/verdicts.md lists those there are" : "did you mean \"",
               nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
        return;
    }
    read_figure(b, "budgets[]", element, metric_at(index).unit, limit, &budget->limit);
}

void judged_resolve(const struct builder *builder)
{
    for (uint32_t i = 0; i < builder->plan->claim_count; i++) {
        resolve_claim(builder, i);
    }
    for (uint32_t i = 0; i < builder->plan->budget_count; i++) {
        resolve_budget(builder, i);
    }
}
