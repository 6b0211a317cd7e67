-- The rule: names and meaning are PyTorch's, positions count from 1, values are never shifted. The ranges themselves
-- are in create_spec.lua.

local pt = require "pt"
local F = pt.nn.functional

describe("==", function()
  local x = pt.randn(2, 3)

  it("is true for the same tensor, whichever value of Lua stands for it", function()
    assert.is_true(x == x)
    local w = pt.ones(2, { requires_grad = true })
    w:sum():backward()
    assert.is_false(rawequal(w.grad, w.grad))
    assert.is_true(w.grad == w.grad)
  end)

  it("compares two of one element", function()
    assert.is_true(pt.tensor(1) == pt.tensor { { 1.0 } })
    assert.is_true(pt.tensor(1) ~= pt.tensor(2))
    assert.is_false(pt.tensor(0 / 0) == pt.tensor(0 / 0))
    assert.is_true(pt.tensor(true) == pt.tensor(1))
  end)

  it("is false for anything that is no tensor", function()
    assert.is_false(x == pt.float32)
    assert.is_false(pt.float32 == x)
    assert.is_false(x == io.stdout)
    assert.is_false(pt.tensor(1) == 1)
    assert.is_false(x == nil)
  end)

  it("of several elements says what to write", function()
    for _, y in ipairs { pt.randn(2, 3), pt.randn(6), pt.tensor(1), pt.empty(0) } do
      assert.error_matches(function() return x == y end, "a:eq%(b%), as a whole with pt.equal%(a, b%) %(.*pytorch_spec")
      assert.error_matches(function() return x ~= y end, "pt.equal%(a, b%)")
    end
  end)
end)

describe("rows", function()
  it("go over dim 1, as views", function()
    local x, seen = pt.zeros(3, 2), {}
    for i, row in x:rows() do
      seen[i] = row.shape
      row:fill_(i)
    end
    assert.equal(3, #seen)
    assert.same({ { 1, 1 }, { 2, 2 }, { 3, 3 } }, x:tolist())
    for _ in pt.zeros(0, 2):rows() do error "there is none" end
  end)

  it("have gradients", function()
    local x, sum = pt.ones(3, { requires_grad = true }), 0
    for i, row in x:rows() do sum = sum + i * row end
    sum:backward()
    assert.same({ 1, 2, 3 }, x.grad:tolist())
  end)

  it("are none where x has no dims", function()
    assert.error_matches(function() pt.tensor(1):rows() end, "rows: x has no dims %(.*pytorch_spec")
  end)

  it("are what ipairs asks for, which cannot end", function()
    local x, n = pt.zeros(3, 2), 0
    assert.error_matches(function()
      for _ in ipairs(x) do n = n + 1 end
    end, "index: x %[3, 2%] has no row 4: ipairs cannot end on a tensor; use x:rows%(%) %(.*pytorch_spec")
    assert.equal(3, n)
    assert.error_matches(function() return x[4] end, "index: ") -- not ipairs: no word of it
  end)
end)

describe("a position of 0", function()
  local x, zero = pt.randn(3, 3), pt.tensor { 0 }
  local cases = {
    embedding = function() F.embedding(zero, x) end,
    index_select = function() x:index_select(1, zero) end,
    gather = function() x:gather(1, zero:view(1, 1)) end,
    scatter = function() x:scatter(1, zero:view(1, 1), 1.0) end,
    scatter_reduce = function() x:scatter_reduce(1, zero:view(1, 1), x, "prod") end,
    take = function() x:take(zero) end,
    index = function() return x[zero] end,
    index_add = function() x:index_add(1, zero, pt.ones(1, 3)) end,
  }
  for name, fn in pairs(cases) do
    it("is refused by " .. name, function()
      assert.error_matches(fn, name .. ": .*positions count from 1; pt.range%(1, n%) makes them %(.*pytorch_spec")
    end)
  end

  it("as a label is told so", function()
    assert.error_matches(function() F.cross_entropy(x, pt.tensor { 1, 0, 2 }) end,
      "cross_entropy: target 0 at position 2 is not a class from 1 to 3; labels count from 1")
  end)
end)

describe("the page of differences", function()
  it("is what help prints", function()
    local lines, print_before = {}, print
    _G.print = function(text) lines[#lines + 1] = text end
    local ok, why = pcall(pt.help, "pytorch")
    _G.print = print_before
    assert(ok, why)
    local file <close> = assert(io.open "docs/pytorch.md")
    assert.equal(file:read "a", lines[1])
    local silent, otherwise = lines[1]:find("## Silent", 1, true), lines[1]:find("## Written otherwise", 1, true)
    assert.is_true(silent < otherwise)
  end)
end)
