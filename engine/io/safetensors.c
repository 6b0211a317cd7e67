/* safetensors.c: named tensors in files that other programs read and write too: 8 bytes with the length of a JSON
   header, the header, then the tensors' bytes without gaps.

   A file is not trusted. Every length is held against the file's size before anything is allocated for it, and what
   was promised must be there exactly once: no holes, overlaps, spare bytes, or names that occur twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "mem.h"
#include "tensor.h"

enum { PREFIX = 8, MAX_HEADER = 100 * 1000 * 1000, MAX_ELEMENT = 16 /* bytes */ };

/* The format has what is stored one by one, but for complex128. */
static const pti_element *element_named(const char *name) {
  const pti_element *e = pti_element_find(name);
  return e && e->count == 1 && e->dtype != PT_C128 ? e : NULL;
}
static const char *name_of(pt_dtype dtype) {
  return dtype == PT_C128 ? NULL : pti_element_of(dtype)->name;
}

/* ---- reading ---- */

typedef struct entry {
  char *name;
  int64_t at; /* of the name in the header */
  const pti_element *element;
  int nd;
  int64_t size[PT_MAX_DIM], begin, end;
} entry;

typedef struct pair {
  char *key, *value;
  int64_t at;
} pair;

struct pt_archive {
  pti_blob *blob;
  char *header; /* names and metadata point into it */
  int64_t header_bytes, data_bytes;
  entry *entry;
  pair *meta;
  int64_t n, cap, nmeta, meta_cap;
};

/* Room for one more element in an array of `cap` elements. */
static void *grow(void *array, int64_t n, int64_t *cap, size_t size) {
  if (n < *cap) return array;
  int64_t wanted = *cap ? *cap * 2 : 16;
  void *bigger = pti_alloc((size_t)wanted * size);
  if (bigger == NULL) return NULL;
  if (n) memcpy(bigger, array, (size_t)n * size);
  pti_free(array, (size_t)*cap * size);
  *cap = wanted;
  return bigger;
}

static bool read_meta(pti_json *j, pt_archive *a) {
  bool more;
  pair p;
  if (!pti_json_open(j, '{')) return false;
  while (pti_json_key(j, &more, &p.key, &p.at)) {
    if (!more) return true;
    if (!pti_json_string(j, &p.value)) return false;
    pair *room = grow(a->meta, a->nmeta, &a->meta_cap, sizeof p);
    if (room == NULL) return false;
    a->meta = room;
    a->meta[a->nmeta++] = p;
  }
  return false;
}

static bool read_dtype(pti_json *j, entry *e) {
  int64_t at = j->at;
  char *name;
  if (!pti_json_string(j, &name)) return false;
  e->element = element_named(name);
  return e->element || pti_json_fail(j, at, "unknown dtype \"%.16s\"", name);
}

static bool read_counts(pti_json *j, int64_t *out, int max, int *n) {
  bool more;
  int64_t at = j->at;
  if (!pti_json_open(j, '[')) return false;
  for (*n = 0; pti_json_item(j, &more);) {
    if (!more) return true;
    if (*n == max) return pti_json_fail(j, at, "more than %d numbers in this list", max);
    if (!pti_json_count(j, &out[(*n)++])) return false;
  }
  return false;
}

/* Whether shape, dtype and place of an entry agree with each other and with the file. */
static bool check_entry(pti_json *j, const pt_archive *a, const entry *e) {
  int64_t bytes = e->element->bytes;
  for (int d = 0; d < e->nd; d++) {
    if (!pti_mul(bytes, e->size[d], &bytes)) {
      return pti_json_fail(j, e->at, "tensor \"%.64s\": shape [%s] overflows", e->name,
                           pti_sizes_text(e->size, e->nd));
    }
  }
  if (e->begin > e->end || e->end > a->data_bytes) {
    return pti_json_fail(j, e->at,
                         "tensor \"%.64s\": data_offsets [%lld, %lld] leave the %lld bytes of data",
                         e->name, (long long)e->begin, (long long)e->end, (long long)a->data_bytes);
  }
  if (bytes == e->end - e->begin) return true;
  return pti_json_fail(j, e->at,
                       "tensor \"%.64s\": %s [%s] takes %lld bytes, data_offsets hold %lld",
                       e->name, e->element->name, pti_sizes_text(e->size, e->nd), (long long)bytes,
                       (long long)(e->end - e->begin));
}

