/* mma.cuh: the tensor-core instruction m16n8k16 for half types, and what it means.
   d (16 x 8, float) += a (16 x 16) b (16 x 8). Lane l, with g = l / 4 and t = l % 4, holds
     a[0] row g, k 2t 2t+1   a[1] row g+8, k 2t 2t+1   a[2] row g, k 2t+8 2t+9   a[3] row g+8, k 2t+8 2t+9
     b[0] k 2t 2t+1, column g   b[1] k 2t+8 2t+9, column g
     d[0..1] row g, columns 2t 2t+1   d[2..3] row g+8, the same columns. */
#ifndef PT_MMA_CUH
#define PT_MMA_CUH

#include "common.cuh"

#ifdef __CUDACC__
DEV void mma_of(bf16, float *d, const uint32_t *a, const uint32_t *b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
               "{%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
DEV void mma_of(f16, float *d, const uint32_t *a, const uint32_t *b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
               "{%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#define MMA(S, d, a, b) mma_of(S(), d, a, b)
#else
struct mma_lane {
  float *d;
  const uint32_t *a, *b;
};
/* The last lane to arrive computes for the warp. The order in which the hardware adds is not documented;
   here k goes upwards. */
template <class S>
__attribute__((no_sanitize("thread"))) static inline void mma_warp(uint64_t *lane) {
  for (int l = 0; l < 32; l++) {
    float *d = ((mma_lane *)lane[l])->d;
    for (int i = 0; i < 4; i++) {
      int row = l / 4 + (i >> 1) * 8, col = 2 * (l % 4) + (i & 1);
      float v = d[i];
      for (int k = 0; k < 16; k++) {
        uint32_t a = ((mma_lane *)lane[row % 8 * 4 + k % 8 / 2])->a[(row >> 3) + 2 * (k >> 3)];
        uint32_t b = ((mma_lane *)lane[col * 4 + k % 8 / 2])->b[k >> 3];
        v += load(S{(uint16_t)(k & 1 ? a >> 16 : a)}) * load(S{(uint16_t)(k & 1 ? b >> 16 : b)});
      }
      d[i] = v;
    }
  }
}
#define MMA(S, d, a, b)                                         \
  do {                                                          \
    mma_lane mma_mine = {d, a, b};                              \
    sim::warp_call(mma_warp<S>, &mma_mine, __FILE__, __LINE__); \
  } while (0)
#endif

#endif
