/* lua_blob.c: what the formats in Lua are made of: stretches of files from which strings and tensors are read, new
   files, the directory of a safetensors file. Offsets count from 0, as those of the formats. Every length is checked by
   the engine (io/blob.c); what Lua passes here may come from a file. */
#include <string.h>

#include "binding.h"
#include "io/blob.h"
#include "io/file.h"
#include "io/safetensors.h"
#include "tensor.h"

enum { MAX_STRING = 1 << 30 };

/* ---- blobs ---- */

typedef struct blob_box {
  pti_blob *blob;
  const char *op; /* the function for which it was opened, for messages; kept by the registry */
} blob_box;

static int raise_for(lua_State *L, const char *op) {
  pti_error_prefix(op);
  return pl_raise(L);
}

static int close_blob(lua_State *L) {
  blob_box *b = luaL_checkudata(L, 1, "pt.Blob");
  pti_blob_close(b->blob);
  b->blob = NULL;
  return 0;
}

static blob_box *check_blob(lua_State *L) {
  blob_box *b = luaL_checkudata(L, 1, "pt.Blob");
  if (b->blob == NULL) pl_error(L, PT_EARG, "%s: the file is closed", b->op);
  return b;
}

static blob_box *new_blob(lua_State *L, const char *op) {
  blob_box *b = lua_newuserdatauv(L, sizeof *b, 0);
  *b = (blob_box){.op = op};
  luaL_setmetatable(L, "pt.Blob");
  return b;
}

/* The name of a function, kept for as long as the state lives: there are few. */
static const char *intern(lua_State *L, int i) {
  const char *text = luaL_checkstring(L, i);
  lua_pushvalue(L, i);
  lua_pushboolean(L, 1);
  lua_rawset(L, lua_upvalueindex(1));
  return text;
}

static const char *check_path(lua_State *L, int i, const char *op) {
  size_t length;
  if (lua_type(L, i) != LUA_TSTRING)
    pl_error(L, PT_EARG, "%s: the path must be a string, got %s", op, pl_describe(L, i));
  const char *text = lua_tolstring(L, i, &length);
  if (strlen(text) != length) pl_error(L, PT_EARG, "%s: the path must not contain a zero byte", op);
  return text;
}

/* core.open_file(op, path, map) -> blob */
static int open_file(lua_State *L) {
  const char *op = intern(L, 1), *path = check_path(L, 2, op);
  blob_box *b = new_blob(L, op);
  b->blob = pti_blob_open(path, lua_toboolean(L, 3));
  return b->blob ? 1 : raise_for(L, op);
}

/* blob:part(at, bytes, name), blob:inflate(at, packed, bytes, name) -> blob */
static int part(lua_State *L) {
  const blob_box *from = check_blob(L);
  int64_t at = luaL_checkinteger(L, 2), bytes = luaL_checkinteger(L, 3);
  const char *name = luaL_optstring(L, 4, NULL);
  blob_box *b = new_blob(L, from->op);
  b->blob = pti_blob_part(from->blob, at, bytes, name);
  return b->blob ? 1 : raise_for(L, b->op);
}
static int inflate(lua_State *L) {
  const blob_box *from = check_blob(L);
  int64_t at = luaL_checkinteger(L, 2), packed = luaL_checkinteger(L, 3);
  int64_t bytes = luaL_checkinteger(L, 4);
  const char *name = luaL_optstring(L, 5, NULL);
  blob_box *b = new_blob(L, from->op);
  b->blob = pti_blob_inflate(from->blob, at, packed, bytes, name);
  return b->blob ? 1 : raise_for(L, b->op);
}

static int size(lua_State *L) {
  lua_pushinteger(L, pti_blob_size(check_blob(L)->blob));
  return 1;
}
static int name(lua_State *L) {
  lua_pushstring(L, pti_blob_name(check_blob(L)->blob));
  return 1;
}

