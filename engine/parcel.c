/* parcel.c: values on their way to another thread, and memory that threads share. */
#include <string.h>

#include "mem.h"
#include "tensor.h"

struct pt_parcel {
  pti_storage *storage;
  int64_t offset;
  uint8_t nd, dtype;
  bool requires_grad;
  int64_t size[PT_MAX_DIM], stride[PT_MAX_DIM];
};

pt_parcel *pt_pack(pt_tensor *x) {
  pt_parcel *p = x ? pti_alloc(sizeof *p) : NULL;
  if (p == NULL) return NULL;
  *p = (pt_parcel){.storage = x->alias->storage,
                   .offset = x->offset,
                   .nd = x->nd,
                   .dtype = x->dtype,
                   .requires_grad = x->requires_grad};
  memcpy(p->size, x->size, sizeof p->size);
  memcpy(p->stride, x->stride, sizeof p->stride);
  pti_storage_arrive(p->storage);
  pti_settle(p->storage); /* the receiver may read it at once */
  pti_storage_cross(p->storage);
  atomic_fetch_add_explicit(&p->storage->refs, 1, memory_order_relaxed);
  return p;
}

pt_tensor *pt_unpack(const pt_parcel *p) {
  atomic_fetch_add_explicit(&p->storage->refs, 1, memory_order_relaxed);
  int64_t numel = 1;
  for (int d = 0; d < p->nd; d++) numel *= p->size[d];
  pt_tensor *x = pti_new_over(p->storage, p->dtype, p->size, p->stride, p->nd, p->offset, numel);
  if (x) x->requires_grad = p->requires_grad;
  return x;
}

void pt_parcel_free(pt_parcel *p) {
  if (p == NULL) return;
  pti_storage_release(p->storage);
  pti_free(p, sizeof *p);
}

bool pt_share_memory(pt_tensor *x) {
  if (x == NULL) return false;
  pti_storage *s = x->alias->storage;
  /* Memory that others hold by value must not begin to change under them. */
  if (!atomic_load(&s->shared) && atomic_load(&s->refs) > 1 && !pti_writable("share_memory_", x))
    return false;
  atomic_store(&x->alias->storage->shared, true);
  return true;
}
bool pt_is_shared(const pt_tensor *x) { return atomic_load(&x->alias->storage->shared); }
