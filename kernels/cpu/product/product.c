/* product.c: the loops around the micro-kernel; product.h explains their order. */
#include "product.h"

#include <stdatomic.h>

#include "product_loops.h"

enum {
  PACKED = 16 << 20,    /* bytes of b that are packed at a time */
  UNIT_FLOPS = 1 << 20, /* the least work of a unit, where there are several: 6 us */
  UNITS = 8,            /* that a product is cut into for parallelism */
  BLOCK_A = 384
      << 10, /* bytes of a that a unit packs at a time, unless half the second-level cache is less */
  BLOCK_TILES = 512 << 10, /* the same for tiles */
  SUMS_COLS = 512,         /* columns of a unit at most where its sums are kept in scratch */
  PACK_PIECE = 8192,       /* elements to pack that justify a thread */
  SHALLOW = 32,            /* steps of a block of k that take less time than its sums */
  FEW_PANELS = 2,          /* of a, for which copying b does not pay */
  HALVED = 256             /* columns of c that pay for packing a twice */
};

typedef struct job {
  const product *p;
  const product_loops *loops;
  const product_kernel *kernel;
  int64_t k;   /* numbers along k: where they are pairs or fours, half or a quarter of p's */
  size_t size; /* of a number of the compute type */
  int64_t cols, depth, slab;   /* of a panel of b; of a block of k; of a that is packed at a time */
  int64_t panels_a, panels_b;  /* of all rows; of the strip's columns */
  int64_t down, across;        /* units of the strip, for each problem */
  int64_t first, strip;        /* the strip's first panel of b; panels of a strip */
  int64_t problem;             /* the first of the units' problems */
  char *shared;                /* the strip's panels of b, packed for all units, or NULL */
  bool a_in_place, b_in_place; /* read in place, without packing */
  bool plain;                  /* sums are kept in c itself */
  bool tall;                   /* c has few columns, and a is too large to be copied for them */
  atomic_bool failed;
} job;

const product_loops *pti_product_loops_now(product_type type) {
#if defined(__x86_64__)
  static const product_loops *const loops[PTI_NCPU] = {
      pti_product_loops_base, pti_product_loops_avx2, pti_product_loops_avx512};
  return &loops[pti_cpu()][type];
#else
  return &pti_product_loops_base[type];
#endif
}

product_type pti_product_type(pt_dtype dtype) {
  return dtype == PT_F64          ? PRODUCT_F64
      : dtype == PT_I64           ? PRODUCT_I64
      : pti_is(dtype, PTI_FLOATS) ? PRODUCT_F32
                                  : PRODUCT_I32;
}

/* ---- the geometry of panels ---- */

static int64_t pieces(int64_t n, int64_t most) { return (n + most - 1) / most; }
static int64_t round_up(int64_t n, int64_t to) { return pieces(n, to) * to; }
static int64_t power_below(int64_t n) {
  int64_t p = 1;
  while (2 * p <= n) p *= 2;
  return p;
}

/* Panels of a: as many as are needed, and a multiple of what large products are cut into, so that units are equal. They
   depend on m alone: a packed `a` fits every product. */
static int64_t count_panels(int64_t m, int64_t rows) {
  return pti_max64(1, round_up(pieces(m, rows), pti_min64(UNITS, power_below(m / (4 * rows)))));
}
static int64_t first_row(const job *j, int64_t panel) { return j->p->m * panel / j->panels_a; }

/* Elements between packed panels. A panel of a is followed by room for a vector that begins in it. */
static int64_t pitch_a(const job *j) { return j->kernel->rows * j->k + j->kernel->lanes; }
static int64_t pitch_b(const job *j) { return j->cols * j->k; }

