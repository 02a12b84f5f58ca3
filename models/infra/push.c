#include "models/infra/push.h"

#include "models/client/law.h"

#include <stdlib.h>

/* A provider answers when it has taken a wake-up in, long before the device shows it: of the
 * latency to the device (a median of 1 to 2 s), this share. Ours: some 0.1 s. */
#define ACCEPT_SHARE 0.1

#define BURST_PS 1000000000000u /* One second's worth of tokens. */

struct push {
    struct peer peer;
    uint64_t
        full_ps; /* FCM: when the bucket will be full again (virtual scheduling, as in GCRA). */
    uint64_t token_ps;  /* What one wake-up takes of it; 0: there is no quota. */
    uint64_t fcm_asked; /* In the measured time. */
    struct rng_stream fates;
    uint64_t fate_count;
    struct dist apns;
    struct dist fcm;
};

static bool is_apns(const struct push *push, uint32_t user, uint32_t device)
{
    uint64_t hash = hash_mix((uint64_t)user << 8 | device);
    return rng_chance(hash, push->peer.world->plan->push.apns_share);
}

/* Takes a token of FCM's, if there is one. */
static bool quota_take(struct push *push, uint64_t now_ns)
{
    const struct world *world = push->peer.world;
    push->fcm_asked += now_ns >= world->from_ns && now_ns < world->until_ns;
    uint64_t now_ps = now_ns * 1000;
    uint64_t full_ps = push->full_ps > now_ps ? push->full_ps : now_ps;
    if (full_ps + push->token_ps > now_ps + BURST_PS) {
        return false;
    }
    push->full_ps = full_ps + push->token_ps;
    return true;
}

static void answer(struct sim_context *context, struct push *push, const struct sim_event *event,
                   uint64_t depart_ns, enum chat_err err)
{
    struct reply reply = {.err = (int8_t)err};
    reply_send(context, &push->peer, event, depart_ns, &reply);
}

static void on_call(struct sim_context *context, struct push *push, const struct sim_event *event)
{
    struct peer *peer = &push->peer;
    const struct plan_push *plan = &peer->world->plan->push;
    struct call call;
    EVENT_READ(event, &call);
    uint64_t now_ns = event->time_ns;
    net_receive(peer, now_ns, (uint32_t)plan->payload_bytes);
    usage_add(peer, now_ns, 0);
    bool apns = is_apns(push, call.key.user, (uint32_t)event->flags >> 8);
    if (!apns && push->token_ps > 0 && !quota_take(push, now_ns)) {
        count_add(context, peer->world, COUNT_PUSHES_REFUSED, 1);
        uint64_t refused_ns = outage_finish(&peer->outage, now_ns, 0);
        if (refused_ns != SIM_NEVER) {
            answer(context, push, event, refused_ns, CHAT_ERR_FAILED);
        }
        return;
    }
    struct rng_bits fate = rng_draw(&push->fates, 0, push->fate_count++);
    uint64_t latency_ns = dist_ns(apns ? &push->apns : &push->fcm, fate.word[0]);
    uint64_t accept_ns = (uint64_t)((double)latency_ns * ACCEPT_SHARE);
    uint64_t accepted_ns = outage_finish(&peer->outage, now_ns, accept_ns);
    if (accepted_ns != SIM_NEVER) {
        answer(context, push, event, accepted_ns, CHAT_OK);
    }
    uint64_t passed_ns = outage_finish(&peer->outage, now_ns, 0);
    if (passed_ns != SIM_NEVER && !rng_chance(fate.word[1], plan->loss)) {
        struct sim_event shown = {
            .time_ns = passed_ns + latency_ns,
            .node = peer->node,
            .kind = EV_TICK,
            .data = {passed_ns + latency_ns - now_ns},
        };
        sim_send(context, &shown);
    }
}

static void handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct push *push = state;
    outage_pass(&push->peer.outage, event->time_ns);
    switch (event->kind) {
    case EV_DOWN:
    case EV_UP: /* It holds nothing but a bucket, which is the provider's. */
        break;
    case EV_TICK: /* The provider's and the device's: whatever has become of this node. */
        stage_record(context, push->peer.world, STAGE_PUSH, event->data[0]);
        break;
    case EV_CALL:
        if (outage_is_down(&push->peer.outage, event->time_ns)) {
            count_add(context, push->peer.world, COUNT_LOST, 1);
        } else {
            on_call(context, push, event);
        }
        break;
    default:
        CHECK(!"an event that the push gateway does not know");
    }
}

const struct sim_class push_class = {.name = "push", .handle = handle};

struct push *push_create(struct world *world)
{
    const struct plan_push *plan = &world->plan->push;
    struct push *push = calloc(1, sizeof *push);
    if (push == NULL) {
        return NULL;
    }
    CHECK(world->count[CLASS_PUSH] == 1);
    peer_init(&push->peer, world, CLASS_PUSH, 0, 0);
    law_init(&push->apns, &plan->apns_latency, 1);
    law_init(&push->fcm, &plan->fcm_latency, 1);
    push->fates = rng_stream(world->plan->run.seed, "push.fates");
    push->token_ps = plan->quota_per_s > 0 ? (uint64_t)(1e12 / plan->quota_per_s) : 0;
    /* Below one a second the bucket would be too small for a single token: it is one a second. */
    push->token_ps = push->token_ps < BURST_PS ? push->token_ps : BURST_PS;
    return push;
}

void push_destroy(struct push *push)
{
    free(push);
}

void push_use(const struct push *push, struct resource_use uses[RESOURCE_COUNT])
{
    const struct world *world = push->peer.world;
    double seconds = (double)(world->until_ns - world->from_ns) * 1e-9;
    peer_use(&push->peer, uses);
    uses[RESOURCE_QUOTA] =
        (struct resource_use){(double)push->fcm_asked / seconds, world->plan->push.quota_per_s};
}
