--- Tensors out of nothing: sizes come as numbers or as a list, options in a last table.
--
--   pt.zeros(2, 3)    pt.zeros({2, 3}, {dtype = pt.int64, device = "cuda"})    pt.randn(3, {requires_grad = true})

local core = require "pt.core"
local fail = require "pt.fail"
local nearest = require "pt.nearest"
local under = require "pt.generator".under

local define, made = require "pt.define"()
local sequence, permutation = core.fn "sequence", core.fn "randperm"
local fill_random = core.fn "random_" -- the twin of the table: fill_random(x, kind, a, b)

---@class pt.TensorOptions
---@field dtype? pt.Dtype
---@field device? string
---@field requires_grad? boolean
---@field generator? pt.Generator of functions that draw random numbers

-- ---- arguments ----

local known = { dtype = true, device = true, requires_grad = true, generator = true }

local function is_options(v)
  return type(v) == "table" and getmetatable(v) == nil and type(next(v)) ~= "number"
end

-- The options, checked; an empty table where there are none.
local function check(name, options)
  if options == nil then return {} end
  if not is_options(options) then fail("%s: options must be a table like {dtype = pt.float32}", name) end
  for key in pairs(options) do
    if not known[key] then
      local close = nearest(tostring(key), { "dtype", "device", "requires_grad" })
      fail("%s: unknown option '%s'; %s", name, key,
        close and ("did you mean '%s'?"):format(close) or "it takes dtype, device, requires_grad")
    end
  end
  local dtype = options.dtype
  if dtype and not core.dtypes[tostring(dtype)] then fail("%s: dtype must be one like pt.float32", name) end
  return options
end

-- Sizes and options of (2, 3, options?) or ({2, 3}, options?).
local function read(name, ...)
  local n, first = select("#", ...), ...
  if type(first) == "table" and (n > 1 or not is_options(first) or next(first) == nil) then
    if n > 2 then fail("%s: takes a list of sizes and options, got %d arguments", name, n) end
    return first, check(name, (select(2, ...)))
  end
  local sizes, options = { ... }, nil
  if n > 0 and type(sizes[n]) == "table" then
    sizes[n], options, n = nil, sizes[n], n - 1
  end
  for i = 1, n do
    if math.type(sizes[i]) == nil then fail("%s: size %d must be an integer, got a %s", name, i, type(sizes[i])) end
  end
  return sizes, check(name, options)
end

local function finish(x, options)
  return options.requires_grad and x:requires_grad_() or x
end

-- An empty tensor with what the options leave open taken from `like`.
local function blank(name, sizes, options, like)
  return core.empty(sizes, options.dtype or like and like.dtype, options.device or like and like.device, name)
end

