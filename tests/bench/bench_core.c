/* The core alone: one struct chat with 10,000 sessions, and a host that answers at once.
 *
 *     MSG - CLAIM - STORE - PUBLISH - ack | RECORD - APPEND - ROUTED | DELIVERED - STORE - APPEND -
 *     ROUTED | READ - LOOKUP - STORE - APPEND - ROUTED
 *
 * is the life of a 1:1 message with both receipts: 16 steps. Some dozens are under way at a time,
 * between pairs drawn at random, so sessions and flights are as cold as 10,000 of them are. First
 * the whole is timed, host included; then each step, less what reading the clock takes.
 *
 *   bench_core [MESSAGES] */
#include "models/core/chat.h"
#include "sim/check.h"
#include "sim/rng.h"
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS 10000u
#define UNDER_WAY 64u
#define RING 1024u
#define STEP_NS 100u /* Simulated, between steps. */
#define POSITION_FIRST ((uint64_t)1 << 40)
#define WALL_MS 1800000000000u

#define LABELS(X)                                                                                  \
    X(LABEL_MSG, "frame MSG: to CLAIM")                                                            \
    X(LABEL_CLAIM, "done CLAIM: to STORE")                                                         \
    X(LABEL_STORE, "done STORE: to PUBLISH")                                                       \
    X(LABEL_PUBLISH, "done PUBLISH: to ack")                                                       \
    X(LABEL_RECORD, "record: to APPEND")                                                           \
    X(LABEL_APPEND, "done APPEND: to ROUTE")                                                       \
    X(LABEL_ROUTED, "routed: to SEND")                                                             \
    X(LABEL_DELIVERED, "frame DELIVERED: to STORE")                                                \
    X(LABEL_READ, "frame READ: to look-up")                                                        \
    X(LABEL_LOOKUP, "done look-up: to STORE")                                                      \
    X(LABEL_RECEIPT, "done STORE of a receipt")                                                    \
    X(LABEL_TIMER, "timer")

enum label {
#define LABEL_ENUM(name, text) name,
    LABELS(LABEL_ENUM)
#undef LABEL_ENUM
        LABEL_COUNT
};

static const char *const label_texts[LABEL_COUNT] = {
#define LABEL_TEXT(name, text) text,
    LABELS(LABEL_TEXT)
#undef LABEL_TEXT
};

/* What the host has still to tell the core. */
struct pending {
    enum label label;
    struct chat_event event; /* Its pointers lead into the following. */
    struct chat_entry entry;
    struct chat_frame frame;
    struct chat_location location;
};

struct host {
    struct chat *chat;
    struct chat_effects effects;
    struct pending ring[RING];
    uint32_t head;
    uint32_t tail;
    uint64_t now_ns;
    struct rng_cursor chance;
    uint64_t positions[SESSIONS];
    uint32_t keys[SESSIONS];
    uint64_t offset;
    uint64_t begun;
    uint64_t wanted;
    uint64_t finished;
    bool timed;
    uint64_t steps[LABEL_COUNT];
    uint64_t ns[LABEL_COUNT];
};

static uint64_t conn_of(uint64_t user)
{
    return (uint64_t)1 << 32 | (user - 1);
}

static struct pending *host_add(struct host *host, enum label label, enum chat_event_kind kind)
{
    CHECK(host->tail - host->head < RING);
    struct pending *pending = &host->ring[host->tail++ % RING];
    memset(pending, 0, sizeof *pending);
    pending->label = label;
    pending->event.kind = kind;
    pending->event.frame = &pending->frame;
    pending->event.entries = &pending->entry;
    pending->event.locations = &pending->location;
    return pending;
}

static struct pending *host_frame(struct host *host, enum label label, uint64_t user, uint8_t kind)
{
    struct pending *pending = host_add(host, label, CHAT_EV_FRAME);
    pending->event.conn_id = conn_of(user);
    pending->frame.kind = kind;
    return pending;
}

