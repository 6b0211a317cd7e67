/* nn_loops.c: the loops of nn_loops.h for one CPU level. Compiled once per level, as tensor_loops.c is; everything
   here is static but the table. */
#include "nn_loops.h"
#include "../scalar.h"

#define GLUE3(a, b) a##b
#define GLUE(a, b) GLUE3(a, b)

#define T float
#define F(name) name##_f32
#define COMPUTE PTI_CF32
#include "norm/norm.inc.h"
#include "norm/channel.inc.h"
#include "pooling/pooling.inc.h"
#include "conv/depthwise.inc.h"
#include "attention/attention.inc.h"
#include "rnn/rnn.inc.h"
#define BUNDLE 8
#define SAME_SIZE int32_t
#include "fft/fft.inc.h"
#undef T
#undef F
#undef COMPUTE
#undef BUNDLE
#undef SAME_SIZE

#define T double
#define F(name) name##_f64
#define COMPUTE PTI_CF64
#include "norm/norm.inc.h"
#include "norm/channel.inc.h"
#include "pooling/pooling.inc.h"
#include "conv/depthwise.inc.h"
#include "attention/attention.inc.h"
#include "rnn/rnn.inc.h"
#define BUNDLE 4
#define SAME_SIZE int64_t
#include "fft/fft.inc.h"
#undef T
#undef F
#undef COMPUTE
#undef BUNDLE
#undef SAME_SIZE

#define BOTH(name) .name = {name##_f32, name##_f64}

const pti_cpu_nn_loops GLUE(pti_cpu_nn_loops_, PT_LEVEL) = {
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
    BOTH(slide),
    BOTH(slide_weight),
    BOTH(attention),
    BOTH(attention_grad),
    BOTH(rnn),
    BOTH(rnn_grad),
    BOTH(fft),
};
