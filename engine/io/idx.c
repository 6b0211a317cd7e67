/* idx.c: reads IDX files, MNIST's format, gzipped or not: two zero bytes, a code for the dtype, the number of dims, the
   sizes as 32-bit numbers, the elements in row-major order; all of it big-endian. A file is not trusted: what its
   header promises is held against its length before memory is taken, and must be all there is. */
#include "io/source.h"
#include "tensor.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "elements of IDX files are swapped here"
#endif

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

static bool read_header(pti_source *s, pt_dtype *dtype, int64_t *size, int *nd) {
  unsigned char head[4], dim[4];
  if (!pti_source_read(s, head, 4)) return false;
  s->at = 0; /* where the mistakes stand that come next */
  if (head[0] || head[1])
    return pti_source_fail(s, "not an IDX file: it begins with two zero bytes");
  s->at = 2;
  if (!find_dtype(head[2], dtype)) return pti_source_fail(s, "unknown element type");
  s->at = 3;
  if (head[3] > PT_MAX_DIM) return pti_source_fail(s, "more than 8 dims");
  s->at = 4;
  *nd = head[3];
  for (int d = 0; d < *nd; d++) {
    if (!pti_source_read(s, dim, 4)) return false;
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

static pt_tensor *read_all(pti_source *s) {
  pt_dtype dtype = PT_F32;
  int64_t size[PT_MAX_DIM], n;
  size_t bytes;
  int nd = 0;
  if (!read_header(s, &dtype, size, &nd)) return NULL;
  if (!pti_check_sizes("read_idx", size, nd, dtype, &n, &bytes)) return NULL;
  if (!pti_source_fits(s, (int64_t)bytes)) return NULL;
  pt_tensor *x = pti_new(size, nd, dtype, 0);
  if (x == NULL || !pti_source_read(s, pti_ptr(x), (int64_t)bytes)) return NULL;
  if (!pti_source_ends(s)) return NULL;
  swap_elements(pti_ptr(x), n, pt_dtype_size(dtype));
  return x;
}

pt_tensor *pt_read_idx(const char *path) {
  pti_source s;
  pt_tensor *x = pti_source_open(&s, path) ? read_all(&s) : NULL;
  pti_source_close(&s);
  if (x == NULL) pti_error_prefix("read_idx");
  return x;
}
