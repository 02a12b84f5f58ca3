/* init: writes a scenario to begin with, and the schema that it names. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenarios/commands.h"
#include "scenarios/schema.h"
#include "scenarios/starter.h"

#define PATH_SIZE 4096u
#define SCHEMA_NAME "chatscale.schema.json"

static const char usage[] =
    "Usage: chatscale init [FILE]\n"
    "Writes a scenario to begin with (scenario.json), which explains itself, and beside "
    "it\n" SCHEMA_NAME ", by which editors complete and check it. Overwrites nothing.\n"
    "\n"
    "  -h, --help  prints this\n";

enum written { WRITTEN, WRITTEN_THERE, WRITTEN_FAILED };

/* A new file, whole or not at all. */
static enum written write_new(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0) {
        return errno == EEXIST ? WRITTEN_THERE : WRITTEN_FAILED;
    }
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t count = write(file, text, left);
        if (count < 0) {
            break;
        }
        text += count;
        left -= (size_t)count;
    }
    int error = errno;
    if (close(file) != 0 || left > 0) {
        unlink(path);
        errno = error;
        return WRITTEN_FAILED;
    }
    return WRITTEN;
}

static int say_failed(const char *path)
{
    fprintf(stderr, "chatscale init: %s can't be written: %s\n", path, strerror(errno));
    return COMMAND_OTHER;
}

static int write_both(const char *path, const char *schema)
{
    char beside[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? 0 : (int)(slash + 1 - path);
    if (snprintf(beside, sizeof beside, "%.*s%s", length, path, SCHEMA_NAME) >=
        (int)sizeof beside) {
        errno = ENAMETOOLONG;
        return say_failed(path);
    }
    enum written written = write_new(path, starter_json);
    if (written == WRITTEN_THERE) {
        fprintf(stderr, "chatscale init: %s is there already; name another file\n", path);
        return COMMAND_INPUT;
    }
    if (written == WRITTEN_FAILED) {
        return say_failed(path);
    }
    if (write_new(beside, schema) == WRITTEN_FAILED) { /* One that is there will do. */
        return say_failed(beside);
    }
    printf("%s is written. Run it: chatscale run %s\n", path, path);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : COMMAND_OTHER;
}

int command_init(int argc, char **argv)
{
    static const struct option known[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    optind = 0; /* Another command may have read its options before. */
    int option = getopt_long(argc, argv, "h", known, NULL);
    if (option != -1 || argc - optind > 1) {
        fputs(usage, option == 'h' ? stdout : stderr);
        return option == 'h' ? EXIT_SUCCESS : COMMAND_INPUT;
    }
    char *schema = schema_text();
    int status = schema == NULL
                     ? COMMAND_OTHER
                     : write_both(optind < argc ? argv[optind] : "scenario.json", schema);
    free(schema);
    return status;
}
