/* conv.cu: convolution in one to three dims, its gradient for the input (the transposed convolution) and
   for the weight. Few groups: patches are packed for some images at a time and multiplied; many groups
   (depthwise): each element is summed by itself. No two threads add to one element, so sums have one
   order. x (n, c, in...)  w (o, c / groups, k...)  y (n, o, out...), all dense. */
#include "common.cuh"
#include "slots.cuh"

enum { FEW_GROUPS = 4 };
const int64_t SCRATCH = 64 << 20; /* bytes of patches at a time */

struct conv_args {
  int64_t n, c, o, groups; /* c and o: of a group */
  int64_t in[3], out[3], k[3], stride[3], pad[3], dil[3];
  int64_t nin, nout, taps;
};

static conv_args args_of(const pti_conv *p) {
  conv_args q;
  memset(&q, 0, sizeof q);
  q.n = p->n;
  q.c = p->c / p->groups;
  q.o = p->o / p->groups;
  q.groups = p->groups;
  q.nin = q.nout = q.taps = 1;
  for (int d = 0; d < 3; d++) {
    q.nin *= q.in[d] = p->in[d];
    q.nout *= q.out[d] = p->out[d];
    q.taps *= q.k[d] = p->k[d];
    q.stride[d] = p->stride[d];
    q.pad[d] = p->pad[d];
    q.dil[d] = p->dil[d];
  }
  return q;
}

/* The input element that output position `at` reads with tap `tap`; -1 outside. */
DEV int64_t input_at(const conv_args &q, int64_t at, int64_t tap) {
  int64_t z = at / q.out[2] / q.out[1] * q.stride[0] + tap / q.k[2] / q.k[1] * q.dil[0] - q.pad[0];
  int64_t y = at / q.out[2] % q.out[1] * q.stride[1] + tap / q.k[2] % q.k[1] * q.dil[1] - q.pad[1];
  int64_t x = at % q.out[2] * q.stride[2] + tap % q.k[2] * q.dil[2] - q.pad[2];
  if (z < 0 || z >= q.in[0] || y < 0 || y >= q.in[1] || x < 0 || x >= q.in[2]) return -1;
  return (z * q.in[1] + y) * q.in[2] + x;
}
/* The output position that reads coordinate i of dim d with tap t; -1 where none does. */
DEV int64_t output_at(const conv_args &q, int d, int64_t i, int64_t t) {
  int64_t v = i + q.pad[d] - t * q.dil[d], o = v / q.stride[d];
  return v >= 0 && v % q.stride[d] == 0 && o < q.out[d] ? o : -1;
}
/* The same for an input element and a tap in three dims. */
DEV int64_t reader_of(const conv_args &q, int64_t i, int64_t tap) {
  int64_t z = output_at(q, 0, i / q.in[2] / q.in[1], tap / q.k[2] / q.k[1]);
  int64_t y = output_at(q, 1, i / q.in[2] % q.in[1], tap / q.k[2] % q.k[1]);
  int64_t x = output_at(q, 2, i % q.in[2], tap % q.k[2]);
  return z < 0 || y < 0 || x < 0 ? -1 : (z * q.out[1] + y) * q.out[2] + x;
}

/* ---- patches: col (c taps, images, out) of `images` images from `first`, group g ---- */

template <class T>
__global__ void __launch_bounds__(THREADS)
    take_patches(conv_args q, T *col, const T *x, int64_t first, int64_t images, int64_t g) {
  FOR_EACH(e, q.c * q.taps * images * q.nout) {
    int64_t at = e % q.nout, n = e / q.nout % images, row = e / q.nout / images;
    int64_t i = input_at(q, at, row % q.taps);
    int64_t plane = ((first + n) * q.groups + g) * q.c + row / q.taps;
    col[e] = i < 0 ? T(0) : x[plane * q.nin + i];
  }
}
/* x = bias + what its patches hold. */
template <class T>
__global__ void __launch_bounds__(THREADS)
    give_patches(conv_args q, T *x, const T *col, const T *bias, int64_t first, int64_t images,
                 int64_t g) {
  FOR_EACH(e, images * q.c * q.nin) {
    int64_t i = e % q.nin, c = e / q.nin % q.c, n = e / q.nin / q.c;
    T sum = bias ? bias[g * q.c + c] : T(0);
    for (int64_t tap = 0; tap < q.taps; tap++) {
      int64_t at = reader_of(q, i, tap);
      if (at >= 0) sum += col[((c * q.taps + tap) * images + n) * q.nout + at];
    }
    x[(((first + n) * q.groups + g) * q.c + c) * q.nin + i] = sum;
  }
}
/* (o, images, out) of y (n, groups o, out) */
template <class T>
__global__ void __launch_bounds__(THREADS)
    take_outputs(conv_args q, T *to, const T *y, int64_t first, int64_t images, int64_t g) {
  FOR_EACH(e, q.o * images * q.nout) {
    int64_t at = e % q.nout, n = e / q.nout % images, o = e / q.nout / images;
    to[e] = y[(((first + n) * q.groups + g) * q.o + o) * q.nout + at];
  }
}
template <class T>
__global__ void __launch_bounds__(THREADS) start_with_bias(conv_args q, T *y, const T *bias) {
  FOR_EACH(e, q.n * q.groups * q.o * q.nout) y[e] = bias[e / q.nout % (q.groups * q.o)];
}

