-- Tensors out of nothing: values, dtypes, options, and what is refused.
local pt = require "pt"

local function eval(text) return assert(load("return " .. text, "=case", "t", { pt = pt, math = math }))() end

describe("creation", function()
  -- expression, values, dtype
  local cases = {
    { "pt.zeros(2, 3)", { { 0.0, 0.0, 0.0 }, { 0.0, 0.0, 0.0 } }, "float32" },
    { "pt.zeros({2}, {dtype = pt.int64})", { 0, 0 }, "int64" },
    { "pt.ones(2, {dtype = pt.bool})", { true, true }, "bool" },
    { "pt.zeros({})", 0.0, "float32" },
    { "pt.zeros({}, {dtype = pt.int64})", 0, "int64" },
    { "pt.zeros(0)", {}, "float32" },
    { "pt.zeros(pt.ones(1, 2).shape)", { { 0.0, 0.0 } }, "float32" },
    { "pt.full({2}, 7)", { 7, 7 }, "int64" },
    { "pt.full({2}, 0.5)", { 0.5, 0.5 }, "float32" },
    { "pt.full({1}, true)", { true }, "bool" },
    { "pt.full(2, 1, {dtype = pt.float64})", { 1.0, 1.0 }, "float64" },
    { "pt.zeros_like(pt.full({2}, 7))", { 0, 0 }, "int64" },
    { "pt.ones(2):full_like(3)", { 3.0, 3.0 }, "float32" },
    { "pt.full({1}, 7):ones_like({dtype = pt.float32})", { 1.0 }, "float32" },
    { "pt.full({1}, 7):new_zeros(1, 2)", { { 0, 0 } }, "int64" },
    { "pt.ones(1):new_full({2}, 3)", { 3.0, 3.0 }, "float32" },
    { "pt.ones(1):new_tensor({1, 2})", { 1.0, 2.0 }, "float32" },
    { "pt.tensor(3)", 3, "int64" },
    { "pt.tensor({{1, 2}, {3, 4.5}})", { { 1.0, 2.0 }, { 3.0, 4.5 } }, "float32" },
    { "pt.tensor({1.9, -1.9}, {dtype = pt.int64})", { 1, -1 }, "int64" },
    { "pt.eye(2)", { { 1.0, 0.0 }, { 0.0, 1.0 } }, "float32" },
    { "pt.eye(2, 3, {dtype = pt.int64})", { { 1, 0, 0 }, { 0, 1, 0 } }, "int64" },
    { "pt.eye(0)", {}, "float32" },
    { "pt.arange(5)", { 0, 1, 2, 3, 4 }, "int64" },
    { "pt.arange(2, 6)", { 2, 3, 4, 5 }, "int64" },
    { "pt.arange(1, 10, 4)", { 1, 5, 9 }, "int64" },
    { "pt.arange(1, 9, 4)", { 1, 5 }, "int64" },
    { "pt.arange(3, 1, -1)", { 3, 2 }, "int64" },
    { "pt.arange(0, 1, 0.25)", { 0.0, 0.25, 0.5, 0.75 }, "float32" },
    { "pt.arange(5.0)", { 0.0, 1.0, 2.0, 3.0, 4.0 }, "float32" },
    { "pt.arange(2.5)", { 0.0, 1.0, 2.0 }, "float32" },
    { "pt.arange(1, 2.5, 0.5)", { 1.0, 1.5, 2.0 }, "float32" },
    { "pt.arange(0.5, 4.5, {dtype = pt.int64})", { 0, 1, 2, 3 }, "int64" },
    { "pt.arange(0)", {}, "int64" },
    { "pt.arange(4, 4)", {}, "int64" },
    { "pt.arange(4, 4, -1)", {}, "int64" },
    { "pt.arange(3, {dtype = pt.float32})", { 0.0, 1.0, 2.0 }, "float32" },
    { "pt.range(1, 5)", { 1, 2, 3, 4, 5 }, "int64" },
    { "pt.range(2, 9, 3)", { 2, 5, 8 }, "int64" },
    { "pt.range(2, 8, 3)", { 2, 5, 8 }, "int64" },
    { "pt.range(3, 1, -1)", { 3, 2, 1 }, "int64" },
    { "pt.range(1, 0)", {}, "int64" },
    { "pt.range(0, 1, 0.25)", { 0.0, 0.25, 0.5, 0.75, 1.0 }, "float32" },
    { "pt.range(1, 2, {dtype = pt.float64})", { 1.0, 2.0 }, "float64" },
    { "pt.linspace(0, 1, 5)", { 0.0, 0.25, 0.5, 0.75, 1.0 }, "float32" },
    { "pt.linspace(3, 9, 1)", { 3.0 }, "float32" },
    { "pt.linspace(3, 9, 0)", {}, "float32" },
    { "pt.logspace(0, 2, 3)", { 1.0, 10.0, 100.0 }, "float32" },
    { "pt.logspace(0, 3, 4, 2)", { 1.0, 2.0, 4.0, 8.0 }, "float32" },
    { "pt.one_hot(pt.tensor {1, 3})", { { 1, 0, 0 }, { 0, 0, 1 } }, "int64" },
    { "pt.one_hot(pt.tensor {2}, 4)", { { 0, 1, 0, 0 } }, "int64" },
  }
  for _, case in ipairs(cases) do
    it(case[1], function()
      local x = eval(case[1])
      assert.same(case[2], x:tolist())
      assert.equal(case[3], tostring(x.dtype))
    end)
  end

  -- math.ceil((end - start) / step) numbers, as PyTorch counts them, rounding included.
  it("counts steps of fractions as PyTorch does", function()
    for _, case in ipairs { { 0, 1, 0.1, 10 }, { 0, 0.3, 0.1, 3 }, { 1, 1.3, 0.1, 4 }, { 0, -1, -0.3, 4 } } do
      assert.equal(case[4], pt.arange(table.unpack(case, 1, 3)):numel())
    end
    for _, case in ipairs { { 0, 0.25, 0.1, 3 }, { 0, 0.3, 0.1, 4 }, { 0, 1, 0.1, 11 } } do
      assert.equal(case[4], pt.range(table.unpack(case, 1, 3)):numel()) -- the end counts in spite of rounding
    end
  end)

  it("linspace ends where it shall", function()
    assert.equal(0.7, pt.linspace(0.1, 0.7, 7, { dtype = pt.float64 })[7]:item())
  end)

  it("takes requires_grad", function()
    assert.is_true(pt.randn(2, { requires_grad = true }).requires_grad)
    assert.is_true(pt.tensor({ 1.5 }, { requires_grad = true }).requires_grad)
    assert.is_false(pt.zeros(2).requires_grad)
  end)

  local refused = {
    { "pt.zeros(2, {dtpye = pt.int64})", "zeros: unknown option 'dtpye'; did you mean 'dtype'%?" },
    { "pt.zeros(2, {colour = 1})",
      "zeros: unknown option 'colour'; it takes size, dtype, device, requires_grad, generator" },
    { "pt.zeros(2.5)", "zeros: size must be a list of integers, got 2.5 at entry 1" },
    { "pt.zeros(0 / 0)", "zeros: size must be a list of integers, got %-?nan at entry 1" },
    { "pt.zeros(2, 'x')", "zeros: size must be a list of integers, got 'x' at entry 2" },
    { "pt.zeros(-1)", "zeros: size %-1 of dim 1 is negative" },
    { "pt.ones(1 << 40, 1 << 40)", "ones: " },
    { "pt.zeros(2, {dtype = 'float33'})", "zeros: dtype must be a dtype like pt.float32, got 'float33'" },
    { "pt.arange(5, 1)", "arange: start 5, stop 1 and step 1: the step leads away from stop" },
    { "pt.arange(-3)", "arange: start 0, stop %-3 and step 1" },
    { "pt.range(1, 5, 0)", "range: step is 0" },
    { "pt.range(5)", "range: stop is missing: pt.range%(1, 5%) are positions, pt.arange%(5%) counts from 0" },
    { "pt.randint(4, 4, {2})", "randint: low 4 and high 4 %(which is excluded%)" },
    { "pt.arange(1, 5, 0)", "arange: step is 0" },
    { "pt.arange(0 / 0)", "arange: stop is %-?nan" },
    { "pt.arange('5')", "arange: start must be a number, got '5'" },
    { "pt.linspace(0, 1)", "linspace: steps is missing, an integer" },
    { "pt.linspace(0, 1, -1)", "linspace: steps is %-1, but must be 0 or more" },
    { "pt.randint(6, 1, {2})", "randint: low 6 and high 1 %(which is excluded%)" },
    { "pt.tensor({{1, 2}, {3}})", "tensor: " },
    { "pt.tensor('x')", "tensor: " },
    { "pt.full('x', 1)", "full: size must be a size or a list of sizes, got 'x'" },
    { "pt.one_hot(pt.tensor {0})", "one_hot: class ids count from 1" },
    { "pt.multinomial(pt.tensor {0.0, 1.0}, 2)", "multinomial: 2 draws without replacement" },
    { "pt.multinomial(pt.tensor {-1.0, 1.0}, 1)", "multinomial: weights must not be negative" },
  }
  for _, case in ipairs(refused) do
    it("refuses " .. case[1], function() assert.error_matches(function() eval(case[1]) end, case[2]) end)
  end
end)

