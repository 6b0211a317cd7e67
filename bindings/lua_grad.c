/* lua_grad.c: gradients for Lua: x:backward(), autograd.grad, x:requires_grad_(). The walk itself is the engine's. */
#include <string.h>

#include "binding.h"
#include "rng.h"
#include "tensor.h"

/* The flag `key` of the options at index i. */
static int flag(lua_State *L, int i, const char *op, const char *key, int value) {
  lua_getfield(L, i, key);
  if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
    pl_error(L, PT_EARG, "%s: %s must be true or false, got %s", op, key, pl_describe(L, -1));
  bool on = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return on ? value : 0;
}

static int read_flags(lua_State *L, int i, const char *op) {
  return flag(L, i, op, "retain_graph", PT_RETAIN_GRAPH) |
      flag(L, i, op, "create_graph", PT_CREATE_GRAPH) |
      flag(L, i, op, "allow_unused", PT_ALLOW_UNUSED);
}

static void check_list(lua_State *L, int i, const char *op, const char *what) {
  if (lua_type(L, i) != LUA_TTABLE)
    pl_error(L, PT_EARG, "%s: %s must be a list of tensors, got %s", op, what, pl_describe(L, i));
}

static int list_length(lua_State *L, int i, const char *op, const char *what) {
  check_list(L, i, op, what);
  if (lua_rawlen(L, i) > INT32_MAX / 16) pl_error(L, PT_EARG, "%s: too many %s", op, what);
  return (int)lua_rawlen(L, i);
}

/* n tensors of the list at i in a block that is pushed; holes, or no list at all, become NULL where they may. */
static pt_tensor **read_tensors(lua_State *L, int i, const char *op, const char *what, int n,
                                bool holes) {
  bool none = holes && lua_isnil(L, i);
  if (!none) check_list(L, i, op, what);
  pt_tensor **x = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *x, 0);
  if (none) memset(x, 0, ((size_t)n + 1) * sizeof *x);
  if (none) return x;
  for (int k = 0; k < n; k++) {
    int type = lua_rawgeti(L, i, k + 1);
    x[k] = holes && (type == LUA_TNIL || (type == LUA_TBOOLEAN && !lua_toboolean(L, -1)))
        ? NULL
        : pl_check_tensor(L, -1, op, what);
    lua_pop(L, 1);
  }
  return x;
}

/* core.backward(roots, gradients, options, inputs): gradients may have holes; inputs nil: all leaves */
static int backward(lua_State *L) {
  lua_settop(L, 4);
  int nx = lua_isnil(L, 4) ? 0 : list_length(L, 4, "backward", "inputs");
  pt_tensor **x = nx ? read_tensors(L, 4, "backward", "an input", nx, false) : NULL;
  int n = list_length(L, 1, "backward", "x");
  pt_tensor **y = read_tensors(L, 1, "backward", "x", n, false);
  pt_tensor **g = read_tensors(L, 2, "backward", "the gradient", n, true);
  int flags = read_flags(L, 3, "backward");
  pt_scope scope = pt_scope_begin();
  void *was = pl_walk_begin(L);
  bool ok = x ? pt_backward_to(y, g, n, x, nx, flags) : pt_backward_with(y, g, n, flags);
  pl_walk_end(was);
  pt_scope_end(scope);
  return ok ? 0 : pl_raise_walk(L);
}

/* x:backward(): upvalue 1 takes all calls with arguments. */
static int backward_alone(lua_State *L) {
  while (lua_gettop(L) > 1 && lua_isnil(L, -1)) lua_pop(L, 1);
  pt_tensor *x = lua_gettop(L) == 1 ? pl_tensor_at(L, 1) : NULL, *none = NULL;
  if (x == NULL) {
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 0);
    return 0;
  }
  pt_scope scope = pt_scope_begin();
  void *was = pl_walk_begin(L);
  bool ok = pt_backward_with(&x, &none, 1, 0);
  pl_walk_end(was);
  pt_scope_end(scope);
  return ok ? 0 : pl_raise_walk(L);
}

/* core.backward_method(fn) */
static int backward_method(lua_State *L) {
  lua_settop(L, 1);
  lua_pushcclosure(L, backward_alone, 1);
  return 1;
}

