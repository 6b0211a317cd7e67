/* autocast.c: casts the inputs of ops while autocast is on. Which ops compute in lower precision and which in float32 is a
   column of ops.def, after PyTorch's lists; functions written in Lua name theirs where they are defined. */
#include "call.h"
#include "ptlua_ids.h"

static bool eligible(const pt_tensor *x) {
  return x && !x->wrapped && pti_is(x->dtype, PTI_FLOATS) && x->dtype != PT_F64;
}

static pt_dtype target(const pt_op *op, const pt_arg *arg) {
  if (op->cast == PTI_CAST_LOWER) return pti_this.autocast_dtype;
  if (op->cast == PTI_CAST_FLOAT32) return PT_F32;
  int d = -1;
  for (int i = 0; i < op->narg; i++) {
    const pt_tensor *x = op->param[i].type == 'T' || op->param[i].type == 'A' ? arg[i].t : NULL;
    if (!eligible(x)) continue;
    d = d < 0 ? x->dtype : (int)pti_promote(d, x->dtype);
  }
  return d < 0 ? PT_F32 : d;
}

static pt_tensor *cast(pt_tensor *x, pt_dtype dtype) {
  pt_arg arg[] = {{.t = x, .given = true}, {.i = dtype, .given = true}};
  return pti_call_plain(PTI_OP_to_dtype, arg);
}

bool pti_autocast_inputs(const pt_op *op, pt_arg *arg) {
  if (op->cast == PTI_CAST_REFUSED) {
    return pti_refuse(PT_EDTYPE,
                      "%s: half precision cannot hold it, so autocast refuses; use %s_with_logits",
                      op->name, op->name);
  }
  pt_dtype dtype = target(op, arg);
  for (int i = 0; i < op->narg && op->cast != PTI_CAST_PLAIN; i++) {
    char type = op->param[i].type;
    if ((type != 'T' && type != 'A') || !eligible(arg[i].t) || arg[i].t->dtype == dtype) continue;
    if ((arg[i].t = cast(arg[i].t, dtype)) == NULL) return false;
  }
  return true;
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
