/* softmax.cu: softmax, its logarithm, and their gradients. Along rows, a warp has a row, which it keeps
   in registers if it fits, or a block has one; down columns, a thread has a column, next to those of
   its neighbours. Sums are kept in double, as on the CPU. */
#include "common.cuh"

enum { WARPS = THREADS / 32, LONG = 2048 /* rows of more elements get a block */ };

template <class T> DEV T least(void) { return T(-HUGE_VAL); }

/* Row r by the `lanes` threads of a group, of which this is number `lane`; M > 0: the row is kept in
   M registers. SUM and MAX combine over the group. */
template <class S, bool LOG, int M, bool BLOCK>
DEV void softmax_row(S *y, const S *x, int64_t n, int lane, int lanes) {
  typedef typename compute<S>::T T;
  const int KEEP = M ? M : 1;
  T v[KEEP], top = least<T>();
  double sum = 0;
  if (M) {
#pragma unroll
    for (int k = 0; k < M; k++) {
      int64_t i = k * lanes + lane;
      v[k % KEEP] = i < n ? load(x[i]) : least<T>();
      top = pt_max2(top, v[k % KEEP]);
    }
  } else {
    for (int64_t i = lane; i < n; i += lanes) top = pt_max2(top, load(x[i]));
  }
  top = BLOCK ? block_max(top, least<T>()) : warp_max(top);
  if (M) {
#pragma unroll
    for (int k = 0; k < M; k++)
      if (k * lanes + lane < n) sum += (double)pt_exp(v[k % KEEP] - top);
  } else {
    for (int64_t i = lane; i < n; i += lanes) sum += (double)pt_exp(load(x[i]) - top);
  }
  sum = BLOCK ? block_sum(sum) : warp_sum(sum);
  T scale = (T)(1 / sum), shift = LOG ? (T)log(sum) : T(0);
  if (M) {
#pragma unroll
    for (int k = 0; k < M; k++) {
      int64_t i = k * lanes + lane;
      T u = v[k % KEEP] - top;
      if (i < n) y[i] = put<S>::of(LOG ? u - shift : pt_exp(u) * scale);
    }
  } else {
    for (int64_t i = lane; i < n; i += lanes) {
      T u = load(x[i]) - top;
      y[i] = put<S>::of(LOG ? u - shift : pt_exp(u) * scale);
    }
  }
}

template <class S, bool LOG, int M>
__global__ void __launch_bounds__(THREADS) softmax_warp(S *y, const S *x, int64_t rows, int64_t n) {
  int64_t r = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
  if (r < rows) /* the same for all of a warp */
    softmax_row<S, LOG, M, false>(y + r * n, x + r * n, n, threadIdx.x & 31, 32);
}
template <class S, bool LOG, int M>
__global__ void __launch_bounds__(THREADS) softmax_block(S *y, const S *x, int64_t n) {
  int64_t r = blockIdx.x;
  softmax_row<S, LOG, M, true>(y + r * n, x + r * n, n, threadIdx.x, THREADS);
}
template <class S, bool LOG>
__global__ void __launch_bounds__(THREADS)
    softmax_column(S *y, const S *x, int64_t columns, int64_t n, int64_t inner) {
  typedef typename compute<S>::T T;
  FOR_EACH(c, columns) {
    int64_t at = c / inner * n * inner + c % inner;
    T top = least<T>();
    double sum = 0;
    for (int64_t i = 0; i < n; i++) top = pt_max2(top, load(x[at + i * inner]));
    for (int64_t i = 0; i < n; i++) sum += (double)pt_exp(load(x[at + i * inner]) - top);
    T scale = (T)(1 / sum), shift = LOG ? (T)log(sum) : T(0);
    for (int64_t i = 0; i < n; i++) {
      T u = load(x[at + i * inner]) - top;
      y[at + i * inner] = put<S>::of(LOG ? u - shift : pt_exp(u) * scale);
    }
  }
}

