#include "models/core/state.h"

#include <stddef.h>
#include <string.h>

_Static_assert(sizeof(struct session) == 64, "an idle session is one cache line");
_Static_assert(sizeof(struct flight) <= 128, "a flight is two cache lines");
_Static_assert(offsetof(struct chat, sweep_due_ns) == 128, "the third hot line");
_Static_assert(sizeof(struct chat_entry) == 56, "chat.h promises 56 bytes");

const char *chat_err_text(enum chat_err err)
{
    switch (err) {
#define CHAT_ERROR_TEXT(name, value, text)                                                         \
    case name:                                                                                     \
        return text;
        CHAT_ERRORS(CHAT_ERROR_TEXT)
#undef CHAT_ERROR_TEXT
    }
    return "no such error";
}

struct chat_config chat_config_default(uint32_t sessions_max)
{
    return (struct chat_config){
        .sequence_count = SNOWFLAKE_SEQUENCES,
        .sessions_max = sessions_max,
        .flights_max = 4096 + sessions_max / 4,
        .unacked_max = 4096 + sessions_max,
        .pages_max = 64,
        .records_max = 1024,
        .session_sends_max = 16,
        .devices_max = CHAT_DEVICES_MAX,
        .hybrid_threshold = 1000,
        .receipts = RECEIPTS_MESSAGE,
        .hold_ns = 30000000000u,
        .confirm_ns = 30000000000u,
        .gap_ns = 200000000u,
        .retry_first_ns = 50000000u,
        .retry_max_ns = 5000000000u,
        .send_tries_max = 6,
    };
}

static size_t line_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

size_t chat_size(const struct chat_config *config)
{
    return line_up(sizeof(struct chat)) + line_up(config->sessions_max * sizeof(struct session)) +
           line_up((config->flights_max + 1) * sizeof(struct flight)) +
           line_up((config->unacked_max + 1) * sizeof(struct unacked)) +
           line_up((config->pages_max + 1) * sizeof(struct page));
}

struct chat *chat_init(void *memory, const struct chat_config *config)
{
    CHECK((uintptr_t)memory % 64 == 0);
    CHECK(config->flights_max > 4 * config->records_max / 3);
    CHECK(config->records_max > 0);
    CHECK(config->devices_max > 0 && config->devices_max <= CHAT_DEVICES_MAX);
    char *at = memory;
    struct chat *chat = memory;
    chat->config = *config;
    at += line_up(sizeof *chat);
    chat->sessions = (struct session *)(void *)at;
    at += line_up(config->sessions_max * sizeof(struct session));
    chat->flights = (struct flight *)(void *)at;
    at += line_up((config->flights_max + 1) * sizeof(struct flight));
    chat->unacked = (struct unacked *)(void *)at;
    at += line_up((config->unacked_max + 1) * sizeof(struct unacked));
    chat->pages = (struct page *)(void *)at;
    chat->fresh_flight = 1;
    chat->fresh_unacked = 1;
    chat->due_tick = UINT64_MAX;
    for (uint32_t i = config->pages_max; i > 0; i--) {
        chat->pages[i].next = chat->free_page;
        chat->free_page = i;
    }
    snowflake_init(&chat->snowflake, config->machine, config->sequence_first,
                   config->sequence_count, config->reserved_until_ms);
    if (config->reserve_ms != 0) {
        chat->snowflake.reserved_ms = config->reserved_until_ms;
    }
    return chat;
}

struct chat_effect *effect_add(struct chat *chat, enum chat_effect_kind kind)
{
    CHECK(chat->effects->count < CHAT_EFFECTS_MAX);
    struct chat_effect *effect = &chat->effects->list[chat->effects->count++];
    memset(effect, 0, sizeof *effect);
    effect->kind = (uint8_t)kind;
    return effect;
}

struct chat_effect *effect_call(struct chat *chat, enum chat_effect_kind kind, enum chat_op op,
                                struct flight *flight)
{
    CHECK(!flight->armed);
    struct chat_effect *effect = effect_add(chat, kind);
    effect->op = (uint8_t)op;
    effect->token = flight_token(chat, flight);
    effect->again = flight->tries;
    effect->entry = flight->entry;
    return effect;
}

void effect_devices(struct chat *chat, struct chat_effect *effect, const struct chat_event *devices)
{
    struct chat_effects *effects = chat->effects;
    if (devices == NULL) {
        return;
    }
    CHECK(devices->count <= CHAT_DEVICES_MAX - effects->location_count);
    effect->first = effects->location_count;
    effect->count = (uint16_t)devices->count;
    for (uint32_t i = 0; i < devices->count; i++) {
        effects->locations[effects->location_count++] = devices->locations[i];
    }
}

void effect_error(struct chat *chat, uint64_t conn_id, enum chat_err err,
                  const struct chat_frame *frame)
{
    struct chat_effect *effect = effect_add(chat, CHAT_FX_SEND);
    effect->conn_id = conn_id;
    effect->frame = (struct chat_frame){
        .kind = FRAME_ERROR,
        .status = frame->kind,
        .err = err,
        .client_id = frame->client_id,
        .client_key = frame->client_key,
        .channel = frame->channel,
    };
}

static void on_frame(struct chat *chat, const struct chat_event *event)
{
    struct session *session = session_find(chat, event->conn_id);
    const struct chat_frame *frame = event->frame;
    if (session == NULL) {
        return; /* It was dropped while the frame was on its way. */
    }
    switch (frame->kind) {
    case FRAME_MSG:
    case FRAME_JOIN:
    case FRAME_LEAVE:
        ingest_on_frame(chat, session, frame);
        break;
    case FRAME_DELIVERED:
    case FRAME_READ:
        receipts_on_frame(chat, session, frame);
        break;
    case FRAME_HISTORY:
        history_on_frame(chat, session, frame);
        break;
    case FRAME_PONG:
        session_on_pong(chat, session, frame->position);
        break;
    default:
        effect_error(chat, event->conn_id, CHAT_ERR_BAD_FRAME, frame);
        break;
    }
}

