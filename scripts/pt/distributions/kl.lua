--- kl_divergence(p, q): how much a code for q wastes on values of p, in nats.
--
-- Where p and q are of one kind there is a formula for the pair. Otherwise it is the cross entropy of q under p less
-- the entropy of p: E[-log q(x)] wants of p only a few means (of x, log x, exp(-t x)), and each kind of q says which.
-- It is infinite where p has values that q has not.

local pt = require "pt"
local Distribution = require("pt.distributions.distribution").Distribution
local fail = require "pt.fail"
local shapes = require "pt.distributions.shapes"
local signature = require "pt.signature"

local kinds = {}
for _, file in ipairs { "location_scale", "positive", "gamma", "discrete", "categorical", "matrices", "transformed" } do
  for name, kind in pairs(require("pt.distributions." .. file)) do kinds[name] = kind end
end
local parts = kinds._parts

local where, sum_last = pt.where, shapes.sum_last
local sqrt, pi, huge = math.sqrt, math.pi, math.huge
local EULER = 0.57721566490153286

-- ---- the register ----

local register = {} -- of pairs: register[p's class][q's class]

local function set(p, q, fn)
  register[p] = register[p] or {}
  register[p][q] = fn
end

-- The next class up.
local function base_of(class)
  local meta = getmetatable(class)
  return type(meta) == "table" and meta.__index or nil
end

-- What was registered for the classes or, nearest first, for their bases.
local function find(p, q)
  local best, steps = nil, huge
  local i, a = 0, p
  while a do
    local j, b = 0, q
    while b do
      local fn = register[a] and register[a][b]
      if fn and i + j < steps then best, steps = fn, i + j end
      j, b = j + 1, base_of(b)
    end
    i, a = i + 1, base_of(a)
  end
  return best
end

local function name_of(d) return getmetatable(d).__name end

-- What a table has under the name of d's class, or of one of its bases: Chi2 is a Gamma.
local function by_kind(list, d)
  local class = getmetatable(d)
  while class do
    local entry = list[rawget(class, "__name")]
    if entry then return entry end
    class = base_of(class)
  end
end

local function check(name, d)
  if type(d) ~= "table" or not signature.is_a(d, Distribution) then
    fail("kl_divergence: %s must be a distribution, got %s", name, signature.describe(d))
  end
end

local function kl_divergence(p, q)
  check("p", p)
  check("q", q)
  local fn = find(getmetatable(p), getmetatable(q))
  if not fn then
    fail("kl_divergence: nothing is known for %s and %s; register_kl adds a pair", name_of(p), name_of(q))
  end
  return fn(p, q)
end

-- ---- means that cross entropies want ----

-- E[log x], by the name of p's kind.
local mean_of_log = {
  Beta = function(p) return p.concentration1:digamma() - (p.concentration1 + p.concentration0):digamma() end,
  Exponential = function(p) return -EULER - p.rate:log() end,
  Gamma = function(p) return p.concentration:digamma() - p.rate:log() end,
  Pareto = function(p) return p.scale:log() + 1 / p.alpha end,
  Uniform = function(p)
    local low = p.low:clamp(0)
    return (pt.xlogy(p.high, p.high) - pt.xlogy(low, low)) / (p.high - p.low) - 1
  end,
}

-- E[exp(-t x)].
local mean_of_exp = {
  Exponential = function(p, t) return p.rate / (p.rate + t) end,
  Gamma = function(p, t) return (1 + t / p.rate) ^ -p.concentration end,
  Normal = function(p, t) return (-p.loc * t + 0.5 * (p.scale * t):square()):exp() end,
  Uniform = function(p, t) return ((-p.low * t):exp() - (-p.high * t):exp()) / (t * (p.high - p.low)) end,
}

-- ---- cross entropies: E[-log q(x)] of values of p ----

local cross = {}

function cross.Normal(p, q)
  return 0.5 * (2 * pi * q.scale:square()):log() + 0.5 * (p.variance + (p.mean - q.loc):square()) / q.scale:square()
end

function cross.Exponential(p, q) return q.rate * p.mean - q.rate:log() end

function cross.Gamma(p, q)
  local a, b = q.concentration, q.rate
  return a:lgamma() - a * b:log() - (a - 1) * by_kind(mean_of_log, p)(p) + b * p.mean
