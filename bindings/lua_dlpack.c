/* lua_dlpack.c: tensors to and from other C modules of the same Lua state, by DLPack (engine/dlpack.c). A capsule is a
   userdata that begins with the pointer to a DLManagedTensorVersioned and has the metatable "dltensor_versioned" of the
   registry; who takes the tensor sets the pointer to NULL. Any module may make and take such capsules. */
#include <string.h>

#include "binding.h"

static const char CAPSULE[] = "dltensor_versioned";

typedef struct DLManagedTensorVersioned managed;

/* A capsule that nobody has taken gives the tensor back. */
static int drop(lua_State *L) {
  managed **held = luaL_checkudata(L, 1, CAPSULE);
  managed *m = *held;
  *held = NULL;
  if (m == NULL) return 0;
  pt_scope scope = pt_scope_begin();
  pt_from_dlpack(m); /* its last holder, at the end of the scope: calls the deleter */
  pt_scope_end(scope);
  return 0;
}

static void push_metatable(lua_State *L) {
  if (luaL_newmetatable(L, CAPSULE)) {
    lua_pushcfunction(L, drop);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, drop);
    lua_setfield(L, -2, "__close");
  }
}

/* core.to_dlpack(x) -> capsule */
static int to_dlpack(lua_State *L) {
  pt_tensor *x = pl_check_tensor(L, 1, "to_dlpack", "x");
  managed **held = lua_newuserdatauv(L, sizeof *held, 0);
  *held = NULL;
  push_metatable(L);
  lua_setmetatable(L, -2);
  *held = pt_to_dlpack(x);
  return *held ? 1 : pl_raise(L);
}

/* core.from_dlpack(capsule): also of a light userdata, the address of a DLManagedTensorVersioned, which C code vouches
   for */
static int from_dlpack(lua_State *L) {
  bool light = lua_islightuserdata(L, 1);
  managed **held = luaL_testudata(L, 1, CAPSULE);
  if (!light && held == NULL)
    return pl_error(L, PT_EARG, "from_dlpack: expected a capsule of to_dlpack, got %s",
                    pl_describe(L, 1));
  if (held && *held == NULL)
    return pl_error(L, PT_EARG, "from_dlpack: the tensor of this capsule was taken before");
  pl_box *box = pl_new_box(L);
  pt_scope scope = pt_scope_begin();
  managed *m = light ? lua_touserdata(L, 1) : *held;
  if (held) *held = NULL;
  return pl_finish(L, box, pt_from_dlpack(m), scope);
}

void pl_open_dlpack(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"to_dlpack", to_dlpack}, {"from_dlpack", from_dlpack}, {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
