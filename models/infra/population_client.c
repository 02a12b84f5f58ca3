#include "models/infra/population_state.h"

#include "models/core/wire.h"

#define TICK_NS 100000000u /* A tick of client_step(). */

/* A device numbers its connections by its clock, in 1.05 ms: it takes longer to open the next. */
#define CONNECTION_SHIFT 20u

static uint32_t tick_of(uint64_t now_ns)
{
    return (uint32_t)(now_ns / TICK_NS) + 1;
}

static void uplink_send(struct sim_context *context, struct population *population, uint32_t index,
                        uint16_t kind, uint32_t gateway, uint64_t depart_ns, uint32_t bytes,
                        const struct uplink *up)
{
    struct world *world = population->peer.world;
    uint32_t number = number_of(population, index);
    struct sim_event event = {.kind = kind};
    uint32_t workers = world->plan->gateway.cores;
    event.flags = (uint16_t)(number % workers | client_device(world, number) << 8);
    EVENT_WRITE(&event, up);
    uint32_t *last = is_polling(population) ? NULL : &population->up_last[index];
    client_link_send(context, &population->peer, number, world->base[CLASS_GATEWAY] + gateway,
                     depart_ns, bytes, last, &event);
}

static void send_frame(struct sim_context *context, struct population *population, uint32_t index,
                       const struct chat_frame *frame)
{
    const struct world *world = population->peer.world;
    uint64_t now_ns = sim_context_now(context);
    uint64_t location = population->clients[index].location;
    bool polling = is_polling(population);
    uint32_t gateway = polling ? client_gateway(world, number_of(population, index), now_ns, 0)
                               : location_gateway(location);
    struct uplink up = {
        .conn_id = polling ? 0 : location_conn(location),
        .msg_id = frame->msg_id,
        .position = frame->user_id != 0 ? frame->user_id : frame->position,
        .first = (uint32_t)frame->channel.first,
        .second = (uint32_t)frame->channel.second,
        .client = number_of(population, index),
        .stamp = frame->text.handle,
        .client_key = frame->kind == FRAME_HISTORY ? frame->limit : (uint32_t)frame->client_key,
        .size_bytes = (uint16_t)frame->text.size_bytes,
        .kind = frame->kind,
    };
    uint32_t bytes =
        wire_frame_bytes(frame->kind, up.size_bytes) + (uint32_t)world->plan->network.framing_bytes;
    if (polling) {
        bytes += (uint32_t)world->plan->client.http_request_bytes;
    }
    uplink_send(context, population, index, EV_FRAME, gateway, now_ns, bytes, &up);
}

static void judge_message_of(const struct population *population, uint32_t index, uint32_t seq,
                             struct judge_message *message)
{
    const struct world *world = population->peer.world;
    uint32_t number = number_of(population, index);
    uint64_t user = client_user(world, number);
    *message = (struct judge_message){
        .user = user,
        .device = client_device(world, number),
        .key = seq,
        .channel = workload_message(population->setup->workload, user, seq).channel,
    };
}

static void transmit(struct sim_context *context, struct population *population, uint32_t index,
                     const struct client_effect *effect)
{
    const struct world *world = population->peer.world;
    uint64_t user = client_user(world, number_of(population, index));
    struct workload_message message =
        workload_message(population->setup->workload, user, effect->seq);
    struct chat_frame frame = effect->frame;
    frame.channel = message.channel;
    frame.text = (struct chat_blob){stamp_of(sim_context_now(context)) | 1, message.size_bytes};
    count_add(context, world, COUNT_TRANSMITTED, 1);
    if (world->judge != NULL) {
        struct judge_message judged;
        judge_message_of(population, index, effect->seq, &judged);
        judge_sent(world->judge, &judged, frame.msg_id);
    }
    send_frame(context, population, index, &frame);
}

