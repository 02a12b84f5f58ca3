#include "models/infra/population.h"

#include "models/client/judge.h"
#include "models/core/wire.h"
#include "models/infra/client_link.h"
#include "sim/pages.h"

#include <stdlib.h>

#define TICK_NS 100000000u /* A tick of client_step(). */
#define SWEEP_SLICES 100u  /* Every client is looked at each 10 s. */
#define TRIES_MAX 16u
#define LOCATION_SLOT_BITS 20u
#define LOCATION_SERVER_BITS 12u
#define LB_KNOWS_NS 1000000000u /* Until the load balancer has noticed a dead gateway. */
#define SHOWN_MAX 4096u
#define RECEIPTS_MAX 8192u

enum clock { CLOCK_WRITE, CLOCK_READ, CLOCK_LEAVE, CLOCK_JOIN, CLOCK_SWEEP };

enum client_timer { TIMER_START, TIMER_CONNECT, TIMER_POLL, TIMER_READ };

/* data[] of EV_TICK2. */
struct timer {
    uint32_t index;
    uint32_t what; /* enum client_timer. */
    uint64_t msg_id;
    uint64_t unused[4];
};
_Static_assert(sizeof(struct timer) == 48, "an event's data");

struct population {
    struct peer peer;
    const struct population_setup *setup;
    struct client *clients;
    uint32_t *up_last; /* When each client's last frame arrives, in 4096 ns. */
    uint32_t first;    /* Client number of clients[0]. */
    uint32_t count;
    uint32_t writers; /* The first so many are first devices, in all but the last shards. */
    uint32_t *offline;
    uint32_t offline_count;
    uint32_t sweep_at;
    double share;                   /* Of all clients. */
    struct client_memory *memories; /* Contents runs. */
    struct client_effects effects;
};

static struct client_memory *memory_of(struct population *population, uint32_t index)
{
    return population->memories == NULL ? NULL : &population->memories[index];
}

static uint32_t number_of(const struct population *population, uint32_t index)
{
    return population->first + index;
}

static uint64_t location_pack(uint32_t gateway, uint64_t conn_id)
{
    CHECK((uint32_t)conn_id < 1u << LOCATION_SLOT_BITS);
    CHECK(gateway < 1u << LOCATION_SERVER_BITS);
    return conn_id | (uint64_t)gateway << LOCATION_SLOT_BITS;
}

static uint64_t location_conn(uint64_t location)
{
    return location & ~((((uint64_t)1 << LOCATION_SERVER_BITS) - 1) << LOCATION_SLOT_BITS);
}

static uint32_t location_gateway(uint64_t location)
{
    return (uint32_t)(location >> LOCATION_SLOT_BITS) & ((1u << LOCATION_SERVER_BITS) - 1);
}

static uint32_t tick_of(uint64_t now_ns)
{
    return (uint32_t)(now_ns / TICK_NS) + 1;
}

/* Where the load balancer sends a client: home, while that lives; else another, by its tries. */
static uint32_t gateway_for(const struct population *population, uint32_t index, uint64_t now_ns,
                            uint32_t tries)
{
    const struct world *world = population->peer.world;
    uint32_t gateways = world->count[CLASS_GATEWAY];
    uint64_t known_ns = now_ns > LB_KNOWS_NS ? now_ns - LB_KNOWS_NS : 0;
    uint64_t hash = hash_mix(number_of(population, index) + 0x51ed270bu);
    for (uint32_t i = tries; i < tries + gateways; i++) {
        uint32_t gateway = i == 0 ? population->peer.index % gateways
                                  : (uint32_t)((hash + i * 0x9E3779B9u) % gateways);
        if (world_is_up(world, world->base[CLASS_GATEWAY] + gateway, known_ns)) {
            return gateway;
        }
    }
    return population->peer.index % gateways;
}

static bool is_polling(const struct population *population)
{
    return population->setup->client.transport != TRANSPORT_WEBSOCKET;
}

