/* hook.c: what waits for a gradient at a node. Hooks belong to the node; a hook that keeps a tensor's gradient refers to
   the tensor weakly and follows it when an edit in place gives it another node. */
#include <string.h>

#include "mem.h"
#include "node.h"

static PTI_THREAD int64_t last_hook;

static void hook_free(pti_hook *h) {
  if (h->free) h->free(h->ud);
  pti_free(h, sizeof *h);
}

/* After those of its kind and of the kinds before it. */
static void insert(pt_node *n, pti_hook *hook) {
  pti_hook **at = &n->hooks;
  while (*at && (*at)->kind <= hook->kind) at = &(*at)->next;
  hook->next = *at;
  *at = hook;
}

/* Takes out the hook with this number, or the one that keeps the gradient of `keep`. */
static pti_hook *take(pt_node *n, int64_t id, const pt_tensor *keep) {
  for (pti_hook **at = n ? &n->hooks : NULL; at && *at; at = &(*at)->next) {
    pti_hook *h = *at;
    if (keep ? h->keep != keep : h->id != id) continue;
    *at = h->next;
    return h;
  }
  return NULL;
}

void pti_set_history(pt_tensor *x, pt_node *node, int out) {
  pti_hook *h = x->retains_grad ? take(x->node, 0, x) : NULL;
  pti_node_release(x->node);
  x->node = node;
  x->out = (uint16_t)out;
  if (h == NULL) return;
  if (node) {
    h->out = out;
    insert(node, h);
  } else {
    x->retains_grad = false;
    hook_free(h);
  }
}

void pti_forget_retained(pt_tensor *x) {
  pti_hook *h = take(x->node, 0, x);
  x->retains_grad = false;
  if (h) hook_free(h);
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
      hook_free(h);
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
    hook_free(h);
  }
}

static pt_node *node_for_hook(pt_tensor *x, const char *what) {
  bool ok = true;
  pt_node *n = x ? pti_node_of(x, &ok) : NULL;
  if (x && ok && n == NULL)
    pti_fail(PT_EGRAD, "%s: x [%s] does not require grad", what, pti_shape_text(x));
  return n;
}

static pti_hook *hook_new(pti_hook value) {
  pti_hook *h = pti_alloc(sizeof *h);
  if (h) *h = value;
  return h;
}

int64_t pt_register_hook(pt_tensor *x, bool after, pt_hook_fn fn, void (*free)(void *), void *ud) {
  pt_node *n = node_for_hook(x, "register_hook");
  pti_hook *h = NULL;
  if (n && after && n->op)
    pti_fail(PT_EGRAD, "register_post_accumulate_grad_hook: x is the result of an op, not a leaf");
  else if (n)
    h = hook_new((pti_hook){.kind = after ? PTI_HOOK_AFTER : PTI_HOOK_BEFORE,
                            .out = x->out,
                            .id = ++last_hook,
                            .fn = fn,
                            .free = free,
                            .ud = ud});
  if (h == NULL) {
    if (free) free(ud);
    return 0;
  }
  insert(n, h);
  return h->id;
}

void pt_remove_hook(pt_tensor *x, int64_t hook) {
  if (x == NULL || x->node == NULL || hook == 0) return;
  for (pti_hook *h = x->node->busy ? x->node->hooks : NULL; h; h = h->next) {
    if (h->id == hook) h->id = 0; /* the walk takes it out */
  }
  pti_hook *h = take(x->node, hook, NULL);
  if (h) hook_free(h);
}

bool pt_retain_grad(pt_tensor *x) {
  pt_node *n = node_for_hook(x, "retain_grad");
  if (n == NULL) return false;
  if (n->op == NULL || x->retains_grad) return true;
  pti_hook *h = hook_new((pti_hook){.kind = PTI_HOOK_RETAIN, .out = x->out, .keep = x});
  if (h == NULL) return false;
  insert(n, h);
  return x->retains_grad = true;
}
bool pt_retains_grad(const pt_tensor *x) { return x && x->retains_grad; }
