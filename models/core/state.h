/* The core's inside: sessions, flights, what a step writes. Included by models/core only.
 *
 *   session   a connected device: where it stands in its inbox. One cache line.
 *   flight    an operation under way: a send, a receipt, a record being fanned out, a drain. It has
 *             at most one effect outstanding, named by its token (generation << 32 | slot), and
 *             takes a new generation with each. Two cache lines.
 *   unacked   a message sent to a device that has not said DELIVERED yet. It spares looking up the
 *             sender when it does; without it the receipt row is read.
 *   page      a member list being worked through.
 *
 * All four are pools of fixed size, linked by index; 0 means none, slot 0 of each is unused (but
 * for sessions, whose slot is the host's). Running out of one is an answer, never a loss:
 *
 *   flights   a frame is refused BUSY; a record waits, since chat_room() says so
 *   unacked   the session goes back to draining, and asks again later
 *   pages     the record waits for one
 */
#ifndef MODELS_CORE_STATE_H
#define MODELS_CORE_STATE_H

#include "models/core/chat.h"
#include "models/core/check.h"
#include "models/core/snowflake.h"

#define NONE 0u
#define GENERATION_SHIFT 40u
#define AHEAD_BITS 32u
#define UNACKED_SESSION_MAX 64u /* Then the session waits for its device: back-pressure. */
#define TICK_SHIFT 24u          /* Timers go by ticks of 16.8 ms. */
#define WHEEL_SLOTS 1024u
#define SWEEP_SHIFT 27u /* Unconfirmed receipts are looked for each 134 ms. */

enum session_state {
    SESSION_FREE,
    SESSION_OPENING,  /* Registering. ROUTEs are only noted. */
    SESSION_DRAINING, /* Reading its inbox. ROUTEs are only noted. */
    SESSION_LIVE,     /* ROUTEs are sent on. */
    SESSION_HOLDING,  /* A long poll that found nothing: the first ROUTE answers it. */
    SESSION_POSTING,  /* One request that only brings frames. */
};

enum session_flag {
    SESSION_READS = 1,       /* READs were heard, and the device was not told that they are kept. */
    SESSION_MORE = 2,        /* Something was routed while it drained. */
    SESSION_UNCONFIRMED = 4, /* A receipt was sent that nothing has confirmed. */
    SESSION_AGED = 8,        /* ... and a sweep has passed since. */
    SESSION_QUIET = 32,      /* Nothing was routed here since the last sweep. */
    SESSION_SHUT = 64, /* A message was refused for now: those behind it have to wait for it. */
    SESSION_LOST = 16, /* Its presence vanished while it drained: register again. */
};

struct session {
    uint64_t user;
    uint64_t sent;    /* Everything up to here was sent, or need not be. */
    uint64_t trimmed; /* Everything up to here was confirmed and deleted. */
    uint32_t epoch;   /* High half of the connection's id. */
    uint32_t device;
    uint32_t unacked_head;
    uint32_t unacked_tail;
    uint32_t work_head; /* Under way: receipts, then the rest in order. */
    uint32_t number;    /* Which connection of its device. */
    uint32_t drain;     /* The flight that registers, drains or fills a gap. */
    uint32_t ahead;     /* Bit i: position sent + 2 + i was sent already. */
    uint8_t state;
    uint8_t transport;
    uint8_t flags;
    uint8_t work_count;
    uint16_t unacked_count;
    uint16_t reads; /* READs heard. From 65,535 on to 1, since 0 says nothing. */
};
_Static_assert(sizeof(struct session) == CHAT_SESSION_BYTES, "an idle session is one cache line");

enum flight_kind {
    FLIGHT_FREE,
    FLIGHT_SEND,     /* A MSG, JOIN or LEAVE from a device. ingest.c */
    FLIGHT_RECEIPT,  /* A DELIVERED or READ from a device. receipts.c */
    FLIGHT_DRAIN,    /* A device that connects, or fills a gap. session.c */
    FLIGHT_RECORD,   /* A record of the log. fanout.c */
    FLIGHT_DELIVERY, /* A recipient of one. fanout.c */
    FLIGHT_ROWS,     /* The receipt rows of a page of members. fanout.c */
    FLIGHT_PUSH,     /* A wake-up. push.c */
    FLIGHT_HISTORY,  /* A page of a channel. history.c */
    FLIGHT_RESERVE,  /* Ids reserved ahead. ingest.c */
};

