/* loss.c: losses. Class ids are checked here, once, before any kernel reads them. */
#include "ops.h"

/* ---- reductions ---- */

typedef enum reduction { NONE, MEAN, SUM, UNKNOWN } reduction;

static reduction reduction_of(const char *op, const char *name) {
  static const char *const all[] = {[NONE] = "none", [MEAN] = "mean", [SUM] = "sum"};
  for (int r = NONE; r < UNKNOWN; r++) {
    if (strcmp(all[r], name) == 0) return (reduction)r;
  }
  pti_fail(PT_EARG, "%s: reduction '%s' is not 'none', 'mean' or 'sum'", op, name);
  return UNKNOWN;
}

static pt_tensor *reduced(pt_tensor *x, reduction r) {
  if (r == NONE) return x;
  return r == SUM ? pt_sum(x, NULL, -1, false, -1) : pt_mean(x, NULL, -1, false, -1);
}

/* PyTorch warns where shapes differ and broadcasts, which is nearly always a mistake: here it is an
 * error. */
pt_tensor *mse_loss_run(const mse_loss_args *args) {
  pt_tensor *x = args->x, *target = args->target;
  reduction r = reduction_of(args->op->name, args->reduction);
  if (r == UNKNOWN) return NULL;
  if (x->nd != target->nd || memcmp(x->size, target->size, x->nd * sizeof *x->size) != 0) {
    return pti_fail(PT_ESHAPE, "%s: x [%s] and target [%s] differ in shape; reshape or expand one",
                    args->op->name, pti_shape_text(x), pti_shape_text(target));
  }
  return reduced(pt_square(pt_sub(x, target)), r);
}

/* ---- class ids ---- */

/* logp (c), (n, c) or (n, c, ...): the dim of the classes. */
static int class_dim(const pt_tensor *x) { return x->nd > 1; }

/* weight has one entry for each class. */
static bool check_input(const char *op, const pt_tensor *x, const pt_tensor *weight) {
  if (x->nd == 0)
    return pti_refuse(PT_ESHAPE, "%s: x has no dims, but wants classes (n, c, ...)", op);
  if (!pti_floating(op, "x", x)) return false;
  int64_t classes = x->size[class_dim(x)];
  if (weight == NULL) return true;
  if (weight->nd == 1 && weight->size[0] == classes)
    return pti_same_dtype(op, "x", x, "weight", weight);
  return pti_refuse(PT_ESHAPE, "%s: weight [%s] for %lld classes", op, pti_shape_text(weight),
                    (long long)classes);
}

/* target has the shape of x without the classes. */
static bool check_target_shape(const char *op, const pt_tensor *x, const pt_tensor *target) {
  int c = class_dim(x);
  bool fits = target->nd == x->nd - 1;
  for (int d = 0; d < target->nd && fits; d++) fits = target->size[d] == x->size[d < c ? d : d + 1];
  if (fits) return true;
  int64_t want[PT_MAX_DIM];
  for (int d = 0; d < x->nd - 1; d++) want[d] = x->size[d < c ? d : d + 1];
  return pti_refuse(PT_ESHAPE, "%s: target [%s] for x [%s]: class ids have the shape [%s]", op,
                    pti_shape_text(target), pti_shape_text(x), pti_sizes_text(want, x->nd - 1));
}

/* Dense int64 ids, each a class or the one to ignore. */
static pt_tensor *checked_target(const char *op, const pt_tensor *x, pt_tensor *target,
                                 const pt_tensor *weight, int64_t ignore) {
  if (!check_input(op, x, weight) || !check_target_shape(op, x, target)) return NULL;
  int64_t classes = x->size[class_dim(x)], base = pti_this.index_base;
  target = pti_ids(op, "target", target);
  int64_t at = target ? pti_bad_id(target, classes, false, &ignore) : -1;
  if (at < 0) return target;
  long long label = ((const int64_t *)pti_ptr(target))[at];
  return pti_fail(PT_EINDEX, "%s: target %lld at position %s is not a class from %lld to %lld%s",
                  op, label, pti_position_text(target, at), (long long)base,
                  (long long)(classes - 1 + base),
                  label == 0 && base == 1 ? "; labels count from 1: add 1 to those from 0" : "");
}

