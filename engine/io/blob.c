/* blob.c: stretches of files. All blobs of a file and all tensors that lie in its pages hold its source. */
#include "io/blob.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef PT_HAVE_ZLIB
#include <zlib.h>
#endif

#include "io/file.h"
#include "mem.h"
#include "pool.h"
#include "tensor.h"

enum { CHUNK = 1 << 20, INFLATE = 1032 /* deflate makes at most so many bytes of one */ };

typedef struct source {
  atomic_int refs;
  int fd;              /* -1: the bytes are in memory */
  unsigned char *data; /* mapped or unpacked; NULL where the file is read */
  size_t bytes;
  bool mapped;
  int64_t budget; /* of a file: bytes that its parts may still unpack to */
} source;

struct pti_blob {
  source *source, *file; /* where the bytes are; the file that they come from */
  char *name;
  int64_t base, size;
};

static void source_release(void *ud) {
  source *s = ud;
  if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
  if (s->fd >= 0) close(s->fd);
  if (s->mapped) munmap(s->data, s->bytes);
  else pti_free(s->data, s->bytes);
  pti_free(s, sizeof *s);
}

static source *source_new(int fd, void *data, size_t bytes, bool mapped) {
  source *s = pti_alloc(sizeof *s);
  if (s == NULL) return NULL;
  *s = (source){.fd = fd, .data = data, .bytes = bytes, .mapped = mapped};
  atomic_init(&s->refs, 1);
  return s;
}

static source *source_open(const char *path, bool map, int64_t *size) {
  int fd = pti_file_open(path, size);
  if (fd < 0) return NULL;
  void *data = NULL;
  if (map && pti_this.files == NULL && *size > 0) {
    data = mmap(NULL, (size_t)*size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) data = NULL; /* a file system that cannot: it is read */
  }
  bool mapped = data != NULL;
  source *s = source_new(mapped ? -1 : fd, data, (size_t)*size, mapped);
  if (s == NULL && mapped) munmap(data, (size_t)*size);
  if (s == NULL || mapped) close(fd);
  if (s) s->budget = pti_min64(*size, INT64_MAX / 32) * 16 + ((int64_t)64 << 20);
  return s;
}

static source *source_keep(source *s) {
  atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
  return s;
}

/* Takes over the reference to `s`, also on failure. */
static pti_blob *blob_new(source *s, source *file, char *name, int64_t base, int64_t size) {
  pti_blob *b = s && name ? pti_alloc(sizeof *b) : NULL;
  if (s && name == NULL) pti_fail(PT_EMEMORY, "out of memory");
  if (b == NULL) {
    free(name);
    source_release(s);
    return NULL;
  }
  *b = (pti_blob){.source = s, .file = source_keep(file), .name = name, .base = base, .size = size};
  return b;
}

pti_blob *pti_blob_open(const char *path, bool map) {
  int64_t size = 0;
  source *s = source_open(path, map, &size);
  return s ? blob_new(s, s, strdup(path), 0, size) : NULL;
}

void pti_blob_close(pti_blob *b) {
  if (b == NULL) return;
  source_release(b->source);
  source_release(b->file);
  free(b->name);
  pti_free(b, sizeof *b);
}

int64_t pti_blob_size(const pti_blob *b) { return b->size; }
const char *pti_blob_name(const pti_blob *b) { return b->name; }

bool pti_blob_fail(const pti_blob *b, int64_t at, const char *format, ...) {
  char text[400];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  return pti_refuse(PT_EIO, "%s: byte %lld: %s", b->name, (long long)at, text);
}

static bool inside(const pti_blob *b, int64_t at, int64_t bytes) {
  if (at >= 0 && bytes >= 0 && at <= b->size && bytes <= b->size - at) return true;
  return pti_blob_fail(b, at, "%lld bytes are to stand here, of %lld in all", (long long)bytes,
                       (long long)b->size);
}

bool pti_blob_read(const pti_blob *b, void *to, int64_t bytes, int64_t at) {
  if (!inside(b, at, bytes)) return false;
  const source *s = b->source;
  if (s->data == NULL) return pti_file_read(s->fd, b->name, to, bytes, b->base + at);
  if (bytes) memcpy(to, s->data + b->base + at, (size_t)bytes);
  return true;
}

static char *name_of(const pti_blob *b, const char *name) {
  char *text;
  if (name == NULL) return strdup(b->name);
  return asprintf(&text, "%s: %.200s", b->name, name) < 0 ? NULL : text;
}

pti_blob *pti_blob_part(pti_blob *b, int64_t at, int64_t bytes, const char *name) {
  if (!inside(b, at, bytes)) return NULL;
  return blob_new(source_keep(b->source), b->file, name_of(b, name), b->base + at, bytes);
}

