--- Functions of other distributions: TransformedDistribution, LogNormal, LogisticNormal; Independent, which takes batch
--- dims as part of the event; MixtureSameFamily.

local constraints = require "pt.distributions.constraints"
local distribution = require "pt.distributions.distribution"
local fail = require "pt.fail"
local kinds = require "pt.distributions.location_scale"
local shapes = require "pt.distributions.shapes"
local signature = require "pt.signature"
local transforms = require "pt.distributions.transforms"

local Distribution, define = distribution.Distribution, distribution.define
local finish, set_shapes = distribution.finish, distribution.set_shapes
local join, sum_last, but_last, last = shapes.join, shapes.sum_last, shapes.but_last, shapes.last

local made = {}

-- Raises unless a value is a distribution.
local function check_distribution(owner, name, value)
  if type(value) ~= "table" or not signature.is_a(value, Distribution) then
    fail("%s: %s must be a distribution, got %s", owner, name, signature.describe(value))
  end
end

-- ---- Independent ----

local Independent, get = define("Independent", "base_distribution:a reinterpreted_batch_ndims:i", {
  build = function(self, base, n)
    check_distribution("Independent", "base_distribution", base)
    local batch = base.batch_shape
    if n < 0 or n > #batch then
      fail("Independent: reinterpreted_batch_ndims must be 0 to %d, the batch dims of %s, got %d", #batch,
        tostring(base), n)
    end
    self.base_dist, self.reinterpreted_batch_ndims = base, n
    finish(self, but_last(batch, n), join(last(batch, n), base.event_shape))
  end,
})
made.Independent = Independent

function get:has_rsample() return self.base_dist.has_rsample end
function get:has_enumerate_support()
  return self.reinterpreted_batch_ndims == 0 and self.base_dist.has_enumerate_support
end
function get:support()
  local support = self.base_dist.support -- that of a distribution of one's own may be nil
  return support and constraints.independent(support, self.reinterpreted_batch_ndims)
end
function get:mean() return self.base_dist.mean end
function get:mode() return self.base_dist.mode end
function get:variance() return self.base_dist.variance end
function get:stddev() return self.base_dist.stddev end
function Independent:_dtype() return self.base_dist:_dtype() end
function Independent:_device() return self.base_dist:_device() end
function Independent:_draw(shape) return self.base_dist:_draw(shape) end
function Independent:_log_prob(x) return sum_last(self.base_dist:log_prob(x), self.reinterpreted_batch_ndims) end
function Independent:_entropy() return sum_last(self.base_dist:entropy(), self.reinterpreted_batch_ndims) end
function Independent:enumerate_support(expand)
  if self.reinterpreted_batch_ndims > 0 then
    fail("Independent: its values, the products of those of %s, cannot be enumerated", tostring(self.base_dist))
  end
  return self.base_dist:enumerate_support(expand)
end
function Independent:expand(size)
  local n = self.reinterpreted_batch_ndims
  return Independent(self.base_dist:expand(join(size, shapes.sub(self.event_shape, 1, n))), n, self._validates)
end
function Independent:__tostring()
  return ("Independent(%s, %d)"):format(tostring(self.base_dist), self.reinterpreted_batch_ndims)
end

-- ---- TransformedDistribution ----

-- Sets the fields of a distribution that is `base` behind a list of transforms.
local function set_base(self, base, list)
  local chain = transforms.ComposeTransform(list)
  local shape, event = join(base.batch_shape, base.event_shape), #base.event_shape
  local domain, codomain = chain.domain.event_dim, chain.codomain.event_dim
  if #shape < domain then
    fail("%s: %s has too few dims for the transforms, which take events of %d dims", getmetatable(self).__name,
      tostring(base), domain)
  end
  local result = chain:forward_shape(shape)
  local wanted = chain:inverse_shape(result)
  if wanted ~= shape then base = base:expand(but_last(wanted, event)) end
  if domain > event then base = Independent(base, domain - event) end
  self.base_dist, self.transforms = base, list
  local n = math.max(codomain, event + codomain - domain)
  set_shapes(self, but_last(result, n), last(result, n))
