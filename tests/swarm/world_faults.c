/* What goes wrong, how it is repaired, and the judge at the end. */
#include "tests/swarm/world_state.h"

#include <inttypes.h>
#include <stdio.h>

static void link_breaks(struct world *world)
{
    struct person *person = &world->people[below(world, world->person_count)];
    uint32_t serial = person->conn;
    if (serial == 0 || world->conns[serial].broken) {
        return;
    }
    world->result.faults++;
    world->conns[serial].broken = true;
    trace(world, "conn %u breaks", serial);
    uint64_t silent_ms = chance(world, 500) ? 20 : 2500;
    happen(world, below(world, silent_ms * MS), HAPPEN_CLOSE, serial);
    happen(world, below(world, silent_ms * MS), HAPPEN_GONE, serial);
}

static void node_breaks(struct world *world)
{
    struct node *node = &world->nodes[below(world, world->node_count)];
    if (!node->alive) {
        return;
    }
    world->result.faults++;
    node_die(world, node);
    happen(world, below(world, 1500) * MS, HAPPEN_START, node->index);
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        if (world->partitions[i].node == node->index) {
            world->partitions[i].node = NODES_MAX;
            happen(world, below(world, 500) * MS, HAPPEN_ASSIGN, i);
        }
    }
}

static void replica_breaks(struct world *world)
{
    uint32_t index = (uint32_t)below(world, REPLICAS);
    world->result.faults++;
    trace(world, "replica %u crashes", index);
    table_crash(world->tables[index]);
    /* What it lost, it gets from the others before it serves again. */
    for (uint32_t i = 0; i < REPLICAS; i++) {
        if (i != index) {
            table_repair(world->tables[index], world->tables[i]);
        }
    }
}

static void clock_steps(struct world *world)
{
    struct node *node = &world->nodes[below(world, world->node_count)];
    world->result.faults++;
    node->skew_ms = chance(world, 700) ? -(int64_t)below(world, 9000) : (int64_t)below(world, 2000);
    trace(world, "clock of node %u is off by %" PRId64 " ms", node->index, node->skew_ms);
}

void fault_happens(struct world *world)
{
    if (!world->faulty) {
        return;
    }
    happen(world, below(world, 120 * MS), HAPPEN_FAULT, 0);
    uint32_t faults = world->options.faults;
    struct inbox *shard = world->shards[below(world, SHARDS)];
    if ((faults & FAULT_LINK) != 0 && chance(world, 300)) {
        link_breaks(world);
    }
    if ((faults & FAULT_NODE) != 0 && chance(world, 15)) {
        node_breaks(world);
    }
    if (fault(world, FAULT_REBALANCE, 20)) {
        happen(world, 0, HAPPEN_ASSIGN, (uint32_t)below(world, PARTITIONS));
    }
    if (chance(world, 200)) {
        inbox_replicate(shard);
    }
    if (fault(world, FAULT_FLUSH, 5)) {
        trace(world, "a shard is flushed");
        inbox_flush(shard);
    }
    if (fault(world, FAULT_FAILOVER, 7)) {
        trace(world, "a shard fails over");
        inbox_failover(shard);
    }
    if ((faults & FAULT_CLOCK) != 0 && chance(world, 20)) {
        clock_steps(world);
    }
    if ((faults & FAULT_REPLICA) != 0 && chance(world, 10)) {
        replica_breaks(world);
    }
}

/* Hints and syncs: what a replica missed reaches it, in the end. */
void heal(struct world *world)
{
    happen(world, below(world, 3000) * MS, HAPPEN_HEAL, 0);
    for (uint32_t i = 0; i < REPLICAS; i++) {
        if (chance(world, 500)) {
            table_sync(world->tables[i], table_written(world->tables[i]));
        }
    }
}

static void repair_all(struct world *world)
{
    for (uint32_t i = 1; i < REPLICAS; i++) {
        table_repair(world->tables[0], world->tables[i]);
    }
    for (uint32_t i = 1; i < REPLICAS; i++) {
        table_repair(world->tables[i], world->tables[0]);
    }
}

/* Membership: one change at a time, asked for by user 1's first device until it is acknowledged. */

static void change_begin(struct world *world)
{
    struct change_state *change = &world->change;
    uint32_t group = (uint32_t)below(world, GROUPS);
    uint64_t user = 2 + below(world, world->user_count - 1);
    *change = (struct change_state){
        .active = true,
        .joining = !world->member[group][user],
        .channel = group_channel(group),
        .user = user,
        .key = (1ull << 40) + draw(world) % (1u << 20),
    };
    judge_changing(world->judge, change->channel, user);
    trace(world, "%" PRIu64 " shall %s group %" PRIu64, user, change->joining ? "join" : "leave",
          change->channel.first);
}

static void change_end(struct world *world)
{
    struct change_state *change = &world->change;
    uint32_t group = (uint32_t)(change->channel.first - group_channel(0).first);
    world->member[group][change->user] = change->joining;
    judge_settled(world->judge, change->channel, change->user);
    change->active = false;
}

