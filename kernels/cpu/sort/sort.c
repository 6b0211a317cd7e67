/* sort.c: stable sorting of the lines of a tensor along one dim, the k-th of each, running sums and extremes along a
   dim, and binary search in sorted lines. A value becomes an unsigned key that orders as the value does (NaN last), so
   one sort serves every dtype: insertion for short lines, radix for long ones. Units of work are lines.

   A key and the place it came from make an entry, and moving entries is what sorting costs. Keys of 64 bits that lie
   within 2^32 of each other, as most integers do, are therefore sorted as what they are above the least of the line:
   such an entry is one word. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "../cpu_backend.h"
#include "../cpu_slots.h"

enum {
  SHORT = 48,
  RADIX_BITS = 11,
  BUCKETS = 1 << RADIX_BITS,
  SMALL_RADIX_BITS = 8, /* in lines of fewer than FEW_ENTRIES */
  FEW_ENTRIES = 8192,
  MOST_COUNTS = (64 + RADIX_BITS - 1) / RADIX_BITS * BUCKETS, /* of all digits */
  PIECE = 1 << 20, /* entries between two looks at whether to go on: some 20 ms */
  CHUNK = 512,     /* keys made at a time */
  FEW = 512        /* entries kept in order while a line is scanned */
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
/* Of a half, which is NaN above `inf`. */
static uint64_t key_of_half(uint16_t u, uint16_t inf) {
  uint16_t most = u & 0x7fff;
  if (most > inf) return UINT16_MAX;
  return most == 0 ? 1 << 15 : u >> 15 ? (uint16_t)~u : u | 1 << 15;
}
static uint64_t key_of_int(int64_t v) { return (uint64_t)v ^ (uint64_t)1 << 63; }

static uint64_t key_at(pt_dtype dtype, const char *p) {
  switch (dtype) {
  case PT_F32: return key_of_float(*(const float *)p);
  case PT_F64: return key_of_double(*(const double *)p);
  case PT_F16: return key_of_half(*(const uint16_t *)p, 0x7c00);
  case PT_BF16: return key_of_half(*(const uint16_t *)p, 0x7f80);
  case PT_I64: return key_of_int(*(const int64_t *)p);
  case PT_I32: return (uint32_t) * (const int32_t *)p ^ (uint32_t)1 << 31;
  case PT_I16: return (uint16_t)(*(const int16_t *)p ^ 1 << 15);
  case PT_I8: return (uint8_t)(*(const int8_t *)p ^ 1 << 7);
  default: return *(const uint8_t *)p;
  }
}

/* The keys of n elements, `step` bytes apart; for the common dtypes in loops without branches. */
static void keys_of(pt_dtype dtype, const char *x, int64_t step, int64_t n, uint64_t *key) {
#define KEYS(T, expression)             \
  for (int64_t i = 0; i < n; i++) {     \
    T u;                                \
    memcpy(&u, x + i * step, sizeof u); \
    key[i] = expression;                \
  }                                     \
  return
  switch (dtype) {
  case PT_F32:
    KEYS(uint32_t,
         (u & 0x7fffffffu) > 0x7f800000u ? UINT32_MAX
             : (u & 0x7fffffffu) == 0    ? (uint32_t)1 << 31
                                         : u ^ ((uint32_t)((int32_t)u >> 31) | (uint32_t)1 << 31));
  case PT_F64: KEYS(double, key_of_double(u));
  case PT_I64: KEYS(uint64_t, u ^ (uint64_t)1 << 63);
  case PT_I32: KEYS(uint32_t, u ^ (uint32_t)1 << 31);
  case PT_F16: KEYS(uint16_t, key_of_half(u, 0x7c00));
  case PT_BF16: KEYS(uint16_t, key_of_half(u, 0x7f80));
  default:
    for (int64_t i = 0; i < n; i++) key[i] = key_at(dtype, x + i * step);
  }
#undef KEYS
}

static int key_bits(pt_dtype dtype) { return 8 * (int)pt_dtype_size(dtype); }

/* How the keys of one line become small numbers: (key ^ flip) - low, of `bits` bits. */
typedef struct scale {
  pt_dtype dtype;
  uint64_t flip, low; /* flip: all ones where the largest comes first */
  uint64_t
      sign;  /* the bit that tells numbers from -0 down from those above in a key; 0: unsigned */
  bool real; /* keys of floats have the other bits of negative ones reversed */
  int bits;
} scale;

/* The least and largest key of a line of wide ones narrow the scale down. */
static scale scale_of(pt_dtype dtype, bool descending, const char *x, int64_t step, int64_t n) {
  scale s = {.dtype = dtype, .bits = key_bits(dtype), .real = pti_is(dtype, PTI_FLOATS)};
  if (dtype != PT_U8 && dtype != PT_BOOL) s.sign = (uint64_t)1 << (s.bits - 1);
  if (descending) s.flip = UINT64_MAX >> (64 - s.bits);
  if (s.bits <= 32 || n <= SHORT) return s;
  uint64_t key[CHUNK], low = UINT64_MAX, high = 0;
  for (int64_t from = 0; from < n; from += CHUNK) {
    int64_t m = pti_min64(CHUNK, n - from);
    keys_of(dtype, x + from * step, step, m, key);
    for (int64_t i = 0; i < m; i++) {
      low = key[i] < low ? key[i] : low;
      high = key[i] > high ? key[i] : high;
    }
  }
  s.low = descending ? high ^ s.flip : low;
  s.bits = high > low ? 64 - __builtin_clzll(high - low) : 1;
  return s;
}

