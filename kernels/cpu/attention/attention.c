/* attention.c: softmax(scale q k' + mask) v by tiles (Dao et al., 2022): memory is linear in the
   lengths, since of the scores only one tile exists at a time; backward computes them again from
   the saved log-sum-exp of each row. Rows that are masked altogether give zeros. Dropout draws
   number (row, column) of Philox, so the mask needs no memory either. q (b, h, lq, d) k (b, hk, lk,
   d) v (b, hk, lk, dv), dense; h / hk query heads share a key head. */
#include "../nn_loops.h"
#include "../cpu_slots.h"

/* Of a causal tile less is hidden where it has fewer rows. */
static int64_t tile_rows(const pti_attention *p) { return p->causal ? BQ / 2 : BQ; }

static bool run(attention_job *j, int64_t units, pti_range_loop *const loop[2]) {
  pti_cpu_host->parallel_for(units, 1, loop[j->p->dtype == PT_F64], j);
  return !atomic_load(&j->failed) ||
      pti_cpu_host->fail(PT_EMEMORY, "attention: no memory for its tiles");
}

bool pti_cpu_attention(int dev, const pti_attention *p, const void *q, const void *k, const void *v,
                       void *y, void *lse) {
  (void)dev;
  attention_job j = {.p = p, .q = q, .k = k, .v = v, .out = y, .lse = lse, .bq = tile_rows(p)};
  j.nq = (p->lq + j.bq - 1) / j.bq;
  return run(&j, p->b * p->h * j.nq, pti_cpu_nn_now()->attention);
}

bool pti_cpu_attention_grad(int dev, const pti_attention *p, const void *q, const void *k,
                            const void *v, const void *y, const void *lse, const void *g, void *gq,
                            void *gk, void *gv) {
  (void)dev;
  attention_job j = {.p = p, .q = q, .k = k, .v = v, .y = y, .g = g, .bq = tile_rows(p)};
  j.lse = (char *)(uintptr_t)lse;
  j.gq = gq;
  j.gk = gk;
  j.gv = gv;
  return run(&j, p->b * p->hk, pti_cpu_nn_now()->attention_grad);
}
