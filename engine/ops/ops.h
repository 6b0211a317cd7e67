/* ops.h: what several files of ops/ share: geometry of views, checks of dims, dtypes and ids with
   their messages, and the places gradients are written into. An op's own rules stay in its file. */
#ifndef PTI_OPS_H
#define PTI_OPS_H

#include <limits.h>
#include <string.h>

#include "node.h"
#include "op.h"
#include "ptlua_run.h"
#include "slots.h"
#include "tensor.h"

/* ---- devices ---- */

static inline const pti_device *pti_home(const pt_tensor *x) { return pti_device_at(pti_dev(x)); }
/* False, naming op and device, where the device's table has no such kernel. */
bool pti_has(const char *op, const pti_device *dev, bool kernel);

/* What a floating x is computed in, and so the dtype of statistics of it: halves in float. */
static inline pt_dtype pti_computed(const pt_tensor *x) {
  return x->dtype == PT_F64 ? PT_F64 : PT_F32;
}
/* The dtype in which a kernel gets x: halves stay halves where the device reads them. */
static inline pt_dtype pti_working(const pt_tensor *x) {
  bool half = pti_is(x->dtype, PTI_HALVES);
  return half && pti_home(x)->be->halves ? x->dtype : pti_computed(x);
}

/* ---- checks ---- */

/* A position or dim as the user wrote it: negative ones count from the end in every language. */
static inline long long pti_shown(int64_t at) { return at < 0 ? at : at + pti_this.index_base; }

/* Marks the dims of a list, or all of them where it was left out; refuses a dim that is named twice. */
bool pti_dim_set(const char *op, const pt_arg *dims, int nd, bool *in);
/* Refuses two tensors of different dtypes, naming both. */
bool pti_same_dtype(const char *op, const char *a, const pt_tensor *x, const char *b,
                    const pt_tensor *y);
/* Refuses what is not floating. */
bool pti_floating(const char *op, const char *name, const pt_tensor *x);

/* An index tensor as dense int64; refuses floats and bools. */
pt_tensor *pti_ids(const char *op, const char *name, pt_tensor *index);
/* The place of the first dense int64 id that does not name one of n entries (negative ones count
   from the end where `wrap`; *skip is let through), or -1. Kernels of other devices check for
   themselves: their ids stay there. */
int64_t pti_bad_id(const pt_tensor *id, int64_t n, bool wrap, const int64_t *skip);
/* The same as an error. */
bool pti_check_ids(const char *op, const char *name, const pt_tensor *id, int64_t n, bool wrap);
/* "2, 3": where element `at` of x stands, in the user's base. */
const char *pti_position_text(const pt_tensor *x, int64_t at);

/* ---- geometry ---- */

/* Sizes, strides and the first element of a view, in elements. */
typedef struct pti_geometry {
  int nd;
  int64_t size[PT_MAX_DIM], stride[PT_MAX_DIM];
  int64_t offset;
} pti_geometry;

pti_geometry pti_geometry_of(const pt_tensor *x);
/* Row-major from offset 0. */
pti_geometry pti_geometry_dense(const int64_t *size, int nd);
/* x's memory under that geometry; `tracked` as in pti_view. */
pt_tensor *pti_view_at(pt_tensor *x, const pti_geometry *q, bool tracked);
/* The strides under which x is seen with other sizes of the same number of elements; false where
 * only a copy can. */
bool pti_view_strides(const pt_tensor *x, const int64_t *size, int nd, int64_t *stride);
/* x (outer, n, inner) around one dim; a 0-dim x has one entry. */
pti_rows pti_rows_of(const pt_tensor *x, int dim);

/* ---- writing by ids (index.c) ---- */

/* Combines src with x at index along dim, in x, which is returned; all arguments are checked. */
pt_tensor *pti_scatter_into(const pt_op *op, pt_tensor *x, int64_t dim, pt_tensor *index,
                            pt_tensor *src, pti_combine how);
/* The gradient of src of which `part`, of the shape of index, is that of the corner that index covers. */
pt_tensor *pti_scattered_grad(const pti_edge *e, pt_tensor *part);

/* ---- gradients ---- */

int64_t pti_edge_numel(const pti_edge *e);
/* Zeros of an input's shape and dtype on the device of g. */
pt_tensor *pti_zeros_for(const pti_edge *e, const pt_tensor *g);
/* Zeros of an input's shape, but g where a view q of the dense input lay; recorded. */
pt_tensor *pti_embed(const pti_edge *e, const pti_geometry *q, pt_tensor *g);
/* g in the dtype of an input, and summed to its shape where it was broadcast. */
pt_tensor *pti_grad_as(pt_tensor *g, const pti_edge *e);
pt_tensor *pti_grad_to(pt_tensor *g, const pti_edge *e);

/* ---- factorizations (factor.c) ---- */

/* Fills what the arrays of f, which belong to x's device, are for; false, with the error recorded, where that failed or
   the thread was told to stop. */
bool pti_factorize(const pt_tensor *x, const pti_factor *f);

#endif
