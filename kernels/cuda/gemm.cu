/* gemm.cu: matrix products that do not go to cuBLAS: tiles through shared memory, in float and double, and with tensor
   cores for half types (sums in float). Transposed operands are read in place. */
#include "gemm.cuh"
#include "mma.cuh"

enum { TILE = 64, DEPTH = 16, MMA_DEPTH = 32, MOST_BATCH = 65535 };

/* Strides of operands in elements, by row and by column. */
struct gemm_args {
  const void *a, *b;
  void *c;
  int64_t m, n, k, am, ak, bk, bn, ldc, sa, sb, sc;
  double alpha, beta;
  bool wide_a, wide_b; /* halves may be read 16 bytes at a time */
};

template <class S>
DEV void write_out(const gemm_args &q, S *c, int64_t row, int64_t col, typename compute<S>::T v) {
  typedef typename compute<S>::T T;
  if (row >= q.m || col >= q.n) return;
  S *to = c + row * q.ldc + col;
  v = (T)q.alpha * v;
  *to = put<S>::of(q.beta == 0 ? v : v + (T)q.beta * load(*to));
}

/* 64 x 64 of c per block, 4 x 4 per thread. */
template <class T> __global__ void __launch_bounds__(THREADS) tile_gemm(gemm_args q) {
  SHARED(T, as, [DEPTH][TILE + 1]);
  SHARED(T, bs, [DEPTH][TILE + 1]);
  const T *a = (const T *)q.a + blockIdx.z * q.sa, *b = (const T *)q.b + blockIdx.z * q.sb;
  T *c = (T *)q.c + blockIdx.z * q.sc;
  int tx = threadIdx.x & 15, ty = threadIdx.x >> 4;
  int64_t m0 = (int64_t)blockIdx.x * TILE, n0 = (int64_t)blockIdx.y * TILE;
  T acc[4][4] = {};
  for (int64_t k0 = 0; k0 < q.k; k0 += DEPTH) {
#pragma unroll
    for (int e = threadIdx.x; e < TILE * DEPTH; e += THREADS) { /* neighbours read neighbours */
      int i = q.ak == 1 ? e >> 4 : e & 63, j = q.ak == 1 ? e & 15 : e >> 6;
      as[j][i] = m0 + i < q.m && k0 + j < q.k ? a[(m0 + i) * q.am + (k0 + j) * q.ak] : T(0);
      i = q.bn == 1 ? e & 63 : e >> 4, j = q.bn == 1 ? e >> 6 : e & 15;
      bs[j][i] = n0 + i < q.n && k0 + j < q.k ? b[(k0 + j) * q.bk + (n0 + i) * q.bn] : T(0);
    }
    __syncthreads();
#pragma unroll
    for (int p = 0; p < DEPTH; p++) {
      T x[4], y[4];
#pragma unroll
      for (int i = 0; i < 4; i++) x[i] = as[p][ty + 16 * i], y[i] = bs[p][tx + 16 * i];
#pragma unroll
      for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) acc[i][j] = MULTIPLY_ADD(x[i], y[j], acc[i][j]);
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int j = 0; j < 4; j++) write_out<T>(q, c, m0 + ty + 16 * i, n0 + tx + 16 * j, acc[i][j]);
}

/* Rows r0 .. r0 + 63 and k from k0 on of an operand, zeros beyond: 16 bytes at a time along the side that is dense,
   where `wide`. */
template <class S>
DEV void take_halves(uint16_t (*to)[MMA_DEPTH + 8], const S *x, int64_t rows, int64_t depth,
                     int64_t by_row, int64_t by_k, int64_t r0, int64_t k0, bool wide) {
  bool along_k = by_k == 1; /* neighbours read neighbours */
  if (wide) {
    for (int e = threadIdx.x; e < TILE * MMA_DEPTH / 8; e += 128) {
      int i = along_k ? e / (MMA_DEPTH / 8) : e % (TILE / 8) * 8;
      int j = along_k ? e % (MMA_DEPTH / 8) * 8 : e / (TILE / 8);
      vec<uint16_t, 8> v = {};
      /* sizes along the dense side are multiples of 8 */
      if (r0 + i < rows && k0 + j < depth)
        v = *(const vec<uint16_t, 8> *)(x + (r0 + i) * by_row + (k0 + j) * by_k);
      if (along_k) {
        *(vec<uint16_t, 8> *)&to[i][j] = v;
      } else {
#pragma unroll
        for (int n = 0; n < 8; n++) to[i + n][j] = v.v[n];
      }
    }
    return;
  }
  for (int e = threadIdx.x; e < TILE * MMA_DEPTH; e += 128) {
    int i = along_k ? e / MMA_DEPTH : e % TILE, j = along_k ? e % MMA_DEPTH : e / TILE;
    to[i][j] = r0 + i < rows && k0 + j < depth ? x[(r0 + i) * by_row + (k0 + j) * by_k].u : 0;
  }
}

