/* softmax.c: softmax, its logarithm, and their gradients, along rows (the numbers of one softmax lie side by side) or
   down columns (neighbours belong to neighbouring softmaxes). The passes are in softmax.inc.h; sums are kept in
   double. Half types are computed in float: their tensors are converted as a whole, so that the passes see one
   compute type. */
#include <math.h>

#include "../../scalar.h" /* pt_log_d: the C library's logarithm has other bits elsewhere */
#include "../cpu_backend.h"
#include "../cpu_slots.h"

enum { COLUMNS = 256, GRAIN = 8192 /* elements: an exponential costs more than a sum */ };

static const int64_t width[] = {[PTI_CF32] = 4, [PTI_CF64] = 8};

typedef struct softmax_job {
  const pti_cpu_loops *loops;
  pti_compute compute; /* PTI_CF32 or PTI_CF64 */
  pti_rows r;
  bool log;
  const char *x, *g; /* input; or output and its gradient */
  char *y;
  int64_t tiles; /* of columns, across the inner dim */
} softmax_job;

/* Numbers of the compute type. */
static void set(pti_compute c, pti_block *to, int64_t i, double v) {
  if (c == PTI_CF32) to->f[i] = (float)v;
  else to->d[i] = v;
}

/* ---- rows ---- */

static void forward_rows(void *ctx, int64_t lo, int64_t hi) {
  const softmax_job *j = ctx;
  pti_compute c = j->compute;
  int64_t n = j->r.n, bytes = n * width[c];
  union {
    float f;
    double d;
  } a, b;
  for (int64_t i = lo; i < hi; i++) {
    const char *x = j->x + i * bytes;
    char *y = j->y + i * bytes;
    pti_sum top = {.f = -HUGE_VAL};
    j->loops->reductions->row[PTI_MAX][c](&top, NULL, x, n, 0);
    double sum = j->loops->exp_row[c](y, x, top.f, n);
    double first = j->log ? top.f : 1 / sum, second = j->log ? pt_log_d(sum) : 0;
    if (c == PTI_CF32) a.f = (float)first, b.f = (float)second;
    else a.d = first, b.d = second;
    if (j->log) j->loops->log_pass[c](y, x, x, &a, &b, false, n);
    else j->loops->scale_pass[c](y, y, y, &a, &b, false, n);
  }
}

static void backward_rows(void *ctx, int64_t lo, int64_t hi) {
  const softmax_job *j = ctx;
  pti_compute c = j->compute;
  int64_t n = j->r.n, bytes = n * width[c];
  union {
    float f;
    double d;
  } a;
  for (int64_t i = lo; i < hi; i++) {
    const char *y = j->x + i * bytes, *g = j->g + i * bytes;
    pti_sum sum = {.f = 0};
    if (j->log) j->loops->reductions->row[PTI_SUM][c](&sum, NULL, g, n, 0);
    else sum.f = j->loops->dot_row[c](g, y, n);
    if (c == PTI_CF32) a.f = (float)sum.f;
    else a.d = sum.f;
    pti_pass_loop *pass = j->log ? j->loops->log_grad_pass[c] : j->loops->grad_pass[c];
    pass(j->y + i * bytes, y, g, &a, &a, false, n);
  }
}

/* ---- columns ---- */

typedef struct columns {
  int64_t n, at, step; /* how many; bytes to the first; bytes from one row to the next */
} columns;

static columns columns_at(const softmax_job *j, int64_t tile) {
  int64_t o = tile / j->tiles, first = tile % j->tiles * COLUMNS, size = width[j->compute];
  return (columns){.n = pti_min64(COLUMNS, j->r.inner - first),
                   .at = (o * j->r.n * j->r.inner + first) * size,
                   .step = j->r.inner * size};
}

static void forward_columns(void *ctx, int64_t lo, int64_t hi) {
  const softmax_job *j = ctx;
  pti_compute c = j->compute;
  pti_sum top[COLUMNS];
  double sum[COLUMNS];
  pti_block a, b;
  for (int64_t tile = lo; tile < hi; tile++) {
    columns q = columns_at(j, tile);
    const char *x = j->x + q.at;
    char *y = j->y + q.at;
    for (int64_t k = 0; k < q.n; k++) top[k].f = -HUGE_VAL, sum[k] = 0;
    for (int64_t i = 0; i < j->r.n; i++)
      j->loops->reductions->column[PTI_MAX][c](top, NULL, x + i * q.step, q.n, i);
    for (int64_t k = 0; k < q.n; k++) set(c, &a, k, top[k].f);
    for (int64_t i = 0; i < j->r.n; i++)
      j->loops->exp_column[c](y + i * q.step, x + i * q.step, &a, sum, q.n);
    for (int64_t k = 0; k < q.n; k++) set(c, &b, k, j->log ? pt_log_d(sum[k]) : 1 / sum[k]);
    for (int64_t i = 0; i < j->r.n; i++) {
      const char *from = x + i * q.step;
      char *to = y + i * q.step;
      if (j->log) j->loops->log_pass[c](to, from, from, &a, &b, true, q.n);
      else j->loops->scale_pass[c](to, to, to, &b, &b, true, q.n);
    }
  }
}