/* ---- one element each ---- */

template <class T>
__global__ void __launch_bounds__(THREADS)
    direct_conv(conv_args q, T *y, const T *x, const T *w, const T *bias) {
  FOR_EACH(e, q.n * q.groups * q.o * q.nout) {
    int64_t at = e % q.nout, channel = e / q.nout % (q.groups * q.o),
            n = e / q.nout / (q.groups * q.o);
    const T *plane = x + (n * q.groups + channel / q.o) * q.c * q.nin;
    T sum = bias ? bias[channel] : T(0);
    for (int64_t k = 0; k < q.c * q.taps; k++) {
      int64_t i = input_at(q, at, k % q.taps);
      if (i >= 0) sum += w[channel * q.c * q.taps + k] * plane[k / q.taps * q.nin + i];
    }
    y[e] = sum;
  }
}
template <class T>
__global__ void __launch_bounds__(THREADS)
    direct_data(conv_args q, T *x, const T *g, const T *w, const T *bias) {
  FOR_EACH(e, q.n * q.groups * q.c * q.nin) {
    int64_t i = e % q.nin, channel = e / q.nin % (q.groups * q.c), n = e / q.nin / (q.groups * q.c);
    int64_t group = channel / q.c, c = channel % q.c;
    T sum = bias ? bias[channel] : T(0);
    for (int64_t tap = 0; tap < q.taps; tap++) {
      int64_t at = reader_of(q, i, tap);
      if (at < 0) continue;
      for (int64_t o = group * q.o; o < (group + 1) * q.o; o++)
        sum += w[(o * q.c + c) * q.taps + tap] * g[(n * q.groups * q.o + o) * q.nout + at];
    }
    x[e] = sum;
  }
}
/* A block per weight. */
template <class T>
__global__ void __launch_bounds__(THREADS)
    direct_weight(conv_args q, T *w, const T *x, const T *g) {
  int64_t tap = blockIdx.x % q.taps, c = blockIdx.x / q.taps % q.c, o = blockIdx.x / q.taps / q.c;
  double sum = 0;
  for (int64_t e = threadIdx.x; e < q.n * q.nout; e += THREADS) {
    int64_t at = e % q.nout, n = e / q.nout, i = input_at(q, at, tap);
    if (i >= 0)
      sum += (double)(x[((n * q.groups + o / q.o) * q.c + c) * q.nin + i] *
                      g[(n * q.groups * q.o + o) * q.nout + at]);
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) w[blockIdx.x] = (T)sum;
}

/* ---- slots ---- */

static bool product(int dev, pt_dtype dtype, bool ta, bool tb, int64_t m, int64_t n, int64_t k,
                    const void *a, int64_t lda, int64_t sa, const void *b, int64_t ldb, int64_t sb,
                    double beta, void *c, int64_t ldc, int64_t sc, int64_t batch) {
  pti_gemm g = {dtype, ta, tb, m, n, k, lda, ldb, ldc, batch, sa, sb, sc, 1, beta, a, b, c};
  return pti_cuda_gemm(dev, &g);
}

/* Runs `work` for some images and one group at a time, with scratch for `rows` rows of (images, out). */
template <class T, class Work>
static bool by_images(int dev, const conv_args &q, int64_t rows, Work work) {
  int64_t each = rows * q.nout * (int64_t)sizeof(T), images = each ? SCRATCH / each : q.n;
  images = images < 1 ? 1 : images > q.n ? q.n : images;
  T *scratch = (T *)pti_scratch(dev, (size_t)(each * images));
  if (scratch == NULL) return false;
  bool ok = true;
  for (int64_t first = 0; first < q.n && ok; first += images) {
    int64_t many = q.n - first < images ? q.n - first : images;
    for (int64_t g = 0; g < q.groups && ok; g++) ok = work(scratch, first, many, g);
  }
  pti_scratch_free(dev, scratch, (size_t)(each * images));
  return ok;
}

