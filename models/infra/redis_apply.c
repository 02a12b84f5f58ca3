#include "models/infra/redis_marks.h"

/* -- Answers ------------------------------------------------------------------------------------
 */

/* Rows are one packet: as its first row was sent, so are the others. */
struct packet {
    struct sim_event event;
    uint32_t bytes;
    bool sent;
};

static struct packet packet_for(const struct redis_job *job, uint32_t rows)
{
    enum chat_op op = (enum chat_op)(job->call.op & 0xfff);
    return (struct packet){
        .event = {.kind = EV_REPLY, .flags = job->flags & 0xff},
        .bytes = reply_bytes(job->redis->peer.world, op, rows == 0 ? 1 : rows),
    };
}

static void packet_add(const struct redis_job *job, struct packet *packet,
                       const struct reply *reply)
{
    EVENT_WRITE(&packet->event, reply);
    if (packet->sent) {
        sim_send(job->context, &packet->event);
        return;
    }
    packet->sent = true;
    net_send(job->context, &job->redis->peer, job->call.source, job->service.finish_ns,
             packet->bytes, &packet->event);
}

static void answer_plain_rows(const struct redis_job *job, int32_t err, uint64_t value,
                              uint32_t rows, uint64_t first)
{
    struct packet packet = packet_for(job, rows);
    const struct reply reply = {
        .token = job->call.token,
        .plain = {.value = value, .first = first},
        .err = (int8_t)err,
        .row = ROW_NONE,
        .value_low = (uint16_t)rows,
    };
    packet_add(job, &packet, &reply);
}

void redis_answer_plain(const struct redis_job *job, int32_t err, uint64_t value, uint32_t rows)
{
    answer_plain_rows(job, err, value, rows, 0);
}

static void answer_locations(const struct redis_job *job, const struct inbox_reply *answer)
{
    struct packet packet = packet_for(job, answer->location_count);
    struct reply reply = {
        .token = job->call.token,
        .err = (int8_t)answer->err,
        .row = ROW_LOCATION,
        .total = (uint16_t)answer->location_count,
        .value_low = (uint16_t)answer->value,
    };
    for (uint32_t i = 0; i < answer->location_count; i++) {
        const struct chat_location *location = &answer->locations[i];
        reply.location.conn_id = location->conn_id;
        reply.location.position = location->position;
        reply.location.trimmed = location->trimmed;
        reply.location.user = (uint32_t)location->user;
        reply.location.gateway = (uint16_t)location->gateway;
        reply.location.device = (uint8_t)location->device;
        reply.location.flags = (uint8_t)((location->fresh ? 1 : 0) | (location->pushed ? 2 : 0));
        packet_add(job, &packet, &reply);
        reply.index++;
    }
}

/* The entries, then where the inbox ends. */
static void answer_entries(const struct redis_job *job, const struct inbox_reply *answer)
{
    struct packet packet = packet_for(job, answer->entry_count);
    struct reply reply = {
        .token = job->call.token,
        .row = ROW_ENTRY,
        .total = (uint16_t)(answer->entry_count + 1),
    };
    for (uint32_t i = 0; i < answer->entry_count; i++) {
        const struct chat_entry *entry = &answer->entries[i];
        entry_pack(entry, &reply.entry);
        reply.entry.more = (uint32_t)entry->position;
        reply.value_low = (uint16_t)(entry->position >> INBOX_POSITION_BITS);
        packet_add(job, &packet, &reply);
        reply.index++;
    }
    memset(&reply.entry, 0, sizeof reply.entry);
    reply.row = ROW_NONE;
    reply.plain.value = answer->value;
    reply.value_low = (uint16_t)answer->entry_count;
    packet_add(job, &packet, &reply);
}

static void answer_members(const struct redis_job *job, const struct inbox_reply *answer)
{
    struct packet packet = packet_for(job, answer->member_count);
    struct reply reply = {
        .token = job->call.token,
        .row = ROW_MEMBER,
        .total = (uint16_t)answer->member_count,
        .value_low = (uint16_t)answer->value,
    };
    for (uint32_t i = 0; i < answer->member_count; i++) {
        reply.member.user = answer->members[i].user;
        reply.member.joined = answer->members[i].joined;
        reply.member.left = answer->members[i].left;
        packet_add(job, &packet, &reply);
        reply.index++;
    }
}

/* The bytes of an answer cost CPU too, where they are many. False: the shard dies writing it; the
 * operation has happened all the same. */
static bool write_out(struct redis_job *job, uint32_t rows)
{
    const struct world *world = job->redis->peer.world;
    uint64_t bytes = reply_bytes(world, (enum chat_op)(job->call.op & 0xfff), rows) -
                     world->plan->network.framing_inside_bytes;
    struct redis_service service;
    if (!redis_serve(job->redis, job->service.finish_ns,
                     bytes * world->plan->redis.cpu_byte_ps / 1000, &service)) {
        return false;
    }
    job->service.finish_ns = service.finish_ns;
    return true;
}

