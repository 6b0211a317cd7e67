/* reduce.c: reductions. All but the extremes with positions go through one loop over an iterator whose output has
   stride 0 in the reduced dims; reductions of nothing never reach a kernel. */
#include <math.h>

#include "ops.h"
#include "ptlua_ids.h"

/* Which dims are reduced, and what is left. */
typedef struct plan {
  bool in[PT_MAX_DIM];
  int nd;
  int64_t size[PT_MAX_DIM];   /* of the result */
  int64_t kept[PT_MAX_DIM];   /* of the result with the reduced dims as 1 */
  int64_t stride[PT_MAX_DIM]; /* of the result in the dims of x */
  int64_t count;              /* elements reduced to one */
} plan;

static bool plan_of(const char *op, const pt_tensor *x, const pt_arg *dims, bool keepdim, plan *p) {
  p->nd = 0;
  p->count = 1;
  if (!pti_dim_set(op, dims, x->nd, p->in)) return false;
  if (dims->given && dims->n == 0) { /* an empty list is all dims, as in PyTorch */
    for (int d = 0; d < x->nd; d++) p->in[d] = true;
  }
  for (int d = 0; d < x->nd; d++) {
    p->kept[d] = p->in[d] ? 1 : x->size[d];
    if (p->in[d]) p->count *= x->size[d];
    if (!p->in[d] || keepdim) p->size[p->nd++] = p->kept[d];
  }
  int64_t step = 1;
  for (int d = x->nd - 1; d >= 0; d--) {
    p->stride[d] = step;
    step *= pti_max64(p->kept[d], 1);
  }
  return true;
}

/* For extremes, which have no neutral element. */
static bool not_empty(const char *op, const pt_tensor *x, const plan *p) {
  if (x->numel > 0 || p->count > 0) return true;
  return pti_refuse(PT_ESHAPE, "%s: x [%s] has no elements to choose from", op, pti_shape_text(x));
}

/* `neutral`: the result where nothing is reduced. */
static pt_tensor *reduce(const char *op, pti_reduction kind, pt_tensor *x, const plan *p,
                         pt_dtype dtype, double scale, double neutral) {
  pt_tensor *y = pti_new(p->size, p->nd, dtype, pti_dev(x));
  if (y == NULL) return NULL;
  if (x->numel == 0) return pti_fill_value(y, neutral, neutral == 1) ? y : NULL;
  const pti_device *dev = pti_home(x);
  pti_operand operand[] = {{pti_ptr(y), dtype, x->nd, p->kept, p->stride},
                           {pti_ptr(x), x->dtype, x->nd, x->size, x->stride}};
  pti_iter it;
  pti_iter_init(&it, x->nd, x->size, operand, 2);
  if (!pti_has(op, dev, dev->kernels->reduce != NULL)) return NULL;
  return dev->kernels->reduce(dev->index, kind, &it, scale, pti_this.index_base) ? y : NULL;
}

/* A reduced tensor at the shape it had with the reduced dims kept as 1, so that it broadcasts
 * against x. */
static pt_tensor *with_dims(pt_tensor *y, const pti_edge *e, const pt_arg *dims) {
  bool in[PT_MAX_DIM];
  int64_t kept[PT_MAX_DIM];
  pt_arg all = *dims;
  all.given = dims->given && dims->n > 0;
  if (y == NULL || !pti_dim_set("sum", &all, e->nd, in)) return NULL;
  for (int d = 0; d < e->nd; d++) kept[d] = in[d] ? 1 : e->size[d];
  return y->nd == e->nd ? y : pt_reshape(y, kept, e->nd);
}

/* ---- sum, mean ---- */

pt_tensor *sum_run(const sum_args *args) {
  pt_tensor *x = args->x;
  plan p;
  bool whole = pti_is(x->dtype, PTI_INTS | PTI_BOOLS);
  pt_dtype dtype = args->dtype->given ? args->dtype->i : whole ? PT_I64 : x->dtype;
  if (!plan_of(args->op->name, x, args->dim, args->keepdim, &p)) return NULL;
  if (pti_compute_of(x->dtype) != pti_compute_of(dtype)) x = pti_cast(x, dtype);
  return x ? reduce(args->op->name, PTI_SUM, x, &p, dtype, 1, 0) : NULL;
}

