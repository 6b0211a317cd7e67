/* lua_arg.c: the arguments of a call, from Lua's stack to what an op takes, as its signature says. Here 1-based dims and
   positions become 0-based, options of a last table find their places, defaults are filled in. All that can raise
   happens in pl_read_args; numbers become tensors in pl_make_numbers, within the scope of the call. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "tensor.h"

enum { INTEGER = 1, FLOAT, BOOLEAN }; /* what a number argument was, in pt_arg.n */

/* ---- dtypes ---- */

static const char dtypes_key, dtype_type[] = "pt.Dtype";

/* Metamethods can be called with anything (debug.getmetatable). */
static pt_dtype check_dtype(lua_State *L) {
  return *(const int *)luaL_checkudata(L, 1, dtype_type);
}

static int dtype_tostring(lua_State *L) {
  lua_pushstring(L, pt_dtype_name(check_dtype(L)));
  return 1;
}

/* dtype.is_floating_point, .is_complex, .itemsize, .name */
static int dtype_index(lua_State *L) {
  pt_dtype dtype = check_dtype(L);
  const char *key = luaL_checkstring(L, 2);
  if (strcmp(key, "is_floating_point") == 0) lua_pushboolean(L, pti_is(dtype, PTI_FLOATS));
  else if (strcmp(key, "is_complex") == 0) lua_pushboolean(L, pti_is(dtype, PTI_COMPLEX));
  else if (strcmp(key, "itemsize") == 0) lua_pushinteger(L, (lua_Integer)pt_dtype_size(dtype));
  else if (strcmp(key, "name") == 0) lua_pushstring(L, pt_dtype_name(dtype));
  else lua_pushnil(L);
  return 1;
}

void pl_new_type(lua_State *L, const char *name, lua_CFunction drop) {
  luaL_newmetatable(L, name);
  lua_pushboolean(L, false);
  lua_setfield(L, -2, "__metatable");
  if (drop == NULL) return;
  lua_pushcfunction(L, drop);
  lua_setfield(L, -2, "__gc");
}

/* The list of the state's dtype objects. */
static void push_dtypes(lua_State *L) {
  static const luaL_Reg meta[] = {
      {"__tostring", dtype_tostring}, {"__index", dtype_index}, {NULL, NULL}};
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &dtypes_key) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_createtable(L, PT_NDTYPE, 0);
  pl_new_type(L, dtype_type, NULL);
  luaL_setfuncs(L, meta, 0);
  for (int d = 0; d < PT_NDTYPE; d++) {
    *(int *)lua_newuserdatauv(L, sizeof(int), 0) = d;
    lua_pushvalue(L, -2);
    lua_setmetatable(L, -2);
    lua_rawseti(L, -3, d + 1);
  }
  lua_pop(L, 1);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &dtypes_key);
}

void pl_push_dtype(lua_State *L, pt_dtype dtype) {
  push_dtypes(L);
  lua_rawgeti(L, -1, (int)dtype + 1);
  lua_remove(L, -2);
}

int pl_dtype_at(lua_State *L, int i) {
  pt_dtype dtype;
  if (lua_type(L, i) == LUA_TSTRING)
    return pti_dtype_find(lua_tostring(L, i), &dtype) ? (int)dtype : -1;
  const int *d = luaL_testudata(L, i, "pt.Dtype");
  return d ? *d : -1;
}

/* ---- lists that print ---- */

static int sizes_tostring(lua_State *L) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addchar(&b, '[');
  lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
  for (lua_Integer i = 1; i <= n; i++) {
    if (i > 1) luaL_addstring(&b, ", ");
    lua_rawgeti(L, 1, i);
    luaL_tolstring(L, -1, NULL);
    lua_remove(L, -2);
    luaL_addvalue(&b);
  }
  luaL_addchar(&b, ']');
  luaL_pushresult(&b);
  return 1;
}

static int sizes_equal(lua_State *L) {
  if (!lua_istable(L, 1) || !lua_istable(L, 2)) return lua_pushboolean(L, false), 1;
  lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
  bool same = n == (lua_Integer)lua_rawlen(L, 2);
  for (lua_Integer i = 1; same && i <= n; i++) {
    lua_rawgeti(L, 1, i);
    lua_rawgeti(L, 2, i);
    same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
  }
  lua_pushboolean(L, same);
  return 1;
}

