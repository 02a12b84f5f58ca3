/* Queues simulated, against queueing theory. The claim under test is double:
 *
 *   1. over many seeds, the 95% confidence interval of a run holds the formula's value about as
 *      often as it claims. With 200 seeds the number that hold is binomial (200, 0.95); the test
 *      fails outside the range that such a number leaves once in 10^5 on each side (176 to 200), so
 *      a simulator that is off by half an interval, or an interval that claims too much, is seen;
 *      And the mean of all these runs is within the interval that replications give it at 99.99%: a
 *      bias too small for one run to notice shows there;
 *   2. one long run is within 1% of the formula.
 *
 * Queues without events of their own (fifo) are driven directly; processor sharing and networks run
 * in the engine. Means are asked of successive visits in batches (fifo), or of the number in the
 * system in successive intervals of time (engine).
 *
 * CHATSCALE_QUICK=1 takes 40 seeds and long runs of a tenth of the length, held to 4%: for builds
 * with sanitizers. A failure prints the seeds that missed.
 */
#include "sim/dist.h"
#include "sim/fifo.h"
#include "sim/histogram.h"
#include "sim/sim.h"
#include "sim/stat.h"
#include "sim/station.h"
#include "sim/theory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE_NS 1e6 /* Mean service of most: rounding to ns does not matter. */
#define BATCH_COUNT 20u
#define SEED_COUNT 200u
#define SEED_COUNT_QUICK 40u
#define CONFIDENCE 0.95
#define LONG_ERROR 0.01
#define LONG_ERROR_QUICK 0.04
#define VALUES_MAX 20000000u

static bool quick;
static double *values; /* VALUES_MAX; the pages that are not used cost nothing. */

/* What is simulated. `run` fills values[0..count) and returns how many it filled. */
struct experiment {
    const char *name;
    double expected;
    uint32_t count;                                       /* Values of a run that is one of many. */
    uint32_t long_count;                                  /* Of the long run. */
    void (*prepare)(const struct experiment *experiment); /* Builds tables, once. */
    void (*run)(const struct experiment *experiment, uint64_t seed, uint32_t count);
    const struct network *network; /* For the engine. */
    double utilization;
    uint32_t server_count;
    uint32_t capacity;
    struct dist_spec service;
    bool losses; /* Values are losses, else waits. */
};

/* ---- The claim ---- */

/* The number that must hold the truth, at least: P(fewer) <= 1e-5. There is no upper limit below
 * all of them, since 0.95^200 = 3.5e-5. */
static uint32_t least_holding(uint32_t seed_count)
{
    uint32_t least = 0;
    while (gsl_cdf_binomial_P(least, CONFIDENCE, seed_count) <= 1e-5) {
        least++;
    }
    return least;
}

static void expect_intervals_hold(const struct experiment *experiment)
{
    const uint32_t seed_count = quick ? SEED_COUNT_QUICK : SEED_COUNT;
    uint32_t held = 0;
    double width = 0.0;
    double means[SEED_COUNT];
    for (uint64_t seed = 1; seed <= seed_count; seed++) {
        experiment->run(experiment, seed, experiment->count);
        const struct stat_estimate estimate =
            stat_batch_means(values, experiment->count, BATCH_COUNT, CONFIDENCE);
        const bool holds = fabs(estimate.mean - experiment->expected) <= estimate.half_width;
        held += holds;
        means[seed - 1] = estimate.mean;
        width += estimate.half_width / experiment->expected / seed_count;
        if (!holds) {
            fprintf(stderr, "    %s: seed %llu says %.6g +- %.2g, theory %.6g\n", experiment->name,
                    (unsigned long long)seed, estimate.mean, estimate.half_width,
                    experiment->expected);
        }
    }
    const struct stat_estimate all = stat_mean(means, seed_count, 0.9999);
    printf("    %-26s %3u of %u hold %.6g (+- %.1f%%), all together off by %+.2f%% (+- %.2f%%)\n",
           experiment->name, held, seed_count, experiment->expected, 100.0 * width,
           100.0 * (all.mean / experiment->expected - 1.0),
           100.0 * all.half_width / experiment->expected);
    assert_true(fabs(all.mean - experiment->expected) <= all.half_width);
    if (held < least_holding(seed_count)) {
        fail_msg("%s: %u of %u intervals hold, at least %u must", experiment->name, held,
                 seed_count, least_holding(seed_count));
    }
}

