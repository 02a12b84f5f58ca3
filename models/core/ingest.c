/* Ingest: a message from a device becomes durable, and only then is `sent`.
 *
 *   QUEUED --> [group: MEMBER --> MEMBER_STORE] --> CLAIM --> STORE --> PUBLISH --> ack
 *      |                                             ^
 *      '-- an earlier message to this channel is     '-- NO_ID: none may be minted yet
 *          still under way
 *
 * CLAIM gives (user, device, client id) one message id, whatever gateway a retry reaches; the loser
 * takes the winner's id and stores and publishes under it, which changes nothing that was done
 * before. The ack leaves in the step that learns of PUBLISH, so it means: persisted and published.
 * One sender's messages to a channel go one after another, so that they are published in order.
 * What waits behind one that is refused for now is refused too, and so is what comes until the
 * device begins again with its oldest: SESSION_SHUT. A change of membership takes the same way
 * without a claim: storing it twice is harmless. What lies before it in the channel's log must be
 * below it by id, too, whatever the clocks say; so it asks for the newest message and for the
 * member's row, and is minted above both. With the ack nobody goes by the old list any more.
 *
 *   ... MEMBER --> NEWEST --> ROW --> STORE --> FORGET --> PUBLISH --> ack
 */
#include "models/core/state.h"

#define NO_ID_NS 20000000u

enum send_stage {
    SEND_QUEUED,
    SEND_MEMBER,
    SEND_MEMBER_STORE,
    SEND_EMPTY,  /* JOIN oneself: allowed where nobody is a member yet. */
    SEND_NEWEST, /* A change of membership: the channel's newest message. */
    SEND_ROW,    /* ... and what was last said of this member. */
    SEND_NO_ID,
    SEND_CLAIM,
    SEND_STORE,
    SEND_FORGET, /* A change of membership: the cached list. */
    SEND_PUBLISH,
};

static bool is_message(const struct flight *flight)
{
    return flight->entry.kind == ENTRY_MESSAGE;
}

static void reserve_start(struct chat *chat)
{
    uint32_t ahead_ms = chat->config.reserve_ms;
    if (ahead_ms == 0 || chat->reserve != NONE ||
        chat->wall_ms + ahead_ms / 2 < chat->snowflake.reserved_ms) {
        return;
    }
    struct flight *flight = flight_take(chat, FLIGHT_RESERVE);
    if (flight == NULL) {
        return; /* The next send tries again. */
    }
    chat->reserve = flight_slot(chat, flight);
    reserve_on_timer(chat, flight);
}

void reserve_on_timer(struct chat *chat, struct flight *flight)
{
    uint64_t from_ms = chat->wall_ms;
    if (chat->snowflake.last_ms > from_ms) {
        from_ms = chat->snowflake.last_ms;
    }
    flight->entry.position = from_ms + chat->config.reserve_ms;
    struct chat_effect *effect = effect_call(chat, CHAT_FX_STORE, STORE_RESERVE, flight);
    effect->position = flight->entry.position;
    effect->user = chat->config.machine;
}

void reserve_on_done(struct chat *chat, struct flight *flight, const struct chat_event *event)
{
    if (failed(event->err)) {
        flight_retry(chat, flight);
        return;
    }
    if (flight->entry.position > chat->snowflake.reserved_ms) {
        chat->snowflake.reserved_ms = flight->entry.position;
    }
    chat->reserve = NONE;
    flight_free(chat, flight);
}

