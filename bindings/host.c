/* host.c: pt_vm_*, Lua states for programs written in C. All work on a state is done by a C function within lua_pcall
   (pl_run), since even pushing a string may raise; whatever fails, the state works on. While a vm runs, its
   thread counts from 1 and polls the vm's interrupt flag; afterwards the thread is as it was. */
#include <lualib.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "mem.h"
#include "tensor.h"

/* The vm inside which the thread is; the innermost where they nest. */
static _Thread_local pt_vm *current;

pt_vm *pl_current_vm(void) { return current; }

/* ---- coroutines ---- */

enum { RESUMED = 100 /* instructions that a switch counts as */ };

/* Calls the library's coroutine.resume (first upvalue) with all that is on the stack, and notes who runs. */
static int run_on(lua_State *L) {
  pt_vm *vm = current;
  lua_State *co = lua_tothread(L, 1);
  luaL_argexpected(L, co, 1, "coroutine");
  luaL_checkstack(L, 1, NULL);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_State *before = vm ? pl_switch(vm, co) : NULL;
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  if (vm) pl_switch(vm, before);
  pl_charge(L, RESUMED);
  return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

/* coroutine.resume, which catches what is raised. */
static int resume(lua_State *L) {
  pl_before_catching(L);
  int n = run_on(L);
  if (!lua_toboolean(L, -n)) pl_caught(L);
  return n;
}

/* What coroutine.wrap returns; upvalues: resume of the library, the coroutine. */
static int call_wrapped(lua_State *L) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(2));
  luaL_checkstack(L, 1, NULL);
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_insert(L, 1);
  run_on(L);
  if (lua_toboolean(L, 1)) return lua_gettop(L) - 1;
  int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) {
    lua_settop(L, 2);
    if (!pl_hooks_are_off(co) && lua_resetthread(co) != LUA_OK)
      lua_xmove(co, L, 1); /* with what its __close raised */
  }
  if (lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(L, call_wrapped, 2);
  return 1;
}

/* coroutine.close, the upvalue. */
static int close_coroutine(lua_State *L) {
  lua_State *co = lua_tothread(L, 1);
  luaL_argexpected(L, co, 1, "coroutine");
  int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD && pl_hooks_are_off(co)) {
    lua_pushboolean(L, 0);
    lua_pushstring(L, pt_error());
    return 2;
  }
  pt_vm *vm = current;
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_State *before = vm ? pl_switch(vm, co) : NULL;
  status = lua_pcall(L, 1, LUA_MULTRET, 0);
  if (vm) pl_switch(vm, before);
  pl_charge(L, RESUMED);
  return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

/* Coroutines have hooks of their own: to stop what runs, pt_vm_interrupt has to know which one does. */
static int watch_coroutines(lua_State *L) {
  static const luaL_Reg replaced[] = {{"resume", resume}, {"wrap", wrap}, {NULL, NULL}};
  lua_getglobal(L, LUA_COLIBNAME);
  lua_getfield(L, -1, "resume");
  luaL_setfuncs(L, replaced, 1);
  lua_getfield(L, -1, "close");
  lua_pushcclosure(L, close_coroutine, 1);
  lua_setfield(L, -2, "close");
  return 0;
}

/* ---- failures ---- */

/* The engine's code where its text is part of the message. The layer's path may have replaced "op: ". */
static pt_status code_of(int status, const char *message) {
  if (status == LUA_ERRMEM) return PT_EMEMORY;
  if (strstr(message, PTI_OUT_OF_TIME)) return PT_ETIME; /* a worker's may have come first */
  const char *text = pt_error(), *rest = strstr(text, ": ");
  if (*text == 0 || pt_error_code() == PT_OK) return PT_ELUA;
  if (strstr(message, text)) return pt_error_code();
  return rest && strstr(message, rest + 2) ? pt_error_code() : PT_ELUA;
}

