#include "scenarios/schema.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/core/check.h"
#include "scenarios/load.h"
#include "scenarios/table.h"

#define SCHEMA_ID "urn:chatscale:scenario:1"

static cJSON *object_of(cJSON *parent, const char *key)
{
    cJSON *object = cJSON_GetObjectItemCaseSensitive(parent, key);
    return object == NULL ? cJSON_AddObjectToObject(parent, key) : object;
}

static void add_text(cJSON *object, const char *key, const char *text)
{
    cJSON_AddStringToObject(object, key, text);
}

/* An object of the schema: closed, and with an "about" like all of them. Returns its properties. */
static cJSON *open_object(cJSON *schema)
{
    cJSON *properties = cJSON_GetObjectItemCaseSensitive(schema, "properties");
    if (properties == NULL) {
        add_text(schema, "type", "object");
        properties = cJSON_AddObjectToObject(schema, "properties");
        cJSON_AddBoolToObject(schema, "additionalProperties", false);
        cJSON *about = cJSON_AddObjectToObject(properties, "about");
        add_text(about, "type", "string");
        add_text(about, "description", "Words for the reader.");
    }
    return properties;
}

/* -- A row ---------------------------------------------------------------------------------------
 */

static void describe(cJSON *schema, const struct table_row *row)
{
    char text[2048];
    char range[96] = "";
    if (row->kind < UNITS_KIND_COUNT && row->most != NULL) {
        snprintf(range, sizeof range, " From %s to %s.", row->least == NULL ? "0" : row->least,
                 row->most);
    }
    snprintf(text, sizeof text, "%s%s%s%s", row->about, range,
             row->source[0] == '\0' ? "" : " Default: ", row->source);
    add_text(schema, "description", text);
}

static void add_default(cJSON *schema, const struct table_row *row)
{
    if (row->initial == NULL || row->kind == TABLE_STRING || row->kind == TABLE_FILE) {
        return;
    }
    if (row->kind == TABLE_BOOL) {
        cJSON_AddBoolToObject(schema, "default", strcmp(row->initial, "true") == 0);
    } else if (row->kind < UNITS_KIND_COUNT && units_is_plain((enum units_kind)row->kind) &&
               strspn(row->initial, "0123456789.e-") == strlen(row->initial)) {
        cJSON_AddNumberToObject(schema, "default", strtod(row->initial, NULL));
    } else {
        add_text(schema, "default", row->initial);
    }
}

static void add_string_choice(cJSON *any, const char *pattern)
{
    cJSON *text = cJSON_CreateObject();
    add_text(text, "type", "string");
    add_text(text, "pattern", pattern);
    cJSON_AddItemToArray(any, text);
}

static void add_number_choice(cJSON *any, const struct table_row *row, bool plain)
{
    cJSON *number = cJSON_CreateObject();
    bool whole = row->kind == UNITS_COUNT || row->kind == TABLE_INDEX;
    if (!plain) {
        cJSON_AddNumberToObject(number, "const", 0); /* Zero needs no unit. */
    } else {
        struct units_value value;
        enum units_kind kind = whole ? UNITS_COUNT : (enum units_kind)row->kind;
        add_text(number, "type", whole ? "integer" : "number");
        if (units_parse(kind, row->least == NULL ? "0" : row->least, &value) == UNITS_OK) {
            cJSON_AddNumberToObject(number, "minimum", whole ? (double)value.whole : value.real);
        }
        if (row->most != NULL && units_parse(kind, row->most, &value) == UNITS_OK) {
            cJSON_AddNumberToObject(number, "maximum", whole ? (double)value.whole : value.real);
        }
    }
    cJSON_AddItemToArray(any, number);
}

static void fill_row(cJSON *schema, const struct table_row *row)
{
    describe(schema, row);
    if (row->kind == TABLE_ENUM) {
        cJSON *names = cJSON_AddArrayToObject(schema, "enum");
        for (uint32_t i = 0; row->choices[i] != NULL; i++) {
            cJSON_AddItemToArray(names, cJSON_CreateString(row->choices[i]));
        }
    } else if (row->kind == TABLE_BOOL) {
        add_text(schema, "type", "boolean");
    } else if (row->kind == TABLE_STRING || row->kind == TABLE_FILE) {
        add_text(schema, "type", "string");
        cJSON_AddNumberToObject(schema, "maxLength", (double)(row->size - 1));
    } else {
        cJSON *any = cJSON_AddArrayToObject(schema, "anyOf");
        bool index = row->kind == TABLE_INDEX;
        enum units_kind kind = index ? UNITS_COUNT : (enum units_kind)row->kind;
        add_string_choice(any, units_pattern(kind));
        if (index) {
            add_string_choice(any, "^any$");
        }
        add_number_choice(any, row, units_is_plain(kind));
    }
    add_default(schema, row);
}

