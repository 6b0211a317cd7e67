/* lua_grad.c: gradients for Lua: x:backward(), autograd.grad, x:requires_grad_(). The walk itself is the engine's. */
#include "binding.h"
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

/* The tensors of the list at i in a block that is pushed; holes become NULL where they may. */
static pt_tensor **read_tensors(lua_State *L, int i, const char *op, const char *what, int n,
                                bool holes) {
  pt_tensor **x = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *x, 0);
  for (int k = 0; k < n; k++) {
    int type = lua_rawgeti(L, i, k + 1);
    x[k] = holes && (type == LUA_TNIL || (type == LUA_TBOOLEAN && !lua_toboolean(L, -1)))
               ? NULL
               : pl_check_tensor(L, -1, op, what);
    lua_pop(L, 1);
  }
  return x;
}

static int list_length(lua_State *L, int i, const char *op, const char *what) {
  if (lua_type(L, i) != LUA_TTABLE)
    pl_error(L, PT_EARG, "%s: %s must be a list of tensors, got %s", op, what, pl_describe(L, i));
  if (lua_rawlen(L, i) > INT32_MAX / 16) pl_error(L, PT_EARG, "%s: too many %s", op, what);
  return (int)lua_rawlen(L, i);
}

/* core.backward(roots, gradients, options): gradients may have holes */
static int backward(lua_State *L) {
  lua_settop(L, 3);
  int n = list_length(L, 1, "backward", "x");
  pt_tensor **y = read_tensors(L, 1, "backward", "x", n, false);
  pt_tensor **g = read_tensors(L, 2, "backward", "the gradient", n, true);
  int flags = read_flags(L, 3, "backward");
  pt_scope scope = pt_scope_begin();
  bool ok = pt_backward_with(y, g, n, flags);
  pt_scope_end(scope);
  return ok ? 0 : pl_raise(L);
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
  bool ok = pt_grad_of(y, g, ny, x, nx, flags, gx);
  for (int i = 0; i < nx && ok; i++) {
    lua_rawgeti(L, -1, i + 1);
    if (gx[i]) pl_fill(L, lua_touserdata(L, -1), gx[i]);
    lua_pop(L, 1);
    if (gx[i]) continue;
    lua_pushboolean(L, false);
    lua_rawseti(L, -2, i + 1);
  }
  pt_scope_end(scope);
  return ok ? 1 : pl_raise(L);
}

/* x:requires_grad_(on = true) -> x */
static int x_requires_grad(lua_State *L) {
  pt_tensor *x = pl_check_tensor(L, 1, "requires_grad_", "x");
  if (!lua_isnoneornil(L, 2) && !lua_isboolean(L, 2))
    pl_error(L, PT_EARG, "requires_grad_: expected true or false, got %s", pl_describe(L, 2));
  pt_scope scope = pt_scope_begin();
  bool ok = pt_set_requires_grad(x, lua_isnoneornil(L, 2) || lua_toboolean(L, 2));
  pt_scope_end(scope);
  lua_settop(L, 1);
  return ok ? 1 : pl_raise(L);
}

void pl_open_grad(lua_State *L) {
  static const luaL_Reg functions[] = {{"backward", backward}, {"grad", grad}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  lua_getfield(L, -1, "Tensor");
  lua_pushcfunction(L, x_requires_grad);
  lua_setfield(L, -2, "requires_grad_");
  lua_pop(L, 1);
}
