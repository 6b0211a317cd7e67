/* optimizer_steps.inc.h: the steps of the optimizers other than SGD and Adam for n elements of one type T, in one pass.
   Included by tensor_loops.c; F(name) makes a name of this type. Formulas and their order are PyTorch's. What depends on
   the number of the step is in c, made by engine/optim.c, which also tells what the states s are. Constants are made
   in double. */

static void F(rmsprop)(const pti_rule *h, const double *c, T *restrict p, const T *restrict x,
                       void *const *s, int64_t n) {
  (void)c;
  T *restrict square = s[0], *restrict mean = s[1], *restrict buffer = s[1 + h->centered];
  T sign = h->maximize ? -1 : 1, decay = (T)h->weight_decay, lr = (T)h->lr, eps = (T)h->eps;
  T keep = (T)h->beta2, fresh = (T)(1 - h->beta2), momentum = (T)h->momentum;
  bool centered = h->centered, moving = h->momentum > 0;
  for (int64_t i = 0; i < n; i++) {
    T g = sign * x[i] + decay * p[i];
    T v = square[i] = keep * square[i] + fresh * g * g;
    if (centered) {
      T m = mean[i] + fresh * (g - mean[i]);
      mean[i] = m;
      v -= m * m;
    }
    T move = g / (SQRT(v) + eps);
    if (moving) move = buffer[i] = momentum * buffer[i] + move;
    p[i] -= lr * move;
  }
}

/* c: the learning rate of this step */
static void F(adagrad)(const pti_rule *h, const double *c, T *restrict p, const T *restrict x,
                       void *const *s, int64_t n) {
  T *restrict sum = s[0];
  T sign = h->maximize ? -1 : 1, decay = (T)h->weight_decay, lr = (T)c[0], eps = (T)h->eps;
  for (int64_t i = 0; i < n; i++) {
    T g = sign * x[i] + decay * p[i];
    sum[i] += g * g;
    p[i] -= lr * g / (SQRT(sum[i]) + eps);
  }
}

static void F(adadelta)(const pti_rule *h, const double *c, T *restrict p, const T *restrict x,
                        void *const *s, int64_t n) {
  (void)c;
  T *restrict square = s[0], *restrict moved = s[1];
  T sign = h->maximize ? -1 : 1, decay = (T)h->weight_decay, lr = (T)h->lr, eps = (T)h->eps;
  T keep = (T)h->beta2, fresh = (T)(1 - h->beta2);
  for (int64_t i = 0; i < n; i++) {
    T g = sign * x[i] + decay * p[i];
    square[i] = keep * square[i] + fresh * g * g;
    T move = SQRT(moved[i] + eps) / SQRT(square[i] + eps) * g;
    moved[i] = keep * moved[i] + fresh * move * move;
    p[i] -= lr * move;
  }
}

/* c: lr / (1 - beta1^t) */
static void F(adamax)(const pti_rule *h, const double *c, T *restrict p, const T *restrict x,
                      void *const *s, int64_t n) {
  T *restrict m = s[0], *restrict top = s[1];
  T sign = h->maximize ? -1 : 1, decay = (T)h->weight_decay, size = (T)c[0], eps = (T)h->eps;
  T fresh = (T)(1 - h->beta1), keep = (T)h->beta2;
  for (int64_t i = 0; i < n; i++) {
    T g = sign * x[i] + decay * p[i], old = keep * top[i], now = ABS(g) + eps;
    m[i] += fresh * (g - m[i]);
    top[i] = MAX2(old, now);
    p[i] -= size * m[i] / top[i];
  }
}

/* c: what g and m are multiplied by, and 1 over the root of the second correction */
static void F(nadam)(const pti_rule *h, const double *c, T *restrict p, const T *restrict x,
                     void *const *s, int64_t n) {
  T *restrict m = s[0], *restrict v = s[1];
  T sign = h->maximize ? -1 : 1, decay = h->decoupled ? 0 : (T)h->weight_decay, eps = (T)h->eps;
  T keep = h->decoupled ? (T)(1 - h->lr * h->weight_decay) : 1;
  T fresh1 = (T)(1 - h->beta1), beta2 = (T)h->beta2, fresh2 = (T)(1 - h->beta2);
  T of_g = (T)c[0], of_m = (T)c[1], correct = (T)c[2];
  for (int64_t i = 0; i < n; i++) {
    T q = keep * p[i], g = sign * x[i] + decay * q;
    m[i] += fresh1 * (g - m[i]);
    v[i] = beta2 * v[i] + fresh2 * g * g;
    p[i] = q - (of_g * g + of_m * m[i]) / (SQRT(v[i]) * correct + eps);
  }
}

