/* Rules: how long it takes, and what is asked in vain. */
#include <math.h>
#include <string.h>

#include "reports/claims.h"
#include "sim/theory.h"

static const char *const at_names[] = {"p50", "p90", "p95", "p99", "p99.9", "p99.99", "average"};

static const char *at_words(enum plan_at at)
{
    static const char *const words[] = {"at p50",   "at p90",    "at p95",    "at p99",
                                        "at p99.9", "at p99.99", "on average"};
    return words[at];
}

/* -- The mean of the way, by formula -------------------------------------------------------------
 */

/* There or back over a client's own network: half a round trip, the losses, and the radio where
 * nothing has woken it for ten seconds. */
static double access_mean_ns(const struct trial *trial)
{
    const struct plan *plan = trial->plan;
    const struct demand *d = &trial->demand;
    double frames =
        d->connections > 0
            ? (d->messages_per_s + d->deliveries_per_s * (2 + plan->population.read_share)) /
                  d->connections
            : 0;
    double asleep = exp(-10 * frames);
    double mean = 0;
    for (int i = 0; i < PLAN_ACCESS_COUNT; i++) {
        const struct plan_access *access = &plan->network.access[i];
        mean += access->share *
                (access->rtt.mean / 2 + access->loss * (double)plan->network.retransmit_timeout_ns +
                 asleep * (double)access->wakeup_ns);
    }
    return mean;
}

static double inside_ns(const struct plan *plan)
{
    return plan->network.zones > 1 ? plan->network.rtt_between_zones.mean
                                   : plan->network.rtt_in_zone.mean;
}

/* One round of a quorum: the way to replicas, the queue for a core (M/M/c), and the slower ones of
 * those that must answer. INFINITY where the tier is asked for more than it has. */
static double quorum_mean_ns(const struct trial *trial)
{
    const struct plan_cassandra *c = &trial->plan->cassandra;
    double service = (double)c->cpu_write_ns;
    double utilization = demand_utilization(&trial->demand, PLAN_TIER_CASSANDRA, DEMAND_CPU);
    double arrivals = utilization * c->cores / service;
    double wait =
        utilization < 1 ? theory_mmc(arrivals, 1 / service, c->cores).wait : (double)INFINITY;
    uint32_t needed = c->consistency == PLAN_ONE   ? 1
                      : c->consistency == PLAN_ALL ? c->replication
                                                   : c->replication / 2 + 1;
    return inside_ns(trial->plan) + (double)c->cpu_coordinate_ns + wait +
           theory_quorum_mean(needed, c->replication, service);
}

/* From the tap on send to the recipient's inbox, the access network of the sender included. */
static double inbox_mean_ns(const struct trial *trial)
{
    const struct plan *plan = trial->plan;
    double quorum = quorum_mean_ns(trial);
    double log = (double)plan->kafka.linger_ns + 1.5 * inside_ns(plan);
    return access_mean_ns(trial) + (plan->cassandra.lwt_rounds + 1.0) * quorum + log +
           inside_ns(plan);
}

static double path_mean_ns(const struct trial *trial)
{
    return inbox_mean_ns(trial) + inside_ns(trial->plan) / 2 + access_mean_ns(trial);
}

/* -- What the run measured -----------------------------------------------------------------------
 */

static bool delivery_at(const struct trial *trial, enum plan_at at, struct result_estimate *value)
{
    char name[METRIC_NAME_SIZE];
    SAY(name, "delivery.%s", at == PLAN_AT_AVERAGE ? "mean" : at_names[at]);
    return trial->measured && metric_value_of(trial->result, name, value);
}

/* Of deliveries, those within `ns`, from the 96 points of the distribution, linear between. */
static double share_within(const struct result_stage *stage, double ns)
{
    const uint32_t points = sizeof stage->cdf / sizeof *stage->cdf;
    double place = (log10(ns) - 3) / 8 * (points - 1);
    if (place <= 0) {
        return (double)stage->cdf[0];
    }
    if (place >= points - 1) {
        return (double)stage->cdf[points - 1];
    }
    uint32_t below = (uint32_t)place;
    double part = place - below;
    return (double)stage->cdf[below] * (1 - part) + (double)stage->cdf[below + 1] * part;
}

/* Sum of the means of what comes before the inbox. */
static bool simulated_inbox_mean(const struct trial *trial, double *mean_ns)
{
    static const char *const stages[] = {"uplink.mean", "claim.mean", "store.mean", "log.mean",
                                         "inbox.mean"};
    *mean_ns = 0;
    bool all = trial->measured;
    for (size_t i = 0; all && i < sizeof stages / sizeof *stages; i++) {
        struct result_estimate one;
        all = metric_value_of(trial->result, stages[i], &one);
        *mean_ns += all ? one.value : 0;
    }
    return all;
}