/* ---- unpacking ---- */

#ifdef PT_HAVE_ZLIB
/* One call's worth; false, with the error recorded, unless the stream goes on or has ended. */
static bool inflate_some(const pti_blob *b, z_stream *z, int64_t at, bool *ended) {
  int code = inflate(z, Z_NO_FLUSH);
  *ended = code == Z_STREAM_END;
  if (code == Z_MEM_ERROR) return pti_refuse(PT_EMEMORY, "out of memory");
  return code == Z_OK || *ended || pti_blob_fail(b, at, "the compressed data is damaged");
}

static bool inflate_to(const pti_blob *b, int64_t at, int64_t packed, unsigned char *to,
                       int64_t bytes) {
  unsigned char spare, *chunk = pti_alloc(CHUNK);
  z_stream z = {.next_out = to};
  bool ended = false, ok = chunk != NULL;
  if (ok && inflateInit2(&z, -MAX_WBITS) != Z_OK) ok = pti_refuse(PT_EMEMORY, "out of memory");
  int64_t begin = at, end = at + packed, made = 0;
  while (ok && !ended) {
    if (z.avail_in == 0) {
      int64_t some = pti_min64(end - at, CHUNK);
      if (some == 0) ok = pti_blob_fail(b, at, "the compressed data ends early");
      else ok = pti_poll() && pti_blob_read(b, chunk, some, at);
      at += some;
      z.next_in = chunk;
      z.avail_in = (unsigned)some;
    }
    z.avail_out = (unsigned)pti_min64(bytes - made, CHUNK);
    if (made == bytes) z.next_out = &spare, z.avail_out = 1; /* only to see the end */
    unsigned before = z.avail_out;
    ok = ok && inflate_some(b, &z, at, &ended);
    if (ok) made += before - z.avail_out;
    if (made > bytes) ok = pti_blob_fail(b, begin, "it unpacks to more than its directory says");
  }
  if (ok && made < bytes)
    ok = pti_blob_fail(b, begin, "it unpacks to less than its directory says");
  inflateEnd(&z);
  pti_free(chunk, CHUNK);
  return ok;
}
#else
static bool inflate_to(const pti_blob *b, int64_t at, int64_t packed, unsigned char *to,
                       int64_t bytes) {
  (void)packed, (void)to, (void)bytes;
  return pti_blob_fail(b, at, "it is compressed and this build has no zlib");
}
#endif

pti_blob *pti_blob_inflate(pti_blob *b, int64_t at, int64_t packed, int64_t bytes,
                           const char *name) {
  if (!inside(b, at, packed)) return NULL;
  if (bytes < 0 || bytes / INFLATE > packed)
    return pti_blob_fail(b, at, "%lld bytes cannot unpack to %lld", (long long)packed,
                         (long long)bytes),
           NULL;
  if (bytes > b->file->budget)
    return pti_blob_fail(b, at, "the file unpacks to more than 16 times its size and 64 MB"), NULL;
  unsigned char *data = pti_alloc((size_t)bytes);
  if (data == NULL) return NULL;
  source *s =
      inflate_to(b, at, packed, data, bytes) ? source_new(-1, data, (size_t)bytes, false) : NULL;
  if (s == NULL) {
    pti_free(data, (size_t)bytes);
    return NULL;
  }
  b->file->budget -= bytes;
  return blob_new(s, b->file, name_of(b, name), 0, bytes);
}

/* ---- tensors ---- */

/* A tensor whose memory is the source's. */
static pt_tensor *tensor_over(const pti_blob *b, const pti_element *e, const int64_t *size, int nd,
                              int64_t at, int64_t bytes) {
  source *s = b->source;
  pti_storage *over = pti_storage_of_host(s->data + b->base + at, (size_t)bytes, source_release, s);
  if (over == NULL) return NULL;
  source_keep(s);
  return pti_new_over(over, e->dtype, size, NULL, nd, 0, bytes / e->bytes);
}

typedef struct reading {
  const pti_blob *b;
  char *to;
  int64_t at;
  atomic_bool failed;
} reading;

/* What a file holds, a piece for each thread. */
static void read_piece(void *ctx, int64_t lo, int64_t hi) {
  reading *r = ctx;
  const source *s = r->b->source;
  for (int64_t from = lo; from < hi;) {
    ssize_t got = pread(s->fd, r->to + from, (size_t)(hi - from), r->b->base + r->at + from);
    if (got <= 0) { /* read again by the caller, who says why it cannot be */
      atomic_store(&r->failed, true);
      return;
    }
    from += got;
  }
}