static void backward_columns(void *ctx, int64_t lo, int64_t hi) {
  const softmax_job *j = ctx;
  pti_compute c = j->compute;
  pti_sum sum[COLUMNS];
  pti_block a;
  for (int64_t tile = lo; tile < hi; tile++) {
    columns q = columns_at(j, tile);
    const char *y = j->x + q.at, *g = j->g + q.at;
    for (int64_t k = 0; k < q.n; k++) sum[k].f = 0;
    for (int64_t i = 0; i < j->r.n; i++) {
      const char *gi = g + i * q.step;
      if (j->log) j->loops->reductions->column[PTI_SUM][c](sum, NULL, gi, q.n, i);
      else j->loops->dot_column[c](gi, y + i * q.step, &sum->f, q.n);
    }
    for (int64_t k = 0; k < q.n; k++) set(c, &a, k, sum[k].f);
    pti_pass_loop *pass = j->log ? j->loops->log_grad_pass[c] : j->loops->grad_pass[c];
    for (int64_t i = 0; i < j->r.n; i++)
      pass(j->y + q.at + i * q.step, y + i * q.step, g + i * q.step, &a, &a, true, q.n);
  }
}

/* ---- slots ---- */

static void run(softmax_job *j) {
  pti_rows *r = &j->r;
  bool back = j->g != NULL;
  if (r->inner == 1) {
    int64_t grain = GRAIN / pti_max64(1, r->n);
    pti_cpu_host->parallel_for(r->outer, grain, back ? backward_rows : forward_rows, j);
    return;
  }
  j->tiles = (r->inner + COLUMNS - 1) / COLUMNS;
  int64_t grain = GRAIN / pti_max64(1, r->n * pti_min64(r->inner, COLUMNS));
  pti_cpu_host->parallel_for(r->outer * j->tiles, grain, back ? backward_columns : forward_columns,
                             j);
}

typedef struct convert_job {
  pti_load_loop *load;
  pti_store_loop *store;
  char *half;
  float *wide;
} convert_job;

static void widen(void *ctx, int64_t lo, int64_t hi) {
  const convert_job *j = ctx;
  j->load(j->wide + lo, j->half + 2 * lo, 2, hi - lo);
}
static void narrow(void *ctx, int64_t lo, int64_t hi) {
  const convert_job *j = ctx;
  j->store(j->half + 2 * lo, 2, j->wide + lo, hi - lo);
}

/* The job on float copies of its tensors. */
static bool run_half(softmax_job *j) {
  int64_t n = j->r.outer * j->r.n * j->r.inner, bytes;
  if (!pti_mul(n, 3 * (int64_t)sizeof(float), &bytes))
    return pti_cpu_host->fail(PT_EMEMORY, "no room for float copies");
  float *wide = pti_cpu_host->alloc((size_t)bytes);
  if (wide == NULL) return false;
  convert_job q = {.load = j->loops->load[j->r.dtype][PTI_CF32],
                   .store = j->loops->store[j->r.dtype][PTI_CF32]};
  softmax_job f = *j;
  f.x = (char *)wide;
  f.g = j->g ? (char *)(wide + n) : NULL;
  f.y = (char *)(wide + 2 * n);
  q.half = (char *)j->x, q.wide = wide;
  pti_cpu_host->parallel_for(n, PTI_PIECE, widen, &q);
  if (j->g) {
    q.half = (char *)j->g, q.wide = wide + n;
    pti_cpu_host->parallel_for(n, PTI_PIECE, widen, &q);
  }
  run(&f);
  q.half = j->y, q.wide = wide + 2 * n;
  pti_cpu_host->parallel_for(n, PTI_PIECE, narrow, &q);
  pti_cpu_host->free(wide, (size_t)bytes);
  return true;
}

static bool run_any(softmax_job *j) {
  j->loops = pti_cpu_now();
  j->compute = j->r.dtype == PT_F64 ? PTI_CF64 : PTI_CF32;
  if (pti_is(j->r.dtype, PTI_HALVES)) return run_half(j);
  run(j);
  return true;
}

bool pti_cpu_softmax(int dev, pti_rows r, bool log, const void *x, void *y) {
  (void)dev;
  softmax_job j = {.r = r, .log = log, .x = x, .y = y};
  return run_any(&j);
}

bool pti_cpu_softmax_grad(int dev, pti_rows r, bool log, const void *y, const void *g, void *gx) {
  (void)dev;
  softmax_job j = {.r = r, .log = log, .x = y, .g = g, .y = gx};
  return run_any(&j);
}
