/* autocast.c: which ops compute in lower precision and which in float32 while autocast is on. The lists are PyTorch's,
   by name; functions written in Lua look themselves up in them too (pti_autocast_policy). Ops of no list take what they
   are given. */
#include <string.h>

#include "node.h"

/* Products: the lower precision, with float32 sums inside. */
static const char lower[] =
    " matmul mm bmm mv addmm addmv addr addbmm baddbmm chain_matmul multi_dot einsum linear bilinear_product "
    "convolution conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d prelu "
    "scaled_dot_product_attention attention rnn_layer lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell ";
/* Wide ranges and long sums: float32. */
static const char single[] =
    " acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan pow softplus "
    "frobenius_norm nuclear_norm norm vector_norm matrix_norm cosine_similarity poisson_nll_loss "
    "cosine_embedding_loss nll_loss nll_loss_forward cross_entropy hinge_embedding_loss kl_div l1_loss "
    "smooth_l1_loss huber_loss mse_loss margin_ranking_loss multilabel_margin_loss soft_margin_loss "
    "multilabel_soft_margin_loss triplet_margin_loss multi_margin_loss "
    "binary_cross_entropy_with_logits gaussian_nll_loss ctc_loss dist pdist cdist renorm logsumexp prod softmax "
    "log_softmax softmin cumprod cumsum sum layer_norm group_norm rms_norm row_norm ";
/* Operands of different precision: the widest. */
static const char widest[] =
    " addcdiv addcmul atan2 bilinear cross dot vdot grid_sample index_put scatter_add tensordot index_copy ";

/* Made of ops of these lists here, but one op in PyTorch: they take what they are given. */
static const char plain[] =
    " var std var_mean std_mean nanmean instance_norm local_response_norm logcumsumexp trace "
    "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d interpolate ";

static bool among(const char *list, const char *name) {
  size_t n = strlen(name);
  for (const char *at = list; (at = strstr(at, name)) != NULL; at += n) {
    if (at[-1] == ' ' && at[n] == ' ') return true;
  }
  return false;
}

pti_cast_policy pti_autocast_policy(const char *name) {
  if (*name == 0) return PTI_CAST_NONE;
  if (strcmp(name, "binary_cross_entropy") == 0) return PTI_CAST_REFUSED;
  return among(lower, name)    ? PTI_CAST_LOWER
         : among(single, name) ? PTI_CAST_SINGLE
         : among(widest, name) ? PTI_CAST_WIDEST
         : among(plain, name)  ? PTI_CAST_PLAIN
                               : PTI_CAST_NONE;
}

static bool eligible(const pt_tensor *x) {
  return x && !x->wrapped && pti_is(x->dtype, PTI_FLOATS) && x->dtype != PT_F64;
}

static pt_dtype target(const pt_op *op, const pt_arg *arg) {
  if (op->cast == PTI_CAST_LOWER) return pti_this.autocast_dtype;
  if (op->cast == PTI_CAST_SINGLE) return PT_F32;
  int d = -1;
  for (int i = 0; i < op->narg; i++) {
    const pt_tensor *x = op->param[i].type == 'T' || op->param[i].type == 'A' ? arg[i].t : NULL;
    if (!eligible(x)) continue;
    d = d < 0 ? x->dtype : (int)pti_promote(d, x->dtype);
  }
  return d < 0 ? PT_F32 : d;
}

bool pti_autocast_call(const pt_op *op, pt_arg *arg, pt_tensor **out) {
  if (op->cast == PTI_CAST_REFUSED) {
    return pti_refuse(PT_EDTYPE,
                      "%s: half precision cannot hold it, so autocast refuses; use %s_with_logits",
                      op->name, op->name);
  }
  pt_dtype dtype = target(op, arg);
  bool was = pti_this.autocast;
  pti_this.autocast = false; /* what the op is made of gets the right dtypes already */
  bool ok = true;
  for (int i = 0; ok && i < op->narg && op->cast != PTI_CAST_PLAIN; i++) {
    char type = op->param[i].type;
    if ((type != 'T' && type != 'A') || !eligible(arg[i].t) || arg[i].t->dtype == dtype) continue;
    ok = (arg[i].t = pt_to_dtype(arg[i].t, dtype)) != NULL;
  }
  ok = ok && pti_call(op, arg, out);
  pti_this.autocast = was;
  return ok;
}

bool pt_set_autocast(bool on, pt_dtype dtype) {
  if (!pti_is(dtype, PTI_FLOATS) || dtype == PT_F64) {
    return pti_refuse(PT_EDTYPE, "autocast: dtype must be float16, bfloat16 or float32, not %s",
                      pt_dtype_name(dtype));
  }
  pti_this.autocast = on;
  pti_this.autocast_dtype = dtype;
  return true;
}
bool pt_autocast(pt_dtype *dtype) {
  if (dtype) *dtype = pti_this.autocast_dtype;
  return pti_this.autocast;
}
