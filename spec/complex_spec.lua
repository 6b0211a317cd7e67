-- Complex tensors: each line is an expression and what PyTorch gives for it, complex numbers as pairs; then how they
-- print, gradients, memory, errors.
local pt = require "pt"
local cases = require "spec.support.cases"
local gradcheck = require "spec.support.gradcheck"
local compare = require "spec.support.compare"
local layouts = require "spec.support.layouts"

local function double(list) return pt.tensor(list, { dtype = pt.float64 }) end

local names = {
  pt = pt,
  z = pt.complex(double { 1, -2, 0.5 }, double { 0.5, 1.5, -1 }),
  w = pt.complex(double { { 2, 0, -1 }, { 0.25, 3, 1 } }, double { { 1, -1, 0.5 }, { 2, 0, -0.5 } }),
  x = double { { 1.5, -2, 0.5 }, { 3, 0.25, -1 } },
  k = pt.tensor { 1, 2, 3 },
  m = pt.complex(double { { 1, 2, 0 }, { 0.5, -1, 1 }, { 0, 1, 2 } },
    double { { 0, 1, 1 }, { -1, 0.5, 0 }, { 2, 0, -1 } }),
}

-- Of the sum of a function's real parts and twice its imaginary parts.
function names.grad(fn, x)
  local leaf = x:clone():requires_grad_()
  local y = fn(leaf)
  y = y.dtype.is_complex and y:real():sum() + 2 * y:imag():sum() or y:sum()
  y:backward()
  return leaf.grad
end

