/* idx.c: reads IDX files, MNIST's format, gzipped or not: two zero bytes, a code for the dtype, the number of dims, the
   sizes as 32-bit numbers, the elements in row-major order; all of it big-endian. A file is not trusted: what its
   header promises is held against its length before memory is taken, and must be all there is. */
#include <string.h>
#include <unistd.h>
#ifdef PT_HAVE_ZLIB
#include <zlib.h>
#endif

#include "io/file.h"
#include "tensor.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "elements of IDX files are swapped here"
#endif

enum { CHUNK = 1 << 22, INFLATE = 1032 /* deflate makes at most so many bytes of one */ };

typedef struct source {
  const char *path;
  int fd;
  int64_t bytes, at; /* of the file; of what was read */
  bool packed;
#ifdef PT_HAVE_ZLIB
  gzFile gz;
#endif
} source;

static bool fail(const source *s, const char *what) {
  pti_fail(PT_EIO, "%s: byte %lld: %s", s->path, (long long)s->at, what);
  return false;
}

/* ---- bytes ---- */

static bool source_open(source *s, const char *path) {
  unsigned char magic[2];
  *s = (source){.path = path};
  s->fd = pti_file_open(path, &s->bytes);
  if (s->fd < 0) return false;
  if (s->bytes < 4) return fail(s, "the file ends early");
  if (!pti_file_read(s->fd, path, magic, 2, 0)) return false;
  s->packed = magic[0] == 0x1f && magic[1] == 0x8b;
  if (!s->packed) return true;
#ifdef PT_HAVE_ZLIB
  s->gz = gzdopen(s->fd, "rb");
  if (s->gz == NULL) pti_fail(PT_EMEMORY, "out of memory");
  return s->gz != NULL;
#else
  return fail(s, "the file is gzipped and this build has no zlib; unpack it with gunzip");
#endif
}

static void source_close(source *s) {
#ifdef PT_HAVE_ZLIB
  if (s->gz) {
    gzclose_r(s->gz); /* closes the descriptor */
    return;
  }
#endif
  if (s->fd >= 0) close(s->fd);
}

#ifdef PT_HAVE_ZLIB
static bool read_packed(source *s, char *data, int64_t bytes) {
  while (bytes > 0) {
    if (!pti_poll()) return false;
    int got = gzread(s->gz, data, (unsigned)pti_min64(bytes, CHUNK));
    if (got < 0) return fail(s, "the compressed data is damaged");
    if (got == 0) return fail(s, "the file ends early");
    data += got;
    s->at += got;
    bytes -= got;
  }
  return true;
}

/* Nothing follows, and the checksum is right, which zlib looks at when it is asked for more. */
static bool packed_ends(source *s) {
  char more;
  int code, got = gzread(s->gz, &more, 1);
  if (got > 0) return fail(s, "more data than the header says");
  gzerror(s->gz, &code);
  if (got < 0 || code < 0) return fail(s, "the compressed data is damaged or ends early");
  return true;
}
#endif

static bool source_read(source *s, void *data, int64_t bytes) {
#ifdef PT_HAVE_ZLIB
  if (s->packed) return read_packed(s, data, bytes);
#endif
  if (!pti_file_read(s->fd, s->path, data, bytes, s->at)) return false;
  s->at += bytes;
  return true;
}

/* Whether `bytes` more can be there at all, and are the last. */
static bool check_length(source *s, int64_t bytes) {
  if (s->packed)
    return bytes / INFLATE <= s->bytes || fail(s, "the file is too short for its header");
  if (s->bytes - s->at < bytes) return fail(s, "the file is too short for its header");
  return s->bytes - s->at == bytes || fail(s, "more data than the header says");
}

/* ---- header and elements ---- */

static bool find_dtype(int code, pt_dtype *out) {
  static const struct {
    int code;
    pt_dtype dtype;
  } known[] = {{0x08, PT_U8},  {0x09, PT_I8},  {0x0b, PT_I16},
               {0x0c, PT_I32}, {0x0d, PT_F32}, {0x0e, PT_F64}};
  for (size_t i = 0; i < PTI_COUNT(known); i++) {
    if (known[i].code != code) continue;
    *out = known[i].dtype;
    return true;
  }
  return false;
}

static bool read_header(source *s, pt_dtype *dtype, int64_t *size, int *nd) {
  unsigned char head[4], dim[4];
  if (!source_read(s, head, 4)) return false;
  s->at = 0; /* where the mistakes stand that come next */
  if (head[0] || head[1]) return fail(s, "not an IDX file: it begins with two zero bytes");
  s->at = 2;
  if (!find_dtype(head[2], dtype)) return fail(s, "unknown element type");
  s->at = 3;
  if (head[3] > PT_MAX_DIM) return fail(s, "more than 8 dims");
  s->at = 4;
  *nd = head[3];
  for (int d = 0; d < *nd; d++) {
    if (!source_read(s, dim, 4)) return false;
    size[d] = (int64_t)dim[0] << 24 | dim[1] << 16 | dim[2] << 8 | dim[3];
  }
  return true;
}

static void swap_elements(char *data, int64_t n, size_t size) {
  for (char *end = data + n * (int64_t)size; size > 1 && data < end; data += size) {
    for (size_t a = 0, b = size - 1; a < b; a++, b--) {
      char byte = data[a];
      data[a] = data[b];
      data[b] = byte;
    }
  }
}

static pt_tensor *read_all(source *s) {
  pt_dtype dtype = PT_F32;
  int64_t size[PT_MAX_DIM], n;
  size_t bytes;
  int nd = 0;
  if (!read_header(s, &dtype, size, &nd)) return NULL;
  if (!pti_check_sizes("read_idx", size, nd, dtype, &n, &bytes)) return NULL;
  if (!check_length(s, (int64_t)bytes)) return NULL;
  pt_tensor *x = pti_new(size, nd, dtype, 0);
  if (x == NULL || !source_read(s, pti_ptr(x), (int64_t)bytes)) return NULL;
#ifdef PT_HAVE_ZLIB
  if (s->packed && !packed_ends(s)) return NULL;
#endif
  swap_elements(pti_ptr(x), n, pt_dtype_size(dtype));
  return x;
}

pt_tensor *pt_read_idx(const char *path) {
  source s;
  pt_tensor *x = source_open(&s, path) ? read_all(&s) : NULL;
  source_close(&s);
  if (x == NULL) pti_error_prefix("read_idx");
  return x;
}