void pl_push_sizes_class(lua_State *L) {
  static const luaL_Reg meta[] = {
      {"__tostring", sizes_tostring}, {"__eq", sizes_equal}, {NULL, NULL}};
  if (luaL_newmetatable(L, "pt.Sizes")) luaL_setfuncs(L, meta, 0);
}

void pl_push_sizes(lua_State *L, const int64_t *size, int nd) {
  lua_createtable(L, nd, 0);
  for (int d = 0; d < nd; d++) {
    lua_pushinteger(L, size[d]);
    lua_rawseti(L, -2, d + 1);
  }
  pl_push_sizes_class(L);
  lua_setmetatable(L, -2);
}

/* ---- one argument ---- */

/* pt:sum(x) for pt.sum(x): the first argument is a module of the library. */
static void refuse_module(lua_State *L, const pl_args *a) {
  if (lua_type(L, 1) != LUA_TTABLE) return;
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    if (lua_rawequal(L, -1, 1) && (strcmp(name, "pt") == 0 || strncmp(name, "pt.", 3) == 0))
      pl_error(L, PT_EARG, "%s%s: called with ':'; write %s.%s%s(...)", a->op->name, a->suffix,
               name, a->op->name, a->suffix);
  }
  lua_pop(L, 1);
}

static int wrong(lua_State *L, const pl_args *a, const pti_param_spec *p, const char *want, int i) {
  refuse_module(L, a);
  return pl_error(L, PT_EARG, "%s%s: %s must be %s, got %s", a->op->name, a->suffix, p->name, want,
                  pl_describe(L, i));
}

/* A dim or position as the engine counts it. */
static int64_t from_one(lua_State *L, const pl_args *a, const pti_param_spec *p, int64_t at) {
  if (at == 0 && strcmp(p->name, "stop") == 0) return PTI_BEFORE_FIRST;
  if (at == 0)
    pl_error(L, PT_EINDEX, "%s%s: %s is 0; it counts from 1, or from -1 for the last", a->op->name,
             a->suffix, p->name);
  return at > 0 ? at - 1 : at;
}

/* A number, or, as in PyTorch, a tensor that holds one integer. */
static int64_t read_integer(lua_State *L, const pl_args *a, const pti_param_spec *p, int i,
                            const char *want) {
  pt_tensor *x = pl_tensor_at(L, i);
  double number;
  if (x && x->numel == 1 && pti_is(x->dtype, PTI_INTS)) {
    if (!pt_item(x, &number)) pl_raise(L);
    return (int64_t)number;
  }
  int whole = 0;
  lua_Integer value = lua_type(L, i) == LUA_TNUMBER ? lua_tointegerx(L, i, &whole) : 0;
  if (!whole) wrong(L, a, p, want, i);
  return value;
}

/* Appends one number of a list of sizes or dims. */
static void add_int(lua_State *L, pl_args *a, const pti_param_spec *p, int i) {
  int64_t value =
      read_integer(L, a, p, i, p->type == 'D' ? "a dim or a list of dims" : "a list of integers");
  if (a->nints == (int)PTI_COUNT(a->ints))
    pl_error(L, PT_ESHAPE, "%s%s: %s has too many entries", a->op->name, a->suffix, p->name);
  a->ints[a->nints++] = p->type == 'D' ? from_one(L, a, p, value) : value;
}

/* Sizes or dims: a list, or one number. */
static void read_ints(lua_State *L, pl_args *a, const pti_param_spec *p, pt_arg *out, int i) {
  int from = a->nints;
  if (lua_type(L, i) == LUA_TTABLE) {
    lua_Integer n = (lua_Integer)lua_rawlen(L, i);
    for (lua_Integer k = 1; k <= n; k++) {
      lua_rawgeti(L, i, k);
      add_int(L, a, p, lua_gettop(L));
      lua_pop(L, 1);
    }
  } else {
    add_int(L, a, p, i);
  }
  out->ints = a->ints + from;
  out->n = a->nints - from;
}

