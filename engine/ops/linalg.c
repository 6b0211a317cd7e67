/* linalg.c: factorizations and solutions of matrices (..., m, n), all entries of a batch at once. A slot takes
   matrices in column-major order, so operands are copied that way and results are transposed views of what it wrote.
   Where an algorithm fails, an error names the batch entry, or `info` says so where the caller does not want a
   check. Gradients are PyTorch's.

   Ops for symmetric matrices read (x + x') / 2, so that their gradients are symmetric; which triangle of an
   asymmetric x counts is decided in scripts/pt/linalg.lua. */
#include <stdio.h>

#include "ops.h"

/* Messages use the name that scripts use: linalg.solve for linalg_solve. */
static const char *spoken(const pt_op *op) {
  static _Thread_local char name[32];
  snprintf(name, sizeof name, "%s", op->name);
  name[strlen("linalg")] = '.';
  return name;
}

/* ---- checks ---- */

static bool is_matrix(const char *op, const char *name, const pt_tensor *x, bool square) {
  if (x->nd < 2) {
    return pti_refuse(PT_ESHAPE, "%s: %s [%s] is not a matrix (..., m, n)", op, name,
                      pti_shape_text(x));
  }
  if (square && x->size[x->nd - 1] != x->size[x->nd - 2]) {
    return pti_refuse(PT_ESHAPE, "%s: %s [%s] is not square", op, name, pti_shape_text(x));
  }
  if (pti_is(x->dtype, PTI_BIT(PT_F32) | PTI_BIT(PT_F64) | PTI_COMPLEX)) return true;
  return pti_refuse(
      PT_EDTYPE, "%s: %s is %s, but must be float32 or float64, or complex; convert it with :to()",
      op, name, pt_dtype_name(x->dtype));
}

/* A (..., n, n) and B (..., n, k), of one dtype and the same leading dims. */
static bool is_system(const char *op, const pt_tensor *a, const pt_tensor *b) {
  if (!is_matrix(op, "A", a, true) || !is_matrix(op, "B", b, false)) return false;
  if (!pti_same_dtype(op, "A", a, "B", b)) return false;
  if (a->nd == b->nd && memcmp(a->size, b->size, (size_t)(a->nd - 1) * sizeof *a->size) == 0)
    return true;
  return pti_refuse(PT_ESHAPE, "%s: A [%s] and B [%s] must agree in all dims but the last", op,
                    pti_shape_text(a), pti_shape_text(b));
}

static bool is_complex(const pt_tensor *x) { return x && pti_is(x->dtype, PTI_COMPLEX); }

/* The dtype of real parts. */
static pt_dtype part_of(pt_dtype d) { return d == PT_C64 ? PT_F32 : d == PT_C128 ? PT_F64 : d; }

/* With a number that is not finite an iteration might never end. */
static bool is_finite(const char *op, pt_tensor *x) {
  double zero;
  x = pti_bare(x);
  if (is_complex(x)) x = pt_view_as_real(x);
  if (!pt_item(pt_sum(pt_mul(x, pt_scalar_int(0)), NULL, -1, false, -1), &zero)) return false;
  return zero == 0 || pti_refuse(PT_EARG, "%s: x has elements that are infinite or NaN", op);
}

/* Refuses a batch with an entry for which the algorithm failed; `format` takes its place and number. */
static bool check_info(const char *op, pt_tensor *info, const char *format) {
  if ((info = pti_to_device(info, 0)) == NULL) return false;
  const int32_t *v = (const int32_t *)pti_ptr(info);
  for (int64_t i = 0; i < info->numel; i++) {
    if (v[i] == 0) continue;
    char where[96] = "";
    if (info->nd > 0)
      snprintf(where, sizeof where, " (batch entry %s)", pti_position_text(info, i));
    char text[160];
    snprintf(text, sizeof text, format, (int)v[i]);
    return pti_refuse(PT_EARG, "%s: %s%s", op, text, where);
  }
  return true;
}

/* ---- matrices by columns ---- */