void member_happens(struct world *world)
{
    happen(world, (300 + below(world, 700)) * MS, HAPPEN_MEMBER, 0);
    struct change_state *change = &world->change;
    if (change->active && change->acked && world->now_ns > change->acked_ns + 2500ull * MS) {
        change_end(world);
    }
    if (!change->active && world->faulty && (world->options.faults & FAULT_MEMBER) != 0) {
        change_begin(world);
    }
    const struct person *admin = &world->people[0];
    if (change->active && !change->acked && admin->conn != 0 &&
        admin->client.state == CLIENT_ONLINE) {
        struct chat_frame frame = {
            .kind = (uint8_t)(change->joining ? FRAME_JOIN : FRAME_LEAVE),
            .channel = change->channel,
            .user_id = change->user,
            .client_key = change->key,
            .msg_id = admin->client.seen,
        };
        send_up(world, admin->conn, &frame);
    }
}

void member_answer(struct world *world, const struct chat_frame *frame)
{
    struct change_state *change = &world->change;
    if (frame->kind == FRAME_ACK && frame->status != FRAME_MSG && change->active &&
        frame->client_key == change->key) {
        change->acked = true;
        change->acked_ns = world->now_ns;
    }
}

/* All faults end: everything is repaired, who is away comes back, and half of the others reconnect.
 */
void quiesce(struct world *world)
{
    trace(world, "quiet");
    world->faulty = false;
    repair_all(world);
    for (uint32_t i = 0; i < world->node_count; i++) {
        world->nodes[i].skew_ms = 0;
        if (!world->nodes[i].alive) {
            node_start(world, &world->nodes[i]);
        }
    }
    for (uint32_t i = 0; i < world->person_count; i++) {
        struct person *person = &world->people[i];
        uint32_t serial = person->conn;
        bool broken = serial != 0 && world->conns[serial].broken;
        if (serial != 0 && (broken || chance(world, 500))) {
            happen(world, below(world, 100 * MS), HAPPEN_CLOSE, serial);
            happen(world, below(world, 100 * MS), HAPPEN_GONE, serial);
        }
        struct client_event event = {.kind = CLIENT_EV_START};
        person_event(world, person, &event);
    }
}

static uint32_t pending(struct world *world, const struct person *person)
{
    struct chat_effect effect = {.kind = CHAT_FX_CACHE, .op = CACHE_INBOX};
    effect.user = person->user;
    effect.device = person->device;
    inbox_apply(world->shards[person->user % SHARDS], 0, &effect, NULL, wall_ms(world),
                &world->inbox_reply);
    return world->inbox_reply.entry_count;
}

static void person_verdict(struct world *world, const struct person *person)
{
    if (person->client.state == CLIENT_ONLINE) {
        judge_device(world->judge, person->user, person->device);
        judge_caught_up(world->judge, person->user, person->device);
    } else {
        violate(world, "%" PRIu64 "/%u is not online at the end", person->user, person->device);
    }
    /* An APPEND that was carried out long after its time may lie there, a repetition. */
    bool strict = (world->options.faults & FAULT_REQUEST) == 0;
    if (strict && pending(world, person) != 0) {
        violate(world, "%" PRIu64 "/%u (transport %u) has %u entries in its inbox at the end",
                person->user, person->device, person->config.transport, pending(world, person));
    }
    if (client_unacked(&person->client) != 0) {
        violate(world, "%" PRIu64 "/%u has %u messages neither acked nor refused, from #%u on",
                person->user, person->device, client_unacked(&person->client),
                person->client.acked + 1);
    }
}

static void node_verdict(struct world *world, const struct node *node)
{
    if (node->blobs != 0) {
        violate(world, "node %u has not released %u blobs of frames", node->index, node->blobs);
    }
    struct chat_counts counts = chat_counts(node->chat);
    if (node->records != 0) {
        violate(world, "node %u has not committed %u records", node->index, node->records);
    }
    if (counts.flights > SESSIONS_MAX) {
        violate(world, "node %u has %u flights left", node->index, counts.flights);
    }
}

void verdict(struct world *world)
{
    for (uint32_t i = 0; i < world->person_count; i++) {
        person_verdict(world, &world->people[i]);
    }
    for (uint32_t i = 0; i < world->node_count; i++) {
        node_verdict(world, &world->nodes[i]);
    }
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        if (log_committed(world->log, 0, i) != log_high(world->log, i)) {
            violate(world, "partition %u is committed to %" PRIu64 " of %" PRIu64, i,
                    log_committed(world->log, 0, i), log_high(world->log, i));
        }
    }
    struct chat_entry entry;
    for (uint64_t i = 0; table_message(world->tables[0], i, &entry); i++) {
        judge_stored(world->judge, entry.user, entry.channel, entry.id);
    }
    world->result.violations += judge_verdict(world->judge, true);
    uint32_t count;
    const struct judge_violation *violations = judge_violations(world->judge, &count);
    for (uint32_t i = 0; i < count; i++) {
        fprintf(stderr, "  guarantee %d: %s\n", violations[i].guarantee, violations[i].words);
    }
    struct judge_sums sums = judge_sums(world->judge);
    world->result.sent = sums.sent;
    world->result.shown = sums.shown;
    world->result.owed = sums.owed;
}
