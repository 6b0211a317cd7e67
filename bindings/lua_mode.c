/* lua_mode.c: the modes of a thread for Lua: whether calls are recorded, inference, autocast, the search for
   anomalies; and the object that restores one when its <close> variable goes out of scope. Restoring must not fail,
   least of all when memory has just run out: the state is kept in a userdata made beforehand, and __close is a C
   function that calls nothing of Lua's that allocates. */
#include "binding.h"

#define MODE "pt.Mode"

typedef enum { GRAD, INFERENCE, AUTOCAST, ANOMALY } mode_kind;
static const char *const kinds[] = {"grad", "inference", "autocast", "anomaly", NULL};

typedef struct mode {
  mode_kind kind;
  bool on, grad;  /* grad: whether calls were recorded when inference began */
  pt_dtype dtype; /* autocast's lower precision */
} mode;

/* core.mode(kind) -> an object that restores the mode to what it is now when it is closed */
static int new_mode(lua_State *L) {
  mode_kind kind = luaL_checkoption(L, 1, NULL, kinds);
  mode *m = lua_newuserdatauv(L, sizeof *m, 0);
  *m = (mode){.kind = kind, .grad = pt_grad_enabled()};
  m->on = pt_autocast(&m->dtype); /* the dtype is valid whatever the kind */
  if (kind == GRAD) m->on = m->grad;
  if (kind == INFERENCE) m->on = pt_inference_mode();
  if (kind == ANOMALY) m->on = pt_detect_anomaly();
  luaL_setmetatable(L, MODE);
  return 1;
}

static int mode_close(lua_State *L) {
  const mode *m = luaL_checkudata(L, 1, MODE);
  switch (m->kind) {
  case GRAD: pt_set_grad_enabled(m->on); break;
  case INFERENCE:
    pt_set_inference_mode(m->on);
    pt_set_grad_enabled(m->grad);
    break;
  case AUTOCAST: pt_set_autocast(m->on, m->dtype); break;
  case ANOMALY: pt_set_detect_anomaly(m->on); break;
  }
  return 0;
}

static bool check_mode(lua_State *L, int i, const char *op) {
  if (!lua_isboolean(L, i))
    pl_error(L, PT_EARG, "%s: expected true or false, got %s", op, pl_describe(L, i));
  return lua_toboolean(L, i);
}

static int grad_enabled(lua_State *L) {
  lua_pushboolean(L, pt_grad_enabled());
  return 1;
}

/* core.set_grad_enabled(on) -> what it was */
static int set_grad_enabled(lua_State *L) {
  lua_pushboolean(L, pt_set_grad_enabled(check_mode(L, 1, "set_grad_enabled")));
  return 1;
}

/* core.set_inference_mode(on, grad) -> what it was; where it ends, recording is as `grad` says */
static int set_inference_mode(lua_State *L) {
  bool on = check_mode(L, 1, "inference_mode");
  lua_pushboolean(L, pt_set_inference_mode(on));
  if (!on && lua_isboolean(L, 2)) pt_set_grad_enabled(lua_toboolean(L, 2));
  return 1;
}

static int inference_mode(lua_State *L) {
  lua_pushboolean(L, pt_inference_mode());
  return 1;
}

/* core.set_detect_anomaly(on) -> what it was */
static int set_detect_anomaly(lua_State *L) {
  lua_pushboolean(L, pt_set_detect_anomaly(check_mode(L, 1, "set_detect_anomaly")));
  return 1;
}

static int detect_anomaly(lua_State *L) {
  lua_pushboolean(L, pt_detect_anomaly());
  return 1;
}

/* core.autocast() -> on, dtype */
static int autocast(lua_State *L) {
  pt_dtype dtype;
  lua_pushboolean(L, pt_autocast(&dtype));
  pl_push_dtype(L, dtype);
  return 2;
}

static int is_autocast(lua_State *L) {
  lua_pushboolean(L, pt_autocast(NULL));
  return 1;
}

/* core.set_autocast(on, dtype) */
static int set_autocast(lua_State *L) {
  bool on = check_mode(L, 1, "autocast");
  int dtype = pl_dtype_at(L, 2);
  if (dtype < 0)
    return pl_error(L, PT_EDTYPE, "autocast: dtype must be a dtype, got %s", pl_describe(L, 2));
  return pt_set_autocast(on, dtype) ? 0 : pl_raise(L);
}

void pl_open_mode(lua_State *L) {
  static const luaL_Reg functions[] = {{"mode", new_mode},
                                       {"grad_enabled", grad_enabled},
                                       {"set_grad_enabled", set_grad_enabled},
                                       {"inference_mode", inference_mode},
                                       {"set_inference_mode", set_inference_mode},
                                       {"detect_anomaly", detect_anomaly},
                                       {"set_detect_anomaly", set_detect_anomaly},
                                       {"autocast", autocast},
                                       {"is_autocast", is_autocast},
                                       {"set_autocast", set_autocast},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  luaL_newmetatable(L, MODE);
  lua_pushcfunction(L, mode_close);
  lua_setfield(L, -2, "__close");
  lua_pop(L, 1);
}
