#include "models/infra/inbox_state.h"

#include <stdlib.h>

static struct group *group_find(const struct inbox *inbox, struct chat_channel channel)
{
    struct group *group;
    HASH_FIND(hh, inbox->groups, &channel, sizeof channel, group);
    return group;
}

static void group_empty(struct inbox *inbox, struct group *group)
{
    inbox->counts.members -= group->count;
    inbox->counts.groups -= group->count > 0 || group->complete;
    group->count = 0;
    group->complete = false;
}

static struct group *group_make(struct inbox *inbox, struct chat_channel channel)
{
    struct group *group = group_find(inbox, channel);
    if (group == NULL) {
        group = calloc(1, sizeof *group);
        CHECK(group != NULL);
        group->channel = channel;
        HASH_ADD(hh, inbox->groups, channel, sizeof channel, group);
    }
    return group;
}

void inbox_on_forget(struct inbox *inbox, const struct chat_effect *effect)
{
    if (inbox->config.contents) {
        struct group *group = group_make(inbox, effect->entry.channel);
        group_empty(inbox, group);
        group->version++;
    }
}

uint64_t inbox_members_version(const struct inbox *inbox, struct chat_channel channel)
{
    const struct group *group = group_find(inbox, channel);
    return (uint64_t)inbox->counts.generation << 32 | (group == NULL ? 0 : group->version);
}

void inbox_members_offer(struct inbox *inbox, struct chat_channel channel, uint64_t version,
                         uint64_t after, uint64_t total, const struct chat_member *members,
                         uint32_t count)
{
    if (!inbox->config.contents || version != inbox_members_version(inbox, channel)) {
        return;
    }
    struct group *group = group_make(inbox, channel);
    uint64_t known = group->count == 0 ? 0 : group->members[group->count - 1].user;
    if (group->complete || after != known) {
        return; /* Offered before, or out of turn. */
    }
    if (group->count + count > group->count_max) {
        group->count_max = group->count + count;
        group->members = realloc(group->members, group->count_max * sizeof *members);
        CHECK(group->members != NULL);
    }
    inbox->counts.groups += group->count == 0;
    inbox->counts.members += count;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(members[i].user > known);
        known = members[i].user;
        group->members[group->count++] = members[i];
    }
    group->complete = count < CHAT_PAGE_MAX;
    group->total = total;
}

void inbox_on_members(struct inbox *inbox, const struct chat_effect *effect,
                      struct inbox_reply *reply)
{
    const struct group *group = group_find(inbox, effect->entry.channel);
    bool one = effect->op == CACHE_MEMBER;
    uint32_t page_max = one ? 1 : CHAT_PAGE_MAX;
    reply->err = CHAT_ERR_MISSING;
    for (uint32_t i = 0; group != NULL && i < group->count; i++) {
        const struct chat_member *member = &group->members[i];
        bool wanted = one ? member->user == effect->user : member->user > effect->user;
        if (wanted && reply->member_count < page_max) {
            reply->members[reply->member_count++] = *member;
        }
    }
    if (group != NULL && (reply->member_count == page_max || (!one && group->complete))) {
        reply->err = CHAT_OK;
        reply->value = group->total;
    } else {
        reply->member_count = 0; /* The page may go on beyond what is known. */
    }
}

void inbox_groups_free(struct group **groups)
{
    struct group *group;
    struct group *next;
    HASH_ITER(hh, *groups, group, next)
    {
        HASH_DEL(*groups, group);
        free(group->members);
        free(group);
    }
}
