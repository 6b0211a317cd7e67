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

pt_tensor *view_run(const view_args *args) {
  pt_tensor *x = args->x;
  int64_t size[PT_MAX_DIM], stride[PT_MAX_DIM];
  if (!fill_in_sizes(args->op->name, x, args->size, size)) return NULL;
  if (!pti_view_strides(x, size, args->size->n, stride)) {
    return pti_fail(
        PT_ESHAPE,
        "%s: x [%s] with strides [%s] cannot be seen as [%s] without a copy; use reshape",
        args->op->name, pti_shape_text(x), pti_sizes_text(x->stride, x->nd),
        pti_sizes_text(size, args->size->n));
  }
  return pti_view(x, size, stride, args->size->n, x->offset, true);
}

bool view_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  gx[0] = pt_reshape(g[0], n->in[0].size, n->in[0].nd);
  return gx[0] != NULL;
}

pt_tensor *reshape_run(const reshape_args *args) {
  pt_tensor *x = args->x;
  int64_t size[PT_MAX_DIM], stride[PT_MAX_DIM];
  if (!fill_in_sizes(args->op->name, x, args->shape, size)) return NULL;
  if (!pti_view_strides(x, size, args->shape->n, stride)) x = pt_clone(x);
  return pt_view(x, size, args->shape->n);
}

