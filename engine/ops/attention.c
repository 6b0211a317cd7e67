/* attention.c: scaled dot product attention. The op `attention` works on four dims and saves the log-sum-exp of each
   row and the random counters of its dropout; the composite has PyTorch's signature. */
#include <math.h>

#include "ops.h"
#include "rng.h"

static pt_tensor *ready(pt_tensor *x, pt_dtype dtype) { return pti_dense_of(pti_cast(x, dtype)); }

/* The tensors of args are not read: a gradient takes them from what was saved. */
static bool read_call(pti_attention *p, const pt_tensor *q, const pt_tensor *k, const pt_tensor *v,
                      const attention_args *args) {
  bool fits = q->nd == 4 && k->nd == 4 && v->nd == 4 && q->size[0] == k->size[0] &&
      q->size[0] == v->size[0] && q->size[3] == k->size[3] && k->size[2] == v->size[2] &&
      k->size[1] == v->size[1] && k->size[1] > 0 && q->size[1] % k->size[1] == 0;
  if (!fits) {
    return pti_refuse(
        PT_ESHAPE,
        "scaled_dot_product_attention: query [%s], key [%s] and value [%s] do not fit "
        "together",
        pti_shape_text(q), pti_shape_text(k), pti_shape_text(v));
  }
  if (!pti_is(q->dtype, PTI_FLOATS) || q->dtype != k->dtype || q->dtype != v->dtype) {
    return pti_refuse(PT_EDTYPE,
                      "scaled_dot_product_attention: query is %s, key %s, value %s; one floating "
                      "dtype is wanted",
                      pt_dtype_name(q->dtype), pt_dtype_name(k->dtype), pt_dtype_name(v->dtype));
  }
  *p = (pti_attention){.dtype = pti_working(q),
                       .b = q->size[0],
                       .h = q->size[1],
                       .hk = k->size[1],
                       .lq = q->size[2],
                       .lk = k->size[2],
                       .d = q->size[3],
                       .dv = v->size[3],
                       .causal = args->causal,
                       .scale = args->scale,
                       .dropout = args->dropout};
  if (p->dropout >= 0 && p->dropout < 1) return true;
  return pti_refuse(PT_EARG, "scaled_dot_product_attention: dropout_p is %g, but must be in [0, 1)",
                    p->dropout);
}

/* Points p at the mask, expanded to (b, h, lq, lk) by strides, without a copy. */
static bool set_mask(pti_attention *p, pt_tensor *mask) {
  if (mask == NULL) return true;
  int64_t size[4] = {p->b, p->h, p->lq, p->lk};
  pt_tensor *m = pti_expand_to(pti_cast(mask, p->dtype == PT_F64 ? PT_F64 : PT_F32), size, 4);
  if (m == NULL) {
    pti_error_prefix("scaled_dot_product_attention: attn_mask");
    return false;
  }
  p->mask = pti_ptr(m);
  memcpy(p->mask_stride, m->stride, sizeof p->mask_stride);
  return true;
}

pt_tensor *attention_run(const attention_args *args) {
  pt_tensor *q = args->query, *k = args->key, *v = args->value;
  pti_attention p;
  if (!read_call(&p, q, k, v, args) || !set_mask(&p, args->mask)) return NULL;
  pt_dtype dtype = q->dtype;
  int64_t size[4] = {p.b, p.h, p.lq, p.dv}, three = 3;
  pt_tensor *y = pti_new(size, 4, p.dtype, pti_dev(q));
  *args->lse = pti_new(size, 3, pti_computed(q), pti_dev(q));
  *args->state = pti_new(&three, 1, PT_I64, 0);
  if (!y || !*args->lse || !*args->state) return NULL;
  pti_generator *r = pti_default_generator();
  int64_t *state = (int64_t *)pti_ptr(*args->state);
  state[0] = (int64_t)(p.seed = r->seed);
  state[1] = (int64_t)(p.stream = r->stream);
  state[2] = (int64_t)(p.ctr = p.dropout > 0 ? pti_generator_take(r, p.b * p.h * p.lq * p.lk) : 0);
  if (!(q = ready(q, p.dtype)) || !(k = ready(k, p.dtype)) || !(v = ready(v, p.dtype))) return NULL;
  const pti_device *dev = pti_device_at(pti_dev(q));
  if (dev->kernels->attention == NULL)
    return pti_fail(PT_EDEVICE, "attention: no kernel on %s", dev->name);
  if (y->numel &&
      !dev->kernels->attention(dev->index, &p, pti_ptr(q), pti_ptr(k), pti_ptr(v), pti_ptr(y),
                               pti_ptr(*args->lse))) {
    return NULL;
  }
  return pti_cast(y, dtype);
}

