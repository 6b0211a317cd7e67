/* complex_args.c: how an op takes complex arguments, as its row says. */
#include <string.h>

#include "call.h"
#include "ptlua_ids.h"

static pt_tensor *to_device(pt_tensor *x, int device) {
  pt_arg arg[] = {{.t = x, .given = true}, {.i = device, .given = true}, {.i = false}};
  return pti_call_plain(PTI_OP_to_device, arg);
}

static pt_tensor *tensor_at(const pt_op *op, const pt_arg *arg, int i) {
  return op->param[i].type == 'T' || op->param[i].type == 'A' ? arg[i].t : NULL;
}
/* 0-dim tensors of the CPU may meet tensors of any device; as pairs they have a dim and may not, so they are moved
   first. */
static bool move_numbers(const pt_op *op, const pt_arg *arg, pt_arg *moved) {
  int device = 0;
  memcpy(moved, arg, (size_t)op->narg * sizeof *arg);
  for (int i = 0; i < op->narg; i++) {
    pt_tensor *x = tensor_at(op, arg, i);
    if (x && pti_dev(x)) device = pti_dev(x);
  }
  for (int i = 0; i < op->narg && device; i++) {
    pt_tensor *x = tensor_at(op, arg, i);
    if (x == NULL || pti_dev(x) == device) continue;
    if ((moved[i].t = to_device(x, device)) == NULL) return false;
    moved[i].t->wrapped = x->wrapped;
  }
  return true;
}

bool pti_complex_call(const pt_op *op, const pt_arg *arg, pt_tensor **out) {
  pt_arg moved[PTI_MAX_ARG];
  if (op->complex == PTI_COMPLEX_AS_IS) return true;
  if (op->complex == PTI_COMPLEX_CALL)
    return move_numbers(op, arg, moved) && (out[0] = op->complex_call(op, moved)) != NULL;
  return pti_refuse(PT_EDTYPE,
                    op->complex == PTI_COMPLEX_UNORDERED
                        ? "%s: complex numbers have no order; x:abs() and x:real() have"
                        : "%s: complex tensors are not supported; pt.view_as_real(x) gives "
                          "their parts as real numbers",
                    op->name);
}
