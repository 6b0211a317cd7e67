/* vm_interrupt.c: interrupts of a vm, which reach its script as an error. A script may catch that, to save what it has or
   to go on with something else, and the interrupt is over; but a loop that protects each of its rounds does not outlive
   it: a protected call from the line that has just caught an interrupt raises it again, to what is around the loop. */
#include <lauxlib.h>
#include <sched.h>
#include <string.h>

#include "host.h"

/* ---- what was raised and caught ---- */

/* So long after an interrupt was caught it is not over. */
static const double AFTERMATH = 0.5;

void pl_forget_interrupts(pt_vm *vm) {
  atomic_store(&vm->interrupt, 0);
  vm->stopped = 0;
  vm->raised = vm->caught.until = 0;
}

void pl_end_interrupt(void) {
  pt_vm *vm = pl_current_vm();
  if (vm) vm->raised = vm->caught.until = 0;
}

void pl_take_interrupt(void) {
  pt_vm *vm = pl_current_vm();
  if (pti_this.interrupt == NULL || pti_this.worker) return;
  atomic_store(pti_this.interrupt, 0);
  if (vm) vm->raised = pt_clock();
}

static int raise_interrupt(lua_State *L) {
  pl_take_interrupt();
  pti_fail(PT_EINTERRUPT, "interrupted");
  return luaL_error(L, "interrupted");
}

/* The line of the script that the running C function was called from. */
static pl_place calling_line(lua_State *L) {
  lua_Debug ar;
  pl_place place = {.line = -1};
  for (int level = 1; place.line < 0 && lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    place.line = ar.currentline;
    memcpy(place.file, ar.short_src, sizeof place.file);
  }
  return place;
}

void pl_caught(lua_State *L) {
  pt_vm *vm = pl_current_vm();
  if (vm == NULL || vm->raised == 0) return;
  double now = pt_clock();
  bool fresh = now < vm->raised + AFTERMATH; /* an older one may have ended within the library */
  pl_place here = calling_line(L);
  if (fresh && strncmp(here.file, "[pt]", 4) == 0) return; /* which passes on what it catches */
  vm->raised = 0;
  if (!fresh) return;
  vm->caught = here;
  vm->caught.until = now + AFTERMATH;
}

void pl_before_catching(lua_State *L) {
  pt_vm *vm = pl_current_vm();
  if (vm == NULL || vm->caught.until == 0) return;
  pl_place here = calling_line(L);
  if (pt_clock() > vm->caught.until) vm->caught.until = 0;
  else if (here.line == vm->caught.line && strcmp(here.file, vm->caught.file) == 0)
    raise_interrupt(L);
}

/* ---- pcall and xpcall ---- */

/* Their results lie above `extra` values of the stack. */
static int finish(lua_State *L, int status, lua_KContext extra) {
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - (int)extra;
  pl_caught(L);
  lua_pushboolean(L, 0);
  lua_insert(L, -2);
  return 2;
}

static int protected_call(lua_State *L) {
  luaL_checkany(L, 1);
  pl_before_catching(L);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  return finish(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish), 0);
}

/* The handler stays at 2, below true and the function. */
static int handled_call(lua_State *L) {
  int n = lua_gettop(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  pl_before_catching(L);
  lua_pushboolean(L, 1);
  lua_pushvalue(L, 1);
  lua_rotate(L, 3, 2);
  return finish(L, lua_pcallk(L, n - 2, LUA_MULTRET, 2, 2, finish), 2);
}

void pl_open_protected_calls(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"pcall", protected_call}, {"xpcall", handled_call}, {NULL, NULL}};
  lua_pushglobaltable(L);
  luaL_setfuncs(L, functions, 0);
  lua_pop(L, 1);
}

/* ---- stopping what runs ---- */

/* Runs between two instructions of the interrupted coroutine. After so many interrupts within one run each instruction
   raises, whatever catches that, until it ends. */
enum { INSISTENT = 20 };
static void stop(lua_State *L, lua_Debug *ar) {
  (void)ar;
  pt_vm *vm = pl_current_vm();
  bool insist = vm && vm->stopped >= INSISTENT;
  if (!insist) pl_rest(L);
  pl_errand job = vm ? atomic_exchange(&vm->posted, NULL) : NULL;
  if (job) job(L);
  if (vm == NULL || !(atomic_load(&vm->interrupt) || insist)) return;
  vm->stopped += !insist;
  raise_interrupt(L);
}

static void stop_soon(lua_State *L) {
  lua_sethook(L, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static _Atomic(pl_errand) posted_anywhere;
static void do_posted(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  pl_errand job = atomic_exchange(&posted_anywhere, NULL);
  if (job) job(L);
}

/* Sets the hook of what runs, from the outside. While `held` is taken the running coroutine does not change, so it is not
   collected meanwhile; whoever finds it taken need not wait: the thread of the script is about to look for itself. Only
   lock-free atomics and lua_sethook: safe in a signal handler. */
static void stop_what_runs(pt_vm *vm) {
  if (atomic_exchange(&vm->held, 1)) return;
  lua_State *L = atomic_load(&vm->running);
  if (L) stop_soon(L);
  atomic_store(&vm->held, 0);
}

lua_State *pl_switch(pt_vm *vm, lua_State *L) {
  while (atomic_exchange(&vm->held, 1)) sched_yield();
  lua_State *before = atomic_exchange(&vm->running, L);
  atomic_store(&vm->held, 0);
  if (L && (atomic_load(&vm->interrupt) || atomic_load(&vm->posted))) stop_soon(L);
  return before;
}

/* A hook that is always there would make every script slower; like lua.c, this sets one when it is needed. A vm with
   limits has one that looks at the flag. */
void pt_vm_interrupt(pt_vm *vm) {
  if (vm == NULL || atomic_load(&vm->running) == NULL) return;
  atomic_store(&vm->interrupt, 1);
  if (!pl_counts(vm->limits)) stop_what_runs(vm);
}

/* The same for a job that is to be done by the thread of the script. */
void pl_post(pt_vm *vm, lua_State *main, pl_errand job) {
  if (vm == NULL) { /* a stock Lua: its main coroutine will do it */
    atomic_store(&posted_anywhere, job);
    lua_sethook(main, do_posted, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
    return;
  }
  atomic_store(&vm->posted, job);
  stop_what_runs(vm);
}
