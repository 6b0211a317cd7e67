/* lua_op.c: every op of the table, called from Lua. One C function serves all of them as functions and methods, another
   their twins that edit in place; a third the operators of tensors. What can raise comes first, the boxes before the
   engine, the error last. */
#include <stdatomic.h>
#include <string.h>

#include "binding.h"
#include "ptlua_ids.h"
#include "tensor.h"

/* ---- calls ---- */

/* A composite may return its argument: then the script gets the object it passed. */
static bool push_same(lua_State *L, const pl_args *a, const pt_tensor *y) {
  for (int k = 0; k < a->op->narg; k++) {
    if (a->op->param[k].type != 'T' || a->arg[k].t != y || pl_tensor_at(L, k + 1) != y) continue;
    lua_pushvalue(L, k + 1);
    return true;
  }
  return false;
}

/* ---- what stands for a tensor ---- */

/* A table whose metatable has __op stands for a tensor (vmap's samples do); a list may hold some. Pushes __op. */
static bool push_handler(lua_State *L, int i) {
  if (luaL_getmetafield(L, i, "__op") != LUA_TNIL) return true;
  bool found = lua_rawgeti(L, i, 1) == LUA_TTABLE && luaL_getmetafield(L, -1, "__op") != LUA_TNIL;
  if (found) lua_remove(L, -2);
  else lua_pop(L, 1);
  return found;
}

/* Where an argument stands for a tensor, the op is left to it: __op(name, ...). -1 where none does. */
static int hand_over(lua_State *L, const pt_op *op, const char *suffix) {
  int n = lua_gettop(L);
  for (int i = 1; i <= n; i++) {
    if (lua_type(L, i) != LUA_TTABLE || !push_handler(L, i)) continue;
    lua_insert(L, 1);
    lua_pushfstring(L, "%s%s", op->name, suffix);
    lua_insert(L, 2);
    lua_call(L, n + 1, LUA_MULTRET);
    return lua_gettop(L);
  }
  return -1;
}

/* ---- calls ---- */

static const char writer_key; /* of the function that pt/init.lua left, in the registry */

/* core.on_out(fn): fn(name, out, results...) writes the results into out and returns what the call is to return. */
static int on_out(lua_State *L) {
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &writer_key);
  return 0;
}

/* The results on top of the stack, written into option `out` of the table at `options`. */
static int write_out(lua_State *L, const pt_op *op, int options, int results) {
  int first = lua_gettop(L) - results + 1;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &writer_key);
  lua_insert(L, first);
  lua_pushstring(L, op->name);
  lua_insert(L, first + 1);
  lua_getfield(L, options, "out");
  lua_insert(L, first + 2);
  lua_call(L, results + 2, LUA_MULTRET);
  return lua_gettop(L) - first + 1;
}

/* Ops whose last result shared the memory of their first argument: the next one very likely does. */
static atomic_bool views[PTI_NOPS];

static void note_view(const pt_op *op, const pt_arg *arg, const pt_tensor *out) {
  bool view = op->narg > 0 && op->param[0].type == 'T' && arg[0].t && out &&
      out->alias->storage == arg[0].t->alias->storage;
  if (atomic_load_explicit(&views[op - pti_table], memory_order_relaxed) != view)
    atomic_store_explicit(&views[op - pti_table], view, memory_order_relaxed);
}

/* Upvalue 1: the op. */
static int op_call(lua_State *L) {
  const pt_op *op = lua_touserdata(L, lua_upvalueindex(1));
  pt_tensor *out[PTI_MAX_OUT] = {0};
  pl_box *box[PTI_MAX_OUT];
  pl_args a;
  int last = lua_gettop(L); /* where options stand */
  bool plain = pl_read_tensors(L, &a, op, "");
  int handled = plain ? -1 : hand_over(L, op, "");
  if (handled >= 0) return handled;
  if (!plain) pl_read_args(L, &a, op, "");
  bool view = atomic_load_explicit(&views[op - pti_table], memory_order_relaxed);
  for (int k = 0; k < op->nout; k++) box[k] = pl_new_box_like(L, plain ? 1 : 0, view);
  if (pti_this.anomaly) pl_mark_line(L);
  pt_scope scope = pt_scope_begin();
  bool ok = scope >= 0 && pl_make_numbers(&a) && pti_call(op, a.arg, out);
  bool same = ok && op->kind == PTI_COMPOSITE && push_same(L, &a, out[0]);
  for (int k = 0; ok && !same && k < op->nout; k++) {
    if (out[k]) pl_fill(L, box[k], out[k]);
  }
  if (ok) note_view(op, a.arg, out[0]);
  pt_scope_end(scope);
  if (!ok) return pl_raise(L);
  int results = same ? 1 : op->nout;
  return a.out ? write_out(L, op, last, results) : results;
}

/* x:name_(...): edits x and returns it. */
static int inplace_call(lua_State *L) {
  const pt_op *op = lua_touserdata(L, lua_upvalueindex(1));
  pl_args a;
  bool plain = pl_read_tensors(L, &a, op, "_");
  int handled = plain ? -1 : hand_over(L, op, "_");
  if (handled >= 0) return handled;
  if (!plain) pl_read_args(L, &a, op, "_");
  if (a.numbers & 1)
    return pl_error(L, PT_EARG, "%s_: %s must be a tensor, got %s", op->name, op->param[0].name,
                    pl_describe(L, 1));
  if (pti_this.anomaly) pl_mark_line(L);
  pt_scope scope = pt_scope_begin();
  bool ok = scope >= 0 && pl_make_numbers(&a) && pti_call_inplace(op, a.arg);
  pt_scope_end(scope);
  if (!ok) return pl_raise(L);
  lua_settop(L, 1);
  return 1;
}

