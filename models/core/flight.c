/* Flights: a pool, and a hashed wheel of timers over it. Taking, freeing, arming and disarming are
 * O(1). A flight of a later round of the wheel is passed over when its slot comes by. */
#include "models/core/state.h"

#include <string.h>

uint32_t flight_slot(const struct chat *chat, const struct flight *flight)
{
    return (uint32_t)(flight - chat->flights);
}

/* Generation 0 of slot 0 would be a token that means "not answered"; it is skipped. */
static void flight_renew(struct flight *flight)
{
    flight->generation = flight->generation == UINT32_MAX ? 1 : flight->generation + 1;
}

uint64_t flight_token(const struct chat *chat, struct flight *flight)
{
    flight_renew(flight);
    return (uint64_t)flight->generation << 32 | flight_slot(chat, flight);
}

struct flight *flight_at(struct chat *chat, uint32_t slot)
{
    CHECK(slot != NONE && slot <= chat->config.flights_max);
    return &chat->flights[slot];
}

struct flight *flight_take(struct chat *chat, enum flight_kind kind)
{
    uint32_t slot = chat->free_flight;
    if (slot == NONE) {
        if (chat->fresh_flight > chat->config.flights_max) {
            return NULL;
        }
        slot = chat->fresh_flight++;
        chat->flights[slot].generation = 1;
    } else {
        chat->free_flight = chat->flights[slot].next;
    }
    struct flight *flight = &chat->flights[slot];
    CHECK(flight->kind == FLIGHT_FREE);
    uint32_t generation = flight->generation;
    chat->flight_count++;
    memset(flight, 0, sizeof *flight);
    flight->generation = generation;
    flight->kind = (uint8_t)kind;
    return flight;
}

void flight_free(struct chat *chat, struct flight *flight)
{
    CHECK(flight->kind != FLIGHT_FREE);
    CHECK(!flight->armed);
    flight->kind = FLIGHT_FREE;
    flight_renew(flight);
    flight->next = chat->free_flight;
    chat->free_flight = flight_slot(chat, flight);
    chat->flight_count--;
}

void flight_arm(struct chat *chat, struct flight *flight, uint64_t delay_ns)
{
    CHECK(!flight->armed);
    uint64_t tick = ((chat->now_ns + delay_ns) >> TICK_SHIFT) + 1;
    uint32_t slot = (uint32_t)(tick % WHEEL_SLOTS);
    flight->armed = 1;
    chat->due_tick = tick < chat->due_tick ? tick : chat->due_tick;
    flight->due_tick = (uint32_t)tick;
    flight->timer_previous = NONE;
    flight->timer_next = chat->timer_heads[slot];
    if (flight->timer_next != NONE) {
        chat->flights[flight->timer_next].timer_previous = flight_slot(chat, flight);
    }
    chat->timer_heads[slot] = flight_slot(chat, flight);
    chat->timer_bits[slot / 64] |= (uint64_t)1 << (slot % 64);
}

void flight_disarm(struct chat *chat, struct flight *flight)
{
    if (!flight->armed) {
        return;
    }
    uint32_t slot = flight->due_tick % WHEEL_SLOTS;
    flight->armed = 0;
    if (flight->timer_next != NONE) {
        chat->flights[flight->timer_next].timer_previous = flight->timer_previous;
    }
    if (flight->timer_previous != NONE) {
        chat->flights[flight->timer_previous].timer_next = flight->timer_next;
    } else {
        chat->timer_heads[slot] = flight->timer_next;
        if (flight->timer_next == NONE) {
            chat->timer_bits[slot / 64] &= ~((uint64_t)1 << (slot % 64));
        }
    }
}

void flight_retry(struct chat *chat, struct flight *flight)
{
    uint64_t delay_ns = chat->config.retry_first_ns;
    for (uint8_t i = 0; i < flight->tries && delay_ns < chat->config.retry_max_ns; i++) {
        delay_ns *= 2;
    }
    if (delay_ns > chat->config.retry_max_ns) {
        delay_ns = chat->config.retry_max_ns;
    }
    if (flight->tries < UINT8_MAX) {
        flight->tries++;
    }
    flight_arm(chat, flight, delay_ns);
}

static void on_timer(struct chat *chat, struct flight *flight)
{
    switch ((enum flight_kind)flight->kind) {
    case FLIGHT_SEND:
        ingest_on_timer(chat, flight);
        break;
    case FLIGHT_RECEIPT:
        receipts_on_timer(chat, flight);
        break;
    case FLIGHT_DRAIN:
        drain_on_timer(chat, flight);
        break;
    case FLIGHT_RECORD:
    case FLIGHT_DELIVERY:
    case FLIGHT_ROWS:
        fanout_on_timer(chat, flight);
        break;
    case FLIGHT_PUSH:
        push_on_timer(chat, flight);
        break;
    case FLIGHT_HISTORY:
        history_on_timer(chat, flight);
        break;
    case FLIGHT_RESERVE:
        reserve_on_timer(chat, flight);
        break;
    case FLIGHT_FREE:
        CHECK(!"a free flight is armed");
    }
}

/* Fires one flight of the tick; false when it has none left. */
static bool tick_fire(struct chat *chat, uint64_t tick)
{
    uint32_t at = chat->timer_heads[tick % WHEEL_SLOTS];
    while (at != NONE && chat->flights[at].due_tick > (uint32_t)tick) {
        at = chat->flights[at].timer_next;
    }
    if (at == NONE) {
        return false;
    }
    flight_disarm(chat, &chat->flights[at]);
    on_timer(chat, &chat->flights[at]);
    return true;
}

/* The first slot of the wheel that holds anything: a bound from below for what is armed. */
static uint64_t wheel_first(const struct chat *chat)
{
    for (uint64_t distance = 0; distance < WHEEL_SLOTS;) {
        uint32_t slot = (uint32_t)((chat->tick + 1 + distance) % WHEEL_SLOTS);
        uint64_t word = chat->timer_bits[slot / 64] >> (slot % 64);
        if (word != 0) {
            distance += (uint64_t)__builtin_ctzll(word);
            return chat->tick + 1 + distance;
        }
        distance += 64 - slot % 64;
    }
    return UINT64_MAX;
}

void flight_timers(struct chat *chat)
{
    uint64_t now_tick = chat->now_ns >> TICK_SHIFT;
    /* One that is refused may take all those of its session with it. */
    uint32_t room = CHAT_DEVICES_MAX + 2 * chat->config.session_sends_max;
    /* After a long silence one round of the wheel reaches them all. */
    if (now_tick > chat->tick + WHEEL_SLOTS) {
        chat->tick = now_tick - WHEEL_SLOTS;
    }
    while (chat->tick < now_tick) {
        uint32_t slot = (uint32_t)((chat->tick + 1) % WHEEL_SLOTS);
        if ((chat->timer_bits[slot / 64] >> (slot % 64) & 1) != 0) {
            while (effect_room(chat) >= room) {
                if (!tick_fire(chat, chat->tick + 1)) {
                    break;
                }
            }
            if (effect_room(chat) < room) {
                chat->more = true;
                return;
            }
        }
        chat->tick++;
    }
    chat->due_tick = wheel_first(chat);
}

uint64_t flight_due(const struct chat *chat)
{
    return chat->due_tick == UINT64_MAX ? CHAT_NEVER : chat->due_tick << TICK_SHIFT;
}
