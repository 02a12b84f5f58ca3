#include "sim/theory.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "sim/check.h"
#include "sim/special.h"

#define BISECTIONS 200
#define SCALE_LIMIT 1e250 /* Unnormalised probabilities are scaled down above it. */
#define SERVERS_MAX 100000000u

static const struct theory_queue senseless = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};

static bool rates_hold(double arrival_rate, double service_rate)
{
    return arrival_rate >= 0.0 && isfinite(arrival_rate) && service_rate > 0.0 &&
           isfinite(service_rate);
}

static struct theory_queue overloaded(double capacity)
{
    return (struct theory_queue){
        .utilization = 1.0,
        .throughput = capacity,
        .wait = INFINITY,
        .response = INFINITY,
        .waiting = INFINITY,
        .count = INFINITY,
        .delayed = 1.0,
    };
}

/* A stable queue that loses nobody, the rest by Little's law. */
static struct theory_queue stable(double arrival_rate, double service, double utilization,
                                  double wait, double delayed)
{
    return (struct theory_queue){
        .utilization = utilization,
        .throughput = arrival_rate,
        .wait = wait,
        .response = wait + service,
        .waiting = theory_little_count(arrival_rate, wait),
        .count = theory_little_count(arrival_rate, wait + service),
        .delayed = delayed,
    };
}

double theory_little_count(double throughput, double response)
{
    return throughput * response;
}

double theory_little_response(double throughput, double count)
{
    return count / throughput;
}

/* ---- One queue ---- */

struct theory_queue theory_mm1(double arrival_rate, double service_rate)
{
    return theory_mmc(arrival_rate, service_rate, 1);
}

double theory_erlang_b(double load, uint32_t server_count)
{
    if (!(load >= 0.0 && isfinite(load)) || server_count > SERVERS_MAX) {
        return NAN;
    }
    double lost = 1.0;
    for (uint32_t n = 1; n <= server_count; n++) {
        lost = load * lost / (n + load * lost);
    }
    return lost;
}

double theory_erlang_c(double load, uint32_t server_count)
{
    if (!(load >= 0.0) || server_count == 0 || server_count > SERVERS_MAX) {
        return NAN;
    }
    if (load >= server_count) {
        return 1.0;
    }
    const double lost = theory_erlang_b(load, server_count);
    const double utilization = load / server_count;
    return lost / (1.0 - utilization * (1.0 - lost));
}

struct theory_queue theory_mmc(double arrival_rate, double service_rate, uint32_t server_count)
{
    if (!rates_hold(arrival_rate, service_rate) || server_count == 0 ||
        server_count > SERVERS_MAX) {
        return senseless;
    }
    const double capacity = service_rate * server_count;
    if (arrival_rate >= capacity) {
        return overloaded(capacity);
    }
    const double delayed = theory_erlang_c(arrival_rate / service_rate, server_count);
    return stable(arrival_rate, 1.0 / service_rate, arrival_rate / capacity,
                  delayed / (capacity - arrival_rate), delayed);
}

struct theory_queue theory_mmck(double arrival_rate, double service_rate, uint32_t server_count,
                                uint32_t capacity)
{
    if (!rates_hold(arrival_rate, service_rate) || server_count == 0 || capacity < server_count ||
        capacity > SERVERS_MAX) {
        return senseless;
    }
    const double load = arrival_rate / service_rate;
    double term = 1.0; /* Of n in the system, not normalised. */
    double total = 1.0;
    double full = 0.0; /* All servers busy. */
    double waiting = 0.0;
    for (uint32_t n = 1; n <= capacity; n++) {
        term *= load / (n < server_count ? n : server_count);
        total += term;
        if (n >= server_count) {
            full += term;
            waiting += term * (n - server_count);
        }
        if (total > SCALE_LIMIT) {
            term /= SCALE_LIMIT;
            total /= SCALE_LIMIT;
            full /= SCALE_LIMIT;
            waiting /= SCALE_LIMIT;
        }
    }
    const double lost = term / total;
    const double throughput = arrival_rate * (1.0 - lost);
    const double busy = load * (1.0 - lost);
    const double wait = throughput > 0.0 ? waiting / total / throughput : 0.0;
    return (struct theory_queue){
        .utilization = busy / server_count,
        .throughput = throughput,
        .wait = wait,
        .response = wait + 1.0 / service_rate,
        .waiting = waiting / total,
        .count = waiting / total + busy,
        .delayed = (full - term) / total,
        .lost = lost,
    };
}

