/* truth.h: functions that ops are measured by and the C library has not, in long double: 11 bits more than double on x86,
   60 on other machines. Each is computed in another way than kernels/scalar_special.h does it, or with terms to spare;
   spec/peers/truth.py compares them with mpmath. */
#ifndef ACCURACY_TRUTH_H
#define ACCURACY_TRUTH_H

#include <math.h>
#include <stdbool.h>

typedef long double wide;

#define PI 3.14159265358979323846264338327950288L
#define LOG_2 0.69314718055994530941723212145817657L

/* More than long double, where that is not all there is. */
#if defined(__x86_64__) || defined(__i386__)
typedef __float128 widest;
#else
typedef long double widest;
#endif

/* erfc(x sqrt(1/2)), where the rounding of the product is made good: erfc is steep. */
static inline wide erfc_of_half(wide x) {
  const widest root_half = (widest)0x1.6a09e667f3bcdp-1 - 4.8336466567264565186e-17L;
  wide z = (wide)(x * root_half), lost = (wide)(x * root_half - z);
  return erfcl(z) - 2 / sqrtl(PI) * expl(-z * z) * lost;
}
static inline wide true_ndtr(wide x) { return 0.5L * erfc_of_half(-x); }
static inline wide true_log_ndtr(wide x) {
  return x < -1 ? logl(true_ndtr(x)) : log1pl(-0.5L * erfc_of_half(x));
}
static inline wide true_erfcx(wide x) {
  wide a = fabsl(x), z = x * x, grown = expl(z) * (1 + fmal(x, x, -z)), y = grown * erfcl(a);
  return x < 0 ? 2 * grown - y : y;
}
/* Newton's method, on erfc where that is the exact one, from a guess that is right to three digits. */
static inline wide true_erfinv(wide y) {
  wide a = fabsl(y), both = log1pl(-a * a), c = 2 / (PI * 0.147L) + both / 2;
  if (a == 1) return copysignl(HUGE_VALL, y);
  wide x = sqrtl(sqrtl(c * c - both / 0.147L) - c);
  for (int i = 0; i < 6; i++) {
    wide over = a < 0.5L ? erfl(x) - a : 1 - a - erfcl(x);
    x -= over / (2 / sqrtl(PI) * expl(-x * x));
  }
  return copysignl(x, y);
}

static inline wide true_digamma(wide x) {
  static const wide term[] = {1 / 12.0L,  -1 / 120.0L,     1 / 252.0L, -1 / 240.0L,
                              1 / 132.0L, -691 / 32760.0L, 1 / 12.0L,  -3617 / 8160.0L};
  wide y = 0;
  if (x < 0) {
    if (x == floorl(x)) return NAN;
    y = -PI / tanl(PI * (x - roundl(x)));
    x = 1 - x;
  }
  for (; x < 30; x += 1) y -= 1 / x;
  wide z = 1 / (x * x), power = z, s = 0;
  for (int k = 0; k < 8; k++, power *= z) s += term[k] * power;
  return y + logl(x) - 0.5L / x - s;
}
/* The sum of (x + k)^-s for x > 0: 40 terms, then Euler and Maclaurin. */
static inline wide true_zeta(wide s, wide x) {
  static const wide bernoulli[] = {1 / 6.0L,  -1 / 30.0L,     1 / 42.0L, -1 / 30.0L,
                                   5 / 66.0L, -691 / 2730.0L, 7 / 6.0L,  -3617 / 510.0L};
  wide y = 0;
  for (int k = 0; k < 40; k++, x += 1) y += powl(x, -s);
  wide w = powl(x, -s), f = s * w / (2 * x);
  y += x * w / (s - 1) + w / 2;
  for (int k = 1; k <= 8; k++) { /* f is s (s + 1) ... (s + 2 k - 2) x^(-s - 2 k + 1) over (2 k)! */
    y += bernoulli[k - 1] * f;
    f *= (s + 2 * k - 1) * (s + 2 * k) / ((2 * k + 1) * (2 * k + 2) * x * x);
  }
  return y;
}
static inline wide true_polygamma(wide n, wide x) {
  wide y = tgammal(n + 1) * true_zeta(n + 1, x);
  return fmodl(n, 2) == 0 ? -y : y;
}