static void expect_long_run(const struct experiment *experiment)
{
    const uint64_t seed = 20240607;
    const uint32_t count = quick ? experiment->long_count / 10 : experiment->long_count;
    assert_true(count <= VALUES_MAX);
    experiment->run(experiment, seed, count);
    const struct stat_estimate estimate = stat_batch_means(values, count, BATCH_COUNT, CONFIDENCE);
    const double error = estimate.mean / experiment->expected - 1.0;
    printf("    %-26s long run off by %+.3f%% (half width %.2f%%)\n", experiment->name,
           100.0 * error, 100.0 * estimate.half_width / experiment->expected);
    if (fabs(error) > (quick ? LONG_ERROR_QUICK : LONG_ERROR)) {
        fail_msg("%s: %.6g, theory %.6g; seed %llu", experiment->name, estimate.mean,
                 experiment->expected, (unsigned long long)seed);
    }
}

static void expect_theory(const struct experiment *experiment)
{
    experiment->prepare(experiment);
    expect_intervals_hold(experiment);
    expect_long_run(experiment);
}

/* ---- Without events: Poisson arrivals at a fifo ---- */

static struct dist gap;
static struct dist service;

static void make_dist(struct dist *dist, struct dist_spec spec)
{
    const enum dist_err err = dist_init(dist, &spec);
    if (err != DIST_OK) {
        fail_msg("law %d refused for its %s", (int)spec.law, dist_err_field(err));
    }
}

static double gap_ns(const struct experiment *experiment)
{
    return SERVICE_NS / (experiment->utilization * experiment->server_count);
}

static void prepare_fifo(const struct experiment *experiment)
{
    make_dist(&gap, (struct dist_spec){.law = DIST_EXPONENTIAL, .mean = gap_ns(experiment)});
    make_dist(&service, experiment->service);
}

/* A tenth as many visits first, to warm up. */
static void run_fifo(const struct experiment *experiment, uint64_t seed, uint32_t count)
{
    static uint64_t memory[4096];
    const struct rng_stream stream = rng_stream(seed, experiment->name);
    const uint32_t warmup = count / 10;
    struct fifo fifo;
    uint64_t now_ns = 0;
    assert_true(fifo_memory_words(experiment->server_count, experiment->capacity) <= 4096);
    fifo_init(&fifo, experiment->server_count, experiment->capacity, memory);
    for (uint32_t i = 0; i < warmup + count; i++) {
        const struct rng_bits bits = rng_draw(&stream, 0, i);
        now_ns += dist_ns(&gap, bits.word[0]);
        const struct fifo_visit visit = fifo_serve(&fifo, now_ns, dist_ns(&service, bits.word[1]));
        const bool lost = visit.departure_ns == SIM_NEVER;
        const double value = experiment->losses ? (double)lost : (double)(visit.start_ns - now_ns);
        if (i >= warmup) {
            values[i - warmup] = value;
        }
    }
}

static const struct dist_spec exponential = {.law = DIST_EXPONENTIAL, .mean = SERVICE_NS};

static struct experiment fifo_experiment(const char *name, double utilization,
                                         uint32_t server_count, struct dist_spec spec,
                                         double expected)
{
    return (struct experiment){
        .name = name,
        .expected = expected,
        .count = 40000,
        .long_count = 8000000,
        .prepare = prepare_fifo,
        .run = run_fifo,
        .utilization = utilization,
        .server_count = server_count,
        .service = spec,
    };
}

