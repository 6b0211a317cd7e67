/* source.c: files as streams, unpacked on the way where they are gzipped and this build has zlib. */
#include "io/source.h"

#include <unistd.h>
#ifdef PT_HAVE_ZLIB
#include <zlib.h>
#endif

#include "io/file.h"

enum { CHUNK = 1 << 22, INFLATE = 1032 /* deflate makes at most so many bytes of one */ };
/* What a packed file may hold unless its reader says otherwise: 16 times its size, and 64 MB. Text rarely shrinks to less
   than a tenth. */
static int64_t usual_limit(int64_t bytes) {
  return pti_min64(bytes, INT64_MAX / 32) * 16 + ((int64_t)64 << 20);
}

bool pti_source_fail(const pti_source *s, const char *what) {
  pti_fail(PT_EIO, "%s: byte %lld: %s", s->path, (long long)s->at, what);
  return false;
}

#ifdef PT_HAVE_ZLIB
static bool packed_open(pti_source *s) {
  s->gz = gzdopen(s->fd, "rb");
  if (s->gz == NULL) pti_fail(PT_EMEMORY, "out of memory");
  return s->gz != NULL;
}

static int64_t packed_fail(pti_source *s, const char *what) {
  s->at = gzoffset(s->gz);
  pti_source_fail(s, what);
  return -1;
}

static int64_t packed_read(pti_source *s, char *data, int64_t bytes) {
  int got = gzread(s->gz, data, (unsigned)pti_min64(bytes, CHUNK)), code;
  gzerror(s->gz, &code);
  if (got >= 0 && code == Z_BUF_ERROR) return packed_fail(s, "the file ends early");
  return got < 0 ? packed_fail(s, "the compressed data is damaged") : got;
}

static void packed_close(pti_source *s) { gzclose_r(s->gz); /* closes the descriptor */ }
#else
static bool packed_open(pti_source *s) {
  return pti_source_fail(s,
                         "the file is gzipped and this build has no zlib; unpack it with gunzip");
}
static int64_t packed_read(pti_source *s, char *data, int64_t bytes) {
  return s && data && bytes ? -1 : -1;
}
static void packed_close(pti_source *s) { close(s->fd); }
#endif

bool pti_source_open(pti_source *s, const char *path) {
  unsigned char magic[2];
  *s = (pti_source){.path = path};
  s->fd = pti_file_open(path, &s->bytes);
  if (s->fd < 0) return false;
  if (s->bytes < 2) return true;
  if (!pti_file_read(s->fd, path, magic, 2, 0)) return false;
  s->packed = magic[0] == 0x1f && magic[1] == 0x8b;
  s->limit = usual_limit(s->bytes);
  return !s->packed || packed_open(s);
}

void pti_source_close(pti_source *s) {
  if (s->gz) packed_close(s);
  else if (s->fd >= 0) close(s->fd);
}

int64_t pti_source_some(pti_source *s, void *data, int64_t bytes) {
  int64_t got = pti_min64(bytes, s->packed ? CHUNK : s->bytes - s->at);
  if (got <= 0) return 0;
  if (!pti_poll()) return -1;
  if (s->packed) got = packed_read(s, data, got);
  else if (!pti_file_read(s->fd, s->path, data, got, s->at)) got = -1;
  if (got > 0) s->at += got;
  if (!s->packed || s->at <= s->limit) return got;
  pti_fail(PT_EIO, "%s: %lld bytes unpack to more than %lld; max_bytes allows more", s->path,
           (long long)s->bytes, (long long)s->limit);
  return -1;
}

bool pti_source_read(pti_source *s, void *data, int64_t bytes) {
  for (char *to = data; bytes > 0;) {
    int64_t got = pti_source_some(s, to, bytes);
    if (got < 0) return false;
    if (got == 0) return pti_source_fail(s, "the file ends early");
    to += got;
    bytes -= got;
  }
  return true;
}

bool pti_source_fits(const pti_source *s, int64_t bytes) {
  int64_t left = s->bytes - s->at;
  if (s->packed ? bytes / INFLATE > s->bytes : left < bytes)
    return pti_source_fail(s, "the file is too short for its header");
  if (s->packed && bytes > s->limit - s->at)
    return pti_source_fail(
        s, "it unpacks to more than 16 times its size and 64 MB; unpack it with gunzip");
  return s->packed || left == bytes || pti_source_fail(s, "more data than the header says");
}

bool pti_source_ends(pti_source *s) {
  char more;
  int64_t got =
      pti_source_some(s, &more, 1); /* zlib looks at the checksum when it is asked for more */
  if (got > 0) s->at--;
  return got == 0 || (got > 0 && pti_source_fail(s, "more data than the header says"));
}
