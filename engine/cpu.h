/* cpu.h: the capabilities of the machine. */
#ifndef PTI_CPU_H
#define PTI_CPU_H

#include "base.h"

typedef enum { PTI_CPU_BASE, PTI_CPU_AVX2, PTI_CPU_AVX512, PTI_NCPU } pti_cpu_level;

pti_cpu_level pti_cpu(
    void); /* the level in use: the best the machine has, or the one set by PT_CPU or a setter */
int pti_cores(
    void); /* cores this process may use: affinity and cgroup limit respected, at least 1 */
bool pti_cpu_vnni(void); /* AVX-512 has instructions for products of int8 */
bool pti_cpu_bf16(void); /* the level is "avx512_bf16": AVX-512, and products of bfloat16 */
bool pti_cpu_amx(void);  /* the level is "amx": AVX-512, and tile instructions */
/* Whether tile instructions are emulated by their model in C, on any machine: PT_AMX=model. */
bool pti_amx_model(void);
size_t pti_cache_bytes(
    void); /* of a core's second-level cache, or a usual size where the system does not report it */

#endif
