/* Many small worlds, each with its seed, each judged. A world that fails prints its seed, and how
 * to run it alone.
 *
 *     swarm_world                        some seeds, from 1, of each kind of fault and of mixtures
 *     CHATSCALE_FAULTS=0xffff swarm_world  seeds with those faults
 *     swarm_world SEED [FAULTS]          one seed, with all faults or those of a mask (0x...)
 *     CHATSCALE_SEEDS=500 swarm_world    so many
 *     CHATSCALE_SEED=7000 swarm_world    from there
 *     CHATSCALE_TRACE=1 swarm_world 7    every event on stderr
 */
#include "models/core/check.h"
#include "tests/swarm/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SEEDS_DEFAULT 30u /* Of each kind of fault. */
#define SEEDS_QUICK 4u    /* CHATSCALE_QUICK: under sanitizers. */
#define MIXED 5u          /* So many times as many, of each mixture. */

_Noreturn void check_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "%s:%d: CHECK(%s) failed, in the world of %s\n", file, line, cond,
            world_running());
    abort();
}

static uint64_t number(const char *text, uint64_t fallback)
{
    return text == NULL ? fallback : strtoull(text, NULL, 0);
}

/* True when the world was as it should be. */
static bool run_one(const char *program, const struct world_options *options,
                    struct world_result *sum)
{
    struct world_result result = world_run(options);
    sum->sent += result.sent;
    sum->shown += result.shown;
    sum->owed += result.owed;
    sum->steps += result.steps;
    sum->faults += result.faults;
    if (result.violations == 0 && result.owed > 0) {
        return true;
    }
    fprintf(stderr,
            "seed %" PRIu64 " failed: %" PRIu64 " violations, %" PRIu64
            " showings owed. Repeat it by:\n  %s%s %" PRIu64 " 0x%" PRIx32 "\n",
            options->seed, result.violations, result.owed,
            options->watermark ? "CHATSCALE_WATERMARK=1 " : "", program, options->seed,
            options->faults);
    return false;
}

/* One kind of fault at a time, and then together: what only breaks when two meet is the most of it.
 */
static const uint32_t kinds[] = {
    FAULT_REPLY,     FAULT_REQUEST, FAULT_FAILED,   FAULT_ROUTE,  FAULT_LINK,    FAULT_NODE,
    FAULT_REBALANCE, FAULT_FLUSH,   FAULT_FAILOVER, FAULT_CLOCK,  FAULT_REPLICA, FAULT_LAPSE,
    FAULT_MEMBER,    FAULT_SMALL,   FAULT_POLLS,    FAULT_WINDOW,
};
static const uint32_t mixtures[] = {
    FAULT_ALL,
    FAULT_ALL & ~(uint32_t)FAULT_SMALL,
    FAULT_ALL & ~(uint32_t)(FAULT_MEMBER | FAULT_WINDOW),
    FAULT_LINK | FAULT_NODE | FAULT_FLUSH | FAULT_FAILOVER,
    FAULT_REQUEST | FAULT_LINK | FAULT_LAPSE | FAULT_POLLS,
    FAULT_CLOCK | FAULT_MEMBER | FAULT_REPLICA,
    FAULT_ROUTE | FAULT_FAILOVER,
};

static uint64_t run_class(const char *program, uint64_t first, uint64_t count, uint32_t faults,
                          bool watermark)
{
    struct world_result sum = {0};
    uint64_t failed = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct world_options options = world_options_default(seed);
        options.faults = faults;
        options.trace = getenv("CHATSCALE_TRACE") != NULL;
        options.watermark = watermark;
        failed += !run_one(program, &options, &sum);
    }
    printf("swarm 0x%04" PRIx32 "%s: %" PRIu64 " of %" PRIu64 " worlds failed; %" PRIu64
           " messages, %" PRIu64 " showings (%" PRIu64 " owed), %" PRIu64 " steps, %" PRIu64
           " faults\n",
           faults, watermark ? " by watermark" : "", failed, count, sum.sent, sum.shown, sum.owed,
           sum.steps, sum.faults);
    return failed;
}

int main(int argc, char **argv)
{
    uint64_t first = number(getenv("CHATSCALE_SEED"), 1);
    uint64_t usual = getenv("CHATSCALE_QUICK") != NULL ? SEEDS_QUICK : SEEDS_DEFAULT;
    uint64_t count = number(getenv("CHATSCALE_SEEDS"), usual);
    uint64_t failed = 0;
    bool watermark = getenv("CHATSCALE_WATERMARK") != NULL;
    if (argc > 1) {
        uint32_t faults = (uint32_t)number(argc > 2 ? argv[2] : NULL, FAULT_ALL);
        failed = run_class(argv[0], number(argv[1], 1), 1, faults, watermark);
    } else if (getenv("CHATSCALE_FAULTS") != NULL) {
        uint32_t faults = (uint32_t)number(getenv("CHATSCALE_FAULTS"), FAULT_ALL);
        failed = run_class(argv[0], first, count, faults, watermark);
    } else {
        for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
            failed += run_class(argv[0], first, count, kinds[i], watermark);
        }
        for (size_t i = 0; i < sizeof mixtures / sizeof mixtures[0]; i++) {
            failed += run_class(argv[0], first, MIXED * count, mixtures[i], watermark);
        }
        failed += run_class(argv[0], first, MIXED * count, FAULT_ALL, !watermark);
    }
    return failed == 0 ? 0 : 1;
}
