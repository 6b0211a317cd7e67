-- scripts/tools/opgen.lua: a row of the op table that is at fault ends the build with file, line and column; and what
-- is not at fault becomes C.

local folder = os.tmpname()
os.remove(folder)
os.execute("mkdir " .. folder)

local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "w"))
  file:write(text)
  file:close()
end

local function read(name)
  local file = assert(io.open(folder .. "/" .. name))
  local text = file:read "a"
  file:close()
  return text
end

-- Runs opgen on a table; whether it went well, and what it said.
local function opgen(rows)
  write("ops.def", rows)
  local pipe = assert(io.popen(("lua5.4 scripts/tools/opgen.lua %s/ops.def %s 2>&1"):format(folder, folder)))
  local said = pipe:read "a"
  return pipe:close() ~= nil, said
end

-- Where the fault is, as LINE:COLUMN, and what is said of it, in part.
local faults = {
  ["a word that scalar.h lacks"] = { 'UNARY(f, FLT, EXPP(x), g, "h")', "1:15", "scalar.h has no word 'EXPP'" },
  ["a word with too few operands"] = { 'UNARY(f, FLT, POW(x), g, "h")', "1:15", "POW takes 2 operands, not 1" },
  ["a name that is not in scope"] = { 'UNARY(f, FLT, x + b, g, "h")', "1:19", "'b' is not in scope" },
  ["y in a value"] = { 'UNARY(f, FLT, y, g, "h")', "1:15", "'y' is not in scope" },
  ["a parameter that the row lacks"] = {
    'UNARYP(f, FLT, "alpha:n=1", x * p1, g, "h")', "1:33", "'p1' is not in scope",
  },
  ["a number without a digit before the point"] = {
    'UNARY(f, FLT, x, g * K(.5), "h")', "1:24", "write 0.5, not .5",
  },
  ["a fraction that is not of type T"] = { 'UNARY(f, FLT, x, g * 0.5, "h")', "1:22", "write K(0.5)" },
  ["an operator that the grammar lacks"] = { 'UNARY(f, FLT, x, !x ? g : K(0), "h")', "1:18", "have no '!'" },
  ["an assignment"] = { 'UNARY(f, FLT, x, x = g, "h")', "1:20", "have no '='" },
  ["a gradient that cannot be replayed"] = { 'UNARY(f, FLT, x, EXP(x) * g, "h")', "1:18", "no op is named 'exp'" },
  ["an operand that is missing"] = { 'UNARY(f, FLT, x, g *, "h")', "1:21", "expected a value before the end" },
  ["a parenthesis within a value"] = { 'UNARY(f, FLT, (x, g, "h")', "1:6", "is not closed" },
  ["a field too few"] = { 'BINARY(f, FLT, a, g, "h")', "1:1", "BINARY f has 5 fields, but needs 6" },
  ["dtypes of no such name"] = { 'UNARY(f, FLOAT, x, g, "h")', "1:10", "no dtypes are named 'FLOAT'" },
  ["help without quotes"] = { "UNARY(f, FLT, x, g, help)", "1:21", "the help is written in quotes" },
  ["a kind of no such name"] = { '\nUNARI(f, FLT, x, g, "h")', "2:1", "no kind of row is named 'UNARI'" },
  ["what is no row"] = { "f(x)", "1:1", "expected a row" },
  ["two rows of one name"] = {
    'PLAIN(f, "x:T", "h")\n/* between */ PLAIN(f, "x:T", "h")', "2:21", "two rows are named 'f'",
  },
  ["a parameter without a colon"] = { 'PLAIN(f, "x:T dim", "h")', "1:15", "'dim' lacks a colon" },
  ["a parameter without a type"] = { 'PLAIN(f, "x:T dim:", "h")', "1:15", "'dim:': no type is written" },
  ["a type of no such letter"] = { 'PLAIN(f, "x:T dim:z", "h")', "1:15", "no type is written 'z'" },
  ["a type that only Lua takes"] = { 'PLAIN(f, "x:T fn:F", "h")', "1:15", "an op cannot take fn" },
  ["a mark that the grammar lacks"] = { 'PLAIN(f, "x:T+", "h")', "1:11", "ends in '+'" },
  ["a second piece of a string"] = { 'PLAIN(f, "x:T "\n  "dim", "h")', "2:4", "'dim' lacks a colon" },
  ["an edit of what is not first"] = { 'PLAIN(f, "x:T y:T!", "h")', "1:15", "only a first tensor" },
  ["two parameters of one name"] = { 'PLAIN(f, "x:T x:T", "h")', "1:15", "two are named 'x'" },
  ["too many parameters"] = {
    'PLAIN(f, "a:i b:i c:i d:i e:i f:i g:i h:i i:i j:i k:i l:i m:i", "h")', "1:59", "more than 12 parameters",
  },
  ["too many outputs"] = { 'PLAIN(f, "x:T -> a:T b:T c:T d:T e:T", "h")', "1:34", "more than 4 outputs" },
  ["an output that is no tensor"] = { 'PLAIN(f, "x:T -> a:i", "h")', "1:18", "output 'a:i'" },
  ["a name too long"] = {
    'PLAIN(f, "x:T a_name_of_twenty_one:i", "h")', "1:15", "parameter 'a_name_of_twenty_one' is longer than 19",
  },
  ["saving what does not exist"] = { 'FUNC(f, "x:T", "x weight", "h")', "1:19", "f saves 'weight'" },
  ["an attribute of no such name"] = {
    'PLAIN(f, "x:T", "h") autocats=lower', "1:22", "no attribute is named 'autocats'",
  },
  ["an attribute's value"] = { 'PLAIN(f, "x:T", "h") autocast=half', "1:22", "autocast cannot be 'half'" },
  ["a named expression that names itself"] = { "LET(inner, inner + x)", "1:12", "'inner' is not in scope" },
  ["a comment without an end"] = { "/* rows", "1:1", "does not end" },
  ["a string without an end"] = { 'PLAIN(f, "x:T", "h)\n', "1:17", "a string does not end" },
}

