/* winograd.h: what conv.c uses of winograd.c: 3x3 windows with stride 1, of float, one group, a padding of at most 2.
   False, with the error recorded, where there is no memory. */
#ifndef PTI_KERNELS_WINOGRAD_H
#define PTI_KERNELS_WINOGRAD_H

#include "../cpu_backend.h"

bool pti_conv_winograd(const pti_conv *p, const void *x, const void *w, const void *bias, void *y);
bool pti_conv_winograd_data(const pti_conv *p, const void *g, const void *w, const void *bias,
                            void *x);

#endif
