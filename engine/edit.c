/* edit.c: calls that write their result into their first argument. */
#include <string.h>

#include "call.h"
#include "formula.h"
#include "ptlua_ids.h"

static bool wanting_leaf(const pt_tensor *x) {
  return x->requires_grad && (x->node == NULL || x->node->op == NULL);
}

bool pti_editable(const char *name, const char *mark, pt_tensor *x) {
  if (pti_this.no_grad) return true;
  bool itself = wanting_leaf(x); /* a view can be one, too */
  if (itself || (x->root && wanting_leaf(x->root))) {
    return pti_refuse(PT_EGRAD, "%s%s: x is %s leaf that requires grad; edit it under pt.no_grad()",
                      name, mark, itself ? "a" : "a view of a");
  }
  if (x->root && !pti_needs_grad(x) && pti_needs_grad(x->root)) {
    return pti_refuse(
        PT_EGRAD,
        "%s%s: x is a view, made under pt.no_grad(), of a tensor that has a gradient; "
        "make the view outside of it, or edit it within",
        name, mark);
  }
  return true;
}

/* Runs a row marked "T!" on x itself, through a dense copy where x is not dense. */
static bool run_inplace(const pt_op *op, pt_arg *arg) {
  pt_tensor *x = arg[0].t, *more[PTI_MAX_OUT], *y = x;
  pt_arg copy[PTI_MAX_ARG];
  memcpy(copy, arg, (size_t)op->narg * sizeof *arg);
  for (int i = 1; i < op->narg; i++) { /* what is read must not change while x is written */
    char type = op->param[i].type;
    pt_tensor *t = type == 'T' || type == 'A' ? arg[i].t : NULL;
    if (t == NULL || t->alias->storage != x->alias->storage) continue;
    if (!(copy[i].t = pti_new_like(t, t->dtype)) || !pti_copy_into(copy[i].t, t)) return false;
  }
  if (!pti_dense(x)) {
    y = pti_new_like(x, x->dtype);
    if (!pti_copy_into(y, x)) return false;
  }
  copy[0].t = y;
  if (y != x) return op->run(op, copy, more) && pti_writable(op->name, x) && pti_copy_into(x, y);
  return pti_writable(op->name, x) && op->run(op, copy, more);
}

/* x was edited by an op without a gradient: what x was made from is forgotten. */
static void forget(pt_tensor *x) {
  if (x->root) return;
  pti_set_history(x, NULL, 0);
  x->rebased++;
}

/* Where a gradient reads the old x: what is recorded then is a copy of x. */
static bool save_old(const pt_op *op, pti_inputs *in) {
  bool reads = op->save_in & 1;
  for (int i = 0; i < in->n && op->kind == PTI_ELEMENTWISE; i++)
    reads |= (op->grad[i].uses & PTI_USE_A) && pti_needs_grad(in->v[i]);
  return !reads ||
      (in->v[0] = pti_call_plain(PTI_OP_clone, &(pt_arg){.t = in->v[0], .given = true})) != NULL;
}

static pt_tensor *edit(const pt_op *op, pt_arg *arg, pti_inputs *in) {
  pt_tensor *x = arg[0].t;
  bool record = pti_wants_record(op, in),
       history = record || (!pti_this.no_grad && pti_needs_grad(x));
  bool of_graph = history || (x->root && pti_needs_grad(x->root));
  if (of_graph && !pti_editable(op->name, "_", x)) return NULL;
  if (record && !pti_is(x->dtype, PTI_FLOATS | PTI_COMPLEX)) {
    return pti_fail(PT_EDTYPE, "%s_: x is %s and cannot take part in a gradient", op->name,
                    pt_dtype_name(x->dtype));
  }
  /* Recorded in two halves: inputs with the versions they had before the edit, then the output. */
  pt_node *node = NULL;
  pt_tensor *none[PTI_MAX_OUT] = {0};
  if (record && !save_old(op, in)) return NULL;
  if (record && !pti_record(op, arg, in->v, in->n, none, 1, &node)) return NULL;
  bool ok = op->run_inplace ? op->run_inplace(op, arg) : run_inplace(op, arg);
  ok = ok && pti_poll();
  if (ok && node) ok = pti_record_output(node, x);
  if (ok && node && pti_this.anomaly) ok = pti_anomaly_record(node, NULL, &x);
  if (!ok) {
    pti_node_release(node);
    return NULL;
  }
  if (node) return pti_rebase(x, node, 0) ? x : NULL;
  if (history) forget(x);
  return x;
}

/* An op that is made of others for complex numbers: its result is copied into x. */
static pt_tensor *edit_complex(const pt_op *op, pt_arg *arg, pt_tensor *y) {
  pt_tensor *x = arg[0].t;
  if (!pti_can_cast(y->dtype, x->dtype)) {
    return pti_fail(PT_EDTYPE, "%s_: the result is %s and cannot be stored in x of dtype %s",
                    op->name, pt_dtype_name(y->dtype), pt_dtype_name(x->dtype));
  }
  bool fits = y->nd <= x->nd;
  for (int d = 1; fits && d <= y->nd; d++)
    fits = y->size[y->nd - d] == 1 || y->size[y->nd - d] == x->size[x->nd - d];
  if (!fits) {
    return pti_fail(PT_ESHAPE, "%s_: x [%s] cannot take the result [%s]", op->name,
                    pti_shape_text(x), pti_shape_text(y));
  }
  pt_arg copy[] = {{.t = x, .given = true}, {.t = y, .given = true}, {.i = false}};
  return pti_call_inplace(pti_op_at(PTI_OP_copy), copy);
}

pt_tensor *pti_call_inplace(const pt_op *op, pt_arg *arg) {
  pti_inputs in;
  if (!op->inplace) return pti_fail(PT_EARG, "%s has no in-place form", op->name);
  if (!pti_gather_inputs(op, arg, &in)) return NULL;
  pt_tensor *y[PTI_MAX_OUT] = {0}, *x = NULL;
  if (!in.complex || pti_complex_call(op, arg, y))
    x = y[0] ? edit_complex(op, arg, y[0]) : edit(op, arg, &in);
  pti_drop_inputs(&in);
  return x;
}
