--- Creation of tensors: sizes come as numbers or as a list, options in a last table.
--
--   pt.zeros(2, 3)    pt.zeros({2, 3}, {dtype = pt.int64, device = "cuda"})    pt.randn(3, {requires_grad = true})

local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"
local draws = require "pt.draw"
local under = require "pt.generator".under

local define, made, _, _, method = require "pt.define"()
local rows = define.fronts { "randperm", "random" } -- with options; random_ with bounds instead of kind, a, b
local sequence, permutation = core.fn "sequence", rows.randperm
local draw, like_pytorch = draws.fill, draws.like_pytorch

---@class pt.TensorOptions
---@field dtype? pt.Dtype
---@field device? string
---@field requires_grad? boolean
---@field generator? pt.Generator of functions that draw random numbers

-- ---- arguments ----

-- Of signatures: what every creator takes after its own arguments.
local OPTIONS = " dtype:y? device:v? requires_grad:b=false"
local DRAWN = OPTIONS .. " generator:a?"

local function with_grad(x, requires_grad)
  return requires_grad and x:requires_grad_() or x
end

-- An empty tensor; what is not given is taken from `like`.
local function blank(name, sizes, dtype, device, like)
  return core.empty(sizes, dtype or like and like.dtype, device or like and like.device, name)
end

local function type_of(value)
  if type(value) == "boolean" then return core.dtypes.bool end
  return math.type(value) == "integer" and core.dtypes.int64 or core.get_default_dtype()
end

-- ---- one value everywhere: pt.zeros, pt.zeros_like(x), x:new_zeros(...) ----

-- Random numbers for x; for both parts of complex numbers, of variance 1 together.
local function random(g, x, kind, a, b)
  if not x.dtype.is_complex then return draw(g, x, kind, a, b) end
  local parts = x:view_as_real()
  local drawn = draw(g, parts, kind, a, kind == "normal" and b * 0.5 ^ 0.5 or b)
  return rawequal(drawn, parts) and x or drawn:view_as_complex()
end

-- Each fills an empty tensor. A third entry: the core makes such tensors by itself, of these values.
local fillers = {
  empty = { "uninitialised elements", function(x) return x end, {} },
  zeros = { "zeros", function(x) return x:zero_() end, { 0 } },
  ones = { "ones", function(x) return x:fill_(1) end, { 1 } },
  rand = { "random numbers, uniform in [0, 1)", function(x, g) return random(g, x, "uniform", 0, 1) end },
  randn = {
    "random numbers of the standard normal distribution", function(x, g) return random(g, x, "normal", 0, 1) end,
  },
}

for name, entry in pairs(fillers) do
  local help, fill = entry[1], entry[2]
  local like, new = name .. "_like", "new_" .. name
  define(name, "size:I*" .. DRAWN, "a tensor of " .. help, function(size, dtype, device, requires_grad, g)
    return with_grad(fill(blank(name, size, dtype, device), g), requires_grad)
  end, entry[3] and function(fn) return core.creator(entry[3][1], fn) end)
  define(like, "x:T" .. DRAWN, help .. " in the shape of x", function(x, dtype, device, requires_grad, g)
    return with_grad(fill(draws.blank_like(g, x, dtype, device), g), requires_grad)
  end)
  method(new, "x:T size:I*" .. DRAWN, help .. " with the dtype and device of x",
    function(x, size, dtype, device, requires_grad, g)
      return with_grad(fill(blank(new, size, dtype, device, x), g), requires_grad)
    end)
end

-- One value everywhere.
local function full(name, size, value, dtype, device, requires_grad, like)
  if type(size) == "number" then size = { size } end
  if core.is_tensor(value) and value:numel() ~= 1 then
    fail("%s: fill_value must be a number or a tensor of one element, got a tensor %s", name, tostring(value.shape))
  end
  local own = core.is_tensor(value) and value.dtype or type_of(value)
  return with_grad(blank(name, size, dtype or like and like.dtype or own, device, like):fill_(value), requires_grad)
end

define("full", "size:S fill_value:A" .. OPTIONS, "a tensor of one value: pt.full({2, 3}, 7)",
  function(size, ...) return full("full", size, ...) end)

