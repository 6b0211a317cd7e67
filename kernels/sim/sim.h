/* sim.h: shared by the files of the simulated device. One kernel runs at a time, under `sim_lock`,
   on whichever host thread's synchronisation started it; so the state of the running block is plain
   static data. */
#ifndef SIM_H
#define SIM_H

#include <mutex>
#include <vector>

#include "cuda_runtime.h"

namespace sim {
enum {
  STACK = 64 << 10,      /* of a fiber */
  MAX_THREADS = 1024,    /* of a block */
  ARENA = 228 << 10,     /* shared memory of a block */
  STATIC_MAX = 48 << 10, /* of it without opt-in */
  OPT_IN_MAX = 232448,
  MAX_DEVICE = 8,
  NONE = -1
};
const size_t PAGE = 4096;
const size_t HEAP = (size_t)32 << 30; /* addresses of one device */

struct fiber {
  void *sp;
  char *stack;
};
struct waiter {
  fiber *f;
  int kind; /* 0 nothing, 1 barrier, 2 warp operation */
  const char *file;
  int line;
  uint64_t out;
};
struct group { /* lanes of a warp that have arrived at an operation */
  unsigned mask, arrived;
  int kind;
  const char *file;
  int line;
  uint64_t in[32];
  int arg[32];
};
/* The last write and read of a byte, for finding races: by which thread, and when. */
struct access {
  uint32_t launch, block, epoch, pc;
  uint16_t thread;
  uint8_t warp_epoch, atomic;
};
struct shadow {
  access write, read;
};
struct array {
  const void *key;
  size_t offset, bytes;
};
struct context {
  const call *c;
  unsigned n, started, exited, at_barrier, at_warp, head, tail, epoch, launch, block;
  int tid;
  bool failed;
  unsigned order[MAX_THREADS], ready[MAX_THREADS];
  waiter wait[MAX_THREADS];
  group groups[32][2];
  uint8_t warp_epoch[32];
  std::vector<fiber *> idle, all;
  fiber *current;
  void *scheduler;
  char *arena;
  size_t used;
  array arrays[24];
  int narrays;
  shadow *arena_shadow; /* of the checked build */
  uint8_t *arena_written;
};
extern context *running;     /* NULL outside a kernel */
context *running_here(void); /* the same for the thread that runs it; NULL for others */
extern std::recursive_mutex sim_lock;
extern unsigned seed; /* of the order in which threads and blocks run; 0: ascending */
extern int ndev;

/* The first error stays until reset, as a fault of a GPU does. */
extern cudaError_t sticky, last_error;
void report(cudaError_t e, const char *format, ...) __attribute__((format(printf, 2, 3)));
void clear_report(void);
const char *report_text(void);
/* "kernel k, block (x,y,z), thread (x,y,z)" */
void describe_thread(char *to, size_t size);
[[noreturn]] void stop_kernel(void);

/* block.cpp */
void run_kernel(const call *c);

/* memory.cpp */
struct block {
  char *p, *page;
  size_t bytes, pages;
  bool live;
  int dev;
};
void start(void); /* reads settings, reserves addresses; called by every entry */
void open_memory(bool on);
const block *owner(const void *p, size_t bytes); /* the live block that holds [p, p + bytes) */
bool is_device(const void *p);
int device_of(const void *p); /* -1: host memory */
cudaError_t free_block(void *p);
char *heap_of(int dev);

/* stream.cpp */
void drain_all(void);
void forget_streams(void);
int current_device(void);

/* check.cpp: what the checked build knows about each byte of device memory */
enum byte_state { NEVER, ALLOCATED, WRITTEN, FREED };
extern bool checked; /* kernels were built with hooks */
void check_start(void);
void mark(const void *p, size_t bytes, byte_state state);
void check_block(context *x);

/* count.cpp: memory traffic, where PT_SIM_COUNT names a file; s: of the bytes, NULL for shared memory */
extern const char *count_file;
void count_access(const context *x, const void *p, size_t n, const shadow *s, bool write,
                  uintptr_t pc);
void count_block(const context *x); /* a block has ended */
} // namespace sim

#endif