describe("random numbers", function()
  before_each(function() pt.manual_seed(1) end)

  -- expression, least, most, mean
  local n = 20000
  local draws = {
    { "pt.rand(20000)", 0, 1, 0.5 },
    { "pt.randn(20000)", -7, 7, 0 },
    { "pt.randint(6, {20000})", 0, 5, 2.5 },
    { "pt.randint(-2, 3, {20000})", -2, 2, 0 },
    { "pt.zeros(20000):rand_like()", 0, 1, 0.5 },
    { "pt.zeros(20000):randint_like(3)", 0, 2, 1 },
    { "pt.normal(5, 0.5, {20000})", 0, 10, 5 },
    { "pt.full({20000}, 0.25):bernoulli()", 0, 1, 0.25 },
    { "pt.zeros(20000):bernoulli_(0.75)", 0, 1, 0.75 },
    { "pt.zeros(20000):uniform_(-1, 3)", -1, 3, 1 },
    { "pt.zeros(20000):normal_(2, 0.1)", 1, 3, 2 },
    { "pt.zeros(20000):exponential_(2)", 0, 50, 0.5 },
    { "pt.zeros(20000):random_(1, 7)", 1, 6, 3.5 },
    { "pt.zeros(20000):geometric_(0.5)", 1, 60, 2 },
    { "pt.zeros(20000):log_normal_(0, 0.1)", 0, 5, math.exp(0.005) },
    { "pt.multinomial(pt.tensor {1.0, 0.0, 3.0}, 20000, true)", 1, 3, 2.5 },
  }
  for _, case in ipairs(draws) do
    it(case[1], function()
      local x = eval(case[1]):double()
      assert.equal(n, x:numel())
      assert.is_true(x:min():item() >= case[2] and x:max():item() <= case[3])
      local spread = x:std():item()
      assert.near(case[4], x:mean():item(), 5 * spread / math.sqrt(n))
    end)
  end

  it("are the same for the same seed", function()
    local a = pt.randn(5)
    pt.manual_seed(1)
    assert.same(a:tolist(), pt.randn(5):tolist())
    assert.not_same(a:tolist(), pt.randn(5):tolist())
  end)

  it("randperm and multinomial without replacement draw each id once", function()
    for _, x in ipairs { pt.randperm(9), pt.rand(9):add(0.1):multinomial(9) } do
      assert.same(pt.range(1, 9):tolist(), (x:sort()):tolist())
    end
  end)

  it("multinomial draws in rows", function()
    local x = pt.tensor { { 0.0, 1.0 }, { 1.0, 0.0 } }
    assert.same({ { 2 }, { 1 } }, x:multinomial(1):tolist())
    assert.same({ { 2, 2, 2 }, { 1, 1, 1 } }, x:multinomial(3, true):tolist())
  end)
end)

