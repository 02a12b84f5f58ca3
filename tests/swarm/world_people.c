/* Devices and their connections: what client_step() asks for, carried out over links that break. */
#include "tests/swarm/world_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define POST_MS 1500u /* How long one request that brings frames may wait for its ack. */

struct person *person_of(struct world *world, uint64_t user, uint32_t device)
{
    for (uint32_t i = 0; i < world->person_count; i++) {
        if (world->people[i].user == user && world->people[i].device == device) {
            return &world->people[i];
        }
    }
    return NULL;
}

static uint32_t index_of(const struct world *world, const struct person *person)
{
    return (uint32_t)(person - world->people);
}

static uint32_t tick(const struct world *world)
{
    return (uint32_t)(world->now_ns / (TICK_MS * MS));
}

struct chat_channel group_channel(uint32_t group)
{
    return (struct chat_channel){1000 + group, 0};
}

/* Links. */

void send_up(struct world *world, uint32_t serial, const struct chat_frame *frame)
{
    struct conn *conn = &world->conns[serial];
    if (conn->broken || !conn->server_open) {
        return;
    }
    uint64_t at_ns = world->now_ns + below(world, chance(world, 50) ? 80 * MS : 5 * MS);
    conn->up_ns = at_ns > conn->up_ns ? at_ns : conn->up_ns + 1;
    happen(world, conn->up_ns - world->now_ns, HAPPEN_UP, serial)->frame = *frame;
}

void send_down(struct world *world, uint32_t serial, const struct chat_frame *frame)
{
    struct conn *conn = &world->conns[serial];
    if (conn->broken) {
        return;
    }
    uint64_t at_ns = world->now_ns + below(world, chance(world, 50) ? 80 * MS : 5 * MS);
    conn->down_ns = at_ns > conn->down_ns ? at_ns : conn->down_ns + 1;
    happen(world, conn->down_ns - world->now_ns, HAPPEN_DOWN, serial)->frame = *frame;
}

void frame_up(struct world *world, const struct happening *happening)
{
    struct conn *conn = &world->conns[happening->index];
    struct node *node = &world->nodes[conn->node];
    if (!conn->server_open || conn->broken || !node->alive) {
        return;
    }
    CHECK(node->incarnation == conn->incarnation);
    trace(world, "conn %u says kind %u id %" PRIu64 " key %" PRIu64 " pos %" PRIx64,
          happening->index, happening->frame.kind, happening->frame.msg_id,
          happening->frame.client_key, happening->frame.position);
    bool blob = happening->frame.text.handle != 0;
    node->blobs += blob;
    struct chat_event event = {
        .kind = CHAT_EV_FRAME, .conn_id = conn->id, .frame = &happening->frame};
    node_step(world, node, &event);
}

/* A request or a connection is no longer the client's. */
static void client_lets_go(struct world *world, uint32_t serial)
{
    struct conn *conn = &world->conns[serial];
    struct person *person = &world->people[conn->person];
    conn->client_open = false;
    if (person->conn == serial) {
        person->conn = 0;
    }
}

void conn_close(struct world *world, uint32_t serial)
{
    struct conn *conn = &world->conns[serial];
    struct node *node = &world->nodes[conn->node];
    if (!conn->server_open) {
        return;
    }
    conn->server_open = false;
    CHECK(node->alive && node->incarnation == conn->incarnation);
    node->conns[(uint32_t)conn->id] = 0;
    struct chat_event event = {.kind = CHAT_EV_CLOSE, .conn_id = conn->id};
    trace(world, "node %u sees conn %u close", node->index, serial);
    node_step(world, node, &event);
    if (conn->transport == TRANSPORT_POST) {
        conn->client_open = false;
    }
}

void conn_gone(struct world *world, uint32_t serial)
{
    struct conn *conn = &world->conns[serial];
    struct person *person = &world->people[conn->person];
    bool current = conn->client_open && person->conn == serial;
    client_lets_go(world, serial);
    if (current) {
        struct client_event event = {.kind = CLIENT_EV_DISCONNECTED};
        person_event(world, person, &event);
    }
}

void frame_down(struct world *world, const struct happening *happening)
{
    uint32_t serial = happening->index;
    struct conn *conn = &world->conns[serial];
    struct person *person = &world->people[conn->person];
    if (!conn->client_open || conn->broken) {
        return;
    }
    const struct chat_frame *frame = &happening->frame;
    if (frame->kind == 0) {
        conn_gone(world, serial);
        return;
    }
    trace(world,
          "%" PRIu64 "/%u hears kind %u id %" PRIu64 " key %" PRIu64 " pos %" PRIx64 " err %d",
          person->user, person->device, frame->kind, frame->msg_id, frame->client_key,
          frame->position, frame->err);
    member_answer(world, frame);
    if (frame->kind == FRAME_END && frame->status != FRAME_HISTORY) {
        client_lets_go(world, serial); /* The answer to a poll is complete. */
    }
    bool said = frame->kind == FRAME_ACK && frame->status == FRAME_READ;
    struct client_event event = {
        .kind = said ? CLIENT_EV_SAID : CLIENT_EV_FRAME, .msg_id = frame->msg_id, .frame = frame};
    person_event(world, person, &event);
}