/* Integers of 8 and 16 bits are multiplied in fours and pairs, bfloat16 by tiles, where the machine can. */
static const product_kernel *choose_kernel(const product *p, const product_loops *loops) {
  bool bytes = p->dtype == PT_I8 || p->dtype == PT_U8;
  if (p->dtype == PT_BF16 || bytes) {
    const product_kernel *tiles = pti_product_tiles(bytes);
    if (tiles) return tiles;
  }
#if defined(__x86_64__)
  if (p->dtype == PT_BF16 && pti_cpu_bf16()) return pti_product_bf16_pairs_avx512;
  if (bytes && pti_cpu() == PTI_CPU_AVX512 && pti_cpu_vnni()) return pti_product_fours_avx512;
  if (bytes || p->dtype == PT_I16) {
    return pti_cpu() == PTI_CPU_AVX512 ? pti_product_pairs_avx512
        : pti_cpu() == PTI_CPU_AVX2    ? pti_product_pairs_avx2
                                       : pti_product_pairs_base;
  }
#endif
  return &loops->kernel;
}

static void set_geometry(job *j, const product *p) {
  product_type type = pti_product_type(p->dtype);
  j->p = p;
  j->loops = pti_product_loops_now(type);
  j->kernel = choose_kernel(p, j->loops);
  j->size = pti_product_size(type);
  j->cols = 2 * j->kernel->lanes;
  j->panels_a = count_panels(p->m, j->kernel->rows);
  j->panels_b = j->strip = pieces(p->n, j->cols);
  j->k = pieces(p->k, j->kernel->group);
  if (j->kernel->group > 1) j->k = round_up(j->k, j->kernel->step);
  int64_t blocks = pti_max64(1, pieces(j->k, j->kernel->depth));
  j->depth = pti_max64(1, pti_min64(j->k, round_up(pieces(j->k, blocks), j->kernel->step)));
  j->slab = pti_max64(j->depth, j->kernel->slab / j->depth * j->depth);
}

/* Whether the elements of a side are packed without becoming numbers of the compute type on the way. */
static bool packs_squares(const job *j, const product_side *s) {
#if defined(__x86_64__)
  return j->kernel->squares && pti_cpu() == PTI_CPU_AVX512 && !s->pack && !s->index &&
      (s->k_step == 1 || s->step == 1);
#else
  return false;
#endif
}

/* Packs a little of k at a time as numbers of the compute type, which become pairs or fours. */
static void pack_grouped(const job *j, const product_side *s, int64_t problem, char *to,
                         int64_t width, int64_t at, int64_t count, int64_t k0, int64_t kn) {
  enum { AT_ONCE = 64, WIDTH = 32, SLACK = 16 };
  _Alignas(64) uint32_t panel[AT_ONCE * WIDTH + SLACK];
  int64_t group = j->kernel->group;
  product_packer *packer = s->pack ? s->pack : j->loops->pack[s->dtype];
  bool a = s == &j->p->a;
  for (int64_t l = 0; l < kn; l += AT_ONCE / group) {
    int64_t steps = pti_min64(AT_ONCE / group, kn - l), from = (k0 + l) * group;
    int64_t many = pti_max64(0, pti_min64(steps * group, j->p->k - from));
    if (many > 0) packer(s, problem, panel, width, at, count, from, many);
    int64_t step = a && j->kernel->tiled ? j->kernel->rows : width;
    j->kernel->regroup[!a](to + l * step * (int64_t)j->size, panel, width, many, steps);
  }
}

static void pack(const job *j, const product_side *s, int64_t problem, void *to, int64_t width,
                 int64_t at, int64_t count, int64_t k0, int64_t kn) {
  product_packer *packer = s->pack ? s->pack : j->loops->pack[s->dtype];
  int64_t group = j->kernel->group;
#if defined(__x86_64__)
  if (packs_squares(j, s)) {
    int64_t many = pti_max64(0, pti_min64(kn * group, j->p->k - k0 * group));
    bool tiles = j->kernel->tiled && s == &j->p->a;
    pti_product_pack_squares_avx512(s, tiles, (int)group, problem, to, width, at, count, k0 * group,
                                    many, kn);
    return;
  }
#endif
  if (group > 1) pack_grouped(j, s, problem, to, width, at, count, k0, kn);
  else packer(s, problem, to, width, at, count, k0, kn);
}

/* The start of the block at k0 in a packed panel of a with h rows. */
static int64_t block_of_a(const job *j, int64_t h, int64_t k0) {
  return (j->kernel->tiled ? j->kernel->rows : h) * k0;
}

