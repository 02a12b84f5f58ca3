#include "scenarios/apply.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/core/check.h"

/* -- Who set what -------------------------------------------------------------------------------
 */

static void remember(struct builder *b, const struct setting *setting)
{
    if (b->setting_count == b->setting_capacity) {
        uint32_t capacity = b->setting_capacity == 0 ? 64 : b->setting_capacity * 2;
        struct setting *grown = realloc(b->settings, capacity * sizeof *grown);
        if (grown == NULL) {
            return; /* Only the place in a message is lost. */
        }
        b->settings = grown;
        b->setting_capacity = capacity;
    }
    b->settings[b->setting_count++] = *setting;
}

static const struct setting *find_setting(const struct builder *b, const char *path,
                                          uint32_t element)
{
    const struct table_row *row = table_find(path);
    CHECK(row != NULL);
    for (uint32_t i = b->setting_count; i > 0; i--) {
        const struct setting *setting = &b->settings[i - 1];
        if (setting->row == row && setting->element == element) {
            return setting;
        }
    }
    return NULL;
}

/* "faults[].at" of element 2 is "$.faults[2].at". */
static void path_of(const char *path, uint32_t element, char *buffer)
{
    const char *bracket = strstr(path, "[]");
    if (bracket == NULL) {
        snprintf(buffer, PROBLEM_PATH_SIZE, "$.%.*s", PROBLEM_PATH_SIZE - 3, path);
    } else {
        snprintf(buffer, PROBLEM_PATH_SIZE, "$.%.*s[%u]%s", (int)(bracket - path), path, element,
                 bracket + 2);
    }
}

struct place builder_place(const struct builder *builder, const char *path, uint32_t element,
                           char *buffer)
{
    path_of(path, element, buffer);
    const struct setting *setting = find_setting(builder, path, element);
    if (setting == NULL) {
        return (struct place){builder->file, 0, 0, buffer};
    }
    return (struct place){setting->file, setting->line, setting->column, buffer};
}

bool builder_is_set(const struct builder *builder, const char *path, uint32_t element)
{
    return find_setting(builder, path, element) != NULL;
}

bool builder_is_valid(const struct builder *builder, const char *path, uint32_t element)
{
    const struct setting *setting = find_setting(builder, path, element);
    return setting != NULL && setting->valid;
}

void builder_free(struct builder *builder)
{
    free(builder->settings);
    builder->settings = NULL;
    builder->setting_count = 0;
    builder->setting_capacity = 0;
}

bool resolve_path(const char *file, const char *name, char *buffer, size_t size)
{
    const char *slash = strrchr(file, '/');
    bool beside = slash != NULL && name[0] != '/';
    int length = beside ? snprintf(buffer, size, "%.*s/%s", (int)(slash - file), file, name)
                        : snprintf(buffer, size, "%s", name);
    return length >= 0 && (size_t)length < size;
}

/* -- A document ---------------------------------------------------------------------------------
 */

/* The node's path as the table has it, below `root`: "faults[].at". */
static void table_path(const struct json_document *d, uint32_t root, uint32_t node, char *buffer,
                       size_t size)
{
    uint32_t chain[JSON_DEPTH_MAX + 1];
    uint32_t depth = 0;
    for (; node != root; node = d->nodes[node].parent) {
        CHECK(depth <= JSON_DEPTH_MAX);
        chain[depth++] = node;
    }
    size_t used = 0;
    buffer[0] = '\0';
    while (depth > 0 && used < size) {
        const char *key = d->nodes[chain[--depth]].key;
        used += key == NULL ? (size_t)snprintf(buffer + used, size - used, "[]")
                            : (size_t)snprintf(buffer + used, size - used, "%s%s",
                                               used > 0 ? "." : "", key);
    }
}

/* Index of the list's element that the node is in, or is. */
static uint32_t element_of(const struct json_document *d, uint32_t node)
{
    while (d->nodes[node].key != NULL) {
        node = d->nodes[node].parent;
    }
    return d->nodes[node].index;
}

static void refuse_value(struct builder *b, const struct json_document *d, uint32_t node,
                         const char *why)
{
    char path[PROBLEM_PATH_SIZE];
    struct place place = json_value_place(d, node, path);
    problems_add(b->problems, PROBLEM_ERROR, &place, "%s", why);
}

