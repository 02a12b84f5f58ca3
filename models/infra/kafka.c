#include "models/infra/kafka_state.h"
#include "sim/pages.h"

#include <stdlib.h>
#include <sys/mman.h>

/* With more brokers a huge page for each kind of memory would be mostly empty, and all of them
 * together too much. */
#define HUGE_BROKERS_MAX 32u

static void handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct kafka_broker *broker = state;
    uint64_t now_ns = sim_context_now(context);
    outage_pass(&broker->peer.outage, now_ns);
    switch (event->kind) { /* What a dead broker sees to as well: */
    case EV_DOWN:
        kafka_on_down(context, broker);
        return;
    case EV_TICK:
        kafka_on_review(context, broker);
        return;
    case EV_COMMIT:
        kafka_on_commit(context, broker, event);
        return;
    case EV_INNER3:
        kafka_on_moved(context, broker, event);
        return;
    case EV_INNER4:
        kafka_on_handed(context, broker, event);
        return;
    default:
        break;
    }
    if (kafka_is_down(broker, now_ns)) {
        if (event->kind != EV_TICK2 && event->kind != EV_TICK3) {
            count_add(context, broker->peer.world, COUNT_LOST, 1);
        }
        return;
    }
    switch (event->kind) {
    case EV_UP:
        kafka_on_up(context, broker);
        break;
    case EV_TICK2:
        CHECK(event->flags < broker->home_count);
        kafka_feed(context, broker, &broker->homes[event->flags]);
        break;
    case EV_TICK3:
        kafka_on_fetch_wait(context, broker, event);
        break;
    case EV_CALL:
        kafka_on_call(context, broker, event);
        break;
    case EV_ROUTE:
        kafka_on_route(context, broker, event);
        break;
    case EV_INNER:
        kafka_on_fetch(context, broker, event);
        break;
    case EV_INNER2:
        kafka_on_fed(context, broker, event);
        break;
    default:
        CHECK(!"an event that no broker knows");
    }
}

/* The partition that a commit is about; NULL: not one of here. */
static struct kafka_partition *committed(const struct kafka_broker *broker,
                                         const struct sim_event *event)
{
    struct call call;
    EVENT_READ(event, &call);
    uint32_t number = call.key.channel;
    uint32_t home = number % broker->broker_count;
    uint32_t rank = (broker->peer.index + broker->broker_count - home) % broker->broker_count;
    return rank < broker->home_count && number < broker->kafka->partition_count
               ? &broker->partitions[broker->homes[rank].place + number / broker->broker_count]
               : NULL;
}

static void prefetch(const void *state, const struct sim_event *event, uint32_t step)
{
    const struct kafka_broker *broker = state;
    if (event->kind == EV_ROUTE && step == 1) {
        __builtin_prefetch(
            &broker->gateways[event->flags / broker->peer.world->plan->gateway.cores], 1);
    }
    const struct kafka_partition *partition =
        event->kind == EV_COMMIT ? committed(broker, event) : NULL;
    if (partition == NULL) {
        return;
    }
    if (step == 0) {
        __builtin_prefetch(partition, 1);
        return;
    }
    if (partition->head != KAFKA_NONE) {
        __builtin_prefetch(&broker->next[partition->head], 1);
    }
    if (partition->owner != KAFKA_NONE) {
        __builtin_prefetch(&broker->links[partition->owner], 1);
    }
}

const struct sim_class kafka_broker_class = {
    .name = "kafka", .handle = handle, .prefetch = prefetch, .prefetch_steps = 2};

/* -- Making --------------------------------------------------------------------------------------
 */

/* Partitions, slots, links and answers, in one piece of memory that is touched as it is used. */
struct layout {
    size_t partitions;
    size_t links;
    size_t gateways;
    size_t answers;
    size_t slots;
    size_t next;
    size_t rings;
    size_t size;
};

static size_t layout_add(struct layout *layout, size_t count, size_t each)
{
    size_t at = layout->size;
    layout->size = (at + count * each + 63) / 64 * 64;
    return at;
}

static uint32_t home_partitions(const struct kafka *kafka, uint32_t home)
{
    return home < kafka->partition_count
               ? (kafka->partition_count - home - 1) / kafka->broker_count + 1
               : 0;
}

