/* skinny.c: products of at most eight rows by a large matrix whose rows are contiguous along k, or the other way round:
   the large one is read once, from front to back, and each of its elements is used as soon as it is read, so only
   the few rows are packed. Matrix times vector is the case of one row.

   A unit is some rows of the large matrix. Sums have a fixed order: within the lanes of a vector, then across them. */
#include <string.h>

#include "product_loops.h"

enum {
  CHUNK = 64,
  UNIT = 64 * 1024 /* elements of the large matrix that justify a thread */
};

static const pt_dtype compute[PRODUCT_TYPES] = {PT_F32, PT_F64, PT_I32, PT_I64};

typedef struct skinny_job {
  const product *p;
  const product_loops *loops;
  bool turned;         /* the large matrix is a */
  int64_t few, many;   /* rows of both */
  int64_t unit, units; /* rows of a unit; units of a problem */
  size_t size;
  char *rows; /* the few, of all problems */
} skinny_job;

static bool fits(const product_side *few, const product_side *many, int64_t count, int64_t other) {
  return count <= PRODUCT_DOTS && (other > count || count == 1) && many->k_step == 1 &&
      !many->index && !many->pack && !many->packed && !few->pack && !few->packed;
}

/* Sums of rows q .. q + n - 1 of the large matrix, `pitch` numbers apart for each of the few rows, become elements of
   c. */
static void finish(const skinny_job *j, char *sums, int64_t pitch, int64_t problem, int64_t q,
                   int64_t n) {
  product_finish *finish = j->loops->finish[j->p->dtype];
  int64_t size = (int64_t)j->size;
  if (!j->turned) {
    finish(j->p, sums, pitch, problem, 0, j->few, q, n);
    return;
  }
  if (j->few == 1 && j->p->ldc == 1 && !j->p->end.bias) { /* a column without gaps is a row */
    finish(j->p, sums, n, problem, 0, 1, q, n);
    return;
  }
  double row[PRODUCT_DOTS];
  for (int64_t r = 0; r < n; r++) {
    for (int64_t i = 0; i < j->few; i++)
      memcpy((char *)row + i * size, sums + (i * pitch + r) * size, (size_t)size);
    finish(j->p, row, j->few, problem, q + r, 1, 0, j->few);
  }
}

/* Elements from one of the few rows to the next: not a power of two, which would map to few cache sets. */
static int64_t pitch(const product *p) { return (p->k + 63) / 64 * 64 + 16; }

/* The few rows of problems lo .. hi - 1, dense and of the compute type: panels of one row each. */
static void pack_rows(void *ctx, int64_t lo, int64_t hi) {
  const skinny_job *j = ctx;
  const product_side *few = j->turned ? &j->p->b : &j->p->a;
  for (int64_t problem = lo; problem < hi; problem++) {
    for (int64_t i = 0; i < j->few; i++) {
      char *to = j->rows + (size_t)((problem * j->few + i) * pitch(j->p)) * j->size;
      j->loops->pack[few->dtype](few, problem, to, 1, i, 1, 0, j->p->k);
    }
  }
}

static void run_units(void *ctx, int64_t lo, int64_t hi) {
  const skinny_job *j = ctx;
  const product *p = j->p;
  const product_side *many = j->turned ? &p->a : &p->b, *few = j->turned ? &p->b : &p->a;
  int64_t esize = (int64_t)pt_dtype_size(many->dtype);
  double sums[PRODUCT_DOTS * CHUNK];
  for (int64_t u = lo; u < hi; u++) {
    int64_t problem = u / j->units, from = u % j->units * j->unit;
    int64_t until = pti_min64(from + j->unit, j->many);
    int64_t ldx = j->rows ? pitch(p) : few->step;
    const char *x = j->rows
        ? j->rows + (size_t)(problem * j->few * ldx) * j->size
        : (const char *)few->data + (size_t)(problem * few->batch_step) * j->size;
    for (int64_t q = from; q < until; q += CHUNK) {
      int64_t n = pti_min64(CHUNK, until - q);
      const char *w =
          (const char *)many->data + (problem * many->batch_step + q * many->step) * esize;
      j->loops->dots[many->dtype](p->k, x, ldx, j->few, w, many->step, n, sums);
      finish(j, (char *)sums, n, problem, q, n);
    }
  }
}

