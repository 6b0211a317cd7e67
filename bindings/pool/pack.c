/* pack.c: writes Lua values into packets. Everything that cannot cross is found here, before anything runs, and
   is named by the path that leads to it. */
#include "pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- packets ---- */

void pl_grow(lua_State *L, pti_packet *out, size_t n) {
  if (!pti_packet_grow(out, n)) pl_raise(L);
}

void pl_put_byte(lua_State *L, pti_packet *out, int byte) {
  char c = (char)byte;
  pl_put(L, out, &c, 1);
}

static void put_size(lua_State *L, pti_packet *out, size_t n) {
  char bytes[10];
  int used = 0;
  for (; n > 0x7f; n >>= 7) bytes[used++] = (char)(n | 0x80);
  bytes[used++] = (char)n;
  pl_put(L, out, bytes, (size_t)used);
}

static void put_text(lua_State *L, pti_packet *out, int i) {
  size_t n;
  const char *text = lua_tolstring(L, i, &n);
  put_size(L, out, n);
  pl_put(L, out, text, n);
}

static void put_parcel(lua_State *L, pti_packet *out, pt_tensor *x) {
  size_t number = out->nparcel;
  if (!pti_packet_add_tensor(out, x)) pl_raise(L);
  put_size(L, out, number);
}

static void put_channel(lua_State *L, pti_packet *out, pti_channel *channel) {
  size_t number = out->nchannel;
  if (!pti_packet_add_channel(out, channel)) pl_raise(L);
  put_size(L, out, number);
}

/* ---- refusals ---- */

/* Puts the step that leads from object `from` (a table or function at the top of the stack) to the value at `to` on
   the stack, if it does. */
static bool push_step(lua_State *L, int to) {
  int from = lua_gettop(L);
  if (lua_isfunction(L, from)) {
    const char *name;
    for (int u = 1; (name = lua_getupvalue(L, from, u)) != NULL; u++) {
      bool same = lua_rawequal(L, -1, to);
      lua_pop(L, 1);
      if (same) return lua_pushfstring(L, ", captured '%s'", name), true;
    }
    return false;
  }
  if (!lua_istable(L, from)) return false;
  for (lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
    if (!lua_rawequal(L, -1, to) && !lua_rawequal(L, -2, to)) continue;
    if (lua_type(L, -2) == LUA_TSTRING) lua_pushfstring(L, ".%s", lua_tostring(L, -2));
    else if (lua_isinteger(L, -2)) lua_pushfstring(L, ".%I", lua_tointeger(L, -2));
    else lua_pushfstring(L, ".(a %s)", luaL_typename(L, -2));
    return true;
  }
  if (lua_getmetatable(L, from) && lua_rawequal(L, -1, to))
    return lua_pushliteral(L, " metatable"), true;
  return false;
}

/* Pushes the path to the value at index `to`: backwards from object to object. Called once, for a message. */
static void push_path(pl_packer *p, const pl_space *s, lua_Integer object, int to) {
  lua_State *L = p->L;
  lua_pushliteral(L, "");
  int path = lua_gettop(L);
  lua_pushvalue(L, to);
  int target = path + 1;
  for (lua_Integer j = object; j > 0; j--) {
    lua_settop(L, target);
    lua_rawgeti(L, s->table, j);
    if (!push_step(L, target)) continue;
    lua_pushvalue(L, path);
    lua_concat(L, 2);
    lua_replace(L, path);
    lua_rawgeti(L, s->table, j);
    lua_replace(L, target);
  }
  lua_settop(L, path);
  lua_pushstring(L, p->label);
  lua_insert(L, path);
  lua_concat(L, 2);
}

static int refuse(pl_packer *p, const pl_space *s, int i, const char *why) {
  luaL_checkstack(p->L, 16, NULL);
  push_path(p, s, s->table && s->done < s->count ? s->done + 1 : 0, i);
  return pl_error(p->L, PT_EARG, "%s: %s: %s", p->op, lua_tostring(p->L, -1), why);
}

static int refuse_userdata(pl_packer *p, const pl_space *s, int i) {
  lua_State *L = p->L;
  char why[160];
  const char *name =
      luaL_getmetafield(L, i, "__name") == LUA_TSTRING ? lua_tostring(L, -1) : "userdata";
  if (strcmp(name, LUA_FILEHANDLE) == 0)
    snprintf(why, sizeof why, "a file cannot cross; open it inside the function");
  else if (strncmp(name, "pt.core.", 8) == 0)
    snprintf(why, sizeof why, "a %s cannot cross; make one inside the function", name + 8);
  else
    snprintf(why, sizeof why, "an object of C (%s) cannot cross; make it inside the function",
             name);
  return refuse(p, s, i, why);
}

/* ---- values ---- */

static void pack_one(pl_packer *p, pl_space *s, int i);