/* A connection to some node that is up. 0: refused. */
static uint32_t conn_open(struct world *world, struct person *person, uint8_t transport,
                          uint64_t since)
{
    struct node *node = &world->nodes[below(world, world->node_count)];
    node = node->gateway ? node : &world->nodes[0];
    uint32_t slot = (uint32_t)below(world, SESSIONS_MAX);
    while (slot < SESSIONS_MAX && node->conns[slot] != 0) {
        slot++;
    }
    if (!node->alive || slot == SESSIONS_MAX || fault(world, FAULT_LINK, 50)) {
        return 0;
    }
    if (world->conn_count >= world->conn_max) {
        world->conn_max = world->conn_max == 0 ? 256 : 2 * world->conn_max;
        world->conns = realloc(world->conns, world->conn_max * sizeof *world->conns);
        CHECK(world->conns != NULL);
    }
    uint32_t serial = world->conn_count++;
    world->conns[serial] = (struct conn){
        .id = (uint64_t)serial << 32 | slot,
        .node = node->index,
        .incarnation = node->incarnation,
        .person = index_of(world, person),
        .transport = transport,
        .server_open = true,
        .client_open = true,
    };
    node->conns[slot] = serial;
    trace(world, "%" PRIu64 "/%u opens conn %u (%u) at node %u since %" PRIx64, person->user,
          person->device, serial, transport, node->index, since);
    struct chat_event event = {
        .kind = CHAT_EV_OPEN,
        .conn_id = world->conns[serial].id,
        .user_id = person->user,
        .device_id = person->device,
        .transport = transport,
        .since = since,
        .value = serial,
    };
    node_step(world, node, &event);
    return serial;
}

/* What the client asks for. */

static void connect(struct world *world, struct person *person)
{
    struct client_event event = {.kind = CLIENT_EV_FAILED};
    uint32_t serial = conn_open(world, person, person->config.transport, 0);
    if (serial != 0) {
        person->conn = serial;
        event.kind = CLIENT_EV_CONNECTED;
    }
    person_event(world, person, &event);
}

static void poll_open(struct world *world, struct person *person, uint64_t since)
{
    if (person->conn != 0) {
        return; /* One is under way: its END or its loss asks again. */
    }
    uint32_t serial = conn_open(world, person, person->config.transport, since);
    if (serial == 0) {
        struct client_event event = {.kind = CLIENT_EV_FAILED};
        person_event(world, person, &event);
        return;
    }
    person->conn = serial;
    happen(world, 4000ull * MS, HAPPEN_CLOSE, serial);
    happen(world, 4100ull * MS, HAPPEN_GONE, serial);
}

/* A frame on the connection, or in a request of its own. */
static void say(struct world *world, struct person *person, const struct chat_frame *frame)
{
    if (person->config.transport == TRANSPORT_WEBSOCKET) {
        CHECK(person->conn != 0);
        send_up(world, person->conn, frame);
        return;
    }
    uint32_t serial = conn_open(world, person, TRANSPORT_POST, 0);
    if (serial != 0) {
        send_up(world, serial, frame);
        happen(world, POST_MS * MS, HAPPEN_CLOSE, serial);
    }
}

static void transmit(struct world *world, struct person *person, const struct client_effect *effect)
{
    uint32_t handle = person->outbox[effect->seq - 1];
    const struct message *message = &world->messages[handle - 1];
    struct chat_frame frame = effect->frame;
    frame.channel = message->channel;
    frame.text = (struct chat_blob){handle, 35};
    struct judge_message told = {person->user, person->device, effect->seq, message->channel};
    judge_sent(world->judge, &told, frame.msg_id);
    say(world, person, &frame);
}

static struct judge_message message_of(const struct world *world, uint32_t handle)
{
    const struct message *message = &world->messages[handle - 1];
    return (struct judge_message){message->user, message->device, message->seq, message->channel};
}

static void shown(struct world *world, struct person *person, const struct chat_frame *frame)
{
    if (frame->text.handle == 0 || frame->text.handle > world->message_count) {
        violate(world, "%" PRIu64 "/%u is shown message %" PRIu64 " with text %u, which is none",
                person->user, person->device, frame->msg_id, frame->text.handle);
        return;
    }
    struct judge_message message = message_of(world, frame->text.handle);
    judge_shown(world->judge, person->user, person->device, &message, frame->msg_id);
    if (message.user != person->user && chance(world, 500)) {
        happen(world, below(world, 2000) * MS, HAPPEN_READ, index_of(world, person))->a =
            frame->msg_id;
    }
}

