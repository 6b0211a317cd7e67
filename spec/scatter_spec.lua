-- scatter_reduce and index_reduce against PyTorch's values, ids counted from 1.
local pt = require "pt"
local compare = require "spec.support.compare"
local gradcheck = require "spec.support.gradcheck"
local layouts = require "spec.support.layouts"

local x = pt.tensor { { 1.0, 2, 3 }, { 4, 5, 6 } }
local index = pt.tensor { { 1, 1, 2 }, { 2, 2, 2 } }
local src = pt.tensor { { 10.0, 20, 20 }, { 0.5, 7, -1 } }

-- reduce, include_self, along dim 2; gradients of x and src where the result is weighed with 1 to 6; of the integers
-- of x along dim 1 at ids 1, 2 alone
local scattered = {
  {
    "sum", true, { { 31.0, 22.0, 3.0 }, { 4.0, 11.5, 6.0 } },
    { { 1.0, 2.0, 3.0 }, { 4.0, 5.0, 6.0 } },
    { { 1.0, 1.0, 2.0 }, { 5.0, 5.0, 5.0 } },
    { { 11, 2, 3 }, { 4, 25, 6 } },
  },
  {
    "sum", false, { { 30.0, 20.0, 3.0 }, { 4.0, 6.5, 6.0 } },
    { { 0.0, 0.0, 3.0 }, { 4.0, 0.0, 6.0 } },
    { { 1.0, 1.0, 2.0 }, { 5.0, 5.0, 5.0 } },
    { { 10, 2, 3 }, { 4, 20, 6 } },
  },
  {
    "prod", true, { { 200.0, 40.0, 3.0 }, { 4.0, -17.5, 6.0 } },
    { { 200.0, 40.0, 3.0 }, { 4.0, -17.5, 6.0 } },
    { { 20.0, 10.0, 4.0 }, { -175.0, -12.5, 87.5 } },
    { { 10, 2, 3 }, { 4, 100, 6 } },
  },
  {
    "prod", false, { { 200.0, 20.0, 3.0 }, { 4.0, -3.5, 6.0 } },
    { { 0.0, 0.0, 3.0 }, { 4.0, 0.0, 6.0 } },
    { { 20.0, 10.0, 2.0 }, { -35.0, -2.5, 17.5 } },
    { { 10, 2, 3 }, { 4, 20, 6 } },
  },
  {
    "mean", true, { { 10.33333, 11.0, 3.0 }, { 4.0, 2.875, 6.0 } },
    { { 0.3333333, 1.0, 3.0 }, { 4.0, 1.25, 6.0 } },
    { { 0.3333333, 0.3333333, 1.0 }, { 1.25, 1.25, 1.25 } },
    { { 5, 2, 3 }, { 4, 12, 6 } },
  },
  {
    "mean", false, { { 15.0, 20.0, 3.0 }, { 4.0, 2.166667, 6.0 } },
    { { 0.0, 0.0, 3.0 }, { 4.0, 0.0, 6.0 } },
    { { 0.5, 0.5, 2.0 }, { 1.666667, 1.666667, 1.666667 } },
    { { 10, 2, 3 }, { 4, 20, 6 } },
  },
  {
    "amax", true, { { 20.0, 20.0, 3.0 }, { 4.0, 7.0, 6.0 } },
    { { 0.0, 0.0, 3.0 }, { 4.0, 0.0, 6.0 } },
    { { 0.0, 1.0, 2.0 }, { 0.0, 5.0, 0.0 } },
    { { 10, 2, 3 }, { 4, 20, 6 } },
  },
  {
    "amax", false, { { 20.0, 20.0, 3.0 }, { 4.0, 7.0, 6.0 } },
    { { 0.0, 0.0, 3.0 }, { 4.0, 0.0, 6.0 } },
    { { 0.0, 1.0, 2.0 }, { 0.0, 5.0, 0.0 } },
    { { 10, 2, 3 }, { 4, 20, 6 } },
  },
  {
    "amin", true, { { 1.0, 2.0, 3.0 }, { 4.0, -1.0, 6.0 } },
    { { 1.0, 2.0, 3.0 }, { 4.0, 0.0, 6.0 } },
    { { 0.0, 0.0, 0.0 }, { 0.0, 0.0, 5.0 } },
    { { 1, 2, 3 }, { 4, 5, 6 } },
  },
  {
    "amin", false, { { 10.0, 20.0, 3.0 }, { 4.0, -1.0, 6.0 } },
    { { 0.0, 0.0, 3.0 }, { 4.0, 0.0, 6.0 } },
    { { 1.0, 0.0, 2.0 }, { 0.0, 0.0, 5.0 } },
    { { 10, 2, 3 }, { 4, 20, 6 } },
  },
}