static pt_tensor *swapped(pt_tensor *x, bool tracked) {
  if (x == NULL) return NULL;
  pti_geometry q = pti_geometry_of(x);
  int n = x->nd - 1;
  int64_t size = q.size[n], stride = q.stride[n];
  q.size[n] = q.size[n - 1];
  q.stride[n] = q.stride[n - 1];
  q.size[n - 1] = size;
  q.stride[n - 1] = stride;
  return pti_view_at(x, &q, tracked);
}

/* Room for matrices (r, c) with the leading dims of x, as a tensor (..., c, r). */
static pt_tensor *columns(const pt_tensor *x, int64_t r, int64_t c, pt_dtype dtype) {
  int64_t size[PT_MAX_DIM];
  memcpy(size, x->size, sizeof size);
  size[x->nd - 2] = c;
  size[x->nd - 1] = r;
  return pti_new(size, x->nd, dtype, pti_dev(x));
}

static pt_tensor *columns_of(pt_tensor *x) {
  pt_tensor *t = swapped(x, false), *y = t ? pti_new_like(t, t->dtype) : NULL;
  return y && pti_copy_into(y, t) ? y : NULL;
}

/* Vectors (n) with the leading dims of x; n < 0: one number for each. */
static pt_tensor *vectors(const pt_tensor *x, int64_t n, pt_dtype dtype) {
  int64_t size[PT_MAX_DIM];
  memcpy(size, x->size, sizeof size);
  size[x->nd - 2] = n;
  return pti_new(size, x->nd - (n < 0 ? 2 : 1), dtype, pti_dev(x));
}

static pti_factor factor_of(pti_factor_kind kind, const pt_tensor *x) {
  pti_factor f = {.kind = kind,
                  .dtype = x->dtype,
                  .batch = 1,
                  .m = x->size[x->nd - 2],
                  .n = x->size[x->nd - 1]};
  f.k = pti_min64(f.m, f.n);
  for (int d = 0; d < x->nd - 2; d++) f.batch *= x->size[d];
  return f;
}

/* ---- calls that the gradients are written in ---- */

/* The transpose; of complex matrices the conjugate one, which makes the gradients PyTorch's. */
static pt_tensor *tr(pt_tensor *x) {
  x = pt_transpose(x, -2, -1);
  return is_complex(x) ? pt_conj(x) : x;
}
static pt_tensor *mm(pt_tensor *x, pt_tensor *y) { return pt_matmul(x, y); }
static pt_tensor *mm3(pt_tensor *x, pt_tensor *y, pt_tensor *z) { return mm(mm(x, y), z); }
static pt_tensor *symmetric(pt_tensor *x) { return pt_mul(pt_add(x, tr(x)), pt_scalar(0.5)); }
static pt_tensor *row(pt_tensor *v) { return pt_unsqueeze(v, -2); }
static pt_tensor *column(pt_tensor *v) { return pt_unsqueeze(v, -1); }

/* Adds a term to a sum that may have none yet; false where either could not be computed. */
static bool add_term(pt_tensor **sum, pt_tensor *term) {
  *sum = *sum && term ? pt_add(*sum, term) : term;
  return *sum != NULL;
}

/* Where column j >= row i + diagonal, for matrices of the shape of x. */
static pt_tensor *above(const pt_tensor *x, int64_t diagonal) {
  if (x == NULL) return NULL;
  pt_tensor *i = pt_sequence(x->size[x->nd - 2], (double)diagonal, 1, PT_I64, pti_dev(x));
  return pt_ge(pt_sequence(x->size[x->nd - 1], 0, 1, PT_I64, pti_dev(x)), column(i));
}
static pt_tensor *triu(pt_tensor *x, int64_t diagonal) {
  return pt_where(above(x, diagonal), x, pt_scalar_int(0));
}
static pt_tensor *tril(pt_tensor *x, int64_t diagonal) {
  return pt_where(above(x, diagonal + 1), pt_scalar_int(0), x);
}
static pt_tensor *off_diagonal(pt_tensor *x) { return pt_sub(x, triu(tril(x, 0), 0)); }
/* The lower triangle, its diagonal halved. */
static pt_tensor *half_lower(pt_tensor *x) {
  return pt_mul(pt_add(tril(x, 0), tril(x, -1)), pt_scalar(0.5));
}
/* v[j] - v[i] off the diagonal, 1 on it. */
static pt_tensor *differences(pt_tensor *v) {
  pt_tensor *e = pt_sub(row(v), column(v)), *lower = above(e, 0), *upper = above(e, 1);
  return pt_where(pt_logical_xor(lower, upper), pt_scalar_int(1), e);
}

