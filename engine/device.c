/* device.c: the devices of this process. The CPU is built in; other backends are plug-ins
   (libptlua_NAME.so, see plugin.c), opened at the first use of their name and never closed. */
#include "device.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "plugin.h"
#include "pool.h"
#include "ptlua_hash.h"

static const pt_host host = {
    .abi = PT_BACKEND_ABI,
    .fail = pti_refuse,
    .parallel_for = pti_parallel_for,
    .poll = pti_poll,
    .alloc = pti_alloc,
    .free = pti_free,
    .dtype_name = pt_dtype_name,
};

static pti_device table[PTI_MAX_DEVICE];
static atomic_int ndevice;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
/* For each backend, at the number of its first device: the device that its bare name means in this thread. */
static _Thread_local int chosen[PTI_MAX_DEVICE];

static void open_cpu(void) {
  const pt_backend *cpu = pti_cpu_backend(&host);
  table[0] = (pti_device){.be = cpu, .kernels = cpu->slots, .name = "cpu"};
  atomic_store(&ndevice, 1);
}

const pti_device *pti_device_at(int device) {
  if (atomic_load_explicit(&ndevice, memory_order_acquire) == 0) pthread_once(&once, open_cpu);
  return &table[device];
}
int pti_device_count(void) { return atomic_load_explicit(&ndevice, memory_order_acquire); }

const char *pt_device_name(int device) {
  pti_device_at(0);
  return device >= 0 && device < pti_device_count() ? table[device].name : "no device";
}

/* ---- plug-ins ---- */

static const pt_backend *open_backend(const char *name) {
  char hint[64];
  snprintf(hint, sizeof hint, "build it with `make %s`", name);
  pt_backend_opener *opener;
  void *entry = pti_plugin("device", name, PT_BACKEND_ENTRY, hint);
  if (entry == NULL) return NULL;
  memcpy(&opener, &entry, sizeof opener); /* ISO C has no cast from object to function */
  pti_fail(PT_OK, "%s", "");
  const pt_backend *be = opener(PT_BACKEND_ABI, &host);
  if (be == NULL && pt_error_code() != PT_OK) return NULL;
  if (be == NULL || be->abi != PT_BACKEND_ABI || strcmp(be->hash, PTI_HASH) != 0) {
    return pti_fail(PT_EDEVICE,
                    "device '%s': the plug-in was built for another version of ptlua; build both "
                    "from one source",
                    name);
  }
  return be;
}

/* Devices of a backend get numbers once. */
static bool open_devices(const char *name) {
  int n = pti_device_count();
  for (int d = 1; d < n; d++) {
    if (strcmp(table[d].be->name, name) == 0) return true;
  }
  const pt_backend *be = open_backend(name);
  if (be == NULL) return false;
  for (int i = 0; i < be->count() && n < PTI_MAX_DEVICE; i++, n++) {
    table[n] = (pti_device){.be = be, .kernels = be->slots, .index = i};
    snprintf(table[n].name, sizeof table[n].name, "%s:%d", be->name, i);
  }
  atomic_store_explicit(&ndevice, n, memory_order_release);
  return true;
}

/* ---- names ---- */

/* "cuda:1" -> "cuda" and 1; the index is -1 where none is given. */
static bool parse(const char *name, char *backend, size_t cap, int *index) {
  size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz");
  if (n == 0 || n >= cap || (name[n] && name[n] != ':')) return false;
  memcpy(backend, name, n);
  backend[n] = 0;
  *index = -1;
  if (name[n] == 0) return true;
  char *end;
  const char *digits = name + n + 1;
  long v = strtol(digits, &end, 10);
  if (end == digits || *end || v < 0 || v > 1000) return false;
  *index = (int)v;
  return true;
}

static int find(const char *backend, int index) {
  for (int d = 0; d < pti_device_count(); d++) {
    if (strcmp(table[d].be->name, backend) == 0 && table[d].index == index) return d;
  }
  return -1;
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
  int count = pt_device_count(backend);
  if (count < 0) return -1;
  if (index < 0) index = pt_current_device(backend);
  if (index < count) return find(backend, index);
  if (strcmp(backend, "cpu") == 0)
    pti_fail(PT_EDEVICE, "device '%s': there is one CPU device, \"cpu\"", name);
  else
    pti_fail(PT_EDEVICE, "device '%s': %s has %d device%s, numbered from 0", name, backend, count,
             count == 1 ? "" : "s");
  return -1;
}

int pt_device_count(const char *backend) {
  pti_device_at(0);
  if (strcmp(backend, "cpu") == 0) return 1;
  pthread_mutex_lock(&lock);
  bool open = open_devices(backend);
  pthread_mutex_unlock(&lock);
  int n = 0;
  while (open && find(backend, n) >= 0) n++;
  return open ? n : -1;
}

bool pt_device_synchronize(int device) {
  if (device < 0 || device >= pti_device_count())
    return pti_refuse(PT_EDEVICE, "no device %d", device);
  const pti_device *d = &table[device];
  return d->be->sync_all ? d->be->sync_all(d->index) : d->be->sync(d->index);
}

bool pt_set_device(int device) {
  pti_device_at(0);
  if (device < 0 || device >= pti_device_count())
    return pti_refuse(PT_EDEVICE, "no device %d", device);
  chosen[find(table[device].be->name, 0)] = table[device].index;
  return true;
}
int pt_current_device(const char *backend) {
  pti_device_at(0);
  int first = find(backend, 0);
  return first < 0 ? 0 : chosen[first];
}
