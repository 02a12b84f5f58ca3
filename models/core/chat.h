/* The door of the chat core: one event in, a list of effects out.
 *
 * A host -- the simulator's gateway node, or the real server -- owns a struct chat, tells it what
 * happened, and carries out what it asks for. Nothing else passes this line:
 *
 *     host --- chat_step(event) --->  core
 *     host <-- effects, chat_due() -- core
 *
 * One core plays gateway (devices connect to it), fan-out worker (it consumes the log), or both.
 *
 * The core speaks structs. JSON, WebSocket, CQL and Kafka's bytes live at the edges; the simulator
 * encodes nothing, and takes sizes from wire.h. Text is a blob: the host owns the bytes, the core
 * passes on a handle and never looks inside, so ciphertext is nothing special and a capacity run
 * has no bytes at all.
 *
 * Rules of the door:
 *   1. Time, ids and randomness arrive in the event. The core fetches nothing.
 *   2. An effect with a token is answered by exactly one CHAT_EV_DONE with that token. Where the
 *      reply is lost, the host answers CHAT_ERR_UNKNOWN -- it may have happened -- after its own
 *      timeout, and swallows what comes later; the core retries with the same ids. A token has at
 *      most one effect outstanding; its low half is a slot below chat_flights_max().
 *   3. Effects are carried out in the order listed, but order is not durability: what relies on a
 *      STORE or PUBLISH is asked for in the step that receives its DONE, never beside it.
 *   4. A blob of a FRAME is the core's until it says RELEASE, once; a blob of a RECORD until its
 *      COMMIT. Blobs of all other events are the core's for that step only. What a host needs
 *      longer, it copies.
 *   5. When chat_step() returns true there is more: the host calls it again with CHAT_EV_MORE
 *      before any other event, so that one fan-out is never cut by the next.
 *   6. A record is asked for only while chat_room() > 0, and is consumed when the core says COMMIT.
 *   7. Not reentrant: a host never steps from inside carrying out an effect.
 *   8. Presence expires unless refreshed. The host refreshes it in bulk, by gateway, and says LOST
 *      for each connection whose entry it no longer found.
 *   9. The host drives the protocol's heartbeats: it answers pings, and says CLOSE when one is
 * missed.
 */
#ifndef MODELS_CORE_CHAT_H
#define MODELS_CORE_CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAT_EFFECTS_MAX 64u
#define CHAT_PAGE_MAX 512u  /* Members in one answer of a member list. */
#define CHAT_DRAIN_MAX 32u  /* Inbox entries or history rows in one answer. */
#define CHAT_DEVICES_MAX 8u /* Devices of one user. */
#define CHAT_SENDS_MAX 24u  /* Messages of one connection under way, at most. */
#define CHAT_NEVER UINT64_MAX

struct chat; /* Opaque. chat_size() bytes from the host, aligned to 64. */

/* Every code a door can show, with the text that a person may read. */
#define CHAT_ERRORS(X)                                                                             \
    X(CHAT_OK, 0, "worked")                                                                        \
    X(CHAT_ERR_UNKNOWN, -1, "no reply: it may have happened")                                      \
    X(CHAT_ERR_FAILED, -2, "refused or unreachable: it has not happened")                          \
    X(CHAT_ERR_EXISTS, -3, "a conditional write found another row")                                \
    X(CHAT_ERR_MISSING, -4, "there is no such row, key or user")                                   \
    X(CHAT_ERR_FORBIDDEN, -5, "not a member of this channel")                                      \
    X(CHAT_ERR_CLOCK, -6, "the highest id shown lies too far in the future")                       \
    X(CHAT_ERR_BUSY, -7, "too many messages under way on this connection or server; try again")    \
    X(CHAT_ERR_UNAVAILABLE, -8, "the message could not be stored; send it again")                  \
    X(CHAT_ERR_REPLACED, -9, "a newer connection of this device took over")                        \
    X(CHAT_ERR_BAD_FRAME, -10, "this frame makes no sense here")                                   \
    X(CHAT_ERR_FULL, -11, "no room for another connection")                                        \
    X(CHAT_ERR_UNREGISTERED, -12, "the push service no longer knows this device")

