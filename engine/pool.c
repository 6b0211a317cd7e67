/* pool.c: the engine's own threads, and the one budget of threads that loops and Lua workers share.

   A loop is published in a slot; helpers that are awake may join it, and take pieces until none are
   left. The caller works too, waits only for helpers that did join, and so never for one that the
   system has not scheduled. Helpers spin briefly for the next loop and then sleep.

   Pieces lie in shares, one for each thread that may come: a thread takes those of its own share, the
   same one in every loop, and then what is left of the others. So the second loop over a tensor finds
   each part in the cache of the core that the first one left it in.

   The budget: `busy` counts callers inside a loop, workers and joined helpers. A helper joins only
   while busy is below the limit, and leaves after its piece when workers have come since. Nothing
   here allocates. */
#include "pool.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"

enum { MAX_THREADS = 256, MAX_SHARES = 64, SLOTS = 16 };
static const double spin_seconds = 50e-6;

/* State of a slot: OPEN while helpers may join, AWAITED when the caller sleeps until they left, and
   their count. The plain fields are written before OPEN is set and read by those who joined. */
enum { OPEN = 1 << 30, AWAITED = 1 << 29, JOINED = AWAITED - 1 };

typedef struct share {
  _Alignas(64) _Atomic int64_t next; /* piece */
} share;

typedef struct slot {
  _Alignas(64) atomic_int state;
  share shares[MAX_SHARES];
  int64_t n, grain, pieces;
  int nshare; /* as many pieces in each, one more in the first of them */
  atomic_int
      most; /* threads that may work at it, the caller among them; read before one has joined */
  pti_range *fn;
  void *ctx;
} slot;

static slot slots[SLOTS];
static atomic_uint taken; /* bit i: slots[i] has a caller */

static atomic_int limit;         /* threads that may be busy; 0 until first asked */
static atomic_bool limit_chosen; /* by PT_NUM_THREADS or pt_set_num_threads */
static atomic_int busy;
static atomic_uint news;         /* grows when there may be something to join */
static atomic_int asleep, asked; /* helpers that sleep; helpers that were created, or tried to be */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows, and sleeping */
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER, left = PTHREAD_COND_INITIALIZER;
static int nhelper;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static PTI_THREAD struct {
  bool inside; /* a loop: further ones run inline */
  int worker;  /* depth of pti_worker_enter */
  int number;  /* of a helper, from 1; 0 for all others */
} here;

/* ---- the budget ---- */

static int first_limit(void) {
  int n = pti_cores();
  const char *text = getenv("PT_NUM_THREADS");
  if (text && *text) {
    char *end;
    long v = strtol(text, &end, 10);
    if (*end == 0 && v >= 1 && v <= MAX_THREADS) {
      n = (int)v;
      atomic_store(&limit_chosen, true);
    }
  }
  if (n > MAX_THREADS) n = MAX_THREADS;
  int unset = 0; /* pt_set_num_threads may have come first */
  return atomic_compare_exchange_strong(&limit, &unset, n) ? n : unset;
}
int pt_get_num_threads(void) {
  int n = atomic_load_explicit(&limit, memory_order_relaxed);
  return n ? n : first_limit();
}
void pti_share_threads(int n) {
  pt_get_num_threads(); /* reads the environment */
  if (!atomic_load(&limit_chosen)) atomic_store(&limit, n);
}
void pt_set_num_threads(int n) {
  atomic_store(&limit_chosen, true);
  atomic_store(&limit, n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n);
}

static bool take_core(void) {
  int now = atomic_load(&busy);
  while (now < pt_get_num_threads()) {
    if (atomic_compare_exchange_weak(&busy, &now, now + 1)) return true;
  }
  return false;
}

bool pti_core_free(void) { return atomic_load(&busy) < pt_get_num_threads(); }

/* Lets up to n helpers look for a loop to join. */
static void tell(int n) {
  atomic_fetch_add(&news, 1);
  if (n <= 0 || atomic_load(&asleep) == 0) return;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < n && i < atomic_load(&asleep); i++) pthread_cond_signal(&wake);
  pthread_mutex_unlock(&lock);
}

/* A core came free: a helper that was turned away may join a loop that still runs. */
static void give_core(void) {
  atomic_fetch_sub(&busy, 1);
  if (atomic_load(&taken) != 0) tell(1);
}

void pti_worker_enter(void) {
  if (here.worker++ == 0) atomic_fetch_add(&busy, 1);
}
void pti_worker_leave(void) {
  if (--here.worker == 0) give_core();
}

