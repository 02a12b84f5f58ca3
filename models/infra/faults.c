#include "models/infra/faults.h"

#include <stdlib.h>

/* TCP gives a connection up after so many retransmissions of a segment (Linux tcp_retries2). */
#define RETRANSMISSIONS_MAX 15u
#define RETRANSMIT_MAX_NS 120000000000u

/* Only while faults are drawn. */
struct drawing {
    struct outage_interval *intervals; /* Of the node in hand; grows as needed. */
    uint32_t count;
    uint32_t count_max;
    struct cut *cuts;
    uint32_t cut_count;
    uint32_t cuts_max;
    struct dist *laws; /* Up and down, of each random rule. */
};

static uint32_t node_count(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < CLASS_COUNT; i++) {
        uint32_t end = world->base[i] + world->count[i];
        count = end > count ? end : count;
    }
    return count;
}

static enum plan_tier tier_of(enum infra_class class)
{
    static const uint8_t tiers[CLASS_COUNT] = {
        [CLASS_POPULATION] = PLAN_TIER_CLIENT,   [CLASS_GATEWAY] = PLAN_TIER_GATEWAY,
        [CLASS_FANOUT] = PLAN_TIER_FANOUT,       [CLASS_KAFKA] = PLAN_TIER_KAFKA,
        [CLASS_CASSANDRA] = PLAN_TIER_CASSANDRA, [CLASS_REDIS] = PLAN_TIER_REDIS,
        [CLASS_PUSH] = PLAN_TIER_PUSH,
    };
    return (enum plan_tier)tiers[class];
}

static bool class_of(const struct world *world, uint32_t node, enum infra_class *class)
{
    for (uint32_t i = 0; i < CLASS_COUNT; i++) {
        if (node >= world->base[i] && node - world->base[i] < world->count[i]) {
            *class = (enum infra_class)i;
            return true;
        }
    }
    return false;
}

static bool tier_holds(enum plan_tier tier, enum infra_class class)
{
    return tier == PLAN_TIER_ALL ? class != CLASS_POPULATION : tier == tier_of(class);
}

static bool fault_hits(const struct world *world, const struct plan_fault *fault, uint32_t node)
{
    enum infra_class class;
    enum plan_tier tier = fault->kind == PLAN_FAULT_ZONE ? PLAN_TIER_ALL : fault->tier;
    if (!class_of(world, node, &class) || !tier_holds(tier, class)) {
        return false;
    }
    uint32_t index = node - world->base[class];
    bool zoned = fault->zone != PLAN_ANY;
    if (zoned && plan_zone_of(world->plan, index) != fault->zone) {
        return false;
    }
    if (tier == PLAN_TIER_ALL) {
        return true;
    }
    if (fault->index != PLAN_ANY) {
        return index == fault->index;
    }
    /* Node i stands in zone i % zones, so every zones-th is the zone's next. */
    uint32_t rank = zoned ? index / world->plan->network.zones : index;
    return fault->count == 0 || rank < fault->count;
}

static uint64_t fault_from(const struct world *world, const struct plan_fault *fault)
{
    return world->plan->run.warmup_ns + fault->at_ns;
}

static uint64_t fault_until(const struct world *world, const struct plan_fault *fault)
{
    return fault->duration_ns == 0 ? SIM_NEVER : fault_from(world, fault) + fault->duration_ns;
}

static bool is_outage(enum plan_fault_kind kind, enum outage_kind *outage)
{
    switch (kind) {
    case PLAN_FAULT_KILL:
    case PLAN_FAULT_ZONE:
        *outage = OUTAGE_DOWN;
        return true;
    case PLAN_FAULT_PAUSE:
        *outage = OUTAGE_PAUSE;
        return true;
    case PLAN_FAULT_SLOW:
        *outage = OUTAGE_SLOW;
        return true;
    case PLAN_FAULT_PARTITION:
    case PLAN_FAULT_LOSS:
    case PLAN_FAULT_SKEW:
        break;
    }
    return false;
}

