/* lua_data.c: elements between Lua and tensors: pt.tensor of nested lists, x:tolist(), x:item(), pt.empty. Lists are
   walked without calling metamethods, to a depth of at most PT_MAX_DIM. */
#include <string.h>

#include "binding.h"
#include "tensor.h"

/* ---- lists to tensors ---- */

typedef struct reader {
  lua_State *L;
  const char *op;
  int nd; /* -1 until the first element tells */
  int64_t size[PT_MAX_DIM];
  int64_t at[PT_MAX_DIM]; /* where the walk is, for messages */
  int category;           /* 0 bool, 1 integer, 2 float: the highest so far */
} reader;

static int ragged(reader *r, int depth, const char *what) {
  char place[PT_MAX_DIM * 22 + 1] = "";
  for (int d = 0, n = 0; d < depth; d++)
    n += snprintf(place + n, sizeof place - (size_t)n, "[%lld]", (long long)r->at[d] + 1);
  return pl_error(r->L, PT_ESHAPE, "%s: the list is not regular: %s%s %s", r->op,
                  depth ? "entry " : "it", place, what);
}

/* The category of an element; -1 for a value that cannot be one. */
static int category_of(lua_State *L, int i) {
  switch (lua_type(L, i)) {
  case LUA_TBOOLEAN: return 0;
  case LUA_TNUMBER: return lua_isinteger(L, i) ? 1 : 2;
  case LUA_TUSERDATA: {
    const pt_tensor *x = pl_tensor_at(L, i);
    return x && x->numel == 1 ? pti_category(x->dtype) : -1;
  }
  default: return -1;
  }
}

static void measure_element(reader *r, int depth) {
  lua_State *L = r->L;
  int category = category_of(L, -1);
  if (category < 0) {
    const char *got = pl_describe(L, -1);
    lua_pushfstring(L, "must be a number, a boolean or a list, got %s", got);
    if (depth == 0) pl_error(L, PT_EARG, "%s: the value %s", r->op, lua_tostring(L, -1));
    ragged(r, depth, lua_tostring(L, -1));
  }
  if (r->nd < 0) r->nd = depth;
  if (r->nd != depth) ragged(r, depth, "is an element where others are lists");
  if (category > r->category) r->category = category;
}

/* Finds sizes and category of the value on top of the stack, or says where it is not regular. */
static void measure(reader *r, int depth) {
  lua_State *L = r->L;
  if (lua_type(L, -1) != LUA_TTABLE) {
    measure_element(r, depth);
    return;
  }
  if (depth == PT_MAX_DIM)
    pl_error(L, PT_ESHAPE, "%s: lists are nested deeper than %d", r->op, PT_MAX_DIM);
  if (r->nd == depth) ragged(r, depth, "is a list where others are elements");
  luaL_checkstack(L, 3, NULL);
  int64_t n = (int64_t)lua_rawlen(L, -1);
  if (r->size[depth] < 0) r->size[depth] = n;
  if (r->size[depth] != n) {
    char text[96];
    snprintf(text, sizeof text, "has %lld entries, those before it %lld", (long long)n,
             (long long)r->size[depth]);
    ragged(r, depth, text);
  }
  if (n == 0 && r->nd < 0) r->nd = depth + 1;
  for (int64_t i = 0; i < n; i++) {
    r->at[depth] = i;
    lua_rawgeti(L, -1, i + 1);
    measure(r, depth + 1);
    lua_pop(L, 1);
  }
}

/* Writes the element on top of the stack to place `at` of a dense tensor's data. */
static void store(lua_State *L, pt_dtype dtype, void *data, int64_t at) {
  double f = 0;
  int64_t i = 0;
  const pt_tensor *x = pl_tensor_at(L, -1);
  if (x && dtype <= PT_F64) pt_item(x, &f);
  else if (x) pt_item_int(x, &i);
  else if (lua_type(L, -1) == LUA_TBOOLEAN) f = (double)(i = lua_toboolean(L, -1));
  else if (dtype <= PT_F64) f = lua_tonumber(L, -1);
  else i = lua_tointeger(L, -1);
  switch (dtype) {
  case PT_F32: ((float *)data)[at] = (float)f; break;
  case PT_F64: ((double *)data)[at] = f; break;
  case PT_I64: ((int64_t *)data)[at] = i; break;
  default: ((uint8_t *)data)[at] = i != 0;
  }
}

