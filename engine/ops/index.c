/* index.c: reading and writing by ids. None is clamped; ids count from pti_this.index_base, and only index and index_put
   take negative ones. Kernels work on dense tensors seen as (outer, n, inner); others are copied there and back. They
   check all ids before they write, as they read them anyway; what a refused call did wrong is then looked for here. */
#include "ops.h"
#include "ptlua_ids.h"

/* ---- along one dim, by a row of ids: index_select, index_add, index_copy ---- */

/* Of a dim of x; a 0-dim tensor has one entry. */
static int64_t entries(const pt_tensor *x, int dim) { return x->nd ? x->size[dim] : 1; }

/* What a kernel said; where it refused an id, the error becomes one that tells its place. */
static bool explained(bool ok, const pt_op *op, const pt_tensor *id, int64_t n) {
  if (!ok) pti_check_ids(op->name, "index", id, n, false);
  return ok;
}

/* The dim of x that `at` names, and the ids of a call: one row of them, or one id. */
static bool read_row(const pt_op *op, const pt_tensor *x, int64_t at, pt_tensor *index, int *dim,
                     pt_tensor **id) {
  if (!pti_dim(op->name, at, x->nd, dim)) return false;
  if (index->nd > 1) {
    return pti_refuse(PT_ESHAPE, "%s: index [%s] must have one dim", op->name,
                      pti_shape_text(index));
  }
  return (*id = pti_ids(op->name, "index", index)) != NULL;
}

pt_tensor *index_select_run(const index_select_args *args) {
  pt_tensor *x = pti_dense_of(args->x), *id;
  int dim;
  if (x == NULL || !read_row(args->op, x, args->dim, args->index, &dim, &id)) return NULL;
  int64_t size[PT_MAX_DIM];
  memcpy(size, x->size, sizeof size);
  size[dim] = id->numel;
  pt_tensor *y = pti_new(size, x->nd, x->dtype, pti_dev(x));
  const pti_device *dev = pti_home(x);
  if (y == NULL || !pti_has(args->op->name, dev, dev->kernels->index_select != NULL)) return NULL;
  if (y->numel == 0)
    return pti_check_ids(args->op->name, "index", id, entries(x, dim), false) ? y : NULL;
  bool ok = dev->kernels->index_select(dev->index, pti_rows_of(x, dim), pti_ptr(x),
                                       (const int64_t *)pti_ptr(id), id->numel, pti_ptr(y),
                                       pti_this.index_base, false);
  return explained(ok, args->op, id, entries(x, dim)) ? y : NULL;
}

/* Calls an op with an in-place twin on zeros of an input's shape. */
static pt_tensor *into_zeros(int id, const pti_edge *e, int64_t dim, pt_tensor *index,
                             pt_tensor *src) {
  pt_arg arg[] = {{.t = pti_zeros_for(e, src), .given = true},
                  {.i = dim, .given = true},
                  {.t = index, .given = true},
                  {.t = src, .given = true}};
  return arg[0].t && index ? pti_call_inplace(pti_op_at(id), arg) : NULL;
}

bool index_select_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const index_select_args args = index_select_args_of(n->op, n->arg, NULL);
  gx[0] = into_zeros(PTI_OP_index_add, &n->in[0], args.dim, pti_saved(n, 1), g[0]);
  return gx[0] != NULL;
}

/* src has the shape of x but for `dim`, where it has one entry for each id. */
static bool check_src(const pt_op *op, const pt_tensor *x, int dim, const pt_tensor *id,
                      const pt_tensor *src) {
  bool fits = src->nd == x->nd;
  for (int d = 0; d < x->nd && fits; d++)
    fits = src->size[d] == (d == dim ? id->numel : x->size[d]);
  if (fits) return pti_same_dtype(op->name, "x", x, "src", src);
  int64_t want[PT_MAX_DIM];
  memcpy(want, x->size, sizeof want);
  want[dim] = id->numel;
  return pti_refuse(PT_ESHAPE, "%s: src [%s], but x [%s] with %lld ids wants [%s]", op->name,
                    pti_shape_text(src), pti_shape_text(x), (long long)id->numel,
                    pti_sizes_text(want, x->nd));
}

static pt_tensor *write_rows(const index_add_args *args, bool add) {
  const pt_op *op = args->op;
  pt_tensor *x = args->x, *id, *src;
  int dim;
  if (!read_row(op, x, args->dim, args->index, &dim, &id) || !check_src(op, x, dim, id, args->src))
    return NULL;
  src = pti_dense_of(args->src);
  const pti_device *dev = pti_home(x);
  bool have = add ? dev->kernels->index_add != NULL : dev->kernels->index_copy != NULL;
  if (src == NULL || !pti_has(op->name, dev, have)) return NULL;
  if (src->numel == 0)
    return pti_check_ids(op->name, "index", id, entries(x, dim), false) ? x : NULL;
  bool ok = (add ? dev->kernels->index_add : dev->kernels->index_copy)(
      dev->index, pti_rows_of(x, dim), pti_ptr(x), (const int64_t *)pti_ptr(id), id->numel,
      pti_ptr(src), pti_this.index_base, false);
  return explained(ok, op, id, entries(x, dim)) ? x : NULL;
}