-- reduce, include_self, the last two columns of src both into column 1
local indexed = {
  { "prod", true, { { 400.0, 2.0, 3.0 }, { -28.0, 5.0, 6.0 } } },
  { "prod", false, { { 400.0, 2.0, 3.0 }, { -7.0, 5.0, 6.0 } } },
  { "mean", true, { { 13.66667, 2.0, 3.0 }, { 3.333333, 5.0, 6.0 } } },
  { "mean", false, { { 20.0, 2.0, 3.0 }, { 3.0, 5.0, 6.0 } } },
  { "amax", true, { { 20.0, 2.0, 3.0 }, { 7.0, 5.0, 6.0 } } },
  { "amax", false, { { 20.0, 2.0, 3.0 }, { 7.0, 5.0, 6.0 } } },
  { "amin", true, { { 1.0, 2.0, 3.0 }, { -1.0, 5.0, 6.0 } } },
  { "amin", false, { { 20.0, 2.0, 3.0 }, { -1.0, 5.0, 6.0 } } },
}

local function close(want, got)
  local difference = compare.difference(got, pt.tensor(want, { dtype = got.dtype }), 1e-6, 1e-6)
  if difference then error(difference, 2) end
end

describe("scatter_reduce", function()
  for _, case in ipairs(scattered) do
    local kind, include_self = case[1], case[2]
    it(("by %s, x %s"):format(kind, include_self and "included" or "left out"), function()
      local a, b = x:clone():requires_grad_(), src:clone():requires_grad_()
      local y = a:scatter_reduce(2, index, b, kind, { include_self = include_self })
      close(case[3], y)
      y:backward(pt.tensor { { 1.0, 2, 3 }, { 4, 5, 6 } })
      close(case[4], a.grad)
      close(case[5], b.grad)
      local whole = x:long():scatter_reduce(1, pt.tensor { { 1, 2 } }, src:long(), kind, include_self)
      assert.same(case[6], whole:tolist())
      for _, layout in pairs({ layouts.transposed, layouts.stepped, layouts.offset }) do
        close(case[3], layout(x):scatter_reduce(2, layout(index), layout(src), kind, include_self))
      end
    end)

    it(("by %s has a second gradient, x %s"):format(kind, include_self and "included" or "left out"), function()
      local function fn(inputs) return { inputs[1]:scatter_reduce(2, index, inputs[2], kind, include_self) } end
      local inputs = { x:double(), src:double() + pt.range(1, 6):reshape(2, 3):double() * 0.01 }
      gradcheck.first(fn, inputs)
      if kind ~= "amax" and kind ~= "amin" then gradcheck.second(fn, inputs) end
    end)
  end

  it("combines long runs in order", function()
    local n = 1000
    local y = pt.zeros(2):scatter_reduce(1, pt.full({ n }, 2), pt.range(1, n):float(), "amax")
    assert.same({ 0.0, 1000.0 }, y:tolist())
    y = pt.ones(2):scatter_reduce(1, pt.full({ 10 }, 1), pt.full({ 10 }, 2.0), "prod")
    assert.same({ 1024.0, 1.0 }, y:tolist())
  end)

  it("lets NaN win, takes 0-dim and empty tensors", function()
    local y = pt.zeros(1):scatter_reduce(1, pt.tensor { 1, 1 }, pt.tensor { 0 / 0, 1.0 }, "amax")
    assert.is_true(y:isnan():item())
    assert.equal(5.0, pt.tensor(2.0):scatter_reduce(1, pt.tensor(1), pt.tensor(5.0), "amax"):item())
    local none = pt.zeros({ 0 }, { dtype = pt.int64 })
    assert.same({ 1.0, 2.0 }, pt.tensor({ 1.0, 2 }):scatter_reduce(1, none, pt.zeros(0), "prod"):tolist())
  end)

  it("edits in place, and its gradient reads the old x", function()
    local y = x:clone()
    assert.equal(y, y:scatter_reduce_(2, index, src, "sum"))
    close(scattered[1][3], y)
    for _, case in ipairs(scattered) do
      local a, b = x:clone():requires_grad_(), src:clone():requires_grad_()
      y = a * 1
      y:scatter_reduce_(2, index, b, case[1], case[2])
      y:backward(pt.tensor { { 1.0, 2, 3 }, { 4, 5, 6 } })
      close(case[4], a.grad)
      close(case[5], b.grad)
    end
  end)

  it("leaves x as it was where an id of many is refused", function()
    local y, bad = pt.zeros(3), pt.ones({ 5000 }, { dtype = pt.int64 })
    bad[4000] = 4
    for _, kind in ipairs { "sum", "amax" } do
      assert.error_matches(function() y:scatter_reduce_(1, bad, pt.ones(5000), kind) end,
        "scatter_reduce_?: index 4 at position 4000 is not from 1 to 3")
      assert.same({ 0.0, 0.0, 0.0 }, y:tolist())
    end
  end)

  it("has all dtypes of real numbers", function()
    local want = {
      sum = { 6, 12, 9 }, prod = { 6, 20, 9 }, mean = { 2, 4, 9 }, amax = { 3, 5, 9 }, amin = { 1, 3, 9 },
    }
    local alone = {
      sum = { 5, 9, 9 }, prod = { 6, 20, 9 }, mean = { 2.5, 4.5, 9 }, amax = { 3, 5, 9 }, amin = { 2, 4, 9 },
    }
    for dtype in ("float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8"):gmatch "%S+" do
      local whole = not pt[dtype].is_floating_point
      for kind, values in pairs(want) do
        local a = pt.tensor({ 1, 3, 9 }, { dtype = pt[dtype] })
        local b, id = pt.tensor({ 2, 4, 3, 5 }, { dtype = pt[dtype] }), pt.tensor { 1, 2, 1, 2 }
        if kind == "prod" then a[2] = 1 end
        assert.same(values, a:scatter_reduce(1, id, b, kind):double():floor():long():tolist(), dtype .. kind)
        local left = alone[kind]
        if whole and kind == "mean" then left = { 2, 4, 9 } end
        local y = a:scatter_reduce(1, id, b, kind, { include_self = false })
        assert.equal(pt[dtype], y.dtype)
        assert.same(left, pt.tensor(left).dtype.is_floating_point and y:double():tolist() or y:long():tolist(), kind)
      end
    end
    local t, id = pt.tensor { true, false }, pt.tensor { 1, 2 }
    assert.same({ true, true }, t:scatter_reduce(1, id, pt.tensor { false, true }, "amax"):tolist())
    assert.same({ false, true }, t:scatter_reduce(1, id, pt.tensor { false, true }, "amin", false):tolist())
  end)

  it("counts more elements than a half can", function()
    local n = 3000
    local y, ones = pt.zeros({ 1 }, { dtype = pt.bfloat16 }), pt.ones({ n }, { dtype = pt.bfloat16 })
    y = y:scatter_reduce(1, pt.ones({ n }, { dtype = pt.int64 }), ones, "mean", false)
    assert.near(256 / n, y:item(), 1e-3) -- a sum of bfloat16 ends at 256
  end)

  it("has gradients of products with zeros, the second too", function()
    local id = pt.tensor { 1, 1, 1, 2, 2, 3 }
    local function fn(inputs) return { inputs[1]:scatter_reduce(1, id, inputs[2], "prod") } end
    local v = pt.tensor({ 0.0, 2, 0, 3, 0, 5 }, { dtype = pt.float64 })
    local inputs = { pt.tensor({ 2.0, 0, 3, 4 }, { dtype = pt.float64 }), v }
    gradcheck.first(fn, inputs)
    gradcheck.second(fn, inputs)
  end)

  it("takes a larger x and src than index covers", function()
    local a, b = pt.ones(3, 4):requires_grad_(), pt.full({ 3, 5 }, 2.0):requires_grad_()
    local y = a:scatter_reduce(2, pt.tensor { { 1, 1 }, { 4, 2 } }, b, "prod")
    assert.same({ { 4.0, 1.0, 1.0, 1.0 }, { 1.0, 2.0, 1.0, 2.0 }, { 1.0, 1.0, 1.0, 1.0 } }, y:tolist())
    y:sum():backward()
    assert.same({ { 2.0, 2.0, 0.0, 0.0, 0.0 }, { 1.0, 1.0, 0.0, 0.0, 0.0 }, { 0.0, 0.0, 0.0, 0.0, 0.0 } },
      b.grad:tolist())
  end)

  it("refuses what does not fit", function()
    local function refused(message, ...)
      local args = table.pack(...)
      assert.error_matches(function() x:scatter_reduce(table.unpack(args, 1, args.n)) end, message)
    end
    refused("scatter_reduce: reduce 'max' is not sum, prod, mean, amax or amin", 2, index, src, "max")
    refused("scatter_reduce: x is float32 and src is int64", 2, index, src:long(), "amax")
    refused("differ in their number of dims", 2, pt.tensor { 1 }, src, "amax")
    refused("scatter_reduce: dim 3 of a tensor of 2 dims", 3, index, src, "amax")
    refused("scatter_reduce: index 4 at position 1, 3 is not from 1 to 3", 2, index + 2, src, "prod")
    refused("4", 2, index + 2, src, "sum")
  end)
end)

