/* lua_hook.c: Lua functions that the engine calls while it walks: hooks, the gradients of functions written in Lua, and
   checkpoints. A Lua error must not cross the engine: each call is protected, its error becomes the engine's, and
   comes out of backward or grad as it was raised (pl_raise_walk).

   Where the functions live: those of leaves in a weak table, held by the tensor's object, so that a hook that refers to
   its own parameter can be collected; all others in a table of the registry, until the engine lets the hook go. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "tensor.h"

/* ---- the state that a function belongs to ---- */

/* Outlives its Lua state where a graph does. */
typedef struct home {
  int refs;
  lua_State *main;  /* NULL once the state closes */
  lua_Integer last; /* number of a function */
} home;

static const char home_key, strong_key, weak_key, owners_key, anchors_key, errors_key;
static _Thread_local lua_State *walking; /* the (co)routine that called the engine */

static void home_release(home *h) {
  if (--h->refs == 0) free(h);
}

static int home_close(lua_State *L) {
  home **h = lua_touserdata(L, 1);
  if (*h == NULL) return 0;
  (*h)->main = NULL;
  home_release(*h);
  *h = NULL;
  return 0;
}

static home *home_of(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &home_key);
  home **h = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return *h;
}

static lua_State *main_of(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_State *main = lua_tothread(L, -1);
  lua_pop(L, 1);
  return main;
}

/* A function of a state, by its number in the tables. */
typedef struct callback {
  home *home;
  lua_Integer id;
  bool zeros; /* of a function's gradient: missing ones are zeros */
  bool leaf;  /* of a hook: it may return false, and sets the leaf's grad itself */
  pt_function fn;
  char name[64];
} callback;

static callback *callback_new(lua_State *L, lua_Integer id) {
  callback *c = calloc(1, sizeof *c);
  if (c == NULL) return pti_fail(PT_EMEMORY, "out of memory");
  c->home = home_of(L);
  c->home->refs++;
  c->id = id;
  return c;
}

/* Raw reads and the removal of a key: nothing here allocates, so it may run while the collector does. */
static void callback_free(void *ud) {
  callback *c = ud;
  lua_State *L = c->home->main;
  if (L && lua_checkstack(L, 3)) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &strong_key);
    lua_pushnil(L);
    lua_rawseti(L, -2, c->id);
    lua_pop(L, 1);
  }
  home_release(c->home);
  free(c);
}

/* ---- protected calls ---- */

/* Keeps the error and its traceback, {error, traceback}, where the table has room already. */
static int keep_error(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &errors_key);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, 1);
  luaL_traceback(L, L, NULL, 1);
  lua_rawseti(L, -2, 2);
  lua_settop(L, 1);
  return 1;
}

/* Runs fn(L) with `arg` as its light userdata; a Lua error becomes the engine's. */
static bool protected(callback *c, lua_CFunction fn, void *arg) {
  lua_State *L = c->home->main;
  if (L == NULL)
    return pti_refuse(PT_ELUA, "backward: a function of the graph belongs to a closed state");
  if (walking && main_of(walking) == L) L = walking;
  if (!lua_checkstack(L, 8)) return pti_refuse(PT_EMEMORY, "backward: Lua's stack is full");
  int top = lua_gettop(L);
  lua_pushcfunction(L, keep_error);
  lua_pushcfunction(L, fn);
  lua_pushlightuserdata(L, arg);
  int status = lua_pcall(L, 1, 0, top + 1);
  if (status == LUA_ERRMEM) {
    pti_fail(PT_EMEMORY, "not enough memory");
  } else if (status != LUA_OK) {
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    pti_fail(PT_ELUA, "%s", text ? text : "a function that backward called raised an error object");
  }
  lua_settop(L, top);
  return status == LUA_OK;
}

void *pl_walk_begin(lua_State *L) {
  void *was = walking;
  walking = L;
  return was;
}
void pl_walk_end(void *was) { walking = was; }

/* An error object may hold on to a graph. */
static void drop_error(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &errors_key);
  lua_pushboolean(L, false);
  lua_rawseti(L, -2, 1);
  lua_pop(L, 1);
}

int pl_raise_walk(lua_State *L) {
  if (pt_error_code() != PT_ELUA) return pl_raise(L);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &errors_key);
  lua_rawgeti(L, -1, 1);
  if (lua_type(L, -1) != LUA_TSTRING) drop_error(L);
  else if (pt_detect_anomaly()) lua_pushstring(L, pt_error()); /* which has more to say */
  return lua_error(L);
}

