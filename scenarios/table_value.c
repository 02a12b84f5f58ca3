/* Values of the table's rows: from text, with the bounds, and back. */
#include <stdio.h>
#include <string.h>

#include "models/core/check.h"
#include "scenarios/table.h"

static bool is_real(const struct table_row *row)
{
    return row->kind == UNITS_FACTOR || row->kind == UNITS_SHARE || row->kind == UNITS_RATE;
}

static enum units_kind unit_kind(const struct table_row *row)
{
    CHECK(row->kind < UNITS_KIND_COUNT || row->kind == TABLE_INDEX);
    return row->kind == TABLE_INDEX ? UNITS_COUNT : (enum units_kind)row->kind;
}

/* Whether a < b in the row's own order. */
static bool is_less(const struct table_row *row, struct units_value a, struct units_value b)
{
    if (is_real(row)) {
        return a.real < b.real;
    }
    if (row->kind == UNITS_SIGNED_DURATION) {
        return (int64_t)a.whole < (int64_t)b.whole;
    }
    return a.whole < b.whole;
}

static struct units_value bound(const struct table_row *row, const char *text)
{
    struct units_value value = {0};
    enum units_err err = units_parse(unit_kind(row), text, &value);
    CHECK(err == UNITS_OK);
    return value;
}

/* Text as it stood: a JSON number bare, everything else in quotes, and not too much of it. */
static const char *shown(const char *text, bool plain, char *buffer, size_t size)
{
    snprintf(buffer, size, plain ? "%.60s" : "\"%.60s\"", text);
    return buffer;
}

static void say_unit(const struct table_row *row, const char *text, bool plain, enum units_err err,
                     char *why, size_t size)
{
    enum units_kind kind = unit_kind(row);
    char value[80];
    shown(text, plain, value, sizeof value);
    switch (err) {
    case UNITS_ERR_NEGATIVE:
        snprintf(why, size, "%s is negative, which makes no sense here; write it like %s", value,
                 units_example(kind));
        return;
    case UNITS_ERR_RANGE:
        snprintf(why, size, "%s is too large to hold", value);
        return;
    case UNITS_ERR_EXACT:
        snprintf(why, size, "%s is finer than %s can be; round it", value, units_noun(kind));
        return;
    case UNITS_OK:
    case UNITS_ERR_NUMBER:
    case UNITS_ERR_UNIT:
        break;
    }
    bool bare = strspn(text, "0123456789.eE+- ") == strlen(text) && text[0] != '\0';
    if (bare && err == UNITS_ERR_UNIT) {
        snprintf(why, size, "%s has no unit; %s is written like %s", value, units_noun(kind),
                 units_example(kind));
    } else {
        snprintf(why, size, "%s is not %s; write it like %s", value, units_noun(kind),
                 units_example(kind));
    }
}

static void store_number(const struct table_row *row, struct units_value value, void *field)
{
    switch (row->store) {
    case STORE_U32:
        CHECK(value.whole <= UINT32_MAX);
        *(uint32_t *)field = (uint32_t)value.whole;
        return;
    case STORE_U64:
        *(uint64_t *)field = value.whole;
        return;
    case STORE_I64:
        *(int64_t *)field = (int64_t)value.whole;
        return;
    case STORE_F64:
        *(double *)field = is_real(row) ? value.real : (double)value.whole;
        return;
    case STORE_BOOL:
    case STORE_TEXT:
        break;
    }
    CHECK(row->store == STORE_F64); /* No other kind of number. */
}

