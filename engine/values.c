/* values.c: numbers in and out of tensors, for hosts: filled tensors, tensors over a host's memory, the number of a tensor
   of one element. */
#include <string.h>

#include "tensor.h"

int pt_ndim(const pt_tensor *x) { return x->nd; }
int64_t pt_size(const pt_tensor *x, int dim) { return x->size[dim < 0 ? dim + x->nd : dim]; }
int64_t pt_stride(const pt_tensor *x, int dim) { return x->stride[dim < 0 ? dim + x->nd : dim]; }
int64_t pt_numel(const pt_tensor *x) { return x->numel; }
pt_dtype pt_dtype_of(const pt_tensor *x) { return x->dtype; }
int pt_device_of(const pt_tensor *x) { return pti_dev(x); }
bool pt_is_contiguous(const pt_tensor *x) { return pti_dense(x); }
const void *pt_data(const pt_tensor *x) {
  return x && pti_dev(x) == 0 && pti_arrive(x) ? pti_ptr(x) : NULL;
}
void *pt_data_mut(pt_tensor *x) {
  if (x == NULL || !pti_writable("data_mut", x)) return NULL;
  return pti_dev(x) == 0 ? pti_ptr(x) : NULL;
}

pt_tensor *pt_empty(const int64_t *size, int nd, pt_dtype dtype, int device) {
  return pti_new(size, nd, dtype, device);
}
pt_tensor *pt_full(const int64_t *size, int nd, double value, pt_dtype dtype, int device) {
  pt_tensor *x = pti_new(size, nd, dtype, device);
  int64_t whole = value >= -9.2e18 && value <= 9.2e18 ? (int64_t)value : 0;
  return x && pti_fill_value(x, value, whole) ? x : NULL;
}
pt_tensor *pt_zeros(const int64_t *size, int nd, pt_dtype dtype, int device) {
  return pt_full(size, nd, 0, dtype, device);
}
pt_tensor *pt_ones(const int64_t *size, int nd, pt_dtype dtype, int device) {
  return pt_full(size, nd, 1, dtype, device);
}

pt_tensor *pt_scalar(double value) {
  pt_tensor *x = pti_new(NULL, 0, PT_F64, 0);
  if (x == NULL) return NULL;
  *(double *)x->alias->storage->data = value;
  x->wrapped = true;
  return x;
}
pt_tensor *pt_scalar_int(int64_t value) {
  pt_tensor *x = pti_new(NULL, 0, PT_I64, 0);
  if (x == NULL) return NULL;
  *(int64_t *)x->alias->storage->data = value;
  x->wrapped = true;
  return x;
}

pt_tensor *pt_from_data(const void *data, const int64_t *size, int nd, pt_dtype dtype) {
  pt_tensor *x = pti_new(size, nd, dtype, 0);
  if (x && x->numel) memcpy(x->alias->storage->data, data, x->alias->storage->bytes);
  return x;
}

/* Stands in for a host that keeps its memory: a storage with a release is not the engine's to free. */
static void keep(void *ud) { (void)ud; }

/* The bytes that strides reach over; false where they cannot be. */
static bool extent(const int64_t *size, const int64_t *stride, int nd, pt_dtype dtype,
                   int64_t numel, size_t *bytes) {
  int64_t lo, hi;
  for (int d = 0; d < nd; d++) {
    if (stride[d] < 0) return pti_refuse(PT_ESHAPE, "from_host: strides must not be negative");
  }
  if (!pti_extent(size, stride, nd, &lo, &hi) || !pti_mul(hi, (int64_t)pt_dtype_size(dtype), &hi))
    return pti_refuse(PT_ESHAPE, "from_host: strides reach beyond all memory");
  *bytes = numel ? (size_t)hi : 0;
  return true;
}

pt_tensor *pt_from_host(void *data, const int64_t *size, int nd, pt_dtype dtype,
                        void (*release)(void *), void *ud) {
  return pt_from_host_strided(data, size, NULL, nd, dtype, release, ud);
}

pt_tensor *pt_from_host_strided(void *data, const int64_t *size, const int64_t *stride, int nd,
                                pt_dtype dtype, void (*release)(void *), void *ud) {
  int64_t numel;
  size_t bytes;
  pti_storage *s = NULL;
  if (pti_check_sizes("from_host", size, nd, dtype, &numel, &bytes) &&
      (stride == NULL || extent(size, stride, nd, dtype, numel, &bytes)))
    s = pti_storage_of_host(data, bytes, release ? release : keep, ud);
  if (s == NULL) {
    if (release) release(ud);
    return NULL;
  }
  atomic_init(&s->shared, true); /* the host sees writes */
  return pti_new_over(s, dtype, size, stride, nd, 0, numel);
}

bool pt_item_int(const pt_tensor *x, int64_t *out) {
  double f;
  if (x && !pti_arrive(x)) return false;
  if (x && x->numel == 1 && !pti_is(x->dtype, PTI_INTS | PTI_BOOLS)) {
    if (!pt_item(x, &f)) return false;
    if (!(f >= -9223372036854775808.0 && f < 9223372036854775808.0)) {
      return pti_refuse(PT_EARG, "item: %g is not an integer", f);
    }
    *out = (int64_t)f;
    return true;
  }
  pt_scope s = pt_scope_begin();
  pt_tensor *y = NULL;
  if (x && x->numel == 1) {
    y = pti_cast((pt_tensor *)x, PT_I64);
    if (y && pti_dev(y) != 0) y = pti_to_device(y, 0);
  } else if (x) {
    pti_fail(PT_ESHAPE, "item: x [%s] has %lld elements, not one", pti_shape_text(x),
             (long long)x->numel);
  }
  if (y) *out = *(int64_t *)pti_ptr(y);
  pt_scope_end(s);
  return y != NULL;
}

bool pt_item(const pt_tensor *x, double *out) {
  if (x == NULL || !pti_arrive(x)) return false;
  if (x->numel != 1) {
    return pti_refuse(PT_ESHAPE, "item: x [%s] has %lld elements, not one", pti_shape_text(x),
                      (long long)x->numel);
  }
  if (pti_dev(x) == 0) { /* the two that a training loop asks for, without a conversion */
    if (x->dtype == PT_F32) return *out = (double)*(float *)pti_ptr(x), true;
    if (x->dtype == PT_F64) return *out = *(double *)pti_ptr(x), true;
  }
  pt_scope s = pt_scope_begin();
  pt_tensor *y = pti_cast((pt_tensor *)x, PT_F64);
  if (y && pti_dev(y) != 0) y = pti_to_device(y, 0);
  if (y) *out = *(double *)pti_ptr(y);
  pt_scope_end(s);
  return y != NULL;
}
