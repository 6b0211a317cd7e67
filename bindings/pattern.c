/* pattern.c: string.find, match, gmatch and gsub that can be stopped. Lua's own may look back over a text for years without
   an instruction between; these look at interrupts and limits every few thousand steps, and take the memory of one frame
   for each item of a pattern. The patterns are those of the Lua 5.4 manual, section 6.4.1. */
#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

#include "vm_limits.h"

enum { CAPTURES = 32, DEEPEST = 200, OPEN = -1, POSITION = -2, STEPS = 4096 };

typedef struct matcher {
  lua_State *L;
  const char *text, *end, *pattern_end;
  int depth, n, steps;
  struct {
    const char *from;
    ptrdiff_t length;
  } capture[CAPTURES];
} matcher;

static const char *match(matcher *m, const char *s, const char *p);

static void step(matcher *m) {
  if (++m->steps % STEPS == 0) pl_charge(m->L, STEPS / 4);
}

/* ---- one character ---- */

static bool in_class(int c, int class) {
  int lower = tolower(class);
  bool in;
  switch (lower) {
  case 'a': in = isalpha(c); break;
  case 'c': in = iscntrl(c); break;
  case 'd': in = isdigit(c); break;
  case 'g': in = isgraph(c); break;
  case 'l': in = islower(c); break;
  case 'p': in = ispunct(c); break;
  case 's': in = isspace(c); break;
  case 'u': in = isupper(c); break;
  case 'w': in = isalnum(c); break;
  case 'x': in = isxdigit(c); break;
  case 'z': in = c == 0; break; /* as Lua still has it */
  default: return class == c;
  }
  return isupper(class) ? !in : in;
}

