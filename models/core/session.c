/* Sessions: connected devices, and how an entry that was routed here reaches one.
 *
 *   FREE --OPEN--> OPENING --registered--> DRAINING --nothing behind--> LIVE --CLOSE--> FREE
 *                     ^                        |    ^                     |
 *                     |                  (long poll) '--too far behind----|
 *                     '---LOST, new generation---|----------------------- |
 *                                             HOLDING --first entry, or hold_ns--> FREE
 *
 * A long poll that nobody wakes (check_ns) stays DRAINING: it reads its inbox again and again.
 *
 * Positions in an inbox have no holes, so a hole in what is routed means a ROUTE that was lost or
 * overtaken: what lies beyond it is sent at once (a device orders by id), noted in `ahead`, and the
 * inbox is read if the hole stays. */
#include "models/core/state.h"

#include <string.h>

struct session *session_find(struct chat *chat, uint64_t conn_id)
{
    uint32_t slot = (uint32_t)conn_id;
    CHECK(slot < chat->config.sessions_max);
    struct session *session = session_at(chat, slot);
    bool here = session->state != SESSION_FREE && session->epoch == conn_id >> 32;
    return here ? session : NULL;
}

struct session *session_of(struct chat *chat, const struct flight *flight)
{
    return session_find(chat, (uint64_t)flight->epoch << 32 | flight->session);
}

uint32_t session_slot(const struct chat *chat, const struct session *session)
{
    return (uint32_t)(session - chat->sessions) / chat->config.sessions_step;
}

uint64_t session_conn(const struct chat *chat, const struct session *session)
{
    return (uint64_t)session->epoch << 32 | session_slot(chat, session);
}

uint32_t session_asked(struct chat *chat, const struct session *session)
{
    uint32_t count = 0;
    for (uint32_t at = session->work_head; at != NONE; at = flight_at(chat, at)->next) {
        count += flight_at(chat, at)->kind != FLIGHT_RECEIPT;
    }
    return count;
}

void session_work_add(struct chat *chat, struct session *session, struct flight *flight)
{
    uint32_t slot = flight_slot(chat, flight);
    flight->session = session_slot(chat, session);
    flight->epoch = session->epoch;
    flight->next = NONE;
    session->work_count++;
    if (flight->kind == FLIGHT_RECEIPT || session->work_head == NONE) {
        flight->next = session->work_head;
        session->work_head = slot;
        return;
    }
    struct flight *last = flight_at(chat, session->work_head);
    while (last->next != NONE) {
        last = flight_at(chat, last->next);
    }
    last->next = slot;
}

void session_work_remove(struct chat *chat, struct flight *flight)
{
    struct session *session = session_of(chat, flight);
    if (session == NULL) {
        return;
    }
    uint32_t slot = flight_slot(chat, flight);
    uint32_t previous = NONE;
    for (uint32_t at = session->work_head; at != slot; at = flight_at(chat, at)->next) {
        CHECK(at != NONE);
        previous = at;
    }
    if (previous == NONE) {
        session->work_head = flight->next;
    } else {
        flight_at(chat, previous)->next = flight->next;
    }
    session->work_count--;
}

static struct session *session_begin(struct chat *chat, const struct chat_event *event)
{
    uint32_t slot = (uint32_t)event->conn_id;
    CHECK(slot < chat->config.sessions_max);
    CHECK(event->conn_id >> 32 != 0);
    CHECK(event->user_id != 0 && event->device_id != 0);
    struct session *session = session_at(chat, slot);
    CHECK(session->state == SESSION_FREE);
    memset(session, 0, sizeof *session);
    session->user = event->user_id;
    session->device = event->device_id;
    session->epoch = (uint32_t)(event->conn_id >> 32);
    session->transport = event->transport;
    CHECK(event->value <= UINT32_MAX);
    session->number = (uint32_t)event->value;
    if (chat->session_count++ == 0) {
        chat->sweep_due_ns = chat->now_ns + ((uint64_t)1 << SWEEP_SHIFT);
    }
    return session;
}

void session_on_open(struct chat *chat, const struct chat_event *event)
{
    struct session *session = session_begin(chat, event);
    if (session->transport == TRANSPORT_POST) {
        session->state = SESSION_POSTING;
        return;
    }
    session->state = SESSION_OPENING;
    drain_start(chat, session, event->since, session->transport != TRANSPORT_POLL);
}