/* A table that is raised without a __tostring: its `message`, or its fields. */
static void push_fields(lua_State *L, int i) {
  enum { SHOWN = 8 };
  int n = 0;
  if (lua_getfield(L, i, "message") == LUA_TSTRING) return;
  lua_pop(L, 1);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "error value {");
  lua_pushnil(L);
  int key = lua_gettop(L);
  while (n < SHOWN && lua_next(L, i)) {
    bool text = lua_type(L, key) == LUA_TSTRING;
    lua_pushfstring(L, n++ ? ", " : " ");
    if (text)
      lua_pushfstring(L, "%s%s = %s", lua_tostring(L, -1), lua_tostring(L, key),
                      pl_describe(L, key + 1));
    else lua_pushfstring(L, "%s%s", lua_tostring(L, -1), pl_describe(L, key + 1));
    luaL_addvalue(&b);
    lua_settop(L, key);
  }
  luaL_addstring(&b, n ? " }" : "}");
  luaL_pushresult(&b);
}

/* The error object at 1 as text, the traceback and the line, and the object itself, into the vm. */
static int keep_texts(lua_State *L) {
  pt_vm *vm = lua_touserdata(L, 2);
  lua_settop(L, 1);
  if (lua_getfield(L, LUA_REGISTRYINDEX, "pt.traceback") == LUA_TSTRING)
    vm->traceback = strdup(lua_tostring(L, -1));
  if (lua_getfield(L, LUA_REGISTRYINDEX, "pt.at") == LUA_TSTRING)
    vm->at = strdup(lua_tostring(L, -1));
  lua_pushnil(L);
  lua_setfield(L, LUA_REGISTRYINDEX, "pt.traceback"); /* another error may come without one */
  lua_pushvalue(L, 1);
  vm->error = pl_new_value(L, vm);
  if (lua_istable(L, 1) && luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL) push_fields(L, 1);
  else luaL_tolstring(L, 1, NULL);
  vm->message = strdup(lua_tostring(L, -1));
  return 0;
}

static void clear(pt_vm *vm) {
  if (vm->message == NULL && vm->error == NULL) return;
  free(vm->message);
  free(vm->traceback);
  free(vm->at);
  pt_value_free(vm->error);
  vm->error = NULL;
  vm->message = vm->traceback = vm->at = NULL;
}

static void keep_memory_error(pt_vm *vm) {
  char text[96] = "not enough memory";
  if (vm->limits->config.memory_limit)
    snprintf(text, sizeof text, "not enough memory for Lua objects: the limit is %zu bytes",
             vm->limits->config.memory_limit);
  vm->message = strdup(text);
}

/* Turns the error object on top of the stack into message, traceback and code, and tells the host. */
static pt_status failed(pt_vm *vm, int status) {
  lua_State *L = vm->L;
  clear(vm);
  pl_switch(vm,
            NULL); /* what is said about it is not interrupted, even where the script insisted */
  pl_forget_interrupts(vm);
  pl_rest(L);
  if (status == LUA_ERRMEM) {
    keep_memory_error(vm);
  } else {
    pl_limits_extend(L);
    lua_pushcfunction(L, keep_texts);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, vm);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK && vm->message == NULL)
      vm->message = strdup("an error value that cannot be shown");
  }
  pt_status code = code_of(status, pt_vm_error(vm));
  pti_fail(code, "%s", pt_vm_error(vm));
  return code;
}

const char *pt_vm_error(pt_vm *vm) { return vm && vm->message ? vm->message : ""; }
const char *pt_vm_error_line(pt_vm *vm) { return vm && vm->at ? vm->at : ""; }
const pt_value *pt_vm_error_value(pt_vm *vm) { return vm ? vm->error : NULL; }
const char *pt_vm_traceback(pt_vm *vm) { return vm && vm->traceback ? vm->traceback : ""; }

/* ---- running ---- */

static void collect(void *L) { lua_gc(L, LUA_GCCOLLECT); }

/* When memory for tensors runs out, it is looked for in the garbage of the vm that runs. */
static void enter(pt_vm *vm) {
  current = vm;
  pti_set_pressure(vm ? collect : NULL, vm ? vm->L : NULL);
}

/* What the thread was doing before it came into the vm. */
typedef struct visit {
  pt_vm *vm, *former;
  pti_thread thread;
  pti_generator generator;
  pt_dtype dtype;
  lua_State *running;
  bool outer;
} visit;

