/* tile.h: an iterator's elements as tiles of the two innermost dims. Tiles depend on the geometry
   alone, never on the number of threads. */
#ifndef PTI_KERNELS_TILE_H
#define PTI_KERNELS_TILE_H

#include <stdlib.h>

#include "cpu_backend.h"

typedef struct pti_tiling {
  int64_t rows, cols;   /* of a tile; those at the edges are smaller */
  int64_t down, across; /* tiles in the two innermost dims */
  int64_t count;        /* tiles in all */
  int64_t grain;        /* tiles that make a piece of work */
} pti_tiling;

typedef struct pti_tile {
  int64_t row, col; /* where it begins */
  int64_t rows, cols;
  char *ptr[PTI_MAX_OPERAND];
} pti_tile;

static inline int64_t pti_outer_size(const pti_iter *it) {
  return it->nd > 1 ? it->size[it->nd - 2] : 1;
}
static inline int64_t pti_outer_stride(const pti_iter *it, int o) {
  return it->nd > 1 ? it->stride[o][it->nd - 2] : 0;
}
static inline int64_t pti_inner_stride(const pti_iter *it, int o) {
  return it->stride[o][it->nd - 1];
}

/* Tiles of at most PTI_BLOCK elements: squares where an operand runs across the rows of operand 0,
   else as many whole rows as fit, else pieces of one row. */
static inline pti_tiling pti_tiles(const pti_iter *it) {
  int64_t outer = pti_outer_size(it), inner = it->size[it->nd - 1];
  pti_tiling t = {.rows = 1, .cols = pti_min64(inner, PTI_BLOCK)};
  bool across = false;
  for (int o = 0; o < it->nop; o++) {
    int64_t down = pti_outer_stride(it, o), along = pti_inner_stride(it, o);
    across |= down != 0 && llabs(along) > llabs(down);
  }
  if (across && inner > 32) {
    t.rows = pti_min64(outer, 32);
    t.cols = pti_min64(inner, PTI_BLOCK / t.rows);
  } else if (inner <= PTI_BLOCK / 2) {
    t.rows = pti_min64(outer, PTI_BLOCK / inner);
  }
  t.down = (outer + t.rows - 1) / t.rows;
  t.across = (inner + t.cols - 1) / t.cols;
  t.count = t.down * t.across;
  for (int d = 0; d < it->nd - 2; d++) t.count *= it->size[d];
  t.grain = pti_max64(1, PTI_PIECE / (t.rows * t.cols));
  return t;
}

static inline void pti_tile_at(const pti_iter *it, const pti_tiling *t, int64_t at,
                               pti_tile *tile) {
  int64_t col = at % t->across * t->cols, row = at / t->across % t->down * t->rows;
  at /= t->across * t->down;
  tile->row = row, tile->col = col;
  tile->cols = pti_min64(t->cols, it->size[it->nd - 1] - col);
  tile->rows = pti_min64(t->rows, pti_outer_size(it) - row);
  for (int o = 0; o < it->nop; o++)
    tile->ptr[o] = it->ptr[o] + col * pti_inner_stride(it, o) + row * pti_outer_stride(it, o);
  for (int d = it->nd - 3; d >= 0; d--) {
    int64_t i = at % it->size[d];
    at /= it->size[d];
    for (int o = 0; o < it->nop; o++) tile->ptr[o] += i * it->stride[o][d];
  }
}

/* From the tile before `at` to that one, without the divisions where it lies in the same two dims. */
static inline void pti_next_tile(const pti_iter *it, const pti_tiling *t, int64_t at,
                                 pti_tile *tile) {
  int64_t inner = it->size[it->nd - 1], outer = pti_outer_size(it);
  bool beside = tile->col + t->cols < inner, below = tile->row + t->rows < outer;
  if (!beside && !below) {
    pti_tile_at(it, t, at, tile);
    return;
  }
  int64_t right = beside ? t->cols : -tile->col, down = beside ? 0 : t->rows;
  tile->col += right, tile->row += down;
  tile->cols = pti_min64(t->cols, inner - tile->col);
  tile->rows = pti_min64(t->rows, outer - tile->row);
  for (int o = 0; o < it->nop; o++)
    tile->ptr[o] += right * pti_inner_stride(it, o) + down * pti_outer_stride(it, o);
}

#endif
