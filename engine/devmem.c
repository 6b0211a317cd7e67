/* devmem.c: memory of devices other than the CPU. A device's own allocation waits for all that runs
   there, so freed blocks are kept, by size class and by the thread that freed them: a thread's work
   is done in order, so it may use its block again at once. Blocks of a thread that ended (its work was
   waited for) are anyone's. Tensors that cross threads see to it that nobody's work is pending on a
   block when another frees it (tensor.c).

   Classes: 512 bytes and up, four per power of two. A device whose backend is `exact` keeps nothing. */
#include "device.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { SMALLEST = 9 /* log2 */, NCLASS = 4 * (48 - SMALLEST) };

typedef struct kept {
  struct kept *next;
  void *block;
  const void *owner; /* the thread that may have it at once; NULL: all */
} kept;

static struct {
  kept *list[NCLASS];
  pt_device_stats stats;
} memory[PTI_MAX_DEVICE];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* its destructor hands over what a thread kept */
static _Thread_local char me;

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

static void leave(void *owner) {
  for (int d = 1; d < pti_device_count(); d++) pti_be(d)->sync(pti_device_at(d)->index);
  pthread_mutex_lock(&lock);
  for (int d = 1; d < pti_device_count(); d++) {
    for (int c = 0; c < NCLASS; c++) {
      for (kept *k = memory[d].list[c]; k; k = k->next)
        k->owner = k->owner == owner ? NULL : k->owner;
    }
  }
  pthread_mutex_unlock(&lock);
}
static void make_key(void) { pthread_key_create(&key, leave); }

static void *take(int device, int c, size_t size) {
  void *block = NULL;
  pthread_mutex_lock(&lock);
  for (kept **p = &memory[device].list[c]; *p && block == NULL; p = &(*p)->next) {
    kept *k = *p;
    if (k->owner != NULL && k->owner != &me) continue;
    block = k->block;
    *p = k->next;
    memory[device].stats.reserved_bytes -= (int64_t)size;
    pti_free(k, sizeof *k);
    break;
  }
  pthread_mutex_unlock(&lock);
  return block;
}

static bool keep(int device, int c, size_t size, void *block) {
  kept *k = pti_alloc(sizeof *k);
  if (k == NULL) return false;
  pthread_once(&once, make_key);
  pthread_setspecific(key, &me);
  *k = (kept){.block = block, .owner = &me};
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
    d->be->free(d->index, k->block, 0);
    pti_free(k, sizeof *k);
  }
}

void pt_device_empty_cache(void) {
  for (int d = 1; d < pti_device_count(); d++) give_back(d);
}

bool pt_get_device_stats(int device, pt_device_stats *out) {
  memset(out, 0, sizeof *out);
  if (device <= 0 || device >= pti_device_count())
    return pti_fail(PT_EDEVICE, "no device %d", device) != NULL;
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

void *pti_device_alloc(int device, size_t bytes) {
  const pti_device *d = pti_device_at(device);
  bool cached = !d->be->exact;
  size_t size = bytes;
  int c = cached ? class_of(bytes, &size) : -1;
  void *p = c >= 0 ? take(device, c, size) : NULL;
  if (p == NULL) p = d->be->alloc(d->index, size);
  if (p == NULL && pt_error_code() == PT_EMEMORY) { /* kept blocks, then garbage, then the error */
    give_back(device);
    p = d->be->alloc(d->index, size);
    if (p == NULL && pt_error_code() == PT_EMEMORY && pti_mem_collect()) {
      give_back(device);
      p = d->be->alloc(d->index, size);
    }
  }
  if (p) count(device, (int64_t)bytes);
  return p;
}

void pti_device_free(int device, void *block, size_t bytes) {
  const pti_device *d = pti_device_at(device);
  size_t size;
  int c = d->be->exact ? -1 : class_of(bytes, &size);
  count(device, -(int64_t)bytes);
  if (c < 0 || !keep(device, c, size, block)) d->be->free(d->index, block, bytes);
}
