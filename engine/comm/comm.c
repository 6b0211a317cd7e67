/* comm.c: a rank's end of a job: its queue of works, the thread that runs them, groups, and what the ranks of one
   host share.

      `drive` is held by whoever talks to the transport: the thread of the comm, or a caller who waits. Collectives are
   taken from the queue by its holder, one after the other; messages (isend, irecv) are started at once and moved on by
   everybody who holds it. A comm whose collective failed is broken: nobody knows what the others have seen. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comm/comm.h"
#include "cpu.h"
#include "mem.h"
#include "plugin.h"
#include "pool.h"

struct pti_comm {
  const pti_transport *t;
  void *end;
  int rank, size;
  int local_rank, local_size, threads;
  _Atomic double timeout;
  pthread_t thread;
  pthread_mutex_t drive, lock; /* lock guards what follows; drive is taken first */
  pthread_cond_t work, over;
  pti_work *first, **last; /* collectives to be done */
  pti_work *posted;        /* messages to be started */
  pti_work *moving;        /* messages under way; drive's */
  _Atomic int nmoving;
  pti_group **group;
  int ngroup;
  pti_comm_devices devices;
  _Atomic int foreground; /* callers who wait */
  atomic_bool ending, broken;
  char why[480];
};

const pti_transport_host pti_comm_host = {.abi = PTI_TRANSPORT_ABI, .fail = pti_fail};

int pti_comm_rank(const pti_comm *c) { return c->rank; }
int pti_comm_size(const pti_comm *c) { return c->size; }
const pti_transport *pti_comm_transport(const pti_comm *c, void **end) {
  *end = c->end;
  return c->t;
}

/* ---- works ---- */

pti_work *pti_work_new(const char *name, const pti_group *group) {
  size_t n = (size_t)group->n;
  pti_work *w = calloc(1, sizeof *w + 2 * n * (sizeof(void *) + sizeof(size_t)));
  if (w == NULL) return pti_fail(PT_EMEMORY, "%s: out of memory", name);
  snprintf(w->name, sizeof w->name, "%s", name);
  w->group = group;
  w->in = (void **)(w + 1);
  w->to = w->in + n;
  w->nin = (size_t *)(w->to + n);
  w->nto = w->nin + n;
  return w;
}
void pti_work_free(pti_work *w) { free(w); }

void pti_comm_end(pti_comm *c, pti_work *w, bool ok) {
  if (!ok) {
    w->code = pt_error_code();
    snprintf(w->error, sizeof w->error, "%s: %s", w->name, pt_error());
  }
  pthread_mutex_lock(&c->lock);
  if (!ok && w->kind <= PTI_WORK_BROADCAST && !atomic_load(&c->broken)) {
    snprintf(c->why, sizeof c->why, "%s", w->error);
    atomic_store(&c->broken, true);
  }
  w->ended = pt_clock();
  atomic_store(&w->state, ok ? PTI_DONE : PTI_FAILED);
  pthread_cond_broadcast(&c->over);
  pthread_mutex_unlock(&c->lock);
}

static bool check_whole(const pti_comm *c) {
  if (!atomic_load(&c->broken)) return true;
  return pti_refuse(PT_EDEVICE,
                    "the process group cannot be used any more; it failed before with: %s", c->why);
}

/* ---- messages ---- */

static bool start_message(pti_comm *c, pti_work *w) {
  int rank = w->peer < 0 ? -1 : w->group->rank[w->peer];
  int tag =
      (w->group->id * 8 + 5) | w->tag << 13; /* apart from those of collectives (collective.c) */
  w->request = w->kind == PTI_WORK_SEND ? c->t->send(c->end, w->in[0], w->nin[0], rank, tag)
                                        : c->t->recv(c->end, w->in[0], w->nin[0], rank, tag);
  return w->request != NULL;
}

bool pti_comm_late(const pti_comm *c, const pti_work *w) {
  double timeout = atomic_load(&c->timeout);
  if (pt_clock() - w->started < timeout) return false;
  pti_fail(PT_ETIME, "timed out after %g s", timeout);
  return true;
}

