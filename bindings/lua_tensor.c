/* lua_tensor.c: the Lua object for a tensor: boxes, fields (x.shape), and the methods that describe a tensor without
   computing anything.

   The collector sees a box of 16 bytes; the memory behind it is counted here. Most tensors are temporaries, and the
   block of one that is freed soon is still in the processor's caches when the next result takes it. So every YOUNG
   bytes the collector looks at the objects made since it last did (a step of its generational mode, which the states
   of state.c and lua5.4 run in: 0.3 us), and only where tensors that it did not find have piled up at the whole heap.
   Measured for the sum of two tensors of 100,000 floats: 26 us with whole cycles alone, 14 us so. */
#include <ctype.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "binding.h"
#include "mem.h"
#include "tensor.h"

enum {
  YOUNG = 256 << 10, /* bytes of new tensors between two looks at young objects */
  /* By how much live tensors grow between two looks at all objects, or by a quarter if that is more: PER_BYTE bytes for
     each of Lua's heap. A look takes 0.3 ms for 1.7 MB of it. With half as many bytes a step of a small GPT or LSTM takes
     4 % longer; with twice as many it takes as long and 30 MB more. */
  SOONEST = 1 << 20,
  LATEST = 64 << 20,
  PER_BYTE = 16,
  OVERHEAD = 256 /* bytes that the smallest tensor takes */
};

static const char metatable_key, watched_key, lines_key;
static uint64_t magic;
static pthread_once_t once = PTHREAD_ONCE_INIT;
/* How many states of this thread keep a list of their new tensors (pt.scope), and the last one's number. */
static _Thread_local int watching;
static _Thread_local lua_Integer serial;
/* Bytes that this thread's boxes got since young objects were last looked at; the fewest live bytes since all were, and
   by how many they may grow before all are again. */
static _Thread_local int64_t unseen, floor_bytes, room = SOONEST;
/* This thread's bit in the `told` of storages: one that comes and goes between threads is told of once in each. */
static _Thread_local uint64_t mine;

/* ---- boxes ---- */

static pl_box *box_at(lua_State *L, int i) {
  pl_box *box = lua_touserdata(L, i); /* a light one has no length */
  return box && lua_rawlen(L, i) == sizeof *box && box->magic == magic ? box : NULL;
}

pt_tensor *pl_tensor_at(lua_State *L, int i) {
  const pl_box *box = box_at(L, i);
  return box ? box->t : NULL;
}

pt_tensor *pl_check_tensor(lua_State *L, int i, const char *op, const char *name) {
  pt_tensor *t = pl_tensor_at(L, i);
  if (t == NULL)
    pl_error(L, PT_EARG, "%s: %s must be a tensor, got %s", op, name, pl_describe(L, i));
  return t;
}

/* Adds the box on top of the stack to the list that pt.scope looks at, and to the lines of %mem. */
static void watch(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &watched_key) == LUA_TTABLE) {
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, ++serial);
  }
  lua_pop(L, 1);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &lines_key) == LUA_TTABLE) {
    lua_pushvalue(L, -2);
    pl_push_line(L);
    lua_rawset(L, -3);
  }
  lua_pop(L, 1);
}

/* core.watch_lines(table or nil): from now on the table has the script's line of each new tensor, by the tensor */
static int watch_lines(lua_State *L) {
  lua_settop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &lines_key);
  watching += lua_istable(L, 1) - lua_istable(L, 2);
  lua_pushvalue(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &lines_key);
  return 0;
}

/* core.watch(list or nil) -> the list before; from now on new tensors are added to the list */
static int set_watched(lua_State *L) {
  lua_settop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &watched_key);
  watching += lua_istable(L, 1) - lua_istable(L, 2);
  lua_insert(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &watched_key);
  return 1;
}

/* What came since the last look does not count as growth: the last result is still on the stack as a rule, and where it
   is larger than `room` all objects would be looked at for each result, for nothing. */
static void tell_collector(lua_State *L) {
  int64_t fresh = unseen;
  unseen = 0;
  lua_gc(L, LUA_GCSTEP, 0);
  int64_t live = pti_live_here(PTI_LIVE_BYTES) - fresh;
  floor_bytes = pti_min64(floor_bytes, live);
  if (live - floor_bytes < pti_max64(room, floor_bytes / 4)) return;
  lua_gc(L, LUA_GCCOLLECT);
  int64_t heap = (int64_t)lua_gc(L, LUA_GCCOUNT) << 10;
  floor_bytes = pti_live_here(PTI_LIVE_BYTES);
  room = pti_min64(pti_max64(heap * PER_BYTE, SOONEST), LATEST);
}

