/* plugin.c: libptlua_NAME.so, opened on demand and never closed: devices and transports. They are looked for in
   PT_BACKEND_PATH, beside this library and in the library folder, never in the working directory. */
#include "plugin.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char here_marker; /* its address tells which file holds this code */

/* A list of texts, cut where it does not fit. */
typedef struct text {
  char s[1024];
  size_t n;
} text;
static void append(text *t, const char *a, const char *b) {
  size_t left = sizeof t->s - t->n;
  int n = snprintf(t->s + t->n, left, "%s%s", a, b);
  if (n > 0) t->n = (size_t)n < left ? t->n + (size_t)n : sizeof t->s - 1;
}

/* Opens folder/libptlua_NAME.so if it is there; else records that it is not, or why it does not load. */
static void *open_in(const char *folder, size_t n, const char *kind, const char *name, text *tried,
                     bool *found) {
  char path[PATH_MAX];
  int len = snprintf(path, sizeof path, "%.*s/libptlua_%s.so", (int)n, folder, name);
  if (n == 0 || folder[0] != '/' || len < 0 || (size_t)len >= sizeof path) return NULL;
  if (access(path, R_OK) != 0) {
    append(tried, tried->n ? ", " : "", "");
    path[n] = 0;
    append(tried, path, "");
    return NULL;
  }
  *found = true;
  void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (lib == NULL)
    pti_fail(PT_EDEVICE, "%s '%s': the plug-in does not load: %s", kind, name, dlerror());
  return lib;
}

/* The folder of the file that holds this code; "" where that is not known. */
static void own_folder(char *to, size_t size) {
  Dl_info info;
  char real[PATH_MAX];
  to[0] = 0;
  if (!dladdr(&here_marker, &info) || !info.dli_fname) return;
  const char *file = strchr(info.dli_fname, '/') ? info.dli_fname : "/proc/self/exe";
  if (realpath(file, real) == NULL) return;
  *strrchr(real, '/') = 0;
  snprintf(to, size, "%s", real);
}

static void *find_plugin(const char *kind, const char *name, const char *hint) {
  text tried = {.n = 0};
  bool found = false;
  void *lib = NULL;
  const char *list = getenv("PT_BACKEND_PATH");
  while (list && *list && !found) {
    size_t n = strcspn(list, ":");
    lib = open_in(list, n, kind, name, &tried, &found);
    list += n + (list[n] == ':');
  }
  /* Beside this file; if this is bin/ptlua, also in ../lib; if it is lib/lua/5.4/pt.so, also in ../.. */
  static const char *const from_here[] = {"", "/../lib", "/../.."};
  char here[PATH_MAX];
  own_folder(here, sizeof here);
  for (size_t i = 0; here[0] && i < PTI_COUNT(from_here) && !found; i++) {
    char folder[PATH_MAX + 8];
    int n = snprintf(folder, sizeof folder, "%s%s", here, from_here[i]);
    lib = open_in(folder, (size_t)n, kind, name, &tried, &found);
  }
  if (!found) {
    pti_fail(PT_EDEVICE,
             "%s '%s' is not available: libptlua_%s.so is not in %s (%s, or set PT_BACKEND_PATH)",
             kind, name, name, tried.n ? tried.s : "any folder of PT_BACKEND_PATH", hint);
  }
  return lib;
}

void *pti_plugin(const char *kind, const char *name, const char *symbol, const char *hint) {
  if (strcmp(name, "gpu") == 0) {
    pti_fail(PT_EDEVICE, "%s '%s': there is none of that name; did you mean 'cuda'?", kind, name);
    return NULL;
  }
  void *lib = find_plugin(kind, name, hint);
  if (lib == NULL) return NULL;
  void *entry = dlsym(lib, symbol);
  if (entry == NULL)
    return pti_fail(PT_EDEVICE, "%s '%s': the plug-in has no %s", kind, name, symbol);
  return entry;
}
