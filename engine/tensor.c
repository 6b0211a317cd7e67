/* tensor.c: storage, aliases, tensors, scopes; what the public header says of a tensor's data. The
   one function that turns sizes into bytes is here (pti_check_sizes). No graph is recorded here. */
#include "tensor.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "node.h"
#include "slots.h"

/* ---- scopes ---- */

/* A stack of owned tensors; a NULL entry marks where a scope begins. */
static PTI_THREAD struct {
  pt_tensor **v;
  int n, cap;
} owned;
static _Thread_local pt_tensor *first[64]; /* where v points until it must grow */

static bool scope_push(pt_tensor *x) {
  if (owned.v == NULL) {
    owned.v = first;
    owned.cap = (int)PTI_COUNT(first);
  }
  if (owned.n == owned.cap) {
    size_t bytes = (size_t)owned.cap * sizeof *owned.v;
    pt_tensor **v = pti_alloc(2 * bytes);
    if (v == NULL) return false;
    memcpy(v, owned.v, bytes);
    if (owned.v != first) pti_free(owned.v, bytes);
    owned.v = v;
    owned.cap *= 2;
  }
  owned.v[owned.n++] = x;
  return true;
}

pt_scope pt_scope_begin(void) {
  int at = owned.n;
  return scope_push(NULL) ? at : -1;
}

void pt_scope_end(pt_scope scope) {
  if (scope < 0) return;
  while (owned.n > scope) pt_release(owned.v[--owned.n]);
  if (owned.n == 0 && owned.v && owned.v != first) {
    pti_free(owned.v, (size_t)owned.cap * sizeof *owned.v);
    owned.v = first;
    owned.cap = (int)PTI_COUNT(first);
  }
}

pt_tensor *pti_scoped(pt_tensor *x) {
  if (x == NULL) return NULL;
  if (owned.n > 0 && scope_push(x)) return x;
  if (owned.n == 0) pti_fail(PT_EARG, "no scope is open: call pt_scope_begin first");
  pt_release(x);
  return NULL;
}

pt_tensor *pt_retain(pt_tensor *x) {
  if (x) x->refs++;
  return x;
}
pt_tensor *pti_borrow(pt_tensor *x) { return pti_scoped(pt_retain(x)); }

/* ---- sizes ---- */

bool pti_check_sizes(const char *op, const int64_t *size, int nd, pt_dtype dtype, int64_t *numel,
                     size_t *bytes) {
  if (nd < 0 || nd > PT_MAX_DIM) {
    return pti_refuse(PT_ESHAPE, "%s: %d dims, but at most %d are supported", op, nd, PT_MAX_DIM);
  }
  /* The product of the nonzero sizes must fit too: strides of an empty tensor are computed from it. */
  int64_t n = 1, total;
  bool empty = false, fits = true;
  for (int d = 0; d < nd; d++) {
    if (size[d] < 0) {
      return pti_refuse(PT_ESHAPE, "%s: size %lld of dim %d is negative", op, (long long)size[d],
                        d + pti_this.index_base);
    }
    empty |= size[d] == 0;
    fits = fits && pti_mul(n, size[d] ? size[d] : 1, &n);
  }
  if (!fits || !pti_mul(n, (int64_t)pt_dtype_size(dtype), &total)) {
    return pti_refuse(PT_ESHAPE, "%s: %s has more elements than memory can address", op,
                      pti_sizes_text(size, nd));
  }
  *numel = empty ? 0 : n;
  *bytes = empty ? 0 : (size_t)total;
  return true;
}

bool pti_extent(const int64_t *size, const int64_t *stride, int nd, int64_t *lo, int64_t *hi) {
  *lo = *hi = 0;
  for (int d = 0; d < nd; d++) {
    int64_t reach;
    if (size[d] == 0) {
      *lo = *hi = 0;
      return true;
    }
    if (!pti_mul(size[d] - 1, stride[d], &reach)) return false;
    if (!pti_add(reach < 0 ? *lo : *hi, reach, reach < 0 ? lo : hi)) return false;
  }
  return pti_add(*hi, 1, hi);
}