static int place_of(const pti_group *g, int rank) {
  for (int i = 0; i < g->n; i++) {
    if (g->rank[i] == rank) return i;
  }
  return -1;
}

/* 1: over, 0: not yet, -1: failed. */
static int test_message(pti_comm *c, pti_work *w) {
  pti_arrival a = {0};
  int state = c->t->test(c->end, w->request, &a);
  if (state == 0) return pti_comm_late(c, w) ? -1 : 0;
  if (state < 0) return -1;
  w->request = NULL;
  if (w->kind == PTI_WORK_SEND) return 1;
  w->peer = place_of(w->group, a.from);
  if (a.bytes == w->nin[0]) return 1;
  pti_fail(PT_ESHAPE,
           "rank %d sent %zu bytes where %zu were expected: its tensor has another shape or dtype",
           a.from, a.bytes, w->nin[0]);
  return -1;
}

/* Starts what is posted and checks what is under way. Returns whether anything happened. */
static bool move_messages(pti_comm *c) {
  pthread_mutex_lock(&c->lock);
  pti_work *fresh = c->posted;
  c->posted = NULL;
  pthread_mutex_unlock(&c->lock);
  bool any = fresh != NULL;
  pti_work **at = &c->moving;
  while (*at) at = &(*at)->next;
  while (fresh) {
    pti_work *w = fresh;
    fresh = w->next;
    w->next = NULL;
    if (start_message(c, w)) {
      *at = w;
      at = &w->next;
      atomic_fetch_add(&c->nmoving, 1);
    } else {
      pti_comm_end(c, w, false);
    }
  }
  for (at = &c->moving; *at;) {
    pti_work *w = *at;
    int state = test_message(c, w);
    if (state == 0) {
      at = &w->next;
      continue;
    }
    any = true;
    if (w->request) c->t->cancel(c->end, w->request);
    w->request = NULL;
    *at = w->next;
    atomic_fetch_sub(&c->nmoving, 1);
    pti_comm_end(c, w, state > 0);
  }
  return any;
}

/* ---- waiting ---- */

enum { LOOKS = 200, SPIN = 2000 }; /* asks without a pause; asks that let others run between them */

static void nap(double seconds) {
  struct timespec t = {.tv_nsec = (long)(seconds * 1e9)};
  nanosleep(&t, NULL);
}

/* While a caller waits, others may have the core for a moment; while the rank computes, this thread sleeps, as the
   computation needs the core. */
static void rest(pti_comm *c, int waited) {
  if (waited < LOOKS && pti_core_free()) pti_relax();
  else if (c->t->rest) c->t->rest(c->end, 1e-3);
  else if (waited < SPIN && atomic_load(&c->foreground)) sched_yield();
  else nap(50e-6);
}

bool pti_comm_idle(pti_comm *c, const pti_work *w, int waited) {
  if (move_messages(c)) return true;
  if (waited % 16 == 15) {
    if (atomic_load(&c->ending))
      return pti_refuse(PT_EINTERRUPT, "the process group was destroyed");
    if (!pti_poll() || pti_comm_late(c, w)) return false;
  }
  rest(c, waited);
  return true;
}

static pti_work *take(pti_comm *c) {
  pthread_mutex_lock(&c->lock);
  pti_work *w = c->first;
  if (w && !(c->first = w->next)) c->last = &c->first;
  pthread_mutex_unlock(&c->lock);
  return w;
}

/* One turn of the holder of `drive`: a collective, or progress of the messages. Returns whether anything happened. */
static bool turn(pti_comm *c) {
  pti_work *w = take(c);
  if (w == NULL) return move_messages(c);
  atomic_store(&w->state, PTI_RUNNING);
  w->started = pt_clock();
  pti_comm_end(c, w, check_whole(c) && pti_collective_run(c, w));
  return true;
}

/* lock is held. */
static bool anything(pti_comm *c) { return c->first || c->posted || atomic_load(&c->nmoving) > 0; }

