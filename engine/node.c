/* node.c: recording calls. A node is one block: the struct, its edges, the sizes of its inputs, its
   arguments, saved slots and gradient slots behind it. Release works through a list, so graphs may
   be of any depth. */
#include "node.h"

#include <string.h>

#include "formula.h"
#include "mem.h"
#include "ptlua_ids.h"

static char *carve(char **at, size_t bytes) {
  char *p = *at;
  *at += (bytes + 7) & ~(size_t)7;
  return p;
}
static size_t rounded(size_t bytes) { return (bytes + 7) & ~(size_t)7; }

/* Bytes behind an argument's pointer, which the node must keep. */
static size_t arg_bytes(const pti_param_spec *p, const pt_arg *a) {
  if (p->type == 's') return a->s ? rounded(strlen(a->s) + 1) : 0;
  if (p->type == 'I' || p->type == 'D') return a->n > 0 ? (size_t)a->n * sizeof(int64_t) : 0;
  return 0;
}

static void copy_arg(const pti_param_spec *p, pt_arg *to, const pt_arg *from, char **at) {
  *to = *from;
  size_t bytes = arg_bytes(p, from);
  switch (p->type) {
  case 's':
    if (from->s) to->s = strcpy(carve(at, bytes), from->s);
    break;
  case 'I':
  case 'D':
    if (bytes) to->ints = memcpy(carve(at, bytes), from->ints, bytes);
    break;
  case 'T':
  case 'A':
  case 'L': to->t = NULL; break; /* inputs are edges and saved slots */
  default: break;
  }
}

/* Above those of all inputs, also where another thread made them. */
static uint64_t next_id(pt_tensor *const *in, int nin) {
  for (int i = 0; i < nin; i++) {
    if (in[i] && in[i]->node && in[i]->node->id > pti_this.last_node)
      pti_this.last_node = in[i]->node->id;
  }
  return ++pti_this.last_node;
}

static pt_node *node_new(const pt_op *op, const pt_arg *arg, pt_tensor *const *in, int nin,
                         int nout, int nsaved) {
  size_t bytes = sizeof(pt_node) + (size_t)nin * sizeof(pti_edge) +
      (size_t)nsaved * sizeof(pti_saved_slot) + (size_t)nout * sizeof(pt_tensor *);
  int narg = op ? op->narg : 0;
  for (int i = 0; i < nin; i++) bytes += in[i] ? in[i]->nd * sizeof(int64_t) : 0;
  bytes += (size_t)narg * sizeof(pt_arg);
  for (int i = 0; i < narg; i++) bytes += arg_bytes(&op->param[i], &arg[i]);
  pti_account *on;
  if (!pti_book(bytes, &on)) return NULL;
  pt_node *n = pti_alloc(bytes);
  if (n == NULL) {
    pti_unbook(on, bytes);
    return NULL;
  }
  memset(n, 0, bytes);
  char *at = (char *)(n + 1);
  *n = (pt_node){.id = next_id(in, nin),
                 .op = op,
                 .name = op ? op->name : NULL,
                 .refs = 1,
                 .nout = (uint8_t)nout,
                 .nin = nin,
                 .account = on,
                 .bytes = bytes};
  n->in = (pti_edge *)carve(&at, (size_t)nin * sizeof(pti_edge));
  n->saved = (pti_saved_slot *)carve(&at, (size_t)nsaved * sizeof(pti_saved_slot));
  n->g = (pt_tensor **)carve(&at, (size_t)nout * sizeof(pt_tensor *));
  n->arg = (pt_arg *)carve(&at, (size_t)narg * sizeof(pt_arg));
  for (int i = 0; i < nin; i++) {
    if (in[i] == NULL) continue;
    pti_edge *e = &n->in[i];
    *e = (pti_edge){.nd = in[i]->nd,
                    .dtype = in[i]->dtype,
                    .device = (uint8_t)pti_dev(in[i]),
                    .offset = in[i]->offset};
    e->size = memcpy(carve(&at, e->nd * sizeof(int64_t)), in[i]->size, e->nd * sizeof(int64_t));
  }
  for (int i = 0; i < narg; i++) copy_arg(&op->param[i], &n->arg[i], &arg[i], &at);
  pti_count(PTI_LIVE_NODES, 1);
  return n;
}