/* -- Verdicts ------------------------------------------------------------------------------------
 */

static void put_claimed(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    SAY(v->claimed_text, "%s < %s", at_names[v->claim->at], TIME(v->claimed));
}

/* By the value and its interval, below the claimed or not. */
static void decide(struct trial *trial, const struct result_estimate *value)
{
    struct verdict *v = trial->verdict;
    claims_found(trial, value->value);
    SAY(v->found_text, "%s %s", at_names[v->claim->at], TIME(value->value));
    v->status = value->value < v->claimed ? VERDICT_HOLDS : VERDICT_FAILS;
    if (value->known && value->low < v->claimed && value->high >= v->claimed) {
        v->status = VERDICT_HOLDS_IF;
        SAY(v->condition, "undecided: the interval is %s to %s; a longer run decides",
            TIME(value->low), TIME(value->high));
    }
}

/* "holds for 92% of deliveries (p92); cassandra CPU is at 99%" */
static void say_percentile(struct trial *trial, double share)
{
    struct verdict *v = trial->verdict;
    v->would_hold = v->found;
    SAY(v->would_hold_text, "p%.3g, or %s at %s", floor(share * 1000) / 10, TIME(v->found),
        at_names[v->claim->at]);
    if (trial->result->overloaded) {
        SAY(v->condition,
            "there is no steady state; of those that arrived, %s were within %s (p%.3g)",
            SHARE(share), TIME(v->claimed), floor(share * 1000) / 10);
    } else {
        SAY(v->condition, "it holds for %s of deliveries (p%.3g); %s it takes %.3g times as long",
            SHARE(share), floor(share * 1000) / 10, at_words(v->claim->at), v->found / v->claimed);
    }
}

static void judge_delivery(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    const struct result_stage *stage = result_stage(trial->result, "delivery");
    struct result_estimate value;
    struct result_estimate mean;
    double path = path_mean_ns(trial);
    put_claimed(trial);
    claims_analytic(trial, METRIC_TIME, path,
                    "mean: access both ways, quorums (M/M/c), linger, hops");
    if (!delivery_at(trial, v->claim->at, &value) || stage == NULL) {
        SAY(v->condition, "the run measured too few deliveries to say");
        SAY(v->explanation,
            "No message was shown on a device in the measured time, or too few for "
            "%s. Let the run last longer (run.duration).",
            at_names[v->claim->at]);
        return;
    }
    char what[METRIC_NAME_SIZE];
    SAY(what, "delivery, %s", at_names[v->claim->at]);
    claims_simulated(trial, METRIC_TIME, value, what);
    double share = share_within(stage, v->claimed);
    decide(trial, &value);
    if (trial->result->overloaded) {
        v->status = VERDICT_FAILS; /* The rest is still waiting. */
    }
    if (v->status == VERDICT_FAILS) {
        say_percentile(trial, share);
    }
    bool has_mean = delivery_at(trial, PLAN_AT_AVERAGE, &mean);
    SAY(v->explanation,
        "From the tap on send to the screen of a device online: %s %s, a mean of %s, by %s "
        "deliveries; %s are within %s. Of the average, both access networks and woken radios are "
        "%s, "
        "%u rounds of a quorum at %s each, and the linger of the log %s.",
        TIME(value.value), at_words(v->claim->at), TIME(has_mean ? mean.value : (double)NAN),
        COUNT((double)stage->count), SHARE(share), TIME(v->claimed),
        TIME(2 * access_mean_ns(trial)), trial->plan->cassandra.lwt_rounds + 1,
        isfinite(quorum_mean_ns(trial)) ? TIME(quorum_mean_ns(trial)) : "a wait without bound",
        TIME((double)trial->plan->kafka.linger_ns));
}

static bool needs_transport(struct trial *trial, enum plan_transport transport)
{
    static const char *const names[] = {"websocket", "long_polling", "polling"};
    if (trial->plan->client.transport == transport) {
        return true;
    }
    SAY(trial->verdict->condition, "clients of this scenario use %s",
        names[trial->plan->client.transport]);
    return false;
}

static void judge_websocket(struct trial *trial)
{
    put_claimed(trial);
    if (needs_transport(trial, PLAN_WEBSOCKET)) {
        judge_delivery(trial);
    }
}

/* What of a uniform wait of up to `longest` counts for the claim. */
static double uniform_wait_ns(enum plan_at at, double longest)
{
    return at == PLAN_AT_AVERAGE ? longest / 2 : longest * result_quantiles[at];
}

/* The sum of what comes before the inbox, the wait and the way back; false where the run has no
 * such stages. */
