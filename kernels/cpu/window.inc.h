/* window.inc.h: the loops of window.c for one element type T; F(name) names them. */

/* The first of equal ones wins; NaN wins over all. */
static void F(max_pool)(void *ctx, int64_t lo, int64_t hi) {
  const window_job *j = ctx;
  const pti_window *p = j->p;
  int64_t in = pti_volume(p->in), out = pti_volume(p->out);
  for (int64_t plane = lo; plane < hi; plane++) {
    const T *x = (const T *)j->x + plane * in;
    for (int64_t o = 0; o < out; o++) {
      span a = window(p, 0, o / p->out[2] / p->out[1]), b = window(p, 1, o / p->out[2] % p->out[1]);
      span c = window(p, 2, o % p->out[2]);
      T best = (T)-INFINITY;
      int64_t at = -1;
      for (int64_t z = a.from; z < a.until; z += a.step) {
        for (int64_t y = b.from; y < b.until; y += b.step) {
          int64_t line = (z * p->in[1] + y) * p->in[2];
          for (int64_t w = c.from; w < c.until; w += c.step) {
            T v = x[line + w];
            if (at >= 0 && !(v > best) && v == v) continue;
            if (best != best && at >= 0) continue;
            best = v;
            at = line + w;
          }
        }
      }
      ((T *)j->y)[plane * out + o] = best;
      j->index[plane * out + o] = at + j->base;
    }
  }
}

static T F(divisor)(const pti_window *p, span a, span b, span c) {
  if (p->divisor > 0) return (T)p->divisor;
  if (p->count_pad) return (T)(a.count * b.count * c.count);
  int64_t n = (a.until - a.from + a.step - 1) / a.step *
              ((b.until - b.from + b.step - 1) / b.step) *
              ((c.until - c.from + c.step - 1) / c.step);
  return (T)(n > 0 ? n : 1);
}

static void F(avg_pool)(void *ctx, int64_t lo, int64_t hi) {
  const window_job *j = ctx;
  const pti_window *p = j->p;
  int64_t in = pti_volume(p->in), out = pti_volume(p->out);
  for (int64_t plane = lo; plane < hi; plane++) {
    const T *x = (const T *)j->x + plane * in;
    for (int64_t o = 0; o < out; o++) {
      span a = window(p, 0, o / p->out[2] / p->out[1]), b = window(p, 1, o / p->out[2] % p->out[1]);
      span c = window(p, 2, o % p->out[2]);
      T sum = 0;
      for (int64_t z = a.from; z < a.until; z += a.step) {
        for (int64_t y = b.from; y < b.until; y += b.step) {
          const T *line = x + (z * p->in[1] + y) * p->in[2];
          for (int64_t w = c.from; w < c.until; w += c.step) sum += line[w];
        }
      }
      ((T *)j->y)[plane * out + o] = sum / F(divisor)(p, a, b, c);
    }
  }
}

/* The gradient of `avg_pool`: every window gives its share to all of its elements. */
static void F(avg_pool_grad)(void *ctx, int64_t lo, int64_t hi) {
  const window_job *j = ctx;
  const pti_window *p = j->p;
  int64_t in = pti_volume(p->in), out = pti_volume(p->out);
  for (int64_t plane = lo; plane < hi; plane++) {
    T *x = (T *)j->y + plane * in;
    memset(x, 0, (size_t)in * sizeof(T));
    for (int64_t o = 0; o < out; o++) {
      span a = window(p, 0, o / p->out[2] / p->out[1]), b = window(p, 1, o / p->out[2] % p->out[1]);
      span c = window(p, 2, o % p->out[2]);
      T share = ((const T *)j->x)[plane * out + o] / F(divisor)(p, a, b, c);
      for (int64_t z = a.from; z < a.until; z += a.step) {
        for (int64_t y = b.from; y < b.until; y += b.step) {
          T *line = x + (z * p->in[1] + y) * p->in[2];
          for (int64_t w = c.from; w < c.until; w += c.step) line[w] += share;
        }
      }
    }
  }
}