/* Whether a JSON value of this kind can be the row's; otherwise why not. */
static bool is_kind(const struct table_row *row, enum json_kind kind, char *why, size_t size)
{
    if (kind == JSON_NULL) {
        snprintf(why, size, "null says nothing; leave the field out for its default");
        return false;
    }
    bool text = row->kind == TABLE_ENUM || row->kind == TABLE_STRING || row->kind == TABLE_FILE;
    bool flag = row->kind == TABLE_BOOL;
    const char *expected = text                       ? "a text"
                           : flag                     ? "true or false, without quotes,"
                           : row->kind == TABLE_INDEX ? "a number from 0, or \"any\","
                                                      : units_noun((enum units_kind)row->kind);
    bool good = text   ? kind == JSON_STRING
                : flag ? kind == JSON_BOOL
                       : kind == JSON_NUMBER || kind == JSON_STRING;
    if (!good) {
        const char *example =
            row->kind < UNITS_KIND_COUNT ? units_example((enum units_kind)row->kind) : NULL;
        snprintf(why, size, "%s is expected here, not %s%s%s", expected, json_kind_name(kind),
                 example == NULL ? "" : "; write it like ", example == NULL ? "" : example);
    }
    return good;
}

/* Sets the row's field from the node's value; otherwise why not. */
static bool set_value(struct builder *b, const struct json_document *d, uint32_t node,
                      const struct table_row *row, uint32_t element, char *why, size_t size)
{
    const struct json_node *n = &d->nodes[node];
    char token[JSON_NUMBER_MAX + 1];
    char resolved[PLAN_PATH_SIZE * 2];
    const char *text = n->item->valuestring;
    if (!is_kind(row, n->kind, why, size)) {
        return false;
    }
    if (n->kind != JSON_STRING) {
        snprintf(token, sizeof token, "%.*s", (int)n->length, d->text + n->offset);
        text = token;
    }
    if (row->kind == TABLE_FILE && text[0] != '\0') {
        if (!resolve_path(d->file, text, resolved, sizeof resolved)) {
            snprintf(why, size, "the path is too long");
            return false;
        }
        text = resolved;
    }
    return table_set(row, b->plan, element, text, n->kind == JSON_NUMBER, why, size);
}

static void apply_value(struct builder *b, const struct json_document *d, uint32_t node,
                        const struct table_row *row)
{
    const struct json_node *n = &d->nodes[node];
    char why[PROBLEM_TEXT_SIZE];
    uint32_t element = row->array == ARRAY_NONE ? 0 : element_of(d, node);
    struct setting setting = {row, element, d->file, n->value_line, n->value_column, false};
    bool refused = n->kind == JSON_NUMBER && fabs(n->item->valuedouble) > (double)JSON_INTEGER_MAX;
    if (!refused) { /* By the scanner, which has said so. */
        setting.valid = set_value(b, d, node, row, element, why, sizeof why);
        if (!setting.valid) {
            refuse_value(b, d, node, why);
        }
    }
    remember(b, &setting);
}

static void set_position(const struct json_document *d, uint32_t node, struct plan_position *out)
{
    snprintf(out->file, sizeof out->file, "%s", d->file);
    out->line = d->nodes[node].value_line;
    out->column = d->nodes[node].value_column;
}

/* Replaces the plan's list by as many elements as the node has, each at its defaults. */
static void begin_array(struct builder *b, const struct json_document *d, uint32_t node,
                        enum table_array array)
{
    const struct table_array_info *info = table_array(array);
    for (uint32_t i = 0; i < b->setting_count; i++) {
        if (b->settings[i].row != NULL && b->settings[i].row->array == array) {
            b->settings[i].row = NULL;
        }
    }
    uint32_t count = 0;
    for (uint32_t child = node + 1; child < d->nodes[node].next; child = d->nodes[child].next) {
        if (count == info->max) {
            char why[80];
            snprintf(why, sizeof why, "more than the %u that a scenario can have", info->max);
            refuse_value(b, d, child, why);
            break;
        }
        table_element_defaults(array, b->plan, count);
        CHECK(count < ELEMENTS_MAX);
        b->elements[array][count] =
            (struct origin){d->file, d->nodes[child].value_line, d->nodes[child].value_column};
        if (array == ARRAY_CLAIMS) {
            set_position(d, child, &b->plan->claims[count].position);
        } else if (array == ARRAY_BUDGETS) {
            set_position(d, child, &b->plan->budgets[count].position);
        }
        count++;
    }
    memcpy((char *)b->plan + info->count_offset, &count, sizeof count);
}

