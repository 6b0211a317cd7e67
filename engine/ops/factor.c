/* factor.c: how a factorization is run: where it is asked for; on copies, for a device that has none, as LAPACK is the
   host's; and where it is long, on copies by a thread that the caller can leave, as nothing stops a call of LAPACK. */
#include "aside.h"
#include "mem.h"
#include "ops.h"

/* One array of a pti_factor. */
typedef struct array {
  void *from;    /* on the device */
  int64_t bytes; /* of one matrix's share, and later of the whole */
  bool read, written;
  void *host;
} array;

enum { ARRAYS = 6 };
static void arrays_of(const pti_factor *f, array *a) {
  bool of_complex = pti_is(f->dtype, PTI_COMPLEX);
  int64_t size = (int64_t)pt_dtype_size(f->dtype), real = of_complex ? size / 2 : size, m = f->m,
          n = f->n, k = pti_min64(m, n);
  int64_t rows = f->full ? m : k, columns = f->full ? n : k;
  bool solves = f->kind == PTI_LU_SOLVE || f->kind == PTI_TRIANGLE;
  bool tall = f->kind == PTI_LU || f->kind == PTI_QR || f->kind == PTI_SVD;
  a[0] = (array){f->a, (tall ? m : n) * n * size, true, !solves, NULL};
  int64_t b = solves ? n * f->k : f->kind == PTI_QR ? rows * n : f->kind == PTI_SVD ? k : n;
  int64_t each = f->kind == PTI_EIG ? 2 * real : f->kind >= PTI_EIGH ? real : size;
  a[1] = (array){f->b, b * each, solves, true, NULL};
  int64_t c = f->kind == PTI_EIG ? n * n * 2 * real : m * rows * size;
  a[2] = (array){f->c, c, false, true, NULL};
  a[3] = (array){f->d, columns * n * size, false, true, NULL};
  a[4] = (array){f->pivot, k * (int64_t)sizeof(int32_t), solves, !solves, NULL};
  a[5] = (array){f->info, (int64_t)sizeof(int32_t), false, true, NULL};
}

typedef struct copies {
  const pti_device *dev;
  pti_factor f; /* of the copies */
  array a[ARRAYS];
  pti_account *on;
  size_t booked;
} copies;

static bool copy(const pti_device *dev, void *to, const void *from, int64_t bytes, bool back) {
  if (bytes == 0) return true;
  if (dev == pti_device_at(0)) return memcpy(to, from, (size_t)bytes) != NULL;
  if (back) return dev->be->from_host(dev->index, to, from, (size_t)bytes);
  return dev->be->to_host(dev->index, to, from, (size_t)bytes, false);
}

static void copies_free(void *ctx) {
  copies *c = ctx;
  for (int i = 0; i < ARRAYS; i++) {
    if (c->a[i].host) pti_free(c->a[i].host, (size_t)pti_max64(c->a[i].bytes, 1));
  }
  pti_unbook(c->on, c->booked);
  pti_free(c, sizeof *c);
}

/* Copies what is read, and makes room for what is written. */
static bool fill(copies *c) {
  int64_t total = 0;
  for (int i = 0; i < ARRAYS; i++) {
    array *a = &c->a[i];
    if (a->from && !(pti_mul(a->bytes, c->f.batch, &a->bytes) && pti_add(total, a->bytes, &total)))
      return pti_refuse(PT_EMEMORY, "out of memory: the matrices are too large");
  }
  if (!pti_book((size_t)total, &c->on)) return false;
  c->booked = (size_t)total;
  for (int i = 0; i < ARRAYS; i++) {
    array *a = &c->a[i];
    if (a->from == NULL) continue;
    if ((a->host = pti_alloc_booked((size_t)pti_max64(a->bytes, 1))) == NULL) return false;
    if (a->read && !copy(c->dev, a->host, a->from, a->bytes, false)) return false;
  }
  c->f.a = c->a[0].host, c->f.b = c->a[1].host, c->f.c = c->a[2].host, c->f.d = c->a[3].host;
  c->f.pivot = c->a[4].host, c->f.info = c->a[5].host;
  return true;
}

static copies *copies_new(const pti_device *dev, const pti_factor *f) {
  copies *c = pti_alloc(sizeof *c);
  if (c == NULL) return NULL;
  *c = (copies){.dev = dev, .f = *f};
  arrays_of(f, c->a);
  if (fill(c)) return c;
  copies_free(c);
  return NULL;
}

static bool factor_copies(void *ctx) {
  const copies *c = ctx;
  return pti_device_at(0)->kernels->factor(0, &c->f);
}

static bool take_results(const copies *c) {
  bool ok = true;
  for (int i = 0; i < ARRAYS && ok; i++) {
    const array *a = &c->a[i];
    if (a->host && a->written) ok = copy(c->dev, a->from, a->host, a->bytes, true);
  }
  return c->dev->be->sync(c->dev->index) && ok; /* the copies are done with the host's memory */
}

/* Some 40 ms, in multiplications of an LU factorization; the others cost a multiple of these. The copies and the thread
   take 5 % of that. */
static const double LONG = 3e9;
static bool is_long(const pti_factor *f) {
  static const double cost[] = {
      [PTI_CHOLESKY] = 1, [PTI_LU] = 1,    [PTI_LU_SOLVE] = 1, [PTI_TRIANGLE] = 1,
      [PTI_QR] = 4,       [PTI_EIGH] = 10, [PTI_SVD] = 20,     [PTI_EIG] = 40,
  };
  double each = (double)f->m * (double)f->n * (double)pti_max64(pti_min64(f->m, f->n), f->k);
  return cost[f->kind] * each * (double)f->batch > LONG;
}

bool pti_factorize(const pt_tensor *x, const pti_factor *f) {
  const pti_device *dev = pti_home(x);
  bool own = dev->kernels->factor != NULL, aside = is_long(f) && pti_stoppable();
  if (f->batch == 0) return true;
  if (own && !(aside && dev == pti_device_at(0))) return dev->kernels->factor(dev->index, f);
  copies *c = copies_new(dev, f);
  if (c == NULL) return own && dev->kernels->factor(dev->index, f); /* no room: nobody can leave */
  pti_aside_end end = PTI_ASIDE_FAILED;
  if (aside) end = pti_aside(factor_copies, copies_free, c);
  else if (factor_copies(c)) end = PTI_ASIDE_DONE;
  if (end == PTI_ASIDE_LEFT) return false;
  bool ok = end == PTI_ASIDE_DONE && take_results(c);
  copies_free(c);
  return ok;
}
