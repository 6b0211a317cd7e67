/* cpu.c: what the machine offers: the best CPU level, found once, and the cores this process may
   use. Nothing here computes. A level is chosen by what the processor and the system support,
   PT_CPU and pt_set_cpu_level only lower it: no setting can make a program run into an illegal
   instruction. */
#include "cpu.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#endif

/* The levels by name: those of vectors, then the last of them with products of bfloat16, and with tiles. Each has what
   those before it have. */
enum { BF16 = PTI_NCPU, AMX, NLEVEL };
static const char *const names[NLEVEL] = {"base", "avx2", "avx512", "avx512_bf16", "amx"};
static int best;
static atomic_int level;
static int cores;
static size_t cache;
static bool model, vnni;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if defined(__x86_64__)
/* Not every compiler's __builtin_cpu_supports knows this one. */
static bool has_f16c(void) {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

/* Tiles of bfloat16 and int8. The processor has them, the system saves them (XCR0), and Linux lets this process use them,
   which it is asked for once: a thread that was not allowed would fault at its first tile. */
static bool has_amx(void) {
  enum { OSXSAVE = 1 << 27, TILES = 1 << 22 | 1 << 24 | 1 << 25, SAVED = 3 << 17 };
  enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
  unsigned a, b, c, d, low, high;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE)) return false;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & TILES) != TILES) return false;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & SAVED) != SAVED) return false;
#if defined(__linux__) && defined(PT_HAVE_AMX)
  return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
  return false;
#endif
}
#endif

static int best_level(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  if (!avx2) return PTI_CPU_BASE;
  bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (!avx512) return PTI_CPU_AVX2;
  if (!__builtin_cpu_supports("avx512bf16")) return PTI_CPU_AVX512;
  return has_amx() ? AMX : BF16;
#else
  return PTI_CPU_BASE;
#endif
}

/* NLEVEL if there is no such level. */
static int find_level(const char *name) {
  int l = 0;
  while (l < NLEVEL && strcmp(names[l], name) != 0) l++;
  return l;
}

/* ---- cores ---- */

static int affine_cores(void) {
  cpu_set_t set;
  /* This fails where there are more processors than the set has room for; then all of them count as allowed. */
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : CPU_SETSIZE;
}

/* A cgroup's limit in cores, rounded up; `fallback` where there is none. */
static int limited(double quota, double period, int fallback) {
  if (!(quota > 0 && period > 0) || quota / period >= fallback) return fallback;
  int n = (int)(quota / period);
  return n < quota / period ? n + 1 : n;
}

static bool read_line(const char *path, char *line, int size) {
  FILE *f = fopen(path, "re");
  if (f == NULL) return false;
  bool ok = fgets(line, size, f) != NULL;
  fclose(f);
  return ok;
}

static int allowed_cores(void) {
  char line[64], other[64];
  double quota, period;
  int n = affine_cores();
  if (read_line("/sys/fs/cgroup/cpu.max", line, sizeof line)) {
    if (sscanf(line, "%lf %lf", &quota, &period) == 2) n = limited(quota, period, n);
  } else if (read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", line, sizeof line) &&
             read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", other, sizeof other)) {
    n = limited(strtod(line, NULL), strtod(other, NULL), n);
  }
  return n > 1 ? n : 1;
}

/* ---- once ---- */

static void look(void) {
  best = best_level();
  const char *wish = getenv("PT_CPU");
  int wished = wish ? find_level(wish) : NLEVEL;
  atomic_store(&level, wished < best ? wished : best);
  cores = allowed_cores();
  const char *amx = getenv("PT_AMX");
  model = amx && strcmp(amx, "model") == 0;
#if defined(__x86_64__)
  vnni = best >= PTI_CPU_AVX512 && __builtin_cpu_supports("avx512vnni");
#endif
  long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  cache = bytes >= 128 << 10 ? (size_t)bytes : 512 << 10;
}

/* A row of `names`. */
static int current(void) {
  pthread_once(&once, look);
  return atomic_load_explicit(&level, memory_order_relaxed);
}

pti_cpu_level pti_cpu(void) {
  int now = current();
  return now < PTI_NCPU ? (pti_cpu_level)now : PTI_CPU_AVX512;
}

bool pti_cpu_amx(void) { return current() == AMX; }
bool pti_cpu_bf16(void) { return current() == BF16; }

int pti_cores(void) {
  pthread_once(&once, look);
  return cores;
}

bool pti_cpu_vnni(void) {
  pthread_once(&once, look);
  return vnni;
}

bool pti_amx_model(void) {
  pthread_once(&once, look);
  return model;
}

size_t pti_cache_bytes(void) {
  pthread_once(&once, look);
  return cache;
}

const char *pt_cpu_level(void) { return names[current()]; }

bool pt_set_cpu_level(const char *name) {
  pti_cpu();
  int wished = name ? find_level(name) : NLEVEL;
  if (wished == NLEVEL) {
    return pti_refuse(PT_EARG,
                      "CPU level '%s' is not 'base', 'avx2', 'avx512', 'avx512_bf16' or 'amx'",
                      name ? name : "");
  }
  if (wished > best) {
    return pti_refuse(PT_EARG, "CPU level '%s': this machine has '%s' at best", name, names[best]);
  }
  atomic_store(&level, wished);
  return true;
}

static atomic_bool winograd = true;

void pt_set_conv_winograd(bool on) { atomic_store(&winograd, on); }
bool pt_get_conv_winograd(void) { return atomic_load(&winograd); }
