#include "models/client/client.h"

#include "models/core/check.h"

#include <stddef.h>
#include <string.h>

#define ATTEMPTS_MAX 31u

struct client_config client_config_default(uint8_t transport)
{
    return (struct client_config){
        .transport = transport,
        .window = CLIENT_WINDOW_MAX,
        .attempts_max = 6,
        .send_timeout_ticks = 100,
        .backoff_first_ns = 1000000000u,
        .backoff_max_ns = 60000000000u,
        .poll_interval_ns = 5000000000u,
    };
}

void client_memory_init(struct client_memory *memory, uint64_t *shown, uint32_t shown_max,
                        struct client_receipt *receipts, uint32_t receipts_max)
{
    CHECK(shown_max > 0);
    CHECK(receipts_max > 0);
    *memory = (struct client_memory){
        .shown = shown,
        .shown_max = shown_max,
        .receipts = receipts,
        .receipts_max = receipts_max,
    };
}

uint64_t client_backoff_ns(const struct client_config *config, uint8_t attempts, uint64_t random)
{
    CHECK(attempts <= ATTEMPTS_MAX);
    uint64_t span_ns = config->backoff_max_ns;
    if (config->backoff_first_ns < span_ns >> attempts) {
        span_ns = config->backoff_first_ns << attempts;
    }
    CHECK(config->backoff_sure_milli <= 1000);
    uint64_t sure_ns = span_ns / 1000 * config->backoff_sure_milli;
    return sure_ns + (uint64_t)(((unsigned __int128)random * (span_ns - sure_ns)) >> 64);
}

static bool streaming(const struct client_config *config)
{
    return config->transport == TRANSPORT_WEBSOCKET;
}

static struct client_effect *effect_add(struct client_effects *effects,
                                        enum client_effect_kind kind)
{
    CHECK(effects->count < CLIENT_EFFECTS_MAX);
    struct client_effect *effect = &effects->list[effects->count++];
    memset(effect, 0, sizeof *effect);
    effect->kind = (uint8_t)kind;
    return effect;
}

static void send_frame(struct client_effects *effects, enum chat_frame_kind kind, uint64_t msg_id,
                       uint64_t position)
{
    struct client_effect *effect = effect_add(effects, CLIENT_FX_SEND);
    effect->frame.kind = (uint8_t)kind;
    effect->frame.msg_id = msg_id;
    effect->frame.position = position;
}

static void poll_now(const struct client *client, struct client_effects *effects)
{
    effect_add(effects, CLIENT_FX_POLL)->frame.position = client->position;
}

/* The outbox. */

/* The highest number that may be under way. */
static uint32_t window_end(const struct client *client, const struct client_config *config)
{
    uint32_t room = client->written - client->acked;
    return client->acked + (room < config->window ? room : config->window);
}

/* Transmits what is not acked of (after, end of the window]. */
static void transmit(const struct client *client, const struct client_config *config,
                     uint32_t after, struct client_effects *effects)
{
    uint32_t end = window_end(client, config);
    for (uint32_t seq = after + 1; seq <= end; seq++) {
        if ((client->bitmap >> (seq - client->acked - 1) & 1) != 0) {
            continue;
        }
        struct client_effect *effect = effect_add(effects, CLIENT_FX_TRANSMIT);
        effect->seq = seq;
        effect->frame.kind = FRAME_MSG;
        effect->frame.status = seq > client->acked + 1;
        effect->frame.client_key = seq;
        effect->frame.msg_id = client->seen;
    }
}

/* All that is under way goes out again, oldest first. */
static void transmit_all(struct client *client, const struct client_config *config, uint32_t tick,
                         struct client_effects *effects)
{
    client->since = tick;
    transmit(client, config, client->acked, effects);
}

static void on_write(struct client *client, const struct client_config *config, uint32_t tick,
                     struct client_effects *effects)
{
    if (client->written == client->acked) {
        client->since = tick;
    }
    uint32_t end = window_end(client, config);
    client->written++;
    if (client->state == CLIENT_ONLINE) {
        transmit(client, config, end, effects);
    }
}

/* Message `seq` is settled, acked or refused. False: it was before, or was never written. */
static bool settle(struct client *client, const struct client_config *config, uint64_t seq,
                   uint32_t tick, struct client_effects *effects)
{
    uint32_t end = window_end(client, config);
    if (seq <= client->acked || seq > end ||
        (client->bitmap >> (seq - client->acked - 1) & 1) != 0) {
        return false;
    }
    client->bitmap |= (uint16_t)(1u << (seq - client->acked - 1));
    while ((client->bitmap & 1) != 0) {
        client->bitmap = (uint16_t)(client->bitmap >> 1);
        client->acked++;
        client->since = tick; /* The next oldest: it has waited no longer than the window moved. */
    }
    CHECK(client->acked <= client->written);
    if (client->state == CLIENT_ONLINE) {
        transmit(client, config, end, effects);
    }
    return true;
}

