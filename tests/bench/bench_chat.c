/* The chat flow: a sample of whatsapp-sized through the whole system, by windows on one and two
 * threads and by the plain scheduler (one 4-ary heap), in one run.
 *
 *   bench_chat [SCENARIO [FIDELITY [MILLISECONDS]]] */
#include "models/system.h"
#include "scenarios/load.h"
#include "sim/check.h"
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>

#define SET_SIZE 64

static const struct plan *load(const char *path, const char *fidelity, const char *duration_ms)
{
    char sample[SET_SIZE];
    char duration[SET_SIZE];
    snprintf(sample, sizeof sample, "run.fidelity=%s", fidelity);
    snprintf(duration, sizeof duration, "run.duration=%sms", duration_ms);
    const char *sets[] = {sample, duration, "run.warmup=300ms", "run.drain=0"};
    struct plan *plan = malloc(sizeof *plan);
    struct problems *problems = malloc(sizeof *problems);
    CHECK(plan != NULL && problems != NULL);
    problems_init(problems);
    if (!scenario_load(path, sets, sizeof sets / sizeof *sets, plan, problems)) {
        problems_print(problems, stderr, false);
        exit(2);
    }
    free(problems);
    return plan;
}

/* Returns ns an event, the warm-up left out. */
static double measure(const struct plan *plan, const char *name, uint32_t threads, bool plain,
                      double base_ns)
{
    char error[256];
    const struct system_options options = {.threads = threads, .plain = plain};
    struct system *system = system_create(plan, &options, error);
    struct result *result = calloc(1, sizeof *result);
    CHECK(result != NULL);
    if (system == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(2);
    }
    system_advance(system, plan->run.warmup_ns);
    uint64_t before = system_events(system);
    uint64_t start_ns = bench_ns();
    system_advance(system, system_end_ns(system));
    double wall_ns = (double)(bench_ns() - start_ns);
    double events = (double)(system_events(system) - before);
    system_result(system, result);
    double messages = (double)result_counter(result, "messages_acked")->measured;
    double simulated_ns = (double)(result->until_ns - result->from_ns);
    double event_ns = wall_ns / events;
    printf("%-22s %8.1f M %10.1f %14.1f %18.2f %8.2f x\n", name, events * 1e-6, event_ns,
           events / messages, wall_ns / simulated_ns,
           (base_ns > 0 ? base_ns : event_ns) / event_ns);
    fflush(stdout);
    result_free(result);
    free(result);
    system_destroy(system);
    return event_ns;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "scenarios/whatsapp-sized.json";
    const char *fidelity = argc > 2 ? argv[2] : "0.02";
    const char *duration = argc > 3 ? argv[3] : "700";
    const struct plan *plan = load(path, fidelity, duration);
    printf("chat flow: %s, %s of its clients\nrepeat: %s %s %s %s\n", path, fidelity, argv[0], path,
           fidelity, duration);
    printf("%-22s %10s %10s %14s %18s %10s\n", "scheduler", "events", "ns/event", "events/message",
           "wall s/simulated s", "ratio");
    double base_ns = measure(plan, "plain: one heap", 1, true, 0);
    measure(plan, "windows, 1 thread", 1, false, base_ns);
    measure(plan, "windows, 2 threads", 2, false, base_ns);
    free((void *)(uintptr_t)plan);
    return 0;
}
