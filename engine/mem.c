/* mem.c: blocks by size class, kept for reuse. Fresh pages are the hidden cost of tensor programs (first touch is
   many times slower than warm memory), so a freed block stays: small ones with the thread that freed them, large
   ones in a shared store that grows no bigger than what has been live at once. Where that is full, blocks of the
   least recently used class go back to the system: sizes that a program no longer uses do not keep out those that it
   does.

   Classes: 64, 128, ... 1024 in steps of 64; above that four per power of two. Lists are linked through the blocks'
   own first bytes. */
#include "mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
  LINEAR = 16,                    /* classes of 64 bytes each, up to 1024 */
  NCLASS = LINEAR + 4 * 53,       /* up to 2^63 */
  THREAD_MAX = 64 * 1024,         /* blocks above this go to the shared store at once */
  THREAD_KEEP = 16 * 1024 * 1024, /* bytes a thread keeps */
  HUGE_PAGE = 2 * 1024 * 1024
};

typedef struct block {
  struct block *next;
  size_t size; /* of one that goes back to the system */
} block;

typedef struct cache {
  block *list[NCLASS];
  size_t kept;
  int64_t live[PTI_NLIVE];
  int64_t fail_at, faults;
  void (*collect)(void *ud);
  void *ud;
  bool collecting;
  struct cache *next;
} cache;

static _Thread_local cache caches; /* of this thread, reached through `mine` */
static PTI_THREAD cache *mine_or_null;

