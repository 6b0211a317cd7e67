/* philox.inc.h: draw(), the words of philox.h for counters in a row. With AVX2 or AVX-512 a vector holds one word of as
   many counters as it has lanes of 64 bits. Above a word may stand anything: a multiplication reads the lower half of a
   lane. Included by tensor_loops.c. */

#if defined(__AVX2__)
#if defined(__AVX512F__)
enum { COUNTERS = 8 };
#define PRODUCT(a, b) (lanes) _mm512_mul_epu32((__m512i)(a), (__m512i)(b))
#define FIRST(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define SECOND(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define NUMBERS \
  { 0, 1, 2, 3, 4, 5, 6, 7 }
#else
enum { COUNTERS = 4 };
#define PRODUCT(a, b) (lanes) _mm256_mul_epu32((__m256i)(a), (__m256i)(b))
#define FIRST(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define SECOND(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define NUMBERS \
  { 0, 1, 2, 3 }
#endif
typedef uint64_t lanes __attribute__((vector_size(8 * COUNTERS)));
typedef uint64_t lanes_anywhere __attribute__((vector_size(8 * COUNTERS), aligned(4), may_alias));

/* The words of COUNTERS counters from ctr on. */
static inline void draw_many(uint64_t seed, uint64_t stream, uint64_t ctr, uint32_t *to) {
  const lanes zero = {0}, numbers = NUMBERS, low = zero + UINT32_MAX;
  lanes c0 = ctr + numbers, c1 = c0 >> 32, c2 = stream + zero, c3 = (stream >> 32) + zero;
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  for (int round = 0; round < PTI_PHILOX_ROUNDS; round++) {
    lanes p0 = PRODUCT(c0, zero + PTI_PHILOX_M0), p1 = PRODUCT(c2, zero + PTI_PHILOX_M1);
    c0 = p1 >> 32 ^ c1 ^ k0;
    c2 = p0 >> 32 ^ c3 ^ k1;
    c1 = p1;
    c3 = p0;
    k0 += PTI_PHILOX_W0;
    k1 += PTI_PHILOX_W1;
  }
  lanes front = (c0 & low) | c1 << 32, back = (c2 & low) | c3 << 32;
  *(lanes_anywhere *)to = FIRST(front, back);
  *(lanes_anywhere *)(to + 2 * COUNTERS) = SECOND(front, back);
}
#undef PRODUCT
#undef FIRST
#undef SECOND
#undef NUMBERS
#endif

/* n words, a multiple of 4, from counter ctr on. */
static void draw(uint64_t seed, uint64_t stream, uint64_t ctr, uint32_t *w, int64_t n) {
  int64_t i = 0;
#if defined(__AVX2__)
  for (; i <= n - 4 * COUNTERS; i += 4 * COUNTERS)
    draw_many(seed, stream, ctr + (uint64_t)i / 4, w + i);
#endif
  for (; i < n; i += 4) pti_philox(seed, stream, ctr + (uint64_t)i / 4, w + i);
}
