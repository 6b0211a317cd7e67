/* conv.cu: convolution in one to three dims, its gradient for the input (the transposed convolution) and
   for the weight. With few groups, patches are packed for some images at a time and multiplied; with many
   groups (depthwise), each element is summed by itself. No two threads add to one element, so sums have
   a fixed order. Halves are multiplied as they are, by tensor cores, and summed in float.
   x (n, c, in...)  w (o, c / groups, k...)  y (n, o, out...), all dense. */
#include "common.cuh"
#include "gemm.cuh"
#include "slots.cuh"

enum {
  FEW_GROUPS = 4,
  BUSY = 256 /* tiles that fill a device */,
  PART = 1024 /* least part of a sum */
};
const int64_t SCRATCH = 64 << 20; /* bytes of patches at a time */

struct conv_args {
  int64_t n, c, o, groups; /* c and o: of a group */
  int in[3], out[3], k[3], stride[3], pad[3], dil[3];
  int nin, nout, taps;
};

/* False where a plane has too many elements for an int. */
static bool args_of(const pti_conv *p, conv_args *q) {
  int64_t nin = 1, nout = 1, taps = 1, most = 0;
  memset(q, 0, sizeof *q);
  q->n = p->n;
  q->c = p->c / p->groups;
  q->o = p->o / p->groups;
  q->groups = p->groups;
  for (int d = 0; d < 3; d++) {
    q->in[d] = (int)p->in[d], q->out[d] = (int)p->out[d], q->k[d] = (int)p->k[d];
    q->stride[d] = (int)p->stride[d], q->pad[d] = (int)p->pad[d], q->dil[d] = (int)p->dil[d];
    nin *= p->in[d], nout *= p->out[d], taps *= p->k[d];
    int64_t reach = p->in[d] + 2 * p->pad[d] + p->stride[d];
    most = reach > most ? reach : most;
  }
  q->nin = (int)nin, q->nout = (int)nout, q->taps = (int)taps;
  most = nin > most ? nin : most;
  most = nout > most ? nout : most;
  if (most < INT32_MAX && taps < INT32_MAX) return true;
  pti_host->fail(PT_ESHAPE, "convolution: planes of %lld elements; the device takes 2^31 - 1",
                 (long long)most);
  return false;
}

/* Planes go into blockIdx.y, their elements into blockIdx.x. */
#define FOR_PLANES(p, n) for (int64_t p = blockIdx.y; p < (n); p += gridDim.y)
#define FOR_ELEMENTS(i, n) \
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += gridDim.x * blockDim.x)
static unsigned threads_for(int64_t n) {
  return n >= THREADS ? (unsigned)THREADS : (unsigned)(n + 31) / 32 * 32;
}
static dim3 grid_for(int64_t n, int64_t planes) {
  return dim3(looped(n, threads_for(n)), (unsigned)(planes > 65535 ? 65535 : planes));
}

/* The input element that output position `at` reads with tap `tap`; -1 outside. */
DEV int input_at(const conv_args &q, int at, int tap) {
  int z = at / q.out[2] / q.out[1] * q.stride[0] + tap / q.k[2] / q.k[1] * q.dil[0] - q.pad[0];
  int y = at / q.out[2] % q.out[1] * q.stride[1] + tap / q.k[2] % q.k[1] * q.dil[1] - q.pad[1];
  int x = at % q.out[2] * q.stride[2] + tap % q.k[2] * q.dil[2] - q.pad[2];
  if (z < 0 || z >= q.in[0] || y < 0 || y >= q.in[1] || x < 0 || x >= q.in[2]) return -1;
  return (z * q.in[1] + y) * q.in[2] + x;
}
/* The output position that reads coordinate i of dim d with tap t; -1 where none does. */
DEV int output_at(const conv_args &q, int d, int i, int t) {
  int v = i + q.pad[d] - t * q.dil[d], o = v / q.stride[d];
  return v >= 0 && o * q.stride[d] == v && o < q.out[d] ? o : -1;
}
/* The same for an input element and a tap in three dims. */
DEV int reader_of(const conv_args &q, int i, int tap) {
  int z = output_at(q, 0, i / q.in[2] / q.in[1], tap / q.k[2] / q.k[1]);
  int y = output_at(q, 1, i / q.in[2] % q.in[1], tap / q.k[2] % q.k[1]);
  int x = output_at(q, 2, i % q.in[2], tap % q.k[2]);
  return z < 0 || y < 0 || x < 0 ? -1 : (z * q.out[1] + y) * q.out[2] + x;
}

