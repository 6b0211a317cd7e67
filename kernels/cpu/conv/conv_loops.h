/* conv_loops.h: the kernel of direct convolution and the functions that store its sums, built once per CPU level;
   conv_loops.c makes one table for each of float and double. direct.c says how they are used. */
#ifndef PTI_KERNELS_CONV_LOOPS_H
#define PTI_KERNELS_CONV_LOOPS_H

#include "../cpu_backend.h"

enum { CONV_MAX_HALF = 7, CONV_SUMS = 16 * 32 /* elements that a kernel's sums may take */ };

/* The terms that are summed: for each of `outer`, `inner` of them. Row i of a half, at x, has for term (j, l) the
   number x[x_at[j] + l * step + i * row]; its weights are w[(w_at[j] + l * w_step) * w_unit ..]. */
typedef struct conv_terms {
  int64_t outer, inner;
  const int64_t *x_at, *w_at;
  int64_t step, w_step, w_unit, row;
} conv_terms;

/* sums (2 u, columns): rows of the half at p, then of the half at q, times one or two vectors of weights. */
typedef void conv_kernel(const conv_terms *t, const void *p, const void *q, const void *w,
                         void *sums);
/* n columns of sums of 2 u rows, plus bias (or NULL), become n channels of y, `plane` apart: the first u elements at
   y0, the others at y1, neighbours `step` apart. Sums are overwritten. */
typedef void conv_store(void *sums, int64_t columns, int u, int64_t n, const void *bias, void *y0,
                        void *y1, int64_t plane, int64_t step);

/* The same where rows are n channels and columns `many` neighbours of one line. */
typedef void conv_store_rows(const void *sums, int64_t columns, int64_t n, int64_t many,
                             const void *bias, void *y, int64_t plane, int64_t step);

/* Tiles of winograd.c: of convolutions with stride 1, with stride 2, and of the latter's gradient for the input. How
   many inputs, points and outputs they have in each of two dims, and how many inputs one begins after the other. */
typedef enum winograd_kind {
  WINOGRAD_ONE,
  WINOGRAD_TWO,
  WINOGRAD_TWO_BACK,
  WINOGRAD_KINDS
} winograd_kind;
typedef struct winograd_size {
  int in, points, out, step;
} winograd_size;
static const winograd_size pti_winograd_sizes[WINOGRAD_KINDS] = {
    {6, 6, 4, 4}, {9, 9, 4, 8}, {5, 9, 8, 4}};
enum { WINOGRAD_MOST = 9 };

/* Their transforms, of float: rows of `channels` numbers, one for each input of a tile, become the values at its points,
   `pitch` apart; 3x3 rows of weights, `row` apart, become those for 6x6 points; and sums at the points become the
   elements of n channels of y, bias added, rows x cols of the tile that begins at y. */
typedef struct winograd_loops {
  void (*data)(const float *const *from, int64_t channels, float *to, int64_t pitch);
  void (*weight)(const float *from, int64_t row, int64_t columns, float *to, int64_t pitch);
  void (*sums)(const float *from, int64_t pitch, const float *bias, int64_t n, float *y,
               int64_t plane, int64_t line, int rows, int cols);
} winograd_loops;

typedef struct conv_loops {
  int half, lanes; /* rows of a half at most; of a vector: weights are one or two wide */
  conv_kernel *sum[2][CONV_MAX_HALF + 1];
  conv_store *store;
  conv_store_rows *store_rows;
  const winograd_loops *winograd; /* for each kind; of float only */
} conv_loops;

extern const conv_loops pti_conv_loops_base[2], pti_conv_loops_avx2[2], pti_conv_loops_avx512[2];
/* The loops of the level in use. */
const conv_loops *pti_conv_loops_now(pt_dtype dtype);

#endif
