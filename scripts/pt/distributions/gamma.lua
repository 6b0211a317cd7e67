--- Distributions that are made of gamma variates: Gamma, Chi2, InverseGamma, FisherSnedecor, Beta, Dirichlet.

local pt = require "pt"
local constraints = require "pt.distributions.constraints"
local define = require("pt.distributions.distribution").define
local gamma_noise = require "pt.distributions.gamma_noise"
local set_shapes = require("pt.distributions.distribution").set_shapes
local shapes = require "pt.distributions.shapes"

local made = {}
local huge, nan = math.huge, 0 / 0
local where = pt.where
local positive = constraints.positive

-- Logarithms of gamma variates in the shape of samples.
local function log_gamma(self, shape, concentration)
  return gamma_noise.log_gamma(concentration:expand(self:_full(shape)))
end

-- ---- Gamma ----

local Gamma, get = define("Gamma", "concentration:A rate:A", {
  constraints = { concentration = positive, rate = positive }, support = constraints.nonnegative, has_rsample = true,
})
made.Gamma = Gamma

function get:mean() return self.concentration / self.rate end
function get:mode() return ((self.concentration - 1) / self.rate):clamp(0) end
function get:variance() return self.concentration / self.rate:square() end

function Gamma:_draw(shape)
  local y = log_gamma(self, shape, self.concentration):exp() / self.rate
  return y:clamp(shapes.tiny(y))
end

function Gamma:_log_prob(x)
  local a, b = self.concentration, self.rate
  return a * b:log() + pt.xlogy(a - 1, x) - b * x - a:lgamma()
end

function Gamma:_cdf(x)
  local both = pt.broadcast_tensors(self.concentration, self.rate * x)
  return gamma_noise.cdf(both[1], both[2])
end

function Gamma:_entropy()
  local a = self.concentration
  return a - self.rate:log() + a:lgamma() + (1 - a) * a:digamma()
end

-- ---- Chi2 ----

local Chi2
Chi2, get = define("Chi2", "df:A", {
  base = Gamma, constraints = { df = positive }, support = constraints.nonnegative, has_rsample = true,
})
made.Chi2 = Chi2

function get:concentration() return 0.5 * self.df end
function get:rate() return self.df:full_like(0.5) end

-- ---- InverseGamma ----

local InverseGamma
InverseGamma, get = define("InverseGamma", "concentration:A rate:A", {
  constraints = { concentration = positive, rate = positive }, support = positive, has_rsample = true,
})
made.InverseGamma = InverseGamma

function get:mean()
  local a = self.concentration
  return where(a:gt(1), self.rate / (where(a:gt(1), a, 2.0) - 1), huge)
end
function get:mode() return self.rate / (self.concentration + 1) end
function get:variance()
  local finite = self.concentration:gt(2)
  local a = where(finite, self.concentration, 3.0)
  return where(finite, self.rate:square() / ((a - 1):square() * (a - 2)), huge)
end
function InverseGamma:_draw(shape)
  local y = self.rate * (-log_gamma(self, shape, self.concentration)):exp()
  return y:clamp(shapes.tiny(y))
end
function InverseGamma:_log_prob(x)
  local a, b = self.concentration, self.rate
  return a * b:log() - (a + 1) * x:log() - b / x - a:lgamma()
end
function InverseGamma:_cdf(x)
  local both = pt.broadcast_tensors(self.concentration, self.rate / x)
  return 1 - gamma_noise.cdf(both[1], both[2])
end
function InverseGamma:_entropy()
  local a = self.concentration
  return a + self.rate:log() + a:lgamma() - (1 + a) * a:digamma()
end

-- ---- FisherSnedecor ----

local FisherSnedecor
FisherSnedecor, get = define("FisherSnedecor", "df1:A df2:A", {
  constraints = { df1 = positive, df2 = positive }, support = positive, has_rsample = true,
})
made.FisherSnedecor = FisherSnedecor

function get:mean() return where(self.df2:gt(2), self.df2 / (self.df2 - 2), nan) end
function get:mode()
  return where(self.df1:gt(2), (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2), nan)
