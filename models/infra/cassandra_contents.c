/* What a node holds and says in contents runs. Numbers as in cassandra_state.h, claims as in
 * cassandra_claim.c.
 *
 * A write is done at a replica when it arrives, and answered when its CPU is through; the log takes
 * the commit log's place. Missed writes are kept as hints, by who coordinated them, and delivered
 * each sweep until they are answered.
 *
 * READ_UNACKED is asked of all nodes, as a user's receipt rows lie by message: as many must answer
 * as leave no quorum out. Where the row of the first message came without its message, that is
 * looked up among the replicas of its channel, and answered alone. */
#include "models/infra/cassandra_state.h"
#include "models/infra/faults.h"
#include "models/infra/table.h"

#include <stdlib.h>

#define READS_MAX 64u /* Reads under way at one coordinator. */

/* Beside a slot. */
struct pending {
    struct call call;  /* The host's. */
    uint32_t answered; /* Ranks, this round. */
    uint32_t merged;   /* Answers in the buffer. */
    uint64_t ballot;
    uint64_t accepted_ballot; /* The highest told. */
    uint64_t accepted;
    uint64_t decided; /* 0: not that anybody told. */
    uint64_t proposed;
    uint64_t wanted; /* READ_UNACKED: the message that is looked up; 0: none. */
};

struct contents {
    struct table *table;
    struct pending *pending; /* By slot. */
    struct table_reply *rows;
    uint32_t rows_free[READS_MAX];
    uint32_t rows_free_count;
    struct table_reply assembly; /* A replica's answer that is coming in. */
    struct chat_effects effects; /* For rows of STORE_RECEIPT_ROWS. */
    struct promise *promises;
    struct table_reply scratch; /* The node's own. */
    struct hints hints;
};

/* -- Making -------------------------------------------------------------------------------------
 */
bool contents_create(struct cassandra *node)
{
    const struct plan *plan = node->peer.world->plan;
    struct table_config config = {
        .expiry_ms = plan->core.inbox_ttl_ns / 1000000,
        .claim_ttl_ms = plan->core.claim_ttl_ns / 1000000,
        .watermark = plan->core.receipts == PLAN_RECEIPTS_WATERMARK,
    };
    struct contents *contents = calloc(1, sizeof *contents);
    if (contents == NULL) {
        return false;
    }
    node->contents = contents;
    contents->table = table_create(&config);
    contents->pending = calloc(node->ring->slot_count, sizeof *contents->pending);
    node->operations = calloc(node->ring->slot_count, sizeof *node->operations);
    node->slot_free = SLOT_NONE;
    contents->rows = calloc(READS_MAX, sizeof *contents->rows);
    for (uint32_t i = 0; i < READS_MAX; i++) {
        contents->rows_free[contents->rows_free_count++] = READS_MAX - 1 - i;
    }
    return contents->table != NULL && contents->pending != NULL && contents->rows != NULL &&
           node->operations != NULL;
}

void contents_destroy(struct cassandra *node)
{
    struct contents *contents = node->contents;
    claim_free(&contents->promises);
    table_destroy(contents->table);
    free(contents->pending);
    free(node->operations);
    free(contents->rows);
    hints_free(&contents->hints);
    free(contents);
    node->contents = NULL;
}

void cassandra_seed(struct cassandra *node, const struct chat_effect *effect)
{
    struct table *table = node->contents->table;
    table_sync(table, table_store(table, effect, NULL, WALL_BASE_MS));
}

const struct table *cassandra_table(const struct cassandra *node)
{
    return node->contents == NULL ? NULL : node->contents->table;
}

void contents_sync(struct cassandra *node)
{
    struct contents *contents = node->contents;
    table_sync(contents->table, table_written(contents->table));
    claim_sync(contents->promises);
}

void contents_crash(struct cassandra *node)
{
    struct contents *contents = node->contents;
    table_crash(contents->table);
    claim_crash(contents->promises);
}

int64_t contents_skew_ns(const struct cassandra *node, uint64_t now_ns)
{
    return 1000000 * faults_skew_ms(node->peer.world, node->peer.node, now_ns);
}

