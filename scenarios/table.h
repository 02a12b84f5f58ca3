/* The one table: a row for each parameter that a scenario can set.
 *
 * The loader, the overrides, the search for the nearest name, scenarios/schema.json and
 * docs/scenarios.md are all driven by it, so they can't disagree. To add a parameter: a field in
 * models/plan.h, a row in a scenarios/table_*.c (with its default and where that comes from),
 * `chatscale schema --write`, and in tests/golden/test_knobs.py a run whose result it changes.
 *
 * A row's path names it: "kafka.brokers", "network.wifi.rtt.median". Elements of an array have
 * "faults[].at", and their offsets are within the element. A law is five rows, `law` first.
 *
 * Values are written as people write them ("5 s"); scenarios/units.h makes numbers of them.
 */
#ifndef SCENARIOS_TABLE_H
#define SCENARIOS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/plan.h"
#include "scenarios/units.h"

#define TABLE_ROWS_MAX 400u

/* The first kinds are those of units.h, by the same numbers. */
enum table_kind {
    TABLE_INDEX = UNITS_KIND_COUNT, /* A count, or "any" for PLAN_ANY. */
    TABLE_ENUM,
    TABLE_BOOL,
    TABLE_STRING,
    TABLE_FILE, /* A string that is a path, relative to the file that says it. */
};

/* How the value lies in the plan. */
enum table_store { STORE_U32, STORE_U64, STORE_I64, STORE_F64, STORE_BOOL, STORE_TEXT };

enum table_array {
    ARRAY_NONE,
    ARRAY_FAULTS,
    ARRAY_RANDOM_FAULTS,
    ARRAY_CLAIMS,
    ARRAY_BUDGETS,
    ARRAY_COUNT,
};

/* How sure a default is. */
enum table_sure {
    SURE_MEASURED,  /* By others, as the source says. */
    SURE_VENDOR,    /* Claim or documented limit of whoever runs or sells it. */
    SURE_CODE,      /* Constant or default in source code. */
    SURE_STANDARD,  /* Protocol text. */
    SURE_DERIVED,   /* Arithmetic on cited figures. */
    SURE_JUDGEMENT, /* Ours alone. */
};

struct table_row {
    const char *path;
    int kind; /* enum units_kind or enum table_kind. */
    enum table_store store;
    enum table_array array;
    size_t offset;              /* In struct plan; with an array, in its element. */
    size_t size;                /* Of the field. */
    const char *const *choices; /* ENUM: names by value, NULL at the end. */
    const char *initial;        /* The default, as text; NULL: must be given. */
    const char *least;          /* Smallest value, as text; NULL: the kind's own bound. */
    const char *most;
    const char *about;
    const char *source;
    enum table_sure sure;
    bool law;  /* The `law` row of a law: its offset is that of the struct plan_law. */
    bool mean; /* ... which is given by its mean, not its median. */
};

struct table_array_info {
    const char *path; /* "faults". */
    const char *about;
    size_t offset; /* Of the first element, in struct plan. */
    size_t stride;
    size_t count_offset; /* Of the uint32_t that counts them. */
    uint32_t max;
    bool bare; /* Elements are single values, not objects. */
};

uint32_t table_count(void);
const struct table_row *table_row(uint32_t index);
const struct table_array_info *table_array(enum table_array array);
uint32_t table_index_of(const struct table_row *row);

/* The row of this path; NULL where there is none. */
const struct table_row *table_find(const char *path);

/* Whether rows lie below it: "kafka", "network.wifi.rtt", "faults", "faults[]", "" (the root). */
bool table_is_section(const char *path);

/* The array of this path, ARRAY_NONE where it is none. */
enum table_array table_find_array(const char *path);

/* The field name below `section` that is nearest to `name`, or else a whole path of the table that
 * ends in it; NULL where nothing is near. Borrowed from `buffer`. */
const char *table_nearest(const char *section, const char *name, char *buffer, size_t size);

/* The nearest of `choices` (NULL at the end), or NULL. */
const char *table_nearest_choice(const char *const *choices, const char *name);

/* Where the field lies; `element` counts only for rows of an array. */
void *table_field(const struct table_row *row, struct plan *plan, uint32_t element);
const void *table_field_const(const struct table_row *row, const struct plan *plan,
                              uint32_t element);

/* Every parameter at its default; arrays empty; laws complete. */
void table_defaults(struct plan *plan);

/* An element of an array at its defaults. */
void table_element_defaults(enum table_array array, struct plan *plan, uint32_t element);

/* Sets a field from text. false, with what is wrong and how to write it in `why`, and nothing
 * changed, when it is not of the row's kind or out of its bounds. `plain` says that the text is a
 * JSON number, which some kinds don't take. */
bool table_set(const struct table_row *row, struct plan *plan, uint32_t element, const char *text,
               bool plain, char *why, size_t why_size);

/* The field's value as a scenario would give it, without quotes; returns `buffer`. */
const char *table_get(const struct table_row *row, const struct plan *plan, uint32_t element,
                      char *buffer, size_t size);

/* "measured", "vendor", ... */
const char *table_sure_name(enum table_sure sure);

#endif
