/* Records are fetched by followers, and so become readable.
 *
 *     follower --fetch: I have everything up to seq-->  leader, where it waits until there is more
 *     follower <--everything up to now, as a count and bytes--
 *
 * A response leaves when the append that it waited for is done, so that it takes the whole request
 * along. One loop a home and follower; its session number voids what is left of an earlier one. */
#include "models/infra/kafka_state.h"

static uint64_t acked_by_all(const struct kafka_home *home)
{
    uint64_t seq = home->end_seq;
    for (uint32_t i = 0; i < home->replica_count; i++) {
        const struct kafka_replica *replica = &home->replicas[i];
        if (replica->in_sync && replica->acked_seq < seq) {
            seq = replica->acked_seq;
        }
    }
    return seq;
}

/* A record is a chain of four lines; those of records to come are asked for meanwhile. */
#define AHEAD_FAR 8u
#define AHEAD_NEAR 4u

static void look_far(const struct kafka_broker *broker, const struct kafka_home *home, uint64_t seq,
                     uint64_t end_seq)
{
    if (seq < end_seq) {
        uint64_t entry = home->ring[seq & home->ring_mask];
        __builtin_prefetch(&broker->slots[(uint32_t)entry], 1);
        __builtin_prefetch(&broker->partitions[entry >> 32], 1);
    }
}

static void look_near(const struct kafka_broker *broker, const struct kafka_home *home,
                      uint64_t seq, uint64_t end_seq)
{
    if (seq < end_seq) {
        uint64_t entry = home->ring[seq & home->ring_mask];
        uint32_t owner = broker->partitions[entry >> 32].owner;
        const struct kafka_slot *slot = &broker->slots[(uint32_t)entry];
        if (owner != KAFKA_NONE) {
            __builtin_prefetch(&broker->links[owner], 1);
        }
        if (slot->unanswered) {
            __builtin_prefetch(kafka_answers_of(broker, slot->source), 1);
        }
    }
}

void kafka_advance(struct sim_context *context, struct kafka_broker *broker,
                   struct kafka_home *home, uint64_t at_ns)
{
    uint64_t high_seq = acked_by_all(home);
    if (high_seq <= home->high_seq) {
        return;
    }
    /* Appended, but the replicas went away meanwhile: it may get lost. */
    const struct plan_kafka *plan = &broker->peer.world->plan->kafka;
    bool short_of = plan->acks == PLAN_ACKS_ALL && home->sync_count + 1 < plan->min_insync;
    enum chat_err err = short_of ? CHAT_ERR_UNKNOWN : CHAT_OK;
    for (uint64_t i = 0; i < AHEAD_FAR; i++) {
        look_far(broker, home, home->high_seq + i, high_seq);
    }
    for (uint64_t i = 0; i < AHEAD_NEAR; i++) {
        look_near(broker, home, home->high_seq + i, high_seq);
    }
    while (home->high_seq < high_seq) {
        look_far(broker, home, home->high_seq + AHEAD_FAR, high_seq);
        look_near(broker, home, home->high_seq + AHEAD_NEAR, high_seq);
        struct kafka_partition *partition;
        uint32_t index = kafka_ring_take(broker, home, &partition);
        struct kafka_slot *slot = &broker->slots[index];
        kafka_readable(broker, partition, index);
        if (slot->unanswered) {
            slot->unanswered = false;
            kafka_answer(context, broker, slot->source, slot->worker, slot->token, err, at_ns);
        }
        kafka_deliver(context, broker, partition, at_ns);
    }
    if (home->high_seq < home->end_seq) {
        uint64_t now_ns = sim_context_now(context);
        uint32_t oldest = (uint32_t)home->ring[home->high_seq & home->ring_mask];
        home->oldest_ns = now_ns - kafka_age_ns(&broker->slots[oldest], now_ns);
    }
}

/* Sends a follower all that it has not been sent, or as much as one response may carry. */
static void respond(struct sim_context *context, struct kafka_broker *broker,
                    struct kafka_home *home, struct kafka_replica *replica, uint64_t depart_ns)
{
    uint64_t bytes = home->end_bytes - replica->sent_bytes;
    uint64_t records = home->end_seq - replica->sent_seq;
    CHECK(records > 0);
    if (bytes > KAFKA_FETCH_BYTES) {
        records = records * KAFKA_FETCH_BYTES / bytes;
        records = records == 0 ? 1 : records;
        bytes = KAFKA_FETCH_BYTES;
    }
    replica->sent_seq += records;
    replica->sent_all = replica->sent_seq == home->end_seq;
    replica->sent_bytes = replica->sent_all ? home->end_bytes : replica->sent_bytes + bytes;
    replica->waiting = false;
    struct kafka_fetch fetch = {
        .seq = replica->sent_seq,
        .bytes = replica->sent_bytes,
        .payload_bytes = (uint32_t)bytes,
        .home = home->number,
        .session = replica->session,
        .node = broker->peer.node,
    };
    struct sim_event event = {.kind = EV_INNER2};
    EVENT_WRITE(&event, &fetch);
    kafka_owe(broker, sim_context_now(context), bytes * broker->byte_ps / 1000);
    kafka_send(context, &broker->peer, replica->node, depart_ns,
               broker->framing_bytes + (uint32_t)bytes, &event);
}

