/* What requests and responses take: CPU, disk, NIC, latency. */
#include "models/infra/faults.h"
#include "models/infra/kafka_state.h"

uint64_t kafka_charge(struct kafka_broker *broker, uint64_t now_ns, uint64_t cost_ns)
{
    uint64_t service_ns = cost_ns + broker->owed_ns;
    broker->owed_ns = 0;
    struct fifo_visit visit =
        fifo_serve_through(&broker->cpu, &broker->peer.outage, now_ns, service_ns);
    if (visit.start_ns != SIM_NEVER) {
        usage_add(&broker->peer, visit.start_ns, service_ns);
    }
    return visit.departure_ns;
}

void kafka_owe(struct kafka_broker *broker, uint64_t now_ns, uint64_t cost_ns)
{
    broker->owed_ns += cost_ns;
    if (broker->owed_ns > KAFKA_OWED_NS) {
        kafka_charge(broker, now_ns, 0);
    }
}

uint64_t kafka_write(struct kafka_broker *broker, uint64_t now_ns, uint64_t done_ns, uint32_t bytes)
{
    if (kafka_measured(broker->peer.world, now_ns)) {
        broker->written_bytes += bytes;
    }
    broker->disk_free_ns = kafka_max(broker->disk_free_ns, now_ns) + bytes * broker->disk_ps / 1000;
    return broker->disk_free_ns > done_ns + KAFKA_DIRTY_NS ? broker->disk_free_ns - KAFKA_DIRTY_NS
                                                           : done_ns;
}

uint64_t kafka_nic_out(struct peer *peer, uint64_t now_ns, uint64_t depart_ns, uint32_t bytes)
{
    uint64_t wire_ns = (uint64_t)bytes * peer->out_ps / 1000;
    if (kafka_measured(peer->world, now_ns)) {
        peer->out_bytes += bytes;
    }
    peer->out_free_ns = kafka_max(peer->out_free_ns, now_ns) + wire_ns;
    return kafka_max(peer->out_free_ns, depart_ns + wire_ns);
}

/* How long TCP takes to get through the cuts: it waits for their end, and tries again. */
static uint64_t hidden_delay(const struct peer *peer, uint32_t to, uint64_t sent_ns,
                             uint64_t random)
{
    const struct world *world = peer->world;
    uint64_t at_ns = sent_ns;
    for (;;) {
        uint64_t delay_ns = cuts_delay(world, peer->node, to, at_ns, random);
        if (delay_ns != SIM_NEVER) {
            return at_ns - sent_ns + delay_ns;
        }
        uint64_t next_ns = SIM_NEVER;
        for (uint32_t i = 0; i < world->cut_count && world->cuts[i].from_ns <= at_ns; i++) {
            uint64_t until_ns = world->cuts[i].until_ns;
            next_ns = until_ns > at_ns && until_ns < next_ns ? until_ns : next_ns;
        }
        if (next_ns == SIM_NEVER) {
            return SIM_NEVER;
        }
        at_ns = next_ns + world->plan->network.retransmit_timeout_ns;
    }
}

uint64_t kafka_latency(struct peer *peer, uint32_t to, uint64_t sent_ns)
{
    const struct world *world = peer->world;
    struct rng_bits bits = rng_next(&peer->rng);
    bool near = peer->zone == world->zones[to];
    uint64_t latency_ns = dist_ns(near ? &world->in_zone : &world->between_zones, bits.word[0]);
    if (world->cuts == NULL) {
        return latency_ns;
    }
    uint64_t delay_ns = hidden_delay(peer, to, sent_ns, bits.word[1]);
    return delay_ns == SIM_NEVER ? SIM_NEVER : latency_ns + delay_ns;
}

void kafka_send(struct sim_context *context, struct peer *peer, uint32_t to, uint64_t depart_ns,
                uint32_t bytes, struct sim_event *event)
{
    uint64_t sent_ns = kafka_nic_out(peer, sim_context_now(context), depart_ns, bytes);
    uint64_t latency_ns = kafka_latency(peer, to, sent_ns);
    if (latency_ns == SIM_NEVER) {
        count_add(context, peer->world, COUNT_LOST, 1);
        return;
    }
    event->time_ns = sent_ns + latency_ns;
    event->node = to;
    sim_send(context, event);
}

/* A new response, for a fetch that has arrived or is about to. */
static bool link_open(struct kafka_broker *broker, struct kafka_link *link, uint32_t node,
                      uint64_t now_ns, uint64_t ready_ns, uint64_t cost_ns)
{
    struct peer *peer = &broker->peer;
    uint64_t done_ns = kafka_charge(broker, now_ns, cost_ns);
    uint64_t depart_ns = kafka_max(kafka_max(ready_ns, link->next_ns), done_ns);
    if (done_ns == SIM_NEVER ||
        outage_down_between(&peer->outage, now_ns, depart_ns + 1) != SIM_NEVER) {
        return false;
    }
    uint64_t latency_ns = kafka_latency(peer, node, depart_ns);
    if (latency_ns == SIM_NEVER) {
        return false;
    }
    link->depart_ns = depart_ns;
    link->latency_ns = latency_ns;
    link->next_ns =
        kafka_later(depart_ns + latency_ns, kafka_latency(peer, node, depart_ns + latency_ns));
    return true;
}

