/* Readable records go to the workers that own their partitions, and are let go when the group has
 * committed them. */
#include "models/infra/kafka_state.h"

void kafka_readable(struct kafka_broker *broker, struct kafka_partition *partition, uint32_t index)
{
    broker->next[index] = KAFKA_NONE;
    if (partition->head == KAFKA_NONE) {
        partition->head = index;
    } else {
        broker->next[partition->tail] = index;
    }
    partition->tail = index;
    if (partition->cursor_offset == partition->end_offset) {
        CHECK(partition->cursor == KAFKA_NONE);
        partition->cursor = index;
    }
    partition->end_offset++;
    broker->lag.records++;
    if (broker->kafka->fetch_min_bytes > 1 && partition->owner != KAFKA_NONE) {
        broker->links[partition->owner].waiting_bytes += broker->slots[index].bytes;
    }
}

/* A new response has nothing of the partition yet. */
static void response_follow(struct kafka_partition *partition, const struct kafka_link *link)
{
    uint32_t response = (uint32_t)link->depart_ns & 0x7fffffff;
    if (partition->response != response) {
        partition->response = response & 0x7fffffff;
        partition->response_bytes = 0;
    }
}

/* Is there no room for `bytes` more of the partition in the response that is being filled? */
static bool response_full(const struct kafka *kafka, struct kafka_partition *partition,
                          const struct kafka_link *link, uint32_t bytes)
{
    response_follow(partition, link);
    /* Whatever the bounds, a response has one record. */
    bool full = link->response_bytes > 0 && link->response_bytes + bytes > kafka->fetch_bytes;
    return full || (partition->response_bytes > 0 &&
                    partition->response_bytes + bytes > kafka->fetch_partition_bytes);
}

static bool record_send(struct sim_context *context, struct kafka_broker *broker,
                        struct kafka_partition *partition, struct kafka_link *link, uint64_t at_ns)
{
    const struct kafka *kafka = broker->kafka;
    const struct kafka_slot *slot = &broker->slots[partition->cursor];
    struct record record = {
        .entry = slot->entry,
        .offset = partition->cursor_offset,
        .published = slot->entry.more,
    };
    record.entry.more = partition->number;
    struct sim_event event = {
        .kind = EV_RECORD,
        .flags = (uint16_t)(partition->owner % kafka->cores),
    };
    EVENT_WRITE(&event, &record);
    uint32_t node = kafka->world->base[CLASS_FANOUT] + partition->owner / kafka->cores;
    bool full = response_full(kafka, partition, link, slot->bytes);
    if (!kafka_link_send(context, broker, link, node, at_ns, slot->bytes, full, &event)) {
        return false;
    }
    response_follow(partition, link);
    partition->response_bytes += slot->bytes;
    link->waiting_bytes -= link->waiting_bytes < slot->bytes ? link->waiting_bytes : slot->bytes;
    return true;
}

/* -- Partitions that wait for credit -------------------------------------------------------------
 */
static void enqueue(struct kafka_broker *broker, struct kafka_link *link,
                    struct kafka_partition *partition)
{
    if (partition->queued) {
        return;
    }
    uint32_t place = (uint32_t)(partition - broker->partitions) + 1;
    partition->queued = true;
    partition->waiting = 0;
    if (link->first == 0) {
        link->first = place;
    } else {
        broker->partitions[link->last - 1].waiting = place;
    }
    link->last = place;
}

void kafka_unqueue(struct kafka_broker *broker, struct kafka_partition *partition)
{
    if (!partition->queued) {
        return;
    }
    struct kafka_link *link = &broker->links[partition->owner];
    uint32_t place = (uint32_t)(partition - broker->partitions) + 1;
    uint32_t before = 0;
    uint32_t at = link->first;
    while (at != place) {
        CHECK(at != 0);
        before = at;
        at = broker->partitions[at - 1].waiting;
    }
    if (before == 0) {
        link->first = partition->waiting;
    } else {
        broker->partitions[before - 1].waiting = partition->waiting;
    }
    if (link->last == place) {
        link->last = before;
    }
    partition->queued = false;
}

/* -- Waiting for fetch_min_bytes -----------------------------------------------------------------
 */
static bool is_too_little(const struct kafka_broker *broker, const struct kafka_link *link)
{
    return link->waiting_bytes < broker->kafka->fetch_min_bytes;
}

/* A fetch that finds too little is answered after fetch_wait, also with nothing, and the next comes
 * a round trip later; so since next_ns they have been coming and going. */
