/* random.c: ops that make numbers. Every draw takes its counters from the thread's generator, so
   that element i of the n-th draw is the same number for any number of threads and on any device.
 */
#include <float.h>
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
                                    [PTI_RAND_EXPONENTIAL] = "exponential",
                                    [PTI_RAND_NORMAL_SINGLY] = "normal_singly",
                                    [PTI_RAND_INT_ANY] = "int_any",
                                    [PTI_RAND_CAUCHY] = "cauchy",
                                    [PTI_RAND_LOG_NORMAL] = "log_normal",
                                    [PTI_RAND_GEOMETRIC] = "geometric"};
  for (size_t i = 0; i < PTI_COUNT(all); i++) {
    if (strcmp(all[i], name) == 0) return (int)i;
  }
  return -1;
}

static bool check_distribution(const char *op, int kind, const char *name, const pt_tensor *x,
                               double a, double b) {
  const char *wrong = NULL;
  bool whole = kind == PTI_RAND_INT || kind == PTI_RAND_INT_ANY || kind == PTI_RAND_BERNOULLI ||
      kind == PTI_RAND_GEOMETRIC;
  switch (kind) {
  case PTI_RAND_UNIFORM: wrong = a <= b ? NULL : "the upper bound lies below the lower one"; break;
  case PTI_RAND_NORMAL:
  case PTI_RAND_NORMAL_SINGLY:
  case PTI_RAND_LOG_NORMAL: wrong = b >= 0 ? NULL : "the standard deviation is negative"; break;
  case PTI_RAND_INT: wrong = a < b ? NULL : "the range holds no number"; break;
  case PTI_RAND_BERNOULLI:
  case PTI_RAND_GEOMETRIC:
    wrong = a >= 0 && a <= 1 ? NULL : "the probability is not between 0 and 1";
    break;
  case PTI_RAND_EXPONENTIAL: wrong = a > 0 ? NULL : "the rate is not positive"; break;
  case PTI_RAND_INT_ANY:
  case PTI_RAND_CAUCHY: break;
  default: wrong = "there is no such distribution"; break;
  }
  if (wrong) return pti_refuse(PT_EARG, "%s: %s(%g, %g): %s", op, name, a, b, wrong);
  if (whole && !pti_is(x->dtype, PTI_REALS))
    return pti_refuse(PT_EDTYPE, "%s: no random %s", op, pt_dtype_name(x->dtype));
  return whole || pti_floating(op, "x", x);
}

/* PyTorch's numbers are drawn on the host, whatever x's device. */
static bool draw_of_twister(pti_twister *t, pti_random_kind kind, pt_tensor *x, double a,
                            double b) {
  pt_tensor *here = pti_dev(x) == 0 ? x : pti_new(x->size, x->nd, x->dtype, 0);
  if (here == NULL) return false;
  pti_twister_draw d = {
      .kind = kind, .dtype = x->dtype, .n = x->numel, .x = pti_ptr(here), .a = a, .b = b};
  return pti_home(here)->kernels->random_twister(0, t, &d) && (here == x || pti_copy_into(x, here));
}

pt_tensor *random_run(const random_args *args) {
  pt_tensor *x = args->x;
  double a = args->a, b = args->b;
  int kind = kind_of(args->kind);
  if (!check_distribution(args->op->name, kind, args->kind, x, a, b)) return NULL;
  const pti_device *dev = pti_home(x);
  if (x->numel == 0) return x;
  pti_generator *r = pti_default_generator();
  if (r->twister) return draw_of_twister(r->twister, (pti_random_kind)kind, x, a, b) ? x : NULL;
  if (kind > PTI_RAND_EXPONENTIAL)
    return pti_fail(PT_EARG, "%s: %s is drawn by PyTorch's generator alone", args->op->name,
                    args->kind);
  if (!pti_has(args->op->name, dev, dev->kernels->random != NULL)) return NULL;
  uint64_t ctr = pti_generator_take(r, x->numel);
  bool ok = dev->kernels->random(dev->index, (pti_random_kind)kind, x->dtype, pti_ptr(x), x->numel,
                                 r->seed, r->stream, ctr, a, b);
  return ok ? x : NULL;
}

bool random_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  gx[0] = pti_zeros_for(&n->in[0], g[0]);
  return gx[0] != NULL;
}

/* ---- one number for each element ---- */

/* Whether all of x lies from low to high; NaN does not. */
static bool within(const char *op, const char *kind, pt_tensor *x, double low, double high) {
  pt_tensor *wide = pti_cast(x, PT_F64);
  if (wide == NULL) return false;
  const double *v = (const double *)pti_ptr(wide);
  for (int64_t i = 0; i < x->numel; i++) {
    if (!(v[i] >= low && v[i] <= high))
      return pti_refuse(PT_EARG, "%s: %s: parameter %g does not lie from %g to %g", op, kind, v[i],
                        low, high);
  }
  return true;
}

