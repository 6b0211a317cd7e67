/* join.c: tensors put together. */
#include "elementwise.h"
#include "mem.h"
#include "ops.h"

/* A 1-d tensor without elements joins anything, as in PyTorch. */
static bool joins_anything(const pt_tensor *x) { return x->nd == 1 && x->size[0] == 0; }

/* The first tensor whose sizes count. */
static const pt_tensor *model_of(const pt_arg *x) {
  for (int i = 0; i < x->n; i++) {
    if (!joins_anything(x->list[i])) return x->list[i];
  }
  return x->list[0];
}

static bool check_list(const char *op, const pt_arg *x) {
  if (x->n <= 0) return pti_refuse(PT_EARG, "%s: the list of tensors is empty", op);
  for (int i = 0; i < x->n; i++) {
    if (x->list[i] == NULL) return false; /* an earlier call of the chain failed, and said so */
  }
  return true;
}

/* Sizes of the result; all but `dim` must agree. */
static bool joined_size(const char *op, const pt_arg *x, int dim, int64_t *size) {
  const pt_tensor *m = model_of(x);
  memcpy(size, m->size, sizeof m->size);
  size[dim] = 0;
  for (int i = 0; i < x->n; i++) {
    const pt_tensor *t = x->list[i];
    if (joins_anything(t)) continue;
    bool fits = t->nd == m->nd;
    for (int d = 0; d < m->nd && fits; d++) fits = d == dim || t->size[d] == m->size[d];
    if (!fits) {
      return pti_refuse(PT_ESHAPE, "%s: x[%d] [%s] does not join [%s] along dim %lld", op,
                        i + pti_this.index_base, pti_shape_text(t), pti_shape_text(m),
                        pti_shown(dim));
    }
    if (!pti_add(size[dim], t->size[dim], &size[dim])) {
      return pti_refuse(PT_ESHAPE, "%s: the sizes add up to more than memory can address", op);
    }
  }
  return true;
}

pt_tensor *cat_run(const cat_args *args) {
  const pt_arg *x = args->x;
  int64_t size[PT_MAX_DIM];
  int dim;
  if (!check_list(args->op->name, x)) return NULL;
  const pt_tensor *m = model_of(x);
  if (m->nd == 0)
    return pti_fail(PT_ESHAPE, "%s: tensors without dims cannot be joined; use stack",
                    args->op->name);
  if (!pti_dim(args->op->name, args->dim, m->nd, &dim) ||
      !joined_size(args->op->name, x, dim, size))
    return NULL;
  pt_tensor *y = pti_new(size, m->nd, pti_result_type(x->list, x->n), pti_dev(m));
  if (y == NULL) return NULL;
  pti_geometry part = pti_geometry_of(y);
  for (int i = 0; i < x->n; i++) {
    if (x->list[i]->numel == 0) continue;
    part.size[dim] = x->list[i]->size[dim];
    if (!pti_copy_into(pti_view_at(y, &part, false), x->list[i])) return NULL;
    part.offset += part.size[dim] * part.stride[dim];
  }
  return y;
}

/* Each input gets its part of the gradient, as a view. */
bool cat_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const cat_args args = cat_args_of(n->op, n->arg, NULL);
  int dim = (int)(args.dim < 0 ? args.dim + g[0]->nd : args.dim);
  int64_t at = 0;
  for (int i = 0; i < n->nin; i++) {
    const pti_edge *e = &n->in[i];
    bool anything = e->nd == 1 && e->size[0] == 0;
    int64_t length = anything ? 0 : e->size[dim];
    if (pti_wants(n, i)) {
      gx[i] = anything ? pti_zeros_for(e, g[0]) : pti_grad_as(pt_narrow(g[0], dim, at, length), e);
      if (gx[i] == NULL) return false;
    }
    at += length;
  }
  return true;
}

pt_tensor *stack_run(const stack_args *args) {
  const pt_arg *x = args->x;
  int dim;
  if (!check_list(args->op->name, x) ||
      !pti_dim(args->op->name, args->dim, x->list[0]->nd + 1, &dim))
    return NULL;
  const pt_tensor *m = x->list[0];
  size_t bytes = (size_t)x->n * sizeof(pt_tensor *);
  pt_tensor **row = pti_alloc(bytes), *y = NULL;
  if (row == NULL) return NULL;
  for (int i = 0; i < x->n; i++) {
    const pt_tensor *t = x->list[i];
    if (t->nd != m->nd || memcmp(t->size, m->size, m->nd * sizeof *m->size) != 0) {
      pti_fail(PT_ESHAPE, "%s: x[%d] is [%s], x[%d] is [%s]", args->op->name, pti_this.index_base,
               pti_shape_text(m), i + pti_this.index_base, pti_shape_text(t));
      goto done;
    }
    if (!(row[i] = pt_unsqueeze(x->list[i], dim))) goto done;
  }
  y = pt_cat(row, x->n, dim);
done:
  pti_free(row, bytes);
  return y;
}
