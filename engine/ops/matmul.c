/* matmul.c: products of matrices. A transposed operand is passed to gemm as a flag; only what is
   dense in neither order is copied. Gradients are products again. */
#include "ops.h"

/* ---- one call of gemm ---- */

/* How gemm sees a matrix of r rows and c columns: the distance between its rows, or between its
   columns where it is stored transposed. */
typedef struct matrix {
  const void *data;
  bool t;
  int64_t ld, step; /* step: to the next matrix of a batch */
} matrix;

/* The last two dims of x (nd 2 or 3) as a matrix; a copy in *x where strides leave no other way. */
static bool matrix_of(pt_tensor **x, matrix *m) {
  for (int copied = 0;; copied++) {
    const pt_tensor *t = *x;
    int d = t->nd - 2;
    int64_t r = t->size[d], c = t->size[d + 1], sr = t->stride[d], sc = t->stride[d + 1];
    bool rows = (c == 1 || sc == 1) && (r == 1 || sr >= c),
         columns = (r == 1 || sr == 1) && (c == 1 || sc >= r);
    if (rows || columns || copied) {
      m->data = pti_ptr(t);
      m->t = !rows && columns;
      m->ld = m->t ? (c == 1 ? pti_max64(r, 1) : sc) : (r == 1 ? pti_max64(c, 1) : sr);
      m->step = d ? t->stride[0] : 0;
      return true;
    }
    pt_tensor *dense = pti_new_like(t, t->dtype);
    if (!pti_copy_into(dense, *x)) return false;
    *x = dense;
  }
}

/* c (batch, m, n) = a b + beta c, and bias to each row where it is not NULL; a, b and c have 2 or 3 dims, c is dense. */
static bool multiply(const char *op, pt_tensor *a, pt_tensor *b, pt_tensor *c, double beta,
                     const pt_tensor *bias) {
  int d = a->nd - 2;
  const pti_device *dev = pti_home(c);
  pti_gemm g = {.dtype = c->dtype,
                .m = a->size[d],
                .k = a->size[d + 1],
                .n = b->size[d + 1],
                .batch = d ? a->size[0] : 1,
                .alpha = 1,
                .beta = beta,
                .c = pti_ptr(c),
                .bias = bias ? pti_ptr(bias) : NULL};
  matrix ma, mb;
  if (c->numel == 0) return true;
  if (g.k == 0) return beta == 1 || pti_fill_value(c, 0, 0);
  if (!matrix_of(&a, &ma) || !matrix_of(&b, &mb) || !pti_has(op, dev, dev->kernels->gemm != NULL))
    return false;
  g.a = ma.data;
  g.ta = ma.t;
  g.lda = ma.ld;
  g.sa = ma.step;
  g.b = mb.data;
  g.tb = mb.t;
  g.ldb = mb.ld;
  g.sb = mb.step;
  g.ldc = g.n;
  g.sc = g.m * g.n;
  return dev->kernels->gemm(dev->index, &g);
}

/* ---- checks ---- */

/* Whether x (.., k) fits y (k, ..): dim kx of x, ky of y. The error gives vectors the one size that they have. */
static bool inner_fits(const char *op, const pt_tensor *x, const pt_tensor *y) {
  int kx = x->nd - 1, ky = y->nd > 1 ? y->nd - 2 : 0;
  if (x->size[kx] == y->size[ky]) return pti_same_dtype(op, "x", x, "y", y);
  const char *hint = "";
  if (y->nd > 1 && x->size[kx] == y->size[y->nd - 1])
    hint = y->nd == 2 ? "; did you mean y:t()?" : "; did you mean y:transpose(-2, -1)?";
  else if (x->nd > 1 && x->size[kx - 1] == y->size[ky])
    hint = x->nd == 2 ? "; did you mean x:t()?" : "; did you mean x:transpose(-2, -1)?";
  return pti_refuse(PT_ESHAPE, "%s: x [%s] and y [%s]: %lld ~= %lld%s", op, pti_shape_text(x),
                    pti_shape_text(y), (long long)x->size[kx], (long long)y->size[ky], hint);
}

