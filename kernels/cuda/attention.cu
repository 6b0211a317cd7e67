/* attention.cu: softmax(scale q k' + mask) v by tiles (Dao et al., 2022): memory is linear in the lengths.
   A warp has a row: forward and for the gradient of queries a query, for that of keys and values a key; tiles
   of the other side go through shared memory, a lane takes one row of the tile. Sums have a fixed order. Rows that
   are fully masked give zeros. Dropout draws number (row, column) of Philox. See kernels/cpu/attention/attention.c. */
#include "attention.cuh"

enum { WARPS = 8, SHARED_BYTES = 48 << 10 };

template <class T> DEV T dot(const T *x, const T *y, int64_t n) {
  T sum = 0;
  for (int64_t c = 0; c < n; c++) sum = MULTIPLY_ADD(x[c], y[c], sum);
  return sum;
}
/* Rows of `width` numbers into shared memory, each with one number of padding against bank conflicts. */
template <class T, class S> DEV void take_rows(T *to, const S *from, int rows, int width) {
  for (int e = threadIdx.x; e < rows * width; e += blockDim.x)
    to[e / width * (width + 1) + e % width] = load(from[e]);
}
template <class T> DEV T exp_of(T v) { return pt_exp(v); }

/* A block has as many queries (keys, in attention_grad_kv) of a head as warps; blocks count over all heads. */
struct place {
  int64_t head, first; /* of this block */
  int warp, lane, warps;
};
DEV place place_of(const attention_args &a) {
  int warps = blockDim.x >> 5;
  int64_t head = (int64_t)blockIdx.x / a.blocks;
  place p = {head, (blockIdx.x - head * a.blocks.d) * warps, (int)threadIdx.x >> 5,
             (int)threadIdx.x & 31, warps};
  return p;
}

