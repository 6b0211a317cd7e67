/* sort.cu: stable sorting of lines, running sums and extremes, and binary search in sorted lines. A value
   becomes an unsigned key of the same order (NaN last), with ties broken by position; tiles of a line are
   sorted in shared memory and then merged in pairs, where bisection gives each entry its place. */
#include "common.cuh"

enum { TILE = 1024 };
const int64_t SCRATCH = 64 << 20; /* bytes of entries at a time */

struct entry {
  uint64_t key;
  int64_t at;
};
DEV bool before(const entry &a, const entry &b) {
  return a.key < b.key || (a.key == b.key && a.at < b.at);
}

DEV uint64_t key_of(double v) {
  if (v != v) return UINT64_MAX;
  uint64_t u = pt_bits_d(v == 0 ? 0.0 : v); /* -0 equals 0 */
  return u >> 63 ? ~u : u | (uint64_t)1 << 63;
}
DEV uint64_t key_at(int dtype, const char *p) {
  switch (dtype) {
  case PT_F32:
  case PT_F64:
  case PT_F16:
  case PT_BF16: return key_of(load_any<double>(dtype, p));
  default: return (uint64_t)load_any<int64_t>(dtype, p) ^ (uint64_t)1 << 63;
  }
}

struct sort_args {
  int dtype, size, base;
  bool descending;
  int64_t n, inner, k, first; /* first: line of the first one here */
  const char *x;
  char *y;
  int64_t *index;
};
/* The start of a line whose dim has `n` entries. */
DEV int64_t line_start(const sort_args &q, int64_t line, int64_t n) {
  return line / q.inner * n * q.inner + line % q.inner;
}

/* One tile of `tile` entries (a power of two) per block, bitonic. blockIdx: (tile, line). */
__global__ void __launch_bounds__(TILE / 2) sort_tiles(sort_args q, entry *out, int tile) {
  SHARED(entry, e, [TILE]);
  int64_t line = blockIdx.y, lo = (int64_t)blockIdx.x * tile;
  const char *x = q.x + line_start(q, q.first + line, q.n) * q.size;
  for (int i = threadIdx.x; i < tile; i += blockDim.x) {
    int64_t at = lo + i;
    entry v = {UINT64_MAX, INT64_MAX}; /* after all others */
    if (at < q.n) {
      v.key = key_at(q.dtype, x + at * q.inner * q.size);
      v.key = q.descending ? ~v.key : v.key;
      v.at = at;
    }
    e[i] = v;
  }
  __syncthreads();
  for (int size = 2; size <= tile; size *= 2) {
    for (int half = size / 2; half > 0; half /= 2) {
      for (int p = threadIdx.x; p < tile / 2; p += blockDim.x) {
        int i = p / half * 2 * half + p % half, j = i + half;
        bool up = (i & size) == 0;
        entry a = e[i], b = e[j];
        if (before(b, a) == up) {
          e[i] = b;
          e[j] = a;
        }
      }
      __syncthreads();
    }
  }
  for (int i = threadIdx.x; i < tile && lo + i < q.n; i += blockDim.x)
    out[line * q.n + lo + i] = e[i];
}
/* How many entries of a sorted run come before v. */
DEV int64_t rank_in(const entry *run, int64_t n, const entry &v) {
  int64_t lo = 0;
  while (lo < n) {
    int64_t mid = lo + (n - lo) / 2;
    if (before(run[mid], v)) lo = mid + 1;
    else n = mid;
  }
  return lo;
}
__global__ void __launch_bounds__(THREADS)
    merge_runs(entry *out, const entry *in, int64_t lines, int64_t n, int64_t run) {
  FOR_EACH(g, lines * n) {
    int64_t i = g % n, mine = i / run * run, other = (i / run ^ 1) * run,
            pair = i / (2 * run) * 2 * run;
    const entry *line = in + g / n * n;
    int64_t many = other < n ? (n - other < run ? n - other : run) : 0;
    out[g / n * n + pair + (i - mine) + (many ? rank_in(line + other, many, line[i]) : 0)] =
        line[i];
  }
}
template <class E>
__global__ void __launch_bounds__(THREADS)
    write_sorted(sort_args q, const entry *e, int64_t lines) {
  FOR_EACH(g, lines * q.k) {
    int64_t line = q.first + g / q.k, i = g % q.k, at = e[g / q.k * q.n + i].at;
    int64_t to = line_start(q, line, q.k) + i * q.inner;
    ((E *)q.y)[to] = ((const E *)q.x)[line_start(q, line, q.n) + at * q.inner];
    q.index[to] = at + q.base;
  }
}
template <class E>
static void launch_write(cudaStream_t s, const sort_args &q, const entry *e, int64_t lines) {
  LAUNCH((write_sorted<E>), looped(lines * q.k), THREADS, 0, s, q, e, lines);
}

