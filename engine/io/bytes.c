/* bytes.c: files of any kind as vectors of uint8, and bytes that grow. */
#include "io/bytes.h"

#include <string.h>

#include "io/file.h"
#include "io/source.h"
#include "mem.h"
#include "tensor.h"

enum { CHUNK = 1 << 20 };

unsigned char *pti_bytes_add(pti_bytes *b, size_t n) {
  if (b->room - b->n < n) {
    size_t room = b->n + n > 2 * b->room ? b->n + n : 2 * b->room;
    unsigned char *data = pti_alloc(room);
    if (data == NULL) return NULL;
    if (b->n) memcpy(data, b->data, b->n);
    pti_free(b->data, b->room);
    b->data = data;
    b->room = room;
  }
  b->n += n;
  return b->data + b->n - n;
}

void pti_bytes_free(pti_bytes *b) {
  pti_free(b->data, b->room);
  *b = (pti_bytes){.n = 0};
}

static pt_tensor *read_all(pti_source *s) {
  pti_bytes b = {.n = 0};
  int64_t room = s->packed ? CHUNK : s->bytes + 1, got = 1; /* one more, to see that it ends */
  pt_tensor *x = NULL;
  while (got > 0) {
    unsigned char *to = pti_bytes_add(&b, (size_t)room);
    got = to ? pti_source_some(s, to, room) : -1;
    if (got >= 0) b.n -= (size_t)(room - got);
  }
  if (got == 0) x = pt_from_data(b.data, (int64_t[]){(int64_t)b.n}, 1, PT_U8);
  pti_bytes_free(&b);
  return x;
}

pt_tensor *pt_read_file_max(const char *path, int64_t max_bytes) {
  pti_source s;
  bool ok = pti_source_open(&s, path);
  if (ok && max_bytes > 0) s.limit = max_bytes;
  if (ok && max_bytes > 0 && !s.packed && s.bytes > max_bytes)
    ok = pti_refuse(PT_EIO, "%s: it has %lld bytes; max_bytes allows %lld", path,
                    (long long)s.bytes, (long long)max_bytes);
  pt_tensor *x = ok ? read_all(&s) : NULL;
  pti_source_close(&s);
  return x;
}
pt_tensor *pt_read_file(const char *path) { return pt_read_file_max(path, 0); }

bool pt_write_bytes(const char *path, const void *data, size_t bytes) {
  pti_outfile f;
  return pti_outfile_open(&f, path) && pti_outfile_close(&f, pti_outfile_write(&f, data, bytes));
}

bool pt_write_file(const char *path, pt_tensor *bytes) {
  pt_tensor *x = bytes ? pti_dense_of(pti_to_device(bytes, 0)) : NULL;
  bool ok = x && (x->nd == 1 && x->dtype == PT_U8);
  if (x && !ok)
    pti_fail(PT_ESHAPE, "the data must be a vector of uint8, got %s [%s]", pt_dtype_name(x->dtype),
             pti_shape_text(x));
  ok = ok && pt_write_bytes(path, pti_ptr(x), (size_t)x->numel);
  if (!ok) pti_error_prefix("write_file");
  return ok;
}
