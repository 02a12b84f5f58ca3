/* Push: waking a device that is offline. It carries no content and is asked for once: the cache
 * notes that a wake-up is on its way until the device registers. Losing one delays a message, and
 * never loses it, so after a few tries it is given up. */
#include "models/core/state.h"

#define PUSH_TRIES 5u

void push_start(struct chat *chat, uint64_t user, uint32_t device)
{
    struct flight *flight = flight_take(chat, FLIGHT_PUSH);
    if (flight == NULL) {
        chat->refused++;
        return;
    }
    flight->push.user = user;
    flight->entry.device = device;
    push_on_timer(chat, flight);
}

void push_on_timer(struct chat *chat, struct flight *flight)
{
    struct chat_effect *effect = effect_add(chat, CHAT_FX_PUSH);
    effect->token = flight_token(chat, flight);
    effect->again = flight->tries;
    effect->user = flight->push.user;
    effect->device = flight->entry.device;
}

void push_on_done(struct chat *chat, struct flight *flight, const struct chat_event *event)
{
    if (event->err == CHAT_ERR_FAILED && flight->tries < PUSH_TRIES) {
        flight_retry(chat, flight);
    } else {
        flight_free(chat, flight);
    }
}