/* -- All rows ------------------------------------------------------------------------------------
 */

/* Walks down the row's path from `root`, making what is missing; returns the row's own schema. */
static cJSON *descend(cJSON *root, const struct table_row *row, cJSON **parent)
{
    cJSON *schema = root;
    const char *at = row->path;
    for (;;) {
        size_t length = strcspn(at, ".[");
        char key[PLAN_NAME_SIZE];
        snprintf(key, sizeof key, "%.*s", (int)length, at);
        *parent = schema;
        schema = object_of(open_object(schema), key);
        at += length;
        if (at[0] == '[') {
            const struct table_array_info *info = table_array(row->array);
            if (cJSON_GetObjectItemCaseSensitive(schema, "items") == NULL) {
                add_text(schema, "type", "array");
                add_text(schema, "description", info->about);
                cJSON_AddNumberToObject(schema, "maxItems", (double)info->max);
            }
            schema = object_of(schema, "items");
            at += 2;
        }
        if (*at == '\0') {
            return schema;
        }
        CHECK(*at == '.');
        at++;
    }
}

static void require(cJSON *parent, const char *path)
{
    const char *dot = strrchr(path, '.');
    cJSON *required = cJSON_GetObjectItemCaseSensitive(parent, "required");
    if (required == NULL) {
        required = cJSON_AddArrayToObject(parent, "required");
    }
    cJSON_AddItemToArray(required, cJSON_CreateString(dot == NULL ? path : dot + 1));
}

/* What the table does not have: $schema, extends, variants. */
static void add_structure(cJSON *root)
{
    cJSON *properties = cJSON_GetObjectItemCaseSensitive(root, "properties");
    uint32_t fields = (uint32_t)cJSON_GetArraySize(properties);
    cJSON *variants = cJSON_CreateObject();
    add_text(variants, "type", "array");
    add_text(variants, "description",
             "Plans that this scenario stands for, run one after another: each a name and the "
             "fields that it sets over the scenario's own.");
    cJSON_AddNumberToObject(variants, "maxItems", (double)SCENARIO_VARIANTS_MAX);
    cJSON *variant = cJSON_AddObjectToObject(variants, "items");
    cJSON *inside = open_object(variant);
    for (uint32_t i = 0; i < fields; i++) {
        const char *key = cJSON_GetArrayItem(properties, (int)i)->string;
        if (strcmp(key, "name") == 0 || strcmp(key, "about") == 0) {
            continue;
        }
        char reference[PLAN_NAME_SIZE * 2];
        snprintf(reference, sizeof reference, "#/properties/%s", key);
        add_text(object_of(inside, key), "$ref", reference);
    }
    cJSON *name = object_of(inside, "name");
    add_text(name, "type", "string");
    add_text(name, "pattern", "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,62}$");
    require(variant, "name");

    cJSON *schema = object_of(properties, "$schema");
    add_text(schema, "type", "string");
    add_text(schema, "description", "Where editors find this schema.");
    cJSON *extends = object_of(properties, "extends");
    add_text(extends, "type", "string");
    add_text(extends, "description",
             "Another scenario, relative to this file, whose fields hold where this one says "
             "nothing. Lists are replaced as a whole.");
    cJSON_AddItemToObject(properties, "variants", variants);
}

char *schema_text(void)
{
    cJSON *root = cJSON_CreateObject();
    add_text(root, "$schema", "https://json-schema.org/draft/2020-12/schema");
    add_text(root, "$id", SCHEMA_ID);
    add_text(root, "title", "chatscale scenario");
    open_object(root);
    uint32_t count = table_count();
    for (uint32_t i = 0; i < count; i++) {
        const struct table_row *row = table_row(i);
        cJSON *parent;
        cJSON *schema = descend(root, row, &parent);
        if (cJSON_GetArraySize(schema) > 0) {
            cJSON_DeleteItemFromObject(schema, "type"); /* "about", which every object has. */
            cJSON_DeleteItemFromObject(schema, "description");
        }
        fill_row(schema, row);
        bool bare = row->array != ARRAY_NONE && table_array(row->array)->bare;
        if (row->initial == NULL && !bare) {
            cJSON *items = cJSON_GetObjectItemCaseSensitive(parent, "items");
            require(items == NULL ? parent : items, row->path);
        }
    }
    add_structure(root);
    char *printed = cJSON_Print(root);
    cJSON_Delete(root);
    if (printed == NULL) {
        return NULL;
    }
    size_t length = strlen(printed);
    char *text = realloc(printed, length + 2);
    if (text == NULL) {
        free(printed);
        return NULL;
    }
    text[length] = '\n';
    text[length + 1] = '\0';
    return text;
}