static bool differentiable(const pt_tensor *y) {
  return pti_is(y->dtype, PTI_FLOATS | PTI_COMPLEX);
}

pt_node *pti_node_retain(pt_node *n) {
  if (n) n->refs++;
  return n;
}

pt_node *pti_node_new(const pt_op *op, pt_tensor *const *in, int nin, int nout, int nsaved) {
  pt_node *n = node_new(op, NULL, in, nin, nout, nsaved);
  for (int i = 0; n && i < nin; i++) {
    if (in[i] == NULL || !differentiable(in[i])) continue;
    n->in[i].node = pti_node_retain(in[i]->node);
    n->in[i].out = (uint8_t)in[i]->out;
  }
  return n;
}

void pti_node_free_saved(pt_node *n) {
  for (int i = 0; i < n->nsaved; i++) {
    pt_release(n->saved[i].t);
    n->saved[i].t = NULL;
    pti_checkpoint_drop(&n->saved[i]);
  }
  if (n->nsaved > 0) n->freed = true;
  if (n->ctx_free) {
    n->ctx_free(n->ctx);
    n->ctx_free = NULL;
    n->ctx = NULL;
    n->name = n->op->name;
    n->freed = true;
  }
}

void pti_node_release(pt_node *n) {
  pt_node *dead = NULL;
  if (n && --n->refs == 0) dead = n;
  while (dead) {
    pt_node *d = dead;
    dead = d->next;
    for (int i = 0; i < d->nin; i++) {
      pt_node *older = d->in[i].node;
      if (older && --older->refs == 0) {
        older->next = dead;
        dead = older;
      }
    }
    pti_node_free_saved(d); /* bare tensors: no history hangs on them */
    for (int k = 0; k < d->nout; k++) pt_release(d->g[k]);
    pti_drop_hooks(d);
    if (d->trace) pti_free(d->trace, strlen(d->trace) + 1);
    pti_count(PTI_LIVE_NODES, -1);
    pti_unbook(d->account, d->bytes);
    pti_free(d, d->bytes);
  }
}

/* ---- history of a tensor ---- */

void pti_set_history(pt_tensor *x, pt_node *node, int out) {
  pti_hook *h = x->retains_grad ? pti_hook_take(x->node, 0, x) : NULL;
  pti_node_release(x->node);
  x->node = node;
  x->out = (uint16_t)out;
  if (h == NULL) return;
  if (node) {
    h->out = out;
    pti_hook_insert(node, h);
  } else {
    x->retains_grad = false;
    pti_hook_free(h);
  }
}

static bool stale(const pt_tensor *x) { return x->root && x->root->rebased != x->epoch; }

bool pti_needs_grad(pt_tensor *x) {
  return x->requires_grad || x->node || (stale(x) && pti_needs_grad(x->root));
}

/* The history of a view whose base was edited in place: the same elements of the base as it is now. */
static bool regenerate(pt_tensor *x) {
  pt_tensor *root = x->root;
  pti_set_history(x, NULL, 0);
  x->epoch = root->rebased;
  if (!pti_needs_grad(root)) return true;
  if (x->dtype != root->dtype)
    return pti_refuse(PT_EGRAD,
                      "a view as another dtype was edited through its base: take it anew");
  pt_arg arg[] = {{.t = root, .given = true},
                  {.ints = x->size, .n = x->nd, .given = true},
                  {.ints = x->stride, .n = x->nd, .given = true},
                  {.i = x->offset, .given = true},
                  {.ints = root->stride, .n = root->nd, .given = !pti_dense(root)}};
  return pti_record(pti_op_at(PTI_OP_as_strided), arg, &root, 1, &x, 1, NULL);
}

pt_node *pti_node_of(pt_tensor *x, bool *ok) {
  if (stale(x) && !regenerate(x)) {
    *ok = false;
    return NULL;
  }
  if (x->node == NULL && x->requires_grad) {
    x->node = node_new(NULL, NULL, NULL, 0, 1, 0);
    if (x->node) x->node->leaf = x;
    else *ok = false;
  }
  return x->node;
}

