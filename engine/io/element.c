/* element.c: the list of elements. Layouts of quantised blocks are those of ggml; sums and products are rounded in its
   order, so that numbers are equal to its own. */
#include "io/element.h"

#include <math.h>
#include <string.h>

#include "blocks.h"
#include "device.h"
#include "slots.h"
#include "tensor.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "elements of files are little-endian; those of this machine would have to be swapped here"
#endif

/* ---- numbers that no dtype has: widened ---- */

static bool widen_u16(const unsigned char *from, void *to, int64_t n) {
  for (int64_t i = 0; i < n; i++) ((int32_t *)to)[i] = from[2 * i] | from[2 * i + 1] << 8;
  return true;
}

static bool widen_u32(const unsigned char *from, void *to, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    uint32_t v;
    memcpy(&v, from + 4 * i, 4);
    ((int64_t *)to)[i] = v;
  }
  return true;
}

static bool narrow_u64(const unsigned char *from, void *to, int64_t n) {
  memcpy(to, from, (size_t)n * 8);
  for (int64_t i = 0; i < n; i++) {
    if (((const int64_t *)to)[i] < 0)
      return pti_refuse(PT_EDTYPE, "element %lld is above 2^63 - 1, the largest int64",
                        (long long)i + 1);
  }
  return true;
}

/* Numbers of a byte: sign, exponent of 7 - mantissa bits. `zero_nan`: the only NaN is minus zero's place, and the bias
   is one more. */
static void small_floats(const unsigned char *from, uint16_t *to, int64_t n, int mantissa,
                         bool zero_nan) {
  int one = 1 << mantissa, bias = (1 << (6 - mantissa)) - 1 + zero_nan;
  for (int64_t i = 0; i < n; i++) {
    int body = from[i] & 0x7f, exponent = body >> mantissa, digits = body & (one - 1);
    float v = exponent ? ldexpf((float)(one + digits), exponent - bias - mantissa)
                       : ldexpf((float)digits, 1 - bias - mantissa);
    if (zero_nan ? from[i] == 0x80 : body == 0x7f) v = NAN;
    to[i] = pti_f16_store(from[i] & 0x80 ? -v : v);
  }
}

static bool f8_e4m3(const unsigned char *from, void *to, int64_t n) {
  small_floats(from, to, n, 3, false);
  return true;
}
static bool f8_e4m3fnuz(const unsigned char *from, void *to, int64_t n) {
  small_floats(from, to, n, 3, true);
  return true;
}
static bool f8_e5m2fnuz(const unsigned char *from, void *to, int64_t n) {
  small_floats(from, to, n, 2, true);
  return true;
}
static bool f8_e5m2(const unsigned char *from, void *to, int64_t n) {
  for (int64_t i = 0; i < n; i++) ((uint16_t *)to)[i] = (uint16_t)(from[i] << 8);
  return true;
}
static bool f8_e8m0(const unsigned char *from, void *to, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    ((float *)to)[i] = from[i] == 255 ? NAN : ldexpf(1, from[i] - 127);
  return true;
}

/* ---- quantised blocks ---- */

/* Numbers of 4 or 5 bits: the low halves of 16 bytes, then the high ones; `high` has the fifth bits. To add -0 changes
   nothing, not even a -0. */
static void nibbles(const unsigned char *q, uint32_t high, float scale, float add, int less,
                    float *to) {
  for (int j = 0; j < 16; j++) {
    int a = (q[j] & 15) | (int)(high >> j & 1) << 4,
        b = q[j] >> 4 | (int)(high >> (j + 16) & 1) << 4;
    to[j] = (float)(a - less) * scale + add;
    to[j + 16] = (float)(b - less) * scale + add;
  }
}
static uint32_t fifth_bits(const unsigned char *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return v;
}

static bool q4_1(const unsigned char *from, void *to, int64_t n) {
  for (float *y = to; n > 0; n--, from += 20, y += 32)
    nibbles(from + 4, 0, pti_half_at(from), pti_half_at(from + 2), 0, y);
  return true;
}
static bool q5_0(const unsigned char *from, void *to, int64_t n) {
  for (float *y = to; n > 0; n--, from += 22, y += 32)
    nibbles(from + 6, fifth_bits(from + 2), pti_half_at(from), -0.f, 16, y);
  return true;
}
static bool q5_1(const unsigned char *from, void *to, int64_t n) {
  for (float *y = to; n > 0; n--, from += 24, y += 32)
    nibbles(from + 8, fifth_bits(from + 4), pti_half_at(from), pti_half_at(from + 2), 0, y);
  return true;
}
/* Eight groups of 32; group j takes the low or the high halves of 32 bytes, and bit j of 32 more. */
static bool q5_k(const unsigned char *from, void *to, int64_t n) {
  for (float *y = to; n > 0; n--, from += 176) {
    const unsigned char *high = from + 16, *q = from + 48;
    float d = pti_half_at(from), dmin = pti_half_at(from + 2);
    for (int j = 0; j < 8; j++, y += 32) {
      int scale, min;
      pti_q4_k_scale(from + 4, j, &scale, &min);
      float step = d * (float)scale, less = dmin * (float)min;
      for (int l = 0; l < 32; l++) {
        int v = (q[j / 2 * 32 + l] >> (j % 2 * 4) & 15) | (high[l] >> j & 1) << 4;
        y[l] = step * (float)v - less;
      }
    }
  }
  return true;
}