/* ---- patches: col (c taps, images, out) of `images` images from `first`, group g ---- */

template <class S>
__global__ void __launch_bounds__(THREADS)
    take_patches(conv_args q, S *col, const S *x, int64_t first, int images, int64_t g) {
  FOR_PLANES(row, q.c * q.taps) {
    int tap = (int)(row % q.taps);
    const S *from = x + ((first * q.groups + g) * q.c + row / q.taps) * q.nin;
    S *to = col + row * images * q.nout;
    FOR_ELEMENTS(e, images * q.nout) {
      int i = input_at(q, e % q.nout, tap);
      to[e] = i < 0 ? S() : from[(int64_t)(e / q.nout) * q.groups * q.c * q.nin + i];
    }
  }
}
/* x = bias + the sum of its patches, which are of the type in which sums are computed. */
template <class S>
__global__ void __launch_bounds__(THREADS)
    give_patches(conv_args q, S *x, const typename compute<S>::T *col, const S *bias, int64_t first,
                 int images, int64_t g) {
  typedef typename compute<S>::T T;
  FOR_PLANES(plane, images * q.c) {
    int64_t c = plane % q.c, n = plane / q.c;
    const T *from = col + (c * q.taps * images + n) * q.nout;
    S *to = x + (((first + n) * q.groups + g) * q.c + c) * q.nin;
    FOR_ELEMENTS(i, q.nin) {
      T sum = bias ? load(bias[g * q.c + c]) : T(0);
      for (int tap = 0; tap < q.taps; tap++) {
        int at = reader_of(q, i, tap);
        if (at >= 0) sum += from[(int64_t)tap * images * q.nout + at];
      }
      to[i] = put<S>::of(sum);
    }
  }
}
/* (o, images, out) of y (n, groups o, out) */
template <class S>
__global__ void __launch_bounds__(THREADS)
    take_outputs(conv_args q, S *to, const S *y, int64_t first, int images, int64_t g) {
  FOR_PLANES(plane, q.o * images) {
    int64_t n = plane % images, o = plane / images;
    const S *from = y + (((first + n) * q.groups + g) * q.o + o) * q.nout;
    FOR_ELEMENTS(i, q.nout) to[plane * q.nout + i] = from[i];
  }
}
template <class S>
__global__ void __launch_bounds__(THREADS) start_with_bias(conv_args q, S *y, const S *bias) {
  FOR_PLANES(plane, q.n * q.groups * q.o) {
    S b = bias[plane % (q.groups * q.o)];
    FOR_ELEMENTS(i, q.nout) y[plane * q.nout + i] = b;
  }
}
/* The parts of a weight gradient in their order; `sum` carries it from one piece of the batch to the next. */
template <class S>
__global__ void __launch_bounds__(THREADS)
    add_parts(S *w, typename compute<S>::T *sum, const typename compute<S>::T *part, int64_t n,
              int64_t parts, bool begin, bool end) {
  typedef typename compute<S>::T T;
  FOR_EACH(i, n) {
    double v = begin ? 0 : (double)sum[i];
    for (int64_t p = 0; p < parts; p++) v += (double)part[p * n + i];
    if (end) w[i] = put<S>::of((T)v);
    else sum[i] = (T)v;
  }
}

/* ---- one element each ---- */

