/* backward.c: the walk from outputs to leaves. Node ids only grow, so taking the newest first is a
   topological order: a heap of pending nodes is all the state there is, and there is no recursion. */
#include <string.h>

#include "mem.h"
#include "node.h"

typedef struct walk {
  pt_node **heap; /* by descending id; each entry holds a reference */
  int n, cap;
  int flags;
  uint64_t oldest;     /* nothing older than this can reach a wanted input (pt_grad_of) */
  pt_tensor *const *x; /* wanted inputs, or NULL */
  int nx;
  pt_tensor **gx;
} walk;

static bool push(walk *w, pt_node *node) {
  if (w->n == w->cap) {
    int cap = w->cap ? 2 * w->cap : 32;
    pt_node **heap = pti_alloc((size_t)cap * sizeof *heap);
    if (heap == NULL) return false;
    if (w->n) memcpy(heap, w->heap, (size_t)w->n * sizeof *heap);
    pti_free(w->heap, (size_t)w->cap * sizeof *heap);
    w->heap = heap;
    w->cap = cap;
  }
  int at = w->n++;
  for (; at > 0 && w->heap[(at - 1) / 2]->id < node->id; at = (at - 1) / 2)
    w->heap[at] = w->heap[(at - 1) / 2];
  w->heap[at] = pti_node_retain(node);
  node->queued = true;
  return true;
}

static pt_node *pop(walk *w) {
  pt_node *top = w->heap[0], *last = w->heap[--w->n];
  int at = 0;
  for (;;) {
    int child = 2 * at + 1;
    if (child >= w->n) break;
    if (child + 1 < w->n && w->heap[child + 1]->id > w->heap[child]->id) child++;
    if (w->heap[child]->id < last->id) break;
    w->heap[at] = w->heap[child];
    at = child;
  }
  if (w->n) w->heap[at] = last;
  top->queued = false;
  return top;
}

/* Nobody else can see its elements. */
static bool sole_owner(const pt_tensor *g) {
  return g->refs == 1 && g->alias->refs == 1 && atomic_load(&g->alias->storage->refs) == 1 &&
         pti_dense(g);
}

/* old + g, into old where that is safe. Returns a reference for the caller. */
static pt_tensor *accumulate(pt_tensor *old, pt_tensor *g) {
  bool reuse = !pt_grad_enabled() && sole_owner(old) && old->dtype == g->dtype;
  pt_arg arg[] = {{.t = old, .given = true}, {.t = g, .given = true}};
  pt_tensor *sum = reuse ? pti_call_inplace(pti_op_at(PTI_OP_add), arg) : pt_add(old, g);
  return sum == old ? old : pt_retain(sum);
}

/* Adds g to what flows into output `out` of a node. */
static bool flow(walk *w, pt_node *to, int out, pt_tensor *g) {
  if (to->id < w->oldest) return true;
  pt_tensor **slot = &to->g[out];
  if (*slot == NULL) {
    *slot = pt_retain(g);
  } else {
    pt_tensor *sum = accumulate(*slot, g);
    if (sum == NULL) return false;
    if (sum != *slot) {
      pt_release(*slot);
      *slot = sum;
    }
  }
  return to->queued || push(w, to);
}

/* The gradient of a leaf arrives: kept as it is where nobody else holds it, else copied or added. */
static bool arrive(walk *w, pt_node *node) {
  pt_tensor *leaf = node->leaf, *g = node->g[0];
  if (leaf == NULL || w->x) return true;
  if (leaf->grad == NULL) {
    bool keep = pt_grad_enabled() || sole_owner(g);
    pt_tensor *own = keep ? g : pt_clone(g);
    leaf->grad = pt_retain(own);
    return own != NULL;
  }
  pt_tensor *sum;
  if (pt_grad_enabled()) {
    sum = pt_retain(pt_add(leaf->grad, g));
  } else {
    pt_arg arg[] = {{.t = leaf->grad, .given = true}, {.t = g, .given = true}};
    sum = pt_retain(pti_call_inplace(pti_op_at(PTI_OP_add), arg));
  }
  if (sum == NULL) return false;
  pt_release(leaf->grad);
  leaf->grad = sum;
  return true;
}

