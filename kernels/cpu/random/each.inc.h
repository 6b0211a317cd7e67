/* each.inc.h: one number for each element of p, by rejection, as PyTorch draws it. Included by twister.c for T float and
   double, with the roundings of PyTorch's functions for that type; F(name) makes a name of it. */

/* Marsaglia and Tsang (2000), of shape alpha and scale 1. */
static T F(gamma)(pti_twister *t, T alpha) {
  double scale = 1;
  if (alpha < 1) {
    if (alpha == 0) return 0;
    scale = pow(1 - unit(t), (T)1 / alpha);
    alpha += 1;
  }
  double d = alpha - (T)(1.0f / 3.0f), c = 1 / sqrt(9 * d);
  for (;;) {
    double x, y;
    do {
      x = normal(t);
      y = 1 + c * x;
    } while (y <= 0);
    double v = y * y * y, u = 1 - unit(t), xx = x * x;
    if (u < 1.0 - 0.0331f * xx * xx) return (T)(scale * d * v);
    if (log(u) < 0.5 * xx + d * (1.0 - v + log(v))) return (T)(scale * d * v);
  }
}

/* Geometric waits are added up until they exceed the trials. */
static T F(binomial_by_waits)(pti_twister *t, T count, T p) {
  double sum = 0, log_rest = C_LOG1P(-p);
  for (T k = 0;; k += 1) {
    sum += ceil(log(unit(t)) / log_rest);
    if (sum > count) return k;
  }
}

/* Hoermann's BTRS (1993) in TensorFlow's form. */
static T F(binomial_by_rejection)(pti_twister *t, T count, T p) {
  double spread = C_SQRT(count * p * (1 - p));
  double b = 1.15 + 2.53 * spread, a = -0.0873 + 0.0248 * b + 0.01 * p, c = count * p + 0.5;
  double limit = 0.92 - 4.2 / b, odds = p / (1 - p);
  double alpha = (2.83 + 5.1 / b) * spread, m = C_FLOOR((count + 1) * p);
  for (;;) {
    double u = unit(t) - 0.5, v = unit(t), us = 0.5 - fabs(u);
    T k = (T)floor((2 * a / us + b) * u + c);
    if (k < 0 || k > count) continue;
    if (us >= 0.07 && v <= limit) return k;
    v = log(v * alpha / (a / (us * us) + b));
    double bound = (m + 0.5) * log((m + 1) / (odds * (count - m + 1))) +
        (count + 1) * log((count - m + 1) / (count - k + 1)) +
        (k + (T)0.5) * log(odds * (count - k + 1) / (k + 1)) + stirling_tail(m) +
        stirling_tail(count - m) - stirling_tail(k) - stirling_tail(count - k);
    if (v <= bound) return k;
  }
}

static T F(binomial)(pti_twister *t, T count, T p) {
  if (count <= 0 || p <= 0) return 0;
  if (p >= 1) return count;
  T rare = p <= 0.5 ? p : (T)(1.0 - p);
  T k = count * rare >= 10 ? F(binomial_by_rejection)(t, count, rare)
                           : F(binomial_by_waits)(t, count, rare);
  return p <= 0.5 ? k : count - k;
}
