/* count.cpp: memory traffic of kernels, counted in the checked build where PT_SIM_COUNT names a file for the result.
   The threads of a warp run one after the other here; their k-th accesses at one instruction count as one request, as
   the hardware would make it. For a request to global memory, the sectors (32 bytes) it touches and the bytes it
   requests are counted; for one to shared memory, the passes that its banks (32 of 4 bytes) need.
   scripts/tools/cuda_report.lua reads the file. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>

namespace sim {
const char *count_file = getenv("PT_SIM_COUNT");

struct request {
  uint64_t address[32];
  uint32_t lanes; /* which of the warp */
  uint16_t bytes; /* of each */
  bool shared;
};
struct totals {
  uint64_t launches, first; /* bytes touched for the first time in a launch: what must move */
  uint64_t asked, sectors;
  uint64_t phases, passes; /* of shared memory: as few as possible, and as counted */
};
static std::unordered_map<uint64_t, request> requests; /* of the running block */
static std::unordered_map<uint64_t, uint32_t>
    occasion; /* how often a thread has executed an instruction */
static std::map<std::string, totals> kernels;
static uint32_t last_launch;

static totals &totals_of(const context *x) {
  totals &t = kernels[x->c->kernel];
  t.launches += x->launch != last_launch;
  last_launch = x->launch;
  return t;
}

void count_access(const context *x, const void *p, size_t n, const shadow *s, bool write,
                  uintptr_t pc) {
  uint64_t warp = (uint64_t)x->tid >> 5, lane = (uint64_t)x->tid & 31;
  uint64_t here = (uint64_t)(pc & 0xffffffff) << 16;
  uint32_t k = occasion[here | (uint64_t)x->tid]++;
  request &r = requests[(here | warp) ^ (uint64_t)k * 0x9e3779b97f4a7c15u];
  r.lanes |= 1u << lane;
  r.address[lane] = (uint64_t)(uintptr_t)p;
  r.bytes = (uint16_t)n;
  r.shared = s == NULL;
  if (s == NULL) return;
  totals &t = totals_of(x);
  for (size_t i = 0; i < n; i++) t.first += (write ? s[i].write : s[i].read).launch != x->launch;
}

static void fold_global(const request &r, totals &t) {
  uint64_t sector[32 * 2], place[32];
  int sectors = 0, places = 0;
  for (int l = 0; l < 32; l++) {
    if (!(r.lanes >> l & 1)) continue;
    place[places++] = r.address[l];
    sector[sectors++] = r.address[l] / 32;
    sector[sectors++] = (r.address[l] + r.bytes - 1u) / 32;
  }
  std::sort(sector, sector + sectors);
  std::sort(place, place + places);
  t.sectors += (uint64_t)(std::unique(sector, sector + sectors) - sector);
  t.asked += (uint64_t)(std::unique(place, place + places) - place) * r.bytes;
}

static void fold_shared(const request &r, totals &t) {
  int together = r.bytes <= 4 ? 32 : r.bytes == 8 ? 16 : 8; /* lanes that are served at once */
  for (int first = 0; first < 32; first += together) {
    uint64_t word[32 * 4];
    int words = 0, bank[32] = {}, most = 0;
    for (int l = first; l < first + together; l++) {
      if (!(r.lanes >> l & 1)) continue;
      for (uint64_t w = r.address[l] / 4; w <= (r.address[l] + r.bytes - 1u) / 4; w++)
        word[words++] = w;
    }
    std::sort(word, word + words);
    words = (int)(std::unique(word, word + words) - word);
    for (int i = 0; i < words; i++) most = std::max(most, ++bank[word[i] % 32]);
    t.phases += words > 0;
    t.passes += (uint64_t)most;
  }
}

void count_block(const context *x) {
  if (requests.empty()) return;
  totals &t = totals_of(x);
  for (const auto &r : requests) (r.second.shared ? fold_shared : fold_global)(r.second, t);
  requests.clear();
  occasion.clear();
}

static struct writer {
  ~writer() {
    FILE *f = count_file ? fopen(count_file, "w") : NULL;
    if (f == NULL) return;
    for (const auto &k : kernels)
      fprintf(f, "%s\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\n", k.first.c_str(),
              (unsigned long long)k.second.launches, (unsigned long long)k.second.first,
              (unsigned long long)k.second.asked, (unsigned long long)k.second.sectors * 32,
              (unsigned long long)k.second.phases, (unsigned long long)k.second.passes);
    fclose(f);
  }
} at_exit;
} // namespace sim
