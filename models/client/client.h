/* The other end of the chat: one device, sans-I/O, as one event in and effects out.
 *
 * The simulator's population steps 50 million of these, the load driver some thousands, the swarm
 * a handful; it is the same code. Rules are those of chat.h: the client reads no clock and draws
 * nothing, `tick` and `random` arrive in the event, effects are read before the next step.
 *
 *     offline --START--> connecting --CONNECTED--> online
 *        ^                ^      ^ FAILED |           |
 *        |                |      '--------'           |
 *        |                '--------DISCONNECTED-------'
 *        '--STOP-- from anywhere
 *
 * A poll or a long poll has no connection to lose; it is online from START to STOP, and CONNECTED
 * is not an event for it. It asks by POLL; the answer ends with FRAME_END, and it asks again, after
 * the interval or at once. FAILED and DISCONNECTED then mean that one request went wrong.
 *
 * What the user writes is a function of (user, seq) that the host knows, so the outbox stores
 * nothing: TRANSMIT says "send number seq", and the host adds channel and text to the frame that
 * it is given. Numbers start at 1 and are the client_key, so a repetition is one message.
 *
 *       acked        acked + window
 *     ----|x.x...........|----------| written     x: acked out of turn, in a bitmap
 *     done  under way     waits
 *
 * Invariants: acked <= written; what is transmitted lies in (acked, acked + window]; seen and
 * position never go back; every message that arrives is answered by DELIVERED, also a repeated
 * one, since the server repeats what it has not seen acknowledged.
 *
 * Order. A user's own messages to one channel reach the log in the order of seq: one that has an
 * earlier one unsettled says so by frame.status, and the server refuses, with one message, also
 * those behind it. Polls need window 1: each of their requests may go another way.
 *
 * Without a struct client_memory a redelivery is told by its position alone, and a READ is said
 * once. With one (contents runs, the driver) it is told by message id, receipts that were seen are
 * not shown again, and reads are said again until they are known to be durable: after a reconnect,
 * until a PING says so, or, by a transport that polls, at a sweep, until the host says that its
 * request went well.
 */
#ifndef MODELS_CLIENT_CLIENT_H
#define MODELS_CLIENT_CLIENT_H

#include "models/core/chat.h"

#include <stdbool.h>
#include <stdint.h>

#define CLIENT_WINDOW_MAX 16u
#define CLIENT_READS_MAX                                                                           \
    32u /* Unconfirmed reads remembered; beyond it the oldest is forgotten.                        \
         */
#define CLIENT_EFFECTS_MAX (CLIENT_WINDOW_MAX + CLIENT_READS_MAX + 4u)

enum client_state { CLIENT_OFFLINE, CLIENT_CONNECTING, CLIENT_ONLINE };

/* Shared by all clients of a kind; borrowed by each step. */
struct client_config {
    uint8_t transport;           /* enum chat_transport; not POST. */
    uint8_t window;              /* Messages under way: 1 to CLIENT_WINDOW_MAX. */
    uint16_t attempts_max;       /* The back-off stops doubling after so many: at most 31. */
    uint32_t send_timeout_ticks; /* Unacked for so long: sent again at the next sweep. */
    uint64_t backoff_first_ns;   /* The first delay is drawn from [0, this), the k-th ... */
    uint64_t backoff_max_ns;     /* ... from [0, first * 2^k), but never beyond this. */
    uint32_t backoff_sure_milli; /* Thousandths of each that are not drawn; 0: full jitter. */
    uint64_t poll_interval_ns;   /* TRANSPORT_POLL: from one answer to the next question. */
};

/* 40 bytes, all zero is an offline client that has never seen anything. Read freely; `location` is
 * the host's, the rest is written by client_step() only. */
struct client {
    uint64_t location; /* The host's: where its connection is. Never looked at. */
    uint64_t seen;     /* Highest message id seen: "after". */
    uint64_t position; /* Last inbox position received: `since` of a poll. */
    uint32_t written;
    uint32_t acked;  /* Every number up to here is acked. */
    uint32_t since;  /* Tick from which the oldest unacked has been waiting. */
    uint16_t bitmap; /* Bit i: acked + 1 + i is acked too. */
    uint8_t state;   /* enum client_state. */
    uint8_t attempts;
};
_Static_assert(sizeof(struct client) == 40, "50 million of these are 2 GB");

/* What a device remembers by id. The arrays are the host's, borrowed for as long as the memory is
 * used; entries beyond the capacity push out those of the lowest ids. */
