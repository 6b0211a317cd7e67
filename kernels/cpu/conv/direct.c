/* direct.c: convolution directly from the image, its gradient for the input and for the weight. Nothing is unfolded:
   patches exist only as addresses.

   One kernel computes all three (direct.inc.h). It keeps sums for up to 14 rows and 32 columns in registers (fewer
   below AVX-512), and each step multiplies one number of each row with one vector of each column, as in a matrix
   product. But rows are not packed: a step's numbers are at fixed distances from each other in the image, and from step
   to step the kernel follows a list of offsets, which is the same for all places of the image.

     y = conv(x, w)    rows: positions of a line   columns: output channels   terms: input channels and taps
     its gradient gx   the same, of g: positions of x that are a stride apart see the same taps, so each residue of them
                       is a convolution of its own with step 1, and no zeros are multiplied
     its gradient gw   rows: input channels for a tap, or taps of a line, whichever are more
                       columns: output channels   terms: positions

   Where there are few output channels, rows and columns change places: the numbers are weights, the vectors neighbours
   of a line.

   Rows come in two halves of equal size: parts of one line, or two lines where lines are short. So widths of 7, 14, 28,
   56 waste nothing. Images are copied once, with zeros around them, unless no window reaches beyond them; as many at a
   time as stay in the second-level cache. Weights (for gw: gradients) are packed into panels of columns, which every
   unit of work reads from front to back. A panel that only one unit needs, as for single images, is packed by this unit,
   and leaves the second-level cache as little as the unit does.

   Work is split by shape, and an element is summed in a fixed order: results do not depend on threads. */
#include "direct.h"

#include <stdatomic.h>
#include <string.h>

#include "../nn_loops.h"
#include "../product/product_loops.h"
#include "conv_loops.h"

/* Elements of a padded plane at most; pieces that the tiles of a set are cut into at most, and tiles of a piece at
   least; elements to copy or to pack, and multiplications, that justify a thread. */
enum { ROOM = 1 << 26, PIECES = 16, LEAST_TILES = 16, COPY_PIECE = 16384, UNIT_TERMS = 1 << 19 };
/* Bytes of a set for the gradient of weights. All sums go to memory and back for each set, which costs more than images
   from beyond the second-level cache: 512-512, 7 x 7, batch 8, takes 25 ms in sets of 512 KB, 21 so. It is a number, not
   the machine's cache, as the order of sums depends on it. */
enum { WEIGHT_SET = 4 << 20 };

/* Positions of the result that see the same taps. In dim d position t, 0 <= t < count[d], sees the source at
   t * step[d] + first[d] + j * gap[d] through tap tap[d] + j * tap_step[d], for 0 <= j < taps[d]; it is the element
   start[d] + t * to_step[d] of the result. */
typedef struct pass {
  int64_t count[3], step[3], first[3], gap[3], taps[3], tap[3], tap_step[3], start[3], to_step[3];
} pass;

typedef struct direct_job {
  const conv_loops *loops;
  pt_dtype dtype;
  int64_t size;              /* of an element */
  int64_t n, groups, ci, co; /* images, groups, channels of a group in and out */
  int64_t k[3], in[3], out[3];
  const char *from, *bias;
  char *to;
  /* the source with zeros around it: lead[d] before, room[d] in all */
  int64_t lead[3], room[3];
  bool copied;
  int64_t image, images, set; /* those of the set, and how many at most */
  char *x;
  /* panels of weights, or of gradients */
  const char *raw_w;
  bool turned; /* input and output channels of the weights are exchanged */
  char *panels;
  bool swapped;                /* columns are positions */
  int64_t cols, npanel, depth; /* columns of a panel, panels of a group, rows of one */
  bool together;               /* units pack their panels */
  /* the pass and its tiles */
  const pass *pass;
  conv_terms terms;
  int64_t x_step[3], y_step[3];
  int64_t x0, y0, lines, parts, tiles, chunk, nchunk;
  atomic_bool failed;
} direct_job;

const conv_loops *pti_conv_loops_now(pt_dtype dtype) {
#if defined(__x86_64__)
  static const conv_loops *const loops[PTI_NCPU] = {pti_conv_loops_base, pti_conv_loops_avx2,
                                                    pti_conv_loops_avx512};
  return &loops[pti_cpu()][dtype == PT_F64];
#else
  return &pti_conv_loops_base[dtype == PT_F64];
#endif
}

static int64_t pieces(int64_t n, int64_t most) { return (n + most - 1) / most; }

