/* support.c: helpers of the ops: see ops.h. */
#include "ops.h"

bool pti_has(const char *op, const pti_device *dev, bool kernel) {
  return kernel || pti_refuse(PT_EDEVICE, "%s: no kernel on %s", op, dev->name);
}

/* ---- checks ---- */

bool pti_dim_set(const char *op, const pt_arg *dims, int nd, bool *in) {
  for (int d = 0; d < PT_MAX_DIM; d++) in[d] = !dims->given && d < nd;
  for (int i = 0; dims->given && i < dims->n; i++) {
    int d;
    if (!pti_dim(op, dims->ints[i], nd, &d)) return false;
    if (in[d]) {
      return pti_refuse(PT_EARG, "%s: dim %d stands twice in the list", op,
                        d + pti_this.index_base);
    }
    in[d] = true;
  }
  return true;
}

bool pti_same_dtype(const char *op, const char *a, const pt_tensor *x, const char *b,
                    const pt_tensor *y) {
  if (x->dtype == y->dtype) return true;
  return pti_refuse(PT_EDTYPE, "%s: %s is %s and %s is %s; convert one with :to()", op, a,
                    pt_dtype_name(x->dtype), b, pt_dtype_name(y->dtype));
}

bool pti_floating(const char *op, const char *name, const pt_tensor *x) {
  if (pti_is(x->dtype, PTI_FLOATS)) return true;
  return pti_refuse(PT_EDTYPE, "%s: %s is %s, but must be floating; convert it with :to()", op,
                    name, pt_dtype_name(x->dtype));
}

pt_tensor *pti_ids(const char *op, const char *name, pt_tensor *index) {
  if (index == NULL) return NULL;
  if (!pti_is(index->dtype, PTI_INTS)) {
    return pti_fail(PT_EDTYPE, "%s: %s is %s, but ids are int64: x:long() makes them", op, name,
                    pt_dtype_name(index->dtype));
  }
  return pti_dense_of(pti_cast(index, PT_I64));
}

int64_t pti_bad_id(const pt_tensor *id, int64_t n, bool wrap, const int64_t *skip) {
  if (pti_dev(id) != 0) return -1;
  const int64_t *v = (const int64_t *)pti_ptr(id);
  int64_t base = pti_this.index_base, low = wrap ? -n : base;
  for (int64_t i = 0; i < id->numel; i++) {
    bool in_range = v[i] >= low && v[i] < n + base && (v[i] >= base || v[i] < 0);
    if (!in_range && !(skip && v[i] == *skip)) return i;
  }
  return -1;
}

const char *pti_position_text(const pt_tensor *x, int64_t at) {
  int64_t place[PT_MAX_DIM];
  for (int d = x->nd - 1; d >= 0; d--) {
    place[d] = at % x->size[d] + pti_this.index_base;
    at /= x->size[d];
  }
  return x->nd ? pti_sizes_text(place, x->nd) : "1";
}

static const char *id_hint(int64_t id) {
  return id == 0 && pti_this.index_base == 1 ? "; positions count from 1; pt.range(1, n) makes them"
                                             : "";
}

bool pti_check_ids(const char *op, const char *name, const pt_tensor *id, int64_t n, bool wrap) {
  int64_t at = pti_bad_id(id, n, wrap, NULL);
  if (at < 0) return true;
  long long v = ((const int64_t *)pti_ptr(id))[at], base = pti_this.index_base;
  const char *where = pti_position_text(id, at);
  if (n == 0) {
    return pti_refuse(PT_EINDEX, "%s: %s %lld at position %s, but there are no entries", op, name,
                      v, where);
  }
  return pti_refuse(PT_EINDEX, "%s: %s %lld at position %s is not from %lld to %lld%s", op, name, v,
                    where, base, (long long)n - 1 + base, id_hint(v));
}

/* ---- geometry ---- */

pti_geometry pti_geometry_of(const pt_tensor *x) {
  pti_geometry q = {.nd = x->nd, .offset = x->offset};
  memcpy(q.size, x->size, sizeof q.size);
  memcpy(q.stride, x->stride, sizeof q.stride);
  return q;
}

pti_geometry pti_geometry_dense(const int64_t *size, int nd) {
  pti_geometry q = {.nd = nd};
  int64_t step = 1;
  for (int d = nd - 1; d >= 0; d--) {
    q.size[d] = size[d];
    q.stride[d] = step;
    step *= size[d] ? size[d] : 1;
  }
  return q;
}

pt_tensor *pti_view_at(pt_tensor *x, const pti_geometry *q, bool tracked) {
  return pti_view(x, q->size, q->stride, q->nd, q->offset, tracked);
}

bool pti_view_strides(const pt_tensor *x, const int64_t *size, int nd, int64_t *stride) {
  if (x->numel == 0 || pti_dense(x)) {
    pti_geometry q = pti_geometry_dense(size, nd);
    memcpy(stride, q.stride, (size_t)nd * sizeof *stride);
    return true;
  }
  /* From the last dim on: each run of dims that lie one in another takes as many new dims as fill
   * it. */
  int to = nd - 1;
  int64_t step = x->stride[x->nd - 1], run = 1, filled = 1;
  for (int d = x->nd - 1; d >= 0; d--) {
    run *= x->size[d];
    if (d > 0 && (x->size[d - 1] == 1 || x->stride[d - 1] == run * step)) continue;
    for (; to >= 0 && (filled < run || size[to] == 1); to--) {
      stride[to] = filled * step;
      filled *= size[to];
    }
    if (filled != run) return false;
    step = d > 0 ? x->stride[d - 1] : 0;
    run = filled = 1;
  }
  return to < 0;
}

pti_rows pti_rows_of(const pt_tensor *x, int dim) {
  pti_rows r = {.dtype = x->dtype, .outer = 1, .n = x->nd ? x->size[dim] : 1, .inner = 1};
  for (int d = 0; d < dim; d++) r.outer *= x->size[d];
  for (int d = dim + 1; d < x->nd; d++) r.inner *= x->size[d];
  return r;
}

/* ---- gradients ---- */

int64_t pti_edge_numel(const pti_edge *e) {
  int64_t n = 1;
  for (int d = 0; d < e->nd; d++) n *= e->size[d];
  return n;
}

pt_tensor *pti_zeros_for(const pti_edge *e, const pt_tensor *g) {
  return g ? pt_zeros(e->size, e->nd, e->dtype, pti_dev(g)) : NULL;
}

pt_tensor *pti_embed(const pti_edge *e, const pti_geometry *q, pt_tensor *g) {
  pt_tensor *gx = pti_zeros_for(e, g);
  if (gx == NULL) return NULL;
  if (pt_grad_enabled()) {
    return pt_as_strided_scatter(gx, g, q->size, q->nd, q->stride, q->nd, q->offset);
  }
  return pti_copy_into(pti_view_at(gx, q, false), g) ? gx : NULL;
}

pt_tensor *pti_grad_as(pt_tensor *g, const pti_edge *e) {
  return g == NULL || g->dtype == e->dtype ? g : pt_to_dtype(g, e->dtype);
}

pt_tensor *pti_grad_to(pt_tensor *g, const pti_edge *e) {
  if (g == NULL) return NULL;
  int lead =
      e->nd > g->nd ? e->nd - g->nd : 0; /* leading dims of size 1 that the result did not have */
  g = pti_sum_to(g, e->size + lead, e->nd - lead);
  if (lead) g = pt_reshape(g, e->size, e->nd);
  return pti_grad_as(g, e);
}
