/* op.c: the one way to call an op: check, run, record. What an op computes is in ops/; what it is
   called and takes is in ops.def. */
#include "op.h"

#include <string.h>

#include "elementwise.h"
#include "formula.h"
#include "mem.h"
#include "node.h"
#include "tensor.h"

const pt_op *pti_op_find(const char *name) {
  for (int i = 0; i < PTI_NOPS; i++) {
    if (strcmp(pti_table[i].name, name) == 0) return &pti_table[i];
  }
  return NULL;
}

/* ---- calls ---- */

/* The tensor arguments of a call in order, lists spelled out. */
typedef struct inputs {
  pt_tensor **v;
  int n;
  size_t bytes; /* of v where the few do not suffice */
  bool complex; /* one of them is */
  pt_tensor *few[16];
} inputs;

static void drop_inputs(inputs *in) {
  if (in->v != in->few) pti_free(in->v, in->bytes);
}

static bool room_for_inputs(const pt_op *op, const pt_arg *arg, inputs *in) {
  size_t n = 0;
  for (int i = 0; i < op->narg; i++)
    n += op->param[i].type == 'L' && arg[i].n > 0 ? (size_t)arg[i].n : 1;
  in->n = 0;
  in->complex = false;
  in->v = in->few;
  if (n <= PTI_COUNT(in->few)) return true;
  in->bytes = n * sizeof *in->v;
  return (in->v = pti_alloc(in->bytes)) != NULL;
}

/* All tensors of a call are on one device; 0-dim ones of the CPU go anywhere. */
static bool same_device(const pt_op *op, const pti_param_spec *p, const pt_tensor *t, int *device) {
  if (t->nd == 0 && pti_dev(t) == 0) return true;
  if (*device >= 0 && pti_dev(t) != *device) {
    return pti_refuse(PT_EDEVICE,
                      "%s: %s is on %s, the tensors before it on %s; move it with :to()", op->name,
                      p->name, pt_device_name(pti_dev(t)), pt_device_name(*device));
  }
  *device = pti_dev(t);
  return true;
}

static bool gather_inputs(const pt_op *op, const pt_arg *arg, inputs *in) {
  int device = -1;
  if (!room_for_inputs(op, arg, in)) return false;
  for (int i = 0; i < op->narg; i++) {
    const pti_param_spec *p = &op->param[i];
    bool list = p->type == 'L';
    if (!list && p->type != 'T' && p->type != 'A') continue;
    for (int k = 0; k < (list ? arg[i].n : 1); k++) {
      pt_tensor *t = list ? arg[i].list[k] : arg[i].t;
      in->v[in->n++] = t;
      if (t == NULL && (p->optional || list)) continue;
      if (t == NULL ||
          !same_device(op, p, t, &device)) { /* NULL: an earlier call of the chain failed */
        drop_inputs(in);
        return false;
      }
      if (t->alias->storage->later && !pti_arrive(t)) {
        drop_inputs(in);
        return false;
      }
      if (pti_streams_made()) pti_note_use(t);
      in->complex |= t->dtype >= PT_C64;
    }
  }
  return true;
}

static bool wants_record(const pt_op *op, const inputs *in) {
  if (pti_this.no_grad || op->vjp == NULL) return false;
  for (int i = 0; i < in->n; i++) {
    if (in->v[i] && pti_needs_grad(in->v[i]) && (op->kind != PTI_ELEMENTWISE || op->grad[i].step))
      return true;
  }
  return false;
}

/* A row marked "T!" edits its first argument: hand it a copy. */
static pt_tensor *run_on_copy(const pt_op *op, const pt_arg *arg, pt_tensor **more) {
  pt_arg copy[PTI_MAX_ARG];
  memcpy(copy, arg, (size_t)op->narg * sizeof *arg);
  copy[0].t = pti_new_like(arg[0].t, arg[0].t->dtype);
  return pti_copy_into(copy[0].t, arg[0].t) ? op->run(op, copy, more) : NULL;
}

bool pti_call(const pt_op *op, pt_arg *arg, pt_tensor **out) {
  inputs in;
  if (pti_this.autocast && op->cast) return pti_autocast_call(op, arg, out);
  if (!gather_inputs(op, arg, &in)) return false;
  if (in.complex) {
    bool done, fine = pti_complex_call(op, arg, out, &done);
    if (done || !fine) {
      drop_inputs(&in);
      return fine && pti_poll();
    }
  }
  if (op->shortcut) {
    out[0] = NULL;
    bool fine = op->shortcut(arg, out);
    if (!fine || out[0]) {
      drop_inputs(&in);
      return fine && pti_poll();
    }
  }
  out[0] = op->edits ? run_on_copy(op, arg, out + 1) : op->run(op, arg, out + 1);
  bool ok = out[0] != NULL && pti_poll(); /* interrupted loops stop half way */
  if (ok && wants_record(op, &in)) ok = pti_record(op, arg, in.v, in.n, out, op->nout, NULL);
  drop_inputs(&in);
  return ok;
}

/* ---- in place ---- */

bool pti_editable(const char *name, const char *mark, pt_tensor *x) {
  if (pti_this.no_grad) return true;
  pt_tensor *leaf = x->root ? x->root : x;
  if (leaf->requires_grad && (leaf->node == NULL || leaf->node->op == NULL)) {
    return pti_refuse(PT_EGRAD, "%s%s: x is %s leaf that requires grad; edit it under pt.no_grad()",
                      name, mark, x->root ? "a view of a" : "a");
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

/* An op without a gradient was done to x: what x was made from is forgotten. */
static void forget(pt_tensor *x) {
  if (x->root) return;
  pti_set_history(x, NULL, 0);
  x->rebased++;
}

/* Where a gradient of an element-wise op reads the old x: what is recorded then is a copy of x. */
static bool save_old(const pt_op *op, inputs *in) {
  bool reads = false;
  for (int i = 0; i < in->n && op->kind == PTI_ELEMENTWISE; i++)
    reads |= (op->grad[i].uses & PTI_USE_A) && pti_needs_grad(in->v[i]);
  return !reads || (in->v[0] = pt_clone(in->v[0])) != NULL;
}

static pt_tensor *edit(const pt_op *op, pt_arg *arg, inputs *in) {
  pt_tensor *x = arg[0].t;
  bool record = wants_record(op, in), history = record || (!pti_this.no_grad && pti_needs_grad(x));
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
  bool ok = op->kind == PTI_ELEMENTWISE ? pti_ew_run_inplace(op, arg) : run_inplace(op, arg);
  ok = ok && pti_poll();
  if (ok && node) ok = pti_record_output(node, x);
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
  if (y->nd > x->nd) {
    return pti_fail(PT_ESHAPE, "%s_: x [%s] cannot take the result [%s]", op->name,
                    pti_shape_text(x), pti_shape_text(y));
  }
  pt_arg copy[] = {{.t = x, .given = true}, {.t = y, .given = true}};
  return pti_call_inplace(pti_op_at(PTI_OP_copy), copy);
}

pt_tensor *pti_call_inplace(const pt_op *op, pt_arg *arg) {
  inputs in;
  if (!op->inplace) return pti_fail(PT_EARG, "%s has no in-place form", op->name);
  if (!gather_inputs(op, arg, &in)) return NULL;
  bool done = false;
  pt_tensor *y = NULL, *x = NULL;
  if (!in.complex || pti_complex_call(op, arg, &y, &done))
    x = done ? edit_complex(op, arg, y) : edit(op, arg, &in);
  drop_inputs(&in);
  return x;
}

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