/* Tensors in a list; false stands for one that is left out, where the op knows what that means. */
static void read_list(lua_State *L, const pl_args *a, const pti_param_spec *p, pt_arg *out, int i) {
  if (lua_type(L, i) != LUA_TTABLE) wrong(L, a, p, "a list of tensors", i);
  size_t n = lua_rawlen(L, i);
  if (n > INT32_MAX / sizeof(pt_tensor *)) wrong(L, a, p, "a shorter list", i);
  pt_tensor **list = lua_newuserdatauv(L, (n + 1) * sizeof *list, 0);
  bool holes = strcmp(p->name, "indices") == 0;
  for (size_t k = 0; k < n; k++) {
    int type = lua_rawgeti(L, i, (lua_Integer)k + 1);
    list[k] = pl_tensor_at(L, -1);
    if (list[k] == NULL && !(holes && type == LUA_TBOOLEAN && !lua_toboolean(L, -1)))
      pl_error(L, PT_EARG, "%s%s: entry %d of %s must be a tensor, got %s", a->op->name, a->suffix,
               (int)k + 1, p->name, pl_describe(L, -1));
    lua_pop(L, 1);
  }
  out->list = list; /* the block stays on the stack until the call is over */
  out->n = (int)n;
}

static void read_operand(lua_State *L, const pl_args *a, const pti_param_spec *p, pt_arg *out,
                         int i) {
  int type = lua_type(L, i);
  if (type == LUA_TBOOLEAN) {
    out->i = lua_toboolean(L, i);
    out->n = BOOLEAN;
  } else if (type != LUA_TNUMBER) {
    wrong(L, a, p, "a tensor or a number", i);
  } else if (lua_isinteger(L, i)) {
    out->i = lua_tointeger(L, i);
    out->n = INTEGER;
  } else {
    out->f = lua_tonumber(L, i);
    out->n = FLOAT;
  }
}

static void read_number(lua_State *L, const pl_args *a, const pti_param_spec *p, pt_arg *out,
                        int i) {
  if (lua_type(L, i) != LUA_TNUMBER) wrong(L, a, p, "a number", i);
  out->n = p->type == 'n' && lua_isinteger(L, i);
  if (out->n) out->i = lua_tointeger(L, i);
  else out->f = lua_tonumber(L, i);
}

static void read_device(lua_State *L, const pl_args *a, const pti_param_spec *p, pt_arg *out,
                        int i) {
  if (lua_type(L, i) != LUA_TSTRING) wrong(L, a, p, "a device like \"cpu\" or \"cuda:0\"", i);
  out->i = pt_device(lua_tostring(L, i));
  if (out->i >= 0) return;
  pti_error_prefix(a->op->name);
  pl_raise(L);
}

/* The value at stack index i for parameter k. */
static void read_one(lua_State *L, pl_args *a, int k, int i) {
  const pti_param_spec *p = &a->op->param[k];
  pt_arg *out = &a->arg[k];
  out->given = true;
  switch (p->type) {
  case 'T':
  case 'A':
    if ((out->t = pl_tensor_at(L, i)) != NULL) break;
    if (p->type == 'T') wrong(L, a, p, "a tensor", i);
    read_operand(L, a, p, out, i);
    a->numbers |= 1u << k;
    break;
  case 'L': read_list(L, a, p, out, i); break;
  case 'I':
  case 'D': read_ints(L, a, p, out, i); break;
  case 'i': out->i = read_integer(L, a, p, i, "an integer"); break;
  case 'd':
  case 'p': out->i = from_one(L, a, p, read_integer(L, a, p, i, "an integer")); break;
  case 'f':
  case 'n': read_number(L, a, p, out, i); break;
  case 'b':
    if (lua_type(L, i) != LUA_TBOOLEAN) wrong(L, a, p, "true or false", i);
    out->i = lua_toboolean(L, i);
    break;
  case 's':
    if (lua_type(L, i) != LUA_TSTRING) wrong(L, a, p, "a string", i);
    out->s = lua_tostring(L, i);
    break;
  case 'y':
    if ((out->i = pl_dtype_at(L, i)) < 0) wrong(L, a, p, "a dtype like pt.float32", i);
    break;
  case 'v': read_device(L, a, p, out, i); break;
  default: pl_error(L, PT_EARG, "%s: the signature has no type %c", a->op->name, p->type);
  }
}

