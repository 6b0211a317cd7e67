/* backward.c: the walk from outputs to leaves. Node ids only grow, so taking the newest first is a
   topological order: a heap of pending nodes is all the state there is, and there is no recursion.
   Hooks and functions of a host may start another walk within one (depth); where both pass the same node, the inner
   puts the outer's gradients aside. Gradients reach leaves last, so a walk that fails has changed none. */
#include <string.h>

#include "mem.h"
#include "node.h"
#include "ptlua_ids.h"

enum { MAX_DEPTH = 30 };
static PTI_THREAD int depth; /* of walks within walks */

/* A growing list of blocks of one size. */
typedef struct list {
  char *v;
  size_t n, cap;
} list;

/* What a node was before the walk touched it. */
typedef struct former {
  pt_node *node;
  uint8_t wanted;
  bool skip;
} former;

/* A gradient for a result that retains it. */
typedef struct kept {
  pt_tensor *x, *g;
} kept;

/* Gradients of an outer walk that wait at a node. */
typedef struct aside {
  pt_node *node;
  uint8_t queued;
  pt_tensor *g[UINT8_MAX + 1];
} aside;

/* A call that a host asked for at the end of the walk. */
typedef struct ending {
  bool (*fn)(void *ud);
  void (*free)(void *ud);
  void *ud;
} ending;

typedef struct walk {
  pt_node **heap; /* by descending id; each entry holds a reference */
  int n, cap;
  int flags;
  int depth;
  uint64_t oldest;     /* nothing older than this leads to a wanted input */
  list leaves;         /* of pt_node *: their gradients are complete */
  list kept;           /* of kept */
  pt_tensor *const *x; /* wanted inputs, or NULL */
  int nx;
  pt_tensor **gx;
  bool *met;    /* which of the wanted inputs the outputs lead to */
  list former;  /* of former */
  list aside;   /* of aside * */
  list counted; /* of pt_node *: leaves whose uses were counted */
  list endings; /* of ending */
  struct walk *outer;
} walk;

static PTI_THREAD walk *current; /* the innermost walk of this thread */

static void *list_add(list *l, size_t size) {
  if (l->n == l->cap) {
    size_t cap = l->cap ? 2 * l->cap : 16;
    char *v = pti_alloc(cap * size);
    if (v == NULL) return NULL;
    if (l->n) memcpy(v, l->v, l->n * size);
    pti_free(l->v, l->cap * size);
    l->v = v;
    l->cap = cap;
  }
  return l->v + l->n++ * size;
}
static void list_free(list *l, size_t size) {
  pti_free(l->v, l->cap * size);
  *l = (list){0};
}

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
  node->queued = (uint8_t)w->depth;
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
  return top;
}

/* Makes room at a node where an outer walk's gradients wait. */
static bool put_aside(walk *w, pt_node *node) {
  aside **slot = list_add(&w->aside, sizeof *slot);
  aside *a = slot ? pti_alloc(sizeof *a) : NULL;
  if (a == NULL) {
    if (slot) w->aside.n--;
    return false;
  }
  a->node = pti_node_retain(node);
  a->queued = node->queued;
  for (int k = 0; k < node->nout; k++) {
    a->g[k] = node->g[k];
    node->g[k] = NULL;
  }
  node->queued = 0;
  *slot = a;
  return true;
}

static void bring_back(walk *w) {
  for (size_t i = w->aside.n; i-- > 0;) {
    aside *a = ((aside **)(void *)w->aside.v)[i];
    for (int k = 0; k < a->node->nout; k++) a->node->g[k] = a->g[k];
    a->node->queued = a->queued;
    pti_node_release(a->node);
    pti_free(a, sizeof *a);
  }
  list_free(&w->aside, sizeof(aside *));
}

/* Whether nothing else can see its elements. */
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
  if (to->queued && to->queued != w->depth && !put_aside(w, to)) return false;
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
  if (to->queued || push(w, to)) return true;
  pt_release(*slot);
  *slot = NULL;
  return false;
}

