/* host_step.c: pt_vm_start and pt_vm_step: a function of a script that runs a little at a time, within the frames of a game.
   It runs as a coroutine with a hook that looks at the clock and yields when what comes next would not fit: after as
   many instructions as take about LOOK, however long the ops between them are. It never yields within the library's
   own scripts: between two steps the host may call the script, which is to find the library as it left it. */
#include <stdlib.h>
#include <string.h>

#include "host.h"

enum { FEWEST = 4, MOST = 1000 /* instructions between two looks at the clock */ };
static const double LOOK = 20e-6;

typedef struct pl_task {
  lua_State *co; /* kept by the registry's "pt.task" */
  int nargs;
  int count; /* instructions between two looks, as it turned out */
  double last,
      longest; /* when the clock was looked at, and the longest time between two looks of late */
  double end;
  bool over, runs;
  bool due;         /* yields as soon as it is back in the script's own code */
  pti_thread modes; /* those that the script has set, until it goes on */
} pl_task;

void pl_free_task(pt_vm *vm) {
  free(vm->task);
  vm->task = NULL;
}

/* ---- the hook ---- */

static void slice(lua_State *L, lua_Debug *ar);

static void adapt(lua_State *L, pl_task *t, double gap) {
  int count = t->count;
  if (gap > 2 * LOOK && count > FEWEST) count /= 2;
  else if (gap < LOOK / 2 && count < MOST) count *= 2;
  if (count == t->count) return;
  t->count = count < FEWEST ? FEWEST : count > MOST ? MOST : count;
  lua_sethook(L, slice, LUA_MASKCOUNT, t->count);
}

static bool in_library(lua_State *L, lua_Debug *ar) {
  return lua_getinfo(L, "S", ar) && strncmp(ar->source, "=[pt]", 5) == 0;
}

/* Looks at each instruction until it may yield. */
static void yield_soon(lua_State *L, lua_Debug *ar, pl_task *t) {
  bool may = lua_isyieldable(L), due = may && in_library(L, ar);
  if (due != t->due) lua_sethook(L, slice, LUA_MASKCOUNT, due ? 1 : t->count);
  t->due = due;
  if (may && !due) lua_yield(L, 0);
}

static void slice(lua_State *L, lua_Debug *ar) {
  pt_vm *vm = pl_current_vm();
  pl_task *t = vm ? vm->task : NULL;
  if (t == NULL || lua_gethookcount(L) == 0) return;
  pl_charge(L, lua_gethookcount(L));
  if (t->due && L == t->co) {
    yield_soon(L, ar, t);
    return;
  }
  double now = pt_clock(), gap = now - t->last;
  t->last = now;
  t->longest = gap > t->longest ? gap : 0.98 * t->longest;
  if (L != t->co) return; /* a coroutine of the script's own goes on to its yield */
  adapt(L, t, gap);
  if (now + t->longest >= t->end) yield_soon(L, ar, t);
}

/* ---- start ---- */

typedef struct beginning {
  pt_vm *vm;
  const char *name, *format;
  va_list *ap;
} beginning;

static int run_start(lua_State *L) {
  const beginning *b = lua_touserdata(L, 1);
  int nargs = (int)strlen(b->format);
  if (b->vm->task && b->vm->task->runs)
    pl_error(L, PT_EARG, "pt_vm_start: what was started before is running");
  luaL_checkstack(L, nargs + 4, "the format is too long");
  lua_State *co = lua_newthread(L);
  lua_pushglobaltable(L);
  pl_push_path(L, "pt_vm_start", b->name);
  if (!lua_isfunction(L, -1))
    pl_error(L, PT_EARG, "pt_vm_start: '%s' must be a function, got %s", b->name,
             pl_describe(L, -1));
  for (int i = 0; i < nargs; i++) pl_push_argument(L, "pt_vm_start", b->format[i], b->ap);
  if (!lua_checkstack(co, nargs + 1)) luaL_error(L, "not enough memory");
  lua_xmove(L, co, nargs + 1);
  pl_free_task(b->vm);
  pl_task *t = b->vm->task = calloc(1, sizeof *t);
  if (t == NULL) pl_error(L, PT_EMEMORY, "pt_vm_start: no memory");
  *t = (pl_task){.co = co, .nargs = nargs, .count = 64, .modes = pti_this};
  lua_setfield(L, LUA_REGISTRYINDEX, "pt.task");
  return 0;
}

pt_status pt_vm_start(pt_vm *vm, const char *name, const char *format, ...) {
  if (name == NULL) return pti_fail(PT_EARG, "pt_vm_start: name is NULL"), PT_EARG;
  va_list ap;
  va_start(ap, format);
  beginning b = {vm, name, format ? format : "", &ap};
  pt_status code = pl_run(vm, run_start, &b);
  va_end(ap);
  return code;
}

/* ---- step ---- */

static void take_modes(const pti_thread *from) {
  pti_this.no_grad = from->no_grad;
  pti_this.inference = from->inference;
  pti_this.anomaly = from->anomaly;
  pti_this.autocast = from->autocast;
  pti_this.autocast_dtype = from->autocast_dtype;
}

static int fail_step(lua_State *L, pl_task *t) {
  luaL_traceback(L, t->co, NULL, 0);
  lua_setfield(L, LUA_REGISTRYINDEX, "pt.task_traceback");
  lua_xmove(t->co, L, 1);
  lua_pushnil(L);
  lua_setfield(L, LUA_REGISTRYINDEX, "pt.task");
  return lua_error(L);
}

static int run_step(lua_State *L) {
  pt_vm *vm = lua_touserdata(L, 1);
  pl_task *t = vm->task;
  int status, n;
  take_modes(&t->modes);
  t->runs = true;
  t->due = false;
  lua_State *before = pl_switch(vm, t->co);
  lua_sethook(t->co, slice, LUA_MASKCOUNT, t->count);
  do {
    status = lua_resume(t->co, L, t->nargs, &n);
    t->nargs = 0;
    if (status == LUA_OK || status == LUA_YIELD) lua_pop(t->co, n);
  } while (status == LUA_YIELD && pt_clock() + t->longest < t->end);
  pl_switch(vm, before);
  t->runs = false;
  t->modes = pti_this;
  t->over = status != LUA_YIELD;
  if (status != LUA_OK && status != LUA_YIELD) return fail_step(L, t);
  return 0;
}

int pt_vm_step(pt_vm *vm, int64_t budget_us) {
  double now = pt_clock();
  if (vm == NULL || vm->task == NULL || vm->task->runs || budget_us < 0) {
    pti_fail(PT_EARG, "pt_vm_step: there is no vm, nothing was started, or the budget is negative");
    return -1;
  }
  double budget = 1e-6 * (double)budget_us;
  vm->task->last = now;
  vm->task->end = now + budget;
  /* What does not fit anyway, or was the system's doing, is no reason to wait for something shorter. */
  if (vm->task->longest > budget) vm->task->longest = 0.5 * budget;
  pt_status code = pl_run(vm, run_step, vm);
  bool more = code == PT_OK && !vm->task->over;
  if (!more) pl_free_task(vm);
  return code != PT_OK ? -1 : more;
}