/* ---- storage ---- */

/* Where the elements of a CPU storage begin, in the same block as its header. */
enum { HEADER = 64 };
_Static_assert(sizeof(pti_storage) <= HEADER, "a storage's header fits before its data");

static pti_storage *storage_new(size_t bytes, int device) {
  int booked = pti_book(bytes);
  if (booked < 0) return NULL;
  pti_storage *s = pti_alloc(device == 0 ? HEADER + bytes : HEADER);
  if (s == NULL) {
    if (booked) pti_unbook(bytes);
    return NULL;
  }
  *s = (pti_storage){.device = device, .bytes = bytes, .booked = booked};
  atomic_init(&s->refs, 1);
  s->data = device == 0 ? (char *)s + HEADER : pti_device_alloc(device, bytes, &s->stream);
  if (s->data == NULL && device != 0) {
    if (booked) pti_unbook(bytes);
    pti_free(s, HEADER);
    return NULL;
  }
  pti_count(PTI_LIVE_BYTES, (int64_t)bytes);
  return s;
}

/* A device works later than its thread asks it to. Where a storage is held by several threads, each
   waits for its own work before it lets go: the last one may hand the memory to new tensors. */
static void settle(const pti_storage *s) {
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

static void storage_release(pti_storage *s) {
  bool crossed = s && atomic_load_explicit(&s->crossed, memory_order_relaxed);
  if (crossed) settle(s);
  if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
  if (s->device == 0 && s->release) {
    free_host_memory(s);
    return;
  }
  pti_count(PTI_LIVE_BYTES, -(int64_t)s->bytes);
  if (s->booked) pti_unbook(s->bytes);
  if (s->device != 0)
    pti_device_free(s->device, s->data, s->bytes, crossed ? NULL : s->stream, s->users);
  pti_free(s, s->device == 0 ? HEADER + s->bytes : HEADER);
}

/* After the first, users of a block that crossed threads are not noted: they settle. */
static void note_stream(pti_storage *s, void *stream) {
  if (stream == NULL || stream == s->stream || atomic_load(&s->crossed)) return;
  if (s->users == NULL && (s->users = pti_alloc(sizeof *s->users)) != NULL) s->users->n = 0;
  for (int i = 0; s->users && i < s->users->n; i++) {
    if (s->users->stream[i] == stream) return;
  }
  if (s->users == NULL || s->users->n == (int)PTI_COUNT(s->users->stream))
    atomic_store(&s->crossed, true);
  else s->users->stream[s->users->n++] = stream;
}
void pti_note_use(pt_tensor *x) {
  const pti_device *d = pti_device_at(pti_dev(x));
  if (pti_dev(x) != 0) note_stream(x->alias->storage, d->be->stream(d->index));
}
bool pt_record_stream(pt_tensor *x, pt_stream s) {
  if (x == NULL) return false;
  if (pti_dev(x) != s.device) {
    return pti_refuse(PT_EDEVICE, "record_stream: x is on %s, the stream on %s",
                      pt_device_name(pti_dev(x)), pt_device_name(s.device));
  }
  note_stream(x->alias->storage, s.handle);
  return true;
}

static pti_alias *alias_new(pti_storage *s) {
  pti_alias *a = s ? pti_alloc(sizeof *a) : NULL;
  if (a == NULL) {
    storage_release(s);
    return NULL;
  }
  *a = (pti_alias){.refs = 1, .storage = s, .inference = pti_this.inference};
  return a;
}

static void alias_release(pti_alias *a) {
  if (a == NULL || --a->refs > 0) return;
  storage_release(a->storage);
  pti_free(a, sizeof *a);
}

/* ---- tensors ---- */

/* Takes over the caller's reference to `alias`, also on failure. */
static pt_tensor *tensor_new(pti_alias *alias, pt_dtype dtype, const int64_t *size,
                             const int64_t *stride, int nd, int64_t offset, int64_t numel) {
  pt_tensor *t = alias ? pti_alloc(sizeof *t) : NULL;
  if (t == NULL) {
    alias_release(alias);
    return NULL;
  }
  memset(t, 0, offsetof(pt_tensor, size));
  t->refs = 1;
  t->nd = (uint8_t)nd;
  t->dtype = dtype;
  t->offset = offset;
  t->numel = numel;
  t->alias = alias;
  for (int d = 0; d < nd; d++) t->size[d] = size[d];
  int64_t step = 1;
  for (int d = nd - 1; d >= 0; d--) {
    t->stride[d] = stride ? stride[d] : step;
    step *= size[d] ? size[d] : 1;
  }
  pti_count(PTI_LIVE_TENSORS, 1);
  return pti_scoped(t);
}

static void tensor_free(pt_tensor *t) {
  if (t->node && t->node->leaf == t) t->node->leaf = NULL;
  if (t->retains_grad) pti_forget_retained(t);
  pt_tensor *grad = t->grad, *root = t->root;
  pt_node *node = t->node;
  alias_release(t->alias);
  pti_count(PTI_LIVE_TENSORS, -1);
  pti_free(t, sizeof *t);
  /* A root has no root, a gradient's gradient is rare: neither chain is as long as user data. */
  pt_release(grad);
  pt_release(root);
  pti_node_release(node);
}

void pt_release(pt_tensor *t) {
  if (t && --t->refs == 0) tensor_free(t);
}

pt_tensor *pti_new(const int64_t *size, int nd, pt_dtype dtype, int device) {
  int64_t numel;
  size_t bytes;
  if (!pti_check_sizes("empty", size, nd, dtype, &numel, &bytes)) return NULL;
  return tensor_new(alias_new(storage_new(bytes, device)), dtype, size, NULL, nd, 0, numel);
}

/* ---- pinned memory ---- */

pt_tensor *pti_new_pinned(const pt_tensor *like, int device) {
  int64_t numel;
  size_t bytes;
  if (!pti_check_sizes("pin_memory", like->size, like->nd, like->dtype, &numel, &bytes))
    return NULL;
  pti_storage *s = pti_alloc(HEADER);
  void *block = s ? pti_pin(device, bytes) : NULL;
  if (block == NULL) {
    pti_free(s, HEADER);
    return NULL;
  }
  *s = (pti_storage){.bytes = bytes, .data = block};
  s->release = is_pinned;
  s->ud = (void *)(intptr_t)device;
  atomic_init(&s->refs, 1);
  pti_count(PTI_LIVE_BYTES, (int64_t)bytes);
  return tensor_new(alias_new(s), like->dtype, like->size, NULL, like->nd, 0, numel);
}

bool pt_is_pinned(const pt_tensor *x) {
  return pti_dev(x) == 0 && x->alias->storage->release == is_pinned;
}

static bool arrived(pti_storage *s) {
  pt_event *e = s->later;
  if (e == NULL) return true;
  s->later = NULL;
  bool ok = pt_event_synchronize(e);
  pt_event_free(e);
  return ok;
}
bool pti_arrive(const pt_tensor *x) { return arrived(x->alias->storage); }

static pt_tensor *view_of(pt_tensor *x, pt_dtype dtype, const int64_t *size, const int64_t *stride,
                          int nd, int64_t offset, bool tracked) {
  int64_t numel, lo, hi, have;
  size_t bytes;
  if (!pti_check_sizes("view", size, nd, dtype, &numel, &bytes)) return NULL;
  have = (int64_t)(x->alias->storage->bytes / pt_dtype_size(dtype));
  if (numel > 0 && (!pti_extent(size, stride, nd, &lo, &hi) || !pti_add(lo, offset, &lo) ||
                    !pti_add(hi, offset, &hi) || lo < 0 || hi > have)) {
    return pti_fail(PT_ESHAPE,
                    "sizes %s at offset %lld reach beyond the %lld elements of the storage",
                    pti_sizes_text(size, nd), (long long)offset, (long long)have);
  }
  x->alias->refs++;
  pt_tensor *y = tensor_new(x->alias, dtype, size, stride, nd, offset, numel);
  if (y && tracked) {
    y->root = pt_retain(x->root ? x->root : x);
    y->epoch = y->root->rebased;
  }
  return y;
}

pt_tensor *pti_view(pt_tensor *x, const int64_t *size, const int64_t *stride, int nd,
                    int64_t offset, bool tracked) {
  if (x == NULL) return NULL;
  return view_of(x, x->dtype, size, stride, nd, offset, tracked);
}
pt_tensor *pti_view_as(pt_tensor *x, pt_dtype dtype, const int64_t *size, const int64_t *stride,
                       int nd, int64_t offset) {
  return x ? view_of(x, dtype, size, stride, nd, offset, true) : NULL;
}

pt_tensor *pti_bare(pt_tensor *x) {
  if (x == NULL) return NULL;
  x->alias->refs++;
  return tensor_new(x->alias, x->dtype, x->size, x->stride, x->nd, x->offset, x->numel);
}

bool pti_dense(const pt_tensor *x) {
  int64_t step = 1;
  for (int d = x->nd - 1; d >= 0; d--) {
    if (x->size[d] != 1 && x->stride[d] != step) return x->numel == 0;
    step *= x->size[d];
  }
  return true;
}

bool pti_overlaps_itself(const pt_tensor *x) {
  if (x->numel < 2 || pti_dense(x)) return false;
  int64_t size[PT_MAX_DIM], stride[PT_MAX_DIM];
  int n = 0;
  for (int d = 0; d < x->nd; d++) { /* sorted by stride, dims of size 1 left out */
    if (x->size[d] == 1) continue;
    int at = n++;
    for (; at > 0 && stride[at - 1] > x->stride[d]; at--) {
      size[at] = size[at - 1];
      stride[at] = stride[at - 1];
    }
    size[at] = x->size[d];
    stride[at] = x->stride[d];
  }
  int64_t reach = 0; /* what the inner dims span; an outer stride must step over it */
  for (int i = 0; i < n; i++) {
    if (stride[i] <= reach) return true;
    reach += (size[i] - 1) * stride[i];
  }
  return false;
}

bool pti_may_alias(const pt_tensor *x, const pt_tensor *y) {
  if (x->alias->storage != y->alias->storage || x->numel == 0 || y->numel == 0) return false;
  bool same = x->offset == y->offset && x->nd == y->nd && x->dtype == y->dtype;
  for (int d = 0; same && d < x->nd; d++) {
    same = x->size[d] == y->size[d] && (x->size[d] == 1 || x->stride[d] == y->stride[d]);
  }
  return !same;
}

bool pti_writable(const char *op, pt_tensor *x) {
  if (x->alias->inference && !pti_this.inference) {
    return pti_refuse(
        PT_EGRAD,
        "%s: x [%s] was made under inference_mode and cannot be edited outside of it; "
        "edit a clone",
        op, pti_shape_text(x));
  }
  if (pti_overlaps_itself(x)) {
    return pti_refuse(
        PT_EARG, "%s: x [%s] has elements that share memory (expand): write to x:clone() instead",
        op, pti_shape_text(x));
  }
  pti_alias *a = x->alias;
  pti_storage *s = a->storage;
  if (!arrived(s)) return false;
  if (atomic_load_explicit(&s->refs, memory_order_acquire) > 1 && !atomic_load(&s->shared)) {
    pti_storage *own = storage_new(s->bytes, s->device);
    if (own == NULL) return false;
    const pti_device *dev = pti_device_at(s->device);
    pti_iter it = {.nd = 1,
                   .nop = 2,
                   .n = (int64_t)s->bytes,
                   .size = {(int64_t)s->bytes},
                   .stride = {{1}, {1}},
                   .ptr = {own->data, s->data},
                   .dtype = {PT_U8, PT_U8}};
    if (s->bytes && !dev->kernels->copy(dev->index, &it)) {
      storage_release(own);
      return false;
    }
    a->storage = own;
    storage_release(s);
  }
  a->version++;
  a->edit = op;
  return true;
}

/* ---- text ---- */

const char *pti_sizes_text(const int64_t *size, int nd) {
  static _Thread_local char buffer[4][PT_MAX_DIM * 21 + 4];
  static _Thread_local int turn;
  char *text = buffer[turn = (turn + 1) % 4];
  size_t n = 0, cap = sizeof buffer[0];
  text[0] = 0;
  for (int d = 0; d < nd && d < PT_MAX_DIM; d++) {
    n += (size_t)snprintf(text + n, cap - n, d ? ", %lld" : "%lld", (long long)size[d]);
  }
  return text;
}
const char *pti_shape_text(const pt_tensor *x) { return pti_sizes_text(x->size, x->nd); }

/* ---- the public header ---- */

int pt_ndim(const pt_tensor *x) { return x->nd; }
int64_t pt_size(const pt_tensor *x, int dim) { return x->size[dim < 0 ? dim + x->nd : dim]; }
int64_t pt_stride(const pt_tensor *x, int dim) { return x->stride[dim < 0 ? dim + x->nd : dim]; }
int64_t pt_numel(const pt_tensor *x) { return x->numel; }
pt_dtype pt_dtype_of(const pt_tensor *x) { return x->dtype; }
int pt_device_of(const pt_tensor *x) { return pti_dev(x); }
bool pt_is_contiguous(const pt_tensor *x) { return pti_dense(x); }
const void *pt_data(const pt_tensor *x) {
  return x && pti_dev(x) == 0 && pti_arrive(x) ? pti_ptr(x) : NULL;
}
void *pt_data_mut(pt_tensor *x) {
  if (x == NULL || !pti_writable("data_mut", x)) return NULL;
  return pti_dev(x) == 0 ? pti_ptr(x) : NULL;
}

pt_tensor *pt_empty(const int64_t *size, int nd, pt_dtype dtype, int device) {
  return pti_new(size, nd, dtype, device);
}
pt_tensor *pt_full(const int64_t *size, int nd, double value, pt_dtype dtype, int device) {
  pt_tensor *x = pti_new(size, nd, dtype, device);
  int64_t whole = value >= -9.2e18 && value <= 9.2e18 ? (int64_t)value : 0;
  return x && pti_fill_value(x, value, whole) ? x : NULL;
}
pt_tensor *pt_zeros(const int64_t *size, int nd, pt_dtype dtype, int device) {
  return pt_full(size, nd, 0, dtype, device);
}
pt_tensor *pt_ones(const int64_t *size, int nd, pt_dtype dtype, int device) {
  return pt_full(size, nd, 1, dtype, device);
}

pt_tensor *pt_scalar(double value) {
  pt_tensor *x = pti_new(NULL, 0, PT_F64, 0);
  if (x == NULL) return NULL;
  *(double *)x->alias->storage->data = value;
  x->wrapped = true;
  return x;
}
pt_tensor *pt_scalar_int(int64_t value) {
  pt_tensor *x = pti_new(NULL, 0, PT_I64, 0);
  if (x == NULL) return NULL;
  *(int64_t *)x->alias->storage->data = value;
  x->wrapped = true;
  return x;
}

pt_tensor *pt_from_data(const void *data, const int64_t *size, int nd, pt_dtype dtype) {
  pt_tensor *x = pti_new(size, nd, dtype, 0);
  if (x && x->numel) memcpy(x->alias->storage->data, data, x->alias->storage->bytes);
  return x;
}

/* Stands in for a host that keeps its memory: a storage with a release is not the engine's to free. */
static void keep(void *ud) { (void)ud; }

pt_tensor *pt_from_host(void *data, const int64_t *size, int nd, pt_dtype dtype,
                        void (*release)(void *), void *ud) {
  int64_t numel;
  size_t bytes;
  pti_storage *s = NULL;
  if (pti_check_sizes("from_host", size, nd, dtype, &numel, &bytes)) s = pti_alloc(HEADER);
  if (s == NULL) {
    if (release) release(ud);
    return NULL;
  }
  *s = (pti_storage){.bytes = bytes, .data = data};
  s->release = release ? release : keep;
  s->ud = ud;
  atomic_init(&s->refs, 1);
  atomic_init(&s->shared, true); /* the host sees writes */
  return tensor_new(alias_new(s), dtype, size, NULL, nd, 0, numel);
}

bool pt_item_int(const pt_tensor *x, int64_t *out) {
  double f;
  if (x && !pti_arrive(x)) return false;
  if (x && x->numel == 1 && !pti_is(x->dtype, PTI_INTS | PTI_BOOLS)) {
    if (!pt_item(x, &f)) return false;
    if (!(f >= -9223372036854775808.0 && f < 9223372036854775808.0)) {
      return pti_refuse(PT_EARG, "item: %g is not an integer", f);
    }
    *out = (int64_t)f;
    return true;
  }
  pt_scope s = pt_scope_begin();
  pt_tensor *y = NULL;
  if (x && x->numel == 1) {
    y = pti_cast((pt_tensor *)x, PT_I64);
    if (y && pti_dev(y) != 0) y = pti_to_device(y, 0);
  } else if (x) {
    pti_fail(PT_ESHAPE, "item: x [%s] has %lld elements, not one", pti_shape_text(x),
             (long long)x->numel);
  }
  if (y) *out = *(int64_t *)pti_ptr(y);
  pt_scope_end(s);
  return y != NULL;
}

bool pt_item(const pt_tensor *x, double *out) {
  if (x == NULL || !pti_arrive(x)) return false;
  if (x->numel != 1) {
    return pti_refuse(PT_ESHAPE, "item: x [%s] has %lld elements, not one", pti_shape_text(x),
                      (long long)x->numel);
  }
  if (pti_dev(x) == 0) { /* the two that a training loop asks for, without a conversion */
    if (x->dtype == PT_F32) return *out = (double)*(float *)pti_ptr(x), true;
    if (x->dtype == PT_F64) return *out = *(double *)pti_ptr(x), true;
  }
  pt_scope s = pt_scope_begin();
  pt_tensor *y = pti_cast((pt_tensor *)x, PT_F64);
  if (y && pti_dev(y) != 0) y = pti_to_device(y, 0);
  if (y) *out = *(double *)pti_ptr(y);
  pt_scope_end(s);
  return y != NULL;
}

/* ---- parcels ---- */

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
  arrived(p->storage);
  settle(p->storage);                                    /* whoever gets it may read it at once */
  if (p->storage->booked) pti_unbook(p->storage->bytes); /* from now on it is another's, too */
  p->storage->booked = false;
  atomic_store_explicit(&p->storage->crossed, true, memory_order_relaxed);
  atomic_fetch_add_explicit(&p->storage->refs, 1, memory_order_relaxed);
  return p;
}

pt_tensor *pt_unpack(const pt_parcel *p) {
  atomic_fetch_add_explicit(&p->storage->refs, 1, memory_order_relaxed);
  int64_t numel = 1;
  for (int d = 0; d < p->nd; d++) numel *= p->size[d];
  pt_tensor *x =
      tensor_new(alias_new(p->storage), p->dtype, p->size, p->stride, p->nd, p->offset, numel);
  if (x) x->requires_grad = p->requires_grad;
  return x;
}

void pt_parcel_free(pt_parcel *p) {
  if (p == NULL) return;
  storage_release(p->storage);
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