/* -- Operations ---------------------------------------------------------------------------------
 */

static void effect_of(const struct redis_job *job, struct chat_effect *effect)
{
    const struct call *call = &job->call;
    memset(effect, 0, sizeof *effect);
    effect->kind = CHAT_FX_CACHE;
    effect->op = (uint8_t)(call->op & 0xfff);
    effect->token = call->token;
    effect->user = call->key.user;
    effect->device = job->flags >> 8;
    switch (effect->op) {
    case CACHE_REGISTER:
    case CACHE_UNREGISTER:
    case CACHE_LIVE:
    case CACHE_INBOX:
    case CACHE_TRIM:
        effect->conn_id = call->key.conn_id;
        effect->position = call->key.position;
        effect->gateway = call->key.channel;
        break;
    case CACHE_REBUILD:
        effect->position = (uint64_t)call->argument << INBOX_POSITION_BITS;
        entry_unpack(&call->entry, &effect->entry);
        break;
    default:
        entry_unpack(&call->entry, &effect->entry);
        break;
    }
}

/* APPEND that names devices: call.argument has a bit for each. */
static void apply_named(const struct redis_job *job, struct chat_effect *effect, uint64_t now_ms,
                        struct inbox_reply *answer)
{
    struct chat_effects named; /* 25 KB, of which some locations are used. */
    named.location_count = 0;
    for (uint32_t device = 1; device < 16; device++) {
        bool is_named = (job->call.argument >> device & 1) != 0;
        if (is_named && named.location_count < CHAT_DEVICES_MAX) {
            named.locations[named.location_count++] = (struct chat_location){.device = device};
        }
    }
    effect->first = 0;
    effect->count = (uint16_t)named.location_count;
    inbox_apply(job->redis->inbox, 0, effect, &named, now_ms, answer);
}

static void op_any(struct redis_job *job)
{
    struct redis *redis = job->redis;
    struct chat_effect effect;
    struct inbox_reply answer; /* 15 KB, never cleared. */
    effect_of(job, &effect);
    uint64_t now_ms = redis_wall_ms(redis, job->service.start_ns);
    if (effect.op == CACHE_APPEND && job->call.argument != 0) {
        apply_named(job, &effect, now_ms, &answer);
    } else {
        inbox_apply(redis->inbox, effect.gateway, &effect, NULL, now_ms, &answer);
    }
    if (effect.op == CACHE_MEMBERS && answer.err == CHAT_ERR_MISSING) {
        answer.value = inbox_members_version(redis->inbox, effect.entry.channel);
    }
    if ((job->call.op & 0x8000) != 0) {
        return;
    }
    uint32_t rows = answer.entry_count + answer.member_count;
    if (rows > 0 && !write_out(job, rows)) {
        return;
    }
    bool rowed = redis->view.slots == NULL || redis->view.mark_bits > 0;
    if (effect.op == CACHE_INBOX && rowed && answer.err == CHAT_OK) {
        if (redis->view.mark_bits > 0) {
            redis_marks_read(redis, job->call.key.user, effect.device, &answer);
        }
        answer_entries(job, &answer);
    } else if (answer.member_count > 0) {
        answer_members(job, &answer);
    } else if (answer.location_count > 0) {
        answer_locations(job, &answer);
    } else {
        answer_plain_rows(job, answer.err, answer.value, answer.entry_count,
                          answer.entry_count > 0 ? answer.entries[0].position : 0);
    }
}

/* Counted mode: nobody's inbox, but a device that is offline. */
static void op_far(const struct redis_job *job)
{
    if ((job->call.op & 0x8000) != 0) {
        return;
    }
    uint32_t op = job->call.op & 0xfff;
    if (op != CACHE_APPEND) {
        redis_answer_plain(job, op == CACHE_LOCATE ? CHAT_OK : CHAT_ERR_MISSING, 0, 0);
        return;
    }
    struct packet packet = packet_for(job, 1);
    const struct reply reply = {
        .token = job->call.token,
        .location = {.position = (uint64_t)1 << INBOX_POSITION_BITS | 1,
                     .trimmed = (uint64_t)1 << INBOX_POSITION_BITS,
                     .user = job->call.key.user,
                     .device = 1},
        .row = ROW_LOCATION,
        .total = 1,
    };
    packet_add(job, &packet, &reply);
}

/* Counted mode: is the list cached, as it would be at a look-up? */
static void op_members(struct redis_job *job)
{
    struct redis *redis = job->redis;
    uint32_t op = job->call.op & 0xfff;
    if ((job->call.op & 0x8000) != 0) {
        return;
    }
    struct rng_bits bits = rng_draw(&redis->members, job->call.entry.first, job->call.token);
    if (!rng_chance(bits.word[0], redis->members_cached)) {
        redis_answer_plain(job, CHAT_ERR_MISSING, 0, 0);
        return;
    }
    double mean = redis->peer.world->plan->population.group_size_mean;
    uint32_t rows = op == CACHE_MEMBER ? 1 : mean < CHAT_PAGE_MAX ? (uint32_t)mean : CHAT_PAGE_MAX;
    if (write_out(job, rows)) {
        redis_answer_plain(job, CHAT_OK, 0, rows);
    }
}

