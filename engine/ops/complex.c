/* complex.c: what ops mean for complex numbers. A complex tensor is a real one with a last dim of
   two, real and imaginary part (view_as_real), and is computed through that view: an op of the
   table that complex numbers have is a few calls of real ops here, on any device, and its gradient
   follows from theirs. It is PyTorch's: the derivative for the real part plus i times that for the
   imaginary part. Products alone have a kernel (complex_mul), as have matrix products and FFTs.

   Which ops do so is a column of ops.def: <op>_complex is here, ops that only move elements take
   complex tensors as they are, all others are refused. */
#include "elementwise.h"
#include "ops.h"
#include "ptlua_ids.h"

/* ---- the two views ---- */

static bool is_complex(const pt_tensor *x) { return x && pti_is(x->dtype, PTI_COMPLEX); }
static pt_dtype part_of(pt_dtype d) { return d == PT_C128 || d == PT_F64 ? PT_F64 : PT_F32; }

pt_tensor *view_as_real_run(const view_as_real_args *args) {
  pt_tensor *x = args->x;
  if (!is_complex(x)) {
    return pti_fail(PT_EDTYPE, "%s: x is %s, but must be complex", args->op->name,
                    pt_dtype_name(x->dtype));
  }
  if (x->nd == PT_MAX_DIM)
    return pti_fail(PT_ESHAPE, "%s: x [%s] has no room for one more dim", args->op->name,
                    pti_shape_text(x));
  pti_geometry q = pti_geometry_of(x);
  for (int d = 0; d < x->nd; d++) q.stride[d] *= 2;
  q.size[x->nd] = 2;
  q.stride[x->nd] = 1;
  return pti_view_as(x, part_of(x->dtype), q.size, q.stride, x->nd + 1, 2 * q.offset);
}

/* Whether the pairs of the last dim lie as complex numbers must. */
static bool has_pairs(const pt_tensor *x) {
  bool even = x->offset % 2 == 0 && x->nd > 0 && x->stride[x->nd - 1] == 1;
  for (int d = 0; d < x->nd - 1; d++) even = even && (x->stride[d] % 2 == 0 || x->size[d] < 2);
  return even || x->numel == 0;
}

pt_tensor *view_as_complex_run(const view_as_complex_args *args) {
  pt_tensor *x = args->x;
  pt_dtype d = x->dtype;
  if (d != PT_F32 && d != PT_F64) {
    return pti_fail(PT_EDTYPE, "%s: x is %s, but must be float32 or float64", args->op->name,
                    pt_dtype_name(d));
  }
  if (x->nd == 0 || x->size[x->nd - 1] != 2 || !has_pairs(x)) {
    return pti_fail(PT_ESHAPE, "%s: the last dim of x [%s] must be two neighbours in memory",
                    args->op->name, pti_shape_text(x));
  }
  pti_geometry q = pti_geometry_of(x);
  for (int i = 0; i < x->nd - 1; i++) q.stride[i] /= 2;
  return pti_view_as(x, d == PT_F64 ? PT_C128 : PT_C64, q.size, q.stride, x->nd - 1, q.offset / 2);
}

/* A result x (..., 2) as complex numbers, copied where its pairs do not lie together. Nothing else refers to x, so
   the result is not a view of it and may be edited in place. */
static pt_tensor *pairs(pt_tensor *x) {
  pt_tensor *y = pt_view_as_complex(x == NULL || has_pairs(x) ? x : pt_clone(x));
  if (y == NULL) return NULL;
  pt_release(y->root);
  y->root = NULL;
  return y;
}

bool view_as_real_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  (void)n;
  return (gx[0] = pairs(g[0])) != NULL;
}
bool view_as_complex_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  (void)n;
  return (gx[0] = pt_view_as_real(g[0])) != NULL;
}

/* ---- parts ---- */

static pt_tensor *re(pt_tensor *x) { return pt_select(pt_view_as_real(x), -1, 0); }
static pt_tensor *im(pt_tensor *x) { return pt_select(pt_view_as_real(x), -1, 1); }
static pt_tensor *join(pt_tensor *a, pt_tensor *b) {
  return pairs(pt_stack((pt_tensor *[]){a, b}, 2, -1));
}