static int64_t source_plane(const direct_job *j) { return pti_volume(j->room); }
static int64_t panel_width(const direct_job *j, int64_t panel) {
  if (j->swapped) return j->co;
  int64_t n = pti_min64(j->cols, j->co - panel * j->cols);
  return n > j->loops->lanes ? j->cols : j->loops->lanes;
}
/* Units that justify a thread, if each calls the kernel `times` times. */
static int64_t grain_of(const direct_job *j, int64_t times) {
  double each = (double)j->terms.outer * (double)j->terms.inner * 2.0 * j->loops->half *
      (double)j->cols * (double)times;
  return each >= UNIT_TERMS ? 1 : (int64_t)(UNIT_TERMS / (each + 1));
}
static char *panel_at(const direct_job *j, int64_t group, int64_t panel) {
  return j->panels + (group * j->npanel + panel) * j->cols * j->depth * j->size;
}

static void prepare(direct_job *j, const pti_conv *p, bool turned) {
  j->loops = pti_conv_loops_now(p->dtype);
  j->dtype = p->dtype;
  j->size = (int64_t)pt_dtype_size(p->dtype);
  j->n = p->n, j->groups = p->groups;
  j->ci = (turned ? p->o : p->c) / p->groups, j->co = (turned ? p->c : p->o) / p->groups;
  memcpy(j->k, p->k, sizeof j->k);
  memcpy(j->in, turned ? p->out : p->in, sizeof j->in);
  memcpy(j->out, turned ? p->in : p->out, sizeof j->out);
  j->turned = turned;
  j->cols = 2 * j->loops->lanes;
  j->npanel = pieces(j->co, j->cols);
}

static bool no_memory(void) {
  return pti_cpu_host->fail(PT_EMEMORY, "convolution: no memory for its scratch");
}

/* ---- passes ---- */

static void forward_pass(const pti_conv *p, pass *s) {
  for (int d = 0; d < 3; d++) {
    s->count[d] = p->out[d], s->step[d] = p->stride[d], s->first[d] = -p->pad[d];
    s->gap[d] = p->dil[d], s->taps[d] = p->k[d], s->tap[d] = 0, s->tap_step[d] = 1;
    s->start[d] = 0, s->to_step[d] = 1;
  }
}

/* The positions of gx, in dim d, that leave the residue r: x at i = r + t stride took part in y at
   (i + pad - tap dil) / stride, where that is whole. */
static void residue(const pti_conv *p, int d, int64_t r, pass *s) {
  int64_t stride = p->stride[d], dil = p->dil[d], a = stride, b = dil;
  while (b) {
    int64_t rest = a % b;
    a = b, b = rest;
  }
  s->count[d] = pieces(p->in[d] - r, stride), s->step[d] = 1;
  s->start[d] = r, s->to_step[d] = stride;
  s->tap_step[d] = stride / a, s->gap[d] = -(dil / a);
  s->tap[d] = 0;
  while (s->tap[d] < pti_min64(p->k[d], stride) && (r + p->pad[d] - s->tap[d] * dil) % stride)
    s->tap[d]++;
  bool none = s->tap[d] >= p->k[d] || (r + p->pad[d] - s->tap[d] * dil) % stride != 0;
  s->taps[d] = none ? 0 : pieces(p->k[d] - s->tap[d], s->tap_step[d]);
  s->first[d] = none ? 0 : (r + p->pad[d] - s->tap[d] * dil) / stride;
}

/* Room for the source of the pass. */
static void reach_of(direct_job *j, const pass *s) {
  for (int d = 0; d < 3; d++) {
    if (s->taps[d] == 0 || s->count[d] == 0) continue;
    int64_t a = s->first[d], b = a + (s->taps[d] - 1) * s->gap[d];
    int64_t low = pti_min64(a, b), high = pti_max64(a, b) + (s->count[d] - 1) * s->step[d];
    int64_t lead = pti_max64(j->lead[d], -low);
    j->room[d] = pti_max64(j->room[d] - j->lead[d], high + 1) + lead;
    j->lead[d] = lead;
  }
}

/* ---- the source ---- */

/* Decides how many images a set has: what fits `room` bytes, with `beside` more elements for each image. */
static bool choose_set(direct_job *j, int64_t beside, int64_t room) {
  double plane = 1;
  j->copied = j->swapped;
  for (int d = 0; d < 3; d++) {
    plane *= (double)j->room[d];
    j->copied |= j->lead[d] > 0 || j->room[d] > j->in[d];
  }
  if (plane > ROOM)
    return pti_cpu_host->fail(PT_EMEMORY,
                              "convolution: windows reach too far: a plane with its padding would "
                              "have %.0f elements, more than %d",
                              plane, (int)ROOM);
  int64_t each = (source_plane(j) * j->groups * j->ci + beside) * j->size;
  int64_t fit = room / pti_max64(1, each);
  j->set = pti_max64(1, pti_min64(j->n, fit));
  j->set = pieces(j->n, pieces(j->n, j->set));
  return true;
}