static struct {
  pthread_mutex_t lock;
  block *list[NCLASS];
  uint64_t touched[NCLASS], clock; /* when a block of the class last came or went */
  size_t kept;
  cache *threads;           /* of running threads */
  int64_t ended[PTI_NLIVE]; /* counters of threads that ended */
  pthread_key_t key;        /* its destructor flushes a thread's cache */
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static atomic_size_t held, peak, limit;

/* What tests ask for. */
enum { POISON = 1, COLLECT = 2, FRESH = 0xFF, FREED = 0xDB };
static atomic_int trials;
static inline bool tries(int what) {
  return atomic_load_explicit(&trials, memory_order_relaxed) & what;
}

/* The class of a size and the bytes its blocks have; 0 bytes on overflow. */
static int class_of(size_t bytes, size_t *size) {
  if (bytes <= 1024) {
    int c = bytes == 0 ? 0 : (int)((bytes - 1) / 64);
    *size = (size_t)(c + 1) * 64;
    return c;
  }
  if (bytes > (size_t)1 << 62) return *size = 0, NCLASS - 1;
  int top = 63 - __builtin_clzll(bytes - 1); /* 2^top < bytes <= 2^(top + 1) */
  size_t step = (size_t)1 << (top - 2), base = (size_t)1 << top;
  size_t quarter = (bytes - base + step - 1) / step; /* 1 .. 4 */
  *size = base + quarter * step;
  return LINEAR + 4 * (top - 10) + (int)quarter - 1;
}

static void leave(void *arg) {
  cache *c = arg;
  pti_mem_flush_thread();
  pthread_mutex_lock(&shared.lock);
  for (int i = 0; i < PTI_NLIVE; i++) shared.ended[i] += c->live[i];
  for (cache **p = &shared.threads; *p; p = &(*p)->next) {
    if (*p == c) {
      *p = c->next;
      break;
    }
  }
  pthread_mutex_unlock(&shared.lock);
  memset(c, 0, sizeof *c);
  mine_or_null = NULL;
}
static void make_key(void) { pthread_key_create(&shared.key, leave); }

static cache *enter(void) {
  pthread_once(&once, make_key);
  pthread_setspecific(shared.key, &caches);
  pthread_mutex_lock(&shared.lock);
  caches.next = shared.threads;
  shared.threads = &caches;
  pthread_mutex_unlock(&shared.lock);
  return mine_or_null = &caches;
}
static inline cache *mine(void) { return mine_or_null ? mine_or_null : enter(); }

void pti_count(int what, int64_t delta) {
  cache *c = mine();
  /* Written by this thread only; others read it, so the store must not tear. */
  __atomic_store_n(&c->live[what], c->live[what] + delta, __ATOMIC_RELAXED);
}

int64_t pti_live_here(int what) { return mine()->live[what]; }

static int64_t live_total(int what) {
  pthread_mutex_lock(&shared.lock);
  int64_t n = shared.ended[what];
  for (cache *c = shared.threads; c; c = c->next)
    n += __atomic_load_n(&c->live[what], __ATOMIC_RELAXED);
  pthread_mutex_unlock(&shared.lock);
  return n;
}

void pt_get_memory_stats(pt_memory_stats *out) {
  out->live_bytes = live_total(PTI_LIVE_BYTES);
  out->tensors = live_total(PTI_LIVE_TENSORS);
  out->nodes = live_total(PTI_LIVE_NODES);
  out->held_bytes = (int64_t)atomic_load(&held);
  out->peak_bytes = (int64_t)atomic_load(&peak);
}
void pt_set_memory_limit(size_t bytes) { atomic_store(&limit, bytes); }
void pti_fail_at(int64_t n, int64_t count) {
  cache *m = mine();
  m->fail_at = n;
  m->faults = count;
}
void pti_try_memory(bool poison, bool collect) {
  atomic_store(&trials, (poison ? POISON : 0) | (collect ? COLLECT : 0));
}
void pti_set_pressure(void (*collect)(void *ud), void *ud) {
  mine()->collect = collect;
  mine()->ud = ud;
}

/* ---- accounts ---- */

bool pti_book(size_t bytes, pti_account **on) {
  pti_account *a = *on = pti_this.account;
  if (a == NULL || pti_account_take(a, bytes)) return true;
  if (pti_mem_collect() && pti_account_take(a, bytes)) return true;
  return pti_account_refuse(a, bytes);
}

/* What the kernels need for a moment is not booked, but a block this large has to fit. */
enum { MEASURED = 1 << 20 };
static bool has_room(size_t bytes) {
  pti_account *a = pti_this.account;
  if (a == NULL || bytes < MEASURED || pti_account_fits(a, bytes)) return true;
  return (pti_mem_collect() && pti_account_fits(a, bytes)) || pti_account_refuse(a, bytes);
}

/* ---- the system ---- */

static void *from_system(size_t size) {
  size_t now = atomic_fetch_add(&held, size) + size, cap = atomic_load(&limit);
  void *p = NULL;
  if (cap == 0 || now <= cap) {
    size_t align = size >= HUGE_PAGE ? HUGE_PAGE : 64;
    if (posix_memalign(&p, align, size) != 0) p = NULL;
  }
  if (p == NULL) {
    atomic_fetch_sub(&held, size);
    return NULL;
  }
#ifdef MADV_HUGEPAGE
  if (size >= 2 * HUGE_PAGE) madvise(p, size, MADV_HUGEPAGE);
#endif
  for (size_t top = atomic_load(&peak);
       now > top && !atomic_compare_exchange_weak(&peak, &top, now);) {}
  return p;
}

static void to_system(void *p, size_t size) {
  free(p);
  atomic_fetch_sub(&held, size);
}

static size_t class_size(int c) {
  if (c < LINEAR) return (size_t)(c + 1) * 64;
  int top = 10 + (c - LINEAR) / 4, quarter = (c - LINEAR) % 4 + 1;
  return ((size_t)1 << top) + (size_t)quarter * ((size_t)1 << (top - 2));
}

void pti_mem_trim(void) {
  pti_mem_flush_thread();
  pthread_mutex_lock(&shared.lock);
  for (int c = 0; c < NCLASS; c++) {
    while (shared.list[c]) {
      block *b = shared.list[c];
      shared.list[c] = b->next;
      to_system(b, class_size(c));
    }
  }
  shared.kept = 0;
  pthread_mutex_unlock(&shared.lock);
}

void pti_mem_flush_thread(void) {
  cache *m = mine_or_null;
  if (m == NULL) return;
  pthread_mutex_lock(&shared.lock);
  for (int c = 0; c < NCLASS; c++) {
    while (m->list[c]) {
      block *b = m->list[c];
      m->list[c] = b->next;
      b->next = shared.list[c];
      shared.list[c] = b;
      shared.kept += class_size(c);
    }
  }
  m->kept = 0;
  pthread_mutex_unlock(&shared.lock);
}

/* ---- blocks ---- */

static void *from_shared(int c, size_t size) {
  pthread_mutex_lock(&shared.lock);
  block *b = shared.list[c];
  if (b) {
    shared.list[c] = b->next;
    shared.kept -= size;
    shared.touched[c] = ++shared.clock;
  }
  pthread_mutex_unlock(&shared.lock);
  return b;
}

/* The least recently used class other than c; -1 if no other one has blocks. */
static int stalest(int c) {
  int found = -1;
  for (int i = 0; i < NCLASS; i++) {
    if (i == c || shared.list[i] == NULL) continue;
    if (found < 0 || shared.touched[i] < shared.touched[found]) found = i;
  }
  return found;
}

/* Keeps a block and returns those that make room for it, or the block itself if there is no room at all. */
static block *keep_shared(int c, size_t size, block *b) {
  size_t most = atomic_load(&held) / 2 + 64 * 1024 * 1024;
  block *leaving = NULL;
  for (int old; shared.kept + size > most && (old = stalest(c)) >= 0;) {
    block *gone = shared.list[old];
    shared.list[old] = gone->next;
    shared.kept -= gone->size = class_size(old);
    gone->next = leaving;
    leaving = gone;
  }
  shared.touched[c] = ++shared.clock;
  bool keep = shared.kept + size <= most;
  if (keep) shared.kept += size;
  b->size = size;
  b->next = keep ? shared.list[c] : leaving;
  if (!keep) return b;
  shared.list[c] = b;
  return leaving;
}

bool pti_mem_collect(void) {
  cache *m = mine();
  if (m->collect == NULL || m->collecting) return false;
  m->collecting = true;
  m->collect(m->ud);
  m->collecting = false;
  return true;
}

/* Nothing kept fits: ask the system, then give kept blocks back, then have the binding collect
   garbage. */
static void *from_anywhere(int c, size_t size) {
  void *p = from_shared(c, size);
  if (p == NULL) p = from_system(size);
  if (p) return p;
  pti_mem_trim();
  p = from_system(size);
  if (p == NULL && pti_mem_collect()) {
    pti_mem_trim();
    p = from_system(size);
  }
  return p;
}

void *pti_alloc(size_t bytes) { return has_room(bytes) ? pti_alloc_booked(bytes) : NULL; }

void *pti_alloc_booked(size_t bytes) {
  size_t size;
  int c = class_of(bytes, &size);
  void *p = NULL;
  cache *m = mine();
  if (tries(COLLECT)) pti_mem_collect();
  if (m->fail_at > 0 && --m->fail_at == 0) {
    m->fail_at = --m->faults > 0;
    size = 0;
  }
  if (size) {
    block *b = m->list[c];
    if (b) {
      m->list[c] = b->next;
      m->kept -= size;
      p = b;
    } else {
      p = from_anywhere(c, size);
    }
  }
  if (p == NULL)
    return pti_fail(PT_EMEMORY, "out of memory: %zu bytes could not be allocated", bytes);
  if (tries(POISON)) memset(p, FRESH, size);
  return p;
}

void pti_free(void *p, size_t bytes) {
  if (p == NULL) return;
  size_t size;
  int c = class_of(bytes, &size);
  block *b = p;
  if (tries(POISON)) memset(p, FREED, size);
  if (size <= THREAD_MAX) {
    cache *m = mine();
    if (m->kept + size > THREAD_KEEP) pti_mem_flush_thread();
    b->next = m->list[c];
    m->list[c] = b;
    m->kept += size;
    return;
  }
  pthread_mutex_lock(&shared.lock);
  block *leaving = keep_shared(c, size, b);
  pthread_mutex_unlock(&shared.lock);
  while (leaving) {
    block *gone = leaving;
    leaving = gone->next;
    to_system(gone, gone->size);
  }
}
