/* blocks.h: numbers of few bits in blocks with scales of their own, as ggml keeps weights; one number of a block,
   compiled as C and as CUDA. The layouts are those of GGUF files, little-endian and without gaps:

   q8_0  32 numbers   d f16, q i8[32]                                 d q
   q4_0  32 numbers   d f16, q u4[32]                                 d (q - 8)
   q4_k  256 numbers  d f16, m f16, 8 scales and 8 minima of six bits in 12 bytes, q u4[256]
                                                                      d scale q - m minimum, for each 32
   q6_k  256 numbers  low four bits [128 bytes], high two [64], scale i8[16], d f16
                                                                      d scale (q - 32), for each 16
   Halves of a byte hold numbers 16 (q4_0), 32 (q4_k) or 64 (q6_k) apart. */
#ifndef PTI_BLOCKS_H
#define PTI_BLOCKS_H

#include <stdint.h>

#include "backend.h"

#ifdef __CUDACC__
#define PTI_BLOCK_FN static __device__ __host__ inline
#else
#define PTI_BLOCK_FN static inline
#endif

PTI_BLOCK_FN float pti_half_at(const uint8_t *p) {
  uint16_t h = (uint16_t)(p[0] | p[1] << 8);
#ifdef __CUDACC__
  return __half2float(__ushort_as_half(h));
#else
  return pti_f16_load(h);
#endif
}

/* The scale and the minimum of 32 of a q4_k block's numbers, 0 <= j < 8. */
PTI_BLOCK_FN void pti_q4_k_scale(const uint8_t *six, int j, int *scale, int *min) {
  if (j < 4) {
    *scale = six[j] & 63;
    *min = six[j + 4] & 63;
  } else {
    *scale = (six[j + 4] & 15) | (six[j - 4] >> 6) << 4;
    *min = six[j + 4] >> 4 | (six[j] >> 6) << 4;
  }
}

PTI_BLOCK_FN float pti_block_number(pti_block_format format, const uint8_t *block, int i) {
  switch (format) {
  case PTI_Q8_0: return pti_half_at(block) * (float)(int8_t)block[2 + i];
  case PTI_Q4_0: {
    int q = block[2 + i % 16] >> (i < 16 ? 0 : 4) & 15;
    return pti_half_at(block) * (float)(q - 8);
  }
  case PTI_Q4_K: {
    int scale, min, q = block[16 + i / 64 * 32 + i % 32] >> (i / 32 % 2 ? 4 : 0) & 15;
    pti_q4_k_scale(block + 4, i / 32, &scale, &min);
    return pti_half_at(block) * (float)scale * (float)q - pti_half_at(block + 2) * (float)min;
  }
  default: {
    int part = i / 32 % 4;
    int low = block[i / 128 * 64 + i % 64] >> (part < 2 ? 0 : 4) & 15;
    int high = block[128 + i / 128 * 32 + i % 32] >> 2 * part & 3;
    float scale = (float)(int8_t)block[192 + i / 16];
    return pti_half_at(block + 208) * scale * (float)((low | high << 4) - 32);
  }
  }
}

#endif
