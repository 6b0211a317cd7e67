/* sort.c: sort and topk, running sums and extremes, search in sorted lines. */
#include <string.h>

#include "node.h"
#include "ops.h"
#include "slots.h"
#include "tensor.h"

/* A dense tensor as lines along dim. */
static pti_rows lines(const pt_tensor *x, int dim) {
  pti_rows r = {.dtype = x->dtype, .outer = 1, .n = x->nd ? x->size[dim] : 1, .inner = 1};
  for (int d = 0; d < x->nd; d++) {
    if (d < dim) r.outer *= x->size[d];
    if (d > dim) r.inner *= x->size[d];
  }
  return r;
}

static const pti_device *device_of(const pt_op *op, const pt_tensor *x, bool has_kernel) {
  const pti_device *dev = pti_device_at(pti_dev(x));
  return has_kernel ? dev : pti_fail(PT_EDEVICE, "%s: no kernel on %s", op->name, dev->name);
}

/* The first k of the sorted line. */
static pt_tensor *sorted(const pt_op *op, pt_tensor *x, int dim, int64_t k, bool descending,
                         pt_tensor **index) {
  const pti_device *dev = device_of(op, x, pti_device_at(pti_dev(x))->kernels->sort != NULL);
  int64_t size[PT_MAX_DIM];
  memcpy(size, x->size, sizeof size);
  if (x->nd) size[dim] = k;
  pt_tensor *y = pti_new(size, x->nd, x->dtype, pti_dev(x));
  *index = pti_new(size, x->nd, PT_I64, pti_dev(x));
  x = pti_dense_of(x);
  if (!dev || !x || !y || !*index) return NULL;
  if (pti_is(x->dtype, PTI_COMPLEX))
    return pti_fail(PT_EDTYPE, "%s: complex numbers have no order", op->name);
  bool ok = y->numel == 0 ||
      dev->kernels->sort(dev->index, lines(x, dim), descending, pti_ptr(x), k, pti_ptr(y),
                         (int64_t *)pti_ptr(*index), pti_this.index_base);
  return ok ? y : NULL;
}

pt_tensor *sort_run(const sort_args *args) {
  int dim;
  pt_tensor *x = args->x;
  if (!pti_dim(args->op->name, args->dim, x->nd, &dim)) return NULL;
  return sorted(args->op, x, dim, x->nd ? x->size[dim] : 1, args->descending, &*args->indices);
}

/* Gradients go back to where the values came from. */
static bool put_back(pt_tensor *g, pt_tensor *index, const pti_edge *e, int64_t dim,
                     pt_tensor **gx) {
  if (g == NULL || index == NULL) return false;
  pt_tensor *zero = pt_zeros(e->size, e->nd, g->dtype, pti_dev(g));
  return (gx[0] = pt_scatter_add(zero, (int)dim, index, g)) != NULL;
}

bool sort_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const sort_args args = sort_args_of(n->op, n->arg, NULL);
  return put_back(g[0], pti_saved_out(n, 1), &n->in[0], args.dim, gx);
}

pt_tensor *topk_run(const topk_args *args) {
  int dim;
  pt_tensor *x = args->x;
  int64_t k = args->k;
  if (!pti_dim(args->op->name, args->dim, x->nd, &dim)) return NULL;
  int64_t n = x->nd ? x->size[dim] : 1;
  if (k < 0 || k > n) {
    return pti_fail(PT_EARG, "topk: k is %lld, but dim %d of x [%s] has %lld entries", (long long)k,
                    dim + pti_this.index_base, pti_shape_text(x), (long long)n);
  }
  return sorted(args->op, x, dim, k, args->largest, &*args->indices);
}
bool topk_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const topk_args args = topk_args_of(n->op, n->arg, NULL);
  return put_back(g[0], pti_saved_out(n, 1), &n->in[0], args.dim, gx);
}