/* ---- c has few columns, and columns of a are contiguous: c' = b' a', in rows as wide as a is high ---- */

static void finish_columns(void *ctx, int64_t lo, int64_t hi) {
  const skinny_job *j = ctx;
  for (int64_t u = lo; u < hi; u++) {
    int64_t problem = u / j->units, q = u % j->units * j->unit, many = j->many;
    char *sums = j->rows + (size_t)(problem * j->few * many + q) * j->size;
    finish(j, sums, many, problem, q, pti_min64(j->unit, many - q));
  }
}

static bool run_turned(skinny_job *j) {
  const product *p = j->p;
  size_t bytes = (size_t)(p->batch * j->few * j->many) * j->size;
  j->rows = pti_cpu_host->alloc(bytes);
  if (j->rows == NULL) return false;
  product t = {
      .batch = p->batch, .m = p->n, .n = p->m, .k = p->k, .a = p->b, .b = p->a, .c = j->rows};
  t.dtype = compute[pti_product_type(p->dtype)];
  t.ldc = j->many, t.batch_c = j->few * j->many;
  t.end = (product_end){.alpha = 1, .activation = -1};
  bool ok = pti_product_run(&t);
  j->unit = 1024;
  j->units = (j->many + j->unit - 1) / j->unit;
  if (ok) pti_cpu_host->parallel_for(p->batch * j->units, 16, finish_columns, j);
  pti_cpu_host->free(j->rows, bytes);
  return ok;
}

static bool few_columns(const product *p) {
  const product_side *a = &p->a;
  return p->n <= PRODUCT_DOTS && p->m >= 64 && a->step == 1 && a->k_step != 1 && !a->index &&
      !a->pack && !a->packed && !p->b.pack && !p->b.packed;
}

bool pti_product_is_skinny(const product *p) {
  if (!pti_is(p->dtype, PTI_FLOATS)) return false;
  return fits(&p->a, &p->b, p->m, p->n) || fits(&p->b, &p->a, p->n, p->m) || few_columns(p);
}

bool pti_product_skinny(const product *p) {
  product_type type = pti_product_type(p->dtype);
  skinny_job j = {.p = p, .loops = pti_product_loops_now(type), .size = pti_product_size(type)};
  j.turned = !fits(&p->a, &p->b, p->m, p->n);
  j.few = j.turned ? p->n : p->m;
  j.many = j.turned ? p->m : p->n;
  if (j.turned && !fits(&p->b, &p->a, p->n, p->m)) return run_turned(&j);
  j.unit = pti_max64(CHUNK, UNIT / pti_max64(1, p->k) / CHUNK * CHUNK);
  j.units = (j.many + j.unit - 1) / j.unit;
  int64_t grain = pti_max64(1, UNIT / pti_max64(1, pti_min64(j.unit, j.many) * p->k));
  const product_side *few = j.turned ? &p->b : &p->a;
  size_t bytes = (size_t)(p->batch * j.few * pitch(p)) * j.size;
  bool in_place = j.few <= 2 && few->k_step == 1 && !few->index && few->dtype == compute[type];
  if (!in_place) {
    j.rows = pti_cpu_host->alloc(bytes);
    if (j.rows == NULL) return false;
    pti_cpu_host->parallel_for(p->batch, pti_max64(1, UNIT / (j.few * pitch(p))), pack_rows, &j);
  }
  pti_cpu_host->parallel_for(p->batch * j.units, grain, run_units, &j);
  if (!in_place) pti_cpu_host->free(j.rows, bytes);
  return true;
}