end

made._set_base = set_base

local Transformed
Transformed, get = define("TransformedDistribution", "base_distribution:a transforms:a", {
  build = function(self, base, list)
    check_distribution("TransformedDistribution", "base_distribution", base)
    if signature.is_a(list, transforms.Transform) then list = { list } end
    if type(list) ~= "table" then
      fail("TransformedDistribution: transforms must be one or a list of them, got %s", signature.describe(list))
    end
    finish(self, {}, {})
    set_base(self, base, list)
  end,
})
made.TransformedDistribution = Transformed

function get:has_rsample() return self.base_dist.has_rsample end
function get:support()
  local list = self.transforms
  if #list == 0 then return self.base_dist.support end
  local support = list[#list].codomain
  return constraints.independent(support, math.max(0, #self.event_shape - support.event_dim))
end
function Transformed:_dtype() return self.base_dist:_dtype() end
function Transformed:_device() return self.base_dist:_device() end

-- Values of the base as values of the whole, and back.
local function forward(self, x)
  for _, t in ipairs(self.transforms) do x = t(x) end
  return x
end
local function backward(self, y)
  for i = #self.transforms, 1, -1 do y = self.transforms[i].inv(y) end
  return y
end

function Transformed:_draw(shape) return forward(self, self.base_dist:_draw(shape)) end

function Transformed:_log_prob(y)
  local n, sum = #self.event_shape, 0
  for i = #self.transforms, 1, -1 do
    local t = self.transforms[i]
    local x = t.inv(y)
    n = n + t.domain.event_dim - t.codomain.event_dim
    sum, y = sum - sum_last(t:log_abs_det_jacobian(x, y), n - t.domain.event_dim), x
  end
  return sum + sum_last(self.base_dist:log_prob(y), n - #self.base_dist.event_shape)
end

-- A probability of the base as one of the whole: the other side where the transforms fall.
local function turned(self, p)
  local sign = 1
  for _, t in ipairs(self.transforms) do sign = sign * t.sign end
  if sign == 1 then return p end
  return (p - 0.5) * sign + 0.5
end

function Transformed:_cdf(y) return turned(self, self.base_dist:cdf(backward(self, y))) end
function Transformed:_icdf(p) return forward(self, self.base_dist:icdf(turned(self, p))) end

function Transformed:expand(size)
  if type(size) == "number" then size = { size } end
  if #self._given > 0 then return Distribution.expand(self, size) end -- LogNormal and others: by their parameters
  local shape = join(size, self.event_shape)
  for i = #self.transforms, 1, -1 do shape = self.transforms[i]:inverse_shape(shape) end
  local base = self.base_dist:expand(but_last(shape, #self.base_dist.event_shape))
  return setmetatable(Transformed(base, self.transforms, self._validates), getmetatable(self))
end
signature.methods(Transformed, "distribution", { expand = "size:S" })

function Transformed:__tostring()
  if #self._given > 0 then return Distribution.__tostring(self) end
  local parts = {}
  for i, t in ipairs(self.transforms) do parts[i] = tostring(t) end
  return ("TransformedDistribution(%s, { %s })"):format(tostring(self.base_dist), table.concat(parts, ", "))
end

-- ---- LogNormal, LogisticNormal ----

local LogNormal
LogNormal, get = define("LogNormal", "loc:A scale:A", {
  base = Transformed, constraints = { loc = constraints.real, scale = constraints.positive },
  setup = function(self)
    set_base(self, kinds.Normal(self.loc, self.scale, false), { transforms.ExpTransform() })
  end,
})
made.LogNormal = LogNormal

function get:support() return constraints.positive end
function get:mean() return (self.loc + self.scale:square() / 2):exp() end
function get:mode() return (self.loc - self.scale:square()):exp() end
function get:variance()
  local s2 = self.scale:square()
  return s2:expm1() * (2 * self.loc + s2):exp()
end
function LogNormal:_entropy() return self.base_dist:entropy() + self.loc end

-- A normal vector as a point of the simplex, by StickBreakingTransform.
made.LogisticNormal = define("LogisticNormal", "loc:T scale:A", {
  base = Transformed,
  constraints = { loc = constraints.real_vector, scale = constraints.independent(constraints.positive, 1) },
  setup = function(self)
    set_base(self, kinds.Normal(self.loc, self.scale, false), { transforms.StickBreakingTransform() })
  end,
})

-- ---- MixtureSameFamily ----

local Mixture
Mixture, get = define("MixtureSameFamily", "mixture_distribution:a component_distribution:a", {
  build = function(self, weights, components)
    local Categorical = require("pt.distributions.categorical").Categorical
    if type(weights) ~= "table" or not signature.is_a(weights, Categorical) then
      fail("MixtureSameFamily: mixture_distribution must be a Categorical, got %s", signature.describe(weights))
    end
    check_distribution("MixtureSameFamily", "component_distribution", components)
    local batch, n = components.batch_shape, weights.probs:size(-1)
    if #batch == 0 or batch[#batch] ~= n then
      fail("MixtureSameFamily: the last batch dim of the components, %s, must be %d, the number of weights",
        tostring(batch), n)
    end
    if shapes.broadcast(weights.batch_shape, but_last(batch, 1)) ~= but_last(batch, 1) then
      fail("MixtureSameFamily: the weights' batch_shape %s does not fit that of the components, %s",
        tostring(weights.batch_shape), tostring(batch))
    end
    self.mixture_distribution, self.component_distribution = weights, components
    finish(self, but_last(batch, 1), components.event_shape)
  end,
})
made.MixtureSameFamily = Mixture

function Mixture:_dtype() return self.component_distribution:_dtype() end
function Mixture:_device() return self.component_distribution:_device() end

-- x with a dim for the components, behind the batch.
local function with_components(self, x) return x:unsqueeze(-1 - #self.event_shape) end

-- Probabilities of the components, with ones for the event dims.
local function weights_of(self)
  local p = self.mixture_distribution.probs
  for _ = 1, #self.event_shape do p = p:unsqueeze(-1) end
  return p
end

function get:support()
  local of_one = self.component_distribution.support
  return of_one and constraints.Constraint(of_one.text, function(x)
    return of_one:check(with_components(self, x)):all(-1)
  end, of_one.event_dim, of_one.is_discrete)
end
function get:mean()
  return (weights_of(self) * self.component_distribution.mean):sum(-1 - #self.event_shape)
end
function get:variance()
  local dim, w, parts = -1 - #self.event_shape, weights_of(self), self.component_distribution
  local spread = (parts.mean - with_components(self, self.mean)):square()
  return (w * parts.variance):sum(dim) + (w * spread):sum(dim)
end
function Mixture:_log_prob(x)
  local each = self.component_distribution:log_prob(with_components(self, x))
  return (each + self.mixture_distribution.logits:log_softmax(-1)):logsumexp(-1)
end
function Mixture:_cdf(x)
  return (self.component_distribution:cdf(with_components(self, x)) * self.mixture_distribution.probs):sum(-1)
end

-- All components are drawn; one of them is taken.
function Mixture:_draw(shape)
  local values = self.component_distribution:_draw(shape)
  local dim, full = #shape + #self.batch_shape + 1, self:_full(shape)
  local chosen = self.mixture_distribution:expand(self.batch_shape):_draw(shape):unsqueeze(-1)
  for _ = 1, #self.event_shape do chosen = chosen:unsqueeze(-1) end
  local one = join(shapes.sub(full, 1, dim - 1), { 1 }, self.event_shape)
  return values:gather(dim, chosen:expand(one)):squeeze(dim)
end

function Mixture:expand(size)
  local parts, n = self.component_distribution, self.mixture_distribution.probs:size(-1)
  return Mixture(self.mixture_distribution:expand(size), parts:expand(join(size, { n })), self._validates)
end

function Mixture:__tostring()
  return ("MixtureSameFamily(\n  %s,\n  %s)"):format(tostring(self.mixture_distribution),
    tostring(self.component_distribution))
end

return made
