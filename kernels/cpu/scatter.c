/* scatter.c: y[id] becomes x, or y[id] and x combined: an id for every element of x. Elements of one line are taken in
   their order, so that equal ids give the same bits for any number of threads; lines and columns are what threads
   share.

   Where each row is one element and y is small beside the ids, the call works on a copy of y and checks each id right
   before it uses it, which takes no time: ids are what such a call reads most of. A bad id then leaves y as it was.
   Otherwise ids are checked in a pass of their own. */
#include <string.h>

#include "cpu_slots.h"
#include "index_job.h"

/* ---- loops ---- */

/* n elements of a line of `rows` rows, one element each, which ids count from `base`: how many were taken before an id
   out of range. */
typedef int64_t line_fn(void *y, uint64_t rows, const int64_t *id, int64_t base, const void *x,
                        int64_t n);

#define SCATTER(E, name, OF)                                                          \
  static int64_t line_##name(void *y, uint64_t rows, const int64_t *id, int64_t base, \
                             const void *x, int64_t n) {                              \
    for (int64_t i = 0; i < n; i++) {                                                 \
      uint64_t at = (uint64_t)id[i] - (uint64_t)base;                                 \
      if (at >= rows) return i;                                                       \
      E *to = (E *)y + at;                                                            \
      *to = OF(*to, ((const E *)x)[i]);                                               \
    }                                                                                 \
    return n;                                                                         \
  }                                                                                   \
  static void strip_##name(const index_job *j, int64_t o, int64_t from, int64_t to) { \
    int64_t inner = j->r.inner;                                                       \
    E *y = (E *)j->y + o * j->r.n * inner;                                            \
    const E *x = (const E *)j->x + o * j->k * inner;                                  \
    const int64_t *id = j->id + o * j->k * inner;                                     \
    for (int64_t i = 0; i < j->k; i++, x += inner, id += inner) {                     \
      for (int64_t c = from; c < to; c++) {                                           \
        E *at = y + (id[c] - j->base) * inner + c;                                    \
        *at = OF(*at, x[c]);                                                          \
      }                                                                               \
    }                                                                                 \
  }

#define LAST(old, x) (x)
SCATTER(uint8_t, put_1, LAST)
SCATTER(uint16_t, put_2, LAST)
SCATTER(uint32_t, put_4, LAST)
SCATTER(uint64_t, put_8, LAST)
SCATTER(sixteen, put_16, LAST)

SCATTER(float, add_f32, PLUS)
SCATTER(double, add_f64, PLUS)
SCATTER(uint16_t, add_f16, PLUS_F16)
SCATTER(uint16_t, add_bf16, PLUS_BF16)
SCATTER(uint64_t, add_i64, PLUS) /* integers wrap around */
SCATTER(uint32_t, add_i32, PLUS)
SCATTER(uint16_t, add_i16, PLUS_16)
SCATTER(uint8_t, add_i8, PLUS_8)
SCATTER(complex_f, add_c64, plus_c64)
SCATTER(complex_d, add_c128, plus_c128)
SCATTER(uint8_t, or, OR)

#define TIMES(a, b) ((a) * (b))
#define TIMES_8(a, b) ((uint8_t)((a) * (b)))
#define TIMES_16(a, b) ((uint16_t)((unsigned)(a) * (b)))
#define TIMES_F16(a, b) pti_f16_store(pti_f16_load(a) * pti_f16_load(b))
#define TIMES_BF16(a, b) pti_bf16_store(pti_bf16_load(a) * pti_bf16_load(b))
#define AND(a, b) ((uint8_t)((a) && (b)))
SCATTER(float, times_f32, TIMES)
SCATTER(double, times_f64, TIMES)
SCATTER(uint16_t, times_f16, TIMES_F16)
SCATTER(uint16_t, times_bf16, TIMES_BF16)
SCATTER(uint64_t, times_i64, TIMES)
SCATTER(uint32_t, times_i32, TIMES)
SCATTER(uint16_t, times_i16, TIMES_16)
SCATTER(uint8_t, times_i8, TIMES_8)
SCATTER(uint8_t, and, AND)

/* The first of equals stays, and NaN wins: a comparison each that needs no branch. */
#define LARGER(a, b) ((b) != (b) ? (b) : (b) > (a) ? (b) : (a))
#define LESS(a, b) ((b) != (b) ? (b) : (b) < (a) ? (b) : (a))
#define OF_F16(OF, a, b) pti_f16_store(OF(pti_f16_load(a), pti_f16_load(b)))
#define OF_BF16(OF, a, b) pti_bf16_store(OF(pti_bf16_load(a), pti_bf16_load(b)))
#define LARGER_F16(a, b) OF_F16(LARGER, a, b)
#define LARGER_BF16(a, b) OF_BF16(LARGER, a, b)
#define LESS_F16(a, b) OF_F16(LESS, a, b)
#define LESS_BF16(a, b) OF_BF16(LESS, a, b)
SCATTER(float, larger_f32, LARGER)
SCATTER(double, larger_f64, LARGER)
SCATTER(uint16_t, larger_f16, LARGER_F16)
SCATTER(uint16_t, larger_bf16, LARGER_BF16)
SCATTER(int64_t, larger_i64, LARGER)
SCATTER(int32_t, larger_i32, LARGER)
SCATTER(int16_t, larger_i16, LARGER)
SCATTER(int8_t, larger_i8, LARGER)
SCATTER(uint8_t, larger_u8, LARGER)
SCATTER(float, less_f32, LESS)
SCATTER(double, less_f64, LESS)
SCATTER(uint16_t, less_f16, LESS_F16)
SCATTER(uint16_t, less_bf16, LESS_BF16)
SCATTER(int64_t, less_i64, LESS)
SCATTER(int32_t, less_i32, LESS)
SCATTER(int16_t, less_i16, LESS)
SCATTER(int8_t, less_i8, LESS)
SCATTER(uint8_t, less_u8, LESS)

