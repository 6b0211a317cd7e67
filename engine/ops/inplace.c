/* inplace.c: ops whose main use is their in-place twin. Each run edits x, which is dense and the op's own; the
   gradient for the old x is that of the elements which the edit left as they were. */
#include <math.h>

#include "ops.h"
#include "ptlua_ew.h"

static bool no_gradient(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  if (pti_wants(n, 0)) gx[0] = pti_zeros_for(&n->in[0], g[0]);
  return !pti_wants(n, 0) || gx[0] != NULL;
}

pt_tensor *zero_run(const zero_args *args) {
  return pti_fill_value(args->x, 0, 0) ? args->x : NULL;
}
bool zero_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) { return no_gradient(n, g, gx); }

/* A number, or a tensor of one; fractions are cut off where x holds integers, what does not fit is
 * refused. */
static bool check_value(const char *op, const pt_tensor *x, const pt_tensor *value) {
  double v;
  if (value->nd > 0) {
    return pti_refuse(PT_ESHAPE, "%s: value [%s] is not a single number", op,
                      pti_shape_text(value));
  }
  if (!pti_is(x->dtype, PTI_INTS) || !pti_is(value->dtype, PTI_FLOATS)) return true;
  if (!pt_item(value, &v)) return false;
  if (v >= -9223372036854775808.0 && v < 9223372036854775808.0) return true;
  return pti_refuse(PT_EARG, "%s: value %g cannot be stored in x of dtype %s", op, v,
                    pt_dtype_name(x->dtype));
}

pt_tensor *fill_run(const fill_args *args) {
  pt_tensor *x = args->x, *value = args->value;
  double f = 0;
  int64_t i = 0;
  if (!check_value(args->op->name, x, value)) return NULL;
  if (pti_dev(value) != 0) return pti_copy_into(x, value) ? x : NULL;
  bool integer = pti_is(x->dtype, PTI_INTS);
  if (integer ? !pt_item_int(value, &i) : !pt_item(value, &f)) return NULL;
  return pti_fill_value(x, integer ? (double)i : f, integer ? i : f != 0) ? x : NULL;
}

bool fill_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  if (pti_wants(n, 1)) gx[1] = pti_grad_to(g[0], &n->in[1]);
  return no_gradient(n, g, gx) && (!pti_wants(n, 1) || gx[1] != NULL);
}

pt_tensor *copy_run(const copy_args *args) {
  pt_tensor *src = args->src;
  int to = pti_dev(args->x);
  if (args->non_blocking && pti_dev(src) != to) src = pti_to_device_later(src, to);
  if (src && pti_copy_into(args->x, src)) return args->x;
  pti_error_prefix(args->op->name);
  return NULL;
}
bool copy_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  if (!fill_vjp(n, g, gx)) return false;
  if (gx[1] && pti_dev(gx[1]) != n->in[1].device)
    gx[1] = pt_to_device(gx[1], n->in[1].device, false);
  return !pti_wants(n, 1) || gx[1] != NULL;
}

/* where(mask, value, x), written over x in one pass by the kernel of `where`. */
pt_tensor *masked_fill_run(const masked_fill_args *args) {
  pt_tensor *x = args->x, *mask = args->mask, *value = args->value;
  if (mask->dtype != PT_BOOL) {
    return pti_fail(PT_EDTYPE, "%s: mask is %s, but must be bool", args->op->name,
                    pt_dtype_name(mask->dtype));
  }
  if (!check_value(args->op->name, x, value)) return NULL;
  mask = pti_expand_to(mask, x->size, x->nd);
  if (mask == NULL) {
    pti_error_prefix(args->op->name);
    return NULL;
  }
  if (pti_dev(value) != pti_dev(x)) value = pti_to_device(value, pti_dev(x));
  if (value == NULL) return NULL;
  const pt_tensor *t[] = {x, mask, value, x};
  pti_operand operand[PTI_COUNT(t)];
  for (size_t i = 0; i < PTI_COUNT(t); i++) {
    operand[i] = (pti_operand){pti_ptr(t[i]), t[i]->dtype, t[i]->nd, t[i]->size, t[i]->stride};
  }
  pti_iter it;
  pti_iter_init(&it, x->nd, x->size, operand, PTI_COUNT(t));
  const pti_device *dev = pti_home(x);
  bool ok = it.n == 0 ||
      dev->kernels->ew(dev->index, PTI_EW_where, 0, pti_compute_of(x->dtype), &it, NULL);
  return ok ? x : NULL;
}

bool masked_fill_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  pt_tensor *mask = pti_saved(n, 1);
  if (mask == NULL) return false;
  if (pti_wants(n, 0) && !(gx[0] = pt_masked_fill(g[0], mask, pt_scalar(0)))) return false;
  if (!pti_wants(n, 2)) return true;
  gx[2] = pti_grad_to(pt_where(mask, g[0], pt_scalar(0)), &n->in[2]);
  return gx[2] != NULL;
}
