/* conv.c: convolution and transposed convolution in one to three dims. Both gradients are
   convolutions again, so derivatives of any order need no more than the two ops of this file. */
#include <stdio.h>

#include "ops.h"

/* The name under which scripts know the call, for messages. */
static const char *name_of(int nd, bool transposed) {
  static const char *const name[2][3] = {
      {"conv1d", "conv2d", "conv3d"}, {"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"}};
  return name[transposed][nd - 1];
}

/* One number stands for all dims; `low` is the least that makes sense. */
static bool read_list(const char *op, const char *what, const pt_arg *a, int nd, int64_t low,
                      int64_t otherwise, int64_t *out) {
  for (int d = 0; d < 3; d++) out[d] = otherwise;
  if (!a->given || a->n <= 0) return true;
  if (a->n != 1 && a->n != nd) {
    return pti_refuse(PT_EARG, "%s: %s has %d numbers, not 1 or %d", op, what, a->n, nd);
  }
  for (int d = 0; d < nd; d++) {
    int64_t v = a->ints[a->n == 1 ? 0 : d];
    if (v < low || v > INT32_MAX) {
      return pti_refuse(PT_EARG, "%s: %s is %lld, but must be at least %lld", op, what,
                        (long long)v, (long long)low);
    }
    out[3 - nd + d] = v;
  }
  return true;
}

typedef struct geometry {
  const char *name;
  int nd;
  bool transposed;
  int64_t extra[3]; /* output_padding */
  pti_conv p;       /* the underlying convolution, whose input is the transposed one's output */
} geometry;

/* Sizes of (n, channels, spatial...) padded to three spatial dims. */
static void spatial(const int64_t *size, int nd, int64_t out[3]) {
  for (int d = 0; d < 3; d++) out[d] = d < 3 - nd ? 1 : size[2 + d - (3 - nd)];
}

static bool read_steps(geometry *q, const pt_arg *stride, const pt_arg *padding,
                       const pt_arg *dilation, int64_t groups) {
  pti_conv *p = &q->p;
  p->groups = groups;
  if (groups < 1)
    return pti_refuse(PT_EARG, "%s: groups is %lld, but must be at least 1", q->name,
                      (long long)groups);
  return read_list(q->name, "stride", stride, q->nd, 1, 1, p->stride) &&
      read_list(q->name, "padding", padding, q->nd, 0, 0, p->pad) &&
      read_list(q->name, "dilation", dilation, q->nd, 1, 1, p->dil);
}

/* Inputs from the first to the last of a window; as many as no tensor has where int64 would not hold them. */
static int64_t reach(const pti_conv *p, int d) {
  const int64_t far = (int64_t)1 << 60;
  int64_t taps;
  return pti_mul(p->dil[d], p->k[d] - 1, &taps) && taps < far ? taps + 1 : far;
}

/* Output size of the call in dim d, from its input size. */
static int64_t output_size(const geometry *q, int64_t in, int d) {
  const pti_conv *p = &q->p;
  if (q->transposed) return (in - 1) * p->stride[d] - 2 * p->pad[d] + reach(p, d) + q->extra[d];
  int64_t room = in + 2 * p->pad[d] - reach(p, d);
  return room < 0 ? -1 : room / p->stride[d] + 1;
}

static bool check_channels(const geometry *q, const pt_tensor *x, const pt_tensor *w) {
  int64_t channels, want;
  if (!pti_mul(w->size[1], q->p.groups, &channels)) {
    return pti_refuse(PT_ESHAPE, "%s: weight [%s] does not divide into %lld groups", q->name,
                      pti_shape_text(w), (long long)q->p.groups);
  }
  want = q->transposed ? w->size[0] : channels;
  if (x->size[1] != want) {
    return pti_refuse(PT_ESHAPE, "%s: x [%s] has %lld channels, weight [%s] wants %lld", q->name,
                      pti_shape_text(x), (long long)x->size[1], pti_shape_text(w), (long long)want);
  }
  if (w->size[0] % q->p.groups) {
    return pti_refuse(PT_ESHAPE, "%s: weight [%s] does not divide into %lld groups", q->name,
                      pti_shape_text(w), (long long)q->p.groups);
  }
  return true;
}

