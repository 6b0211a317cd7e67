/* optim.cu: fused optimizer steps: many tensors a launch, each element read and written once. The formulas and
   their order are those of kernels/cpu/optim/sgd_adam.inc.h and optimizer_steps.inc.h, in the same types. */
#include "common.cuh"

enum { MEMBERS = 40 /* of a launch: its arguments have 4 KiB */ };

struct member {
  void *p;
  const void *g;
  void *s[3];
  int64_t n;
  double c[3]; /* values that depend on the number of the step */
};
struct members {
  member m[MEMBERS];
};

/* The values that a step reads and writes for one element; x is the gradient. */
template <class T> struct element { T p, x, s[3]; };

struct sgd_step {
  pti_sgd h;
  bool buffered;
  __device__ __forceinline__ bool reads_state() const {
    return !h.first;
  } /* the first step writes its buffer */
  template <class T>
  __device__ __forceinline__ void operator()(element<T> &e, const double *) const {
    T sign = h.maximize ? -1 : 1, decay = (T)h.weight_decay, lr = (T)h.lr;
    T g = sign * e.x + decay * e.p;
    if (buffered) {
      T momentum = (T)h.momentum, fresh = h.first ? T(1) : (T)(1 - h.dampening);
      T ahead = h.nesterov ? 1 : 0, old = h.nesterov ? momentum : T(1);
      T b = (h.first ? T(0) : momentum * e.s[0]) + fresh * g;
      e.s[0] = b;
      g = ahead * g + old * b;
    }
    e.p -= lr * g;
  }
};

/* c: the step size, and 1 over the root of the second correction */
struct adam_step {
  pti_adam h;
  __device__ __forceinline__ bool reads_state() const { return true; }
  template <class T>
  __device__ __forceinline__ void operator()(element<T> &e, const double *c) const {
    T sign = h.maximize ? -1 : 1, decay = h.decoupled ? T(0) : (T)h.weight_decay;
    T keep = h.decoupled ? (T)(1 - h.lr * h.weight_decay) : T(1);
    T fresh1 = (T)(1 - h.beta1), beta2 = (T)h.beta2, fresh2 = (T)(1 - h.beta2), eps = (T)h.eps;
    T size = (T)c[0], correct = (T)c[1], g = sign * e.x + decay * e.p;
    e.s[0] += fresh1 * (g - e.s[0]);
    e.s[1] = beta2 * e.s[1] + fresh2 * g * g;
    if (h.amsgrad) e.s[2] = pt_max2(e.s[2], e.s[1]);
    e.p = keep * e.p - size * e.s[0] / (pt_sqrt(h.amsgrad ? e.s[2] : e.s[1]) * correct + eps);
  }
};

struct rule_step {
  pti_rule h;
  __device__ __forceinline__ bool reads_state() const { return true; }
  template <class T>
  __device__ __forceinline__ void operator()(element<T> &e, const double *c) const {
    T sign = h.maximize ? -1 : 1, lr = (T)h.lr, eps = (T)h.eps;
    T decay = h.decoupled ? T(0) : (T)h.weight_decay;
    T keep = h.decoupled ? (T)(1 - h.lr * h.weight_decay) : T(1);
    T beta1 = (T)h.beta1, fresh1 = (T)(1 - h.beta1), beta2 = (T)h.beta2, fresh2 = (T)(1 - h.beta2);
    T old = e.p, g = sign * e.x + (T)h.weight_decay * old;
    switch (h.kind) {
    case PTI_RMSPROP: {
      T v = e.s[0] = beta2 * e.s[0] + fresh2 * g * g;
      if (h.centered) {
        e.s[1] = e.s[1] + fresh2 * (g - e.s[1]);
        v -= e.s[1] * e.s[1];
      }
      T move = g / (pt_sqrt(v) + eps);
      if (h.momentum > 0) {
        move = (T)h.momentum * (h.centered ? e.s[2] : e.s[1]) + move;
        if (h.centered) e.s[2] = move; /* a reference to either would put both in local memory */
        else e.s[1] = move;
      }
      e.p -= lr * move;
      break;
    }
    case PTI_ADAGRAD:
      e.s[0] += g * g;
      e.p -= (T)c[0] * g / (pt_sqrt(e.s[0]) + eps);
      break;
    case PTI_ADADELTA: {
      e.s[0] = beta2 * e.s[0] + fresh2 * g * g;
      T move = pt_sqrt(e.s[1] + eps) / pt_sqrt(e.s[0] + eps) * g;
      e.s[1] = beta2 * e.s[1] + fresh2 * move * move;
      e.p -= lr * move;
      break;
    }
    case PTI_ADAMAX:
      e.s[1] = pt_max2(beta2 * e.s[1], pt_abs(g) + eps);
      e.s[0] += fresh1 * (g - e.s[0]);
      e.p -= (T)c[0] * e.s[0] / e.s[1];
      break;
    case PTI_NADAM: {
      T q = keep * old;
      g = sign * e.x + decay * q;
      e.s[0] += fresh1 * (g - e.s[0]);
      e.s[1] = beta2 * e.s[1] + fresh2 * g * g;
      e.p = q - ((T)c[0] * g + (T)c[1] * e.s[0]) / (pt_sqrt(e.s[1]) * (T)c[2] + eps);
      break;
    }
    case PTI_RADAM: {
      T q = keep * old;
      g = sign * e.x + decay * q;
      e.s[0] += fresh1 * (g - e.s[0]);
      e.s[1] = beta2 * e.s[1] + fresh2 * g * g;
      e.p = q - (T)c[0] * e.s[0] / (c[1] != 0 ? pt_sqrt(e.s[1]) + eps : T(1));
      break;
    }
    case PTI_RPROP: {
      g = sign * e.x;
      T turn = g * e.s[0], least = (T)h.step_min, most = (T)h.step_max;
      T step = e.s[1] * (turn > 0 ? (T)h.grow : turn < 0 ? (T)h.shrink : T(1));
      step = step < least ? least : step > most ? most : step;
      if (turn < 0) g = 0;
      e.s[1] = step;
      e.s[0] = g;
      e.p -= pt_sign(g) * step;
      break;
    }
    case PTI_ASGD: {
      T mu = (T)c[1], q = (T)(1 - h.lambd * c[0]) * old - (T)c[0] * g;
      e.p = q;
      e.s[0] = mu == 1 ? q : e.s[0] + (q - e.s[0]) * mu;
      break;
    }
    case PTI_LION: {
      g = sign * e.x;
      T way = beta1 * e.s[0] + fresh1 * g;
      e.p = (T)(1 - h.lr * h.weight_decay) * old - lr * pt_sign(way);
      e.s[0] = beta2 * e.s[0] + fresh2 * g;
      break;
    }
    }
  }
};

