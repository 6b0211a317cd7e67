/* fft.cu: Fourier transforms of any length, by Stockham passes of radix 2 to 13, which need no reordering: a pass of
   radix p reads p numbers n / p apart and writes them side by side. Short lines stay in shared memory for all passes;
   long ones make a pass for each trip through memory. Lengths with larger prime factors become a convolution of a
   length that is a power of two (Bluestein). The inverse is the forward transform with real and imaginary parts
   exchanged on the way in and out. See kernels/cpu/fft/fft.c. */
#include "common.cuh"

enum { SHARED_BYTES = 48 << 10, BLOCK_POINTS = 1024 };

template <class T> struct alignas(2 * sizeof(T)) cpx { T re, im; };

template <class T> DEV cpx<T> plus(cpx<T> a, cpx<T> b) { return cpx<T>{a.re + b.re, a.im + b.im}; }
template <class T> DEV cpx<T> minus(cpx<T> a, cpx<T> b) { return cpx<T>{a.re - b.re, a.im - b.im}; }
template <class T> DEV cpx<T> times(cpx<T> a, cpx<T> b) {
  return cpx<T>{a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
template <class T> DEV cpx<T> turned(cpx<T> a) { return cpx<T>{a.im, -a.re}; } /* times -i */
template <class T> DEV cpx<T> swapped(cpx<T> a) { return cpx<T>{a.im, a.re}; }

/* exp(-2 pi i k / n), 0 <= k < n: reduced to the first eighth of a turn, so that multiples of a quarter are exact. */
template <class T> DEV cpx<T> unit(int64_t k, int64_t n) {
  int64_t k8 = 8 * k, octant = k8 / n, low = k8 - octant * n;
  if (octant & 1) low = n - low;
  double angle = 6.283185307179586476925286766559 * (double)low / (8.0 * (double)n);
  double c = cos(angle), s = sin(angle);
  bool swap = (octant & 3) == 1 || (octant & 3) == 2;
  double x = swap ? s : c, y = swap ? c : s;
  return cpx<T>{(T)(octant >= 2 && octant < 6 ? -x : x), (T)(octant >= 4 ? y : -y)};
}
template <class T> __global__ void __launch_bounds__(THREADS) fft_twiddles(cpx<T> *w, int64_t n) {
  FOR_EACH(k, n) w[k] = unit<T>(k, n);
}
/* exp(-pi i k k / n): the chirp of Bluestein's algorithm. */
template <class T> __global__ void __launch_bounds__(THREADS) fft_chirp(cpx<T> *w, int64_t n) {
  FOR_EACH(k, n) w[k] = unit<T>(k * k % (2 * n), 2 * n);
}

/* ---- one butterfly ---- */

/* Of a pass of radix P: numbers `far` apart become numbers `s` apart; w: of n points, `turn` apart from one output to
   the next. */
template <class T, int P>
DEV void butterfly(cpx<T> *y, const cpx<T> *x, const cpx<T> *w, uint32_t n, uint32_t far,
                   uint32_t s, uint32_t turn) {
  cpx<T> v[P], u[P];
#pragma unroll
  for (int k = 0; k < P; k++) v[k] = x[(size_t)k * far];
  if (P == 2) {
    u[0] = plus(v[0], v[1]);
    u[1] = minus(v[0], v[1]);
  } else if (P == 4) {
    cpx<T> even = plus(v[0], v[2 % P]), odd = plus(v[1], v[3 % P]), d = minus(v[0], v[2 % P]);
    cpx<T> e = turned(minus(v[1], v[3 % P]));
    u[0] = plus(even, odd);
    u[1] = plus(d, e);
    u[2 % P] = minus(even, odd);
    u[3 % P] = minus(d, e);
  } else {
    cpx<T> root[P];
#pragma unroll
    for (int k = 0; k < P; k++) root[k] = w[k * (n / P)];
#pragma unroll
    for (int o = 0; o < P; o++) {
      u[o] = v[0];
#pragma unroll
      for (int k = 1; k < P; k++) u[o] = plus(u[o], times(v[k], root[o * k % P]));
    }
  }
#pragma unroll
  for (int o = 0; o < P; o++) y[(size_t)o * s] = o ? times(u[o], w[(size_t)turn * o]) : u[o];
}

/* A line of n numbers, each `inner` wide, in passes whose radices are in `codes`, 3 bits each. */
struct passes {
  uint32_t n;
  int count;
  uint64_t codes;
};
static __host__ __device__ __forceinline__ int radix_of(const passes &f, int k) {
  return 0xDB75432 >> 4 * (f.codes >> 3 * k & 7) & 15; /* 2 3 4 5 7 11 13 */
}
/* Butterfly e of a pass: s: width so far, m: what is left of the length after this pass. */
template <class T, int P>
DEV void pass_at(cpx<T> *y, const cpx<T> *x, const cpx<T> *w, uint32_t n, uint32_t s, uint32_t m,
                 uint32_t e) {
  uint32_t j = e / s, q = e - j * s;
  butterfly<T, P>(y + (size_t)s * P * j + q, x + (size_t)s * j + q, w, n, s * m, s,
                  j * (n / (m * P)));
}
/* MOST: the largest radix; few lengths need more than 5, and large ones take many registers. */
template <class T, int MOST>
DEV void pass_of(int p, cpx<T> *y, const cpx<T> *x, const cpx<T> *w, uint32_t n, uint32_t s,
                 uint32_t m, uint32_t e) {
  if (p == 2) pass_at<T, 2>(y, x, w, n, s, m, e);
  else if (p == 3) pass_at<T, 3>(y, x, w, n, s, m, e);
  else if (p == 4) pass_at<T, 4>(y, x, w, n, s, m, e);
  else if (p == 5) pass_at<T, 5>(y, x, w, n, s, m, e);
  else if (MOST > 5 && p == 7) pass_at<T, 7>(y, x, w, n, s, m, e);
  else if (MOST > 5 && p == 11) pass_at<T, 11>(y, x, w, n, s, m, e);
  else if (MOST > 5) pass_at<T, 13>(y, x, w, n, s, m, e);
}

/* ---- what goes in and comes out ---- */

struct fft_args {
  int kind;
  bool inverse;
  int64_t outer, inner;
  uint32_t n, kept; /* points, and how many of them are given */
  double scale;
  const void *x;
  void *y;
};

/* Point i of line (o, c), as the forward transform takes it. */
template <class T> DEV cpx<T> point_in(const fft_args &q, int64_t o, uint32_t i, int64_t c) {
  if (q.kind == PTI_FFT_FROM_REAL) return cpx<T>{((const T *)q.x)[o * q.n + i], T(0)};
  if (q.kind == PTI_FFT_COMPLEX) {
    cpx<T> v = ((const cpx<T> *)q.x)[(o * q.n + i) * q.inner + c];
    return q.inverse ? swapped(v) : v;
  }
  /* the other half of the spectrum is conjugate to this one */
  bool there = i <= q.n / 2;
  cpx<T> v = ((const cpx<T> *)q.x)[o * (q.n / 2 + 1) + (there ? i : q.n - i)];
  if (!there) v.im = -v.im;
  if (i == 0 || 2 * i == q.n) v.im = 0;
  return swapped(v);
}
template <class T>
DEV void point_out(const fft_args &q, int64_t o, uint32_t i, int64_t c, cpx<T> v) {
  T scale = (T)q.scale;
  if (q.kind == PTI_FFT_TO_REAL) {
    ((T *)q.y)[o * q.n + i] = v.im * scale;
    return;
  }
  if (q.inverse) v = swapped(v);
  ((cpx<T> *)q.y)[(o * q.kept + i) * q.inner + c] = cpx<T>{v.re * scale, v.im * scale};
}

/* ---- short lines: `lines` of them in a block ---- */

template <class T, int MOST>
__global__ void __launch_bounds__(THREADS, sizeof(T) == 4 && MOST <= 5 ? 4 : 1)
    fft_short(fft_args q, passes f, const cpx<T> *w, int lines) {
  DYN_SHARED(cpx<T>, memory);
  uint32_t n = f.n, all = (uint32_t)lines * n;
  cpx<T> *a = memory, *b = memory + all;
  int64_t first = (int64_t)blockIdx.x * lines, total = q.outer * q.inner;
  /* neighbouring threads have neighbouring points, or neighbouring lines where those lie side by side */
  for (uint32_t e = threadIdx.x; e < all; e += THREADS) {
    uint32_t i = q.inner > 1 ? e / lines : e % n, l = q.inner > 1 ? e % lines : e / n;
    int64_t line = first + l;
    a[l * n + i] = line < total ? point_in<T>(q, line / q.inner, i, line % q.inner) : cpx<T>{0, 0};
  }
  uint32_t s = 1, m = n;
  for (int k = 0; k < f.count; k++) {
    int p = radix_of(f, k);
    m /= p;
    __syncthreads();
    uint32_t each = s * m;
    for (uint32_t e = threadIdx.x; e < each * lines; e += THREADS) {
      uint32_t l = e / each;
      pass_of<T, MOST>(p, b + l * n, a + l * n, w, n, s, m, e - l * each);
    }
    s *= p;
    cpx<T> *t = a;
    a = b;
    b = t;
  }
  __syncthreads();
  for (uint32_t e = threadIdx.x; e < (uint32_t)lines * q.kept; e += THREADS) {
    uint32_t i = q.inner > 1 ? e / lines : e % q.kept, l = q.inner > 1 ? e % lines : e / q.kept;
    int64_t line = first + l;
    if (line < total) point_out<T>(q, line / q.inner, i, line % q.inner, a[l * n + i]);
  }
}

/* ---- long lines ---- */

/* The lines with `length` points each, zeros behind the n-th; times the chirp where there is one. */
template <class T>
__global__ void __launch_bounds__(THREADS)
    fft_take(fft_args q, cpx<T> *to, int64_t length, const cpx<T> *chirp) {
  FOR_EACH(e, q.outer * length * q.inner) {
    int64_t c = e % q.inner, i = e / q.inner % length, o = e / q.inner / length;
    cpx<T> v = {0, 0};
    if (i < q.n) v = point_in<T>(q, o, (uint32_t)i, c);
    to[e] = chirp && i < q.n ? times(v, chirp[i]) : v;
  }
}
/* The way back: with a chirp, the input is an inverse transform with its parts exchanged. */
template <class T>
__global__ void __launch_bounds__(THREADS)
    fft_give(fft_args q, const cpx<T> *from, int64_t length, const cpx<T> *chirp) {
  T part = (T)(1 / (double)length);
  FOR_EACH(e, q.outer * q.kept * q.inner) {
    int64_t c = e % q.inner, i = e / q.inner % q.kept, o = e / q.inner / q.kept;
    cpx<T> v = from[(o * length + i) * q.inner + c];
    if (chirp) v = times(cpx<T>{v.im * part, v.re * part}, chirp[i]);
    point_out<T>(q, o, (uint32_t)i, c, v);
  }
}
/* blockIdx.y: lines of `outer`. */
template <class T, int P>
__global__ void __launch_bounds__(THREADS)
    fft_pass(cpx<T> *y, const cpx<T> *x, const cpx<T> *w, uint32_t n, uint32_t s, uint32_t m,
             int64_t outer) {
  for (int64_t o = blockIdx.y; o < outer; o += gridDim.y) {
    int64_t at = o * (int64_t)s * m * P;
    for (uint32_t e = blockIdx.x * blockDim.x + threadIdx.x; e < s * m; e += gridDim.x * blockDim.x)
      pass_at<T, P>(y + at, x + at, w, n, s, m, e);
  }
}
/* The conjugate chirp around zero, whose spectrum is needed. */
template <class T>
__global__ void __launch_bounds__(THREADS)
    fft_filter(cpx<T> *to, const cpx<T> *chirp, int64_t n, int64_t length) {
  FOR_EACH(i, length) {
    int64_t k = i < n ? i : length - i;
    to[i] = k < n ? cpx<T>{chirp[k].re, -chirp[k].im} : cpx<T>{0, 0};
  }
}
/* Times the spectrum of the filter, parts exchanged for the way back. */
template <class T>
__global__ void __launch_bounds__(THREADS)
    fft_multiply(cpx<T> *x, const cpx<T> *spectrum, int64_t length, int64_t inner, int64_t total) {
  FOR_EACH(e, total) x[e] = swapped(times(x[e], spectrum[e / inner % length]));
}

/* ---- slots ---- */

static bool factor(int64_t n, passes *f) {
  static const int candidates[] = {4, 2, 3, 5, 7, 11, 13};
  static const int codes[] = {2, 0, 1, 3, 4, 5, 6};
  f->n = (uint32_t)n;
  f->count = 0;
  f->codes = 0;
  for (int c = 0; c < 7; c++) { /* at most 20 factors: n is below 2^31 */
    for (; n % candidates[c] == 0; n /= candidates[c])
      f->codes |= (uint64_t)codes[c] << 3 * f->count++;
  }
  return n == 1;
}

template <class T, int P>
static void one_pass(cudaStream_t s, const passes &f, int64_t outer, cpx<T> *to, const cpx<T> *from,
                     const cpx<T> *w, uint32_t width, uint32_t m) {
  dim3 grid(looped((int64_t)width * m), (unsigned)(outer > 65535 ? 65535 : outer));
  LAUNCH((fft_pass<T, P>), grid, THREADS, 0, s, to, from, w, f.n, width, m, outer);
}
/* Runs all passes over (outer, f.n, inner) numbers in a; leaves the result in the returned one of a and b. */
template <class T>
static cpx<T> *all_passes(cudaStream_t s, const passes &f, int64_t outer, int64_t inner, cpx<T> *a,
                          cpx<T> *b, const cpx<T> *w) {
  uint32_t width = (uint32_t)inner, m = f.n;
  for (int k = 0; k < f.count; k++) {
    int p = radix_of(f, k);
    m /= p;
    switch (p) {
    case 2: one_pass<T, 2>(s, f, outer, b, a, w, width, m); break;
    case 3: one_pass<T, 3>(s, f, outer, b, a, w, width, m); break;
    case 4: one_pass<T, 4>(s, f, outer, b, a, w, width, m); break;
    case 5: one_pass<T, 5>(s, f, outer, b, a, w, width, m); break;
    case 7: one_pass<T, 7>(s, f, outer, b, a, w, width, m); break;
    case 11: one_pass<T, 11>(s, f, outer, b, a, w, width, m); break;
    default: one_pass<T, 13>(s, f, outer, b, a, w, width, m); break;
    }
    width *= p;
    cpx<T> *t = a;
    a = b;
    b = t;
  }
  return a;
}

template <class T>
static bool in_blocks(int dev, cudaStream_t s, const fft_args &q, const passes &f) {
  int64_t total = q.outer * q.inner, lines = BLOCK_POINTS / f.n;
  lines = lines < 1 ? 1 : lines > total ? total : lines;
  size_t bytes = (size_t)f.n * sizeof(cpx<T>);
  cpx<T> *w = (cpx<T> *)pti_scratch(dev, bytes);
  if (w == NULL) return false;
  LAUNCH((fft_twiddles<T>), looped(f.n), THREADS, 0, s, w, (int64_t)f.n);
  int largest = 2;
  for (int k = 0; k < f.count; k++) largest = radix_of(f, k) > largest ? radix_of(f, k) : largest;
  unsigned blocks = blocks_of(total, lines);
  size_t shared = 2 * (size_t)lines * bytes;
  if (largest > 5)
    LAUNCH((fft_short<T, 13>), blocks, THREADS, shared, s, q, f, (const cpx<T> *)w, (int)lines);
  else LAUNCH((fft_short<T, 5>), blocks, THREADS, shared, s, q, f, (const cpx<T> *)w, (int)lines);
  bool ok = launched("fft");
  pti_scratch_free(dev, w, bytes);
  return ok;
}

/* `length`: of the passes; longer than n with Bluestein's algorithm. */
template <class T>
static bool in_passes(int dev, cudaStream_t s, const fft_args &q, const passes &f) {
  int64_t length = f.n, total = q.outer * length * q.inner;
  bool longer = length != q.n;
  size_t bytes = (size_t)(2 * total + length + (longer ? q.n + 2 * length : 0)) * sizeof(cpx<T>);
  cpx<T> *a = (cpx<T> *)pti_scratch(dev, bytes), *b = a + total, *w = b + total;
  cpx<T> *chirp = longer ? w + length : NULL, *filter = longer ? chirp + q.n : NULL;
  if (a == NULL) return false;
  LAUNCH((fft_twiddles<T>), looped(length), THREADS, 0, s, w, length);
  if (longer) {
    LAUNCH((fft_chirp<T>), looped(q.n), THREADS, 0, s, chirp, (int64_t)q.n);
    LAUNCH((fft_filter<T>), looped(length), THREADS, 0, s, filter, (const cpx<T> *)chirp,
           (int64_t)q.n, length);
    filter = all_passes<T>(s, f, 1, 1, filter, filter + length, w);
  }
  LAUNCH((fft_take<T>), looped(total), THREADS, 0, s, q, a, length, (const cpx<T> *)chirp);
  cpx<T> *y = all_passes<T>(s, f, q.outer, q.inner, a, b, w);
  if (longer) {
    LAUNCH((fft_multiply<T>), looped(total), THREADS, 0, s, y, (const cpx<T> *)filter, length,
           q.inner, total);
    y = all_passes<T>(s, f, q.outer, q.inner, y, y == a ? b : a, w);
  }
  LAUNCH((fft_give<T>), looped(q.outer * q.kept * q.inner), THREADS, 0, s, q, (const cpx<T> *)y,
         length, (const cpx<T> *)chirp);
  bool ok = launched("fft");
  pti_scratch_free(dev, a, bytes);
  return ok;
}

template <class T> static bool transform(int dev, cudaStream_t s, const fft_args &q, int64_t n) {
  passes f;
  int64_t length = n;
  if (!factor(n, &f)) {
    for (length = 1; length < 2 * n - 1; length *= 2) {}
    factor(length, &f);
  } else if (2 * n * (int64_t)sizeof(cpx<T>) <= SHARED_BYTES) {
    return in_blocks<T>(dev, s, q, f);
  }
  if (length <= INT32_MAX / q.inner) return in_passes<T>(dev, s, q, f);
  pti_host->fail(PT_ESHAPE,
                 "fft: %lld points of %lld neighbours; the device takes 2^31 numbers a line",
                 (long long)n, (long long)q.inner);
  return false;
}

bool pti_cuda_fft(int dev, const pti_fft *p, const void *x, void *y) {
  cudaStream_t s = pti_stream(dev);
  fft_args q;
  if (s == NULL) return false;
  memset(&q, 0, sizeof q);
  if (p->n > INT32_MAX / 4) {
    pti_host->fail(PT_ESHAPE, "fft: %lld points are too many for the device", (long long)p->n);
    return false;
  }
  q.kind = p->kind, q.inverse = p->inverse && p->kind == PTI_FFT_COMPLEX;
  q.outer = p->outer, q.inner = p->inner, q.n = (uint32_t)p->n, q.scale = p->scale;
  q.kept = p->kind == PTI_FFT_FROM_REAL ? q.n / 2 + 1 : q.n;
  q.x = x, q.y = y;
  return p->dtype == PT_F64 ? transform<double>(dev, s, q, p->n)
                            : transform<float>(dev, s, q, p->n);
}

/* ---- products ---- */

template <class T> __global__ void __launch_bounds__(THREADS) complex_mul_kernel(geometry q) {
  uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  char *p[3];
  if (i >= q.n) return;
  locate<3>(q, i, p);
  *(cpx<T> *)p[0] = times(*(const cpx<T> *)p[1], *(const cpx<T> *)p[2]);
}

bool pti_cuda_complex_mul(int dev, const pti_iter *it) {
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  return for_pieces(it, [&](const pti_iter &p) {
    unsigned blocks = blocks_of(p.n, THREADS);
    if (p.dtype[0] == PT_C128)
      LAUNCH((complex_mul_kernel<double>), blocks, THREADS, 0, s, geometry_of(&p));
    else LAUNCH((complex_mul_kernel<float>), blocks, THREADS, 0, s, geometry_of(&p));
    return launched("complex product");
  });
}
