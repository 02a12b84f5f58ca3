/* What the scenario tests share: a folder of their own, files in it, and a loaded plan. */
#ifndef TESTS_UNIT_TEST_SCENARIO_H
#define TESTS_UNIT_TEST_SCENARIO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "scenarios/load.h"

/* One for each test: cmocka hands it on as *state. */
struct bench {
    char folder[64];
    char path[256]; /* Of the last file written. */
    struct plan plan;
    struct problems problems;
};

static inline int bench_setup(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    snprintf(bench->folder, sizeof bench->folder, "/tmp/chatscale-test-XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    problems_init(&bench->problems);
    *state = bench;
    return 0;
}

static inline int bench_teardown(void **state)
{
    struct bench *bench = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", bench->folder);
    int status = system(command);
    free(bench);
    return status;
}

/* Writes a file into the folder; returns its path, until the next one. */
static inline const char *bench_bytes(struct bench *bench, const char *name, const void *bytes,
                                      size_t size)
{
    snprintf(bench->path, sizeof bench->path, "%s/%s", bench->folder, name);
    FILE *file = fopen(bench->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return bench->path;
}

static inline const char *bench_file(struct bench *bench, const char *name, const char *text)
{
    return bench_bytes(bench, name, text, strlen(text));
}

/* Loads a file of the folder (or any path) with at most one override. */
static inline bool bench_load(struct bench *bench, const char *path, const char *set)
{
    problems_init(&bench->problems);
    const char *sets[1] = {set};
    return scenario_load(path, sets, set == NULL ? 0 : 1, &bench->plan, &bench->problems);
}

/* Whether some problem's line has this in it. */
static inline bool bench_says(const struct bench *bench, const char *text)
{
    char line[2048];
    for (uint32_t i = 0; i < bench->problems.count; i++) {
        if (strstr(problem_line(&bench->problems.list[i], line, sizeof line), text) != NULL) {
            return true;
        }
    }
    return false;
}

/* Fails, with all problems printed, unless one of them says so. */
static inline void assert_says(const struct bench *bench, const char *text)
{
    if (!bench_says(bench, text)) {
        fprintf(stderr, "expected: %s\nbut there is:\n", text);
        problems_print(&bench->problems, stderr, false);
        fail();
    }
}

/* Loads `text` as s.json, and fails unless it is refused with `expected` in some line. */
static inline void assert_refused(struct bench *bench, const char *text, const char *expected)
{
    if (bench_load(bench, bench_file(bench, "s.json", text), NULL)) {
        fprintf(stderr, "not refused: %s\n", text);
        fail();
    }
    assert_says(bench, expected);
}

static inline void assert_loads(struct bench *bench, const char *text, const char *set)
{
    if (!bench_load(bench, bench_file(bench, "s.json", text), set)) {
        problems_print(&bench->problems, stderr, false);
        fail();
    }
}

#endif