static void test_mm1_waits_as_the_formula_says(void **state)
{
    (void)state;
    const double rate = 0.6 / SERVICE_NS;
    const struct experiment experiment =
        fifo_experiment("M/M/1", 0.6, 1, exponential, theory_mm1(rate, 1 / SERVICE_NS).wait);
    expect_theory(&experiment);
}

static void test_mmc_waits_as_erlang_c_says(void **state)
{
    (void)state;
    const double mm3 = theory_mmc(1.8 / SERVICE_NS, 1 / SERVICE_NS, 3).wait;
    struct experiment experiment = fifo_experiment("M/M/3", 0.6, 3, exponential, mm3);
    expect_theory(&experiment);
    /* More than FIFO_INLINE_MAX servers: the other way to sort them in. */
    const double mm10 = theory_mmc(8.0 / SERVICE_NS, 1 / SERVICE_NS, 10).wait;
    experiment = fifo_experiment("M/M/10", 0.8, 10, exponential, mm10);
    experiment.count = 100000;
    experiment.long_count = 20000000;
    expect_theory(&experiment);
}

static void test_md1_and_mg1_wait_as_pollaczek_and_khinchine_say(void **state)
{
    (void)state;
    const double rate = 0.6 / SERVICE_NS;
    const struct experiment constant = fifo_experiment(
        "M/D/1", 0.6, 1, (struct dist_spec){.law = DIST_CONSTANT, .mean = SERVICE_NS},
        theory_md1(rate, SERVICE_NS).wait);
    expect_theory(&constant);
    struct experiment gamma = fifo_experiment(
        "M/G/1, gamma 1/2", 0.5, 1,
        (struct dist_spec){.law = DIST_GAMMA, .mean = SERVICE_NS, .shape = 0.5},
        theory_mg1(0.5 / SERVICE_NS, SERVICE_NS, 3.0 * SERVICE_NS * SERVICE_NS).wait);
    gamma.count = 100000;
    expect_theory(&gamma);
    /* Floor of a tenth, and a lognormal above it: how a latency is modelled. */
    const double above = 0.9 * SERVICE_NS;
    const double moment2 =
        0.01 * SERVICE_NS * SERVICE_NS + 0.2 * SERVICE_NS * above + above * above * exp(0.64);
    struct experiment lognormal = fifo_experiment(
        "M/G/1, shifted lognormal", 0.6, 1,
        (struct dist_spec){
            .law = DIST_LOGNORMAL_MEAN, .mean = above, .sigma = 0.8, .shift = 0.1 * SERVICE_NS},
        theory_mg1(rate, SERVICE_NS, moment2).wait);
    lognormal.count = 100000;
    expect_theory(&lognormal);
}

static void test_finite_queues_lose_as_erlang_b_and_mmck_say(void **state)
{
    (void)state;
    struct experiment experiment =
        fifo_experiment("Erlang B, 10 servers", 0.8, 10, exponential, theory_erlang_b(8.0, 10));
    experiment.capacity = 10;
    experiment.losses = true;
    expect_theory(&experiment);
    /* Erlang's loss is insensitive to the law of service. */
    experiment.name = "M/G/10/10, lognormal";
    experiment.service =
        (struct dist_spec){.law = DIST_LOGNORMAL_MEAN, .mean = SERVICE_NS, .sigma = 1.0};
    expect_theory(&experiment);
    experiment = fifo_experiment("M/M/2/6, overloaded", 1.2, 2, exponential,
                                 theory_mmck(2.4, 1.0, 2, 6).lost);
    experiment.capacity = 6;
    experiment.losses = true;
    expect_theory(&experiment);
    experiment =
        fifo_experiment("M/M/1/10", 0.9, 1, exponential, theory_mmck(0.9, 1.0, 1, 10).lost);
    experiment.capacity = 10;
    experiment.losses = true;
    expect_theory(&experiment);
}

