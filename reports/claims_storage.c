/* Rules: bytes and rows: what is stored, logged and remembered. */
#include <math.h>

#include "reports/claims.h"

static const double day_s = 86400;
static const double year_s = 365 * 86400.0;

static double average_rate(const struct trial *trial)
{
    return plan_message_rate_mean_per_s(trial->plan);
}

static void judge_storage_per_day(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    double record = trial->plan->population.record_size.mean;
    double average = average_rate(trial);
    double stored = trial->demand.stored_bytes;
    claims_analytic(trial, METRIC_BYTES, average * day_s * stored, "messages a day x bytes stored");
    claims_judge_need(trial, average * day_s * stored,
                      "rows, cells and receipt rows are stored too");
    SAY(v->explanation,
        "%s messages a day of %s are %s, and that is what a log would hold. The store holds %s a "
        "message and replica: its row with ids and cells, a receipt row for each of %.3g "
        "recipients "
        "(a receipt must find its message), and the claim that makes a retry no second message.",
        COUNT(average * day_s), BYTES(record), BYTES(average * day_s * record), BYTES(stored),
        plan_recipients(trial->plan));
}

static void judge_storage_per_year(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    const struct plan_cassandra *c = &trial->plan->cassandra;
    double stored = trial->demand.stored_bytes;
    double found = average_rate(trial) * year_s * stored * c->replication;
    struct result_estimate total;
    claims_analytic(trial, METRIC_BYTES, found, "messages a year x bytes stored x replicas");
    if (claims_steady(trial) &&
        metric_value_of(trial->result, "cassandra.disk_space.total", &total)) {
        double scale = year_s / ((double)c->retention_ns * 1e-9);
        total.value *= scale;
        total.low *= scale;
        total.high *= scale;
        claims_simulated(trial, METRIC_BYTES, total, "rows kept in the measured time, for a year");
    }
    claims_judge_need(trial, found, "rows, cells and receipt rows are stored too");
    SAY(v->explanation,
        "%s a second on average, over 31.5 million seconds, are %s messages a year. At %s a "
        "message "
        "on each of %u replicas that is %s; with bare records of %s it would be %s.",
        COUNT(average_rate(trial)), COUNT(average_rate(trial) * year_s), BYTES(stored),
        c->replication, BYTES(found), BYTES(trial->plan->population.record_size.mean),
        BYTES(found / stored * trial->plan->population.record_size.mean));
}

static void judge_kafka_throughput(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    const struct plan_kafka *k = &trial->plan->kafka;
    double record = trial->demand.log_record_bytes;
    double found = trial->demand.messages_per_s * record;
    struct result_estimate total;
    claims_analytic(trial, METRIC_BYTE_RATE, found, "messages at the peak x bytes of a record");
    if (claims_steady(trial) && metric_value_of(trial->result, "kafka.disk_io.total", &total)) {
        total.value /= k->replication;
        total.low /= k->replication;
        total.high /= k->replication;
        claims_simulated(trial, METRIC_BYTE_RATE, total, "bytes appended, over replicas");
    }
    claims_judge_need(trial, found, "keys, ids and batch headers travel too");
    SAY(v->explanation,
        "%s messages at the peak are %s each on the log: %s of text and envelope, key, ids, and "
        "the "
        "header of a batch that is rarely shared, since %u gateways spread them over %u "
        "partitions. "
        "So %s come in; %u replicas write %s, and consumers read it once more.",
        RATE(trial->demand.messages_per_s), BYTES(record),
        BYTES(trial->plan->population.record_size.mean), trial->plan->gateway.servers,
        k->partitions, BYTE_RATE(found), k->replication, BYTE_RATE(found * k->replication));
}

static void judge_kafka_retention(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    const struct plan_kafka *k = &trial->plan->kafka;
    double found = trial->demand.asked[PLAN_TIER_KAFKA][DEMAND_DISK_SPACE];
    double peak = fmax(1, trial->plan->population.peak_factor);
    claims_analytic(trial, METRIC_BYTES, found, "average bytes/s x replicas x retention");
    if (claims_steady(trial)) {
        claims_simulated_metric(trial, "kafka.disk_space.total", "appended, for the retention");
    }
    claims_judge_need(trial, found, "keys, ids and batch headers are kept too");
    SAY(v->explanation,
        "A week is filled by the average and not by the peak: %s x %s a record x %u replicas x %s "
        "are %s. The same at the peak rate all the time would be %s.",
        RATE(average_rate(trial)), BYTES(trial->demand.log_record_bytes), k->replication,
        TIME((double)k->retention_ns), BYTES(found), BYTES(found * peak));
}

static void judge_presence_memory(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    const struct plan_redis *r = &trial->plan->redis;
    double clients = trial->demand.connections;
    double found = clients * trial->demand.presence_bytes;
    claims_analytic(trial, METRIC_BYTES, found, "clients x (key and value) x resident x saving");
    if (trial->measured) {
        claims_simulated_metric(trial, "redis.memory.total",
                                "resident at the end, inboxes included");
    }
    claims_judge_need(trial, found, "a key costs more than its payload");
    double save = r->save_period_ns > 0 ? r->save_ratio : 1;
    SAY(v->explanation,
        "%s online devices x (%s of value + %s of key, expiry and dictionary) x %.3g resident x "
        "%.3g "
        "while a snapshot is written are %s. The inboxes of those who are offline come on top: %s "
        "by Little's law, if they stay away for %s.",
        COUNT(clients), BYTES((double)r->presence_bytes), BYTES((double)r->key_overhead_bytes),
        r->rss_ratio, save, BYTES(found), BYTES(trial->demand.inbox_bytes),
        TIME((double)plan_offline_life_ns(trial->plan)));
    if (v->status != VERDICT_FAILS) {
        return;
    }
    double shards = fmax(ceil(found / VERDICT_SIZED / (double)r->memory_bytes),
                         claims_nodes(trial, PLAN_TIER_REDIS));
    SAY(v->would_hold_text, "%s, on %.0f shards", BYTES(found), shards);
    claims_override(trial, "redis.shards", shards, "");
}

