/* host_function.c: functions of the host that scripts call. No error passes through the host's frames: arguments are
   checked before it is called, what it returns is put aside in pt_call and becomes Lua values afterwards. */
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "tensor.h"

enum { RESULTS = 8 };

typedef struct function {
  pt_host_fn fn;
  void *ud;
  const char *name, *signature; /* upvalues keep them */
} function;

typedef struct result {
  double n;
  int64_t i;
  char *text; /* a copy */
  size_t length;
  const pt_value *v;
  pt_tensor *t;
} result;

struct pt_call {
  lua_State *L;
  const function *f;
  int nresults;
  bool no_memory;
  result result[RESULTS];
};

/* ---- arguments ---- */

static bool is_kind(lua_State *L, int i, char kind) {
  int whole = 0;
  switch (kind) {
  case 'n': return lua_type(L, i) == LUA_TNUMBER;
  case 'i':
    if (lua_type(L, i) == LUA_TNUMBER) lua_tointegerx(L, i, &whole);
    return whole;
  case 's':
  case 'S': return lua_type(L, i) == LUA_TSTRING;
  case 'b': return lua_isboolean(L, i);
  case 'T': return pl_tensor_at(L, i) != NULL;
  default: return !lua_isnone(L, i); /* V */
  }
}

static void check_arguments(lua_State *L, const function *f) {
  int i = 0, given = lua_gettop(L);
  for (const char *s = f->signature; *s && *s != '>'; s++) {
    if (*s == '*') return;
    bool optional = s[1] == '?';
    i++;
    if (!(optional && lua_isnoneornil(L, i)) && !is_kind(L, i, *s))
      pl_error(L, PT_EARG, "%s: argument %d must be %s, got %s", f->name, i,
               *s == 'V' ? "a value" : pl_kind_name(*s), pl_describe(L, i));
    s += optional;
  }
  if (given > i) pl_error(L, PT_EARG, "%s: takes %d arguments, got %d", f->name, i, given);
}

int pt_call_count(const pt_call *c) { return lua_gettop(c->L); }
bool pt_call_has(const pt_call *c, int i) { return !lua_isnoneornil(c->L, i + 1); }
double pt_call_number(const pt_call *c, int i) { return lua_tonumber(c->L, i + 1); }
int64_t pt_call_integer(const pt_call *c, int i) { return lua_tointeger(c->L, i + 1); }
bool pt_call_boolean(const pt_call *c, int i) { return lua_toboolean(c->L, i + 1); }
const char *pt_call_string(const pt_call *c, int i, size_t *length) {
  if (lua_type(c->L, i + 1) == LUA_TSTRING) return lua_tolstring(c->L, i + 1, length);
  if (length) *length = 0;
  return NULL;
}
pt_tensor *pt_call_tensor(const pt_call *c, int i) { return pl_tensor_at(c->L, i + 1); }

typedef struct new_handle {
  pt_vm *vm;
  pt_value *out;
} new_handle;

static int make_handle(lua_State *L) {
  new_handle *h = lua_touserdata(L, 1);
  lua_settop(L, 2);
  h->out = pl_new_value(L, h->vm);
  return 0;
}

pt_value *pt_call_value(pt_call *c, int i) {
  new_handle h = {pl_current_vm(), NULL};
  lua_State *L = c->L;
  if (!lua_checkstack(L, 4)) return pti_fail(PT_EMEMORY, "no memory for a value");
  lua_pushcfunction(L, make_handle);
  lua_pushlightuserdata(L, &h);
  if (i < pt_call_count(c) - 2 + 1) lua_pushvalue(L, i + 1);
  else lua_pushnil(L);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) lua_pop(L, 1);
  return h.out;
}

/* ---- results ---- */

static char *copy(const char *text, size_t length) {
  char *c = malloc(length + 1);
  if (c) memcpy(c, text ? text : "", length), c[length] = 0;
  return c;
}

bool pt_call_return(pt_call *c, ...) {
  const char *kinds = strchr(c->f->signature, '>');
  va_list ap;
  va_start(ap, c);
  for (int i = 0; i < c->nresults; i++) free(c->result[i].text);
  c->nresults = 0;
  for (kinds = kinds ? kinds + 1 : ""; *kinds && c->nresults < RESULTS; kinds++) {
    result *r = &c->result[c->nresults++];
    *r = (result){0};
    switch (*kinds) {
    case 'n': r->n = va_arg(ap, double); break;
    case 'i': r->i = va_arg(ap, int64_t); break;
    case 'b': r->i = va_arg(ap, int); break;
    case 'V': r->v = va_arg(ap, const pt_value *); break;
    case 'T': r->t = va_arg(ap, pt_tensor *); break;
    default:
      r->text = (char *)va_arg(ap, const char *);
      r->length = *kinds == 'S' ? va_arg(ap, size_t) : r->text ? strlen(r->text) : 0;
      r->text = copy(r->text, r->length);
      c->no_memory |= r->text == NULL;
    }
  }
  va_end(ap);
  return !c->no_memory;
}

