/* product.h: matrix products, c (m, n) = a (m, k) b (k, n), for every part of the CPU backend that has one: mm and bmm,
   linear layers, convolution, recurrent cells, attention.

   The arithmetic is the same everywhere; products differ in where the elements of a and b come from and in what is done
   with a finished element of c, so both are parameters. A product_side says where elements come from: a matrix in
   memory, plain or transposed, of any real dtype, rows selected by index, or the output of a packer supplied by the
   caller, such as the patches of an image. A product_end says what is done with a sum: alpha, beta, bias, activation,
   residual, conversion.

   The loops, outermost first (they are BLIS's; Van Zee and van de Geijn, 2015), and why each is where it is:

   1. Over strips of columns of c (product_run in product.c). b is packed once and read by all threads, so the amount
      packed at a time is bounded: PACKED bytes. Most products are a single strip.
   2. Over units (run_units), in parallel. A unit is a block of rows and columns of one problem's c. Units share
      nothing that is written. They are cut by shape alone, in powers of two, so that two, four or eight threads
      have equal shares of the work.
   3. Over blocks of k (run_unit). A block of a unit's rows, `depth` deep, is packed into scratch that stays in the
      second-level cache. All blocks have the same depth, which depends only on k and the CPU level: it determines the
      order of sums, and so the bits.
   4. Over panels of b, `cols` columns wide. One panel, depth x cols, stays in the first-level cache while
   5. the loop over panels of a, up to `rows` rows high, goes down the block: each panel of a streams from the
      second-level cache once for each panel of b.
   6. Over the block of k, in the micro-kernel (micro.inc.h): rows x cols sums stay in registers; one step reads `cols`
      numbers of b and `rows` of a and multiplies all pairs. This is where the time goes; its shape is chosen so that
      the sums fill the registers, which gives the most multiplications for every number read.

   Tiles (tiles.c) change 3 and 4: a `slab` of a, many blocks deep, is packed at a time, and blocks of k are inside the loop
   over panels of b, so that no more than one panel's sums are in scratch.

   Packing is what makes 6 fast: panels are read from front to back, whatever the layout of the matrix, and hold numbers
   of the compute type. It costs one pass over a and b. Where that does not pay, it is skipped: matrices that fit in a
   part of the second-level cache are read in place, a by its two strides, b if its rows are as in a panel. Products of
   at most eight rows or columns by a large matrix have paths of their own (skinny.c, lines.c), which read the large one
   once.

   Rows are distributed evenly over panels, so 15 rows make panels of 8 and 7 rather than 14 and 1; there is a
   micro-kernel for each height. The arithmetic of an element of c does not depend on its panel or unit, nor on the
   thread that computes it: its bits depend on k, on the CPU level, and on whether the shape is skinny. Cache sizes
   determine only which thread does what, and when.

   float16 and bfloat16 are packed as float, int32 as uint32_t, which wraps alike; int16 and int8 as pairs and fours
   of neighbours along k, which one instruction multiplies and sums; bfloat16 and int8 by AMX's tiles where the machine
   has them (tiles.c), else bfloat16 by AVX512_BF16, in pairs. That is twice as fast as multiplying floats on a Zen 4, but
   half as fast on a Sapphire Rapids, which has tiles. */
#ifndef PTI_KERNELS_PRODUCT_H
#define PTI_KERNELS_PRODUCT_H

#include "../cpu_backend.h"

typedef enum { PRODUCT_F32, PRODUCT_F64, PRODUCT_I32, PRODUCT_I64, PRODUCT_TYPES } product_type;

/* The type in which numbers of a dtype are multiplied; not for complex ones. */
product_type pti_product_type(pt_dtype dtype);
static inline size_t pti_product_size(product_type type) {
  return type == PRODUCT_F32 || type == PRODUCT_I32 ? 4 : 8;
}

typedef struct product_side product_side;

/* Packs one panel: for each of k0 <= l < k0 + kn, in order, `width` numbers of the compute type, those of rows (of a)
   or columns (of b) at .. at + count - 1, then zeros. count <= width; problem: of a batch, from 0. `to` may be written
   up to one vector beyond the panel. Called on any thread; it must not fail. */
typedef void product_packer(const product_side *s, int64_t problem, void *to, int64_t width,
                            int64_t at, int64_t count, int64_t k0, int64_t kn);

/* a or b. Element (i, l), i counting rows of a or columns of b, and l along k, is data[problem * batch_step + i * step
   + l * k_step], or with index[i] for i where there is an index; steps in elements. pack: NULL for this, else a packer
   supplied by the caller, which may use `data` and `context` as it likes. */
struct product_side {
  const void *data;
  pt_dtype dtype;
  int64_t step, k_step, batch_step;
  const int64_t *index; /* counted from 0 */
  product_packer *pack;
  const void *context;
  /* The whole side, packed earlier by pti_product_pack; NULL: not packed. */
  const void *packed;
};

/* c = convert(activation(alpha sum + beta c + bias + residual)) */
typedef struct product_end {
  double alpha, beta;
  const void
      *bias; /* of c's dtype; for each column, or for each row where `bias_rows`; NULL: none */
  bool bias_rows;
  const void *residual; /* like c, of its dtype and leading dim; NULL: none */
  int activation; /* a row of ops.def that takes one tensor and no numbers, PTI_EW_relu .., or -1 */
} product_end;

typedef struct product {
  int64_t batch, m, n, k;
  product_side a, b;
  void *c;
  pt_dtype dtype;       /* of c */
  int64_t ldc, batch_c; /* elements between rows and between problems */
  product_end end;
} product;

/* False, with the error recorded, where there is no memory for what is packed. May be called by a loop on the engine's
   threads, and then runs on its thread. */
bool pti_product_run(const product *p);

/* Packs all of side b (`right`) or a (else) of p ahead: products that differ in nothing else but the other side, its
   extent, and c may then be given the result as `packed`. The caller frees *bytes of it. NULL, with the error recorded,
   where there is no memory. */
void *pti_product_pack(const product *p, bool right, size_t *bytes);

/* A product_side for a matrix whose rows (of a) or columns (of b) are contiguous or `ld` apart: `along_k` says that its
   neighbours along k are contiguous. */
static inline product_side pti_product_matrix(pt_dtype dtype, const void *data, int64_t ld,
                                              bool along_k, int64_t batch_step) {
  product_side s = {.data = data, .dtype = dtype, .batch_step = batch_step};
  s.step = along_k ? ld : 1;
  s.k_step = along_k ? 1 : ld;
  return s;
}

#endif
