#include "reports/demand.h"

#include <math.h>
#include <string.h>

#define IDS_BYTES 40.0    /* Ids of 8 bytes around a text, in a row and in a record. */
#define MESSAGE_CELLS 5.0 /* sender_id, content, type, created_at, device */
#define RECEIPT_CELLS 4.0 /* sender, channel, delivered_at, read_at */
#define UPDATE_BYTES 32.0 /* A key and one value. */
#define PAXOS_BYTES 64.0  /* A claim's key, two ballots, a value. */
#define CALL_BYTES 48.0   /* Keys of a request without a text. */
#define FETCH_LOOP_S 1e-3 /* A response and the next request, across a zone. */

static double seconds(uint64_t ns)
{
    return (double)ns * 1e-9;
}

double demand_utilization(const struct demand *demand, enum plan_tier tier,
                          enum demand_resource resource)
{
    double there = demand->nodes[tier] * demand->limit[tier][resource];
    return there > 0 ? demand->asked[tier][resource] / there : 0;
}

const char *demand_resource_name(enum demand_resource resource)
{
    static const char *const names[DEMAND_COUNT] = {"cpu",        "nic_in", "nic_out",    "disk_io",
                                                    "disk_space", "memory", "connections"};
    return names[resource];
}

/* -- The load ------------------------------------------------------------------------------------
 */

static void load_of(const struct plan *plan, struct demand *d)
{
    const struct plan_population *population = &plan->population;
    double devices = population->devices_per_user;
    d->messages_per_s = population->message_rate_per_s;
    /* Those of each recipient, and the sender's others. */
    d->devices = plan_recipients(plan) * devices + (devices - 1);
    d->deliveries_per_s = d->messages_per_s * d->devices;
    d->connections = (double)population->connected * devices;
    if (plan->client.transport == PLAN_POLLING && plan->client.poll_interval_ns > 0) {
        d->polls_per_s = d->connections / seconds(plan->client.poll_interval_ns);
    } else if (plan->client.transport == PLAN_LONG_POLLING && plan->client.poll_hold_ns > 0) {
        /* Answered by news or after the hold: renewals at rate x hold / (1 - e^(-rate hold)). */
        double news = d->deliveries_per_s * (2 + population->read_share) / d->connections;
        double hold = seconds(plan->client.poll_hold_ns);
        d->polls_per_s =
            news <= 0 ? d->connections / hold : d->connections * news / (1 - exp(-news * hold));
    }
}

/* -- Tiers ---------------------------------------------------------------------------------------
 */

/* Frames and effects of one message, with both receipts to its sender. */
static void gateway_of(const struct plan *plan, struct demand *d)
{
    const struct plan_gateway *g = &plan->gateway;
    double bytes = plan->population.record_size.mean;
    double in = (double)g->cpu_frame_in_ns;
    double out = (double)g->cpu_frame_out_ns;
    double effect = (double)g->cpu_effect_ns;
    double text = bytes * (double)g->cpu_byte_ps / 1000;
    double send = in + text + 3 * effect + out;  /* claim, store, publish; ack */
    double told = 2 * effect + out + in;         /* route in, frame, ack, trim */
    double shown = told + 2 * text + 3 * effect; /* receipt stored, appended, routed */
    double read = in + 4 * effect;               /* looked up, stored, appended, routed */
    double devices = plan->population.devices_per_user;
    double share = plan->population.read_share;
    double message = send + d->devices * (shown + devices * told + share * (read + devices * told));
    double *asked = d->asked[PLAN_TIER_GATEWAY];
    double *limit = d->limit[PLAN_TIER_GATEWAY];
    double frame = (double)plan->network.framing_bytes + IDS_BYTES;
    double poll = d->polls_per_s * (double)g->cpu_poll_ns * 1e-9;
    asked[DEMAND_CPU] = (d->messages_per_s * message * 1e-9 + poll) * (1 + g->tls_share) +
                        d->connections * (double)g->cpu_idle_ns * 1e-9;
    asked[DEMAND_NIC_OUT] =
        d->messages_per_s * (3 * (bytes + frame) + d->devices * (bytes + 4 * frame)) +
        d->polls_per_s * (double)plan->client.http_response_bytes;
    asked[DEMAND_MEMORY] =
        d->connections *
        (double)(g->connection_kernel_bytes + g->connection_user_bytes + g->connection_tls_bytes);
    asked[DEMAND_CONNECTIONS] = d->connections;
    limit[DEMAND_CPU] = g->cores;
    limit[DEMAND_NIC_OUT] = (double)g->nic_bytes_per_s;
    limit[DEMAND_MEMORY] = (double)g->memory_bytes;
    limit[DEMAND_CONNECTIONS] = (double)g->connections_max;
}

