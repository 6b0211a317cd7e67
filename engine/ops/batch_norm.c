/* batch_norm.c: normalisation by the statistics of a batch, and by given ones; x (n, c, ...).
   Running statistics are kept in Lua's nn. With m and v the mean and biased variance of a channel,
   y = a x + c where a = weight / sqrt(v + eps) and c = bias - a m. */

#include "ops.h"

static pt_tensor *ready(pt_tensor *x, pt_dtype dtype) {
  return x ? pti_dense_of(pti_cast(x, dtype)) : NULL;
}

static bool read_channels(const char *op, const pt_tensor *x, const pt_tensor *const *vector, int n,
                          pti_rows *r) {
  if (x->nd < 2 || !pti_is(x->dtype, PTI_FLOATS)) {
    return pti_refuse(PT_ESHAPE,
                      "%s: x [%s] of %s must be floating and have dims (batch, channels, ...)", op,
                      pti_shape_text(x), pt_dtype_name(x->dtype));
  }
  *r = (pti_rows){.dtype = pti_working(x), .outer = x->size[0], .n = x->size[1], .inner = 1};
  for (int d = 2; d < x->nd; d++) r->inner *= x->size[d];
  for (int i = 0; i < n; i++) {
    if (vector[i] == NULL || (vector[i]->nd == 1 && vector[i]->size[0] == r->n)) continue;
    return pti_refuse(PT_ESHAPE,
                      "%s: x [%s] has %lld channels, but a weight, bias or statistic has [%s]", op,
                      pti_shape_text(x), (long long)r->n, pti_shape_text(vector[i]));
  }
  return true;
}

/* A vector of c numbers as (1, c, 1, ...), to broadcast against x. */
static pt_tensor *across(pt_tensor *v, const pt_tensor *x) {
  int64_t size[PT_MAX_DIM];
  for (int d = 0; d < x->nd; d++) size[d] = d == 1 ? x->size[1] : 1;
  return v ? pt_view(v, size, x->nd) : NULL;
}

/* Sum over all dims but channels. */
static pt_tensor *by_channel(pt_tensor *x) {
  int64_t dims[PT_MAX_DIM] = {0};
  if (x == NULL) return NULL;
  for (int d = 2; d < x->nd; d++) dims[d - 1] = d;
  return pt_sum(x, dims, x->nd - 1, false, -1);
}

/* y = a x + b z + c by channel. */
static pt_tensor *affine(const pti_rows *r, pt_tensor *a, pt_tensor *x, pt_tensor *b, pt_tensor *z,
                         pt_tensor *c) {
  pt_tensor *y = x && a && c ? pti_new_like(x, r->dtype) : NULL;
  pt_dtype numbers = y ? pti_computed(y) : PT_F32;
  if (y == NULL || !(a = ready(a, numbers)) || !(c = ready(c, numbers)) ||
      (b && !(b = ready(b, numbers))))
    return NULL;
  const pti_device *dev = pti_device_at(pti_dev(x));
  if (dev->kernels->channel_affine == NULL)
    return pti_fail(PT_EDEVICE, "batch_norm: no kernel on %s", dev->name);
  bool ok = y->numel == 0 ||
      dev->kernels->channel_affine(dev->index, *r, pti_ptr(a), pti_ptr(x), b ? pti_ptr(b) : NULL,
                                   z ? pti_ptr(z) : NULL, pti_ptr(c), pti_ptr(y));
  return ok ? y : NULL;
}

static pt_tensor *run(const pti_rows *r, const batch_norm_train_args *args) {
  pt_tensor *x = ready(args->x, r->dtype), *w = args->weight, *b = args->bias;
  pt_tensor *mean = pti_new(&r->n, 1, pti_computed(args->x), pti_dev(args->x));
  pt_tensor *var = pti_new(&r->n, 1, pti_computed(args->x), pti_dev(args->x));
  if (!x || !mean || !var) return NULL;
  const pti_device *dev = pti_device_at(pti_dev(x));
  if (dev->kernels->channel_moments == NULL)
    return pti_fail(PT_EDEVICE, "batch_norm: no kernel on %s", dev->name);
  if (r->n &&
      !dev->kernels->channel_moments(dev->index, *r, pti_ptr(x), pti_ptr(mean), pti_ptr(var)))
    return NULL;
  pt_tensor *a = pt_rsqrt(pt_add(var, pt_scalar(args->eps)));
  if (w) a = pt_mul(a, w);
  pt_tensor *c = pt_neg(pt_mul(a, mean));
  if (b) c = pt_add(c, b);
  *args->mean = mean;
  *args->var = var;
  return pti_cast(affine(r, a, x, NULL, NULL, c), args->x->dtype);
}

