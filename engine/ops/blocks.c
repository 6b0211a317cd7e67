/* blocks.c: weights of few bits, kept as ggml's blocks in uint8 tensors, one row of bytes for each row of numbers. They are
   read where they lie: a product with them moves a quarter or an eighth of the bytes of float32. */
#include "ops.h"

static bool format_of(const char *op, const char *name, pti_block_format *format) {
  for (int f = 0; f < PTI_NBLOCK_FORMAT; f++) {
    if (strcmp(name, pti_block_kinds[f].name) == 0) {
      *format = (pti_block_format)f;
      return true;
    }
  }
  return pti_refuse(PT_EARG, "%s: format '%s' is not 'q8_0', 'q4_0', 'q4_k' or 'q6_k'", op, name);
}

/* Blocks of a row of uint8. */
static bool blocks_fit(const char *op, const pt_tensor *blocks, pti_block_format format,
                       int64_t *per_row) {
  const pti_block_kind *kind = &pti_block_kinds[format];
  if (blocks->dtype != PT_U8)
    return pti_refuse(PT_EDTYPE, "%s: blocks are uint8, not %s", op, pt_dtype_name(blocks->dtype));
  int64_t bytes = blocks->nd ? blocks->size[blocks->nd - 1] : 1;
  *per_row = bytes / kind->bytes;
  return bytes % kind->bytes == 0 ||
      pti_refuse(PT_ESHAPE,
                 "%s: rows of blocks [%s] are not a multiple of the %d bytes of a %s block", op,
                 pti_shape_text(blocks), kind->bytes, kind->name);
}

/* x's shape with another last dim. */
static pt_tensor *with_last(const pt_tensor *x, int64_t last, pt_dtype dtype) {
  int64_t size[PT_MAX_DIM];
  memcpy(size, x->size, sizeof size);
  size[x->nd - 1] = last;
  return pti_new(size, x->nd, dtype, pti_dev(x));
}

pt_tensor *dequantize_blocks_run(const dequantize_blocks_args *args) {
  const char *op = args->op->name;
  pti_block_format format = PTI_Q8_0;
  int64_t per_row, numbers;
  if (!format_of(op, args->format, &format) || !blocks_fit(op, args->blocks, format, &per_row))
    return NULL;
  if (!pti_mul(per_row, pti_block_kinds[format].numbers, &numbers))
    return pti_fail(PT_ESHAPE, "%s: too many numbers", op);
  pt_tensor *blocks = pti_dense_of(args->blocks);
  pt_tensor *y = blocks ? with_last(blocks, numbers, PT_F32) : NULL;
  if (y == NULL || y->numel == 0) return y;
  const pti_device *dev = pti_home(y);
  if (!pti_has(op, dev, dev->kernels->block_load != NULL)) return NULL;
  int64_t count = y->numel / pti_block_kinds[format].numbers;
  return dev->kernels->block_load(dev->index, format, pti_ptr(blocks), count, pti_ptr(y)) ? y
                                                                                          : NULL;
}

pt_tensor *quantize_blocks_run(const quantize_blocks_args *args) {
  const char *op = args->op->name;
  pti_block_format format = PTI_Q8_0;
  pt_tensor *x = args->x;
  if (!format_of(op, args->format, &format) || !pti_floating(op, "x", x)) return NULL;
  const pti_block_kind *kind = &pti_block_kinds[format];
  if (format != PTI_Q8_0 && format != PTI_Q4_0)
    return pti_fail(PT_EARG, "%s: %s blocks are read, but not made; use 'q8_0' or 'q4_0'", op,
                    kind->name);
  int64_t n = x->nd ? x->size[x->nd - 1] : 1;
  if (x->nd == 0 || n % kind->numbers != 0) {
    return pti_fail(PT_ESHAPE,
                    "%s: rows of x [%s] are not a multiple of the %d numbers of a %s block", op,
                    pti_shape_text(x), kind->numbers, kind->name);
  }
  x = pti_dense_of(pti_cast(x, PT_F32));
  pt_tensor *y = x ? with_last(x, n / kind->numbers * kind->bytes, PT_U8) : NULL;
  if (y == NULL || y->numel == 0) return y;
  const pti_device *dev = pti_home(y);
  if (!pti_has(op, dev, dev->kernels->block_store != NULL)) return NULL;
  return dev->kernels->block_store(dev->index, format, pti_ptr(x), x->numel / kind->numbers,
                                   pti_ptr(y))
      ? y
      : NULL;
}

