/* copy.c: moving, converting and filling, without arithmetic. Source and target never overlap. */
#include <string.h>

#include "../tile.h"
#include "../cpu_slots.h"

typedef struct copy_job {
  const pti_iter *it;
  pti_tiling t;
  pti_move_loop *move; /* same dtype; else load and store */
  pti_load_loop *load;
  pti_store_loop *store;
  int64_t size; /* of an element */
  bool ready,
      final; /* what is loaded, or stored, is in the compute type: it needs no copy of its own where it is dense */
} copy_job;

static int log2_size(pt_dtype dtype) {
  return __builtin_ctzll((unsigned long long)pt_dtype_size(dtype));
}

static void copy_dense(void *ctx, int64_t lo, int64_t hi) {
  const copy_job *j = ctx;
  memcpy(j->it->ptr[0] + lo * j->size, j->it->ptr[1] + lo * j->size, (size_t)((hi - lo) * j->size));
}

static void convert_dense(void *ctx, int64_t lo, int64_t hi) {
  const copy_job *j = ctx;
  int64_t from = pti_inner_stride(j->it, 1);
  char *y = j->it->ptr[0] + lo * j->size, *x = j->it->ptr[1] + lo * from;
  if (j->ready) j->store(y, j->size, x, hi - lo);
  else j->load(y, x, from, hi - lo);
}

static void copy_tiles(void *ctx, int64_t lo, int64_t hi) {
  const copy_job *j = ctx;
  int64_t to[2] = {pti_outer_stride(j->it, 0), pti_inner_stride(j->it, 0)};
  int64_t from[2] = {pti_outer_stride(j->it, 1), pti_inner_stride(j->it, 1)};
  pti_block block;
  pti_tile tile;
  for (int64_t at = lo; at < hi; at++) {
    pti_tile_at(j->it, &j->t, at, &tile);
    if (j->move) {
      j->move(tile.ptr[0], to, tile.ptr[1], from, tile.rows, tile.cols);
      continue;
    }
    for (int64_t i = 0; i < tile.rows; i++) {
      char *y = tile.ptr[0] + i * to[0], *x = tile.ptr[1] + i * from[0];
      if (j->ready) {
        j->store(y, to[1], x, tile.cols);
      } else if (j->final) {
        j->load(y, x, from[1], tile.cols);
      } else {
        j->load(&block, x, from[1], tile.cols);
        j->store(y, to[1], &block, tile.cols);
      }
    }
  }
}

/* A complex number is two real ones: its parts are copied one after the other. To real numbers goes
   the real part alone, as in PyTorch. */
static bool copy_parts(int dev, const pti_iter *it) {
  static const pt_dtype part[PT_NDTYPE] = {[PT_C64] = PT_F32, [PT_C128] = PT_F64};
  bool to = pti_is(it->dtype[0], PTI_COMPLEX), from = pti_is(it->dtype[1], PTI_COMPLEX);
  pti_iter p = *it;
  if (it->dtype[0] == PT_BOOL)
    return pti_cpu_host->fail(PT_EDTYPE, "complex to bool is not a conversion; use x:ne(0)");
  if (to) p.dtype[0] = part[it->dtype[0]];
  if (from) p.dtype[1] = part[it->dtype[1]];
  if (!pti_cpu_copy(dev, &p)) return false;
  if (!to) return true;
  p.ptr[0] += pt_dtype_size(p.dtype[0]);
  if (!from) return pti_cpu_fill(dev, &p, 0, 0);
  p.ptr[1] += pt_dtype_size(p.dtype[1]);
  return pti_cpu_copy(dev, &p);
}

static const pt_dtype compute_dtype[] = {
    [PTI_CF32] = PT_F32, [PTI_CF64] = PT_F64, [PTI_CI64] = PT_I64};

