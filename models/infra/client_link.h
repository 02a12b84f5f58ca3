/* The way between a client and its gateway: access network, losses, TCP's order; and who a client
 * number is.
 *
 *     client  0 .. near - 1            first device of user client + 1
 *             near .. client_count - 1 second device of user client - near + 1
 */
#ifndef MODELS_INFRA_CLIENT_LINK_H
#define MODELS_INFRA_CLIENT_LINK_H

#include "models/infra/infra.h"

#define CLIENT_OPEN_BYTES 400u /* TLS and the upgrade to a WebSocket, but for framing. */

static inline uint64_t client_user(const struct world *world, uint32_t client)
{
    return client < world->near ? client + 1 : client - world->near + 1;
}

static inline uint32_t client_device(const struct world *world, uint32_t client)
{
    return client < world->near ? 1 : 2;
}

/* Of one of those near. */
static inline uint32_t client_number(const struct world *world, uint64_t user, uint32_t device)
{
    return (uint32_t)user - 1 + (device == 2 ? world->near : 0);
}

/* The population node that a client lives in, and its index there. */
static inline uint32_t client_population(const struct world *world, uint32_t client)
{
    return world->base[CLASS_POPULATION] + client / world->clients_each;
}

/* Where the load balancer sends a client, by a hash: home, while that lives; else another, as it
 * does when the client comes again after `tries` in vain. */
uint32_t client_gateway(const struct world *world, uint32_t client, uint64_t now_ns,
                        uint32_t tries);

/* Half a round trip of the client's access network, retransmissions included. */
uint64_t client_delay_ns(const struct world *world, uint32_t client, const struct rng_bits *bits);

#define CLIENT_UNIT_SHIFT 12u
static inline uint32_t client_unit(uint64_t time_ns)
{
    return (uint32_t)(time_ns >> CLIENT_UNIT_SHIFT);
}

/* Something arrived over the connection: its radio is awake. */
static inline void client_link_awake(uint32_t *last, uint64_t now_ns)
{
    uint32_t unit = client_unit(now_ns);
    if ((int32_t)(unit - *last) > 0) {
        *last = unit;
    }
}

/* Sends `event` from `peer` over the client's access network to node `to`. What is lost or cut off
 * on the way is repeated, as TCP does, and holds up what comes behind it. `*last`, if not NULL, is
 * when the frame before it on this connection and direction arrives, in units of 4096 ns: the next
 * is never earlier. After ten seconds without anything a radio has to wake up first. */
void client_link_send(struct sim_context *context, struct peer *peer, uint32_t client, uint32_t to,
                      uint64_t depart_ns, uint32_t bytes, uint32_t *last, struct sim_event *event);

#endif
