/* ew.cu: chooses the element-wise kernel of a call: the dense one if all operands are dense, else the
   strided one. */
#include "ew.cuh"

static const dense_table *dense_for(pt_dtype dtype) {
  switch (dtype) {
  case PT_F32: return &ew_dense_f32;
  case PT_F64: return &ew_dense_f64;
  case PT_F16: return &ew_dense_f16;
  case PT_BF16: return &ew_dense_bf16;
  case PT_I64: return &ew_dense_i64;
  default: return NULL;
  }
}

/* Gradients do not read placeholders: those operands have stride 0 and one element. */
static bool run_dense(cudaStream_t s, const pti_iter *it, int op, int which, const numbers &num) {
  pt_dtype dtype = it->nop > 1 ? it->dtype[1] : it->dtype[0];
  const dense_table *table = dense_for(dtype);
  dense_kernel *k = table ? (*table)[op][which] : NULL;
  if (k == NULL || (it->dtype[0] != dtype && it->dtype[0] != PT_BOOL)) return false;
  for (int o = 0; o < it->nop; o++) {
    if (!is_flat(it, o, o ? dtype : it->dtype[0])) return false;
  }
  flat q = {{}, it->n};
  for (int o = 0; o < it->nop; o++) q.ptr[o] = it->ptr[o];
  LAUNCH(k, blocks_of(it->n, THREADS * (16 / size_of(dtype))), THREADS, 0, s, q, num);
  return true;
}

bool pti_cuda_ew(int dev, int op, int which, pti_compute compute, const pti_iter *it,
                 const double *param) {
  const strided_table *tables[PTI_NCOMPUTE] = {&ew_strided_f32, &ew_strided_f64, &ew_strided_i64};
  static const pt_dtype storage[PTI_NCOMPUTE] = {PT_F32, PT_F64, PT_I64};
  strided_kernel *k = (*tables[compute])[op][which];
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  if (k == NULL) return pti_no_kernel("elementwise", storage[compute]);
  numbers num = {};
  for (int i = 0; i < 3 && param; i++) num.p[i] = param[i]; /* NULL where a call has no numbers */
  return for_pieces(it, [&](const pti_iter &p) {
    bool same = compute_of(p.dtype[p.nop > 1]) == compute;
    if (!same || !run_dense(s, &p, op, which, num))
      LAUNCH(k, blocks_of(p.n, THREADS), THREADS, 0, s, geometry_of(&p), num);
    return launched("elementwise");
  });
}
