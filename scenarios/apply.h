/* Setting the fields of a plan from one layer of a scenario, and remembering who set what. */
#ifndef SCENARIOS_APPLY_H
#define SCENARIOS_APPLY_H

#include "models/plan.h"
#include "scenarios/json.h"
#include "scenarios/problems.h"
#include "scenarios/table.h"

/* A field that a layer set, and where; the last one in the list counts. */
struct setting {
    const struct table_row *row; /* NULL: its list has been replaced since. */
    uint32_t element;
    const char *file; /* Borrowed from the document or the command line. */
    uint32_t line;    /* 0: the command line. */
    uint32_t column;
    bool valid; /* What was said could be set. */
};

/* Where an element of a list begins. */
struct origin {
    const char *file;
    uint32_t line;
    uint32_t column;
};

#define ELEMENTS_MAX 64u /* Of the longest list. */

struct builder {
    struct plan *plan;
    struct problems *problems;
    const char *file; /* The scenario's own, for what nobody set. */
    struct setting *settings;
    uint32_t setting_count;
    uint32_t setting_capacity;
    struct origin elements[ARRAY_COUNT][ELEMENTS_MAX];
};

/* Applies all fields of the object `root` of the document: the root itself, or a variant. The
 * fields in `skipped` (NULL at the end) are left alone at the object's top level. */
void apply_object(struct builder *builder, const struct json_document *document, uint32_t root,
                  const char *const *skipped);

/* Applies "kafka.brokers=30"; `shown` is how it is named in messages, and is borrowed. */
void apply_override(struct builder *builder, const char *text, const char *shown);

/* Where the field was last set, with its path in `buffer` of PROBLEM_PATH_SIZE; the scenario's file
 * if nowhere. */
struct place builder_place(const struct builder *builder, const char *path, uint32_t element,
                           char *buffer);

/* Whether somebody set the field, or tried to. */
bool builder_is_set(const struct builder *builder, const char *path, uint32_t element);

/* Whether somebody set it, and the last one could. */
bool builder_is_valid(const struct builder *builder, const char *path, uint32_t element);

void builder_free(struct builder *builder);

/* `name` relative to the folder of `file`, into `buffer`; false where it is too long. */
bool resolve_path(const char *file, const char *name, char *buffer, size_t size);

#endif
