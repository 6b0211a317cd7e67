/* sgd_adam.inc.h: the steps of SGD and Adam for n elements of one type T, in one pass. Included by
   tensor_loops.c; F(name) makes a name of this type. Formulas and their order are PyTorch's; its division
   by the root of Adam's second correction is a multiplication here. Constants are made in double. */

static void F(sgd)(const pti_sgd *h, void *param, const void *grad, void *buffer, int64_t n) {
  T *restrict p = param, *restrict m = buffer;
  const T *restrict x = grad;
  T sign = h->maximize ? -1 : 1, decay = (T)h->weight_decay, lr = (T)h->lr;
  T momentum = (T)h->momentum, fresh = (T)(1 - h->dampening);
  if (m == NULL) {
    for (int64_t i = 0; i < n; i++) p[i] -= lr * (sign * x[i] + decay * p[i]);
    return;
  }
  T ahead = h->nesterov ? 1 : 0, old = h->nesterov ? momentum : 1; /* of the gradient, of m */
  bool first = h->first;
  if (first) fresh = 1;
  for (int64_t i = 0; i < n; i++) {
    T g = sign * x[i] + decay * p[i], b = (first ? 0 : momentum * m[i]) + fresh * g;
    m[i] = b;
    p[i] -= lr * (ahead * g + old * b);
  }
}

static void F(adam)(const pti_adam *h, double step, void *param, const void *grad, void *const *s,
                    int64_t n) {
  T *restrict p = param, *restrict m = s[0], *restrict v = s[1], *restrict top = s[2];
  const T *restrict x = grad;
  T sign = h->maximize ? -1 : 1, decay = h->decoupled ? 0 : (T)h->weight_decay;
  T keep = h->decoupled ? (T)(1 - h->lr * h->weight_decay) : 1;
  T fresh1 = (T)(1 - h->beta1), beta2 = (T)h->beta2, fresh2 = (T)(1 - h->beta2), eps = (T)h->eps;
  T size = (T)(h->lr / (1 - pow(h->beta1, step)));
  T correct = (T)(1 / sqrt(1 - pow(h->beta2, step)));
  if (h->amsgrad) {
    for (int64_t i = 0; i < n; i++) {
      T g = sign * x[i] + decay * p[i];
      m[i] += fresh1 * (g - m[i]);
      v[i] = beta2 * v[i] + fresh2 * g * g;
      top[i] = MAX2(top[i], v[i]);
      p[i] = keep * p[i] - size * m[i] / (SQRT(top[i]) * correct + eps);
    }
  } else {
    for (int64_t i = 0; i < n; i++) {
      T g = sign * x[i] + decay * p[i];
      m[i] += fresh1 * (g - m[i]);
      v[i] = beta2 * v[i] + fresh2 * g * g;
      p[i] = keep * p[i] - size * m[i] / (SQRT(v[i]) * correct + eps);
    }
  }
}