pt_tensor *kthvalue_run(const kthvalue_args *args) {
  const pt_op *op = args->op;
  pt_tensor *x = args->x;
  int dim;
  if (!pti_dim(op->name, args->dim, x->nd, &dim)) return NULL;
  int64_t n = x->nd ? x->size[dim] : 1, size[PT_MAX_DIM];
  if (args->k < 1 || args->k > n) {
    return pti_fail(PT_EARG, "%s: k is %lld, but dim %lld has %lld entries", op->name,
                    (long long)args->k, pti_shown(args->dim), (long long)n);
  }
  int nd = 0;
  for (int d = 0; d < x->nd; d++) {
    if (d != dim || args->keepdim) size[nd++] = d == dim ? 1 : x->size[d];
  }
  const pti_device *dev = device_of(op, x, pti_device_at(pti_dev(x))->kernels->kth != NULL);
  pt_tensor *y = pti_new(size, nd, x->dtype, pti_dev(x));
  *args->indices = pti_new(size, nd, PT_I64, pti_dev(x));
  x = pti_dense_of(x);
  if (!dev || !x || !y || !*args->indices) return NULL;
  bool ok = y->numel == 0 ||
      dev->kernels->kth(dev->index, lines(x, dim), args->k - 1, pti_ptr(x), pti_ptr(y),
                        (int64_t *)pti_ptr(*args->indices), pti_this.index_base);
  return ok ? y : NULL;
}
bool kthvalue_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const kthvalue_args args = kthvalue_args_of(n->op, n->arg, NULL);
  pt_tensor *index = pti_saved_out(n, 1), *gy = g[0];
  int dim;
  if (n->in[0].nd == 0) return (gx[0] = gy) != NULL;
  if (!index || !gy || !pti_dim(n->op->name, args.dim, n->in[0].nd, &dim)) return false;
  if (!args.keepdim) index = pt_unsqueeze(index, dim), gy = pt_unsqueeze(gy, dim);
  return put_back(gy, index, &n->in[0], dim, gx);
}

/* ---- running sums and extremes ---- */

static pt_tensor *scan(const pt_op *op, pt_tensor *x, int64_t at, pti_scan kind, bool reverse,
                       pt_dtype dtype, pt_tensor **index) {
  int dim;
  const pti_device *dev = device_of(op, x, pti_device_at(pti_dev(x))->kernels->scan != NULL);
  if (!dev || !pti_dim(op->name, at, x->nd, &dim)) return NULL;
  static const pt_dtype wide[] = {PT_F32, PT_F64, PT_I64};
  pt_dtype compute = wide[pti_compute_of(dtype)];
  x = pti_dense_of(pti_cast(pti_cast(x, dtype), compute));
  pt_tensor *y = x ? pti_new_like(x, compute) : NULL;
  if (y == NULL || (index && !(*index = pti_new_like(x, PT_I64)))) return NULL;
  if (y->numel &&
      !dev->kernels->scan(dev->index, lines(x, dim), kind, reverse, pti_ptr(x), pti_ptr(y),
                          index ? (int64_t *)pti_ptr(*index) : NULL, pti_this.index_base)) {
    return NULL;
  }
  return pti_cast(y, dtype);
}

/* Sums and products of integers are int64 unless told otherwise. */
static pt_dtype sum_dtype(const pt_tensor *x, const pt_arg *dtype) {
  if (dtype->given) return dtype->i;
  return pti_is(x->dtype, PTI_INTS | PTI_BOOLS) ? PT_I64 : x->dtype;
}

pt_tensor *cumsum_run(const cumsum_args *args) {
  return scan(args->op, args->x, args->dim, PTI_SCAN_SUM, args->reverse,
              sum_dtype(args->x, args->dtype), NULL);
}
bool cumsum_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const cumsum_args args = cumsum_args_of(n->op, n->arg, NULL);
  pt_tensor *t = pt_cumsum(g[0], (int)args.dim, -1, !args.reverse);
  if (t && t->dtype != n->in[0].dtype) t = pt_to_dtype(t, n->in[0].dtype);
  return (gx[0] = t) != NULL;
}

pt_tensor *cumprod_run(const cumprod_args *args) {
  return scan(args->op, args->x, args->dim, PTI_SCAN_PROD, false, sum_dtype(args->x, args->dtype),
              NULL);
}

/* Entries `by` and more places later along dim, then `rest` in the last places. */
static pt_tensor *later(pt_tensor *t, int dim, int64_t by, pt_tensor *rest) {
  if (t == NULL || rest == NULL) return NULL;
  int64_t n = t->size[dim];
  return pt_cat((pt_tensor *[]){pt_narrow(t, dim, by, n - by), pt_narrow(rest, dim, 0, by)}, 2,
                dim);
}

/* The gradient of cumprod without a division, so that its own gradient is right where x has zeros: the product of what
   stands before x[k], times s[k] = g[k] + x[k + 1] s[k + 1], which is found by doubling. */
static pt_tensor *cumprod_grad_in_ops(pt_tensor *x, pt_tensor *g, int dim) {
  pt_tensor *none = pt_zeros(x->size, x->nd, x->dtype, pti_dev(x));
  pt_tensor *one = pt_ones(x->size, x->nd, x->dtype, pti_dev(x));
  int64_t n = x->size[dim];
  pt_tensor *before[] = {pt_narrow(one, dim, 0, 1),
                         pt_cumprod(pt_narrow(x, dim, 0, n - 1), dim, -1)};
  pt_tensor *factor = later(x, dim, 1, none), *s = g;
  for (int64_t by = 1; by < n && s && factor; by *= 2) {
    s = pt_add(s, pt_mul(factor, later(s, dim, by, none)));
    factor = pt_mul(factor, later(factor, dim, by, none));
  }
  return pt_mul(pt_cat(before, 2, dim), s);
}