static size_t source_bytes(const direct_job *j) {
  int64_t beyond = j->swapped ? j->cols : 0; /* what is read past the last line */
  return j->copied ? (size_t)((j->set * j->groups * j->ci * source_plane(j) + beyond) * j->size)
                   : 0;
}

/* Units: planes. */
static void copy_planes(void *ctx, int64_t lo, int64_t hi) {
  const direct_job *j = ctx;
  int64_t line = j->in[2] * j->size, pitch = j->room[2] * j->size, lead = j->lead[2] * j->size;
  for (int64_t plane = lo; plane < hi; plane++) {
    char *to = j->x + plane * source_plane(j) * j->size;
    const char *x = j->from + (j->image * j->groups * j->ci + plane) * pti_volume(j->in) * j->size;
    for (int64_t z = 0; z < j->room[0]; z++) {
      for (int64_t y = 0; y < j->room[1]; y++, to += pitch) {
        int64_t fz = z - j->lead[0], fy = y - j->lead[1];
        if (fz < 0 || fz >= j->in[0] || fy < 0 || fy >= j->in[1]) {
          memset(to, 0, (size_t)pitch);
          continue;
        }
        memset(to, 0, (size_t)lead);
        memcpy(to + lead, x + (fz * j->in[1] + fy) * line, (size_t)line);
        memset(to + lead + line, 0, (size_t)(pitch - lead - line));
      }
    }
  }
}

static void choose_images(direct_job *j, int64_t image, char *scratch) {
  j->image = image;
  j->images = pti_min64(j->set, j->n - image);
  j->x = j->copied
      ? scratch
      : (char *)(uintptr_t)j->from + image * j->groups * j->ci * pti_volume(j->in) * j->size;
}

static void enter_set(direct_job *j, int64_t image, char *scratch) {
  choose_images(j, image, scratch);
  int64_t grain = pti_max64(1, COPY_PIECE / pti_max64(1, source_plane(j)));
  int64_t planes = j->copied ? j->images * j->groups * j->ci : 0;
  pti_cpu_host->parallel_for(planes, grain, copy_planes, j);
}

/* ---- panels of weights ---- */

static void pack_panel(const direct_job *j, int64_t group, int64_t panel, char *to) {
  product_packer *pack = pti_product_loops_now(pti_product_type(j->dtype))->pack[j->dtype];
  int64_t taps = pti_volume(j->k), at = panel * j->cols;
  int64_t n = pti_min64(j->cols, j->co - at), width = panel_width(j, panel);
  product_side s = {.dtype = j->dtype, .step = j->turned ? taps : j->depth, .k_step = 1};
  if (!j->turned) {
    s.data = j->raw_w + group * j->co * j->depth * j->size;
    pack(&s, 0, to, width, at, n, 0, j->depth);
    return;
  }
  for (int64_t c = 0; c < j->ci; c++) {
    s.data = j->raw_w + (group * j->ci + c) * j->co * taps * j->size;
    pack(&s, 0, to + c * taps * width * j->size, width, at, n, 0, taps);
  }
}

/* Units: panels of all groups. */
static void pack_weights(void *ctx, int64_t lo, int64_t hi) {
  const direct_job *j = ctx;
  for (int64_t i = lo; i < hi; i++) {
    int64_t group = i / j->npanel, panel = i % j->npanel;
    pack_panel(j, group, panel, panel_at(j, group, panel));
  }
}

/* ---- results ---- */

/* How the positions of the set are cut into tiles. */
static void cut_tiles(direct_job *j) {
  int64_t width = j->pass->count[2];
  j->lines = j->images * j->pass->count[0] * j->pass->count[1];
  bool paired = width <= j->loops->half && !j->swapped;
  j->parts = paired ? 0 : pieces(width, j->swapped ? j->cols : 2 * j->loops->half);
  j->tiles = paired ? (j->lines + 1) / 2 : j->lines * j->parts;
  j->chunk = pti_max64(LEAST_TILES, pieces(j->tiles, PIECES));
  j->nchunk = pieces(j->tiles, j->chunk);
}

/* Where the position `at` of a line is in x and in y, in elements. */
static void place(const direct_job *j, int64_t line, int64_t at, int64_t *x, int64_t *y) {
  const pass *s = j->pass;
  int64_t row = line % s->count[1], plane = line / s->count[1] % s->count[0];
  int64_t image = line / s->count[1] / s->count[0];
  *x = j->x0 + image * j->groups * j->ci * source_plane(j) + plane * j->x_step[0] +
      row * j->x_step[1] + at * j->x_step[2];
  *y = j->y0 + (j->image + image) * j->groups * j->co * pti_volume(j->out) + plane * j->y_step[0] +
      row * j->y_step[1] + at * j->y_step[2];
}