void session_on_resume(struct chat *chat, const struct chat_event *event)
{
    struct session *session = session_begin(chat, event);
    session->state = SESSION_LIVE;
    session->sent = event->since;
    session->trimmed = event->since;
}

static void unacked_free(struct chat *chat, uint32_t index)
{
    chat->unacked[index].next = chat->free_unacked;
    chat->free_unacked = index;
    chat->unacked_count--;
}

void session_end(struct chat *chat, struct session *session, bool unregister)
{
    for (uint32_t at = session->unacked_head; at != NONE;) {
        uint32_t next = chat->unacked[at].next;
        unacked_free(chat, at);
        at = next;
    }
    drain_abandon(chat, session);
    if (unregister) {
        struct chat_effect *effect = effect_add(chat, CHAT_FX_CACHE);
        effect->op = CACHE_UNREGISTER;
        effect->user = session->user;
        effect->device = session->device;
        effect->conn_id = session_conn(chat, session);
    }
    uint32_t work = session->work_head;
    session->state = SESSION_FREE;
    chat->session_count--;
    /* What has begun goes on; what only waited its turn was promised to nobody. */
    while (work != NONE) {
        struct flight *flight = flight_at(chat, work);
        work = flight->next;
        flight->next = NONE;
        ingest_drop_waiting(chat, flight);
    }
}

bool session_registered(const struct chat *chat, const struct session *session)
{
    bool woken = session->transport == TRANSPORT_LONG_POLL && chat->config.check_ns == 0;
    return session->transport == TRANSPORT_WEBSOCKET || woken;
}

void session_on_close(struct chat *chat, const struct chat_event *event)
{
    struct session *session = session_find(chat, event->conn_id);
    if (session != NULL) {
        session_end(chat, session, session_registered(chat, session));
    }
}

void session_on_lost(struct chat *chat, const struct chat_event *event)
{
    struct session *session = session_find(chat, event->conn_id);
    if (session == NULL || !session_registered(chat, session)) {
        return;
    }
    if (session->state == SESSION_LIVE || session->state == SESSION_HOLDING) {
        drain_start(chat, session, 0, true);
    } else {
        session->flags |= SESSION_LOST;
    }
}

void session_drop(struct chat *chat, struct session *session, enum chat_err err, bool unregister)
{
    struct chat_effect *effect = effect_add(chat, CHAT_FX_DROP);
    effect->conn_id = session_conn(chat, session);
    effect->err = err;
    session_end(chat, session, unregister);
}

void session_answer(struct chat *chat, struct session *session, uint8_t found)
{
    struct chat_effect *effect = effect_add(chat, CHAT_FX_SEND);
    effect->conn_id = session_conn(chat, session);
    effect->frame.kind = FRAME_END;
    effect->frame.status = found;
    effect->frame.position = session->sent;
    session_drop(chat, session, CHAT_OK, session_registered(chat, session));
}

static bool unacked_add(struct chat *chat, struct session *session, const struct chat_entry *entry)
{
    uint32_t index = chat->free_unacked;
    if (session->unacked_count == UNACKED_SESSION_MAX) {
        return false;
    }
    if (index == NONE) {
        if (chat->fresh_unacked > chat->config.unacked_max) {
            return false;
        }
        index = chat->fresh_unacked++;
    } else {
        chat->free_unacked = chat->unacked[index].next;
    }
    struct unacked *unacked = &chat->unacked[index];
    chat->unacked_count++;
    *unacked = (struct unacked){
        .id = entry->id,
        .sender = entry->user,
        .channel = entry->channel,
        .position = entry->position,
        .state = UNACKED_SENT,
        .live = entry->kind == ENTRY_LIVE,
    };
    if (session->unacked_tail == NONE) {
        session->unacked_head = index;
    } else {
        chat->unacked[session->unacked_tail].next = index;
    }
    session->unacked_tail = index;
    session->unacked_count++;
    return true;
}