-- x filled with numbers drawn from the generator g (nil: the thread's own).
local function draw(g, x, kind, a, b)
  if g then return under("random", g, fill_random, x, kind, a, b) end
  return fill_random(x, kind, a, b)
end

local function type_of(value)
  if type(value) == "boolean" then return core.dtypes.bool end
  return math.type(value) == "integer" and core.dtypes.int64 or core.get_default_dtype()
end

-- ---- one value everywhere: pt.zeros, pt.zeros_like(x), x:new_zeros(...) ----

-- Random numbers for x; for both parts of complex numbers, of variance 1 together.
local function random(g, x, kind, a, b)
  if not x.dtype.is_complex then return draw(g, x, kind, a, b) end
  draw(g, x:view_as_real(), kind, a, kind == "normal" and b * 0.5 ^ 0.5 or b)
  return x
end

-- Each fills an empty tensor.
local fillers = {
  empty = { "uninitialised elements", function(x) return x end },
  zeros = { "zeros", function(x) return x:zero_() end },
  ones = { "ones", function(x) return x:fill_(1) end },
  rand = { "random numbers, uniform in [0, 1)", function(x, g) return random(g, x, "uniform", 0, 1) end },
  randn = {
    "random numbers of the standard normal distribution", function(x, g) return random(g, x, "normal", 0, 1) end,
  },
}

for name, entry in pairs(fillers) do
  local help, fill = entry[1], entry[2]
  define(name, "size... options...", "a tensor of " .. help, function(...)
    local sizes, options = read(name, ...)
    return finish(fill(blank(name, sizes, options), options.generator), options)
  end)
  define(name .. "_like", "x:T options...", help .. " in the shape of x", function(x, options)
    options = check(name .. "_like", options)
    return finish(fill(blank(name .. "_like", x.shape, options, x), options.generator), options)
  end)
  made.methods["new_" .. name] = function(x, ...)
    local sizes, options = read("new_" .. name, ...)
    return finish(fill(blank("new_" .. name, sizes, options, x), options.generator), options)
  end
end

local function full(name, sizes, value, options, like)
  options = check(name, options)
  local list = type(sizes) == "number" and { sizes } or sizes
  if type(list) ~= "table" then fail("%s: sizes must be a list, got a %s", name, type(sizes)) end
  local dtype = options.dtype or like and like.dtype or type_of(value)
  return finish(core.empty(list, dtype, options.device or like and like.device, name):fill_(value), options)
end

define("full", "size... value options...", "a tensor of one value: pt.full({2, 3}, 7)", function(size, value, options)
  return full("full", size, value, options)
end)

define("full_like", "x:T value options...", "value in the shape of x", function(x, value, options)
  return full("full_like", x.shape, value, options, x)
end)

function made.methods.new_full(x, size, value, options) return full("new_full", size, value, options, x) end

-- ---- given values ----

define("tensor", "value... options...", "a number, a nested list or another tensor, copied", function(value, options)
  options = check("tensor", options)
  return finish(core.tensor(value, options.dtype, options.device), options)
end)

function made.methods.new_tensor(x, value, options)
  options = check("new_tensor", options)
  return finish(core.tensor(value, options.dtype or x.dtype, options.device or x.device), options)
end

define("eye", "n m... options...", "ones on the diagonal of an n by m matrix, zeros elsewhere", function(n, m, options)
  if type(m) == "table" then m, options = nil, m end
  m, options = m or n, check("eye", options)
  local x = blank("eye", { n, m }, options):zero_()
  if x:numel() > 0 then x:as_strided({ math.min(n, m) }, { m + 1 }):fill_(1) end
  return finish(x, options)
end)

-- ---- ranges ----

-- Numbers with the options that may follow them.
local function numbers(name, ...)
  local list = { ... }
  local options = check(name, type(list[#list]) == "table" and table.remove(list) or nil)
  for i, v in ipairs(list) do
    if type(v) ~= "number" then fail("%s: argument %d must be a number, got a %s", name, i, type(v)) end
    if v ~= v or v == math.huge or v == -math.huge then fail("%s: argument %d is %s", name, i, v) end
  end
  return list, options
end

-- The dtype of a range of these numbers.
local function range_dtype(list, options)
  if options.dtype then return core.dtypes[options.dtype] or options.dtype end
  for _, v in ipairs(list) do
    if math.type(v) ~= "integer" then return core.get_default_dtype() end
  end
  return core.dtypes.int64
end

local function truncated(v) return math.tointeger(v < 0 and math.ceil(v) or math.floor(v)) or v end

-- Start, end and step of a range, as integers where the dtype is one of integers; `default` is the start where one
-- number is given.
local function range_ends(name, default, dtype, list)
  if #list < 1 or #list > 3 then fail("%s: takes 1 to 3 numbers, got %d", name, #list) end
  local first, last, step = list[1], list[2], list[3] or 1
  if #list == 1 then first, last = default, list[1] end
  if not dtype.is_floating_point then first, last, step = truncated(first), truncated(last), truncated(step) end
  if step == 0 then fail("%s: step is 0", name) end
  return first, last, step
end

--- As PyTorch's: values from start (0) up to the end, which is not among them. For positions there is `range`.
define("arange", "start... end step... options...",
  "start (0) up to end, which is not among them, in steps of step: arange(5) is 0 to 4; arange(0, 1, 0.25)",
  function(...)
    local list, options = numbers("arange", ...)
    local dtype = range_dtype(list, options)
    local first, last, step = range_ends("arange", 0, dtype, list)
    if (last - first) * (step > 0 and 1 or -1) < 0 then
      fail("arange: start %s, end %s and step %s: the step leads away from the end", first, last, step)
    end
    local n
    if math.type(first) == "integer" and math.type(last) == "integer" and math.type(step) == "integer" then
      n = (last - first + step - (step > 0 and 1 or -1)) // step
    else
      n = math.ceil((last - first) / step)
    end
    return finish(sequence(n, first, step, dtype, options.device or "cpu"), options)
  end)

--- As Lua's `for` counts, which is how positions count: pt.range(1, n) is every position of n entries.
define("range", "first last step... options...",
  "first to last, both included, as Lua's for: range(1, n) are the positions of n entries; range(1, 0) is empty",
  function(...)
    local list, options = numbers("range", ...)
    if #list == 1 then
      fail("range: takes first and last: pt.range(1, %s), or pt.arange(%s) from 0", list[1], list[1])
    end
    local dtype = range_dtype(list, options)
    local first, last, step = range_ends("range", 1, dtype, list)
    local n = (last - first) // step + 1 -- exact where they are integers
    if dtype.is_floating_point then n = math.floor((last - first) / step + 1e-9) + 1 end -- in spite of rounding
    return finish(sequence(math.max(0, n), first, step, dtype, options.device or "cpu"), options)
  end)

-- `steps` numbers from a to b as floats.
local function evenly(name, a, b, steps, options)
  steps = math.tointeger(steps)
  if not steps or steps < 0 then fail("%s: steps must be an integer, 0 or more", name) end
  local dtype = options.dtype or core.get_default_dtype()
  local step = steps > 1 and (b - a) / (steps - 1) or 0
  local x = sequence(steps, a, step, dtype, options.device or "cpu")
  if steps > 1 then x:narrow(1, steps, 1):fill_(b) end -- exactly, in spite of rounding
  return x
end

define("linspace", "from to steps options...", "steps numbers from from to to, evenly spaced", function(...)
  local list, options = numbers("linspace", ...)
  if #list ~= 3 then fail("linspace: takes from, to and steps, got %d numbers", #list) end
  return finish(evenly("linspace", list[1], list[2], list[3], options), options)
end)

define("logspace", "from to steps base... options...", "base (10) to evenly spaced powers", function(...)
  local list, options = numbers("logspace", ...)
  if #list < 3 or #list > 4 then fail("logspace: takes from, to, steps and base, got %d numbers", #list) end
  local powers = evenly("logspace", list[1], list[2], list[3], { dtype = core.dtypes.float64, device = options.device })
  local x = core.tensor(list[4] or 10.0, core.dtypes.float64, options.device):pow(powers)
  return finish(x:to_dtype(options.dtype or core.get_default_dtype()), options)
end)

-- ---- windows ----

-- alpha - (1 - alpha) cos(2 pi i / n): one period, or symmetric where `periodic` is false.
local function window(name, n, periodic, alpha, options)
  if type(periodic) == "table" then periodic, options = nil, periodic end
  options = check(name, options)
  n = math.tointeger(n) or fail("%s: the length must be an integer", name)
  local dtype, turns = options.dtype or core.get_default_dtype(), periodic == false and n - 1 or n
  if n < 2 then return finish(blank(name, { n }, options):fill_(1), options) end
  local angles = sequence(n, 0.0, 2 * math.pi / turns, core.dtypes.float64, options.device or "cpu")
  return finish((alpha - (1 - alpha) * angles:cos()):to_dtype(dtype), options)
end

define("hann_window", "n periodic... options...", "a raised cosine of n points", function(n, periodic, options)
  return window("hann_window", n, periodic, 0.5, options)
end)

define("hamming_window", "n periodic... options...", "a raised cosine of n points that does not reach 0",
  function(n, periodic, options) return window("hamming_window", n, periodic, 0.54, options) end)

-- ---- random numbers ----

-- Bounds of (high) or (low, high); high is excluded.
local function bounds(name, low, high)
  if high == nil then low, high = 0, low end
  low, high = math.tointeger(low), math.tointeger(high)
  if not low or not high then fail("%s: low and high must be integers", name) end
  if low >= high then fail("%s: low %d and high %d (which is excluded): no number lies between", name, low, high) end
  return low, high
end

define("randint", "low... high size options...",
  "random integers from low (0) up to high, which is never drawn: randint(6, {3}), randint(1, 7, {3})",
  function(low, high, ...)
    local size, options = ...
    if type(high) == "table" then low, high, size, options = 0, low, high, size end
    low, high = bounds("randint", low, high)
    options = check("randint", options)
    local sizes = type(size) == "number" and { size } or size or {}
    local x = core.empty(sizes, options.dtype or core.dtypes.int64, options.device, "randint")
    return finish(draw(options.generator, x, "int", low, high), options)
  end)

define("randint_like", "x:T low... high options...",
  "random integers from low (0) up to high, which is never drawn, in the shape of x", function(x, low, high, options)
    if type(high) == "table" then high, options = nil, high end
    low, high = bounds("randint_like", low, high)
    options = check("randint_like", options)
    return finish(draw(options.generator, blank("randint_like", x.shape, options, x), "int", low, high), options)
  end)

define("randperm", "n options...", "the positions 1 to n in random order", function(n, options)
  options = check("randperm", options)
  local x = under("randperm", options.generator, permutation, n)
  if options.dtype then x = x:to_dtype(options.dtype) end
  if options.device then x = x:to_device(options.device) end
  return x
end)

define("normal", "mean std size... options...",
  "random numbers of a normal distribution; mean and std are numbers (with a size) or tensors",
  function(mean, std, size, options)
    local like = core.is_tensor(mean) and mean or core.is_tensor(std) and std
    if like and type(size) == "table" then size, options = nil, size end
    options = check("normal", options)
    local g = options.generator
    if like then return draw(g, made.functions.empty_like(mean + 0 * std), "normal", 0, 1) * std + mean end
    local x = blank("normal", type(size) == "number" and { size } or size or {}, options)
    return finish(draw(g, x, "normal", mean, std), options)
  end)

-- An op in place that draws: its last argument is a generator.
local function drawing(name, sig, help, fn) return define(name, sig .. " generator:a?", help, fn) end

drawing("uniform_", "x:T from:n=0 to:n=1", "random numbers, uniform in [from, to)", function(x, from, to, g)
  return draw(g, x, "uniform", from, to)
end)

drawing("normal_", "x:T mean:n=0 std:n=1", "random numbers of a normal distribution", function(x, mean, std, g)
  return draw(g, x, "normal", mean, std)
end)

--- A tensor of zeros and ones, where x holds the probabilities of ones.
drawing("bernoulli", "x:T", "1 with probability x, else 0", function(x, g)
  return draw(g, made.functions.empty_like(x), "uniform", 0, 1):lt(x):to_dtype(x.dtype)
end)

drawing("bernoulli_", "x:T p:A=0.5", "1 with probability p (a number, or a tensor of them), else 0", function(x, p, g)
  if not core.is_tensor(p) then return draw(g, x, "bernoulli", p, 0) end
  return x:copy_(made.functions.bernoulli(p:expand(x.shape), g))
end)

drawing("exponential_", "x:T rate:n=1", "random numbers of an exponential distribution", function(x, rate, g)
  return draw(g, x, "exponential", rate, 0)
end)

drawing("random_", "x:T from:i? to:i?",
  "random integers from from (0) up to to, which is never drawn; without bounds, all that the dtype holds exactly",
  function(x, from, to, g)
    if not from then
      local bits = { float32 = 24, float16 = 11, bfloat16 = 8, bool = 1, uint8 = 8, int8 = 7, int16 = 15, int32 = 31 }
      return draw(g, x, "int", 0, 1 << (bits[tostring(x.dtype)] or 53))
    end
    from, to = bounds("random_", from, to)
    return draw(g, x, "int", from, to)
  end)

drawing("log_normal_", "x:T mean:n=1 std:n=2", "random numbers whose logarithms are normal", function(x, mean, std, g)
  return draw(g, x, "normal", mean, std):exp_()
end)

drawing("cauchy_", "x:T median:n=0 sigma:n=1", "random numbers of a Cauchy distribution", function(x, median, sigma, g)
  return x:copy_(((draw(g, x, "uniform", 0, 1) - 0.5) * math.pi):tan() * sigma + median)
end)

-- Uniform numbers in float64 in the shape of x.
local function uniform(g, x) return draw(g, core.empty(x.shape, core.dtypes.float64, x.device), "uniform", 0, 1) end

drawing("geometric_", "x:T p:n", "random counts of trials up to the first success", function(x, p, g)
  if not (p > 0 and p < 1) then fail("geometric_: p is %s, but must lie between 0 and 1", p) end
  return x:copy_(((1 - uniform(g, x)):log() / math.log(1 - p)):ceil():maximum(1))
end)

drawing("multinomial", "x:T num_samples:i replacement:b=false",
  "num_samples ids drawn from each row of weights x", function(x, n, replacement, g)
    if x.ndim < 1 or x.ndim > 2 then fail("multinomial: x %s must have 1 or 2 dims", tostring(x.shape)) end
    local weights = x:detach()
    if n < 1 then fail("multinomial: num_samples is %d", n) end
    if weights:lt(0):any():item() or weights:isfinite():logical_not():any():item()
        or weights:sum(-1):le(0):any():item() then
      fail("multinomial: weights must not be negative, infinite or NaN, and not all zero")
    end
    if replacement then
      local sums = weights:cumsum(-1)
      local total = sums:narrow(-1, -1, 1)
      local at = core.empty(x.ndim == 2 and { x:size(1), n } or { n }, sums.dtype, x.device)
      return sums:searchsorted(draw(g, at, "uniform", 0, 1) * total, true):minimum(x:size(-1))
    end
    if n > x:size(-1) or weights:gt(0):sum(-1):lt(n):any():item() then
      fail("multinomial: %d draws without replacement, but fewer weights above 0", n)
    end
    local race = draw(g, made.functions.empty_like(weights), "exponential", 1, 0) -- the shortest time to wait wins
    local _, ids = (weights / race):topk(n)
    return ids
  end)

-- ---- classes ----

define("one_hot", "x:T num_classes:i=-1", "a 1 at the class ids of x in a new last dim of zeros", function(x, classes)
  local least = x:numel() > 0 and x:min():item() or 1
  if least < 1 then fail("one_hot: class ids count from 1, but x holds %d", least) end
  if classes == -1 then classes = x:numel() > 0 and x:max():item() or 0 end
  local sizes = { table.unpack(x.shape) }
  sizes[#sizes + 1] = classes
  return core.empty(sizes, core.dtypes.int64, x.device):zero_():scatter_(-1, x:unsqueeze(-1), 1)
end)

return made
