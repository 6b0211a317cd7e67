/* blocks.c: weights of few bits: blocks to numbers and back, and products with them. A product by few rows of x takes each
   row of blocks as it is (blocks_loops.c); one by many turns panels of them into floats, which the product kernel wants
   packed anyway. */
#include <math.h>
#include <string.h>

#include "blocks.h"
#include "../cpu_slots.h"
#include "../product/product.h"
#include "blocks_loops.h"

enum { FEW = 6 /* rows of x: above, packing pays */ };

static const block_loops *loops_now(void) {
#if defined(__x86_64__)
  static const block_loops *const loops[PTI_NCPU] = {&pti_block_loops_base, &pti_block_loops_avx2,
                                                     &pti_block_loops_avx512};
  return loops[pti_cpu()];
#else
  return &pti_block_loops_base;
#endif
}

/* ---- conversion ---- */

typedef struct convert_job {
  const block_loops *loops;
  pti_block_format format;
  const char *from;
  char *to;
} convert_job;

static void load_blocks(void *ctx, int64_t lo, int64_t hi) {
  const convert_job *j = ctx;
  const pti_block_kind *kind = &pti_block_kinds[j->format];
  j->loops->load[j->format]((const uint8_t *)j->from + lo * kind->bytes, hi - lo,
                            (float *)j->to + lo * kind->numbers);
}

bool pti_cpu_block_load(int dev, pti_block_format format, const void *blocks, int64_t count,
                        void *y) {
  (void)dev;
  convert_job j = {loops_now(), format, blocks, y};
  pti_cpu_host->parallel_for(count, PTI_PIECE / pti_block_kinds[format].numbers, load_blocks, &j);
  return true;
}

static void put_half(uint8_t *to, float x) {
  uint16_t h = pti_f16_store(x);
  to[0] = (uint8_t)h;
  to[1] = (uint8_t)(h >> 8);
}

/* The largest magnitude becomes 127. */
static void store_q8_0(const float *x, uint8_t *block) {
  float most = 0;
  for (int i = 0; i < 32; i++) most = fmaxf(most, fabsf(x[i]));
  float d = most / 127, inverse = d != 0 ? 1 / d : 0;
  put_half(block, d);
  for (int i = 0; i < 32; i++) {
    float q = roundf(x[i] * inverse);
    block[2 + i] = (uint8_t)(int8_t)(q >= -127 && q <= 127 ? q : 0); /* NaN and infinities: 0 */
  }
}

static unsigned nibble(float x, float inverse) {
  double q = (double)x * inverse + 8.5; /* as ggml rounds */
  return q >= 0 && q < 16 ? (unsigned)q : q >= 16 ? 15 : 0;
}

/* The number of the largest magnitude becomes -8, whatever its sign. */
static void store_q4_0(const float *x, uint8_t *block) {
  float most = 0;
  for (int i = 0; i < 32; i++)
    if (fabsf(x[i]) > fabsf(most)) most = x[i];
  float d = most / -8, inverse = d != 0 ? 1 / d : 0;
  put_half(block, d);
  for (int i = 0; i < 16; i++)
    block[2 + i] = (uint8_t)(nibble(x[i], inverse) | nibble(x[i + 16], inverse) << 4);
}

static void store_blocks(void *ctx, int64_t lo, int64_t hi) {
  const convert_job *j = ctx;
  const pti_block_kind *kind = &pti_block_kinds[j->format];
  for (int64_t b = lo; b < hi; b++) {
    const float *x = (const float *)j->from + b * kind->numbers;
    uint8_t *to = (uint8_t *)j->to + b * kind->bytes;
    if (j->format == PTI_Q8_0) store_q8_0(x, to);
    else store_q4_0(x, to);
  }
}

bool pti_cpu_block_store(int dev, pti_block_format format, const void *x, int64_t count,
                         void *blocks) {
  (void)dev;
  convert_job j = {NULL, format, x, blocks};
  pti_cpu_host->parallel_for(count, PTI_PIECE / pti_block_kinds[format].numbers, store_blocks, &j);
  return true;
}

/* ---- products ---- */

typedef struct linear_job {
  const pti_block_linear *p;
  const block_loops *loops;
  const float *x, *bias;
  const uint8_t *w;
  float *y;
  int64_t per_row, row_bytes; /* blocks and bytes of a row of w */
  block_group *rounded;       /* x, or NULL */
  int64_t groups;             /* of a row */
} linear_job;

/* Sums of x's row i times rows o .. o + n - 1 of w: whole groups of blocks in integers where x is rounded, the rest as
   floats. */
