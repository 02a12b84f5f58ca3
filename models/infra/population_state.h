/* A population's inside: population.c has its clockwork (who acts next), population_client.c what a
 * client's step asks for and what reaches a client. */
#ifndef MODELS_INFRA_POPULATION_STATE_H
#define MODELS_INFRA_POPULATION_STATE_H

#include "models/client/judge.h"
#include "models/infra/client_link.h"
#include "models/infra/population.h"

#define LOCATION_SLOT_BITS 20u
#define LOCATION_SERVER_BITS 12u

enum client_timer { TIMER_START, TIMER_CONNECT, TIMER_POLL, TIMER_READ };

/* data[] of EV_TICK2. */
struct timer {
    uint32_t index;
    uint32_t what;   /* enum client_timer. */
    uint64_t msg_id; /* READ. POLL: when the client had come online. */
    uint64_t unused[4];
};
_Static_assert(sizeof(struct timer) == 48, "an event's data");

struct population {
    struct peer peer;
    const struct population_setup *setup;
    struct client *clients;
    uint32_t *up_last; /* When each client's last frame arrives, in 4096 ns; of one that polls: see
                          polls_since(). */
    uint32_t first;    /* Client number of clients[0]. */
    uint32_t count;
    uint32_t *offline;
    uint32_t offline_count;
    uint32_t sweep_at;
    const struct population_write *writes; /* Of a trace; NULL: drawn. */
    uint32_t write_count;
    uint32_t write_at;
    double share;                   /* Of all clients. */
    struct client_memory *memories; /* Contents runs. */
    struct client_effects effects;
};

static inline struct client_memory *memory_of(struct population *population, uint32_t index)
{
    return population->memories == NULL ? NULL : &population->memories[index];
}

static inline uint32_t number_of(const struct population *population, uint32_t index)
{
    return population->first + index;
}

static inline uint64_t location_pack(uint32_t gateway, uint64_t conn_id)
{
    CHECK((uint32_t)conn_id < 1u << LOCATION_SLOT_BITS);
    CHECK(gateway < 1u << LOCATION_SERVER_BITS);
    return conn_id | (uint64_t)gateway << LOCATION_SLOT_BITS;
}

static inline uint64_t location_conn(uint64_t location)
{
    return location & ~((((uint64_t)1 << LOCATION_SERVER_BITS) - 1) << LOCATION_SLOT_BITS);
}

static inline uint32_t location_gateway(uint64_t location)
{
    return (uint32_t)(location >> LOCATION_SLOT_BITS) & ((1u << LOCATION_SERVER_BITS) - 1);
}

static inline bool is_polling(const struct population *population)
{
    return population->setup->client.transport != TRANSPORT_WEBSOCKET;
}

/* Steps a client and carries out what it asks for. */
void population_step(struct sim_context *context, struct population *population, uint32_t index,
                     struct client_event *event);
/* Opens a connection, or asks a poll, since position `since`. */
void population_open(struct sim_context *context, struct population *population, uint32_t index,
                     uint64_t since);
void population_close(struct sim_context *context, struct population *population, uint32_t index);
void population_on_downlink(struct sim_context *context, struct population *population,
                            const struct sim_event *event);

/* Of a client that polls: since when it has been online, in ms modulo 2^24, above how many of its
 * polls are under way. */
#define POLLS_SHIFT 8u
#define POLLS_MAX ((1u << POLLS_SHIFT) - 1)

static inline uint32_t polls_since(const struct population *population, uint32_t index)
{
    return population->up_last[index] >> POLLS_SHIFT;
}

static inline void polls_since_set(struct population *population, uint32_t index, uint64_t now_ns)
{
    uint32_t *polls = &population->up_last[index];
    *polls = (uint32_t)(now_ns / 1000000) << POLLS_SHIFT | (*polls & POLLS_MAX);
}

static inline uint32_t polls_under_way(const struct population *population, uint32_t index)
{
    return population->up_last[index] & POLLS_MAX;
}

#endif
