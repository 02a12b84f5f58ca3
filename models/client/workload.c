#include "models/client/workload.h"

#include "models/client/law.h"
#include "models/core/check.h"

#include <math.h>
#include <string.h>

#define CONTACTS 64u
#define GROUP_TRIES 64u /* To find a group that one is in. */
#define ZIPF_OFFSET (1.0 / 20)
#define OLD_BITS 22u
#define OLD_AGE_MS 60000u
#define EPOCH_MS 1700000000000u

/* The density of rank x, of 0 to 1, is (x + offset)^-s; its integral is a power, or a logarithm
 * where s is 1, from `low` over `span`. */
static void zipf_init(struct workload *workload, double s)
{
    if (s <= 0) {
        return;
    }
    double power = 1 - s;
    if (power == 0) {
        workload->zipf_span = log((1 + ZIPF_OFFSET) / ZIPF_OFFSET);
        return;
    }
    workload->zipf_power = power;
    workload->zipf_low = pow(ZIPF_OFFSET, power);
    workload->zipf_span = pow(1 + ZIPF_OFFSET, power) - workload->zipf_low;
}

void workload_init(struct workload *workload, const struct plan *plan, uint64_t near,
                   double far_share)
{
    const struct plan_population *population = &plan->population;
    memset(workload, 0, sizeof *workload);
    workload->near = near;
    workload->users = population->users;
    workload->groups = population->groups;
    workload->group_share = population->group_share;
    workload->read_share = population->read_share;
    workload->strict = plan->run.contents;
    workload->far_share = population->users > near ? far_share : 0;
    zipf_init(workload, population->zipf_s);
    workload->messages = rng_stream(plan->run.seed, "messages");
    workload->sizes = rng_stream(plan->run.seed, "sizes");
    workload->contacts = rng_stream(plan->run.seed, "contacts");
    workload->members = rng_stream(plan->run.seed, "members");
    law_init(&workload->record_size, &population->record_size, 1);
    struct plan_law group = {
        .kind = population->group_size_sigma > 0 ? PLAN_LAW_LOGNORMAL : PLAN_LAW_CONSTANT,
        .mean = population->group_size_mean,
        .sigma = population->group_size_sigma,
        .max = (double)population->group_size_max,
    };
    plan_law_complete(&group, true);
    law_init(&workload->group_size, &group, 1);
}

uint64_t workload_active(const struct workload *workload, uint64_t bits, uint64_t count)
{
    if (workload->zipf_span == 0) {
        return rng_below(bits, count);
    }
    double at = workload->zipf_low + rng_unit(bits) * workload->zipf_span;
    double rank = workload->zipf_power == 0 ? ZIPF_OFFSET * (exp(at) - 1)
                                            : pow(at, 1 / workload->zipf_power) - ZIPF_OFFSET;
    rank = rank > 0 ? rank : 0;
    uint64_t index = (uint64_t)(rank * (double)count);
    return index < count ? index : count - 1;
}

static uint64_t pick_user(const struct workload *workload, uint64_t bits, uint64_t where)
{
    if (workload->far_share > 0 && rng_chance(bits, workload->far_share)) {
        return workload->near + 1 + rng_below(where, workload->users - workload->near);
    }
    return 1 + rng_below(where, workload->near);
}

uint64_t workload_contact(const struct workload *workload, uint64_t user, uint32_t k)
{
    struct rng_bits bits = rng_draw(&workload->contacts, user, k);
    uint64_t contact = pick_user(workload, bits.word[0], bits.word[1]);
    return contact != user ? contact : contact == 1 ? 2 : contact - 1;
}

uint64_t workload_pick_group(const struct workload *workload, uint64_t user, uint64_t bits)
{
    if (!workload->strict) {
        return 1 + rng_below(bits, workload->groups);
    }
    for (uint32_t i = 0; i < GROUP_TRIES; i++) {
        struct rng_bits again = rng_draw(&workload->members, bits, UINT64_MAX - i);
        uint64_t group = 1 + rng_below(again.word[0], workload->groups);
        if (workload_is_member(workload, group, user)) {
            return group;
        }
    }
    return 0;
}

struct workload_message workload_message(const struct workload *workload, uint64_t user,
                                         uint32_t seq)
{
    struct rng_bits bits = rng_draw(&workload->messages, user, seq);
    struct workload_message message = {.channel = {0, 0}};
    if (workload->trace_starts != NULL) {
        uint64_t recipient = workload->trace_recipients[workload->trace_starts[user - 1] + seq - 1];
        message.channel = chat_pair(user, recipient + 1);
    } else if (workload->group_share > 0 && rng_chance(bits.word[0], workload->group_share)) {
        message.channel.first = workload_pick_group(workload, user, bits.word[1]);
    }
    if (message.channel.first == 0) {
        /* Few of one's contacts get most of what one writes: rank by the square of a uniform. */
        double unit = rng_unit(bits.word[1]);
        uint32_t k = (uint32_t)(unit * unit * CONTACTS);
        message.channel = chat_pair(user, workload_contact(workload, user, k));
    }
    double size = dist_value(&workload->record_size, rng_draw(&workload->sizes, user, seq).word[0]);
    message.size_bytes = size < 1 ? 1 : size > 60000 ? 60000 : (uint32_t)size;
    return message;
}