bool sum_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const sum_args args = sum_args_of(n->op, n->arg, NULL);
  const pti_edge *e = &n->in[0];
  pt_tensor *wide = pti_grad_as(with_dims(g[0], e, args.dim), e);
  gx[0] = wide ? pt_expand(wide, e->size, e->nd) : NULL;
  return gx[0] != NULL;
}

pt_tensor *mean_run(const mean_args *args) {
  plan p;
  pt_tensor *x = args->dtype->given ? pti_cast(args->x, args->dtype->i) : args->x;
  if (x == NULL || !pti_floating(args->op->name, "x", x)) return NULL;
  if (!plan_of(args->op->name, x, args->dim, args->keepdim, &p)) return NULL;
  double scale = p.count ? 1 / (double)p.count : 1;
  return reduce(args->op->name, PTI_SUM, x, &p, x->dtype, scale, NAN);
}

bool mean_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const mean_args args = mean_args_of(n->op, n->arg, NULL);
  const pti_edge *e = &n->in[0];
  int64_t numel = pti_edge_numel(e);
  double share = numel ? (double)g[0]->numel / (double)numel : 1;
  pt_tensor *wide = pti_grad_as(with_dims(pt_mul(g[0], pt_scalar(share)), e, args.dim), e);
  gx[0] = wide ? pt_expand(wide, e->size, e->nd) : NULL;
  return gx[0] != NULL;
}

/* ---- norm ---- */

pt_tensor *frobenius_norm_run(const frobenius_norm_args *args) {
  pt_tensor *x = args->x;
  plan p;
  if (!pti_floating(args->op->name, "x", x)) return NULL;
  if (!plan_of(args->op->name, x, args->dim, args->keepdim, &p)) return NULL;
  return reduce(args->op->name, PTI_NORM, x, &p, x->dtype, 1, 0);
}

/* x g / y. The small factor comes first, and in float32 for halves, which hold no 1 / y of a small y. */
bool frobenius_norm_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const frobenius_norm_args args = frobenius_norm_args_of(n->op, n->arg, NULL);
  const pti_edge *e = &n->in[0];
  pt_tensor *x = pti_saved(n, 0), *y = pti_saved_out(n, 0);
  if (x == NULL || y == NULL) return false;
  pt_dtype wide = pti_computed(x);
  pt_tensor *share = pt_to_dtype(g[0], wide), *zero = pt_eq(y, pt_scalar(0));
  share = pt_div(pt_masked_fill(share, zero, pt_scalar(0)),
                 pt_masked_fill(pt_to_dtype(y, wide), zero, pt_scalar(1)));
  gx[0] = pti_grad_as(pt_mul(x, with_dims(share, e, args.dim)), e);
  return gx[0] != NULL;
}

/* ---- product ---- */

pt_tensor *prod_run(const prod_args *args) {
  pt_tensor *x = args->x;
  plan p;
  bool whole = pti_is(x->dtype, PTI_INTS | PTI_BOOLS);
  pt_dtype dtype = args->dtype->given ? args->dtype->i : whole ? PT_I64 : x->dtype;
  if (args->dtype->given) x = pti_cast(x, dtype);
  if (x == NULL || !plan_of(args->op->name, x, args->dim, args->keepdim, &p)) return NULL;
  return reduce(args->op->name, PTI_PROD, x, &p, dtype, 1, 1);
}

/* y[:, i] = product of x[:, j] over all j < i (or j > i), by doubling the reach. */
static pt_tensor *product_before(pt_tensor *x, bool after) {
  int64_t n = x->size[1], one[] = {x->size[0], 1};
  pt_tensor *edge = pt_ones(one, 2, x->dtype, pti_dev(x));
  pt_tensor *part[2] = {after ? pt_narrow(x, 1, 1, n - 1) : edge,
                        after ? edge : pt_narrow(x, 1, 0, n - 1)};
  pt_tensor *y = pt_cat(part, 2, 1);
  for (int64_t reach = 1; reach < n && y; reach *= 2) {
    pt_tensor *low = pt_narrow(y, 1, 0, n - reach), *high = pt_narrow(y, 1, reach, n - reach);
    pt_tensor *both = pt_mul(low, high);
    part[0] = after ? both : pt_narrow(y, 1, 0, reach);
    part[1] = after ? pt_narrow(y, 1, n - reach, reach) : both;
    y = pt_cat(part, 2, 1);
  }
  return y;
}

