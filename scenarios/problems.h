/* Problems: everything that is wrong, unwise or worth a note in what somebody gave us, in order.
 *
 * All of them are listed, not only the first; each with its place, its field and what to do. The
 * list is bounded: what no longer fits is counted. The same problem twice (two variants share a
 * line) stands once. Text that came from outside is cleaned before it is printed, so that a
 * scenario can't write to a terminal.
 */
#ifndef SCENARIOS_PROBLEMS_H
#define SCENARIOS_PROBLEMS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PROBLEMS_MAX 100
#define PROBLEM_FILE_SIZE 512
#define PROBLEM_PATH_SIZE 256
#define PROBLEM_TEXT_SIZE 512

enum problem_kind {
    PROBLEM_ERROR,   /* Refused. */
    PROBLEM_FINDING, /* Legal, and it will show: the fleet can't carry the load. */
    PROBLEM_NOTE,    /* Harmless, and done: three comments of a trace skipped. */
};

/* Where. All strings are borrowed for the call. */
struct place {
    const char *file; /* Or "--set kafka.brokers=0"; NULL: nowhere in particular. */
    uint32_t line;    /* From 1; 0: unknown. */
    uint32_t column;  /* From 1, in characters; 0: unknown. */
    const char *path; /* "$.kafka.brokers"; NULL: none. */
};

struct problem {
    enum problem_kind kind;
    uint32_t line;
    uint32_t column;
    char file[PROBLEM_FILE_SIZE];
    char path[PROBLEM_PATH_SIZE];
    char text[PROBLEM_TEXT_SIZE];
};

/* Some 130 KB. Read freely; write only through the functions below. */
struct problems {
    uint32_t count;       /* Of list. */
    uint32_t error_count; /* Errors alone, also those that no longer fit. */
    uint32_t dropped;     /* Of any kind, that no longer fit. */
    uint32_t reports;     /* Errors added, each time: so that a repeated one is seen as well. */
    struct problem list[PROBLEMS_MAX];
};

void problems_init(struct problems *problems);

/* Adds one; the text as for printf, cut where it is too long. */
void problems_add(struct problems *problems, enum problem_kind kind, const struct place *place,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "file:line:column: $.path: text" into `buffer`, one line, without a newline; findings and notes
 * say so. Returns `buffer`. */
const char *problem_line(const struct problem *problem, char *buffer, size_t size);

/* One a line, and how many more there were. `errors_only`: findings and notes are left out. */
void problems_print(const struct problems *problems, FILE *stream, bool errors_only);

#endif
