/* ctc.c: connectionist temporal classification: the likelihood of a sequence of labels, summed over all alignments to
   the steps, and its gradient, by the forward-backward algorithm in logarithms. A state is a label, or a blank
   before, between or after labels; all states of a step are computed at once, by the vector loops of the CPU level. A
   sample is one piece of work. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "cpu_backend.h"
#include "cpu_slots.h"

typedef struct ctc_job {
  const pti_ctc *p;
  const char *x;
  const int64_t *labels, *steps, *lengths;
  char *loss, *gx;
  atomic_bool failed;
} ctc_job;

/* Of one sample; arrays of a number for each state, alpha of one for each step and state. */
typedef struct sample {
  int64_t at, steps, states;
  double *alpha, *beta, *logp, *ways, *sum; /* ways: three rows */
  int64_t *path;                            /* the class of each state */
  bool *skips;                              /* it may be entered from two states before */
} sample;

static double load(pt_dtype dtype, const char *x, int64_t i) {
  return dtype == PT_F64 ? ((const double *)x)[i] : (double)((const float *)x)[i];
}

static int64_t place(const ctc_job *j, const sample *q, int64_t t, int64_t state) {
  return (t * j->p->n + q->at) * j->p->c + q->path[state];
}

static void read_step(const ctc_job *j, const sample *q, int64_t t) {
  for (int64_t s = 0; s < q->states; s++) q->logp[s] = load(j->p->dtype, j->x, place(j, q, t, s));
}

static void apply(pti_value op, double *x, int64_t n) {
  const void *in[] = {x};
  pti_cpu_now()->rows->value[op][PTI_CF64](x, in, NULL, n);
}

/* sum = log(exp(way 1) + exp(way 2) + exp(way 3)); no way at all is -inf. */
static void add_ways(const sample *q) {
  int64_t n = q->states;
  double *a = q->ways, *b = a + n, *c = b + n;
  for (int64_t s = 0; s < n; s++) {
    double top = a[s] > b[s] ? a[s] : b[s];
    top = top > c[s] ? top : c[s];
    top = top > -HUGE_VAL ? top : 0;
    a[s] -= top, b[s] -= top, c[s] -= top;
    q->sum[s] = top;
  }
  apply(PTI_VALUE_EXP, a, 3 * n);
  for (int64_t s = 0; s < n; s++) a[s] += b[s] + c[s];
  apply(PTI_VALUE_LOG, a, n);
  for (int64_t s = 0; s < n; s++) q->sum[s] += a[s];
}

/* alpha: all paths that lead to a state at a step, that step included. Returns the log likelihood. */
static double forward(const ctc_job *j, const sample *q) {
  int64_t n = q->states;
  double *alpha = q->alpha;
  read_step(j, q, 0);
  for (int64_t s = 0; s < n; s++) alpha[s] = s < 2 ? q->logp[s] : -HUGE_VAL;
  for (int64_t t = 1; t < q->steps; t++, alpha += n) {
    for (int64_t s = 0; s < n; s++) {
      q->ways[s] = alpha[s];
      q->ways[n + s] = s > 0 ? alpha[s - 1] : -HUGE_VAL;
      q->ways[2 * n + s] = q->skips[s] ? alpha[s - 2] : -HUGE_VAL;
    }
    add_ways(q);
    read_step(j, q, t);
    for (int64_t s = 0; s < n; s++) alpha[n + s] = q->sum[s] + q->logp[s];
  }
  double last = alpha[n - 1], before = n > 1 ? alpha[n - 2] : -HUGE_VAL;
  double top = last > before ? last : before;
  if (!(top > -HUGE_VAL)) return last + before; /* impossible, or NaN */
  return top + log(exp(last - top) + exp(before - top));
}

/* Backward in time, subtracts the share of each state from the gradient of its class; beta: all paths from a state to
   the end. */
