#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "scenarios/commands.h"
#include "scenarios/load.h"
#include "scenarios/schema.h"

enum { EXIT_OTHER = 1, EXIT_INPUT = 2 };

struct check_options {
    const char *sets[SCENARIO_SETS_MAX];
    uint32_t set_count;
    bool print;
    bool quiet;
};

static const char usage[] =
    "Usage: chatscale check SCENARIO... [OPTION]...\n"
    "Validates scenarios and runs nothing. Every fault is listed with its place and a remedy.\n"
    "\n"
    "      --set FIELD=VALUE  overrides a field: --set kafka.brokers=30\n"
    "      --print            prints each plan in full, as a scenario with all its defaults\n"
    "  -q, --quiet            prints errors only\n"
    "  -h, --help             prints this\n"
    "\n"
    "SCENARIO `-` is standard input. Exit status: 0 all good, 2 bad input or usage, 1 otherwise.\n";

/* Returns -1 to go on, or the exit status. */
static int read_options(int argc, char **argv, struct check_options *options)
{
    static const struct option known[] = {
        {"set", required_argument, NULL, 's'},
        {"print", no_argument, NULL, 'p'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    optind = 0; /* Another command may have read its options before. */
    for (;;) {
        int option = getopt_long(argc, argv, "qh", known, NULL);
        if (option == -1) {
            break;
        }
        if (option == 's' && options->set_count < SCENARIO_SETS_MAX) {
            options->sets[options->set_count++] = optarg;
        } else if (option == 'p') {
            options->print = true;
        } else if (option == 'q') {
            options->quiet = true;
        } else if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        } else {
            fputs("Try `chatscale check --help`.\n", stderr);
            return EXIT_INPUT;
        }
    }
    if (optind >= argc) {
        fputs("chatscale check: which scenario?\n", stderr);
        fputs(usage, stderr);
        return EXIT_INPUT;
    }
    return -1;
}

static bool print_plan(const struct plan *plan)
{
    char *text = plan_text(plan);
    bool good = text != NULL && puts(text) >= 0;
    free(text);
    return good;
}

/* All plans of one scenario; true when they are good. */
static bool check_file(const char *path, const struct check_options *options, struct plan *plan,
                       struct problems *problems)
{
    struct scenario *scenario = scenario_open(path, options->sets, options->set_count, problems);
    if (scenario == NULL) {
        return false;
    }
    bool good = true;
    uint32_t count = scenario_variant_count(scenario);
    for (uint32_t i = 0; i < count; i++) {
        bool built = scenario_plan(scenario, i, plan, problems);
        good = good && built && (!options->print || print_plan(plan));
    }
    scenario_close(scenario);
    if (good && !options->quiet && !options->print) {
        printf("%s: good, %u plan%s\n", path, count, count == 1 ? "" : "s");
    }
    return good;
}

int command_check(int argc, char **argv)
{
    struct check_options options = {0};
    int status = read_options(argc, argv, &options);
    if (status >= 0) {
        return status;
    }
    struct plan *plan = malloc(sizeof *plan);
    struct problems *problems = malloc(sizeof *problems);
    status = plan == NULL || problems == NULL ? EXIT_OTHER : EXIT_SUCCESS;
    for (int i = optind; status != EXIT_OTHER && i < argc; i++) {
        problems_init(problems);
        if (!check_file(argv[i], &options, plan, problems)) {
            status = EXIT_INPUT;
        }
        fflush(stdout);
        problems_print(problems, stderr, options.quiet);
    }
    free(plan);
    free(problems);
    return ferror(stdout) ? EXIT_OTHER : status;
}
