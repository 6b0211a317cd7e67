/* reduce.c: reductions over any dims of anything. Kept and reduced dims are told apart by the output's stride. Work
   is cut into tiles of at most TILE outputs that are neighbours in the innermost kept dim. Where the numbers of
   one output lie together, each output of a tile is a row folded by itself; else the tile is folded at once, one
   column per output.

   A long reduction is also cut into segments, whose partial results are combined in order. Cuts
   depend on shape and strides alone, and the loops' lanes are the same on every CPU level: equal
   bits for any number of threads. */
#include <math.h>
#include <stdlib.h>

#include "../cpu_backend.h"
#include "../cpu_slots.h"

enum {
  TILE = 1024,
  FEW = 64,    /* tiles that keep all threads busy without segments */
  PARTS = 256, /* segments at most: bounds the memory of partial results */
  SHORT = 8    /* rows shorter than this are folded as columns: a call for each would cost more */
};

static const pt_dtype storage[PTI_NCOMPUTE] = {PT_F32, PT_F64, PT_I64};

/* The kept dims, or the reduced ones; the last is the innermost. */
typedef struct dims {
  int nd;
  int64_t n; /* elements in all */
  int64_t size[PT_MAX_DIM];
  int64_t in[PT_MAX_DIM];  /* strides in bytes */
  int64_t out[PT_MAX_DIM]; /* strides in elements: one for value and index */
} dims;

typedef struct reduce_job {
  pti_reduction kind;
  pti_compute compute;
  pt_dtype in_dtype, out_dtype;
  const char *x;
  char *value;    /* NULL where only the position is wanted */
  int64_t *index; /* NULL where only the value is */
  dims *kept, *gone;
  bool columns;
  double scale;
  int base;
  pti_row_loop *row;
  pti_column_loop *column, *join; /* join: of partial results */
  pti_load_loop *load;            /* NULL: numbers are used where they lie */
  pti_store_loop *store;
  int64_t width, across; /* of a tile, and how many make the innermost kept dim */
  int64_t tiles;
  int64_t seg, nseg; /* length and number of segments */
  pti_sum *part;     /* (nseg, kept.n) partial results, where nseg > 1 */
  int64_t *part_at;
} reduce_job;

/* Up to TILE outputs. */
typedef struct tile {
  int64_t n, first; /* first: number of the first output */
  int64_t in, out;  /* where it lies: bytes from x, elements from the outputs */
} tile;

static pti_sum neutral(pti_reduction kind, bool whole) {
  switch (kind) {
  case PTI_PROD:
  case PTI_ALL: return whole ? (pti_sum){.i = 1} : (pti_sum){.f = 1};
  case PTI_MAX: return whole ? (pti_sum){.i = INT64_MIN} : (pti_sum){.f = -HUGE_VAL};
  case PTI_MIN: return whole ? (pti_sum){.i = INT64_MAX} : (pti_sum){.f = HUGE_VAL};
  default: return whole ? (pti_sum){.i = 0} : (pti_sum){.f = 0};
  }
}

/* ---- folding ---- */

/* Bytes from x to row `row` of the reduced dims, of which the last is the row itself. */
static int64_t gone_row(const dims *g, int64_t row) {
  int64_t at = 0;
  for (int d = g->nd - 2; d >= 0 && row > 0; d--) {
    at += row % g->size[d] * g->in[d];
    row /= g->size[d];
  }
  return at;
}

static void fold_row(const reduce_job *j, const char *x, int64_t n, int64_t at, pti_sum *acc,
                     int64_t *best) {
  if (j->load == NULL) {
    j->row(acc, best, x, n, at);
    return;
  }
  pti_block block;
  int64_t stride = j->gone->in[j->gone->nd - 1];
  for (int64_t i = 0; i < n; i += PTI_BLOCK) {
    int64_t m = pti_min64(PTI_BLOCK, n - i);
    j->load(&block, x + i * stride, stride, m);
    j->row(acc, best, &block, m, at + i);
  }
}

static void fold_columns(const reduce_job *j, const char *x, int64_t rows, int64_t at,
                         const tile *t, pti_sum *acc, int64_t *best) {
  pti_block block;
  int64_t down = j->gone->in[j->gone->nd - 1], along = j->kept->in[j->kept->nd - 1];
  for (int64_t i = 0; i < rows; i++, x += down) {
    if (j->load) j->load(&block, x, along, t->n);
    j->column(acc, best, j->load ? (const void *)&block : x, t->n, at + i);
  }
}