static void message_begin(struct host *host)
{
    if (host->begun == host->wanted) {
        return;
    }
    struct rng_bits bits = rng_next(&host->chance);
    uint64_t sender = rng_below(bits.word[0], SESSIONS) + 1;
    uint64_t step = rng_below(bits.word[1], SESSIONS - 1) + 1;
    uint64_t recipient = (sender - 1 + step) % SESSIONS + 1;
    struct pending *pending = host_frame(host, LABEL_MSG, sender, FRAME_MSG);
    pending->frame.channel = chat_pair(sender, recipient);
    pending->frame.text = (struct chat_blob){1, 100};
    pending->frame.client_key = ++host->keys[sender - 1];
    host->begun++;
}

/* A frame that the core sent to a device: the device answers at once. */
static void host_send(struct host *host, const struct chat_effect *effect)
{
    const struct chat_frame *frame = &effect->frame;
    uint64_t user = (uint32_t)effect->conn_id + 1;
    CHECK(frame->kind != FRAME_ERROR);
    if (frame->kind == FRAME_MSG) {
        struct pending *pending = host_frame(host, LABEL_DELIVERED, user, FRAME_DELIVERED);
        pending->frame.msg_id = frame->msg_id;
        pending->frame.text.handle = (uint32_t)frame->user_id; /* For the look-up. */
    } else if (frame->kind == FRAME_RECEIPT && frame->status == FRAME_DELIVERED) {
        struct pending *pending = host_frame(host, LABEL_READ, frame->user_id, FRAME_READ);
        pending->frame.msg_id = frame->msg_id;
        pending->frame.text.handle = (uint32_t)user;
    } else if (frame->kind == FRAME_RECEIPT) {
        host->finished++;
        message_begin(host);
    }
}

static void host_done(struct host *host, const struct chat_effect *effect)
{
    static const enum label labels[CHAT_OPS] = {
        [STORE_CLAIM] = LABEL_CLAIM,     [STORE_MESSAGE] = LABEL_STORE,
        [STORE_RECEIPT] = LABEL_RECEIPT, [READ_RECEIPT] = LABEL_LOOKUP,
        [CACHE_APPEND] = LABEL_APPEND,
    };
    if (effect->token == 0) {
        return; /* CACHE_TRIM. */
    }
    bool publish = effect->kind == CHAT_FX_PUBLISH;
    struct pending *pending =
        host_add(host, publish ? LABEL_PUBLISH : labels[effect->op], CHAT_EV_DONE);
    CHECK(publish || pending->label != LABEL_MSG);
    pending->event.token = effect->token;
    if (effect->op == CACHE_APPEND) {
        pending->event.count = 1;
        pending->location = (struct chat_location){
            .user = effect->user,
            .conn_id = conn_of(effect->user),
            .position = ++host->positions[effect->user - 1],
            .device = 1,
            .pending = 1,
        };
    } else if (effect->op == READ_RECEIPT) {
        uint64_t sender = effect->entry.text.handle;
        pending->event.count = 1;
        pending->entry.id = effect->entry.id;
        pending->entry.user = sender;
        pending->entry.channel = chat_pair(sender, effect->user);
    }
    if (publish) { /* The log delivers it. */
        pending = host_add(host, LABEL_RECORD, CHAT_EV_RECORD);
        pending->event.count = 1;
        pending->event.offset = ++host->offset;
        pending->entry = effect->entry;
    }
}

static void host_effects(struct host *host)
{
    for (uint32_t i = 0; i < host->effects.count; i++) {
        const struct chat_effect *effect = &host->effects.list[i];
        switch ((enum chat_effect_kind)effect->kind) {
        case CHAT_FX_SEND:
            host_send(host, effect);
            break;
        case CHAT_FX_ROUTE: {
            struct pending *pending = host_add(host, LABEL_ROUTED, CHAT_EV_ROUTED);
            pending->event.conn_id = effect->conn_id;
            pending->event.count = 1;
            pending->entry = effect->entry;
            break;
        }
        case CHAT_FX_STORE:
        case CHAT_FX_READ:
        case CHAT_FX_PUBLISH:
        case CHAT_FX_CACHE:
            host_done(host, effect);
            break;
        case CHAT_FX_COMMIT:
        case CHAT_FX_RELEASE:
            break;
        case CHAT_FX_DROP:
        case CHAT_FX_PUSH:
        case CHAT_FX_KINDS:
            CHECK(!"nobody is offline");
        }
    }
}