/* The tile's halves; how many rows a half has. */
static int tile_at(const direct_job *j, int64_t tile, int64_t x[2], int64_t y[2]) {
  int64_t width = j->pass->count[2];
  if (j->parts == 0) { /* two lines, or twice the last one */
    place(j, 2 * tile, 0, &x[0], &y[0]);
    place(j, pti_min64(2 * tile + 1, j->lines - 1), 0, &x[1], &y[1]);
    return (int)width;
  }
  int64_t line = tile / j->parts, part = tile % j->parts;
  int64_t from = width * part / j->parts, until = width * (part + 1) / j->parts;
  int64_t u = (until - from + 1) / 2; /* if odd, the halves share one */
  place(j, line, from, &x[0], &y[0]);
  place(j, line, until - u, &x[1], &y[1]);
  return (int)u;
}

/* Units: (chunk of tiles, group). */
static void sum_lines(void *ctx, int64_t lo, int64_t hi) {
  const direct_job *j = ctx;
  double sums[CONV_SUMS] __attribute__((aligned(64)));
  int64_t to_plane = pti_volume(j->out), size = j->size, u = (j->co + 1) / 2;
  for (int64_t i = lo; i < hi; i++) {
    int64_t group = i % j->groups, chunk = i / j->groups;
    const char *w = panel_at(j, group, 0), *v = w + (j->co - u) * size;
    const char *bias = j->bias ? j->bias + group * j->co * size : NULL;
    const char *from = j->x + group * j->ci * source_plane(j) * size;
    char *to = j->to + group * j->co * to_plane * size;
    for (int64_t t = chunk * j->chunk; t < pti_min64(j->tiles, (chunk + 1) * j->chunk); t++) {
      int64_t x, y, at = t % j->parts * j->cols;
      int64_t many = pti_min64(j->cols, j->pass->count[2] - at);
      bool wide = many > j->loops->lanes;
      place(j, t / j->parts, at, &x, &y);
      j->loops->sum[wide][u](&j->terms, w, v, from + x * size, sums);
      j->loops->store_rows(sums, wide ? j->cols : j->loops->lanes, j->co, many, bias, to + y * size,
                           to_plane, j->y_step[2]);
    }
  }
}

/* Tiles from .. until - 1 of a group, for one panel of output channels, whose weights are w. */
static void sum_panel(const direct_job *j, int64_t group, int64_t panel, int64_t from,
                      int64_t until, const char *w) {
  double sums[CONV_SUMS] __attribute__((aligned(64))) = {0};
  int64_t to_plane = pti_volume(j->out), size = j->size, width = panel_width(j, panel);
  int64_t channel = group * j->co + panel * j->cols;
  int64_t n = pti_min64(j->cols, j->co - panel * j->cols);
  const char *bias = j->bias ? j->bias + channel * size : NULL;
  const char *source = j->x + group * j->ci * source_plane(j) * size;
  char *to = j->to + channel * to_plane * size;
  conv_kernel *const *sum = j->loops->sum[width > j->loops->lanes];
  conv_terms terms = j->terms;
  terms.w_unit = width;
  for (int64_t t = from; t < until; t++) {
    int64_t x[2], y[2];
    int u = tile_at(j, t, x, y);
    sum[u](&terms, source + x[0] * size, source + x[1] * size, w, sums);
    j->loops->store(sums, width, u, n, bias, to + y[0] * size, to + y[1] * size, to_plane,
                    j->y_step[2]);
  }
}

/* Units: (chunk of tiles, group, panel). */
static void sum_tiles(void *ctx, int64_t lo, int64_t hi) {
  direct_job *j = ctx;
  size_t bytes = (size_t)(j->together ? (j->cols * j->depth + j->loops->lanes) * j->size : 0);
  char *own = j->together ? pti_cpu_host->alloc(bytes) : NULL;
  if (j->together && own == NULL) {
    atomic_store(&j->failed, true);
    return;
  }
  for (int64_t i = lo; i < hi; i++) {
    int64_t panel = i % j->npanel, group = i / j->npanel % j->groups;
    int64_t chunk = i / j->npanel / j->groups;
    if (own) pack_panel(j, group, panel, own);
    sum_panel(j, group, panel, chunk * j->chunk, pti_min64(j->tiles, (chunk + 1) * j->chunk),
              own ? own : panel_at(j, group, panel));
  }
  if (own) pti_cpu_host->free(own, bytes);
}