/* loss, total weight, and the weight of every target (0 where it is ignored): all that backward
 * needs. */
pt_tensor *nll_loss_forward_run(const nll_loss_forward_args *args) {
  const char *name = "nll_loss";
  pt_tensor *x = args->logp, *weight = args->weight;
  int64_t ignore = args->ignore_index;
  reduction r = reduction_of(name, args->reduction);
  pt_tensor *target = r == UNKNOWN ? NULL : checked_target(name, x, args->target, weight, ignore);
  if (target == NULL) return NULL;
  x = pti_dense_of(x);
  weight = pti_dense_of(weight);
  pt_tensor *loss = pti_new_like(target, args->logp->dtype);
  pt_tensor *w = pti_new_like(target, args->logp->dtype);
  if (x == NULL || loss == NULL || w == NULL || (args->weight && weight == NULL)) return NULL;
  const pti_device *dev = pti_home(x);
  if (!pti_has(name, dev, dev->kernels->nll != NULL)) return NULL;
  if (target->numel &&
      !dev->kernels->nll(dev->index, pti_rows_of(x, class_dim(x)), pti_ptr(x),
                         (const int64_t *)pti_ptr(target), weight ? pti_ptr(weight) : NULL, ignore,
                         pti_ptr(loss), pti_ptr(w), pti_this.index_base)) {
    return NULL;
  }
  bool was = pt_set_grad_enabled(false);
  *args->total = pt_sum(w, NULL, -1, false, -1);
  *args->w = w;
  if (r != NONE) loss = pt_sum(loss, NULL, -1, false, -1);
  if (r == MEAN) loss = pt_div(loss, *args->total);
  pt_set_grad_enabled(was);
  return *args->total ? loss : NULL;
}

/* gx[i, t] = -w g for the target t of each i, and 0 elsewhere. */
bool nll_loss_forward_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const nll_loss_forward_args args = nll_loss_forward_args_of(n->op, n->arg, NULL);
  const pti_edge *e = &n->in[0];
  if (g[0] == NULL || !pti_wants(n, 0)) return true;
  pt_tensor *target = pti_saved(n, 1), *total = pt_detach(pti_saved_out(n, 1)),
            *w = pt_detach(pti_saved_out(n, 2));
  if (target == NULL || total == NULL || w == NULL) return false;
  pt_tensor *each = reduction_of("nll_loss", args.reduction) == MEAN ? pt_div(g[0], total) : g[0];
  each = pt_expand(each, w->size, w->nd);
  target = pti_ids("nll_loss", "target", target);
  pt_tensor *out = pti_zeros_for(e, g[0]);
  if (each == NULL || target == NULL || out == NULL) return false;
  const pti_device *dev = pti_home(out);
  int dim = e->nd > 1;
  gx[0] = out;
  if (out->numel == 0) return true;
  if (!pt_grad_enabled() && dev->kernels->nll_grad) {
    each = pti_dense_of(each);
    return each &&
        dev->kernels->nll_grad(dev->index, pti_rows_of(out, dim), (const int64_t *)pti_ptr(target),
                               pti_ptr(each), pti_ptr(w), pti_ptr(out), pti_this.index_base);
  }
  /* Ignored targets have weight 0, so any class will do for them; where all are ignored, `each` is not finite. */
  pt_tensor *skip = pt_eq(w, pt_scalar(0));
  pt_tensor *some = pt_masked_fill(target, skip, pt_scalar_int(pti_this.index_base));
  pt_tensor *take = pt_masked_fill(pt_neg(pt_mul(each, w)), skip, pt_scalar(0));
  gx[0] = pt_scatter_add(out, dim, pt_unsqueeze(some, dim), pt_unsqueeze(take, dim));
  return gx[0] != NULL;
}

