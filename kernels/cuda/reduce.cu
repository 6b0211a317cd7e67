/* reduce.cu: reductions over any dims of any view, and extremes with their positions. A block of threads
   has COLUMNS outputs side by side, and divides its threads among them; each thread strides over the
   reduced elements, and partial results are combined in a fixed order. A long reduction to few outputs
   is also cut into segments, which depend only on shapes. */
#include "common.cuh"

enum { SEGMENT = 1 << 15, MOST_SEGMENTS = 512, BUSY = 256 /* blocks that fill a device */ };

/* The dims that are kept, or those that are reduced; strides in bytes, the last dim is the innermost. */
struct axes {
  int nd;
  int64_t n;
  divider size[PT_MAX_DIM];
  int64_t in[PT_MAX_DIM], out[PT_MAX_DIM];
};
struct reduce_args {
  axes kept, gone;
  const char *x;
  char *value; /* NULL where only the position is wanted */
  char *index; /* int64, NULL where only the value is */
  int in_dtype, out_dtype, base;
  int64_t value_size; /* strides of `out` are in elements */
  double scale;
  int64_t segment; /* reduced elements in a segment */
  void *part;      /* (segments, kept.n) partial results, or NULL */
};

template <class L> struct found {
  L v;
  int64_t at; /* -1: none yet */
};

/* How a kind folds: `first` is the neutral element, `add` takes a number, `join` a partial result. */
template <int KIND, class T> struct fold {
  enum { PLACE = KIND == PTI_ARGMAX || KIND == PTI_ARGMIN };
  enum { ORDER = PLACE || KIND == PTI_MAX || KIND == PTI_MIN };
  typedef typename std::conditional<ORDER, T, typename compute<T>::Sum>::type L;

  MEMBER L first(void) {
    const bool whole = !std::is_floating_point<T>::value;
    if (KIND == PTI_PROD || KIND == PTI_ALL) return L(1);
    if (KIND == PTI_MAX) return whole ? L(INT64_MIN) : L(-HUGE_VAL);
    if (KIND == PTI_MIN) return whole ? L(INT64_MAX) : L(HUGE_VAL);
    return L(0);
  }
  /* NaN wins, and of equals the first. */
  MEMBER bool beats(L a, int64_t at, L b, int64_t bt) {
    if (at < 0 || bt < 0) return at >= 0;
    if (a != a || b != b) return a != a && (b == b || at < bt);
    if (a == b) return at < bt;
    return KIND == PTI_ARGMAX ? a > b : a < b;
  }
  MEMBER void join(found<L> &a, const found<L> &b) {
    if (PLACE) {
      if (beats(b.v, b.at, a.v, a.at)) a = b;
    } else if (KIND == PTI_SUM || KIND == PTI_NORM) a.v = a.v + b.v;
    else if (KIND == PTI_PROD) a.v = a.v * b.v;
    else if (KIND == PTI_MAX) a.v = pt_max2(a.v, b.v);
    else if (KIND == PTI_MIN) a.v = pt_min2(a.v, b.v);
    else if (KIND == PTI_ANY) a.v = L((a.v != 0) | (b.v != 0));
    else a.v = L((a.v != 0) & (b.v != 0));
  }
  MEMBER void add(found<L> &a, T x, int64_t at) {
    found<L> b = {L(x), at};
    if (KIND == PTI_NORM) b.v = b.v * b.v;
    join(a, b);
  }
};

DEV int64_t offset_of(const axes &a, int64_t i, const int64_t *stride) {
  int64_t at = 0;
#pragma unroll 1
  for (int d = a.nd - 1; d > 0; d--) {
    int64_t outer = i / a.size[d];
    at += (i - outer * a.size[d].d) * stride[d];
    i = outer;
  }
  return a.nd ? at + i * stride[0] : 0;
}

template <int KIND, class L> DEV void finish(const reduce_args &q, int64_t o, const found<L> &f) {
  int64_t at = offset_of(q.kept, o, q.kept.out);
  L v = q.scale == 1 ? f.v : L(f.v * q.scale);
  if (KIND == PTI_NORM) v = L(sqrt((double)v));
  if (q.value) store_any<L>(q.out_dtype, q.value + at * q.value_size, v);
  if (q.index) ((int64_t *)q.index)[at] = f.at + q.base;
}

/* blockDim: (columns, threads for each); blockIdx.y is the segment. */
template <int KIND, class T>
__global__ void __launch_bounds__(THREADS, 6) reduce_kernel(reduce_args q) {
  typedef fold<KIND, T> F;
  typedef typename F::L L;
  SHARED(found<L>, part, [THREADS]);
  int64_t o = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  int64_t lo = blockIdx.y * q.segment, hi = lo + q.segment < q.gone.n ? lo + q.segment : q.gone.n;
  found<L> acc = {F::first(), -1};
  if (o < q.kept.n) {
    const char *x = q.x + offset_of(q.kept, o, q.kept.in);
    for (int64_t i = lo + threadIdx.y; i < hi; i += blockDim.y)
      F::add(acc, load_any<T>(q.in_dtype, x + offset_of(q.gone, i, q.gone.in)), i);
  }
  int me = threadIdx.y * blockDim.x + threadIdx.x;
  part[me] = acc;
  __syncthreads();
  for (int half = blockDim.y / 2; half > 0; half /= 2) {
    if ((int)threadIdx.y < half) {
      F::join(acc, part[me + half * blockDim.x]);
      part[me] = acc;
    }
    __syncthreads();
  }
  if (threadIdx.y > 0 || o >= q.kept.n) return;
  if (q.part) ((found<L> *)q.part)[blockIdx.y * q.kept.n + o] = acc;
  else finish<KIND>(q, o, acc);
}