/* Rows written a second, as the run counted operations. */
static bool simulated_writes(struct trial *trial)
{
    struct result_estimate claims;
    struct result_estimate stores;
    struct result_estimate receipts;
    const struct result *result = trial->result;
    double seconds = (double)(result->until_ns - result->from_ns) * 1e-9;
    if (!claims_steady(trial) || seconds <= 0 || !metric_value_of(result, "claim.count", &claims) ||
        !metric_value_of(result, "store.count", &stores) ||
        !metric_value_of(result, "receipt_store.count", &receipts)) {
        return false;
    }
    double rows = 1 + plan_recipients(trial->plan);
    double found = (claims.value + stores.value * rows + receipts.value) / seconds *
                   trial->plan->cassandra.replication;
    claims_simulated(trial, METRIC_RATE, (struct result_estimate){found, found, found, false},
                     "claims, messages with receipt rows, receipts, x replicas");
    return true;
}

static void judge_cassandra_writes(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    const struct plan_cassandra *c = &trial->plan->cassandra;
    double rate = trial->demand.messages_per_s;
    double rows = trial->demand.store_rows;
    double found = rate * rows * c->replication;
    claims_analytic(trial, METRIC_RATE, found, "messages x rows x replicas");
    simulated_writes(trial);
    claims_judge_need(trial, found, "claims, receipt rows and receipts are writes too");
    SAY(v->explanation,
        "A message is %.3g writes: its claim, its row, and for each of %.3g recipients a receipt "
        "row, `delivered`, and `read` for %s of them. %s x %.3g x %u replicas are %s; the two "
        "rounds "
        "of Paxos that a claim takes bring it to %s.",
        rows, plan_recipients(trial->plan), SHARE(trial->plan->population.read_share), RATE(rate),
        rows, c->replication, RATE(found),
        RATE(rate * trial->demand.store_writes * c->replication));
}

static void judge_cassandra_capacity(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    const struct plan_cassandra *c = &trial->plan->cassandra;
    double asked = trial->demand.asked[PLAN_TIER_CASSANDRA][DEMAND_DISK_SPACE];
    double raw = asked / c->disk_usable;
    double days = v->claimed * c->disk_usable / asked * (double)c->retention_ns * 1e-9 / day_s;
    claims_analytic(trial, METRIC_BYTES, raw, "bytes kept x replicas x retention / usable share");
    struct result_estimate total;
    if (claims_steady(trial) &&
        metric_value_of(trial->result, "cassandra.disk_space.total", &total)) {
        total.value /= c->disk_usable;
        total.low /= c->disk_usable;
        total.high /= c->disk_usable;
        claims_simulated(trial, METRIC_BYTES, total, "rows kept, at the end of retention, raw");
    }
    claims_judge_need(trial, raw, "full");
    SAY(v->explanation,
        "%s a second on average x %s x %u replicas x %s of retention are %s, and compaction and "
        "repair leave %s of a disk usable: %s raw. %s raw are full after %.3g days.",
        COUNT(average_rate(trial)), BYTES(trial->demand.stored_bytes), c->replication,
        TIME((double)c->retention_ns), BYTES(asked), SHARE(c->disk_usable), BYTES(raw),
        BYTES(v->claimed), days);
    if (v->status != VERDICT_FAILS) {
        return;
    }
    SAY(v->condition, "disk space binds: full after %.3g days of %s; %.3g times as much is needed",
        days, TIME((double)c->retention_ns), raw / v->claimed);
    double nodes = fmax(claims_nodes(trial, PLAN_TIER_CASSANDRA), c->nodes);
    double disk = ceil(raw / nodes / 1e12 * 1.1) * 1e12; /* A tenth of room. */
    SAY(v->would_hold_text, "%s: %.0f nodes of %s", BYTES(raw), nodes, BYTES(disk));
    claims_override(trial, "cassandra.disk", disk, " B");
    claims_override(trial, "cassandra.nodes", nodes, "");
}

const struct claim_rule claims_storage[] = {
    {{"storage_per_day", VERDICT_ARITHMETIC, METRIC_BYTES, false, false,
      "messages of an average day x what the store keeps of one, on one replica"},
     judge_storage_per_day},
    {{"storage_per_year", VERDICT_ARITHMETIC, METRIC_BYTES, false, false,
      "messages of 365 average days x what the store keeps of one x replicas"},
     judge_storage_per_year},
    {{"kafka_throughput", VERDICT_ARITHMETIC, METRIC_BYTE_RATE, false, false,
      "messages at the peak x bytes of a record on the log, before replication"},
     judge_kafka_throughput},
    {{"kafka_retention", VERDICT_ARITHMETIC, METRIC_BYTES, false, false,
      "average bytes a second x replicas x retention"},
     judge_kafka_retention},
    {{"presence_memory", VERDICT_CAPACITY, METRIC_BYTES, false, false,
      "online devices x key and value as Redis holds them, resident, while it saves"},
     judge_presence_memory},
    {{"cassandra_writes", VERDICT_ARITHMETIC, METRIC_RATE, false, false,
      "messages at the peak x rows that each writes x replicas"},
     judge_cassandra_writes},
    {{"cassandra_capacity", VERDICT_CAPACITY, METRIC_BYTES, false, false,
      "bytes kept x replicas until retention ends, over the usable share of a disk"},
     judge_cassandra_capacity},
    {{.id = NULL}, NULL},
};