static bool read_entry(pti_json *j, const pt_archive *a, entry *e) {
  enum { DTYPE = 1, SHAPE = 2, OFFSETS = 4 };
  bool more = true, ok = pti_json_open(j, '{');
  int seen = 0, what, n;
  char *key;
  int64_t at, offsets[2];
  while (ok && (ok = pti_json_key(j, &more, &key, &at)) && more) {
    what = !strcmp(key, "dtype")       ? DTYPE
        : !strcmp(key, "shape")        ? SHAPE
        : !strcmp(key, "data_offsets") ? OFFSETS
                                       : 0;
    if (what == 0) return pti_json_fail(j, at, "unknown key \"%.32s\" of a tensor", key);
    if (seen & what) return pti_json_fail(j, at, "key \"%s\" occurs twice", key);
    seen |= what;
    if (what == DTYPE) ok = read_dtype(j, e);
    if (what == SHAPE) ok = read_counts(j, e->size, PT_MAX_DIM, &e->nd);
    if (what == OFFSETS) {
      ok = read_counts(j, offsets, 2, &n);
      if (ok && n != 2) return pti_json_fail(j, at, "data_offsets are two numbers");
    }
  }
  if (!ok) return false;
  if (seen != (DTYPE | SHAPE | OFFSETS)) {
    return pti_json_fail(j, e->at, "tensor \"%.64s\" lacks %s", e->name,
                         seen & DTYPE ? seen & SHAPE ? "data_offsets" : "shape" : "dtype");
  }
  e->begin = offsets[0];
  e->end = offsets[1];
  return check_entry(j, a, e);
}

static bool read_header(pti_json *j, pt_archive *a) {
  bool more;
  entry e;
  if (!pti_json_open(j, '{')) return false;
  while (pti_json_key(j, &more, &e.name, &e.at)) {
    if (!more) return pti_json_end(j);
    if (strcmp(e.name, "__metadata__") == 0) {
      if (a->nmeta) return pti_json_fail(j, e.at, "\"__metadata__\" occurs twice");
      if (!read_meta(j, a)) return false;
      continue;
    }
    entry *room = read_entry(j, a, &e) ? grow(a->entry, a->n, &a->cap, sizeof e) : NULL;
    if (room == NULL) return false;
    a->entry = room;
    a->entry[a->n++] = e;
  }
  return false;
}

static int by_name(const void *x, const void *y) {
  const entry *a = *(entry *const *)x, *b = *(entry *const *)y;
  int order = strcmp(a->name, b->name);
  return order ? order : (a->at > b->at) - (a->at < b->at);
}
static int by_place(const void *x, const void *y) {
  const entry *a = *(entry *const *)x, *b = *(entry *const *)y;
  if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
  return (a->end > b->end) - (a->end < b->end);
}
static int by_key(const void *x, const void *y) {
  const pair *a = x, *b = y;
  int order = strcmp(a->key, b->key);
  return order ? order : (a->at > b->at) - (a->at < b->at);
}

/* Names occur once, and the tensors cover the data without holes and overlaps. */
static bool check_whole(pti_json *j, pt_archive *a, entry **sorted) {
  for (int64_t i = 0; i < a->n; i++) sorted[i] = &a->entry[i];
  qsort(sorted, (size_t)a->n, sizeof *sorted, by_name);
  for (int64_t i = 1; i < a->n; i++) {
    if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0) {
      return pti_json_fail(j, sorted[i]->at, "tensor \"%.64s\" occurs twice", sorted[i]->name);
    }
  }
  qsort(sorted, (size_t)a->n, sizeof *sorted, by_place);
  int64_t end = 0;
  for (int64_t i = 0; i < a->n; i++) {
    const entry *e = sorted[i];
    if (e->begin != end) {
      return pti_json_fail(
          j, e->at, "tensor \"%.64s\" begins at %lld of the data, the one before ends at %lld",
          e->name, (long long)e->begin, (long long)end);
    }
    end = e->end;
  }
  if (end != a->data_bytes) {
    return pti_json_fail(j, j->n + end, "%lld bytes belong to no tensor",
                         (long long)(a->data_bytes - end));
  }
  if (a->nmeta > 1) qsort(a->meta, (size_t)a->nmeta, sizeof *a->meta, by_key);
  for (int64_t i = 1; i < a->nmeta; i++) {
    if (strcmp(a->meta[i - 1].key, a->meta[i].key) == 0) {
      return pti_json_fail(j, a->meta[i].at, "key \"%.64s\" occurs twice", a->meta[i].key);
    }
  }
  return true;
}

