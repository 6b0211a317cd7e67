/* attention.cu: softmax(scale q k' + mask) v by tiles (Dao et al., 2022): memory is linear in the lengths.
   A warp has a row: forward and for the gradient of queries a query, for that of keys and values a key; tiles
   of the other side go through shared memory, a lane takes one row of the tile. Sums have one order. Rows that
   are masked altogether give zeros. Dropout draws number (row, column) of Philox. See kernels/cpu/attention.c. */
#include "common.cuh"

enum { WARPS = 8, SHARED_BYTES = 48 << 10 };

struct attention_args {
  int64_t b, h, hk, lq, lk, d, dv;
  double scale, dropout;
  bool causal;
  const void *mask;
  int64_t mask_stride[4];
  uint64_t seed, stream, ctr;
  int tile; /* rows of the other side in shared memory, at most 32 */
  const void *q, *k, *v, *g;
  const void *lse, *dot;
  void *y, *out_lse, *gq, *gk, *gv;
};

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
    s += ((const T *)a.mask)[head / a.h * a.mask_stride[0] + head % a.h * a.mask_stride[1] +
                             i * a.mask_stride[2] + j * a.mask_stride[3]];
  return a.causal && j > i ? T(-INFINITY) : s;
}
template <class T> DEV T dot(const T *x, const T *y, int64_t n) {
  T sum = 0;
  for (int64_t c = 0; c < n; c++) sum = MULTIPLY_ADD(x[c], y[c], sum);
  return sum;
}
/* Rows of `width` numbers into shared memory, each with one number of padding against bank conflicts. */
template <class T> DEV void take_rows(T *to, const T *from, int rows, int64_t width) {
  for (int64_t e = threadIdx.x; e < rows * width; e += WARPS * 32)
    to[e / width * (width + 1) + e % width] = from[e];
}
template <class T> DEV T exp_of(T v) { return pt_exp(v); }

/* blockIdx.x: eight queries of a head, blockIdx.y: the head. */
template <class T>
__global__ void __launch_bounds__(WARPS * 32) attention_forward(attention_args a) {
  DYN_SHARED(T, memory);
  T *ks = memory, *vs = ks + a.tile * (a.d + 1), *qs = vs + a.tile * (a.dv + 1),
    *ys = qs + WARPS * a.d;
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  int64_t head = blockIdx.y, i = (int64_t)blockIdx.x * WARPS + warp;
  int64_t shared = head / a.h * a.hk + head % a.h / (a.h / a.hk);
  bool live = i < a.lq;
  T *q = qs + warp * a.d, *y = ys + warp * a.dv;
  for (int64_t c = lane; c < a.d; c += 32)
    q[c] = live ? ((const T *)a.q)[(head * a.lq + i) * a.d + c] : T(0);
  for (int64_t c = lane; c < a.dv; c += 32) y[c] = 0;
  T top = -INFINITY, sum = 0;
  int64_t last = (int64_t)blockIdx.x * WARPS + WARPS - 1;
  for (int64_t k0 = 0; k0 < a.lk && !(a.causal && k0 > last); k0 += a.tile) {
    int n = a.lk - k0 < a.tile ? (int)(a.lk - k0) : a.tile;
    __syncthreads();
    take_rows(ks, (const T *)a.k + (shared * a.lk + k0) * a.d, n, a.d);
    take_rows(vs, (const T *)a.v + (shared * a.lk + k0) * a.dv, n, a.dv);
    __syncthreads();
    T s = -INFINITY;
    if (live && lane < n) s = score(a, head, i, k0 + lane, dot(q, ks + lane * (a.d + 1), a.d));
    T high = warp_max(s);
    high = high > top ? high : top;
    bool any = high > -INFINITY || __any_sync(0xffffffffu, s != s); /* something to look at */
    T fade = any ? exp_of(top - high) : T(1), p = any && lane < n ? exp_of(s - high) : T(0);
    sum = sum * fade + warp_sum(p);
    top = high;
    if (a.dropout > 0 && live && lane < n)
      p = kept(a, head * a.lq + i, k0 + lane) ? p * (T)(1 / (1 - a.dropout)) : T(0);
    for (int64_t c0 = 0; c0 < a.dv; c0 += 32) {
      int64_t c = c0 + lane;
      T v = c < a.dv ? y[c] * fade : T(0);
      for (int j = 0; j < n; j++) {
        T w = __shfl_sync(0xffffffffu, p, j);
        if (c < a.dv) v = MULTIPLY_ADD(w, vs[j * (a.dv + 1) + c], v);
      }
      if (c < a.dv) y[c] = v;
    }
  }
  if (!live) return;
  T scale = sum == 0 ? T(0) : 1 / sum;
  for (int64_t c = lane; c < a.dv; c += 32) ((T *)a.y)[(head * a.lq + i) * a.dv + c] = y[c] * scale;
  if (lane == 0)
    ((T *)a.out_lse)[head * a.lq + i] = sum == 0 ? T(-INFINITY) : top + (T)log((double)sum);
}

