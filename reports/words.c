#include "reports/words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reports/humane.h"

enum { P99 = 3 }; /* Of result_quantiles. */

const char *words_tier(const char *name, bool plural)
{
    static const char *const names[][3] = {
        {"population", "client shard", "client shards"},
        {"gateway", "chat server", "chat servers"},
        {"fanout", "fan-out server", "fan-out servers"},
        {"kafka", "Kafka broker", "Kafka brokers"},
        {"cassandra", "Cassandra node", "Cassandra nodes"},
        {"redis", "Redis shard", "Redis shards"},
        {"push", "push gateway", "push gateway"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i][0], name) == 0) {
            return names[i][plural ? 2 : 1];
        }
    }
    return name;
}

const char *words_resource(const struct result_tier *tier, const struct result_resource *resource)
{
    static const char *const names[][2] = {
        {"cpu", "CPU"},
        {"nic_in", "network in"},
        {"nic_out", "network out"},
        {"disk_io", "disk throughput"},
        {"disk_space", "disk space"},
        {"memory", "memory"},
        {"connections", "connections"},
        {"quota", "push quota"},
    };
    if (strcmp(tier->name, "cassandra") == 0 && strcmp(resource->name, "connections") == 0) {
        return "operations at once"; /* Those that a node coordinates. */
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i][0], resource->name) == 0) {
            return names[i][1];
        }
    }
    return resource->name;
}

const char *words_servers(const struct result_tier *tier, char *buffer)
{
    bool threads = strcmp(tier->name, "kafka") == 0 || strcmp(tier->name, "redis") == 0;
    snprintf(buffer, WORDS_SIZE, "%u %s%s", tier->servers, threads ? "thread" : "core",
             tier->servers == 1 ? "" : "s");
    return buffer;
}

const char *words_amount(const struct result_tier *tier, const struct result_resource *resource,
                         double amount, char *buffer)
{
    char text[HUMANE_SIZE];
    const char *unit = resource->unit;
    if (strcmp(unit, "share") == 0 && amount >= resource->limit) {
        words_servers(tier, buffer);
    } else if (strcmp(unit, "share") == 0) {
        snprintf(buffer, WORDS_SIZE, "%s",
                 humane_count(amount / resource->limit * tier->servers, text));
    } else if (unit[0] == 'B') {
        snprintf(buffer, WORDS_SIZE, "%s%s", humane_bytes(amount, text), unit + 1);
    } else {
        snprintf(buffer, WORDS_SIZE, "%s%s", humane_count(amount, text), unit + 1);
    }
    return buffer;
}

bool words_has_quantile(const struct result_stage *stage, uint32_t quantile)
{
    return (double)stage->count * (1 - result_quantiles[quantile]) >= 0.999;
}

const char *words_quantile(const struct result_stage *stage, uint32_t quantile, char *buffer)
{
    if (stage == NULL || !words_has_quantile(stage, quantile)) {
        snprintf(buffer, WORDS_SIZE, "-");
        return buffer;
    }
    return humane_time(stage->quantile_ns[quantile].value, buffer);
}

const char *words_span(const char *low, const char *high, char *buffer)
{
    const char *low_unit = strchr(low, ' ');
    const char *high_unit = strchr(high, ' ');
    bool same = low_unit != NULL && high_unit != NULL && strcmp(low_unit, high_unit) == 0;
    size_t length = same ? (size_t)(low_unit - low) : strlen(low);
    snprintf(buffer, WORDS_SIZE, "%.*s–%s", (int)length, low, high);
    return buffer;
}

const char *words_interval(const struct result_stage *stage, uint32_t quantile, char *buffer)
{
    const struct result_estimate *estimate = &stage->quantile_ns[quantile];
    char low[HUMANE_SIZE];
    char high[HUMANE_SIZE];
    buffer[0] = '\0';
    if (words_has_quantile(stage, quantile) && estimate->known && estimate->low <= 0) {
        snprintf(buffer, WORDS_SIZE, "up to %s", humane_time(estimate->high, high));
    } else if (words_has_quantile(stage, quantile) && estimate->known) {
        words_span(humane_time(estimate->low, low), humane_time(estimate->high, high), buffer);
    }
    return buffer;
}

bool words_is_station(const struct result_resource *resource)
{
    static const char *const names[] = {"cpu", "nic_in", "nic_out", "disk_io"};
    bool station = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        station = station || (resource->present && strcmp(resource->name, names[i]) == 0);
    }
    return station;
}

/* Fills with days, or is somebody else's: messages don't wait for it. */
static bool is_apart(const struct result_resource *resource)
{
    return strcmp(resource->name, "disk_space") == 0 || strcmp(resource->name, "quota") == 0;
}

