--- Distributions over classes: Categorical, whose values are class ids from 1 to n, OneHotCategorical, Multinomial.

local pt = require "pt"
local constraints = require "pt.distributions.constraints"
local distribution = require "pt.distributions.distribution"
local fail = require "pt.fail"
local odds = require "pt.distributions.odds"
local shapes = require "pt.distributions.shapes"

local define = distribution.define
local join = shapes.join
local where = pt.where
local huge, nan = math.huge, 0 / 0

local made = {}

local PROBS = { probs = constraints.simplex, logits = constraints.real_vector }
local ONE_OF = { "probs", "logits" }

local function classes_of(self) return self:_first():size(-1) end

-- sum of p log p, 0 where p is.
local function entropy(self)
  local p = self.probs
  return -where(p:eq(0), 0.0, p * self.logits):sum(-1)
end

-- ---- Categorical ----

local Categorical, get = define("Categorical", "probs:T? logits:T?", {
  constraints = PROBS, one_of = ONE_OF, normalize = odds.normalize,
})
made.Categorical = Categorical
odds.add_classes(get)

function get:support() return constraints.integer_interval(1, classes_of(self)) end
function get:mean() return self.probs:select(-1, 1):full_like(nan) end
get.variance = get.mean
function get:mode() return self.probs:argmax(-1) end

function Categorical:_draw(shape)
  local full, n = self:_full(shape), classes_of(self)
  local rows = self.probs:detach():reshape(-1, n)
  local count = shapes.numel(shape)
  if shapes.numel(full) == 0 then return pt.empty(full, { dtype = pt.int64, device = self:_device() }) end
  return rows:multinomial(count, true):transpose(1, 2):reshape(full)
end

function Categorical:_log_prob(x)
  local full = shapes.broadcast(x.shape, self.batch_shape)
  local ids = x:to_dtype(pt.int64):expand(full):unsqueeze(-1)
  return self.logits:expand(join(full, { classes_of(self) })):gather(-1, ids):squeeze(-1)
end

Categorical._entropy = entropy
function Categorical:_enumerate() return pt.range(1, classes_of(self), { device = self:_device() }) end

-- ---- OneHotCategorical ----

local OneHot
OneHot, get = define("OneHotCategorical", "probs:T? logits:T?", {
  constraints = PROBS, one_of = ONE_OF, support = constraints.one_hot, normalize = odds.normalize_vector,
})
made.OneHotCategorical = OneHot
odds.add_classes(get)

-- Class ids as rows of the identity, in the dtype of the parameters.
local function one_hot(self, ids) return pt.one_hot(ids, classes_of(self)):to_dtype(self:_dtype()) end

-- Ids of the classes: a sample without the dim of the event.
local function draw_ids(self, shape)
  local plain = Categorical { probs = self.probs:detach(), validate_args = false }
  return plain:_draw(shape)
end

function get:mean() return self.probs end
function get:mode() return one_hot(self, self.probs:argmax(-1)) end
function get:variance() return self.probs * (1 - self.probs) end
function OneHot:_draw(shape) return one_hot(self, draw_ids(self, shape)) end
function OneHot:_log_prob(x) return where(x:eq(0), 0.0, x * self.logits):sum(-1) end
OneHot._entropy = entropy
function OneHot:_enumerate()
  local n = classes_of(self)
  return pt.eye(n, { dtype = self:_dtype(), device = self:_device() })
end

-- Samples that pass gradients on to the probabilities as if they were these (Bengio, Leonard and Courville 2013).
local StraightThrough = define("OneHotCategoricalStraightThrough", "probs:T? logits:T?", {
  base = OneHot, constraints = PROBS, one_of = ONE_OF, support = constraints.one_hot, normalize = odds.normalize_vector,
  has_rsample = true,
})
made.OneHotCategoricalStraightThrough = StraightThrough

function StraightThrough:_draw(shape)
  local p = self.probs
  return OneHot._draw(self, shape) + (p - p:detach())
end

-- ---- Multinomial ----

local Multinomial
Multinomial, get = define("Multinomial", "total_count:i=1 probs:T? logits:T?", {
  constraints = PROBS, one_of = ONE_OF, normalize = odds.normalize_vector,
  setup = function(self)
    if self.total_count < 0 then fail("Multinomial: total_count must be 0 or more, got %d", self.total_count) end
  end,
})
made.Multinomial = Multinomial
odds.add_classes(get)

function get:support() return constraints.multinomial(self.total_count) end
function get:mean() return self.probs * self.total_count end
function get:variance() return self.total_count * self.probs * (1 - self.probs) end

function Multinomial:_draw(shape)
  local ids = draw_ids(self, join({ self.total_count }, shape)):movedim(1, -1)
  local counts = pt.zeros(self:_full(shape), { dtype = self:_dtype(), device = self:_device() })
  return counts:scatter_add(-1, ids, counts:new_ones(ids.shape))
end

function Multinomial:_log_prob(x)
  x = x:to_dtype(self:_dtype())
  local logits = self.logits
  local powers = where(x:eq(0):logical_and(logits:eq(-huge)), 0.0, x * logits)
  return (x:sum(-1) + 1):lgamma() - (x + 1):lgamma():sum(-1) + powers:sum(-1)
end

-- That of total_count draws, less what the order of the draws would tell: the mean of log(counts!).
function Multinomial:_entropy()
  local n, p = self.total_count, self.probs
  local ones = {}
  for i = 1, p.ndim do ones[i] = 1 end
  local k = pt.range(1, n, { dtype = p.dtype, device = p.device }):reshape(join({ n }, ones))
  local inside, log_all = shapes.inside(p), pt.tensor(n + 1.0, { dtype = pt.float64 }):lgamma():item()
  local log_choose = log_all - (k + 1):lgamma() - (n - k + 1):lgamma()
  local chance = (log_choose + k * inside:log() + (n - k) * (-inside):log1p()):exp()
  local lost = (chance * (k + 1):lgamma()):sum { 1, -1 }
  return n * entropy(self) - log_all + lost
end

return made