/* ---- blocks that the device's kernels read and write ---- */

static const pti_slots *kernels(void) { return pti_device_at(0)->kernels; }

#define ROW(name, word, numbers, bytes)                                     \
  static bool load_##name(const unsigned char *from, void *to, int64_t n) { \
    return kernels()->block_load(0, PTI_##name, from, n, to);               \
  }
PTI_BLOCK_KINDS(ROW)
#undef ROW

static bool store_Q8_0(const float *from, unsigned char *to, int64_t n) {
  return kernels()->block_store(0, PTI_Q8_0, from, n, to);
}
static bool store_Q4_0(const float *from, unsigned char *to, int64_t n) {
  return kernels()->block_store(0, PTI_Q4_0, from, n, to);
}
#define store_Q4_K NULL
#define store_Q6_K NULL

/* ---- the list ---- */

static const pti_element elements[] = {{"F32", PT_F32, 4, 1, 4, NULL, NULL},
                                       {"F64", PT_F64, 8, 1, 8, NULL, NULL},
                                       {"F16", PT_F16, 2, 1, 2, NULL, NULL},
                                       {"BF16", PT_BF16, 2, 1, 2, NULL, NULL},
                                       {"I64", PT_I64, 8, 1, 8, NULL, NULL},
                                       {"I32", PT_I32, 4, 1, 4, NULL, NULL},
                                       {"I16", PT_I16, 2, 1, 2, NULL, NULL},
                                       {"I8", PT_I8, 1, 1, 1, NULL, NULL},
                                       {"U8", PT_U8, 1, 1, 1, NULL, NULL},
                                       {"BOOL", PT_BOOL, 1, 1, 1, NULL, NULL},
                                       {"C64", PT_C64, 8, 1, 4, NULL, NULL},
                                       {"C128", PT_C128, 16, 1, 8, NULL, NULL},
                                       {"U16", PT_I32, 2, 1, 2, widen_u16, NULL},
                                       {"U32", PT_I64, 4, 1, 4, widen_u32, NULL},
                                       {"U64", PT_I64, 8, 1, 8, narrow_u64, NULL},
                                       {"F8_E4M3", PT_F16, 1, 1, 1, f8_e4m3, NULL},
                                       {"F8_E5M2", PT_F16, 1, 1, 1, f8_e5m2, NULL},
                                       {"F8_E4M3FNUZ", PT_F16, 1, 1, 1, f8_e4m3fnuz, NULL},
                                       {"F8_E5M2FNUZ", PT_F16, 1, 1, 1, f8_e5m2fnuz, NULL},
                                       {"F8_E8M0", PT_F32, 1, 1, 1, f8_e8m0, NULL},
                                       {"Q4_1", PT_F32, 20, 32, 1, q4_1, NULL},
                                       {"Q5_0", PT_F32, 22, 32, 1, q5_0, NULL},
                                       {"Q5_1", PT_F32, 24, 32, 1, q5_1, NULL},
                                       {"Q5_K", PT_F32, 176, 256, 1, q5_k, NULL},
#define ROW(name, word, numbers, bytes) \
  {#name, PT_F32, bytes, numbers, 1, load_##name, store_##name},
                                       PTI_BLOCK_KINDS(ROW)
#undef ROW
};

const pti_element *pti_element_find(const char *name) {
  for (size_t i = 0; i < PTI_COUNT(elements); i++) {
    if (strcmp(name, elements[i].name) == 0) return &elements[i];
  }
  return NULL;
}

const pti_element *pti_element_of(pt_dtype dtype) {
  for (size_t i = 0; i < PTI_COUNT(elements); i++) {
    if (elements[i].dtype == dtype && elements[i].unpack == NULL) return &elements[i];
  }
  return NULL;
}

bool pti_element_bytes(const pti_element *e, const int64_t *size, int nd, int64_t *bytes) {
  int64_t numel;
  size_t as_tensor;
  if (!pti_check_sizes("load", size, nd, e->dtype, &numel, &as_tensor)) return false;
  if (e->count > 1 && (nd == 0 || size[nd - 1] % e->count != 0))
    return pti_refuse(PT_ESHAPE, "a last dim of [%s] is no whole number of %s's blocks of %d",
                      pti_sizes_text(size, nd), e->name, e->count);
  if (!pti_mul(numel / e->count, e->bytes, bytes))
    return pti_refuse(PT_ESHAPE, "sizes [%s] overflow", pti_sizes_text(size, nd));
  return true;
}

void pti_swap_bytes(void *data, int64_t bytes, int width) {
  unsigned char *p = data;
  for (unsigned char *end = p + bytes; width > 1 && p < end; p += width) {
    for (int a = 0, b = width - 1; a < b; a++, b--) {
      unsigned char byte = p[a];
      p[a] = p[b];
      p[b] = byte;
    }
  }
}
