/* rnn.c: one layer and direction of an LSTM, GRU or plain RNN as one op; layers, directions and
   packing are put together in Lua's nn. Rows of x are steps of a dense batch (t, n, i) or packed
   rows (rows, i) with `batch` rows at each step. */
#include <string.h>

#include "mem.h"
#include "node.h"
#include "ptlua_run.h"
#include "slots.h"
#include "tensor.h"

enum { X, H0, C0, W_IH, W_HH, B_IH, B_HH, NIN };

static const char *const kind_name[] = {"lstm", "gru", "tanh", "relu"};

typedef struct call {
  pti_rnn p;
  pt_tensor *in[NIN];
  int64_t rows, width; /* rows of x in all; gates times h */
} call;

static bool read_kind(const char *text, pti_rnn_kind *kind) {
  for (size_t i = 0; i < PTI_COUNT(kind_name); i++) {
    if (strcmp(text, kind_name[i]) == 0) {
      *kind = (pti_rnn_kind)i;
      return true;
    }
  }
  return pti_refuse(PT_EARG, "rnn_layer: kind '%s' is not lstm, gru, tanh or relu", text);
}

/* Steps and rows from x's shape or from the packed batch sizes, which must not grow. */
static bool read_steps(call *c, const pt_tensor *x, const pt_arg *batch) {
  pti_rnn *p = &c->p;
  p->n = c->in[H0]->size[0];
  if (!batch->given || batch->n < 0) {
    if (x->nd != 3)
      return pti_refuse(PT_ESHAPE, "rnn: x [%s] must be (steps, batch, width)", pti_shape_text(x));
    p->t = x->size[0];
    c->rows = p->t * x->size[1];
    return x->size[1] == p->n ||
        pti_refuse(PT_ESHAPE, "rnn: x [%s] has a batch of %lld, the initial state one of %lld",
                   pti_shape_text(x), (long long)x->size[1], (long long)p->n);
  }
  p->t = batch->n;
  p->batch = batch->ints;
  c->rows = 0;
  for (int64_t t = 0; t < p->t; t++) {
    int64_t most = t ? p->batch[t - 1] : p->n;
    if (p->batch[t] < 1 || p->batch[t] > most) {
      return pti_refuse(PT_EARG, "rnn: packed batch sizes must be positive and must not grow");
    }
    c->rows += p->batch[t];
  }
  if (x->nd == 2 && x->size[0] == c->rows) return true;
  return pti_refuse(PT_ESHAPE, "rnn: packed x [%s] for %lld rows", pti_shape_text(x),
                    (long long)c->rows);
}

static bool matrix(const call *c, int which, int64_t rows, int64_t columns, const char *what) {
  const pt_tensor *w = c->in[which];
  if (w->nd == 2 && w->size[0] == rows && w->size[1] == columns) return true;
  return pti_refuse(PT_ESHAPE, "rnn: %s [%s], but [%lld, %lld] is wanted", what, pti_shape_text(w),
                    (long long)rows, (long long)columns);
}

static bool read_call(call *c, pt_tensor *const *in, const rnn_layer_args *args) {
  *c = (call){.p = {.reverse = args->reverse}};
  memcpy(c->in, in, sizeof c->in);
  const pt_tensor *x = in[X];
  if (!read_kind(args->kind, &c->p.kind)) return false;
  if (in[H0]->nd != 2)
    return pti_refuse(PT_ESHAPE, "rnn: h0 [%s] must be (batch, hidden)", pti_shape_text(in[H0]));
  c->p.dtype = x->dtype == PT_F64 ? PT_F64 : PT_F32;
  c->p.h = in[H0]->size[1];
  c->width = c->p.h * (c->p.kind == PTI_LSTM ? 4 : c->p.kind == PTI_GRU ? 3 : 1);
  if (!read_steps(c, x, args->batch) ||
      !matrix(c, W_IH, c->width, x->size[x->nd - 1], "weight_ih") ||
      !matrix(c, W_HH, c->width, c->p.h, "weight_hh")) {
    return false;
  }
  if (c->p.kind == PTI_LSTM && (in[C0] == NULL || !matrix(c, C0, c->p.n, c->p.h, "c0"))) {
    return in[C0] ? false : pti_refuse(PT_EARG, "rnn: an LSTM wants c0");
  }
  for (int i = B_IH; i <= B_HH; i++) {
    if (in[i] == NULL || (in[i]->nd == 1 && in[i]->size[0] == c->width)) continue;
    return pti_refuse(PT_ESHAPE, "rnn: bias_%s [%s], but [%lld] is wanted", i == B_IH ? "ih" : "hh",
                      pti_shape_text(in[i]), (long long)c->width);
  }
  for (int i = 0; i < NIN; i++) {
    if (in[i] && in[i]->dtype != x->dtype) {
      return pti_refuse(PT_EDTYPE, "rnn: x is %s, a state or weight %s", pt_dtype_name(x->dtype),
                        pt_dtype_name(in[i]->dtype));
    }
  }
  return true;
}

