-- The examples of engine/README.md: a copy of the tree gets what stands there, the files that it touches are compiled,
-- and the ops are called in a program of its own.

local read = require("spec.support.text_file").read

local function write(path, text, mode)
  local file = assert(io.open(path, mode or "w"))
  file:write(text)
  file:close()
end

-- The block of code behind each paragraph that begins with "**`path`**", as { path, code }, in order.
local function blocks()
  local found = {}
  for path, code in read "engine/README.md":gmatch "\n\n%*%*`([^`]+)`%*%*.-\n\n```[%a+]*\n(.-)```" do
    found[#found + 1] = { path, code }
  end
  return found
end

-- Puts code into a file of the tree: a new one, or at its end, in Lua before the last `return`.
local function put(path, code)
  local file = io.open(path)
  local text = file and file:read "a" or ""
  if file then file:close() end
  local body, tail = text:match "^(.*\n)(return [%w_]+\n)$"
  write(path, (body or text) .. "\n" .. code .. (tail or ""))
end

local program = [[
#include "ptlua.h"
int main(void) {
  double first = 0, grad = 0, value = 0, half = 0, part = 0;
  if (pt_scope_begin() < 0) return 1;
  pt_tensor *x = pt_sequence(6, 0, 1, PT_F32, 0), *y;
  pt_set_requires_grad(x, true);
  y = pt_reversed(x, 0);
  if (!pt_item(pt_select(y, 0, 0), &first) || first != 5) return 2;
  if (!pt_backward(pt_select(y, 0, 1))) return 3;
  if (!pt_item(pt_select(pt_grad(x), 0, 4), &grad) || grad != 1) return 4;

  x = pt_sequence(2, 0, 1.5, PT_F32, 0);
  pt_set_requires_grad(x, true);
  y = pt_squareplus(x);
  if (!pt_item(pt_select(y, 0, 1), &value) || value != 2) return 5;
  if (!pt_backward(pt_select(y, 0, 0))) return 6;
  if (!pt_item(pt_select(pt_grad(x), 0, 0), &half) || half != 0.5) return 7;
  y = pt_view_as_real(pt_squareplus(pt_view_as_complex(pt_sequence(2, 1.5, -1.5, PT_F32, 0))));
  if (!pt_item(pt_select(y, 0, 0), &part) || part != 2) return 8;
  y = pt_to_dtype(x, PT_BF16);
  if (pt_dtype_of(pt_squareplus(y)) != PT_BF16) return 9;
  if (!pt_set_autocast(true, PT_BF16) || pt_dtype_of(pt_squareplus(y)) != PT_F32) return 10;
  return 0;
}
]]

local ptlua = io.popen("readlink /proc/$PPID/exe"):read "l"
local build = ptlua:match "^(.*)/" or ""
local has_compiler = os.execute "command -v cc >/dev/null 2>&1"

describe("the examples of engine/README.md", function()
  local tree = os.tmpname()
  os.remove(tree)
  teardown(function() os.execute("rm -rf " .. tree) end)

  local flags = ("-DPT_BUILD -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -I%s/engine -I%s/gen"):format(tree, tree)
  local function run(format, ...)
    local command = format:format(...)
    assert(os.execute(command), command)
  end

  setup(function()
    run("mkdir -p %s/gen %s/spec", tree, tree)
    run("cp -r engine kernels scripts %s && cp -r spec/support %s/spec", tree, tree)
    local list = blocks()
    for _, block in ipairs(list) do put(tree .. "/" .. block[1], block[2]) end
    assert.equal(9, #list)
    run("lua5.4 scripts/tools/opgen.lua %s/engine/ops.def %s/gen %s %s/engine/*.c %s/engine/ops/*.c %s/kernels/cpu/*.c",
      tree, tree, tree, tree, tree, tree)
  end)

  it("are built, called and differentiated", function()
    if not has_compiler or not io.open(build .. "/libptlua.a") or build:find "san$" then
      return pending "no C compiler, or a build with sanitizers"
    end
    write(tree .. "/main.c", program)
    run("cc -std=c11 -I%s/engine -I%s/gen -c %s/main.c -o %s/main.o", tree, tree, tree, tree)
    for i, file in ipairs {
      "gen/ptlua_table", "engine/ops/reversed", "engine/ops/complex", "kernels/cpu/reverse", "kernels/cpu/backend",
    } do
      run("cc -std=c11 %s -c %s/%s.c -o %s/%d.o", flags, tree, file, tree, i)
    end
    run("cc -std=c11 %s -O0 -DPT_LEVEL=base -I%s/kernels -c %s/kernels/cpu/elementwise/%s.c -o %s/base.o",
      flags, tree, tree, "elementwise_loops", tree)
    local libraries = "-llua5.4 $(pkg-config --libs zlib 2>/dev/null) -lpthread -ldl -lm"
    run("cc %s/*.o %s/libptlua.a %s -o %s/main && PT_CPU=base %s/main", tree, build, libraries, tree, tree)
  end)

  it("have references that the specs can read", function()
    local naive = dofile(tree .. "/spec/support/naive.lua")
    assert.equal(2, naive.scalar.squareplus(1.5))
    local row = { shape = { 1, 3 }, list = { 5, 6, 7 } }
    assert.same({ 7, 6, 5 }, naive.array.reversed(row, 2).list)
    assert.same({ 5, 6, 7 }, naive.array.reversed(row, -2).list)
  end)

  it("have a kernel that the simulated device takes", function()
    if not os.execute "command -v c++ >/dev/null 2>&1" then return pending "no C++ compiler" end
    local sim = ("-Wno-unknown-pragmas -I%s/kernels/sim"):format(tree)
    run("c++ -std=c++17 -fsyntax-only %s %s -x c++ %s/kernels/cuda/reverse.cu", flags, sim, tree)
  end)
end)