static void store_all(const reader *r, int depth, pt_dtype dtype, void *data, int64_t *at) {
  lua_State *L = r->L;
  if (depth == r->nd) {
    store(L, dtype, data, (*at)++);
    return;
  }
  for (int64_t i = 1; i <= r->size[depth]; i++) {
    lua_rawgeti(L, -1, i);
    if (lua_type(L, -1) == LUA_TTABLE ? depth + 1 < r->nd : depth + 1 == r->nd)
      store_all(r, depth + 1, dtype, data, at);
    lua_pop(L, 1);
  }
}

/* The dtype in which elements are gathered: one of float32, float64, int64, bool. */
static pt_dtype staging(const reader *r, pt_dtype wanted) {
  if (r->category == 0) return PT_BOOL;
  if (r->category == 1) return PT_I64;
  return wanted == PT_F32 ? PT_F32 : PT_F64;
}

void pl_push_data(lua_State *L, int i, int dtype, const char *op) {
  i = lua_absindex(L, i);
  reader r = {.L = L, .op = op, .nd = -1};
  memset(r.size, -1, sizeof r.size);
  pl_box *box = pl_new_box(L);
  lua_pushvalue(L, i);
  measure(&r, 0);
  for (int d = 0; d < r.nd; d++) r.size[d] = r.size[d] < 0 ? 0 : r.size[d];
  bool empty = r.nd > 0 && r.size[r.nd - 1] == 0;
  pt_dtype natural = pti_default_dtype();
  if (r.category == 0 && !empty) natural = PT_BOOL;
  if (r.category == 1) natural = PT_I64;
  pt_dtype wanted = dtype < 0 ? natural : (pt_dtype)dtype, stage = staging(&r, wanted);
  pt_scope scope = pt_scope_begin();
  pl_finish(L, box, pti_new(r.size, r.nd, stage, 0), scope);
  int64_t at = 0;
  store_all(&r, 0, stage, pti_ptr(box->t), &at);
  lua_pop(L, 1);
  if (stage == wanted) return;
  scope = pt_scope_begin();
  pt_tensor *staged = box->t, *y = pti_cast(staged, wanted);
  if (y) box->t = pt_retain(y);
  if (y) pt_release(staged);
  pt_scope_end(scope);
  if (y == NULL) pl_raise(L);
}

static int read_dtype(lua_State *L, int i, const char *op) {
  if (lua_isnoneornil(L, i)) return -1;
  int dtype = pl_dtype_at(L, i);
  if (dtype < 0)
    pl_error(L, PT_EARG, "%s: dtype must be one like pt.float32, got %s", op, pl_describe(L, i));
  return dtype;
}

/* Where this thread's tensors are made when no device is named. */
static _Thread_local int default_device;

static int read_device(lua_State *L, int i, const char *op, int otherwise) {
  if (lua_isnoneornil(L, i)) return otherwise;
  if (lua_type(L, i) != LUA_TSTRING)
    pl_error(L, PT_EARG, "%s: device must be a name like \"cpu\", got %s", op, pl_describe(L, i));
  int device = pt_device(lua_tostring(L, i));
  if (device < 0) {
    pti_error_prefix(op);
    pl_raise(L);
  }
  return device;
}

/* core.set_default_device(name), core.get_default_device() -> name */
static int set_default_device(lua_State *L) {
  luaL_checkstring(L, 1);
  default_device = read_device(L, 1, "set_default_device", 0);
  return 0;
}

static int get_default_device(lua_State *L) {
  lua_pushstring(L, pt_device_name(default_device));
  return 1;
}

/* core.tensor(value, dtype, device): a number, boolean, nested list or another tensor, copied */
static int new_tensor(lua_State *L) {
  pt_tensor *x = pl_tensor_at(L, 1);
  int dtype = read_dtype(L, 2, "tensor"),
      device = read_device(L, 3, "tensor", x ? pti_dev(x) : default_device);
  if (x == NULL) {
    pl_push_data(L, 1, dtype, "tensor");
    x = pl_tensor_at(L, -1);
    if (device == 0) return 1;
  }
  pl_box *box = pl_new_box(L);
  pt_scope scope = pt_scope_begin();
  pt_tensor *y = pti_to_device(pti_cast(x, dtype < 0 ? x->dtype : dtype), device);
  if (y && y->alias->storage == x->alias->storage) {
    y = pti_new_like(x, x->dtype);
    if (!pti_copy_into(y, x)) y = NULL;
  }
  return pl_finish(L, box, y, scope);
}

