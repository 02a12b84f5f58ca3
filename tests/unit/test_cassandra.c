/* Cassandra's ring, capacity runs: its times against theory, its counts against arithmetic, and
 * what it says when it can't. */
#include "tests/unit/cassandra_bed.h"

#include "sim/theory.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

/* -- Time ---------------------------------------------------------------------------------------
 */
static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void check_quorum(enum plan_consistency consistency, uint32_t k, uint16_t op)
{
    const uint32_t count = 20000;
    const double mean_ns = 100.0 * MS;
    struct bed *bed = bed_plan(3, 300 * SECOND);
    bed->plan.cassandra.consistency = consistency;
    bed->plan.cassandra.cores = 64;
    bed->plan.cassandra.cpu_write_ns = 100 * MS;
    bed->plan.cassandra.cpu_read_ns = 100 * MS;
    bed->plan.cassandra.write_timeout_ns = 1000 * SECOND;
    bed->plan.cassandra.read_timeout_ns = 1000 * SECOND;
    bed_start(bed);
    for (uint32_t i = 0; i < count; i++) {
        struct call call = group_message(message_id(i), i + 1);
        call.op = op;
        bed_call(bed, i % HOSTS, 1 + 10 * MS * i, i, 0, call);
    }
    sim_run(bed->sim, 300 * SECOND);
    uint64_t *times = calloc(count, sizeof *times);
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(bed->answers[i].err, CHAT_OK);
        times[i] = bed->answers[i].done_ns - bed->answers[i].asked_ns - 2 * LATENCY_NS;
        sum += (double)times[i];
    }
    qsort(times, count, sizeof *times, compare_u64);
    /* A read asks as many as must answer, and waits for all of them. */
    uint32_t n = op == READ_HISTORY ? k : 3;
    double wanted = theory_quorum_mean(k, n, mean_ns);
    assert_true(fabs(sum / count - wanted) < 0.02 * wanted);
    wanted = theory_quorum_quantile(k, n, mean_ns, 0.5);
    assert_true(fabs((double)times[count / 2] - wanted) < 0.03 * wanted);
    wanted = theory_quorum_quantile(k, n, mean_ns, 0.99);
    assert_true(fabs((double)times[count / 100 * 99] - wanted) < 0.06 * wanted);
    free(times);
    bed_free(bed);
}

static void test_a_quorum_takes_what_its_order_statistic_takes(void **state)
{
    (void)state;
    check_quorum(PLAN_QUORUM, 2, STORE_MESSAGE);
    check_quorum(PLAN_ALL, 3, STORE_MESSAGE);
    check_quorum(PLAN_QUORUM, 2, READ_HISTORY);
}

static void test_one_answer_is_the_coordinators_own_where_others_are_far(void **state)
{
    (void)state;
    struct bed *bed = bed_plan(3, SECOND);
    bed->plan.cassandra.consistency = PLAN_ONE;
    bed->plan.cassandra.cpu_write_ns = 1000;
    bed_start(bed);
    for (uint32_t i = 0; i < 100; i++) {
        bed_call(bed, i % HOSTS, MS * (i + 1), i, 0, group_message(message_id(i), i + 1));
    }
    sim_run(bed->sim, SECOND);
    for (uint32_t i = 0; i < 100; i++) {
        uint64_t took_ns = bed->answers[i].done_ns - bed->answers[i].asked_ns;
        assert_int_equal(bed->answers[i].err, CHAT_OK);
        assert_true(took_ns > 2 * LATENCY_NS && took_ns < 2 * LATENCY_NS + 20000);
    }
    bed_free(bed);
}

