/* winograd.h: what conv.c uses of winograd.c: 3x3 windows of float with stride 1 or 2 in both dims, one group, a padding
   of at most 2; of exactly 1 for the gradient with stride 2. False, with the error recorded, where there is no memory. */
#ifndef PTI_KERNELS_WINOGRAD_H
#define PTI_KERNELS_WINOGRAD_H

#include "conv_loops.h"

/* The tiles of a convolution, or, back, of its gradient for the input. */
static inline winograd_kind pti_winograd_kind(const pti_conv *p, bool back) {
  if (p->stride[1] == 1) return WINOGRAD_ONE;
  return back ? WINOGRAD_TWO_BACK : WINOGRAD_TWO;
}

bool pti_conv_winograd(const pti_conv *p, const void *x, const void *w, const void *bias, void *y);
bool pti_conv_winograd_data(const pti_conv *p, const void *g, const void *w, const void *bias,
                            void *x);

#endif