/* The whole law of the wait, not its mean alone: shares beyond the formula's own quantiles. */
static void test_quantiles_of_waits_are_the_formulas(void **state)
{
    (void)state;
    static struct histogram histogram;
    const uint32_t servers = 4;
    const double rate = 0.8 * servers / SERVICE_NS;
    const struct experiment experiment =
        fifo_experiment("M/M/4 quantiles", 0.8, servers, exponential, 0.0);
    const uint32_t count = quick ? 1000000 : 8000000;
    experiment.prepare(&experiment);
    experiment.run(&experiment, 20240608, count);
    histogram_clear(&histogram);
    for (uint32_t i = 0; i < count; i++) {
        histogram_record(&histogram, (uint64_t)values[i]);
    }
    const double asked[] = {0.5, 0.9, 0.99, 0.999};
    for (size_t i = 0; i < 4; i++) {
        const double theory = theory_mmc_wait_quantile(rate, 1 / SERVICE_NS, servers, asked[i]);
        const double found = (double)histogram_quantile(&histogram, asked[i]);
        printf("    M/M/4 wait at %g: %.4g ms, theory %.4g ms\n", asked[i], found / 1e6,
               theory / 1e6);
        assert_true(fabs(found / theory - 1.0) < (quick ? 0.06 : 0.03));
    }
}

/* ---- In the engine ---- */

#define STATIONS_MAX 4u

struct network {
    uint32_t station_count;
    enum station_discipline discipline[STATIONS_MAX];
    uint32_t server_counts[STATIONS_MAX];
    double arrivals[STATIONS_MAX]; /* Per ns, from outside; all zero for a closed network. */
    struct dist_spec services[STATIONS_MAX];
    double routing[STATIONS_MAX * STATIONS_MAX];
    uint32_t population;     /* Of a closed network. */
    uint32_t watched;        /* The station whose number is asked for, STATIONS_MAX: all. */
    uint64_t interval_ns;    /* Of one value. */
    uint32_t priority_count; /* Sources at station 0, one a priority; 0 is no priorities. */
};

struct running {
    struct sim *sim;
    struct station *stations[STATIONS_MAX];
    struct station_source sources[STATIONS_MAX];
    struct dist service[STATIONS_MAX];
    struct dist gap[STATIONS_MAX];
};

static struct running running;

static void prepare_network(const struct experiment *experiment)
{
    const struct network *network = experiment->network;
    for (uint32_t i = 0; i < STATIONS_MAX; i++) {
        if (i < network->station_count) {
            make_dist(&running.service[i], network->services[i]);
        }
        if (network->arrivals[i] > 0.0) {
            const double mean = 1.0 / network->arrivals[i];
            make_dist(&running.gap[i], (struct dist_spec){.law = DIST_EXPONENTIAL, .mean = mean});
        }
    }
}

static void station_add(const struct network *network, uint64_t seed, uint32_t index)
{
    struct station_route routes[STATIONS_MAX];
    for (uint32_t j = 0; j < network->station_count; j++) {
        routes[j] = (struct station_route){
            .node = j,
            .probability = network->routing[index * network->station_count + j],
        };
    }
    char name[16];
    snprintf(name, sizeof name, "s%u", index);
    const struct station_config config = {
        .discipline = network->discipline[index],
        .server_count = network->server_counts[index],
        .batch_max = 1,
        .priority_count = network->priority_count > 0 ? network->priority_count : 1,
        .capacity = 10000,
        .service = &running.service[index],
        .routes = routes,
        .route_count = network->station_count,
        .seed = seed,
        .name = name,
    };
    running.stations[index] = station_create(&config);
    assert_non_null(running.stations[index]);
    assert_int_equal(sim_add_node(running.sim, &station_class, running.stations[index], 0), index);
}