/* Events an operation, from the host's call to its reply, visits of nodes, and CPU by hand. */
static void check_cost(struct call call, uint32_t rounds, uint32_t wanted_events,
                       uint32_t wanted_visits, double wanted_cpu_us)
{
    const uint32_t count = 12000;
    struct bed *bed = bed_plan(6, 12 * SECOND);
    bed->plan.cassandra.cpu_write_ns = 600000;
    bed->plan.cassandra.cpu_read_ns = 1000000;
    bed->plan.cassandra.cpu_coordinate_ns = 400000;
    bed->plan.cassandra.lwt_rounds = rounds;
    bed_start(bed);
    uint64_t idle = 0;
    for (uint32_t i = 0; i < count; i++) {
        call.entry.id = message_id(i);
        call.entry.first = i + 1;
        call.entry.stamp = i;
        bed_call(bed, i % HOSTS, 1 + MS * i, i, 0, call);
        idle++; /* The host's own. */
    }
    uint64_t handled = sim_run(bed->sim, 12 * SECOND);
    double events = (double)(handled - idle) / count;
    double busy = 0;
    for (uint32_t i = 0; i < 6; i++) {
        struct resource_use uses[RESOURCE_COUNT] = {{0}};
        cassandra_use(cassandra_at(bed->ring, i), uses);
        double share = wanted_cpu_us * 1e-6 * 1000 / 6 / 16; /* Operations by cost over cores. */
        assert_true(fabs(uses[RESOURCE_CPU].used - share) < 0.08 * share);
        busy += uses[RESOURCE_CPU].used / share / 6;
    }
    assert_true(fabs(busy - 1) < 0.02);
    /* A step that lies far ahead is an event of its own. */
    assert_true(events > 0.99 * wanted_events && events < 1.2 * wanted_events);
    uint64_t visits = 0;
    for (uint32_t i = 0; i < 6 * bed->world.interval_count; i++) {
        visits += bed->world.usage[HOSTS * bed->world.interval_count + i].visits;
    }
    uint64_t wanted = (uint64_t)wanted_visits * count;
    assert_true(visits <= wanted && visits + 26 >= wanted); /* Some begin after the end. */
    bed_free(bed);
}

static void test_events_and_cpu_are_what_arithmetic_says(void **state)
{
    (void)state;
    check_cost(group_message(1, 1), 2, 2, 3, 400 + 3 * 600);
    check_cost(history(1, 0, 1), 2, 2, 2, 400 + 2 * 1000);
    /* Each round begins with half a coordination; prepare reads as well; then the commit. */
    check_cost(claim(1, 1, 1), 2, 3, 8, 600 + 3 * (600 + 1000 + 600 + 600));
    check_cost(claim(1, 1, 1), 4, 5, 12, 1000 + 3 * (600 + 1000 + 600 + 600));
}

static bool near(double value, double wanted, double error)
{
    return fabs(value - wanted) <= error;
}

static void test_disk_and_compaction_follow_the_bytes(void **state)
{
    (void)state;
    struct bed *bed = bed_plan(3, 10 * SECOND);
    bed->plan.cassandra.row_overhead_bytes = 10;
    bed->plan.cassandra.cell_overhead_bytes = 3;
    bed->plan.cassandra.cpu_compact_ps = 10000;
    bed_start(bed);
    for (uint32_t i = 0; i < 1000; i++) {
        bed_call(bed, 0, 1 + 10 * MS * i, i, 0, group_message(message_id(i), 1));
    }
    sim_run(bed->sim, 10 * SECOND);
    struct resource_use uses[RESOURCE_COUNT] = {{0}};
    cassandra_use(cassandra_at(bed->ring, 1), uses);
    double bytes_per_s = 100 * (160 + 40 + 10 + 5 * 3);
    /* Compaction alone comes nearer to its cap than all of it to the disk's. */
    assert_true(near(uses[RESOURCE_DISK_IO].used, bytes_per_s * 7, 1));
    assert_true(near(uses[RESOURCE_DISK_IO].limit, 64 << 20, 1));
    bed->plan.cassandra.compaction_bytes_per_s = 1000000000;
    cassandra_use(cassandra_at(bed->ring, 1), uses);
    assert_true(near(uses[RESOURCE_DISK_IO].used, bytes_per_s * 9, 1));
    assert_true(near(uses[RESOURCE_DISK_IO].limit, 1e9, 1));
    assert_true(near(uses[RESOURCE_DISK_SPACE].used, bytes_per_s / 3 * 365 * 86400, 1e6));
    assert_true(near(uses[RESOURCE_DISK_SPACE].limit, 1.35e12, 1));
    assert_true(near(uses[RESOURCE_CPU].used, bytes_per_s * 7 * 10e-9 / 16, 1e-7));
    bed_free(bed);
}

/* -- Overload, timeouts, the dead ---------------------------------------------------------------
 */