/* core.grad(outputs, inputs, gradients, options) -> a list, with false for an input that is not used */
static int grad(lua_State *L) {
  lua_settop(L, 4);
  int ny = list_length(L, 1, "grad", "outputs"), nx = list_length(L, 2, "grad", "inputs");
  pt_tensor **y = read_tensors(L, 1, "grad", "an output", ny, false);
  pt_tensor **x = read_tensors(L, 2, "grad", "an input", nx, false);
  pt_tensor **g = read_tensors(L, 3, "grad", "a gradient of grad_outputs", ny, true);
  pt_tensor **gx = lua_newuserdatauv(L, ((size_t)nx + 1) * sizeof *gx, 0);
  int flags = read_flags(L, 4, "grad");
  lua_createtable(L, nx, 0);
  for (int i = 0; i < nx; i++) {
    pl_new_box(L);
    lua_rawseti(L, -2, i + 1);
  }
  pt_scope scope = pt_scope_begin();
  void *was = pl_walk_begin(L);
  bool ok = pt_grad_of(y, g, ny, x, nx, flags, gx);
  pl_walk_end(was);
  for (int i = 0; i < nx && ok; i++) {
    lua_rawgeti(L, -1, i + 1);
    if (gx[i]) pl_fill(L, lua_touserdata(L, -1), gx[i]);
    lua_pop(L, 1);
    if (gx[i]) continue;
    lua_pushboolean(L, false);
    lua_rawseti(L, -2, i + 1);
  }
  pt_scope_end(scope);
  return ok ? 1 : pl_raise_walk(L);
}

/* core.leads_beyond(outputs, inputs) -> whether the graph of an output goes back to a leaf that is none of the inputs */
static int leads_beyond(lua_State *L) {
  lua_settop(L, 2);
  int ny = list_length(L, 1, "grad", "outputs"), nx = list_length(L, 2, "grad", "inputs");
  pt_tensor **y = read_tensors(L, 1, "grad", "an output", ny, false);
  pt_tensor **x = read_tensors(L, 2, "grad", "an input", nx, false);
  bool beyond = false;
  pt_scope scope = pt_scope_begin();
  bool ok = pti_leads_beyond(y, ny, x, nx, &beyond);
  pt_scope_end(scope);
  if (!ok) return pl_raise(L);
  lua_pushboolean(L, beyond);
  return 1;
}

/* x:requires_grad_(requires_grad = true) -> x */
static int x_requires_grad(lua_State *L) {
  pt_tensor *x = pl_check_tensor(L, 1, "requires_grad_", "x");
  if (pl_is_options(L, 2)) {
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
      if (lua_type(L, -2) != LUA_TSTRING || strcmp(lua_tostring(L, -2), "requires_grad") != 0)
        pl_error(L, PT_EARG, "requires_grad_: unknown option '%s'; it takes requires_grad",
                 luaL_tolstring(L, -2, NULL));
    }
    lua_getfield(L, 2, "requires_grad");
    lua_replace(L, 2);
  }
  if (!lua_isnoneornil(L, 2) && !lua_isboolean(L, 2))
    pl_error(L, PT_EARG, "requires_grad_: expected true or false, got %s", pl_describe(L, 2));
  pt_scope scope = pt_scope_begin();
  bool ok = pt_set_requires_grad(x, lua_isnoneornil(L, 2) || lua_toboolean(L, 2));
  pt_scope_end(scope);
  lua_settop(L, 1);
  return ok ? 1 : pl_raise(L);
}

/* x:detach_() -> x, a leaf */
static int x_detach(lua_State *L) {
  pt_tensor *x = pl_check_tensor(L, 1, "detach_", "x");
  if (!pt_detach_inplace(x)) return pl_raise(L);
  lua_settop(L, 1);
  return 1;
}

/* x:retain_grad(): x, the result of an op, will have a grad too */
static int x_retain_grad(lua_State *L) {
  pt_tensor *x = pl_check_tensor(L, 1, "retain_grad", "x");
  pt_scope scope = pt_scope_begin();
  bool ok = pt_retain_grad(x);
  pt_scope_end(scope);
  return ok ? 0 : pl_raise(L);
}

static int x_is_inference(lua_State *L) {
  lua_pushboolean(L, pt_is_inference(pl_check_tensor(L, 1, "is_inference", "x")));
  return 1;
}

/* ---- modes ---- */

/* core.first_nan() -> where the first NaN came from since anomalies are looked for, or "" */
static int first_nan(lua_State *L) {
  lua_pushstring(L, pt_first_nan());
  return 1;
}

/* core.autocast_policy(name) -> "lower", "float32", "widest", "plain" or "refused"; nil where no op has the name, or it
   takes what it is given */
static int autocast_policy(lua_State *L) {
  static const char *const names[] = {NULL, "lower", "float32", "widest", "plain", "refused"};
  const pt_op *op = pti_op_find(luaL_checkstring(L, 1));
  lua_pushstring(L, op ? names[op->cast] : NULL);
  return 1;
}

void pl_open_grad(lua_State *L) {
  static const luaL_Reg functions[] = {{"backward", backward},
                                       {"backward_method", backward_method},
                                       {"grad", grad},
                                       {"leads_beyond", leads_beyond},
                                       {"first_nan", first_nan},
                                       {"autocast_policy", autocast_policy},
                                       {NULL, NULL}};
  static const luaL_Reg methods[] = {{"requires_grad_", x_requires_grad},
                                     {"detach_", x_detach},
                                     {"retain_grad", x_retain_grad},
                                     {"is_inference", x_is_inference},
                                     {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  lua_getfield(L, -1, "Tensor");
  luaL_setfuncs(L, methods, 0);
  lua_pop(L, 1);
}
