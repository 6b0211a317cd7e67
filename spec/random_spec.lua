-- Generators and their states; distributions that are made of others.
local pt = require "pt"
local target = require "spec.support.device"(it, pending)

describe("a generator", function()
  it("draws its own stream, and leaves the thread's alone", function()
    pt.manual_seed(1)
    local plain = pt.rand(4):tolist()
    pt.manual_seed(1)
    local g = pt.Generator():manual_seed(5)
    local a = pt.rand(4, { generator = g })
    assert.same(plain, pt.rand(4):tolist())
    g:manual_seed(5)
    assert.same(a:tolist(), pt.zeros(4):uniform_({ generator = g }):tolist())
    assert.not_same(a:tolist(), pt.rand(4, { generator = g }):tolist())
    pt.manual_seed(5)
    assert.same(a:tolist(), pt.rand(4):tolist())
  end)

  local weights = pt.tensor { 0.2, 0.5, 0.3 }
  local draws = {
    rand = function(g) return pt.rand(3, { generator = g }) end,
    randn_like = function(g) return pt.zeros(3):randn_like { generator = g } end,
    new = function(g) return pt.zeros(1):new_rand(3, { generator = g }) end,
    randint = function(g) return pt.randint(1, 101, { 3 }, { generator = g }) end,
    randperm = function(g) return pt.randperm(9, { generator = g }) end,
    normal = function(g) return pt.normal(0, 1, { 3 }, { generator = g }) end,
    normal_of_tensors = function(g) return pt.normal(weights, 1, { generator = g }) end,
    normal_ = function(g) return pt.zeros(3):normal_(0, 1, { generator = g }) end,
    random_ = function(g) return pt.zeros(3):random_(1, 1001, { generator = g }) end,
    bernoulli = function(g) return pt.full({ 64 }, 0.5):bernoulli { generator = g } end,
    bernoulli_ = function(g) return pt.zeros(64):bernoulli_(0.5, { generator = g }) end,
    exponential_ = function(g) return pt.zeros(3):exponential_ { generator = g } end,
    geometric_ = function(g) return pt.zeros(64):geometric_(0.2, { generator = g }) end,
    cauchy_ = function(g) return pt.zeros(3):cauchy_ { generator = g } end,
    log_normal_ = function(g) return pt.zeros(3):log_normal_ { generator = g } end,
    multinomial = function(g) return weights:multinomial(64, true, { generator = g }) end,
    poisson = function(g) return pt.full({ 8 }, 30.0):poisson { generator = g } end,
  }
  for name, draw in pairs(draws) do
    it("serves " .. name, function()
      local before = pt.get_rng_state():tolist()
      local a, b = draw(pt.Generator():manual_seed(3)), draw(pt.Generator():manual_seed(3))
      assert.same(a:tolist(), b:tolist())
      assert.not_same(a:tolist(), draw(pt.Generator():manual_seed(4)):tolist())
      assert.same(before, pt.get_rng_state():tolist())
    end)
  end

  it("goes back to a state", function()
    local g = pt.Generator():manual_seed(9)
    pt.rand(5, { generator = g })
    local state = g:get_state()
    local a = pt.rand(5, { generator = g })
    assert.same(a:tolist(), pt.rand(5, { generator = pt.Generator():set_state(state) }):tolist())
    assert.equal(9, g:initial_seed())
    assert.equal("Generator(seed=9)", tostring(g))
    assert.not_equal(g:seed(), g:seed())
  end)

  it("stays behind an error where it was", function()
    local before = pt.get_rng_state():tolist()
    assert.error_matches(function() pt.zeros(3):uniform_(2, 1, { generator = pt.Generator() }) end, "uniform")
    assert.same(before, pt.get_rng_state():tolist())
  end)

  it("is refused where it is none", function()
    assert.error_matches(function() pt.rand(2, { generator = 7 }) end, "generator must be a pt.Generator, got a number")
    assert.error_matches(function() pt.Generator():manual_seed("x") end, "manual_seed: seed must be an integer")
    assert.error_matches(function() pt.Generator():set_state(pt.zeros(3)) end, "set_state: state must be what")
  end)
end)