static void refuse_unknown(struct builder *b, const struct json_document *d, uint32_t root,
                           uint32_t node)
{
    char section[PROBLEM_PATH_SIZE];
    char near[PLAN_NAME_SIZE * 2];
    char path[PROBLEM_PATH_SIZE];
    const char *key = d->nodes[node].key;
    CHECK(key != NULL); /* Elements have been refused by their list. */
    table_path(d, root, d->nodes[node].parent, section, sizeof section);
    /* Not for what is only counted any more: it takes some microseconds. */
    bool full = b->problems->count == PROBLEMS_MAX;
    const char *nearest = full ? NULL : table_nearest(section, key, near, sizeof near);
    struct place place = json_key_place(d, node, path);
    if (strpbrk(key, ".[") != NULL) {
        problems_add(
            b->problems, PROBLEM_ERROR, &place,
            "a field name has no dots or brackets; nest it: {\"kafka\": {\"brokers\": 20}}");
    } else if (nearest != NULL && strcmp(nearest, key) == 0) {
        problems_add(b->problems, PROBLEM_ERROR, &place, "does not belong here; remove it");
    } else if (nearest != NULL) {
        problems_add(b->problems, PROBLEM_ERROR, &place, "unknown field; did you mean \"%s\"?",
                     nearest);
    } else {
        problems_add(b->problems, PROBLEM_ERROR, &place,
                     "unknown field; remove it, or see docs/scenarios.md for those there are");
    }
}

/* A node that has fields or elements below it. Returns the node to go on with. */
static uint32_t enter_section(struct builder *b, const struct json_document *d, uint32_t node,
                              const char *path)
{
    const struct json_node *n = &d->nodes[node];
    enum table_array array = table_find_array(path);
    if (array != ARRAY_NONE && n->kind == JSON_ARRAY) {
        begin_array(b, d, node, array);
        return node + 1;
    }
    if (array == ARRAY_NONE && n->kind == JSON_OBJECT) {
        return node + 1;
    }
    char why[PROBLEM_TEXT_SIZE];
    snprintf(why, sizeof why, "%s is expected here, not %s",
             array != ARRAY_NONE ? "a list in [ ]" : "an object in { } with its fields",
             json_kind_name(n->kind));
    refuse_value(b, d, node, why);
    return n->next;
}

