--- Distributions of counts and of yes or no: Bernoulli, Binomial, Geometric, NegativeBinomial, Poisson. Their values
--- are values: they begin at 0. And between 0 and 1: ContinuousBernoulli, Kumaraswamy.

local pt = require "pt"
local constraints = require "pt.distributions.constraints"
local distribution = require "pt.distributions.distribution"
local fail = require "pt.fail"
local odds = require "pt.distributions.odds"
local shapes = require "pt.distributions.shapes"

local F = pt.nn.functional
local define = distribution.define
local where = pt.where
local log, nan = math.log, 0 / 0

local made = {}

local PROBS = { probs = constraints.unit_interval, logits = constraints.real }
local ONE_OF = { "probs", "logits" }

-- The logarithm of n!, and of n over k.
local function log_factorial(n) return (n + 1):lgamma() end
local function log_choose(n, k) return log_factorial(n) - log_factorial(k) - log_factorial(n - k) end

-- value log p + (1 - value) log(1 - p), from the logits.
local function log_of(logits, value)
  local both = pt.broadcast_tensors(logits, value:to_dtype(logits.dtype))
  return -F.binary_cross_entropy_with_logits(both[1], both[2], { reduction = "none" })
end

-- ---- Bernoulli ----

local Bernoulli, get = define("Bernoulli", "probs:A? logits:A?", {
  constraints = PROBS, one_of = ONE_OF, support = constraints.boolean,
})
made.Bernoulli = Bernoulli
odds.add(get)

function get:mean() return self.probs end
function get:mode()
  local p = self.probs
  return where(p:eq(0.5), nan, p:gt(0.5):to_dtype(p.dtype))
end
function get:variance() return self.probs * (1 - self.probs) end
function Bernoulli:_draw(shape) return self.probs:expand(self:_full(shape)):bernoulli() end
function Bernoulli:_log_prob(x) return log_of(self.logits, x) end
function Bernoulli:_entropy() return -log_of(self.logits, self.probs) end
function Bernoulli:_enumerate() return pt.arange(2, { dtype = self:_dtype(), device = self:_device() }) end

-- ---- Binomial ----

local Binomial
Binomial, get = define("Binomial", "total_count:A=1 probs:A? logits:A?", {
  constraints = {
    total_count = constraints.nonnegative_integer, probs = constraints.unit_interval, logits = constraints.real,
  },
  one_of = ONE_OF,
})
made.Binomial = Binomial
odds.add(get)

function get:support() return constraints.integer_interval(0, self.total_count) end
function get:mean() return self.total_count * self.probs end
function get:mode() return ((self.total_count + 1) * self.probs):floor():minimum(self.total_count) end
function get:variance() return self.total_count * self.probs * (1 - self.probs) end
function Binomial:_draw(shape)
  local full = self:_full(shape)
  return pt.binomial(self.total_count:expand(full):detach(), self.probs:expand(full):detach())
end
function Binomial:_log_prob(x)
  local n, logits = self.total_count, self.logits
  return log_choose(n, x) + x * logits + n * (-logits):logsigmoid()
end

-- The one number of trials of the whole batch.
local function trials(self, what)
  local n = self.total_count:numel() > 0 and self.total_count:max():item() or 0
  if self.total_count:ne(n):any():item() then fail("Binomial: %s wants one total_count for the whole batch", what) end
  return math.tointeger(n)
end
function Binomial:_enumerate()
  return pt.arange(trials(self, "enumerate_support") + 1, { dtype = self:_dtype(), device = self:_device() })
end
function Binomial:_entropy()
  trials(self, "entropy")
  local log_p = self:_log_prob(self:enumerate_support(false))
  return -(log_p:exp() * log_p):sum(1)
end

-- ---- Geometric ----

local Geometric
Geometric, get = define("Geometric", "probs:A? logits:A?", {
  constraints = PROBS, one_of = ONE_OF, support = constraints.nonnegative_integer,
  setup = function(self)
    if self._validates and self:_was_given "probs" then
      distribution.check("Geometric", "probs", constraints.positive, self.probs)
    end
  end,
})
made.Geometric = Geometric
odds.add(get)

function get:mean() return 1 / self.probs - 1 end
function get:mode() return self.probs:zeros_like() end
function get:variance() return (1 / self.probs - 1) / self.probs end
function Geometric:_draw(shape) return (self:_uniform(shape):log() / (-self.probs):log1p()):floor() end
function Geometric:_log_prob(x) return pt.xlog1py(x, -self.probs) + self.probs:log() end
function Geometric:_entropy() return -log_of(self.logits, self.probs) / self.probs end

-- ---- NegativeBinomial: successes of probability probs before total_count failures ----

local NegativeBinomial
NegativeBinomial, get = define("NegativeBinomial", "total_count:A probs:A? logits:A?", {
  constraints = {
    total_count = constraints.nonnegative, probs = constraints.half_open_interval(0, 1), logits = constraints.real,
  },
  one_of = ONE_OF, support = constraints.nonnegative_integer,
})
made.NegativeBinomial = NegativeBinomial
odds.add(get)

function get:mean() return self.total_count * self.logits:exp() end
function get:mode() return ((self.total_count - 1) * self.logits:exp()):floor():clamp(0) end
function get:variance() return self.mean / (-self.logits):sigmoid() end
function NegativeBinomial:_draw(shape)
  local full = self:_full(shape)
  local n = self.total_count:expand(full):detach()
  local rate = pt._standard_gamma(where(n:gt(0), n, 1.0)) * self.logits:detach():exp()
  return where(n:gt(0), rate, 0.0):poisson()
