/* Where results go: a directory that is ours alone, and files that are whole or not there.
 *
 *     run_out_open() --> run_out_write()* --> run_out_close()
 *
 * A directory that holds anything is refused, so that no result is ever mixed with another or
 * lost. Missing ones are made, and those that stayed empty are removed again by run_out_close(). A
 * file is written beside its place, flushed to the disk and renamed. */
#ifndef SCENARIOS_RUN_OUT_H
#define SCENARIOS_RUN_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define RUN_OUT_PATH_SIZE 4096

/* Written only through the functions below. */
struct run_out {
    char path[RUN_OUT_PATH_SIZE];
    size_t existed; /* So much of the path was there before. */
};

/* Returns -1 to go on, or the exit status with the reason said on stderr: COMMAND_INPUT where
 * `path` is filled or no directory, COMMAND_OTHER where nothing can be written there. */
int run_out_open(struct run_out *out, const char *path);

typedef bool run_out_writer(FILE *stream, const void *context);

/* Writes `folder`/result.json below the directory; `folder` may be "" or several ("a/b"). `write`
 * gets the stream and `context` and says whether all went well, errno why not. false: said on
 * stderr, and nothing is left of the file. */
bool run_out_write(const struct run_out *out, const char *folder, run_out_writer *write,
                   const void *context);

/* One of several files that are there together or not at all. */
struct run_out_file {
    const char *name; /* In the directory itself. */
    run_out_writer *write;
    const void *context;
};

/* Writes all of them; only then do they get their names, the last at last. false: said on stderr,
 * unless `write` set errno to 0, having said it itself; nothing is left of any. */
bool run_out_write_all(const struct run_out *out, const struct run_out_file *files, size_t count);

void run_out_close(struct run_out *out);

#endif