static bool is_cut(enum plan_fault_kind kind)
{
    return kind == PLAN_FAULT_PARTITION || kind == PLAN_FAULT_LOSS;
}

/* Of a SLOW; the interval needs one in its range whatever its kind. */
static uint32_t stretch_of(double factor)
{
    double milli = factor * 1000.0 + 0.5;
    return milli < 1000.0 ? 1000u : milli > 4e9 ? 4000000000u : (uint32_t)milli;
}

static void intervals_reserve(struct drawing *drawing, uint32_t count)
{
    if (count <= drawing->count_max) {
        return;
    }
    drawing->count_max = 2 * count;
    drawing->intervals =
        realloc(drawing->intervals, drawing->count_max * sizeof *drawing->intervals);
    CHECK(drawing->intervals != NULL);
}

static void cut_add(struct drawing *drawing, const struct cut *cut)
{
    if (drawing->cut_count == drawing->cuts_max) {
        drawing->cuts_max = 2 * drawing->cuts_max + 16;
        drawing->cuts = realloc(drawing->cuts, drawing->cuts_max * sizeof *drawing->cuts);
        CHECK(drawing->cuts != NULL);
    }
    drawing->cuts[drawing->cut_count++] = *cut;
}

static void laws_init(const struct plan *plan, struct drawing *drawing)
{
    drawing->laws = malloc((2 * plan->random_fault_count + 1) * sizeof *drawing->laws);
    CHECK(drawing->laws != NULL);
    for (uint32_t i = 0; i < plan->random_fault_count; i++) {
        const struct plan_random_fault *fault = &plan->random_faults[i];
        struct dist_spec spec = {.law = DIST_EXPONENTIAL, .mean = (double)fault->mtbf_ns};
        CHECK(dist_init(&drawing->laws[2 * i], &spec) == DIST_OK);
        spec.mean = (double)fault->mttr_ns;
        CHECK(dist_init(&drawing->laws[2 * i + 1], &spec) == DIST_OK);
    }
}

/* Appends to drawing->intervals what the rule draws for a node. */
static void draw_random(const struct world *world, uint32_t rule, enum infra_class class,
                        uint32_t index, struct drawing *drawing)
{
    const struct plan_random_fault *fault = &world->plan->random_faults[rule];
    const struct plan_run *run = &world->plan->run;
    uint64_t end_ns = run->warmup_ns + run->duration_ns + run->drain_ns;
    enum outage_kind kind = OUTAGE_DOWN; /* A cut's intervals are drawn as if they were outages. */
    is_outage(fault->kind, &kind);
    uint32_t room = 16;
    int64_t drawn;
    do { /* The draws are by counter: once more, they are the same. */
        room *= 2;
        intervals_reserve(drawing, drawing->count + room);
        struct rng_cursor cursor = {
            .stream = rng_stream(run->seed, "faults"),
            .entity = (uint64_t)rule << 40 | (uint64_t) class << 32 | index,
        };
        drawn =
            outage_draw(drawing->intervals + drawing->count, room, kind, stretch_of(fault->factor),
                        &drawing->laws[2 * rule], &drawing->laws[2 * rule + 1], &cursor, end_ns);
    } while (drawn == OUTAGE_ERR_FULL);
    CHECK(drawn >= 0);
    drawing->count += (uint32_t)drawn;
}

/* Sorts out what was drawn for the node and hands it to the world. */
static void node_finish(struct world *world, uint32_t node, struct drawing *drawing)
{
    if (drawing->count == 0) {
        return;
    }
    intervals_reserve(drawing, 2 * drawing->count);
    int64_t count = outage_normalise(drawing->intervals, drawing->count, drawing->count_max);
    CHECK(count > 0);
    size_t bytes = (size_t)count * sizeof *drawing->intervals;
    struct outage_interval *kept = malloc(bytes);
    CHECK(kept != NULL);
    memcpy(kept, drawing->intervals, bytes);
    world->outages[node] = kept;
    world->outage_counts[node] = (uint32_t)count;
}