end
function NegativeBinomial:_log_prob(x)
  local n = self.total_count
  local plain = n * (-self.logits):logsigmoid() + x * self.logits:logsigmoid()
  local ways = where(n:add(x):eq(0), 0.0, (n + x):lgamma() - n:lgamma() - log_factorial(x)) -- of no trials, one
  return plain + ways
end

-- ---- Poisson ----

local Poisson
Poisson, get = define("Poisson", "rate:A", {
  constraints = { rate = constraints.nonnegative }, support = constraints.nonnegative_integer,
})
made.Poisson = Poisson

function get:mean() return self.rate end
function get:mode() return self.rate:floor() end
function get:variance() return self.rate end
function Poisson:_draw(shape) return self.rate:expand(self:_full(shape)):poisson() end
function Poisson:_log_prob(x) return pt.xlogy(x, self.rate) - self.rate - log_factorial(x) end

-- ---- ContinuousBernoulli ----

local Continuous
Continuous, get = define("ContinuousBernoulli", "probs:A? logits:A? lims:l?", {
  constraints = PROBS, one_of = ONE_OF, support = constraints.unit_interval, has_rsample = true,
})
made.ContinuousBernoulli = Continuous
odds.add(get)

-- Near probs 1/2 the formulas are 0 over 0; there, between `lims`, their series in d = probs - 1/2 count. Returns d,
-- where it is so, and probs that are not.
local function around_half(self)
  local p, lims = shapes.inside(self.probs), rawget(self, "lims") or { 0.499, 0.501 }
  local near = p:gt(lims[1]):logical_and(p:le(lims[2]))
  return p - 0.5, near, where(near, 0.25, p)
end

-- The logarithm of what makes the density's integral 1.
local function log_norm(self)
  local d, near, p = around_half(self)
  local d2 = d:square()
  local far = ((-p):log1p() - p:log()):abs():log() - (1 - 2 * p):abs():log()
  return where(near, log(2) + (4 / 3 + 104 / 45 * d2) * d2, far)
end
Continuous._log_norm = log_norm

function get:mean()
  local d, near, p = around_half(self)
  return where(near, 0.5 + (1 / 3 + 16 / 45 * d:square()) * d, p / (2 * p - 1) + 1 / ((-p):log1p() - p:log()))
end
function get:variance()
  local d, near, p = around_half(self)
  local d2 = d:square()
  local far = p * (p - 1) / (1 - 2 * p):square() + 1 / ((-p):log1p() - p:log()):square()
  return where(near, 1 / 12 - (1 / 15 - 128 / 945 * d2) * d2, far)
end
function Continuous:_draw(shape) return self:_icdf(self:_noise(shape, "uniform", 0, 1)) end
function Continuous:_log_prob(x) return log_of(self.logits, x) + log_norm(self) end
function Continuous:_cdf(x)
  local _, near, p = around_half(self)
  local far = (p ^ x * (1 - p) ^ (1 - x) + p - 1) / (2 * p - 1)
  return where(near, x, far):clamp(0, 1)
end
function Continuous:_icdf(q)
  local _, near, p = around_half(self)
  local far = ((q * (2 * p - 1) - p):log1p() - (-p):log1p()) / (p:log() - (-p):log1p())
  return where(near, q, far)
end
function Continuous:_entropy()
  local p = shapes.inside(self.probs)
  return self.mean * ((-p):log1p() - p:log()) - log_norm(self) - (-p):log1p()
end

-- ---- Kumaraswamy: like Beta, with closed forms ----

local Kumaraswamy
Kumaraswamy, get = define("Kumaraswamy", "concentration1:A concentration0:A", {
  constraints = { concentration1 = constraints.positive, concentration0 = constraints.positive },
  support = constraints.unit_interval, has_rsample = true,
})
made.Kumaraswamy = Kumaraswamy

local function moment(self, n)
  local a, b = 1 + n / self.concentration1, self.concentration0
  return b * (a:lgamma() + b:lgamma() - (a + b):lgamma()):exp()
end
function get:mean() return moment(self, 1) end
function get:mode()
  local a, b = self.concentration1, self.concentration0
  local inner = (((a - 1) / (a * b - 1)):log() / a):exp()
  return where(a:lt(1):logical_or(b:lt(1)), nan, inner)
end
function get:variance() return moment(self, 2) - moment(self, 1):square() end
function Kumaraswamy:_draw(shape) return self:_icdf(self:_uniform(shape)) end
function Kumaraswamy:_log_prob(x)
  local a, b = self.concentration1, self.concentration0
  return a:log() + b:log() + pt.xlogy(a - 1, x) + pt.xlog1py(b - 1, -(x ^ a))
end
function Kumaraswamy:_cdf(x)
  return 1 - (1 - x ^ self.concentration1) ^ self.concentration0
end
function Kumaraswamy:_icdf(p)
  return (-((-p):log1p() / self.concentration0):expm1()) ^ (1 / self.concentration1)
end
function Kumaraswamy:_entropy()
  local a, b = self.concentration1, self.concentration0
  return (1 - 1 / b) + (1 - 1 / a) * ((b + 1):digamma() + 0.57721566490153286) - a:log() - b:log()
end

return made