/* x in a complex dtype. */
static pt_tensor *to(pt_tensor *x, pt_dtype d) {
  return x == NULL || x->dtype == d ? x : pt_to_dtype(x, (int)d);
}
/* x as real numbers with a last dim of one, to broadcast against both parts of another. */
static pt_tensor *both(pt_tensor *x, pt_dtype d) { return pt_unsqueeze(to(x, part_of(d)), -1); }

pt_tensor *real_run(const real_args *args) {
  return is_complex(args->x) ? re(args->x) : pti_borrow(args->x);
}
pt_tensor *imag_run(const imag_args *args) {
  if (is_complex(args->x)) return im(args->x);
  return pti_fail(PT_EDTYPE, "%s: x is %s, which has no imaginary part", args->op->name,
                  pt_dtype_name(args->x->dtype));
}

pt_tensor *conj_run(const conj_args *args) {
  pt_tensor *x = args->x;
  if (!is_complex(x)) return pti_borrow(x);
  pt_tensor *sign = pt_ones((int64_t[]){2}, 1, part_of(x->dtype), 0);
  if (sign == NULL || !pti_fill_value(pt_select(sign, 0, 1), -1, -1)) return NULL;
  return pairs(pt_mul(pt_view_as_real(x), pti_to_device(sign, pti_dev(x))));
}

pt_tensor *complex_run(const complex_args *args) {
  pt_tensor *x[] = {args->real, args->imag};
  int64_t size[PT_MAX_DIM];
  int nd;
  if (!pti_same_dtype(args->op->name, "real", x[0], "imag", x[1])) return NULL;
  if (x[0]->dtype != PT_F32 && x[0]->dtype != PT_F64) {
    return pti_fail(PT_EDTYPE, "%s: real is %s, but must be float32 or float64", args->op->name,
                    pt_dtype_name(x[0]->dtype));
  }
  if (!pti_broadcast(args->op->name, (const pt_tensor *const *)x, 2, size, &nd)) return NULL;
  return join(pt_expand(x[0], size, nd), pt_expand(x[1], size, nd));
}

pt_tensor *angle_run(const angle_args *args) {
  pt_tensor *x = args->x;
  if (is_complex(x)) return pt_atan2(im(x), re(x));
  if (!pti_is(x->dtype, PTI_FLOATS)) x = pt_to_dtype(x, (int)pti_default_dtype());
  pt_tensor *zero = pt_mul(x, pt_scalar_int(0)); /* NaN stays */
  return pt_where(pt_lt(x, pt_scalar_int(0)), pt_scalar(3.14159265358979323846), zero);
}

/* ---- products ---- */

pt_tensor *complex_mul_run(const complex_mul_args *args) {
  pt_tensor *x[] = {NULL, args->a, args->b};
  int64_t size[PT_MAX_DIM];
  int nd;
  if (!is_complex(x[1]) || !is_complex(x[2])) {
    return pti_fail(PT_EDTYPE, "%s: a is %s and b is %s, but both must be complex", args->op->name,
                    pt_dtype_name(x[1]->dtype), pt_dtype_name(x[2]->dtype));
  }
  if (!pti_same_dtype(args->op->name, "a", x[1], "b", x[2])) return NULL;
  if (!pti_broadcast(args->op->name, (const pt_tensor *const *)(x + 1), 2, size, &nd)) return NULL;
  const pti_device *dev = pti_home(x[1]);
  x[0] = pti_new(size, nd, x[1]->dtype, pti_dev(x[1]));
  if (x[0] == NULL || !pti_has(args->op->name, dev, dev->kernels->complex_mul != NULL)) return NULL;
  pti_operand operand[3];
  for (int i = 0; i < 3; i++) {
    operand[i] = (pti_operand){pti_ptr(x[i]), x[i]->dtype, x[i]->nd, x[i]->size, x[i]->stride};
  }
  pti_iter it;
  pti_iter_init(&it, nd, size, operand, 3);
  return it.n == 0 || dev->kernels->complex_mul(dev->index, &it) ? x[0] : NULL;
}

bool complex_mul_vjp(pt_node *n, pt_tensor *const *g, pt_tensor **gx) {
  for (int i = 0; i < 2; i++) {
    if (!pti_wants(n, i)) continue;
    gx[i] = pti_grad_to(pt_complex_mul(g[0], pt_conj(pti_saved(n, 1 - i))), &n->in[i]);
    if (gx[i] == NULL) return false;
  }
  return true;
}

