/* optim.h: optimizer steps. One call updates all tensors of a parameter group: everything is checked and every state
   tensor made before the first element changes. The arithmetic is the backend's (slots sgd and adam). */
#ifndef PTI_OPTIM_H
#define PTI_OPTIM_H

#include "backend.h"
#include "base.h"

enum { PTI_NSTATE = 3 };

/* One tensor of a step; its gradient is p's own. Without one, or where p is NULL, it is passed over. */
typedef struct pti_member {
  pt_tensor *p;
  /* SGD: momentum buffer. Adam: first and second moment, largest second moment. Those that the step needs and finds
     NULL are made, scope-owned; of p's shape, dtype and device. */
  pt_tensor *s[PTI_NSTATE];
  double step; /* Adam: number of this step, from 1 */
  bool fresh;  /* set here: the momentum buffer was made by this step */
} pti_member;

/* How many of the states these options need. */
int pti_sgd_states(const pti_sgd *h);
int pti_adam_states(const pti_adam *h);

/* h->first is set here. Parameters change in place, which counts as an edit; nothing is recorded. */
bool pti_sgd_step(pti_member *m, int n, const pti_sgd *h);
bool pti_adam_step(pti_member *m, int n, const pti_adam *h);

/* Fills the gradient of x, where it has one, with zeros. */
bool pti_zero_grad(pt_tensor *x);

#endif