static bool fused_gradient(pt_node *n, pt_tensor *g, pt_tensor **gx) {
  pt_tensor *q = pti_saved(n, 0), *k = pti_saved(n, 1), *v = pti_saved(n, 2);
  pt_tensor *mask, *y = pti_saved_out(n, 0);
  pt_tensor *lse = pti_saved_out(n, 1), *state = pti_saved_out(n, 2), *out[3];
  const attention_args args = attention_args_of(n->op, n->arg, NULL);
  pti_attention p;
  if (!q || !k || !v || !y || !lse || !state || !pti_saved_if_given(n, 3, &mask) ||
      !read_call(&p, q, k, v, &args) || !set_mask(&p, mask))
    return false;
  const int64_t *r = (const int64_t *)pti_ptr(state);
  p.seed = (uint64_t)r[0];
  p.stream = (uint64_t)r[1];
  p.ctr = (uint64_t)r[2];
  pt_tensor *x[5] = {q, k, v, y, g};
  for (int i = 0; i < 5; i++) {
    if (!(x[i] = ready(x[i], p.dtype))) return false;
  }
  for (int i = 0; i < 3; i++) {
    if (!(out[i] = pti_new_like(x[i], p.dtype))) return false;
  }
  const pti_device *dev = pti_device_at(pti_dev(q));
  if (!dev->kernels->attention_grad(dev->index, &p, pti_ptr(x[0]), pti_ptr(x[1]), pti_ptr(x[2]),
                                    pti_ptr(x[3]), pti_ptr(lse), pti_ptr(x[4]), pti_ptr(out[0]),
                                    pti_ptr(out[1]), pti_ptr(out[2]))) {
    return false;
  }
  for (int i = 0; i < 3; i++) {
    if (pti_wants(n, i) && !(gx[i] = pti_cast(out[i], n->in[i].dtype))) return false;
  }
  return true;
}

/* Key heads repeated for the query heads that share them, and the reverse for gradients. */
static pt_tensor *spread_heads(pt_tensor *x, int64_t group) {
  int64_t five[5] = {x->size[0], x->size[1], group, x->size[2], x->size[3]};
  int64_t four[4] = {five[0], five[1] * group, five[3], five[4]};
  return group == 1 ? x : pt_reshape(pt_expand(pt_unsqueeze(x, 2), five, 5), four, 4);
}
static pt_tensor *gather_heads(pt_tensor *g, const pti_edge *e, int64_t group) {
  int64_t five[5] = {e->size[0], e->size[1], group, e->size[2], e->size[3]}, dim = 2;
  return group == 1 ? g : pt_sum(pt_reshape(g, five, 5), &dim, 1, false, -1);
}

/* Scores as a tensor, with -inf where they are hidden. */
static pt_tensor *all_scores(const pti_attention *p, pt_tensor *q, pt_tensor *k, pt_tensor *mask) {
  pt_tensor *s = pt_mul(pt_matmul(q, pt_transpose(k, 2, 3)), pt_scalar(p->scale));
  if (mask) s = pt_add(s, mask);
  if (!p->causal) return s;
  pt_tensor *row = pt_sequence(p->lq, 0, 1, PT_I64, 0),
            *column = pt_sequence(p->lk, 0, 1, PT_I64, 0);
  return pt_where(pt_gt(column, pt_unsqueeze(row, 1)), pt_scalar(-INFINITY), s);
}

/* The same from recorded calls, with all scores in memory: for second derivatives and gradients of
   the mask. */