/* Garbage is looked for right before a result takes a block: after it, what this call still holds could not go, and
   the next result would find no block that is warm. */
pl_box *pl_new_box_like(lua_State *L, int i, bool view) {
  if (!view && unseen >= YOUNG) tell_collector(L);
  pl_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (pl_box){.magic = magic};
  if (i == 0) lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
  else lua_getmetatable(L, i);
  lua_setmetatable(L, -2);
  if (watching) watch(L);
  return box;
}

pl_box *pl_new_box(lua_State *L) { return pl_new_box_like(L, 0, false); }

static void tell_bytes(pti_storage *s) {
  static atomic_uint threads;
  if (mine == 0) mine = (uint64_t)1 << (atomic_fetch_add(&threads, 1) % 64);
  uint64_t told = atomic_load_explicit(&s->told, memory_order_relaxed);
  if (told & mine) return;
  if (atomic_load_explicit(&s->crossed, memory_order_relaxed))
    atomic_fetch_or_explicit(&s->told, mine, memory_order_relaxed);
  else atomic_store_explicit(&s->told, told | mine, memory_order_relaxed); /* this thread's alone */
  unseen += (int64_t)s->bytes;
}

void pl_fill(lua_State *L, pl_box *box, pt_tensor *t) {
  (void)L;
  unseen += OVERHEAD;
  tell_bytes(t->alias->storage);
  box->t = pt_retain(t);
}

int pl_finish(lua_State *L, pl_box *box, pt_tensor *t, pt_scope scope) {
  if (t) pl_fill(L, box, t);
  pt_scope_end(scope);
  return t ? 1 : pl_raise(L);
}

void pl_drop_box(void *content) {
  pl_box *box = content;
  if (box->magic != magic) return;
  box->magic = 0;
  pt_release(box->t);
}

/* Also x:close() and the end of `local x <close>`: the memory is free at once. */
static int box_close(lua_State *L) {
  pl_box *box = box_at(L, 1);
  if (box == NULL) return 0;
  pt_tensor *t = box->t;
  box->t = NULL;
  pt_release(t);
  return 0;
}

/* ---- fields ---- */

enum field {
  SHAPE = 1,
  DTYPE,
  DEVICE,
  NDIM,
  GRAD,
  REQUIRES_GRAD,
  RETAINS_GRAD,
  IS_LEAF,
  GRAD_FN,
  T,
  MT,
  DATA,
  ITEMSIZE,
  IS_CUDA,
  IS_SPARSE
};
static const char *const field_names[] = {[SHAPE] = "shape",
                                          [DTYPE] = "dtype",
                                          [DEVICE] = "device",
                                          [NDIM] = "ndim",
                                          [GRAD] = "grad",
                                          [T] = "T",
                                          [MT] = "mT",
                                          [REQUIRES_GRAD] = "requires_grad",
                                          [RETAINS_GRAD] = "retains_grad",
                                          [DATA] = "data",
                                          [GRAD_FN] = "grad_fn",
                                          [IS_LEAF] = "is_leaf",
                                          [ITEMSIZE] = "itemsize",
                                          [IS_CUDA] = "is_cuda",
                                          [IS_SPARSE] = "is_sparse"};

/* "log_softmax" -> "<LogSoftmaxBackward0>", as PyTorch names it. */
static void push_grad_fn(lua_State *L, const char *op) {
  char text[64];
  size_t n = 0;
  text[n++] = '<';
  for (bool upper = true; *op && n < 40; op++) {
    if (*op == '_') upper = true;
    else text[n++] = (char)(upper ? toupper((unsigned char)*op) : *op), upper = false;
  }
  strcpy(text + n, "Backward0>");
  lua_pushstring(L, text);
}

/* Fields that are tensors. */
static int tensor_field(lua_State *L, pt_tensor *x, enum field field) {
  int64_t dims[PT_MAX_DIM];
  int nd = x->nd;
  for (int d = 0; d < nd; d++) dims[d] = nd - 1 - d;
  if (field == GRAD && x->grad == NULL) return lua_pushnil(L), 1;
  pl_box *box = pl_new_box(L);
  pt_scope scope = pt_scope_begin();
  pt_tensor *y = field == GRAD ? pt_grad(x)
      : field == DATA          ? pt_detach(x)
      : field == T             ? pt_permute(x, dims, nd)
                               : pt_transpose(x, -2, -1);
  return pl_finish(L, box, y, scope);
}