/* One panel, all of k. */
static void pack_panel_a(const job *j, int64_t problem, char *to, int64_t panel) {
  int64_t at = first_row(j, panel), h = first_row(j, panel + 1) - at;
  for (int64_t k0 = 0; k0 < j->k; k0 += j->depth)
    pack(j, &j->p->a, problem, to + block_of_a(j, h, k0) * (int64_t)j->size, h, at, h, k0,
         pti_min64(j->depth, j->k - k0));
}
static void pack_panel_b(const job *j, int64_t problem, char *to, int64_t panel) {
  int64_t at = panel * j->cols, n = pti_min64(j->cols, j->p->n - at);
  int64_t width = round_up(n, j->kernel->lanes);
  for (int64_t k0 = 0; k0 < j->k; k0 += j->depth)
    pack(j, &j->p->b, problem, to + width * k0 * (int64_t)j->size, width, at, n, k0,
         pti_min64(j->depth, j->k - k0));
}

/* ---- a unit ---- */

/* What a unit reads and writes: panels p0 .. p1 - 1 of a, q0 .. q1 - 1 of b; the slab of k in use. */
typedef struct unit {
  int64_t problem, p0, p1, q0, q1;
  int64_t slab, deep; /* where it begins, its numbers along k */
  char *a, *b, *sums; /* scratch: the slab of a, a panel of b, sums that c cannot hold */
} unit;

/* Elements of each of a unit's scratches. */
static int64_t scratch_a(const job *j) {
  if (j->p->a.packed || j->a_in_place) return 0;
  int64_t deep = pti_max64(j->depth, pti_min64(j->slab, j->k));
  return round_up(pieces(j->panels_a, j->down) * j->kernel->rows * deep + j->kernel->lanes, 16);
}
static int64_t scratch_b(const job *j) { return j->shared ? 0 : j->cols * j->depth; }
/* A slab that takes all of k at once has sums for one panel of b at a time. */
static bool by_panels(const job *j) { return j->kernel->slab > 0 && j->k <= j->slab; }
static int64_t sums_pitch(const job *j) {
  return by_panels(j) ? j->cols : pieces(j->strip, j->across) * j->cols;
}
static int64_t scratch_sums(const job *j) {
  return j->plain ? 0 : pieces(j->panels_a, j->down) * j->kernel->rows * sums_pitch(j);
}

/* The panel of b for the block at k0, and in *ldb the distance of its rows. */
static const char *panel_of_b(const job *j, const unit *u, int64_t panel, int64_t k0, int64_t kn,
                              int64_t *ldb) {
  const product_side *b = &j->p->b;
  int64_t at = panel * j->cols, n = pti_min64(j->cols, j->p->n - at);
  int64_t width = round_up(n, j->kernel->lanes), size = (int64_t)j->size;
  *ldb = width;
  if (b->packed) return (const char *)b->packed + (panel * pitch_b(j) + width * k0) * size;
  if (j->shared) return j->shared + ((panel - j->first) * pitch_b(j) + width * k0) * size;
  if (j->b_in_place && n == width) {
    *ldb = b->k_step;
    return (const char *)b->data + (u->problem * b->batch_step + k0 * b->k_step + at) * size;
  }
  pack(j, b, u->problem, u->b, width, at, n, k0, kn);
  return u->b;
}

/* A panel of the unit's slab of a, h rows high, from its block at k0 on. */
static char *panel_of_a(const job *j, const unit *u, int64_t panel, int64_t h, int64_t k0) {
  int64_t at = (panel - u->p0) * j->kernel->rows * u->deep + block_of_a(j, h, k0 - u->slab);
  return u->a + at * (int64_t)j->size;
}

static void pack_slab_of_a(const job *j, const unit *u) {
  if (j->p->a.packed || j->a_in_place) return;
  for (int64_t panel = u->p0; panel < u->p1; panel++) {
    int64_t at = first_row(j, panel), h = first_row(j, panel + 1) - at;
    pack(j, &j->p->a, u->problem, panel_of_a(j, u, panel, h, u->slab), h, at, h, u->slab, u->deep);
  }
}