static bool has_dims(const char *op, const pt_tensor *x, int nx, const pt_tensor *y, int ny) {
  static const char *const kind[] = {"", "a vector", "a matrix", "a batch of matrices (b, n, k)"};
  if (x->nd == nx && y->nd == ny) return true;
  const pt_tensor *bad = x->nd != nx ? x : y;
  return pti_refuse(PT_ESHAPE, "%s: %s [%s] is not %s%s", op, bad == x ? "x" : "y",
                    pti_shape_text(bad), kind[bad == x ? nx : ny],
                    nx > 0 && bad->nd > 0 ? "; matmul takes any dims" : "");
}

/* ---- mm, bmm ---- */

pt_tensor *mm_run(const mm_args *args) {
  pt_tensor *x = args->x, *y = args->y;
  if (!has_dims(args->op->name, x, 2, y, 2) || !inner_fits(args->op->name, x, y)) return NULL;
  pt_tensor *z = pti_new((int64_t[]){x->size[0], y->size[1]}, 2, x->dtype, pti_dev(x));
  return z && multiply(args->op->name, x, y, z, 0, NULL) ? z : NULL;
}

bool mm_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  if (pti_wants(n, 0) && !(gx[0] = pt_mm(g[0], pt_t(pt_conj(pti_saved(n, 1)))))) return false;
  return !pti_wants(n, 1) || (gx[1] = pt_mm(pt_t(pt_conj(pti_saved(n, 0))), g[0])) != NULL;
}

pt_tensor *bmm_run(const bmm_args *args) {
  pt_tensor *x = args->x, *y = args->y;
  if (!has_dims(args->op->name, x, 3, y, 3)) return NULL;
  if (x->size[0] != y->size[0]) {
    return pti_fail(PT_ESHAPE, "%s: x [%s] has %lld matrices, y [%s] has %lld", args->op->name,
                    pti_shape_text(x), (long long)x->size[0], pti_shape_text(y),
                    (long long)y->size[0]);
  }
  if (!inner_fits(args->op->name, x, y)) return NULL;
  int64_t size[] = {x->size[0], x->size[1], y->size[2]};
  pt_tensor *z = pti_new(size, 3, x->dtype, pti_dev(x));
  return z && multiply(args->op->name, x, y, z, 0, NULL) ? z : NULL;
}

bool bmm_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  if (pti_wants(n, 0) && !(gx[0] = pt_bmm(g[0], pt_transpose(pt_conj(pti_saved(n, 1)), 1, 2))))
    return false;
  return !pti_wants(n, 1) ||
      (gx[1] = pt_bmm(pt_transpose(pt_conj(pti_saved(n, 0)), 1, 2), g[0])) != NULL;
}

/* ---- linear ---- */

/* x (..., i) as (n, i), a copy where its strides allow no view. */
static pt_tensor *as_rows(pt_tensor *x) {
  if (x == NULL || x->nd == 2) return x;
  int64_t rows = 1;
  for (int d = 0; d < x->nd - 1; d++) rows *= x->size[d];
  return pt_reshape(x, (int64_t[]){rows, x->size[x->nd - 1]}, 2);
}

static bool linear_fits(const char *op, const pt_tensor *x, const pt_tensor *w,
                        const pt_tensor *b) {
  if (w->nd != 2) {
    return pti_refuse(PT_ESHAPE, "%s: weight [%s] is not a matrix (out, in)", op,
                      pti_shape_text(w));
  }
  if (x->nd == 0 || x->size[x->nd - 1] != w->size[1]) {
    return pti_refuse(PT_ESHAPE, "%s: x [%s] has %lld features, weight wants %lld", op,
                      pti_shape_text(x), (long long)(x->nd ? x->size[x->nd - 1] : 0),
                      (long long)w->size[1]);
  }
  if (b && (b->nd != 1 || b->size[0] != w->size[0])) {
    return pti_refuse(PT_ESHAPE, "%s: bias [%s] for weight [%s], which gives %lld features", op,
                      pti_shape_text(b), pti_shape_text(w), (long long)w->size[0]);
  }
  return pti_same_dtype(op, "x", x, "weight", w) && (!b || pti_same_dtype(op, "x", x, "bias", b));
}

