/* formula.h: the gradients of element-wise rows as calls of ops, so that a gradient can itself be differentiated. The
   build derives the steps from the text in ops.def (scripts/tools/opgen/formula.lua). */
#ifndef PTI_FORMULA_H
#define PTI_FORMULA_H

#include "op.h"

/* Indices of the variables of a formula; x is another name for a. Those below PTI_VARIABLE_P0 are tensors, and bits of
   the `uses` of a formula. */
enum {
  PTI_VARIABLE_A,
  PTI_VARIABLE_B,
  PTI_VARIABLE_C,
  PTI_VARIABLE_Y,
  PTI_VARIABLE_G,
  PTI_VARIABLE_P0
};
enum {
  PTI_USE_A = 1 << PTI_VARIABLE_A,
  PTI_USE_INPUTS = (1 << PTI_VARIABLE_Y) - 1,
  PTI_USE_Y = 1 << PTI_VARIABLE_Y,
  PTI_USE_G = 1 << PTI_VARIABLE_G
};

/* The value of a formula as a recorded tensor: `tensor` is indexed as above, with the entries in `uses` set;
   `number` holds p0, p1, p2 of the call. NULL on failure. */
pt_tensor *pti_formula_run(const pti_formula *f, pt_tensor *const *tensor, const double *number);

#endif