/* The place of a unit's sums for a panel of a and a panel of b. */
static char *sums_at(const job *j, const unit *u, int64_t p, int64_t q, int64_t *pitch) {
  int64_t size = (int64_t)j->size;
  if (j->plain) {
    int64_t row = first_row(j, p);
    *pitch = j->p->ldc;
    return (char *)j->p->c + (u->problem * j->p->batch_c + row * j->p->ldc + q * j->cols) * size;
  }
  *pitch = sums_pitch(j);
  int64_t col = by_panels(j) ? 0 : (q - u->q0) * j->cols;
  return u->sums + ((p - u->p0) * j->kernel->rows * *pitch + col) * size;
}

/* A share of the elements of c that the sums of one panel by another become: fetched while they are computed. */
static void fetch_c(const job *j, const unit *u, int64_t row, int64_t h, int64_t panel,
                    int64_t k0) {
  const product *p = j->p;
  int64_t size = (int64_t)pt_dtype_size(p->dtype), blocks = pieces(j->k, j->depth);
  int64_t i = k0 / j->depth, end = row + h * (i + 1) / blocks;
  const char *c = (const char *)p->c + (u->problem * p->batch_c + panel * j->cols) * size;
  for (row += h * i / blocks; row < end; row++) __builtin_prefetch(c + row * p->ldc * size, 1, 2);
}

/* Where row i of a panel of a has its number for step l of a block: at[i row + l step]; in tiles for every 16th l, with
   the next 15 behind it. */
typedef struct numbers {
  const char *at;
  int64_t row, step;
} numbers;

static numbers numbers_of_a(const job *j, const unit *u, int64_t panel, int64_t h, int64_t k0) {
  const product_side *a = &j->p->a;
  const product_kernel *kernel = j->kernel;
  int64_t size = (int64_t)j->size, group = kernel->group;
  if (j->a_in_place) {
    numbers in_place = {a->data, a->step / group, a->k_step};
    in_place.at += u->problem * a->batch_step / group * size;
    in_place.at += (first_row(j, panel) * in_place.row + k0 * in_place.step) * size;
    return in_place;
  }
  numbers packed = {NULL, kernel->tiled ? kernel->lanes : 1, kernel->tiled ? kernel->rows : h};
  if (a->packed)
    packed.at = (const char *)a->packed + (panel * pitch_a(j) + block_of_a(j, h, k0)) * size;
  else packed.at = panel_of_a(j, u, panel, h, k0);
  return packed;
}

/* One panel of b times panels p0 .. p1 - 1 of the unit's block of a. */
static void run_panel(const job *j, const unit *u, int64_t panel, int64_t p0, int64_t p1,
                      int64_t k0, int64_t kn) {
  const product *p = j->p;
  int64_t col = panel * j->cols, n = pti_min64(j->cols, p->n - col), size = (int64_t)j->size;
  int64_t ldb;
  const char *b = panel_of_b(j, u, panel, k0, kn, &ldb);
  product_micro *const *micro = j->kernel->micro[n > j->kernel->lanes];
  double alpha = j->plain ? p->end.alpha : 1;
  /* The block of b that comes after this one is fetched while this one is used. */
  const char *next = b;
  if (j->shared || p->b.packed) next += (j->kernel->tiled ? kn * ldb : pitch_b(j)) * size;
  int64_t ahead = j->kernel->tiled ? PRODUCT_AHEAD_TILES : PRODUCT_AHEAD;
  bool last = panel + 1 == u->q1 && (!j->kernel->tiled || k0 + kn == j->k);
  if (last) next = b;
  const char *end = next + (next == b ? 0 : kn * j->cols * size);
  for (int64_t q = p0; q < p1; q++) {
    int64_t row = first_row(j, q), h = first_row(j, q + 1) - row, ldc;
    numbers a = numbers_of_a(j, u, q, h, k0);
    char *c = sums_at(j, u, q, panel, &ldc);
    const char *from = c;
    int64_t ldf = ldc;
    if (k0 == 0 && !(j->plain && p->end.beta != 0)) {
      from = j->plain && p->end.bias ? (const char *)p->end.bias + col * size : NULL;
      ldf = 0;
    }
    if (by_panels(j) && kn > 0) fetch_c(j, u, row, h, panel, k0);
    micro[h](kn, a.at, a.row, a.step, b, ldb, c, ldc, from, ldf, alpha, n, next);
    next = next + kn * ahead < end ? next + kn * ahead : b;
  }
}

