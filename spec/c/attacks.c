/* attacks.c: scripts that want more than their sandbox gives: files, code, the process, memory, time. Each runs in a vm of
   its own; then the host looks whether it got its error, whether the vm goes on, and whether all memory came back. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ptlua.h"

/* What a script must not reach: it is nil, or raises, or (OUT) ends at a limit. */
typedef enum outcome { HOLDS, OUT_OF_MEMORY, OUT_OF_TIME, FAILS } outcome;
typedef struct attack {
  const char *name, *code;
  outcome expected;
  pt_sandbox from; /* the least level that holds it off */
} attack;

#define FILES PT_SANDBOX_FILES
#define IO PT_SANDBOX_IO
#define PURE PT_SANDBOX_PURE
/* code that must raise, whatever its error */
#define RAISES(code) "assert(not pcall(function() " code " end))", HOLDS

static const attack attacks[] = {
    /* the system */
    {"io", "assert(io == nil and not pcall(require, 'io'))", HOLDS, FILES},
    {"os", "assert(os == nil and not pcall(require, 'os'))", HOLDS, FILES},
    {"debug", "assert(debug == nil and not pcall(require, 'debug'))", HOLDS, FILES},
    {"package.loadlib", "assert(package.loadlib == nil and package.searchers == nil)", HOLDS,
     FILES},
    {"package of require", "assert(require('package').searchpath == nil)", HOLDS, FILES},
    {"package.path", RAISES("package.path = '/etc/passwd?' require 'nothing'"), FILES},
    {"package.cpath", RAISES("package.cpath = '/usr/lib/?.so' require 'lfs'"), FILES},
    {"package.searchers", RAISES("package.searchers[2] = print"), FILES},
    {"dofile", "assert(dofile == nil and loadfile == nil)", HOLDS, FILES},
    {"bytecode", "assert(string.dump == nil and not load('\\27Lua'))", HOLDS, FILES},
    {"bytecode by mode", "assert(not load('\\27LuaT', 'x', 'b'))", HOLDS, FILES},
    {"bytecode in pieces",
     "local n = 0 assert(not load(function() n = n + 1 return ({'\\27', 'Lua'})[n] end))", HOLDS,
     FILES},
    {"bytecode through core", RAISES("require('pt.core').value_unpack(('x'):rep(64))"), FILES},
    {"values as bytes", RAISES("require('pt.core').value_pack(function() end)"), FILES},
    /* files through the library */
    {"data.read_file", RAISES("pt.data.read_file '/etc/passwd'"), FILES},
    {"data.read_text", RAISES("pt.data.read_text '/etc/passwd'"), FILES},
    {"data.read_image", RAISES("pt.data.read_image '/etc/passwd'"), FILES},
    {"data.read_csv", RAISES("pt.data.read_csv '/etc/passwd'"), FILES},
    {"data.read_idx", RAISES("pt.data.read_idx '/etc/passwd'"), FILES},
    {"data.ImageFolder", RAISES("pt.data.ImageFolder '/etc'"), FILES},
    {"core.list_folder", RAISES("require('pt.core').list_folder('x', '/etc')"), FILES},
    {"core.read_text", RAISES("require('pt.core').read_text('x', '/etc/passwd')"), FILES},
    {"core.write_text", RAISES("require('pt.core').write_text('x', ATTACKED, 'x')"), FILES},
    {"core.append_text", RAISES("require('pt.core').append_text('x', ATTACKED, 'x')"), FILES},
    {"pt.save", RAISES("pt.save({x = pt.ones(2)}, ATTACKED)"), FILES},
    {"pt.load", RAISES("pt.load(ATTACKED)"), FILES},
    {"save_run", RAISES("pt.save_run(ATTACKED, {})"), FILES},
    {"a log", RAISES("local l = pt.history(ATTACKED) l:add{1}"), FILES},
    {"write_png", RAISES("pt.data.write_png(ATTACKED, pt.zeros(1, 4, 4, {dtype = pt.uint8}))"),
     FILES},
    {"plot png", RAISES("pt.plot({1, 2, 3}):png(ATTACKED)"), FILES},
    {"a worker's files",
     RAISES(
         "local p <close> = pt.pool(1) p:apply(function() return pt.data.read_file('/etc/passwd') end)"),
     FILES},
    {"a worker's os",
     "local p <close> = pt.pool(1) assert(p:apply(function() return os == nil and io == nil end))",
     HOLDS, FILES},
    /* the process */
    {"set_memory_limit", RAISES("pt.set_memory_limit(1)"), FILES},
    {"set_num_threads", RAISES("pt.set_num_threads(1)"), FILES},
    {"set_cpu_level", RAISES("pt.set_cpu_level 'base'"), FILES},
    {"faults", RAISES("require('pt.core').fail_at(1)"), FILES},
    {"SIGINT", RAISES("require('pt.core').hold_interrupt()"), FILES},
    {"sockets", RAISES("require('pt.core').connect '/tmp/x'"), FILES},
    {"listening", RAISES("pt.repl.listen()"), FILES},
    {"process groups", RAISES("pt.distributed.init_process_group()"), FILES},
    {"threads", RAISES("pt.pool(1)"), IO},
    {"threads of loaders",
     RAISES("for _ in pt.data.DataLoader({1, 2}, {num_workers = 1}):batches() do end"), IO},
    {"the clock", RAISES("pt.clock()"), IO},
    {"entropy", RAISES("pt.seed()"), IO},
    {"addresses", "assert(not tostring({}):find '0x' and not tostring(print):find '0x')", HOLDS,
     PURE},
    {"addresses by %p", RAISES("string.format('%p', {})"), PURE},
    {"addresses by %s", "assert(('%s'):format({}) == 'table')", HOLDS, PURE},
    {"a seed from the clock",
     "local a = math.random(1 << 40) math.randomseed() math.randomseed(1) assert(pt.rand(1):item() == FIRST)",
     HOLDS, PURE},
    /* memory */
    {"table bomb", "local t = {} for i = 1, 1e9 do t[i] = {} end", OUT_OF_MEMORY, FILES},
    {"string bomb", "local s = 'x' while true do s = s .. s end", OUT_OF_MEMORY, FILES},
    {"rep", "local s = ('x'):rep(1 << 33)", OUT_OF_MEMORY, FILES},
    {"rep with a separator", "local s = ('x'):rep(1 << 24, ('y'):rep(1 << 10))", OUT_OF_MEMORY,
     FILES},
    {"concat bomb", "local t = {} for i = 1, 100 do t[i] = ('x'):rep(1 << 20) end table.concat(t)",
     OUT_OF_MEMORY, FILES},
    {"gsub bomb", "(('x'):rep(1 << 16)):gsub('x', ('y'):rep(1 << 12))", OUT_OF_MEMORY, FILES},
    {"source bomb", "local s = 'return {' .. ('{},'):rep(1 << 20) .. '}' load(s)()", OUT_OF_MEMORY,
     FILES},
    {"closure bomb", "local t = {} while true do t[#t + 1] = function() return t end end",
     OUT_OF_MEMORY, FILES},
    {"coroutine bomb", "local t = {} while true do t[#t + 1] = coroutine.create(print) end",
     OUT_OF_MEMORY, FILES},
    {"unpack bomb",
     "local t = {} for i = 1, 1e5 do t[i] = i end while true do t = table.pack(t, table.unpack(t)) end",
     OUT_OF_MEMORY, FILES},
    {"one giant tensor", "pt.zeros(1e12 // 1 | 0)", OUT_OF_MEMORY, FILES},
    {"many tensors", "local t = {} while true do t[#t + 1] = pt.ones(1000) end", OUT_OF_MEMORY,
     FILES},
    {"many empty tensors", "local t = {} while true do t[#t + 1] = pt.ones(0) end", OUT_OF_MEMORY,
     FILES},
    {"many views", "local x, t = pt.ones(2), {} while true do t[#t + 1] = x:view(2) end",
     OUT_OF_MEMORY, FILES},
    {"an endless graph",
     "local x = pt.ones(1, {requires_grad = true}) while true do x = x:view(1) end", OUT_OF_MEMORY,
     FILES},
    {"a graph of saved values",
     "local x = pt.ones(1000, {requires_grad = true}) while true do x = x:exp() end", OUT_OF_MEMORY,
     FILES},
    {"giant expand made dense", "pt.ones(1):expand(1 << 40):contiguous()", OUT_OF_MEMORY, FILES},
    {"giant product", "pt.ones(1 << 20, 1):matmul(pt.ones(1, 1 << 20))", OUT_OF_MEMORY, FILES},
    {"giant tolist", "pt.ones(1 << 20):tolist(pt.ones(1 << 24):tolist())", OUT_OF_MEMORY, FILES},
    {"giant padding", "pt.nn.functional.pad(pt.ones(1), {1 << 40, 0})", OUT_OF_MEMORY, FILES},
    {"giant one_hot", "pt.nn.functional.one_hot(pt.tensor {1}, 1 << 40)", OUT_OF_MEMORY, FILES},
    {"giant arange", "pt.arange(1e15)", OUT_OF_MEMORY, FILES},
    {"giant sort", "pt.ones(1):expand(1 << 31):sort()", OUT_OF_MEMORY, FILES},
    {"giant pool of channels",
     "local c = pt.channel(1 << 20) while true do c:push(('x'):rep(1 << 16)) end", OUT_OF_MEMORY,
     FILES},
    {"tensors in a channel",
     "local c = pt.channel(1 << 20) while true do c:push(pt.ones(1 << 14)) end", OUT_OF_MEMORY,
     FILES},
    {"a worker's memory",
     "local p <close> = pt.pool(1) p:apply(function() local t = {} while true do t[#t + 1] = pt.ones(1 << 14) end end)",
     FAILS, FILES},
    {"a worker's tables",
     "local p <close> = pt.pool(1) p:apply(function() local t = {} while true do t[#t + 1] = {} end end)",
     FAILS, FILES},
    {"memory caught",
     "local t = {} while true do pcall(function() while true do t[#t + 1] = pt.ones(1 << 14) end end) end",
     OUT_OF_TIME, FILES},
    {"sizes beyond all",
     "assert(not pcall(pt.zeros, 1 << 62, 1 << 62)) assert(not pcall(pt.zeros, -1))", HOLDS, FILES},
    {"giant strides", RAISES("pt.ones(2):as_strided({1 << 40, 2}, {1, 1})"), FILES},
    /* time */
    {"a loop", "while true do end", OUT_OF_TIME, FILES},
    {"a loop caught", "while true do pcall(function() while true do end end) end", OUT_OF_TIME,
     FILES},
    {"a handler that loops",
     "xpcall(function() while true do end end, function() while true do end end) while true do end",
     OUT_OF_TIME, FILES},
    {"coroutines", "while true do coroutine.wrap(function() while true do end end)() end",
     OUT_OF_TIME, FILES},
    {"coroutines caught",
     "while true do pcall(coroutine.wrap(function() while true do end end)) end", OUT_OF_TIME,
     FILES},
    {"a tree of coroutines",
     "local function f(d) if d > 0 then for _ = 1, 30 do coroutine.wrap(f)(d - 1) end end end f(9)",
     OUT_OF_TIME, FILES},
    {"coroutines that yield",
     "local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
     OUT_OF_TIME, FILES},
    {"to be closed",
     "local x <close> = setmetatable({}, {__close = function() while true do end end}) while true do end",
     OUT_OF_TIME, FILES},
    {"a finalizer",
     "setmetatable({}, {__gc = function() while true do end end}) collectgarbage() while true do end",
     OUT_OF_TIME, FILES},
    {"to be closed in a coroutine",
     "local f = coroutine.wrap(function() local x <close> = setmetatable({}, {__close = function() while true do end end}) while true do end end) pcall(f) while true do end",
     OUT_OF_TIME, FILES},
    {"coroutine.close",
     "local co = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() while true do end end}) coroutine.yield() end) coroutine.resume(co) coroutine.close(co)",
     OUT_OF_TIME, FILES},
    {"goto", "::again:: goto again", OUT_OF_TIME, FILES},
    {"tail calls", "local function f() return f() end f()", OUT_OF_TIME, FILES},
    {"deep recursion", "local function f() return f() + 1 end f()", FAILS, FILES},
    {"deep metamethods",
     "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k + 1] end return t[1]",
     FAILS, FILES},
    {"__index chain",
     "local t = setmetatable({}, {}) for i = 1, 1e5 do t = setmetatable({}, {__index = t}) end return t.x",
     FAILS, FILES},
    {"deep syntax", "assert(not load(('('):rep(1e5) .. '1' .. (')'):rep(1e5)))", HOLDS, FILES},
    {"deep lists", "local t = {1} for i = 1, 1e5 do t = {t} end pt.tensor(t)", FAILS, FILES},
    {"a pattern", "return ('a'):rep(40):find(('a-'):rep(30) .. 'b')", OUT_OF_TIME, FILES},
    {"a pattern of stars", "return ('a'):rep(2000):match(('.*'):rep(20) .. 'b')", OUT_OF_TIME,
     FILES},
    {"a pattern in gsub", "return ('a'):rep(2000):gsub(('a*'):rep(20) .. 'b', '')", OUT_OF_TIME,
     FILES},
    {"a pattern in gmatch", "for _ in ('a'):rep(2000):gmatch(('a?a*'):rep(12) .. 'b') do end",
     OUT_OF_TIME, FILES},
    {"a deep pattern", "return ('x'):rep(1000):match(('('):rep(300))", FAILS, FILES},
    {"rep of nothing", "return (''):rep(1 << 60)", HOLDS, FILES},
    {"insert", "table.insert(setmetatable({}, {__len = function() return 1 << 50 end}), 1, 0)",
     OUT_OF_TIME, FILES},
    {"remove", "table.remove(setmetatable({}, {__len = function() return 1 << 50 end}), 1)",
     OUT_OF_TIME, FILES},
    {"move", "table.move({}, 1, 1 << 50, 2)", OUT_OF_TIME, FILES},
    {"concat",
     "table.concat(setmetatable({}, {__index = function() return '' end}), '', 1, 1 << 50)",
     OUT_OF_TIME, FILES},
    {"sort",
     "table.sort(setmetatable({}, {__index = rawlen, __newindex = rawlen, __len = function() return 1 << 30 end}))",
     OUT_OF_TIME, FILES},
    {"sort that lies",
     "local t = {} for i = 1, 1e5 do t[i] = i end while true do pcall(table.sort, t, function() return true end) end",
     OUT_OF_TIME, FILES},
    {"a long source", "local s = ('x = 1 '):rep(1 << 20) while true do load(s) end", OUT_OF_TIME,
     FILES},
    {"a long product", "local x = pt.ones(1024, 1024) while true do x = x:matmul(x) end",
     OUT_OF_TIME, FILES},
    {"small tensors", "local x = pt.ones(1) while true do x = x + 1 end", OUT_OF_TIME, FILES},
    {"one long product", "local x = pt.ones(1, 1):expand(1 << 14, 1 << 12) return x:matmul(x:t())",
     FAILS, FILES},
    {"a long backward",
     "local x = pt.ones(1 << 10, {requires_grad = true}) while true do local y = x for i = 1, 200 do y = y * 1.5 end y:sum():backward() end",
     OUT_OF_TIME, FILES},
    {"a worker's loop", "local p <close> = pt.pool(1) p:apply(function() while true do end end)",
     OUT_OF_TIME, FILES},
    {"a worker's loop caught",
     "local p <close> = pt.pool(1) p:apply(function() while true do pcall(function() while true do end end) end end)",
     OUT_OF_TIME, FILES},
    {"waiting for a channel", "pt.channel(1):pop()", OUT_OF_TIME, FILES},
    {"an error that loops as text",
     "error(setmetatable({}, {__tostring = function() while true do end end}))", FAILS, FILES},
    {"a hook of a gradient",
     "local x = pt.ones(1, {requires_grad = true}) local y = x * 2 y:register_hook(function() while true do end end) y:sum():backward()",
     OUT_OF_TIME, FILES},
    /* objects of the library */
    {"core with anything",
     "local core = require 'pt.core' for name, f in pairs(core) do if type(f) == 'function' and not name:find 'wait' and not name:find '^channel_p' then "
     "for _, v in ipairs {0, -1, 'x', {}, print, pt.ones(1), 1 << 62, 0.5, coroutine.create(print)} do pcall(f, v) pcall(f, 'x', v) pcall(f, v, v, v, v) end end end",
     HOLDS, IO},
    {"methods of another",
     "local mt = getmetatable(pt.ones(1)) for _, f in pairs(mt) do if type(f) == 'function' then "
     "pcall(f) pcall(f, {}) pcall(f, io) pcall(f, pt.float32) pcall(f, pt.channel(1)) pcall(f, 'x', 'y') end end",
     HOLDS, FILES},
    {"a closed tensor", RAISES("local x = pt.ones(1) x:close() return x + 1"), FILES},
    {"the string library",
     "string.rep = nil string.format = nil assert(not pcall(pt.ones, 'x')) assert(pt.ones(2):sum():item() == 2)",
     HOLDS, FILES},
    {"no globals",
     "local G = _G for k in pairs(G) do if k ~= 'assert' and k ~= 'collectgarbage' and k ~= 'pt' then G[k] = nil end end assert(pt.ones(2):sum():item() == 2)",
     HOLDS, FILES},
    {"metatable of strings",
     "getmetatable('').__index = function() return error end assert(not pcall(function() pt.ones(2):reshape(3) end))",
     HOLDS, FILES},
};

