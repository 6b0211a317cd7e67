/* optim.c: optimizer steps: checks, state tensors, and one call of the backend for all parameters of a device. Kernels
   take dense tensors; one that is not dense is stepped in a dense copy, which is written back. */
#include "optim.h"

#include <math.h>
#include <string.h>

#include "mem.h"
#include "slots.h"
#include "tensor.h"

/* A step being prepared. `param` and `image` run over the members of one call of the backend. */
typedef struct pass {
  const char *name; /* "SGD" */
  const pti_sgd *sgd;
  const pti_adam *adam;
  const pti_rule *rule;
  int nstate, n;
  pti_member *m;
  pti_param *param;
  pt_tensor *(*image)[1 + PTI_NSTATE]; /* dense p and states, of every member */
} pass;

static bool active(const pti_member *m) { return m->p && m->p->grad; }

static bool same_place(const pt_tensor *x, const pt_tensor *y) {
  return x->dtype == y->dtype && pti_dev(x) == pti_dev(y) && x->nd == y->nd &&
      memcmp(x->size, y->size, x->nd * sizeof *x->size) == 0;
}

/* Whether `x`, the gradient or a state of parameter i, fits it. */
static bool check_fit(const pass *a, int i, const char *what, const pt_tensor *x) {
  const pt_tensor *p = a->m[i].p;
  if (same_place(x, p)) return true;
  pti_fail(PT_ESHAPE, "%s: parameter %d is %s [%s] on %s, its %s %s [%s] on %s", a->name,
           i + pti_this.index_base, pt_dtype_name(p->dtype), pti_shape_text(p),
           pt_device_name(pti_dev(p)), what, pt_dtype_name(x->dtype), pti_shape_text(x),
           pt_device_name(pti_dev(x)));
  return false;
}

static bool check(const pass *a) {
  for (int i = 0; i < a->n; i++) {
    const pti_member *m = &a->m[i];
    if (!active(m)) continue;
    if (!pti_is(m->p->dtype, PTI_FLOATS)) {
      pti_fail(PT_EDTYPE, "%s: parameter %d is %s; only floating dtypes are optimized", a->name,
               i + pti_this.index_base, pt_dtype_name(m->p->dtype));
      return false;
    }
    if (!check_fit(a, i, "gradient", m->p->grad)) return false;
    for (int k = 0; k < a->nstate; k++)
      if (m->s[k] && !check_fit(a, i, "state", m->s[k])) return false;
    const pt_backend *be = pti_be(pti_dev(m->p));
    if (a->sgd        ? be->slots->sgd == NULL
            : a->adam ? be->slots->adam == NULL
                      : be->slots->rule == NULL) {
      pti_fail(PT_EDEVICE, "%s: not on %s", a->name, pt_device_name(pti_dev(m->p)));
      return false;
    }
  }
  return true;
}

/* What state k of a rule begins with. */
static double start_of(const pti_rule *h, int k) {
  if (h && h->kind == PTI_ADAGRAD) return h->initial_accumulator_value;
  return h && h->kind == PTI_RPROP && k == 1 ? h->lr : 0;
}

/* SGD's first step writes its buffer without reading it; moments begin with zeros. */
static bool make_states(const pass *a) {
  for (int i = 0; i < a->n; i++) {
    pti_member *m = &a->m[i];
    if (!active(m)) continue;
    m->fresh = a->sgd && a->nstate && m->s[0] == NULL;
    for (int k = 0; k < a->nstate; k++) {
      if (m->s[k]) continue;
      m->s[k] = pti_new_like(m->p, m->p->dtype);
      if (m->s[k] == NULL || (!a->sgd && !pti_fill_value(m->s[k], start_of(a->rule, k), 0)))
        return false;
    }
  }
  return true;
}

/* x itself, or a dense copy; writable. */
static pt_tensor *image_of(const char *name, pt_tensor *x) {
  if (!pti_writable(name, x)) return NULL;
  return pti_dense(x) ? x : pti_dense_of(x);
}

static bool make_images(const pass *a) {
  for (int i = 0; i < a->n; i++) {
    const pti_member *m = &a->m[i];
    if (!active(m)) continue;
    if ((a->image[i][0] = image_of(a->name, m->p)) == NULL) return false;
    for (int k = 0; k < a->nstate; k++)
      if ((a->image[i][1 + k] = image_of(a->name, m->s[k])) == NULL) return false;
  }
  return true;
}