/* A tensor of unset elements; failures name the function that asked for it. */
static pt_tensor *empty_for(const char *op, const int64_t *size, int nd, pt_dtype dtype,
                            int device) {
  int64_t numel;
  size_t bytes;
  if (!pti_check_sizes(op, size, nd, dtype, &numel, &bytes)) return NULL;
  pt_tensor *y = pti_new(size, nd, dtype, device);
  if (y == NULL) pti_error_prefix(op);
  return y;
}

/* core.empty(sizes, dtype, device, name): `name` stands in messages, "empty" by default */
static int new_empty(lua_State *L) {
  int64_t size[PT_MAX_DIM];
  const char *op = luaL_optstring(L, 4, "empty");
  size_t nd = lua_istable(L, 1) ? lua_rawlen(L, 1) : 0;
  if (!lua_istable(L, 1))
    pl_error(L, PT_EARG, "%s: sizes must be a list, got %s", op, pl_describe(L, 1));
  if (nd > PT_MAX_DIM)
    pl_error(L, PT_ESHAPE, "%s: %d dims, but at most %d are supported", op, (int)nd, PT_MAX_DIM);
  for (size_t d = 0; d < nd; d++) {
    int whole = 0;
    lua_rawgeti(L, 1, (lua_Integer)d + 1);
    size[d] = lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &whole) : 0;
    if (!whole)
      pl_error(L, PT_EARG, "%s: size %d must be an integer, got %s", op, (int)d + 1,
               pl_describe(L, -1));
    lua_pop(L, 1);
  }
  int dtype = read_dtype(L, 2, op), device = read_device(L, 3, op, default_device);
  pl_box *box = pl_new_box(L);
  pt_scope scope = pt_scope_begin();
  pt_tensor *y =
      empty_for(op, size, (int)nd, dtype < 0 ? pti_default_dtype() : (pt_dtype)dtype, device);
  return pl_finish(L, box, y, scope);
}

/* ---- one value everywhere, the quick way ---- */

typedef struct creation {
  int64_t size[PT_MAX_DIM];
  int nd;
  pt_dtype dtype;
  bool requires_grad;
} creation;

/* Sizes from index 1 to n, or in a list there. */
static bool read_sizes(lua_State *L, creation *c, int n) {
  bool list = n == 1 && lua_type(L, 1) == LUA_TTABLE;
  size_t nd = list ? lua_rawlen(L, 1) : (size_t)n;
  if (n == 0 || nd > PT_MAX_DIM || (list && nd == 0)) return false;
  for (c->nd = 0; c->nd < (int)nd; c->nd++) {
    if (list) lua_rawgeti(L, 1, c->nd + 1);
    int at = list ? -1 : c->nd + 1;
    bool whole = lua_isinteger(L, at);
    c->size[c->nd] = whole ? lua_tointeger(L, at) : 0;
    if (list) lua_pop(L, 1);
    if (!whole) return false;
  }
  return true;
}

/* Of the options only those that calls give most. */
static bool read_few_options(lua_State *L, creation *c, int i) {
  for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    if (strcmp(key, "dtype") == 0) {
      int dtype = pl_dtype_at(L, -1);
      if (dtype < 0) return false;
      c->dtype = dtype;
    } else if (strcmp(key, "requires_grad") == 0 && lua_isboolean(L, -1)) {
      c->requires_grad = lua_toboolean(L, -1);
    } else {
      return false;
    }
  }
  return true;
}

/* Upvalues: the value (nil: none), a function in Lua, which takes all that is not read here, and calls that fail. */
static int create(lua_State *L) {
  int n = lua_gettop(L);
  creation c = {.dtype = pti_default_dtype()};
  bool options = n > 0 && pl_is_options(L, n);
  bool quick = default_device == 0 && (!options || read_few_options(L, &c, n)) &&
      read_sizes(L, &c, n - options);
  lua_settop(L, n);
  if (quick) {
    bool filled = !lua_isnil(L, lua_upvalueindex(1));
    double value = lua_tonumber(L, lua_upvalueindex(1));
    pl_box *box = pl_new_box(L);
    pt_scope scope = pt_scope_begin();
    pt_tensor *y =
        filled ? pt_full(c.size, c.nd, value, c.dtype, 0) : pt_empty(c.size, c.nd, c.dtype, 0);
    bool ok = y && (!c.requires_grad || pt_set_requires_grad(y, true));
    if (ok) pl_fill(L, box, y);
    pt_scope_end(scope);
    if (ok) return 1;
    lua_pop(L, 1);
  }
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  lua_call(L, n, 1);
  return 1;
}

