/* elementwise.c: any row of ops.def over any operands. The loops of tensor_loops.c know dense blocks of
   one compute type; here operands of any dtype and stride become such blocks, or are used where
   they lie when they already are. No op is named here.

   An operand may be the output itself (same pointer, dtype and strides), but may not overlap it
   otherwise. */
#include <string.h>

#include "../tile.h"
#include "../cpu_slots.h"

static const pt_dtype storage[PTI_NCOMPUTE] = {PT_F32, PT_F64, PT_I64};
static const int64_t width[PTI_NCOMPUTE] = {4, 8, 8};

typedef struct ew_job {
  const pti_iter *it;
  pti_tiling t;
  pti_ew_loop *loop;
  const pti_cpu_loops *loops;
  const double *param;
  pti_compute compute;
  pt_dtype out;                 /* what the loop writes */
  bool direct[PTI_MAX_OPERAND]; /* used in place */
} ew_job;

/* An operand as a dense block. It is kept from tile to tile where it does not move (broadcast
 * operands). */
typedef struct ew_block {
  const char *from;
  int64_t rows, cols;
  char *data;
  pti_block room;
} ew_block;

static inline bool dense(const pti_iter *it, int o, pt_dtype dtype, int64_t rows) {
  int64_t inner = it->size[it->nd - 1], size = (int64_t)pti_size_of(dtype);
  return it->dtype[o] == dtype && (inner == 1 || pti_inner_stride(it, o) == size) &&
      (rows == 1 || pti_outer_stride(it, o) == inner * size);
}

/* Which operands are dense over tiles of `rows` rows; true where all are. */
static bool find_direct(ew_job *j, int64_t rows) {
  bool all = true, split = rows > 1 && j->t.cols < j->it->size[j->it->nd - 1];
  for (int o = 0; o < j->it->nop; o++) {
    j->direct[o] = !split && dense(j->it, o, o ? storage[j->compute] : j->out, rows);
    all &= j->direct[o];
  }
  return all;
}

/* One row for all rows is copied, to where place() puts it. */
static void copy_constant_rows(ew_job *j) {
  for (int o = 1; o < j->it->nop; o++)
    if (j->t.across == 1 && pti_outer_stride(j->it, o) == 0) j->direct[o] = false;
}

/* A block that stays while others pass is put half a page from them. At the same place of a page its lines share the sets
   of the first-level cache with the lines that come next, and are gone when they are needed: a row or a number added
   to 4096 x 1024 floats took a sixth longer there. Blocks of doubles have no room for this. */
static char *place(ew_block *b, const void *out, pti_compute compute) {
  uintptr_t page = 4096, room = (uintptr_t)&b->room, line = (uintptr_t)out & ~(uintptr_t)63;
  if (width[compute] * PTI_BLOCK + page > sizeof b->room) return (char *)&b->room;
  return (char *)&b->room + ((line + page / 2 - room) & (page - 1));
}

static const void *load(const ew_job *j, int o, const pti_tile *tile, ew_block *b) {
  const char *from = tile->ptr[o];
  int64_t rows = tile->rows, cols = tile->cols;
  if (j->direct[o]) return from;
  if (b->from == from && b->rows == rows && b->cols == cols) return b->data;
  if (b->from == NULL) b->data = place(b, tile->ptr[0], j->compute);
  b->from = from;
  b->rows = rows;
  b->cols = cols;
  pti_load_loop *get = j->loops->load[j->it->dtype[o]][j->compute];
  int64_t inner = pti_inner_stride(j->it, o), outer = pti_outer_stride(j->it, o);
  char *to = b->data;
  if (rows == 1 || outer == inner * cols) {
    get(to, from, inner, rows * cols);
    return b->data;
  }
  int64_t bytes = cols * width[j->compute];
  for (int64_t i = 0; i < rows; i++) {
    if (i > 0 && outer == 0) memcpy(to + i * bytes, to, (size_t)bytes);
    else get(to + i * bytes, from + i * outer, inner, cols);
  }
  return b->data;
}

