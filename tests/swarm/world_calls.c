/* Effects with an answer: to a shard, the replicas or the log, and what may go wrong on the way.
 *
 *     normal         executed, answered
 *     reply lost     executed; UNKNOWN after the timeout
 *     request lost   not executed, or long after; UNKNOWN after the timeout
 *     failed         not executed; FAILED
 *
 * A node's operations on one shard, and its records for one partition, keep their order, as on one
 * connection; those to the replicas do not. */
#include "tests/swarm/world_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct call {
    uint32_t node;
    uint32_t incarnation;
    uint64_t version; /* Of the member list, when READ_MEMBERS was sent. */
    int32_t err;
    bool silent; /* Nobody waits for the answer. */
    uint32_t location_count;
    uint32_t entry_count;
    uint32_t member_count;
    uint64_t value;
    struct chat_effect effect;
    struct chat_location named[CHAT_DEVICES_MAX];
    struct chat_location locations[CHAT_DEVICES_MAX];
    struct chat_entry entries[CHAT_DRAIN_MAX];
    struct chat_member given[CHAT_PAGE_MAX];
    struct chat_member members[CHAT_PAGE_MAX];
};

uint64_t wall_ms(const struct world *world)
{
    return BASE_MS + world->now_ns / MS;
}

static bool by_channel(const struct chat_effect *effect)
{
    return effect->op == CACHE_MEMBERS || effect->op == CACHE_MEMBER || effect->op == CACHE_FORGET;
}

static uint32_t shard_index(const struct chat_effect *effect)
{
    uint64_t by = by_channel(effect) ? effect->entry.channel.first : effect->user;
    return (uint32_t)(by % SHARDS);
}

static struct call *call_make(struct world *world, const struct node *node,
                              const struct chat_effect *effect)
{
    struct call *call = malloc(sizeof *call);
    CHECK(call != NULL);
    memset(call, 0, offsetof(struct call, named));
    call->node = node->index;
    call->incarnation = node->incarnation;
    call->effect = *effect;
    call->silent = effect->token == 0;
    const struct chat_effects *effects = &world->effects;
    if (effect->kind == CHAT_FX_CACHE && effect->op == CACHE_APPEND) {
        CHECK(effect->first + effect->count <= effects->location_count);
        memcpy(call->named, &effects->locations[effect->first],
               effect->count * sizeof call->named[0]);
        call->effect.first = 0;
    } else if (effect->kind == CHAT_FX_STORE && effect->op == STORE_RECEIPT_ROWS) {
        CHECK(effect->first + effect->count <= effects->member_count);
        memcpy(call->given, &effects->members[effect->first],
               effect->count * sizeof call->given[0]);
        call->effect.first = 0;
    } else if (effect->kind == CHAT_FX_READ && effect->op == READ_MEMBERS) {
        call->version = inbox_members_version(world->shards[effect->entry.channel.first % SHARDS],
                                              effect->entry.channel);
    }
    return call;
}

/* When the call arrives: in order on its connection, if it has one. */
static uint64_t arrival_delay(struct world *world, struct node *node,
                              const struct chat_effect *effect)
{
    uint64_t delay_ns = below(world, world->faulty && chance(world, 30) ? 200 * MS : 3 * MS);
    uint64_t *line = NULL;
    if (effect->kind == CHAT_FX_CACHE) {
        line = &node->call_ns[shard_index(effect)];
    } else if (effect->kind == CHAT_FX_PUBLISH) {
        line = &node->call_ns[SHARDS + log_partition(effect->entry.channel, PARTITIONS)];
    }
    if (line != NULL) {
        uint64_t at_ns = world->now_ns + delay_ns;
        *line = at_ns > *line ? at_ns : *line + 1;
        delay_ns = *line - world->now_ns;
    }
    return delay_ns;
}

/* Executes the effect after `delay_ns`, and tells nobody. */
static void execute_silently(struct world *world, const struct node *node,
                             const struct chat_effect *effect, uint64_t delay_ns)
{
    struct call *call = call_make(world, node, effect);
    call->silent = true;
    happen(world, delay_ns, HAPPEN_CALL, 0)->call = call;
}

static void answer_only(struct world *world, const struct node *node,
                        const struct chat_effect *effect, int32_t err, uint64_t delay_ns)
{
    if (effect->token == 0) {
        return;
    }
    struct call *call = call_make(world, node, effect);
    call->err = err;
    happen(world, delay_ns, HAPPEN_REPLY, 0)->call = call;
}

