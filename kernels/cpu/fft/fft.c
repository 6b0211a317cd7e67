/* fft.c: discrete Fourier transforms of any length in O(n log n). A length whose prime factors are
   small is done by mixed-radix passes that need no reordering (Stockham): a pass of radix p reads
   p numbers n / p apart and writes them side by side. Other lengths become a convolution of a
   length that is a power of two (Bluestein). Real transforms of even length go through a complex
   one of half the length.

   Lines are shared among threads; a pass of a long single line is cut among them. Neither changes a
   bit. The arithmetic stands in fft.inc.h, once for float and once for double. */
#include "../nn_loops.h"
#include "../cpu_slots.h"

bool pti_fft_factor(int64_t n, pti_radices *r) {
  static const int candidates[] = {4, 2, 3, 5, 7, 11, FFT_LARGEST};
  r->n = n;
  r->count = 0;
  for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
    for (; n % candidates[i] == 0; n /= candidates[i]) r->p[r->count++] = candidates[i];
  }
  return n == 1;
}

/* Reduced to the first eighth of a turn, so that multiples of a quarter are exact. */
void pti_fft_unit(int64_t k, int64_t n, double *re, double *im) {
  int64_t k8 = 8 * k, octant = k8 / n;
  double turn = 6.283185307179586476925286766559;
  int64_t low = k8 - octant * n; /* of this eighth, in units of 1 / (8 n) turns */
  if (octant % 2) low = n - low;
  double angle = turn * (double)low / (8.0 * (double)n);
  double c = cos(angle), s = sin(angle);
  static const int swap[8] = {0, 1, 1, 0, 0, 1, 1, 0}, cneg[8] = {0, 0, 1, 1, 1, 1, 0, 0},
                   sneg[8] = {0, 0, 0, 0, 1, 1, 1, 1};
  double x = swap[octant] ? s : c, y = swap[octant] ? c : s;
  *re = cneg[octant] ? -x : x;
  *im = sneg[octant] ? -y : y;
}

bool pti_cpu_fft(int dev, const pti_fft *p, const void *x, void *y) {
  (void)dev;
  if (p->n > (int64_t)1 << 40)
    return pti_cpu_host->fail(PT_ESHAPE, "fft: %lld points are too many", (long long)p->n);
  return pti_cpu_nn_now()->fft[p->dtype == PT_F64](p, x, y) ||
      pti_cpu_host->fail(PT_EMEMORY, "fft: no memory for %lld points", (long long)p->n);
}
