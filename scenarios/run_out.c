#include "scenarios/run_out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scenarios/commands.h"

#define RESULT_FILE "result.json"
#define PROBE_FILE ".result.json.new"

static int complain(const char *path, const char *what, int status)
{
    fprintf(stderr, "chatscale run: --out %s: %s\n", path, what);
    return status;
}

/* mkdir -p. `existed` is how much of the path was there before. false: it can't be made, errno. */
static bool make_folders(const char *path, size_t *existed)
{
    char part[RUN_OUT_PATH_SIZE];
    size_t length = strlen(path);
    *existed = 0;
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) != 0) {
            if (errno != EEXIST) {
                return false;
            }
            *existed = i;
        }
    }
    return true;
}

/* Removes what is empty, from the end of the path up to its first `kept` bytes. */
static void remove_empty(char *path, size_t kept)
{
    size_t length = strlen(path);
    while (length > kept && rmdir(path) == 0) {
        while (length > kept && path[length] != '/') {
            length--;
        }
        path[length] = '\0';
    }
}

/* The first thing in the directory, or "" where it is empty; false with errno where it is none. */
static bool first_inside(const char *path, char *name, size_t size)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return false;
    }
    name[0] = '\0';
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        bool result = strcmp(entry->d_name, RESULT_FILE) == 0;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            (name[0] == '\0' || result)) {
            snprintf(name, size, "%s", entry->d_name);
        }
    }
    closedir(folder);
    return true;
}

int run_out_open(struct run_out *out, const char *path)
{
    char name[256];
    char text[512];
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    if (length + 300 > RUN_OUT_PATH_SIZE) {
        return complain("...", "the path is too long", COMMAND_INPUT);
    }
    memcpy(out->path, path, length);
    out->path[length] = '\0';
    if (!make_folders(out->path, &out->existed) || !first_inside(out->path, name, sizeof name)) {
        bool input = errno == ENOTDIR || errno == EEXIST;
        snprintf(text, sizeof text, "can't be made: %s; remedy: another directory",
                 strerror(errno));
        return complain(path, text, input ? COMMAND_INPUT : COMMAND_OTHER);
    }
    if (name[0] != '\0') {
        snprintf(text, sizeof text,
                 "already filled, it holds %s; remedy: another directory, or empty this one", name);
        return complain(path, text, COMMAND_INPUT);
    }
    char probe[RUN_OUT_PATH_SIZE + 32];
    snprintf(probe, sizeof probe, "%s/" PROBE_FILE, out->path);
    int file = open(probe, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (file < 0) {
        snprintf(text, sizeof text, "can't be written: %s", strerror(errno));
        run_out_close(out);
        return complain(path, text, COMMAND_OTHER);
    }
    close(file);
    unlink(probe);
    return -1;
}

/* The name's entry in its directory is on the disk, too. Some file systems can't: no matter. */
static void flush_folder(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY);
    if (folder >= 0) {
        (void)fsync(folder);
        close(folder);
    }
}

static bool write_new(const char *path, run_out_writer *write, const void *context)
{
    FILE *file = fopen(path, "wx");
    if (file == NULL) {
        return false;
    }
    errno = 0;
    bool good = write(file, context) && fflush(file) == 0 && fsync(fileno(file)) == 0;
    int error = errno;
    if (fclose(file) != 0 && good) {
        good = false;
        error = errno;
    }
    errno = error;
    return good;
}

bool run_out_write(const struct run_out *out, const char *folder, run_out_writer *write,
                   const void *context)
{
    char path[RUN_OUT_PATH_SIZE];
    char new_file[RUN_OUT_PATH_SIZE + 32];
    char result_file[RUN_OUT_PATH_SIZE + 32];
    int length =
        snprintf(path, sizeof path, "%s%s%s", out->path, folder[0] == '\0' ? "" : "/", folder);
    snprintf(new_file, sizeof new_file, "%s/" PROBE_FILE, path);
    snprintf(result_file, sizeof result_file, "%s/" RESULT_FILE, path);
    size_t existed;
    errno = ENAMETOOLONG;
    bool good = length < RUN_OUT_PATH_SIZE && make_folders(path, &existed) &&
                write_new(new_file, write, context) && rename(new_file, result_file) == 0;
    if (good) {
        flush_folder(path);
        return true;
    }
    int error = errno;
    unlink(new_file);
    remove_empty(path, strlen(out->path));
    fprintf(stderr, "chatscale run: %s can't be written: %s; nothing was left of it\n", result_file,
            strerror(error));
    return false;
}

static void file_path(const struct run_out *out, const char *name, bool ready, char *path)
{
    snprintf(path, RUN_OUT_PATH_SIZE + 64, "%s/%s%s%s", out->path, ready ? "" : ".", name,
             ready ? "" : ".new");
}

/* Of the first `count` files: what was written of them, under either name. */
static void remove_all(const struct run_out *out, const struct run_out_file *files, size_t count)
{
    char path[RUN_OUT_PATH_SIZE + 64];
    for (size_t i = 0; i < count; i++) {
        file_path(out, files[i].name, false, path);
        unlink(path);
        file_path(out, files[i].name, true, path);
        unlink(path);
    }
}

bool run_out_write_all(const struct run_out *out, const struct run_out_file *files, size_t count)
{
    char new_file[RUN_OUT_PATH_SIZE + 64];
    char file[RUN_OUT_PATH_SIZE + 64];
    bool good = true;
    size_t written = 0;
    while (good && written < count) {
        file_path(out, files[written].name, false, new_file);
        good = write_new(new_file, files[written].write, files[written].context);
        written++;
    }
    for (size_t i = 0; good && i < count; i++) {
        written = i + 1;
        file_path(out, files[i].name, false, new_file);
        file_path(out, files[i].name, true, file);
        good = rename(new_file, file) == 0;
    }
    if (good) {
        flush_folder(out->path);
        return true;
    }
    int error = errno;
    file_path(out, files[written - 1].name, true, file);
    remove_all(out, files, count);
    if (error != 0) {
        fprintf(stderr, "chatscale run: %s can't be written: %s\n", file, strerror(error));
    }
    return false;
}

void run_out_close(struct run_out *out)
{
    remove_empty(out->path, out->existed);
}