template <class S>
__global__ void __launch_bounds__(THREADS)
    direct_conv(conv_args q, S *y, const S *x, const S *w, const S *bias) {
  typedef typename compute<S>::T T;
  FOR_PLANES(plane, q.n * q.groups * q.o) {
    int64_t channel = plane % (q.groups * q.o), n = plane / (q.groups * q.o);
    const S *from = x + (n * q.groups + channel / q.o) * q.c * q.nin;
    FOR_ELEMENTS(at, q.nout) {
      T sum = bias ? load(bias[channel]) : T(0);
      for (int64_t c = 0; c < q.c; c++) {
        const S *taps = w + (channel * q.c + c) * q.taps;
        for (int tap = 0; tap < q.taps; tap++) {
          int i = input_at(q, at, tap);
          if (i >= 0) sum += load(taps[tap]) * load(from[c * q.nin + i]);
        }
      }
      y[plane * q.nout + at] = put<S>::of(sum);
    }
  }
}
template <class S>
__global__ void __launch_bounds__(THREADS)
    direct_data(conv_args q, S *x, const S *g, const S *w, const S *bias) {
  typedef typename compute<S>::T T;
  FOR_PLANES(plane, q.n * q.groups * q.c) {
    int64_t channel = plane % (q.groups * q.c), n = plane / (q.groups * q.c);
    int64_t first = channel / q.c * q.o, c = channel % q.c;
    FOR_ELEMENTS(i, q.nin) {
      T sum = bias ? load(bias[channel]) : T(0);
      for (int tap = 0; tap < q.taps; tap++) {
        int at = reader_of(q, i, tap);
        if (at < 0) continue;
        for (int64_t o = first; o < first + q.o; o++)
          sum += load(w[(o * q.c + c) * q.taps + tap]) *
              load(g[(n * q.groups * q.o + o) * q.nout + at]);
      }
      x[plane * q.nin + i] = put<S>::of(sum);
    }
  }
}
/* A block per weight. */
template <class S>
__global__ void __launch_bounds__(THREADS)
    direct_weight(conv_args q, S *w, const S *x, const S *g) {
  int tap = (int)(blockIdx.x % q.taps);
  int64_t c = blockIdx.x / q.taps % q.c, o = blockIdx.x / q.taps / q.c;
  const S *from = x + (o / q.o * q.c + c) * q.nin, *to = g + o * q.nout;
  double sum = 0;
  for (int64_t n = 0; n < q.n; n++, from += q.groups * q.c * q.nin, to += q.groups * q.o * q.nout) {
    for (int at = threadIdx.x; at < q.nout; at += THREADS) {
      int i = input_at(q, at, tap);
      if (i >= 0) sum += (double)(load(from[i]) * load(to[at]));
    }
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) w[blockIdx.x] = put<S>::of((typename compute<S>::T)sum);
}

/* ---- slots ---- */

struct operand {
  const void *p;
  int64_t ld, step;
};
/* c (m, n) = a b, of `out`: the dtype, or float32 for sums of halves. */
static bool product(int dev, pt_dtype dtype, pt_dtype out, bool ta, bool tb, int64_t m, int64_t n,
                    int64_t k, operand a, operand b, double beta, void *c, int64_t ldc,
                    int64_t step, int64_t batch) {
  pti_gemm g = {dtype,  ta,     tb,   m, n,    k,   a.ld, b.ld, ldc, batch,
                a.step, b.step, step, 1, beta, a.p, b.p,  c,    NULL};
  return gemm_to(dev, &g, out);
}
static pt_dtype sums_of(pt_dtype dtype) { return dtype == PT_F64 ? PT_F64 : PT_F32; }

