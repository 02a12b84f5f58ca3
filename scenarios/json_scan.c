/* One loop over the text, with a stack of the containers that are open:
 *
 *     scan_value -> { or [ : push          -> scan_next (first child, or close)
 *                -> anything else          -> scan_next (comma and child, or close: pop)
 *     stack empty                          -> done
 *
 * A fault that leaves no doubt about what follows (NaN, a trailing comma, bad UTF-8 in a string)
 * is noted and the scan goes on; the others end it, since what came after would be guesses.
 */
#include "scenarios/json_scan.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "models/core/check.h"

struct open_container {
    uint32_t node;
    uint32_t child_count;
};

struct scanner {
    struct json_document *document;
    struct problems *problems;
    const char *text;
    size_t size;
    size_t at;
    size_t mark; /* Line and column are those of this offset; it only moves forward. */
    uint32_t line;
    uint32_t column;
    struct open_container open[JSON_DEPTH_MAX];
    uint32_t depth;
    uint32_t node_capacity;
    size_t keys_used;
    bool broken; /* Not for cJSON. */
};

/* The character at the scanner; 0 at the end (a NUL in the text is as unexpected). */
static char peek(const struct scanner *s)
{
    return s->at < s->size ? s->text[s->at] : '\0';
}

static void move_mark(struct scanner *s, size_t offset)
{
    CHECK(offset >= s->mark && offset <= s->size);
    for (; s->mark < offset; s->mark++) {
        unsigned char c = (unsigned char)s->text[s->mark];
        if (c == '\n') {
            s->line++;
            s->column = 1;
        } else if ((c & 0xC0) != 0x80) {
            s->column++;
        }
    }
}

/* Notes a fault at the scanner's position, within `node`; the grammar is broken by it. */
static void fault(struct scanner *s, uint32_t node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fault(struct scanner *s, uint32_t node, const char *format, ...)
{
    char text[PROBLEM_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char path[PROBLEM_PATH_SIZE] = "$";
    if (s->document->node_count > 0) {
        json_path(s->document, node, path, sizeof path);
    }
    move_mark(s, s->at);
    struct place place = {s->document->file, s->line, s->column, path};
    problems_add(s->problems, PROBLEM_ERROR, &place, "%s", text);
    s->broken = true;
}

static void skip_blanks(struct scanner *s)
{
    while (s->at < s->size && strchr(" \t\r\n", s->text[s->at]) != NULL && s->text[s->at] != '\0') {
        s->at++;
    }
}

/* Appends a node at the scanner's position; false where there is no room. */
static bool add_node(struct scanner *s, const struct json_node *node)
{
    struct json_document *d = s->document;
    if (d->node_count == JSON_NODES_MAX) {
        fault(s, node->parent, "more than %u values; a scenario needs far fewer", JSON_NODES_MAX);
        return false;
    }
    if (d->node_count == s->node_capacity) {
        uint32_t capacity = s->node_capacity == 0 ? 256 : s->node_capacity * 2;
        struct json_node *grown = realloc(d->nodes, capacity * sizeof *grown);
        if (grown == NULL) {
            fault(s, node->parent, "not enough memory to read this file");
            return false;
        }
        d->nodes = grown;
        s->node_capacity = capacity;
    }
    d->nodes[d->node_count++] = *node;
    return true;
}

/* -- Strings ------------------------------------------------------------------------------------
 */

/* Length of the UTF-8 sequence at the scanner; 0 where it is none (RFC 3629: no overlong forms, no
 * surrogates, nothing beyond U+10FFFF). */
static size_t utf8_length(const struct scanner *s)
{
    const unsigned char *at = (const unsigned char *)s->text + s->at;
    size_t left = s->size - s->at;
    size_t length = *at < 0x80 ? 1 : *at < 0xC2 ? 0 : *at < 0xE0 ? 2 : *at < 0xF0 ? 3 : 4;
    if (*at > 0xF4 || length > left) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) ||
        (at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F)) {
        return 0;
    }
    return length;
}

