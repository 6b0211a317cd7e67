/* slots.h: the table of a device's kernels; a NULL slot means "not on this device". */
#ifndef PTI_SLOTS_H
#define PTI_SLOTS_H

#include "backend.h"

typedef struct pti_slots {
#define SLOT(name, ...) bool (*name)(int dev, __VA_ARGS__);
#define HOST_SLOT SLOT
#include "slots.def"
#undef SLOT
#undef HOST_SLOT
} pti_slots;

#endif
