/* A client by example, then against an oracle: a server that forgets nothing, over a connection
 * that breaks at random. What was written must arrive, each number once, and be acked in the end;
 * what the server sent must be shown once. */
#include "models/client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(cond)                                                                               \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #cond);                    \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static struct client_effects effects;

struct bench {
    struct client client;
    struct client_config config;
    struct client_memory *memory;
    uint32_t tick;
};

static void step(struct bench *bench, enum client_event_kind kind)
{
    struct client_event event = {.kind = kind, .tick = bench->tick, .random = UINT64_MAX};
    client_step(&bench->client, &bench->config, bench->memory, &event, &effects);
}

static void hear(struct bench *bench, struct chat_frame frame)
{
    struct client_event event = {.kind = CLIENT_EV_FRAME, .tick = bench->tick, .frame = &frame};
    client_step(&bench->client, &bench->config, bench->memory, &event, &effects);
}

static void read_message(struct bench *bench, uint64_t id)
{
    struct client_event event = {.kind = CLIENT_EV_READ, .tick = bench->tick, .msg_id = id};
    client_step(&bench->client, &bench->config, bench->memory, &event, &effects);
}

static uint32_t count_of(enum client_effect_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < effects.count; i++) {
        count += effects.list[i].kind == kind;
    }
    return count;
}

static uint32_t said(enum chat_frame_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < effects.count; i++) {
        count += effects.list[i].kind == CLIENT_FX_SEND && effects.list[i].frame.kind == kind;
    }
    return count;
}

static struct bench bench_of(uint8_t transport, uint8_t window)
{
    struct bench bench = {.config = client_config_default(transport)};
    bench.config.window = window;
    return bench;
}

static struct bench online(uint8_t window)
{
    struct bench bench = bench_of(TRANSPORT_WEBSOCKET, window);
    step(&bench, CLIENT_EV_START);
    EXPECT(count_of(CLIENT_FX_CONNECT) == 1 && effects.list[0].delay_ns == 0);
    step(&bench, CLIENT_EV_CONNECTED);
    EXPECT(bench.client.state == CLIENT_ONLINE && effects.count == 0);
    return bench;
}

static struct chat_frame ack(uint64_t key, uint64_t id)
{
    return (struct chat_frame){
        .kind = FRAME_ACK, .status = FRAME_MSG, .client_key = key, .msg_id = id};
}

static struct chat_frame message(uint64_t id, uint64_t position)
{
    return (struct chat_frame){.kind = FRAME_MSG, .msg_id = id, .user_id = 9, .position = position};
}

static void test_the_window_holds_back_and_opens_with_the_oldest_ack(void)
{
    struct bench bench = online(2);
    step(&bench, CLIENT_EV_WRITE);
    EXPECT(count_of(CLIENT_FX_TRANSMIT) == 1 && effects.list[0].seq == 1);
    step(&bench, CLIENT_EV_WRITE);
    step(&bench, CLIENT_EV_WRITE);
    EXPECT(count_of(CLIENT_FX_TRANSMIT) == 0);
    hear(&bench, ack(2, 102));
    EXPECT(count_of(CLIENT_FX_ACKED) == 1 && count_of(CLIENT_FX_TRANSMIT) == 0);
    EXPECT(client_unacked(&bench.client) == 2);
    hear(&bench, ack(1, 101));
    EXPECT(count_of(CLIENT_FX_ACKED) == 1 && count_of(CLIENT_FX_TRANSMIT) == 1);
    EXPECT(effects.list[1].seq == 3 && effects.list[1].frame.client_key == 3);
    EXPECT(effects.list[1].frame.status == 0); /* None of its own before it is under way. */
    step(&bench, CLIENT_EV_WRITE);
    EXPECT(count_of(CLIENT_FX_TRANSMIT) == 1 && effects.list[0].frame.status == 1);
    hear(&bench, ack(4, 104));
    EXPECT(effects.list[1].frame.msg_id == 102); /* "after" the highest id seen. */
    hear(&bench, ack(1, 101));
    hear(&bench, ack(5, 105)); /* Never written. */
    EXPECT(effects.count == 0 && bench.client.acked == 2);
}

static void test_what_an_ack_lets_out_is_sent_after_that_ack(void)
{
    struct bench bench = online(1);
    step(&bench, CLIENT_EV_WRITE);
    step(&bench, CLIENT_EV_WRITE);
    hear(&bench, ack(1, 500));
    EXPECT(count_of(CLIENT_FX_TRANSMIT) == 1 && effects.list[1].frame.msg_id == 500);
}