static bool sort_lines(cudaStream_t s, const sort_args &q, entry *e, entry *other, int64_t lines) {
  int tile = 32;
  while (tile < q.n && tile < TILE) tile *= 2;
  LAUNCH(sort_tiles, dim3(blocks_of(q.n, tile), (unsigned)lines), tile / 2, 0, s, q, e, tile);
  for (int64_t run = tile; run < q.n; run *= 2) {
    LAUNCH(merge_runs, looped(lines * q.n), THREADS, 0, s, other, (const entry *)e, lines, q.n,
           run);
    entry *swap = e;
    e = other;
    other = swap;
  }
  BY_SIZE(q.size, launch_write, s, q, (const entry *)e, lines);
  return launched("sort");
}

bool pti_cuda_sort(int dev, pti_rows r, bool descending, const void *x, int64_t k, void *y,
                   int64_t *index, int base) {
  cudaStream_t s = pti_stream(dev);
  int64_t lines = r.outer * r.inner;
  if (s == NULL) return false;
  if (pti_is(r.dtype, PTI_COMPLEX)) return pti_no_kernel("sort", r.dtype);
  if (lines * k == 0) return true;
  int64_t each = r.n * 2 * (int64_t)sizeof(entry), many = SCRATCH / each;
  many = many < 1 ? 1 : many > 65535 ? 65535 : many;
  many = many > lines ? lines : many;
  entry *e = (entry *)pti_scratch(dev, (size_t)(each * many));
  if (e == NULL) return false;
  bool ok = true;
  sort_args q = {r.dtype, (int)size_of(r.dtype), base,      descending, r.n, r.inner, k,
                 0,       (const char *)x,       (char *)y, index};
  for (; q.first < lines && ok; q.first += many)
    ok = sort_lines(s, q, e, e + many * r.n, lines - q.first < many ? lines - q.first : many);
  pti_scratch_free(dev, e, (size_t)(each * many));
  return ok;
}

/* ---- the k-th of each line: the last of the first k of a sort ---- */

template <class E>
__global__ void __launch_bounds__(THREADS) take_last(int64_t k, divider inner, int64_t lines, E *y,
                                                     int64_t *at, const E *x, const int64_t *from) {
  FOR_EACH(line, lines) {
    int64_t o = line / inner, i = ((o + 1) * k - 1) * inner.d + line - o * inner.d;
    y[line] = x[i];
    at[line] = from[i];
  }
}
template <class E>
static void launch_last(cudaStream_t s, int64_t k, divider inner, int64_t lines, void *y,
                        int64_t *at, const void *x, const int64_t *from) {
  LAUNCH((take_last<E>), looped(lines), THREADS, 0, s, k, inner, lines, (E *)y, at, (const E *)x,
         from);
}

bool pti_cuda_kth(int dev, pti_rows r, int64_t k, const void *x, void *y, int64_t *index,
                  int base) {
  int64_t lines = r.outer * r.inner, count = lines * (k + 1);
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  size_t size = (size_t)size_of(r.dtype), bytes = (size_t)count * (sizeof(int64_t) + size);
  int64_t *at = (int64_t *)pti_scratch(dev, bytes);
  if (at == NULL) return false;
  bool ok = pti_cuda_sort(dev, r, false, x, k + 1, at + count, at, base);
  if (ok) {
    BY_SIZE(size, launch_last, s, k + 1, divider(r.inner), lines, y, index,
            (const void *)(at + count), (const int64_t *)at);
    ok = launched("kthvalue");
  }
  pti_scratch_free(dev, at, bytes);
  return ok;
}

/* ---- running sums, products and extremes ---- */

struct scan_args {
  int kind, base;
  bool reverse;
  int64_t lines, n, inner;
  const void *x;
  void *y;
  int64_t *index;
};

/* The result of a part of a line: a sum or product, or an extreme and its position. */
template <class T> struct state {
  typename compute<T>::Sum sum;
  T best;
  int64_t at; /* -1: none yet */
};
template <class T> DEV state<T> nothing(const scan_args &q) {
  state<T> s = {(typename compute<T>::Sum)(q.kind == PTI_SCAN_PROD), T(0), -1};
  return s;
}
/* b follows a. Of equal extremes the later wins; NaN wins over all. */
template <class T> DEV state<T> joined(const scan_args &q, const state<T> &a, const state<T> &b) {
  state<T> s = a;
  if (q.kind == PTI_SCAN_SUM) s.sum = a.sum + b.sum;
  else if (q.kind == PTI_SCAN_PROD) s.sum = a.sum * b.sum;
  else if (b.at >= 0) {
    bool better = q.kind == PTI_SCAN_MAX ? b.best >= a.best : b.best <= a.best;
    if (a.at < 0 || b.best != b.best || (a.best == a.best && better)) s = b;
  }
  return s;
}
template <class T> DEV state<T> of_element(const scan_args &q, const T *x, int64_t i) {
  state<T> s = {(typename compute<T>::Sum)x[i * q.inner], x[i * q.inner], i};
  return s;
}
template <class T>
DEV void write_state(const scan_args &q, int64_t start, int64_t i, const state<T> &s) {
  bool sum = q.kind == PTI_SCAN_SUM || q.kind == PTI_SCAN_PROD;
  ((T *)q.y)[start + i * q.inner] = sum ? (T)s.sum : s.best;
  if (!sum) q.index[start + i * q.inner] = s.at + q.base;
}