/* gx = y (g - sum of g y), or g - exp(y) (sum of g). */
template <class S, bool LOG> DEV S grad_of(S y, S g, typename compute<S>::T a) {
  return put<S>::of(LOG ? load(g) - pt_exp(load(y)) * a : load(y) * (load(g) - a));
}
template <class S, bool LOG, bool BLOCK>
__global__ void __launch_bounds__(THREADS)
    softmax_grad_row(S *gx, const S *y, const S *g, int64_t rows, int64_t n) {
  typedef typename compute<S>::T T;
  int lanes = BLOCK ? (int)THREADS : 32, lane = BLOCK ? threadIdx.x : threadIdx.x & 31;
  int64_t r = BLOCK ? blockIdx.x : (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
  if (r >= rows) return;
  double sum = 0;
  for (int64_t i = r * n + lane; i < (r + 1) * n; i += lanes)
    sum += (double)(LOG ? load(g[i]) : load(g[i]) * load(y[i]));
  sum = BLOCK ? block_sum(sum) : warp_sum(sum);
  for (int64_t i = r * n + lane; i < (r + 1) * n; i += lanes)
    gx[i] = grad_of<S, LOG>(y[i], g[i], (T)sum);
}
template <class S, bool LOG>
__global__ void __launch_bounds__(THREADS)
    softmax_grad_column(S *gx, const S *y, const S *g, int64_t columns, int64_t n, int64_t inner) {
  typedef typename compute<S>::T T;
  FOR_EACH(c, columns) {
    int64_t at = c / inner * n * inner + c % inner;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
      int64_t j = at + i * inner;
      sum += (double)(LOG ? load(g[j]) : load(g[j]) * load(y[j]));
    }
    for (int64_t i = 0; i < n; i++) {
      int64_t j = at + i * inner;
      gx[j] = grad_of<S, LOG>(y[j], g[j], (T)sum);
    }
  }
}

template <class S, bool LOG>
static void forward(cudaStream_t s, pti_rows r, const void *px, void *py) {
  const S *x = (const S *)px;
  S *y = (S *)py;
  unsigned warps = blocks_of(r.outer, WARPS);
  int64_t columns = r.outer * r.inner;
  if (r.inner > 1)
    LAUNCH((softmax_column<S, LOG>), looped(columns), THREADS, 0, s, y, x, columns, r.n, r.inner);
  else if (r.n <= 128) LAUNCH((softmax_warp<S, LOG, 4>), warps, THREADS, 0, s, y, x, r.outer, r.n);
  else if (r.n <= 512) LAUNCH((softmax_warp<S, LOG, 16>), warps, THREADS, 0, s, y, x, r.outer, r.n);
  else if (r.n <= 8 * THREADS)
    LAUNCH((softmax_block<S, LOG, 8>), (unsigned)r.outer, THREADS, 0, s, y, x, r.n);
  else LAUNCH((softmax_block<S, LOG, 0>), (unsigned)r.outer, THREADS, 0, s, y, x, r.n);
}
template <class S, bool LOG>
static void backward(cudaStream_t s, pti_rows r, const void *py, const void *pg, void *pgx) {
  const S *y = (const S *)py, *g = (const S *)pg;
  S *gx = (S *)pgx;
  int64_t columns = r.outer * r.inner;
  if (r.inner > 1)
    LAUNCH((softmax_grad_column<S, LOG>), looped(columns), THREADS, 0, s, gx, y, g, columns, r.n,
           r.inner);
  else if (r.n <= LONG)
    LAUNCH((softmax_grad_row<S, LOG, false>), blocks_of(r.outer, WARPS), THREADS, 0, s, gx, y, g,
           r.outer, r.n);
  else
    LAUNCH((softmax_grad_row<S, LOG, true>), (unsigned)r.outer, THREADS, 0, s, gx, y, g, r.outer,
           r.n);
}
template <class S>
static void any_forward(cudaStream_t s, pti_rows r, bool log, const void *x, void *y) {
  if (log) forward<S, true>(s, r, x, y);
  else forward<S, false>(s, r, x, y);
}
template <class S>
static void any_backward(cudaStream_t s, pti_rows r, bool log, const void *y, const void *g,
                         void *gx) {
  if (log) backward<S, true>(s, r, y, g, gx);
  else backward<S, false>(s, r, y, g, gx);
}

bool pti_cuda_softmax(int dev, pti_rows r, bool log, const void *x, void *y) {
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  if (r.outer * r.n * r.inner == 0) return true;
  if (!BY_FLOAT(r.dtype, any_forward, s, r, log, x, y)) return pti_no_kernel("softmax", r.dtype);
  return launched("softmax");
}
bool pti_cuda_softmax_grad(int dev, pti_rows r, bool log, const void *y, const void *g, void *gx) {
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  if (r.outer * r.n * r.inner == 0) return true;
  if (!BY_FLOAT(r.dtype, any_backward, s, r, log, y, g, gx))
    return pti_no_kernel("softmax", r.dtype);
  return launched("softmax backward");
}