static void source_add(const struct network *network, uint64_t seed, uint32_t index)
{
    char name[16];
    snprintf(name, sizeof name, "source%u", index);
    running.sources[index] = (struct station_source){
        .stream = rng_stream(seed, name),
        .gap = &running.gap[index],
        .node = network->priority_count > 0 ? 0 : index,
        .priority = network->priority_count > 0 ? index : 0,
        .first_job = index,
        .job_step = STATIONS_MAX,
    };
    const uint32_t node =
        sim_add_node(running.sim, &station_source_class, &running.sources[index], 0);
    const struct sim_event event = station_emission(node, 0);
    sim_post(running.sim, &event);
}

static void network_open(const struct network *network, uint64_t seed)
{
    const struct sim_config config = {
        .scheduler = SIM_PLAIN, .thread_count = 1, .node_count_max = 2 * STATIONS_MAX};
    running.sim = sim_create(&config);
    assert_non_null(running.sim);
    for (uint32_t i = 0; i < network->station_count; i++) {
        station_add(network, seed, i);
    }
    for (uint32_t i = 0; i < STATIONS_MAX; i++) {
        if (network->arrivals[i] > 0.0) {
            source_add(network, seed, i);
        }
    }
    for (uint32_t job = 0; job < network->population; job++) {
        const struct sim_event event = station_arrival(0, 0, job, 0);
        sim_post(running.sim, &event);
    }
}

static void network_close(const struct network *network)
{
    for (uint32_t i = 0; i < network->station_count; i++) {
        station_destroy(running.stations[i]);
    }
    sim_destroy(running.sim);
}

/* Values are means over successive intervals of the number in the watched stations. */
static void run_network(const struct experiment *experiment, uint64_t seed, uint32_t count)
{
    const struct network *network = experiment->network;
    const uint32_t warmup = count / 10;
    uint64_t before_ns = 0;
    network_open(network, seed);
    for (uint32_t i = 0; i < warmup + count; i++) {
        const uint64_t now_ns = (i + 1) * network->interval_ns;
        uint64_t count_ns = 0;
        sim_run(running.sim, now_ns);
        for (uint32_t j = 0; j < network->station_count; j++) {
            if (network->watched == STATIONS_MAX || network->watched == j) {
                const struct station_counts counts = station_counts(running.stations[j], now_ns);
                assert_int_equal(counts.losses, 0);
                count_ns += counts.count_ns;
            }
        }
        if (i >= warmup) {
            values[i - warmup] = (double)(count_ns - before_ns) / (double)network->interval_ns;
        }
        before_ns = count_ns;
    }
    network_close(network);
}

static struct experiment network_experiment(const char *name, const struct network *network,
                                            double expected)
{
    return (struct experiment){
        .name = name,
        .expected = expected,
        .count = 100,
        .long_count = 16000,
        .prepare = prepare_network,
        .run = run_network,
        .network = network,
    };
}

static void test_processor_sharing_depends_on_the_mean_only(void **state)
{
    (void)state;
    struct network network = {
        .station_count = 1,
        .discipline = {STATION_SHARING},
        .server_counts = {1},
        .arrivals = {0.5 / SERVICE_NS},
        .services = {exponential},
        .watched = STATIONS_MAX,
        .interval_ns = (uint64_t)(100 * SERVICE_NS),
    };
    const double expected = theory_mg1_sharing(0.5, 1.0).count;
    struct experiment experiment = network_experiment("M/M/1-PS", &network, expected);
    expect_theory(&experiment);
    network.services[0] =
        (struct dist_spec){.law = DIST_LOGNORMAL_MEAN, .mean = SERVICE_NS, .sigma = 1.0};
    experiment = network_experiment("M/G/1-PS, lognormal", &network, expected);
    expect_theory(&experiment);
    /* On two servers: as M/M/2, since all are exponential and work is conserved. */
    network.services[0] = exponential;
    network.server_counts[0] = 2;
    network.arrivals[0] = 1.2 / SERVICE_NS;
    network.interval_ns = (uint64_t)(50 * SERVICE_NS);
    experiment = network_experiment("M/M/2-PS", &network, theory_mmc(1.2, 1.0, 2).count);
    expect_theory(&experiment);
}

