/* tensor.h: storage, tensors and views; scopes. Nothing is recorded here (op.h does that).

   A storage is memory with an atomic reference count; threads may share it. An alias is what all
   views of one tensor within one thread have in common: the storage they point at, and the version
   that in-place edits count up. Where a storage is held by more than one alias and not declared
   shared, the first write through an alias gives it a copy of its own (pti_writable), so values
   that crossed to another thread never change there. */
#ifndef PTI_TENSOR_H
#define PTI_TENSOR_H

#include "base.h"
#include "device.h"
#include "dtype.h"
#include "iter.h"
#include "storage.h"

typedef struct pti_alias {
  int refs;
  uint32_t version;
  bool inference;   /* created under inference_mode: never part of a graph */
  const char *edit; /* the last op that wrote in place, for messages */
  pti_storage *storage;
} pti_alias;

struct pt_tensor {
  int refs;
  uint8_t nd;
  pt_dtype dtype : 8;
  bool requires_grad;          /* of a leaf, as the user set it */
  bool wrapped;                /* a Lua number: weak in promotion */
  bool retains_grad;           /* a hook of its node keeps its gradient */
  uint16_t out;                /* which output of node this is */
  uint32_t epoch;              /* of root when node was recorded; see pti_node_of */
  struct pti_account *account; /* on which the object and its alias are booked, or NULL */
  int64_t offset;              /* in elements */
  int64_t numel;
  pti_alias *alias;
  pt_node *node; /* history, or the accumulating node of a leaf; read through pti_node_of */
  pt_tensor *grad;
  pt_tensor *root;  /* the tensor this is a view of (never itself a view), or NULL; strong */
  uint32_t rebased; /* of a root: how often an in-place edit changed its history */
  int64_t size[PT_MAX_DIM];
  int64_t stride[PT_MAX_DIM]; /* in elements */
};

/* The only place where sizes become numbers of elements and bytes: checks signs and overflow; errors
   name `op`. */
bool pti_check_sizes(const char *op, const int64_t *size, int nd, pt_dtype dtype, int64_t *numel,
                     size_t *bytes);
/* The lowest and one past the highest element that (size, stride) reach from offset 0; false on
   overflow. */
bool pti_extent(const int64_t *size, const int64_t *stride, int nd, int64_t *lo, int64_t *hi);

/* A dense tensor, contents undefined. */
pt_tensor *pti_new(const int64_t *size, int nd, pt_dtype dtype, int device);
static inline pt_tensor *pti_new_like(const pt_tensor *x, pt_dtype dtype) {
  return pti_new(x->size, x->nd, dtype, x->alias->storage->device);
}
/* Takes over the reference to a storage. NULL strides: row-major. */
pt_tensor *pti_new_over(pti_storage *s, pt_dtype dtype, const int64_t *size, const int64_t *stride,
                        int nd, int64_t offset, int64_t numel);
/* The same memory under other geometry, without history; checked against the storage. `root` is set
   where `tracked`, so that in-place edits reach the base's history. */
pt_tensor *pti_view(pt_tensor *x, const int64_t *size, const int64_t *stride, int nd,
                    int64_t offset, bool tracked);
/* The same for elements of another dtype; the geometry counts in those elements; tracked. */
pt_tensor *pti_view_as(pt_tensor *x, pt_dtype dtype, const int64_t *size, const int64_t *stride,
                       int nd, int64_t offset);
/* The same geometry and memory, without history and root. */
pt_tensor *pti_bare(pt_tensor *x);

/* Hands a tensor with one reference to the innermost scope; returns it. */
pt_tensor *pti_scoped(pt_tensor *x);
/* Retains and hands to the scope: for functions that may return their argument. */
pt_tensor *pti_borrow(pt_tensor *x);

static inline int pti_dev(const pt_tensor *x) { return x->alias->storage->device; }
static inline size_t pti_esize(const pt_tensor *x) { return pti_size_of(x->dtype); }
/* Waits for a copy in progress; false, with the reason recorded, where the device failed. */
bool pti_arrive(const pt_tensor *x);
static inline char *pti_ptr(const pt_tensor *x) {
  if (x->alias->storage->later) pti_arrive(x);
  return (char *)x->alias->storage->data + x->offset * (int64_t)pti_esize(x);
}
/* Row-major without gaps. */
static inline bool pti_dense(const pt_tensor *x) {
  int64_t step = 1;
  for (int d = x->nd - 1; d >= 0; d--) {
    if (x->size[d] != 1 && x->stride[d] != step) return x->numel == 0;
    step *= x->size[d];
  }
  return true;
}
/* Makes the memory writable for this alias and counts the edit: false on failure. Refuses a tensor
   whose own elements overlap (expand), naming `op`. Called before pti_ptr of whatever an op writes
   in place. */
bool pti_writable(const char *op, pt_tensor *x);
bool pti_overlaps_itself(const pt_tensor *x);
/* Whether x and y may access the same memory in a different order (an in-place op must then copy y
   first). */
bool pti_may_alias(const pt_tensor *x, const pt_tensor *y);

/* node.c: whether the graph of one of y goes back to a leaf other than x. */
bool pti_leads_beyond(pt_tensor *const *y, int ny, pt_tensor *const *x, int nx, bool *beyond);

/* "[2, 3]" in a rotating buffer of the thread, for messages. */
const char *pti_shape_text(const pt_tensor *x);
const char *pti_sizes_text(const int64_t *size, int nd);

/* view.c: geometry only, no history */
bool pti_broadcast(const char *op, const pt_tensor *const *x, int n, int64_t *size, int *nd);
pt_tensor *pti_expand_to(pt_tensor *x, const int64_t *size, int nd); /* bare */
/* dim counted from 0, or from the end when negative; the result is 0 .. nd - 1. A 0-dim tensor has
   dim 0 and -1. */
bool pti_dim(const char *op, int64_t dim, int nd, int *out);

/* dense, of the given dtype; x itself where it already is; no history */
pt_tensor *pti_dense_of(pt_tensor *x);
pt_tensor *pti_cast(pt_tensor *x, pt_dtype dtype);
/* y = x, element by element with broadcasting and conversion; no history, no version: y is fresh or
   writable */
bool pti_copy_into(pt_tensor *y, pt_tensor *x);
/* dense on another device; x itself where it already is; no history */
pt_tensor *pti_to_device(pt_tensor *x, int device);
/* The same, asynchronously where one of them is pinned: a copy to the CPU goes into pinned memory, and the
   first access to it waits (pti_ptr); the source of a copy from the CPU is not written before it is done. */
pt_tensor *pti_to_device_later(pt_tensor *x, int device);
/* A dense tensor in pinned memory, contents undefined. */
pt_tensor *pti_new_pinned(const pt_tensor *like, int device);
/* The thread's stream uses x: called for every input of an op, once streams can be chosen. */
void pti_note_use(pt_tensor *x);
bool pti_fill_value(pt_tensor *y, double value, int64_t ivalue);

/* As pt_register_hook, but fn runs after all other hooks, even those added later (hook.c). */
int64_t pti_register_last_hook(pt_tensor *x, pt_hook_fn fn, void (*free)(void *ud), void *ud);

#endif