/* The pass's terms and distances; at: room for two offsets for each tap but those of a line. */
static void enter_pass(direct_job *j, const pass *s, int64_t *at) {
  int64_t step[3] = {j->room[1] * j->room[2], j->room[2], 1};
  int64_t to[3] = {j->out[1] * j->out[2], j->out[2], 1};
  j->pass = s;
  j->x0 = j->y0 = 0;
  for (int d = 0; d < 3; d++) {
    j->x0 += (j->lead[d] + s->first[d]) * step[d];
    j->y0 += s->start[d] * to[d];
    j->x_step[d] = s->step[d] * step[d];
    j->y_step[d] = s->to_step[d] * to[d];
  }
  int64_t each = s->taps[0] * s->taps[1], outer = s->taps[2] ? j->ci * each : 0;
  int64_t *w_at = at + j->ci * j->k[0] * j->k[1];
  for (int64_t i = 0; i < outer; i++) {
    int64_t c = i / each, a = i % each / s->taps[1], b = i % s->taps[1];
    at[i] = c * source_plane(j) + a * s->gap[0] * step[0] + b * s->gap[1] * step[1];
    w_at[i] = ((c * j->k[0] + s->tap[0] + a * s->tap_step[0]) * j->k[1] + s->tap[1] +
               b * s->tap_step[1]) *
            j->k[2] +
        s->tap[2];
  }
  j->terms = (conv_terms){.outer = outer, .inner = s->taps[2], .x_at = at, .w_at = w_at};
  j->terms.step = s->gap[2], j->terms.w_step = s->tap_step[2], j->terms.row = j->x_step[2];
  if (!j->swapped) return;
  for (int64_t i = 0; i < outer; i++) w_at[i] *= j->co;
  j->terms = (conv_terms){.outer = outer, .inner = s->taps[2], .x_at = w_at, .w_at = at};
  j->terms.step = s->tap_step[2] * j->co, j->terms.w_step = s->gap[2];
  j->terms.row = j->terms.w_unit = 1;
}

static bool empty(const pass *s) {
  return s->count[0] == 0 || s->count[1] == 0 || s->count[2] == 0;
}

static void run_pass(direct_job *j, const pass *s, int64_t *at) {
  if (empty(s)) return;
  enter_pass(j, s, at);
  cut_tiles(j);
  pti_cpu_host->parallel_for(j->nchunk * j->groups * j->npanel, grain_of(j, j->chunk),
                             j->swapped ? sum_lines : sum_tiles, j);
}

/* ---- sets apart: a thread copies the images that it sums ---- */

typedef struct sets_job {
  const direct_job *each; /* what has entered a pass, of `count` */
  int64_t count;
  atomic_bool *failed;
} sets_job;

/* Units: sets. */
static void run_sets(void *ctx, int64_t lo, int64_t hi) {
  const sets_job *sets = ctx;
  size_t bytes = source_bytes(&sets->each[0]);
  char *scratch = pti_cpu_host->alloc(bytes);
  if (scratch == NULL) {
    atomic_store(sets->failed, true);
    return;
  }
  for (int64_t set = lo; set < hi; set++) {
    for (int64_t i = 0; i < sets->count; i++) {
      direct_job j = sets->each[i];
      choose_images(&j, set * j.set, scratch);
      if (i == 0 && j.copied) copy_planes(&j, 0, j.images * j.groups * j.ci);
      if (empty(j.pass)) continue;
      cut_tiles(&j);
      (j.swapped ? sum_lines : sum_tiles)(&j, 0, j.nchunk * j.groups * j.npanel);
    }
  }
  pti_cpu_host->free(scratch, bytes);
}

/* Whether there are sets for all threads, about as many for each; they are made smaller for that. */
static bool sets_apart(direct_job *j) {
  int64_t threads = pt_get_num_threads();
  if (j->swapped || threads == 1 || (j->n % threads && j->n < 4 * threads)) return false;
  j->set = pieces(j->n, pieces(pieces(j->n, j->set), threads) * threads);
  return true;
}

/* `at`: room for the offsets of all passes, `step` for each. */
static void run_apart(direct_job *j, const pass *s, int64_t count, int64_t *at, int64_t step) {
  size_t bytes = (size_t)count * sizeof *j;
  direct_job *each = pti_cpu_host->alloc(bytes);
  if (each == NULL) {
    atomic_store(&j->failed, true);
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    enter_pass(j, &s[i], at + i * step);
    each[i] = *j;
  }
  sets_job sets = {each, count, &j->failed};
  double work = (double)(j->set * j->groups * j->co * pti_volume(j->out)) * (double)j->depth;
  int64_t grain = work >= UNIT_TERMS ? 1 : (int64_t)(UNIT_TERMS / (work + 1));
  pti_cpu_host->parallel_for(pieces(j->n, j->set), grain, run_sets, &sets);
  pti_cpu_host->free(each, bytes);
}

