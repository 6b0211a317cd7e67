/* iter.c: broadcasting, ordering and merging of dims, for every loop over several operands. */
#include "iter.h"

#include <string.h>

static int64_t magnitude(int64_t v) { return v < 0 ? -v : v; }

/* Whether dim a should be outside dim b: the larger stride of the first operand that tells them
   apart decides. */
static bool outside(const pti_iter *it, int a, int b) {
  for (int o = 0; o < it->nop; o++) {
    int64_t x = magnitude(it->stride[o][a]), y = magnitude(it->stride[o][b]);
    if (x != y && x != 0 && y != 0) return x > y;
  }
  return true;
}

static void swap_dims(pti_iter *it, int a, int b) {
  int64_t t = it->size[a];
  it->size[a] = it->size[b];
  it->size[b] = t;
  for (int o = 0; o < it->nop; o++) {
    t = it->stride[o][a];
    it->stride[o][a] = it->stride[o][b];
    it->stride[o][b] = t;
  }
}

static void move_dim(pti_iter *it, int to, int from) {
  it->size[to] = it->size[from];
  for (int o = 0; o < it->nop; o++) it->stride[o][to] = it->stride[o][from];
}

/* Whether dim a continues dim b (just inside it) for every operand. */
static bool continues(const pti_iter *it, int a, int b) {
  for (int o = 0; o < it->nop; o++) {
    if (it->stride[o][a] != it->stride[o][b] * it->size[b]) return false;
  }
  return true;
}

static void merge(pti_iter *it) {
  int last =
      it->nd - 1; /* the dim that is being grown; what lies outside it is still to be looked at */
  for (int d = it->nd - 2; d >= 0; d--) {
    if (it->size[d] == 1) continue;
    if (it->size[last] == 1) {
      move_dim(it, last, d);
    } else if (continues(it, d, last)) {
      it->size[last] *= it->size[d];
    } else {
      move_dim(it, --last, d);
    }
  }
  int nd = it->nd - last;
  for (int d = 0; d < nd; d++) move_dim(it, d, last + d);
  it->nd = nd;
}

void pti_iter_init(pti_iter *it, int nd, const int64_t *size, const pti_operand *op, int nop) {
  it->nd = nd;
  it->nop = nop;
  it->n = 1;
  for (int d = 0; d < nd; d++) {
    it->size[d] = size[d];
    it->n *= size[d];
  }
  for (int o = 0; o < nop; o++) {
    int lead = nd - op[o].nd;
    int64_t bytes = (int64_t)pt_dtype_size(op[o].dtype);
    it->ptr[o] = op[o].ptr;
    it->dtype[o] = op[o].dtype;
    for (int d = 0; d < nd; d++) {
      bool broadcast = d < lead || (op[o].size[d - lead] == 1 && size[d] != 1);
      it->stride[o][d] = broadcast || size[d] == 1 ? 0 : op[o].stride[d - lead] * bytes;
    }
  }
  if (nd == 0) {
    it->nd = 1;
    it->size[0] = 1;
    for (int o = 0; o < nop; o++) it->stride[o][0] = 0;
    return;
  }
  for (int i = 1; i < nd; i++) {
    for (int j = i; j > 0 && !outside(it, j - 1, j); j--) swap_dims(it, j - 1, j);
  }
  merge(it);
}
