/* dtype.c: the table of dtypes and PyTorch's promotion rules. */
#include "dtype.h"

#include <string.h>

#include "base.h"

static const struct {
  const char *name, *other; /* `other` is the short name: x:float(), x:long() */
  uint8_t category;
} row[PT_NDTYPE] = {
    [PT_F32] = {"float32", "float", 2},    [PT_F64] = {"float64", "double", 2},
    [PT_F16] = {"float16", "half", 2},     [PT_BF16] = {"bfloat16", "bfloat16", 2},
    [PT_I64] = {"int64", "long", 1},       [PT_I32] = {"int32", "int", 1},
    [PT_I16] = {"int16", "short", 1},      [PT_I8] = {"int8", "char", 1},
    [PT_U8] = {"uint8", "byte", 1},        [PT_BOOL] = {"bool", "bool", 0},
    [PT_C64] = {"complex64", "cfloat", 3}, [PT_C128] = {"complex128", "cdouble", 3},
};

const char *pt_dtype_name(pt_dtype d) {
  return (unsigned)d < PT_NDTYPE ? row[d].name : "unknown dtype";
}
size_t pt_dtype_size(pt_dtype d) { return pti_size_of(d); }
int pti_category(pt_dtype d) { return row[d].category; }

bool pti_dtype_find(const char *name, pt_dtype *out) {
  for (int d = 0; d < PT_NDTYPE; d++) {
    if (strcmp(name, row[d].name) == 0 || strcmp(name, row[d].other) == 0) {
      *out = d;
      return true;
    }
  }
  return false;
}

/* Within integers the wider wins; uint8 with a signed type needs the next wider signed one. */
static pt_dtype promote_int(pt_dtype a, pt_dtype b) {
  if (a == PT_U8 && b == PT_I8) return PT_I16;
  if (b == PT_U8 && a == PT_I8) return PT_I16;
  return pti_size_of(a) >= pti_size_of(b) ? a : b;
}

static pt_dtype promote_float(pt_dtype a, pt_dtype b) {
  if (pti_size_of(a) == pti_size_of(b)) return PT_F32; /* float16 with bfloat16 */
  return pti_size_of(a) > pti_size_of(b) ? a : b;
}

pt_dtype pti_promote(pt_dtype a, pt_dtype b) {
  if (a == b) return a;
  int ca = row[a].category, cb = row[b].category;
  if (ca == 3 || cb == 3) {
    return a == PT_C128 || b == PT_C128 || a == PT_F64 || b == PT_F64 ? PT_C128 : PT_C64;
  }
  if (ca != cb) return ca > cb ? a : b;
  return ca == 2 ? promote_float(a, b) : promote_int(a, b);
}

bool pti_can_cast(pt_dtype from, pt_dtype to) { return row[from].category <= row[to].category; }

static PTI_THREAD int default_dtype; /* PT_F32 is 0 */
pt_dtype pti_default_dtype(void) { return default_dtype; }
bool pti_set_default_dtype(pt_dtype d) {
  if (pti_category(d) != 2) {
    return pti_refuse(PT_EDTYPE, "set_default_dtype: %s is not a floating dtype", pt_dtype_name(d));
  }
  default_dtype = (int)d;
  return true;
}
