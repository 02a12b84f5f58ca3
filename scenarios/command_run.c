/* run: loads everything, says what it needs, and simulates one job after another.
 *
 *     options --> jobs --> room in memory? --> --out --> for each job:
 *         build, advance --> judge --> build, advance with what would hold --> write, show
 *
 * Whatever can be refused is refused before the first job begins. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "models/result.h"
#include "models/system.h"
#include "reports/humane.h"
#include "reports/result_json.h"
#include "reports/screen.h"
#include "scenarios/commands.h"
#include "scenarios/run_database.h"
#include "scenarios/run_interrupt.h"
#include "scenarios/run_jobs.h"
#include "scenarios/run_judge.h"
#include "scenarios/run_memory.h"
#include "scenarios/run_options.h"
#include "scenarios/run_out.h"
#include "scenarios/run_progress.h"
#include "scenarios/run_report.h"
#include "scenarios/schema.h"
#include "scenarios/trace.h"

_Static_assert(sizeof(struct trace_message) == sizeof(struct system_trace_message),
               "a trace becomes the system's in its place");

struct run {
    const struct run_options *options;
    struct run_jobs jobs;
    struct run_out out;                    /* Open where options->out is given. */
    struct run_report report;              /* What all jobs will tell together. */
    char database[RUN_DATABASE_PATH_SIZE]; /* "" for none. */
    uint64_t available;                    /* Bytes. */
    uint64_t started_unix_s;
    bool watching;    /* For Ctrl-C. */
    bool interrupted; /* It came. */
    uint32_t shown;   /* Results on stdout so far. */
};

/* What a writer of a result needs. */
struct outcome {
    const struct result *result;
    struct result_facts facts;
};

static bool write_outcome(FILE *stream, const void *context)
{
    const struct outcome *outcome = context;
    return result_json_write(stream, outcome->result, &outcome->facts);
}

static bool write_file(FILE *stream, const void *context)
{
    return write_outcome(stream, context) && fputc('\n', stream) != EOF;
}

static bool has_colour(const struct run_options *options)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return !options->no_color && (no_colour == NULL || no_colour[0] == '\0') && terminal != NULL &&
           strcmp(terminal, "dumb") != 0 && isatty(STDOUT_FILENO);
}

/* -- The trace -----------------------------------------------------------------------------------
 */

/* The messages are turned into the system's where they lie: there may be 50M of them. */
static void convert_trace(struct trace *trace)
{
    for (uint32_t i = 0; i < trace->message_count; i++) {
        struct trace_message from = trace->messages[i];
        struct system_trace_message to = {
            .time_ns = from.time_ns, .sender = from.sender, .recipient = from.recipient};
        memcpy(&trace->messages[i], &to, sizeof to);
    }
}

/* Reads the plan's trace, if it has one, into `options`; false: said why. */
static bool load_trace(const struct plan *plan, struct trace *trace, struct system_options *options)
{
    if (plan->population.trace.file[0] == '\0') {
        return true;
    }
    struct problems *problems = malloc(sizeof *problems);
    if (problems == NULL) {
        return false;
    }
    problems_init(problems);
    bool good = trace_read(trace, plan->population.trace.file, NULL, problems);
    if (good) {
        convert_trace(trace);
        options->trace = (const void *)trace->messages;
        options->trace_count = trace->message_count;
        options->trace_users = trace->user_count;
    } else {
        problems_print(problems, stderr, false);
    }
    free(problems);
    return good;
}

/* -- One job -------------------------------------------------------------------------------------
 */

static void advance(struct run *run, struct system *system, struct run_progress *progress,
                    struct result *result)
{
    struct run_moment moment = {.end_ns = system_end_ns(system)};
    uint64_t slice_ns = RUN_SLICE_FIRST_NS;
    double start_s = run_clock_s();
    if (!run->watching) {
        run_interrupt_watch();
        run->watching = true;
    }
    run_progress_clear(progress);
    while (moment.now_ns < moment.end_ns && !run_interrupted()) {
        uint64_t left_ns = moment.end_ns - moment.now_ns;
        double before_s = moment.wall_s;
        system_advance(system, moment.now_ns + (slice_ns < left_ns ? slice_ns : left_ns));
        moment.now_ns = system_now_ns(system);
        moment.events = system_events(system);
        moment.wall_s = run_clock_s() - start_s;
        slice_ns = run_slice_next(slice_ns, moment.wall_s - before_s);
        run_progress_show(progress, &moment);
    }
    run_progress_clear(progress);
    run->interrupted = run_interrupted();
    if (run->interrupted && !run->options->quiet) {
        fputs("chatscale run: interrupted; here is what there was so far\n", stderr);
    }
    system_result(system, result);
    double simulated_s = (double)moment.now_ns * 1e-9;
    result->host.wall_s = moment.wall_s;
    result->host.wall_s_per_simulated_s = simulated_s > 0 ? moment.wall_s / simulated_s : 0;
    result->host.events_per_s = moment.wall_s > 0 ? (double)moment.events / moment.wall_s : 0;
}

