/* special.h: the names of the special functions. CUDA has them wherever they are used (scalar_special.h). C calls them
   (cpu/special.c): a series takes longer than its call, and inlined in every loop, for three CPU levels, they would be
   250 kB. */
#ifndef PTI_SPECIAL_H
#define PTI_SPECIAL_H

/* Of one operand, and of two. */
/* clang-format off */
#define PT_SPECIAL(ONE, TWO)                                                                     \
  ONE(airy_ai) ONE(airy_ai_slope) ONE(bessel_j0) ONE(bessel_j1) ONE(bessel_y0) ONE(bessel_y1)    \
  ONE(digamma) ONE(erfcx) ONE(erfinv) ONE(i0) ONE(i0e) ONE(i1) ONE(i1e) ONE(k0) ONE(k0e) ONE(k1) \
  ONE(k1e) ONE(log_ndtr) ONE(normal_cdf) ONE(spherical_j0) ONE(spherical_j1)                     \
  TWO(hurwitz_zeta) TWO(igamma) TWO(igammac) TWO(polygamma)
/* clang-format on */

#ifndef __cplusplus
#define PT_DECLARE(name) double pti_special_##name(double x);
#define PT_DECLARE2(name) double pti_special_##name(double a, double b);
PT_SPECIAL(PT_DECLARE, PT_DECLARE2)
#endif

#endif
