/* attention_mma.cu: attention of halves on tensor cores (Dao, 2023). A block has 64 queries of a head, a warp 16 of
   them, whose scores, probabilities and results stay in registers; tiles of 64 keys and values go through shared
   memory, values transposed, so that two keys lie side by side. Probabilities are rounded to the storage type
   before they multiply values; all sums are in float. Heads of at most 128 numbers, a multiple of 8. */
#include "attention.cuh"
#include "mma.cuh"

enum { ROWS = 64, KEYS = 64, PAD = 8, MMA_THREADS = 128 };

template <class S> DEV uint32_t pair_of(float low, float high) {
  return (uint32_t)put<S>::of(low).u | (uint32_t)put<S>::of(high).u << 16;
}
/* The same over the four lanes that share a row. */
DEV float row_max(float v) {
#pragma unroll
  for (int o = 1; o < 4; o *= 2) {
    float w = __shfl_xor_sync(0xffffffffu, v, o);
    v = w > v ? w : v;
  }
  return v;
}
DEV float row_sum(float v) {
#pragma unroll
  for (int o = 1; o < 4; o *= 2) v += __shfl_xor_sync(0xffffffffu, v, o);
  return v;
}

/* Rows first .. first + 63 of x (n, width), 16 bytes at a time; zeros beyond n and beyond width. */
template <class S, int W>
DEV void take_tile(uint16_t (*to)[W + PAD], const S *x, int64_t first, int64_t n, int width) {
  for (int e = threadIdx.x; e < KEYS * (W / 8); e += MMA_THREADS) {
    int r = e / (W / 8), c = e % (W / 8) * 8;
    vec<uint16_t, 8> v = {};
    if (first + r < n && c < width) v = *(const vec<uint16_t, 8> *)(x + (first + r) * width + c);
    *(vec<uint16_t, 8> *)&to[r][c] = v;
  }
}
template <class S, int W>
DEV void take_transposed(uint16_t (*to)[KEYS + PAD], const S *x, int64_t first, int64_t n,
                         int width) {
  for (int e = threadIdx.x; e < KEYS / 2 * W; e += MMA_THREADS) {
    int r = e / W * 2, c = e % W;
    bool inside = c < width;
    uint32_t low = inside && first + r < n ? x[(first + r) * width + c].u : 0;
    uint32_t high = inside && first + r + 1 < n ? x[(first + r + 1) * width + c].u : 0;
    *(uint32_t *)&to[c][r] = low | high << 16;
  }
}