static bool read_dense(const pti_blob *b, char *to, int64_t bytes, int64_t at) {
  enum { PIECE = 1 << 22 };
  if (b->source->data || bytes < 2 * PIECE) return pti_blob_read(b, to, bytes, at);
  reading r = {.b = b, .to = to, .at = at};
  pti_parallel_for(bytes, PIECE, read_piece, &r);
  return pti_poll() && (!atomic_load(&r.failed) || pti_blob_read(b, to, bytes, at));
}

/* Blocks, a chunk at a time, swapped and unpacked to y. */
static bool read_blocks(const pti_blob *b, const pti_element *e, bool swap, char *y, int64_t blocks,
                        int64_t at) {
  int64_t some = CHUNK / e->bytes;
  unsigned char *chunk = pti_alloc((size_t)(some * e->bytes));
  bool ok = chunk != NULL;
  for (int64_t done = 0; ok && done < blocks; done += some) {
    some = pti_min64(some, blocks - done);
    ok = pti_blob_read(b, chunk, some * e->bytes, at + done * e->bytes);
    if (ok && swap) pti_swap_bytes(chunk, some * e->bytes, e->part);
    char *to = y + done * e->count * (int64_t)pt_dtype_size(e->dtype);
    if (ok && e->unpack && !e->unpack(chunk, to, some)) {
      pti_error_prefix(b->name);
      ok = false;
    }
    if (ok && e->unpack == NULL) memcpy(to, chunk, (size_t)(some * e->bytes));
  }
  pti_free(chunk, (size_t)(CHUNK / e->bytes * e->bytes));
  return ok;
}

static void only_zero_and_one(pt_tensor *x) {
  unsigned char *p = (unsigned char *)pti_ptr(x);
  for (int64_t i = 0; i < x->numel; i++) p[i] = p[i] != 0; /* any byte may stand in a file */
}

pt_tensor *pti_blob_tensor(const pti_blob *b, const pti_element *e, bool swap, const int64_t *size,
                           int nd, int64_t at) {
  int64_t bytes;
  if (!pti_element_bytes(e, size, nd, &bytes) || !inside(b, at, bytes)) return NULL;
  bool plain = e->unpack == NULL && (!swap || e->part == 1);
  const unsigned char *place = b->source->data ? b->source->data + b->base + at : NULL;
  if (plain && place && bytes > 0 && e->dtype != PT_BOOL && (uintptr_t)place % (size_t)e->part == 0)
    return tensor_over(b, e, size, nd, at, bytes);
  pt_tensor *x = pti_new(size, nd, e->dtype, 0);
  if (x == NULL) return NULL;
  if (plain ? !read_dense(b, pti_ptr(x), bytes, at)
            : !read_blocks(b, e, swap, pti_ptr(x), bytes / e->bytes, at))
    return NULL;
  if (e->dtype == PT_BOOL) only_zero_and_one(x);
  return x;
}

/* ---- checksums ---- */

/* Eight bytes at a time: table[k][v] is the remainder of v followed by k zero bytes. */
static uint32_t table[8][256];
static pthread_once_t table_made = PTHREAD_ONCE_INIT;

static void make_table(void) {
  for (uint32_t v = 0; v < 256; v++) {
    uint32_t c = v;
    for (int bit = 0; bit < 8; bit++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
    table[0][v] = c;
  }
  for (int k = 1; k < 8; k++) {
    for (int v = 0; v < 256; v++)
      table[k][v] = table[k - 1][v] >> 8 ^ table[0][table[k - 1][v] & 255];
  }
}

uint32_t pti_crc32(uint32_t before, const void *data, size_t bytes) {
  const unsigned char *p = data;
  uint32_t c = ~before;
  pthread_once(&table_made, make_table);
  for (; bytes >= 8; bytes -= 8, p += 8) {
    uint32_t low, high;
    memcpy(&low, p, 4);
    memcpy(&high, p + 4, 4);
    low ^= c;
    c = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^
        table[4][low >> 24] ^ table[3][high & 255] ^ table[2][high >> 8 & 255] ^
        table[1][high >> 16 & 255] ^ table[0][high >> 24];
  }
  for (; bytes > 0; bytes--, p++) c = c >> 8 ^ table[0][(c ^ *p) & 255];
  return ~c;
}

bool pti_blob_crc32(const pti_blob *b, uint32_t *out) {
  *out = 0;
  unsigned char *chunk = pti_alloc(CHUNK);
  bool ok = chunk != NULL;
  for (int64_t at = 0; ok && at < b->size; at += CHUNK) {
    int64_t some = pti_min64(CHUNK, b->size - at);
    ok = pti_poll() && pti_blob_read(b, chunk, some, at);
    if (ok) *out = pti_crc32(*out, chunk, (size_t)some);
  }
  pti_free(chunk, CHUNK);
  return ok;
}