bool pl_push_walk_traceback(lua_State *L, int error) {
  error = lua_absindex(L, error);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &errors_key) == LUA_TTABLE) {
    lua_rawgeti(L, -1, 1);
    if (lua_isstring(L, -1) && lua_rawequal(L, -1, error)) {
      lua_rawgeti(L, -2, 2);
      return true;
    }
  }
  return false;
}

/* Pushes the function with this number; nil where it is gone. */
static void push_function(lua_State *L, lua_Integer id) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &strong_key);
  if (lua_rawgeti(L, -1, id) != LUA_TNIL) return;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &weak_key);
  lua_rawgeti(L, -1, id);
}

static void set_in(lua_State *L, const void *key, lua_Integer id, int value) {
  value = lua_absindex(L, value);
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  lua_pushvalue(L, value);
  lua_rawseti(L, -2, id);
  lua_pop(L, 1);
}

/* ---- hooks ---- */

typedef struct hook_call {
  const callback *c;
  pt_tensor *g, *result; /* result: retained */
  bool after, leaf, drop;
} hook_call;

static int run_hook(lua_State *L) {
  hook_call *h = lua_touserdata(L, 1);
  push_function(L, h->c->id);
  if (lua_isnil(L, -1)) return 0;
  if (h->after) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &owners_key);
    if (lua_rawgeti(L, -1, h->c->id) == LUA_TNIL) return 0;
    lua_remove(L, -2);
  } else {
    pl_fill(L, pl_new_box(L), h->g);
  }
  lua_call(L, 1, 1);
  if (h->after || lua_isnil(L, -1)) return 0;
  if (h->leaf && lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
    h->drop = true;
    return 0;
  }
  h->result = pt_retain(pl_check_tensor(L, -1, "register_hook", "what the hook returns"));
  return 0;
}

static bool call_hook(void *ud, pt_tensor **g) {
  hook_call h = {.c = ud, .g = *g, .leaf = ((callback *)ud)->leaf};
  if (!protected(ud, run_hook, &h)) return false;
  if (h.drop) return *g = NULL, true;
  if (h.result && !(*g = pti_scoped(h.result))) return false;
  return true;
}

static bool call_after(void *ud, pt_tensor **g) {
  hook_call h = {.c = ud, .g = *g, .after = true};
  return protected(ud, run_hook, &h);
}

/* Ties fn at 2 to the object of a leaf at 1: anchors[x][id] = fn, weak[id] = fn, owners[id] = x. */
static void anchor(lua_State *L, lua_Integer id) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
  lua_pushvalue(L, 1);
  if (lua_rawget(L, -2) == LUA_TNIL) {
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
  }
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, id);
  lua_pop(L, 2);
  set_in(L, &weak_key, id, 2);
  set_in(L, &owners_key, id, 1);
}

static void forget(lua_State *L, lua_Integer id) {
  lua_pushnil(L);
  set_in(L, &strong_key, id, -1);
  set_in(L, &weak_key, id, -1);
  set_in(L, &owners_key, id, -1);
  lua_pop(L, 1);
}

/* core.register_hook(x, fn, when) -> number of the function, number of the hook; when: "before" the gradient is used,
   "last" of these hooks, or "after" the leaf's grad is set */
static int register_hook(lua_State *L) {
  static const char *const times[] = {"before", "last", "after", NULL};
  enum { BEFORE, LAST, AFTER } when = luaL_checkoption(L, 3, NULL, times);
  bool after = when == AFTER;
  const char *op = after ? "register_post_accumulate_grad_hook" : "register_hook";
  pt_tensor *x = pl_check_tensor(L, 1, op, "x");
  if (lua_isnoneornil(L, 2))
    return pl_error(L, PT_EARG, "%s: the hook must be a function, got %s", op, pl_describe(L, 2));
  lua_settop(L, 2);
  lua_Integer id = ++home_of(L)->last;
  pt_scope scope = pt_scope_begin();
  bool leaf = pt_is_leaf(x);
  pt_scope_end(scope);
  if (leaf) anchor(L, id);
  else set_in(L, &strong_key, id, 2);
  scope = pt_scope_begin();
  callback *c = callback_new(L, id);
  if (c) c->leaf = leaf && !after;
  int64_t hook = 0;
  if (c && when == LAST) hook = pti_register_last_hook(x, call_hook, callback_free, c);
  else if (c) hook = pt_register_hook(x, after, after ? call_after : call_hook, callback_free, c);
  pt_scope_end(scope);
  if (hook == 0) {
    forget(L, id);
    return pl_raise(L);
  }
  lua_pushinteger(L, id);
  lua_pushinteger(L, hook);
  return 2;
}

