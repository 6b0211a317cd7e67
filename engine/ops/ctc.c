/* ctc.c: connectionist temporal classification. Everything that a kernel indexes with is checked here: lengths, and
   every label within them. Devices without a kernel have the host compute it. */
#include "ops.h"

static const int64_t *ids_of(const pt_tensor *x) { return (const int64_t *)pti_ptr(x); }

static bool whole(const char *what, const pt_tensor *list, int64_t n, int64_t most) {
  if (list->nd != 1 || list->size[0] != n) {
    return pti_refuse(PT_ESHAPE, "ctc_loss: %s [%s] for a batch of %lld", what,
                      pti_shape_text(list), (long long)n);
  }
  const int64_t *v = ids_of(list);
  for (int64_t i = 0; i < n; i++) {
    if (v[i] >= 0 && v[i] <= most) continue;
    return pti_refuse(PT_EARG, "ctc_loss: %s %lld of sample %lld is not from 0 to %lld", what,
                      (long long)v[i], pti_shown(i), (long long)most);
  }
  return true;
}

static bool check_labels(const pti_ctc *p, const int64_t *label, const int64_t *lengths) {
  for (int64_t i = 0; i < p->n; i++) {
    for (int64_t k = 0; k < lengths[i]; k++) {
      int64_t v = label[i * p->longest + k] - p->base;
      if (v >= 0 && v < p->c && v != p->blank) continue;
      return pti_refuse(
          PT_EINDEX,
          "ctc_loss: target %lld of sample %lld is not a class from %lld to %lld other "
          "than blank %lld",
          (long long)(v + p->base), pti_shown(i), pti_shown(0), pti_shown(p->c - 1),
          pti_shown(p->blank));
    }
  }
  return true;
}

/* An index tensor as dense int64 on the host. */
static pt_tensor *host_ids(const char *what, pt_tensor *x) {
  return pti_dense_of(pti_to_device(pti_ids("ctc_loss", what, x), 0));
}

pt_tensor *ctc_forward_run(const ctc_forward_args *args) {
  pt_tensor *x = args->logp;
  pt_tensor *label = args->labels;
  if (x->nd != 3 || label->nd != 2 || label->size[0] != x->size[1]) {
    return pti_fail(PT_ESHAPE,
                    "ctc_loss: x [%s] must be (steps, batch, classes), labels [%s] (batch, labels)",
                    pti_shape_text(x), pti_shape_text(label));
  }
  if (!pti_floating("ctc_loss", "x", x)) return NULL;
  pt_tensor *steps = host_ids("input_lengths", args->input_lengths);
  pt_tensor *lengths = host_ids("target_lengths", args->target_lengths);
  label = host_ids("targets", label);
  if (!steps || !lengths || !label) return NULL;
  pti_ctc p = {.dtype = pti_computed(x),
               .t = x->size[0],
               .n = x->size[1],
               .c = x->size[2],
               .longest = label->size[1],
               .blank = args->blank,
               .base = pti_this.index_base};
  if (p.blank < 0 || p.blank >= p.c)
    return pti_fail(PT_EINDEX, "ctc_loss: blank %lld is not a class from %lld to %lld",
                    pti_shown(p.blank), pti_shown(0), pti_shown(p.c - 1));
  if (!whole("input_lengths", steps, p.n, p.t) || !whole("target_lengths", lengths, p.n, p.longest))
    return NULL;
  if (!check_labels(&p, ids_of(label), ids_of(lengths))) return NULL;
  int home = pti_dev(x);
  pt_dtype dtype = x->dtype;
  int64_t none = 0;
  x = pti_dense_of(pti_cast(pti_to_device(x, 0), p.dtype));
  pt_tensor *loss = pti_new(&p.n, 1, p.dtype, 0);
  pt_tensor *gx =
      args->gradient ? x ? pti_new_like(x, p.dtype) : NULL : pti_new(&none, 1, p.dtype, 0);
  if (!x || !loss || !gx) return NULL;
  if (!pti_home(x)->kernels->ctc(0, &p, pti_ptr(x), ids_of(label), ids_of(steps), ids_of(lengths),
                                 pti_ptr(loss), args->gradient ? pti_ptr(gx) : NULL)) {
    return NULL;
  }
  *args->gx = pti_cast(pti_to_device(gx, home), dtype);
  return *args->gx ? pti_cast(pti_to_device(loss, home), dtype) : NULL;
}
