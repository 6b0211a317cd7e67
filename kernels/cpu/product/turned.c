/* turned.c: products of a few rows by a large matrix whose rows are contiguous along k, the weights of a layer for a few
   inputs, as c' = b' a': to pack such weights takes as long as to multiply them, but as the left matrix they are read
   in place, once. c' is made and transposed a part at a time, and has the bits that c would have. */
#include "product_loops.h"

/* Rows of c' at a time, and columns of c that are finished at a time. */
enum { ROWS = 4096, COLUMNS = 512 };

bool pti_product_is_turned(const product *p) {
  const product_side *b = &p->b;
  return p->batch == 1 && p->m <= PRODUCT_FEW && p->n >= 4 * p->m && b->k_step == 1 &&
      b->step != 1 && b->dtype == p->dtype && !b->index && !b->pack && !b->packed && !p->a.pack &&
      !p->a.packed && (p->dtype == PT_F32 || p->dtype == PT_F64) &&
      p->n * p->k * (int64_t)pt_dtype_size(p->dtype) > (int64_t)pti_cache_bytes();
}

typedef struct turned_job {
  const product *p;
  const product_loops *loops;
  const char *sums; /* (n, m), from column `at` of c on */
  int64_t at, n;
} turned_job;

/* Units: COLUMNS columns of c. */
static void finish_turned(void *ctx, int64_t lo, int64_t hi) {
  const turned_job *t = ctx;
  const product *p = t->p;
  double rows[8 * COLUMNS + 8] __attribute__((aligned(64)));
  int64_t size = (int64_t)pt_dtype_size(p->dtype), most = 64 / size;
  for (int64_t u = lo; u < hi; u++) {
    int64_t from = u * COLUMNS, n = pti_min64(COLUMNS, t->n - from);
    product_side s = {.data = t->sums + from * p->m * size, .dtype = p->dtype, .step = p->m};
    s.k_step = 1;
    for (int64_t i = 0; i < p->m; i += most) {
      int64_t h = pti_min64(most, p->m - i);
      t->loops->pack[p->dtype](&s, 0, rows, COLUMNS, 0, n, i, h);
      t->loops->finish[p->dtype](p, rows, COLUMNS, 0, i, h, t->at + from, n);
    }
  }
}

bool pti_product_turned(const product *p) {
  int64_t size = (int64_t)pt_dtype_size(p->dtype), most = pti_min64(ROWS, p->n);
  size_t bytes = (size_t)(most * p->m * size);
  turned_job t = {.p = p, .loops = pti_product_loops_now(pti_product_type(p->dtype))};
  char *sums = pti_cpu_host->alloc(bytes);
  bool ok = sums != NULL;
  t.sums = sums;
  for (; t.at < p->n && ok; t.at += ROWS) {
    t.n = pti_min64(ROWS, p->n - t.at);
    product part = {.batch = 1, .m = t.n, .n = p->m, .k = p->k, .a = p->b, .b = p->a, .c = sums};
    part.a.data = (const char *)p->b.data + t.at * p->b.step * size;
    part.dtype = p->dtype, part.ldc = p->m;
    part.end = (product_end){.alpha = 1, .activation = -1};
    ok = pti_product_run(&part);
    if (ok) pti_cpu_host->parallel_for((t.n + COLUMNS - 1) / COLUMNS, 1, finish_turned, &t);
  }
  if (sums) pti_cpu_host->free(sums, bytes);
  return ok;
}