/* blockIdx.y is the tensor. */
template <class S, class Step>
__global__ void __launch_bounds__(THREADS) step_kernel(members all, Step step) {
  typedef typename compute<S>::T T;
  const member &m = all.m[blockIdx.y];
  FOR_EACH(i, m.n) {
    element<T> e;
    e.p = load(((const S *)m.p)[i]);
    e.x = load(((const S *)m.g)[i]);
#pragma unroll
    for (int k = 0; k < 3; k++)
      e.s[k] = m.s[k] && step.reads_state() ? load(((const S *)m.s[k])[i]) : T(0);
    step(e, m.c);
    ((S *)m.p)[i] = put<S>::of(e.p);
#pragma unroll
    for (int k = 0; k < 3; k++)
      if (m.s[k]) ((S *)m.s[k])[i] = put<S>::of(e.s[k]);
  }
}

template <class S, class Step>
static void step_list(cudaStream_t s, const members &all, int n, int64_t most, const Step &step) {
  unsigned blocks = looped(most) > 1024 ? 1024 : looped(most);
  LAUNCH((step_kernel<S, Step>), dim3(blocks, (unsigned)n), THREADS, 0, s, all, step);
}

/* Tensors of one dtype share launches; `c` fills in the step's numbers for each. */
template <class Step, class Numbers>
static bool step_all(int dev, const pti_param *p, int n, const Step &step, Numbers c,
                     const char *name) {
  cudaStream_t s = pti_stream(dev);
  if (s == NULL) return false;
  for (int i = 0; i < n;) {
    members all;
    memset(&all, 0, sizeof all);
    int count = 0;
    int64_t most = 0;
    pt_dtype dtype = p[i].dtype;
    for (; i < n && count < MEMBERS && p[i].dtype == dtype; i++) {
      if (p[i].n == 0) continue;
      member &m = all.m[count++];
      m = {p[i].p, p[i].g, {p[i].s[0], p[i].s[1], p[i].s[2]}, p[i].n, {}};
      c(p[i], m.c);
      most = p[i].n > most ? p[i].n : most;
    }
    if (count == 0) continue;
    bool known = dtype == PT_F32 ? (step_list<float>(s, all, count, most, step), true)
        : dtype == PT_F64        ? (step_list<double>(s, all, count, most, step), true)
        : dtype == PT_F16        ? (step_list<f16>(s, all, count, most, step), true)
        : dtype == PT_BF16       ? (step_list<bf16>(s, all, count, most, step), true)
                                 : false;
    if (!known) return pti_no_kernel(name, dtype);
    if (!launched(name)) return false;
  }
  return true;
}

bool pti_cuda_sgd(int dev, const pti_param *p, int n, const pti_sgd *h) {
  sgd_step step = {*h, n > 0 && p[0].s[0] != NULL};
  return step_all(
      dev, p, n, step, [](const pti_param &, double *) {}, "SGD");
}

bool pti_cuda_adam(int dev, const pti_param *p, int n, const pti_adam *h) {
  adam_step step = {*h};
  auto numbers = [h](const pti_param &q, double *c) {
    c[0] = h->lr / (1 - pow(h->beta1, q.step));
    c[1] = 1 / sqrt(1 - pow(h->beta2, q.step));
  };
  return step_all(dev, p, n, step, numbers, "Adam");
}

bool pti_cuda_rule(int dev, const pti_param *p, int n, const pti_rule *h) {
  rule_step step = {*h};
  auto numbers = [](const pti_param &q, double *c) {
    for (int k = 0; k < 3; k++) c[k] = q.c[k];
  };
  return step_all(dev, p, n, step, numbers, "optimizer");
}
