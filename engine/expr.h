/* expr.h: the text of a gradient in ops.def, read a second time: which tensors it mentions (nothing
   else is saved), and the same formula as calls of ops, so that a gradient can itself be
   differentiated. */
#ifndef PTI_EXPR_H
#define PTI_EXPR_H

#include "base.h"

/* What a formula may mention, as bits. x is another name for a. */
enum { PTI_USE_A = 1, PTI_USE_B = 2, PTI_USE_C = 4, PTI_USE_Y = 8, PTI_USE_G = 16 };

typedef struct pti_vars {
  pt_tensor *a, *b, *c, *y, *g;
  const double *p; /* numbers p0, p1, p2 */
} pti_vars;

/* False (with the reason recorded) where the text does not parse. */
bool pti_expr_uses(const char *text, unsigned *uses);
/* The value of the formula as a recorded tensor. */
pt_tensor *pti_expr_run(const char *text, const pti_vars *vars);

#endif