static void node_draw(struct world *world, uint32_t node, struct drawing *drawing)
{
    const struct plan *plan = world->plan;
    enum infra_class class;
    if (!class_of(world, node, &class)) {
        return;
    }
    drawing->count = 0;
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        const struct plan_fault *fault = &plan->faults[i];
        enum outage_kind kind;
        if (is_outage(fault->kind, &kind) && fault_hits(world, fault, node)) {
            intervals_reserve(drawing, drawing->count + 1);
            drawing->intervals[drawing->count++] = (struct outage_interval){
                .from_ns = fault_from(world, fault),
                .until_ns = fault_until(world, fault),
                .kind = kind,
                .stretch_milli = stretch_of(fault->factor),
            };
        }
    }
    for (uint32_t i = 0; i < plan->random_fault_count; i++) {
        const struct plan_random_fault *fault = &plan->random_faults[i];
        if (!tier_holds(fault->tier, class)) {
            continue;
        }
        uint32_t first = drawing->count;
        draw_random(world, i, class, node - world->base[class], drawing);
        if (!is_cut(fault->kind)) {
            continue;
        }
        for (uint32_t k = first; k < drawing->count; k++) {
            const struct cut cut = {
                .from_ns = drawing->intervals[k].from_ns,
                .until_ns = drawing->intervals[k].until_ns,
                .loss = fault->kind == PLAN_FAULT_PARTITION ? 1.0 : fault->loss,
                .node = node,
            };
            cut_add(drawing, &cut);
        }
        drawing->count = first;
    }
    node_finish(world, node, drawing);
}

static void plan_cuts(const struct world *world, uint32_t count, struct drawing *drawing)
{
    for (uint32_t i = 0; i < world->plan->fault_count; i++) {
        const struct plan_fault *fault = &world->plan->faults[i];
        if (!is_cut(fault->kind)) {
            continue;
        }
        struct cut cut = {
            .from_ns = fault_from(world, fault),
            .until_ns = fault_until(world, fault),
            .loss = fault->kind == PLAN_FAULT_PARTITION ? 1.0 : fault->loss,
            .inside = calloc(count, 1),
        };
        CHECK(cut.inside != NULL);
        for (uint32_t node = 0; node < count; node++) {
            cut.inside[node] = fault_hits(world, fault, node);
        }
        cut_add(drawing, &cut);
    }
}

/* By content, so that products of equal factors are taken in one order. */
static int cut_compare(const void *a, const void *b)
{
    const struct cut *x = a;
    const struct cut *y = b;
    if (x->from_ns != y->from_ns) {
        return x->from_ns < y->from_ns ? -1 : 1;
    }
    if (x->until_ns != y->until_ns) {
        return x->until_ns < y->until_ns ? -1 : 1;
    }
    if (x->node != y->node) {
        return x->node < y->node ? -1 : 1;
    }
    return (x->loss > y->loss) - (x->loss < y->loss);
}

static void cuts_finish(struct world *world, const struct drawing *drawing)
{
    if (drawing->cut_count == 0) {
        return; /* world->cuts stays NULL: that is the fast way. */
    }
    qsort(drawing->cuts, drawing->cut_count, sizeof *drawing->cuts, cut_compare);
    uint64_t latest_ns = 0;
    for (uint32_t i = 0; i < drawing->cut_count; i++) {
        struct cut *cut = &drawing->cuts[i];
        CHECK(cut->from_ns < cut->until_ns);
        latest_ns = cut->until_ns > latest_ns ? cut->until_ns : latest_ns;
        cut->latest_ns = latest_ns;
    }
    world->cuts = drawing->cuts;
    world->cut_count = drawing->cut_count;
}

void faults_init(struct world *world)
{
    CHECK(world->outages == NULL && world->cuts == NULL);
    uint32_t count = node_count(world);
    world->outages = calloc(count + 1, sizeof *world->outages);
    world->outage_counts = calloc(count + 1, sizeof *world->outage_counts);
    CHECK(world->outages != NULL && world->outage_counts != NULL);
    struct drawing drawing = {.count = 0};
    laws_init(world->plan, &drawing);
    plan_cuts(world, count, &drawing);
    for (uint32_t node = 0; node < count; node++) {
        node_draw(world, node, &drawing);
    }
    cuts_finish(world, &drawing);
    free(drawing.intervals);
    free(drawing.laws);
}

