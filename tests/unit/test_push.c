/* push: laws, shares and quota against themselves; what a host is told. */
#include "models/infra/faults.h"
#include "models/infra/push.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define HOP_NS 100000u

/* Node 0 is a gateway that counts, node 1 the push gateway. */
struct bed {
    struct plan plan;
    struct world world;
    struct sim *sim;
    struct push *push;
    struct stats *stats;
    struct peer host;
    uint32_t answered;
    uint32_t refused;
    uint64_t last_ns;
};

static void host_handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    (void)context;
    struct bed *bed = state;
    struct reply reply;
    EVENT_READ(event, &reply);
    assert_int_equal(event->kind, EV_REPLY);
    assert_int_equal(event->flags, 3);
    assert_true(reply.err == CHAT_OK || reply.err == CHAT_ERR_FAILED);
    bed->answered += reply.err == CHAT_OK;
    bed->refused += reply.err == CHAT_ERR_FAILED;
    bed->last_ns = event->time_ns;
}

static const struct sim_class host_class = {.name = "host", .handle = host_handle};

static struct bed *bed_create(void)
{
    struct bed *bed = calloc(1, sizeof *bed);
    assert_non_null(bed);
    bed->plan.run.seed = 5;
    bed->plan.run.duration_ns = 100 * SECOND;
    bed->plan.network.zones = 1;
    bed->plan.gateway.cores = 1;
    bed->plan.push.apns_share = 0.25;
    bed->plan.push.apns_latency = (struct plan_law){.kind = PLAN_LAW_CONSTANT, .mean = 1e9};
    bed->plan.push.fcm_latency = (struct plan_law){.kind = PLAN_LAW_CONSTANT, .mean = 2e9};
    return bed;
}

static void bed_start(struct bed *bed)
{
    struct world *world = &bed->world;
    const struct dist_spec hop = {.law = DIST_CONSTANT, .mean = HOP_NS};
    world->plan = &bed->plan;
    assert_int_equal(dist_init(&world->in_zone, &hop), DIST_OK);
    world->count[CLASS_GATEWAY] = 1;
    world->base[CLASS_PUSH] = 1;
    world->count[CLASS_PUSH] = 1;
    world->until_ns = bed->plan.run.duration_ns;
    world->interval_ns = world->until_ns;
    world->interval_count = 1;
    world->thread_count = 1;
    world->zones = calloc(2, 1);
    world->usage = calloc(2, sizeof *world->usage);
    bed->stats = calloc(1, sizeof *bed->stats);
    assert_true(world->zones != NULL && world->usage != NULL && bed->stats != NULL);
    world->stats = &bed->stats;
    faults_init(world);
    const struct sim_config config = {
        .lookahead_ns = HOP_NS, .thread_count = 1, .node_count_max = 2};
    bed->sim = sim_create(&config);
    bed->push = push_create(world);
    assert_true(bed->sim != NULL && bed->push != NULL);
    peer_init(&bed->host, world, CLASS_GATEWAY, 0, 0);
    sim_add_node(bed->sim, &host_class, bed, 0);
    sim_add_node(bed->sim, &push_class, bed->push, 0);
    faults_post(world, bed->sim);
}

static void bed_destroy(struct bed *bed)
{
    faults_free(&bed->world);
    push_destroy(bed->push);
    sim_destroy(bed->sim);
    free(bed->world.zones);
    free(bed->world.usage);
    free(bed->stats);
    free(bed);
}

static void wake(struct bed *bed, uint64_t at_ns, uint32_t user, uint16_t device)
{
    struct call call = {.token = user, .source = 0};
    call.key.user = user;
    struct sim_event event = {
        .time_ns = at_ns, .node = 1, .kind = EV_CALL, .flags = (uint16_t)(device << 8 | 3)};
    EVENT_WRITE(&event, &call);
    sim_post(bed->sim, &event);
}

/* Samples of STAGE_PUSH in all batches: how many, and their sum. */
static uint64_t shown(const struct bed *bed, double *sum_ns)
{
    uint64_t count = 0;
    *sum_ns = 0;
    for (uint32_t i = 0; i < BATCHES; i++) {
        const struct histogram *stage = &bed->stats->stages[i][STAGE_PUSH];
        count += stage->count;
        *sum_ns += (double)stage->sum_low;
    }
    return count;
}

static void test_providers_have_their_shares_laws_and_losses(void **state)
{
    (void)state;
    struct bed *bed = bed_create();
    bed->plan.push.loss = 0.1;
    bed_start(bed);
    for (uint32_t i = 0; i < 20000; i++) {
        wake(bed, i * MS, i + 1, 1);
    }
    sim_run(bed->sim, 100 * SECOND);
    double sum_ns;
    uint64_t count = shown(bed, &sum_ns);
    assert_int_equal(bed->answered, 20000); /* What is lost was accepted. */
    assert_int_equal(bed->refused, 0);
    assert_true(fabs((double)count / 20000 - 0.9) < 0.01);
    assert_true(fabs(sum_ns / (double)count / 1e9 - (0.25 * 1 + 0.75 * 2)) < 0.02);
    bed_destroy(bed);
}