/* Adds g to the grad of x: kept as it is where it has no other reference, else copied or added. */
static bool deposit(pt_tensor *x, pt_tensor *g) {
  if (x->grad == NULL) {
    bool keep = pt_grad_enabled() || sole_owner(g);
    pt_tensor *own = keep ? g : pt_clone(g);
    x->grad = pt_retain(own);
    return own != NULL;
  }
  pt_tensor *sum;
  if (pt_grad_enabled()) {
    sum = pt_retain(pt_add(x->grad, g));
  } else {
    pt_arg arg[] = {{.t = x->grad, .given = true}, {.t = g, .given = true}};
    sum = pt_retain(pti_call_inplace(pti_op_at(PTI_OP_add), arg));
  }
  if (sum == NULL) return false;
  pt_release(x->grad);
  x->grad = sum;
  return true;
}

/* Hands gradients of wanted inputs over, to the scope that was open before the walk. */
static void capture(walk *w, const pt_node *node) {
  for (int i = 0; node->wanted == w->depth && i < w->nx; i++) {
    const pt_tensor *x = w->x[i];
    if (x->node == node && node->g[x->out]) w->gx[i] = pt_retain(node->g[x->out]);
  }
}

static bool same_shape(const pt_tensor *a, const pt_tensor *b) {
  return a->nd == b->nd && memcmp(a->size, b->size, a->nd * sizeof *a->size) == 0;
}

/* Runs one hook of a host. A gradient that it returns instead must have the same geometry. */
static bool run_hook(pt_node *node, pti_hook *h) {
  pt_tensor *g = node->g[h->out], *changed = g;
  if (!h->fn(h->ud, &changed)) return false;
  if (changed == g) return true;
  if (changed == NULL && node->op) return true;
  if (changed == NULL) { /* the leaf's grad is the host's business */
    pt_release(g);
    node->g[h->out] = NULL;
    return true;
  }
  if (!same_shape(changed, g)) {
    return pti_refuse(PT_ESHAPE,
                      "register_hook: the hook returned a gradient [%s] in place of [%s]",
                      pti_shape_text(changed), pti_shape_text(g));
  }
  if (changed->dtype != g->dtype && !(changed = pt_to_dtype(changed, g->dtype))) return false;
  node->g[h->out] = pt_retain(changed);
  pt_release(g);
  return true;
}

static bool keep_for(walk *w, pt_tensor *x, pt_tensor *g) {
  kept *k = list_add(&w->kept, sizeof *k);
  if (k) *k = (kept){pt_retain(x), pt_retain(g)};
  return k != NULL;
}

static bool run_hooks(walk *w, pt_node *node) {
  bool ok = true;
  for (pti_hook *h = node->hooks; ok && h && h->kind != PTI_HOOK_AFTER; h = h->next) {
    if (node->g[h->out] == NULL) continue;
    if (h->kind == PTI_HOOK_RETAIN) ok = keep_for(w, h->keep, node->g[h->out]);
    else if (h->id) ok = run_hook(node, h);
  }
  return ok;
}

/* A leaf's gradient is complete. */
static bool arrive(walk *w, pt_node *node) {
  pt_tensor *leaf = node->leaf;
  if (leaf == NULL || w->x) return true;
  if (node->g[0] && !deposit(leaf, node->g[0])) return false;
  bool ok = true;
  for (pti_hook *h = node->hooks; ok && h; h = h->next) {
    pt_tensor *g = leaf->grad;
    if (h->kind == PTI_HOOK_AFTER && h->id) ok = h->fn(h->ud, &g);
  }
  return ok;
}

static bool check_gradient(const pt_node *node, int i, const pt_tensor *g) {
  const pti_edge *e = &node->in[i];
  if (g->nd == e->nd && memcmp(g->size, e->size, e->nd * sizeof *e->size) == 0) return true;
  return pti_refuse(PT_EGRAD, "backward of %s gave a gradient [%s] for its input %d [%s]",
                    node->name, pti_shape_text(g), i + pti_this.index_base,
                    pti_sizes_text(e->size, e->nd));
}

/* ---- gradients that depend on an input in steps alone ----
   The gradient of relu depends on x: by the sign of it, so its own gradient for x is zero everywhere. It gets an edge to
   what x came from, over which nothing flows; a walk that was asked for the gradient of x and finds no other way to it
   gives zeros, as PyTorch does, and not nothing. */