/* The unit's block at k0. A shallow one takes less time than its sums take to and from memory, and of a tall product a
   comes from memory: they proceed row by row, unless panels of b are packed on the way. */
static void run_block(const job *j, const unit *u, int64_t k0, int64_t kn) {
  bool by_rows = (kn <= SHALLOW || j->tall) && (j->b_in_place || j->shared || j->p->b.packed);
  for (int64_t q = u->p0; q < u->p1 && by_rows; q++) {
    for (int64_t panel = u->q0; panel < u->q1; panel++) run_panel(j, u, panel, q, q + 1, k0, kn);
  }
  for (int64_t panel = u->q0; panel < u->q1 && !by_rows; panel++)
    run_panel(j, u, panel, u->p0, u->p1, k0, kn);
}

/* Sums for panels q0 .. q1 - 1 of b become elements of c. */
static void finish_panels(const job *j, const unit *u, int64_t q0, int64_t q1) {
  int64_t col = q0 * j->cols, n = pti_min64(q1 * j->cols, j->p->n) - col, pitch;
  for (int64_t p = u->p0; p < u->p1; p++) {
    int64_t row = first_row(j, p), h = first_row(j, p + 1) - row;
    char *sums = sums_at(j, u, p, q0, &pitch);
    j->loops->finish[j->p->dtype](j->p, sums, pitch, u->problem, row, h, col, n);
  }
}

/* A slab, panel by panel of b: its blocks follow one another in memory. */
static void run_slab(const job *j, const unit *u) {
  int64_t end = u->slab + u->deep;
  for (int64_t panel = u->q0; panel < u->q1; panel++) {
    int64_t k0 = u->slab;
    do {
      run_panel(j, u, panel, u->p0, u->p1, k0, pti_min64(j->depth, end - k0));
      k0 += j->depth;
    } while (k0 < end);
    if (by_panels(j)) finish_panels(j, u, panel, panel + 1);
  }
}

static void run_unit(const job *j, unit *u) {
  u->slab = 0;
  do {
    u->deep = pti_min64(j->slab, j->k - u->slab);
    pack_slab_of_a(j, u);
    if (j->kernel->slab > 0) run_slab(j, u);
    else run_block(j, u, u->slab, u->deep);
    u->slab += j->slab;
  } while (u->slab < j->k);
  if (!j->plain && !by_panels(j)) finish_panels(j, u, u->q0, u->q1);
}

static void run_units(void *ctx, int64_t lo, int64_t hi) {
  job *j = ctx;
  int64_t a = scratch_a(j), b = scratch_b(j), each = j->down * j->across;
  size_t bytes = (size_t)(a + b + scratch_sums(j)) * j->size;
  char *scratch = pti_cpu_host->alloc(bytes);
  if (scratch == NULL) {
    atomic_store(&j->failed, true);
    return;
  }
  if (j->kernel->enter) j->kernel->enter();
  for (int64_t i = lo; i < hi; i++) {
    int64_t down = i % j->down, across = i % each / j->down;
    unit u = {.problem = j->problem + i / each, .a = scratch};
    u.b = scratch + (size_t)a * j->size;
    u.sums = u.b + (size_t)b * j->size;
    u.p0 = j->panels_a * down / j->down;
    u.p1 = j->panels_a * (down + 1) / j->down;
    u.q0 = j->first + j->panels_b * across / j->across;
    u.q1 = j->first + j->panels_b * (across + 1) / j->across;
    run_unit(j, &u);
  }
  if (j->kernel->leave) j->kernel->leave();
  pti_cpu_host->free(scratch, bytes);
}

/* ---- the plan ---- */

/* The number of units of a strip. A unit that has all columns, or all rows, shares none of what it packs: where only b
   is packed, units are columns, so that threads need not wait for all of b, and otherwise rows. */