/* Whether neighbours of a line fill vectors better than output channels. */
static bool swap_pays(const direct_job *j, const pass *s, int64_t count) {
  if (j->co > pti_min64(2 * j->loops->half, j->loops->lanes / 2)) return false;
  for (int64_t i = 0; i < count; i++)
    if (s[i].step[2] != 1 || s[i].count[2] < j->loops->lanes / 2) return false;
  return true;
}

/* Whether each panel has one unit: one pass over one set, whose tiles are few. */
static bool has_few_tiles(direct_job *j, const pass *s, int64_t count) {
  if (count != 1 || j->swapped || j->set < j->n) return false;
  j->pass = s;
  j->images = j->n;
  cut_tiles(j);
  return j->nchunk <= 1;
}

/* All passes over all sets. */
static bool run(direct_job *j, const pass *s, int64_t count) {
  for (int d = 0; d < 3; d++) j->lead[d] = 0, j->room[d] = j->in[d];
  for (int64_t i = 0; i < count; i++) reach_of(j, &s[i]);
  j->swapped = swap_pays(j, s, count);
  if (!choose_set(j, 0, (int64_t)pti_cache_bytes() / 2)) return false;
  bool apart = sets_apart(j);
  j->together = !apart && has_few_tiles(j, s, count);
  j->depth = j->ci * pti_volume(j->k);
  int64_t panels = j->together ? 0 : j->groups * j->npanel;
  size_t w_bytes = (size_t)(panels * j->cols * j->depth * j->size);
  int64_t step = 2 * j->ci * j->k[0] * j->k[1];
  size_t x_bytes = apart ? 0 : source_bytes(j), at_bytes = (size_t)(step * (apart ? count : 1)) * 8;
  char *scratch = pti_cpu_host->alloc(w_bytes + 64 + x_bytes + at_bytes);
  if (scratch == NULL) return no_memory();
  int64_t *at = (int64_t *)scratch;
  j->panels = scratch + (at_bytes + 63) / 64 * 64;
  int64_t grain = pti_max64(1, COPY_PIECE / pti_max64(1, j->cols * j->depth));
  pti_cpu_host->parallel_for(panels, grain, pack_weights, j);
  if (apart) run_apart(j, s, count, at, step);
  for (int64_t image = 0; image < j->n && !apart; image += j->set) {
    enter_set(j, image, j->panels + w_bytes);
    for (int64_t i = 0; i < count; i++) run_pass(j, &s[i], at);
  }
  pti_cpu_host->free(scratch, w_bytes + 64 + x_bytes + at_bytes);
  return !atomic_load(&j->failed) || no_memory();
}

bool pti_conv_direct(const pti_conv *p, const void *x, const void *w, const void *bias, void *y) {
  direct_job j = {.from = x, .raw_w = w, .bias = bias, .to = y};
  pass s;
  prepare(&j, p, false);
  forward_pass(p, &s);
  return run(&j, &s, 1);
}

bool pti_conv_direct_data(const pti_conv *p, const void *g, const void *w, const void *bias,
                          void *x) {
  direct_job j = {.from = g, .raw_w = w, .bias = bias, .to = x};
  prepare(&j, p, true);
  int64_t many[3], count = 1;
  for (int d = 0; d < 3; d++) count *= many[d] = pti_min64(p->stride[d], p->in[d]);
  size_t bytes = (size_t)count * sizeof(pass);
  pass *s = pti_cpu_host->alloc(bytes);
  if (s == NULL) return no_memory();
  for (int64_t i = 0; i < count; i++) {
    residue(p, 0, i / many[2] / many[1], &s[i]);
    residue(p, 1, i / many[2] % many[1], &s[i]);
    residue(p, 2, i % many[2], &s[i]);
  }
  bool ok = run(&j, s, count);
  pti_cpu_host->free(s, bytes);
  return ok;
}

/* ---- the gradient of the weight ---- */

/* Rows of the kernel: neighbours in one direction, `row` apart in x and `index` apart among the weights of an output
   channel, and what makes a list of all others. */
typedef struct weight_job {
  direct_job d;
  const pti_conv *p;
  const char *g;
  char *w;
  bool by_tap;          /* rows are the taps of a line; else input channels */
  int64_t rows, index;  /* neighbours; distance of theirs in w */
  int64_t lists;        /* of neighbours: taps, or channels and lines of taps */
  int64_t parts, units; /* of a list, or 0 where two lists go together; in all, for a panel */
  char *sums;           /* those of each unit of each panel */
} weight_job;