/* Asks for what the flight's stage asks for. */
static void send_call(struct chat *chat, struct flight *flight)
{
    struct chat_effect *effect;
    uint64_t sender = flight->send.sender;
    switch ((enum send_stage)flight->stage) {
    case SEND_MEMBER:
    case SEND_MEMBER_STORE:
    case SEND_EMPTY:
        effect =
            flight->stage == SEND_MEMBER
                ? effect_call(chat, CHAT_FX_CACHE, CACHE_MEMBER, flight)
                : effect_call(chat, CHAT_FX_READ,
                              flight->stage == SEND_EMPTY ? READ_MEMBERS : READ_MEMBER, flight);
        effect->user = flight->stage == SEND_EMPTY ? 0 : sender;
        break;
    case SEND_NEWEST:
        effect = effect_call(chat, CHAT_FX_READ, READ_HISTORY, flight);
        effect->entry.id = CHAT_NEVER;
        effect->count = 1;
        break;
    case SEND_ROW:
        effect_call(chat, CHAT_FX_READ, READ_MEMBER, flight)->user = flight->entry.user;
        break;
    case SEND_CLAIM:
        effect = effect_call(chat, CHAT_FX_STORE, STORE_CLAIM, flight);
        effect->user = sender;
        effect->device = flight->entry.device;
        effect->client_id = flight->send.client_id;
        effect->client_key = flight->send.client_key;
        break;
    case SEND_STORE:
        effect = effect_call(chat, CHAT_FX_STORE, is_message(flight) ? STORE_MESSAGE : STORE_MEMBER,
                             flight);
        if (is_message(flight) && !chat_is_group(flight->entry.channel)) {
            uint64_t other = channel_other(flight->entry.channel, sender);
            /* A note to oneself is for one's other devices, if there can be any. */
            effect->user = other == sender && flight->entry.alone ? 0 : other;
        }
        break;
    case SEND_FORGET:
        effect_call(chat, CHAT_FX_CACHE, CACHE_FORGET, flight);
        break;
    case SEND_PUBLISH:
        effect = effect_add(chat, CHAT_FX_PUBLISH);
        effect->token = flight_token(chat, flight);
        effect->again = flight->tries;
        effect->entry = flight->entry;
        break;
    case SEND_QUEUED:
    case SEND_NO_ID:
        CHECK(!"these wait");
    }
}

static void send_go(struct chat *chat, struct flight *flight, enum send_stage stage)
{
    flight->stage = (uint8_t)stage;
    flight->tries = 0;
    send_call(chat, flight);
}

static void send_mint(struct chat *chat, struct flight *flight);

static void send_begin(struct chat *chat, struct flight *flight)
{
    if (chat_is_group(flight->entry.channel)) {
        send_go(chat, flight, SEND_MEMBER);
    } else {
        send_mint(chat, flight);
    }
}

static void release(struct chat *chat, struct chat_blob text, struct chat_blob client_id)
{
    if (text.handle == 0 && client_id.handle == 0) {
        return;
    }
    struct chat_effect *effect = effect_add(chat, CHAT_FX_RELEASE);
    effect->entry.text = text;
    effect->client_id = client_id;
}

static void send_end(struct chat *chat, struct flight *flight)
{
    release(chat, flight->entry.text, flight->send.client_id);
    session_work_remove(chat, flight);
    flight_free(chat, flight);
}

/* The next message of the session that waits to be sent to that channel; NULL: none. */
static struct flight *queued(struct chat *chat, const struct session *session,
                             struct chat_channel channel)
{
    for (uint32_t at = session->work_head; at != NONE; at = flight_at(chat, at)->next) {
        struct flight *flight = flight_at(chat, at);
        if (flight->kind == FLIGHT_SEND && flight->stage == SEND_QUEUED &&
            channel_equal(flight->entry.channel, channel)) {
            return flight;
        }
    }
    return NULL;
}

/* Takes the flight out of its session and lets the next message to that channel begin. */
static void send_finish(struct chat *chat, struct flight *flight)
{
    struct session *session = session_of(chat, flight);
    struct chat_channel channel = flight->entry.channel;
    send_end(chat, flight);
    struct flight *next = session == NULL ? NULL : queued(chat, session, channel);
    if (next != NULL) {
        send_begin(chat, next);
    }
}

static void refuse_one(struct chat *chat, struct flight *flight, enum chat_err err)
{
    const struct session *session = session_of(chat, flight);
    if (session != NULL) {
        struct chat_frame frame = {
            .kind = (uint8_t)(is_message(flight)                   ? FRAME_MSG
                              : flight->entry.kind == ENTRY_JOINED ? FRAME_JOIN
                                                                   : FRAME_LEAVE),
            .client_id = flight->send.client_id,
            .client_key = flight->send.client_key,
            .channel = flight->entry.channel,
        };
        effect_error(chat, session_conn(chat, session), err, &frame);
    }
}

static void send_refuse(struct chat *chat, struct flight *flight, enum chat_err err)
{
    struct session *session = session_of(chat, flight);
    struct chat_channel channel = flight->entry.channel;
    refuse_one(chat, flight, err);
    if (session == NULL || err == CHAT_ERR_FORBIDDEN) {
        send_finish(chat, flight);
        return;
    }
    session->flags |= SESSION_SHUT;
    while (flight != NULL) {
        send_end(chat, flight);
        flight = queued(chat, session, channel);
        if (flight != NULL) {
            refuse_one(chat, flight, CHAT_ERR_BUSY);
        }
    }
}