static bool read_geometry(geometry *q, const convolution_args *args, int64_t *size) {
  const pt_tensor *x = args->x, *w = args->weight;
  bool transposed = args->transposed;
  q->nd = w->nd - 2;
  if (q->nd < 1 || q->nd > 3 || x->nd != w->nd) {
    return pti_refuse(PT_ESHAPE, "convolution: x [%s] (n, c, ...) and weight [%s] do not fit",
                      pti_shape_text(x), pti_shape_text(w));
  }
  q->transposed = transposed;
  q->name = name_of(q->nd, transposed);
  if (!read_steps(q, args->stride, args->padding, args->dilation, args->groups) ||
      !check_channels(q, x, w) ||
      !read_list(q->name, "output_padding", args->output_padding, q->nd, 0, 0, q->extra)) {
    return false;
  }
  if (x->dtype != w->dtype) {
    return pti_refuse(PT_EDTYPE, "%s: x is %s, weight is %s", q->name, pt_dtype_name(x->dtype),
                      pt_dtype_name(w->dtype));
  }
  pti_conv *p = &q->p;
  int64_t in[3], out[3];
  spatial(w->size, q->nd, p->k);
  spatial(x->size, q->nd, in);
  p->n = x->size[0];
  p->o = w->size[0];
  p->c = w->size[1] * p->groups;
  for (int d = 0; d < 3; d++) {
    out[d] = output_size(q, in[d], d);
    if (out[d] < (transposed ? 1 : 0) || p->k[d] < 1) {
      return pti_refuse(PT_ESHAPE, "%s: a kernel [%s] does not fit into x [%s] with this padding",
                        q->name, pti_sizes_text(w->size + 2, q->nd), pti_shape_text(x));
    }
    if (d >= 3 - q->nd) size[2 + d - (3 - q->nd)] = out[d];
  }
  memcpy(p->in, transposed ? out : in, sizeof in);
  memcpy(p->out, transposed ? in : out, sizeof in);
  size[0] = x->size[0];
  size[1] = transposed ? p->c : p->o;
  return true;
}

static pt_tensor *ready(pt_tensor *x, pt_dtype dtype) { return pti_dense_of(pti_cast(x, dtype)); }

pt_tensor *convolution_run(const convolution_args *args) {
  geometry q = {0};
  int64_t size[PT_MAX_DIM];
  pt_tensor *x = args->x, *w = args->weight, *b = args->bias;
  if (!read_geometry(&q, args, size)) return NULL;
  if (!pti_is(x->dtype, PTI_FLOATS)) {
    return pti_fail(PT_EDTYPE, "%s: %s tensors are not supported", q.name, pt_dtype_name(x->dtype));
  }
  if (b && (b->nd != 1 || b->size[0] != size[1])) {
    return pti_fail(PT_ESHAPE, "%s: bias [%s] for %lld output channels", q.name, pti_shape_text(b),
                    (long long)size[1]);
  }
  q.p.dtype = b && b->dtype != x->dtype ? pti_computed(x) : pti_working(x);
  pt_dtype dtype = x->dtype;
  pt_tensor *y = pti_new(size, x->nd, q.p.dtype, pti_dev(x));
  x = ready(x, q.p.dtype);
  w = ready(w, q.p.dtype);
  if (b && !(b = ready(b, q.p.dtype))) return NULL;
  if (x == NULL || w == NULL || y == NULL) return NULL;
  if (y->numel == 0) return pti_cast(y, dtype);
  const pti_device *dev = pti_device_at(pti_dev(x));
  const void *bias = b ? pti_ptr(b) : NULL;
  if ((q.transposed ? dev->kernels->conv_data : dev->kernels->conv) == NULL) {
    return pti_fail(PT_EDEVICE, "%s: no kernel on %s", q.name, dev->name);
  }
  bool ok = q.transposed
      ? dev->kernels->conv_data(dev->index, &q.p, pti_ptr(x), pti_ptr(w), bias, pti_ptr(y))
      : dev->kernels->conv(dev->index, &q.p, pti_ptr(x), pti_ptr(w), bias, pti_ptr(y));
  return ok ? pti_cast(y, dtype) : NULL;
}

/* How windows lie: what both ops take. */
typedef struct steps {
  const pt_arg *stride, *padding, *dilation;
  int64_t groups;
} steps;

static int64_t step_at(const pt_arg *list, int d, int64_t otherwise) {
  return list->n > 0 ? list->ints[list->n == 1 ? 0 : d] : otherwise;
}

/* What a transposed convolution must add at its end to give `want` (spatial sizes) from `have`. */
static void padding_for(const steps *q, const int64_t *k, const int64_t *want, const int64_t *have,
                        int nd, int64_t *extra) {
  for (int d = 0; d < nd; d++) {
    int64_t s = step_at(q->stride, d, 1), p = step_at(q->padding, d, 0);
    int64_t l = step_at(q->dilation, d, 1);
    extra[d] = want[d] - ((have[d] - 1) * s - 2 * p + l * (k[d] - 1) + 1);
  }
}

/* conv(x) or, transposed, the convolution back to spatial sizes `want`. */
static pt_tensor *convolve(pt_tensor *x, pt_tensor *w, const steps *q, bool transposed,
                           const int64_t *want) {
  if (x == NULL || w == NULL) return NULL;
  int64_t extra[3] = {0};
  int nd = w->nd - 2;
  if (transposed) padding_for(q, w->size + 2, want + 2, x->size + 2, nd, extra);
  pt_tensor *y = pt_convolution(x, w, NULL, q->stride->ints, q->stride->n, q->padding->ints,
                                q->padding->n, q->dilation->ints, q->dilation->n, q->groups,
                                transposed, extra, transposed ? nd : -1);
  for (int d = 2; y && d < nd + 2; d++) { /* windows that begin in what output_padding added */
    if (y->size[d] > want[d]) y = pt_narrow(y, d, 0, want[d]);
  }
  return y;
}

