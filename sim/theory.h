/* Queueing theory: the closed answers that simulated ones are held to, and shown beside.
 *
 * Rates are per unit of time and times in the same unit, whatever it is. An unstable queue has
 * infinite means: INFINITY is an answer, never an error. Arguments that make no sense (a negative
 * rate, no servers) yield NAN, so that a report shows nothing rather than something wrong.
 *
 * Sources: [K] Kleinrock, Queueing Systems I (1975); [GH] Gross, Shortle, Thompson, Harris,
 * Fundamentals of Queueing Theory, 4th ed. (2008); [HB] Harchol-Balter, Performance Modeling and
 * Design of Computer Systems (2013).
 */
#ifndef SIM_THEORY_H
#define SIM_THEORY_H

#include <stdint.h>

#define THEORY_STATIONS_MAX 64u

/* Stationary means of one queue. */
struct theory_queue {
    double utilization; /* Busy share of a server, 0 to 1. */
    double throughput;  /* Accepted arrivals per unit of time. */
    double wait;        /* Before service starts. */
    double response;    /* Wait and service. */
    double waiting;     /* How many wait. */
    double count;       /* How many are in the system. */
    double delayed;     /* Probability that an arrival must wait. */
    double lost;        /* Probability that an arrival is lost. */
};

/* M/M/1, [K] 3.2. */
struct theory_queue theory_mm1(double arrival_rate, double service_rate);

/* M/M/c, [K] 3.5; `service_rate` of one server. */
struct theory_queue theory_mmc(double arrival_rate, double service_rate, uint32_t server_count);

/* M/M/c/K: at most `capacity` (>= server_count) in the system, [GH] 2.5. Loss makes it stable. */
struct theory_queue theory_mmck(double arrival_rate, double service_rate, uint32_t server_count,
                                uint32_t capacity);

/* M/D/1, M/G/1: Pollaczek-Khinchine, [K] 5.6. `service_moment2` is E[S^2]. */
struct theory_queue theory_md1(double arrival_rate, double service);
struct theory_queue theory_mg1(double arrival_rate, double service, double service_moment2);

/* M/G/1 under processor sharing: means depend on the service's mean only, [HB] 30.2. `wait` is
 * response less service. */
struct theory_queue theory_mg1_sharing(double arrival_rate, double service);

/* M/M/1 with non-preemptive priorities, Cobham's formula, [HB] 31.3: the mean wait of class
 * `class_index` (0 is served first) of `class_count`; each class exponential with the same mean. */
double theory_priority_wait(const double *arrival_rates, uint32_t class_count, uint32_t class_index,
                            double service);

/* Kingman's approximation of G/G/1, good in heavy traffic and exact for M/G/1: a wait of
 * rho / (1 - rho) * (arrival_scv + service_scv) / 2 * service, from squared coefficients of
 * variation. Kingman (1961), "The single server queue in heavy traffic". */
double theory_gg1_wait(double arrival_rate, double service, double arrival_scv, double service_scv);

/* Erlang's B: share lost of `load` (erlangs) offered to servers without waiting room, by the
 * recursion B(n) = a B(n-1) / (n + a B(n-1)), [GH] 2.6. Erlang's C: share that must wait; 1 if
 * load >= server_count. */
double theory_erlang_b(double load, uint32_t server_count);
double theory_erlang_c(double load, uint32_t server_count);

/* The q-quantile of wait and of response in M/M/c under FIFO. P(W > t) = C exp(-(c mu - lambda) t),
 * [GH] 2.3; the response quantile by bisection of its closed law. 0 where q is at most 1 - C. */
double theory_mmc_wait_quantile(double arrival_rate, double service_rate, uint32_t server_count,
                                double q);
double theory_mmc_response_quantile(double arrival_rate, double service_rate, uint32_t server_count,
                                    double q);

/* Open Jackson network, Jackson (1957), [HB] 17: external arrivals `arrivals[i]`, routing matrix
 * `routing[i * count + j]` (rows add up to at most 1), stations M/M/c. Fills `stations[i]` (rates
 * by the traffic equations) and returns the mean time in the network, by Little's law over all
 * external arrivals; INFINITY if a station is overloaded, NAN if jobs could circle for ever. */
double theory_jackson(const double *arrivals, const double *routing, const double *service_rates,
                      const uint32_t *server_counts, uint32_t count, struct theory_queue *stations);

/* Closed product-form network by exact mean value analysis, Reiser and Lavenberg (1980), [HB] 19:
 * one class, `population` jobs, `think` time between cycles (0 is none), visits and mean service of
 * each station, each a single server (FIFO exponential, or processor sharing). Fills `response[i]`
 * (per visit) and `counts[i]`, either may be NULL, and returns the throughput in cycles. */
double theory_mva(const double *visits, const double *services, uint32_t count, double think,
                  uint32_t population, double *response, double *counts);

/* Little's law: L = lambda W. */
double theory_little_count(double throughput, double response);
double theory_little_response(double throughput, double count);

/* The k-th smallest of n independent exponentials of mean `mean`: a quorum of k answers out of n.
 * Mean by Renyi's representation, mean * sum_{i=n-k+1..n} 1/i; quantile by the binomial law. */
double theory_quorum_mean(uint32_t k, uint32_t n, double mean);
double theory_quorum_quantile(uint32_t k, uint32_t n, double mean, double q);

/* The same for any law: the q-quantile of the k-th smallest of n is the law's own quantile at the
 * share that this returns (the q-quantile of Beta(k, n - k + 1)). */
double theory_quorum_share(uint32_t k, uint32_t n, double q);

#endif