/* Units: (group, panel, image of the set). Gradients of positions lie in rows of a panel. */
static void pack_gradients(void *ctx, int64_t lo, int64_t hi) {
  const weight_job *w = ctx;
  const direct_job *j = &w->d;
  product_packer *pack = pti_product_loops_now(pti_product_type(j->dtype))->pack[j->dtype];
  int64_t out = pti_volume(j->out);
  for (int64_t i = lo; i < hi; i++) {
    int64_t image = i % j->images, panel = i / j->images % j->npanel;
    int64_t group = i / j->images / j->npanel, at = panel * j->cols;
    int64_t width = panel_width(j, panel);
    product_side s = {.dtype = j->dtype, .step = out, .k_step = 1};
    s.data = w->g + ((j->image + image) * j->groups + group) * j->co * out * j->size;
    pack(&s, 0, panel_at(j, group, panel) + image * out * width * j->size, width, at,
         pti_min64(j->cols, j->co - at), 0, out);
  }
}

/* Where the first neighbour of a list is in x, and its number among the weights of an output channel. */
static int64_t list_at(const weight_job *w, int64_t list, int64_t *index) {
  const pti_conv *p = w->p;
  const int64_t *room = w->d.room;
  int64_t line = w->by_tap ? list : list / p->k[2], tap = w->by_tap ? 0 : list % p->k[2];
  int64_t b = line % p->k[1], a = line / p->k[1] % p->k[0], c = line / p->k[1] / p->k[0];
  *index = line * p->k[2] + tap;
  return c * source_plane(&w->d) + (a * p->dil[0] * room[1] + b * p->dil[1]) * room[2] +
      tap * p->dil[2];
}

/* A unit's rows: how many a half has, where the halves begin in x, and their first numbers among the weights. */
typedef struct unit_rows {
  int64_t u, x[2], index[2];
} unit_rows;

static unit_rows rows_of(const weight_job *w, int64_t unit) {
  unit_rows r = {.u = w->rows};
  if (w->parts == 0) { /* two lists, or twice the last one */
    r.x[0] = list_at(w, 2 * unit, &r.index[0]);
    r.x[1] = list_at(w, pti_min64(2 * unit + 1, w->lists - 1), &r.index[1]);
    return r;
  }
  int64_t part = unit / w->lists, from = w->rows * part / w->parts;
  int64_t until = w->rows * (part + 1) / w->parts, x = list_at(w, unit % w->lists, &r.index[0]);
  r.u = (until - from + 1) / 2;
  r.x[0] = x + from * w->d.terms.row;
  r.x[1] = x + (until - r.u) * w->d.terms.row;
  r.index[1] = r.index[0] + (until - r.u) * w->index;
  r.index[0] += from * w->index;
  return r;
}

/* Elements of a unit's sums. */
static int64_t unit_sums(const weight_job *w) { return 2 * w->d.loops->half * w->d.cols; }

static void add_sums(pt_dtype dtype, void *to, const void *from, int64_t n) {
  if (dtype == PT_F64)
    for (int64_t i = 0; i < n; i++) ((double *)to)[i] += ((const double *)from)[i];
  else
    for (int64_t i = 0; i < n; i++) ((float *)to)[i] += ((const float *)from)[i];
}

/* Units: (group, panel, unit of lists). The set's sums, added to those of the sets before. */
static void sum_weights(void *ctx, int64_t lo, int64_t hi) {
  const weight_job *w = ctx;
  const direct_job *j = &w->d;
  double more[CONV_SUMS] __attribute__((aligned(64)));
  for (int64_t i = lo; i < hi; i++) {
    int64_t panel = i / w->units % j->npanel, group = i / w->units / j->npanel;
    const char *from = j->x + group * j->ci * source_plane(j) * j->size;
    char *sums = w->sums + i * unit_sums(w) * j->size;
    unit_rows r = rows_of(w, i % w->units);
    conv_terms terms = j->terms;
    terms.w_unit = panel_width(j, panel);
    conv_kernel *sum = j->loops->sum[terms.w_unit > j->loops->lanes][r.u];
    sum(&terms, from + r.x[0] * j->size, from + r.x[1] * j->size, panel_at(j, group, panel),
        j->image > 0 ? (char *)more : sums);
    if (j->image > 0) add_sums(j->dtype, sums, more, 2 * r.u * terms.w_unit);
  }
}

/* Sums become the weights of n output channels; row i of a half is number index[half] + i * w->index. */
static void keep_weights(const weight_job *w, const void *sums, int64_t columns, int64_t n,
                         const unit_rows *r, char *to) {
  int64_t depth = w->d.ci * pti_volume(w->d.k), u = r->u;
  for (int64_t i = 0; i < 2 * u; i++) {
    int64_t at = r->index[i / u] + i % u * w->index, apart = at - r->index[0];
    if (i >= u && apart >= 0 && apart < u * w->index && apart % w->index == 0)
      continue; /* halves share it */
    for (int64_t o = 0; o < n; o++) {
      if (w->d.dtype == PT_F64)
        ((double *)to)[o * depth + at] = ((const double *)sums)[i * columns + o];
      else ((float *)to)[o * depth + at] = ((const float *)sums)[i * columns + o];
    }
  }
}

