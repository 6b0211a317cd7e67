/* check.cpp: every access of a kernel, in the checked build. There the .cu files are compiled with
   -fsanitize=thread, but its library is not linked: the calls that the compiler puts before each
   access come here. For each byte of device and shared memory it is known whether it was written
   and which thread accessed it last, so bounds, freed blocks, alignment, uninitialised reads, races and
   host pointers are all reported, with the kernel and the source line. In the plain build nothing here is
   called. */
#include "sim.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

namespace sim {
bool checked;
static shadow *touched[MAX_DEVICE];
static uint8_t *state[MAX_DEVICE];
static uintptr_t lib_lo, lib_hi; /* where this library lies: its constants may be read */

static int find_library(dl_phdr_info *info, size_t, void *) {
  uintptr_t lo = UINTPTR_MAX, hi = 0;
  for (int k = 0; k < info->dlpi_phnum; k++) {
    if (info->dlpi_phdr[k].p_type != PT_LOAD) continue;
    uintptr_t a = info->dlpi_addr + info->dlpi_phdr[k].p_vaddr;
    lo = a < lo ? a : lo;
    hi = a + info->dlpi_phdr[k].p_memsz > hi ? a + info->dlpi_phdr[k].p_memsz : hi;
  }
  if ((uintptr_t)&checked < lo || (uintptr_t)&checked >= hi) return 0;
  lib_lo = lo;
  lib_hi = hi;
  return 1;
}

static void *reserve(size_t bytes) {
  return mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

void check_start(void) {
  dl_iterate_phdr(find_library, NULL);
  for (int d = 0; d < ndev; d++) {
    state[d] = (uint8_t *)reserve(HEAP);
    touched[d] = (shadow *)reserve(HEAP * sizeof(shadow));
  }
}

void mark(const void *p, size_t bytes, byte_state s) {
  int d = checked ? device_of(p) : -1;
  if (d >= 0) memset(state[d] + ((char *)p - heap_of(d)), s, bytes);
}

void check_block(context *x) { memset(x->arena_written, 0, ARENA); }

/* ---- reports ---- */

/* "file.cu:12" of an instruction. */
static void line_of(uintptr_t pc, char *to, size_t size) {
  Dl_info info;
  char command[600], line[512] = "";
  snprintf(to, size, "an unknown line");
  if (!pc || !dladdr((void *)pc, &info)) return;
  snprintf(command, sizeof command, "addr2line -s -e '%s' 0x%lx", info.dli_fname,
           (unsigned long)(pc - 1 - (uintptr_t)info.dli_fbase));
  FILE *pipe = popen(command, "r");
  if (pipe == NULL) return;
  if (fgets(line, sizeof line, pipe)) line[strcspn(line, "\n(")] = 0;
  pclose(pipe);
  if (line[0]) snprintf(to, size, "%s", line);
}

[[noreturn]] static void bad(cudaError_t e, uintptr_t pc, const char *what, const access *other) {
  char who[200], line[200], more[300] = "";
  describe_thread(who, sizeof who);
  line_of(pc, line, sizeof line);
  if (other) {
    char there[160];
    line_of(lib_lo + other->pc, there, sizeof there);
    snprintf(more, sizeof more, " at %s by thread %u of block %u, no barrier between", there,
             other->thread, other->block);
  }
  report(e, "%s: %s at %s%s", who, what, line, more);
  stop_kernel();
}

/* ---- one access ---- */

/* Whether an earlier access precedes this one in every order of threads. */
static bool ordered(const access &a, const context *x, bool in_block) {
  if (a.launch != x->launch) return true;
  if (a.block != x->block) return in_block;
  if (a.thread == x->tid || a.epoch != x->epoch) return true;
  return (a.thread >> 5) == (x->tid >> 5) && a.warp_epoch != x->warp_epoch[x->tid >> 5];
}

static void touch(shadow *s, const context *x, bool write, bool atomic, uintptr_t pc,
                  bool in_block) {
  const char *where = in_block ? "shared" : "global";
  char what[80];
  if (s->write.launch && !ordered(s->write, x, in_block) && !(atomic && s->write.atomic)) {
    snprintf(what, sizeof what, "race: %s of %s memory that was written", write ? "write" : "read",
             where);
    bad(cudaErrorLaunchFailure, pc, what, &s->write);
  }
  if (write && s->read.launch && !ordered(s->read, x, in_block) && !(atomic && s->read.atomic)) {
    snprintf(what, sizeof what, "race: write of %s memory that was read", where);
    bad(cudaErrorLaunchFailure, pc, what, &s->read);
  }
  access now = {x->launch,        x->block,
                x->epoch,         (uint32_t)(pc - lib_lo),
                (uint16_t)x->tid, x->warp_epoch[x->tid >> 5],
                (uint8_t)atomic};
  (write ? s->write : s->read) = now;
}

static void check_shared(context *x, size_t at, size_t n, bool write, bool atomic, uintptr_t pc) {
  size_t dynamic = ARENA - ((x->c->shared + 15) & ~(size_t)15);
  bool inside = at >= dynamic && at - dynamic + n <= x->c->shared;
  for (int i = 0; i < x->narrays && !inside; i++) {
    const array &a = x->arrays[i];
    inside = at >= a.offset && at + n <= a.offset + a.bytes;
  }
  if (!inside)
    bad(cudaErrorIllegalAddress, pc,
        write ? "write outside a shared array" : "read outside a shared array", NULL);
  for (size_t i = 0; i < n; i++) {
    if (write) x->arena_written[at + i] = 1;
    else if (!x->arena_written[at + i])
      bad(cudaErrorLaunchFailure, pc, "read of shared memory that nobody has written", NULL);
    touch(x->arena_shadow + at + i, x, write, atomic, pc, true);
  }
}

static void check_global(context *x, int d, size_t at, size_t n, bool write, bool atomic,
                         uintptr_t pc) {
  if (at % (n & -n)) bad(cudaErrorIllegalAddress, pc, "misaligned access", NULL);
  for (size_t i = 0; i < n; i++) {
    uint8_t *s = state[d] + at + i;
    if (*s == NEVER)
      bad(cudaErrorIllegalAddress, pc, write ? "write out of bounds" : "read out of bounds", NULL);
    if (*s == FREED) bad(cudaErrorIllegalAddress, pc, "access to a freed block", NULL);
    if (*s == ALLOCATED && (!write || atomic))
      bad(cudaErrorLaunchFailure, pc, "read of device memory that nobody has written", NULL);
    if (write) *s = WRITTEN;
    touch(touched[d] + at + i, x, write, atomic, pc, false);
  }
}

static void check(const void *p, size_t n, bool write, bool atomic, uintptr_t pc) {
  context *x = running_here();
  if (x == NULL || x->tid == NONE) return;
  uintptr_t a = (uintptr_t)p;
  if (a - (uintptr_t)x->current->stack < STACK) return;
  if (a - (uintptr_t)x->arena < ARENA) {
    if (count_file) count_access(x, p, n, NULL, write, pc);
    check_shared(x, a - (uintptr_t)x->arena, n, write, atomic, pc);
    return;
  }
  int d = device_of(p);
  if (d >= 0) {
    if (count_file) count_access(x, p, n, touched[d] + ((char *)p - heap_of(d)), write, pc);
    check_global(x, d, (size_t)((char *)p - heap_of(d)), n, write, atomic, pc);
    return;
  }
  if (a - (uintptr_t)x->c->args < x->c->args_size) return;
  if (a >= lib_lo && a < lib_hi) return;
  bad(cudaErrorIllegalAddress, pc, "access to host memory", NULL);
}

void atomic_access(const void *p, size_t n, const void *caller) {
  if (checked) check(p, n, true, true, (uintptr_t)caller);
}
} // namespace sim

/* ---- functions that the compiler calls ---- */

#define PC ((uintptr_t)__builtin_return_address(0))
#define HOOK(n)                                                                  \
  void __tsan_read##n(void *p) { sim::check(p, n, false, false, PC); }           \
  void __tsan_write##n(void *p) { sim::check(p, n, true, false, PC); }           \
  void __tsan_unaligned_read##n(void *p) { sim::check(p, n, false, false, PC); } \
  void __tsan_unaligned_write##n(void *p) { sim::check(p, n, true, false, PC); } \
  void __tsan_volatile_read##n(void *p) { sim::check(p, n, false, false, PC); }  \
  void __tsan_volatile_write##n(void *p) { sim::check(p, n, true, false, PC); }
extern "C" {
HOOK(1)
HOOK(2)
HOOK(4)
HOOK(8)
HOOK(16)
void __tsan_init(void) { sim::checked = true; }
void __tsan_func_entry(void *) {}
void __tsan_func_exit(void) {}
void __tsan_vptr_read(void *) {}
void __tsan_vptr_update(void *, void *) {}
void __tsan_read_range(void *p, size_t n) { sim::check(p, n, false, false, PC); }
void __tsan_write_range(void *p, size_t n) { sim::check(p, n, true, false, PC); }
uint8_t __tsan_atomic8_load(const volatile void *p, int) {
  return __atomic_load_n((const volatile uint8_t *)p, __ATOMIC_SEQ_CST);
}
}
