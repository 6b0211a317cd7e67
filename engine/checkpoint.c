/* checkpoint.c: memory saved at the cost of time. Calls between begin and end are recorded, but what their gradients
   need is not kept: a slot knows only its number. When the first is asked for, the host repeats the calls, and what
   they would have saved, in the same order, fills the slots. Leaves and tensors made before are kept as always: they
   live anyway, and edits of them must not go unnoticed. */
#include <string.h>

#include "mem.h"
#include "node.h"

typedef struct entry {
  pt_tensor *t; /* bare */
  uint32_t version;
} entry;

struct pt_checkpoint {
  int refs;
  bool again; /* the calls are being repeated */
  uint64_t first;
  int count; /* of slots */
  entry *v;  /* what filled them, `filled` of them; NULL: not repeated yet */
  int filled, cap;
  bool (*recompute)(void *ud);
  void (*free)(void *ud);
  void *ud;
  pt_checkpoint *outer;
};

static PTI_THREAD pt_checkpoint *current;

static void empty(pt_checkpoint *c) {
  for (int i = 0; i < c->filled; i++) pt_release(c->v[i].t);
  pti_free(c->v, (size_t)c->cap * sizeof *c->v);
  c->v = NULL;
  c->filled = c->cap = 0;
}

void pti_checkpoint_release(pt_checkpoint *c) {
  if (c == NULL || --c->refs > 0) return;
  empty(c);
  if (c->free) c->free(c->ud);
  pti_free(c, sizeof *c);
}

pt_checkpoint *pt_checkpoint_begin(bool (*recompute)(void *), void (*free)(void *), void *ud) {
  pt_checkpoint *c = pti_alloc(sizeof *c);
  if (c == NULL) {
    if (free) free(ud);
    return NULL;
  }
  *c = (pt_checkpoint){.refs = 1,
                       .first = pti_this.last_node + 1,
                       .recompute = recompute,
                       .free = free,
                       .ud = ud,
                       .outer = current};
  return current = c;
}

void pt_checkpoint_end(pt_checkpoint *c) {
  if (c == NULL) return;
  current = c->outer;
  pti_checkpoint_release(c);
}

static bool fill(pt_checkpoint *c, pt_tensor *x) {
  if (c->filled == c->cap) {
    int cap = c->cap ? 2 * c->cap : 16;
    entry *v = pti_alloc((size_t)cap * sizeof *v);
    if (v == NULL) return false;
    if (c->filled) memcpy(v, c->v, (size_t)c->filled * sizeof *v);
    pti_free(c->v, (size_t)c->cap * sizeof *c->v);
    c->v = v;
    c->cap = cap;
  }
  pt_tensor *bare = pt_retain(pti_bare(x));
  if (bare) c->v[c->filled++] = (entry){bare, x->alias->version};
  return bare != NULL;
}

bool pti_checkpoint_takes(pti_saved_slot *slot, const pt_tensor *x, bool *ok) {
  pt_checkpoint *c = current;
  const pt_node *made = x->node;
  if (c == NULL || x->requires_grad || (made && made->id < c->first)) return false;
  if (c->again) {
    *ok = fill(c, (pt_tensor *)x);
    return true;
  }
  c->refs++;
  slot->checkpoint = c;
  slot->index = c->count++;
  return true;
}

/* Repeats the calls. They make a graph of their own, which is dropped; its slots come here. */
static bool redo(pt_checkpoint *c) {
  pt_checkpoint *was = current;
  bool grad = pt_set_grad_enabled(true);
  c->again = true;
  c->first = pti_this.last_node + 1;
  current = c;
  bool ok = c->recompute(c->ud);
  current = was;
  c->again = false;
  pt_set_grad_enabled(grad);
  if (ok && c->filled != c->count) {
    ok = pti_refuse(
        PT_EGRAD,
        "checkpoint: done again, the function saved %d tensors, and %d before: it must do "
        "the same each time",
        c->filled, c->count);
  }
  if (!ok) empty(c);
  return ok;
}

pt_tensor *pti_checkpoint_saved(const pti_saved_slot *slot, uint32_t *version) {
  pt_checkpoint *c = slot->checkpoint;
  if (c->again) return pti_fail(PT_EGRAD, "checkpoint: the function walks its own graph");
  if (c->v == NULL && !redo(c)) return NULL;
  *version = c->v[slot->index].version;
  return c->v[slot->index].t;
}

void pti_checkpoint_drop(pti_saved_slot *slot) {
  pt_checkpoint *c = slot->checkpoint;
  if (c == NULL) return;
  if (c->v && slot->index < c->filled) {
    pt_release(c->v[slot->index].t);
    c->v[slot->index].t = NULL;
  }
  slot->checkpoint = NULL;
  pti_checkpoint_release(c);
}
