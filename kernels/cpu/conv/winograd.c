/* winograd.c: convolution with 3x3 windows and stride 1 in a quarter of the multiplications (Winograd's F(4x4, 3x3);
   Lavin and Gray, 2016). A tile of 4x4 outputs sees 6x6 inputs. Both they and the weights are transformed, linearly,
   into their values at 36 points; there convolution is an element-wise product, and a last transform leads back. The
   numbers at a point, for all tiles and channels, form matrices:

     sums (tiles, o) = data (tiles, c) weights (c, o)      36 times

   and those products are where the time goes. The gradient for the input is the same with the weights rotated by 180
   degrees.

   With stride 2 and in one dim, the outer taps meet every second input, as a window of two with stride 1, and the middle
   tap meets the others: 4 outputs of 9 inputs take 5 products and 4 instead of 12, tiles of 4x4 outputs 81 instead of
   144. The 4 are products by the same weight, so there are 6x6 matrices of weights as above, some for several of data.
   The gradient for the input has tiles of 8x8 outputs and 5x5 inputs.

   Images are first laid out with channels innermost, so that a vector holds neighbouring channels in all transforms.
   Where the weights fit the second-level cache, a unit of work is a few tiles: it transforms them and multiplies them
   by all weights, and nothing that a thread has made is read by another. Else a set of tiles is transformed at a time,
   and a unit is a part of it and a panel of output channels. Weights are transformed once, or by each unit where a panel
   has only one.

   Points of small magnitude lose few digits (0, +-1/sqrt(2), +-sqrt(2), infinity): errors are twice those of a direct
   sum, 1e-6 to 3e-6 of the largest output in ResNet's layers; conv.c says when it is used. Only for float, since double
   is chosen for its precision. */
#include "winograd.h"

#include <stdatomic.h>
#include <string.h>

#include "../product/product_loops.h"

/* Bytes of transformed data of a set, unless those are fewer than LEAST tiles; bytes of images that are laid out at a
   time; input channels whose weights are packed at a time; elements that justify a thread; steps of a product at a
   time. */
enum { SET = 1 << 20, LEAST = 128, TURNED = 1 << 21, PACKED = 32, PIECE = 16384, DEPTH = 256 };
/* Tiles of a unit with 6x6 points and with 9x9, and of a unit that multiplies by all weights. */
static const int64_t unit_tiles[2] = {64, 32}, whole_tiles[2] = {32, 14};

typedef struct winograd_job {
  const product_loops *loops;
  const winograd_loops *transform;
  int64_t n, ci, co; /* images, channels in and out */
  int64_t in[2], out[2];
  winograd_kind kind;
  winograd_size size;
  int lead[2]; /* inputs before the image that the first tile has */
  bool turned;
  const float *x, *w, *bias;
  float *y;
  int64_t down, across, tiles; /* of an image; of all */
  int64_t pitch, cols, panels; /* elements of a tile's channels; columns of a panel, panels */
  int64_t unit;                /* tiles of a unit at most */
  int64_t set, first, many;    /* tiles of a set at most; those of this one */
  int64_t chunks;
  bool together;         /* units transform their weights */
  bool whole;            /* units transform their tiles, and multiply them by all weights */
  float *image, *zeros;  /* (positions, pitch) of the images */
  float *data, *weights; /* (points, set, pitch); for each panel (36, ci, cols) */
  atomic_bool failed;
} winograd_job;

static int64_t pieces(int64_t n, int64_t most) { return (n + most - 1) / most; }

/* Units: pieces of POSITIONS positions of an image. */
enum { POSITIONS = 64 };
static void turn_images(void *ctx, int64_t lo, int64_t hi) {
  const winograd_job *j = ctx;
  int64_t area = j->in[0] * j->in[1], each = pieces(area, POSITIONS);
  for (int64_t i = lo; i < hi; i++) {
    int64_t image = i / each, at = i % each * area / each, until = (i % each + 1) * area / each;
    product_side s = {.dtype = PT_F32, .step = area, .k_step = 1};
    s.data = j->x + image * j->ci * area;
    j->loops->pack[PT_F32](&s, 0, j->image + (image * area + at) * j->pitch, j->pitch, 0, j->ci, at,
                           until - at);
  }
}

