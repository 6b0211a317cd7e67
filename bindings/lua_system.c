/* lua_system.c: settings and surroundings: clock, threads, CPU level, seeds, memory, the default dtype, the
   terminal. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "binding.h"
#include "mem.h"
#include "pool.h"
#include "rng.h"

/* A whole number in [lo, hi]; raises. */
static int64_t check_whole(lua_State *L, int i, const char *op, const char *name, int64_t lo,
                           int64_t hi) {
  int whole = 0;
  lua_Integer value = lua_type(L, i) == LUA_TNUMBER ? lua_tointegerx(L, i, &whole) : 0;
  if (!whole)
    pl_error(L, PT_EARG, "%s: %s must be an integer, got %s", op, name, pl_describe(L, i));
  if (value < lo || value > hi)
    pl_error(L, PT_EARG, "%s: %s must be %lld to %lld, got %lld", op, name, (long long)lo,
             (long long)hi, (long long)value);
  return value;
}

static int sys_clock(lua_State *L) {
  lua_pushnumber(L, pt_clock());
  return 1;
}

static int set_num_threads(lua_State *L) {
  pt_set_num_threads((int)check_whole(L, 1, "set_num_threads", "n", 1, 256));
  return 0;
}
static int get_num_threads(lua_State *L) {
  lua_pushinteger(L, pt_get_num_threads());
  return 1;
}

static int set_cpu_level(lua_State *L) {
  if (lua_type(L, 1) != LUA_TSTRING)
    pl_error(L, PT_EARG, "set_cpu_level: the level must be a string, got %s", pl_describe(L, 1));
  if (pt_set_cpu_level(lua_tostring(L, 1))) return 0;
  pti_error_prefix("set_cpu_level");
  return pl_raise(L);
}
static int cpu_level(lua_State *L) {
  lua_pushstring(L, pt_cpu_level());
  return 1;
}

static int set_conv_winograd(lua_State *L) {
  if (!lua_isboolean(L, 1))
    pl_error(L, PT_EARG, "set_conv_winograd: on must be a boolean, got %s", pl_describe(L, 1));
  pt_set_conv_winograd(lua_toboolean(L, 1));
  return 0;
}
static int get_conv_winograd(lua_State *L) {
  lua_pushboolean(L, pt_get_conv_winograd());
  return 1;
}

/* core.manual_seed(seed, pytorch): the thread's generator, Philox or (true) PyTorch's */
static int manual_seed(lua_State *L) {
  uint64_t n = (uint64_t)check_whole(L, 1, "manual_seed", "seed", INT64_MIN, INT64_MAX);
  if (!lua_toboolean(L, 2)) pt_manual_seed(n);
  else if (!pt_manual_seed_pytorch(n)) pl_raise(L);
  return 0;
}

/* core.generator() -> where the thread's generator stands, for set_generator: seed, stream, offset; or, of PyTorch's,
   its state as a string */
static int generator(lua_State *L) {
  const pti_generator *g = pti_default_generator();
  if (g->twister) {
    unsigned char state[PTI_TWISTER_STATE];
    pti_twister_save(g->twister, state);
    lua_pushlstring(L, (const char *)state, sizeof state);
    return 1;
  }
  lua_pushinteger(L, (lua_Integer)g->seed);
  lua_pushinteger(L, (lua_Integer)g->stream);
  lua_pushinteger(L, (lua_Integer)g->offset);
  return 3;
}
static int set_generator(lua_State *L) {
  if (lua_type(L, 1) == LUA_TSTRING) {
    size_t size;
    const char *state = lua_tolstring(L, 1, &size);
    if (!pti_twister_load((const unsigned char *)state, size)) pl_raise(L);
    return 0;
  }
  pti_set_generator((pti_generator){.seed = (uint64_t)luaL_checkinteger(L, 1),
                                    .stream = (uint64_t)luaL_checkinteger(L, 2),
                                    .offset = (uint64_t)luaL_checkinteger(L, 3)});
  return 0;
}
/* core.initial_seed() -> what the thread's generator was seeded with */
static int initial_seed(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)pti_default_generator()->seed);
  return 1;
}
/* core.draws_like_pytorch() -> whether the thread's generator is PyTorch's */
static int draws_like_pytorch(lua_State *L) {
  lua_pushboolean(L, pti_default_generator()->twister != NULL);
  return 1;
}
/* core.fresh_seed(): one that no other run has; no more bits than a double keeps */
static int fresh_seed(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)(pti_fresh_seed() >> 11));
  return 1;
}

