/* file.c: reading and replacing files. Replacing is: write a temporary file in the same folder, fsync it, rename it
   over the old one, fsync the folder. The temporary name is fixed, so that nothing piles up, and locked, so that two
   writers do not mix; after waiting for the lock the name may have moved on, which is checked. */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 24 }; /* bytes between two looks at the interrupt flag */

/* A call that a signal cut off is made again, unless the signal was to stop us: see fail_errno. */
#define AGAIN(result) ((result) < 0 && errno == EINTR && pti_poll())

static bool fail_errno(const char *path, const char *what) {
  char buffer[128];
  if (errno == EINTR && !pti_poll()) return false; /* recorded as that */
  return pti_refuse(PT_EIO, "%s: %s: %s", path, what, strerror_r(errno, buffer, sizeof buffer));
}

static int open_file(const char *path, int flags) {
  int fd;
  do fd = open(path, flags | O_CLOEXEC, 0666);
  while (AGAIN(fd));
  return fd;
}
static bool sync_file(int fd) {
  int code;
  do code = fsync(fd);
  while (AGAIN(code));
  return code == 0;
}
static bool resize_file(int fd, off_t size) {
  int code;
  do code = ftruncate(fd, size);
  while (AGAIN(code));
  return code == 0;
}
static bool rename_file(const char *from, const char *to) {
  int code;
  do code = rename(from, to);
  while (AGAIN(code));
  return code == 0;
}

int pti_host_open(const char *path, pt_open_mode mode) {
  const pti_files *files = pti_this.files;
  if (files->open == NULL) {
    pti_fail(PT_EIO, "%s: cannot open: there are no files in this sandbox", path);
    return -1;
  }
  errno = ENOENT;
  int fd = files->open(files->ud, path, mode);
  if (fd < 0)
    fail_errno(path,
               mode == PT_OPEN_WRITE || mode == PT_OPEN_APPEND ? "cannot write" : "cannot open");
  return fd;
}

int pti_file_open(const char *path, int64_t *size) {
  struct stat st;
  int fd = pti_this.files
      ? pti_host_open(path, PT_OPEN_READ)
      : open_file(path, O_RDONLY | O_NONBLOCK); /* a pipe must not make us wait */
  if (fd < 0 && pti_this.files) return -1;
  if (fd < 0 || fstat(fd, &st) < 0) {
    fail_errno(path, "cannot open");
  } else if (!S_ISREG(st.st_mode)) {
    pti_fail(PT_EIO, "%s: not a regular file", path);
  } else {
    *size = st.st_size;
    return fd;
  }
  if (fd >= 0) close(fd);
  return -1;
}

