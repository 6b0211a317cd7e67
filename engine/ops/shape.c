/* shape.c: ops that change geometry: views (which share memory and know their base), and the copies
   that go with them. A view's gradient is the inverse view, or zeros with the gradient written
   where the view lay. */
#include "ops.h"

/* ---- the same elements under other sizes ---- */

/* Sizes with one -1 replaced by what is left over; checks that the elements of x fill them. */
static bool fill_in_sizes(const char *op, const pt_tensor *x, const pt_arg *arg, int64_t *size) {
  int64_t known = 1;
  int open = -1;
  if (arg->n > PT_MAX_DIM) {
    return pti_refuse(PT_ESHAPE, "%s: %d dims, but at most %d are supported", op, arg->n,
                      PT_MAX_DIM);
  }
  const char *text = pti_sizes_text(arg->ints, arg->n);
  for (int d = 0; d < arg->n; d++) {
    size[d] = arg->ints[d];
    if (size[d] == -1 && open >= 0) {
      return pti_refuse(PT_ESHAPE, "%s: size [%s] leaves more than one dim open", op, text);
    }
    if (size[d] == -1) {
      open = d;
    } else if (size[d] < 0 || !pti_mul(known, size[d], &known)) {
      return pti_refuse(PT_ESHAPE, "%s: size [%s] is not possible", op, text);
    }
  }
  if (open >= 0 && known == 0) {
    return pti_refuse(PT_ESHAPE,
                      "%s: size [%s]: -1 could be anything, as the other sizes hold no element", op,
                      text);
  }
  if (open >= 0 ? x->numel % known != 0 : x->numel != known) {
    return pti_refuse(PT_ESHAPE, "%s: x [%s] has %lld elements, which do not fill [%s]", op,
                      pti_shape_text(x), (long long)x->numel, text);
  }
  if (open >= 0) size[open] = x->numel / known;
  return true;
}

pt_tensor *view_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  pt_tensor *x = arg[0].t;
  int64_t size[PT_MAX_DIM], stride[PT_MAX_DIM];
  if (!fill_in_sizes(op->name, x, &arg[1], size)) return NULL;
  if (!pti_view_strides(x, size, arg[1].n, stride)) {
    return pti_fail(
        PT_ESHAPE,
        "%s: x [%s] with strides [%s] cannot be seen as [%s] without a copy; use reshape", op->name,
        pti_shape_text(x), pti_sizes_text(x->stride, x->nd), pti_sizes_text(size, arg[1].n));
  }
  return pti_view(x, size, stride, arg[1].n, x->offset, true);
}

bool view_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  gx[0] = pt_reshape(g[0], n->in[0].size, n->in[0].nd);
  return gx[0] != NULL;
}

pt_tensor *reshape_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  pt_tensor *x = arg[0].t;
  int64_t size[PT_MAX_DIM], stride[PT_MAX_DIM];
  if (!fill_in_sizes(op->name, x, &arg[1], size)) return NULL;
  if (!pti_view_strides(x, size, arg[1].n, stride)) x = pt_clone(x);
  return pt_view(x, size, arg[1].n);
}

pt_tensor *flatten_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  pt_tensor *x = arg[0].t;
  int from, to, nd = 0;
  if (!pti_dim(op->name, arg[1].i, x->nd, &from) || !pti_dim(op->name, arg[2].i, x->nd, &to))
    return NULL;
  if (from > to) {
    return pti_fail(PT_EARG, "%s: start_dim %lld comes after end_dim %lld", op->name,
                    pti_shown(from), pti_shown(to));
  }
  int64_t size[PT_MAX_DIM] = {1}, merged = 1;
  for (int d = 0; d < x->nd; d++) {
    merged = d >= from && d <= to ? merged * x->size[d] : 1;
    if (d < from || d > to) size[nd++] = x->size[d];
    if (d == to) size[nd++] = merged;
  }
  return pt_reshape(x, size, x->nd ? nd : 1);
}

