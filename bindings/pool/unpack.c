/* unpack.c: builds values from packets. It reads only what pack.c wrote in this process. */
#include <string.h>

#include "pack.h"

static size_t get_size(pl_reader *r) {
  size_t n = 0;
  for (int shift = 0;; shift += 7) {
    unsigned char byte = (unsigned char)*r->at++;
    n |= (size_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return n;
  }
}

static const char *get_text(pl_reader *r, size_t *n) {
  *n = get_size(r);
  const char *text = r->at;
  r->at += *n;
  return text;
}

static lua_Integer get_integer(pl_reader *r) {
  lua_Integer k;
  memcpy(&k, r->at, sizeof k);
  r->at += sizeof k;
  return k;
}

int pl_read_byte(pl_reader *r) { return (unsigned char)*r->at++; }

/* ---- new objects: pushed and numbered; what they hold comes later ---- */

static void number(pl_reader *r) {
  lua_State *L = r->L;
  if (r->count == 0) {
    lua_newtable(L);
    lua_replace(L, r->objects);
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, r->objects, ++r->count);
}

static void new_tensor(pl_reader *r) {
  lua_State *L = r->L;
  pl_need_module(L);
  pl_box *box = pl_new_box(L);
  pt_scope scope = pt_scope_begin();
  pt_tensor *x = pt_unpack(r->packet->parcel[get_size(r)]);
  if (x) pl_fill(L, box, x);
  pt_scope_end(scope);
  if (x == NULL) pl_raise(L);
  number(r);
}

static int room(pl_reader *r) {
  size_t n = get_size(r);
  return n < 1 << 24 ? (int)n : 0;
}

static void new_table(pl_reader *r) {
  int list = room(r), others = room(r);
  lua_createtable(r->L, list, others);
  number(r);
}

static void new_function(pl_reader *r) {
  size_t n;
  const char *dump = get_text(r, &n);
  if (luaL_loadbufferx(r->L, dump, n, "=packed", "b") != LUA_OK) lua_error(r->L);
  number(r);
}

/* A class that is known here is updated only by the caller it came from: what else comes
   is read into a table that is dropped. */
static void new_class(pl_reader *r) {
  lua_Integer id = get_integer(r);
  bool home, known = pl_push_class(r->L, id, &home);
  if (!known) {
    lua_pop(r->L, 1);
    lua_newtable(r->L);
    pl_note_class(r->L, id, r->job);
  }
  number(r);
  if (!known || (r->job && !home)) return;
  lua_pushboolean(r->L, true);
  lua_rawseti(r->L, r->objects, -r->count);
}

static void known_class(pl_reader *r) {
  bool home;
  if (!pl_push_class(r->L, get_integer(r), &home))
    pl_error(r->L, PT_ELUA, "unpack: a class that came back is gone here; keep it in a variable");
}

static void push_object(pl_reader *r, int space) {
  lua_rawgeti(r->L, space, (lua_Integer)get_size(r));
}

/* ---- values ---- */

static void read_one(pl_reader *r) {
  lua_State *L = r->L;
  size_t n;
  const char *text;
  double x;
  switch (*r->at++) {
  case PL_NIL: lua_pushnil(L); break;
  case PL_FALSE: lua_pushboolean(L, false); break;
  case PL_TRUE: lua_pushboolean(L, true); break;
  case PL_BYTE: lua_pushinteger(L, (signed char)*r->at++); break;
  case PL_INTEGER: lua_pushinteger(L, get_integer(r)); break;
  case PL_NUMBER:
    memcpy(&x, r->at, sizeof x);
    r->at += sizeof x;
    lua_pushnumber(L, x);
    break;
  case PL_STRING:
    text = get_text(r, &n);
    lua_pushlstring(L, text, n);
    break;
  case PL_NAME:
    text = get_text(r, &n);
    pl_push_named(L, text, n);
    break;
  case PL_DTYPE:
    pl_need_module(L);
    pl_push_dtype(L, *r->at++);
    break;
  case PL_TENSOR: new_tensor(r); break;
  case PL_CHANNEL:
    pl_need_module(L);
    pl_push_channel(L, r->packet->channel[get_size(r)]);
    break;
  case PL_TABLE: new_table(r); break;
  case PL_FUNCTION: new_function(r); break;
  case PL_CLASS: new_class(r); break;
  case PL_CLASSREF: known_class(r); break;
  case PL_SIZES: pl_push_sizes_class(L); break;
  case PL_REF: push_object(r, r->objects); break;
  default: push_object(r, r->code); break; /* PL_CODEREF */
  }
}

/* ---- what objects hold ---- */

/* Takes everything out of the caller's class at this index, which is about to be brought up to date. */
static void clear(lua_State *L, int class) {
  for (lua_pushnil(L); lua_next(L, class);) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, class);
  }
}