struct flight {
    uint32_t generation;
    uint8_t kind;
    uint8_t stage; /* By kind. */
    uint8_t tries; /* Of the effect outstanding, saturating. */
    uint8_t armed; /* In the timer wheel. */
    uint32_t next; /* In its session's work, in the free list, or among those that wait. */
    uint32_t timer_next;
    uint32_t timer_previous;
    uint32_t due_tick;
    uint32_t session; /* Slot; meaningful while the session there has `epoch`. */
    uint32_t epoch;
    struct chat_entry entry;
    union {
        struct {
            struct chat_blob client_id;
            uint64_t client_key;
            uint64_t after;  /* The highest id that the device has seen. */
            uint64_t sender; /* Who sent the frame; entry.user is who joins or leaves. */
        } send;
        struct {
            uint64_t sender;
            uint32_t chain; /* The next receipt of the same poll. */
            uint8_t again;  /* Watermark: entry.id rose while a store was under way. */
            uint8_t live;   /* Of a hybrid group: a cursor is kept. */
            uint8_t poll;   /* Acknowledged by a poll's `since`. */
        } receipt;
        struct {
            uint64_t since;    /* Poll: acknowledged by it. */
            uint64_t rebuilt;  /* Messages up to this id are back in the inbox. */
            uint64_t until_ns; /* Long poll, not woken: it is answered then. */
            uint32_t acked;    /* Poll: receipts were begun for what `since` acknowledges. */
            uint32_t found;    /* Poll: so many entries were sent. */
        } drain;
        struct {
            uint64_t offset;
            uint64_t above; /* The page asked for holds the members above this one. */
            uint32_t page;
            uint16_t cursor; /* The next member of the page to deliver to. */
            uint16_t count;
            uint32_t outstanding; /* Children. */
            uint8_t hybrid;
            uint8_t last; /* No page after this one. */
        } record;
        struct {
            uint64_t user;
            uint32_t parent;
            uint16_t first; /* ROWS: the page's members from .. */
            uint16_t count;
        } delivery;
        struct {
            uint64_t user;
        } push;
        struct {
            uint64_t joined;
            uint64_t left;
            uint32_t limit;
        } history;
    };
};

struct unacked {
    uint64_t id;
    uint64_t sender;
    struct chat_channel channel;
    uint64_t position; /* 0: not from the inbox. */
    uint32_t next;
    uint8_t state; /* enum unacked_state. */
    uint8_t live;  /* Of a hybrid group: a cursor is kept. */
    uint8_t ahead; /* So many positions up to its own had not all been sent before it. */
};

enum unacked_state {
    UNACKED_SENT,
    UNACKED_WAITING, /* DELIVERED was said, and no flight was free to store it. */
    UNACKED_STORING, /* DELIVERED is being made durable. */
    UNACKED_DONE,    /* It is; but an earlier message is not, so the inbox is not trimmed yet. */
};

struct page {
    uint32_t next;
    struct chat_member members[CHAT_PAGE_MAX];
};

/* What every step touches comes first: three cache lines. */
struct chat {
    uint64_t now_ns;
    uint64_t wall_ms;
    struct session *sessions;
    struct flight *flights;
    struct unacked *unacked;
    struct chat_effects *effects;
    uint64_t due_tick; /* No timer fires before this tick; UINT64_MAX: none is armed. */
    uint32_t free_flight;
    uint32_t fresh_flight; /* From here on none was ever used: memory is touched as needed. */

    struct snowflake snowflake;
    uint32_t free_unacked;
    uint32_t fresh_unacked;
    uint32_t flight_count;
    uint32_t unacked_count;
    uint32_t session_count;
    uint32_t record_head; /* Records that wait for a page, a flight or a place in a step. */
    uint32_t record_tail;
    bool more;

