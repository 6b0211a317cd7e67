/* sim.c: the simulated device sees what it must: every kernel of kernels/sim/bugs.cu is reported, with its
   line, and the right twins pass. Skipped where there is no C++ compiler, and under sanitizers, which have hooks
   of the same names. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int wrong;

static void tell(void *ud, const char *name, bool good, const char *said) {
  (void)ud;
  if (good) return;
  printf("%s: \"%s\"\n", name, said);
  wrong++;
}

int main(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 0;
#endif
  void *lib = dlopen("build/sim/bugs.so", RTLD_NOW | RTLD_LOCAL);
  if (lib == NULL) return 0;
  void (*run)(void (*)(void *, const char *, bool, const char *), void *);
  void *entry = dlsym(lib, "pt_sim_bugs");
  memcpy(&run, &entry, sizeof run);
  if (run == NULL) return 1;
  run(tell, NULL);
  return wrong != 0;
}
