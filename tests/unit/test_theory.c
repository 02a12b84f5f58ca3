/* theory: printed values, GSL, and the same answers by another road (birth and death equations,
 * enumeration of states). */
#include "sim/theory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdbool.h>

static bool close_to(double value, double expected, double error)
{
    return fabs(value - expected) <= error * fmax(fabs(expected), 1e-12);
}

static void test_mm1_by_hand(void **state)
{
    (void)state;
    const struct theory_queue queue = theory_mm1(0.8, 1.0);
    assert_true(close_to(queue.utilization, 0.8, 1e-12));
    assert_true(close_to(queue.response, 5.0, 1e-12));
    assert_true(close_to(queue.wait, 4.0, 1e-12));
    assert_true(close_to(queue.count, 4.0, 1e-12));
    assert_true(close_to(queue.waiting, 3.2, 1e-12));
    assert_true(close_to(theory_mmc_response_quantile(0.8, 1.0, 1, 0.99), log(100.0) / 0.2, 1e-12));
}

static void test_printed_values_of_erlang(void **state)
{
    (void)state;
    /* Erlang's tables: 5 erlangs on 10 trunks; 1% at 4.4612 erlangs. */
    assert_true(close_to(theory_erlang_b(5.0, 10), 0.018385, 1e-4));
    assert_true(close_to(theory_erlang_b(4.4612, 10), 0.01, 1e-4));
    assert_true(close_to(theory_erlang_b(12.031, 20), 0.01, 1e-3));
    assert_true(close_to(theory_erlang_c(1.5, 2), 9.0 / 14.0, 1e-12));
    assert_true(close_to(theory_mmc(1.5, 1.0, 2).wait, 9.0 / 7.0, 1e-12));
    /* Ten thousand servers at 99%: no overflow on the way. */
    assert_true(theory_erlang_b(9900.0, 10000) > 0.001 && theory_erlang_b(9900.0, 10000) < 0.01);
    assert_true(theory_erlang_c(2.0, 2) == 1.0);
}

/* Birth and death by power: p(n) from the balance equations, normalised at the end. */
static struct theory_queue twin_mmck(double arrival, double service, uint32_t servers,
                                     uint32_t room)
{
    static double p[2000];
    double total = 0.0;
    p[0] = 1.0;
    for (uint32_t n = 0; n <= room; n++) {
        if (n > 0) {
            p[n] = p[n - 1] * arrival / (service * fmin(n, servers));
        }
        total += p[n];
    }
    struct theory_queue queue = {0};
    for (uint32_t n = 0; n <= room; n++) {
        queue.count += n * p[n] / total;
        queue.waiting += (n > servers ? n - servers : 0) * p[n] / total;
        queue.delayed += n >= servers && n < room ? p[n] / total : 0.0;
    }
    queue.lost = p[room] / total;
    queue.throughput = arrival * (1.0 - queue.lost);
    queue.wait = queue.waiting / queue.throughput;
    queue.response = queue.count / queue.throughput;
    return queue;
}

static void expect_same(struct theory_queue a, struct theory_queue b)
{
    assert_true(close_to(a.throughput, b.throughput, 1e-9));
    assert_true(close_to(a.wait, b.wait, 1e-8));
    assert_true(close_to(a.response, b.response, 1e-9));
    assert_true(close_to(a.waiting, b.waiting, 1e-8));
    assert_true(close_to(a.count, b.count, 1e-9));
    assert_true(fabs(a.delayed - b.delayed) < 1e-9);
    assert_true(fabs(a.lost - b.lost) < 1e-9);
}

static void test_finite_queues_obey_their_balance_equations(void **state)
{
    (void)state;
    for (uint32_t servers = 1; servers < 20; servers += 3) {
        for (double load = 0.1; load < 2.5; load += 0.3) {
            for (uint32_t room = servers; room < servers + 40; room += 7) {
                expect_same(theory_mmck(load * servers, 1.0, servers, room),
                            twin_mmck(load * servers, 1.0, servers, room));
            }
        }
        /* Without room it is Erlang B; with very much, M/M/c. */
        const double offered = 0.7 * servers;
        assert_true(close_to(theory_mmck(offered, 1, servers, servers).lost,
                             theory_erlang_b(offered, servers), 1e-12));
        expect_same(theory_mmck(offered, 1, servers, 1900), theory_mmc(offered, 1, servers));
    }
    const struct theory_queue large = theory_mmck(5000, 1, 4000, 5000); /* e^4000 on the way. */
    assert_true(close_to(large.throughput, 4000, 1e-3));
}

