/* index.c: gathering and adding elements by ids, and the checks of ids. All ids are checked before anything is written:
   one that is out of range fails the op and leaves its output as it was. Moves know the size of an element only, so one
   loop serves every dtype of that size.

   Work is cut along the dims that ids do not index (`outer`, `inner`), so no two pieces write to the same element and
   equal ids are applied in their order, for any number of threads. */
#include <string.h>

#include "cpu_slots.h"
#include "index_job.h"

enum {
  STRIP = 64,           /* elements of `inner` that one piece of an addition has, at least */
  MOVE_BYTES = 1 << 17, /* that are worth a thread */
  CHECK = 1 << 18       /* ids that are */
};

/* ---- ids ---- */

static bool good(const index_job *j, int64_t id) {
  return id >= (j->wrap ? -j->r.n : j->base) && (uint64_t)place(j, id) < (uint64_t)j->r.n;
}

/* Whether n ids are in range, without branches: then not one of them is looked at alone. */
static bool ids_fit(const index_job *j, const int64_t *id, int64_t n) {
  int64_t low = j->wrap ? -j->r.n : j->base, zeros = 0;
  uint64_t last = (uint64_t)(j->r.n + j->base - low) - 1, any = 0;
  /* Of an id that is too low or too high, one of the two differences is negative. */
  for (int64_t i = 0; i < n; i++) {
    uint64_t at = (uint64_t)id[i] - (uint64_t)low;
    any |= at | (last - at);
  }
  for (int64_t i = 0; i < n && j->wrap && j->base > 0; i++) zeros += id[i] == 0;
  return any >> 63 == 0 && zeros == 0;
}

void pti_note_bad_id(index_job *j, int64_t at) {
  while (good(j, j->id[at])) at++;
  int64_t first = atomic_load(&j->bad);
  while (at < first && !atomic_compare_exchange_weak(&j->bad, &first, at)) {}
}

bool pti_ids_were_good(const index_job *j) {
  if (!pti_cpu_host->poll()) return false; /* an interrupted loop has not checked them all */
  int64_t bad = atomic_load(&j->bad);
  if (bad == j->count) return true;
  return pti_cpu_host->fail(PT_EINDEX, "index %lld is out of range for a dim of size %lld",
                            (long long)j->id[bad], (long long)j->r.n);
}

static void check_range(void *ctx, int64_t lo, int64_t hi) {
  index_job *j = ctx;
  for (int64_t at = lo; at < hi; at += PTI_BLOCK) {
    if (!ids_fit(j, j->id + at, pti_min64(hi - at, PTI_BLOCK))) {
      pti_note_bad_id(j, at);
      return;
    }
  }
}

static bool check_ids(index_job *j) {
  pti_cpu_host->parallel_for(j->count, CHECK, check_range, j);
  return pti_ids_were_good(j);
}

/* ---- loops by size of element ---- */

/* select: rows [lo, hi) of y, one element each. gather: the same of y's rows. */
#define MOVES(E, name)                                                               \
  static void select_##name(const index_job *j, int64_t lo, int64_t hi) {            \
    E *y = (E *)j->y;                                                                \
    for (int64_t at = lo; at < hi;) {                                                \
      const E *x = (const E *)j->x + at / j->k * j->r.n;                             \
      const int64_t *id = j->id + at % j->k;                                         \
      int64_t n = pti_min64(hi - at, j->k - at % j->k);                              \
      for (int64_t i = 0; i < n; i++) y[at + i] = x[place(j, id[i])];                \
      at += n;                                                                       \
    }                                                                                \
  }                                                                                  \
  static void gather_##name(void *ctx, int64_t lo, int64_t hi) {                     \
    const index_job *j = ctx;                                                        \
    int64_t inner = j->r.inner;                                                      \
    for (int64_t at = lo; at < hi;) {                                                \
      const E *x = (const E *)j->x + at / j->k * j->r.n * inner;                     \
      int64_t end = pti_min64(hi, (at / j->k + 1) * j->k);                           \
      for (; at < end; at++) {                                                       \
        const int64_t *id = j->id + at * inner;                                      \
        E *y = (E *)j->y + at * inner;                                               \
        for (int64_t i = 0; i < inner; i++) y[i] = x[(id[i] - j->base) * inner + i]; \
      }                                                                              \
    }                                                                                \
  }
