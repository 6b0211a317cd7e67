/* library.c: opens libraries. */
#include "io/library.h"

#include <dlfcn.h>
#include <pthread.h>

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static bool open_locked(pti_library *lib) {
  void *library = dlopen(lib->file, RTLD_NOW | RTLD_LOCAL);
  for (int i = 0; library && lib->names[i]; i++) {
    lib->at[i] = dlsym(library, lib->names[i]);
    if (lib->at[i] == NULL) library = NULL;
  }
  lib->ready = library != NULL;
  return lib->ready ||
      pti_refuse(PT_EIO, "%s needs a library (Debian: %s): %s", lib->what, lib->package, dlerror());
}

bool pti_library_open(pti_library *lib) {
  pthread_mutex_lock(&opening);
  bool ok = lib->ready || open_locked(lib);
  pthread_mutex_unlock(&opening);
  return ok;
}