static void test_a_host_is_answered_long_before_the_device_shows_it(void **state)
{
    (void)state;
    struct bed *bed = bed_create();
    bed->plan.push.apns_share = 0;
    bed_start(bed);
    wake(bed, SECOND, 1, 1);
    sim_run(bed->sim, 100 * SECOND);
    assert_int_equal(bed->answered, 1);
    assert_int_equal(bed->last_ns, SECOND + 200 * MS + HOP_NS);
    double sum_ns;
    assert_int_equal(shown(bed, &sum_ns), 1);
    assert_int_equal(sum_ns, 2e9);
    bed_destroy(bed);
}

/* 100 a second, of which a second's worth may come at once; APNs knows no quota. */
static void test_what_exceeds_the_quota_is_refused_and_counted(void **state)
{
    (void)state;
    struct bed *bed = bed_create();
    bed->plan.push.apns_share = 0;
    bed->plan.push.quota_per_s = 100;
    bed_start(bed);
    for (uint32_t i = 0; i < 300; i++) {
        wake(bed, SECOND, i + 1, 1);
    }
    for (uint32_t i = 0; i < 1000; i++) { /* Then 200 a second for 5 s. */
        wake(bed, 10 * SECOND + i * 5 * MS, i + 1, 1);
    }
    sim_run(bed->sim, 9 * SECOND);
    assert_int_equal(bed->answered, 100);
    assert_int_equal(bed->refused, 200);
    sim_run(bed->sim, 100 * SECOND);
    assert_in_range(bed->answered, 100 + 598, 100 + 601);
    assert_int_equal(bed->answered + bed->refused, 1300);
    assert_int_equal(bed->stats->total[COUNT_PUSHES_REFUSED], bed->refused);
    struct resource_use uses[RESOURCE_COUNT] = {{0, 0}};
    push_use(bed->push, uses);
    assert_true(fabs(uses[RESOURCE_QUOTA].used - 13) < 1e-9);
    assert_true(fabs(uses[RESOURCE_QUOTA].limit - 100) < 1e-9);
    bed_destroy(bed);

    bed = bed_create();
    bed->plan.push.apns_share = 1;
    bed->plan.push.quota_per_s = 1;
    bed_start(bed);
    for (uint32_t i = 0; i < 300; i++) {
        wake(bed, SECOND, i + 1, 1);
    }
    sim_run(bed->sim, 100 * SECOND);
    assert_int_equal(bed->answered, 300);
    bed_destroy(bed);
}

static void test_a_device_stays_with_its_provider(void **state)
{
    (void)state;
    struct bed *bed = bed_create();
    bed_start(bed);
    for (uint32_t i = 0; i < 50; i++) {
        wake(bed, i * MS, 77, 2);
    }
    sim_run(bed->sim, 100 * SECOND);
    double sum_ns;
    assert_int_equal(shown(bed, &sum_ns), 50);
    assert_true(sum_ns == 50e9 || sum_ns == 100e9);
    bed_destroy(bed);
}

static void test_a_pause_delays_and_a_kill_loses(void **state)
{
    (void)state;
    struct bed *bed = bed_create();
    bed->plan.push.apns_share = 1;
    bed->plan.fault_count = 2;
    bed->plan.faults[0] = (struct plan_fault){.kind = PLAN_FAULT_PAUSE,
                                              .tier = PLAN_TIER_PUSH,
                                              .at_ns = 10 * SECOND,
                                              .duration_ns = 3 * SECOND,
                                              .index = PLAN_ANY,
                                              .zone = PLAN_ANY};
    bed->plan.faults[1] = bed->plan.faults[0];
    bed->plan.faults[1].kind = PLAN_FAULT_KILL;
    bed->plan.faults[1].at_ns = 20 * SECOND;
    bed_start(bed);
    wake(bed, 11 * SECOND, 1, 1);
    sim_run(bed->sim, 19 * SECOND);
    assert_int_equal(bed->last_ns, 13 * SECOND + 100 * MS + HOP_NS);
    double sum_ns;
    assert_int_equal(shown(bed, &sum_ns), 1);
    assert_int_equal(sum_ns, 3e9);
    wake(bed, 20 * SECOND - 50 * MS, 2, 1); /* Accepted, but nobody hears of it. */
    wake(bed, 21 * SECOND, 3, 1);
    wake(bed, 23 * SECOND, 4, 1);
    sim_run(bed->sim, 100 * SECOND);
    assert_int_equal(bed->answered, 2);
    assert_int_equal(bed->stats->total[COUNT_LOST], 1);
    assert_int_equal(shown(bed, &sum_ns), 3);
    bed_destroy(bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_providers_have_their_shares_laws_and_losses),
        cmocka_unit_test(test_a_host_is_answered_long_before_the_device_shows_it),
        cmocka_unit_test(test_what_exceeds_the_quota_is_refused_and_counted),
        cmocka_unit_test(test_a_device_stays_with_its_provider),
        cmocka_unit_test(test_a_pause_delays_and_a_kill_loses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
