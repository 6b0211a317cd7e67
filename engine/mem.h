/* mem.h: memory of tensors and of the engine's objects. Blocks are 64-byte aligned, come in size
   classes and are kept for reuse: first per thread, then in a shared, bounded store. Nothing else
   in the engine calls malloc for data that scales with the user's tensors. */
#ifndef PTI_MEM_H
#define PTI_MEM_H

#include "account.h"
#include "base.h"

/* NULL with PT_EMEMORY recorded; `bytes` 0 gives a valid block. Contents undefined. */
void *pti_alloc(size_t bytes);
/* `bytes` as given to pti_alloc; NULL is allowed; any thread may free. */
void pti_free(void *block, size_t bytes);

/* Live counters, kept per thread and summed on request (pt_get_memory_stats). */
enum { PTI_LIVE_BYTES, PTI_LIVE_TENSORS, PTI_LIVE_NODES, PTI_NLIVE };
void pti_count(int what, int64_t delta);
int64_t pti_live_here(int what); /* of this thread: negative where it frees what others allocated */

/* Books bytes on this thread's account, pti_this.account; *on is that account, NULL where there is none. False, with
   PT_EMEMORY recorded, where that exceeds its limit even after garbage was collected. */
bool pti_book(size_t bytes, pti_account **on);
static inline void pti_unbook(pti_account *on, size_t bytes) {
  if (on) pti_account_give(on, bytes);
}
/* pti_alloc for what was booked before: a large block is not checked against the limit again. */
void *pti_alloc_booked(size_t bytes);

/* Called when memory runs out, before the last retry; a binding collects its garbage here. Per
   thread. */
void pti_set_pressure(void (*collect)(void *ud), void *ud);
bool pti_mem_collect(void); /* false where no callback is set */
/* For tests: `count` allocations of this thread fail, beginning with the n-th from now (1: the next one);
   0 switches it off. */
void pti_fail_at(int64_t n, int64_t count);
/* For tests, of all threads: blocks are filled with ones as they are handed out and with other bytes as they are freed;
   and each thread's garbage is collected at every allocation. */
void pti_try_memory(bool poison, bool collect);
/* Moves this thread's cached blocks to the shared store (a worker going idle), or returns everything
   to the system. */
void pti_mem_flush_thread(void);
void pti_mem_trim(void);

#endif
