/* The commands that live in this room. Each takes what follows `chatscale`, itself as argv[0], and
 * returns the exit status: 0, 2 for bad input or usage, 3 where a budget is breached or the run has
 * no data for it, 130 where Ctrl-C or SIGTERM ended it with
 * what there was so far, 1 for anything else. */
#ifndef SCENARIOS_COMMANDS_H
#define SCENARIOS_COMMANDS_H

enum { COMMAND_OTHER = 1, COMMAND_INPUT = 2, COMMAND_BUDGET = 3, COMMAND_INTERRUPTED = 130 };

/* run SCENARIO... [--out DIR] [--seed N] [--threads N] [--set FIELD=VALUE]... [--json] ...:
 * simulates them. An overloaded system is a finding, and 0; a guarantee that the judge found broken
 * is 1. */
int command_run(int argc, char **argv);

/* check SCENARIO... [--set FIELD=VALUE]... [--print] [--quiet]: validates, runs nothing. */
int command_check(int argc, char **argv);

/* runs [--db FILE] [--scenario NAME] [--since WHEN] [--metric NAME] [--limit N]: lists what runs
 * were noted, or how a metric went. */
int command_runs(int argc, char **argv);

/* compare BASE NEW [--tolerance SHARE] [--any-plan] [--all]: two results; 3 where NEW is worse. */
int command_compare(int argc, char **argv);

/* explain [NAME]...: what a parameter, a metric or a claim is. */
int command_explain(int argc, char **argv);

/* init [FILE]: writes a scenario to begin with, and the schema that it names. */
int command_init(int argc, char **argv);

/* schema [--reference] [--write]: prints the JSON Schema of scenarios. */
int command_schema(int argc, char **argv);

#endif
