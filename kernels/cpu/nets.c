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
#include "depthwise.inc.h"
#include "attention.inc.h"
#include "rnn.inc.h"
#define BUNDLE 8
#define SAME_SIZE int32_t
#include "fft.inc.h"
#undef T
#undef F
#undef COMPUTE
#undef BUNDLE
#undef SAME_SIZE

#define T double
#define F(name) name##_f64
#define COMPUTE PTI_CF64
#include "norm.inc.h"
#include "channel.inc.h"
#include "window.inc.h"
#include "conv.inc.h"
#include "depthwise.inc.h"
#include "attention.inc.h"
#include "rnn.inc.h"
#define BUNDLE 4
#define SAME_SIZE int64_t
#include "fft.inc.h"
#undef T
#undef F
#undef COMPUTE
#undef BUNDLE
#undef SAME_SIZE

#define BOTH(name) .name = {name##_f32, name##_f64}

const pti_cpu_nets GLUE(pti_cpu_nets_, PT_LEVEL) = {
    BOTH(norm),
    BOTH(norm_grad),
    BOTH(norm_add),
    BOTH(norm_channels),
    BOTH(channel_moments),
    BOTH(channel_dots),
    BOTH(channel_affine),
    BOTH(max_pool),
    BOTH(avg_pool),
    BOTH(avg_pool_grad),
    BOTH(conv),
    BOTH(conv_data),
    BOTH(conv_weight),
    BOTH(slide),
    BOTH(slide_weight),
    BOTH(attention),
    BOTH(attention_grad),
    BOTH(rnn),
    BOTH(rnn_grad),
    BOTH(fft),
};
