/* docs/scenarios.md, and a plan written out in full. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/core/check.h"
#include "scenarios/schema.h"
#include "scenarios/table.h"

/* -- The reference -------------------------------------------------------------------------------
 */

static const char introduction[] =
    "# Scenario reference\n"
    "\n"
    "Written by `chatscale schema --write` from the table in `scenarios/table_*.c`; change that,\n"
    "not this. A scenario is a JSON object; what it leaves out has the default given here.\n"
    "`scenarios/schema.json` tells editors the same.\n"
    "\n"
    "- **Units.** Counts `50M` (k, M, B, T); shares `14%` or 0.14; rates `3.5M/s`, `1M/min`,\n"
    "  `100B/day`; durations `150 us`, `5 s`, `30 d`; sizes `200 B`, `16 KiB`, `20 TB`; bandwidth\n"
    "  `60 MB/s`, `1 Gbps`; costs a byte `1 ns/B`. A plain JSON number will do where there is no\n"
    "  unit, and 0 everywhere.\n"
    "- **`extends`** names another scenario, relative to the file; what this one does not set, "
    "that\n"
    "  one does. Lists (faults, claims, budgets, variants) are replaced as a whole.\n"
    "- **`variants`** is a list of `{\"name\": ..., fields}`: so many plans, run one after "
    "another.\n"
    "- **`about`** may stand in any object: JSON has no comments.\n"
    "- **`--set kafka.brokers=30`** on the command line comes last, with the same checks;\n"
    "  `--set 'faults[0].at=3 s'` reaches into a list.\n"
    "- **A law** is five fields: `law` (constant, uniform, exponential, lognormal), its `median` "
    "or\n"
    "  `mean`, `sigma`, a `floor` that no value falls below, and a cut `max`.\n"
    "\n"
    "How sure a default is: *measured* by others; *vendor*: claim or documented limit of whoever\n"
    "runs or sells it; *code*: constant in source code; *standard*: protocol text; *derived*:\n"
    "arithmetic on cited figures; *judgement*: ours alone.\n";