pt_tensor *flatten_run(const flatten_args *args) {
  pt_tensor *x = args->x;
  int from, to, nd = 0;
  if (!pti_dim(args->op->name, args->start_dim, x->nd, &from) ||
      !pti_dim(args->op->name, args->end_dim, x->nd, &to))
    return NULL;
  if (from > to) {
    return pti_fail(PT_EARG, "%s: start_dim %lld comes after end_dim %lld", args->op->name,
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

pt_tensor *squeeze_run(const squeeze_args *args) {
  pt_tensor *x = args->x;
  bool drop[PT_MAX_DIM];
  if (!pti_dim_set(args->op->name, args->dim, x->nd, drop)) return NULL;
  pti_geometry q = {.offset = x->offset};
  for (int d = 0; d < x->nd; d++) {
    if (drop[d] && x->size[d] == 1) continue;
    q.size[q.nd] = x->size[d];
    q.stride[q.nd++] = x->stride[d];
  }
  return pti_view_at(x, &q, true);
}
bool squeeze_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) { return view_vjp(n, g, gx); }

pt_tensor *unsqueeze_run(const unsqueeze_args *args) {
  pt_tensor *x = args->x;
  int dim;
  if (!pti_dim(args->op->name, args->dim, x->nd + 1, &dim)) return NULL;
  if (x->nd == PT_MAX_DIM) {
    return pti_fail(PT_ESHAPE, "%s: x [%s] has %d dims already, the most that are supported",
                    args->op->name, pti_shape_text(x), PT_MAX_DIM);
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

pt_tensor *transpose_run(const transpose_args *args) {
  pt_tensor *x = args->x;
  int a, b;
  if (!pti_dim(args->op->name, args->dim0, x->nd, &a) ||
      !pti_dim(args->op->name, args->dim1, x->nd, &b))
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
  const transpose_args args = transpose_args_of(n->op, n->arg, NULL);
  gx[0] = pt_transpose(g[0], (int)args.dim0, (int)args.dim1);
  return gx[0] != NULL;
}

pt_tensor *t_run(const t_args *args) {
  pt_tensor *x = args->x;
  if (x->nd > 2) {
    return pti_fail(PT_ESHAPE, "%s: x [%s] is not a matrix; use transpose or permute",
                    args->op->name, pti_shape_text(x));
  }
  return x->nd == 2 ? pt_transpose(x, 0, 1) : pti_borrow(x);
}

pt_tensor *permute_run(const permute_args *args) {
  pt_tensor *x = args->x;
  bool seen[PT_MAX_DIM];
  if (!pti_dim_set(args->op->name, args->dims, x->nd, seen)) return NULL;
  if (args->dims->n != x->nd) {
    return pti_fail(PT_EARG, "%s: %d dims given for x [%s] of %d", args->op->name, args->dims->n,
                    pti_shape_text(x), x->nd);
  }
  pti_geometry q = {.nd = x->nd, .offset = x->offset};
  for (int i = 0; i < x->nd; i++) {
    int d = (int)(args->dims->ints[i] < 0 ? args->dims->ints[i] + x->nd : args->dims->ints[i]);
    q.size[i] = x->size[d];
    q.stride[i] = x->stride[d];
  }
  return pti_view_at(x, &q, true);
}

bool permute_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const permute_args args = permute_args_of(n->op, n->arg, NULL);
  int nd = args.dims->n;
  int64_t back[PT_MAX_DIM];
  for (int i = 0; i < nd; i++)
    back[args.dims->ints[i] < 0 ? args.dims->ints[i] + nd : args.dims->ints[i]] = i;
  gx[0] = pt_permute(g[0], back, nd);
  return gx[0] != NULL;
}

/* ---- repeated without memory ---- */

pt_tensor *expand_run(const expand_args *args) {
  pt_tensor *x = args->x;
  pti_geometry q = {.nd = args->size->n, .offset = x->offset};
  int lead = q.nd - x->nd;
  if (lead < 0 || q.nd > PT_MAX_DIM) {
    return pti_fail(PT_ESHAPE, "%s: x [%s] has %d dims, size [%s] has %d", args->op->name,
                    pti_shape_text(x), x->nd, pti_sizes_text(args->size->ints, q.nd), q.nd);
  }
  for (int d = 0; d < q.nd; d++) {
    int64_t have = d < lead ? 1 : x->size[d - lead], want = args->size->ints[d];
    if (want == -1 && d >= lead) want = have;
    if (want < 0 || (have != want && have != 1)) {
      return pti_fail(PT_ESHAPE, "%s: x [%s] does not expand to [%s]: dim %lld has %lld entries",
                      args->op->name, pti_shape_text(x), pti_sizes_text(args->size->ints, q.nd),
                      pti_shown(d), (long long)have);
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

static bool part_of_dim(const char *op, int64_t dim, const pti_geometry *q, int *d) {
  if (q->nd == 0) return pti_refuse(PT_ESHAPE, "%s: x has no dims", op);
  return pti_dim(op, dim, q->nd, d);
}

static bool narrow_of(const narrow_args *args, pti_geometry *q) {
  const char *op = args->op->name;
  int d;
  if (!part_of_dim(op, args->dim, q, &d)) return false;
  int64_t n = q->size[d], start = args->start < 0 ? args->start + n : args->start;
  int64_t length = args->length;
  if (start < 0 || length < 0 || start > n - length) {
    return pti_refuse(PT_EINDEX, "%s: %lld entries from %lld on, but dim %lld of [%s] has %lld", op,
                      (long long)length, pti_shown(args->start), pti_shown(d),
                      pti_sizes_text(q->size, q->nd), (long long)n);
  }
  q->size[d] = length;
  q->offset += length ? start * q->stride[d] : 0;
  return true;
}

static bool select_of(const select_args *args, pti_geometry *q) {
  const char *op = args->op->name;
  int d;
  if (!part_of_dim(op, args->dim, q, &d)) return false;
  int64_t n = q->size[d], at = args->index < 0 ? args->index + n : args->index;
  if (at < 0 || at >= n) {
    return pti_refuse(PT_EINDEX, "%s: index %lld of dim %lld of [%s], which has %lld entries", op,
                      pti_shown(args->index), pti_shown(d), pti_sizes_text(q->size, q->nd),
                      (long long)n);
  }
  q->offset += at * q->stride[d];
  size_t tail = (size_t)(q->nd - d - 1) * sizeof *q->size;
  memmove(q->size + d, q->size + d + 1, tail);
  memmove(q->stride + d, q->stride + d + 1, tail);
  q->nd--;
  return true;
}

/* The slice includes `stop`; one before `start` gives an empty slice. What lies beyond the ends is cut off. */
static bool slice_of(const slice_args *args, pti_geometry *q) {
  const char *op = args->op->name;
  int d;
  if (!part_of_dim(op, args->dim, q, &d)) return false;
  int64_t n = q->size[d], step = args->step;
  int64_t start = args->start < 0 ? args->start + n : args->start,
          stop = args->stop < 0 ? args->stop + n : args->stop;
  if (args->stop == PTI_BEFORE_FIRST) stop = -1;
  if (step < 1) return pti_refuse(PT_EARG, "%s: step %lld is not positive", op, (long long)step);
  start = pti_min64(pti_max64(start, 0), n);
  stop = pti_min64(pti_max64(stop, -1), n - 1);
  q->size[d] = stop < start ? 0 : (stop - start) / step + 1;
  q->offset += q->size[d] ? start * q->stride[d] : 0;
  if (q->size[d] > 1) q->stride[d] *= step;
  return true;
}

/* The run and the vjp of such an op. */
#define PART(name)                                                        \
  pt_tensor *name##_run(const name##_args *args) {                        \
    pti_geometry q = pti_geometry_of(args->x);                            \
    return name##_of(args, &q) ? pti_view_at(args->x, &q, true) : NULL;   \
  }                                                                       \
  bool name##_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {      \
    const name##_args args = name##_args_of(n->op, n->arg, NULL);         \
    pti_geometry q = pti_geometry_dense(n->in[0].size, n->in[0].nd);      \
    gx[0] = name##_of(&args, &q) ? pti_embed(&n->in[0], &q, g[0]) : NULL; \
    return gx[0] != NULL;                                                 \
  }
PART(narrow)
PART(select)
PART(slice)

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

/* A graph knows the sizes of an input, not its strides: where the gradient needs them, they become an argument. */
bool as_strided_shortcut(const pt_arg *arg, pt_tensor **out) {
  pt_tensor *x = arg[0].t;
  if (arg[4].given || pti_dense(x) || !pt_grad_enabled() || !pti_needs_grad(x)) return true;
  out[0] =
      pt_as_strided(x, arg[1].ints, arg[1].n, arg[2].ints, arg[2].n, arg[3].i, x->stride, x->nd);
  return out[0] != NULL;
}

pt_tensor *as_strided_run(const as_strided_args *args) {
  pt_tensor *x = args->x;
  pti_geometry q;
  int64_t offset = args->storage_offset < 0 ? x->offset : args->storage_offset;
  if (!read_geometry(args->op->name, args->size, args->stride, offset, x->dtype, &q)) return NULL;
  const pt_arg *own = args->x_stride;
  if (own->given &&
      (own->n != x->nd || memcmp(own->ints, x->stride, (size_t)x->nd * sizeof *own->ints) != 0))
    return pti_fail(PT_EARG, "%s: x_stride is not that of x [%s]", args->op->name,
                    pti_shape_text(x));
  pt_tensor *y = pti_view_at(x, &q, true);
  if (y == NULL) pti_error_prefix(args->op->name);
  return y;
}

static pt_tensor *strided(pt_tensor *x, const pti_geometry *q) {
  return x ? pt_as_strided(x, q->size, q->nd, q->stride, q->nd, q->offset, NULL, -1) : NULL;
}

/* g added into a row of zeros at geometry q, where elements of q may share memory. */
static pt_tensor *add_overlapping(pt_tensor *row, const pti_geometry *q, pt_tensor *g) {
  int64_t flat = -1;
  pt_tensor *id = pt_sequence(row->numel, pti_this.index_base, 1, PT_I64, pti_dev(row));
  id = strided(id, q);
  return pt_index_add(row, 0, pt_reshape(id, &flat, 1), pt_reshape(g, &flat, 1));
}

/* The elements of x in a row of its memory. Where several are one number, each has its share of that one's gradient. */
static pt_tensor *out_of_row(pt_tensor *row, const pti_geometry *own) {
  pt_tensor *zeros = row ? pt_zeros(row->size, 1, row->dtype, pti_dev(row)) : NULL;
  pt_tensor *at = pti_view_at(zeros, own, false);
  if (at == NULL) return NULL;
  if (pti_overlaps_itself(at)) {
    pt_tensor *ones = pt_ones(own->size, own->nd, row->dtype, pti_dev(row));
    row = pt_div(row, pt_maximum(add_overlapping(zeros, own, ones), pt_scalar(1)));
  }
  return strided(row, own);
}

bool as_strided_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const as_strided_args args = as_strided_args_of(n->op, n->arg, NULL);
  const pti_edge *e = &n->in[0];
  pti_geometry q, own = pti_geometry_dense(e->size, e->nd);
  int64_t lo, hi, own_lo, own_hi,
      have = pti_edge_numel(e),
      offset = args.storage_offset < 0 ? 0 : args.storage_offset - e->offset;
  if (g[0]->numel == 0 || have == 0) return (gx[0] = pti_zeros_for(e, g[0])) != NULL;
  bool dense = !args.x_stride->given;
  if (!dense) memcpy(own.stride, args.x_stride->ints, (size_t)e->nd * sizeof *own.stride);
  if (!read_geometry(n->op->name, args.size, args.stride, offset, e->dtype, &q)) return false;
  if (!pti_extent(q.size, q.stride, q.nd, &lo, &hi) ||
      !pti_extent(own.size, own.stride, own.nd, &own_lo, &own_hi))
    return false; /* the run has passed the same check */
  /* A row that holds x's elements and all others that the view reached in the storage. */
  int64_t from = pti_min64(lo + offset, own_lo), length = pti_max64(hi + offset, own_hi) - from;
  q.offset -= from;
  own.offset -= from;
  pti_edge whole = {.nd = 1, .dtype = e->dtype, .size = &length};
  pt_tensor *row = pti_zeros_for(&whole, g[0]), *at = pti_view_at(row, &q, false);
  if (at == NULL) return false;
  row = pti_overlaps_itself(at) ? add_overlapping(row, &q, g[0]) : pti_embed(&whole, &q, g[0]);
  if (!dense) gx[0] = out_of_row(row, &own);
  else gx[0] = pt_view(length == have ? row : pt_narrow(row, 0, -from, have), e->size, e->nd);
  return gx[0] != NULL;
}

/* The geometry counts from the first element of x, as if x were dense. */
pt_tensor *as_strided_scatter_run(const as_strided_scatter_args *args) {
  pt_tensor *x = args->x, *src = args->src;
  pti_geometry q;
  if (!read_geometry(args->op->name, args->size, args->stride, args->storage_offset, x->dtype, &q))
    return NULL;
  pt_tensor *y = pti_new_like(x, x->dtype);
  if (!pti_copy_into(y, x)) return NULL;
  pt_tensor *at = pti_view_at(y, &q, false);
  if (at == NULL) {
    pti_error_prefix(args->op->name);
    return NULL;
  }
  if (pti_overlaps_itself(at)) {
    return pti_fail(PT_EARG, "%s: elements of size [%s] with strides [%s] share memory",
                    args->op->name, pti_shape_text(at), pti_sizes_text(q.stride, q.nd));
  }
  if (pti_copy_into(at, src)) return y;
  pti_error_prefix(args->op->name);
  return NULL;
}

bool as_strided_scatter_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const as_strided_scatter_args args = as_strided_scatter_args_of(n->op, n->arg, NULL);
  const pt_arg *size = args.size, *stride = args.stride;
  int64_t offset = args.storage_offset;
  if (pti_wants(n, 0)) {
    pt_tensor *zero = pt_zeros(size->ints, size->n, g[0]->dtype, pti_dev(g[0]));
    gx[0] = pt_as_strided_scatter(g[0], zero, size->ints, size->n, stride->ints, stride->n, offset);
    if (gx[0] == NULL) return false;
  }
  if (pti_wants(n, 1)) {
    pt_tensor *dense = pt_contiguous(g[0]);
    if (dense == NULL) return false;
    offset += dense->offset;
    dense = pt_as_strided(dense, size->ints, size->n, stride->ints, stride->n, offset, NULL, -1);
    gx[1] = pti_grad_to(dense, &n->in[1]);
  }
  return !pti_wants(n, 1) || gx[1] != NULL;
}

/* ---- copies ---- */

pt_tensor *contiguous_run(const contiguous_args *args) {
  return pti_dense(args->x) ? pti_borrow(args->x) : pt_clone(args->x);
}

pt_tensor *detach_run(const detach_args *args) { return pti_bare(args->x); }

pt_tensor *clone_run(const clone_args *args) {
  pt_tensor *y = pti_new_like(args->x, args->x->dtype);
  return pti_copy_into(y, args->x) ? y : NULL;
}

bool clone_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  (void)n;
  gx[0] = g[0];
  return true;
}

pt_tensor *to_dtype_run(const to_dtype_args *args) {
  if (args->dtype == PT_BOOL && pti_is(args->x->dtype, PTI_COMPLEX))
    return pt_ne(args->x, pt_scalar_int(0));
  pt_tensor *x = args->x, *y = pti_new_like(x, args->dtype);
  if (y && x->nd == 2 && x->stride[0] == 1 && x->stride[1] == x->size[0]) {
    y->stride[0] = 1; /* a matrix that lies by columns stays so, as in PyTorch */
    y->stride[1] = x->size[0];
  }
  return pti_copy_into(y, x) ? y : NULL;
}

bool to_dtype_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  gx[0] = pti_grad_as(g[0], &n->in[0]);
  return gx[0] != NULL;
}

pt_tensor *to_device_run(const to_device_args *args) {
  if (args->device == pti_dev(args->x))
    return clone_run(&(clone_args){.op = args->op, .x = args->x});
  return args->non_blocking ? pti_to_device_later(args->x, (int)args->device)
                            : pti_to_device(args->x, (int)args->device);
}

bool to_device_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  gx[0] = n->in[0].device == pti_dev(g[0]) ? g[0] : pt_to_device(g[0], n->in[0].device, false);
  return gx[0] != NULL;
}