/* A thread per line. */
template <class T> __global__ void __launch_bounds__(THREADS) scan_lines(scan_args q) {
  FOR_EACH(line, q.lines) {
    int64_t start = line / q.inner * q.n * q.inner + line % q.inner;
    const T *x = (const T *)q.x + start;
    state<T> s = nothing<T>(q);
    for (int64_t step = 0; step < q.n; step++) {
      int64_t i = q.reverse ? q.n - 1 - step : step;
      s = joined(q, s, of_element(q, x, i));
      write_state(q, start, i, s);
    }
  }
}
/* A block per line: each thread scans a piece, then adds in all pieces before it. */
template <class T> __global__ void __launch_bounds__(THREADS) scan_long(scan_args q) {
  SHARED(state<T>, part, [THREADS]);
  int64_t start = blockIdx.x / q.inner * q.n * q.inner + blockIdx.x % q.inner;
  const T *x = (const T *)q.x + start;
  int64_t per = (q.n + THREADS - 1) / THREADS, lo = threadIdx.x * per,
          hi = lo + per < q.n ? lo + per : q.n;
  state<T> s = nothing<T>(q);
  for (int64_t step = lo; step < hi; step++)
    s = joined(q, s, of_element(q, x, q.reverse ? q.n - 1 - step : step));
  part[threadIdx.x] = s;
  __syncthreads();
  s = nothing<T>(q);
  for (int t = 0; t < (int)threadIdx.x; t++) s = joined(q, s, part[t]);
  for (int64_t step = lo; step < hi; step++) {
    int64_t i = q.reverse ? q.n - 1 - step : step;
    s = joined(q, s, of_element(q, x, i));
    write_state(q, start, i, s);
  }
}
template <class T> static void launch_scan(cudaStream_t s, const scan_args &q) {
  if (q.n >= 256 && q.lines < 1024) LAUNCH((scan_long<T>), (unsigned)q.lines, THREADS, 0, s, q);
  else LAUNCH((scan_lines<T>), looped(q.lines), THREADS, 0, s, q);
}

bool pti_cuda_scan(int dev, pti_rows r, pti_scan kind, bool reverse, const void *x, void *y,
                   int64_t *index, int base) {
  cudaStream_t s = pti_stream(dev);
  scan_args q = {kind, base, reverse, r.outer * r.inner, r.n, r.inner, x, y, index};
  if (s == NULL) return false;
  if (q.lines * q.n == 0) return true;
  if (r.dtype == PT_I64) launch_scan<int64_t>(s, q);
  else if (!BY_WIDE(r.dtype, launch_scan, s, q)) return pti_no_kernel("scan", r.dtype);
  return launched("scan");
}

/* ---- binary search ---- */

struct search_args {
  int dtype, size, base;
  bool right, one_line;
  int64_t n, count, per_line;
  const char *sorted, *values;
  int64_t *index;
};
__global__ void __launch_bounds__(THREADS) search_kernel(search_args q) {
  FOR_EACH(i, q.count) {
    const char *line = q.sorted + (q.one_line ? 0 : i / q.per_line * q.n * q.size);
    uint64_t v = key_at(q.dtype, q.values + i * q.size);
    int64_t lo = 0, hi = q.n;
    while (lo < hi) {
      int64_t mid = lo + (hi - lo) / 2;
      uint64_t key = key_at(q.dtype, line + mid * q.size);
      if (q.right ? key <= v : key < v) lo = mid + 1;
      else hi = mid;
    }
    q.index[i] = lo + q.base;
  }
}

bool pti_cuda_search(int dev, pti_rows r, bool right, const void *sorted, const void *values,
                     int64_t count, int64_t per_line, int64_t *index, int base) {
  cudaStream_t s = pti_stream(dev);
  search_args q = {r.dtype,
                   (int)size_of(r.dtype),
                   base,
                   right,
                   r.outer == 1,
                   r.n,
                   count,
                   per_line,
                   (const char *)sorted,
                   (const char *)values,
                   index};
  if (s == NULL) return false;
  if (count == 0) return true;
  if (pti_is(r.dtype, PTI_COMPLEX)) return pti_no_kernel("searchsorted", r.dtype);
  LAUNCH(search_kernel, looped(count), THREADS, 0, s, q);
  return launched("searchsorted");
}