/* A weight that is a vector gives one feature, without a dim of its own. */
bool linear_shortcut(const pt_arg *arg, pt_tensor **out) {
  pt_tensor *w = arg[1].t, *b = arg[2].t;
  const pt_tensor *x = arg[0].t;
  if (w->nd != 1) return true;
  if (x->nd == 0 || x->size[x->nd - 1] != w->size[0]) {
    return pti_refuse(PT_ESHAPE, "linear: x [%s] has %lld features, weight wants %lld",
                      pti_shape_text(x), (long long)(x->nd ? x->size[x->nd - 1] : 0),
                      (long long)w->size[0]);
  }
  if (b && b->numel != 1) {
    return pti_refuse(PT_ESHAPE, "linear: bias [%s] for weight [%s], which gives one feature",
                      pti_shape_text(b), pti_shape_text(w));
  }
  out[0] = pt_matmul(arg[0].t, w);
  if (b) out[0] = pt_add(out[0], b);
  return out[0] != NULL;
}

/* A bias that the backend does not add is written first, and the product added to it. */
pt_tensor *linear_run(const linear_args *args) {
  pt_tensor *x = args->x, *w = args->weight, *b = args->bias;
  if (!linear_fits(args->op->name, x, w, b)) return NULL;
  int64_t size[PT_MAX_DIM], in = w->size[1], out = w->size[0];
  memcpy(size, x->size, sizeof size);
  size[x->nd - 1] = out;
  pt_tensor *y = pti_new(size, x->nd, x->dtype, pti_dev(x));
  if (y == NULL) return NULL;
  const pti_device *dev = pti_home(y);
  bool added = b && dev->be->adds_bias && in > 0 && (out == 1 || b->stride[0] == 1) &&
      !pti_is(y->dtype, PTI_COMPLEX);
  if (b && !added && !pti_copy_into(y, b)) return NULL;
  pti_geometry q = {
      .nd = 2, .size = {in, out}, .stride = {w->stride[1], w->stride[0]}, .offset = w->offset};
  pt_tensor *wt = pti_view_at(w, &q, false), *rows = x;
  if (x->nd != 2) { /* without history: linear records a node of its own */
    int64_t flat[] = {in ? x->numel / in : y->numel / pti_max64(out, 1), in}, stride[2];
    if (!pti_view_strides(x, flat, 2, stride)) {
      rows = pti_dense_of(x);
      stride[0] = in;
      stride[1] = 1;
    }
    rows = rows ? pti_view(rows, flat, stride, 2, rows->offset, false) : NULL;
  }
  return rows && wt && multiply(args->op->name, rows, wt, y, b && !added ? 1 : 0, added ? b : NULL)
      ? y
      : NULL;
}

/* gx = g w    gw = g' x    gb = sum of the rows of g */
bool linear_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const pti_edge *e = &n->in[0];
  int64_t count = 1;
  for (int d = 0; d < e->nd - 1; d++) count *= e->size[d];
  pt_tensor *rows = pt_reshape(g[0], (int64_t[]){count, g[0]->size[e->nd - 1]}, 2);
  if (pti_wants(n, 0)) {
    gx[0] = pt_mm(rows, pti_saved(n, 1));
    if (e->nd != 2) gx[0] = pt_reshape(gx[0], e->size, e->nd);
    if (gx[0] == NULL) return false;
  }
  if (pti_wants(n, 1) && !(gx[1] = pt_mm(pt_t(rows), as_rows(pti_saved(n, 0))))) return false;
  return !pti_wants(n, 2) || (gx[2] = pt_sum(rows, (int64_t[]){0}, 1, false, -1)) != NULL;
}

/* ---- the rest is made of these ---- */

