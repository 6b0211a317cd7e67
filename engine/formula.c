/* formula.c: plays the steps of a gradient on a stack of tensors. */
#include "formula.h"

enum { MAX_STACK = 24 }; /* no formula needs more: scripts/tools/opgen/op_table.lua sees to it */

/* Whole constants become integers, so that they never widen a dtype. */
static pt_tensor *constant(double k) {
  return k == (double)(int64_t)k ? pt_scalar_int((int64_t)k) : pt_scalar(k);
}

static pt_tensor *call(const pt_op *op, pt_tensor *const *operand) {
  pt_arg arg[PTI_MAX_ARG] = {0};
  pt_tensor *out[PTI_MAX_OUT];
  for (int i = 0; i < op->narg; i++) arg[i] = (pt_arg){.t = operand[i], .given = true};
  return pti_call(op, arg, out) ? out[0] : NULL;
}

pt_tensor *pti_formula_run(const pti_formula *f, pt_tensor *const *tensor, const double *number) {
  pt_tensor *stack[MAX_STACK];
  int n = 0;
  for (int i = 0; i < f->n; i++) {
    pti_step s = f->step[i];
    if (s.kind == PTI_STEP_CONSTANT) {
      stack[n++] = constant(pti_constants[s.at]);
    } else if (s.kind == PTI_STEP_VARIABLE) {
      stack[n++] =
          s.at < PTI_VARIABLE_P0 ? tensor[s.at] : pt_scalar(number[s.at - PTI_VARIABLE_P0]);
    } else {
      const pt_op *op = pti_op_at(s.at);
      n -= op->narg;
      stack[n] = call(op, stack + n);
      n++;
    }
    if (stack[n - 1] == NULL) return NULL;
  }
  return stack[0];
}