static bool steps_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  (void)n;
  gx[0] = g[0];
  return true;
}
static const pt_op steps_op = {
    .name = "a gradient's steps", .sig = "", .kind = PTI_STRUCTURED, .vjp = steps_vjp};

static bool goes_by_steps(const pt_op *op, int i) {
  if (op->kind != PTI_ELEMENTWISE) {
    /* padding is made of index_select, norms of groups of row_norm */
    static const int ids[] = {PTI_OP_max_pool, PTI_OP_avg_pool, PTI_OP_nll_loss_forward,
                              PTI_OP_index_select, PTI_OP_row_norm};
    for (size_t k = 0; k < sizeof ids / sizeof *ids; k++) {
      if (op == pti_op_at(ids[k])) return true;
    }
    return false;
  }
  const pti_formula *f = &op->grad[i];
  for (int s = 0; s < f->n; s++) {
    if (f->step[s].kind == PTI_STEP_CALL && f->step[s].at == PTI_OP_where) return true;
  }
  return false;
}

/* g, as something that depends on input i of the node too. */
static pt_tensor *with_steps(const pt_node *node, int i, pt_tensor *g) {
  bool ok = true;
  pt_tensor *y = pti_bare(g), *in[] = {g, g};
  if (y == NULL || (pti_node_of(g, &ok) == NULL && !ok)) return NULL;
  pt_node *n = pti_node_new(&steps_op, in, 2, 1, 0);
  if (n == NULL) return NULL;
  pti_node_release(n->in[1].node);
  n->in[1].node = pti_node_retain(node->in[i].node);
  n->in[1].out = node->in[i].out;
  pti_set_history(y, n, 0);
  return y;
}

static bool vjp(pt_node *node, pt_tensor **gx) {
  bool ok = node->op->vjp(node, node->g, gx);
  for (int i = 0; ok && i < node->nin; i++) {
    if (gx[i] == NULL || !pti_wants(node, i)) gx[i] = NULL;
    else ok = check_gradient(node, i, gx[i]);
    if (ok && gx[i] && pt_grad_enabled() && goes_by_steps(node->op, i))
      ok = (gx[i] = with_steps(node, i, gx[i])) != NULL;
  }
  if (!pti_this.anomaly) return ok;
  if (!ok) pti_anomaly_explain(node);
  for (int i = 0; ok && i < node->nin; i++) ok = gx[i] == NULL || pti_anomaly_check(node, i, gx[i]);
  return ok;
}

/* ---- hooks of leaves, as soon as nothing more can come ---- */

static pt_node *listed(const list *l, size_t i) { return ((pt_node **)(void *)l->v)[i]; }

static bool list_node(list *l, pt_node *node) {
  pt_node **slot = list_add(l, sizeof *slot);
  if (slot) *slot = node;
  return slot != NULL;
}

static bool note_once(list *nodes, pt_node *node) {
  if (node->seen) return true;
  if (!list_node(nodes, node)) return false;
  return node->seen = true;
}

/* Counts for each leaf with hooks the calls that lead to it. Ids of leaves are the oldest: without this, their hooks
   would run when all else is done. */
static bool count_uses(walk *w) {
  list nodes = {0}; /* those seen, and the queue of those to look at */
  bool ok = true;
  for (int i = 0; ok && i < w->n; i++) ok = note_once(&nodes, w->heap[i]);
  for (size_t k = 0; ok && k < nodes.n; k++) {
    pt_node *node = listed(&nodes, k);
    for (int i = 0; ok && i < node->nin; i++) {
      pt_node *older = node->in[i].node;
      if (older == NULL || (older->op == NULL && older->hooks == NULL)) continue;
      if (older->op) ok = note_once(&nodes, older);
      else if (older->waits++ == 0) ok = list_node(&w->counted, older);
    }
  }
  for (size_t k = 0; k < nodes.n; k++) listed(&nodes, k)->seen = false;
  list_free(&nodes, sizeof(pt_node *));
  return ok;
}

static bool with_node(walk *w, pt_node *node, bool (*step)(walk *, pt_node *));