const struct result_resource *words_busiest(const struct result_tier *tier, bool stations)
{
    const struct result_resource *busiest = NULL;
    const struct result_resource *apart = NULL;
    for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
        const struct result_resource *resource = &tier->resources[r];
        if (!resource->present || (stations && !words_is_station(resource))) {
            continue;
        }
        if (is_apart(resource) && resource->utilization_mean <= 1) {
            apart = resource;
        } else if (busiest == NULL || resource->utilization_mean > busiest->utilization_mean) {
            busiest = resource;
        }
    }
    return busiest == NULL ? apart : busiest;
}

double words_per_s(const struct result *result, const char *name)
{
    const struct result_counter *counter = result_counter(result, name);
    return counter == NULL ? 0 : counter->per_s;
}

double words_acked_share(const struct result *result)
{
    double sent = words_per_s(result, "messages_sent");
    return sent > 0 ? fmin(1, words_per_s(result, "messages_acked") / sent) : 1;
}

static const struct result_resource *fullest_station(const struct result *result,
                                                     const struct result_tier **tier)
{
    const struct result_resource *fullest = NULL;
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        const struct result_resource *busiest = words_busiest(&result->tiers[t], true);
        if (busiest != NULL &&
            (fullest == NULL || busiest->utilization_mean > fullest->utilization_mean)) {
            fullest = busiest;
            *tier = &result->tiers[t];
        }
    }
    return fullest;
}

static void overload_finding(const struct result *result, char *buffer)
{
    const struct result_tier *tier = NULL;
    const struct result_resource *fullest = fullest_station(result, &tier);
    char percent[HUMANE_SIZE];
    char growth[HUMANE_SIZE];
    if (fullest != NULL && fullest->utilization_mean >= WORDS_NEAR) {
        snprintf(buffer, WORDS_SIZE, "Overloaded: %s %s is asked for %s of what it has",
                 words_tier(tier->name, false), words_resource(tier, fullest),
                 humane_percent(fullest->utilization_mean, percent));
    } else {
        snprintf(buffer, WORDS_SIZE, "Overloaded, though no tier is full on average");
    }
    size_t length = strlen(buffer);
    if (result->unfinished_growth_per_s > 0) {
        snprintf(buffer + length, WORDS_SIZE - length,
                 "; what is unfinished grows by %s messages a second.",
                 humane_count(result->unfinished_growth_per_s, growth));
    } else {
        snprintf(buffer + length, WORDS_SIZE - length, "; there is no steady state.");
    }
}

const char *words_finding(const struct result *result, char *buffer)
{
    const struct result_tier *tier = &result->tiers[result->binding_tier];
    const struct result_resource *binding = &tier->resources[result->binding_resource];
    const struct result_stage *delivery = result_stage(result, "delivery");
    char time[WORDS_SIZE];
    char percent[HUMANE_SIZE];
    if (result->events == 0 || result->end_ns <= result->from_ns) {
        snprintf(buffer, WORDS_SIZE, "Nothing was measured, so nothing is known.");
        return buffer;
    }
    if (result->overloaded) {
        overload_finding(result, buffer);
        return buffer;
    }
    double acked = words_acked_share(result);
    if (acked < WORDS_BEHIND) {
        snprintf(buffer, WORDS_SIZE, "Falls behind%s: %s of the messages sent are acknowledged",
                 result->plan->fault_count + result->plan->random_fault_count > 0
                     ? " under its faults"
                     : "",
                 humane_percent(acked, percent));
    } else {
        snprintf(buffer, WORDS_SIZE, "Keeps up");
    }
    size_t length = strlen(buffer);
    if (delivery != NULL && words_has_quantile(delivery, P99)) {
        snprintf(buffer + length, WORDS_SIZE - length, "%s 99%% of deliveries take up to %s",
                 acked < WORDS_BEHIND ? ";" : ":", words_quantile(delivery, P99, time));
    }
    length = strlen(buffer);
    if (result->finding_count > 0) {
        const struct result_finding *finding = &result->findings[0];
        const struct result_tier *full = &result->tiers[finding->tier];
        snprintf(buffer + length, WORDS_SIZE - length, "; the %s need %s of their %s.",
                 words_tier(full->name, true), humane_percent(finding->utilization, percent),
                 words_resource(full, &full->resources[finding->resource]));
    } else if (binding->present) {
        snprintf(buffer + length, WORDS_SIZE - length, "; first to bind: %s %s, at %s.",
                 words_tier(tier->name, false), words_resource(tier, binding),
                 humane_percent(binding->utilization_mean, percent));
    } else {
        snprintf(buffer + length, WORDS_SIZE - length, ".");
    }
    return buffer;
}
