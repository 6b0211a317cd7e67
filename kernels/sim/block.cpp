/* block.cpp: the threads of a block as fibers of one host thread, started lazily: a fiber runs thread
   after thread in a loop, and only when one waits is it parked and another started, so a kernel that
   never waits is a plain loop. Barriers and warp operations complete when all the threads they need
   have arrived; if one can no longer arrive, that is the error. */
#include "sim.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

/* Saves the callee-saved registers on the stack and its pointer in *save, and continues from `load`. */
extern "C" void sim_switch(void **save, void *load);
#if defined(__x86_64__)
asm(".text\n.globl sim_switch\n.hidden sim_switch\n.type sim_switch,@function\nsim_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
    ".size sim_switch,.-sim_switch\n");
enum {
  SAVED = 6,
  ENTRY = 6
}; /* words a switch pops before it returns; which of them is the entry */
#elif defined(__aarch64__)
asm(".text\n.globl sim_switch\n.hidden sim_switch\n.type sim_switch,%function\nsim_switch:\n"
    "stp x29,x30,[sp,#-160]!\nstp x19,x20,[sp,#16]\nstp x21,x22,[sp,#32]\nstp x23,x24,[sp,#48]\n"
    "stp x25,x26,[sp,#64]\nstp x27,x28,[sp,#80]\nstp d8,d9,[sp,#96]\nstp d10,d11,[sp,#112]\n"
    "stp d12,d13,[sp,#128]\nstp d14,d15,[sp,#144]\n"
    "mov x9,sp\nstr x9,[x0]\nmov sp,x1\n"
    "ldp x19,x20,[sp,#16]\nldp x21,x22,[sp,#32]\nldp x23,x24,[sp,#48]\nldp x25,x26,[sp,#64]\n"
    "ldp x27,x28,[sp,#80]\nldp d8,d9,[sp,#96]\nldp d10,d11,[sp,#112]\nldp d12,d13,[sp,#128]\n"
    "ldp d14,d15,[sp,#144]\nldp x29,x30,[sp],#160\nret\n.size sim_switch,.-sim_switch\n");
enum { SAVED = 20, ENTRY = 1 };
#else
#error "the simulated device knows x86-64 and AArch64"
#endif

