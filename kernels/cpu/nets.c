/* nets.c: the loops of nets.h for one CPU level. Compiled once per level, as table.c is; everything
   here is static but the table. */
#include "nets.h"

#define GLUE3(a, b) a##b
#define GLUE(a, b) GLUE3(a, b)

#define T float
#define F(name) name##_f32
#define COMPUTE PTI_CF32
#include "norm.inc.h"
#include "channel.inc.h"
#include "window.inc.h"
#include "conv.inc.h"
#include "attention.inc.h"
#include "rnn.inc.h"
#undef T
#undef F
#undef COMPUTE

#define T double
#define F(name) name##_f64
#define COMPUTE PTI_CF64
#include "norm.inc.h"
#include "channel.inc.h"
#include "window.inc.h"
#include "conv.inc.h"
#include "attention.inc.h"
#include "rnn.inc.h"
#undef T
#undef F
#undef COMPUTE

const pti_cpu_nets GLUE(pti_cpu_nets_, PT_LEVEL) = {
#define LOOP(name) .name = {name##_f32, name##_f64},
    PTI_NET_LOOPS(LOOP)
#undef LOOP
};
