/* lua_io.c: files of tensors for Lua: safetensors in and out, IDX in; strings as tensors. The reading and writing, and all suspicion of
   what files hold, is the engine's (engine/io). */
#include <string.h>

#include "binding.h"

/* A string without NUL, as C takes it; `what` says what it is. */
static const char *check_text(lua_State *L, int i, const char *op, const char *what) {
  if (lua_type(L, i) != LUA_TSTRING)
    pl_error(L, PT_EARG, "%s: %s must be a string, got %s", op, what, pl_describe(L, i));
  size_t length;
  const char *text = lua_tolstring(L, i, &length);
  if (strlen(text) != length) pl_error(L, PT_EARG, "%s: %s must not contain a zero byte", op, what);
  return text;
}

static int check_list(lua_State *L, int i, const char *op, const char *what) {
  if (lua_type(L, i) != LUA_TTABLE)
    pl_error(L, PT_EARG, "%s: %s must be a list, got %s", op, what, pl_describe(L, i));
  if (lua_rawlen(L, i) > INT32_MAX) pl_error(L, PT_EARG, "%s: too many %s", op, what);
  return (int)lua_rawlen(L, i);
}

/* The strings of the list at i, which keeps them alive, ended by NULL; the array is left on the stack. */
static const char **read_strings(lua_State *L, int i, const char *what, int *n) {
  *n = check_list(L, i, "save", what);
  const char **text = lua_newuserdatauv(L, ((size_t)*n + 1) * sizeof *text, 0);
  for (int k = 0; k < *n; k++) {
    lua_rawgeti(L, i, k + 1);
    text[k] = check_text(L, -1, "save", what);
    lua_pop(L, 1);
  }
  text[*n] = NULL;
  return text;
}

/* core.save(path, names, tensors, meta): meta is a list of key, value, ... */
static int save(lua_State *L) {
  int n, nmeta, ntensor;
  lua_settop(L, 4);
  const char *path = check_text(L, 1, "save", "the path");
  const char **name = read_strings(L, 2, "names", &n);
  const char **meta = read_strings(L, 4, "metadata", &nmeta);
  ntensor = check_list(L, 3, "save", "tensors");
  if (ntensor != n || nmeta % 2 != 0)
    pl_error(L, PT_EARG, "save: %d names for %d tensors, %d strings of metadata", n, ntensor,
             nmeta);
  pt_tensor **x = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *x, 0);
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, 3, i + 1);
    x[i] = pl_check_tensor(L, -1, "save", name[i]);
    lua_pop(L, 1);
  }
  pt_scope scope = pt_scope_begin();
  bool ok = pt_save(path, name, x, n, meta);
  pt_scope_end(scope);
  return ok ? 0 : pl_raise(L);
}

/* ---- loading ---- */

/* An open archive is owned by an object, so that one is closed that an error leaves behind. */
static int close_archive(lua_State *L) {
  pt_archive **a = lua_touserdata(L, 1);
  pt_archive_close(*a);
  *a = NULL;
  return 0;
}

static pt_archive **new_archive(lua_State *L) {
  pt_archive **a = lua_newuserdatauv(L, sizeof *a, 0);
  *a = NULL;
  if (luaL_newmetatable(L, "pt.Archive")) {
    lua_pushcfunction(L, close_archive);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return a;
}

/* Pushes the list of names, a list of empty boxes, and the metadata. */
static void push_contents(lua_State *L, const pt_archive *a) {
  int64_t n = pt_archive_count(a);
  const char *key, *value;
  int room = n > INT32_MAX ? 0 : (int)n;
  lua_createtable(L, room, 0);
  lua_createtable(L, room, 0);
  for (int64_t i = 0; i < n; i++) {
    lua_pushstring(L, pt_archive_name(a, i));
    lua_rawseti(L, -3, i + 1);
    pl_new_box(L);
    lua_rawseti(L, -2, i + 1);
  }
  lua_newtable(L);
  for (int64_t i = 0; (key = pt_archive_meta(a, i, &value)) != NULL; i++) {
    lua_pushstring(L, key);
    lua_pushstring(L, value);
    lua_rawset(L, -3);
  }
}

/* core.load(path) -> names, tensors, metadata */
static int load(lua_State *L) {
  const char *path = check_text(L, 1, "load", "the path");
  lua_settop(L, 1);
  pt_archive **a = new_archive(L);
  *a = pt_archive_open(path);
  if (*a == NULL) return pl_raise(L);
  push_contents(L, *a);
  int tensors = lua_gettop(L) - 1;
  int64_t n = pt_archive_count(*a), i = 0;
  pt_scope scope = pt_scope_begin();
  for (; i < n; i++) {
    pt_tensor *x = pt_archive_tensor(*a, i);
    if (x == NULL) break;
    lua_rawgeti(L, tensors, i + 1);
    pl_fill(L, lua_touserdata(L, -1), x);
    lua_pop(L, 1);
  }
  pt_scope_end(scope);
  pt_archive_close(*a);
  *a = NULL;
  return i == n ? 3 : pl_raise(L);
}

/* core.read_idx(path) -> tensor */
static int read_idx(lua_State *L) {
  const char *path = check_text(L, 1, "read_idx", "the path");
  pl_box *box = pl_new_box(L);
  pt_scope scope = pt_scope_begin();
  pt_tensor *x = pt_read_idx(path);
  if (x) pl_fill(L, box, x);
  pt_scope_end(scope);
  return x ? 1 : pl_raise(L);
}

/* core.bytes(text) -> the bytes of a string as a vector of uint8 */
static int bytes(lua_State *L) {
  if (lua_type(L, 1) != LUA_TSTRING)
    pl_error(L, PT_EARG, "bytes: expected a string, got %s", pl_describe(L, 1));
  size_t n;
  const char *text = lua_tolstring(L, 1, &n);
  pl_box *box = pl_new_box(L);
  pt_scope scope = pt_scope_begin();
  return pl_finish(L, box, pt_from_data(text, (int64_t[]){(int64_t)n}, 1, PT_U8), scope);
}

void pl_open_io(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"save", save}, {"load", load}, {"read_idx", read_idx}, {"bytes", bytes}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
