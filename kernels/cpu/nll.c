/* nll.c: the negative log likelihood of a class per position, and its gradient. They read one number per target:
   gathers, which gain nothing from wide vectors and so are not in tensor_loops.c. */
#include "cpu_backend.h"
#include "cpu_slots.h"

typedef struct nll_job {
  pti_rows r;
  const char *logp, *weight;
  const int64_t *target;
  int64_t ignore;
  const char *gloss;
  char *loss, *w, *gx;
  int64_t size;
  pti_load_loop *load;
  pti_store_loop *store;
  int base;
} nll_job;

static bool make_job(nll_job *j, pti_rows r, const int64_t *target, int base) {
  const pti_cpu_loops *loops = pti_cpu_now();
  j->r = r;
  j->target = target;
  j->base = base;
  j->size = (int64_t)pt_dtype_size(r.dtype);
  j->load = loops->load[r.dtype][PTI_CF64];
  j->store = loops->store[r.dtype][PTI_CF64];
  if (j->load && j->store) return true;
  return pti_cpu_host->fail(PT_EDTYPE, "no log likelihood of %s", pt_dtype_name(r.dtype));
}

static double get(const nll_job *j, const char *x, int64_t at) {
  double v;
  j->load(&v, x + at * j->size, 0, 1);
  return v;
}
static void put(const nll_job *j, char *y, int64_t at, double v) {
  j->store(y + at * j->size, 0, &v, 1);
}

/* Where logp has the class t of target i. */
static int64_t place(const nll_job *j, int64_t i, int64_t t) {
  return (i / j->r.inner * j->r.n + t) * j->r.inner + i % j->r.inner;
}

static void losses(void *ctx, int64_t lo, int64_t hi) {
  const nll_job *j = ctx;
  for (int64_t i = lo; i < hi; i++) {
    double loss = 0, w = 0;
    if (j->target[i] != j->ignore) {
      int64_t t = j->target[i] - j->base;
      w = j->weight ? get(j, j->weight, t) : 1;
      loss = -w * get(j, j->logp, place(j, i, t));
    }
    put(j, j->loss, i, loss);
    put(j, j->w, i, w);
  }
}

/* Loops over pieces cannot fail: ids are checked before any piece indexes with them. */
static bool check_targets(const nll_job *j, int64_t n) {
  int64_t first = j->base, last = j->r.n - 1 + j->base;
  for (int64_t i = 0; i < n; i++) {
    int64_t t = j->target[i];
    if ((t >= first && t <= last) || t == j->ignore) continue;
    return pti_cpu_host->fail(PT_EINDEX, "target %lld is not a class from %lld to %lld",
                              (long long)t, (long long)first, (long long)last);
  }
  return true;
}

bool pti_cpu_nll(int dev, pti_rows r, const void *logp, const int64_t *target, const void *weight,
                 int64_t ignore, void *loss, void *w, int base) {
  (void)dev;
  int64_t n = r.outer * r.inner;
  nll_job j = {.logp = logp, .weight = weight, .ignore = ignore, .loss = loss, .w = w};
  if (!make_job(&j, r, target, base) || !check_targets(&j, n)) return false;
  pti_cpu_host->parallel_for(n, PTI_PIECE / 4, losses, &j);
  return true;
}

/* An ignored target has weight 0 and may be no class at all. */
static void gradients(void *ctx, int64_t lo, int64_t hi) {
  const nll_job *j = ctx;
  for (int64_t i = lo; i < hi; i++) {
    double w = get(j, j->w, i);
    int64_t t = j->target[i] - j->base;
    if (w != 0 && t >= 0 && t < j->r.n) put(j, j->gx, place(j, i, t), -w * get(j, j->gloss, i));
  }
}

bool pti_cpu_nll_grad(int dev, pti_rows r, const int64_t *target, const void *gloss, const void *w,
                      void *gx, int base) {
  (void)dev;
  nll_job j = {.gloss = gloss, .w = (char *)w, .gx = gx};
  if (!make_job(&j, r, target, base)) return false;
  pti_cpu_host->parallel_for(r.outer * r.inner, PTI_PIECE / 4, gradients, &j);
  return true;
}
