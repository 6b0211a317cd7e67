/* elementwise.c: one run and one vjp for every element-wise row: promote, broadcast, launch; and
   backward the gradient's kernel, or its text played as ops where a graph of the gradient is
   wanted. */
#include "elementwise.h"

#include <string.h>

#include "formula.h"
#include "node.h"
#include "slots.h"
#include "tensor.h"

enum { MAX_ARITY = 3 };

/* ---- dtypes ---- */

static int joined(int a, int b) { return a < 0 ? b : b < 0 ? a : (int)pti_promote(a, b); }

/* `low` counts only where its category is higher. */
static int outvoted(int high, int low) {
  if (high < 0) return low;
  if (low < 0 || pti_category(low) <= pti_category(high)) return high;
  return joined(high, low);
}

pt_dtype pti_result_type(pt_tensor *const *x, int n) {
  int rank[3] = {-1, -1, -1}; /* tensors with dims, 0-dim tensors, numbers */
  for (int i = 0; i < n; i++) {
    int d = x[i]->dtype, r = x[i]->wrapped ? 2 : x[i]->nd == 0;
    if (r == 2 && d == PT_F64) d = (int)pti_default_dtype();
    rank[r] = joined(rank[r], d);
  }
  return outvoted(outvoted(rank[0], rank[1]), rank[2]);
}

/* The dtype that the op computes in and (but for tests) returns; PT_NDTYPE on failure. */
static pt_dtype dtype_of(const pt_op *op, pt_tensor *const *x, int n) {
  pt_dtype d = pti_result_type(x + op->chooses, n - op->chooses);
  if (pti_is(d, op->dtypes)) return d;
  if (op->dtypes == PTI_FLOATS && pti_is(d, PTI_INTS | PTI_BOOLS)) return pti_default_dtype();
  pti_fail(PT_EDTYPE, "%s: %s tensors are not supported", op->name, pt_dtype_name(d));
  return PT_NDTYPE;
}

/* ---- launch ---- */

static bool same_size(const pt_tensor *x, const pt_tensor *y) {
  bool same = x->nd == y->nd;
  for (int d = 0; same && d < y->nd; d++) same = x->size[d] == y->size[d];
  return same;
}

/* Whether n inputs are what most calls have: tensors with dims, dense, of one size and dtype, on the CPU. Then there is
   nothing to promote, broadcast, order or convert. */
static bool alike(pt_tensor *const *x, int n) {
  const pt_tensor *a = x[0];
  bool plain = a->nd > 0 && pti_dev(a) == 0 && pti_dense(a);
  for (int i = 1; plain && i < n; i++) {
    plain = x[i]->dtype == a->dtype && same_size(x[i], a) && pti_dev(x[i]) == 0 && pti_dense(x[i]);
  }
  return plain;
}

static void fill_flat(pti_iter *it, pt_tensor *const *x, int n) {
  it->nd = 1;
  it->nop = n;
  it->n = it->size[0] = x[0]->numel;
  for (int i = 0; i < n; i++) {
    it->ptr[i] = pti_ptr(x[i]);
    it->dtype[i] = x[i]->dtype;
    it->stride[i][0] = x[i]->numel == it->n ? (int64_t)pti_esize(x[i]) : 0;
  }
}

/* Operand 0 is written. Dense operands of one size are one row, beside which a single number may stand. */
static void fill_iter(pti_iter *it, pt_tensor *const *x, int n) {
  const pt_tensor *y = x[0];
  bool flat = true;
  for (int i = 0; i < n && flat; i++) {
    flat = (same_size(x[i], y) && pti_dense(x[i])) || (i > 0 && x[i]->numel == 1);
  }
  if (flat) {
    fill_flat(it, x, n);
    return;
  }
  pti_operand op[PTI_MAX_OPERAND];
  for (int i = 0; i < n; i++) {
    op[i] = (pti_operand){pti_ptr(x[i]), x[i]->dtype, x[i]->nd, x[i]->size, x[i]->stride};
  }
  pti_iter_init(it, y->nd, y->size, op, n);
}

static bool launch(const pt_op *op, int which, pt_dtype compute, pt_tensor **x, int n,
                   const double *param) {
  int device = pti_dev(x[0]);
  for (int i = 1; i < n; i++) { /* a number made on the host */
    if (pti_dev(x[i]) != device && !(x[i] = pti_to_device(x[i], device))) return false;
  }
  pti_iter it;
  fill_iter(&it, x, n);
  if (it.n == 0) return true;
  const pti_device *dev = pti_device_at(device);
  return dev->kernels->ew(dev->index, op->ew, which, pti_compute_of(compute), &it, param);
}

/* The same for what is alike. */
static bool launch_alike(const pt_op *op, pt_tensor *const *x, int n, const double *param) {
  pti_iter it;
  fill_flat(&it, x, n);
  return it.n == 0 ||
      pti_device_at(0)->kernels->ew(0, op->ew, 0, pti_compute_of(x[1]->dtype), &it, param);
}