static void host_step(struct host *host, struct pending *pending)
{
    host->now_ns += STEP_NS;
    pending->event.now_ns = host->now_ns;
    pending->event.wall_ms = WALL_MS + host->now_ns / 1000000;
    host->effects.count = host->effects.member_count = host->effects.location_count = 0;
    uint64_t start_ns = host->timed ? bench_ns() : 0;
    bool more = chat_step(host->chat, &pending->event, &host->effects);
    host->ns[pending->label] += host->timed ? bench_ns() - start_ns : 0;
    host->steps[pending->label]++;
    CHECK(!more);
    host_effects(host);
}

static void host_init(struct host *host)
{
    struct chat_config config = chat_config_default(SESSIONS);
    config.devices_max = 1; /* Nobody has another device to show one's own messages on. */
    size_t size = (chat_size(&config) + 63) / 64 * 64;
    void *memory = aligned_alloc(64, size);
    CHECK(memory != NULL);
    memset(memory, 0, size);
    host->chat = chat_init(memory, &config);
    host->chance.stream = rng_stream(1, "bench");
    for (uint64_t user = 1; user <= SESSIONS; user++) {
        host->positions[user - 1] = POSITION_FIRST;
        struct pending resume = {.event = {.kind = CHAT_EV_RESUME,
                                           .conn_id = conn_of(user),
                                           .user_id = user,
                                           .device_id = 1,
                                           .since = POSITION_FIRST,
                                           .transport = TRANSPORT_WEBSOCKET}};
        host_step(host, &resume);
    }
}

/* Returns wall seconds. */
static double host_run(struct host *host, uint64_t messages, bool timed)
{
    host->timed = timed;
    host->begun = host->finished = 0;
    host->wanted = messages;
    memset(host->steps, 0, sizeof host->steps);
    memset(host->ns, 0, sizeof host->ns);
    uint64_t start_ns = bench_ns();
    for (uint32_t i = 0; i < UNDER_WAY; i++) {
        message_begin(host);
    }
    while (host->head != host->tail) {
        host_step(host, &host->ring[host->head % RING]);
        host->head++;
        if (chat_due(host->chat) <= host->now_ns) {
            struct pending timer = {.label = LABEL_TIMER, .event = {.kind = CHAT_EV_TIMER}};
            host_step(host, &timer);
        }
    }
    CHECK(host->finished == messages);
    return (double)(bench_ns() - start_ns) * 1e-9;
}

/* What two readings of the clock are apart, at least. */
static double clock_ns(void)
{
    uint64_t start_ns = bench_ns();
    for (uint32_t i = 0; i < 1000000; i++) {
        bench_ns();
    }
    return (double)(bench_ns() - start_ns) * 1e-6;
}

int main(int argc, char **argv)
{
    uint64_t messages = argc > 1 ? strtoull(argv[1], NULL, 10) : 300000;
    struct host *host = calloc(1, sizeof *host);
    CHECK(host != NULL && messages > 0);
    host_init(host);
    host_run(host, messages / 10 + 1, false);
    double wall_s = host_run(host, messages, false);
    host_run(host, messages, true);
    double reading_ns = clock_ns();
    uint64_t steps = 0;
    double core_ns = 0;
    printf("core alone, %u sessions, %u messages under way\nrepeat: %s %llu\n", SESSIONS, UNDER_WAY,
           argv[0], (unsigned long long)messages);
    for (uint32_t label = 0; label < LABEL_COUNT; label++) {
        if (host->steps[label] > 0) {
            double ns = (double)host->ns[label] - reading_ns * (double)host->steps[label];
            printf("%-28s %6.2f a message %8.1f ns\n", label_texts[label],
                   (double)host->steps[label] / (double)messages, ns / (double)host->steps[label]);
            steps += host->steps[label];
            core_ns += ns;
        }
    }
    printf("%.2f steps a message, %.1f ns a step: %.2f M steps/s, %.0f k messages/s in the core\n",
           (double)steps / (double)messages, core_ns / (double)steps, (double)steps / core_ns * 1e3,
           (double)messages / core_ns * 1e6);
    printf("with this host around it: %.2f M steps/s, %.0f k messages/s\n",
           (double)steps / wall_s * 1e-6, (double)messages / wall_s * 1e-3);
    free(host->chat);
    free(host);
    return 0;
}
