#include "reports/markup.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reports/utf8.h"

static const char *entity(char character)
{
    switch (character) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void markup_text(FILE *stream, const char *text)
{
    if (text == NULL) {
        return;
    }
    while (*text != '\0') {
        uint32_t size = utf8_size(text);
        unsigned char byte = (unsigned char)*text;
        bool control =
            (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F ||
            (size == 3 && memcmp(text, "\xEF\xBF", 2) == 0 && (unsigned char)text[2] >= 0xBE);
        const char *escaped = entity(*text);
        if (size == 0 || control) {
            fputs(UTF8_REPLACEMENT, stream);
            size = size == 0 ? 1 : size;
        } else if (escaped != NULL) {
            fputs(escaped, stream);
        } else {
            fwrite(text, 1, size, stream);
        }
        text += size;
    }
}

/* One conversion, other than %s, with the printf of the C library. */
static void put_number(FILE *stream, const char *conversion, size_t length, va_list *arguments)
{
    char format[32];
    if (length >= sizeof format) {
        abort(); /* A bug: formats are ours. */
    }
    memcpy(format, conversion, length);
    format[length] = '\0';
    char last = format[length - 1];
    bool very_long = strstr(format, "ll") != NULL;
    bool is_long = !very_long && strchr(format, 'l') != NULL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (last == 'f' || last == 'g') {
        fprintf(stream, format, va_arg(*arguments, double));
    } else if (very_long) {
        fprintf(stream, format, va_arg(*arguments, unsigned long long));
    } else if (is_long) {
        fprintf(stream, format, va_arg(*arguments, unsigned long));
    } else if (last == 'u' || last == 'd' || last == 'x') {
        fprintf(stream, format, va_arg(*arguments, unsigned));
    } else {
        abort(); /* A bug, too. */
    }
#pragma GCC diagnostic pop
}

void markup_put(FILE *stream, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    while (*format != '\0') {
        size_t plain = strcspn(format, "%");
        fwrite(format, 1, plain, stream);
        format += plain;
        if (*format == '\0') {
            break;
        }
        size_t length = 1 + strcspn(format + 1, "sudxfg%") + 1;
        char last = format[length - 1];
        if (last == '%') {
            fputc('%', stream);
        } else if (last == 's') {
            markup_text(stream, va_arg(arguments, const char *));
        } else {
            put_number(stream, format, length, &arguments);
        }
        format += length;
    }
    va_end(arguments);
}

void markup_id(const char *text, char *id, size_t size)
{
    size_t length = 0;
    for (; text[length] != '\0' && length + 1 < size; length++) {
        char c = text[length];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        id[length] = '-';
        if (plain) {
            id[length] = c;
        }
    }
    id[length] = '\0';
}