static bool simulated_sum(const struct trial *trial, double wait, struct result_estimate *sum)
{
    double before = 0;
    bool measured = claims_steady(trial) && simulated_inbox_mean(trial, &before);
    double all = before + wait + access_mean_ns(trial);
    *sum = (struct result_estimate){all, all, all, false};
    return measured;
}

static void explain_waiting(struct trial *trial, double longest_ns, const char *look)
{
    struct verdict *v = trial->verdict;
    double wait = uniform_wait_ns(v->claim->at, longest_ns);
    double path = v->found - wait;
    if (longest_ns > 0) {
        SAY(v->explanation,
            "A message that has come to the inbox waits for %s, evenly up to %s: %s %s. What comes "
            "before and after takes %s on average, which makes %s; about %s is claimed.",
            look, TIME(longest_ns), TIME(wait), at_words(v->claim->at), TIME(path), TIME(v->found),
            TIME(v->claimed));
    } else {
        SAY(v->explanation,
            "A held request is answered as soon as a message is there, so nothing is added to the "
            "way to the inbox and back, %s on average by formula. What it is %s must be measured.",
            TIME(path), at_words(v->claim->at));
    }
}

/* Capacity runs keep no time of an entry in an inbox, so the wait for the next look is the
 * formula's, and what comes before it the run's. Of the tail of the way nothing is known then: a
 * percentile can be seen to fail, by what is known alone, and not to hold. */
static void judge_waiting(struct trial *trial, double longest_ns, const char *look)
{
    struct verdict *v = trial->verdict;
    double wait = uniform_wait_ns(v->claim->at, longest_ns);
    double analytic = inbox_mean_ns(trial) + wait + access_mean_ns(trial);
    struct result_estimate sum = {analytic, analytic, analytic, false};
    struct result_estimate simulated;
    char what[VERDICT_TEXT_SIZE];
    SAY(what, "mean of the way, and the wait for %s", look);
    claims_analytic(trial, METRIC_TIME, analytic, what);
    if (simulated_sum(trial, wait, &simulated)) {
        sum = simulated;
        claims_simulated(trial, METRIC_TIME, sum, "means of the stages, and the wait by formula");
    }
    claims_found(trial, sum.value);
    explain_waiting(trial, longest_ns, look);
    decide(trial, &sum);
    if (v->status == VERDICT_HOLDS && v->claim->at != PLAN_AT_AVERAGE) {
        v->status = VERDICT_UNKNOWN;
        SAY(v->found_text, "at least %s", TIME(sum.value));
        SAY(v->condition, "the run has no times of deliveries by requests, so nothing tells its %s",
            at_names[v->claim->at]);
    } else if (v->status == VERDICT_FAILS) {
        double share = longest_ns > 0 ? (v->claimed - (v->found - wait)) / longest_ns : 0;
        share = share < 0 ? 0 : share > 1 ? 1 : share;
        v->would_hold = v->found;
        SAY(v->would_hold_text, "p%.3g, or %s at %s", floor(share * 1000) / 10, TIME(v->found),
            at_names[v->claim->at]);
        SAY(v->condition, "it holds for %s (p%.3g): the wait for %s alone is up to %s",
            SHARE(share), floor(share * 1000) / 10, look, TIME(longest_ns));
    }
}

static void judge_polling(struct trial *trial)
{
    put_claimed(trial);
    /* "2.5 s": about so long, half the interval; a tenth more is the same claim. */
    if (needs_transport(trial, PLAN_POLLING)) {
        double claimed = trial->verdict->claimed;
        struct result_estimate delivery;
        trial->verdict->claimed = claimed * (1 + CLAIMS_ABOUT);
        if (delivery_at(trial, trial->verdict->claim->at, &delivery)) {
            judge_delivery(trial);
        } else {
            judge_waiting(trial, (double)trial->plan->client.poll_interval_ns,
                          "the client's next request");
        }
        trial->verdict->claimed = claimed;
        put_claimed(trial);
    }
}

static void judge_long_polling(struct trial *trial)
{
    put_claimed(trial);
    if (!needs_transport(trial, PLAN_LONG_POLLING)) {
        return;
    }
    struct result_estimate delivery;
    double check_ns = (double)trial->plan->client.poll_check_ns;
    if (delivery_at(trial, trial->verdict->claim->at, &delivery)) {
        judge_delivery(trial);
    } else {
        judge_waiting(trial, check_ns, "the server's next look");
    }
}

/* -- Waste ---------------------------------------------------------------------------------------
 */

