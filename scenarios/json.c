#include "scenarios/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "models/core/check.h"
#include "scenarios/json_scan.h"

static void refuse_file(const char *file, struct problems *problems, const char *why)
{
    struct place place = {file, 0, 0, NULL};
    problems_add(problems, PROBLEM_ERROR, &place, "%s", why);
}

/* Reads until the end, or one byte past `size_max`: a pipe or a device has no size to ask for. */
static bool read_stream(FILE *stream, size_t size_max, char **text, size_t *size)
{
    size_t capacity = 64 << 10;
    size_t used = 0;
    char *buffer = malloc(capacity + 1);
    while (buffer != NULL) {
        used += fread(buffer + used, 1, capacity - used, stream);
        if (used < capacity || used > size_max) {
            break;
        }
        capacity *= 2;
        char *grown = realloc(buffer, capacity + 1);
        if (grown == NULL) {
            free(buffer);
        }
        buffer = grown;
    }
    if (buffer == NULL) {
        return false;
    }
    buffer[used] = '\0';
    *text = buffer;
    *size = used;
    return true;
}

bool json_read_file(const char *file, size_t size_max, char **text, size_t *size,
                    struct problems *problems)
{
    char why[PROBLEM_TEXT_SIZE];
    struct stat status;
    FILE *stream = fopen(file, "rb");
    if (stream == NULL || fstat(fileno(stream), &status) != 0) {
        snprintf(why, sizeof why, "can't be read: %s", strerror(errno));
        refuse_file(file, problems, why);
        if (stream != NULL) {
            fclose(stream);
        }
        return false;
    }
    bool good = false;
    bool too_large = S_ISREG(status.st_mode) && (uint64_t)status.st_size > size_max;
    if (S_ISDIR(status.st_mode)) {
        refuse_file(file, problems, "is a folder; name a scenario file");
    } else if (too_large || !read_stream(stream, size_max, text, size)) {
        snprintf(why, sizeof why, "larger than the %zu MiB that a scenario may have",
                 size_max >> 20);
        refuse_file(file, problems, too_large ? why : "not enough memory to read it");
    } else if (ferror(stream) || *size > size_max) {
        snprintf(why, sizeof why, "larger than the %zu MiB that a scenario may have",
                 size_max >> 20);
        refuse_file(file, problems, *size > size_max ? why : "reading it failed");
        free(*text);
    } else {
        good = true;
    }
    fclose(stream);
    return good;
}

/* Walks cJSON's tree in the order of the text and hangs each item on its node. */
static void attach_items(struct json_document *document)
{
    const cJSON *open[JSON_DEPTH_MAX + 1];
    uint32_t depth = 0;
    uint32_t count = 0;
    const cJSON *item = document->root;
    while (item != NULL) {
        CHECK(count < document->node_count);
        document->nodes[count++].item = item;
        if (item->child != NULL) {
            CHECK(depth <= JSON_DEPTH_MAX);
            open[depth++] = item;
            item = item->child;
            continue;
        }
        while (item->next == NULL && depth > 0) {
            item = open[--depth];
        }
        item = depth == 0 && item == document->root ? NULL : item->next;
    }
    CHECK(count == document->node_count);
}

bool json_parse(struct json_document *document, const char *file, const char *text, size_t size,
                struct problems *problems)
{
    *document = (struct json_document){.file = file, .text = text};
    if (size > JSON_BYTES_MAX) {
        refuse_file(file, problems, "larger than the 4 MiB that a scenario may have");
        return false;
    }
    bool good = json_scan(document, size, problems);
    if (good) {
        document->root = cJSON_ParseWithLength(text, size);
        if (document->root == NULL) {
            refuse_file(file, problems, "not enough memory to read it");
            good = false;
        }
    }
    if (good) {
        attach_items(document);
    } else {
        json_free(document);
    }
    return good;
}

void json_free(struct json_document *document)
{
    cJSON_Delete(document->root);
    free(document->keys);
    free(document->nodes);
    *document = (struct json_document){0};
}

const char *json_path(const struct json_document *document, uint32_t node, char *buffer,
                      size_t size)
{
    CHECK(node < document->node_count);
    uint32_t chain[JSON_DEPTH_MAX + 1];
    uint32_t depth = 0;
    for (; node != 0; node = document->nodes[node].parent) {
        CHECK(depth <= JSON_DEPTH_MAX);
        chain[depth++] = node;
    }
    size_t used = (size_t)snprintf(buffer, size, "$");
    while (depth > 0 && used < size) {
        const struct json_node *n = &document->nodes[chain[--depth]];
        int added = n->key == NULL ? snprintf(buffer + used, size - used, "[%u]", n->index)
                                   : snprintf(buffer + used, size - used, ".%s", n->key);
        CHECK(added > 0);
        used += (size_t)added;
    }
    return buffer;
}

struct place json_value_place(const struct json_document *document, uint32_t node, char *buffer)
{
    const struct json_node *n = &document->nodes[node];
    json_path(document, node, buffer, PROBLEM_PATH_SIZE);
    return (struct place){document->file, n->value_line, n->value_column, buffer};
}

struct place json_key_place(const struct json_document *document, uint32_t node, char *buffer)
{
    const struct json_node *n = &document->nodes[node];
    json_path(document, node, buffer, PROBLEM_PATH_SIZE);
    return (struct place){document->file, n->line, n->column, buffer};
}

const char *json_kind_name(enum json_kind kind)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",     [JSON_STRING] = "a text",
        [JSON_NUMBER] = "a number",  [JSON_BOOL] = "true or false", [JSON_NULL] = "null",
    };
    CHECK(kind <= JSON_NULL);
    return names[kind];
}