/* W: the width of heads, padded with zeros. */
template <class S, int W>
__global__ void __launch_bounds__(MMA_THREADS, 2) attention_mma(attention_args a) {
  SHARED(uint16_t, ks, [KEYS][W + PAD]); /* first the queries */
  SHARED(uint16_t, vs, [W][KEYS + PAD]);
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
  int64_t head = (int64_t)blockIdx.x / a.blocks;
  int64_t q0 = (blockIdx.x - head * a.blocks.d) * ROWS, row = q0 + warp * 16 + g; /* and row + 8 */
  int64_t shared = key_head(a, head);
  const S *k = (const S *)a.k + shared * a.lk * a.d, *v = (const S *)a.v + shared * a.lk * a.dv;
  uint32_t x[W / 16][4];
  float y[W / 8][4] = {}, top[2] = {-INFINITY, -INFINITY}, sum[2] = {0, 0};
  take_tile<S, W>(ks, (const S *)a.q + head * a.lq * a.d, q0, a.lq, (int)a.d);
  __syncthreads();
#pragma unroll
  for (int i = 0; i < W / 16; i++)
#pragma unroll
    for (int r = 0; r < 4; r++)
      x[i][r] = *(const uint32_t *)&ks[warp * 16 + g + (r & 1) * 8][i * 16 + 2 * t + (r >> 1) * 8];
  for (int64_t k0 = 0; k0 < a.lk && !(a.causal && k0 > q0 + ROWS - 1); k0 += KEYS) {
    __syncthreads();
    take_tile<S, W>(ks, k, k0, a.lk, (int)a.d);
    take_transposed<S, W>(vs, v, k0, a.lk, (int)a.dv);
    __syncthreads();
    float p[KEYS / 8][4] = {};
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
      for (int i = 0; i < W / 16; i++) {
        uint32_t b[2];
#pragma unroll
        for (int r = 0; r < 2; r++)
          b[r] = *(const uint32_t *)&ks[j * 8 + g][i * 16 + 2 * t + r * 8];
        MMA(S, p[j], x[i], b);
      }
    float high[2] = {-INFINITY, -INFINITY}, fade[2];
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
      for (int r = 0; r < 4; r++) {
        int64_t i = row + (r >> 1) * 8, col = k0 + j * 8 + 2 * t + (r & 1);
        p[j][r] = i < a.lq && col < a.lk ? score(a, head, i, col, p[j][r]) : -INFINITY;
        high[r >> 1] = p[j][r] > high[r >> 1] ? p[j][r] : high[r >> 1];
      }
#pragma unroll
    for (int r = 0; r < 2; r++) {
      high[r] = row_max(high[r]);
      high[r] = high[r] > top[r] ? high[r] : top[r];
      /* all masked so far: exp(-inf - 0) is 0, and a NaN stays one */
      float base = high[r] == -INFINITY ? 0.0f : high[r];
      fade[r] = pt_exp(top[r] - base);
      top[r] = high[r];
      high[r] = base;
    }
    float part[2] = {0, 0};
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
      for (int r = 0; r < 4; r++) {
        p[j][r] = pt_exp(p[j][r] - high[r >> 1]);
        part[r >> 1] += p[j][r];
      }
    if (a.dropout > 0) {
      float up = (float)a.up;
#pragma unroll
      for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
        for (int r = 0; r < 4; r++) {
          int64_t i = row + (r >> 1) * 8, col = k0 + j * 8 + 2 * t + (r & 1);
          p[j][r] = i < a.lq && kept(a, head * a.lq + i, col) ? p[j][r] * up : 0.0f;
        }
    }
#pragma unroll
    for (int r = 0; r < 2; r++) sum[r] = sum[r] * fade[r] + row_sum(part[r]);
#pragma unroll
    for (int n = 0; n < W / 8; n++)
#pragma unroll
      for (int r = 0; r < 4; r++) y[n][r] *= fade[r >> 1];
#pragma unroll
    for (int i = 0; i < KEYS / 16; i++) {
      uint32_t w[4];
#pragma unroll
      for (int r = 0; r < 4; r++) {
        const float *from = p[2 * i + (r >> 1)] + (r & 1) * 2;
        w[r] = pair_of<S>(from[0], from[1]);
      }
#pragma unroll
      for (int n = 0; n < W / 8; n++) {
        uint32_t b[2];
#pragma unroll
        for (int r = 0; r < 2; r++)
          b[r] = *(const uint32_t *)&vs[n * 8 + g][i * 16 + 2 * t + r * 8];
        MMA(S, y[n], w, b);
      }
    }
  }
#pragma unroll
  for (int r = 0; r < 2; r++) {
    int64_t i = row + r * 8;
    if (i >= a.lq) continue;
    float scale = sum[r] == 0 ? 0.0f : 1 / sum[r];
    S *to = (S *)a.y + (head * a.lq + i) * a.dv;
#pragma unroll
    for (int n = 0; n < W / 8; n++)
      if (n * 8 < a.dv)
        *(uint32_t *)(to + n * 8 + 2 * t) =
            pair_of<S>(y[n][2 * r] * scale, y[n][2 * r + 1] * scale);
    if (t == 0)
      ((float *)a.out_lse)[head * a.lq + i] = sum[r] == 0 ? -INFINITY : top[r] + pt_log(sum[r]);
  }
}

template <class S> static void launch(cudaStream_t s, attention_args a) {
  int64_t each = (a.lq + ROWS - 1) / ROWS;
  unsigned blocks = (unsigned)(a.b * a.h * each);
  a.blocks = divider(each);
  int64_t width = a.d > a.dv ? a.d : a.dv;
  if (width <= 32) LAUNCH((attention_mma<S, 32>), blocks, MMA_THREADS, 0, s, a);
  else if (width <= 64) LAUNCH((attention_mma<S, 64>), blocks, MMA_THREADS, 0, s, a);
  else LAUNCH((attention_mma<S, 128>), blocks, MMA_THREADS, 0, s, a);
}

bool attention_by_mma(cudaStream_t s, const attention_args &a, pt_dtype dtype) {
  bool fits = (dtype == PT_F16 || dtype == PT_BF16) && a.d % 8 == 0 && a.dv % 8 == 0 &&
      a.d <= 128 && a.dv <= 128 && a.d > 0 && a.dv > 0 && aligned16(a.q) && aligned16(a.k) &&
      a.b * a.h * ((a.lq + ROWS - 1) / ROWS) <= INT32_MAX;
  if (!fits) return false;
  if (dtype == PT_F16) launch<f16>(s, a);
  else launch<bf16>(s, a);
  return true;
}
