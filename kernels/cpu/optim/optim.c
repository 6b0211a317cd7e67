/* optim.c: fused optimizer steps. The elements of all parameters, one behind the other, are one
   range that the engine's threads share, so many small tensors cost no more than a big one; each
   element is read and written once. The arithmetic is in sgd_adam.inc.h, built for each CPU level.
   Halves are stepped in float, block by block. */
#include "../cpu_backend.h"
#include "../cpu_slots.h"

typedef struct optim_job {
  const pti_param *p;
  const pti_sgd *sgd;
  const pti_adam *adam;
  const pti_rule *rule;
} optim_job;

static void step_dense(const optim_job *j, bool wide, const pti_param *t, void *p, const void *g,
                       void *const *s, int64_t n) {
  const pti_cpu_loops *loops = pti_cpu_now();
  if (j->sgd) loops->sgd[wide](j->sgd, p, g, s[0], n);
  else if (j->adam) loops->adam[wide](j->adam, t->step, p, g, s, n);
  else loops->rule[wide](j->rule, t->c, p, g, s, n);
}

static void step_halves(const optim_job *j, const pti_param *t, int64_t lo, int64_t n) {
  float p[PTI_BLOCK], g[PTI_BLOCK], s[3][PTI_BLOCK];
  void *state[3];
  pti_load_loop *load = pti_cpu_now()->load[t->dtype][PTI_CF32];
  pti_store_loop *store = pti_cpu_now()->store[t->dtype][PTI_CF32];
  load(p, (const char *)t->p + 2 * lo, 2, n);
  load(g, (const char *)t->g + 2 * lo, 2, n);
  for (int k = 0; k < 3; k++) {
    state[k] = t->s[k] ? s[k] : NULL;
    if (t->s[k]) load(s[k], (const char *)t->s[k] + 2 * lo, 2, n);
  }
  step_dense(j, false, t, p, g, state, n);
  store((char *)t->p + 2 * lo, 2, p, n);
  for (int k = 0; k < 3; k++) {
    if (t->s[k]) store((char *)t->s[k] + 2 * lo, 2, s[k], n);
  }
}

/* Elements [lo, hi) of one parameter. */
static void step_param(const optim_job *j, const pti_param *t, int64_t lo, int64_t hi) {
  if (pti_is(t->dtype, PTI_HALVES)) {
    for (; lo < hi; lo += PTI_BLOCK) step_halves(j, t, lo, pti_min64(PTI_BLOCK, hi - lo));
    return;
  }
  bool wide = t->dtype == PT_F64;
  int64_t size = wide ? 8 : 4;
  void *state[3];
  for (int k = 0; k < 3; k++) state[k] = t->s[k] ? (char *)t->s[k] + lo * size : NULL;
  step_dense(j, wide, t, (char *)t->p + lo * size, (const char *)t->g + lo * size, state, hi - lo);
}

static void step_range(void *ctx, int64_t lo, int64_t hi) {
  const optim_job *j = ctx;
  int64_t first = 0; /* position of the parameter's first element among all elements */
  for (const pti_param *t = j->p; lo < hi; first += t++->n) {
    int64_t end = pti_min64(hi, first + t->n);
    if (lo >= end) continue;
    step_param(j, t, lo - first, end - first);
    lo = end;
  }
}

static bool step_all(const optim_job *j, int n) {
  int64_t total = 0;
  for (int i = 0; i < n; i++) total += j->p[i].n;
  pti_cpu_host->parallel_for(total, PTI_PIECE, step_range, (void *)(uintptr_t)j);
  return true;
}

bool pti_cpu_sgd(int dev, const pti_param *p, int n, const pti_sgd *h) {
  (void)dev;
  return step_all(&(optim_job){.p = p, .sgd = h}, n);
}

bool pti_cpu_adam(int dev, const pti_param *p, int n, const pti_adam *h) {
  (void)dev;
  return step_all(&(optim_job){.p = p, .adam = h}, n);
}

bool pti_cpu_rule(int dev, const pti_param *p, int n, const pti_rule *h) {
  (void)dev;
  return step_all(&(optim_job){.p = p, .rule = h}, n);
}
