/* state.c: Lua states with the module in them, for hosts and for the workers of a pool. A state counts the bytes of
   its objects and stays below its limit. Nothing here may raise outside a protected call: the states have no panic
   function.

   Small blocks are kept for reuse, as most objects of a training loop are small and die young. And the allocator drops
   the tensors of boxes: Lua hands a dead box's block back here, as it sweeps. A finalizer would do the same a cycle
   later and for twice the price (measured: an addition of 10 floats takes 0.6 instead of 1.0 us). Blocks of a box's size
   end in a tag, which Lua does not see: whether a userdata lives there, of which Lua tells when it is made. */
#include <dlfcn.h>
#include <lualib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "vm_limits.h"

enum { SMALL = 128, GRAIN = 16, KEEP = 4 << 20, GRANT = 32 << 10 };

typedef struct spare {
  struct spare *next;
} spare;

/* The bytes of one state's objects, and the blocks that it keeps. They are taken from the account, if there is one, by
   the GRANT, so that small objects cost no atomic operations. */
typedef struct budget {
  size_t used, granted;
  pti_account *account, *own; /* own: that of a worker with a limit, which ends with the state */
  pl_limits *limits;
  size_t kept;
  void *first; /* the block of the state itself, which Lua frees last */
  bool open;
  spare *list[SMALL / GRAIN];
  int64_t until_fault, faults; /* tests: so many allocations succeed, then so many fail */
} budget;

/* ---- boxes ---- */

/* How long the block of a userdata of a box's size is, and where its content begins: the same in every state. */
static struct { atomic_size_t size, offset; } layout;

typedef struct newest {
  void *block;
  size_t size;
} newest;

static void *note(void *ud, void *block, size_t had, size_t size) {
  (void)had;
  if (size == 0) return free(block), NULL;
  newest *n = ud;
  *n = (newest){realloc(block, size), size};
  return n->block;
}

static int learn(lua_State *L) {
  const newest *n = lua_touserdata(L, 1);
  const char *content = lua_newuserdatauv(L, sizeof(pl_box), 0);
  atomic_store(&layout.offset, (size_t)(content - (const char *)n->block));
  atomic_store(&layout.size, n->size);
  return 0;
}

/* Asks a state that lives no longer than that; false where there is no memory for it. */
static bool know_layout(void) {
  if (atomic_load(&layout.size)) return true;
  newest n = {0};
  lua_State *L = lua_newstate(note, &n);
  if (L == NULL) return false;
  lua_gc(L, LUA_GCSTOP); /* the newest block is then the userdata's */
  lua_pushcfunction(L, learn);
  lua_pushlightuserdata(L, &n);
  bool known = lua_pcall(L, 1, 0, 0) == LUA_OK;
  lua_close(L);
  return known;
}

static bool is_box_size(size_t size) {
  return size == atomic_load_explicit(&layout.size, memory_order_relaxed);
}
static char *content_of(void *block) {
  return (char *)block + atomic_load_explicit(&layout.offset, memory_order_relaxed);
}

typedef uint64_t tag;
static tag *tag_of(void *block, size_t size) {
  return (tag *)((char *)block + size); /* such sizes are whole words */
}

/* ---- blocks ---- */

static spare **list_of(budget *b, size_t size) {
  return size > 0 && size <= SMALL ? &b->list[(size - 1) / GRAIN] : NULL;
}

/* Blocks come from the host where it gives them. */
static void *resize(const budget *b, void *block, size_t had, size_t size) {
  const pt_vm_config *c = &b->limits->config;
  if (c->alloc) return c->alloc(c->ud, block, had, size);
  if (size) return realloc(block, size);
  free(block);
  return NULL;
}

/* The size that a small block really has. */
static size_t whole(size_t size) { return (size + GRAIN - 1) / GRAIN * GRAIN; }

static size_t with_tag(size_t size) { return is_box_size(size) ? size + sizeof(tag) : size; }