/* Everything that backward reads, in one flat tensor. Each row has the previous state (h), for an LSTM or GRU the
   gates (4 h), and for an LSTM the cell and the previous cell (h each). */
static int64_t reserve_of(const call *c) {
  return c->rows * c->p.h * (c->p.kind == PTI_LSTM ? 7 : c->p.kind == PTI_GRU ? 5 : 1);
}
static void reserve_at(const call *c, pt_tensor *reserve, pti_rnn_data *d) {
  size_t one = (size_t)(c->rows * c->p.h) * pti_esize(reserve);
  char *at = pti_ptr(reserve);
  bool gates = c->p.kind == PTI_LSTM || c->p.kind == PTI_GRU, cells = c->p.kind == PTI_LSTM;
  d->h_before = d->saved = d->cells = d->c_before = at; /* what a kind does not have is not read */
  if (gates) d->saved = at + one;
  if (cells) d->cells = at + 5 * one;
  if (cells) d->c_before = at + 6 * one;
}

static pt_tensor *fresh_copy(pt_tensor *x, pt_dtype dtype) {
  pt_tensor *y = x ? pti_new_like(x, dtype) : NULL;
  return pti_copy_into(y, x) ? y : NULL;
}

/* What may be missing, as the kernels read it. */
static bool ready(pt_tensor *x, pt_dtype dtype, pt_tensor **y) {
  *y = x ? pti_dense_of(pti_cast(x, dtype)) : NULL;
  return x == NULL || *y;
}

static pt_tensor *flat_rows(pt_tensor *x, int64_t rows) {
  int64_t size[2] = {rows, x->size[x->nd - 1]};
  return pt_reshape(x, size, 2);
}

/* x w_ih' + b_ih (+ b_hh where it is not multiplied by a gate). */
static pt_tensor *input_gates(const call *c) {
  pt_tensor *b = c->in[B_IH];
  bool both = b && c->in[B_HH] && c->p.kind != PTI_GRU;
  if (both && (b = pt_add(b, c->in[B_HH])) == NULL) return NULL;
  return pt_linear(flat_rows(c->in[X], c->rows), c->in[W_IH], b);
}

static pt_tensor *run(const call *c, const rnn_layer_args *args) {
  const pti_rnn *p = &c->p;
  pt_tensor *x = c->in[X];
  int64_t size[3], reserve = reserve_of(c);
  memcpy(size, x->size, (size_t)x->nd * sizeof *size);
  size[x->nd - 1] = p->h;
  pt_tensor *gates = pti_dense_of(pti_cast(input_gates(c), p->dtype));
  pt_tensor *w = pti_dense_of(pti_cast(c->in[W_HH], p->dtype)),
            *y = pti_new(size, x->nd, p->dtype, pti_dev(x));
  pt_tensor *b;
  if (!ready(p->kind == PTI_GRU ? c->in[B_HH] : NULL, p->dtype, &b)) return NULL;
  int64_t none = 0;
  pt_tensor *hn = fresh_copy(c->in[H0], p->dtype);
  pt_tensor *cn = p->kind == PTI_LSTM ? fresh_copy(c->in[C0], p->dtype)
                                      : pti_new(&none, 1, p->dtype, pti_dev(x));
  pt_tensor *kept = pti_new(&reserve, 1, p->dtype, pti_dev(x));
  if (!gates || !w || !y || !hn || !cn || !kept) return NULL;
  pti_rnn_data d = {.x_gates = pti_ptr(gates),
                    .w_hh = pti_ptr(w),
                    .b_hh = b ? pti_ptr(b) : NULL,
                    .hn = pti_ptr(hn),
                    .cn = pti_ptr(cn),
                    .y = pti_ptr(y)};
  reserve_at(c, kept, &d);
  *args->hn = hn;
  *args->cn = cn;
  *args->reserve = kept;
  const pti_device *dev = pti_device_at(pti_dev(x));
  if (dev->kernels->rnn == NULL) return pti_fail(PT_EDEVICE, "rnn: no kernel on %s", dev->name);
  return dev->kernels->rnn(dev->index, p, &d) ? y : NULL;
}

