#include "scenarios/problems.h"

#include <stdarg.h>
#include <string.h>

#include "models/core/check.h"

void problems_init(struct problems *problems)
{
    problems->count = 0;
    problems->error_count = 0;
    problems->dropped = 0;
    problems->reports = 0;
}

/* Length of the UTF-8 sequence at `at`; 0 where it is none. NUL ends any sequence. */
static size_t sequence_length(const unsigned char *at)
{
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xC2 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    if (at[0] > 0xF4) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

/* Copies, with control characters and broken UTF-8 as '?', and no sequence cut in two. */
static void copy_clean(char *out, size_t size, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t used = 0;
    while (*at != '\0') {
        size_t length = sequence_length(at);
        bool clean = length > 0 && *at >= 0x20 && *at != 0x7F &&
                     !(length == 2 && at[0] == 0xC2 && at[1] < 0xA0);
        size_t taken = length == 0 ? 1 : length;
        size_t needed = clean ? length : 1;
        if (used + needed >= size) {
            break;
        }
        if (clean) {
            memcpy(out + used, at, length);
        } else {
            out[used] = '?';
        }
        used += needed;
        at += taken;
    }
    out[used] = '\0';
}

static bool same(const struct problem *a, const struct problem *b)
{
    return a->line == b->line && a->column == b->column && strcmp(a->file, b->file) == 0 &&
           strcmp(a->path, b->path) == 0 && strcmp(a->text, b->text) == 0;
}

void problems_add(struct problems *problems, enum problem_kind kind, const struct place *place,
                  const char *format, ...)
{
    CHECK(problems->count <= PROBLEMS_MAX);
    char text[PROBLEM_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    struct problem added = {.kind = kind, .line = place->line, .column = place->column};
    copy_clean(added.file, sizeof added.file, place->file == NULL ? "" : place->file);
    copy_clean(added.path, sizeof added.path, place->path == NULL ? "" : place->path);
    copy_clean(added.text, sizeof added.text, text);
    problems->reports += kind == PROBLEM_ERROR ? 1 : 0;
    for (uint32_t i = 0; i < problems->count; i++) {
        if (same(&problems->list[i], &added)) {
            return;
        }
    }
    if (kind == PROBLEM_ERROR) {
        problems->error_count++;
    }
    if (problems->count == PROBLEMS_MAX) {
        problems->dropped++;
        return;
    }
    problems->list[problems->count++] = added;
}

const char *problem_line(const struct problem *problem, char *buffer, size_t size)
{
    CHECK(size > 0);
    char where[64] = "";
    if (problem->line > 0 && problem->column > 0) {
        snprintf(where, sizeof where, ":%u:%u", problem->line, problem->column);
    } else if (problem->line > 0) {
        snprintf(where, sizeof where, ":%u", problem->line);
    }
    const char *kind = problem->kind == PROBLEM_FINDING ? "finding: "
                       : problem->kind == PROBLEM_NOTE  ? "note: "
                                                        : "";
    snprintf(buffer, size, "%s%s%s%s%s%s%s", problem->file, where,
             problem->file[0] == '\0' ? "" : ": ", kind, problem->path,
             problem->path[0] == '\0' ? "" : ": ", problem->text);
    return buffer;
}

void problems_print(const struct problems *problems, FILE *stream, bool errors_only)
{
    char line[PROBLEM_FILE_SIZE + PROBLEM_PATH_SIZE + PROBLEM_TEXT_SIZE + 128];
    for (uint32_t i = 0; i < problems->count; i++) {
        if (!errors_only || problems->list[i].kind == PROBLEM_ERROR) {
            fprintf(stream, "%s\n", problem_line(&problems->list[i], line, sizeof line));
        }
    }
    if (problems->dropped > 0) {
        fprintf(stream, "... and %u more\n", problems->dropped);
    }
}
