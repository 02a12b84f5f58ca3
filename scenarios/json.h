/* A strict reading of JSON, with positions.
 *
 * cJSON builds the tree, but keeps no positions, takes the first of two equal keys, and lets pass
 * what RFC 8259 forbids. So a scanner reads the text before it: UTF-8, grammar, nesting, numbers
 * that a double can't hold, duplicate keys; it lists every fault that does not hide the next. Only
 * a text without faults of grammar reaches cJSON.
 *
 * The result is flat: all values in the order of the text, a parent before its children, so that
 * whoever reads it needs a loop and no recursion:
 *
 *     {"kafka": {"brokers": 20}, "level": 4}
 *     0 ^  1    ^         2 ^        3 ^       nodes[1].parent = 0, nodes[1].next = 3
 *
 * Limits: JSON_BYTES_MAX, JSON_NODES_MAX, JSON_DEPTH_MAX, and JSON_NUMBER_MAX characters a number
 * (cJSON would cut a longer one). Time is O(n log n) in the size.
 */
#ifndef SCENARIOS_JSON_H
#define SCENARIOS_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenarios/problems.h"

#define JSON_BYTES_MAX ((size_t)4 << 20)
#define JSON_NODES_MAX 100000u
#define JSON_DEPTH_MAX 32u
#define JSON_NUMBER_MAX 40u
#define JSON_INTEGER_MAX 9007199254740992ull /* 2^53: beyond it a double skips integers. */

enum json_kind { JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_BOOL, JSON_NULL };

struct json_node {
    const cJSON *item; /* Borrowed from the document. */
    const char *key;   /* Decoded; NULL for the root and for elements. Borrowed. */
    size_t offset;     /* Of the value in the text. */
    size_t length;     /* Of the value's text. */
    uint32_t line;     /* Of its key, or of the value where there is no key. */
    uint32_t column;
    uint32_t value_line; /* Of the value. */
    uint32_t value_column;
    uint32_t parent; /* The root is its own. */
    uint32_t next;   /* First node behind this one and all below it. */
    uint32_t index;  /* Among its parent's children. */
    enum json_kind kind;
};

struct json_document {
    const char *file; /* Borrowed from whoever parsed; for messages. */
    const char *text; /* Borrowed likewise. */
    cJSON *root;
    char *keys;
    struct json_node *nodes;
    uint32_t node_count;
};

/* Reads a whole file of at most `size_max` bytes; the caller frees *text, which a NUL follows.
 * false: a problem has been added (missing, a folder, too large, unreadable). */
bool json_read_file(const char *file, size_t size_max, char **text, size_t *size,
                    struct problems *problems);

/* `text` need not end in NUL; it and `file` are borrowed until json_free(). false: not readable as
 * JSON; the problems say why, and nothing is to be freed. true: the tree is there, but numbers out
 * of range and duplicate keys may have been added to the problems all the same, so that their
 * count decides whether the document is used. */
bool json_parse(struct json_document *document, const char *file, const char *text, size_t size,
                struct problems *problems);

void json_free(struct json_document *document);

/* "$.faults[2].at" into `buffer`; returns it. */
const char *json_path(const struct json_document *document, uint32_t node, char *buffer,
                      size_t size);

/* The place of a node's value, or of its key, with `buffer` of PROBLEM_PATH_SIZE for the path. */
struct place json_value_place(const struct json_document *document, uint32_t node, char *buffer);
struct place json_key_place(const struct json_document *document, uint32_t node, char *buffer);

/* "an object", "a string", ... */
const char *json_kind_name(enum json_kind kind);

#endif