struct theory_queue theory_mg1(double arrival_rate, double service, double service_moment2)
{
    if (!(arrival_rate >= 0.0) || !(service > 0.0) ||
        !(service_moment2 >= service * service * (1.0 - 1e-9))) {
        return senseless;
    }
    const double utilization = arrival_rate * service;
    if (utilization >= 1.0) {
        return overloaded(1.0 / service);
    }
    const double wait = 0.5 * arrival_rate * service_moment2 / (1.0 - utilization);
    return stable(arrival_rate, service, utilization, wait, utilization);
}

struct theory_queue theory_md1(double arrival_rate, double service)
{
    return theory_mg1(arrival_rate, service, service * service);
}

struct theory_queue theory_mg1_sharing(double arrival_rate, double service)
{
    if (!(arrival_rate >= 0.0) || !(service > 0.0)) {
        return senseless;
    }
    const double utilization = arrival_rate * service;
    if (utilization >= 1.0) {
        return overloaded(1.0 / service);
    }
    return stable(arrival_rate, service, utilization, service / (1.0 - utilization) - service,
                  utilization);
}

double theory_priority_wait(const double *arrival_rates, uint32_t class_count, uint32_t class_index,
                            double service)
{
    CHECK(arrival_rates != NULL);
    if (class_index >= class_count || !(service > 0.0)) {
        return NAN;
    }
    double before = 0.0; /* Utilization by the more urgent classes. */
    double total = 0.0;
    for (uint32_t i = 0; i < class_count; i++) {
        if (!(arrival_rates[i] >= 0.0)) {
            return NAN;
        }
        before += i < class_index ? arrival_rates[i] * service : 0.0;
        total += arrival_rates[i] * service;
    }
    const double with = before + arrival_rates[class_index] * service;
    if (with >= 1.0) {
        return INFINITY;
    }
    /* What is left of the visit in service: lambda E[S^2] / 2 = rho E[S] for the exponential; the
     * server is never idle when others overload it. */
    const double residual = (total < 1.0 ? total : 1.0) * service;
    return residual / ((1.0 - before) * (1.0 - with));
}

double theory_gg1_wait(double arrival_rate, double service, double arrival_scv, double service_scv)
{
    if (!(arrival_rate >= 0.0) || !(service > 0.0) || !(arrival_scv >= 0.0) ||
        !(service_scv >= 0.0)) {
        return NAN;
    }
    const double utilization = arrival_rate * service;
    if (utilization >= 1.0) {
        return INFINITY;
    }
    return utilization / (1.0 - utilization) * 0.5 * (arrival_scv + service_scv) * service;
}

/* ---- Quantiles of M/M/c ---- */

double theory_mmc_wait_quantile(double arrival_rate, double service_rate, uint32_t server_count,
                                double q)
{
    const struct theory_queue queue = theory_mmc(arrival_rate, service_rate, server_count);
    if (isnan(queue.delayed) || !(q >= 0.0 && q < 1.0)) {
        return NAN;
    }
    if (isinf(queue.wait)) {
        return INFINITY;
    }
    if (q <= 1.0 - queue.delayed) {
        return 0.0;
    }
    return log(queue.delayed / (1.0 - q)) / (service_rate * server_count - arrival_rate);
}

/* P(response > t): the service alone, or a wait of rate `spare` and the service after it. */
static double response_tail(double service_rate, double spare, double delayed, double t)
{
    const double alone = exp(-service_rate * t);
    double both = (1.0 + service_rate * t) * alone;
    if (fabs(spare - service_rate) > 1e-6 * service_rate) {
        both = (spare * alone - service_rate * exp(-spare * t)) / (spare - service_rate);
    }
    return (1.0 - delayed) * alone + delayed * both;
}

