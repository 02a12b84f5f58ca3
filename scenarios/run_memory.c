#include "scenarios/run_memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PATH_SIZE 4096u

/* What a group is limited by, v2 and v1. */
struct group_files {
    const char *mount;
    const char *limit;
    const char *used;
    const char *cache; /* The line of memory.stat that gives way. */
};

static const struct group_files version2 = {"/sys/fs/cgroup", "memory.max", "memory.current",
                                            "inactive_file"};
static const struct group_files version1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                            "memory.usage_in_bytes", "total_inactive_file"};

/* The number in a line that begins with `name` ("" : the first line). false: there is none. */
static bool read_number(const char *path, const char *name, uint64_t *value)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    char line[256];
    bool found = false;
    size_t length = strlen(name);
    while (!found && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, length) == 0 && (length == 0 || strchr(": \t", line[length]))) {
            const char *digits = line + length + strspn(line + length, ": \t");
            found = sscanf(digits, "%" SCNu64, value) == 1;
            break;
        }
    }
    fclose(file);
    return found;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What one group leaves; UINT64_MAX where it has no limit. */
static uint64_t group_leaves(const char *root, const struct group_files *files, const char *group)
{
    char path[PATH_SIZE];
    uint64_t limit;
    uint64_t used;
    uint64_t cache = 0;
    snprintf(path, sizeof path, "%s%s%s/%s", root, files->mount, group, files->limit);
    if (!read_number(path, "", &limit) || limit >= INT64_MAX / 2) {
        return UINT64_MAX;
    }
    snprintf(path, sizeof path, "%s%s%s/%s", root, files->mount, group, files->used);
    if (!read_number(path, "", &used)) {
        return UINT64_MAX;
    }
    snprintf(path, sizeof path, "%s%s%s/memory.stat", root, files->mount, group);
    if (read_number(path, files->cache, &cache)) {
        used -= least(used, cache);
    }
    return limit > used ? limit - used : 0;
}

/* The group and all above it. In a container its own path may not be visible, the root is. */
static uint64_t groups_leave(const char *root, const struct group_files *files, char *group)
{
    uint64_t bytes = UINT64_MAX;
    for (;;) {
        if (strcmp(group, "/") == 0) {
            group[0] = '\0';
        }
        bytes = least(bytes, group_leaves(root, files, group));
        char *slash = strrchr(group, '/');
        if (slash == NULL) {
            return bytes;
        }
        *slash = '\0';
    }
}

static uint64_t control_groups_leave(const char *root)
{
    char path[PATH_SIZE];
    char line[PATH_SIZE];
    uint64_t bytes = UINT64_MAX;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return bytes;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
        if (group == NULL || group[1] != '/') {
            continue;
        }
        *group++ = '\0';
        if (controllers[1] == '\0') {
            bytes = least(bytes, groups_leave(root, &version2, group));
        } else if (strstr(controllers, "memory") != NULL) {
            bytes = least(bytes, groups_leave(root, &version1, group));
        }
    }
    fclose(file);
    return bytes;
}

uint64_t run_memory_available(const char *root)
{
    char path[PATH_SIZE];
    uint64_t bytes = UINT64_MAX;
    uint64_t kilobytes;
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    if (read_number(path, "MemAvailable", &kilobytes)) {
        bytes = kilobytes * 1024;
    }
    bytes = least(bytes, control_groups_leave(root));
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        bytes = least(bytes, limit.rlim_cur);
    }
    return bytes;
}

uint64_t run_memory_resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL) {
        return 0;
    }
    uint64_t pages = 0;
    bool found = fscanf(file, "%*u %" SCNu64, &pages) == 1;
    fclose(file);
    return found ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}
