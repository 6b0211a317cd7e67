/* ranges.inc.h: faster twins of rows for floats that all lie in a range where the function is simpler: exponentials that
   are normal numbers, logarithms of such numbers, angles near enough for a reduction without a table. A twin looks at
   its numbers first, a piece at a time that the first cache holds; a piece with others goes to the row. Both give the
   same bits, so a number's result does not depend on its neighbours. Included by elementwise_loops.c after the rows. */

enum { RANGE_PIECE = 512 };

/* A number is in the range where its bits, less `base` and without what `mask` leaves out, are below `limit`: one
   subtraction and one maximum for each, in which infinities and NaN are large. */
#define EXPONENTIAL 0x7fffffffu, 0u, 0x42ae0001u        /* |x| <= 87 */
#define LOGARITHM 0xffffffffu, 0x00800000u, 0x7f000000u /* normal, positive, finite */
#define NEAR_TURNS 0x7fffffffu, 0u, PT_NEAR_TURNS_BITS
#define TAN_TURNS 0x7fffffffu, 0u, 0x4f000000u /* |x| < 2^31 */

static inline uint32_t range_top(const float *x, int64_t n, uint32_t mask, uint32_t base) {
  uint32_t top = 0;
  for (int64_t i = 0; i < n; i++) {
    uint32_t u = (pt_bits_f(x[i]) & mask) - base;
    top = u > top ? u : top;
  }
  return top;
}
#define RANGE_HOLDS(x, n, mask, base, limit) (range_top(x, n, mask, base) < (limit))
#define RANGE_CHECK(x, n, ...) RANGE_HOLDS(x, n, __VA_ARGS__)

/* The loop `row`, of which operand `at` is x and operand 0 perhaps g. */
#define RANGE_LOOP(row, at, range, expression)                                                     \
  static void range_##row(void *out, const void *const *in, const double *param, int64_t n) {      \
    for (int64_t from = 0; from < n; from += RANGE_PIECE) {                                        \
      int64_t m = pti_min64(RANGE_PIECE, n - from);                                                \
      float *to = (float *)out + from;                                                             \
      const float *g = (const float *)in[0] + from, *x = (const float *)in[at] + from;             \
      if (!RANGE_CHECK(x, m, range)) {                                                             \
        const void *piece[] = {g, x, x}; /* a gradient's g, x, and y, which none of these reads */ \
        row##_f32(to, piece, param, m);                                                            \
        continue;                                                                                  \
      }                                                                                            \
      PTI_INDEPENDENT                                                                              \
      for (int64_t i = 0; i < m; i++) to[i] = expression;                                          \
    }                                                                                              \
  }
RANGE_LOOP(exp_0, 0, EXPONENTIAL, pt_exp_near_f(x[i]))
RANGE_LOOP(log_0, 0, LOGARITHM, pt_log_near_f(x[i]))
RANGE_LOOP(sin_0, 0, NEAR_TURNS, pt_sin_near_f(x[i]))
RANGE_LOOP(sin_1, 1, NEAR_TURNS, g[i] * pt_cos_near_f(x[i]))
RANGE_LOOP(cos_0, 0, NEAR_TURNS, pt_cos_near_f(x[i]))
RANGE_LOOP(cos_1, 1, NEAR_TURNS, -g[i] * pt_sin_near_f(x[i]))
RANGE_LOOP(tan_0, 0, TAN_TURNS, pt_tan_near_f(x[i]))
#undef RANGE_LOOP