/* core.remove_hook(number of the function, number of the hook, x or nil) */
static int remove_hook(lua_State *L) {
  lua_Integer id = luaL_checkinteger(L, 1), hook = luaL_checkinteger(L, 2);
  forget(L, id);
  pt_tensor *x = pl_tensor_at(L, 3);
  if (x == NULL) return 0;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
  lua_pushvalue(L, 3);
  if (lua_rawget(L, -2) == LUA_TTABLE) {
    lua_pushnil(L);
    lua_rawseti(L, -2, id);
  }
  pt_remove_hook(x, hook);
  return 0;
}

/* ---- functions ---- */

typedef struct gradient_call {
  callback *c;
  pt_node *node;
  pt_tensor **g, **saved, **gx; /* gx: retained */
  int ng, nsaved, nx;
} gradient_call;

static void push_tensors(lua_State *L, pt_tensor **x, int n) {
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    if (x[i]) pl_fill(L, pl_new_box(L), x[i]);
    else lua_pushboolean(L, false);
    lua_rawseti(L, -2, i + 1);
  }
}

/* fn(saved, gradients) -> a list of gradients, with false for none */
static int run_gradient(lua_State *L) {
  gradient_call *k = lua_touserdata(L, 1);
  push_function(L, k->c->id);
  push_tensors(L, k->saved, k->nsaved);
  push_tensors(L, k->g, k->ng);
  lua_call(L, 2, 1);
  for (int i = 0; i < k->nx; i++) {
    lua_rawgeti(L, -1, i + 1);
    k->gx[i] = pt_retain(pl_tensor_at(L, -1));
    lua_pop(L, 1);
  }
  return 0;
}

static bool gather(gradient_call *k, pt_node *node, pt_tensor *const *g) {
  for (int i = 0; i < k->ng; i++) {
    k->g[i] = g[i] || !k->c->zeros ? g[i] : pt_function_zeros(node, i);
    if (k->g[i] == NULL && k->c->zeros) return false;
  }
  for (int i = 0; i < k->nsaved; i++) {
    if (!(k->saved[i] = pt_function_saved(node, i))) return false;
  }
  return true;
}

static bool call_gradient(pt_node *node, pt_tensor *const *g, pt_tensor **gx) {
  callback *c = pt_function_data(node);
  gradient_call k = {.c = c, .node = node};
  pt_function_counts(node, &k.nx, &k.nsaved, &k.ng);
  k.g = calloc((size_t)(k.ng + k.nsaved + k.nx) + 1, sizeof *k.g);
  if (k.g == NULL) return pti_refuse(PT_EMEMORY, "out of memory");
  k.saved = k.g + k.ng;
  k.gx = k.saved + k.nsaved;
  bool ok = gather(&k, node, g) && protected(c, run_gradient, &k);
  for (int i = 0; i < k.nx; i++) {
    pt_tensor *t = k.gx[i] ? pti_scoped(k.gx[i]) : NULL;
    gx[i] = t && pt_function_wants(node, i) ? t : NULL;
  }
  free(k.g);
  return ok;
}

static pt_tensor **read_list(lua_State *L, int at, int *n) {
  luaL_checktype(L, at, LUA_TTABLE);
  *n = (int)lua_rawlen(L, at);
  pt_tensor **x = lua_newuserdatauv(L, ((size_t)*n + 1) * sizeof *x, 0);
  for (int i = 0; i < *n; i++) {
    lua_rawgeti(L, at, i + 1);
    x[i] = pl_tensor_at(L, -1);
    lua_pop(L, 1);
  }
  return x;
}

/* core.record(name, fn, zeros, inputs, saved, outputs, inplace) -> outputs as results of a call whose gradient is fn's;
   inplace: outputs that are inputs were edited */
