/* What hosts need of Kafka: requests that fill, and commits. */
#include "models/infra/faults.h"
#include "models/infra/kafka_state.h"
#include "sim/pages.h"

/* What is about to leave for one broker. One cache line. */
struct request {
    uint64_t flush_ns;
    uint64_t arrive_ns; /* Of its last record so far; SIM_NEVER: it is lost. */
    uint64_t latest_ns; /* Of any record so far: TCP keeps order. */
    uint64_t batches;   /* Of which partitions there is a batch: bits, by partition / brokers. */
    uint32_t bytes;
    bool open;
    uint64_t paced_ns;   /* See request_pace(). */
    uint64_t sampled_ns; /* When the request left whose answer is awaited as a sample; 0: none. */
    uint64_t round_ns;   /* How long answers take: a moving mean. */
};

_Static_assert(sizeof(struct request) == 64, "one cache line");

struct kafka_producer {
    size_t size_bytes;
    uint32_t broker_count;
    uint32_t unused[13];
    struct request requests[]; /* By broker. */
};

_Static_assert(KAFKA_PARTITIONS_MAX <= 1u << 24, "a partition is the argument and 8 bits of flags");

uint32_t kafka_partition(const struct world *world, uint32_t first, uint32_t second)
{
    return (uint32_t)(channel_hash(first, second) % world->plan->kafka.partitions);
}

struct kafka_producer *kafka_producer_create(const struct world *world)
{
    const struct plan_kafka *plan = &world->plan->kafka;
    uint32_t broker_count = world->count[CLASS_KAFKA];
    CHECK(plan->partitions <= KAFKA_PARTITIONS_MAX);
    size_t size_bytes = sizeof(struct kafka_producer) + broker_count * sizeof(struct request);
    struct kafka_producer *producer = pages_allocate(size_bytes);
    if (producer == NULL) {
        return NULL;
    }
    producer->size_bytes = size_bytes;
    producer->broker_count = broker_count;
    return producer;
}

void kafka_producer_destroy(struct kafka_producer *producer)
{
    if (producer != NULL) {
        pages_free(producer, producer->size_bytes);
    }
}

void kafka_producer_reset(struct kafka_producer *producer)
{
    for (uint32_t i = 0; i < producer->broker_count; i++) {
        memset(&producer->requests[i], 0, sizeof producer->requests[i]);
    }
}

/* No more than requests_in_flight_max requests leave in the time that an answer takes: one after
 * another, each that long after the one so many before it. How long that is, is known from samples;
 * one that is overdue says that it is at least so long. What waits fills up meanwhile, so a broker
 * that is slow gets fewer requests of more records. Returns when one that is due at `flush_ns` may
 * leave. */
static uint64_t request_pace(const struct plan_kafka *plan, struct request *request,
                             uint64_t now_ns, uint64_t flush_ns)
{
    if (plan->acks == PLAN_ACKS_NONE || plan->requests_in_flight_max == 0) {
        return flush_ns;
    }
    uint64_t round_ns = request->round_ns;
    if (request->sampled_ns != 0 && now_ns > request->sampled_ns + round_ns) {
        round_ns = now_ns - request->sampled_ns;
    }
    uint64_t gap_ns = round_ns / plan->requests_in_flight_max;
    uint64_t early_ns = round_ns - gap_ns;
    if (request->paced_ns > flush_ns + early_ns) {
        flush_ns = request->paced_ns - early_ns;
    }
    request->paced_ns = kafka_max(request->paced_ns, flush_ns) + gap_ns;
    return flush_ns;
}

/* Is this request to be the next sample? */
static bool request_sample(const struct plan_kafka *plan, struct request *request)
{
    bool lost = request->flush_ns > request->sampled_ns + plan->delivery_timeout_ns;
    if (plan->acks == PLAN_ACKS_NONE || (request->sampled_ns != 0 && !lost)) {
        return false;
    }
    request->sampled_ns = request->flush_ns;
    return true;
}

void kafka_producer_heard(struct kafka_producer *producer, uint32_t sample, uint64_t now_ns)
{
    struct request *request = &producer->requests[sample - 1];
    CHECK(sample > 0 && sample <= producer->broker_count);
    if (request->sampled_ns != 0 && now_ns > request->sampled_ns) {
        uint64_t took_ns = now_ns - request->sampled_ns;
        request->round_ns =
            request->round_ns == 0 ? took_ns : (7 * request->round_ns + took_ns) / 8;
    }
    request->sampled_ns = 0;
}

