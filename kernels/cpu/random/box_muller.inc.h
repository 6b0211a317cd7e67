/* box_muller.inc.h: normal numbers out of uniform ones in groups of 16, as PyTorch makes them of float on x86 with AVX2:
   to the bit. The logarithm, sine and cosine are Cephes's single precision functions (Moshier, 1992), with a product and
   a sum fused where gcc fuses them there. */

static inline float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

/* Of x in (0, 1]. */
static inline float cephes_log(float x) {
  uint32_t bits = pt_bits_f(x);
  float e = (float)((int32_t)(bits >> 23) - 126), m = pt_from_f((bits & 0x007fffffu) | 0x3f000000u);
  bool low = m < 0.707106781186547524f;
  m = m - 1.0f + (low ? m : 0.0f);
  e -= low ? 1.0f : 0.0f;
  float z = m * m, y = 7.0376836292e-2f;
  y = fused(y, m, -1.1514610310e-1f);
  y = fused(y, m, 1.1676998740e-1f);
  y = fused(y, m, -1.2420140846e-1f);
  y = fused(y, m, 1.4249322787e-1f);
  y = fused(y, m, -1.6668057665e-1f);
  y = fused(y, m, 2.0000714765e-1f);
  y = fused(y, m, -2.4999993993e-1f);
  y = fused(y, m, 3.3333331174e-1f);
  y = fused(y * m, z, e * -2.12194440e-4f);
  y = fused(z, -0.5f, y);
  return fused(e, 0.693359375f, m + y);
}

/* Sine and cosine of x in [0, 2 pi]. */
static inline void cephes_sincos(float x, float *sine, float *cosine) {
  int32_t octant = ((int32_t)(x * 1.27323954473516f) + 1) & ~1;
  float k = (float)octant;
  x = fused(k, -0.78515625f, x);
  x = fused(k, -2.4187564849853515625e-4f, x);
  x = fused(k, -3.77489497744594108e-8f, x);
  float z = x * x, c = 2.443315711809948e-5f, s = -1.9515295891e-4f;
  c = fused(c, z, -1.388731625493765e-3f);
  c = fused(c, z, 4.166664568298827e-2f);
  c = fused(c * z, z, z * -0.5f) + 1.0f;
  s = fused(s, z, 8.3321608736e-3f);
  s = fused(s, z, -1.6666654611e-1f);
  s = fused(s * z, x, x);
  bool swapped = octant & 2;
  uint32_t sign_s = (uint32_t)(octant & 4) << 29, sign_c = (uint32_t)(~(octant - 2) & 4) << 29;
  *sine = pt_from_f(pt_bits_f(swapped ? c : s) ^ sign_s);
  *cosine = pt_from_f(pt_bits_f(swapped ? s : c) ^ sign_c);
}

/* x: n uniform numbers in [0, 1), n a multiple of 16. */
static void box_muller(float *restrict x, int64_t n, float mean, float std) {
  for (int64_t at = 0; at < n; at += 16) {
    float *restrict u = x + at;
    PTI_INDEPENDENT
    for (int j = 0; j < 8; j++) {
      float r = __builtin_sqrtf(-2.0f * cephes_log(1.0f - u[j])), sine, cosine;
      cephes_sincos(6.283185307179586f * u[j + 8], &sine, &cosine);
      u[j] = fused(r * cosine, std, mean);
      u[j + 8] = fused(r * sine, std, mean);
    }
  }
}
