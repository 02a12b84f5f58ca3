/* Capacity runs: an operation is one event, a claim one a round.
 *
 * All who hold a row are one node of the engine, so whoever handles the request sees the queues of
 * its coordinator and of its replicas, and can say when each will have answered:
 *
 *     request     the coordinator's share is charged                      [round_begin]
 *     ask         the others' shares; the needed-th answer is the quorum  [round_ask]
 *     answered    the next round, or the coordinator's answer             [round_answered]
 *
 * Each step is charged when the one before it is known, if it lies less than AHEAD_NS ahead, as
 * cassandra_work() has it. Otherwise, and always between rounds, it is an event of its own at its
 * own time: a queue must not be asked how long it is now by what comes much later. */
#include "models/infra/cassandra_state.h"
#include "models/infra/faults.h"

#define AHEAD_NS 4000000u

enum step { STEP_ASK, STEP_ANSWERED };

/* An operation between two of its events, in the data of the second. */
struct quorum {
    uint64_t token;
    uint64_t deadline_ns;
    uint64_t local_ns;  /* STEP_ASK: when the coordinator's own share is done. */
    uint32_t answer_ns; /* What it takes to answer; charged with the own share. */
    uint32_t source;
    uint16_t op;
    uint16_t rows;
    uint16_t text_bytes;
    uint8_t first; /* Place in the group of replica number 0. */
    uint8_t self;  /* Rank of the coordinator. */
    uint8_t live;
    uint8_t round; /* From 1. */
    uint8_t step;
    uint8_t worker; /* call_event.flags */
};
_Static_assert(sizeof(struct quorum) <= sizeof((struct sim_event *)0)->data, "fits an event");

/* What is at hand while an event is handled. */
struct visit {
    struct sim_context *context;
    struct cassandra *nodes;       /* The group. */
    struct cassandra *coordinator; /* One of them. */
    uint64_t now_ns;
    uint64_t wait_ns; /* At the coordinator, as this event found it. */
    struct quorum *quorum;
};

static struct cassandra *replica_at(const struct visit *visit, uint32_t rank)
{
    uint32_t size = visit->nodes->group_size;
    uint32_t place = visit->quorum->first + rank;
    return &visit->nodes[place < size ? place : place - size];
}

/* Time has come to now for this node. */
static void node_pass(struct cassandra *node, uint64_t now_ns)
{
    struct outage *outage = &node->peer.outage;
    if (now_ns < outage_next(outage)) {
        return;
    }
    uint32_t from = outage->index;
    outage_pass(outage, now_ns);
    for (uint32_t i = from; i < outage->index; i++) {
        const struct outage_interval *interval = &outage->intervals[i];
        if (interval->kind == OUTAGE_DOWN) {
            cassandra_recover(node, interval->from_ns, interval->until_ns);
        }
    }
}

/* -- Operations under way -----------------------------------------------------------------------
 */
static void under_way_pass(struct under_way *under_way, uint64_t now_ns)
{
    uint64_t span = now_ns >> UNDER_WAY_SHIFT;
    if (span >= under_way->span + UNDER_WAY_SPANS) {
        memset(under_way->ends, 0, sizeof under_way->ends);
        under_way->count = 0;
        under_way->span = span;
    }
    for (; under_way->span < span; under_way->span++) {
        uint32_t *ends = &under_way->ends[under_way->span % UNDER_WAY_SPANS];
        under_way->count -= *ends;
        *ends = 0;
    }
}

static void under_way_begin(struct under_way *under_way)
{
    under_way->count++;
    under_way->most = under_way->count > under_way->most ? under_way->count : under_way->most;
}

/* One will end at `end_ns`; SIM_NEVER: it is lost, now. */
static void under_way_end(const struct visit *visit, uint64_t end_ns)
{
    struct under_way *under_way = &visit->coordinator->under_way;
    under_way_pass(under_way, visit->now_ns);
    uint64_t span = end_ns == SIM_NEVER ? under_way->span : end_ns >> UNDER_WAY_SHIFT;
    if (span <= under_way->span) {
        under_way->count--;
        return;
    }
    uint64_t last = under_way->span + UNDER_WAY_SPANS - 1;
    under_way->ends[(span < last ? span : last) % UNDER_WAY_SPANS]++;
}

/* -- Steps --------------------------------------------------------------------------------------
 */
static void step_later(const struct visit *visit, enum step step, uint64_t at_ns)
{
    struct sim_event event = {.time_ns = at_ns, .node = visit->nodes->peer.node, .kind = EV_TICK2};
    visit->quorum->step = (uint8_t)step;
    EVENT_WRITE(&event, visit->quorum);
    sim_send(visit->context, &event);
}