static void cut_units(job *j, int64_t parts) {
  const product *p = j->p;
  int64_t columns = pti_min64(p->n, j->strip * j->cols), size = (int64_t)j->size;
  double flops = 2.0 * (double)p->m * (double)columns * (double)p->k;
  int64_t threads = pt_get_num_threads(), busy = threads == 1 ? 1 : power_below(4 * threads - 1);
  if (j->kernel->tiled) busy = power_below(2 * threads - 1);
  parts = pti_min64(parts, busy);
  parts = pti_min64(parts, power_below((int64_t)(flops / UNIT_FLOPS)));
  int64_t most_down = power_below(p->m / (2 * j->kernel->rows));
  int64_t most_across = power_below(columns / j->cols);
  if (j->a_in_place && !j->b_in_place && !p->b.packed && !j->kernel->tiled && !j->tall) {
    j->across = pti_min64(parts, most_across);
    j->down = pti_min64(parts / j->across, most_down);
  } else {
    int64_t most = j->kernel->tiled ? BLOCK_TILES : BLOCK_A;
    int64_t cache = pti_min64(most, (int64_t)pti_cache_bytes() / 2);
    int64_t deep = pti_min64(j->slab, pti_max64(1, j->k));
    int64_t rows = pti_max64(j->kernel->rows, cache / size / deep);
    /* Halves of c side by side: cores that do not share a cache get what others packed slowly, so each half's panels of
       b are packed by those that read them, and a twice. */
    bool packs = !j->b_in_place && !j->kernel->tiled && j->k > SHALLOW;
    int64_t halves = parts > 1 && packs && columns >= HALVED ? 2 : 1;
    j->down = pti_min64(parts / halves, most_down);
    while (j->panels_a % j->down) j->down /= 2; /* so that units are equal */
    j->across = pti_min64(parts / j->down, most_across);
    while (j->down < most_down && p->m > j->down * rows && (!j->a_in_place || j->kernel->tiled))
      j->down *= 2;
  }
  if (!j->plain && !by_panels(j)) j->across = pti_max64(j->across, pieces(columns, SUMS_COLS));
}

static bool is_plain(const product *p, size_t size) {
  const product_end *e = &p->end;
  return pt_dtype_size(p->dtype) == size && p->dtype != PT_BOOL && e->activation < 0 &&
      !e->residual && (e->beta == 0 || (e->beta == 1 && !e->bias)) && !(e->bias && e->bias_rows);
}

static bool is_matrix(const job *j, const product_side *s) {
  return !s->packed && !s->pack && !s->index && s->dtype == j->p->dtype;
}

/* Whether pairs and fours, or tiles of them, may be read from the matrix itself: its rows are contiguous, and nothing is
   to be filled up. */
static bool has_groups(const job *j) {
  const product_side *a = &j->p->a;
  const product_kernel *kernel = j->kernel;
  return kernel->squares && is_matrix(j, a) && a->k_step == 1 && a->step % kernel->group == 0 &&
      a->batch_step % kernel->group == 0 &&
      (!kernel->tiled || j->p->m == j->panels_a * kernel->rows) &&
      j->p->k % (kernel->step * kernel->group) == 0;
}

/* Bytes of a that are read in place at most. Rows that are a multiple of 1024 bytes apart share few sets of the
   first-level cache: numbers, which the micro-kernel takes from 14 of them in turn, are then copied earlier. */
static int64_t most_in_place(const job *j) {
  const product_side *a = &j->p->a;
  int64_t cache = (int64_t)pti_cache_bytes();
  int64_t line = a->step / j->kernel->group * (int64_t)j->size;
  bool crowded = !j->kernel->tiled && line % 1024 == 0;
  return a->k_step == 1 && !crowded ? cache / 2 : cache / 8;
}

/* Whether an operand that the micro-kernel could read in place is small enough for that, or read too few times for a
   copy to pay: a by its two strides, b if it lies in memory as panels do. */
static void choose_in_place(job *j) {
  const product *p = j->p;
  int64_t size = (int64_t)j->size, cache = (int64_t)pti_cache_bytes();
  int64_t bytes = p->m * j->k * size;
  bool plain = j->plain && is_matrix(j, &p->a);
  j->tall = plain && p->a.k_step == 1 && p->n <= PRODUCT_FEW && bytes > cache;
  j->a_in_place =
      j->tall || ((j->kernel->group > 1 ? has_groups(j) : plain) && bytes <= most_in_place(j));
  j->b_in_place = j->plain && is_matrix(j, &p->b) && p->b.step == 1 &&
      (j->panels_a <= FEW_PANELS || p->n * p->k * size <= cache / 8);
}

