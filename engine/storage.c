/* storage.c: the memory of tensors: allocated on a device, pinned, or a host's own; freed when the last alias lets go and
   the streams that used it have done their work. */
#include "storage.h"

#include "account.h"
#include "device.h"
#include "mem.h"
#include "slots.h"

/* Where the elements of a CPU storage begin, in the same block as its header. */
enum { HEADER = 64 };
_Static_assert(sizeof(pti_storage) <= HEADER, "a storage's header fits before its data");

/* A block of the thread's account, and where the host gives its memory, of the host; 64-byte aligned either way. */
static void *block_new(const pti_account *a, size_t bytes) {
  if (a == NULL || a->alloc == NULL) return pti_alloc_booked(bytes);
  char *raw = a->alloc(a->ud, NULL, 0, bytes + 2 * HEADER);
  if (raw == NULL) return pti_fail(PT_EMEMORY, "out of memory: the host gave no %zu bytes", bytes);
  char *block = raw + 2 * HEADER - (uintptr_t)raw % HEADER;
  ((void **)(void *)block)[-1] = raw;
  return block;
}

static void block_free(const pti_account *a, void *block, size_t bytes) {
  if (a == NULL || a->alloc == NULL) pti_free(block, bytes);
  else a->alloc(a->ud, ((void **)block)[-1], bytes + 2 * HEADER, 0);
}

pti_storage *pti_storage_new(size_t bytes, int device) {
  pti_account *on;
  size_t block = device == 0 ? HEADER + bytes : HEADER;
  if (!pti_book(HEADER + bytes, &on)) return NULL;
  pti_storage *s = block_new(on, block);
  if (s == NULL) {
    pti_unbook(on, HEADER + bytes);
    return NULL;
  }
  *s = (pti_storage){.device = (int16_t)device, .bytes = bytes, .account = on};
  atomic_init(&s->refs, 1);
  s->data = device == 0 ? (char *)s + HEADER : pti_device_alloc(device, bytes, &s->stream);
  if (s->data == NULL && device != 0) {
    block_free(on, s, block);
    pti_unbook(on, HEADER + bytes);
    return NULL;
  }
  pti_count(PTI_LIVE_BYTES, (int64_t)bytes);
  return s;
}

void pti_storage_cross(pti_storage *s) {
  s->account = pti_account_lift(s->account, HEADER + s->bytes);
  atomic_store_explicit(&s->crossed, true, memory_order_relaxed);
}

/* A device works later than its thread asks it to. Where a storage is held by several threads, each
   waits for its own work before it lets go: the last one may hand the memory to new tensors. */
void pti_settle(const pti_storage *s) {
  const pti_device *d = pti_device_at(s->device);
  if (s->device != 0 && pti_streams_made()) d->be->sync_all(d->index);
  else if (s->device != 0) d->be->sync(d->index);
}

/* Marks pinned memory; its `ud` is the device it was pinned for. */
static void is_pinned(void *ud) { (void)ud; }

static void free_host_memory(pti_storage *s) {
  void (*release)(void *) = s->release;
  void *ud = s->ud;
  if (release == is_pinned) {
    pti_unpin((int)(intptr_t)ud, s->data, s->bytes, s->later);
    pti_count(PTI_LIVE_BYTES, -(int64_t)s->bytes);
  }
  pti_free(s, HEADER);
  if (release != is_pinned) release(ud);
}

void pti_storage_release(pti_storage *s) {
  bool crossed = s && atomic_load_explicit(&s->crossed, memory_order_relaxed);
  if (crossed) pti_settle(s);
  /* One that no other holder can come to or leave meanwhile needs no atomic subtraction. */
  if (s == NULL ||
      (atomic_load_explicit(&s->refs, memory_order_acquire) > 1 &&
       atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1))
    return;
  if (s->device == 0 && s->release) {
    free_host_memory(s);
    return;
  }
  pti_count(PTI_LIVE_BYTES, -(int64_t)s->bytes);
  pti_account *on = s->account;
  size_t bytes = s->bytes;
  if (s->device != 0)
    pti_device_free(s->device, s->data, bytes, crossed ? NULL : s->stream, s->users);
  block_free(on, s, s->device == 0 ? HEADER + bytes : HEADER);
  pti_unbook(on, HEADER + bytes);
}

/* Users of a block that crossed threads are not noted: each thread waits for its work before it lets go. */
void pti_note_stream(pti_storage *s, void *stream) {
  if (stream == NULL || stream == s->stream || atomic_load(&s->crossed)) return;
  if (s->users == NULL && (s->users = pti_alloc(sizeof *s->users)) != NULL) s->users->n = 0;
  for (int i = 0; s->users && i < s->users->n; i++) {
    if (s->users->stream[i] == stream) return;
  }
  if (s->users == NULL || s->users->n == (int)PTI_COUNT(s->users->stream))
    atomic_store(&s->crossed, true);
  else s->users->stream[s->users->n++] = stream;
}

pti_storage *pti_storage_copy(const pti_storage *s) {
  pti_storage *copy = pti_storage_new(s->bytes, s->device);
  if (copy == NULL) return NULL;
  const pti_device *dev = pti_device_at(s->device);
  pti_iter it = {.nd = 1,
                 .nop = 2,
                 .n = (int64_t)s->bytes,
                 .size = {(int64_t)s->bytes},
                 .stride = {{1}, {1}},
                 .ptr = {copy->data, s->data},
                 .dtype = {PT_U8, PT_U8}};
  if (s->bytes == 0 || dev->kernels->copy(dev->index, &it)) return copy;
  pti_storage_release(copy);
  return NULL;
}

bool pti_storage_arrive(pti_storage *s) {
  pt_event *e = s->later;
  if (e == NULL) return true;
  s->later = NULL;
  bool ok = pt_event_synchronize(e);
  pt_event_free(e);
  return ok;
}
pti_storage *pti_storage_of_host(void *data, size_t bytes, void (*release)(void *), void *ud) {
  pti_storage *s = pti_alloc(HEADER);
  if (s == NULL) return NULL;
  *s = (pti_storage){.bytes = bytes, .data = data};
  s->release = release;
  s->ud = ud;
  atomic_init(&s->refs, 1);
  return s;
}

pti_storage *pti_storage_pinned(size_t bytes, int device) {
  void *block = pti_pin(device, bytes);
  pti_storage *s =
      block ? pti_storage_of_host(block, bytes, is_pinned, (void *)(intptr_t)device) : NULL;
  if (s) pti_count(PTI_LIVE_BYTES, (int64_t)bytes);
  else if (block) pti_unpin(device, block, bytes, NULL);
  return s;
}

bool pti_storage_is_pinned(const pti_storage *s) {
  return s->device == 0 && s->release == is_pinned;
}