bool pti_save(pt_node *n, pt_tensor *x, int in, int out) {
  if (x->alias->inference) {
    return pti_refuse(PT_EGRAD,
                      "%s: a tensor [%s] that was made under inference_mode cannot be saved for "
                      "backward; use a clone made outside of it",
                      n->name, pti_shape_text(x));
  }
  pti_saved_slot *slot = &n->saved[n->nsaved];
  bool ok = true;
  *slot = (pti_saved_slot){.in = (int16_t)in, .out = (int16_t)out};
  if (pti_checkpoint_takes(slot, x, &ok)) {
    n->nsaved++;
    return ok;
  }
  pt_tensor *t = pt_retain(pti_bare(x));
  if (t == NULL) return false;
  slot->t = t;
  slot->version = x->alias->version;
  n->nsaved++;
  return true;
}

/* Which inputs and outputs the vjp will read, given which inputs want a gradient. */
static void what_to_save(const pt_op *op, const pt_node *n, unsigned *in, unsigned *out) {
  *in = op->save_in;
  *out = op->save_out;
  if (op->kind != PTI_ELEMENTWISE) return;
  unsigned uses = 0;
  for (int i = 0; i < n->nin; i++) uses |= n->in[i].node ? op->grad[i].uses : 0;
  *in = uses & PTI_USE_INPUTS;
  *out = uses & PTI_USE_Y ? 1 : 0;
}

bool pti_record(const pt_op *op, const pt_arg *arg, pt_tensor *const *in, int nin, pt_tensor **out,
                int nout, pt_node **node) {
  bool ok = true;
  for (int i = 0; i < nin; i++) { /* first, so that a leaf's node is older than this one */
    if (in[i]) pti_node_of(in[i], &ok);
  }
  pt_node *n = ok ? node_new(op, arg, in, nin, nout, nin + nout) : NULL;
  if (n == NULL) return false;
  for (int i = 0; i < nin; i++) {
    if (in[i] == NULL || !differentiable(in[i])) continue;
    if (op->kind == PTI_ELEMENTWISE && op->grad[i].step == NULL) continue;
    n->in[i].node = pti_node_retain(in[i]->node);
    n->in[i].out = (uint8_t)in[i]->out;
  }
  unsigned save_in, save_out;
  what_to_save(op, n, &save_in, &save_out);
  for (int i = 0; i < nin && ok; i++) {
    if (in[i] && i < 32 && (save_in >> i & 1)) ok = pti_save(n, in[i], i, -1);
  }
  for (int k = 0; k < nout && ok; k++) {
    if (out[k] && (save_out >> k & 1)) ok = pti_save(n, out[k], -1, k);
  }
  for (int k = 0; k < nout && ok && node == NULL; k++) {
    if (out[k] == NULL || !differentiable(out[k]) || (op->non_differentiable >> k & 1)) continue;
    out[k]->node = pti_node_retain(n);
    out[k]->out = (uint16_t)k;
  }
  if (ok && node) *node = n;
  else pti_node_release(n);
  return ok;
}

bool pti_record_output(pt_node *n, pt_tensor *y) {
  unsigned save_in, save_out;
  what_to_save(n->op, n, &save_in, &save_out);
  return !(save_out & 1) || pti_save(n, y, -1, 0);
}

bool pti_rebase(pt_tensor *x, pt_node *node, int out) {
  pt_tensor *base = x->root;
  if (base == NULL) {
    pti_set_history(x, node, out);
    x->rebased++;
    return true;
  }
  if (x->dtype != base->dtype) {
    pti_node_release(node);
    return pti_refuse(PT_EGRAD, "in-place edit of a view as another dtype: edit the tensor itself");
  }
  /* base = the old base with x's elements replaced by what the node gave */
  pt_tensor *src = pti_bare(x);
  if (src) pti_set_history(src, node, out);
  else pti_node_release(node);
  if (src == NULL) return false;
  if (!pti_dense(base)) {
    return pti_refuse(PT_EGRAD, "in-place edit of a view whose base is not dense: edit a clone");
  }
  pt_arg arg[] = {{.t = base, .given = true},
                  {.t = src, .given = true},
                  {.ints = x->size, .n = x->nd, .given = true},
                  {.ints = x->stride, .n = x->nd, .given = true},
                  {.i = x->offset - base->offset, .given = true}};
  pt_node *whole;
  pt_tensor *in[] = {base, src};
  if (!pti_record(pti_op_at(PTI_OP_as_strided_scatter), arg, in, 2, &base, 1, &whole)) return false;
  pti_set_history(base, whole, 0);
  base->rebased++;
  return true;
}

