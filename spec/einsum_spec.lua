-- pt.einsum: each line is an expression and what PyTorch gives for it; then gradients, orders, errors.
local pt = require "pt"
local cases = require "spec.support.cases"
local gradcheck = require "spec.support.gradcheck"
local compare = require "spec.support.compare"
local layouts = require "spec.support.layouts"

-- Numbers between -2 and 3 that differ from their neighbours.
local function numbers(...)
  local n = 1
  for _, size in ipairs { ... } do n = n * size end
  return (pt.range(1, n):double() * 0.7 % 5 - 2):reshape(...)
end

local names = {
  pt = pt, x = numbers(2, 3), y = numbers(3, 4), s = numbers(3, 3), b = numbers(2, 3, 4), c = numbers(2, 4, 2),
  v = numbers(3), t = numbers(2, 3, 3, 2), one = numbers(1, 3),
}

local values = {
  { "pt.einsum('ij,jk->ik', x, y)", { { 0.72, -0.54, -1.8, -0.06 }, { -0.33, 2.82, 5.97, 1.62 } } },
  { "pt.einsum('ij,jk', x, y)", { { 0.72, -0.54, -1.8, -0.06 }, { -0.33, 2.82, 5.97, 1.62 } } },
  { "pt.einsum('ij->ji', x)", { { -1.3, 0.8 }, { -0.6, 1.5 }, { 0.1, 2.2 } } },
  { "pt.einsum('ij->', x)", 2.7 },
  { "pt.einsum('ij->j', x)", { -0.5, 0.9, 2.3 } },
  { "pt.einsum('ba', x)", { { -1.3, 0.8 }, { -0.6, 1.5 }, { 0.1, 2.2 } } },
  { "pt.einsum('ii->i', s)", { -1.3, 1.5, -0.7 } },
  { "pt.einsum('ii', s)", -0.5 },
  { "pt.einsum('i,j->ij', v, v)", { { 1.69, 0.78, -0.13 }, { 0.78, 0.36, -0.06 }, { -0.13, -0.06, 0.01 } } },
  { "pt.einsum('i,i', v, v)", 2.06 },
  {
    "pt.einsum('bij,bjk->bik', b, c)",
    { { { 4.1, -0.6 }, { -1.44, 9.2 }, { 6.02, 0.0 } }, { { -1.46, 0.36 }, { 0.22, 2.88 }, { -4.6, -4.6 } } },
  },
  { "pt.einsum('bij,bjk->ik', b, c)", { { 2.64, -0.24 }, { -1.22, 12.08 }, { 1.42, -4.6 } } },
  {
    "pt.einsum('...ij,...jk->...ik', b, c)",
    { { { 4.1, -0.6 }, { -1.44, 9.2 }, { 6.02, 0.0 } }, { { -1.46, 0.36 }, { 0.22, 2.88 }, { -4.6, -4.6 } } },
  },
  { "pt.einsum('...ij->...i', b)", { { -1.0, 5.2, 1.4 }, { 2.6, 3.8, 0.0 } } },
  { "pt.einsum('i...->...', b)", { { 0.8, 2.2, -1.4, 0.0 }, { 1.4, 2.8, 4.2, 0.6 }, { 2.0, -1.6, -0.2, 1.2 } } },
  { "pt.einsum('ijjk->ik', t)", { { -2.1, 0.0 }, { 5.7, 2.8 } } },
  { "pt.einsum('ijji->', t)", 0.7 },
  { "pt.einsum('ij,kj,k->i', x, s, v)", { -1.946, -2.534 } },
  { "pt.einsum('ij,jk,kl,l->i', x, s, s, v)", { 8.0972, 10.2056 } },
  {
    "pt.einsum('ab,bc,cd,de,ef->af', x, s, s, s, y)",
    { { -8.45802, 2.81436, 14.08674, 3.87012 }, { 18.67545, -4.64862, -27.97269, -25.06326 } },
  },
  { "pt.einsum('ij,ij->ij', x, x)", { { 1.69, 0.36, 0.01 }, { 0.64, 2.25, 4.84 } } },
  { "pt.einsum('ij,ij->', x, x)", 9.79 },
  {
    "pt.einsum('ij,kj->ijk', x, s)",
    { { { 1.69, -1.04, -3.77 }, { 0.36, -0.9, 0.84 }, { 0.01, 0.22, -0.07 } }, { { -1.04, 0.64, 2.32 }, { -0.9,
    2.25, -2.1 }, { 0.22, 4.84, -1.54 } } },
  },
  {
    "pt.einsum('...j,j->...', b:transpose(2, 3), v)",
    { { 0.72, -0.54, -1.8, -0.06 }, { -2.4, -4.16, 1.08, -0.18 } },
  },
  { "pt.einsum('ij,ij->ij', one, x)", { { 1.69, 0.36, 0.01 }, { -1.04, -0.9, 0.22 } } },
  { "pt.einsum('ij,ij->j', one, x)", { 0.65, -0.54, 0.23 } },
  {
    "pt.einsum('...,...->...', b, c:transpose(2, 3):narrow(2, 1, 1))",
    { { { 1.69, -0.06, 0.15, 2.32 }, { -1.95, 0.22, 4.35, -4.06 }, { 0.91, 0.0, 1.05, 4.06 } }, { { -1.47, 1.96,
    -3.15, 1.2 }, { 0.07, 0.42, 2.73, -3.0 }, { -1.89, -1.12, -1.89, 0.3 } } },
  },
  { "pt.einsum('bij,bjk,bk->b', b, c, x:narrow(2, 1, 2))", { -16.444, -6.712 } },
  { "pt.einsum(' i j , j k -> k i ', x, y)", { { 0.72, -0.33 }, { -0.54, 2.82 }, { -1.8, 5.97 }, { -0.06, 1.62 } } },
  { "pt.einsum('aB,Bc->ca', x, y)", { { 0.72, -0.33 }, { -0.54, 2.82 }, { -1.8, 5.97 }, { -0.06, 1.62 } } },
  {
    "pt.einsum('...a,...b->...ab', x, one)",
    { { { 1.69, 0.78, -0.13 }, { 0.78, 0.36, -0.06 }, { -0.13, -0.06, 0.01 } }, { { -1.04, -0.48, 0.08 }, {
    -1.95, -0.9, 0.15 }, { -2.86, -1.32, 0.22 } } },
  },
}