static void *take_block(budget *b, size_t size) {
  spare **list = list_of(b, size);
  if (list == NULL) return resize(b, NULL, 0, size);
  spare *block = *list;
  if (block == NULL) return resize(b, NULL, 0, whole(size));
  *list = block->next;
  b->kept -= whole(size);
  return block;
}

static void *take(budget *b, size_t size, bool userdata) {
  void *block = take_block(b, with_tag(size));
  if (block == NULL || !is_box_size(size)) return block;
  *tag_of(block, size) = userdata;
  if (userdata) memset(content_of(block), 0, sizeof(pl_box));
  return block;
}

static void give(budget *b, void *block, size_t size) {
  if (is_box_size(size) && *tag_of(block, size)) pl_drop_box(content_of(block));
  size = with_tag(size);
  spare **list = list_of(b, size);
  if (list == NULL || b->kept > KEEP) {
    resize(b, block, list ? whole(size) : size, 0);
    return;
  }
  ((spare *)block)->next = *list;
  *list = block;
  b->kept += whole(size);
}

static void *move(budget *b, void *block, size_t had, size_t size) {
  if (!list_of(b, had) && !list_of(b, size)) return resize(b, block, had, size);
  void *moved = take(b, size, false);
  if (moved == NULL) return NULL;
  memcpy(moved, block, had < size ? had : size);
  give(b, block, had);
  return moved;
}

/* Ends the budget. */
static void drop(budget *b) {
  for (size_t i = 0; i < PTI_COUNT(b->list); i++) {
    while (b->list[i]) {
      spare *block = b->list[i];
      b->list[i] = block->next;
      resize(b, block, (i + 1) * GRAIN, 0);
    }
  }
  if (b->granted) pti_account_give(b->account, b->granted);
  pti_account_close(b->own);
  pl_limits_release(b->limits);
  free(b);
}

/* Whether `more` bytes may be in use besides those that are; sees to it that the account has granted them. */
static bool grant(budget *b, size_t more) {
  if (b->account == NULL || b->used + more <= b->granted) return true;
  size_t lacking = b->used + more - b->granted;
  if (!pti_account_take(b->account, lacking + GRANT)) {
    if (!pti_account_take(b->account, lacking)) return false;
    b->granted += lacking;
    return true;
  }
  b->granted += lacking + GRANT;
  return true;
}