/* The phase of complex vectors is arbitrary: the diagonal of p = V' gV is real if the loss does not depend on it. */
static bool phase_free(const pt_node *n, pt_tensor *p) {
  double most;
  if (p == NULL || !is_complex(p) || p->numel == 0) return p != NULL;
  pt_tensor *im = pt_imag(pti_bare(pt_sub(p, off_diagonal(p))));
  if (!pt_item(pt_amax(pt_abs(im), NULL, -1, false), &most)) return false;
  return !(most > 1e-2) ||
      pti_refuse(PT_EGRAD,
                 "%s: the loss depends on the phases of the vectors, which are arbitrary; use what "
                 "does not, as their :abs()",
                 spoken(n->op));
}

/* ---- Cholesky ---- */

pt_tensor *linalg_cholesky_run(const linalg_cholesky_args *args) {
  pt_tensor *x = args->x;
  if (!is_matrix(spoken(args->op), "x", x, true)) return NULL;
  if ((x = pti_bare(x)) == NULL) return NULL;
  pt_tensor *a = columns_of(symmetric(x)), *info = vectors(x, -1, PT_I32);
  if (a == NULL || info == NULL) return NULL;
  pti_factor f = factor_of(PTI_CHOLESKY, x);
  f.a = pti_ptr(a);
  f.info = (int32_t *)(void *)pti_ptr(info);
  if (!pti_factorize(x, &f)) return NULL;
  *args->info = info;
  if (args->check &&
      !check_info(spoken(args->op), info,
                  "x is not positive definite: its leading minor of order %d is not "
                  "positive"))
    return NULL;
  return swapped(a, false);
}

/* gx = L'^-1 half_lower(L' g) L^-1 made symmetric. */
bool linalg_cholesky_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  pt_tensor *l = pti_saved_out(n, 0), *lt = tr(l), *p = half_lower(mm(lt, g[0]));
  pt_tensor *left = pt_linalg_solve_triangular(lt, p, true, false);
  gx[0] = symmetric(pt_linalg_solve_triangular(lt, tr(left), true, false));
  return gx[0] != NULL;
}

/* ---- LU ---- */

pt_tensor *linalg_lu_run(const linalg_lu_args *args) {
  pt_tensor *x = args->x;
  if (!is_matrix(spoken(args->op), "x", x, false)) return NULL;
  pti_factor f = factor_of(PTI_LU, x);
  pt_tensor *a = columns_of(x);
  *args->pivots = vectors(x, f.k, PT_I32);
  *args->info = vectors(x, -1, PT_I32);
  if (!a || !*args->pivots || !*args->info) return NULL;
  f.a = pti_ptr(a);
  f.pivot = (int32_t *)(void *)pti_ptr(*args->pivots);
  f.info = (int32_t *)(void *)pti_ptr(*args->info);
  return pti_factorize(x, &f) ? swapped(a, false) : NULL;
}