static void test_a_coordinator_refuses_what_is_too_much(void **state)
{
    (void)state;
    struct bed *bed = bed_plan(3, 2 * SECOND);
    bed->plan.cassandra.coordinator_max = 20;
    bed->plan.cassandra.cpu_write_ns = 20 * MS;
    bed_start(bed);
    for (uint32_t i = 0; i < 100; i++) {
        bed_call(bed, 0, 1, i, 0, group_message(message_id(i), i + 1));
    }
    for (uint32_t i = 100; i < 120; i++) {
        bed_call(bed, 0, SECOND, i, 0, group_message(message_id(i), 7));
    }
    sim_run(bed->sim, 2 * SECOND);
    uint32_t refused = 0;
    for (uint32_t i = 0; i < 100; i++) {
        const struct answer *answer = &bed->answers[i];
        refused += answer->err == CHAT_ERR_FAILED && answer->done_ns < 2 * LATENCY_NS + 50000;
        assert_true(answer->err == CHAT_ERR_FAILED || answer->err == CHAT_OK);
    }
    assert_true(refused <= 80 && refused > 75); /* Counted to 8 ms. */
    for (uint32_t i = 100; i < 120; i++) {      /* All room was given back. */
        assert_int_equal(bed->answers[i].err, CHAT_OK);
    }
    bed_free(bed);
}

static void test_what_finds_no_quorum_in_time_is_unknown(void **state)
{
    (void)state;
    struct bed *bed = bed_plan(3, 20 * SECOND);
    bed_fault(bed, PLAN_FAULT_PAUSE, 1, SECOND, 9 * SECOND);
    bed_fault(bed, PLAN_FAULT_PAUSE, 2, SECOND, 9 * SECOND);
    bed->plan.cassandra.cpu_write_ns = MS;
    bed->plan.cassandra.cpu_read_ns = MS;
    bed_start(bed);
    bed_call(bed, 0, 2 * SECOND, 0, 0, group_message(message_id(1), 1));
    bed_call(bed, 0, 2 * SECOND, 1, 0, history(1, 0, 20));
    bed_call(bed, 0, 2 * SECOND, 2, 0, claim(5, 1, 1));
    bed_call(bed, 0, 12 * SECOND, 3, 0, group_message(message_id(2), 1));
    sim_run(bed->sim, 20 * SECOND);
    for (uint32_t i = 0; i < 3; i++) {
        const struct answer *answer = &bed->answers[i];
        uint64_t timeout_ns = i == 1 ? 5 * SECOND : 2 * SECOND;
        uint64_t took_ns = answer->done_ns - answer->asked_ns;
        assert_int_equal(answer->err, CHAT_ERR_UNKNOWN);
        assert_int_equal(answer->replies, 1);
        assert_true(took_ns >= timeout_ns && took_ns <= timeout_ns + 251 * MS);
    }
    assert_int_equal(bed->answers[3].err, CHAT_OK);
    bed_free(bed);
}

static void test_a_pause_for_garbage_is_felt_by_who_needs_that_node(void **state)
{
    (void)state;
    struct bed *bed = bed_plan(3, 10 * SECOND);
    bed->plan.cassandra.gc_pause_ns = 100 * MS;
    bed->plan.cassandra.gc_period_ns = SECOND;
    bed->plan.cassandra.cpu_write_ns = 10000;
    bed_start(bed);
    for (uint32_t i = 0; i < 9900; i++) {
        bed_call(bed, 0, 1 + MS * i, i, 0, group_message(message_id(i), i + 1));
    }
    sim_run(bed->sim, 10 * SECOND);
    uint32_t slow = 0;
    for (uint32_t i = 0; i < 9900; i++) {
        assert_int_equal(bed->answers[i].err, CHAT_OK);
        slow += bed->answers[i].done_ns - bed->answers[i].asked_ns > 2 * MS;
    }
    /* The coordinator's own pauses: a tenth of the time; others' are hidden by the third replica,
     * unless two pause at once. */
    assert_true(slow > 930 && slow < 2000);
    bed_free(bed);
}