pt_tensor *squeeze_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  pt_tensor *x = arg[0].t;
  bool drop[PT_MAX_DIM];
  if (!pti_dim_set(op->name, &arg[1], x->nd, drop)) return NULL;
  pti_geometry q = {.offset = x->offset};
  for (int d = 0; d < x->nd; d++) {
    if (drop[d] && x->size[d] == 1) continue;
    q.size[q.nd] = x->size[d];
    q.stride[q.nd++] = x->stride[d];
  }
  return pti_view_at(x, &q, true);
}
bool squeeze_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) { return view_vjp(n, g, gx); }

pt_tensor *unsqueeze_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  pt_tensor *x = arg[0].t;
  int dim;
  if (!pti_dim(op->name, arg[1].i, x->nd + 1, &dim)) return NULL;
  if (x->nd == PT_MAX_DIM) {
    return pti_fail(PT_ESHAPE, "%s: x [%s] has %d dims already, the most that are supported",
                    op->name, pti_shape_text(x), PT_MAX_DIM);
  }
  pti_geometry q = pti_geometry_of(x);
  size_t tail = (size_t)(x->nd - dim) * sizeof *q.size;
  memmove(q.size + dim + 1, q.size + dim, tail);
  memmove(q.stride + dim + 1, q.stride + dim, tail);
  q.nd++;
  q.stride[dim] = dim < x->nd ? x->size[dim] * x->stride[dim] : 1;
  q.size[dim] = 1;
  return pti_view_at(x, &q, true);
}
bool unsqueeze_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) { return view_vjp(n, g, gx); }

/* ---- dims in another order ---- */

pt_tensor *transpose_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  pt_tensor *x = arg[0].t;
  int a, b;
  if (!pti_dim(op->name, arg[1].i, x->nd, &a) || !pti_dim(op->name, arg[2].i, x->nd, &b))
    return NULL;
  pti_geometry q = pti_geometry_of(x);
  if (x->nd) {
    q.size[a] = x->size[b];
    q.stride[a] = x->stride[b];
    q.size[b] = x->size[a];
    q.stride[b] = x->stride[a];
  }
  return pti_view_at(x, &q, true);
}

bool transpose_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  gx[0] = pt_transpose(g[0], (int)n->arg[1].i, (int)n->arg[2].i);
  return gx[0] != NULL;
}

pt_tensor *t_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  pt_tensor *x = arg[0].t;
  if (x->nd > 2) {
    return pti_fail(PT_ESHAPE, "%s: x [%s] is not a matrix; use transpose or permute", op->name,
                    pti_shape_text(x));
  }
  return x->nd == 2 ? pt_transpose(x, 0, 1) : pti_borrow(x);
}

pt_tensor *permute_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  pt_tensor *x = arg[0].t;
  bool seen[PT_MAX_DIM];
  if (!pti_dim_set(op->name, &arg[1], x->nd, seen)) return NULL;
  if (arg[1].n != x->nd) {
    return pti_fail(PT_EARG, "%s: %d dims given for x [%s] of %d", op->name, arg[1].n,
                    pti_shape_text(x), x->nd);
  }
  pti_geometry q = {.nd = x->nd, .offset = x->offset};
  for (int i = 0; i < x->nd; i++) {
    int d = (int)(arg[1].ints[i] < 0 ? arg[1].ints[i] + x->nd : arg[1].ints[i]);
    q.size[i] = x->size[d];
    q.stride[i] = x->stride[d];
  }
  return pti_view_at(x, &q, true);
}

bool permute_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  int nd = n->arg[1].n;
  int64_t back[PT_MAX_DIM];
  for (int i = 0; i < nd; i++)
    back[n->arg[1].ints[i] < 0 ? n->arg[1].ints[i] + nd : n->arg[1].ints[i]] = i;
  gx[0] = pt_permute(g[0], back, nd);
  return gx[0] != NULL;
}

/* ---- repeated without memory ---- */