    uint64_t sweep_due_ns;
    uint32_t record_count;
    struct chat_config config; /* Its first fields are the hot ones. */

    struct page *pages;
    uint32_t free_page;
    uint32_t reserve; /* The flight that reserves ids. */
    uint32_t sweep_slot;
    uint32_t sweep_left; /* Sessions that this sweep has still to look at. */
    uint64_t refused;
    uint32_t push_count; /* Flights of wake-ups. */
    uint64_t tick;       /* Timers up to this tick have fired. */
    uint64_t timer_bits[WHEEL_SLOTS / 64];
    uint32_t timer_heads[WHEEL_SLOTS];
};

static inline struct session *session_at(const struct chat *chat, uint32_t slot)
{
    return &chat->sessions[(size_t)slot * chat->config.sessions_step];
}

/* chat.c: what a step writes. An effect begins all zero. */
struct chat_effect *effect_add(struct chat *chat, enum chat_effect_kind kind);
static inline uint32_t effect_room(const struct chat *chat)
{
    return CHAT_EFFECTS_MAX - chat->effects->count;
}
/* An effect of a flight, answered to it. */
struct chat_effect *effect_call(struct chat *chat, enum chat_effect_kind kind, enum chat_op op,
                                struct flight *flight);
/* An append that names the devices, from the answer of READ_DEVICES; `devices` may be NULL. */
void effect_devices(struct chat *chat, struct chat_effect *effect,
                    const struct chat_event *devices);
void effect_error(struct chat *chat, uint64_t conn_id, enum chat_err err,
                  const struct chat_frame *frame);

/* flight.c: the pool, and timers. */
struct flight *flight_take(struct chat *chat, enum flight_kind kind); /* NULL: none left. */
void flight_free(struct chat *chat, struct flight *flight);
uint32_t flight_slot(const struct chat *chat, const struct flight *flight);
/* The name of the next effect of this flight. None comes twice, so that a late answer to an effect
 * that was given up is never taken for the answer to a later one. */
uint64_t flight_token(const struct chat *chat, struct flight *flight);
struct flight *flight_at(struct chat *chat, uint32_t slot);
/* The flight comes back to its module's _on_timer() after `delay_ns`. */
void flight_arm(struct chat *chat, struct flight *flight, uint64_t delay_ns);
void flight_disarm(struct chat *chat, struct flight *flight);
/* Arms it to try its stage again: later, the more often it was tried. */
void flight_retry(struct chat *chat, struct flight *flight);
void flight_timers(struct chat *chat); /* Fires what is due. */
uint64_t flight_due(const struct chat *chat);

/* session.c */
void session_on_open(struct chat *chat, const struct chat_event *event);
void session_on_resume(struct chat *chat, const struct chat_event *event);
void session_on_close(struct chat *chat, const struct chat_event *event);
void session_on_lost(struct chat *chat, const struct chat_event *event);
void session_on_routed(struct chat *chat, const struct chat_event *event);
/* Does presence say where it is, so that entries are routed here? */
bool session_registered(const struct chat *chat, const struct session *session);
void session_on_pong(struct chat *chat, struct session *session, uint64_t position);
struct session *session_find(struct chat *chat, uint64_t conn_id);
struct session *session_of(struct chat *chat, const struct flight *flight); /* NULL: gone. */
uint64_t session_conn(const struct chat *chat, const struct session *session);
uint32_t session_slot(const struct chat *chat, const struct session *session);
/* What it has under way besides receipts. */
uint32_t session_asked(struct chat *chat, const struct session *session);
void session_work_add(struct chat *chat, struct session *session, struct flight *flight);
void session_work_remove(struct chat *chat, struct flight *flight);
void session_end(struct chat *chat, struct session *session, bool unregister);
/* ... and tells the host to close its connection. */
void session_drop(struct chat *chat, struct session *session, enum chat_err err, bool unregister);
/* Sends an entry on, unless the device has too much unacknowledged; false: it was not sent. */
bool session_send(struct chat *chat, struct session *session, const struct chat_entry *entry);
/* Moves `sent` past a position that went out, out of order or not. */
void session_passed(struct session *session, uint64_t position);
void session_trim(struct chat *chat, struct session *session, uint64_t confirmed);
void session_sweep(struct chat *chat);
/* Asks the device what has arrived there, and tells it which of its READs are durable. */
void session_ping(struct chat *chat, struct session *session);

