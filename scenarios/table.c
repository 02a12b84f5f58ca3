#include "scenarios/table.h"

#include <stdio.h>
#include <string.h>

#include "models/core/check.h"
#include "scenarios/nearest.h"
#include "scenarios/table_rows.h"

#define SECTION_COUNT 5u

static const struct table_row *const sections[SECTION_COUNT] = {
    table_population, table_network, table_storage, table_services, table_lists,
};

static const struct table_array_info arrays[ARRAY_COUNT] = {
    [ARRAY_FAULTS] = {"faults", "What breaks, and when.", offsetof(struct plan, faults),
                      sizeof(struct plan_fault), offsetof(struct plan, fault_count),
                      PLAN_FAULTS_MAX, false},
    [ARRAY_RANDOM_FAULTS] = {"random_faults", "What breaks at random; drawn before the run.",
                             offsetof(struct plan, random_faults), sizeof(struct plan_random_fault),
                             offsetof(struct plan, random_fault_count), PLAN_RANDOM_FAULTS_MAX,
                             false},
    [ARRAY_CLAIMS] = {"claims", "Figures of the design that are put on trial.",
                      offsetof(struct plan, claims), sizeof(struct plan_claim),
                      offsetof(struct plan, claim_count), PLAN_CLAIMS_MAX, false},
    [ARRAY_BUDGETS] = {"budgets", "Limits that the result must keep.",
                       offsetof(struct plan, budgets), sizeof(struct plan_budget),
                       offsetof(struct plan, budget_count), PLAN_BUDGETS_MAX, true},
};

/* -- Finding ------------------------------------------------------------------------------------
 */

uint32_t table_count(void)
{
    uint32_t count = 0;
    for (uint32_t s = 0; s < SECTION_COUNT; s++) {
        for (const struct table_row *row = sections[s]; row->path != NULL; row++) {
            count++;
        }
    }
    CHECK(count <= TABLE_ROWS_MAX);
    return count;
}

const struct table_row *table_row(uint32_t index)
{
    for (uint32_t s = 0; s < SECTION_COUNT; s++) {
        for (const struct table_row *row = sections[s]; row->path != NULL; row++) {
            if (index == 0) {
                return row;
            }
            index--;
        }
    }
    CHECK(index == 0); /* Beyond the table. */
    return NULL;
}

uint32_t table_index_of(const struct table_row *row)
{
    uint32_t index = 0;
    for (uint32_t s = 0; s < SECTION_COUNT; s++) {
        for (const struct table_row *at = sections[s]; at->path != NULL; at++, index++) {
            if (at == row) {
                return index;
            }
        }
    }
    CHECK(row == NULL && row != NULL); /* Not of the table. */
    return 0;
}

const struct table_array_info *table_array(enum table_array array)
{
    CHECK(array > ARRAY_NONE && array < ARRAY_COUNT);
    return &arrays[array];
}

const struct table_row *table_find(const char *path)
{
    for (uint32_t s = 0; s < SECTION_COUNT; s++) {
        for (const struct table_row *row = sections[s]; row->path != NULL; row++) {
            if (strcmp(row->path, path) == 0) {
                return row;
            }
        }
    }
    return NULL;
}

/* What of the row's path lies below `section`; NULL where it does not. */
static const char *path_below(const struct table_row *row, const char *section)
{
    size_t length = strlen(section);
    if (length == 0) {
        return row->path;
    }
    if (strncmp(row->path, section, length) != 0) {
        return NULL;
    }
    const char *rest = row->path + length;
    return *rest == '.' ? rest + 1 : strncmp(rest, "[]", 2) == 0 ? rest : NULL;
}

bool table_is_section(const char *path)
{
    for (uint32_t s = 0; s < SECTION_COUNT; s++) {
        for (const struct table_row *row = sections[s]; row->path != NULL; row++) {
            if (path_below(row, path) != NULL) {
                return true;
            }
        }
    }
    return false;
}

enum table_array table_find_array(const char *path)
{
    for (enum table_array array = ARRAY_NONE + 1; array < ARRAY_COUNT; array++) {
        if (strcmp(arrays[array].path, path) == 0) {
            return array;
        }
    }
    return ARRAY_NONE;
}

/* -- The nearest name ---------------------------------------------------------------------------
 */

struct nearest {
    uint32_t distance;
    char *buffer;
    size_t size;
};

