/* tensor.c: scopes, aliases, tensors: made, viewed and freed. The one function that turns sizes into bytes is here
   (pti_check_sizes). No graph is recorded here. */
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

/* ---- aliases ---- */

static pti_alias *alias_new(pti_storage *s) {
  pti_alias *a = s ? pti_alloc(sizeof *a) : NULL;
  if (a == NULL) {
    pti_storage_release(s);
    return NULL;
  }
  *a = (pti_alias){.refs = 1, .storage = s, .inference = pti_this.inference};
  return a;
}

static void alias_release(pti_alias *a) {
  if (a == NULL || --a->refs > 0) return;
  pti_storage_release(a->storage);
  pti_free(a, sizeof *a);
}

/* ---- tensors ---- */

/* What a tensor is booked with besides its storage. */
enum { OBJECT = sizeof(pt_tensor) + sizeof(pti_alias) };

/* Takes over the caller's reference to `alias`, also on failure. */
static pt_tensor *tensor_new(pti_alias *alias, pt_dtype dtype, const int64_t *size,
                             const int64_t *stride, int nd, int64_t offset, int64_t numel) {
  pti_account *on = NULL;
  bool booked = alias && pti_book(OBJECT, &on);
  pt_tensor *t = booked ? pti_alloc(sizeof *t) : NULL;
  if (t == NULL) {
    if (booked) pti_unbook(on, OBJECT);
    alias_release(alias);
    return NULL;
  }
  memset(t, 0, offsetof(pt_tensor, size));
  t->refs = 1;
  t->account = on;
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
  pti_unbook(t->account, OBJECT);
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
  return tensor_new(alias_new(pti_storage_new(bytes, device)), dtype, size, NULL, nd, 0, numel);
}

pt_tensor *pti_new_over(pti_storage *s, pt_dtype dtype, const int64_t *size, const int64_t *stride,
                        int nd, int64_t offset, int64_t numel) {
  return tensor_new(alias_new(s), dtype, size, stride, nd, offset, numel);
}

pt_tensor *pti_new_pinned(const pt_tensor *like, int device) {
  int64_t numel;
  size_t bytes;
  if (!pti_check_sizes("pin_memory", like->size, like->nd, like->dtype, &numel, &bytes))
    return NULL;
  pti_storage *s = pti_storage_pinned(bytes, device);
  return s ? pti_new_over(s, like->dtype, like->size, NULL, like->nd, 0, numel) : NULL;
}
bool pt_is_pinned(const pt_tensor *x) { return pti_storage_is_pinned(x->alias->storage); }

void pti_note_use(pt_tensor *x) {
  const pti_device *d = pti_device_at(pti_dev(x));
  if (pti_dev(x) != 0) pti_note_stream(x->alias->storage, d->be->stream(d->index));
}
bool pt_record_stream(pt_tensor *x, pt_stream s) {
  if (x == NULL) return false;
  if (pti_dev(x) != s.device) {
    return pti_refuse(PT_EDEVICE, "record_stream: x is on %s, the stream on %s",
                      pt_device_name(pti_dev(x)), pt_device_name(s.device));
  }
  pti_note_stream(x->alias->storage, s.handle);
  return true;
}

bool pti_arrive(const pt_tensor *x) { return pti_storage_arrive(x->alias->storage); }

static pt_tensor *view_of(pt_tensor *x, pt_dtype dtype, const int64_t *size, const int64_t *stride,
                          int nd, int64_t offset, bool tracked) {
  int64_t numel, lo, hi, have;
  size_t bytes;
  if (!pti_check_sizes("view", size, nd, dtype, &numel, &bytes)) return NULL;
  have = (int64_t)(x->alias->storage->bytes / pt_dtype_size(dtype));
  if (numel > 0 &&
      (!pti_extent(size, stride, nd, &lo, &hi) || !pti_add(lo, offset, &lo) ||
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
  if (!pti_storage_arrive(s)) return false;
  if (atomic_load_explicit(&s->refs, memory_order_acquire) > 1 && !atomic_load(&s->shared)) {
    if (!(a->storage = pti_storage_copy(s))) {
      a->storage = s;
      return false;
    }
    pti_storage_release(s);
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
