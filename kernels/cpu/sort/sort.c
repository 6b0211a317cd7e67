/* sort.c: stable sorting of the lines of a tensor along one dim, running sums and extremes along a
   dim, and binary search in sorted lines. A value becomes an unsigned key that orders as the value
   does (NaN last), so one sort serves every dtype: insertion for short lines, radix for long ones.
   Units of work are lines. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "../cpu_backend.h"
#include "../cpu_slots.h"

enum {
  SHORT = 48,
  RADIX_BITS = 11,
  BUCKETS = 1 << RADIX_BITS,
  CHUNK = 512, /* keys made at a time */
  FEW = 512    /* entries kept in order while a line is scanned */
};

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

/* The keys of n elements, `step` bytes apart. */
static void keys_of(pt_dtype dtype, const char *x, int64_t step, int64_t n, uint64_t *key) {
  if (dtype == PT_F32) { /* without branches, so that vectors do it */
    for (int64_t i = 0; i < n; i++) {
      uint32_t u;
      memcpy(&u, x + i * step, sizeof u);
      u = (u & 0x7fffffffu) > 0x7f800000u ? UINT32_MAX
          : (u & 0x7fffffffu) == 0        ? (uint32_t)1 << 31
                                          : u ^ ((uint32_t)((int32_t)u >> 31) | (uint32_t)1 << 31);
      key[i] = u;
    }
  } else if (dtype == PT_I64) {
    for (int64_t i = 0; i < n; i++) {
      memcpy(&key[i], x + i * step, sizeof *key);
      key[i] ^= (uint64_t)1 << 63;
    }
  } else {
    for (int64_t i = 0; i < n; i++) key[i] = key_at(dtype, x + i * step);
  }
}

static int key_bits(pt_dtype dtype) {
  size_t size = pt_dtype_size(dtype);
  return pti_is(dtype, PTI_HALVES) ? 32 : (int)size * 8;
}

/* ---- sorting ---- */

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

#define ENTRY entry
#define KEY(e) (e).key
#define AT(e) (e).at
#define MAKE(key, at) ((entry){key, at})
#define F(name) name##_wide
#include "sort.inc.h"
#undef ENTRY
#undef KEY
#undef AT
#undef MAKE
#undef F
/* Keys of 32 bits and places below 2^32 share one word: half the memory to move. */
#define ENTRY uint64_t
#define KEY(e) ((e) >> 32)
#define AT(e) ((int64_t)(uint32_t)(e))
#define MAKE(key, at) ((key) << 32 | (uint64_t)(at))
#define F(name) name##_narrow
#include "sort.inc.h"
#undef ENTRY
#undef KEY
#undef AT
#undef MAKE
#undef F

static int64_t line_grain(int64_t n) { return n >= 8192 ? 1 : 8192 / (n > 0 ? n : 1); }

bool pti_cpu_sort(int dev, pti_rows r, bool descending, const void *x, int64_t k, void *y,
                  int64_t *index, int base) {
  (void)dev;
  sort_job j = {
      .r = r, .x = x, .y = y, .index = index, .k = k, .base = base, .descending = descending};
  bool narrow = key_bits(r.dtype) <= 32 && r.n <= UINT32_MAX;
  pti_cpu_host->parallel_for(r.outer * r.inner, line_grain(r.n),
                             narrow ? sort_lines_narrow : sort_lines_wide, &j);
  return !atomic_load(&j.failed) || pti_cpu_host->fail(PT_EMEMORY, "sort: no memory for its keys");
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
                             c == PTI_CF64       ? scan_f64
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
