/* Homes change leaders, and workers change: what follows from the schedule.
 *
 *     not leading --EV_TICK: its turn--> leading, not ready
 *     leading, not ready --kafka_on_moved(), kafka_on_handed(): all that is due--> ready
 *     leading, ready --EV_TICK: another's turn, or EV_DOWN and another's turn to come--> given away
 *     leading, ready --EV_DOWN and nobody else to come--> kept, until EV_UP
 *
 * What arrives at a broker that is dead, or whose turn is over, is passed on to whose turn it is.
 */
#include "models/infra/kafka_state.h"

void kafka_activate(struct kafka_broker *broker, struct kafka_home *home, uint64_t now_ns)
{
    const struct kafka *kafka = broker->kafka;
    CHECK(home->high_seq == home->end_seq);
    home->end_seq = 0;
    home->end_bytes = 0;
    home->high_seq = 0;
    home->appended_ns = now_ns;
    home->sync_count = 0;
    for (uint32_t i = 0; i < home->replica_count; i++) {
        struct kafka_replica *replica = &home->replicas[i];
        uint32_t session = replica->session == UINT16_MAX ? 1 : replica->session + 1u;
        *replica = (struct kafka_replica){
            .node = replica->node,
            .session = (uint16_t)session,
            .caught_ns = now_ns,
            .waiting = world_is_up(kafka->world, replica->node, now_ns),
            .in_sync = !kafka_known_dead(kafka, replica->node, now_ns),
        };
        home->sync_count += replica->in_sync;
    }
}

/* Led, ready and up: brings the group up to date and sends what waits. */
static void serve(struct sim_context *context, struct kafka_broker *broker, struct kafka_home *home)
{
    for (uint32_t i = 0; i < home->partition_count; i++) {
        struct kafka_partition *partition = &broker->partitions[home->place + i];
        kafka_refresh(broker, partition);
        kafka_deliver(context, broker, partition, sim_context_now(context));
    }
}

bool kafka_is_here(const struct kafka_broker *broker, const struct kafka_home *home,
                   uint64_t now_ns, struct kafka_change *instead)
{
    const struct kafka *kafka = broker->kafka;
    const struct kafka_change *change = kafka_change_at(kafka, home->number, now_ns);
    *instead = (struct kafka_change){now_ns + kafka->forward_ns, change->broker};
    if (change->broker != broker->peer.index) {
        return false;
    }
    bool given = !home->ready && home->handed_ns > change->from_ns;
    if (!given && !kafka_is_down(broker, now_ns)) {
        return true;
    }
    const struct kafka_change *next = kafka_change_after(kafka, home->number, now_ns);
    if (next == NULL) {
        return true; /* Nobody else will ever have it. */
    }
    *instead =
        (struct kafka_change){kafka_max(next->from_ns, now_ns + kafka->forward_ns), next->broker};
    return false;
}

/* -- Giving away ---------------------------------------------------------------------------------
 */

/* What consumers may not read yet: what the successor was sent becomes part of its log, the rest is
 * lost. A broker that lives says so to whoever waits for an answer. */
static void settle(struct sim_context *context, struct kafka_broker *broker,
                   struct kafka_home *home, uint64_t sent_seq, bool alive)
{
    uint64_t now_ns = sim_context_now(context);
    while (home->high_seq < home->end_seq) {
        bool kept = home->high_seq < sent_seq;
        struct kafka_partition *partition;
        uint32_t index = kafka_ring_take(broker, home, &partition);
        struct kafka_slot *slot = &broker->slots[index];
        if (alive && slot->unanswered) {
            kafka_answer(context, broker, slot->source, slot->worker, slot->token,
                         kept ? CHAT_ERR_UNKNOWN : CHAT_ERR_FAILED, now_ns);
        }
        slot->unanswered = false;
        if (kept) {
            kafka_readable(broker, partition, index);
        } else {
            kafka_slot_free(broker, index);
        }
    }
}

static void hand_partition(struct sim_context *context, struct kafka_broker *broker,
                           struct kafka_partition *partition, uint32_t node, uint64_t arrive_ns)
{
    uint64_t place = (uint64_t)partition->number << KAFKA_HANDED_SHIFT;
    struct kafka_moved moved = {
        .place = place,
        .head_offset = partition->head_offset,
        .cursor_offset = partition->cursor_offset,
        .end_offset = partition->end_offset,
        .used = partition->used,
        .epoch = partition->epoch,
        .arrive_ns = partition->used == 0 ? 0 : broker->links[partition->owner].arrive_ns,
    };
    struct sim_event event = {.time_ns = arrive_ns, .node = node, .kind = EV_INNER3};
    EVENT_WRITE(&event, &moved);
    sim_send(context, &event);
    event.kind = EV_INNER4;
    while (partition->head != KAFKA_NONE) {
        const struct kafka_slot *slot = &broker->slots[partition->head];
        struct kafka_handed handed = {
            .place = place | partition->head_offset,
            .entry = slot->entry,
            .bytes = slot->bytes,
        };
        EVENT_WRITE(&event, &handed);
        sim_send(context, &event);
        uint32_t next = broker->next[partition->head];
        kafka_slot_free(broker, partition->head);
        partition->head = next;
        partition->head_offset++;
        broker->lag.records--;
    }
    kafka_unqueue(broker, partition);
    if (partition->owner != KAFKA_NONE) {
        CHECK(broker->links[partition->owner].used >= partition->used);
        broker->links[partition->owner].used -= partition->used;
    }
    partition->used = 0;
    partition->cursor = KAFKA_NONE;
    partition->cursor_offset = partition->head_offset;
}