template <class T>
static void forward(int dev, cudaStream_t s, pt_dtype dtype, const conv_args &q, const void *px,
                    const void *pw, const void *bias, void *py, bool *ok) {
  const T *x = (const T *)px, *w = (const T *)pw;
  T *y = (T *)py;
  int64_t outputs = q.n * q.groups * q.o * q.nout, k = q.c * q.taps;
  if (q.groups > FEW_GROUPS || k == 0) {
    LAUNCH((direct_conv<T>), looped(outputs), THREADS, 0, s, q, y, x, w, (const T *)bias);
    return;
  }
  if (bias) LAUNCH((start_with_bias<T>), looped(outputs), THREADS, 0, s, q, y, (const T *)bias);
  *ok = by_images<T>(dev, q, k, [&](T *col, int64_t first, int64_t images, int64_t g) {
    LAUNCH((take_patches<T>), looped(k * images * q.nout), THREADS, 0, s, q, col, x, first, images,
           g);
    return launched("convolution") &&
           product(dev, dtype, false, false, q.o, q.nout, k, w + g * q.o * k, k, 0, col,
                   images * q.nout, q.nout, bias ? 1 : 0, y + (first * q.groups + g) * q.o * q.nout,
                   q.nout, q.groups * q.o * q.nout, images);
  });
}
template <class T>
static void data(int dev, cudaStream_t s, pt_dtype dtype, const conv_args &q, const void *pg,
                 const void *pw, const void *bias, void *px, bool *ok) {
  const T *gy = (const T *)pg, *w = (const T *)pw;
  T *x = (T *)px;
  int64_t k = q.c * q.taps;
  if (q.groups > FEW_GROUPS || q.o == 0 || q.nout == 0 || k == 0) {
    LAUNCH((direct_data<T>), looped(q.n * q.groups * q.c * q.nin), THREADS, 0, s, q, x, gy, w,
           (const T *)bias);
    return;
  }
  *ok = by_images<T>(dev, q, k, [&](T *col, int64_t first, int64_t images, int64_t g) {
    if (!product(dev, dtype, true, false, k, q.nout, q.o, w + g * q.o * k, k, 0,
                 gy + (first * q.groups + g) * q.o * q.nout, q.nout, q.groups * q.o * q.nout, 0,
                 col, images * q.nout, q.nout, images))
      return false;
    LAUNCH((give_patches<T>), looped(images * q.c * q.nin), THREADS, 0, s, q, x, (const T *)col,
           (const T *)bias, first, images, g);
    return launched("convolution");
  });
}
template <class T>
static void weight(int dev, cudaStream_t s, pt_dtype dtype, const conv_args &q, const void *px,
                   const void *pg, void *pw, bool *ok) {
  const T *x = (const T *)px, *gy = (const T *)pg;
  T *w = (T *)pw;
  int64_t k = q.c * q.taps;
  if (q.groups > FEW_GROUPS || q.n * q.nout == 0) {
    LAUNCH((direct_weight<T>), (unsigned)(q.groups * q.o * k), THREADS, 0, s, q, w, x, gy);
    return;
  }
  *ok = by_images<T>(dev, q, k + q.o, [&](T *col, int64_t first, int64_t images, int64_t g) {
    T *out = col + k * images * q.nout;
    LAUNCH((take_patches<T>), looped(k * images * q.nout), THREADS, 0, s, q, col, x, first, images,
           g);
    LAUNCH((take_outputs<T>), looped(q.o * images * q.nout), THREADS, 0, s, q, out, gy, first,
           images, g);
    return launched("convolution") &&
           product(dev, dtype, false, true, q.o, k, images * q.nout, out, images * q.nout, 0, col,
                   images * q.nout, 0, first ? 1 : 0, w + g * q.o * k, k, 0, 1);
  });
}

bool pti_cuda_conv(int dev, const pti_conv *p, const void *x, const void *w, const void *bias,
                   void *y) {
  conv_args q = args_of(p);
  cudaStream_t s = pti_stream(dev);
  bool ok = true;
  if (s == NULL) return false;
  if (q.n * q.groups * q.o * q.nout == 0) return true;
  if (!BY_WIDE(p->dtype, forward, dev, s, p->dtype, q, x, w, bias, y, &ok))
    return pti_no_kernel("convolution", p->dtype);
  return ok && launched("convolution");
}
bool pti_cuda_conv_data(int dev, const pti_conv *p, const void *g, const void *w, const void *bias,
                        void *x) {
  conv_args q = args_of(p);
  cudaStream_t s = pti_stream(dev);
  bool ok = true;
  if (s == NULL) return false;
  if (q.n * q.groups * q.c * q.nin == 0) return true;
  if (!BY_WIDE(p->dtype, data, dev, s, p->dtype, q, g, w, bias, x, &ok))
    return pti_no_kernel("convolution", p->dtype);
  return ok && launched("convolution backward");
}
bool pti_cuda_conv_weight(int dev, const pti_conv *p, const void *x, const void *g, void *w) {
  conv_args q = args_of(p);
  cudaStream_t s = pti_stream(dev);
  bool ok = true;
  if (s == NULL) return false;
  if (q.groups * q.o * q.c * q.taps == 0) return true;
  if (!BY_WIDE(p->dtype, weight, dev, s, p->dtype, q, x, g, w, &ok))
    return pti_no_kernel("convolution", p->dtype);
  return ok && launched("convolution backward");
}
