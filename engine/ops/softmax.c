/* softmax.c: softmax and its logarithm along one dim. Backward runs one fused kernel; where a graph
   of the gradient is wanted it is the same formula in ops. */
#include "ops.h"

static pt_tensor *run(const softmax_args *args, bool log) {
  const char *name = args->op->name;
  int dim;
  pt_tensor *x = args->dtype->given ? pti_cast(args->x, args->dtype->i) : args->x;
  if (x == NULL || !pti_floating(name, "x", x) || !pti_dim(name, args->dim, x->nd, &dim))
    return NULL;
  x = pti_dense_of(x);
  pt_tensor *y = x ? pti_new_like(x, x->dtype) : NULL;
  if (y == NULL || y->numel == 0) return y;
  const pti_device *dev = pti_home(x);
  if (!pti_has(name, dev, dev->kernels->softmax != NULL)) return NULL;
  bool ok = dev->kernels->softmax(dev->index, pti_rows_of(x, dim), log, pti_ptr(x), pti_ptr(y));
  return ok ? y : NULL;
}

/* softmax: y (g - sum(g y))    log_softmax: g - exp(y) sum(g) */
static pt_tensor *composed(pt_tensor *y, pt_tensor *g, int64_t dim, bool log) {
  if (log) return pt_sub(g, pt_mul(pt_exp(y), pt_sum(g, &dim, 1, true, -1)));
  return pt_mul(y, pt_sub(g, pt_sum(pt_mul(g, y), &dim, 1, true, -1)));
}

static bool vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx, bool log) {
  pt_tensor *y = pti_saved_out(n, 0);
  int dim;
  if (y == NULL || !pti_dim(n->op->name, softmax_args_of(n->op, n->arg, NULL).dim, y->nd, &dim))
    return false;
  const pti_device *dev = pti_home(y);
  if (pt_grad_enabled() || dev->kernels->softmax_grad == NULL) {
    return (gx[0] = pti_grad_as(composed(y, g[0], dim, log), &n->in[0])) != NULL;
  }
  pt_tensor *dense = pti_dense_of(g[0]), *out = dense ? pti_new_like(y, y->dtype) : NULL;
  if (out == NULL) return false;
  if (out->numel > 0 &&
      !dev->kernels->softmax_grad(dev->index, pti_rows_of(y, dim), log, pti_ptr(y), pti_ptr(dense),
                                  pti_ptr(out)))
    return false;
  return (gx[0] = pti_grad_as(out, &n->in[0])) != NULL;
}

pt_tensor *softmax_run(const softmax_args *args) { return run(args, false); }
bool softmax_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) { return vjp(n, g, gx, false); }

pt_tensor *log_softmax_run(const log_softmax_args *args) { return run(args, true); }
bool log_softmax_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  return vjp(n, g, gx, true);
}
