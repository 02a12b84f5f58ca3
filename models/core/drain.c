/* Draining: how a device that connects comes up to date, and how a hole is filled.
 *
 *   REGISTER --> [fresh: the inbox is rebuilt] --> INBOX* --> ASK --> live
 *                                                   |  ^
 *   GAP --gap_ns--> INBOX  too much unacknowledged: WAIT-'   poll: HOLD
 *                          long poll that is not woken: CHECK-'
 *
 *   fresh: DEVICE --> (UNACKED --> REBUILD)* --> (RECEIPTS --> REBUILD)* --> REBUILT
 *
 * A live session that has been quiet ASKs now and then: the last ROUTE may be the one that was
 * lost.
 *
 * ASK goes live by an atomic check that nothing stands behind the last position sent, so that a
 * message which races a reconnect is never stranded. An inbox that began a generation (its shard
 * was lost) is rebuilt first: what the store says is unacknowledged, in order of id, then the
 * receipts of the user's own messages, of which the store does not know whether they were told.
 * For a poll, entries up to `since` are acknowledged by it and the rest is its answer. */
#include "models/core/state.h"

#define WAIT_NS 250000000u

enum drain_stage {
    DRAIN_REGISTER,
    DRAIN_DEVICE,
    DRAIN_UNACKED,
    DRAIN_RECEIPTS,
    DRAIN_REBUILD,
    DRAIN_REBUILT,
    DRAIN_INBOX,
    DRAIN_ASK,
    DRAIN_GAP,
    DRAIN_WAIT,
    DRAIN_HOLD,
    DRAIN_CHECK,
};

static struct chat_effect *cache_call(struct chat *chat, struct flight *flight,
                                      const struct session *session, enum chat_op op)
{
    struct chat_effect *effect = effect_call(chat, CHAT_FX_CACHE, op, flight);
    effect->user = session->user;
    effect->device = session->device;
    effect->conn_id = session_conn(chat, session);
    return effect;
}

/* Asks for what the flight's stage asks for. */
static void drain_call(struct chat *chat, struct flight *flight, struct session *session)
{
    struct chat_effect *effect;
    switch ((enum drain_stage)flight->stage) {
    case DRAIN_REGISTER:
        session->state = SESSION_OPENING;
        session->flags &= (uint8_t) ~(SESSION_LOST | SESSION_MORE);
        cache_call(chat, flight, session, CACHE_REGISTER)->position = session->number;
        break;
    case DRAIN_DEVICE:
        effect = effect_call(chat, CHAT_FX_STORE, STORE_DEVICE, flight);
        effect->user = session->user;
        effect->device = session->device;
        break;
    case DRAIN_UNACKED:
        effect = effect_call(chat, CHAT_FX_READ, READ_UNACKED, flight);
        effect->user = session->user;
        effect->device = session->device;
        effect->entry = (struct chat_entry){.id = flight->drain.rebuilt};
        effect->count = 1;
        break;
    case DRAIN_RECEIPTS:
        effect = effect_call(chat, CHAT_FX_READ, READ_RECEIPTS, flight);
        effect->user = session->user;
        effect->device = session->device;
        effect->entry = (struct chat_entry){.id = flight->entry.id, .user = flight->entry.user};
        effect->count = 1;
        break;
    case DRAIN_REBUILD:
    case DRAIN_REBUILT: /* `trimmed` names the generation. */
        cache_call(chat, flight, session, CACHE_REBUILD)->position = session->trimmed;
        break;
    case DRAIN_INBOX:
        cache_call(chat, flight, session, CACHE_INBOX)->position = session->sent;
        break;
    case DRAIN_ASK:
        cache_call(chat, flight, session, CACHE_LIVE)->position = session->sent;
        break;
    case DRAIN_GAP:
    case DRAIN_WAIT:
    case DRAIN_HOLD:
    case DRAIN_CHECK:
        CHECK(!"these wait for a timer");
    }
}

static void drain_go(struct chat *chat, struct flight *flight, struct session *session,
                     enum drain_stage stage)
{
    if (stage == DRAIN_REGISTER || stage == DRAIN_REBUILT) {
        flight->entry = (struct chat_entry){.user = session->user, .device = session->device};
    }
    flight->stage = (uint8_t)stage;
    flight->tries = 0;
    drain_call(chat, flight, session);
}

static void drain_finish(struct chat *chat, struct flight *flight, struct session *session)
{
    session->drain = NONE;
    flight_free(chat, flight);
}