/* A call has contributed its gradients to its inputs. */
static bool count_down(walk *w, const pt_node *node) {
  bool ok = true;
  for (int i = 0; ok && i < node->nin; i++) {
    pt_node *leaf = node->in[i].node;
    if (leaf == NULL || leaf->waits == 0 || --leaf->waits > 0) continue;
    if (leaf->queued != w->depth) continue;
    leaf->hooked = true;
    ok = with_node(w, leaf, run_hooks);
  }
  return ok;
}

/* Runs the vjp and passes its gradients on. gx has room for one gradient per input. */
static bool propagate(walk *w, pt_node *node, pt_tensor **gx) {
  if (node->freed) return pti_used_up(node) != NULL;
  if (!vjp(node, gx)) return false;
  for (int i = 0; i < node->nin; i++) {
    if (gx[i] && !flow(w, node->in[i].node, node->in[i].out, gx[i])) return false;
  }
  return w->counted.n == 0 || count_down(w, node);
}

static bool propagate_any(walk *w, pt_node *node) {
  pt_tensor *few[16] = {0}, **gx = few;
  if (node->nin <= (int)PTI_COUNT(few)) return propagate(w, node, gx);
  size_t bytes = (size_t)node->nin * sizeof *gx;
  if ((gx = pti_alloc(bytes)) == NULL) return false;
  memset(gx, 0, bytes);
  bool ok = propagate(w, node, gx);
  pti_free(gx, bytes);
  return ok;
}

/* Whether any input of the node leads to what the walk wants. */
static bool leads_on(const pt_node *node) {
  for (int i = 0; i < node->nin; i++) {
    if (pti_wants(node, i)) return true;
  }
  return false;
}

/* Memory of a graph that will not be walked again. Hooks go too: what they refer to may refer to the graph. */
static void free_used(pt_node *node) {
  bool hooks = node->hooks && node->hooks->kind == PTI_HOOK_BEFORE;
  pti_node_free_saved(node);
  if (!hooks) return;
  pti_drop_hooks(node);
  node->freed = true;
}

static bool visit(walk *w, pt_node *node) {
  if (!pti_poll() || (!node->hooked && !run_hooks(w, node))) return false;
  if (w->x) capture(w, node);
  if (node->op == NULL || (w->x && !leads_on(node))) return true;
  return propagate_any(w, node);
}

static void drop_gradients(pt_node *node) {
  for (int k = 0; k < node->nout; k++) {
    pt_release(node->g[k]);
    node->g[k] = NULL;
  }
  node->queued = 0;
  node->hooked = false;
}

/* Runs `step` on a node that no other walk may free meanwhile. */
static bool with_node(walk *w, pt_node *node, bool (*step)(walk *, pt_node *)) {
  bool was = node->busy;
  node->busy = true;
  pt_scope s = pt_scope_begin();
  bool ok = s >= 0 && step(w, node);
  pt_scope_end(s);
  node->busy = was;
  if (!was && node->hooks) pti_sweep_hooks(node);
  return ok;
}

static bool run_node(walk *w, pt_node *node) {
  bool ok = with_node(w, node, visit);
  if (ok && node->op == NULL && w->x == NULL) { /* its gradient waits for the end of the walk */
    pt_node **slot = list_add(&w->leaves, sizeof *slot);
    if (slot) return *slot = node, true;
    ok = false;
  }
  bool keep = (w->flags & (PT_RETAIN_GRAPH | PT_CREATE_GRAPH)) != 0;
  if (ok && node->op && !keep && !node->busy && !(w->x && !leads_on(node))) free_used(node);
  drop_gradients(node);
  pti_node_release(node);
  return ok;
}

/* What hosts asked for, which may fail the walk while no leaf has changed. */
static bool run_endings(walk *w, bool ok) {
  for (size_t i = 0; i < w->endings.n; i++) { /* one may add another */
    ending e = ((ending *)(void *)w->endings.v)[i];
    pt_scope s = pt_scope_begin();
    ok = ok && s >= 0 && e.fn(e.ud);
    pt_scope_end(s);
    if (e.free) e.free(e.ud);
  }
  list_free(&w->endings, sizeof(ending));
  return ok;
}

