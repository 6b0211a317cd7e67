/* advanced_indexing.c: index and index_put, x[ids, ids, ...] with an entry for each dim: a tensor of ids, a
   bool mask, or nothing for the whole dim. All ids together become one row of ids over the indexed
   dims, so that the kernels of index_select, index_copy and index_add do the work. */
#include "ops.h"
#include "ptlua_ids.h"

typedef struct plan {
  const char *op;
  pt_tensor *id[PT_MAX_DIM]; /* for each dim of x, or NULL */
  int nindexed, first;       /* indexed dims; where they stand in `order` */
  int64_t order[PT_MAX_DIM]; /* dims of x with the indexed ones side by side */
  bool sorted;               /* order is x's own */
  int ncommon;
  int64_t common[PT_MAX_DIM]; /* shape of the ids, broadcast together */
  int nd;
  int64_t
      size[PT_MAX_DIM]; /* of the result: the common shape stands where the indexed dims stood */
  pt_tensor *flat;      /* one dense id for each place of the common shape */
  pti_rows rows;        /* x in that order, around the indexed dims */
} plan;

/* A mask stands for as many id tensors as it has dims. */
static bool spell_mask(plan *p, const pt_tensor *x, pt_tensor *mask, int entry, int *at) {
  bool fits = mask->nd > 0 && *at + mask->nd <= x->nd;
  for (int d = 0; d < mask->nd && fits; d++) fits = mask->size[d] == x->size[*at + d];
  if (!fits) {
    return pti_refuse(PT_ESHAPE, "%s: mask [%s] (entry %d) does not fit x [%s] from dim %lld on",
                      p->op, pti_shape_text(mask), entry + pti_this.index_base, pti_shape_text(x),
                      pti_shown(*at));
  }
  pt_tensor *where = pt_nonzero(mask);
  for (int d = 0; d < mask->nd; d++) {
    if (where == NULL) return false;
    pt_tensor *id =
        pti_view(where, &where->size[0], &where->stride[0], 1, where->offset + d, false);
    if (id == NULL) return false; /* no entry would stand for the whole dim */
    p->id[(*at)++] = id;
  }
  return true;
}

static bool spell_out(plan *p, const pt_tensor *x, const pt_arg *list) {
  int at = 0;
  for (int i = 0; i < list->n; i++) {
    pt_tensor *t = list->list[i];
    if (t && t->dtype == PT_BOOL) {
      if (!spell_mask(p, x, t, i, &at)) return false;
      continue;
    }
    if (at >= x->nd) {
      return pti_refuse(PT_EINDEX, "%s: %d entries for x [%s] of %d dims", p->op, list->n,
                        pti_shape_text(x), x->nd);
    }
    if (t && t->dtype == PT_U8) {
      return pti_refuse(PT_EDTYPE, "%s: entry %d is uint8; ids are int64, masks are bool", p->op,
                        i + pti_this.index_base);
    }
    if (t && !(t = pti_ids(p->op, "index", t))) return false;
    if (t && !pti_check_ids(p->op, "index", t, x->size[at], true)) return false;
    p->id[at++] = t;
  }
  return true;
}

/* PyTorch's rule: indexed dims that stand side by side are replaced in place, others move to the
 * front. */
static void put_in_order(plan *p, const pt_tensor *x) {
  int last = -1, k = 0;
  p->first = -1;
  for (int d = 0; d < x->nd; d++) {
    if (p->id[d] == NULL) continue;
    if (p->first < 0) p->first = d;
    last = d;
    p->nindexed++;
  }
  p->sorted = p->nindexed == 0 || last - p->first + 1 == p->nindexed;
  for (int other = 0; other < 2; other++) {
    for (int d = 0; d < x->nd && !p->sorted; d++) {
      if ((p->id[d] == NULL) == other) p->order[k++] = d;
    }
  }
  for (int d = 0; d < x->nd && p->sorted; d++) p->order[d] = d;
  if (!p->sorted) p->first = 0;
}

/* An id of one dim, counted from 0. */
static pt_tensor *from_zero(pt_tensor *id, int64_t n) {
  return pt_where(pt_lt(id, pt_scalar_int(0)), pt_add(id, pt_scalar_int(n)),
                  pt_sub(id, pt_scalar_int(pti_this.index_base)));
}

/* One id over all indexed dims; a single one stays as it is. */
static pt_tensor *flat_ids(plan *p, const pt_tensor *x) {
  pt_tensor *sum = NULL;
  int64_t step = 1;
  for (int i = p->nindexed - 1; i >= 0; i--) {
    int64_t d = p->order[p->first + i];
    pt_tensor *id = p->id[d];
    if (p->nindexed > 1) {
      id = pt_mul(from_zero(id, x->size[d]), pt_scalar_int(step));
      sum = sum ? pt_add(sum, id) : id;
      if (sum == NULL) return NULL;
    } else {
      sum = id;
    }
    step *= x->size[d];
  }
  if (p->nindexed > 1) sum = pt_add(sum, pt_scalar_int(pti_this.index_base));
  return pti_dense_of(pti_expand_to(sum, p->common, p->ncommon));
}