/* 64 x 64 of c per block, four warps of 32 x 32, k in steps of 32. */
template <class S, class O> __global__ void __launch_bounds__(128, 6) mma_gemm(gemm_args q) {
  SHARED(uint16_t, as, [TILE][MMA_DEPTH + 8]);
  SHARED(uint16_t, bs, [TILE][MMA_DEPTH + 8]); /* transposed, so that two k lie side by side */
  const S *a = (const S *)q.a + blockIdx.z * q.sa, *b = (const S *)q.b + blockIdx.z * q.sb;
  O *c = (O *)q.c + blockIdx.z * q.sc;
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
  int wm = (warp & 1) * 32, wn = (warp >> 1) * 32;
  int64_t m0 = (int64_t)blockIdx.x * TILE, n0 = (int64_t)blockIdx.y * TILE;
  float acc[2][4][4] = {};
  for (int64_t k0 = 0; k0 < q.k; k0 += MMA_DEPTH) {
    take_halves(as, a, q.m, q.k, q.am, q.ak, m0, k0, q.wide_a);
    take_halves(bs, b, q.n, q.k, q.bn, q.bk, n0, k0, q.wide_b);
    __syncthreads();
#pragma unroll
    for (int p = 0; p < MMA_DEPTH; p += 16) {
      uint32_t x[2][4], y[4][2];
#pragma unroll
      for (int i = 0; i < 2; i++)
#pragma unroll
        for (int r = 0; r < 4; r++)
          x[i][r] = *(const uint32_t *)&as[wm + i * 16 + g + (r & 1) * 8][p + 2 * t + (r >> 1) * 8];
#pragma unroll
      for (int j = 0; j < 4; j++)
#pragma unroll
        for (int r = 0; r < 2; r++)
          y[j][r] = *(const uint32_t *)&bs[wn + j * 8 + g][p + 2 * t + r * 8];
#pragma unroll
      for (int i = 0; i < 2; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) MMA(S, acc[i][j], x[i], y[j]);
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 2; i++)
#pragma unroll
    for (int j = 0; j < 4; j++)
#pragma unroll
      for (int r = 0; r < 4; r++)
        write_out<O>(q, c, m0 + wm + i * 16 + g + (r >> 1) * 8, n0 + wn + j * 8 + 2 * t + (r & 1),
                     acc[i][j][r]);
}

/* Complex numbers: a thread per element, tiles of 16 x 16 through shared memory. */
enum { SQUARE = 16 };
template <class C, class T> __global__ void __launch_bounds__(THREADS) complex_gemm(gemm_args q) {
  SHARED(C, as, [SQUARE][SQUARE + 1]);
  SHARED(C, bs, [SQUARE][SQUARE + 1]);
  const C *a = (const C *)q.a + blockIdx.z * q.sa, *b = (const C *)q.b + blockIdx.z * q.sb;
  int tx = threadIdx.x % SQUARE, ty = threadIdx.x / SQUARE;
  int64_t row = (int64_t)blockIdx.x * SQUARE + ty, col = (int64_t)blockIdx.y * SQUARE + tx;
  T re = 0, im = 0;
  for (int64_t k0 = 0; k0 < q.k; k0 += SQUARE) {
    as[ty][tx] = row < q.m && k0 + tx < q.k ? a[row * q.am + (k0 + tx) * q.ak] : C{0, 0};
    bs[ty][tx] = col < q.n && k0 + ty < q.k ? b[(k0 + ty) * q.bk + col * q.bn] : C{0, 0};
    __syncthreads();
#pragma unroll
    for (int p = 0; p < SQUARE; p++) {
      C x = as[ty][p], y = bs[p][tx];
      re = MULTIPLY_ADD(x.re, y.re, MULTIPLY_ADD(-x.im, y.im, re));
      im = MULTIPLY_ADD(x.re, y.im, MULTIPLY_ADD(x.im, y.re, im));
    }
    __syncthreads();
  }
  if (row >= q.m || col >= q.n) return;
  C *to = (C *)q.c + blockIdx.z * q.sc + row * q.ldc + col;
  T alpha = (T)q.alpha, beta = (T)q.beta;
  C old = q.beta == 0 ? C{0, 0} : *to;
  *to = C{alpha * re + beta * old.re, alpha * im + beta * old.im};
}

/* Integers: one thread per element. */
__global__ void __launch_bounds__(THREADS) any_gemm(gemm_args q, int dtype, int size) {
  const char *a = (const char *)q.a + blockIdx.z * q.sa * size;
  const char *b = (const char *)q.b + blockIdx.z * q.sb * size;
  char *c = (char *)q.c + blockIdx.z * q.sc * size;
  FOR_EACH(e, q.m * q.n) {
    int64_t i = e / q.n, j = e % q.n;
    uint64_t sum = 0;
    for (int64_t k = 0; k < q.k; k++)
      sum += (uint64_t)load_any<int64_t>(dtype, a + (i * q.am + k * q.ak) * size) *
          (uint64_t)load_any<int64_t>(dtype, b + (k * q.bk + j * q.bn) * size);
    char *to = c + (i * q.ldc + j) * size;
    sum *= (uint64_t)(int64_t)q.alpha;
    if (q.beta != 0) sum += (uint64_t)(int64_t)q.beta * (uint64_t)load_any<int64_t>(dtype, to);
    store_any<int64_t>(dtype, to, (int64_t)sum);
  }
}

/* Whether each group of 8 halves along the dense side of an operand is whole and aligned. */
static bool is_wide(const void *p, int64_t side, int64_t ld, int64_t step) {
  return aligned16(p) && side % 8 == 0 && ld % 8 == 0 && step % 8 == 0;
}

bool gemm_to(int dev, const pti_gemm *g, pt_dtype out) {
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  if (g->batch == 0 || g->m == 0 || g->n == 0) return true;
  if (blas_takes(g)) return blas_gemm(s, g, out);
  int64_t size = size_of(g->dtype);
  for (int64_t first = 0; first < g->batch; first += MOST_BATCH) {
    int64_t batch = g->batch - first < MOST_BATCH ? g->batch - first : (int64_t)MOST_BATCH;
    gemm_args q = {(const char *)g->a + first * g->sa * size,
                   (const char *)g->b + first * g->sb * size,
                   (char *)g->c + first * g->sc * size_of(out),
                   g->m,
                   g->n,
                   g->k,
                   g->ta ? 1 : g->lda,
                   g->ta ? g->lda : 1,
                   g->tb ? 1 : g->ldb,
                   g->tb ? g->ldb : 1,
                   g->ldc,
                   g->sa,
                   g->sb,
                   g->sc,
                   g->alpha,
                   g->beta,
                   false,
                   false};
    q.wide_a = is_wide(q.a, g->ta ? g->m : g->k, g->lda, g->sa);
    q.wide_b = is_wide(q.b, g->tb ? g->k : g->n, g->ldb, g->sb);
    dim3 grid(blocks_of(g->m, TILE), blocks_of(g->n, TILE), (unsigned)batch);
    dim3 square(blocks_of(g->m, SQUARE), blocks_of(g->n, SQUARE), (unsigned)batch);
    switch (g->dtype) {
    case PT_F32: LAUNCH((tile_gemm<float>), grid, THREADS, 0, s, q); break;
    case PT_F64: LAUNCH((tile_gemm<double>), grid, THREADS, 0, s, q); break;
    case PT_F16:
      if (out == PT_F32) LAUNCH((mma_gemm<f16, float>), grid, 128, 0, s, q);
      else LAUNCH((mma_gemm<f16, f16>), grid, 128, 0, s, q);
      break;
    case PT_BF16:
      if (out == PT_F32) LAUNCH((mma_gemm<bf16, float>), grid, 128, 0, s, q);
      else LAUNCH((mma_gemm<bf16, bf16>), grid, 128, 0, s, q);
      break;
    case PT_C64: LAUNCH((complex_gemm<complex64, float>), square, THREADS, 0, s, q); break;
    case PT_C128: LAUNCH((complex_gemm<complex128, double>), square, THREADS, 0, s, q); break;
    default:
      LAUNCH(any_gemm, dim3(looped(g->m * g->n), 1, (unsigned)batch), THREADS, 0, s, q,
             (int)g->dtype, (int)size);
    }
    if (!launched("matrix product")) return false;
  }
  return true;
}

bool pti_cuda_gemm(int dev, const pti_gemm *g) { return gemm_to(dev, g, g->dtype); }