static void *serve(void *arg) {
  pti_comm *c = arg;
  for (int idle = 0;;) {
    pthread_mutex_lock(&c->lock);
    /* a caller who waits runs it all itself */
    while (!atomic_load(&c->ending) && (atomic_load(&c->foreground) || !anything(c)))
      pthread_cond_wait(&c->work, &c->lock);
    pthread_mutex_unlock(&c->lock);
    if (atomic_load(&c->ending)) return NULL;
    pthread_mutex_lock(&c->drive);
    bool any = turn(c);
    pthread_mutex_unlock(&c->drive);
    idle = any ? 0 : idle + 1;
    if (idle) rest(c, idle);
  }
}

static int outcome(const pti_work *w) {
  if (atomic_load(&w->state) == PTI_DONE) return 1;
  pti_fail(w->code ? w->code : PT_EDEVICE, "%s", w->error);
  return -1;
}

bool pti_work_start(pti_comm *c, pti_work *w) {
  if (!check_whole(c)) {
    pti_error_prefix(w->name);
    return false;
  }
  w->started = pt_clock();
  if (w->device) {
    if (pti_device_start(c, w)) return true;
    return outcome(w) > 0;
  }
  pthread_mutex_lock(&c->lock);
  if (w->kind >= PTI_WORK_SEND) {
    pti_work **at = &c->posted;
    while (*at) at = &(*at)->next;
    *at = w;
  } else {
    *c->last = w;
    c->last = &w->next;
  }
  pthread_cond_signal(&c->work);
  pthread_mutex_unlock(&c->lock);
  return true;
}

/* Until the work is over, or `until`; the caller drives where nobody else does. */
static int wait_for(pti_comm *c, pti_work *w, double until) {
  for (int waited = 0; !pti_work_over(w); waited++) {
    if (waited && pt_clock() >= until) return 0;
    if (pthread_mutex_trylock(&c->drive) == 0) {
      bool any = pti_work_over(w) || turn(c);
      pthread_mutex_unlock(&c->drive);
      if (!any) rest(c, waited);
    } else { /* the thread is within a collective */
      struct timespec t;
      clock_gettime(CLOCK_REALTIME, &t);
      t.tv_nsec += 1000000;
      if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
      pthread_mutex_lock(&c->lock);
      if (!pti_work_over(w)) pthread_cond_timedwait(&c->over, &c->lock, &t);
      pthread_mutex_unlock(&c->lock);
    }
    if (waited % 16 == 15 && !pti_poll()) return -1;
  }
  return outcome(w);
}

int pti_work_wait(pti_comm *c, pti_work *w, double seconds) {
  if (pti_work_over(w)) return outcome(w);
  if (w->device) {
    int state = pti_device_wait(c, w, seconds);
    return state > 0 ? outcome(w) : state;
  }
  if (seconds <= 0 &&
      pthread_mutex_trylock(&c->drive) == 0) { /* only a look, which moves messages on */
    move_messages(c);
    pthread_mutex_unlock(&c->drive);
    return pti_work_over(w) ? outcome(w) : 0;
  }
  if (seconds <= 0) return 0;
  atomic_fetch_add(&c->foreground, 1);
  int state = wait_for(c, w, pt_clock() + seconds);
  pthread_mutex_lock(&c->lock);
  atomic_fetch_sub(&c->foreground, 1);
  if (anything(c)) pthread_cond_signal(&c->work);
  pthread_mutex_unlock(&c->lock);
  return state;
}

/* ---- groups ---- */

const pti_group *pti_comm_group(pti_comm *c, const int *rank, int n) {
  pti_group **list = realloc(c->group, ((size_t)c->ngroup + 1) * sizeof *list);
  if (list == NULL) return pti_fail(PT_EMEMORY, "new_group: out of memory");
  c->group = list;
  if (c->ngroup >= PTI_MAX_GROUP)
    return pti_fail(PT_EARG, "new_group: there are %d groups already", c->ngroup);
  pti_group *g = malloc(sizeof *g + (size_t)n * sizeof *g->rank);
  if (g == NULL) return pti_fail(PT_EMEMORY, "new_group: out of memory");
  *g = (pti_group){.id = c->ngroup, .n = n, .me = -1};
  for (int i = 0; i < n; i++) {
    g->rank[i] = rank[i];
    if (rank[i] == c->rank) g->me = i;
  }
  list[c->ngroup++] = g;
  return c->devices.t == NULL || g->me < 0 || pti_device_join(c, g) ? g : NULL;
}