local values = {
  { "z + w", { { { 3.0, 1.5 }, { -2.0, 0.5 }, { -0.5, -0.5 } }, { { 1.25, 2.5 }, { 1.0, 1.5 }, { 1.5, -1.5 } } } },
  {
    "z - w",
    { { { -1.0, -0.5 }, { -2.0, 2.5 }, { 1.5, -1.5 } }, { { 0.75, -1.5 }, { -5.0, 1.5 }, { -0.5, -0.5 } } },
  },
  { "z * w", { { { 1.5, 2.0 }, { 1.5, 2.0 }, { 0.0, 1.25 } }, { { -0.75, 2.125 }, { -6.0, 4.5 }, { 0.0, -1.25 } } } },
  {
    "z / w",
    { { { 0.5, 0.0 }, { -1.5, -2.0 }, { -0.8, 0.6 } }, { { 0.307692308, -0.461538462 }, { -0.666666667, 0.5 }, {
    0.8, -0.6 } } },
  },
  { "z * 2", { { 2.0, 1.0 }, { -4.0, 3.0 }, { 1.0, -2.0 } } },
  { "2 - z", { { 1.0, -0.5 }, { 4.0, -1.5 }, { 1.5, 1.0 } } },
  { "1.5 / z", { { 1.2, -0.6 }, { -0.48, -0.36 }, { 0.6, 1.2 } } },
  { "z / 2", { { 0.5, 0.25 }, { -1.0, 0.75 }, { 0.25, -0.5 } } },
  { "x + z", { { { 2.5, 0.5 }, { -4.0, 1.5 }, { 1.0, -1.0 } }, { { 4.0, 0.5 }, { -1.75, 1.5 }, { -0.5, -1.0 } } } },
  { "x * z", { { { 1.5, 0.75 }, { 4.0, -3.0 }, { 0.25, -0.5 } }, { { 3.0, 1.5 }, { -0.5, 0.375 }, { -0.5, 1.0 } } } },
  { "z - x", { { { -0.5, 0.5 }, { 0.0, 1.5 }, { 0.0, -1.0 } }, { { -2.0, 0.5 }, { -2.25, 1.5 }, { 1.5, -1.0 } } } },
  {
    "x / z",
    { { { 1.2, -0.6 }, { 0.64, 0.48 }, { 0.2, 0.4 } }, { { 2.4, -1.2 }, { -0.08, -0.06 }, { -0.4, -0.8 } } },
  },
  { "z + k", { { 2.0, 0.5 }, { 0.0, 1.5 }, { 3.5, -1.0 } } },
  { "z * k", { { 1.0, 0.5 }, { -4.0, 3.0 }, { 1.5, -3.0 } } },
  { "-z", { { -1.0, -0.5 }, { 2.0, -1.5 }, { -0.5, 1.0 } } },
  { "z:abs()", { 1.11803399, 2.5, 1.11803399 } },
  { "z:angle()", { 0.463647609, 2.49809154, -1.10714872 } },
  { "x:angle()", { { 0.0, 3.14159265, 0.0 }, { 0.0, 0.0, 3.14159265 } } },
  { "z:conj()", { { 1.0, -0.5 }, { -2.0, -1.5 }, { 0.5, 1.0 } } },
  { "z:real()", { 1.0, -2.0, 0.5 } },
  { "z:imag()", { 0.5, 1.5, -1.0 } },
  { "z:square()", { { 0.75, 1.0 }, { 1.75, -6.0 }, { -0.75, -1.0 } } },
  { "z:reciprocal()", { { 0.8, -0.4 }, { -0.32, -0.24 }, { 0.4, 0.8 } } },
  { "z:exp()", { { 2.38551673, 1.30321373 }, { 0.00957323922, 0.134996267 }, { 0.890807904, -1.38735111 } } },
  { "z:log()", { { 0.111571776, 0.463647609 }, { 0.916290732, 2.49809154 }, { 0.111571776, -1.10714872 } } },
  { "z:sqrt()", { { 1.02908551, 0.242934136 }, { 0.5, 1.5 }, { 0.89945372, -0.55589297 } } },
  { "z:sin()", { { 0.948864531, 0.281548995 }, { -2.13904001, -0.886092909 }, { 0.739792264, -1.03133607 } } },
  { "z:cos()", { { 0.609258909, -0.43848658 }, { -0.97894782, 1.93614833 }, { 1.35418066, 0.563421465 } } },
  { "z:tanh()", { { 0.842966205, 0.19557731 }, { -1.03692028, 0.00536206092 }, { 1.04283073, -0.806877412 } } },
  { "z ^ 2", { { 0.75, 1.0 }, { 1.75, -6.0 }, { -0.75, -1.0 } } },
  { "z ^ 3", { { 0.25, 1.375 }, { 5.5, 14.625 }, { -1.375, 0.25 } } },
  { "z ^ 1.5", { { 0.907618446, 0.757476893 }, { -3.25, -2.25 }, { -0.10616611, -1.17740021 } } },
  {
    "z ^ w",
    { { { 0.398774268, 0.677597952 }, { 7.40216112, -9.64654186 }, { 0.617111797, 1.42819752 } }, { {
    0.38365259, 0.135304484 }, { 5.5, 14.625 }, { 0.254944286, -0.590024042 } } },
  },
  { "(z * 0) ^ 2.5", { { 0.0, 0.0 }, { 0.0, 0.0 }, { 0.0, 0.0 } } },
  { "w:sum()", { 5.25, 2.0 } },
  { "w:sum(1)", { { 2.25, 3.0 }, { 3.0, -1.0 }, { 0.0, 0.0 } } },
  { "w:sum(-1, true)", { { { 1.0, 0.5 } }, { { 4.25, 1.5 } } } },
  { "w:mean{1, 2}", { 0.875, 0.333333333 } },
  { "w:mean(2)", { { 0.333333333, 0.166666667 }, { 1.41666667, 0.5 } } },
  {
    "w:cumsum(2)",
    { { { 2.0, 1.0 }, { 2.0, 0.0 }, { 1.0, 0.5 } }, { { 0.25, 2.0 }, { 3.25, 2.0 }, { 4.25, 1.5 } } },
  },
  { "z:eq(z:conj())", { false, false, false } },
  { "w:ne(w:real())", { { true, true, true }, { true, false, true } } },
  {
    "pt.where(x:gt(0), w, z)",
    { { { 2.0, 1.0 }, { -2.0, 1.5 }, { -1.0, 0.5 } }, { { 0.25, 2.0 }, { 3.0, 0.0 }, { 0.5, -1.0 } } },
  },
  {
    "pt.where(x:gt(0), w, 0)",
    { { { 2.0, 1.0 }, { 0.0, 0.0 }, { -1.0, 0.5 } }, { { 0.25, 2.0 }, { 3.0, 0.0 }, { 0.0, 0.0 } } },
  },
  {
    "w:masked_fill(x:gt(0), 7)",
    { { { 7.0, 0.0 }, { 0.0, -1.0 }, { 7.0, 0.0 } }, { { 7.0, 0.0 }, { 7.0, 0.0 }, { 1.0, -0.5 } } },
  },
  {
    "pt.complex(x, x)",
    { { { 1.5, 1.5 }, { -2.0, -2.0 }, { 0.5, 0.5 } }, { { 3.0, 3.0 }, { 0.25, 0.25 }, { -1.0, -1.0 } } },
  },
  {
    "pt.polar(x:abs(), x)",
    { { { 0.106105803, 1.49624248 }, { -0.832293673, -1.81859485 }, { 0.438791281, 0.239712769 } }, { {
    -2.96997749, 0.423360024 }, { 0.242228105, 0.0618509898 }, { 0.540302306, -0.841470985 } } },
  },
  {
    "m:mm(m)",
    { { { 1.0, -1.5 }, { -0.5, 2.0 }, { 3.0, 4.0 } }, { { 0.5, 2.25 }, { 3.75, -2.5 }, { 2.0, 0.0 } }, { { 2.5,
    5.0 }, { -1.0, 3.5 }, { 2.0, -4.0 } } },
  },
  { "m:matmul(z)", { { -3.5, 2.0 }, { 2.75, -4.25 }, { -3.0, 1.0 } } },
  {
    "w:matmul(m)",
    { { { 0.0, -1.5 }, { 2.5, 5.5 }, { -2.5, 3.0 } }, { { 2.75, 1.0 }, { -3.5, 5.25 }, { 2.5, -1.75 } } },
  },
  {
    "pt.stack{m, m:t()}:bmm(pt.stack{m, m})",
    { { { { 1.0, -1.5 }, { -0.5, 2.0 }, { 3.0, 4.0 } }, { { 0.5, 2.25 }, { 3.75, -2.5 }, { 2.0, 0.0 } }, { {
    2.5, 5.0 }, { -1.0, 3.5 }, { 2.0, -4.0 } } }, { { { -3.75, -1.0 }, { 2.0, 4.25 }, { 2.5, 4.0 } }, { { 2.0,
    4.25 }, { 4.75, 3.0 }, { 0.0, 1.5 } }, { { 2.5, 4.0 }, { 0.0, 1.5 }, { 3.0, -4.0 } } } },
  },
  {
    "m:t():mm(m:conj())",
    { { { 6.25, 0.0 }, { 1.0, 1.75 }, { -1.5, 2.0 } }, { { 1.0, -1.75 }, { 7.25, 0.0 }, { 2.0, -0.5 } }, { {
    -1.5, -2.0 }, { 2.0, 0.5 }, { 7.0, 0.0 } } },
  },
  { "z:dot(z)", { 1.75, -6.0 } },
  {
    "pt.cat{z, w:select(1, 1)}",
    { { 1.0, 0.5 }, { -2.0, 1.5 }, { 0.5, -1.0 }, { 2.0, 1.0 }, { 0.0, -1.0 }, { -1.0, 0.5 } },
  },
  { "w:t():reshape(-1)", { { 2.0, 1.0 }, { 0.25, 2.0 }, { 0.0, -1.0 }, { 3.0, 0.0 }, { -1.0, 0.5 }, { 1.0, -0.5 } } },
  { "w:index_select(2, pt.tensor{3, 1})", { { { -1.0, 0.5 }, { 2.0, 1.0 } }, { { 1.0, -0.5 }, { 0.25, 2.0 } } } },
  { "w[x:gt(0)]", { { 2.0, 1.0 }, { -1.0, 0.5 }, { 0.25, 2.0 }, { 3.0, 0.0 } } },
  { "w:flip(2)", { { { -1.0, 0.5 }, { 0.0, -1.0 }, { 2.0, 1.0 } }, { { 1.0, -0.5 }, { 3.0, 0.0 }, { 0.25, 2.0 } } } },
  {
    "w:roll(1, 2)",
    { { { -1.0, 0.5 }, { 2.0, 1.0 }, { 0.0, -1.0 } }, { { 1.0, -0.5 }, { 0.25, 2.0 }, { 3.0, 0.0 } } },
  },
  { "z:to(pt.complex64):double()", { 1.0, -2.0, 0.5 } },
  {
    "x:to(pt.complex128)",
    { { { 1.5, 0.0 }, { -2.0, 0.0 }, { 0.5, 0.0 } }, { { 3.0, 0.0 }, { 0.25, 0.0 }, { -1.0, 0.0 } } },
  },
  {
    "grad(function(a) return a:abs() end, z)",
    { { 0.894427191, 0.447213595 }, { -0.8, 0.6 }, { 0.447213595, -0.894427191 } },
  },
  { "grad(function(a) return (a * 0):abs() end, z)", { { 0.0, 0.0 }, { 0.0, 0.0 }, { 0.0, 0.0 } } },
  { "grad(function(a) return a:angle() end, z)", { { -0.4, 0.8 }, { -0.24, -0.32 }, { 0.8, 0.4 } } },
  { "grad(function(a) return a * a end, z)", { { 4.0, 3.0 }, { 2.0, -11.0 }, { -3.0, 4.0 } } },
  { "grad(function(a) return w / a end, z)", { { -3.0, -6.0 }, { -1.12, -0.16 }, { 0.0, 0.0 } } },
  {
    "grad(function(a) return a / w end, z)",
    { { -0.923076923, 1.61538462 }, { 2.33333333, -0.333333333 }, { 0.0, 0.0 } },
  },
  {
    "grad(function(a) return a:exp() * z end, x)",
    { { 8.96337814, 0.135335283, -2.47308191 }, { 40.1710738, 1.28402542, -0.551819162 } },
  },
  { "grad(function(a) return a:log() end, z)", { { 0.0, 2.0 }, { -0.8, -0.4 }, { 2.0, 0.0 } } },
  { "grad(function(a) return a ^ 3 end, z)", { { 8.25, 1.5 }, { -30.75, 28.5 }, { -8.25, -1.5 } } },
  {
    "grad(function(a) return a:conj():mm(m) end, m)",
    { { { 7.0, -4.0 }, { -0.5, -1.5 }, { 5.0, -5.0 } }, { { 7.0, -4.0 }, { -0.5, -1.5 }, { 5.0, -5.0 } }, { {
    7.0, -4.0 }, { -0.5, -1.5 }, { 5.0, -5.0 } } },
  },
  { "grad(function(a) return m:matmul(a) end, z)", { { 3.5, 2.0 }, { 5.0, 2.5 }, { 3.0, 6.0 } } },
  { "grad(function(a) return pt.complex(a, a * 2):square() end, x)", { { 15.0, -20.0, 5.0 }, { 30.0, 2.5, -10.0 } } },
  {
    "grad(function(a) return pt.polar(a:abs(), a) end, x)",
    { { 0.7816963, 2.3887492, 2.47430343 }, { -7.07106748, 1.88632556, 3.06471526 } },
  },
  { "grad(function(a) return a:real() * a:imag() end, z)", { { 0.5, 1.0 }, { 1.5, -2.0 }, { -1.0, 0.5 } } },
  {
    "grad(function(a) return (a * z + w):mean() end, x)",
    { { 0.333333333, 0.166666667, -0.25 }, { 0.333333333, 0.166666667, -0.25 } },
  },
  {
    "grad(function(a) return a:index_select(1, pt.tensor{1, 1, 3}) * a end, z)",
    { { 5.0, -2.5 }, { 2.0, 1.5 }, { -3.0, 4.0 } },
  },
}