/* Scaled keys of n elements. */
static void scaled_keys(const scale *s, const char *x, int64_t step, int64_t n, uint64_t *key) {
  keys_of(s->dtype, x, step, n, key);
  if (s->flip | s->low) {
    for (int64_t i = 0; i < n; i++) key[i] = (key[i] ^ s->flip) - s->low;
  }
}

/* The element of `size` bytes with a scaled key: from the key alone where it tells, as reading elements in the order of a
   sort misses the cache; a float zero may be either one, and a NaN any. */
static inline void element_of(const scale *s, size_t size, uint64_t scaled, char *y,
                              const char *from) {
  uint64_t key = (scaled + s->low) ^ s->flip, v = key & s->sign || !s->real ? key ^ s->sign : ~key;
  bool known = !s->real || (key != s->sign && key != UINT64_MAX >> (64 - 8 * size));
  memcpy(y, known ? (const char *)&v : from, size); /* little-endian */
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
  atomic_bool failed, stopped;
} sort_job;

/* False once the caller was interrupted; the rest of the work is then left undone. */
static bool go_on(const sort_job *job) {
  sort_job *j = (sort_job *)job; /* the flag is what threads share */
  if (atomic_load_explicit(&j->stopped, memory_order_relaxed)) return false;
  if (!pti_cpu_host->poll()) atomic_store(&j->stopped, true);
  return !atomic_load(&j->stopped);
}

/* i from 0 to n - 1, which a long line's caller may interrupt. */
#define FOR_EACH(i, n)                                                \
  for (int64_t piece_ = 0; piece_ < (n) && go_on(j); piece_ += PIECE) \
    for (int64_t i = piece_, end_ = pti_min64(n, piece_ + PIECE); i < end_; i++)

typedef void line_fn(const sort_job *j, const scale *s, const char *x, int64_t step, void *scratch,
                     int64_t line);

#define ENTRY entry
#define KEY(e) (e).key
#define AT(e) (e).at
#define MAKE(key, at) ((entry){key, at})
#define COUNT int64_t
#define F(name) name##_wide
#include "sort.inc.h"
#undef ENTRY
#undef KEY
#undef AT
#undef MAKE
#undef COUNT
#undef F
/* Keys of 32 bits and places below 2^32 share one word: half the memory to move. */
#define ENTRY uint64_t
#define KEY(e) ((e) >> 32)
#define AT(e) ((int64_t)(uint32_t)(e))
#define MAKE(key, at) ((key) << 32 | (uint64_t)(at))
#define COUNT uint32_t
#define F(name) name##_narrow
#include "sort.inc.h"
#undef ENTRY
#undef KEY
#undef AT
#undef MAKE
#undef COUNT
#undef F

static int64_t line_grain(int64_t n) { return n >= 8192 ? 1 : 8192 / (n > 0 ? n : 1); }

/* Each line by `narrow` where its scaled keys and its places have 32 bits, else by `wide`. */
static void run_lines(sort_job *j, int64_t lo, int64_t hi, line_fn *narrow, line_fn *wide) {
  int64_t n = j->r.n, inner = j->r.inner;
  size_t size = pt_dtype_size(j->r.dtype);
  bool always_narrow = key_bits(j->r.dtype) <= 32 && n <= UINT32_MAX;
  size_t bytes = (size_t)n * 2 * (always_narrow ? sizeof(uint64_t) : sizeof(entry));
  void *scratch = pti_cpu_host->alloc(bytes);
  if (scratch == NULL) {
    atomic_store(&j->failed, true);
    return;
  }
  for (int64_t line = lo; line < hi && !atomic_load(&j->stopped); line++) {
    const char *x = j->x + (size_t)(line / inner * n * inner + line % inner) * size;
    int64_t step = inner * (int64_t)size;
    scale s = scale_of(j->r.dtype, j->descending, x, step, n);
    (s.bits <= 32 && n <= UINT32_MAX ? narrow : wide)(j, &s, x, step, scratch, line);
  }
  pti_cpu_host->free(scratch, bytes);
}

static void sort_lines(void *ctx, int64_t lo, int64_t hi) {
  run_lines(ctx, lo, hi, sort_line_narrow, sort_line_wide);
}
static void choose_lines(void *ctx, int64_t lo, int64_t hi) {
  run_lines(ctx, lo, hi, kth_of_line_narrow, kth_of_line_wide);
}

static bool over_lines(sort_job *j, void (*fn)(void *, int64_t, int64_t)) {
  pti_cpu_host->parallel_for(j->r.outer * j->r.inner, line_grain(j->r.n), fn, j);
  if (atomic_load(&j->stopped))
    return pti_cpu_host->poll() && pti_cpu_host->fail(PT_EINTERRUPT, "interrupted");
  return !atomic_load(&j->failed) || pti_cpu_host->fail(PT_EMEMORY, "sort: no memory for its keys");
}

bool pti_cpu_sort(int dev, pti_rows r, bool descending, const void *x, int64_t k, void *y,
                  int64_t *index, int base) {
  (void)dev;
  sort_job j = {
      .r = r, .x = x, .y = y, .index = index, .k = k, .base = base, .descending = descending};
  return over_lines(&j, sort_lines);
}

bool pti_cpu_kth(int dev, pti_rows r, int64_t k, const void *x, void *y, int64_t *index, int base) {
  (void)dev;
  sort_job j = {.r = r, .x = x, .y = y, .index = index, .k = k, .base = base};
  return over_lines(&j, choose_lines);
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
