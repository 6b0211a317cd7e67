/* random.inc.h: numbers of the distributions over the reals, from random words. Included by tensor_loops.c
   for T float and double; F(name) makes a name of this type. A float takes its bits from the high
   words, a double from both. n is even. */

/* In [0, 1), of 24 or 53 bits. */
static inline T F(unit)(const pti_words *w, int64_t i) {
  if (sizeof(T) == sizeof(float)) return (T)((float)(int32_t)(w->high[i] >> 8) * 0x1p-24f);
  return (T)((double)(int64_t)(pti_word64(w, i) >> 11) * 0x1p-53);
}
/* In (0, 1), as far from one end as from the other. */
static inline T F(open)(const pti_words *w, int64_t i) {
  if (sizeof(T) == sizeof(float)) {
    return (T)(((float)(int32_t)(w->high[i] >> 9) + 0.5f) * 0x1p-23f);
  }
  return (T)(((double)(int64_t)(pti_word64(w, i) >> 12) + 0.5) * 0x1p-52);
}

/* In [a, b): a product or sum that rounds up to b becomes `top`, the number below it. */
static void F(random_uniform)(void *to, const pti_words *w, double a, double b, double top,
                              int64_t n) {
  T *restrict x = to, least = (T)a, range = (T)(b - a), most = (T)top;
  for (int64_t i = 0; i < n; i++) {
    T v = least + range * F(unit)(w, i);
    x[i] = v > most ? most : v;
  }
}

/* Box and Muller: a point at a random angle, at the distance that a pair of normal numbers has. The
   angle is within 45 degrees of the first axis; two bits that it does not use then say which half of
   which axis it is. */
static void F(random_normal)(void *to, const pti_words *w, double mean, double std, double top,
                             int64_t n) {
  (void)top;
  T *restrict x = to, m = (T)mean, s = (T)std;
  for (int64_t i = 0; i < n; i += 2) {
    T r = s * SQRT(-2 * PT_WORD(draw_log)(F(open)(w, i))), f = F(open)(w, i + 1) - (T)0.5;
    bool narrow = sizeof(T) == sizeof(float);
    uint32_t bits = narrow ? w->high[i + 1] : w->low[i + 1];
    T near = narrow ? (T)pt_draw_cos_quarter((double)f) : (T)cos((double)f * (M_PI / 2));
    T far = narrow ? (T)pt_draw_sin_quarter((double)f) : (T)sin((double)f * (M_PI / 2));
    near = bits & 2 ? -near : near;
    x[i] = m + r * (bits & 1 ? far : near);
    x[i + 1] = m + r * (bits & 1 ? near : far);
  }
}

static void F(random_exponential)(void *to, const pti_words *w, double rate, double b, double top,
                                  int64_t n) {
  (void)b, (void)top;
  T *restrict x = to;
  for (int64_t i = 0; i < n; i++) x[i] = -PT_WORD(draw_log)(F(open)(w, i)) / (T)rate;
}
