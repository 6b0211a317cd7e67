/* direct.h: what conv.c uses of direct.c. All return false, with the error recorded, where there is no memory. */
#ifndef PTI_KERNELS_DIRECT_H
#define PTI_KERNELS_DIRECT_H

#include "../cpu_backend.h"

bool pti_conv_direct(const pti_conv *p, const void *x, const void *w, const void *bias, void *y);
bool pti_conv_direct_data(const pti_conv *p, const void *g, const void *w, const void *bias,
                          void *x);
bool pti_conv_direct_weight(const pti_conv *p, const void *x, const void *g, void *w);

#endif
