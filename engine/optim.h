/* optim.h: optimizer steps. One call updates all tensors of a parameter group: everything is checked and every state
   tensor made before the first element changes. The arithmetic is the backend's (slots sgd, adam and rule). */
#ifndef PTI_OPTIM_H
#define PTI_OPTIM_H

#include "backend.h"
#include "base.h"

enum { PTI_NSTATE = 3 };

/* One tensor of a step; its gradient is p's own. Without one, or where p is NULL, it is skipped. */
typedef struct pti_member {
  pt_tensor *p;
  /* SGD: momentum buffer. Adam: first and second moment, largest second moment. Rules: pti_rules says. Those that the
     step needs and finds NULL are made, scope-owned; of p's shape, dtype and device. */
  pt_tensor *s[PTI_NSTATE];
  double step; /* Adam and rules: number of this step, from 1 */
  /* Rules: NAdam's mu_product, ASGD's eta and mu; set here to those of the next step. */
  double number[2];
  bool fresh; /* set here: the momentum buffer was made by this step */
} pti_member;

/* How many of the states these options need. */
int pti_sgd_states(const pti_sgd *h);
int pti_adam_states(const pti_adam *h);

/* What a rule keeps for each tensor: states and numbers, by PyTorch's names. */
typedef struct pti_rule_info {
  const char *name;                              /* "RMSprop" */
  const char *state[PTI_NSTATE + 1], *number[3]; /* NULL after the last */
} pti_rule_info;
pti_rule_info pti_rules(const pti_rule *h);
/* The value of number k of a tensor before its first step. */
double pti_rule_number(const pti_rule *h, int k);

/* h->first is set here. Parameters change in place, which counts as an edit; nothing is recorded. */
bool pti_sgd_step(pti_member *m, int n, const pti_sgd *h);
bool pti_adam_step(pti_member *m, int n, const pti_adam *h);
bool pti_rule_step(pti_member *m, int n, const pti_rule *h);

/* Fills the gradient of x, where it has one, with zeros. */
bool pti_zero_grad(pt_tensor *x);

#endif
