/* devmem.c: memory of devices other than the CPU. A device's own allocation waits for all that runs
   there, so freed blocks are kept, by size class. A block is in the order of the stream it was
   allocated on, so work of that stream may use it again at once. Where other streams used it too
   (tensor.c records that), each must first finish the work that it was given before the block was freed. A block whose work
   was waited for, as tensors that cross threads are, is anyone's.

   Classes: 512 bytes and up, four per power of two. A device whose backend is `exact` keeps nothing. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "stream.h"

enum { SMALLEST = 9 /* log2 */, NCLASS = 4 * (48 - SMALLEST) };

typedef struct kept {
  struct kept *next;
  void *block;
  const void *stream; /* whose work may have it at once; NULL: anyone's */
  pti_users *marks;   /* marks that the streams must reach first, or NULL */
} kept;

static struct {
  kept *list[NCLASS];
  pt_device_stats stats;
} memory[PTI_MAX_DEVICE];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The class of a size and the bytes of its blocks; -1 where it is too large for one. */
static int class_of(size_t bytes, size_t *size) {
  *size = (size_t)1 << SMALLEST;
  if (bytes <= *size) return 0;
  if (bytes > (size_t)1 << 47) return -1;
  int top = 63 - __builtin_clzll(bytes - 1);
  size_t step = (size_t)1 << (top - 2), base = (size_t)1 << top;
  size_t quarter = (bytes - base + step - 1) / step;
  *size = base + quarter * step;
  return 4 * (top - SMALLEST) + (int)quarter;
}

/* Whether all marks are reached; those that are, are dropped. */
static bool passed(int device, kept *k, bool wait) {
  const pti_device *d = pti_device_at(device);
  while (k->marks && k->marks->n > 0) {
    void *mark = k->marks->stream[k->marks->n - 1];
    if (d->be->mark_done(d->index, mark, wait) == 0) return false;
    d->be->mark_free(d->index, mark);
    k->marks->n--;
  }
  pti_free(k->marks, sizeof *k->marks);
  k->marks = NULL;
  return true;
}

static void *take(int device, int c, size_t size, const void *stream) {
  void *block = NULL;
  pthread_mutex_lock(&lock);
  for (kept **p = &memory[device].list[c]; *p && block == NULL;) {
    kept *k = *p;
    if ((k->stream != NULL && k->stream != stream) || !passed(device, k, false)) {
      p = &k->next;
      continue;
    }
    block = k->block;
    *p = k->next;
    memory[device].stats.reserved_bytes -= (int64_t)size;
    pti_free(k, sizeof *k);
  }
  pthread_mutex_unlock(&lock);
  return block;
}

/* Replaces streams by marks behind the work that they have so far; false where a mark cannot be made. */
static bool mark_all(const pti_device *d, pti_users *users) {
  for (int i = 0; i < users->n; i++) {
    void *mark = d->be->mark(d->index, users->stream[i], false);
    if (mark == NULL) {
      while (i-- > 0) d->be->mark_free(d->index, users->stream[i]);
      users->n = 0;
      return false;
    }
    users->stream[i] = mark;
  }
  return true;
}

static bool keep(int device, int c, size_t size, void *block, void *stream, pti_users *users) {
  const pti_device *d = pti_device_at(device);
  kept *k = pti_alloc(sizeof *k);
  if (k == NULL || (users && !mark_all(d, users))) {
    d->be->sync_all(d->index);
    pti_free(users, sizeof *users);
    users = NULL;
    if (k == NULL) return false;
  }
  *k = (kept){.block = block, .stream = stream, .marks = users};
  pthread_mutex_lock(&lock);
  k->next = memory[device].list[c];
  memory[device].list[c] = k;
  memory[device].stats.reserved_bytes += (int64_t)size;
  pthread_mutex_unlock(&lock);
  return true;
}

