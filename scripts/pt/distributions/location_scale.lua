--- Distributions on all numbers, or on an interval: Normal, Laplace, Cauchy, Gumbel, StudentT, Uniform, VonMises.

local pt = require "pt"
local constraints = require "pt.distributions.constraints"
local define = require("pt.distributions.distribution").define
local log_gamma = require("pt.distributions.gamma_noise").log_gamma
local shapes = require "pt.distributions.shapes"

local made = {}
local log, pi, sqrt, huge, nan = math.log, math.pi, math.sqrt, math.huge, 0 / 0
local EULER = 0.57721566490153286
local where = pt.where

local LOC_SCALE = { loc = constraints.real, scale = constraints.positive }

-- ---- Normal ----

local Normal, get = define("Normal", "loc:A scale:A", {
  constraints = LOC_SCALE, support = constraints.real, has_rsample = true,
})
made.Normal = Normal

function get:mean() return self.loc end
function get:mode() return self.loc end
function get:stddev() return self.scale end
function get:variance() return self.scale:square() end
function Normal:_draw(shape) return self.loc + self.scale * self:_noise(shape, "normal", 0, 1) end
function Normal:_log_prob(x)
  return ((x - self.loc) / self.scale):square() * -0.5 - self.scale:log() - 0.5 * log(2 * pi)
end
function Normal:_cdf(x) return pt.special.ndtr((x - self.loc) / self.scale) end
function Normal:_icdf(p) return self.loc + self.scale * sqrt(2) * (2 * p - 1):erfinv() end
function Normal:_entropy() return self.scale:log() + (0.5 + 0.5 * log(2 * pi)) end

-- ---- Laplace ----

local Laplace
Laplace, get = define("Laplace", "loc:A scale:A", {
  constraints = LOC_SCALE, support = constraints.real, has_rsample = true,
})
made.Laplace = Laplace

function get:mean() return self.loc end
function get:mode() return self.loc end
function get:variance() return 2 * self.scale:square() end
function get:stddev() return self.scale * sqrt(2) end
function Laplace:_draw(shape) return self:_icdf(self:_uniform(shape)) end
function Laplace:_log_prob(x) return -(2 * self.scale):log() - (x - self.loc):abs() / self.scale end
function Laplace:_cdf(x)
  local z = (x - self.loc) / self.scale
  return 0.5 - 0.5 * z:sign() * (-z:abs()):expm1()
end
function Laplace:_icdf(p)
  local from_middle = p - 0.5
  return self.loc - self.scale * from_middle:sign() * (-2 * from_middle:abs()):log1p()
end
function Laplace:_entropy() return 1 + (2 * self.scale):log() end

-- ---- Cauchy ----

local Cauchy
Cauchy, get = define("Cauchy", "loc:A scale:A", {
  constraints = LOC_SCALE, support = constraints.real, has_rsample = true,
})
made.Cauchy = Cauchy

function get:mean() return self.loc:full_like(nan) end
function get:mode() return self.loc end
function get:variance() return self.loc:full_like(huge) end
function Cauchy:_draw(shape) return self:_icdf(self:_uniform(shape)) end
function Cauchy:_log_prob(x)
  return -log(pi) - self.scale:log() - ((x - self.loc) / self.scale):square():log1p()
end
function Cauchy:_cdf(x) return ((x - self.loc) / self.scale):atan() / pi + 0.5 end
function Cauchy:_icdf(p) return self.loc + self.scale * (pi * (p - 0.5)):tan() end
function Cauchy:_entropy() return log(4 * pi) + self.scale:log() end

-- ---- Gumbel ----

local Gumbel
Gumbel, get = define("Gumbel", "loc:A scale:A", {
  constraints = LOC_SCALE, support = constraints.real, has_rsample = true,
})
made.Gumbel = Gumbel

function get:mean() return self.loc + self.scale * EULER end
function get:mode() return self.loc end
function get:stddev() return self.scale * (pi / sqrt(6)) end
function get:variance() return self.scale:square() * (pi * pi / 6) end
function Gumbel:_draw(shape) return self.loc - self.scale * self:_noise(shape, "exponential", 1, 0):log() end
function Gumbel:_log_prob(x)
  local z = (self.loc - x) / self.scale
  return z - z:exp() - self.scale:log()
end
function Gumbel:_cdf(x) return (-((self.loc - x) / self.scale):exp()):exp() end
function Gumbel:_icdf(p) return self.loc - self.scale * (-p:log()):log() end
function Gumbel:_entropy() return self.scale:log() + (1 + EULER) end

-- ---- StudentT ----

local StudentT
StudentT, get = define("StudentT", "df:A loc:A=0 scale:A=1", {
  constraints = { df = constraints.positive, loc = constraints.real, scale = constraints.positive },
  support = constraints.real, has_rsample = true,
})
made.StudentT = StudentT

