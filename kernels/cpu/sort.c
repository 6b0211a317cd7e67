/* sort.c: stable sorting of the lines of a tensor along one dim, running sums and extremes along a
   dim, and binary search in sorted lines. A value becomes an unsigned key that orders as the value
   does (NaN last), so one sort serves every dtype: insertion for short lines, radix for long ones.
   Units of work are lines. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "cpu.h"

enum { SHORT = 48, RADIX_BITS = 11, BUCKETS = 1 << RADIX_BITS };

typedef struct entry {
  uint64_t key;
  int64_t at;
} entry;

/* ---- keys ---- */

static uint64_t key_of_double(double v) {
  uint64_t u;
  if (v != v) return UINT64_MAX;
  if (v == 0) v = 0; /* -0 equals 0 */
  memcpy(&u, &v, sizeof u);
  return u >> 63 ? ~u : u | (uint64_t)1 << 63;
}
static uint64_t key_of_float(float v) {
  uint32_t u;
  if (v != v) return UINT32_MAX;
  if (v == 0) v = 0;
  memcpy(&u, &v, sizeof u);
  return u >> 31 ? ~u : u | (uint32_t)1 << 31;
}
static uint64_t key_of_int(int64_t v) { return (uint64_t)v ^ (uint64_t)1 << 63; }

static uint64_t key_at(pt_dtype dtype, const char *p) {
  switch (dtype) {
  case PT_F32: return key_of_float(*(const float *)p);
  case PT_F64: return key_of_double(*(const double *)p);
  case PT_F16: return key_of_float(pti_f16_load(*(const uint16_t *)p));
  case PT_BF16: return key_of_float(pti_bf16_load(*(const uint16_t *)p));
  case PT_I64: return key_of_int(*(const int64_t *)p);
  case PT_I32: return (uint32_t) * (const int32_t *)p ^ (uint32_t)1 << 31;
  case PT_I16: return (uint16_t)(*(const int16_t *)p ^ 1 << 15);
  case PT_I8: return (uint8_t)(*(const int8_t *)p ^ 1 << 7);
  default: return *(const uint8_t *)p;
  }
}

static int key_bits(pt_dtype dtype) {
  size_t size = pt_dtype_size(dtype);
  return pti_is(dtype, PTI_HALVES) ? 32 : (int)size * 8;
}

/* ---- sorting ---- */

static void insertion(entry *e, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    entry v = e[i];
    int64_t j = i;
    for (; j > 0 && e[j - 1].key > v.key; j--) e[j] = e[j - 1];
    e[j] = v;
  }
}

/* Least significant digit first; passes in which all digits agree are skipped. The result is in e. */
static void radix(entry *e, entry *other, int64_t n, int bits) {
  entry *from = e, *to = other;
  for (int shift = 0; shift < bits; shift += RADIX_BITS) {
    int64_t count[BUCKETS] = {0}, at = 0;
    for (int64_t i = 0; i < n; i++) count[from[i].key >> shift & (BUCKETS - 1)]++;
    if (count[from[0].key >> shift & (BUCKETS - 1)] == n) continue;
    for (int b = 0; b < BUCKETS; b++) {
      int64_t many = count[b];
      count[b] = at;
      at += many;
    }
    for (int64_t i = 0; i < n; i++) to[count[from[i].key >> shift & (BUCKETS - 1)]++] = from[i];
    entry *swap = from;
    from = to;
    to = swap;
  }
  if (from != e) memcpy(e, from, (size_t)n * sizeof *e);
}

/* Bottom-up merging for lines that are too long to insert and too short for the radix's buckets. */
static void merge(entry *e, entry *other, int64_t n) {
  for (int64_t i = 0; i < n; i += SHORT) insertion(e + i, n - i < SHORT ? n - i : SHORT);
  entry *from = e, *to = other;
  for (int64_t run = SHORT; run < n; run *= 2) {
    for (int64_t lo = 0; lo < n; lo += 2 * run) {
      int64_t mid = lo + run < n ? lo + run : n, hi = lo + 2 * run < n ? lo + 2 * run : n, a = lo,
              b = mid;
      for (int64_t i = lo; i < hi; i++)
        to[i] = b >= hi || (a < mid && from[a].key <= from[b].key) ? from[a++] : from[b++];
    }
    entry *swap = from;
    from = to;
    to = swap;
  }
  if (from != e) memcpy(e, from, (size_t)n * sizeof *e);
}

/* Moves the k entries that a stable sort would put first to the front, in the order in which they stand: the k-th key
   is found digit by digit, from the most significant one. */
static void choose(entry *e, int64_t n, int64_t k, int bits) {
  uint64_t key = 0, known = 0; /* of the k-th key, in the digits of `known` */
  for (int shift = (bits - 1) / RADIX_BITS * RADIX_BITS; shift >= 0; shift -= RADIX_BITS) {
    int64_t count[BUCKETS] = {0};
    for (int64_t i = 0; i < n; i++) {
      if ((e[i].key & known) == key) count[e[i].key >> shift & (BUCKETS - 1)]++;
    }
    int b = 0;
    for (; k > count[b]; b++) k -= count[b]; /* what is left of k is wanted of those that agree */
    key |= (uint64_t)b << shift;
    known |= (uint64_t)(BUCKETS - 1) << shift;
  }
  int64_t m = 0;
  for (int64_t i = 0; i < n; i++) {
    if (e[i].key < key || (e[i].key == key && k-- > 0)) e[m++] = e[i];
  }
}

