/* Receipts: a device says that a message is here, or was read, and its sender learns of it.
 *
 *   [LOOKUP: who sent it? | WINDOW] --> STORE --> [CURSOR] --> APPEND --> inbox trimmed
 *                                                       ^ |
 *                                                       '-DEVICES: the cache does not know the
 * sender
 *
 * The receipt row is durable before the sender's devices are told, and the message leaves the
 * recipient's inbox only after both: a gateway that dies between them is repaired by delivering the
 * message again. The way to the sender is the sender's own inbox, so a receipt reaches a device
 * that is offline. By watermark, one receipt stands for all earlier messages of its sender in the
 * channel, and those that come while it waits (window_ns) or is being stored are folded into it. */
#include "models/core/state.h"

#define WORK_MAX 96u /* Sends and receipts of one connection. */
#define LOOKUPS 3u   /* A row may be a moment later than its message. */
#define ORPHAN_TRIES 8u
#define READS_TOLD 8u /* So many READs heard are told of before the next look at the session. */

enum receipt_stage {
    RECEIPT_LOOKUP,
    RECEIPT_WINDOW, /* A watermark waits for others. */
    RECEIPT_STORE,
    RECEIPT_CURSOR,
    RECEIPT_APPEND,
    RECEIPT_DEVICES,
    RECEIPT_CHAINED, /* Behind another receipt of the same poll. */
};

static void receipt_call(struct chat *chat, struct flight *flight, const struct chat_event *devices)
{
    struct chat_effect *effect;
    switch ((enum receipt_stage)flight->stage) {
    case RECEIPT_LOOKUP:
        effect = effect_call(chat, CHAT_FX_READ, READ_RECEIPT, flight);
        effect->user = flight->entry.user;
        break;
    case RECEIPT_STORE:
        effect = effect_call(chat, CHAT_FX_STORE, STORE_RECEIPT, flight);
        effect->user = flight->receipt.sender;
        effect->device = flight->entry.device;
        break;
    case RECEIPT_CURSOR:
        effect = effect_call(chat, CHAT_FX_STORE, STORE_CURSOR, flight);
        effect->user = flight->entry.user;
        effect->device = flight->entry.device;
        break;
    case RECEIPT_APPEND:
        effect = effect_call(chat, CHAT_FX_CACHE, CACHE_APPEND, flight);
        effect->user = flight->receipt.sender;
        effect->entry.position = 0;
        effect_devices(chat, effect, devices);
        break;
    case RECEIPT_DEVICES:
        effect = effect_call(chat, CHAT_FX_READ, READ_DEVICES, flight);
        effect->user = flight->receipt.sender;
        break;
    case RECEIPT_WINDOW:
    case RECEIPT_CHAINED:
        CHECK(!"it waits");
    }
}

static void receipt_go(struct chat *chat, struct flight *flight, enum receipt_stage stage)
{
    flight->stage = (uint8_t)stage;
    flight->tries = 0;
    receipt_call(chat, flight, NULL);
}

/* A message may be sent twice over one connection, when it stands in the inbox twice. The device
 * says DELIVERED of each copy, and only so is it known that what was sent before that copy is
 * there. The first copy of which nothing was said, else the first; NULL: there is none. */
static struct unacked *unacked_find(struct chat *chat, const struct session *session, uint64_t id)
{
    struct unacked *first = NULL;
    for (uint32_t at = session->unacked_head; at != NONE; at = chat->unacked[at].next) {
        struct unacked *u = &chat->unacked[at];
        if (u->id == id && u->state == UNACKED_SENT) {
            return u;
        }
        first = first == NULL && u->id == id ? u : first;
    }
    return first;
}

/* By watermark, what was sent to the device before `u`, of the same sender and channel, and lower.
 */
static bool unacked_covers(const struct chat *chat, const struct unacked *u,
                           const struct unacked *earlier)
{
    return chat->config.receipts == RECEIPTS_WATERMARK && earlier->id < u->id &&
           earlier->sender == u->sender && channel_equal(earlier->channel, u->channel);
}

/* `u` is being stored, and what it covers. */
static void unacked_storing(struct chat *chat, const struct session *session, struct unacked *u)
{
    for (uint32_t at = session->unacked_head; &chat->unacked[at] != u;) {
        struct unacked *earlier = &chat->unacked[at];
        CHECK(at != NONE);
        at = earlier->next;
        if (unacked_covers(chat, u, earlier) && earlier->state < UNACKED_STORING) {
            earlier->state = UNACKED_STORING;
        }
    }
    if (u->state < UNACKED_STORING) {
        u->state = UNACKED_STORING;
    }
}

/* By watermark, a receipt that took in a later message settles the copies of the first, too, also
 * those sent behind that one. Returns the highest position that they confirm, or `position`. */