bool pti_file_read(int fd, const char *path, void *data, int64_t bytes, int64_t offset) {
  char *at = data;
  while (bytes > 0) {
    if (!pti_poll()) return false;
    ssize_t got = pread(fd, at, (size_t)pti_min64(bytes, CHUNK), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(path, "cannot read");
    if (got == 0)
      return pti_refuse(PT_EIO, "%s: byte %lld: the file ends early", path, (long long)offset);
    at += got;
    bytes -= got;
    offset += got;
  }
  return true;
}

/* Opens and locks the temporary file; tries again where its last owner has renamed or removed it meanwhile. */
static int open_locked(const char *temp) {
  for (;;) {
    struct stat mine, named;
    int fd = open_file(temp, O_RDWR | O_CREAT | O_NOFOLLOW);
    if (fd < 0) return -1;
    int code;
    do code = flock(fd, LOCK_EX);
    while (AGAIN(code));
    if (code < 0 && errno == EINTR) {
      close(fd);
      errno = EINTR;
      return -1;
    }
    if (fstat(fd, &mine) == 0 && lstat(temp, &named) == 0 && mine.st_ino == named.st_ino &&
        mine.st_dev == named.st_dev) {
      return fd;
    }
    close(fd);
  }
}

static void outfile_free(pti_outfile *f) {
  if (f->fd >= 0) close(f->fd);
  free(f->path);
  free(f->temp);
  *f = (pti_outfile){.fd = -1};
}

static bool open_through_host(pti_outfile *f, const char *path) {
  if ((f->path = strdup(path)) == NULL) return pti_refuse(PT_EMEMORY, "out of memory");
  f->fd = pti_host_open(path, PT_OPEN_WRITE);
  if (f->fd >= 0) return true;
  outfile_free(f);
  return false;
}

bool pti_outfile_open(pti_outfile *f, const char *path) {
  struct stat st;
  *f = (pti_outfile){.fd = -1};
  if (pti_this.files) return open_through_host(f, path);
  f->path = realpath(path, NULL);
  bool exists = f->path != NULL;
  if (!exists && errno == ENOENT) f->path = strdup(path);
  if (f->path == NULL) return fail_errno(path, "cannot write");
  bool known = exists && stat(f->path, &st) == 0;
  if (known && !S_ISREG(st.st_mode)) {
    outfile_free(f);
    return pti_refuse(PT_EIO, "%s: not a regular file", path);
  }
  if (asprintf(&f->temp, "%s.tmp", f->path) < 0) {
    f->temp = NULL;
  } else if ((f->fd = open_locked(f->temp)) >= 0 && resize_file(f->fd, 0)) {
    if (known && fchmod(f->fd, st.st_mode & 07777) < 0)
      errno = 0; /* the mode is kept where that is allowed */
    return true;
  }
  fail_errno(path, "cannot write");
  if (f->fd >= 0) unlink(f->temp);
  outfile_free(f);
  return false;
}

bool pti_outfile_write(pti_outfile *f, const void *data, size_t bytes) {
  const char *at = data;
  while (bytes > 0) {
    if (!pti_poll()) return false;
    ssize_t put = write(f->fd, at, bytes < CHUNK ? bytes : CHUNK);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(f->path, "cannot write");
    at += put;
    bytes -= (size_t)put;
  }
  return true;
}

/* One record of a log at the end of a file. Where not all of it fits, what was written of it is taken back. */
bool pt_append_bytes(const char *path, const void *data, size_t bytes) {
  struct stat before;
  pti_outfile f = {.fd = pti_this.files ? pti_host_open(path, PT_OPEN_APPEND)
                                        : open_file(path, O_WRONLY | O_APPEND | O_CREAT)};
  if (f.fd < 0 && pti_this.files) return false;
  if (f.fd < 0) return fail_errno(path, "cannot write");
  f.path = strdup(path);
  bool known = fstat(f.fd, &before) == 0 && S_ISREG(before.st_mode);
  bool ok = f.path ? pti_outfile_write(&f, data, bytes) : pti_refuse(PT_EMEMORY, "out of memory");
  if (!ok && known) resize_file(f.fd, before.st_size);
  if (close(f.fd) < 0 && ok && errno != EINTR) ok = fail_errno(path, "cannot write");
  free(f.path);
  return ok;
}

/* Makes the rename durable. Not every file system can; the data itself is safe by now. */
static void sync_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
  int fd = folder ? open_file(folder, O_RDONLY | O_DIRECTORY) : -1;
  if (fd >= 0) {
    sync_file(fd);
    close(fd);
  }
  free(folder);
}

bool pti_outfile_close(pti_outfile *f, bool ok) {
  if (f->temp == NULL) { /* pipes cannot be synced */
    if (ok && !sync_file(f->fd) && errno != EINVAL && errno != EROFS)
      ok = fail_errno(f->path, "cannot write");
    outfile_free(f);
    return ok;
  }
  if (ok && !(sync_file(f->fd) && rename_file(f->temp, f->path)))
    ok = fail_errno(f->path, "cannot write");
  if (ok) {
    sync_folder(f->path);
  } else {
    unlink(f->temp);
  }
  outfile_free(f);
  return ok;
}
