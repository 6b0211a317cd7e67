/* scatter_reduce.c: x with the elements of src combined at ids: sums, products, means and extremes, and their gradients.
   A group is what one element of the result is made of: the elements of src with its id, and the old x where that is
   included. */
#include <math.h>

#include "ops.h"
#include "ptlua_ids.h"

typedef enum { SUM, PROD, MEAN, AMAX, AMIN, NKINDS } kind;

/* NKINDS with an error where there is none of this name. */
static kind kind_of(const pt_op *op, const char *name) {
  static const char *const names[NKINDS] = {"sum", "prod", "mean", "amax", "amin"};
  int k = 0;
  while (k < NKINDS && strcmp(name, names[k]) != 0) k++;
  if (k == NKINDS)
    pti_fail(PT_EARG, "%s: reduce '%s' is not sum, prod, mean, amax or amin", op->name, name);
  return (kind)k;
}

/* ---- values ---- */

/* What changes nothing, as a tensor without dims. */
static pt_tensor *neutral(kind k, pt_dtype dtype) {
  if (k == PROD) return pt_scalar_int(1);
  if (k == SUM || k == MEAN) return pt_scalar_int(0);
  bool least = k == AMAX;
  if (pti_is(dtype, PTI_FLOATS)) return pt_scalar(least ? -INFINITY : INFINITY);
  if (dtype == PT_BOOL) return pt_scalar_int(!least);
  int bits = 8 * (int)pt_dtype_size(dtype);
  bool is_signed = dtype != PT_U8;
  uint64_t most = UINT64_MAX >> (64 - bits + is_signed);
  return pt_scalar_int(!least ? (int64_t)most : is_signed ? -(int64_t)most - 1 : 0);
}

/* How many elements each group has, as int64; in an element that has none, 1. */
static pt_tensor *count(const pt_op *op, const pt_tensor *x, int64_t dim, pt_tensor *index,
                        bool include_self) {
  pt_tensor *n = pti_new_like(x, PT_I64);
  if (n == NULL || !pti_fill_value(n, include_self, include_self)) return NULL;
  if (!pti_scatter_into(op, n, dim, index, pt_scalar_int(1), PTI_ADD)) return NULL;
  return include_self ? n : pt_maximum(n, pt_scalar_int(1));
}

/* x over n, in x; whole numbers are rounded down. */
static bool divide(pt_tensor *x, pt_tensor *n) {
  pt_arg arg[] = {{.t = x, .given = true}, {.t = n, .given = true}};
  int op = pti_is(x->dtype, PTI_FLOATS) ? PTI_OP_div : PTI_OP_floor_divide;
  return n && pti_call_inplace(pti_op_at(op), arg) != NULL;
}

static bool fits(const pt_op *op, const pt_tensor *x, const pt_tensor *index,
                 const pt_tensor *src) {
  if (src->nd == index->nd || index->numel == 0)
    return pti_same_dtype(op->name, "x", x, "src", src);
  return pti_refuse(PT_ESHAPE, "%s: index [%s] and src [%s] differ in their number of dims",
                    op->name, pti_shape_text(index), pti_shape_text(src));
}

pt_tensor *scatter_reduce_run(const scatter_reduce_args *args) {
  static const pti_combine combine[NKINDS] = {PTI_ADD, PTI_TIMES, PTI_ADD, PTI_LARGER, PTI_LESS};
  const pt_op *op = args->op;
  pt_tensor *x = args->x, *index = args->index;
  kind k = kind_of(op, args->reduce);
  if (k == NKINDS || !fits(op, x, index, args->src)) return NULL;
  bool was = pt_set_grad_enabled(false);
  bool ok = args->include_self ||
      pti_scatter_into(op, x, args->dim, index, neutral(k, x->dtype), PTI_PUT);
  ok = ok && pti_scatter_into(op, x, args->dim, index, args->src, combine[k]);
  if (ok && k == MEAN) ok = divide(x, count(op, x, args->dim, index, args->include_self));
  pt_set_grad_enabled(was);
  return ok ? x : NULL;
}

/* ---- gradients ---- */

/* What a gradient reads: x, and src where index covers it. */
typedef struct call {
  int dim;
  bool include_self;
  pt_tensor *x, *id, *src;
} call;

static pt_tensor *covered(pt_tensor *src, const pt_tensor *id) {
  for (int d = 0; src && d < id->nd; d++) {
    if (src->size[d] != id->size[d]) src = pt_narrow(src, d, 0, id->size[d]);
  }
  return src;
}