/* -- Calls as the table has them ----------------------------------------------------------------
 */
static bool is_claim(const struct call *call)
{
    return (call->op & 0xfff) == STORE_CLAIM;
}

static bool is_read(const struct call *call)
{
    return (call->op & 0xfff) >= READ_RECEIPT;
}

static uint64_t clock_ms(uint64_t handle)
{
    return WALL_BASE_MS + (handle >> SLOT_BITS << STAMP_SHIFT) / 1000000;
}

static void effect_of(const struct call *call, uint32_t device, struct chat_effect *effect)
{
    *effect = (struct chat_effect){
        .kind = is_read(call) ? CHAT_FX_READ : CHAT_FX_STORE,
        .op = (uint8_t)(call->op & 0xfff),
        .count = call->argument,
        .user = call->entry.more,
        .device = device,
    };
    if ((call->op & 0xfff) == STORE_RESERVE) {
        effect->position = call->key.position;
    } else {
        entry_unpack(&call->entry, &effect->entry);
    }
}

static bool syncs_at_once(const struct cassandra *node)
{
    return node->peer.world->plan->cassandra.commitlog_sync_ns == 0;
}

/* A write, to the rows. Message and receipt row are two calls, and each row of STORE_RECEIPT_ROWS
 * is one. */
static void table_apply(struct cassandra *node, const struct call *call, uint32_t device,
                        uint64_t handle)
{
    struct contents *contents = node->contents;
    struct chat_effect effect;
    effect_of(call, device, &effect);
    uint64_t member = effect.user;
    if ((call->op & CASSANDRA_SECOND) != 0 || effect.op == STORE_RECEIPT_ROWS) {
        CHECK(member != 0);
        effect.op = STORE_RECEIPT_ROWS;
        effect.count = 1;
        contents->effects.member_count = 1;
        contents->effects.members[0] = (struct chat_member){member, 0, CHAT_NEVER};
    } else if (effect.op == STORE_MESSAGE) {
        effect.user = 0;
    }
    table_store(contents->table, &effect, &contents->effects, clock_ms(handle));
    if (syncs_at_once(node)) {
        table_sync(contents->table, table_written(contents->table));
    }
}

static struct claim_answer claim_here(struct cassandra *node, const struct call *call,
                                      enum claim_phase phase, uint64_t handle)
{
    struct contents *contents = node->contents;
    struct claim_answer answer = claim_apply(&contents->promises, contents->table, call, phase,
                                             clock_ms(handle), syncs_at_once(node));
    if (syncs_at_once(node)) {
        table_sync(contents->table, table_written(contents->table));
    }
    return answer;
}

/* Only what was accepted before the promise counts: rule 1. */
static void claim_note(struct cassandra *node, uint32_t slot, enum claim_phase phase,
                       const struct claim_answer *answer)
{
    struct pending *pending = &node->contents->pending[slot];
    if (answer->decided != 0) {
        pending->decided = answer->decided;
    }
    if (phase == PHASE_PREPARE && !answer->refused && answer->accepted != 0 &&
        answer->accepted_ballot > pending->accepted_ballot) {
        pending->accepted_ballot = answer->accepted_ballot;
        pending->accepted = answer->accepted;
    }
    uint64_t stamp = answer->promised >> SLOT_BITS;
    if (answer->refused && stamp > node->stamp) {
        node->stamp = stamp;
    }
}

/* -- Operations ---------------------------------------------------------------------------------
 */
static struct table_reply *rows_of(struct cassandra *node, uint32_t slot)
{
    uint32_t index = operation_at(node, slot)->rows;
    CHECK(index < READS_MAX);
    return &node->contents->rows[index];
}

bool contents_open(struct cassandra *node, uint32_t slot, const struct call *call)
{
    struct contents *contents = node->contents;
    const struct cassandra_ring *ring = node->ring;
    struct operation *operation = operation_at(node, slot);
    operation->rows = SLOT_NONE;
    contents->pending[slot] = (struct pending){
        .call = *call,
        .ballot = operation->stamp << SLOT_BITS | node->peer.index,
    };
    if (!is_read(call)) {
        return true;
    }
    if (contents->rows_free_count == 0) {
        return false;
    }
    operation->rows = contents->rows_free[--contents->rows_free_count];
    if (contents_scatters(node, slot)) {
        operation->needed = (uint16_t)(ring->node_count - (ring->replication - ring->needed));
    }
    return true;
}

