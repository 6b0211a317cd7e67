/* philox.h: Philox 4x32-10 (Salmon et al., 2011), read by C and by CUDA: the same words everywhere. */
#ifndef PTI_PHILOX_H
#define PTI_PHILOX_H

#include <stdint.h>

#ifdef __CUDACC__
#define PTI_PHILOX_FN static __host__ __device__ __forceinline__
#else
#define PTI_PHILOX_FN static inline
#endif

/* The multipliers, and what is added to the key in each of the rounds. */
#define PTI_PHILOX_M0 0xD2511F53u
#define PTI_PHILOX_M1 0xCD9E8D57u
#define PTI_PHILOX_W0 0x9E3779B9u
#define PTI_PHILOX_W1 0xBB67AE85u
#define PTI_PHILOX_ROUNDS 10

/* Four words for the counter (ctr, stream) under the key seed; read by C and by CUDA. */
PTI_PHILOX_FN void pti_philox(uint64_t seed, uint64_t stream, uint64_t ctr, uint32_t out[4]) {
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  uint32_t c0 = (uint32_t)ctr, c1 = (uint32_t)(ctr >> 32), c2 = (uint32_t)stream,
           c3 = (uint32_t)(stream >> 32);
  for (int round = 0; round < PTI_PHILOX_ROUNDS; round++) {
    uint64_t p0 = (uint64_t)PTI_PHILOX_M0 * c0, p1 = (uint64_t)PTI_PHILOX_M1 * c2;
    uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = n0;
    c2 = n2;
    k0 += PTI_PHILOX_W0;
    k1 += PTI_PHILOX_W1;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

#endif