/* One broker's share of what all may hold; as much again is for takeovers. */
static uint32_t held_limit(const struct kafka *kafka)
{
    uint32_t share = KAFKA_RECORDS_MAX / kafka->broker_count;
    return share < 4096 ? 4096 : share;
}

static size_t ring_places(const struct kafka *kafka)
{
    size_t places = KAFKA_RING_FIRST;
    while (places < 2 * (size_t)held_limit(kafka)) {
        places *= 2;
    }
    return places;
}

static struct layout layout_of(const struct kafka *kafka, uint32_t index)
{
    const struct world *world = kafka->world;
    struct layout layout = {.size = (sizeof(struct kafka_broker) + 63) / 64 * 64};
    size_t partition_count = 0;
    for (uint32_t rank = 0; rank < kafka->replication; rank++) {
        uint32_t home = (index + kafka->broker_count - rank) % kafka->broker_count;
        partition_count += home_partitions(kafka, home);
    }
    uint32_t hosts = world->count[CLASS_GATEWAY] + world->count[CLASS_FANOUT];
    layout.partitions = layout_add(&layout, partition_count, sizeof(struct kafka_partition));
    layout.links = layout_add(&layout, (size_t)world->count[CLASS_FANOUT] * kafka->cores,
                              sizeof(struct kafka_link));
    layout.gateways = layout_add(&layout, world->count[CLASS_GATEWAY], sizeof(struct kafka_link));
    layout.answers = layout_add(&layout, hosts, sizeof(struct kafka_answers));
    layout.slots = layout_add(&layout, 2 * (size_t)held_limit(kafka), sizeof(struct kafka_slot));
    layout.next = layout_add(&layout, 2 * (size_t)held_limit(kafka), sizeof(uint32_t));
    layout.rings = layout_add(&layout, kafka->replication * ring_places(kafka), sizeof(uint64_t));
    return layout;
}

static void home_init(struct kafka_broker *broker, uint32_t rank, uint32_t place)
{
    const struct kafka *kafka = broker->kafka;
    struct kafka_home *home = &broker->homes[rank];
    uint32_t number = (broker->peer.index + kafka->broker_count - rank) % kafka->broker_count;
    home->number = number;
    home->ring_mask = KAFKA_RING_FIRST - 1;
    home->place = place;
    home->partition_count = home_partitions(kafka, number);
    home->headers_due = home->partition_count;
    home->leading = kafka_change_at(kafka, number, 0)->broker == broker->peer.index;
    home->ready = home->leading;
    for (uint32_t i = 0; i < kafka->replication; i++) {
        uint32_t other = (number + i) % kafka->broker_count;
        if (other != broker->peer.index) {
            home->replicas[home->replica_count++].node = kafka->world->base[CLASS_KAFKA] + other;
        }
    }
    for (uint32_t i = 0; i < home->partition_count; i++) {
        broker->partitions[place + i] = (struct kafka_partition){
            .number = number + i * kafka->broker_count,
            .head = KAFKA_NONE,
            .tail = KAFKA_NONE,
            .cursor = KAFKA_NONE,
            .owner = kafka_owner(kafka, 0, number + i * kafka->broker_count),
        };
    }
    kafka_activate(broker, home, 0);
}

/* Costs, in the broker's own units. More threads than a fifo has are as many that are faster. */
static void costs_init(struct kafka_broker *broker)
{
    const struct plan *plan = broker->peer.world->plan;
    const struct plan_kafka *kafka = &plan->kafka;
    uint32_t threads = kafka->network_threads + kafka->io_threads;
    uint32_t servers = threads < FIFO_SERVERS_MAX ? threads : FIFO_SERVERS_MAX;
    broker->request_ns = kafka->cpu_request_ns * servers / threads;
    broker->record_ns = kafka->cpu_record_ns * servers / threads;
    broker->byte_ps = kafka->cpu_byte_ps * servers / threads;
    broker->disk_ps = kafka->disk_bytes_per_s == 0 ? 0 : 1000000000000u / kafka->disk_bytes_per_s;
    broker->framing_bytes = (uint32_t)plan->network.framing_inside_bytes;
    broker->record_bytes = (uint32_t)(kafka->record_overhead_bytes + kafka->key_bytes);
    broker->batch_bytes = (uint32_t)kafka->batch_overhead_bytes;
    CHECK(fifo_memory_words(servers, 0) <= FIFO_SERVERS_MAX);
    fifo_init(&broker->cpu, servers, 0, broker->cpu_memory);
}

