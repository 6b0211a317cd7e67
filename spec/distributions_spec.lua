-- pt.distributions: values beside PyTorch's, samples against what they are samples of, gradients against differences.
local pt = require "pt"
local compare = require "spec.support.compare"
local recorded = require "spec.support.distribution_values"

local D = pt.distributions
local float64 = { dtype = pt.float64 }

-- Recorded parameters as options: lists are tensors.
local function options(params, dtype, requires_grad)
  local given = {}
  for key, value in pairs(params) do
    local plain = math.type(value) == "integer"
    given[key] = plain and value or pt.tensor(value, { dtype = dtype or pt.float64, requires_grad = requires_grad })
  end
  return given
end

local function make(name, params, dtype, requires_grad)
  local given = options(params, dtype, requires_grad)
  return D[name](given), given
end

-- A tensor of values: class ids stay integers.
local function tensor(values, dtype)
  local x = pt.tensor(values)
  return x.dtype.is_floating_point and pt.tensor(values, { dtype = dtype or pt.float64 }) or x
end

local function near(want, got, what, relative, absolute)
  local flat = compare.lists(compare.elements(tensor(want)), compare.elements(got), relative or 2e-8, absolute or 1e-9)
  if flat then error(what .. ": " .. flat, 2) end
end

local function title(case)
  local keys = {}
  for key in pairs(case.params) do keys[#keys + 1] = key end
  table.sort(keys)
  return ("%s of %s"):format(case.name, table.concat(keys, ", "))
end

describe("distributions: beside PyTorch,", function()
  for i, case in ipairs(recorded.cases) do
    it(("%d: %s"):format(i, title(case)), function()
      local d, given = make(case.name, case.params, nil, true)
      local rough = case.name == "VonMises" and 1e-5 or nil -- PyTorch has its Bessel functions to 7 digits
      for _, key in ipairs { "mean", "mode", "variance", "stddev" } do
        if case[key] then near(case[key], d[key], key, rough) end
      end
      if case.entropy then near(case.entropy, d:entropy(), "entropy", 1e-8, 1e-8) end
      if case.cdf then near(case.cdf, d:cdf(tensor(case.values)), "cdf") end
      if case.icdf then near(case.icdf, d:icdf(pt.tensor({ 0.15, 0.8 }, float64)), "icdf") end
      local log_prob = d:log_prob(tensor(case.values))
      near(case.log_prob, log_prob, "log_prob", rough, rough)
      log_prob:sum():backward()
      for key, want in pairs(case.grads) do near(want, given[key].grad, "gradient of " .. key, rough, rough) end
    end)

    it(("%d: %s, in float32"):format(i, title(case)), function()
      local d = make(case.name, case.params, pt.float32)
      local log_prob = d:log_prob(tensor(case.values, pt.float32))
      assert.equal("float32", tostring(log_prob.dtype))
      near(case.log_prob, log_prob, "log_prob", 2e-3, 2e-3)
      local x = d:sample()
      assert.equal(case.name == "Categorical" and "int64" or "float32", tostring(x.dtype))
    end)
  end

  for _, pair in ipairs(recorded.pairs) do
    it(("kl_divergence of %s and %s"):format(pair.p, pair.q), function()
      local p, q = make(pair.p, pair.p_params), make(pair.q, pair.q_params)
      near(pair.value, D.kl_divergence(p, q), "kl", 1e-7, 1e-8)
    end)
  end
end)

-- ---- samples ----

-- Whether numbers are drawn from a distribution function: the Kolmogorov-Smirnov distance of n of them.
local function ks_distance(u)
  local sorted = u:reshape(-1):sort()
  local n = sorted:numel()
  local up = pt.range(1, n, { dtype = sorted.dtype }) / n
  return math.max((up - sorted):abs():max():item(), (sorted - up + 1 / n):abs():max():item())
end

-- What is tagged #tsan draws many numbers on one thread: minutes under the thread sanitizer, for nothing.
describe("distributions: samples #tsan", function()
  local n = 10000
  for i, case in ipairs(recorded.cases) do
    it(("%d: %s"):format(i, title(case)), function()
      pt.manual_seed(100 + i)
      local d = make(case.name, case.params)
      local x = d:sample(n)
      local want = { n, table.unpack(d.batch_shape) }
      for _, size in ipairs(d.event_shape) do want[#want + 1] = size end
      assert.same(want, { table.unpack(x.shape) })
      assert.is_true(d.support:check(x):all():item(), "a sample is outside of the support")
      if case.cdf then
        for column = 1, x:size(2) do
          local distance = ks_distance(d:cdf(x):select(2, column))
          assert(distance < 1.95 / math.sqrt(n), ("column %d: distance %g"):format(column, distance))
        end
      end
      local mean, variance = case.mean and tensor(case.mean), case.variance and tensor(case.variance)
      if mean and variance and variance:lt(1e6):all():item() and case.name ~= "VonMises" then
        local z = (x:mean(1) - mean) / (variance / n):sqrt():clamp(1e-12)
        assert(z:abs():max():item() < 5, "mean " .. tostring(z))
      end
      if case.name:find "Categorical$" and not case.name:find "Relaxed" then
        local ids = case.name == "Categorical" and x or x:argmax(-1)
        local share = pt.one_hot(ids, 3):double():mean(1)
        assert((share - d.probs):abs():max():item() < 0.025, tostring(share))
      end
    end)
  end

  it("of multivariate distributions have their covariance", function()
    pt.manual_seed(5)
    local d = D.MultivariateNormal(pt.zeros(2), pt.tensor { { 2.0, 0.5 }, { 0.5, 1.0 } })
    assert.is_true((pt.cov(d:sample(40000):t()) - d.covariance_matrix):abs():max():item() < 0.05)
    local low = D.LowRankMultivariateNormal(pt.zeros(3), pt.ones(3, 1), pt.tensor { 1.0, 2, 3 })
    assert.is_true((pt.cov(low:sample(40000):t()) - low.covariance_matrix):abs():max():item() < 0.1)
    local wishart = D.Wishart(4, pt.tensor { { 2.0, 0.5 }, { 0.5, 1.0 } })
    local x = wishart:sample(40000)
    assert.is_true((x:mean(1) - wishart.mean):abs():max():item() < 0.1)
    assert.is_true((x:var(1) / wishart.variance - 1):abs():max():item() < 0.1)
    local lkj = D.LKJCholesky(3, 1)
    local factor = lkj:sample(40000)
    local correlation = factor:matmul(factor:transpose(-1, -2))
    -- Of a correlation under LKJ(1) in 3 dims: Beta(1.5, 1.5) on (-1, 1), whose variance is 1/4.
    assert.near(0, correlation:select(-1, 1):select(-1, 2):mean():item(), 0.02)
    assert.near(0.25, correlation:select(-1, 1):select(-1, 2):var():item(), 0.01)
  end)

  it("are the same for the same seed, and for any generator in the same state", function()
    local d = D.Gamma(pt.tensor { 0.5, 3 }, 1)
    pt.manual_seed(3)
    local a = d:sample({ 2, 3 })
    pt.manual_seed(3)
    assert.is_true(pt.equal(a, d:sample(2, 3)))
    assert.is_true(pt.equal(a, d:sample({ 2, 3 }, { generator = pt.Generator():manual_seed(3) })))
    local before = pt.get_rng_state():tolist()
    d:rsample({ 2 }, pt.Generator())
    assert.same(before, pt.get_rng_state():tolist())
  end)
end)

-- ---- gradients of samples ----

describe("distributions: rsample #tsan", function()
  -- The mean of samples moves with a parameter as the mean does.
  local cases = {
    { "Normal", { loc = 0.5, scale = 2.0 } }, { "Laplace", { loc = 0.5, scale = 2.0 } },
    { "Gumbel", { loc = 0.5, scale = 2.0 } }, { "StudentT", { df = 8.0, loc = 0.5, scale = 2.0 } },
    { "Uniform", { low = -1.0, high = 3.0 } }, { "Exponential", { rate = 0.7 } },
    { "Weibull", { scale = 2.0, concentration = 1.7 } }, { "Pareto", { scale = 2.0, alpha = 5.0 } },
    { "GeneralizedPareto", { loc = 0.5, scale = 2.0, concentration = -0.2 } }, { "HalfNormal", { scale = 2.0 } },
    { "Gamma", { concentration = 0.4, rate = 0.7 } }, { "Gamma", { concentration = 9.0, rate = 0.7 } },
    { "Gamma", { concentration = 300.0, rate = 0.7 } }, { "Chi2", { df = 3.0 } },
    { "InverseGamma", { concentration = 6.0, rate = 2.0 } }, { "FisherSnedecor", { df1 = 4.0, df2 = 14.0 } },
    { "Beta", { concentration1 = 0.6, concentration0 = 2.0 } },
    { "Kumaraswamy", { concentration1 = 1.5, concentration0 = 2.0 } }, { "LogNormal", { loc = 0.2, scale = 0.5 } },
    { "ContinuousBernoulli", { probs = 0.3 } }, { "Dirichlet", { concentration = { 0.5, 3.0, 1.2 } } },
    { "MultivariateNormal", { loc = { 0.5, -1.0 }, scale_tril = { { 1.2, 0.0 }, { 0.4, 0.9 } } } },
    {
      "LowRankMultivariateNormal",
      { loc = { 0.5, -1.0 }, cov_factor = { { 0.5 }, { 1.0 } }, cov_diag = { 1.0, 0.5 } },
    },
    { "Wishart", { df = 6.0, scale_tril = { { 1.2, 0.0 }, { 0.4, 0.9 } } } },
  }
  for _, case in ipairs(cases) do
    local name, params = table.unpack(case)
    it(name .. " moves as the mean and the second moment do", function()
      pt.manual_seed(17)
      local d, given = make(name, params, nil, true)
      local leaves, keys = {}, {}
      for key, leaf in pairs(given) do keys[#keys + 1], leaves[#leaves + 1] = key, leaf end
      local x = d:rsample(30000)
      local weights = pt.linspace(1, 2, math.max(1, x[1]:numel())):double():reshape(x[1].shape)
      local function sum(y) return (y * weights):sum() end
      local squares = { sum(x:square():mean(1)), sum(d.variance + d.mean:square()) }
      for _, both in ipairs { { sum(x:mean(1)), sum(d.mean) }, squares } do
        local got = pt.autograd.grad({ both[1] }, leaves, { retain_graph = true, allow_unused = true })
        local want = pt.autograd.grad({ both[2] }, leaves, { retain_graph = true, allow_unused = true })
        for i, key in ipairs(keys) do
          local a, b = got[i] or pt.zeros(leaves[i].shape, float64), want[i] or pt.zeros(leaves[i].shape, float64)
          local scale = b:abs():max():item() + 0.5
          assert((a - b):abs():max():item() / scale < 0.08, ("%s: %s against %s"):format(key, tostring(a), tostring(b)))
        end
      end
    end)
  end

  it("follows the quantiles of Gamma", function()
    -- Of each sample y: the concentration moves by h, and y to where P was, found by bisection.
    pt.manual_seed(23)
    local a = pt.tensor({ 0.05, 0.5, 1.0, 4.0, 40.0, 99.0, 101.0, 1000.0, 50000.0 }, float64):requires_grad_()
    local y = D.Gamma(a, 1):rsample()
    y:sum():backward()
    local h = 1e-4 * a:detach()
    local function quantile(concentration, p, start)
      local low, high = start * 0.5, start * 2
      for _ = 1, 100 do
        local middle = (low + high) / 2
        local below = D.Gamma(concentration, 1):cdf(middle):lt(p)
        low, high = pt.where(below, middle, low), pt.where(below, high, middle)
      end
      return low
    end
    local values = y:detach()
    local p = D.Gamma(a:detach(), 1):cdf(values)
    local slope = (quantile(a:detach() + h, p, values) - quantile(a:detach() - h, p, values)) / (2 * h)
    local off = ((a.grad - slope) / slope):abs()
    assert(off:max():item() < 2e-4, tostring(off))
  end)

  it("of a tiny concentration is finite", function()
    local concentration = pt.full({ 4 }, 1e-3):requires_grad_()
    local x = D.Dirichlet(concentration):rsample(100)
    x:square():sum():backward()
    assert.is_true(x:isfinite():all():item() and concentration.grad:isfinite():all():item())
    assert.near(100, x:sum():item(), 1e-3)
  end)

  it("is refused where samples have no gradient", function()
    assert.error_matches(function() D.Poisson(1):rsample() end, "Poisson: rsample: its samples have no gradient")
    assert.is_false(D.Poisson(1).has_rsample)
    assert.is_true(D.Normal(0, 1).has_rsample)
    assert.is_false(D.Normal(pt.zeros(2):requires_grad_(), 1):sample().requires_grad)
  end)

  it("of the straight-through estimator passes gradients on", function()
    local probs = pt.tensor({ 0.2, 0.8 }):requires_grad_()
    local x = D.OneHotCategoricalStraightThrough(probs):rsample(5)
    assert.is_true(D.OneHotCategorical(probs).support:check(x:detach()):all():item())
    local loss = (x * pt.tensor { 1.0, 3 }):sum()
    loss:backward()
    assert.is_true(probs.grad:abs():sum():item() > 0)
  end)
end)

-- ---- shapes, arguments, printing ----

describe("distributions:", function()
  it("parameters and values broadcast", function()
    local d = D.Normal(pt.zeros(3, 1), pt.ones(2))
    assert.equal("[3, 2]", tostring(d.batch_shape))
    assert.equal("[]", tostring(d.event_shape))
    assert.equal("[4, 3, 2]", tostring(d:sample(4).shape))
    assert.equal("[5, 3, 2]", tostring(d:log_prob(pt.zeros(5, 1, 1)).shape))
    assert.equal("[3, 2]", tostring(d:log_prob(0).shape))
    local m = D.MultivariateNormal(pt.zeros(5, 1, 2), pt.eye(2):expand { 3, 2, 2 })
    assert.equal("[5, 3][2]", tostring(m.batch_shape) .. tostring(m.event_shape))
    assert.equal("[7, 5, 3]", tostring(m:log_prob(m:sample(7)).shape))
  end)

  for i, case in ipairs(recorded.cases) do
    it(("%d: %s expands"):format(i, title(case)), function()
      local d = make(case.name, case.params)
      local wide = d:expand { 4, 3, table.unpack(d.batch_shape) }
      assert.same({ 4, 3, table.unpack(d.batch_shape) }, { table.unpack(wide.batch_shape) })
      assert.same({ table.unpack(d.event_shape) }, { table.unpack(wide.event_shape) })
      local plain = #d.batch_shape == 0 -- and two values
      local log_prob = wide:log_prob(plain and tensor(case.values)[1] or tensor(case.values))
      assert.same({ table.unpack(wide.batch_shape) }, { table.unpack(log_prob.shape) })
      near(plain and case.log_prob[1] or case.log_prob, log_prob[4][2], "log_prob", 1e-6)
      assert.equal(4, wide:sample(2):size(2))
    end)
  end

  it("empty batches stay empty", function()
    local d = D.Gamma(pt.ones(0), 1)
    assert.equal("[3, 0]", tostring(d:sample(3).shape))
    assert.equal("[0]", tostring(d:entropy().shape))
    assert.equal("[0]", tostring(D.Categorical(pt.ones(0, 3)):sample().shape))
    assert.equal("[0]", tostring(D.Normal(0, 1):sample({ 0 }).shape))
  end)

  it("class ids count from 1, values do not", function()
    local c = D.Categorical { probs = pt.tensor { 0.0, 0.0, 1.0 } }
    assert.equal(3, c:sample():item())
    assert.same({ 1, 2, 3 }, c:enumerate_support():tolist())
    assert.equal(3, c.mode:item())
    assert.error_matches(function() c:log_prob(pt.tensor(0)) end,
      "Categorical:log_prob: value must be a whole number from 1 to 3, got 0")
    assert.same({ 0, 1 }, D.Bernoulli(0.5):enumerate_support():tolist())
    assert.same({ 0, 1, 2 }, D.Binomial(2, 0.5):enumerate_support():tolist())
    assert.equal(0, D.Poisson(0):sample():item())
    assert.equal("[2, 3, 4]", tostring(D.Bernoulli(pt.ones(3, 4)):enumerate_support().shape))
    assert.equal("[2, 1]", tostring(D.Bernoulli(pt.ones(4)):enumerate_support(false).shape))
  end)

  it("print their parameters", function()
    assert.equal("Normal(loc: 0, scale: 1)", tostring(D.Normal(0, 1)))
    assert.equal("Normal(loc: [3], scale: [3])", tostring(D.Normal(pt.zeros(3), 1)))
    assert.equal("Categorical(probs: [3])", tostring(D.Categorical(pt.ones(3))))
    assert.equal("Binomial(total_count: 5, probs: 0.5)", tostring(D.Binomial(5, 0.5)))
    assert.equal("Independent(Normal(loc: [3], scale: [3]), 1)", tostring(D.Independent(D.Normal(pt.zeros(3), 1), 1)))
    assert.equal("Multinomial(total_count: 4, logits: [2])", tostring(D.Multinomial { total_count = 4,
      logits = pt.zeros(2) }))
  end)

  local Normal = D.Normal
  for message, fn in pairs {
    ["^Normal: scale must be above 0, got %-1 "] = function() return Normal(0, -1) end,
    ["^Normal: scale must be above 0, got nan at %[2, 1%]"] = function()
      return Normal(0, pt.tensor { { 1.0 }, { 0 / 0 } })
    end,
    ["^Normal: scale is missing, a tensor or a number; it takes loc, scale, %[validate_args%]"] = function()
      return Normal(0)
    end,
    ["^Normal: shapes do not broadcast: loc %[2%], scale %[3%]"] = function()
      return Normal(pt.zeros(2), pt.ones(3))
    end,
    ["^Normal: loc must be a tensor or a number, got 'x'"] = function() return Normal("x", 1) end,
    ["^Normal: unknown option 'scal'; did you mean 'scale'%?"] = function() return Normal { loc = 0, scal = 1 } end,
    ["^Normal: there is no 'men'; did you mean 'mean'%?"] = function() return Normal(0, 1).men end,
    ["^pt.distributions: there is no 'Norml'; did you mean 'Normal'%?"] = function() return D.Norml end,
    ["^Normal:log_prob: value %[3%] does not fit batch_shape %[2%] and event_shape %[%]"] = function()
      return Normal(pt.zeros(2), 1):log_prob(pt.zeros(3))
    end,
    ["^Exponential:log_prob: value must be 0 or more, got %-2 at %[2%]"] = function()
      return D.Exponential(1):log_prob(pt.tensor { 1.0, -2 })
    end,
    ["^Bernoulli: give either probs or logits; 2 are there"] = function() return D.Bernoulli(0.5, 0.1) end,
    ["^Bernoulli: give either probs or logits; none is there"] = function() return D.Bernoulli() end,
    ["^Bernoulli: probs must be between 0 and 1, got 1.5"] = function() return D.Bernoulli(1.5) end,
    ["^Categorical: probs must be not negative and of sum 1 along the last dim; what it holds, %[2%], is not"] =
      function() return D.Categorical(pt.tensor { 1.5, -0.5 }) end,
    ["^Dirichlet: concentration must have at least 1 dims, got a tensor %[%]"] = function()
      return D.Dirichlet(pt.tensor(1.0))
    end,
    ["^MultivariateNormal: covariance_matrix must be symmetric and positive definite matrices; what it holds"] =
      function() return D.MultivariateNormal(pt.zeros(2), pt.tensor { { 1.0, 2 }, { 2, 1 } }) end,
    ["^MultivariateNormal: loc %[2%] wants a covariance_matrix of 2 by 2, got %[3, 3%]"] = function()
      return D.MultivariateNormal(pt.zeros(2), pt.eye(3))
    end,
    ["^Uniform: high must be above low"] = function() return D.Uniform(1, 1) end,
    ["^Poisson: cdf is not known in closed form"] = function() return D.Poisson(1):cdf(1) end,
    ["^Poisson: its values cannot be enumerated"] = function() return D.Poisson(1):enumerate_support() end,
    ["^Binomial: entropy wants one total_count"] = function() return D.Binomial(pt.tensor { 1, 2 }, 0.5):entropy() end,
    ["^Independent: reinterpreted_batch_ndims must be 0 to 1, the batch dims of Normal"] = function()
      return D.Independent(Normal(pt.zeros(2), 1), 2)
    end,
    ["^sample: called with '.'; write distribution:sample"] = function() return Normal(0, 1).sample() end,
    ["^Normal:icdf: value must be between 0 and 1, got 2"] = function() return Normal(0, 1):icdf(2) end,
    ["^kl_divergence: q must be a distribution, got 3"] = function() return D.kl_divergence(Normal(0, 1), 3) end,
    ["^kl_divergence: nothing is known for Normal and Poisson; register_kl adds a pair"] = function()
      return D.kl_divergence(Normal(0, 1), D.Poisson(1))
    end,
    ["^TransformedDistribution: base_distribution must be a distribution"] = function()
      return D.TransformedDistribution(3, {})
    end,
  } do
    it("refuses: " .. message, function()
      local ok, text = pcall(fn)
      assert.is_false(ok)
      assert.matches(message, text)
    end)
  end

  it("checks nothing where it is told so", function()
    assert.is_true(D.Normal(0, -1, { validate_args = false }).scale:lt(0):item())
    assert.has_no.errors(function() D.Exponential(1, { validate_args = false }):log_prob(-1) end)
    D.Distribution.set_default_validate_args(false)
    assert.has_no.errors(function() D.Normal(0, -1) end)
    D.Distribution.set_default_validate_args(true)
    assert.has.errors(function() D.Normal(0, -1) end)
  end)

  it("integers and bools are taken as numbers", function()
    assert.equal("float32", tostring(D.Normal(pt.tensor { 0, 1 }, pt.tensor { 1, 2 }).loc.dtype))
    assert.equal("float64", tostring(D.Normal(pt.tensor { 0, 1 }, pt.ones(1, float64)).loc.dtype))
    assert.near(math.log(0.25), D.Bernoulli(0.25):log_prob(true):item(), 1e-6)
  end)

  it("cross to a worker", function()
    local pool <close> = pt.pool(1)
    local log_prob, text = pool:apply(function(d) return d:log_prob(0):item(), tostring(d) end, D.Normal(0, 1))
    assert.near(-0.9189385, log_prob, 1e-6)
    assert.equal("Normal(loc: 0, scale: 1)", text)
  end)
end)

-- ---- made of others ----

describe("distributions: of other distributions,", function()
  local loc, scale = pt.tensor({ 0.5, -1.0 }, float64), pt.tensor({ 1.0, 2.5 }, float64)

  it("Independent sums over the dims it takes", function()
    local base = D.Normal(loc, scale)
    local d = D.Independent(base, 1)
    assert.equal("[][2]", tostring(d.batch_shape) .. tostring(d.event_shape))
    assert.near(base:log_prob(0.3):sum():item(), d:log_prob(pt.full({ 2 }, 0.3)):item(), 1e-6)
    assert.near(base:entropy():sum():item(), d:entropy():item(), 1e-12)
    assert.equal("[3, 5, 2]", tostring(d:expand({ 5 }):rsample(3).shape))
    assert.near(D.kl_divergence(base, D.Normal(0, 1)):sum():item(),
      D.kl_divergence(d, D.Independent(D.Normal(pt.zeros(2), 1), 1)):item(), 1e-9)
  end)

  it("TransformedDistribution has the density of the transformed variable", function()
    local T = D.transforms
    local d = D.TransformedDistribution(D.Normal(loc, scale), { T.AffineTransform(1, -2), T.ExpTransform() })
    local log_normal = D.LogNormal(1 - 2 * loc, 2 * scale)
    local x = pt.tensor({ 0.7, 3.0 }, float64)
    near(log_normal:log_prob(x):tolist(), d:log_prob(x), "log_prob")
    near(log_normal:cdf(x):tolist(), d:cdf(x), "cdf")
    near(x:tolist(), d:icdf(d:cdf(x)), "icdf")
    assert.is_true(d.has_rsample)
    assert.equal("[6, 4, 2]", tostring(d:expand({ 4, 2 }):sample(6).shape))
    assert.is_true(d.support:check(d:sample(100)):all():item())
    local other = D.TransformedDistribution(D.Normal(0, 1), { T.AffineTransform(1, -2), T.ExpTransform() })
    near(D.kl_divergence(D.Normal(loc, scale), D.Normal(0, 1)):tolist(), D.kl_divergence(d, other), "kl")
    assert.error_matches(function() D.kl_divergence(d, log_normal) end, "have different transforms")
  end)

  it("MixtureSameFamily weighs its components", function()
    local weights = D.Categorical(pt.tensor({ 0.3, 0.7 }, float64))
    local d = D.MixtureSameFamily(weights, D.Normal(loc, scale))
    local x = pt.tensor({ -2.0, 0.0, 1.5 }, float64)
    local each = D.Normal(loc, scale):log_prob(x:unsqueeze(-1)):exp()
    near((each * pt.tensor({ 0.3, 0.7 }, float64)):sum(-1):log():tolist(), d:log_prob(x), "log_prob")
    near({ 0.3 * 0.5 - 0.7 }, d.mean:reshape(1), "mean")
    near({ 0.3 * 1 + 0.7 * 6.25 + 0.3 * 0.7 * 1.5 ^ 2 }, d.variance:reshape(1), "variance")
    pt.manual_seed(3)
    local samples = d:sample(20000)
    assert(ks_distance(d:cdf(samples)) < 1.95 / math.sqrt(20000))
    local vectors = D.MixtureSameFamily(D.Categorical(pt.ones(4)), D.Independent(D.Normal(pt.zeros(5, 4, 3), 1), 1))
    assert.equal("[5][3]", tostring(vectors.batch_shape) .. tostring(vectors.event_shape))
    assert.equal("[2, 5, 3]", tostring(vectors:sample(2).shape))
    assert.equal("[2, 5]", tostring(vectors:log_prob(vectors:sample(2)).shape))
    assert.equal("[5, 3]", tostring(vectors.mean.shape))
    assert.equal("[7, 5]", tostring(vectors:expand({ 7, 5 }).batch_shape))
  end)
end)

describe("kl_divergence #tsan", function()
  it("is the mean of log(p / q) over values of p", function()
    pt.manual_seed(7)
    local a, b = pt.tensor { { 2.0, 0.5 }, { 0.5, 1.0 } }, pt.tensor { { 1.5, 0.2 }, { 0.2, 0.7 } }
    for _, pair in ipairs {
      { D.Wishart(3, a), D.Wishart(4, b) }, { D.Weibull(0.5, 0.8), D.Weibull(1, 1.3) },
      { D.InverseGamma(3, 2), D.InverseGamma(2.5, 1.5) }, { D.HalfCauchy(1), D.HalfCauchy(2) },
      { D.Chi2(3), D.Normal(2, 3) },
    } do
      local p, q = table.unpack(pair)
      local x = p:sample(100000)
      local ratio = p:log_prob(x) - q:log_prob(x)
      local off = (ratio:mean() - D.kl_divergence(p, q)) / (ratio:std() / math.sqrt(100000))
      assert(off:abs():item() < 4.5, tostring(p) .. ": " .. tostring(off))
    end
  end)
end)

describe("a distribution of one's own", function()
  local Triangle = D.class "Triangle"
  function Triangle:init(width)
    D.Distribution.init(self, { #width })
    self.width = width
  end
  function Triangle:log_prob(x) return (self.width - x:abs()):log() - 2 * self.width:log() end
  function Triangle:sample(size) return (pt.rand(size, #self.width) - pt.rand(size, #self.width)) * self.width end

  it("is one: its shapes, messages, mixtures", function()
    local d = Triangle(pt.tensor { 1.0, 2 })
    assert.equal("[2]", tostring(d.batch_shape))
    assert.is_true(d:log_prob(d:sample(5)):isfinite():all():item())
    assert.equal("[5]", tostring(D.Independent(d, 1):log_prob(d:sample(5)).shape))
    assert.equal("Triangle()", tostring(d))
    assert.error_matches(function() return d.mean end, "^Triangle: mean is not known in closed form")
    assert.error_matches(function() return d.widht end, "Triangle: there is no 'widht'")
    assert.error_matches(function() D.class("X", pt.nn.Linear) end, "the base of X is not a class of distributions")
  end)
end)

describe("distributions: on a device", function()
  local target = require "spec.support.device"(it, pending)
  for i, case in ipairs(recorded.cases) do
    target.it(("%d: %s computes and draws what the CPU does"):format(i, title(case)), function()
      local params = {}
      for key, value in pairs(options(case.params)) do
        params[key] = pt.is_tensor(value) and value:to(target.name) or value
      end
      local d, plain = D[case.name](params), make(case.name, case.params)
      near(case.log_prob, d:log_prob(tensor(case.values):to(target.name)):cpu(), "log_prob", 1e-5, 1e-5)
      pt.manual_seed(4)
      local x = d:sample(3)
      pt.manual_seed(4)
      assert.equal(target.name, x.device)
      near(plain:sample(3):tolist(), x:cpu(), "sample", 1e-6, 1e-9)
      assert.is_true(d.support:check(x):all():item())
    end)
  end
end)

describe("register_kl", function()
  it("adds pairs, for classes and those made from them; the nearest counts", function()
    local Mine = D.class("Mine", D.Normal)
    local Other = D.class("Other", Mine)
    assert.near(0, D.kl_divergence(Mine(0, 1), D.Normal(0, 1)):item(), 1e-7)
    D.register_kl(Mine, D.Normal, function() return pt.tensor(7.0) end)
    assert.equal(7, D.kl_divergence(Other(0, 1), D.Normal(0, 1)):item())
    assert.equal(0, D.kl_divergence(D.Normal(0, 1), Mine(0, 1)):item())
    assert.error_matches(function() D.register_kl(pt.nn.Linear, Mine, print) end, "type_p must be a class of dist")
    assert.near(D.kl_divergence(D.Gamma(1.5, 0.5), D.Exponential(2)):item(),
      D.kl_divergence(D.Chi2(3), D.Exponential(2)):item(), 1e-6)
  end)
end)
