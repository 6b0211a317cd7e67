/* random.inc.h: numbers of the distributions over the reals, from random words. Included by random.c
   for T float and double; F(name) makes a name of this type, UNIT(i) is number i of the block's
   words as a T in [0, 1), OPEN(i) in (0, 1), both ends equally far. Pairs and blocks only: a block
   has PTI_BLOCK words, and n, rounded up to a multiple of 4, of them are used. */

/* A product or sum that rounds up to b becomes the number below it. */
static void F(uniform)(const random_job *j, const words *w, T *restrict x, int64_t n) {
  T a = (T)j->a, range = (T)(j->b - j->a), top = (T)j->top;
  for (int64_t i = 0; i < n; i++) {
    T v = a + range * UNIT(i);
    x[i] = v > top ? top : v;
  }
}

/* Box and Muller: a point at a random angle, at the distance that a pair of normal numbers has. The
   angle is within 45 degrees of the first axis; two more bits say of which half of which axis. */
static void F(normal)(const random_job *j, const words *w, T *restrict x, int64_t n) {
  T mean = (T)j->a, std = (T)j->b;
  for (int64_t i = 0; i < n; i += 2) {
    T r = std * SQRT(-2 * LOG(OPEN(i))), f = OPEN(i + 1) - (T)0.5;
    uint32_t bits = BITS(i + 1);
    T near = COS_QUARTER(f), far = SIN_QUARTER(f);
    near = bits & 2 ? -near : near;
    x[i] = mean + r * (bits & 1 ? far : near);
    x[i + 1] = mean + r * (bits & 1 ? near : far);
  }
}

static void F(exponential)(const random_job *j, const words *w, T *restrict x, int64_t n) {
  T rate = (T)j->a;
  for (int64_t i = 0; i < n; i++) x[i] = -LOG(OPEN(i)) / rate;
}
