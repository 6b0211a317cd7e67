/* account.h: budgets of bytes. What a sandboxed program allocates is booked on an account: objects of its Lua states,
   tensors, graphs, values on their way between threads. Accounts form a tree, a worker's below that of the state that
   opened the pool; what is booked on one is booked on all above it, and none exceeds its limit. */
#ifndef PTI_ACCOUNT_H
#define PTI_ACCOUNT_H

#include <stdatomic.h>

#include "base.h"

typedef void *(*pti_alloc_fn)(void *ud, void *block, size_t old_size, size_t size);

/* Any thread may book and release. The account is freed when its owner has closed it and nothing is booked on it: the
   owner itself holds one byte. */
typedef struct pti_account {
  atomic_size_t used;
  size_t limit; /* 0: none of its own */
  struct pti_account *parent;
  bool worker;        /* of a worker: what it passes to others is no longer booked on it */
  pti_alloc_fn alloc; /* of a host that allocates the bytes of tensors itself, or NULL */
  void *ud;
} pti_account;

/* NULL, with PT_EMEMORY recorded, where there is no memory. */
pti_account *pti_account_new(size_t limit, pti_account *parent);
void pti_account_close(pti_account *a); /* NULL is allowed */
/* Books the bytes if they fit, and returns whether they did. Records no error. */
bool pti_account_take(pti_account *a, size_t bytes);
void pti_account_give(pti_account *a, size_t bytes);
/* Whether they would fit. */
bool pti_account_fits(const pti_account *a, size_t bytes);
/* Records why they do not, and returns false. */
bool pti_account_refuse(const pti_account *a, size_t bytes);
/* For what is passed to other threads: a worker's account releases it and leaves it booked on those above, the next
   of which is returned, or NULL. */
pti_account *pti_account_lift(pti_account *a, size_t bytes);

#endif
