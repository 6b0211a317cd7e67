/* index.cu: moving and combining elements at places given by other elements. All ids are checked first.
   Where ids are equal, the last one wins or they are combined in their order, regardless of the order
   of threads: that follows the ids in one thread, or a stable sort of them in one thread per place,
   and moves first determine the winner. */
#include "check.cuh"
#include "slots.cuh"

enum { FEW_IDS = 32 /* along a dim, too few to be worth sorting */ };

/* (outer, n, inner) is what the ids index; (outer, k, inner) is the other side. */
struct index_args {
  int64_t outer;
  divider n, inner, k;
  int64_t base;
  const int64_t *id;
  bool wrap, each; /* each: an id per element, else one per k */
};

DEV int64_t place(const index_args &q, int64_t id) {
  return q.wrap && id < 0 ? id + q.n.d : id - q.base;
}
/* The place along n of element e of (outer, k, inner). */
DEV int64_t place_of(const index_args &q, int64_t e) {
  return place(q, q.id[q.each ? e : e / q.inner % q.k]);
}
/* The element of (outer, n, inner) that e of (outer, k, inner) names. */
DEV int64_t named_by(const index_args &q, int64_t e) {
  int64_t row = e / q.inner;
  return (row / q.k * q.n.d + place_of(q, e)) * q.inner.d + (e - row * q.inner.d);
}

__global__ void __launch_bounds__(THREADS)
    check_ids(index_args q, int64_t count, unsigned long long *bad) {
  FOR_EACH(i, count) {
    int64_t id = q.id[i], at = place(q, id);
    if (id < (q.wrap ? -q.n.d : q.base) || at < 0 || at >= q.n.d)
      atomicMin(bad, (unsigned long long)i);
  }
}
template <class E> __global__ void __launch_bounds__(THREADS) take(index_args q, E *y, const E *x) {
  FOR_EACH(e, q.outer * q.k.d * q.inner.d) y[e] = x[named_by(q, e)];
}
/* winner[i]: the last of k that refers to element i of (outer, n, inner), or of n alone. */
__global__ void __launch_bounds__(THREADS) find_winners(index_args q, int *winner, int64_t count) {
  FOR_EACH(e, count) {
    int64_t at = q.each ? named_by(q, e) : place(q, q.id[e]);
    atomicMax(&winner[at], (int)(q.each ? e / q.inner % q.k : e));
  }
}
template <class E>
__global__ void __launch_bounds__(THREADS)
    write_winners(index_args q, const int *winner, E *y, const E *x) {
  FOR_EACH(i, q.outer * q.n.d * q.inner.d) {
    int64_t row = i / q.inner, o = row / q.n, c = i - row * q.inner.d;
    int w = winner[q.each ? i : row - o * q.n.d];
    if (w >= 0) y[i] = x[(o * q.k.d + w) * q.inner.d + c];
  }
}

/* An element and another that is written to it as one, rounded to the storage type as the CPU does: sums, products and
   extremes (the first of equals stays, NaN wins). Complex numbers are only added. */
template <class S> struct combine {
  MEMBER S of(pti_combine how, S old, S x) {
    auto a = load(old), b = load(x);
    if (how == PTI_ADD) return put<S>::of(a + b);
    if (how == PTI_TIMES) return put<S>::of(a * b);
    if (b != b) return x;
    return (how == PTI_LARGER ? b > a : b < a) ? x : old;
  }
};
template <> struct combine<int64_t> {
  MEMBER int64_t of(pti_combine how, int64_t a, int64_t b) {
    if (how == PTI_ADD) return (int64_t)((uint64_t)a + (uint64_t)b);
    if (how == PTI_TIMES) return (int64_t)((uint64_t)a * (uint64_t)b);
    return (how == PTI_LARGER ? b > a : b < a) ? b : a;
  }
};
template <> struct combine<boolean> {
  MEMBER boolean of(pti_combine how, boolean a, boolean b) {
    bool either = how == PTI_ADD || how == PTI_LARGER;
    return boolean{(uint8_t)(either ? a.u || b.u : a.u && b.u)};
  }
};
template <> struct combine<complex64> {
  MEMBER complex64 of(pti_combine, complex64 a, complex64 b) {
    return complex64{a.re + b.re, a.im + b.im};
  }
};
template <> struct combine<complex128> {
  MEMBER complex128 of(pti_combine, complex128 a, complex128 b) {
    return complex128{a.re + b.re, a.im + b.im};
  }
};
template <class S>
__global__ void __launch_bounds__(THREADS, 4)
    combine_in_order(index_args q, pti_combine how, S *y, const S *x) {
  FOR_EACH(line, q.outer * q.inner.d) {
    int64_t o = line / q.inner, c = line % q.inner;
    for (int64_t i = 0; i < q.k.d; i++) {
      int64_t e = (o * q.k.d + i) * q.inner.d + c;
      S *to = y + (o * q.n.d + place_of(q, e)) * q.inner.d + c;
      *to = combine<S>::of(how, *to, x[e]);
    }
  }
}

