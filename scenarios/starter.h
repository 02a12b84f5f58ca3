/* scenarios/starter.json, as it stands: what `chatscale init` writes. Embedded when it is built. */
#ifndef SCENARIOS_STARTER_H
#define SCENARIOS_STARTER_H

extern const char starter_json[]; /* NUL-terminated. */

#endif