void call_start(struct world *world, struct node *node, const struct chat_effect *effect)
{
    if (effect->kind == CHAT_FX_STORE && effect->again == 0 &&
        (effect->op == STORE_CLAIM || effect->op == STORE_MEMBER)) {
        judge_minted(world->judge, node->index, effect->entry.id);
    }
    uint64_t delay_ns = arrival_delay(world, node, effect);
    if (fault(world, FAULT_REPLY, 30)) {
        execute_silently(world, node, effect, delay_ns);
        answer_only(world, node, effect, CHAT_ERR_UNKNOWN, delay_ns + TIMEOUT_MS * MS);
    } else if (fault(world, FAULT_REQUEST, 20)) {
        if (chance(world, 500)) {
            execute_silently(world, node, effect,
                             delay_ns + (TIMEOUT_MS + below(world, 2000)) * MS);
        }
        answer_only(world, node, effect, CHAT_ERR_UNKNOWN, delay_ns + TIMEOUT_MS * MS);
    } else if (fault(world, FAULT_FAILED, 30)) {
        answer_only(world, node, effect, CHAT_ERR_FAILED, delay_ns);
    } else {
        happen(world, delay_ns, HAPPEN_CALL, 0)->call = call_make(world, node, effect);
    }
}

/* To all replicas; some may miss it. CHAT_OK when a majority has it. */
static int32_t store(struct world *world, struct call *call, uint64_t claimed, uint64_t ballot)
{
    const struct chat_effect *effect = &call->effect;
    struct chat_effects *effects = &world->effects; /* Free between steps. */
    memcpy(effects->members, call->given,
           effect->op == STORE_RECEIPT_ROWS ? effect->count * sizeof call->given[0] : 0);
    effects->member_count = effect->op == STORE_RECEIPT_ROWS ? effect->count : 0;
    uint32_t done = 0;
    for (uint32_t i = 0; i < REPLICAS; i++) {
        if (fault(world, FAULT_REPLICA, 80)) {
            continue;
        }
        if (effect->op == STORE_CLAIM) {
            table_claim_put(world->tables[i], effect->user, effect->device, effect->client_key,
                            claimed, ballot, wall_ms(world));
        } else {
            table_store(world->tables[i], effect, effects, wall_ms(world));
        }
        done++;
    }
    return done > REPLICAS / 2 ? CHAT_OK : CHAT_ERR_UNKNOWN;
}

/* Two of the three, as the dice will. */
static void pick_two(struct world *world, const struct table *picked[2])
{
    uint32_t left_out = (uint32_t)below(world, REPLICAS);
    uint32_t count = 0;
    for (uint32_t i = 0; i < REPLICAS; i++) {
        if (i != left_out) {
            picked[count++] = world->tables[i];
        }
    }
}

/* A lightweight transaction: what a majority knows is completed, or the new id put. */
static void claim(struct world *world, struct call *call)
{
    const struct chat_effect *effect = &call->effect;
    const struct table *picked[2];
    pick_two(world, picked);
    uint64_t winner = 0;
    uint64_t highest = 0;
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t ballot;
        uint64_t id = table_claim_get(picked[i], effect->user, effect->device, effect->client_key,
                                      wall_ms(world), &ballot);
        if (id != 0 && ballot >= highest) {
            winner = id;
            highest = ballot;
        }
    }
    uint64_t id = winner != 0 ? winner : effect->entry.id;
    call->err = store(world, call, id, ++world->ballot);
    if (call->err == CHAT_OK && winner != 0) {
        call->err = CHAT_ERR_EXISTS;
        call->value = winner;
    } else if (call->err == CHAT_OK) {
        call->value = id;
    }
}

static void read(struct world *world, struct call *call)
{
    const struct table *picked[2];
    pick_two(world, picked);
    struct table_reply *reply = &world->table_reply;
    table_quorum_read(picked, 2, &call->effect, wall_ms(world), reply);
    call->err = reply->err;
    call->value = reply->value;
    call->entry_count = reply->entry_count;
    call->member_count = reply->member_count;
    memcpy(call->entries, reply->entries, reply->entry_count * sizeof call->entries[0]);
    memcpy(call->members, reply->members, reply->member_count * sizeof call->members[0]);
    call->location_count = reply->device_count;
    for (uint32_t i = 0; i < reply->device_count; i++) {
        call->locations[i] = (struct chat_location){.device = reply->devices[i]};
    }
}

static void cache(struct world *world, struct call *call)
{
    struct chat_effects *effects = &world->effects;
    bool naming = call->effect.op == CACHE_APPEND;
    effects->location_count = naming ? call->effect.count : 0;
    memcpy(effects->locations, call->named, effects->location_count * sizeof call->named[0]);
    struct inbox_reply *reply = &world->inbox_reply;
    inbox_apply(world->shards[shard_index(&call->effect)], call->node, &call->effect, effects,
                wall_ms(world), reply);
    call->err = reply->err;
    call->value = reply->value;
    call->location_count = reply->location_count;
    call->entry_count = reply->entry_count;
    call->member_count = reply->member_count;
    memcpy(call->locations, reply->locations, reply->location_count * sizeof reply->locations[0]);
    memcpy(call->entries, reply->entries, reply->entry_count * sizeof reply->entries[0]);
    memcpy(call->members, reply->members, reply->member_count * sizeof reply->members[0]);
}

