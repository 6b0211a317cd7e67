--- pt.distributions.transforms: functions of random variables. `t(x)` applies one, `t.inv` is its inverse,
--- `t:log_abs_det_jacobian(x, y)` the logarithm of how much it stretches; `t.domain` and `t.codomain` are constraints.
---
---     local Exp = define("ExpTransform", "", { domain = ..., codomain = ..., bijective = true, sign = 1 })
---     function Exp:_call(x) return x:exp() end
---     function Exp:_inverse(y) return y:log() end
---     function Exp:_log_slope(x) return x end
---
--- Transforms of one kind with the same parameters are equal.

local pt = require "pt"
local core = require "pt.core"
local class = require "pt.class"
local computed = require "pt.distributions.computed"
local constraints = require "pt.distributions.constraints"
local fail = require "pt.fail"
local shapes = require "pt.distributions.shapes"
local signature = require "pt.signature"

local F = pt.nn.functional
local log = math.log
local real, independent = constraints.real, constraints.independent
local join, but_last, sum_last = shapes.join, shapes.but_last, shapes.sum_last

local made = {}

---@class pt.distributions.Transform
---@field domain pt.distributions.Constraint
---@field codomain pt.distributions.Constraint
---@field bijective boolean
---@field sign integer|pt.Tensor 1 where it rises, -1 where it falls
---@field event_dim integer
---@field inv pt.distributions.Transform
local Transform, get = computed(class "Transform")
made.Transform = Transform

local function name_of(self) return getmetatable(self).__name end

function get:domain() return self._about.domain end
function get:codomain() return self._about.codomain end
function get:bijective() return self._about.bijective or false end
function get:sign()
  return self._about.sign or fail("%s: it has no sign, as it neither only rises nor only falls", name_of(self))
end
function get:event_dim()
  local from, to = self.domain.event_dim, self.codomain.event_dim
  if from ~= to then fail("%s: event_dim: domain has %d, codomain %d; read them there", name_of(self), from, to) end
  return from
end

-- With cache_size = 1 the last pair is kept, so that the inverse of what was just computed is exact.
local function through(self, from, to, fn, value)
  if not core.is_tensor(value) then
    fail("%s: takes a tensor, got %s", name_of(self), signature.describe(value))
  end
  local pair = rawget(self, "_pair")
  if pair and rawequal(pair[from], value) then return pair[to] end
  local result = fn(self, value)
  if rawget(self, "cache_size") == 1 then self._pair = { [from] = value, [to] = result } end
  return result
end

function Transform:__call(x) return through(self, 1, 2, self._call, x) end

local function inverse_of(self, y)
  if not self._inverse then fail("%s: it has no inverse", name_of(self)) end
  return through(self, 2, 1, self._inverse, y)
end

--- The logarithm of the absolute determinant of the derivative at x, where the transform is y.
---@param x pt.Tensor
---@param y pt.Tensor
---@return pt.Tensor without the event dims
function Transform:log_abs_det_jacobian(x, y)
  if not self._log_slope then fail("%s: log_abs_det_jacobian: it has none, as it is not bijective", name_of(self)) end
  return self:_log_slope(x, y)
end

--- The shape that inputs of a shape lead to.
---@param shape integer[]
---@return pt.Sizes
function Transform:forward_shape(shape) return self:_shape(shape, true) end

--- The shape of inputs that lead to a shape.
function Transform:inverse_shape(shape) return self:_shape(shape, false) end

function Transform:_shape(shape) return join(shape) end

--- The same transform that keeps its last pair (1) or does not (0).
---@param cache_size? integer
function Transform:with_cache(cache_size)
  local new = setmetatable({}, getmetatable(self))
  for key, value in next, self do
    if key:sub(1, 1) ~= "_" then new[key] = value end
  end
  new.cache_size = cache_size
  return new
end

local function same(a, b)
  if core.is_tensor(a) or core.is_tensor(b) then
    return pt.equal(table.unpack(shapes.tensors({ a, b }, 2)))
  end
  if type(a) ~= "table" or type(b) ~= "table" or getmetatable(a) then return a == b end
  if #a ~= #b then return false end
  for i = 1, #a do
    if not same(a[i], b[i]) then return false end
  end
  return true