static void test_priorities_wait_as_cobham_says(void **state)
{
    (void)state;
    const double rates[3] = {0.2, 0.15, 0.25};
    const struct network network = {
        .station_count = 1,
        .server_counts = {1},
        .arrivals = {rates[0] / SERVICE_NS, rates[1] / SERVICE_NS, rates[2] / SERVICE_NS},
        .services = {exponential},
        .watched = STATIONS_MAX,
        .interval_ns = (uint64_t)(100 * SERVICE_NS),
        .priority_count = 3,
    };
    /* One law of service: the number in the system is that of M/M/1, whatever the order. */
    const struct experiment experiment =
        network_experiment("M/M/1, three priorities", &network, theory_mm1(0.6, 1.0).count);
    expect_theory(&experiment);
    const uint64_t end_ns = (uint64_t)((quick ? 3e5 : 3e6) * SERVICE_NS);
    network_open(&network, 4712);
    sim_run(running.sim, end_ns);
    const struct station_counts counts = station_counts(running.stations[0], end_ns);
    network_close(&network);
    for (uint32_t i = 0; i < 3; i++) {
        const double theory = 1.0 + theory_priority_wait(rates, 3, i, 1.0);
        const double found = (double)counts.priority_sojourn_ns[i] /
                             (double)counts.priority_departures[i] / SERVICE_NS;
        printf("    priority %u: response %.4g ms, theory %.4g ms; seed 4712\n", i, found, theory);
        assert_true(fabs(found / theory - 1.0) < (quick ? LONG_ERROR_QUICK : LONG_ERROR));
    }
}

/* Three stations, one of three servers, one shared; a fifth of the last one's jobs go back to the
 * first, a tenth of the first one's skip the second. */
static const struct network jackson = {
    .station_count = 3,
    .discipline = {STATION_FIFO, STATION_SHARING, STATION_FIFO},
    .server_counts = {1, 1, 3},
    .arrivals = {0.4 / SERVICE_NS, 0.1 / SERVICE_NS, 0.0},
    .services = {{.law = DIST_EXPONENTIAL, .mean = SERVICE_NS},
                 {.law = DIST_EXPONENTIAL, .mean = 0.8 * SERVICE_NS},
                 {.law = DIST_EXPONENTIAL, .mean = 2.5 * SERVICE_NS}},
    .routing = {0.0, 0.9, 0.1, 0.0, 0.0, 1.0, 0.2, 0.0, 0.0},
    .watched = STATIONS_MAX,
    .interval_ns = (uint64_t)(100 * SERVICE_NS),
};

static double jackson_theory(struct theory_queue *stations)
{
    const double rates[3] = {1.0 / SERVICE_NS, 1.25 / SERVICE_NS, 0.4 / SERVICE_NS};
    return theory_jackson(jackson.arrivals, jackson.routing, rates, jackson.server_counts, 3,
                          stations);
}

static void test_an_open_network_is_jacksons(void **state)
{
    (void)state;
    struct theory_queue stations[3];
    jackson_theory(stations);
    const double total = stations[0].count + stations[1].count + stations[2].count;
    const struct experiment experiment =
        network_experiment("open Jackson network", &jackson, total);
    expect_theory(&experiment);
}