local printed = {
  { "pt.complex(pt.tensor{1, -2, 0.5}, pt.tensor{0.5, 1.5, -1})",
    "tensor([ 1.0000+0.5000j, -2.0000+1.5000j,  0.5000-1.0000j])" },
  { "pt.complex(pt.tensor{{100, -2}, {0.5, 1}}, pt.tensor{{0, 1}, {1e5, -3}})",
    "tensor([[100.0000+0.0000e+00j,  -2.0000+1.0000e+00j],\n        [  0.5000+1.0000e+05j,   1.0000-3.0000e+00j]])" },
  { "pt.complex(pt.tensor(1.0), pt.tensor(-2.5))", "tensor(1.-2.5000j)" },
  { "pt.zeros({2}, {dtype = pt.complex128})", "tensor([0.+0.j, 0.+0.j], dtype=pt.complex128)" },
  { "pt.complex(pt.arange(1200):float(), pt.ones(1200))",
    "tensor([0.0000e+00+1.j, 1.0000e+00+1.j, 2.0000e+00+1.j,  ...,\n"
    .. "        1.1970e+03+1.j, 1.1980e+03+1.j, 1.1990e+03+1.j])" },
  { "pt.complex(pt.tensor{0 / 0, 1 / 0}, pt.tensor{1, -1 / 0})", "tensor([nan+1.j, inf-infj])" },
  { "pt.zeros({0}, {dtype = pt.complex64})", "tensor([], dtype=pt.complex64)" },
  { "pt.complex(pt.tensor{1, 2.0}, pt.tensor{3, 4.0}):requires_grad_()",
    "tensor([1.+3.j, 2.+4.j], requires_grad=True)" },
}