/* blob:bytes(at, n) -> string */
static int bytes(lua_State *L) {
  const blob_box *b = check_blob(L);
  int64_t at = luaL_checkinteger(L, 2), n = luaL_checkinteger(L, 3);
  if (n < 0 || n > MAX_STRING || at < 0 || at > pti_blob_size(b->blob) ||
      n > pti_blob_size(b->blob) - at) {
    pti_blob_fail(b->blob, at, "%lld bytes are to stand here, of %lld in all", (long long)n,
                  (long long)pti_blob_size(b->blob));
    return raise_for(L, b->op);
  }
  luaL_Buffer buffer;
  char *to = luaL_buffinitsize(L, &buffer, (size_t)n);
  bool ok = pti_blob_read(b->blob, to, n, at);
  luaL_pushresultsize(&buffer, ok ? (size_t)n : 0);
  return ok ? 1 : raise_for(L, b->op);
}

/* A string of the file in a message: 60 bytes at most, whole characters, none that controls a terminal. */
static void push_shown(lua_State *L, int i) {
  enum { MOST = 60 };
  size_t n;
  char shown[MOST];
  const char *text = lua_tolstring(L, i, &n);
  if (n > MOST) {
    for (n = MOST; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; n--) {}
  }
  for (size_t k = 0; k < n; k++) shown[k] = (unsigned char)text[k] < 32 ? '?' : text[k];
  lua_pushlstring(L, shown, n);
}

/* blob:fail(at, format, ...): raises "op: PATH: byte AT: text" */
static int fail(lua_State *L) {
  const blob_box *b = check_blob(L);
  int64_t at = luaL_checkinteger(L, 2);
  luaL_checkstring(L, 3);
  int top = lua_gettop(L);
  lua_getfield(L, 3, "format");
  lua_pushvalue(L, 3);
  for (int i = 4; i <= top; i++) {
    if (lua_type(L, i) == LUA_TSTRING) push_shown(L, i);
    else lua_pushvalue(L, i);
  }
  lua_call(L, top - 2, 1);
  pti_blob_fail(b->blob, at, "%s", lua_tostring(L, -1));
  return raise_for(L, b->op);
}

/* blob:crc32() -> integer */
static int blob_crc32(lua_State *L) {
  const blob_box *b = check_blob(L);
  uint32_t crc;
  if (!pti_blob_crc32(b->blob, &crc)) return raise_for(L, b->op);
  lua_pushinteger(L, crc);
  return 1;
}

/* An element by its name; one that ends in > is in the other byte order. */
static const pti_element *check_element(lua_State *L, int i, const char *op, bool *swap) {
  char text[16];
  size_t n;
  const char *given = luaL_checklstring(L, i, &n);
  *swap = n > 0 && given[n - 1] == '>';
  snprintf(text, sizeof text, "%.*s", (int)(n < 15 ? n - *swap : 15), given);
  const pti_element *e = pti_element_find(text);
  if (e == NULL) pl_error(L, PT_EARG, "%s: unknown elements '%.20s'", op, given);
  return e;
}

/* The list at i as sizes; false, with the error recorded, where it is none. */
static bool read_sizes(lua_State *L, int i, int64_t *out, int *nd) {
  luaL_checktype(L, i, LUA_TTABLE);
  if (lua_rawlen(L, i) > PT_MAX_DIM)
    return pti_refuse(PT_ESHAPE, "a tensor of more than %d dims", PT_MAX_DIM);
  *nd = (int)lua_rawlen(L, i);
  for (int d = 0; d < *nd; d++) {
    lua_rawgeti(L, i, d + 1);
    out[d] = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : -1;
    lua_pop(L, 1);
    if (out[d] < 0) return pti_refuse(PT_ESHAPE, "size %d is no number of elements", d + 1);
  }
  return true;
}

/* blob:tensor(element, sizes, at) -> tensor */
static int tensor(lua_State *L) {
  const blob_box *b = check_blob(L);
  int64_t sizes[PT_MAX_DIM], at = luaL_checkinteger(L, 4);
  int nd = 0;
  bool swap;
  const pti_element *e = check_element(L, 2, b->op, &swap);
  bool ok = read_sizes(L, 3, sizes, &nd);
  pl_box *box = pl_new_box(L);
  pt_scope scope = pt_scope_begin();
  pt_tensor *x = ok ? pti_blob_tensor(b->blob, e, swap, sizes, nd, at) : NULL;
  if (x == NULL && strstr(pt_error(), pti_blob_name(b->blob)) == NULL)
    pti_error_prefix(pti_blob_name(b->blob));
  if (x == NULL) pti_error_prefix(b->op);
  return pl_finish(L, box, x, scope);
}

