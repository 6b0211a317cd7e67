/* image.h: what image.c shares with the formats. A format's library is opened when it is first needed, so that programs
   without images neither link nor load it; its header decides at build time whether the format is known at all. */
#ifndef PTI_IMAGE_H
#define PTI_IMAGE_H

#include <setjmp.h>

#include "io/bytes.h"
#include "io/library.h"
#include "tensor.h"

typedef enum pti_image_mode {
  PTI_UNCHANGED,
  PTI_GRAY,
  PTI_GRAY_ALPHA,
  PTI_RGB,
  PTI_RGB_ALPHA
} pti_image_mode;

/* An encoded image, how far it was read, and where to go when the library fails. */
typedef struct pti_coded {
  const char *name; /* the path, for messages */
  const unsigned char *data;
  int64_t bytes, at;
  pti_image_mode mode;
  jmp_buf back;
} pti_coded;

/* What an encoder has written so far. */
typedef struct pti_written {
  const char *op;
  pti_bytes bytes;
  jmp_buf back;
} pti_written;

/* "NAME: byte 12: what"; NULL. */
void *pti_coded_fail(const pti_coded *c, const char *what);

/* (height, width, channels) of bytes out of c, of sizes that the file's length makes believable. */
pt_tensor *pti_png_decode(pti_coded *c);
pt_tensor *pti_jpeg_decode(pti_coded *c);
/* x dense (height, width, channels); false after a failure. */
bool pti_png_encode(pti_written *w, const pt_tensor *x, int level);
bool pti_jpeg_encode(pti_written *w, const pt_tensor *x, int quality);

#endif
