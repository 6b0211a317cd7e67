/* peak.c: what this machine can do at most, by the plainest loops there are: float32 fused multiply-adds in registers,
   and a triad a = b + s c over arrays that fit the second cache, and over arrays that fit none. `peak THREADS` prints
   GFLOP/s and GB/s of all threads together; scripts/bench/speed.lua measures shares of them. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef float vector __attribute__((vector_size(64)));
enum { CHAINS = 12, CACHED = 24 << 10, LARGE = 16 << 20 /* floats of each array */ };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Each returns the rate of this thread. */
static double fma_rate(void) {
  vector x[CHAINS], k = {0}, c = {0};
  double best = 0;
  for (int i = 0; i < 16; i++) k[i] = 0.999f, c[i] = 0.001f;
  for (int j = 0; j < CHAINS; j++) x[j] = c;
  for (int round = 0; round < 20; round++) {
    double start = now();
    for (int i = 0; i < 500000; i++) {
#pragma GCC unroll 12
      for (int j = 0; j < CHAINS; j++) x[j] = x[j] * k + c;
    }
    double rate = 2.0 * 16 * CHAINS * 500000 / (now() - start) / 1e9;
    if (rate > best) best = rate;
  }
  float sum = 0;
  for (int j = 0; j < CHAINS; j++) sum += x[j][0];
  return sum == 42 ? 0 : best;
}

static double triad_rate(int64_t n, int rounds) {
  float *a = aligned_alloc(64, (size_t)n * 4), *b = aligned_alloc(64, (size_t)n * 4),
        *c = aligned_alloc(64, (size_t)n * 4);
  double best = 0;
  if (a == NULL || b == NULL || c == NULL) return 0;
  for (int64_t i = 0; i < n; i++) a[i] = 0, b[i] = 1, c[i] = (float)i;
  for (int round = 0; round < rounds; round++) {
    double start = now();
    int times = n > CACHED ? 1 : 50;
    for (int k = 0; k < times; k++) {
#pragma GCC ivdep
      for (int64_t i = 0; i < n; i++) a[i] = b[i] + 3.0f * c[i];
      __asm__ volatile("" : : "r"(a) : "memory");
    }
    double rate = 12.0 * (double)n * times / (now() - start) / 1e9;
    if (rate > best) best = rate;
  }
  free(a);
  free(b);
  free(c);
  return best;
}

static pthread_barrier_t line;
static double sum[3];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *measure(void *unused) {
  for (int kind = 0; kind < 3; kind++) {
    pthread_barrier_wait(&line);
    double rate =
        kind == 0 ? fma_rate() : triad_rate(kind == 1 ? CACHED : LARGE, kind == 1 ? 200 : 8);
    pthread_mutex_lock(&lock);
    sum[kind] += rate;
    pthread_mutex_unlock(&lock);
  }
  return unused;
}

int main(int argc, char **argv) {
  int n = argc > 1 ? atoi(argv[1]) : 1;
  pthread_t thread[64];
  if (n < 1 || n > 64) return 1;
  pthread_barrier_init(&line, NULL, (unsigned)n);
  for (int i = 0; i < n; i++) {
    if (pthread_create(&thread[i], NULL, measure, NULL) != 0) return 1;
  }
  for (int i = 0; i < n; i++) pthread_join(thread[i], NULL);
  printf("fma %.1f\ncache %.1f\nmemory %.1f\n", sum[0], sum[1], sum[2]);
  return 0;
}