static bool run_leaves(walk *w, bool ok) {
  for (size_t i = 0; i < w->kept.n; i++) {
    kept *k = (kept *)(void *)w->kept.v + i;
    pt_scope s = pt_scope_begin();
    ok = ok && s >= 0 && deposit(k->x, k->g);
    pt_scope_end(s);
    pt_release(k->x);
    pt_release(k->g);
  }
  list_free(&w->kept, sizeof(kept));
  for (size_t i = 0; i < w->leaves.n; i++) {
    pt_node *node = ((pt_node **)(void *)w->leaves.v)[i];
    if (ok) ok = with_node(w, node, arrive);
    drop_gradients(node);
    pti_node_release(node);
  }
  list_free(&w->leaves, sizeof(pt_node *));
  return ok;
}

static bool run(walk *w, bool ok) {
  pti_thread was = pti_this;
  pt_set_grad_enabled((w->flags & PT_CREATE_GRAPH) != 0);
  pti_this.autocast = false;
  if (ok && pti_leaf_hooks > 0 && w->x == NULL && w->depth == 1) ok = count_uses(w);
  while (w->n > 0) {
    pt_node *node = pop(w);
    if (ok) {
      ok = run_node(w, node);
    } else { /* gradients that were set must not stay behind */
      drop_gradients(node);
      pti_node_release(node);
    }
  }
  for (size_t i = 0; i < w->counted.n; i++) listed(&w->counted, i)->waits = 0;
  list_free(&w->counted, sizeof(pt_node *));
  ok = run_leaves(w, run_endings(w, ok));
  pti_free(w->heap, (size_t)w->cap * sizeof *w->heap);
  pti_this.no_grad = was.no_grad;
  pti_this.autocast = was.autocast;
  return ok;
}

/* ---- what a walk for chosen inputs needs ---- */

static bool remember(walk *w, pt_node *node) {
  former *f = list_add(&w->former, sizeof *f);
  if (f) *f = (former){.node = node, .wanted = node->wanted, .skip = node->skip};
  return f != NULL;
}

typedef struct turn {
  pt_node *node;
  int next; /* input to look at */
} turn;

/* An edge leads to a wanted input. */
static void meet(walk *w, const pti_edge *e) {
  for (int i = 0; i < w->nx; i++) w->met[i] |= w->x[i]->node == e->node && w->x[i]->out == e->out;
}

/* Marks the nodes that lead to no wanted input, older ones first. */
static bool mark_from(walk *w, list *stack, pt_node *root) {
  turn *t = NULL;
  if (root->seen) return true;
  if (!remember(w, root) || !(t = list_add(stack, sizeof *t))) return false;
  *t = (turn){.node = root};
  root->seen = true;
  while (stack->n > 0) {
    t = (turn *)(void *)stack->v + stack->n - 1;
    pt_node *node = t->node, *older = NULL;
    while (t->next < node->nin && !older) {
      const pti_edge *e = &node->in[t->next++];
      older = e->node;
      if (older && w->x && older->wanted == w->depth) meet(w, e);
      if (older && older->seen) older = NULL;
      if (older && older->id < w->oldest) {
        if (!remember(w, older)) return false;
        older->seen = older->skip = true;
        older = NULL;
      }
    }
    if (older) {
      if (!remember(w, older) || !(t = list_add(stack, sizeof *t))) return false;
      *t = (turn){.node = older};
      older->seen = true;
      continue;
    }
    node->skip = w->x && node->wanted != w->depth && !leads_on(node);
    stack->n--;
  }
  return true;
}

/* Only a walk for chosen inputs leaves nodes out; one within it must not inherit that. */
static bool mark_needed(walk *w, pt_tensor *const *y, int n) {
  bool ok = true;
  list stack = {0};
  if (w->x == NULL && w->depth == 1) return true;
  for (int i = 0; ok && i < w->nx; i++) {
    if ((ok = remember(w, w->x[i]->node))) w->x[i]->node->wanted = (uint8_t)w->depth;
  }
  size_t marks = w->former.n;
  for (int i = 0; ok && i < n; i++) {
    pt_node *node = y[i] ? pti_node_of(y[i], &ok) : NULL;
    if (ok && node) ok = mark_from(w, &stack, node);
  }
  list_free(&stack, sizeof(turn));
  for (former *f = (former *)(void *)w->former.v; marks < w->former.n; marks++) {
    f[marks].node->seen = false;
  }
  return ok;
}