static void test_pollaczek_and_khinchine(void **state)
{
    (void)state;
    assert_true(close_to(theory_md1(0.8, 1.0).wait, 2.0, 1e-12)); /* Half of M/M/1's. */
    assert_true(close_to(theory_mg1(0.8, 1.0, 2.0).wait, 4.0, 1e-12));
    assert_true(
        close_to(theory_mg1(0.5, 1.0, 5.0).wait, theory_gg1_wait(0.5, 1.0, 1.0, 4.0), 1e-12));
    assert_true(close_to(theory_mg1_sharing(0.8, 1.0).response, 5.0, 1e-12));
    assert_true(isinf(theory_md1(1.1, 1.0).wait));
    assert_true(theory_md1(1.1, 1.0).utilization == 1.0);
}

static void test_priorities_conserve_work(void **state)
{
    (void)state;
    const double rates[] = {0.1, 0.25, 0.3, 0.2};
    double weighted = 0.0;
    for (uint32_t i = 0; i < 4; i++) {
        weighted += rates[i] / 0.85 * theory_priority_wait(rates, 4, i, 1.0);
    }
    assert_true(close_to(weighted, theory_mm1(0.85, 1.0).wait, 1e-12)); /* Kleinrock's law. */
    const double heavy[] = {0.5, 0.7};
    assert_true(isfinite(theory_priority_wait(heavy, 2, 0, 1.0)));
    assert_true(isinf(theory_priority_wait(heavy, 2, 1, 1.0)));
}

static void test_quantiles_invert_their_laws(void **state)
{
    (void)state;
    for (uint32_t servers = 1; servers < 30; servers += 4) {
        const double rate = 0.9 * servers;
        const double delayed = theory_mmc(rate, 1.0, servers).delayed;
        const double spare = servers - rate;
        for (double q = 0.05; q < 1.0; q += 0.09) {
            const double t = theory_mmc_wait_quantile(rate, 1.0, servers, q);
            assert_true(t > 0.0 ? close_to(1.0 - delayed * exp(-spare * t), q, 1e-12)
                                : q <= 1.0 - delayed);
            /* P(response <= x) by adding up over the wait, in small steps. */
            const double x = theory_mmc_response_quantile(rate, 1.0, servers, q);
            double within = (1.0 - delayed) * (1.0 - exp(-x));
            const uint32_t steps = 20000;
            for (uint32_t i = 0; i < steps; i++) {
                const double wait = (i + 0.5) * x / steps;
                within += delayed * spare * exp(-spare * wait) * (1.0 - exp(wait - x)) * x / steps;
            }
            assert_true(fabs(within - q) < 1e-6);
        }
    }
}

static void test_jackson_adds_up_what_flows(void **state)
{
    (void)state;
    /* A tandem, then the same with a tenth sent back to the start. */
    const double tandem[9] = {0, 1, 0, 0, 0, 1, 0, 0, 0};
    const double back[9] = {0, 1, 0, 0, 0, 1, 0.1, 0, 0};
    const double arrivals[3] = {0.45, 0, 0};
    const double rates[3] = {1.0, 0.8, 0.4};
    const uint32_t servers[3] = {1, 1, 3};
    struct theory_queue stations[3];
    const double straight = theory_jackson(arrivals, tandem, rates, servers, 3, stations);
    assert_true(close_to(straight,
                         theory_mmc(0.45, 1.0, 1).response + theory_mmc(0.45, 0.8, 1).response +
                             theory_mmc(0.45, 0.4, 3).response,
                         1e-12));
    const double around = theory_jackson(arrivals, back, rates, servers, 3, stations);
    assert_true(close_to(stations[1].throughput, 0.5, 1e-12));
    assert_true(close_to(around,
                         (theory_mmc(0.5, 1.0, 1).count + theory_mmc(0.5, 0.8, 1).count +
                          theory_mmc(0.5, 0.4, 3).count) /
                             0.45,
                         1e-12));
    const double forever[9] = {0, 1, 0, 0, 0, 1, 1, 0, 0};
    assert_true(isnan(theory_jackson(arrivals, forever, rates, servers, 3, stations)));
    const double slow[3] = {1.0, 0.4, 0.4};
    assert_true(isinf(theory_jackson(arrivals, tandem, slow, servers, 3, stations)));
}

