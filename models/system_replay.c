#include "models/system_state.h"

#include <stdlib.h>

/* Where each of `count` keys begins, from how many there are of each. */
static void begins(uint32_t *starts, uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t here = starts[i];
        starts[i] = sum;
        sum += here;
    }
}

static void by_sender(struct system *system, uint32_t users)
{
    const struct system_options *options = &system->options;
    uint32_t *next = calloc(users, sizeof *next);
    system->trace_starts = calloc(users, sizeof *system->trace_starts);
    system->trace_recipients = calloc(options->trace_count, sizeof(uint32_t));
    CHECK(next != NULL && system->trace_starts != NULL && system->trace_recipients != NULL);
    for (uint32_t i = 0; i < options->trace_count; i++) {
        system->trace_starts[options->trace[i].sender]++;
    }
    begins(system->trace_starts, users);
    for (uint32_t i = 0; i < options->trace_count; i++) {
        uint32_t sender = options->trace[i].sender;
        system->trace_recipients[system->trace_starts[sender] + next[sender]++] =
            options->trace[i].recipient;
    }
    free(next);
    system->workload.trace_starts = system->trace_starts;
    system->workload.trace_recipients = system->trace_recipients;
}

static void by_population(struct system *system)
{
    const struct system_options *options = &system->options;
    const struct world *world = &system->world;
    uint32_t populations = world->count[CLASS_POPULATION];
    double compress = system->plan.population.trace.compress;
    uint32_t *starts = calloc(populations, sizeof *starts);
    uint32_t *next = calloc(populations, sizeof *next);
    system->trace_writes = calloc(options->trace_count, sizeof *system->trace_writes);
    CHECK(starts != NULL && next != NULL && system->trace_writes != NULL);
    for (uint32_t i = 0; i < options->trace_count; i++) {
        starts[options->trace[i].sender / world->clients_each]++;
    }
    begins(starts, populations);
    for (uint32_t i = 0; i < options->trace_count; i++) {
        const struct system_trace_message *message = &options->trace[i];
        uint32_t p = message->sender / world->clients_each;
        system->trace_writes[starts[p] + next[p]++] = (struct population_write){
            .time_ns = (uint64_t)((double)message->time_ns / compress),
            .client = message->sender,
        };
    }
    for (uint32_t p = 0; p < populations; p++) {
        population_replay(system->populations[p], system->trace_writes + starts[p], next[p]);
    }
    free(starts);
    free(next);
}

void system_replay(struct system *system)
{
    if (system->options.trace_count == 0) {
        return;
    }
    CHECK(system->options.trace_users <= system->world.near);
    by_sender(system, system->world.near);
    by_population(system);
}

void system_replay_free(struct system *system)
{
    free(system->trace_starts);
    free(system->trace_recipients);
    free(system->trace_writes);
}
