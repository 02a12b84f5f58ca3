/* A trace: real messages to replay, from a text of lines `src dst unix_time`, plain or gzip.
 *
 *     src dst unix_time        a first line of words is a header
 *     # or % begins a comment
 *     1 2 1082040961           who, to whom, when (seconds, decimals allowed)
 *
 * Ids are any whole numbers; they are renumbered from 0, in their own order. A trace that is not
 * sorted by time is sorted (equal times keep their order). Comments, messages to oneself and a last
 * line that was cut short are skipped and counted: notes, not errors. Anything else that is not of
 * this form is an error, as is a trace without a message.
 *
 * Bounded: TRACE_MESSAGES_MAX messages, TRACE_BYTES_MAX bytes unpacked.
 */
#ifndef SCENARIOS_TRACE_H
#define SCENARIOS_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "scenarios/problems.h"

#define TRACE_MESSAGES_MAX (50u << 20)
#define TRACE_BYTES_MAX ((uint64_t)4 << 30)

struct trace_message {
    uint64_t time_ns; /* From the first message. */
    uint32_t sender;  /* 0 to user_count - 1. */
    uint32_t recipient;
};

/* Read freely. The messages are the trace's; trace_free() frees them. */
struct trace {
    struct trace_message *messages; /* Sorted by time. */
    uint32_t message_count;
    uint32_t user_count;
    uint64_t start_unix_s;
    uint64_t span_ns; /* From the first to the last. */
    uint32_t comment_count;
    uint32_t self_count;
    uint32_t truncated_count; /* 0 or 1. */
    bool sorted;              /* It was not, and is now. */
};

/* Reads `file`. Errors and notes name it and the line; `place` (the scenario's field, may be NULL)
 * is where a file that can't be opened is reported. false: an error has been added, nothing is to
 * be freed. */
bool trace_read(struct trace *trace, const char *file, const struct place *place,
                struct problems *problems);

void trace_free(struct trace *trace);

#endif
