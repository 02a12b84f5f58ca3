#include "reports/chart.h"

#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reports/markup.h"

extern char **environ;

#define SVG_BYTES_MAX (4u << 20) /* More is no chart of ours. */

/* -- Running gnuplot -----------------------------------------------------------------------------
 */

/* Starts it with `script` as its input; what it writes can be read from the pipe. 0 or errno. */
static int start(FILE *script, FILE *complaints, int pipe_ends[2], pid_t *process)
{
    char *arguments[] = {(char[]){"gnuplot"}, (char[]){"-d"}, NULL};
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return error;
    }
    posix_spawn_file_actions_adddup2(&actions, fileno(script), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(complaints), STDERR_FILENO);
    posix_spawn_file_actions_addclose(&actions, pipe_ends[0]);
    error = posix_spawnp(process, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Reads all that comes; NULL where memory is short or there is too much. The caller frees it. */
static char *read_all(int from)
{
    char *text = malloc(SVG_BYTES_MAX + 1);
    size_t length = 0;
    ssize_t more = 1;
    while (text != NULL && more > 0 && length < SVG_BYTES_MAX) {
        more = read(from, text + length, SVG_BYTES_MAX - length);
        if (more < 0 && errno == EINTR) {
            more = 1;
        } else if (more > 0) {
            length += (size_t)more;
        }
    }
    if (text == NULL || more != 0) {
        free(text);
        return NULL;
    }
    text[length] = '\0';
    return text;
}

/* The first line that gnuplot complained in, beyond its pointer to the place. */
static void read_complaint(FILE *complaints, char error[CHART_ERROR_SIZE])
{
    char line[400];
    char *said = NULL;
    rewind(complaints);
    while (said == NULL && fgets(line, sizeof line, complaints) != NULL) {
        said = strstr(line, "line ");
    }
    snprintf(error, CHART_ERROR_SIZE, "gnuplot failed: %s", said == NULL ? "it said no why" : said);
    error[strcspn(error, "\n")] = '\0';
}

static char *run_open(FILE *script, FILE *complaints, char error[CHART_ERROR_SIZE])
{
    int pipe_ends[2];
    pid_t process;
    if (pipe(pipe_ends) != 0) {
        snprintf(error, CHART_ERROR_SIZE, "no pipe to gnuplot: %s", strerror(errno));
        return NULL;
    }
    int failure = start(script, complaints, pipe_ends, &process);
    close(pipe_ends[1]);
    if (failure != 0) {
        close(pipe_ends[0]);
        snprintf(error, CHART_ERROR_SIZE, "gnuplot can't be started: %s", strerror(failure));
        return NULL;
    }
    char *text = read_all(pipe_ends[0]);
    close(pipe_ends[0]);
    int status = 0;
    while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    bool good = text != NULL && WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
                strstr(text, "</svg>") != NULL;
    if (!good) {
        read_complaint(complaints, error);
        free(text);
        return NULL;
    }
    return text;
}

/* What gnuplot writes for the chart. The caller frees it. */
static char *run(const struct chart *chart, char error[CHART_ERROR_SIZE])
{
    FILE *script = tmpfile();
    FILE *complaints = tmpfile();
    char *text = NULL;
    bool written = script != NULL && complaints != NULL;
    if (written) {
        fprintf(script,
                "set encoding utf8\n"
                "set terminal svg size %u,%u dynamic font \"inherit,13\" noenhanced rounded\n"
                "%s",
                chart->width, chart->height, chart->script);
        written = fflush(script) == 0 && !ferror(script);
    }
    if (written) {
        rewind(script);
        text = run_open(script, complaints, error);
    } else {
        snprintf(error, CHART_ERROR_SIZE, "no temporary file for gnuplot: %s", strerror(errno));
    }
    if (script != NULL) {
        fclose(script);
    }
    if (complaints != NULL) {
        fclose(complaints);
    }
    return text;
}

/* -- From gnuplot's SVG to the page's ------------------------------------------------------------
 */

/* What is left out or said otherwise. The page's style sheet has the rest (.chart). */
static const struct {
    const char *from;
    const char *to;
} rewrites[] = {
    {" color=\"black\"", ""},
    {" color=\"white\"", ""},
    {" fill=\"none\"", ""},
    {" stroke-linecap=\"round\" stroke-linejoin=\"round\"", ""},
    {" font-family=\"inherit\"", ""},
    {" font-size=\"13.00\"", ""},
    {" stroke-width=\"1.00\"", ""},
    {"=\"black\"", "=\"currentColor\""},
    {"='black'", "='currentColor'"},
    {"<use xlink:href='#gpPt6'", "<circle r='1' class='dot'"},
    {"  ", " "},
    {" L", "L"},
    {"\t", ""},
};

/* rgb(  0,   0,   N) is slot N, and slot 0 the colour of text. Returns what it took. */
static size_t put_slot(FILE *stream, const char *text)
{
    int red;
    int green;
    int blue;
    int length = 0;
    if (sscanf(text, "rgb(%d,%d,%d)%n", &red, &green, &blue, &length) < 3 || length == 0 ||
        red != 0 || green != 0) {
        return 0;
    }
    if (blue == 0) {
        fputs("currentColor", stream);
    } else {
        fprintf(stream, "var(--c%d)", blue);
    }
    return (size_t)length;
}

/* `<g id="gnuplot_plot_1" ><title>expression</title>`: ids would repeat from chart to chart, and a
 * title shows where the mouse rests. */
static size_t skip_name(const char *text)
{
    static const char *const names[][2] = {{" id=\"", "\""}, {"<title>", "</title>"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size = strlen(names[i][0]);
        if (strncmp(text, names[i][0], size) == 0) {
            const char *end = strstr(text + size, names[i][1]);
            return end == NULL ? 0 : (size_t)(end - text) + strlen(names[i][1]);
        }
    }
    return 0;
}

/* A path's coordinates in tenths: "382.26" becomes "382.3", "170.00" becomes "170". Returns what it
 * took. */
static size_t put_tenths(FILE *stream, const char *text)
{
    size_t whole = strspn(text, "0123456789");
    if (whole == 0 || whole > 6 || text[whole] != '.') {
        return 0;
    }
    char *end;
    double value = round(strtod(text, &end) * 10) / 10;
    fprintf(stream, "%.*f", value == floor(value) ? 0 : 1, value);
    return (size_t)(end - text);
}

static bool begins(const char *line, size_t length, const char *with)
{
    size_t size = strlen(with);
    return length >= size && strncmp(line, with, size) == 0;
}

/* Whether the line is of a path or an area, or goes on with one. */
static bool is_path(const char *line, size_t length)
{
    return begins(line, length, "<path") || begins(line, length, "<polygon") ||
           (length > 0 && strchr("LM0123456789", line[0]) != NULL);
}

static void put_line(FILE *stream, const char *line, size_t length)
{
    bool path = is_path(line, length);
    const size_t count = sizeof rewrites / sizeof *rewrites;
    for (size_t at = 0; at < length;) {
        size_t taken = put_slot(stream, line + at);
        taken = taken > 0 ? taken : skip_name(line + at);
        taken = taken > 0 || !path ? taken : put_tenths(stream, line + at);
        for (size_t i = 0; i < count && taken == 0; i++) {
            size_t size = strlen(rewrites[i].from);
            if (strncmp(line + at, rewrites[i].from, size) == 0) {
                fputs(rewrites[i].to, stream);
                taken = size;
            }
        }
        if (taken == 0) {
            fputc(line[at], stream);
            taken = 1;
        }
        at += taken;
    }
    fputc('\n', stream);
}

/* A group without anything in it is a third of what gnuplot writes: it waits for its content. */
static void put_body(FILE *stream, const char *svg)
{
    const char *group = NULL;
    size_t group_length = 0;
    while (*svg != '\0') {
        size_t length = strcspn(svg, "\n");
        size_t indent = strspn(svg, "\t ");
        const char *line = svg + (indent < length ? indent : length);
        size_t left = length - (size_t)(line - svg);
        bool closes = left == 4 && begins(line, left, "</g>");
        if (group != NULL && !closes && left > 0) {
            put_line(stream, group, group_length);
            group = NULL;
        }
        if (left > 1 && begins(line, left, "<g ") && line[left - 1] == '>' &&
            memchr(line + 1, '<', left - 1) == NULL) {
            group = line;
            group_length = left;
        } else if (closes && group != NULL) {
            group = NULL;
        } else if (left > 0 && !begins(line, left, "<use xlink:href='#gpDot'")) {
            put_line(stream, line, left);
        }
        svg += length + (svg[length] == '\n');
    }
}

static char *inlined(const struct chart *chart, const char *svg, char error[CHART_ERROR_SIZE])
{
    static const char end_of_head[] = "</defs>";
    const char *body = strstr(svg, end_of_head);
    char *text = NULL;
    size_t size = 0;
    FILE *stream = body == NULL ? NULL : open_memstream(&text, &size);
    if (stream == NULL) {
        snprintf(error, CHART_ERROR_SIZE, "gnuplot drew what we don't know");
        return NULL;
    }
    markup_put(stream,
               "<svg class=\"chart %s\" viewBox=\"0 0 %u %u\" role=\"img\" "
               "aria-labelledby=\"%s-t %s-d\">\n<title id=\"%s-t\">%s</title>"
               "<desc id=\"%s-d\">%s</desc>\n<g>",
               chart->class, chart->width, chart->height, chart->id, chart->id, chart->id,
               chart->title, chart->id, chart->about);
    put_body(stream, body + sizeof end_of_head - 1);
    if (fclose(stream) != 0) {
        free(text);
        snprintf(error, CHART_ERROR_SIZE, "no memory left for a chart");
        return NULL;
    }
    return text;
}

char *chart_draw(const struct chart *chart, char error[CHART_ERROR_SIZE])
{
    char *svg = run(chart, error);
    char *text = svg == NULL ? NULL : inlined(chart, svg, error);
    free(svg);
    return text;
}

bool chart_available(char error[CHART_ERROR_SIZE])
{
    const struct chart probe = {.id = "probe",
                                .class = "",
                                .title = "",
                                .about = "",
                                .width = 100,
                                .height = 100,
                                .script = "plot 1\n"};
    char why[CHART_ERROR_SIZE - 80];
    char *text = chart_draw(&probe, error);
    bool good = text != NULL;
    free(text);
    if (!good) {
        snprintf(why, sizeof why, "%.*s", (int)sizeof why - 1, error);
        snprintf(error, CHART_ERROR_SIZE, "%s; remedy: apt-get install gnuplot-nox", why);
    }
    return good;
}

const char *chart_quote(const char *text, char *buffer, unsigned size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                " .,:;+-/()=<>%_#*&";
    unsigned length = 0;
    buffer[length++] = '\'';
    for (; *text != '\0' && length + 2 < size; text++) {
        buffer[length++] = '?';
        if (strchr(plain, *text) != NULL) {
            buffer[length - 1] = *text;
        }
    }
    buffer[length++] = '\'';
    buffer[length] = '\0';
    return buffer;
}