static struct kafka_broker *broker_create(struct kafka *kafka, uint32_t index)
{
    struct layout layout = layout_of(kafka, index);
    char *memory = pages_allocate(layout.size);
    if (memory == NULL) {
        return NULL;
    }
    if (kafka->broker_count > HUGE_BROKERS_MAX) {
        madvise(memory, layout.size, MADV_NOHUGEPAGE);
    }
    struct kafka_broker *broker = (struct kafka_broker *)memory;
    peer_init(&broker->peer, kafka->world, CLASS_KAFKA, index,
              kafka->world->plan->kafka.nic_bytes_per_s);
    broker->kafka = kafka;
    broker->broker_count = kafka->broker_count;
    broker->partitions = (struct kafka_partition *)(memory + layout.partitions);
    broker->links = (struct kafka_link *)(memory + layout.links);
    broker->gateways = (struct kafka_link *)(memory + layout.gateways);
    broker->answers = (struct kafka_answers *)(memory + layout.answers);
    broker->slots = (struct kafka_slot *)(memory + layout.slots);
    broker->next = (uint32_t *)(memory + layout.next);
    broker->free_slot = KAFKA_NONE;
    broker->held_limit = held_limit(kafka);
    broker->slot_count = 2 * broker->held_limit;
    costs_init(broker);
    broker->home_count = kafka->replication;
    uint32_t place = 0;
    for (uint32_t rank = 0; rank < broker->home_count; rank++) {
        broker->homes[rank].ring = (uint64_t *)(memory + layout.rings) + rank * ring_places(kafka);
        home_init(broker, rank, place);
        place += broker->homes[rank].partition_count;
    }
    return broker;
}