pt_tensor *linalg_rows_run(const linalg_rows_args *args) {
  pt_tensor *pivot = args->pivots;
  int64_t m = args->m;
  if (pivot->dtype != PT_I32 || pivot->nd == 0 || pivot->size[pivot->nd - 1] > m) {
    return pti_fail(PT_EARG, "%s: pivots [%s] (%s) are not those of linalg.lu_factor",
                    spoken(args->op), pti_shape_text(pivot), pt_dtype_name(pivot->dtype));
  }
  int64_t size[PT_MAX_DIM], k = pivot->size[pivot->nd - 1], base = pti_this.index_base;
  memcpy(size, pivot->size, sizeof size);
  size[pivot->nd - 1] = m;
  pt_tensor *y = pti_new(size, pivot->nd, PT_I64, 0), *order = pti_new(&m, 1, PT_I64, 0);
  pivot = pti_dense_of(pti_to_device(pivot, 0));
  if (!y || !order || !pivot) return NULL;
  int64_t *to = (int64_t *)(void *)pti_ptr(y), *at = (int64_t *)(void *)pti_ptr(order);
  const int32_t *p = (const int32_t *)(void *)pti_ptr(pivot);
  for (int64_t e = 0; e < (m ? y->numel / m : 0); e++, to += m, p += k) {
    for (int64_t i = 0; i < m; i++) at[i] = i;
    for (int64_t i = 0; i < k; i++) {
      if (p[i] < 1 || p[i] > m)
        return pti_fail(PT_EINDEX, "%s: pivot %d is not from 1 to %lld", spoken(args->op),
                        (int)p[i], (long long)m);
      int64_t was = at[i];
      at[i] = at[p[i] - 1];
      at[p[i] - 1] = was;
    }
    for (int64_t i = 0; i < m; i++)
      to[args->inverse ? at[i] : i] = (args->inverse ? i : at[i]) + base;
  }
  return pti_dev(args->pivots) == 0 ? y : pti_to_device(y, pti_dev(args->pivots));
}

/* The square of both factors in which they meet, and what lies beside or below it. */
static pt_tensor *corner(pt_tensor *x, int64_t k) {
  return pt_narrow(pt_narrow(x, -1, 0, k), -2, 0, k);
}
static pt_tensor *beyond(pt_tensor *x, int dim, int64_t k) {
  return pt_narrow(x, dim, k, x->size[x->nd + dim] - k);
}
static pt_tensor *joined(pt_tensor *a, pt_tensor *b, int dim) {
  return a && b ? pt_cat((pt_tensor *[]){a, b}, 2, dim) : NULL;
}

/* x = P L U: gx = P L'^-1 (tril(L' gL, -1) + triu(gU U')) U'^-1 where x is square. Columns of a wide x further right
   are L U2, which L gets a gradient from too; rows of a tall one further down are L2 U. */
bool linalg_lu_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  pt_tensor *lu = pti_saved_out(n, 0), *pivot = pti_saved_out(n, 1);
  if (lu == NULL || pivot == NULL) return false;
  int64_t m = lu->size[lu->nd - 2], c = lu->size[lu->nd - 1], k = pti_min64(m, c);
  pt_tensor *square = corner(lu, k), *gs = corner(g[0], k);
  if (square == NULL || gs == NULL) return false;
  pt_tensor *lt = tr(tril(square, -1)), *ut = tr(triu(square, 0));
  pt_tensor *low = tril(gs, -1), *upper = mm(triu(gs, 0), ut);
  low = pt_add(mm(lt, low), low); /* L has ones on its diagonal */
  pt_tensor *right = c > k ? beyond(g[0], -1, k) : NULL, *down = m > k ? beyond(g[0], -2, k) : NULL;
  if ((c > k && right == NULL) || (m > k && down == NULL)) return false;
  if (right) low = pt_sub(low, mm(right, tr(beyond(lu, -1, k))));
  if (down) upper = pt_sub(upper, mm(tr(beyond(lu, -2, k)), down));
  pt_tensor *y = pt_linalg_solve_triangular(lt, pt_add(tril(low, -1), triu(upper, 0)), true, true);
  if (down) y = joined(y, down, -2);
  y = tr(pt_linalg_solve_triangular(tr(ut), tr(y), true, false));
  if (right) y = joined(y, pt_linalg_solve_triangular(lt, right, true, true), -1);
  pt_tensor *order = column(pt_linalg_rows(pivot, m, true));
  if (y == NULL || order == NULL) return false;
  gx[0] = pt_gather(y, -2, pt_expand(order, y->size, y->nd));
  return gx[0] != NULL;
}

/* ---- solutions ---- */

