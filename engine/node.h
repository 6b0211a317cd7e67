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
  uint8_t nd;    /* geometry of the input, to which its gradient is reduced */
  uint8_t dtype;
  uint8_t device;
  const int64_t *size;
  int64_t offset; /* of the input in its storage, in elements */
} pti_edge;

typedef struct pti_saved_slot {
  pt_tensor *t; /* bare; NULL: not saved or released */
  uint32_t version;
  int16_t in;  /* input it was, or -1 */
  int16_t out; /* output it was, or -1 */
} pti_saved_slot;

typedef struct pti_hook {
  struct pti_hook *next;
  int out;
  int64_t id;
  /* May replace *g (scope-owned); false fails the walk. */
  bool (*fn)(void *ud, pt_tensor **g);
  void (*free)(void *ud);
  void *ud;
} pti_hook;

struct pt_node {
  uint64_t id;
  const pt_op *op; /* NULL: the accumulating node of a leaf */
  int refs;
  uint8_t nout;
  bool queued; /* waits in the heap of a walk */
  bool freed;  /* saved tensors were released by a backward */
  int nin, nsaved;
  size_t bytes;
  pti_edge *in;
  pt_arg *arg; /* numbers, strings and lists of the call; its tensors are NULL (see saved) */
  pti_saved_slot *saved; /* nin inputs, then nout outputs */
  pt_tensor **g;         /* gradients being summed during a walk, one per output */
  pt_tensor *leaf;       /* weak: of an accumulating node */
  pti_hook *hooks;
  void *ctx; /* of an op that keeps something of its own, freed by ctx_free */
  void (*ctx_free)(void *ctx);
  pt_node *next; /* of the list by which release avoids recursion */
};

/* The node whose output x is (a leaf's accumulating node is made on demand), or NULL where x needs
   no gradient. A view whose base was edited in place gets its history anew. On failure returns NULL
   with *ok false. */
pt_node *pti_node_of(pt_tensor *x, bool *ok);
bool pti_needs_grad(pt_tensor *x);

/* Records a call. in[i] are the tensor arguments in order (lists spelled out), out[k] the fresh
   outputs. */
bool pti_record(const pt_op *op, const pt_arg *arg, pt_tensor *const *in, int nin, pt_tensor **out,
                int nout, pt_node **node);
/* The output of a node that was recorded before an in-place edit: saved where the gradient reads
   it. */
bool pti_record_output(pt_node *n, pt_tensor *y);
/* x was edited in place and is now output 0 of `node`; reaches the base where x is a view. */
bool pti_rebase(pt_tensor *x, pt_node *node);

/* Saved tensors, for a vjp: input i, output k. Checks the version; carries history where a graph of
   the gradient is wanted. NULL on failure. */
pt_tensor *pti_saved(pt_node *n, int in);
pt_tensor *pti_saved_out(pt_node *n, int out);
/* Whether a gradient is asked for. */
static inline bool pti_wants(const pt_node *n, int in) { return n->in[in].node != NULL; }

pt_node *pti_node_retain(pt_node *n);
void pti_node_release(pt_node *n);
void pti_node_free_saved(pt_node *n);

#endif
