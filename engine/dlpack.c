/* dlpack.c: tensors to and from other libraries of the process without a copy, by the structs of DLPack 1.1
   (https://dmlc.github.io/dlpack/latest/c_api.html), which are an ABI: numpy, PyTorch, JAX, CuPy and others speak it. */
#include <stdlib.h>

#include "device.h"
#include "tensor.h"

/* ---- the ABI ---- */

enum { CPU = 1, CUDA = 2 };                                               /* DLDeviceType */
enum { INT = 0, UINT = 1, FLOAT = 2, BFLOAT = 4, COMPLEX = 5, BOOL = 6 }; /* DLDataTypeCode */
enum { READ_ONLY = 1, MAJOR = 1, MINOR = 1 };

typedef struct dl_tensor {
  void *data;
  int32_t device_type, device_id, ndim;
  struct {
    uint8_t code, bits;
    uint16_t lanes;
  } dtype;
  int64_t *shape, *strides; /* in elements; strides NULL: row-major */
  uint64_t byte_offset;
} dl_tensor;

struct DLManagedTensorVersioned {
  struct {
    uint32_t major, minor;
  } version;
  void *manager_ctx;
  void (*deleter)(struct DLManagedTensorVersioned *self);
  uint64_t flags;
  dl_tensor dl;
};
struct DLManagedTensor {
  dl_tensor dl;
  void *manager_ctx;
  void (*deleter)(struct DLManagedTensor *self);
};

static const struct {
  uint8_t code, bits;
} types[PT_NDTYPE] = {
    [PT_F32] = {FLOAT, 32},   [PT_F64] = {FLOAT, 64},   [PT_F16] = {FLOAT, 16},
    [PT_BF16] = {BFLOAT, 16}, [PT_I64] = {INT, 64},     [PT_I32] = {INT, 32},
    [PT_I16] = {INT, 16},     [PT_I8] = {INT, 8},       [PT_U8] = {UINT, 8},
    [PT_BOOL] = {BOOL, 8},    [PT_C64] = {COMPLEX, 64}, [PT_C128] = {COMPLEX, 128},
};

/* ---- out ---- */

/* Both structs, whichever the taker wants, and what they point at. A parcel holds the memory: takers may be in any
   thread. */
typedef struct export {
  struct DLManagedTensorVersioned versioned;
  struct DLManagedTensor plain;
  pt_parcel *parcel;
  int64_t shape[PT_MAX_DIM], strides[PT_MAX_DIM];
}
export;

static void drop(export *e) {
  pt_parcel_free(e->parcel);
  free(e);
}
static void delete_versioned(struct DLManagedTensorVersioned *self) { drop(self->manager_ctx); }
static void delete_plain(struct DLManagedTensor *self) { drop(self->manager_ctx); }

static export *export_of(pt_tensor *x) {
  if (x == NULL) return NULL;
  if (pt_requires_grad(x))
    return pti_fail(PT_EGRAD, "to_dlpack: x requires grad; export x.detach()");
  int cuda = pti_dev(x) == 0 ? -1 : pti_device_at(pti_dev(x))->index;
  if (cuda >= 0 && pti_device_at(pti_dev(x))->name[0] != 'c')
    return pti_fail(PT_EDEVICE, "to_dlpack: other libraries do not know the device %s",
                    pt_device_name(pti_dev(x)));
  /* Both sides see writes from now on. */
  if (!pt_share_memory(x)) return NULL;
  export *e = calloc(1, sizeof *e);
  if (e == NULL) return pti_fail(PT_EMEMORY, "to_dlpack: out of memory");
  if ((e->parcel = pt_pack(x)) == NULL) {
    free(e);
    return NULL;
  }
  for (int d = 0; d < x->nd; d++) {
    e->shape[d] = x->size[d];
    e->strides[d] = x->stride[d];
  }
  dl_tensor dl = {.data = pti_ptr(x),
                  .device_type = cuda < 0 ? CPU : CUDA,
                  .device_id = cuda < 0 ? 0 : cuda,
                  .ndim = x->nd,
                  .dtype = {types[x->dtype].code, types[x->dtype].bits, 1},
                  .shape = e->shape,
                  .strides = e->strides};
  e->versioned = (struct DLManagedTensorVersioned){
      .version = {MAJOR, MINOR}, .manager_ctx = e, .deleter = delete_versioned, .dl = dl};
  e->plain = (struct DLManagedTensor){.dl = dl, .manager_ctx = e, .deleter = delete_plain};
  return e;
}

struct DLManagedTensorVersioned *pt_to_dlpack(pt_tensor *x) {
  export *e = export_of(x);
  return e ? &e->versioned : NULL;
}
struct DLManagedTensor *pt_to_dlpack_unversioned(pt_tensor *x) {
  export *e = export_of(x);
  return e ? &e->plain : NULL;
}

/* ---- in ---- */

static int dtype_of(const dl_tensor *dl) {
  for (int d = 0; d < PT_NDTYPE; d++) {
    if (dl->dtype.lanes == 1 && types[d].code == dl->dtype.code && types[d].bits == dl->dtype.bits)
      return d;
  }
  pti_fail(PT_EDTYPE, "from_dlpack: elements of type %d with %d bits and %d lanes are not known",
           dl->dtype.code, dl->dtype.bits, dl->dtype.lanes);
  return -1;
}

/* Calls release(ud) once, on failure too. */
static pt_tensor *import(const dl_tensor *dl, void (*release)(void *ud), void *ud) {
  int dtype = dtype_of(dl);
  bool fine = dtype >= 0 && dl->ndim >= 0 && dl->ndim <= PT_MAX_DIM && dl->device_type == CPU;
  if (dtype >= 0 && !fine)
    pti_fail(
        dl->device_type == CPU ? PT_ESHAPE : PT_EDEVICE,
        "from_dlpack: a tensor of %d dims on a device of type %d; up to %d dims on the CPU can be taken",
        (int)dl->ndim, (int)dl->device_type, PT_MAX_DIM);
  if (!fine) {
    release(ud);
    return NULL;
  }
  char *data = (char *)dl->data + dl->byte_offset;
  return pt_from_host_strided(data, dl->shape, dl->strides, dl->ndim, (pt_dtype)dtype, release, ud);
}

static void release_versioned(void *ud) {
  struct DLManagedTensorVersioned *m = ud;
  if (m->deleter) m->deleter(m);
}
static void release_plain(void *ud) {
  struct DLManagedTensor *m = ud;
  if (m->deleter) m->deleter(m);
}

pt_tensor *pt_from_dlpack(struct DLManagedTensorVersioned *m) {
  if (m == NULL) return pti_fail(PT_EARG, "from_dlpack: there is no tensor");
  if (m->version.major == MAJOR && !(m->flags & READ_ONLY))
    return import(&m->dl, release_versioned, m);
  if (m->version.major != MAJOR)
    pti_fail(PT_EARG, "from_dlpack: version %u of DLPack is not known", (unsigned)m->version.major);
  else pti_fail(PT_EARG, "from_dlpack: the tensor is read-only; copy it first");
  release_versioned(m); /* the deleter stays where it is in all versions */
  return NULL;
}
pt_tensor *pt_from_dlpack_unversioned(struct DLManagedTensor *m) {
  return m ? import(&m->dl, release_plain, m)
           : pti_fail(PT_EARG, "from_dlpack: there is no tensor");
}
