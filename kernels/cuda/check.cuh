/* check.cuh: ids from the user are checked before anything is written through them. */
#ifndef PT_CHECK_CUH
#define PT_CHECK_CUH

#include "common.cuh"

const int64_t NOT_BAD = INT64_MIN;

/* Runs `check`, which lowers *bad to the place of the first bad one of n ids, and waits. *value: that id, or
   NOT_BAD. False after a failure. */
template <class Check>
static bool first_bad(int dev, int64_t n, const int64_t *id, Check check, int64_t *value) {
  *value = NOT_BAD;
  cudaStream_t s = pti_stream(dev);
  unsigned long long *bad = s ? (unsigned long long *)pti_scratch(dev, sizeof *bad) : NULL, at = 0;
  if (bad == NULL) return false;
  bool ok = cudaMemsetAsync(bad, 0xff, sizeof *bad, s) == cudaSuccess && check(bad) &&
            pti_fetch(dev, &at, bad, sizeof at);
  pti_scratch_free(dev, bad, sizeof *bad);
  return ok && (at >= (unsigned long long)n || pti_fetch(dev, value, id + at, sizeof *value));
}

#endif
