/* bytes.h: bytes whose number is not known beforehand. */
#ifndef PTI_BYTES_H
#define PTI_BYTES_H

#include "base.h"

typedef struct pti_bytes {
  unsigned char *data;
  size_t n, room;
} pti_bytes;

/* Space for `n` more, counted as there; NULL with PT_EMEMORY. */
unsigned char *pti_bytes_add(pti_bytes *b, size_t n);
void pti_bytes_free(pti_bytes *b);

#endif