/* I_n(x) by the power series, all of whose terms have one sign. */
static inline wide true_bessel_i(int n, wide x) {
  wide z = x * x / 4, term = n ? x / 2 : 1, y = term;
  for (int k = 1; fabsl(term) > fabsl(y) * 1e-22L; k++) {
    term *= z / ((wide)k * (k + n));
    y += term;
  }
  return y;
}
/* K_v(x) exp(x), the integral of exp(x - x cosh t) cosh(v t) over t >= 0, by the trapezoidal rule. */
static inline wide true_bessel_ke(wide v, wide x) {
  const wide step = 1 / (24 + 6 * sqrtl(x)); /* the integrand is 1 / sqrt(x) wide */
  wide y = 0.5L;
  for (int k = 1;; k++) {
    wide half = sinhl(step * k / 2), below = 2 * x * half * half;
    wide term = expl(-below) * coshl(v * step * k);
    y += term;
    if (below > 1 && term < y * 1e-22L) return step * y;
  }
}

/* sin(x) / x^2 - cos(x) / x; near 0, where these cancel, the series. */
static inline wide true_spherical_j1(wide x) {
  if (fabsl(x) > 2) return (sinl(x) / x - cosl(x)) / x;
  wide z = x * x / 2, term = x / 3, y = term;
  for (int k = 1; k < 16; k++) {
    term *= -z / (k * (2 * k + 3.0L));
    y += term;
  }
  return y;
}

/* Ai(x) or its slope: to the right by K of order 1/3 and 2/3; to the left by the power series, whose terms are larger than
   their sum and have the precision for it. */
static inline wide true_airy(bool slope, wide x) {
  if (x > 0.1L) {
    wide root = sqrtl(x), zeta = 2 * x * root / 3;
    return slope ? -x / (PI * sqrtl(3)) * true_bessel_ke(2 / 3.0L, zeta) * expl(-zeta)
                 : root / (PI * sqrtl(3)) * true_bessel_ke(1 / 3.0L, zeta) * expl(-zeta);
  }
  const widest at_0 = (widest)0x1.6b8c7962715b8p-2 + 2.052336324362119930276608e-17L;
  const widest slope_at_0 = (widest)-0x1.0907f42b70f8bp-2 + 2.522243111610832192241309e-17L;
  widest cube = (widest)x * x * x, s = slope_at_0 * (slope ? 1 : x);
  widest t = at_0 * (slope ? (widest)x * x / 2 : 1), y = 0;
  for (int k = 0; k < 120; k++) { /* terms of x^3k and x^(3k + 1), or of their slopes */
    y += t + s;
    t *= cube / (slope ? (3 * k + 3) * (3 * k + 5) : (3 * k + 2) * (3 * k + 3));
    s *= cube / (slope ? (3 * k + 1) * (3 * k + 3) : (3 * k + 3) * (3 * k + 4));
  }
  return (wide)y;
}

/* The regularized incomplete gamma function of a up to x, or from there on: a series, or a continued fraction (Lentz). */
static inline wide true_gamma_share(bool upper, wide a, wide x) {
  wide term = expl(a * logl(x) - x - lgammal(a + 1));
  if (x < a + 1) {
    wide t = 1, s = 1;
    for (int k = 1; t > s * 1e-22L; k++) {
      t *= x / (a + k);
      s += t;
    }
    return upper ? 1 - term * s : term * s;
  }
  wide b = x + 1 - a, c = 1e3000L, d = 1 / b, h = d;
  for (int k = 1; k < 10000; k++) {
    wide n = k * (a - k);
    b += 2;
    d = 1 / (n * d + b);
    c = b + n / c;
    h *= d * c;
    if (fabsl(d * c - 1) < 1e-20L) break;
  }
  wide y = term * a * h;
  return upper ? y : 1 - y;
}

#endif