/* gx[k] = sum over i >= k of g[i] times the product of x[0 .. i] without x[k]. Where no x is zero
   that is the sum of g y from the end over x; at and after a line's first zero the products are
   made anew, from x with a one in the place of that zero; after a second zero nothing is left. */
bool cumprod_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const cumprod_args args = cumprod_args_of(n->op, n->arg, NULL);
  pt_tensor *x = pti_saved(n, 0), *y = pti_saved_out(n, 0), *zero, *none = pt_scalar_int(0),
            *one = pt_scalar_int(1);
  int dim = (int)args.dim;
  double zeros;
  if (x == NULL || y == NULL) return false;
  if (x->dtype != y->dtype) x = pt_to_dtype(x, y->dtype);
  zero = pt_eq(x, none);
  if (pt_grad_enabled() && x && x->nd > 0 && x->numel > 0) {
    if (!pti_dim(n->op->name, args.dim, x->nd, &dim)) return false;
    if (!pt_item(pt_any(zero, NULL, -1, false), &zeros)) return false;
    if (zeros != 0)
      return (gx[0] = pti_grad_as(cumprod_grad_in_ops(x, g[0], dim), &n->in[0])) != NULL;
  }
  pt_tensor *count = pt_cumsum(zero, dim, PT_I64, false); /* zeros up to here */
  pt_tensor *first = pt_logical_and(zero, pt_eq(count, one));
  pt_tensor *plain = pt_div(pt_cumsum(pt_mul(g[0], y), dim, -1, true), pt_where(zero, one, x));
  pt_tensor *rest =
      pt_cumprod(pt_where(first, one, x), dim, -1); /* what y is without the first zero */
  pt_tensor *tail = pt_where(pt_eq(count, one), pt_mul(g[0], rest), none);
  pt_tensor *at_first = pt_cumsum(tail, dim, -1, true);
  pt_tensor *before = pt_where(pt_eq(count, none), plain, none);
  pt_tensor *t = pt_where(first, at_first, before);
  if (t && t->dtype != n->in[0].dtype) t = pt_to_dtype(t, n->in[0].dtype);
  return (gx[0] = t) != NULL;
}

pt_tensor *cummax_run(const cummax_args *args) {
  return scan(args->op, args->x, args->dim, PTI_SCAN_MAX, false, args->x->dtype, &*args->indices);
}
bool cummax_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const cummax_args args = cummax_args_of(n->op, n->arg, NULL);
  return put_back(g[0], pti_saved_out(n, 1), &n->in[0], args.dim, gx);
}

pt_tensor *cummin_run(const cummin_args *args) {
  return scan(args->op, args->x, args->dim, PTI_SCAN_MIN, false, args->x->dtype, &*args->indices);
}
bool cummin_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const cummin_args args = cummin_args_of(n->op, n->arg, NULL);
  return put_back(g[0], pti_saved_out(n, 1), &n->in[0], args.dim, gx);
}

/* ---- search ---- */

pt_tensor *searchsorted_run(const searchsorted_args *args) {
  pt_tensor *sorted_in = args->sorted, *v = args->values;
  bool lines_match = sorted_in->nd == 1 || (sorted_in->nd == v->nd && sorted_in->nd > 0);
  for (int d = 0; lines_match && sorted_in->nd > 1 && d < v->nd - 1; d++)
    lines_match = sorted_in->size[d] == v->size[d];
  if (!lines_match) {
    return pti_fail(
        PT_ESHAPE,
        "searchsorted: sorted [%s] and values [%s]: all dims but the last must agree, or sorted "
        "has one dim",
        pti_shape_text(sorted_in), pti_shape_text(v));
  }
  pt_tensor *both[2] = {sorted_in, v};
  pt_dtype dtype = pti_promote(sorted_in->dtype, v->dtype);
  for (int i = 0; i < 2; i++) {
    if (!(both[i] = pti_dense_of(pti_cast(both[i], dtype)))) return NULL;
  }
  const pti_device *dev =
      device_of(args->op, v, pti_device_at(pti_dev(v))->kernels->search != NULL);
  pt_tensor *y = pti_new_like(v, PT_I64);
  if (!dev || !y) return NULL;
  pti_rows r = lines(both[0], both[0]->nd - 1);
  int64_t per_line = v->nd ? v->size[v->nd - 1] : 1;
  bool ok = y->numel == 0 ||
      dev->kernels->search(dev->index, r, args->right, pti_ptr(both[0]), pti_ptr(both[1]), y->numel,
                           per_line, (int64_t *)pti_ptr(y), pti_this.index_base);
  return ok ? y : NULL;
}