describe("the thread's generator", function()
  it("goes back to a state", function()
    pt.manual_seed(2)
    pt.rand(3)
    local state = pt.get_rng_state()
    local a = pt.randn(5)
    pt.set_rng_state(state)
    assert.same(a:tolist(), pt.randn(5):tolist())
    assert.equal(2, pt.initial_seed())
    local seed = pt.seed()
    assert.equal(seed, pt.initial_seed())
    assert.not_equal(seed, pt.seed())
  end)
end)

describe("poisson", function()
  local n = 20000
  for _, rate in ipairs { 0.0, 0.3, 4.0, 9.9, 10.0, 40.0, 3000.0 } do
    it("has mean and variance " .. rate, function()
      pt.manual_seed(11)
      local x = pt.full({ n }, rate):poisson():double()
      assert.is_true(x:eq(x:floor()):all():item() and x:min():item() >= 0)
      assert.near(rate, x:mean():item(), 5 * math.sqrt(rate / n))
      assert.near(rate, x:var():item(), 5 * math.sqrt((rate + 2 * rate * rate) / n))
    end)
  end

  it("keeps shape and dtype, refuses what is no rate", function()
    local x = pt.full({ 2, 3 }, 2.0, { dtype = pt.float64 }):poisson()
    assert.same({ 2, 3 }, { table.unpack(x.shape) })
    assert.equal("float64", tostring(x.dtype))
    assert.equal(0, pt.zeros(0):poisson():numel())
    assert.error_matches(function() pt.tensor({ -1.0 }):poisson() end, "poisson: rates must be finite")
    assert.error_matches(function() pt.tensor({ 0 / 0 }):poisson() end, "poisson: rates must be finite")
  end)
end)

-- ---- the stream is frozen ----

-- Of numbers in their order: what seeds gave yesterday they give tomorrow.
local function hash(x)
  local h = 0
  for _, v in ipairs(x:double():reshape(-1):tolist()) do
    for at = 1, 8, 4 do h = (h * 31 + string.unpack("<I4", string.pack("<d", v), at)) & 0xffffffff end
  end
  return ("%08x"):format(h)
end

-- What is drawn, and two numbers after it: no draw takes what another one took.
local frozen = {
  { "pt.rand(1000)", "77640aea", "f523e667" },
  { "pt.rand(1000, {dtype = pt.float64})", "677c3fef", "f523e667" },
  { "pt.rand(1000, {dtype = pt.float16})", "14f31000", "f523e667" },
  { "pt.randn(1000)", "b6e31667", "f523e667" },
  { "pt.randn(1000, {dtype = pt.float64})", "ce588f5c", "f523e667" },
  { "pt.randint(1, 101, {1000})", "f1698000", "f523e667" },
  { "pt.randint(-9, (1 << 40) + 1, {1000})", "3d36cac2", "f523e667" },
  { "pt.randperm(1000)", "3ea8a000", "fb045760" },
  { "pt.full({1000}, 0.3):bernoulli()", "5ca00000", "f523e667" },
  { "pt.zeros(1000):bernoulli_(0.3)", "5ca00000", "f523e667" },
  { "pt.tensor({0.1, 0.4, 0.5}):multinomial(1000, true)", "70a00000", "f523e667" },
  { "pt.ones(1000):multinomial(500)", "865c9000", "f523e667" },
  { "pt.zeros(1000):exponential_(2)", "ff07e91c", "f523e667" },
  { "pt.zeros(1000):geometric_(0.2)", "815b0000", "f523e667" },
  { "pt.zeros(1000):cauchy_()", "64419d10", "f523e667" },
  -- the last place of the exponential is the CPU level's
  { "pt.zeros(1000):log_normal_()", "5f33a60d", "f523e667", level = "base" },
  { "pt.zeros(1000):random_()", "d3640aea", "f523e667" },
  { "pt.normal(1, 2, {1000})", "3f52d636", "f523e667" },
  { "pt.full({1000}, 4.0):poisson()", "215a0000", "f523e667" },
  { "pt.full({1000}, 40.0):poisson()", "e9580000", "00794599" },
  { "pt.full({1000}, 2.5):_standard_gamma()", "f5d2c539", "364ea8f1" },
  { "pt.full({1000}, 0.5):_standard_gamma()", "a744ea76", "a231cae1" },
  { "pt.ones(100, 3):_sample_dirichlet()", "921d6bca", "7f98cdd4" },
  { "pt.binomial(pt.full({1000}, 10.0), pt.full({1000}, 0.3))", "08b40000", "f523e667" },
  { "pt.binomial(pt.full({1000}, 100.0), pt.full({1000}, 0.6))", "bacac000", "00794599" },
  { "pt.nn.functional.dropout(pt.ones(1000), 0.4)", "b6ebdac0", "f523e667" },
  { "pt.randn(50000)", "6d8dffdc", "f1fc00b8" },
}