define("full_like", "x:T fill_value:A" .. OPTIONS, "one value in the shape of x",
  function(x, value, dtype, device, requires_grad)
    return full("full_like", x.shape, value, dtype, device, requires_grad, x)
  end)

method("new_full", "x:T size:S fill_value:A" .. OPTIONS, "a value everywhere, with the dtype and device of x",
  function(x, size, value, dtype, device, requires_grad)
    return full("new_full", size, value, dtype, device, requires_grad, x)
  end)

-- ---- given values ----

define("tensor", "data:a" .. OPTIONS, "a number, a nested list or another tensor, copied",
  function(data, dtype, device, requires_grad)
    if type(data) == "table" and not core.is_tensor(data) and #data == 0 and next(data) ~= nil then
      local module = signature.module_name(data)
      fail("tensor: %s", module and "called with ':'; write " .. module .. ".tensor(...)"
        or "data must be a number, a list or a tensor, got a table without entries 1, 2, ...")
    end
    return with_grad(core.tensor(data, dtype, device), requires_grad)
  end)

-- A tensor of data, which is the tensor given where nothing about it changes.
local function as_tensor(data, dtype, device)
  if not core.is_tensor(data) then return made.functions.tensor(data, { dtype = dtype, device = device }) end
  if dtype and data.dtype ~= dtype then data = data:to_dtype(dtype) end
  return device and data.device ~= device and data:to_device(device) or data
end

define("as_tensor", "data:a dtype:y? device:v?",
  "a number or nested list as a tensor; a tensor stays what it is, but for another dtype or device", as_tensor)

define("asarray", "data:a dtype:y? device:v? copy:b? requires_grad:b=false",
  "as_tensor without the history; copy: always another tensor (true), never (false)",
  function(data, dtype, device, copy, requires_grad)
    local given = core.is_tensor(data) and data
    local x = as_tensor(given and given:detach() or data, dtype, device)
    local shares = given and x:data_ptr() == given:data_ptr()
    if copy == false and not shares then
      fail("asarray: copy is false, but %s", given and "another dtype or device needs one" or "a list is always copied")
    end
    if copy and shares then x = x:clone() end
    return with_grad(x, requires_grad)
  end)

define("scalar_tensor", "s:A" .. OPTIONS, "a number as a tensor without dims, floating unless dtype says otherwise",
  function(s, dtype, device, requires_grad)
    if core.is_tensor(s) then s = s:item() end
    return with_grad(core.tensor(s, dtype or core.get_default_dtype(), device), requires_grad)
  end)

define("empty_strided", "size:I stride:I" .. OPTIONS, "uninitialised elements with these steps in memory",
  function(size, stride, dtype, device, requires_grad)
    if #size ~= #stride then fail("empty_strided: %d sizes, but %d strides", #size, #stride) end
    local last, empty = 1, false
    for d, n in ipairs(size) do
      if n < 0 or stride[d] < 0 then
        fail("empty_strided: size %d and stride %d of dim %d must not be negative", n, stride[d], d)
      end
      last, empty = last + (n - 1) * stride[d], empty or n == 0
    end
    local x = blank("empty_strided", { empty and 0 or last }, dtype, device)
    return with_grad(x:as_strided(size, stride), requires_grad)
  end)

method("new_tensor", "x:T data:a" .. OPTIONS, "a number or nested list, with the dtype and device of x",
  function(x, data, dtype, device, requires_grad)
    return with_grad(core.tensor(data, dtype or x.dtype, device or x.device), requires_grad)
  end)

define("eye", "n:i m:i?" .. OPTIONS, "ones on the diagonal of an n by m matrix, zeros elsewhere",
  function(n, m, dtype, device, requires_grad)
    m = m or n
    local x = blank("eye", { n, m }, dtype, device):zero_()
    if x:numel() > 0 then x:as_strided({ math.min(n, m) }, { m + 1 }):fill_(1) end
    return with_grad(x, requires_grad)
  end)

-- ---- ranges ----

local function finite(name, numbers)
  for word, v in pairs(numbers) do
    if v ~= v or v == math.huge or v == -math.huge then fail("%s: %s is %s", name, word, v) end
  end
end