/* Four hexadecimal digits at `offset`; UINT32_MAX where they are not. */
static uint32_t hex4(const struct scanner *s, size_t offset)
{
    uint32_t value = 0;
    for (size_t i = offset; i < offset + 4; i++) {
        char c = i < s->size ? s->text[i] : '\0';
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : UINT32_MAX;
        if (digit == UINT32_MAX) {
            return UINT32_MAX;
        }
        value = value * 16 + digit;
    }
    return value;
}

static size_t encode_utf8(uint32_t point, char *out)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xE0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

/* An escape at the scanner, decoded to `out` (at least 4 bytes). Returns how many bytes; 0 where it
 * is none, noted. The scanner is behind it afterwards. */
static size_t scan_escape(struct scanner *s, uint32_t node, char *out)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    char c = s->at + 1 < s->size ? s->text[s->at + 1] : '\0';
    const char *name = c == '\0' ? NULL : strchr(names, c);
    if (name != NULL) {
        out[0] = values[name - names];
        s->at += 2;
        return 1;
    }
    uint32_t point = c == 'u' ? hex4(s, s->at + 2) : UINT32_MAX;
    size_t length = 6;
    if (point >= 0xD800 && point < 0xDC00 && s->at + 7 < s->size && s->text[s->at + 6] == '\\' &&
        s->text[s->at + 7] == 'u') {
        uint32_t low = hex4(s, s->at + 8);
        if (low >= 0xDC00 && low < 0xE000) {
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
            length = 12;
        }
    }
    if (point == UINT32_MAX) {
        fault(s, node, "no such escape in JSON; a backslash itself is written \"\\\\\"");
        s->at += 1;
        return 0;
    }
    if (point == 0 || (point >= 0xD800 && point < 0xE000)) {
        fault(s, node, "\\u%04x is no character that a text can hold", point);
        s->at += length;
        return 0;
    }
    s->at += length;
    return encode_utf8(point, out);
}

/* A string at the scanner. Decodes it to `out` if that is not NULL (the text's own length is
 * enough). false where it does not end. */
static bool scan_string(struct scanner *s, uint32_t node, char *out, size_t *out_length)
{
    size_t used = 0;
    s->at++;
    while (s->at < s->size && s->text[s->at] != '"') {
        char piece[4];
        size_t length;
        unsigned char c = (unsigned char)s->text[s->at];
        if (c == '\\') {
            length = scan_escape(s, node, piece);
        } else if (c == '\n' || c == '\r') {
            fault(s, node, "the line ends inside a text; close it with \"");
            return false;
        } else if (c < 0x20) {
            bool broken = s->broken;
            fault(s, node, "a control character (code %u) inside a text; escape or remove it", c);
            s->broken = broken; /* cJSON reads it, so that what follows can be judged too. */
            length = 0;
            s->at++;
        } else {
            length = utf8_length(s);
            if (length == 0) {
                bool broken = s->broken;
                fault(s, node, "byte 0x%02X is not valid UTF-8; save the file as UTF-8", c);
                s->broken = broken;
                s->at++;
            } else {
                memcpy(piece, s->text + s->at, length);
                s->at += length;
            }
        }
        if (out != NULL) {
            memcpy(out + used, piece, length);
            used += length;
        }
    }
    if (s->at >= s->size) {
        fault(s, node, "the file ends inside a text; is it cut short?");
        return false;
    }
    s->at++;
    *out_length = used;
    return true;
}

/* -- Numbers and words --------------------------------------------------------------------------
 */

static size_t skip_digits(struct scanner *s)
{
    size_t count = 0;
    for (; peek(s) >= '0' && peek(s) <= '9'; s->at++) {
        count++;
    }
    return count;
}