describe("the stream of numbers", function()
  for _, case in ipairs(frozen) do
    it("is frozen for " .. case[1], function()
      local threads, level = pt.get_num_threads(), pt.cpu_level()
      finally(function()
        pt.set_num_threads(threads)
        pt.set_cpu_level(level)
      end)
      pt.set_cpu_level(case.level or level)
      local draw = assert(load("return " .. case[1], "=case", "t", { pt = pt }))
      for _, n in ipairs { 1, 2 } do
        pt.set_num_threads(n)
        pt.manual_seed(2024)
        assert.equal(case[2], hash(draw()))
        assert.equal(case[3], hash(pt.rand(2)))
      end
    end)
  end

  target.it("is the same on a device", function()
    for _, draw in ipairs {
      function(x) return x:uniform_() end, function(x) return x:normal_() end, function(x) return x:random_(1, 10) end,
      function(x) return x:exponential_() end, function(x) return x:bernoulli_(0.3) end,
    } do
      pt.manual_seed(5)
      local here = draw(pt.zeros(5001))
      pt.manual_seed(5)
      assert.is_true(here:equal(draw(pt.zeros(5001, { device = target.name })):to "cpu"))
    end
  end)
end)

-- ---- distributions ----

-- The largest distance of the numbers' distribution function from the one expected, times the root of their count:
-- above 1.95 one time in a thousand.
local function distance(x, cdf)
  local list = x:double():sort():tolist()
  local n, far = #list, 0
  for i, v in ipairs(list) do
    local p = cdf(v)
    far = math.max(far, p - (i - 1) / n, i / n - p)
  end
  return far * math.sqrt(n)
end

local function normal(v) return 0.5 * pt.special.erfc(pt.tensor(-v / math.sqrt(2), { dtype = pt.float64 })):item() end

local continuous = {
  uniform_ = { function(x) return x:uniform_(-1, 3) end, function(v) return (v + 1) / 4 end },
  normal_ = { function(x) return x:normal_(1, 2) end, function(v) return normal((v - 1) / 2) end },
  exponential_ = { function(x) return x:exponential_(3) end, function(v) return 1 - math.exp(-3 * v) end },
  cauchy_ = { function(x) return x:cauchy_(1, 2) end, function(v) return 0.5 + math.atan((v - 1) / 2) / math.pi end },
  log_normal_ = { function(x) return x:log_normal_(0, 0.5) end, function(v) return normal(math.log(v) / 0.5) end },
  ["_standard_gamma of 1"] = {
    function(x) return (x * 0 + 1):_standard_gamma() end, function(v) return 1 - math.exp(-v) end,
  },
  ["_standard_gamma of 3"] = {
    function(x) return (x * 0 + 3):_standard_gamma() end,
    function(v) return 1 - math.exp(-v) * (1 + v + v * v / 2) end,
  },
  ["_standard_gamma of 1/2"] = {
    function(x) return (x * 0 + 0.5):_standard_gamma() end,
    function(v) return pt.tensor(math.sqrt(v), { dtype = pt.float64 }):erf():item() end,
  },
  ["_sample_dirichlet of 1, 1, 1"] = {
    function(x) return pt.ones(x:size(1), 3):_sample_dirichlet():select(2, 2) end,
    function(v) return 1 - (1 - v) ^ 2 end,
  },
}

