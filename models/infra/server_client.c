/* Connections: a client's slot at its gateway, and frames both ways.
 *
 * A connection's id is (epoch << 32 | slot): no id comes twice, and its slot is the core's. HTTP
 * requests are connections too: a poll lives until its answer, a POST until its ack. */
#include "models/core/wire.h"
#include "models/infra/client_link.h"
#include "models/infra/server.h"

static uint32_t slot_take(struct server_worker *w)
{
    if (w->free_slot != SLOT_NONE) {
        uint32_t slot = w->free_slot;
        w->free_slot = w->slots[slot].client;
        return slot;
    }
    return w->fresh_slot < w->slot_count ? w->fresh_slot++ : SLOT_NONE;
}

/* A slot for the client: its conn_id, or 0. */
static uint64_t connection_open(struct server_worker *w, uint32_t client, uint32_t down)
{
    uint32_t slot = slot_take(w);
    if (slot == SLOT_NONE) {
        return 0;
    }
    w->slots[slot] = (struct server_slot){client, down};
    w->connected++;
    w->epoch++;
    return (uint64_t)w->epoch << 32 | slot;
}

void server_slot_free(struct server *server, uint32_t worker, uint64_t conn_id)
{
    struct server_worker *w = &server->workers[worker];
    uint32_t slot = (uint32_t)conn_id;
    w->slots[slot] = (struct server_slot){w->free_slot, SLOT_POST}; /* Nobody to reset. */
    w->free_slot = slot;
    w->connected--;
}

/* To a client, by its access network and in order of its connection. */
static void downlink_send(struct sim_context *context, struct server *server,
                          struct server_slot *slot, uint32_t client, uint32_t bytes,
                          uint64_t now_ns, const struct downlink *down)
{
    struct sim_event event = {.kind = EV_DOWNLINK};
    EVENT_WRITE(&event, down);
    uint32_t *last = slot == NULL || slot->down == SLOT_POST ? NULL : &slot->down;
    client_link_send(context, &server->peer, client, client_population(server->peer.world, client),
                     now_ns, bytes, last, &event);
}

void server_send_frame(struct sim_context *context, struct server *server, uint32_t worker,
                       uint64_t conn_id, const struct chat_frame *frame, uint64_t now_ns)
{
    struct world *world = server->peer.world;
    const struct plan *plan = world->plan;
    struct server_slot *slot = &server->workers[worker].slots[(uint32_t)conn_id];
    /* A message of one's own, on another device: it says to whom. */
    bool own = frame->kind == FRAME_MSG && frame->channel.second != 0 &&
               frame->user_id == client_user(world, slot->client);
    uint64_t other =
        frame->channel.first == frame->user_id ? frame->channel.second : frame->channel.first;
    uint64_t first = frame->channel.second == 0 ? frame->channel.first : own ? other : 0;
    uint32_t status = frame->kind == FRAME_ERROR ? (uint32_t)-frame->err : frame->status;
    status |= (frame->again ? DOWNLINK_AGAIN : 0u) | (own ? DOWNLINK_OWN : 0u);
    struct downlink down = {
        .conn_id = conn_id,
        .msg_id = frame->msg_id,
        .position = frame->position,
        .client = slot->client,
        .user = frame->kind == FRAME_ERROR ? frame->status : (uint32_t)frame->user_id,
        .client_key = (uint32_t)frame->client_key,
        .stamp = frame->text.handle,
        .first = (uint32_t)first,
        .size_bytes = (uint16_t)frame->text.size_bytes,
        .kind = frame->kind,
        .status = (uint8_t)status,
    };
    uint32_t bytes = wire_frame_bytes(frame->kind, frame->text.size_bytes) +
                     (uint32_t)plan->network.framing_bytes;
    if (plan->client.transport != PLAN_WEBSOCKET) {
        bytes += (uint32_t)plan->client.http_response_bytes;
    }
    if (frame->kind == FRAME_MSG && !frame->again) {
        stage_record(context, world, STAGE_ROUTE, stamp_age_ns(down.stamp, now_ns));
    }
    downlink_send(context, server, slot, slot->client, bytes, now_ns, &down);
    bool answered =
        frame->kind == FRAME_ACK || frame->kind == FRAME_ERROR || frame->kind == FRAME_END;
    if (slot->down == SLOT_POST && answered) {
        server_close_later(context, server, worker, conn_id, now_ns);
    }
}

bool server_is_of_another(const struct server *server, uint32_t worker, uint64_t conn_id,
                          uint64_t user, uint32_t device)
{
    const struct world *world = server->peer.world;
    const struct server_worker *w = &server->workers[worker];
    if (world->plan->routing != PLAN_ROUTING_STICKY || (uint32_t)conn_id >= w->fresh_slot) {
        return false;
    }
    return chat_connection(w->chat, (uint32_t)conn_id) == conn_id &&
           w->slots[(uint32_t)conn_id].client != client_number(world, user, device);
}

