/* lua_device.c: what pt.cuda is made of: counting, waiting, memory of devices, by name. */
#include <string.h>

#include "binding.h"
#include "tensor.h"

static int device_at(lua_State *L, int i, const char *name) {
  if (lua_type(L, i) != LUA_TSTRING)
    pl_error(L, PT_EARG, "%s: device must be a name like \"cuda:0\", got %s", name,
             pl_describe(L, i));
  int device = pt_device(lua_tostring(L, i));
  if (device < 0) pl_raise(L);
  return device;
}

/* core.device_count(backend) -> how many; nil and the reason where there are none */
static int device_count(lua_State *L) {
  const char *backend = luaL_checkstring(L, 1);
  int n = pt_device_count(backend);
  if (n >= 0) {
    lua_pushinteger(L, n);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, pt_error());
  return 2;
}

/* core.device_is_open(backend): whether its plug-in is in use */
static int device_is_open(lua_State *L) {
  size_t n;
  const char *backend = luaL_checklstring(L, 1, &n);
  bool found = false;
  for (int d = 1; d < pti_device_count(); d++) {
    const char *name = pt_device_name(d);
    found |= strncmp(name, backend, n) == 0 && name[n] == ':';
  }
  lua_pushboolean(L, found);
  return 1;
}

/* core.current_device(backend) -> index;  core.set_device(device) */
static int current_device(lua_State *L) {
  lua_pushinteger(L, pt_current_device(luaL_checkstring(L, 1)));
  return 1;
}
static int set_device(lua_State *L) {
  return pt_set_device(device_at(L, 1, "set_device")) ? 0 : pl_raise(L);
}

/* core.pin_memory(x, device) -> x in pinned memory;  core.is_pinned(x) */
static int pin_memory(lua_State *L) {
  pt_tensor *x = pl_check_tensor(L, 1, "pin_memory", "x");
  int device = device_at(L, 2, "pin_memory");
  pl_box *box = pl_new_box(L);
  pt_scope scope = pt_scope_begin();
  return pl_finish(L, box, pt_pin_memory(x, device), scope);
}
static int is_pinned(lua_State *L) {
  lua_pushboolean(L, pt_is_pinned(pl_check_tensor(L, 1, "is_pinned", "x")));
  return 1;
}

static int device_synchronize(lua_State *L) {
  return pt_device_synchronize(device_at(L, 1, "synchronize")) ? 0 : pl_raise(L);
}

/* core.device_stats(device) -> {name=, live_bytes=, peak_bytes=, reserved_bytes=, free_bytes=, total_bytes=} */
static int device_stats(lua_State *L) {
  pt_device_stats s;
  if (!pt_get_device_stats(device_at(L, 1, "device_stats"), &s)) return pl_raise(L);
  const struct {
    const char *name;
    int64_t value;
  } field[] = {{"live_bytes", s.live_bytes},
               {"peak_bytes", s.peak_bytes},
               {"reserved_bytes", s.reserved_bytes},
               {"free_bytes", s.free_bytes},
               {"total_bytes", s.total_bytes}};
  lua_createtable(L, 0, PTI_COUNT(field) + 1);
  for (size_t i = 0; i < PTI_COUNT(field); i++) {
    lua_pushinteger(L, field[i].value);
    lua_setfield(L, -2, field[i].name);
  }
  lua_pushstring(L, s.name);
  lua_setfield(L, -2, "name");
  return 1;
}

static int device_reset_peak(lua_State *L) {
  pt_reset_device_peak(device_at(L, 1, "reset_peak_memory_stats"));
  return 0;
}

static int device_empty_cache(lua_State *L) {
  (void)L;
  pt_device_empty_cache();
  return 0;
}

void pl_open_device(lua_State *L) {
  static const luaL_Reg functions[] = {{"device_count", device_count},
                                       {"device_is_open", device_is_open},
                                       {"current_device", current_device},
                                       {"set_device", set_device},
                                       {"pin_memory", pin_memory},
                                       {"is_pinned", is_pinned},
                                       {"device_synchronize", device_synchronize},
                                       {"device_stats", device_stats},
                                       {"device_reset_peak", device_reset_peak},
                                       {"device_empty_cache", device_empty_cache},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
}