/* The members of one call of the backend: of one device, all with or all without a history of momentum. */
static bool together(const pti_member *x, const pti_member *y) {
  return pti_dev(x->p) == pti_dev(y->p) && x->fresh == y->fresh;
}

/* NAdam's momentum at step t. */
static double nadam_mu(const pti_rule *h, double t) {
  return h->beta1 * (1 - 0.5 * pow(0.96, t * h->momentum_decay));
}

static void prepare_nadam(const pti_rule *h, pti_member *m, double *c) {
  double mu = nadam_mu(h, m->step), ahead = nadam_mu(h, m->step + 1);
  m->number[0] *= mu;
  c[0] = h->lr * (1 - mu) / (1 - m->number[0]);
  c[1] = h->lr * ahead / (1 - m->number[0] * ahead);
  c[2] = 1 / sqrt(1 - pow(h->beta2, m->step));
}

static void prepare_radam(const pti_rule *h, const pti_member *m, double *c) {
  double t = m->step, part = pow(h->beta2, t), most = 2 / (1 - h->beta2) - 1;
  double length = most - 2 * t * part / (1 - part);
  c[0] = h->lr / (1 - pow(h->beta1, t));
  c[1] = length > 5;
  if (length > 5)
    c[0] *= sqrt(1 - part) *
        sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length));
}

/* Eta and mu are those of the step before. */
static void prepare_asgd(const pti_rule *h, pti_member *m, double *c) {
  c[0] = m->number[0];
  c[1] = m->number[1];
  m->number[0] = h->lr / pow(1 + h->lambd * h->lr * m->step, h->alpha);
  m->number[1] = 1 / fmax(1, m->step - h->t0);
}

/* The numbers that the kernel of a rule wants for this step of a tensor. */
static void prepare_rule(const pti_rule *h, pti_member *m, double *c) {
  if (h->kind == PTI_ADAGRAD) c[0] = h->lr / (1 + (m->step - 1) * h->lr_decay);
  if (h->kind == PTI_ADAMAX) c[0] = h->lr / (1 - pow(h->beta1, m->step));
  if (h->kind == PTI_NADAM) prepare_nadam(h, m, c);
  if (h->kind == PTI_RADAM) prepare_radam(h, m, c);
  if (h->kind == PTI_ASGD) prepare_asgd(h, m, c);
}

static bool fill_param(const pass *a, int i, pti_param *out) {
  pti_member *m = &a->m[i];
  const pt_tensor *g = pti_dense(m->p->grad) ? m->p->grad : pti_dense_of(m->p->grad);
  if (g == NULL) return false;
  for (int k = 0; pti_streams_made() && k <= a->nstate; k++) pti_note_use(a->image[i][k]);
  *out = (pti_param){.dtype = m->p->dtype,
                     .n = m->p->numel,
                     .p = pti_ptr(a->image[i][0]),
                     .g = pti_ptr(g),
                     .step = m->step};
  for (int k = 0; k < a->nstate; k++) out->s[k] = pti_ptr(a->image[i][1 + k]);
  if (a->rule) prepare_rule(a->rule, m, out->c);
  return true;
}

static bool call_backend(const pass *a, const pti_member *one, int count) {
  const pti_device *dev = pti_device_at(pti_dev(one->p));
  if (a->adam) return dev->kernels->adam(dev->index, a->param, count, a->adam);
  if (a->rule) return dev->kernels->rule(dev->index, a->param, count, a->rule);
  pti_sgd h = *a->sgd;
  h.first = one->fresh;
  return dev->kernels->sgd(dev->index, a->param, count, &h);
}

/* Steps the first member that has not been stepped, and all that go into one call with it: as a rule, all there are.
   A member has been stepped if it goes into one call with an earlier one. */
static bool step_sets(const pass *a) {
  for (int i = 0; i < a->n; i++) {
    if (!active(&a->m[i])) continue;
    bool done = false;
    for (int j = 0; j < i && !done; j++) done = active(&a->m[j]) && together(&a->m[j], &a->m[i]);
    if (done) continue;
    int count = 0;
    for (int j = i; j < a->n; j++) {
      if (!active(&a->m[j]) || !together(&a->m[i], &a->m[j])) continue;
      if (!fill_param(a, j, &a->param[count++])) return false;
    }
    if (!call_backend(a, &a->m[i], count)) return false;
  }
  return true;
}