pt_tensor *linalg_solve_run(const linalg_solve_args *args) {
  pt_tensor *a = args->A, *b = args->B;
  if (!is_system(spoken(args->op), a, b)) return NULL;
  pti_factor f = factor_of(PTI_LU, a);
  pt_tensor *lu = columns_of(a), *x = columns_of(b), *pivot = vectors(a, f.n, PT_I32),
            *info = vectors(a, -1, PT_I32);
  if (!lu || !x || !pivot || !info) return NULL;
  f.a = pti_ptr(lu);
  f.pivot = (int32_t *)(void *)pti_ptr(pivot);
  f.info = (int32_t *)(void *)pti_ptr(info);
  if (!pti_factorize(a, &f)) return NULL;
  *args->info = info;
  if (args->check &&
      !check_info(spoken(args->op), info, "A is singular: entry %d on the diagonal of U is zero"))
    return NULL;
  f.kind = PTI_LU_SOLVE;
  f.k = b->size[b->nd - 1];
  f.b = pti_ptr(x);
  f.info = NULL;
  return pti_factorize(a, &f) ? swapped(x, false) : NULL;
}

bool linalg_solve_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  pt_tensor *info, *gb = pt_linalg_solve(tr(pti_saved(n, 0)), g[0], true, &info);
  if (pti_wants(n, 0)) gx[0] = pt_neg(mm(gb, tr(pti_saved_out(n, 0))));
  gx[1] = gb;
  return gb != NULL && (!pti_wants(n, 0) || gx[0] != NULL);
}

pt_tensor *linalg_solve_triangular_run(const linalg_solve_triangular_args *args) {
  pt_tensor *a = args->A, *b = args->B;
  if (!is_system(spoken(args->op), a, b)) return NULL;
  pt_tensor *ca = columns_of(a), *x = columns_of(b);
  if (ca == NULL || x == NULL) return NULL;
  pti_factor f = factor_of(PTI_TRIANGLE, a);
  f.k = b->size[b->nd - 1];
  f.upper = args->upper;
  f.unit = args->unit;
  f.a = pti_ptr(ca);
  f.b = pti_ptr(x);
  return pti_factorize(a, &f) ? swapped(x, false) : NULL;
}

bool linalg_solve_triangular_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const linalg_solve_triangular_args args = linalg_solve_triangular_args_of(n->op, n->arg, NULL);
  bool upper = args.upper, unit = args.unit;
  pt_tensor *gb = pt_linalg_solve_triangular(tr(pti_saved(n, 0)), g[0], !upper, unit);
  gx[1] = gb;
  if (!pti_wants(n, 0)) return gb != NULL;
  pt_tensor *ga = pt_neg(mm(gb, tr(pti_saved_out(n, 0))));
  gx[0] = upper ? triu(ga, unit) : tril(ga, -(int64_t)unit);
  return gx[0] != NULL;
}

/* ---- QR ---- */

pt_tensor *linalg_qr_run(const linalg_qr_args *args) {
  pt_tensor *x = args->x;
  if (!is_matrix(spoken(args->op), "x", x, false)) return NULL;
  pti_factor f = factor_of(PTI_QR, x);
  f.full = args->complete;
  int64_t rows = f.full ? f.m : f.k;
  pt_tensor *a = columns_of(x), *r = columns(x, rows, f.n, f.dtype),
            *q = columns(x, f.m, rows, f.dtype);
  if (!a || !r || !q) return NULL;
  f.a = pti_ptr(a);
  f.b = pti_ptr(r);
  f.c = pti_ptr(q);
  if (!pti_factorize(x, &f)) return NULL;
  return (*args->R = swapped(r, false)) ? swapped(q, false) : NULL;
}

/* Of q and square r: (gq + q (h + h')) r'^-1 with h = half_lower(r gr' - gq' q). */
static pt_tensor *qr_gradient(pt_tensor *q, pt_tensor *r, pt_tensor *gq, pt_tensor *gr) {
  pt_tensor *h = half_lower(pt_sub(mm(r, tr(gr)), mm(tr(gq), q)));
  pt_tensor *y = pt_add(gq, mm(q, pt_add(h, tr(h))));
  return tr(pt_linalg_solve_triangular(r, tr(y), true, false));
}