struct chat_channel workload_channel(const struct workload *workload, uint64_t user, uint32_t bits)
{
    if (workload->trace_starts == NULL) {
        return workload_message(workload, user, bits).channel;
    }
    return chat_pair(user, workload_contact(workload, user, bits % CONTACTS));
}

bool workload_is_member(const struct workload *workload, uint64_t group, uint64_t user)
{
    struct chat_member member;
    return workload_members(workload, group, user - 1, &member, 1) == 1 && member.user == user;
}

uint32_t workload_group_size(const struct workload *workload, uint64_t group)
{
    double size = dist_value(&workload->group_size, rng_draw(&workload->members, group, 0).word[0]);
    return size < 2 ? 2 : (uint32_t)(size + 0.5);
}

/* Member i of n over ids [first, first + span): one in each n-th part of the span. */
static uint64_t stratum(const struct workload *workload, uint64_t group, uint64_t i, uint64_t n,
                        uint64_t first, uint64_t span)
{
    uint64_t low = (uint64_t)((unsigned __int128)span * i / n);
    uint64_t high = (uint64_t)((unsigned __int128)span * (i + 1) / n);
    uint64_t bits = rng_draw(&workload->members, group, i + 1).word[0];
    return first + low + rng_below(bits, high > low ? high - low : 1);
}

uint32_t workload_members(const struct workload *workload, uint64_t group, uint64_t above,
                          struct chat_member *members, uint32_t count_max)
{
    uint64_t size = workload_group_size(workload, group);
    uint64_t far = (uint64_t)((double)size * workload->far_share + 0.5);
    uint64_t near = size - far < workload->near ? size - far : workload->near;
    uint64_t start = 0;
    /* The stratum that `above` lies in, and the ones before it, have been given. */
    if (above > workload->near) {
        uint64_t span = workload->users - workload->near;
        start = near + (uint64_t)((unsigned __int128)(above - workload->near - 1) * far / span);
    } else if (above > 0) {
        start = (uint64_t)((unsigned __int128)(above - 1) * near / workload->near);
    }
    uint32_t count = 0;
    for (uint64_t i = start; i < near + far && count < count_max; i++) {
        uint64_t user = i < near ? stratum(workload, group, i, near, 1, workload->near)
                                 : stratum(workload, group, i - near, far, workload->near + 1,
                                           workload->users - workload->near);
        if (user > above) {
            members[count++] = (struct chat_member){user, 0, CHAT_NEVER};
        }
    }
    return count;
}

uint64_t workload_old_id(uint64_t wall_ms, uint64_t age_ms, uint64_t bits)
{
    uint64_t ms = wall_ms - EPOCH_MS;
    age_ms = age_ms < ms ? age_ms : ms;
    return (ms - age_ms) << OLD_BITS | (bits >> (64 - OLD_BITS));
}

uint64_t workload_old_sender(const struct workload *workload, uint64_t user, uint64_t id)
{
    uint32_t k = (uint32_t)(id & ((1u << OLD_BITS) - 1)) % CONTACTS;
    return workload_contact(workload, user, k);
}

double workload_entries(const struct workload *workload)
{
    return 2 + workload->read_share; /* The message; and, for one sent, DELIVERED and READ. */
}

void workload_old_entry(const struct workload *workload, uint64_t user, uint64_t wall_ms,
                        struct chat_entry *entry)
{
    struct rng_bits bits = rng_draw(&workload->contacts, user, entry->position);
    double draw = rng_unit(bits.word[0]) * workload_entries(workload);
    uint64_t id = workload_old_id(wall_ms, OLD_AGE_MS, bits.word[1]);
    uint64_t other = workload_old_sender(workload, user, id);
    *entry = (struct chat_entry){
        .id = id,
        .user = other,
        .channel = chat_pair(user, other),
        .position = entry->position,
        .kind = draw < 1   ? ENTRY_MESSAGE
                : draw < 2 ? ENTRY_DELIVERED
                           : ENTRY_READ,
        .alone = 1,
    };
    if (entry->kind == ENTRY_MESSAGE) {
        entry->text = (struct chat_blob){1, (uint32_t)workload->record_size.mean};
    }
}

void workload_old_row(const struct workload *workload, uint64_t first, uint64_t second,
                      uint64_t wall_ms, uint32_t n, struct chat_entry *entry)
{
    struct rng_bits bits = rng_draw(&workload->contacts, first ^ second << 32, n);
    bool group = second == 0;
    uint64_t member = 1 + rng_below(bits.word[0], workload->near);
    *entry = (struct chat_entry){
        .id = workload_old_id(wall_ms, (n + 1) * OLD_AGE_MS, bits.word[1]),
        .user = group                     ? member
                : (bits.word[0] & 1) != 0 ? first
                                          : second,
        .channel = {first, second},
        .text = {1, (uint32_t)workload->record_size.mean},
        .kind = ENTRY_MESSAGE,
    };
}