/* The same for ids sorted into places `at`, which came from positions `from`: the thread of the first of equal
   places combines all of them, in their order. */
__global__ void __launch_bounds__(THREADS) write_places(index_args q, int64_t *at, int64_t count) {
  FOR_EACH(i, count) at[i] = place(q, q.id[i]);
}
template <class S>
__global__ void __launch_bounds__(THREADS)
    combine_sorted(index_args q, pti_combine how, S *y, const S *x, const int64_t *at,
                   const int64_t *from) {
  int64_t step = q.each ? q.inner.d : 1;
  FOR_EACH(e, q.outer * q.k.d * q.inner.d) {
    int64_t row = e / q.inner, c = e - row * q.inner.d, o = row / q.k, i = row - o * q.k.d;
    int64_t j = q.each ? e : i, here = at[j];
    if (i > 0 && at[j - step] == here) continue;
    S *to = y + (o * q.n.d + here) * q.inner.d + c, all = *to;
    for (; i < q.k.d && at[j] == here; i++, j += step)
      all = combine<S>::of(how, all, x[(o * q.k.d + from[j]) * q.inner.d + c]);
    *to = all;
  }
}

/* ---- slots ---- */

static bool check(int dev, const index_args &q) {
  int64_t count = q.each ? q.outer * q.k.d * q.inner.d : q.k.d, bad;
  cudaStream_t s = pti_stream(dev);
  if (count == 0) return true;
  auto run = [&](unsigned long long *at) {
    LAUNCH(check_ids, looped(count), THREADS, 0, s, q, count, at);
    return launched("index");
  };
  if (s == NULL || !first_bad(dev, count, q.id, run, &bad)) return false;
  if (bad == NOT_BAD) return true;
  pti_host->fail(PT_EINDEX, "index %lld is out of range for a dim of size %lld", (long long)bad,
                 (long long)q.n.d);
  return false;
}

template <class E>
static void launch_take(cudaStream_t s, const index_args &q, void *y, const void *x) {
  LAUNCH((take<E>), looped(q.outer * q.k.d * q.inner.d), THREADS, 0, s, q, (E *)y, (const E *)x);
}
template <class E>
static void launch_write(cudaStream_t s, const index_args &q, const int *winner, void *y,
                         const void *x) {
  LAUNCH((write_winners<E>), looped(q.outer * q.n.d * q.inner.d), THREADS, 0, s, q, winner, (E *)y,
         (const E *)x);
}
template <class S>
static void launch_combine(cudaStream_t s, const index_args &q, pti_combine how,
                           const int64_t *sorted, int64_t count, void *y, const void *x) {
  if (sorted)
    LAUNCH((combine_sorted<S>), looped(q.outer * q.k.d * q.inner.d), THREADS, 0, s, q, how, (S *)y,
           (const S *)x, sorted, sorted + count);
  else
    LAUNCH((combine_in_order<S>), looped(q.outer * q.inner.d), THREADS, 0, s, q, how, (S *)y,
           (const S *)x);
}
/* Places and where they came from, sorted along k, in `to`; followed by room for the unsorted ones. */
static bool sort_places(int dev, cudaStream_t s, const index_args &q, int64_t *to, int64_t count) {
  pti_rows r = {PT_I64, q.each ? q.outer : 1, q.k.d, q.each ? q.inner.d : 1};
  int64_t *unsorted = to + 2 * count;
  LAUNCH(write_places, looped(count), THREADS, 0, s, q, unsorted, count);
  return launched("index") && pti_cuda_sort(dev, r, false, unsorted, q.k.d, to, to + count, 0);
}