local refused = {
  { "z:amax()", "amax", "complex" }, { "z:lt(z)", "lt", "complex" }, { "z:sort()", "sort", "complex" },
  { "z:floor()", "floor", "complex" }, { "pt.zeros(3):add_(z)", "add_", "complex", "float32" },
  { "z:tolist()", "view_as_real" }, { "x:view_as_real()", "must be complex" }, { "x:imag()", "imaginary" },
  { "x:view_as_complex()", "two neighbours" }, { "pt.complex(x, z)", "complex" }, { "pt.complex(k, k)", "int64" },
  { "pt.complex(x, x:float())", "float32" }, { "z:mm(m)", "matrix" },
  { "m:mm(m:to(pt.complex64))", "complex64" }, { "z:clone():requires_grad_():sum():backward()", "complex" },
  { "pt.zeros(3):masked_fill(x[1]:gt(0), z[1])", "complex value" },
}

local function same(x, y)
  local text = compare.difference(x, y, 1e-12, 1e-12)
  if text then error(text, 2) end
end

describe("complex", function()
  for _, case in ipairs(values) do
    it(case[1], function() cases.check(case, names) end)
  end
  for _, case in ipairs(refused) do
    it("refuses " .. case[1], function() cases.refuse(case, names) end)
  end
  for _, case in ipairs(printed) do
    it("prints " .. case[1], function()
      assert.equal(case[2], tostring(load("return " .. case[1], "=case", "t", names)()))
    end)
  end

  it("views share memory, and edits through them are seen", function()
    local z = names.z:clone()
    z:real():fill_(7)
    z:view_as_real():select(2, 2):mul_(2)
    cases.check({ "z", { { 7.0, 1.0 }, { 7.0, 3.0 }, { 7.0, -2.0 } } }, { z = z })
    local pairs_of = pt.zeros(2, 2)
    pairs_of:view_as_complex():add_(1)
    assert.same({ { 1.0, 0.0 }, { 1.0, 0.0 } }, pairs_of:tolist())
  end)

  it("edits in place", function()
    local z = names.z:clone()
    assert.equal(z, z:mul_(names.z))
    same(z, names.z * names.z)
    z:zero_():add_(names.z):div_(2)
    same(z, names.z / 2)
    z[2] = 5
    assert.same({ 5.0, 0.0 }, { z[2]:item() })
    z:masked_fill_(pt.tensor { true, false, false }, 1)
    assert.same({ 1.0, 0.0 }, { z[1]:item() })
  end)

  it("works on any view", function()
    for name, layout in pairs(layouts) do
      local w = layout(names.w)
      local dense = w:clone()
      same(w * w, dense * dense)
      same(w:abs(), dense:abs())
      same(w:sum(1), dense:sum(1))
      same(w:matmul(names.m), dense:matmul(names.m))
      same(w:view_as_real(), dense:view_as_real())
      if name ~= "expanded" then same(layout(names.w):mul_(2), names.w * 2) end
    end
  end)

  it("takes part in promotion", function()
    local c64 = pt.zeros({ 2 }, { dtype = pt.complex64 })
    assert.equal(pt.complex64, (c64 + 1.5).dtype)
    assert.equal(pt.complex64, (c64 + pt.zeros(2)).dtype)
    assert.equal(pt.complex64, (pt.zeros({ 2 }, { dtype = pt.int64 }) * c64).dtype)
    assert.equal(pt.complex128, (c64 + pt.zeros({ 2 }, { dtype = pt.float64 })).dtype)
    assert.equal(pt.complex128, pt.promote_types(pt.complex64, pt.float64))
    assert.equal(pt.float32, c64:abs().dtype)
  end)

  it("is drawn with variance 1", function()
    pt.manual_seed(1)
    local z = pt.randn({ 20000 }, { dtype = pt.complex64 })
    local mean = (z * z:conj()):real():mean():item()
    assert(math.abs(mean - 1) < 0.03, mean)
  end)

  it("divides large and small numbers", function()
    local z = pt.complex(pt.tensor { 1e30, 1e-30 }, pt.tensor { 1e30, 1e-30 })
    same((z / z):view_as_real(), pt.tensor { { 1.0, 0.0 }, { 1.0, 0.0 } })
    assert(math.abs(z:abs()[1]:item() / 1.41421356e30 - 1) < 1e-6)
  end)

  it("has gradients that can be differentiated", function()
    local functions = {
      function(z, w) return z * w / (z + 2 * w) end,
      function(z, w) return (z:exp() * w:conj()):abs() end,
      function(z, w) return z:log() + w:sqrt() + z:tanh() * w:sin() end,
      function(z, w) return (z:unsqueeze(1) * w:unsqueeze(2)):sum(1):square() ^ 1.5 end,
      function(z, w) return z:unsqueeze(1):mm(w:unsqueeze(2)):angle() end,
    }
    local a, b = names.z, names.w:select(1, 2)
    for _, fn in ipairs(functions) do
      local function list(xs) return { fn(table.unpack(xs)) } end
      assert.is_true(gradcheck.first(list, { a, b }))
      assert.is_true(gradcheck.second(list, { a, b }))
    end
  end)

  it("refuses edits of a view whose history counts in another dtype", function()
    local z = names.z:clone():requires_grad_()
    local y = z * z
    local ok, err = pcall(function() y:view_as_real():mul_(2) end)
    assert(not ok and err:find "another dtype", err)
    y = z * 2
    y:add_(1):mul_(2)
    y = y * z -- 4 z^2 + 2 z
    y:real():sum():backward()
    same(z.grad, (8 * names.z + 2):conj())
  end)
end)