/* To stdout: the screen, or JSON, of which several make an array. */
static bool show(struct run *run, const struct run_job *job, const struct outcome *outcome,
                 const char *file)
{
    const struct run_options *options = run->options;
    bool good = true;
    if (options->json) {
        bool several = run->jobs.count > 1;
        fputs(!several ? "" : run->shown == 0 ? "[\n" : ",\n", stdout);
        good = write_outcome(stdout, outcome);
    } else if (!options->quiet) {
        struct screen_options screen = {.colour = has_colour(options),
                                        .repeat = outcome->facts.repeat,
                                        .file = file,
                                        .explain = options->explain,
                                        .verdicts = outcome->facts.verdicts,
                                        .budgets = outcome->facts.budgets};
        fputs(run->shown > 0 ? "\n" : "", stdout);
        good = screen_write(stdout, outcome->result, &screen);
    }
    run->shown++;
    if (!good) {
        fprintf(stderr, "chatscale run: %s: standard output can't be written: %s\n", job->title,
                strerror(errno));
    }
    return good;
}

/* Takes over the result and the judgement. */
static bool publish(struct run *run, const struct run_job *job, struct result *result,
                    struct run_judgement *judgement)
{
    const struct run_options *options = run->options;
    char *repeat = run_job_repeat(job, options);
    char *plan_json = plan_text(job->plan);
    char file[RUN_OUT_PATH_SIZE + RUN_FOLDER_SIZE + 32];
    struct outcome outcome = {.result = result,
                              .facts = {
                                  .plan_hash = plan_hash(job->plan),
                                  .plan_json = plan_json,
                                  .overrides = options->sets,
                                  .override_count = options->set_count,
                                  .verdicts = judgement == NULL ? NULL : &judgement->verdicts,
                                  .budgets = judgement == NULL ? NULL : &judgement->budgets,
                                  .repeat = repeat,
                                  .started_unix_s = run->started_unix_s,
                                  .processor_count = run_processors(),
                              }};
    bool good = true;
    if (options->out != NULL) {
        snprintf(file, sizeof file, "%s/%s%sresult.json", run->out.path, job->folder,
                 job->folder[0] == '\0' ? "" : "/");
        good = run_out_write(&run->out, job->folder, write_file, &outcome);
    }
    bool filed = good && options->out != NULL;
    good = show(run, job, &outcome, filed ? file : NULL) && good;
    return run_report_keep(&run->report, job, result, judgement, &outcome.facts) && good;
}

static void announce(const struct run *run, const struct run_job *job, uint32_t threads)
{
    char needed[HUMANE_SIZE];
    char available[HUMANE_SIZE];
    if (run->options->quiet) {
        return;
    }
    fprintf(stderr, "%s: needs %s of memory", job->title,
            humane_memory((double)job->memory_bytes, needed));
    if (run->available != UINT64_MAX) {
        fprintf(stderr, ", %s is available", humane_memory((double)run->available, available));
    }
    fprintf(stderr, "; %u thread%s\n", threads, threads == 1 ? "" : "s");
}

/* Builds and runs a plan, the job's own or one that checks it. Returns -1 where there is a result,
 * which the caller frees, or the exit status. */
static int simulate(struct run *run, const struct plan *plan, const char *title,
                    const struct system_options *how, struct result *result)
{
    char error[256] = "";
    struct run_progress progress;
    run_progress_init(&progress, !run->options->quiet);
    run_progress_say(&progress, "building ...");
    double start_s = run_clock_s();
    struct system *system = system_create(plan, how, error);
    double build_s = run_clock_s() - start_s;
    if (system == NULL) {
        run_progress_clear(&progress);
        fprintf(stderr, "chatscale run: %s: %s\n", title, error);
        return COMMAND_INPUT;
    }
    advance(run, system, &progress, result);
    result->host.build_s = build_s;
    result->host.memory_bytes = run_memory_resident();
    system_destroy(system);
    return -1;
}

/* Once more, with all that was found to hold. What stands in the way of it is a note, not an
 * error: the verdicts stand without. */
static void check(struct run *run, const struct run_job *job, const struct system_options *how,
                  struct verdicts *verdicts)
{
    if (run->options->no_check || run->interrupted || !verdicts_need_check(verdicts)) {
        return;
    }
    struct plan *plan = run_check_plan(job->plan, verdicts);
    struct result *result = calloc(1, sizeof *result);
    uint64_t bytes = plan == NULL ? 0 : system_memory_bytes(plan, how);
    if (bytes > run->available) {
        char needed[HUMANE_SIZE];
        snprintf(verdicts->check_note, sizeof verdicts->check_note,
                 "the further run would need %s of memory", humane_memory((double)bytes, needed));
    } else if (plan != NULL && result != NULL) {
        if (!run->options->quiet) {
            fprintf(stderr, "%s: checking what would hold\n", job->title);
        }
        if (simulate(run, plan, job->title, how, result) < 0 && !result->partial) {
            verdicts_check(verdicts, result);
        }
        result_free(result);
    }
    free(result);
    free(plan);
}

