/* view.c: geometry of tensors without history: dims, broadcasting, dense copies, conversion,
   copying. */
#include <string.h>

#include "slots.h"
#include "tensor.h"

bool pti_dim(const char *op, int64_t dim, int nd, int *out) {
  int n = nd > 0 ? nd : 1;
  if (dim < -n || dim >= n) {
    int base = pti_this.index_base;
    long long shown = (long long)(dim < 0 ? dim : dim + base);
    return pti_refuse(
        PT_EINDEX, "%s: dim %lld of a tensor of %d dims; it goes from %d to %d, or from -%d to -1",
        op, shown, nd, base, n - 1 + base, n);
  }
  *out = (int)(dim < 0 ? dim + n : dim);
  return true;
}

bool pti_broadcast(const char *op, const pt_tensor *const *x, int n, int64_t *size, int *nd) {
  int top = 0;
  for (int i = 0; i < n; i++) top = x[i]->nd > top ? x[i]->nd : top;
  for (int d = 0; d < top; d++) {
    int64_t common = 1;
    for (int i = 0; i < n; i++) {
      int at = d - (top - x[i]->nd);
      int64_t s = at < 0 ? 1 : x[i]->size[at];
      if (s == 1 || s == common) continue;
      if (common != 1) {
        if (n == 2) {
          return pti_refuse(PT_ESHAPE,
                            "%s: [%s] and [%s] do not broadcast: %lld against %lld in dim %d", op,
                            pti_shape_text(x[0]), pti_shape_text(x[1]), (long long)common,
                            (long long)s, d + pti_this.index_base);
        }
        return pti_refuse(PT_ESHAPE,
                          "%s: [%s], [%s] and [%s] do not broadcast: %lld against %lld in dim %d",
                          op, pti_shape_text(x[0]), pti_shape_text(x[1]), pti_shape_text(x[n - 1]),
                          (long long)common, (long long)s, d + pti_this.index_base);
      }
      common = s;
    }
    size[d] = common;
  }
  *nd = top;
  return true;
}

pt_tensor *pti_expand_to(pt_tensor *x, const int64_t *size, int nd) {
  if (x == NULL) return NULL;
  int64_t stride[PT_MAX_DIM];
  int lead = nd - x->nd;
  bool fits = lead >= 0;
  for (int d = 0; d < nd && fits; d++) {
    bool own = d >= lead && x->size[d - lead] == size[d];
    fits = own || d < lead || x->size[d - lead] == 1;
    stride[d] = own ? x->stride[d - lead] : 0;
  }
  if (!fits) {
    return pti_fail(PT_ESHAPE, "[%s] does not broadcast to [%s]", pti_shape_text(x),
                    pti_sizes_text(size, nd));
  }
  return pti_view(x, size, stride, nd, x->offset, false);
}

static pti_operand operand(const pt_tensor *x) {
  return (pti_operand){pti_ptr(x), x->dtype, x->nd, x->size, x->stride};
}

bool pti_fill_value(pt_tensor *y, double value, int64_t ivalue) {
  if (y == NULL) return false;
  pti_iter it;
  pti_operand op = operand(y);
  pti_iter_init(&it, y->nd, y->size, &op, 1);
  const pti_device *dev = pti_device_at(pti_dev(y));
  return it.n == 0 || dev->kernels->fill(dev->index, &it, value, ivalue);
}

/* A copy that is not waited for: pinned memory has a mark of its end. */
static bool remember(pti_storage *pinned, const pti_device *d, int device) {
  pinned->later = pt_event_new(false);
  if (pinned->later && pt_event_record(pinned->later, pt_stream_current(device))) return true;
  pt_event_free(pinned->later);
  pinned->later = NULL;
  return d->be->sync(d->index);
}

