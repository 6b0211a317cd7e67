/* safetensors.h: what pt.load reads of a safetensors file: its directory; the tensors are the blob's (blob.h). */
#ifndef PTI_SAFETENSORS_H
#define PTI_SAFETENSORS_H

#include "io/blob.h"

/* Takes over the blob, also on failure. */
pt_archive *pti_archive_over(pti_blob *blob);
/* Entry i, which is there: what it is stored as, its sizes, and where in the file. */
const pti_element *pti_archive_entry(const pt_archive *a, int64_t i, const int64_t **size, int *nd,
                                     int64_t *at);

#endif