/* Integer division has no value for a zero divisor; the kernels rely on this check. */
static bool divisible(const pt_op *op, pt_dtype d, pt_tensor *a, pt_tensor *b) {
  if (!op->divides || pti_is(d, PTI_FLOATS) || a->numel == 0 || b->numel == 0) return true;
  int64_t zero = 0;
  pt_tensor *any = pt_any(pt_eq(b, pt_scalar_int(0)), NULL, -1, false);
  if (any == NULL || !pt_item_int(any, &zero)) return false;
  return zero == 0 || pti_refuse(PT_EARG, "%s: integer division by zero", op->name);
}

/* Kernels of integers take the numbers of a call as int64. */
static bool fits_integers(const pt_op *op, pt_dtype d, const double *param, int count) {
  if (!pti_is(d, PTI_INTS | PTI_BOOLS)) return true;
  for (int i = 0; i < count; i++) {
    if (!(param[i] >= -0x1p63 && param[i] < 0x1p63))
      return pti_refuse(PT_EARG, "%s: %g is no integer, as elements of %s are", op->name, param[i],
                        pt_dtype_name(d));
  }
  return true;
}

/* Inputs and numbers of a call; returns how many inputs. */
static int unpack(const pt_op *op, const pt_arg *arg, pt_tensor **x, double *param) {
  int n = 0, p = 0;
  for (int i = 0; i < op->narg; i++) {
    char type = op->param[i].type;
    if (type == 'T' || type == 'A') x[n++] = arg[i].t;
    else if (type == 'f') param[p++] = arg[i].f;
    else if (type == 'n') param[p++] = arg[i].n ? (double)arg[i].i : arg[i].f;
    else param[p++] = (double)arg[i].i;
  }
  return n;
}

pt_tensor *pti_ew_run(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  (void)more;
  pt_tensor *x[1 + MAX_ARITY];
  double param[PTI_MAX_ARG];
  int n = unpack(op, arg, x + 1, param);
  pt_dtype d;
  if (alike(x + 1, n) && pti_is(x[1]->dtype, op->dtypes & PTI_FLOATS)) {
    x[0] = pti_new_like(x[1], op->test ? PT_BOOL : x[1]->dtype);
    return x[0] && launch_alike(op, x, n + 1, param) ? x[0] : NULL;
  }
  d = dtype_of(op, x + 1, n);
  if (d == PT_NDTYPE || (n > 1 && !divisible(op, d, x[1], x[2])) ||
      !fits_integers(op, d, param, op->narg - n))
    return NULL;
  int64_t size[PT_MAX_DIM];
  int nd, device = 0;
  if (!pti_broadcast(op->name, (const pt_tensor *const *)(x + 1), n, size, &nd)) return NULL;
  for (int i = 1; i <= n; i++) device = pti_dev(x[i]) ? pti_dev(x[i]) : device;
  x[0] = pti_new(size, nd, op->test ? PT_BOOL : d, device);
  return x[0] && launch(op, 0, d, x, n + 1, param) ? x[0] : NULL;
}

/* Powers that are simpler ops, as PyTorch has it: x to 2, 3, 1/2, -1/2, -1. */
bool pow_shortcut(const pt_arg *arg, pt_tensor **out) {
  pt_tensor *x = arg[0].t, *b = arg[1].t;
  double p;
  bool real = pti_is(x->dtype, PTI_FLOATS);
  if (!b->wrapped || x->wrapped || !(real || pti_is(x->dtype, PTI_INTS))) return true;
  if ((int)pti_result_type((pt_tensor *[]){x, b}, 2) != x->dtype) return true;
  if (!pt_item(b, &p)) return false;
  if (!real && p < 0)
    return pti_refuse(PT_EARG,
                      "pow: integers to the power %g are fractions; convert x to floats first", p);
  if (p == 2) out[0] = pt_square(x);
  else if (p == 3) out[0] = pt_mul(x, pt_square(x));
  else if (real && p == 0.5) out[0] = pt_sqrt(x);
  else if (real && p == -0.5) out[0] = pt_rsqrt(x);
  else if (real && p == -1) out[0] = pt_reciprocal(x);
  else return true;
  return out[0] != NULL;
}

/* Bools are counted as integers, as PyTorch has it. */
bool square_shortcut(const pt_arg *arg, pt_tensor **out) {
  if (arg[0].t->dtype != PT_BOOL) return true;
  return (out[0] = pt_square(pt_to_dtype(arg[0].t, PT_I64))) != NULL;
}