describe("help", function()
  local function printed(...)
    local lines, original = {}, print
    _G.print = function(text) lines[#lines + 1] = text end
    local ok, err = pcall(pt.help, ...)
    _G.print = original
    assert(ok, err)
    return table.concat(lines, "\n")
  end

  for _, case in ipairs {
    { "sum", "^pt%.sum%(x, %[dim%], keepdim = false, %[dtype%]%)\n" },
    { "var", "^pt%.var%(x, %[dim%], correction = 1, keepdim = false, %[unbiased%]%)\n  variance" },
    { "sort", "%-> values, indices\n" },
    { "summ", "^no function 'summ'; did you mean 'sum'%?" },
    { "tensor_splti", "did you mean 'tensor_split'%?" },
  } do
    it("tells about " .. case[1], function() assert.matches(case[2], printed(case[1])) end)
  end

  it("knows functions by value", function()
    assert.matches("^pt%.var%(", printed(pt.var))
    assert.matches("^pt%.sum%(", printed(pt.sum))
  end)

  it("lists every name once", function()
    local seen = {}
    for _, op in ipairs(pt.ops()) do
      assert.is_nil(seen[op.name])
      seen[op.name] = true
      assert.is_string(op.sig)
      assert.is_string(op.help)
    end
    assert.is_true(seen.sum and seen.var and seen.arange)
  end)
end)