static uint64_t copies_done(struct chat *chat, const struct session *session, uint64_t position)
{
    for (uint32_t at = session->unacked_head; at != NONE; at = chat->unacked[at].next) {
        struct unacked *u = &chat->unacked[at];
        for (uint32_t i = session->unacked_head; u->state == UNACKED_STORING && i != at;) {
            const struct unacked *first = &chat->unacked[i];
            i = first->next;
            if (first->id == u->id && first->state == UNACKED_DONE) {
                uint64_t through = u->position - u->ahead;
                u->state = UNACKED_DONE;
                position = through > position ? through : position;
            }
        }
    }
    return position;
}

/* The receipt is durable, of all copies that it was said of. Returns up to which inbox position it
 * says that all is there. */
static uint64_t unacked_done(struct chat *chat, const struct session *session, uint64_t id)
{
    uint64_t position = 0;
    struct unacked *last = NULL;
    for (uint32_t at = session->unacked_head; at != NONE; at = chat->unacked[at].next) {
        struct unacked *u = &chat->unacked[at];
        last = u->id == id && u->state == UNACKED_STORING ? u : last;
    }
    for (uint32_t at = session->unacked_head; last != NULL; at = chat->unacked[at].next) {
        struct unacked *u = &chat->unacked[at];
        if (u->state == UNACKED_STORING && (u->id == id || unacked_covers(chat, last, u))) {
            uint64_t through = u->position - u->ahead;
            u->state = UNACKED_DONE;
            position = through > position ? through : position;
        }
        last = u == last ? NULL : last;
    }
    return chat->config.receipts == RECEIPTS_WATERMARK ? copies_done(chat, session, position)
                                                       : position;
}

/* DELIVERED was said of this copy. True: its receipt is durable or on the way, by another copy. */
static bool said_before(struct chat *chat, struct session *session, struct unacked *said)
{
    if (said->state != UNACKED_SENT) {
        return true;
    }
    uint8_t state = UNACKED_SENT;
    for (uint32_t at = session->unacked_head; at != NONE; at = chat->unacked[at].next) {
        const struct unacked *u = &chat->unacked[at];
        state = u->id == said->id && u->state > state ? u->state : state;
    }
    said->state = state;
    if (state == UNACKED_DONE) {
        session_trim(chat, session, said->position - said->ahead);
    }
    return state != UNACKED_SENT;
}

/* Was the message `id` sent to the device before `u`, and is not settled yet? */
static bool unacked_before(const struct chat *chat, const struct session *session, uint64_t id,
                           const struct unacked *u)
{
    uint32_t at = session->unacked_head;
    while (&chat->unacked[at] != u && chat->unacked[at].id != id) {
        at = chat->unacked[at].next;
    }
    return &chat->unacked[at] != u;
}

/* A receipt of this kind, of an earlier message, that can still take this one in. */
static struct flight *receipt_open(struct chat *chat, const struct session *session,
                                   const struct unacked *u, uint8_t kind)
{
    if (chat->config.receipts != RECEIPTS_WATERMARK) {
        return NULL;
    }
    for (uint32_t at = session->work_head; at != NONE; at = flight_at(chat, at)->next) {
        struct flight *flight = flight_at(chat, at);
        bool open = flight->stage == RECEIPT_STORE || flight->stage == RECEIPT_WINDOW;
        if (flight->kind == FLIGHT_RECEIPT && open && flight->entry.kind == kind &&
            flight->entry.id < u->id && flight->receipt.sender == u->sender &&
            channel_equal(flight->entry.channel, u->channel) &&
            unacked_before(chat, session, flight->entry.id, u)) {
            return flight;
        }
    }
    return NULL;
}

static struct flight *receipt_take(struct chat *chat, struct session *session, uint64_t id,
                                   uint8_t kind, struct chat_blob mark)
{
    if (session->work_count >= WORK_MAX) {
        return NULL;
    }
    struct flight *flight = flight_take(chat, FLIGHT_RECEIPT);
    if (flight != NULL) {
        flight->entry.id = id;
        flight->entry.user = session->user;
        flight->entry.device = session->device;
        flight->entry.kind = kind;
        flight->entry.text = mark;
        session_work_add(chat, session, flight);
    }
    return flight;
}

uint16_t receipts_reads(struct chat *chat, const struct session *session)
{
    if ((session->flags & SESSION_READS) == 0) {
        return 0;
    }
    for (uint32_t at = session->work_head; at != NONE; at = flight_at(chat, at)->next) {
        const struct flight *flight = flight_at(chat, at);
        if (flight->kind == FLIGHT_RECEIPT && flight->entry.kind == ENTRY_READ) {
            return 0;
        }
    }
    return session->reads;
}