/* In order; the lower place first among equals. `other` has room for n entries. */
static void order(entry *e, entry *other, int64_t n, int bits) {
  if (n <= SHORT) insertion(e, n);
  else if (n < 4 * BUCKETS) merge(e, other, n);
  else radix(e, other, n, bits);
}

typedef struct sort_job {
  pti_rows r;
  const char *x;
  char *y;
  int64_t *index;
  const int64_t *id;
  int64_t k;
  int base, kind;
  bool descending, right;
  atomic_bool failed;
} sort_job;

static void sort_lines(void *ctx, int64_t lo, int64_t hi) {
  sort_job *j = ctx;
  int64_t n = j->r.n, inner = j->r.inner;
  size_t size = pt_dtype_size(j->r.dtype), bytes = (size_t)n * 2 * sizeof(entry);
  entry *e = pti_cpu_host->alloc(bytes);
  if (e == NULL) {
    atomic_store(&j->failed, true);
    return;
  }
  int bits = key_bits(j->r.dtype);
  uint64_t flip = !j->descending ? 0 : bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
  for (int64_t line = lo; line < hi; line++) {
    const char *x = j->x + (size_t)(line / inner * n * inner + line % inner) * size;
    for (int64_t i = 0; i < n; i++) {
      e[i] = (entry){key_at(j->r.dtype, x + (size_t)(i * inner) * size) ^ flip, i};
    }
    bool few = n > 4 * SHORT && j->k <= n / 4;
    if (few) choose(e, n, j->k, bits);
    order(e, e + n, few ? j->k : n, bits);
    char *y = j->y + (size_t)(line / inner * j->k * inner + line % inner) * size;
    int64_t *index = j->index + line / inner * j->k * inner + line % inner;
    for (int64_t i = 0; i < j->k; i++) {
      memcpy(y + (size_t)(i * inner) * size, x + (size_t)(e[i].at * inner) * size, size);
      index[i * inner] = e[i].at + j->base;
    }
  }
  pti_cpu_host->free(e, bytes);
}

static int64_t line_grain(int64_t n) { return n >= 8192 ? 1 : 8192 / (n > 0 ? n : 1); }

bool pti_cpu_sort(int dev, pti_rows r, bool descending, const void *x, int64_t k, void *y,
                  int64_t *index, int base) {
  (void)dev;
  sort_job j = {
      .r = r, .x = x, .y = y, .index = index, .k = k, .base = base, .descending = descending};
  pti_cpu_host->parallel_for(r.outer * r.inner, line_grain(r.n), sort_lines, &j);
  return !atomic_load(&j.failed) ||
         pti_cpu_host->fail(PT_EMEMORY, "sort: no memory for its keys") != NULL;
}

/* ---- running sums, products and extremes ---- */

#define T float
#define ACC double
#define F(name) name##_f32
#define IS_NAN(v) ((v) != (v))
#include "scan.inc.h"
#undef T
#undef ACC
#undef F
#define T double
#define ACC double
#define F(name) name##_f64
#include "scan.inc.h"
#undef T
#undef ACC
#undef F
#undef IS_NAN
#define T int64_t
#define ACC uint64_t
#define F(name) name##_i64
#define IS_NAN(v) ((void)(v), 0)
#include "scan.inc.h"
#undef T
#undef ACC
#undef F

bool pti_cpu_scan(int dev, pti_rows r, pti_scan kind, bool reverse, const void *x, void *y,
                  int64_t *index, int base) {
  (void)dev;
  sort_job j = {
      .r = r, .x = x, .y = y, .index = index, .base = base, .kind = (int)kind, .right = reverse};
  pti_compute c = pti_compute_of(r.dtype);
  pti_cpu_host->parallel_for(r.outer * r.inner, line_grain(r.n),
                             c == PTI_CF64   ? scan_f64
                             : c == PTI_CF32 ? scan_f32
                                             : scan_i64,
                             &j);
  return true;
}

/* ---- binary search ---- */

/* How many of the sorted line's entries are below v (right: not above). */
static int64_t place(const sort_job *j, const char *line, uint64_t v) {
  size_t size = pt_dtype_size(j->r.dtype);
  int64_t lo = 0, hi = j->r.n;
  while (lo < hi) {
    int64_t mid = lo + (hi - lo) / 2;
    uint64_t key = key_at(j->r.dtype, line + (size_t)mid * size);
    if (j->right ? key <= v : key < v) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

static void search_lines(void *ctx, int64_t lo, int64_t hi) {
  const sort_job *j = ctx;
  size_t size = pt_dtype_size(j->r.dtype);
  for (int64_t i = lo; i < hi; i++) {
    const char *line = j->x + (j->r.outer == 1 ? 0 : (size_t)(i / j->k * j->r.n) * size);
    j->index[i] = place(j, line, key_at(j->r.dtype, j->y + (size_t)i * size)) + j->base;
  }
}

bool pti_cpu_search(int dev, pti_rows r, bool right, const void *sorted, const void *values,
                    int64_t count, int64_t per_line, int64_t *index, int base) {
  (void)dev;
  sort_job j = {.r = r,
                .x = sorted,
                .y = (char *)(uintptr_t)values,
                .index = index,
                .k = per_line,
                .base = base,
                .right = right};
  pti_cpu_host->parallel_for(count, 4096, search_lines, &j);
  return true;
}
