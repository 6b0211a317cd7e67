/* cpu.h: what the machine offers. */
#ifndef PTI_CPU_H
#define PTI_CPU_H

#include "base.h"

typedef enum { PTI_CPU_BASE, PTI_CPU_AVX2, PTI_CPU_AVX512, PTI_NCPU } pti_cpu_level;

pti_cpu_level
pti_cpu(void); /* the level in use: the best the machine has, or what PT_CPU or a setter says */
int pti_cores(
    void); /* cores this process may use: affinity and cgroup limit respected, at least 1 */
size_t pti_cache_bytes(
    void); /* of a core's second-level cache, or what is usual where the system does not say */

#endif
