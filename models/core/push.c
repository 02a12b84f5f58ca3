/* Push: waking a device that is offline. It carries no content and is asked for once: the cache
 * notes that a wake-up is on its way until the device registers. Losing one delays a message, and
 * never loses it, so after a few tries it is given up. Those that wait for another try may not take
 * the flights that deliveries need: there is a share for them, and beyond it none is asked for. */
#include "models/core/state.h"

#define PUSH_TRIES 5u
#define PUSH_SHARE 8u /* Of flights, one in so many. */

void push_start(struct chat *chat, uint64_t user, uint32_t device)
{
    bool room = chat->push_count < chat->config.flights_max / PUSH_SHARE + 1;
    struct flight *flight = room ? flight_take(chat, FLIGHT_PUSH) : NULL;
    if (flight == NULL) {
        chat->refused++;
        return;
    }
    chat->push_count++;
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
        chat->push_count--;
        flight_free(chat, flight);
    }
}