/* A request that leaves a linger after its first record, or as soon as one may. */
static void request_open(struct request *request, struct peer *peer, uint32_t node, uint64_t now_ns,
                         uint64_t depart_ns)
{
    const struct world *world = peer->world;
    const struct plan *plan = world->plan;
    request->open = true;
    request->bytes = 0;
    request->batches = 0;
    request->flush_ns =
        request_pace(&plan->kafka, request, now_ns, depart_ns + plan->kafka.linger_ns);
    uint64_t sent_ns = kafka_nic_out(peer, now_ns, request->flush_ns,
                                     (uint32_t)plan->network.framing_inside_bytes);
    struct rng_bits bits = rng_next(&peer->rng);
    bool near = peer->zone == world->zones[node];
    uint64_t arrive_ns =
        sent_ns + dist_ns(near ? &world->in_zone : &world->between_zones, bits.word[0]);
    bool lost = outage_down_between(&peer->outage, now_ns, request->flush_ns + 1) != SIM_NEVER;
    if (world->cuts != NULL && !lost) {
        uint64_t delay_ns = cuts_delay(world, peer->node, node, sent_ns, bits.word[1]);
        lost = delay_ns == SIM_NEVER;
        arrive_ns += lost ? 0 : delay_ns;
    }
    request->arrive_ns = lost ? SIM_NEVER : kafka_max(arrive_ns, request->latest_ns + 1);
}

/* ACKS_NONE: whoever asked hears as soon as it has left. */
static void answer_self(struct sim_context *context, const struct peer *peer, uint32_t worker,
                        uint64_t token, uint64_t at_ns)
{
    struct reply reply = {.token = token, .err = CHAT_OK};
    struct sim_event event = {
        .time_ns = at_ns, .node = peer->node, .kind = EV_REPLY, .flags = (uint16_t)worker};
    EVENT_WRITE(&event, &reply);
    sim_send(context, &event);
}

uint32_t kafka_produce(struct kafka_producer *producer, struct sim_context *context,
                       struct peer *peer, uint32_t worker, uint64_t depart_ns,
                       const struct call *call)
{
    const struct world *world = peer->world;
    const struct plan_kafka *plan = &world->plan->kafka;
    uint64_t now_ns = sim_context_now(context);
    uint32_t partition = kafka_partition(world, call->entry.first, call->entry.second);
    uint32_t node = kafka_leader(world, partition, now_ns);
    struct request *request = &producer->requests[node - world->base[CLASS_KAFKA]];
    uint32_t sample = 0;
    CHECK(worker <= 0xff);
    struct call sent = *call;
    sent.op = plan->acks == PLAN_ACKS_NONE ? KAFKA_UNANSWERED : 0;
    sent.argument = (uint16_t)partition;
    sent.entry.more = stamp_of(depart_ns);
    if (!request->open || depart_ns > request->flush_ns || request->bytes >= plan->batch_bytes) {
        request_open(request, peer, node, now_ns, depart_ns);
        sent.op |= KAFKA_OPENS;
        sample = request_sample(plan, request) ? node - world->base[CLASS_KAFKA] + 1 : 0;
    } else if (request->arrive_ns != SIM_NEVER) {
        request->arrive_ns++; /* A nanosecond between two records keeps their order. */
    }
    uint32_t bytes = (uint32_t)(plan->record_overhead_bytes + plan->key_bytes) + KAFKA_ENTRY_BYTES +
                     call->entry.size_bytes;
    uint64_t batch = (uint64_t)1 << partition / world->count[CLASS_KAFKA] % 64;
    if ((request->batches & batch) == 0) {
        request->batches |= batch;
        sent.op |= KAFKA_HEADS;
        bytes += (uint32_t)plan->batch_overhead_bytes;
    }
    request->bytes += bytes;
    kafka_nic_out(peer, now_ns, request->flush_ns, bytes);
    if ((sent.op & KAFKA_UNANSWERED) != 0) {
        answer_self(context, peer, worker, call->token, request->flush_ns);
    }
    if (request->arrive_ns == SIM_NEVER) {
        count_add(context, world, COUNT_LOST, 1);
        return sample;
    }
    request->latest_ns = request->arrive_ns;
    struct sim_event event = {
        .time_ns = request->arrive_ns,
        .node = node,
        .kind = EV_CALL,
        .flags = (uint16_t)(worker | partition >> 16 << 8),
    };
    EVENT_WRITE(&event, &sent);
    sim_send(context, &event);
    return sample;
}

void kafka_commit(struct sim_context *context, struct peer *peer, uint32_t worker,
                  uint64_t depart_ns, uint32_t partition, uint64_t position, uint32_t credit)
{
    const struct world *world = peer->world;
    CHECK(credit <= UINT16_MAX);
    struct call call = {.source = peer->node, .argument = (uint16_t)credit};
    call.key.position = position;
    call.key.channel = partition;
    struct sim_event event = {.kind = EV_COMMIT, .flags = (uint16_t)worker};
    EVENT_WRITE(&event, &call);
    uint32_t bytes = (uint32_t)world->plan->network.framing_inside_bytes + KAFKA_FETCH_KEY_BYTES;
    kafka_send(context, peer, kafka_leader(world, partition, sim_context_now(context)), depart_ns,
               bytes, &event);
}