static bool take_all(int dev, const char *op, const index_args &q, pt_dtype dtype, void *y,
                     const void *x) {
  cudaStream_t s = pti_stream(dev);
  if (s == NULL || !check(dev, q)) return false;
  if (q.outer * q.k.d * q.inner.d == 0) return true;
  BY_SIZE(size_of(dtype), launch_take, s, q, y, x);
  return launched(op);
}
static bool write_all(int dev, const char *op, const index_args &q, pt_dtype dtype, void *y,
                      const void *x) {
  cudaStream_t s = pti_stream(dev);
  int64_t count = q.each ? q.outer * q.k.d * q.inner.d : q.k.d;
  size_t bytes = (size_t)(q.each ? q.outer * q.n.d * q.inner.d : q.n.d) * sizeof(int);
  if (s == NULL || !check(dev, q)) return false;
  if (q.outer * q.k.d * q.inner.d == 0) return true;
  if (q.k.d > INT32_MAX) {
    pti_host->fail(PT_ESHAPE, "%s: more than 2^31 ids along a dim", op);
    return false;
  }
  int *winner = (int *)pti_scratch(dev, bytes);
  if (winner == NULL) return false;
  cudaMemsetAsync(winner, 0xff, bytes, s);
  LAUNCH(find_winners, looped(count), THREADS, 0, s, q, winner, count);
  BY_SIZE(size_of(dtype), launch_write, s, q, (const int *)winner, y, x);
  bool ok = launched(op);
  pti_scratch_free(dev, winner, bytes);
  return ok;
}
static bool combine_all(int dev, const char *op, const index_args &q, pti_combine how,
                        pt_dtype dtype, void *y, const void *x) {
  cudaStream_t s = pti_stream(dev);
  if (s == NULL || !check(dev, q)) return false;
  if (q.outer * q.k.d * q.inner.d == 0) return true;
  int64_t count = q.each ? q.outer * q.k.d * q.inner.d : q.k.d, *sorted = NULL;
  size_t bytes = (size_t)(3 * count) * sizeof *sorted;
  if (q.k.d > FEW_IDS) {
    if ((sorted = (int64_t *)pti_scratch(dev, bytes)) == NULL) return false;
    if (!sort_places(dev, s, q, sorted, count)) {
      pti_scratch_free(dev, sorted, bytes);
      return false;
    }
  }
  switch (dtype) {
  case PT_F32: launch_combine<float>(s, q, how, sorted, count, y, x); break;
  case PT_F64: launch_combine<double>(s, q, how, sorted, count, y, x); break;
  case PT_F16: launch_combine<f16>(s, q, how, sorted, count, y, x); break;
  case PT_BF16: launch_combine<bf16>(s, q, how, sorted, count, y, x); break;
  case PT_I64: launch_combine<int64_t>(s, q, how, sorted, count, y, x); break;
  case PT_I32: launch_combine<int32_t>(s, q, how, sorted, count, y, x); break;
  case PT_I16: launch_combine<int16_t>(s, q, how, sorted, count, y, x); break;
  case PT_I8: launch_combine<int8_t>(s, q, how, sorted, count, y, x); break;
  case PT_U8: launch_combine<uint8_t>(s, q, how, sorted, count, y, x); break;
  case PT_BOOL: launch_combine<boolean>(s, q, how, sorted, count, y, x); break;
  case PT_C64: launch_combine<complex64>(s, q, how, sorted, count, y, x); break;
  default: launch_combine<complex128>(s, q, how, sorted, count, y, x); break;
  }
  bool ok = launched(op);
  if (sorted) pti_scratch_free(dev, sorted, bytes);
  return ok;
}

bool pti_cuda_index_select(int dev, pti_rows r, const void *x, const int64_t *id, int64_t k,
                           void *y, int base, bool wrap) {
  index_args q = {r.outer, divider(r.n), divider(r.inner), divider(k), base, id, wrap, false};
  return take_all(dev, "index_select", q, r.dtype, y, x);
}
bool pti_cuda_index_add(int dev, pti_rows r, void *y, const int64_t *id, int64_t k, const void *x,
                        int base, bool wrap) {
  index_args q = {r.outer, divider(r.n), divider(r.inner), divider(k), base, id, wrap, false};
  return combine_all(dev, "index_add", q, PTI_ADD, r.dtype, y, x);
}
bool pti_cuda_index_copy(int dev, pti_rows r, void *y, const int64_t *id, int64_t k, const void *x,
                         int base, bool wrap) {
  index_args q = {r.outer, divider(r.n), divider(r.inner), divider(k), base, id, wrap, false};
  return write_all(dev, "index_copy", q, r.dtype, y, x);
}
bool pti_cuda_gather(int dev, pti_rows r, const void *x, const int64_t *id, int64_t k, void *y,
                     int base) {
  index_args q = {r.outer, divider(r.n), divider(r.inner), divider(k), base, id, false, true};
  return take_all(dev, "gather", q, r.dtype, y, x);
}
bool pti_cuda_scatter(int dev, pti_rows r, void *y, const int64_t *id, int64_t k, const void *x,
                      int base, pti_combine how) {
  index_args q = {r.outer, divider(r.n), divider(r.inner), divider(k), base, id, false, true};
  return how == PTI_PUT ? write_all(dev, "scatter", q, r.dtype, y, x)
                        : combine_all(dev, "scatter", q, how, r.dtype, y, x);
}