static void place(const winograd_job *j, int64_t tile, int64_t *image, int64_t *row, int64_t *col) {
  *col = tile % j->across;
  *row = tile / j->across % j->down;
  *image = tile / j->across / j->down;
}

/* Units: tiles of the set. */
static void transform_data(void *ctx, int64_t lo, int64_t hi) {
  const winograd_job *j = ctx;
  for (int64_t i = lo; i < hi; i++) {
    const float *from[WINOGRAD_MOST * WINOGRAD_MOST];
    int64_t image, row, col;
    place(j, j->first + i, &image, &row, &col);
    for (int q = 0; q < j->size.in * j->size.in; q++) {
      int64_t y = row * j->size.step + q / j->size.in - j->lead[0];
      int64_t x = col * j->size.step + q % j->size.in - j->lead[1];
      bool inside = y >= 0 && y < j->in[0] && x >= 0 && x < j->in[1];
      from[q] = inside ? j->image + ((image * j->in[0] + y) * j->in[1] + x) * j->pitch : j->zeros;
    }
    j->transform->data(from, j->pitch, j->data + i * j->pitch, j->set * j->pitch);
  }
}

/* The panel's weights of input channels from .. until - 1. */
static void transform_panel(const winograd_job *j, int64_t panel, int64_t from, int64_t until,
                            float *to) {
  float packed[(PACKED * 9 + 1) * 32] __attribute__((aligned(64)));
  int64_t at = panel * j->cols, n = pti_min64(j->cols, j->co - at);
  for (int64_t c = from; c < until; c += PACKED) {
    int64_t many = pti_min64(PACKED, until - c);
    product_side s = {.data = j->w, .dtype = PT_F32, .step = j->ci * 9, .k_step = 1};
    if (!j->turned) j->loops->pack[PT_F32](&s, 0, packed, j->cols, at, n, c * 9, many * 9);
    for (int64_t i = 0; i < many; i++) {
      float *one = packed + i * 9 * j->cols;
      if (j->turned) {
        s.data = j->w + (c + i) * j->co * 9, s.step = 9;
        j->loops->pack[PT_F32](&s, 0, one, j->cols, at, n, 0, 9);
      }
      const float *last = one + 8 * j->cols; /* rotated: the last tap comes first */
      j->transform->weight(j->turned ? last : one, j->turned ? -j->cols : j->cols, j->cols,
                           to + (c + i) * j->cols, j->ci * j->cols);
    }
  }
}

/* Units: (panel, PACKED input channels). */
static void transform_weights(void *ctx, int64_t lo, int64_t hi) {
  const winograd_job *j = ctx;
  int64_t each = pieces(j->ci, PACKED);
  for (int64_t i = lo; i < hi; i++) {
    int64_t c = i % each * PACKED;
    transform_panel(j, i / each, c, pti_min64(c + PACKED, j->ci),
                    j->weights + i / each * 36 * j->ci * j->cols);
  }
}

/* Tiles [from, until) of the set times weights, at one point. */
static void multiply_point(const winograd_job *j, int64_t from, int64_t until, int64_t point,
                           const float *b, float *sums) {
  int64_t tiles = until - from, panels = pieces(tiles, j->loops->kernel.rows);
  int64_t depth = pieces(j->ci, pieces(j->ci, DEPTH));
  const float *a = j->data + (point * j->set + from) * j->pitch;
  float *c = sums + point * j->unit * j->cols;
  for (int64_t k = 0; k < j->ci; k += depth) {
    int64_t kn = pti_min64(depth, j->ci - k);
    for (int64_t i = 0; i < panels; i++) {
      int64_t row = tiles * i / panels, h = tiles * (i + 1) / panels - row;
      float *to = c + row * j->cols;
      const float *next = b + k * j->cols + i * kn * (PRODUCT_AHEAD / 4);
      j->loops->kernel.micro[1][h](kn, a + row * j->pitch + k, j->pitch, 1, b + k * j->cols,
                                   j->cols, to, j->cols, k ? to : NULL, j->cols, 1, j->cols,
                                   (const char *)next);
    }
  }
}

/* The points of a line that weight i is for: those of the middle tap (0) stand behind the others. */
static int points_of(const winograd_job *j, int i, int *first) {
  bool middle = j->kind != WINOGRAD_ONE && i == 0;
  *first = j->kind == WINOGRAD_ONE ? i : middle ? 5 : i - 1;
  return middle ? 4 : 1;
}

