--- Continuous relaxations of Bernoulli and OneHotCategorical, whose samples have gradients (Jang, Gu and Poole 2017;
--- Maddison, Mnih and Teh 2017). LogitRelaxedBernoulli and ExpRelaxedCategorical are their bases.

local pt = require "pt"
local constraints = require "pt.distributions.constraints"
local distribution = require "pt.distributions.distribution"
local odds = require "pt.distributions.odds"
local set_base = require("pt.distributions.transformed")._set_base
local shapes = require "pt.distributions.shapes"
local transforms = require "pt.distributions.transforms"

local F = pt.nn.functional
local define = distribution.define
local Transformed = require("pt.distributions.transformed").TransformedDistribution

local made = {}

local ONE_OF = { "probs", "logits" }
local EVENT = { probs = constraints.unit_interval, logits = constraints.real }
local CLASSES = { probs = constraints.simplex, logits = constraints.real_vector }

-- The temperature as a tensor above 0; it broadcasts with the probabilities.
local function take_temperature(self)
  self.temperature = shapes.tensors({ self.temperature, self:_first() }, 2)[1]
  if self._validates then
    distribution.check(getmetatable(self).__name, "temperature", constraints.positive, self.temperature)
  end
end

-- The parameter that was given, for the base.
local function given(self)
  return { [self._given[1]] = self:_first(), validate_args = false }
end

-- ---- of one event ----

local Logit, get = define("LogitRelaxedBernoulli", "temperature:A probs:A? logits:A?", {
  constraints = EVENT, one_of = ONE_OF, support = constraints.real, has_rsample = true, setup = take_temperature,
})
made.LogitRelaxedBernoulli = Logit
odds.add(get)

function Logit:_draw(shape)
  local u, p = shapes.inside(self:_noise(shape, "uniform", 0, 1)), shapes.inside(self.probs)
  return (u:log() - (-u):log1p() + p:log() - (-p):log1p()) / self.temperature
end
function Logit:_log_prob(x)
  local diff = self.logits - x * self.temperature
  return self.temperature:log() + diff - 2 * F.softplus(diff)
end

local Relaxed
Relaxed, get = define("RelaxedBernoulli", "temperature:A probs:A? logits:A?", {
  base = Transformed, constraints = EVENT, one_of = ONE_OF,
  setup = function(self)
    take_temperature(self)
    set_base(self, Logit(self.temperature, given(self)), { transforms.SigmoidTransform() })
  end,
})
made.RelaxedBernoulli = Relaxed
odds.add(get)
function get:support() return constraints.unit_interval end

-- ---- of classes ----

local ExpRelaxed
ExpRelaxed, get = define("ExpRelaxedCategorical", "temperature:A probs:T? logits:T?", {
  constraints = CLASSES, one_of = ONE_OF, support = constraints.real_vector, has_rsample = true,
  normalize = odds.normalize_vector, setup = take_temperature,
})
made.ExpRelaxedCategorical = ExpRelaxed
odds.add_classes(get)

function ExpRelaxed:_draw(shape)
  local gumbel = -self:_noise(shape, "exponential", 1, 0):log()
  return ((self.logits + gumbel) / self.temperature):log_softmax(-1)
end
function ExpRelaxed:_log_prob(x)
  local n, t = self:_first():size(-1), self.temperature
  local log_scale = t:full_like(n):lgamma() + (n - 1) * t:log()
  return (self.logits - x * t):log_softmax(-1):sum(-1) + log_scale
end

made.RelaxedOneHotCategorical, get = define("RelaxedOneHotCategorical", "temperature:A probs:T? logits:T?", {
  base = Transformed, constraints = CLASSES, one_of = ONE_OF, normalize = odds.normalize_vector,
  setup = function(self)
    take_temperature(self)
    set_base(self, ExpRelaxed(self.temperature, given(self)), { transforms.ExpTransform() })
  end,
})
odds.add_classes(get)
function get:support() return constraints.simplex end

return made
