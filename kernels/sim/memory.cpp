/* memory.cpp: device memory. Each block ends at an inaccessible page and its address is not reused
   for a long time, so an index beyond the end and a freed block fault, and the fault's address tells
   which block it was. With PT_SIM_PROTECT=1, and in the checked build, all of it is also closed to the
   host except while a stream runs, so host code that touches device memory faults too; that costs two
   system calls for each live block and wait. */
#include "sim.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <deque>
#include <map>

namespace sim {
std::recursive_mutex sim_lock;
int ndev;
cudaError_t sticky, last_error;

static char *heap[MAX_DEVICE];
static size_t top[MAX_DEVICE];
static std::map<char *, block> blocks;
enum { QUARANTINE = 4096 };
static std::deque<block> freed[MAX_DEVICE];                        /* oldest first */
static std::map<size_t, std::vector<char *>> reusable[MAX_DEVICE]; /* by number of pages */
static size_t limit, live_bytes[MAX_DEVICE];
static bool opened, protect;
static char text[1024];
static struct sigaction old_segv, old_bus;

/* ---- errors ---- */

void report(cudaError_t e, const char *format, ...) {
  if (sticky) return;
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  sticky = last_error = e;
}
void clear_report(void) {
  sticky = last_error = cudaSuccess;
  text[0] = 0;
}
const char *report_text(void) { return text; }

/* ---- faults ---- */

char *heap_of(int dev) { return heap[dev]; }
int device_of(const void *p) {
  for (int d = 0; d < ndev; d++) {
    if ((char *)p >= heap[d] && (char *)p < heap[d] + HEAP) return d;
  }
  return -1;
}
bool is_device(const void *p) { return device_of(p) >= 0; }

/* "12 bytes into a freed block of 4000 bytes of sim:0" */
static void describe_address(const char *a, char *to, size_t size) {
  int d = device_of(a);
  auto it = blocks.upper_bound((char *)a);
  if (d < 0 || it == blocks.begin()) {
    snprintf(to, size, "%p, which is not device memory", (const void *)a);
    return;
  }
  const block &b = std::prev(it)->second;
  snprintf(to, size, "%ld bytes into a %s block of %zu bytes of sim:%d", (long)(a - b.p),
           b.live ? "live" : "freed", b.bytes, d);
}

static void on_fault(int signal, siginfo_t *info, void *more) {
  char who[200], where[200];
  context *x = running_here();
  if (x == NULL && !is_device(info->si_addr)) { /* not the simulator's */
    struct sigaction *old = signal == SIGSEGV ? &old_segv : &old_bus;
    if ((old->sa_flags & SA_SIGINFO) && old->sa_sigaction) old->sa_sigaction(signal, info, more);
    else sigaction(signal, old, NULL); /* the fault comes again */
    return;
  }
  describe_address((char *)info->si_addr, where, sizeof where);
  if (x) {
    describe_thread(who, sizeof who);
    report(cudaErrorIllegalAddress, "%s: illegal address, %s", who, where);
    stop_kernel();
  }
  fprintf(stderr, "sim: host code touched device memory, %s; copy it first\n", where);
  sigaction(signal, signal == SIGSEGV ? &old_segv : &old_bus, NULL);
}

/* ---- start ---- */

static long setting(const char *name, long otherwise) {
  const char *v = getenv(name);
  return v && *v ? atol(v) : otherwise;
}

void start(void) {
  static std::once_flag once;
  std::call_once(once, [] {
    ndev = (int)setting("PT_SIM_DEVICES", 2);
    ndev = ndev < 1 ? 1 : ndev > MAX_DEVICE ? (int)MAX_DEVICE : ndev;
    seed = (unsigned)setting("PT_SIM_SEED", 0);
    protect = setting("PT_SIM_PROTECT", checked) != 0;
    limit = (size_t)setting("PT_SIM_MEMORY_MB", 8192) << 20;
    for (int d = 0; d < ndev; d++) {
      heap[d] =
          (char *)mmap(0, HEAP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (heap[d] == MAP_FAILED) ndev = d;
      top[d] = PAGE;
    }
    if (checked) check_start();
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = on_fault;
    sa.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSEGV, &sa, &old_segv);
    sigaction(SIGBUS, &sa, &old_bus);
  });
}

void open_memory(bool on) {
  if (opened == on) return;
  opened = on;
  if (!protect) return;
  for (auto &entry : blocks) {
    const block &b = entry.second;
    if (b.live) mprotect(b.page, b.pages * PAGE, on ? PROT_READ | PROT_WRITE : PROT_NONE);
  }
}

const block *owner(const void *p, size_t bytes) {
  auto it = blocks.upper_bound((char *)p);
  if (it == blocks.begin()) return NULL;
  const block &b = std::prev(it)->second;
  return b.live && (char *)p + bytes <= b.p + b.bytes ? &b : NULL;
}

/* Addresses for `pages` and the inaccessible one after them: those freed longest ago, or new ones. */
static char *take_pages(int d, size_t pages) {
  std::vector<char *> &old = reusable[d][pages];
  if (!old.empty()) {
    char *page = old.back();
    old.pop_back();
    return page;
  }
  size_t bytes = (pages + 1) * PAGE;
  if (top[d] + bytes > HEAP) return NULL;
  char *page = heap[d] + top[d];
  top[d] += bytes;
  return page;
}

/* A freed block is remembered, and its addresses not reused, until QUARANTINE others have been freed. */
static void quarantine(const block &b) {
  std::deque<block> &queue = freed[b.dev];
  queue.push_back(b);
  if (queue.size() <= QUARANTINE) return;
  const block old = queue.front();
  queue.pop_front();
  blocks.erase(old.p);
  reusable[old.dev][old.pages].push_back(old.page);
}
} // namespace sim
using namespace sim;