static int history_field(lua_State *L, pt_tensor *x, enum field field) {
  pt_scope scope = pt_scope_begin();
  const char *op = field == GRAD_FN ? pti_made_by(x) : NULL;
  bool on = field == IS_LEAF ? pt_is_leaf(x) : pt_requires_grad(x);
  pt_scope_end(scope);
  if (field != GRAD_FN) lua_pushboolean(L, on);
  else if (op) push_grad_fn(L, op);
  else lua_pushnil(L);
  return 1;
}

static int push_field(lua_State *L, pt_tensor *x, enum field field) {
  switch (field) {
  case SHAPE: pl_push_sizes(L, x->size, x->nd); return 1;
  case DTYPE: pl_push_dtype(L, x->dtype); return 1;
  case DEVICE: lua_pushstring(L, pt_device_name(pti_dev(x))); return 1;
  case NDIM: lua_pushinteger(L, x->nd); return 1;
  case ITEMSIZE: lua_pushinteger(L, (lua_Integer)pti_esize(x)); return 1;
  case IS_CUDA: lua_pushboolean(L, strncmp(pt_device_name(pti_dev(x)), "cuda", 4) == 0); return 1;
  case IS_SPARSE: lua_pushboolean(L, 0); return 1; /* all are dense here */
  case RETAINS_GRAD: lua_pushboolean(L, pt_retains_grad(x)); return 1;
  case GRAD_FN:
  case IS_LEAF:
  case REQUIRES_GRAD: return history_field(L, x, field);
  default: return tensor_field(L, x, field);
  }
}

/* No such name: the error says which was probably meant. Upvalues as of box_index. */
static int unknown_field(lua_State *L, const char *what) {
  const char *name = lua_tostring(L, 2), *hint = pl_suggest(L, name, lua_upvalueindex(2));
  if (*hint == 0) hint = pl_suggest(L, name, lua_upvalueindex(1));
  return pl_error(L, PT_EARG, "tensor: no %s '%s'%s", what, name, hint);
}

/* x.name, x:name, x[...]; upvalues: methods, numbers of fields */
static int box_index(lua_State *L) {
  if (lua_type(L, 2) != LUA_TSTRING) return pl_get(L);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
  pt_tensor *x = pl_tensor_at(L, 1);
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(2));
  enum field field = (enum field)lua_tointeger(L, -1);
  if (field == 0) { /* a method in Lua, whose file is not loaded yet */
    lua_pushvalue(L, 2);
    if (lua_gettable(L, lua_upvalueindex(1)) != LUA_TNIL) return 1;
    return unknown_field(L, "field or method");
  }
  if (x == NULL) return pl_error(L, PT_EARG, "%s: the tensor is closed", lua_tostring(L, 2));
  return push_field(L, x, field);
}

/* x.grad = y, x.requires_grad = true, x[...] = y */
static int box_newindex(lua_State *L) {
  if (lua_type(L, 2) != LUA_TSTRING) return pl_set(L);
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(2));
  enum field field = (enum field)lua_tointeger(L, -1);
  const char *name = lua_tostring(L, 2);
  pt_tensor *x = pl_check_tensor(L, 1, name, "x"), *g = NULL;
  if (field == GRAD && !lua_isnil(L, 3)) g = pl_check_tensor(L, 3, "grad", "the gradient");
  else if (field == REQUIRES_GRAD && !lua_isboolean(L, 3))
    pl_error(L, PT_EARG, "requires_grad: expected true or false, got %s", pl_describe(L, 3));
  if (field == 0) return unknown_field(L, "field");
  if (field != GRAD && field != REQUIRES_GRAD)
    return pl_error(L, PT_EARG, "%s: the field is there to be read, not to be set", name);
  pt_scope scope = pt_scope_begin();
  bool ok = field == GRAD ? pt_set_grad(x, g) : pt_set_requires_grad(x, lua_toboolean(L, 3));
  pt_scope_end(scope);
  return ok ? 0 : pl_raise(L);
}

/* #x is the size of dim 1. */
static int box_len(lua_State *L) {
  const pt_tensor *x = pl_check_tensor(L, 1, "#", "x");
  if (x->nd == 0) return pl_error(L, PT_ESHAPE, "#: a tensor without dims has no length");
  lua_pushinteger(L, x->size[0]);
  return 1;
}

