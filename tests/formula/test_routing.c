/* Sticky routing computes the gateway: without faults it spares Redis, and after a gateway
 * was dead, those who went elsewhere are found only when they look for themselves. */
#include "tests/formula/whole.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TINY "scenarios/tiny.json"

static struct whole *routed(const char *scenario, const char *routing, const char *contents)
{
    return whole_run(scenario, (const char *const[]){
                                   "population.connection_life=0", "population.message_rate=100/s",
                                   "run.duration=30 s", "run.drain=40 s", routing, contents, NULL});
}

static void sticky_spares_redis_the_routes(void **state)
{
    (void)state;
    struct whole *sticky = routed(TINY, "routing=sticky", "run.contents=false");
    struct whole *redis = routed(TINY, "routing=redis", "run.contents=false");
    /* Two commands less a message that is routed. */
    const struct result_resource *cpu = result_tier(whole_result(redis), "redis")->resources;
    double saved = cpu->used_mean;
    cpu = result_tier(whole_result(sticky), "redis")->resources;
    saved -= cpu->used_mean;
    double routes_per_s = whole_count(redis, "routes") / 30;
    double each_us = 3 * saved / routes_per_s * 1e6;
    assert_true(each_us > 8 && each_us < 2 * 9.5 + 1);
    assert_true(whole_median_s(sticky, "delivery") < 0.06);
    whole_free(redis);
    whole_free(sticky);
}

/* A third of the clients was at a gateway that was dead for four seconds. */
static int fault_setup(void **state)
{
    char *path = strdup("/tmp/chatscale-routing-XXXXXX");
    int file = path == NULL ? -1 : mkstemp(path);
    char folder[512];
    if (file < 0 || getcwd(folder, sizeof folder) == NULL) {
        return -1;
    }
    dprintf(file,
            "{\"extends\": \"%s/" TINY
            "\", \"faults\": [{\"kind\": \"kill\", \"tier\": \"gateway\","
            " \"index\": 0, \"at\": \"1 s\", \"duration\": \"4 s\"}]}",
            folder);
    close(file);
    *state = path;
    return 0;
}

static int fault_teardown(void **state)
{
    unlink(*state);
    free(*state);
    return 0;
}

static void sticky_does_not_find_who_went_elsewhere(void **state)
{
    struct whole *redis = routed(*state, "routing=redis", "run.contents=false");
    struct whole *sticky = routed(*state, "routing=sticky", "run.contents=false");
    const struct result_stage *found = result_stage(whole_result(redis), "delivery");
    const struct result_stage *lost = result_stage(whole_result(sticky), "delivery");
    assert_true(found->quantile_ns[2].value < 0.3e9); /* p95 */
    assert_true(lost->quantile_ns[2].value > 3e9);
    assert_true(lost->max_ns < 25e9); /* Twice redeliver, and some. */
    whole_free(sticky);
    sticky = routed(*state, "routing=sticky", "run.contents=true");
    assert_int_equal(whole_result(sticky)->violation_count, 0);
    whole_free(sticky);
    whole_free(redis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sticky_spares_redis_the_routes),
        cmocka_unit_test_setup_teardown(sticky_does_not_find_who_went_elsewhere, fault_setup,
                                        fault_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