static void give_back(budget *b) {
  if (b->account == NULL || b->granted - b->used < 4 * GRANT) return;
  size_t spared = b->granted - b->used - GRANT;
  b->granted -= spared;
  pti_account_give(b->account, spared);
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
  size_t had = block ? old_size : 0; /* of a new block Lua tells the type instead */
  if (size == 0) {
    bool last = b->open && block == b->first;
    if (block) give(b, block, had);
    b->used -= had;
    if (last) drop(b);
    else give_back(b);
    return NULL;
  }
  if (b->faults && size > had && refused(b)) return NULL;
  if (size > had && !grant(b, size - had)) return NULL;
  void *moved = block ? move(b, block, had, size) : take(b, size, old_size == LUA_TUSERDATA);
  if (moved) b->used += size - had;
  if (b->first == NULL) b->first = moved;
  return moved;
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

/* ---- open and close ---- */

static void seed_generators(lua_State *L, uint64_t seed) {
  pt_manual_seed(seed);
  lua_getglobal(L, "math");
  lua_getfield(L, -1, "randomseed");
  lua_pushinteger(L, (lua_Integer)seed);
  lua_call(L, 1, 0);
  lua_pop(L, 1);
}

static int set_up(lua_State *L) {
  const pl_limits *l = pl_limits_of(L);
  bool lazy = lua_toboolean(L, 1);
  lua_gc(
      L, LUA_GCGEN, 0,
      0); /* most boxes die young (lua_tensor.c); while there is nothing to look at, this is free */
  lua_gc(L, LUA_GCSTOP); /* all that is made here stays */
  pl_open_libraries(L);
  if (lazy) pl_promise_module(L);
  else luaL_requiref(L, "pt", luaopen_pt, 1);
  pl_close_sandbox(L);
  if (l->config.seed) seed_generators(L, l->config.seed);
  lua_gc(L, LUA_GCRESTART);
  return 0;
}

/* A host that was itself opened with RTLD_LOCAL hides Lua's symbols from the C modules that scripts load. */
static pthread_once_t shown = PTHREAD_ONCE_INIT;
static void show_lua(void) {
  void *lua = dlopen("liblua5.4.so.0", RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
  if (lua) dlclose(lua);
}

/* Where a program has another Lua as well, some of our calls would go there: by a name that both have, and one that only
   5.4 has. */
static bool has_one_lua(void) {
  Dl_info one, other;
  if (!dladdr((void *)(uintptr_t)lua_newstate, &one) ||
      !dladdr((void *)(uintptr_t)lua_setiuservalue, &other) || one.dli_fbase == other.dli_fbase)
    return true;
  return pti_refuse(PT_ELUA,
                    "this program has two Luas, %s and %s; open libptlua.so by dlopen with "
                    "RTLD_LOCAL | RTLD_DEEPBIND",
                    one.dli_fname, other.dli_fname);
}

static lua_State *open_state(pl_limits *limits, size_t limit, bool lazy) {
  budget *b = calloc(1, sizeof *b);
  lua_State *L = NULL;
  if (b) {
    b->limits = pl_limits_retain(limits);
    b->account = limits->account;
    if (limit) b->own = b->account = pti_account_new(limit, limits->account);
    if (b->own) b->own->worker = true;
    if (know_layout() && (!limit || b->own)) L = lua_newstate(allocate, b);
    if (L == NULL) drop(b);
  }
  if (L == NULL) return pti_fail(PT_EMEMORY, "no memory for a Lua state");
  b->open = true;
  if (limits->config.sandbox == PT_SANDBOX_NONE) pthread_once(&shown, show_lua);
  int base = pt_index_base();
  lua_pushcfunction(L, set_up);
  lua_pushboolean(L, lazy);
  int status = lua_pcall(L, 1, 0, 0);
  pt_set_index_base(base);
  if (status == LUA_OK) return pl_rest(L), L;
  const char *why = lua_tostring(L, -1);
  pti_fail(status == LUA_ERRMEM ? PT_EMEMORY : PT_ELUA, "a Lua state could not be set up: %s",
           why ? why : "an error value");
  lua_close(L);
  return NULL;
}

lua_State *pl_open_state(pl_limits *limits) {
  return has_one_lua() ? open_state(limits, 0, false) : NULL;
}
lua_State *pl_open_lazy_state(pl_limits *limits, size_t limit) {
  return open_state(limits, limit, true);
}

pl_limits *pl_limits_of(lua_State *L) {
  void *ud;
  return lua_getallocf(L, &ud) == allocate ? ((budget *)ud)->limits : NULL;
}

pti_account *pl_account_of(lua_State *L) {
  void *ud;
  return lua_getallocf(L, &ud) == allocate ? ((budget *)ud)->account : NULL;
}

int pl_traceback(lua_State *L) {
  if (lua_getfield(L, LUA_REGISTRYINDEX, "pt.task_traceback") == LUA_TSTRING) { /* host_step.c */
    lua_setfield(L, LUA_REGISTRYINDEX, "pt.traceback");
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "pt.task_traceback");
    return 1;
  }
  lua_pop(L, 1);
  pl_push_line(L);
  lua_setfield(L, LUA_REGISTRYINDEX, "pt.at");
  if (!pl_push_walk_traceback(L, 1)) luaL_traceback(L, L, NULL, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, "pt.traceback");
  lua_settop(L, 1);
  return 1;
}
