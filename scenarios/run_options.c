#include "scenarios/run_options.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/commands.h"
#include "sim/sim.h"

static const char usage[] =
    "Usage: chatscale run SCENARIO... [OPTION]...\n"
    "Simulates each scenario, and each of its variants, one after another.\n"
    "\n"
    "  -o, --out DIR          writes there report.html, junit.xml, summary.md, stages.csv, "
    "tiers.csv,\n"
    "                         series.csv, counters.csv and result.json; the latter with several "
    "variants\n"
    "                         into DIR/VARIANT, with several scenarios into DIR/NAME. DIR is "
    "created, or\n"
    "                         is empty\n"
    "      --no-report        all of these but report.html, which alone needs gnuplot\n"
    "      --db FILE          notes the results in this database for `chatscale runs`; without "
    "this,\n"
    "                         with --out, in $XDG_DATA_HOME/chatscale/runs.db\n"
    "      --no-db            notes them nowhere\n"
    "      --seed N           instead of the scenario's: same seed, same result\n"
    "      --set FIELD=VALUE  overrides a field: --set kafka.brokers=30\n"
    "  -j, --threads N        1 to 64; else as many as there are processors, or one where the "
    "scenario\n"
    "                         is too small for more. The result is the same\n"
    "      --json             prints the result as JSON instead of the screen; an array of "
    "several\n"
    "  -q, --quiet            prints errors only\n"
    "      --no-color         no colours; NO_COLOR in the environment says the same\n"
    "      --memory-needed    prints the bytes that the largest run needs, and runs nothing\n"
    "      --scheduler KIND   windows (as usual) or plain (one queue: slow, and the same result)\n"
    "      --cells N          groups nodes otherwise, for tests: the same result\n"
    "      --explain          each verdict with how it comes about, and the evidence\n"
    "      --no-check         no further run with the figures that were found to hold\n"
    "      --budget-exit-code N\n"
    "                         exit status where a budget fails, instead of 3\n"
    "  -h, --help             prints this\n"
    "\n"
    "SCENARIO `-` is standard input. Ctrl-C ends a run with its results so far, marked as "
    "partial;\n"
    "a second one ends it at once.\n"
    "Exit status: 0 done, an overloaded system included; 2 bad input or usage; 3 a budget is\n"
    "breached or the run has no data for it; 130 interrupted;\n"
    "1 anything else: memory, disk, or a guarantee that the judge found broken.\n";

uint32_t run_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count > (int)SIM_THREADS_MAX ? SIM_THREADS_MAX : (uint32_t)count;
}

static bool read_number(const char *name, const char *text, uint64_t least, uint64_t most,
                        uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < least ||
        number > most) {
        fprintf(stderr, "chatscale run: --%s takes a whole number from %llu to %llu, not \"%s\"\n",
                name, (unsigned long long)least, (unsigned long long)most, text);
        return false;
    }
    *value = number;
    return true;
}

static bool read_scheduler(const char *text, struct run_options *options)
{
    options->plain = strcmp(text, "plain") == 0;
    if (!options->plain && strcmp(text, "windows") != 0) {
        fprintf(stderr, "chatscale run: --scheduler is plain or windows, not \"%s\"\n", text);
        return false;
    }
    return true;
}

enum {
    OPTION_SEED = 256,
    OPTION_SET,
    OPTION_JSON,
    OPTION_SCHEDULER,
    OPTION_CELLS,
    OPTION_MEMORY,
    OPTION_NO_COLOR,
    OPTION_NO_REPORT,
    OPTION_DB,
    OPTION_NO_DB,
    OPTION_NO_CHECK,
    OPTION_EXPLAIN,
    OPTION_BUDGET_CODE
};