static void later(struct world *world, struct person *person, enum happening_kind kind,
                  uint64_t delay_ns)
{
    happen(world, delay_ns, kind, index_of(world, person))->a = ++person->version;
}

static void client_effect_apply(struct world *world, struct person *person,
                                const struct client_effect *effect, const struct chat_frame *frame)
{
    struct judge_message message = {person->user, person->device, effect->seq, {0}};
    if (effect->kind == CLIENT_FX_ACKED || effect->kind == CLIENT_FX_REFUSED) {
        message.channel = world->messages[person->outbox[effect->seq - 1] - 1].channel;
    }
    switch ((enum client_effect_kind)effect->kind) {
    case CLIENT_FX_CONNECT:
        later(world, person, HAPPEN_CONNECT, effect->delay_ns);
        break;
    case CLIENT_FX_POLL:
        later(world, person, HAPPEN_CONNECT, below(world, 3 * MS));
        break;
    case CLIENT_FX_POLL_LATER:
        later(world, person, HAPPEN_POLL_DUE, effect->delay_ns);
        break;
    case CLIENT_FX_TRANSMIT:
        transmit(world, person, effect);
        break;
    case CLIENT_FX_SEND:
        say(world, person, &effect->frame);
        break;
    case CLIENT_FX_ACKED:
        judge_acked(world->judge, &message, effect->frame.msg_id);
        break;
    case CLIENT_FX_REFUSED:
        judge_refused(world->judge, &message);
        break;
    case CLIENT_FX_SHOW:
        shown(world, person, frame);
        break;
    case CLIENT_FX_RECEIPT:
        judge_receipt(world->judge, person->user, person->device, frame->msg_id, frame->user_id,
                      frame->status);
        break;
    case CLIENT_FX_PAGE:
    case CLIENT_FX_AGAIN:
        break;
    }
}

void person_event(struct world *world, struct person *person, struct client_event *event)
{
    struct client_effects effects;
    event->tick = tick(world);
    event->random = draw(world);
    client_step(&person->client, &person->config, &person->memory, event, &effects);
    for (uint32_t i = 0; i < effects.count; i++) {
        client_effect_apply(world, person, &effects.list[i], event->frame);
    }
}

/* What people do. */

static bool writes_to(struct world *world, const struct person *person,
                      struct chat_channel *channel)
{
    if (chance(world, 600)) {
        uint64_t other = 1 + below(world, world->user_count);
        *channel = chat_pair(person->user, other);
        return true;
    }
    uint32_t group = (uint32_t)below(world, GROUPS);
    bool changing = world->change.active && world->change.user == person->user;
    *channel = group_channel(group);
    return !changing && (world->member[group][person->user] || chance(world, 50));
}

static void write(struct world *world, struct person *person)
{
    struct chat_channel channel;
    if (!writes_to(world, person, &channel)) {
        return;
    }
    if (world->message_count == world->message_max) {
        world->message_max = world->message_max == 0 ? 256 : 2 * world->message_max;
        world->messages = realloc(world->messages, world->message_max * sizeof *world->messages);
        CHECK(world->messages != NULL);
    }
    uint32_t seq = person->client.written + 1;
    if (seq > person->outbox_max) {
        person->outbox_max = person->outbox_max == 0 ? 64 : 2 * person->outbox_max;
        person->outbox = realloc(person->outbox, person->outbox_max * sizeof *person->outbox);
        CHECK(person->outbox != NULL);
    }
    world->messages[world->message_count++] =
        (struct message){person->user, person->device, seq, channel};
    person->outbox[seq - 1] = world->message_count;
    struct client_event event = {.kind = CLIENT_EV_WRITE};
    person_event(world, person, &event);
}

/* Comes online, or goes: saying so, or just vanishing. */
static void start_or_stop(struct world *world, struct person *person)
{
    struct client_event event = {.kind = CLIENT_EV_START};
    if (person->client.state != CLIENT_OFFLINE) {
        event.kind = CLIENT_EV_STOP;
        person->version++;
        uint32_t serial = person->conn;
        if (serial != 0) {
            client_lets_go(world, serial);
            bool says_so = chance(world, 700);
            happen(world, says_so ? below(world, 20 * MS) : below(world, 2000 * MS), HAPPEN_CLOSE,
                   serial);
        }
    }
    person_event(world, person, &event);
}

static void on_session(struct world *world, struct person *person)
{
    uint32_t index = index_of(world, person);
    if (!world->faulty) {
        return;
    }
    start_or_stop(world, person);
    bool online = person->client.state != CLIENT_OFFLINE;
    happen(world, below(world, online ? 8000 : 3000) * MS, HAPPEN_SESSION, index);
}