static int record(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  int nin, nsave, nout;
  pt_tensor **in = read_list(L, 4, &nin), **save = read_list(L, 5, &nsave),
            **out = read_list(L, 6, &nout);
  lua_createtable(L, nout, 0);
  int result = lua_gettop(L);
  for (int k = 0; k < nout; k++) {
    pl_new_box(L);
    lua_rawseti(L, result, k + 1);
  }
  lua_Integer id = ++home_of(L)->last;
  set_in(L, &strong_key, id, 2);
  pt_scope scope = pt_scope_begin();
  callback *c = callback_new(L, id);
  if (c) {
    c->zeros = lua_toboolean(L, 3);
    strncpy(c->name, name, sizeof c->name - 1);
    c->fn = (pt_function){c->name, call_gradient, callback_free, lua_toboolean(L, 7)};
  }
  bool ok = c && pt_function_record(&c->fn, c, in, nin, save, nsave, out, nout);
  for (int k = 0; ok && k < nout; k++) {
    lua_rawgeti(L, result, k + 1);
    pl_fill(L, lua_touserdata(L, -1), out[k]);
    lua_pop(L, 1);
  }
  pt_scope_end(scope);
  if (ok) return 1;
  if (c == NULL) forget(L, id);
  return pl_raise(L);
}

/* ---- checkpoints ---- */

static int run_again(lua_State *L) {
  const callback *c = lua_touserdata(L, 1);
  push_function(L, c->id);
  lua_call(L, 0, 0);
  return 0;
}
static bool call_again(void *ud) {
  pt_scope s = pt_scope_begin();
  bool ok = s >= 0 && protected(ud, run_again, ud);
  pt_scope_end(s);
  return ok;
}

/* core.at_walk_end(fn): within a backward, fn() is called before leaves get their gradients */
static int at_walk_end(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_Integer id = ++home_of(L)->last;
  set_in(L, &strong_key, id, 1);
  callback *c = callback_new(L, id);
  if (c && pt_at_walk_end(call_again, callback_free, c)) return 0;
  if (c == NULL) forget(L, id);
  return pl_raise(L);
}

/* core.checkpoint(recompute, fn, ...) -> the results of fn(...), recorded without what recompute() can give */
static int checkpoint(lua_State *L) {
  int n = lua_gettop(L);
  lua_Integer id = ++home_of(L)->last;
  set_in(L, &strong_key, id, 1);
  callback *c = callback_new(L, id);
  pt_checkpoint *k = c ? pt_checkpoint_begin(call_again, callback_free, c) : NULL;
  if (k == NULL) {
    forget(L, id);
    return pl_raise(L);
  }
  lua_pushcfunction(L, keep_error);
  lua_replace(L, 1);
  int status = lua_pcall(L, n - 2, LUA_MULTRET, 1);
  pt_checkpoint_end(k);
  if (status != LUA_OK && !lua_isstring(L, -1)) drop_error(L);
  return status == LUA_OK ? lua_gettop(L) - 1 : lua_error(L);
}

/* core.twin(x) -> x without its grad: what a checkpoint keeps may not lead back to gradients that need the checkpoint */
static int twin(lua_State *L) {
  pt_tensor *x = pl_check_tensor(L, 1, "checkpoint", "x");
  pl_box *box = pl_new_box(L);
  pt_scope scope = pt_scope_begin();
  return pl_finish(L, box, pti_twin(x), scope);
}

/* ---- the module's part ---- */

static void new_table(lua_State *L, const void *key, const char *mode) {
  lua_newtable(L);
  if (mode) {
    lua_createtable(L, 0, 1);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

static void open_home(lua_State *L) {
  home **slot = lua_newuserdatauv(L, sizeof *slot, 0);
  *slot = NULL;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, home_close);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  if (!(*slot = calloc(1, sizeof **slot))) luaL_error(L, "not enough memory");
  **slot = (home){.refs = 1, .main = main_of(L)};
  lua_rawsetp(L, LUA_REGISTRYINDEX, &home_key);
}

void pl_open_hook(lua_State *L) {
  static const luaL_Reg functions[] = {{"register_hook", register_hook},
                                       {"remove_hook", remove_hook},
                                       {"record", record},
                                       {"checkpoint", checkpoint},
                                       {"at_walk_end", at_walk_end},
                                       {"twin", twin},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  open_home(L);
  new_table(L, &strong_key, NULL);
  new_table(L, &weak_key, "v");
  new_table(L, &owners_key, "v");
  new_table(L, &anchors_key, "k");
  lua_createtable(L, 2, 0);
  for (int i = 1; i <= 2; i++) {
    lua_pushboolean(L, false);
    lua_rawseti(L, -2, i);
  }
  lua_rawsetp(L, LUA_REGISTRYINDEX, &errors_key);
}
