#include "scenarios/run_jobs.h"
#include "tests/unit/test_scenario.h"

#include <signal.h>
#include <sys/stat.h>

#include "scenarios/commands.h"
#include "scenarios/run_interrupt.h"
#include "scenarios/run_memory.h"
#include "scenarios/run_out.h"
#include "scenarios/run_progress.h"

/* -- Memory: a root of our own, with the files of /proc and /sys that are read -------------------
 */

static void make(struct bench *bench, const char *path, const char *text)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s/%s", bench->folder, path);
    for (char *slash = folder + strlen(bench->folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(folder, 0777);
        *slash = '/';
    }
    bench_file(bench, path, text);
}

static void what_the_machine_has_is_available(void **state)
{
    struct bench *bench = *state;
    assert_true(run_memory_available(bench->folder) == UINT64_MAX);
    make(bench, "proc/meminfo", "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    5000 kB\n");
    assert_int_equal(run_memory_available(bench->folder), 5000 * 1024);
}

static void a_control_group_of_version_2_leaves_less(void **state)
{
    struct bench *bench = *state;
    make(bench, "proc/meminfo", "MemAvailable: 5000 kB\n");
    make(bench, "proc/self/cgroup", "0::/a/b\n");
    make(bench, "sys/fs/cgroup/a/b/memory.max", "max\n");
    make(bench, "sys/fs/cgroup/a/memory.max", "4000000\n");
    make(bench, "sys/fs/cgroup/a/memory.current", "1500000\n");
    make(bench, "sys/fs/cgroup/a/memory.stat", "anon 7\ninactive_file 500000\nx 1\n");
    assert_int_equal(run_memory_available(bench->folder), 3000000);
    make(bench, "sys/fs/cgroup/memory.max", "2000\n");
    make(bench, "sys/fs/cgroup/memory.current", "2001\n");
    assert_int_equal(run_memory_available(bench->folder), 0);
}