/* Sizes or dims that are written out at the end of the arguments. */
static void read_row(lua_State *L, pl_args *a, int k, int last) {
  pt_arg *out = &a->arg[k];
  out->ints = a->ints + a->nints;
  out->n = last - k;
  out->given = true;
  for (int i = k + 1; i <= last; i++) add_int(L, a, &a->op->param[k], i);
}

/* ---- all arguments ---- */

bool pl_is_options(lua_State *L, int i) {
  i = lua_absindex(L, i);
  if (lua_type(L, i) != LUA_TTABLE || lua_getmetatable(L, i)) {
    if (lua_type(L, i) == LUA_TTABLE) lua_pop(L, 1);
    return false;
  }
  lua_pushnil(L);
  if (lua_next(L, i) == 0) return false;
  bool named = lua_type(L, -2) == LUA_TSTRING;
  lua_pop(L, 2);
  return named;
}

static const char *kind_of(char type) {
  switch (type) {
  case 'T': return "a tensor";
  case 'A': return "a tensor or a number";
  case 'L': return "a list of tensors";
  case 'I': return "a list of integers";
  case 'D': return "a dim or a list of dims";
  case 'i': return "an integer";
  case 'd': return "a dim";
  case 'p': return "a position";
  case 'b': return "true or false";
  case 's': return "a string";
  case 'y': return "a dtype";
  case 'v': return "a device";
  default: return "a number";
  }
}

static int unknown_option(lua_State *L, const pl_args *a) {
  lua_createtable(L, a->op->narg, 0);
  for (int k = 0; k < a->op->narg; k++) {
    lua_pushstring(L, a->op->param[k].name);
    lua_rawseti(L, -2, k + 1);
  }
  const char *name = luaL_tolstring(L, -3, NULL), *hint = pl_suggest(L, name, lua_gettop(L) - 1);
  char known[256] = "";
  for (int k = 0; k < a->op->narg && *hint == 0; k++) {
    strncat(known, *known ? ", " : "; it takes ", sizeof known - strlen(known) - 1);
    strncat(known, a->op->param[k].name, sizeof known - strlen(known) - 1);
  }
  if (*known && *a->suffix == 0) strncat(known, ", out", sizeof known - strlen(known) - 1);
  return pl_error(L, PT_EARG, "%s%s: unknown option '%s'%s%s", a->op->name, a->suffix, name, hint,
                  known);
}

/* Nothing, or PyTorch's None. */
static bool is_none(lua_State *L, const pti_param_spec *p, int i) {
  int type = lua_type(L, i);
  if (type == LUA_TNIL) return true;
  bool none = p == NULL || (p->optional && p->type != 'b'); /* no parameter: `out` */
  return type == LUA_TBOOLEAN && !lua_toboolean(L, i) && none;
}

static void read_options(lua_State *L, pl_args *a, int i) {
  for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1)) {
    int k = 0, value = lua_gettop(L);
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    if (strcmp(key, "out") == 0 && *a->suffix == 0) {
      a->out = !is_none(L, NULL, value);
      continue;
    }
    while (k < a->op->narg && strcmp(a->op->param[k].name, key) != 0) k++;
    if (k == a->op->narg) {
      lua_pop(L, 1);
      lua_pushvalue(L, -1);
      unknown_option(L, a);
    }
    if (a->set & 1u << k)
      pl_error(L, PT_EARG, "%s%s: %s is given twice", a->op->name, a->suffix, key);
    a->set |= 1u << k;
    if (is_none(L, &a->op->param[k], value)) continue;
    read_one(L, a, k, value);
    if (a->op->param[k].type == 'L') lua_insert(L, value - 1); /* its block, below the iteration */
  }
}