/* Writes a reference to the object at i where it has a number. */
static bool put_known(pl_packer *p, pl_space *s, int i) {
  lua_State *L = p->L;
  const pl_space *const spaces[] = {s, s == &p->code ? NULL : &p->code};
  for (int k = 0; k < 2; k++) {
    if (spaces[k] == NULL || spaces[k]->count == 0) continue;
    lua_pushvalue(L, i);
    lua_rawget(L, spaces[k]->table);
    lua_Integer number = lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (number == 0) continue;
    pl_put_byte(L, s->out, k ? PL_CODEREF : PL_REF);
    put_size(L, s->out, (size_t)number);
    return true;
  }
  return false;
}

static void number(pl_packer *p, pl_space *s, int i) {
  lua_State *L = p->L;
  if (s->count == 0) {
    lua_newtable(L);
    lua_replace(L, s->table);
  }
  lua_pushvalue(L, i);
  lua_rawseti(L, s->table, ++s->count);
  lua_pushvalue(L, i);
  lua_pushinteger(L, s->count);
  lua_rawset(L, s->table);
}

static bool put_name(pl_packer *p, pl_space *s, int i) {
  if (!p->named) pl_refresh_names(p->L, false);
  p->named = true;
  bool found = pl_name_of(p->L, i);
  if (!found && !p->named_ours && pl_may_be_ours(p->L, i)) {
    pl_refresh_names(p->L, true);
    p->named_ours = true;
    found = pl_name_of(p->L, i);
  }
  if (!found) return false;
  pl_put_byte(p->L, s->out, PL_NAME);
  put_text(p->L, s->out, -1);
  lua_pop(p->L, 1);
  return true;
}

static void pack_tensor(pl_packer *p, pl_space *s, int i, pt_tensor *x) {
  if (put_known(p, s, i)) return;
  if (!pt_is_leaf(x)) refuse(p, s, i, "a tensor with a graph cannot cross; detach() it first");
  if (s == &p->code) p->impure = true;
  number(p, s, i);
  pl_put_byte(p->L, s->out, PL_TENSOR);
  put_parcel(p->L, s->out, x);
}

static void drain(pl_packer *p, pl_space *s);

/* The class of x.shape is made of C functions that stand in no module. */
static bool put_sizes(pl_packer *p, pl_space *s, int i) {
  pl_push_sizes_class(p->L);
  bool sizes = lua_rawequal(p->L, -1, i);
  lua_pop(p->L, 1);
  if (sizes) pl_put_byte(p->L, s->out, PL_SIZES);
  return sizes;
}

/* A class met among the arguments goes with the code: all tasks share it. */
static void pack_class(pl_packer *p, pl_space *s, int i) {
  lua_State *L = p->L;
  if (put_known(p, s, i) || put_name(p, s, i) || put_sizes(p, s, i)) return;
  bool foreign;
  lua_Integer id = pl_class_id(L, i, &foreign);
  if (foreign && p->reply) { /* to where the class came from */
    pl_put_byte(L, s->out, PL_CLASSREF);
    pl_put(L, s->out, &id, sizeof id);
    return;
  }
  pl_space *home = p->code.out ? &p->code : s;
  number(p, home, i);
  pl_put_byte(L, home->out, PL_CLASS);
  pl_put(L, home->out, &id, sizeof id);
  if (home == s) return;
  drain(p, home);
  put_known(p, s, i);
}

/* How many values the table has in its list and outside: to grow a table entry by entry takes twice the time. */
static void put_room(lua_State *L, pti_packet *out, int table) {
  size_t list = (size_t)lua_rawlen(L, table), all = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) all++;
  put_size(L, out, list);
  put_size(L, out, all > list ? all - list : 0);
}

static void pack_table(pl_packer *p, pl_space *s, int i) {
  lua_State *L = p->L;
  if (put_known(p, s, i) || put_name(p, s, i)) return;
  if (pl_is_class(L, i)) {
    pack_class(p, s, i);
    return;
  }
  if (s == &p->code) p->impure = true;
  number(p, s, i);
  pl_put_byte(L, s->out, PL_TABLE);
  put_room(L, s->out, i);
}

static void want_globals(pl_packer *p, int function, int list);

static void pack_lua_function(pl_packer *p, pl_space *s, int i) {
  lua_State *L = p->L;
  pl_push_code(L, i);
  int list = lua_gettop(L);
  if (lua_getfield(L, list, "writes") != LUA_TNIL) {
    if (!p->private_writes && p->code.out) {
      char why[240];
      snprintf(
          why, sizeof why,
          "it assigns to the captured local '%.60s', and the write would be lost; return the value, or "
          "give {private = true} to the call or the pool",
          lua_tostring(L, -1));
      refuse(p, s, i, why);
    }
    p->impure = true;
  }
  if (lua_getfield(L, list, "sets") != LUA_TNIL) p->impure = p->globals = true;
  lua_pop(L, 2);
  number(p, s, i);
  pl_put_byte(L, s->out, PL_FUNCTION);
  lua_rawgeti(L, list, 1);
  put_text(L, s->out, -1);
  lua_pop(L, 1);
  if (p->code.out) want_globals(p, i, list);
  lua_settop(L, list - 1);
}

