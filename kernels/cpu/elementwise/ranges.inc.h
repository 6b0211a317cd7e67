/* ranges.inc.h: faster twins of rows for floats that all lie in a range where the function is simpler: exponentials that
   are normal numbers, logarithms of such numbers, angles near enough for a reduction without a table. A twin looks at
   its numbers first, a piece at a time that the first cache holds; a piece with others goes to the row. Both give the
   same bits, so a number's result does not depend on its neighbours. Included by elementwise_loops.c after the rows. */

enum { RANGE_PIECE = 512 };

#define EXP_NORMAL(x) (((x) >= -87.0f) & ((x) <= 88.0f))
#define LOG_NORMAL(x) (((x) >= 1.17549435e-38f) & ((x) < HUGE_VALF))
#define NEAR_TURNS(x) (pt_abs_f(x) < PT_NEAR_TURNS)
#define TAN_TURNS(x) (pt_abs_f(x) < 0x1p31f)

/* The loop `row`, of which operand `at` is x and operand 0 perhaps g. */
#define RANGE_LOOP(row, at, within, expression)                                                \
  static void range_##row(void *out, const void *const *in, const double *param, int64_t n) {  \
    for (int64_t from = 0; from < n; from += RANGE_PIECE) {                                    \
      int64_t m = pti_min64(RANGE_PIECE, n - from);                                            \
      float *to = (float *)out + from;                                                         \
      const float *g = (const float *)in[0] + from, *x = (const float *)in[at] + from;         \
      int others = 0;                                                                          \
      for (int64_t i = 0; i < m; i++) others |= !within(x[i]);                                 \
      if (others) {                                                                            \
        const void *piece[] = {g, x,                                                           \
                               x}; /* of a gradient: g, x, and y, which none of these reads */ \
        row##_f32(to, piece, param, m);                                                        \
        continue;                                                                              \
      }                                                                                        \
      PTI_INDEPENDENT                                                                          \
      for (int64_t i = 0; i < m; i++) to[i] = expression;                                      \
    }                                                                                          \
  }
RANGE_LOOP(exp_0, 0, EXP_NORMAL, pt_exp_near_f(x[i]))
RANGE_LOOP(log_0, 0, LOG_NORMAL, pt_log_near_f(x[i]))
RANGE_LOOP(sin_0, 0, NEAR_TURNS, pt_sin_near_f(x[i]))
RANGE_LOOP(sin_1, 1, NEAR_TURNS, g[i] * pt_cos_near_f(x[i]))
RANGE_LOOP(cos_0, 0, NEAR_TURNS, pt_cos_near_f(x[i]))
RANGE_LOOP(cos_1, 1, NEAR_TURNS, -g[i] * pt_sin_near_f(x[i]))
RANGE_LOOP(tan_0, 0, TAN_TURNS, pt_tan_near_f(x[i]))
#undef RANGE_LOOP