/* The node is dead at some time from `from_ns` to `until_ns`, and so its connections are: what was
 * meant for a process is not given to the one that follows it. */
static bool dies_between(const struct world *world, uint32_t node, uint64_t from_ns,
                         uint64_t until_ns)
{
    const struct outage_interval *intervals = world->outages[node];
    for (uint32_t i = 0; intervals != NULL && i < world->outage_counts[node]; i++) {
        if (intervals[i].from_ns > until_ns) {
            break;
        }
        if (intervals[i].kind == OUTAGE_DOWN && intervals[i].until_ns > from_ns) {
            return true;
        }
    }
    return false;
}

bool kafka_link_send(struct sim_context *context, struct kafka_broker *broker,
                     struct kafka_link *link, uint32_t node, uint64_t ready_ns, uint32_t bytes,
                     bool full, struct sim_event *event)
{
    uint64_t now_ns = sim_context_now(context);
    uint64_t cost_ns = bytes * broker->byte_ps / 1000;
    uint32_t framing_bytes = 0;
    if (ready_ns > link->depart_ns || full) {
        if (!link_open(broker, link, node, now_ns, ready_ns, broker->request_ns + cost_ns)) {
            return false;
        }
        link->response_bytes = 0;
        framing_bytes = broker->framing_bytes;
    } else {
        kafka_owe(broker, now_ns, cost_ns);
    }
    link->response_bytes += bytes;
    uint64_t sent_ns = kafka_nic_out(&broker->peer, now_ns, link->depart_ns, bytes + framing_bytes);
    /* A nanosecond between two records keeps their order. */
    link->arrive_ns = kafka_max(link->arrive_ns + 1, sent_ns + link->latency_ns);
    if (dies_between(broker->peer.world, node, now_ns, link->arrive_ns)) {
        count_add(context, broker->peer.world, COUNT_LOST, 1);
        return true;
    }
    event->time_ns = link->arrive_ns;
    event->node = node;
    sim_send(context, event);
    return true;
}

struct kafka_answers *kafka_answers_of(const struct kafka_broker *broker, uint32_t source)
{
    const struct world *world = broker->peer.world;
    uint32_t gateway = source - world->base[CLASS_GATEWAY];
    if (gateway < world->count[CLASS_GATEWAY]) {
        return &broker->answers[gateway];
    }
    uint32_t fanout = source - world->base[CLASS_FANOUT];
    CHECK(fanout < world->count[CLASS_FANOUT]);
    return &broker->answers[world->count[CLASS_GATEWAY] + fanout];
}

/* A new response to a producer. Unlike others it may be lost. */
static void answers_open(struct kafka_broker *broker, struct kafka_answers *answers,
                         uint32_t source, uint64_t now_ns, uint64_t at_ns)
{
    struct peer *peer = &broker->peer;
    const struct world *world = peer->world;
    struct rng_bits bits = rng_next(&peer->rng);
    bool near = peer->zone == world->zones[source];
    uint64_t sent_ns = kafka_nic_out(peer, now_ns, at_ns, broker->framing_bytes);
    uint64_t arrive_ns =
        sent_ns + dist_ns(near ? &world->in_zone : &world->between_zones, bits.word[0]);
    bool lost = outage_down_between(&peer->outage, now_ns, at_ns + 1) != SIM_NEVER;
    if (world->cuts != NULL && !lost) {
        uint64_t delay_ns = cuts_delay(world, peer->node, source, sent_ns, bits.word[1]);
        lost = delay_ns == SIM_NEVER;
        arrive_ns += lost ? 0 : delay_ns;
    }
    answers->depart_ns = at_ns;
    if (lost) {
        answers->arrive_ns = SIM_NEVER;
    } else {
        bool after = answers->arrive_ns != SIM_NEVER && answers->arrive_ns > arrive_ns;
        answers->arrive_ns = after ? answers->arrive_ns : arrive_ns;
    }
}

void kafka_answer(struct sim_context *context, struct kafka_broker *broker, uint32_t source,
                  uint32_t worker, uint64_t token, enum chat_err err, uint64_t at_ns)
{
    struct kafka_answers *answers = kafka_answers_of(broker, source);
    uint64_t now_ns = sim_context_now(context);
    if (at_ns > answers->depart_ns) {
        answers_open(broker, answers, source, now_ns, at_ns);
    }
    kafka_nic_out(&broker->peer, now_ns, at_ns, KAFKA_ANSWER_BYTES);
    if (answers->arrive_ns == SIM_NEVER) {
        count_add(context, broker->peer.world, COUNT_LOST, 1);
        return;
    }
    struct reply reply = {.token = token, .err = (int8_t)err};
    struct sim_event event = {
        .time_ns = answers->arrive_ns,
        .node = source,
        .kind = EV_REPLY,
        .flags = (uint16_t)worker,
    };
    EVENT_WRITE(&event, &reply);
    sim_send(context, &event);
}