/* Whether the number lies where a double skips integers: beyond 2^53. */
static bool is_past_integers(const char *token, double value)
{
    const char *digits = token + (token[0] == '-' ? 1 : 0);
    if (strspn(digits, "0123456789") < strlen(digits)) {
        return fabs(value) > (double)JSON_INTEGER_MAX;
    }
    return strtoull(digits, NULL, 10) > JSON_INTEGER_MAX; /* Saturates where it overflows. */
}

/* The number's value fits, or a fault says what does not. */
static void check_number(struct scanner *s, uint32_t node, size_t start)
{
    size_t length = s->at - start;
    size_t end = s->at;
    s->at = start; /* Faults point at the number's start. */
    if (length > JSON_NUMBER_MAX) {
        fault(s, node, "a number of %zu characters; at most %u are read", length, JSON_NUMBER_MAX);
        s->at = end;
        return;
    }
    char token[JSON_NUMBER_MAX + 1];
    memcpy(token, s->text + start, length);
    token[length] = '\0';
    errno = 0;
    double value = strtod(token, NULL);
    bool broken = s->broken; /* cJSON can read these; whoever counts problems refuses them. */
    if (errno == ERANGE || !isfinite(value)) {
        fault(s, node, "%s is out of range for a number", token);
    } else if (is_past_integers(token, value)) {
        fault(s, node,
              "%s is past 2^53, where JSON numbers skip integers; write it as a text, \"%s\"",
              token, token);
    }
    s->broken = broken;
    s->at = end;
}

static bool scan_number(struct scanner *s, uint32_t node)
{
    size_t start = s->at;
    s->at += peek(s) == '-' ? 1 : 0;
    bool zero = peek(s) == '0';
    size_t whole = skip_digits(s);
    bool valid = whole > 0 && !(zero && whole > 1);
    if (valid && peek(s) == '.') {
        s->at++;
        valid = skip_digits(s) > 0;
    }
    if (valid && (peek(s) == 'e' || peek(s) == 'E')) {
        s->at++;
        s->at += peek(s) == '-' || peek(s) == '+' ? 1 : 0;
        valid = skip_digits(s) > 0;
    }
    if (!valid) {
        s->at = start;
        fault(s, node, "not a JSON number; write it like 5, 0.5 or 1e6 (with a unit: \"5 s\")");
        return false;
    }
    check_number(s, node, start);
    return true;
}

/* true, false, null; and words that other tools write for numbers that are none. */
static bool scan_word(struct scanner *s, uint32_t node)
{
    size_t start = s->at;
    size_t end = s->at + (peek(s) == '-' ? 1 : 0);
    while (end < s->size && ((s->text[end] | 0x20) >= 'a' && (s->text[end] | 0x20) <= 'z')) {
        end++;
    }
    size_t length = end - start;
    const char *word = s->text + start;
    enum json_kind kind = JSON_NULL;
    if (length == 4 && memcmp(word, "true", 4) == 0) {
        kind = JSON_BOOL;
    } else if (length == 5 && memcmp(word, "false", 5) == 0) {
        kind = JSON_BOOL;
    } else if (!(length == 4 && memcmp(word, "null", 4) == 0)) {
        char shown[16];
        snprintf(shown, sizeof shown, "%.*s", (int)(length < 15 ? length : 15), word);
        bool number = strcasecmp(shown, "nan") == 0 || strcasecmp(shown, "-nan") == 0 ||
                      strcasecmp(shown, "infinity") == 0 || strcasecmp(shown, "-infinity") == 0 ||
                      strcasecmp(shown, "inf") == 0 || strcasecmp(shown, "-inf") == 0;
        if (number) {
            fault(s, node, "%s is not a number that JSON or a plan can hold; give a figure", shown);
        } else {
            fault(s, node, "%s is not JSON; a text stands between double quotes", shown);
        }
        s->at = end;
        return number || length > 0;
    }
    s->document->nodes[node].kind = kind;
    s->at = end;
    return true;
}

/* -- Values and containers ----------------------------------------------------------------------
 */