static void receipt_begin(struct chat *chat, const struct session *session, struct flight *flight,
                          struct unacked *u)
{
    flight->entry.channel = u->channel;
    flight->receipt.sender = u->sender;
    flight->receipt.live = u->live;
    if (flight->entry.kind == ENTRY_DELIVERED) { /* A READ may be of what came long before. */
        unacked_storing(chat, session, u);
    }
    if (chat->config.receipts == RECEIPTS_WATERMARK && chat->config.window_ns > 0) {
        flight->stage = RECEIPT_WINDOW;
        flight_arm(chat, flight, chat->config.window_ns);
    } else {
        receipt_go(chat, flight, RECEIPT_STORE);
    }
}

void receipts_on_frame(struct chat *chat, struct session *session, const struct chat_frame *frame)
{
    uint8_t kind = frame->kind == FRAME_READ ? ENTRY_READ : ENTRY_DELIVERED;
    struct unacked *u = unacked_find(chat, session, frame->msg_id);
    if (kind == ENTRY_READ && session->transport == TRANSPORT_WEBSOCKET) {
        session->reads = session->reads == UINT16_MAX ? 1 : (uint16_t)(session->reads + 1);
        session->flags |= SESSION_READS;
    }
    if (frame->msg_id == 0) {
        effect_error(chat, session_conn(chat, session), CHAT_ERR_BAD_FRAME, frame);
        return;
    }
    if (kind == ENTRY_DELIVERED && u != NULL && said_before(chat, session, u)) {
        return;
    }
    struct flight *open = u == NULL ? NULL : receipt_open(chat, session, u, kind);
    if (open != NULL) {
        open->entry.id = frame->msg_id;
        open->receipt.again = open->stage == RECEIPT_STORE;
        if (kind == ENTRY_DELIVERED) {
            unacked_storing(chat, session, u);
        }
        return;
    }
    struct flight *flight = receipt_take(chat, session, frame->msg_id, kind, frame->text);
    if (flight == NULL && kind == ENTRY_DELIVERED && u != NULL) {
        u->state = UNACKED_WAITING; /* A device says it once. */
        return;
    }
    if (flight == NULL) {
        chat->refused++;
        effect_error(chat, session_conn(chat, session), CHAT_ERR_BUSY, frame);
        return;
    }
    if (u == NULL) {
        receipt_go(chat, flight, RECEIPT_LOOKUP);
        return;
    }
    receipt_begin(chat, session, flight, u);
}

void receipts_resume(struct chat *chat, struct session *session)
{
    uint32_t at = session->unacked_head;
    while (at != NONE && chat->unacked[at].state != UNACKED_WAITING) {
        at = chat->unacked[at].next;
    }
    if (at != NONE) {
        struct unacked *u = &chat->unacked[at];
        struct flight *flight =
            receipt_take(chat, session, u->id, ENTRY_DELIVERED, (struct chat_blob){0});
        if (flight != NULL) {
            receipt_begin(chat, session, flight, u);
        }
    }
}

bool receipts_on_since(struct chat *chat, const struct session *session,
                       const struct chat_entry *entry, uint32_t *chain)
{
    struct flight *flight = flight_take(chat, FLIGHT_RECEIPT);
    if (flight == NULL) {
        return false;
    }
    flight->entry = *entry;
    flight->entry.text = (struct chat_blob){0};
    flight->entry.kind = ENTRY_DELIVERED;
    flight->entry.user = session->user;
    flight->entry.device = session->device;
    flight->receipt.sender = entry->user;
    flight->receipt.poll = 1;
    flight->epoch = 0; /* Of no session: its request ends before it does. */
    flight->session = session_slot(chat, session);
    if (*chain == NONE) {
        receipt_go(chat, flight, RECEIPT_STORE);
    } else {
        flight->stage = RECEIPT_CHAINED;
        flight_at(chat, *chain)->receipt.chain = flight_slot(chat, flight);
    }
    *chain = flight_slot(chat, flight);
    return true;
}

static void receipt_free(struct chat *chat, struct flight *flight)
{
    session_work_remove(chat, flight);
    flight_free(chat, flight);
}

/* Gives up a receipt and those chained behind it. Nothing was trimmed, so they come again. */
static void receipt_abandon(struct chat *chat, struct flight *flight)
{
    while (flight != NULL) {
        uint32_t chain = flight->receipt.chain;
        receipt_free(chat, flight);
        flight = chain == NONE ? NULL : flight_at(chat, chain);
    }
}