static void send_mint(struct chat *chat, struct flight *flight)
{
    reserve_start(chat);
    uint64_t id = 0;
    enum snowflake_err err =
        snowflake_mint(&chat->snowflake, chat->wall_ms, flight->send.after, &id);
    if (err == SNOWFLAKE_ERR_AHEAD) {
        send_refuse(chat, flight, CHAT_ERR_CLOCK);
    } else if (err != SNOWFLAKE_OK) {
        flight->stage = SEND_NO_ID;
        flight_arm(chat, flight, NO_ID_NS);
    } else {
        flight->entry.id = id;
        send_go(chat, flight, is_message(flight) ? SEND_CLAIM : SEND_STORE);
    }
}

static void send_acknowledge(struct chat *chat, struct flight *flight)
{
    struct session *session = session_of(chat, flight);
    if (session != NULL) {
        struct chat_effect *effect = effect_add(chat, CHAT_FX_SEND);
        effect->conn_id = session_conn(chat, session);
        effect->frame = (struct chat_frame){
            .kind = FRAME_ACK,
            .status = (uint8_t)(is_message(flight)                   ? FRAME_MSG
                                : flight->entry.kind == ENTRY_JOINED ? FRAME_JOIN
                                                                     : FRAME_LEAVE),
            .msg_id = flight->entry.id,
            .client_id = flight->send.client_id,
            .client_key = flight->send.client_key,
            .channel = flight->entry.channel,
            .text = flight->entry.text,
        };
    }
    send_finish(chat, flight);
}

/* A message this connection is sending already, or one it must wait for. */
static bool send_repeats(struct chat *chat, const struct session *session,
                         const struct chat_frame *frame, bool *wait)
{
    *wait = false;
    for (uint32_t at = session->work_head; at != NONE; at = flight_at(chat, at)->next) {
        const struct flight *other = flight_at(chat, at);
        if (other->kind != FLIGHT_SEND) {
            continue;
        }
        if (other->send.client_key == frame->client_key) {
            return true;
        }
        *wait = *wait || channel_equal(other->entry.channel, frame->channel);
    }
    return false;
}

static enum chat_err frame_check(const struct session *session, const struct chat_frame *frame)
{
    struct chat_channel channel = frame->channel;
    if (channel.first == 0) {
        return CHAT_ERR_BAD_FRAME;
    }
    if (frame->kind != FRAME_MSG) {
        return chat_is_group(channel) && frame->user_id != 0 ? CHAT_OK : CHAT_ERR_BAD_FRAME;
    }
    if (chat_is_group(channel)) {
        return CHAT_OK;
    }
    bool inside = channel.first == session->user || channel.second == session->user;
    return !inside                          ? CHAT_ERR_FORBIDDEN
           : channel.first > channel.second ? CHAT_ERR_BAD_FRAME
                                            : CHAT_OK;
}

void ingest_on_frame(struct chat *chat, struct session *session, const struct chat_frame *frame)
{
    bool wait = false;
    uint64_t conn_id = session_conn(chat, session);
    enum chat_err err = frame_check(session, frame);
    if (frame->kind == FRAME_MSG && frame->status == 0) {
        session->flags &= (uint8_t)~SESSION_SHUT;
    } else if (frame->kind == FRAME_MSG && (session->flags & SESSION_SHUT) != 0) {
        err = err == CHAT_OK ? CHAT_ERR_BUSY : err;
    }
    if (err == CHAT_OK && send_repeats(chat, session, frame, &wait)) {
        release(chat, frame->text, frame->client_id);
        return;
    }
    struct flight *flight = NULL;
    if (err == CHAT_OK && session_asked(chat, session) < chat->config.session_sends_max) {
        flight = flight_take(chat, FLIGHT_SEND);
    }
    if (flight == NULL) {
        err = err == CHAT_OK ? CHAT_ERR_BUSY : err;
        session->flags |= err == CHAT_ERR_BUSY && frame->kind == FRAME_MSG ? SESSION_SHUT : 0;
        chat->refused++;
        effect_error(chat, conn_id, err, frame);
        release(chat, frame->text, frame->client_id);
        return;
    }
    bool message = frame->kind == FRAME_MSG;
    flight->entry = (struct chat_entry){
        .kind = (uint8_t)(message                     ? ENTRY_MESSAGE
                          : frame->kind == FRAME_JOIN ? ENTRY_JOINED
                                                      : ENTRY_LEFT),
        .user = message ? session->user : frame->user_id,
        .device = session->device,
        .channel = frame->channel,
        .text = frame->text,
        .type = frame->type,
        .alone = chat->config.devices_max == 1,
    };
    flight->send.client_id = frame->client_id;
    flight->send.client_key = frame->client_key;
    flight->send.after = frame->msg_id;
    flight->send.sender = session->user;
    session_work_add(chat, session, flight);
    if (wait) {
        flight->stage = SEND_QUEUED;
    } else {
        send_begin(chat, flight);
    }
}

