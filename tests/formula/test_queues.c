/* Queues without events of their own (fifo), driven directly, against queueing theory. What is
 * claimed, and how it is tested, stands in claim.h; values are the waits (or losses) of successive
 * visits. */
#include "sim/dist.h"
#include "sim/fifo.h"
#include "sim/histogram.h"
#include "sim/rng.h"
#include "sim/theory.h"
#include "tests/formula/claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVICE_NS 1e6 /* Mean service of most: rounding to ns does not matter. */

static struct dist gap;
static struct dist service;

/* Poisson arrivals at a fifo. */
struct queue {
    double utilization;
    uint32_t server_count;
    uint32_t capacity;
    bool losses; /* Values are losses, else waits in ns. */
    struct dist_spec service;
};

static double gap_ns(const struct queue *queue)
{
    return SERVICE_NS / (queue->utilization * queue->server_count);
}

static void prepare_fifo(const struct claim *claim)
{
    const struct queue *queue = claim->model;
    claim_dist(&gap, (struct dist_spec){.law = DIST_EXPONENTIAL, .mean = gap_ns(queue)});
    claim_dist(&service, queue->service);
}

/* A tenth as many visits first, to warm up. */
static void run_fifo(const struct claim *claim, uint64_t seed, double *values, uint32_t count)
{
    const struct queue *queue = claim->model;
    static uint64_t memory[4096];
    const struct rng_stream stream = rng_stream(seed, claim->name);
    const uint32_t warmup = count / 10;
    struct fifo fifo;
    uint64_t now_ns = 0;
    assert_true(fifo_memory_words(queue->server_count, queue->capacity) <= 4096);
    fifo_init(&fifo, queue->server_count, queue->capacity, memory);
    for (uint32_t i = 0; i < warmup + count; i++) {
        const struct rng_bits bits = rng_draw(&stream, 0, i);
        now_ns += dist_ns(&gap, bits.word[0]);
        const struct fifo_visit visit = fifo_serve(&fifo, now_ns, dist_ns(&service, bits.word[1]));
        const bool lost = visit.departure_ns == SIM_NEVER;
        const double value = queue->losses ? (double)lost : (double)(visit.start_ns - now_ns);
        if (i >= warmup) {
            values[i - warmup] = value;
        }
    }
}

static const struct dist_spec exponential = {.law = DIST_EXPONENTIAL, .mean = SERVICE_NS};

static struct claim queue_claim(const char *name, double expected, const struct queue *queue)
{
    return (struct claim){
        .name = name,
        .expected = expected,
        .count = 40000,
        .long_count = 8000000,
        .model = queue,
        .prepare = prepare_fifo,
        .run = run_fifo,
    };
}

static void expect_queue(const char *name, double expected, struct queue queue)
{
    const struct claim claim = queue_claim(name, expected, &queue);
    claim_expect(&claim);
}

/* The same where waits vary so much that it takes more of them. */
static void expect_queue_at_length(const char *name, double expected, struct queue queue)
{
    struct claim claim = queue_claim(name, expected, &queue);
    claim.count = 100000;
    claim.long_count = 20000000;
    claim_expect(&claim);
}

static void test_mm1_waits_as_the_formula_says(void **state)
{
    (void)state;
    expect_queue("M/M/1", theory_mm1(0.6 / SERVICE_NS, 1 / SERVICE_NS).wait,
                 (struct queue){.utilization = 0.6, .server_count = 1, .service = exponential});
}

static void test_mmc_waits_as_erlang_c_says(void **state)
{
    (void)state;
    expect_queue("M/M/3", theory_mmc(1.8 / SERVICE_NS, 1 / SERVICE_NS, 3).wait,
                 (struct queue){.utilization = 0.6, .server_count = 3, .service = exponential});
    /* More than FIFO_INLINE_MAX servers: the other way to sort them in. */
    expect_queue_at_length(
        "M/M/10", theory_mmc(8.0 / SERVICE_NS, 1 / SERVICE_NS, 10).wait,
        (struct queue){.utilization = 0.8, .server_count = 10, .service = exponential});
}