/* The same at each point, with a panel's weights. */
static void multiply(const winograd_job *j, int64_t from, int64_t until, const float *w,
                     float *sums) {
  for (int i = 0; i < 36; i++, w += j->ci * j->cols) {
    int row, col, rows = points_of(j, i / 6, &row), cols = points_of(j, i % 6, &col);
    for (int q = 0; q < rows * cols; q++)
      multiply_point(j, from, until, (row + q / cols) * j->size.points + col + q % cols, w, sums);
  }
}

/* Tiles [from, until) of the set times a panel's weights become outputs. */
static void sum_panel(const winograd_job *j, int64_t from, int64_t until, int64_t panel,
                      const float *w, float *sums) {
  int64_t at = panel * j->cols, area = j->out[0] * j->out[1];
  multiply(j, from, until, w, sums);
  for (int64_t t = from; t < until; t++) {
    int64_t image, row, col;
    place(j, j->first + t, &image, &row, &col);
    row *= j->size.out, col *= j->size.out;
    j->transform->sums(sums + (t - from) * j->cols, j->unit * j->cols,
                       j->bias ? j->bias + at : NULL, pti_min64(j->cols, j->co - at),
                       j->y + ((image * j->co + at) * j->out[0] + row) * j->out[1] + col, area,
                       j->out[1], (int)pti_min64(j->size.out, j->out[0] - row),
                       (int)pti_min64(j->size.out, j->out[1] - col));
  }
}

static int64_t points(const winograd_job *j) { return j->size.points * j->size.points; }

/* Scratch for units; NULL: no memory, which is recorded. */
static float *scratch_of(winograd_job *j, int64_t floats) {
  float *scratch = pti_cpu_host->alloc((size_t)floats * sizeof(float));
  if (scratch == NULL) atomic_store(&j->failed, true);
  return scratch;
}

/* Units: (chunk of the set, panel). */
static void sum_tiles(void *ctx, int64_t lo, int64_t hi) {
  winograd_job *j = ctx;
  int64_t weights = 36 * j->ci * j->cols, each = points(j) * j->unit * j->cols;
  int64_t floats = each + (j->together ? weights : 0);
  float *sums = scratch_of(j, floats);
  for (int64_t i = lo; i < hi && sums; i++) {
    int64_t panel = i % j->panels, chunk = i / j->panels;
    float *w = j->together ? sums + each : j->weights + panel * weights;
    if (j->together) transform_panel(j, panel, 0, j->ci, w);
    sum_panel(j, j->many * chunk / j->chunks, j->many * (chunk + 1) / j->chunks, panel, w, sums);
  }
  if (sums) pti_cpu_host->free(sums, (size_t)floats * sizeof(float));
}

/* Units: chunks of the set, which is not transformed yet. */
static void sum_whole(void *ctx, int64_t lo, int64_t hi) {
  winograd_job *j = ctx, own = *j;
  int64_t each = points(j) * j->unit * j->cols;
  int64_t floats = each + points(j) * j->unit * j->pitch;
  float *sums = scratch_of(j, floats);
  own.set = j->unit;
  for (int64_t i = lo; i < hi && sums; i++) {
    int64_t from = j->many * i / j->chunks, until = j->many * (i + 1) / j->chunks;
    own.data = sums + each;
    own.first = j->first + from;
    transform_data(&own, 0, until - from);
    for (int64_t panel = 0; panel < j->panels; panel++)
      sum_panel(&own, 0, until - from, panel, j->weights + panel * 36 * j->ci * j->cols, sums);
  }
  if (sums) pti_cpu_host->free(sums, (size_t)floats * sizeof(float));
}

/* The outputs of j->n images from `first` on. */
static void run_images(winograd_job *j, const winograd_job *all, int64_t first) {
  int64_t area = j->in[0] * j->in[1];
  j->x = all->x + first * j->ci * area;
  j->y = all->y + first * j->co * j->out[0] * j->out[1];
  j->tiles = j->n * j->down * j->across;
  pti_cpu_host->parallel_for(j->n * pieces(area, POSITIONS),
                             pti_max64(1, PIECE / (POSITIONS * j->pitch)), turn_images, j);
  j->first = 0;
  if (j->whole) {
    j->many = j->tiles;
    j->chunks = pieces(j->many, j->unit);
    pti_cpu_host->parallel_for(j->chunks, 1, sum_whole, j);
    return;
  }
  for (; j->first < j->tiles; j->first += j->set) {
    j->many = pti_min64(j->set, j->tiles - j->first);
    j->chunks = pieces(j->many, j->unit);
    pti_cpu_host->parallel_for(j->many, pti_max64(1, PIECE / (points(j) * j->pitch)),
                               transform_data, j);
    pti_cpu_host->parallel_for(j->chunks * j->panels, 1, sum_tiles, j);
  }
}