static void reply(const struct visit *visit, uint64_t depart_ns, int8_t err)
{
    const struct quorum *quorum = visit->quorum;
    struct peer *peer = &visit->coordinator->peer;
    uint32_t op = quorum->op & 0xfff;
    struct sim_event event = {.kind = EV_REPLY, .flags = quorum->worker};
    struct reply reply = {
        .token = quorum->token, .err = err, .plain.value = err == CHAT_OK && op >= READ_RECEIPT};
    EVENT_WRITE(&event, &reply);
    net_send(visit->context, peer, quorum->source, depart_ns,
             reply_bytes(peer->world, err == CHAT_OK ? (enum chat_op)op : STORE_MESSAGE,
                         err == CHAT_OK ? quorum->rows : 1),
             &event);
    under_way_end(visit, depart_ns);
}

/* Did the coordinator die before `until_ns`? Then nobody answers. */
static bool is_lost(const struct visit *visit, uint64_t until_ns)
{
    const struct outage *outage = &visit->coordinator->peer.outage;
    if (until_ns != SIM_NEVER &&
        outage_down_between(outage, visit->now_ns, until_ns) == SIM_NEVER) {
        return false;
    }
    under_way_end(visit, SIM_NEVER);
    return true;
}

static void time_out(const struct visit *visit)
{
    uint64_t deadline_ns = visit->quorum->deadline_ns;
    uint64_t from_ns = deadline_ns > visit->now_ns ? deadline_ns : visit->now_ns;
    uint64_t at_ns = outage_finish(&visit->coordinator->peer.outage, from_ns, 0);
    if (!is_lost(visit, at_ns)) {
        reply(visit, at_ns, CHAT_ERR_UNKNOWN);
    }
}

/* What leaves `from` at `depart_ns` is taken in by `to`; SIM_NEVER: never. */
static uint64_t hop(const struct visit *visit, struct peer *from, struct peer *to,
                    uint64_t depart_ns, uint32_t bytes, uint64_t bits)
{
    uint64_t arrival_ns = net_arrival(visit->context, from, to->node, depart_ns, bytes, bits);
    if (arrival_ns == SIM_NEVER) {
        return SIM_NEVER;
    }
    return arrival_ns + (net_receive(to, visit->now_ns, bytes) - visit->now_ns);
}

static uint32_t ask_bytes(const struct visit *visit)
{
    const struct quorum *quorum = visit->quorum;
    struct call call = {.op = quorum->op, .argument = quorum->rows};
    call.entry.size_bytes = quorum->text_bytes;
    return call_bytes(visit->coordinator->peer.world, &call);
}

/* What the replicas of one round have in common. */
struct question {
    const struct share *share;
    uint64_t depart_ns;
    uint32_t ask_bytes;
    uint32_t answer_bytes; /* 0: none is wanted. */
};

/* Replica `rank` is asked: when its answer is in; SIM_NEVER: never. One draw serves both hops. */
static uint64_t replica_ask(const struct visit *visit, uint32_t rank,
                            const struct question *question)
{
    const struct quorum *quorum = visit->quorum;
    struct cassandra *node = replica_at(visit, rank);
    struct peer *coordinator = &visit->coordinator->peer;
    struct rng_bits bits = rng_next(&coordinator->rng);
    uint64_t at_ns = hop(visit, coordinator, &node->peer, question->depart_ns, question->ask_bytes,
                         bits.word[1]);
    if (at_ns == SIM_NEVER) {
        return SIM_NEVER;
    }
    uint64_t back = bits.word[1] << 32;
    bits.word[1] = question->share->read ? hash_mix(bits.word[0]) : 0; /* The disk's. */
    node_pass(node, visit->now_ns);
    uint64_t done_ns =
        cassandra_share(node, visit->now_ns, at_ns, bits, (struct coordination){0}, question->share,
                        (struct load){quorum->rows, quorum->text_bytes})
            .share_ns;
    if (done_ns == SIM_NEVER || question->answer_bytes == 0) {
        return SIM_NEVER;
    }
    return hop(visit, &node->peer, coordinator, done_ns, question->answer_bytes, back);
}

/* The commit that nobody waits for; the coordinator's own is charged with its last share. */
static void commit(const struct visit *visit, uint64_t depart_ns)
{
    const struct quorum *quorum = visit->quorum;
    struct question question = {
        .share = &visit->coordinator->ring->claims[ROUND_COMMIT],
        .depart_ns = depart_ns,
        .ask_bytes = ask_bytes(visit),
    };
    uint32_t others = quorum->live & ~(1u << quorum->self);
    for (; others != 0; others &= others - 1) {
        replica_ask(visit, (uint32_t)__builtin_ctz(others), &question);
    }
}