static void unmark(walk *w) {
  former *f = (former *)(void *)w->former.v;
  for (size_t i = w->former.n; i-- > 0;) {
    f[i].node->wanted = f[i].wanted;
    f[i].node->skip = f[i].skip;
  }
  list_free(&w->former, sizeof(former));
}

/* ---- roots ---- */

/* The gradient that a walk starts with: as given, else one for a single element. */
static pt_tensor *seed(pt_tensor *y, pt_tensor *grad) {
  if (grad == NULL) {
    if (y->numel != 1) {
      return pti_fail(
          PT_EGRAD,
          "backward: x [%s] has %lld elements; give the gradient, or reduce it to one (x:sum())",
          pti_shape_text(y), (long long)y->numel);
    }
    if (pti_is(y->dtype, PTI_COMPLEX))
      return pti_fail(PT_EGRAD, "backward: x is complex; give the gradient, or make it real");
    return pt_ones(y->size, y->nd, y->dtype, pti_dev(y));
  }
  if (!same_shape(grad, y)) {
    return pti_fail(PT_ESHAPE, "backward: gradient [%s] for x [%s]", pti_shape_text(grad),
                    pti_shape_text(y));
  }
  return grad->dtype == y->dtype ? grad : pt_to_dtype(grad, y->dtype);
}

static bool start(walk *w, pt_tensor *const *y, pt_tensor *const *grad, int n) {
  for (int i = 0; i < n; i++) {
    bool ok = true;
    pt_node *node = y[i] ? pti_node_of(y[i], &ok) : NULL;
    if (y[i] == NULL || !ok) return false;
    if (node == NULL) {
      return pti_refuse(PT_EGRAD,
                        "backward: x [%s] does not require grad: nothing it was made from does",
                        pti_shape_text(y[i]));
    }
    pt_tensor *g = seed(y[i], grad ? grad[i] : NULL);
    if (g && node->skip) continue;
    if (g == NULL || !flow(w, node, y[i]->out, g)) return false;
  }
  return true;
}

static bool walk_from(walk *w, pt_tensor *const *y, pt_tensor *const *grad, int n) {
  if (depth >= MAX_DEPTH)
    return pti_refuse(PT_EGRAD, "backward: %d walks within one another", MAX_DEPTH);
  pt_scope s = pt_scope_begin();
  w->depth = ++depth;
  w->outer = current;
  current = w;
  bool ok = mark_needed(w, y, n);
  ok = run(w, ok && start(w, y, grad, n));
  bring_back(w);
  unmark(w);
  depth--;
  current = w->outer;
  pt_scope_end(s);
  return ok;
}

bool pt_at_walk_end(bool (*fn)(void *ud), void (*free)(void *ud), void *ud) {
  if (current == NULL) pti_fail(PT_EGRAD, "at_walk_end: no backward goes on");
  ending *e = current ? list_add(&current->endings, sizeof *e) : NULL;
  if (e) *e = (ending){fn, free, ud};
  else if (free) free(ud);
  return e != NULL;
}

bool pt_backward_with(pt_tensor *const *y, pt_tensor *const *grad, int n, int flags) {
  walk w = {.flags = flags};
  return walk_from(&w, y, grad, n);
}
bool pt_backward(pt_tensor *y) { return pt_backward_with(&y, NULL, 1, 0); }

/* Gradients that the walk did not produce: zeros where the outputs lead to the input, none where they do not. */
static bool fill_in(const walk *w, int i, int flags) {
  const pt_tensor *x = w->x[i];
  if (w->gx[i]) w->gx[i] = pti_scoped(w->gx[i]);
  else if (w->met[i])
    return (w->gx[i] = pt_zeros(x->size, x->nd, (pt_dtype)x->dtype, pti_dev(x))) != NULL;
  else if (!(flags & PT_ALLOW_UNUSED)) {
    return pti_refuse(
        PT_EGRAD,
        "grad: input %d [%s] is not used by the outputs; set allow_unused to get nil for it",
        i + pti_this.index_base, pti_shape_text(x));
  }
  return true;
}

