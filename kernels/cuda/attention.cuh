/* attention.cuh: shared by both kernels of attention: arguments, scores, dropout. attention.cu is for any floating type
   and width, with a row for each warp; attention_mma.cu for halves on tensor cores. */
#ifndef PT_ATTENTION_CUH
#define PT_ATTENTION_CUH

#include "common.cuh"

struct attention_args {
  int64_t b, h, hk, lq, lk, d, dv;
  double scale, dropout, up;    /* up: the factor of the probabilities kept by dropout */
  divider heads, group, blocks; /* h, h / hk, blocks of a head */
  bool causal;
  const void *mask;
  int64_t mask_stride[4];
  uint64_t seed, stream, ctr;
  int tile; /* rows of the other side in shared memory, at most 32 */
  const void *q, *k, *v, *g;
  const void *lse, *dot;
  void *y, *out_lse, *gq, *gk, *gv;
};

/* The key head of a query head. */
DEV int64_t key_head(const attention_args &a, int64_t head) {
  int64_t batch = head / a.heads;
  return batch * a.hk + (head - batch * a.h) / a.group;
}

/* Whether the probability of (row, column) is kept; row counts over all heads. */
DEV bool kept(const attention_args &a, int64_t row, int64_t column) {
  uint32_t word[4];
  uint64_t i = (uint64_t)row * (uint64_t)a.lk + (uint64_t)column;
  pti_philox(a.seed, a.stream, a.ctr + i / 4, word);
  uint32_t w = i % 4 == 0 ? word[0] : i % 4 == 1 ? word[1] : i % 4 == 2 ? word[2] : word[3];
  return (double)(w >> 8) * 0x1p-24 >= a.dropout;
}

/* The score of query i and key j of a head; x . y is their product. */
template <class T>
DEV T score(const attention_args &a, int64_t head, int64_t i, int64_t j, T product) {
  T s = (T)a.scale * product;
  if (a.mask)
    s += ((const T *)a.mask)[head / a.heads * a.mask_stride[0] + head % a.heads * a.mask_stride[1] +
                             i * a.mask_stride[2] + j * a.mask_stride[3]];
  return a.causal && j > i ? T(-INFINITY) : s;
}
/* Launches the forward kernel on tensor cores; false where dtype, width or alignment do not allow it. */
bool attention_by_mma(cudaStream_t s, const attention_args &a, pt_dtype dtype);

#endif