bool linalg_qr_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const linalg_qr_args args = linalg_qr_args_of(n->op, n->arg, NULL);
  pt_tensor *q = pti_saved_out(n, 0), *r = pti_saved_out(n, 1);
  if (q == NULL || r == NULL) return false;
  int64_t m = q->size[q->nd - 2], c = r->size[r->nd - 1];
  if (args.complete && m > c) {
    return pti_refuse(PT_EGRAD, "%s: a complete QR of x [%s] has no gradient", spoken(n->op),
                      pti_sizes_text(n->in[0].size, n->in[0].nd));
  }
  pt_tensor *gq = g[0] ? g[0] : pt_mul(q, pt_scalar_int(0)),
            *gr = g[1] ? g[1] : pt_mul(r, pt_scalar_int(0));
  if (m >= c) return (gx[0] = qr_gradient(q, r, gq, gr)) != NULL;
  /* x = q [u v]: the terms of v, for q and for the right part of x, are added. */
  pt_tensor *gv = pt_narrow(gr, -1, m, c - m), *v = pt_narrow(r, -1, m, c - m);
  gq = pt_add(gq, mm3(q, v, tr(gv)));
  pt_tensor *part[2] = {qr_gradient(q, pt_narrow(r, -1, 0, m), gq, pt_narrow(gr, -1, 0, m)),
                        mm(q, gv)};
  return part[0] && part[1] && (gx[0] = pt_cat(part, 2, -1)) != NULL;
}

/* ---- eigenvalues ---- */

pt_tensor *linalg_eigh_run(const linalg_eigh_args *args) {
  pt_tensor *x = args->x;
  if (!is_matrix(spoken(args->op), "x", x, true) || !is_finite(spoken(args->op), x)) return NULL;
  if ((x = pti_bare(x)) == NULL) return NULL;
  pti_factor f = factor_of(PTI_EIGH, x);
  pt_tensor *a = columns_of(symmetric(x)), *values = vectors(x, f.n, part_of(f.dtype)),
            *info = vectors(x, -1, PT_I32);
  if (!a || !values || !info) return NULL;
  f.full = args->with_vectors;
  f.a = pti_ptr(a);
  f.b = pti_ptr(values);
  f.info = (int32_t *)(void *)pti_ptr(info);
  if (!pti_factorize(x, &f) ||
      !check_info(spoken(args->op), info, "the iteration did not converge (%d)"))
    return NULL;
  return (*args->vectors = swapped(a, false)) ? values : NULL;
}

/* gx = Q (diag(g) + (Q' gQ) / (L[j] - L[i])) Q' made symmetric. */
bool linalg_eigh_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const linalg_eigh_args args = linalg_eigh_args_of(n->op, n->arg, NULL);
  pt_tensor *values = pti_saved_out(n, 0), *q = pti_saved_out(n, 1), *inner = NULL;
  if (values == NULL || q == NULL) return false;
  if (!args.with_vectors) {
    return pti_refuse(PT_EGRAD, "%s: eigenvalues without vectors have no gradient", spoken(n->op));
  }
  if (g[1]) {
    pt_tensor *p = mm(tr(q), g[1]);
    if (!phase_free(n, p)) return false;
    if (!add_term(&inner, mm(q, pt_div(off_diagonal(p), differences(values))))) return false;
  }
  if (g[0] && !add_term(&inner, pt_mul(q, row(g[0])))) return false;
  gx[0] = symmetric(mm(inner, tr(q)));
  return gx[0] != NULL;
}

pt_tensor *linalg_eig_run(const linalg_eig_args *args) {
  pt_tensor *x = args->x;
  if (!is_matrix(spoken(args->op), "x", x, true) || !is_finite(spoken(args->op), x)) return NULL;
  pti_factor f = factor_of(PTI_EIG, x);
  pt_dtype complex = part_of(f.dtype) == PT_F64 ? PT_C128 : PT_C64;
  pt_tensor *a = columns_of(x), *values = vectors(x, f.n, complex),
            *v = columns(x, f.n, f.n, complex), *info = vectors(x, -1, PT_I32);
  if (!a || !values || !v || !info) return NULL;
  f.a = pti_ptr(a);
  f.b = pti_ptr(values);
  f.c = pti_ptr(v);
  f.info = (int32_t *)(void *)pti_ptr(info);
  if (!pti_factorize(x, &f) ||
      !check_info(spoken(args->op), info, "the iteration did not converge (%d)"))
    return NULL;
  return (*args->vectors = swapped(v, false)) ? values : NULL;
}