static void test_md1_and_mg1_wait_as_pollaczek_and_khinchine_say(void **state)
{
    (void)state;
    struct queue queue = {.utilization = 0.6, .server_count = 1};
    const double rate = 0.6 / SERVICE_NS;
    queue.service = (struct dist_spec){.law = DIST_CONSTANT, .mean = SERVICE_NS};
    expect_queue("M/D/1", theory_md1(rate, SERVICE_NS).wait, queue);
    /* Floor of a tenth, and a lognormal above it: how a latency is modelled. */
    const double above = 0.9 * SERVICE_NS;
    const double moment2 =
        0.01 * SERVICE_NS * SERVICE_NS + 0.2 * SERVICE_NS * above + above * above * exp(0.64);
    queue.service = (struct dist_spec){
        .law = DIST_LOGNORMAL_MEAN, .mean = above, .sigma = 0.8, .shift = 0.1 * SERVICE_NS};
    expect_queue("M/G/1, shifted lognormal", theory_mg1(rate, SERVICE_NS, moment2).wait, queue);
    queue.utilization = 0.5;
    queue.service = (struct dist_spec){.law = DIST_GAMMA, .mean = SERVICE_NS, .shape = 0.5};
    expect_queue_at_length(
        "M/G/1, gamma 1/2",
        theory_mg1(0.5 / SERVICE_NS, SERVICE_NS, 3.0 * SERVICE_NS * SERVICE_NS).wait, queue);
}

static void test_finite_queues_lose_as_erlang_b_and_mmck_say(void **state)
{
    (void)state;
    struct queue queue = {
        .utilization = 0.8,
        .server_count = 10,
        .capacity = 10,
        .losses = true,
        .service = exponential,
    };
    expect_queue("Erlang B, 10 servers", theory_erlang_b(8.0, 10), queue);
    /* Erlang's loss is insensitive to the law of service. */
    queue.service = (struct dist_spec){.law = DIST_LOGNORMAL_MEAN, .mean = SERVICE_NS, .sigma = 1};
    expect_queue("M/G/10/10, lognormal", theory_erlang_b(8.0, 10), queue);
    queue = (struct queue){1.2, 2, 6, true, exponential};
    expect_queue("M/M/2/6, overloaded", theory_mmck(2.4, 1.0, 2, 6).lost, queue);
    queue = (struct queue){0.9, 1, 10, true, exponential};
    expect_queue("M/M/1/10", theory_mmck(0.9, 1.0, 1, 10).lost, queue);
}

/* The whole law of the wait, not its mean alone. */
static void test_quantiles_of_waits_are_the_formulas(void **state)
{
    (void)state;
    static struct histogram histogram;
    const uint32_t servers = 4;
    const double rate = 0.8 * servers / SERVICE_NS;
    const struct queue queue = {
        .utilization = 0.8, .server_count = servers, .service = exponential};
    const struct claim claim = queue_claim("M/M/4 quantiles", 0.0, &queue);
    const uint32_t count = claim_is_quick() ? 1000000 : 8000000;
    double *values = malloc(count * sizeof *values);
    assert_non_null(values);
    claim.prepare(&claim);
    claim.run(&claim, 20240608, values, count);
    histogram_clear(&histogram);
    for (uint32_t i = 0; i < count; i++) {
        histogram_record(&histogram, (uint64_t)values[i]);
    }
    free(values);
    const double asked[] = {0.5, 0.9, 0.99, 0.999};
    for (size_t i = 0; i < 4; i++) {
        const double theory = theory_mmc_wait_quantile(rate, 1 / SERVICE_NS, servers, asked[i]);
        const double found = (double)histogram_quantile(&histogram, asked[i]);
        printf("    M/M/4 wait at %g: %.4g ms, theory %.4g ms; seed 20240608\n", asked[i],
               found / 1e6, theory / 1e6);
        assert_true(fabs(found / theory - 1.0) < (claim_is_quick() ? 0.06 : 0.03));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mm1_waits_as_the_formula_says),
        cmocka_unit_test(test_mmc_waits_as_erlang_c_says),
        cmocka_unit_test(test_md1_and_mg1_wait_as_pollaczek_and_khinchine_say),
        cmocka_unit_test(test_finite_queues_lose_as_erlang_b_and_mmck_say),
        cmocka_unit_test(test_quantiles_of_waits_are_the_formulas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
