/* Records come in. */
#include "models/infra/kafka_state.h"

uint32_t kafka_slot_take(struct kafka_broker *broker)
{
    uint32_t slot = broker->free_slot;
    if (slot != KAFKA_NONE) {
        broker->free_slot = broker->next[slot];
        if (broker->free_slot != KAFKA_NONE) { /* The one after the next will be wanted soon. */
            uint32_t soon = broker->next[broker->free_slot];
            __builtin_prefetch(&broker->slots[soon != KAFKA_NONE ? soon : slot], 1);
        }
    } else if (broker->fresh_slot < broker->slot_count) {
        slot = broker->fresh_slot++;
    } else {
        return KAFKA_NONE;
    }
    broker->held++;
    if (broker->held > broker->lag.held_max) {
        broker->lag.held_max = broker->held;
    }
    return slot;
}

void kafka_slot_free(struct kafka_broker *broker, uint32_t slot)
{
    CHECK(broker->held > 0);
    broker->held--;
    broker->next[slot] = broker->free_slot;
    broker->free_slot = slot;
}

/* When the record is in the log, if the broker lives; else SIM_NEVER. The first of a request pays
 * for the request and waits for a thread; the others come along. */
static uint64_t append_done(struct kafka_broker *broker, const struct kafka_home *home,
                            uint64_t now_ns, uint16_t op, uint32_t bytes)
{
    bool opens = (op & KAFKA_OPENS) != 0;
    uint64_t in_ns =
        net_receive(&broker->peer, now_ns, bytes + (opens ? broker->framing_bytes : 0));
    uint64_t cost_ns = broker->record_ns + bytes * broker->byte_ps / 1000;
    uint64_t done_ns = in_ns;
    if (opens) {
        done_ns = kafka_charge(broker, now_ns, broker->request_ns + cost_ns);
        if (done_ns == SIM_NEVER) {
            return SIM_NEVER;
        }
        done_ns += in_ns - now_ns;
    } else {
        kafka_owe(broker, now_ns, cost_ns);
    }
    return kafka_write(broker, now_ns, kafka_max(done_ns, home->appended_ns), bytes);
}

/* What stands in the way of appending, and counts it. */
static bool refused(struct kafka_broker *broker, const struct kafka_home *home)
{
    const struct plan_kafka *plan = &broker->peer.world->plan->kafka;
    if (!home->leading || !home->ready) {
        broker->lag.refused_leader++;
        return true;
    }
    if (plan->acks == PLAN_ACKS_ALL && home->sync_count + 1 < plan->min_insync) {
        broker->lag.refused_insync++;
        return true;
    }
    if (broker->held >= broker->held_limit) {
        broker->lag.refused++;
        return true;
    }
    return false;
}

uint32_t kafka_ring_take(struct kafka_broker *broker, struct kafka_home *home,
                         struct kafka_partition **partition)
{
    CHECK(home->high_seq < home->end_seq);
    uint64_t entry = home->ring[home->high_seq++ & home->ring_mask];
    *partition = &broker->partitions[entry >> 32];
    return (uint32_t)entry;
}

/* Twice as many places. Each entry is in its old one or as far behind it as there were places: a
 * copy puts it in both. */
static void ring_grow(struct kafka_home *home)
{
    uint64_t places = home->ring_mask + 1;
    memcpy(home->ring + places, home->ring, (size_t)places * sizeof(uint64_t));
    home->ring_mask = 2 * places - 1;
}

static uint32_t append(struct kafka_broker *broker, struct kafka_home *home,
                       const struct call *call, uint32_t place, uint32_t worker, uint32_t bytes,
                       uint64_t done_ns)
{
    uint32_t index = kafka_slot_take(broker);
    CHECK(index != KAFKA_NONE); /* The limit is below the slots. */
    broker->slots[index] = (struct kafka_slot){
        .entry = call->entry,
        .token = call->token,
        .source = call->source,
        .bytes = bytes,
        .appended = stamp_of(done_ns),
        .worker = (uint8_t)worker,
        .unanswered = (call->op & KAFKA_UNANSWERED) == 0,
    };
    if (home->end_seq == home->high_seq) {
        home->oldest_ns = done_ns;
    } else if (home->end_seq - home->high_seq > home->ring_mask) {
        ring_grow(home);
    }
    home->ring[home->end_seq & home->ring_mask] = index | (uint64_t)place << 32;
    home->end_seq++;
    home->end_bytes += bytes;
    home->appended_ns = done_ns;
    return index;
}

