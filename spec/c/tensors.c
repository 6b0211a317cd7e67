/* tensors.c: the tensor half of ptlua.h used from C, with no Lua in sight. Exits with 0 if all holds. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ptlua.h"

static int failures;

#define CHECK(what)                                                     \
  do {                                                                  \
    if (!(what)) {                                                      \
      failures++;                                                       \
      printf("%s:%d: %s; %s\n", __FILE__, __LINE__, #what, pt_error()); \
    }                                                                   \
  } while (0)

static bool near(pt_tensor *x, double want) {
  double have = 0;
  return pt_item(x, &have) && fabs(have - want) < 1e-6;
}

static void products(void) {
  pt_tensor *x = pt_ones((int64_t[]){2, 3}, 2, PT_F32, 0);
  pt_tensor *y = pt_full((int64_t[]){3, 4}, 2, 2, PT_F32, 0);
  pt_tensor *z = pt_matmul(x, y);
  CHECK(z != NULL && pt_ndim(z) == 2 && pt_size(z, 0) == 2 && pt_size(z, 1) == 4);
  CHECK(z != NULL && ((const float *)pt_data(z))[7] == 6);
}

/* A failure leaves code and text, and NULL flows through a chain. */
static void errors(void) {
  pt_tensor *x = pt_ones((int64_t[]){2, 3}, 2, PT_F32, 0);
  pt_tensor *y = pt_exp(pt_matmul(x, x));
  CHECK(y == NULL && pt_error_code() == PT_ESHAPE);
  CHECK(strstr(pt_error(), "matmul") != NULL && strstr(pt_error(), "[2, 3]") != NULL);
  CHECK(pt_empty((int64_t[]){INT64_MAX, INT64_MAX}, 2, PT_F32, 0) == NULL);
  CHECK(pt_empty((int64_t[]){-1}, 1, PT_F32, 0) == NULL);
  CHECK(pt_exp(x) != NULL);
}

static void gradients(void) {
  pt_tensor *x = pt_full((int64_t[]){3}, 1, 2, PT_F64, 0);
  CHECK(pt_set_requires_grad(x, true));
  CHECK(pt_backward(pt_sum(pt_mul(x, x), NULL, -1, false, -1)));
  pt_tensor *g = pt_grad(x);
  CHECK(g != NULL && ((const double *)pt_data(g))[0] == 4);
  pt_tensor *gx = NULL, *y = pt_sum(pt_exp(x), NULL, -1, false, -1);
  CHECK(pt_grad_of(&y, NULL, 1, &x, 1, 0, &gx) && near(pt_select(gx, 0, 0), exp(2)));
}

static void mark(void *ud) { ++*(int *)ud; }

/* The host's memory is used in place and given back once. */
static void host_memory(void) {
  float data[4] = {1, 2, 3, 4};
  int released = 0;
  pt_scope scope = pt_scope_begin();
  pt_tensor *x = pt_from_host(data, (int64_t[]){2, 2}, 2, PT_F32, mark, &released);
  pt_tensor *row = pt_select(x, 0, 1);
  CHECK(pt_data(row) == data + 2 && near(pt_sum(row, NULL, -1, false, -1), 7));
  pt_retain(row);
  pt_scope_end(scope);
  CHECK(released == 0);
  pt_release(row);
  CHECK(released == 1);
  CHECK(pt_from_host(data, (int64_t[]){-2}, 1, PT_F32, mark, &released) == NULL && released == 2);
}

/* What a parcel gives out shares memory until someone writes. */
static void parcels(void) {
  pt_tensor *x = pt_ones((int64_t[]){3}, 1, PT_F32, 0);
  pt_parcel *p = pt_pack(x);
  pt_tensor *y = pt_unpack(p);
  CHECK(y != NULL && pt_data(x) == pt_data(y));
  float *w = pt_data_mut(y);
  CHECK(w != NULL && w != pt_data(x));
  if (w != NULL) w[0] = 5;
  CHECK(((const float *)pt_data(x))[0] == 1);
  pt_parcel_free(p);
}

int main(void) {
  pt_memory_stats before, after;
  pt_get_memory_stats(&before);
  void (*const part[])(void) = {products, errors, gradients, host_memory, parcels};
  for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
    pt_scope scope = pt_scope_begin();
    part[i]();
    pt_scope_end(scope);
  }
  pt_get_memory_stats(&after);
  CHECK(after.live_bytes == before.live_bytes && after.tensors == before.tensors);
  CHECK(after.nodes == before.nodes);
  return failures != 0;
}