/* ---- rows of the table, with one or more complex arguments ---- */

/* A row of real numbers, of one or two tensors. */
static pt_tensor *call(const pt_op *op, pt_tensor *a, pt_tensor *b) {
  pt_arg arg[PTI_MAX_ARG] = {{.t = a, .given = true}, {.t = b, .given = true}};
  pt_tensor *out[PTI_MAX_OUT];
  return a && (b || op->narg < 2) && pti_call(op, arg, out) ? out[0] : NULL;
}

pt_tensor *parts_complex(const pt_op *op, const pt_arg *arg) { /* neg, add, sub */
  if (op->narg == 1) return pairs(call(op, pt_view_as_real(arg[0].t), NULL));
  pt_dtype d = pti_result_type((pt_tensor *[]){arg[0].t, arg[1].t}, 2);
  return pairs(call(op, pt_view_as_real(to(arg[0].t, d)), pt_view_as_real(to(arg[1].t, d))));
}

pt_tensor *mul_complex(const pt_op *op, const pt_arg *arg) {
  pt_tensor *a = arg[0].t, *b = arg[1].t;
  pt_dtype d = pti_result_type((pt_tensor *[]){a, b}, 2);
  if (!is_complex(a)) return pairs(call(op, both(a, d), pt_view_as_real(to(b, d))));
  if (!is_complex(b)) return pairs(call(op, pt_view_as_real(to(a, d)), both(b, d)));
  return pt_complex_mul(to(a, d), to(b, d));
}

pt_tensor *addcmul_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return pt_add(arg[0].t, pt_mul(arg[1].t, arg[2].t));
}
pt_tensor *addcdiv_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return pt_add(arg[0].t, pt_div(arg[1].t, arg[2].t));
}

/* The larger of the parts' sizes, 1 where that is 0 or infinite: x is divided by it before it is squared. It has no
   gradient. */
static pt_tensor *scale_of(pt_tensor *x) {
  pt_tensor *s = pt_detach(pt_maximum(pt_abs(re(x)), pt_abs(im(x)))), *one = pt_scalar_int(1);
  pt_tensor *odd = pt_logical_or(pt_eq(s, pt_scalar_int(0)), pt_eq(s, pt_scalar(1.0 / 0.0)));
  return pt_where(odd, one, s);
}

pt_tensor *div_complex(const pt_op *op, const pt_arg *arg) {
  pt_tensor *a = arg[0].t, *b = arg[1].t;
  pt_dtype d = pti_result_type((pt_tensor *[]){a, b}, 2);
  if (!is_complex(b)) return pairs(call(op, pt_view_as_real(to(a, d)), both(b, d)));
  pt_tensor *s = scale_of(b = to(b, d)), *small = pt_div(b, s);
  pt_tensor *norm = pt_add(pt_square(re(small)), pt_square(im(small)));
  return pt_div(pt_div(pt_mul(to(a, d), pt_conj(small)), norm), s);
}

pt_tensor *abs_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return pt_hypot(re(arg[0].t), im(arg[0].t));
}

pt_tensor *square_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return pt_complex_mul(arg[0].t, arg[0].t);
}
pt_tensor *reciprocal_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return pt_div(pt_scalar_int(1), arg[0].t);
}

static pt_tensor *polar(pt_tensor *abs, pt_tensor *angle) {
  return join(pt_mul(abs, pt_cos(angle)), pt_mul(abs, pt_sin(angle)));
}
pt_tensor *polar_run(const polar_args *args) {
  pt_tensor *z = complex_run(&(complex_args){
      .op = args->op, .real = args->abs, .imag = args->angle}); /* for its checks, and one shape */
  return z ? polar(re(z), im(z)) : NULL;
}