/* Followers are to hear of what was appended, when it is. */
static void feed_arm(struct sim_context *context, const struct kafka_broker *broker,
                     struct kafka_home *home, uint64_t done_ns)
{
    bool waiting = false;
    for (uint32_t i = 0; i < home->replica_count; i++) {
        waiting |= home->replicas[i].waiting;
    }
    if (!waiting || home->feed_armed) {
        return;
    }
    home->feed_armed = true;
    struct sim_event event = {
        .time_ns = done_ns,
        .node = broker->peer.node,
        .kind = EV_TICK2,
        .flags = (uint16_t)(home - broker->homes),
    };
    sim_send(context, &event);
}

void kafka_on_call(struct sim_context *context, struct kafka_broker *broker,
                   const struct sim_event *event)
{
    struct call call;
    EVENT_READ(event, &call);
    uint64_t now_ns = sim_context_now(context);
    uint32_t partition = call.argument | (uint32_t)(event->flags >> 8) << 16;
    uint32_t worker = event->flags & 0xff;
    uint32_t bytes = broker->record_bytes + KAFKA_ENTRY_BYTES + call.entry.size_bytes;
    if ((call.op & KAFKA_HEADS) != 0) {
        bytes += broker->batch_bytes;
    }
    struct kafka_home *home = kafka_home_of(broker, partition % broker->broker_count);
    uint64_t done_ns = append_done(broker, home, now_ns, call.op, bytes);
    if (done_ns == SIM_NEVER) {
        count_add(context, broker->peer.world, COUNT_LOST, 1);
        return;
    }
    bool answered = (call.op & KAFKA_UNANSWERED) == 0;
    if (refused(broker, home)) {
        if (answered) {
            kafka_answer(context, broker, call.source, worker, call.token, CHAT_ERR_FAILED,
                         done_ns);
        }
        return;
    }
    uint32_t place = home->place + partition / broker->broker_count;
    uint32_t slot = append(broker, home, &call, place, worker, bytes, done_ns);
    if (answered && broker->peer.world->plan->kafka.acks == PLAN_ACKS_LEADER) {
        broker->slots[slot].unanswered = false;
        kafka_answer(context, broker, call.source, worker, call.token, CHAT_OK, done_ns);
    }
    if (home->sync_count == 0) {
        kafka_advance(context, broker, home, done_ns);
    } else if (now_ns > home->oldest_ns && now_ns - home->oldest_ns > KAFKA_LAG_NS) {
        kafka_shrink(context, broker, home);
    }
    feed_arm(context, broker, home, done_ns);
}

/* Routes of one host share requests, but an EV_ROUTE does not say which. So each pays its share of
 * a request, as many as come in a linger being spread evenly over the hosts. */
static uint64_t route_cost(struct kafka_broker *broker, uint64_t now_ns, uint32_t bytes)
{
    const struct world *world = broker->peer.world;
    uint64_t linger_ns = world->plan->kafka.linger_ns;
    if (now_ns - broker->route_from_ns >= linger_ns) {
        bool next = now_ns - broker->route_from_ns < 2 * linger_ns;
        broker->route_before = next ? broker->route_count : 0;
        broker->route_count = 0;
        broker->route_from_ns = now_ns;
    }
    broker->route_count++;
    uint64_t hosts = world->count[CLASS_GATEWAY] + world->count[CLASS_FANOUT];
    return broker->request_ns * hosts / (hosts + broker->route_before) + broker->record_ns +
           bytes * broker->byte_ps / 1000;
}

void kafka_on_route(struct sim_context *context, struct kafka_broker *broker,
                    const struct sim_event *event)
{
    const struct world *world = broker->peer.world;
    struct route route;
    EVENT_READ(event, &route);
    uint64_t now_ns = sim_context_now(context);
    uint32_t bytes = broker->record_bytes + KAFKA_ROUTE_BYTES + route.entry.size_bytes;
    uint64_t in_ns = net_receive(&broker->peer, now_ns, bytes + broker->framing_bytes);
    uint64_t done_ns = kafka_charge(broker, now_ns, route_cost(broker, now_ns, bytes));
    if (done_ns == SIM_NEVER) {
        count_add(context, broker->peer.world, COUNT_LOST, 1);
        return;
    }
    done_ns = kafka_write(broker, now_ns, done_ns + in_ns - now_ns, bytes);
    uint32_t gateway = event->flags / world->plan->gateway.cores;
    CHECK(gateway < world->count[CLASS_GATEWAY]);
    struct sim_event sent = {.kind = EV_ROUTE, .flags = event->flags};
    EVENT_WRITE(&sent, &route);
    if (!kafka_link_send(context, broker, &broker->gateways[gateway],
                         world->base[CLASS_GATEWAY] + gateway,
                         done_ns + world->plan->kafka.linger_ns, bytes, false, &sent)) {
        count_add(context, broker->peer.world, COUNT_LOST, 1);
    }
}
