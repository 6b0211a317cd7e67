--- Distributions on positive numbers: Exponential and what is a function of it (Weibull, Pareto, GeneralizedPareto),
--- HalfNormal, HalfCauchy. Those that are made of gamma variates stand in gamma.lua.

local pt = require "pt"
local constraints = require "pt.distributions.constraints"
local define = require("pt.distributions.distribution").define

local made = {}
local log, sqrt, pi, huge, nan = math.log, math.sqrt, math.pi, math.huge, 0 / 0
local EULER = 0.57721566490153286
local where = pt.where
local positive = constraints.positive

-- ---- Exponential ----

local Exponential, get = define("Exponential", "rate:A", {
  constraints = { rate = positive }, support = constraints.nonnegative, has_rsample = true,
})
made.Exponential = Exponential

function get:mean() return 1 / self.rate end
function get:mode() return self.rate:zeros_like() end
function get:stddev() return 1 / self.rate end
function get:variance() return 1 / self.rate:square() end
function Exponential:_draw(shape) return self:_noise(shape, "exponential", 1, 0) / self.rate end
function Exponential:_log_prob(x) return self.rate:log() - self.rate * x end
function Exponential:_cdf(x) return -(-self.rate * x):expm1() end
function Exponential:_icdf(p) return -(-p):log1p() / self.rate end
function Exponential:_entropy() return 1 - self.rate:log() end

-- ---- Weibull ----

local Weibull
Weibull, get = define("Weibull", "scale:A concentration:A", {
  constraints = { scale = positive, concentration = positive }, support = positive, has_rsample = true,
})
made.Weibull = Weibull

local function weibull_moment(self, n) return (1 + n / self.concentration):lgamma():exp() * self.scale ^ n end

function get:mean() return weibull_moment(self, 1) end
function get:mode()
  local k = self.concentration:maximum(1)
  return self.scale * ((k - 1) / k) ^ (1 / k)
end
function get:variance() return weibull_moment(self, 2) - weibull_moment(self, 1):square() end
function Weibull:_draw(shape)
  return self.scale * (self:_noise(shape, "exponential", 1, 0):log() / self.concentration):exp()
end
function Weibull:_log_prob(x)
  local k, z = self.concentration, (x / self.scale):log()
  return k:log() - self.scale:log() + (k - 1) * z - (k * z):exp()
end
function Weibull:_cdf(x) return -(-(x / self.scale) ^ self.concentration):expm1() end
function Weibull:_icdf(p) return self.scale * (-(-p):log1p()) ^ (1 / self.concentration) end
function Weibull:_entropy()
  return EULER * (1 - 1 / self.concentration) + (self.scale / self.concentration):log() + 1
end

-- ---- Pareto ----

local Pareto
Pareto, get = define("Pareto", "scale:A alpha:A", {
  constraints = { scale = positive, alpha = positive }, has_rsample = true,
})
made.Pareto = Pareto

function get:support() return constraints.greater_than_eq(self.scale) end
function get:mean()
  local a = self.alpha:maximum(1) -- infinite up to there
  return a * self.scale / (a - 1)
end
function get:mode() return self.scale end
function get:variance()
  local a = self.alpha:maximum(2)
  return self.scale:square() * a / ((a - 1):square() * (a - 2))
end
function Pareto:_draw(shape) return self.scale * (self:_noise(shape, "exponential", 1, 0) / self.alpha):exp() end
function Pareto:_log_prob(x)
  return self.alpha:log() + self.alpha * self.scale:log() - (self.alpha + 1) * x:log()
end
function Pareto:_cdf(x) return 1 - (self.scale / x) ^ self.alpha end
function Pareto:_icdf(p) return self.scale * (-(-p):log1p() / self.alpha):exp() end
function Pareto:_entropy() return (self.scale / self.alpha):log() + 1 + 1 / self.alpha end

-- ---- GeneralizedPareto ----

