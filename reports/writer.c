#include "reports/writer.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports/utf8.h"

void writer_init(struct writer *writer, FILE *stream)
{
    memset(writer, 0, sizeof *writer);
    writer->stream = stream;
}

static bool is_flat(const struct writer *writer)
{
    return writer->flat_depth != 0 && writer->depth >= writer->flat_depth;
}

static void indent(struct writer *writer)
{
    fprintf(writer->stream, "\n%*s", (int)(writer->depth * 2), "");
}

static void put_text(FILE *stream, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    fputc('"', stream);
    while (*at != '\0') {
        uint32_t size = utf8_size((const char *)at);
        if (size == 0) {
            fputs(UTF8_REPLACEMENT, stream);
            size = 1;
        } else if (*at == '"' || *at == '\\') {
            fprintf(stream, "\\%c", *at);
        } else if (*at == '\n') {
            fputs("\\n", stream);
        } else if (*at < 0x20 || *at == 0x7F) {
            fprintf(stream, "\\u%04x", *at);
        } else {
            fwrite(at, 1, size, stream);
        }
        at += size;
    }
    fputc('"', stream);
}

/* What stands before a value: comma, line break, key. */
static void lead(struct writer *writer, const char *key)
{
    bool *filled = &writer->filled[writer->depth];
    if (*filled) {
        fputc(',', writer->stream);
    }
    if (writer->depth > 0 && !is_flat(writer)) {
        indent(writer);
    } else if (*filled) {
        fputc(' ', writer->stream);
    }
    *filled = true;
    if (key != NULL) {
        put_text(writer->stream, key);
        fputs(": ", writer->stream);
    }
}

static void enter(struct writer *writer, const char *key, char open, bool flat)
{
    lead(writer, key);
    fputc(open, writer->stream);
    if (writer->depth == WRITER_DEPTH_MAX) {
        abort(); /* A bug: the shape of what is written is fixed. */
    }
    writer->depth++;
    writer->filled[writer->depth] = false;
    if (flat && writer->flat_depth == 0) {
        writer->flat_depth = writer->depth;
    }
}

static void leave(struct writer *writer, char close)
{
    bool flat = is_flat(writer);
    bool filled = writer->filled[writer->depth];
    if (writer->flat_depth == writer->depth) {
        writer->flat_depth = 0;
    }
    writer->depth--;
    if (filled && !flat) {
        indent(writer);
    }
    fputc(close, writer->stream);
}

void writer_object(struct writer *writer, const char *key)
{
    enter(writer, key, '{', false);
}

void writer_flat_object(struct writer *writer, const char *key)
{
    enter(writer, key, '{', true);
}

void writer_object_end(struct writer *writer)
{
    leave(writer, '}');
}

void writer_array(struct writer *writer, const char *key)
{
    enter(writer, key, '[', false);
}

void writer_flat_array(struct writer *writer, const char *key)
{
    enter(writer, key, '[', true);
}

void writer_array_end(struct writer *writer)
{
    leave(writer, ']');
}

void writer_text(struct writer *writer, const char *key, const char *text)
{
    if (text == NULL) {
        writer_null(writer, key);
        return;
    }
    lead(writer, key);
    put_text(writer->stream, text);
}

void writer_count(struct writer *writer, const char *key, uint64_t value)
{
    lead(writer, key);
    fprintf(writer->stream, "%" PRIu64, value);
}

void writer_real(struct writer *writer, const char *key, double value)
{
    char text[40];
    if (!isfinite(value)) {
        writer_null(writer, key);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    lead(writer, key);
    fputs(text, writer->stream);
}

void writer_bool(struct writer *writer, const char *key, bool value)
{
    lead(writer, key);
    fputs(value ? "true" : "false", writer->stream);
}

void writer_null(struct writer *writer, const char *key)
{
    lead(writer, key);
    fputs("null", writer->stream);
}

static void put_float(struct writer *writer, float value)
{
    char text[40];
    if (!isfinite(value)) {
        writer_null(writer, NULL);
        return;
    }
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) {
            break;
        }
    }
    lead(writer, NULL);
    fputs(text, writer->stream);
}

void writer_floats(struct writer *writer, const char *key, const float *values, uint32_t count)
{
    writer_flat_array(writer, key);
    for (uint32_t i = 0; i < count; i++) {
        put_float(writer, values[i]);
    }
    writer_array_end(writer);
}

void writer_json(struct writer *writer, const char *key, const char *json)
{
    lead(writer, key);
    size_t size = strlen(json);
    while (size > 0 && json[size - 1] == '\n') {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        if (json[i] == '\n') {
            indent(writer);
        } else if (json[i] == '\t') {
            /* In JSON a bare tab is never part of a text. */
            fputs(i > 0 && json[i - 1] == ':' ? " " : "  ", writer->stream);
        } else {
            fputc(json[i], writer->stream);
        }
    }
}