/* c: the size of a step along m, and whether the second moment divides it */
static void F(radam)(const pti_rule *h, const double *c, T *restrict p, const T *restrict x,
                     void *const *s, int64_t n) {
  T *restrict m = s[0], *restrict v = s[1];
  T sign = h->maximize ? -1 : 1, decay = h->decoupled ? 0 : (T)h->weight_decay, eps = (T)h->eps;
  T keep = h->decoupled ? (T)(1 - h->lr * h->weight_decay) : 1;
  T fresh1 = (T)(1 - h->beta1), beta2 = (T)h->beta2, fresh2 = (T)(1 - h->beta2), size = (T)c[0];
  bool divide = c[1] != 0;
  for (int64_t i = 0; i < n; i++) {
    T q = keep * p[i], g = sign * x[i] + decay * q;
    m[i] += fresh1 * (g - m[i]);
    v[i] = beta2 * v[i] + fresh2 * g * g;
    p[i] = q - size * m[i] / (divide ? SQRT(v[i]) + eps : 1);
  }
}

static void F(rprop)(const pti_rule *h, const double *c, T *restrict p, const T *restrict x,
                     void *const *s, int64_t n) {
  (void)c;
  T *restrict last = s[0], *restrict size = s[1];
  T sign = h->maximize ? -1 : 1, shrink = (T)h->shrink, grow = (T)h->grow;
  T least = (T)h->step_min, most = (T)h->step_max;
  for (int64_t i = 0; i < n; i++) {
    T g = sign * x[i], turn = g * last[i];
    T step = size[i] * (turn > 0 ? grow : turn < 0 ? shrink : 1);
    step = step < least ? least : step > most ? most : step;
    if (turn < 0) g = 0;
    size[i] = step;
    last[i] = g;
    p[i] -= SIGN(g) * step;
  }
}

/* c: eta and mu */
static void F(asgd)(const pti_rule *h, const double *c, T *restrict p, const T *restrict x,
                    void *const *s, int64_t n) {
  T *restrict mean = s[0];
  T sign = h->maximize ? -1 : 1, decay = (T)h->weight_decay, eta = (T)c[0], mu = (T)c[1];
  T keep = (T)(1 - h->lambd * c[0]);
  for (int64_t i = 0; i < n; i++) {
    T g = sign * x[i] + decay * p[i], q = keep * p[i] - eta * g;
    p[i] = q;
    mean[i] = mu == 1 ? q : mean[i] + (q - mean[i]) * mu;
  }
}

static void F(lion)(const pti_rule *h, const double *c, T *restrict p, const T *restrict x,
                    void *const *s, int64_t n) {
  (void)c;
  T *restrict m = s[0];
  T sign = h->maximize ? -1 : 1, lr = (T)h->lr, keep = (T)(1 - h->lr * h->weight_decay);
  T beta1 = (T)h->beta1, fresh1 = (T)(1 - h->beta1);
  T beta2 = (T)h->beta2, fresh2 = (T)(1 - h->beta2);
  for (int64_t i = 0; i < n; i++) {
    T g = sign * x[i], way = beta1 * m[i] + fresh1 * g;
    p[i] = keep * p[i] - lr * SIGN(way);
    m[i] = beta2 * m[i] + fresh2 * g;
  }
}

static void F(rule)(const pti_rule *h, const double *c, void *p, const void *g, void *const *s,
                    int64_t n) {
  switch (h->kind) {
  case PTI_RMSPROP: F(rmsprop)(h, c, p, g, s, n); return;
  case PTI_ADAGRAD: F(adagrad)(h, c, p, g, s, n); return;
  case PTI_ADADELTA: F(adadelta)(h, c, p, g, s, n); return;
  case PTI_ADAMAX: F(adamax)(h, c, p, g, s, n); return;
  case PTI_NADAM: F(nadam)(h, c, p, g, s, n); return;
  case PTI_RADAM: F(radam)(h, c, p, g, s, n); return;
  case PTI_RPROP: F(rprop)(h, c, p, g, s, n); return;
  case PTI_ASGD: F(asgd)(h, c, p, g, s, n); return;
  case PTI_LION: F(lion)(h, c, p, g, s, n); return;
  }
}
