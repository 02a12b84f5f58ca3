#include "scenarios/run_interrupt.h"

#include <signal.h>
#include <stddef.h>

static const int watched[] = {SIGINT, SIGTERM};
enum { WATCHED_COUNT = sizeof watched / sizeof *watched };

static void note(int number)
{
    (void)number; /* That it was called is all: see the header. */
}

static bool is_default(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && (action.sa_flags & SA_SIGINFO) == 0 &&
           action.sa_handler == SIG_DFL;
}

void run_interrupt_watch(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < WATCHED_COUNT; i++) {
        if (is_default(watched[i])) {
            sigaction(watched[i], &action, NULL);
        }
    }
}

bool run_interrupted(void)
{
    bool interrupted = false;
    for (int i = 0; i < WATCHED_COUNT; i++) {
        interrupted = interrupted || is_default(watched[i]);
    }
    return interrupted;
}

void run_interrupt_end(void)
{
    struct sigaction action;
    for (int i = 0; i < WATCHED_COUNT; i++) {
        if (sigaction(watched[i], NULL, &action) == 0 && (action.sa_flags & SA_SIGINFO) == 0 &&
            action.sa_handler == note) {
            signal(watched[i], SIG_DFL);
        }
    }
}