/* Stored, and on its way to the sender: now the recipient's inbox can let go of the message. */
static void receipt_finish(struct chat *chat, struct flight *flight)
{
    struct session *session = session_of(chat, flight);
    if (flight->receipt.poll) {
        uint32_t chain = flight->receipt.chain;
        struct chat_effect *effect = effect_add(chat, CHAT_FX_CACHE);
        effect->op = CACHE_TRIM;
        effect->user = flight->entry.user;
        effect->device = flight->entry.device;
        effect->position = flight->entry.position;
        flight_free(chat, flight);
        if (chain != NONE) {
            receipt_go(chat, flight_at(chat, chain), RECEIPT_STORE);
        }
        return;
    }
    bool read = flight->entry.kind == ENTRY_READ;
    if (session != NULL && !read) {
        session_trim(chat, session, unacked_done(chat, session, flight->entry.id));
    }
    if (session != NULL && session->state == SESSION_POSTING && read) {
        struct chat_effect *effect = effect_add(chat, CHAT_FX_SEND);
        effect->conn_id = session_conn(chat, session);
        effect->frame.kind = FRAME_ACK;
        effect->frame.status = FRAME_READ;
        effect->frame.msg_id = flight->entry.id;
    }
    receipt_free(chat, flight);
    if (session != NULL) {
        receipts_resume(chat, session);
        if (read && session->reads % READS_TOLD == 0 && receipts_reads(chat, session) != 0) {
            session_ping(chat, session);
        }
    }
}

static void on_stored(struct chat *chat, struct flight *flight)
{
    if (flight->receipt.again) {
        flight->receipt.again = 0;
        receipt_go(chat, flight, RECEIPT_STORE);
    } else if (flight->stage == RECEIPT_STORE && flight->receipt.live) {
        receipt_go(chat, flight, RECEIPT_CURSOR);
    } else if (flight->receipt.sender == flight->entry.user) {
        receipt_finish(chat, flight); /* One's own message, shown on another device. */
    } else {
        receipt_go(chat, flight, RECEIPT_APPEND);
    }
}

static void on_looked_up(struct chat *chat, struct flight *flight, const struct chat_event *event)
{
    if (event->err == CHAT_ERR_MISSING || event->count == 0) {
        struct session *session = session_of(chat, flight);
        if (flight->tries < LOOKUPS && session != NULL) {
            flight_retry(chat, flight);
            return;
        }
        if (session != NULL) { /* No such message, or somebody else's: the answer is the same. */
            struct chat_frame frame = {.kind = flight->entry.kind == ENTRY_READ ? FRAME_READ
                                                                                : FRAME_DELIVERED};
            effect_error(chat, session_conn(chat, session), CHAT_ERR_FORBIDDEN, &frame);
        }
        receipt_free(chat, flight);
        return;
    }
    flight->entry.channel = event->entries[0].channel;
    flight->receipt.sender = event->entries[0].user;
    receipt_go(chat, flight, RECEIPT_STORE);
}

static void on_appended(struct chat *chat, struct flight *flight, const struct chat_event *event)
{
    if (event->err == CHAT_ERR_MISSING) {
        receipt_go(chat, flight, RECEIPT_DEVICES);
        return;
    }
    fanout_locations(chat, &flight->entry, event);
    receipt_finish(chat, flight);
}

static void on_devices(struct chat *chat, struct flight *flight, const struct chat_event *event)
{
    if (event->err == CHAT_ERR_MISSING || event->count == 0) {
        receipt_finish(chat, flight); /* The row holds it; there is no device to tell. */
        return;
    }
    flight->stage = RECEIPT_APPEND;
    receipt_call(chat, flight, event);
}

void receipts_on_done(struct chat *chat, struct flight *flight, const struct chat_event *event)
{
    if (failed(event->err)) {
        bool orphan = session_of(chat, flight) == NULL;
        if (orphan && flight->tries >= ORPHAN_TRIES) {
            receipt_abandon(chat, flight);
        } else {
            flight_retry(chat, flight);
        }
        return;
    }
    switch ((enum receipt_stage)flight->stage) {
    case RECEIPT_LOOKUP:
        on_looked_up(chat, flight, event);
        break;
    case RECEIPT_STORE:
    case RECEIPT_CURSOR:
        on_stored(chat, flight);
        break;
    case RECEIPT_APPEND:
        on_appended(chat, flight, event);
        break;
    case RECEIPT_DEVICES:
        on_devices(chat, flight, event);
        break;
    case RECEIPT_WINDOW:
    case RECEIPT_CHAINED:
        CHECK(!"nothing was asked for");
    }
}

void receipts_on_timer(struct chat *chat, struct flight *flight)
{
    if (flight->stage == RECEIPT_WINDOW) {
        receipt_go(chat, flight, RECEIPT_STORE);
    } else {
        receipt_call(chat, flight, NULL);
    }
}