end
function get:variance()
  local a, b = self.df1, self.df2
  return where(b:gt(4), 2 * b:square() * (a + b - 2) / (a * (b - 2):square() * (b - 4)), nan)
end

-- The ratio of two Chi2, each over its df.
function FisherSnedecor:_draw(shape)
  local above = log_gamma(self, shape, 0.5 * self.df1) - self.df1:log()
  local below = log_gamma(self, shape, 0.5 * self.df2) - self.df2:log()
  local y = (above - below):exp()
  return y:clamp(shapes.tiny(y))
end

function FisherSnedecor:_log_prob(x)
  local a, b, ratio = 0.5 * self.df1, 0.5 * self.df2, self.df1 / self.df2
  return (a + b):lgamma() - a:lgamma() - b:lgamma() + a * ratio:log() + (a - 1) * x:log()
    - (a + b) * (ratio * x):log1p()
end

-- ---- Dirichlet ----

local function set_event(self)
  local shape = self.concentration.shape
  set_shapes(self, shapes.but_last(shape, 1), shapes.last(shape, 1))
end

local Dirichlet
Dirichlet, get = define("Dirichlet", "concentration:T", {
  constraints = { concentration = constraints.independent(positive, 1) }, support = constraints.simplex,
  has_rsample = true, normalize = set_event,
})
made.Dirichlet = Dirichlet

function get:mean() return self.concentration / self.concentration:sum(-1, true) end
-- Below 1 everywhere, a corner: that of the largest concentration.
function get:mode()
  local a = self.concentration
  local excess = (a - 1):clamp(0)
  local corner = pt.one_hot(a:argmax(-1), a:size(-1)):to_dtype(a.dtype)
  return where(a:lt(1):all(-1):unsqueeze(-1), corner, excess / excess:sum(-1, true))
end
function get:variance()
  local a = self.concentration
  local total = a:sum(-1, true)
  return a * (total - a) / (total:square() * (total + 1))
end
function Dirichlet:_draw(shape) return log_gamma(self, shape, self.concentration):softmax(-1) end
function Dirichlet:_log_prob(x)
  local a = self.concentration
  return pt.xlogy(a - 1, x):sum(-1) + a:sum(-1):lgamma() - a:lgamma():sum(-1)
end
function Dirichlet:_entropy()
  local a = self.concentration
  local total, n = a:sum(-1), a:size(-1)
  return a:lgamma():sum(-1) - total:lgamma() - (n - total) * total:digamma() - ((a - 1) * a:digamma()):sum(-1)
end

-- ---- Beta ----

local Beta
Beta, get = define("Beta", "concentration1:A concentration0:A", {
  constraints = { concentration1 = positive, concentration0 = positive }, support = constraints.unit_interval,
  has_rsample = true,
})
made.Beta = Beta

function get:mean() return self.concentration1 / (self.concentration1 + self.concentration0) end
-- Below 1 on both sides, the end that is nearer.
function get:mode()
  local a, b = self.concentration1, self.concentration0
  local inner = (a - 1):clamp(0) / ((a - 1):clamp(0) + (b - 1):clamp(0))
  return where(a:lt(1):logical_and(b:lt(1)), a:ge(b):to_dtype(a.dtype), inner)
end
function get:variance()
  local a, b = self.concentration1, self.concentration0
  return a * b / ((a + b):square() * (a + b + 1))
end
function Beta:_draw(shape)
  return (log_gamma(self, shape, self.concentration1) - log_gamma(self, shape, self.concentration0)):sigmoid()
end
function Beta:_log_prob(x)
  local a, b = self.concentration1, self.concentration0
  return pt.xlogy(a - 1, x) + pt.xlog1py(b - 1, -x) + (a + b):lgamma() - a:lgamma() - b:lgamma()
end
function Beta:_entropy()
  local a, b = self.concentration1, self.concentration0
  return a:lgamma() + b:lgamma() - (a + b):lgamma() - (2 - a - b) * (a + b):digamma() - (a - 1) * a:digamma()
    - (b - 1) * b:digamma()
end

return made
