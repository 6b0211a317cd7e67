/* reload.c: a host that opens the library as a plug-in, closes it and opens it again. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ptlua.h"

static char path[4096];

static void *use(void *failed) {
  static const char code[] =
      "local x = pt.ones(1000, 1000):exp()\n"
      "local pool <close> = pt.pool(2)\n"
      "assert(pool:map(function(i) return pt.ones(i):sum():item() end, { 1, 2, 3 })[3] == 3)";
  void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (lib == NULL) return puts(dlerror()), *(int *)failed = 1, NULL;
  pt_vm *(*open)(const pt_vm_config *);
  void (*close)(pt_vm *);
  pt_status (*run)(pt_vm *, const char *, size_t, const char *);
  *(void **)&open = dlsym(lib, "pt_vm_open");
  *(void **)&close = dlsym(lib, "pt_vm_close");
  *(void **)&run = dlsym(lib, "pt_vm_run_string");
  pt_vm *vm = open(NULL);
  if (vm == NULL || run(vm, code, strlen(code), "=plug") != PT_OK) *(int *)failed = 1;
  close(vm);
  dlclose(lib);
  return NULL;
}

int main(void) {
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
  if (n <= 0) return 1;
  path[n] = 0;
  strcpy(strrchr(path, '/'), "/../libptlua.so");
  int failed = 0;
  for (int i = 0; i < 10; i++) {
    pthread_t thread; /* which ends after the library was closed */
    if (pthread_create(&thread, NULL, use, &failed) != 0) return 1;
    pthread_join(thread, NULL);
  }
  return failed;
}