/* ---- saved tensors ---- */

pt_tensor *pti_saved_slot_of(pt_node *n, int i) {
  const pti_saved_slot *s = &n->saved[i];
  uint32_t version = s->version;
  pt_tensor *x = s->checkpoint ? pti_checkpoint_saved(s, &version) : s->t;
  if (x == NULL) return s->checkpoint ? NULL : pti_used_up(n);
  if (x->alias->version != version) {
    return pti_fail(
        PT_EGRAD,
        "backward through %s: a tensor [%s] that its gradient needs was edited in place by %s "
        "afterwards; edit a clone",
        n->name, pti_shape_text(x), x->alias->edit ? x->alias->edit : "the host");
  }
  if (!pt_grad_enabled()) return x;
  pt_tensor *t = pti_bare(x);
  pt_node *history = s->in >= 0 ? n->in[s->in].node : s->out >= 0 ? n : NULL;
  if (t && differentiable(t) && history) {
    t->node = pti_node_retain(history);
    t->out = s->in >= 0 ? n->in[s->in].out : (uint16_t)s->out;
  }
  return t;
}

void *pti_used_up(const pt_node *n) {
  return pti_fail(
      PT_EGRAD,
      "backward through %s a second time: what its gradient needs was freed by the first; give the "
      "first {retain_graph = true}",
      n->name);
}

static pt_tensor *unsave(pt_node *n, int in, int out) {
  for (int i = 0; i < n->nsaved; i++) {
    if (n->saved[i].in == in && n->saved[i].out == out) return pti_saved_slot_of(n, i);
  }
  return pti_fail(PT_EGRAD, "%s: its gradient reads a tensor that its row does not save", n->name);
}

pt_tensor *pti_saved(pt_node *n, int in) { return unsave(n, in, -1); }
pt_tensor *pti_saved_out(pt_node *n, int out) { return unsave(n, -1, out); }
bool pti_saved_if_given(pt_node *n, int in, pt_tensor **x) {
  *x = n->in[in].size ? pti_saved(n, in) : NULL;
  return *x || n->in[in].size == NULL;
}

pt_tensor *pti_twin(pt_tensor *x) {
  bool ok = true;
  pt_node *n = pti_node_of(x, &ok);
  pt_tensor *y = ok ? pti_bare(x) : NULL;
  if (y == NULL) return NULL;
  y->node = pti_node_retain(n);
  y->out = n ? x->out : 0;
  return y;
}

const char *pti_made_by(pt_tensor *x) {
  bool ok = true;
  pt_node *n = x->requires_grad && x->node == NULL ? NULL : pti_node_of(x, &ok);
  return n && n->op ? n->name : NULL;
}

/* ---- where a graph leads ---- */

typedef struct seen {
  pt_node **v;
  size_t n, cap;
} seen;

static bool see(seen *s, pt_node *node) {
  if (node == NULL || node->seen) return true;
  if (s->n == s->cap) {
    size_t cap = s->cap ? 2 * s->cap : 64;
    pt_node **v = pti_alloc(cap * sizeof *v);
    if (v == NULL) return false;
    if (s->n) memcpy(v, s->v, s->n * sizeof *v);
    pti_free(s->v, s->cap * sizeof *v);
    s->v = v;
    s->cap = cap;
  }
  s->v[s->n++] = node;
  node->seen = true;
  return true;
}

bool pti_leads_beyond(pt_tensor *const *y, int ny, pt_tensor *const *x, int nx, bool *beyond) {
  seen s = {0};
  bool ok = true;
  *beyond = false;
  for (int i = 0; ok && i < ny; i++) {
    pt_node *node = pti_node_of(y[i], &ok);
    ok = ok && see(&s, node);
  }
  for (size_t at = 0; ok && !*beyond && at < s.n; at++) {
    const pt_node *node = s.v[at];
    bool given = node->op != NULL;
    for (int i = 0; i < nx && !given; i++) given = x[i]->node == node;
    *beyond = !given;
    for (int i = 0; ok && i < node->nin; i++) ok = see(&s, node->in[i].node);
  }
  for (size_t i = 0; i < s.n; i++) s.v[i]->seen = false;
  pti_free(s.v, s.cap * sizeof *s.v);
  return ok;
}