static bool commits_behind(const struct cassandra_ring *ring, const struct quorum *quorum)
{
    return (quorum->op & 0xfff) == STORE_CLAIM && ring->round_count < 4;
}

static void finish(const struct visit *visit, uint64_t at_ns)
{
    struct cassandra *node = visit->coordinator;
    uint64_t depart_ns =
        outage_finish(&node->peer.outage, at_ns + visit->wait_ns, visit->quorum->answer_ns);
    if (is_lost(visit, depart_ns)) {
        return;
    }
    reply(visit, depart_ns, CHAT_OK);
    if (commits_behind(node->ring, visit->quorum)) {
        commit(visit, depart_ns);
    }
}

static void round_begin(struct visit *visit, uint64_t at_ns);

static void round_answered(struct visit *visit, uint64_t at_ns)
{
    struct quorum *quorum = visit->quorum;
    if ((quorum->op & 0xfff) == STORE_CLAIM &&
        quorum->round < visit->coordinator->ring->round_count) {
        quorum->round++;
        round_begin(visit, at_ns);
        return;
    }
    finish(visit, at_ns);
}

/* Inserts into a list sorted from the earliest. */
static void answer_add(uint64_t *answers, uint32_t count, uint64_t at_ns)
{
    for (; count > 0 && answers[count - 1] > at_ns; count--) {
        answers[count] = answers[count - 1];
    }
    answers[count] = at_ns;
}

static void round_ask(struct visit *visit, uint64_t depart_ns)
{
    struct quorum *quorum = visit->quorum;
    const struct cassandra_ring *ring = visit->coordinator->ring;
    const struct share *share = share_of(ring, quorum->op, quorum->round);
    bool claim = (quorum->op & 0xfff) == STORE_CLAIM;
    uint32_t needed = claim ? ring->quorum : ring->needed;
    uint64_t answers[RANKS_MAX];
    uint32_t count = 1;
    answers[0] = quorum->local_ns;
    uint32_t targets =
        cassandra_targets(quorum->live, quorum->self, needed, share->read, hash_mix(quorum->token));
    struct question question = {
        .share = share,
        .depart_ns = depart_ns,
        .ask_bytes = ask_bytes(visit),
        .answer_bytes = reply_bytes(ring->world, STORE_MESSAGE, 1),
    };
    for (; targets != 0; targets &= targets - 1) {
        uint32_t rank = (uint32_t)__builtin_ctz(targets);
        answer_add(answers, count++, replica_ask(visit, rank, &question));
    }
    uint64_t quorum_ns = count < needed ? SIM_NEVER : answers[needed - 1];
    bool last = !claim || quorum->round == ring->round_count;
    if (quorum_ns >= quorum->deadline_ns) {
        time_out(visit);
    } else if (is_lost(visit, quorum_ns)) {
        return;
    } else if (last && quorum_ns - visit->now_ns <= AHEAD_NS) {
        round_answered(visit, quorum_ns);
    } else {
        step_later(visit, STEP_ANSWERED, quorum_ns);
    }
}

/* The coordinator's share, with what its answer will cost after the last round: that work is
 * queued with it, and waited for where it comes. */
static struct work_done own_share(struct visit *visit, uint64_t at_ns)
{
    struct quorum *quorum = visit->quorum;
    struct cassandra *node = visit->coordinator;
    const struct cassandra_ring *ring = node->ring;
    bool last = (quorum->op & 0xfff) != STORE_CLAIM || quorum->round == ring->round_count;
    struct coordination coordination = {.before_ns = ring->coordinate_ns};
    struct rng_bits bits = rng_next(&node->peer.rng);
    if (last) {
        double unit = dist_value(&ring->unit, bits.word[0]);
        double answer_ns = unit * ring->coordinate_ns;
        quorum->answer_ns = answer_ns < UINT32_MAX ? (uint32_t)answer_ns : UINT32_MAX;
        coordination.after_ns = ring->coordinate_ns;
        if (commits_behind(ring, quorum)) {
            const struct share *commit = &ring->claims[ROUND_COMMIT];
            coordination.after_ns += commit->cpu_ns;
            coordination.rest_ns = cassandra_write(node, commit, visit->now_ns, (struct load){0});
        }
    }
    struct load load = {quorum->rows, quorum->text_bytes};
    return cassandra_share(node, visit->now_ns, at_ns, bits, coordination,
                           share_of(ring, quorum->op, quorum->round), load);
}

