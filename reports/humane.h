/* Figures for people: three digits, and the unit that suits.
 *
 * Each writes into `buffer` of HUMANE_SIZE and returns it. What is no number is "-". */
#ifndef REPORTS_HUMANE_H
#define REPORTS_HUMANE_H

#define HUMANE_SIZE 24u

const char *humane_count(double value, char *buffer);   /* 950, 12.3k, 3.5M, 1.2B */
const char *humane_bytes(double value, char *buffer);   /* 950 B, 3.5 MB, 1.2 TB: of a thousand */
const char *humane_memory(double value, char *buffer);  /* 512 MiB, 6.2 GiB: of 1024 */
const char *humane_time(double ns, char *buffer);       /* 850 ns, 12.3 us, 1.2 ms, 3.4 s, 5 min */
const char *humane_percent(double share, char *buffer); /* 0.4%, 41%, 134% */

#endif
