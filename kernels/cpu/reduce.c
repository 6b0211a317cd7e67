/* reduce.c: reductions over any dims of anything. Dims that stay and dims that go are told apart by the output's
   stride. Where the numbers of one output lie together, each output is a row folded by itself; where neighbours
   belong to neighbouring outputs, up to COLUMNS outputs are folded at a time.

   A long reduction is cut into segments whose partial results are combined in order. Cuts depend on the shape
   alone, and the loops' lanes are the same on every CPU level: equal bits for any number of threads. */
#include <math.h>

#include "tile.h"

enum { COLUMNS = 512, FEW = 64 /* units of work that make it worthwhile to cut a reduction into segments */ };

/* Dims that were merged as far as they go; the last is the innermost. */
typedef struct dims {
  int nd;
  int64_t n; /* elements in all */
  int64_t size[PT_MAX_DIM];
  int64_t in[PT_MAX_DIM], out[PT_MAX_DIM]; /* strides in bytes */
} dims;

typedef struct reduce_job {
  pti_reduction kind;
  pti_compute compute;
  pt_dtype in_dtype, out_dtype;
  const char *x;
  char *value;    /* NULL where only the position is wanted */
  int64_t *index; /* the position; strides are those of `value`, or of itself, in elements of out_size */
  int64_t out_size;
  dims kept, gone;
  bool columns;
  double scale;
  int base;
  pti_row_loop *row;
  pti_column_loop *column;
  pti_load_loop *load; /* NULL: numbers are used where they lie */
  pti_store_loop *store;
  int64_t seg, nseg;   /* length and number of segments */
  int64_t across;      /* column tiles in the innermost kept dim */
  pti_sum *part;       /* (nseg, kept.n) partial results, where nseg > 1 */
  int64_t *part_best;
} reduce_job;

static bool has_position(pti_reduction kind) { return kind == PTI_ARGMAX || kind == PTI_ARGMIN; }

static pti_sum neutral(pti_reduction kind, pti_compute compute) {
  bool whole = compute == PTI_CI64;
  pti_sum s = {.i = 0};
  if (!whole) s.f = 0;
  if (kind == PTI_PROD || kind == PTI_ALL) whole ? (s.i = 1) : (s.f = 1);
  if (kind == PTI_MAX) whole ? (s.i = INT64_MIN) : (s.f = -HUGE_VAL);
  if (kind == PTI_MIN) whole ? (s.i = INT64_MAX) : (s.f = HUGE_VAL);
  return s;
}