/* For each element of x the product of the others it is multiplied with: right also where x has
 * zeros. */
static pt_tensor *product_of_others(pt_tensor *x, const bool *in) {
  int64_t order[PT_MAX_DIM], back[PT_MAX_DIM], n = 1;
  int k = 0;
  for (int reduced = 0; reduced < 2; reduced++) {
    for (int d = 0; d < x->nd; d++) {
      if (in[d] != reduced) continue;
      if (reduced) n *= x->size[d];
      back[d] = k;
      order[k++] = d;
    }
  }
  pt_tensor *sorted = pt_permute(x, order, x->nd);
  if (sorted == NULL) return NULL;
  pt_tensor *row = pt_reshape(sorted, (int64_t[]){x->numel / n, n}, 2);
  if (row == NULL) return NULL;
  row = pt_mul(product_before(row, false), product_before(row, true));
  return pt_permute(pt_reshape(row, sorted->size, sorted->nd), back, x->nd);
}

bool prod_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const prod_args args = prod_args_of(n->op, n->arg, NULL);
  const pti_edge *e = &n->in[0];
  pt_tensor *x = pti_saved(n, 0), *y = pti_saved_out(n, 0);
  bool in[PT_MAX_DIM];
  double zeros;
  pt_arg dims = *args.dim;
  dims.given = dims.given && dims.n > 0;
  if (x == NULL || y == NULL || !pti_dim_set(n->op->name, &dims, e->nd, in)) return false;
  if (x->numel == 0) return (gx[0] = pti_zeros_for(e, g[0])) != NULL;
  if (x->dtype != y->dtype && !(x = pt_to_dtype(x, y->dtype))) return false;
  if (!pt_item(pt_any(pt_eq(x, pt_scalar(0)), NULL, -1, false), &zeros)) return false;
  pt_tensor *wide = with_dims(g[0], e, args.dim);
  if (zeros != 0) gx[0] = pt_mul(wide, product_of_others(x, in));
  else gx[0] = pt_div(pt_mul(wide, with_dims(y, e, args.dim)), x);
  return (gx[0] = pti_grad_as(gx[0], e)) != NULL;
}

/* ---- extremes ---- */

static pt_tensor *extreme(const amax_args *args, pti_reduction kind) {
  const char *name = args->op->name;
  plan p;
  if (!plan_of(name, args->x, args->dim, args->keepdim, &p) || !not_empty(name, args->x, &p))
    return NULL;
  return reduce(name, kind, args->x, &p, args->x->dtype, 1, 0);
}

/* Equal extremes share the gradient evenly. */
static bool share_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const pti_edge *e = &n->in[0];
  const pt_arg *dim = amax_args_of(n->op, n->arg, NULL).dim;
  pt_tensor *x = pti_saved(n, 0), *y = with_dims(pti_saved_out(n, 0), e, dim);
  pt_tensor *wide = with_dims(g[0], e, dim), *hit = pt_to_dtype(pt_eq(x, y), e->dtype);
  if (wide == NULL || hit == NULL) return false;
  pt_tensor *share = pt_div(wide, pti_sum_to(hit, wide->size, wide->nd));
  gx[0] = pt_mul(hit, share);
  return gx[0] != NULL;
}

pt_tensor *amax_run(const amax_args *args) { return extreme(args, PTI_MAX); }
bool amax_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) { return share_vjp(n, g, gx); }

pt_tensor *amin_run(const amin_args *args) { return extreme(args, PTI_MIN); }
bool amin_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) { return share_vjp(n, g, gx); }

