/* host_value.c: values of scripts in the hands of hosts: handles of tables, functions and whatever else, and calls. */
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "tensor.h"

/* ---- handles ---- */

pt_value *pl_new_value(lua_State *L, pt_vm *vm) {
  pt_value *v = calloc(1, sizeof *v);
  if (v == NULL) pl_error(L, PT_EMEMORY, "no memory for a value");
  v->ref = LUA_NOREF;
  v->vm = vm;
  v->after = vm->values;
  if (v->after) v->after->before = v;
  vm->values = v; /* with the vm from here on, so that an error loses nothing */
  v->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return v;
}

void pl_push_value(lua_State *L, const pt_value *v) {
  if (v == NULL || v->vm == NULL) lua_pushnil(L);
  else lua_rawgeti(L, LUA_REGISTRYINDEX, v->ref);
}

void pt_value_free(pt_value *v) {
  if (v == NULL) return;
  if (v->vm) {
    luaL_unref(v->vm->L, LUA_REGISTRYINDEX,
               v->ref); /* writes to fields that are there: raises nothing */
    if (v->before) v->before->after = v->after;
    else v->vm->values = v->after;
    if (v->after) v->after->before = v->before;
  }
  free(v);
}

/* ---- paths ---- */

/* Pushes the next key of a path and goes past it. */
static void push_key(lua_State *L, const char *op, const char *path, const char **at) {
  size_t n = strcspn(*at, ".[");
  char *end = NULL;
  if (n > 0) {
    lua_pushlstring(L, *at, n);
    *at += n;
  } else if (**at == '[') {
    lua_pushinteger(L, strtoll(*at + 1, &end, 10));
    if (end != *at + 1 && *end == ']') *at = end + 1;
    else end = NULL;
  }
  if ((n == 0 && end == NULL) || (**at == '.' && *++*at == 0))
    pl_error(L, PT_EARG, "%s: '%s' is not a path; one is a.b[3].c", op, path);
}

void pl_push_path(lua_State *L, const char *op, const char *path) {
  for (const char *at = path; *at;) {
    const char *from = at;
    if (lua_isnil(L, -1))
      pl_error(L, PT_EARG, "%s: there is no '%.*s'", op,
               (int)(from - path - (from > path && from[-1] == '.')), path);
    push_key(L, op, path, &at);
    lua_gettable(L, -2);
    lua_remove(L, -2);
  }
}

/* ---- formats ---- */

void pl_push_argument(lua_State *L, const char *op, char kind, va_list *ap) {
  pt_tensor *t;
  const char *text;
  switch (kind) {
  case 'n': lua_pushnumber(L, va_arg(*ap, double)); break;
  case 'i': lua_pushinteger(L, va_arg(*ap, int64_t)); break;
  case 's': lua_pushstring(L, va_arg(*ap, const char *)); break;
  case 'S':
    text = va_arg(*ap, const char *);
    lua_pushlstring(L, text, va_arg(*ap, size_t));
    break;
  case 'b': lua_pushboolean(L, va_arg(*ap, int)); break;
  case 'z': lua_pushnil(L); break;
  case 't': lua_newtable(L); break;
  case 'V': pl_push_value(L, va_arg(*ap, pt_value *)); break;
  case 'T':
    t = va_arg(*ap, pt_tensor *);
    if (t == NULL) pl_raise(L); /* the error of whoever should have made it */
    pl_need_module(L);
    pl_fill(L, pl_new_box(L), t);
    break;
  default:
    pl_error(L, PT_EARG, "%s: the format knows n, i, s, S, b, z, t, T, V, not '%c'", op, kind);
  }
}

const char *pl_kind_name(char kind) {
  return kind == 'n' ? "a number"
      : kind == 'i'  ? "an integer"
      : kind == 'b'  ? "a boolean"
      : kind == 'T'  ? "a tensor"
                     : "a string";
}

