/* anomaly.c: where a NaN comes from. While anomalies are looked for, every recorded call keeps the line of its script,
   the first call that made a NaN from numbers is remembered, and the walk searches each gradient. */
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "node.h"
#include "ptlua_ids.h"

/* The first NaN of the calls since detection was switched on: "log (train.lua:8) at element [1]"; "" if there was
   none. */
static PTI_THREAD char first_nan[256];

bool pt_set_detect_anomaly(bool on) {
  bool was = pti_this.anomaly;
  if (on && !was) first_nan[0] = 0;
  pti_this.anomaly = on;
  return was;
}
bool pt_detect_anomaly(void) { return pti_this.anomaly; }
const char *pt_first_nan(void) { return first_nan; }

/* The position of the n-th element of a row-major tensor: "[2, 3]". */
static const char *place(const pt_tensor *x, int64_t n) {
  int64_t at[PT_MAX_DIM];
  for (int d = x->nd - 1; d >= 0; d--) {
    at[d] = n % x->size[d] + pti_this.index_base;
    n /= x->size[d];
  }
  return pti_sizes_text(at, x->nd);
}

/* The place of the first NaN of x in row-major order, or -1. */
static int64_t find_nan(pt_tensor *x) {
  if (x == NULL || x->numel == 0 || !pti_is(x->dtype, PTI_FLOATS)) return -1;
  pt_scope s = pt_scope_begin();
  const pt_op *isnan_op = pti_op_at(PTI_OP_isnan);
  pt_tensor *nan = isnan_op->run(isnan_op, &(pt_arg){.t = x, .given = true}, NULL);
  if (nan && pti_dev(nan) != 0) nan = pti_to_device(nan, 0);
  const char *found = nan ? memchr(pti_ptr(nan), 1, (size_t)nan->numel) : NULL;
  int64_t at = found ? found - pti_ptr(nan) : -1;
  pt_scope_end(s);
  return at;
}

static void note_nan(const pt_node *n, pt_tensor *const *in, pt_tensor *y) {
  int64_t at = first_nan[0] ? -1 : find_nan(y);
  for (int i = 0; at >= 0 && in && i < n->nin; i++) {
    if (find_nan(in[i]) >= 0) return;
  }
  if (at < 0) return;
  snprintf(first_nan, sizeof first_nan, "%s%s%s%s at element [%s] of its result [%s]", n->name,
           n->trace ? " (" : "", n->trace ? n->trace : "", n->trace ? ")" : "", place(y, at),
           pti_shape_text(y));
}

bool pti_anomaly_record(pt_node *n, pt_tensor *const *in, pt_tensor *const *out) {
  if (pti_this.line && n->trace == NULL) {
    size_t bytes = strlen(pti_this.line) + 1;
    if (!(n->trace = pti_alloc(bytes))) return false;
    memcpy(n->trace, pti_this.line, bytes);
  }
  for (int k = 0; k < n->nout; k++) {
    if (out[k]) note_nan(n, in, out[k]);
  }
  return true;
}

/* The recorded error, with the line of the call whose gradient failed. */
void pti_anomaly_explain(const pt_node *n) {
  char text[768];
  if (n->trace == NULL) return;
  snprintf(text, sizeof text, "%s", pt_error());
  pti_fail(pt_error_code(), "%s; the forward call of %s was at %s", text, n->name, n->trace);
}

bool pti_anomaly_check(const pt_node *n, int i, pt_tensor *g) {
  int64_t at = find_nan(g);
  if (at < 0) return true;
  return pti_refuse(
      PT_EGRAD,
      "backward of %s gave NaN in the gradient [%s] of its input %d, first at element "
      "[%s]%s%s%s%s",
      n->name, pti_shape_text(g), i + pti_this.index_base, place(g, at),
      n->trace ? "; its forward call was at " : "", n->trace ? n->trace : "",
      first_nan[0] ? "; the first NaN of the forward calls came from " : "", first_nan);
}