static void dot_some(const linear_job *j, int64_t i, int64_t o, int64_t n, float *sums) {
  pti_block_format format = j->p->format;
  const pti_block_kind *kind = &pti_block_kinds[format];
  const uint8_t *w = j->w + o * j->row_bytes;
  int64_t done = j->rounded ? 8 * j->groups : 0, left = j->per_row - done;
  if (done)
    j->loops->rounded_dots[format](w, j->row_bytes, n, j->groups, j->rounded + i * j->groups, sums);
  const float *x = j->x + i * j->p->k + done * kind->numbers;
  for (int64_t r = 0; r < n && left; r++) {
    float sum = j->loops->dot[format](w + r * j->row_bytes + done * kind->bytes, left, x);
    sums[r] = done ? sums[r] + sum : sum;
  }
}

/* Features lo .. hi - 1 of all rows; a row of w comes from memory once. */
static void dot_rows(void *ctx, int64_t lo, int64_t hi) {
  enum { SOME = 16 };
  const linear_job *j = ctx;
  int64_t n;
  for (int64_t o = lo; o < hi; o += n) {
    n = pti_min64(SOME, hi - o);
    for (int64_t i = 0; i < j->p->m; i++) {
      float sums[SOME] = {0}, *y = j->y + i * j->p->n + o;
      dot_some(j, i, o, n, sums);
      for (int64_t r = 0; r < n; r++) y[r] = sums[r] + (j->bias ? j->bias[o + r] : 0);
    }
  }
}

/* Rounds x where there are kernels for that, and it has no NaN. */
static void round_rows(linear_job *j, size_t *bytes) {
  const pti_block_linear *p = j->p;
  *bytes = 0;
  j->groups = j->per_row / 8;
#if defined(__x86_64__)
  if (!j->loops->rounded_dots[p->format] || !pti_cpu_vnni() || j->groups == 0) return;
  size_t size = (size_t)(p->m * j->groups) * sizeof *j->rounded;
  j->rounded = pti_cpu_host->alloc(size);
  if (j->rounded == NULL) return; /* floats do */
  *bytes = size;
  bool ok = true;
  for (int64_t i = 0; i < p->m && ok; i++)
    ok = j->loops->round(j->x + i * p->k, j->groups, j->rounded + i * j->groups);
  if (ok) return;
  pti_cpu_host->free(j->rounded, size);
  j->rounded = NULL;
#endif
}

/* A panel of w as product_packer wants it: `width` columns, number by number along k. */
static void pack_panel(const product_side *s, int64_t problem, void *to, int64_t width, int64_t at,
                       int64_t count, int64_t k0, int64_t kn) {
  (void)problem;
  const linear_job *j = s->context;
  const pti_block_kind *kind = &pti_block_kinds[j->p->format];
  enum { LONGEST = 256 }; /* numbers of a block */
  float numbers[LONGEST], *panel = to;
  if (count < width) memset(to, 0, (size_t)(width * kn) * sizeof *panel);
  for (int64_t c = 0; c < count; c++) {
    const uint8_t *row = j->w + (at + c) * j->row_bytes;
    for (int64_t b = k0 / kind->numbers; b * kind->numbers < k0 + kn; b++) {
      j->loops->load[j->p->format](row + b * kind->bytes, 1, numbers);
      int64_t first = b * kind->numbers, from = pti_max64(first, k0);
      int64_t until = pti_min64(first + kind->numbers, k0 + kn);
      for (int64_t l = from; l < until; l++) panel[(l - k0) * width + c] = numbers[l - first];
    }
  }
}

static bool packed_product(const linear_job *j) {
  const pti_block_linear *p = j->p;
  product q = {.batch = 1, .m = p->m, .n = p->n, .k = p->k, .c = j->y, .dtype = PT_F32};
  q.a = pti_product_matrix(PT_F32, j->x, p->k, true, 0);
  q.b = (product_side){.dtype = PT_F32, .pack = pack_panel, .context = j};
  q.ldc = p->n;
  q.end = (product_end){.alpha = 1, .bias = j->bias, .activation = -1};
  return pti_product_run(&q);
}

bool pti_cpu_block_linear(int dev, const pti_block_linear *p, const void *x, const void *w,
                          const void *bias, void *y) {
  (void)dev;
  const pti_block_kind *kind = &pti_block_kinds[p->format];
  linear_job j = {.p = p, .loops = loops_now(), .x = x, .bias = bias, .w = w, .y = y};
  j.per_row = p->k / kind->numbers;
  j.row_bytes = j.per_row * kind->bytes;
  if (p->m > FEW && p->k > 0) return packed_product(&j);
  int64_t grain = pti_max64(1, 2 * PTI_PIECE / pti_max64(1, p->m * p->k));
  size_t bytes;
  round_rows(&j, &bytes);
  pti_cpu_host->parallel_for(p->n, grain, dot_rows, &j);
  if (j.rounded) pti_cpu_host->free(j.rounded, bytes);
  return pti_cpu_host->poll();
}