/* ---- pieces ---- */

static bool interrupted(void) {
  if (pti_this.interrupt && atomic_load_explicit(pti_this.interrupt, memory_order_relaxed) != 0)
    return true;
  return pti_this.deadline != 0 && pt_clock() >= pti_this.deadline;
}

static inline void run_piece(pti_range *fn, void *ctx, int64_t n, int64_t grain, int64_t piece) {
  int64_t lo = piece * grain;
  fn(ctx, lo, n - lo > grain ? lo + grain : n);
}

static void run_alone(int64_t n, int64_t grain, int64_t pieces, pti_range *fn, void *ctx) {
  for (int64_t p = 0; p < pieces && !interrupted(); p++) run_piece(fn, ctx, n, grain, p);
}

static int64_t first_piece(const slot *s, int share) {
  return s->pieces / s->nshare * share + pti_min64(share, s->pieces % s->nshare);
}

/* The next piece of this thread's share, or else of the share *share, which becomes the next one that has some; -1 where
   none are left. */
static int64_t take_piece(slot *s, int *share) {
  for (int tried = 0; tried < s->nshare; tried++) {
    int64_t end = first_piece(s, *share + 1);
    _Atomic int64_t *next = &s->shares[*share].next;
    if (atomic_load_explicit(next, memory_order_relaxed) < end) {
      int64_t p = atomic_fetch_add(next, 1);
      if (p < end) return p;
    }
    *share = *share + 1 < s->nshare ? *share + 1 : 0;
  }
  return -1;
}

static void open_shares(slot *s, int threads) {
  s->nshare = (int)pti_min64(s->pieces, threads < MAX_SHARES ? threads : MAX_SHARES);
  for (int i = 0; i < s->nshare; i++) atomic_store(&s->shares[i].next, first_piece(s, i));
}

static void close_shares(slot *s) {
  for (int i = 0; i < s->nshare; i++) atomic_store(&s->shares[i].next, s->pieces);
}

static void run_as_caller(slot *s) {
  int share = 0;
  for (int64_t p; (p = take_piece(s, &share)) >= 0;) {
    run_piece(s->fn, s->ctx, s->n, s->grain, p);
    if (interrupted()) close_shares(s);
  }
}

/* Whether it found a piece to run. */
static bool run_as_helper(slot *s) {
  int share = here.number % s->nshare;
  bool any = false;
  for (int64_t p; atomic_load(&busy) <= pt_get_num_threads() && (p = take_piece(s, &share)) >= 0;) {
    run_piece(s->fn, s->ctx, s->n, s->grain, p);
    any = true;
  }
  return any;
}

/* ---- helpers ---- */

static bool join(slot *s) {
  int state = atomic_load(&s->state);
  while ((state & OPEN) && (state & JOINED) < atomic_load(&s->most) - 1) {
    if (atomic_compare_exchange_weak(&s->state, &state, state + 1)) return true;
  }
  return false;
}

static void leave(slot *s) {
  int state = atomic_fetch_sub(&s->state, 1);
  if ((state & JOINED) == 1 && (state & AWAITED)) {
    pthread_mutex_lock(&lock);
    pthread_cond_broadcast(&left);
    pthread_mutex_unlock(&lock);
  }
}

static bool help(void) {
  bool any = false;
  unsigned open = atomic_load(&taken);
  for (; open; open &= open - 1) {
    slot *s = &slots[__builtin_ctz(open)];
    if (!(atomic_load(&s->state) & OPEN)) continue;
    if (!take_core()) break;
    if (join(s)) {
      any |= run_as_helper(s);
      leave(s);
    }
    atomic_fetch_sub(&busy, 1);
  }
  return any;
}

static void await_news(unsigned seen) {
  double until = pt_clock() + spin_seconds;
  while (atomic_load(&news) == seen && atomic_load(&busy) < pt_get_num_threads() &&
         pt_clock() < until) {
    for (int i = 0; i < 32; i++) pti_relax();
  }
  if (atomic_load(&news) != seen) return;
  pthread_mutex_lock(&lock);
  atomic_fetch_add(&asleep, 1);
  while (atomic_load(&news) == seen) pthread_cond_wait(&wake, &lock);
  atomic_fetch_sub(&asleep, 1);
  pthread_mutex_unlock(&lock);
}