static bool is_skipped(const char *const *skipped, const char *key)
{
    for (; *skipped != NULL; skipped++) {
        if (strcmp(*skipped, key) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the node is an element beyond what its list can hold. */
static bool is_surplus(const struct json_node *node, const char *path)
{
    for (enum table_array array = ARRAY_NONE + 1; node->key == NULL && array < ARRAY_COUNT;
         array++) {
        const struct table_array_info *info = table_array(array);
        size_t length = strlen(info->path);
        if (strncmp(path, info->path, length) == 0 && strcmp(path + length, "[]") == 0) {
            return node->index >= info->max;
        }
    }
    return false;
}

void apply_object(struct builder *builder, const struct json_document *document, uint32_t root,
                  const char *const *skipped)
{
    uint32_t end = document->nodes[root].next;
    for (uint32_t i = root + 1; i < end;) {
        const struct json_node *node = &document->nodes[i];
        char path[PROBLEM_PATH_SIZE];
        table_path(document, root, i, path, sizeof path);
        if ((node->parent == root && is_skipped(skipped, node->key)) || is_surplus(node, path)) {
            i = node->next;
            continue;
        }
        bool plain = node->key == NULL || strpbrk(node->key, ".[") == NULL;
        const struct table_row *row = plain ? table_find(path) : NULL;
        if (row != NULL) {
            apply_value(builder, document, i, row);
            i = node->next;
        } else if (plain && table_is_section(path)) {
            i = enter_section(builder, document, i, path);
        } else {
            bool about = node->key != NULL && strcmp(node->key, "about") == 0;
            if (about && node->kind != JSON_STRING) {
                refuse_value(builder, document, i, "\"about\" is for words: a text");
            } else if (!about) {
                refuse_unknown(builder, document, root, i);
            }
            i = node->next;
        }
    }
}

/* -- An override --------------------------------------------------------------------------------
 */

/* Splits "faults[2].at" into "faults[].at" and 2; false where the brackets make no sense. */
static bool split_element(char *path, uint32_t *element)
{
    *element = 0;
    char *open = strchr(path, '[');
    if (open == NULL) {
        return true;
    }
    char *end;
    unsigned long index = strtoul(open + 1, &end, 10);
    if (open[1] < '0' || open[1] > '9' || *end != ']' || index > UINT16_MAX) {
        return false;
    }
    memmove(open + 1, end, strlen(end) + 1);
    *element = (uint32_t)index;
    return true;
}

static void refuse_override(struct builder *b, const char *path, const char *shown)
{
    /* The longest section that the path begins with, and the name in it that nobody knows. */
    char section[PROBLEM_PATH_SIZE];
    char name[PROBLEM_PATH_SIZE];
    char near[PLAN_NAME_SIZE * 2];
    snprintf(section, sizeof section, "%s", path);
    const char *rest = path;
    char *dot = strrchr(section, '.');
    while (dot != NULL && !table_is_section(section)) {
        *dot = '\0';
        dot = strrchr(section, '.');
    }
    if (table_is_section(section)) {
        size_t length = strlen(section);
        rest = path[length] == '.' ? path + length + 1 : path + length;
    } else {
        section[0] = '\0';
    }
    char full[PROBLEM_PATH_SIZE];
    snprintf(full, sizeof full, "$.%.200s", path);
    struct place place = {shown, 0, 0, full};
    snprintf(name, sizeof name, "%.*s", (int)strcspn(rest, ".["), rest);
    const char *nearest = name[0] == '\0' ? NULL : table_nearest(section, name, near, sizeof near);
    if (name[0] == '\0') {
        problems_add(b->problems, PROBLEM_ERROR, &place,
                     "names a whole section; set one of its fields");
    } else if (nearest == NULL) {
        problems_add(b->problems, PROBLEM_ERROR, &place,
                     "unknown field; see docs/scenarios.md for those there are");
    } else {
        bool whole = strchr(nearest, '.') != NULL || section[0] == '\0';
        problems_add(b->problems, PROBLEM_ERROR, &place, "unknown field; did you mean \"%s%s%s\"?",
                     whole ? "" : section, whole ? "" : ".", nearest);
    }
}

void apply_override(struct builder *builder, const char *text, const char *shown)
{
    const char *equals = strchr(text, '=');
    char path[PROBLEM_PATH_SIZE];
    struct place place = {shown, 0, 0, NULL};
    if (equals == NULL || equals == text || (size_t)(equals - text) >= sizeof path) {
        problems_add(builder->problems, PROBLEM_ERROR, &place,
                     "an override is a field, = and a value: --set kafka.brokers=30");
        return;
    }
    snprintf(path, sizeof path, "%.*s", (int)(equals - text), text);
    uint32_t element = 0;
    const struct table_row *row = split_element(path, &element) ? table_find(path) : NULL;
    if (row == NULL) {
        refuse_override(builder, path, shown);
        return;
    }
    char full[PROBLEM_PATH_SIZE];
    path_of(path, element, full);
    place.path = full;
    if (row->array != ARRAY_NONE) {
        uint32_t count;
        const struct table_array_info *info = table_array(row->array);
        memcpy(&count, (char *)builder->plan + info->count_offset, sizeof count);
        if (element >= count) {
            problems_add(builder->problems, PROBLEM_ERROR, &place,
                         "there are %u %s, counted from 0; add one in the file", count, info->path);
            return;
        }
    }
    char why[PROBLEM_TEXT_SIZE];
    if (!table_set(row, builder->plan, element, equals + 1, false, why, sizeof why)) {
        problems_add(builder->problems, PROBLEM_ERROR, &place, "%s", why);
        return;
    }
    struct setting setting = {row, element, shown, 0, 0, true};
    remember(builder, &setting);
}