local refused = {
  { "pt.einsum('ij,jk', x)", "more operands", "1 given" },
  { "pt.einsum('ij', x, y)", "1 operands", "2 were given" },
  { "pt.einsum('ij,jk', x, x)", "the label j has size 2 in operand 2, but 3 before" },
  { "pt.einsum('ijk', x)", "operand 1 [2, 3]", "3 dims" },
  { "pt.einsum('i...jk', x)", "operand 1 [2, 3]" },
  { "pt.einsum('ii', x)", "the label i has sizes 2 and 3" },
  { "pt.einsum('ij->k', x)", "no operand", "label k" },
  { "pt.einsum('ij->ii', x)", "the label i twice" },
  { "pt.einsum('i1', x)", "'1'", "no label" },
  { "pt.einsum('...i...', x)", "two ellipses" },
  { "pt.einsum(x, 'ij')", "equation must be a string" },
  { "pt.einsum('ij', 3)", "operand 1 must be a tensor" },
  { "pt.einsum('')", "one operand" },
}

local function same(x, y)
  local text = compare.difference(x, y, 1e-12, 1e-12)
  if text then error(text, 2) end
end

describe("einsum", function()
  for _, case in ipairs(values) do
    it(case[1], function() cases.check(case, names) end)
  end
  for _, case in ipairs(refused) do
    it("refuses " .. case[1], function() cases.refuse(case, names) end)
  end

  it("takes a list of operands, integers and empty tensors", function()
    local i = pt.range(1, 4):view(2, 2)
    assert.same({ { 7, 10 }, { 15, 22 } }, pt.einsum("ij,jk", { i, i }):tolist())
    same(pt.zeros(2, 4), pt.einsum("ij,jk->ik", pt.zeros(2, 0), pt.zeros(0, 4)))
    assert.equal(pt.float16, pt.einsum("ij,jk", names.x:half(), names.y:half()).dtype)
  end)

  it("does not care how operands lie in memory", function()
    local want = pt.einsum("bij,jk,kb->ki", names.b, names.y:t(), names.s:narrow(2, 1, 2))
    for name, layout in pairs(layouts) do
      if name ~= "expanded" then
        same(pt.einsum("bij,jk,kb->ki", layout(names.b), layout(names.y:t()), layout(names.s:narrow(2, 1, 2))), want)
      end
    end
  end)

  it("contracts small sides first", function()
    local a, v = pt.ones(4, 1000), pt.ones(1000)
    local start = pt.memory_stats().peak_bytes
    for _ = 1, 3 do pt.einsum("ai,bj,i,j->ab", a, a, v, v) end -- (ai,bj) first would take 64 MB
    assert(pt.memory_stats().peak_bytes - start < 2e7)
  end)

  it("has the gradients of its parts", function()
    local function check(equation, ...)
      local function fn(xs) return { pt.einsum(equation, table.unpack(xs)) } end
      assert.is_true(gradcheck.first(fn, { ... }))
      assert.is_true(gradcheck.second(fn, { ... }))
    end
    check("ij,jk,k->i", names.x, names.s, names.v)
    check("ijjk->ki", names.t)
    check("...i,...i->...", names.x, names.one)
  end)
end)
