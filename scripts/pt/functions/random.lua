--- Random counts and gamma variates, by inversion and by rejection over whole tensors. Every round draws for every
--- element, so that what an element gets depends on the seed alone. Nothing here has a gradient.

local core = require "pt.core"
local fail = require "pt.fail"
local draws = require "pt.draw"

local define, made = require "pt.define"()
local choose = core.fn "where"
local float64 = core.dtypes.float64

-- Numbers in float64 in the shape of x.
local function drawn(g, x, kind, a, b) return draws.fill(g, core.empty(x.shape, float64, x.device), kind, a, b) end
local function uniform(g, x) return drawn(g, x, "uniform", 0, 1) end

-- Rounds of `try`, which returns a candidate for each element and whether it is accepted, until all are.
local function until_accepted(x, try)
  local y, done = x:new_zeros(x.shape), x:ne(x)
  while not done:all():item() do
    local candidate, accepted = try()
    y, done = choose(accepted:logical_and(done:logical_not()), candidate, y), done:logical_or(accepted)
  end
  return y
end

-- ---- Poisson ----

-- The distribution function is walked up until it passes a uniform number.
local function poisson_by_steps(rate, g)
  local u, term = uniform(g, rate), (-rate):exp()
  local sum, count = term, rate:new_zeros(rate.shape)
  for k = 1, 100 do -- beyond, below a rate of 10, lies less than 1e-60
    local more = u:ge(sum)
    if not more:any():item() then break end
    count = count + more
    term = term * rate / k
    sum = sum + term
  end
  return count
end

-- Hoermann's transformed rejection (PTRS), for rates from 10 on.
local function poisson_by_rejection(rate, g)
  local b = rate:sqrt() * 2.53 + 0.931
  local a = b * 0.02483 - 0.059
  local scale, limit = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)
  return until_accepted(rate, function()
    local u, v = uniform(g, rate) - 0.5, uniform(g, rate)
    local us = 0.5 - u:abs()
    local k = ((2 * a / us + b) * u + rate + 0.43):floor()
    local quick = us:ge(0.07):logical_and(v:le(limit))
    local slow = v:log() + scale:log() - (a / us:square() + b):log()
    slow = slow:le(k * rate:log() - rate - (k + 1):lgamma()):logical_and(us:ge(0.013):logical_or(v:le(us)))
    return k, quick:logical_or(slow):logical_and(k:ge(0))
  end)
end

define("poisson", "x:T generator:a?", "random counts of a Poisson distribution with the rates x",
  function(x, g)
    local rate = x:detach():to_dtype(core.dtypes.float64)
    if rate:ge(0):logical_and(rate:lt(math.huge)):logical_not():any():item() then
      fail("poisson: rates must be finite and not negative")
    end
    if draws.like_pytorch(g) then return draws.each(g, "poisson", x:detach()) end
    local few = rate:lt(10)
    local y = poisson_by_steps(choose(few, rate, 1.0), g)
    if not few:all():item() then y = choose(few, y, poisson_by_rejection(choose(few, 10.0, rate), g)) end
    return y:to_dtype(x.dtype)
  end)

-- ---- binomial ----

local function log_factorial(k) return (k + 1):lgamma() end

-- The distribution function is walked up, for n p below 10.
local function binomial_by_steps(n, p, g)
  local u, term = uniform(g, n), ((-p):log1p() * n):exp()
  local sum, count, odds = term, n:new_zeros(n.shape), p / (1 - p)
  for k = 1, 120 do
    local more = u:ge(sum):logical_and(n:ge(k))
    if not more:any():item() then break end
    count = count + more
    term = term * odds * (n - k + 1) / k
    sum = sum + term
  end
  return count
end

-- Hoermann's transformed rejection (BTRS), for n p from 10 on.
local function binomial_by_rejection(n, p, g)
  local spread = (n * p * (1 - p)):sqrt()
  local b = spread * 2.53 + 1.15
  local a = b * 0.0248 + p * 0.01 - 0.0873
  local scale, limit = (2.83 + 5.1 / b) * spread, 0.92 - 4.2 / b
  local mode, odds = ((n + 1) * p):floor(), (p / (1 - p)):log()
  local top = log_factorial(mode) + log_factorial(n - mode)
  return until_accepted(n, function()
    local u, v = uniform(g, n) - 0.5, uniform(g, n)
    local us = 0.5 - u:abs()
    local k = ((2 * a / us + b) * u + n * p + 0.5):floor()
    local inside = k:ge(0):logical_and(k:le(n))
    local quick = us:ge(0.07):logical_and(v:le(limit))
    local at = k:clamp(0):minimum(n)
    local bound = top - log_factorial(at) - log_factorial(n - at) + (at - mode) * odds
    local slow = (v * scale / (a / us:square() + b)):log():le(bound)
    return k, quick:logical_or(slow):logical_and(inside)
  end)
