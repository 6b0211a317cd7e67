/* scalar.h: the words of ops.def (EXP, TANH, MAX2, ...) for one number of each compute type: float,
   double, int64_t.

   Read by C and by CUDA C++. In C a word picks its function by PT_S, the letter of the type being compiled (f, d or
   i), in C++ by overloading; K(c) is c in the type T. Functions that are to be vectorised on every CPU level have no
   branches, no tables indexed by more than a few bits, and no calls: EXP, LOG, TANH, SIGMOID, ATAN, ASIN, rounding
   and comparisons for both floating types, and for float also SIN, COS, TAN, ATAN2, ACOS, ERF, POW and the relatives
   of EXP and LOG. Their polynomials are fused multiply-adds where the CPU level has them (from AVX2 on), so bits may
   differ between levels, never on one; the error is below 1.5 units in the last place on each. The others are the C
   library's, or loops and series that stay scalar. Integer functions wrap around and never trap. */
#ifndef PTI_SCALAR_H
#define PTI_SCALAR_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "special.h"

/* Conditions are joined with & and |, which do not branch, also before a ?. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wbitwise-conditional-parentheses"
#endif

#ifdef __CUDACC__
#define PT_FN static __host__ __device__ __forceinline__
#else /* a loop with a call in it stays scalar, and there are more loops than the inliner would inline into */
#define PT_FN static inline __attribute__((always_inline))
#endif

#define PT_GLUE2(name, letter) pt_##name##_##letter
#define PT_GLUE(name, letter) PT_GLUE2(name, letter)
#ifdef __cplusplus
#define PT_NAME(name, letter) pt_##name
#define PT_WORD(name) pt_##name
#else
#define PT_NAME(name, letter) PT_GLUE2(name, letter)
#define PT_WORD(name) PT_GLUE(name, PT_S)
#endif

#define K(c) ((T)(c))
#define ABS(x) PT_WORD(abs)(x)
#define ACOS(x) PT_WORD(acos)(x)
#define ACOSH(x) PT_WORD(acosh)(x)
#define AIRY_AI(x) PT_WORD(airy_ai)(x)
#define AIRY_AI_SLOPE(x) PT_WORD(airy_ai_slope)(x)
#define ASIN(x) PT_WORD(asin)(x)
#define ASINH(x) PT_WORD(asinh)(x)
#define ATAN(x) PT_WORD(atan)(x)
#define ATAN2(a, b) PT_WORD(atan2)(a, b)
#define ATANH(x) PT_WORD(atanh)(x)
#define BESSEL_J0(x) PT_WORD(bessel_j0)(x)
#define BESSEL_J1(x) PT_WORD(bessel_j1)(x)
#define BESSEL_Y0(x) PT_WORD(bessel_y0)(x)
#define BESSEL_Y1(x) PT_WORD(bessel_y1)(x)
#define CEIL(x) PT_WORD(ceil)(x)
#define COPYSIGN(a, b) PT_WORD(withsign)(a, b)
#define COS(x) PT_WORD(cos)(x)
#define COSH(x) PT_WORD(cosh)(x)
#define DIGAMMA(x) PT_WORD(digamma)(x)
#define ERF(x) PT_WORD(erf)(x)
#define ERFC(x) PT_WORD(erfc)(x)
#define ERFCX(x) PT_WORD(erfcx)(x) /* ERFC times exp(x^2) */
#define ERFINV(x) PT_WORD(erfinv)(x)
#define EXP(x) PT_WORD(exp)(x)
#define EXPDOWN(x) PT_WORD(expdown)(x) /* for x <= 0 */
#define EXP2(x) PT_WORD(exp2)(x)
#define EXPM1(x) PT_WORD(expm1)(x)
#define EXPONENT(x) PT_WORD(exponent)(x) /* x is MANTISSA 2^EXPONENT, 1/2 <= |MANTISSA| < 1 */
#define FLOOR(x) PT_WORD(floor)(x)
#define FLOORDIV(a, b) PT_WORD(floordiv)(a, b) /* a / b rounded down */
#define FMOD(a, b) PT_WORD(fmod)(a, b)         /* remainder with the sign of a */
#define GCD(a, b) PT_WORD(gcd)(a, b)
#define HYPOT(a, b) PT_WORD(hypot)(a, b)
#define HURWITZ_ZETA(s, x) PT_WORD(hurwitz_zeta)(s, x)
#define I0(x) PT_WORD(i0)(x) /* modified Bessel functions; E: times exp(-|x|) */
#define I1(x) PT_WORD(i1)(x)
#define I0E(x) PT_WORD(i0e)(x)
#define I1E(x) PT_WORD(i1e)(x)
#define IGAMMA(a, x) \
  PT_WORD(igamma)(a, x) /* the regularized incomplete gamma function, and 1 less it */