/* Lua forces a comparison's result to a boolean, so tensors cannot have one. */
static int refuse_order(lua_State *L) {
  return pl_error(L, PT_EARG,
                  "<, <=, >, >=: tensors are compared element by element with x:lt(y), "
                  "x:le(y), x:gt(y), x:ge(y)");
}

/* x == y: true for the same tensor, the comparison's value for two of one element. Lua makes a boolean of the result,
   so more elements have no answer. */
static int box_eq(lua_State *L) {
  pt_tensor *x = pl_tensor_at(L, 1), *y = pl_tensor_at(L, 2);
  if (x == NULL || y == NULL || x == y) return lua_pushboolean(L, x != NULL && x == y), 1;
  if (x->numel != 1 || y->numel != 1)
    return pl_error(L, PT_EARG,
                    "==: tensors of several elements are compared element by element with a:eq(b), "
                    "as a whole with pt.equal(a, b)");
  double same = 0;
  pt_scope scope = pt_scope_begin();
  pt_tensor *eq = pt_eq(pt_reshape(x, NULL, 0), pt_reshape(y, NULL, 0));
  bool ok = eq != NULL && pt_item(eq, &same);
  pt_scope_end(scope);
  if (!ok) return pl_raise(L);
  lua_pushboolean(L, same != 0);
  return 1;
}

static int refuse_concat(lua_State *L) {
  return pl_error(
      L, PT_EARG,
      "..: a tensor is no text: x:item() is the number in one of one element, tostring(x) "
      "its print; pt.cat{x, y} joins tensors");
}

/* ---- methods that compute nothing ---- */

/* Size or stride: of one dim, or a list of all. */
static int geometry(lua_State *L, const char *op, bool strides) {
  const pt_tensor *x = pl_check_tensor(L, 1, op, "x");
  const int64_t *list = strides ? x->stride : x->size;
  if (lua_isnoneornil(L, 2)) return pl_push_sizes(L, list, x->nd), 1;
  int whole = 0, d;
  lua_Integer dim = lua_type(L, 2) == LUA_TNUMBER ? lua_tointegerx(L, 2, &whole) : 0;
  if (!whole) pl_error(L, PT_EARG, "%s: dim must be an integer, got %s", op, pl_describe(L, 2));
  if (dim == 0)
    pl_error(L, PT_EINDEX, "%s: dim is 0; it counts from 1, or from -1 for the last", op);
  if (x->nd == 0) return pl_error(L, PT_EINDEX, "%s: x has no dims", op);
  if (!pti_dim(op, dim > 0 ? dim - 1 : dim, x->nd, &d)) return pl_raise(L);
  lua_pushinteger(L, list[d]);
  return 1;
}
static int x_size(lua_State *L) { return geometry(L, "size", false); }
static int x_stride(lua_State *L) { return geometry(L, "stride", true); }

static int x_numel(lua_State *L) {
  lua_pushinteger(L, pl_check_tensor(L, 1, "numel", "x")->numel);
  return 1;
}
static int x_dim(lua_State *L) {
  lua_pushinteger(L, pl_check_tensor(L, 1, "dim", "x")->nd);
  return 1;
}
static int x_storage_offset(lua_State *L) {
  lua_pushinteger(L, pl_check_tensor(L, 1, "storage_offset", "x")->offset);
  return 1;
}
static int x_element_size(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)pti_esize(pl_check_tensor(L, 1, "element_size", "x")));
  return 1;
}
/* The address of the first element, to tell whether two tensors share memory. */
static int x_data_ptr(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)(intptr_t)pti_ptr(pl_check_tensor(L, 1, "data_ptr", "x")));
  return 1;
}
static int x_is_contiguous(lua_State *L) {
  lua_pushboolean(L, pti_dense(pl_check_tensor(L, 1, "is_contiguous", "x")));
  return 1;
}
static int x_is_floating_point(lua_State *L) {
  const pt_tensor *x = pl_check_tensor(L, 1, "is_floating_point", "x");
  lua_pushboolean(L, pti_is(x->dtype, PTI_FLOATS));
  return 1;
}
static int x_is_complex(lua_State *L) {
  const pt_tensor *x = pl_check_tensor(L, 1, "is_complex", "x");
  lua_pushboolean(L, pti_is(x->dtype, PTI_COMPLEX));
  return 1;
}
static int x_is_shared(lua_State *L) {
  lua_pushboolean(L, pt_is_shared(pl_check_tensor(L, 1, "is_shared", "x")));
  return 1;
}
/* How often x was edited in place. */
static int x_version(lua_State *L) {
  lua_pushinteger(L, pl_check_tensor(L, 1, "version", "x")->alias->version);
  return 1;
}

