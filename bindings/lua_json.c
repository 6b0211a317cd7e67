/* lua_json.c: JSON for Lua, read by the engine's strict reader. */
#include <string.h>

#include "binding.h"
#include "io/json.h"

enum { MAX_DEPTH = 256 };

typedef struct level {
  bool object;
  lua_Integer n; /* of an array: entries so far */
} level;

/* A number as Lua has it: an integer where it is written as one and fits. */
static void push_number(lua_State *L, const pti_json *j, int64_t from, int64_t to, bool whole) {
  int64_t value = 0;
  bool minus = j->text[from] == '-';
  for (int64_t at = from + minus; whole && at < to; at++) {
    int digit = j->text[at] - '0';
    whole = pti_mul(value, 10, &value) && pti_add(value, minus ? -digit : digit, &value);
  }
  if (whole) {
    lua_pushinteger(L, value);
    return;
  }
  lua_pushlstring(L, j->text + from, (size_t)(to - from));
  lua_pushnumber(L, lua_tonumber(L, -1)); /* Lua knows the locale's point */
  lua_remove(L, -2);
}

/* Pushes a string, a number or a word; what null becomes stands at 3. */
static bool push_scalar(lua_State *L, pti_json *j) {
  char *text;
  int64_t bytes, from, to;
  bool whole;
  switch (pti_json_peek(j)) {
  case '"':
    if (!pti_json_text(j, &text, &bytes)) return false;
    lua_pushlstring(L, text, (size_t)bytes);
    return true;
  case 't': lua_pushboolean(L, 1); return pti_json_word(j, "true");
  case 'f': lua_pushboolean(L, 0); return pti_json_word(j, "false");
  case 'n': lua_pushvalue(L, 3); return pti_json_word(j, "null");
  default:
    if (!pti_json_number(j, &from, &to, &whole)) return false;
    push_number(L, j, from, to, whole);
    return true;
  }
}

/* Pushes the key of the next member of the object on top, or nothing where there is none left. */
static bool push_key(lua_State *L, pti_json *j, bool *more) {
  int64_t at;
  int64_t bytes;
  char *key;
  if (!pti_json_member(j, more, &key, &bytes, &at) || !*more) return !*more;
  lua_pushlstring(L, key, (size_t)bytes);
  lua_pushvalue(L, -1);
  bool twice = lua_rawget(L, -3) != LUA_TNIL;
  lua_pop(L, 1);
  return !twice || pti_json_fail(j, at, "key \"%.64s\" occurs twice", key);
}

/* Puts the value on top into the table below it (and, in an object, below its key). */
static void put(lua_State *L, level *in) {
  if (in->object) lua_rawset(L, -3);
  else lua_rawseti(L, -2, ++in->n);
}

static bool push_value(lua_State *L, pti_json *j, level *open) {
  int depth = 0;
  for (;;) {
    char c = pti_json_peek(j);
    if (c == '{' || c == '[') {
      if (depth == MAX_DEPTH) return pti_json_fail(j, j->at, "nested deeper than %d", MAX_DEPTH);
      if (!pti_json_open(j, c)) return false;
      lua_newtable(L);
      open[depth++] = (level){.object = c == '{'};
    } else {
      if (!push_scalar(L, j)) return false;
      if (depth > 0) put(L, &open[depth - 1]);
    }
    bool more = depth == 0;
    while (!more && depth > 0) { /* to the next member, out of what ends here */
      bool ok = open[depth - 1].object ? push_key(L, j, &more) : pti_json_item(j, &more);
      if (!ok) return false;
      if (more) break;
      if (--depth > 0) put(L, &open[depth - 1]);
    }
    if (depth == 0) return pti_json_end(j);
  }
}

/* core.json(op, text, null, name) -> value; null is what `null` becomes, `name` stands in messages */
static int json(lua_State *L) {
  size_t n;
  luaL_checkstack(L, 2 * MAX_DEPTH + 16, NULL);
  lua_settop(L, 4);
  const char *op = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &n);
  const char *name = luaL_checkstring(L, 4);
  char *copy = lua_newuserdatauv(L, n + 1, 0); /* the reader decodes strings in place */
  memcpy(copy, text, n + 1);
  pti_json j = {.path = name, .text = copy, .n = (int64_t)n};
  level open[MAX_DEPTH];
  if (push_value(L, &j, open)) return 1;
  pti_error_prefix(op);
  return pl_raise(L);
}

void pl_open_json(lua_State *L) {
  lua_pushcfunction(L, json);
  lua_setfield(L, -2, "json");
}