MOVES(uint8_t, 1)
MOVES(uint16_t, 2)
MOVES(uint32_t, 4)
MOVES(uint64_t, 8)
MOVES(sixteen, 16)

/* ---- loops by dtype ---- */

/* y[id] += x for one strip of rows. */
#define ADDS(E, name, SUM)                                                          \
  static void add_##name(const index_job *j, int64_t o, int64_t from, int64_t to) { \
    int64_t inner = j->r.inner;                                                     \
    for (int64_t i = 0; i < j->k; i++) {                                            \
      E *restrict y = (E *)j->y + (o * j->r.n + place(j, j->id[i])) * inner;        \
      const E *restrict x = (const E *)j->x + (o * j->k + i) * inner;               \
      for (int64_t c = from; c < to; c++) y[c] = SUM(y[c], x[c]);                   \
    }                                                                               \
  }
ADDS(float, f32, PLUS)
ADDS(double, f64, PLUS)
ADDS(uint16_t, f16, PLUS_F16)
ADDS(uint16_t, bf16, PLUS_BF16)
ADDS(uint64_t, i64, PLUS) /* integers wrap around */
ADDS(uint32_t, i32, PLUS)
ADDS(uint16_t, i16, PLUS_16)
ADDS(uint8_t, i8, PLUS_8)
ADDS(uint8_t, bool, OR)
ADDS(complex_f, c64, plus_c64)
ADDS(complex_d, c128, plus_c128)

static pti_strip_fn *const add_of[PT_NDTYPE] = {
    [PT_F32] = add_f32, [PT_F64] = add_f64,   [PT_F16] = add_f16, [PT_BF16] = add_bf16,
    [PT_I64] = add_i64, [PT_I32] = add_i32,   [PT_I16] = add_i16, [PT_I8] = add_i8,
    [PT_U8] = add_i8,   [PT_BOOL] = add_bool, [PT_C64] = add_c64, [PT_C128] = add_c128};

/* ---- strips: whatever writes where ids say ---- */

typedef struct strip_job {
  index_job *j;
  pti_strip_fn *fn;
} strip_job;

static void copy_strip(const index_job *j, int64_t o, int64_t from, int64_t to) {
  size_t size = pt_dtype_size(j->r.dtype), at = (size_t)from * size, bytes = (size_t)to * size - at;
  for (int64_t i = 0; i < j->k; i++) {
    memcpy(j->y + (size_t)(o * j->r.n + place(j, j->id[i])) * j->bytes + at,
           j->x + (size_t)(o * j->k + i) * j->bytes + at, bytes);
  }
}

static void run_strips(void *ctx, int64_t lo, int64_t hi) {
  const strip_job *s = ctx;
  const index_job *j = s->j;
  for (int64_t u = lo; u < hi; u++) {
    int64_t from = u % j->strips * j->strip;
    s->fn(j, u / j->strips, from, pti_min64(from + j->strip, j->r.inner));
  }
}

bool pti_by_strips(index_job *j, pti_strip_fn *fn) {
  if (!check_ids(j)) return false;
  strip_job s = {j, fn};
  j->strip = pti_min64(j->r.inner, STRIP);
  j->strips = j->strip ? (j->r.inner + j->strip - 1) / j->strip : 0;
  int64_t work = pti_max64(1, j->strip * j->k);
  pti_cpu_host->parallel_for(j->r.outer * j->strips, PTI_PIECE / work, run_strips, &s);
  return true;
}

/* ---- slots ---- */