static void fanout_of(const struct plan *plan, struct demand *d)
{
    const struct plan_fanout *f = &plan->fanout;
    double bytes = plan->population.record_size.mean;
    double record = (double)f->cpu_record_ns + bytes * (double)f->cpu_byte_ps / 1000;
    double online = 1 - plan->population.offline_share;
    double each = (double)f->cpu_recipient_ns + online * (double)f->cpu_route_ns;
    double *asked = d->asked[PLAN_TIER_FANOUT];
    double frame = (double)plan->network.framing_inside_bytes + IDS_BYTES;
    asked[DEMAND_CPU] =
        d->messages_per_s * (record + d->devices * each + (double)f->cpu_recipient_ns) * 1e-9;
    asked[DEMAND_NIC_IN] = d->messages_per_s * (d->log_record_bytes + frame);
    asked[DEMAND_NIC_OUT] = d->messages_per_s * d->devices * (1 + online) * (bytes + frame);
    d->limit[PLAN_TIER_FANOUT][DEMAND_CPU] = f->cores;
    d->limit[PLAN_TIER_FANOUT][DEMAND_NIC_IN] = (double)f->nic_bytes_per_s;
    d->limit[PLAN_TIER_FANOUT][DEMAND_NIC_OUT] = (double)f->nic_bytes_per_s;
}

/* So many loops, each of which waits for something and then takes `pause_s`, at a total of
 * `rate` things a second: how often they go round. A renewal process each. */
static double rounds(double loops, double rate, double pause_s)
{
    return rate <= 0 || loops <= 0 ? 0 : loops / (pause_s + loops / rate);
}

static void kafka_of(const struct plan *plan, struct demand *d)
{
    const struct plan_kafka *k = &plan->kafka;
    double rate = d->messages_per_s;
    double brokers = k->brokers;
    double followers = k->replication - 1.0;
    double body = (double)(k->record_overhead_bytes + k->key_bytes) + IDS_BYTES +
                  plan->population.record_size.mean;
    double producers = (double)plan->gateway.servers * brokers;
    double readers = brokers * plan->fanout.servers * plan->fanout.cores;
    d->log_requests_per_s = rounds(producers, rate, seconds(k->linger_ns));
    /* In a request a record rarely meets another of its partition. */
    double batches =
        rounds(producers * fmax(1, k->partitions / brokers), rate, seconds(k->linger_ns));
    d->log_record_bytes = body + (rate > 0 ? batches / rate : 1) * (double)k->batch_overhead_bytes;
    double fetches = rounds(brokers * followers, d->log_requests_per_s, FETCH_LOOP_S) +
                     rounds(readers, rate, FETCH_LOOP_S);
    double *asked = d->asked[PLAN_TIER_KAFKA];
    double *limit = d->limit[PLAN_TIER_KAFKA];
    double record = (double)k->cpu_record_ns + body * (double)k->cpu_byte_ps / 1000;
    asked[DEMAND_CPU] =
        ((d->log_requests_per_s + fetches) * (double)k->cpu_request_ns + rate * record * 2) *
        1e-9; /* Appended, and read by the consumers. */
    double kept = rate * d->log_record_bytes;
    asked[DEMAND_NIC_IN] = kept * k->replication;
    asked[DEMAND_NIC_OUT] = kept * (followers + 1); /* Followers, and consumers. */
    asked[DEMAND_DISK_IO] = kept * k->replication;
    asked[DEMAND_DISK_SPACE] =
        kept * k->replication / fmax(1, plan->population.peak_factor) * seconds(k->retention_ns);
    limit[DEMAND_CPU] = k->network_threads + k->io_threads;
    limit[DEMAND_NIC_IN] = (double)k->nic_bytes_per_s;
    limit[DEMAND_NIC_OUT] = (double)k->nic_bytes_per_s;
    limit[DEMAND_DISK_IO] = (double)k->disk_bytes_per_s;
    limit[DEMAND_DISK_SPACE] = (double)k->disk_bytes;
}

/* What one message writes and reads at one replica, and what coordinating that costs. */
struct work {
    double write_bytes;
    double writes;
    double reads;       /* At one of those that must answer. */
    double paxos_reads; /* At each replica. */
    double halves;      /* Of coordinate: one at a request, one at an answer. */
};

static struct work claim_of(const struct plan_cassandra *c)
{
    double row = (double)c->row_overhead_bytes;
    double cell = (double)c->cell_overhead_bytes;
    struct work work = {.writes = 3, .halves = c->lwt_rounds + 1.0};
    work.paxos_reads = c->lwt_rounds < 3 ? 1 : 0;
    work.reads = c->lwt_rounds < 3 ? 0 : 1;
    work.write_bytes = 2 * (PAXOS_BYTES + row + 3 * cell) + IDS_BYTES + row + 2 * cell;
    return work;
}

