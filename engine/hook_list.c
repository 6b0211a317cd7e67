/* hook_list.c: the hooks of a node, in the order in which they run. A hook that keeps a tensor's gradient refers to the
   tensor weakly; it moves along when an edit in place gives the tensor another node. */
#include "mem.h"
#include "node.h"

PTI_THREAD int pti_leaf_hooks;

void pti_hook_free(pti_hook *h) {
  if (h->on_leaf) pti_leaf_hooks--;
  if (h->free) h->free(h->ud);
  pti_free(h, sizeof *h);
}

/* After those of its kind and of the kinds before it. */
void pti_hook_insert(pt_node *n, pti_hook *hook) {
  pti_hook **at = &n->hooks;
  while (*at && (*at)->kind <= hook->kind) at = &(*at)->next;
  hook->next = *at;
  *at = hook;
}

/* Takes out the hook with this number, or the one that keeps the gradient of `keep`. */
pti_hook *pti_hook_take(pt_node *n, int64_t id, const pt_tensor *keep) {
  for (pti_hook **at = n ? &n->hooks : NULL; at && *at; at = &(*at)->next) {
    pti_hook *h = *at;
    if (keep ? h->keep != keep : h->id != id) continue;
    *at = h->next;
    return h;
  }
  return NULL;
}

void pti_forget_retained(pt_tensor *x) {
  pti_hook *h = pti_hook_take(x->node, 0, x);
  x->retains_grad = false;
  if (h) pti_hook_free(h);
}

void pti_drop_hooks(pt_node *n) {
  pti_hook *kept = NULL;
  while (n->hooks) {
    pti_hook *h = n->hooks;
    n->hooks = h->next;
    if (h->keep) { /* its tensor lives, or it would have taken it along */
      h->next = kept;
      kept = h;
    } else {
      pti_hook_free(h);
    }
  }
  n->hooks = kept;
}

void pti_sweep_hooks(pt_node *n) {
  for (pti_hook **at = &n->hooks; *at;) {
    pti_hook *h = *at;
    if (h->id || h->keep) {
      at = &h->next;
      continue;
    }
    *at = h->next;
    pti_hook_free(h);
  }
}
