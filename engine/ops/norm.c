/* norm.c: normalisation of rows. One op serves layer, group, instance and RMS normalisation; what differs is how a
   tensor is read as rows. Batch normalisation has batch_norm.c. */
#include "ops.h"

static pt_tensor *ready(pt_tensor *x, pt_dtype dtype) {
  return x ? pti_dense_of(pti_cast(x, dtype)) : NULL;
}

/* row_norm: x is read as rows of n elements; see pti_norm. */
static bool read_norm(pti_norm *p, const pt_tensor *x, const pt_tensor *w, const pt_tensor *b,
                      const row_norm_args *args) {
  *p = (pti_norm){.n = args->n,
                  .inner = args->inner,
                  .period = args->period,
                  .rms = args->rms,
                  .eps = args->eps};
  bool alike = (!w || w->dtype == x->dtype) && (!b || b->dtype == x->dtype);
  p->dtype = alike ? pti_working(x) : pti_computed(x);
  if (!pti_is(x->dtype, PTI_FLOATS)) {
    return pti_refuse(PT_EDTYPE, "normalisation of %s tensors is not supported",
                      pt_dtype_name(x->dtype));
  }
  bool fits =
      p->n > 0 && p->inner > 0 && p->period > 0 && x->numel % p->n == 0 && p->n % p->inner == 0;
  int64_t columns = fits ? p->n / p->inner * p->period : 0;
  p->rows = fits ? x->numel / p->n : 0;
  fits = fits && p->rows % p->period == 0 && (!w || w->numel == columns) &&
      (!b || b->numel == columns);
  bool hollow = x->numel == 0 && (p->n == 0 || p->inner == 0); /* its rows have no elements */
  if (fits || hollow) return true;
  return pti_refuse(PT_ESHAPE,
                    "row_norm: x [%s] does not divide into rows of %lld with weight [%s]",
                    pti_shape_text(x), (long long)p->n, w ? pti_shape_text(w) : "none");
}

pt_tensor *row_norm_run(const row_norm_args *args) {
  pti_norm p;
  pt_tensor *x = args->x, *w = args->weight, *b = args->bias;
  if (!read_norm(&p, x, w, b, args)) return NULL;
  pt_dtype dtype = x->dtype;
  pt_tensor *y = pti_new_like(x, p.dtype);
  *args->mean = pti_new(&p.rows, 1, pti_computed(x), pti_dev(x));
  *args->rstd = pti_new(&p.rows, 1, pti_computed(x), pti_dev(x));
  if (!(x = ready(x, p.dtype)) || (w && !(w = ready(w, p.dtype))) ||
      (b && !(b = ready(b, p.dtype))))
    return NULL;
  if (!y || !*args->mean || !*args->rstd) return NULL;
  const pti_device *dev = pti_device_at(pti_dev(x));
  if (dev->kernels->norm == NULL)
    return pti_fail(PT_EDEVICE, "row_norm: no kernel on %s", dev->name);
  bool ok =
      dev->kernels->norm(dev->index, &p, pti_ptr(x), w ? pti_ptr(w) : NULL, b ? pti_ptr(b) : NULL,
                         pti_ptr(y), pti_ptr(*args->mean), pti_ptr(*args->rstd));
  return ok ? pti_cast(y, dtype) : NULL;
}