static void fetch_wait(struct sim_context *context, struct kafka_broker *broker,
                       struct kafka_link *link)
{
    uint64_t now_ns = sim_context_now(context);
    if (link->wait_ns > now_ns) {
        return; /* Armed. */
    }
    uint64_t wait_ns = broker->peer.world->plan->kafka.fetch_wait_ns;
    uint64_t cycle_ns = wait_ns + 2 * link->latency_ns + 1;
    uint64_t since_ns = now_ns > link->next_ns ? now_ns - link->next_ns : 0;
    uint64_t due_ns = link->next_ns + since_ns / cycle_ns * cycle_ns + wait_ns;
    due_ns += due_ns < now_ns ? cycle_ns : 0;
    link->wait_ns = due_ns > now_ns ? due_ns : now_ns + 1;
    struct sim_event event = {
        .time_ns = link->wait_ns,
        .node = broker->peer.node,
        .kind = EV_TICK3,
        .data = {(uint64_t)(link - broker->links)},
    };
    sim_send(context, &event);
}

static void deliver(struct sim_context *context, struct kafka_broker *broker,
                    struct kafka_partition *partition, uint64_t at_ns)
{
    if (partition->cursor == KAFKA_NONE || partition->owner == KAFKA_NONE ||
        sim_context_now(context) < broker->paused_until_ns) {
        return;
    }
    struct kafka_link *link = &broker->links[partition->owner];
    while (partition->cursor != KAFKA_NONE &&
           partition->cursor_offset - partition->head_offset < FETCH_CREDIT) {
        if (link->used >= broker->kafka->credit) {
            enqueue(broker, link, partition);
            return;
        }
        if (!record_send(context, broker, partition, link, at_ns)) {
            return; /* Dying: a successor sends it. */
        }
        partition->cursor = broker->next[partition->cursor];
        partition->cursor_offset++;
        partition->used++;
        link->used++;
    }
}

/* Partitions take turns. */
static void pump(struct sim_context *context, struct kafka_broker *broker, struct kafka_link *link)
{
    while (link->first != 0 && link->used < broker->kafka->credit) {
        struct kafka_partition *partition = &broker->partitions[link->first - 1];
        kafka_unqueue(broker, partition);
        deliver(context, broker, partition, sim_context_now(context));
    }
}

void kafka_deliver(struct sim_context *context, struct kafka_broker *broker,
                   struct kafka_partition *partition, uint64_t at_ns)
{
    if (broker->kafka->fetch_min_bytes <= 1 || partition->owner == KAFKA_NONE) {
        deliver(context, broker, partition, at_ns);
        return;
    }
    struct kafka_link *link = &broker->links[partition->owner];
    if (is_too_little(broker, link)) {
        if (partition->cursor != KAFKA_NONE) {
            enqueue(broker, link, partition);
            fetch_wait(context, broker, link);
        }
        return;
    }
    kafka_unqueue(broker, partition);
    deliver(context, broker, partition, at_ns);
    pump(context, broker, link);
}

void kafka_on_fetch_wait(struct sim_context *context, struct kafka_broker *broker,
                         const struct sim_event *event)
{
    struct kafka_link *link = &broker->links[event->data[0]];
    if (link->wait_ns == event->time_ns) {
        pump(context, broker, link);
    }
}

/* -- Commits -------------------------------------------------------------------------------------
 */
static void let_go(struct kafka_broker *broker, struct kafka_partition *partition,
                   uint64_t position)
{
    while (partition->head_offset < position && partition->head != KAFKA_NONE) {
        uint32_t index = partition->head;
        uint32_t next = broker->next[index];
        if (partition->cursor == index) { /* An owner before this one had got farther. */
            partition->cursor = next;
            partition->cursor_offset++;
        }
        partition->head = next;
        partition->head_offset++;
        kafka_slot_free(broker, index);
        broker->lag.records--;
    }
}

/* The owner has done with `credit` more; and with whatever lies before the head. */
static void give_back(struct kafka_broker *broker, struct kafka_partition *partition,
                      uint32_t worker, uint32_t credit)
{
    struct kafka_link *link = &broker->links[worker];
    if (partition->owner == worker) {
        uint64_t under_way = partition->cursor_offset - partition->head_offset;
        uint32_t given = credit < partition->used ? credit : partition->used;
        uint32_t used = partition->used - given;
        credit -= given;
        used = used > under_way ? (uint32_t)under_way : used;
        CHECK(link->used >= partition->used - used);
        link->used -= partition->used - used;
        partition->used = used;
    }
    uint32_t stale = credit < link->stale ? credit : link->stale;
    link->stale -= stale;
    link->used -= stale;
}