static void publish(struct world *world, struct call *call)
{
    const struct chat_entry *entry = &call->effect.entry;
    uint32_t partition = log_partition(entry->channel, PARTITIONS);
    uint64_t offset = log_append(world->log, partition, entry);
    if (fault(world, FAULT_REPLICA, 30)) { /* The leader died before anyone fetched it. */
        log_truncate(world->log, partition);
        call->err = CHAT_ERR_UNKNOWN;
        return;
    }
    log_raise(world->log, partition, offset + 1);
    if (entry->kind == ENTRY_JOINED) {
        judge_joined(world->judge, entry->channel, entry->user, entry->id);
    } else if (entry->kind == ENTRY_LEFT) {
        judge_left(world->judge, entry->channel, entry->user, entry->id);
    }
    happen(world, below(world, 3 * MS), HAPPEN_PUMP, partition);
}

static const char *op_name(const struct chat_effect *effect)
{
    static const char *const names[] = {
        "-",        "CLAIM",   "MESSAGE",  "ROWS",       "RECEIPT", "MEMBER",  "CURSOR",
        "RESERVE",  "DEVICE",  "receipt",  "history",    "member",  "members", "devices",
        "receipts", "unacked", "REGISTER", "UNREGISTER", "APPEND",  "REBUILD", "INBOX",
        "LIVE",     "TRIM",    "LOCATE",   "MEMBERS",    "MEMBER?", "FORGET"};
    return effect->kind == CHAT_FX_PUBLISH ? "PUBLISH"
           : effect->kind == CHAT_FX_PUSH  ? "PUSH"
           : effect->op < CHAT_OPS         ? names[effect->op]
                                           : "?";
}

static void trace_call(const struct world *world, const struct call *call, const char *what)
{
    if (world->options.trace) {
        trace(world,
              "node %u %s %s%s user %" PRIu64 "/%" PRIu32 " id %" PRIu64 " pos %" PRIx64
              " conn %" PRIx64 " -> %d value %" PRIx64 " loc %u ent %u mem %u",
              call->node, what, op_name(&call->effect), call->silent ? " (silent)" : "",
              call->effect.user, call->effect.device, call->effect.entry.id, call->effect.position,
              call->effect.conn_id, call->err, call->value, call->location_count, call->entry_count,
              call->member_count);
    }
}

void call_arrives(struct world *world, struct call *call)
{
    switch ((enum chat_effect_kind)call->effect.kind) {
    case CHAT_FX_STORE:
        if (call->effect.op == STORE_CLAIM) {
            claim(world, call);
        } else {
            call->err = store(world, call, 0, 0);
        }
        break;
    case CHAT_FX_READ:
        read(world, call);
        break;
    case CHAT_FX_CACHE:
        cache(world, call);
        break;
    case CHAT_FX_PUBLISH:
        publish(world, call);
        break;
    default:
        break; /* PUSH: accepted. */
    }
    trace_call(world, call, "did");
    if (call->silent) {
        free(call);
        return;
    }
    uint64_t delay_ns = call->err == CHAT_ERR_UNKNOWN ? TIMEOUT_MS * MS : below(world, 3 * MS);
    happen(world, delay_ns, HAPPEN_REPLY, 0)->call = call;
}

void call_answered(struct world *world, struct call *call)
{
    struct node *node = &world->nodes[call->node];
    if (!node->alive || node->incarnation != call->incarnation) {
        free(call);
        return;
    }
    trace_call(world, call, "hears of");
    const struct chat_effect *effect = &call->effect;
    bool listed = effect->kind == CHAT_FX_READ && effect->op == READ_MEMBERS;
    if (listed && call->err == CHAT_OK) {
        inbox_members_offer(world->shards[effect->entry.channel.first % SHARDS],
                            effect->entry.channel, call->version, effect->user, call->value,
                            call->members, call->member_count);
    }
    if (effect->kind == CHAT_FX_STORE && effect->op == STORE_DEVICE && call->err == CHAT_OK) {
        /* From now on, but for those who were not told yet that they are no longer alone. */
        struct happening *exists = happen(world, 400 * MS, HAPPEN_DEVICE, 0);
        exists->a = effect->user;
        exists->b = effect->device;
    }
    uint32_t count = call->location_count;
    count = call->entry_count > count ? call->entry_count : count;
    count = call->member_count > count ? call->member_count : count;
    struct chat_event event = {
        .kind = CHAT_EV_DONE,
        .token = effect->token,
        .err = call->err,
        .value = call->value,
        .count = count,
        .entries = call->entries,
        .locations = call->locations,
        .members = call->members,
    };
    node_step(world, node, &event);
    free(call);
    pump_node(world, node);
}

void pump(struct world *world, uint32_t partition)
{
    struct partition_state *state = &world->partitions[partition];
    if (state->node == NODES_MAX) {
        return;
    }
    struct node *node = &world->nodes[state->node];
    struct chat_entry entry;
    while (node->alive && node->incarnation == state->incarnation && chat_room(node->chat) > 0 &&
           log_read(world->log, partition, state->next, &entry)) {
        struct chat_event event = {
            .kind = CHAT_EV_RECORD,
            .offset = (uint64_t)partition << 32 | state->next++,
            .entries = &entry,
            .count = 1,
        };
        node->records++;
        node_step(world, node, &event);
    }
}

void pump_node(struct world *world, const struct node *node)
{
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        if (world->partitions[i].node == node->index) {
            pump(world, i);
        }
    }
}