void contents_close(struct cassandra *node, uint32_t slot)
{
    struct contents *contents = node->contents;
    const struct operation *operation = operation_at(node, slot);
    if (is_read(&contents->pending[slot].call) && operation->rows != SLOT_NONE) {
        contents->rows_free[contents->rows_free_count++] = operation->rows;
    }
}

bool contents_scatters(const struct cassandra *node, uint32_t slot)
{
    const struct pending *pending = &node->contents->pending[slot];
    return (pending->call.op & 0xfff) == READ_UNACKED && pending->wanted == 0;
}

struct hints *contents_hints(struct cassandra *node)
{
    return &node->contents->hints;
}

const struct call *contents_call(const struct cassandra *node, uint32_t slot)
{
    return &node->contents->pending[slot].call;
}

uint32_t contents_answered(const struct cassandra *node, uint32_t slot)
{
    return node->contents->pending[slot].answered;
}

static void rows_merge(struct cassandra *node, uint32_t slot, const struct chat_effect *effect,
                       const struct table_reply *from)
{
    struct pending *pending = &node->contents->pending[slot];
    if (pending->merged++ == 0) {
        *rows_of(node, slot) = *from;
    } else {
        table_merge(effect, rows_of(node, slot), from);
    }
}

static void local_read(struct cassandra *node, uint32_t slot, const struct call *call)
{
    struct contents *contents = node->contents;
    const struct operation *operation = operation_at(node, slot);
    struct chat_effect effect;
    contents->pending[slot].merged = 0;
    if (operation->self != RANK_NONE) {
        effect_of(call, operation->flags >> 8, &effect);
        table_read(contents->table, &effect, clock_ms(handle_of(operation, slot)),
                   &contents->scratch);
        rows_merge(node, slot, &effect, &contents->scratch);
    }
}

bool contents_local(struct cassandra *node, uint32_t slot, struct call *call, uint64_t now_ns)
{
    struct contents *contents = node->contents;
    const struct operation *operation = operation_at(node, slot);
    struct pending *pending = &contents->pending[slot];
    uint64_t handle = handle_of(operation, slot);
    if (is_read(call)) {
        local_read(node, slot, call);
        return true;
    }
    if (!is_claim(call)) {
        uint32_t all = (1u << node->ring->replication) - 1;
        table_apply(node, call, operation->flags >> 8, handle);
        hints_keep(node, slot, all & ~(uint32_t)operation->live, now_ns);
        return true;
    }
    enum claim_phase phase = node->ring->phases[operation->round];
    *call = pending->call;
    claim_ballot_put(call, pending->ballot);
    if (phase == PHASE_PROPOSE) {
        pending->proposed = pending->accepted != 0 ? pending->accepted : pending->call.entry.id;
    }
    call->entry.id = pending->proposed;
    struct claim_answer answer = claim_here(node, call, phase, handle);
    claim_note(node, slot, phase, &answer);
    return !answer.refused;
}

void contents_replica(struct sim_context *context, struct cassandra *node,
                      const struct sim_event *event, uint64_t depart_ns)
{
    struct call call;
    EVENT_READ(event, &call);
    struct sim_event answer = {.kind = EV_INNER2, .flags = event->flags};
    uint32_t device = event->flags >> 8;
    answer.data[0] = call.token;
    if (is_read(&call)) {
        struct chat_effect effect;
        struct table_reply *reply = &node->contents->scratch;
        effect_of(&call, device, &effect);
        table_read(node->contents->table, &effect, clock_ms(call.token), reply);
        if (depart_ns != SIM_NEVER) {
            answer.node = call.source;
            run_send(context, &node->peer, reply, (enum chat_op)effect.op, depart_ns, &answer);
        }
        return;
    }
    if (is_claim(&call)) {
        enum claim_phase phase = node->ring->phases[FLAGS_ROUND(event->flags)];
        struct claim_answer told = claim_here(node, &call, phase, call.token);
        memcpy(&answer.data[1], &told, sizeof told);
    } else {
        table_apply(node, &call, device, call.token);
    }
    if (depart_ns != SIM_NEVER && FLAGS_ROUND(event->flags) != ROUND_COMMIT) {
        net_send(context, &node->peer, call.source, depart_ns,
                 reply_bytes(node->peer.world, STORE_MESSAGE, 1), &answer);
    }
}

