/* lua_error.c: how errors reach a script. The text of the engine's last error, or of one made here, goes out with the
   line of the script in parentheses: "matmul: x [2, 3] and y [4, 5]: 3 ~= 4 (train.lua:12)". Within a layer, its path
   stands for the op; nn/module.lua, which knows layers, leaves a function for that (core.on_error). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "vm_limits.h"

static const char editor_key; /* of the function that nn/module.lua left, in the registry */

/* ---- where the script is ---- */

/* Whether a chunk is one of the library's own scripts, packed or from PT_LUA_PATH. */
static bool is_ours(const lua_Debug *ar) {
  const char *folder = getenv("PT_LUA_PATH");
  if (strncmp(ar->source, "=[pt]", 5) == 0) return true;
  return folder && *folder && ar->source[0] == '@' &&
      strncmp(ar->source + 1, folder, strlen(folder)) == 0;
}

/* " (train.lua:12)": the innermost line that is not the library's; "" where there is none. */
static void where(lua_State *L, char *out, size_t cap) {
  lua_Debug ar;
  *out = 0;
  for (int level = 0; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline <= 0 || is_ours(&ar)) continue;
    snprintf(out, cap, " (%s:%d)", ar.short_src, ar.currentline);
    return;
  }
}

void pl_push_line(lua_State *L) {
  char line[LUA_IDSIZE + 32];
  where(L, line, sizeof line);
  size_t n = strlen(line); /* " (train.lua:12)" */
  lua_pushlstring(L, line + (n > 3 ? 2 : 0), n > 3 ? n - 3 : 0);
}

/* ---- raising ---- */

void pl_mark_line(lua_State *L) {
  static _Thread_local char text[LUA_IDSIZE + 32];
  char line[LUA_IDSIZE + 32];
  where(L, line, sizeof line);
  size_t n = strlen(line); /* " (train.lua:12)" */
  if (n > 3) snprintf(text, sizeof text, "%.*s", (int)n - 3, line + 2);
  pti_this.line = n > 3 ? text : NULL;
}

/* Adds layer path and script line to the text on top of the stack, and raises it. */
static int raise_top(lua_State *L) {
  char line[LUA_IDSIZE + 32];
  where(L, line, sizeof line);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &editor_key) == LUA_TFUNCTION) {
    lua_pushvalue(L, -2);
    if (lua_pcall(L, 1, 2, 0) != LUA_OK) {
      lua_pop(L, 1);
      lua_pushnil(L);
      lua_pushnil(L);
    }
    if (lua_isstring(L, -1)) snprintf(line, sizeof line, " (%s)", lua_tostring(L, -1));
    lua_pop(L, 1);
    if (lua_isstring(L, -1)) lua_replace(L, -2);
    else lua_pop(L, 1);
  } else {
    lua_pop(L, 1);
  }
  lua_pushstring(L, line);
  lua_concat(L, 2);
  return lua_error(L);
}

/* An interrupt that reached the script as this error is over and is not raised a second time; but a worker must stop
   even if its task catches the error. */
int pl_raise(lua_State *L) {
  if (pt_error_code() == PT_EINTERRUPT) pl_take_interrupt();
  lua_pushstring(L, pt_error());
  return raise_top(L);
}

int pl_error(lua_State *L, pt_status code, const char *format, ...) {
  char text[1024];
  va_list ap;
  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  pti_fail(code, "%s", text);
  return pl_raise(L);
}

/* ---- words of messages ---- */

const char *pl_describe(lua_State *L, int i) {
  i = lua_absindex(L, i);
  const pt_tensor *x = pl_tensor_at(L, i);
  if (x) {
    lua_pushliteral(L, "a tensor [");
    for (int d = 0; d < pt_ndim(x); d++)
      lua_pushfstring(L, d ? ", %I" : "%I", (LUAI_UACINT)pt_size(x, d));
    lua_pushliteral(L, "]");
    lua_concat(L, pt_ndim(x) + 2);
    return lua_tostring(L, -1);
  }
  switch (lua_type(L, i)) {
  case LUA_TNONE: return lua_pushliteral(L, "nothing");
  case LUA_TNIL: return lua_pushliteral(L, "nil");
  case LUA_TBOOLEAN: return lua_pushstring(L, lua_toboolean(L, i) ? "true" : "false");
  case LUA_TNUMBER: lua_pushvalue(L, i); return lua_tostring(L, -1);
  case LUA_TSTRING: return lua_pushfstring(L, "'%s'", lua_tostring(L, i));
  case LUA_TUSERDATA:
    if (lua_rawlen(L, i) == sizeof(pl_box) && luaL_getmetafield(L, i, "__name") != LUA_TNIL) {
      lua_pop(L, 1);
      return lua_pushliteral(L, "a closed tensor");
    } /* fallthrough */
  default: return lua_pushfstring(L, "a %s", luaL_typename(L, i));
  }
}

/* Letters to change, insert or remove to get from a to b, at most `cap`. */
static int distance(const char *a, const char *b, int cap) {
  enum { LONGEST = 40 };
  int row[LONGEST + 1], n = (int)strlen(a), m = (int)strlen(b);
  if (n > LONGEST || m > LONGEST || n - m >= cap || m - n >= cap) return cap;
  for (int j = 0; j <= m; j++) row[j] = j;
  for (int i = 1; i <= n; i++) {
    int diagonal = row[0];
    row[0] = i;
    for (int j = 1; j <= m; j++) {
      int best = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      if (row[j] + 1 < best) best = row[j] + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      row[j] = best;
    }
  }
  return row[m] < cap ? row[m] : cap;
}

const char *pl_suggest(lua_State *L, const char *name, int names) {
  names = lua_absindex(L, names);
  int length = (int)strlen(name), least = (length / 3 > 2 ? length / 3 : 2) + 1;
  if (least > length) least = length; /* not all letters are wrong */
  lua_pushliteral(L, "");
  int best = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, names); lua_pop(L, 1)) {
    int at = lua_type(L, -2) == LUA_TSTRING ? -2 : -1; /* a key, or an entry of a list */
    if (lua_type(L, at) != LUA_TSTRING) continue;
    int d = distance(name, lua_tostring(L, at), least);
    if (d >= least) continue;
    least = d;
    lua_pushfstring(L, "; did you mean '%s'?", lua_tostring(L, at));
    lua_replace(L, best);
  }
  return lua_tostring(L, best);
}

/* ---- for the library's scripts ---- */

/* core.raise(text): what pt.fail calls. */
static int raise_text(lua_State *L) {
  pl_error(L, PT_EARG, "%s", luaL_checkstring(L, 1));
  return 0;
}

/* core.on_error(fn): fn(text) may return another text, and another line. */
static int on_error(lua_State *L) {
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &editor_key);
  return 0;
}

/* core.receivers(fn) -> the first arguments of all running calls of fn, the outermost first */
static int receivers(lua_State *L) {
  lua_Debug ar;
  int depth = 0;
  lua_Integer n = 0;
  while (lua_getstack(L, depth, &ar)) depth++;
  lua_newtable(L);
  while (depth-- > 0) {
    if (!lua_getstack(L, depth, &ar)) continue;
    lua_getinfo(L, "f", &ar);
    bool same = lua_rawequal(L, -1, 1);
    lua_pop(L, 1);
    if (same && lua_getlocal(L, &ar, 1)) lua_rawseti(L, 2, ++n);
  }
  return 1;
}

void pl_open_error(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"raise", raise_text}, {"on_error", on_error}, {"receivers", receivers}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
