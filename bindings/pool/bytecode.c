/* bytecode.c: what a Lua function's code shows: which globals it reads, whether it assigns to captured locals or to
   globals. Read from the dump of Lua 5.4, whose format and opcodes did not change from 5.4.0 on; only dumps made by
   this process get here. */
#include <string.h>

#include "pack.h"

/* The opcodes that matter (lopcodes.h is not installed). */
enum { OP_GETUPVAL = 9, OP_SETUPVAL = 10, OP_GETTABUP = 11, OP_SETTABUP = 15 };
enum { HEADER = 4 + 1 + 1 + 6 + 3 + 8 + 8 + 1, SHORT = 256 };
enum { K_NUMBER = 0x13, K_INTEGER = 0x03, K_SHORT = 0x04, K_LONG = 0x14 };

typedef struct cursor {
  const unsigned char *at;
  lua_State *L;
  int list;           /* stack index of the result */
  lua_Integer nname;  /* entries of the list */
  const bool *is_env; /* of the outermost function's upvalues */
  bool wrote[256];    /* the same: assigned to */
} cursor;

static size_t read_size(cursor *c) {
  size_t x = 0;
  int byte;
  do {
    byte = *c->at++;
    x = x << 7 | (size_t)(byte & 0x7f);
  } while (!(byte & 0x80));
  return x;
}

static const char *read_text(cursor *c, size_t *n) {
  size_t size = read_size(c);
  const char *text = (const char *)c->at;
  *n = size ? size - 1 : 0;
  c->at += *n;
  return text;
}

static void skip_text(cursor *c) {
  size_t n;
  read_text(c, &n);
}

static void add_name(cursor *c, const char *text, size_t n) {
  lua_pushlstring(c->L, text, n);
  lua_pushvalue(c->L, -1);
  if (lua_rawget(c->L, c->list) == LUA_TNIL) {
    lua_pop(c->L, 1);
    lua_pushvalue(c->L, -1);
    lua_rawseti(c->L, c->list, ++c->nname);
    lua_pushvalue(c->L, -1);
    lua_pushboolean(c->L, true);
    lua_rawset(c->L, c->list);
    lua_pop(c->L, 1);
  } else {
    lua_pop(c->L, 2);
  }
}

/* Constants: those that an instruction can name get an entry in `text`; with `all`, every string is a name. */
static void read_constants(cursor *c, const unsigned char *text[SHORT], bool all) {
  size_t n = read_size(c);
  for (size_t i = 0; i < n; i++) {
    int kind = *c->at++;
    if (i < SHORT) text[i] = NULL;
    if (kind == K_NUMBER || kind == K_INTEGER) c->at += 8;
    if (kind != K_SHORT && kind != K_LONG) continue;
    if (i < SHORT) text[i] = c->at;
    size_t length;
    const char *string = read_text(c, &length);
    if (all) add_name(c, string, length);
  }
}

/* Scans the code. True where the table of globals is taken as a value: its fields may then be used under other names. */
static bool scan(cursor *c, const unsigned char *code, size_t n, const unsigned char *text[SHORT],
                 const int16_t up[256]) {
  bool whole = false;
  for (size_t i = 0; i < n; i++) {
    uint32_t word;
    memcpy(&word, code + 4 * i, 4);
    int op = word & 0x7f, a = word >> 7 & 0xff, b = word >> 16 & 0xff, k = word >> 24;
    int in = op == OP_SETTABUP ? up[a] : up[b];
    if (op == OP_SETUPVAL && in >= 0) c->wrote[in] = true;
    if (op != OP_GETTABUP && op != OP_SETTABUP && op != OP_GETUPVAL) continue;
    if (in < 0 || !c->is_env[in]) continue;
    if (op == OP_SETTABUP) {
      lua_pushboolean(c->L, true);
      lua_setfield(c->L, c->list, "sets");
    } else if (op == OP_GETUPVAL) {
      whole = true;
    } else if (text[k]) {
      cursor at = {.at = text[k]};
      size_t length;
      const char *name = read_text(&at, &length);
      add_name(c, name, length);
    }
  }
  return whole;
}

