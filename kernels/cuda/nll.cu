/* nll.cu: the negative log likelihood of a class per position, and its gradient. Targets are checked
   before anything is written, and the caller waits for that. */
#include "check.cuh"

struct nll_args {
  int dtype, size, base;
  int64_t outer, n, inner, ignore;
  const char *logp, *weight, *gloss;
  const int64_t *target;
  char *loss, *w, *gx;
};

/* Where logp has class t of target i. */
DEV int64_t class_at(const nll_args &q, int64_t i, int64_t t) {
  return (i / q.inner * q.n + t) * q.inner + i % q.inner;
}

__global__ void __launch_bounds__(THREADS) check_targets(nll_args q, unsigned long long *bad) {
  FOR_EACH(i, q.outer * q.inner) {
    int64_t t = q.target[i];
    if ((t < q.base || t >= q.n + q.base) && t != q.ignore) atomicMin(bad, (unsigned long long)i);
  }
}
__global__ void __launch_bounds__(THREADS) nll_kernel(nll_args q) {
  FOR_EACH(i, q.outer * q.inner) {
    double loss = 0, w = 0;
    int64_t t = q.target[i];
    if (t != q.ignore) {
      t -= q.base;
      w = q.weight ? load_any<double>(q.dtype, q.weight + t * q.size) : 1;
      loss = -w * load_any<double>(q.dtype, q.logp + class_at(q, i, t) * q.size);
    }
    store_any<double>(q.dtype, q.loss + i * q.size, loss);
    store_any<double>(q.dtype, q.w + i * q.size, w);
  }
}
/* An ignored target has weight 0 and need not be a class. */
__global__ void __launch_bounds__(THREADS) nll_grad_kernel(nll_args q) {
  FOR_EACH(i, q.outer * q.inner) {
    double w = load_any<double>(q.dtype, q.w + i * q.size);
    int64_t t = q.target[i] - q.base;
    if (w != 0 && t >= 0 && t < q.n)
      store_any<double>(q.dtype, q.gx + class_at(q, i, t) * q.size,
                        -w * load_any<double>(q.dtype, q.gloss + i * q.size));
  }
}

static nll_args args_of(pti_rows r, const int64_t *target, int base) {
  nll_args q;
  memset(&q, 0, sizeof q);
  q.dtype = r.dtype;
  q.size = (int)size_of(r.dtype);
  q.base = base;
  q.outer = r.outer;
  q.n = r.n;
  q.inner = r.inner;
  q.target = target;
  return q;
}

bool pti_cuda_nll(int dev, pti_rows r, const void *logp, const int64_t *target, const void *weight,
                  int64_t ignore, void *loss, void *w, int base) {
  cudaStream_t s = pti_stream(dev);
  int64_t n = r.outer * r.inner, at;
  if (s == NULL) return false;
  if (n == 0) return true;
  nll_args q = args_of(r, target, base);
  q.logp = (const char *)logp;
  q.weight = (const char *)weight;
  q.ignore = ignore;
  q.loss = (char *)loss;
  q.w = (char *)w;
  auto check = [&](unsigned long long *bad) {
    LAUNCH(check_targets, looped(n), THREADS, 0, s, q, bad);
    return launched("nll_loss");
  };
  if (!first_bad(dev, n, target, check, &at)) return false;
  if (at != NOT_BAD) {
    pti_host->fail(PT_EINDEX, "nll_loss: target %lld is not a class from %lld to %lld",
                   (long long)at, (long long)base, (long long)(r.n - 1 + base));
    return false;
  }
  LAUNCH(nll_kernel, looped(n), THREADS, 0, s, q);
  return launched("nll_loss");
}

bool pti_cuda_nll_grad(int dev, pti_rows r, const int64_t *target, const void *gloss, const void *w,
                       void *gx, int base) {
  cudaStream_t s = pti_stream(dev);
  int64_t n = r.outer * r.inner;
  if (s == NULL) return false;
  if (n == 0) return true;
  nll_args q = args_of(r, target, base);
  q.gloss = (const char *)gloss;
  q.w = (char *)(uintptr_t)w;
  q.gx = (char *)gx;
  LAUNCH(nll_grad_kernel, looped(n), THREADS, 0, s, q);
  return launched("nll_loss backward");
}