static void round_begin(struct visit *visit, uint64_t at_ns)
{
    struct quorum *quorum = visit->quorum;
    struct work_done done = own_share(visit, at_ns);
    quorum->local_ns = done.share_ns;
    if (done.coordinate_ns >= quorum->deadline_ns && done.coordinate_ns != SIM_NEVER) {
        time_out(visit);
    } else if (is_lost(visit, done.coordinate_ns)) {
        return;
    } else if (done.coordinate_ns - visit->now_ns <= AHEAD_NS) {
        round_ask(visit, done.coordinate_ns);
    } else {
        step_later(visit, STEP_ASK, done.coordinate_ns);
    }
}

/* -- Events -------------------------------------------------------------------------------------
 */
static void refuse(const struct visit *visit, const struct sim_event *event, uint64_t at_ns)
{
    struct reply reply = {.err = CHAT_ERR_FAILED};
    reply_send(visit->context, &visit->coordinator->peer, event, at_ns, &reply);
}

static void on_call(struct visit *visit, const struct sim_event *event)
{
    struct cassandra *node = visit->coordinator;
    const struct cassandra_ring *ring = node->ring;
    const struct plan_cassandra *plan = &ring->world->plan->cassandra;
    struct call call;
    EVENT_READ(event, &call);
    uint64_t at_ns = net_receive(&node->peer, event->time_ns, call_bytes(ring->world, &call));
    uint32_t first = cassandra_first(ring->world, cassandra_key(&call));
    uint32_t self = ring_rank(ring, first, node->peer.index);
    CHECK(self != RANK_NONE);
    uint32_t op = call.op & 0xfff;
    uint32_t needed = op == STORE_CLAIM ? ring->quorum : ring->needed;
    uint8_t live = cassandra_live(node, first, event->time_ns);
    under_way_pass(&node->under_way, event->time_ns);
    if ((uint32_t)__builtin_popcount(live) < needed || node->under_way.count >= ring->slot_count) {
        refuse(visit, event, at_ns);
        return;
    }
    under_way_begin(&node->under_way);
    uint64_t timeout_ns = op >= READ_RECEIPT ? plan->read_timeout_ns : plan->write_timeout_ns;
    struct quorum quorum = {
        .token = call.token,
        .deadline_ns = event->time_ns + timeout_ns,
        .source = call.source,
        .op = call.op,
        .rows = call.argument,
        .text_bytes = call.op == STORE_MESSAGE ? call.entry.size_bytes : 0,
        .first = (uint8_t)(first - node->group_first),
        .self = (uint8_t)self,
        .live = live,
        .round = 1,
        .worker = (uint8_t)event->flags,
    };
    visit->quorum = &quorum;
    round_begin(visit, at_ns);
}

/* The coordinator's place in its group is in a call's flags, where contents runs have the device.
 */
void quorum_handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct cassandra *nodes = state;
    struct visit visit = {.context = context, .nodes = nodes, .now_ns = event->time_ns};
    struct quorum quorum;
    switch (event->kind) {
    case EV_CALL:
        visit.coordinator = &nodes[event->flags >> 8];
        break;
    case EV_TICK2:
        EVENT_READ(event, &quorum);
        visit.quorum = &quorum;
        visit.coordinator = replica_at(&visit, quorum.self);
        break;
    default: /* EV_DOWN, EV_UP: each node's own schedule says as much. */
        return;
    }
    node_pass(visit.coordinator, event->time_ns);
    visit.wait_ns = fifo_backlog_ns(&visit.coordinator->cpu, event->time_ns);
    if (event->kind == EV_TICK2) {
        if (quorum.step == STEP_ASK) {
            round_ask(&visit, event->time_ns);
        } else {
            round_answered(&visit, event->time_ns);
        }
        return;
    }
    if (outage_is_down(&visit.coordinator->peer.outage, event->time_ns)) {
        count_add(context, nodes->peer.world, COUNT_LOST, 1);
        return;
    }
    on_call(&visit, event);
}

/* The three nodes of the usual group; what others do not find is a miss. */
void quorum_prefetch(const void *state, const struct sim_event *event, uint32_t step)
{
    const char *node = state;
    (void)event;
    (void)step;
    for (uint32_t i = 0; i < 3; i++, node += sizeof(struct cassandra)) {
        for (uint32_t line = 0; line < 5; line++) {
            __builtin_prefetch(node + 64 * line, 1);
        }
    }
}
