/* hook.c: hooks of hosts: what runs when a tensor's gradient is known, and tensors that keep theirs. */
#include "mem.h"
#include "node.h"

static PTI_THREAD int64_t last_hook;

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

static int64_t add_hook(pt_tensor *x, pti_hook_kind kind, pt_hook_fn fn, void (*free)(void *),
                        void *ud) {
  bool after = kind == PTI_HOOK_AFTER;
  pt_node *n = node_for_hook(x, "register_hook");
  pti_hook *h = NULL;
  if (n && after && n->op)
    pti_fail(PT_EGRAD, "register_post_accumulate_grad_hook: x is the result of an op, not a leaf");
  else if (n)
    h = hook_new((pti_hook){
        .kind = kind, .out = x->out, .id = ++last_hook, .fn = fn, .free = free, .ud = ud});
  if (h == NULL) {
    if (free) free(ud);
    return 0;
  }
  pti_hook_insert(n, h);
  h->on_leaf = !after && n->op == NULL;
  if (h->on_leaf) pti_leaf_hooks++;
  return h->id;
}

int64_t pt_register_hook(pt_tensor *x, bool after, pt_hook_fn fn, void (*free)(void *), void *ud) {
  return add_hook(x, after ? PTI_HOOK_AFTER : PTI_HOOK_BEFORE, fn, free, ud);
}
int64_t pti_register_last_hook(pt_tensor *x, pt_hook_fn fn, void (*free)(void *), void *ud) {
  return add_hook(x, PTI_HOOK_LAST, fn, free, ud);
}

void pt_remove_hook(pt_tensor *x, int64_t hook) {
  if (x == NULL || x->node == NULL || hook == 0) return;
  for (pti_hook *h = x->node->busy ? x->node->hooks : NULL; h; h = h->next) {
    if (h->id == hook) h->id = 0; /* the walk takes it out */
  }
  pti_hook *h = pti_hook_take(x->node, hook, NULL);
  if (h) pti_hook_free(h);
}

bool pt_retain_grad(pt_tensor *x) {
  pt_node *n = node_for_hook(x, "retain_grad");
  if (n == NULL) return false;
  if (n->op == NULL || x->retains_grad) return true;
  pti_hook *h = hook_new((pti_hook){.kind = PTI_HOOK_RETAIN, .out = x->out, .keep = x});
  if (h == NULL) return false;
  pti_hook_insert(n, h);
  return x->retains_grad = true;
}
bool pt_retains_grad(const pt_tensor *x) { return x && x->retains_grad; }