end

function cross.Uniform(_, q) return (q.high - q.low):log() end

function cross.Gumbel(p, q)
  local t = 1 / q.scale
  return q.scale:log() + (p.mean - q.loc) * t + (q.loc * t):exp() * by_kind(mean_of_exp, p)(p, t)
end

function cross.ContinuousBernoulli(p, q) return -(p.mean * q.logits + (-q.probs):log1p() + q:_log_norm()) end

function cross.Pareto(p, q)
  return (q.alpha + 1) * by_kind(mean_of_log, p)(p) - q.alpha:log() - q.alpha * q.scale:log()
end

-- E|x - loc| of normal numbers.
function cross.Laplace(p, q)
  local d = p.loc - q.loc
  local distance = sqrt(2 / pi) * p.scale * (-0.5 * (d / p.scale):square()):exp()
    + d * (d / (p.scale * sqrt(2))):erf()
  return (2 * q.scale):log() + distance / q.scale
end

-- Of p uniform: E[log(1 - x)] is E[log x] of its mirror image.
function cross.Beta(p, q)
  local a, b = q.concentration1, q.concentration0
  local mirrored = { low = 1 - p.high:clamp(nil, 1), high = 1 - p.low }
  return a:lgamma() + b:lgamma() - (a + b):lgamma() - (a - 1) * mean_of_log.Uniform(p)
    - (b - 1) * mean_of_log.Uniform(mirrored)
end

function cross.Poisson(p, q) return q.rate - p.probs * q.rate:log() end -- of 0 and 1

-- The ends of where values of a kind lie, where they are not all numbers.
local ends = {
  Beta = function() return 0, 1 end, ContinuousBernoulli = function() return 0, 1 end,
  Exponential = function() return 0, huge end, Gamma = function() return 0, huge end,
  Uniform = function(d) return d.low, d.high end, Pareto = function(d) return d.scale, huge end,
}

-- Whether values of p lie outside of q's support, as a tensor of bools that broadcasts with the batch, or nil.
local function leaves(p, q)
  local of_p, of_q = by_kind(ends, p), by_kind(ends, q)
  if not of_q then return nil end
  local q_low, q_high = of_q(q)
  local p_low, p_high = -huge, huge
  if of_p then p_low, p_high = of_p(p) end
  local list = shapes.tensors({ p_low, p_high, q_low, q_high }, 4)
  return list[1]:lt(list[3]):logical_or(list[2]:gt(list[4]))
end

for q, names in pairs {
  Normal = "Beta ContinuousBernoulli Exponential Gamma Gumbel Laplace Pareto Uniform",
  Exponential = "Beta ContinuousBernoulli Gamma Pareto Uniform", Gamma = "Beta Exponential Pareto Uniform",
  Uniform = "Beta ContinuousBernoulli", Gumbel = "Exponential Gamma Normal Uniform",
  ContinuousBernoulli = "Beta Uniform", Pareto = "Uniform", Laplace = "Normal", Beta = "Uniform", Poisson = "Bernoulli",
} do
  for p in names:gmatch "%S+" do
    set(kinds[p], kinds[q], function(a, b)
      local value, outside = cross[q](a, b) - a:entropy(), leaves(a, b)
      return outside and where(outside, huge, value) or value
    end)
  end
end

-- Pairs whose supports never fit.
for q, names in pairs {
  Beta = "Exponential Gamma Gumbel Laplace Normal Pareto", Uniform = "Exponential Gamma Gumbel Laplace Normal Pareto",
  ContinuousBernoulli = "Exponential Gamma Gumbel Laplace Normal Pareto",
  Exponential = "Gumbel Laplace Normal", Gamma = "Gumbel Laplace Normal",
  Pareto = "Beta ContinuousBernoulli Exponential Gamma Gumbel Laplace Normal", Bernoulli = "Poisson",
  Binomial = "Poisson",
} do
  for p in names:gmatch "%S+" do
    set(kinds[p], kinds[q], function(a) return a.mean:full_like(huge) end)
  end
end

-- ---- pairs of one kind ----

local same = {}