/* What a device remembers. */

/* True where the id is new; it is remembered now. */
static bool shown_add(struct client_memory *memory, uint64_t id)
{
    uint32_t at = memory->shown_count;
    while (at > 0 && memory->shown[at - 1] > id) {
        at--;
    }
    if (at > 0 && memory->shown[at - 1] == id) {
        return false;
    }
    if (memory->shown_count == memory->shown_max) {
        if (at == 0) {
            return true; /* Lower than all that is remembered: shown, and forgotten at once. */
        }
        at--;
        memory->shown_count--;
        memmove(memory->shown, memory->shown + 1, memory->shown_count * sizeof *memory->shown);
    }
    memmove(memory->shown + at + 1, memory->shown + at,
            (memory->shown_count - at) * sizeof *memory->shown);
    memory->shown[at] = id;
    memory->shown_count++;
    return true;
}

static bool receipt_below(const struct client_receipt *a, uint64_t msg_id, uint64_t user)
{
    return a->msg_id < msg_id || (a->msg_id == msg_id && a->user < user);
}

/* True where the receipt tells more than was known; it is remembered now. */
static bool receipt_add(struct client_memory *memory, const struct chat_frame *frame)
{
    uint32_t at = memory->receipt_count;
    while (at > 0 && !receipt_below(&memory->receipts[at - 1], frame->msg_id, frame->user_id)) {
        at--;
    }
    struct client_receipt *known = &memory->receipts[at];
    if (at < memory->receipt_count && known->msg_id == frame->msg_id &&
        known->user == frame->user_id) {
        bool further = frame->status > known->status;
        known->status = further ? frame->status : known->status;
        return further;
    }
    if (memory->receipt_count == memory->receipts_max) {
        if (at == 0) {
            return true;
        }
        at--;
        memory->receipt_count--;
        memmove(memory->receipts, memory->receipts + 1,
                memory->receipt_count * sizeof *memory->receipts);
    }
    memmove(memory->receipts + at + 1, memory->receipts + at,
            (memory->receipt_count - at) * sizeof *memory->receipts);
    memory->receipts[at] = (struct client_receipt){frame->msg_id, frame->user_id, frame->status};
    memory->receipt_count++;
    return true;
}

static void reads_drop(struct client_memory *memory, uint32_t count)
{
    memory->read_count -= count;
    memmove(memory->reads, memory->reads + count, memory->read_count * sizeof *memory->reads);
    memmove(memory->read_ticks, memory->read_ticks + count,
            memory->read_count * sizeof *memory->read_ticks);
}

/* What is remembered of a READ that is said now. */
static uint32_t read_mark(struct client_memory *memory, const struct client_config *config,
                          uint32_t tick)
{
    if (!streaming(config)) {
        return tick;
    }
    memory->reads_said = memory->reads_said == UINT16_MAX ? 1 : (uint16_t)(memory->reads_said + 1);
    return memory->reads_said;
}

static void read_add(struct client_memory *memory, uint64_t id, uint32_t mark)
{
    if (memory->read_count == CLIENT_READS_MAX) {
        reads_drop(memory, 1);
        memory->reads_forgotten++;
    }
    memory->reads[memory->read_count] = id;
    memory->read_ticks[memory->read_count++] = mark;
}

static void reads_say_again(struct client_memory *memory, const struct client_config *config,
                            uint32_t tick, struct client_effects *effects)
{
    memory->reads_refused = false;
    for (uint32_t i = 0; i < memory->read_count; i++) {
        memory->read_ticks[i] = read_mark(memory, config, tick);
        send_frame(effects, FRAME_READ, memory->reads[i], 0);
    }
}

/* The server keeps what was said on this connection up to READ number `number`. */
static void reads_confirm(struct client_memory *memory, uint64_t number)
{
    if (number == 0 || memory->reads_refused) {
        return;
    }
    uint32_t count = memory->read_count;
    while (count > 0 && memory->read_ticks[count - 1] != number) {
        count--;
    }
    reads_drop(memory, count);
}

/* A request that carried a read was not said to have gone well in time. */
static void reads_say_overdue(struct client_memory *memory, const struct client_config *config,
                              uint32_t tick, struct client_effects *effects)
{
    for (uint32_t i = 0; i < memory->read_count; i++) {
        if (tick - memory->read_ticks[i] >= config->send_timeout_ticks) {
            memory->read_ticks[i] = tick;
            send_frame(effects, FRAME_READ, memory->reads[i], 0);
        }
    }
}

static void on_said(struct client_memory *memory, uint64_t msg_id)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < memory->read_count; i++) {
        if (memory->reads[i] != msg_id) {
            memory->reads[kept] = memory->reads[i];
            memory->read_ticks[kept++] = memory->read_ticks[i];
        }
    }
    memory->read_count = kept;
}

