--- The base of all distributions, and how they are made:
---
---     local Normal, get = define("Normal", "loc:A scale:A", {
---       constraints = { loc = constraints.real, scale = constraints.positive },
---       support = constraints.real, has_rsample = true,
---     })
---     function get:mean() return self.loc end
---     function Normal:_draw(shape) return self.loc + self.scale * self:_noise(shape, "normal", 0, 1) end
---     function Normal:_log_prob(x) ... end
---
--- gives a class whose parameters are checked and broadcast. `get` holds what is computed when the field is read,
--- `normal.mean`. Methods that begin with _ are what a distribution brings; those of the base, which scripts call,
--- check their arguments and call them.

local pt = require "pt"
local core = require "pt.core"
local draws = require "pt.draw"
local class = require "pt.class"
local computed = require "pt.distributions.computed"
local constraints = require "pt.distributions.constraints"
local fail = require "pt.fail"
local shapes = require "pt.distributions.shapes"
local signature = require "pt.signature"
local under = require "pt.generator".under

local join = shapes.join

---@class pt.distributions.Distribution
---@field batch_shape pt.Sizes independent distributions, each with parameters of its own
---@field event_shape pt.Sizes of one value of one of them
---@field mean pt.Tensor
---@field mode pt.Tensor
---@field variance pt.Tensor
---@field stddev pt.Tensor
---@field support pt.distributions.Constraint where values lie
---@field has_rsample boolean whether samples have gradients
---@field has_enumerate_support boolean
local Distribution, get = computed(class "Distribution")

local validates = true -- what distributions do that were not told

local function name_of(self) return getmetatable(self).__name end

-- ---- fields ----

local function lacks(self, what) fail("%s: %s is not known in closed form", name_of(self), what) end

function get:mean() return lacks(self, "mean") end
function get:mode() return lacks(self, "mode") end
function get:variance() return lacks(self, "variance") end
function get:stddev() return self.variance:sqrt() end
function get:support() return getmetatable(self)._support end
function get:has_rsample() return getmetatable(self)._has_rsample or false end
function get:has_enumerate_support() return self._enumerate ~= nil end
function get:arg_constraints() return getmetatable(self)._constraints end
function get:batch_shape() return join(self._batch) end
function get:event_shape() return join(self._event) end

-- ---- checks ----

-- Raises unless every entry of x fulfils the constraint; names the first that does not.
local function check(owner, name, constraint, x)
  x = x:detach()
  local good = constraint:check(x)
  if good:all():item() then return end
  local at = good.ndim > 0 and good:logical_not():nonzero()[1]:tolist() or {}
  local place = #at > 0 and (" at [%s]"):format(table.concat(at, ", ")) or ""
  if constraint.event_dim > 0 then
    fail("%s: %s must be %s; what it holds%s, %s, is not", owner, name, constraint.text, place, tostring(x.shape))
  end
  local entry = x:expand(good.shape)
  for _, i in ipairs(at) do entry = entry[i] end
  local got = entry:isnan():item() and "nan" or ("%.6g"):format(entry:item()) -- some C libraries print -nan
  fail("%s: %s must be %s, got %s%s", owner, name, constraint.text, got, place)
end

-- The base class has no values of its own.
local function check_own(self)
  if getmetatable(self) == Distribution then
    fail("%s: a base class, which has no values; make one of the distributions", name_of(self))
  end
end

-- A value as a tensor, which fits batch and event.
local function value_of(self, method, value)
  check_own(self)
  local x = core.is_tensor(value) and value or core.tensor(shapes.number(value), self:_dtype(), self:_device())
  if not rawget(self, "_validates") then return x end
  local owner = name_of(self) .. ":" .. method
  local event, n = self.event_shape, #self.event_shape
  local fits = x.ndim >= n and shapes.last(x.shape, n) == event
    and shapes.broadcast(shapes.but_last(x.shape, n), self.batch_shape)
  if not fits then
    fail("%s: value %s does not fit batch_shape %s and event_shape %s", owner, tostring(x.shape),
      tostring(self.batch_shape), tostring(event))
  end
  local support = self.support
  if support then check(owner, "value", support, x) end
  return x
end

--- Whether distributions check their parameters and values where `validate_args` does not say it; they do.
---@param on boolean
function Distribution.set_default_validate_args(on) validates = on end

-- ---- construction ----