/* Replaces the class on top of the stack by the table that its fields are read into; see new_class. */
static void ready_class(pl_reader *r) {
  lua_State *L = r->L;
  if (lua_rawgeti(L, r->objects, -r->done) == LUA_TNIL) {
    lua_pop(L, 1);
    clear(L, lua_gettop(L));
  } else {
    lua_pop(L, 2);
    lua_newtable(L);
  }
}

static const char fresh_key; /* in a list of objects: metatables to be set once all is read */

static void read_fields(pl_reader *r, int table) {
  lua_State *L = r->L;
  read_one(r);
  if (!lua_isnil(L, -1)) {
    lua_pushvalue(L, table);
    lua_insert(L, -2);
    if (lua_rawgetp(L, r->objects, &fresh_key) != LUA_TTABLE) {
      lua_pop(L, 1);
      lua_newtable(L);
      lua_pushvalue(L, -1);
      lua_rawsetp(L, r->objects, &fresh_key);
    }
    lua_insert(L, -3);
    lua_Integer n = (lua_Integer)lua_rawlen(L, -3);
    lua_rawseti(L, -3, n + 2);
    lua_rawseti(L, -2, n + 1);
  }
  lua_settop(L, table);
  while (*r->at != PL_END) {
    read_one(r);
    read_one(r);
    lua_rawset(L, table);
  }
  r->at++;
}

static void join_upvalue(pl_reader *r, int function, int u) {
  int space = pl_read_byte(r) == PL_REF ? r->objects : r->code;
  push_object(r, space);
  lua_upvaluejoin(r->L, function, u, -1, pl_read_byte(r));
  lua_pop(r->L, 1);
}

/* Each upvalue of a loaded function is a fresh one but for the first, which lua_load sets to the globals. */
static void read_upvalues(pl_reader *r, int function) {
  lua_State *L = r->L;
  for (int u = 1; *r->at != PL_END; u++) {
    if (*r->at == PL_JOIN) {
      r->at++;
      join_upvalue(r, function, u);
      continue;
    }
    if (*r->at == PL_ENV) {
      r->at++;
      if (r->env) lua_pushvalue(L, r->env);
      else lua_pushglobaltable(L);
    } else {
      read_one(r);
    }
    lua_setupvalue(L, function, u);
  }
  r->at++;
}

/* Metatables are set last: __gc is looked for when a metatable is set, and the fields are there by now. */
static void set_metatables(pl_reader *r) {
  lua_State *L = r->L;
  if (lua_rawgetp(L, r->objects, &fresh_key) == LUA_TTABLE) {
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = 1; i < n; i += 2) {
      lua_rawgeti(L, -1, i);
      lua_rawgeti(L, -2, i + 1);
      lua_setmetatable(L, -2);
      lua_pop(L, 1);
    }
    lua_pushnil(L);
    lua_rawsetp(L, r->objects, &fresh_key);
  }
  lua_pop(L, 1);
}

static void drain(pl_reader *r) {
  lua_State *L = r->L;
  int top = lua_gettop(L);
  while (r->done < r->count) {
    lua_rawgeti(L, r->objects, ++r->done);
    if (lua_isfunction(L, -1)) {
      read_upvalues(r, top + 1);
    } else if (lua_istable(L, -1)) {
      if (pl_is_class(L, top + 1)) ready_class(r);
      read_fields(r, top + 1);
    }
    lua_settop(L, top);
  }
  set_metatables(r);
}

/* ---- the outside ---- */

void pl_read_begin(pl_reader *r, lua_State *L, const pti_packet *values, int code, int env,
                   bool job) {
  luaL_checkstack(L, 32, NULL);
  lua_pushnil(L);
  *r = (pl_reader){.L = L, .at = values->data, .end = values->data + values->n, .packet = values};
  r->objects = lua_gettop(L);
  r->code = code;
  r->env = env;
  r->job = job;
}

void pl_read_group(pl_reader *r) { r->count = r->done = 0; }

void pl_read_value(pl_reader *r) {
  read_one(r);
  if (r->done < r->count) drain(r);
}

void pl_read_code(lua_State *L, const pti_packet *code, int env) {
  pl_reader r;
  pl_read_begin(&r, L, code, 0, env, true);
  pl_read_value(&r);
  while (r.at < r.end) {
    if (*r.at != PL_GLOBAL) {
      pl_read_value(&r);
      lua_settop(L, r.objects + 1);
      continue;
    }
    r.at++;
    size_t n;
    const char *name = get_text(&r, &n);
    lua_pushlstring(L, name, n);
    pl_read_value(&r);
    lua_rawset(L, env);
  }
}