pt_tensor *rnn_layer_run(const rnn_layer_args *args) {
  call c;
  pt_tensor *in[NIN] = {
      [X] = args->x,       [H0] = args->h0,     [C0] = args->c0,    [W_IH] = args->w_ih,
      [W_HH] = args->w_hh, [B_IH] = args->b_ih, [B_HH] = args->b_hh};
  if (!read_call(&c, in, args)) return NULL;
  bool was = pt_set_grad_enabled(false);
  pt_tensor *y = run(&c, args);
  if (y && !(*args->hn = pti_cast(*args->hn, in[X]->dtype))) y = NULL;
  if (y && !(*args->cn = pti_cast(*args->cn, in[X]->dtype))) y = NULL;
  pt_set_grad_enabled(was);
  return pti_cast(y, in[X]->dtype);
}

/* The gradients of the last state, from which backward starts: as given, or zeros. */
static pt_tensor *start_gradient(const call *c, pt_tensor *g) {
  int64_t size[2] = {c->p.n, c->p.h};
  return g ? fresh_copy(g, c->p.dtype) : pt_zeros(size, 2, c->p.dtype, pti_dev(c->in[X]));
}

static bool hand_over(pt_node *n, int in, pt_tensor *g, pt_tensor **gx) {
  if (!pti_wants(n, in)) return true;
  int64_t rows = 0;
  if (in == B_IH || in == B_HH) g = pt_sum(g, &rows, 1, false, -1);
  if (g) g = pt_reshape(g, n->in[in].size, n->in[in].nd);
  return (gx[in] = pti_cast(g, n->in[in].dtype)) != NULL;
}

static bool fused_gradient(pt_node *n, call *c, pt_tensor *const *g, pt_tensor **gx) {
  const pti_rnn *p = &c->p;
  int64_t size[2] = {c->rows, c->width}, state[2] = {c->rows, p->h};
  pt_tensor *y = pti_saved_out(n, 0), *reserve = pti_saved_out(n, 3);
  pt_tensor *x = pti_dense_of(pti_cast(c->in[X], p->dtype)),
            *w = pti_dense_of(pti_cast(c->in[W_HH], p->dtype));
  pt_tensor *gy;
  if (!ready(g[0], p->dtype, &gy)) return false;
  pt_tensor *dh = start_gradient(c, g[1]),
            *dc = start_gradient(c, p->kind == PTI_LSTM ? g[2] : NULL);
  pt_tensor *gates = pti_new(size, 2, p->dtype, pti_dev(c->in[X]));
  pt_tensor *pre = p->kind == PTI_GRU ? pti_new(size, 2, p->dtype, pti_dev(c->in[X])) : gates;
  if (!y || !(y = pti_cast(y, p->dtype)) || !reserve || !x || !w || !dh || !dc || !gates || !pre)
    return false;
  pti_rnn_data d = {.w_hh = pti_ptr(w),
                    .y = pti_ptr(y),
                    .g_y = gy ? pti_ptr(gy) : NULL,
                    .g_gates = pti_ptr(gates),
                    .g_pre = pti_ptr(pre),
                    .g_h0 = pti_ptr(dh),
                    .g_c0 = pti_ptr(dc)};
  reserve_at(c, reserve, &d);
  const pti_device *dev = pti_device_at(pti_dev(x));
  if (!dev->kernels->rnn_grad(dev->index, p, &d)) return false;
  pt_tensor *before = pti_view(reserve, state, (int64_t[]){p->h, 1}, 2, reserve->offset, false);
  pt_tensor *w_ih = pti_cast(c->in[W_IH], p->dtype);
  bool ok = hand_over(n, H0, dh, gx) && (p->kind != PTI_LSTM || hand_over(n, C0, dc, gx)) &&
      hand_over(n, B_IH, gates, gx) && hand_over(n, B_HH, pre, gx);
  ok = ok && (!pti_wants(n, X) || hand_over(n, X, pt_mm(gates, w_ih), gx));
  ok = ok &&
      (!pti_wants(n, W_IH) || hand_over(n, W_IH, pt_mm(pt_t(gates), flat_rows(x, c->rows)), gx));
  return ok && (!pti_wants(n, W_HH) || hand_over(n, W_HH, pt_mm(pt_t(pre), before), gx));
}

/* ---- the same step by step from recorded calls, for derivatives of the gradient ---- */

static pt_tensor *part(pt_tensor *gates, const call *c, int k) {
  return pt_narrow(gates, 1, k * c->p.h, c->p.h);
}

/* One step: x (rows of the step, width) already through w_ih, h and *cell the previous states of the rows; *cell
   becomes the new cell. */