/* gx = V'^-1 (diag(g) + off(V' gV - V' V diag(re(V' gV))) / conj(L[j] - L[i])) V', of which a real x
   takes the real part. The size of a vector is fixed; its phase is not, and must not matter. */
bool linalg_eig_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  pt_tensor *values = pti_saved_out(n, 0), *v = pti_saved_out(n, 1), *vh = tr(v), *info,
            *inner = NULL;
  if (g[1]) {
    pt_tensor *p = mm(vh, g[1]);
    if (!phase_free(n, p)) return false;
    pt_tensor *own = pt_sum(pt_real(pt_sub(p, off_diagonal(p))), (int64_t[]){-2}, 1, true, -1);
    p = pt_sub(p, mm(vh, pt_mul(v, own)));
    p = pt_div(off_diagonal(p), pt_conj(differences(values)));
    if (!add_term(&inner, mm(p, vh))) return false;
  }
  if (g[0] && !add_term(&inner, pt_mul(column(g[0]), vh))) return false;
  gx[0] = pt_linalg_solve(vh, inner, true, &info);
  if (!pti_is(n->in[0].dtype, PTI_COMPLEX)) gx[0] = pt_real(gx[0]);
  return gx[0] != NULL;
}

/* ---- singular values ---- */

pt_tensor *linalg_svd_run(const linalg_svd_args *args) {
  pt_tensor *x = args->x;
  if (!is_matrix(spoken(args->op), "x", x, false) || !is_finite(spoken(args->op), x)) return NULL;
  pti_factor f = factor_of(PTI_SVD, x);
  f.full = args->full;
  bool with = args->with_vectors;
  int64_t r = !with ? 0 : f.full ? f.m : f.k, q = !with ? 0 : f.full ? f.n : f.k;
  pt_tensor *a = columns_of(x), *s = vectors(x, f.k, part_of(f.dtype)),
            *u = columns(x, f.m, r, f.dtype), *v = columns(x, q, f.n, f.dtype),
            *info = vectors(x, -1, PT_I32);
  if (!a || !s || !u || !v || !info) return NULL;
  f.a = pti_ptr(a);
  f.b = pti_ptr(s);
  f.c = with ? pti_ptr(u) : NULL;
  f.d = with ? pti_ptr(v) : NULL;
  f.info = (int32_t *)(void *)pti_ptr(info);
  if (!pti_factorize(x, &f) ||
      !check_info(spoken(args->op), info, "the iteration did not converge (%d)"))
    return NULL;
  *args->S = s;
  return (*args->Vh = swapped(v, false)) ? swapped(u, false) : NULL;
}

/* gx = U (skew(U' gU) / E S + S skew(V' gV) / E + diag(gS)) V', E = S[j]^2 - S[i]^2, and what leaves
   the spans of U and V; for complex matrices also the diagonal of skew(U' gU) / 2 S inside. */
