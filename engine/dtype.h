/* dtype.h: sizes, names, classes and promotion of dtypes; conversions of half types. Storage type
   is not compute type: f16 and bf16 are computed in float, small integers and bool in int64_t. */
#ifndef PTI_DTYPE_H
#define PTI_DTYPE_H

#include <stdint.h>

#include "ptlua.h"

#define PTI_BIT(dtype) (1u << (dtype))
enum {
  PTI_HALVES = PTI_BIT(PT_F16) | PTI_BIT(PT_BF16),
  PTI_FLOATS = PTI_BIT(PT_F32) | PTI_BIT(PT_F64) | PTI_HALVES,
  PTI_INTS = PTI_BIT(PT_I64) | PTI_BIT(PT_I32) | PTI_BIT(PT_I16) | PTI_BIT(PT_I8) | PTI_BIT(PT_U8),
  PTI_BOOLS = PTI_BIT(PT_BOOL),
  PTI_COMPLEX = PTI_BIT(PT_C64) | PTI_BIT(PT_C128),
  PTI_REALS = PTI_FLOATS | PTI_INTS | PTI_BOOLS
};
/* Bytes of an element, in the order of pt_dtype. */
static inline size_t pti_size_of(pt_dtype dtype) {
  static const uint8_t size[PT_NDTYPE] = {4, 8, 2, 2, 8, 4, 2, 1, 1, 1, 8, 16};
  return size[dtype];
}
static inline bool pti_is(pt_dtype dtype, unsigned set) { return (PTI_BIT(dtype) & set) != 0; }

/* The types that kernels compute in. */
typedef enum { PTI_CF32, PTI_CF64, PTI_CI64, PTI_NCOMPUTE } pti_compute;
static inline pti_compute pti_compute_of(pt_dtype dtype) {
  return dtype == PT_F64 ? PTI_CF64 : pti_is(dtype, PTI_FLOATS) ? PTI_CF32 : PTI_CI64;
}

/* PyTorch's torch.promote_types. */
pt_dtype pti_promote(pt_dtype a, pt_dtype b);
/* 0 bool, 1 integer, 2 floating, 3 complex */
int pti_category(pt_dtype dtype);
/* Whether a result of dtype `from` may be stored in place as `to`: categories must not fall. */
bool pti_can_cast(pt_dtype from, pt_dtype to);
bool pti_dtype_find(const char *name, pt_dtype *out); /* "float32", "float", "long", "half", ... */

/* The floating dtype that numbers and integer inputs of float-only ops become; float32 unless set. */
pt_dtype pti_default_dtype(void);
bool pti_set_default_dtype(pt_dtype dtype);

static inline float pti_bf16_load(uint16_t h) {
  union {
    uint32_t u;
    float f;
  } v = {(uint32_t)h << 16};
  return v.f;
}
static inline uint16_t pti_bf16_store(float f) {
  union {
    float f;
    uint32_t u;
  } v = {f};
  if (f != f) return (uint16_t)((v.u >> 16) | 0x40);
  return (uint16_t)((v.u + 0x7fff + ((v.u >> 16) & 1)) >> 16);
}
/* IEEE binary16; round to nearest even; branch-free enough to vectorise. */
static inline float pti_f16_load(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, body = (uint32_t)(h & 0x7fff) << 13;
  union {
    uint32_t u;
    float f;
  } v = {body}, scale = {0x77800000u /* 2^112 */};
  v.f *= scale.f;
  if ((h & 0x7c00) == 0x7c00) v.u = body | 0x7f800000u;
  v.u |= sign;
  return v.f;
}
static inline uint16_t pti_f16_store(float f) {
  union {
    float f;
    uint32_t u;
  } v = {f};
  uint32_t sign = (v.u >> 16) & 0x8000, abs = v.u & 0x7fffffffu;
  if (abs > 0x7f800000u) return (uint16_t)(sign | 0x7e00);
  if (abs >= 0x477ff000u) return (uint16_t)(sign | 0x7c00); /* 65520 and more round to infinity */
  if (abs < 0x38800000u) { /* below 2^-14: subnormal, exact in units of 2^-24 */
    union {
      float f;
      uint32_t u;
    } m = {.u = abs}, magic = {.u = 0x3f000000u /* 0.5: its last bit is 2^-24 */};
    m.f += magic.f;
    return (uint16_t)(sign | (m.u - magic.u));
  }
  abs += 0xc8000fffu + ((abs >> 13) & 1);
  return (uint16_t)(sign | (abs >> 13));
}

#endif
