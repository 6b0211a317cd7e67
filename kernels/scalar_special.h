/* scalar_special.h: special functions of scalar.h, which few files need: loops and series in double, which stay
   scalar. Included by scalar.h, whose macros they use. */
#ifndef PTI_SCALAR_SPECIAL_H
#define PTI_SCALAR_SPECIAL_H

#define PT_FROM_DOUBLE(name) \
  PT_FN float PT_NAME(name, f)(float x) { return (float)PT_NAME(name, d)((double)x); }

/* A rational first guess, then two steps of Newton's method. */
PT_FN double PT_NAME(erfinv, d)(double y) {
  double a = PT_NAME(abs, d)(y), rest = 1.0 - a, x;
  if (!(a < 1)) return a == 1 ? PT_NAME(withsign, d)(HUGE_VAL, y) : (double)NAN;
  if (a <= 0.7) {
    double z = a * a;
    x = a * (((-0.140543331 * z + 0.914624893) * z - 1.645349621) * z + 0.886226899) /
        ((((0.012229801 * z - 0.329097515) * z + 1.442710462) * z - 2.118377725) * z + 1.0);
  } else {
    double z = sqrt(-log(rest * 0.5));
    x = (((1.641345311 * z + 3.429567803) * z - 1.624906493) * z - 1.970840454) /
        ((1.637067800 * z + 3.543889200) * z + 1.0);
  }
  for (int i = 0; i < 2; i++) {
    double over = a <= 0.7 ? erf(x) - a : rest - erfc(x);
    x -= over / (1.1283791670955126 * exp(-x * x));
  }
  return PT_NAME(withsign, d)(x, y);
}
PT_FROM_DOUBLE(erfinv)

/* Far to the left by the asymptotic series of the tail. */
PT_FN double PT_NAME(log_ndtr, d)(double x) {
  if (x > -1) return log1p(-0.5 * erfc(x * 0.70710678118654752));
  if (x > -30) return log(0.5 * erfc(-x * 0.70710678118654752));
  double z = 1 / (x * x), s = 1, term = 1;
  for (int k = 1; k < 9; k++) {
    term *= -z * (2 * k - 1);
    s += term;
  }
  return -0.5 * x * x - log(-x) - 0.91893853320467274 + log(s);
}
PT_FROM_DOUBLE(log_ndtr)

/* I_n, n 0 or 1: the power series, whose terms are positive, or the asymptotic one. */
PT_FN double pt_bessel_i(int n, double x) {
  double a = fabs(x), y;
  if (a != a) return x;
  if (a <= 30) {
    double z = 0.25 * a * a, term = n ? 0.5 * a : 1;
    y = term;
    for (int k = 1; term > y * 1e-17; k++) {
      term *= z / ((double)k * (k + n));
      y += term;
    }
  } else {
    double term = 1, s = 1;
    for (int k = 1; k < 20; k++) {
      term *= ((2.0 * k - 1) * (2.0 * k - 1) - 4.0 * n * n) / (8.0 * k * a);
      s += term;
    }
    y = exp(0.5 * a) / sqrt(6.28318530717958648 * a) * s * exp(0.5 * a);
  }
  return n && x < 0 ? -y : y;
}
PT_FN double PT_NAME(i0, d)(double x) { return pt_bessel_i(0, x); }
PT_FN double PT_NAME(i1, d)(double x) { return pt_bessel_i(1, x); }
PT_FROM_DOUBLE(i0)
PT_FROM_DOUBLE(i1)

/* Sum over k >= 0 of (x + k)^-s, s > 1: nine terms, then Euler and Maclaurin. */
PT_FN double pt_zeta(double s, double x) {
  static const double bernoulli[] = {1.0 / 12,           -1.0 / 720,
                                     1.0 / 30240,        -1.0 / 1209600,
                                     1.0 / 47900160,     -691.0 / 1307674368000,
                                     1.0 / 74724249600., -3617.0 / 10670622842880000.};
  if (x == HUGE_VAL) return 0;
  double y = 0, a = x;
  for (int k = 0; k < 9 || a < 9; k++, a += 1) y += pow(a, -s);
  double w = pow(a, -s), f = s * w / a;
  y += a * w / (s - 1) + 0.5 * w;
  for (int k = 0; k < 8; k++) {
    y += f * bernoulli[k];
    f *= (s + 2 * k + 1) * (s + 2 * k + 2) / (a * a);
  }
  return y;
}
/* n! times the sum of 1 / (x + k)^(n + 1) over all k >= 0, with the sign of (-1)^(n + 1). Below zero the terms left of 0
   are a sum of their own, mirrored: from d, the nearest one, to -x. */
PT_FN double PT_NAME(polygamma, d)(double n, double x) {
  if (n == 0) return PT_NAME(digamma, d)(x);
  if (!(n > 0) || n != floor(n) || !(x > -HUGE_VAL)) return (double)NAN;
  bool even = fmod(n, 2.0) == 0;
  if (x <= 0 && x == floor(x)) return even ? -HUGE_VAL : HUGE_VAL;
  double p = x < 0 ? x - floor(x) : x, sum = pt_zeta(n + 1, p);
  if (x < 0) {
    double mirrored = pt_zeta(n + 1, 1 - p) - pt_zeta(n + 1, 1 - x);
    sum += even ? -mirrored : mirrored;
  }
  double y = tgamma(n + 1) * sum;
  return even ? -y : y;
}
PT_FN float PT_NAME(polygamma, f)(float n, float x) {
  return (float)PT_NAME(polygamma, d)((double)n, (double)x);
}

#endif
