/* node.h: one recorded call of an op. Edges point back in time only (ids grow), so reference counts
   free graphs, and descending id is the order of backward. Saved tensors are bare aliases with the
   version they had. */
#ifndef PTI_NODE_H
#define PTI_NODE_H

#include "op.h"
#include "tensor.h"

typedef struct pti_edge {
  pt_node *node; /* NULL: this input needs no gradient */
  uint8_t out;   /* which output of node */
  uint8_t nd;    /* geometry of the input; its gradient is reduced to it */
  pt_dtype dtype : 8;
  uint8_t device;
  const int64_t *size;
  int64_t offset; /* of the input in its storage, in elements */
} pti_edge;

typedef struct pti_saved_slot {
  pt_tensor *t; /* bare; NULL: not saved or released */
  uint32_t version;
  int16_t in;  /* which input it is, or -1 */
  int16_t out; /* which output it is, or -1 */
  int index;   /* within the checkpoint that recomputes it, where there is one */
  pt_checkpoint *checkpoint;
} pti_saved_slot;

/* The number of this thread's hooks on leaves: where there are any, walks run them early. */
extern PTI_THREAD int pti_leaf_hooks;

/* What waits for a gradient: a host's function before it is used, a tensor that keeps a copy (retain_grad), a
   host's function after a leaf got it. Kept in this order. */
/* In the order in which they run. LAST: as BEFORE, but after all others that see a gradient, even those added later. */
typedef enum { PTI_HOOK_BEFORE, PTI_HOOK_RETAIN, PTI_HOOK_LAST, PTI_HOOK_AFTER } pti_hook_kind;

typedef struct pti_hook {
  struct pti_hook *next;
  pti_hook_kind kind;
  int out;
  int64_t id;      /* 0: removed while the hooks ran */
  bool on_leaf;    /* of PTI_HOOK_BEFORE and LAST: counted in pti_leaf_hooks */
  pt_tensor *keep; /* of PTI_HOOK_RETAIN; weak: the hook is removed when the tensor is freed */
  pt_hook_fn fn;
  void (*free)(void *ud);
  void *ud;
} pti_hook;

struct pt_node {
  uint64_t id;
  const pt_op *op;  /* NULL: the accumulating node of a leaf */
  const char *name; /* for messages: of the op, or of a host's function */
  int refs;
  uint8_t nout;
  uint8_t queued; /* depth of the walk whose gradients are in g, or 0 */
  uint8_t wanted; /* depth of the innermost walk that was asked for the gradient of an output */
  bool skip;      /* leads to no gradient that the walk must compute */
  bool seen;      /* during the search for the nodes that a walk needs */
  bool freed;     /* its saved tensors were released by a backward */
  bool busy;      /* its hooks or its gradient are running */
  bool hooked;    /* of a leaf: its hooks have run in this walk */
  int waits;      /* of a leaf with hooks: calls that may still add to its gradient in this walk */
  int nin, nsaved;
  struct pti_account *account; /* on which its bytes are booked, or NULL */
  size_t bytes;
  pti_edge *in;
  pt_arg *arg; /* numbers, strings and lists of the call; its tensors are NULL (see saved) */
  pti_saved_slot *saved; /* nin inputs, then nout outputs */
  pt_tensor **g;         /* gradients being summed during a walk, one per output */
  pt_tensor *leaf;       /* weak: of an accumulating node */
  pti_hook *hooks;
  void *ctx; /* of an op with data of its own, freed by ctx_free */
  void (*ctx_free)(void *ctx);
  char *trace;   /* the line of the call, during anomaly detection */
  pt_node *next; /* in the list that lets release avoid recursion */
};

/* The node that x is an output of (a leaf's accumulating node is made on demand), or NULL where x needs
   no gradient. The history of a view whose base was edited in place is rebuilt. On failure returns NULL
   with *ok false. */
pt_node *pti_node_of(pt_tensor *x, bool *ok);
bool pti_needs_grad(pt_tensor *x);

/* Records a call. in[i] are the tensor arguments in order (lists expanded), out[k] the new
   outputs. */
bool pti_record(const pt_op *op, const pt_arg *arg, pt_tensor *const *in, int nin, pt_tensor **out,
                int nout, pt_node **node);
/* A node whose input sizes, arguments and saved tensors are not filled in, for function.c: `in` as for pti_record,
   after pti_node_of was called for each. NULL on failure. */
pt_node *pti_node_new(const pt_op *op, pt_tensor *const *in, int nin, int nout, int nsaved);
/* Saves x as input `in` or output `out` of n. */
bool pti_save(pt_node *n, pt_tensor *x, int in, int out);
/* The output of a node that was recorded before an in-place edit: saved where the gradient reads
   it. */
bool pti_record_output(pt_node *n, pt_tensor *y);
/* x was edited in place and is now output 0 of `node`; reaches the base where x is a view. */
bool pti_rebase(pt_tensor *x, pt_node *node, int out);

/* Saved tensors, for a vjp: input i, output k. Checks the version; has history where a graph of
   the gradient is to be recorded. NULL on failure. */
pt_tensor *pti_saved(pt_node *n, int in);
pt_tensor *pti_saved_out(pt_node *n, int out);
/* Input i, or NULL where the call had none; false on failure. */
bool pti_saved_if_given(pt_node *n, int in, pt_tensor **x);
pt_tensor *pti_saved_slot_of(pt_node *n, int i);
/* Fails: an earlier backward freed what this one needs. */
void *pti_used_up(const pt_node *n);
/* Whether this gradient is needed. */
static inline bool pti_wants(const pt_node *n, int in) {
  return n->in[in].node != NULL && !n->in[in].node->skip;
}

/* x is now output `out` of `node` (owned by the caller until now); hooks on x's own gradient move along. */
void pti_set_history(pt_tensor *x, pt_node *node, int out);
/* hook_list.c: inserted after those of its kind and of the kinds before it. */
void pti_hook_insert(pt_node *n, pti_hook *hook);
/* Removes the hook with this number, or the one that keeps the gradient of `keep`. */
pti_hook *pti_hook_take(pt_node *n, int64_t id, const pt_tensor *keep);
void pti_hook_free(pti_hook *h);
/* x is freed, or no longer keeps its gradient. */
void pti_forget_retained(pt_tensor *x);
/* Frees the hooks of hosts; running ones when they are done. */
void pti_drop_hooks(pt_node *n);
/* Frees hooks that were removed while they ran. */
void pti_sweep_hooks(pt_node *n);

/* checkpoint.c: whether x is left out of a slot, to be computed again; and the tensor of such a slot. */
bool pti_checkpoint_takes(pti_saved_slot *slot, const pt_tensor *x, bool *ok);
pt_tensor *pti_checkpoint_saved(const pti_saved_slot *slot, uint32_t *version);
void pti_checkpoint_drop(pti_saved_slot *slot);
void pti_checkpoint_release(pt_checkpoint *c);

/* anomaly.c: the line of a call, and NaN among its results (in NULL: inputs are not looked at) and its gradients. */
bool pti_anomaly_record(pt_node *n, pt_tensor *const *in, pt_tensor *const *out);
bool pti_anomaly_check(const pt_node *n, int i, pt_tensor *g);
void pti_anomaly_explain(const pt_node *n);

pt_node *pti_node_retain(pt_node *n);
void pti_node_release(pt_node *n);
void pti_node_free_saved(pt_node *n);

#endif