/* The job's run, judged, checked and published; the exit status. */
static int try_job(struct run *run, const struct run_job *job, const struct system_options *how)
{
    struct result *result = calloc(1, sizeof *result);
    if (result == NULL) {
        fputs("chatscale run: no memory left for the result\n", stderr);
        return COMMAND_OTHER;
    }
    int status = simulate(run, job->plan, job->title, how, result);
    if (status >= 0) {
        free(result);
        return status;
    }
    bool breached = false;
    result->host.memory_estimated_bytes = job->memory_bytes;
    struct run_judgement *judgement = run_judge(result);
    if (judgement != NULL) {
        check(run, job, how, &judgement->verdicts);
        breached = judgement->budgets.failed > 0;
    }
    bool broken = result->violation_count > 0 || judgement == NULL;
    bool good = publish(run, job, result, judgement) && !broken;
    status = !good ? COMMAND_OTHER : breached ? run->options->budget_exit_code : EXIT_SUCCESS;
    return status;
}

static int run_job(struct run *run, const struct run_job *job)
{
    struct trace trace = {0};
    struct system_options how = run_jobs_options(run->options, job->plan);
    announce(run, job, how.threads);
    if (!load_trace(job->plan, &trace, &how)) {
        return COMMAND_INPUT;
    }
    int status = try_job(run, job, &how);
    if (how.trace != NULL) {
        trace_free(&trace);
    }
    return status;
}

/* -- All jobs ------------------------------------------------------------------------------------
 */

static int run_all(struct run *run)
{
    int status = EXIT_SUCCESS;
    for (uint32_t i = 0; i < run->jobs.count; i++) {
        const struct run_job *job = &run->jobs.list[i];
        if (run->watching && run_interrupted()) {
            fprintf(stderr, "chatscale run: interrupted before %s\n", job->title);
            run->interrupted = true;
            break;
        }
        int one = run_job(run, job);
        /* What went wrong is worse than a budget that failed. */
        bool worse = status == EXIT_SUCCESS || status == run->options->budget_exit_code;
        status = one != EXIT_SUCCESS && worse ? one : status;
    }
    if (run->options->json && run->jobs.count > 1) {
        fputs(run->shown == 0 ? "[]" : "\n]", stdout);
    }
    fputs(run->options->json && (run->shown > 0 || run->jobs.count > 1) ? "\n" : "", stdout);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        status = COMMAND_OTHER;
    }
    return run->interrupted ? COMMAND_INTERRUPTED : status;
}

/* What is told of all jobs together. */
static bool publish_all(struct run *run)
{
    const struct report report = {run->report.variants, run->report.count};
    bool filed = run->options->out != NULL;
    bool good = !filed || run_report_write(&run->report, &run->out, run->options);
    good = run_database_add(run->database, &report, filed ? run->out.path : NULL) && good;
    if (filed) {
        run_out_close(&run->out);
    }
    return good;
}

/* Returns -1 to go on. */
static int prepare(struct run *run)
{
    const struct run_options *options = run->options;
    int status = run_jobs_load(&run->jobs, options);
    if (status >= 0) {
        return status;
    }
    if (options->memory_needed) {
        printf("%llu\n", (unsigned long long)run_jobs_memory_bytes(&run->jobs));
        return fflush(stdout) == 0 ? EXIT_SUCCESS : COMMAND_OTHER;
    }
    run->available = run_memory_available("");
    if (!run_jobs_fit(&run->jobs, options, run->available)) {
        return COMMAND_OTHER;
    }
    status = run_report_check(options);
    status = status < 0 ? run_database_check(options, run->database) : status;
    return status < 0 && options->out != NULL ? run_out_open(&run->out, options->out) : status;
}

int command_run(int argc, char **argv)
{
    struct run_options *options = malloc(sizeof *options);
    struct run *run = calloc(1, sizeof *run);
    int status = options == NULL || run == NULL ? COMMAND_OTHER : -1;
    if (status < 0) {
        run->options = options;
        run->started_unix_s = (uint64_t)time(NULL);
        status = run_options_read(argc, argv, options);
    }
    if (status < 0) {
        status = prepare(run);
        if (status < 0) {
            status = run_all(run);
            bool written = publish_all(run);
            status = written || status != EXIT_SUCCESS ? status : COMMAND_OTHER;
        }
        run_interrupt_end();
        run_report_free(&run->report);
        run_jobs_free(&run->jobs);
    }
    free(run);
    free(options);
    return status;
}