static bool run(winograd_job *j) {
  j->loops = pti_product_loops_now(PRODUCT_F32);
  j->transform = &pti_conv_loops_now(PT_F32)->winograd[j->kind];
  j->size = pti_winograd_sizes[j->kind];
  int64_t lanes = j->loops->kernel.lanes, area = j->in[0] * j->in[1];
  j->down = pieces(j->out[0], j->size.out), j->across = pieces(j->out[1], j->size.out);
  j->tiles = j->n * j->down * j->across;
  j->cols = 2 * lanes, j->panels = pieces(j->co, j->cols);
  j->pitch = pieces(j->ci, lanes) * lanes;
  if (j->pitch % 128 == 0)
    j->pitch += lanes; /* not a power of two, which would map to few cache sets */
  int64_t part = pti_min64(j->n, pti_max64(1, TURNED / (4 * area * j->pitch)));
  int64_t tiles = part * j->down * j->across,
          fit = pti_max64(LEAST, SET / (points(j) * 4 * j->pitch));
  j->set = pieces(tiles, pieces(tiles, fit));
  j->unit = unit_tiles[j->kind != WINOGRAD_ONE];
  j->together = j->tiles <= j->unit;
  int64_t weights = j->together ? 0 : j->panels * 36 * j->ci * j->cols;
  j->whole = !j->together && weights * (int64_t)sizeof(float) <= (int64_t)pti_cache_bytes() * 5 / 4;
  if (j->whole) j->unit = whole_tiles[j->kind != WINOGRAD_ONE];
  int64_t image = part * area * j->pitch, data = j->whole ? 0 : points(j) * j->set * j->pitch;
  size_t bytes = (size_t)(image + j->pitch + data + weights + lanes) * sizeof(float);
  j->zeros = pti_cpu_host->alloc(bytes);
  if (j->zeros == NULL)
    return pti_cpu_host->fail(PT_EMEMORY, "convolution: no memory for its scratch");
  memset(j->zeros, 0, (size_t)j->pitch * sizeof(float));
  j->data = j->zeros + j->pitch, j->weights = j->data + data, j->image = j->weights + weights;
  if (!j->together)
    pti_cpu_host->parallel_for(j->panels * pieces(j->ci, PACKED), 1, transform_weights, j);
  winograd_job all = *j;
  for (int64_t first = 0; first < all.n; first += part) {
    j->n = pti_min64(part, all.n - first);
    run_images(j, &all, first);
  }
  pti_cpu_host->free(j->zeros, bytes);
  return !atomic_load(&j->failed) ||
      pti_cpu_host->fail(PT_EMEMORY, "convolution: no memory for its scratch");
}

bool pti_conv_winograd(const pti_conv *p, const void *x, const void *w, const void *bias, void *y) {
  winograd_job j = {.n = p->n, .ci = p->c, .co = p->o, .x = x, .w = w, .bias = bias, .y = y};
  j.kind = pti_winograd_kind(p, false);
  for (int d = 0; d < 2; d++)
    j.in[d] = p->in[d + 1], j.out[d] = p->out[d + 1], j.lead[d] = (int)p->pad[d + 1];
  return run(&j);
}

bool pti_conv_winograd_data(const pti_conv *p, const void *g, const void *w, const void *bias,
                            void *x) {
  winograd_job j = {.n = p->n, .ci = p->o, .co = p->c, .x = g, .w = w, .bias = bias, .y = x};
  j.turned = true;
  j.kind = pti_winograd_kind(p, true);
  for (int d = 0; d < 2; d++) {
    j.in[d] = p->out[d + 1], j.out[d] = p->in[d + 1];
    j.lead[d] = j.kind == WINOGRAD_ONE ? 2 - (int)p->pad[d + 1] : 0;
  }
  return run(&j);
}