enum chat_err {
#define CHAT_ERROR_ENUM(name, value, text) name = (value),
    CHAT_ERRORS(CHAT_ERROR_ENUM)
#undef CHAT_ERROR_ENUM
};

const char *chat_err_text(enum chat_err err);

/* Two people: their user ids, the smaller first, so membership needs no look-up. A group: {id, 0}.
 */
struct chat_channel {
    uint64_t first;
    uint64_t second;
};

struct chat_blob {
    uint32_t handle; /* The host's; 0 means none. */
    uint32_t size_bytes;
};

enum chat_entry_kind {
    ENTRY_MESSAGE = 1, /* A message: in the log, in an inbox, on its way to a device. */
    ENTRY_DELIVERED,   /* A receipt for the sender: `user` has it. */
    ENTRY_READ,        /* A receipt for the sender: `user` has read it. */
    ENTRY_LIVE,        /* A message of a hybrid group, pushed to whoever is online; no position. */
    ENTRY_JOINED,      /* In the log: `user` is a member from `id` on. */
    ENTRY_LEFT,        /* In the log: `user` is none from `id` on. */
    ENTRY_KICK,        /* A newer connection of the device took over: drop this one. */
};

/* What travels: through the log, through an inbox, and between cores. 56 bytes. */
struct chat_entry {
    uint64_t id;   /* Message id (Snowflake). */
    uint64_t user; /* MESSAGE: the sender. DELIVERED, READ: the recipient. JOINED, LEFT: who. */
    struct chat_channel channel;
    struct chat_blob text;
    uint64_t position; /* In the inbox: generation << 40 | n. 0: not from an inbox. */
    uint32_t device;   /* MESSAGE: the sender's device. */
    uint8_t kind;      /* enum chat_entry_kind. */
    uint8_t type;      /* Text, image, video, system: passed on, never looked at. */
    uint16_t alone;    /* MESSAGE: 1 when nobody has a second device to show his own on. */
};

/* Where a user's device is, and how far its inbox goes. */
struct chat_location {
    uint64_t user;
    uint64_t conn_id;  /* At that gateway; 0 while the device is offline. */
    uint64_t position; /* Of the entry appended, or the last in the inbox. */
    uint64_t trimmed;  /* Everything up to here has been acknowledged and deleted. */
    uint32_t gateway;
    uint32_t device;
    uint32_t pending; /* Entries in the inbox. */
    bool fresh;       /* The inbox began a generation and has not been rebuilt. */
    bool pushed;      /* A wake-up for this device, offline, is already on its way. */
};

/* In a group from `joined` (a message id) until `left`, CHAT_NEVER while in it. */
struct chat_member {
    uint64_t user;
    uint64_t joined;
    uint64_t left;
};

enum chat_frame_kind {
    FRAME_MSG = 1,   /* Both ways: a message. */
    FRAME_ACK,       /* To the sender: it is durable, and this is its id. */
    FRAME_DELIVERED, /* From a device: it is here. Of each MSG with a position, as they come: so
                        what was sent over this connection before is here, too. */
    FRAME_READ,      /* From a device: it was seen, perhaps long ago. */
    FRAME_RECEIPT,   /* To the sender's devices: who has got how far. */
    FRAME_ERROR,     /* To a device: which frame was refused, and why. */
    FRAME_HISTORY,   /* From a device: a page of a channel before `msg_id` (0: the newest). */
    FRAME_END,       /* To a device: the answer to a poll or a HISTORY is complete; `position` or
                        `msg_id` is the cursor for the next. */
    FRAME_JOIN,      /* From a member: `user_id` shall be a member of the group `channel`. */
    FRAME_LEAVE,     /* From a member: `user_id` shall be none. */
    FRAME_PING, /* To a device: confirm everything up to `position`. And, unless `client_key` is
                   0: the READs of this connection are durable up to that number, from 1. */
    FRAME_PONG, /* From a device: everything up to `position` has arrived. */
};

