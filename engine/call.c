/* call.c: the steps that every call of an op takes. */
#include "call.h"

#include <string.h>

#include "mem.h"
#include "ptlua_ids.h"

/* ---- inputs ---- */

void pti_drop_inputs(pti_inputs *in) {
  if (in->v != in->few) pti_free(in->v, in->bytes);
}

static bool room_for_inputs(const pt_op *op, const pt_arg *arg, pti_inputs *in) {
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

/* All tensors of a call are on one device; 0-dim ones of the CPU go anywhere, and copy comes from anywhere. */
static bool same_device(const pt_op *op, const pti_param_spec *p, const pt_tensor *t, int *device) {
  if (t->nd == 0 && pti_dev(t) == 0) return true;
  if (*device >= 0 && op == pti_op_at(PTI_OP_copy)) return true;
  if (*device >= 0 && pti_dev(t) != *device) {
    return pti_refuse(PT_EDEVICE,
                      "%s: %s is on %s, the tensors before it on %s; move it with :to()", op->name,
                      p->name, pt_device_name(pti_dev(t)), pt_device_name(*device));
  }
  *device = pti_dev(t);
  return true;
}

bool pti_gather_inputs(const pt_op *op, const pt_arg *arg, pti_inputs *in) {
  int device = -1;
  if (!room_for_inputs(op, arg, in)) return false;
  for (int i = 0; i < op->narg; i++) {
    const pti_param_spec *p = &op->param[i];
    bool list = p->type == 'L';
    if (p->type == 'y' && in->n > 0) in->complex |= arg[i].given && arg[i].i >= PT_C64;
    if (!list && p->type != 'T' && p->type != 'A') continue;
    for (int k = 0; k < (list ? arg[i].n : 1); k++) {
      pt_tensor *t = list ? arg[i].list[k] : arg[i].t;
      in->v[in->n++] = t;
      if (t == NULL && (p->optional || list)) continue;
      if (t && device <= 0 && pti_dev(t) == 0 && t->alias->storage->later == NULL) {
        if (t->nd > 0) device = 0;
        in->complex |= t->dtype >= PT_C64;
        continue;
      }
      if (t == NULL ||
          !same_device(op, p, t, &device)) { /* NULL: an earlier call of the chain failed */
        pti_drop_inputs(in);
        return false;
      }
      if (t->alias->storage->later && !pti_arrive(t)) {
        pti_drop_inputs(in);
        return false;
      }
      if (pti_streams_made()) pti_note_use(t);
      in->complex |= t->dtype >= PT_C64;
    }
  }
  return true;
}

/* ---- run and record ---- */

bool pti_wants_record(const pt_op *op, const pti_inputs *in) {
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

/* Where anomalies are looked for: the call's line, and NaN among its results. */
static bool note_anomalies(const pt_op *op, const pti_inputs *in, pt_tensor **out) {
  for (int k = 0; k < op->nout; k++) {
    if (out[k] && out[k]->node) return pti_anomaly_record(out[k]->node, in->v, out);
  }
  return true;
}

bool pti_run_op(const pt_op *op, const pt_arg *arg, const pti_inputs *in, pt_tensor **out) {
  out[0] = op->edits ? run_on_copy(op, arg, out + 1) : op->run(op, arg, out + 1);
  if (out[0] == NULL || !pti_poll()) return false; /* interrupted loops stop half way */
  if (!pti_wants_record(op, in)) return true;
  if (!pti_record(op, arg, in->v, in->n, out, op->nout, NULL)) return false;
  return !pti_this.anomaly || note_anomalies(op, in, out);
}

pt_tensor *pti_call_plain(int id, const pt_arg *arg) {
  const pt_op *op = pti_op_at(id);
  pt_tensor *out[PTI_MAX_OUT];
  pti_inputs in;
  if (!pti_gather_inputs(op, arg, &in)) return NULL;
  bool ok = pti_run_op(op, arg, &in, out);
  pti_drop_inputs(&in);
  return ok ? out[0] : NULL;
}
