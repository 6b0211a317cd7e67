/* luajit.c: a host with a Lua of its own, LuaJIT, whose functions have the names of ours. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ptlua.h"

static struct {
  pt_vm *(*open)(const pt_vm_config *);
  void (*close)(pt_vm *);
  pt_status (*run)(pt_vm *, const char *, size_t, const char *);
  const char *(*error)(void), *(*vm_error)(pt_vm *);
} pt;

static bool load(int flags) {
  char path[4096];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
  if (n <= 0) return false;
  path[n] = 0;
  strcpy(strrchr(path, '/'), "/../libptlua.so");
  void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL | flags);
  if (lib == NULL) return puts(dlerror()), false;
  *(void **)&pt.open = dlsym(lib, "pt_vm_open");
  *(void **)&pt.close = dlsym(lib, "pt_vm_close");
  *(void **)&pt.run = dlsym(lib, "pt_vm_run_string");
  *(void **)&pt.error = dlsym(lib, "pt_error");
  *(void **)&pt.vm_error = dlsym(lib, "pt_vm_error");
  return true;
}

static bool run_ours(void) {
  static const char code[] = "local x = pt.randn(8, 3, { requires_grad = true })\n"
                             "pt.nn.Linear(3, 2)(x):sum():backward()\n"
                             "local pool <close> = pt.pool(2)\n"
                             "assert(pool:map(function(i) return i // 2 end, { 2, 4 })[2] == 2)\n"
                             "assert(_VERSION == 'Lua 5.4' and not pcall(error))";
  pt_vm *vm = pt.open(NULL);
  bool ok = vm && pt.run(vm, code, strlen(code), "=ours") == PT_OK;
  if (!ok) printf("ours: %s\n", vm ? pt.vm_error(vm) : pt.error());
  pt.close(vm);
  return ok;
}

static bool run_theirs(lua_State *L) {
  bool ok = luaL_dostring(L,
                          "assert(jit and _VERSION == 'Lua 5.1')\n"
                          "local n = 0 for i = 1, 100000 do n = n + i % 3 end\n"
                          "return setfenv and n") == 0 &&
      lua_tonumber(L, -1) == 99999 + 1;
  if (!ok) printf("theirs: %s\n", lua_tostring(L, -1));
  lua_settop(L, 0);
  return ok;
}

int main(int argc, char **argv) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return (void)argv, (void)load, (void)run_ours, (void)run_theirs,
         argc - 1; /* which refuse RTLD_DEEPBIND */
#endif
  if (argc > 1) /* without it: a refusal in words */
    return load(0) && pt.open(NULL) == NULL && strstr(pt.error(), "two Luas") ? 0 : 1;
  char command[4200];
  snprintf(command, sizeof command, "'%s' without", argv[0]);
  lua_State *L = luaL_newstate();
  if (L == NULL || system(command) != 0 || !load(RTLD_DEEPBIND)) return 1;
  luaL_openlibs(L);
  bool ok = run_theirs(L) && run_ours() && run_theirs(L) && run_ours();
  lua_close(L);
  return ok ? 0 : 1;
}