static void backward(const ctc_job *j, const sample *q, double likelihood) {
  int64_t n = q->states;
  for (int64_t s = 0; s < n; s++) q->sum[s] = s >= n - 2 ? 0 : -HUGE_VAL;
  for (int64_t t = q->steps - 1; t >= 0; t--) {
    const double *alpha = q->alpha + t * n;
    memcpy(q->beta, q->sum, (size_t)n * sizeof *q->beta);
    for (int64_t s = 0; s < n; s++) q->ways[s] = alpha[s] + q->beta[s] - likelihood;
    apply(PTI_VALUE_EXP, q->ways, n);
    for (int64_t s = 0; s < n; s++) {
      int64_t at = place(j, q, t, s);
      if (j->p->dtype == PT_F64) ((double *)j->gx)[at] -= q->ways[s];
      else ((float *)j->gx)[at] -= (float)q->ways[s];
    }
    read_step(j, q, t);
    for (int64_t s = 0; s < n; s++) q->beta[s] += q->logp[s];
    for (int64_t s = 0; s < n; s++) {
      q->ways[s] = q->beta[s];
      q->ways[n + s] = s + 1 < n ? q->beta[s + 1] : -HUGE_VAL;
      q->ways[2 * n + s] = s + 2 < n && q->skips[s + 2] ? q->beta[s + 2] : -HUGE_VAL;
    }
    add_ways(q);
  }
}

static double one_sample(const ctc_job *j, sample *q) {
  const pti_ctc *p = j->p;
  const int64_t *label = j->labels + q->at * p->longest;
  for (int64_t s = 0; s < q->states; s++) {
    q->path[s] = s % 2 ? label[s / 2] - p->base : p->blank;
    q->skips[s] = s % 2 && s > 1 && label[s / 2] != label[s / 2 - 1];
  }
  if (q->steps == 0) return q->states == 1 ? 0 : -HUGE_VAL;
  double likelihood = forward(j, q);
  if (j->gx && likelihood != -HUGE_VAL) backward(j, q, likelihood);
  return likelihood;
}

static void samples(void *ctx, int64_t lo, int64_t hi) {
  ctc_job *j = ctx;
  for (int64_t i = lo; i < hi; i++) {
    sample q = {.at = i, .steps = j->steps[i], .states = 2 * j->lengths[i] + 1};
    int64_t n = q.states;
    size_t bytes = (size_t)(n * (pti_max64(q.steps, 1) + 7)) * sizeof(double) + (size_t)n;
    double *scratch = pti_cpu_host->alloc(bytes);
    if (scratch == NULL) {
      atomic_store(&j->failed, true);
      return;
    }
    q.beta = scratch, q.logp = q.beta + n, q.sum = q.logp + n, q.ways = q.sum + n;
    q.path = (int64_t *)(q.ways + 3 * n);
    q.alpha = (double *)(q.path + n);
    q.skips = (bool *)(q.alpha + n * pti_max64(q.steps, 1));
    double loss = -one_sample(j, &q);
    if (j->p->dtype == PT_F64) ((double *)j->loss)[i] = loss;
    else ((float *)j->loss)[i] = (float)loss;
    pti_cpu_host->free(scratch, bytes);
  }
}

bool pti_cpu_ctc(int dev, const pti_ctc *p, const void *x, const int64_t *labels,
                 const int64_t *steps, const int64_t *lengths, void *loss, void *gx) {
  (void)dev;
  ctc_job j = {.p = p, .x = x, .labels = labels, .steps = steps, .lengths = lengths};
  j.loss = loss, j.gx = gx;
  if (gx) memset(gx, 0, (size_t)(p->t * p->n * p->c) * (p->dtype == PT_F64 ? 8 : 4));
  pti_cpu_host->parallel_for(p->n, 1, samples, &j);
  return !atomic_load(&j.failed) ||
      pti_cpu_host->fail(PT_EMEMORY, "ctc_loss: no memory for the states");
}