/* The session's drain flight, new or one that was only waiting; NULL: it is busy, or none left. */
static struct flight *drain_flight(struct chat *chat, struct session *session)
{
    if (session->drain != NONE) {
        struct flight *flight = flight_at(chat, session->drain);
        if (!flight->armed) {
            return NULL;
        }
        flight_disarm(chat, flight);
        return flight;
    }
    struct flight *flight = flight_take(chat, FLIGHT_DRAIN);
    if (flight != NULL) {
        flight->session = session_slot(chat, session);
        flight->epoch = session->epoch;
        flight->entry.user = session->user;
        flight->entry.device = session->device;
        session->drain = flight_slot(chat, flight);
    }
    return flight;
}

void drain_start(struct chat *chat, struct session *session, uint64_t since, bool registering)
{
    bool busy = session->drain != NONE && !flight_at(chat, session->drain)->armed;
    if (busy) {
        session->flags |= registering ? SESSION_LOST : SESSION_MORE;
        return;
    }
    struct flight *flight = drain_flight(chat, session);
    if (flight == NULL) {
        chat->refused++;
        /* A session that was registered and can't go on is better off starting anew. */
        session_drop(chat, session, CHAT_ERR_FULL, session->state != SESSION_OPENING);
        return;
    }
    flight->drain.since = since;
    flight->drain.found = 0;
    flight->drain.acked = 0;
    flight->drain.until_ns = chat->now_ns + chat->config.hold_ns;
    if (session->state != SESSION_LIVE || registering) {
        session->state = registering ? SESSION_OPENING : SESSION_DRAINING;
    }
    drain_go(chat, flight, session, registering ? DRAIN_REGISTER : DRAIN_INBOX);
}

static void drain_later(struct chat *chat, struct session *session, enum drain_stage stage,
                        uint64_t delay_ns)
{
    if (session->drain != NONE) {
        return; /* Whatever it does will look into the inbox. */
    }
    struct flight *flight = drain_flight(chat, session);
    if (flight == NULL) {
        return; /* The inbox keeps it; the next entry routed finds the hole again. */
    }
    flight->stage = (uint8_t)stage;
    flight_arm(chat, flight, delay_ns);
}

void drain_gap(struct chat *chat, struct session *session)
{
    drain_later(chat, session, DRAIN_GAP, chat->config.gap_ns);
}

void drain_wait(struct chat *chat, struct session *session)
{
    drain_later(chat, session, DRAIN_WAIT, WAIT_NS);
}

void drain_verify(struct chat *chat, struct session *session)
{
    if (session->drain == NONE) {
        struct flight *flight = drain_flight(chat, session);
        if (flight != NULL) {
            drain_go(chat, flight, session, DRAIN_ASK);
        }
    }
}

void drain_abandon(struct chat *chat, struct session *session)
{
    if (session->drain == NONE) {
        return;
    }
    struct flight *flight = flight_at(chat, session->drain);
    if (flight->armed) {
        flight_disarm(chat, flight);
        flight_free(chat, flight);
    }
    session->drain = NONE;
}

static void unregister(struct chat *chat, uint64_t user, uint32_t device, uint64_t conn_id)
{
    struct chat_effect *effect = effect_add(chat, CHAT_FX_CACHE);
    effect->op = CACHE_UNREGISTER;
    effect->user = user;
    effect->device = device;
    effect->conn_id = conn_id;
}

/* The session ended while the flight was under way: leave nothing registered. */
static void drain_orphan(struct chat *chat, struct flight *flight)
{
    if (flight->stage == DRAIN_REGISTER || flight->stage == DRAIN_ASK) {
        unregister(chat, flight->entry.user, flight->entry.device,
                   (uint64_t)flight->epoch << 32 | flight->session);
    }
    flight_free(chat, flight);
}

/* The connection that the device had before. */
static void kick(struct chat *chat, const struct chat_location *to)
{
    struct chat_effect *effect = effect_add(chat, CHAT_FX_ROUTE);
    effect->gateway = to->gateway;
    effect->conn_id = to->conn_id;
    effect->user = to->user;
    effect->device = to->device;
    effect->entry.kind = ENTRY_KICK;
    effect->entry.user = to->user;
}

static void on_registered(struct chat *chat, struct flight *flight, struct session *session,
                          const struct chat_event *event)
{
    if (event->err == CHAT_ERR_EXISTS) { /* By a later connection, which this one must not kick. */
        drain_finish(chat, flight, session);
        session_drop(chat, session, CHAT_ERR_REPLACED, false);
        return;
    }
    CHECK(event->count >= 1);
    const struct chat_location *here = &event->locations[0];
    bool replaced = here->conn_id != 0 && !(here->gateway == chat->config.gateway &&
                                            here->conn_id == session_conn(chat, session));
    if (replaced) {
        kick(chat, here);
    }
    if (here->trimmed > session->sent) {
        session->sent = here->trimmed;
        session->ahead = 0;
    }
    session->trimmed = here->trimmed;
    session->state = SESSION_DRAINING;
    flight->drain.rebuilt = 0;
    if (!session_registered(chat, session)) {
        unregister(chat, session->user, session->device, session_conn(chat, session));
    }
    drain_go(chat, flight, session, here->fresh ? DRAIN_DEVICE : DRAIN_INBOX);
}

