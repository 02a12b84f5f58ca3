/* CHECK: what must be true here, whatever anybody sent us.
 *
 * A failing CHECK is a bug in this program. Bad input is never CHECKed; it is refused with an error
 * code. CHECKs stay on in release builds: a capacity plan that stops is better than a wrong one.
 *
 * The twin of models/core/check.h: the engine and the core know nothing of each other, yet a file
 * may include both, so the two texts are the same.
 */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#define CHECK(cond) ((cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))

/* Says where on stderr, and aborts. check.c holds the default; a program that defines its own, to
 * add a seed and an event number, replaces it. */
_Noreturn void check_failed(const char *cond, const char *file, int line);

#endif
