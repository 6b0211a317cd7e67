/* elementwise.h: shared by all UNARY, BINARY, TERNARY, COMPARE and TEST rows. */
#ifndef PTI_ELEMENTWISE_H
#define PTI_ELEMENTWISE_H

#include "op.h"

pt_tensor *pti_ew_run(const pt_op *op, const pt_arg *arg, pt_tensor **more);
bool pti_ew_run_inplace(const pt_op *op, const pt_arg *arg); /* writes arg[0].t */
bool pti_ew_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx);

/* PyTorch's result_type: dims before 0-dim tensors before numbers, unless a later one has a higher
   category. */
pt_dtype pti_result_type(pt_tensor *const *x, int n);

#endif