/* What the server says. */

static void on_ack(struct client *client, const struct client_config *config,
                   const struct client_event *event, struct client_effects *effects)
{
    const struct chat_frame *frame = event->frame;
    if (frame->status != FRAME_MSG) {
        return; /* Of a JOIN or a LEAVE, which the host sent and whose ack it has seen. */
    }
    uint32_t before = effects->count;
    struct client_effect *effect = effect_add(effects, CLIENT_FX_ACKED);
    effect->seq = (uint32_t)frame->client_key;
    effect->frame = *frame;
    if (!settle(client, config, frame->client_key, event->tick, effects)) {
        effects->count = before;
    }
}

static void on_error(struct client *client, const struct client_config *config,
                     struct client_memory *memory, const struct client_event *event,
                     struct client_effects *effects)
{
    const struct chat_frame *frame = event->frame;
    if (frame->status == FRAME_READ && memory != NULL && frame->err != CHAT_ERR_FORBIDDEN) {
        memory->reads_refused = true;
    }
    bool for_good = frame->err == CHAT_ERR_FORBIDDEN || frame->err == CHAT_ERR_BAD_FRAME ||
                    frame->err == CHAT_ERR_MISSING;
    if (frame->status != FRAME_MSG || !for_good) {
        return; /* What was refused for now is sent again at the timeout. */
    }
    uint32_t before = effects->count;
    struct client_effect *effect = effect_add(effects, CLIENT_FX_REFUSED);
    effect->seq = (uint32_t)frame->client_key;
    effect->frame = *frame;
    if (!settle(client, config, frame->client_key, event->tick, effects)) {
        effects->count = before;
    }
}

static void on_message(const struct client *client, const struct client_config *config,
                       struct client_memory *memory, const struct chat_frame *frame,
                       struct client_effects *effects)
{
    bool again = memory != NULL ? !shown_add(memory, frame->msg_id)
                                : frame->position != 0 && frame->position <= client->position;
    effect_add(effects, again ? CLIENT_FX_AGAIN : CLIENT_FX_SHOW);
    if (streaming(config) || frame->position == 0) { /* A poll acknowledges by its next `since`. */
        send_frame(effects, FRAME_DELIVERED, frame->msg_id, 0);
    }
}

static void on_receipt(const struct client *client, struct client_memory *memory,
                       const struct chat_frame *frame, struct client_effects *effects)
{
    bool further = memory != NULL ? receipt_add(memory, frame)
                                  : frame->position == 0 || frame->position > client->position;
    if (further) {
        effect_add(effects, CLIENT_FX_RECEIPT);
    }
}

static void on_end(const struct client_config *config, const struct client *client,
                   const struct chat_frame *frame, struct client_effects *effects)
{
    if (config->transport == TRANSPORT_LONG_POLL || frame->status == 2) {
        poll_now(client, effects);
    } else if (config->transport == TRANSPORT_POLL) {
        effect_add(effects, CLIENT_FX_POLL_LATER)->delay_ns = config->poll_interval_ns;
    }
}

static void on_frame(struct client *client, const struct client_config *config,
                     struct client_memory *memory, const struct client_event *event,
                     struct client_effects *effects)
{
    const struct chat_frame *frame = event->frame;
    if (frame->status == FRAME_HISTORY && (frame->kind == FRAME_MSG || frame->kind == FRAME_END)) {
        if (frame->kind == FRAME_END) {
            effect_add(effects, CLIENT_FX_PAGE);
        }
        return;
    }
    bool learns = frame->kind == FRAME_MSG || frame->kind == FRAME_ACK;
    if (learns && frame->msg_id > client->seen) {
        client->seen = frame->msg_id; /* First: what an ack lets out is sent "after" it. */
    }
    bool positioned = false;
    switch (frame->kind) {
    case FRAME_MSG:
        on_message(client, config, memory, frame, effects);
        positioned = true;
        break;
    case FRAME_RECEIPT:
        on_receipt(client, memory, frame, effects);
        positioned = true;
        break;
    case FRAME_ACK:
        on_ack(client, config, event, effects);
        break;
    case FRAME_ERROR:
        on_error(client, config, memory, event, effects);
        return; /* A server that only refuses does not end the back-off. */
    case FRAME_PING:
        if (memory != NULL) {
            reads_confirm(memory, frame->client_key);
        }
        send_frame(effects, FRAME_PONG, 0,
                   frame->position < client->position ? frame->position : client->position);
        break;
    case FRAME_END:
        positioned = true;
        break;
    default:
        return;
    }
    client->attempts = 0;
    if (positioned && frame->position > client->position) {
        client->position = frame->position;
    }
    if (frame->kind == FRAME_END) {
        on_end(config, client, frame, effects);
    }
}

