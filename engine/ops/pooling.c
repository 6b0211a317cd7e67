/* pooling.c: pooling: max_pool with the places of the largest, avg_pool and its gradient. Spatial
   dims are the last one to three; all dims before them are planes. Lua's nn.functional gives these
   their public names. */
#include "ops.h"

/* The name that pooling over so many dims has in Lua: "max_pool2d". */
static const char *public_name(const char *op, const pt_arg *kernel, bool adaptive) {
  static const char *const names[2][2][3] = {
      {{"max_pool1d", "max_pool2d", "max_pool3d"}, {"avg_pool1d", "avg_pool2d", "avg_pool3d"}},
      {{"adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"},
       {"adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"}}};
  return kernel->n < 1 || kernel->n > 3 ? op : names[adaptive][op[0] == 'a'][kernel->n - 1];
}

static bool read_list(const char *op, const char *what, const pt_arg *a, int nd, int64_t low,
                      const int64_t *otherwise, int64_t *out) {
  if (a->given && a->n > 0 && a->n != 1 && a->n != nd) {
    return pti_refuse(PT_EARG, "%s: %s has %d numbers, not 1 or %d", op, what, a->n, nd);
  }
  for (int d = 0; d < nd; d++) {
    int64_t v = a->given && a->n > 0 ? a->ints[a->n == 1 ? 0 : d] : otherwise[3 - nd + d];
    if (v < low || v > INT32_MAX) {
      return pti_refuse(PT_EARG, "%s: %s is %lld, but must be at least %lld", op, what,
                        (long long)v, (long long)low);
    }
    out[3 - nd + d] = v;
  }
  return true;
}

static int64_t pooled(const pti_window *p, int d, bool ceil_mode) {
  int64_t room = p->in[d] + 2 * p->pad[d] - p->dil[d] * (p->k[d] - 1) - 1;
  if (ceil_mode) room += p->stride[d] - 1;
  if (room < 0) return 0;
  int64_t n = room / p->stride[d] + 1;
  /* the last window must begin inside the input or its left padding */
  return ceil_mode && (n - 1) * p->stride[d] >= p->in[d] + p->pad[d] ? n - 1 : n;
}

/* What the window of a call looks like; a missing dilation is 1. */
typedef struct window {
  const pt_arg *kernel, *stride, *padding, *dilation;
  bool ceil_mode;
} window;

/* The sizes that come out go to `size` (of x's nd). */
static bool read_window(const char *op, pti_window *p, const int64_t *in, int nd, pt_dtype dtype,
                        const window *w, int64_t *size) {
  static const int64_t one[3] = {1, 1, 1}, zero[3];
  int dims = w->kernel->n;
  int64_t numel;
  size_t bytes;
  if (!pti_check_sizes(op, in, nd, dtype, &numel, &bytes)) return false;
  if (dims < 1 || dims > 3 || nd < dims) {
    return pti_refuse(
        PT_EARG, "%s: kernel_size must have 1 to 3 numbers, one for each spatial dim of x [%s]", op,
        pti_sizes_text(in, nd));
  }
  p->dtype = dtype;
  for (int d = 0; d < 3; d++) {
    p->k[d] = p->stride[d] = p->dil[d] = p->in[d] = p->out[d] = 1;
    p->pad[d] = 0;
  }
  if (!read_list(op, "kernel_size", w->kernel, dims, p->adaptive ? 0 : 1, one, p->k) ||
      !read_list(op, "stride", w->stride, dims, 1, p->k, p->stride) ||
      !read_list(op, "padding", w->padding, dims, 0, zero, p->pad) ||
      (w->dilation && !read_list(op, "dilation", w->dilation, dims, 1, one, p->dil))) {
    return false;
  }
  p->planes = 1;
  for (int d = 0; d < nd - dims; d++) p->planes *= size[d] = in[d];
  for (int d = 3 - dims; d < 3; d++) {
    p->in[d] = in[nd - 3 + d];
    if (2 * p->pad[d] > p->k[d] && !p->adaptive) {
      return pti_refuse(PT_EARG, "%s: padding %lld is more than half of kernel_size %lld", op,
                        (long long)p->pad[d], (long long)p->k[d]);
    }
    p->out[d] = p->adaptive ? p->k[d] : pooled(p, d, w->ceil_mode);
    size[nd - 3 + d] = p->out[d];
    if (p->out[d] < 1 || p->in[d] < 1) {
      return pti_refuse(PT_ESHAPE, "%s: a window [%s] does not fit into x [%s]", op,
                        pti_sizes_text(w->kernel->ints, dims), pti_sizes_text(in, nd));
    }
  }
  return true;
}

static bool floating(const char *op, const pt_tensor *x) {
  if (pti_is(x->dtype, PTI_FLOATS)) return true;
  return pti_refuse(PT_EDTYPE, "%s: %s tensors are not supported", op, pt_dtype_name(x->dtype));
}

