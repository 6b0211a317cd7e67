/* device.c: the devices of this process. The CPU is built in; other backends are plug-ins, opened
   at the first use of their name and never closed. This is the only file that calls dlopen. */
#include "device.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "pool.h"

enum { MAX_DEVICE = 64 };

static const pt_host host = {
    .abi = PT_BACKEND_ABI,
    .fail = pti_fail,
    .parallel_for = pti_parallel_for,
    .poll = pti_poll,
    .alloc = pti_alloc,
    .free = pti_free,
};

static pti_device table[MAX_DEVICE];
static atomic_int ndevice;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_cpu(void) {
  table[0] = (pti_device){.be = pti_cpu_backend(&host), .index = 0, .name = "cpu"};
  atomic_store(&ndevice, 1);
}

const pti_device *pti_device_at(int device) {
  if (atomic_load_explicit(&ndevice, memory_order_acquire) == 0) pthread_once(&once, open_cpu);
  return &table[device];
}

const char *pt_device_name(int device) {
  pti_device_at(0);
  return device >= 0 && device < atomic_load(&ndevice) ? table[device].name : "no device";
}

/* "cuda:1" -> "cuda" and 1; the index is 0 where none is given. */
static bool parse(const char *name, char *backend, size_t cap, int *index) {
  const char *colon = strchr(name, ':');
  size_t n = colon ? (size_t)(colon - name) : strlen(name);
  if (n == 0 || n >= cap) return false;
  memcpy(backend, name, n);
  backend[n] = 0;
  *index = 0;
  if (colon == NULL) return true;
  char *end;
  long v = strtol(colon + 1, &end, 10);
  if (end == colon + 1 || *end || v < 0 || v > 1000) return false;
  *index = (int)v;
  return true;
}

int pt_device(const char *name) {
  char backend[8];
  int index;
  pti_device_at(0);
  if (name == NULL || !parse(name, backend, sizeof backend, &index)) {
    pti_fail(PT_EDEVICE,
             "device '%s' is not a device's name: write \"cpu\", \"cuda\" or \"cuda:0\"",
             name ? name : "");
    return -1;
  }
  if (strcmp(backend, "cpu") == 0) {
    if (index == 0) return 0;
    pti_fail(PT_EDEVICE, "device '%s': there is one CPU device, \"cpu\"", name);
    return -1;
  }
  int found = -1;
  pthread_mutex_lock(&lock);
  for (int d = 1; d < atomic_load(&ndevice) && found < 0; d++) {
    if (strcmp(table[d].be->name, backend) == 0 && table[d].index == index) found = d;
  }
  pthread_mutex_unlock(&lock);
  if (found < 0) {
    pti_fail(PT_EDEVICE, "device '%s' is not available: this build knows the CPU only", name);
  }
  return found;
}

void *pti_device_alloc(int device, size_t bytes) {
  const pti_device *d = pti_device_at(device);
  return d->be->alloc(d->index, bytes);
}
void pti_device_free(int device, void *block, size_t bytes) {
  const pti_device *d = pti_device_at(device);
  d->be->free(d->index, block, bytes);
}
