/* png.c: PNG through libpng. The file is not trusted: its sizes are held against its length before memory is taken, and
   libpng's errors come back by longjmp with the byte they stand at. What lives across a jump is in structs. */
#ifdef PT_HAVE_PNG
#include <string.h>

#include <png.h>

#include "io/image.h"

enum { INFLATE = 1032 /* deflate makes at most so many bytes of one */ };

#define NAMES(X)                \
  X(png_create_info_struct)     \
  X(png_create_read_struct)     \
  X(png_create_write_struct)    \
  X(png_destroy_read_struct)    \
  X(png_destroy_write_struct)   \
  X(png_get_IHDR)               \
  X(png_get_channels)           \
  X(png_get_error_ptr)          \
  X(png_get_io_ptr)             \
  X(png_get_rowbytes)           \
  X(png_read_end)               \
  X(png_read_info)              \
  X(png_read_row)               \
  X(png_read_update_info)       \
  X(png_set_IHDR)               \
  X(png_set_add_alpha)          \
  X(png_set_compression_level)  \
  X(png_set_expand)             \
  X(png_set_gray_to_rgb)        \
  X(png_set_interlace_handling) \
  X(png_set_read_fn)            \
  X(png_set_rgb_to_gray_fixed)  \
  X(png_set_scale_16)           \
  X(png_set_strip_alpha)        \
  X(png_set_user_limits)        \
  X(png_set_write_fn)           \
  X(png_write_end)              \
  X(png_write_info)             \
  X(png_write_row)

static struct { NAMES(PTI_LIBRARY_POINTER) } lib;
static const char *const names[] = {NAMES(PTI_LIBRARY_NAME) NULL};
static pti_library library = {.file = "libpng16.so.16",
                              .what = "PNG",
                              .package = "libpng16-16",
                              .at = (void **)&lib,
                              .names = names};

