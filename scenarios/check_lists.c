/* What a scenario lists must refer to what there is. */
#include <stdarg.h>
#include <string.h>

#include "models/core/check.h"
#include "scenarios/check.h"
#include "scenarios/judged.h"

static void report(const struct builder *b, const char *path, uint32_t element, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

/* Adds an error at the field `path` of a list's element; where that was not set, at the element. */
static void report(const struct builder *b, const char *path, uint32_t element, const char *format,
                   ...)
{
    char text[PROBLEM_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char buffer[PROBLEM_PATH_SIZE];
    struct place place = builder_place(b, path, element, buffer);
    if (!builder_is_set(b, path, element)) {
        const struct origin *origin = &b->elements[table_find(path)->array][element];
        place.file = origin->file;
        place.line = origin->line;
        place.column = origin->column;
    }
    problems_add(b->problems, PROBLEM_ERROR, &place, "%s", text);
}

/* Fields of elements that have no default must have been given. */
static void check_required(const struct builder *b, enum table_array array, uint32_t count)
{
    uint32_t rows = table_count();
    for (uint32_t i = 0; i < rows; i++) {
        const struct table_row *row = table_row(i);
        for (uint32_t e = 0; row->array == array && row->initial == NULL && e < count; e++) {
            if (!builder_is_set(b, row->path, e)) {
                report(b, row->path, e, "must be given; %s", row->about);
            }
        }
    }
}

/* The tier's name and size, where the fault names a node or some nodes. */
static void check_target(const struct builder *b, uint32_t e)
{
    const struct plan_fault *fault = &b->plan->faults[e];
    uint32_t nodes = plan_tier_nodes(b->plan, fault->tier);
    const char *tier = plan_tier_name(fault->tier);
    if (fault->zone != PLAN_ANY && fault->zone >= b->plan->network.zones) {
        report(b, "faults[].zone", e, "there are %u zones, counted from 0; no zone %u",
               b->plan->network.zones, fault->zone);
        return;
    }
    if (fault->tier == PLAN_TIER_ALL || fault->tier == PLAN_TIER_CLIENT) {
        if (fault->index != PLAN_ANY) {
            report(b, "faults[].index", e, "tier %s has no single nodes to name", tier);
        }
        return;
    }
    if (fault->index != PLAN_ANY) {
        if (fault->index >= nodes) {
            report(b, "faults[].index", e, "there are %u %s nodes, counted from 0; no node %u",
                   nodes, tier, fault->index);
        } else if (fault->zone != PLAN_ANY && plan_zone_of(b->plan, fault->index) != fault->zone) {
            report(b, "faults[].index", e, "%s %u stands in zone %u, not %u", tier, fault->index,
                   plan_zone_of(b->plan, fault->index), fault->zone);
        }
    } else if (fault->count > nodes) {
        report(b, "faults[].count", e, "%u %s nodes, and there are %u", fault->count, tier, nodes);
    }
}

static void check_fault(const struct builder *b, uint32_t e)
{
    const struct plan_fault *fault = &b->plan->faults[e];
    bool zone_given = fault->zone != PLAN_ANY;
    if (fault->at_ns >= b->plan->run.duration_ns) {
        report(b, "faults[].at", e, "begins when the measured time (run.duration) is over");
    }
    switch (fault->kind) {
    case PLAN_FAULT_ZONE:
        if (!zone_given) {
            report(b, "faults[].zone", e, "which zone? Give its number, from 0");
        }
        if (fault->tier != PLAN_TIER_ALL) {
            report(b, "faults[].tier", e,
                   "a zone falls with all tiers; leave tier out, or use kill with a zone");
        }
        break;
    case PLAN_FAULT_SKEW:
        if (fault->skew_ns == 0) {
            report(b, "faults[].skew", e, "by how much? Give a skew, like \"-2 s\"");
        }
        break;
    case PLAN_FAULT_LOSS:
        if (fault->loss <= 0.0) {
            report(b, "faults[].loss", e, "a loss of nothing; give a share, like \"20%%\"");
        }
        break;
    case PLAN_FAULT_KILL:
    case PLAN_FAULT_SLOW:
    case PLAN_FAULT_PAUSE:
    case PLAN_FAULT_PARTITION:
        break;
    }
    bool net = fault->kind == PLAN_FAULT_PARTITION || fault->kind == PLAN_FAULT_LOSS;
    bool zone_wide = fault->kind == PLAN_FAULT_ZONE || (net && zone_given);
    if (fault->tier == PLAN_TIER_ALL && !zone_wide) {
        report(b, "faults[].tier", e, "which tier? gateway, fanout, kafka, cassandra, redis, push");
    }
    if (fault->tier == PLAN_TIER_CLIENT && !net) {
        report(b, "faults[].tier", e, "clients know loss and partition only");
    }
    check_target(b, e);
}

static void check_random_fault(const struct builder *b, uint32_t e)
{
    const struct plan_random_fault *fault = &b->plan->random_faults[e];
    if (fault->kind == PLAN_FAULT_ZONE || fault->kind == PLAN_FAULT_SKEW) {
        report(b, "random_faults[].kind", e, "kill, slow, pause, partition or loss only");
    }
    if (fault->tier == PLAN_TIER_ALL || fault->tier == PLAN_TIER_CLIENT) {
        report(b, "random_faults[].tier", e, "gateway, fanout, kafka, cassandra, redis or push");
    }
}

static void check_claims(const struct builder *b)
{
    const struct plan *p = b->plan;
    for (uint32_t i = 0; i < p->claim_count; i++) {
        const char *id = p->claims[i].id;
        if (strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(id)) {
            report(b, "claims[].id", i, "an id has small letters, digits and _ only");
        }
        for (uint32_t j = 0; j < i; j++) {
            if (id[0] != '\0' && strcmp(id, p->claims[j].id) == 0) {
                report(b, "claims[].id", i, "claimed already, by element %u; remove one", j);
                break;
            }
        }
    }
}

void check_lists(const struct builder *builder)
{
    const struct plan *p = builder->plan;
    CHECK(p->fault_count <= PLAN_FAULTS_MAX);
    CHECK(p->random_fault_count <= PLAN_RANDOM_FAULTS_MAX);
    check_required(builder, ARRAY_FAULTS, p->fault_count);
    check_required(builder, ARRAY_RANDOM_FAULTS, p->random_fault_count);
    check_required(builder, ARRAY_CLAIMS, p->claim_count);
    for (uint32_t i = 0; i < p->fault_count; i++) {
        if (builder_is_valid(builder, "faults[].kind", i)) {
            check_fault(builder, i);
        }
    }
    for (uint32_t i = 0; i < p->random_fault_count; i++) {
        if (builder_is_valid(builder, "random_faults[].tier", i)) {
            check_random_fault(builder, i);
        }
    }
    check_claims(builder);
    judged_resolve(builder);
}