struct chat_frame {
    uint8_t kind;
    uint8_t status;   /* RECEIPT: FRAME_DELIVERED or FRAME_READ. ACK: FRAME_MSG, _JOIN, _LEAVE,
                         and _READ of a POST, which has no other way to learn that it is durable.
                         END of a poll: 1 if it found something, 2 if there is more, so that the
                         device asks again at once. MSG from a device: 1 while an
                         earlier one of its own is neither acked nor refused for good. Once one is
                         refused for now, all such are, until the device begins again with its
                         oldest: so they stay in order. FRAME_HISTORY: MSG and END to a device that
                         asked for a page. */
    uint8_t type;     /* MSG. */
    uint8_t again;    /* MSG to a device: it may have been sent before. */
    int32_t err;      /* ERROR: a negative enum chat_err. */
    uint64_t msg_id;  /* Snowflake. MSG from a device: the highest it has seen, or 0. */
    uint64_t user_id; /* MSG to a device: the sender. RECEIPT: the recipient. */
    struct chat_channel channel;
    struct chat_blob text;      /* MSG. DELIVERED, READ, HISTORY: a mark of the host's, size 0, that
                                   comes out with the RECEIPT or the END (a trace id, a time); not
                                   released. */
    struct chat_blob client_id; /* MSG from a device, ACK, ERROR: the device's own name for it. */
    uint64_t client_key;        /* A 64-bit digest of client_id, the host's. */
    uint64_t position;          /* END, PING, PONG; MSG and RECEIPT to a device: in its inbox. */
    uint32_t limit;             /* HISTORY: rows wanted, at most CHAT_DRAIN_MAX. */
};

enum chat_transport {
    TRANSPORT_WEBSOCKET,
    TRANSPORT_LONG_POLL, /* One request: `since` acknowledges, answered when something is there. */
    TRANSPORT_POLL,      /* One request: answered at once. */
    TRANSPORT_POST,      /* One request: frames go in, nothing waits in an inbox here. */
};

enum chat_event_kind {
    CHAT_EV_OPEN,   /* A device is connected, and is who it says it is. */
    CHAT_EV_RESUME, /* As OPEN, for a device already registered here and drained up to `since`: a
                       server that took over, a simulation that begins in steady state. */
    CHAT_EV_FRAME,  /* A device said something. */
    CHAT_EV_CLOSE,  /* A connection is gone. */
    CHAT_EV_LOST,   /* The presence entry of a connection was not there to be refreshed. */
    CHAT_EV_RECORD, /* The log delivered a record. */
    CHAT_EV_ROUTED, /* Another core sent an entry for a device that is here. */
    CHAT_EV_DONE,   /* An effect with a token has ended. */
    CHAT_EV_TIMER,  /* chat_due() has passed. */
    CHAT_EV_MORE,   /* Go on with what the last step left. */
};

struct chat_event {
    enum chat_event_kind kind;
    int32_t err;      /* DONE: 0, or a negative enum chat_err. */
    uint64_t now_ns;  /* Monotonic: never less than in the event before. For waiting. */
    uint64_t wall_ms; /* Unix time; may jump either way. For ids and expiry. */
    uint64_t conn_id; /* OPEN: chosen by the host, low half = a free slot below sessions_max, high
                         half not 0 and another at each use. Then FRAME, CLOSE, LOST, ROUTED. */
    uint64_t user_id; /* OPEN, RESUME. */
    uint64_t since;   /* OPEN of a poll: the cursor. RESUME: the last position sent. */
    uint64_t token;   /* DONE. */
    uint64_t offset;  /* RECORD: the host's name for it, returned by COMMIT. */
    uint64_t value;   /* DONE: by op. OPEN, RESUME: which connection of its device this is, by the
                         device's own count, below 2^32: one that registers late does not replace a
                         later one. 0 from a host that does not know: the last to register wins. */
    uint32_t device_id;
    uint8_t transport;                     /* enum chat_transport: OPEN, RESUME. */
    uint32_t count;                        /* How many of the next, for DONE of READ and CACHE. */
    const struct chat_frame *frame;        /* FRAME. */
    const struct chat_entry *entries;      /* RECORD and ROUTED: one. DONE: inbox or history. */
    const struct chat_location *locations; /* DONE of APPEND, REGISTER, LOCATE, DEVICES. */
    const struct chat_member *members;     /* DONE of MEMBERS, MEMBER. */
};