static void a_control_group_of_version_1_leaves_less(void **state)
{
    struct bench *bench = *state;
    make(bench, "proc/meminfo", "MemAvailable: 5000 kB\n");
    make(bench, "proc/self/cgroup", "9:cpu:/a\n4:memory:/x/y\n0::/\n");
    make(bench, "sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", "3000000\n");
    make(bench, "sys/fs/cgroup/memory/x/y/memory.usage_in_bytes", "1000000\n");
    make(bench, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    make(bench, "sys/fs/cgroup/memory/memory.usage_in_bytes", "1000000\n");
    assert_int_equal(run_memory_available(bench->folder), 2000000);
}

static void this_process_is_resident(void **state)
{
    (void)state;
    assert_true(run_memory_resident() > 100000);
    assert_true(run_memory_available("") > 100000);
}

/* -- Progress ------------------------------------------------------------------------------------
 */

static void slices_come_to_take_a_seventh_of_a_second(void **state)
{
    (void)state;
    static const double wall_s_per_simulated_s[] = {1e-4, 0.1, 8, 500};
    for (size_t i = 0; i < sizeof wall_s_per_simulated_s / sizeof(double); i++) {
        uint64_t slice_ns = RUN_SLICE_FIRST_NS;
        for (int k = 0; k < 20; k++) {
            slice_ns =
                run_slice_next(slice_ns, (double)slice_ns * 1e-9 * wall_s_per_simulated_s[i]);
        }
        double wall_s = (double)slice_ns * 1e-9 * wall_s_per_simulated_s[i];
        assert_true(wall_s < 0.2);
        assert_true(wall_s > 0.1 || slice_ns == 60000000000u);
    }
    assert_int_equal(run_slice_next(RUN_SLICE_FIRST_NS, 0), 4 * RUN_SLICE_FIRST_NS);
    assert_int_equal(run_slice_next(1, 1e9), 100000);
}

static void the_line_says_how_far_and_how_long(void **state)
{
    (void)state;
    char line[RUN_LINE_SIZE];
    struct run_moment before = {.now_ns = 2000000000, .wall_s = 4, .events = 1000000};
    struct run_moment now = {
        .now_ns = 3000000000, .end_ns = 9000000000, .wall_s = 6, .events = 4000000};
    assert_string_equal(run_progress_text(&before, &now, line),
                        "3 s of 9 s, 33%, 1.5M events/s, 2 wall s a simulated s, 12 s left");
    assert_string_equal(run_progress_text(&now, &now, line),
                        "3 s of 9 s, 33%, 0 events/s, 0 wall s a simulated s, 0 ns left");
}

/* -- Threads -------------------------------------------------------------------------------------
 */

static void a_small_scenario_takes_one_thread_and_a_large_one_all(void **state)
{
    (void)state;
    struct plan *plan = calloc(1, sizeof *plan);
    struct run_options *options = calloc(1, sizeof *options);
    struct problems *problems = calloc(1, sizeof *problems);
    assert_true(plan != NULL && options != NULL && problems != NULL);
    problems_init(problems);
    assert_true(scenario_load("scenarios/small.json", NULL, 0, plan, problems));
    assert_int_equal(run_jobs_options(options, plan).threads, 1);
    plan->population.message_rate_per_s = 1e6;
    assert_int_equal(run_jobs_options(options, plan).threads, run_processors());
    plan->run.fidelity = 0.001;
    assert_int_equal(run_jobs_options(options, plan).threads, 1);
    options->threads = 3;
    assert_int_equal(run_jobs_options(options, plan).threads, 3);
    free(problems);
    free(options);
    free(plan);
}

/* -- Interruption --------------------------------------------------------------------------------
 */

static void the_first_signal_is_noted_and_the_second_would_end_it(void **state)
{
    (void)state;
    run_interrupt_watch();
    assert_false(run_interrupted());
    raise(SIGTERM);
    assert_true(run_interrupted());
    struct sigaction action;
    sigaction(SIGTERM, NULL, &action);
    assert_true(action.sa_handler == SIG_DFL);
    run_interrupt_end();
}

static void an_ignored_signal_stays_ignored(void **state)
{
    (void)state;
    signal(SIGINT, SIG_IGN);
    run_interrupt_watch();
    raise(SIGINT);
    assert_false(run_interrupted());
    run_interrupt_end();
    signal(SIGINT, SIG_DFL);
}

/* -- The directory for results -------------------------------------------------------------------
 */

static bool write_text(FILE *stream, const void *context)
{
    return fputs(context, stream) >= 0;
}

static bool write_half(FILE *stream, const void *context)
{
    fputs(context, stream);
    return false;
}

static bool exists(const struct bench *bench, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", bench->folder, name);
    return access(path, F_OK) == 0;
}

static int open_in(struct bench *bench, struct run_out *out, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", bench->folder, name);
    return run_out_open(out, path);
}

static void a_directory_is_made_and_filled(void **state)
{
    struct bench *bench = *state;
    struct run_out *out = malloc(sizeof *out);
    assert_non_null(out);
    assert_int_equal(open_in(bench, out, "a/b/"), -1);
    assert_true(run_out_write(out, "", write_text, "one"));
    assert_true(run_out_write(out, "x/y", write_text, "two"));
    run_out_close(out);
    assert_true(exists(bench, "a/b/result.json"));
    assert_true(exists(bench, "a/b/x/y/result.json"));
    assert_int_equal(open_in(bench, out, "a/b"), COMMAND_INPUT);
    assert_int_equal(open_in(bench, out, "a/b/result.json"), COMMAND_INPUT);
    assert_int_equal(open_in(bench, out, "a/b/result.json/c"), COMMAND_INPUT);
    free(out);
}

static void what_stayed_empty_is_removed_if_it_was_made(void **state)
{
    struct bench *bench = *state;
    struct run_out *out = malloc(sizeof *out);
    assert_non_null(out);
    assert_int_equal(open_in(bench, out, "a/b/c"), -1);
    assert_false(run_out_write(out, "x/y", write_half, "one"));
    run_out_close(out);
    assert_false(exists(bench, "a"));
    make(bench, "kept/file", "");
    assert_int_equal(open_in(bench, out, "kept/b"), -1);
    run_out_close(out);
    assert_true(exists(bench, "kept"));
    assert_false(exists(bench, "kept/b"));
    free(out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_the_machine_has_is_available),
        TEST(a_control_group_of_version_2_leaves_less),
        TEST(a_control_group_of_version_1_leaves_less),
        cmocka_unit_test(this_process_is_resident),
        cmocka_unit_test(slices_come_to_take_a_seventh_of_a_second),
        cmocka_unit_test(the_line_says_how_far_and_how_long),
        cmocka_unit_test(a_small_scenario_takes_one_thread_and_a_large_one_all),
        cmocka_unit_test(the_first_signal_is_noted_and_the_second_would_end_it),
        cmocka_unit_test(an_ignored_signal_stays_ignored),
        TEST(a_directory_is_made_and_filled),
        TEST(what_stayed_empty_is_removed_if_it_was_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
