/* What a visit at a node costs: CPU, slots, disk, and what it leaves there. */
#include "models/infra/cassandra_state.h"

static bool is_measured(const struct cassandra *node, uint64_t now_ns)
{
    const struct world *world = node->peer.world;
    return now_ns >= world->from_ns && now_ns < world->until_ns;
}

void cassandra_tally(struct cassandra *node, uint64_t start_ns)
{
    const struct world *world = node->peer.world;
    if (node->visits > 0) {
        uint64_t interval = node->tally_until_ns / world->interval_ns - 1;
        if (interval < world->interval_count) {
            node->peer.usage[interval].busy_ns += node->busy_ns;
            node->peer.usage[interval].visits += node->visits;
        }
        node->busy_ns = 0;
        node->visits = 0;
    }
    if (start_ns >= node->tally_until_ns) {
        node->tally_until_ns = (start_ns / world->interval_ns + 1) * world->interval_ns;
    }
}

struct work_done cassandra_work(struct cassandra *node, uint64_t now_ns, uint64_t at_ns,
                                double unit, struct work work)
{
    struct outage *outage = &node->peer.outage;
    uint64_t first_ns = (uint64_t)(unit * work.coordinate_ns);
    uint64_t both_ns = (uint64_t)(unit * (work.coordinate_ns + work.share_ns));
    uint64_t all_ns = both_ns + work.rest_ns;
    struct fifo_visit visit = fifo_serve_through(&node->cpu, outage, now_ns, all_ns);
    if (visit.start_ns == SIM_NEVER) {
        return (struct work_done){SIM_NEVER, SIM_NEVER};
    }
    if (visit.start_ns >= node->tally_until_ns) {
        cassandra_tally(node, visit.start_ns);
    }
    node->busy_ns += all_ns;
    node->visits++;
    node->peer.busy_ns += is_measured(node, visit.start_ns) ? all_ns : 0;
    uint64_t start_ns = visit.start_ns + (at_ns - now_ns);
    return (struct work_done){outage_finish(outage, start_ns, first_ns),
                              outage_finish(outage, start_ns, both_ns)};
}

/* When a slot, held for `hold_ns` from when one is free, is given back. */
static uint64_t slot_work(struct cassandra *node, struct fifo *slots, uint64_t now_ns,
                          uint64_t at_ns, double hold_ns)
{
    struct fifo_visit visit =
        fifo_serve_through(slots, &node->peer.outage, now_ns, (uint64_t)hold_ns);
    return visit.departure_ns == SIM_NEVER ? SIM_NEVER : visit.departure_ns + (at_ns - now_ns);
}

const struct share *share_of(const struct cassandra_ring *ring, uint32_t op, uint32_t round)
{
    if ((op & 0xfff) == STORE_CLAIM) {
        return &ring->claims[round];
    }
    return &ring->shares[(op & CASSANDRA_SECOND) != 0 ? 0 : op & 0xfff];
}

uint64_t cassandra_write(struct cassandra *node, const struct share *share, uint64_t now_ns,
                         struct load load)
{
    uint32_t rows = share->rows ? load.rows : 1;
    uint32_t text = share->text ? load.text_bytes : 0;
    uint64_t written_bytes = (uint64_t)rows * share->written_bytes + text;
    if (is_measured(node, now_ns)) {
        node->written_bytes += written_bytes;
        node->kept_bytes += (uint64_t)rows * share->kept_bytes + text;
    }
    uint64_t rest_ns = written_bytes * node->ring->compact_ps / 1000;
    if (node->replay > 0) {
        node->replay--;
        node->written_bytes += is_measured(node, now_ns) ? written_bytes : 0;
        rest_ns += rest_ns + (uint64_t)share->cpu_ns;
    }
    return rest_ns;
}

struct work_done cassandra_share(struct cassandra *node, uint64_t now_ns, uint64_t at_ns,
                                 struct rng_bits bits, struct coordination coordination,
                                 const struct share *share, struct load load)
{
    const struct cassandra_ring *ring = node->ring;
    double unit = dist_value(&ring->unit, bits.word[0]);
    struct work work = {
        .coordinate_ns = coordination.before_ns,
        .share_ns = share->cpu_ns,
        .rest_ns = coordination.rest_ns + (uint64_t)(unit * coordination.after_ns),
    };
    if (!share->read) {
        work.rest_ns += cassandra_write(node, share, now_ns, load);
        struct work_done done = cassandra_work(node, now_ns, at_ns, unit, work);
        if (ring->write_hold > 0) {
            uint64_t back_ns = slot_work(node, &node->writes, now_ns, at_ns,
                                         unit * share->cpu_ns * ring->write_hold);
            done.share_ns = back_ns > done.share_ns ? back_ns : done.share_ns;
        }
        return done;
    }
    struct work_done done = cassandra_work(node, now_ns, at_ns, unit, work);
    uint64_t disk_ns = dist_ns(&ring->read_disk, bits.word[1]);
    uint64_t back_ns = slot_work(node, &node->reads, now_ns, at_ns,
                                 (unit * share->cpu_ns + (double)disk_ns) * ring->read_hold);
    if (done.share_ns != SIM_NEVER) {
        done.share_ns = outage_finish(&node->peer.outage, done.share_ns, disk_ns);
        done.share_ns = back_ns > done.share_ns ? back_ns : done.share_ns;
    }
    return done;
}

uint32_t cassandra_targets(uint32_t live, uint32_t self, uint32_t needed, bool read,
                           uint64_t random)
{
    uint32_t others = live & ~(1u << self);
    uint32_t wanted = needed - (self == RANK_NONE ? 0u : 1u);
    uint32_t count = (uint32_t)__builtin_popcount(others);
    for (; read && count > wanted; count--) {
        uint32_t skip = (uint32_t)(random & 0xff) * count >> 8;
        uint32_t from = others;
        while (skip-- > 0) {
            from &= from - 1;
        }
        others &= ~(from & (0 - from));
        random >>= 8;
    }
    return others;
}

void cassandra_recover(struct cassandra *node, uint64_t down_ns, uint64_t now_ns)
{
    const struct world *world = node->peer.world;
    uint64_t window_ns = world->plan->cassandra.hint_window_ns;
    uint64_t missed_ns = now_ns - down_ns < window_ns ? now_ns - down_ns : window_ns;
    uint64_t visits = node->visits;
    for (uint32_t i = 0; i < world->interval_count; i++) {
        visits += node->peer.usage[i].visits;
    }
    if (down_ns > 0) {
        double missed = (double)visits * (double)missed_ns / (double)down_ns;
        node->replay = missed < UINT32_MAX ? (uint32_t)missed : UINT32_MAX;
    }
}
