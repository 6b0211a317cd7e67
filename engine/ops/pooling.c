/* pooling.c: pooling: max_pool with the places of the largest, avg_pool and its gradient. Spatial
   dims are the last one to three; all dims before them are planes. Lua's nn.functional gives these
   their public names. */
#include "ops.h"

/* What Lua calls pooling over so many dims: "max_pool2d". */
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

/* kernel, stride, padding, dilation at arg[0..3]; the sizes that come out go to `size` (of x's nd). */
static bool read_window(const char *op, pti_window *p, const int64_t *in, int nd, pt_dtype dtype,
                        const pt_arg *arg, bool ceil_mode, int64_t *size) {
  static const int64_t one[3] = {1, 1, 1}, zero[3];
  int dims = arg[0].n;
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
  if (!read_list(op, "kernel_size", &arg[0], dims, p->adaptive ? 0 : 1, one, p->k) ||
      !read_list(op, "stride", &arg[1], dims, 1, p->k, p->stride) ||
      !read_list(op, "padding", &arg[2], dims, 0, zero, p->pad) ||
      !read_list(op, "dilation", &arg[3], dims, 1, one, p->dil)) {
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
    p->out[d] = p->adaptive ? p->k[d] : pooled(p, d, ceil_mode);
    size[nd - 3 + d] = p->out[d];
    if (p->out[d] < 1 || p->in[d] < 1) {
      return pti_refuse(PT_ESHAPE, "%s: a window [%s] does not fit into x [%s]", op,
                        pti_sizes_text(arg[0].ints, dims), pti_sizes_text(in, nd));
    }
  }
  return true;
}

static bool floating(const char *op, const pt_tensor *x) {
  if (pti_is(x->dtype, PTI_FLOATS)) return true;
  return pti_refuse(PT_EDTYPE, "%s: %s tensors are not supported", op, pt_dtype_name(x->dtype));
}

pt_tensor *max_pool_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  pt_tensor *x = arg[0].t;
  pti_window p = {.adaptive = arg[6].i};
  int64_t size[PT_MAX_DIM];
  const char *name = public_name(op->name, &arg[1], p.adaptive);
  if (!floating(name, x) ||
      !read_window(name, &p, x->size, x->nd, pti_working(x), arg + 1, arg[5].i, size)) {
    return NULL;
  }
  pt_dtype dtype = x->dtype;
  pt_tensor *y = pti_new(size, x->nd, p.dtype, pti_dev(x));
  more[0] = pti_new(size, x->nd, PT_I64, pti_dev(x));
  x = pti_dense_of(pti_cast(x, p.dtype));
  if (!x || !y || !more[0]) return NULL;
  const pti_device *dev = pti_device_at(pti_dev(x));
  if (dev->kernels->max_pool == NULL)
    return pti_fail(PT_EDEVICE, "%s: no kernel on %s", op->name, dev->name);
  if (y->numel && !dev->kernels->max_pool(dev->index, &p, pti_ptr(x), pti_ptr(y),
                                          (int64_t *)pti_ptr(more[0]), pti_this.index_base)) {
    return NULL;
  }
  return pti_cast(y, dtype);
}

/* Planes flat: the gradient goes where the largest came from. */
bool max_pool_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const pti_edge *e = &n->in[0];
  pt_tensor *index = pti_saved_out(n, 1);
  if (index == NULL || g[0] == NULL) return false;
  int64_t in = 1, out = 1, planes = 1;
  int dims = n->arg[1].n;
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

static void read_average(pti_window *p, const pt_arg *arg) {
  *p = (pti_window){.count_pad = arg[1].i, .divisor = arg[2].f, .adaptive = arg[3].i};
}

pt_tensor *avg_pool_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  pt_tensor *x = arg[0].t;
  pti_window p;
  int64_t size[PT_MAX_DIM];
  pt_arg window[4] = {arg[1], arg[2], arg[3], {.n = -1}};
  read_average(&p, arg + 4);
  const char *name = public_name(op->name, &arg[1], p.adaptive);
  if (!floating(name, x) ||
      !read_window(name, &p, x->size, x->nd, pti_working(x), window, arg[4].i, size)) {
    return NULL;
  }
  pt_dtype dtype = x->dtype;
  pt_tensor *y = pti_new(size, x->nd, p.dtype, pti_dev(x));
  x = pti_dense_of(pti_cast(x, p.dtype));
  if (!x || !y) return NULL;
  const pti_device *dev = pti_device_at(pti_dev(x));
  if (dev->kernels->avg_pool == NULL)
    return pti_fail(PT_EDEVICE, "%s: no kernel on %s", op->name, dev->name);
  if (y->numel && !dev->kernels->avg_pool(dev->index, &p, pti_ptr(x), pti_ptr(y))) return NULL;
  return pti_cast(y, dtype);
}

bool avg_pool_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const pt_arg *a = n->arg;
  gx[0] = pt_avg_pool_grad(g[0], n->in[0].size, n->in[0].nd, a[1].ints, a[1].n, a[2].ints, a[2].n,
                           a[3].ints, a[3].n, a[4].i, a[5].i, a[6].f, a[7].i);
  return gx[0] != NULL;
}

pt_tensor *avg_pool_grad_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  pt_tensor *g = arg[0].t;
  pti_window p;
  int64_t size[PT_MAX_DIM];
  pt_arg window[4] = {arg[2], arg[3], arg[4], {.n = -1}};
  read_average(&p, arg + 5);
  if (!read_window(op->name, &p, arg[1].ints, arg[1].n, pti_working(g), window, arg[5].i, size))
    return NULL;
  if (g->nd != arg[1].n || memcmp(g->size, size, (size_t)g->nd * sizeof *size) != 0) {
    return pti_fail(PT_ESHAPE, "%s: g [%s] for windows over [%s]", op->name, pti_shape_text(g),
                    pti_sizes_text(arg[1].ints, arg[1].n));
  }
  pt_dtype dtype = g->dtype;
  pt_tensor *x = pti_new(arg[1].ints, arg[1].n, p.dtype, pti_dev(g));
  g = pti_dense_of(pti_cast(g, p.dtype));
  if (!x || !g) return NULL;
  const pti_device *dev = pti_device_at(pti_dev(x));
  if (dev->kernels->avg_pool_grad == NULL)
    return pti_fail(PT_EDEVICE, "%s: no kernel on %s", op->name, dev->name);
  if (x->numel && !dev->kernels->avg_pool_grad(dev->index, &p, pti_ptr(g), pti_ptr(x))) return NULL;
  return pti_cast(x, dtype);
}

bool avg_pool_grad_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const pt_arg *a = n->arg;
  gx[0] = pt_avg_pool(g[0], a[2].ints, a[2].n, a[3].ints, a[3].n, a[4].ints, a[4].n, a[5].i, a[6].i,
                      a[7].f, a[8].i);
  return gx[0] != NULL;
}