local GeneralizedPareto
GeneralizedPareto, get = define("GeneralizedPareto", "loc:A scale:A concentration:A", {
  constraints = { loc = constraints.real, scale = positive, concentration = constraints.real }, has_rsample = true,
})
made.GeneralizedPareto = GeneralizedPareto

-- fn(c x) / c, which is x where c is 0; near there by the series of fn(u) / u, whose coefficients are given.
local function over(fn, c, x, series)
  local u = c * x
  local small = u:abs():lt(1e-3)
  local near = x * (1 + u * (series[1] + u * (series[2] + u * series[3])))
  return where(small, near, fn(where(small, 1.0, u)) / where(c:eq(0), 1.0, c))
end

function get:support()
  local low, c = self.loc, self.concentration
  return constraints.interval(low, where(c:lt(0), low - self.scale / where(c:lt(0), c, -1.0), huge))
end
function get:mean()
  local c = self.concentration
  return where(c:lt(1), self.loc + self.scale / (1 - where(c:lt(1), c, 0.5)), nan)
end
function get:mode() return self.loc end
function get:variance()
  local finite = self.concentration:lt(0.5)
  local c = where(finite, self.concentration, 0.25)
  return where(finite, self.scale:square() / ((1 - c):square() * (1 - 2 * c)), nan)
end

-- The logarithm of the probability of more than x.
local function log_tail(self, x)
  return -over(pt.log1p, self.concentration, (x - self.loc) / self.scale, { -1 / 2, 1 / 3, -1 / 4 })
end

function GeneralizedPareto:_draw(shape) return self:_icdf(self:_uniform(shape)) end
function GeneralizedPareto:_log_prob(x)
  return (1 + self.concentration) * log_tail(self, x) - self.scale:log()
end
function GeneralizedPareto:_cdf(x) return -log_tail(self, x):expm1() end
function GeneralizedPareto:_icdf(p)
  return self.loc + self.scale * over(pt.expm1, self.concentration, -(-p):log1p(), { 1 / 2, 1 / 6, 1 / 24 })
end
function GeneralizedPareto:_entropy() return self.scale:log() + self.concentration + 1 end

-- ---- the upper halves of Normal and Cauchy ----

local HalfNormal
HalfNormal, get = define("HalfNormal", "scale:A", {
  constraints = { scale = positive }, support = constraints.nonnegative, has_rsample = true,
})
made.HalfNormal = HalfNormal

function get:mean() return self.scale * sqrt(2 / pi) end
function get:mode() return self.scale:zeros_like() end
function get:variance() return self.scale:square() * (1 - 2 / pi) end
function HalfNormal:_draw(shape) return self.scale * self:_noise(shape, "normal", 0, 1):abs() end
function HalfNormal:_log_prob(x)
  local inside = (x / self.scale):square() * -0.5 - self.scale:log() + 0.5 * log(2 / pi)
  return where(x:ge(0), inside, -huge)
end
function HalfNormal:_cdf(x) return (x / (self.scale * sqrt(2))):erf() end
function HalfNormal:_icdf(p) return self.scale * sqrt(2) * p:erfinv() end
function HalfNormal:_entropy() return self.scale:log() + 0.5 * log(pi / 2) + 0.5 end

local HalfCauchy
HalfCauchy, get = define("HalfCauchy", "scale:A", {
  constraints = { scale = positive }, support = constraints.nonnegative, has_rsample = true,
})
made.HalfCauchy = HalfCauchy

function get:mean() return self.scale:full_like(huge) end
function get:mode() return self.scale:zeros_like() end
function get:variance() return self.scale:full_like(huge) end
function HalfCauchy:_draw(shape) return self:_icdf(self:_uniform(shape)) end
function HalfCauchy:_log_prob(x)
  local inside = log(2 / pi) - self.scale:log() - (x / self.scale):square():log1p()
  return where(x:ge(0), inside, -huge)
end
function HalfCauchy:_cdf(x) return (x / self.scale):atan() * (2 / pi) end
function HalfCauchy:_icdf(p) return self.scale * (p * (pi / 2)):tan() end
function HalfCauchy:_entropy() return log(2 * pi) + self.scale:log() end

return made