bool session_send(struct chat *chat, struct session *session, const struct chat_entry *entry)
{
    bool message = entry->kind == ENTRY_MESSAGE || entry->kind == ENTRY_LIVE;
    bool streaming = session->transport == TRANSPORT_WEBSOCKET;
    if (message && streaming && !unacked_add(chat, session, entry)) {
        return false;
    }
    struct chat_effect *effect = effect_add(chat, CHAT_FX_SEND);
    effect->conn_id = session_conn(chat, session);
    effect->frame = (struct chat_frame){
        .kind = message ? FRAME_MSG : FRAME_RECEIPT,
        .msg_id = entry->id,
        .user_id = entry->user,
        .channel = entry->channel,
        .text = entry->text,
        .type = entry->type,
        .position = entry->position,
        .again = session->state == SESSION_DRAINING,
    };
    if (!message) {
        effect->frame.status = entry->kind == ENTRY_READ ? FRAME_READ : FRAME_DELIVERED;
        if (streaming && (session->flags & SESSION_UNCONFIRMED) == 0) {
            session->flags |= SESSION_UNCONFIRMED;
        }
    }
    return true;
}

void session_passed(struct session *session, uint64_t position)
{
    CHECK(position > session->sent);
    uint64_t distance = position - session->sent;
    /* Bit 0 of `beyond` says whether position + 1 went out already. */
    uint32_t beyond = distance - 1 < AHEAD_BITS ? session->ahead >> (distance - 1) : 0;
    session->sent = position;
    while ((beyond & 1) != 0) {
        session->sent++;
        beyond >>= 1;
    }
    session->ahead = beyond >> 1;
}

/* Over one connection all comes in order, so a device that has a message has what was sent before.
 * That is not all that stands before it in the inbox; what is not said by it, a PING has to ask. */
static void sent_ahead(struct chat *chat, struct session *session, const struct chat_entry *entry,
                       uint8_t distance)
{
    if (entry->kind == ENTRY_MESSAGE) {
        CHECK(chat->unacked[session->unacked_tail].id == entry->id);
        chat->unacked[session->unacked_tail].ahead = distance;
    }
    session->flags |= SESSION_UNCONFIRMED;
}

static void on_entry_live(struct chat *chat, struct session *session,
                          const struct chat_entry *entry)
{
    uint64_t distance = entry->position - session->sent;
    session->flags &= (uint8_t)~SESSION_QUIET;
    if (entry->position >> GENERATION_SHIFT != session->sent >> GENERATION_SHIFT) {
        drain_start(chat, session, 0, true);
    } else if (entry->position <= session->sent) {
        return; /* A route that was repeated, or that reading the inbox overtook. */
    } else if (distance == 1) {
        if (session_send(chat, session, entry)) {
            session_passed(session, entry->position);
        } else {
            drain_wait(chat, session);
        }
    } else if (distance - 2 >= AHEAD_BITS) {
        drain_start(chat, session, 0, false);
    } else if ((session->ahead >> (distance - 2) & 1) == 0) {
        if (session_send(chat, session, entry)) {
            session->ahead |= (uint32_t)1 << (distance - 2);
            sent_ahead(chat, session, entry, (uint8_t)distance);
        }
        drain_gap(chat, session);
    }
}

static void on_entry_holding(struct chat *chat, struct session *session,
                             const struct chat_entry *entry)
{
    if (entry->position != session->sent + 1) {
        drain_start(chat, session, session->sent, false);
        return;
    }
    bool sent = session_send(chat, session, entry);
    CHECK(sent);
    session_passed(session, entry->position);
    session_answer(chat, session, 1);
}

void session_on_routed(struct chat *chat, const struct chat_event *event)
{
    struct session *session = session_find(chat, event->conn_id);
    const struct chat_entry *entry = event->entries;
    if (session == NULL) {
        if (entry->kind != ENTRY_KICK) { /* Presence is stale: say so. */
            struct chat_effect *effect = effect_add(chat, CHAT_FX_CACHE);
            effect->op = CACHE_UNREGISTER;
            effect->user = event->user_id;
            effect->device = event->device_id;
            effect->conn_id = event->conn_id;
        }
        return;
    }
    if (entry->kind == ENTRY_KICK) {
        session_drop(chat, session, CHAT_ERR_REPLACED, false);
    } else if (entry->kind == ENTRY_LIVE) {
        if (session->transport == TRANSPORT_WEBSOCKET) {
            session_send(chat, session, entry);
        }
    } else if (session->state == SESSION_LIVE) {
        on_entry_live(chat, session, entry);
    } else if (session->state == SESSION_HOLDING) {
        on_entry_holding(chat, session, entry);
    } else {
        session->flags |= SESSION_MORE;
    }
}

