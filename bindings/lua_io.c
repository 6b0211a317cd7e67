/* lua_io.c: files for Lua: safetensors in and out, IDX and images; strings as tensors. Reading, writing and all
   checks of what files hold are the engine's (engine/io). */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "binding.h"
#include "io/file.h"
#include "tensor.h"

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

/* ---- files and images ---- */

/* Failures of what follows name `op`, the function that the script called. */
static int finish_for(lua_State *L, const char *op, pl_box *box, pt_tensor *x, pt_scope scope) {
  if (x == NULL) pti_error_prefix(op);
  return pl_finish(L, box, x, scope);
}

/* The option max_bytes at i; 0 where it is not given. */
static int64_t check_max(lua_State *L, int i, const char *op) {
  if (lua_isnoneornil(L, i)) return 0;
  int whole = 0;
  lua_Integer n = lua_type(L, i) == LUA_TNUMBER ? lua_tointegerx(L, i, &whole) : 0;
  if (!whole || n <= 0)
    pl_error(L, PT_EARG, "%s: max_bytes must be a positive integer, got %s", op, pl_describe(L, i));
  return n;
}

/* core.read_file(op, path, max_bytes) -> its bytes */
static int read_file(lua_State *L) {
  const char *op = luaL_checkstring(L, 1), *path = check_text(L, 2, op, "the path");
  int64_t max_bytes = check_max(L, 3, op);
  pl_box *box = pl_new_box(L);
  pt_scope scope = pt_scope_begin();
  return finish_for(L, op, box, pt_read_file_max(path, max_bytes), scope);
}

/* core.read_text(op, path, max_bytes) -> its bytes as a string */
static int read_text(lua_State *L) {
  read_file(L);
  const pt_tensor *x = pl_tensor_at(L, -1);
  lua_pushlstring(L, pti_ptr(x), (size_t)x->numel);
  return 1;
}

/* core.write_text(op, path, text), core.append_text(op, path, text) */
static int put_text(lua_State *L, bool (*put)(const char *, const void *, size_t)) {
  const char *op = luaL_checkstring(L, 1), *path = check_text(L, 2, op, "the path");
  size_t n;
  const char *text = luaL_checklstring(L, 3, &n);
  if (put(path, text, n)) return 0;
  pti_error_prefix(op);
  return pl_raise(L);
}
static int write_text(lua_State *L) { return put_text(L, pt_write_bytes); }
static int append_text(lua_State *L) { return put_text(L, pt_append_bytes); }

/* core.write_file(path, bytes) */
static int write_file(lua_State *L) {
  const char *path = check_text(L, 1, "write_file", "the path");
  pt_tensor *x = pl_check_tensor(L, 2, "write_file", "the data");
  pt_scope scope = pt_scope_begin();
  bool ok = pt_write_file(path, x);
  pt_scope_end(scope);
  return ok ? 0 : pl_raise(L);
}

/* core.decode_image(op, bytes, mode, name) -> image */
static int decode_image(lua_State *L) {
  const char *op = luaL_checkstring(L, 1);
  pt_tensor *x = pl_check_tensor(L, 2, op, "the data");
  const char *mode = check_text(L, 3, op, "mode");
  const char *name = lua_isnoneornil(L, 4) ? NULL : check_text(L, 4, op, "the name");
  pl_box *box = pl_new_box(L);
  pt_scope scope = pt_scope_begin();
  return finish_for(L, op, box, pt_decode_image(x, mode, name), scope);
}

/* core.encode_png(image, level), core.encode_jpeg(image, quality) -> bytes */
static int encode(lua_State *L, const char *op, pt_tensor *(*run)(pt_tensor *, int)) {
  pt_tensor *x = pl_check_tensor(L, 1, op, "the image");
  lua_Integer option = luaL_checkinteger(L, 2);
  pl_box *box = pl_new_box(L);
  pt_scope scope = pt_scope_begin();
  return pl_finish(L, box, run(x, option < -1 || option > 101 ? -1 : (int)option), scope);
}
static int encode_png(lua_State *L) { return encode(L, "encode_png", pt_encode_png); }
static int encode_jpeg(lua_State *L) { return encode(L, "encode_jpeg", pt_encode_jpeg); }

/* ---- folders ---- */

static int close_folder(lua_State *L) {
  DIR **d = luaL_checkudata(L, 1, "pt.Folder");
  if (*d) closedir(*d);
  *d = NULL;
  return 0;
}

static bool is_folder(DIR *d, const char *name) {
  struct stat st;
  return fstatat(dirfd(d), name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* core.list_folder(op, path) -> {name, ...} of files, {name, ...} of folders, in no order; none begins with a dot */
static int list_folder(lua_State *L) {
  const char *op = luaL_checkstring(L, 1), *path = check_text(L, 2, op, "the path");
  DIR **d = lua_newuserdatauv(L, sizeof *d, 0);
  *d = NULL;
  if (luaL_newmetatable(L, "pt.Folder")) {
    lua_pushcfunction(L, close_folder);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  int fd = pti_this.files ? pti_host_open(path, PT_OPEN_FOLDER) : -1;
  if (pti_this.files && fd < 0) {
    pti_error_prefix(op);
    return pl_raise(L);
  }
  *d = fd >= 0 ? fdopendir(fd) : opendir(path);
  if (*d == NULL && fd >= 0) close(fd);
  if (*d == NULL) pl_error(L, PT_EIO, "%s: %s: %s", op, path, strerror(errno));
  lua_newtable(L);
  lua_newtable(L);
  for (const struct dirent *e; (e = readdir(*d)) != NULL;) {
    if (e->d_name[0] == '.') continue;
    int to = is_folder(*d, e->d_name) ? -2 : -3;
    lua_pushstring(L, e->d_name);
    lua_rawseti(L, to, (lua_Integer)lua_rawlen(L, to) + 1);
  }
  closedir(*d);
  *d = NULL;
  return 2;
}

/* core.make_folder(op, path): the folder and those above it, as far as they are missing */
static int make_folder(lua_State *L) {
  const char *op = luaL_checkstring(L, 1), *path = check_text(L, 2, op, "the path");
  if (pti_this.files) pl_error(L, PT_EIO, "%s: %s: the host makes no folders", op, path);
  size_t n = strlen(path);
  char *part = lua_newuserdatauv(L, n + 1, 0);
  for (size_t i = 1; i <= n; i++) {
    if (path[i] != '/' && path[i] != 0) continue;
    memcpy(part, path, i);
    part[i] = 0;
    if (mkdir(part, 0777) != 0 && errno != EEXIST)
      pl_error(L, PT_EIO, "%s: %s: %s", op, part, strerror(errno));
  }
  return 0;
}

void pl_open_io(lua_State *L) {
  static const luaL_Reg functions[] = {{"save", save},
                                       {"read_idx", read_idx},
                                       {"bytes", bytes},
                                       {"read_text", read_text},
                                       {"read_file", read_file},
                                       {"write_text", write_text},
                                       {"append_text", append_text},
                                       {"list_folder", list_folder},
                                       {"make_folder", make_folder},
                                       {"write_file", write_file},
                                       {"decode_image", decode_image},
                                       {"encode_png", encode_png},
                                       {"encode_jpeg", encode_jpeg},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