static void count(int device, int64_t bytes) {
  pthread_mutex_lock(&lock);
  pt_device_stats *s = &memory[device].stats;
  s->live_bytes += bytes;
  if (s->live_bytes > s->peak_bytes) s->peak_bytes = s->live_bytes;
  pthread_mutex_unlock(&lock);
}

/* The device waits for its work before it gives memory back, whoever asked for that work. */
static void give_back(int device) {
  const pti_device *d = pti_device_at(device);
  pthread_mutex_lock(&lock);
  kept *all = NULL;
  for (int c = 0; c < NCLASS; c++) {
    while (memory[device].list[c]) {
      kept *k = memory[device].list[c];
      memory[device].list[c] = k->next;
      k->next = all;
      all = k;
    }
  }
  memory[device].stats.reserved_bytes = 0;
  pthread_mutex_unlock(&lock);
  while (all) {
    kept *k = all;
    all = k->next;
    passed(device, k, true);
    d->be->free(d->index, k->block, 0);
    pti_free(k, sizeof *k);
  }
}

void pt_device_empty_cache(void) {
  for (int d = 1; d < pti_device_count(); d++) give_back(d);
  pti_unpin_all();
}

bool pt_get_device_stats(int device, pt_device_stats *out) {
  memset(out, 0, sizeof *out);
  if (device <= 0 || device >= pti_device_count())
    return pti_refuse(PT_EDEVICE, "no device %d", device);
  const pti_device *d = pti_device_at(device);
  size_t free_bytes = 0, total = 0;
  char name[64] = "";
  if (d->be->describe && !d->be->describe(d->index, name, sizeof name, &free_bytes, &total))
    return false;
  pthread_mutex_lock(&lock);
  *out = memory[device].stats;
  pthread_mutex_unlock(&lock);
  out->reserved_bytes += out->live_bytes;
  out->free_bytes = (int64_t)free_bytes;
  out->total_bytes = (int64_t)total;
  memcpy(out->name, name, sizeof out->name);
  return true;
}

void pt_reset_device_peak(int device) {
  if (device <= 0 || device >= pti_device_count()) return;
  pthread_mutex_lock(&lock);
  memory[device].stats.peak_bytes = memory[device].stats.live_bytes;
  pthread_mutex_unlock(&lock);
}

static void *no_room(int device, size_t bytes) {
  pt_device_stats s;
  if (!pt_get_device_stats(device, &s)) return NULL;
  return pti_fail(
      PT_EMEMORY,
      "out of memory on %s: %zu bytes asked for; of its %lld bytes %lld are free, %lld in "
      "tensors; use smaller batches, or let go of tensors and graphs",
      pt_device_name(device), bytes, (long long)s.total_bytes, (long long)s.free_bytes,
      (long long)s.live_bytes);
}

void *pti_device_alloc(int device, size_t bytes, void **stream) {
  const pti_device *d = pti_device_at(device);
  size_t size = bytes;
  *stream = d->be->stream(d->index);
  if (*stream == NULL) return NULL;
  int c = d->be->exact ? -1 : class_of(bytes, &size);
  void *p = c >= 0 ? take(device, c, size, *stream) : NULL;
  if (p == NULL) p = d->be->alloc(d->index, size);
  if (p == NULL && pt_error_code() == PT_EMEMORY) { /* garbage, then kept blocks, then the error */
    pti_mem_collect();
    give_back(device);
    p = d->be->alloc(d->index, size);
    if (p == NULL && pt_error_code() == PT_EMEMORY) return no_room(device, bytes);
  }
  if (p) count(device, (int64_t)bytes);
  return p;
}

void pti_device_free(int device, void *block, size_t bytes, void *stream, pti_users *users) {
  const pti_device *d = pti_device_at(device);
  size_t size;
  int c = d->be->exact ? -1 : class_of(bytes, &size);
  count(device, -(int64_t)bytes);
  if (c < 0) pti_free(users, sizeof *users); /* the device waits for all its streams */
  if (c < 0 || !keep(device, c, size, block, stream, users)) d->be->free(d->index, block, bytes);
}