/* The extreme along one dim and where the first of equals stands. */
static pt_tensor *extreme_dim(const max_dim_args *args, bool max) {
  const pt_op *op = args->op;
  pt_tensor *x = pti_dense_of(args->x);
  int dim;
  plan p;
  if (x == NULL || !pti_dim(op->name, args->dim, x->nd, &dim)) return NULL;
  int64_t only = dim;
  pt_arg dims = {.ints = &only, .n = 1, .given = x->nd > 0};
  if (!plan_of(op->name, x, &dims, args->keepdim, &p) || !not_empty(op->name, x, &p)) return NULL;
  pt_tensor *y = pti_new(p.size, p.nd, x->dtype, pti_dev(x));
  *args->indices = pti_new(p.size, p.nd, PT_I64, pti_dev(x));
  const pti_device *dev = pti_home(x);
  if (y == NULL || *args->indices == NULL || !pti_has(op->name, dev, dev->kernels->extreme != NULL))
    return NULL;
  bool ok = y->numel == 0 ||
      dev->kernels->extreme(dev->index, pti_rows_of(x, dim), max, pti_ptr(x), pti_ptr(y),
                            (int64_t *)pti_ptr(*args->indices), pti_this.index_base);
  return ok ? y : NULL;
}

static bool chosen_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const pti_edge *e = &n->in[0];
  if (g[0] == NULL) return true;
  pt_tensor *at = pti_saved_out(n, 1);
  if (at == NULL) return false;
  if (e->nd == 0) return (gx[0] = g[0]) != NULL;
  const max_dim_args args = max_dim_args_of(n->op, n->arg, NULL);
  int dim = (int)(args.dim < 0 ? args.dim + e->nd : args.dim);
  bool keepdim = args.keepdim;
  pt_arg arg[] = {{.t = pti_zeros_for(e, g[0]), .given = true},
                  {.i = dim, .given = true},
                  {.t = keepdim ? at : pt_unsqueeze(at, dim), .given = true},
                  {.t = keepdim ? g[0] : pt_unsqueeze(g[0], dim), .given = true}};
  if (arg[0].t) gx[0] = pti_call_inplace(pti_op_at(PTI_OP_scatter_add), arg);
  return gx[0] != NULL;
}

pt_tensor *max_dim_run(const max_dim_args *args) { return extreme_dim(args, true); }
bool max_dim_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) { return chosen_vjp(n, g, gx); }

pt_tensor *min_dim_run(const min_dim_args *args) { return extreme_dim(args, false); }
bool min_dim_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) { return chosen_vjp(n, g, gx); }

/* The position alone; without a dim, that among all elements in row-major order, for which x must be dense. */
static pt_tensor *position(const argmax_args *args, pti_reduction kind) {
  const pt_op *op = args->op;
  pt_tensor *x = args->x;
  int dim = 0;
  plan p;
  if (args->dim->given && !pti_dim(op->name, args->dim->i, x->nd, &dim)) return NULL;
  int64_t only = dim;
  pt_arg dims = {.ints = &only, .n = 1, .given = args->dim->given && x->nd > 0};
  if (!plan_of(op->name, x, &dims, args->keepdim, &p) || !not_empty(op->name, x, &p)) return NULL;
  if (!dims.given) x = pti_dense_of(x);
  return x ? reduce(op->name, kind, x, &p, PT_I64, 1, 0) : NULL;
}

pt_tensor *argmax_run(const argmax_args *args) { return position(args, PTI_ARGMAX); }
pt_tensor *argmin_run(const argmin_args *args) { return position(args, PTI_ARGMIN); }

/* ---- truth ---- */

/* For uint8 the result is uint8, as in PyTorch, which once used it for bool. */
static pt_tensor *truth(const any_args *args, pti_reduction kind, double neutral) {
  plan p;
  if (!plan_of(args->op->name, args->x, args->dim, args->keepdim, &p)) return NULL;
  pt_tensor *y = reduce(args->op->name, kind, args->x, &p, PT_BOOL, 1, neutral);
  return args->x->dtype == PT_U8 ? pti_cast(y, PT_U8) : y;
}

pt_tensor *any_run(const any_args *args) { return truth(args, PTI_ANY, 0); }
pt_tensor *all_run(const all_args *args) { return truth(args, PTI_ALL, 1); }