static int push_results(lua_State *L) {
  const pt_call *c = lua_touserdata(L, 1);
  const char *kinds = strchr(c->f->signature, '>') + 1;
  luaL_checkstack(L, RESULTS + 4, NULL);
  for (int i = 0; i < c->nresults; i++) {
    const result *r = &c->result[i];
    switch (kinds[i]) {
    case 'n': lua_pushnumber(L, r->n); break;
    case 'i': lua_pushinteger(L, r->i); break;
    case 'b': lua_pushboolean(L, (int)r->i); break;
    case 'V': pl_push_value(L, r->v); break;
    case 'T':
      if (r->t == NULL) return pl_raise(L);
      pl_fill(L, pl_new_box(L), r->t);
      break;
    default: lua_pushlstring(L, r->text, r->length);
    }
  }
  return c->nresults;
}

/* ---- the call ---- */

static bool call_host(pt_call *c) {
  int base = pti_this.index_base;
  pti_this.index_base = 0; /* the host's is C */
  bool ok = c->f->fn(c, c->f->ud);
  pti_this.index_base = base;
  return ok;
}

static int enter_host(lua_State *L) {
  pt_call c = {.L = L, .f = lua_touserdata(L, lua_upvalueindex(1))};
  check_arguments(L, c.f);
  luaL_checkstack(L, RESULTS + LUA_MINSTACK, NULL);
  int top = lua_gettop(L);
  pt_scope scope = pt_scope_begin();
  bool ok = call_host(&c);
  int status = LUA_OK;
  lua_settop(L, top);
  if (ok && c.nresults > 0) {
    lua_pushcfunction(L, push_results);
    lua_pushlightuserdata(L, &c);
    status = lua_pcall(L, 1, LUA_MULTRET, 0);
  }
  pt_scope_end(scope);
  for (int i = 0; i < c.nresults; i++) free(c.result[i].text);
  if (status != LUA_OK) return lua_error(L);
  if (ok && !c.no_memory) return lua_gettop(L) - top;
  if (c.no_memory) pti_fail(PT_EMEMORY, "no memory for the results");
  pti_error_prefix(c.f->name);
  return pl_raise(L);
}

typedef struct registration {
  const char *name, *signature;
  pt_host_fn fn;
  void *ud;
} registration;

static void check_signature(lua_State *L, const char *name, const char *signature) {
  const char *kinds = strchr(signature, '>');
  bool fine = strspn(signature, "nisSbTV?*>") == strlen(signature);
  fine = fine &&
      (kinds == NULL || (strpbrk(kinds + 1, "?*>") == NULL && strlen(kinds + 1) <= RESULTS));
  if (!fine)
    pl_error(
        L, PT_EARG,
        "pt_vm_register: '%s' is not a signature for '%s'; one is \"ns?>b\", with letters of n, i, s, S, b, T, V",
        signature, name);
}

static int run_register(lua_State *L) {
  const registration *r = lua_touserdata(L, 1);
  check_signature(L, r->name, r->signature);
  lua_pushglobaltable(L);
  const char *last = r->name, *dot;
  for (; (dot = strchr(last, '.')) != NULL; last = dot + 1) {
    lua_pushlstring(L, last, (size_t)(dot - last));
    pl_enter_table(L);
  }
  function *f = lua_newuserdatauv(L, sizeof *f, 0);
  *f = (function){.fn = r->fn, .ud = r->ud};
  f->name = lua_pushstring(L, r->name);
  f->signature = lua_pushstring(L, r->signature);
  lua_pushcclosure(L, enter_host, 3);
  lua_setfield(L, -2, last);
  return 0;
}

pt_status pt_vm_register(pt_vm *vm, const char *name, pt_host_fn fn, void *ud,
                         const char *signature) {
  if (name == NULL || *name == 0 || fn == NULL)
    return pti_fail(PT_EARG, "pt_vm_register: there is no name or function"), PT_EARG;
  registration r = {name, signature ? signature : "*", fn, ud};
  return pl_run(vm, run_register, &r);
}
