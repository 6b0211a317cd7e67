/* op.c: the one way to call an op. What it computes is in ops/; what it is called and takes is in ops.def. */
#include "op.h"

#include <string.h>

#include "call.h"
#include "ptlua_ids.h"

const pt_op *pti_op_find(const char *name) {
  for (int i = 0; i < PTI_NOPS; i++) {
    if (strcmp(pti_table[i].name, name) == 0) return &pti_table[i];
  }
  return NULL;
}

static bool call(const pt_op *op, const pt_arg *arg, pt_tensor **out) {
  pti_inputs in;
  if (!pti_gather_inputs(op, arg, &in)) return false;
  out[0] = NULL;
  bool ok = !in.complex || pti_complex_call(op, arg, out);
  if (ok && out[0] == NULL && op->shortcut) ok = op->shortcut(arg, out);
  if (ok && out[0] == NULL) ok = pti_run_op(op, arg, &in, out);
  pti_drop_inputs(&in);
  return ok && pti_poll();
}

bool pti_call(const pt_op *op, pt_arg *arg, pt_tensor **out) {
  if (!pti_this.autocast || op->cast == PTI_CAST_NONE) return call(op, arg, out);
  pti_this.autocast = false; /* what the op is made of gets the right dtypes already */
  bool ok = pti_autocast_inputs(op, arg) && call(op, arg, out);
  pti_this.autocast = true;
  return ok;
}
