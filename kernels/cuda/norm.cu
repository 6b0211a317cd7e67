/* norm.cu: layer, group, instance and RMS normalisation and their gradients, and the sums and affine maps
   by channel that make up batch normalisation. A warp or a block has a row, which it keeps in registers if it fits; a
   block has a channel; sums are in double, statistics and values by channel in the compute type (float for halves). */
#include "common.cuh"

struct norm_args {
  int64_t rows, n, period, columns; /* columns: n / inner */
  divider inner, width;             /* width: columns again */
  bool rms;
  double eps;
  const void *x, *w, *b, *g, *mean, *rstd;
  void *y, *out_mean, *out_rstd, *gw, *gb;
  double *part; /* (segments, 2, columns): sums of a segment of each column's elements, or NULL */
  int64_t segment;
};

enum { BUSY = 256 /* blocks that fill a device */, SEGMENT = 256 /* least elements of a part */ };
enum { WARPS = THREADS / 32, SHORT = 8 * 32 /* rows that a warp keeps */, KEPT = 8 * THREADS };

/* A row has a warp, or a block; M > 0: each thread keeps M of its elements in registers. */
template <bool BLOCK> DEV double group_sum(double v) { return BLOCK ? block_sum(v) : warp_sum(v); }
template <bool BLOCK> DEV int64_t row_of(void) {
  return BLOCK ? (int64_t)blockIdx.x : (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
}

template <class S, int M, bool BLOCK>
__global__ void __launch_bounds__(THREADS, sizeof(S) == 8 && M == 0 ? 6 : 1)
    norm_kernel(norm_args q) {
  typedef typename compute<S>::T T;
  int lanes = BLOCK ? (int)THREADS : 32, lane = BLOCK ? threadIdx.x : threadIdx.x & 31;
  int64_t r = row_of<BLOCK>();
  if (r >= q.rows) return; /* the same for all of a group */
  const S *x = (const S *)q.x + r * q.n, *w = (const S *)q.w, *b = (const S *)q.b;
  S *y = (S *)q.y + r * q.n;
  T kept[M ? M : 1];
  /* around the first element, so that a large mean costs no digits */
  double shift = q.rms || q.n == 0 ? 0 : (double)load(x[0]), sum = 0, square = 0;
  if (M) {
#pragma unroll
    for (int k = 0; k < M; k++) {
      int64_t i = k * lanes + lane;
      kept[k] = i < q.n ? load(x[i]) : T(0);
      double v = i < q.n ? (double)kept[k] - shift : 0;
      sum += v;
      square += v * v;
    }
  } else {
    for (int64_t i = lane; i < q.n; i += lanes) {
      double v = (double)load(x[i]) - shift;
      sum += v;
      square += v * v;
    }
  }
  sum = group_sum<BLOCK>(sum);
  square = group_sum<BLOCK>(square);
  double m = q.rms ? 0 : sum / (double)q.n, var = square / (double)q.n - m * m;
  T mean = (T)(m + shift), rstd = (T)(1 / sqrt((var > 0 || var != var ? var : 0) + q.eps));
  if (lane == 0) {
    ((T *)q.out_mean)[r] = mean;
    ((T *)q.out_rstd)[r] = rstd;
  }
  int64_t first = r % q.period * q.columns;
  auto write = [&](int64_t i, T value) {
    int64_t c = first + i / q.inner;
    T v = (value - mean) * rstd;
    y[i] = put<S>::of((w ? v * load(w[c]) : v) + (b ? load(b[c]) : T(0)));
  };
  if (M) {
#pragma unroll
    for (int k = 0; k < M; k++)
      if (k * lanes + lane < q.n) write(k * lanes + lane, kept[k]);
  } else {
    for (int64_t i = lane; i < q.n; i += lanes) write(i, load(x[i]));
  }
}

/* gx = rstd (gw - mean(gw) - xhat mean(gw xhat)) with gw = g w */
template <class S, int M, bool BLOCK>
__global__ void __launch_bounds__(THREADS) norm_grad_kernel(norm_args q) {
  typedef typename compute<S>::T T;
  int lanes = BLOCK ? (int)THREADS : 32, lane = BLOCK ? threadIdx.x : threadIdx.x & 31;
  int64_t r = row_of<BLOCK>();
  if (r >= q.rows) return;
  const S *x = (const S *)q.x + r * q.n, *g = (const S *)q.g + r * q.n, *w = (const S *)q.w;
  S *gx = (S *)q.y + r * q.n;
  T m = ((const T *)q.mean)[r], s = ((const T *)q.rstd)[r], kept[M ? M : 1], from[M ? M : 1];
  int64_t first = r % q.period * q.columns;
  auto weighed = [&](int64_t i) {
    return w ? load(g[i]) * load(w[first + i / q.inner]) : load(g[i]);
  };
  double sum = 0, dot = 0;
  if (M) {
#pragma unroll
    for (int k = 0; k < M; k++) {
      int64_t i = k * lanes + lane;
      kept[k] = i < q.n ? weighed(i) : T(0);
      from[k] = i < q.n ? load(x[i]) - m : T(0);
      sum += (double)kept[k];
      dot += (double)(kept[k] * from[k]);
    }
  } else {
    for (int64_t i = lane; i < q.n; i += lanes) {
      T v = weighed(i);
      sum += (double)v;
      dot += (double)(v * (load(x[i]) - m));
    }
  }
  sum = group_sum<BLOCK>(sum);
  dot = group_sum<BLOCK>(dot);
  T mean_g = q.rms ? T(0) : (T)(sum / (double)q.n);
  T c = (T)(dot / (double)q.n * (double)s * (double)s);
  if (M) {
#pragma unroll
    for (int k = 0; k < M; k++)
      if (k * lanes + lane < q.n)
        gx[k * lanes + lane] = put<S>::of(s * (kept[k] - mean_g - from[k] * c));
  } else {
    for (int64_t i = lane; i < q.n; i += lanes)
      gx[i] = put<S>::of(s * (weighed(i) - mean_g - (load(x[i]) - m) * c));
  }
}

/* blockDim: (columns, threads for each); blockIdx.y: the segment. A column's elements are those of all rows that use
   it. */
template <class S> __global__ void __launch_bounds__(THREADS) norm_affine_grad(norm_args q) {
  typedef typename compute<S>::T T;
  SHARED(double, part, [2][THREADS]);
  int64_t columns = q.columns * q.period;
  int64_t column = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  double gw = 0, gb = 0;
  if (column < columns) {
    int64_t first = column / q.width,
            count = (q.rows - first + q.period - 1) / q.period * q.inner.d;
    int64_t lo = blockIdx.y * q.segment, hi = lo + q.segment < count ? lo + q.segment : count;
    for (int64_t e = lo + threadIdx.y; e < hi; e += blockDim.y) {
      int64_t r = first + e / q.inner * q.period,
              at = r * q.n + column % q.width * q.inner.d + e % q.inner;
      T g = load(((const S *)q.g)[at]), x = load(((const S *)q.x)[at]);
      gw += (double)(g * ((x - ((const T *)q.mean)[r]) * ((const T *)q.rstd)[r]));
      gb += (double)g;
    }
  }
  int me = threadIdx.y * blockDim.x + threadIdx.x;
  part[0][me] = gw;
  part[1][me] = gb;
  __syncthreads();
  for (int half = blockDim.y / 2; half > 0; half /= 2) {
    if ((int)threadIdx.y < half) {
      part[0][me] += part[0][me + half * blockDim.x];
      part[1][me] += part[1][me + half * blockDim.x];
    }
    __syncthreads();
  }
  if (threadIdx.y > 0 || column >= columns) return;
  if (q.part) {
    q.part[(blockIdx.y * 2) * columns + column] = part[0][me];
    q.part[(blockIdx.y * 2 + 1) * columns + column] = part[1][me];
    return;
  }
  if (q.gw) ((S *)q.gw)[column] = put<S>::of((T)part[0][me]);
  if (q.gb) ((S *)q.gb)[column] = put<S>::of((T)part[1][me]);
}

template <class S>
__global__ void __launch_bounds__(THREADS) norm_affine_sum(norm_args q, int segments) {
  typedef typename compute<S>::T T;
  int64_t columns = q.columns * q.period;
  FOR_EACH(column, columns) {
    double gw = 0, gb = 0;
    for (int k = 0; k < segments; k++) {
      gw += q.part[k * 2 * columns + column];
      gb += q.part[(k * 2 + 1) * columns + column];
    }
    if (q.gw) ((S *)q.gw)[column] = put<S>::of((T)gw);
    if (q.gb) ((S *)q.gb)[column] = put<S>::of((T)gb);
  }
}

static norm_args args_of(const pti_norm *p) {
  norm_args q;
  memset(&q, 0, sizeof q);
  q.rows = p->rows;
  q.n = p->n;
  q.inner = divider(p->inner);
  q.columns = p->inner ? p->n / p->inner : 0;
  q.width = divider(q.columns);
  q.period = p->period;
  q.rms = p->rms;
  q.eps = p->eps;
  return q;
}
template <class S> static void launch_norm(cudaStream_t s, const norm_args &q) {
  unsigned rows = (unsigned)q.rows, warps = blocks_of(q.rows, WARPS);
  if (q.n <= SHORT) LAUNCH((norm_kernel<S, 8, false>), warps, THREADS, 0, s, q);
  else if (q.n <= KEPT) LAUNCH((norm_kernel<S, 8, true>), rows, THREADS, 0, s, q);
  else LAUNCH((norm_kernel<S, 0, true>), rows, THREADS, 0, s, q);
}
template <class S> static void launch_grad(int dev, cudaStream_t s, norm_args q, bool *ok) {
  unsigned rows = (unsigned)q.rows, warps = blocks_of(q.rows, WARPS);
  if (q.y && q.rows && q.n) {
    if (q.n <= SHORT) LAUNCH((norm_grad_kernel<S, 8, false>), warps, THREADS, 0, s, q);
    else if (q.n <= KEPT) LAUNCH((norm_grad_kernel<S, 8, true>), rows, THREADS, 0, s, q);
    else LAUNCH((norm_grad_kernel<S, 0, true>), rows, THREADS, 0, s, q);
  }
  int64_t columns = q.columns * q.period;
  unsigned side = q.inner.d == 1 ? 32 : 1;
  if (!(q.gw || q.gb) || columns == 0) return;
  /* few columns with many rows would leave the device idle: rows are split, by shape alone */
  int64_t count = (q.rows + q.period - 1) / q.period * q.inner.d, blocks = blocks_of(columns, side);
  int64_t segments = BUSY / blocks, most = count / SEGMENT;
  segments = segments > most ? most : segments;
  segments = segments < 1 ? 1 : segments;
  q.segment = (count + segments - 1) / segments;
  size_t bytes = (size_t)(segments * 2 * columns) * sizeof(double);
  if (segments > 1 && !(*ok = (q.part = (double *)pti_scratch(dev, bytes)) != NULL)) return;
  LAUNCH((norm_affine_grad<S>), dim3((unsigned)blocks, (unsigned)segments),
         dim3(side, THREADS / side), 0, s, q);
  if (q.part == NULL) return;
  LAUNCH((norm_affine_sum<S>), looped(columns), THREADS, 0, s, q, (int)segments);
  *ok = launched("norm backward");
  pti_scratch_free(dev, q.part, bytes);
}

bool pti_cuda_norm(int dev, const pti_norm *p, const void *x, const void *w, const void *b, void *y,
                   void *mean, void *rstd) {
  cudaStream_t s = pti_stream(dev);
  norm_args q = args_of(p);
  if (s == NULL) return false;
  if (q.rows == 0) return true;
  q.x = x, q.w = w, q.b = b, q.y = y, q.out_mean = mean, q.out_rstd = rstd;
  if (!BY_FLOAT(p->dtype, launch_norm, s, q)) return pti_no_kernel("norm", p->dtype);
  return launched("norm");
}
bool pti_cuda_norm_grad(int dev, const pti_norm *p, const void *x, const void *w, const void *g,
                        const void *mean, const void *rstd, void *gx, void *gw, void *gb) {
  cudaStream_t s = pti_stream(dev);
  norm_args q = args_of(p);
  if (s == NULL) return false;
  q.x = x, q.w = w, q.g = g, q.mean = mean, q.rstd = rstd, q.y = gx, q.gw = gw, q.gb = gb;
  bool ok = true;
  if (!BY_FLOAT(p->dtype, launch_grad, dev, s, q, &ok)) return pti_no_kernel("norm", p->dtype);
  return ok && launched("norm backward");
}

/* ---- by channel: x (outer, n, inner) ---- */

struct channel_args {
  int64_t outer;
  divider n, inner;
  const void *a, *x, *b, *z, *c, *mean;
  void *y, *sum, *dot;
};
DEV int64_t channel_at(const channel_args &q, int64_t c, int64_t e) {
  int64_t o = e / q.inner;
  return (o * q.n.d + c) * q.inner.d + (e - o * q.inner.d);
}

template <class S> __global__ void __launch_bounds__(THREADS) moments_kernel(channel_args q) {
  typedef typename compute<S>::T T;
  int64_t c = blockIdx.x, count = q.outer * q.inner.d;
  const S *x = (const S *)q.x;
  double shift = (double)load(x[channel_at(q, c, 0)]), sum = 0, square = 0;
  for (int64_t e = threadIdx.x; e < count; e += THREADS) {
    double v = (double)load(x[channel_at(q, c, e)]) - shift;
    sum += v;
    square += v * v;
  }
  sum = block_sum(sum);
  square = block_sum(square);
  double mean = sum / (double)count, var = square / (double)count - mean * mean;
  if (threadIdx.x > 0) return;
  ((T *)q.sum)[c] = (T)(mean + shift);
  ((T *)q.dot)[c] = (T)(var > 0 || var != var ? var : 0);
}
/* Sums of x and of x (z - mean). */
template <class S> __global__ void __launch_bounds__(THREADS) dots_kernel(channel_args q) {
  typedef typename compute<S>::T T;
  int64_t c = blockIdx.x, count = q.outer * q.inner.d;
  const S *x = (const S *)q.x, *z = (const S *)q.z;
  T mean = ((const T *)q.mean)[c];
  double sum = 0, dot = 0;
  for (int64_t e = threadIdx.x; e < count; e += THREADS) {
    int64_t at = channel_at(q, c, e);
    sum += (double)load(x[at]);
    dot += (double)(load(x[at]) * (load(z[at]) - mean));
  }
  sum = block_sum(sum);
  dot = block_sum(dot);
  if (threadIdx.x > 0) return;
  ((T *)q.sum)[c] = (T)sum;
  ((T *)q.dot)[c] = (T)dot;
}
template <class S> __global__ void __launch_bounds__(THREADS) affine_kernel(channel_args q) {
  typedef typename compute<S>::T T;
  const T *a = (const T *)q.a, *b = (const T *)q.b, *c = (const T *)q.c;
  const S *x = (const S *)q.x, *z = (const S *)q.z;
  FOR_EACH(i, q.outer * q.n.d * q.inner.d) {
    int64_t k = i / q.inner % q.n;
    T v = a[k] * load(x[i]);
    if (z) v = v + (b ? b[k] : T(0)) * load(z[i]);
    ((S *)q.y)[i] = put<S>::of(v + c[k]);
  }
}
template <class S> static void launch_moments(cudaStream_t s, const channel_args &q) {
  LAUNCH((moments_kernel<S>), (unsigned)q.n.d, THREADS, 0, s, q);
}
template <class S> static void launch_dots(cudaStream_t s, const channel_args &q) {
  LAUNCH((dots_kernel<S>), (unsigned)q.n.d, THREADS, 0, s, q);
}
template <class S> static void launch_affine(cudaStream_t s, const channel_args &q) {
  LAUNCH((affine_kernel<S>), looped(q.outer * q.n.d * q.inner.d), THREADS, 0, s, q);
}

bool pti_cuda_channel_moments(int dev, pti_rows r, const void *x, void *mean, void *var) {
  channel_args q = {r.outer, divider(r.n), divider(r.inner), NULL, x, NULL, NULL, NULL, NULL, NULL,
                    mean,    var};
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  if (q.n.d == 0) return true;
  if (!BY_FLOAT(r.dtype, launch_moments, s, q)) return pti_no_kernel("batch norm", r.dtype);
  return launched("batch norm");
}
bool pti_cuda_channel_dots(int dev, pti_rows r, const void *g, const void *x, const void *mean,
                           void *sum, void *dot) {
  channel_args q = {r.outer, divider(r.n), divider(r.inner), NULL, g, NULL, x, NULL, mean, NULL,
                    sum,     dot};
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  if (q.n.d == 0) return true;
  if (!BY_FLOAT(r.dtype, launch_dots, s, q)) return pti_no_kernel("batch norm", r.dtype);
  return launched("batch norm backward");
}
bool pti_cuda_channel_affine(int dev, pti_rows r, const void *a, const void *x, const void *b,
                             const void *z, const void *c, void *y) {
  channel_args q = {r.outer, divider(r.n), divider(r.inner), a, x, b, z, c, NULL, y, NULL, NULL};
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  if (q.outer * q.n.d * q.inner.d == 0) return true;
  if (!BY_FLOAT(r.dtype, launch_affine, s, q)) return pti_no_kernel("batch norm", r.dtype);
  return launched("batch norm");
}