pt_tensor *expand_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  pt_tensor *x = arg[0].t;
  pti_geometry q = {.nd = arg[1].n, .offset = x->offset};
  int lead = q.nd - x->nd;
  if (lead < 0 || q.nd > PT_MAX_DIM) {
    return pti_fail(PT_ESHAPE, "%s: x [%s] has %d dims, size [%s] has %d", op->name,
                    pti_shape_text(x), x->nd, pti_sizes_text(arg[1].ints, q.nd), q.nd);
  }
  for (int d = 0; d < q.nd; d++) {
    int64_t have = d < lead ? 1 : x->size[d - lead], want = arg[1].ints[d];
    if (want == -1 && d >= lead) want = have;
    if (want < 0 || (have != want && have != 1)) {
      return pti_fail(PT_ESHAPE, "%s: x [%s] does not expand to [%s]: dim %lld has %lld entries",
                      op->name, pti_shape_text(x), pti_sizes_text(arg[1].ints, q.nd), pti_shown(d),
                      (long long)have);
    }
    q.size[d] = want;
    q.stride[d] = have == want && d >= lead ? x->stride[d - lead] : 0;
  }
  return pti_view_at(x, &q, true);
}

bool expand_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  gx[0] = pti_sum_to(g[0], n->in[0].size, n->in[0].nd);
  return gx[0] != NULL;
}

/* ---- a part of one dim ----
   Each of the three narrows a geometry in place: x's own in run, that of the dense input in vjp. */

static bool part_of_dim(const char *op, const pt_arg *dim, pti_geometry *q, int *d) {
  if (q->nd == 0) return pti_refuse(PT_ESHAPE, "%s: x has no dims", op);
  return pti_dim(op, dim->i, q->nd, d);
}

static bool narrow_of(const char *op, const pt_arg *arg, pti_geometry *q) {
  int d;
  if (!part_of_dim(op, &arg[1], q, &d)) return false;
  int64_t n = q->size[d], start = arg[2].i < 0 ? arg[2].i + n : arg[2].i, length = arg[3].i;
  if (start < 0 || length < 0 || start > n - length) {
    return pti_refuse(PT_EINDEX, "%s: %lld entries from %lld on, but dim %lld of [%s] has %lld", op,
                      (long long)length, pti_shown(arg[2].i), pti_shown(d),
                      pti_sizes_text(q->size, q->nd), (long long)n);
  }
  q->size[d] = length;
  q->offset += length ? start * q->stride[d] : 0;
  return true;
}

static bool select_of(const char *op, const pt_arg *arg, pti_geometry *q) {
  int d;
  if (!part_of_dim(op, &arg[1], q, &d)) return false;
  int64_t n = q->size[d], at = arg[2].i < 0 ? arg[2].i + n : arg[2].i;
  if (at < 0 || at >= n) {
    return pti_refuse(PT_EINDEX, "%s: index %lld of dim %lld of [%s], which has %lld entries", op,
                      pti_shown(arg[2].i), pti_shown(d), pti_sizes_text(q->size, q->nd),
                      (long long)n);
  }
  q->offset += at * q->stride[d];
  size_t tail = (size_t)(q->nd - d - 1) * sizeof *q->size;
  memmove(q->size + d, q->size + d + 1, tail);
  memmove(q->stride + d, q->stride + d + 1, tail);
  q->nd--;
  return true;
}

/* `stop` belongs to the slice; one that comes before `start` gives none. */
static bool slice_of(const char *op, const pt_arg *arg, pti_geometry *q) {
  int d;
  if (!part_of_dim(op, &arg[1], q, &d)) return false;
  int64_t n = q->size[d], step = arg[4].i;
  int64_t start = arg[2].i < 0 ? arg[2].i + n : arg[2].i,
          stop = arg[3].i < 0 ? arg[3].i + n : arg[3].i;
  if (arg[3].i == PTI_BEFORE_FIRST) stop = -1;
  if (step < 1) return pti_refuse(PT_EARG, "%s: step %lld is not positive", op, (long long)step);
  if (start < 0 || start > n || stop < -1 || stop >= n) {
    return pti_refuse(PT_EINDEX, "%s: entries %lld to %lld of dim %lld of [%s], which has %lld", op,
                      pti_shown(arg[2].i), pti_shown(arg[3].i), pti_shown(d),
                      pti_sizes_text(q->size, q->nd), (long long)n);
  }
  q->size[d] = stop < start ? 0 : (stop - start) / step + 1;
  q->offset += q->size[d] ? start * q->stride[d] : 0;
  if (q->size[d] > 1) q->stride[d] *= step;
  return true;
}

