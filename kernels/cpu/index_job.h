/* index_job.h: what index.c and scatter.c share: a call of a slot that moves or combines elements by ids, its checks, and
   the work of slots that write where ids say. */
#ifndef PTI_INDEX_JOB_H
#define PTI_INDEX_JOB_H

#include <stdatomic.h>

#include "cpu_backend.h"

typedef struct index_job {
  pti_rows r;
  const char *x;
  char *y;
  const int64_t *id;
  int64_t count, k, base; /* ids in all, ids of one line */
  bool wrap;
  size_t bytes;          /* of a row of `inner` elements */
  int64_t strip, strips; /* elements in a piece of `inner`, pieces in it */
  _Atomic int64_t bad;   /* place of the first bad id, or count */
} index_job;

/* x is (outer, n, inner) unless the slot writes by ids: then y is. ids: of one line (`lines` 0),
   or for every element. */
static inline index_job job_of(pti_rows r, const void *x, const int64_t *id, int64_t k, void *y,
                               int base, bool wrap, bool each) {
  return (index_job){.r = r,
                     .x = x,
                     .y = y,
                     .id = id,
                     .count = each ? r.outer * k * r.inner : k,
                     .k = k,
                     .base = base,
                     .wrap = wrap,
                     .bytes = (size_t)r.inner * pt_dtype_size(r.dtype),
                     .bad = each ? r.outer * k * r.inner : k};
}

static inline int64_t place(const index_job *j, int64_t id) {
  return j->wrap && id < 0 ? id + j->r.n : id - j->base;
}
static inline int log2_of(size_t size) {
  return size >= 16 ? 4 : size >= 8 ? 3 : size >= 4 ? 2 : size / 2;
}

/* Some id from place `at` on is not: the first bad one of all threads is kept. */
void pti_note_bad_id(index_job *j, int64_t at);
/* False, with the first bad id as the error, where one was noted; and after an interrupt. */
bool pti_ids_were_good(const index_job *j);

/* Elements `from` .. `to` of `inner`, of all k rows of line o. */
typedef void pti_strip_fn(const index_job *j, int64_t o, int64_t from, int64_t to);
/* Checks all ids, then runs fn on all strips. */
bool pti_by_strips(index_job *j, pti_strip_fn *fn);

/* ---- how two numbers become one, by storage type ---- */

typedef struct sixteen {
  uint64_t part[2];
} sixteen;
typedef struct complex_f {
  float re, im;
} complex_f;
typedef struct complex_d {
  double re, im;
} complex_d;
static inline complex_f plus_c64(complex_f a, complex_f b) {
  return (complex_f){a.re + b.re, a.im + b.im};
}
static inline complex_d plus_c128(complex_d a, complex_d b) {
  return (complex_d){a.re + b.re, a.im + b.im};
}
#define PLUS(a, b) ((a) + (b))
#define PLUS_8(a, b) ((uint8_t)((a) + (b)))
#define PLUS_16(a, b) ((uint16_t)((a) + (b)))
#define OR(a, b) ((uint8_t)(((a) | (b)) != 0))
#define PLUS_F16(a, b) pti_f16_store(pti_f16_load(a) + pti_f16_load(b))
#define PLUS_BF16(a, b) pti_bf16_store(pti_bf16_load(a) + pti_bf16_load(b))

#endif
