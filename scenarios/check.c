#include "scenarios/check.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "models/core/check.h"
#include "scenarios/trace.h"

static void report(const struct builder *b, enum problem_kind kind, const char *path,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Adds a problem at the field `path`. */
static void report(const struct builder *b, enum problem_kind kind, const char *path,
                   const char *format, ...)
{
    char text[PROBLEM_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char buffer[PROBLEM_PATH_SIZE];
    struct place place = builder_place(b, path, 0, buffer);
    problems_add(b->problems, kind, &place, "%s", text);
}

/* The one of two fields that somebody set; the first where both or none were. */
static const char *blamed(const struct builder *b, const char *first, const char *second)
{
    bool only_second = !builder_is_set(b, first, 0) && builder_is_set(b, second, 0);
    return only_second ? second : first;
}

/* -- Laws ----------------------------------------------------------------------------------------
 */

/* `row` is the law's first. */
static void check_law(const struct builder *b, const struct table_row *row)
{
    const struct plan_law *law = table_field_const(row, b->plan, 0);
    const char *centre_path = row[1].path;
    double centre = row->mean ? law->mean : law->median;
    const char *name = row->mean ? "mean" : "median";
    char floor[PLAN_TEXT_SIZE];
    table_get(&row[3], b->plan, 0, floor, sizeof floor);
    if (law->kind != PLAN_LAW_CONSTANT && centre <= law->floor) {
        report(b, PROBLEM_ERROR, blamed(b, centre_path, row[3].path),
               "the %s must lie above the floor of %s; raise it, or lower the floor", name, floor);
    }
    if (law->max > 0.0 && law->max <= fmax(centre, law->floor)) {
        report(b, PROBLEM_ERROR, blamed(b, row[4].path, centre_path),
               "max must lie above the %s; 0 is no cut", name);
    }
}

static void check_laws(const struct builder *b)
{
    uint32_t count = table_count();
    for (uint32_t i = 0; i < count; i++) {
        const struct table_row *row = table_row(i);
        if (row->law) {
            check_law(b, row);
        }
    }
}

/* -- Fields that bound each other ----------------------------------------------------------------
 */

static void check_fleet(const struct builder *b)
{
    const struct plan *p = b->plan;
    if (p->kafka.replication > p->kafka.brokers) {
        report(b, PROBLEM_ERROR, blamed(b, "kafka.replication", "kafka.brokers"),
               "%u copies need as many brokers, and there are %u; lower kafka.replication or raise "
               "kafka.brokers",
               p->kafka.replication, p->kafka.brokers);
    }
    if (p->kafka.min_insync > p->kafka.replication) {
        report(b, PROBLEM_ERROR, blamed(b, "kafka.min_insync", "kafka.replication"),
               "%u copies in sync of %u can never be; lower kafka.min_insync", p->kafka.min_insync,
               p->kafka.replication);
    }
    if (p->cassandra.replication > p->cassandra.nodes) {
        report(b, PROBLEM_ERROR, blamed(b, "cassandra.replication", "cassandra.nodes"),
               "%u copies need as many nodes, and there are %u; lower cassandra.replication or "
               "raise cassandra.nodes",
               p->cassandra.replication, p->cassandra.nodes);
    }
    if (p->kafka.fetch_partition_bytes > p->kafka.fetch_bytes) {
        report(b, PROBLEM_ERROR, blamed(b, "kafka.fetch_partition", "kafka.fetch"),
               "one partition can't be given more than the whole answer holds");
    }
    if (p->cassandra.gc_period_ns > 0 && p->cassandra.gc_pause_ns >= p->cassandra.gc_period_ns) {
        report(b, PROBLEM_ERROR, blamed(b, "cassandra.gc_pause", "cassandra.gc_period"),
               "a pause as long as its period leaves the node no time to work");
    }
}

static void check_population(const struct builder *b)
{
    const struct plan_population *p = &b->plan->population;
    if (p->connected > p->users) {
        report(b, PROBLEM_ERROR, blamed(b, "population.connected", "population.users"),
               "%llu connected of %llu users; raise population.users",
               (unsigned long long)p->connected, (unsigned long long)p->users);
    }
    if (p->group_size_mean > (double)p->group_size_max) {
        report(b, PROBLEM_ERROR,
               blamed(b, "population.group_size.mean", "population.group_size.max"),
               "a mean of %g members above the largest of %llu", p->group_size_mean,
               (unsigned long long)p->group_size_max);
    }
    if (p->group_share > 0.0 && p->group_size_mean > (double)p->users) {
        report(b, PROBLEM_ERROR, blamed(b, "population.group_size.mean", "population.users"),
               "groups of %g members on average need as many users, and there are %llu",
               p->group_size_mean, (unsigned long long)p->users);
    }
}

static void check_clients(const struct builder *b)
{
    const struct plan *p = b->plan;
    double shares = 0.0;
    for (uint32_t i = 0; i < PLAN_ACCESS_COUNT; i++) {
        shares += p->network.access[i].share;
    }
    if (fabs(shares - 1.0) > 1e-6) {
        report(b, PROBLEM_ERROR, blamed(b, "network.wifi.share", "network.mobile_4g.share"),
               "the shares of mobile_4g, mobile_5g and wifi make %.6g%%, not 100%%",
               shares * 100.0);
    }
    if (p->client.reconnect_first_ns > p->client.reconnect_max_ns) {
        report(b, PROBLEM_ERROR, blamed(b, "client.reconnect_first", "client.reconnect_max"),
               "the first wait is longer than the longest, client.reconnect_max");
    }
    if (p->core.retry_first_ns > p->core.retry_max_ns) {
        report(b, PROBLEM_ERROR, blamed(b, "core.retry_first", "core.retry_max"),
               "the first wait is longer than the longest, core.retry_max");
    }
}

static void check_run(const struct builder *b)
{
    const struct plan *p = b->plan;
    if (p->run.sample_interval_ns > p->run.duration_ns) {
        report(b, PROBLEM_ERROR, blamed(b, "run.sample_interval", "run.duration"),
               "longer than the run itself (run.duration)");
    }
    if (p->run.contents && p->run.fidelity < 1.0) {
        report(b, PROBLEM_ERROR, blamed(b, "run.fidelity", "run.contents"),
               "with run.contents every message is judged, so fidelity must be 100%%");
    }
}

/* -- The trace -----------------------------------------------------------------------------------
 */

static void check_trace(const struct builder *b)
{
    const struct plan_population *p = &b->plan->population;
    if (p->trace.file[0] == '\0') {
        return;
    }
    if (b->plan->run.fidelity < 1.0) {
        report(b, PROBLEM_ERROR, blamed(b, "run.fidelity", "population.trace.file"),
               "a trace is replayed whole, so fidelity must be 100%%");
    }
    char path[PROBLEM_PATH_SIZE];
    struct place place = builder_place(b, "population.trace.file", 0, path);
    struct trace trace;
    if (!trace_read(&trace, p->trace.file, &place, b->problems)) {
        return;
    }
    if (trace.user_count > p->users) {
        report(b, PROBLEM_ERROR, blamed(b, "population.users", "population.trace.file"),
               "the trace has %u people, and there are %llu users; raise population.users",
               trace.user_count, (unsigned long long)p->users);
    }
    trace_free(&trace);
}

/* -- Findings ------------------------------------------------------------------------------------
 */

static void find_unwise(const struct builder *b)
{
    const struct plan *p = b->plan;
    const struct plan_gateway *g = &p->gateway;
    double connections = (double)p->population.connected * p->population.devices_per_user;
    double room = (double)g->servers * (double)g->connections_max;
    if (connections > room) {
        report(b, PROBLEM_FINDING, blamed(b, "gateway.servers", "population.connected"),
               "%.4g connections, and the servers take %.4g; %.0f servers would do", connections,
               room, ceil(connections / (double)g->connections_max));
    }
    double each =
        (double)(g->connection_kernel_bytes + g->connection_user_bytes + g->connection_tls_bytes);
    double held = fmin(connections, room) / (double)g->servers;
    if (held * each > (double)g->memory_bytes) {
        report(b, PROBLEM_FINDING, "gateway.memory",
               "%.4g connections need %.3g GB a server, which has %.3g GB", held, held * each / 1e9,
               (double)g->memory_bytes / 1e9);
    }
    if (p->client.transport == PLAN_WEBSOCKET &&
        p->client.heartbeat_ns >= p->network.idle_timeout_ns) {
        report(b, PROBLEM_FINDING, blamed(b, "client.heartbeat", "network.idle_timeout"),
               "something on the path forgets a connection before the next beat "
               "(network.idle_timeout)");
    }
    if (p->client.transport == PLAN_WEBSOCKET &&
        p->core.presence_ttl_ns <= p->client.heartbeat_ns) {
        report(b, PROBLEM_FINDING, blamed(b, "core.presence_ttl", "client.heartbeat"),
               "presence expires between two beats (client.heartbeat)");
    }
    if (p->kafka.partitions < p->fanout.servers) {
        report(b, PROBLEM_FINDING, blamed(b, "kafka.partitions", "fanout.servers"),
               "fewer partitions than fan-out servers (%u): some have nothing to do",
               p->fanout.servers);
    }
    if (p->run.contents && p->population.connected > 10000) {
        report(b, PROBLEM_FINDING, blamed(b, "run.contents", "population.connected"),
               "keeps and judges every message of %llu people; a few hundred is usual",
               (unsigned long long)p->population.connected);
    }
}

void check_plan(const struct builder *builder)
{
    CHECK(builder->plan->network.zones > 0);
    check_laws(builder);
    check_fleet(builder);
    check_population(builder);
    check_clients(builder);
    check_run(builder);
    check_trace(builder);
    check_lists(builder);
    find_unwise(builder);
}
