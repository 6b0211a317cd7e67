/* backend.c: the CPU as a device: its table of slots, its memory and the level whose loops are in
   use. Nothing is computed here. */
#include <string.h>

#include "cpu_slots.h"
#include "nn_loops.h"
#include "ptlua_hash.h"
#include "slots.h"

const pt_host *pti_cpu_host;

const pti_cpu_loops *pti_cpu_now(void) {
#if defined(__x86_64__)
  static const pti_cpu_loops *const loops[PTI_NCPU] = {&pti_cpu_loops_base, &pti_cpu_loops_avx2,
                                                       &pti_cpu_loops_avx512};
  return loops[pti_cpu()];
#else
  return &pti_cpu_loops_base;
#endif
}

const pti_cpu_nn_loops *pti_cpu_nn_now(void) {
#if defined(__x86_64__)
  static const pti_cpu_nn_loops *const nets[PTI_NCPU] = {
      &pti_cpu_nn_loops_base, &pti_cpu_nn_loops_avx2, &pti_cpu_nn_loops_avx512};
  return nets[pti_cpu()];
#else
  return &pti_cpu_nn_loops_base;
#endif
}

/* ---- memory: the host's own ---- */

static int count(void) { return 1; }

static void *cpu_alloc(int dev, size_t bytes) {
  (void)dev;
  return pti_cpu_host->alloc(bytes);
}

static void cpu_free(int dev, void *block, size_t bytes) {
  (void)dev;
  pti_cpu_host->free(block, bytes);
}

/* A slot returns when its work is done. */
static bool sync_now(int dev) {
  (void)dev;
  return true;
}

/* ---- slots ---- */

static const pti_slots slots = {
#define SLOT(name, ...) .name = pti_cpu_##name,
#define HOST_SLOT SLOT
#include "slots.def"
};

static const pt_backend backend = {
    .abi = PT_BACKEND_ABI,
    .name = "cpu",
    .hash = PTI_HASH,
    .count = count,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .sync = sync_now,
    .adds_bias = true,
    .slots = &slots,
};

const pt_backend *pti_cpu_backend(const pt_host *host) {
  pti_cpu_host = host;
  return &backend;
}