typedef struct loops {
  line_fn *line;
  pti_strip_fn *strip;
} loops;
#define LOOPS(name) \
  { line_##name, strip_##name }

static const loops put_of[] = {LOOPS(put_1), LOOPS(put_2), LOOPS(put_4), LOOPS(put_8),
                               LOOPS(put_16)};
/* By pti_combine, from PTI_ADD on; complex numbers are only added. */
static const loops combine_of[][PT_NDTYPE] = {{[PT_F32] = LOOPS(add_f32),
                                               [PT_F64] = LOOPS(add_f64),
                                               [PT_F16] = LOOPS(add_f16),
                                               [PT_BF16] = LOOPS(add_bf16),
                                               [PT_I64] = LOOPS(add_i64),
                                               [PT_I32] = LOOPS(add_i32),
                                               [PT_I16] = LOOPS(add_i16),
                                               [PT_I8] = LOOPS(add_i8),
                                               [PT_U8] = LOOPS(add_i8),
                                               [PT_BOOL] = LOOPS(or),
                                               [PT_C64] = LOOPS(add_c64),
                                               [PT_C128] = LOOPS(add_c128)},
                                              {[PT_F32] = LOOPS(times_f32),
                                               [PT_F64] = LOOPS(times_f64),
                                               [PT_F16] = LOOPS(times_f16),
                                               [PT_BF16] = LOOPS(times_bf16),
                                               [PT_I64] = LOOPS(times_i64),
                                               [PT_I32] = LOOPS(times_i32),
                                               [PT_I16] = LOOPS(times_i16),
                                               [PT_I8] = LOOPS(times_i8),
                                               [PT_U8] = LOOPS(times_i8),
                                               [PT_BOOL] = LOOPS(and)},
                                              {[PT_F32] = LOOPS(larger_f32),
                                               [PT_F64] = LOOPS(larger_f64),
                                               [PT_F16] = LOOPS(larger_f16),
                                               [PT_BF16] = LOOPS(larger_bf16),
                                               [PT_I64] = LOOPS(larger_i64),
                                               [PT_I32] = LOOPS(larger_i32),
                                               [PT_I16] = LOOPS(larger_i16),
                                               [PT_I8] = LOOPS(larger_i8),
                                               [PT_U8] = LOOPS(larger_u8),
                                               [PT_BOOL] = LOOPS(or)},
                                              {[PT_F32] = LOOPS(less_f32),
                                               [PT_F64] = LOOPS(less_f64),
                                               [PT_F16] = LOOPS(less_f16),
                                               [PT_BF16] = LOOPS(less_bf16),
                                               [PT_I64] = LOOPS(less_i64),
                                               [PT_I32] = LOOPS(less_i32),
                                               [PT_I16] = LOOPS(less_i16),
                                               [PT_I8] = LOOPS(less_i8),
                                               [PT_U8] = LOOPS(less_u8),
                                               [PT_BOOL] = LOOPS(and)}};

/* ---- rows of one element, ids checked on the way ---- */

enum { SMALL = 4 }; /* y is small where there are so many ids for each of its elements */

typedef struct line_job {
  index_job *j;
  line_fn *fn;
} line_job;

static void run_lines(void *ctx, int64_t lo, int64_t hi) {
  const line_job *l = ctx;
  index_job *j = l->j;
  size_t size = pt_dtype_size(j->r.dtype);
  for (int64_t o = lo; o < hi; o++) {
    int64_t at = o * j->k;
    int64_t done = l->fn(j->y + (size_t)(o * j->r.n) * size, (uint64_t)j->r.n, j->id + at, j->base,
                         j->x + (size_t)at * size, j->k);
    if (done < j->k) {
      pti_note_bad_id(j, at + done);
      return;
    }
  }
}

static bool by_lines(index_job *j, line_fn *fn) {
  size_t bytes = (size_t)(j->r.outer * j->r.n) * j->bytes;
  char *y = j->y, *copy = pti_cpu_host->alloc(bytes);
  if (copy == NULL) return false;
  memcpy(copy, y, bytes);
  j->y = copy;
  line_job l = {j, fn};
  pti_cpu_host->parallel_for(j->r.outer, PTI_PIECE / pti_max64(1, j->k), run_lines, &l);
  bool ok = pti_ids_were_good(j);
  if (ok) memcpy(y, copy, bytes);
  pti_cpu_host->free(copy, bytes);
  return ok;
}

bool pti_cpu_scatter(int dev, pti_rows r, void *y, const int64_t *id, int64_t k, const void *x,
                     int base, pti_combine how) {
  (void)dev;
  index_job j = job_of(r, x, id, k, y, base, false, true);
  const loops *fn = how == PTI_PUT ? &put_of[log2_of(pt_dtype_size(r.dtype))]
                                   : &combine_of[how - PTI_ADD][r.dtype];
  bool small = r.inner == 1 && r.n <= k / SMALL;
  return small ? by_lines(&j, fn->line) : pti_by_strips(&j, fn->strip);
}