static void on_done(struct chat *chat, const struct chat_event *event)
{
    uint32_t slot = (uint32_t)event->token;
    CHECK(slot > 0 && slot <= chat->config.flights_max);
    struct flight *flight = &chat->flights[slot];
    CHECK(flight->generation == event->token >> 32);
    switch ((enum flight_kind)flight->kind) {
    case FLIGHT_SEND:
        ingest_on_done(chat, flight, event);
        break;
    case FLIGHT_RECEIPT:
        receipts_on_done(chat, flight, event);
        break;
    case FLIGHT_DRAIN:
        drain_on_done(chat, flight, event);
        break;
    case FLIGHT_RECORD:
    case FLIGHT_DELIVERY:
    case FLIGHT_ROWS:
        fanout_on_done(chat, flight, event);
        break;
    case FLIGHT_PUSH:
        push_on_done(chat, flight, event);
        break;
    case FLIGHT_HISTORY:
        history_on_done(chat, flight, event);
        break;
    case FLIGHT_RESERVE:
        reserve_on_done(chat, flight, event);
        break;
    case FLIGHT_FREE:
        CHECK(!"a free flight is answered");
    }
}

bool chat_step(struct chat *chat, const struct chat_event *event, struct chat_effects *effects)
{
    CHECK(event->now_ns >= chat->now_ns);
    CHECK(!chat->more || event->kind == CHAT_EV_MORE);
    chat->now_ns = event->now_ns;
    chat->wall_ms = event->wall_ms;
    chat->effects = effects;
    chat->more = false;
    effects->count = 0;
    effects->member_count = 0;
    effects->location_count = 0;
    switch (event->kind) {
    case CHAT_EV_OPEN:
        session_on_open(chat, event);
        break;
    case CHAT_EV_RESUME:
        session_on_resume(chat, event);
        break;
    case CHAT_EV_FRAME:
        on_frame(chat, event);
        break;
    case CHAT_EV_CLOSE:
        session_on_close(chat, event);
        break;
    case CHAT_EV_LOST:
        session_on_lost(chat, event);
        break;
    case CHAT_EV_RECORD:
        fanout_on_record(chat, event);
        break;
    case CHAT_EV_ROUTED:
        session_on_routed(chat, event);
        break;
    case CHAT_EV_DONE:
        on_done(chat, event);
        break;
    case CHAT_EV_TIMER:
    case CHAT_EV_MORE:
        flight_timers(chat);
        session_sweep(chat);
        break;
    }
    if (chat->record_head != NONE) {
        fanout_pump(chat);
    }
    chat->effects = NULL;
    return chat->more;
}

static void prefetch_flight(const struct chat *chat, uint32_t slot)
{
    const char *flight = (const char *)&chat->flights[slot];
    __builtin_prefetch(flight, 1);
    __builtin_prefetch(flight + 64, 1);
}

/* An event without a token may need a new flight. */
static struct chat_touch prefetch_named(const struct chat *chat, uint64_t conn_id, uint64_t token)
{
    struct chat_touch touch = {conn_id == 0 ? NONE : (uint32_t)conn_id,
                               token == 0 ? chat->free_flight : (uint32_t)token};
    if (touch.session != NONE) {
        __builtin_prefetch(&chat->sessions[touch.session], 1);
    }
    if (touch.token != NONE) {
        prefetch_flight(chat, touch.token);
    }
    return touch;
}

struct chat_touch chat_prefetch(const struct chat *chat, uint64_t conn_id, uint64_t token,
                                uint32_t step)
{
    struct chat_touch touch = {NONE, NONE};
    if (step == 0) {
        const char *line = (const char *)chat;
        __builtin_prefetch(line, 1);
        __builtin_prefetch(line + 64, 1);
        __builtin_prefetch(line + 128, 1);
    } else if (step == 1) {
        touch = prefetch_named(chat, conn_id, token);
    } else if (token != 0) {
        const struct flight *flight = &chat->flights[(uint32_t)token];
        if (flight->session < chat->config.sessions_max) {
            touch.session = flight->session;
            __builtin_prefetch(&chat->sessions[touch.session], 1);
        }
    }
    return touch;
}

uint64_t chat_connection(const struct chat *chat, uint32_t slot)
{
    CHECK(slot < chat->config.sessions_max);
    const struct session *session = &chat->sessions[slot];
    return session->state == SESSION_FREE ? 0 : (uint64_t)session->epoch << 32 | slot;
}

uint64_t chat_due(const struct chat *chat)
{
    uint64_t due_ns = flight_due(chat);
    if (chat->session_count > 0 && chat->sweep_due_ns < due_ns) {
        due_ns = chat->sweep_due_ns;
    }
    return due_ns > chat->now_ns ? due_ns : chat->now_ns + 1;
}

/* Each record may need two flights besides its own; a quarter is kept for everything else. */
uint32_t chat_room(const struct chat *chat)
{
    uint32_t free_count = chat->config.flights_max - chat->flight_count;
    uint32_t spare = chat->config.flights_max / 4;
    uint32_t by_flights = free_count > spare ? (free_count - spare) / 3 : 0;
    uint32_t by_records = chat->config.records_max - chat->record_count;
    return by_flights < by_records ? by_flights : by_records;
}

struct chat_counts chat_counts(const struct chat *chat)
{
    return (struct chat_counts){
        .sessions = chat->session_count,
        .flights = chat->flight_count,
        .unacked = chat->unacked_count,
        .refused = chat->refused,
    };
}