enum chat_effect_kind {
    CHAT_FX_SEND,    /* `frame` to connection `conn_id`. Not answered. */
    CHAT_FX_DROP,    /* Close connection `conn_id`, for reason `err`. The host frees the slot and
                        says no CLOSE. Not answered. */
    CHAT_FX_STORE,   /* By `op`: durably; answered. */
    CHAT_FX_READ,    /* By `op`: from the store; answered. */
    CHAT_FX_PUBLISH, /* `entry` to the log, in order within its channel; answered. */
    CHAT_FX_COMMIT,  /* All that the record `offset` asked for is durable. Not answered. */
    CHAT_FX_CACHE,   /* By `op`: directory and inbox, atomic per user; answered where a token is. */
    CHAT_FX_ROUTE,   /* `entry` to connection `conn_id` of `gateway`. May be lost. Not answered. */
    CHAT_FX_PUSH,    /* Wake `device` of `user`, which is offline; answered. */
    CHAT_FX_RELEASE, /* Blob `entry.text` is no longer needed. Not answered. */
    CHAT_FX_KINDS,
};

enum chat_op {
    /* STORE */
    STORE_CLAIM = 1,    /* If absent: (user, device, client_key/client_id) -> entry.id, 7 days.
                           CHAT_OK, or CHAT_ERR_EXISTS with the winner's id in `value`. */
    STORE_MESSAGE,      /* entry under (channel, id); and, unless `user` is 0, the receipt row
                           (entry.id, user) -> sender, channel, and unless entry.alone the sender's
                           own, acknowledged by entry.device. Idempotent. */
    STORE_RECEIPT_ROWS, /* The receipt rows (entry.id, member) for `count` members: effects->members
                           from `first`. One partition. Idempotent. */
    STORE_RECEIPT,      /* Receipt row (entry.id, entry.user, device): entry.kind DELIVERED or READ
                           at wall_ms, with sender `user` and channel. Never unsets. Idempotent. */
    STORE_MEMBER,       /* entry JOINED or LEFT: group, who, from which id. Idempotent. */
    STORE_CURSOR,       /* (user, device, channel) has everything up to entry.id: hybrid groups. */
    STORE_RESERVE,      /* This machine's core may mint ids up to time `position` (ms). */
    STORE_DEVICE,       /* `device` is a device of `user`. Idempotent. */
    /* READ */
    READ_RECEIPT,  /* entries[0]: id, user = sender, channel of (entry.id, entry.user); or
                      MISSING. */
    READ_HISTORY,  /* Up to `count` entries of the channel with id < entry.id, newest first. */
    READ_MEMBER,   /* members[0] of (channel, user); or MISSING. */
    READ_MEMBERS,  /* Up to CHAT_PAGE_MAX members of entry.channel, by user id, above `user`;
                      `value`: how many there are in all. Puts them into the cache. */
    READ_DEVICES,  /* locations: `device` alone set, of `user`; MISSING where none. */
    READ_RECEIPTS, /* entries[0]: of the receipts of messages that `user` sent and that have not
                      expired, the first above (entry.id, entry.user) by message and recipient:
                      DELIVERED or READ, whatever he has told. None: count 0. */
    READ_UNACKED,  /* Up to `count` messages for `user` with id > entry.id, by id, that have not
                      expired and that `device` has not acknowledged; and those of others that it
                      did acknowledge, in the minute before its latest acknowledgement: if its
                      gateway died then, their senders may not have been told. More of those do no
                      harm. */
    /* CACHE: atomic for one user */
    CACHE_REGISTER,   /* `device` of `user` is at conn_id here, draining. locations[0]: its inbox,
                         and where it was before (gateway, conn_id; 0 if nowhere). EXISTS if one
                         with a higher number than `position` has registered. */
    CACHE_UNREGISTER, /* ... is no longer at conn_id, if that is what it says. Not answered. */
    CACHE_APPEND,     /* entry to the inbox of every device of `user` but `device` (0: none
                         excepted); locations: each of them that is online or, with `pushed`
                         unset, should be woken. MISSING if the cache knows no device
                         of the user: then again with effects->locations `count` from `first`
                         naming the devices, which makes their inboxes, fresh. */
    CACHE_REBUILD,    /* entry to the inbox of `device` alone, if not in it; locations[0]. With
                         entry.kind 0: the rebuilding is complete, no longer fresh. MISSING if the
                         generation is no more that of `position`. */
    CACHE_INBOX,      /* Up to CHAT_DRAIN_MAX entries of the inbox of `device` above `position`.
                         `value`: the last position in the inbox. MISSING while it is fresh: then
                         REGISTER says so. */
    CACHE_LIVE,       /* Nothing stands behind `position`? Then the device is live (pushes need no
                         look into the inbox): OK. Else EXISTS. MISSING while it is fresh. */
    CACHE_TRIM,       /* Delete from the inbox of `device` up to `position`. Not answered. */
    CACHE_LOCATE,     /* locations of the devices of `user` that are online. Hybrid groups. */
    CACHE_MEMBERS,    /* As READ_MEMBERS, from the cache; MISSING if it has none. */
    CACHE_MEMBER,     /* As READ_MEMBER, from the cache; MISSING if it does not know the group. */
    CACHE_FORGET,     /* The member list of the channel has changed: forget it. */
    CHAT_OPS,
};