/* By the kernel, where no graph of the gradient is wanted. */
static bool fused_gradient(pt_node *n, pt_tensor *g, pt_tensor **gx) {
  const row_norm_args args = row_norm_args_of(n->op, n->arg, NULL);
  pti_norm p;
  pt_tensor *x = pti_saved(n, 0), *w;
  pt_tensor *mean = pti_saved_out(n, 1), *rstd = pti_saved_out(n, 2);
  if (!x || !mean || !rstd || !pti_saved_if_given(n, 1, &w) || !read_norm(&p, x, w, NULL, &args))
    return false;
  x = ready(x, p.dtype);
  g = ready(g, p.dtype);
  if (!x || !g || (w && !(w = ready(w, p.dtype)))) return false;
  const pti_device *dev = pti_device_at(pti_dev(x));
  pt_tensor *out[3] = {0};
  for (int i = 0; i < 3; i++) {
    if (!pti_wants(n, i)) continue;
    out[i] = pti_new(n->in[i].size, n->in[i].nd, p.dtype, pti_dev(x));
    if (out[i] == NULL) return false;
  }
  void *at[3];
  for (int i = 0; i < 3; i++) at[i] = out[i] ? pti_ptr(out[i]) : NULL;
  if (!dev->kernels->norm_grad(dev->index, &p, pti_ptr(x), w ? pti_ptr(w) : NULL, pti_ptr(g),
                               pti_ptr(mean), pti_ptr(rstd), at[0], at[1], at[2])) {
    return false;
  }
  for (int i = 0; i < 3; i++) {
    if (out[i] && !(gx[i] = pti_cast(out[i], n->in[i].dtype))) return false;
  }
  return true;
}

/* Rows as (rows / period, period, columns, inner), weights as (1, period, columns, 1). */
static pt_tensor *as_rows(pt_tensor *x, const pti_norm *p) {
  int64_t size[4] = {p->rows / p->period, p->period, p->n / p->inner, p->inner};
  return pt_reshape(x, size, 4);
}
static pt_tensor *as_columns(pt_tensor *w, const pti_norm *p) {
  int64_t size[4] = {1, p->period, p->n / p->inner, 1};
  return pt_reshape(w, size, 4);
}

/* The same from recorded calls; mean and rstd are functions of x here, so that they are
   differentiated too. */
static bool composed_gradient(pt_node *n, pt_tensor *g, pt_tensor **gx) {
  static const int64_t in_row[] = {2, 3}, batch[] = {0, 3};
  const row_norm_args args = row_norm_args_of(n->op, n->arg, NULL);
  pti_norm p;
  pt_tensor *x = pti_saved(n, 0), *w;
  if (!x || !pti_saved_if_given(n, 1, &w) || !read_norm(&p, x, w, NULL, &args)) return false;
  x = as_rows(x, &p);
  g = as_rows(g, &p);
  pt_tensor *centred = p.rms ? x : pt_sub(x, pt_mean(x, in_row, 2, true, -1));
  pt_tensor *rstd =
      pt_rsqrt(pt_add(pt_mean(pt_square(centred), in_row, 2, true, -1), pt_scalar(p.eps)));
  pt_tensor *xhat = pt_mul(centred, rstd);
  if (pti_wants(n, 0)) {
    pt_tensor *gw = w ? pt_mul(g, as_columns(w, &p)) : g;
    pt_tensor *inner = pt_sub(gw, pt_mul(xhat, pt_mean(pt_mul(gw, xhat), in_row, 2, true, -1)));
    if (!p.rms) inner = pt_sub(inner, pt_mean(gw, in_row, 2, true, -1));
    if (!(gx[0] = pt_reshape(pt_mul(rstd, inner), n->in[0].size, n->in[0].nd))) return false;
  }
  if (pti_wants(n, 1) &&
      !(gx[1] =
            pt_reshape(pt_sum(pt_mul(g, xhat), batch, 2, false, -1), n->in[1].size, n->in[1].nd))) {
    return false;
  }
  return !pti_wants(n, 2) ||
      (gx[2] = pt_reshape(pt_sum(g, batch, 2, false, -1), n->in[2].size, n->in[2].nd)) != NULL;
}

/* Where x has no elements. */
static bool zero_gradients(pt_node *n, pt_tensor *g, pt_tensor **gx) {
  for (int i = 0; i < 3; i++) {
    if (pti_wants(n, i) && !(gx[i] = pti_zeros_for(&n->in[i], g))) return false;
  }
  return true;
}

bool row_norm_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  if (g[0] == NULL) return pti_refuse(PT_EGRAD, "row_norm: mean and rstd are not differentiable");
  if (g[0]->numel == 0) return zero_gradients(n, g[0], gx);
  return pt_grad_enabled() ? composed_gradient(n, g[0], gx) : fused_gradient(n, g[0], gx);
}