/* ---- rows that a function in Lua stands in front of ---- */

/* Whatever stands for no tensor: tables do. */
static bool is_operand(lua_State *L, int i) {
  int type = lua_type(L, i);
  return type == LUA_TUSERDATA || type == LUA_TNUMBER || type == LUA_TBOOLEAN;
}

/* Upvalues: the op, the function in Lua, whether in place. Two operands and nothing else go to the op at once. */
static int front_call(lua_State *L) {
  if (lua_gettop(L) == 2 && is_operand(L, 1) && is_operand(L, 2))
    return lua_toboolean(L, lua_upvalueindex(3)) ? inplace_call(L) : op_call(L);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* core.front(name, fn): what calls the row of that name, or its twin "name_", where two operands are given, and else
   fn, which takes more than the row does */
static int front(lua_State *L) {
  size_t n;
  const char *name = luaL_checklstring(L, 1, &n);
  bool inplace = n > 0 && name[n - 1] == '_';
  lua_pushlstring(L, name, n - inplace);
  const pt_op *op = pti_op_find(lua_tostring(L, -1));
  if (op == NULL || op->narg != 2)
    return pl_error(L, PT_EARG, "front: no op of two operands is named '%s'", name);
  lua_pushlightuserdata(L, (void *)(uintptr_t)op);
  lua_pushvalue(L, 2);
  lua_pushboolean(L, inplace);
  lua_pushcclosure(L, front_call, 3);
  return 1;
}

/* ---- operators ---- */

/* -x, ~x: Lua passes the operand twice. */
static int op_unary(lua_State *L) {
  lua_settop(L, 1);
  return op_call(L);
}

/* ---- what is known about ops ---- */

static void push_call(lua_State *L, const pt_op *op, bool inplace) {
  lua_pushlightuserdata(L, (void *)(uintptr_t)op);
  lua_pushcclosure(L, inplace ? inplace_call : op_call, 1);
}

/* core.fn(name): the function of an op of the table, or of its twin "name_" */
static int fn(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  lua_pushvalue(L, 1);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  return pl_error(L, PT_EARG, "fn: no op is named '%s'", name);
}

static const char *kind_of(const pt_op *op) {
  return op->kind == PTI_ELEMENTWISE ? "element-wise"
      : op->kind == PTI_STRUCTURED   ? "op"
                                     : "op made of others";
}

/* What an element-wise op takes; NULL for others. */
static const char *dtypes_of(const pt_op *op) {
  if (op->kind != PTI_ELEMENTWISE) return NULL;
  return op->dtypes == PTI_FLOATS     ? "floats; integers and bool become floats"
      : op->dtypes & PTI_BIT(PT_BOOL) ? op->dtypes & PTI_FLOATS ? "all" : "integers and bool"
                                      : "numbers, not bool";
}

/* core.ops() -> a list of {name=, sig=, help=, kind=, dtypes=, differentiable=, inplace=} */
static int ops(lua_State *L) {
  lua_createtable(L, PTI_NOPS, 0);
  for (int i = 0; i < PTI_NOPS; i++) {
    const pt_op *op = pti_op_at(i);
    lua_createtable(L, 0, 8);
    lua_pushstring(L, op->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, op->sig);
    lua_setfield(L, -2, "sig");
    lua_pushstring(L, op->help);
    lua_setfield(L, -2, "help");
    lua_pushstring(L, kind_of(op));
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, dtypes_of(op));
    lua_setfield(L, -2, "dtypes");
    lua_pushboolean(L, op->vjp != NULL);
    lua_setfield(L, -2, "differentiable");
    lua_pushboolean(L, op->inplace);
    lua_setfield(L, -2, "inplace");
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* ---- the module's part ---- */

static void set_operators(lua_State *L) {
  static const struct {
    const char *event, *op;
    lua_CFunction call;
  } operators[] = {{"__add", "add", op_call},           {"__sub", "sub", op_call},
                   {"__mul", "mul", op_call},           {"__div", "div", op_call},
                   {"__mod", "remainder", op_call},     {"__pow", "pow", op_call},
                   {"__idiv", "floor_divide", op_call}, {"__unm", "neg", op_unary}};
  lua_getfield(L, -1, "metatable");
  for (size_t i = 0; i < PTI_COUNT(operators); i++) {
    lua_pushlightuserdata(L, (void *)(uintptr_t)pti_op_find(operators[i].op));
    lua_pushcclosure(L, operators[i].call, 1);
    lua_setfield(L, -2, operators[i].event);
  }
  lua_pop(L, 1);
}

/* Every op as core.functions.name; as the method name, where its first argument is a tensor; its twin as name_. */
void pl_open_op(lua_State *L) {
  lua_getfield(L, -1, "Tensor");
  lua_createtable(L, 0, 2 * PTI_NOPS);
  for (int i = 0; i < PTI_NOPS; i++) {
    const pt_op *op = pti_op_at(i);
    push_call(L, op, false);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, op->name);
    if (strchr("TA", op->param[0].type)) lua_setfield(L, -3, op->name);
    else lua_pop(L, 1);
    if (!op->inplace) continue;
    lua_pushfstring(L, "%s_", op->name);
    push_call(L, op, true);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, -5);
    lua_rawset(L, -4);
  }
  lua_remove(L, -2);
  lua_pushvalue(L, -1);
  lua_pushcclosure(L, fn, 1);
  lua_setfield(L, -3, "fn");
  lua_setfield(L, -2, "functions");
  lua_pushcfunction(L, ops);
  lua_setfield(L, -2, "ops");
  lua_pushcfunction(L, front);
  lua_setfield(L, -2, "front");
  lua_pushcfunction(L, on_out);
  lua_setfield(L, -2, "on_out");
  set_operators(L);
}