/* core.creator(value or nil, fn): what makes a tensor of sizes, as pt.zeros does */
static int creator(lua_State *L) {
  lua_settop(L, 2);
  lua_pushcclosure(L, create, 2);
  return 1;
}

/* ---- tensors to lists ---- */

static void push_element(lua_State *L, pt_dtype dtype, const void *data, int64_t at) {
  switch (dtype) {
  case PT_F32: lua_pushnumber(L, (double)((const float *)data)[at]); break;
  case PT_F64: lua_pushnumber(L, ((const double *)data)[at]); break;
  case PT_I64: lua_pushinteger(L, ((const int64_t *)data)[at]); break;
  default: lua_pushboolean(L, ((const uint8_t *)data)[at] != 0);
  }
}

static void push_list(lua_State *L, const pt_tensor *x, int depth, int64_t *at) {
  if (depth == x->nd) {
    push_element(L, x->dtype, pti_ptr(x), (*at)++);
    return;
  }
  luaL_checkstack(L, 3, NULL);
  lua_createtable(L, (int)pti_min64(x->size[depth], INT32_MAX), 0);
  for (int64_t i = 1; i <= x->size[depth]; i++) {
    push_list(L, x, depth + 1, at);
    lua_rawseti(L, -2, i);
  }
}

/* x as Lua holds it: dense, on the CPU, float32, float64, int64 or bool. */
static pt_tensor *readable(pt_tensor *x) {
  pt_dtype dtype = x->dtype;
  if (pti_is(dtype, PTI_HALVES)) dtype = PT_F32;
  if (pti_is(dtype, PTI_INTS)) dtype = PT_I64;
  if (pti_is(dtype, PTI_COMPLEX))
    return pti_fail(PT_EDTYPE, "tolist: Lua has no complex numbers; use pt.view_as_real(x)");
  return pti_dense_of(pti_to_device(pti_cast(x, dtype), 0));
}

static int tolist(lua_State *L) {
  pt_tensor *x = pl_check_tensor(L, 1, "tolist", "x");
  pl_box *box = pl_new_box(L); /* keeps the copy while tables are made, which may raise */
  pt_scope scope = pt_scope_begin();
  pl_finish(L, box, readable(x), scope);
  int64_t at = 0;
  push_list(L, box->t, 0, &at);
  return 1;
}

/* A complex number is two of Lua's: real and imaginary part. */
static int push_parts(lua_State *L, const pt_tensor *x) {
  bool wide = x->dtype == PT_C128;
  for (int k = 0; k < 2; k++)
    lua_pushnumber(L,
                   wide ? ((const double *)pti_ptr(x))[k] : (double)((const float *)pti_ptr(x))[k]);
  return 2;
}

static int item(lua_State *L) {
  const pt_tensor *x = pl_check_tensor(L, 1, "item", "x");
  double f;
  int64_t i;
  if (pti_is(x->dtype, PTI_COMPLEX) && x->numel == 1 && pti_dev(x) == 0) return push_parts(L, x);
  bool exact = !pti_is(x->dtype, PTI_FLOATS);
  if (!(exact ? pt_item_int(x, &i) : pt_item(x, &f))) return pl_raise(L);
  if (!exact) lua_pushnumber(L, f);
  else if (x->dtype == PT_BOOL) lua_pushboolean(L, i != 0);
  else lua_pushinteger(L, i);
  return 1;
}

void pl_open_data(lua_State *L) {
  static const luaL_Reg functions[] = {{"tensor", new_tensor},
                                       {"empty", new_empty},
                                       {"creator", creator},
                                       {"set_default_device", set_default_device},
                                       {"get_default_device", get_default_device},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {{"tolist", tolist}, {"item", item}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  lua_getfield(L, -1, "Tensor");
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
}