/* The product of each row of y and its gradient. */
template <class T>
__global__ void __launch_bounds__(THREADS)
    attention_dots(T *to, const T *y, const T *g, int64_t rows, int64_t dv) {
  FOR_EACH(r, rows) to[r] = dot(y + r * dv, g + r * dv, dv);
}

/* Probability and score gradient of (query i, key j), from their products q . k and g . v. */
template <class T> struct pair_grad { T p, ds; /* p: as it multiplied v */ };
template <class T>
DEV pair_grad<T> pair_of(const attention_args &a, int64_t head, int64_t i, int64_t j, T qk, T gv) {
  int64_t row = head * a.lq + i;
  T lse = ((const T *)a.lse)[row], s = score(a, head, i, j, qk);
  T p = lse == T(-INFINITY) ? T(0) : exp_of(s - lse), up = 1;
  if (a.dropout > 0) up = kept(a, row, j) ? (T)(1 / (1 - a.dropout)) : T(0);
  pair_grad<T> r = {p * up, p * (gv * up - ((const T *)a.dot)[row]) * (T)a.scale};
  return r;
}

template <class T>
__global__ void __launch_bounds__(WARPS * 32) attention_grad_q(attention_args a) {
  DYN_SHARED(T, memory);
  T *ks = memory, *vs = ks + a.tile * (a.d + 1), *qs = vs + a.tile * (a.dv + 1);
  T *gs = qs + WARPS * a.d, *outs = gs + WARPS * a.dv;
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  int64_t head = blockIdx.y, i = (int64_t)blockIdx.x * WARPS + warp, row = head * a.lq + i;
  int64_t shared = head / a.h * a.hk + head % a.h / (a.h / a.hk);
  bool live = i < a.lq;
  T *q = qs + warp * a.d, *g = gs + warp * a.dv, *out = outs + warp * a.d;
  for (int64_t c = lane; c < a.d; c += 32) {
    q[c] = live ? ((const T *)a.q)[row * a.d + c] : T(0);
    out[c] = 0;
  }
  for (int64_t c = lane; c < a.dv; c += 32) g[c] = live ? ((const T *)a.g)[row * a.dv + c] : T(0);
  int64_t last = (int64_t)blockIdx.x * WARPS + WARPS - 1;
  for (int64_t k0 = 0; k0 < a.lk && !(a.causal && k0 > last); k0 += a.tile) {
    int n = a.lk - k0 < a.tile ? (int)(a.lk - k0) : a.tile;
    __syncthreads();
    take_rows(ks, (const T *)a.k + (shared * a.lk + k0) * a.d, n, a.d);
    take_rows(vs, (const T *)a.v + (shared * a.lk + k0) * a.dv, n, a.dv);
    __syncthreads();
    T ds = 0;
    if (live && lane < n)
      ds = pair_of(a, head, i, k0 + lane, dot(q, ks + lane * (a.d + 1), a.d),
                   dot(g, vs + lane * (a.dv + 1), a.dv))
               .ds;
    for (int64_t c0 = 0; c0 < a.d; c0 += 32) {
      int64_t c = c0 + lane;
      T v = c < a.d ? out[c] : T(0);
      for (int j = 0; j < n; j++) {
        T w = __shfl_sync(0xffffffffu, ds, j);
        if (c < a.d) v = MULTIPLY_ADD(w, ks[j * (a.d + 1) + c], v);
      }
      if (c < a.d) out[c] = v;
    }
  }
  for (int64_t c = lane; c < a.d && live; c += 32) ((T *)a.gq)[row * a.d + c] = out[c];
}