-- Draws, mean, variance.
local counts = {
  geometric_ = { function(x) return x:geometric_(0.25) end, 4, 12 },
  ["binomial(10, 0.3)"] = { function(x) return pt.binomial(x * 0 + 10, x * 0 + 0.3) end, 3, 2.1 },
  ["binomial(200, 0.5)"] = { function(x) return pt.binomial(x * 0 + 200, x * 0 + 0.5) end, 100, 50 },
  ["binomial(1000, 0.9)"] = { function(x) return pt.binomial(x * 0 + 1000, x * 0 + 0.9) end, 900, 90 },
  ["bernoulli_"] = { function(x) return x:bernoulli_(0.3) end, 0.3, 0.21 },
  ["random_"] = { function(x) return x:random_(1, 7) end, 3.5, 35 / 12 },
}

describe("distributions:", function()
  for name, case in pairs(continuous) do
    it(name, function()
      pt.manual_seed(77)
      local d = distance(case[1](pt.zeros(4000)), case[2])
      assert(d < 1.95, "Kolmogorov-Smirnov distance " .. d)
    end)
  end

  for name, case in pairs(counts) do
    it(name, function()
      pt.manual_seed(78)
      local n, mean, var = 20000, case[2], case[3]
      local x = case[1](pt.zeros(n)):double()
      assert.is_true(x:eq(x:floor()):all():item())
      assert.near(mean, x:mean():item(), 5 * math.sqrt(var / n))
      assert.near(var, x:var():item(), 0.1 * var)
    end)
  end

  it("binomial has the probabilities of its counts", function()
    pt.manual_seed(79)
    local n, p, m = 40, 0.5, 20000 -- by rejection
    local seen = pt.bincount(pt.binomial(pt.full({ m }, n + 0.0), pt.full({ m }, p)):long() + 1, { minlength = n + 1 })
    local chi, term, bins = 0, p ^ n, 0
    for k = 0, n do
      if k > 0 then term = term * (n - k + 1) / k end
      if term * m > 5 then
        local off = seen[k + 1]:item() - term * m
        chi, bins = chi + off * off / (term * m), bins + 1
      end
    end
    assert(chi < bins + 5 * math.sqrt(2 * bins), "chi squared " .. chi .. " of " .. bins .. " bins")
  end)

  it("binomial at the ends, of empty and of broadcast tensors", function()
    assert.same({ 0.0, 7.0, 0.0 }, pt.binomial(pt.tensor { 7.0, 7.0, 0.0 }, pt.tensor { 0.0, 1.0, 0.5 }):tolist())
    assert.equal(0, pt.binomial(pt.zeros(0), pt.zeros(0)):numel())
    assert.same({ 2, 3 }, { table.unpack(pt.binomial(pt.full({ 2, 1 }, 5.0), pt.full({ 3 }, 0.5)).shape) })
  end)

  it("refuses what is no parameter", function()
    local one = pt.ones(1)
    assert.error_matches(function() pt.binomial(one, one * 2) end, "binomial: probabilities must lie between 0 and 1")
    assert.error_matches(function() pt.binomial(-one, one) end, "binomial: counts must be finite")
    assert.error_matches(function() pt.binomial(pt.range(1, 2), one) end, "binomial: count is int64 and prob float32")
    assert.error_matches(function() pt.zeros(1):_standard_gamma() end, "_standard_gamma: concentrations must be")
    assert.error_matches(function() pt.range(1, 2):_sample_dirichlet() end, "_sample_dirichlet: x is int64, but must")
    assert.error_matches(function() pt.tensor(1.0):_sample_dirichlet() end, "_sample_dirichlet: x is a single number")
    assert.error_matches(function() one:geometric_(0) end, "geometric_: p is 0")
  end)
end)