/* x:share_memory_(): from now on writes are seen by all who hold x. Returns x. */
static int x_share_memory(lua_State *L) {
  pt_tensor *x = pl_check_tensor(L, 1, "share_memory_", "x");
  pt_scope scope = pt_scope_begin();
  bool ok = pt_share_memory(x);
  pt_scope_end(scope);
  lua_settop(L, 1);
  return ok ? 1 : pl_raise(L);
}

static void make_magic(void) {
  if (getentropy(&magic, sizeof magic) != 0) magic = 0x9e3779b97f4a7c15u ^ (uintptr_t)&magic;
}

/* core.become(x, y) -> x, which from now on stands for the tensor that y stands for. */
static int become(lua_State *L) {
  pt_tensor *old = pl_check_tensor(L, 1, "become", "x");
  pt_tensor *now = pl_check_tensor(L, 2, "become", "y");
  box_at(L, 1)->t = pt_retain(now);
  pt_release(old);
  lua_settop(L, 1);
  return 1;
}

/* Also a table that stands for one (lua_op.c). */
static int is_tensor(lua_State *L) {
  bool is = pl_tensor_at(L, 1) != NULL;
  if (!is && lua_type(L, 1) == LUA_TTABLE) is = luaL_getmetafield(L, 1, "__op") != LUA_TNIL;
  lua_pushboolean(L, is);
  return 1;
}

/* ---- the module's part ---- */

/* Pushes a table of names to their place in the list. */
static void push_fields(lua_State *L) {
  lua_newtable(L);
  for (size_t i = 1; i < PTI_COUNT(field_names); i++) {
    lua_pushinteger(L, (lua_Integer)i);
    lua_setfield(L, -2, field_names[i]);
  }
}

void pl_open_tensor(lua_State *L) {
  static const luaL_Reg methods[] = {{"size", x_size},
                                     {"stride", x_stride},
                                     {"numel", x_numel},
                                     {"nelement", x_numel},
                                     {"dim", x_dim},
                                     {"ndimension", x_dim},
                                     {"storage_offset", x_storage_offset},
                                     {"element_size", x_element_size},
                                     {"data_ptr", x_data_ptr},
                                     {"is_contiguous", x_is_contiguous},
                                     {"is_floating_point", x_is_floating_point},
                                     {"is_complex", x_is_complex},
                                     {"is_shared", x_is_shared},
                                     {"version", x_version},
                                     {"share_memory_", x_share_memory},
                                     {"close", box_close},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__close", box_close},
                                  {"__len", box_len},
                                  {"__lt", refuse_order},
                                  {"__le", refuse_order},
                                  {"__eq", box_eq},
                                  {"__concat", refuse_concat},
                                  {NULL, NULL}};
  pthread_once(&once, make_magic);
  lua_newtable(L); /* the methods */
  luaL_setfuncs(L, methods, 0);
  lua_newtable(L); /* the metatable */
  luaL_setfuncs(L, meta, 0);
  if (!pl_drops_boxes(L)) {
    lua_pushcfunction(L, box_close);
    lua_setfield(L, -2, "__gc");
  }
  lua_pushliteral(L, "Tensor");
  lua_setfield(L, -2, "__name");
  lua_pushvalue(L, -2);
  push_fields(L);
  luaL_setfuncs(L, (const luaL_Reg[]){{"__index", box_index}, {"__newindex", box_newindex}, {0}},
                2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
  lua_setfield(L, -3, "metatable");
  lua_setfield(L, -2, "Tensor");
  lua_createtable(L, 0, PT_NDTYPE);
  for (int d = 0; d < PT_NDTYPE; d++) {
    pl_push_dtype(L, d);
    lua_setfield(L, -2, pt_dtype_name(d));
  }
  lua_setfield(L, -2, "dtypes");
  lua_pushcfunction(L, become);
  lua_setfield(L, -2, "become");
  lua_pushcfunction(L, is_tensor);
  lua_setfield(L, -2, "is_tensor");
  lua_pushcfunction(L, set_watched);
  lua_setfield(L, -2, "watch");
  lua_pushcfunction(L, watch_lines);
  lua_setfield(L, -2, "watch_lines");
}
