/* state.c: Lua states with the module in them, for hosts and for the workers of a pool. A state counts the bytes of
   its objects and stays below its limit; it can be told to leave out what reaches the system. Nothing here may raise
   outside a protected call: the states have no panic function.

   Small blocks are kept for reuse, as most objects of a training loop are small and die young. And the allocator drops
   the tensors of boxes: Lua hands a dead box's block back here, as it sweeps. A finalizer would do the same a cycle
   later and for twice the price (measured: an addition of 10 floats takes 0.6 instead of 1.0 us). */
#include <dlfcn.h>
#include <lualib.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "mem.h"

enum { SMALL = 128, GRAIN = 16, KEEP = 4 << 20 };

typedef struct spare {
  struct spare *next;
} spare;

/* The bytes of one state's objects (and tensors: pl_book_tensors), and the blocks that it keeps. */
typedef struct budget {
  pti_account account;
  size_t kept;
  void *first; /* the block of the state itself, which Lua frees last */
  bool open;
  spare *list[SMALL / GRAIN];
  void *newest;                /* the block handed out last, */
  size_t box_size, box_offset; /* by which the layout of boxes is learned; 0 until then */
  int64_t until_fault, faults; /* tests: so many allocations succeed, then so many fail */
} budget;

static spare **list_of(budget *b, size_t size) {
  return size > 0 && size <= SMALL ? &b->list[(size - 1) / GRAIN] : NULL;
}

static void *take(budget *b, size_t size) {
  spare **list = list_of(b, size);
  if (list == NULL) return malloc(size);
  spare *block = *list;
  if (block == NULL) return malloc((size + GRAIN - 1) / GRAIN * GRAIN);
  *list = block->next;
  b->kept -= size;
  return block;
}

static void give(budget *b, void *block, size_t size) {
  spare **list = list_of(b, size);
  if (list == NULL || b->kept > KEEP) {
    free(block);
    return;
  }
  ((spare *)block)->next = *list;
  *list = block;
  b->kept += size;
}

static void *move(budget *b, void *block, size_t had, size_t size) {
  if (!list_of(b, had) && !list_of(b, size)) return realloc(block, size);
  void *moved = take(b, size);
  if (moved == NULL) return NULL;
  memcpy(moved, block, had < size ? had : size);
  give(b, block, had);
  return moved;
}

static void drop(budget *b) {
  for (size_t i = 0; i < PTI_COUNT(b->list); i++) {
    while (b->list[i]) {
      spare *block = b->list[i];
      b->list[i] = block->next;
      free(block);
    }
  }
  free(b);
}

static bool refused(budget *b) {
  if (b->until_fault > 0) {
    b->until_fault--;
    return false;
  }
  b->faults--;
  return true;
}

/* lua_close ends the budget, too, whoever calls it: os.exit(0, true) does. */
static void *allocate(void *ud, void *block, size_t old_size, size_t size) {
  budget *b = ud;
  pti_account *a = &b->account;
  size_t had = block ? old_size : 0; /* of a new block Lua tells the type instead */
  if (size == 0) {
    if (had && had == b->box_size) pl_drop_box((char *)block + b->box_offset);
    bool last = b->open && block == b->first;
    if (block) give(b, block, had);
    a->used -= had;
    if (last) drop(b);
    return NULL;
  }
  if (b->faults && size > had && refused(b)) return NULL;
  size_t others = a->used - had;
  if (size > had && a->limit && (others > a->limit || size > a->limit - others)) return NULL;
  void *moved = block ? move(b, block, had, size) : take(b, size);
  if (moved) a->used = others + size;
  if (b->first == NULL) b->first = moved;
  return b->newest = moved;
}

bool pl_fail_allocations(lua_State *L, int64_t n, int64_t count) {
  void *ud;
  if (lua_getallocf(L, &ud) != allocate) return false;
  budget *b = ud;
  b->until_fault = n - 1;
  b->faults = count;
  return true;
}

bool pl_drops_boxes(lua_State *L) {
  void *ud;
  return lua_getallocf(L, &ud) == allocate;
}

/* Where the content of a userdata lies in its block, and how large that is. */
static void learn_layout(lua_State *L, budget *b) {
  size_t before = b->account.used;
  char *content = lua_newuserdatauv(L, sizeof(pl_box), 0);
  memset(content, 0, sizeof(pl_box));
  b->box_size = b->account.used - before;
  b->box_offset = (size_t)(content - (char *)b->newest);
  lua_pop(L, 1);
}

/* ---- libraries ---- */

/* `load` for states without the standard library: binary chunks can be made to crash the program. */
static int load_text(lua_State *L) {
  lua_settop(L, lua_isnone(L, 4) ? 3 : 4); /* an environment that is nil differs from none */
  lua_pushliteral(L, "t");
  lua_replace(L, 3);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}