/* The same run seen by its jobs: throughputs, time at each station and in the network. */
static void test_an_open_networks_times_and_flows_are_jacksons(void **state)
{
    (void)state;
    struct theory_queue stations[3];
    const double in_network = jackson_theory(stations);
    const uint64_t end_ns = (uint64_t)((quick ? 2e5 : 1e6) * SERVICE_NS);
    const double error = quick ? LONG_ERROR_QUICK : LONG_ERROR;
    double exits = 0.0;
    double sojourn_ns = 0.0;
    const struct experiment experiment = network_experiment("", &jackson, 0.0);
    prepare_network(&experiment);
    network_open(&jackson, 4711);
    sim_run(running.sim, end_ns);
    for (uint32_t i = 0; i < 3; i++) {
        const struct station_counts counts = station_counts(running.stations[i], end_ns);
        const double departures = (double)counts.departures;
        assert_true(fabs(departures / (double)end_ns / stations[i].throughput - 1.0) < error);
        assert_true(fabs((double)counts.sojourn_ns / departures / stations[i].response - 1.0) <
                    2 * error);
        assert_true(fabs((double)counts.busy_ns / (double)end_ns / jackson.server_counts[i] -
                         stations[i].utilization) < error);
        exits += (double)counts.exits;
        sojourn_ns += (double)counts.exit_sojourn_ns;
    }
    network_close(&jackson);
    printf("    open Jackson network       time in it %.4g ms, theory %.4g ms; seed 4711\n",
           sojourn_ns / exits / 1e6, in_network / 1e6);
    assert_true(fabs(sojourn_ns / exits / in_network - 1.0) < 2 * error);
}

/* Seven jobs: they think (a server for each), then visit a processor, and half of them a disk. */
static void test_a_closed_network_is_as_mean_value_analysis_says(void **state)
{
    (void)state;
    struct network network = {
        .station_count = 3,
        .discipline = {STATION_FIFO, STATION_SHARING, STATION_FIFO},
        .server_counts = {7, 1, 1},
        .services = {{.law = DIST_LOGNORMAL_MEAN, .mean = 4 * SERVICE_NS, .sigma = 0.5},
                     {.law = DIST_GAMMA, .mean = SERVICE_NS, .shape = 2},
                     {.law = DIST_EXPONENTIAL, .mean = 1.5 * SERVICE_NS}},
        .routing = {0.0, 1.0, 0.0, 0.5, 0.0, 0.5, 1.0, 0.0, 0.0},
        .population = 7,
        .interval_ns = (uint64_t)(100 * SERVICE_NS),
    };
    const double visits[2] = {1.0, 0.5};
    const double services[2] = {SERVICE_NS, 1.5 * SERVICE_NS};
    double counts[2];
    const double throughput = theory_mva(visits, services, 2, 4 * SERVICE_NS, 7, NULL, counts);
    static const char *const names[] = {"closed network, thinking", "closed network, processor",
                                        "closed network, disk"};
    for (uint32_t i = 0; i < 3; i++) {
        network.watched = i;
        const double expected = i == 0 ? throughput * 4 * SERVICE_NS : counts[i - 1];
        struct experiment experiment = network_experiment(names[i], &network, expected);
        experiment.long_count = 10000;
        expect_theory(&experiment);
    }
}

int main(void)
{
    const char *asked = getenv("CHATSCALE_QUICK");
    quick = asked != NULL && strcmp(asked, "0") != 0;
    values = malloc(VALUES_MAX * sizeof *values);
    if (values == NULL) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mm1_waits_as_the_formula_says),
        cmocka_unit_test(test_mmc_waits_as_erlang_c_says),
        cmocka_unit_test(test_md1_and_mg1_wait_as_pollaczek_and_khinchine_say),
        cmocka_unit_test(test_finite_queues_lose_as_erlang_b_and_mmck_say),
        cmocka_unit_test(test_quantiles_of_waits_are_the_formulas),
        cmocka_unit_test(test_processor_sharing_depends_on_the_mean_only),
        cmocka_unit_test(test_priorities_wait_as_cobham_says),
        cmocka_unit_test(test_an_open_network_is_jacksons),
        cmocka_unit_test(test_an_open_networks_times_and_flows_are_jacksons),
        cmocka_unit_test(test_a_closed_network_is_as_mean_value_analysis_says),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(values);
    return failed;
}