pt_tensor *nll_loss_run(const nll_loss_args *args) {
  return pt_nll_loss_forward(args->x, args->target, args->weight, args->ignore_index,
                             args->reduction, NULL, NULL);
}

/* ---- cross entropy ---- */

typedef struct entropy {
  const char *op;
  pt_tensor *logp, *target, *weight;
  int64_t ignore;
  reduction r;
  const char *reduction;
  double smoothing;
  int dim;
} entropy;

/* Weights of the classes, shaped to broadcast against logp. */
static pt_tensor *weight_of(const entropy *q) {
  int64_t size[PT_MAX_DIM];
  for (int d = 0; d < q->logp->nd; d++) size[d] = d == q->dim ? q->weight->size[0] : 1;
  return pt_reshape(q->weight, size, q->logp->nd);
}

/* -sum over classes of logp, each class with its weight. */
static pt_tensor *minus_sum(const entropy *q, pt_tensor *logp) {
  int64_t dim = q->dim;
  if (q->weight) logp = pt_mul(logp, weight_of(q));
  return pt_neg(pt_sum(logp, &dim, 1, false, -1));
}

static pt_tensor *against_probabilities(const entropy *q) {
  double classes = (double)q->logp->size[q->dim], share = q->smoothing / classes;
  pt_tensor *p = q->target;
  if (q->smoothing > 0) p = pt_add(pt_mul(p, pt_scalar(1 - q->smoothing)), pt_scalar(share));
  pt_tensor *loss = minus_sum(q, pt_mul(q->logp, p));
  return reduced(loss, q->r); /* the mean is over samples, whatever the weights */
}

static pt_tensor *against_ids(const entropy *q) {
  pt_tensor *total;
  pt_tensor *nll =
      pt_nll_loss_forward(q->logp, q->target, q->weight, q->ignore, q->reduction, &total, NULL);
  if (nll == NULL || q->smoothing == 0) return nll;
  pt_tensor *skip = pt_eq(q->target, pt_scalar_int(q->ignore));
  pt_tensor *smooth = pt_masked_fill(minus_sum(q, q->logp), skip, pt_scalar(0));
  if (q->r != NONE) smooth = pt_sum(smooth, NULL, -1, false, -1);
  if (q->r == MEAN) smooth = pt_div(smooth, pt_detach(total));
  double share = q->smoothing / (double)q->logp->size[q->dim];
  return pt_add(pt_mul(nll, pt_scalar(1 - q->smoothing)), pt_mul(smooth, pt_scalar(share)));
}

pt_tensor *cross_entropy_run(const cross_entropy_args *args) {
  pt_tensor *x = args->x;
  entropy q = {.op = args->op->name,
               .target = args->target,
               .weight = args->weight,
               .ignore = args->ignore_index,
               .reduction = args->reduction,
               .smoothing = args->label_smoothing,
               .dim = class_dim(x)};
  q.r = reduction_of(args->op->name, q.reduction);
  if (q.r == UNKNOWN) return NULL;
  if (!(q.smoothing >= 0 && q.smoothing <= 1)) {
    return pti_fail(PT_EARG, "%s: label_smoothing %g is not between 0 and 1", args->op->name,
                    q.smoothing);
  }
  bool probabilities = pti_is(q.target->dtype, PTI_FLOATS) && q.target->nd == x->nd && x->nd > 0;
  if (probabilities) {
    if (memcmp(x->size, q.target->size, x->nd * sizeof *x->size) != 0) {
      return pti_fail(PT_ESHAPE, "%s: x [%s] and class probabilities [%s] differ in shape",
                      args->op->name, pti_shape_text(x), pti_shape_text(q.target));
    }
    if (!check_input(args->op->name, x, q.weight)) return NULL;
  } else {
    q.target = checked_target(args->op->name, x, q.target, q.weight, q.ignore);
    if (q.target == NULL) return NULL;
  }
  q.logp = pt_log_softmax(x, q.dim, -1);
  if (q.logp == NULL) return NULL;
  return probabilities ? against_probabilities(&q) : against_ids(&q);
}