pt_tensor *exp_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return polar(pt_exp(re(arg[0].t)), im(arg[0].t));
}
pt_tensor *log_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return join(pt_log(pt_abs(arg[0].t)), pt_angle(arg[0].t));
}
pt_tensor *sqrt_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  pt_tensor *half = pt_scalar(0.5);
  return polar(pt_sqrt(pt_abs(arg[0].t)), pt_mul(pt_angle(arg[0].t), half));
}
/* cos x = cos a cosh b - i sin a sinh b, sin x = sin a cosh b + i cos a sinh b */
pt_tensor *cos_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  pt_tensor *a = re(arg[0].t), *b = im(arg[0].t);
  return join(pt_mul(pt_cos(a), pt_cosh(b)), pt_neg(pt_mul(pt_sin(a), pt_sinh(b))));
}
pt_tensor *sin_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  pt_tensor *a = re(arg[0].t), *b = im(arg[0].t);
  return join(pt_mul(pt_sin(a), pt_cosh(b)), pt_mul(pt_cos(a), pt_sinh(b)));
}
/* (tanh a + i tan b) / (1 + i tanh a tan b) */
pt_tensor *tanh_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  pt_tensor *a = re(arg[0].t), *b = im(arg[0].t);
  pt_tensor *t = pt_tanh(a), *sq = pt_square(t), *tan = pt_tan(b), *tsq = pt_square(tan);
  pt_tensor *under = pt_add(pt_mul(sq, tsq), pt_scalar_int(1));
  return join(pt_div(pt_mul(t, pt_add(tsq, pt_scalar_int(1))), under),
              pt_div(pt_mul(tan, pt_sub(pt_scalar_int(1), sq)), under));
}

/* ---- functions of these ---- */

static pt_tensor *times_i(pt_tensor *x) { return join(pt_neg(im(x)), re(x)); }
static pt_tensor *over_i(pt_tensor *x) { return join(im(x), pt_neg(re(x))); }
static pt_tensor *plus(pt_tensor *x, double a) { return pt_add(x, pt_scalar(a)); }
static pt_tensor *times(pt_tensor *x, double a) { return pt_mul(x, pt_scalar(a)); }

pt_tensor *tan_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return over_i(pt_tanh(times_i(arg[0].t)));
}
pt_tensor *sinh_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return over_i(pt_sin(times_i(arg[0].t)));
}
pt_tensor *cosh_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return pt_cos(times_i(arg[0].t));
}
pt_tensor *asinh_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  pt_tensor *x = arg[0].t;
  return pt_log(pt_add(x, pt_sqrt(plus(pt_square(x), 1))));
}
pt_tensor *acosh_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  pt_tensor *x = arg[0].t;
  return pt_log(pt_add(x, pt_mul(pt_sqrt(plus(x, 1)), pt_sqrt(plus(x, -1)))));
}
pt_tensor *atanh_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  pt_tensor *x = arg[0].t;
  return times(pt_sub(pt_log(plus(x, 1)), pt_log(plus(pt_neg(x), 1))), 0.5);
}
pt_tensor *asin_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return over_i(pt_asinh(times_i(arg[0].t)));
}
pt_tensor *acos_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return plus(pt_neg(pt_asin(arg[0].t)), 1.57079632679489661923);
}
pt_tensor *atan_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return over_i(pt_atanh(times_i(arg[0].t)));
}
pt_tensor *rsqrt_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return pt_reciprocal(pt_sqrt(arg[0].t));
}
pt_tensor *sigmoid_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return pt_reciprocal(plus(pt_exp(pt_neg(arg[0].t)), 1));
}
pt_tensor *log2_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return times(pt_log(arg[0].t), 1.4426950408889634074);
}
pt_tensor *log10_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return times(pt_log(arg[0].t), 0.43429448190325182765);
}
pt_tensor *log1p_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return pt_log(plus(arg[0].t, 1));
}
/* exp(a) cos b - 1 without cancellation: expm1(a) cos b - 2 sin^2(b / 2) */
pt_tensor *expm1_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  pt_tensor *a = re(arg[0].t), *b = im(arg[0].t), *sine = pt_sin(times(b, 0.5));
  return join(pt_sub(pt_mul(pt_expm1(a), pt_cos(b)), times(pt_square(sine), 2)),
              pt_mul(pt_exp(a), pt_sin(b)));
}
/* x over its size; 0 at 0. */
pt_tensor *sign_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  pt_tensor *size = pt_abs(arg[0].t), *zero = pt_eq(size, pt_scalar_int(0));
  pt_tensor *one = pt_scalar_int(1);
  return pt_mul(pt_where(zero, pt_mul(arg[0].t, pt_scalar_int(0)), arg[0].t),
                pt_reciprocal(pt_where(zero, one, size)));
}
pt_tensor *lerp_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return pt_add(arg[0].t, pt_mul(arg[2].t, pt_sub(arg[1].t, arg[0].t)));
}