bool contents_answer(struct cassandra *node, uint32_t slot, const struct sim_event *event)
{
    struct contents *contents = node->contents;
    struct operation *operation = operation_at(node, slot);
    struct pending *pending = &contents->pending[slot];
    if (is_claim(&pending->call)) {
        struct claim_answer told;
        memcpy(&told, &event->data[1], sizeof told);
        claim_note(node, slot, node->ring->phases[operation->round], &told);
        operation->refused = (uint8_t)(operation->refused + (told.refused != 0));
        return told.refused == 0;
    }
    if (!is_read(&pending->call)) {
        pending->answered |= 1u << FLAGS_RANK(event->flags);
        return true;
    }
    if (!run_take(&contents->assembly, event)) {
        return false;
    }
    struct chat_effect effect;
    struct call call = pending->call;
    call.op = operation->op;
    effect_of(&call, operation->flags >> 8, &effect);
    rows_merge(node, slot, &effect, &contents->assembly);
    return true;
}

/* -- READ_UNACKED: a receipt row here, its message there ----------------------------------------
 */

/* Looks the message up among the replicas of its channel. */
static void lookup(struct sim_context *context, struct cassandra *node, uint32_t slot,
                   uint64_t at_ns, const struct chat_entry *row)
{
    const struct cassandra_ring *ring = node->ring;
    struct operation *operation = operation_at(node, slot);
    struct call call = {.op = READ_HISTORY, .argument = 1};
    struct chat_entry wanted = {.id = row->id + 1, .channel = row->channel};
    entry_pack(&wanted, &call.entry);
    node->contents->pending[slot].wanted = row->id;
    operation->op = READ_HISTORY;
    operation->needed = (uint16_t)ring->needed;
    operation->first = cassandra_first(ring->world, cassandra_key(&call));
    operation->self = (uint8_t)ring_rank(ring, operation->first, node->peer.index);
    operation->live = cassandra_live(node, operation->first, at_ns);
    operation->round = (uint8_t)(operation->round % 14 + 1);
    operation_round(context, node, slot, at_ns, &call);
}

/* Reads on behind message `id`. */
static void read_on(struct sim_context *context, struct cassandra *node, uint32_t slot,
                    uint64_t at_ns, uint64_t id)
{
    const struct cassandra_ring *ring = node->ring;
    struct operation *operation = operation_at(node, slot);
    struct pending *pending = &node->contents->pending[slot];
    pending->wanted = 0;
    pending->call.entry.id = id;
    struct call call = pending->call;
    operation->op = READ_UNACKED;
    operation->self = 0; /* Whoever: it reads its own table too. */
    operation->needed = (uint16_t)(ring->node_count - (ring->replication - ring->needed));
    operation->round = (uint8_t)(operation->round % 14 + 1);
    operation_round(context, node, slot, at_ns, &call);
}

static bool unacked_done(struct sim_context *context, struct cassandra *node, uint32_t slot,
                         uint64_t at_ns, const struct chat_effect *effect)
{
    struct pending *pending = &node->contents->pending[slot];
    struct table_reply *reply = rows_of(node, slot);
    if (pending->wanted != 0) {
        bool found = reply->entry_count > 0 && reply->entries[0].id == pending->wanted;
        reply->entry_count = found;
        reply->acked_count = 0;
        if (!found) {
            read_on(context, node, slot, at_ns, pending->wanted);
        }
        return found;
    }
    bool apart = node->ring->node_count > node->ring->replication;
    for (uint32_t i = 0; apart && i < reply->entry_count; i++) {
        if (reply->entries[i].kind != 0) {
            continue;
        }
        if (i == 0) {
            struct chat_entry row = reply->entries[0];
            lookup(context, node, slot, at_ns, &row);
            return false;
        }
        reply->entry_count = i;
    }
    uint64_t on = table_finish(effect, reply);
    if (on != 0) {
        read_on(context, node, slot, at_ns, on);
    }
    return on == 0;
}

