/* History: a page of a channel, newest first, before a cursor.
 *
 *   [group: MEMBER --> MEMBER_STORE] --> ROWS --> the messages, then END with the next cursor
 *
 * Who may see a message is decided by its id, as in fan-out: joined before it, not left before it.
 */
#include "models/core/state.h"

enum history_stage { HISTORY_MEMBER, HISTORY_MEMBER_STORE, HISTORY_ROWS };

static void history_call(struct chat *chat, struct flight *flight)
{
    struct chat_effect *effect;
    switch ((enum history_stage)flight->stage) {
    case HISTORY_MEMBER:
        effect = effect_call(chat, CHAT_FX_CACHE, CACHE_MEMBER, flight);
        effect->user = flight->entry.user;
        break;
    case HISTORY_MEMBER_STORE:
        effect = effect_call(chat, CHAT_FX_READ, READ_MEMBER, flight);
        effect->user = flight->entry.user;
        break;
    case HISTORY_ROWS:
        effect = effect_call(chat, CHAT_FX_READ, READ_HISTORY, flight);
        effect->count = (uint16_t)flight->history.limit;
        break;
    }
}

static void history_go(struct chat *chat, struct flight *flight, enum history_stage stage)
{
    flight->stage = (uint8_t)stage;
    flight->tries = 0;
    history_call(chat, flight);
}

void history_on_frame(struct chat *chat, struct session *session, const struct chat_frame *frame)
{
    uint64_t conn_id = session_conn(chat, session);
    bool group = chat_is_group(frame->channel);
    bool inside = frame->channel.first == session->user || frame->channel.second == session->user;
    if (frame->channel.first == 0 || (!group && !inside)) {
        effect_error(chat, conn_id, CHAT_ERR_FORBIDDEN, frame);
        return;
    }
    struct flight *flight = NULL;
    if (session_asked(chat, session) < chat->config.session_sends_max) {
        flight = flight_take(chat, FLIGHT_HISTORY);
    }
    if (flight == NULL) {
        chat->refused++;
        effect_error(chat, conn_id, CHAT_ERR_BUSY, frame);
        return;
    }
    uint32_t limit = frame->limit == 0 ? 20 : frame->limit;
    flight->entry.id = frame->msg_id == 0 ? CHAT_NEVER : frame->msg_id;
    flight->entry.user = session->user;
    flight->entry.channel = frame->channel;
    flight->entry.text = frame->text;
    flight->history.limit = limit < CHAT_DRAIN_MAX ? limit : CHAT_DRAIN_MAX;
    flight->history.left = CHAT_NEVER;
    session_work_add(chat, session, flight);
    history_go(chat, flight, group ? HISTORY_MEMBER : HISTORY_ROWS);
}

static void history_finish(struct chat *chat, struct flight *flight)
{
    session_work_remove(chat, flight);
    flight_free(chat, flight);
}

static void history_refuse(struct chat *chat, struct flight *flight, enum chat_err err)
{
    struct session *session = session_of(chat, flight);
    if (session != NULL) {
        struct chat_frame frame = {.kind = FRAME_HISTORY, .channel = flight->entry.channel};
        effect_error(chat, session_conn(chat, session), err, &frame);
    }
    history_finish(chat, flight);
}

static void history_answer(struct chat *chat, struct flight *flight, struct session *session,
                           const struct chat_event *event)
{
    uint64_t conn_id = session_conn(chat, session);
    uint64_t cursor = 0;
    for (uint32_t i = 0; i < event->count; i++) {
        const struct chat_entry *entry = &event->entries[i];
        cursor = entry->id;
        if (entry->id < flight->history.joined || entry->id >= flight->history.left) {
            continue;
        }
        struct chat_effect *effect = effect_add(chat, CHAT_FX_SEND);
        effect->conn_id = conn_id;
        effect->frame = (struct chat_frame){
            .kind = FRAME_MSG,
            .msg_id = entry->id,
            .user_id = entry->user,
            .channel = entry->channel,
            .text = entry->text,
            .type = entry->type,
            .again = 1,
            .status = FRAME_HISTORY,
        };
    }
    struct chat_effect *effect = effect_add(chat, CHAT_FX_SEND);
    effect->conn_id = conn_id;
    effect->frame = (struct chat_frame){
        .kind = FRAME_END,
        .status = FRAME_HISTORY,
        .channel = flight->entry.channel,
        .text = flight->entry.text,
        /* Fewer than asked for: there is nothing before. */
        .msg_id = event->count == flight->history.limit ? cursor : 0,
    };
}

static void on_member(struct chat *chat, struct flight *flight, const struct chat_event *event)
{
    if (event->err == CHAT_ERR_MISSING && flight->stage == HISTORY_MEMBER) {
        history_go(chat, flight, HISTORY_MEMBER_STORE);
    } else if (event->err != CHAT_OK || event->count == 0) {
        history_refuse(chat, flight, CHAT_ERR_FORBIDDEN);
    } else {
        flight->history.joined = event->members[0].joined;
        flight->history.left = event->members[0].left;
        history_go(chat, flight, HISTORY_ROWS);
    }
}

void history_on_done(struct chat *chat, struct flight *flight, const struct chat_event *event)
{
    struct session *session = session_of(chat, flight);
    if (session == NULL) {
        history_finish(chat, flight);
    } else if (failed(event->err)) {
        if (flight->tries >= chat->config.send_tries_max) {
            history_refuse(chat, flight, CHAT_ERR_UNAVAILABLE);
        } else {
            flight_retry(chat, flight);
        }
    } else if (flight->stage == HISTORY_ROWS) {
        history_answer(chat, flight, session, event);
        history_finish(chat, flight);
    } else {
        on_member(chat, flight, event);
    }
}

void history_on_timer(struct chat *chat, struct flight *flight)
{
    if (session_of(chat, flight) == NULL) {
        history_finish(chat, flight);
    } else {
        history_call(chat, flight);
    }
}