typedef bool part_fn(const char *op, const pt_arg *arg, pti_geometry *q);

static pt_tensor *part_run(const pt_op *op, const pt_arg *arg, part_fn *part) {
  pti_geometry q = pti_geometry_of(arg[0].t);
  return part(op->name, arg, &q) ? pti_view_at(arg[0].t, &q, true) : NULL;
}

static bool part_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx, part_fn *part) {
  pti_geometry q = pti_geometry_dense(n->in[0].size, n->in[0].nd);
  gx[0] = part(n->op->name, n->arg, &q) ? pti_embed(&n->in[0], &q, g[0]) : NULL;
  return gx[0] != NULL;
}

pt_tensor *narrow_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  return part_run(op, arg, narrow_of);
}
bool narrow_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  return part_vjp(n, g, gx, narrow_of);
}

pt_tensor *select_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  return part_run(op, arg, select_of);
}
bool select_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  return part_vjp(n, g, gx, select_of);
}

pt_tensor *slice_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  return part_run(op, arg, slice_of);
}
bool slice_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  return part_vjp(n, g, gx, slice_of);
}

/* ---- any geometry ---- */

static bool read_geometry(const char *op, const pt_arg *size, const pt_arg *stride, int64_t offset,
                          pt_dtype dtype, pti_geometry *q) {
  int64_t numel;
  size_t bytes;
  if (size->n != stride->n) {
    return pti_refuse(PT_EARG, "%s: %d sizes and %d strides", op, size->n, stride->n);
  }
  if (!pti_check_sizes(op, size->ints, size->n, dtype, &numel, &bytes)) return false;
  *q = (pti_geometry){.nd = size->n, .offset = offset};
  for (int d = 0; d < q->nd; d++) {
    q->size[d] = size->ints[d];
    q->stride[d] = stride->ints[d];
    if (q->stride[d] < 0) {
      return pti_refuse(PT_EARG, "%s: stride %lld is negative", op, (long long)q->stride[d]);
    }
  }
  return true;
}

pt_tensor *as_strided_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  pt_tensor *x = arg[0].t;
  pti_geometry q;
  if (!read_geometry(op->name, &arg[1], &arg[2], arg[3].i, x->dtype, &q)) return NULL;
  /* The gradient is laid out as x's elements, in order: strides of the input are not recorded. */
  if (pt_grad_enabled() && pti_needs_grad(x) && !pti_dense(x)) {
    return pti_fail(PT_EGRAD,
                    "%s: x [%s] needs a gradient but is not dense in memory; use x:contiguous()",
                    op->name, pti_shape_text(x));
  }
  pt_tensor *y = pti_view_at(x, &q, true);
  if (y == NULL) pti_error_prefix(op->name);
  return y;
}

/* g added into a row of zeros at geometry q, where elements of q may share memory. */
static pt_tensor *add_overlapping(pt_tensor *row, const pti_geometry *q, pt_tensor *g) {
  int64_t flat = -1;
  pt_tensor *id = pt_sequence(row->numel, pti_this.index_base, 1, PT_I64, pti_dev(row));
  id = pt_as_strided(id, q->size, q->nd, q->stride, q->nd, q->offset);
  return pt_index_add(row, 0, pt_reshape(id, &flat, 1), pt_reshape(g, &flat, 1));
}