bool pl_read_result(lua_State *L, pt_vm *vm, const char *op, int i, char kind, va_list *ap) {
  int ok = 1;
  size_t length = 0;
  pt_tensor *t;
  switch (kind) {
  case 'n': *va_arg(*ap, double *) = lua_tonumberx(L, i, &ok); break;
  case 'i': *va_arg(*ap, int64_t *) = lua_tointegerx(L, i, &ok); break;
  case 's':
  case 'S':
    ok = lua_isstring(L, i);
    *va_arg(*ap, const char **) = lua_tolstring(L, i, &length);
    if (kind == 'S') *va_arg(*ap, size_t *) = length;
    break;
  case 'b': *va_arg(*ap, int *) = lua_toboolean(L, i); break;
  case 'V':
    lua_pushvalue(L, i);
    *va_arg(*ap, pt_value **) = pl_new_value(L, vm);
    break;
  case 'T':
    t = pl_tensor_at(L, i);
    *va_arg(*ap, pt_tensor **) = t ? pti_borrow(t) : NULL;
    ok = t != NULL;
    break;
  default:
    return pl_error(L, PT_EARG, "%s: the format knows n, i, s, S, b, T, V for results, not '%c'",
                    op, kind);
  }
  return ok;
}

/* ---- calls ---- */

typedef struct call {
  pt_vm *vm;
  const char *op, *name; /* the path of a global function, or NULL: */
  const pt_value *fn;
  const char *format;
  va_list *ap;
} call;

