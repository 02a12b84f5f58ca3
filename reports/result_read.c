#include "reports/result_read.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/result_json.h"

/* -- The file ------------------------------------------------------------------------------------
 */

/* All bytes, NUL-terminated; NULL with the reason. */
static char *read_bytes(const char *path, size_t *length, char *why, size_t size)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(RESULT_READ_BYTES_MAX + 1);
    bool good = false;
    if (file == NULL) {
        snprintf(why, size, "can't be read: %s", strerror(errno));
    } else if (bytes == NULL) {
        snprintf(why, size, "no memory left to read it");
    } else {
        *length = fread(bytes, 1, RESULT_READ_BYTES_MAX + 1, file);
        good = !ferror(file) && *length <= RESULT_READ_BYTES_MAX;
        if (!good) {
            snprintf(why, size, "%s",
                     ferror(file) ? strerror(errno) : "larger than any result: not ours");
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    if (!good) {
        free(bytes);
        return NULL;
    }
    bytes[*length] = '\0';
    return bytes;
}

static uint32_t line_of(const char *bytes, const char *end)
{
    uint32_t line = 1;
    for (; bytes != NULL && end != NULL && bytes < end; bytes++) {
        line += *bytes == '\n';
    }
    return line;
}

/* -- Members -------------------------------------------------------------------------------------
 */

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static bool get_text(const cJSON *object, const char *name, char *text, size_t size)
{
    const cJSON *item = member(object, name);
    if (!cJSON_IsString(item) || strlen(item->valuestring) >= size) {
        return false;
    }
    snprintf(text, size, "%s", item->valuestring);
    return true;
}

static bool get_number(const cJSON *object, const char *name, double *number)
{
    const cJSON *item = member(object, name);
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble)) {
        return false;
    }
    *number = item->valuedouble;
    return true;
}

static bool get_bool(const cJSON *object, const char *name, bool *value)
{
    const cJSON *item = member(object, name);
    *value = cJSON_IsTrue(item);
    return cJSON_IsBool(item);
}

static bool get_better(const cJSON *object, enum metric_better *better)
{
    char text[16];
    if (!get_text(object, "better", text, sizeof text)) {
        return false;
    }
    for (int i = METRIC_LESS; i <= METRIC_NEITHER; i++) {
        if (strcmp(text, metric_better_name((enum metric_better)i)) == 0) {
            *better = (enum metric_better)i;
            return true;
        }
    }
    return false;
}

static bool get_batches(const cJSON *object, struct result_read_metric *metric)
{
    const cJSON *list = member(object, "batches");
    const cJSON *item = NULL;
    if (!cJSON_IsArray(list)) {
        return false;
    }
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsNumber(item) || metric->batch_count == RESULT_BATCHES) {
            return false;
        }
        metric->batches[metric->batch_count++] = item->valuedouble;
    }
    return true;
}

static bool get_metric(const cJSON *object, struct result_read_metric *metric)
{
    memset(metric, 0, sizeof *metric);
    if (!get_text(object, "name", metric->name, sizeof metric->name) ||
        !get_text(object, "unit", metric->unit, sizeof metric->unit) ||
        !get_better(object, &metric->better) ||
        !get_number(object, "value", &metric->value.value) || !get_batches(object, metric)) {
        return false;
    }
    metric->value.known = get_number(object, "low", &metric->value.low) &&
                          get_number(object, "high", &metric->value.high);
    if (!metric->value.known) {
        metric->value.low = metric->value.high = metric->value.value;
    }
    return true;
}

/* -- The document --------------------------------------------------------------------------------
 */

/* Format and version come first: of what is not ours nothing else is said. */
static bool is_ours(const cJSON *root, struct result_read *result, char *why, size_t size)
{
    char format[32] = "";
    double version = 0;
    get_text(root, "format", format, sizeof format);
    if (strcmp(format, RESULT_JSON_FORMAT) != 0) {
        snprintf(why, size, "not a result of chatscale: \"format\" is not \"%s\"",
                 RESULT_JSON_FORMAT);
        return false;
    }
    if (!get_number(root, "version", &version) ||
        !get_text(root, "chatscale", result->chatscale, sizeof result->chatscale)) {
        snprintf(why, size, "has no version; run its scenario again");
        return false;
    }
    if (version != RESULT_JSON_VERSION) {
        snprintf(why, size,
                 "is version %g of the format, written by chatscale %s, and this one reads %u; run "
                 "its scenario again",
                 version, result->chatscale, RESULT_JSON_VERSION);
        return false;
    }
    return true;
}

static bool get_head(const cJSON *root, struct result_read *result)
{
    const cJSON *scenario = member(root, "scenario");
    const cJSON *run = member(root, "run");
    get_text(scenario, "variant", result->variant, sizeof result->variant); /* Or null. */
    return get_text(scenario, "name", result->scenario, sizeof result->scenario) &&
           get_text(scenario, "hash", result->hash, sizeof result->hash) &&
           get_text(run, "seed", result->seed, sizeof result->seed) &&
           get_number(run, "warmup_ns", &result->warmup_ns) &&
           get_number(run, "duration_ns", &result->duration_ns) &&
           get_number(run, "fraction", &result->fraction) &&
           get_bool(member(root, "measured"), "partial", &result->partial) &&
           get_bool(member(root, "unfinished"), "overloaded", &result->overloaded);
}

static bool get_metrics(const cJSON *root, struct result_read *result)
{
    const cJSON *list = member(root, "metrics");
    const cJSON *item = NULL;
    if (!cJSON_IsArray(list)) {
        return false;
    }
    cJSON_ArrayForEach(item, list)
    {
        if (result->metric_count == RESULT_READ_METRICS_MAX ||
            !get_metric(item, &result->metrics[result->metric_count])) {
            return false;
        }
        result->metric_count++;
    }
    return true;
}

bool result_read(const char *path, struct result_read *result, char *why, size_t size)
{
    size_t length = 0;
    const char *end = NULL;
    memset(result, 0, sizeof *result);
    char *bytes = read_bytes(path, &length, why, size);
    if (bytes == NULL) {
        return false;
    }
    cJSON *root = cJSON_ParseWithLengthOpts(bytes, length + 1, &end, true);
    bool good = false;
    if (root == NULL) {
        snprintf(why, size, "line %u: not JSON, or cut short; run its scenario again",
                 line_of(bytes, end));
    } else if (!cJSON_IsObject(root)) {
        snprintf(why, size,
                 "several results, or none; compare them one by one: each variant's stands in a "
                 "folder of its own below --out");
    } else if (is_ours(root, result, why, size)) {
        good = get_head(root, result) && get_metrics(root, result);
        if (!good) {
            snprintf(why, size,
                     "parts of it are missing or not of their kind; run its scenario "
                     "again");
        }
    }
    cJSON_Delete(root);
    free(bytes);
    return good;
}

const struct result_read_metric *result_read_find(const struct result_read *result,
                                                  const char *name)
{
    for (uint32_t i = 0; i < result->metric_count; i++) {
        if (strcmp(result->metrics[i].name, name) == 0) {
            return &result->metrics[i];
        }
    }
    return NULL;
}