/* 192 bytes; a field not named by its kind and op above is 0. */
struct chat_effect {
    uint8_t kind; /* enum chat_effect_kind. */
    uint8_t op;   /* enum chat_op: STORE, READ, CACHE. */
    uint16_t count;
    uint32_t first;
    uint64_t token;   /* 0: not answered. */
    uint64_t conn_id; /* SEND, DROP, ROUTE, REGISTER, UNREGISTER, LIVE. */
    uint64_t user;
    uint64_t position; /* REBUILD, INBOX, LIVE, TRIM, RESERVE. REGISTER: which connection of its
                          device. COMMIT: the record's offset. */
    uint32_t device;
    uint32_t gateway; /* ROUTE. */
    int32_t err;      /* DROP. */
    uint32_t again;   /* STORE, READ, CACHE, PUBLISH: how many times it was tried before. */
    union {
        struct chat_frame frame; /* SEND. */
        struct {
            struct chat_entry entry;
            struct chat_blob client_id; /* CLAIM. */
            uint64_t client_key;        /* CLAIM. */
        };
    };
};

/* What one step asks for. The host's memory, written by chat_step(), read before the next. */
struct chat_effects {
    uint32_t count;
    uint32_t member_count;
    uint32_t location_count;
    struct chat_effect list[CHAT_EFFECTS_MAX];
    struct chat_member members[CHAT_PAGE_MAX];
    struct chat_location locations[CHAT_DEVICES_MAX];
};

enum chat_receipts { RECEIPTS_MESSAGE, RECEIPTS_WATERMARK };

#define CHAT_SESSION_BYTES 64u

struct chat_config {
    uint32_t sessions_max;
    uint32_t sessions_step;     /* Session i is at sessions + i * step * CHAT_SESSION_BYTES. */
    uint32_t flights_max;       /* Operations under way: sends, receipts, fan-outs, drains. */
    uint32_t unacked_max;       /* Messages sent to devices and not yet acknowledged. */
    uint32_t records_max;       /* Records taken from the log and not yet committed. */
    uint32_t session_sends_max; /* Messages of one connection under way: <= CHAT_SENDS_MAX. */
    enum chat_receipts receipts;
    uint32_t reserve_ms; /* How far ahead STORE_RESERVE asks; 0: the host does without. */
    uint32_t pages_max;  /* Member lists being worked through. */