/* An argument as a dense tensor of the host, of floating dtype and of p's shape. */
static pt_tensor *parameter(const random_each_args *args, pt_tensor *x) {
  if (!pti_floating(args->op->name, "p", x)) return NULL;
  pt_tensor *same = pti_expand_to(pti_cast(x, args->p->dtype), args->p->size, args->p->nd);
  if (same == NULL) pti_error_prefix(args->op->name);
  return pti_dense_of(pti_to_device(same, 0));
}

/* The thread's twister, or one that its Philox seeds. */
static pti_twister *twister_of(pti_generator *r, pti_twister *own) {
  if (r->twister) return r->twister;
  uint32_t w[4];
  pti_philox(r->seed, r->stream, pti_generator_take(r, 4), w);
  pti_twister_seed(own, (uint64_t)w[0] << 32 | w[1]);
  return own;
}

pt_tensor *random_each_run(const random_each_args *args) {
  static const struct {
    const char *name;
    pti_random_kind kind;
    double low, high;
  } all[] = {{"bernoulli", PTI_RAND_BERNOULLI_EACH, 0, 1},
             {"poisson", PTI_RAND_POISSON_EACH, 0, 0x1p62},
             {"binomial", PTI_RAND_BINOMIAL_EACH, 0, 0x1p62},
             {"gamma", PTI_RAND_GAMMA_EACH, 0, DBL_MAX}};
  const char *op = args->op->name;
  size_t k = 0;
  while (k < PTI_COUNT(all) && strcmp(all[k].name, args->kind) != 0) k++;
  bool paired = k < PTI_COUNT(all) && all[k].kind == PTI_RAND_BINOMIAL_EACH;
  if (k == PTI_COUNT(all) || paired != (args->q != NULL))
    return pti_fail(PT_EARG, "%s: %s: there is no such distribution", op, args->kind);
  pt_tensor *p = parameter(args, args->p), *q = args->q ? parameter(args, args->q) : NULL;
  pt_tensor *y = p ? pti_new_like(p, p->dtype) : NULL;
  if (y == NULL || (args->q && q == NULL)) return NULL;
  if (!within(op, args->kind, p, all[k].low, all[k].high) ||
      (q && !within(op, args->kind, q, 0, 1)))
    return NULL;
  pti_twister_draw d = {.kind = all[k].kind,
                        .dtype = p->dtype,
                        .n = p->numel,
                        .x = pti_ptr(y),
                        .p = pti_ptr(p),
                        .q = q ? pti_ptr(q) : NULL};
  pti_twister own, *t = twister_of(pti_default_generator(), &own);
  if (!pti_home(y)->kernels->random_twister(0, t, &d)) return NULL;
  return pti_to_device(y, pti_dev(args->p));
}

/* ---- permutations ---- */

/* A number from 0 to n - 1 for element i of a draw: 64 random bits, scaled. `w` holds the bits of elements i - i % 2
   and the next one. */
static int64_t below(int64_t n, const uint32_t *w, int64_t i) {
  uint64_t bits = (uint64_t)w[i % 2 * 2] << 32 | w[i % 2 * 2 + 1];
  return (int64_t)((unsigned __int128)bits * (uint64_t)n >> 64);
}

/* PyTorch's: from the front, and from n = 2^32 / 20 on with 64 bits for each swap. */
static bool shuffle_of_twister(pti_twister *t, int64_t *v, int64_t n) {
  bool narrow = n < UINT32_MAX / 20;
  for (int64_t i = 0; i < n - 1; i++) {
    if ((i & 0xffff) == 0 && !pti_poll()) return false;
    uint64_t bits = narrow ? pti_twister_word(t) : pti_twister_word64(t);
    int64_t j = i + (int64_t)(bits % (uint64_t)(n - i)), w = v[i];
    v[i] = v[j];
    v[j] = w;
  }
  return true;
}

/* Fisher and Yates: each swap depends on those before it, so this is one thread's work. */
pt_tensor *randperm_run(const randperm_args *args) {
  int64_t n = args->n;
  if (n < 0) return pti_fail(PT_EARG, "%s: n is %lld", args->op->name, (long long)n);
  pt_tensor *y = pti_new(&n, 1, PT_I64, 0);
  if (y == NULL) return NULL;
  int64_t *v = (int64_t *)pti_ptr(y);
  for (int64_t i = 0; i < n; i++) v[i] = i + pti_this.index_base;
  pti_generator *r = pti_default_generator();
  if (r->twister) return shuffle_of_twister(r->twister, v, n) ? y : NULL;
  uint64_t ctr = pti_generator_take(r, 2 * n);
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
