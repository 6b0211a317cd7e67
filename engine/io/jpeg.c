/* jpeg.c: JPEG through libjpeg-turbo, under the rules of png.c. What the library calls a warning but is lost data (a file
   that ends, a code that does not exist) is an error here. */
#ifdef PT_HAVE_JPEG
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "io/image.h"

enum { SCANS = 200 /* a progressive file may redo the whole image in each; honest ones have 10 */ };

#define NAMES(X)             \
  X(jpeg_CreateCompress)     \
  X(jpeg_CreateDecompress)   \
  X(jpeg_destroy_compress)   \
  X(jpeg_destroy_decompress) \
  X(jpeg_finish_compress)    \
  X(jpeg_finish_decompress)  \
  X(jpeg_read_header)        \
  X(jpeg_read_scanlines)     \
  X(jpeg_resync_to_restart)  \
  X(jpeg_set_defaults)       \
  X(jpeg_set_quality)        \
  X(jpeg_start_compress)     \
  X(jpeg_start_decompress)   \
  X(jpeg_std_error)          \
  X(jpeg_write_scanlines)

static struct { NAMES(PTI_LIBRARY_POINTER) } lib;
static const char *const names[] = {NAMES(PTI_LIBRARY_NAME) NULL};
static pti_library library = {.file = "libjpeg.so.62",
                              .what = "JPEG",
                              .package = "libjpeg62-turbo",
                              .at = (void **)&lib,
                              .names = names};

/* ---- reading ---- */

typedef struct reading {
  struct jpeg_decompress_struct jpeg; /* first: the callbacks find the rest through it */
  struct jpeg_error_mgr errors;
  struct jpeg_source_mgr source;
  struct jpeg_progress_mgr progress;
  pti_coded *c;
  pt_tensor *x;
} reading;

static void place(reading *r) { r->c->at = r->c->bytes - (int64_t)r->source.bytes_in_buffer; }

static void read_stop(reading *r, const char *text) {
  place(r);
  pti_coded_fail(r->c, text);
  longjmp(r->c->back, 1);
}

static void read_failed(j_common_ptr jpeg) {
  char text[JMSG_LENGTH_MAX];
  jpeg->err->format_message(jpeg, text);
  read_stop((reading *)jpeg, text);
}

static void read_warned(j_common_ptr jpeg, int level) {
  if (level >= 0) return; /* not a warning but a trace */
  switch (jpeg->err->msg_code) {
  case JWRN_HIT_MARKER:
  case JWRN_HUFF_BAD_CODE:
  case JWRN_ARITH_BAD_CODE:
  case JWRN_MUST_RESYNC:
  case JWRN_JPEG_EOF: read_failed(jpeg); break;
  default: break;
  }
}

static void no_source(j_decompress_ptr jpeg) { (void)jpeg; }
static boolean source_ends(j_decompress_ptr jpeg) {
  jpeg->src->bytes_in_buffer = 0; /* the decoder counts in a copy of its own */
  read_stop((reading *)jpeg, "the file ends early");
  return FALSE;
}
static void skip(j_decompress_ptr jpeg, long n) {
  if (n > 0 && (unsigned long)n > jpeg->src->bytes_in_buffer) source_ends(jpeg);
  if (n <= 0) return;
  jpeg->src->next_input_byte += n;
  jpeg->src->bytes_in_buffer -= (size_t)n;
}

static void watch(j_common_ptr jpeg) {
  reading *r = (reading *)jpeg;
  if (r->jpeg.input_scan_number > SCANS) read_stop(r, "the image has too many scans");
  if (!pti_poll()) longjmp(r->c->back, 1);
}

/* The least that a file has for each block of 8 x 8 samples is a bit; arithmetic codes may need a 64th of it. */
static bool believable(const reading *r) {
  const struct jpeg_decompress_struct *j = &r->jpeg;
  uint64_t blocks = 0;
  for (int i = 0; i < j->num_components; i++) {
    uint64_t across = ((uint64_t)j->image_width * (uint64_t)j->comp_info[i].h_samp_factor) / 8;
    uint64_t down = ((uint64_t)j->image_height * (uint64_t)j->comp_info[i].v_samp_factor) / 8;
    blocks += (across / (uint64_t)j->max_h_samp_factor) * (down / (uint64_t)j->max_v_samp_factor);
  }
  return blocks / (j->arith_code ? 8 * 64 : 8) <= (uint64_t)r->c->bytes;
}

/* Chooses the colours to convert to; false if the file has no such mode. */
static bool set_colours(reading *r) {
  struct jpeg_decompress_struct *j = &r->jpeg;
  bool four = j->jpeg_color_space == JCS_CMYK || j->jpeg_color_space == JCS_YCCK;
  switch (r->c->mode) {
  case PTI_UNCHANGED:
    if (j->jpeg_color_space == JCS_YCCK) j->out_color_space = JCS_CMYK;
    return true;
  case PTI_GRAY: j->out_color_space = JCS_GRAYSCALE; break;
  case PTI_RGB: j->out_color_space = JCS_RGB; break;
  default: read_stop(r, "a JPEG has no alpha; read it as \"RGB\" or \"GRAY\"");
  }
  if (four) read_stop(r, "the image is CMYK; read it as \"UNCHANGED\", which gives 4 channels");
  return true;
}

