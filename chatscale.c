/* chatscale: the table of commands, nothing more. A command lives in the room that does its work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/version.h"
#include "scenarios/commands.h"
#include "scenarios/nearest.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
} commands[] = {
    {"run", command_run, "simulates scenarios and says what happened"},
    {"check", command_check, "validates scenarios and runs nothing"},
    {"runs", command_runs, "lists past runs, and how a metric went from one to the next"},
    {"compare", command_compare, "tells two results apart: what got worse, beyond chance"},
    {"init", command_init, "writes a scenario to begin with"},
    {"explain", command_explain, "says what a parameter, a metric or a claim is"},
    {"schema", command_schema, "prints the JSON Schema of scenarios, or their reference"},
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void print_usage(FILE *stream)
{
    fputs("Usage: chatscale COMMAND [ARGUMENT]...\n"
          "Will this chat system's design hold, and where does it break?\n"
          "\n",
          stream);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        fprintf(stream, "  %-8s %s\n", commands[i].name, commands[i].about);
    }
    fputs("\n"
          "      --version  prints the version\n"
          "  -h, --help     prints this; chatscale COMMAND --help prints a command's\n"
          "\n"
          "Exit status: 0; 2 for bad input or usage; 3 a budget is breached or has no data, or a\n"
          "comparison found something worse; 130 interrupted; 1 for anything else.\n",
          stream);
}

static int refuse(const char *name)
{
    const char *near = NULL;
    uint32_t least = nearest_limit(name) + 1;
    for (int i = 0; i < COMMAND_COUNT; i++) {
        uint32_t distance = nearest_distance(name, commands[i].name);
        if (distance < least) {
            least = distance;
            near = commands[i].name;
        }
    }
    fprintf(stderr, "chatscale: there is no command \"%.64s\"", name);
    if (near != NULL) {
        fprintf(stderr, "; did you mean %s?", near);
    }
    fputs("\nTry `chatscale --help`.\n", stderr);
    return COMMAND_INPUT;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return COMMAND_INPUT;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_usage(stdout);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : COMMAND_OTHER;
    }
    if (strcmp(name, "--version") == 0) {
        puts("chatscale " CHATSCALE_VERSION);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : COMMAND_OTHER;
    }
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            char title[32]; /* What getopt names itself by. */
            snprintf(title, sizeof title, "chatscale %s", name);
            argv[1] = title;
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    return refuse(name);
}