function get:mean() return where(self.df:gt(1), self.loc, nan) end
function get:mode() return self.loc end
function get:variance()
  local df = self.df
  local finite = self.scale:square() * df / (where(df:gt(2), df, 3.0) - 2)
  return where(df:gt(2), finite, where(df:gt(1), huge, df:full_like(nan)))
end

-- A normal number over the square root of a Chi2 over df.
function StudentT:_draw(shape)
  local half = 0.5 * self.df:expand(self:_full(shape))
  local log_chi2 = log_gamma(half) + log(2)
  return self.loc + self.scale * self:_noise(shape, "normal", 0, 1) * (0.5 * (self.df:log() - log_chi2)):exp()
end

function StudentT:_log_prob(x)
  local df, z = self.df, (x - self.loc) / self.scale
  local norm = self.scale:log() + 0.5 * df:log() + 0.5 * log(pi) + (0.5 * df):lgamma() - (0.5 * (df + 1)):lgamma()
  return -0.5 * (df + 1) * (z:square() / df):log1p() - norm
end

function StudentT:_entropy()
  local df = self.df
  local log_beta = (0.5 * df):lgamma() + 0.5 * log(pi) - (0.5 * (df + 1)):lgamma()
  return self.scale:log() + 0.5 * (df + 1) * ((0.5 * (df + 1)):digamma() - (0.5 * df):digamma()) + 0.5 * df:log()
    + log_beta
end

-- ---- Uniform ----

-- Raises where high is not above low.
local function check_ends(self)
  if self._validates and not self.high:gt(self.low):all():item() then
    require "pt.fail"("Uniform: high must be above low, got %s and %s", tostring(self.high), tostring(self.low))
  end
end

local Uniform
Uniform, get = define("Uniform", "low:A high:A", {
  constraints = { low = constraints.real, high = constraints.real }, has_rsample = true, setup = check_ends,
})
made.Uniform = Uniform

function get:support() return constraints.interval(self.low, self.high) end
function get:mean() return (self.low + self.high) / 2 end
function get:mode() return self.low:full_like(nan) end
function get:stddev() return (self.high - self.low) / sqrt(12) end
function get:variance() return (self.high - self.low):square() / 12 end
function Uniform:_draw(shape) return self.low + (self.high - self.low) * self:_noise(shape, "uniform", 0, 1) end
function Uniform:_log_prob(x)
  local inside = x:ge(self.low):logical_and(x:lt(self.high))
  return where(inside, 0.0, -huge):to_dtype(self.low.dtype) - (self.high - self.low):log()
end
function Uniform:_cdf(x) return ((x - self.low) / (self.high - self.low)):clamp(0, 1) end
function Uniform:_icdf(p) return self.low + p * (self.high - self.low) end
function Uniform:_entropy() return (self.high - self.low):log() end

-- ---- VonMises ----

local VonMises
VonMises, get = define("VonMises", "loc:A concentration:A", {
  constraints = { loc = constraints.real, concentration = constraints.positive }, support = constraints.real,
})
made.VonMises = VonMises

function get:mean() return self.loc end
function get:mode() return self.loc end
--- The circular variance: 1 minus the length of the mean of points on the circle.
function get:variance() return 1 - pt.special.i1e(self.concentration) / pt.special.i0e(self.concentration) end
function VonMises:_log_prob(x)
  return self.concentration * ((x - self.loc):cos() - 1) - log(2 * pi) - pt.special.i0e(self.concentration):log()
end

-- Rejection from a wrapped Cauchy distribution (Best and Fisher 1979). Each round draws for every element.
function VonMises:_draw(shape)
  local full = self:_full(shape)
  local kappa, loc = self.concentration:double():expand(full), self.loc:double():expand(full)
  local tau = 1 + (1 + 4 * kappa:square()):sqrt()
  local rho = (tau - (2 * tau):sqrt()) / (2 * kappa)
  local r = where(kappa:lt(1e-5), 1 / kappa + kappa, (1 + rho:square()) / (2 * rho)) -- where the sum would cancel
  local x, done = kappa:zeros_like(), kappa:lt(0)
  while not done:all():item() do
    local u = pt.rand(shapes.join({ 3 }, full), { dtype = pt.float64, device = kappa.device })
    local z = (pi * u[1]):cos()
    local f = (1 + r * z) / (r + z)
    local c = kappa * (r - f)
    local accepted = (c * (2 - c) - u[2]):gt(0):logical_or(((c / u[2]):log() + 1 - c):ge(0))
    x = where(accepted:logical_and(done:logical_not()), (u[3] - 0.5):sign() * f:clamp(-1, 1):acos(), x)
    done = done:logical_or(accepted)
  end
  return ((x + pi + loc):remainder(2 * pi) - pi):to_dtype(self.loc.dtype)
end

return made