static bool scan_container(struct scanner *s, uint32_t node)
{
    if (s->depth == JSON_DEPTH_MAX) {
        fault(s, node, "nested deeper than %u; a scenario needs at most 5", JSON_DEPTH_MAX);
        return false;
    }
    s->open[s->depth++] = (struct open_container){node, 0};
    s->at++;
    return true;
}

/* What to say about a character that begins no value. */
static bool refuse_value(struct scanner *s, uint32_t node)
{
    char c = peek(s);
    if (s->at >= s->size) {
        fault(s, node, "the file ends where a value is expected; is it cut short?");
    } else if (c == '/' || c == '#') {
        fault(s, node, "JSON has no comments; put the words into an \"about\" field");
    } else if (c == '\'') {
        fault(s, node, "a text stands between double quotes (\"), not single ones");
    } else if (c == '+' || c == '.') {
        fault(s, node, "a JSON number begins with a digit or a minus");
    } else if ((unsigned char)c >= 0x80 && utf8_length(s) == 0) {
        fault(s, node, "byte 0x%02X is not valid UTF-8; save the file as UTF-8", (unsigned char)c);
    } else {
        fault(s, node, "a value is expected here: a text, a number, true, false, { or [");
    }
    return false;
}

/* A value at the scanner, child of `parent`; its key is at the mark, or it has none. */
static bool scan_value(struct scanner *s, uint32_t parent, uint32_t index, const char *key,
                       uint32_t line, uint32_t column)
{
    move_mark(s, s->at);
    struct json_node node = {
        .key = key,
        .offset = s->at,
        .line = key == NULL ? s->line : line,
        .column = key == NULL ? s->column : column,
        .value_line = s->line,
        .value_column = s->column,
        .parent = parent,
        .index = index,
    };
    char c = peek(s);
    bool minus_word = c == '-' && s->at + 1 < s->size && (s->text[s->at + 1] | 0x20) == 'i';
    bool is_word = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || minus_word;
    bool is_number = !is_word && (c == '-' || (c >= '0' && c <= '9'));
    node.kind = c == '{'    ? JSON_OBJECT
                : c == '['  ? JSON_ARRAY
                : c == '"'  ? JSON_STRING
                : is_number ? JSON_NUMBER
                            : JSON_NULL;
    uint32_t self = s->document->node_count;
    if (!add_node(s, &node)) {
        return false;
    }
    size_t length;
    bool going = c == '{' || c == '[' ? scan_container(s, self)
                 : c == '"'           ? scan_string(s, self, NULL, &length)
                 : is_number          ? scan_number(s, self)
                 : is_word            ? scan_word(s, self)
                                      : refuse_value(s, self);
    s->document->nodes[self].next = s->document->node_count;
    s->document->nodes[self].length = s->at - node.offset;
    return going;
}

/* A key and its colon, at the scanner; then its value. */
static bool scan_member(struct scanner *s, struct open_container *in)
{
    if (peek(s) != '"') {
        const char *what = peek(s) == '/' ? "JSON has no comments; put the words into an \"about\""
                                          : "a field name in double quotes is expected here";
        fault(s, in->node, "%s", what);
        return false;
    }
    move_mark(s, s->at);
    uint32_t line = s->line;
    uint32_t column = s->column;
    char *key = s->document->keys + s->keys_used;
    size_t length;
    if (!scan_string(s, in->node, key, &length)) {
        return false;
    }
    key[length] = '\0';
    s->keys_used += length + 1;
    skip_blanks(s);
    if (peek(s) != ':') {
        fault(s, in->node, "a colon is expected after the field name \"%.40s\"", key);
        return false;
    }
    s->at++;
    skip_blanks(s);
    return scan_value(s, in->node, in->child_count++, key, line, column);
}