void kafka_feed(struct sim_context *context, struct kafka_broker *broker, struct kafka_home *home)
{
    home->feed_armed = false;
    for (uint32_t i = 0; home->leading && home->ready && i < home->replica_count; i++) {
        struct kafka_replica *replica = &home->replicas[i];
        if (replica->waiting && replica->sent_seq < home->end_seq) {
            respond(context, broker, home, replica, sim_context_now(context));
        }
    }
}

/* What the follower says that it has. */
static bool acknowledge(struct kafka_home *home, struct kafka_replica *replica,
                        const struct kafka_fetch *fetch, uint64_t now_ns)
{
    if (fetch->session == 0) { /* It was dead, and has on its disk what it had acknowledged. */
        replica->session = (uint16_t)(replica->session == UINT16_MAX ? 1 : replica->session + 1);
        replica->sent_seq = replica->acked_seq;
        replica->sent_bytes = replica->acked_bytes;
    } else if (fetch->session == replica->session) {
        CHECK(fetch->seq >= replica->acked_seq && fetch->seq <= replica->sent_seq);
        replica->acked_seq = fetch->seq;
        replica->acked_bytes = fetch->bytes;
        replica->caught_ns = replica->sent_all ? now_ns : replica->caught_ns;
    } else {
        return false;
    }
    if (replica->acked_seq >= home->high_seq) {
        home->sync_count += !replica->in_sync;
        replica->in_sync = true;
    }
    return true;
}

void kafka_on_fetch(struct sim_context *context, struct kafka_broker *broker,
                    const struct sim_event *event)
{
    struct kafka_fetch fetch;
    EVENT_READ(event, &fetch);
    uint64_t now_ns = sim_context_now(context);
    struct kafka_home *home = kafka_home_of(broker, fetch.home);
    uint64_t in_ns =
        net_receive(&broker->peer, now_ns, broker->framing_bytes + KAFKA_FETCH_KEY_BYTES);
    uint64_t done_ns = kafka_charge(broker, now_ns, broker->request_ns);
    if (done_ns == SIM_NEVER || !home->leading || !home->ready) {
        return; /* Whoever leads next takes followers as they are. */
    }
    done_ns += in_ns - now_ns;
    for (uint32_t i = 0; i < home->replica_count; i++) {
        struct kafka_replica *replica = &home->replicas[i];
        if (replica->node != fetch.node || !acknowledge(home, replica, &fetch, now_ns)) {
            continue;
        }
        kafka_advance(context, broker, home, done_ns);
        replica->waiting = true;
        if (replica->sent_seq < home->end_seq) {
            respond(context, broker, home, replica, done_ns);
        }
    }
}

void kafka_on_fed(struct sim_context *context, struct kafka_broker *broker,
                  const struct sim_event *event)
{
    struct kafka_fetch fetch;
    EVENT_READ(event, &fetch);
    uint64_t now_ns = sim_context_now(context);
    uint32_t leader = fetch.node;
    uint64_t in_ns =
        net_receive(&broker->peer, now_ns, broker->framing_bytes + fetch.payload_bytes);
    uint64_t cost_ns = broker->request_ns + (uint64_t)fetch.payload_bytes * broker->byte_ps / 1000;
    uint64_t done_ns = kafka_charge(broker, now_ns, cost_ns);
    if (done_ns == SIM_NEVER) {
        return;
    }
    done_ns = kafka_write(broker, now_ns, done_ns + in_ns - now_ns, fetch.payload_bytes);
    if (outage_down_between(&broker->peer.outage, now_ns, done_ns + 1) != SIM_NEVER) {
        return;
    }
    fetch.node = broker->peer.node;
    fetch.payload_bytes = 0;
    struct sim_event sent = {.kind = EV_INNER};
    EVENT_WRITE(&sent, &fetch);
    kafka_send(context, &broker->peer, leader, done_ns,
               broker->framing_bytes + KAFKA_FETCH_KEY_BYTES, &sent);
}

void kafka_shrink(struct sim_context *context, struct kafka_broker *broker, struct kafka_home *home)
{
    uint64_t now_ns = sim_context_now(context);
    for (uint32_t i = 0; i < home->replica_count; i++) {
        struct kafka_replica *replica = &home->replicas[i];
        uint64_t since_ns = kafka_max(replica->caught_ns, home->oldest_ns);
        bool lags = replica->acked_seq < home->end_seq && now_ns > since_ns &&
                    now_ns - since_ns > KAFKA_LAG_NS;
        if (replica->in_sync && (lags || kafka_known_dead(broker->kafka, replica->node, now_ns))) {
            replica->in_sync = false;
            home->sync_count--;
        }
    }
    kafka_advance(context, broker, home, now_ns);
}
