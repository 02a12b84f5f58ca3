#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/commands.h"
#include "scenarios/schema.h"

enum { EXIT_OTHER = 1, EXIT_INPUT = 2 };

static const char usage[] =
    "Usage: chatscale schema [OPTION]\n"
    "Prints the JSON Schema (2020-12) of scenarios, for editors.\n"
    "\n"
    "      --reference  prints the scenario reference instead: every field, default and source\n"
    "      --write      writes both to " SCHEMA_FILE " and " REFERENCE_FILE ", from the\n"
    "                   root of the repository\n"
    "  -h, --help       prints this\n";

static bool write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    bool good = file != NULL && fputs(text, file) >= 0;
    good = file != NULL && fclose(file) == 0 && good;
    if (!good) {
        fprintf(stderr, "chatscale schema: %s can't be written: %s\n", path, strerror(errno));
    }
    return good;
}

int command_schema(int argc, char **argv)
{
    static const struct option known[] = {
        {"reference", no_argument, NULL, 'r'},
        {"write", no_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    bool write = false;
    bool reference = false;
    optind = 0; /* Another command may have read its options before. */
    int option;
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        write = write || option == 'w';
        reference = reference || option == 'r';
        if (option == 'h' || option == '?') {
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? EXIT_SUCCESS : EXIT_INPUT;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "chatscale schema: takes no \"%s\"\n%s", argv[optind], usage);
        return EXIT_INPUT;
    }
    char *schema = schema_text();
    char *pages = reference_text();
    bool good = schema != NULL && pages != NULL;
    if (good && write) {
        good = write_file(SCHEMA_FILE, schema) && write_file(REFERENCE_FILE, pages);
    } else if (good) {
        good = fputs(reference ? pages : schema, stdout) >= 0 && fflush(stdout) == 0;
    }
    free(schema);
    free(pages);
    return good ? EXIT_SUCCESS : EXIT_OTHER;
}