static bool begin(visit *v, pt_vm *vm) {
  const void *none = NULL;
  if (vm == NULL) return pti_refuse(PT_EARG, "vm is NULL");
  bool outer = atomic_compare_exchange_strong(&vm->thread, &none, &current);
  if (!outer && none != &current) return pti_refuse(PT_EARG, "the vm runs in another thread");
  *v = (visit){.vm = vm, .former = current, .thread = pti_this, .outer = outer};
  v->dtype = pti_default_dtype();
  if (outer) {
    v->generator = pti_swap_generator(vm->generator);
    pti_set_default_dtype(vm->dtype);
    pl_forget_interrupts(vm);
    pl_limits_begin(vm->limits);
  }
  enter(vm);
  pti_this.index_base = 1;
  pti_this.interrupt = &vm->interrupt;
  pl_limits_enter(vm->limits);
  v->running = pl_switch(vm, vm->L);
  return true;
}

static void end(visit *v) {
  pt_vm *vm = v->vm;
  pl_switch(vm, v->running);
  if (v->outer) {
    pl_forget_interrupts(vm);
    pl_rest(vm->L);
    vm->dtype = pti_default_dtype();
    pti_set_default_dtype(v->dtype);
    vm->generator = pti_swap_generator(v->generator);
  }
  enter(v->former);
  pti_this = v->thread; /* modes that a script left behind too */
  if (v->outer) atomic_store(&vm->thread, NULL);
}

pt_status pl_run(pt_vm *vm, lua_CFunction job, void *arg) {
  visit v = {.vm = NULL};
  if (!begin(&v, vm)) return pt_error_code();
  lua_State *L = vm->L;
  int top = lua_gettop(L), status = LUA_ERRMEM;
  if (lua_checkstack(L, LUA_MINSTACK)) {
    lua_pushcfunction(L, pl_traceback);
    lua_pushcfunction(L, job);
    lua_pushlightuserdata(L, arg);
    status = lua_pcall(L, 1, 0, top + 1);
  }
  pt_status code = status == LUA_OK ? PT_OK : failed(vm, status);
  if (code == PT_OK) clear(vm);
  vm->failed = code != PT_OK;
  lua_settop(L, top);
  end(&v);
  const pt_vm_config *c = &vm->limits->config;
  if (code != PT_OK && c->on_error) c->on_error(c->ud, code, pt_vm_error(vm), pt_vm_traceback(vm));
  return code;
}

typedef struct chunk {
  const char *source, *name; /* the name is a path where there is no source */
  size_t length;
  int argc;
  const char *const *argv;
} chunk;

static int run_source(lua_State *L) {
  const chunk *c = lua_touserdata(L, 1);
  if (pl_load_text(L, c->source, c->length, c->name) != LUA_OK) return lua_error(L);
  lua_call(L, 0, 0);
  return 0;
}

pt_status pt_vm_run_string(pt_vm *vm, const char *source, size_t length, const char *name) {
  if (source == NULL) return pti_fail(PT_EARG, "pt_vm_run_string: source is NULL"), PT_EARG;
  chunk c = {.source = source, .length = length, .name = name ? name : "=string"};
  return pl_run(vm, run_source, &c);
}

/* The descriptor of a script is closed with this box, whatever is raised meanwhile. */
static int close_script(lua_State *L) {
  int *fd = lua_touserdata(L, 1);
  if (*fd >= 0) close(*fd);
  *fd = -1;
  return 0;
}

/* luaL_loadfilex for text, of a file that the host opens. */
static int load_opened(lua_State *L, const char *path) {
  int *fd = lua_newuserdatauv(L, sizeof *fd, 0), box = lua_gettop(L);
  int64_t size = 0;
  *fd = -1;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, close_script);
  lua_setfield(L, -2, "__close");
  lua_setmetatable(L, -2);
  lua_toclose(L, -1);
  if ((*fd = pti_file_open(path, &size)) < 0) return pl_raise(L);
  char *text = lua_newuserdatauv(L, (size_t)size + 1, 0);
  if (!pti_file_read(*fd, path, text, size, 0)) return pl_raise(L);
  lua_closeslot(L, box);
  const char *at = text, *end = text + size;
  if (size >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0) at += 3;
  if (at < end && *at == '#') at += strcspn(at, "\n"); /* a line for the shell */
  text[size] = 0;
  int status = pl_load_text(L, at, (size_t)(end - at), lua_pushfstring(L, "@%s", path));
  lua_replace(L, box);
  lua_settop(L, box);
  return status;
}