/* The next child of the innermost open container, or its end. */
static bool scan_next(struct scanner *s)
{
    struct open_container *in = &s->open[s->depth - 1];
    struct json_node *node = &s->document->nodes[in->node];
    bool object = node->kind == JSON_OBJECT;
    char closer = object ? '}' : ']';
    skip_blanks(s);
    bool comma = in->child_count > 0 && peek(s) == ',';
    size_t comma_at = s->at;
    if (comma) {
        s->at++;
        skip_blanks(s);
    }
    if (peek(s) == closer) {
        if (comma) {
            size_t closer_at = s->at;
            s->at = comma_at;
            fault(s, in->node, "no comma before %c; remove it", closer);
            s->at = closer_at;
        }
        s->at++;
        node->next = s->document->node_count;
        node->length = s->at - node->offset;
        s->depth--;
        return true;
    }
    if (s->at >= s->size) {
        fault(s, in->node,
              "the file ends inside %s that opened at line %u, column %u; is it cut short?",
              json_kind_name(node->kind), node->value_line, node->value_column);
        return false;
    }
    if (in->child_count > 0 && !comma) {
        fault(s, in->node, "a comma or %c is expected here", closer);
        return false;
    }
    return object ? scan_member(s, in) : scan_value(s, in->node, in->child_count++, NULL, 0, 0);
}

/* -- Duplicate keys ------------------------------------------------------------------------------
 */

static int compare_keys(const void *left, const void *right, void *context)
{
    const struct json_node *nodes = context;
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    if (nodes[a].parent != nodes[b].parent) {
        return nodes[a].parent < nodes[b].parent ? -1 : 1;
    }
    int order = strcmp(nodes[a].key, nodes[b].key);
    return order != 0 ? order : a < b ? -1 : a > b;
}

static void find_duplicates(struct json_document *document, struct problems *problems)
{
    uint32_t *order = malloc((document->node_count + 1) * sizeof *order);
    uint32_t count = 0;
    for (uint32_t i = 0; order != NULL && i < document->node_count; i++) {
        if (document->nodes[i].key != NULL) {
            order[count++] = i;
        }
    }
    if (count > 0) {
        qsort_r(order, count, sizeof *order, compare_keys, document->nodes);
    }
    uint32_t first = 0;
    for (uint32_t i = 1; i < count; i++) {
        const struct json_node *a = &document->nodes[order[first]];
        const struct json_node *b = &document->nodes[order[i]];
        if (a->parent != b->parent || strcmp(a->key, b->key) != 0) {
            first = i;
            continue;
        }
        char path[PROBLEM_PATH_SIZE];
        struct place place = json_key_place(document, order[i], path);
        problems_add(problems, PROBLEM_ERROR, &place,
                     "given twice, first at line %u, column %u; remove one of the two", a->line,
                     a->column);
    }
    free(order);
}

bool json_scan(struct json_document *document, size_t size, struct problems *problems)
{
    CHECK(document->node_count == 0 && document->nodes == NULL);
    struct scanner s = {
        .document = document,
        .problems = problems,
        .text = document->text,
        .size = size,
        .line = 1,
        .column = 1,
    };
    document->keys = malloc(size + 1);
    if (document->keys == NULL) {
        fault(&s, 0, "not enough memory to read this file");
        return false;
    }
    if (size >= 3 && memcmp(s.text, "\xEF\xBB\xBF", 3) == 0) {
        s.at = 3;
        s.mark = 3;
    }
    skip_blanks(&s);
    if (s.at == size) {
        fault(&s, 0, "the file is empty; \"chatscale init\" writes a scenario to start from");
        return false;
    }
    bool going = scan_value(&s, 0, 0, NULL, 0, 0);
    while (going && s.depth > 0) {
        going = scan_next(&s);
    }
    if (going) {
        skip_blanks(&s);
        if (s.at < size) {
            fault(&s, 0, "something follows the end of the scenario; remove it");
        }
    }
    if (document->nodes != NULL) {
        find_duplicates(document, problems);
    }
    return !s.broken;
}
