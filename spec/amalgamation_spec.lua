-- `make amalgamation`: ptlua.c and ptlua.h are the whole library. A host that compiles them gets the library's bits on
-- every CPU level.

local function run(command)
  local pipe = assert(io.popen("{ " .. command .. "\n} 2>&1 </dev/null"))
  local text = pipe:read "a"
  local ok, how, code = pipe:close()
  return text, ok, ("%s %s"):format(how, code)
end

local function must(command)
  local text, ok, how = run(command)
  assert(ok, ("%s: %s\n%s"):format(command, how, text:sub(-3000)))
  return text
end

local host = [[
#include <stdio.h>
#include <string.h>
#include "ptlua.h"
int main(void) {
  static const char code[] =
    "local nn = pt.nn pt.manual_seed(1)\n"
    "local net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))\n"
    "local o, x = pt.optim.Adam(net:parameters()), pt.randn(8, 1, 8, 8)\n"
    "for _ = 1, 20 do o:zero_grad() net(x):pow(2):mean():backward() o:step() end\n"
    "local function show(y) print(('%.17g'):format(y:double():pow(2):sum():item())) end\n"
    "show(net(x))\n"
    "for _, f in ipairs { 'exp', 'tanh', 'erf', 'sin', 'lgamma' } do show(pt[f](pt.linspace(-3, 3, 1000))) end\n"
    "show(pt.linspace(-1, 1, 4096):view(64, 64):matmul(pt.linspace(-2, 1, 4096):view(64, 64)))\n"
    "local pool <close> = pt.pool(2) print(pool:map(function(i) return i * i end, { 1, 2, 3 })[3], pt.cpu_level())\n";
  pt_vm *vm = pt_vm_open(NULL);
  if (pt_vm_run_string(vm, code, sizeof code - 1, "=host") != PT_OK) puts(pt_vm_error(vm));
  pt_vm_close(vm);
  return strcmp(pt_version(), PT_VERSION) != 0;
}
]]

describe("the amalgamation #plain", function()
  it("is the library, to the bit", function()
    must "env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s build/amalgamation/ptlua.o"
    local dir = must "mktemp -d":gsub("%s+$", "")
    local file = assert(io.open(dir .. "/host.c", "w"))
    file:write(host)
    file:close()
    local flags = "-std=c11 -Ibuild/amalgamation $(pkg-config --cflags lua5.4 openblas) "
    local libs = " -llua5.4 -lz -lpthread -ldl -lm"
    local cc = ("cc -O1 %s -o %s/"):format(flags, dir)
    must(cc .. "one " .. dir .. "/host.c build/amalgamation/ptlua.o" .. libs)
    must(cc .. "other " .. dir .. "/host.c build/libptlua.a" .. libs)
    for _, level in ipairs { "base", "avx2", "avx512" } do
      local one = must(("PT_CPU=%s %s/one"):format(level, dir))
      assert.equal(must(("PT_CPU=%s %s/other"):format(level, dir)), one)
    end
    if run "command -v clang" ~= "" then
      must("clang -fsyntax-only -Werror " .. flags .. "build/amalgamation/ptlua.c")
    end
    run("rm -rf " .. dir)
  end)
end)
