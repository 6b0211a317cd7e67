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

pt_tensor *pt_read_file(const char *path) {
  pti_source s;
  pt_tensor *x = pti_source_open(&s, path) ? read_all(&s) : NULL;
  pti_source_close(&s);
  return x;
}

bool pt_write_file(const char *path, pt_tensor *bytes) {
  pti_outfile f;
  pt_tensor *x = bytes ? pti_dense_of(pti_to_device(bytes, 0)) : NULL;
  bool ok = x && (x->nd == 1 && x->dtype == PT_U8);
  if (x && !ok)
    pti_fail(PT_ESHAPE, "the data must be a vector of uint8, got %s [%s]", pt_dtype_name(x->dtype),
             pti_shape_text(x));
  if (ok && (ok = pti_outfile_open(&f, path)))
    ok = pti_outfile_close(&f, pti_outfile_write(&f, pti_ptr(x), (size_t)x->numel));
  if (!ok) pti_error_prefix("write_file");
  return ok;
}