/* A function that was sent as code before has no name. */
static void pack_function_at(pl_packer *p, pl_space *s, int i) {
  if (put_known(p, s, i) || (!pl_has_code(p->L, i) && put_name(p, s, i))) return;
  if (lua_iscfunction(p->L, i))
    refuse(p, s, i, "a C function that no loaded module holds cannot cross");
  pack_lua_function(p, s, i);
}

void pl_pack_number(lua_State *L, pti_packet *out, int i) {
  char bytes[9];
  if (!lua_isinteger(L, i)) {
    lua_Number x = lua_tonumber(L, i);
    bytes[0] = PL_NUMBER;
    memcpy(bytes + 1, &x, 8);
    pl_put(L, out, bytes, 9);
    return;
  }
  lua_Integer k = lua_tointeger(L, i);
  bytes[0] = k >= -128 && k < 128 ? PL_BYTE : PL_INTEGER;
  bytes[1] = (char)k;
  if (bytes[0] == PL_INTEGER) memcpy(bytes + 1, &k, 8);
  pl_put(L, out, bytes, bytes[0] == PL_BYTE ? 2 : 9);
}

static void pack_userdata(pl_packer *p, pl_space *s, int i) {
  pt_tensor *x = pl_tensor_at(p->L, i);
  if (x) {
    pack_tensor(p, s, i, x);
    return;
  }
  pti_channel *channel = pl_channel_at(p->L, i);
  if (channel) {
    pl_put_byte(p->L, s->out, PL_CHANNEL);
    put_channel(p->L, s->out, channel);
    return;
  }
  int dtype = pl_dtype_at(p->L, i);
  if (dtype < 0) refuse_userdata(p, s, i);
  pl_put_byte(p->L, s->out, PL_DTYPE);
  pl_put_byte(p->L, s->out, dtype);
}

/* The value at index i (absolute). Objects are numbered here; drain writes what they hold. */
static void pack_one(pl_packer *p, pl_space *s, int i) {
  lua_State *L = p->L;
  switch (lua_type(L, i)) {
  case LUA_TNIL: pl_put_byte(L, s->out, PL_NIL); break;
  case LUA_TBOOLEAN: pl_put_byte(L, s->out, lua_toboolean(L, i) ? PL_TRUE : PL_FALSE); break;
  case LUA_TNUMBER: pl_pack_number(L, s->out, i); break;
  case LUA_TSTRING:
    pl_put_byte(L, s->out, PL_STRING);
    put_text(L, s->out, i);
    break;
  case LUA_TTABLE: pack_table(p, s, i); break;
  case LUA_TFUNCTION: pack_function_at(p, s, i); break;
  case LUA_TUSERDATA: pack_userdata(p, s, i); break;
  case LUA_TTHREAD: refuse(p, s, i, "a coroutine cannot cross; make it inside the function"); break;
  default: refuse(p, s, i, "a light userdata cannot cross"); break;
  }
}

/* ---- what objects hold ---- */

static void pack_fields(pl_packer *p, pl_space *s, int table) {
  lua_State *L = p->L;
  if (lua_getmetatable(L, table)) {
    pack_class(p, s, table + 1);
    lua_pop(L, 1);
  } else {
    pl_put_byte(L, s->out, PL_NIL);
  }
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    pack_one(p, s, table + 1);
    pack_one(p, s, table + 2);
  }
  pl_put_byte(L, s->out, PL_END);
}

/* An upvalue that a function packed before holds too is named by that function and its place there. */
static bool put_shared(pl_packer *p, pl_space *s, void *cell) {
  lua_State *L = p->L;
  lua_pushlightuserdata(L, cell);
  const pl_space *at = s;
  if (lua_rawget(L, s->table) == LUA_TNIL && s != &p->code && p->code.count) {
    lua_pop(L, 1);
    at = &p->code;
    lua_pushlightuserdata(L, cell);
    lua_rawget(L, at->table);
  }
  bool shared = !lua_isnil(L, -1);
  lua_Integer place = lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (!shared) return false;
  pl_put_byte(L, s->out, PL_JOIN);
  pl_put_byte(L, s->out, at == s ? PL_REF : PL_CODEREF);
  put_size(L, s->out, (size_t)(place >> 8));
  pl_put_byte(L, s->out, (int)(place & 255));
  return true;
}