static pt_tensor *weight_gradient(pt_tensor *x, pt_tensor *g, const int64_t *size, int nd,
                                  const steps *q, bool transposed) {
  return pt_convolution_weight(x, g, size, nd, q->stride->ints, q->stride->n, q->padding->ints,
                               q->padding->n, q->dilation->ints, q->dilation->n, q->groups,
                               transposed);
}

/* gx is the convolution of the other kind; gw correlates x and g; gb sums g over all but channels. */
bool convolution_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const convolution_args args = convolution_args_of(n->op, n->arg, NULL);
  bool transposed = args.transposed;
  const steps step = {args.stride, args.padding, args.dilation, args.groups};
  if (pti_wants(n, 0) &&
      !(gx[0] = convolve(g[0], pti_saved(n, 1), &step, !transposed, n->in[0].size)))
    return false;
  if (pti_wants(n, 1)) {
    pt_tensor *x = pti_saved(n, 0);
    if (!x || !(gx[1] = weight_gradient(x, g[0], n->in[1].size, n->in[1].nd, &step, transposed)))
      return false;
  }
  if (n->nin > 2 && pti_wants(n, 2)) {
    int64_t dims[PT_MAX_DIM] = {0};
    for (int d = 1; d < g[0]->nd - 1; d++) dims[d] = d + 1;
    if (!(gx[2] = pt_sum(g[0], dims, g[0]->nd - 1, false, -1))) return false;
  }
  return true;
}

/* Gradient of the weight (size): of y = conv(x) with gradient g; transposed: of y =
   conv_transpose(x). */
pt_tensor *convolution_weight_run(const convolution_weight_args *args) {
  bool transposed = args->transposed;
  pt_tensor *in = transposed ? args->g : args->x, *out = transposed ? args->x : args->g;
  geometry q = {.nd = in->nd - 2, .transposed = transposed};
  if (q.nd < 1 || q.nd > 3 || args->size->n != in->nd || out->nd != in->nd) {
    return pti_fail(PT_ESHAPE, "convolution_weight: x [%s], g [%s] and size [%s] do not fit",
                    pti_shape_text(args->x), pti_shape_text(args->g),
                    pti_sizes_text(args->size->ints, args->size->n));
  }
  q.name = name_of(q.nd, transposed);
  int64_t numel, channels;
  size_t bytes;
  if (!pti_check_sizes(q.name, args->size->ints, args->size->n, in->dtype, &numel, &bytes) ||
      !read_steps(&q, args->stride, args->padding, args->dilation, args->groups))
    return NULL;
  pti_conv *p = &q.p;
  pt_dtype dtype = in->dtype;
  p->dtype = in->dtype == out->dtype ? pti_working(in) : pti_computed(in);
  p->n = in->size[0];
  p->c = in->size[1];
  p->o = out->size[1];
  spatial(args->size->ints, q.nd, p->k);
  spatial(in->size, q.nd, p->in);
  spatial(out->size, q.nd, p->out);
  bool fits = args->size->ints[0] == p->o && pti_mul(args->size->ints[1], p->groups, &channels) &&
      channels == p->c && out->size[0] == p->n && p->o % p->groups == 0;
  q.transposed = false;
  for (int d = 0; d < 3;
       d++) { /* x is smaller than conv(g) where output_padding goes beyond stride */
    int64_t most = output_size(&q, p->in[d], d);
    fits = fits && (transposed ? p->out[d] <= most : p->out[d] == most);
  }
  if (!fits) {
    return pti_fail(PT_ESHAPE, "convolution_weight: x [%s], g [%s] and size [%s] do not fit",
                    pti_shape_text(args->x), pti_shape_text(args->g),
                    pti_sizes_text(args->size->ints, args->size->n));
  }
  if (in->numel == 0 || out->numel == 0) /* nothing to sum */
    return pt_zeros(args->size->ints, args->size->n, dtype, pti_dev(in));
  pt_tensor *w = pti_new(args->size->ints, args->size->n, p->dtype, pti_dev(in));
  in = ready(in, p->dtype);
  out = ready(out, p->dtype);
  if (!in || !out || !w) return NULL;
  const pti_device *dev = pti_device_at(pti_dev(in));
  if (dev->kernels->conv_weight == NULL)
    return pti_fail(PT_EDEVICE, "%s: no kernel on %s", q.name, dev->name);
  if (w->numel && !dev->kernels->conv_weight(dev->index, p, pti_ptr(in), pti_ptr(out), pti_ptr(w)))
    return NULL;
  return pti_cast(w, dtype);
}

/* The weight's gradient is linear in x and in g: each derivative is a convolution with the incoming
   weight. */
bool convolution_weight_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const convolution_weight_args args = convolution_weight_args_of(n->op, n->arg, NULL);
  bool transposed = args.transposed;
  const steps step = {args.stride, args.padding, args.dilation, args.groups};
  if (pti_wants(n, 0) &&
      !(gx[0] = convolve(pti_saved(n, 1), g[0], &step, !transposed, n->in[0].size)))
    return false;
  if (pti_wants(n, 1) &&
      !(gx[1] = convolve(pti_saved(n, 0), g[0], &step, transposed, n->in[1].size)))
    return false;
  return true;
}
