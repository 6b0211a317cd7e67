/* tensors.c: the tensor half of ptlua.h used from C, with no Lua in sight. Exits with 0 if all holds. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Where a tensor is and how it lies. */
static void places(void) {
  pt_tensor *x = pt_ones((int64_t[]){2, 3}, 2, PT_F32, 0);
  CHECK(pt_device_of(x) == 0 && pt_is_contiguous(x) && !pt_is_contiguous(pt_transpose(x, 0, 1)));
  CHECK(pt_version_number() == PT_VERSION_NUMBER);
}

/* What is written is read, by name and as bytes; what is not there is refused. */
static void files(void) {
  char folder[] = "/tmp/ptlua_tensors_XXXXXX", path[64], gone[64];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/x", folder);
  snprintf(gone, sizeof gone, "%s/y", folder);
  pt_tensor *x[] = {pt_full((int64_t[]){2, 3}, 2, 4, PT_F32, 0),
                    pt_ones((int64_t[]){2}, 1, PT_I64, 0)};
  const char *const name[] = {"weight", "count"}, *const meta[] = {"made", "by a spec", NULL},
                    *value;
  CHECK(pt_save(path, name, x, 2, meta));
  pt_archive *a = pt_archive_open(path);
  CHECK(a != NULL && pt_archive_count(a) == 2);
  for (int64_t i = 0; i < pt_archive_count(a); i++) {
    bool weight = strcmp(pt_archive_name(a, i), "weight") == 0;
    pt_tensor *y = pt_archive_tensor(a, i);
    CHECK(y != NULL && memcmp(pt_data(y), pt_data(x[weight ? 0 : 1]), weight ? 24 : 16) == 0);
  }
  CHECK(strcmp(pt_archive_meta(a, 0, &value), "made") == 0 && strcmp(value, "by a spec") == 0);
  CHECK(pt_archive_meta(a, 1, &value) == NULL && pt_archive_name(a, 2) == NULL);
  CHECK(pt_archive_tensor(a, -1) == NULL && pt_archive_tensor(a, 2) == NULL);
  pt_archive_close(a);
  CHECK(pt_write_bytes(path, "abc", 3) && pt_append_bytes(path, "de", 2));
  pt_tensor *bytes = pt_read_file(path);
  CHECK(bytes != NULL && pt_size(bytes, 0) == 5 && memcmp(pt_data(bytes), "abcde", 5) == 0);
  CHECK(pt_read_file_max(path, 4) == NULL && pt_archive_open(path) == NULL);
  CHECK(pt_read_file(gone) == NULL && pt_archive_open(gone) == NULL && pt_read_idx(gone) == NULL);
  CHECK(pt_error_code() == PT_EIO && strstr(pt_error(), gone));
  unlink(path);
  rmdir(folder);
}

/* Functions accept NULL tensors, and fail. */
static void nothing(void) {
  double number;
  pt_tensor *x = NULL, *g = NULL;
  CHECK(!pt_item(x, &number) && !pt_backward(x) && !pt_set_requires_grad(x, true));
  CHECK(!pt_set_grad(x, NULL) && pt_grad(x) == NULL && !pt_requires_grad(x) && !pt_is_inference(x));
  CHECK(!pt_grad_of(&x, NULL, 1, &x, 1, 0, &g) && pt_pack(x) == NULL && !pt_share_memory(x));
  CHECK(pt_data(x) == NULL && pt_data_mut(x) == NULL && !pt_write_file("/tmp/none", x));
  pt_tensor *y = pt_ones((int64_t[]){2}, 1, PT_F32, 0), *pair[] = {y, x};
  CHECK(!pt_grad_of(&y, NULL, 1, &x, 1, 0, &g) && pt_cat(pair, 2, 0) == NULL);
  CHECK(pt_add(x, y) == NULL && pt_add(y, x) == NULL && pt_linear(y, x, NULL) == NULL);
  pt_release(x);
  pt_parcel_free(NULL);
  pt_archive_close(NULL);
}

int main(void) {
  pt_memory_stats before, after;
  pt_get_memory_stats(&before);
  void (*const part[])(void) = {products, errors, gradients, host_memory,
                                parcels,  places, files,     nothing};
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