-- Whether all three are integers; and the dtype of their range, where none is given.
local function range_kind(name, first, last, step, dtype)
  finite(name, { start = first, stop = last, step = step })
  if step == 0 then fail("%s: step is 0", name) end
  local whole = math.type(first) == "integer" and math.type(last) == "integer" and math.type(step) == "integer"
  return whole, dtype or whole and core.dtypes.int64 or core.get_default_dtype()
end

-- n numbers from first in steps of step, which are cut to integers where the dtype is one of integers.
local function counted(name, n, first, step, dtype, device, requires_grad)
  if not dtype.is_floating_point then
    first, step = math.tointeger(first - math.fmod(first, 1)), math.tointeger(step - math.fmod(step, 1))
    if not (first and step) then fail("%s: start and step must lie within int64", name) end
  end
  return with_grad(sequence(n, first, step, dtype, device or core.get_default_device()), requires_grad)
end

--- As PyTorch's: values from start (0) up to the end, which is excluded. For positions there is `range`.
define("arange", "start:n stop:n? step:n=1" .. OPTIONS,
  "start (0) up to stop, which is not among them, in steps of step: arange(5) is 0 to 4; arange(0, 1, 0.25)",
  function(first, last, step, dtype, device, requires_grad)
    if not last then first, last = 0, first end
    local whole
    whole, dtype = range_kind("arange", first, last, step, dtype)
    if (last - first) * (step > 0 and 1 or -1) < 0 then
      fail("arange: start %s, stop %s and step %s: the step leads away from stop", first, last, step)
    end
    local n = whole and (last - first + step - (step > 0 and 1 or -1)) // step or math.ceil((last - first) / step)
    return counted("arange", n, first, step, dtype, device, requires_grad)
  end)

--- As Lua's `for` counts, which is how positions count: pt.range(1, n) is every position of n entries.
define("range", "start:n stop:n? step:n=1" .. OPTIONS,
  "start to stop, both included, as Lua's for: range(1, n) are the positions of n entries; range(1, 0) is empty",
  function(first, last, step, dtype, device, requires_grad)
    if not last then
      fail("range: stop is missing: pt.range(1, %s) are positions, pt.arange(%s) counts from 0", first, first)
    end
    local whole
    whole, dtype = range_kind("range", first, last, step, dtype)
    local n = whole and (last - first) // step + 1 or math.floor((last - first) / step + 1e-9) + 1 -- despite rounding
    return counted("range", math.max(0, n), first, step, dtype, device, requires_grad)
  end)

-- A number, or the number in a tensor of one element.
local function number_of(v) return core.is_tensor(v) and v:item() or v end

local function truncated(v) return math.tointeger(v < 0 and math.ceil(v) or math.floor(v)) or v end

local function is_whole(dtype) return not dtype.is_floating_point and not dtype.is_complex end

