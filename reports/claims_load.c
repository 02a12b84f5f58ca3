/* Rules: what is asked of the system: connections, rates, requests. */
#include <math.h>

#include "reports/claims.h"

static const double day_s = 86400;

static void judge_connections(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    const struct plan_gateway *g = &trial->plan->gateway;
    double each =
        (double)(g->connection_kernel_bytes + g->connection_user_bytes + g->connection_tls_bytes);
    double by_memory = each > 0 ? (double)g->memory_bytes / each : (double)INFINITY;
    double a_server = fmin((double)g->connections_max, floor(by_memory));
    double room = a_server * g->servers;
    double full = v->claimed / room;
    const char *binds = by_memory < (double)g->connections_max ? "memory" : "the limit of a server";
    claims_found(trial, room);
    claims_analytic(trial, METRIC_COUNT, room, "servers x what one takes");
    claims_simulated_metric(trial, "online", "clients connected at the end");
    v->status = full <= VERDICT_ROOM ? VERDICT_HOLDS : full <= 1 ? VERDICT_HOLDS_IF : VERDICT_FAILS;
    SAY(v->explanation,
        "A server takes %s connections: its limit is %s, and %s of memory at %s each are enough "
        "for "
        "%s. %u servers take %s together; %s are claimed, %s of that.",
        COUNT(a_server), COUNT((double)g->connections_max), BYTES((double)g->memory_bytes),
        BYTES(each), COUNT(by_memory), g->servers, COUNT(room), COUNT(v->claimed), SHARE(full));
    if (v->status == VERDICT_HOLDS) {
        return;
    }
    double servers = ceil(v->claimed / a_server / VERDICT_SIZED);
    v->would_hold = v->claimed;
    SAY(v->would_hold_text, "%s on %.0f servers", COUNT(v->claimed), servers);
    claims_override(trial, "gateway.servers", servers, "");
    if (v->status == VERDICT_FAILS) {
        SAY(v->condition, "%s binds at %s: short by %s connections", binds, SHARE(full),
            COUNT(v->claimed - room));
    } else {
        SAY(v->condition,
            "if no server is lost: at %s full, each one that is leaves %s clients without a place "
            "or close to it",
            SHARE(full), COUNT(v->claimed / g->servers));
    }
}

static void judge_rate_average(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    double peak = trial->plan->population.message_rate_per_s;
    double average = plan_message_rate_mean_per_s(trial->plan);
    claims_found(trial, average);
    claims_analytic(trial, METRIC_RATE, average, "peak rate / peak factor");
    bool about = fabs(average - v->claimed) <= v->claimed * CLAIMS_ABOUT;
    v->status = about ? VERDICT_HOLDS : VERDICT_FAILS;
    v->would_hold = about ? (double)NAN : average;
    SAY(v->explanation,
        "%s at the peak over a peak factor of %.3g is %s on average, or %s messages a day of "
        "86,400 "
        "s. What a day stores follows from this, what a second must carry from the peak.",
        RATE(peak), trial->plan->population.peak_factor, RATE(average), COUNT(average * day_s));
    if (!about) {
        SAY(v->condition, "the scenario has %.3g times that", average / v->claimed);
        SAY(v->would_hold_text, "%s", RATE(average));
    }
}

/* For claims that the system carries so much a second: what the scenario asks of it must be as
 * much as is claimed, and the system must keep up with it. */
static void judge_carried(struct trial *trial, double asked, const char *metric, const char *what)
{
    struct verdict *v = trial->verdict;
    claims_analytic(trial, METRIC_RATE, asked, what);
    if (claims_simulated_metric(trial, metric, metric)) {
        claims_found(trial, v->simulated.value.value);
    }
    claims_judge_fleet(trial);
    if (asked < v->claimed * (1 - CLAIMS_ABOUT)) {
        v->status = VERDICT_FAILS;
        v->override_count = 0;
        claims_found(trial, asked);
        v->would_hold = asked;
        SAY(v->would_hold_text, "%s", RATE(asked));
        SAY(v->condition, "the scenario asks for no more than %s: %s", RATE(asked), what);
    } else if (v->status != VERDICT_HOLDS && v->override_count > 0) {
        v->would_hold = v->claimed;
        SAY(v->would_hold_text, "%s on %s%s", RATE(v->claimed), v->overrides[0].text,
            v->override_count > 1 ? " ..." : "");
    }
}

static void judge_rate_peak(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    const struct plan_population *population = &trial->plan->population;
    double rate = population->message_rate_per_s;
    judge_carried(trial, rate, "messages_acked.rate", "message_rate of the scenario");
    SAY(v->explanation,
        "%s messages a second are sent, %.3g times the daily mean of %s, and %s acknowledged. Each "
        "costs more than itself: %.3g rows written on each of %u replicas, %.3g commands in Redis, "
        "%.3g deliveries, and receipts back.",
        COUNT(rate), population->peak_factor, RATE(rate / population->peak_factor), v->found_text,
        trial->demand.store_rows, trial->plan->cassandra.replication, trial->demand.cache_commands,
        trial->demand.devices);
}

static void judge_group_fanout(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    const struct plan_population *population = &trial->plan->population;
    judge_carried(trial, trial->demand.deliveries_per_s, "deliveries.rate",
                  "messages a second x devices of their recipients");
    SAY(v->explanation,
        "%s messages a second, %s of them to groups of %.4g, go to %.4g devices each: %s "
        "deliveries "
        "a second are asked for. Each is an append and a trim in Redis and a receipt row, and its "
        "receipts go back to the sender; the run delivered %s.",
        COUNT(population->message_rate_per_s), SHARE(population->group_share),
        population->group_size_mean, trial->demand.devices, COUNT(trial->demand.deliveries_per_s),
        v->found_text);
}

