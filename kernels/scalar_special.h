/* scalar_special.h: the special functions of scalar.h: loops and series in double, which stay scalar. Read by scalar.h,
   whose macros they use: where CUDA kernels are compiled, and by cpu/special.c, whose calls serve all loops of the CPU. */
#ifndef PTI_SCALAR_SPECIAL_H
#define PTI_SCALAR_SPECIAL_H

#ifdef __cplusplus
#define PT_SERIES PT_FN
#else
#define PT_SERIES static
#endif

/* Reflected to x > 0, raised above 6 by the recurrence, then Stirling's series. A pole gives NaN,
 * zero infinity. */
PT_SERIES double PT_NAME(digamma, d)(double x) {
  double y = 0;
  if (x == 0) return PT_NAME(withsign, d)(HUGE_VAL, -x);
  if (x < 0) {
    if (x == PT_NAME(floor, d)(x)) return (double)NAN;
    y = -3.14159265358979323846 / tan(3.14159265358979323846 * (x - PT_NAME(round, d)(x)));
    x = 1 - x;
  }
  for (; x < 10; x += 1) y -= 1 / x;
  double z = 1 / (x * x);
  double s = z *
      (1.0 / 12 -
       z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132 - z * (691.0 / 32760))))));
  return y + log(x) - 0.5 / x - s;
}