static void pack_shared(void *ctx, int64_t lo, int64_t hi) {
  const job *j = ctx;
  for (int64_t i = lo; i < hi; i++)
    pack_panel_b(j, j->problem, j->shared + i * pitch_b(j) * (int64_t)j->size, j->first + i);
}

/* One strip of one problem, or of all of them where they are small. */
static bool run_strip(job *j, int64_t problems) {
  size_t bytes = (size_t)(j->panels_b * pitch_b(j)) * j->size;
  bool shares = j->down > 1 && !j->b_in_place && !j->p->b.packed;
  j->shared = NULL;
  if (shares && (j->shared = pti_cpu_host->alloc(bytes)) == NULL) return false;
  if (shares)
    pti_cpu_host->parallel_for(j->panels_b, pti_max64(1, PACK_PIECE / pti_max64(1, pitch_b(j))),
                               pack_shared, j);
  int64_t units = problems * j->down * j->across;
  double flops = 2.0 * (double)j->p->m * (double)pti_min64(j->p->n, j->strip * j->cols) *
      (double)j->p->k * (double)problems / (double)units;
  int64_t grain = flops >= UNIT_FLOPS ? 1 : (int64_t)(UNIT_FLOPS / (flops + 1));
  pti_cpu_host->parallel_for(units, pti_max64(1, grain), run_units, j);
  if (shares) pti_cpu_host->free(j->shared, bytes);
  return true;
}

bool pti_product_run(const product *p) {
  if (p->batch == 0 || p->m == 0 || p->n == 0) return true;
  if (pti_product_is_skinny(p)) return pti_product_skinny(p);
  if (pti_product_is_lines(p)) return pti_product_lines(p);
  if (pti_product_is_turned(p)) return pti_product_turned(p);
  job j = {0};
  set_geometry(&j, p);
  j.plain = is_plain(p, j.size);
  choose_in_place(&j);
  int64_t all = j.panels_b, fit = PACKED / (int64_t)j.size / pti_max64(1, pitch_b(&j));
  if (!p->b.packed && !j.b_in_place) j.strip = pti_min64(all, pti_max64(16, fit));
  /* Several problems keep the threads busy without being cut up. */
  cut_units(&j, pti_max64(1, UNITS / p->batch));
  bool together = j.down == 1 || j.b_in_place || p->b.packed;
  bool ok = true;
  for (j.first = 0; j.first < all && ok; j.first += j.strip) {
    j.panels_b = pti_min64(j.strip, all - j.first);
    j.problem = 0;
    if (together) ok = run_strip(&j, p->batch);
    for (; j.problem < p->batch && ok && !together; j.problem++) ok = run_strip(&j, 1);
  }
  if (!ok) return false;
  if (!atomic_load(&j.failed)) return true;
  return pti_cpu_host->fail(PT_EMEMORY, "matrix product: no memory for packed panels");
}

/* ---- packing ahead ---- */

typedef struct whole {
  job j;
  char *to;
  bool right;
} whole;

static void pack_whole(void *ctx, int64_t lo, int64_t hi) {
  const whole *w = ctx;
  int64_t size = (int64_t)w->j.size;
  for (int64_t i = lo; i < hi; i++) {
    if (w->right) pack_panel_b(&w->j, 0, w->to + i * pitch_b(&w->j) * size, i);
    else pack_panel_a(&w->j, 0, w->to + i * pitch_a(&w->j) * size, i);
  }
}

void *pti_product_pack(const product *p, bool right, size_t *bytes) {
  whole w = {.right = right};
  set_geometry(&w.j, p);
  int64_t panels = right ? w.j.panels_b : w.j.panels_a,
          pitch = right ? pitch_b(&w.j) : pitch_a(&w.j);
  *bytes = (size_t)(panels * pitch) * w.j.size;
  w.to = pti_cpu_host->alloc(*bytes);
  if (w.to == NULL) return NULL;
  pti_cpu_host->parallel_for(panels, pti_max64(1, PACK_PIECE / pti_max64(1, pitch)), pack_whole,
                             &w);
  return w.to;
}