/* ---- nonzero: counts by chunk, their running sum, then each chunk writes from its place ---- */

enum { CHUNK = THREADS * 8 };

struct nonzero_args {
  int nd, base;
  int64_t n;
  divider size[PT_MAX_DIM];
  const uint8_t *x;
};

__global__ void __launch_bounds__(THREADS) count_chunks(nonzero_args q, int64_t *count) {
  int64_t first = (int64_t)blockIdx.x * CHUNK, found = 0;
  for (int64_t i = first + threadIdx.x; i < first + CHUNK && i < q.n; i += THREADS)
    found += q.x[i] != 0;
  found = block_sum(found);
  if (threadIdx.x == 0) count[blockIdx.x] = found;
}
/* In place, by one block; the total follows the last. */
__global__ void __launch_bounds__(THREADS) running_sum(int64_t *count, int64_t chunks) {
  SHARED(int64_t, part, [THREADS]);
  int64_t per = (chunks + THREADS - 1) / THREADS, lo = threadIdx.x * per;
  int64_t hi = lo + per < chunks ? lo + per : chunks, sum = 0;
  for (int64_t i = lo; i < hi; i++) sum += count[i];
  part[threadIdx.x] = sum;
  __syncthreads();
  int64_t before = 0;
  for (int t = 0; t < (int)threadIdx.x; t++) before += part[t];
  for (int64_t i = lo; i < hi; i++) {
    int64_t c = count[i];
    count[i] = before;
    before += c;
  }
  if (threadIdx.x == THREADS - 1) count[chunks] = before;
}
__global__ void __launch_bounds__(THREADS)
    write_chunks(nonzero_args q, const int64_t *start, int64_t *out) {
  SHARED(int, found, [THREADS]);
  int64_t lo = (int64_t)blockIdx.x * CHUNK + threadIdx.x * (CHUNK / THREADS),
          at = start[blockIdx.x];
  int mine = 0;
  for (int64_t i = lo; i < lo + CHUNK / THREADS && i < q.n; i++) mine += q.x[i] != 0;
  found[threadIdx.x] = mine;
  __syncthreads();
  for (int t = 0; t < (int)threadIdx.x; t++) at += found[t];
  for (int64_t i = lo; i < lo + CHUNK / THREADS && i < q.n; i++) {
    if (!q.x[i]) continue;
    int64_t rest = i;
    for (int d = q.nd - 1; d >= 0; d--) {
      int64_t outer = rest / q.size[d];
      out[at * q.nd + d] = rest - outer * q.size[d].d + q.base;
      rest = outer;
    }
    at++;
  }
}

bool pti_cuda_nonzero(int dev, int nd, const int64_t *size, const uint8_t *x, int64_t *count,
                      int64_t *out, int base) {
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  nonzero_args q = {nd, base, 1, {}, x};
  for (int d = 0; d < nd; d++) {
    q.size[d] = divider(size[d]);
    q.n *= size[d];
  }
  if (q.n == 0) return out || (*count = 0, true);
  unsigned chunks = blocks_of(q.n, CHUNK);
  size_t bytes = (chunks + 1) * sizeof(int64_t);
  int64_t *start = (int64_t *)pti_scratch(dev, bytes);
  if (start == NULL) return false;
  LAUNCH(count_chunks, chunks, THREADS, 0, s, q, start);
  LAUNCH(running_sum, 1, THREADS, 0, s, start, (int64_t)chunks);
  if (out) LAUNCH(write_chunks, chunks, THREADS, 0, s, q, (const int64_t *)start, out);
  bool ok = launched("nonzero") && (out || pti_fetch(dev, count, start + chunks, sizeof *count));
  pti_scratch_free(dev, start, bytes);
  return ok;
}
