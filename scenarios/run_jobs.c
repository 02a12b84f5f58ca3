#include "scenarios/run_jobs.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports/humane.h"
#include "scenarios/commands.h"
#include "scenarios/problems.h"

#define FIDELITY_LEAST 0.0001
#define MESSAGE_EVENTS 70.0 /* About so many of a delivery, with both receipts, and ... */
#define POLL_EVENTS 7.0     /* ... of a poll. */
#define WINDOW_EVENTS 300.0 /* Fewer in a window take no longer than two threads take to meet. */

/* A name as part of a path: nothing that leads elsewhere. */
static void folder_name(const char *name, char *folder)
{
    size_t length = 0;
    for (; name[length] != '\0' && length + 1 < PLAN_NAME_SIZE; length++) {
        char c = name[length];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || (c == '.' && length > 0);
        folder[length] = c;
        if (!plain) {
            folder[length] = '-';
        }
    }
    folder[length] = '\0';
}

static void name_job(struct run_job *job, bool several_scenarios, bool several_variants)
{
    char name[PLAN_NAME_SIZE];
    folder_name(job->plan->name, name);
    const char *variant = job->plan->variant;
    snprintf(job->title, sizeof job->title, "%s%s%s", name, variant[0] == '\0' ? "" : "/", variant);
    snprintf(job->folder, sizeof job->folder, "%s%s%s", several_scenarios ? name : "",
             several_scenarios && several_variants ? "/" : "", several_variants ? variant : "");
}

static struct run_job *add_job(struct run_jobs *jobs)
{
    struct run_job *list = realloc(jobs->list, (jobs->count + 1) * sizeof *list);
    if (list == NULL) {
        return NULL;
    }
    jobs->list = list;
    struct run_job *job = &list[jobs->count];
    memset(job, 0, sizeof *job);
    job->plan = malloc(sizeof *job->plan);
    jobs->count += job->plan != NULL;
    return job->plan == NULL ? NULL : job;
}

/* All variants of one scenario. Returns -1 where they are good. */
static int load_scenario(struct run_jobs *jobs, const char *path, const struct run_options *options,
                         struct problems *problems)
{
    struct scenario *scenario = scenario_open(path, options->sets, options->set_count, problems);
    if (scenario == NULL) {
        return COMMAND_INPUT;
    }
    int status = -1;
    uint32_t count = scenario_variant_count(scenario);
    for (uint32_t i = 0; i < count && status != COMMAND_OTHER; i++) {
        struct run_job *job = add_job(jobs);
        if (job == NULL) {
            fputs("chatscale run: no memory left for another scenario\n", stderr);
            status = COMMAND_OTHER;
        } else if (!scenario_plan(scenario, i, job->plan, problems)) {
            status = COMMAND_INPUT;
        } else {
            job->path = path;
            if (options->seeded) {
                job->plan->run.seed = options->seed;
            }
            const struct system_options how = run_jobs_options(options, job->plan);
            job->memory_bytes = system_memory_bytes(job->plan, &how);
            name_job(job, options->path_count > 1, count > 1);
        }
    }
    scenario_close(scenario);
    return status;
}

/* Two results would come to stand in one place. */
static int check_folders(const struct run_jobs *jobs)
{
    for (uint32_t i = 0; i < jobs->count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(jobs->list[i].folder, jobs->list[k].folder) == 0) {
                fprintf(stderr,
                        "chatscale run: %s and %s are both called %s, and --out has one place for "
                        "it; remedy: run them one at a time\n",
                        jobs->list[k].path, jobs->list[i].path, jobs->list[i].title);
                return COMMAND_INPUT;
            }
        }
    }
    return -1;
}

int run_jobs_load(struct run_jobs *jobs, const struct run_options *options)
{
    memset(jobs, 0, sizeof *jobs);
    struct problems *problems = malloc(sizeof *problems);
    if (problems == NULL) {
        return COMMAND_OTHER;
    }
    int status = -1;
    for (uint32_t i = 0; i < options->path_count && status != COMMAND_OTHER; i++) {
        problems_init(problems);
        int one = load_scenario(jobs, options->paths[i], options, problems);
        status = one < 0 ? status : one;
        problems_print(problems, stderr, options->quiet || options->memory_needed);
    }
    free(problems);
    return status < 0 && options->out != NULL ? check_folders(jobs) : status;
}

void run_jobs_free(struct run_jobs *jobs)
{
    for (uint32_t i = 0; i < jobs->count; i++) {
        free(jobs->list[i].plan);
    }
    free(jobs->list);
    memset(jobs, 0, sizeof *jobs);
}