/* Hands gradients of wanted inputs over, to the scope that was open before the walk. */
static void capture(walk *w, const pt_node *node) {
  for (int i = 0; i < w->nx; i++) {
    const pt_tensor *x = w->x[i];
    if (x->node == node && node->g[x->out]) w->gx[i] = pt_retain(node->g[x->out]);
  }
}

static bool run_hooks(pt_node *node) {
  for (pti_hook *h = node->hooks; h; h = h->next) {
    pt_tensor *g = node->g[h->out];
    if (g == NULL) continue;
    pt_tensor *changed = g;
    if (!h->fn(h->ud, &changed)) return false;
    if (changed != g) {
      node->g[h->out] = pt_retain(changed);
      pt_release(g);
    }
  }
  return true;
}

static bool check_gradient(const pt_node *node, int i, const pt_tensor *g) {
  const pti_edge *e = &node->in[i];
  if (g->nd == e->nd && memcmp(g->size, e->size, e->nd * sizeof *e->size) == 0) return true;
  return pti_fail(PT_EGRAD, "backward of %s gave a gradient [%s] for an input [%s]", node->op->name,
                  pti_shape_text(g), pti_sizes_text(e->size, e->nd)) != NULL;
}

/* The vjp, and its gradients flow on. gx has room for one gradient per input. */
static bool propagate(walk *w, pt_node *node, pt_tensor **gx) {
  if (!node->op->vjp(node, node->g, gx)) return false;
  for (int i = 0; i < node->nin; i++) {
    if (gx[i] == NULL || node->in[i].node == NULL) continue;
    if (!check_gradient(node, i, gx[i]) || !flow(w, node->in[i].node, node->in[i].out, gx[i]))
      return false;
  }
  if (!(w->flags & (PT_RETAIN_GRAPH | PT_CREATE_GRAPH))) pti_node_free_saved(node);
  return true;
}

static bool visit(walk *w, pt_node *node) {
  pt_tensor *few[16] = {0}, **gx = few;
  if (!pti_poll() || !run_hooks(node)) return false;
  if (w->x) capture(w, node);
  if (node->op == NULL) return arrive(w, node);
  if (node->nin <= (int)PTI_COUNT(few)) return propagate(w, node, gx);
  size_t bytes = (size_t)node->nin * sizeof *gx;
  if ((gx = pti_alloc(bytes)) == NULL) return false;
  memset(gx, 0, bytes);
  bool ok = propagate(w, node, gx);
  pti_free(gx, bytes);
  return ok;
}

static void drop_gradients(pt_node *node) {
  for (int k = 0; k < node->nout; k++) {
    pt_release(node->g[k]);
    node->g[k] = NULL;
  }
}

static bool run(walk *w) {
  bool ok = true, was = pt_set_grad_enabled((w->flags & PT_CREATE_GRAPH) != 0);
  while (w->n > 0) {
    pt_node *node = pop(w);
    if (ok) {
      pt_scope s = pt_scope_begin();
      ok = visit(w, node);
      pt_scope_end(s);
    }
    drop_gradients(node);
    pti_node_release(node);
  }
  pti_free(w->heap, (size_t)w->cap * sizeof *w->heap);
  pt_set_grad_enabled(was);
  return ok;
}

/* The gradient that a walk starts with: as given, else one for a single element. */
static pt_tensor *seed(pt_tensor *y, pt_tensor *grad) {
  if (grad == NULL) {
    if (y->numel != 1) {
      return pti_fail(
          PT_EGRAD,
          "backward: x [%s] has %lld elements; give the gradient, or reduce it to one (x:sum())",
          pti_shape_text(y), (long long)y->numel);
    }
    return pt_ones(y->size, y->nd, (pt_dtype)y->dtype, pti_dev(y));
  }
  if (grad->nd != y->nd || memcmp(grad->size, y->size, y->nd * sizeof *y->size) != 0) {
    return pti_fail(PT_ESHAPE, "backward: gradient [%s] for x [%s]", pti_shape_text(grad),
                    pti_shape_text(y));
  }
  return grad->dtype == y->dtype ? grad : pt_to_dtype(grad, (pt_dtype)y->dtype);
}

static bool start(walk *w, pt_tensor *const *y, pt_tensor *const *grad, int n) {
  for (int i = 0; i < n; i++) {
    bool ok = true;
    pt_node *node = y[i] ? pti_node_of(y[i], &ok) : NULL;
    if (y[i] == NULL || !ok) return false;
    if (node == NULL) {
      return pti_fail(PT_EGRAD,
                      "backward: x [%s] does not require grad: nothing it was made from does",
                      pti_shape_text(y[i])) != NULL;
    }
    pt_tensor *g = seed(y[i], grad ? grad[i] : NULL);
    if (g == NULL || !flow(w, node, y[i]->out, g)) return false;
  }
  return true;
}