cudaError_t cudaMalloc(void **out, size_t bytes) {
  start();
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  int d = current_device();
  size_t size = (bytes + 15) & ~(size_t)15, pages = (size + PAGE - 1) / PAGE;
  pages = pages ? pages : 1;
  if (bytes <= limit && live_bytes[d] + bytes > limit)
    drain_all(); /* blocks that wait to be freed */
  if (bytes > limit || live_bytes[d] + bytes > limit) return last_error = cudaErrorMemoryAllocation;
  char *page = take_pages(d, pages);
  if (page == NULL || mprotect(page, pages * PAGE, PROT_READ | PROT_WRITE) != 0)
    return last_error = cudaErrorMemoryAllocation;
  char *p = page + pages * PAGE - size; /* ends at the inaccessible page */
  memset(page, 0xff, pages * PAGE);     /* a NaN in every float type */
  if (protect && !opened) mprotect(page, pages * PAGE, PROT_NONE);
  blocks[p] = {p, page, bytes, pages, true, d};
  live_bytes[d] += bytes;
  mark(p, bytes, ALLOCATED);
  *out = p;
  return cudaSuccess;
}

cudaError_t sim::free_block(void *p) {
  auto it = blocks.find((char *)p);
  if (it == blocks.end() || !it->second.live) {
    report(cudaErrorInvalidValue, "free of %p: not a live block", p);
    return last_error;
  }
  block &b = it->second;
  b.live = false;
  live_bytes[b.dev] -= b.bytes;
  madvise(b.page, b.pages * PAGE, MADV_DONTNEED);
  mprotect(b.page, b.pages * PAGE, PROT_NONE);
  mark(b.p, b.bytes, FREED);
  quarantine(b);
  return sticky;
}

cudaError_t cudaMemGetInfo(size_t *free, size_t *total) {
  start();
  std::lock_guard<std::recursive_mutex> guard(sim_lock);
  drain_all();
  *total = limit;
  *free = limit - live_bytes[current_device()];
  return cudaSuccess;
}