static void on_unacked(struct chat *chat, struct flight *flight, struct session *session,
                       const struct chat_event *event)
{
    if (event->count == 0) {
        flight->entry = (struct chat_entry){0};
        drain_go(chat, flight, session, DRAIN_RECEIPTS);
        return;
    }
    CHECK(event->entries[0].id > flight->drain.rebuilt);
    flight->entry = event->entries[0];
    flight->drain.rebuilt = flight->entry.id;
    drain_go(chat, flight, session, DRAIN_REBUILD);
}

static void on_receipts(struct chat *chat, struct flight *flight, struct session *session,
                        const struct chat_event *event)
{
    if (event->count == 0) {
        drain_go(chat, flight, session, DRAIN_REBUILT);
        return;
    }
    CHECK(event->entries[0].kind == ENTRY_DELIVERED || event->entries[0].kind == ENTRY_READ);
    flight->entry = event->entries[0];
    drain_go(chat, flight, session, DRAIN_REBUILD);
}

/* One entry for a poll. Its receipts are one chain, since each trims all before it; what `since`
 * covers beyond waits for the next poll. False: no flight for a receipt, so this poll goes no
 * further. */
static bool poll_entry(struct chat *chat, struct flight *flight, struct session *session,
                       const struct chat_entry *entry, uint32_t *chain)
{
    if (entry->position > flight->drain.since) {
        flight->drain.found++;
        return session_send(chat, session, entry);
    }
    if (entry->kind != ENTRY_MESSAGE || flight->drain.acked) {
        return true;
    }
    bool begun = receipts_on_since(chat, session, entry, chain);
    flight->drain.acked = !begun && *chain != NONE;
    return begun || *chain != NONE;
}

/* Nothing is there, and nobody will say when something is. */
static void drain_check(struct chat *chat, struct flight *flight)
{
    uint64_t left_ns = flight->drain.until_ns - chat->now_ns;
    flight->stage = DRAIN_CHECK;
    flight_arm(chat, flight, left_ns < chat->config.check_ns ? left_ns : chat->config.check_ns);
}

static void on_inbox_poll(struct chat *chat, struct flight *flight, struct session *session,
                          const struct chat_event *event)
{
    uint32_t chain = NONE;
    uint32_t i = 0;
    uint64_t acknowledged = 0;
    for (; i < event->count; i++) {
        const struct chat_entry *entry = &event->entries[i];
        if (!poll_entry(chat, flight, session, entry, &chain)) {
            break;
        }
        session_passed(session, entry->position);
        if (entry->position <= flight->drain.since) {
            acknowledged = entry->position;
        }
    }
    flight->drain.acked = flight->drain.acked || chain != NONE;
    if (acknowledged != 0 && !flight->drain.acked) {
        struct chat_effect *effect = effect_add(chat, CHAT_FX_CACHE);
        effect->op = CACHE_TRIM;
        effect->user = session->user;
        effect->device = session->device;
        effect->position = acknowledged;
    }
    if (event->count == 0 && event->value > session->sent) {
        session_passed(session, event->value);
    }
    bool more = i == event->count && session->sent < event->value;
    bool checks = session->transport == TRANSPORT_LONG_POLL && chat->config.check_ns > 0;
    bool over =
        session->transport == TRANSPORT_POLL || (checks && chat->now_ns >= flight->drain.until_ns);
    /* A page that was mostly acknowledged by `since` is no answer yet. */
    if (more && flight->drain.found < CHAT_DRAIN_MAX / 2) {
        drain_go(chat, flight, session, DRAIN_INBOX);
    } else if (flight->drain.found > 0 || over) {
        uint8_t found = more ? 2 : flight->drain.found > 0;
        drain_finish(chat, flight, session);
        session_answer(chat, session, found);
    } else if (checks) {
        drain_check(chat, flight);
    } else {
        drain_go(chat, flight, session, DRAIN_ASK);
    }
}

