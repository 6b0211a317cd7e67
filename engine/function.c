/* function.c: functions whose gradient is the host's own (pt_function_record). Such a call is a node like any other;
   what the table says of an op stands here in a record of its own, which goes with the node. */
#include <string.h>

#include "mem.h"
#include "node.h"

/* The geometry of an output, for gradients that are missing. */
typedef struct output {
  uint8_t nd, dtype, device;
  int64_t size[PT_MAX_DIM];
} output;

typedef struct call {
  const pt_function *fn;
  void *ud;
  size_t bytes;
  output out[];
} call;

/* Whether g has a shape to which the input broadcasts. */
static bool expands(const pti_edge *e, const pt_tensor *g) {
  if (g->nd < e->nd) return false;
  for (int d = 0; d < e->nd; d++) {
    if (e->size[d] != 1 && e->size[d] != g->size[g->nd - e->nd + d]) return false;
  }
  return true;
}

static bool function_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const call *c = n->ctx;
  if (!c->fn->backward(n, g, gx)) return false;
  for (int i = 0; i < n->nin; i++) { /* the gradient of a broadcast input, or of another dtype */
    const pti_edge *e = &n->in[i];
    if (gx[i] == NULL || !pti_wants(n, i)) continue;
    if (expands(e, gx[i])) gx[i] = pti_sum_to(gx[i], e->size, e->nd);
    if (gx[i] && gx[i]->dtype != e->dtype) gx[i] = pt_to_dtype(gx[i], e->dtype);
    if (gx[i] == NULL) return false;
  }
  return true;
}

void pt_function_counts(const pt_node *n, int *nin, int *nsave, int *nout) {
  *nin = n->nin;
  *nsave = n->nsaved;
  *nout = n->nout;
}

static const pt_op function_op = {
    .name = "function", .sig = "", .kind = PTI_STRUCTURED, .vjp = function_vjp};

static void call_free(void *ctx) {
  call *c = ctx;
  if (c->fn->free) c->fn->free(c->ud);
  pti_free(c, c->bytes);
}

static call *call_new(const pt_function *fn, void *ud, pt_tensor *const *out, int nout) {
  size_t bytes = sizeof(call) + (size_t)nout * sizeof(output);
  call *c = pti_alloc(bytes);
  if (c == NULL) {
    if (fn->free) fn->free(ud);
    return NULL;
  }
  *c = (call){.fn = fn, .ud = ud, .bytes = bytes};
  for (int k = 0; k < nout; k++) {
    const pt_tensor *y = out[k];
    c->out[k] = (output){.nd = y->nd, .dtype = y->dtype, .device = (uint8_t)pti_dev(y)};
    memcpy(c->out[k].size, y->size, y->nd * sizeof *y->size);
  }
  return c;
}

static bool shares(const pt_tensor *y, pt_tensor *const *x, int n) {
  for (int i = 0; i < n; i++) {
    if (x[i] && x[i]->alias == y->alias) return true;
  }
  return false;
}

/* An output that is (a view of) an input or of another output, or already a result, becomes a tensor of its own. */
static pt_tensor *fresh(pt_tensor *y, pt_tensor *const *in, int nin, pt_tensor *const *out, int k) {
  if (shares(y, in, nin) || shares(y, out, k)) return pt_clone(y);
  return y->node || y->requires_grad || y->root ? pti_bare(y) : y;
}

/* An input that the host edited in place and returned. */
static bool edited(const pt_function *fn, const pt_tensor *y, pt_tensor *const *in, int nin,
                   pt_tensor *const *out, int k) {
  if (!fn->inplace || shares(y, out, k)) return false;
  for (int i = 0; i < nin; i++) {
    if (in[i] == y) return true;
  }
  return false;
}

static bool save_all(pt_node *n, pt_tensor *const *in, pt_tensor *const *save, int nsave,
                     pt_tensor *const *out, pt_tensor *const *given) {
  for (int s = 0; s < nsave; s++) {
    int i = 0, k = 0;
    while (i < n->nin && in[i] != save[s]) i++;
    while (k < n->nout && given[k] != save[s]) k++;
    if (k < n->nout && out[k] == save[s]) i = n->nin; /* edited: what is saved is the result */
    pt_tensor *x = i < n->nin || k == n->nout ? save[s] : out[k];
    if (!pti_save(n, x, i < n->nin ? i : -1, i < n->nin || k == n->nout ? -1 : k)) return false;
  }
  return true;
}

static bool check_call(const pt_function *fn, int nin, pt_tensor *const *save, int nsave,
                       pt_tensor *const *out, int nout) {
  if (nin < 0 || nsave < 0 || nout < 1 || nout > UINT8_MAX) {
    return pti_refuse(PT_EARG, "%s: %d inputs, %d saved, %d results; at most %d results", fn->name,
                      nin, nsave, nout, UINT8_MAX);
  }
  for (int i = 0; i < nsave; i++) {
    if (save[i] == NULL) return false;
  }
  for (int k = 0; k < nout; k++) {
    if (out[k] == NULL) return false;
  }
  return true;
}

bool pt_function_record(const pt_function *fn, void *ud, pt_tensor *const *in, int nin,
                        pt_tensor *const *save, int nsave, pt_tensor **out, int nout) {
  bool ok = check_call(fn, nin, save, nsave, out, nout), wants = false;
  for (int i = 0; ok && i < nin; i++) wants |= in[i] && pti_node_of(in[i], &ok) != NULL;
  pt_tensor *given[UINT8_MAX];
  bool edit[UINT8_MAX];
  for (int k = 0; ok && k < nout; k++) {
    given[k] = out[k];
    edit[k] = edited(fn, out[k], in, nin, out, k);
    if (edit[k]) ok = !wants || pti_editable(fn->name, "", out[k]);
    else ok = (out[k] = fresh(out[k], in, nin, out, k)) != NULL;
  }
  if (!ok || !wants || !pt_grad_enabled()) {
    if (fn->free) fn->free(ud);
    return ok;
  }
  call *c = call_new(fn, ud, out, nout);
  pt_node *n = c ? pti_node_new(&function_op, in, nin, nout, nsave) : NULL;
  if (n == NULL) {
    if (c) call_free(c);
    return false;
  }
  n->ctx = c;
  n->ctx_free = call_free;
  n->name = fn->name;
  ok = save_all(n, in, save, nsave, out, given);
  if (ok && pti_this.anomaly) ok = pti_anomaly_record(n, in, out);
  for (int k = 0; k < nout && ok; k++) {
    if (!pti_is(out[k]->dtype, PTI_FLOATS | PTI_COMPLEX)) continue;
    if (edit[k]) ok = pti_rebase(out[k], pti_node_retain(n), k);
    else pti_set_history(out[k], pti_node_retain(n), k);
  }
  pti_node_release(n);
  return ok;
}

void *pt_function_data(const pt_node *n) { return ((const call *)n->ctx)->ud; }
bool pt_function_wants(const pt_node *n, int in) {
  return in >= 0 && in < n->nin && pti_wants(n, in);
}

pt_tensor *pt_function_saved(pt_node *n, int i) {
  if (i < 0 || i >= n->nsaved)
    return pti_fail(PT_EINDEX, "%s: saved tensor %d of %d", n->name, i, n->nsaved);
  return pti_saved_slot_of(n, i);
}

pt_tensor *pt_function_zeros(const pt_node *n, int k) {
  const output *y = &((const call *)n->ctx)->out[k];
  return pt_zeros(y->size, y->nd, y->dtype, y->device);
}