-- `steps` numbers from a to b as floats: counted from the nearer end, so that they are symmetric and both ends exact.
-- What becomes integers is computed in float64 from whole ends.
local function evenly(name, a, b, steps, dtype, device)
  a, b = number_of(a), number_of(b)
  finite(name, { start = a, ["end"] = b })
  if steps < 0 then fail("%s: steps is %d, but must be 0 or more", name, steps) end
  if dtype.is_complex then dtype = dtype == core.dtypes.complex64 and core.dtypes.float32 or core.dtypes.float64 end
  if is_whole(dtype) then a, b, dtype = truncated(a), truncated(b), core.dtypes.float64 end
  device = device or core.get_default_device()
  local step = steps > 1 and (b - a) / (steps - 1) or 0
  local x = sequence(steps, a, step, dtype, device)
  if steps < 2 then return x end
  local rest = steps - steps // 2
  x:narrow(1, steps // 2 + 1, rest):copy_(sequence(rest, b - (rest - 1) * step, step, dtype, device))
  x:narrow(1, steps, 1):fill_(b)
  return x
end

define("linspace", "start:N stop:N steps:i" .. OPTIONS, "steps numbers from start to stop, evenly spaced",
  function(first, last, steps, dtype, device, requires_grad)
    dtype = core.dtypes[dtype] or dtype or core.get_default_dtype()
    local x = evenly("linspace", first, last, steps, dtype, device)
    return with_grad(x.dtype == dtype and x or x:to_dtype(dtype), requires_grad)
  end)

define("logspace", "start:N stop:N steps:i base:n=10" .. OPTIONS, "base (10) to evenly spaced powers",
  function(first, last, steps, base, dtype, device, requires_grad)
    dtype = core.dtypes[dtype] or dtype or core.get_default_dtype()
    local powers = evenly("logspace", first, last, steps, is_whole(dtype) and dtype or core.dtypes.float64, device)
    local x = core.tensor(base + 0.0, core.dtypes.float64, device):pow(powers)
    return with_grad(x:to_dtype(dtype), requires_grad)
  end)

-- ---- windows ----

-- shape(t) of n points t in turns from 0 to 1: one period, or symmetric where `periodic` is false.
local function window(name, n, periodic, shape, dtype, device, requires_grad)
  if n < 2 then return with_grad(blank(name, { n }, dtype, device):fill_(1), requires_grad) end
  local steps = periodic and n or n - 1
  local x = shape(sequence(n, 0.0, 1 / steps, core.dtypes.float64, device or core.get_default_device()))
  return with_grad(x:to_dtype(dtype or core.get_default_dtype()), requires_grad)
end

local function cosine(t, turns) return (t * (2 * math.pi * turns)):cos() end

for name, entry in pairs {
  hann = { "a raised cosine of window_length points", function(t) return 0.5 - 0.5 * cosine(t, 1) end },
  bartlett = { "a triangle of window_length points", function(t) return 1 - (t * 2 - 1):abs() end },
  blackman = {
    "two cosines of window_length points, flat at the ends",
    function(t) return 0.42 - 0.5 * cosine(t, 1) + 0.08 * cosine(t, 2) end,
  },
} do
  name = name .. "_window"
  define(name, "window_length:i periodic:b=true" .. OPTIONS, entry[1],
    function(n, periodic, ...) return window(name, n, periodic, entry[2], ...) end)
end

define("hamming_window", "window_length:i periodic:b=true alpha:n=0.54 beta:n=0.46" .. OPTIONS,
  "a raised cosine of window_length points that does not reach 0: alpha - beta cos",
  function(n, periodic, alpha, beta, ...)
    return window("hamming_window", n, periodic, function(t) return alpha - beta * cosine(t, 1) end, ...)
  end)

define("kaiser_window", "window_length:i periodic:b=true beta:n=12" .. OPTIONS,
  "a window of window_length points that concentrates its spectrum, the more the larger beta",
  function(n, periodic, beta, ...)
    local function shape(t)
      local bow = (1 - (t * 2 - 1):square()):clamp_min(0):sqrt() * beta
      return bow:i0() / core.tensor(beta + 0.0, core.dtypes.float64, t.device):i0()
    end
    return window("kaiser_window", n, periodic, shape, ...)
  end)

-- ---- random numbers ----

-- Bounds of (high) or (low, high); high is excluded.
local function bounds(name, low, high)
  if high == nil then low, high = 0, low end
  if low >= high then fail("%s: low %d and high %d (which is excluded): no number lies between", name, low, high) end
  return low, high
end

local randint = signature("randint", "low:i high:i size:I*" .. DRAWN .. " -> result:T",
  function(_, low, high, size, dtype, device, requires_grad, g)
    low, high = bounds("randint", low, high)
    local x = core.empty(size, dtype or core.dtypes.int64, device, "randint")
    return with_grad(draw(g, x, "int", low, high), requires_grad)
  end)

--- Without low the size is a list: randint(6, {3}).
define("randint", "low... high... size... options...",
  "random integers from low (0) up to high, which is never drawn: randint(6, {3}), randint(1, 7, {3})",
  function(low, high, ...)
    if type(high) == "table" and high.high == nil then return randint(nil, 0, low, high, ...) end
    return randint(nil, low, high, ...)
  end)

define("randint_like", "x:T low:i? high:i?" .. DRAWN,
  "random integers from low (0) up to high, which is never drawn, in the shape of x",
  function(x, low, high, dtype, device, requires_grad, g)
    if not low then low = 0
    elseif not high then low, high = 0, low end
    if not high then fail("randint_like: high is missing, an integer") end
    low, high = bounds("randint_like", low, high)
    return with_grad(draw(g, draws.blank_like(g, x, dtype, device), "int", low, high), requires_grad)
  end)

define("randperm", "n:i" .. DRAWN, "the positions 1 to n in random order",
  function(n, dtype, device, requires_grad, g)
    local x = draws.made(function() return under("randperm", g, permutation, n) end)
    if dtype then x = x:to_dtype(dtype) end
    if device then x = x:to_device(device) end
    return with_grad(x, requires_grad)
  end)

local function spread_of(name, std)
  if std < 0 or std ~= std then fail("%s: std is %s, but must be 0 or more", name, std) end
end

define("normal", "mean:N std:N=1 size:S?" .. DRAWN,
  "random numbers of a normal distribution; mean and std are numbers (with a size) or tensors",
  function(mean, std, size, dtype, device, requires_grad, g)
    local like = core.is_tensor(mean) and mean or core.is_tensor(std) and std
    if like then return draw(g, made.functions.empty_like(mean + 0 * std), "normal", 0, 1) * std + mean end
    spread_of("normal", std)
    local x = blank("normal", type(size) == "number" and { size } or size or {}, dtype, device)
    return with_grad(draw(g, x, "normal", mean, std), requires_grad)
  end)

-- An op in place that draws: its last argument is a generator.
local function drawing(name, sig, help, fn)
  local edits = name:sub(-1) == "_"
  return define(name, sig .. " generator:a?", help, function(x, ...)
    if edits then draws.before_edit(name, x) end
    return (fn(x, ...))
  end)
end

drawing("uniform_", "x:T from:n=0 to:n=1", "random numbers, uniform in [from, to)", function(x, from, to, g)
  return draw(g, x, "uniform", from, to)
end)

drawing("normal_", "x:T mean:n=0 std:n=1", "random numbers of a normal distribution", function(x, mean, std, g)
  spread_of("normal_", std)
  if x.dtype.is_complex and mean ~= 0 then return random(g, x, "normal", 0, std):add_(mean) end
  return random(g, x, "normal", mean, std)
end)

--- A tensor of zeros and ones, where x holds the probabilities of ones.
drawing("bernoulli", "x:T p:n?", "1 with probability x, or p where it is given, else 0", function(x, p, g)
  if p then
    if not (p >= 0 and p <= 1) then fail("bernoulli: p is %s, but must lie between 0 and 1", p) end
    return draw(g, made.functions.empty_like(x), "bernoulli", p, 0)
  end
  if type(x) == "userdata" and x:numel() > 0 and not x:ge(0):logical_and(x:le(1)):all():item() then
    fail("bernoulli: x holds a value that is no probability from 0 to 1")
  end
  if like_pytorch(g) then return draws.each(g, "bernoulli", x) end
  return draw(g, made.functions.empty_like(x), "uniform", 0, 1):lt(x):to_dtype(x.dtype)
end)

drawing("bernoulli_", "x:T p:N=0.5", "1 with probability p (a number, or a tensor of them), else 0", function(x, p, g)
  if not core.is_tensor(p) then
    if not (p >= 0 and p <= 1) then fail("bernoulli_: p is %s, but must lie between 0 and 1", p) end
    return draw(g, x, "bernoulli", p, 0)
  end
  return x:copy_(made.functions.bernoulli(p:expand(x.shape), nil, g))
end)

drawing("exponential_", "x:T lambd:n=1", "random numbers of an exponential distribution", function(x, lambd, g)
  return draw(g, x, "exponential", lambd, 0)
end)

drawing("random_", "x:T from:i? to:i?",
  "random integers from from (0) up to to, which is never drawn; without bounds, all that the dtype holds exactly",
  function(x, from, to, g)
    if not from then
      if like_pytorch(g) then return draw(g, x, "int_any", 0, 0) end
      local bits = { float32 = 24, float16 = 11, bfloat16 = 8, bool = 1, uint8 = 8, int8 = 7, int16 = 15, int32 = 31 }
      return draw(g, x, "int", 0, 1 << (bits[tostring(x.dtype)] or 53))
    end
    from, to = bounds("random_", from, to)
    return draw(g, x, "int", from, to)
  end)

drawing("log_normal_", "x:T mean:n=1 std:n=2", "random numbers whose logarithms are normal", function(x, mean, std, g)
  if like_pytorch(g) then return draw(g, x, "log_normal", mean, std) end
  return draw(g, x, "normal", mean, std):exp_()
end)

drawing("cauchy_", "x:T median:n=0 sigma:n=1", "random numbers of a Cauchy distribution", function(x, median, sigma, g)
  if like_pytorch(g) then return draw(g, x, "cauchy", median, sigma) end
  return x:copy_(((draw(g, x, "uniform", 0, 1) - 0.5) * math.pi):tan() * sigma + median)
end)

-- Uniform numbers in float64 in the shape of x.
local function uniform(g, x) return draw(g, core.empty(x.shape, core.dtypes.float64, x.device), "uniform", 0, 1) end

drawing("geometric_", "x:T p:n", "random counts of trials up to the first success", function(x, p, g)
  if not (p > 0 and p < 1) then fail("geometric_: p is %s, but must lie between 0 and 1", p) end
  if like_pytorch(g) then return draw(g, x, "geometric", p, 0) end
  return x:copy_(((1 - uniform(g, x)):log() / math.log(1 - p)):ceil():maximum(1))
end)

-- Ids of PyTorch's generator: float64 numbers looked up among the sums of each row, of which the last is 1.
local function ids_of_pytorch(g, weights, at)
  local half = weights.dtype == core.dtypes.float16 or weights.dtype == core.dtypes.bfloat16
  local sums = (half and weights:to_dtype(core.dtypes.float32) or weights):cumsum(-1)
  sums = sums / sums:narrow(-1, -1, 1)
  return sums:to_dtype(core.dtypes.float64):searchsorted(draw(g, at, "uniform", 0, 1))
end

drawing("multinomial", "x:T num_samples:i replacement:b=false",
  "num_samples ids drawn from each row of weights x", function(x, n, replacement, g)
    if x.ndim < 1 or x.ndim > 2 then fail("multinomial: x %s must have 1 or 2 dims", tostring(x.shape)) end
    local weights = x:detach()
    if n < 1 then fail("multinomial: num_samples is %d", n) end
    local plain = type(x) == "userdata" -- a sample within vmap tells no values
    if plain and (weights:lt(0):any():item() or weights:isfinite():logical_not():any():item()
        or weights:sum(-1):le(0):any():item()) then
      fail("multinomial: weights must not be negative, infinite or NaN, and not all zero")
    end
    if replacement then
      local size = x.ndim == 2 and { x:size(1), n } or { n }
      if like_pytorch(g) then return ids_of_pytorch(g, weights, core.empty(size, core.dtypes.float64, x.device)) end
      local sums = weights:cumsum(-1)
      local total = sums:narrow(-1, -1, 1)
      local at = core.empty(size, sums.dtype, x.device)
      return sums:searchsorted(draw(g, at, "uniform", 0, 1) * total, true):minimum(x:size(-1))
    end
    if n > x:size(-1) or plain and weights:gt(0):sum(-1):lt(n):any():item() then
      fail("multinomial: %d draws without replacement, but fewer weights above 0", n)
    end
    local race = draw(g, made.functions.empty_like(weights), "exponential", 1, 0) -- the shortest time to wait wins
    local _, ids = (weights / race):topk(n)
    return ids
  end)

-- ---- classes ----

define("one_hot", "x:T num_classes:i=-1", "a 1 at the class ids of x in a new last dim of zeros", function(x, classes)
  if x.dtype ~= core.dtypes.int64 then fail("one_hot: x is %s, but class ids are int64", tostring(x.dtype)) end
  local least = x:numel() > 0 and x:min():item() or 1
  if least < 1 then fail("one_hot: class ids count from 1, but x holds %d", least) end
  if classes == -1 then classes = x:numel() > 0 and x:max():item() or 0 end
  local sizes = { table.unpack(x.shape) }
  sizes[#sizes + 1] = classes
  return core.empty(sizes, core.dtypes.int64, x.device):zero_():scatter_(-1, x:unsqueeze(-1), 1)
end)

return made