template <class S>
__global__ void __launch_bounds__(WARPS * 32, 4) attention_forward(attention_args a) {
  typedef typename compute<S>::T T;
  DYN_SHARED(T, memory);
  place at = place_of(a);
  int warp = at.warp, lane = at.lane, warps = at.warps;
  T *ks = memory, *vs = ks + a.tile * (a.d + 1), *qs = vs + a.tile * (a.dv + 1),
    *ys = qs + warps * a.d;
  int64_t head = at.head, i = at.first + warp;
  int64_t shared = key_head(a, head);
  bool live = i < a.lq;
  T *q = qs + warp * a.d, *y = ys + warp * a.dv;
  for (int64_t c = lane; c < a.d; c += 32)
    q[c] = live ? load(((const S *)a.q)[(head * a.lq + i) * a.d + c]) : T(0);
  for (int64_t c = lane; c < a.dv; c += 32) y[c] = 0;
  T top = -INFINITY, sum = 0;
  int64_t last = at.first + warps - 1;
  for (int64_t k0 = 0; k0 < a.lk && !(a.causal && k0 > last); k0 += a.tile) {
    int n = a.lk - k0 < a.tile ? (int)(a.lk - k0) : a.tile;
    __syncthreads();
    take_rows(ks, (const S *)a.k + (shared * a.lk + k0) * a.d, n, a.d);
    take_rows(vs, (const S *)a.v + (shared * a.lk + k0) * a.dv, n, a.dv);
    __syncthreads();
    T s = -INFINITY;
    if (live && lane < n) s = score(a, head, i, k0 + lane, dot(q, ks + lane * (a.d + 1), a.d));
    T high = warp_max(s);
    high = high > top ? high : top;
    bool any = high > -INFINITY || __any_sync(0xffffffffu, s != s); /* not everything is masked */
    T fade = any ? exp_of(top - high) : T(1), p = any && lane < n ? exp_of(s - high) : T(0);
    sum = sum * fade + warp_sum(p);
    top = high;
    if (a.dropout > 0 && live && lane < n)
      p = kept(a, head * a.lq + i, k0 + lane) ? p * (T)a.up : T(0);
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
  for (int64_t c = lane; c < a.dv; c += 32)
    ((S *)a.y)[(head * a.lq + i) * a.dv + c] = put<S>::of(y[c] * scale);
  if (lane == 0) ((T *)a.out_lse)[head * a.lq + i] = sum == 0 ? T(-INFINITY) : top + pt_log(sum);
}

/* The product of each row of y and its gradient; a warp has a row. */
template <class S>
__global__ void __launch_bounds__(THREADS)
    attention_dots(typename compute<S>::T *to, const S *y, const S *g, int64_t rows, int64_t dv) {
  int64_t r = ((int64_t)blockIdx.x * THREADS + threadIdx.x) >> 5;
  if (r >= rows) return; /* the same for all of a warp */
  typename compute<S>::T sum = 0;
  for (int64_t c = r * dv + (threadIdx.x & 31); c < (r + 1) * dv; c += 32)
    sum = MULTIPLY_ADD(load(y[c]), load(g[c]), sum);
  sum = warp_sum(sum);
  if ((threadIdx.x & 31) == 0) to[r] = sum;
}

/* Probability and score gradient of (query i, key j), from their products q . k and g . v. */
template <class T> struct pair_grad { T p, ds; /* p: the factor of v */ };
template <class T>
DEV pair_grad<T> pair_of(const attention_args &a, int64_t head, int64_t i, int64_t j, T qk, T gv) {
  int64_t row = head * a.lq + i;
  T lse = ((const T *)a.lse)[row], s = score(a, head, i, j, qk);
  T p = lse == T(-INFINITY) ? T(0) : exp_of(s - lse), up = 1;
  if (a.dropout > 0) up = kept(a, row, j) ? (T)a.up : T(0);
  pair_grad<T> r = {p * up, p * (gv * up - ((const T *)a.dot)[row]) * (T)a.scale};
  return r;
}

template <class S>
__global__ void __launch_bounds__(WARPS * 32) attention_grad_q(attention_args a) {
  typedef typename compute<S>::T T;
  DYN_SHARED(T, memory);
  place at = place_of(a);
  int warp = at.warp, lane = at.lane, warps = at.warps;
  T *ks = memory, *vs = ks + a.tile * (a.d + 1), *qs = vs + a.tile * (a.dv + 1);
  T *gs = qs + warps * a.d, *outs = gs + warps * a.dv;
  int64_t head = at.head, i = at.first + warp, row = head * a.lq + i;
  int64_t shared = key_head(a, head);
  bool live = i < a.lq;
  T *q = qs + warp * a.d, *g = gs + warp * a.dv, *out = outs + warp * a.d;
  for (int64_t c = lane; c < a.d; c += 32) {
    q[c] = live ? load(((const S *)a.q)[row * a.d + c]) : T(0);
    out[c] = 0;
  }
  for (int64_t c = lane; c < a.dv; c += 32)
    g[c] = live ? load(((const S *)a.g)[row * a.dv + c]) : T(0);
  int64_t last = at.first + warps - 1;
  for (int64_t k0 = 0; k0 < a.lk && !(a.causal && k0 > last); k0 += a.tile) {
    int n = a.lk - k0 < a.tile ? (int)(a.lk - k0) : a.tile;
    __syncthreads();
    take_rows(ks, (const S *)a.k + (shared * a.lk + k0) * a.d, n, a.d);
    take_rows(vs, (const S *)a.v + (shared * a.lk + k0) * a.dv, n, a.dv);
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
  for (int64_t c = lane; c < a.d && live; c += 32) ((S *)a.gq)[row * a.d + c] = put<S>::of(out[c]);
}

/* All queries of a key head's group, in order. */
template <class S>
__global__ void __launch_bounds__(WARPS * 32) attention_grad_kv(attention_args a) {
  typedef typename compute<S>::T T;
  DYN_SHARED(T, memory);
  place at = place_of(a);
  int warp = at.warp, lane = at.lane, warps = at.warps;
  T *qs = memory, *gs = qs + a.tile * (a.d + 1), *ks = gs + a.tile * (a.dv + 1);
  T *vs = ks + warps * a.d, *gks = vs + warps * a.dv, *gvs = gks + warps * a.d;
  int64_t shared = at.head, j = at.first + warp, key = shared * a.lk + j;
  bool live = j < a.lk;
  T *k = ks + warp * a.d, *v = vs + warp * a.dv, *gk = gks + warp * a.d, *gv = gvs + warp * a.dv;
  for (int64_t c = lane; c < a.d; c += 32) {
    k[c] = live ? load(((const S *)a.k)[key * a.d + c]) : T(0);
    gk[c] = 0;
  }
  for (int64_t c = lane; c < a.dv; c += 32) {
    v[c] = live ? load(((const S *)a.v)[key * a.dv + c]) : T(0);
    gv[c] = 0;
  }
  for (int64_t t = 0; t < a.group.d; t++) {
    int64_t head = shared * a.group.d + t; /* batch by batch, group by group */
    for (int64_t q0 = 0; q0 < a.lq; q0 += a.tile) {
      int n = a.lq - q0 < a.tile ? (int)(a.lq - q0) : a.tile;
      if (a.causal && at.first > q0 + n - 1) continue; /* all keys are later */
      __syncthreads();
      take_rows(qs, (const S *)a.q + (head * a.lq + q0) * a.d, n, a.d);
      take_rows(gs, (const S *)a.g + (head * a.lq + q0) * a.dv, n, a.dv);
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
  for (int64_t c = lane; c < a.d && live; c += 32) ((S *)a.gk)[key * a.d + c] = put<S>::of(gk[c]);
  for (int64_t c = lane; c < a.dv && live; c += 32) ((S *)a.gv)[key * a.dv + c] = put<S>::of(gv[c]);
}

/* ---- slots ---- */

/* How a kernel with `per_warp` numbers of shared memory for each warp is launched for `rows` rows of each of
   `heads`: as many warps and as large a tile of the other side as fit. */
struct shape {
  int warps, tile;
  unsigned blocks;
  divider each; /* blocks of a head */
  size_t bytes;
};
static bool shape_of(const attention_args &a, int64_t rows, int64_t heads, int64_t per_warp,
                     size_t size, shape *f) {
  for (f->warps = WARPS; f->warps > 0; f->warps /= 2) {
    for (f->tile = 32; f->tile >= (f->warps > 1 ? 8 : 1); f->tile /= 2) {
      f->bytes = (size_t)(f->tile * (a.d + a.dv + 2) + f->warps * per_warp) * size;
      if (f->bytes > SHARED_BYTES) continue;
      int64_t each = (rows + f->warps - 1) / f->warps, blocks = each * heads;
      f->each = divider(each);
      f->blocks = (unsigned)blocks;
      if (blocks <= INT32_MAX) return true;
      pti_host->fail(PT_ESHAPE, "attention: %lld heads of %lld rows; the device takes 2^31 blocks",
                     (long long)heads, (long long)rows);
      return false;
    }
  }
  pti_host->fail(PT_ESHAPE,
                 "attention: heads of %lld and %lld numbers do not fit the device's shared memory",
                 (long long)a.d, (long long)a.dv);
  return false;
}

static attention_args args_of(const pti_attention *p, const void *q, const void *k, const void *v) {
  attention_args a;
  memset(&a, 0, sizeof a);
  a.b = p->b, a.h = p->h, a.hk = p->hk, a.lq = p->lq, a.lk = p->lk, a.d = p->d, a.dv = p->dv;
  a.scale = p->scale;
  a.dropout = p->dropout;
  a.up = 1 / (1 - p->dropout);
  a.heads = divider(p->h), a.group = divider(p->hk ? p->h / p->hk : 1);
  a.causal = p->causal;
  a.mask = p->mask;
  for (int d = 0; d < 4; d++) a.mask_stride[d] = p->mask_stride[d];
  a.seed = p->seed, a.stream = p->stream, a.ctr = p->ctr;
  a.q = q, a.k = k, a.v = v;
  return a;
}

template <class S> static void forward(cudaStream_t s, attention_args a, bool *ok) {
  typedef typename compute<S>::T T;
  shape f;
  if (!(*ok = shape_of(a, a.lq, a.b * a.h, a.d + a.dv, sizeof(T), &f))) return;
  a.tile = f.tile, a.blocks = f.each;
  LAUNCH((attention_forward<S>), f.blocks, f.warps * 32, f.bytes, s, a);
}
template <class S>
static void backward(int dev, cudaStream_t s, attention_args a, const void *y, bool *ok) {
  typedef typename compute<S>::T T;
  int64_t rows = a.b * a.h * a.lq, keys = a.b * a.hk * a.lk;
  shape fq, fk;
  *ok = shape_of(a, a.lq, a.b * a.h, 2 * a.d + a.dv, sizeof(T), &fq) &&
      shape_of(a, a.lk, a.b * a.hk, 2 * (a.d + a.dv), sizeof(T), &fk);
  T *dots = *ok ? (T *)pti_scratch(dev, (size_t)(rows + 1) * sizeof(T)) : NULL;
  if (!(*ok = dots != NULL)) return;
  a.dot = dots;
  if (rows) {
    LAUNCH((attention_dots<S>), blocks_of(rows, THREADS / 32), THREADS, 0, s, dots, (const S *)y,
           (const S *)a.g, rows, a.dv);
    a.tile = fq.tile, a.blocks = fq.each;
    LAUNCH((attention_grad_q<S>), fq.blocks, fq.warps * 32, fq.bytes, s, a);
  }
  a.tile = fk.tile, a.blocks = fk.each;
  if (keys) LAUNCH((attention_grad_kv<S>), fk.blocks, fk.warps * 32, fk.bytes, s, a);
  *ok = launched("attention backward");
  pti_scratch_free(dev, dots, (size_t)(rows + 1) * sizeof(T));
}

bool pti_cuda_attention(int dev, const pti_attention *p, const void *q, const void *k,
                        const void *v, void *y, void *lse) {
  cudaStream_t s = pti_stream(dev);
  attention_args a = args_of(p, q, k, v);
  bool ok = true;
  if (s == NULL) return false;
  if (a.b * a.h * a.lq == 0) return true;
  a.y = y, a.out_lse = lse;
  if (!attention_by_mma(s, a, p->dtype) && !BY_FLOAT(p->dtype, forward, s, a, &ok))
    return pti_no_kernel("attention", p->dtype);
  return ok && launched("attention");
}
bool pti_cuda_attention_grad(int dev, const pti_attention *p, const void *q, const void *k,
                             const void *v, const void *y, const void *lse, const void *g, void *gq,
                             void *gk, void *gv) {
  cudaStream_t s = pti_stream(dev);
  attention_args a = args_of(p, q, k, v);
  bool ok = true;
  if (s == NULL) return false;
  a.lse = lse, a.g = g, a.gq = gq, a.gk = gk, a.gv = gv;
  if (!BY_FLOAT(p->dtype, backward, dev, s, a, y, &ok)) return pti_no_kernel("attention", p->dtype);
  return ok;
}
