/* aside.h: work that its caller can leave. A call into a library that nothing can stop runs on a thread of its own while the
   caller waits. An interrupt or a deadline ends the waiting and not the work, which goes on unseen, frees what it holds
   when it is done. Only exit waits for it: a library may not be taken down under its work. */
#ifndef PTI_ASIDE_H
#define PTI_ASIDE_H

#include "base.h"

typedef enum { PTI_ASIDE_FAILED, PTI_ASIDE_DONE, PTI_ASIDE_LEFT } pti_aside_end;

/* Calls work(ctx), which says whether it succeeded or records why not. It polls as others do: for whether it was left. The
   account of the calling thread must last as long as ctx. LEFT, with the interrupt recorded: ctx belongs to the work now,
   which hands it to `drop`. Otherwise it is the caller's as before. */
pti_aside_end pti_aside(bool (*work)(void *ctx), void (*drop)(void *ctx), void *ctx);
/* Whether the thread can be told to stop; where not, nothing has to be done aside. */
static inline bool pti_stoppable(void) {
  return pti_this.interrupt != NULL || pti_this.deadline != 0;
}

#endif