/* Text of a table's cell: no bars, no line breaks. */
static void write_cell(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

void reference_range(FILE *out, const struct table_row *row)
{
    if (row->kind == TABLE_ENUM) {
        for (uint32_t i = 0; row->choices[i] != NULL; i++) {
            fprintf(out, "%s`%s`", i == 0 ? "" : ", ", row->choices[i]);
        }
    } else if (row->kind == TABLE_BOOL) {
        fprintf(out, "`true`, `false`");
    } else if (row->kind == TABLE_STRING || row->kind == TABLE_FILE) {
        fprintf(out, "text");
    } else {
        fprintf(out, "%s to %s", row->least == NULL ? "0" : row->least,
                row->most == NULL ? "2^64-1" : row->most);
    }
}

static void write_row(FILE *out, const struct table_row *row)
{
    fprintf(out, "| `%s` | ", row->path);
    if (row->initial == NULL) {
        fprintf(out, "must be given");
    } else if (row->initial[0] == '\0') {
        fprintf(out, "–");
    } else {
        fprintf(out, "`%s`", row->initial);
    }
    fprintf(out, " | ");
    reference_range(out, row);
    fprintf(out, " | ");
    write_cell(out, row->about);
    if (row->array == ARRAY_NONE) {
        fprintf(out, " | ");
        write_cell(out, row->source);
        fprintf(out, " | %s |\n", table_sure_name(row->sure));
    } else {
        fprintf(out, " |\n");
    }
}

/* The first name of the path: what sections the reference. */
static size_t head_length(const struct table_row *row)
{
    size_t length = strcspn(row->path, ".[");
    return row->path[length] == '\0' ? 0 : length;
}

static void write_heading(FILE *out, const struct table_row *row)
{
    size_t length = head_length(row);
    if (length == 0) {
        fprintf(out, "\n## %s\n\n", "At the top");
    } else {
        fprintf(out, "\n## `%.*s`\n\n", (int)length, row->path);
    }
    if (row->array != ARRAY_NONE) {
        fprintf(out, "%s A list, of at most %u.\n\n", table_array(row->array)->about,
                table_array(row->array)->max);
        fprintf(out, "| field | default | values | what it is |\n|---|---|---|---|\n");
    } else {
        fprintf(out, "| field | default | values | what it is | source | sure |\n"
                     "|---|---|---|---|---|---|\n");
    }
}

static bool same_heading(const struct table_row *a, const struct table_row *b)
{
    size_t length = head_length(a);
    return length == head_length(b) && strncmp(a->path, b->path, length) == 0;
}

char *reference_text(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return NULL;
    }
    fputs(introduction, out);
    const struct table_row *before = NULL;
    uint32_t count = table_count();
    for (uint32_t i = 0; i < count; i++) {
        const struct table_row *row = table_row(i);
        if (before == NULL || !same_heading(before, row)) {
            write_heading(out, row);
        }
        write_row(out, row);
        before = row;
    }
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

/* -- A plan in full ------------------------------------------------------------------------------
 */

static void add_value(cJSON *object, const char *key, const struct table_row *row,
                      const struct plan *plan, uint32_t element)
{
    char text[PLAN_ABOUT_SIZE];
    table_get(row, plan, element, text, sizeof text);
    if (row->kind == TABLE_BOOL) {
        cJSON_AddBoolToObject(object, key, strcmp(text, "true") == 0);
    } else {
        cJSON_AddStringToObject(object, key, text);
    }
}

/* The object that the row's value goes into, below `root`; its name there in `key`. */
static cJSON *parent_of(cJSON *root, const char *path, char *key, size_t size)
{
    cJSON *object = root;
    const char *at = path;
    for (const char *dot = strchr(at, '.'); dot != NULL; at = dot + 1, dot = strchr(at, '.')) {
        snprintf(key, size, "%.*s", (int)(dot - at), at);
        cJSON *below = cJSON_GetObjectItemCaseSensitive(object, key);
        object = below == NULL ? cJSON_AddObjectToObject(object, key) : below;
    }
    snprintf(key, size, "%s", at);
    return object;
}

static void add_list(cJSON *root, const struct plan *plan, enum table_array array)
{
    const struct table_array_info *info = table_array(array);
    uint32_t count;
    memcpy(&count, (const char *)plan + info->count_offset, sizeof count);
    cJSON *list = cJSON_AddArrayToObject(root, info->path);
    uint32_t rows = table_count();
    for (uint32_t e = 0; e < count; e++) {
        cJSON *element = cJSON_CreateObject();
        for (uint32_t i = 0; i < rows; i++) {
            const struct table_row *row = table_row(i);
            if (row->array == array) {
                const char *dot = strchr(row->path, '.');
                add_value(element, dot == NULL ? "text" : dot + 1, row, plan, e);
            }
        }
        if (info->bare) {
            cJSON_AddItemToArray(list, cJSON_DetachItemFromObject(element, "text"));
            cJSON_Delete(element);
        } else {
            cJSON_AddItemToArray(list, element);
        }
    }
}

char *plan_text(const struct plan *plan)
{
    cJSON *root = cJSON_CreateObject();
    uint32_t rows = table_count();
    for (uint32_t i = 0; i < rows; i++) {
        const struct table_row *row = table_row(i);
        char key[PLAN_NAME_SIZE];
        if (row->array == ARRAY_NONE) {
            cJSON *object = parent_of(root, row->path, key, sizeof key);
            add_value(object, key, row, plan, 0);
        }
    }
    for (enum table_array array = ARRAY_NONE + 1; array < ARRAY_COUNT; array++) {
        add_list(root, plan, array);
    }
    char *text = cJSON_Print(root);
    cJSON_Delete(root);
    return text;
}

/* FNV-1a, 64 bits. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001B3u;
    }
    return (hash ^ '\n') * 0x100000001B3u;
}

static bool is_hashed(const struct table_row *row)
{
    return row->array != ARRAY_CLAIMS && row->array != ARRAY_BUDGETS &&
           strcmp(row->path, "name") != 0 && strcmp(row->path, "about") != 0 &&
           strcmp(row->path, "run.seed") != 0 && strcmp(row->path, "run.undecided") != 0;
}

uint64_t plan_hash(const struct plan *plan)
{
    uint64_t hash = 0xCBF29CE484222325u;
    uint32_t rows = table_count();
    for (uint32_t i = 0; i < rows; i++) {
        const struct table_row *row = table_row(i);
        uint32_t count = 1;
        if (row->array != ARRAY_NONE) {
            memcpy(&count, (const char *)plan + table_array(row->array)->count_offset,
                   sizeof count);
        }
        for (uint32_t e = 0; is_hashed(row) && e < count; e++) {
            char text[PLAN_ABOUT_SIZE];
            hash = hash_text(hash, row->path);
            table_get(row, plan, e, text, sizeof text);
            const char *slash = row->kind == TABLE_FILE ? strrchr(text, '/') : NULL;
            hash = hash_text(hash, slash == NULL ? text : slash + 1); /* From wherever it runs. */
        }
    }
    return hash;
}
