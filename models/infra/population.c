#include "models/infra/population_state.h"

#include "sim/pages.h"

#include <stdlib.h>

#define SWEEP_NS 100000000u
#define SWEEP_SLICES 100u /* Every client is looked at each 10 s. */
#define TRIES_MAX 16u
#define SHOWN_MAX 4096u
#define RECEIPTS_MAX 8192u

enum clock {
    CLOCK_WRITE,
    CLOCK_READ,
    CLOCK_LEAVE,
    CLOCK_JOIN,
    CLOCK_FORGET,
    CLOCK_HISTORY,
    CLOCK_MEMBERSHIP,
    CLOCK_SWEEP,
};

static void clock_post(struct sim_context *context, struct population *population, enum clock clock,
                       double rate_per_s)
{
    if (rate_per_s <= 0) {
        return;
    }
    double wait =
        dist_value(&population->setup->exponential, rng_next(&population->peer.rng).word[0]);
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

/* Who writes has the app open. */
static void come_online(struct sim_context *context, struct population *population, uint32_t index)
{
    for (uint32_t at = 0; at < population->offline_count; at++) {
        if (population->offline[at] == index) {
            population->offline[at] = population->offline[--population->offline_count];
            population_step(context, population, index,
                            &(struct client_event){.kind = CLIENT_EV_START});
            return;
        }
    }
}

/* The trace's next message, and the one after it. */
static void on_replay(struct sim_context *context, struct population *population)
{
    const struct population_write *write = &population->writes[population->write_at++];
    count_add(context, population->peer.world, COUNT_SENT, 1);
    if (population->write_at < population->write_count) {
        struct sim_event event = {
            .time_ns = population->writes[population->write_at].time_ns,
            .node = population->peer.node,
            .kind = EV_TICK,
            .flags = CLOCK_WRITE,
        };
        sim_send(context, &event);
    }
    uint32_t index = write->client - population->first;
    if (population->clients[index].state == CLIENT_OFFLINE) {
        come_online(context, population, index);
    }
    population_step(context, population, index, &(struct client_event){.kind = CLIENT_EV_WRITE});
}

static void on_write(struct sim_context *context, struct population *population)
{
    const struct world *world = population->peer.world;
    uint64_t now_ns = sim_context_now(context);
    if (now_ns >= world->stop_ns) {
        return;
    }
    if (population->writes != NULL) {
        on_replay(context, population);
        return;
    }
    clock_post(context, population, CLOCK_WRITE,
               population->setup->write_rate_per_s * population->share);
    uint32_t index = somebody(population, true);
    if (index != UINT32_MAX) {
        count_add(context, world, COUNT_SENT, 1);
        population_step(context, population, index,
                        &(struct client_event){.kind = CLIENT_EV_WRITE});
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
        population_step(context, population, index, &event);
    }
}

static void leave(struct sim_context *context, struct population *population, uint32_t index)
{
    const struct client *client = &population->clients[index];
    if (client->state == CLIENT_ONLINE && !is_polling(population)) {
        population_close(context, population, index);
    }
    count_add(context, population->peer.world, COUNT_DISCONNECTS, 1);
    population_step(context, population, index, &(struct client_event){.kind = CLIENT_EV_STOP});
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
    population_step(context, population, index, &(struct client_event){.kind = CLIENT_EV_START});
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

static void on_forget(struct sim_context *context, struct population *population)
{
    if (sim_context_now(context) >= population->peer.world->stop_ns) {
        return;
    }
    clock_post(context, population, CLOCK_FORGET,
               population->setup->forget_rate_per_s * population->share);
    uint32_t index = somebody(population, false);
    if (index != UINT32_MAX) {
        population_close(context, population, index);
        count_add(context, population->peer.world, COUNT_DISCONNECTS, 1);
        struct client_event event = {.kind = CLIENT_EV_DISCONNECTED,
                                     .random = rng_next(&population->peer.rng).word[0]};
        population_step(context, population, index, &event);
    }
}

/* The newest page of a channel that the user writes to. */
static void on_history(struct sim_context *context, struct population *population)
{
    const struct world *world = population->peer.world;
    if (sim_context_now(context) >= world->stop_ns) {
        return;
    }
    clock_post(context, population, CLOCK_HISTORY,
               population->setup->history_rate_per_s * population->share);
    uint32_t index = somebody(population, true);
    if (index == UINT32_MAX) {
        return;
    }
    uint64_t user = client_user(world, population->first + index);
    struct rng_bits bits = rng_next(&population->peer.rng);
    struct chat_frame frame = {
        .kind = FRAME_HISTORY,
        .channel = workload_channel(population->setup->workload, user, (uint32_t)bits.word[0]),
        .limit = world->plan->core.history_page,
    };
    count_add(context, world, COUNT_PAGES, 1);
    population_step(context, population, index,
                    &(struct client_event){.kind = CLIENT_EV_ASK, .frame = &frame});
}

/* A user leaves a group, or lets a contact join it. What these were owed of it from then on, the
 * judge leaves open. */
static void on_membership(struct sim_context *context, struct population *population)
{
    const struct world *world = population->peer.world;
    const struct workload *workload = population->setup->workload;
    if (sim_context_now(context) >= world->stop_ns) {
        return;
    }
    clock_post(context, population, CLOCK_MEMBERSHIP,
               population->setup->membership_rate_per_s * population->share);
    uint32_t index = somebody(population, true);
    struct rng_bits bits = rng_next(&population->peer.rng);
    uint64_t user = index == UINT32_MAX ? 0 : client_user(world, population->first + index);
    uint64_t group = user == 0 ? 0 : workload_pick_group(workload, user, bits.word[0]);
    if (group == 0) {
        return;
    }
    bool leaves = (bits.word[1] & 1) != 0;
    struct chat_frame frame = {
        .kind = leaves ? FRAME_LEAVE : FRAME_JOIN,
        .channel = {group, 0},
        .user_id = leaves ? user : workload_contact(workload, user, (bits.word[1] >> 1) % 64),
    };
    if (world->judge != NULL) {
        judge_changing(world->judge, frame.channel, frame.user_id);
    }
    count_add(context, world, COUNT_MEMBERSHIPS, 1);
    population_step(context, population, index,
                    &(struct client_event){.kind = CLIENT_EV_ASK, .frame = &frame});
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
            population_step(context, population, index,
                            &(struct client_event){.kind = CLIENT_EV_SWEEP});
        }
    }
    if (world->judge != NULL && sim_context_now(context) >= world->stop_ns) {
        all_join(context, population);
    }
    struct sim_event event = {
        .time_ns = sim_context_now(context) + SWEEP_NS,
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
    case CLOCK_FORGET:
        on_forget(context, population);
        break;
    case CLOCK_HISTORY:
        on_history(context, population);
        break;
    case CLOCK_MEMBERSHIP:
        on_membership(context, population);
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
        population_step(context, population, timer.index,
                        &(struct client_event){.kind = CLIENT_EV_START});
    } else if (timer.what == TIMER_CONNECT) {
        if (client->state == CLIENT_CONNECTING) {
            population_open(context, population, timer.index, 0);
        }
    } else if (timer.what == TIMER_POLL) {
        /* Of before the user left and came back: who came back asked at once, and goes on from
         * there. */
        if (timer.msg_id == polls_since(population, timer.index)) {
            population_step(context, population, timer.index,
                            &(struct client_event){.kind = CLIENT_EV_POLL_DUE});
        }
    } else {
        uint32_t number = number_of(population, timer.index);
        count_add(context, world, COUNT_READ, 1);
        judge_read(world->judge, client_user(world, number), client_device(world, number),
                   timer.msg_id, client->state == CLIENT_ONLINE);
        population_step(context, population, timer.index,
                        &(struct client_event){.kind = CLIENT_EV_READ, .msg_id = timer.msg_id});
    }
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
        population_on_downlink(context, population, event);
        break;
    case EV_DOWN: /* Clients stand in no zone. */
    case EV_UP:
        break;
    default:
        CHECK(!"an event that no population knows");
    }
}

