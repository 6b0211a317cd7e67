/* pooling.cu: pooling over windows in one to three dims: the largest of a window with its place, the average,
   and the gradient of the average. A thread has an output, or for the gradient an input, and goes through
   the windows that contain it. x (planes, in...) -> y (planes, out...), dense. */
#include "common.cuh"

struct window_args {
  int64_t planes, in[3], out[3], k[3], stride[3], pad[3], dil[3];
  divider nin, nout, row, plane; /* row, plane: of the output */
  bool adaptive, count_pad;
  double divisor;
  int base;
};

static window_args args_of(const pti_window *p, int base) {
  window_args q;
  memset(&q, 0, sizeof q);
  q.planes = p->planes;
  int64_t nin = 1, nout = 1;
  for (int d = 0; d < 3; d++) {
    nin *= q.in[d] = p->in[d];
    nout *= q.out[d] = p->out[d];
    q.k[d] = p->k[d];
    q.stride[d] = p->stride[d];
    q.pad[d] = p->pad[d];
    q.dil[d] = p->dil[d];
  }
  q.nin = divider(nin), q.nout = divider(nout);
  q.row = divider(p->out[2]), q.plane = divider(p->out[1] * p->out[2]);
  q.adaptive = p->adaptive;
  q.count_pad = p->count_pad;
  q.divisor = p->divisor;
  q.base = base;
  return q;
}

/* Input positions from .. until (step by step) of a window in one dim, without padding; `count` with it, as
   far as the padded input reaches. */
struct span {
  int64_t from, until, step, count;
};
DEV span window(const window_args &q, int d, int64_t o) {
  span s;
  if (q.adaptive) {
    s.from = o * q.in[d] / q.out[d];
    s.until = ((o + 1) * q.in[d] + q.out[d] - 1) / q.out[d];
    s.step = 1;
    s.count = s.until - s.from;
    return s;
  }
  int64_t start = o * q.stride[d] - q.pad[d], reach = start + q.dil[d] * (q.k[d] - 1) + 1;
  int64_t padded = q.in[d] + q.pad[d];
  s.step = q.dil[d];
  s.count = (reach < padded ? reach : padded) - start;
  s.from = start < 0 ? start + (-start + s.step - 1) / s.step * s.step : start;
  s.until = reach < q.in[d] ? reach : q.in[d];
  return s;
}
DEV int64_t elements_of(const span &s) { return (s.until - s.from + s.step - 1) / s.step; }

struct box {
  span d[3];
};
DEV int64_t elements_of(const box &b) {
  return elements_of(b.d[0]) * elements_of(b.d[1]) * elements_of(b.d[2]);
}
DEV box box_at(const window_args &q, int64_t o) {
  int64_t z = o / q.plane, y = o / q.row - z * q.out[1];
  box b = {{window(q, 0, z), window(q, 1, y), window(q, 2, o % q.row)}};
  return b;
}
/* n: elements of the window inside the image. */
template <class T> DEV T divisor_of(const window_args &q, const box &b, int64_t n) {
  if (q.divisor > 0) return (T)q.divisor;
  if (q.count_pad) return (T)(b.d[0].count * b.d[1].count * b.d[2].count);
  return (T)(n > 0 ? n : 1);
}

/* The first of equal ones wins; NaN wins over all. */
template <class S>
__global__ void __launch_bounds__(THREADS)
    max_pool_kernel(window_args q, S *y, int64_t *index, const S *x) {
  typedef typename compute<S>::T T;
  FOR_EACH(e, q.planes * q.nout.d) {
    const S *plane = x + e / q.nout * q.nin.d;
    box b = box_at(q, e % q.nout);
    T best = -INFINITY;
    int64_t at = -1;
    for (int64_t z = b.d[0].from; z < b.d[0].until; z += b.d[0].step)
      for (int64_t v = b.d[1].from; v < b.d[1].until; v += b.d[1].step)
        for (int64_t w = b.d[2].from; w < b.d[2].until; w += b.d[2].step) {
          int64_t i = (z * q.in[1] + v) * q.in[2] + w;
          T value = load(plane[i]);
          if (at >= 0 && ((!(value > best) && value == value) || best != best)) continue;
          best = value;
          at = i;
        }
    y[e] = put<S>::of(best);
    index[e] = at + q.base;
  }
}
template <class S>
__global__ void __launch_bounds__(THREADS, 4) avg_pool_kernel(window_args q, S *y, const S *x) {
  typedef typename compute<S>::T T;
  FOR_EACH(e, q.planes * q.nout.d) {
    const S *plane = x + e / q.nout * q.nin.d;
    box b = box_at(q, e % q.nout);
    T sum = 0;
    int64_t n = 0;
    for (int64_t z = b.d[0].from; z < b.d[0].until; z += b.d[0].step)
      for (int64_t v = b.d[1].from; v < b.d[1].until; v += b.d[1].step)
        for (int64_t w = b.d[2].from; w < b.d[2].until; w += b.d[2].step)
          sum += load(plane[(z * q.in[1] + v) * q.in[2] + w]), n++;
    y[e] = put<S>::of(sum / divisor_of<T>(q, b, n));
  }
}

