/* vm_limits.c: limits of a vm: where they are kept, and the hook that looks at them. A vm with a limit has the hook in all
   its coroutines, which halves the speed of a tight loop (calls into C cost the same); others have none.

   Once a limit of time or instructions is reached, every instruction raises, whatever a script catches, until the call
   from the host is over. */
#include "vm_limits.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

enum { TICK = 1000 /* instructions from one look to the next */ };

bool pl_counts(const pl_limits *l) {
  return l && (l->config.time_limit_ms > 0 || l->config.instruction_limit > 0);
}

static bool is_fine(const pt_vm_config *c) {
  if ((unsigned)c->sandbox > PT_SANDBOX_PURE)
    return pti_refuse(PT_EARG, "pt_vm_open: there is no sandbox %d", (int)c->sandbox);
  if (c->threads < 0 || c->threads > 256)
    return pti_refuse(PT_EARG, "pt_vm_open: threads must be 0 to 256, got %d", c->threads);
  if (c->time_limit_ms < 0 || c->instruction_limit < 0)
    return pti_refuse(PT_EARG, "pt_vm_open: limits must not be negative");
  if (c->memory_limit > SIZE_MAX / 4)
    return pti_refuse(PT_EARG, "pt_vm_open: memory_limit %zu is too large", c->memory_limit);
  return true;
}

pl_limits *pl_limits_new(const pt_vm_config *config) {
  if (!is_fine(config)) return NULL;
  pl_limits *l = calloc(1, sizeof *l);
  if (l == NULL) return pti_fail(PT_EMEMORY, "no memory for a Lua state");
  atomic_init(&l->refs, 1);
  l->config = *config;
  if (config->no_stdlib && config->sandbox == PT_SANDBOX_NONE) l->config.sandbox = PT_SANDBOX_FILES;
  if (l->config.sandbox == PT_SANDBOX_PURE && l->config.seed == 0) l->config.seed = 1;
  l->files = (pti_files){config->open_file, config->ud};
  if (config->memory_limit || config->alloc) {
    l->account = pti_account_new(config->memory_limit, NULL);
    if (l->account == NULL) {
      free(l);
      return NULL;
    }
    l->account->alloc = config->alloc;
    l->account->ud = config->ud;
  }
  return l;
}

pl_limits *pl_limits_retain(pl_limits *l) {
  if (l) atomic_fetch_add(&l->refs, 1);
  return l;
}

void pl_limits_release(pl_limits *l) {
  if (l == NULL || atomic_fetch_sub(&l->refs, 1) != 1) return;
  pti_account_close(l->account);
  free(l);
}

pt_sandbox pl_sandbox_of(lua_State *L) {
  const pl_limits *l = pl_limits_of(L);
  return l ? l->config.sandbox : PT_SANDBOX_NONE;
}

void pl_limits_begin(pl_limits *l) {
  int64_t ms = l->config.time_limit_ms;
  atomic_store(&l->left, l->config.instruction_limit);
  atomic_store(&l->until, ms ? pt_clock() + 1e-3 * (double)ms : 0);
}

void pl_limits_extend(lua_State *L) {
  pl_limits *l = pl_limits_of(L);
  if (!pl_counts(l)) return;
  atomic_store(&l->left, 10 * TICK);
  pti_this.deadline = pt_clock() + 0.01;
  pl_rest(L);
}

void pl_limits_enter(const pl_limits *l) {
  pti_this.deadline = atomic_load(&l->until);
  pti_this.account = l->account;
  pti_this.threads = l->config.threads;
  pti_this.files = l->files.open || l->config.sandbox ? &l->files : NULL;
}

/* ---- the hook ---- */

static void tick(lua_State *L, lua_Debug *ar);

static bool is_over(pl_limits *l, int64_t instructions) {
  if (l->config.instruction_limit && atomic_fetch_sub(&l->left, instructions) <= instructions) {
    pti_fail(PT_ETIME, "the limit of %lld instructions was reached",
             (long long)l->config.instruction_limit);
    return true;
  }
  return !pti_poll();
}

/* Lua gives every coroutine some memory of its own for its host. */
static const char off;
static void mark_hooks(lua_State *L, bool are_off) {
  *(const void **)lua_getextraspace(L) = are_off ? &off : NULL;
}
bool pl_hooks_are_off(lua_State *L) { return *(const void **)lua_getextraspace(L) == &off; }

static void raise(lua_State *L) {
  if (pt_error_code() == PT_ETIME)
    lua_sethook(L, tick, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
  else pl_take_interrupt();
  luaL_error(L, "%s", pt_error());
}

/* A coroutine that was stopped in an earlier call goes back to its rest. */
static void tick(lua_State *L, lua_Debug *ar) {
  pl_limits *l = pl_limits_of(L);
  bool eager = lua_gethookcount(L) == 1;
  (void)ar;
  mark_hooks(L, true);
  if (is_over(l, eager ? 1 : TICK)) raise(L);
  mark_hooks(L, false);
  if (eager) pl_rest(L);
}

void pl_rest(lua_State *L) {
  const pl_limits *l = pl_limits_of(L);
  if (pl_counts(l)) lua_sethook(L, tick, LUA_MASKCOUNT, TICK);
  else lua_sethook(L, NULL, 0, 0);
  mark_hooks(L, false); /* new coroutines begin with a copy of the mark */
}

void pl_charge(lua_State *L, int64_t instructions) {
  pl_limits *l = pl_limits_of(L);
  if (l && is_over(l, instructions)) raise(L);
}
