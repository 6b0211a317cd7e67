/* backend.c: the CPU as a device: its table of slots, its memory and the level whose loops are in
   use. Nothing is computed here. */
#include "nn_loops.h"

#include <string.h>

const pt_host *pti_cpu_host;

const pti_cpu_loops *pti_cpu_now(void) {
#if defined(__x86_64__)
  static const pti_cpu_loops *const loops[PTI_NCPU] = {&pti_cpu_loops_base, &pti_cpu_loops_avx2,
                                                       &pti_cpu_loops_avx512};
  return loops[pti_cpu()];
#else
  return &pti_cpu_loops_base;
#endif
}

const pti_cpu_nn_loops *pti_cpu_nn_now(void) {
#if defined(__x86_64__)
  static const pti_cpu_nn_loops *const nets[PTI_NCPU] = {
      &pti_cpu_nn_loops_base, &pti_cpu_nn_loops_avx2, &pti_cpu_nn_loops_avx512};
  return nets[pti_cpu()];
#else
  return &pti_cpu_nn_loops_base;
#endif
}

/* ---- memory: the host's own ---- */

static int count(void) { return 1; }

static void *cpu_alloc(int dev, size_t bytes) {
  (void)dev;
  return pti_cpu_host->alloc(bytes);
}

static void cpu_free(int dev, void *block, size_t bytes) {
  (void)dev;
  pti_cpu_host->free(block, bytes);
}

/* A slot returns when its work is done. */
static bool sync_now(int dev) {
  (void)dev;
  return true;
}

/* ---- slots ---- */

static const pt_backend backend = {
    .abi = PT_BACKEND_ABI,
    .name = "cpu",
    .table_hash = PTI_TABLE_HASH,
    .count = count,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .sync = sync_now,
    .ew = pti_cpu_ew,
    .copy = pti_cpu_copy,
    .fill = pti_cpu_fill,
    .reduce = pti_cpu_reduce,
    .extreme = pti_cpu_extreme,
    .gemm = pti_cpu_gemm,
    .factor = pti_cpu_factor,
    .complex_mul = pti_cpu_complex_mul,
    .fft = pti_cpu_fft,
    .softmax = pti_cpu_softmax,
    .softmax_grad = pti_cpu_softmax_grad,
    .index_select = pti_cpu_index_select,
    .index_add = pti_cpu_index_add,
    .index_copy = pti_cpu_index_copy,
    .gather = pti_cpu_gather,
    .scatter = pti_cpu_scatter,
    .nonzero = pti_cpu_nonzero,
    .random = pti_cpu_random,
    .arange = pti_cpu_arange,
    .sgd = pti_cpu_sgd,
    .adam = pti_cpu_adam,
    .rule = pti_cpu_rule,
    .nll = pti_cpu_nll,
    .nll_grad = pti_cpu_nll_grad,
    .ctc = pti_cpu_ctc,
    .conv = pti_cpu_conv,
    .conv_data = pti_cpu_conv_data,
    .conv_weight = pti_cpu_conv_weight,
    .norm = pti_cpu_norm,
    .norm_grad = pti_cpu_norm_grad,
    .max_pool = pti_cpu_max_pool,
    .avg_pool = pti_cpu_avg_pool,
    .avg_pool_grad = pti_cpu_avg_pool_grad,
    .attention = pti_cpu_attention,
    .attention_grad = pti_cpu_attention_grad,
    .sort = pti_cpu_sort,
    .scan = pti_cpu_scan,
    .search = pti_cpu_search,
    .rnn = pti_cpu_rnn,
    .rnn_grad = pti_cpu_rnn_grad,
    .channel_moments = pti_cpu_channel_moments,
    .channel_dots = pti_cpu_channel_dots,
    .channel_affine = pti_cpu_channel_affine,
};

const pt_backend *pti_cpu_backend(const pt_host *host) {
  pti_cpu_host = host;
  return &backend;
}