/* Units: (group, panel). What lies together in w is written by one thread. */
static void keep_panels(void *ctx, int64_t lo, int64_t hi) {
  const weight_job *w = ctx;
  const direct_job *j = &w->d;
  int64_t depth = j->ci * pti_volume(j->k);
  for (int64_t i = lo; i < hi; i++) {
    int64_t panel = i % j->npanel, group = i / j->npanel;
    int64_t channel = group * j->co + panel * j->cols;
    char *to = w->w + channel * depth * j->size;
    for (int64_t unit = 0; unit < w->units; unit++) {
      unit_rows r = rows_of(w, unit);
      keep_weights(w, w->sums + (i * w->units + unit) * unit_sums(w) * j->size,
                   panel_width(j, panel), pti_min64(j->cols, j->co - panel * j->cols), &r, to);
    }
  }
}

static void choose_rows(weight_job *w) {
  const pti_conv *p = w->p;
  direct_job *j = &w->d;
  int64_t lines = p->k[0] * p->k[1], half = j->loops->half;
  w->by_tap = j->ci < p->k[2] && j->ci <= half;
  w->rows = w->by_tap ? p->k[2] : j->ci;
  w->index = w->by_tap ? 1 : lines * p->k[2];
  w->lists = w->by_tap ? j->ci * lines : lines * p->k[2];
  w->parts = w->rows <= half ? 0 : pieces(w->rows, 2 * half);
  w->units = w->parts ? w->lists * w->parts : (w->lists + 1) / 2;
  j->terms.row = w->by_tap ? p->dil[2] : source_plane(j);
}

/* Where the set's lines of outputs begin, in x and in a panel. */
static void enter_lines(weight_job *w, int64_t *at) {
  const pti_conv *p = w->p;
  direct_job *j = &w->d;
  int64_t each = p->out[0] * p->out[1], *w_at = at + j->set * each;
  j->terms.outer = j->images * each, j->terms.inner = p->out[2];
  j->terms.x_at = at, j->terms.w_at = w_at;
  j->terms.step = p->stride[2], j->terms.w_step = 1;
  for (int64_t i = 0; i < j->terms.outer; i++) {
    int64_t image = i / each, z = i % each / p->out[1], y = i % p->out[1];
    at[i] = image * j->groups * j->ci * source_plane(j) +
        (z * p->stride[0] * j->room[1] + y * p->stride[1]) * j->room[2];
    w_at[i] = i * p->out[2];
  }
}

bool pti_conv_direct_weight(const pti_conv *p, const void *x, const void *g, void *to) {
  weight_job w = {.p = p, .g = g, .w = to};
  direct_job *j = &w.d;
  pass s;
  j->from = x;
  prepare(j, p, false);
  forward_pass(p, &s);
  for (int d = 0; d < 3; d++) j->lead[d] = p->pad[d], j->room[d] = j->in[d] + p->pad[d];
  reach_of(j, &s);
  int64_t out = pti_volume(p->out), row = j->groups * j->npanel * j->cols;
  if (!choose_set(j, row * out, WEIGHT_SET)) return false;
  choose_rows(&w);
  j->depth = j->set * out;
  size_t g_bytes = (size_t)(row * j->depth * j->size), x_bytes = source_bytes(j);
  size_t at_bytes = (size_t)(j->set * p->out[0] * p->out[1]) * 16;
  size_t sums = (size_t)(j->groups * j->npanel * w.units * unit_sums(&w) * j->size);
  size_t bytes = at_bytes + 64 + sums + g_bytes + x_bytes;
  char *scratch = pti_cpu_host->alloc(bytes);
  if (scratch == NULL) return no_memory();
  w.sums = scratch + (at_bytes + 63) / 64 * 64;
  j->panels = w.sums + sums;
  for (int64_t image = 0; image < j->n; image += j->set) {
    enter_set(j, image, j->panels + g_bytes);
    int64_t grain = pti_max64(1, COPY_PIECE / pti_max64(1, j->cols * out));
    pti_cpu_host->parallel_for(j->groups * j->npanel * j->images, grain, pack_gradients, &w);
    enter_lines(&w, (int64_t *)scratch);
    pti_cpu_host->parallel_for(j->groups * j->npanel * w.units, grain_of(j, 1), sum_weights, &w);
  }
  pti_cpu_host->parallel_for(j->groups * j->npanel, 1, keep_panels, &w);
  pti_cpu_host->free(scratch, bytes);
  return true;
}
