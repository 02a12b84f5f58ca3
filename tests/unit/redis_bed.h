/* A shard with hosts that send what a test says and keep what comes back. Everything else of the
 * fleet is left out: three gateways of two workers, one fan-out server, one shard. */
#ifndef TESTS_UNIT_REDIS_BED_H
#define TESTS_UNIT_REDIS_BED_H

#include "models/infra/redis.h"

#define MS UINT64_C(1000000)
#define COMMAND_NS 1500u /* What the bed's plan says, ... */
#define ROUND_TRIP_NS 8000u
#define REDIS_BED_HOP_NS 100000u /* ... and every latency, one way. */
#define REDIS_BED_GATEWAYS 3u
#define REDIS_BED_CORES 2u
#define REDIS_BED_FANOUT REDIS_BED_GATEWAYS       /* Node ids: gateways from 0, the fan-out, ... */
#define REDIS_BED_SHARD (REDIS_BED_GATEWAYS + 1u) /* ... the shard. */
#define REDIS_BED_KEPT_MAX 256u
#define POSITION(n) (UINT64_C(1) << INBOX_POSITION_BITS | (n))

struct redis_host {
    struct peer peer;
    /* A Poisson source of LOCATEs, where gap is not NULL. */
    const struct dist *gap;
    uint32_t wanted;
    uint32_t sent;
    /* What came back; the first of them also as they were. */
    uint32_t count;
    struct sim_event kept[REDIS_BED_KEPT_MAX];
    uint64_t response_ns; /* Sum, hops excluded, where the token is when it was sent. */
};

struct redis_bed {
    struct plan plan;
    struct world world;
    struct sim *sim;
    struct redis_host hosts[REDIS_BED_GATEWAYS + 1];
    struct redis *shard;
    struct stats *stats;
};

/* With a plan that a test may change before redis_bed_start(): 10 s, pipelines of 16, presence
 * lives for 3 s, a failover takes 200 ms. No bandwidth costs time, no byte costs CPU. */
struct redis_bed *redis_bed_create(void);
void redis_bed_start(struct redis_bed *bed, uint64_t near);
void redis_bed_destroy(struct redis_bed *bed);

/* A fault of the plan that hits the only, or the first, node of a tier. */
struct plan_fault *redis_bed_fault(struct redis_bed *bed, enum plan_fault_kind kind,
                                   enum plan_tier tier, uint64_t at_ns, uint64_t duration_ns);

/* A call of `host` that reaches the shard at `at_ns`. */
void redis_bed_call(struct redis_bed *bed, uint64_t at_ns, uint32_t host, uint16_t device,
                    const struct call *call);
/* Token 0: not answered. */
struct call redis_bed_key(enum chat_op op, uint64_t token, uint32_t user, uint64_t conn_id,
                          uint64_t position);
struct call redis_bed_append(uint64_t token, uint32_t user, uint64_t id, uint16_t named);
/* What came back as number `index`. */
struct reply redis_bed_reply(const struct redis_host *host, uint32_t index);

#endif