/* x, dense on its device, into y on another. */
static bool transfer(pt_tensor *y, pt_tensor *x, bool later) {
  int from = pti_dev(x), to = pti_dev(y);
  size_t bytes = (size_t)x->numel * pti_esize(x);
  const pti_device *a = pti_device_at(from), *b = pti_device_at(to);
  if (from == 0) {
    if (!b->be->from_host(b->index, pti_ptr(y), pti_ptr(x), bytes)) return false;
    if (!pt_is_pinned(x)) return true;  /* it was read at once */
    pti_storage *s = x->alias->storage; /* only one thread may know that it is under way */
    bool alone = !atomic_load(&s->crossed) || atomic_load(&s->refs) == 1;
    return later && alone ? remember(s, b, to) : b->be->sync(b->index);
  }
  if (to == 0) {
    bool ok = a->be->to_host(a->index, pti_ptr(y), pti_ptr(x), bytes, later);
    return ok && (!later || remember(y->alias->storage, a, from));
  }
  return b->be->peer(b->index, pti_ptr(y), a->index, pti_ptr(x), bytes);
}

/* From one device to another: dense on the one, dense on the other. */
static pt_tensor *moved(pt_tensor *x, int device, bool later) {
  if (x && !pti_arrive(x)) return NULL;
  x = pti_dense_of(x);
  if (x == NULL || pti_dev(x) == device) return x;
  int from = pti_dev(x);
  if (from != 0 && device != 0 && pti_be(from) != pti_be(device))
    return moved(moved(x, 0, false), device, later);
  later = later && x->numel > 0;
  pt_tensor *y =
      later && device == 0 ? pti_new_pinned(x, from) : pti_new(x->size, x->nd, x->dtype, device);
  if (y == NULL || x->numel == 0) return y;
  return transfer(y, x, later) ? y : NULL;
}

pt_tensor *pti_to_device(pt_tensor *x, int device) { return moved(x, device, false); }
pt_tensor *pti_to_device_later(pt_tensor *x, int device) { return moved(x, device, true); }

pt_tensor *pt_pin_memory(pt_tensor *x, int device) {
  if (x == NULL) return NULL;
  if (device <= 0 || device >= pti_device_count())
    return pti_fail(PT_EDEVICE, "pin_memory: no device %d to pin memory for", device);
  if (pti_dev(x) != 0) {
    return pti_fail(PT_EDEVICE, "pin_memory: x is on %s, and only memory of the CPU can be pinned",
                    pt_device_name(pti_dev(x)));
  }
  if (pt_is_pinned(x)) return pti_borrow(x);
  pt_tensor *y = pti_new_pinned(x, device);
  return pti_copy_into(y, x) ? y : NULL;
}

bool pti_copy_into(pt_tensor *y, pt_tensor *x) {
  if (x == NULL || y == NULL) return false;
  if (pti_dev(x) != pti_dev(y) && !(x = pti_to_device(x, pti_dev(y)))) return false;
  pti_iter it;
  pti_operand op[2] = {operand(y), operand(x)};
  int lead = x->nd - y->nd; /* leading dims of size 1 that y does not have */
  bool fits = true;
  for (int d = 0; d < lead; d++) fits = fits && x->size[d] == 1;
  if (lead > 0) {
    op[1].nd -= lead;
    op[1].size += lead;
    op[1].stride += lead;
  }
  for (int d = 0; d < op[1].nd && fits; d++) {
    int64_t want = y->size[y->nd - op[1].nd + d];
    fits = op[1].size[d] == want || op[1].size[d] == 1;
  }
  if (!fits) {
    return pti_refuse(PT_ESHAPE, "[%s] does not broadcast to [%s]", pti_shape_text(x),
                      pti_shape_text(y));
  }
  pti_iter_init(&it, y->nd, y->size, op, 2);
  const pti_device *dev = pti_device_at(pti_dev(y));
  return it.n == 0 || dev->kernels->copy(dev->index, &it);
}

pt_tensor *pti_cast(pt_tensor *x, pt_dtype dtype) {
  if (x == NULL || x->dtype == dtype) return x;
  pt_tensor *y = pti_new_like(x, dtype);
  return pti_copy_into(y, x) ? y : NULL;
}

pt_tensor *pti_dense_of(pt_tensor *x) {
  if (x == NULL || pti_dense(x)) return x;
  pt_tensor *y = pti_new_like(x, x->dtype);
  return pti_copy_into(y, x) ? y : NULL;
}