static void store(const ew_job *j, const pti_tile *tile, const void *from) {
  int64_t n = tile->rows * tile->cols, size = width[j->compute];
  int64_t inner = pti_inner_stride(j->it, 0), outer = pti_outer_stride(j->it, 0);
  pti_block wide;
  if (j->out == PT_BOOL) {
    j->loops->load[PT_BOOL][j->compute](&wide, from, 1, n);
    from = &wide;
  }
  pti_store_loop *put = j->loops->store[j->it->dtype[0]][j->compute];
  for (int64_t i = 0; i < tile->rows; i++)
    put(tile->ptr[0] + i * outer, inner, (const char *)from + i * tile->cols * size, tile->cols);
}

static void run_tile(const ew_job *j, const pti_tile *tile, ew_block *block) {
  const void *in[PTI_MAX_OPERAND];
  for (int o = 1; o < j->it->nop; o++) in[o - 1] = load(j, o, tile, &block[o]);
  void *out = j->direct[0] ? (void *)tile->ptr[0] : &block[0].room;
  j->loop(out, in, j->param, tile->rows * tile->cols);
  if (!j->direct[0]) store(j, tile, out);
}

static void run_tiles(void *ctx, int64_t lo, int64_t hi) {
  const ew_job *j = ctx;
  ew_block block[PTI_MAX_OPERAND];
  pti_tile tile;
  for (int o = 0; o < j->it->nop; o++) block[o].from = NULL;
  pti_tile_at(j->it, &j->t, lo, &tile);
  for (int64_t at = lo; at < hi; at++) {
    if (at > lo) pti_next_tile(j->it, &j->t, at, &tile);
    run_tile(j, &tile, block);
  }
}

/* A row that is one tile. */
static void run_short(const ew_job *j) {
  const pti_iter *it = j->it;
  ew_block block[PTI_MAX_OPERAND];
  pti_tile tile = {.rows = 1, .cols = it->n};
  for (int o = 0; o < it->nop; o++) {
    block[o].from = NULL;
    tile.ptr[o] = it->ptr[o];
  }
  run_tile(j, &tile, block);
}

static void run_dense(void *ctx, int64_t lo, int64_t hi) {
  const ew_job *j = ctx;
  const pti_iter *it = j->it;
  const void *in[PTI_MAX_OPERAND];
  for (int o = 1; o < it->nop; o++) in[o - 1] = it->ptr[o] + lo * width[j->compute];
  j->loop(it->ptr[0] + lo * (int64_t)pti_size_of(j->out), in, j->param, hi - lo);
}

/* Pieces of one size, an even number of them: two threads finish at the same time. */
static int64_t even_grain(int64_t n) {
  int64_t pieces = 2 * ((n + 2 * PTI_PIECE - 1) / (2 * PTI_PIECE));
  return ((n + pieces - 1) / pieces + 63) / 64 * 64;
}

bool pti_cpu_ew(int dev, int op, int which, pti_compute compute, const pti_iter *it,
                const double *param) {
  (void)dev;
  if (it->n == 0) return true;
  const pti_cpu_loops *loops = pti_cpu_now();
  ew_job j = {.it = it,
              .loops = loops,
              .loop = loops->rows->loop[op][which][compute],
              .param = param,
              .compute = compute};
  if (compute == PTI_CF32 && which < 2 && loops->rows->range[op][which])
    j.loop = loops->rows->range[op][which];
  if (!j.loop)
    return pti_cpu_host->fail(PT_EDTYPE, "not computed in %s", pt_dtype_name(storage[compute]));
  j.out = loops->rows->gives_bool[op] && which == 0 ? PT_BOOL : storage[compute];
  bool whole = it->nd == 1 && find_direct(&j, 1);
  if (whole && it->n <= PTI_PIECE) {
    run_dense(&j, 0, it->n);
    return true;
  }
  if (whole) {
    pti_cpu_host->parallel_for(it->n, even_grain(it->n), run_dense, &j);
    return true;
  }
  if (it->nd == 1 && it->n <= PTI_BLOCK) {
    run_short(&j);
    return true;
  }
  j.t = pti_tiles(it);
  find_direct(&j, j.t.rows);
  copy_constant_rows(&j);
  pti_cpu_host->parallel_for(j.t.count, j.t.grain, run_tiles, &j);
  return true;
}