static void mint_above(struct flight *flight, uint64_t id)
{
    flight->send.after = id != CHAT_NEVER && id > flight->send.after ? id : flight->send.after;
}

/* Who sent it may do so. */
static void send_admit(struct chat *chat, struct flight *flight)
{
    if (is_message(flight)) {
        send_mint(chat, flight);
    } else {
        send_go(chat, flight, SEND_NEWEST);
    }
}

static void on_member(struct chat *chat, struct flight *flight, const struct chat_event *event)
{
    bool member = event->err == CHAT_OK && event->count > 0 &&
                  event->members[0].user == flight->send.sender &&
                  event->members[0].left == CHAT_NEVER;
    bool joining_oneself =
        flight->entry.kind == ENTRY_JOINED && flight->entry.user == flight->send.sender;
    if (flight->stage == SEND_EMPTY) {
        if (event->count == 0) {
            send_admit(chat, flight);
        } else {
            send_refuse(chat, flight, CHAT_ERR_FORBIDDEN);
        }
    } else if (member) {
        mint_above(flight, event->members[0].joined);
        send_admit(chat, flight);
    } else if (event->err == CHAT_ERR_MISSING && flight->stage == SEND_MEMBER) {
        send_go(chat, flight, SEND_MEMBER_STORE);
    } else if (joining_oneself) {
        send_go(chat, flight, SEND_EMPTY);
    } else {
        send_refuse(chat, flight, CHAT_ERR_FORBIDDEN);
    }
}

void ingest_on_done(struct chat *chat, struct flight *flight, const struct chat_event *event)
{
    if (failed(event->err)) {
        if (flight->tries >= chat->config.send_tries_max) {
            send_refuse(chat, flight, CHAT_ERR_UNAVAILABLE);
        } else {
            flight_retry(chat, flight);
        }
        return;
    }
    switch ((enum send_stage)flight->stage) {
    case SEND_MEMBER:
    case SEND_MEMBER_STORE:
    case SEND_EMPTY:
        on_member(chat, flight, event);
        break;
    case SEND_NEWEST:
        mint_above(flight, event->count > 0 ? event->entries[0].id : 0);
        send_go(chat, flight, SEND_ROW);
        break;
    case SEND_ROW:
        mint_above(flight, event->count > 0 ? event->members[0].joined : 0);
        mint_above(flight, event->count > 0 ? event->members[0].left : 0);
        send_mint(chat, flight);
        break;
    case SEND_CLAIM:
        if (event->err == CHAT_ERR_EXISTS) {
            CHECK(event->value != 0);
            flight->entry.id = event->value;
            snowflake_observe(&chat->snowflake, event->value);
        }
        send_go(chat, flight, SEND_STORE);
        break;
    case SEND_STORE:
        send_go(chat, flight, is_message(flight) ? SEND_PUBLISH : SEND_FORGET);
        break;
    case SEND_FORGET:
        send_go(chat, flight, SEND_PUBLISH);
        break;
    case SEND_PUBLISH:
        send_acknowledge(chat, flight);
        break;
    case SEND_QUEUED:
    case SEND_NO_ID:
        CHECK(!"nothing was asked for");
    }
}

void ingest_on_timer(struct chat *chat, struct flight *flight)
{
    if (flight->stage == SEND_NO_ID) {
        send_mint(chat, flight);
    } else {
        send_call(chat, flight);
    }
}

void ingest_drop_waiting(struct chat *chat, struct flight *flight)
{
    if (flight->kind == FLIGHT_SEND && flight->stage == SEND_QUEUED) {
        release(chat, flight->entry.text, flight->send.client_id);
        flight_free(chat, flight);
    }
}