-- Kept as plain lists, which cross to a worker.
local function set_shapes(self, batch, event)
  self._batch = table.move(batch, 1, #batch, 1, {})
  self._event = table.move(event, 1, #event, 1, {})
end

-- Fields of what is made of other distributions.
local function finish(self, batch, event)
  set_shapes(self, batch, event)
  self._given = {}
end

-- The parameters that were given, broadcast; notes which in self._given.
local function take(self, about, values)
  local names, list, event = {}, {}, {}
  for _, name in ipairs(about.keys) do
    local constraint = about.constraints[name]
    if constraint == nil then
      self[name] = values[name]
    elseif values[name] ~= nil then
      names[#names + 1], list[#list + 1], event[#event + 1] = name, values[name], constraint.event_dim
    end
  end
  list = shapes.tensors(list, #list)
  local batch = shapes.broadcast_all(name_of(self), names, list, event)
  for i, name in ipairs(names) do self[name] = list[i] end
  self._given = names
  set_shapes(self, batch, {})
end

-- Raises unless exactly one of these was given.
local function need_one(self, choices, values)
  local count = 0
  for _, name in ipairs(choices) do count = count + (values[name] ~= nil and 1 or 0) end
  if count == 1 then return end
  fail("%s: give either %s; %s", name_of(self), table.concat(choices, " or "),
    count == 0 and "none is there" or count .. " are there")
end

-- Whether this object checks: what it was told, or what all do.
local function set_validation(self, validate)
  if validate == nil then validate = validates end
  self._validates = validate
end

-- Fills self from values by name.
local function build(self, about, values, validate)
  if about.one_of then need_one(self, about.one_of, values) end
  take(self, about, values)
  set_validation(self, validate)
  if about.normalize then about.normalize(self) end
  if self._validates then
    for _, name in ipairs(self._given) do
      check(name_of(self), name, about.constraints[name], rawget(self, name))
    end
  end
  if about.setup then about.setup(self) end
end

--- For distributions of one's own: the shapes that the class does not work out.
---@param batch_shape? integer[]
---@param event_shape? integer[]
---@param validate_args? boolean
function Distribution:init(batch_shape, event_shape, validate_args)
  set_validation(self, validate_args)
  finish(self, batch_shape or {}, event_shape or {})
end
Distribution._about, Distribution._constraints = { keys = {}, constraints = {} }, {}

---@class pt.distributions.About
---@field constraints table<string, pt.distributions.Constraint> of the parameters that are tensors
---@field support? pt.distributions.Constraint unless `get.support` computes it
---@field has_rsample? boolean whether _draw has gradients
---@field one_of? string[] parameters of which one is given
---@field base? table the class that it is a kind of
---@field normalize? fun(self) brings parameters to one form, before they are checked; may set _event
---@field setup? fun(self) after they were checked
---@field build? fun(self, ...) in place of all this, for what is made of other distributions

---@param name string
---@param options string a signature (pt.signature); validate_args follows
---@param about pt.distributions.About
---@return table class
---@return table<string, fun(self): any> get fields that are computed when they are read
local function define(name, options, about)
  local made, made_get = computed(class(name, about.base or Distribution))
  made._constraints, made._support, made._has_rsample = about.constraints or {}, about.support, about.has_rsample
  about.constraints, about.keys = made._constraints, {}
  for key in options:gmatch "([%w_]+):" do about.keys[#about.keys + 1] = key end
  made._about = about
  local count = #about.keys
  made.init = signature(name, options .. " validate_args:b?", function(self, ...)
    local validate = select(count + 1, ...)
    if about.build then
      set_validation(self, validate)
      return about.build(self, ...)
    end
    local values = {}
    for i, key in ipairs(about.keys) do values[key] = (select(i, ...)) end
    build(self, about, values, validate)
  end)
  return made, made_get
end

--- The same distribution with its parameters expanded to another batch shape.
---@param size integer[]
---@return pt.distributions.Distribution
function Distribution:expand(size)
  check_own(self)
  local about, values = self._about, {}
  for _, key in ipairs(about.keys) do
    local x, constraint = rawget(self, key), about.constraints[key]
    if constraint == nil then
      values[key] = x
    elseif self:_was_given(key) then
      values[key] = x:expand(join(size, shapes.last(x.shape, constraint.event_dim)))
    end
  end
  local new = setmetatable({}, getmetatable(self))
  build(new, about, values, false)
  new._validates = self._validates
  return new
end

-- ---- what distributions need to draw ----

function Distribution:_first() return rawget(self, self._given[1]) end
function Distribution:_dtype() return self:_first().dtype end
function Distribution:_device() return self:_first().device end

-- The shape of samples: sample, batch, event.
function Distribution:_full(shape) return join(shape, self.batch_shape, self.event_shape) end

-- Random numbers of a kind that pt.random knows, in the shape of samples, or in a given one.
function Distribution:_noise(shape, kind, a, b, full)
  return draws.fill(nil, core.empty(full or self:_full(shape), self:_dtype(), self:_device()), kind, a, b)
end

-- Uniform numbers above 0 and below 1.
function Distribution:_uniform(shape, full)
  local u = self:_noise(shape, "uniform", 0, 1, full)
  return u:clamp(shapes.tiny(u), 1 - shapes.eps(u) / 2)
end

-- ---- what scripts call ----

--- Values drawn, without a gradient: of shape (size, batch_shape, event_shape).
---@param size integer[]
---@param generator? pt.Generator
---@return pt.Tensor
function Distribution:sample(size, generator)
  check_own(self)
  return under("sample", generator, pt.no_grad, function() return self:_draw(size):detach() end)
end

--- Values drawn as a differentiable function of the parameters and of noise.
function Distribution:rsample(size, generator)
  if not self.has_rsample then
    fail("%s: rsample: its samples have no gradient; sample() draws without, log_prob of them serves score functions",
      name_of(self))
  end
  return under("rsample", generator, self._draw, self, size)
end

--- The logarithm of the density, or of the probability, of values.
---@param value pt.Tensor|number
---@return pt.Tensor of the shape of value and batch_shape broadcast, without event dims
function Distribution:log_prob(value) return self:_log_prob(value_of(self, "log_prob", value)) end

--- The probability of at most `value`.
function Distribution:cdf(value)
  if not self._cdf then lacks(self, "cdf") end
  return self:_cdf(value_of(self, "cdf", value))
end

--- The value that is not exceeded with probability `value`.
function Distribution:icdf(value)
  if not self._icdf then lacks(self, "icdf") end
  local p = core.is_tensor(value) and value or core.tensor(shapes.number(value), self:_dtype(), self:_device())
  if self._validates then check(name_of(self) .. ":icdf", "value", constraints.unit_interval, p) end
  return self:_icdf(p)
end

---@return pt.Tensor of batch_shape
function Distribution:entropy()
  if not self._entropy then lacks(self, "entropy") end
  return self:_entropy()
end

--- exp of the entropy.
function Distribution:perplexity() return self:entropy():exp() end

--- All values of a discrete distribution, along a new first dim.
---@param expand? boolean false: the batch dims stay 1
function Distribution:enumerate_support(expand)
  if not self._enumerate then fail("%s: its values cannot be enumerated", name_of(self)) end
  local values = self:_enumerate()
  local n, event = values:size(1), shapes.sub(values.shape, 2)
  local ones = {}
  for i = 1, #self.batch_shape do ones[i] = 1 end
  values = values:reshape(join({ n }, ones, event))
  return expand and values:expand(join({ n }, self.batch_shape, event)) or values
end

-- Normal(loc: 0, scale: 1); shapes of what has several entries.
function Distribution:__tostring()
  local parts = {}
  for _, key in ipairs(self._about.keys) do
    local value = rawget(self, key)
    local is_one = core.is_tensor(value) and value:numel() == 1
    if value ~= nil and (self._constraints[key] == nil or self:_was_given(key)) then
      local text = is_one and ("%.6g"):format(value:item()) or core.is_tensor(value) and tostring(value.shape)
      parts[#parts + 1] = ("%s: %s"):format(key, text or tostring(value))
    end
  end
  return ("%s(%s)"):format(name_of(self), table.concat(parts, ", "))
end

function Distribution:_was_given(name)
  for _, one in ipairs(self._given) do
    if one == name then return true end
  end
  return false
end

signature.methods(Distribution, "distribution", {
  init = "batch_shape:l? event_shape:l? validate_args:b?",
  sample = "size:I* generator:a?", rsample = "size:I* generator:a?", log_prob = "value:A", cdf = "value:A",
  icdf = "value:A", entropy = "", perplexity = "", enumerate_support = "expand:b=true", expand = "size:I*",
})

return {
  Distribution = Distribution, define = define, check = check, finish = finish, set_shapes = set_shapes,
}