describe("index_reduce", function()
  for _, case in ipairs(indexed) do
    it(("by %s, x %s"):format(case[1], case[2] and "included" or "left out"), function()
      close(case[3], x:index_reduce(2, pt.tensor { 1, 1 }, src:narrow(2, 2, 2), case[1], { include_self = case[2] }))
    end)
  end

  it("refuses an index that does not name the entries of src", function()
    assert.error_matches(function() x:index_reduce(2, pt.tensor { 1 }, src, "amax") end, "index_reduce: index %[1%]")
  end)
end)

describe("sums of complex numbers at equal places", function()
  local ids = pt.tensor { { 1, 3, 1, 3 }, { 2, 2, 2, 1 }, { 3, 1, 3, 3 } }
  for _, dtype in ipairs { pt.float32, pt.float64 } do
    for dim = 1, 2 do
      it(("are those of their parts, of %s along dim %d"):format(dtype, dim), function()
        local function part() return pt.randn(3, 4, { dtype = dtype }) end
        local a, b, c, d, to = part(), part(), part(), part(), pt.zeros(3, 4, { dtype = dtype })
        local sums = pt.complex(a, b):scatter_add(dim, ids, pt.complex(c, d))
        assert.is_true(pt.equal(sums, pt.complex(a:scatter_add(dim, ids, c), b:scatter_add(dim, ids, d))))
        sums = pt.complex(to, to):index_add(dim, pt.tensor { 2, 2, 1 }, pt.complex(c, d):narrow(dim, 1, 3))
        assert.is_true(pt.equal(sums:real(), to:index_add(dim, pt.tensor { 2, 2, 1 }, c:narrow(dim, 1, 3))))
      end)
    end
  end
end)