static bool composed_gradient(pt_node *n, pt_tensor *g, pt_tensor **gx) {
  static const int64_t last = 3;
  pt_tensor *q = pti_saved(n, 0), *k = pti_saved(n, 1), *v = pti_saved(n, 2);
  pt_tensor *mask;
  const attention_args args = attention_args_of(n->op, n->arg, NULL);
  pti_attention p;
  if (!q || !k || !v || !pti_saved_if_given(n, 3, &mask) || !read_call(&p, q, k, v, &args))
    return false;
  if (p.dropout > 0) {
    return pti_refuse(PT_EGRAD, "scaled_dot_product_attention: no second derivative with dropout");
  }
  int64_t group = p.h / p.hk;
  k = spread_heads(k, group);
  v = spread_heads(v, group);
  pt_tensor *s = all_scores(&p, q, k, mask), *zero = pt_scalar_int(0);
  /* Rows that are masked altogether are set to 0 before softmax and again after it, so that no NaN arises. */
  pt_tensor *hidden = pt_all(pt_eq(pt_detach(s), pt_scalar(-INFINITY)), &last, 1, true);
  pt_tensor *w = pt_where(hidden, zero, pt_softmax(pt_where(hidden, zero, s), 3, -1));
  pt_tensor *gw = pt_matmul(g, pt_transpose(v, 2, 3));
  pt_tensor *gs = pt_mul(w, pt_sub(gw, pt_sum(pt_mul(gw, w), &last, 1, true, -1)));
  pt_tensor *scale = pt_scalar(p.scale);
  if (pti_wants(n, 0) && !(gx[0] = pt_mul(pt_matmul(gs, k), scale))) return false;
  if (pti_wants(n, 1) &&
      !(gx[1] =
            gather_heads(pt_mul(pt_matmul(pt_transpose(gs, 2, 3), q), scale), &n->in[1], group))) {
    return false;
  }
  if (pti_wants(n, 2) &&
      !(gx[2] = gather_heads(pt_matmul(pt_transpose(w, 2, 3), g), &n->in[2], group)))
    return false;
  return !pti_wants(n, 3) || (gx[3] = pti_sum_to(gs, n->in[3].size, n->in[3].nd)) != NULL;
}

bool attention_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  if (g[0] == NULL)
    return pti_refuse(PT_EGRAD, "attention: only its first output is differentiable");
  bool composed = pt_grad_enabled() || pti_wants(n, 3);
  return composed ? composed_gradient(n, g[0], gx) : fused_gradient(n, g[0], gx);
}

/* (l, d) and (b, l, d) as (b, h, l, d). */
static pt_tensor *four_dims(pt_tensor *x) {
  while (x && x->nd < 4) x = pt_unsqueeze(x, x->nd == 3 ? 1 : 0);
  return x;
}

/* A bool mask is true where a query may look; as an additive mask it is 0 there and -inf elsewhere. */
static pt_tensor *additive(pt_tensor *mask, pt_dtype dtype) {
  if (mask == NULL || mask->dtype != PT_BOOL) return mask;
  pt_tensor *zero = pt_zeros(NULL, 0, dtype, pti_dev(mask));
  return pt_where(mask, zero, pt_scalar(-INFINITY));
}

/* Whether query, key and value agree in the dims before the last two. */
static bool same_lead(pt_tensor *const *x) {
  for (int i = 1; i < 3; i++) {
    if (x[i]->nd != x[0]->nd) return false;
    for (int d = 0; d < x[0]->nd - 2; d++) {
      if (x[i]->size[d] != x[0]->size[d]) return false;
    }
  }
  return true;
}

/* The dims of x before the last two expanded to `lead`, and folded into one. */
static pt_tensor *folded(pt_tensor *x, const int64_t *lead, int nlead) {
  int64_t size[PT_MAX_DIM], flat[] = {1, 1, x->size[x->nd - 2], x->size[x->nd - 1]};
  for (int d = 0; d < nlead; d++) flat[0] *= size[d] = lead[d];
  memcpy(size + nlead, flat + 2, 2 * sizeof *size);
  return pt_reshape(pt_expand(x, size, nlead + 2), flat, 4);
}

/* Leading dims that broadcast: the same over folded ones. */
static pt_tensor *broadcast_attention(pt_tensor *const *qkv,
                                      const scaled_dot_product_attention_args *args) {
  pt_tensor *x[] = {qkv[0], qkv[1], qkv[2], args->attn_mask}, lead[4];
  const pt_tensor *each[4];
  int64_t size[PT_MAX_DIM];
  int n = 0, nd;
  for (int i = 0; i < 4; i++) {
    if (x[i] == NULL || x[i]->nd < 2) continue;
    lead[n] = *x[i]; /* only nd and size are read */
    lead[n].nd = (uint8_t)(x[i]->nd - 2);
    each[n] = &lead[n];
    n++;
  }
  if (!pti_broadcast(args->op->name, each, n, size, &nd)) return NULL;
  for (int i = 0; i < 4; i++) {
    if (x[i] == NULL || x[i]->nd < 2) continue;
    if ((x[i] = folded(x[i], size, nd)) == NULL) return NULL;
  }
  double scale = args->scale->given ? args->scale->f
                                    : 1 / sqrt((double)args->query->size[args->query->nd - 1]);
  pt_tensor *y = pt_scaled_dot_product_attention(x[0], x[1], x[2], x[3], args->dropout_p,
                                                 args->is_causal, scale, false);
  if (y == NULL) return NULL;
  size[nd] = y->size[2];
  size[nd + 1] = y->size[3];
  return pt_reshape(y, size, nd + 2);
}

