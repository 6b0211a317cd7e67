/* blocks_loops.h: the loops over blocks of few bits that are built once per CPU level. */
#ifndef PTI_KERNELS_BLOCKS_LOOPS_H
#define PTI_KERNELS_BLOCKS_LOOPS_H

#include "../cpu_backend.h"

/* `count` blocks as numbers. */
typedef void block_load(const uint8_t *blocks, int64_t count, float *y);
/* The sum of x times the numbers of `count` blocks. */
typedef float block_dot(const uint8_t *blocks, int64_t count, const float *x);

/* Eight blocks of 32 numbers of x as integers of three bytes, the lowest first: x = scale (2^16 c + 2^8 b + a), and the
   largest is BLOCK_UNITS. Bytes of two blocks lie together: 16 of the first, 16 of the second, the others of the first
   and of the second. */
enum { BLOCK_UNITS = 127 << 16 };
typedef struct block_group {
  int8_t bytes[3][256];
  float scale[8], sum[8]; /* sum of a block's integers */
} block_group;
/* False if x has numbers that are not to be rounded, NaN among them. */
typedef bool block_round(const float *x, int64_t groups, block_group *to);
/* The same for `rows` rows of blocks, `pitch` bytes apart. */
typedef void block_rounded_dots(const uint8_t *blocks, int64_t pitch, int64_t rows, int64_t groups,
                                const block_group *x, float *y);

typedef struct block_loops {
  block_load *load[PTI_NBLOCK_FORMAT];
  block_dot *dot[PTI_NBLOCK_FORMAT];
  /* For machines with VNNI; NULL: not of this level, or of this format. */
  block_round *round;
  block_rounded_dots *rounded_dots[PTI_NBLOCK_FORMAT];
} block_loops;

extern const block_loops pti_block_loops_base, pti_block_loops_avx2, pti_block_loops_avx512;

#endif