pt_tensor *index_add_run(const index_add_args *args) { return write_rows(args, true); }

bool index_add_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const index_add_args args = index_add_args_of(n->op, n->arg, NULL);
  if (pti_wants(n, 0)) gx[0] = g[0];
  if (!pti_wants(n, 2)) return true;
  gx[2] = pt_index_select(g[0], (int)args.dim, pti_saved(n, 1));
  return gx[2] != NULL;
}

pt_tensor *index_copy_run(const index_copy_args *args) { return write_rows(args, false); }

bool index_copy_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const index_copy_args args = index_copy_args_of(n->op, n->arg, NULL);
  pt_tensor *id = pti_saved(n, 1);
  const pti_edge *src = &n->in[2];
  if (id == NULL) return false;
  if (pti_wants(n, 0)) {
    pt_tensor *zero = pt_zeros(src->size, src->nd, g[0]->dtype, pti_dev(g[0]));
    if (!(gx[0] = pt_index_copy(g[0], (int)args.dim, id, zero))) return false;
  }
  return !pti_wants(n, 2) || (gx[2] = pt_index_select(g[0], (int)args.dim, id)) != NULL;
}

/* ---- element by element along one dim: gather, scatter, scatter_add ---- */

/* index has the dims of x and, but for `dim`, is nowhere larger: it refers to the corner of x that it covers. */
static bool read_corner(const pt_op *op, const pt_tensor *x, int64_t at, pt_tensor *index, int *dim,
                        pt_tensor **id) {
  if (!pti_dim(op->name, at, x->nd, dim)) return false;
  bool fits = index->nd == x->nd || index->numel == 0 || (x->nd == 0 && index->nd == 1);
  for (int d = 0; d < x->nd && fits && index->numel; d++)
    fits = d == *dim || index->size[d] <= x->size[d];
  if (!fits) {
    return pti_refuse(
        PT_ESHAPE,
        "%s: index [%s] for x [%s]: it must have the same dims and, but for dim %lld, be no larger",
        op->name, pti_shape_text(index), pti_shape_text(x), pti_shown(*dim));
  }
  return (*id = pti_ids(op->name, "index", index)) != NULL;
}

/* x as far as `like` reaches in all dims but `dim` (-1: in all dims). */
static pt_tensor *corner(pt_tensor *x, const pt_tensor *like, int dim) {
  pti_geometry q = pti_geometry_of(x);
  for (int d = 0; d < x->nd; d++) q.size[d] = d == dim ? x->size[d] : like->size[d];
  return pti_view_at(x, &q, false);
}

pt_tensor *gather_run(const gather_args *args) {
  pt_tensor *id;
  int dim;
  if (!read_corner(args->op, args->x, args->dim, args->index, &dim, &id)) return NULL;
  pt_tensor *y = pti_new(id->size, id->nd, args->x->dtype, pti_dev(args->x));
  if (y == NULL || y->numel == 0) return y;
  pt_tensor *x = pti_dense_of(corner(args->x, id, dim));
  const pti_device *dev = pti_home(y);
  if (x == NULL || !pti_has(args->op->name, dev, dev->kernels->gather != NULL)) return NULL;
  bool ok = dev->kernels->gather(dev->index, pti_rows_of(x, dim), pti_ptr(x),
                                 (const int64_t *)pti_ptr(id), x->nd ? id->size[dim] : id->numel,
                                 pti_ptr(y), pti_this.index_base);
  return explained(ok, args->op, id, entries(x, dim)) ? y : NULL;
}

bool gather_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const gather_args args = gather_args_of(n->op, n->arg, NULL);
  if (g[0]->numel == 0) return (gx[0] = pti_zeros_for(&n->in[0], g[0])) != NULL;
  gx[0] = into_zeros(PTI_OP_scatter_add, &n->in[0], args.dim, pti_saved(n, 1), g[0]);
  return gx[0] != NULL;
}

/* What is scattered: the part of src that index covers, or a number as often as there are ids. */
static pt_tensor *scattered(const pt_op *op, const pt_tensor *x, pt_tensor *src,
                            const pt_tensor *id) {
  if (src->nd == 0 && id->nd > 0) {
    if (pti_dev(src) != pti_dev(x)) src = pti_to_device(src, pti_dev(x));
    return pti_expand_to(pti_cast(src, x->dtype), id->size, id->nd);
  }
  bool fits = src->nd == id->nd;
  for (int d = 0; d < id->nd && fits; d++) fits = id->size[d] <= src->size[d];
  if (!fits) {
    return pti_fail(PT_ESHAPE, "%s: src [%s] is smaller than index [%s]", op->name,
                    pti_shape_text(src), pti_shape_text(id));
  }
  if (src->wrapped) src = pti_cast(src, x->dtype);
  return src && pti_same_dtype(op->name, "x", x, "src", src) ? corner(src, id, -1) : NULL;
}