/* Past the item at p: a character, an escape or a set. */
static const char *item_end(matcher *m, const char *p) {
  if (*p == '%') {
    if (p + 1 == m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
    return p + 2;
  }
  if (*p++ != '[') return p;
  if (p < m->pattern_end && *p == '^') p++;
  do { /* a ']' that comes first belongs to the set */
    if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
    if (*p++ == '%' && p < m->pattern_end) p++;
  } while (p == m->pattern_end || *p != ']');
  return p + 1;
}

/* The set from its '[' to its ']', both included in [p, last]. */
static bool in_set(int c, const char *p, const char *last) {
  bool inside = p[1] != '^';
  if (!inside) p++;
  while (++p < last) {
    if (*p == '%') {
      if (in_class(c, (unsigned char)*++p)) return inside;
    } else if (p[1] == '-' && p + 2 < last) {
      if ((unsigned char)*p <= c && c <= (unsigned char)p[2]) return inside;
      p += 2;
    } else if ((unsigned char)*p == c) {
      return inside;
    }
  }
  return !inside;
}

static bool fits(const matcher *m, const char *s, const char *p, const char *item) {
  if (s >= m->end) return false;
  int c = (unsigned char)*s;
  if (*p == '.') return true;
  if (*p == '%') return in_class(c, (unsigned char)p[1]);
  return *p == '[' ? in_set(c, p, item - 1) : (unsigned char)*p == c;
}

/* ---- items ---- */

static const char *longest(matcher *m, const char *s, const char *p, const char *item) {
  ptrdiff_t n = 0;
  for (; fits(m, s + n, p, item); n++) step(m);
  for (; n >= 0; n--) {
    const char *found = match(m, s + n, item + 1);
    if (found) return found;
  }
  return NULL;
}

static const char *shortest(matcher *m, const char *s, const char *p, const char *item) {
  for (;; s++) {
    const char *found = match(m, s, item + 1);
    if (found || !fits(m, s, p, item)) return found;
    step(m);
  }
}

static const char *balanced(matcher *m, const char *s, const char *p) {
  if (p + 1 >= m->pattern_end) luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
  if (s >= m->end || *s != *p) return NULL;
  int level = 1;
  for (s++; s < m->end; s++) {
    step(m);
    if (*s == p[1]) {
      if (--level == 0) return s + 1;
    } else if (*s == *p) {
      level++;
    }
  }
  return NULL;
}

/* What `class` stands for after '%': a capture that is complete. */
static int closed_capture(matcher *m, int digit) {
  int i = digit - '1';
  if (i < 0 || i >= m->n || m->capture[i].length == OPEN)
    return luaL_error(m->L, "invalid capture index %%%d", i + 1);
  return i;
}

static const char *open_capture(matcher *m, const char *s, const char *p, ptrdiff_t kind) {
  if (m->n == CAPTURES) luaL_error(m->L, "too many captures");
  m->capture[m->n].from = s;
  m->capture[m->n++].length = kind;
  const char *found = match(m, s, p);
  if (found == NULL) m->n--;
  return found;
}

static const char *close_capture(matcher *m, const char *s, const char *p) {
  int i = m->n - 1;
  while (i >= 0 && m->capture[i].length != OPEN) i--;
  if (i < 0) luaL_error(m->L, "invalid pattern capture");
  m->capture[i].length = s - m->capture[i].from;
  const char *found = match(m, s, p);
  if (found == NULL) m->capture[i].length = OPEN;
  return found;
}

static const char *frontier(matcher *m, const char *s, const char **p) {
  const char *set = *p + 2;
  if (set >= m->pattern_end || *set != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
  const char *after = item_end(m, set);
  int before = s == m->text ? 0 : (unsigned char)s[-1], here = s < m->end ? (unsigned char)*s : 0;
  if (in_set(before, set, after - 1) || !in_set(here, set, after - 1)) return NULL;
  *p = after;
  return s;
}

/* Whether p is %b, %f or %1; a pattern ends with a 0. */
static inline bool is_special(const char *p) {
  return *p == '%' && (p[1] == 'b' || p[1] == 'f' || isdigit((unsigned char)p[1]));
}

/* One of these, which *p goes past. NULL: no match. */
static const char *special(matcher *m, const char *s, const char **p) {
  int kind = (unsigned char)(*p)[1];
  if (kind == 'b') {
    s = balanced(m, s, *p + 2);
    *p += 4;
  } else if (kind == 'f') {
    s = frontier(m, s, p);
  } else {
    int i = closed_capture(m, kind);
    ptrdiff_t n = m->capture[i].length;
    bool same = n >= 0 && n <= m->end - s && memcmp(m->capture[i].from, s, (size_t)n) == 0;
    s = same ? s + n : NULL;
    *p += 2;
  }
  return s;
}

static const char *match_here(matcher *m, const char *s, const char *p) {
  while (s && p != m->pattern_end) {
    step(m);
    if (*p == '(') {
      bool position = p + 1 < m->pattern_end && p[1] == ')';
      return open_capture(m, s, p + 1 + position, position ? POSITION : OPEN);
    }
    if (*p == ')') return close_capture(m, s, p + 1);
    if (*p == '$' && p + 1 == m->pattern_end) return s == m->end ? s : NULL;
    if (is_special(p)) {
      s = special(m, s, &p);
      continue;
    }
    const char *item = item_end(m, p);
    int repeat = item < m->pattern_end ? *item : 0;
    bool one = fits(m, s, p, item);
    switch (repeat) {
    case '?': {
      const char *found = one ? match(m, s + 1, item + 1) : NULL;
      if (found) return found;
      p = item + 1;
      continue;
    }
    case '+': return one ? longest(m, s + 1, p, item) : NULL;
    case '*': return longest(m, s, p, item);
    case '-': return shortest(m, s, p, item);
    default: s = one ? s + 1 : NULL; p = item;
    }
  }
  return s;
}

static const char *match(matcher *m, const char *s, const char *p) {
  if (++m->depth > DEEPEST) luaL_error(m->L, "pattern too complex");
  const char *found = match_here(m, s, p);
  m->depth--;
  return found;
}

/* ---- captures ---- */

static void push_capture(matcher *m, int i, const char *s, const char *e) {
  if (i >= m->n) {
    if (i != 0) luaL_error(m->L, "invalid capture index %%%d", i + 1);
    lua_pushlstring(m->L, s, (size_t)(e - s));
  } else if (m->capture[i].length == POSITION) {
    lua_pushinteger(m->L, m->capture[i].from - m->text + 1);
  } else {
    if (m->capture[i].length == OPEN) luaL_error(m->L, "unfinished capture");
    lua_pushlstring(m->L, m->capture[i].from, (size_t)m->capture[i].length);
  }
}

/* All of them, or the whole match where there are none and `whole`. */
static int push_captures(matcher *m, const char *s, const char *e, bool whole) {
  int n = m->n == 0 && whole ? 1 : m->n;
  luaL_checkstack(m->L, n, "too many captures");
  for (int i = 0; i < n; i++) push_capture(m, i, s, e);
  return n;
}

static const char *attempt(matcher *m, const char *s, const char *p) {
  m->n = m->depth = 0;
  return match(m, s, p);
}

/* ---- the functions ---- */

static matcher new_matcher(lua_State *L, const char *s, size_t ls, const char *p, size_t lp) {
  return (matcher){.L = L, .text = s, .end = s + ls, .pattern_end = p + lp};
}

/* The first position to look at, from 0 on; beyond the text where there is none. */
static size_t first_place(lua_State *L, int i, size_t length) {
  lua_Integer at = luaL_optinteger(L, i, 1);
  if (at > 0) return (size_t)at - 1;
  return at == 0 || at < -(lua_Integer)length ? 0 : length - (size_t)-at;
}

/* Short texts are common, for which memmem is slow. */
static const char *search(const char *s, const char *end, const char *p, size_t n) {
  while ((size_t)(end - s) >= n) {
    s = memchr(s, *p, (size_t)(end - s) - n + 1);
    if (s == NULL || memcmp(s, p, n) == 0) return s;
    s++;
  }
  return NULL;
}

static int find_plain(lua_State *L, const char *s, size_t ls, size_t at, const char *p, size_t lp) {
  const char *found = lp ? search(s + at, s + ls, p, lp) : s + at;
  if (found == NULL) return lua_pushnil(L), 1;
  lua_pushinteger(L, found - s + 1);
  lua_pushinteger(L, found - s + (lua_Integer)lp);
  return 2;
}

/* Whether a pattern stands for itself. */
static bool is_plain(const char *p, const char *end) {
  for (; p <= end; p += strlen(p) + 1) { /* it may hold zeros */
    if (strpbrk(p, "^$*+?.([%-")) return false;
  }
  return true;
}

static int find_or_match(lua_State *L, bool find) {
  size_t ls, lp;
  const char *s = luaL_checklstring(L, 1, &ls), *p = luaL_checklstring(L, 2, &lp);
  size_t at = first_place(L, 3, ls);
  if (at > ls) return lua_pushnil(L), 1;
  if (find && (lua_toboolean(L, 4) || is_plain(p, p + lp))) return find_plain(L, s, ls, at, p, lp);
  matcher m = new_matcher(L, s, ls, p, lp);
  bool anchored = lp > 0 && *p == '^';
  for (const char *from = s + at; from <= m.end; from++) {
    const char *e = attempt(&m, from, p + anchored);
    if (e && find) {
      lua_pushinteger(L, from - s + 1);
      lua_pushinteger(L, e - s);
      return 2 + push_captures(&m, from, e, false);
    }
    if (e) return push_captures(&m, from, e, true);
    if (anchored) break;
  }
  lua_pushnil(L);
  return 1;
}

static int find(lua_State *L) { return find_or_match(L, true); }
static int match_text(lua_State *L) { return find_or_match(L, false); }

/* How far gmatch has come: where to go on, and where the last match ended (NULL: there was none). */
typedef struct progress {
  matcher m;
  const char *at, *last, *pattern;
} progress;

/* Upvalues: the text and the pattern, which are kept alive, the progress. */
static int next_match(lua_State *L) {
  progress *g = lua_touserdata(L, lua_upvalueindex(3));
  g->m.L = L;
  for (; g->at <= g->m.end; g->at++) {
    const char *e = attempt(&g->m, g->at, g->pattern), *from = g->at;
    if (e == NULL || e == g->last) continue;
    g->at = g->last = e;
    return push_captures(&g->m, from, e, true);
  }
  return 0;
}

static int gmatch(lua_State *L) {
  size_t ls, lp;
  const char *s = luaL_checklstring(L, 1, &ls), *p = luaL_checklstring(L, 2, &lp);
  size_t at = first_place(L, 3, ls);
  lua_settop(L, 2);
  progress *g = lua_newuserdatauv(L, sizeof *g, 0);
  g->m = new_matcher(L, s, ls, p, lp);
  g->at = s + (at > ls ? ls + 1 : at);
  g->last = NULL;
  g->pattern = p;
  lua_pushcclosure(L, next_match, 3);
  return 1;
}

static void add_text(matcher *m, luaL_Buffer *b, const char *s, const char *e) {
  size_t n;
  const char *r = lua_tolstring(m->L, 3, &n), *end = r + n;
  while (r < end) {
    const char *escape = memchr(r, '%', (size_t)(end - r));
    if (escape == NULL) escape = end;
    luaL_addlstring(b, r, (size_t)(escape - r));
    if (escape == end) return;
    r = escape + 2;
    int c = escape + 1 < end ? (unsigned char)escape[1] : 0;
    if (c == '%') luaL_addchar(b, '%');
    else if (c == '0') luaL_addlstring(b, s, (size_t)(e - s));
    else if (isdigit(c)) {
      push_capture(m, c - '1', s, e);
      luaL_tolstring(m->L, -1, NULL);
      lua_remove(m->L, -2);
      luaL_addvalue(b);
    } else {
      luaL_error(m->L, "invalid use of '%%' in replacement string");
    }
  }
}

static void add_value(matcher *m, luaL_Buffer *b, const char *s, const char *e, int type) {
  lua_State *L = m->L;
  if (type == LUA_TFUNCTION) {
    lua_pushvalue(L, 3);
    lua_call(L, push_captures(m, s, e, true), 1);
  } else if (type == LUA_TTABLE) {
    push_capture(m, 0, s, e);
    lua_gettable(L, 3);
  } else {
    add_text(m, b, s, e);
    return;
  }
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    luaL_addlstring(b, s, (size_t)(e - s));
  } else if (!lua_isstring(L, -1)) {
    luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  } else {
    luaL_addvalue(b);
  }
}

static int gsub(lua_State *L) {
  size_t ls, lp;
  const char *s = luaL_checklstring(L, 1, &ls), *p = luaL_checklstring(L, 2, &lp), *last = NULL;
  int type = lua_type(L, 3);
  luaL_argexpected(
      L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE,
      3, "string/function/table");
  lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)ls + 1), n = 0;
  bool anchored = lp > 0 && *p == '^';
  lua_settop(L, 3);
  if (type == LUA_TNUMBER) lua_tostring(L, 3);
  matcher m = new_matcher(L, s, ls, p, lp);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  while (n < most) {
    const char *e = attempt(&m, s, p + anchored);
    if (e && e != last) {
      n++;
      add_value(&m, &b, s, e, type);
      s = last = e;
    } else if (s < m.end) {
      luaL_addchar(&b, *s++);
    } else {
      break;
    }
    if (anchored) break;
  }
  luaL_addlstring(&b, s, (size_t)(m.end - s));
  luaL_pushresult(&b);
  lua_pushinteger(L, n);
  return 2;
}

void pl_open_patterns(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"find", find}, {"match", match_text}, {"gmatch", gmatch}, {"gsub", gsub}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
