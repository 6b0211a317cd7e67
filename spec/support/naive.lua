-- naive.lua: what ops mean, written as plainly as possible over Lua lists; slow and obviously right. naive.law[op]
-- checks outputs that are not unique, or random.
--
-- An array is {shape = {...}, list = {... row-major ...}}. Dims and ids count from 1.
local naive = { scalar = {}, array = {}, law = {} }

local scalar, array = naive.scalar, naive.array

-- ---- element-wise: one function of numbers each ----
local function bool(x) return x == true or (x ~= false and x ~= 0) end
local function num(x) return x == true and 1 or x == false and 0 or x end

function scalar.neg(x) return -x end
scalar.abs, scalar.exp, scalar.log, scalar.sin, scalar.cos = math.abs, math.exp, math.log, math.sin, math.cos
function scalar.sign(x) return x > 0 and 1.0 or x < 0 and -1.0 or 0.0 end
function scalar.square(x) return x * x end
function scalar.sqrt(x) return math.sqrt(x) end
function scalar.rsqrt(x) return 1 / math.sqrt(x) end
function scalar.reciprocal(x) return 1 / x end
function scalar.tanh(x) return 1 - 2 / (math.exp(2 * x) + 1) end
function scalar.sigmoid(x) return 1 / (1 + math.exp(-x)) end
function scalar.relu(x) return math.max(x, 0) end
function scalar.floor(x) return x // 1 end
function scalar.ceil(x) return -(-x // 1) end
function scalar.round(x)
  local low = x // 1
  local part = x - low
  return (part < 0.5 or part == 0.5 and low % 2 == 0) and low or low + 1
end
local exp, log = math.exp, math.log
local function root(x) return math.sqrt(x) end
function scalar.trunc(x) return x < 0 and -(-x // 1) or x // 1 end
function scalar.frac(x) return x - scalar.trunc(x) end
scalar.deg2rad, scalar.rad2deg = math.rad, math.deg
function scalar.exp2(x) return 2 ^ x end
function scalar.expm1(x) return exp(x) - 1 end
function scalar.log2(x) return log(x, 2) end
function scalar.log10(x) return log(x, 10) end
function scalar.log1p(x) return log(1 + x) end
function scalar.logit(x, eps)
  if eps and eps >= 0 then x = math.min(math.max(x, eps), 1 - eps) end
  return log(x / (1 - x))
end
function scalar.xlogy(a, b) return a == 0 and 0.0 or a * log(b) end
function scalar.xlog1py(a, b) return a == 0 and 0.0 or a * log(1 + b) end
function scalar.logaddexp(a, b) return log(exp(a) + exp(b)) end
function scalar.logaddexp2(a, b) return log(2 ^ a + 2 ^ b, 2) end
function scalar.entr(x) return -x * log(x) end
scalar.tan, scalar.asin, scalar.acos, scalar.atan, scalar.atan2 = math.tan, math.asin, math.acos, math.atan, math.atan
function scalar.sinh(x) return (exp(x) - exp(-x)) / 2 end
function scalar.cosh(x) return (exp(x) + exp(-x)) / 2 end
function scalar.asinh(x) return log(x + root(x * x + 1)) end
function scalar.acosh(x) return log(x + root(x * x - 1)) end
function scalar.atanh(x) return log((1 + x) / (1 - x)) / 2 end
function scalar.sinc(x) return math.sin(math.pi * x) / (math.pi * x) end
function scalar.hypot(a, b) return root(a * a + b * b) end
function scalar.silu(x) return x / (1 + exp(-x)) end
function scalar.gelu_tanh(x) return x / (1 + exp(-2 * root(2 / math.pi) * (x + 0.044715 * x ^ 3))) end
function scalar.mish(x)
  local s = (1 + exp(x)) ^ 2
  return x * (s - 1) / (s + 1)
end
function scalar.softplus(x, beta, most)
  beta = beta or 1
  return beta * x > (most or 20) and x or log(1 + exp(beta * x)) / beta
end
function scalar.logsigmoid(x) return -log(1 + exp(-x)) end
function scalar.elu(x) return x > 0 and x or exp(x) - 1 end
scalar.celu = scalar.elu
function scalar.selu(x) return 1.0507009873554805 * (x > 0 and x or 1.6732632423543772 * (exp(x) - 1)) end
function scalar.leaky_relu(x) return x > 0 and x or 0.01 * x end
function scalar.hardtanh(x) return math.max(-1, math.min(x, 1)) end
function scalar.hardsigmoid(x) return math.max(0, math.min(x / 6 + 0.5, 1)) end
function scalar.hardswish(x) return x * scalar.hardsigmoid(x) end
function scalar.hardshrink(x) return math.abs(x) > 0.5 and x or 0.0 end
function scalar.softshrink(x) return x > 0.5 and x - 0.5 or x < -0.5 and x + 0.5 or 0.0 end
function scalar.threshold(x, least, value) return x > least and x or value end
function scalar.softsign(x) return x / (1 + math.abs(x)) end
function scalar.prelu_each(a, b) return a > 0 and a or a * b end
function scalar.bce_each(a, b)
  return -b * math.max(math.log(a), -100) - (1 - b) * math.max(math.log(1 - a), -100)
end
function scalar.bce_logits_each(a, b) return math.log(1 + math.exp(a)) - a * b end
function scalar.kl_div_each(a, b) return b * math.log(b) - b * a end
function scalar.huber_each(x) return math.abs(x) < 1 and x * x / 2 or math.abs(x) - 0.5 end
scalar.smooth_l1_each = scalar.huber_each
function scalar.tanhshrink(x) return x - scalar.tanh(x) end
scalar.fmax, scalar.fmin, scalar.fmod = math.max, math.min, math.fmod
function scalar.copysign(a, b) return b < 0 and -math.abs(a) or math.abs(a) end
function scalar.heaviside(a, b) return a == 0 and b or a > 0 and 1.0 or 0.0 end
function scalar.bitwise_and(a, b) return a & b end
function scalar.bitwise_or(a, b) return a | b end
function scalar.bitwise_xor(a, b) return a ~ b end
function scalar.bitwise_left_shift(a, b) return a << b end
function scalar.bitwise_right_shift(a, b) return a >> b end
function scalar.gcd(a, b)
  while b ~= 0 do a, b = b, a % b end
  return math.abs(a)
end
function scalar.lcm(a, b) return b == 0 and 0 or math.abs(a * b) // scalar.gcd(a, b) end
function scalar.signbit(x) return x < 0 end
function scalar.add(a, b) return a + b end
function scalar.sub(a, b) return a - b end
function scalar.mul(a, b) return a * b end
function scalar.div(a, b) return a / b end
function scalar.pow(a, b) return a ^ b end
function scalar.floor_divide(a, b) return a // b end
function scalar.remainder(a, b) return a % b end
scalar.maximum, scalar.minimum = math.max, math.min
function scalar.eq(a, b) return a == b end
function scalar.ne(a, b) return a ~= b end
function scalar.lt(a, b) return a < b end
function scalar.le(a, b) return a <= b end
function scalar.gt(a, b) return a > b end
function scalar.ge(a, b) return a >= b end
function scalar.logical_and(a, b) return bool(a) and bool(b) end
function scalar.logical_or(a, b) return bool(a) or bool(b) end
function scalar.logical_xor(a, b) return bool(a) ~= bool(b) end
function scalar.logical_not(x) return not bool(x) end
function scalar.isnan(x) return x ~= x end
function scalar.where(a, b, c) if bool(a) then return b else return c end end
function scalar.addcmul(a, b, c) return a + b * c end
function scalar.addcdiv(a, b, c) return a + b / c end
function scalar.lerp(a, b, c) return a + c * (b - a) end
function scalar.clamp_between(a, b, c) return math.min(math.max(a, b), c) end

-- ---- arrays ----
local function new(shape, fn)
  local out = { shape = shape, list = {} }
  local index = {}
  local function walk(d)
    if d > #shape then
      out.list[#out.list + 1] = fn(index)
      return
    end
    for i = 1, shape[d] do
      index[d] = i
      walk(d + 1)
    end
  end
  walk(1)
  return out
end

-- The element at an index; further dims on the left are ignored, dims of size 1 repeat.
local function at(x, index)
  local skip, place = #index - #x.shape, 0
  for d, size in ipairs(x.shape) do place = place * size + (size == 1 and 0 or index[d + skip] - 1) end
  return x.list[place + 1]
end

local function copy(list) return { table.unpack(list) } end

local function with(list, d, value)
  local out = copy(list)
  out[d] = value
  return out
end

local function dim_of(x, d) return d < 0 and #x.shape + 1 + d or d end

local function broadcast(...)
  local shape = {}
  for _, x in ipairs { ... } do
    local extra = #x.shape - #shape
    for _ = 1, extra do table.insert(shape, 1, 1) end
    for d = 1, #x.shape do
      local k = #shape - #x.shape + d
      if shape[k] == 1 then shape[k] = x.shape[d] end
    end
  end
  return shape
end

--- Applies a scalar function to arrays and numbers, broadcast.
function naive.map(fn, ...)
  local xs = { ... }
  for i, x in ipairs(xs) do
    if type(x) ~= "table" then xs[i] = { shape = {}, list = { x } } end
  end
  return new(broadcast(table.unpack(xs)), function(index)
    local values = {}
    for i, x in ipairs(xs) do values[i] = at(x, index) end
    return fn(table.unpack(values))
  end)
end

-- fold(list of the elements along the dims, in order) for each index of the rest.
local function reduce(x, dims, keepdim, fold)
  local gone = {}
  if type(dims) == "number" then dims = { dims } end
  for d = 1, #x.shape do gone[d] = dims == nil or #dims == 0 end
  for _, d in ipairs(dims or {}) do gone[dim_of(x, d)] = true end
  local kept, inner = {}, {}
  for d, size in ipairs(x.shape) do
    if not gone[d] then kept[#kept + 1] = size elseif keepdim then kept[#kept + 1] = 1 end
    if gone[d] then inner[#inner + 1] = size end
  end
  return new(kept, function(index)
    return fold(new(inner, function(within)
      local full, a, b = {}, 1, 1
      for d = 1, #x.shape do
        if gone[d] then
          full[d] = within[b]
          b = b + 1
          if keepdim then a = a + 1 end
        else
          full[d] = index[a]
          a = a + 1
        end
      end
      return at(x, full)
    end).list)
  end)
end

local function total(list)
  local s = 0
  for _, v in ipairs(list) do s = s + num(v) end
  return s
end

local function best(better)
  return function(list)
    local k = 1
    for i = 2, #list do
      if better(list[i], list[k]) then k = i end
    end
    return list[k], k
  end
end
local largest, smallest = best(function(a, b) return a > b end), best(function(a, b) return a < b end)
local function second(fn) return function(list) return (select(2, fn(list))) end end

function array.sum(x, dim, keepdim) return reduce(x, dim, keepdim, total) end
function array.mean(x, dim, keepdim)
  return reduce(x, dim, keepdim, function(list) return total(list) / #list end)
end
function array.prod(x, dim, keepdim)
  return reduce(x, dim, keepdim, function(list)
    local p = 1
    for _, v in ipairs(list) do p = p * v end
    return p
  end)
end
function array.frobenius_norm(x, dim, keepdim)
  return reduce(x, dim, keepdim, function(list)
    local s = 0
    for _, v in ipairs(list) do s = s + v * v end
    return math.sqrt(s)
  end)
end
function array.amax(x, dim, keepdim) return reduce(x, dim, keepdim, largest) end
function array.amin(x, dim, keepdim) return reduce(x, dim, keepdim, smallest) end
function array.max_dim(x, dim, keepdim)
  return reduce(x, dim, keepdim, largest), reduce(x, dim, keepdim, second(largest))
end
function array.min_dim(x, dim, keepdim)
  return reduce(x, dim, keepdim, smallest), reduce(x, dim, keepdim, second(smallest))
end
function array.argmax(x, dim, keepdim) return reduce(x, dim, keepdim, second(largest)) end
function array.argmin(x, dim, keepdim) return reduce(x, dim, keepdim, second(smallest)) end
function array.any(x, dim, keepdim)
  return reduce(x, dim, keepdim, function(list)
    for _, v in ipairs(list) do if bool(v) then return true end end
    return false
  end)
end
function array.all(x, dim, keepdim)
  return reduce(x, dim, keepdim, function(list)
    for _, v in ipairs(list) do if not bool(v) then return false end end
    return true
  end)
end

-- ---- shapes and selection ----
function array.transpose(x, a, b)
  local function swap(list)
    local out = copy(list)
    out[a], out[b] = out[b], out[a]
    return out
  end
  return new(swap(x.shape), function(index) return at(x, swap(index)) end)
end
function array.t(x) return #x.shape < 2 and x or array.transpose(x, 1, 2) end
function array.permute(x, dims)
  local shape = {}
  for i, d in ipairs(dims) do shape[i] = x.shape[d] end
  return new(shape, function(index)
    local from = {}
    for i, d in ipairs(dims) do from[d] = index[i] end
    return at(x, from)
  end)
end
function array.narrow(x, d, start, length)
  return new(with(x.shape, d, length), function(index) return at(x, with(index, d, index[d] + start - 1)) end)
end
function array.slice(x, d, from, to, step)
  step = step or 1
  return new(with(x.shape, d, (to - from) // step + 1), function(index)
    return at(x, with(index, d, from + (index[d] - 1) * step))
  end)
end
function array.flatten(x, from, to)
  local n, shape = #x.shape, {}
  from, to = from or 1, to and to > 0 and to or n
  if n == 0 then return { shape = { 1 }, list = x.list } end
  for d = 1, n do
    if d <= from or d > to then shape[#shape + 1] = x.shape[d] else shape[#shape] = shape[#shape] * x.shape[d] end
  end
  return { shape = shape, list = x.list }
end
function array.clone(x) return x end
array.contiguous, array.detach = array.clone, array.clone
function array.cat(list, d)
  d = d or 1
  local shape = with(list[1].shape, d, 0)
  for _, x in ipairs(list) do shape[d] = shape[d] + x.shape[d] end
  return new(shape, function(index)
    local i = index[d]
    for _, x in ipairs(list) do
      if i <= x.shape[d] then return at(x, with(index, d, i)) end
      i = i - x.shape[d]
    end
  end)
end
function array.stack(list, d)
  d = d and d < 0 and #list[1].shape + 2 + d or d or 1
  local shape = copy(list[1].shape)
  table.insert(shape, d, #list)
  return new(shape, function(index)
    local rest = copy(index)
    return at(list[table.remove(rest, d)], rest)
  end)
end
function array.index_select(x, d, index)
  return new(with(x.shape, d, #index.list), function(i)
    local id = index.list[i[d]]
    return at(x, with(i, d, id < 0 and x.shape[d] + 1 + id or id))
  end)
end
function array.gather(x, d, index)
  return new(index.shape, function(i) return at(x, with(i, d, at(index, i))) end)
end
function array.masked_fill(x, mask, value) return naive.map(scalar.where, mask, value, x) end

-- ---- products and networks ----
local function product(x, y, shape)
  return new(shape, function(index)
    local s, n = 0, #index
    for k = 1, x.shape[#x.shape] do
      s = s + at(x, with(index, n, k)) * at(y, with(index, n - 1, k))
    end
    return s
  end)
end
function array.mm(x, y) return product(x, y, { x.shape[1], y.shape[2] }) end
function array.bmm(x, y) return product(x, y, { x.shape[1], x.shape[2], y.shape[3] }) end
function array.mv(x, y)
  local z = array.mm(x, { shape = { #y.list, 1 }, list = y.list })
  return { shape = { z.shape[1] }, list = z.list }
end
function array.dot(x, y) return array.sum(naive.map(scalar.mul, x, y)) end
function array.addmm(x, a, b) return naive.map(scalar.add, x, array.mm(a, b)) end
function array.linear(x, w, b)
  local flat = { shape = { #x.list // x.shape[#x.shape], x.shape[#x.shape] }, list = x.list }
  local y = array.mm(flat, array.t(w))
  if b then y = naive.map(scalar.add, y, b) end
  return { shape = with(x.shape, #x.shape, w.shape[1]), list = y.list }
end
function array.softmax(x, d)
  local e = naive.map(math.exp, x)
  return naive.map(scalar.div, e, array.sum(e, d, true))
end
function array.log_softmax(x, d) return naive.map(math.log, array.softmax(x, d)) end
function array.mse_loss(x, y, reduction)
  local e = naive.map(function(a, b) return (a - b) ^ 2 end, x, y)
  return reduction == "none" and e or array[reduction or "mean"](e)
end

naive.new, naive.at, naive.with, naive.copy = new, at, with, copy
require "spec.support.naive_structured"(naive)
require "spec.support.naive_networks"(naive)
require "spec.support.naive_blocks"(naive)

return naive
