/* blas.c: finds OpenBLAS when it is first needed. Its threads are never used: work is cut into tiles for the engine's. */
#include "blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "cpu_backend.h"

pti_blas_table pti_blas;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char problem[256]; /* why there is none, or "" */

static void note(const char *why) {
  size_t n = strlen(why) < sizeof problem ? strlen(why) : sizeof problem - 1;
  memcpy(problem, why, n);
  problem[n] = 0;
}

/* The library starts a thread for each core that its opener may use, and these spin for 30 ms: so it is opened by a
   thread with one core. */
static void *open_on_one_core(void) {
  cpu_set_t all, one;
  int core = sched_getcpu();
  bool moved = core >= 0 && core < CPU_SETSIZE && sched_getaffinity(0, sizeof all, &all) == 0;
  if (moved) {
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    moved = sched_setaffinity(0, sizeof one, &one) == 0;
  }
  void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (moved) sched_setaffinity(0, sizeof all, &all);
  return library;
}

static void open_library(void) {
  const char *wish = getenv("PT_OPENBLAS");
  if (wish && strcmp(wish, "none") == 0) {
    note("PT_OPENBLAS=none");
    return;
  }
  void *library = open_on_one_core();
  if (library == NULL) {
    note(dlerror());
    return;
  }
  const struct {
    const char *name;
    void **at;
  } symbol[] = {
#define SYMBOL(name) {#name, (void **)&pti_blas.name},
      PTI_BLAS_NAMES(SYMBOL)
#undef SYMBOL
  };
  for (size_t i = 0; i < sizeof symbol / sizeof *symbol; i++) {
    *symbol[i].at = dlsym(library, symbol[i].name);
    if (*symbol[i].at == NULL) {
      note(dlerror());
      return;
    }
  }
  pti_blas.openblas_set_num_threads(1);
}

bool pti_blas_ready(void) {
  pthread_once(&once, open_library);
  if (*problem == 0) return true;
  return pti_cpu_host->fail(
      PT_EDEVICE, "factorizations and complex products need OpenBLAS (Debian: libopenblas0): %s",
      problem);
}