-- p log(p / q), 0 where p is 0, infinite where only q is.
local function weighed(p, q, log_ratio)
  return where(p:eq(0), 0.0, where(q:eq(0), huge, p * log_ratio))
end

function same.Bernoulli(p, q)
  local yes = weighed(p.probs, q.probs, p.logits:logsigmoid() - q.logits:logsigmoid())
  return yes + weighed(1 - p.probs, 1 - q.probs, (-p.logits):logsigmoid() - (-q.logits):logsigmoid())
end

function same.Categorical(p, q) return weighed(p.probs, q.probs, p.logits - q.logits):sum(-1) end
same.OneHotCategorical = same.Categorical

function same.Binomial(p, q)
  if p.total_count:lt(q.total_count):any():item() then
    fail("kl_divergence: Binomial: nothing is known where q has more trials than p")
  end
  local one = p.probs * (p.logits - q.logits) + (-p.probs):log1p() - (-q.probs):log1p()
  return where(p.total_count:gt(q.total_count), huge, p.total_count * one)
end

function same.Poisson(p, q) return pt.xlogy(p.rate, p.rate / q.rate) - (p.rate - q.rate) end

function same.Geometric(p, q) return -p:entropy() - (-q.probs):log1p() / p.probs - q.logits end

function same.ContinuousBernoulli(p, q) return cross.ContinuousBernoulli(p, q) - p:entropy() end

function same.Dirichlet(p, q)
  local a, b = p.concentration, q.concentration
  local total = a:sum(-1)
  return total:lgamma() - b:sum(-1):lgamma() - (a:lgamma() - b:lgamma()):sum(-1)
    + ((a - b) * (a:digamma() - total:digamma():unsqueeze(-1))):sum(-1)
end

function same.Beta(p, q)
  local a1, a0, b1, b0 = p.concentration1, p.concentration0, q.concentration1, q.concentration0
  local a, b = a1 + a0, b1 + b0
  return a:lgamma() - b:lgamma() - a1:lgamma() - a0:lgamma() + b1:lgamma() + b0:lgamma()
    + (a1 - b1) * a1:digamma() + (a0 - b0) * a0:digamma() + (b - a) * a:digamma()
end

function same.Exponential(p, q)
  local ratio = q.rate / p.rate
  return ratio - 1 - ratio:log()
end

function same.Gamma(p, q)
  local a, b, ratio = p.concentration, q.concentration, q.rate / p.rate
  return b:lgamma() - a:lgamma() - b * ratio:log() + (a - b) * a:digamma() + a * (ratio - 1)
end
same.InverseGamma = same.Gamma -- of 1 / x, which keeps it

function same.Gumbel(p, q)
  local ratio, shift = p.scale / q.scale, (p.loc - q.loc) / q.scale
  return shift - ratio:log() + EULER * (ratio - 1) + ((1 + ratio):lgamma() - shift):exp() - 1
end

function same.Weibull(p, q)
  local a, b = p.concentration, q.concentration
  local log_ratio = p.scale:log() - q.scale:log()
  return a:log() - b:log() - b * log_ratio + (a - b) * -EULER / a + (b * log_ratio + (1 + b / a):lgamma()):exp() - 1
end

function same.Normal(p, q)
  local ratio = (p.scale / q.scale):square()
  return 0.5 * (ratio - 1 - ratio:log() + ((p.loc - q.loc) / q.scale):square())
end

function same.HalfNormal(p, q)
  local ratio = (p.scale / q.scale):square()
  return 0.5 * (ratio - 1 - ratio:log())
end

function same.Cauchy(p, q)
  return ((p.scale + q.scale):square() + (p.loc - q.loc):square()):log() - (4 * p.scale * q.scale):log()
end

function same.Laplace(p, q)
  local ratio, distance = p.scale / q.scale, (p.loc - q.loc):abs()
  return distance / q.scale + ratio * (-distance / p.scale):exp() - 1 - ratio:log()
end

function same.Pareto(p, q)
  local ratio = q.alpha / p.alpha
  return where(leaves(p, q), huge, q.alpha * (p.scale / q.scale):log() - ratio:log() + ratio - 1)
end

function same.Uniform(p, q) return where(leaves(p, q), huge, ((q.high - q.low) / (p.high - p.low)):log()) end

-- ---- vectors and matrices ----