/* Folds elements [lo, hi) of the reduced dims into the outputs of a tile. */
static void fold(const reduce_job *j, const tile *t, int64_t lo, int64_t hi, pti_sum *acc,
                 int64_t *best) {
  const dims *g = j->gone;
  int64_t inner = g->size[g->nd - 1], stride = g->in[g->nd - 1];
  int64_t along = j->kept->in[j->kept->nd - 1];
  for (int64_t at = lo, run; at < hi; at += run) {
    int64_t row = inner == g->n ? 0 : at / inner, i = at - row * inner;
    const char *x = j->x + t->in + gone_row(g, row) + i * stride;
    run = pti_min64(inner - i, hi - at);
    if (j->columns) {
      fold_columns(j, x, run, at, t, acc, best);
    } else {
      for (int64_t c = 0; c < t->n; c++) fold_row(j, x + c * along, run, at, &acc[c], &best[c]);
    }
  }
}

/* ---- tiles ---- */

static tile tile_at(const reduce_job *j, int64_t at) {
  const dims *k = j->kept;
  int64_t row = j->across == j->tiles ? 0 : at / j->across;
  int64_t inner = k->size[k->nd - 1], i = (at - row * j->across) * j->width;
  tile t = {.n = pti_min64(j->width, inner - i), .first = row * inner + i};
  t.in = i * k->in[k->nd - 1];
  t.out = i * k->out[k->nd - 1];
  for (int d = k->nd - 2; d >= 0 && row > 0; d--) {
    t.in += row % k->size[d] * k->in[d];
    t.out += row % k->size[d] * k->out[d];
    row /= k->size[d];
  }
  return t;
}

static void begin(const reduce_job *j, int64_t n, pti_sum *acc, int64_t *best) {
  pti_sum none = neutral(j->kind, j->compute == PTI_CI64);
  for (int64_t c = 0; c < n; c++) {
    acc[c] = none;
    best[c] = -1;
  }
}

static void finish(const reduce_job *j, const tile *t, pti_sum *acc, const int64_t *best) {
  int64_t step = j->kept->out[j->kept->nd - 1];
  if (j->value) {
    for (int64_t c = 0; c < t->n && j->scale != 1; c++) acc[c].f *= j->scale;
    for (int64_t c = 0; c < t->n && j->kind == PTI_NORM; c++) acc[c].f = sqrt(acc[c].f);
    int64_t size = (int64_t)pt_dtype_size(j->out_dtype);
    j->store(j->value + t->out * size, step * size, acc, t->n);
  }
  for (int64_t c = 0; c < t->n && j->index; c++) j->index[t->out + c * step] = best[c] + j->base;
}

static void whole_tiles(void *ctx, int64_t lo, int64_t hi) {
  const reduce_job *j = ctx;
  pti_sum acc[TILE];
  int64_t best[TILE];
  for (int64_t at = lo; at < hi; at++) {
    tile t = tile_at(j, at);
    begin(j, t.n, acc, best);
    fold(j, &t, 0, j->gone->n, acc, best);
    finish(j, &t, acc, best);
  }
}

/* Piece `at` is segment at % nseg of tile at / nseg. */
static void segments(void *ctx, int64_t lo, int64_t hi) {
  const reduce_job *j = ctx;
  for (int64_t at = lo; at < hi; at++) {
    tile t = tile_at(j, at / j->nseg);
    int64_t s = at % j->nseg, from = s * j->seg, to = pti_min64(from + j->seg, j->gone->n);
    int64_t place = s * j->kept->n + t.first;
    begin(j, t.n, j->part + place, j->part_at + place);
    fold(j, &t, from, to, j->part + place, j->part_at + place);
  }
}

static void combined_tiles(void *ctx, int64_t lo, int64_t hi) {
  const reduce_job *j = ctx;
  pti_sum acc[TILE];
  int64_t best[TILE]; /* first the segment of the extreme, then its position */
  for (int64_t at = lo; at < hi; at++) {
    tile t = tile_at(j, at);
    begin(j, t.n, acc, best);
    for (int64_t s = 0; s < j->nseg; s++)
      j->join(acc, best, j->part + s * j->kept->n + t.first, t.n, s);
    for (int64_t c = 0; c < t.n && j->index; c++)
      best[c] = j->part_at[best[c] * j->kept->n + t.first + c];
    finish(j, &t, acc, best);
  }
}

/* ---- plans ---- */

/* Only what is used is initialised: clearing the rest would take longer than a small reduction. */
static void begin_dims(dims *k) {
  k->nd = 0;
  k->n = 1;
}
/* Dims are added from the outermost on. */
static void add_dim(dims *k, int64_t size, int64_t in, int64_t out) {
  int d = k->nd++;
  k->size[d] = size;
  k->in[d] = in;
  k->out[d] = out;
  k->n *= size;
}

static void split_dims(reduce_job *j, const pti_iter *it) {
  int64_t size = (int64_t)pt_dtype_size(it->dtype[0]);
  for (int d = 0; d < it->nd; d++) {
    int64_t in = it->stride[1][d], out = it->stride[0][d];
    add_dim(out ? j->kept : j->gone, it->size[d], in, out / size);
  }
}