namespace sim {
context *running;
unsigned seed;
static pthread_t runner;
context *running_here(void) {
  return running && pthread_equal(runner, pthread_self()) ? running : NULL;
}
static uint32_t launches;

void describe_thread(char *to, size_t size) {
  snprintf(to, size, "kernel %s, block (%u,%u,%u), thread (%u,%u,%u)", running->c->kernel,
           blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);
}

void stop_kernel(void) {
  void *lost;
  running->failed = true;
  sim_switch(&lost, running->scheduler);
  __builtin_unreachable();
}

/* ---- fibers ---- */

static void set_thread(context *x, unsigned t) {
  dim3 b = x->c->block;
  x->tid = (int)t;
  if (b.y == 1 && b.z == 1) threadIdx.x = t;
  else threadIdx = {t % b.x, t / b.x % b.y, t / (b.x * b.y)};
}

bool next_thread(void) {
  context *x = running;
  if (x->tid != NONE) x->exited++;
  x->tid = NONE;
  if (x->started == x->n || x->head != x->tail) return false;
  set_thread(x, x->order[x->started++]);
  return true;
}

static void fiber_main(void) {
  for (;;) {
    running->c->body(running->c->args);
    fiber *me = running->current;
    running->idle.push_back(me);
    sim_switch(&me->sp, running->scheduler);
  }
}

static fiber *new_fiber(context *x) {
  fiber *f = new fiber;
  f->stack = (char *)mmap(0, STACK, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  mprotect(f->stack, PAGE, PROT_NONE);
  /* Equal offsets in every stack would share one cache set. */
  size_t colour = x->all.size() * 1088 % 16384 & ~(size_t)15;
  void **sp = (void **)(f->stack + STACK - colour) - 2 - SAVED;
  memset(sp, 0, (SAVED + 2) * sizeof *sp);
  sp[ENTRY] = (void *)fiber_main;
  f->sp = sp;
  x->all.push_back(f);
  return f;
}

/* The running thread waits; switches directly to the next one that can continue. */
static void park(int kind, const char *file, int line) {
  context *x = running;
  fiber *me = x->current, *to = NULL;
  x->wait[x->tid] = {me, kind, file, line, 0};
  if (x->head != x->tail) {
    unsigned t = x->ready[x->head++ % MAX_THREADS];
    to = x->wait[t].f;
    set_thread(x, t);
  } else if (x->started < x->n && !x->idle.empty()) {
    to = x->idle.back();
    x->idle.pop_back();
    x->tid = NONE;
  }
  if (to == me) return;
  if (to) x->current = to;
  sim_switch(&me->sp, to ? to->sp : x->scheduler);
}

/* ---- barriers and warps ---- */

void barrier(const char *file, int line) {
  context *x = running;
  if (x->n == 1) {
    x->epoch++;
    return;
  }
  for (unsigned t = 0; x->at_barrier && t < x->n; t++) {
    const waiter *w = &x->wait[t];
    if (w->kind != 1) continue;
    if (w->line != line || w->file != file) {
      char who[200];
      describe_thread(who, sizeof who);
      report(cudaErrorLaunchFailure,
             "%s waits in __syncthreads at %s:%d, thread %u at %s:%d: a divergent barrier", who,
             file, line, t, w->file, w->line);
      stop_kernel();
    }
    break;
  }
  x->at_barrier++;
  park(1, file, line);
}

static void warp_error(const char *what, const char *file, int line, unsigned mask) {
  char who[200];
  describe_thread(who, sizeof who);
  report(cudaErrorLaunchFailure, "%s: warp operation at %s:%d %s (mask %08x)", who, file, line,
         what, mask);
  stop_kernel();
}

static void (*collective)(uint64_t *);

static int source_lane(const group *g, unsigned l) {
  int src = (int)l, arg = g->arg[l];
  if (g->kind == WARP_IDX) src = arg & 31;
  else if (g->kind == WARP_XOR) src ^= arg;
  else if (g->kind == WARP_DOWN) src += arg;
  else if (g->kind == WARP_UP) src -= arg;
  return src < 0 || src > 31 ? (int)l : src;
}

/* The last lane to arrive computes the result for all and wakes the others. */
static uint64_t complete(context *x, group *g, unsigned w, unsigned lane) {
  unsigned ballot = 0;
  uint64_t mine = 0;
  if (g->kind == WARP_CALL) collective(g->in);
  for (int l = 0; l < 32 && g->kind == WARP_BALLOT; l++) {
    if ((g->mask >> l & 1) && g->in[l]) ballot |= 1u << l;
  }
  for (unsigned l = 0; l < 32; l++) {
    if (!(g->mask >> l & 1)) continue;
    int src = source_lane(g, l);
    if (!(g->mask >> src & 1))
      warp_error("reads a lane that the mask leaves out", g->file, g->line, g->mask);
    uint64_t r = g->kind == WARP_BALLOT ? ballot : g->in[src];
    if (l == lane) {
      mine = r;
      continue;
    }
    unsigned t = w * 32 + l;
    x->wait[t].out = r;
    x->wait[t].kind = 0;
    x->ready[x->tail++ % MAX_THREADS] = t;
    x->at_warp--;
  }
  g->arrived = 0;
  if (g->kind == WARP_SYNC) x->warp_epoch[w]++;
  return mine;
}

uint64_t warp_op(warp_kind k, unsigned mask, uint64_t value, int arg, const char *file, int line) {
  context *x = running;
  unsigned w = (unsigned)x->tid >> 5, lane = (unsigned)x->tid & 31;
  if (!(mask >> lane & 1)) warp_error("whose mask leaves out the caller", file, line, mask);
  group *g = &x->groups[w][0];
  if (g->arrived && g->mask != mask) g = &x->groups[w][1];
  if (!g->arrived) {
    g->mask = mask;
    g->kind = k;
    g->file = file;
    g->line = line;
  } else if (g->mask != mask || g->kind != k || g->line != line) {
    warp_error("while other lanes wait at another", file, line, mask);
  }
  g->arrived |= 1u << lane;
  g->in[lane] = value;
  g->arg[lane] = arg;
  if (g->arrived == mask) return complete(x, g, w, lane);
  x->at_warp++;
  park(2, file, line);
  return running->wait[running->tid].out;
}

void warp_call(void (*fn)(uint64_t *), void *arg, const char *file, int line) {
  collective = fn;
  warp_op(WARP_CALL, 0xffffffffu, (uint64_t)arg, 0, file, line);
}

/* ---- shared memory ---- */

void *shared(const void *key, size_t bytes, size_t align) {
  context *x = running;
  for (int i = 0; i < x->narrays; i++) {
    if (x->arrays[i].key == key) return x->arena + x->arrays[i].offset;
  }
  size_t at = (x->used + align - 1) / align * align;
  if (at + bytes > STATIC_MAX || x->narrays == 24) {
    report(cudaErrorInvalidConfiguration,
           "kernel %s: %zu bytes of shared memory; a block has 48 KiB of static memory",
           x->c->kernel, at + bytes);
    stop_kernel();
  }
  x->arrays[x->narrays++] = {key, at, bytes};
  x->used = at + bytes + 16; /* a gap, so that an index beyond the end hits no other array */
  return x->arena + at;
}
static size_t dynamic_at(const call *c) { return ARENA - ((c->shared + 15) & ~(size_t)15); }
void *dyn_shared(void) { return running->arena + dynamic_at(running->c); }

/* ---- blocks ---- */

static void shuffle_threads(context *x, unsigned b) {
  unsigned s = seed * 2654435761u + b;
  for (unsigned i = 0; i < x->n; i++) x->order[i] = i;
  for (unsigned i = x->n; seed && i-- > 1;) {
    s = s * 1664525u + 1013904223u;
    unsigned j = (s >> 8) % (i + 1), t = x->order[i];
    x->order[i] = x->order[j];
    x->order[j] = t;
  }
}

static void begin_block(context *x, const call *c, unsigned b) {
  bool same = x->c == c && !seed;
  x->c = c;
  x->n = c->block.x * c->block.y * c->block.z;
  x->block = b;
  blockDim = c->block;
  gridDim = c->grid;
  blockIdx = {b % c->grid.x, b / c->grid.x % c->grid.y, b / (c->grid.x * c->grid.y)};
  threadIdx = {0, 0, 0};
  x->started = x->exited = x->at_barrier = x->at_warp = x->head = x->tail = 0;
  x->epoch++;
  x->tid = NONE;
  memset(x->arena, 0xff, x->used); /* a NaN in every float type: uninitialised */
  if (c->shared) memset(x->arena + dynamic_at(c), 0xff, c->shared);
  if (checked) check_block(x);
  x->used = 0;
  x->narrays = 0;
  for (unsigned w = 0; w < (x->n + 31) / 32; w++)
    x->groups[w][0].arrived = x->groups[w][1].arrived = 0;
  if (!same) shuffle_threads(x, b);
}

/* Fibers are abandoned where they are; kernels own nothing. */
static void abandon(context *x) {
  for (fiber *f : x->all) {
    munmap(f->stack, STACK);
    delete f;
  }
  x->all.clear();
  x->idle.clear();
  for (waiter &w : x->wait) w.kind = 0;
}

static void release_barrier(context *x) {
  x->at_barrier = 0;
  x->epoch++;
  for (unsigned i = 0; i < x->n; i++) {
    unsigned t = x->order[i];
    if (x->wait[t].kind != 1) continue;
    x->wait[t].kind = 0;
    x->ready[x->tail++ % MAX_THREADS] = t;
  }
}

static void report_missing(const context *x) {
  unsigned t = 0;
  while (t < x->n && !x->wait[t].kind) t++;
  const waiter *w = &x->wait[t];
  report(cudaErrorLaunchFailure,
         "kernel %s, block %u: thread %u waits in %s at %s:%d but %u of %u threads have returned "
         "and will never arrive (%u wait at a barrier, %u in a warp operation)",
         x->c->kernel, x->block, t, w->kind == 1 ? "__syncthreads" : "a warp operation", w->file,
         w->line, x->exited, x->n, x->at_barrier, x->at_warp);
}

static void run_block(context *x, const call *c, unsigned b) {
  begin_block(x, c, b);
  while (!x->failed) {
    if (x->head != x->tail) {
      unsigned t = x->ready[x->head++ % MAX_THREADS];
      x->current = x->wait[t].f;
      set_thread(x, t);
    } else if (x->started < x->n) {
      if (x->idle.empty()) {
        x->current = new_fiber(x);
      } else {
        x->current = x->idle.back();
        x->idle.pop_back();
      }
      x->tid = NONE;
    } else if (x->at_barrier && !x->at_warp && !x->exited) {
      release_barrier(x);
      continue;
    } else if (x->at_barrier || x->at_warp) {
      report_missing(x);
      x->failed = true;
      break;
    } else {
      return;
    }
    sim_switch(&x->scheduler, x->current->sp);
  }
  abandon(x);
}

static context *new_context(void) {
  context *x = new context();
  x->arena =
      (char *)mmap(0, ARENA + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(x->arena + ARENA, PAGE, PROT_NONE);
  x->arena_shadow = (shadow *)mmap(0, ARENA * sizeof(shadow), PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  x->arena_written = (uint8_t *)mmap(0, ARENA, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return x;
}

/* PT_SIM_FAULT=NAME: kernels with this in their name fault, to test the handling of faults. */
static bool must_fault(const call *c) {
  static const char *name = getenv("PT_SIM_FAULT");
  if (name == NULL || !*name || !strstr(c->kernel, name)) return false;
  report(cudaErrorIllegalAddress, "kernel %s at %s:%d: illegal address, as PT_SIM_FAULT asks",
         c->kernel, c->file, c->line);
  return true;
}

void run_kernel(const call *c) {
  if (must_fault(c)) return;
  static context *x;
  if (x == NULL) x = new_context();
  unsigned blocks = c->grid.x * c->grid.y * c->grid.z;
  x->launch = ++launches;
  x->failed = false;
  x->c = NULL;
  runner = pthread_self();
  running = x;
  for (unsigned b = 0; b < blocks && !x->failed && !sticky; b++) {
    run_block(x, c, seed ? blocks - 1 - b : b);
    if (count_file) count_block(x);
  }
  running = NULL;
}
} // namespace sim