static bool linear_fits(const char *op, const pt_tensor *x, const pt_tensor *w, const char *format,
                        const pt_tensor *b, pti_block_linear *p) {
  int64_t per_row;
  if (!format_of(op, format, &p->format) || !pti_floating(op, "x", x)) return false;
  if (w->nd != 2)
    return pti_refuse(PT_ESHAPE, "%s: blocks [%s] are not a matrix (out, bytes)", op,
                      pti_shape_text(w));
  if (!blocks_fit(op, w, p->format, &per_row)) return false;
  p->n = w->size[0];
  p->k = per_row * pti_block_kinds[p->format].numbers;
  if (x->nd == 0 || x->size[x->nd - 1] != p->k) {
    return pti_refuse(PT_ESHAPE, "%s: x [%s] has %lld features, blocks [%s] of %s want %lld", op,
                      pti_shape_text(x), (long long)(x->nd ? x->size[x->nd - 1] : 0),
                      pti_shape_text(w), pti_block_kinds[p->format].name, (long long)p->k);
  }
  p->m = 1;
  for (int d = 0; d < x->nd - 1; d++) p->m *= x->size[d];
  return b == NULL || (b->nd == 1 && b->size[0] == p->n) ||
      pti_refuse(PT_ESHAPE, "%s: bias [%s] for blocks [%s], which give %lld features", op,
                 pti_shape_text(b), pti_shape_text(w), (long long)p->n);
}

/* float64, in which such weights are only checked, is a product with the numbers themselves. */
bool linear_blocks_shortcut(const pt_arg *arg, pt_tensor **out) {
  pt_tensor *x = arg[0].t, *bias = arg[3].t;
  pti_block_linear p = {0};
  if (x->dtype != PT_F64) return true;
  if (!linear_fits("linear_blocks", x, arg[1].t, arg[2].s, bias, &p)) return false;
  pt_tensor *w = pt_to_dtype(pt_dequantize_blocks(arg[1].t, arg[2].s), PT_F64);
  if (bias && (bias = pt_to_dtype(bias, PT_F64)) == NULL) return false;
  out[0] = pt_linear(x, w, bias);
  return out[0] != NULL;
}

/* Halves are computed in float32. */
pt_tensor *linear_blocks_run(const linear_blocks_args *args) {
  const char *op = args->op->name;
  pti_block_linear p = {0};
  if (!linear_fits(op, args->x, args->blocks, args->format, args->bias, &p)) return NULL;
  pt_dtype dtype = args->x->dtype;
  pt_tensor *x = pti_dense_of(pti_cast(args->x, PT_F32)), *w = pti_dense_of(args->blocks);
  pt_tensor *b = args->bias, *y = x ? with_last(x, p.n, PT_F32) : NULL;
  if (!y || !w || (b && !(b = pti_dense_of(pti_cast(b, PT_F32))))) return NULL;
  const pti_device *dev = pti_home(y);
  if (!pti_has(op, dev, dev->kernels->block_linear != NULL)) return NULL;
  bool ok = y->numel == 0 ||
      dev->kernels->block_linear(dev->index, &p, pti_ptr(x), pti_ptr(w), b ? pti_ptr(b) : NULL,
                                 pti_ptr(y));
  return ok ? pti_cast(y, dtype) : NULL;
}

/* gx = g w    gb = sum of the rows of g; the blocks themselves are not trained. */
bool linear_blocks_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const linear_blocks_args args = linear_blocks_args_of(n->op, n->arg, NULL);
  const pti_edge *e = &n->in[0];
  int64_t out = g[0]->size[e->nd - 1];
  pt_tensor *rows = pt_reshape(g[0], (int64_t[]){out ? g[0]->numel / out : 0, out}, 2);
  if (rows == NULL) return false;
  if (pti_wants(n, 0)) {
    pt_tensor *w = pti_cast(pt_dequantize_blocks(pti_saved(n, 1), args.format), g[0]->dtype);
    if (!(gx[0] = pt_reshape(pt_mm(rows, w), e->size, e->nd))) return false;
  }
  return !pti_wants(n, 2) ||
      (gx[2] = pti_cast(pt_sum(rows, (int64_t[]){0}, 1, false, -1), n->in[2].dtype)) != NULL;
}