static void test_unacked_messages_go_out_again_after_the_timeout_and_a_reconnect(void)
{
    struct bench bench = online(16);
    step(&bench, CLIENT_EV_WRITE);
    step(&bench, CLIENT_EV_WRITE);
    step(&bench, CLIENT_EV_WRITE);
    hear(&bench, ack(2, 102));
    bench.tick = 99;
    step(&bench, CLIENT_EV_SWEEP);
    EXPECT(effects.count == 0);
    bench.tick = 100;
    step(&bench, CLIENT_EV_SWEEP);
    EXPECT(effects.count == 2 && effects.list[0].seq == 1 && effects.list[1].seq == 3);
    step(&bench, CLIENT_EV_SWEEP);
    EXPECT(effects.count == 0);
    step(&bench, CLIENT_EV_DISCONNECTED);
    EXPECT(count_of(CLIENT_FX_CONNECT) == 1);
    step(&bench, CLIENT_EV_WRITE);
    EXPECT(effects.count == 0);
    step(&bench, CLIENT_EV_CONNECTED);
    EXPECT(effects.count == 3 && effects.list[2].seq == 4);
}

static void test_a_refusal_for_now_is_tried_again_and_one_for_good_is_not(void)
{
    struct bench bench = online(16);
    step(&bench, CLIENT_EV_WRITE);
    step(&bench, CLIENT_EV_WRITE);
    struct chat_frame refused = {.kind = FRAME_ERROR, .status = FRAME_MSG, .client_key = 1};
    refused.err = CHAT_ERR_BUSY;
    hear(&bench, refused);
    EXPECT(effects.count == 0 && client_unacked(&bench.client) == 2);
    refused.err = CHAT_ERR_FORBIDDEN;
    hear(&bench, refused);
    EXPECT(count_of(CLIENT_FX_REFUSED) == 1 && client_unacked(&bench.client) == 1);
    hear(&bench, refused);
    EXPECT(effects.count == 0);
}

static void test_back_off_doubles_with_full_jitter_and_ends_when_a_server_speaks(void)
{
    struct client_config config = client_config_default(TRANSPORT_WEBSOCKET);
    EXPECT(client_backoff_ns(&config, 0, UINT64_MAX) == config.backoff_first_ns - 1);
    EXPECT(client_backoff_ns(&config, 3, UINT64_MAX) == 8 * config.backoff_first_ns - 1);
    EXPECT(client_backoff_ns(&config, 3, UINT64_MAX / 2) / 1000 ==
           4 * config.backoff_first_ns / 1000 - 1);
    EXPECT(client_backoff_ns(&config, 31, UINT64_MAX) == config.backoff_max_ns - 1);
    config.backoff_sure_milli = 750;
    EXPECT(client_backoff_ns(&config, 0, 0) == config.backoff_first_ns / 4 * 3);
    EXPECT(client_backoff_ns(&config, 0, UINT64_MAX) == config.backoff_first_ns - 1);
    config.backoff_sure_milli = 1000; /* In lockstep. */
    EXPECT(client_backoff_ns(&config, 2, 0) == 4 * config.backoff_first_ns);
    EXPECT(client_backoff_ns(&config, 2, UINT64_MAX) == 4 * config.backoff_first_ns);
    struct bench bench = online(1);
    for (uint32_t i = 0; i < 10; i++) {
        step(&bench, CLIENT_EV_DISCONNECTED);
        step(&bench, CLIENT_EV_CONNECTED);
    }
    EXPECT(bench.client.attempts == config.attempts_max);
    struct chat_frame refused = {.kind = FRAME_ERROR, .err = CHAT_ERR_FULL};
    hear(&bench, refused);
    EXPECT(bench.client.attempts == config.attempts_max);
    hear(&bench, message(5, 1));
    EXPECT(bench.client.attempts == 0);
}

static void test_every_message_is_answered_and_shown_once(void)
{
    struct bench bench = online(1);
    hear(&bench, message(50, 7));
    EXPECT(count_of(CLIENT_FX_SHOW) == 1 && said(FRAME_DELIVERED) == 1);
    hear(&bench, message(50, 7));
    EXPECT(count_of(CLIENT_FX_AGAIN) == 1 && said(FRAME_DELIVERED) == 1);
    EXPECT(bench.client.seen == 50 && bench.client.position == 7);
    struct chat_frame ping = {.kind = FRAME_PING, .position = 9};
    hear(&bench, ping);
    EXPECT(said(FRAME_PONG) == 1 && effects.list[0].frame.position == 7);
    step(&bench, CLIENT_EV_STOP);
    hear(&bench, message(51, 8));
    EXPECT(effects.count == 0 && bench.client.position == 7);
}

