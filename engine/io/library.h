/* library.h: libraries that are opened when they are first needed, so that programs that do without neither link nor load
   them. Their headers decide at build time whether they are known at all. */
#ifndef PTI_LIBRARY_H
#define PTI_LIBRARY_H

#include "base.h"

/* A library that was not opened yet, and the pointers that its functions get; `names` is a list in that order. */
typedef struct pti_library {
  const char *file, *what, *package;
  void **at;
  const char *const *names;
  bool ready;
} pti_library;
bool pti_library_open(pti_library *lib);

/* For a list X(function) of what is needed: the members of a struct of pointers, and the names. */
#define PTI_LIBRARY_POINTER(name) __typeof__(name) *name;
#define PTI_LIBRARY_NAME(name) #name,

#endif