bool pl_read_tensors(lua_State *L, pl_args *a, const pt_op *op, const char *suffix) {
  int n = op->narg;
  if (n > 3 || lua_gettop(L) != n) return false;
  for (int i = 0; i < n; i++) {
    char type = op->param[i].type;
    pt_tensor *x = type == 'T' || type == 'A' ? pl_tensor_at(L, i + 1) : NULL;
    if (x == NULL) return false;
    a->arg[i] = (pt_arg){.t = x, .given = true};
  }
  a->op = op;
  a->suffix = suffix;
  a->numbers = a->set = 0;
  a->out = false;
  return true;
}

/* Whether a call may leave parameter k out. */
static bool may_lack(const pt_op *op, int k) {
  return op->param[k].optional || (op->defaults && op->defaults[k].given);
}

/* "softmax: dim is missing, a dim; it takes x, dim" */
static void missing(lua_State *L, const pl_args *a, int k) {
  luaL_Buffer names;
  luaL_buffinit(L, &names);
  for (int i = 0; i < a->op->narg; i++) {
    bool optional = may_lack(a->op, i);
    if (i) luaL_addstring(&names, ", ");
    if (optional) luaL_addchar(&names, '[');
    luaL_addstring(&names, a->op->param[i].name);
    if (optional) luaL_addchar(&names, ']');
  }
  luaL_pushresult(&names);
  pl_error(L, PT_EARG, "%s%s: %s is missing, %s; it takes %s", a->op->name, a->suffix,
           a->op->param[k].name, kind_of(a->op->param[k].type), lua_tostring(L, -1));
}

/* Whether the last of n arguments holds options; an empty table does where its place may be left out and takes no list. */
static bool ends_in_options(lua_State *L, const pt_op *op, int n) {
  if (n == 0 || lua_type(L, n) != LUA_TTABLE) return false;
  if (pl_is_options(L, n)) return true;
  if (n <= op->narg && (!may_lack(op, n - 1) || strchr("LID", op->param[n - 1].type))) return false;
  lua_pushnil(L);
  bool empty = lua_getmetatable(L, n) == 0 && lua_next(L, n) == 0;
  lua_settop(L, n);
  return empty;
}

void pl_read_args(lua_State *L, pl_args *a, const pt_op *op, const char *suffix) {
  int n = lua_gettop(L), narg = op->narg;
  a->op = op;
  a->suffix = suffix;
  a->numbers = a->set = 0;
  a->out = false;
  a->nints = 0;
  if (op->defaults) memcpy(a->arg, op->defaults, (size_t)narg * sizeof *a->arg);
  else memset(a->arg, 0, (size_t)narg * sizeof *a->arg);
  bool options = ends_in_options(L, op, n);
  int positional = n - options;
  for (int k = 0; k < narg && k < positional; k++) {
    const pti_param_spec *p = &op->param[k];
    if (is_none(L, p, k + 1)) continue;
    a->set |= 1u << k;
    if (k + 1 == narg && (p->type == 'I' || p->type == 'D') && lua_type(L, narg) == LUA_TNUMBER) {
      read_row(L, a, k, positional); /* x:view(2, 3) */
      positional = narg;
    } else {
      read_one(L, a, k, k + 1);
    }
  }
  while (positional > narg && lua_isnil(L, positional)) positional--;
  if (positional > narg)
    pl_error(L, PT_EARG, "%s%s: takes %d arguments, got %d", op->name, suffix, narg, positional);
  if (options) read_options(L, a, n);
  for (int k = 0; k < narg; k++)
    if (!a->arg[k].given && !op->param[k].optional && !(a->set & 1u << k)) missing(L, a, k);
}

bool pl_make_numbers(pl_args *a) {
  for (int k = 0; a->numbers >> k; k++) {
    if (!(a->numbers >> k & 1)) continue;
    pt_arg *arg = &a->arg[k];
    if (arg->n == FLOAT) arg->t = pt_scalar(arg->f);
    else if (arg->n == INTEGER) arg->t = pt_scalar_int(arg->i);
    else if ((arg->t = pt_full(NULL, 0, (double)arg->i, PT_BOOL, 0)) != NULL)
      arg->t->wrapped = true;
    if (arg->t == NULL) return false;
  }
  return true;
}