/* Counted mode: what most calls are, device by device. */
static void located_send(const struct redis_job *job, struct packet *packet, struct reply *reply,
                         const struct inbox_located *located, uint32_t device)
{
    reply->location.conn_id = located->conn_id;
    reply->location.position = located->position;
    reply->location.trimmed = located->trimmed;
    reply->location.user = job->call.key.user;
    reply->location.gateway = located->gateway;
    reply->location.device = (uint8_t)device;
    reply->location.flags = (uint8_t)((located->fresh ? 1 : 0) | (located->pushed ? 2 : 0));
    packet_add(job, packet, reply);
    reply->index++;
}

/* APPEND and LOCATE. False: one for inbox_apply(), as no device is known; nothing has happened. */
static bool op_locating(const struct redis_job *job, struct slot *slots)
{
    struct redis *redis = job->redis;
    struct inbox_located located[CHAT_DEVICES_MAX];
    uint8_t devices[CHAT_DEVICES_MAX];
    uint32_t known = 0;
    uint32_t rows = 0;
    bool append = (job->call.op & 0xfff) == CACHE_APPEND;
    uint64_t now_ms = redis_wall_ms(redis, job->service.start_ns);
    for (uint32_t i = 0; i < redis->view.devices; i++) {
        if (!inbox_counted_known(&slots[i])) {
            continue;
        }
        known++;
        if (append && i + 1 == (uint32_t)job->flags >> 8) {
            continue; /* The sender's own. */
        }
        devices[rows] = (uint8_t)(i + 1);
        rows += append ? inbox_counted_append(redis->inbox, &slots[i], now_ms, &located[rows])
                       : inbox_counted_locate(redis->inbox, &slots[i], now_ms, &located[rows]);
        if (append && redis->view.mark_bits > 0) {
            redis_mark_last(redis, &slots[i], &job->call.entry);
        }
    }
    if (known == 0) {
        return false;
    }
    if ((job->call.op & 0x8000) != 0) {
        return true;
    }
    if (rows == 0) {
        redis_answer_plain(job, CHAT_OK, 0, 0);
        return true;
    }
    struct packet packet = packet_for(job, rows);
    struct reply reply = {.token = job->call.token, .row = ROW_LOCATION, .total = (uint16_t)rows};
    for (uint32_t i = 0; i < rows; i++) {
        located_send(job, &packet, &reply, &located[i], devices[i]);
    }
    return true;
}

static bool op_trim(const struct redis_job *job, struct slot *slots)
{
    uint32_t device = (uint32_t)job->flags >> 8;
    if (device == 0 || device > job->redis->view.devices || (job->call.op & 0x8000) == 0 ||
        !inbox_counted_known(&slots[device - 1])) {
        return false;
    }
    inbox_counted_trim(job->redis->inbox, &slots[device - 1], job->call.key.position);
    return true;
}

/* Members come one by one; the page is taken when all are here. Two that come at once are none. */
static void op_offer(const struct redis_job *job)
{
    struct redis_offer *offer = job->redis->offer;
    const struct call *call = &job->call;
    const struct call *first = &offer->first;
    bool another = offer->got == 0 || call->token != first->token ||
                   call->key.id != first->key.id || call->key.channel != first->key.channel ||
                   call->source != first->source;
    if (another) {
        offer->first = *call;
        offer->got = 0;
    }
    CHECK(call->argument < CHAT_PAGE_MAX);
    offer->members[call->argument] =
        (struct chat_member){call->key.user, call->key.conn_id, call->key.position};
    if (++offer->got == (call->key.id & 0xffff)) {
        inbox_members_offer(job->redis->inbox, (struct chat_channel){call->key.channel, 0},
                            call->token, call->key.id >> 32, call->key.id >> 16 & 0xffff,
                            offer->members, offer->got);
        offer->got = 0;
    }
}

void redis_apply(struct redis_job *job)
{
    struct redis *redis = job->redis;
    uint32_t op = job->call.op & 0xfff;
    if (op == REDIS_OFFER) {
        op_offer(job);
        return;
    }
    if (redis->view.slots == NULL) {
        op_any(job);
        return;
    }
    if (redis_op_is_listed(op)) {
        op_members(job);
        return;
    }
    if (job->call.key.user > redis->near) {
        op_far(job);
        return;
    }
    struct slot *slots = inbox_counted_slots(&redis->view, job->call.key.user);
    bool done = false;
    if (op == CACHE_TRIM) {
        done = op_trim(job, slots);
    } else if (op == CACHE_LOCATE || (op == CACHE_APPEND && job->call.argument == 0)) {
        done = op_locating(job, slots);
    }
    if (!done) {
        op_any(job);
    }
}