pt_tensor *mv_run(const mv_args *args) {
  pt_tensor *x = args->x, *y = args->y;
  if (!has_dims(args->op->name, x, 2, y, 1) || !inner_fits(args->op->name, x, y)) return NULL;
  return pt_select(pt_mm(x, pt_unsqueeze(y, 1)), 1, 0);
}

pt_tensor *dot_run(const dot_args *args) {
  pt_tensor *x = args->x, *y = args->y;
  if (!has_dims(args->op->name, x, 1, y, 1) || !inner_fits(args->op->name, x, y)) return NULL;
  return pt_view(pt_mm(pt_unsqueeze(x, 0), pt_unsqueeze(y, 1)), NULL, 0);
}

/* x (..., n, k) and y (..., k, m) with their leading dims broadcast, as two batches of matrices. */
static pt_tensor *batched(const char *op, pt_tensor *x, pt_tensor *y) {
  int nx = x->nd - 2, ny = y->nd - 2, nd = 0;
  int64_t size[PT_MAX_DIM] = {0}, batch = 1;
  pt_tensor lead[] = {*x, *y}; /* only nd and size are read */
  lead[0].nd = (uint8_t)nx;
  lead[1].nd = (uint8_t)ny;
  if (!pti_broadcast(op, (const pt_tensor *[]){&lead[0], &lead[1]}, 2, size, &nd)) return NULL;
  for (int d = 0; d < nd; d++) batch *= size[d];
  int64_t n = x->size[nx], k = x->size[nx + 1], m = y->size[ny + 1];
  size[nd] = n;
  size[nd + 1] = k;
  x = pt_reshape(pt_expand(x, size, nd + 2), (int64_t[]){batch, n, k}, 3);
  size[nd] = k;
  size[nd + 1] = m;
  y = pt_reshape(pt_expand(y, size, nd + 2), (int64_t[]){batch, k, m}, 3);
  size[nd] = n;
  return pt_view(pt_bmm(x, y), size, nd + 2);
}

/* x (..., n, k) times one matrix y (k, m): all rows of x at once. */
static pt_tensor *folded(pt_tensor *x, pt_tensor *y) {
  int64_t size[PT_MAX_DIM];
  memcpy(size, x->size, sizeof size);
  size[x->nd - 1] = y->size[1];
  int64_t rows = 1;
  for (int d = 0; d < x->nd - 1; d++) rows *= size[d];
  pt_tensor *flat = pt_reshape(x, (int64_t[]){rows, x->size[x->nd - 1]}, 2);
  return pt_view(pt_mm(flat, y), size, x->nd);
}

pt_tensor *matmul_run(const matmul_args *args) {
  pt_tensor *x = args->x, *y = args->y;
  if (x->nd == 0 || y->nd == 0) {
    return pti_fail(PT_ESHAPE, "%s: %s is a single number; use mul", args->op->name,
                    x->nd == 0 ? "x" : "y");
  }
  if (!inner_fits(args->op->name, x, y)) return NULL;
  if (x->nd == 2 && y->nd == 2) return pt_mm(x, y);
  if (x->nd == 1 && y->nd == 1) return pt_dot(x, y);
  /* A vector is a row on the left and a column on the right, and gives no dim to the result. */
  bool row = x->nd == 1, column = y->nd == 1;
  if (row) x = pt_unsqueeze(x, 0);
  if (column) y = pt_unsqueeze(y, 1);
  if (x == NULL || y == NULL) return NULL;
  pt_tensor *z = x->nd == 2 && y->nd == 2 ? pt_mm(x, y)
      : y->nd == 2                        ? folded(x, y)
                                          : batched(args->op->name, x, y);
  if (row) z = pt_select(z, -2, 0);
  return column ? pt_select(z, -1, 0) : z;
}

pt_tensor *addmm_run(const addmm_args *args) {
  pt_tensor *x = args->mat1, *y = args->mat2;
  if (!has_dims(args->op->name, x, 2, y, 2) || !inner_fits(args->op->name, x, y)) return NULL;
  pt_tensor *z = pt_add(args->x, pt_mm(x, y));
  if (z == NULL) pti_error_prefix(args->op->name);
  return z;
}