pt_tensor *batch_norm_train_run(const batch_norm_train_args *args) {
  pti_rows r;
  const pt_tensor *x = args->x, *vector[] = {args->weight, args->bias};
  if (!read_channels("batch_norm", x, vector, 2, &r)) return NULL;
  if (r.outer * r.inner < 2) {
    return pti_fail(PT_ESHAPE,
                    "batch_norm: x [%s] has %lld values a channel; training needs more than 1",
                    pti_shape_text(x), (long long)(r.outer * r.inner));
  }
  bool was = pt_set_grad_enabled(false);
  pt_tensor *y = run(&r, args);
  pt_set_grad_enabled(was);
  return y;
}

static double eps_of(const pt_node *n) { return batch_norm_train_args_of(n->op, n->arg, NULL).eps; }

/* gx = a (g - sum(g) / m) - a xhat sum(g xhat) / m   gw = sum(g xhat)   gb = sum(g) */
static bool fused_gradient(pt_node *n, pt_tensor *g, pt_tensor **gx) {
  pti_rows r;
  pt_tensor *x = pti_saved(n, 0), *w;
  pt_tensor *mean = pti_saved_out(n, 1), *var = pti_saved_out(n, 2);
  if (!x || !mean || !var || !pti_saved_if_given(n, 1, &w) ||
      !read_channels("batch_norm", x, NULL, 0, &r))
    return false;
  x = ready(x, r.dtype);
  g = ready(g, r.dtype);
  if (!x || !g) return false;
  pt_tensor *sum = pti_new_like(mean, pti_computed(x)), *dot = pti_new_like(mean, pti_computed(x));
  if (!sum || !dot) return false;
  const pti_device *dev = pti_device_at(pti_dev(x));
  if (r.n &&
      !dev->kernels->channel_dots(dev->index, r, pti_ptr(g), pti_ptr(x), pti_ptr(mean),
                                  pti_ptr(sum), pti_ptr(dot))) {
    return false;
  }
  pt_tensor *rstd = pt_rsqrt(pt_add(var, pt_scalar(eps_of(n)))), *a = w ? pt_mul(rstd, w) : rstd;
  if (pti_wants(n, 0)) {
    pt_tensor *share = pt_scalar(-1.0 / (double)(r.outer * r.inner));
    pt_tensor *b = pt_mul(pt_mul(a, pt_square(rstd)), pt_mul(dot, share));
    pt_tensor *c = pt_sub(pt_mul(pt_mul(a, sum), share), pt_mul(b, mean));
    if (!(gx[0] = pti_cast(affine(&r, a, g, b, x, c), n->in[0].dtype))) return false;
  }
  if (pti_wants(n, 1) && !(gx[1] = pti_cast(pt_mul(dot, rstd), n->in[1].dtype))) return false;
  return !pti_wants(n, 2) || (gx[2] = pti_cast(sum, n->in[2].dtype)) != NULL;
}

/* The same from recorded calls. */
static bool composed_gradient(pt_node *n, pt_tensor *g, pt_tensor **gx) {
  pti_rows r;
  pt_tensor *x = pti_saved(n, 0), *w;
  if (!x || !pti_saved_if_given(n, 1, &w) || !read_channels("batch_norm", x, NULL, 0, &r))
    return false;
  pt_tensor *share = pt_scalar(1.0 / (double)(r.outer * r.inner));
  pt_tensor *centred = pt_sub(x, across(pt_mul(by_channel(x), share), x));
  pt_tensor *var = pt_mul(by_channel(pt_square(centred)), share);
  pt_tensor *rstd = pt_rsqrt(pt_add(var, pt_scalar(eps_of(n))));
  pt_tensor *xhat = pt_mul(centred, across(rstd, x));
  pt_tensor *sum = by_channel(g), *dot = by_channel(pt_mul(g, xhat));
  if (pti_wants(n, 0)) {
    pt_tensor *inner = pt_sub(g, across(pt_mul(sum, share), x));
    inner = pt_sub(inner, pt_mul(xhat, across(pt_mul(dot, share), x)));
    if (!(gx[0] = pt_mul(inner, across(w ? pt_mul(rstd, w) : rstd, x)))) return false;
  }
  if (pti_wants(n, 1) && !(gx[1] = dot)) return false;
  return !pti_wants(n, 2) || (gx[2] = sum) != NULL;
}

bool batch_norm_train_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  if (g[0] == NULL)
    return pti_refuse(PT_EGRAD, "batch_norm: its statistics are not differentiable");
  return pt_grad_enabled() ? composed_gradient(n, g[0], gx) : fused_gradient(n, g[0], gx);
}