static void on_inbox(struct chat *chat, struct flight *flight, struct session *session,
                     const struct chat_event *event)
{
    session->flags &= (uint8_t)~SESSION_MORE;
    if (session->transport != TRANSPORT_WEBSOCKET) {
        on_inbox_poll(chat, flight, session, event);
        return;
    }
    for (uint32_t i = 0; i < event->count; i++) {
        const struct chat_entry *entry = &event->entries[i];
        uint64_t distance = entry->position - session->sent;
        if (entry->position <= session->sent) {
            continue;
        }
        bool sent_before = distance >= 2 && distance - 2 < AHEAD_BITS &&
                           (session->ahead >> (distance - 2) & 1) != 0;
        if (!sent_before && !session_send(chat, session, entry)) {
            flight->stage = DRAIN_WAIT;
            flight_arm(chat, flight, WAIT_NS);
            return;
        }
        session_passed(session, entry->position);
    }
    if (event->count == 0 && event->value > session->sent) {
        session_passed(session, event->value); /* A hole that was trimmed or has expired. */
    }
    if (session->sent < event->value) {
        drain_go(chat, flight, session, DRAIN_INBOX);
    } else if (session->state == SESSION_LIVE) {
        drain_finish(chat, flight, session);
    } else {
        drain_go(chat, flight, session, DRAIN_ASK);
    }
}

static void on_asked(struct chat *chat, struct flight *flight, struct session *session, int32_t err)
{
    if (err == CHAT_ERR_EXISTS) {
        drain_go(chat, flight, session, DRAIN_INBOX);
        return;
    }
    bool holding = session->transport == TRANSPORT_LONG_POLL;
    session->state = holding ? SESSION_HOLDING : SESSION_LIVE;
    /* Something was routed after the check and before its answer: it was only noted. */
    if ((session->flags & SESSION_MORE) != 0) {
        drain_go(chat, flight, session, DRAIN_INBOX);
    } else if (holding) {
        flight->stage = DRAIN_HOLD;
        flight_arm(chat, flight, chat->config.hold_ns);
    } else {
        drain_finish(chat, flight, session);
    }
}

void drain_on_done(struct chat *chat, struct flight *flight, const struct chat_event *event)
{
    struct session *session = session_of(chat, flight);
    if (session == NULL) {
        drain_orphan(chat, flight);
        return;
    }
    if (failed(event->err)) {
        /* A rebuilt entry's blob was the event's: read it again rather than keep it. */
        if (flight->stage == DRAIN_REBUILD && flight->entry.kind == ENTRY_MESSAGE) {
            flight->stage = DRAIN_UNACKED;
            flight->drain.rebuilt = flight->entry.id - 1;
        }
        flight_retry(chat, flight);
        return;
    }
    bool read = flight->stage == DRAIN_UNACKED || flight->stage == DRAIN_RECEIPTS;
    bool unknown_here = event->err == CHAT_ERR_MISSING && !read;
    if (unknown_here || (session->flags & SESSION_LOST) != 0) {
        drain_go(chat, flight, session, DRAIN_REGISTER);
        return;
    }
    switch ((enum drain_stage)flight->stage) {
    case DRAIN_REGISTER:
        on_registered(chat, flight, session, event);
        break;
    case DRAIN_DEVICE:
        drain_go(chat, flight, session, DRAIN_UNACKED);
        break;
    case DRAIN_REBUILD:
        drain_go(chat, flight, session,
                 flight->entry.kind == ENTRY_MESSAGE ? DRAIN_UNACKED : DRAIN_RECEIPTS);
        break;
    case DRAIN_UNACKED:
        on_unacked(chat, flight, session, event);
        break;
    case DRAIN_RECEIPTS:
        on_receipts(chat, flight, session, event);
        break;
    case DRAIN_REBUILT:
        drain_go(chat, flight, session, DRAIN_INBOX);
        break;
    case DRAIN_INBOX:
        on_inbox(chat, flight, session, event);
        break;
    case DRAIN_ASK:
        on_asked(chat, flight, session, event->err);
        break;
    case DRAIN_GAP:
    case DRAIN_WAIT:
    case DRAIN_HOLD:
    case DRAIN_CHECK:
        CHECK(!"nothing was asked for");
    }
}

void drain_on_timer(struct chat *chat, struct flight *flight)
{
    struct session *session = session_of(chat, flight);
    CHECK(session != NULL); /* Its end would have abandoned the flight. */
    if (flight->stage == DRAIN_HOLD) {
        drain_finish(chat, flight, session);
        session_answer(chat, session, 0);
    } else if (flight->stage == DRAIN_GAP || flight->stage == DRAIN_WAIT ||
               flight->stage == DRAIN_CHECK) {
        drain_go(chat, flight, session, DRAIN_INBOX);
    } else {
        drain_call(chat, flight, session);
    }
}