/* Runs `work` for some images and one group at a time, with scratch of `rows` rows of (images, out). */
template <class E, class Work>
static bool by_images(int dev, const conv_args &q, int64_t rows, Work work) {
  int64_t each = rows * q.nout * (int64_t)sizeof(E), images = each ? SCRATCH / each : q.n;
  images = images < 1 ? 1 : images > q.n ? q.n : images;
  while (images > 1 && images * q.nout > INT32_MAX) images /= 2;
  E *scratch = (E *)pti_scratch(dev, (size_t)(each * images));
  if (scratch == NULL) return false;
  bool ok = true;
  for (int64_t first = 0; first < q.n && ok; first += images) {
    int many = (int)(q.n - first < images ? q.n - first : images);
    for (int64_t g = 0; g < q.groups && ok; g++) ok = work(scratch, first, many, g);
  }
  pti_scratch_free(dev, scratch, (size_t)(each * images));
  return ok;
}

template <class S>
static void patches(cudaStream_t s, const conv_args &q, S *col, const S *x, int64_t first,
                    int images, int64_t g) {
  int64_t n = (int64_t)images * q.nout;
  LAUNCH((take_patches<S>), grid_for(n, q.c * q.taps), threads_for(n), 0, s, q, col, x, first,
         images, g);
}

template <class S>
static void forward(int dev, cudaStream_t s, pt_dtype dtype, const conv_args &q, const void *px,
                    const void *pw, const void *bias, void *py, bool *ok) {
  const S *x = (const S *)px, *w = (const S *)pw;
  S *y = (S *)py;
  int64_t planes = q.n * q.groups * q.o, k = q.c * q.taps;
  dim3 grid = grid_for(q.nout, planes);
  if (q.groups > FEW_GROUPS || k == 0) {
    LAUNCH((direct_conv<S>), grid, threads_for(q.nout), 0, s, q, y, x, w, (const S *)bias);
    return;
  }
  if (bias) LAUNCH((start_with_bias<S>), grid, threads_for(q.nout), 0, s, q, y, (const S *)bias);
  *ok = by_images<S>(dev, q, k, [&](S *col, int64_t first, int images, int64_t g) {
    patches(s, q, col, x, first, images, g);
    return launched("convolution") &&
        product(dev, dtype, dtype, false, false, q.o, q.nout, k, {w + g * q.o * k, k, 0},
                {col, (int64_t)images * q.nout, q.nout}, bias ? 1 : 0,
                y + (first * q.groups + g) * q.o * q.nout, q.nout, q.groups * q.o * q.nout, images);
  });
}
template <class S>
static void data(int dev, cudaStream_t s, pt_dtype dtype, const conv_args &q, const void *pg,
                 const void *pw, const void *bias, void *px, bool *ok) {
  typedef typename compute<S>::T T;
  const S *gy = (const S *)pg, *w = (const S *)pw;
  S *x = (S *)px;
  int64_t k = q.c * q.taps;
  unsigned threads = threads_for(q.nin);
  if (q.groups > FEW_GROUPS || q.o == 0 || q.nout == 0 || k == 0) {
    LAUNCH((direct_data<S>), grid_for(q.nin, q.n * q.groups * q.c), threads, 0, s, q, x, gy, w,
           (const S *)bias);
    return;
  }
  *ok = by_images<T>(dev, q, k, [&](T *col, int64_t first, int images, int64_t g) {
    operand out = {gy + (first * q.groups + g) * q.o * q.nout, q.nout, q.groups * q.o * q.nout};
    if (!product(dev, dtype, sums_of(dtype), true, false, k, q.nout, q.o, {w + g * q.o * k, k, 0},
                 out, 0, col, (int64_t)images * q.nout, q.nout, images))
      return false;
    LAUNCH((give_patches<S>), grid_for(q.nin, images * q.c), threads, 0, s, q, x, (const T *)col,
           (const S *)bias, first, images, g);
    return launched("convolution");
  });
}