/* blockIdx.x: eight keys, blockIdx.y: the key head; all queries of its group, in order. */
template <class T>
__global__ void __launch_bounds__(WARPS * 32) attention_grad_kv(attention_args a) {
  DYN_SHARED(T, memory);
  T *qs = memory, *gs = qs + a.tile * (a.d + 1), *ks = gs + a.tile * (a.dv + 1);
  T *vs = ks + WARPS * a.d, *gks = vs + WARPS * a.dv, *gvs = gks + WARPS * a.d;
  int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
  int64_t shared = blockIdx.y, j = (int64_t)blockIdx.x * WARPS + warp, key = shared * a.lk + j;
  bool live = j < a.lk;
  T *k = ks + warp * a.d, *v = vs + warp * a.dv, *gk = gks + warp * a.d, *gv = gvs + warp * a.dv;
  for (int64_t c = lane; c < a.d; c += 32) {
    k[c] = live ? ((const T *)a.k)[key * a.d + c] : T(0);
    gk[c] = 0;
  }
  for (int64_t c = lane; c < a.dv; c += 32) {
    v[c] = live ? ((const T *)a.v)[key * a.dv + c] : T(0);
    gv[c] = 0;
  }
  int64_t group = a.h / a.hk;
  for (int64_t t = 0; t < group; t++) {
    int64_t head = shared / a.hk * a.h + shared % a.hk * group + t;
    for (int64_t q0 = 0; q0 < a.lq; q0 += a.tile) {
      int n = a.lq - q0 < a.tile ? (int)(a.lq - q0) : a.tile;
      if (a.causal && (int64_t)blockIdx.x * WARPS > q0 + n - 1) continue; /* all keys are later */
      __syncthreads();
      take_rows(qs, (const T *)a.q + (head * a.lq + q0) * a.d, n, a.d);
      take_rows(gs, (const T *)a.g + (head * a.lq + q0) * a.dv, n, a.dv);
      __syncthreads();
      pair_grad<T> r = {0, 0};
      if (live && lane < n)
        r = pair_of(a, head, q0 + lane, j, dot(qs + lane * (a.d + 1), k, a.d),
                    dot(gs + lane * (a.dv + 1), v, a.dv));
      for (int64_t c0 = 0; c0 < a.d || c0 < a.dv; c0 += 32) {
        int64_t c = c0 + lane;
        T x = c < a.d ? gk[c] : T(0), z = c < a.dv ? gv[c] : T(0);
        for (int i = 0; i < n; i++) {
          T ds = __shfl_sync(0xffffffffu, r.ds, i), p = __shfl_sync(0xffffffffu, r.p, i);
          if (c < a.d) x = MULTIPLY_ADD(ds, qs[i * (a.d + 1) + c], x);
          if (c < a.dv) z = MULTIPLY_ADD(p, gs[i * (a.dv + 1) + c], z);
        }
        if (c < a.d) gk[c] = x;
        if (c < a.dv) gv[c] = z;
      }
    }
  }
  for (int64_t c = lane; c < a.d && live; c += 32) ((T *)a.gk)[key * a.d + c] = gk[c];
  for (int64_t c = lane; c < a.dv && live; c += 32) ((T *)a.gv)[key * a.dv + c] = gv[c];
}

/* ---- slots ---- */

/* The largest tile that fits beside `fixed` numbers; 0 where none does. */
static int tile_for(const attention_args &a, int64_t fixed, size_t size) {
  int tile = 32;
  while (tile > 0 && (tile * (a.d + a.dv + 2) + fixed) * (int64_t)size > SHARED_BYTES) tile /= 2;
  return tile;
}
static size_t bytes_of(const attention_args &a, int64_t fixed, size_t size) {
  return (size_t)(a.tile * (a.d + a.dv + 2) + fixed) * size;
}