/* Product form by enumeration: every way to spread `population` jobs over three stations, with the
 * thinkers as a fourth: weight = prod demand^n * think^m / m!. */
static double twin_closed(const double *demands, double think, uint32_t population)
{
    double sums[2] = {0.0, 0.0}; /* Of population jobs, and of one less. */
    for (uint32_t less = 0; less < 2; less++) {
        const uint32_t jobs = population - less;
        for (uint32_t a = 0; a <= jobs; a++) {
            for (uint32_t b = 0; a + b <= jobs; b++) {
                for (uint32_t c = 0; a + b + c <= jobs; c++) {
                    const uint32_t thinkers = jobs - a - b - c;
                    sums[less] += pow(demands[0], a) * pow(demands[1], b) * pow(demands[2], c) *
                                  pow(think, thinkers) / tgamma(thinkers + 1.0);
                }
            }
        }
    }
    return sums[1] / sums[0];
}

static void test_mean_value_analysis_is_the_product_form(void **state)
{
    (void)state;
    const double visits[3] = {1.0, 0.5, 2.0};
    const double services[3] = {1.0, 3.0, 0.2};
    const double demands[3] = {1.0, 1.5, 0.4};
    for (uint32_t population = 1; population <= 12; population++) {
        for (double think = 0.0; think < 12.0; think += 3.7) {
            double response[3];
            double counts[3];
            const double throughput =
                theory_mva(visits, services, 3, think, population, response, counts);
            assert_true(close_to(throughput, twin_closed(demands, think, population), 1e-10));
            double total = throughput * think;
            for (uint32_t i = 0; i < 3; i++) {
                total += counts[i];
                assert_true(close_to(
                    counts[i], theory_little_count(throughput * visits[i], response[i]), 1e-12));
            }
            assert_true(close_to(total, population, 1e-12));
        }
    }
}

static void test_quorums_are_order_statistics(void **state)
{
    (void)state;
    assert_true(close_to(theory_quorum_mean(1, 3, 6.0), 2.0, 1e-12));
    assert_true(close_to(theory_quorum_mean(2, 3, 6.0), 5.0, 1e-12));
    assert_true(close_to(theory_quorum_mean(3, 3, 6.0), 11.0, 1e-12));
    for (uint32_t n = 1; n < 12; n++) {
        for (uint32_t k = 1; k <= n; k++) {
            for (double q = 0.001; q < 1.0; q = q < 0.1 ? q * 3 : q + 0.1) {
                assert_true(close_to(gsl_cdf_beta_P(theory_quorum_share(k, n, q), k, n - k + 1.0),
                                     q, 1e-9));
            }
        }
        /* The slowest of n: (1 - e^-t)^n = q. */
        assert_true(
            close_to(theory_quorum_quantile(n, n, 1.0, 0.99), -log1p(-pow(0.99, 1.0 / n)), 1e-9));
    }
    assert_true(isnan(theory_quorum_mean(4, 3, 1.0)));
}

static void test_nonsense_is_not_a_number(void **state)
{
    (void)state;
    assert_true(isnan(theory_mmc(-1.0, 1.0, 1).wait));
    assert_true(isnan(theory_mmc(1.0, 0.0, 1).wait));
    assert_true(isnan(theory_mmc(1.0, 1.0, 0).wait));
    assert_true(isnan(theory_mmck(1.0, 1.0, 3, 2).wait));
    assert_true(isnan(theory_mg1(0.5, 1.0, 0.5).wait)); /* Less than the square of the mean. */
    assert_true(isnan(theory_mmc_wait_quantile(1.0, 2.0, 1, 1.0)));
    assert_true(isinf(theory_mm1(1.0, 1.0).response));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mm1_by_hand),
        cmocka_unit_test(test_printed_values_of_erlang),
        cmocka_unit_test(test_finite_queues_obey_their_balance_equations),
        cmocka_unit_test(test_pollaczek_and_khinchine),
        cmocka_unit_test(test_priorities_conserve_work),
        cmocka_unit_test(test_quantiles_invert_their_laws),
        cmocka_unit_test(test_jackson_adds_up_what_flows),
        cmocka_unit_test(test_mean_value_analysis_is_the_product_form),
        cmocka_unit_test(test_quorums_are_order_statistics),
        cmocka_unit_test(test_nonsense_is_not_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