static pt_tensor *step(const call *c, pt_tensor *x, pt_tensor *h, pt_tensor **cell) {
  pt_tensor *pre = pt_linear(h, c->in[W_HH], c->p.kind == PTI_GRU ? c->in[B_HH] : NULL);
  if (c->p.kind == PTI_GRU) {
    pt_tensor *r = pt_sigmoid(pt_add(part(x, c, 0), part(pre, c, 0)));
    pt_tensor *z = pt_sigmoid(pt_add(part(x, c, 1), part(pre, c, 1)));
    pt_tensor *n = pt_tanh(pt_add(part(x, c, 2), pt_mul(r, part(pre, c, 2))));
    return pt_add(n, pt_mul(z, pt_sub(h, n)));
  }
  pt_tensor *all = pt_add(x, pre);
  if (c->p.kind == PTI_RNN_TANH) return pt_tanh(all);
  if (c->p.kind == PTI_RNN_RELU) return pt_relu(all);
  pt_tensor *i = pt_sigmoid(part(all, c, 0)), *f = pt_sigmoid(part(all, c, 1));
  pt_tensor *gg = pt_tanh(part(all, c, 2)), *o = pt_sigmoid(part(all, c, 3));
  *cell = pt_add(pt_mul(f, *cell), pt_mul(i, gg));
  return pt_mul(o, pt_tanh(*cell));
}

/* The first rows of `whole` replaced by `rows`. */
static pt_tensor *replace_rows(pt_tensor *whole, pt_tensor *rows) {
  if (whole == NULL || rows == NULL || rows->size[0] == whole->size[0]) return rows;
  pt_tensor *both[2] = {rows, pt_narrow(whole, 0, rows->size[0], whole->size[0] - rows->size[0])};
  return pt_cat(both, 2, 0);
}

static bool composed_forward(const call *c, pt_tensor **out) {
  const pti_rnn *p = &c->p;
  size_t bytes = (size_t)p->t * sizeof(pt_tensor *);
  pt_tensor **y = pti_alloc(bytes), *gates = input_gates(c), *h = c->in[H0], *cell = c->in[C0];
  if (y == NULL) return false;
  int64_t at = p->reverse ? c->rows : 0;
  for (int64_t s = 0; s < p->t; s++) {
    int64_t t = p->reverse ? p->t - 1 - s : s, n = p->batch ? p->batch[t] : p->n;
    if (p->reverse) at -= n;
    pt_tensor *hs = pt_narrow(h, 0, 0, n), *cs = cell ? pt_narrow(cell, 0, 0, n) : NULL;
    y[t] = step(c, pt_narrow(gates, 0, at, n), hs, &cs);
    h = replace_rows(h, y[t]);
    if (cell) cell = replace_rows(cell, cs);
    if (!p->reverse) at += n;
  }
  out[0] = pt_cat(y, (int)p->t, 0);
  if (out[0]) {
    int64_t size[3];
    memcpy(size, c->in[X]->size, (size_t)c->in[X]->nd * sizeof *size);
    size[c->in[X]->nd - 1] = p->h;
    out[0] = pt_reshape(out[0], size, c->in[X]->nd);
  }
  out[1] = h;
  out[2] = cell;
  pti_free(y, bytes);
  return out[0] && out[1] && (out[2] || c->in[C0] == NULL);
}

static bool composed_gradient(pt_node *n, const call *c, pt_tensor *const *g, pt_tensor **gx) {
  pt_tensor *out[3], *y[3], *gy[3], *x[NIN], *got[NIN];
  int ny = 0, nx = 0, which[NIN];
  if (!composed_forward(c, out)) return false;
  for (int k = 0; k < 3; k++) {
    if (g[k] == NULL || (k == 2 && c->p.kind != PTI_LSTM)) continue;
    y[ny] = out[k];
    gy[ny++] = g[k];
  }
  for (int i = 0; i < NIN; i++) {
    if (!pti_wants(n, i)) continue;
    which[nx] = i;
    x[nx++] = c->in[i];
  }
  if (!pt_grad_of(y, gy, ny, x, nx, PT_CREATE_GRAPH | PT_ALLOW_UNUSED, got)) return false;
  for (int i = 0; i < nx; i++) gx[which[i]] = got[i];
  return true;
}

bool rnn_layer_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  call c;
  pt_tensor *in[NIN] = {0};
  for (int i = 0; i < NIN; i++) {
    if (n->in[i].size && !(in[i] = pti_saved(n, i))) return false;
  }
  const rnn_layer_args args = rnn_layer_args_of(n->op, n->arg, NULL);
  if (!read_call(&c, in, &args)) return false;
  return pt_grad_enabled() ? composed_gradient(n, &c, g, gx) : fused_gradient(n, &c, g, gx);
}
