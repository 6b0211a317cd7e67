/* iter.h: a small TensorIterator. Operands are broadcast together, dims ordered by the stride of
   operand 0 (the output), neighbours merged; what is left is at most PT_MAX_DIM nested loops over
   byte strides. No heap. */
#ifndef PTI_ITER_H
#define PTI_ITER_H

#include "ptlua.h"

enum { PTI_MAX_OPERAND = 6 };

typedef struct pti_iter {
  int nd, nop;                                 /* nd >= 1 unless something is empty (then n == 0) */
  int64_t n;                                   /* elements in all */
  int64_t size[PT_MAX_DIM];                    /* the last dim is the inner loop */
  int64_t stride[PTI_MAX_OPERAND][PT_MAX_DIM]; /* in bytes; 0 where an operand is broadcast */
  char *ptr[PTI_MAX_OPERAND];
  pt_dtype dtype[PTI_MAX_OPERAND];
} pti_iter;

/* One operand before the merge. Sizes are right-aligned against `size` of the whole, as
   broadcasting wants. */
typedef struct pti_operand {
  char *ptr;
  pt_dtype dtype;
  int nd;
  const int64_t *size, *stride; /* stride in elements */
} pti_operand;

/* `size` (nd) is the common shape, which every operand broadcasts to (checked by the caller). */
void pti_iter_init(pti_iter *it, int nd, const int64_t *size, const pti_operand *op, int nop);

/* Advances the pointers of all operands to row `row` of the outer loops (all dims but the last). */
static inline void pti_iter_row(const pti_iter *it, int64_t row, char **ptr) {
  for (int o = 0; o < it->nop; o++) ptr[o] = it->ptr[o];
  for (int d = it->nd - 2; d >= 0; d--) {
    int64_t at = row % it->size[d];
    row /= it->size[d];
    for (int o = 0; o < it->nop; o++) ptr[o] += at * it->stride[o][d];
  }
}

#endif