struct client_receipt {
    uint64_t msg_id;
    uint64_t user;   /* The recipient. */
    uint64_t status; /* FRAME_DELIVERED or FRAME_READ. */
};
struct client_memory {
    uint64_t *shown; /* Message ids, ascending. */
    uint32_t shown_count;
    uint32_t shown_max;
    struct client_receipt *receipts; /* By msg_id, then user. */
    uint32_t receipt_count;
    uint32_t receipts_max;
    uint32_t read_count;
    uint64_t reads[CLIENT_READS_MAX];      /* Not known to be durable, oldest first. */
    uint32_t read_ticks[CLIENT_READS_MAX]; /* Polls: when last said. WebSocket: as which READ of the
                                              connection, from 1 to 65,535 and again; 0: not yet. */
    uint16_t reads_said;                   /* On this connection. */
    uint32_t reads_forgotten;
    bool reads_refused; /* BUSY was the answer to one: all are said again at the next sweep. */
};

/* `shown` and `receipts` have room for so many; both > 0. */
void client_memory_init(struct client_memory *memory, uint64_t *shown, uint32_t shown_max,
                        struct client_receipt *receipts, uint32_t receipts_max);

enum client_event_kind {
    CLIENT_EV_START,        /* The user comes online: the app opens, a push wakes it. */
    CLIENT_EV_STOP,         /* The user goes offline. The host closes the connection. */
    CLIENT_EV_CONNECTED,    /* WebSocket: what CONNECT asked for has happened. */
    CLIENT_EV_FAILED,       /* A CONNECT or a POLL was refused or timed out. */
    CLIENT_EV_DISCONNECTED, /* The connection, or the request of a poll, was lost. */
    CLIENT_EV_FRAME,        /* The server said something. */
    CLIENT_EV_WRITE,        /* The user wrote one more message. */
    CLIENT_EV_READ,         /* The user has read `msg_id`. */
    CLIENT_EV_SWEEP,        /* Now and then, in no hurry: is anything overdue? */
    CLIENT_EV_POLL_DUE,     /* The delay of POLL_LATER has passed. */
    CLIENT_EV_SAID,         /* Polls: the request that carried READ `msg_id` went well. */
    CLIENT_EV_ASK, /* The user asks for what `frame` says: HISTORY, JOIN or LEAVE. Once: what
                      is lost is not asked for again. */
};

struct client_event {
    enum client_event_kind kind;
    uint32_t tick;                  /* Any unit, may wrap; never less than in the event before. */
    uint64_t random;                /* Uniform bits: FAILED, DISCONNECTED. */
    uint64_t msg_id;                /* READ, SAID. */
    const struct chat_frame *frame; /* FRAME, ASK. */
};

enum client_effect_kind {
    CLIENT_FX_CONNECT,    /* Open a connection after `delay_ns`. A STOP makes it void. */
    CLIENT_FX_POLL,       /* Ask now, since frame.position. */
    CLIENT_FX_POLL_LATER, /* Say POLL_DUE after `delay_ns`. A STOP makes it void. */
    CLIENT_FX_TRANSMIT,   /* `frame` (MSG with client_key = seq and "after" in msg_id), to which the
                             host adds channel, type, text and client_id of message `seq`. */
    CLIENT_FX_SEND,       /* `frame` as it stands: DELIVERED, READ, PONG, or what was asked for. */
    CLIENT_FX_ACKED,      /* Message `seq` is durable; frame.msg_id is its id. Once for each. */
    CLIENT_FX_REFUSED,    /* Message `seq` was refused for good: frame.err. Once for each. */
    CLIENT_FX_SHOW,       /* The frame just received is a message not seen before. */
    CLIENT_FX_AGAIN,      /* ... is one that was shown before. */
    CLIENT_FX_RECEIPT,    /* ... is a receipt that tells something new. */
    CLIENT_FX_PAGE,       /* ... ends a page of history. Its rows, before it, are not SHOWn. */
};

struct client_effect {
    uint8_t kind; /* enum client_effect_kind. */
    uint32_t seq; /* TRANSMIT, ACKED, REFUSED. */
    uint64_t delay_ns;
    struct chat_frame frame; /* POLL, TRANSMIT, SEND, ACKED, REFUSED; else all zero. */
};

struct client_effects {
    uint32_t count;
    struct client_effect list[CLIENT_EFFECTS_MAX];
};

/* `memory` may be NULL; a client keeps to having one or not. An event that does not fit the state
 * (a frame after a STOP, a second CONNECTED) changes nothing: hosts race. What an earlier
 * connection or request still says is the host's to drop. */
void client_step(struct client *client, const struct client_config *config,
                 struct client_memory *memory, const struct client_event *event,
                 struct client_effects *effects);

/* WebSocket, window 16, 10 s until a send is repeated at ticks of 100 ms, back-off 1 s to 60 s. */
struct client_config client_config_default(uint8_t transport);

/* With s = min(max, first << attempts): uniform in [s * sure, s), by full jitter in [0, s). */
uint64_t client_backoff_ns(const struct client_config *config, uint8_t attempts, uint64_t random);

/* Messages under way or waiting. */
static inline uint32_t client_unacked(const struct client *client)
{
    uint32_t beyond = (uint32_t)__builtin_popcount(client->bitmap);
    return client->written - client->acked - beyond;
}

#endif