/* The world lends its faults as const; they were allocated here. */
static void free_lent(const void *memory)
{
    free((void *)(uintptr_t)memory);
}

void faults_free(struct world *world)
{
    uint32_t count = world->outages == NULL ? 0 : node_count(world);
    for (uint32_t node = 0; node < count; node++) {
        free_lent(world->outages[node]);
    }
    for (uint32_t i = 0; i < world->cut_count; i++) {
        free(world->cuts[i].inside);
    }
    free(world->outages);
    free(world->outage_counts);
    free_lent(world->cuts);
    world->outages = NULL;
    world->outage_counts = NULL;
    world->cuts = NULL;
    world->cut_count = 0;
}

void faults_post(const struct world *world, struct sim *sim)
{
    uint32_t count = node_count(world);
    for (uint32_t node = 0; node < count; node++) {
        for (uint32_t i = 0; i < world->outage_counts[node]; i++) {
            const struct outage_interval *interval = &world->outages[node][i];
            if (interval->kind != OUTAGE_DOWN) {
                continue;
            }
            struct sim_event event = {.time_ns = interval->from_ns, .node = node, .kind = EV_DOWN};
            sim_post(sim, &event);
            if (interval->until_ns != SIM_NEVER) {
                event.time_ns = interval->until_ns;
                event.kind = EV_UP;
                sim_post(sim, &event);
            }
        }
    }
}

static bool cut_holds(const struct cut *cut, uint32_t node)
{
    return cut->inside == NULL ? cut->node == node : cut->inside[node] != 0;
}

/* How many cuts have begun by `now_ns`. */
static uint32_t cuts_begun(const struct world *world, uint64_t now_ns)
{
    uint32_t low = 0;
    uint32_t high = world->cut_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (world->cuts[middle].from_ns <= now_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint64_t cuts_delay(const struct world *world, uint32_t from, uint32_t to, uint64_t now_ns,
                    uint64_t random)
{
    double arrives = 1.0; /* At the first try. */
    for (uint32_t i = cuts_begun(world, now_ns); i > 0; i--) {
        const struct cut *cut = &world->cuts[i - 1];
        if (cut->latest_ns <= now_ns) {
            break;
        }
        if (now_ns < cut->until_ns && cut_holds(cut, from) != cut_holds(cut, to)) {
            arrives *= 1.0 - cut->loss;
        }
    }
    if (arrives >= 1.0) {
        return 0;
    }
    if (arrives <= 0.0) {
        return SIM_NEVER;
    }
    /* The k-th try is lost too with probability (1 - arrives)^k. */
    double unit = rng_unit(random);
    double lost = 1.0 - arrives;
    double all_lost = lost;
    uint64_t delay_ns = 0;
    uint64_t timeout_ns = world->plan->network.retransmit_timeout_ns;
    for (uint32_t tries = 0; unit < all_lost; tries++) {
        if (tries == RETRANSMISSIONS_MAX) {
            return SIM_NEVER;
        }
        delay_ns += timeout_ns;
        timeout_ns = timeout_ns < RETRANSMIT_MAX_NS / 2 ? 2 * timeout_ns : RETRANSMIT_MAX_NS;
        all_lost *= lost;
    }
    return delay_ns;
}

int64_t faults_skew_ms(const struct world *world, uint32_t node, uint64_t now_ns)
{
    int64_t skew_ns = 0;
    for (uint32_t i = 0; i < world->plan->fault_count; i++) {
        const struct plan_fault *fault = &world->plan->faults[i];
        if (fault->kind == PLAN_FAULT_SKEW && now_ns >= fault_from(world, fault) &&
            now_ns < fault_until(world, fault) && fault_hits(world, fault, node)) {
            skew_ns += fault->skew_ns;
        }
    }
    return skew_ns / 1000000;
}
