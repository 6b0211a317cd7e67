/* cpu_slots.h: the slots of slots.def as functions of the CPU, for the files that hold them. */
#ifndef PTI_CPU_SLOTS_H
#define PTI_CPU_SLOTS_H

#include "backend.h"

#define SLOT(name, ...) bool pti_cpu_##name(int dev, __VA_ARGS__);
#define HOST_SLOT SLOT
#include "slots.def"
#undef SLOT
#undef HOST_SLOT

#endif