/* core.element(name) -> dtype, bytes of a block, elements in it; or nil */
static int element(lua_State *L) {
  const char *text = luaL_checkstring(L, 1);
  const pti_element *e = pti_element_find(text);
  if (e == NULL) return 0;
  pl_push_dtype(L, e->dtype);
  lua_pushinteger(L, e->bytes);
  lua_pushinteger(L, e->count);
  return 3;
}

/* core.element_of(dtype) -> name */
static int element_of(lua_State *L) {
  int dtype = pl_dtype_at(L, 1);
  if (dtype < 0) pl_error(L, PT_EARG, "element_of: expected a dtype, got %s", pl_describe(L, 1));
  lua_pushstring(L, pti_element_of((pt_dtype)dtype)->name);
  return 1;
}

/* ---- safetensors ---- */

static int close_archive(lua_State *L) {
  pt_archive **a = luaL_checkudata(L, 1, "pt.Archive");
  pt_archive_close(*a);
  *a = NULL;
  return 0;
}

static void push_entry(lua_State *L, const pt_archive *a, int64_t i) {
  const int64_t *sizes;
  int64_t at;
  int nd;
  const pti_element *e = pti_archive_entry(a, i, &sizes, &nd, &at);
  lua_createtable(L, 0, 4);
  lua_pushstring(L, pt_archive_name(a, i));
  lua_setfield(L, -2, "name");
  lua_pushstring(L, e->name);
  lua_setfield(L, -2, "element");
  pl_push_sizes(L, sizes, nd);
  lua_setfield(L, -2, "shape");
  lua_pushinteger(L, at);
  lua_setfield(L, -2, "at");
}

