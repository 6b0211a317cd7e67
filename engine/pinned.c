/* pinned.c: pinned memory of the host. Pinning costs more than most copies, so freed blocks are kept,
   by power of two, and used again once the copy that they were last part of is done. */
#include <pthread.h>
#include <string.h>

#include "mem.h"
#include "stream.h"

enum { NCLASS = 48, SMALLEST = 12 /* log2: a page */ };

typedef struct kept {
  struct kept *next;
  void *block;
  pt_event *busy; /* or NULL */
  int device;     /* that it was pinned for */
} kept;

static kept *list[NCLASS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int class_of(size_t bytes) {
  int c = SMALLEST;
  while (c < NCLASS && (size_t)1 << c < bytes) c++;
  return c < NCLASS ? c : -1;
}

/* Any backend's pinned memory is only its own: blocks of sim are not pinned for cuda. */
static kept *take(int c, int device) {
  for (kept **p = &list[c]; *p; p = &(*p)->next) {
    kept *k = *p;
    if (pti_be(k->device) != pti_be(device)) continue;
    if (k->busy && pt_event_query(k->busy) != 1) continue;
    *p = k->next;
    return k;
  }
  return NULL;
}

void *pti_pin(int device, size_t bytes) {
  const pti_device *d = pti_device_at(device);
  int c = class_of(bytes);
  if (c < 0) return pti_fail(PT_EMEMORY, "out of memory: %zu bytes could not be pinned", bytes);
  pthread_mutex_lock(&lock);
  kept *k = take(c, device);
  pthread_mutex_unlock(&lock);
  if (k == NULL) {
    void *p = d->be->pin(d->index, (size_t)1 << c);
    if (p || pt_error_code() != PT_EMEMORY) return p;
    pti_unpin_all();
    return d->be->pin(d->index, (size_t)1 << c);
  }
  void *p = k->block;
  pt_event_free(k->busy);
  pti_free(k, sizeof *k);
  return p;
}

void pti_unpin(int device, void *block, size_t bytes, pt_event *busy) {
  kept *k = pti_alloc(sizeof *k);
  if (k == NULL) { /* no room to remember it */
    if (busy) pt_event_synchronize(busy);
    pt_event_free(busy);
    pti_device_at(device)->be->unpin(pti_device_at(device)->index, block);
    return;
  }
  *k = (kept){.block = block, .busy = busy, .device = device};
  int c = class_of(bytes);
  pthread_mutex_lock(&lock);
  k->next = list[c];
  list[c] = k;
  pthread_mutex_unlock(&lock);
}

void pti_unpin_all(void) {
  for (int c = 0; c < NCLASS; c++) {
    pthread_mutex_lock(&lock);
    kept *all = list[c];
    list[c] = NULL;
    pthread_mutex_unlock(&lock);
    while (all) {
      kept *k = all;
      all = k->next;
      if (k->busy) pt_event_synchronize(k->busy);
      pt_event_free(k->busy);
      pti_device_at(k->device)->be->unpin(pti_device_at(k->device)->index, k->block);
      pti_free(k, sizeof *k);
    }
  }
}