/* Sums over each group of a quantity of x and of src. */
static pt_tensor *sums(const call *c, pt_tensor *of_x, pt_tensor *of_src) {
  if (!c->include_self) of_x = pt_scatter(of_x, c->dim, c->id, pt_scalar_int(0));
  return pt_scatter_add(of_x, c->dim, c->id, of_src);
}

/* The same of what is true. */
static pt_tensor *counts(const call *c, pt_tensor *of_x, pt_tensor *of_src, pt_dtype dtype) {
  return of_x && of_src ? sums(c, pt_to_dtype(of_x, dtype), pt_to_dtype(of_src, dtype)) : NULL;
}

/* Elements that equal the extreme of their group share its gradient. */
static void extreme_grad(const call *c, pt_tensor *y, pt_tensor *g, pt_tensor **gx) {
  pt_tensor *zero = pt_scalar_int(0), *in_x = pt_eq(c->x, y);
  pt_tensor *in_src = pt_eq(c->src, pt_gather(y, c->dim, c->id));
  pt_tensor *n = pt_maximum(counts(c, in_x, in_src, g->dtype), pt_scalar_int(1)); /* none: NaN */
  pt_tensor *share = pt_div(g, n);
  gx[0] = pt_where(in_x, share, zero);
  gx[1] = pt_where(in_src, pt_gather(share, c->dim, c->id), zero);
}

/* The product of the others of a group: of those that are not 0, times the zeros among them. With one zero among the
   others that is this zero itself, which has a gradient although its value is 0; with more, it is 0. */
typedef struct product {
  pt_tensor *rest, *zeros,
      *sum; /* of each group: the product without zeros, how many zeros, their sum */
} product;

static pt_tensor *of_others(const product *p, pt_tensor *v) {
  pt_tensor *zero = pt_scalar_int(0), *one = pt_scalar_int(1), *is_zero = pt_eq(v, zero);
  pt_tensor *others = pt_sub(p->zeros, is_zero ? pt_to_dtype(is_zero, v->dtype) : NULL);
  pt_tensor *that = pt_sub(p->sum, pt_where(is_zero, v, zero));
  pt_tensor *zeros = pt_where(pt_eq(others, zero), one, pt_where(pt_eq(others, one), that, zero));
  return pt_mul(pt_div(p->rest, pt_where(is_zero, one, v)), zeros);
}

static void product_grad(const call *c, pt_tensor *g, pt_tensor **gx) {
  pt_tensor *zero = pt_scalar_int(0), *one = pt_scalar_int(1);
  pt_tensor *zero_x = pt_eq(c->x, zero), *zero_src = pt_eq(c->src, zero);
  product p = {pt_scatter_reduce(pt_where(zero_x, one, c->x), c->dim, c->id,
                                 pt_where(zero_src, one, c->src), "prod", c->include_self),
               counts(c, zero_x, zero_src, g->dtype),
               sums(c, pt_where(zero_x, c->x, zero), pt_where(zero_src, c->src, zero))};
  product at_ids = {pt_gather(p.rest, c->dim, c->id), pt_gather(p.zeros, c->dim, c->id),
                    pt_gather(p.sum, c->dim, c->id)};
  gx[0] = pt_mul(g, of_others(&p, c->x));
  gx[1] = pt_mul(pt_gather(g, c->dim, c->id), of_others(&at_ids, c->src));
}

bool scatter_reduce_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const scatter_reduce_args args = scatter_reduce_args_of(n->op, n->arg, NULL);
  call c = {(int)args.dim, args.include_self, pti_saved(n, 0), pti_saved(n, 1), pti_saved(n, 2)};
  pt_tensor *y = pti_saved_out(n, 0), *gy = g[0], *part[2] = {0};
  kind k = kind_of(n->op, args.reduce);
  if (!c.x || !c.id || !c.src || !y) return false;
  if (c.id->numel == 0) {
    gx[0] = gy;
    return !pti_wants(n, 2) || (gx[2] = pti_zeros_for(&n->in[2], gy)) != NULL;
  }
  c.src = covered(c.src, c.id);
  if (k == PROD) product_grad(&c, gy, part);
  else if (k == AMAX || k == AMIN) extreme_grad(&c, y, gy, part);
  else {
    if (k == MEAN) gy = pt_div(gy, count(n->op, gy, c.dim, c.id, c.include_self));
    part[0] = gy;
    part[1] = pt_gather(gy, c.dim, c.id);
  }
  if (!c.include_self) part[0] = pt_scatter(part[0], c.dim, c.id, pt_scalar_int(0));
  if (pti_wants(n, 0) && !(gx[0] = part[0])) return false;
  return !pti_wants(n, 2) || (gx[2] = pti_scattered_grad(&n->in[2], part[1])) != NULL;
}
