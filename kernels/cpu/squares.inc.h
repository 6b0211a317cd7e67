/* squares.inc.h: as many vectors as one has lanes, and their transpose. Included by files that are built once per CPU level.
   In each of log2(LANES) rounds, vector i is interleaved with vector i + LANES / 2. */

#define LOW_2 0, 2
#define HIGH_2 1, 3
#define LOW_4 0, 4, 1, 5
#define HIGH_4 2, 6, 3, 7
#define LOW_8 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_8 4, 12, 5, 13, 6, 14, 7, 15
#define LOW_16 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_16 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define LOW(n) GLUE(LOW_, n)
#define HIGH(n) GLUE(HIGH_, n)

/* A function of that name for vectors of the type V; LANES as a numeral. */
#define TRANSPOSE_SQUARE(name, V, LANES)                                             \
  static inline __attribute__((always_inline)) void name(V *v) {                     \
    V u[LANES];                                                                      \
    PTI_UNROLLED                                                                     \
    for (int round = 1; round < LANES; round *= 2) {                                 \
      PTI_UNROLLED                                                                   \
      for (int i = 0; i < LANES / 2; i++) {                                          \
        u[2 * i] = __builtin_shufflevector(v[i], v[i + LANES / 2], LOW(LANES));      \
        u[2 * i + 1] = __builtin_shufflevector(v[i], v[i + LANES / 2], HIGH(LANES)); \
      }                                                                              \
      PTI_UNROLLED                                                                   \
      for (int i = 0; i < LANES; i++) v[i] = u[i];                                   \
    }                                                                                \
  }
