/* account.c: budgets of bytes, one above the other. */
#include "account.h"

#include <stdlib.h>

pti_account *pti_account_new(size_t limit, pti_account *parent) {
  pti_account *a = malloc(sizeof *a);
  if (a == NULL) return pti_fail(PT_EMEMORY, "no memory for an account");
  *a = (pti_account){.limit = limit, .parent = parent};
  if (parent) a->alloc = parent->alloc, a->ud = parent->ud;
  atomic_init(&a->used, 1);
  if (parent) atomic_fetch_add(&parent->used, 1);
  return a;
}

static void give_here(pti_account *a, size_t bytes) {
  pti_account *parent = a->parent;
  if (atomic_fetch_sub_explicit(&a->used, bytes, memory_order_acq_rel) != bytes) return;
  free(a);
  if (parent) give_here(parent, 1); /* as many levels as pools within pools */
}

void pti_account_close(pti_account *a) {
  if (a) give_here(a, 1);
}

static size_t room(const pti_account *a, size_t used) {
  if (a->limit == 0) return SIZE_MAX / 2 - used;
  return used - 1 < a->limit ? a->limit - (used - 1) : 0;
}

static bool take_here(pti_account *a, size_t bytes) {
  size_t used = atomic_load_explicit(&a->used, memory_order_relaxed);
  do {
    if (bytes > room(a, used)) return false;
  } while (!atomic_compare_exchange_weak_explicit(&a->used, &used, used + bytes,
                                                  memory_order_relaxed, memory_order_relaxed));
  return true;
}

bool pti_account_take(pti_account *a, size_t bytes) {
  for (pti_account *at = a; at; at = at->parent) {
    if (take_here(at, bytes)) continue;
    for (pti_account *back = a; back != at; back = back->parent) give_here(back, bytes);
    return false;
  }
  return true;
}

void pti_account_give(pti_account *a, size_t bytes) {
  while (a) {
    pti_account *parent = a->parent; /* a may end here */
    give_here(a, bytes);
    a = parent;
  }
}

bool pti_account_fits(const pti_account *a, size_t bytes) {
  for (; a; a = a->parent) {
    if (bytes > room(a, atomic_load_explicit(&a->used, memory_order_relaxed))) return false;
  }
  return true;
}

bool pti_account_refuse(const pti_account *a, size_t bytes) {
  while (a->parent && bytes <= room(a, atomic_load(&a->used))) a = a->parent;
  return pti_refuse(
      PT_EMEMORY,
      "out of memory: memory_limit is %zu bytes, %zu are in use, %zu more were asked for", a->limit,
      atomic_load(&a->used) - 1, bytes);
}

pti_account *pti_account_lift(pti_account *a, size_t bytes) {
  while (a && a->worker) {
    pti_account *parent = a->parent;
    give_here(a, bytes);
    a = parent;
  }
  return a;
}
