/* file.h: whole reads, and files that replace another only when they are complete. All failures are PT_EIO with the
   path and the reason; EINTR and short reads and writes are dealt with here. */
#ifndef PTI_FILE_H
#define PTI_FILE_H

#include "base.h"

/* Who opens the files of a thread (pti_this.files): a host's function; or nobody, where it is NULL. */
typedef struct pti_files {
  int (*open)(void *ud, const char *path, pt_open_mode mode);
  void *ud;
} pti_files;
/* A descriptor of the host's; -1 with PT_EIO recorded. Only where pti_this.files is set. */
int pti_host_open(const char *path, pt_open_mode mode);

/* A regular file for reading: its descriptor and size, or -1. */
int pti_file_open(const char *path, int64_t *size);
/* Exactly `bytes` from `offset`. */
bool pti_file_read(int fd, const char *path, void *data, int64_t bytes, int64_t offset);

/* A new version of `path`, written beside it as "path.tmp". Writers of one path wait for each other; what a killed
   writer left behind is overwritten by the next. */
typedef struct pti_outfile {
  int fd;
  char *path, *temp; /* links resolved; temp NULL: the host opened it and it is written as it is */
} pti_outfile;
bool pti_outfile_open(pti_outfile *f, const char *path);
bool pti_outfile_write(pti_outfile *f, const void *data, size_t bytes);
/* Ends the write: with `ok` the data is on disk under the path when this returns true; otherwise, or on failure, the
   old file stands as it was and the temporary one is gone. */
bool pti_outfile_close(pti_outfile *f, bool ok);

#endif
