/* element.h: elements as files store them, and what they become as tensors. Most are a dtype's own bytes; others are
   widened to a dtype that holds all their values, or are blocks of quantised numbers. */
#ifndef PTI_ELEMENT_H
#define PTI_ELEMENT_H

#include "base.h"
#include "dtype.h"

typedef struct pti_element {
  const char *name; /* as safetensors and GGUF spell it */
  pt_dtype dtype;   /* of the tensor */
  int bytes, count; /* of a block, and the elements in it */
  int part;         /* bytes that are swapped together in files of the other byte order */
  /* Blocks to elements; false where the dtype lacks a value. NULL: the bytes stay as they are. */
  bool (*unpack)(const unsigned char *from, void *to, int64_t blocks);
  bool (*pack)(const float *from, unsigned char *to, int64_t blocks); /* NULL: nothing packs them */
} pti_element;

/* NULL where the name is unknown. */
const pti_element *pti_element_find(const char *name);
/* What the dtype's own bytes are called. */
const pti_element *pti_element_of(pt_dtype dtype);
/* The bytes that a tensor of these sizes takes, blocks along the last dim; false, with the error recorded, where
   they overflow or are no whole blocks. */
bool pti_element_bytes(const pti_element *e, const int64_t *size, int nd, int64_t *bytes);
/* Reverses each group of `width` bytes. */
void pti_swap_bytes(void *data, int64_t bytes, int width);

#endif