/* How tiles lie in memory and where they are cut. */
static void plan(reduce_job *j) {
  if (j->kept->nd == 0) add_dim(j->kept, 1, 0, 0);
  if (j->gone->nd == 0) add_dim(j->gone, 1, 0, 0);
  int64_t inner = j->kept->size[j->kept->nd - 1], length = j->gone->size[j->gone->nd - 1];
  int64_t along = j->kept->in[j->kept->nd - 1], down = j->gone->in[j->gone->nd - 1];
  int64_t size = (int64_t)pt_dtype_size(j->in_dtype);
  j->columns = inner > 1 && (llabs(along) < llabs(down) || (length < SHORT && inner > length));
  bool dense = j->columns ? along == size : length == 1 || down == size;
  if (dense && j->in_dtype == storage[j->compute]) j->load = NULL;
  int64_t rows = PTI_PIECE / pti_max64(1, j->gone->n);
  j->width = pti_min64(inner, j->columns ? TILE : pti_min64(TILE, pti_max64(1, rows)));
  j->across = inner ? (inner + j->width - 1) / j->width : 0;
  j->tiles = inner ? j->kept->n / inner * j->across : 0;
  j->seg = j->gone->n;
  j->nseg = 1;
  if (j->tiles >= FEW || j->gone->n * j->width < 2 * PTI_PIECE) return;
  j->seg = pti_max64(PTI_PIECE / j->width, (j->gone->n + PARTS - 1) / PARTS);
  j->nseg = (j->gone->n + j->seg - 1) / j->seg;
}

static bool run_segments(reduce_job *j) {
  int64_t count = j->nseg * j->kept->n;
  size_t bytes = (size_t)count * (sizeof *j->part + sizeof *j->part_at);
  j->part = pti_cpu_host->alloc(bytes);
  if (j->part == NULL) return false;
  j->part_at = (int64_t *)(j->part + count);
  pti_cpu_host->parallel_for(j->tiles * j->nseg, 1, segments, j);
  /* An interrupted loop leaves gaps, which must not be read as positions. */
  bool ok = pti_cpu_host->poll();
  if (ok) pti_cpu_host->parallel_for(j->tiles, 1, combined_tiles, j);
  pti_cpu_host->free(j->part, bytes);
  return ok;
}

static bool run(reduce_job *j) {
  const pti_cpu_loops *loops = pti_cpu_now();
  j->compute = pti_compute_of(j->in_dtype);
  pti_compute sums = j->compute == PTI_CI64 ? PTI_CI64 : PTI_CF64;
  j->load = loops->load[j->in_dtype][j->compute];
  j->store = loops->store[j->out_dtype][sums];
  if (j->load == NULL || j->store == NULL) {
    return pti_cpu_host->fail(PT_EDTYPE, "no such reduction of %s", pt_dtype_name(j->in_dtype));
  }
  j->row = loops->reductions->row[j->kind][j->compute];
  j->column = loops->reductions->column[j->kind][j->compute];
  j->join = loops->reductions->column[j->kind == PTI_NORM ? PTI_SUM : j->kind][sums];
  plan(j);
  if (j->nseg > 1) return run_segments(j);
  int64_t grain = PTI_PIECE / pti_max64(1, j->width * j->gone->n);
  pti_cpu_host->parallel_for(j->tiles, grain, whole_tiles, j);
  return true;
}

bool pti_cpu_reduce(int dev, pti_reduction kind, const pti_iter *it, double scale, int base) {
  (void)dev;
  dims kept, gone;
  begin_dims(&kept);
  begin_dims(&gone);
  bool position = kind == PTI_ARGMAX || kind == PTI_ARGMIN;
  reduce_job j = {.kind = kind,
                  .in_dtype = it->dtype[1],
                  .out_dtype = it->dtype[0],
                  .x = it->ptr[1],
                  .value = position ? NULL : it->ptr[0],
                  .index = position ? (int64_t *)it->ptr[0] : NULL,
                  .kept = &kept,
                  .gone = &gone,
                  .scale = scale,
                  .base = base};
  split_dims(&j, it);
  return run(&j);
}

bool pti_cpu_extreme(int dev, pti_rows r, bool max, const void *x, void *value, int64_t *index,
                     int base) {
  (void)dev;
  dims kept, gone;
  begin_dims(&kept);
  begin_dims(&gone);
  int64_t size = (int64_t)pt_dtype_size(r.dtype);
  reduce_job j = {.kind = max ? PTI_ARGMAX : PTI_ARGMIN,
                  .in_dtype = r.dtype,
                  .out_dtype = r.dtype,
                  .x = x,
                  .value = value,
                  .index = index,
                  .kept = &kept,
                  .gone = &gone,
                  .scale = 1,
                  .base = base};
  if (r.outer != 1 && r.inner != 1) add_dim(&kept, r.outer, r.n * r.inner * size, r.inner);
  if (r.inner != 1) add_dim(&kept, r.inner, size, 1);
  else add_dim(&kept, r.outer, r.n * size, 1);
  add_dim(&gone, r.n, r.inner * size, 0);
  return run(&j);
}
