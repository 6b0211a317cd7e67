/* image.c: images as PNG and JPEG, in memory: which format it is, which modes there are, and tensors (channels,
   height, width) of bytes on our side. png.c and jpeg.c call the libraries. */
#include "io/image.h"

#include <string.h>

#include "op.h"

#if !defined PT_HAVE_PNG || !defined PT_HAVE_JPEG
static void *absent(const char *format, const char *library, const char *package) {
  return pti_fail(PT_EIO, "this build has no %s: install %s (Debian: %s) and build again", format,
                  library, package);
}
#endif
#ifndef PT_HAVE_PNG
static void *no_png(void) { return absent("PNG", "libpng", "libpng-dev"); }
pt_tensor *pti_png_decode(pti_coded *c) { return c ? no_png() : NULL; }
bool pti_png_encode(pti_written *w, const pt_tensor *x, int level) {
  return w && x && level >= 0 && no_png();
}
#endif
#ifndef PT_HAVE_JPEG
static void *no_jpeg(void) { return absent("JPEG", "libjpeg-turbo", "libjpeg62-turbo-dev"); }
pt_tensor *pti_jpeg_decode(pti_coded *c) { return c ? no_jpeg() : NULL; }
bool pti_jpeg_encode(pti_written *w, const pt_tensor *x, int quality) {
  return w && x && quality >= 0 && no_jpeg();
}
#endif

/* ---- reading ---- */

void *pti_coded_fail(const pti_coded *c, const char *what) {
  return pti_fail(PT_EIO, "%s: byte %lld: %s", c->name, (long long)c->at, what);
}

static bool find_mode(const char *name, pti_image_mode *mode) {
  static const char *const modes[] = {"UNCHANGED", "GRAY", "GRAY_ALPHA", "RGB", "RGB_ALPHA"};
  for (size_t i = 0; i < PTI_COUNT(modes); i++) {
    if (strcmp(name, modes[i]) != 0) continue;
    *mode = (pti_image_mode)i;
    return true;
  }
  return pti_refuse(PT_EARG,
                    "mode must be \"UNCHANGED\", \"GRAY\", \"GRAY_ALPHA\", \"RGB\" or "
                    "\"RGB_ALPHA\", got \"%s\"",
                    name);
}

static pt_tensor *decode(pti_coded *c) {
  static const unsigned char png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  if (c->bytes >= 8 && memcmp(c->data, png, 8) == 0) return pti_png_decode(c);
  if (c->bytes >= 3 && memcmp(c->data, "\xff\xd8\xff", 3) == 0) return pti_jpeg_decode(c);
  return pti_coded_fail(c, "neither PNG nor JPEG");
}

pt_tensor *pt_decode_image(pt_tensor *bytes, const char *mode, const char *name) {
  pti_coded c = {.name = name ? name : "the data"};
  pt_tensor *x = NULL;
  if (bytes == NULL) return NULL;
  if (bytes->nd != 1 || bytes->dtype != PT_U8) {
    pti_fail(PT_ESHAPE, "the data must be a vector of uint8, got %s [%s]",
             pt_dtype_name(bytes->dtype), pti_shape_text(bytes));
  } else if (find_mode(mode ? mode : "UNCHANGED", &c.mode)) {
    pt_tensor *dense = pti_dense_of(pti_to_device(bytes, 0));
    if (dense) {
      c.data = (const unsigned char *)pti_ptr(dense);
      c.bytes = dense->numel;
      x = decode(&c);
    }
  }
  return x ? pti_dense_of(pt_permute(x, (int64_t[]){2, 0, 1}, 3)) : NULL;
}

/* ---- writing ---- */

static bool check_image(const pt_tensor *x, int channels) {
  if (x->dtype != PT_U8 || x->nd != 3 || x->numel == 0)
    return pti_refuse(PT_ESHAPE,
                      "the image must be (channels, height, width) of uint8, got %s [%s]",
                      pt_dtype_name(x->dtype), pti_shape_text(x));
  if (channels >> x->size[0] & 1 && x->size[0] < 8) return true;
  return pti_refuse(PT_ESHAPE, "the image has %lld channels, wanted %s", (long long)x->size[0],
                    channels == 10 ? "1 or 3" : "1 to 4");
}

/* The bytes that `encode` makes of x; `channels` has a bit for each allowed number of them. */
static pt_tensor *encode(pti_written *w, pt_tensor *x, int channels, int option,
                         bool (*run)(pti_written *, const pt_tensor *, int)) {
  pt_tensor *y = NULL;
  if (x == NULL) return NULL;
  if (check_image(x, channels)) {
    x = pti_dense_of(pt_permute(pti_to_device(x, 0), (int64_t[]){1, 2, 0}, 3));
    if (x && run(w, x, option))
      y = pt_from_data(w->bytes.data, (int64_t[]){(int64_t)w->bytes.n}, 1, PT_U8);
  }
  pti_bytes_free(&w->bytes);
  if (y == NULL) pti_error_prefix(w->op);
  return y;
}

static bool check_option(const char *op, const char *what, int value, int lo, int hi) {
  if (lo <= value && value <= hi) return true;
  return pti_refuse(PT_EARG, "%s: %s must be %d to %d, got %d", op, what, lo, hi, value);
}

pt_tensor *pt_encode_png(pt_tensor *image, int level) {
  pti_written w = {.op = "encode_png"};
  if (!check_option(w.op, "compression_level", level, 0, 9)) return NULL;
  return encode(&w, image, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4, level, pti_png_encode);
}

pt_tensor *pt_encode_jpeg(pt_tensor *image, int quality) {
  pti_written w = {.op = "encode_jpeg"};
  if (!check_option(w.op, "quality", quality, 1, 100)) return NULL;
  return encode(&w, image, 1 << 1 | 1 << 3, quality, pti_jpeg_encode);
}
