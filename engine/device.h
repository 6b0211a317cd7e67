/* device.h: the devices of this process. Device 0 is the CPU; others are backends found at run
   time. */
#ifndef PTI_DEVICE_H
#define PTI_DEVICE_H

#include "backend.h"
#include "base.h"

enum { PTI_MAX_DEVICE = 64 };

typedef struct pti_device {
  const pt_backend *be;
  const struct pti_slots *kernels; /* those of be; slots.h */
  int index;                       /* within the backend */
  char name[16];
} pti_device;

/* `device` is a number that pt_device returned. */
const pti_device *pti_device_at(int device);
static inline const pt_backend *pti_be(int device) { return pti_device_at(device)->be; }
int pti_device_count(void); /* all that are open, the CPU among them */

#endif