static void cassandra_of(const struct plan *plan, struct demand *d)
{
    const struct plan_cassandra *c = &plan->cassandra;
    double row = (double)c->row_overhead_bytes;
    double cell = (double)c->cell_overhead_bytes;
    double people = plan_recipients(plan);
    double groups = plan->population.group_share;
    double share = plan->population.read_share;
    double operations = groups + (1 - groups) * 1; /* Receipt rows of a message: one each. */
    double message = IDS_BYTES + row + MESSAGE_CELLS * cell + plan->population.record_size.mean;
    double receipt = (double)c->receipt_bytes + row + RECEIPT_CELLS * cell;
    double update = UPDATE_BYTES + row + cell;
    struct work work = claim_of(c);
    double kept = seconds(plan->core.claim_ttl_ns) / seconds(c->retention_ns);
    work.writes += 1 + operations + people * (1 + share);
    work.reads += people * share; /* A read names no channel: its row is looked up. */
    work.halves += 2 * (1 + operations + people * (1 + 2 * share));
    work.write_bytes += message + people * (receipt + (1 + share) * update);
    d->stored_bytes = message + people * receipt + fmin(1, kept) * (IDS_BYTES + row + 2 * cell);
    d->store_writes = work.writes;
    d->store_rows = 2 + people * (2 + share);
    d->store_reads = people * share;
    double needed = c->consistency == PLAN_ONE   ? 1
                    : c->consistency == PLAN_ALL ? c->replication
                                                 : c->replication / 2 + 1;
    double write_ns = (double)c->cpu_write_ns;
    double read_ns = (double)c->cpu_read_ns;
    double compact_ns =
        work.write_bytes * c->write_amplification * (double)c->cpu_compact_ps / 1000;
    double message_ns =
        c->replication * (work.writes * write_ns + work.paxos_reads * read_ns + compact_ns) +
        work.reads * needed * read_ns + work.halves * (double)c->cpu_coordinate_ns / 2;
    double written = d->messages_per_s * work.write_bytes * c->replication;
    double *asked = d->asked[PLAN_TIER_CASSANDRA];
    double *limit = d->limit[PLAN_TIER_CASSANDRA];
    asked[DEMAND_CPU] = d->messages_per_s * message_ns * 1e-9;
    /* Commit log and flush, and what compaction moves; or compaction against its own cap, in the
     * unit of the disk. */
    double cap = (double)c->disk_bytes_per_s / (double)c->compaction_bytes_per_s;
    asked[DEMAND_DISK_IO] =
        written * fmax(2 + c->write_amplification, c->write_amplification * cap);
    asked[DEMAND_DISK_SPACE] = d->messages_per_s / fmax(1, plan->population.peak_factor) *
                               d->stored_bytes * c->replication * seconds(c->retention_ns);
    limit[DEMAND_CPU] = c->cores;
    limit[DEMAND_DISK_IO] = (double)c->disk_bytes_per_s;
    limit[DEMAND_DISK_SPACE] = (double)c->disk_bytes * c->disk_usable;
}

static void redis_of(const struct plan *plan, struct demand *d)
{
    const struct plan_redis *r = &plan->redis;
    const struct plan_population *population = &plan->population;
    double devices = population->devices_per_user;
    double resident = r->rss_ratio * (r->save_period_ns > 0 ? r->save_ratio : 1);
    double receipts = d->devices * (1 + population->read_share) * devices;
    double routes = plan->routing == PLAN_ROUTING_REDIS
                        ? d->devices * (1 - population->offline_share) + receipts
                        : 0;
    d->cache_commands = 2 * d->devices + 2 * receipts; /* Appended, and trimmed on the ack. */
    double bytes = d->devices * (IDS_BYTES + population->record_size.mean) +
                   (d->cache_commands - d->devices) * CALL_BYTES +
                   2 * routes * (IDS_BYTES + population->record_size.mean);
    double command = (double)(r->cpu_command_ns + r->cpu_round_trip_ns);
    double refreshes = 3 * d->connections / seconds(plan->core.presence_ttl_ns);
    double *asked = d->asked[PLAN_TIER_REDIS];
    double *limit = d->limit[PLAN_TIER_REDIS];
    asked[DEMAND_CPU] =
        (d->messages_per_s *
             ((d->cache_commands + 2 * routes) * command + bytes * (double)r->cpu_byte_ps / 1000) +
         refreshes * ((double)r->cpu_command_ns + (double)r->cpu_round_trip_ns / r->pipeline_max)) *
        1e-9;
    d->presence_bytes = (double)(r->key_overhead_bytes + r->presence_bytes) * resident;
    double queued = d->messages_per_s / fmax(1, population->peak_factor) * d->devices *
                    population->offline_share * seconds(plan_offline_life_ns(plan));
    d->inbox_bytes =
        queued * (population->record_size.mean + (double)r->element_overhead_bytes) * resident;
    asked[DEMAND_MEMORY] = d->connections * d->presence_bytes;
    limit[DEMAND_CPU] = 1;
    limit[DEMAND_MEMORY] = (double)r->memory_bytes;
}

void demand_of(const struct plan *plan, struct demand *demand)
{
    memset(demand, 0, sizeof *demand);
    for (int tier = 0; tier < PLAN_TIER_COUNT; tier++) {
        demand->nodes[tier] = plan_tier_nodes(plan, (enum plan_tier)tier);
    }
    load_of(plan, demand);
    kafka_of(plan, demand); /* Before the fan-out, which reads its records. */
    gateway_of(plan, demand);
    fanout_of(plan, demand);
    cassandra_of(plan, demand);
    redis_of(plan, demand);
}