pt_tensor *pti_scatter_into(const pt_op *op, pt_tensor *x, int64_t at, pt_tensor *index,
                            pt_tensor *src, pti_combine how) {
  pt_tensor *id;
  int dim;
  if (src == NULL || !read_corner(op, x, at, index, &dim, &id)) return NULL;
  if (id->numel == 0) return x;
  src = pti_dense_of(scattered(op, x, src, id));
  pt_tensor *part = corner(x, id, dim), *y = pti_dense_of(part);
  const pti_device *dev = pti_home(x);
  if (src == NULL || y == NULL || !pti_has(op->name, dev, dev->kernels->scatter != NULL))
    return NULL;
  bool ok = dev->kernels->scatter(dev->index, pti_rows_of(y, dim), pti_ptr(y),
                                  (const int64_t *)pti_ptr(id), x->nd ? id->size[dim] : id->numel,
                                  pti_ptr(src), pti_this.index_base, how);
  if (!explained(ok, op, id, entries(x, dim))) return NULL;
  return y == part || pti_copy_into(part, y) ? x : NULL;
}

pt_tensor *pti_scattered_grad(const pti_edge *e, pt_tensor *part) {
  if (part == NULL) return NULL;
  if (e->nd != part->nd) return pti_grad_to(part, e); /* it was one number */
  bool whole = memcmp(part->size, e->size, e->nd * sizeof *e->size) == 0;
  pti_geometry q = pti_geometry_dense(e->size, e->nd);
  memcpy(q.size, part->size, sizeof q.size);
  return whole ? part : pti_embed(e, &q, part);
}

/* The gradient of src: g at the ids. */
static pt_tensor *at_ids(pt_node *n, pt_tensor *g, pt_tensor *id) {
  pt_tensor *part = pt_gather(g, (int)scatter_args_of(n->op, n->arg, NULL).dim, id);
  return pti_scattered_grad(&n->in[2], part);
}

pt_tensor *scatter_run(const scatter_args *args) {
  return pti_scatter_into(args->op, args->x, args->dim, args->index, args->src, PTI_PUT);
}

bool scatter_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const scatter_args args = scatter_args_of(n->op, n->arg, NULL);
  pt_tensor *id = pti_saved(n, 1);
  if (id == NULL) return false;
  if (pti_wants(n, 0) && !(gx[0] = pt_scatter(g[0], (int)args.dim, id, pt_scalar(0)))) return false;
  return !pti_wants(n, 2) || (gx[2] = at_ids(n, g[0], id)) != NULL;
}

pt_tensor *scatter_add_run(const scatter_add_args *args) {
  return pti_scatter_into(args->op, args->x, args->dim, args->index, args->src, PTI_ADD);
}

bool scatter_add_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  if (pti_wants(n, 0)) gx[0] = g[0];
  return !pti_wants(n, 2) || (gx[2] = at_ids(n, g[0], pti_saved(n, 1))) != NULL;
}

/* ---- masks ---- */

pt_tensor *nonzero_run(const nonzero_args *args) {
  bool was = pt_set_grad_enabled(false);
  pt_tensor *x = args->x->dtype == PT_BOOL ? args->x : pt_ne(args->x, pt_scalar_int(0));
  pt_set_grad_enabled(was);
  int64_t one = 1, count = 0;
  int nd = args->x->nd;
  x = pti_dense_of(x);
  if (x == NULL) return NULL;
  const pti_device *dev = pti_home(x);
  if (!pti_has(args->op->name, dev, dev->kernels->nonzero != NULL)) return NULL;
  const int64_t *size = nd ? x->size : &one;
  const uint8_t *data = (const uint8_t *)pti_ptr(x);
  if (x->numel && !dev->kernels->nonzero(dev->index, nd ? nd : 1, size, data, &count, NULL, 0))
    return NULL;
  pt_tensor *y = pti_new((int64_t[]){count, nd}, 2, PT_I64, pti_dev(x));
  if (y == NULL || y->numel == 0) return y;
  bool ok = dev->kernels->nonzero(dev->index, nd, size, data, &count, (int64_t *)pti_ptr(y),
                                  pti_this.index_base);
  return ok ? y : NULL;
}

pt_tensor *masked_select_run(const masked_select_args *args) {
  pt_tensor *x = args->x, *mask = args->mask;
  int64_t size[PT_MAX_DIM], flat = -1;
  int nd;
  if (mask->dtype != PT_BOOL) {
    return pti_fail(PT_EDTYPE, "%s: mask is %s, but must be bool", args->op->name,
                    pt_dtype_name(mask->dtype));
  }
  if (!pti_broadcast(args->op->name, (const pt_tensor *[]){x, mask}, 2, size, &nd)) return NULL;
  x = pt_expand(x, size, nd);
  mask = pt_expand(mask, size, nd);
  if (x == NULL || mask == NULL) return NULL;
  if (x->numel == 0) return pt_reshape(x, (int64_t[]){0}, 1);
  pt_tensor *at = pt_nonzero(pt_reshape(mask, &flat, 1));
  return pt_index_select(pt_reshape(x, &flat, 1), 0, pt_select(at, 1, 0));
}