static void test_with_two_of_three_down_writes_fail_at_once(void **state)
{
    (void)state;
    struct bed *bed = bed_plan(3, 20 * SECOND);
    bed_fault(bed, PLAN_FAULT_KILL, 1, 2 * SECOND, 10 * SECOND);
    bed_fault(bed, PLAN_FAULT_KILL, 2, 2 * SECOND, 10 * SECOND);
    bed_start(bed);
    bed_call(bed, 0, SECOND, 0, 0, group_message(message_id(0), 1));
    bed_call(bed, 0, 2 * SECOND + 500 * MS, 1, 0, group_message(message_id(1), 1));
    bed_call(bed, 1, 5 * SECOND, 2, 0, group_message(message_id(2), 1));
    bed_call(bed, 1, 15 * SECOND, 3, 0, group_message(message_id(3), 1));
    sim_run(bed->sim, 20 * SECOND);
    assert_int_equal(bed->answers[0].err, CHAT_OK);
    assert_int_equal(bed->answers[1].err, CHAT_ERR_UNKNOWN); /* Nobody knew yet. */
    assert_int_equal(bed->answers[2].err, CHAT_ERR_FAILED);
    assert_true(bed->answers[2].done_ns < 5 * SECOND + MS);
    assert_int_equal(bed->answers[3].err, CHAT_OK);
    bed_free(bed);
}

static void test_a_node_that_comes_back_replays_what_it_missed(void **state)
{
    (void)state;
    struct bed *bed = bed_plan(3, 20 * SECOND);
    bed->plan.cassandra.cpu_write_ns = MS;
    bed_fault(bed, PLAN_FAULT_KILL, 1, 4 * SECOND, 4 * SECOND);
    bed_start(bed);
    for (uint32_t i = 0; i < 20000; i++) {
        bed_call(bed, i % 2 * 2, 1 + i * MS, i, 0, group_message(message_id(i), i + 1));
    }
    sim_run(bed->sim, 20 * SECOND);
    double busy[3] = {0};
    double after[3] = {0};
    for (uint32_t i = 0; i < 3; i++) {
        struct resource_use uses[RESOURCE_COUNT] = {{0}};
        cassandra_use(cassandra_at(bed->ring, i), uses);
        const struct usage *usage = &bed->world.usage[(HOSTS + i) * bed->world.interval_count];
        for (uint32_t second = 0; second < 20; second++) {
            busy[i] += (double)usage[second].busy_ns;
            after[i] += second >= 10 && second < 12 ? (double)usage[second].busy_ns : 0;
        }
    }
    assert_true(near(busy[1] / busy[0], 1, 0.1)); /* In the end it has done as much as others. */
    assert_true(near(after[1] / after[0], 2, 0.2));
    bed_free(bed);
}

/* -- One event an operation, beside messages between the nodes ----------------------------------
 */
enum { MIXED_COUNT = 40000, MIXED_NODES = 9 };

/* Writes, reads and claims at random times, at some 60% of all CPU, with pauses; contents runs send
 * messages, capacity runs do not. Times by kind of call, sorted. */
static void mixed_run(bool contents, uint64_t *times[3], uint32_t counts[3])
{
    struct bed *bed = bed_plan(MIXED_NODES, 40 * SECOND);
    bed->plan.run.contents = contents;
    bed->plan.cassandra.cores = 4;
    bed->plan.cassandra.cpu_write_ns = 600000;
    bed->plan.cassandra.cpu_read_ns = MS;
    bed->plan.cassandra.cpu_coordinate_ns = 600000;
    bed->plan.cassandra.gc_pause_ns = 100 * MS;
    bed->plan.cassandra.gc_period_ns = 10 * SECOND;
    bed->plan.cassandra.lwt_rounds = 4;
    bed_start(bed);
    struct rng_cursor random = {.stream = rng_stream(7, "arrivals"), .entity = 1};
    double at_ns = 1;
    for (uint32_t i = 0; i < MIXED_COUNT; i++) {
        struct rng_bits bits = rng_next(&random);
        at_ns -= log(rng_unit(bits.word[0])) * 190000;
        uint32_t channel = (uint32_t)rng_below(bits.word[1], 1000000);
        struct call call = i % 4 == 0   ? claim(message_id(i), channel + 1, i)
                           : i % 4 == 1 ? history(channel, 0, 20)
                                        : group_message(message_id(i), channel);
        bed_call(bed, i % HOSTS, (uint64_t)at_ns, i, 0, call);
    }
    sim_run(bed->sim, 40 * SECOND);
    for (uint32_t i = MIXED_COUNT / 10; i < MIXED_COUNT; i++) {
        uint32_t kind = i % 4 < 2 ? i % 4 : 2;
        assert_int_equal(bed->answers[i].err, CHAT_OK);
        times[kind][counts[kind]++] = bed->answers[i].done_ns - bed->answers[i].asked_ns;
    }
    for (uint32_t kind = 0; kind < 3; kind++) {
        qsort(times[kind], counts[kind], sizeof *times[kind], compare_u64);
    }
    bed_free(bed);
}