static bool read_image(reading *r) {
  struct jpeg_decompress_struct *j = &r->jpeg;
  if (setjmp(r->c->back)) return false;
  lib.jpeg_CreateDecompress(j, JPEG_LIB_VERSION, sizeof *j);
  j->src = &r->source;
  j->progress = &r->progress;
  lib.jpeg_read_header(j, TRUE);
  if (!believable(r)) read_stop(r, "the file is too short for its width and height");
  if (!set_colours(r)) return false;
  lib.jpeg_start_decompress(j);
  int64_t size[3] = {j->output_height, j->output_width, j->output_components};
  r->x = pti_new(size, 3, PT_U8, 0);
  if (r->x == NULL) return false;
  while (j->output_scanline < j->output_height) {
    JSAMPROW row = (JSAMPROW)pti_ptr(r->x) + j->output_scanline * (size[1] * size[2]);
    lib.jpeg_read_scanlines(j, &row, 1);
  }
  lib.jpeg_finish_decompress(j);
  return true;
}

pt_tensor *pti_jpeg_decode(pti_coded *c) {
  if (!pti_library_open(&library)) return NULL;
  reading r = {.c = c,
               .source = {.next_input_byte = c->data,
                          .bytes_in_buffer = (size_t)c->bytes,
                          .init_source = no_source,
                          .fill_input_buffer = source_ends,
                          .skip_input_data = skip,
                          .resync_to_restart = lib.jpeg_resync_to_restart,
                          .term_source = no_source},
               .progress = {.progress_monitor = watch}};
  r.jpeg.err = lib.jpeg_std_error(&r.errors);
  r.errors.error_exit = read_failed;
  r.errors.emit_message = read_warned;
  bool ok = read_image(&r);
  lib.jpeg_destroy_decompress(&r.jpeg);
  return ok ? r.x : NULL;
}

/* ---- writing ---- */

typedef struct writing {
  struct jpeg_compress_struct jpeg;
  struct jpeg_error_mgr errors;
  struct jpeg_destination_mgr to;
  pti_written *w;
  unsigned char chunk[1 << 14];
} writing;

static void write_failed(j_common_ptr jpeg) {
  char text[JMSG_LENGTH_MAX];
  jpeg->err->format_message(jpeg, text);
  pti_fail(PT_EIO, "%s", text);
  longjmp(((writing *)jpeg)->w->back, 1);
}

static void no_message(j_common_ptr jpeg, int level) {
  (void)jpeg;
  (void)level;
}

static void chunk_begin(j_compress_ptr jpeg) {
  writing *w = (writing *)jpeg;
  w->to.next_output_byte = w->chunk;
  w->to.free_in_buffer = sizeof w->chunk;
}

static void keep(writing *w, size_t n) {
  unsigned char *to = pti_bytes_add(&w->w->bytes, n);
  if (to == NULL) longjmp(w->w->back, 1);
  memcpy(to, w->chunk, n);
}

static boolean chunk_full(j_compress_ptr jpeg) {
  writing *w = (writing *)jpeg;
  keep(w, sizeof w->chunk);
  chunk_begin(jpeg);
  return TRUE;
}

static void chunk_end(j_compress_ptr jpeg) {
  writing *w = (writing *)jpeg;
  keep(w, sizeof w->chunk - w->to.free_in_buffer);
}

static bool write_image(writing *w, const pt_tensor *x, int quality) {
  struct jpeg_compress_struct *j = &w->jpeg;
  if (setjmp(w->w->back)) return false;
  lib.jpeg_CreateCompress(j, JPEG_LIB_VERSION, sizeof *j);
  if (x->size[0] > JPEG_MAX_DIMENSION || x->size[1] > JPEG_MAX_DIMENSION)
    return pti_refuse(PT_EARG, "the image is too large; a JPEG has at most %ld pixels a side",
                      JPEG_MAX_DIMENSION);
  j->dest = &w->to;
  j->image_height = (JDIMENSION)x->size[0];
  j->image_width = (JDIMENSION)x->size[1];
  j->input_components = (int)x->size[2];
  j->in_color_space = x->size[2] == 1 ? JCS_GRAYSCALE : JCS_RGB;
  lib.jpeg_set_defaults(j);
  lib.jpeg_set_quality(j, quality, TRUE);
  lib.jpeg_start_compress(j, TRUE);
  while (j->next_scanline < j->image_height) {
    if (j->next_scanline % 64 == 0 && !pti_poll()) return false;
    JSAMPROW row = (JSAMPROW)pti_ptr(x) + j->next_scanline * (x->size[1] * x->size[2]);
    lib.jpeg_write_scanlines(j, &row, 1);
  }
  lib.jpeg_finish_compress(j);
  return true;
}

bool pti_jpeg_encode(pti_written *out, const pt_tensor *x, int quality) {
  if (!pti_library_open(&library)) return false;
  writing w = {.w = out,
               .to = {.init_destination = chunk_begin,
                      .empty_output_buffer = chunk_full,
                      .term_destination = chunk_end}};
  w.jpeg.err = lib.jpeg_std_error(&w.errors);
  w.errors.error_exit = write_failed;
  w.errors.emit_message = no_message;
  bool ok = write_image(&w, x, quality);
  lib.jpeg_destroy_compress(&w.jpeg);
  return ok;
}
#endif