/* Windows first .. last of dim d that may contain position i. */
DEV void windows_around(const window_args &q, int d, int64_t i, int64_t *first, int64_t *last) {
  if (q.adaptive) {
    *first = i * q.out[d] / q.in[d];
    *last = ((i + 1) * q.out[d] + q.in[d] - 1) / q.in[d] - 1;
  } else {
    int64_t reach = q.dil[d] * (q.k[d] - 1), v = i + q.pad[d];
    *first = v > reach ? (v - reach + q.stride[d] - 1) / q.stride[d] : 0;
    *last = v / q.stride[d];
  }
  if (*last >= q.out[d]) *last = q.out[d] - 1;
}
DEV bool holds(const span &s, int64_t i) {
  return i >= s.from && i < s.until && (i - s.from) % s.step == 0;
}

template <class S>
__global__ void __launch_bounds__(THREADS) avg_pool_grad_kernel(window_args q, S *gx, const S *g) {
  typedef typename compute<S>::T T;
  FOR_EACH(e, q.planes * q.nin.d) {
    const S *plane = g + e / q.nin * q.nout.d;
    int64_t i = e % q.nin, at[3] = {i / q.in[2] / q.in[1], i / q.in[2] % q.in[1], i % q.in[2]};
    int64_t first[3], last[3];
    for (int d = 0; d < 3; d++) windows_around(q, d, at[d], &first[d], &last[d]);
    T sum = 0;
    for (int64_t z = first[0]; z <= last[0]; z++)
      for (int64_t v = first[1]; v <= last[1]; v++)
        for (int64_t w = first[2]; w <= last[2]; w++) {
          int64_t o = (z * q.out[1] + v) * q.out[2] + w;
          box b = box_at(q, o);
          if (holds(b.d[0], at[0]) && holds(b.d[1], at[1]) && holds(b.d[2], at[2]))
            sum += load(plane[o]) / divisor_of<T>(q, b, elements_of(b));
        }
    gx[e] = put<S>::of(sum);
  }
}

template <class S>
static void launch_max(cudaStream_t s, const window_args &q, void *y, int64_t *index,
                       const void *x) {
  LAUNCH((max_pool_kernel<S>), looped(q.planes * q.nout.d), THREADS, 0, s, q, (S *)y, index,
         (const S *)x);
}
template <class S>
static void launch_avg(cudaStream_t s, const window_args &q, void *y, const void *x) {
  LAUNCH((avg_pool_kernel<S>), looped(q.planes * q.nout.d), THREADS, 0, s, q, (S *)y, (const S *)x);
}
template <class S>
static void launch_grad(cudaStream_t s, const window_args &q, void *gx, const void *g) {
  LAUNCH((avg_pool_grad_kernel<S>), looped(q.planes * q.nin.d), THREADS, 0, s, q, (S *)gx,
         (const S *)g);
}

bool pti_cuda_max_pool(int dev, const pti_window *p, const void *x, void *y, int64_t *index,
                       int base) {
  cudaStream_t s = pti_stream(dev);
  window_args q = args_of(p, base);
  if (s == NULL) return false;
  if (q.planes * q.nout.d == 0) return true;
  if (!BY_FLOAT(p->dtype, launch_max, s, q, y, index, x))
    return pti_no_kernel("max_pool", p->dtype);
  return launched("max_pool");
}
bool pti_cuda_avg_pool(int dev, const pti_window *p, const void *x, void *y) {
  cudaStream_t s = pti_stream(dev);
  window_args q = args_of(p, 0);
  if (s == NULL) return false;
  if (q.planes * q.nout.d == 0) return true;
  if (!BY_FLOAT(p->dtype, launch_avg, s, q, y, x)) return pti_no_kernel("avg_pool", p->dtype);
  return launched("avg_pool");
}
bool pti_cuda_avg_pool_grad(int dev, const pti_window *p, const void *g, void *gx) {
  cudaStream_t s = pti_stream(dev);
  window_args q = args_of(p, 0);
  if (s == NULL) return false;
  if (q.planes * q.nin.d == 0) return true;
  if (!BY_FLOAT(p->dtype, launch_grad, s, q, gx, g)) return pti_no_kernel("avg_pool", p->dtype);
  return launched("avg_pool backward");
}