end

define("binomial", "count:T prob:T generator:a?",
  "random counts of successes in count trials of probability prob each", function(count, prob, g)
    if not count.dtype.is_floating_point or count.dtype ~= prob.dtype then
      fail("binomial: count is %s and prob %s, but both must be floating and the same", tostring(count.dtype),
        tostring(prob.dtype))
    end
    local n, p = count:detach():to_dtype(float64):floor(), prob:detach():to_dtype(float64)
    if n:ge(0):logical_and(n:lt(math.huge)):logical_not():any():item() then
      fail("binomial: counts must be finite and not negative")
    end
    if p:ge(0):logical_and(p:le(1)):logical_not():any():item() then
      fail("binomial: probabilities must lie between 0 and 1")
    end
    if draws.like_pytorch(g) then
      return draws.each(g, "binomial", count:detach() + 0 * prob, prob:detach() + 0 * count)
    end
    n, p = n + 0 * p, p + 0 * n
    local rare = p:minimum(1 - p) -- of successes or of failures, which are counted instead
    local few = (n * rare):lt(10)
    local y = binomial_by_steps(choose(few, n, 1.0), choose(few, rare, 0.5), g)
    if not few:all():item() then
      y = choose(few, y, binomial_by_rejection(choose(few, 40.0, n), choose(few, 0.5, rare), g))
    end
    return choose(p:gt(0.5), n - y, y):to_dtype(count.dtype)
  end)

-- ---- gamma ----

local function need_floating(op, x)
  if not x.dtype.is_floating_point then fail("%s: x is %s, but must be floating", op, tostring(x.dtype)) end
end

-- Marsaglia and Tsang, for float64 shapes alpha (PyTorch's of any floating dtype); below 1 by one of alpha + 1.
local function gamma(op, alpha, g)
  if alpha:gt(0):logical_and(alpha:lt(math.huge)):logical_not():any():item() then
    fail("%s: concentrations must be finite and above 0", op)
  end
  if draws.like_pytorch(g) then return draws.each(g, "gamma", alpha) end
  local small = alpha:lt(1)
  local d = choose(small, alpha + 1, alpha) - 1 / 3
  local c = 1 / (9 * d):sqrt()
  local y = until_accepted(alpha, function()
    local x, u = drawn(g, alpha, "normal", 0, 1), uniform(g, alpha)
    local v = (1 + c * x) ^ 3
    return d * v, v:gt(0):logical_and(u:log():lt(0.5 * x:square() + d * (1 - v + v:clamp(1e-300):log())))
  end)
  if not small:any():item() then return y end
  return y * choose(small, (1 - uniform(g, alpha)) ^ (1 / alpha), 1.0)
end

define("_standard_gamma", "x:T generator:a?", "random numbers of gamma distributions of shapes x and scale 1",
  function(x, g)
    need_floating("_standard_gamma", x)
    local alpha = x:detach()
    return gamma("_standard_gamma", draws.like_pytorch(g) and alpha or alpha:to_dtype(float64), g):to_dtype(x.dtype)
  end)

-- The least and the greatest normal number between 0 and 1.
local inside = {
  float64 = { 2.0 ^ -1022, 1 - 2.0 ^ -53 }, float32 = { 2.0 ^ -126, 1 - 2.0 ^ -24 },
  float16 = { 2.0 ^ -14, 1 - 2.0 ^ -11 }, bfloat16 = { 2.0 ^ -126, 1 - 2.0 ^ -8 },
}

define("_sample_dirichlet", "x:T generator:a?",
  "random points of Dirichlet distributions whose concentrations stand along the last dim of x", function(x, g)
    need_floating("_sample_dirichlet", x)
    if x.ndim == 0 then fail("_sample_dirichlet: x is a single number; its last dim holds the concentrations") end
    local y = gamma("_sample_dirichlet", x:detach():to_dtype(float64), g)
    return (y / y:sum(-1, true)):to_dtype(x.dtype):clamp(table.unpack(inside[tostring(x.dtype)]))
  end)

return made