/* The connection. */

static void go_online(struct client *client, const struct client_config *config,
                      struct client_memory *memory, uint32_t tick, struct client_effects *effects)
{
    client->state = CLIENT_ONLINE;
    transmit_all(client, config, tick, effects);
    if (memory != NULL) {
        memory->reads_said = 0;
        reads_say_again(memory, config, tick, effects);
    }
}

static void on_start(struct client *client, const struct client_config *config,
                     struct client_memory *memory, uint32_t tick, struct client_effects *effects)
{
    if (client->state != CLIENT_OFFLINE) {
        return;
    }
    client->attempts = 0;
    if (streaming(config)) {
        client->state = CLIENT_CONNECTING;
        effect_add(effects, CLIENT_FX_CONNECT);
    } else {
        poll_now(client, effects);
        go_online(client, config, memory, tick, effects);
    }
}

/* A connection or a request failed or was lost: again, after a while. */
static void on_trouble(struct client *client, const struct client_config *config,
                       const struct client_event *event, struct client_effects *effects)
{
    if (client->state == CLIENT_OFFLINE) {
        return;
    }
    if (streaming(config)) {
        client->state = CLIENT_CONNECTING;
    }
    enum client_effect_kind kind = streaming(config) ? CLIENT_FX_CONNECT : CLIENT_FX_POLL_LATER;
    effect_add(effects, kind)->delay_ns =
        client_backoff_ns(config, client->attempts, event->random);
    if (client->attempts < config->attempts_max) {
        client->attempts++;
    }
}

static void on_sweep(struct client *client, const struct client_config *config,
                     struct client_memory *memory, uint32_t tick, struct client_effects *effects)
{
    if (client->state != CLIENT_ONLINE) {
        return;
    }
    if (memory != NULL && memory->reads_refused) {
        reads_say_again(memory, config, tick, effects);
    } else if (memory != NULL && !streaming(config)) {
        reads_say_overdue(memory, config, tick, effects);
    }
    if (client->acked < client->written && tick - client->since >= config->send_timeout_ticks) {
        transmit_all(client, config, tick, effects);
    }
}

static void on_read(struct client *client, const struct client_config *config,
                    struct client_memory *memory, const struct client_event *event,
                    struct client_effects *effects)
{
    bool now = client->state == CLIENT_ONLINE;
    if (memory != NULL) {
        read_add(memory, event->msg_id, now ? read_mark(memory, config, event->tick) : 0);
    }
    if (now) {
        send_frame(effects, FRAME_READ, event->msg_id, 0);
    }
}

static void on_ask(const struct client *client, const struct chat_frame *asked,
                   struct client_effects *effects)
{
    if (client->state != CLIENT_ONLINE) {
        return;
    }
    struct client_effect *effect = effect_add(effects, CLIENT_FX_SEND);
    effect->frame = *asked;
    if (asked->kind != FRAME_HISTORY) {
        effect->frame.msg_id = client->seen; /* A change of members stands after it. */
    }
}

void client_step(struct client *client, const struct client_config *config,
                 struct client_memory *memory, const struct client_event *event,
                 struct client_effects *effects)
{
    CHECK(config->window >= 1 && config->window <= CLIENT_WINDOW_MAX);
    CHECK(config->attempts_max <= ATTEMPTS_MAX);
    CHECK(config->transport != TRANSPORT_POST);
    effects->count = 0;
    switch (event->kind) {
    case CLIENT_EV_START:
        on_start(client, config, memory, event->tick, effects);
        break;
    case CLIENT_EV_STOP:
        client->state = CLIENT_OFFLINE;
        break;
    case CLIENT_EV_CONNECTED:
        if (client->state == CLIENT_CONNECTING) {
            go_online(client, config, memory, event->tick, effects);
        }
        break;
    case CLIENT_EV_FAILED:
    case CLIENT_EV_DISCONNECTED:
        on_trouble(client, config, event, effects);
        break;
    case CLIENT_EV_FRAME:
        if (client->state == CLIENT_ONLINE) {
            on_frame(client, config, memory, event, effects);
        }
        break;
    case CLIENT_EV_WRITE:
        on_write(client, config, event->tick, effects);
        break;
    case CLIENT_EV_READ:
        on_read(client, config, memory, event, effects);
        break;
    case CLIENT_EV_SWEEP:
        on_sweep(client, config, memory, event->tick, effects);
        break;
    case CLIENT_EV_SAID:
        if (memory != NULL && !streaming(config)) {
            on_said(memory, event->msg_id);
        }
        break;
    case CLIENT_EV_ASK:
        on_ask(client, event->frame, effects);
        break;
    case CLIENT_EV_POLL_DUE:
        if (client->state == CLIENT_ONLINE && !streaming(config)) {
            poll_now(client, effects);
        }
        break;
    }
}
