/* product_loops.h: the loops of products that are built once per CPU level: micro-kernels, packers and the functions
   that finish elements. product_loops.c makes one table of them for each compute type. */
#ifndef PTI_KERNELS_PRODUCT_LOOPS_H
#define PTI_KERNELS_PRODUCT_LOOPS_H

#include "product.h"

enum {
  PRODUCT_MAX_ROWS = 32,
  PRODUCT_AHEAD = 32,
  PRODUCT_AHEAD_TILES = 16,
  PRODUCT_DOTS = 8,
  PRODUCT_FEW = 128
};

/* c (h, n) = alpha a b + from, where `from` has rows ldf apart and may be c, or NULL for zeros; n <= the kernel's
   columns. For step l row i of a has the number a[i row + l step], and the row of b begins at b + l ldb. Meanwhile the
   data needed next is prefetched into the second-level cache, from `next` on, PRODUCT_AHEAD bytes for each step (tiles:
   PRODUCT_AHEAD_TILES). */
typedef void product_micro(int64_t k, const void *a, int64_t row, int64_t step, const void *b,
                           int64_t ldb, void *c, int64_t ldc, const void *from, int64_t ldf,
                           double alpha, int64_t n, const char *next);
/* sums[i * count + q], for i < h <= PRODUCT_DOTS and q < count: the sum over l of x[i * ldx + l], numbers of the
   compute type, times w[q * ldw + l], elements of a dtype. */
typedef void product_dots(int64_t k, const void *x, int64_t ldx, int64_t h, const void *w,
                          int64_t ldw, int64_t count, void *sums);
/* The same with the elements w[l * ldw + q], to sums[i * pitch + q], q < n. */
typedef void product_lines(int64_t k, const void *x, int64_t ldx, int64_t h, const void *w,
                           int64_t ldw, int64_t n, void *sums, int64_t pitch);
/* `rows` rows of n elements of c, from row i and column j on, from their sums, whose rows are `pitch` numbers apart and
   which are overwritten; alpha is not yet applied. */
typedef void product_finish(const product *p, void *sum, int64_t pitch, int64_t problem, int64_t i,
                            int64_t rows, int64_t j, int64_t n);

/* Multiplies panels of numbers. Where `group` is not 1, a number is 4 bytes with `group` neighbours along k in it (two
   int16 or bfloat16, four int8), made of panels of the compute type by `regroup`: `steps` numbers for each of `width`
   rows or columns, from `count` steps, zeros after them. */
typedef void product_regroup(void *to, const void *panel, int64_t width, int64_t count,
                             int64_t steps);
typedef struct product_kernel {
  int rows, lanes; /* of a panel of a; of a vector: panels of b are two wide */
  int group, step; /* blocks of k are a multiple of `step` numbers */
  int64_t depth,
      slab;     /* most numbers of a block of k; of a that are packed at a time, 0: a block */
  bool squares; /* pti_product_pack_squares packs for it */
  bool tiled;   /* panels of a and sums are tiles (tiles.c), c never holds the sums */
  product_regroup *regroup[2]; /* of a, b */
  product_micro
      *micro[2][PRODUCT_MAX_ROWS + 1]; /* for panels of b one and two vectors wide, by height */
  void (*enter)(void), (*leave)(void); /* before and after a thread's work, or NULL */
} product_kernel;

typedef struct product_loops {
  product_kernel kernel;
  product_packer *pack[PT_NDTYPE]; /* for matrices of a dtype; NULL: not of this type */
  product_finish *finish[PT_NDTYPE];
  product_dots *dots[PT_NDTYPE];
  product_lines *lines[PT_NDTYPE];
} product_loops;

extern const product_loops pti_product_loops_base[PRODUCT_TYPES],
    pti_product_loops_avx2[PRODUCT_TYPES], pti_product_loops_avx512[PRODUCT_TYPES];
/* The loops of the level in use. */
const product_loops *pti_product_loops_now(product_type type);

/* Kernels of grouped numbers: pairs of int16 for each level, fours of int8 where the machine has instructions for them,
   else NULL. */
extern const product_kernel *const pti_product_pairs_base,
    *const pti_product_pairs_avx2, *const pti_product_pairs_avx512, *const pti_product_fours_avx512;
/* Of pairs of bfloat16, for AVX512_BF16. */
extern const product_kernel *const pti_product_bf16_pairs_avx512;
/* Packs `steps` numbers of `group` elements, a multiple of 16, of a matrix whose neighbours are contiguous along k or
   across it: `count` rows or columns, `many` elements along k, zeros beyond them. A panel has `width` numbers for each
   step, or is made of tiles. */
typedef void product_pack_squares(const product_side *s, bool tiles, int group, int64_t problem,
                                  void *to, int64_t width, int64_t at, int64_t count, int64_t k0,
                                  int64_t many, int64_t steps);
product_pack_squares pti_product_pack_squares_avx512;
/* tiles.c: kernels of bfloat16 (`ints`: int8) with the tile instructions of AMX, or their model; NULL: not available.
   */
const product_kernel *pti_product_tiles(bool ints);

/* skinny.c: whether it handles p, and the product. */
bool pti_product_is_skinny(const product *p);
bool pti_product_skinny(const product *p);

/* lines.c: the same. */
bool pti_product_is_lines(const product *p);
bool pti_product_lines(const product *p);

/* turned.c: the same; it takes products with PRODUCT_FEW rows at most. */
bool pti_product_is_turned(const product *p);
bool pti_product_turned(const product *p);

#endif