bool linalg_svd_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  const linalg_svd_args args = linalg_svd_args_of(n->op, n->arg, NULL);
  pt_tensor *u = pti_saved_out(n, 0), *s = pti_saved_out(n, 1), *vt = pti_saved_out(n, 2);
  if (!u || !s || !vt) return false;
  const pti_edge *e = &n->in[0];
  int64_t m = e->size[e->nd - 2], c = e->size[e->nd - 1], k = pti_min64(m, c);
  if (!args.with_vectors)
    return pti_refuse(PT_EGRAD, "%s: singular values without vectors have no gradient",
                      spoken(n->op));
  /* Vectors that fill a full U or Vh up to a basis are arbitrary: as in PyTorch nothing flows through them. */
  u = pt_narrow(u, -1, 0, k);
  vt = pt_narrow(vt, -2, 0, k);
  pt_tensor *gu = g[0] ? pt_narrow(g[0], -1, 0, k) : NULL,
            *gv = g[2] ? pt_narrow(g[2], -2, 0, k) : NULL;
  if ((g[0] && gu == NULL) || (g[2] && gv == NULL)) return false;
  pt_tensor *e2 = differences(pt_square(s)), *inner = NULL, *rest = NULL, *phases = NULL;
  if (g[1] && !add_term(&inner, pt_mul(u, row(g[1])))) return false;
  if (gu) {
    pt_tensor *p = phases = mm(tr(u), gu);
    pt_tensor *skew = pt_sub(p, tr(p)), *off = off_diagonal(skew);
    if (!add_term(&inner, mm(u, pt_mul(pt_div(off, e2), row(s))))) return false;
    if (is_complex(u)) {
      pt_tensor *turn = pt_div(pt_sub(skew, off), row(pt_mul(s, pt_scalar_int(2))));
      if (!add_term(&inner, mm(u, turn))) return false;
    }
    if (m > k && !add_term(&rest, mm(pt_div(pt_sub(gu, mm(u, p)), row(s)), vt))) return false;
  }
  if (gv) {
    pt_tensor *p = mm(vt, tr(gv));
    if (!add_term(&phases, p)) return false;
    pt_tensor *off = off_diagonal(pt_sub(p, tr(p)));
    if (!add_term(&inner, mm(u, pt_mul(column(s), pt_div(off, e2))))) return false;
    pt_tensor *outside = c > k ? mm(pt_div(u, row(s)), pt_sub(gv, mm(tr(p), vt))) : NULL;
    if (c > k && !add_term(&rest, outside)) return false;
  }
  if ((gu || gv) && !phase_free(n, phases)) return false;
  return add_term(&rest, mm(inner, vt)) && (gx[0] = rest) != NULL;
}

/* ---- the pseudo-inverse ---- */

static pt_tensor *pseudo_inverse(pt_tensor *x, double atol, double rtol) {
  pt_tensor *s, *vt, *u = pt_linalg_svd(x, false, true, &s, &vt);
  if (u == NULL) return NULL;
  int64_t last = -1;
  bool none = s->size[s->nd - 1] == 0;
  pt_tensor *limit = none ? s : pt_mul(pt_amax(s, &last, 1, true), pt_scalar(rtol));
  pt_tensor *keep = pt_gt(s, pt_maximum(limit, pt_scalar(atol)));
  pt_tensor *inverse = pt_where(keep, pt_reciprocal(s), pt_scalar_int(0));
  return mm(pt_mul(tr(vt), row(inverse)), tr(u));
}

pt_tensor *linalg_pinv_run(const linalg_pinv_args *args) {
  pt_tensor *x = args->x;
  if (!is_matrix(spoken(args->op), "x", x, false)) return NULL;
  pt_tensor *y = pseudo_inverse(pti_bare(x), args->atol, args->rtol);
  if (y == NULL) pti_error_prefix(spoken(args->op));
  return y;
}

/* Golub and Pereyra: of the two equal forms, the one with the smaller products. */
bool linalg_pinv_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  pt_tensor *x = pti_saved(n, 0), *y = pti_saved_out(n, 0), *yt = tr(y), *gt = tr(g[0]), *k;
  if (x == NULL || y == NULL) return false;
  if (x->size[x->nd - 2] <= x->size[x->nd - 1]) {
    k = mm(gt, y);
    pt_tensor *ky = mm(k, yt), *t = pt_sub(ky, tr(mm(y, k)));
    t = pt_sub(t, mm3(x, y, ky));
    gx[0] = pt_add(t, mm3(yt, y, pt_sub(gt, mm(k, x))));
  } else {
    k = mm(y, gt);
    pt_tensor *yk = mm(yt, k), *t = pt_sub(yk, tr(mm(k, y)));
    t = pt_add(t, mm3(pt_sub(gt, mm(x, k)), y, yt));
    gx[0] = pt_sub(t, mm3(yk, y, x));
  }
  return gx[0] != NULL;
}