/* Never ends: the library is linked so that it stays in the process. */
_Noreturn static void *helper(void *number) {
  here.inside = true;
  here.number = (int)(intptr_t)number;
  for (;;) {
    unsigned seen = atomic_load(&news);
    if (!help()) await_news(seen);
  }
}

/* The child of a fork has this thread only: nothing is published, nobody sleeps, helpers are made
   anew. */
static void after_fork(void) {
  pthread_mutex_init(&lock, NULL);
  pthread_cond_init(&wake, NULL);
  pthread_cond_init(&left, NULL);
  for (int i = 0; i < SLOTS; i++) atomic_store(&slots[i].state, 0);
  atomic_store(&taken, 0);
  atomic_store(&busy, here.worker > 0);
  atomic_store(&asleep, 0);
  atomic_store(&asked, 0);
  nhelper = 0;
  here.inside = false;
}
static void watch_forks(void) { pthread_atfork(NULL, NULL, after_fork); }

/* Where the system refuses a thread, loops run with fewer. Signals are for threads of the host: helpers block them
   all. */
static void make_helpers(int wanted) {
  pthread_once(&once, watch_forks);
  sigset_t all, old;
  sigfillset(&all);
  pthread_mutex_lock(&lock);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  for (pthread_t t; nhelper < wanted; nhelper++) {
    if (pthread_create(&t, NULL, helper, (void *)(intptr_t)(nhelper + 1)) != 0) break;
    pthread_detach(t);
  }
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  atomic_store(&asked, wanted);
  pthread_mutex_unlock(&lock);
}

/* ---- loops ---- */

static slot *take_slot(void) {
  unsigned now = atomic_load(&taken), bit;
  do {
    unsigned open = ~now & ((1u << SLOTS) - 1);
    if (open == 0) return NULL;
    bit = open & -open;
  } while (!atomic_compare_exchange_weak(&taken, &now, now | bit));
  return &slots[__builtin_ctz(bit)];
}

static void await_helpers(slot *s) {
  double until = pt_clock() + spin_seconds;
  while ((atomic_load(&s->state) & JOINED) && pt_clock() < until) {
    for (int i = 0; i < 32; i++) pti_relax();
  }
  if ((atomic_load(&s->state) & JOINED) == 0) return;
  pthread_mutex_lock(&lock);
  atomic_fetch_or(&s->state, AWAITED);
  while (atomic_load(&s->state) & JOINED) pthread_cond_wait(&left, &lock);
  pthread_mutex_unlock(&lock);
}

static void run_shared(slot *s, int threads) {
  bool counted = here.worker > 0;
  int now = counted ? atomic_load(&busy) : atomic_fetch_add(&busy, 1) + 1;
  open_shares(s, threads);
  atomic_store(&s->state, OPEN);
  int idle = threads - now;
  tell((int)pti_min64(idle, s->pieces - 1));
  here.inside = true;
  run_as_caller(s);
  here.inside = false;
  if (atomic_fetch_and(&s->state, ~OPEN) & JOINED) await_helpers(s);
  atomic_fetch_and(&taken, ~(1u << (s - slots)));
  if (!counted) give_core();
}

static atomic_int wanted_pieces;
void pti_try_pieces(int count) { atomic_store(&wanted_pieces, count); }
/* Random numbers are drawn in fours: their pieces stay multiples of that. */
static int64_t smaller_grain(int64_t n, int64_t grain, int count) {
  int64_t small = pti_min64(grain, n / count + 1);
  return grain % 4 ? small : (small + 3) / 4 * 4;
}

void pti_parallel_for(int64_t n, int64_t grain, pti_range *fn, void *ctx) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  int cut = atomic_load_explicit(&wanted_pieces, memory_order_relaxed);
  if (cut > 0) grain = smaller_grain(n, grain, cut);
  if (n <= grain) {
    fn(ctx, 0, n);
    return;
  }
  int64_t pieces = n / grain + (n % grain != 0);
  int threads = pt_get_num_threads(), own = pti_this.threads;
  if (own && own < threads) threads = own;
  slot *s;
  if (here.inside || threads == 1 || (s = take_slot()) == NULL) {
    run_alone(n, grain, pieces, fn, ctx);
    return;
  }
  if (atomic_load(&asked) < threads - 1) make_helpers(threads - 1);
  s->n = n;
  s->grain = grain;
  s->pieces = pieces;
  atomic_store(&s->most, threads);
  s->fn = fn;
  s->ctx = ctx;
  run_shared(s, threads);
}
