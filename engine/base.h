/* base.h: what every file of the engine may use. The thread's error and other per-thread state,
   checked arithmetic, attributes. */
#ifndef PTI_BASE_H
#define PTI_BASE_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ptlua.h"

#define PTI_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define PTI_COUNT(array) (sizeof(array) / sizeof *(array))
/* Per-thread state. No tls_model: with "initial-exec" on one variable, the loader puts all of the
   library's into a block of a few hundred bytes, and `require "pt"` in a foreign Lua fails. */
#define PTI_THREAD _Thread_local

/* The only ways to fail: both record code and text for the thread. pti_fail returns NULL, pti_refuse false. */
void *pti_fail(pt_status code, const char *format, ...) PTI_PRINTF(2, 3);
bool pti_refuse(pt_status code, const char *format, ...) PTI_PRINTF(2, 3);
/* Puts "prefix: " before the recorded text, once. */
void pti_error_prefix(const char *prefix);

/* a * b and a + b of sizes; false when the result leaves int64_t. */
static inline bool pti_mul(int64_t a, int64_t b, int64_t *out) {
  return !__builtin_mul_overflow(a, b, out);
}
static inline bool pti_add(int64_t a, int64_t b, int64_t *out) {
  return !__builtin_add_overflow(a, b, out);
}

static inline int64_t pti_min64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t pti_max64(int64_t a, int64_t b) { return a > b ? a : b; }

/* What the thread is doing; see pt_set_index_base, pt_set_grad_enabled, pt_vm_interrupt. */
typedef struct pti_thread {
  int index_base;
  bool no_grad;
  bool
      inference; /* no_grad is in force regardless of other settings, and new tensors never take part in a graph */
  bool anomaly;     /* calls are recorded with their line, and gradients checked for NaN */
  const char *line; /* of the script, during anomaly detection: "train.lua:12" */
  bool autocast;
  pt_dtype autocast_dtype : 8;   /* the lower precision */
  uint64_t last_node;            /* the highest id of a recorded call (node.h) */
  struct pti_worker *worker;     /* the pool's worker that runs on this thread, or NULL */
  _Atomic int *interrupt;        /* NULL, or a flag polled between chunks: nonzero stops the op */
  int threads;                   /* that its loops may use; 0: as many as there are */
  double deadline;               /* of pt_clock; 0: none. Polled as the flag is */
  struct pti_account *account;   /* on which new memory is booked, or NULL */
  const struct pti_files *files; /* how files are opened; NULL: as the system does */
} pti_thread;
extern PTI_THREAD pti_thread pti_this;

#define PTI_OUT_OF_TIME "the time limit was reached"
/* False, with PT_EINTERRUPT recorded, when the thread was asked to stop, or PT_ETIME past its deadline. Called between
   chunks of long work. */
bool pti_poll_now(void);
static inline bool pti_poll(void) {
  const _Atomic int *flag = pti_this.interrupt;
  bool asked = flag && atomic_load_explicit(flag, memory_order_relaxed) != 0;
  return (!asked && pti_this.deadline == 0) || pti_poll_now();
}

#endif
