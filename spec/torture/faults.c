/* faults.c: preloaded into ptlua by files.lua: the FAULT_AT-th call about a file below FAULT_UNDER fails with the errno
   FAULT_ERRNO, or, where that is 0, writes only half. Says so on standard error. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FDS = 256 };
static char ours[FDS]; /* descriptors of files below FAULT_UNDER */
static int calls;

static long setting(const char *name) {
  const char *text = getenv(name);
  return text ? atol(text) : -1;
}
static int is_ours(int fd) { return fd >= 0 && fd < FDS && ours[fd]; }
static int below(const char *path) {
  const char *under = getenv("FAULT_UNDER");
  return under && strncmp(path, under, strlen(under)) == 0;
}

/* Whether this call is the one; then errno is set. */
static int strikes(const char *name) {
  if (++calls != setting("FAULT_AT")) return 0;
  dprintf(2, "FAULT in %s\n", name);
  errno = (int)setting("FAULT_ERRNO");
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int opened(const char *path, int flags, mode_t mode) {
  if (below(path) && strikes("open") && errno) return -1;
  int fd = REAL(openat)(AT_FDCWD, path, flags, mode);
  if (fd >= 0 && fd < FDS) ours[fd] = below(path) != 0;
  return fd;
}
#define OPEN(name)                             \
  int name(const char *path, int flags, ...) { \
    va_list ap;                                \
    va_start(ap, flags);                       \
    mode_t mode = va_arg(ap, mode_t);          \
    va_end(ap);                                \
    return opened(path, flags, mode);          \
  }
OPEN(open)
OPEN(open64)
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags) { return opened(path, flags, 0); }

ssize_t write(int fd, const void *data, size_t n) {
  if (is_ours(fd) && strikes("write")) {
    if (errno) return -1;
    n = (n + 1) / 2;
  }
  return REAL(write)(fd, data, n);
}

#define CALL(name, of_file, declared, passed)          \
  int name declared {                                  \
    if (of_file && strikes(#name) && errno) return -1; \
    return REAL(name) passed;                          \
  }
CALL(fsync, is_ours(fd), (int fd), (fd))
CALL(ftruncate, is_ours(fd), (int fd, off_t size), (fd, size))
CALL(fchmod, is_ours(fd), (int fd, mode_t mode), (fd, mode))
CALL(flock, is_ours(fd), (int fd, int operation), (fd, operation))
CALL(rename, below(from), (const char *from, const char *to), (from, to))

/* The descriptor is gone, whatever is returned. */
int close(int fd) {
  int strike = is_ours(fd) && strikes("close"), code = errno;
  if (fd >= 0 && fd < FDS) ours[fd] = 0;
  int result = REAL(close)(fd);
  if (!strike || code == 0) return result;
  errno = code;
  return -1;
}