/* A rational first guess, then two steps of Newton's method. */
PT_SERIES double PT_NAME(erfinv, d)(double y) {
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

/* erfc(x sqrt(1/2)). It is steep, so the rounding of its argument is made good; it is 0 or 2 where |z| >= 28. */
PT_SERIES double pt_erfc_of_half(double x) {
  double z = x * 0.70710678118654752, y = erfc(z);
  if (!(fabs(z) < 28)) return y;
  double lost = fma(x, 0.70710678118654752, -z) + x * -4.8336466567264565e-17;
  return y - 1.1283791670955126 * exp(-z * z) * lost;
}
PT_SERIES double PT_NAME(normal_cdf, d)(double x) { return 0.5 * pt_erfc_of_half(-x); }

/* Far to the left by the asymptotic series of the tail. */
PT_SERIES double PT_NAME(log_ndtr, d)(double x) {
  if (x > -1) return log1p(-0.5 * pt_erfc_of_half(x));
  if (x > -30) return log(0.5 * pt_erfc_of_half(-x));
  double z = 1 / (x * x), s = 1, term = 1;
  for (int k = 1; k < 9; k++) {
    term *= -z * (2 * k - 1);
    s += term;
  }
  return -0.5 * x * x - log(-x) - 0.91893853320467274 + log(s);
}

/* exp(x^2) erfc(x), where the rounding of x^2 is made good; far to the right by the asymptotic series. */
PT_SERIES double PT_NAME(erfcx, d)(double x) {
  if (x < -26.7) return HUGE_VAL;
  double a = fabs(x), z = x * x, y;
  if (a < 10) {
    y = exp(z) * (1 + fma(a, a, -z)) * erfc(a);
  } else {
    double term = 1, s = 1;
    for (int k = 1; k < 20; k++) {
      term *= -(2.0 * k - 1) / (2 * z);
      s += term;
    }
    y = a == HUGE_VAL ? 0 : 0.56418958354775629 / a * s;
  }
  return x < 0 ? 2 * exp(z) * (1 + fma(x, x, -z)) - y : y;
}

/* I_n(x) exp(-|x|), n 0 or 1: the power series, whose terms are positive, or the asymptotic one. */
PT_SERIES double pt_bessel_ie(int n, double x) {
  double a = fabs(x), y;
  if (a != a) return x;
  if (a <= 30) {
    double z = 0.25 * a * a, term = n ? 0.5 * a : 1;
    y = term;
    for (int k = 1; term > y * 1e-17; k++) {
      term *= z / ((double)k * (k + n));
      y += term;
    }
    y *= exp(-a);
  } else {
    double term = 1, s = 1;
    for (int k = 1; k < 20; k++) {
      term *= ((2.0 * k - 1) * (2.0 * k - 1) - 4.0 * n * n) / (8.0 * k * a);
      s += term;
    }
    y = s / sqrt(6.28318530717958648 * a);
  }
  return n && x < 0 ? -y : y;
}
PT_SERIES double pt_bessel_i(int n, double x) {
  double half = exp(0.5 * fabs(x)); /* the whole may overflow where the product does not */
  return half * pt_bessel_ie(n, x) * half;
}
PT_SERIES double PT_NAME(i0, d)(double x) { return pt_bessel_i(0, x); }
PT_SERIES double PT_NAME(i1, d)(double x) { return pt_bessel_i(1, x); }
PT_SERIES double PT_NAME(i0e, d)(double x) { return pt_bessel_ie(0, x); }
PT_SERIES double PT_NAME(i1e, d)(double x) { return pt_bessel_ie(1, x); }

/* J_n(x) for x >= 0, or Y_n(x) for x > 0, n 0 or 1. Up to 25 the sequence J_k is computed downwards from where it
   vanishes (Miller), and scaled by J_0 + 2 J_2 + 2 J_4 + ... = 1; Y is a sum over it (Neumann). Beyond, Hankel's
   asymptotic series. */
PT_SERIES double pt_bessel_jy(bool second, int n, double x) {
  if (x > 25) {
    double term = 1, p = 1, q = 0, c = cos(x), s = sin(x);
    for (int k = 1; k < 40; k++) {
      double last = fabs(term);
      term *= (4.0 * n * n - (2.0 * k - 1) * (2.0 * k - 1)) / (8.0 * k * x);
      if (fabs(term) > last) break; /* an asymptotic series is best where its terms are smallest */
      if (k % 2) q += k % 4 == 1 ? term : -term;
      else p += k % 4 == 2 ? -term : term;
    }
    double re = n ? s - c : c + s,
           im = n ? -s - c : s - c; /* of x - (2 n + 1) pi / 4, times sqrt(2) */
    double y = second ? p * im + q * re : p * re - q * im;
    return x == HUGE_VAL ? 0 : y / sqrt(3.14159265358979324 * x);
  }
  if (x < 1e-8) { /* the first term of the power series; the sequence would grow too fast */
    if (!second) return n ? 0.5 * x : 1;
    return 0.63661977236758134 * (n ? -1 / x : log(0.5 * x) + 0.57721566490153286);
  }
  int top = 2 * (int)(0.5 * x) + 46; /* even; J_k is below 1e-20 there */
  double above = 0, at = 1e-300, sum = 0, j0 = 0, j1 = 0, even = 0, odd = 0;
  for (int k = top; k > 0; k--) { /* at is J_k, but for the scale */
    double sign = k / 2 % 2 ? -1 : 1, below = 2.0 * k / x * at - above;
    if (k % 2 == 0) sum += 2 * at, even += sign * at / (k / 2);
    else if (k > 1) odd += sign * k * at / ((k / 2) * (k / 2 + 1.0));
    if (k == 1) j1 = at, j0 = below;
    above = at;
    at = below;
    if (fabs(at) > 1e250) { /* small x: the sequence grows fast */
      above *= 1e-250, at *= 1e-250, sum *= 1e-250, even *= 1e-250, odd *= 1e-250;
    }
  }
  double scale = 1 / (sum + j0);
  j0 *= scale, j1 *= scale, even *= scale, odd *= scale;
  if (!second) return n ? j1 : j0;
  double log_half = log(0.5 * x) + 0.57721566490153286;
  if (n == 0) return 0.63661977236758134 * (log_half * j0 - 2 * even);
  return 0.63661977236758134 * ((log_half - 1) * j1 - odd - j0 / x);
}
PT_SERIES double PT_NAME(bessel_j0, d)(double x) {
  return x != x ? x : pt_bessel_jy(false, 0, fabs(x));
}
PT_SERIES double PT_NAME(bessel_j1, d)(double x) {
  return x != x ? x : PT_NAME(withsign, d)(1, x) * pt_bessel_jy(false, 1, fabs(x));
}
PT_SERIES double PT_NAME(bessel_y0, d)(double x) {
  return x >= 0 ? pt_bessel_jy(true, 0, x) : (double)NAN;
}
PT_SERIES double PT_NAME(bessel_y1, d)(double x) {
  return x >= 0 ? pt_bessel_jy(true, 1, x) : (double)NAN;
}

/* K_n(x) exp(x), n 0 or 1: the power series, the integral of exp(x - x cosh t) cosh(n t) by the trapezoidal rule, which
   converges faster than any power of its step, or the asymptotic series. */
PT_SERIES double pt_bessel_ke(int n, double x) {
  if (!(x > 0)) return x == 0 ? HUGE_VAL : (double)NAN;
  if (x == HUGE_VAL) return 0;
  double y = 0;
  if (x <= 1) {
    double z = 0.25 * x * x, term = 1, psi = -0.57721566490153286, log_half = log(0.5 * x);
    for (int k = 0; k < 14; k++) { /* psi is digamma(k + 1), term z^k / (k!)^2 */
      y += n == 0 ? (psi - log_half) * term
                  : (log_half - psi - 0.5 / (k + 1)) * term * x / (2 * (k + 1.0));
      psi += 1 / (k + 1.0);
      term *= z / ((k + 1.0) * (k + 1.0));
    }
    return (n ? y + 1 / x : y) * exp(x);
  }
  if (x > 30) {
    double term = 1;
    y = 1;
    for (int k = 1; k < 20; k++) {
      term *= (4.0 * n * n - (2.0 * k - 1) * (2.0 * k - 1)) / (8.0 * k * x);
      y += term;
    }
    return sqrt(1.57079632679489662 / x) * y;
  }
  double step = 1.0 / 16;
  y = 0.5;
  for (int k = 1; k < 80; k++) {
    double half = sinh(0.5 * step * k), below = 2 * x * half * half; /* x cosh(t) - x */
    if (below > 45) break;
    y += exp(-below) * (n ? 1 + 2 * half * half : 1);
  }
  return step * y;
}
PT_SERIES double PT_NAME(k0e, d)(double x) { return pt_bessel_ke(0, x); }
PT_SERIES double PT_NAME(k1e, d)(double x) { return pt_bessel_ke(1, x); }
PT_SERIES double PT_NAME(k0, d)(double x) { return pt_bessel_ke(0, x) * exp(-x); }
PT_SERIES double PT_NAME(k1, d)(double x) { return pt_bessel_ke(1, x) * exp(-x); }

/* Ai(x), or its derivative: from -10 to 10 Taylor's series around the nearest even number, of which the differential
   equation y'' = x y gives all terms; beyond, the asymptotic series. */
PT_SERIES double pt_airy(bool slope, double x) {
  static const double known[][2] = {
      {0.04024123848644319069, 0.9962650441327900559},
      {-0.05270505035638620262, 0.935560938198306551},
      {-0.3291451736298231052, 0.3459354872813428949},
      {-0.0702655329492895151, -0.7906285753685813803},
      {0.227407428201685576, 0.6182590207416910414},
      {0.3550280538878172393, -0.2588194037928067984},
      {0.03492413042327437914, -0.0530903844336536317},
      {0.0009515638512048018736, -0.0019586409502041789},
      {9.94769436025288957e-6, -0.00002476520039703495475},
      {4.692207616099231626e-8, -1.341439297906786574e-7},
      {1.104753255289868593e-10, -3.520633676738923637e-10},
  };
  if (x != x) return x;
  if (fabs(x) <= 10) {
    double from = 2 * round(0.5 * x), h = x - from;
    const double *y = known[(int)(0.5 * from) + 5];
    double a = y[0], b = y[1], before = 0, power = 1, sum = 0; /* terms k and k + 1, and k - 1 */
    for (int k = 0; k < 40; k++) {
      sum += power * (slope ? (k + 1) * b : a);
      double next = (from * a + before) / ((k + 1.0) * (k + 2.0));
      before = a;
      a = b;
      b = next;
      power *= h;
    }
    return sum;
  }
  double r = sqrt(fabs(x)), zeta = 2.0 / 3 * fabs(x) * r, u = 1, even = 1, odd = 0;
  if (x == HUGE_VAL) return slope ? -0.0 : 0.0;
  for (int k = 1; k < 20; k++) { /* u_k / zeta^k; of the slope v_k = -(6 k + 1) / (6 k - 1) u_k */
    u *= (6.0 * k - 5) * (6.0 * k - 3) * (6.0 * k - 1) / (216.0 * k * (2.0 * k - 1) * zeta);
    double w = slope ? -(6.0 * k + 1) / (6.0 * k - 1) * u : u;
    int turn = x < 0 ? k / 2 : k;
    if (turn % 2) w = -w;
    if (x > 0 || k % 2 == 0) even += w;
    else odd += w;
  }
  double root = sqrt(r);
  if (x > 0) {
    double y = 0.28209479177387814 * exp(-zeta) * even;
    return slope ? -y * root : y / root;
  }
  double angle = zeta - 0.78539816339744831, c = cos(angle), s = sin(angle);
  double y = slope ? (s * even - c * odd) * root : (c * even + s * odd) / root;
  return x == -HUGE_VAL ? (slope ? (double)NAN : 0) : 0.56418958354775629 * y;
}
PT_SERIES double PT_NAME(airy_ai, d)(double x) { return pt_airy(false, x); }
PT_SERIES double PT_NAME(airy_ai_slope, d)(double x) { return pt_airy(true, x); }

/* sin(x) / x; and its slope, near 0 by its series. */
PT_SERIES double PT_NAME(spherical_j0, d)(double x) {
  return fabs(x) == HUGE_VAL ? 0 : x == 0 ? 1 : sin(x) / x;
}
PT_SERIES double PT_NAME(spherical_j1, d)(double x) {
  if (fabs(x) < 1) {
    double s = 1;
    for (int k = 9; k > 0; k--) s = 1 - x * x / (2 * k * (2 * k + 3)) * s;
    return x / 3 * s;
  }
  return fabs(x) == HUGE_VAL ? 0 : (sin(x) / x - cos(x)) / x;
}

/* Sum over k >= 0 of (x + k)^-s, s > 1: nine terms, then Euler and Maclaurin. */
PT_SERIES double pt_zeta(double s, double x) {
  static const double bernoulli[] = {1.0 / 12,           -1.0 / 720,
                                     1.0 / 30240,        -1.0 / 1209600,
                                     1.0 / 47900160,     -691.0 / 1307674368000,
                                     1.0 / 74724249600., -3617.0 / 10670622842880000.};
  if (x == HUGE_VAL) return 0;
  double y = 0, a = x;
  for (int k = 0; k < 9 || a < 9; k++, a += 1) y += pow(a, -s);
  double w = pow(a, -s), f = s * w / a;
  y += pow(a, 1 - s) / (s - 1) + 0.5 * w;
  for (int k = 0; k < 8; k++) {
    y += f * bernoulli[k];
    f *= (s + 2 * k + 1) * (s + 2 * k + 2) / (a * a);
  }
  return y;
}
/* Hurwitz's zeta function for every x: the terms left of 0, which exist for whole s, are a sum of their own. */
PT_SERIES double PT_NAME(hurwitz_zeta, d)(double s, double x) {
  if (!(s >= 1) || x != x) return s != s || x != x || s < 1 ? (double)NAN : s;
  if (s == 1 || (x <= 0 && x == floor(x))) return HUGE_VAL;
  if (x > 0) return pt_zeta(s, x);
  if (s != floor(s)) return (double)NAN;
  double p = x - floor(x), mirrored = pt_zeta(s, 1 - p) - pt_zeta(s, 1 - x);
  return pt_zeta(s, p) + (fmod(s, 2.0) == 0 ? mirrored : -mirrored);
}

/* m - log(1 + m) for small m without cancellation. */
PT_SERIES double pt_log1p_rest(double m) {
  if (fabs(m) > 0.05) return m - log1p(m);
  double s = 0, power = m * m;
  for (int k = 2; k < 16; k++, power *= -m) s += power / k;
  return s;
}

/* x^a exp(-x) / gamma(a + 1). */
PT_SERIES double pt_gamma_term(double a, double x) {
  if (a < 10) return exp(a * log(x) - x - PT_NAME(lgamma, d)(a + 1));
  double z = 1 / (a * a), s = 691.0 / 360360 - z / 156;
  s = 1.0 / 12 - z * (1.0 / 360 - z * (1.0 / 1260 - z * (1.0 / 1680 - z * (1.0 / 1188 - z * s))));
  /* (x - a) / a has lost the digits of an x that is much smaller */
  double fall = x < 0.5 * a ? -log(x / a) + (x - a) / a : pt_log1p_rest((x - a) / a);
  return exp(-a * fall - s / a) / sqrt(6.28318530717958648 * a);
}

/* The regularized incomplete gamma function of x, or what it lacks to 1 (`upper`). A series, a continued fraction
   (Lentz), or for large a Temme's expansion, of which both differences to the error function count only near x = a. */
PT_SERIES double pt_gamma_share(bool upper, double a, double x) {
  if (!(a >= 0) || !(x >= 0) || (a == 0 && x == 0)) return (double)NAN;
  if (x == 0 || a == HUGE_VAL) return x == HUGE_VAL ? (double)NAN : upper;
  if (a == 0 || x == HUGE_VAL) return !upper;
  if (a > 1e5) {
    double half = pt_log1p_rest((x - a) / a), eta = sqrt(2 * half);
    if (x < a) eta = -eta;
    double rest = -1.0 / 3 + eta * (1.0 / 12 + eta * (-2.0 / 135 + eta * (1.0 / 864 + eta / 2835)));
    rest += (-1.0 / 540 - eta / 288) / a;
    rest *= exp(-a * half) / sqrt(6.28318530717958648 * a);
    double y = 0.5 * erfc((upper ? eta : -eta) * sqrt(0.5 * a));
    return upper ? y + rest : y - rest;
  }
  double term = pt_gamma_term(a, x), y;
  if (x < a + 1) {
    double t = 1, s = 1;
    for (int k = 1; k < 20000 && t > s * 1e-17; k++) {
      t *= x / (a + k);
      s += t;
    }
    y = term * s;
    return upper ? 1 - y : y;
  }
  double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
  for (int k = 1; k < 20000; k++) {
    double n = k * (a - k);
    b += 2;
    d = 1 / (n * d + b);
    c = b + n / c;
    h *= d * c;
    if (fabs(d * c - 1) < 1e-16) break;
  }
  y = term * a * h;
  return upper ? y : 1 - y;
}
PT_SERIES double PT_NAME(igamma, d)(double a, double x) { return pt_gamma_share(false, a, x); }
PT_SERIES double PT_NAME(igammac, d)(double a, double x) { return pt_gamma_share(true, a, x); }

/* n! times the sum of 1 / (x + k)^(n + 1) over all k >= 0, with the sign of (-1)^(n + 1). Below zero the terms left of 0
   are a sum of their own, mirrored: from d, the nearest one, to -x. */
PT_SERIES double PT_NAME(polygamma, d)(double n, double x) {
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

#endif