bool pti_cpu_copy(int dev, const pti_iter *it) {
  if (it->n == 0) return true;
  const pti_cpu_loops *loops = pti_cpu_now();
  pt_dtype to = it->dtype[0], from = it->dtype[1];
  if (to != from && (pti_is(to, PTI_COMPLEX) || pti_is(from, PTI_COMPLEX)))
    return copy_parts(dev, it);
  copy_job j = {.it = it, .size = (int64_t)pt_dtype_size(to)};
  if (to == from) {
    bool dense = pti_inner_stride(it, 0) == j.size && pti_inner_stride(it, 1) == j.size;
    if (it->nd == 1 && (dense || it->n == 1)) {
      if (it->n <= PTI_PIECE) copy_dense(&j, 0, it->n);
      else pti_cpu_host->parallel_for(it->n, PTI_PIECE, copy_dense, &j);
      return true;
    }
    j.move = loops->move[log2_size(to)];
  } else {
    pti_compute via = pti_compute_of(from);
    j.load = loops->load[from][via];
    j.store = loops->store[to][via];
    if (!j.load || !j.store)
      return pti_cpu_host->fail(PT_EDTYPE, "%s to %s is not a conversion the CPU knows",
                                pt_dtype_name(from), pt_dtype_name(to));
    j.ready = from == compute_dtype[via] && pti_inner_stride(it, 1) == (int64_t)pt_dtype_size(from);
    j.final = to == compute_dtype[via] && pti_inner_stride(it, 0) == j.size;
    bool dense = it->nd == 1 && pti_inner_stride(it, 0) == j.size &&
        pti_inner_stride(it, 1) == (int64_t)pt_dtype_size(from);
    if (dense && (j.ready || j.final)) {
      pti_cpu_host->parallel_for(it->n, PTI_PIECE, convert_dense, &j);
      return true;
    }
  }
  j.t = pti_tiles(it);
  pti_cpu_host->parallel_for(j.t.count, j.t.grain, copy_tiles, &j);
  return true;
}

/* A fill copies one element, which the iterator's second operand repeats everywhere. */
bool pti_cpu_fill(int dev, const pti_iter *it, double value, int64_t ivalue) {
  const pti_cpu_loops *loops = pti_cpu_now();
  pt_dtype dtype = it->dtype[0];
  double element[2] = {value, 0}; /* of complex dtypes this is C128 */
  if (dtype == PT_C64) {
    float part[2] = {(float)value, 0};
    memcpy(element, part, sizeof part);
  } else if (pti_is(dtype, PTI_INTS | PTI_BOOLS)) {
    int64_t v = ivalue;
    loops->store[dtype][PTI_CI64]((char *)element, 0, &v, 1);
  } else if (dtype != PT_C128) {
    loops->store[dtype][PTI_CF64]((char *)element, 0, &value, 1);
  }
  pti_iter fill = *it;
  fill.nop = 2;
  fill.ptr[1] = (char *)element;
  fill.dtype[1] = dtype;
  memset(fill.stride[1], 0, sizeof fill.stride[1]);
  return pti_cpu_copy(dev, &fill);
}

typedef struct arange_job {
  pti_store_loop *store;
  char *x;
  int64_t size;
  bool whole;
  double start, step;
  int64_t istart, istep;
} arange_job;

static void arange_range(void *ctx, int64_t lo, int64_t hi) {
  const arange_job *j = ctx;
  pti_sum block[PTI_BLOCK];
  for (int64_t at = lo; at < hi; at += PTI_BLOCK) {
    int64_t n = pti_min64(PTI_BLOCK, hi - at);
    for (int64_t i = 0; i < n; i++) {
      if (j->whole)
        block[i].i = (int64_t)((uint64_t)j->istart + (uint64_t)(at + i) * (uint64_t)j->istep);
      else block[i].f = j->start + (double)(at + i) * j->step;
    }
    j->store(j->x + at * j->size, j->size, block, n);
  }
}

bool pti_cpu_arange(int dev, pt_dtype dtype, void *x, int64_t n, double start, double step,
                    int64_t istart, int64_t istep) {
  (void)dev;
  bool whole = pti_is(dtype, PTI_INTS | PTI_BOOLS);
  arange_job j = {.store = pti_cpu_now()->store[dtype][whole ? PTI_CI64 : PTI_CF64],
                  .x = x,
                  .size = (int64_t)pt_dtype_size(dtype),
                  .whole = whole,
                  .start = start,
                  .step = step,
                  .istart = istart,
                  .istep = istep};
  if (!j.store) return pti_cpu_host->fail(PT_EDTYPE, "no sequence of %s", pt_dtype_name(dtype));
  pti_cpu_host->parallel_for(n, PTI_PIECE, arange_range, &j);
  return true;
}