describe("opgen refuses", function()
  for name, fault in pairs(faults) do
    it(name, function()
      local fine, said = opgen(fault[1])
      assert.is_false(fine)
      assert.equal(("%s/ops.def:%s"):format(folder, fault[2]), said:match "^(%S+):")
      assert(said:find(fault[3], 1, true), said)
    end)
  end
end)

describe("opgen", function()
  it("makes kernels of named expressions", function()
    assert(opgen [[
      LET (twice, K(2) * x)
      LET (more, twice + K(1))
      TEST (f, ALL, more == 0, "h")]])
    assert.equal("TEST(f, ALL, ((K(2) * x) + K(1)) == 0)", read "ptlua_rows.h":match "TEST[^\n]*")
  end)

  it("works out what a gradient reads", function()
    assert(opgen 'BINARY(mul, FLT, a * b, g * b, g * a, "h")\nUNARY(exp, FLT, EXP(x), g * y, "h") autocast=float32')
    local made = read "ptlua_table.c"
    assert(made:find(".grad = {{steps2, 3, 18}, {steps3, 3, 17}}", 1, true), made)
    assert(made:find(".cast = PTI_CAST_FLOAT32", 1, true))
    assert(made:find(".grad = {{steps5, 3, 24}}", 1, true), made)
  end)

  it("counts dims from 0 in defaults, and gives them once", function()
    assert(opgen 'PLAIN(f, "x:T dim:d=1 last:d=-1", "h")')
    local made = read "ptlua_table.c"
    assert(made:find("{.given = false}, {.i = 0, .given = true}, {.i = -1, .given = true}", 1, true), made)
  end)

  it("leaves files alone that would not change", function()
    local row = 'PLAIN(f, "x:T", "h")'
    assert(opgen(row))
    os.execute("touch -d '2001-01-01' " .. folder .. "/ptlua_*")
    assert(opgen(row))
    local pipe = assert(io.popen("find " .. folder .. " -name 'ptlua_*' -newermt 2002-01-01"))
    assert.equal("", pipe:read "a")
    pipe:close()
  end)

  teardown(function() os.execute("rm -r " .. folder) end)
end)