static void uplink_send(struct sim_context *context, struct population *population,
                        uint32_t index, uint16_t kind, uint32_t gateway, uint64_t depart_ns,
                        uint32_t bytes, const struct uplink *up)
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
    uint32_t gateway =
        polling ? gateway_for(population, index, now_ns, 0) : location_gateway(location);
    struct uplink up = {
        .conn_id = polling ? 0 : location_conn(location),
        .msg_id = frame->msg_id,
        .position = frame->position,
        .first = (uint32_t)frame->channel.first,
        .second = (uint32_t)frame->channel.second,
        .client = number_of(population, index),
        .stamp = frame->text.handle,
        .client_key = (uint32_t)frame->client_key,
        .size_bytes = (uint16_t)frame->text.size_bytes,
        .kind = frame->kind,
    };
    uint32_t bytes = wire_frame_bytes(frame->kind, up.size_bytes) +
                     (uint32_t)world->plan->network.framing_bytes;
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

static void timer_post(struct sim_context *context, struct population *population,
                       uint32_t index, enum client_timer what, uint64_t delay_ns, uint64_t msg_id)
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

static void send_open(struct sim_context *context, struct population *population, uint32_t index,
                      uint64_t since)
{
    const struct world *world = population->peer.world;
    const struct plan *plan = world->plan;
    uint64_t now_ns = sim_context_now(context);
    struct client *client = &population->clients[index];
    struct uplink up = {
        .conn_id = population->setup->client.transport,
        .msg_id = since,
        .client = number_of(population, index),
        .tries = client->attempts,
    };
    uint32_t gateway = gateway_for(population, index, now_ns, client->attempts);
    uint64_t depart_ns = now_ns;
    if (!is_polling(population)) {
        /* TCP, TLS and the upgrade: the last of these round trips is the event's own way. */
        for (uint32_t i = 1; i < plan->network.handshake_round_trips; i++) {
            struct rng_bits bits = rng_next(&population->peer.rng);
            depart_ns += 2 * client_delay_ns(world, up.client, &bits);
        }
        client->location = location_pack(gateway, 0);
        population->up_last[index] = 0;
    }
    uint32_t bytes = (uint32_t)(plan->network.framing_bytes +
                                (is_polling(population) ? plan->client.http_request_bytes : 400));
    uplink_send(context, population, index, EV_OPEN, gateway, depart_ns, bytes, &up);
}

