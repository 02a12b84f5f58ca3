#include "models/infra/client_link.h"

#include "models/infra/faults.h"

#define ORDER_SHIFT CLIENT_UNIT_SHIFT
#define LB_KNOWS_NS 1000000000u /* Until the load balancer has noticed a dead gateway. */
#define RETRANSMITS_MAX 6u
#define CUT_TRIES_MAX 15u /* As TCP's: a quarter of an hour, then the connection is given up. */
#define CUT_WAIT_MAX_NS 120000000000u
#define RADIO_IDLE_UNITS (uint32_t)(10000000000u >> ORDER_SHIFT) /* Then an LTE radio sleeps. */

uint32_t client_gateway(const struct world *world, uint32_t client, uint64_t now_ns, uint32_t tries)
{
    uint32_t gateways = world->count[CLASS_GATEWAY];
    uint32_t home = client / world->clients_each % gateways;
    uint64_t known_ns = now_ns > LB_KNOWS_NS ? now_ns - LB_KNOWS_NS : 0;
    uint64_t hash = hash_mix(client + 0x51ed270bu);
    for (uint32_t i = tries; i < tries + gateways; i++) {
        uint32_t gateway = i == 0 ? home : (uint32_t)((hash + i * 0x9E3779B9u) % gateways);
        if (world_is_up(world, world->base[CLASS_GATEWAY] + gateway, known_ns)) {
            return gateway;
        }
    }
    return home;
}

/* What a client is connected by is its own for good. */
static uint32_t access_of(const struct world *world, uint32_t client)
{
    uint32_t pick = (uint32_t)(hash_mix(client * 0x9E3779B97F4A7C15u) >> 32);
    return pick < world->access_cut[0] ? 0 : pick < world->access_cut[1] ? 1 : 2;
}

uint64_t client_delay_ns(const struct world *world, uint32_t client, const struct rng_bits *bits)
{
    const struct plan_network *network = &world->plan->network;
    uint32_t kind = access_of(world, client);
    uint64_t delay_ns = dist_ns(&world->access[kind], bits->word[0]);
    double loss = network->access[kind].loss;
    uint64_t timeout_ns = network->retransmit_timeout_ns;
    double unit = rng_unit(bits->word[1]);
    for (uint32_t i = 0; unit < loss && i < RETRANSMITS_MAX; i++) {
        delay_ns += timeout_ns;
        timeout_ns *= 2;
        unit /= loss; /* Uniform again, given that it was below. */
    }
    return delay_ns;
}

/* What cuts and losses do to a segment. It is repeated until it gets through: a connection has no
 * holes. SIM_NEVER: the path was cut for so long that TCP gave up. */
static uint64_t cut_delay_ns(const struct world *world, uint32_t from, uint32_t to,
                             uint64_t sent_ns, uint64_t random)
{
    uint64_t waited_ns = 0;
    uint64_t timeout_ns = world->plan->network.retransmit_timeout_ns;
    for (uint32_t tries = 0; tries < CUT_TRIES_MAX; tries++) {
        uint64_t delay_ns = cuts_delay(world, from, to, sent_ns + waited_ns, random);
        if (delay_ns != SIM_NEVER) {
            return waited_ns + delay_ns;
        }
        waited_ns += timeout_ns;
        timeout_ns = timeout_ns < CUT_WAIT_MAX_NS / 2 ? 2 * timeout_ns : CUT_WAIT_MAX_NS;
    }
    return SIM_NEVER;
}

void client_link_send(struct sim_context *context, struct peer *peer, uint32_t client, uint32_t to,
                      uint64_t depart_ns, uint32_t bytes, uint32_t *last, struct sim_event *event)
{
    struct world *world = peer->world;
    uint64_t sent_ns = depart_ns + nic_send(peer, sim_context_now(context), bytes);
    struct rng_bits bits = rng_next(&peer->rng);
    if (depart_ns >= world->from_ns && depart_ns < world->until_ns) {
        peer->out_bytes += bytes;
    }
    event->node = to;
    event->time_ns = sent_ns + client_delay_ns(world, client, &bits);
    if (world->cuts != NULL) { /* Before the order: what comes behind waits for it. */
        uint64_t delay_ns = cut_delay_ns(world, peer->node, to, sent_ns, hash_mix(bits.word[1]));
        if (delay_ns == SIM_NEVER) {
            count_add(context, world, COUNT_LOST, 1);
            return;
        }
        event->time_ns += delay_ns;
    }
    if (last != NULL) {
        if (*last != 0 && client_unit(depart_ns) - *last > RADIO_IDLE_UNITS &&
            (int32_t)(client_unit(depart_ns) - *last) > 0) {
            event->time_ns += world->plan->network.access[access_of(world, client)].wakeup_ns;
        }
        uint32_t unit = client_unit(event->time_ns);
        if ((int32_t)(*last - unit) >= 0 && *last != 0) {
            unit = *last + 1;
            event->time_ns += (uint64_t)(unit - client_unit(event->time_ns)) << ORDER_SHIFT;
        }
        *last = unit;
    }
    sim_send(context, event);
}