void session_trim(struct chat *chat, struct session *session, uint64_t confirmed)
{
    while (session->unacked_head != NONE &&
           chat->unacked[session->unacked_head].state == UNACKED_DONE) {
        uint32_t index = session->unacked_head;
        session->unacked_head = chat->unacked[index].next;
        session->unacked_count--;
        if (session->unacked_head == NONE) {
            session->unacked_tail = NONE;
        }
        uint64_t position = chat->unacked[index].position - chat->unacked[index].ahead;
        confirmed = position > confirmed ? position : confirmed;
        unacked_free(chat, index);
    }
    for (uint32_t at = session->unacked_head; at != NONE; at = chat->unacked[at].next) {
        uint64_t position = chat->unacked[at].position;
        if (position != 0 && position <= confirmed) {
            confirmed = position - 1;
        }
    }
    session->flags &= (uint8_t)~SESSION_AGED;
    if (confirmed > session->sent) {
        confirmed = session->sent; /* Beyond a hole nothing is deleted. */
    }
    if (confirmed <= session->trimmed) {
        return;
    }
    session->trimmed = confirmed;
    if (confirmed == session->sent && session->ahead == 0) {
        session->flags &= (uint8_t)~SESSION_UNCONFIRMED;
    }
    struct chat_effect *effect = effect_add(chat, CHAT_FX_CACHE);
    effect->op = CACHE_TRIM;
    effect->user = session->user;
    effect->device = session->device;
    effect->position = confirmed;
}

void session_on_pong(struct chat *chat, struct session *session, uint64_t position)
{
    if (session->state == SESSION_LIVE || session->state == SESSION_DRAINING) {
        session_trim(chat, session, position);
    }
}

void session_ping(struct chat *chat, struct session *session)
{
    struct chat_effect *effect = effect_add(chat, CHAT_FX_SEND);
    effect->conn_id = session_conn(chat, session);
    effect->frame.kind = FRAME_PING;
    effect->frame.position = session->sent;
    effect->frame.client_key = receipts_reads(chat, session);
    if (effect->frame.client_key != 0) {
        session->flags &= (uint8_t)~SESSION_READS;
    }
}

static void session_sweep_one(struct chat *chat, struct session *session)
{
    if (session->state != SESSION_LIVE) {
        return;
    }
    receipts_resume(chat, session);
    if ((session->flags & SESSION_QUIET) != 0) {
        drain_verify(chat, session);
    }
    session->flags |= SESSION_QUIET;
    bool aged = (session->flags & SESSION_UNCONFIRMED) != 0 && (session->flags & SESSION_AGED) != 0;
    if (aged || receipts_reads(chat, session) != 0) {
        session->flags &= (uint8_t)~SESSION_AGED;
        session_ping(chat, session);
    } else if ((session->flags & SESSION_UNCONFIRMED) != 0) {
        session->flags |= SESSION_AGED;
    }
}

void session_sweep(struct chat *chat)
{
    uint64_t period_ns = (uint64_t)1 << SWEEP_SHIFT;
    if (chat->sweep_left == 0) {
        if (chat->session_count == 0 || chat->now_ns < chat->sweep_due_ns) {
            return;
        }
        chat->sweep_due_ns = chat->now_ns + period_ns;
        uint64_t share = chat->config.sessions_max * period_ns / chat->config.confirm_ns + 1;
        chat->sweep_left =
            share < chat->config.sessions_max ? (uint32_t)share : chat->config.sessions_max;
    }
    while (chat->sweep_left > 0) {
        if (effect_room(chat) < CHAT_DEVICES_MAX) {
            chat->more = true;
            return;
        }
        chat->sweep_slot = (chat->sweep_slot + 1) % chat->config.sessions_max;
        chat->sweep_left--;
        session_sweep_one(chat, session_at(chat, chat->sweep_slot));
    }
}