#define IGAMMAC(a, x) PT_WORD(igammac)(a, x)
#define K0(x) PT_WORD(k0)(x) /* the second ones; E: times exp(x) */
#define K1(x) PT_WORD(k1)(x)
#define K0E(x) PT_WORD(k0e)(x)
#define K1E(x) PT_WORD(k1e)(x)
#define LCM(a, b) PT_WORD(lcm)(a, b)
#define LGAMMA(x) PT_WORD(lgamma)(x)
#define LOG(x) PT_WORD(log)(x)
#define LOG10(x) PT_WORD(log10)(x)
#define LOG1P(x) PT_WORD(log1p)(x)
#define LOG2(x) PT_WORD(log2)(x)
#define LOG_NDTR(x) PT_WORD(log_ndtr)(x) /* log of the normal distribution function */
#define MANTISSA(x) PT_WORD(mantissa)(x)
#define MAX2(a, b) PT_WORD(max2)(a, b) /* NaN wins */
#define MIN2(a, b) PT_WORD(min2)(a, b)
#define NDTR(x) PT_WORD(ndtr)(x)             /* the normal distribution function, exact beside 1 */
#define NORMAL_CDF(x) PT_WORD(normal_cdf)(x) /* the same, exact in its left tail too */
#define NEXTAFTER(a, b) PT_WORD(nextafter)(a, b)
#define POLYGAMMA(n, x) PT_WORD(polygamma)(n, x) /* n-th derivative of DIGAMMA */
#define POW(a, b) PT_WORD(pow)(a, b)
#define POWGA(g, a, b) PT_WORD(powga)(g, a, b) /* gradients of POW; finite where the limit is */
#define POWGB(g, a, b, y) PT_WORD(powgb)(g, a, b, y)
#define REMAINDER(a, b) PT_WORD(remainder)(a, b) /* with the sign of b */
#define ROUND(x) PT_WORD(round)(x)               /* halves go to the even neighbour */
#define SHL(a, b) PT_WORD(shl)(a, b)             /* 0 where b is not the place of a bit */
#define SHR(a, b) PT_WORD(shr)(a, b)
#define SIGMOID(x) PT_WORD(sigmoid)(x)
#define SIGN(x) PT_WORD(sign)(x)
#define SIGNBIT(x) PT_WORD(signbit)(x)
#define SIN(x) PT_WORD(sin)(x)
#define SINH(x) PT_WORD(sinh)(x)
#define SPHERICAL_J0(x) PT_WORD(spherical_j0)(x)
#define SPHERICAL_J1(x) PT_WORD(spherical_j1)(x)
#define SQRT(x) PT_WORD(sqrt)(x)
#define SQUARE(x) PT_WORD(square)(x)
#define TAN(x) PT_WORD(tan)(x)
#define TANH(x) PT_WORD(tanh)(x)
#define TRUNC(x) PT_WORD(trunc)(x)

typedef union pt_pun_f {
  float f;
  uint32_t u;
  int32_t i;
} pt_pun_f;
typedef union pt_pun_d {
  double d;
  uint64_t u;
  int64_t i;
} pt_pun_d;
PT_FN uint32_t pt_bits_f(float x) {
  pt_pun_f v;
  v.f = x;
  return v.u;
}
PT_FN float pt_from_f(uint32_t u) {
  pt_pun_f v;
  v.u = u;
  return v.f;
}
PT_FN uint64_t pt_bits_d(double x) {
  pt_pun_d v;
  v.d = x;
  return v.u;
}
PT_FN double pt_from_d(uint64_t u) {
  pt_pun_d v;
  v.u = u;
  return v.d;
}
/* a b + c; rounded once where there is an instruction for it. Polynomials and reductions of arguments
   are written in it. The rows of ops.def are not: what they spell out is rounded as it stands, to
   the same bits on every level and device. */