/* What was pushed last of strings and tables stays alive until the next call. */
static void keep_results(lua_State *L, int first, int n) {
  if (n == 1) lua_pushvalue(L, first);
  else lua_createtable(L, n, 0);
  for (int i = 0; n > 1 && i < n; i++) {
    lua_pushvalue(L, first + i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, LUA_REGISTRYINDEX, "pt.results");
}

static int run_call(lua_State *L) {
  const call *c = lua_touserdata(L, 1);
  const char *results = strchr(c->format, '>');
  int nargs = results ? (int)(results - c->format) : (int)strlen(c->format);
  int nresults = results ? (int)strlen(results + 1) : 0;
  bool keeps = results && strpbrk(results, "sS");
  luaL_checkstack(L, nargs + nresults + 4, "the format is too long");
  if (c->name) {
    lua_pushglobaltable(L);
    pl_push_path(L, c->op, c->name);
    if (lua_isnil(L, -1)) pl_error(L, PT_EARG, "%s: there is no '%s'", c->op, c->name);
  } else {
    pl_push_value(L, c->fn);
  }
  for (int i = 0; i < nargs; i++) pl_push_argument(L, c->op, c->format[i], c->ap);
  lua_call(L, nargs, nresults);
  for (int i = 0; i < nresults; i++) {
    if (!pl_read_result(L, c->vm, c->op, 2 + i, results[1 + i], c->ap))
      return pl_error(L, PT_EARG, "%s: result %d of '%s' must be %s, got %s", c->op, i + 1,
                      c->name ? c->name : "the function", pl_kind_name(results[1 + i]),
                      pl_describe(L, 2 + i));
  }
  if (keeps) keep_results(L, 2, nresults);
  return 0;
}

pt_status pt_vm_call(pt_vm *vm, const char *name, const char *format, ...) {
  if (name == NULL) return pti_fail(PT_EARG, "pt_vm_call: name is NULL"), PT_EARG;
  va_list ap;
  va_start(ap, format);
  call c = {.vm = vm, .op = "pt_vm_call", .name = name, .format = format ? format : "", .ap = &ap};
  pt_status code = pl_run(vm, run_call, &c);
  va_end(ap);
  return code;
}

pt_status pt_value_call(pt_value *fn, const char *format, ...) {
  if (fn == NULL || fn->vm == NULL)
    return pti_fail(PT_EARG, "pt_value_call: there is no value, or its vm is closed"), PT_EARG;
  va_list ap;
  va_start(ap, format);
  call c = {
      .vm = fn->vm, .op = "pt_value_call", .fn = fn, .format = format ? format : "", .ap = &ap};
  pt_status code = pl_run(fn->vm, run_call, &c);
  va_end(ap);
  return code;
}

/* ---- looking at values, making them ---- */

typedef struct look {
  pt_vm *vm;
  const pt_value *of; /* NULL: the globals */
  const char *path, *format;
  va_list *ap;
  pt_value *out, *key;
} look;

static void push_start(lua_State *L, const look *k) {
  if (k->of) pl_push_value(L, k->of);
  else lua_pushglobaltable(L);
}

static int run_get(lua_State *L) {
  look *k = lua_touserdata(L, 1);
  push_start(L, k);
  pl_push_path(L, "pt_value_get", k->path);
  k->out = pl_new_value(L, k->vm);
  return 0;
}

static pt_value *get(pt_vm *vm, const pt_value *of, const char *path) {
  look k = {.vm = vm, .of = of, .path = path};
  if (path == NULL) return pti_fail(PT_EARG, "pt_value_get: path is NULL");
  return pl_run(vm, run_get, &k) == PT_OK ? k.out : NULL;
}

pt_value *pt_vm_get(pt_vm *vm, const char *path) { return get(vm, NULL, path); }
pt_value *pt_value_get(const pt_value *v, const char *path) {
  if (v == NULL || v->vm == NULL)
    return pti_fail(PT_EARG, "pt_value_get: there is no value, or its vm is closed");
  return get(v->vm, v, path);
}

static int run_new(lua_State *L) {
  look *k = lua_touserdata(L, 1);
  if (strlen(k->format) != 1) pl_error(L, PT_EARG, "pt_vm_new: the format is one letter");
  pl_push_argument(L, "pt_vm_new", *k->format, k->ap);
  k->out = pl_new_value(L, k->vm);
  return 0;
}

pt_value *pt_vm_new(pt_vm *vm, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  look k = {.vm = vm, .format = format ? format : "", .ap = &ap};
  pt_status code = pl_run(vm, run_new, &k);
  va_end(ap);
  return code == PT_OK ? k.out : NULL;
}

void pl_enter_table(lua_State *L) {
  lua_pushvalue(L, -1);
  if (lua_gettable(L, -3) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_settable(L, -5);
  }
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* Pushes the table that the last key of the path goes into, and the key. Tables on the way are made. */
static void push_place(lua_State *L, const char *op, const char *path) {
  const char *at = path;
  if (*at == 0) pl_error(L, PT_EARG, "%s: the path is empty", op);
  for (;;) {
    push_key(L, op, path, &at);
    if (*at == 0) return;
    pl_enter_table(L);
  }
}

static int run_set(lua_State *L) {
  look *k = lua_touserdata(L, 1);
  push_start(L, k);
  push_place(L, "pt_value_set", k->path);
  if (strlen(k->format) != 1) pl_error(L, PT_EARG, "pt_value_set: the format is one letter");
  pl_push_argument(L, "pt_value_set", *k->format, k->ap);
  lua_settable(L, -3);
  return 0;
}

static pt_status set(look *k) {
  if (k->path == NULL || k->format == NULL)
    return pti_fail(PT_EARG, "pt_value_set: path or format is NULL"), PT_EARG;
  return pl_run(k->vm, run_set, k);
}

pt_status pt_vm_set(pt_vm *vm, const char *path, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  pt_status code = set(&(look){.vm = vm, .path = path, .format = format, .ap = &ap});
  va_end(ap);
  return code;
}

pt_status pt_value_set(pt_value *v, const char *path, const char *format, ...) {
  if (v == NULL || v->vm == NULL)
    return pti_fail(PT_EARG, "pt_value_set: there is no value, or its vm is closed"), PT_EARG;
  va_list ap;
  va_start(ap, format);
  pt_status code = set(&(look){.vm = v->vm, .of = v, .path = path, .format = format, .ap = &ap});
  va_end(ap);
  return code;
}

/* ---- reading ---- */

static int run_read(lua_State *L) {
  look *k = lua_touserdata(L, 1);
  pl_push_value(L, k->of);
  if (strlen(k->format) != 1) pl_error(L, PT_EARG, "pt_value_read: the format is one letter");
  if (!pl_read_result(L, k->vm, "pt_value_read", 2, *k->format, k->ap))
    return pl_error(L, PT_EARG, "pt_value_read: the value must be %s, got %s",
                    pl_kind_name(*k->format), pl_describe(L, 2));
  if (lua_type(L, 2) == LUA_TSTRING || lua_type(L, 2) == LUA_TNUMBER) keep_results(L, 2, 1);
  return 0;
}

pt_status pt_value_read(const pt_value *v, const char *format, ...) {
  if (v == NULL || v->vm == NULL || format == NULL)
    return pti_fail(PT_EARG, "pt_value_read: there is no value or format, or its vm is closed"),
           PT_EARG;
  va_list ap;
  va_start(ap, format);
  look k = {.vm = v->vm, .of = v, .format = format, .ap = &ap};
  pt_status code = pl_run(v->vm, run_read, &k);
  va_end(ap);
  return code;
}

pt_type pt_value_type(const pt_value *v) {
  if (v == NULL || v->vm == NULL) return PT_NIL;
  lua_State *L = v->vm->L;
  int type = lua_checkstack(L, 2) ? lua_rawgeti(L, LUA_REGISTRYINDEX, v->ref) : LUA_TNIL;
  bool whole = type == LUA_TNUMBER && lua_isinteger(L, -1);
  bool tensor = type == LUA_TUSERDATA && pl_tensor_at(L, -1) != NULL;
  lua_pop(L, 1);
  switch (type) {
  case LUA_TNIL: return PT_NIL;
  case LUA_TBOOLEAN: return PT_BOOLEAN;
  case LUA_TNUMBER: return whole ? PT_INTEGER : PT_NUMBER;
  case LUA_TSTRING: return PT_STRING;
  case LUA_TTABLE: return PT_TABLE;
  case LUA_TFUNCTION: return PT_FUNCTION;
  default: return tensor ? PT_TENSOR : PT_OTHER;
  }
}

static int run_length(lua_State *L) {
  look *k = lua_touserdata(L, 1);
  pl_push_value(L, k->of);
  *va_arg(*k->ap, int64_t *) = luaL_len(L, -1);
  return 0;
}

static pt_status with_list(pt_vm *vm, const pt_value *v, lua_CFunction job, ...) {
  va_list ap;
  va_start(ap, job);
  pt_status code = pl_run(vm, job, &(look){.vm = vm, .of = v, .ap = &ap});
  va_end(ap);
  return code;
}

int64_t pt_value_length(const pt_value *v) {
  int64_t n = -1;
  if (v == NULL || v->vm == NULL) return pti_fail(PT_EARG, "pt_value_length: there is no value"), n;
  return with_list(v->vm, v, run_length, &n) == PT_OK ? n : -1;
}

static int run_next(lua_State *L) {
  look *k = lua_touserdata(L, 1);
  pl_push_value(L, k->of);
  if (!lua_istable(L, 2))
    pl_error(L, PT_EARG, "pt_value_next: the value must be a table, got %s", pl_describe(L, 2));
  pl_push_value(L, k->key);
  if (!lua_next(L, 2)) return 0;
  lua_pushvalue(L, 3);
  k->key = pl_new_value(L, k->vm);
  k->out = pl_new_value(L, k->vm);
  return 0;
}

bool pt_value_next(const pt_value *table, pt_value **key, pt_value **value) {
  if (table == NULL || table->vm == NULL || key == NULL || value == NULL)
    return pti_refuse(PT_EARG, "pt_value_next: there is no table, key or value");
  look k = {.vm = table->vm, .of = table, .key = *key};
  bool ok = pl_run(table->vm, run_next, &k) == PT_OK;
  if (!ok && k.key != *key) pt_value_free(k.key);
  pt_value_free(*key);
  pt_value_free(*value);
  *key = ok && k.out ? k.key : NULL;
  *value = ok ? k.out : NULL;
  return *value != NULL;
}