static bool set_number(const struct table_row *row, void *field, const char *text, bool plain,
                       char *why, size_t size)
{
    struct units_value value;
    if (row->kind == TABLE_INDEX && strcmp(text, "any") == 0) {
        *(uint32_t *)field = PLAN_ANY;
        return true;
    }
    enum units_err err = units_parse(unit_kind(row), text, &value);
    if (err != UNITS_OK) {
        say_unit(row, text, plain, err, why, size);
        return false;
    }
    char quoted[80];
    shown(text, plain, quoted, sizeof quoted);
    if (row->least != NULL && is_less(row, value, bound(row, row->least))) {
        snprintf(why, size, "%s is too small; the least is %s", quoted, row->least);
        return false;
    }
    if (row->most != NULL && is_less(row, bound(row, row->most), value)) {
        snprintf(why, size, "%s is too large; the most is %s", quoted, row->most);
        return false;
    }
    store_number(row, value, field);
    return true;
}

static bool set_enum(const struct table_row *row, void *field, const char *text, char *why,
                     size_t size)
{
    size_t used = (size_t)snprintf(why, size, "\"%.40s\" is none of", text);
    for (uint32_t i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(row->choices[i], text) == 0) {
            *(uint32_t *)field = i;
            return true;
        }
        if (used < size) {
            used += (size_t)snprintf(why + used, size - used, "%s %s", i == 0 ? "" : ",",
                                     row->choices[i]);
        }
    }
    const char *nearest = table_nearest_choice(row->choices, text);
    if (nearest != NULL && used < size) {
        snprintf(why + used, size - used, "; did you mean \"%s\"?", nearest);
    }
    return false;
}

static bool set_text(const struct table_row *row, void *field, const char *text, char *why,
                     size_t size)
{
    size_t length = strlen(text);
    if (length >= row->size) {
        snprintf(why, size, "a text of %zu bytes; at most %zu are kept", length, row->size - 1);
        return false;
    }
    if (length == 0 && row->initial == NULL) {
        snprintf(why, size, "an empty text; say something or leave the element out");
        return false;
    }
    memset(field, 0, row->size);
    memcpy(field, text, length);
    return true;
}

bool table_set(const struct table_row *row, struct plan *plan, uint32_t element, const char *text,
               bool plain, char *why, size_t why_size)
{
    CHECK(why_size >= 64);
    void *field = table_field(row, plan, element);
    switch (row->kind) {
    case TABLE_ENUM:
        CHECK(row->store == STORE_U32);
        return set_enum(row, field, text, why, why_size);
    case TABLE_BOOL:
        CHECK(row->store == STORE_BOOL);
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            snprintf(why, why_size, "\"%.40s\" is neither true nor false", text);
            return false;
        }
        *(bool *)field = text[0] == 't';
        return true;
    case TABLE_STRING:
    case TABLE_FILE:
        CHECK(row->store == STORE_TEXT);
        return set_text(row, field, text, why, why_size);
    default:
        return set_number(row, field, text, plain, why, why_size);
    }
}

const char *table_get(const struct table_row *row, const struct plan *plan, uint32_t element,
                      char *buffer, size_t size)
{
    const void *field = table_field_const(row, plan, element);
    struct units_value value = {0};
    switch (row->store) {
    case STORE_TEXT:
        snprintf(buffer, size, "%s", (const char *)field);
        return buffer;
    case STORE_BOOL:
        snprintf(buffer, size, "%s", *(const bool *)field ? "true" : "false");
        return buffer;
    case STORE_U32:
        value.whole = *(const uint32_t *)field;
        if (row->kind == TABLE_ENUM) {
            snprintf(buffer, size, "%s", row->choices[value.whole]);
            return buffer;
        }
        if (row->kind == TABLE_INDEX && value.whole == PLAN_ANY) {
            snprintf(buffer, size, "any");
            return buffer;
        }
        break;
    case STORE_U64:
        value.whole = *(const uint64_t *)field;
        break;
    case STORE_I64:
        value.whole = (uint64_t) * (const int64_t *)field;
        break;
    case STORE_F64:
        value.real = *(const double *)field;
        value.whole = is_real(row) ? 0 : (uint64_t)value.real;
        break;
    }
    return units_format(unit_kind(row), value, buffer, size);
}