static bool read_archive(pt_archive *a) {
  uint64_t length = 0;
  int64_t size = pti_blob_size(a->blob);
  if (size < PREFIX) {
    return pti_blob_fail(a->blob, size, "too short for a safetensors file");
  }
  if (!pti_blob_read(a->blob, &length, PREFIX, 0)) return false;
  if (length > MAX_HEADER || (int64_t)length > size - PREFIX) {
    return pti_blob_fail(a->blob, 0,
                         "a header of %llu bytes is announced; the file has %lld, %d are allowed",
                         (unsigned long long)length, (long long)(size - PREFIX), MAX_HEADER);
  }
  a->data_bytes = size - PREFIX - (int64_t)length;
  a->header = pti_alloc((size_t)length);
  if (a->header == NULL) return false;
  a->header_bytes = (int64_t)length;
  if (!pti_blob_read(a->blob, a->header, a->header_bytes, PREFIX)) return false;
  pti_json j = {
      .path = pti_blob_name(a->blob), .base = PREFIX, .text = a->header, .n = a->header_bytes};
  if (!read_header(&j, a)) return false;
  entry **sorted = pti_alloc((size_t)a->n * sizeof *sorted);
  bool ok = sorted && check_whole(&j, a, sorted);
  pti_free(sorted, (size_t)a->n * sizeof *sorted);
  return ok;
}

pt_archive *pti_archive_over(pti_blob *blob) {
  pt_archive *a = blob ? pti_alloc(sizeof *a) : NULL;
  if (a == NULL) {
    pti_blob_close(blob);
    return NULL;
  }
  *a = (pt_archive){.blob = blob};
  if (read_archive(a)) return a;
  pt_archive_close(a);
  return NULL;
}

pt_archive *pt_archive_open(const char *path) {
  pt_archive *a = pti_archive_over(pti_blob_open(path, false));
  if (a == NULL) pti_error_prefix("load");
  return a;
}

void pt_archive_close(pt_archive *a) {
  if (a == NULL) return;
  pti_blob_close(a->blob);
  pti_free(a->header, (size_t)a->header_bytes);
  pti_free(a->entry, (size_t)a->cap * sizeof *a->entry);
  pti_free(a->meta, (size_t)a->meta_cap * sizeof *a->meta);
  pti_free(a, sizeof *a);
}

int64_t pt_archive_count(const pt_archive *a) { return a->n; }
const char *pt_archive_name(const pt_archive *a, int64_t i) {
  return i >= 0 && i < a->n ? a->entry[i].name : NULL;
}
const char *pt_archive_meta(const pt_archive *a, int64_t i, const char **value) {
  if (i < 0 || i >= a->nmeta) return NULL;
  *value = a->meta[i].value;
  return a->meta[i].key;
}

const pti_element *pti_archive_entry(const pt_archive *a, int64_t i, const int64_t **size, int *nd,
                                     int64_t *at) {
  const entry *e = &a->entry[i];
  *size = e->size;
  *nd = e->nd;
  *at = PREFIX + a->header_bytes + e->begin;
  return e->element;
}

pt_tensor *pt_archive_tensor(const pt_archive *a, int64_t i) {
  const int64_t *size;
  int64_t at;
  int nd;
  if (i < 0 || i >= a->n)
    return pti_fail(PT_EINDEX, "archive: entry %lld of %lld", (long long)i, (long long)a->n);
  const pti_element *e = pti_archive_entry(a, i, &size, &nd, &at);
  pt_tensor *x = pti_blob_tensor(a->blob, e, false, size, nd, at);
  if (x == NULL) pti_error_prefix("load");
  return x;
}

/* ---- writing ---- */

typedef struct text {
  char *p;
  size_t n, cap;
} text;

static bool put(text *t, const char *s, size_t n) {
  if (t->n + n > t->cap) {
    size_t cap = (t->n + n) * 2;
    char *p = pti_alloc(cap);
    if (p == NULL) return false;
    if (t->n) memcpy(p, t->p, t->n);
    pti_free(t->p, t->cap);
    t->p = p;
    t->cap = cap;
  }
  memcpy(t->p + t->n, s, n);
  t->n += n;
  return true;
}

static bool put_format(text *t, const char *format, ...) PTI_PRINTF(2, 3);
static bool put_format(text *t, const char *format, ...) {
  char line[PT_MAX_DIM * 21 + 96];
  va_list list;
  va_start(list, format);
  int n = vsnprintf(line, sizeof line, format, list);
  va_end(list);
  return put(t, line, (size_t)n);
}

static bool put_string(text *t, const char *s) {
  int64_t left = (int64_t)strlen(s);
  bool ok = put(t, "\"", 1);
  while (ok && left > 0) {
    int length = pti_utf8_length((const unsigned char *)s, left);
    if (length == 0) return pti_refuse(PT_EARG, "save: the name \"%.64s\" is not UTF-8", s);
    bool plain = (unsigned char)*s >= 0x20 && *s != '"' && *s != '\\';
    ok = plain ? put(t, s, (size_t)length) : put_format(t, "\\u%04x", (unsigned)(unsigned char)*s);
    s += length;
    left -= length;
  }
  return ok && put(t, "\"", 1);
}

