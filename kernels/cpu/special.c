/* special.c: special functions of double (../scalar_special.h), once for every loop on every CPU level: they have the
   same bits on all of them. */
#define PT_SPECIAL_BODIES
#include "../scalar.h"

#define ONE(name) \
  double pti_special_##name(double x) { return PT_NAME(name, d)(x); }
#define TWO(name) \
  double pti_special_##name(double a, double b) { return PT_NAME(name, d)(a, b); }
PT_SPECIAL(ONE, TWO)