bool pti_ew_run_inplace(const pt_op *op, const pt_arg *arg) {
  pt_tensor *x[1 + MAX_ARITY], *y = arg[0].t;
  double param[PTI_MAX_ARG];
  int n = unpack(op, arg, x + 1, param);
  pt_dtype d = y->dtype;
  /* Dense operands of one size lie the same way where they begin at the same place, or in other memory. */
  bool apart = n < 2 || x[2]->alias->storage != y->alias->storage || x[2]->offset == y->offset;
  if (n < 3 && apart && !op->test && alike(x + 1, n) && pti_is(d, op->dtypes & PTI_FLOATS)) {
    x[0] = y;
    return pti_writable(op->name, y) && launch_alike(op, x, n + 1, param);
  }
  d = dtype_of(op, x + 1, n);
  if (d == PT_NDTYPE || (n > 1 && !divisible(op, d, x[1], x[2]))) return false;
  if (!pti_can_cast(d, y->dtype)) {
    return pti_refuse(PT_EDTYPE, "%s_: the result is %s and cannot be stored in x of dtype %s",
                      op->name, pt_dtype_name(d), pt_dtype_name(y->dtype));
  }
  int64_t size[PT_MAX_DIM];
  int nd;
  if (!pti_broadcast(op->name, (const pt_tensor *const *)(x + 1), n, size, &nd)) return false;
  if (nd != y->nd || memcmp(size, y->size, (size_t)nd * sizeof *size) != 0) {
    return pti_refuse(PT_ESHAPE, "%s_: x [%s] cannot take the result [%s]", op->name,
                      pti_shape_text(y), pti_sizes_text(size, nd));
  }
  for (int i = 2; i <= n; i++) { /* what overlaps the target in another order is read from a copy */
    if (!pti_may_alias(y, x[i])) continue;
    pt_tensor *copy = pti_new_like(x[i], x[i]->dtype);
    if (!pti_copy_into(copy, x[i])) return false;
    x[i] = copy;
  }
  if (!pti_writable(op->name, y)) return false;
  x[0] = y;
  return launch(op, 0, d, x, n + 1, param);
}

/* ---- backward ---- */

pt_tensor *pti_sum_to(pt_tensor *g, const int64_t *size, int nd) {
  if (g == NULL) return NULL;
  int64_t dims[PT_MAX_DIM];
  int n = 0, lead = g->nd - nd;
  for (int d = 0; d < g->nd; d++) {
    if (d < lead || (size[d - lead] == 1 && g->size[d] != 1)) dims[n++] = d;
  }
  if (n == 0) return g;
  g = pt_sum(g, dims, n, true, -1);
  return lead == 0 ? g : pt_view(g, size, nd);
}

/* The gradient of input i at the shape of the result, as recorded calls. */
static pt_tensor *replay(pt_node *n, int i, pt_tensor *g) {
  const pti_formula *f = &n->op->grad[i];
  double number[PTI_MAX_ARG] = {0};
  pt_tensor *none[1 + MAX_ARITY], *x[PTI_VARIABLE_P0] = {[PTI_VARIABLE_G] = g};
  unpack(n->op, n->arg, none, number);
  for (int k = PTI_VARIABLE_A; k < PTI_VARIABLE_G; k++) {
    if (!(f->uses >> k & 1)) continue;
    x[k] = k == PTI_VARIABLE_Y ? pti_saved_out(n, 0) : pti_saved(n, k);
    if (x[k] == NULL) return NULL;
  }
  pt_tensor *gx = pti_formula_run(f, x, number);
  if (gx == NULL) return NULL;
  if (gx->dtype != g->dtype) gx = pt_to_dtype(gx, g->dtype);
  if (gx && gx->nd < g->nd) gx = pt_expand(gx, g->size, g->nd);
  return gx;
}

/* The same by the gradient's kernel, without history. */
static pt_tensor *kernel(pt_node *n, int i, pt_tensor *g) {
  const pt_op *op = n->op;
  unsigned uses = op->grad[i].uses;
  double param[PTI_MAX_ARG] = {0};
  pt_tensor *x[3 + MAX_ARITY];
  int arity = unpack(op, n->arg, x, param), k = 0;
  bool dense = pti_dense(g); /* what is not read costs nothing where it lies as the result does */
  pt_tensor *dummy = dense ? g : pti_view(g, NULL, NULL, 0, g->offset, false);
  x[k++] = pti_new_like(g, g->dtype);
  x[k++] = uses & PTI_USE_G ? g : dummy;
  for (int j = 0; j < arity; j++) x[k++] = uses >> j & 1 ? pti_saved(n, j) : dummy;
  x[k++] = uses & PTI_USE_Y ? pti_saved_out(n, 0) : dummy;
  for (int j = 0; j < k; j++) {
    if (x[j] == NULL) return NULL;
  }
  return launch(op, i + 1, g->dtype, x, k, param) ? x[0] : NULL;
}

bool pti_ew_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  for (int i = 0; i < n->nin; i++) {
    if (!pti_wants(n, i)) continue;
    const pti_edge *e = &n->in[i];
    const pti_formula *f = &n->op->grad[i];
    bool identity = f->n == 1 && f->uses == PTI_USE_G;
    pt_tensor *t = identity ? g[0]
        : pt_grad_enabled() ? replay(n, i, g[0])
        : g[0]->numel       ? kernel(n, i, g[0])
                            : g[0];
    t = pti_sum_to(t, e->size, e->nd);
    if (t && t->dtype != e->dtype) t = pt_to_dtype(t, e->dtype);
    if ((gx[i] = t) == NULL) return false;
  }
  return true;
}
