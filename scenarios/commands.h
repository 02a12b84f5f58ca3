/* The commands that live in this room. Each takes what follows `chatscale`, itself as argv[0], and
 * returns the exit status: 0, 2 for bad input or usage, 1 for anything else. */
#ifndef SCENARIOS_COMMANDS_H
#define SCENARIOS_COMMANDS_H

/* check SCENARIO... [--set FIELD=VALUE]... [--print] [--quiet]: validates, runs nothing. */
int command_check(int argc, char **argv);

/* schema [--reference] [--write]: prints the JSON Schema of scenarios. */
int command_schema(int argc, char **argv);

#endif