bool contents_done(struct sim_context *context, struct cassandra *node, uint32_t slot,
                   uint64_t at_ns)
{
    struct operation *operation = operation_at(node, slot);
    struct pending *pending = &node->contents->pending[slot];
    struct chat_effect effect;
    if (is_read(&pending->call)) {
        effect_of(&pending->call, operation->flags >> 8, &effect);
        if (effect.op == READ_UNACKED) {
            return unacked_done(context, node, slot, at_ns, &effect);
        }
        table_finish(&effect, rows_of(node, slot));
        return true;
    }
    if (!is_claim(&pending->call) || pending->decided != 0) {
        return true;
    }
    if (node->ring->phases[operation->round] == PHASE_PROPOSE) {
        pending->decided = pending->proposed;
    }
    if (operation->round == node->ring->round_count) {
        return true;
    }
    struct call call = pending->call;
    operation->round++;
    operation_round(context, node, slot, at_ns, &call);
    return false;
}

/* -- Answers ------------------------------------------------------------------------------------
 */
static void reply_plain(struct sim_context *context, struct cassandra *node, uint32_t slot,
                        uint64_t depart_ns, int8_t err, uint64_t value)
{
    const struct operation *operation = operation_at(node, slot);
    struct sim_event event = {.kind = EV_REPLY, .flags = operation->flags & 0xff};
    struct reply reply = {.token = operation->token, .plain.value = value, .err = err};
    EVENT_WRITE(&event, &reply);
    net_send(context, &node->peer, operation->source, depart_ns,
             reply_bytes(node->peer.world, STORE_MESSAGE, 1), &event);
}

static void reply_claim(struct sim_context *context, struct cassandra *node, uint32_t slot,
                        uint64_t depart_ns, int8_t err)
{
    const struct cassandra_ring *ring = node->ring;
    const struct operation *operation = operation_at(node, slot);
    const struct pending *pending = &node->contents->pending[slot];
    uint64_t handle = handle_of(operation, slot);
    bool own = pending->decided == pending->call.entry.id;
    if (err != CHAT_OK) {
        reply_plain(context, node, slot, depart_ns, err, 0);
        return;
    }
    CHECK(pending->decided != 0);
    reply_plain(context, node, slot, depart_ns, (int8_t)(own ? CHAT_OK : CHAT_ERR_EXISTS),
                pending->decided);
    if (ring->phases[operation->round] != PHASE_PROPOSE) {
        return;
    }
    struct call commit = pending->call;
    commit.token = handle;
    commit.source = node->peer.node;
    commit.entry.id = pending->decided;
    claim_ballot_put(&commit, pending->ballot);
    claim_here(node, &commit, PHASE_COMMIT, handle);
    uint32_t others = operation->live & ~(1u << operation->self);
    for (; others != 0; others &= others - 1) {
        uint32_t rank = (uint32_t)__builtin_ctz(others);
        operation_ask(context, node, ring_index(ring, operation->first, rank),
                      FLAGS_MAKE(operation->flags >> 8, ROUND_COMMIT, rank), depart_ns, &commit);
    }
}

void contents_reply(struct sim_context *context, struct cassandra *node, uint32_t slot,
                    uint64_t depart_ns, int8_t err)
{
    struct operation *operation = operation_at(node, slot);
    const struct call *call = &node->contents->pending[slot].call;
    if (is_read(call) && err == CHAT_OK) {
        run_reply(context, node, slot, depart_ns, call, rows_of(node, slot));
    } else if (is_claim(call)) {
        reply_claim(context, node, slot, depart_ns, err);
    } else {
        reply_plain(context, node, slot, depart_ns, err, 0);
    }
    operation->state |= OPERATION_REPLIED;
    uint32_t others = (uint32_t)__builtin_popcount(operation->live) - 1;
    if (is_read(call) || is_claim(call) || operation->count == others) {
        operation_close(node, slot);
    }
}