static bool plan_of(plan *p, const char *op, const pt_tensor *x, const pt_arg *list) {
  *p = (plan){.op = op, .rows = {.dtype = x->dtype, .outer = 1, .n = 1, .inner = 1}};
  const pt_tensor *given[PT_MAX_DIM];
  int n = 0;
  bool was = pt_set_grad_enabled(false), ok = spell_out(p, x, list);
  put_in_order(p, x);
  for (int d = 0; d < x->nd; d++) {
    if (p->id[d]) given[n++] = p->id[d];
  }
  if (ok && n)
    ok = pti_broadcast(op, given, n, p->common, &p->ncommon) && (p->flat = flat_ids(p, x)) != NULL;
  pt_set_grad_enabled(was);
  if (!ok) return false;
  if (x->nd - n + p->ncommon > PT_MAX_DIM) {
    return pti_refuse(PT_ESHAPE, "%s: the result would have %d dims, but at most %d are supported",
                      op, x->nd - n + p->ncommon, PT_MAX_DIM);
  }
  for (int i = 0; i < x->nd; i++) {
    int64_t size = x->size[p->order[i]];
    bool indexed = n > 0 && i >= p->first && i < p->first + n;
    if (indexed && i == p->first) {
      for (int d = 0; d < p->ncommon; d++) p->size[p->nd++] = p->common[d];
    }
    if (!indexed) p->size[p->nd++] = size;
    *(indexed ? &p->rows.n : n == 0 || i < p->first ? &p->rows.outer : &p->rows.inner) *= size;
  }
  return true;
}

/* x with its dims in the order of the plan. */
static pt_tensor *in_order(const plan *p, pt_tensor *x) {
  pti_geometry q = {.nd = x->nd, .offset = x->offset};
  for (int i = 0; i < x->nd; i++) {
    q.size[i] = x->size[p->order[i]];
    q.stride[i] = x->stride[p->order[i]];
  }
  return p->sorted ? x : pti_view_at(x, &q, false);
}

pt_tensor *index_run(const index_args *args) {
  pt_tensor *x = args->x;
  plan p;
  if (!plan_of(&p, args->op->name, x, args->indices)) return NULL;
  pt_tensor *y = pti_new(p.size, p.nd, x->dtype, pti_dev(x));
  if (y == NULL || y->numel == 0) return y;
  if (p.nindexed == 0) return pti_copy_into(y, x) ? y : NULL;
  x = pti_dense_of(in_order(&p, x));
  const pti_device *dev = pti_home(y);
  if (x == NULL || !pti_has(args->op->name, dev, dev->kernels->index_select != NULL)) return NULL;
  bool ok =
      dev->kernels->index_select(dev->index, p.rows, pti_ptr(x), (const int64_t *)pti_ptr(p.flat),
                                 p.flat->numel, pti_ptr(y), pti_this.index_base, true);
  return ok ? y : NULL;
}

/* The entries of a recorded call; those that were left out have no sizes. */
static bool saved_entries(pt_node *n, pt_tensor **entry) {
  for (int i = 0; i < n->arg[1].n; i++) {
    if (!pti_saved_if_given(n, 1 + i, &entry[i])) return false;
  }
  return true;
}

bool index_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const index_args args = index_args_of(n->op, n->arg, NULL);
  pt_tensor *entry[PT_MAX_DIM];
  if (!saved_entries(n, entry)) return false;
  pt_arg arg[] = {{.t = pti_zeros_for(&n->in[0], g[0]), .given = true},
                  {.list = entry, .n = args.indices->n, .given = true},
                  {.t = g[0], .given = true},
                  {.i = true, .given = true}};
  gx[0] = arg[0].t ? pti_call_inplace(pti_op_at(PTI_OP_index_put), arg) : NULL;
  return gx[0] != NULL;
}

/* value as a dense tensor of the plan's result shape. */
static pt_tensor *spread(const plan *p, const pt_tensor *x, pt_tensor *value) {
  if (pti_dev(value) != pti_dev(x)) value = pti_to_device(value, pti_dev(x));
  value = pti_cast(value, x->dtype);
  pt_tensor *wide = pti_expand_to(value, p->size, p->nd);
  if (wide == NULL) pti_error_prefix(p->op);
  return pti_dense_of(wide);
}

pt_tensor *index_put_run(const index_put_args *args) {
  pt_tensor *x = args->x;
  plan p;
  if (!plan_of(&p, args->op->name, x, args->indices)) return NULL;
  pt_tensor *value = spread(&p, x, args->value);
  if (value == NULL || value->numel == 0) return value ? x : NULL;
  bool add = args->accumulate;
  if (p.nindexed == 0) { /* the whole of x is one entry */
    p.flat = pti_new(NULL, 0, PT_I64, pti_dev(x));
    if (p.flat == NULL || !pti_fill_value(p.flat, 0, pti_this.index_base)) return NULL;
    p.rows.inner = p.rows.outer;
    p.rows.outer = 1;
  }
  pt_tensor *part = in_order(&p, x), *y = pti_dense_of(part);
  const pti_device *dev = pti_home(x);
  bool have = add ? dev->kernels->index_add != NULL : dev->kernels->index_copy != NULL;
  if (y == NULL || !pti_has(args->op->name, dev, have)) return NULL;
  if (p.flat->alias->storage == x->alias->storage && !(p.flat = pt_clone(p.flat))) return NULL;
  bool ok = (add ? dev->kernels->index_add : dev->kernels->index_copy)(
      dev->index, p.rows, pti_ptr(y), (const int64_t *)pti_ptr(p.flat), p.flat->numel,
      pti_ptr(value), pti_this.index_base, true);
  if (ok && y != part) ok = pti_copy_into(part, y);
  return ok ? x : NULL;
}

bool index_put_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const index_put_args args = index_put_args_of(n->op, n->arg, NULL);
  pt_tensor *entry[PT_MAX_DIM];
  int count = args.indices->n, value = 1 + count;
  bool add = args.accumulate;
  if (!saved_entries(n, entry)) return false;
  if (pti_wants(n, 0)) {
    gx[0] = add ? g[0] : pt_index_put(g[0], entry, count, pt_scalar(0), false);
    if (gx[0] == NULL) return false;
  }
  if (!pti_wants(n, value)) return true;
  gx[value] = pti_grad_to(pt_index(g[0], entry, count), &n->in[value]);
  return gx[value] != NULL;
}