    uint32_t gateway;           /* This core's own name in locations; what ROUTE is addressed to. */
    uint32_t machine;           /* Snowflake machine id, 0 to 1023: never shared. */
    uint32_t sequence_first;    /* The workers of a machine split its 4096 ids a millisecond: */
    uint32_t sequence_count;    /* this one has so many from there. */
    uint64_t reserved_until_ms; /* Ids up to this time may have been minted before. 0: none. */
    uint32_t devices_max;       /* Of one user. 1: a message is never shown on others of its sender,
                                   which spares asking the cache for them. */
    uint32_t hybrid_threshold;  /* Members above which a group is delivered to those online only. */
    uint32_t send_tries_max; /* Then the device is told UNAVAILABLE. Other work never gives up. */
    uint64_t hold_ns;        /* Long poll: how long a request may wait. */
    uint64_t check_ns;   /* ... and how often its inbox is looked at meanwhile, by a naive server,
                            where no ROUTE wakes it. 0: it is woken. */
    uint64_t confirm_ns; /* Between looks at a session: a receipt not confirmed is asked after by
                            PING, and one that was quiet has its inbox checked. */
    uint64_t window_ns;  /* RECEIPTS_WATERMARK: how long a mark that has moved waits for others to
                            be stored and announced with it. */
    uint64_t gap_ns;     /* How long a hole in the positions may wait for its ROUTE. */
    uint64_t retry_first_ns; /* Doubles at each try ... */
    uint64_t retry_max_ns;   /* ... up to this. */
    /* Where sessions lie: aligned to 64, all zero; NULL: in the core's own memory, with a step
     * of 1. Cores whose sessions lie in turn fill few pages with those in use, however many there
     * is room for. */
    void *sessions;
};

/* Sensible values for a gateway of `sessions_max` connections that also fans out. */
struct chat_config chat_config_default(uint32_t sessions_max);

/* Bytes that a core of this configuration needs; it allocates nothing later. */
size_t chat_size(const struct chat_config *config);
/* `memory`: chat_size() bytes, aligned to 64, all zero. Returns the core, which lives in them. */
struct chat *chat_init(void *memory, const struct chat_config *config);

/* Never fails: what goes wrong is an effect (an ERROR frame, a DROP) or a bug (CHECK). Returns
 * true when there is more to ask for than fits: see rule 5. */
bool chat_step(struct chat *chat, const struct chat_event *event, struct chat_effects *effects);

/* Which slots a step will touch, as far as that is known; UINT32_MAX: none, or not yet known. */
struct chat_touch {
    uint32_t session; /* As in the low half of a conn_id. */
    uint32_t token;   /* As in the low half of the token of an answer, or of the next call. */
};

/* Asks the processor for what chat_step() will touch, of an event with this conn_id and token (0:
 * it has none). Step 0: what every step does. Then, with that at hand, step 1: what the event
 * names, and step 2: what that names. Changes nothing. */
struct chat_touch chat_prefetch(const struct chat *chat, uint64_t conn_id, uint64_t token,
                                uint32_t step);

/* The connection in that slot: opened, and neither closed nor dropped since; 0: none. */
uint64_t chat_connection(const struct chat *chat, uint32_t slot);

/* When CHAT_EV_TIMER is next wanted, in now_ns; CHAT_NEVER for never. */
uint64_t chat_due(const struct chat *chat);

/* How many records may be delivered before the next COMMIT: the log's back-pressure. */
uint32_t chat_room(const struct chat *chat);

/* What is under way, for hosts that report it. */
struct chat_counts {
    uint32_t sessions;
    uint32_t flights;
    uint32_t unacked;
    uint64_t refused; /* Frames and connections answered BUSY or FULL since init. */
};
struct chat_counts chat_counts(const struct chat *chat);

static inline bool chat_is_group(struct chat_channel channel)
{
    return channel.second == 0;
}

static inline struct chat_channel chat_pair(uint64_t a, uint64_t b)
{
    return a < b ? (struct chat_channel){a, b} : (struct chat_channel){b, a};
}

#endif