static uint32_t bytes_of(uint64_t bytes)
{
    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

struct kafka *kafka_create(struct world *world)
{
    struct kafka *kafka = calloc(1, sizeof *kafka);
    if (kafka == NULL) {
        return NULL;
    }
    const struct plan *plan = world->plan;
    kafka->world = world;
    kafka->broker_count = world->count[CLASS_KAFKA];
    kafka->partition_count = plan->kafka.partitions;
    kafka->replication = plan->kafka.replication < kafka->broker_count ? plan->kafka.replication
                                                                       : kafka->broker_count;
    kafka->cores = plan->fanout.cores;
    uint32_t credit = plan->fanout.in_flight_max / kafka->broker_count;
    kafka->credit = credit < 1 ? 1 : credit;
    kafka->fetch_min_bytes = bytes_of(plan->kafka.fetch_min_bytes);
    kafka->fetch_bytes = bytes_of(plan->kafka.fetch_bytes);
    kafka->fetch_partition_bytes = bytes_of(plan->kafka.fetch_partition_bytes);
    CHECK(kafka->broker_count > 0 && kafka->cores > 0);
    CHECK(kafka->replication > 0 && kafka->replication <= KAFKA_REPLICAS_MAX);
    CHECK(kafka->partition_count <= KAFKA_PARTITIONS_MAX);
    kafka->forward_ns = kafka_max(plan_lookahead_ns(plan), dist_min_ns(&world->in_zone)) + 1;
    kafka->brokers = calloc(kafka->broker_count, sizeof(struct kafka_broker *));
    if (kafka->brokers == NULL || !kafka_schedule_init(kafka)) {
        kafka_destroy(kafka);
        return NULL;
    }
    for (uint32_t i = 0; i < kafka->broker_count; i++) {
        kafka->brokers[i] = broker_create(kafka, i);
        if (kafka->brokers[i] == NULL) {
            kafka_destroy(kafka);
            return NULL;
        }
    }
    return kafka;
}

void kafka_destroy(struct kafka *kafka)
{
    if (kafka == NULL) {
        return;
    }
    for (uint32_t i = 0; kafka->brokers != NULL && i < kafka->broker_count; i++) {
        if (kafka->brokers[i] != NULL) {
            pages_free(kafka->brokers[i], layout_of(kafka, i).size);
        }
    }
    kafka_schedule_free(kafka);
    free(kafka->brokers);
    free(kafka);
}

struct kafka_broker *kafka_at(struct kafka *kafka, uint32_t index)
{
    CHECK(index < kafka->broker_count);
    return kafka->brokers[index];
}

static void review_post(const struct kafka *kafka, struct sim *sim, uint32_t broker,
                        uint64_t time_ns)
{
    if (time_ns != SIM_NEVER) {
        struct sim_event event = {
            .time_ns = time_ns,
            .node = kafka->world->base[CLASS_KAFKA] + broker % kafka->broker_count,
            .kind = EV_TICK,
        };
        sim_post(sim, &event);
    }
}

void kafka_post(const struct kafka *kafka, struct sim *sim)
{
    const struct world *world = kafka->world;
    for (uint32_t home = 0; home < kafka->broker_count; home++) {
        for (uint32_t i = kafka->first_change[home]; i < kafka->first_change[home + 1]; i++) {
            for (uint32_t rank = 0; rank < kafka->replication; rank++) {
                review_post(kafka, sim, home + rank, kafka->changes[i].from_ns);
            }
        }
    }
    for (uint32_t broker = 0; broker < kafka->broker_count; broker++) {
        uint32_t node = world->base[CLASS_KAFKA] + broker;
        for (uint32_t k = 0; world->outages[node] != NULL && k < world->outage_counts[node]; k++) {
            const struct outage_interval *interval = &world->outages[node][k];
            uint64_t noticed_ns = kafka_later(interval->from_ns, world->plan->kafka.failover_ns);
            for (uint32_t i = 0; interval->kind == OUTAGE_DOWN && i < 2 * kafka->replication; i++) {
                review_post(kafka, sim, broker + kafka->broker_count * 2 + i - kafka->replication,
                            noticed_ns);
            }
        }
        for (uint32_t i = 1; i < kafka->epoch_count; i++) {
            uint64_t from_ns = kafka->epochs[i].from_ns;
            review_post(kafka, sim, broker, from_ns);
            review_post(kafka, sim, broker,
                        kafka_later(from_ns, world->plan->kafka.rebalance_pause_ns));
        }
    }
}

/* -- Reporting -----------------------------------------------------------------------------------
 */

void kafka_use(const struct kafka_broker *broker, struct resource_use uses[RESOURCE_COUNT])
{
    const struct world *world = broker->peer.world;
    const struct plan *plan = world->plan;
    double seconds = (double)(world->until_ns - world->from_ns) * 1e-9;
    double written_per_s = (double)broker->written_bytes / seconds;
    peer_use(&broker->peer, uses);
    uses[RESOURCE_CPU] = (struct resource_use){
        (double)broker->peer.busy_ns * 1e-9 / seconds / (double)broker->cpu.server_count, 1.0};
    uses[RESOURCE_DISK_IO] =
        (struct resource_use){written_per_s, (double)plan->kafka.disk_bytes_per_s};
    double peak_factor = plan->population.peak_factor < 1.0 ? 1.0 : plan->population.peak_factor;
    uses[RESOURCE_DISK_SPACE] =
        (struct resource_use){written_per_s / peak_factor * (double)plan->kafka.retention_ns * 1e-9,
                              (double)plan->kafka.disk_bytes};
}

struct kafka_lag kafka_lag(const struct kafka_broker *broker, uint64_t now_ns)
{
    struct kafka_lag lag = broker->lag;
    lag.held = broker->held;
    for (uint32_t i = 0; i < broker->home_count; i++) {
        const struct kafka_home *home = &broker->homes[i];
        for (uint32_t k = 0; k < home->partition_count; k++) {
            uint32_t head = broker->partitions[home->place + k].head;
            if (head != KAFKA_NONE) {
                lag.oldest_ns =
                    kafka_max(lag.oldest_ns, kafka_age_ns(&broker->slots[head], now_ns));
            }
        }
    }
    return lag;
}
