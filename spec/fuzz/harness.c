/* harness.c: libFuzzer around a script. Each input goes to the function that targets.lua returns for $FUZZ_TARGET, as a string
   and as a file. An error that it raises is an answer; a crash, a report of a sanitizer, an error that
   shows our own code ("attempt to ...") or memory beyond what the input can justify is a finding, and aborts.

   Parsers in Lua are followed as closely as those in C: a hook counts pairs of lines, where libFuzzer looks for what is new. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#include "ptlua.h"

enum { PAIRS = 1 << 16, LIMIT = 512 << 20 };

__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t pairs[PAIRS];

static int file; /* in memory, with the input; its path is an argument of the target */
static char path[32];
static pt_vm *vm;
static lua_State *L;
static int target; /* of the registry */

static void count_line(lua_State *state, lua_Debug *at) {
  static uint32_t last;
  lua_getinfo(state, "S", at);
  uint32_t here = ((uint32_t)(uintptr_t)at->source * 31 + (uint32_t)at->currentline) * 2654435761u;
  pairs[(here ^ last) % PAIRS]++;
  last = here >> 1;
}

static void stop(const char *what, const char *text) {
  fprintf(stderr, "FINDING: %s: %s\n", what, text);
  abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  const char *name = getenv("FUZZ_TARGET");
  pt_vm_config config = {.size = sizeof config, .memory_limit = LIMIT, .seed = 1, .threads = 1};
  vm = pt_vm_open(&config);
  file = memfd_create("input", MFD_CLOEXEC);
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  if (vm == NULL || name == NULL) stop("start", name ? pt_error() : "FUZZ_TARGET names no target");
  L = pt_vm_lua(vm);
  if (luaL_loadfile(L, "spec/fuzz/targets.lua") != LUA_OK) stop("start", lua_tostring(L, -1));
  lua_pushstring(L, name);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) stop("start", lua_tostring(L, -1));
  target = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_sethook(L, count_line, LUA_MASKLINE, 0);
  return 0;
}

/* What our own code must never say to a caller. */
static const char *const raw[] = {"attempt to ",       "assertion failed", "out of memory",
                                  "not enough memory", "stack overflow",   "C stack",
                                  "bad argument #"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static unsigned runs;
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != (ssize_t)size) abort();
  lua_rawgeti(L, LUA_REGISTRYINDEX, target);
  lua_pushlstring(L, (const char *)data, size);
  lua_pushstring(L, path);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    const char *text = luaL_tolstring(L, -1, NULL);
    if (getenv("FUZZ_SHOW")) fprintf(stderr, "%s\n", text);
    for (size_t i = 0; i < sizeof raw / sizeof *raw; i++) {
      /* not where the input itself says so */
      if (strstr(text, raw[i]) && !memmem(data, size, raw[i], strlen(raw[i])))
        stop("an error that shows our code, or no bound", text);
    }
  }
  lua_settop(L, 0);
  if (++runs % 1024 == 0) lua_gc(L, LUA_GCCOLLECT);
  return 0;
}