static void hand_over(struct sim_context *context, struct kafka_broker *broker,
                      struct kafka_home *home, uint32_t successor, uint64_t from_ns, bool alive)
{
    const struct kafka *kafka = broker->kafka;
    uint64_t now_ns = sim_context_now(context);
    uint32_t node = kafka->world->base[CLASS_KAFKA] + successor;
    uint64_t sent_seq = home->high_seq;
    for (uint32_t i = 0; i < home->replica_count; i++) {
        if (home->replicas[i].node == node) {
            sent_seq = kafka_max(sent_seq, home->replicas[i].sent_seq);
        }
    }
    settle(context, broker, home, sent_seq, alive);
    uint64_t arrive_ns = kafka_max(from_ns, now_ns + kafka->forward_ns);
    for (uint32_t i = 0; i < home->partition_count; i++) {
        hand_partition(context, broker, &broker->partitions[home->place + i], node, arrive_ns);
    }
    home->ready = false;
    home->handed_ns = now_ns;
}

/* Workers may hold records of partitions that moved away from here: their credit is not for us. */
static void forgive_stale(struct kafka_broker *broker)
{
    uint32_t workers = broker->peer.world->count[CLASS_FANOUT] * broker->kafka->cores;
    for (uint32_t i = 0; i < workers; i++) {
        CHECK(broker->links[i].used >= broker->links[i].stale);
        broker->links[i].used -= broker->links[i].stale;
        broker->links[i].stale = 0;
    }
}

void kafka_on_down(struct sim_context *context, struct kafka_broker *broker)
{
    uint64_t now_ns = sim_context_now(context);
    for (uint32_t i = 0; i < broker->home_count; i++) {
        struct kafka_home *home = &broker->homes[i];
        home->feed_armed = false;
        if (!home->leading || !home->ready) {
            continue;
        }
        const struct kafka_change *next = kafka_change_after(broker->kafka, home->number, now_ns);
        if (next != NULL) {
            hand_over(context, broker, home, next->broker, next->from_ns, false);
        } else {
            settle(context, broker, home, home->end_seq, false);
        }
    }
    forgive_stale(broker);
    broker->owed_ns = 0;
    broker->peer.out_free_ns = now_ns;
    broker->peer.in_free_ns = now_ns;
    broker->disk_free_ns = now_ns;
}

/* -- Taking over ---------------------------------------------------------------------------------
 */

static void ready_if_complete(struct sim_context *context, struct kafka_broker *broker,
                              struct kafka_home *home)
{
    uint64_t now_ns = sim_context_now(context);
    if (home->headers_due > 0 || home->records_due > 0) {
        return;
    }
    home->headers_due = home->partition_count;
    home->ready = true;
    if (!kafka_is_down(broker, now_ns)) {
        kafka_activate(broker, home, now_ns);
        serve(context, broker, home);
    }
}

/* Passes on what belongs elsewhere. */
static bool passed_on(struct sim_context *context, struct kafka_broker *broker,
                      const struct kafka_home *home, const struct sim_event *event)
{
    struct kafka_change instead;
    if (kafka_is_here(broker, home, sim_context_now(context), &instead)) {
        return false;
    }
    struct sim_event sent = *event;
    sent.time_ns = instead.from_ns;
    sent.node = broker->peer.world->base[CLASS_KAFKA] + instead.broker;
    sim_send(context, &sent);
    return true;
}

void kafka_on_moved(struct sim_context *context, struct kafka_broker *broker,
                    const struct sim_event *event)
{
    struct kafka_moved moved;
    EVENT_READ(event, &moved);
    uint32_t number = (uint32_t)(moved.place >> KAFKA_HANDED_SHIFT);
    struct kafka_home *home = kafka_home_of(broker, number % broker->broker_count);
    if (passed_on(context, broker, home, event)) {
        return;
    }
    struct kafka_partition *partition =
        &broker->partitions[home->place + number / broker->broker_count];
    CHECK(!home->ready && home->headers_due > 0 && partition->head == KAFKA_NONE);
    CHECK(!partition->queued && partition->used == 0);
    partition->head_offset = moved.head_offset;
    partition->cursor_offset = moved.cursor_offset;
    partition->end_offset = moved.head_offset; /* Grows as records come. */
    partition->epoch = moved.epoch;
    partition->owner = kafka_owner(broker->kafka, moved.epoch, number);
    partition->used = moved.used;
    if (partition->owner != KAFKA_NONE) {
        struct kafka_link *link = &broker->links[partition->owner];
        link->used += moved.used;
        link->arrive_ns = kafka_max(link->arrive_ns, moved.arrive_ns);
    }
    home->headers_due--;
    home->records_due += (int64_t)(moved.end_offset - moved.head_offset);
    ready_if_complete(context, broker, home);
}

