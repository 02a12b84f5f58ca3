#ifndef TESTS_UNIT_CORE_BED_H
#define TESTS_UNIT_CORE_BED_H

/* The core by example: each test hands it events, and looks at the effects. What it does against
 * whole worlds, with everything going wrong, is the swarm's to find out. */
#include "models/core/chat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WALL_MS 1764000000000u
#define ALICE 1u
#define BOB 2u
#define CONN(slot) ((uint64_t)7 << 32 | (slot))
#define AT(n) ((uint64_t)1 << 40 | (n))
#define GROUP ((struct chat_channel){99, 0})

struct bench {
    struct chat_config config;
    struct chat *chat;
    uint64_t now_ns;
    uint64_t wall_ms;
    bool more;
    struct chat_effects effects;
};

static inline struct bench *bench_create(const struct chat_config *config)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->config = *config;
    bench->now_ns = 1000000000u;
    bench->wall_ms = WALL_MS;
    size_t size = (chat_size(config) + 63) / 64 * 64;
    void *memory = aligned_alloc(64, size);
    assert_non_null(memory);
    memset(memory, 0, size);
    bench->chat = chat_init(memory, config);
    return bench;
}

static inline struct chat_config small(void)
{
    struct chat_config config = chat_config_default(8);
    config.gateway = 5;
    config.machine = 3;
    return config;
}

static inline void bench_destroy(struct bench *bench)
{
    free(bench->chat);
    free(bench);
}

static inline void step(struct bench *bench, struct chat_event event)
{
    event.now_ns = bench->now_ns += 1000;
    event.wall_ms = bench->wall_ms;
    bench->more = chat_step(bench->chat, &event, &bench->effects);
}

/* The n-th effect, from 0, of this kind and, unless it is 0, of this op; NULL: there are fewer. */
static inline struct chat_effect *find(struct bench *bench, enum chat_effect_kind kind, uint8_t op,
                                       uint32_t n)
{
    for (uint32_t i = 0; i < bench->effects.count; i++) {
        struct chat_effect *effect = &bench->effects.list[i];
        if (effect->kind == kind && (op == 0 || effect->op == op) && n-- == 0) {
            return effect;
        }
    }
    return NULL;
}

static inline struct chat_effect *expect(struct bench *bench, enum chat_effect_kind kind,
                                         uint8_t op)
{
    struct chat_effect *effect = find(bench, kind, op, 0);
    assert_non_null(effect);
    return effect;
}

static const struct chat_frame *sent(struct bench *bench, enum chat_frame_kind kind, uint32_t n)
{
    for (uint32_t i = 0; i < bench->effects.count; i++) {
        const struct chat_effect *effect = &bench->effects.list[i];
        if (effect->kind == CHAT_FX_SEND && effect->frame.kind == kind && n-- == 0) {
            return &effect->frame;
        }
    }
    return NULL;
}

static inline uint64_t done(struct bench *bench, uint64_t token, int32_t err)
{
    step(bench, (struct chat_event){.kind = CHAT_EV_DONE, .token = token, .err = err});
    return token;
}

/* Time passes, in steps of the timer wheel, until something is asked for. */
static inline void wait_for(struct bench *bench, enum chat_effect_kind kind, uint8_t op)
{
    for (uint32_t i = 0; i < 10000; i++) {
        bench->now_ns += 10000000u;
        step(bench, (struct chat_event){.kind = CHAT_EV_TIMER});
        if (find(bench, kind, op, 0) != NULL) {
            return;
        }
    }
    fail_msg("effect %d/%d is never asked for", kind, op);
}

static inline void resume(struct bench *bench, uint32_t slot, uint64_t user, uint64_t position)
{
    step(bench, (struct chat_event){.kind = CHAT_EV_RESUME,
                                    .conn_id = CONN(slot),
                                    .user_id = user,
                                    .device_id = 1,
                                    .since = position});
}

static inline void say(struct bench *bench, uint32_t slot, const struct chat_frame *frame)
{
    step(bench, (struct chat_event){.kind = CHAT_EV_FRAME, .conn_id = CONN(slot), .frame = frame});
}

static inline void write_to(struct bench *bench, uint32_t slot, struct chat_channel channel,
                            uint64_t key)
{
    const struct chat_frame frame = {
        .kind = FRAME_MSG, .channel = channel, .text = {1, 10}, .client_key = key};
    say(bench, slot, &frame);
}

/* As write_to(), while an earlier one of the device is not acknowledged. */
static inline void write_behind(struct bench *bench, uint32_t slot, struct chat_channel channel,
                                uint64_t key)
{
    const struct chat_frame frame = {
        .kind = FRAME_MSG, .channel = channel, .text = {1, 10}, .client_key = key, .status = 1};
    say(bench, slot, &frame);
}

static inline void say_of(struct bench *bench, enum chat_frame_kind kind, uint64_t id)
{
    const struct chat_frame frame = {.kind = (uint8_t)kind, .msg_id = id};
    say(bench, 0, &frame);
}

/* An entry is routed to slot 0. */
static inline void route(struct bench *bench, uint8_t kind, uint64_t id, uint64_t position)
{
    const struct chat_entry entry = {.kind = kind,
                                     .id = id,
                                     .user = BOB,
                                     .device = 1,
                                     .channel = chat_pair(ALICE, BOB),
                                     .position = position};
    step(bench, (struct chat_event){.kind = CHAT_EV_ROUTED,
                                    .conn_id = CONN(0),
                                    .user_id = ALICE,
                                    .device_id = 1,
                                    .entries = &entry,
                                    .count = 1});
}

/* What was asked for with a token ends well, and so does what that asks for, `times` times. */
static inline void carry_on(struct bench *bench, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        uint64_t token = 0;
        for (uint32_t k = 0; k < bench->effects.count && token == 0; k++) {
            token = bench->effects.list[k].token;
        }
        assert_int_not_equal(token, 0);
        done(bench, token, CHAT_OK);
    }
}

static inline void answer_registered(struct bench *bench, const struct chat_location *here)
{
    uint64_t token = expect(bench, CHAT_FX_CACHE, CACHE_REGISTER)->token;
    step(bench,
         (struct chat_event){.kind = CHAT_EV_DONE, .token = token, .locations = here, .count = 1});
}

static inline void answer_inbox(struct bench *bench, const struct chat_entry *entries,
                                uint32_t count, uint64_t last)
{
    uint64_t token = expect(bench, CHAT_FX_CACHE, CACHE_INBOX)->token;
    step(bench, (struct chat_event){.kind = CHAT_EV_DONE,
                                    .token = token,
                                    .value = last,
                                    .entries = entries,
                                    .count = count});
}

/* -- Sending ------------------------------------------------------------------------------------
 */

static inline void open_as(struct bench *bench, uint8_t transport, uint64_t since)
{
    step(bench, (struct chat_event){.kind = CHAT_EV_OPEN,
                                    .conn_id = CONN(0),
                                    .user_id = ALICE,
                                    .device_id = 1,
                                    .transport = transport,
                                    .since = since});
}

static inline const struct chat_effect *trimmed(struct bench *bench)
{
    return find(bench, CHAT_FX_CACHE, CACHE_TRIM, 0);
}

#endif