/* The window is the greatest power of two within the lookahead: 65 us in most scenarios. */
static double window_s(const struct plan *plan)
{
    uint64_t lookahead_ns = plan_lookahead_ns(plan);
    return lookahead_ns == 0 ? 0
                             : (double)(UINT64_C(1) << (63 - __builtin_clzll(lookahead_ns))) * 1e-9;
}

double run_jobs_events_per_s(const struct plan *plan)
{
    const struct plan_population *population = &plan->population;
    double events_per_s =
        population->message_rate_per_s * fmax(1, plan_recipients(plan)) * MESSAGE_EVENTS;
    if (plan->client.transport == PLAN_POLLING && plan->client.poll_interval_ns > 0) {
        events_per_s += (double)population->connected * POLL_EVENTS * 1e9 /
                        (double)plan->client.poll_interval_ns;
    }
    return events_per_s * plan->run.fidelity;
}

/* A trace's rate is not known before it is read; most are small. */
static bool is_small(const struct plan *plan)
{
    return plan->population.trace.file[0] != '\0' ||
           run_jobs_events_per_s(plan) * window_s(plan) < WINDOW_EVENTS;
}

struct system_options run_jobs_options(const struct run_options *options, const struct plan *plan)
{
    uint32_t threads = options->threads;
    if (threads == 0) {
        threads = is_small(plan) ? 1 : run_processors();
    }
    return (struct system_options){
        .threads = threads, .plain = options->plain, .cells = options->cells};
}

uint64_t run_jobs_memory_bytes(const struct run_jobs *jobs)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < jobs->count; i++) {
        most = jobs->list[i].memory_bytes > most ? jobs->list[i].memory_bytes : most;
    }
    return most;
}

/* The largest sample that fits, as a remedy to copy. */
static void suggest_sample(const struct run_job *job, const struct run_options *options,
                           uint64_t available)
{
    static const double parts[] = {1. / 2, 1. / 5, 1. / 10, 1. / 20, 1. / 50, 1. / 100, 1. / 1000};
    struct plan *sample = malloc(sizeof *sample);
    if (sample == NULL) {
        return;
    }
    bool found = false;
    for (size_t i = 0; !found && i < sizeof parts / sizeof *parts; i++) {
        *sample = *job->plan;
        sample->run.fidelity *= parts[i];
        if (sample->run.fidelity < FIDELITY_LEAST) {
            break;
        }
        const struct system_options how = run_jobs_options(options, sample);
        uint64_t bytes = system_memory_bytes(sample, &how);
        if (bytes <= available) {
            char text[HUMANE_SIZE];
            fprintf(stderr, "  simulate a sample: --set run.fidelity=%.4g needs %s\n",
                    sample->run.fidelity, humane_memory((double)bytes, text));
            found = true;
        }
    }
    free(sample);
}

bool run_jobs_fit(const struct run_jobs *jobs, const struct run_options *options,
                  uint64_t available)
{
    bool fit = true;
    for (uint32_t i = 0; i < jobs->count; i++) {
        const struct run_job *job = &jobs->list[i];
        if (job->memory_bytes <= available) {
            continue;
        }
        char needed[HUMANE_SIZE];
        char there[HUMANE_SIZE];
        fprintf(stderr, "chatscale run: %s needs %s of memory, and %s is available; remedies:\n",
                job->title, humane_memory((double)job->memory_bytes, needed),
                humane_memory((double)available, there));
        suggest_sample(job, options, available);
        fputs("  fewer clients and servers: --set population.connected=..., gateway.servers=...\n"
              "  a machine, or a container limit, with more memory\n",
              stderr);
        fit = false;
    }
    return fit;
}

/* In single quotes where a shell would make something of it. */
static void put_quoted(FILE *stream, const char *text)
{
    static const char *const plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/=+:,@%";
    if (text[0] != '\0' && strspn(text, plain) == strlen(text)) {
        fputs(text, stream);
        return;
    }
    fputc('\'', stream);
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", stream);
        } else {
            fputc(*text, stream);
        }
    }
    fputc('\'', stream);
}

char *run_job_repeat(const struct run_job *job, const struct run_options *options)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL) {
        return NULL;
    }
    fputs("chatscale run ", stream);
    put_quoted(stream, job->path);
    fprintf(stream, " --seed %" PRIu64, job->plan->run.seed);
    for (uint32_t i = 0; i < options->set_count; i++) {
        fputs(" --set ", stream);
        put_quoted(stream, options->sets[i]);
    }
    if (fclose(stream) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