static void pack_upvalues(pl_packer *p, pl_space *s, int function, lua_Integer number_of) {
  lua_State *L = p->L;
  bool env;
  for (int u = 1; pl_push_upvalue(L, function, u, &env); u++) {
    if (env) {
      pl_put_byte(L, s->out, PL_ENV);
    } else {
      void *cell = lua_upvalueid(L, function, u);
      if (!put_shared(p, s, cell)) {
        lua_pushlightuserdata(L, cell);
        lua_pushinteger(L, number_of << 8 | u);
        lua_rawset(L, s->table);
        pack_one(p, s, function + 1);
      }
    }
    lua_pop(L, 1);
  }
  pl_put_byte(L, s->out, PL_END);
}

/* Writes the contents of all objects met so far and of those met meanwhile. */
static void drain(pl_packer *p, pl_space *s) {
  lua_State *L = p->L;
  luaL_checkstack(L, 24, NULL);
  int top = lua_gettop(L);
  while (s->done < s->count) {
    lua_rawgeti(L, s->table, s->done + 1);
    if (lua_istable(L, -1)) pack_fields(p, s, top + 1);
    else if (lua_isfunction(L, -1)) pack_upvalues(p, s, top + 1, s->done + 1);
    lua_settop(L, top);
    s->done++;
  }
}

/* ---- globals ---- */

/* Pushes the table in which the function finds its globals. */
static void push_env(lua_State *L, int function) {
  bool env;
  for (int u = 1; pl_push_upvalue(L, function, u, &env); u++) {
    if (env) return;
    lua_pop(L, 1);
  }
  lua_pushglobaltable(L);
}

/* Globals that the function reads and that are the script's own are sent with the code, each once: pending[k] is a
   name, pending[name] its value. */
static void want_globals(pl_packer *p, int function, int list) {
  lua_State *L = p->L;
  lua_Integer n = (lua_Integer)lua_rawlen(L, list);
  if (n < 2) return;
  push_env(L, function);
  int env = lua_gettop(L);
  for (lua_Integer k = 2; k <= n; k++, lua_settop(L, env)) {
    lua_rawgeti(L, list, k);
    lua_pushvalue(L, -1);
    bool asked = lua_rawget(L, p->pending) != LUA_TNIL;
    lua_pop(L, 1);
    if (asked || pl_standard_global(lua_tostring(L, -1))) continue;
    lua_pushvalue(L, -1);
    if (lua_gettable(L, env) == LUA_TNIL) continue;
    lua_pushvalue(L, -2);
    lua_rawseti(L, p->pending, ++p->npending);
    lua_rawset(L, p->pending);
    p->globals = true;
  }
  lua_settop(L, env - 1);
}

void pl_pack_flush(pl_packer *p) {
  lua_State *L = p->L;
  for (lua_Integer k = 1; k <= p->npending; k++) {
    lua_rawgeti(L, p->pending, k);
    int name = lua_gettop(L);
    pl_put_byte(L, p->code.out, PL_GLOBAL);
    put_text(L, p->code.out, name);
    lua_pushvalue(L, name);
    lua_rawget(L, p->pending);
    snprintf(p->label, sizeof p->label, "global '%s'", lua_tostring(L, name));
    pack_one(p, &p->code, name + 1);
    drain(p, &p->code);
    lua_settop(L, name - 1);
    lua_pushnil(L);
    lua_rawseti(L, p->pending, k);
  }
  p->npending = 0;
}

/* ---- the outside ---- */

void pl_pack_begin(pl_packer *p, lua_State *L, const char *op, pti_packet *code,
                   pti_packet *value) {
  luaL_checkstack(L, 32, NULL);
  lua_pushnil(L);
  lua_pushnil(L);
  if (code) lua_newtable(L);
  else lua_pushnil(L);
  int top = lua_gettop(L);
  *p = (pl_packer){.L = L, .op = op, .pending = top};
  p->code = (pl_space){.out = code, .table = top - 2};
  p->value = (pl_space){.out = value, .table = top - 1};
}

void pl_pack_function(pl_packer *p, int i) {
  snprintf(p->label, sizeof p->label, "the function");
  pack_one(p, &p->code, i);
  drain(p, &p->code);
  pl_pack_flush(p);
}

void pl_pack_group(pl_packer *p) { p->value.count = p->value.done = 0; }

void pl_pack_value(pl_packer *p, int i, const char *label, ...) {
  int type = lua_type(p->L, i);
  if (type == LUA_TNUMBER) {
    pl_pack_number(p->L, p->value.out, i);
    return;
  }
  if (type > LUA_TSTRING || type == LUA_TLIGHTUSERDATA) {
    va_list ap;
    va_start(ap, label);
    vsnprintf(p->label, sizeof p->label, label, ap);
    va_end(ap);
  }
  pack_one(p, &p->value, i);
  if (p->value.done < p->value.count) drain(p, &p->value);
}
