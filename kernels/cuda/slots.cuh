/* slots.cuh: the slots of slots.def as functions of this backend, for calls across files. A kernel whose arguments
   differ from the slot's is a symbol that the linker does not find. */
#ifndef PT_SLOTS_CUH
#define PT_SLOTS_CUH

#include "backend.h"

#define SLOT(name, ...) bool pti_cuda_##name(int dev, __VA_ARGS__);
#define HOST_SLOT(...)
#include "slots.def"
#undef SLOT
#undef HOST_SLOT

#endif