pt_tensor *exp2_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return pt_exp(times(arg[0].t, 0.69314718055994530942));
}
pt_tensor *silu_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return pt_mul(arg[0].t, pt_sigmoid(arg[0].t));
}
pt_tensor *softsign_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return pt_div(arg[0].t, plus(pt_abs(arg[0].t), 1));
}
pt_tensor *tanhshrink_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  return pt_sub(arg[0].t, pt_tanh(arg[0].t));
}
pt_tensor *sinc_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  pt_tensor *one = pt_scalar_int(1), *zero = pt_eq(arg[0].t, pt_scalar_int(0));
  pt_tensor *x = times(pt_where(zero, one, arg[0].t), 3.14159265358979323846);
  return pt_where(zero, one, pt_div(pt_sin(x), x));
}
/* From the one with the larger real part. */
pt_tensor *logaddexp_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  pt_dtype d = pti_result_type((pt_tensor *[]){arg[0].t, arg[1].t}, 2);
  pt_tensor *a = to(arg[0].t, d), *b = to(arg[1].t, d);
  pt_tensor *less = pt_lt(re(a), re(b));
  pt_tensor *large = pt_where(less, b, a), *small = pt_where(less, a, b);
  return pt_add(large, pt_log(plus(pt_exp(pt_sub(small, large)), 1)));
}

pt_tensor *linear_complex(const pt_op *op, const pt_arg *arg) {
  pt_tensor *x = arg[0].t, *w = arg[1].t, *b = arg[2].t;
  if (!pti_same_dtype(op->name, "x", x, "weight", w)) return NULL;
  if (b && !pti_same_dtype(op->name, "x", x, "bias", b)) return NULL;
  pt_tensor *y = pt_matmul(x, w->nd == 2 ? pt_t(w) : w);
  return b ? pt_add(y, b) : y;
}

/* (a + ib) * (c + id) by four real ones. */
pt_tensor *convolution_complex(const pt_op *op, const pt_arg *arg) {
  pt_tensor *x = arg[0].t, *w = arg[1].t, *bias = arg[2].t, *part[4];
  if (!pti_same_dtype(op->name, "x", x, "weight", w)) return NULL;
  if (!is_complex(x) && !pti_same_dtype(op->name, "x", x, "bias", bias)) return NULL;
  for (int i = 0; i < 4; i++) {
    pt_arg real[PTI_MAX_ARG];
    pt_tensor *out[PTI_MAX_OUT];
    memcpy(real, arg, (size_t)op->narg * sizeof *arg);
    real[0].t = i & 1 ? im(x) : re(x);
    real[1].t = i & 2 ? im(w) : re(w);
    real[2] = (pt_arg){0};
    if (!real[0].t || !real[1].t || !pti_call(op, real, out)) return NULL;
    part[i] = out[0];
  }
  pt_tensor *y = join(pt_sub(part[0], part[3]), pt_add(part[1], part[2]));
  int64_t shape[PT_MAX_DIM];
  if (bias == NULL || y == NULL) return y;
  for (int d = 0; d < y->nd; d++) shape[d] = d == 1 ? -1 : 1;
  return pt_add(y, pt_reshape(bias, shape, y->nd));
}

/* Ops that ask what is zero: any, all, nonzero, logical_not, ... */
pt_tensor *truth_complex(const pt_op *op, const pt_arg *arg) {
  pt_arg asked[PTI_MAX_ARG];
  pt_tensor *out[PTI_MAX_OUT];
  memcpy(asked, arg, (size_t)op->narg * sizeof *arg);
  for (int i = 0; i < op->narg; i++) {
    bool tensor = op->param[i].type == 'T' || op->param[i].type == 'A';
    if (!tensor || !is_complex(arg[i].t)) continue;
    if ((asked[i].t = pt_ne(arg[i].t, pt_scalar_int(0))) == NULL) return NULL;
  }
  return pti_call(op, asked, out) ? out[0] : NULL;
}