/* `require` goes on finding Lua files. */
static void forbid_c_modules(lua_State *L) {
  luaL_requiref(L, LUA_LOADLIBNAME, luaopen_package, 1);
  lua_pushnil(L);
  lua_setfield(L, -2, "loadlib");
  lua_pushliteral(L, "");
  lua_setfield(L, -2, "cpath");
  lua_getfield(L, -1, "searchers");
  for (int i = 4; i >= 3; i--) {
    lua_pushnil(L);
    lua_rawseti(L, -2, i);
  }
  lua_pop(L, 2);
}

static void open_few_libraries(lua_State *L) {
  static const luaL_Reg library[] = {
      {LUA_GNAME, luaopen_base},        {LUA_TABLIBNAME, luaopen_table},
      {LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math},
      {LUA_UTF8LIBNAME, luaopen_utf8},  {LUA_COLIBNAME, luaopen_coroutine}};
  for (size_t i = 0; i < PTI_COUNT(library); i++) {
    luaL_requiref(L, library[i].name, library[i].func, 1);
    lua_pop(L, 1);
  }
  forbid_c_modules(L);
  lua_pushnil(L);
  lua_setglobal(L, "dofile");
  lua_pushnil(L);
  lua_setglobal(L, "loadfile");
  lua_getglobal(L, "load");
  lua_pushcclosure(L, load_text, 1);
  lua_setglobal(L, "load");
}

static void seed_generators(lua_State *L, uint64_t seed) {
  pt_manual_seed(seed);
  lua_getglobal(L, "math");
  lua_getfield(L, -1, "randomseed");
  lua_pushinteger(L, (lua_Integer)seed);
  lua_call(L, 1, 0);
  lua_pop(L, 1);
}

/* ---- open and close ---- */

static int set_up(lua_State *L) {
  const pt_vm_config *config = lua_touserdata(L, 1);
  bool lazy = lua_toboolean(L, 2);
  void *b;
  lua_getallocf(L, &b);
  lua_gc(
      L, LUA_GCGEN, 0,
      0); /* most boxes die young (lua_tensor.c); while there is nothing to look at, this is free */
  lua_gc(L, LUA_GCSTOP); /* all that is made here stays */
  learn_layout(L, b);
  if (config->no_stdlib) open_few_libraries(L);
  else luaL_openlibs(L);
  if (lazy) pl_promise_module(L);
  else luaL_requiref(L, "pt", luaopen_pt, 1);
  if (config->seed) seed_generators(L, config->seed);
  lua_gc(L, LUA_GCRESTART);
  return 0;
}

/* A host that was itself opened with RTLD_LOCAL hides Lua's symbols from the C modules that scripts load. */
static pthread_once_t shown = PTHREAD_ONCE_INIT;
static void show_lua(void) {
  void *lua = dlopen("liblua5.4.so.0", RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
  if (lua) dlclose(lua);
}

static lua_State *open_state(const pt_vm_config *config, bool lazy) {
  budget *b = calloc(1, sizeof *b);
  lua_State *L = b ? lua_newstate(allocate, b) : NULL;
  if (L == NULL) {
    if (b) drop(b);
    return pti_fail(PT_EMEMORY, "no memory for a Lua state");
  }
  b->open = true;
  b->account.limit = config->memory_limit;
  if (!config->no_stdlib) pthread_once(&shown, show_lua);
  int base = pt_index_base();
  lua_pushcfunction(L, set_up);
  lua_pushlightuserdata(L, (void *)(uintptr_t)config);
  lua_pushboolean(L, lazy);
  int status = lua_pcall(L, 2, 0, 0);
  pt_set_index_base(base);
  if (status == LUA_OK) return L;
  const char *why = lua_tostring(L, -1);
  pti_fail(status == LUA_ERRMEM ? PT_EMEMORY : PT_ELUA, "a Lua state could not be set up: %s",
           why ? why : "an error value");
  lua_close(L);
  return NULL;
}

lua_State *pl_open_state(const pt_vm_config *config) { return open_state(config, false); }
lua_State *pl_open_lazy_state(const pt_vm_config *config) { return open_state(config, true); }

void pl_book_tensors(lua_State *L) {
  void *b = NULL;
  if (L) lua_getallocf(L, &b);
  pti_set_account(b ? &((budget *)b)->account : NULL);
}

int pl_traceback(lua_State *L) {
  if (!pl_push_walk_traceback(L, 1)) luaL_traceback(L, L, NULL, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, "pt.traceback");
  lua_settop(L, 1);
  return 1;
}
