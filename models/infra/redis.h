/* Redis: a shard, as a node of the fleet. What it holds is inbox.h; here is what it costs.
 *
 *     host --EV_CALL---> [NIC] --> one thread, first come first served --> EV_REPLY --> host
 *     host --EV_ROUTE--> [NIC] --> ... publish, push to the subscriber --> EV_ROUTE --> gateway
 *     gateway --EV_REFRESH--> ...                                      --> EV_REPLY, if it matters
 *
 * Pipelining. The event loop reads all sockets, carries out what it read, and writes the answers: a
 * batch. What arrives while a batch is in service joins the next one. Each command costs
 * cpu_command and its bytes; each host besides cpu_round_trip once a batch (and again after
 * pipeline_max commands), for the two system calls. So a busy shard gets cheaper by the command,
 * which is what holds Redis up under load. Without it (pipeline_max 1) this is M/D/1.
 *
 *     arrival >= free    a new batch, now
 *     arrival >  batch   the batch in service has begun: the next one opens, at `free`
 *     otherwise          joins the batch that is open and has not begun
 *
 * An operation happens when its service starts, and is answered when it ends.
 *
 * Faults. PAUSE and SLOW are the node's outages; a fork for each snapshot (save_period) is a PAUSE
 * more, in proportion to what is resident once everyone near is online. A DOWN loses what is in the
 * shard and then
 *   - with a replica, and where it lasts longer than failover: ends after failover, the replica
 *     having taken over: what had not reached it (up to REDIS_LAG_NS) is lost;
 *   - else: lasts, and the shard begins empty. (A primary that restarts before anyone has missed
 *     it has its replicas copy its emptiness.)
 *
 * Presence. An EV_REFRESH is a struct call: source (the gateway's node), key.position = the keys it
 * renews here, op 1 when the gateway has started anew and holds nothing of what it registered
 * before. The renewals are one occupancy. When the shard has lost what the gateway had registered
 * since the refresh before, a plain reply with value 1 and the call's token says: look for LOST.
 *
 * Counted mode. Users 1 to `near` have an inbox here, those above are *far*: they exist, have one
 * device, which is offline, and take no memory; APPEND to one answers a location to be woken.
 * INBOX answers one plain reply: value = last position, value_low = rows, which the host makes up.
 * Where clients poll, or something fails, it answers rows of which kind, stamp and position are
 * right (redis_marks.h). MEMBERS and MEMBER answer CHAT_OK with no rows, or MISSING, by chance: a
 * list is cached for a share a T / (1 + a T) of its look-ups, a = messages a second to one group, T
 * = member_cache_ttl.
 *
 * Contents mode. MEMBERS that finds nothing answers the version of the list in `value`. Who then
 * reads the list from the store offers it with that: REDIS_OFFER, a call a member, one packet a
 * page. It is not answered, and void if the list was forgotten meanwhile (inbox_members_offer()).
 *
 * In contents mode answers of several rows travel as one packet: at one time, under one loss.
 * An answer that never was (0x8000 in call.op) is not sent.
 *
 * What it does not do: eviction (a shard refuses where it is full, in contents mode; in counted
 * mode it goes on, and RESOURCE_MEMORY shows it), the CPU of replication, cluster redirections.
 */
#ifndef MODELS_INFRA_REDIS_H
#define MODELS_INFRA_REDIS_H

#include "models/infra/inbox.h"
#include "models/infra/infra.h"

/* A member of a page of a list, as an op of a call: token = version; key.conn_id, position =
 * joined, left; key.channel, user = group, member; key.id = after << 32 | total << 16 | count;
 * argument = index in the page. */
#define REDIS_OFFER (CHAT_OPS + 2)

#define REDIS_LAG_NS 50000000u /* A replica gets what is new this often. */

struct redis; /* The state of its class; begins with a struct peer. */

extern const struct sim_class redis_class;

/* Shard `index`. The world's node ids, zones and outages are set before and outlive it, as does the
 * plan. `near`: counted mode; users up to it have an inbox. NULL where memory is short; the caller
 * frees it by redis_destroy(). Every gateway counts as refreshed at time 0. */
struct redis *redis_create(struct world *world, uint32_t index, uint64_t near);
void redis_destroy(struct redis *redis);

/* Counted mode: bytes that a device takes here, for the estimate before a run. */
uint64_t redis_device_bytes(const struct plan *plan);

/* What it holds, to be set up before a run. */
struct inbox *redis_inbox(struct redis *redis);

/* CPU: share of the one thread. MEMORY: resident, a snapshot under way; the queues of far users are
 * not in it. */
void redis_use(const struct redis *redis, struct resource_use uses[RESOURCE_COUNT]);

#endif