/* Answers a poll, and ends its session: 0, it found nothing; 1, something; 2, and there is more. */
void session_answer(struct chat *chat, struct session *session, uint8_t found);

/* drain.c */
/* The flight of this session that had no effect outstanding, if any, is given up. */
void drain_abandon(struct chat *chat, struct session *session);
/* A hole in the positions: if it is still there after gap_ns, the inbox is read. */
void drain_gap(struct chat *chat, struct session *session);
void drain_wait(struct chat *chat, struct session *session);
/* A live session: does anything stand behind what it was sent? */
void drain_verify(struct chat *chat, struct session *session);
void drain_start(struct chat *chat, struct session *session, uint64_t since, bool registering);
void drain_on_done(struct chat *chat, struct flight *flight, const struct chat_event *event);
void drain_on_timer(struct chat *chat, struct flight *flight);

/* ingest.c */
void ingest_on_frame(struct chat *chat, struct session *session, const struct chat_frame *frame);
void ingest_on_done(struct chat *chat, struct flight *flight, const struct chat_event *event);
void ingest_on_timer(struct chat *chat, struct flight *flight);
/* Its session has ended: a send that has not begun is given up. */
void ingest_drop_waiting(struct chat *chat, struct flight *flight);
void reserve_on_done(struct chat *chat, struct flight *flight, const struct chat_event *event);
void reserve_on_timer(struct chat *chat, struct flight *flight);

/* receipts.c */
void receipts_on_frame(struct chat *chat, struct session *session, const struct chat_frame *frame);
void receipts_on_done(struct chat *chat, struct flight *flight, const struct chat_event *event);
void receipts_on_timer(struct chat *chat, struct flight *flight);
/* The number of the last READ heard, if all are durable or refused, and the device was not told. 0:
 * there is nothing to tell it. */
uint16_t receipts_reads(struct chat *chat, const struct session *session);
/* Stores one DELIVERED that was said and found no flight, if one is free now. */
void receipts_resume(struct chat *chat, struct session *session);
/* A poll acknowledged this inbox entry: as DELIVERED, then trimmed. Chained after `*chain`, which
 * it replaces. False: no flight left. */
bool receipts_on_since(struct chat *chat, const struct session *session,
                       const struct chat_entry *entry, uint32_t *chain);

/* fanout.c */
void fanout_on_record(struct chat *chat, const struct chat_event *event);
void fanout_on_done(struct chat *chat, struct flight *flight, const struct chat_event *event);
void fanout_on_timer(struct chat *chat, struct flight *flight);
void fanout_pump(struct chat *chat); /* Goes on with records that wait. */
/* ROUTEs and wake-ups for where an append found the user's devices. */
void fanout_locations(struct chat *chat, const struct chat_entry *entry,
                      const struct chat_event *event);

/* push.c */
void push_start(struct chat *chat, uint64_t user, uint32_t device);
void push_on_done(struct chat *chat, struct flight *flight, const struct chat_event *event);
void push_on_timer(struct chat *chat, struct flight *flight);

/* history.c */
void history_on_frame(struct chat *chat, struct session *session, const struct chat_frame *frame);
void history_on_done(struct chat *chat, struct flight *flight, const struct chat_event *event);
void history_on_timer(struct chat *chat, struct flight *flight);

static inline bool failed(int32_t err)
{
    return err == CHAT_ERR_UNKNOWN || err == CHAT_ERR_FAILED;
}

static inline bool channel_equal(struct chat_channel a, struct chat_channel b)
{
    return a.first == b.first && a.second == b.second;
}

/* The other of the two. */
static inline uint64_t channel_other(struct chat_channel channel, uint64_t user)
{
    return channel.first == user ? channel.second : channel.first;
}

#endif
