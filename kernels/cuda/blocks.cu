/* blocks.cu: weights of few bits: blocks to numbers and back, and products with them. A warp has one element of a product,
   whose lanes read neighbouring numbers of the row of blocks. */
#include "common.cuh"
#include "blocks.h"

__global__ void __launch_bounds__(THREADS)
    block_load_kernel(int format, int numbers, int bytes, float *y, const uint8_t *blocks,
                      int64_t n) {
  FOR_EACH(i, n)
  y[i] =
      pti_block_number((pti_block_format)format, blocks + i / numbers * bytes, (int)(i % numbers));
}

bool pti_cuda_block_load(int dev, pti_block_format format, const void *blocks, int64_t count,
                         void *y) {
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  const pti_block_kind kind = pti_block_kinds[format];
  int64_t n = count * kind.numbers;
  LAUNCH(block_load_kernel, looped(n), THREADS, 0, s, (int)format, kind.numbers, kind.bytes,
         (float *)y, (const uint8_t *)blocks, n);
  return launched("dequantize_blocks");
}

DEV void put_half(uint8_t *to, float x) {
  uint16_t h = float_to_half(x).u;
  to[0] = (uint8_t)h;
  to[1] = (uint8_t)(h >> 8);
}
DEV unsigned nibble(float x, float inverse) {
  double q = (double)x * inverse + 8.5; /* as ggml rounds */
  return q >= 0 && q < 16 ? (unsigned)q : q >= 16 ? 15 : 0;
}

/* As kernels/cpu/blocks/blocks.c: the largest magnitude becomes 127, or -8. A thread has a block. */
__global__ void __launch_bounds__(THREADS)
    block_store_kernel(int format, int bytes, uint8_t *blocks, const float *x, int64_t count) {
  FOR_EACH(b, count) {
    const float *u = x + b * 32;
    uint8_t *to = blocks + b * bytes;
    float most = 0;
    for (int i = 0; i < 32; i++)
      if (fabsf(u[i]) > fabsf(most)) most = u[i];
    float d = format == PTI_Q8_0 ? fabsf(most) / 127 : most / -8, inverse = d != 0 ? 1 / d : 0;
    put_half(to, d);
    if (format == PTI_Q8_0) {
      for (int i = 0; i < 32; i++) {
        float q = roundf(u[i] * inverse);
        to[2 + i] = (uint8_t)(int8_t)(q >= -127 && q <= 127 ? q : 0);
      }
    } else {
      for (int i = 0; i < 16; i++)
        to[2 + i] = (uint8_t)(nibble(u[i], inverse) | nibble(u[i + 16], inverse) << 4);
    }
  }
}

bool pti_cuda_block_store(int dev, pti_block_format format, const void *x, int64_t count,
                          void *blocks) {
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  LAUNCH(block_store_kernel, looped(count), THREADS, 0, s, (int)format,
         pti_block_kinds[format].bytes, (uint8_t *)blocks, (const float *)x, count);
  return launched("quantize_blocks");
}

__global__ void __launch_bounds__(THREADS)
    block_linear_kernel(pti_block_linear p, int numbers, int bytes, float *y, const float *x,
                        const uint8_t *w, const float *bias) {
  int lane = threadIdx.x & 31;
  int64_t row_bytes = p.k / numbers * bytes, warps = (int64_t)gridDim.x * (THREADS / 32);
  for (int64_t at = (int64_t)blockIdx.x * (THREADS / 32) + (threadIdx.x >> 5); at < p.m * p.n;
       at += warps) {
    int64_t i = at / p.n, o = at % p.n;
    const uint8_t *row = w + o * row_bytes;
    float sum = 0;
    for (int64_t l = lane; l < p.k; l += 32)
      sum = MULTIPLY_ADD(pti_block_number(p.format, row + l / numbers * bytes, (int)(l % numbers)),
                         x[i * p.k + l], sum);
    sum = warp_sum(sum);
    if (lane == 0) y[at] = bias ? sum + bias[o] : sum;
  }
}

bool pti_cuda_block_linear(int dev, const pti_block_linear *p, const void *x, const void *w,
                           const void *bias, void *y) {
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  const pti_block_kind kind = pti_block_kinds[p->format];
  LAUNCH(block_linear_kernel, looped(p->m * p->n * 32), THREADS, 0, s, *p, kind.numbers, kind.bytes,
         (float *)y, (const float *)x, (const uint8_t *)w, (const float *)bias);
  return launched("linear_blocks");
}