void person_happens(struct world *world, const struct happening *happening)
{
    struct person *person = &world->people[happening->index];
    struct client_event event = {0};
    switch (happening->kind) {
    case HAPPEN_CONNECT:
        if (happening->a != person->version || person->client.state == CLIENT_OFFLINE) {
            break;
        }
        if (person->config.transport == TRANSPORT_WEBSOCKET) {
            connect(world, person);
        } else {
            poll_open(world, person, person->client.position);
        }
        break;
    case HAPPEN_POLL_DUE:
        if (happening->a == person->version) {
            event.kind = CLIENT_EV_POLL_DUE;
            person_event(world, person, &event);
        }
        break;
    case HAPPEN_SWEEP:
        happen(world, 500 * MS, HAPPEN_SWEEP, happening->index);
        event.kind = CLIENT_EV_SWEEP;
        person_event(world, person, &event);
        break;
    case HAPPEN_WRITE:
        if (world->faulty) {
            happen(world, below(world, 1200) * MS, HAPPEN_WRITE, happening->index);
            write(world, person);
        }
        break;
    case HAPPEN_READ:
        event.kind = CLIENT_EV_READ;
        event.msg_id = happening->a;
        judge_read(world->judge, person->user, person->device, event.msg_id, true);
        person_event(world, person, &event);
        break;
    case HAPPEN_SESSION:
        on_session(world, person);
        break;
    case HAPPEN_WAKE:
        if (person->client.state == CLIENT_OFFLINE && world->faulty) {
            start_or_stop(world, person);
        }
        break;
    default:
        CHECK(!"a happening");
    }
}

static void person_create(struct world *world, uint64_t user, uint32_t device)
{
    uint32_t index = world->person_count++;
    struct person *person = &world->people[index];
    bool polls = (world->options.faults & FAULT_POLLS) != 0 && index != 0 && chance(world, 400);
    uint8_t transport = TRANSPORT_WEBSOCKET;
    if (polls) {
        transport = chance(world, 500) ? TRANSPORT_POLL : TRANSPORT_LONG_POLL;
    }
    person->user = user;
    person->device = device;
    person->config = client_config_default(transport);
    bool alone = polls || (world->options.faults & FAULT_WINDOW) == 0;
    person->config.window = (uint8_t)(alone ? 1 : 1 + below(world, CLIENT_WINDOW_MAX));
    person->config.send_timeout_ticks = 20;
    person->config.backoff_first_ns = 100ull * MS;
    person->config.backoff_max_ns = 1000ull * MS;
    person->config.poll_interval_ns = 300ull * MS;
    person->shown = calloc(SHOWN_MAX, sizeof *person->shown);
    person->receipts = calloc(SHOWN_MAX, sizeof *person->receipts);
    CHECK(person->shown != NULL && person->receipts != NULL);
    client_memory_init(&person->memory, person->shown, SHOWN_MAX, person->receipts, SHOWN_MAX);
    happen(world, below(world, 1500) * MS, HAPPEN_SESSION, index);
    happen(world, below(world, 1000) * MS, HAPPEN_WRITE, index);
    happen(world, below(world, 500) * MS, HAPPEN_SWEEP, index);
}

/* Members of the groups at the beginning are in the store, as if they had joined long ago. */
static void groups_create(struct world *world)
{
    for (uint32_t group = 0; group < GROUPS; group++) {
        for (uint64_t user = 1; user <= world->user_count; user++) {
            if (user != 1 && !chance(world, 600)) {
                continue;
            }
            struct chat_effect effect = {.kind = CHAT_FX_STORE, .op = STORE_MEMBER};
            effect.entry.kind = ENTRY_JOINED;
            effect.entry.channel = group_channel(group);
            effect.entry.user = user;
            effect.entry.id = 1;
            for (uint32_t i = 0; i < REPLICAS; i++) {
                table_store(world->tables[i], &effect, NULL, wall_ms(world));
                table_sync(world->tables[i], table_written(world->tables[i]));
            }
            judge_joined(world->judge, effect.entry.channel, user, 1);
            world->member[group][user] = true;
        }
    }
}

void people_create(struct world *world)
{
    world->user_count = 3 + below(world, USERS_MAX - 2);
    for (uint64_t user = 1; user <= world->user_count; user++) {
        uint32_t devices = chance(world, 400) ? 1 + (uint32_t)below(world, DEVICES_MAX) : 1;
        for (uint32_t device = 1; device <= devices; device++) {
            person_create(world, user, device);
        }
    }
    groups_create(world);
}

void people_destroy(struct world *world)
{
    for (uint32_t i = 0; i < world->person_count; i++) {
        free(world->people[i].shown);
        free(world->people[i].receipts);
        free(world->people[i].outbox);
    }
}
