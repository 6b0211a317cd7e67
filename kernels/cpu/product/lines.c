/* lines.c: products of at most eight rows by a large b whose rows lie along c's, such as a layer's weights kept as (in, out),
   by one token. b is read once, from front to back, some of its lines at a time: each, times the number of a that belongs
   to it, is added to a line of sums, which stays in the cache.

   A unit is a part of k, and of c's columns where there are very many; the sums of the parts of k are added up in order.
   Units depend on the shape alone. */
#include "product_loops.h"

enum {
  PARTS = 4,    /* of k, */
  SHORT = 64,   /* each of at least so many lines */
  LINE = 8192,  /* most columns of a unit: the lines that come next are fetched into the cache; */
  SUMS = 32768, /* most sums of a unit, likewise */
  NARROW = 64,  /* columns that are left to the general path */
  SMALL = 256 << 10, /* elements of b, too, unless they are to be converted; */
  FEW = 2, /* more rows than these leave to it what does not come from memory: a b of less than */
  IN_MEMORY = 12 << 20, /* bytes */
  WORK = 64 << 10,      /* elements of b that justify a thread */
  FINISHED = 1024       /* sums that become elements of c at a time */
};

typedef struct lines_job {
  const product *p;
  const product_loops *loops;
  size_t size;             /* of a number of the compute type */
  const char *x;           /* rows of a, numbers of the compute type, */
  int64_t ldx, batch_x;    /* from row to row, from problem to problem */
  char *sums;              /* (batch, parts, m, n) */
  int64_t parts;           /* of a problem's k */
  int64_t columns, across; /* of a unit; units side by side */
} lines_job;

bool pti_product_is_lines(const product *p) {
  const product_side *a = &p->a, *b = &p->b;
  bool converted = pti_is(p->dtype, PTI_HALVES);
  return pti_is(p->dtype, PTI_FLOATS) && p->m <= PRODUCT_DOTS && p->n >= NARROW && b->step == 1 &&
      b->k_step != 1 && !b->index && !b->pack && !b->packed && !a->pack && !a->packed &&
      (converted ||
       p->n * p->k >= (p->m <= FEW ? SMALL : IN_MEMORY / (int64_t)pt_dtype_size(p->dtype)));
}

static char *sums_of(const lines_job *j, int64_t problem, int64_t part) {
  const product *p = j->p;
  return j->sums + (size_t)((problem * j->parts + part) * p->m * p->n) * j->size;
}

static void run_units(void *ctx, int64_t lo, int64_t hi) {
  const lines_job *j = ctx;
  const product *p = j->p;
  int64_t size = (int64_t)j->size, esize = (int64_t)pt_dtype_size(p->b.dtype);
  for (int64_t u = lo; u < hi; u++) {
    int64_t problem = u / (j->across * j->parts), part = u / j->across % j->parts;
    int64_t k = p->k * part / j->parts, end = p->k * (part + 1) / j->parts;
    int64_t q = u % j->across * j->columns, n = pti_min64(j->columns, p->n - q);
    int64_t at = problem * p->b.batch_step + k * p->b.k_step + q;
    j->loops->lines[p->b.dtype](end - k, j->x + (problem * j->batch_x + k) * size, j->ldx, p->m,
                                (const char *)p->b.data + at * esize, p->b.k_step, n,
                                sums_of(j, problem, part) + q * size, p->n);
  }
}

/* Lines lo .. hi - 1 of c: the sums of the parts, added up as lines that belong to ones. */
static void finish_lines(void *ctx, int64_t lo, int64_t hi) {
  const lines_job *j = ctx;
  const product *p = j->p;
  const float ones_4[PARTS] = {1, 1, 1, 1};
  const double ones_8[PARTS] = {1, 1, 1, 1};
  pt_dtype dtype = j->size == 4 ? PT_F32 : PT_F64;
  double sums[FINISHED] __attribute__((aligned(64)));
  for (int64_t u = lo; u < hi; u++) {
    int64_t problem = u / p->m, i = u % p->m, n;
    for (int64_t q = 0; q < p->n; q += n) {
      n = pti_min64(FINISHED, p->n - q);
      const char *from = sums_of(j, problem, 0) + (size_t)(i * p->n + q) * j->size;
      j->loops->lines[dtype](j->parts, j->size == 4 ? (const void *)ones_4 : ones_8, 0, 1, from,
                             p->m * p->n, n, sums, n);
      j->loops->finish[p->dtype](p, sums, n, problem, i, 1, q, n);
    }
  }
}

/* The rows of a, one after the other, unless they are dense and of the compute type as they are. */
static char *pack_rows(lines_job *j, size_t *bytes) {
  const product *p = j->p;
  const product_side *a = &p->a;
  j->x = a->data, j->ldx = a->step, j->batch_x = a->batch_step;
  *bytes = 0;
  if (a->k_step == 1 && !a->index && pt_dtype_size(a->dtype) == j->size) return NULL;
  j->ldx = p->k + 64 / (int64_t)j->size; /* a packer may write a vector more */
  j->batch_x = p->m * j->ldx;
  *bytes = (size_t)(p->batch * j->batch_x) * j->size;
  char *rows = pti_cpu_host->alloc(*bytes);
  for (int64_t r = 0; r < p->batch * p->m && rows; r++)
    j->loops->pack[a->dtype](a, r / p->m, rows + (size_t)(r * j->ldx) * j->size, 1, r % p->m, 1, 0,
                             p->k);
  j->x = rows;
  return rows;
}

bool pti_product_lines(const product *p) {
  product_type type = pti_product_type(p->dtype);
  lines_job j = {.p = p, .loops = pti_product_loops_now(type), .size = pti_product_size(type)};
  j.parts = pti_max64(1, pti_min64(PARTS, p->k / SHORT));
  j.across = (p->n * p->m + SUMS - 1) / SUMS;
  j.across = pti_max64(j.across, (p->n + LINE - 1) / LINE);
  j.columns = ((p->n + j.across - 1) / j.across + 31) / 32 * 32;
  j.across = (p->n + j.columns - 1) / j.columns;
  size_t packed, bytes = (size_t)(p->batch * j.parts * p->m * p->n) * j.size;
  char *rows = pack_rows(&j, &packed);
  j.sums = j.x ? pti_cpu_host->alloc(bytes) : NULL;
  if (j.sums) {
    int64_t units = j.parts * j.across;
    int64_t grain = pti_max64(1, WORK / pti_max64(1, p->k * p->n / units));
    pti_cpu_host->parallel_for(p->batch * units, grain, run_units, &j);
    pti_cpu_host->parallel_for(p->batch * p->m, pti_max64(1, WORK / p->n), finish_lines, &j);
    pti_cpu_host->free(j.sums, bytes);
  }
  if (rows) pti_cpu_host->free(rows, packed);
  return j.sums != NULL;
}