#ifdef __FMA__
PT_FN float PT_NAME(muladd, f)(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
PT_FN double PT_NAME(muladd, d)(double a, double b, double c) { return __builtin_fma(a, b, c); }
#else
PT_FN float PT_NAME(muladd, f)(float a, float b, float c) { return a * b + c; }
PT_FN double PT_NAME(muladd, d)(double a, double b, double c) { return a * b + c; }
#endif
#define MAF(a, b, c) PT_NAME(muladd, f)(a, b, c)
#define MAD(a, b, c) PT_NAME(muladd, d)(a, b, c)
/* Adding and subtracting these rounds to an integer, which the low bits of the sum
   hold meanwhile. */
#define PT_MAGIC_F 12582912.0f        /* 1.5 * 2^23 */
#define PT_MAGIC_D 6755399441055744.0 /* 1.5 * 2^52 */

/* ---- signs, comparisons, rounding: the same text for float (T float, bit U) and double ---- */

#define PT_SIMPLE(T, L, U, TOP, LIMIT)                                                   \
  PT_FN T PT_NAME(abs, L)(T x) { return PT_GLUE(from, L)(PT_GLUE(bits, L)(x) & ~TOP); }  \
  PT_FN T PT_NAME(withsign, L)(T x, T y) {                                               \
    return PT_GLUE(from, L)((PT_GLUE(bits, L)(x) & ~TOP) | (PT_GLUE(bits, L)(y) & TOP)); \
  }                                                                                      \
  PT_FN T PT_NAME(sign, L)(T x) { return (T)((x > 0) - (x < 0)); }                       \
  PT_FN T PT_NAME(square, L)(T x) { return x * x; }                                      \
  PT_FN bool PT_NAME(signbit, L)(T x) { return (PT_GLUE(bits, L)(x) & TOP) != 0; }       \
  PT_FN T PT_NAME(max2, L)(T a, T b) { return (a > b) | (a != a) ? a : b; }              \
  PT_FN T PT_NAME(min2, L)(T a, T b) { return (a < b) | (a != a) ? a : b; }              \
  PT_FN T PT_NAME(round, L)(T x) {                                                       \
    T a = PT_NAME(abs, L)(x), r = (a + LIMIT) - LIMIT;                                   \
    return a < LIMIT ? PT_NAME(withsign, L)(r, x) : x;                                   \
  }                                                                                      \
  PT_FN T PT_NAME(floor, L)(T x) {                                                       \
    T r = PT_NAME(round, L)(x);                                                          \
    return r > x ? r - 1 : r;                                                            \
  }                                                                                      \
  PT_FN T PT_NAME(ceil, L)(T x) {                                                        \
    T r = PT_NAME(round, L)(x);                                                          \
    return PT_NAME(withsign, L)(r < x ? r + 1 : r, x);                                   \
  }                                                                                      \
  PT_FN T PT_NAME(trunc, L)(T x) {                                                       \
    return PT_NAME(withsign, L)(PT_NAME(floor, L)(PT_NAME(abs, L)(x)), x);               \
  }
PT_SIMPLE(float, f, uint32_t, 0x80000000u, 8388608.0f)
PT_SIMPLE(double, d, uint64_t, 0x8000000000000000u, 4503599627370496.0)

PT_FN float PT_NAME(sqrt, f)(float x) { return sqrtf(x); }
PT_FN double PT_NAME(sqrt, d)(double x) { return sqrt(x); }

/* ---- exponential and logarithm ---- */

/* e^x = 2^n e^r with |r| <= ln 2 / 2. Returns (e^r - 1 - r) / r^2 by a minimax polynomial, r in *r, and
   in *t a number whose low bits are n: shifted into the exponent's place nothing else is left of it. */
PT_FN float pt_exp_part_f(float x, float *r, float *t) {
  *t = MAF(x, 1.44269504f, PT_MAGIC_F);
  float n = *t - PT_MAGIC_F, u = MAF(n, 2.12194440e-4f, MAF(n, -0.693359375f, x));
  float q = 1.3814467238e-3f;
  q = MAF(q, u, 8.3687808365e-3f);
  q = MAF(q, u, 4.1668392718e-2f);
  q = MAF(q, u, 1.6666519642e-1f);
  q = MAF(q, u, 4.9999994040e-1f);
  *r = u;
  return q;
}
PT_FN float pt_exp_reduced_f(float x, float *t) { /* e^r */
  float r, q = pt_exp_part_f(x, &r, t);
  return MAF(MAF(q, r, 1.0f), r, 1.0f);
}
/* 2^n comes in two factors, so that results may be denormal. Where x is NaN the integers are garbage
   and the polynomial is NaN. */
PT_FN float PT_NAME(exp, f)(float x) {
  x = x < -104.0f ? -104.0f : x > 89.0f ? 89.0f : x;
  float t, p = pt_exp_reduced_f(x, &t);
  int32_t i = (int32_t)(pt_bits_f(t) - 0x4b400000u), half = i >> 1;
  return p * pt_from_f((uint32_t)(half + 127) << 23) * pt_from_f((uint32_t)(i - half + 127) << 23);
}
/* The same bits for x <= 0 in less time: 2^n 2^24 is a normal number for each n that is left. */
PT_FN float PT_NAME(expdown, f)(float x) {
  float last =
      x < -104.0f ? 0.0f : 0x1p-24f; /* e^-104 is 0, and cheap; to underflow to it is not */
  x = x < -104.0f ? -104.0f : x;
  float t, p = pt_exp_reduced_f(x, &t);
  return p * pt_from_f((pt_bits_f(t) << 23) + ((127u + 24u) << 23)) * last;
}
/* The same bits for -87 <= x <= 88, where the result is normal: n is added to its exponent. */
PT_FN float pt_exp_near_f(float x) {
  float t, p = pt_exp_reduced_f(x, &t);
  return pt_from_f(pt_bits_f(p) + (pt_bits_f(t) << 23));
}
/* e^x - 1 for 0 <= x <= 88, exact near 0: 2^n (e^r - 1) + (2^n - 1). */
PT_FN float pt_expm1_near_f(float x) {
  float r, t, q = pt_exp_part_f(x, &r, &t), s = pt_from_f((pt_bits_f(t) << 23) + (127u << 23));
  return MAF(s, MAF(q, r * r, r), s - 1.0f);
}
PT_FN double PT_NAME(exp, d)(double x) {
  x = x < -746.0 ? -746.0 : x > 710.0 ? 710.0 : x;
  double t = MAD(x, 1.4426950408889634, PT_MAGIC_D), n = t - PT_MAGIC_D;
  double th = n * 0.5 + PT_MAGIC_D;
  uint64_t half = pt_bits_d(th) - 0x4338000000000000u, i = pt_bits_d(t) - 0x4338000000000000u;
  double r = MAD(n, -0x1.a39ef35793c76p-33, MAD(n, -0x1.62e42fee00000p-1, x));
  double p = 1.0 / 6227020800.0; /* Taylor: the next term is below 2^-57 */
  p = MAD(p, r, 1.0 / 479001600.0);
  p = MAD(p, r, 1.0 / 39916800.0);
  p = MAD(p, r, 1.0 / 3628800.0);
  p = MAD(p, r, 1.0 / 362880.0);
  p = MAD(p, r, 1.0 / 40320.0);
  p = MAD(p, r, 1.0 / 5040.0);
  p = MAD(p, r, 1.0 / 720.0);
  p = MAD(p, r, 1.0 / 120.0);
  p = MAD(p, r, 1.0 / 24.0);
  p = MAD(p, r, 1.0 / 6.0);
  p = MAD(p, r, 0.5);
  p = MAD(p, r * r, r) + 1.0;
  return p * pt_from_d((half + 1023) << 52) * pt_from_d((i - half + 1023) << 52);
}
PT_FN double PT_NAME(expdown, d)(double x) { return PT_NAME(exp, d)(x); }

/* log x = k ln 2 + log(1 + f) with sqrt(1/2) <= 1 + f < sqrt 2; shift is what was added to k. */
PT_FN float pt_log_parts_f(uint32_t bits, float shift) {
  uint32_t above = bits - 0x3f3504f3u; /* than the root of 1/2: k in the exponent's place */
  float k = (float)((int32_t)above >> 23) - shift;
  float f = pt_from_f(bits - (above & 0xff800000u)) - 1.0f, z = f * f;
  float q = 6.7477241158e-2f; /* (log(1 + f) - f) / f^2 */
  q = MAF(q, f, -1.1677509546e-1f);
  q = MAF(q, f, 1.1888696253e-1f);
  q = MAF(q, f, -1.2405338585e-1f);
  q = MAF(q, f, 1.4219453931e-1f);
  q = MAF(q, f, -1.6668005288e-1f);
  q = MAF(q, f, 2.0002123713e-1f);
  q = MAF(q, f, -2.5000008941e-1f);
  q = MAF(q, f, 3.3333313465e-1f);
  q = MAF(q, f, -0.5f);
#ifdef __FMA__
  return MAF(k, 0.693147181f, MAF(q, z, f));
#else /* k ln 2 in two parts: the larger is exact */
  return k * 0.693359375f + (q * z + k * -2.12194440e-4f + f);
#endif
}
PT_FN float PT_NAME(log, f)(float x) {
  bool tiny = x < 1.17549435e-38f;
  float y = pt_log_parts_f(pt_bits_f(tiny ? x * 33554432.0f : x), tiny ? 25.0f : 0.0f);
  y = x < HUGE_VALF ? y : x;
  y = x > 0 ? y : -HUGE_VALF;
  return x < 0 || x != x ? NAN : y;
}
/* The same bits for what is normal, positive and finite. */
PT_FN float pt_log_near_f(float x) { return pt_log_parts_f(pt_bits_f(x), 0); }
/* By the series of (2 + s) / (2 - s), s = f / (2 + f). */
PT_FN double PT_NAME(log, d)(double x) {
  double scaled = x < 2.2250738585072014e-308 ? x * 18014398509481984.0 : x;
  double shift = x < 2.2250738585072014e-308 ? 54.0 : 0.0;
  uint64_t u = pt_bits_d(scaled) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
  double k = pt_from_d((u >> 52) + 0x4338000000000000u) - (PT_MAGIC_D + 1023.0) - shift;
  double f = pt_from_d((u & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0;
  double s = f / (2.0 + f), z = s * s, w = z * z, half = 0.5 * f * f;
  double t1 =
      MAD(MAD(w, 1.531383769920937332e-01, 2.222219843214978396e-01), w, 3.999999999940941908e-01);
  double t2 = MAD(w, 1.479819860511658591e-01, 1.818357216161805012e-01);
  t2 = MAD(MAD(t2, w, 2.857142874366239149e-01), w, 6.666666666666735130e-01);
  double y = MAD(s, half + MAD(t1, w, t2 * z), k * 1.90821492927058770002e-10) - half + f;
  y = MAD(k, 6.93147180369123816490e-01, y);
  y = x < HUGE_VAL ? y : x;
  y = x > 0 ? y : -HUGE_VAL;
  return x < 0 || x != x ? (double)NAN : y;
}

/* The relatives, for float by way of double. */
PT_FN float PT_NAME(exp2, f)(float x) {
  return (float)PT_NAME(exp, d)((double)x * 0.6931471805599453);
}
PT_FN float PT_NAME(log2, f)(float x) {
  return (float)(PT_NAME(log, d)((double)x) * 1.4426950408889634);
}
PT_FN float PT_NAME(log10, f)(float x) {
  return (float)(PT_NAME(log, d)((double)x) * 0.4342944819032518);
}
PT_FN float PT_NAME(log1p, f)(float x) {
  double a = x, u = 1.0 + a, lost = (a - (u - 1.0)) / u;
  lost = (u > 0) & (u < HUGE_VAL) ? lost : 0;
  return x == 0 ? x : (float)(PT_NAME(log, d)(u) + lost);
}
PT_FN float PT_NAME(expm1, f)(float x) {
  double a = x, e = PT_NAME(exp, d)(a) - 1.0,
         small = a + a * a * (0.5 + a * (1.0 / 6.0 + a * (1.0 / 24.0)));
  return (a < 0.001) & (a > -0.001) ? (float)(a == 0 ? a : small) : (float)e;
}
PT_FN float PT_NAME(sinh, f)(float x) {
  double a = x, e = PT_NAME(exp, d)(a), z = a * a;
  double small = a + a * z * (1.0 / 6.0 + z * (1.0 / 120.0 + z * (1.0 / 5040.0)));
  return (float)(z < 0.01 ? small : 0.5 * (e - 1.0 / e));
}
PT_FN float PT_NAME(cosh, f)(float x) {
  double e = PT_NAME(exp, d)((double)x);
  return (float)(0.5 * (e + 1.0 / e));
}
PT_FN float PT_NAME(asinh, f)(float x) {
  double a = PT_NAME(abs, f)(x), z = a * a;
  double small = a - a * z * (1.0 / 6.0 - z * (3.0 / 40.0 - z * (15.0 / 336.0)));
  double y = z < 0.0001 ? small : PT_NAME(log, d)(a + PT_NAME(sqrt, d)(z + 1.0));
  return PT_NAME(withsign, f)((float)y, x);
}
PT_FN float PT_NAME(acosh, f)(float x) {
  double a = x < 1.0f ? (double)NAN : (double)x;
  return (float)PT_NAME(log, d)(a + PT_NAME(sqrt, d)((a - 1.0) * (a + 1.0)));
}
PT_FN float PT_NAME(atanh, f)(float x) {
  double a = x, z = a * a, small = a + a * z * (1.0 / 3.0 + z * (1.0 / 5.0 + z * (1.0 / 7.0)));
  return (float)(z < 0.0001 ? small : 0.5 * PT_NAME(log, d)((1.0 + a) / (1.0 - a)));
}
PT_FN double PT_NAME(exp2, d)(double x) { return exp2(x); }
PT_FN double PT_NAME(log2, d)(double x) { return log2(x); }
PT_FN double PT_NAME(log10, d)(double x) { return log10(x); }
PT_FN double PT_NAME(log1p, d)(double x) { return log1p(x); }
PT_FN double PT_NAME(expm1, d)(double x) { return expm1(x); }

/* ---- sigmoid, tanh, erf ---- */

/* With e = exp(-|x|) and y = e / (1 + e): 1 - y, or to the left e - e y, which is rounded once less than y. */
PT_FN float PT_NAME(sigmoid, f)(float x) {
  float e = PT_NAME(expdown, f)(-PT_NAME(abs, f)(x)), m = x >= 0 ? 1.0f : e;
  return MAF(-m, e / (1.0f + e), m);
}
PT_FN double PT_NAME(sigmoid, d)(double x) {
  double e = PT_NAME(exp, d)(-PT_NAME(abs, d)(x));
  return (x >= 0 ? 1.0 : e) / (1.0 + e);
}
/* (e^2a - 1) / (e^2a + 1), whose rounding shows where a is small: there, and for NaN, a polynomial. */
PT_FN float PT_NAME(tanh, f)(float x) {
  uint32_t bits = pt_bits_f(x), sign = bits & 0x80000000u, abs = bits ^ sign;
  float a = pt_from_f(abs < 0x41200000u ? abs : 0x41200000u); /* 10 */
  float z = x * x, e = pt_expm1_near_f(a + a);
  float p = MAF(MAF(z, -5.1024042e-2f, 1.3321048e-1f), z, -3.3333185e-1f);
  float far = pt_from_f(pt_bits_f(e / (e + 2.0f)) | sign);
  return (abs >= 0x3e8a3d71u) & (x == x) ? far : MAF(p, x * z, x); /* 0.27 */
}
PT_FN double PT_NAME(tanh, d)(double x) {
  double a = PT_NAME(abs, d)(x), z = x * x;
  double big = 1.0 - 2.0 / (PT_NAME(exp, d)(a + a) + 1.0);
  double p = MAD(z, -9.64399179425052238628e-1, -9.92877231001918586564e1);
  p = MAD(p, z, -1.61468768441708447952e3);
  double q = MAD(z + 1.12811678491632931402e2, z, 2.23548839060100448583e3);
  q = MAD(q, z, 4.84406305325125486048e3);
  return a < 0.625 ? MAD(x * z, p / q, x) : PT_NAME(withsign, d)(big, x);
}
PT_FN float PT_NAME(erf, f)(float x) {
  float a = PT_NAME(abs, f)(x), z = x * x;
  float u =
      MAF(MAF(a, -1.72853470e-5f, 3.83197126e-4f), z, MAF(a, -3.88396438e-3f, 2.42546219e-2f));
  u = MAF(MAF(MAF(u, a, -1.06777877e-1f), a, -6.34846687e-1f), a, -1.28717512e-1f);
  u = MAF(u, a, -a);
  float big = 1.0f - pt_exp_near_f(u < -87.0f ? -87.0f : u);
  float p = -5.96761703e-4f;
  p = MAF(p, z, 4.99119423e-3f);
  p = MAF(p, z, -2.67681349e-2f);
  p = MAF(p, z, 1.12819925e-1f);
  p = MAF(p, z, -3.76125336e-1f);
  p = MAF(p, z, 1.28379166e-1f);
  return a > 0.927734375f ? PT_NAME(withsign, f)(big, x) : MAF(p, x, x);
}
PT_FN double PT_NAME(erf, d)(double x) { return erf(x); }
/* Half of erfc(a / sqrt 2) is the exponential of a polynomial, fitted for 0 <= a <= 5.8 so that errors are below 3e-8
   beside 1; it falls on from there. */
PT_FN float PT_NAME(ndtr, f)(float x) {
  float a = PT_NAME(abs, f)(x);
  float u = -3.04822407e-8f;
  u = MAF(u, a, 8.20140315e-7f);
  u = MAF(u, a, -9.55661380e-6f);
  u = MAF(u, a, 6.19010971e-5f);
  u = MAF(u, a, -2.16795117e-4f);
  u = MAF(u, a, 3.36904850e-5f);
  u = MAF(u, a, 4.78825113e-3f);
  u = MAF(u, a, -3.63390521e-2f);
  u = MAF(u, a, -3.18309069e-1f);
  u = MAF(u, a, -7.97884643e-1f);
  u = MAF(u, a, -6.93147182e-1f);
  float tail = u < -87.0f ? 0 : pt_exp_near_f(u < -87.0f ? -87.0f : u);
  return x > 0 ? 1.0f - tail : tail;
}
PT_FN double PT_NAME(ndtr, d)(double x) { return 0.5 * erfc(x * -0.7071067811865476); }

/* ---- trigonometric functions ---- */

/* x >= 0 in quarter turns: the fraction (-1/2 .. 1/2), exact to 2^-54 for any float; *quadrant: the
   whole part in its two low bits. x is taken as m 2^(8 k) with m < 2^32; row k holds
   2^(8 k) 2 / pi, whole turns left out, in three parts of which the products of the first two with
   m are exact. */
PT_FN double pt_quarter_turns(float x, uint64_t *quadrant) {
  static const double part[14][3] = {
      {0x1.45f306e000000p-1, -0x1.b1bbeb0000000p-32, 0x1.4fe13abe8fa9ap-59},
      {0x1.7cc1b72000000p+1, 0x1.c882a54000000p-29, -0x1.ec54170565912p-63},
      {0x1.836e4e4000000p+0, 0x1.054a7f0000000p-30, 0x1.3abe8fa9a6ee0p-59},
      {0x1.b727221000000p+1, -0x1.5ac07b0000000p-29, -0x1.505c1596447e5p-57},
      {0x1.27220a9000000p+1, 0x1.3f84eb0000000p-29, -0x1.70565911f924fp-59},
      {0x1.220a950000000p+1, -0x1.ec54170000000p-31, -0x1.596447e493ad5p-61},
      {0x1.529fc20000000p-4, 0x1.d5f47d8000000p-30, -0x1.96447e493ad4dp-57},
      {0x1.29fc276000000p+0, -0x1.05c1598000000p-29, 0x1.bb81b6c52b328p-57},
      {0x1.fc2757e000000p+0, -0x1.c159644000000p-29, -0x1.f924eb53361dep-59},
      {0x1.3abe900000000p-3, -0x1.5964480000000p-29, 0x1.b6c52b3278872p-57},
      {0x1.abe8faa000000p+1, -0x1.6447e48000000p-29, -0x1.3ad4cd8778df8p-57},
      {0x1.e8fa9a7000000p+1, -0x1.1f924f0000000p-31, 0x1.2b32788720840p-57},
      {0x1.f534ddc000000p+0, 0x1.b6c52c0000000p-33, -0x1.9b0ef1bef806cp-58},
      {0x1.34ddc0e000000p+0, -0x1.275a998000000p-30, -0x1.8778df7c035d4p-57}};
  int32_t k = ((int32_t)(pt_bits_f(x) >> 23) - 150) >> 3;
  k = k < 0 ? 0 : k > 13 ? 13 : k;
  double m = (double)x * pt_from_d((uint64_t)(1023 - 8 * k) << 52);
  double a = m * part[k][0], b = m * part[k][1];
  double ta = a + PT_MAGIC_D, fa = a - (ta - PT_MAGIC_D);
  double tb = b + PT_MAGIC_D, fb = b - (tb - PT_MAGIC_D);
  double f = fa + fb + m * part[k][2], tf = f + PT_MAGIC_D;
  *quadrant = pt_bits_d(ta) + pt_bits_d(tb) + pt_bits_d(tf);
  return f - (tf - PT_MAGIC_D);
}
PT_FN double pt_sin_quarter(double f) { /* sin(f pi / 2), |f| <= 1/2 */
  double z = f * f;
  double p = 1.6044118478735982e-4; /* Taylor */
  p = MAD(p, z, -4.6817541353186881e-3);
  p = MAD(p, z, 7.9692626246167046e-2);
  p = MAD(p, z, -6.4596409750624625e-1);
  return f * MAD(p, z, 1.5707963267948966);
}
PT_FN double pt_cos_quarter(double f) {
  double z = f * f;
  double p = -2.5202042373060605e-5;
  p = MAD(p, z, 9.1926027483942658e-4);
  p = MAD(p, z, -2.0863480763352961e-2);
  p = MAD(p, z, 2.5366950790104802e-1);
  p = MAD(p, z, -1.2337005501361698);
  return MAD(p, z, 1.0);
}
/* pt_quarter_turns for 0 <= x < 2^31: its first row, to the same bits. */
PT_FN double pt_quarter_turns_near(float x, uint64_t *quadrant) {
  double m = (double)x, a = m * 0x1.45f306e000000p-1, b = m * -0x1.b1bbeb0000000p-32;
  double ta = a + PT_MAGIC_D, fa = a - (ta - PT_MAGIC_D);
  double tb = b + PT_MAGIC_D, fb = b - (tb - PT_MAGIC_D);
  double f = fa + fb + m * 0x1.4fe13abe8fa9ap-59, tf = f + PT_MAGIC_D;
  *quadrant = pt_bits_d(ta) + pt_bits_d(tb) + pt_bits_d(tf);
  return f - (tf - PT_MAGIC_D);
}
PT_FN float pt_turned_sin(float x, double f, uint64_t q) {
  double y = q & 1 ? pt_cos_quarter(f) : pt_sin_quarter(f);
  y = q & 2 ? -y : y;
  return (float)(x < 0 ? -y : x == 0 ? x : y);
}
PT_FN float pt_turned_cos(double f, uint64_t q) {
  double y = q & 1 ? pt_sin_quarter(f) : pt_cos_quarter(f);
  return (float)((q + 1) & 2 ? -y : y);
}
PT_FN float pt_turned_tan(float x, double f, uint64_t q) {
  double s = pt_sin_quarter(f), c = pt_cos_quarter(f), y = q & 1 ? -c / s : s / c;
  return (float)(x < 0 ? -y : x == 0 ? x : y);
}

/* Sine and cosine of what is near enough for a reduction without a table: pi / 2 in three parts, where
   the first product with a whole number is taken off exactly (fused multiply-adds), or turns in
   double. */
#ifdef __FMA__
#define PT_NEAR_TURNS 65536.0f
#define PT_NEAR_TURNS_BITS 0x47800000u
PT_FN float pt_quadrants_f(float a, float *r, uint32_t *q) {
  float t = MAF(a, 0x1.45f306p-1f, PT_MAGIC_F), n = t - PT_MAGIC_F;
  *q = pt_bits_f(t);
  *r = MAF(n, 0x1.ee59dap-50f, MAF(n, 0x1.777a5cp-25f, MAF(n, -0x1.921fb6p0f, a)));
  return *r * *r;
}
PT_FN float pt_sin_poly_f(float r, float z) {
  float p = MAF(MAF(z, -1.9508741e-4f, 8.3321128e-3f), z, -1.6666654e-1f);
  return MAF(p, z * r, r);
}
PT_FN float pt_cos_poly_f(float z) {
  float p = MAF(MAF(MAF(z, 2.4425681e-5f, -1.3887251e-3f), z, 4.1666646e-2f), z, -0.5f);
  return MAF(p, z, 1.0f);
}
PT_FN float pt_sin_near_f(float x) {
  uint32_t q;
  float r, z = pt_quadrants_f(PT_NAME(abs, f)(x), &r, &q);
  float y = q & 1 ? pt_cos_poly_f(z) : pt_sin_poly_f(r, z);
  return pt_from_f(pt_bits_f(y) ^ (q << 30 & 0x80000000u) ^ (pt_bits_f(x) & 0x80000000u));
}
PT_FN float pt_cos_near_f(float x) {
  uint32_t q;
  float r, z = pt_quadrants_f(PT_NAME(abs, f)(x), &r, &q);
  float y = q & 1 ? pt_sin_poly_f(r, z) : pt_cos_poly_f(z);
  return pt_from_f(pt_bits_f(y) ^ ((q + 1) << 30 & 0x80000000u));
}
#else
#define PT_NEAR_TURNS 0x1p31f
#define PT_NEAR_TURNS_BITS 0x4f000000u
PT_FN float pt_sin_near_f(float x) {
  uint64_t q;
  double f = pt_quarter_turns_near(PT_NAME(abs, f)(x), &q);
  return pt_turned_sin(x, f, q);
}
PT_FN float pt_cos_near_f(float x) {
  uint64_t q;
  double f = pt_quarter_turns_near(PT_NAME(abs, f)(x), &q);
  return pt_turned_cos(f, q);
}
#endif
PT_FN float pt_tan_near_f(float x) { /* |x| < 2^31 */
  uint64_t q;
  double f = pt_quarter_turns_near(PT_NAME(abs, f)(x), &q);
  return pt_turned_tan(x, f, q);
}

PT_FN float PT_NAME(sin, f)(float x) {
  uint64_t q;
  float a = PT_NAME(abs, f)(x);
  if (a < PT_NEAR_TURNS) return pt_sin_near_f(x);
  double f = pt_quarter_turns(a, &q);
  return pt_turned_sin(x, f, q);
}
PT_FN float PT_NAME(cos, f)(float x) {
  uint64_t q;
  float a = PT_NAME(abs, f)(x);
  if (a < PT_NEAR_TURNS) return pt_cos_near_f(x);
  double f = pt_quarter_turns(a, &q);
  return pt_turned_cos(f, q);
}
PT_FN float PT_NAME(tan, f)(float x) {
  uint64_t q;
  double f = pt_quarter_turns(PT_NAME(abs, f)(x), &q);
  return pt_turned_tan(x, f, q);
}

/* Cephes' atan: reduced to |x| <= 0.66 by the angles of 45 and 90 degrees. */
PT_FN double PT_NAME(atan, d)(double x) {
  double a = PT_NAME(abs, d)(x);
  bool steep = a > 2.41421356237309504880, middle = a > 0.66;
  double u = steep ? -1.0 / a : middle ? (a - 1.0) / (a + 1.0) : a, z = u * u;
  double p = -8.750608600031904122785e-1;
  p = MAD(p, z, -1.615753718733365076637e1);
  p = MAD(p, z, -7.500855792314704667340e1);
  p = MAD(p, z, -1.228866684490136173410e2);
  p = MAD(p, z, -6.485021904942025371773e1);
  double q = z + 2.485846490142306297962e1;
  q = MAD(q, z, 1.650270098316988542046e2);
  q = MAD(q, z, 4.328810604912902668951e2);
  q = MAD(q, z, 4.853903996359136964868e2);
  q = MAD(q, z, 1.945506571482613964425e2);
  double rest = steep ? 6.123233995736765886130e-17 : middle ? 3.061616997868382943065e-17 : 0;
  double base = steep ? 1.57079632679489661923 : middle ? 0.785398163397448309616 : 0;
  return PT_NAME(withsign, d)(base + (u * (z * (p / q)) + u + rest), x);
}
PT_FN float PT_NAME(atan, f)(float x) { return (float)PT_NAME(atan, d)((double)x); }
PT_FN double PT_NAME(asin, d)(double x) {
  return PT_NAME(atan, d)(x / PT_NAME(sqrt, d)((1.0 - x) * (1.0 + x)));
}
PT_FN float PT_NAME(asin, f)(float x) { return (float)PT_NAME(asin, d)((double)x); }
PT_FN float PT_NAME(acos, f)(float x) {
  return (float)(1.57079632679489661923 - PT_NAME(asin, d)((double)x));
}
PT_FN double PT_NAME(acos, d)(double x) { return acos(x); }
/* The angle of the smaller over the larger of |a| and |b|, then turned into its octant. */
PT_FN float PT_NAME(atan2, f)(float a, float b) {
  double u = PT_NAME(abs, f)(a), v = PT_NAME(abs, f)(b);
  double low = u < v ? u : v, high = u < v ? v : u;
  double t = low == high ? (high == 0 ? 0.0 : 1.0) : low / high;
  double y = PT_NAME(atan, d)(t);
  y = u > v ? 1.57079632679489661923 - y : y;
  y = PT_NAME(signbit, f)(b) ? 3.14159265358979323846 - y : y;
  return (a != a) | (b != b) ? a + b : PT_NAME(withsign, f)((float)y, a);
}

/* ---- from the C library ---- */

#define PT_LIBM(name)                                          \
  PT_FN float PT_NAME(name, f)(float x) { return name##f(x); } \
  PT_FN double PT_NAME(name, d)(double x) { return name(x); }
#define PT_LIBM2(name)                                                     \
  PT_FN float PT_NAME(name, f)(float a, float b) { return name##f(a, b); } \
  PT_FN double PT_NAME(name, d)(double a, double b) { return name(a, b); }
PT_LIBM(erfc)
PT_LIBM2(fmod)
PT_LIBM2(nextafter)
PT_FN double PT_NAME(acosh, d)(double x) { return acosh(x); }
PT_FN double PT_NAME(asinh, d)(double x) { return asinh(x); }
PT_FN double PT_NAME(atanh, d)(double x) { return atanh(x); }
PT_FN double PT_NAME(atan2, d)(double a, double b) { return atan2(a, b); }
PT_FN double PT_NAME(cosh, d)(double x) { return cosh(x); }
PT_FN double PT_NAME(sinh, d)(double x) { return sinh(x); }
PT_FN double PT_NAME(hypot, d)(double a, double b) { return hypot(a, b); }
PT_FN float PT_NAME(hypot, f)(float a, float b) {
  double u = a, v = b, y = PT_NAME(sqrt, d)(u * u + v * v);
  float p = PT_NAME(abs, f)(a), q = PT_NAME(abs, f)(b);
  return (p == HUGE_VALF) | (q == HUGE_VALF) ? HUGE_VALF : (float)y;
}
PT_FN double PT_NAME(sin, d)(double x) { return sin(x); }
PT_FN double PT_NAME(cos, d)(double x) { return cos(x); }
PT_FN double PT_NAME(tan, d)(double x) { return tan(x); }
PT_FN double PT_NAME(pow, d)(double a, double b) { return pow(a, b); }

/* C's lgamma writes a global. */
PT_FN double PT_NAME(lgamma, d)(double x) {
#if defined(__GLIBC__) && !defined(__CUDA_ARCH__)
  int sign;
  return lgamma_r(x, &sign);
#else
  return lgamma(x);
#endif
}
PT_FN float PT_NAME(lgamma, f)(float x) { return (float)PT_NAME(lgamma, d)((double)x); }

/* ---- special functions ---- */

#if defined(__cplusplus) || defined(PT_SPECIAL_BODIES)
#include "scalar_special.h"
#else
#define PT_CALL(name) \
  PT_FN double PT_NAME(name, d)(double x) { return pti_special_##name(x); }
#define PT_CALL2(name) \
  PT_FN double PT_NAME(name, d)(double a, double b) { return pti_special_##name(a, b); }
PT_SPECIAL(PT_CALL, PT_CALL2)
#endif
#define PT_FROM_DOUBLE(name) \
  PT_FN float PT_NAME(name, f)(float x) { return (float)PT_NAME(name, d)((double)x); }
#define PT_FROM_DOUBLES(name)                             \
  PT_FN float PT_NAME(name, f)(float a, float b) {        \
    return (float)PT_NAME(name, d)((double)a, (double)b); \
  }
PT_SPECIAL(PT_FROM_DOUBLE, PT_FROM_DOUBLES)

/* ---- the parts of a number ---- */

PT_FN double PT_NAME(mantissa, d)(double x) {
  int e;
  return frexp(x, &e);
}
PT_FN double PT_NAME(exponent, d)(double x) {
  int e = 0;
  return isfinite(x) ? (frexp(x, &e), e) : 0;
}
PT_FROM_DOUBLE(mantissa)
PT_FROM_DOUBLE(exponent)

/* ---- powers ---- */

/* By way of double: 2^-53 of error in the logarithm leaves 0.5 units of the float. */
PT_FN float PT_NAME(pow, f)(float a, float b) {
  double u = PT_NAME(abs, f)(a), half = 0.5 * (double)b;
  bool whole = PT_NAME(round, d)(b) == (double)b, odd = whole & (PT_NAME(round, d)(half) != half);
  double y = PT_NAME(exp, d)((double)b * PT_NAME(log, d)(u));
  bool minus = (pt_bits_f(a) >> 31) != 0;
  y = minus & odd ? -y : y;
  y = (a < 0) & (a > -HUGE_VALF) & !whole ? (double)NAN : y;
  y = a != a ? (double)a : b != b ? (double)b : y;
  bool one = (a == 1.0f) | (b == 0) | ((a == -1.0f) & (PT_NAME(abs, f)(b) == HUGE_VALF));
  return one ? 1.0f : (float)y;
}
#define PT_POW_GRADIENTS(T, L)                                         \
  PT_FN T PT_NAME(powga, L)(T g, T a, T b) {                           \
    return b == 0 ? 0 * g : g * (b * PT_NAME(pow, L)(a, b - 1));       \
  }                                                                    \
  PT_FN T PT_NAME(powgb, L)(T g, T a, T b, T y) {                      \
    return (a == 0) & (b >= 0) ? 0 * g : g * (y * PT_NAME(log, L)(a)); \
  }
PT_POW_GRADIENTS(float, f)
PT_POW_GRADIENTS(double, d)

/* ---- division that rounds down ---- */

#define PT_FLOOR_DIVISION(T, L)                                                       \
  PT_FN T PT_NAME(remainder, L)(T a, T b) {                                           \
    T r = PT_NAME(fmod, L)(a, b);                                                     \
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;                                  \
  }                                                                                   \
  PT_FN T PT_NAME(floordiv, L)(T a, T b) {                                            \
    T r = PT_NAME(fmod, L)(a, b), q = (a - r) / b;                                    \
    if (b == 0) return a / b;                                                         \
    if (r != 0 && (r < 0) != (b < 0)) q -= 1;                                         \
    T n = PT_NAME(round, L)(q); /* q is whole but for the rounding of the division */ \
    return q == 0 ? PT_NAME(withsign, L)(0, a / b) : n;                               \
  }
PT_FLOOR_DIVISION(float, f)
PT_FLOOR_DIVISION(double, d)

/* ---- integers ---- */

PT_FN int64_t PT_NAME(abs, i)(int64_t x) { return x < 0 ? (int64_t)(0 - (uint64_t)x) : x; }
PT_FN int64_t PT_NAME(sign, i)(int64_t x) { return (x > 0) - (x < 0); }
PT_FN int64_t PT_NAME(max2, i)(int64_t a, int64_t b) { return a > b ? a : b; }
PT_FN int64_t PT_NAME(min2, i)(int64_t a, int64_t b) { return a < b ? a : b; }
PT_FN int64_t PT_NAME(round, i)(int64_t x) { return x; }
PT_FN int64_t PT_NAME(floor, i)(int64_t x) { return x; }
PT_FN int64_t PT_NAME(ceil, i)(int64_t x) { return x; }
PT_FN int64_t PT_NAME(trunc, i)(int64_t x) { return x; }
PT_FN int64_t PT_NAME(fmod, i)(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }
PT_FN int64_t PT_NAME(remainder, i)(int64_t a, int64_t b) {
  int64_t r = PT_NAME(fmod, i)(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
PT_FN int64_t PT_NAME(floordiv, i)(int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return (int64_t)(0 - (uint64_t)a);
  int64_t q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}
PT_FN bool PT_NAME(signbit, i)(int64_t x) { return x < 0; }
PT_FN int64_t PT_NAME(gcd, i)(int64_t a, int64_t b) {
  uint64_t u = (uint64_t)PT_NAME(abs, i)(a), v = (uint64_t)PT_NAME(abs, i)(b);
  while (v) {
    uint64_t r = u % v;
    u = v;
    v = r;
  }
  return (int64_t)u;
}
PT_FN int64_t PT_NAME(lcm, i)(int64_t a, int64_t b) {
  uint64_t u = (uint64_t)PT_NAME(abs, i)(a), d = (uint64_t)PT_NAME(gcd, i)(a, b);
  return d ? PT_NAME(abs, i)((int64_t)(u / d * (uint64_t)b)) : 0;
}
PT_FN int64_t PT_NAME(shl, i)(int64_t a, int64_t b) {
  return (b < 0) | (b > 63) ? 0 : (int64_t)((uint64_t)a << (b & 63));
}
PT_FN int64_t PT_NAME(shr, i)(int64_t a, int64_t b) { return a >> ((b < 0) | (b > 63) ? 63 : b); }
/* A negative power is what is left of the fraction: 0, but for 1 and -1. */
PT_FN int64_t PT_NAME(pow, i)(int64_t a, int64_t b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
  uint64_t y = 1, u = (uint64_t)a;
  for (; b > 0; b >>= 1, u *= u) y = b & 1 ? y * u : y;
  return (int64_t)y;
}

#endif