static const struct option known[] = {
    {"out", required_argument, NULL, 'o'},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"set", required_argument, NULL, OPTION_SET},
    {"threads", required_argument, NULL, 'j'},
    {"no-report", no_argument, NULL, OPTION_NO_REPORT},
    {"db", required_argument, NULL, OPTION_DB},
    {"no-db", no_argument, NULL, OPTION_NO_DB},
    {"json", no_argument, NULL, OPTION_JSON},
    {"quiet", no_argument, NULL, 'q'},
    {"scheduler", required_argument, NULL, OPTION_SCHEDULER},
    {"cells", required_argument, NULL, OPTION_CELLS},
    {"memory-needed", no_argument, NULL, OPTION_MEMORY},
    {"no-color", no_argument, NULL, OPTION_NO_COLOR},
    {"explain", no_argument, NULL, OPTION_EXPLAIN},
    {"no-check", no_argument, NULL, OPTION_NO_CHECK},
    {"budget-exit-code", required_argument, NULL, OPTION_BUDGET_CODE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool read_set(const char *text, struct run_options *options)
{
    if (options->set_count == SCENARIO_SETS_MAX) {
        fprintf(stderr, "chatscale run: more than %u times --set\n", SCENARIO_SETS_MAX);
        return false;
    }
    options->sets[options->set_count++] = text;
    return true;
}

static bool read_option(int option, const char *text, struct run_options *options)
{
    uint64_t number = 0;
    bool good = true;
    switch (option) {
    case 'o':
        options->out = text;
        good = text[0] != '\0';
        if (!good) {
            fputs("chatscale run: --out takes a directory, not \"\"\n", stderr);
        }
        return good;
    case OPTION_SEED:
        options->seeded = true;
        return read_number("seed", text, 0, UINT64_MAX, &options->seed);
    case OPTION_SET:
        return read_set(text, options);
    case 'j':
        good = read_number("threads", text, 1, SIM_THREADS_MAX, &number);
        options->threads = (uint32_t)number;
        return good;
    case OPTION_CELLS:
        good = read_number("cells", text, 0, UINT32_MAX, &number);
        options->cells = (uint32_t)number;
        return good;
    case OPTION_SCHEDULER:
        return read_scheduler(text, options);
    case OPTION_JSON:
        options->json = true;
        return true;
    case 'q':
        options->quiet = true;
        return true;
    case OPTION_MEMORY:
        options->memory_needed = true;
        return true;
    case OPTION_DB:
        options->db = text;
        return true;
    case OPTION_NO_DB:
        options->no_db = true;
        return true;
    case OPTION_NO_REPORT:
        options->no_report = true;
        return true;
    case OPTION_NO_COLOR:
        options->no_color = true;
        return true;
    case OPTION_EXPLAIN:
        options->explain = true;
        return true;
    case OPTION_NO_CHECK:
        options->no_check = true;
        return true;
    case OPTION_BUDGET_CODE:
        good = read_number("budget-exit-code", text, 0, 255, &number);
        options->budget_exit_code = (int)number;
        return good;
    default:
        return false; /* getopt has said why. */
    }
}

int run_options_read(int argc, char **argv, struct run_options *options)
{
    memset(options, 0, sizeof *options);
    options->budget_exit_code = COMMAND_BUDGET;
    optind = 0; /* Another command may have read its options before. */
    int option;
    while ((option = getopt_long(argc, argv, "o:j:qh", known, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return fflush(stdout) == 0 ? EXIT_SUCCESS : COMMAND_OTHER;
        }
        if (!read_option(option, optarg, options)) {
            fputs("Try `chatscale run --help`.\n", stderr);
            return COMMAND_INPUT;
        }
    }
    if (optind >= argc) {
        fputs("chatscale run: which scenario?\n", stderr);
        fputs(usage, stderr);
        return COMMAND_INPUT;
    }
    for (; optind < argc; optind++) {
        if (options->path_count == RUN_SCENARIOS_MAX) {
            fprintf(stderr, "chatscale run: more than %u scenarios\n", RUN_SCENARIOS_MAX);
            return COMMAND_INPUT;
        }
        options->paths[options->path_count++] = argv[optind];
    }
    return -1;
}