static void skip_debug(cursor *c) {
  size_t n = read_size(c);
  c->at += n;
  for (n = read_size(c); n > 0; n--) {
    read_size(c);
    read_size(c);
  }
  for (n = read_size(c); n > 0; n--) {
    skip_text(c);
    read_size(c);
    read_size(c);
  }
  for (n = read_size(c); n > 0; n--) skip_text(c);
}

/* One function; `outer` maps its enclosing function's upvalues to those of the outermost one (-1: a local). Nesting
   is bounded by Lua's parser. */
static void read_function(cursor *c, const int16_t *outer) {
  const unsigned char *text[SHORT] = {NULL};
  int16_t up[256];
  skip_text(c);
  read_size(c);
  read_size(c);
  c->at += 3;
  size_t ncode = read_size(c);
  const unsigned char *code = c->at;
  c->at += 4 * ncode;
  cursor constants = *c;
  read_constants(c, text, false);
  size_t n = read_size(c);
  for (size_t i = 0; i < 256; i++) up[i] = -1;
  for (size_t i = 0; i < n; i++, c->at += 3)
    up[i] = outer == NULL ? (int16_t)i : c->at[0] ? -1 : outer[c->at[1]];
  if (scan(c, code, ncode, text, up)) {
    constants.nname = c->nname;
    read_constants(&constants, text, true);
    c->nname = constants.nname;
  }
  for (n = read_size(c); n > 0; n--) read_function(c, up);
  skip_debug(c);
}

/* ---- the list, cached for as long as the function lives ---- */

typedef struct dumper {
  bool begun;
  luaL_Buffer buffer;
} dumper;

/* The buffer begins with the first piece: lua_dump wants the function on top of the stack, and a buffer pushes. */
static int add_piece(lua_State *L, const void *data, size_t n, void *ud) {
  dumper *d = ud;
  if (!d->begun) luaL_buffinit(L, &d->buffer);
  d->begun = true;
  luaL_addlstring(&d->buffer, data, n);
  return 0;
}

static const char cache_key;

static void push_cache(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
}

bool pl_push_upvalue(lua_State *L, int i, int u, bool *env) {
  i = lua_absindex(L, i);
  const char *name = lua_getupvalue(L, i, u);
  if (name == NULL) return false;
  lua_pushglobaltable(L);
  *env = lua_rawequal(L, -1, -2) || (strcmp(name, "_ENV") == 0 && lua_istable(L, -2));
  lua_pop(L, 1);
  return true;
}

static void find_env(lua_State *L, int i, bool is_env[256]) {
  for (int u = 1; u < 256 && pl_push_upvalue(L, i, u, &is_env[u - 1]); u++) lua_pop(L, 1);
}

static void note_writes(cursor *c, int i) {
  for (int u = 1; u < 256; u++) {
    if (!c->wrote[u - 1]) continue;
    const char *name = lua_getupvalue(c->L, i, u);
    if (name == NULL) return;
    lua_pop(c->L, 1);
    lua_pushstring(c->L, name);
    lua_setfield(c->L, c->list, "writes");
  }
}

bool pl_has_code(lua_State *L, int i) {
  push_cache(L);
  lua_pushvalue(L, i);
  bool has = lua_rawget(L, -2) == LUA_TTABLE;
  lua_pop(L, 2);
  return has;
}

void pl_push_code(lua_State *L, int i) {
  push_cache(L);
  int cache = lua_gettop(L);
  lua_pushvalue(L, i);
  if (lua_rawget(L, cache) == LUA_TTABLE) {
    lua_remove(L, cache);
    return;
  }
  lua_pop(L, 1);
  lua_newtable(L);
  int list = lua_gettop(L);
  dumper d = {.begun = false};
  lua_pushvalue(L, i);
  lua_dump(L, add_piece, &d, false);
  luaL_pushresult(&d.buffer);
  lua_remove(L, -2);
  const char *dump = lua_tostring(L, -1);
  lua_rawseti(L, list, 1);
  bool is_env[256] = {false};
  find_env(L, i, is_env);
  cursor c = {.at = (const unsigned char *)dump + HEADER, .L = L, .list = list, .nname = 1};
  c.is_env = is_env;
  read_function(&c, NULL);
  note_writes(&c, i);
  lua_pushvalue(L, i);
  lua_pushvalue(L, list);
  lua_rawset(L, cache);
  lua_remove(L, cache);
}
