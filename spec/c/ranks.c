/* ranks.c: threads as ranks, in C alone, so that sanitizers see every access: sums of several sizes under way at once,
   long messages, and works that are cut off. Exits with 0 if all holds. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "comm/comm.h"

enum { SUMS = 6, LONG = 100000, ROUNDS = 4, MOST = 4 };

static const int64_t size[SUMS] = {1, 7, 1000, 70000, 800000, 3};
static int ranks, rounds;

static void check(bool ok, const char *what) {
  if (ok) return;
  printf("%s: %s\n", what, pt_error());
  exit(1);
}

static pti_work *start_sum(pti_comm *c, const pti_group *g, int64_t n, float *x) {
  pti_work *w = pti_work_new("all_reduce", g);
  check(w != NULL, "pti_work_new");
  for (int64_t i = 0; i < n; i++) x[i] = (float)(g->me + i % 5);
  w->kind = PTI_WORK_REDUCE;
  w->dtype = PT_F32;
  w->total = n;
  w->count = (n + g->n - 1) / g->n;
  for (int r = 0; r < g->n; r++) w->in[r] = x + (r * w->count < n ? r * w->count : n);
  w->out = w->in[g->me];
  check(pti_work_start(c, w), "pti_work_start");
  return w;
}

static void end_sum(pti_comm *c, pti_work *w, int64_t n, const float *x) {
  check(pti_work_wait(c, w, 60) > 0, "pti_work_wait");
  for (int64_t i = 0; i < n; i++) {
    float expected = 0;
    for (int r = 0; r < ranks; r++) expected += (float)(r + i % 5);
    check(x[i] == expected, "a sum");
  }
  pti_work_free(w);
}

static pti_work *start_message(pti_comm *c, const pti_group *g, pti_work_kind kind, int peer,
                               float *x, size_t n) {
  pti_work *w = pti_work_new("message", g);
  check(w != NULL, "pti_work_new");
  w->kind = kind;
  w->peer = peer;
  w->in[0] = x;
  w->nin[0] = n * sizeof *x;
  check(pti_work_start(c, w), "pti_work_start");
  return w;
}

static void *run_rank(void *number) {
  pti_join join = {.rank = *(int *)number, .size = ranks, .timeout = 60};
  char name[32];
  snprintf(name, sizeof name, "job %d of %d", rounds, ranks);
  join.name = name;
  pti_comm *c = pti_comm_open("inproc", &join);
  check(c != NULL, "pti_comm_open");
  int all[MOST] = {0, 1, 2, 3};
  const pti_group *g = pti_comm_group(c, all, ranks);
  pti_work *sum[SUMS];
  float *x[SUMS], *sent = calloc(LONG, sizeof *sent), *got = calloc(LONG, sizeof *got), cut[2];
  for (int k = 0; k < SUMS; k++)
    sum[k] = start_sum(c, g, size[k], x[k] = malloc((size_t)size[k] * sizeof **x));
  sent[7] = (float)g->me;
  pti_work *s = start_message(c, g, PTI_WORK_SEND, (g->me + 1) % ranks, sent, LONG);
  pti_work *r = start_message(c, g, PTI_WORK_RECV, (g->me + ranks - 1) % ranks, got, LONG);
  check(pti_work_wait(c, r, 60) > 0 && pti_work_wait(c, s, 60) > 0, "a message");
  check(got[7] == (float)((g->me + ranks - 1) % ranks), "what came");
  for (int k = SUMS; k-- > 0; free(x[k])) end_sum(c, sum[k], size[k], x[k]);
  pti_work_free(s);
  pti_work_free(r);
  r = start_message(c, g, PTI_WORK_RECV, (g->me + 1) % ranks, cut, 2); /* nobody sends it */
  pti_comm_close(c, false);
  check(pti_work_over(r) && atomic_load(&r->state) == PTI_FAILED, "a work that was cut off");
  pti_work_free(r);
  free(sent);
  free(got);
  return NULL;
}

int main(void) {
  for (ranks = 2; ranks <= MOST; ranks++) {
    for (rounds = 0; rounds < ROUNDS; rounds++) {
      pthread_t thread[MOST];
      int number[MOST] = {0, 1, 2, 3};
      for (int r = 0; r < ranks; r++)
        check(pthread_create(&thread[r], NULL, run_rank, &number[r]) == 0, "a thread");
      for (int r = 0; r < ranks; r++) pthread_join(thread[r], NULL);
    }
  }
  return 0;
}