static bool write_back(const pass *a) {
  for (int i = 0; i < a->n; i++) {
    const pti_member *m = &a->m[i];
    if (!active(m)) continue;
    if (a->image[i][0] != m->p && !pti_copy_into(m->p, a->image[i][0])) return false;
    for (int k = 0; k < a->nstate; k++)
      if (a->image[i][1 + k] != m->s[k] && !pti_copy_into(m->s[k], a->image[i][1 + k]))
        return false;
  }
  return true;
}

static bool run(pass *a) {
  size_t params = (size_t)a->n * sizeof *a->param, images = (size_t)a->n * sizeof *a->image;
  a->param = pti_alloc(params);
  a->image = pti_alloc(images);
  bool ok = a->param && a->image && check(a) && make_states(a) && make_images(a) && step_sets(a) &&
      write_back(a);
  pti_free(a->param, params);
  pti_free(a->image, images);
  return ok;
}

int pti_sgd_states(const pti_sgd *h) { return h->momentum != 0; }
int pti_adam_states(const pti_adam *h) { return h->amsgrad ? 3 : 2; }

bool pti_sgd_step(pti_member *m, int n, const pti_sgd *h) {
  return run(&(pass){.name = "SGD", .sgd = h, .nstate = pti_sgd_states(h), .n = n, .m = m});
}

bool pti_adam_step(pti_member *m, int n, const pti_adam *h) {
  return run(&(pass){.name = h->decoupled ? "AdamW" : "Adam",
                     .adam = h,
                     .nstate = pti_adam_states(h),
                     .n = n,
                     .m = m});
}

pti_rule_info pti_rules(const pti_rule *h) {
  switch (h->kind) {
  case PTI_RMSPROP: {
    pti_rule_info info = {"RMSprop", {"square_avg"}, {NULL}};
    int n = 1;
    if (h->centered) info.state[n++] = "grad_avg";
    if (h->momentum > 0) info.state[n] = "momentum_buffer";
    return info;
  }
  case PTI_ADAGRAD: return (pti_rule_info){"Adagrad", {"sum"}, {NULL}};
  case PTI_ADADELTA: return (pti_rule_info){"Adadelta", {"square_avg", "acc_delta"}, {NULL}};
  case PTI_ADAMAX: return (pti_rule_info){"Adamax", {"exp_avg", "exp_inf"}, {NULL}};
  case PTI_NADAM: return (pti_rule_info){"NAdam", {"exp_avg", "exp_avg_sq"}, {"mu_product"}};
  case PTI_RADAM: return (pti_rule_info){"RAdam", {"exp_avg", "exp_avg_sq"}, {NULL}};
  case PTI_RPROP: return (pti_rule_info){"Rprop", {"prev", "step_size"}, {NULL}};
  case PTI_ASGD: return (pti_rule_info){"ASGD", {"ax"}, {"eta", "mu"}};
  case PTI_LION: break;
  }
  return (pti_rule_info){"Lion", {"exp_avg"}, {NULL}};
}

double pti_rule_number(const pti_rule *h, int k) {
  return h->kind == PTI_ASGD && k == 0 ? h->lr : 1;
}

bool pti_rule_step(pti_member *m, int n, const pti_rule *h) {
  pti_rule_info info = pti_rules(h);
  int nstate = 0;
  while (info.state[nstate]) nstate++;
  return run(&(pass){.name = info.name, .rule = h, .nstate = nstate, .n = n, .m = m});
}

bool pti_zero_grad(pt_tensor *x) {
  pt_tensor *g = x->grad;
  if (g == NULL) return true;
  if (g->node == NULL && !pti_overlaps_itself(g))
    return pti_writable("zero_grad", g) && pti_fill_value(g, 0, 0);
  /* One with a history (create_graph) or with overlapping elements (expand) is replaced. */
  g = pti_new_like(x, x->dtype);
  return g && pti_fill_value(g, 0, 0) && pt_set_grad(x, g);
}