static bool put_meta(text *t, const char *const *meta) {
  bool ok = true;
  for (; ok && meta && meta[0]; meta += 2) {
    ok = put_format(t, t->n == 1 ? "\"__metadata__\":{" : ",") && put_string(t, meta[0]) &&
        put(t, ":", 1) && put_string(t, meta[1]) && (meta[2] || put(t, "}", 1));
  }
  return ok;
}

/* The header, padded so that the data begins at a multiple of 8. Tensors stand in the order given; their data by
   falling size of element, so that each is aligned. */
static bool put_header(text *t, const char *const *name, pt_tensor *const *x, int n,
                       const char *const *meta) {
  int64_t at[MAX_ELEMENT + 1] = {0}; /* where the next tensor of that size of element goes */
  for (int i = 0; i < n; i++) {
    for (size_t smaller = 1; smaller < pti_esize(x[i]); smaller *= 2)
      at[smaller] += x[i]->numel * (int64_t)pti_esize(x[i]);
  }
  bool ok = put(t, "{", 1) && put_meta(t, meta);
  for (int i = 0; ok && i < n; i++) {
    size_t size = pti_esize(x[i]);
    int64_t begin = at[size], end = at[size] += x[i]->numel * (int64_t)size;
    ok = (t->n == 1 || put(t, ",", 1)) && put_string(t, name[i]) &&
        put_format(t, ":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%lld,%lld]}",
                   name_of(x[i]->dtype), pti_shape_text(x[i]), (long long)begin, (long long)end);
  }
  ok = ok && put(t, "}", 1);
  while (ok && t->n % 8) ok = put(t, " ", 1);
  if (ok && t->n > MAX_HEADER)
    return pti_refuse(PT_EARG, "save: the names take more than %d bytes", MAX_HEADER);
  return ok;
}

static int by_text(const void *x, const void *y) {
  return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static bool check_save(const char *const *name, pt_tensor *const *x, int n, const char **sorted) {
  for (int i = 0; i < n; i++) {
    if (x[i] == NULL) return false;
    sorted[i] = name[i];
    if (strcmp(name[i], "__metadata__") == 0)
      return pti_refuse(PT_EARG, "save: the name __metadata__ is taken");
    if (name_of(x[i]->dtype) == NULL) {
      return pti_refuse(PT_EDTYPE, "save: %.64s is %s, which the format does not know", name[i],
                        pt_dtype_name(x[i]->dtype));
    }
  }
  qsort(sorted, (size_t)n, sizeof *sorted, by_text);
  for (int i = 1; i < n; i++) {
    if (strcmp(sorted[i - 1], sorted[i]) == 0) {
      return pti_refuse(PT_EARG, "save: the name \"%.64s\" occurs twice", sorted[i]);
    }
  }
  return true;
}

static bool write_tensor(pti_outfile *f, pt_tensor *x) {
  pt_scope scope = pt_scope_begin();
  pt_tensor *dense = pti_dense_of(pti_dev(x) == 0 ? x : pti_to_device(x, 0));
  bool ok = dense && pti_outfile_write(f, pti_ptr(dense), (size_t)dense->numel * pti_esize(dense));
  pt_scope_end(scope);
  return ok;
}

static bool write_all(const char *path, const text *t, pt_tensor *const *x, int n) {
  pti_outfile f;
  uint64_t length = t->n;
  if (!pti_outfile_open(&f, path)) return false;
  bool ok = pti_outfile_write(&f, &length, PREFIX) && pti_outfile_write(&f, t->p, t->n);
  for (size_t size = MAX_ELEMENT; size > 0; size /= 2) {
    for (int i = 0; ok && i < n; i++) {
      if (pti_esize(x[i]) == size) ok = write_tensor(&f, x[i]);
    }
  }
  return pti_outfile_close(&f, ok);
}

bool pt_save(const char *path, const char *const *name, pt_tensor *const *x, int n,
             const char *const *meta) {
  text t = {NULL, 0, 0};
  const char **sorted = pti_alloc((size_t)n * sizeof *sorted);
  bool ok = sorted && check_save(name, x, n, sorted) && put_header(&t, name, x, n, meta) &&
      write_all(path, &t, x, n);
  pti_free(sorted, (size_t)n * sizeof *sorted);
  pti_free(t.p, t.cap);
  if (!ok) pti_error_prefix("save");
  return ok;
}
