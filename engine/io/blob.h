/* blob.h: a stretch of bytes that tensors are read from: a file, a part of one, or data unpacked from it. Offsets
   count from 0, as the formats' own do. Nothing is read beyond the stretch, and nothing is allocated for what it cannot
   hold; failures name the path and the byte. */
#ifndef PTI_BLOB_H
#define PTI_BLOB_H

#include "base.h"
#include "io/element.h"

typedef struct pti_blob pti_blob;

/* A whole file. Mapped: tensors share its pages, which are read when they are first touched, and a write to one stays
   in this process; who shortens or rewrites the file while it is mapped damages them. Where a host opens the files
   (pti_this.files) they are read all the same. */
pti_blob *pti_blob_open(const char *path, bool map);
/* `bytes` from `at`; `name`, which may be NULL, is put behind the path in messages. */
pti_blob *pti_blob_part(pti_blob *b, int64_t at, int64_t bytes, const char *name);
/* What `packed` bytes from `at` unpack to, `bytes` of it (deflate, without a header). Blobs of one file unpack to no
   more than 64 MB and 16 times its size. */
pti_blob *pti_blob_inflate(pti_blob *b, int64_t at, int64_t packed, int64_t bytes,
                           const char *name);
/* Tensors made before stay valid. */
void pti_blob_close(pti_blob *b);

int64_t pti_blob_size(const pti_blob *b);
const char *pti_blob_name(const pti_blob *b);
/* "PATH: byte 12: ..."; false. */
bool pti_blob_fail(const pti_blob *b, int64_t at, const char *format, ...) PTI_PRINTF(3, 4);
bool pti_blob_read(const pti_blob *b, void *to, int64_t bytes, int64_t at);
/* A dense tensor of the elements at `at`; `swap`: they are in the other byte order. */
pt_tensor *pti_blob_tensor(const pti_blob *b, const pti_element *e, bool swap, const int64_t *size,
                           int nd, int64_t at);

/* CRC-32 as zip and PNG have it, of what came before (0: nothing) and of `data`. */
uint32_t pti_crc32(uint32_t before, const void *data, size_t bytes);
bool pti_blob_crc32(const pti_blob *b, uint32_t *out);

#endif
