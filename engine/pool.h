/* pool.h: threads for tensor loops, and the budget of cores that they share with workers of pools (jobs/) and with
   threads of collectives (comm/). */
#ifndef PTI_POOL_H
#define PTI_POOL_H

#include "base.h"

/* Calls fn(ctx, lo, hi) over disjoint pieces of [0, n), each `grain` long but the last. Pieces
   depend on n and grain only, never on the number of threads, so results do not either. The caller
   works too; calls from inside fn run inline. fn must not fail, touch Lua or block. When the
   calling thread is interrupted, pieces not yet begun are skipped: the caller of an op must
   check pti_poll() afterwards. */
typedef void pti_range(void *ctx, int64_t lo, int64_t hi);
void pti_parallel_for(int64_t n, int64_t grain, pti_range *fn, void *ctx);

/* For tests: from now on loops are cut into about so many pieces, however short they are; 0: as they ask for. */
void pti_try_pieces(int count);

/* The body of a loop that spins until another thread is done. */
static inline void pti_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* A thread that runs foreign work (a Lua worker) announces itself, so that loops and workers
   together never use more threads than the budget. Between tasks, and while it waits for others, it
   is not busy and leaves. */
void pti_worker_enter(void);
void pti_worker_leave(void);
/* Whether the budget has a core for one more thread, which may then spin while it waits. */
bool pti_core_free(void);

/* As pt_set_num_threads, unless it or PT_NUM_THREADS has already set the number. */
void pti_share_threads(int n);

#endif
