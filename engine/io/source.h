/* source.h: a file that is read from its beginning to its end, gzipped or not. Failures name the path and the byte: of
   the packed file where unpacking fails, else of the data. */
#ifndef PTI_SOURCE_H
#define PTI_SOURCE_H

#include "base.h"

typedef struct pti_source {
  const char *path;
  int fd;
  int64_t bytes, at; /* of the file; of what was read */
  int64_t limit;     /* more than this is not unpacked: small files may hold very much */
  bool packed;
  void *gz; /* zlib's reader of a packed file */
} pti_source;

bool pti_source_fail(const pti_source *s, const char *what); /* "PATH: byte 12: what"; false */
bool pti_source_open(pti_source *s, const char *path);
void pti_source_close(pti_source *s); /* after a failed open, too */
bool pti_source_read(pti_source *s, void *data, int64_t bytes);
/* How many of `bytes` are left to read, at most: into data; -1 after a failure. */
int64_t pti_source_some(pti_source *s, void *data, int64_t bytes);
/* Whether `bytes` more can be there at all, and are the last. */
bool pti_source_fits(const pti_source *s, int64_t bytes);
/* Whether all was read, and was whole. */
bool pti_source_ends(pti_source *s);

#endif
