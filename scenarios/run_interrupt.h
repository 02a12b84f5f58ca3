/* Ctrl-C and SIGTERM: the first asks a run to end with what it has, the second ends the program.
 *
 * No variable remembers the first: the handler does nothing and is good for one signal, after which
 * the kernel holds the default action again, and that is what run_interrupted() looks for. Signals
 * that were ignored when we came (nohup) stay so. */
#ifndef SCENARIOS_RUN_INTERRUPT_H
#define SCENARIOS_RUN_INTERRUPT_H

#include <stdbool.h>

void run_interrupt_watch(void);

/* Whether one of the two has come since. */
bool run_interrupted(void);

/* Both end the program at once, as usual. */
void run_interrupt_end(void);

#endif
