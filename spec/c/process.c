/* process.c: what a process does with its vms: many at once, opened and closed in any thread and order; a fork. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ptlua.h"

static int failures;

#define CHECK(what)                                                     \
  do {                                                                  \
    if (!(what)) {                                                      \
      failures++;                                                       \
      printf("%s:%d: %s; %s\n", __FILE__, __LINE__, #what, pt_error()); \
    }                                                                   \
  } while (0)

/* The thread sanitizer does not take threads that are started after a fork. */
#if defined(__SANITIZE_THREAD__)
enum { FORKS = 0 };
#else
enum { FORKS = 1 };
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { PLAIN = 0, VMS = 100 };
#else
enum { PLAIN = 1, VMS = 1000 };
#endif

static pt_status run(pt_vm *vm, const char *code) {
  return pt_vm_run_string(vm, code, strlen(code), "=spec");
}

/* ---- many ---- */

static long resident_kb(void) {
  long pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (f == NULL || fscanf(f, "%*s %ld", &pages) != 1) pages = 0;
  if (f) fclose(f);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void one_after_the_other(void) {
  long before = 0;
  double start = pt_clock();
  for (int i = 0; i < VMS; i++) pt_vm_close(pt_vm_open(NULL));
  double seconds = pt_clock() - start;
  for (int i = 0; i < VMS / 5; i++) {
    if (i == VMS / 10) before = resident_kb(); /* by then what is kept for reuse is there */
    pt_vm *vm = pt_vm_open(NULL);
    CHECK(vm != NULL && run(vm, "x = pt.ones(100):sum():item()") == PT_OK);
    pt_vm_close(vm);
  }
  long grown = resident_kb() - before;
  printf("%d vms in %.2f s; then %ld KB more\n", VMS, seconds, grown);
  CHECK(!PLAIN || (seconds < 10 && grown < 1024)); /* 1 s where nobody else wants the cores */
}

enum { SHELF = 24, THREADS = 4, MOST_THREADS = 64 };
static struct {
  pthread_mutex_t lock;
  pt_vm *vm[SHELF];
} shelf = {.lock = PTHREAD_MUTEX_INITIALIZER};

typedef struct swapper {
  unsigned seed;
  int vms; /* to open */
} swapper;

/* Takes what is in a place, and puts a vm of its own there: vms are closed by other threads than opened them. */
static void *swap(void *arg) {
  const swapper *s = arg;
  unsigned seed = s->seed;
  for (int i = 0; i < s->vms; i++) {
    seed = seed * 1664525 + 1013904223;
    pt_vm *mine = pt_vm_open(&(pt_vm_config){
        .size = sizeof(pt_vm_config), .memory_limit = i % 2 ? (size_t)64 << 20 : 0, .seed = seed});
    if (mine == NULL || run(mine, "n = (n or 0) + pt.ones(3):sum():item()") != PT_OK) return arg;
    pthread_mutex_lock(&shelf.lock);
    pt_vm **place = &shelf.vm[(seed >> 16) % SHELF], *other = *place;
    *place = mine;
    pthread_mutex_unlock(&shelf.lock);
    if (other && run(other, "n = n + pt.ones(2, 2):matmul(pt.ones(2, 2)):sum():item()") != PT_OK)
      return arg;
    pt_vm_close(other);
  }
  return NULL;
}

static void any_thread_any_order(int vms, int threads) {
  pthread_t thread[MOST_THREADS];
  swapper job[MOST_THREADS];
  for (int i = 0; i < threads; i++) {
    job[i] = (swapper){(unsigned)i + 1, vms / threads};
    CHECK(pthread_create(&thread[i], NULL, swap, &job[i]) == 0);
  }
  for (int i = 0; i < threads; i++) {
    void *failed = NULL;
    pthread_join(thread[i], &failed);
    CHECK(failed == NULL);
  }
  for (int i = 0; i < SHELF; i++) pt_vm_close(shelf.vm[i]);
}

/* ---- fork ---- */

/* A vm of the parent's has its memory in the child, but threads and pools are gone; a fresh one has all. */
static int child(pt_vm *old, pt_tensor *x) {
  pt_vm *vm = pt_vm_open(NULL);
  CHECK(run(vm, "local x = pt.randn(400, 400) assert(x:exp():sum():item() > 0)") == PT_OK);
  CHECK(
      run(vm,
          "local pool <close> = pt.pool(2)\n"
          "assert(pool:map(function(i) return pt.ones(i):sum():item() end, {1, 2, 3})[3] == 3)") ==
      PT_OK);
  pt_vm_close(vm);
  CHECK(run(old, "assert(kept:sum():item() == 6)") == PT_OK);
  CHECK(run(old, "pool:map(function(i) return i end, { 1, 2 })") == PT_EARG &&
        strstr(pt_vm_error(old), "belongs to the process that was forked"));
  double sum = 0;
  CHECK(pt_item(pt_sum(x, NULL, -1, 0, -1), &sum) && sum == 1e6);
  return failures > 0;
}

static void forks(void) {
  pt_scope scope = pt_scope_begin();
  pt_vm *vm = pt_vm_open(NULL);
  pt_tensor *x = pt_ones((int64_t[]){1000, 1000}, 2, PT_F32, 0);
  CHECK(run(vm, "kept = pt.arange(1, 4) pool = pt.pool(2)") == PT_OK);
  CHECK(run(vm, "pool:map(function(i) return i end, { 1, 2, 3 }) pt.ones(1000, 1000):exp()") ==
        PT_OK);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    int code = child(vm, x);
    fflush(stdout);
    _exit(code);
  }
  int status = 0;
  CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
  CHECK(run(vm, "assert(pool:map(function(i) return i end, { 1, 2 })[2] == 2) pool:close()") ==
        PT_OK);
  pt_vm_close(vm);
  pt_scope_end(scope);
}

/* process [VMS THREADS]: with arguments, only so many vms in so many threads. */
int main(int argc, char **argv) {
  if (argc == 3) {
    int threads = atoi(argv[2]);
    any_thread_any_order(atoi(argv[1]), threads < MOST_THREADS ? threads : MOST_THREADS);
    return failures > 0;
  }
  one_after_the_other();
  any_thread_any_order(THREADS * VMS / 10, THREADS);
  if (FORKS) forks();
  return failures > 0;
}
