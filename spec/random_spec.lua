-- Generators and their states; distributions that are made of others.
local pt = require "pt"

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
    randint = function(g) return pt.randint(100, { 3 }, { generator = g }) end,
    randperm = function(g) return pt.randperm(9, { generator = g }) end,
    normal = function(g) return pt.normal(0, 1, { 3 }, { generator = g }) end,
    normal_of_tensors = function(g) return pt.normal(weights, 1, { generator = g }) end,
    normal_ = function(g) return pt.zeros(3):normal_(0, 1, { generator = g }) end,
    random_ = function(g) return pt.zeros(3):random_(1, 1000, { generator = g }) end,
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
