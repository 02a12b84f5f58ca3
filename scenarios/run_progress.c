#include "scenarios/run_progress.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "reports/humane.h"

#define SLICE_WALL_S 0.15
#define SLICE_GROWTH_MAX 4.0
#define SLICE_LEAST_NS 100000u
#define SLICE_MOST_NS 60000000000u
#define SHOW_EVERY_S 0.25

uint64_t run_slice_next(uint64_t slice_ns, double wall_s)
{
    double ratio = wall_s > SLICE_WALL_S / SLICE_GROWTH_MAX ? SLICE_WALL_S / wall_s //
                                                            : SLICE_GROWTH_MAX;
    double next = (double)slice_ns * ratio;
    if (next > (double)SLICE_MOST_NS) {
        return SLICE_MOST_NS;
    }
    return next < (double)SLICE_LEAST_NS ? SLICE_LEAST_NS : (uint64_t)next;
}

const char *run_progress_text(const struct run_moment *before, const struct run_moment *now,
                              char *buffer)
{
    char at[HUMANE_SIZE];
    char end[HUMANE_SIZE];
    char share[HUMANE_SIZE];
    char speed[HUMANE_SIZE];
    char left[HUMANE_SIZE];
    double wall_s = now->wall_s - before->wall_s;
    double simulated_s = (double)(now->now_ns - before->now_ns) * 1e-9;
    double events_per_s = wall_s > 0 ? (double)(now->events - before->events) / wall_s : 0;
    double pace = simulated_s > 0 ? wall_s / simulated_s : 0;
    double left_s = pace * (double)(now->end_ns - now->now_ns) * 1e-9;
    double done = now->end_ns > 0 ? (double)now->now_ns / (double)now->end_ns : 1;
    snprintf(buffer, RUN_LINE_SIZE, "%s of %s, %s, %s events/s, %.3g wall s a simulated s, %s left",
             humane_time((double)now->now_ns, at), humane_time((double)now->end_ns, end),
             humane_percent(done, share), humane_count(events_per_s, speed), pace,
             humane_time((double)(uint64_t)(left_s + 0.5) * 1e9, left));
    return buffer;
}

void run_progress_init(struct run_progress *progress, bool wanted)
{
    const char *terminal = getenv("TERM");
    bool dumb = terminal == NULL || terminal[0] == '\0' || strcmp(terminal, "dumb") == 0;
    *progress = (struct run_progress){.stream = NULL};
    if (wanted && !dumb && isatty(STDERR_FILENO)) {
        progress->stream = stderr;
    }
}

void run_progress_say(struct run_progress *progress, const char *text)
{
    if (progress->stream != NULL) {
        fprintf(progress->stream, "\r\033[K%s", text);
        fflush(progress->stream);
        progress->shown = true;
    }
}

void run_progress_show(struct run_progress *progress, const struct run_moment *now)
{
    if (progress->stream == NULL || now->wall_s - progress->last.wall_s < SHOW_EVERY_S) {
        return;
    }
    char line[RUN_LINE_SIZE];
    run_progress_say(progress, run_progress_text(&progress->last, now, line));
    progress->last = *now;
}

void run_progress_clear(struct run_progress *progress)
{
    if (progress->shown) {
        fputs("\r\033[K", progress->stream);
        fflush(progress->stream);
        progress->shown = false;
    }
    progress->last = (struct run_moment){0};
}

double run_clock_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