static void on_shown(struct sim_context *context, struct population *population, uint32_t index,
                     const struct chat_frame *frame)
{
    const struct world *world = population->peer.world;
    const struct plan_population *plan = &world->plan->population;
    count_add(context, world, COUNT_DELIVERED, 1);
    if (!frame->again) {
        stage_record(context, world, STAGE_DELIVERY,
                     stamp_age_ns(frame->text.handle, sim_context_now(context)));
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

static void on_receipt(struct sim_context *context, struct population *population,
                       uint32_t index, const struct chat_frame *frame)
{
    const struct world *world = population->peer.world;
    uint64_t now_ns = sim_context_now(context);
    bool read = frame->status == FRAME_READ;
    count_add(context, world, read ? COUNT_RECEIPTS_READ : COUNT_RECEIPTS_DELIVERED, 1);
    if (!frame->again && frame->text.handle != 0) {
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

static void step(struct sim_context *context, struct population *population, uint32_t index,
                 struct client_event *event)
{
    struct client_effects *effects = &population->effects;
    event->tick = tick_of(sim_context_now(context));
    client_step(&population->clients[index], &population->setup->client,
                memory_of(population, index), event, effects);
    for (uint32_t i = 0; i < effects->count; i++) {
        struct client_effect *effect = &effects->list[i];
        switch ((enum client_effect_kind)effect->kind) {
        case CLIENT_FX_CONNECT:
            timer_post(context, population, index, TIMER_CONNECT, effect->delay_ns, 0);
            break;
        case CLIENT_FX_POLL:
            send_open(context, population, index, effect->frame.position);
            break;
        case CLIENT_FX_POLL_LATER:
            timer_post(context, population, index, TIMER_POLL, effect->delay_ns, 0);
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
        }
    }
}

static void clock_post(struct sim_context *context, struct population *population,
                       enum clock clock, double rate_per_s)
{
    if (rate_per_s <= 0) {
        return;
    }
    double wait = dist_value(&population->setup->exponential,
                             rng_next(&population->peer.rng).word[0]);
    struct sim_event event = {
        .time_ns = sim_context_now(context) + (uint64_t)(wait * 1e9 / rate_per_s) + 1,
        .node = population->peer.node,
        .kind = EV_TICK,
        .flags = (uint16_t)clock,
    };
    sim_send(context, &event);
}

/* Somebody online, by activity; UINT32_MAX if nobody was found. */
static uint32_t somebody(struct population *population, bool active)
{
    for (uint32_t i = 0; i < TRIES_MAX && population->count > 0; i++) {
        struct rng_bits bits = rng_next(&population->peer.rng);
        uint64_t index =
            active ? workload_active(population->setup->workload, bits.word[0], population->count)
                   : rng_below(bits.word[0], population->count);
        if (population->clients[index].state == CLIENT_ONLINE) {
            return (uint32_t)index;
        }
    }
    return UINT32_MAX;
}

static void on_write(struct sim_context *context, struct population *population)
{
    const struct world *world = population->peer.world;
    uint64_t now_ns = sim_context_now(context);
    if (now_ns >= world->stop_ns) {
        return;
    }
    clock_post(context, population, CLOCK_WRITE,
               population->setup->write_rate_per_s * population->share);
    uint32_t index = somebody(population, true);
    if (index != UINT32_MAX) {
        count_add(context, world, COUNT_SENT, 1);
        step(context, population, index, &(struct client_event){.kind = CLIENT_EV_WRITE});
    }
}

static void on_read(struct sim_context *context, struct population *population)
{
    const struct world *world = population->peer.world;
    uint64_t now_ns = sim_context_now(context);
    if (now_ns >= world->stop_ns) {
        return;
    }
    clock_post(context, population, CLOCK_READ,
               population->setup->read_rate_per_s * population->share);
    uint32_t index = somebody(population, false);
    if (index != UINT32_MAX) {
        struct rng_bits bits = rng_next(&population->peer.rng);
        uint64_t age_ms = dist_ns(&population->setup->read_delay, bits.word[0]) / 1000000;
        struct client_event event = {
            .kind = CLIENT_EV_READ,
            .msg_id = workload_old_id(WALL_BASE_MS + now_ns / 1000000, age_ms, bits.word[1]),
        };
        count_add(context, world, COUNT_READ, 1);
        step(context, population, index, &event);
    }
}

static void leave(struct sim_context *context, struct population *population, uint32_t index)
{
    struct client *client = &population->clients[index];
    if (client->state == CLIENT_ONLINE && !is_polling(population)) {
        struct uplink up = {.conn_id = location_conn(client->location),
                            .client = number_of(population, index)};
        uplink_send(context, population, index, EV_CLOSE, location_gateway(client->location),
                    sim_context_now(context), 60, &up);
    }
    count_add(context, population->peer.world, COUNT_DISCONNECTS, 1);
    step(context, population, index, &(struct client_event){.kind = CLIENT_EV_STOP});
    population->offline[population->offline_count++] = index;
}

static void join(struct sim_context *context, struct population *population, uint64_t bits)
{
    if (population->offline_count == 0) {
        return;
    }
    uint64_t at = rng_below(bits, population->offline_count);
    uint32_t index = population->offline[at];
    population->offline[at] = population->offline[--population->offline_count];
    step(context, population, index, &(struct client_event){.kind = CLIENT_EV_START});
}

static void on_churn(struct sim_context *context, struct population *population, bool leaving)
{
    if (sim_context_now(context) >= population->peer.world->stop_ns) {
        return;
    }
    clock_post(context, population, leaving ? CLOCK_LEAVE : CLOCK_JOIN,
               population->setup->leave_rate_per_s * population->share);
    if (leaving) {
        uint32_t index = somebody(population, false);
        if (index != UINT32_MAX) {
            leave(context, population, index);
        }
    } else {
        join(context, population, rng_next(&population->peer.rng).word[0]);
    }
}

/* When nothing new is written any more, all come online, so that all can be delivered. */
static void all_join(struct sim_context *context, struct population *population)
{
    while (population->offline_count > 0) {
        join(context, population, 0);
    }
}

static void on_sweep(struct sim_context *context, struct population *population)
{
    const struct world *world = population->peer.world;
    uint32_t slice = population->count / SWEEP_SLICES + 1;
    for (uint32_t i = 0; i < slice; i++) {
        uint32_t index = population->sweep_at;
        population->sweep_at = (population->sweep_at + 1) % population->count;
        const struct client *client = &population->clients[index];
        bool reads = world->judge != NULL && population->memories[index].read_count > 0;
        if (client->state == CLIENT_ONLINE && (client_unacked(client) > 0 || reads)) {
            step(context, population, index, &(struct client_event){.kind = CLIENT_EV_SWEEP});
        }
    }
    if (world->judge != NULL && sim_context_now(context) >= world->stop_ns) {
        all_join(context, population);
    }
    struct sim_event event = {
        .time_ns = sim_context_now(context) + TICK_NS,
        .node = population->peer.node,
        .kind = EV_TICK,
        .flags = CLOCK_SWEEP,
    };
    sim_send(context, &event);
}

static void on_clock(struct sim_context *context, struct population *population, uint32_t clock)
{
    switch ((enum clock)clock) {
    case CLOCK_WRITE:
        on_write(context, population);
        break;
    case CLOCK_READ:
        on_read(context, population);
        break;
    case CLOCK_LEAVE:
    case CLOCK_JOIN:
        on_churn(context, population, clock == CLOCK_LEAVE);
        break;
    case CLOCK_SWEEP:
        on_sweep(context, population);
        break;
    }
}

static void on_timer(struct sim_context *context, struct population *population,
                     const struct sim_event *event)
{
    struct timer timer;
    EVENT_READ(event, &timer);
    const struct world *world = population->peer.world;
    const struct client *client = &population->clients[timer.index];
    if (timer.what == TIMER_START) {
        step(context, population, timer.index,
             &(struct client_event){.kind = CLIENT_EV_START});
    } else if (timer.what == TIMER_CONNECT) {
        if (client->state == CLIENT_CONNECTING) {
            send_open(context, population, timer.index, 0);
        }
    } else if (timer.what == TIMER_POLL) {
        step(context, population, timer.index,
             &(struct client_event){.kind = CLIENT_EV_POLL_DUE});
    } else {
        uint32_t number = number_of(population, timer.index);
        count_add(context, world, COUNT_READ, 1);
        judge_read(world->judge, client_user(world, number), client_device(world, number),
                   timer.msg_id, client->state == CLIENT_ONLINE);
        step(context, population, timer.index,
             &(struct client_event){.kind = CLIENT_EV_READ, .msg_id = timer.msg_id});
    }
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
        bool mine = down->conn_id == 0 || location_conn(client->location) == down->conn_id;
        if (!mine || client->state != CLIENT_ONLINE) {
            return;
        }
        event.kind = CLIENT_EV_DISCONNECTED;
        count_add(context, population->peer.world, COUNT_DISCONNECTS, 1);
    }
    step(context, population, index, &event);
}

static void on_downlink(struct sim_context *context, struct population *population,
                        const struct sim_event *event)
{
    struct downlink down;
    EVENT_READ(event, &down);
    uint32_t index = down.client - population->first;
    const struct client *client = &population->clients[index];
    if (down.kind >= DOWNLINK_OPENED) {
        on_state(context, population, index, &down);
        return;
    }
    bool polling = is_polling(population);
    if (!polling && location_conn(client->location) != down.conn_id) {
        return; /* Said on a connection that is no more. */
    }
    client_link_awake(&population->up_last[index], event->time_ns);
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
        .status = down.kind == FRAME_ERROR ? 0 : down.status & 0x3f,
        .again = down.status >> 7,
        .err = down.kind == FRAME_ERROR ? -(int32_t)(down.status & 0x3f) : 0,
        .msg_id = down.msg_id,
        .user_id = down.user,
        .channel = channel,
        .text = {down.stamp, down.size_bytes},
        .client_key = down.client_key,
        .position = down.position,
    };
    if (polling && down.kind == FRAME_END && down.position == client->position) {
        count_add(context, world, COUNT_POLLS_EMPTY, 1);
    }
    step(context, population, index,
         &(struct client_event){.kind = CLIENT_EV_FRAME, .frame = &frame});
}

static void handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct population *population = state;
    switch (event->kind) {
    case EV_TICK:
        on_clock(context, population, event->flags);
        break;
    case EV_TICK2:
        on_timer(context, population, event);
        break;
    case EV_DOWNLINK:
        on_downlink(context, population, event);
        break;
    case EV_DOWN: /* Clients stand in no zone. */
    case EV_UP:
        break;
    default:
        CHECK(!"an event that no population knows");
    }
}

static void prefetch(const void *state, const struct sim_event *event)
{
    const struct population *population = state;
    if (event->kind == EV_DOWNLINK) {
        uint32_t index = (uint32_t)event->data[3] - population->first;
        const char *client = (const char *)&population->clients[index];
        __builtin_prefetch(client);
        __builtin_prefetch(client + sizeof(struct client) - 1);
        __builtin_prefetch(&population->up_last[index]);
    }
}

const struct sim_class population_class = {
    .name = "population", .handle = handle, .prefetch = prefetch};

static void memories_create(struct population *population)
{
    struct client_memory *memories = calloc(population->count, sizeof *memories);
    uint64_t *shown = calloc((size_t)population->count * SHOWN_MAX, sizeof *shown);
    struct client_receipt *receipts =
        calloc((size_t)population->count * RECEIPTS_MAX, sizeof *receipts);
    CHECK(memories != NULL && shown != NULL && receipts != NULL);
    for (uint32_t i = 0; i < population->count; i++) {
        client_memory_init(&memories[i], shown + (size_t)i * SHOWN_MAX, SHOWN_MAX,
                           receipts + (size_t)i * RECEIPTS_MAX, RECEIPTS_MAX);
    }
    population->memories = memories;
}

struct population *population_create(struct world *world, uint32_t index,
                                     const struct population_setup *setup)
{
    struct population *population = calloc(1, sizeof *population);
    CHECK(population != NULL);
    peer_init(&population->peer, world, CLASS_POPULATION, index, 0);
    population->setup = setup;
    population->first = index * world->clients_each;
    uint32_t left = world->client_count - population->first;
    population->count = left < world->clients_each ? left : world->clients_each;
    population->share = (double)population->count / (double)world->client_count;
    population->clients = pages_allocate(population->count * sizeof *population->clients);
    population->up_last = pages_allocate(population->count * sizeof *population->up_last);
    population->offline = pages_allocate(population->count * sizeof *population->offline);
    CHECK(population->clients != NULL && population->up_last != NULL);
    CHECK(population->offline != NULL);
    if (world->judge != NULL) {
        memories_create(population);
    }
    return population;
}

void population_destroy(struct population *population)
{
    if (population == NULL) {
        return;
    }
    pages_free(population->clients, population->count * sizeof *population->clients);
    pages_free(population->up_last, population->count * sizeof *population->up_last);
    pages_free(population->offline, population->count * sizeof *population->offline);
    if (population->memories != NULL) {
        free(population->memories[0].shown);
        free(population->memories[0].receipts);
        free(population->memories);
    }
    free(population);
}

uint64_t population_memory_bytes(uint64_t clients)
{
    return clients * (sizeof(struct client) + sizeof(uint32_t));
}

bool population_begins_online(const struct population *population, uint32_t client)
{
    const struct world *world = population->peer.world;
    if (is_polling(population)) {
        return false;
    }
    /* Evenly spread: a Bresenham line of `online` steps over all clients. */
    uint64_t online = population->setup->online;
    return (uint64_t)(client + 1) * online / world->client_count !=
           (uint64_t)client * online / world->client_count;
}

void population_place(struct population *population, uint32_t client, uint32_t gateway,
                      uint64_t conn_id, uint64_t position, uint64_t idle_ns)
{
    population->up_last[client - population->first] = (uint32_t)-(int32_t)client_unit(idle_ns);
    struct client *state = &population->clients[client - population->first];
    state->location = location_pack(gateway, conn_id);
    state->state = CLIENT_ONLINE;
    state->position = position;
}

uint64_t population_connection(const struct population *population, uint32_t client,
                               uint32_t *gateway)
{
    const struct client *state = &population->clients[client - population->first];
    *gateway = location_gateway(state->location);
    return state->state == CLIENT_ONLINE ? location_conn(state->location) : 0;
}

/* A client that is not connected at the start: it polls, it is about to connect, or it is away. */
static void start_client(struct population *population, struct sim *sim, uint32_t index)
{
    bool polling = is_polling(population);
    const struct world *world = population->peer.world;
    uint32_t number = number_of(population, index);
    if (!polling && !(world->judge != NULL && population_begins_online(population, number))) {
        population->offline[population->offline_count++] = index;
        return;
    }
    uint64_t spread_ns = polling ? population->setup->client.poll_interval_ns : 1000000000u;
    struct timer timer = {.index = index, .what = polling ? TIMER_POLL : TIMER_START};
    struct sim_event event = {.node = population->peer.node, .kind = EV_TICK2};
    EVENT_WRITE(&event, &timer);
    event.time_ns = rng_below(rng_next(&population->peer.rng).word[0], spread_ns + 1);
    if (polling) {
        population->clients[index].state = CLIENT_ONLINE;
    }
    sim_post(sim, &event);
}

void population_start(struct population *population, struct sim *sim)
{
    const struct population_setup *setup = population->setup;
    const double rates[] = {setup->write_rate_per_s, setup->read_rate_per_s,
                            setup->leave_rate_per_s, setup->leave_rate_per_s};
    if (population->count == 0) {
        return;
    }
    struct sim_event event = {.node = population->peer.node, .kind = EV_TICK};
    for (uint16_t clock = CLOCK_WRITE; clock <= CLOCK_JOIN; clock++) {
        double rate = rates[clock] * population->share;
        if (rate > 0) {
            double wait =
                dist_value(&setup->exponential, rng_next(&population->peer.rng).word[0]);
            event.flags = clock;
            event.time_ns = (uint64_t)(wait * 1e9 / rate);
            sim_post(sim, &event);
        }
    }
    event.flags = CLOCK_SWEEP;
    event.time_ns = rng_below(rng_next(&population->peer.rng).word[0], TICK_NS);
    sim_post(sim, &event);
    for (uint32_t index = 0; index < population->count; index++) {
        if (population->clients[index].state != CLIENT_ONLINE) {
            start_client(population, sim, index);
        }
    }
}

struct population_end population_end(const struct population *population)
{
    struct population_end end = {0, 0};
    for (uint32_t index = 0; index < population->count; index++) {
        end.online += population->clients[index].state == CLIENT_ONLINE;
        end.unacked += client_unacked(&population->clients[index]);
    }
    return end;
}

void population_judge(const struct population *population)
{
    const struct world *world = population->peer.world;
    for (uint32_t index = 0; index < population->count; index++) {
        if (population->clients[index].state == CLIENT_ONLINE) {
            uint32_t number = number_of(population, index);
            judge_caught_up(world->judge, client_user(world, number),
                            client_device(world, number));
        }
    }
}