bool as_strided_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const pti_edge *e = &n->in[0];
  pti_geometry q;
  int64_t lo, hi, have = pti_edge_numel(e), offset = n->arg[3].i - e->offset;
  if (g[0]->numel == 0 || have == 0) return (gx[0] = pti_zeros_for(e, g[0])) != NULL;
  if (!read_geometry(n->op->name, &n->arg[1], &n->arg[2], offset, e->dtype, &q)) return false;
  if (!pti_extent(q.size, q.stride, q.nd, &lo, &hi))
    return false; /* the run has passed the same check */
  /* A row that holds x's elements and all others that the view reached in the storage. */
  int64_t from = pti_min64(lo + offset, 0), length = pti_max64(hi + offset, have) - from;
  q.offset -= from;
  pti_edge whole = {.nd = 1, .dtype = e->dtype, .size = &length};
  pt_tensor *row = pti_zeros_for(&whole, g[0]), *at = pti_view_at(row, &q, false);
  if (at == NULL) return false;
  row = pti_overlaps_itself(at) ? add_overlapping(row, &q, g[0]) : pti_embed(&whole, &q, g[0]);
  gx[0] = pt_view(length == have ? row : pt_narrow(row, 0, -from, have), e->size, e->nd);
  return gx[0] != NULL;
}

/* The geometry counts from the first element of x, as if x were dense. */
pt_tensor *as_strided_scatter_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  pt_tensor *x = arg[0].t, *src = arg[1].t;
  pti_geometry q;
  if (!read_geometry(op->name, &arg[2], &arg[3], arg[4].i, x->dtype, &q)) return NULL;
  pt_tensor *y = pti_new_like(x, x->dtype);
  if (!pti_copy_into(y, x)) return NULL;
  pt_tensor *at = pti_view_at(y, &q, false);
  if (at == NULL) {
    pti_error_prefix(op->name);
    return NULL;
  }
  if (pti_overlaps_itself(at)) {
    return pti_fail(PT_EARG, "%s: elements of size [%s] with strides [%s] share memory", op->name,
                    pti_shape_text(at), pti_sizes_text(q.stride, q.nd));
  }
  if (pti_copy_into(at, src)) return y;
  pti_error_prefix(op->name);
  return NULL;
}

bool as_strided_scatter_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const pt_arg *size = &n->arg[2], *stride = &n->arg[3];
  int64_t offset = n->arg[4].i;
  if (pti_wants(n, 0)) {
    pt_tensor *zero = pt_zeros(size->ints, size->n, g[0]->dtype, pti_dev(g[0]));
    gx[0] = pt_as_strided_scatter(g[0], zero, size->ints, size->n, stride->ints, stride->n, offset);
    if (gx[0] == NULL) return false;
  }
  if (pti_wants(n, 1)) {
    pt_tensor *dense = pt_contiguous(g[0]);
    if (dense == NULL) return false;
    offset += dense->offset;
    dense = pt_as_strided(dense, size->ints, size->n, stride->ints, stride->n, offset);
    gx[1] = pti_grad_to(dense, &n->in[1]);
  }
  return !pti_wants(n, 1) || gx[1] != NULL;
}

/* ---- copies ---- */

pt_tensor *contiguous_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)op, (void)more;
  return pti_dense(arg[0].t) ? pti_borrow(arg[0].t) : pt_clone(arg[0].t);
}

pt_tensor *detach_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)op, (void)more;
  return pti_bare(arg[0].t);
}

pt_tensor *clone_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)op, (void)more;
  pt_tensor *y = pti_new_like(arg[0].t, arg[0].t->dtype);
  return pti_copy_into(y, arg[0].t) ? y : NULL;
}

bool clone_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  (void)n;
  gx[0] = g[0];
  return true;
}

pt_tensor *to_dtype_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)op, (void)more;
  pt_tensor *y = pti_new_like(arg[0].t, arg[1].i);
  return pti_copy_into(y, arg[0].t) ? y : NULL;
}

bool to_dtype_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  gx[0] = pti_grad_as(g[0], &n->in[0]);
  return gx[0] != NULL;
}

pt_tensor *to_device_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  if (arg[1].i == pti_dev(arg[0].t)) return clone_run(op, arg, more);
  return arg[2].i ? pti_to_device_later(arg[0].t, (int)arg[1].i)
                  : pti_to_device(arg[0].t, (int)arg[1].i);
}

bool to_device_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  gx[0] = n->in[0].device == pti_dev(g[0]) ? g[0] : pt_to_device(g[0], n->in[0].device, false);
  return gx[0] != NULL;
}
