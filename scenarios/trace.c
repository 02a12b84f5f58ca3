#include "scenarios/trace.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "models/core/check.h"

#define LINE_SIZE 256
#define ERRORS_MAX 10u
#define TIME_MAX_S 1000000000000u /* Beyond it, it is no time in seconds. */

/* A message as it stands in the file. */
struct raw {
    uint64_t sender;
    uint64_t recipient;
    uint64_t time_ns;
    uint32_t order; /* Among equal times. */
};

struct reader {
    gzFile stream;
    const char *file;
    struct problems *problems;
    struct trace *trace;
    struct raw *raws;
    uint32_t raw_count;
    uint32_t raw_capacity;
    uint64_t byte_count;
    uint32_t line;
    uint32_t error_count;
    bool stop; /* There is no point in reading on. */
};

static void refuse(struct reader *r, uint32_t line, const char *why)
{
    struct place place = {r->file, line, line == 0 ? 0 : 1, NULL};
    problems_add(r->problems, PROBLEM_ERROR, &place, "%s", why);
    r->error_count++;
    r->stop = r->stop || r->error_count >= ERRORS_MAX;
}

/* -- Lines ---------------------------------------------------------------------------------------
 */

static const char *skip_blanks(const char *at)
{
    while (*at == ' ' || *at == '\t' || *at == '\r') {
        at++;
    }
    return at;
}

/* A whole number and the blanks behind it; NULL where there is none. */
static const char *read_id(const char *at, uint64_t *id)
{
    if (!isdigit((unsigned char)*at)) {
        return NULL;
    }
    errno = 0;
    char *end;
    *id = strtoull(at, &end, 10);
    bool ends = *end == ' ' || *end == '\t' || *end == '\r' || *end == '\0';
    return errno == 0 && ends ? skip_blanks(end) : NULL;
}

/* Seconds with decimals, into nanoseconds. */
static const char *read_time(const char *at, uint64_t *time_ns)
{
    uint64_t seconds = 0;
    if (!isdigit((unsigned char)*at)) {
        return NULL;
    }
    for (; isdigit((unsigned char)*at); at++) {
        seconds = seconds * 10 + (uint64_t)(*at - '0');
        if (seconds > TIME_MAX_S) {
            return NULL;
        }
    }
    if (seconds > UINT64_MAX / 2000000000u) {
        return NULL;
    }
    *time_ns = seconds * 1000000000u;
    if (*at == '.') {
        uint64_t unit = 100000000u;
        for (at++; isdigit((unsigned char)*at); at++, unit /= 10) {
            *time_ns += unit * (uint64_t)(*at - '0');
        }
    }
    return *at == ' ' || *at == '\t' || *at == '\r' || *at == '\0' ? skip_blanks(at) : NULL;
}

static bool read_message(const char *text, struct raw *raw)
{
    const char *at = read_id(skip_blanks(text), &raw->sender);
    at = at == NULL ? NULL : read_id(at, &raw->recipient);
    at = at == NULL ? NULL : read_time(at, &raw->time_ns);
    return at != NULL && *at == '\0';
}

static bool is_header(const char *text)
{
    for (; *text != '\0'; text++) {
        if (!isalpha((unsigned char)*text) && strchr("_ \t\r,", *text) == NULL) {
            return false;
        }
    }
    return true;
}

static void keep(struct reader *r, struct raw raw)
{
    if (r->raw_count == TRACE_MESSAGES_MAX) {
        refuse(r, r->line, "more messages than can be replayed; cut the trace");
        r->stop = true;
        return;
    }
    if (r->raw_count == r->raw_capacity) {
        uint32_t capacity = r->raw_capacity == 0 ? 65536 : r->raw_capacity * 2;
        struct raw *grown = realloc(r->raws, capacity * sizeof *grown);
        if (grown == NULL) {
            refuse(r, r->line, "not enough memory to read the trace");
            r->stop = true;
            return;
        }
        r->raws = grown;
        r->raw_capacity = capacity;
    }
    raw.order = r->raw_count;
    r->raws[r->raw_count++] = raw;
}

/* One line without its newline; `whole` says that it had one. */
static void take_line(struct reader *r, const char *text, bool whole)
{
    const char *first = skip_blanks(text);
    struct raw raw = {0};
    if (*first == '\0') {
        return;
    }
    if (*first == '#' || *first == '%' || (r->line == 1 && is_header(first))) {
        r->trace->comment_count++;
        return;
    }
    bool good = read_message(text, &raw);
    uint64_t last_ns = r->raw_count == 0 ? 0 : r->raws[r->raw_count - 1].time_ns;
    if (!whole && (!good || raw.time_ns < last_ns)) {
        /* Cut in the last number, it still looks like a time, but one long past. */
        r->trace->truncated_count++;
    } else if (!good) {
        refuse(r, r->line, "not of the form `src dst unix_time`, like `1 2 1082040961`");
    } else if (raw.sender == raw.recipient) {
        r->trace->self_count++;
    } else {
        keep(r, raw);
    }
}

static void read_lines(struct reader *r)
{
    char text[LINE_SIZE];
    while (!r->stop && gzgets(r->stream, text, sizeof text) != NULL) {
        size_t length = strlen(text);
        bool whole = length > 0 && text[length - 1] == '\n';
        r->line++;
        r->byte_count += length;
        if (r->byte_count > TRACE_BYTES_MAX) {
            refuse(r, r->line, "larger than the 4 GiB that a trace may have, unpacked");
            return;
        }
        if (!whole && length + 1 == sizeof text) {
            refuse(r, r->line, "a line of more than 255 characters; is this a trace?");
            return;
        }
        if (length == 0) {
            refuse(r, r->line, "a NUL character; is this a trace?");
            return;
        }
        if (whole) {
            text[length - 1] = '\0';
        }
        take_line(r, text, whole);
    }
    int code = Z_OK;
    const char *why = gzerror(r->stream, &code);
    if (code == Z_BUF_ERROR) {
        refuse(r, r->line, "the compressed data ends early; is the file cut short?");
    } else if (code != Z_OK && code != Z_STREAM_END) {
        refuse(r, r->line, code == Z_ERRNO ? "reading it failed" : why);
    }
}

