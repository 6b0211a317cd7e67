/* slots.cuh: the slots of the backend that have a kernel here; slot `x` is the function pti_cuda_x,
   whose type is that of backend.h. A slot that is not in the list is "not on this device". */
#ifndef PT_SLOTS_CUH
#define PT_SLOTS_CUH

#include <type_traits>

#include "backend.h"

#define SLOTS(X)                                                                                 \
  X(ew)                                                                                          \
  X(copy)                                                                                        \
  X(fill)                                                                                        \
  X(arange) X(reduce) X(extreme) X(gemm) X(softmax) X(softmax_grad) X(index_select) X(index_add) \
      X(index_copy) X(gather) X(scatter) X(nonzero) X(random) X(sgd) X(adam) X(rule) X(nll)      \
          X(nll_grad) X(conv) X(conv_data) X(conv_weight) X(norm) X(norm_grad) X(max_pool)       \
              X(avg_pool) X(avg_pool_grad) X(attention) X(attention_grad) X(sort) X(scan)        \
                  X(search) X(rnn) X(rnn_grad) X(channel_moments) X(channel_dots)                \
                      X(channel_affine) X(complex_mul) X(fft)

#define DECLARE_SLOT(slot) std::remove_pointer<decltype(pt_backend::slot)>::type pti_cuda_##slot;
SLOTS(DECLARE_SLOT)
#undef DECLARE_SLOT

#endif