local function same_event(p, q)
  if p.event_shape ~= q.event_shape then
    fail("kl_divergence: %s has events of %s, %s of %s", tostring(p), tostring(p.event_shape), tostring(q),
      tostring(q.event_shape))
  end
end

-- A triangle for each element of a batch shape.
local function over_batch(x, batch)
  return x:expand(shapes.join(batch, shapes.last(x.shape, 2)))
end

-- What covariance q's inverse makes of p's covariance, x x': the sum of squares of (factor of q)^-1 x.
local function trace_under(q, x)
  local batch = shapes.broadcast(q.batch_shape, shapes.but_last(x.shape, 2))
  local solved = parts.solve_lower(over_batch(q.scale_tril, batch), over_batch(x, batch))
  return solved:square():sum { -1, -2 }
end

local function log_det(d) return d._scaled and parts.low_rank_log_det(d) or 2 * parts.half_log_det(d._factor) end

-- Between normal distributions of either kind; those of low rank are never factored in full as p.
local function between_normals(p, q)
  same_event(p, q)
  local n, d = p.event_shape[1], q.loc - p.loc
  local distance = q._scaled and parts.low_rank_mahalanobis(q, d) or parts.mahalanobis(q._factor, d)
  local trace = p._scaled and trace_under(q, p.cov_factor) + trace_under(q, p.cov_diag:sqrt():diag_embed())
    or trace_under(q, p._factor)
  return 0.5 * (log_det(q) - log_det(p) + distance + trace - n)
end

for _, p in ipairs { kinds.MultivariateNormal, kinds.LowRankMultivariateNormal } do
  for _, q in ipairs { kinds.MultivariateNormal, kinds.LowRankMultivariateNormal } do set(p, q, between_normals) end
end

function same.Wishart(p, q)
  same_event(p, q)
  local n, a, b = p.event_shape[1], p.df, q.df
  local ratio = parts.half_log_det(q._factor) - parts.half_log_det(p._factor)
  return b * ratio + 0.5 * a * (trace_under(q, p._factor) - n) + parts.multi_lgamma(b / 2, n)
    - parts.multi_lgamma(a / 2, n) + 0.5 * (a - b) * parts.multi_digamma(a / 2, n)
end

-- ---- made of others ----

function same.Independent(p, q)
  if p.reinterpreted_batch_ndims ~= q.reinterpreted_batch_ndims then
    fail("kl_divergence: Independent: p takes %d batch dims as event, q %d", p.reinterpreted_batch_ndims,
      q.reinterpreted_batch_ndims)
  end
  return sum_last(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)
end

-- The same transforms of both change nothing.
function same.TransformedDistribution(p, q)
  local equal = #p.transforms == #q.transforms
  for i = 1, equal and #p.transforms or 0 do equal = equal and p.transforms[i] == q.transforms[i] end
  if not equal then fail("kl_divergence: %s and %s have different transforms", tostring(p), tostring(q)) end
  same_event(p, q)
  return kl_divergence(p.base_dist, q.base_dist)
end

function same.HalfCauchy(p, q)
  return ((p.scale + q.scale):square():log() - (4 * p.scale * q.scale):log())
end

for name, fn in pairs(same) do set(kinds[name], kinds[name], fn) end

-- ---- what scripts call ----

local made = {}

--- The Kullback-Leibler divergence of two distributions.
---@param p pt.distributions.Distribution
---@param q pt.distributions.Distribution
---@return pt.Tensor of the batch shapes broadcast
made.kl_divergence = signature("kl_divergence", "p:a q:a", kl_divergence, false)

--- Says how kl_divergence(p, q) of two classes, and of classes made from them, is computed. What was registered for
--- classes that are nearer counts.
---@param type_p table a class
---@param type_q table a class
---@param fn fun(p, q): pt.Tensor
made.register_kl = signature("register_kl", "type_p:t type_q:t fn:F", function(p, q, fn)
  for name, class in pairs { type_p = p, type_q = q } do
    if class ~= Distribution and not signature.is_a(setmetatable({}, class), Distribution) then
      fail("register_kl: %s must be a class of distributions, got %s", name, signature.describe(class))
    end
  end
  set(p, q, fn)
end, false)

return made