static int run_path(lua_State *L) {
  const chunk *c = lua_touserdata(L, 1);
  lua_createtable(L, c->argc, 1);
  lua_pushstring(L, c->name ? c->name : "-");
  lua_rawseti(L, -2, 0);
  for (int i = 0; i < c->argc; i++) {
    lua_pushstring(L, c->argv[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setglobal(L, "arg");
  bool opened = c->name && pl_limits_of(L)->files.open;
  int status = opened ? load_opened(L, c->name)
                      : luaL_loadfilex(L, c->name, "t"); /* binary chunks can crash the program */
  if (status == LUA_ERRFILE) pti_fail(PT_EIO, "%s", lua_tostring(L, -1));
  if (status != LUA_OK) return lua_error(L);
  luaL_checkstack(L, c->argc, "too many arguments");
  for (int i = 0; i < c->argc; i++) lua_pushstring(L, c->argv[i]);
  lua_call(L, c->argc, 0);
  return 0;
}

pt_status pt_vm_run_file(pt_vm *vm, const char *path, int argc, const char *const *argv) {
  chunk c = {.name = path, .argc = argc, .argv = argv};
  return pl_run(vm, run_path, &c);
}

/* ---- open and close ---- */

static int open_job(lua_State *L) {
  lua_settop(L, 0);
  return watch_coroutines(L);
}

/* The size of a config says which of its fields the host knows. */
static bool read_config(pt_vm_config *all, const pt_vm_config *config) {
  *all = (pt_vm_config){.size = sizeof *all};
  if (config == NULL) return true;
  if (config->size == 0 || config->size > sizeof *all)
    return pti_refuse(PT_EARG, "pt_vm_open: config->size must be sizeof(pt_vm_config)");
  memcpy(all, config, config->size);
  all->size = sizeof *all;
  return true;
}

pt_vm *pt_vm_open(const pt_vm_config *config) {
  pt_vm_config all;
  if (!read_config(&all, config)) return NULL;
  pt_vm *vm = calloc(1, sizeof *vm);
  if (vm == NULL) return pti_fail(PT_EMEMORY, "no memory for a Lua state");
  vm->limits = pl_limits_new(&all);
  pti_thread thread = pti_this;
  pti_generator before =
      pti_swap_generator((pti_generator){.seed = all.seed ? all.seed : pti_fresh_seed()});
  if (vm->limits) {
    pl_limits_begin(vm->limits);
    pl_limits_enter(vm->limits);
    pti_this.deadline = 0;
    vm->L = pl_open_state(vm->limits);
  }
  vm->generator = pti_swap_generator(before);
  pti_this = thread;
  enter(current); /* the module was opened in this thread, but need not run in it */
  if (vm->L && pl_run(vm, open_job, NULL) == PT_OK) return vm;
  pt_vm_close(vm);
  return NULL;
}

void pt_vm_close(pt_vm *vm) {
  if (vm == NULL) return;
  pti_thread thread = pti_this;
  pt_vm *former = current == vm ? NULL : current;
  if (vm->L) {
    pt_value_free(vm->error);
    vm->error = NULL;
    for (pt_value *v = vm->values; v; v = v->after) v->vm = NULL;
    enter(vm);
    pl_limits_begin(vm->limits);
    pl_limits_enter(vm->limits);
    pti_this.index_base = 1;            /* finalizers are Lua, too */
    lua_pushboolean(vm->L, vm->failed); /* for finalizers */
    lua_setfield(vm->L, LUA_REGISTRYINDEX, "pt.failed");
    lua_close(vm->L);
  }
  pl_free_task(vm);
  pti_drop_generator(&vm->generator);
  pti_this = thread;
  enter(former);
  pl_limits_release(vm->limits);
  clear(vm);
  free(vm);
}

void *pt_vm_lua(pt_vm *vm) { return vm ? vm->L : NULL; }