static void judge_polling_requests(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    double polls = trial->demand.polls_per_s;
    if (trial->plan->client.transport != PLAN_POLLING) {
        SAY(v->condition, "nobody polls in this scenario: client.transport is another");
        return;
    }
    double interval_ns = (double)trial->plan->client.poll_interval_ns;
    claims_analytic(trial, METRIC_RATE, polls, "clients / interval");
    claims_simulated_metric(trial, "polls.rate", "requests for news");
    claims_judge_need(trial, polls, "clients over the interval");
    bool about = polls >= v->claimed * (1 - CLAIMS_ABOUT);
    if (!about) {
        v->status = VERDICT_FAILS;
        v->would_hold = polls;
        SAY(v->would_hold_text, "%s", RATE(polls));
        SAY(v->condition, "only %s of that: clients over the interval", SHARE(polls / v->claimed));
    }
    SAY(v->explanation,
        "%s clients that ask every %s make %s requests. That is %.3g for each message sent, and %s "
        "of CPU each, so %s cores do nothing but answer them.",
        COUNT(trial->demand.connections), TIME(interval_ns), RATE(polls),
        polls / trial->plan->population.message_rate_per_s,
        TIME((double)trial->plan->gateway.cpu_poll_ns),
        COUNT(polls * (double)trial->plan->gateway.cpu_poll_ns * 1e-9));
}

/* What a server could hold of everything but ports. */
static double connections_held(const struct trial *trial, const char **binds)
{
    const struct plan_gateway *g = &trial->plan->gateway;
    const struct demand *d = &trial->demand;
    double memory = d->asked[PLAN_TIER_GATEWAY][DEMAND_MEMORY] / d->connections;
    double cpu = d->asked[PLAN_TIER_GATEWAY][DEMAND_CPU] / d->connections;
    double nic = d->asked[PLAN_TIER_GATEWAY][DEMAND_NIC_OUT] / d->connections;
    double by_memory = (double)g->memory_bytes * VERDICT_ROOM / memory;
    double by_cpu = g->cores * VERDICT_ROOM / cpu;
    double by_nic = (double)g->nic_bytes_per_s * VERDICT_ROOM / nic;
    *binds = by_memory <= by_cpu && by_memory <= by_nic ? "memory"
             : by_cpu <= by_nic                         ? "CPU"
                                                        : "network";
    return floor(fmin(by_memory, fmin(by_cpu, by_nic)));
}

static void judge_long_polling_connections(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    const char *binds = NULL;
    if (trial->plan->client.transport != PLAN_LONG_POLLING) {
        SAY(v->condition, "nobody polls long in this scenario: client.transport is another");
        return;
    }
    double held = connections_held(trial, &binds);
    claims_found(trial, held);
    claims_analytic(trial, METRIC_COUNT, held, "what memory, CPU and network of a server hold");
    claims_simulated_metric(trial, "gateway.connections.used", "connections a server, mean");
    SAY(v->explanation,
        "A listening server has one port, and a connection is told from others by the address and "
        "port of the client: 65,535 is a limit of one client address, or of one proxy towards one "
        "server, and not of the server. What a server here holds at %s is %s connections, and %s "
        "binds.",
        SHARE(VERDICT_ROOM), COUNT(held), binds);
    if (held < v->claimed * (1 - CLAIMS_ABOUT)) {
        v->status = VERDICT_FAILS;
        v->would_hold = held;
        SAY(v->would_hold_text, "%s", COUNT(held));
        SAY(v->condition, "%s of a server binds first, at %s connections", binds, COUNT(held));
        claims_override(trial, "gateway.connections_max", held, "");
        claims_override(trial, "gateway.servers",
                        ceil(trial->demand.connections / held / VERDICT_ROOM), "");
    } else if (held <= v->claimed * (1 + CLAIMS_ABOUT)) {
        v->status = VERDICT_HOLDS;
    } else {
        v->status = VERDICT_HOLDS_IF;
        v->would_hold = held;
        SAY(v->would_hold_text, "%s", COUNT(held));
        SAY(v->condition,
            "if all come through one proxy address; else %s binds, at %.3g times as many", binds,
            held / v->claimed);
    }
}

const struct claim_rule claims_load[] = {
    {{"connections", VERDICT_CAPACITY, METRIC_COUNT, false, true,
      "servers x the lesser of a server's limit and what its memory holds"},
     judge_connections},
    {{"msg_rate_avg", VERDICT_ARITHMETIC, METRIC_RATE, false, false,
      "the peak rate over the peak factor, to a tenth"},
     judge_rate_average},
    {{"msg_rate_peak", VERDICT_CAPACITY, METRIC_RATE, false, true,
      "the scenario asks for as much, the run keeps up, and no tier is above 80%"},
     judge_rate_peak},
    {{"group_fanout", VERDICT_CAPACITY, METRIC_RATE, false, true,
      "messages x devices of their recipients come to as much, and the run keeps up"},
     judge_group_fanout},
    {{"polling_requests", VERDICT_ARITHMETIC, METRIC_RATE, false, false,
      "clients over the interval, to a tenth"},
     judge_polling_requests},
    {{"long_polling_connections", VERDICT_CAPACITY, METRIC_COUNT, false, true,
      "what memory, CPU and network of a server hold at 80%"},
     judge_long_polling_connections},
    {{.id = NULL}, NULL},
};