/* ---- memory ---- */

/* core.memory_stats() -> {live_bytes=, peak_bytes=, held_bytes=, tensors=, nodes=} */
static int memory_stats(lua_State *L) {
  pt_memory_stats m;
  pt_get_memory_stats(&m);
  const struct {
    const char *name;
    int64_t value;
  } field[] = {{"live_bytes", m.live_bytes},
               {"peak_bytes", m.peak_bytes},
               {"held_bytes", m.held_bytes},
               {"tensors", m.tensors},
               {"nodes", m.nodes}};
  lua_createtable(L, 0, PTI_COUNT(field));
  for (size_t i = 0; i < PTI_COUNT(field); i++) {
    lua_pushinteger(L, field[i].value);
    lua_setfield(L, -2, field[i].name);
  }
  return 1;
}
static int set_memory_limit(lua_State *L) {
  pt_set_memory_limit((size_t)check_whole(L, 1, "set_memory_limit", "bytes", 0, INT64_MAX));
  return 0;
}
/* For tests: the n-th allocation of the engine from now fails, and `count` in all. */
static int fail_at(lua_State *L) {
  int64_t n = check_whole(L, 1, "fail_at", "n", 0, INT64_MAX);
  pti_fail_at(n, lua_isnoneornil(L, 2) ? 1 : check_whole(L, 2, "fail_at", "count", 1, INT64_MAX));
  return 0;
}
/* For tests: the same for what Lua allocates; 0 switches it off. */
static int fail_lua_at(lua_State *L) {
  int64_t n = check_whole(L, 1, "fail_lua_at", "n", 0, INT64_MAX);
  int64_t count =
      lua_isnoneornil(L, 2) ? 1 : check_whole(L, 2, "fail_lua_at", "count", 1, INT64_MAX);
  lua_pushboolean(L, pl_fail_allocations(L, n, n ? count : 0));
  return 1;
}

/* For tests: core.try{ poison = true, collect = true, pieces = n }; what is not named is switched off. */
static int try_settings(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, "poison");
  lua_getfield(L, 1, "collect");
  lua_getfield(L, 1, "pieces");
  pti_try_memory(lua_toboolean(L, 2), lua_toboolean(L, 3));
  pti_try_pieces((int)luaL_optinteger(L, 4, 0));
  return 0;
}

/* ---- modes ---- */

static int set_default_dtype(lua_State *L) {
  int dtype = pl_dtype_at(L, 1);
  if (dtype < 0)
    pl_error(L, PT_EARG, "set_default_dtype: expected a dtype, got %s", pl_describe(L, 1));
  return pti_set_default_dtype(dtype) ? 0 : pl_raise(L);
}
static int get_default_dtype(lua_State *L) {
  pl_push_dtype(L, pti_default_dtype());
  return 1;
}

/* core.terminal_width(fd) -> columns of the terminal at 1 (stdout) or 2 (stderr); nil where it is none */
static int terminal_width(lua_State *L) {
  int fd = (int)check_whole(L, 1, "terminal_width", "fd", STDOUT_FILENO, STDERR_FILENO);
  struct winsize size = {0};
  if (!isatty(fd)) lua_pushnil(L);
  else if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) lua_pushinteger(L, size.ws_col);
  else lua_pushinteger(L, 80);
  return 1;
}

void pl_open_system(lua_State *L) {
  static const luaL_Reg functions[] = {{"clock", sys_clock},
                                       {"set_num_threads", set_num_threads},
                                       {"get_num_threads", get_num_threads},
                                       {"set_cpu_level", set_cpu_level},
                                       {"cpu_level", cpu_level},
                                       {"set_conv_winograd", set_conv_winograd},
                                       {"get_conv_winograd", get_conv_winograd},
                                       {"manual_seed", manual_seed},
                                       {"generator", generator},
                                       {"set_generator", set_generator},
                                       {"initial_seed", initial_seed},
                                       {"draws_like_pytorch", draws_like_pytorch},
                                       {"fresh_seed", fresh_seed},
                                       {"memory_stats", memory_stats},
                                       {"set_memory_limit", set_memory_limit},
                                       {"fail_at", fail_at},
                                       {"fail_lua_at", fail_lua_at},
                                       {"try", try_settings},
                                       {"set_default_dtype", set_default_dtype},
                                       {"get_default_dtype", get_default_dtype},
                                       {"terminal_width", terminal_width},
                                       {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  lua_pushstring(L, pt_version());
  lua_setfield(L, -2, "version");
}