static void consider(struct nearest *best, const char *name, const char *candidate, size_t length)
{
    char text[PLAN_NAME_SIZE];
    snprintf(text, sizeof text, "%.*s", (int)length, candidate);
    uint32_t distance = nearest_distance(name, text);
    if (distance < best->distance) {
        best->distance = distance;
        snprintf(best->buffer, best->size, "%s", text);
    }
}

/* A row whose own name (or whose section's) is `name`: somebody took the wrong section. */
static const char *find_elsewhere(const char *name, char *buffer, size_t size)
{
    for (uint32_t s = 0; s < SECTION_COUNT; s++) {
        for (const struct table_row *row = sections[s]; row->path != NULL; row++) {
            const char *dot = strrchr(row->path, '.');
            if (row->array == ARRAY_NONE && dot != NULL && strcmp(dot + 1, name) == 0) {
                snprintf(buffer, size, "%s", row->path);
                return buffer;
            }
        }
    }
    return NULL;
}

const char *table_nearest(const char *section, const char *name, char *buffer, size_t size)
{
    struct nearest best = {nearest_limit(name) + 1, buffer, size};
    buffer[0] = '\0';
    for (uint32_t s = 0; s < SECTION_COUNT; s++) {
        for (const struct table_row *row = sections[s]; row->path != NULL; row++) {
            const char *below = path_below(row, section);
            if (below != NULL && *below != '[') {
                consider(&best, name, below, strcspn(below, ".["));
            }
        }
    }
    consider(&best, name, "about", 5);
    if (section[0] == '\0') {
        consider(&best, name, "extends", 7);
        consider(&best, name, "variants", 8);
    }
    if (best.distance > nearest_limit(name)) {
        return find_elsewhere(name, buffer, size);
    }
    return buffer;
}

const char *table_nearest_choice(const char *const *choices, const char *name)
{
    const char *best = NULL;
    uint32_t best_distance = nearest_limit(name) + 1;
    for (; *choices != NULL; choices++) {
        uint32_t distance = nearest_distance(name, *choices);
        if (distance < best_distance) {
            best = *choices;
            best_distance = distance;
        }
    }
    return best;
}

/* -- Fields -------------------------------------------------------------------------------------
 */

const void *table_field_const(const struct table_row *row, const struct plan *plan,
                              uint32_t element)
{
    const char *base = (const char *)plan;
    if (row->array != ARRAY_NONE) {
        CHECK(element < arrays[row->array].max);
        base += arrays[row->array].offset + element * arrays[row->array].stride;
    }
    return base + row->offset;
}

void *table_field(const struct table_row *row, struct plan *plan, uint32_t element)
{
    CHECK(row->array == ARRAY_NONE || element < arrays[row->array].max);
    size_t offset =
        (size_t)((const char *)table_field_const(row, plan, element) - (const char *)plan);
    return (char *)plan + offset;
}

static void set_default(const struct table_row *row, struct plan *plan, uint32_t element)
{
    char why[PLAN_TEXT_SIZE];
    bool good =
        row->initial == NULL || table_set(row, plan, element, row->initial, false, why, sizeof why);
    CHECK(good);
}

void table_defaults(struct plan *plan)
{
    *plan = (struct plan){0};
    for (uint32_t s = 0; s < SECTION_COUNT; s++) {
        for (const struct table_row *row = sections[s]; row->path != NULL; row++) {
            if (row->array == ARRAY_NONE) {
                set_default(row, plan, 0);
            }
            if (row->law) {
                /* The law's own rows follow it; its struct is complete once they have been set. */
                for (uint32_t i = 1; i < 5; i++) {
                    set_default(row + i, plan, 0);
                }
                plan_law_complete(table_field(row, plan, 0), row->mean);
            }
        }
    }
}

void table_element_defaults(enum table_array array, struct plan *plan, uint32_t element)
{
    const struct table_array_info *info = table_array(array);
    CHECK(element < info->max);
    memset((char *)plan + info->offset + element * info->stride, 0, info->stride);
    for (uint32_t s = 0; s < SECTION_COUNT; s++) {
        for (const struct table_row *row = sections[s]; row->path != NULL; row++) {
            if (row->array == array) {
                set_default(row, plan, element);
            }
        }
    }
}

const char *table_sure_name(enum table_sure sure)
{
    static const char *const names[] = {
        [SURE_MEASURED] = "measured", [SURE_VENDOR] = "vendor",   [SURE_CODE] = "code",
        [SURE_STANDARD] = "standard", [SURE_DERIVED] = "derived", [SURE_JUDGEMENT] = "judgement",
    };
    CHECK(sure <= SURE_JUDGEMENT);
    return names[sure];
}