static void no_warning(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

/* ---- reading ---- */

static void read_failed(png_structp png, png_const_charp text) {
  pti_coded *c = lib.png_get_error_ptr(png);
  pti_coded_fail(c, text);
  longjmp(c->back, 1);
}

static void read_bytes(png_structp png, png_bytep to, size_t n) {
  pti_coded *c = lib.png_get_io_ptr(png);
  if ((uint64_t)(c->bytes - c->at) < n) read_failed(png, "the file ends early");
  memcpy(to, c->data + c->at, n);
  c->at += (int64_t)n;
}

/* What libpng makes of the file's samples so that they are bytes of the mode's channels. */
static void set_channels(png_structp png, int colour, pti_image_mode mode) {
  bool alpha = mode == PTI_GRAY_ALPHA || mode == PTI_RGB_ALPHA;
  lib.png_set_expand(png); /* palettes, fewer than 8 bits, transparent colours */
  lib.png_set_scale_16(png);
  lib.png_set_interlace_handling(png);
  if (mode == PTI_UNCHANGED) return;
  if (!alpha) lib.png_set_strip_alpha(png);
  if (mode >= PTI_RGB) lib.png_set_gray_to_rgb(png);
  else if (colour & PNG_COLOR_MASK_COLOR) lib.png_set_rgb_to_gray_fixed(png, 1, 29890, 58700);
  if (alpha) lib.png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
}

typedef struct reading {
  pti_coded *c;
  png_structp png;
  png_infop info;
  pt_tensor *x;
} reading;

static bool read_rows(reading *r, png_uint_32 height, int passes) {
  size_t row = lib.png_get_rowbytes(r->png, r->info);
  for (int pass = 0; pass < passes; pass++) {
    for (png_uint_32 y = 0; y < height; y++) {
      if (y % 64 == 0 && !pti_poll()) return false;
      lib.png_read_row(r->png, (png_bytep)pti_ptr(r->x) + y * row, NULL);
    }
  }
  lib.png_read_end(r->png, NULL);
  return true;
}

static bool read_image(reading *r) {
  if (setjmp(r->c->back)) return false;
  png_uint_32 width, height;
  int depth, colour, interlace;
  lib.png_set_read_fn(r->png, r->c, read_bytes);
  lib.png_set_user_limits(r->png, INT32_MAX, INT32_MAX);
  lib.png_read_info(r->png, r->info);
  lib.png_get_IHDR(r->png, r->info, &width, &height, &depth, &colour, &interlace, NULL, NULL);
  if (lib.png_get_rowbytes(r->png, r->info) > (uint64_t)INFLATE * (uint64_t)r->c->bytes / height) {
    r->c->at = 16; /* where the sizes stand */
    pti_coded_fail(r->c, "the file is too short for its width and height");
    return false;
  }
  set_channels(r->png, colour, r->c->mode);
  lib.png_read_update_info(r->png, r->info);
  int64_t size[3] = {height, width, lib.png_get_channels(r->png, r->info)};
  r->x = pti_new(size, 3, PT_U8, 0);
  return r->x && read_rows(r, height, interlace == PNG_INTERLACE_NONE ? 1 : 7);
}

pt_tensor *pti_png_decode(pti_coded *c) {
  reading r = {.c = c};
  if (!pti_library_open(&library)) return NULL;
  r.png = lib.png_create_read_struct(PNG_LIBPNG_VER_STRING, c, read_failed, no_warning);
  r.info = r.png ? lib.png_create_info_struct(r.png) : NULL;
  bool ok = false;
  if (r.info) ok = read_image(&r);
  else pti_fail(PT_EMEMORY, "out of memory");
  if (r.png) lib.png_destroy_read_struct(&r.png, &r.info, NULL);
  return ok ? r.x : NULL;
}

/* ---- writing ---- */

static void write_failed(png_structp png, png_const_charp text) {
  pti_written *w = lib.png_get_error_ptr(png);
  pti_fail(PT_EIO, "%s", text);
  longjmp(w->back, 1);
}

static void write_bytes(png_structp png, png_bytep from, size_t n) {
  pti_written *w = lib.png_get_io_ptr(png);
  unsigned char *to = pti_bytes_add(&w->bytes, n);
  if (to == NULL) longjmp(w->back, 1);
  memcpy(to, from, n);
}

static bool write_image(pti_written *w, png_structp png, png_infop info, const pt_tensor *x,
                        int level) {
  static const int colours[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
  if (setjmp(w->back)) return false;
  if (x->size[0] > INT32_MAX || x->size[1] > INT32_MAX) write_failed(png, "the image is too large");
  lib.png_set_user_limits(png, INT32_MAX, INT32_MAX);
  lib.png_set_write_fn(png, w, write_bytes, NULL);
  lib.png_set_compression_level(png, level);
  lib.png_set_IHDR(png, info, (png_uint_32)x->size[1], (png_uint_32)x->size[0], 8,
                   colours[x->size[2]], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                   PNG_FILTER_TYPE_DEFAULT);
  lib.png_write_info(png, info);
  for (int64_t y = 0; y < x->size[0]; y++) {
    if (y % 64 == 0 && !pti_poll()) return false;
    lib.png_write_row(png, (png_const_bytep)pti_ptr(x) + y * x->size[1] * x->size[2]);
  }
  lib.png_write_end(png, NULL);
  return true;
}

bool pti_png_encode(pti_written *w, const pt_tensor *x, int level) {
  if (!pti_library_open(&library)) return false;
  png_structp png = lib.png_create_write_struct(PNG_LIBPNG_VER_STRING, w, write_failed, no_warning);
  png_infop info = png ? lib.png_create_info_struct(png) : NULL;
  bool ok = info ? write_image(w, png, info, x, level) : false;
  if (info == NULL) pti_fail(PT_EMEMORY, "out of memory");
  if (png) lib.png_destroy_write_struct(&png, &info);
  return ok;
}
#endif