static void test_with_a_memory_redeliveries_are_told_by_id(void)
{
    uint64_t shown[4];
    struct client_receipt receipts[2];
    struct client_memory memory;
    client_memory_init(&memory, shown, 4, receipts, 2);
    struct bench bench = online(1);
    bench.memory = &memory;
    uint64_t generation = 1ull << 40;
    hear(&bench, message(50, generation | 7));
    hear(&bench, message(40, generation | 8));
    EXPECT(count_of(CLIENT_FX_SHOW) == 1);
    hear(&bench, message(50, generation * 2 | 1)); /* Rebuilt. */
    EXPECT(count_of(CLIENT_FX_AGAIN) == 1 && said(FRAME_DELIVERED) == 1);
    for (uint64_t id = 60; id < 63; id++) {
        hear(&bench, message(id, 0));
    }
    EXPECT(memory.shown_count == 4 && shown[0] == 50);
    struct chat_frame receipt = {.kind = FRAME_RECEIPT, .msg_id = 1, .user_id = 3};
    receipt.status = FRAME_READ;
    hear(&bench, receipt);
    EXPECT(count_of(CLIENT_FX_RECEIPT) == 1);
    receipt.status = FRAME_DELIVERED;
    hear(&bench, receipt);
    EXPECT(count_of(CLIENT_FX_RECEIPT) == 0);
}

static void test_reads_are_said_again_until_they_are_durable(void)
{
    uint64_t shown[4];
    struct client_receipt receipts[2];
    struct client_memory memory;
    client_memory_init(&memory, shown, 4, receipts, 2);
    struct bench bench = online(1);
    bench.memory = &memory;
    read_message(&bench, 50);
    EXPECT(said(FRAME_READ) == 1);
    bench.tick = 10000;
    hear(&bench, message(60, 1)); /* That the server is heard does not mean that it hears. */
    EXPECT(memory.read_count == 1);
    step(&bench, CLIENT_EV_DISCONNECTED);
    read_message(&bench, 51);
    EXPECT(effects.count == 0);
    step(&bench, CLIENT_EV_CONNECTED);
    EXPECT(said(FRAME_READ) == 2);
    struct chat_frame busy = {.kind = FRAME_ERROR, .status = FRAME_READ, .err = CHAT_ERR_BUSY};
    hear(&bench, busy);
    struct chat_frame ping = {.kind = FRAME_PING, .client_key = 2};
    hear(&bench, ping); /* One of the two was refused: neither is settled. */
    EXPECT(memory.read_count == 2);
    step(&bench, CLIENT_EV_SWEEP);
    EXPECT(said(FRAME_READ) == 2); /* Numbers 3 and 4. */
    read_message(&bench, 52);
    hear(&bench, ping); /* Late: of those numbers nothing is known. */
    ping.client_key = 0;
    hear(&bench, ping); /* It says nothing of reads. */
    EXPECT(memory.read_count == 3);
    ping.client_key = 4;
    hear(&bench, ping);
    EXPECT(memory.read_count == 1 && memory.reads[0] == 52);
}

static void test_a_poll_asks_since_its_cursor_and_acknowledges_by_it(void)
{
    struct bench bench = bench_of(TRANSPORT_POLL, 1);
    step(&bench, CLIENT_EV_START);
    EXPECT(count_of(CLIENT_FX_POLL) == 1 && effects.list[0].frame.position == 0);
    hear(&bench, message(50, 7));
    EXPECT(count_of(CLIENT_FX_SHOW) == 1 && said(FRAME_DELIVERED) == 0);
    struct chat_frame end = {.kind = FRAME_END, .position = 9};
    hear(&bench, end);
    EXPECT(count_of(CLIENT_FX_POLL_LATER) == 1);
    EXPECT(effects.list[0].delay_ns == bench.config.poll_interval_ns);
    step(&bench, CLIENT_EV_POLL_DUE);
    EXPECT(count_of(CLIENT_FX_POLL) == 1 && effects.list[0].frame.position == 9);
    hear(&bench, (struct chat_frame){.kind = FRAME_END, .position = 9, .status = 2});
    EXPECT(count_of(CLIENT_FX_POLL) == 1); /* There is more. */
    step(&bench, CLIENT_EV_FAILED);
    EXPECT(count_of(CLIENT_FX_POLL_LATER) == 1 && bench.client.state == CLIENT_ONLINE);
    bench = bench_of(TRANSPORT_LONG_POLL, 1);
    step(&bench, CLIENT_EV_START);
    hear(&bench, end);
    EXPECT(count_of(CLIENT_FX_POLL) == 1 && effects.list[0].frame.position == 9);
}