end

function Transform.__eq(a, b)
  if getmetatable(a) ~= getmetatable(b) then return false end
  for _, key in ipairs(a._about.keys) do
    if key ~= "cache_size" and not same(rawget(a, key), rawget(b, key)) then return false end
  end
  return true
end

local function shown(value)
  if not core.is_tensor(value) then return tostring(value) end
  return value:numel() == 1 and ("%.6g"):format(value:item()) or tostring(value.shape)
end

function Transform:__tostring()
  local parts = {}
  for _, key in ipairs(self._about.keys) do
    local value = rawget(self, key)
    if key ~= "cache_size" and (type(value) ~= "table" or getmetatable(value)) then
      parts[#parts + 1] = key .. ": " .. shown(value)
    end
  end
  return ("%s(%s)"):format(name_of(self), table.concat(parts, ", "))
end

signature.methods(Transform, "transform", {
  log_abs_det_jacobian = "x:T y:T", forward_shape = "shape:l", inverse_shape = "shape:l", with_cache = "cache_size:i=1",
})

-- ---- how they are made ----

---@param name string
---@param options string a signature (pt.signature); cache_size follows
---@param about table domain, codomain, bijective, sign; setup(self) after the options became fields
local function define(name, options, about)
  local new, new_get = computed(class(name, Transform))
  about.keys = {}
  for key in (options .. " cache_size:i=0"):gmatch "([%w_]+):" do about.keys[#about.keys + 1] = key end
  new._about = about
  new.init = signature(name, options .. " cache_size:i=0", function(self, ...)
    for i, key in ipairs(about.keys) do self[key] = select(i, ...) end
    if self.cache_size ~= 0 and self.cache_size ~= 1 then
      fail("%s: cache_size must be 0 or 1, got %d", name, self.cache_size)
    end
    if about.setup then about.setup(self) end
  end)
  made[name] = new
  return new, new_get
end

local function is_transform(value) return type(value) == "table" and signature.is_a(value, Transform) end

-- Raises unless the list holds transforms only.
local function check_list(owner, list)
  for i, t in ipairs(list) do
    if not is_transform(t) then fail("%s: entry %d must be a transform, got %s", owner, i, signature.describe(t)) end
  end
end

-- ---- the inverse of another ----

local Inverse, inverse_get = computed(class("InverseTransform", Transform))
Inverse._about = { keys = { "base" } }

function get:inv() return setmetatable({ base = self }, Inverse) end

function inverse_get:inv() return self.base end
function inverse_get:domain() return self.base.codomain end
function inverse_get:codomain() return self.base.domain end
function inverse_get:bijective() return self.base.bijective end
function inverse_get:sign() return self.base.sign end
function Inverse:__call(y) return inverse_of(self.base, y) end
function Inverse:_log_slope(y, x) return -self.base:log_abs_det_jacobian(x, y) end
function Inverse:_shape(shape, forward) return self.base:_shape(shape, not forward) end
function Inverse:with_cache(cache_size) return self.base:with_cache(cache_size).inv end

-- ---- of each element ----

local Exp = define("ExpTransform", "", { domain = real, codomain = constraints.positive, bijective = true, sign = 1 })
function Exp:_call(x) return x:exp() end
function Exp:_inverse(y) return y:log() end
function Exp:_log_slope(x) return x end

-- The shape that x and a parameter, a tensor or a number, broadcast to.
local function with_shape_of(shape, parameter)
  return core.is_tensor(parameter) and shapes.broadcast(shape, parameter.shape) or join(shape)
end

local Power, power_get = define("PowerTransform", "exponent:A", {
  domain = constraints.positive, codomain = constraints.positive, bijective = true,
})
function power_get:sign()
  return core.is_tensor(self.exponent) and self.exponent:sign() or self.exponent < 0 and -1 or 1
end
function Power:_call(x) return x ^ self.exponent end
function Power:_inverse(y) return y ^ (1 / self.exponent) end
function Power:_log_slope(x, y) return (self.exponent * y / x):abs():log() end
function Power:_shape(shape) return with_shape_of(shape, self.exponent) end

local Sigmoid = define("SigmoidTransform", "", {
  domain = real, codomain = constraints.unit_interval, bijective = true, sign = 1,
})
local function inside(y) return y:clamp(shapes.tiny(y), 1 - shapes.eps(y)) end
function Sigmoid:_call(x) return inside(x:sigmoid()) end
function Sigmoid:_inverse(y) return inside(y):logit() end
function Sigmoid:_log_slope(x) return x:logsigmoid() + (-x):logsigmoid() end

local Softplus = define("SoftplusTransform", "", {
  domain = real, codomain = constraints.positive, bijective = true, sign = 1,
})
function Softplus:_call(x) return F.softplus(x) end
function Softplus:_inverse(y) return (-(-y):expm1()):log() + y end
function Softplus:_log_slope(x) return x:logsigmoid() end

local Tanh = define("TanhTransform", "", {
  domain = real, codomain = constraints.interval(-1, 1), bijective = true, sign = 1,
})
function Tanh:_call(x) return x:tanh() end
function Tanh:_inverse(y) return y:atanh() end
function Tanh:_log_slope(x) return 2 * (log(2) - x - F.softplus(-2 * x)) end

local Abs = define("AbsTransform", "", { domain = real, codomain = constraints.positive })
function Abs:_call(x) return x:abs() end
function Abs:_inverse(y) return y end

local Affine, affine_get = define("AffineTransform", "loc:A scale:A event_dim:i=0", { bijective = true })
function affine_get:domain() return independent(real, self.event_dim) end
affine_get.codomain = affine_get.domain
function affine_get:sign()
  return core.is_tensor(self.scale) and self.scale:sign() or self.scale < 0 and -1 or 1
end
function Affine:_call(x) return self.loc + self.scale * x end
function Affine:_inverse(y) return (y - self.loc) / self.scale end
function Affine:_log_slope(x)
  local stretch = core.is_tensor(self.scale) and self.scale:abs():log() or log(math.abs(self.scale))
  return sum_last(x:zeros_like() + stretch, self.event_dim)
end
function Affine:_shape(shape) return with_shape_of(with_shape_of(shape, self.loc), self.scale) end

-- The distribution function of a distribution.
local Cumulative, cumulative_get = define("CumulativeDistributionTransform", "distribution:t", {
  codomain = constraints.unit_interval, bijective = true, sign = 1,
})
function cumulative_get:domain() return self.distribution.support end
function Cumulative:_call(x) return self.distribution:cdf(x) end
function Cumulative:_inverse(y) return self.distribution:icdf(y) end
function Cumulative:_log_slope(x) return self.distribution:log_prob(x) end

-- ---- of vectors ----

local Softmax = define("SoftmaxTransform", "", { domain = constraints.real_vector, codomain = constraints.simplex })
function Softmax:_call(x) return x:softmax(-1) end
function Softmax:_inverse(y) return y:log() end

-- n numbers to n + 1 that are positive and sum to 1: each takes its part of what the ones before have left.
local StickBreaking = define("StickBreakingTransform", "", {
  domain = constraints.real_vector, codomain = constraints.simplex, bijective = true,
})
-- Logarithms of n, ..., 2, 1: with them 0 is the middle of the simplex.
local function offsets(x, n) return pt.range(n, 1, -1, { dtype = x.dtype, device = x.device }):log() end
local function one_before(x) return F.pad(x, { 1, 0 }, { value = 1 }) end
function StickBreaking:_call(x)
  local part = inside((x - offsets(x, x:size(-1))):sigmoid())
  return F.pad(part, { 0, 1 }, { value = 1 }) * one_before((1 - part):cumprod(-1))
end
function StickBreaking:_inverse(y)
  local n = y:size(-1) - 1
  local head = y:narrow(-1, 1, n)
  local left = (1 - head:cumsum(-1)):clamp(shapes.tiny(y))
  return head:log() - left:log() + offsets(y, n)
end
function StickBreaking:_log_slope(x, y)
  local n = x:size(-1)
  x = x - offsets(x, n)
  return (x:logsigmoid() - x + y:narrow(-1, 1, n):log()):sum(-1)
end
function StickBreaking:_shape(shape, forward)
  return join(but_last(shape, 1), { shape[#shape] + (forward and 1 or -1) })
end

-- ---- of matrices ----

local LowerCholesky = define("LowerCholeskyTransform", "", {
  domain = independent(real, 2), codomain = constraints.lower_cholesky, bijective = true,
})
local function with_diagonal(x, fn) return x:tril(-1) + fn(x:diagonal(0, -2, -1)):diag_embed() end
function LowerCholesky:_call(x) return with_diagonal(x, pt.exp) end
function LowerCholesky:_inverse(y) return with_diagonal(y, pt.log) end
function LowerCholesky:_log_slope(x) return x:diagonal(0, -2, -1):sum(-1) end

local PositiveDefinite = define("PositiveDefiniteTransform", "", {
  domain = independent(real, 2), codomain = constraints.positive_definite,
})
function PositiveDefinite:_call(x)
  local factor = with_diagonal(x, pt.exp)
  return factor:matmul(factor:transpose(-1, -2))
end
function PositiveDefinite:_inverse(y) return with_diagonal(pt.linalg.cholesky(y), pt.log) end

-- n (n - 1) / 2 numbers to the Cholesky factor of a correlation matrix: each row is a point of the unit sphere, whose
-- coordinates are broken off one after the other.
local CorrCholesky = define("CorrCholeskyTransform", "", {
  domain = constraints.real_vector, codomain = constraints.corr_cholesky, bijective = true,
})

-- n of the n by n matrix below whose diagonal `count` numbers stand.
local function order_of(count)
  local n = math.floor((1 + math.sqrt(1 + 8 * count)) / 2 + 0.5)
  if n * (n - 1) // 2 ~= count then
    fail("CorrCholeskyTransform: the last dim is %d, but must be n (n - 1) / 2 for some n", count)
  end
  return n
end

-- Positions, in a flattened n by n matrix, of the entries below its diagonal number k, row by row.
local function places_below(n, k, device)
  local places = {}
  for row = 1, n do
    for column = 1, row + k do places[#places + 1] = (row - 1) * n + column end
  end
  return pt.tensor(places, { dtype = pt.int64, device = device })
end

local function to_lower(x)
  local n = order_of(x:size(-1))
  local flat = x:new_zeros(join(but_last(x.shape, 1), { n * n }))
  local places = places_below(n, -1, x.device):expand(x.shape)
  return flat:scatter(-1, places, x):reshape(join(but_last(x.shape, 1), { n, n }))
end

local function from_lower(y, k)
  local n = y:size(-1)
  return y:reshape(join(but_last(y.shape, 2), { n * n })):index_select(-1, places_below(n, k, y.device))
end

-- What the squares of the entries before each one leave of a row's 1.
local function left_before(y)
  return one_before((1 - y:square():cumsum(-1)):narrow(-1, 1, y:size(-1) - 1))
end

function CorrCholesky:_call(x)
  local eps = shapes.eps(x)
  local r = to_lower(x:tanh():clamp(-1 + eps, 1 - eps))
  local n = r:size(-1)
  local left = (1 - r:square()):sqrt():cumprod(-1):narrow(-1, 1, n - 1)
  return (r + pt.eye(n, { dtype = x.dtype, device = x.device })) * one_before(left)
end

function CorrCholesky:_inverse(y)
  return (from_lower(y, -1) / from_lower(left_before(y), -1):sqrt()):atanh()
end

function CorrCholesky:_log_slope(x, y)
  local left = 1 - y:square():cumsum(-1)
  return 0.5 * from_lower(left, -2):log():sum(-1) - 2 * (x + F.softplus(-2 * x) - log(2)):sum(-1)
end

function CorrCholesky:_shape(shape, forward)
  if forward then
    local n = order_of(shape[#shape])
    return join(but_last(shape, 1), { n, n })
  end
  local n = shape[#shape]
  return join(but_last(shape, 2), { n * (n - 1) // 2 })
end

-- ---- of shapes ----

local function check_reshape(self)
  if shapes.numel(self.in_shape) ~= shapes.numel(self.out_shape) then
    fail("ReshapeTransform: in_shape %s and out_shape %s hold different numbers of elements",
      tostring(join(self.in_shape)), tostring(join(self.out_shape)))
  end
end

local Reshape, reshape_get = define("ReshapeTransform", "in_shape:I out_shape:I", {
  bijective = true, sign = 1, setup = check_reshape,
})
function reshape_get:domain() return independent(real, #self.in_shape) end
function reshape_get:codomain() return independent(real, #self.out_shape) end
function Reshape:_call(x) return x:reshape(self:_shape(x.shape, true)) end
function Reshape:_inverse(y) return y:reshape(self:_shape(y.shape, false)) end
function Reshape:_log_slope(x) return x:new_zeros(but_last(x.shape, #self.in_shape)) end
function Reshape:_shape(shape, forward)
  local from, to = self.in_shape, self.out_shape
  if not forward then from, to = to, from end
  if #shape < #from or shapes.last(shape, #from) ~= join(from) then
    fail("ReshapeTransform: a shape that ends in %s is wanted, got %s", tostring(join(from)), tostring(join(shape)))
  end
  return join(but_last(shape, #from), to)
end

-- ---- of other transforms ----

local Independent, independent_get = define("IndependentTransform", "base_transform:a reinterpreted_batch_ndims:i", {
  setup = function(self) check_list("IndependentTransform", { self.base_transform }) end,
})
function independent_get:domain() return independent(self.base_transform.domain, self.reinterpreted_batch_ndims) end
function independent_get:codomain()
  return independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)
end
function independent_get:bijective() return self.base_transform.bijective end
function independent_get:sign() return self.base_transform.sign end
function Independent:_call(x) return self.base_transform(x) end
function Independent:_inverse(y) return inverse_of(self.base_transform, y) end
function Independent:_log_slope(x, y)
  return sum_last(self.base_transform:log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)
end
function Independent:_shape(shape, forward) return self.base_transform:_shape(shape, forward) end

local function all_bijective(list)
  for _, t in ipairs(list) do
    if not t.bijective then return false end
  end
  return true
end

local Compose, compose_get = define("ComposeTransform", "parts:l", {
  setup = function(self)
    check_list("ComposeTransform", self.parts)
    if self.cache_size == 1 then
      for i, part in ipairs(self.parts) do self.parts[i] = part:with_cache(1) end
    end
  end,
})
-- The event dims before the first part (or behind the last one) so that each part finds those that it needs.
local function event_dims(parts, from, to, step, into, out)
  local n = parts[from][into].event_dim
  for i = from, to, step do
    local part = parts[i]
    n = math.max(n + part[out].event_dim - part[into].event_dim, part[out].event_dim)
  end
  return n
end
function compose_get:domain()
  local parts = self.parts
  if #parts == 0 then return real end
  local first = parts[1].domain
  return independent(first, event_dims(parts, #parts, 1, -1, "codomain", "domain") - first.event_dim)
end
function compose_get:codomain()
  local parts = self.parts
  if #parts == 0 then return real end
  local last = parts[#parts].codomain
  return independent(last, event_dims(parts, 1, #parts, 1, "domain", "codomain") - last.event_dim)
end
function compose_get:bijective() return all_bijective(self.parts) end
function compose_get:sign()
  local sign = 1
  for _, part in ipairs(self.parts) do sign = sign * part.sign end
  return sign
end
function Compose:_call(x)
  for _, part in ipairs(self.parts) do x = part(x) end
  return x
end
function Compose:_inverse(y)
  for i = #self.parts, 1, -1 do y = inverse_of(self.parts[i], y) end
  return y
end
function Compose:_log_slope(x, y)
  if #self.parts == 0 then return x:zeros_like() end
  local n, sum = self.domain.event_dim, nil
  for i, part in ipairs(self.parts) do
    local next_x = i == #self.parts and y or part(x)
    local term = sum_last(part:log_abs_det_jacobian(x, next_x), n - part.domain.event_dim)
    n, sum, x = n + part.codomain.event_dim - part.domain.event_dim, sum and sum + term or term, next_x
  end
  return sum
end
function Compose:_shape(shape, forward)
  local n = #self.parts
  for i = 1, n do shape = self.parts[forward and i or n + 1 - i]:_shape(shape, forward) end
  return join(shape)
end

-- ---- of pieces ----

-- The result of fn(transform, piece of x, piece of y) for each piece along a dim.
local function each_piece(self, x, y, fn)
  local results, at = {}, 1
  local total = 0
  for _, n in ipairs(self.lengths) do total = total + n end
  if x:size(self.dim) ~= total then
    fail("%s: dim %d is %d, but the transforms take %d", name_of(self), self.dim, x:size(self.dim), total)
  end
  for i, t in ipairs(self.transforms) do
    local n = self.lengths[i]
    local stacked = self._about.stacks
    local function piece(z) return z and (stacked and z:select(self.dim, at) or z:narrow(self.dim, at, n)) end
    results[i], at = fn(t, piece(x), piece(y)), at + n
  end
  return results
end

local function apply(t, x) return t(x) end
local function check_pieces(self)
  check_list(name_of(self), self.transforms)
  if not rawget(self, "lengths") then
    self.lengths = {}
    for i = 1, #self.transforms do self.lengths[i] = 1 end
  end
  if #self.lengths ~= #self.transforms then
    fail("%s: %d lengths for %d transforms", name_of(self), #self.lengths, #self.transforms)
  end
end
local function log_slope_of(t, x, y) return t:log_abs_det_jacobian(x, y) end
local function constraints_of(self, which)
  local list = {}
  for i, t in ipairs(self.transforms) do list[i] = t[which] end
  return list
end

local Cat, cat_get = define("CatTransform", "transforms:l dim:i=1 lengths:I?", { setup = check_pieces })
function cat_get:domain() return constraints.cat(constraints_of(self, "domain"), self.dim, self.lengths) end
function cat_get:codomain() return constraints.cat(constraints_of(self, "codomain"), self.dim, self.lengths) end
function cat_get:bijective() return all_bijective(self.transforms) end
function cat_get:event_dim()
  local n = 0
  for _, t in ipairs(self.transforms) do n = math.max(n, t.event_dim) end
  return n
end
function Cat:_call(x) return pt.cat(each_piece(self, x, nil, apply), self.dim) end
function Cat:_inverse(y) return pt.cat(each_piece(self, y, nil, inverse_of), self.dim) end
-- Along an event dim the pieces are parts of one volume.
function Cat:_log_slope(x, y)
  local event = self.event_dim
  local list = each_piece(self, x, y, function(t, a, b)
    return sum_last(log_slope_of(t, a, b), event - t.event_dim)
  end)
  local dim = (self.dim > 0 and self.dim - x.ndim - 1 or self.dim) + event
  if dim < 0 then return pt.cat(list, dim) end
  local sum = list[1]
  for i = 2, #list do sum = sum + list[i] end
  return sum
end

local Stack, stack_get = define("StackTransform", "transforms:l dim:i=1", { setup = check_pieces, stacks = true })
function stack_get:domain() return constraints.stack(constraints_of(self, "domain"), self.dim) end
function stack_get:codomain() return constraints.stack(constraints_of(self, "codomain"), self.dim) end
function stack_get:bijective() return all_bijective(self.transforms) end
function Stack:_call(x) return pt.stack(each_piece(self, x, nil, apply), self.dim) end
function Stack:_inverse(y) return pt.stack(each_piece(self, y, nil, inverse_of), self.dim) end
function Stack:_log_slope(x, y) return pt.stack(each_piece(self, x, y, log_slope_of), self.dim) end

--- The transform that changes nothing.
made.identity_transform = made.ComposeTransform {}

return setmetatable(made, { __index = require "pt.unknown"("pt.distributions.transforms") })
