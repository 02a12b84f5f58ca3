/* A shard's inside, shared by redis.c (time and faults), redis_apply.c (operations and their
 * answers), redis_marks.c (what polled inboxes hold) and redis_create.c. */
#ifndef MODELS_INFRA_REDIS_STATE_H
#define MODELS_INFRA_REDIS_STATE_H

#include "models/infra/inbox_counted.h"
#include "models/infra/redis.h"

#include <stddef.h>

/* What a host has paid for: the batch, and how many commands went with it. 4 bytes, since they are
 * touched at random. That a batch's number comes round again after 2^24 others, with nothing from
 * this host in between, would spare it one round trip. */
struct redis_source {
    uint32_t batch : 24;
    uint32_t commands : 8;
};
#define REDIS_COMMANDS_MAX 255u /* As many fit; a longer pipeline is cut there. */

/* A page of a member list that is coming in. */
struct redis_offer {
    struct call first; /* Of its calls. */
    uint32_t got;
    struct chat_member members[CHAT_PAGE_MAX];
};

struct redis {
    struct peer peer; /* Two lines. */
    /* One line: all else that a call touches here, with inbox_counted.h. */
    uint64_t free_ns;      /* When all that has come is done. */
    uint64_t batch_ns;     /* When the latest batch starts, or started. */
    uint64_t replicate_ns; /* What starts from then on comes after the replica's next copy. */
    struct inbox *inbox;
    struct inbox_view view;
    uint32_t near; /* Users above are far; contents mode: UINT32_MAX. */
    uint32_t batch;
    /* Colder. */
    uint32_t source_count;
    double members_cached; /* Counted mode: share of look-ups that find a list. */
    double members_bytes;  /* ... and what the lists take. */
    struct rng_stream members;
    uint64_t *stamps;          /* By gateway: what its last refresh was answered. */
    uint32_t *marks;           /* By slot, redis_marks.h; NULL: none. */
    struct redis_offer *offer; /* Contents mode. */
    struct outage_interval *intervals;
    /* Gateways, fan-outs, and gateways again, as subscribers. */
    struct redis_source sources[];
};

_Static_assert(offsetof(struct redis, free_ns) == 128, "a line begins");
_Static_assert(offsetof(struct redis, source_count) == 192, "and ends");

struct redis_service {
    uint64_t start_ns;
    uint64_t finish_ns;
};

/* A call in hand. */
struct redis_job {
    struct sim_context *context;
    struct redis *redis;
    struct call call;
    struct redis_service service;
    uint16_t flags; /* The event's. */
};

static inline const struct plan_redis *redis_plan(const struct redis *redis)
{
    return &redis->peer.world->plan->redis;
}

/* Member lists are kept by channel, all else by user. */
static inline bool redis_op_is_listed(uint32_t op)
{
    return op >= CACHE_MEMBERS && op <= CACHE_FORGET;
}
_Static_assert(CACHE_MEMBERS + 1 == CACHE_MEMBER && CACHE_MEMBER + 1 == CACHE_FORGET, "in a row");

/* redis.c. Takes its turn. False: a DOWN meets it, and it never happens. */
bool redis_serve(struct redis *redis, uint64_t arrival_ns, uint64_t work_ns,
                 struct redis_service *service);
uint64_t redis_wall_ms(const struct redis *redis, uint64_t now_ns);
/* What the refreshes of all names of a gateway say, summed up: it grows when one of them changes.
 */
uint64_t redis_refresh(struct redis *redis, uint32_t gateway, uint64_t now_ms);
/* Will a replica have taken over from the outage of the machine that begins then? */
bool redis_fails_over(const struct redis *redis, uint64_t from_ns);

/* redis_apply.c. Carries the call out, and answers it. */
void redis_apply(struct redis_job *job);
/* An answer without rows; on the wire it weighs as much as `rows`. */
void redis_answer_plain(const struct redis_job *job, int32_t err, uint64_t value, uint32_t rows);

#endif