static double mean_of(const uint64_t *times, uint32_t count)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += (double)times[i];
    }
    return sum / count;
}

static void assert_alike(double found, double wanted, double tolerance)
{
    if (fabs(found - wanted) > tolerance * wanted) {
        print_error("%.0f ns, not %.0f ns to %.0f%%\n", found, wanted, 100 * tolerance);
        fail();
    }
}

static void test_one_event_tells_the_times_that_messages_tell(void **state)
{
    (void)state;
    uint64_t *times[2][3];
    uint32_t counts[2][3] = {{0}};
    for (uint32_t contents = 0; contents < 2; contents++) {
        for (uint32_t kind = 0; kind < 3; kind++) {
            times[contents][kind] = calloc(MIXED_COUNT, sizeof(uint64_t));
        }
        mixed_run(contents, times[contents], counts[contents]);
    }
    for (uint32_t kind = 0; kind < 3; kind++) {
        uint32_t count = counts[0][kind];
        assert_int_equal(counts[1][kind], count);
        assert_alike(mean_of(times[0][kind], count), mean_of(times[1][kind], count), 0.07);
        for (uint32_t percent = 50; percent < 100; percent += 49) {
            uint32_t at = count / 100 * percent;
            assert_alike((double)times[0][kind][at], (double)times[1][kind][at], 0.06);
        }
        free(times[0][kind]);
        free(times[1][kind]);
    }
}

/* The same bytes for any number of threads, and from one ordered queue. */
static uint64_t run_digest(uint32_t thread_count, enum sim_scheduler scheduler)
{
    struct bed *bed = bed_plan(9, SECOND);
    uint64_t digest = 0;
    bed->plan.cassandra.cpu_write_ns = 600000;
    bed->plan.cassandra.cpu_read_ns = MS;
    bed->plan.cassandra.cpu_coordinate_ns = 600000;
    bed->plan.cassandra.gc_pause_ns = 100 * MS;
    bed->plan.cassandra.gc_period_ns = SECOND / 2;
    bed->plan.cassandra.coordinator_max = 40;
    bed_fault(bed, PLAN_FAULT_KILL, 4, SECOND / 4, SECOND / 2);
    bed_fault(bed, PLAN_FAULT_SLOW, 2, SECOND / 4, SECOND / 2);
    bed->plan.faults[1].factor = 5;
    bed_start_on(bed, thread_count, scheduler);
    for (uint32_t i = 0; i < 20000; i++) {
        struct call call = i % 3 == 0   ? claim(message_id(i), i % 100 + 1, i)
                           : i % 3 == 1 ? group_message(message_id(i), i % 70)
                                        : history(i % 70, 0, 20);
        bed_call(bed, i % HOSTS, 1 + i / 30 * MS, i, 0, call);
    }
    sim_run(bed->sim, SECOND);
    for (uint32_t i = 0; i < 20000; i++) {
        digest = hash_mix(digest ^ bed->answers[i].done_ns) + (uint64_t)bed->answers[i].err;
    }
    bed_free(bed);
    return digest;
}

static void test_results_do_not_depend_on_threads_or_scheduler(void **state)
{
    (void)state;
    uint64_t wanted = run_digest(1, SIM_WINDOWS);
    assert_true(run_digest(2, SIM_WINDOWS) == wanted);
    assert_true(run_digest(3, SIM_WINDOWS) == wanted);
    assert_true(run_digest(1, SIM_PLAIN) == wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_quorum_takes_what_its_order_statistic_takes),
        cmocka_unit_test(test_one_answer_is_the_coordinators_own_where_others_are_far),
        cmocka_unit_test(test_events_and_cpu_are_what_arithmetic_says),
        cmocka_unit_test(test_disk_and_compaction_follow_the_bytes),
        cmocka_unit_test(test_a_coordinator_refuses_what_is_too_much),
        cmocka_unit_test(test_what_finds_no_quorum_in_time_is_unknown),
        cmocka_unit_test(test_a_pause_for_garbage_is_felt_by_who_needs_that_node),
        cmocka_unit_test(test_with_two_of_three_down_writes_fail_at_once),
        cmocka_unit_test(test_a_node_that_comes_back_replays_what_it_missed),
        cmocka_unit_test(test_one_event_tells_the_times_that_messages_tell),
        cmocka_unit_test(test_results_do_not_depend_on_threads_or_scheduler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