template <int KIND, class T>
__global__ void __launch_bounds__(THREADS) combine_kernel(reduce_args q, int segments) {
  typedef fold<KIND, T> F;
  typedef typename F::L L;
  int64_t o = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (o >= q.kept.n) return;
  found<L> acc = {F::first(), -1};
  for (int s = 0; s < segments; s++) F::join(acc, ((const found<L> *)q.part)[s * q.kept.n + o]);
  finish<KIND>(q, o, acc);
}

static void add_axis(axes *a, int64_t size, int64_t in, int64_t out) {
  int d = a->nd++;
  a->size[d] = divider(size);
  a->in[d] = in;
  a->out[d] = out;
  a->n *= size;
}

/* Columns side by side where neighbouring outputs are neighbours in memory, or where there are many
   short reductions. */
static int columns_of(const reduce_args &q) {
  if (q.gone.n <= 8) return THREADS;
  int64_t along = q.kept.nd ? llabs(q.kept.in[q.kept.nd - 1]) : 0;
  int64_t down = q.gone.nd ? llabs(q.gone.in[q.gone.nd - 1]) : 0;
  if (along != 0 && along < down) return 32;
  return q.gone.n < 256 ? 8 : 1;
}

template <int KIND, class T> static bool run_kind(int dev, reduce_args &q) {
  typedef typename fold<KIND, T>::L L;
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  int columns = columns_of(q);
  unsigned blocks = blocks_of(q.kept.n, columns);
  int64_t segments = 1;
  if (blocks < BUSY && q.gone.n >= 2 * SEGMENT) {
    segments = (q.gone.n + SEGMENT - 1) / SEGMENT;
    segments = segments > MOST_SEGMENTS ? (int64_t)MOST_SEGMENTS : segments;
  }
  q.segment = (q.gone.n + segments - 1) / segments;
  size_t bytes = (size_t)(segments * q.kept.n) * sizeof(found<L>);
  if (segments > 1 && (q.part = pti_scratch(dev, bytes)) == NULL) return false;
  LAUNCH((reduce_kernel<KIND, T>), dim3(blocks, (unsigned)segments),
         dim3(columns, THREADS / columns), 0, s, q);
  bool ok = launched("reduce");
  if (q.part) {
    LAUNCH((combine_kernel<KIND, T>), blocks_of(q.kept.n, THREADS), THREADS, 0, s, q,
           (int)segments);
    ok = launched("reduce") && ok;
    pti_scratch_free(dev, q.part, bytes);
  }
  return ok;
}

template <class T> static bool run_type(int dev, pti_reduction kind, reduce_args &q) {
  switch (kind) {
  case PTI_SUM: return run_kind<PTI_SUM, T>(dev, q);
  case PTI_PROD: return run_kind<PTI_PROD, T>(dev, q);
  case PTI_MAX: return run_kind<PTI_MAX, T>(dev, q);
  case PTI_MIN: return run_kind<PTI_MIN, T>(dev, q);
  case PTI_ANY: return run_kind<PTI_ANY, T>(dev, q);
  case PTI_ALL: return run_kind<PTI_ALL, T>(dev, q);
  case PTI_ARGMAX: return run_kind<PTI_ARGMAX, T>(dev, q);
  case PTI_ARGMIN: return run_kind<PTI_ARGMIN, T>(dev, q);
  default: return run_kind<PTI_NORM, T>(dev, q);
  }
}

static bool run(int dev, pti_reduction kind, reduce_args &q) {
  if (q.kept.n == 0) return true;
  switch (compute_of((pt_dtype)q.in_dtype)) {
  case PTI_CF32: return run_type<float>(dev, kind, q);
  case PTI_CF64: return run_type<double>(dev, kind, q);
  default: return run_type<int64_t>(dev, kind, q);
  }
}

static reduce_args new_args(const void *x, pt_dtype in, pt_dtype out, double scale, int base) {
  reduce_args q;
  memset(&q, 0, sizeof q);
  q.kept.n = q.gone.n = 1;
  q.x = (const char *)x;
  q.in_dtype = in;
  q.out_dtype = out;
  q.value_size = size_of(out);
  q.scale = scale;
  q.base = base;
  return q;
}

bool pti_cuda_reduce(int dev, pti_reduction kind, const pti_iter *it, double scale, int base) {
  if (pti_is(it->dtype[1], PTI_COMPLEX)) return pti_no_kernel("reduce", it->dtype[1]);
  reduce_args q = new_args(it->ptr[1], it->dtype[1], it->dtype[0], scale, base);
  bool place = kind == PTI_ARGMAX || kind == PTI_ARGMIN;
  (place ? q.index : q.value) = it->ptr[0];
  for (int d = 0; d < it->nd; d++) {
    int64_t out = it->stride[0][d] / q.value_size;
    add_axis(out ? &q.kept : &q.gone, it->size[d], it->stride[1][d], out);
  }
  return run(dev, kind, q);
}

bool pti_cuda_extreme(int dev, pti_rows r, bool max, const void *x, void *value, int64_t *index,
                      int base) {
  if (pti_is(r.dtype, PTI_COMPLEX)) return pti_no_kernel("extreme", r.dtype);
  reduce_args q = new_args(x, r.dtype, r.dtype, 1, base);
  int64_t size = size_of(r.dtype);
  q.value = (char *)value;
  q.index = (char *)index;
  add_axis(&q.kept, r.outer, r.n * r.inner * size, r.inner);
  add_axis(&q.kept, r.inner, size, 1);
  add_axis(&q.gone, r.n, r.inner * size, 0);
  return run(dev, max ? PTI_ARGMAX : PTI_ARGMIN, q);
}