/* The product over dim by halves, so that a zero spoils no gradient. */
static pt_tensor *product(pt_tensor *x, int dim) {
  if (x && x->size[dim] == 0) return plus(pt_sum(x, (int64_t[]){dim}, 1, true, -1), 1);
  while (x && x->size[dim] > 1) {
    int64_t n = x->size[dim], half = n / 2;
    pt_tensor *y = pt_mul(pt_narrow(x, dim, 0, half), pt_narrow(x, dim, half, half));
    x = n % 2 ? pt_cat((pt_tensor *[]){y, pt_narrow(x, dim, n - 1, 1)}, 2, dim) : y;
  }
  return x;
}

/* Small whole powers by products, others through the logarithm; 0 to a positive power is 0. */
pt_tensor *pow_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  pt_tensor *a = arg[0].t, *b = arg[1].t;
  pt_dtype d = pti_result_type((pt_tensor *[]){a, b}, 2);
  double p = 0;
  bool number = b->wrapped && !is_complex(b);
  if (number && !pt_item(b, &p)) return NULL;
  a = to(a, d);
  if (number && p == 2) return pt_complex_mul(a, a);
  if (number && p == 0.5) return pt_sqrt(a);
  if (number && p == -1) return pt_reciprocal(a);
  if (number && p == 3) return pt_complex_mul(a, pt_complex_mul(a, a));
  pt_tensor *zero = pt_eq(a, pt_scalar_int(0));
  pt_tensor *y = pt_exp(pt_mul(pt_log(pt_where(zero, pt_scalar_int(1), a)), b));
  pt_tensor *at_zero = pt_eq(b, pt_scalar_int(0));
  return pt_where(zero, to(at_zero, d), y);
}

pt_tensor *prod_complex(const pt_op *op, const pt_arg *arg) {
  pt_tensor *x = arg[0].t;
  bool in[PT_MAX_DIM];
  int64_t dims[PT_MAX_DIM];
  int n = 0;
  pt_arg all = arg[1];
  all.given = all.given && all.n > 0;
  if (!pti_dim_set(op->name, &all, x->nd, in)) return NULL;
  if (arg[3].given && !pti_is(arg[3].i, PTI_COMPLEX))
    return pti_fail(PT_EDTYPE, "%s: complex x cannot become %s", op->name, pt_dtype_name(arg[3].i));
  if (arg[3].given) x = to(x, arg[3].i);
  for (int d = 0; d < arg[0].t->nd; d++) {
    if (!in[d]) continue;
    x = product(x, d);
    dims[n++] = d;
  }
  if (n == 0) return pt_clone(x);
  return arg[2].i ? x : pt_squeeze(x, dims, n);
}

/* By doubling: after each step an entry holds the product of the `step` that end there. */
pt_tensor *cumprod_complex(const pt_op *op, const pt_arg *arg) {
  pt_tensor *x = arg[0].t;
  int dim;
  if (!pti_dim(op->name, arg[1].i, x->nd, &dim)) return NULL;
  if (arg[2].given && !pti_is(arg[2].i, PTI_COMPLEX))
    return pti_fail(PT_EDTYPE, "%s: complex x cannot become %s", op->name, pt_dtype_name(arg[2].i));
  if (arg[2].given) x = to(x, arg[2].i);
  int64_t n = x && x->nd ? x->size[dim] : 1;
  if (x && n < 2) return pt_clone(x);
  for (int64_t step = 1; x && step < n; step *= 2) {
    pt_tensor *y = pt_mul(pt_narrow(x, dim, 0, n - step), pt_narrow(x, dim, step, n - step));
    x = pt_cat((pt_tensor *[]){pt_narrow(x, dim, 0, step), y}, 2, dim);
  }
  return x;
}

pt_tensor *eq_complex(const pt_op *op, const pt_arg *arg) { /* eq, ne */
  pt_dtype d = pti_result_type((pt_tensor *[]){arg[0].t, arg[1].t}, 2);
  pt_tensor *a = pt_view_as_real(to(arg[0].t, d)), *b = pt_view_as_real(to(arg[1].t, d));
  pt_tensor *same = call(op, a, b);
  int64_t last = -1;
  return op == pti_op_at(PTI_OP_eq) ? pt_all(same, &last, 1, false) : pt_any(same, &last, 1, false);
}
pt_tensor *isnan_complex(const pt_op *op, const pt_arg *arg) {
  int64_t last = -1;
  return pt_any(call(op, pt_view_as_real(arg[0].t), NULL), &last, 1, false);
}