/* A few tiles with long sums would leave the device idle: sums are split into parts, by shape alone. */
static int64_t parts_of(const conv_args &q, int64_t k, int64_t length) {
  int64_t tiles = ((q.o + 63) / 64) * ((k + 63) / 64), parts = BUSY / tiles, most = length / PART;
  parts = parts > most ? most : parts;
  return parts < 1 ? 1 : parts;
}
template <class S>
static void weight(int dev, cudaStream_t s, pt_dtype dtype, const conv_args &q, const void *px,
                   const void *pg, void *pw, bool *ok) {
  typedef typename compute<S>::T T;
  const S *x = (const S *)px, *gy = (const S *)pg;
  S *w = (S *)pw;
  int64_t k = q.c * q.taps, size = q.o * k;
  if (q.groups > FEW_GROUPS || q.n * q.nout == 0) {
    LAUNCH((direct_weight<S>), (unsigned)(q.groups * size), THREADS, 0, s, q, w, x, gy);
    return;
  }
  size_t bytes = (size_t)(size * (q.groups + parts_of(q, k, INT32_MAX) + 1)) * sizeof(T);
  T *sums = (T *)pti_scratch(dev, bytes), *part = sums + size * q.groups;
  if (sums == NULL) {
    *ok = false;
    return;
  }
  *ok = by_images<S>(dev, q, k + q.o, [&](S *col, int64_t first, int images, int64_t g) {
    int64_t length = (int64_t)images * q.nout, parts = parts_of(q, k, length),
            each = length / parts;
    int64_t rest = length - each * parts;
    S *out = col + k * length;
    patches(s, q, col, x, first, images, g);
    LAUNCH((take_outputs<S>), grid_for(q.nout, q.o * images), threads_for(q.nout), 0, s, q, out, gy,
           first, images, g);
    bool fine = launched("convolution") &&
        product(dev, dtype, sums_of(dtype), false, true, q.o, k, each, {out, length, each},
                {col, length, each}, 0, part, k, size, parts);
    if (fine && rest > 0)
      fine = product(dev, dtype, sums_of(dtype), false, true, q.o, k, rest,
                     {out + each * parts, length, 0}, {col + each * parts, length, 0}, 0,
                     part + parts * size, k, 0, 1);
    LAUNCH((add_parts<S>), looped(size), THREADS, 0, s, w + g * size, sums + g * size,
           (const T *)part, size, parts + (rest > 0), first == 0, first + images >= q.n);
    return fine && launched("convolution");
  });
  pti_scratch_free(dev, sums, bytes);
}

bool pti_cuda_conv(int dev, const pti_conv *p, const void *x, const void *w, const void *bias,
                   void *y) {
  conv_args q;
  cudaStream_t s = pti_stream(dev);
  bool ok = true;
  if (s == NULL || !args_of(p, &q)) return false;
  if (q.n * q.groups * q.o * q.nout == 0) return true;
  if (!BY_FLOAT(p->dtype, forward, dev, s, p->dtype, q, x, w, bias, y, &ok))
    return pti_no_kernel("convolution", p->dtype);
  return ok && launched("convolution");
}
bool pti_cuda_conv_data(int dev, const pti_conv *p, const void *g, const void *w, const void *bias,
                        void *x) {
  conv_args q;
  cudaStream_t s = pti_stream(dev);
  bool ok = true;
  if (s == NULL || !args_of(p, &q)) return false;
  if (q.n * q.groups * q.c * q.nin == 0) return true;
  if (!BY_FLOAT(p->dtype, data, dev, s, p->dtype, q, g, w, bias, x, &ok))
    return pti_no_kernel("convolution", p->dtype);
  return ok && launched("convolution backward");
}
bool pti_cuda_conv_weight(int dev, const pti_conv *p, const void *x, const void *g, void *w) {
  conv_args q;
  cudaStream_t s = pti_stream(dev);
  bool ok = true;
  if (s == NULL || !args_of(p, &q)) return false;
  if (q.groups * q.o * q.c * q.taps == 0) return true;
  if (!BY_FLOAT(p->dtype, weight, dev, s, p->dtype, q, x, g, w, &ok))
    return pti_no_kernel("convolution", p->dtype);
  return ok && launched("convolution backward");
}