static void timer_post(struct sim_context *context, struct population *population, uint32_t index,
                       enum client_timer what, uint64_t delay_ns, uint64_t msg_id)
{
    struct timer timer = {.index = index, .what = what, .msg_id = msg_id};
    struct sim_event event = {
        .time_ns = sim_context_now(context) + delay_ns,
        .node = population->peer.node,
        .kind = EV_TICK2,
    };
    EVENT_WRITE(&event, &timer);
    sim_send(context, &event);
}

void population_open(struct sim_context *context, struct population *population, uint32_t index,
                     uint64_t since)
{
    const struct world *world = population->peer.world;
    const struct plan *plan = world->plan;
    uint64_t now_ns = sim_context_now(context);
    struct client *client = &population->clients[index];
    struct uplink up = {
        .conn_id = population->setup->client.transport,
        .msg_id = since,
        .position = (now_ns >> CONNECTION_SHIFT) + 1,
        .client = number_of(population, index),
        .tries = client->attempts,
    };
    uint32_t gateway =
        client_gateway(world, number_of(population, index), now_ns, client->attempts);
    uint64_t depart_ns = now_ns;
    if (!is_polling(population)) {
        /* TCP, TLS and the upgrade: the last of these round trips is the event's own way. */
        for (uint32_t i = 1; i < plan->network.handshake_round_trips; i++) {
            struct rng_bits bits = rng_next(&population->peer.rng);
            depart_ns += 2 * client_delay_ns(world, up.client, &bits);
        }
        client->location = location_pack(gateway, 0);
        population->up_last[index] = 0;
    } else {
        CHECK(polls_under_way(population, index) < POLLS_MAX);
        population->up_last[index]++;
    }
    uint32_t bytes =
        (uint32_t)(plan->network.framing_bytes +
                   (is_polling(population) ? plan->client.http_request_bytes : CLIENT_OPEN_BYTES));
    uplink_send(context, population, index, EV_OPEN, gateway, depart_ns, bytes, &up);
}

/* Was this sent to a device online? Of what came over a connection the frame says so; what waited
 * for a poll has to be younger than the device's coming online. */
static bool found_online(const struct population *population, uint32_t index,
                         const struct chat_frame *frame, uint64_t now_ns)
{
    if (frame->text.handle <= 1) {
        return false; /* Made up: nobody knows when it was sent. */
    }
    if (!is_polling(population)) {
        return !frame->again;
    }
    uint32_t online_ms = (uint32_t)(now_ns / 1000000) - polls_since(population, index);
    online_ms &= UINT32_MAX >> POLLS_SHIFT;
    return stamp_age_ns(frame->text.handle, now_ns) / 1000000 <= online_ms;
}

static void on_shown(struct sim_context *context, struct population *population, uint32_t index,
                     const struct chat_frame *frame)
{
    const struct world *world = population->peer.world;
    const struct plan_population *plan = &world->plan->population;
    uint64_t now_ns = sim_context_now(context);
    count_add(context, world, COUNT_DELIVERED, 1);
    if (found_online(population, index, frame, now_ns)) {
        stage_record(context, world, STAGE_DELIVERY, stamp_age_ns(frame->text.handle, now_ns));
    }
    if (world->judge == NULL) {
        return;
    }
    uint32_t number = number_of(population, index);
    struct judge_message message = {.user = frame->user_id, .channel = frame->channel};
    judge_shown(world->judge, client_user(world, number), client_device(world, number), &message,
                frame->msg_id);
    struct rng_bits bits = rng_next(&population->peer.rng);
    if (frame->user_id != client_user(world, number) &&
        rng_chance(bits.word[0], plan->read_share)) {
        timer_post(context, population, index, TIMER_READ,
                   dist_ns(&population->setup->read_delay, bits.word[1]), frame->msg_id);
    }
}

static void on_receipt(struct sim_context *context, struct population *population, uint32_t index,
                       const struct chat_frame *frame)
{
    const struct world *world = population->peer.world;
    uint64_t now_ns = sim_context_now(context);
    bool read = frame->status == FRAME_READ;
    count_add(context, world, read ? COUNT_RECEIPTS_READ : COUNT_RECEIPTS_DELIVERED, 1);
    if (found_online(population, index, frame, now_ns)) {
        stage_record(context, world, STAGE_RECEIPT, stamp_age_ns(frame->text.handle, now_ns));
    }
    if (world->judge != NULL) {
        uint32_t number = number_of(population, index);
        judge_receipt(world->judge, client_user(world, number), client_device(world, number),
                      frame->msg_id, frame->user_id, frame->status);
    }
}

