/* seed.c: each task draws from random streams of its own, in tensors and in Lua's math.random. */
#include <string.h>

#include "rng.h"
#include "worker.h"

static const char seed_key; /* math.randomseed */

/* Where Lua keeps the state of math.random: in the upvalue of math.randomseed, which is on top of the stack. To call
   that for each task would cost a third of a short one's time. NULL unless it is the xoshiro256** of Lua 5.4, of which
   a known seed makes known words. */
static uint64_t *find_generator(lua_State *L) {
  static const uint64_t known[4] = {0xef18bce40e78715e, 0xe3aa178e59d84061, 0xba1f972e418f4e3d,
                                    0x71f5a7e986320bd7};
  lua_pushvalue(L, -1);
  lua_pushinteger(L, 1);
  lua_pushinteger(L, 2);
  lua_call(L, 2, 0);
  if (lua_getupvalue(L, -1, 1) == NULL) return NULL;
  uint64_t *state = lua_rawlen(L, -1) == sizeof known ? lua_touserdata(L, -1) : NULL;
  lua_pop(L, 1);
  if (state && memcmp(state, known, sizeof known) != 0) state = NULL;
  lua_pushvalue(L, -1);
  lua_call(L, 0, 0); /* a random seed again */
  return state;
}

static uint64_t mix(uint64_t x) { /* the end of SplitMix64: one to one */
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

static void seed_generator(uint64_t state[4], uint64_t seed, uint64_t stream) {
  uint64_t a = mix(seed + 0x9e3779b97f4a7c15), b = mix(stream);
  state[0] = a;
  state[1] = mix(a + b);
  state[2] = mix(a ^ ~b);
  state[3] = b;
}

void pl_find_generator(lua_State *L) {
  lua_getglobal(L, "math");
  lua_getfield(L, -1, "randomseed");
  pl_this_worker()->generator = find_generator(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &seed_key);
  lua_pop(L, 1);
}

void pl_seed_task(lua_State *L, uint64_t seed, uint64_t stream) {
  pti_set_generator((pti_generator){.seed = seed, .stream = stream});
  if (pl_this_worker()->generator) {
    seed_generator(pl_this_worker()->generator, seed, stream);
    return;
  }
  lua_rawgetp(L, LUA_REGISTRYINDEX, &seed_key);
  lua_pushinteger(L, (lua_Integer)seed);
  lua_pushinteger(L, (lua_Integer)stream);
  lua_call(L, 2, 0);
}
