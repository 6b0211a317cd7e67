--- Element by element: other names of arithmetic, bounds, tests of numbers.

local core = require "pt.core"
local fail = require "pt.fail"

local define, made, alias, inplace = require "pt.define"()
local functions = made.functions
local where, divide = core.fn "where", core.fn "div"

-- ---- PyTorch's other names ----

for name, of in pairs {
  multiply = "mul", subtract = "sub", true_divide = "div", negative = "neg", absolute = "abs",
  greater = "gt", greater_equal = "ge", less = "lt", less_equal = "le", not_equal = "ne",
} do
  alias(name, of)
end

define("positive", "x:T", "x itself", function(x) return x end)
define("rsub", "x:T other:A", "other minus x", function(x, other) return other - x end)

local rounding = {
  floor = core.fn "floor_divide",
  trunc = function(a, b)
    local q = divide(a, b)
    local whole = where(q:lt(0), q:ceil(), q:floor())
    local natural = core.is_tensor(a) and a or b
    return natural:is_floating_point() and whole or whole:to_dtype(natural.dtype)
  end,
}

define("div", "x:T... y... options...", "x over y; rounding_mode is floor or trunc", function(a, b, options)
  if options == nil then return divide(a, b) end
  local mode = options
  if type(options) == "table" then mode = options.rounding_mode end
  if not rounding[mode] then fail("div: rounding_mode is floor or trunc, got %s", tostring(mode)) end
  return rounding[mode](a, b)
end)
made.methods.div = functions.div
alias("divide", "div")

-- ---- bounds ----

-- At a bound that is a number the gradient is 0; a tensor and x that are equal share it.
define("clamp_min", "x:T min:A", "the larger of x and min", function(x, min)
  return core.is_tensor(min) and x:maximum(min) or where(x:le(min), min, x)
end)
define("clamp_max", "x:T max:A", "the smaller of x and max", function(x, max)
  return core.is_tensor(max) and x:minimum(max) or where(x:ge(max), max, x)
end)

define("clamp", "x:T min:A? max:A?", "x held between min and max; one of them may be missing", function(x, min, max)
  if min == nil and max == nil then fail("clamp: takes min, max or both") end
  if type(min) == "number" and type(max) == "number" then return x:clamp_between(min, max) end
  if min ~= nil then x = functions.clamp_min(x, min) end
  return max ~= nil and functions.clamp_max(x, max) or x
end)
for _, name in ipairs { "clamp", "clamp_min", "clamp_max" } do inplace(name) end
alias("clip", "clamp")

-- ---- tests ----

define("isinf", "x:T", "whether elements are infinite", function(x) return x:abs():eq(math.huge) end)
define("isposinf", "x:T", "whether elements are infinity", function(x) return x:eq(math.huge) end)
define("isneginf", "x:T", "whether elements are minus infinity", function(x) return x:eq(-math.huge) end)
define("isfinite", "x:T", "whether elements are neither infinite nor NaN", function(x)
  return x:abs():lt(math.huge)
end)
define("isreal", "x:T", "whether elements are real numbers", function(x) return x:eq(x):logical_or(x:ne(x)) end)

define("isclose", "x:T y:T rtol:n=1e-05 atol:n=1e-08 equal_nan:b=false", "whether |x - y| <= atol + rtol * |y|",
  function(x, y, rtol, atol, equal_nan)
    if not x:is_floating_point() then x = x:to_dtype(core.get_default_dtype()) end
    local near = (x - y):abs():le(y:abs() * rtol + atol):logical_and(y:abs():lt(math.huge))
    local same = x:eq(y) -- infinities too
    if equal_nan then same = same:logical_or(x:isnan():logical_and(y:isnan())) end
    return near:logical_or(same)
  end)

define("allclose", "x:T y:T rtol:n=1e-05 atol:n=1e-08 equal_nan:b=false", "whether all elements are close: a boolean",
  function(...) return functions.isclose(...):all():item() end)

define("equal", "x:T y:T", "whether shapes and all elements are equal: true or false", function(x, y)
  return x.shape == y.shape and x:eq(y):all():item()
end)

-- ---- numbers ----

local largest = {
  float64 = 0x1.fffffffffffffp1023, float32 = 0x1.fffffep127, float16 = 65504.0, bfloat16 = 0x1.fep127,
}

define("nan_to_num", "x:T nan:n=0 posinf:n? neginf:n?", "NaN and infinities replaced, by 0 and the largest numbers",
  function(x, nan, posinf, neginf)
    if not x:is_floating_point() then return x:clone() end
    local most = largest[tostring(x.dtype)]
    local y = where(x:isnan(), nan, x)
    y = where(x:eq(math.huge), posinf or most, y)
    return where(x:eq(-math.huge), neginf or -most, y)
  end)
inplace "nan_to_num"

define("addcmul", "x:T a:T b:T value:n=1", "x plus value times a times b", function(x, a, b, value)
  return x + (value == 1 and a * b or a * b * value)
end)
define("addcdiv", "x:T a:T b:T value:n=1", "x plus value times a over b", function(x, a, b, value)
  return x + (value == 1 and a / b or a / b * value)
end)
inplace "addcmul"
inplace "addcdiv"

define("softmin", "x:T dim:i", "softmax of -x", function(x, dim) return (-x):softmax(dim) end)

return made
