/* fft.c: discrete Fourier transforms along one dim. A transform is linear, so its gradient is a transform: of the
   complex one, the same in the other direction; of each real one, the other, in which entries that stand for two of
   the spectrum count twice. Names, norms and several dims are left to scripts/pt/fft.lua. */
#include "ops.h"

static pt_dtype part_of(pt_dtype d) {
  return d == PT_C64 || d == PT_F32 ? PT_F32 : d == PT_C128 || d == PT_F64 ? PT_F64 : PT_NDTYPE;
}

/* Whether x is of the wanted kind and has points along dim. */
static bool ready(const char *op, const pt_tensor *x, bool complex, int dim) {
  pt_dtype d = x->dtype;
  if (part_of(d) == PT_NDTYPE || pti_is(d, PTI_COMPLEX) != complex) {
    return pti_refuse(PT_EDTYPE, "%s: x is %s, but must be %s", op, pt_dtype_name(d),
                      complex ? "complex64 or complex128" : "float32 or float64");
  }
  if (x->nd > 0 && x->size[dim] > 0) return true;
  return pti_refuse(PT_ESHAPE, "%s: x [%s] has no points to transform", op, pti_shape_text(x));
}

/* n points along dim; `size` entries of the result there. */
static pt_tensor *transform(const char *op, pt_tensor *x, int dim, pti_fft f, int64_t size,
                            pt_dtype dtype) {
  const pti_device *dev = pti_home(x);
  if (!pti_has(op, dev, dev->kernels->fft != NULL)) return NULL;
  int64_t sizes[PT_MAX_DIM];
  memcpy(sizes, x->size, sizeof sizes);
  sizes[dim] = size;
  pt_tensor *y = pti_new(sizes, x->nd, dtype, pti_dev(x));
  if (y == NULL || (x = pti_dense_of(x)) == NULL) return NULL;
  pti_rows r = pti_rows_of(x, dim);
  f.dtype = part_of(dtype);
  f.outer = r.outer;
  f.inner = r.inner;
  return y->numel == 0 || dev->kernels->fft(dev->index, &f, pti_ptr(x), pti_ptr(y)) ? y : NULL;
}

pt_tensor *fft_complex_run(const fft_complex_args *args) {
  pt_tensor *x = args->x;
  int dim;
  if (!pti_dim(args->op->name, args->dim, x->nd, &dim) || !ready(args->op->name, x, true, dim))
    return NULL;
  pti_fft f = {
      .kind = PTI_FFT_COMPLEX, .n = x->size[dim], .inverse = args->inverse, .scale = args->scale};
  return transform(args->op->name, x, dim, f, f.n, x->dtype);
}
bool fft_complex_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const fft_complex_args args = fft_complex_args_of(n->op, n->arg, NULL);
  gx[0] = pt_fft_complex(g[0], (int)args.dim, !args.inverse, args.scale);
  return gx[0] != NULL;
}

/* ---- real numbers: the last dim, of which half a spectrum is kept ---- */

pt_tensor *fft_from_real_run(const fft_from_real_args *args) {
  pt_tensor *x = args->x;
  int dim = x->nd - 1;
  if (!ready(args->op->name, x, false, dim)) return NULL;
  pti_fft f = {.kind = PTI_FFT_FROM_REAL, .n = x->size[dim], .scale = args->scale};
  return transform(args->op->name, x, dim, f, f.n / 2 + 1, x->dtype == PT_F64 ? PT_C128 : PT_C64);
}

pt_tensor *fft_to_real_run(const fft_to_real_args *args) {
  pt_tensor *x = args->x;
  int dim = x->nd - 1;
  pti_fft f = {.kind = PTI_FFT_TO_REAL, .n = args->n, .scale = args->scale};
  if (!ready(args->op->name, x, true, dim)) return NULL;
  if (f.n < 1 || x->size[dim] != f.n / 2 + 1) {
    return pti_fail(PT_ESHAPE, "%s: %lld points come from %lld numbers, but x is [%s]",
                    args->op->name, (long long)f.n, (long long)f.n / 2 + 1, pti_shape_text(x));
  }
  return transform(args->op->name, x, dim, f, f.n, part_of(x->dtype));
}

/* g (..., n / 2 + 1) times `weight`, but for the numbers that stand for themselves alone: the first,
   and the last where n is even. */
static pt_tensor *weighed(pt_tensor *g, int64_t n, double weight) {
  if (g == NULL) return NULL;
  int64_t half = n / 2 + 1;
  pt_tensor *w = pt_full(&half, 1, weight, part_of(g->dtype), pti_dev(g));
  if (!w || !pti_fill_value(pt_select(w, 0, 0), 1, 1)) return NULL;
  if (n % 2 == 0 && !pti_fill_value(pt_select(w, 0, -1), 1, 1)) return NULL;
  return pt_mul(g, w);
}

bool fft_from_real_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const fft_from_real_args args = fft_from_real_args_of(n->op, n->arg, NULL);
  int64_t points = n->in[0].size[n->in[0].nd - 1];
  gx[0] = pt_fft_to_real(weighed(g[0], points, 0.5), points, args.scale);
  return gx[0] != NULL;
}
bool fft_to_real_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const fft_to_real_args args = fft_to_real_args_of(n->op, n->arg, NULL);
  gx[0] = weighed(pt_fft_from_real(g[0], args.scale), args.n, 2);
  return gx[0] != NULL;
}