/* The oracle: a server that has what arrived, and a line to it that breaks. */

#define WRITTEN 60u
#define SENT 60u

struct oracle {
    bool arrived[WRITTEN + 1];
    uint32_t acked[WRITTEN + 1]; /* How often the client said so. */
    uint32_t shown[SENT + 1];
    uint32_t delivered; /* Positions up to here are confirmed. */
};

static uint64_t prng_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void oracle_effects(struct oracle *oracle, const struct bench *bench, uint64_t *prng,
                           uint64_t heard)
{
    for (uint32_t i = 0; i < effects.count; i++) {
        const struct client_effect *effect = &effects.list[i];
        bool passes = prng_next(prng) % 4 != 0;
        switch ((enum client_effect_kind)effect->kind) {
        case CLIENT_FX_TRANSMIT:
            EXPECT(effect->seq > bench->client.acked);
            EXPECT(effect->seq <= bench->client.acked + bench->config.window);
            EXPECT(oracle->acked[effect->seq] == 0);
            oracle->arrived[effect->seq] = oracle->arrived[effect->seq] || passes;
            break;
        case CLIENT_FX_ACKED:
            oracle->acked[effect->seq]++;
            break;
        case CLIENT_FX_SHOW:
            oracle->shown[heard]++;
            break;
        case CLIENT_FX_SEND:
            if (effect->frame.kind == FRAME_DELIVERED && passes &&
                effect->frame.msg_id == oracle->delivered + 1) {
                oracle->delivered++;
            }
            break;
        default:
            break;
        }
    }
}

static void test_against_oracle(uint64_t seed)
{
    struct oracle oracle = {0};
    struct bench bench = bench_of(TRANSPORT_WEBSOCKET, (uint8_t)(1 + seed % CLIENT_WINDOW_MAX));
    uint64_t prng = seed;
    step(&bench, CLIENT_EV_START);
    for (uint32_t i = 0; i < 60000 && (bench.client.acked < WRITTEN || oracle.delivered < SENT);
         i++) {
        bench.tick += (uint32_t)(prng_next(&prng) % 10);
        uint64_t heard = 0;
        effects.count = 0;
        switch (prng_next(&prng) % 6) {
        case 0:
            if (bench.client.written < WRITTEN) {
                step(&bench, CLIENT_EV_WRITE);
            }
            break;
        case 1:
            heard = 1 + prng_next(&prng) % WRITTEN;
            if (oracle.arrived[heard]) {
                hear(&bench, ack(heard, 1000 + heard));
            }
            break;
        case 2:
            heard = oracle.delivered + 1; /* In order, and again until it is confirmed. */
            if (heard <= SENT) {
                hear(&bench, message(heard, heard));
            }
            break;
        case 3:
            step(&bench, CLIENT_EV_SWEEP);
            break;
        case 4:
            if (prng_next(&prng) % 8 == 0) {
                step(&bench, bench.client.state == CLIENT_ONLINE ? CLIENT_EV_DISCONNECTED
                                                                 : CLIENT_EV_FAILED);
            }
            break;
        default:
            step(&bench, CLIENT_EV_CONNECTED);
        }
        oracle_effects(&oracle, &bench, &prng, heard);
    }
    EXPECT(bench.client.acked == WRITTEN && client_unacked(&bench.client) == 0);
    for (uint32_t i = 1; i <= WRITTEN; i++) {
        EXPECT(oracle.arrived[i] && oracle.acked[i] == 1);
        EXPECT(oracle.shown[i] == 1);
    }
}

int main(void)
{
    test_the_window_holds_back_and_opens_with_the_oldest_ack();
    test_what_an_ack_lets_out_is_sent_after_that_ack();
    test_unacked_messages_go_out_again_after_the_timeout_and_a_reconnect();
    test_a_refusal_for_now_is_tried_again_and_one_for_good_is_not();
    test_back_off_doubles_with_full_jitter_and_ends_when_a_server_speaks();
    test_every_message_is_answered_and_shown_once();
    test_with_a_memory_redeliveries_are_told_by_id();
    test_reads_are_said_again_until_they_are_durable();
    test_a_poll_asks_since_its_cursor_and_acknowledges_by_it();
    for (uint64_t seed = 1; seed <= 200; seed++) {
        test_against_oracle(seed);
    }
    puts("client: ok");
    return 0;
}
