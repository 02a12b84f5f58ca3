/* The push gateway: the one node through which all wake-ups go to APNs and FCM.
 *
 *     host --EV_CALL--> push -- provider --> shown on a device, a law's latency later
 *     host <-EV_REPLY-- push <- accepted, a share of that latency later
 *
 * Which provider wakes a device is a function of (user, device). FCM's quota is a token bucket of
 * one second's worth: what exceeds it is answered CHAT_ERR_FAILED and counted. What is lost was
 * accepted all the same: nobody is told, and STAGE_PUSH has no sample of it. PAUSE and SLOW delay
 * what passes; a DOWN loses what has not been answered, though a provider may have accepted it.
 *
 * A call names user and device by call.key.user and the event's flags. Its host counts
 * COUNT_PUSHES; COUNT_PUSHES_REFUSED is counted here.
 *
 * What it does not do: CPU and connections of its own (it is as large as it must be), quotas of a
 * single device, collapsing, waking the simulated user, devices that are no longer registered.
 */
#ifndef MODELS_INFRA_PUSH_H
#define MODELS_INFRA_PUSH_H

#include "models/infra/infra.h"

struct push; /* The state of its class; begins with a struct peer. */

extern const struct sim_class push_class;

/* The only node of CLASS_PUSH. The world's node ids, zones and outages are set before and outlive
 * it, as does the plan. NULL where memory is short; the caller frees it by push_destroy(). */
struct push *push_create(struct world *world);
void push_destroy(struct push *push);

/* QUOTA: wake-ups asked of FCM a second, refused ones included; no limit where there is no quota.
 */
void push_use(const struct push *push, struct resource_use uses[RESOURCE_COUNT]);

#endif