pt_tensor *max_pool_run(const max_pool_args *args) {
  pt_tensor *x = args->x;
  pti_window p = {.adaptive = args->adaptive};
  int64_t size[PT_MAX_DIM];
  const window w = {args->kernel_size, args->stride, args->padding, args->dilation,
                    args->ceil_mode};
  const char *name = public_name(args->op->name, args->kernel_size, p.adaptive);
  if (!floating(name, x) || !read_window(name, &p, x->size, x->nd, pti_working(x), &w, size)) {
    return NULL;
  }
  pt_dtype dtype = x->dtype;
  pt_tensor *y = pti_new(size, x->nd, p.dtype, pti_dev(x));
  *args->indices = pti_new(size, x->nd, PT_I64, pti_dev(x));
  x = pti_dense_of(pti_cast(x, p.dtype));
  if (!x || !y || !*args->indices) return NULL;
  const pti_device *dev = pti_device_at(pti_dev(x));
  if (dev->kernels->max_pool == NULL)
    return pti_fail(PT_EDEVICE, "%s: no kernel on %s", args->op->name, dev->name);
  if (y->numel &&
      !dev->kernels->max_pool(dev->index, &p, pti_ptr(x), pti_ptr(y),
                              (int64_t *)pti_ptr(*args->indices), pti_this.index_base)) {
    return NULL;
  }
  return pti_cast(y, dtype);
}

/* Planes flat: the gradient goes where the largest came from. */
bool max_pool_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const max_pool_args args = max_pool_args_of(n->op, n->arg, NULL);
  const pti_edge *e = &n->in[0];
  pt_tensor *index = pti_saved_out(n, 1);
  if (index == NULL || g[0] == NULL) return false;
  int64_t in = 1, out = 1, planes = 1;
  int dims = args.kernel_size->n;
  for (int d = 0; d < e->nd; d++) {
    if (d < e->nd - dims) planes *= e->size[d];
    else in *= e->size[d];
    if (d >= e->nd - dims) out *= index->size[d];
  }
  int64_t flat[2] = {planes, out}, whole[2] = {planes, in};
  pt_tensor *zero = pt_zeros(whole, 2, g[0]->dtype, pti_dev(g[0]));
  pt_tensor *y = pt_scatter_add(zero, 1, pt_reshape(index, flat, 2), pt_reshape(g[0], flat, 2));
  return (gx[0] = pt_reshape(y, e->size, e->nd)) != NULL;
}

pt_tensor *avg_pool_run(const avg_pool_args *args) {
  pt_tensor *x = args->x;
  pti_window p = {
      .count_pad = args->count_include_pad, .divisor = args->divisor, .adaptive = args->adaptive};
  int64_t size[PT_MAX_DIM];
  const window w = {args->kernel_size, args->stride, args->padding, NULL, args->ceil_mode};
  const char *name = public_name(args->op->name, args->kernel_size, p.adaptive);
  if (!floating(name, x) || !read_window(name, &p, x->size, x->nd, pti_working(x), &w, size)) {
    return NULL;
  }
  pt_dtype dtype = x->dtype;
  pt_tensor *y = pti_new(size, x->nd, p.dtype, pti_dev(x));
  x = pti_dense_of(pti_cast(x, p.dtype));
  if (!x || !y) return NULL;
  const pti_device *dev = pti_device_at(pti_dev(x));
  if (dev->kernels->avg_pool == NULL)
    return pti_fail(PT_EDEVICE, "%s: no kernel on %s", args->op->name, dev->name);
  if (y->numel && !dev->kernels->avg_pool(dev->index, &p, pti_ptr(x), pti_ptr(y))) return NULL;
  return pti_cast(y, dtype);
}

bool avg_pool_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const avg_pool_args a = avg_pool_args_of(n->op, n->arg, NULL);
  gx[0] = pt_avg_pool_grad(g[0], n->in[0].size, n->in[0].nd, a.kernel_size->ints, a.kernel_size->n,
                           a.stride->ints, a.stride->n, a.padding->ints, a.padding->n, a.ceil_mode,
                           a.count_include_pad, a.divisor, a.adaptive);
  return gx[0] != NULL;
}

pt_tensor *avg_pool_grad_run(const avg_pool_grad_args *args) {
  pt_tensor *g = args->g;
  pti_window p = {
      .count_pad = args->count_include_pad, .divisor = args->divisor, .adaptive = args->adaptive};
  int64_t size[PT_MAX_DIM];
  const window w = {args->kernel_size, args->stride, args->padding, NULL, args->ceil_mode};
  if (!read_window(args->op->name, &p, args->size->ints, args->size->n, pti_working(g), &w, size))
    return NULL;
  if (g->nd != args->size->n || memcmp(g->size, size, (size_t)g->nd * sizeof *size) != 0) {
    return pti_fail(PT_ESHAPE, "%s: g [%s] for windows over [%s]", args->op->name,
                    pti_shape_text(g), pti_sizes_text(args->size->ints, args->size->n));
  }
  pt_dtype dtype = g->dtype;
  pt_tensor *x = pti_new(args->size->ints, args->size->n, p.dtype, pti_dev(g));
  g = pti_dense_of(pti_cast(g, p.dtype));
  if (!x || !g) return NULL;
  const pti_device *dev = pti_device_at(pti_dev(x));
  if (dev->kernels->avg_pool_grad == NULL)
    return pti_fail(PT_EDEVICE, "%s: no kernel on %s", args->op->name, dev->name);
  if (x->numel && !dev->kernels->avg_pool_grad(dev->index, &p, pti_ptr(g), pti_ptr(x))) return NULL;
  return pti_cast(x, dtype);
}

bool avg_pool_grad_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const avg_pool_grad_args a = avg_pool_grad_args_of(n->op, n->arg, NULL);
  gx[0] = pt_avg_pool(g[0], a.kernel_size->ints, a.kernel_size->n, a.stride->ints, a.stride->n,
                      a.padding->ints, a.padding->n, a.ceil_mode, a.count_include_pad, a.divisor,
                      a.adaptive);
  return gx[0] != NULL;
}