pti_comm_devices *pti_comm_devices_of(pti_comm *c) { return &c->devices; }
int pti_comm_device(const pti_comm *c) { return c->devices.device; }
bool pti_comm_device_can(const pti_comm *c, pt_dtype dtype, pti_comm_op op) {
  return c->devices.t && c->devices.t->can(dtype, op);
}

/* ---- the ranks of one host ---- */

/* Which machine this is, and which of its cores this rank may use. */
typedef struct place {
  char boot[40]; /* the kernel's boot id: the same for all containers of a machine */
  cpu_set_t cores;
} place;

static void look_around(place *p) {
  memset(p, 0, sizeof *p);
  FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
  if (f) {
    if (!fgets(p->boot, sizeof p->boot, f)) p->boot[0] = 0;
    fclose(f);
  }
  if (sched_getaffinity(0, sizeof p->cores, &p->cores) != 0) CPU_ZERO(&p->cores);
}

/* A core that k ranks may use is a k-th of a core for each. */
static void share_host(pti_comm *c, const place *all) {
  const place *mine = &all[c->rank];
  double cores = 0;
  c->local_rank = c->local_size = 0;
  for (int r = 0; r < c->size; r++) {
    if (memcmp(all[r].boot, mine->boot, sizeof mine->boot) != 0) continue;
    if (r < c->rank) c->local_rank++;
    c->local_size++;
  }
  for (int core = 0; core < CPU_SETSIZE; core++) {
    int users = 0;
    if (!CPU_ISSET(core, &mine->cores)) continue;
    for (int r = 0; r < c->size; r++)
      users +=
          memcmp(all[r].boot, mine->boot, sizeof mine->boot) == 0 && CPU_ISSET(core, &all[r].cores);
    cores += 1.0 / users;
  }
  /* a cgroup may allow less than the affinity; it, too, is one budget for all */
  double most = (double)pti_cores() / c->local_size, own = (double)CPU_COUNT(&mine->cores);
  if (pti_cores() < own && cores > most) cores = most;
  c->threads = cores + 1e-6 < 1 ? 1 : (int)(cores + 1e-6);
}

static bool meet(pti_comm *c) {
  int *all = malloc((size_t)c->size * sizeof *all);
  place *places = calloc((size_t)c->size, sizeof *places);
  bool ok = all && places;
  if (!ok) pti_fail(PT_EMEMORY, "out of memory");
  for (int r = 0; ok && r < c->size; r++) all[r] = r;
  const pti_group *world = ok ? pti_comm_group(c, all, c->size) : NULL;
  pti_work *w = world ? pti_work_new("init_process_group", world) : NULL;
  if (w) {
    look_around(&places[c->rank]);
    w->kind = PTI_WORK_EXCHANGE;
    for (int r = 0; r < c->size; r++) {
      w->in[r] = &places[c->rank];
      w->to[r] = &places[r];
      w->nin[r] = w->nto[r] = sizeof *places;
    }
  }
  ok = w && pti_work_start(c, w) && pti_work_wait(c, w, 1e9) > 0;
  if (ok) share_host(c, places);
  if (w && (ok || pti_work_over(w))) pti_work_free(w);
  free(all);
  free(places);
  return ok;
}

int pti_comm_local(const pti_comm *c, int *size, int *threads) {
  *size = c->local_size;
  *threads = c->threads;
  return c->local_rank;
}

void pti_comm_share_cores(const pti_comm *c) { pti_share_threads(c->threads); }

/* ---- beginning and end ---- */