/* Entries for one device a second: messages, and receipts for what it sent. */
static double news_per_s(const struct trial *trial, double messages_per_s)
{
    const struct plan_population *p = &trial->plan->population;
    const struct demand *d = &trial->demand;
    double receipts = plan_recipients(trial->plan) * (1 + p->read_share) * p->devices_per_user;
    /* Who is offline asks for nothing, and finds it all at once when he is back. */
    double messages = d->devices * (1 - p->offline_share);
    return messages_per_s * (messages + receipts) / d->connections;
}

/* A Poisson stream of news leaves so much of the looks empty, `wait_s` apart. */
static double waste(double news, double wait_s)
{
    return exp(-news * wait_s);
}

static void judge_waste(struct trial *trial, double wait_s, const char *what)
{
    struct verdict *v = trial->verdict;
    double peak_rate = trial->plan->population.message_rate_per_s;
    double average_rate = plan_message_rate_mean_per_s(trial->plan);
    double by_formula = waste(news_per_s(trial, peak_rate), wait_s);
    double peak = by_formula;
    double average = waste(news_per_s(trial, average_rate), wait_s);
    double holds_at = -log(v->claimed) / wait_s / news_per_s(trial, 1);
    if (claims_steady(trial) &&
        claims_simulated_metric(trial, "polls_empty.share", "at the peak: answers without news")) {
        peak = v->simulated.value.value;
    }
    bool at_peak = fabs(peak - v->claimed) <= v->claimed * CLAIMS_ABOUT;
    bool at_average = fabs(average - v->claimed) <= v->claimed * CLAIMS_ABOUT;
    claims_found(trial, average);
    SAY(v->found_text, "%s on average, %s at the peak", SHARE(average), SHARE(peak));
    claims_analytic(trial, METRIC_SHARE, by_formula, "at the peak: e^(-news x wait), Poisson");
    SAY(v->explanation,
        "A client gets %.3g news a second on average and %.3g at the peak (messages, and both "
        "receipts for its own). If they come at random, e^(-news x %.3g s) of %s find none: %s on "
        "average, %s at the peak%s. %s would be so at %s messages a second.",
        news_per_s(trial, average_rate), news_per_s(trial, peak_rate), wait_s, what, SHARE(average),
        SHARE(by_formula), v->simulated.present ? " (the run has its own figure for that)" : "",
        SHARE(v->claimed), COUNT(holds_at));
    if (at_peak && at_average) {
        v->status = VERDICT_HOLDS;
        return;
    }
    v->would_hold = average;
    SAY(v->would_hold_text, "%s to %s", SHARE(peak), SHARE(average));
    v->status = at_peak || at_average ? VERDICT_HOLDS_IF : VERDICT_FAILS;
    if (v->status == VERDICT_HOLDS_IF) {
        SAY(v->condition, "only %s: %s messages a second", at_peak ? "at the peak" : "on average",
            RATE(at_peak ? peak_rate : average_rate));
    } else {
        SAY(v->condition, "%s would be so at %s, not at %s", SHARE(v->claimed), RATE(holds_at),
            RATE(average_rate));
    }
}

static void judge_polling_waste(struct trial *trial)
{
    if (needs_transport(trial, PLAN_POLLING)) {
        judge_waste(trial, (double)trial->plan->client.poll_interval_ns * 1e-9, "requests");
    }
}

static void judge_long_polling_waste(struct trial *trial)
{
    if (needs_transport(trial, PLAN_LONG_POLLING)) {
        judge_waste(trial, (double)trial->plan->client.poll_hold_ns * 1e-9, "held requests");
    }
}

const struct claim_rule claims_latency[] = {
    {{"delivery_latency", VERDICT_LATENCY, METRIC_TIME, false, false,
      "from the tap on send to the screen of a device online, at the percentile of the claim"},
     judge_delivery},
    {{"polling_latency", VERDICT_LATENCY, METRIC_TIME, false, false,
      "the way to the inbox, and a wait that is uniform over the interval"},
     judge_polling},
    {{"polling_waste", VERDICT_ARITHMETIC, METRIC_SHARE, false, false,
      "requests without news, at the average and at the peak rate, to a tenth"},
     judge_polling_waste},
    {{"long_polling_latency", VERDICT_LATENCY, METRIC_TIME, false, false,
      "from the tap on send to the answer of the held request"},
     judge_long_polling},
    {{"long_polling_waste", VERDICT_ARITHMETIC, METRIC_SHARE, false, false,
      "answers without news, at the average and at the peak rate, to a tenth"},
     judge_long_polling_waste},
    {{"websocket_latency", VERDICT_LATENCY, METRIC_TIME, false, false,
      "from the tap on send to the screen of a device online, at the percentile of the claim"},
     judge_websocket},
    {{.id = NULL}, NULL},
};
