/* Claims: each is one decree of Paxos a key (Lamport, "Paxos made simple", 2001), with ballot =
 * (stamp, node) and each claim call as a proposer:
 *
 *     PREPARE b   promised < b: promises b, and tells what it accepted or knows as decided
 *     PROPOSE b,v promised <= b: accepts v
 *     COMMIT b,v  writes v into the table: decided
 *
 *   1. Of what a quorum accepted under one ballot, no other value can be accepted later: a proposer
 *      proposes the accepted value of the highest ballot that a quorum told it, else its own.
 *   2. Who is told of a decided value answers with it, and proposes nothing.
 *   3. Who is refused by so many that no quorum is left answers UNKNOWN, takes the clock of who
 *      overtook it, and leaves the retry to the host.
 *
 * Promises and acceptances lie in the commit log like rows, and a KILL may take them: as with a
 * periodic commit log in real life, a claim survives one loss, not two before the next sync. */
#include "models/infra/cassandra_state.h"
#include "models/infra/table.h"

#include <stdlib.h>
#include <uthash.h>

struct ballot_state {
    uint64_t promised;
    uint64_t accepted_ballot;
    uint64_t accepted; /* 0: nothing. */
};

struct promise {
    struct {
        uint64_t user;
        uint64_t device;
        uint64_t key;
    } name;
    struct ballot_state now;
    struct ballot_state disk;
    UT_hash_handle hh;
};

static uint64_t ballot_of(const struct call *call)
{
    return (uint64_t)call->entry.first << 32 | call->entry.second;
}

void claim_ballot_put(struct call *call, uint64_t ballot)
{
    call->entry.first = (uint32_t)(ballot >> 32);
    call->entry.second = (uint32_t)ballot;
}

static struct promise *promise_of(struct promise **promises, const struct call *call)
{
    struct promise wanted = {
        .name = {call->entry.more, call->entry.device & 0xfu, call->entry.stamp}};
    struct promise *promise;
    HASH_FIND(hh, *promises, &wanted.name, sizeof wanted.name, promise);
    if (promise == NULL) {
        promise = calloc(1, sizeof *promise);
        CHECK(promise != NULL);
        promise->name.user = wanted.name.user;
        promise->name.device = wanted.name.device;
        promise->name.key = wanted.name.key;
        HASH_ADD(hh, *promises, name, sizeof promise->name, promise);
    }
    return promise;
}

struct claim_answer claim_apply(struct promise **promises, struct table *table,
                                const struct call *call, enum claim_phase phase, uint64_t now_ms,
                                bool sync)
{
    struct promise *promise = promise_of(promises, call);
    struct ballot_state *state = &promise->now;
    uint64_t ballot = ballot_of(call);
    uint64_t unused;
    uint64_t decided = table_claim_get(table, promise->name.user, (uint32_t)promise->name.device,
                                       promise->name.key, now_ms, &unused);
    bool refused = decided == 0 && phase != PHASE_COMMIT && phase != PHASE_READ &&
                   (phase == PHASE_PREPARE ? ballot <= state->promised : ballot < state->promised);
    if (!refused && phase != PHASE_READ && ballot > state->promised) {
        state->promised = ballot;
    }
    struct claim_answer answer = {refused, state->promised, state->accepted_ballot, state->accepted,
                                  decided};
    if (phase == PHASE_PROPOSE && !refused && decided == 0) {
        state->accepted_ballot = ballot;
        state->accepted = call->entry.id;
    } else if (phase == PHASE_COMMIT && decided == 0) {
        table_claim_put(table, promise->name.user, (uint32_t)promise->name.device,
                        promise->name.key, call->entry.id, ballot, now_ms);
    }
    if (sync) {
        promise->disk = promise->now;
    }
    return answer;
}

void claim_sync(struct promise *promises)
{
    for (struct promise *promise = promises; promise != NULL; promise = promise->hh.next) {
        promise->disk = promise->now;
    }
}

void claim_crash(struct promise *promises)
{
    for (struct promise *promise = promises; promise != NULL; promise = promise->hh.next) {
        promise->now = promise->disk;
    }
}

void claim_free(struct promise **promises)
{
    struct promise *promise;
    struct promise *next;
    HASH_ITER(hh, *promises, promise, next)
    {
        HASH_DEL(*promises, promise);
        free(promise);
    }
}