double theory_mmc_response_quantile(double arrival_rate, double service_rate, uint32_t server_count,
                                    double q)
{
    const struct theory_queue queue = theory_mmc(arrival_rate, service_rate, server_count);
    if (isnan(queue.delayed) || !(q >= 0.0 && q < 1.0)) {
        return NAN;
    }
    if (isinf(queue.wait)) {
        return INFINITY;
    }
    const double spare = service_rate * server_count - arrival_rate;
    double low = 0.0;
    double high = queue.response;
    while (response_tail(service_rate, spare, queue.delayed, high) > 1.0 - q) {
        high *= 2.0;
    }
    for (int i = 0; i < BISECTIONS && high - low > 1e-14 * high; i++) {
        const double middle = 0.5 * (low + high);
        if (response_tail(service_rate, spare, queue.delayed, middle) > 1.0 - q) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

/* ---- Networks ---- */

struct equations {
    double rows[THEORY_STATIONS_MAX][THEORY_STATIONS_MAX + 1];
};

/* Gaussian elimination with partial pivoting; false if there is no one solution. */
static bool equations_solve(struct equations *equations, uint32_t count, double *solution)
{
    double(*rows)[THEORY_STATIONS_MAX + 1] = equations->rows;
    for (uint32_t column = 0; column < count; column++) {
        uint32_t pivot = column;
        for (uint32_t i = column + 1; i < count; i++) {
            pivot = fabs(rows[i][column]) > fabs(rows[pivot][column]) ? i : pivot;
        }
        if (!(fabs(rows[pivot][column]) > 1e-12)) {
            return false;
        }
        for (uint32_t j = 0; j <= count; j++) {
            const double swapped = rows[column][j];
            rows[column][j] = rows[pivot][j];
            rows[pivot][j] = swapped;
        }
        for (uint32_t i = 0; i < count; i++) {
            const double factor = i == column ? 0.0 : rows[i][column] / rows[column][column];
            for (uint32_t j = column; j <= count; j++) {
                rows[i][j] -= factor * rows[column][j];
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        solution[i] = rows[i][count] / rows[i][i];
    }
    return true;
}

/* Traffic equations: rate_j = arrivals_j + sum_i rate_i routing_ij. */
static bool traffic_solve(const double *arrivals, const double *routing, uint32_t count,
                          double *rates)
{
    struct equations equations;
    for (uint32_t j = 0; j < count; j++) {
        for (uint32_t i = 0; i < count; i++) {
            equations.rows[j][i] = (i == j ? 1.0 : 0.0) - routing[(size_t)i * count + j];
        }
        equations.rows[j][count] = arrivals[j];
    }
    return equations_solve(&equations, count, rates);
}

double theory_jackson(const double *arrivals, const double *routing, const double *service_rates,
                      const uint32_t *server_counts, uint32_t count, struct theory_queue *stations)
{
    CHECK(count > 0 && count <= THEORY_STATIONS_MAX);
    double rates[THEORY_STATIONS_MAX];
    if (!traffic_solve(arrivals, routing, count, rates)) {
        return NAN;
    }
    double in_network = 0.0;
    double external = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        if (!(rates[i] >= -1e-12)) {
            return NAN;
        }
        stations[i] = theory_mmc(fmax(rates[i], 0.0), service_rates[i], server_counts[i]);
        in_network += stations[i].count;
        external += arrivals[i];
    }
    return theory_little_response(external, in_network);
}

double theory_mva(const double *visits, const double *services, uint32_t count, double think,
                  uint32_t population, double *response, double *counts)
{
    CHECK(count > 0 && count <= THEORY_STATIONS_MAX);
    double queue[THEORY_STATIONS_MAX] = {0}; /* Mean number at each, one job less in the network. */
    double per_visit[THEORY_STATIONS_MAX] = {0};
    double throughput = 0.0;
    for (uint32_t n = 1; n <= population; n++) {
        double cycle = think;
        for (uint32_t i = 0; i < count; i++) {
            /* The arrival theorem: a job sees the network as it is without it. */
            per_visit[i] = services[i] * (1.0 + queue[i]);
            cycle += visits[i] * per_visit[i];
        }
        throughput = n / cycle;
        for (uint32_t i = 0; i < count; i++) {
            queue[i] = throughput * visits[i] * per_visit[i];
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (response != NULL) {
            response[i] = per_visit[i];
        }
        if (counts != NULL) {
            counts[i] = queue[i];
        }
    }
    return throughput;
}

/* ---- Quorums ---- */

double theory_quorum_mean(uint32_t k, uint32_t n, double mean)
{
    if (k < 1 || k > n || !(mean >= 0.0)) {
        return NAN;
    }
    double sum = 0.0;
    for (uint32_t i = n - k + 1; i <= n; i++) {
        sum += 1.0 / i;
    }
    return mean * sum;
}

double theory_quorum_share(uint32_t k, uint32_t n, double q)
{
    if (k < 1 || k > n || !(q >= 0.0 && q < 1.0)) {
        return NAN;
    }
    double low = 0.0;
    double high = 1.0;
    for (int i = 0; i < BISECTIONS && high - low > 1e-16; i++) {
        const double middle = 0.5 * (low + high);
        if (special_beta(k, n - k + 1.0, middle) < q) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

double theory_quorum_quantile(uint32_t k, uint32_t n, double mean, double q)
{
    return -mean * log1p(-theory_quorum_share(k, n, q));
}