void server_close_later(struct sim_context *context, struct server *server, uint32_t worker,
                        uint64_t conn_id, uint64_t now_ns)
{
    struct uplink up = {.conn_id = conn_id};
    struct sim_event event = {
        .time_ns = now_ns,
        .node = server->peer.node,
        .kind = EV_CLOSE,
        .flags = (uint16_t)worker,
    };
    EVENT_WRITE(&event, &up);
    sim_send(context, &event);
}

static void send_state(struct sim_context *context, struct server *server, struct server_slot *slot,
                       uint32_t client, uint8_t kind, uint64_t conn_id, uint8_t status,
                       uint64_t now_ns)
{
    struct downlink down = {.conn_id = conn_id, .client = client, .kind = kind, .status = status};
    downlink_send(context, server, slot, client, 60, now_ns, &down);
}

void server_drop(struct sim_context *context, struct server *server, uint32_t worker,
                 uint64_t conn_id, enum chat_err err, uint64_t now_ns)
{
    struct server_slot *slot = &server->workers[worker].slots[(uint32_t)conn_id];
    if (err != CHAT_OK) {
        send_state(context, server, slot, slot->client, DOWNLINK_CLOSED, conn_id, (uint8_t)-err,
                   now_ns);
    }
    server_slot_free(server, worker, conn_id);
}

/* The kernel resets every connection of a process that died, also one that its core has not seen
 * yet, or has dropped in a step that came to nothing. */
void server_reset_clients(struct sim_context *context, struct server *server)
{
    for (uint32_t i = 0; i < server->worker_count; i++) {
        struct server_worker *w = &server->workers[i];
        for (uint32_t slot = 0; slot < w->fresh_slot; slot++) {
            if (w->slots[slot].down != SLOT_POST) {
                send_state(context, server, &w->slots[slot], w->slots[slot].client, DOWNLINK_CLOSED,
                           0, 0, sim_context_now(context));
            }
        }
    }
}

void server_look_for_lost(struct sim_context *context, struct server *server, uint32_t shard)
{
    const struct world *world = server->peer.world;
    for (uint32_t i = 0; i < server->worker_count; i++) {
        struct server_worker *w = &server->workers[i];
        for (uint32_t slot = 0; slot < w->fresh_slot; slot++) {
            uint64_t conn_id = chat_connection(w->chat, slot);
            uint64_t user = client_user(world, w->slots[slot].client);
            if (conn_id != 0 && world_redis_shard(world, user) == shard) {
                struct chat_event step = {.kind = CHAT_EV_LOST, .conn_id = conn_id};
                server_step(context, server, i, &step, 0);
            }
        }
    }
}

static void on_open(struct sim_context *context, struct server *server,
                    const struct sim_event *event, const struct uplink *up)
{
    struct world *world = server->peer.world;
    const struct plan_gateway *gateway = &world->plan->gateway;
    uint8_t transport = (uint8_t)up->conn_id;
    uint32_t worker = up->client % server->worker_count;
    struct server_worker *w = &server->workers[worker];
    bool down = outage_is_down(&server->peer.outage, event->time_ns);
    uint64_t conn_id = down ? 0 : connection_open(w, up->client, 0);
    if (conn_id == 0) {
        count_add(context, world, COUNT_CONNECTS_REFUSED, 1);
        send_state(context, server, NULL, up->client, DOWNLINK_REFUSED, 0, 0, event->time_ns);
        return;
    }
    struct chat_event step = {
        .kind = CHAT_EV_OPEN,
        .conn_id = conn_id,
        .user_id = client_user(world, up->client),
        .device_id = client_device(world, up->client),
        .transport = transport,
        .since = up->msg_id,
        .value = up->position,
    };
    bool poll = transport != TRANSPORT_WEBSOCKET;
    count_add(context, world, poll ? COUNT_POLLS : COUNT_CONNECTS, 1);
    /* The handshake's answer leaves before the core's first frames. */
    if (!poll) {
        send_state(context, server, &w->slots[(uint32_t)conn_id], up->client, DOWNLINK_OPENED,
                   conn_id, (uint8_t)worker, event->time_ns);
    }
    server_step(context, server, worker, &step,
                poll ? gateway->cpu_poll_ns : gateway->cpu_handshake_ns);
}