static pt_tensor *choose(pt_tensor *mask, pt_tensor *b, pt_tensor *c) {
  pt_dtype d = pti_result_type((pt_tensor *[]){b, c}, 2);
  b = pt_view_as_real(to(b, d));
  return pairs(pt_where(pt_unsqueeze(mask, -1), b, pt_view_as_real(to(c, d))));
}
pt_tensor *where_complex(const pt_op *op, const pt_arg *arg) {
  (void)op;
  pt_tensor *mask = arg[0].t, *b = arg[1].t, *c = arg[2].t;
  if (is_complex(mask)) mask = pt_ne(mask, pt_scalar_int(0));
  return is_complex(b) || is_complex(c) ? choose(mask, b, c) : pt_where(mask, b, c);
}
pt_tensor *masked_fill_complex(const pt_op *op, const pt_arg *arg) {
  pt_tensor *x = arg[0].t, *value = arg[2].t;
  if (!is_complex(x))
    return pti_fail(PT_EDTYPE, "%s: a complex value cannot be stored in x of dtype %s", op->name,
                    pt_dtype_name(x->dtype));
  return choose(arg[1].t, to(value, x->dtype), x);
}

/* softmax, log_softmax: of the real part, as every conversion to a real dtype takes it. */
pt_tensor *real_part_complex(const pt_op *op, const pt_arg *arg) {
  pt_tensor *out[PTI_MAX_OUT];
  pt_arg real[] = {{.t = NULL, .given = true}, arg[1], arg[2]};
  if (!arg[2].given || pti_is(arg[2].i, PTI_COMPLEX)) {
    return pti_fail(PT_EDTYPE,
                    "%s: complex tensors are not supported; a real dtype takes the real part",
                    op->name);
  }
  real[0].t = pt_real(arg[0].t);
  return real[0].t && pti_call(op, real, out) ? out[0] : NULL;
}

/* The dims of a list, or all of x's, counted from 0; false after a failure. */
static bool plain_dims(const char *op, pt_arg arg, const pt_tensor *x, int64_t *dims, int *n) {
  bool in[PT_MAX_DIM];
  arg.given = arg.given && arg.n > 0;
  *n = 0;
  if (!pti_dim_set(op, &arg, x->nd, in)) return false;
  for (int d = 0; d < x->nd; d++) {
    if (in[d]) dims[(*n)++] = d;
  }
  return true;
}

/* The norm over the same dims of the real view, and over that of the parts. */
pt_tensor *frobenius_norm_complex(const pt_op *op, const pt_arg *arg) {
  pt_tensor *x = arg[0].t;
  int64_t dims[PT_MAX_DIM + 1], last = x->nd;
  int n;
  if (!plain_dims(op->name, arg[1], x, dims, &n)) return NULL;
  dims[n] = last;
  pt_tensor *y = pt_frobenius_norm(pt_view_as_real(x), dims, n + 1, arg[2].i != 0);
  return arg[2].i ? pt_squeeze(y, &last, 1) : y;
}

/* sum, mean, cumsum: over the same dims of the real view. */
pt_tensor *over_dims_complex(const pt_op *op, const pt_arg *arg) {
  pt_tensor *x = arg[0].t, *out[PTI_MAX_OUT];
  pt_arg real[PTI_MAX_ARG];
  int64_t dims[PT_MAX_DIM];
  memcpy(real, arg, (size_t)op->narg * sizeof *arg);
  for (int i = 1; i < op->narg; i++) {
    char type = op->param[i].type;
    if (type == 'y' && arg[i].given) {
      if (!pti_is(arg[i].i, PTI_COMPLEX))
        return pti_fail(PT_EDTYPE, "%s: complex x cannot become %s", op->name,
                        pt_dtype_name(arg[i].i));
      if ((x = to(x, arg[i].i)) == NULL) return NULL;
      real[i].given = false;
    } else if (type == 'd') {
      int d;
      if (!pti_dim(op->name, arg[i].i, x->nd, &d)) return NULL;
      real[i].i = d;
    } else if (type == 'D') {
      real[i] = (pt_arg){.ints = dims, .given = true};
      if (!plain_dims(op->name, arg[i], x, dims, &real[i].n)) return NULL;
    }
  }
  if (x->nd == 0) return pt_clone(x);
  real[0].t = pt_view_as_real(x);
  return real[0].t && pti_call(op, real, out) ? pairs(out[0]) : NULL;
}
