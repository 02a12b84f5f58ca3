#include "reports/humane.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Three digits, without zeros that say nothing. */
static void put_digits(double value, char buffer[HUMANE_SIZE])
{
    double size = fabs(value);
    snprintf(buffer, HUMANE_SIZE, "%.*f", size < 9.995 ? 2 : size < 99.95 ? 1 : 0, value);
    if (strchr(buffer, '.') != NULL) {
        size_t length = strlen(buffer);
        while (buffer[length - 1] == '0') {
            length--;
        }
        length -= buffer[length - 1] == '.';
        buffer[length] = '\0';
    }
    if (strcmp(buffer, "-0") == 0) {
        memcpy(buffer, "0", 2);
    }
}

struct scale {
    const char *unit;
    double next; /* So many make one of the next unit; 0: there is none. */
};

static const char *scaled(double value, const struct scale *scales, char *buffer)
{
    if (!isfinite(value) || fabs(value) > 1e30) {
        memcpy(buffer, "-", 2);
        return buffer;
    }
    while (scales->next > 0 && fabs(value) >= scales->next * 0.9995) {
        value /= scales->next;
        scales++;
    }
    char digits[HUMANE_SIZE];
    put_digits(value, digits);
    if (fabs(value) >= 99999.5) { /* Beyond the last unit. */
        snprintf(digits, sizeof digits, "%.2e", value);
    }
    snprintf(buffer, HUMANE_SIZE, "%.15s%.8s", digits, scales->unit);
    return buffer;
}

const char *humane_count(double value, char *buffer)
{
    static const struct scale scales[] = {{"", 1e3}, {"k", 1e3}, {"M", 1e3}, {"B", 1e3}, {"T", 0}};
    return scaled(value, scales, buffer);
}

const char *humane_bytes(double value, char *buffer)
{
    static const struct scale scales[] = {{" B", 1e3},  {" kB", 1e3}, {" MB", 1e3},
                                          {" GB", 1e3}, {" TB", 1e3}, {" PB", 0}};
    return scaled(value, scales, buffer);
}

const char *humane_memory(double value, char *buffer)
{
    static const struct scale scales[] = {
        {" B", 1024}, {" KiB", 1024}, {" MiB", 1024}, {" GiB", 1024}, {" TiB", 0}};
    return scaled(value, scales, buffer);
}

const char *humane_time(double ns, char *buffer)
{
    static const struct scale scales[] = {{" ns", 1e3}, {" us", 1e3}, {" ms", 1e3}, {" s", 0}};
    static const struct scale long_scales[] = {{" min", 60}, {" h", 24}, {" d", 0}};
    if (ns >= 180e9) {
        return scaled(ns / 60e9, long_scales, buffer);
    }
    return scaled(ns, scales, buffer);
}

const char *humane_percent(double share, char *buffer)
{
    static const struct scale scales[] = {{"%", 0}};
    double percent = share * 100;
    if (percent >= 0.95 || percent <= -0.95) {
        percent = round(percent);
    } else {
        percent = round(percent * 10) / 10;
    }
    return scaled(percent, scales, buffer);
}