static void on_acked(struct sim_context *context, struct population *population, uint32_t index,
                     const struct client_effect *effect, const struct chat_frame *frame)
{
    const struct world *world = population->peer.world;
    bool refused = effect->kind == CLIENT_FX_REFUSED;
    count_add(context, world, refused ? COUNT_REFUSED : COUNT_ACKED, 1);
    if (!refused) {
        stage_record(context, world, STAGE_ACK,
                     stamp_age_ns(frame->text.handle, sim_context_now(context)));
    }
    if (world->judge != NULL) {
        struct judge_message message;
        judge_message_of(population, index, effect->seq, &message);
        if (refused) {
            judge_refused(world->judge, &message);
        } else {
            judge_acked(world->judge, &message, effect->frame.msg_id);
        }
    }
}

void population_step(struct sim_context *context, struct population *population, uint32_t index,
                     struct client_event *event)
{
    struct client_effects *effects = &population->effects;
    event->tick = tick_of(sim_context_now(context));
    if (event->kind == CLIENT_EV_START && is_polling(population)) {
        polls_since_set(population, index, sim_context_now(context));
    }
    client_step(&population->clients[index], &population->setup->client,
                memory_of(population, index), event, effects);
    for (uint32_t i = 0; i < effects->count; i++) {
        struct client_effect *effect = &effects->list[i];
        switch ((enum client_effect_kind)effect->kind) {
        case CLIENT_FX_CONNECT:
            timer_post(context, population, index, TIMER_CONNECT, effect->delay_ns, 0);
            break;
        case CLIENT_FX_POLL:
            population_open(context, population, index, effect->frame.position);
            break;
        case CLIENT_FX_POLL_LATER:
            timer_post(context, population, index, TIMER_POLL, effect->delay_ns,
                       polls_since(population, index));
            break;
        case CLIENT_FX_TRANSMIT:
            transmit(context, population, index, effect);
            break;
        case CLIENT_FX_SEND:
            effect->frame.text.handle = stamp_of(sim_context_now(context)) | 1;
            send_frame(context, population, index, &effect->frame);
            break;
        case CLIENT_FX_ACKED:
        case CLIENT_FX_REFUSED:
            on_acked(context, population, index, effect, event->frame);
            break;
        case CLIENT_FX_SHOW:
            on_shown(context, population, index, event->frame);
            break;
        case CLIENT_FX_AGAIN:
            count_add(context, population->peer.world, COUNT_REDELIVERED, 1);
            break;
        case CLIENT_FX_RECEIPT:
            on_receipt(context, population, index, event->frame);
            break;
        case CLIENT_FX_PAGE:
            stage_record(context, population->peer.world, STAGE_HISTORY,
                         stamp_age_ns(event->frame->text.handle, sim_context_now(context)));
            break;
        }
    }
}

void population_close(struct sim_context *context, struct population *population, uint32_t index)
{
    const struct client *client = &population->clients[index];
    struct uplink up = {.conn_id = location_conn(client->location),
                        .client = number_of(population, index)};
    uplink_send(context, population, index, EV_CLOSE, location_gateway(client->location),
                sim_context_now(context), 60, &up);
}

