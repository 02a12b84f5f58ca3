/* Stations in the engine, against queueing theory: processor sharing, priorities, an open and a
 * closed network. What is claimed, and how it is tested, stands in claim.h; values are means over
 * successive intervals of the number of jobs in the stations that are watched. */
#include "sim/dist.h"
#include "sim/sim.h"
#include "sim/station.h"
#include "sim/theory.h"
#include "tests/formula/claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#define SERVICE_NS 1e6 /* Mean service of most: rounding to ns does not matter. */

#define STATIONS_MAX 4u

static const struct dist_spec exponential = {.law = DIST_EXPONENTIAL, .mean = SERVICE_NS};

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

static void prepare_network(const struct claim *claim)
{
    const struct network *network = claim->model;
    for (uint32_t i = 0; i < STATIONS_MAX; i++) {
        if (i < network->station_count) {
            claim_dist(&running.service[i], network->services[i]);
        }
        if (network->arrivals[i] > 0.0) {
            const double mean = 1.0 / network->arrivals[i];
            claim_dist(&running.gap[i], (struct dist_spec){.law = DIST_EXPONENTIAL, .mean = mean});
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
static void run_network(const struct claim *claim, uint64_t seed, double *values, uint32_t count)
{
    const struct network *network = claim->model;
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

static struct claim network_claim(const char *name, const struct network *network, double expected)
{
    return (struct claim){
        .name = name,
        .expected = expected,
        .count = 100,
        .long_count = 16000,
        .prepare = prepare_network,
        .run = run_network,
        .model = network,
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
    struct claim claim = network_claim("M/M/1-PS", &network, expected);
    claim_expect(&claim);
    network.services[0] =
        (struct dist_spec){.law = DIST_LOGNORMAL_MEAN, .mean = SERVICE_NS, .sigma = 1.0};
    claim = network_claim("M/G/1-PS, lognormal", &network, expected);
    claim_expect(&claim);
    /* On two servers: as M/M/2, since all are exponential and work is conserved. */
    network.services[0] = exponential;
    network.server_counts[0] = 2;
    network.arrivals[0] = 1.2 / SERVICE_NS;
    network.interval_ns = (uint64_t)(50 * SERVICE_NS);
    claim = network_claim("M/M/2-PS", &network, theory_mmc(1.2, 1.0, 2).count);
    claim_expect(&claim);
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
    const struct claim claim =
        network_claim("M/M/1, three priorities", &network, theory_mm1(0.6, 1.0).count);
    claim_expect(&claim);
    const uint64_t end_ns = (uint64_t)((claim_is_quick() ? 3e5 : 3e6) * SERVICE_NS);
    network_open(&network, 4712);
    sim_run(running.sim, end_ns);
    const struct station_counts counts = station_counts(running.stations[0], end_ns);
    network_close(&network);
    for (uint32_t i = 0; i < 3; i++) {
        const double theory = 1.0 + theory_priority_wait(rates, 3, i, 1.0);
        const double found = (double)counts.priority_sojourn_ns[i] /
                             (double)counts.priority_departures[i] / SERVICE_NS;
        printf("    priority %u: response %.4g ms, theory %.4g ms; seed 4712\n", i, found, theory);
        assert_true(fabs(found / theory - 1.0) < claim_long_error());
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
    const struct claim claim = network_claim("open Jackson network", &jackson, total);
    claim_expect(&claim);
}

/* The same run seen by its jobs: throughputs, time at each station and in the network. */
static void test_an_open_networks_times_and_flows_are_jacksons(void **state)
{
    (void)state;
    struct theory_queue stations[3];
    const double in_network = jackson_theory(stations);
    const uint64_t end_ns = (uint64_t)((claim_is_quick() ? 2e5 : 1e6) * SERVICE_NS);
    const double error = claim_long_error();
    double exits = 0.0;
    double sojourn_ns = 0.0;
    const struct claim claim = network_claim("", &jackson, 0.0);
    prepare_network(&claim);
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
        struct claim claim = network_claim(names[i], &network, expected);
        claim.long_count = 10000;
        claim_expect(&claim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processor_sharing_depends_on_the_mean_only),
        cmocka_unit_test(test_priorities_wait_as_cobham_says),
        cmocka_unit_test(test_an_open_network_is_jacksons),
        cmocka_unit_test(test_an_open_networks_times_and_flows_are_jacksons),
        cmocka_unit_test(test_a_closed_network_is_as_mean_value_analysis_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