void kafka_on_handed(struct sim_context *context, struct kafka_broker *broker,
                     const struct sim_event *event)
{
    struct kafka_handed handed;
    EVENT_READ(event, &handed);
    uint32_t number = (uint32_t)(handed.place >> KAFKA_HANDED_SHIFT);
    uint64_t offset = handed.place & (((uint64_t)1 << KAFKA_HANDED_SHIFT) - 1);
    struct kafka_home *home = kafka_home_of(broker, number % broker->broker_count);
    if (passed_on(context, broker, home, event)) {
        return;
    }
    struct kafka_partition *partition =
        &broker->partitions[home->place + number / broker->broker_count];
    uint32_t index = offset == partition->end_offset ? kafka_slot_take(broker) : KAFKA_NONE;
    home->records_due--;
    if (index == KAFKA_NONE) { /* No room: this partition's log ends here. */
        broker->lag.lost++;
        if (partition->cursor_offset > partition->end_offset) {
            partition->cursor_offset = partition->end_offset;
        }
        ready_if_complete(context, broker, home);
        return;
    }
    broker->slots[index] = (struct kafka_slot){
        .entry = handed.entry,
        .source = KAFKA_NONE,
        .bytes = handed.bytes,
        .appended = stamp_of(sim_context_now(context)),
    };
    kafka_readable(broker, partition, index);
    ready_if_complete(context, broker, home);
}

void kafka_on_up(struct sim_context *context, struct kafka_broker *broker)
{
    const struct kafka *kafka = broker->kafka;
    const struct world *world = kafka->world;
    uint64_t now_ns = sim_context_now(context);
    kafka_on_review(context, broker);
    for (uint32_t i = 0; i < broker->home_count; i++) {
        struct kafka_home *home = &broker->homes[i];
        uint32_t leader = kafka_change_at(kafka, home->number, now_ns)->broker;
        if (leader != broker->peer.index) { /* Catches up. */
            struct kafka_fetch fetch = {.home = home->number, .node = broker->peer.node};
            struct sim_event event = {.kind = EV_INNER};
            EVENT_WRITE(&event, &fetch);
            kafka_send(context, &broker->peer, world->base[CLASS_KAFKA] + leader, now_ns,
                       broker->framing_bytes + KAFKA_FETCH_KEY_BYTES, &event);
        } else if (home->ready) {
            kafka_activate(broker, home, now_ns);
            serve(context, broker, home);
        }
    }
}

/* -- What time brings ----------------------------------------------------------------------------
 */

static void review_leaders(struct sim_context *context, struct kafka_broker *broker)
{
    uint64_t now_ns = sim_context_now(context);
    bool down = kafka_is_down(broker, now_ns);
    for (uint32_t i = 0; i < broker->home_count; i++) {
        struct kafka_home *home = &broker->homes[i];
        const struct kafka_change *change = kafka_change_at(broker->kafka, home->number, now_ns);
        bool leads = change->broker == broker->peer.index;
        if (home->leading && !leads && home->ready) {
            CHECK(!down); /* It was given away when the broker died. */
            hand_over(context, broker, home, change->broker, change->from_ns, true);
            forgive_stale(broker);
        }
        home->leading = leads;
        if (leads && home->ready && !down) {
            kafka_shrink(context, broker, home);
        }
    }
}

static void review_group(struct sim_context *context, struct kafka_broker *broker)
{
    const struct kafka *kafka = broker->kafka;
    uint64_t now_ns = sim_context_now(context);
    uint32_t epoch = kafka_epoch_at(kafka, now_ns);
    uint32_t before = broker->epoch;
    broker->epoch = epoch;
    if (epoch > 0) {
        broker->paused_until_ns =
            kafka->epochs[epoch].from_ns + broker->peer.world->plan->kafka.rebalance_pause_ns;
    }
    for (uint32_t i = 0; i < broker->home_count; i++) {
        struct kafka_home *home = &broker->homes[i];
        for (uint32_t k = 0; home->leading && home->ready && k < home->partition_count; k++) {
            kafka_refresh(broker, &broker->partitions[home->place + k]);
        }
    }
    for (uint32_t i = before + 1; i <= epoch; i++) {
        uint32_t server = kafka->epochs[i].joined;
        for (uint32_t core = 0; server != KAFKA_NONE && core < kafka->cores; core++) {
            struct kafka_link *link = &broker->links[server * kafka->cores + core];
            CHECK(link->used >= link->stale);
            link->used -= link->stale; /* What its former life had is not coming back. */
            link->stale = 0;
        }
    }
    for (uint32_t i = 0; i < broker->home_count; i++) {
        struct kafka_home *home = &broker->homes[i];
        if (home->leading && home->ready && !kafka_is_down(broker, now_ns)) {
            serve(context, broker, home);
        }
    }
}

void kafka_on_review(struct sim_context *context, struct kafka_broker *broker)
{
    review_leaders(context, broker);
    review_group(context, broker);
}