/* -- Order and numbers ---------------------------------------------------------------------------
 */

static int compare_raws(const void *left, const void *right)
{
    const struct raw *a = left;
    const struct raw *b = right;
    if (a->time_ns != b->time_ns) {
        return a->time_ns < b->time_ns ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

static int compare_ids(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static void sort_raws(struct reader *r)
{
    for (uint32_t i = 1; i < r->raw_count; i++) {
        if (r->raws[i].time_ns < r->raws[i - 1].time_ns) {
            qsort(r->raws, r->raw_count, sizeof *r->raws, compare_raws);
            r->trace->sorted = true;
            return;
        }
    }
}

/* Index of `id` in the sorted `ids`. */
static uint32_t number_of(const uint64_t *ids, uint32_t count, uint64_t id)
{
    const uint64_t *found = bsearch(&id, ids, count, sizeof *ids, compare_ids);
    CHECK(found != NULL);
    return (uint32_t)(found - ids);
}

/* Fills the trace from the raw messages. false where memory is short. */
static bool number_users(struct reader *r)
{
    struct trace *trace = r->trace;
    size_t id_count = (size_t)r->raw_count * 2;
    uint64_t *ids = malloc(id_count * sizeof *ids);
    trace->messages = malloc(r->raw_count * sizeof *trace->messages);
    if (ids == NULL || trace->messages == NULL) {
        free(ids);
        trace_free(trace);
        return false;
    }
    for (uint32_t i = 0; i < r->raw_count; i++) {
        ids[2 * (size_t)i] = r->raws[i].sender;
        ids[2 * (size_t)i + 1] = r->raws[i].recipient;
    }
    qsort(ids, id_count, sizeof *ids, compare_ids);
    for (size_t i = 0; i < id_count; i++) {
        if (i == 0 || ids[i] != ids[trace->user_count - 1]) {
            ids[trace->user_count++] = ids[i];
        }
    }
    uint64_t start_ns = r->raws[0].time_ns;
    for (uint32_t i = 0; i < r->raw_count; i++) {
        trace->messages[i] = (struct trace_message){
            .time_ns = r->raws[i].time_ns - start_ns,
            .sender = number_of(ids, trace->user_count, r->raws[i].sender),
            .recipient = number_of(ids, trace->user_count, r->raws[i].recipient),
        };
    }
    trace->message_count = r->raw_count;
    trace->start_unix_s = start_ns / 1000000000u;
    trace->span_ns = r->raws[r->raw_count - 1].time_ns - start_ns;
    free(ids);
    return true;
}

static void add_notes(const struct reader *r)
{
    const struct trace *t = r->trace;
    struct place place = {r->file, 0, 0, NULL};
    if (t->sorted) {
        problems_add(r->problems, PROBLEM_NOTE, &place, "not sorted by time; sorted");
    }
    if (t->comment_count > 0) {
        problems_add(r->problems, PROBLEM_NOTE, &place, "%u comment or header line%s skipped",
                     t->comment_count, t->comment_count == 1 ? "" : "s");
    }
    if (t->self_count > 0) {
        problems_add(r->problems, PROBLEM_NOTE, &place, "%u message%s to oneself skipped",
                     t->self_count, t->self_count == 1 ? "" : "s");
    }
    if (t->truncated_count > 0) {
        problems_add(r->problems, PROBLEM_NOTE, &place, "the last line is cut short; skipped");
    }
}

/* Opens the file, or says at `place` why not. */
static gzFile open_trace(const char *file, const struct place *place, struct problems *problems)
{
    struct stat status;
    struct place own = {file, 0, 0, NULL};
    const struct place *where = place == NULL ? &own : place;
    if (stat(file, &status) != 0) {
        problems_add(problems, PROBLEM_ERROR, where, "the trace \"%.200s\" can't be read: %s", file,
                     strerror(errno));
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        problems_add(problems, PROBLEM_ERROR, where, "the trace \"%.200s\" is no file", file);
        return NULL;
    }
    gzFile stream = gzopen(file, "rb");
    if (stream == NULL) {
        problems_add(problems, PROBLEM_ERROR, where, "the trace \"%.200s\" can't be read: %s", file,
                     strerror(errno));
    }
    return stream;
}

bool trace_read(struct trace *trace, const char *file, const struct place *place,
                struct problems *problems)
{
    *trace = (struct trace){0};
    struct reader r = {.file = file, .problems = problems, .trace = trace};
    r.stream = open_trace(file, place, problems);
    if (r.stream == NULL) {
        return false;
    }
    gzbuffer(r.stream, 128 << 10);
    read_lines(&r);
    gzclose(r.stream);
    if (r.error_count == 0 && r.raw_count == 0) {
        refuse(&r, 0, "an empty trace: not one message to replay");
    }
    if (r.error_count == 0) {
        sort_raws(&r);
        if (!number_users(&r)) {
            refuse(&r, 0, "not enough memory to read the trace");
        }
    }
    if (r.error_count == 0) {
        add_notes(&r);
    }
    free(r.raws);
    return r.error_count == 0;
}

void trace_free(struct trace *trace)
{
    free(trace->messages);
    *trace = (struct trace){0};
}