/* blob:safetensors() -> list of {name, element, shape, at}, metadata */
static int safetensors(lua_State *L) {
  const blob_box *b = check_blob(L);
  const char *key, *value;
  pt_archive **a =
      lua_newuserdatauv(L, sizeof *a, 0); /* closes the archive if an error leaves it behind */
  *a = NULL;
  if (luaL_newmetatable(L, "pt.Archive")) {
    lua_pushcfunction(L, close_archive);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  *a = pti_archive_over(pti_blob_part(b->blob, 0, pti_blob_size(b->blob), NULL));
  if (*a == NULL) return raise_for(L, b->op);
  lua_newtable(L);
  for (int64_t i = 0; i < pt_archive_count(*a); i++) {
    push_entry(L, *a, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_newtable(L);
  for (int64_t i = 0; (key = pt_archive_meta(*a, i, &value)) != NULL; i++) {
    lua_pushstring(L, key);
    lua_pushstring(L, value);
    lua_rawset(L, -3);
  }
  pt_archive_close(*a);
  *a = NULL;
  return 2;
}

/* ---- new files ---- */

typedef struct writer {
  pti_outfile file;
  const char *op;
  int64_t at; /* bytes written */
  bool open;
} writer;

static int end_writer(lua_State *L, bool keep) {
  writer *w = luaL_checkudata(L, 1, "pt.Writer");
  bool open = w->open;
  w->open = false;
  return !open || pti_outfile_close(&w->file, keep) || !keep ? 0 : raise_for(L, w->op);
}
/* w:commit(): the file is complete; before, and without it, the old one stands. */
static int commit(lua_State *L) { return end_writer(L, true); }
static int abandon(lua_State *L) { return end_writer(L, false); }

/* core.create_file(op, path) -> writer */
static int create_file(lua_State *L) {
  const char *op = intern(L, 1), *path = check_path(L, 2, op);
  writer *w = lua_newuserdatauv(L, sizeof *w, 0);
  *w = (writer){.op = op};
  luaL_setmetatable(L, "pt.Writer");
  w->open = pti_outfile_open(&w->file, path);
  return w->open ? 1 : raise_for(L, op);
}

static writer *check_writer(lua_State *L) {
  writer *w = luaL_checkudata(L, 1, "pt.Writer");
  if (!w->open) pl_error(L, PT_EARG, "%s: the file is closed", w->op);
  return w;
}

/* The bytes of a tensor as `e` stores them; within a scope. NULL after a failure. */
static const void *packed(const pti_element *e, pt_tensor *x, int64_t *bytes) {
  if (e->pack == NULL && e->unpack) return pti_fail(PT_EARG, "nothing writes %s", e->name);
  pt_tensor *dense = pti_dense_of(pti_to_device(pti_cast(x, e->dtype), 0));
  if (dense == NULL || !pti_element_bytes(e, dense->size, dense->nd, bytes)) return NULL;
  if (e->pack == NULL) return pti_ptr(dense);
  pt_tensor *blocks = pti_new((int64_t[]){*bytes}, 1, PT_U8, 0);
  if (blocks == NULL) return NULL;
  bool ok = e->pack((const float *)pti_ptr(dense), (unsigned char *)pti_ptr(blocks),
                    dense->numel / e->count);
  return ok ? pti_ptr(blocks) : NULL;
}

/* w:write(text), w:write(tensor, element) -> CRC-32 of what was written, number of bytes */
static int write(lua_State *L) {
  writer *w = check_writer(L);
  pt_tensor *x = pl_tensor_at(L, 2);
  int64_t n = 0;
  bool ok, swap;
  uint32_t crc = 0;
  if (x) {
    const pti_element *e =
        lua_isnoneornil(L, 3) ? pti_element_of(x->dtype) : check_element(L, 3, w->op, &swap);
    pt_scope scope = pt_scope_begin();
    const void *data = packed(e, x, &n);
    ok = data && pti_outfile_write(&w->file, data, (size_t)n);
    if (ok) crc = pti_crc32(0, data, (size_t)n);
    pt_scope_end(scope);
  } else {
    size_t length;
    const char *text = luaL_checklstring(L, 2, &length);
    n = (int64_t)length;
    ok = pti_outfile_write(&w->file, text, length);
    crc = pti_crc32(0, text, length);
  }
  if (!ok) return raise_for(L, w->op);
  w->at += n;
  lua_pushinteger(L, crc);
  lua_pushinteger(L, n);
  return 2;
}

/* w:tell() -> bytes written */
static int tell(lua_State *L) {
  lua_pushinteger(L, check_writer(L)->at);
  return 1;
}

/* core.crc32(text or tensor, before) -> integer, of what came before and this */
static int crc32_of(lua_State *L) {
  pt_tensor *x = pl_tensor_at(L, 1);
  uint32_t before = (uint32_t)luaL_optinteger(L, 2, 0);
  size_t n;
  if (x) {
    pt_scope scope = pt_scope_begin();
    const pt_tensor *dense = pti_dense_of(pti_to_device(x, 0));
    uint32_t crc =
        dense ? pti_crc32(before, pti_ptr(dense), (size_t)dense->numel * pti_esize(dense)) : 0;
    pt_scope_end(scope);
    if (dense == NULL) return pl_raise(L);
    lua_pushinteger(L, crc);
    return 1;
  }
  const char *text = luaL_checklstring(L, 1, &n);
  lua_pushinteger(L, pti_crc32(before, text, n));
  return 1;
}

/* A type with methods, and `drop` for what is not used any more. */
static void new_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction drop) {
  pl_new_type(L, name, drop);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, drop);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}

void pl_open_blob(lua_State *L) {
  static const luaL_Reg blob_methods[] = {
      {"size", size},        {"name", name},        {"bytes", bytes},
      {"part", part},        {"inflate", inflate},  {"tensor", tensor},
      {"fail", fail},        {"crc32", blob_crc32}, {"safetensors", safetensors},
      {"close", close_blob}, {NULL, NULL}};
  static const luaL_Reg writer_methods[] = {
      {"write", write}, {"tell", tell}, {"commit", commit}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"element", element}, {"element_of", element_of}, {"crc32", crc32_of}, {NULL, NULL}};
  new_class(L, "pt.Blob", blob_methods, close_blob);
  new_class(L, "pt.Writer", writer_methods, abandon);
  luaL_setfuncs(L, functions, 0);
  lua_newtable(L); /* names of functions, kept */
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, open_file, 1);
  lua_setfield(L, -3, "open_file");
  lua_pushcclosure(L, create_file, 1);
  lua_setfield(L, -2, "create_file");
}
