/* blocks_loops.h: the loops over blocks of few bits that are built once per CPU level. */
#ifndef PTI_KERNELS_BLOCKS_LOOPS_H
#define PTI_KERNELS_BLOCKS_LOOPS_H

#include "../cpu_backend.h"

/* `count` blocks as numbers. */
typedef void block_load(const uint8_t *blocks, int64_t count, float *y);
/* The sum of x times the numbers of `count` blocks. */
typedef float block_dot(const uint8_t *blocks, int64_t count, const float *x);

typedef struct block_loops {
  block_load *load[PTI_NBLOCK_FORMAT];
  block_dot *dot[PTI_NBLOCK_FORMAT];
} block_loops;

extern const block_loops pti_block_loops_base, pti_block_loops_avx2, pti_block_loops_avx512;

#endif