const char *pti_comm_install_hint(const char *backend) {
  static const struct {
    const char *backend, *hint;
  } list[] = {
      {"mpi",
       "build it with `make`, where Open MPI's headers are (Debian: libopenmpi-dev, openmpi-bin)"},
      {"nccl",
       "build it with `make`, where the CUDA toolkit and NCCL's headers are (NVIDIA's packages "
       "cuda-toolkit and libnccl-dev)"},
      {"sim", "it is built by `make`, where there is a C++ compiler"},
  };
  for (size_t i = 0; i < PTI_COUNT(list); i++) {
    if (strcmp(list[i].backend, backend) == 0) return list[i].hint;
  }
  return "the backends are \"mpi\", \"nccl\" and \"inproc\"";
}

static const pti_transport *find_transport(const char *backend) {
  if (strcmp(backend, "inproc") == 0) return &pti_inproc;
  pti_transport_opener *opener;
  void *entry = pti_plugin("backend", backend, PTI_TRANSPORT_ENTRY, pti_comm_install_hint(backend));
  if (entry == NULL) return NULL;
  memcpy(&opener, &entry, sizeof opener); /* ISO C has no cast from object to function */
  const pti_transport *t = opener(PTI_TRANSPORT_ABI, &pti_comm_host);
  if (t == NULL || t->abi != PTI_TRANSPORT_ABI)
    return pti_fail(PT_EDEVICE, "backend '%s': the plug-in was built for another version of ptlua",
                    backend);
  return t;
}

pti_comm *pti_comm_open(const char *backend, pti_join *join) {
  const pti_transport *t = find_transport(backend);
  if (t == NULL) return NULL;
  pti_comm *c = calloc(1, sizeof *c);
  if (c == NULL) return pti_fail(PT_EMEMORY, "out of memory");
  c->t = t;
  atomic_store(&c->timeout, join->timeout);
  c->last = &c->first;
  if (!(c->end = t->join(join))) {
    free(c);
    return NULL;
  }
  c->rank = join->rank;
  c->size = join->size;
  pthread_mutex_init(&c->drive, NULL);
  pthread_mutex_init(&c->lock, NULL);
  pthread_cond_init(&c->work, NULL);
  pthread_cond_init(&c->over, NULL);
  if (pthread_create(&c->thread, NULL, serve, c) != 0) {
    pti_fail(PT_EDEVICE, "the system has no more threads");
    atomic_store(&c->ending, true); /* there is none to join */
  } else if (meet(c)) {
    return c;
  }
  pti_comm_close(c, true);
  return NULL;
}

void pti_comm_set_timeout(pti_comm *c, double seconds) { atomic_store(&c->timeout, seconds); }

void pti_comm_tell_failure(pti_comm *c, const char *why) {
  if (c->t->fail) c->t->fail(c->end, why);
}

void pti_comm_close(pti_comm *c, bool failed) {
  if (c == NULL) return;
  bool joined = !atomic_exchange(&c->ending, true);
  pthread_mutex_lock(&c->lock);
  pthread_cond_broadcast(&c->work);
  pthread_mutex_unlock(&c->lock);
  if (joined) pthread_join(c->thread, NULL);
  pti_work *lists[] = {c->first, c->posted, c->moving};
  for (size_t i = 0; i < PTI_COUNT(lists); i++) {
    for (pti_work *w = lists[i], *next; w; w = next) {
      next = w->next;
      if (w->request) c->t->cancel(c->end, w->request);
      w->request = NULL;
      pti_fail(PT_EINTERRUPT, "the process group was destroyed");
      pti_comm_end(c, w, false);
    }
  }
  failed = failed || atomic_load(&c->broken);
  for (int i = 0; i < c->ngroup; i++) {
    pti_device_leave(c, c->group[i], failed || c->devices.under_way);
  }
  c->t->leave(c->end, failed);
  for (int i = 0; i < c->ngroup; i++) free(c->group[i]);
  free(c->group);
  pthread_cond_destroy(&c->over);
  pthread_cond_destroy(&c->work);
  pthread_mutex_destroy(&c->lock);
  pthread_mutex_destroy(&c->drive);
  free(c);
}