static void on_state(struct sim_context *context, struct population *population, uint32_t index,
                     const struct downlink *down)
{
    struct client *client = &population->clients[index];
    struct client_event event = {.random = rng_next(&population->peer.rng).word[0]};
    uint32_t gateway = location_gateway(client->location);
    if (down->kind == DOWNLINK_OPENED) {
        if (client->state != CLIENT_CONNECTING) {
            return; /* The user left meanwhile; the connection is replaced by the next. */
        }
        client->location = location_pack(gateway, down->conn_id);
        event.kind = CLIENT_EV_CONNECTED;
        if (population->peer.world->judge != NULL) {
            judge_device(population->peer.world->judge,
                         client_user(population->peer.world, down->client),
                         client_device(population->peer.world, down->client));
        }
    } else if (down->kind == DOWNLINK_REFUSED) {
        event.kind = CLIENT_EV_FAILED;
    } else {
        /* Of two polls one replaces the other: the client goes on with the one that is left. */
        bool replaced = down->status == (uint8_t)-CHAT_ERR_REPLACED;
        bool mine = is_polling(population)
                        ? !replaced || polls_under_way(population, index) == 0
                        : down->conn_id == 0 || location_conn(client->location) == down->conn_id;
        if (!mine || client->state != CLIENT_ONLINE) {
            return;
        }
        event.kind = CLIENT_EV_DISCONNECTED;
        count_add(context, population->peer.world, COUNT_DISCONNECTS, 1);
    }
    population_step(context, population, index, &event);
}

/* An answer counts as a whole: its end acknowledges all of it. So when the user was away as it
 * began to arrive, the rest is not for him either, though he may be back. */
static bool poll_is_void(struct client *client, const struct downlink *down)
{
    if (client->state != CLIENT_ONLINE) {
        client->location = down->conn_id;
    }
    bool is_void = client->location == down->conn_id;
    if (is_void && down->kind == FRAME_END) {
        client->location = 0;
    }
    return is_void;
}

void population_on_downlink(struct sim_context *context, struct population *population,
                            const struct sim_event *event)
{
    struct downlink down;
    EVENT_READ(event, &down);
    uint32_t index = down.client - population->first;
    struct client *client = &population->clients[index];
    bool polling = is_polling(population);
    bool ends = down.kind == FRAME_END && down.status != FRAME_HISTORY;
    if (polling && (down.kind >= DOWNLINK_OPENED || ends)) {
        CHECK(polls_under_way(population, index) > 0);
        population->up_last[index]--;
    }
    if (down.kind >= DOWNLINK_OPENED) {
        on_state(context, population, index, &down);
        return;
    }
    if (polling ? poll_is_void(client, &down) : location_conn(client->location) != down.conn_id) {
        return; /* Said on a connection that is no more. */
    }
    if (!polling) {
        client_link_awake(&population->up_last[index], event->time_ns);
    }
    const struct world *world = population->peer.world;
    uint64_t user = client_user(world, down.client);
    struct chat_channel channel = {down.first, 0};
    if (down.kind == FRAME_MSG && (down.status & DOWNLINK_OWN) != 0) {
        channel = chat_pair(user, down.first);
    } else if (down.kind == FRAME_MSG && down.first == 0) {
        channel = chat_pair(user, down.user);
    }
    struct chat_frame frame = {
        .kind = down.kind,
        .status = down.kind == FRAME_ERROR ? (uint8_t)down.user : down.status & 0x3f,
        .again = down.status >> 7,
        .err = down.kind == FRAME_ERROR ? -(int32_t)(down.status & 0x3f) : 0,
        .msg_id = down.msg_id,
        .user_id = down.kind == FRAME_ERROR ? 0 : down.user,
        .channel = channel,
        .text = {down.stamp, down.size_bytes},
        .client_key = down.client_key,
        .position = down.position,
    };
    if (polling && down.kind == FRAME_END && world->judge != NULL) {
        /* The first answer says that the device is known from now on. */
        judge_device(world->judge, user, client_device(world, down.client));
    }
    if (polling && down.kind == FRAME_END && frame.status == 0) {
        count_add(context, world, COUNT_POLLS_EMPTY, 1);
    }
    bool said = polling && frame.kind == FRAME_ACK && frame.status == FRAME_READ;
    population_step(context, population, index,
                    &(struct client_event){.kind = said ? CLIENT_EV_SAID : CLIENT_EV_FRAME,
                                           .msg_id = frame.msg_id,
                                           .frame = &frame});
}