static bool walk_from(walk *w, pt_tensor *const *y, pt_tensor *const *grad, int n) {
  pt_scope s = pt_scope_begin();
  bool ok = start(w, y, grad, n);
  if (!ok) { /* gradients that were set must not stay behind */
    while (w->n > 0) {
      pt_node *node = pop(w);
      drop_gradients(node);
      pti_node_release(node);
    }
    pti_free(w->heap, (size_t)w->cap * sizeof *w->heap);
  } else {
    ok = run(w);
  }
  pt_scope_end(s);
  return ok;
}

bool pt_backward_with(pt_tensor *const *y, pt_tensor *const *grad, int n, int flags) {
  walk w = {.flags = flags};
  return walk_from(&w, y, grad, n);
}
bool pt_backward(pt_tensor *y) { return pt_backward_with(&y, NULL, 1, 0); }

bool pt_grad_of(pt_tensor *const *y, pt_tensor *const *grad, int ny, pt_tensor *const *x, int nx,
                int flags, pt_tensor **gx) {
  walk w = {.flags = flags, .x = x, .nx = nx, .gx = gx, .oldest = UINT64_MAX};
  bool ok = true;
  for (int i = 0; i < nx; i++) {
    pt_node *node = x[i] ? pti_node_of(x[i], &ok) : NULL;
    if (x[i] == NULL || !ok) return false;
    gx[i] = NULL;
    if (node == NULL) {
      return pti_fail(PT_EGRAD, "grad: input %d [%s] does not require grad",
                      i + pti_this.index_base, pti_shape_text(x[i])) != NULL;
    }
    if (node->id < w.oldest) w.oldest = node->id;
  }
  ok = walk_from(&w, y, grad, ny);
  for (int i = 0; i < nx; i++) {
    if (gx[i]) gx[i] = pti_scoped(gx[i]);
    else if (ok && !(flags & PT_ALLOW_UNUSED)) {
      ok = pti_fail(
               PT_EGRAD,
               "grad: input %d [%s] is not used by the outputs; set allow_unused to get nil for it",
               i + pti_this.index_base, pti_shape_text(x[i])) != NULL;
    }
  }
  return ok;
}

/* ---- the public header ---- */

bool pt_set_requires_grad(pt_tensor *x, bool on) {
  if (x == NULL) return false;
  if (on && !pti_is((pt_dtype)x->dtype, PTI_FLOATS | PTI_COMPLEX)) {
    return pti_fail(PT_EDTYPE, "requires_grad_: x is %s; only floating tensors can require grad",
                    pt_dtype_name((pt_dtype)x->dtype)) != NULL;
  }
  if (!pt_is_leaf(x)) {
    return on ||
           pti_fail(PT_EGRAD, "requires_grad_: x is the result of an op; use x:detach()") != NULL;
  }
  x->requires_grad = on;
  if (!on && x->node) {
    x->node->leaf = NULL;
    pti_node_release(x->node);
    x->node = NULL;
  }
  return true;
}

static pt_node *history(const pt_tensor *x) {
  bool ok = true;
  return pti_node_of((pt_tensor *)x, &ok);
}
bool pt_requires_grad(pt_tensor *x) { return x && pti_needs_grad(x); }
bool pt_is_leaf(pt_tensor *x) {
  pt_node *n = x ? history(x) : NULL;
  return n == NULL || n->op == NULL;
}
pt_tensor *pt_grad(pt_tensor *x) { return x && x->grad ? pti_borrow(x->grad) : NULL; }

bool pt_set_grad(pt_tensor *x, pt_tensor *grad) {
  if (x == NULL) return false;
  if (grad && (grad->nd != x->nd || memcmp(grad->size, x->size, x->nd * sizeof *x->size) != 0)) {
    return pti_fail(PT_ESHAPE, "grad: [%s] for x [%s]", pti_shape_text(grad), pti_shape_text(x)) !=
           NULL;
  }
  pt_retain(grad);
  pt_release(x->grad);
  x->grad = grad;
  return true;
}
