/* convert.inc.h: between memory of any real dtype and dense numbers of one compute type T. Included
   by tensor_loops.c once per type; F(name) makes a name of this type, TO_INT is from T to int64_t. */

#define LOAD(dtype, S, GET)                                                            \
  static void F(load_##dtype)(void *to, const char *from, int64_t stride, int64_t n) { \
    T *y = to;                                                                         \
    if (stride == (int64_t)sizeof(S)) {                                                \
      const S *x = (const S *)from;                                                    \
      PTI_INDEPENDENT                                                                  \
      for (int64_t i = 0; i < n; i++) y[i] = (T)GET(x[i]);                             \
    } else if (stride == 0) {                                                          \
      T v = (T)GET(*(const S *)from);                                                  \
      for (int64_t i = 0; i < n; i++) y[i] = v;                                        \
    } else {                                                                           \
      for (int64_t i = 0; i < n; i++) y[i] = (T)GET(*(const S *)(from + i * stride));  \
    }                                                                                  \
  }
#define STORE(dtype, S, PUT)                                                            \
  static void F(store_##dtype)(char *to, int64_t stride, const void *from, int64_t n) { \
    const T *x = from;                                                                  \
    if (stride == (int64_t)sizeof(S)) {                                                 \
      S *y = (S *)to;                                                                   \
      PTI_INDEPENDENT                                                                   \
      for (int64_t i = 0; i < n; i++) y[i] = (S)PUT(x[i]);                              \
    } else {                                                                            \
      for (int64_t i = 0; i < n; i++) *(S *)(to + i * stride) = (S)PUT(x[i]);           \
    }                                                                                   \
  }
#define SAME(v) (v)
#define NONZERO(v) ((v) != 0)
#define HALF(v) pti_f16_store((float)(v))
#define TO_BF16(v) pti_bf16_store((float)(v))

LOAD(PT_F32, float, FLOAT_TO_T)
LOAD(PT_F64, double, DOUBLE_TO_T)
#ifdef HALF_BY_HARDWARE
static void F(load_PT_F16)(void *to, const char *from, int64_t stride, int64_t n) {
  float *y = to;
  const uint16_t *x = (const uint16_t *)from;
  int64_t i = 0;
  for (; stride == 2 && i + 8 <= n; i += 8)
    _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(x + i))));
  for (; i < n; i++) y[i] = pti_f16_load(*(const uint16_t *)(from + i * stride));
}
static void F(store_PT_F16)(char *to, int64_t stride, const void *from, int64_t n) {
  const float *x = from;
  int64_t i = 0;
  for (; stride == 2 && i + 8 <= n; i += 8) {
    __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128((__m128i *)(to + 2 * i), half);
  }
  for (; i < n; i++) *(uint16_t *)(to + i * stride) = pti_f16_store(x[i]);
}
#else
LOAD(PT_F16, uint16_t, HALF_TO_T)
STORE(PT_F16, uint16_t, HALF)
#endif
LOAD(PT_BF16, uint16_t, BF16_TO_T)
LOAD(PT_I64, int64_t, SAME)
LOAD(PT_I32, int32_t, SAME)
LOAD(PT_I16, int16_t, SAME)
LOAD(PT_I8, int8_t, SAME)
LOAD(PT_U8, uint8_t, SAME)
LOAD(PT_BOOL, uint8_t, NONZERO)
STORE(PT_F32, float, SAME)
STORE(PT_F64, double, SAME)
STORE(PT_BF16, uint16_t, TO_BF16)
STORE(PT_I64, int64_t, T_TO_INT)
STORE(PT_I32, int32_t, T_TO_INT)
STORE(PT_I16, int16_t, T_TO_INT)
STORE(PT_I8, int8_t, T_TO_INT)
STORE(PT_U8, uint8_t, T_TO_INT)
STORE(PT_BOOL, uint8_t, NONZERO)

#undef LOAD
#undef STORE
#undef SAME
#undef NONZERO
#undef HALF
#undef TO_BF16