/* Rows chosen by ids lie where the processor cannot predict: they are prefetched one row ahead. */
static inline const char *selected(const index_job *j, int64_t at) {
  return j->x + (size_t)(at / j->k * j->r.n + place(j, j->id[at % j->k])) * j->bytes;
}
static inline void expect(const char *row, size_t bytes) {
  for (size_t b = 0; b < bytes && b < 4096; b += 64) __builtin_prefetch(row + b);
}

static void select_rows(void *ctx, int64_t lo, int64_t hi) {
  const index_job *j = ctx;
  switch (j->bytes) {
  case 1: select_1(j, lo, hi); return;
  case 2: select_2(j, lo, hi); return;
  case 4: select_4(j, lo, hi); return;
  case 8: select_8(j, lo, hi); return;
  case 16: select_16(j, lo, hi); return;
  default: break;
  }
  const char *next = selected(j, lo);
  for (int64_t at = lo; at < hi; at++) {
    const char *row = next;
    if (at + 1 < hi) expect(next = selected(j, at + 1), j->bytes);
    memcpy(j->y + (size_t)at * j->bytes, row, j->bytes);
  }
}

bool pti_cpu_index_select(int dev, pti_rows r, const void *x, const int64_t *id, int64_t k, void *y,
                          int base, bool wrap) {
  (void)dev;
  index_job j = job_of(r, x, id, k, y, base, wrap, false);
  if (!check_ids(&j)) return false;
  int64_t grain = MOVE_BYTES / pti_max64(1, (int64_t)j.bytes);
  pti_cpu_host->parallel_for(r.outer * k, grain, select_rows, &j);
  return true;
}

bool pti_cpu_index_add(int dev, pti_rows r, void *y, const int64_t *id, int64_t k, const void *x,
                       int base, bool wrap) {
  (void)dev;
  index_job j = job_of(r, x, id, k, y, base, wrap, false);
  return pti_by_strips(&j, add_of[r.dtype]);
}

bool pti_cpu_index_copy(int dev, pti_rows r, void *y, const int64_t *id, int64_t k, const void *x,
                        int base, bool wrap) {
  (void)dev;
  index_job j = job_of(r, x, id, k, y, base, wrap, false);
  return pti_by_strips(&j, copy_strip);
}

bool pti_cpu_gather(int dev, pti_rows r, const void *x, const int64_t *id, int64_t k, void *y,
                    int base) {
  (void)dev;
  static void (*const loop[])(void *, int64_t, int64_t) = {gather_1, gather_2, gather_4, gather_8,
                                                           gather_16};
  index_job j = job_of(r, x, id, k, y, base, false, true);
  if (!check_ids(&j)) return false;
  pti_cpu_host->parallel_for(r.outer * k, PTI_PIECE / pti_max64(1, r.inner),
                             loop[log2_of(pt_dtype_size(r.dtype))], &j);
  return true;
}

/* Rows of the last dim, each from the place where the one before it left off: the work of one thread, at the speed of
   memory where few are true. */
bool pti_cpu_nonzero(int dev, int nd, const int64_t *size, const uint8_t *x, int64_t *count,
                     int64_t *out, int base) {
  (void)dev;
  int64_t n = 1, found = 0, at[PT_MAX_DIM] = {0};
  for (int d = 0; d < nd; d++) n *= size[d];
  if (out == NULL) {
    for (int64_t i = 0; i < n; i++) found += x[i] != 0;
    *count = found;
    return true;
  }
  int64_t row = nd ? size[nd - 1] : 1;
  for (int64_t first = 0; first < n; first += row) {
    for (int64_t i = 0; i < row; i++) {
      uint64_t eight;
      if (i + 8 <= row && (memcpy(&eight, x + first + i, 8), eight == 0)) i += 7;
      else if (x[first + i]) {
        for (int d = 0; d < nd - 1; d++) *out++ = at[d] + base;
        if (nd) *out++ = i + base;
      }
    }
    for (int d = nd - 2; d >= 0 && ++at[d] == size[d]; d--) at[d] = 0;
  }
  return true;
}
