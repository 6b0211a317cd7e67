/* optimizer.c: optimizers for hosts that train without Lua: the steps of optim.h with the state they keep. */
#include <stdlib.h>

#include "optim.h"
#include "tensor.h"

struct pt_optimizer {
  bool adam;
  pti_sgd sgd;
  pti_adam rule;
  int n, nstate;
  pti_member *member; /* holds its parameter and states */
};

static bool is_fine(const char *name, pt_tensor *const *params, int n, double lr) {
  if (n < 0 || (n > 0 && params == NULL))
    return pti_refuse(PT_EARG, "%s: there are no parameters", name);
  if (!(lr >= 0)) return pti_refuse(PT_EARG, "%s: lr must not be negative, got %g", name, lr);
  for (int i = 0; i < n; i++) {
    if (params[i] == NULL)
      return pti_refuse(PT_EARG, "%s: parameter %d is NULL", name, i + pti_this.index_base);
    if (!pt_is_leaf(params[i]))
      return pti_refuse(PT_EGRAD,
                        "%s: parameter %d is the result of an op; only leaves are optimized", name,
                        i + pti_this.index_base);
  }
  return true;
}

static pt_optimizer *make(pt_tensor *const *params, int n) {
  pt_optimizer *o = calloc(1, sizeof *o);
  if (o) o->member = calloc((size_t)n + 1, sizeof *o->member);
  if (o == NULL || o->member == NULL) {
    free(o);
    return pti_fail(PT_EMEMORY, "no memory for an optimizer");
  }
  o->n = n;
  for (int i = 0; i < n; i++) o->member[i].p = pt_retain(params[i]);
  return o;
}

pt_optimizer *pt_sgd_new(pt_tensor *const *params, int n, double lr, double momentum,
                         double weight_decay, bool nesterov) {
  if (!is_fine("pt_sgd_new", params, n, lr)) return NULL;
  if (nesterov && !(momentum > 0))
    return pti_fail(PT_EARG, "pt_sgd_new: nesterov needs a momentum");
  pt_optimizer *o = make(params, n);
  if (o == NULL) return NULL;
  o->sgd =
      (pti_sgd){.lr = lr, .momentum = momentum, .weight_decay = weight_decay, .nesterov = nesterov};
  o->nstate = pti_sgd_states(&o->sgd);
  return o;
}

pt_optimizer *pt_adam_new(pt_tensor *const *params, int n, double lr, double beta1, double beta2,
                          double eps, double weight_decay, bool decoupled) {
  if (!is_fine("pt_adam_new", params, n, lr)) return NULL;
  if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1 && eps >= 0))
    return pti_fail(PT_EARG, "pt_adam_new: betas must be from 0 to below 1 and eps not negative");
  pt_optimizer *o = make(params, n);
  if (o == NULL) return NULL;
  o->adam = true;
  o->rule = (pti_adam){.lr = lr,
                       .beta1 = beta1,
                       .beta2 = beta2,
                       .eps = eps,
                       .weight_decay = weight_decay,
                       .decoupled = decoupled};
  o->nstate = pti_adam_states(&o->rule);
  return o;
}

/* Keeps what a step has made, or after a failure forgets it. */
static void settle(pt_optimizer *o, const pti_member *before, bool done) {
  for (int i = 0; i < o->n; i++) {
    pti_member *m = &o->member[i];
    if (done && m->p->grad == NULL) m->step = before[i].step;
    if (!done) *m = before[i];
    for (int k = 0; done && k < o->nstate; k++)
      if (before[i].s[k] == NULL) pt_retain(m->s[k]);
  }
}

bool pt_optimizer_step(pt_optimizer *o) {
  if (o == NULL) return pti_refuse(PT_EARG, "pt_optimizer_step: there is no optimizer");
  pti_member *before = malloc(((size_t)o->n + 1) * sizeof *before);
  if (before == NULL) return pti_refuse(PT_EMEMORY, "pt_optimizer_step: no memory");
  for (int i = 0; i < o->n; i++) {
    before[i] = o->member[i];
    o->member[i].step++;
  }
  pt_scope scope = pt_scope_begin();
  bool done =
      o->adam ? pti_adam_step(o->member, o->n, &o->rule) : pti_sgd_step(o->member, o->n, &o->sgd);
  settle(o, before, done);
  pt_scope_end(scope);
  free(before);
  return done;
}

void pt_optimizer_zero_grad(pt_optimizer *o) {
  for (int i = 0; o && i < o->n; i++) pt_set_grad(o->member[i].p, NULL);
}

void pt_optimizer_set_lr(pt_optimizer *o, double lr) {
  if (o == NULL) return;
  o->sgd.lr = lr;
  o->rule.lr = lr;
}

void pt_optimizer_free(pt_optimizer *o) {
  if (o == NULL) return;
  for (int i = 0; i < o->n; i++) {
    pt_release(o->member[i].p);
    for (int k = 0; k < o->nstate; k++) pt_release(o->member[i].s[k]);
  }
  free(o->member);
  free(o);
}