/* Credit has come back. */
static void credited(struct sim_context *context, struct kafka_broker *broker,
                     struct kafka_link *link)
{
    if (broker->kafka->fetch_min_bytes <= 1 || !is_too_little(broker, link)) {
        pump(context, broker, link);
    } else if (link->first != 0) {
        fetch_wait(context, broker, link);
    }
}

static void commit_apply(struct sim_context *context, struct kafka_broker *broker,
                         struct kafka_home *home, const struct call *call, uint32_t worker)
{
    uint32_t number = call->key.channel;
    struct kafka_partition *partition =
        &broker->partitions[home->place + number / broker->broker_count];
    let_go(broker, partition, call->key.position);
    if (worker != KAFKA_NONE) {
        give_back(broker, partition, worker, call->argument);
    }
    if (!kafka_is_down(broker, sim_context_now(context))) {
        kafka_deliver(context, broker, partition, sim_context_now(context));
        if (worker != KAFKA_NONE) {
            credited(context, broker, &broker->links[worker]);
        }
    }
}

/* The worker that an event came from; KAFKA_NONE if it is none of the group. */
static uint32_t worker_of(const struct kafka_broker *broker, uint32_t source, uint32_t core)
{
    const struct world *world = broker->peer.world;
    uint32_t server = source - world->base[CLASS_FANOUT];
    return server < world->count[CLASS_FANOUT] && core < broker->kafka->cores
               ? server * broker->kafka->cores + core
               : KAFKA_NONE;
}

void kafka_on_commit(struct sim_context *context, struct kafka_broker *broker,
                     const struct sim_event *event)
{
    struct call call;
    EVENT_READ(event, &call);
    uint64_t now_ns = sim_context_now(context);
    CHECK(call.key.channel < broker->kafka->partition_count);
    struct kafka_home *home = kafka_home_of(broker, call.key.channel % broker->broker_count);
    struct kafka_change instead;
    if (home->ready && home->leading && !kafka_is_down(broker, now_ns)) {
        net_receive(&broker->peer, now_ns, broker->framing_bytes + KAFKA_FETCH_KEY_BYTES);
        kafka_owe(broker, now_ns, broker->record_ns);
    } else if (!kafka_is_here(broker, home, now_ns, &instead)) {
        struct sim_event sent = *event;
        sent.time_ns = instead.from_ns;
        sent.node = broker->peer.world->base[CLASS_KAFKA] + instead.broker;
        sim_send(context, &sent);
        return;
    } else if (!home->ready) { /* What it is about has not come yet. */
        struct sim_event again = *event;
        again.time_ns = now_ns + KAFKA_RETRY_NS;
        sim_send(context, &again);
        return;
    }
    commit_apply(context, broker, home, &call, worker_of(broker, call.source, event->flags & 0xff));
}

/* -- Rebalances ----------------------------------------------------------------------------------
 */

/* Everything that is not committed goes out once more, to whoever owns the partition then. */
static void rewind_to_head(struct kafka_broker *broker, struct kafka_partition *partition,
                           bool forgiven)
{
    if (partition->owner != KAFKA_NONE) {
        struct kafka_link *link = &broker->links[partition->owner];
        CHECK(link->used >= partition->used);
        link->used -= forgiven ? partition->used : 0;
        link->stale += forgiven ? 0 : partition->used;
    }
    partition->used = 0;
    partition->cursor = partition->head;
    partition->cursor_offset = partition->head_offset;
}

void kafka_refresh(struct kafka_broker *broker, struct kafka_partition *partition)
{
    const struct kafka *kafka = broker->kafka;
    if (partition->epoch == broker->epoch) {
        return;
    }
    uint32_t owner = kafka_owner(kafka, broker->epoch, partition->number);
    bool gone = false; /* The owner's memory, and with it what was under way to it. */
    if (partition->owner != KAFKA_NONE) {
        uint32_t server = partition->owner / kafka->cores;
        gone = !kafka_is_member(kafka, broker->epoch, server) ||
               kafka_joined(kafka, partition->epoch, broker->epoch, server);
    }
    if (gone || owner != partition->owner) {
        kafka_unqueue(broker, partition);
        rewind_to_head(broker, partition, gone);
    }
    if (owner != KAFKA_NONE) { /* What waits for whom is not known any more: enough. */
        broker->links[owner].waiting_bytes = kafka->fetch_min_bytes;
    }
    partition->owner = owner;
    partition->epoch = broker->epoch;
}