static void frame_step(struct sim_context *context, struct server *server, uint32_t worker,
                       uint64_t conn_id, const struct sim_event *event, const struct uplink *up)
{
    const struct plan_gateway *gateway = &server->peer.world->plan->gateway;
    struct chat_frame frame = {
        .kind = up->kind,
        .msg_id = up->msg_id,
        .position = up->position,
        .channel = {up->first, up->second},
        .text = {up->stamp, up->size_bytes},
        .client_key = up->client_key,
        .client_id = {0, 8},
    };
    if (up->kind == FRAME_HISTORY) {
        frame.limit = up->client_key;
    } else if (up->kind == FRAME_JOIN || up->kind == FRAME_LEAVE) {
        frame.user_id = up->position;
    }
    struct chat_event step = {.kind = CHAT_EV_FRAME, .conn_id = conn_id, .frame = &frame};
    uint64_t cost_ns = gateway->cpu_frame_in_ns + up->size_bytes * gateway->cpu_byte_ps / 1000;
    struct server_slot *slot = &server->workers[worker].slots[(uint32_t)conn_id];
    if (slot->down != SLOT_POST) {
        client_link_awake(&slot->down, event->time_ns);
    }
    bool done = server_step(context, server, worker, &step, cost_ns);
    if (done && up->kind == FRAME_MSG) {
        const struct world *world = server->peer.world;
        stage_record(context, world, STAGE_UPLINK, stamp_age_ns(up->stamp, event->time_ns));
        stage_record(context, world, STAGE_GATEWAY,
                     server->workers[worker].free_ns - event->time_ns);
    }
}

/* A frame without a connection: one POST request. */
static void on_post(struct sim_context *context, struct server *server,
                    const struct sim_event *event, const struct uplink *up)
{
    struct world *world = server->peer.world;
    uint32_t worker = up->client % server->worker_count;
    uint64_t conn_id = connection_open(&server->workers[worker], up->client, SLOT_POST);
    if (conn_id == 0) {
        count_add(context, world, COUNT_CONNECTS_REFUSED, 1);
        return; /* The client sends again after its timeout. */
    }
    struct chat_event step = {
        .kind = CHAT_EV_OPEN,
        .conn_id = conn_id,
        .user_id = client_user(world, up->client),
        .device_id = client_device(world, up->client),
        .transport = TRANSPORT_POST,
    };
    if (!server_step(context, server, worker, &step, 0)) {
        return;
    }
    frame_step(context, server, worker, conn_id, event, up);
    if (up->kind == FRAME_DELIVERED || up->kind == FRAME_PONG) { /* The others are answered. */
        server_close_later(context, server, worker, conn_id, server->workers[worker].free_ns);
    }
}

/* What a client sent takes bandwidth; it is counted, and holds up nobody: a frame is too small. */
static void uplink_count(struct server *server, const struct sim_event *event,
                         const struct uplink *up)
{
    const struct world *world = server->peer.world;
    const struct plan *plan = world->plan;
    if (event->time_ns < world->from_ns || event->time_ns >= world->until_ns ||
        event->kind == EV_CLOSE) {
        return;
    }
    bool polling = plan->client.transport != PLAN_WEBSOCKET;
    uint64_t bytes = plan->network.framing_bytes + (polling ? plan->client.http_request_bytes : 0);
    if (event->kind == EV_FRAME) {
        bytes += wire_frame_bytes(up->kind, up->size_bytes);
    } else if (event->kind == EV_OPEN && !polling) {
        bytes += CLIENT_OPEN_BYTES;
    }
    server->peer.in_bytes += bytes;
}

void server_on_uplink(struct sim_context *context, struct server *server,
                      const struct sim_event *event)
{
    struct uplink up;
    EVENT_READ(event, &up);
    uplink_count(server, event, &up);
    if (event->kind == EV_OPEN) {
        on_open(context, server, event, &up);
    } else if (event->kind == EV_CLOSE) {
        uint32_t worker = event->flags & 0xff;
        struct chat_event step = {.kind = CHAT_EV_CLOSE, .conn_id = up.conn_id};
        if (chat_connection(server->workers[worker].chat, (uint32_t)up.conn_id) == up.conn_id) {
            server_slot_free(server, worker, up.conn_id);
            server_step(context, server, worker, &step, 0);
        }
    } else if (up.conn_id == 0) {
        on_post(context, server, event, &up);
    } else if (chat_connection(server->workers[event->flags & 0xff].chat, (uint32_t)up.conn_id) !=
               up.conn_id) {
        /* Of a process that died, or dropped: the kernel answers by a reset. */
        send_state(context, server, NULL, up.client, DOWNLINK_CLOSED, up.conn_id, 0,
                   event->time_ns);
    } else {
        frame_step(context, server, event->flags & 0xff, up.conn_id, event, &up);
    }
}

uint64_t server_place(struct server *server, struct server_scratch *scratch, uint32_t client,
                      uint64_t position, uint64_t idle_ns, uint32_t *worker)
{
    *worker = client % server->worker_count;
    struct server_worker *w = &server->workers[*worker];
    uint64_t conn_id = connection_open(w, client, (uint32_t) - (int32_t)client_unit(idle_ns));
    if (conn_id == 0) {
        return 0;
    }
    struct chat_event event = {
        .kind = CHAT_EV_RESUME,
        .wall_ms = WALL_BASE_MS,
        .conn_id = conn_id,
        .user_id = client_user(server->peer.world, client),
        .device_id = client_device(server->peer.world, client),
        .since = position,
        .transport = TRANSPORT_WEBSOCKET,
    };
    chat_step(w->chat, &event, &scratch->effects);
    CHECK(scratch->effects.count == 0);
    return conn_id;
}