static const char *path;
static int failures;

static pt_status run(pt_vm *vm, const char *code) {
  return pt_vm_run_string(vm, code, strlen(code), "=attack");
}

static bool is_expected(outcome expected, pt_status code) {
  switch (expected) {
  case HOLDS: return code == PT_OK;
  case OUT_OF_MEMORY: return code == PT_EMEMORY;
  case OUT_OF_TIME: return code == PT_ETIME;
  default: return code != PT_OK;
  }
}

static int64_t live(void) {
  pt_memory_stats m;
  pt_get_memory_stats(&m);
  return m.live_bytes;
}

/* What is to end by itself, or by its memory, may take its time: sanitizers are slow. */
static int64_t time_limit(const attack *a) { return a->expected == OUT_OF_TIME ? 100 : 10000; }

static void try(const attack *a, pt_sandbox sandbox) {
  char prelude[256];
  int64_t before = live();
  double start = pt_clock();
  pt_vm *vm = pt_vm_open(&(pt_vm_config){.size = sizeof(pt_vm_config),
                                         .sandbox = sandbox,
                                         .seed = 7,
                                         .memory_limit = 32 << 20,
                                         .time_limit_ms = time_limit(a)});
  if (vm == NULL) {
    printf("%s: %s\n", a->name, pt_error());
    failures++;
    return;
  }
  snprintf(prelude, sizeof prelude, "ATTACKED = '%s' FIRST = pt.rand(1):item() pt.manual_seed(7)",
           path);
  pt_status code = run(vm, prelude);
  if (code == PT_OK) code = run(vm, a->code);
  double seconds = pt_clock() - start;
  bool fine = is_expected(a->expected, code);
  if (!fine || seconds > 20)
    printf("%s (level %d): status %d after %.2f s: %s\n", a->name, sandbox, code, seconds,
           pt_vm_error(vm));
  /* an error that the script may have caught with all its memory is not the vm's last word */
  bool goes_on = run(vm, "collectgarbage() local x = 0 for i = 1, 1000 do x = x + i end") == PT_OK;
  if (!goes_on)
    printf("%s (level %d): the vm does not go on: %s\n", a->name, sandbox, pt_vm_error(vm));
  pt_vm_close(vm);
  bool clean = live() == before;
  if (!clean)
    printf("%s (level %d): %lld bytes are left\n", a->name, sandbox, (long long)(live() - before));
  failures += !fine || !goes_on || !clean || seconds > 20;
}

int main(int argc, char **argv) {
  char name[] = "/tmp/ptlua-attack-XXXXXX";
  int fd = mkstemp(name), n = (int)(sizeof attacks / sizeof *attacks);
  path = name;
  setvbuf(stdout, NULL, _IOLBF, 0);
  close(fd);
  unlink(name);
  for (int i = 0; i < n; i++) {
    if (argc > 1 && strcmp(argv[1], attacks[i].name) != 0) continue;
    try(&attacks[i], attacks[i].from);
  }
  if (access(name, F_OK) == 0) failures++, printf("a script wrote %s\n", name);
  if (failures) printf("%d of %d attacks\n", failures, n);
  return failures > 0;
}
