/* JSON text, written while it is said: nothing is kept, so a long series costs no memory.
 *
 *     writer_object(w, NULL);              {
 *     writer_count(w, "nodes", 3);           "nodes": 3,
 *     writer_array(w, "loads");              "loads": [
 *     writer_real(w, NULL, 0.5);               0.5
 *     writer_array_end(w);                   ]
 *     writer_object_end(w);                }
 *
 * Same values, same bytes: numbers are the shortest text that reads back as the same number, and
 * what is not a number (infinite, NaN) is null. Text is made valid UTF-8. The key is NULL for the
 * outermost value and for the elements of an array. Nesting is checked: WRITER_DEPTH_MAX.
 */
#ifndef REPORTS_WRITER_H
#define REPORTS_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define WRITER_DEPTH_MAX 16u

/* Written only through the functions below. */
struct writer {
    FILE *stream; /* Borrowed. Its error flag tells whether all could be written. */
    uint32_t depth;
    uint32_t flat_depth; /* From this depth on all stands on one line; 0: nowhere. */
    bool filled[WRITER_DEPTH_MAX + 1];
};

void writer_init(struct writer *writer, FILE *stream);

void writer_object(struct writer *writer, const char *key);
void writer_flat_object(struct writer *writer, const char *key); /* On one line. */
void writer_object_end(struct writer *writer);
void writer_array(struct writer *writer, const char *key);
void writer_flat_array(struct writer *writer, const char *key);
void writer_array_end(struct writer *writer);

void writer_text(struct writer *writer, const char *key, const char *text); /* NULL: null. */
void writer_count(struct writer *writer, const char *key, uint64_t value);
void writer_real(struct writer *writer, const char *key, double value);
void writer_bool(struct writer *writer, const char *key, bool value);
void writer_null(struct writer *writer, const char *key);

/* An array on one line. `values` may be NULL where count is 0. */
void writer_floats(struct writer *writer, const char *key, const float *values, uint32_t count);

/* Text that is JSON already, indented anew by the depth it comes to stand in. */
void writer_json(struct writer *writer, const char *key, const char *json);

#endif