static attention_args args_of(const pti_attention *p, const void *q, const void *k, const void *v) {
  attention_args a;
  memset(&a, 0, sizeof a);
  a.b = p->b, a.h = p->h, a.hk = p->hk, a.lq = p->lq, a.lk = p->lk, a.d = p->d, a.dv = p->dv;
  a.scale = p->scale;
  a.dropout = p->dropout;
  a.causal = p->causal;
  a.mask = p->mask;
  for (int d = 0; d < 4; d++) a.mask_stride[d] = p->mask_stride[d];
  a.seed = p->seed, a.stream = p->stream, a.ctr = p->ctr;
  a.q = q, a.k = k, a.v = v;
  return a;
}
static bool too_wide(const attention_args &a) {
  pti_host->fail(PT_ESHAPE,
                 "attention: heads of %lld and %lld numbers do not fit the device's shared memory",
                 (long long)a.d, (long long)a.dv);
  return false;
}

/* Heads go into blockIdx.y, which ends at 65535. */
static bool too_many(int64_t heads) {
  if (heads <= 65535) return false;
  pti_host->fail(PT_ESHAPE, "attention: %lld heads times batch; the device takes 65535",
                 (long long)heads);
  return true;
}

template <class T> static void forward(cudaStream_t s, attention_args a, bool *ok) {
  int64_t fixed = WARPS * (a.d + a.dv);
  a.tile = tile_for(a, fixed, sizeof(T));
  if (a.tile == 0) {
    *ok = too_wide(a);
    return;
  }
  LAUNCH((attention_forward<T>), dim3(blocks_of(a.lq, WARPS), (unsigned)(a.b * a.h)), WARPS * 32,
         bytes_of(a, fixed, sizeof(T)), s, a);
}
template <class T>
static void backward(int dev, cudaStream_t s, attention_args a, const void *y, bool *ok) {
  int64_t fixed_q = WARPS * (2 * a.d + a.dv), fixed_k = WARPS * 2 * (a.d + a.dv),
          rows = a.b * a.h * a.lq;
  a.tile = tile_for(a, fixed_k, sizeof(T));
  if (a.tile == 0) {
    *ok = too_wide(a);
    return;
  }
  T *dots = (T *)pti_scratch(dev, (size_t)(rows + 1) * sizeof(T));
  if (dots == NULL) {
    *ok = false;
    return;
  }
  a.dot = dots;
  if (rows) {
    LAUNCH((attention_dots<T>), looped(rows), THREADS, 0, s, dots, (const T *)y, (const T *)a.g,
           rows, a.dv);
    LAUNCH((attention_grad_q<T>), dim3(blocks_of(a.lq, WARPS), (unsigned)(a.b * a.h)), WARPS * 32,
           bytes_of(a, fixed_q, sizeof(T)), s, a);
  }
  if (a.b * a.hk * a.lk > 0)
    LAUNCH((attention_grad_kv<T>), dim3(blocks_of(a.lk, WARPS), (unsigned)(a.b * a.hk)), WARPS * 32,
           bytes_of(a, fixed_k, sizeof(T)), s, a);
  *ok = launched("attention backward");
  pti_scratch_free(dev, dots, (size_t)(rows + 1) * sizeof(T));
}

bool pti_cuda_attention(int dev, const pti_attention *p, const void *q, const void *k,
                        const void *v, void *y, void *lse) {
  cudaStream_t s = pti_stream(dev);
  attention_args a = args_of(p, q, k, v);
  bool ok = true;
  if (s == NULL || too_many(a.b * a.h)) return false;
  if (a.b * a.h * a.lq == 0) return true;
  a.y = y, a.out_lse = lse;
  if (!BY_WIDE(p->dtype, forward, s, a, &ok)) return pti_no_kernel("attention", p->dtype);
  return ok && launched("attention");
}
bool pti_cuda_attention_grad(int dev, const pti_attention *p, const void *q, const void *k,
                             const void *v, const void *y, const void *lse, const void *g, void *gq,
                             void *gk, void *gv) {
  cudaStream_t s = pti_stream(dev);
  attention_args a = args_of(p, q, k, v);
  bool ok = true;
  if (s == NULL || too_many(a.b * a.h)) return false;
  a.lse = lse, a.g = g, a.gq = gq, a.gk = gk, a.gv = gv;
  if (!BY_WIDE(p->dtype, backward, dev, s, a, y, &ok)) return pti_no_kernel("attention", p->dtype);
  return ok;
}