static bool grad_of(walk *w, pt_tensor *const *y, pt_tensor *const *grad, int ny) {
  bool ok = true;
  for (int i = 0; i < w->nx; i++) {
    pt_node *node = w->x[i] ? pti_node_of(w->x[i], &ok) : NULL;
    if (w->x[i] == NULL || !ok) return false;
    w->gx[i] = NULL;
    if (node == NULL) {
      return pti_refuse(PT_EGRAD, "grad: input %d [%s] does not require grad",
                        i + pti_this.index_base, pti_shape_text(w->x[i]));
    }
    if (node->id < w->oldest) w->oldest = node->id;
  }
  ok = walk_from(w, y, grad, ny);
  for (int i = 0; i < w->nx; i++) {
    if (ok || w->gx[i]) ok = fill_in(w, i, w->flags) && ok;
  }
  return ok;
}

bool pt_grad_of(pt_tensor *const *y, pt_tensor *const *grad, int ny, pt_tensor *const *x, int nx,
                int flags, pt_tensor **gx) {
  size_t bytes = (size_t)nx + 1;
  walk w = {.flags = flags, .x = x, .nx = nx, .gx = gx, .oldest = UINT64_MAX};
  if ((w.met = pti_alloc(bytes)) == NULL) return false;
  memset(w.met, 0, bytes);
  bool ok = grad_of(&w, y, grad, ny);
  pti_free(w.met, bytes);
  return ok;
}

bool pt_backward_to(pt_tensor *const *y, pt_tensor *const *grad, int n, pt_tensor *const *x, int nx,
                    int flags) {
  size_t bytes = ((size_t)nx + 1) * sizeof(pt_tensor *);
  pt_tensor **gx = pti_alloc(bytes);
  if (gx == NULL) return false;
  pt_scope s = pt_scope_begin();
  bool ok = pt_grad_of(y, grad, n, x, nx, flags | PT_ALLOW_UNUSED, gx);
  bool was = pt_set_grad_enabled((flags & PT_CREATE_GRAPH) != 0);
  for (int i = 0; ok && i < nx; i++) ok = gx[i] == NULL || deposit(x[i], gx[i]);
  pt_set_grad_enabled(was);
  pt_scope_end(s);
  pti_free(gx, bytes);
  return ok;
}

/* ---- the public header ---- */

bool pt_set_requires_grad(pt_tensor *x, bool on) {
  if (x == NULL) return false;
  if (on && x->alias->inference && !pti_this.inference) {
    return pti_refuse(PT_EGRAD, "requires_grad_: x [%s] was made under inference_mode; use a clone",
                      pti_shape_text(x));
  }
  if (on && !pti_is(x->dtype, PTI_FLOATS | PTI_COMPLEX)) {
    return pti_refuse(PT_EDTYPE, "requires_grad_: x is %s; only floating tensors can require grad",
                      pt_dtype_name(x->dtype));
  }
  if (!pt_is_leaf(x)) {
    return on || pti_refuse(PT_EGRAD, "requires_grad_: x is the result of an op; use x:detach()");
  }
  if (on && x->root && !pti_needs_grad(x->root)) { /* its views go back to it, not beyond */
    pt_release(x->root);
    x->root = NULL;
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
bool pt_is_inference(const pt_tensor *x) { return x && x->alias->inference; }

bool pt_detach_inplace(pt_tensor *x) {
  if (x == NULL) return false;
  if (x->root) {
    return pti_refuse(PT_EGRAD, "detach_: x [%s] is a view; use x:detach()", pti_shape_text(x));
  }
  if (x->node && x->node->leaf == x) x->node->leaf = NULL;
  if (x->node || x->requires_grad) x->rebased++; /* its views have no history either */
  pti_set_history(x, NULL, 0);
  x->requires_grad = false;
  return true;
}

pt_tensor *pt_grad(pt_tensor *x) { return x && x->grad ? pti_borrow(x->grad) : NULL; }

bool pt_set_grad(pt_tensor *x, pt_tensor *grad) {
  if (x == NULL) return false;
  if (grad && (grad->nd != x->nd || memcmp(grad->size, x->size, x->nd * sizeof *x->size) != 0)) {
    return pti_refuse(PT_ESHAPE, "grad: [%s] for x [%s]", pti_shape_text(grad), pti_shape_text(x));
  }
  pt_retain(grad);
  pt_release(x->grad);
  x->grad = grad;
  return true;
}
