/* Text from outside may be no UTF-8; what we write always is. */
#ifndef REPORTS_UTF8_H
#define REPORTS_UTF8_H

#include <stdint.h>

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD, for bytes that are no UTF-8. */

/* Bytes of the character that `text`, NUL-terminated, begins with: 1 to 4; 0 where it is none. */
uint32_t utf8_size(const char *text);

#endif