/* x (..., heads, length, width) with each head as often as it takes to have `heads`; NULL where they do not divide. */
static pt_tensor *with_heads(pt_tensor *x, int64_t heads) {
  int64_t size[PT_MAX_DIM], own = x->size[x->nd - 3];
  if (own == heads) return x;
  if (own == 0 || heads % own != 0) return NULL;
  int lead = x->nd - 3;
  memcpy(size, x->size, (size_t)lead * sizeof *size);
  size[lead] = own;
  size[lead + 1] = heads / own;
  memcpy(size + lead + 2, x->size + lead + 1, 2 * sizeof *size);
  pt_tensor *wide = pt_expand(pt_unsqueeze(x, -3), size, x->nd + 1);
  size[lead] = heads;
  memcpy(size + lead + 1, x->size + lead + 1, 2 * sizeof *size);
  return pt_reshape(wide, size, x->nd);
}

/* With dropout as PyTorch draws it: a number for each weight in turn, so all weights are in memory. */
static pt_tensor *attention_of_twister(pt_tensor *q, pt_tensor *k, pt_tensor *v, pt_tensor *mask,
                                       const attention_args *args) {
  pti_attention p;
  if (!q || !k || !v || !read_call(&p, q, k, v, args)) return NULL;
  int64_t group = p.h / p.hk;
  pt_tensor *w = pt_softmax(all_scores(&p, q, spread_heads(k, group), mask), 3, -1);
  pt_tensor *kept = w
      ? pt_random(pt_zeros(w->size, 4, w->dtype, pti_dev(w)), "bernoulli", 1 - p.dropout, 0)
      : NULL;
  w = pt_mul(w, pt_div(kept, pt_scalar(1 - p.dropout)));
  return pt_matmul(w, spread_heads(v, group));
}

pt_tensor *scaled_dot_product_attention_run(const scaled_dot_product_attention_args *args) {
  pt_tensor *q = args->query, *k = args->key, *v = args->value, *mask = args->attn_mask,
            *x[3] = {q, k, v};
  const char *name = args->op->name;
  for (int i = 0; i < 3; i++) {
    if (x[i]->nd < 2 || x[i]->nd > PT_MAX_DIM - 2) {
      return pti_fail(PT_ESHAPE, "%s: query [%s], key [%s] and value [%s] must have 2 dims or more",
                      name, pti_shape_text(q), pti_shape_text(k), pti_shape_text(v));
    }
  }
  bool causal = args->is_causal, grouped = args->enable_gqa;
  bool four = q->nd == 4 && k->nd == 4;
  bool differ = !grouped && four && q->size[1] != k->size[1] && q->size[1] != 1 && k->size[1] != 1;
  if (grouped && !(four && v->nd == 4)) {
    int64_t heads = q->nd > 2 ? q->size[q->nd - 3] : 0;
    differ = !heads || k->nd < 3 || v->nd < 3 || !(x[1] = k = with_heads(k, heads)) ||
        !(x[2] = v = with_heads(v, heads));
    grouped = false;
  }
  if (differ) {
    return pti_fail(
        PT_ESHAPE,
        "%s: query [%s], key [%s], value [%s]: their heads (dim -3) differ; with enable_gqa those of key "
        "and value must divide those of query",
        name, pti_shape_text(q), pti_shape_text(args->key), pti_shape_text(args->value));
  }
  if (!grouped && (q->nd > 4 || !same_lead(x))) return broadcast_attention(x, args);
  if (mask && causal)
    return pti_fail(PT_EARG, "%s: give attn_mask or is_causal, not both", args->op->name);
  double scale = args->scale->given ? args->scale->f : 1 / sqrt((double)q->size[q->nd - 1]);
  mask = additive(mask, q->dtype);
  if (args->attn_mask && mask == NULL) return NULL;
  if (mask && q->nd == 3 && mask->nd == 3 && !(mask = pt_unsqueeze(mask, 1))) return NULL;
  pt_tensor *four_q = four_dims(q), *four_k = four_dims(k), *four_v = four_dims(v), *y;
  if (args->dropout_p > 0 && pti_default_generator()->twister) {
    const attention_args call = {.causal = causal, .scale = scale, .dropout = args->dropout_p};
    y = attention_of_twister(four_q, four_k, four_v, mask, &call);
  } else {
    y = pt_attention(four_q, four_k, four_v, mask, causal, scale, args->dropout_p, NULL, NULL);
  }
  for (int nd = 4; y && nd > q->nd; nd--) y = pt_select(y, nd == 4 && q->nd == 3 ? 1 : 0, 0);
  return y;
}
