/* Faults in the file calls of a process: preloaded, it counts the calls that change anything under one folder, and from call `k` on it lets
 * them fail or kills the process. Only for tests: see crash.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COUNT, KILL, FAIL };

static char folder[4096];
static int mode, error, calls, at;

/* Watch `path`. mode: COUNT; KILL the process before call `from`; FAIL every call from `from` on with `number`. */
void faults_arm(const char* path, int what, int from, int number)
{
    snprintf(folder, sizeof folder, "%s", path);
    mode = what;
    at = from;
    error = number;
    calls = 0;
}

int faults_calls(void) { return calls; }

static int is_watched(const char* path)
{
    return folder[0] != 0 && path != NULL && strncmp(path, folder, strlen(folder)) == 0;
}

static int is_watched_handle(int handle)
{
    char link[64], path[4096];
    if (folder[0] == 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    const ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    return is_watched(path);
}

/* Whether the call is to fail. */
static int meets(int watched)
{
    if (!watched)
        return 0;
    calls++;
    if (mode == KILL && calls >= at)
        kill(getpid(), SIGKILL);
    if (mode == FAIL && calls >= at) {
        errno = error;
        return 1;
    }
    return 0;
}

#define NEXT(name) ((name##_call)dlsym(RTLD_NEXT, #name))
typedef ssize_t (*write_call)(int, const void*, size_t);
typedef int (*fsync_call)(int);
typedef int (*rename_call)(const char*, const char*);
typedef int (*unlink_call)(const char*);
typedef int (*mkdir_call)(const char*, mode_t);
typedef int (*chmod_call)(const char*, mode_t);
typedef int (*ftruncate_call)(int, off_t);
typedef int (*ftruncate64_call)(int, off64_t);
typedef int (*open_call)(const char*, int, ...);
typedef int (*open64_call)(const char*, int, ...);

ssize_t write(int handle, const void* bytes, size_t count) { return meets(is_watched_handle(handle)) ? -1 : NEXT(write)(handle, bytes, count); }
int fsync(int handle) { return meets(is_watched_handle(handle)) ? -1 : NEXT(fsync)(handle); }
int rename(const char* from, const char* to) { return meets(is_watched(to)) ? -1 : NEXT(rename)(from, to); }
int unlink(const char* path) { return meets(is_watched(path)) ? -1 : NEXT(unlink)(path); }
int mkdir(const char* path, mode_t mode_) { return meets(is_watched(path)) ? -1 : NEXT(mkdir)(path, mode_); }
int chmod(const char* path, mode_t mode_) { return meets(is_watched(path)) ? -1 : NEXT(chmod)(path, mode_); }
int ftruncate(int handle, off_t size) { return meets(is_watched_handle(handle)) ? -1 : NEXT(ftruncate)(handle, size); }
int ftruncate64(int handle, off64_t size) { return meets(is_watched_handle(handle)) ? -1 : NEXT(ftruncate64)(handle, size); }

#define OPEN(name)                                                                  \
    int name(const char* path, int flags, ...)                                      \
    {                                                                               \
        va_list rest;                                                               \
        va_start(rest, flags);                                                      \
        const mode_t mode_ = flags & O_CREAT ? va_arg(rest, mode_t) : 0;            \
        va_end(rest);                                                               \
        return meets((flags & (O_CREAT | O_WRONLY | O_RDWR)) && is_watched(path)) ? -1 : NEXT(name)(path, flags, mode_); \
    }
OPEN(open)
OPEN(open64)
