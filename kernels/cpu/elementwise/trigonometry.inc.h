/* trigonometry.inc.h: sine, cosine and tangent of blocks of floats that are all below 2^31. For these
   one row of the table of pt_quarter_turns serves, whose look-ups would keep the loop scalar. The
   arithmetic is the row's own, and so are the bits. Included by elementwise_loops.c after them. */

/* pt_quarter_turns for 0 <= x < 2^31: its first row. */
static inline double small_quarter_turns(float x, uint64_t *quadrant) {
  double m = (double)x, a = m * 0x1.45f306e000000p-1, b = m * -0x1.b1bbeb0000000p-32;
  double ta = a + PT_MAGIC_D, fa = a - (ta - PT_MAGIC_D);
  double tb = b + PT_MAGIC_D, fb = b - (tb - PT_MAGIC_D);
  double f = fa + fb + m * 0x1.4fe13abe8fa9ap-59, tf = f + PT_MAGIC_D;
  *quadrant = pt_bits_d(ta) + pt_bits_d(tb) + pt_bits_d(tf);
  return f - (tf - PT_MAGIC_D);
}

static inline float small_sin(float x) {
  uint64_t q;
  double f = small_quarter_turns(pt_abs_f(x), &q);
  double y = q & 1 ? pt_cos_quarter(f) : pt_sin_quarter(f);
  y = q & 2 ? -y : y;
  return (float)(x < 0 ? -y : x == 0 ? x : y);
}
static inline float small_cos(float x) {
  uint64_t q;
  double f = small_quarter_turns(pt_abs_f(x), &q);
  double y = q & 1 ? pt_sin_quarter(f) : pt_cos_quarter(f);
  return (float)((q + 1) & 2 ? -y : y);
}
static inline float small_tan(float x) {
  uint64_t q;
  double f = small_quarter_turns(pt_abs_f(x), &q), s = pt_sin_quarter(f), c = pt_cos_quarter(f);
  double y = q & 1 ? -c / s : s / c;
  return (float)(x < 0 ? -y : x == 0 ? x : y);
}

static bool all_near(const float *x, int64_t n) {
  int far = 0;
  for (int64_t i = 0; i < n; i++) far |= !(pt_abs_f(x[i]) < 0x1p31f);
  return !far;
}

/* The loop `row`, of which operand `at` is x. */
#define SMALL_LOOP(row, at, expression)                                                       \
  static void small_##row(void *out, const void *const *in, const double *param, int64_t n) { \
    float *to = out;                                                                          \
    const float *g = in[0], *x = in[at];                                                      \
    (void)g;                                                                                  \
    if (!all_near(x, n)) {                                                                    \
      row##_f32(out, in, param, n);                                                           \
      return;                                                                                 \
    }                                                                                         \
    PTI_INDEPENDENT                                                                           \
    for (int64_t i = 0; i < n; i++) to[i] = expression;                                       \
  }
SMALL_LOOP(sin_0, 0, small_sin(x[i]))
SMALL_LOOP(sin_1, 1, g[i] * small_cos(x[i]))
SMALL_LOOP(cos_0, 0, small_cos(x[i]))
SMALL_LOOP(cos_1, 1, -g[i] * small_sin(x[i]))
SMALL_LOOP(tan_0, 0, small_tan(x[i]))
#undef SMALL_LOOP
