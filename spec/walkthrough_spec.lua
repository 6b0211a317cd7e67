-- The example of engine/README.md: a copy of the tree gets what stands there, the files that it touches are compiled,
-- and the op is called in a program of its own.

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

local function write(path, text, mode)
  local file = assert(io.open(path, mode or "w"))
  file:write(text)
  file:close()
end

-- The blocks of code that follow "**`path`**", by path.
local function blocks()
  local found = {}
  local block = "%*%*`([^`]+)`%*%*[^\n]*\n+```[%a+]*\n(.-)```"
  for path, code in read "engine/README.md":gmatch(block) do found[path] = code end
  return found
end

local program = [[
#include "ptlua.h"
int main(void) {
  double first = 0, grad = 0;
  if (pt_scope_begin() < 0) return 1;
  pt_tensor *x = pt_sequence(6, 0, 1, PT_F32, 0), *y;
  pt_set_requires_grad(x, true);
  y = pt_reversed(x, 0);
  if (!pt_item(pt_select(y, 0, 0), &first) || first != 5) return 2;
  if (!pt_backward(pt_select(y, 0, 1))) return 3;
  return pt_item(pt_select(pt_grad(x), 0, 4), &grad) && grad == 1 ? 0 : 4;
}
]]

local ptlua = io.popen("readlink /proc/$PPID/exe"):read "l"
local build = ptlua:match "^(.*)/" or ""
local has_compiler = os.execute "command -v cc >/dev/null 2>&1"

describe("the example of engine/README.md", function()
  local tree = os.tmpname()
  os.remove(tree)
  teardown(function() os.execute("rm -rf " .. tree) end)

  local flags = ("-DPT_BUILD -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -I%s/engine -I%s/gen"):format(tree, tree)
  local function run(format, ...)
    local command = format:format(...)
    assert(os.execute(command), command)
  end

  setup(function()
    run("mkdir -p %s/gen && cp -r engine kernels scripts %s", tree, tree)
    local count = 0
    for path, code in pairs(blocks()) do
      write(tree .. "/" .. path, code, path:find "%.def$" and "a" or "w")
      count = count + 1
    end
    assert.equal(5, count)
    run("lua5.4 scripts/tools/opgen.lua %s/engine/ops.def %s/gen %s %s/engine/*.c %s/engine/ops/*.c %s/kernels/cpu/*.c",
      tree, tree, tree, tree, tree, tree)
  end)

  it("is built, called and differentiated", function()
    if not has_compiler or not io.open(build .. "/libptlua.a") or build:find "san$" then
      return pending "no C compiler, or a build with sanitizers"
    end
    write(tree .. "/main.c", program)
    run("cc -std=c11 -I%s/engine -I%s/gen -c %s/main.c -o %s/main.o", tree, tree, tree, tree)
    for i, file in ipairs { "gen/ptlua_table", "engine/ops/reversed", "kernels/cpu/reverse", "kernels/cpu/backend" } do
      run("cc -std=c11 %s -c %s/%s.c -o %s/%d.o", flags, tree, file, tree, i)
    end
    local libraries = "-llua5.4 $(pkg-config --libs zlib 2>/dev/null) -lpthread -ldl -lm"
    run("cc %s/*.o %s/libptlua.a %s -o %s/main && %s/main", tree, build, libraries, tree, tree)
  end)

  it("has a kernel that the simulated device takes", function()
    if not os.execute "command -v c++ >/dev/null 2>&1" then return pending "no C++ compiler" end
    local sim = ("-Wno-unknown-pragmas -I%s/kernels/sim"):format(tree)
    run("c++ -std=c++17 -fsyntax-only %s %s -x c++ %s/kernels/cuda/reverse.cu", flags, sim, tree)
  end)
end)
