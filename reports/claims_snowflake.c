/* Rules: message ids. Layout: 41 bits of milliseconds, 10 of machine, 12 of sequence. */
#include <math.h>

#include "reports/claims.h"

#define TIME_BITS 41
#define MACHINES 1024u
#define SEQUENCES 4096u
#define NS_PER_MS 1e6

static void judge_lifetime(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    double found_ns = ldexp(1, TIME_BITS) * NS_PER_MS;
    double years = found_ns * 1e-9 / 86400 / 365.25;
    claims_found(trial, found_ns);
    SAY(v->found_text, "%.1f years", years);
    claims_analytic(trial, METRIC_TIME, found_ns, "2^41 ms");
    SAY(v->explanation,
        "41 bits count 2^41 = 2,199,023,255,552 ms, which are %.1f years of 365.25 days. Counted "
        "from 1700000000000 (November 2023) they end in 2093; the sign bit of 64 stays free.",
        years);
    v->status = v->claimed <= found_ns ? VERDICT_HOLDS : VERDICT_FAILS;
    if (v->status == VERDICT_FAILS) {
        v->would_hold = found_ns;
        SAY(v->condition, "the milliseconds run out after %.1f years", years);
        SAY(v->would_hold_text, "%.1f years", years);
    }
}

static void judge_rate(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    const struct plan *plan = trial->plan;
    double machines = fmin(plan->gateway.servers, MACHINES);
    double asked = plan->population.message_rate_per_s / machines / 1000;
    claims_found(trial, SEQUENCES);
    claims_analytic(trial, METRIC_COUNT, asked, "ids a millisecond and machine that are asked for");
    SAY(v->explanation,
        "12 bits of sequence are 4,096 ids in a millisecond on one machine; its %u workers share "
        "them, %u each. %s messages a second on %u gateways ask for %.3g, and 10 bits name 1,024 "
        "machines.",
        plan->gateway.cores, SEQUENCES / plan->gateway.cores,
        COUNT(plan->population.message_rate_per_s), plan->gateway.servers, asked);
    if (v->claimed > SEQUENCES) {
        v->status = VERDICT_FAILS;
        v->would_hold = SEQUENCES;
        SAY(v->condition, "12 bits have no more than 4,096 values");
        SAY(v->would_hold_text, "4096");
    } else if (asked > v->claimed) {
        v->status = VERDICT_FAILS;
        v->would_hold = asked;
        SAY(v->condition, "%s a millisecond are asked of a machine", COUNT(asked));
        SAY(v->would_hold_text, "%s, or more machines", COUNT(asked));
    } else {
        v->status = VERDICT_HOLDS;
    }
}

/* -- The design's own formula --------------------------------------------------------------------
 */

static uint64_t design_id(uint64_t ms, uint64_t machine, uint64_t sequence)
{
    return ms * 1000000 + machine * 4096 + sequence;
}

struct minted {
    uint64_t ms;
    uint64_t machine;
    uint64_t sequence;
};

/* Two ids of `machines` that are the same: machine 0 at a later millisecond, and some machine at
 * this one. A machine is 4,096 apart from the next and a millisecond 1,000,000, so every later
 * millisecond that the last machine reaches is tried. */
static bool find_clash(uint64_t machines, struct minted *a, struct minted *b)
{
    const uint64_t now_ms = 1700000000000;
    for (uint64_t later = 1; later <= 5; later++) {
        uint64_t wanted = design_id(now_ms + later, 0, 0);
        for (uint64_t machine = 0; machine < machines; machine++) {
            uint64_t first = design_id(now_ms, machine, 0);
            if (first <= wanted && wanted - first < SEQUENCES) {
                *a = (struct minted){now_ms, machine, wanted - first};
                *b = (struct minted){now_ms + later, 0, 0};
                return design_id(a->ms, a->machine, a->sequence) == wanted;
            }
        }
    }
    return false;
}

/* An id of an earlier millisecond that is above one of a later one. */
static bool is_unsorted(uint64_t machines)
{
    const uint64_t now_ms = 1700000000000;
    return design_id(now_ms, machines - 1, SEQUENCES - 1) > design_id(now_ms + 1, 0, 0);
}

static void judge_formula(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    uint64_t machines = trial->plan->gateway.servers;
    struct minted a = {0, 0, 0};
    struct minted b = {0, 0, 0};
    bool clash = find_clash(machines, &a, &b);
    SAY(v->claimed_text, "unique, sorted by time");
    if (!clash && !is_unsorted(machines)) {
        v->status = VERDICT_HOLDS;
        SAY(v->found_text, "both, with %u machines", trial->plan->gateway.servers);
        SAY(v->explanation,
            "A millisecond is 1,000,000 apart, and %u machines x 4,096 sequences take %u of that, "
            "so "
            "no id reaches into the next millisecond. It would with 245 machines.",
            trial->plan->gateway.servers, trial->plan->gateway.servers * SEQUENCES);
        return;
    }
    v->status = VERDICT_FAILS;
    SAY(v->found_text, "%s", clash ? "neither" : "unique, and not sorted");
    SAY(v->condition,
        "a millisecond has room for 244 machines of 4,096, and there are %u; shift the bits "
        "instead",
        trial->plan->gateway.servers);
    SAY(v->would_hold_text, "ts<<22 | machine<<12 | seq");
    SAY(v->explanation,
        "ts x 1,000,000 leaves room for 244 machines x 4,096, and 10 bits name 1,024. Tried: "
        "ts=%llu, machine %llu, sequence %llu gives %llu, and so does ts=%llu, machine %llu, "
        "sequence %llu, %llu ms later: not unique, and what machine %llu mints next sorts behind "
        "it.",
        (unsigned long long)a.ms, (unsigned long long)a.machine, (unsigned long long)a.sequence,
        (unsigned long long)design_id(a.ms, a.machine, a.sequence), (unsigned long long)b.ms,
        (unsigned long long)b.machine, (unsigned long long)b.sequence,
        (unsigned long long)(b.ms - a.ms), (unsigned long long)a.machine);
}

const struct claim_rule claims_snowflake[] = {
    {{"snowflake_lifetime", VERDICT_ARITHMETIC, METRIC_TIME, false, true,
      "2^41 milliseconds in years"},
     judge_lifetime},
    {{"snowflake_rate", VERDICT_ARITHMETIC, METRIC_COUNT, false, true,
      "2^12 ids a millisecond and machine, against what a gateway is asked for"},
     judge_rate},
    {{"snowflake_formula", VERDICT_ARITHMETIC, METRIC_COUNT, true, false,
      "the design's formula, tried in code with as many machines as there are gateways"},
     judge_formula},
    {{.id = NULL}, NULL},
};
