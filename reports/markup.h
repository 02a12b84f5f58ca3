/* HTML, SVG and XML, with everything that comes from outside escaped.
 *
 *     markup_put(stream, "<td title=\"%s\">%s</td>", about, name);
 *
 * The format is ours and goes out as it stands; what a %s brings is text, never markup, and is good
 * inside quoted attributes, too. Bytes that are no UTF-8, and characters that XML forbids, become
 * U+FFFD. To pass on markup that is made already, use fputs(). */
#ifndef REPORTS_MARKUP_H
#define REPORTS_MARKUP_H

#include <stdio.h>

/* %s, escaped (NULL: nothing); and as printf: %u, %d, %x, %lu, %llu, %f, %g, with flags, width and
 * precision; %%. */
void markup_put(FILE *stream, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As %s. */
void markup_text(FILE *stream, const char *text);

/* A new string for use in an attribute or id: letters, digits and -; others become -. */
void markup_id(const char *text, char *id, size_t size);

#endif