static void prefetch(const void *state, const struct sim_event *event, uint32_t step)
{
    const struct population *population = state;
    (void)step;
    if (event->kind == EV_DOWNLINK) {
        uint32_t index = (uint32_t)event->data[3] - population->first;
        const char *client = (const char *)&population->clients[index];
        __builtin_prefetch(client);
        __builtin_prefetch(client + sizeof(struct client) - 1);
        __builtin_prefetch(&population->up_last[index]);
    }
}

const struct sim_class population_class = {
    .name = "population", .handle = handle, .prefetch = prefetch, .prefetch_steps = 1};

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
    population->up_last[client - population->first] = (uint32_t) - (int32_t)client_unit(idle_ns);
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
    event.time_ns = rng_below(rng_next(&population->peer.rng).word[0], spread_ns + 1);
    if (polling) {
        population->clients[index].state = CLIENT_ONLINE;
        polls_since_set(population, index, event.time_ns);
        timer.msg_id = polls_since(population, index);
    }
    EVENT_WRITE(&event, &timer);
    sim_post(sim, &event);
}

void population_start(struct population *population, struct sim *sim)
{
    const struct population_setup *setup = population->setup;
    const double rates[] = {setup->write_rate_per_s,     setup->read_rate_per_s,
                            setup->leave_rate_per_s,     setup->leave_rate_per_s,
                            setup->forget_rate_per_s,    setup->history_rate_per_s,
                            setup->membership_rate_per_s};
    if (population->count == 0) {
        return;
    }
    struct sim_event event = {.node = population->peer.node, .kind = EV_TICK};
    if (population->write_count > 0) {
        event.flags = CLOCK_WRITE;
        event.time_ns = population->writes[0].time_ns;
        sim_post(sim, &event);
    }
    uint16_t drawn = population->writes == NULL ? CLOCK_WRITE : CLOCK_READ;
    for (uint16_t clock = drawn; clock < CLOCK_SWEEP; clock++) {
        double rate = rates[clock] * population->share;
        if (rate > 0) {
            double wait = dist_value(&setup->exponential, rng_next(&population->peer.rng).word[0]);
            event.flags = clock;
            event.time_ns = (uint64_t)(wait * 1e9 / rate);
            sim_post(sim, &event);
        }
    }
    event.flags = CLOCK_SWEEP;
    event.time_ns = rng_below(rng_next(&population->peer.rng).word[0], SWEEP_NS);
    sim_post(sim, &event);
    for (uint32_t index = 0; index < population->count; index++) {
        if (population->clients[index].state != CLIENT_ONLINE) {
            start_client(population, sim, index);
        }
    }
}

void population_replay(struct population *population, const struct population_write *writes,
                       uint32_t count)
{
    population->writes = writes;
    population->write_count = count;
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
            uint64_t user = client_user(world, number);
            judge_device(world->judge, user, client_device(world, number)); /* If it is new. */
            judge_caught_up(world->judge, user, client_device(world, number));
        }
    }
}
