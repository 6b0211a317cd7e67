/* random.c: ops that make numbers. Every draw takes its counters from the thread's generator, so
   that element i of the n-th draw is the same number for any number of threads and on any device.
 */
#include <math.h>

#include "mem.h"
#include "ops.h"
#include "rng.h"

pt_tensor *sequence_run(const sequence_args *args) {
  int64_t n = args->n, istart = args->start->i, istep = args->step->i;
  double start = args->start->n ? (double)istart : args->start->f,
         step = args->step->n ? (double)istep : args->step->f;
  if (!args->start->n) istart = fabs(start) < 9.2e18 ? (int64_t)start : 0;
  if (!args->step->n) istep = fabs(step) < 9.2e18 ? (int64_t)step : 0;
  if (n < 0) return pti_fail(PT_EARG, "%s: %lld numbers", args->op->name, (long long)n);
  pt_tensor *y = pti_new(&n, 1, args->dtype, (int)args->device);
  if (y == NULL || n == 0) return y;
  const pti_device *dev = pti_home(y);
  if (!pti_has(args->op->name, dev, dev->kernels->arange != NULL)) return NULL;
  bool ok = dev->kernels->arange(dev->index, y->dtype, pti_ptr(y), n, start, step, istart, istep);
  return ok ? y : NULL;
}

/* Number of a distribution, -1 where there is none of that name. */
static int kind_of(const char *name) {
  static const char *const all[] = {[PTI_RAND_UNIFORM] = "uniform",
                                    [PTI_RAND_NORMAL] = "normal",
                                    [PTI_RAND_INT] = "int",
                                    [PTI_RAND_BERNOULLI] = "bernoulli",
                                    [PTI_RAND_EXPONENTIAL] = "exponential"};
  for (size_t i = 0; i < PTI_COUNT(all); i++) {
    if (strcmp(all[i], name) == 0) return (int)i;
  }
  return -1;
}

static bool check_distribution(const char *op, int kind, const char *name, const pt_tensor *x,
                               double a, double b) {
  const char *wrong = NULL;
  bool whole = kind == PTI_RAND_INT || kind == PTI_RAND_BERNOULLI;
  switch (kind) {
  case PTI_RAND_UNIFORM: wrong = a <= b ? NULL : "the upper bound lies below the lower one"; break;
  case PTI_RAND_NORMAL: wrong = b >= 0 ? NULL : "the standard deviation is negative"; break;
  case PTI_RAND_INT: wrong = a < b ? NULL : "the range holds no number"; break;
  case PTI_RAND_BERNOULLI:
    wrong = a >= 0 && a <= 1 ? NULL : "the probability is not between 0 and 1";
    break;
  case PTI_RAND_EXPONENTIAL: wrong = a > 0 ? NULL : "the rate is not positive"; break;
  default: wrong = "there is no such distribution"; break;
  }
  if (wrong) return pti_refuse(PT_EARG, "%s: %s(%g, %g): %s", op, name, a, b, wrong);
  return whole || pti_floating(op, "x", x);
}

pt_tensor *random_run(const random_args *args) {
  pt_tensor *x = args->x;
  double a = args->a, b = args->b;
  int kind = kind_of(args->kind);
  if (!check_distribution(args->op->name, kind, args->kind, x, a, b)) return NULL;
  const pti_device *dev = pti_home(x);
  if (x->numel == 0) return x;
  if (!pti_has(args->op->name, dev, dev->kernels->random != NULL)) return NULL;
  pti_generator *r = pti_default_generator();
  uint64_t ctr = pti_generator_take(r, x->numel);
  bool ok = dev->kernels->random(dev->index, (pti_random_kind)kind, x->dtype, pti_ptr(x), x->numel,
                                 r->seed, r->stream, ctr, a, b);
  return ok ? x : NULL;
}

bool random_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  gx[0] = pti_zeros_for(&n->in[0], g[0]);
  return gx[0] != NULL;
}

/* A number from 0 to n - 1 for element i of a draw: 64 random bits, scaled. `w` holds the bits of elements i - i % 2
   and the next one. */
static int64_t below(int64_t n, const uint32_t *w, int64_t i) {
  uint64_t bits = (uint64_t)w[i % 2 * 2] << 32 | w[i % 2 * 2 + 1];
  return (int64_t)((unsigned __int128)bits * (uint64_t)n >> 64);
}

/* Fisher and Yates: each swap depends on those before it, so this is one thread's work. */
pt_tensor *randperm_run(const randperm_args *args) {
  int64_t n = args->n;
  if (n < 0) return pti_fail(PT_EARG, "%s: n is %lld", args->op->name, (long long)n);
  pt_tensor *y = pti_new(&n, 1, PT_I64, 0);
  if (y == NULL) return NULL;
  int64_t *v = (int64_t *)pti_ptr(y);
  pti_generator *r = pti_default_generator();
  uint64_t ctr = pti_generator_take(r, 2 * n);
  for (int64_t i = 0; i < n; i++) v[i] = i + pti_this.index_base;
  uint32_t w[4];
  for (int64_t i = n - 1; i > 0; i--) {
    if ((i & 0xffff) == 0 && !pti_poll()) return NULL;
    if (i == n - 1 || i % 2 == 1) pti_philox(r->seed, r->stream, ctr + (uint64_t)i / 2, w);
    int64_t j = below(i + 1, w, i), t = v[i];
    v[i] = v[j];
    v[j] = t;
  }
  return y;
}
