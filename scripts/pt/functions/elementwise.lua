--- Element by element: other names of arithmetic, bounds, tests of numbers.

local core = require "pt.core"
local fail = require "pt.fail"
local signature = require "pt.signature"

local define, made, alias, inplace, method = require "pt.define"()
local functions = made.functions
-- with alpha, rounding_mode, decimals, value; lerp with names for its operands, polygamma as a method of x
local rows = define.fronts { "add", "sub", "div", "round", "addcmul", "addcdiv", "lerp", "polygamma" }
local where, divide, round = core.fn "where", rows.div, rows.round
local result_type = require "pt.functions.convert".functions.result_type

-- ---- PyTorch's other names ----

for name, of in pairs {
  multiply = "mul", subtract = "sub", true_divide = "div", negative = "neg", absolute = "abs",
  greater = "gt", greater_equal = "ge", less = "lt", less_equal = "le", not_equal = "ne", sgn = "sign", fix = "trunc",
  arccos = "acos", arccosh = "acosh", arcsin = "asin", arcsinh = "asinh", arctan = "atan", arctan2 = "atan2",
  arctanh = "atanh",
} do
  alias(name, of)
end

-- The functional form checks its arguments.
for name in pairs(define.fronts { "celu" }) do
  define(name, "x:T alpha:n=1", "x above 0, alpha (exp(x / alpha) - 1) below",
    function(x, alpha) return (require "pt.nn.functional"[name](x, alpha)) end)
end

define("positive", "x:T", "x itself", function(x) return x end)

-- Two operands and nothing else never come here (core.front). Options are told from an operand that stands for a
-- tensor.
local function read(plain, with_options, x, y, ...)
  if ... == nil and type(y) == "table" and getmetatable(y) ~= nil then return plain(x, y) end
  return (with_options(nil, x, y, ...))
end

local rounding = {
  floor = core.fn "floor_divide",
  trunc = function(a, b)
    local dtype = result_type(a, b)
    if dtype.is_floating_point or dtype == core.dtypes.bool then return divide(a, b):trunc() end
    if not core.is_tensor(a) then a = core.tensor(a, dtype) end
    return (a - a:fmod(b)):floor_divide(b)
  end,
}

local function rounded(name, a, b, mode)
  if not rounding[mode] then fail("%s: rounding_mode is floor or trunc, got '%s'", name, mode) end
  return rounding[mode](a, b)
end

local divide_rounded = signature("div", "x:A y:A rounding_mode:s? -> result:T", function(_, a, b, mode)
  if mode == nil then return divide(a, b) end
  return rounded("div", a, b, mode)
end)

define("div", "x:T... y... options...", "x over y; rounding_mode is floor or trunc",
  core.front("div", function(...) return (read(divide, divide_rounded, ...)) end))

local divide_into = rows.div_
local divide_rounded_into = signature("div_", "x:T y:A rounding_mode:s?", function(_, a, b, mode)
  if mode == nil then return divide_into(a, b) end
  return a:copy_(rounded("div_", core.grad_enabled() and a.requires_grad and a:clone() or a, b, mode))
end)

define("div_", "x:T... y... options...", "x over y, in place; rounding_mode is floor or trunc",
  core.front("div_", function(...) return (read(divide_into, divide_rounded_into, ...)) end))
made.methods.div = functions.div
alias("divide", "div")

-- ---- arithmetic with a factor ----

--- x times alpha, a number or a tensor of one; only bools have true and false as a factor.
---@param name string of the function, for messages
---@param x pt.Tensor
---@param alpha number|boolean|pt.Tensor
---@return pt.Tensor
function made.times(name, x, alpha)
  if type(alpha) ~= "boolean" then return x * alpha end
  if x.dtype ~= core.dtypes.bool then
    fail("%s: alpha is %s, but a factor of %s must be a number", name, alpha, tostring(x.dtype))
  end
  return alpha and x or x:zero()
end

-- add and sub as PyTorch has them: other is multiplied by alpha first.
for name, sign in pairs { add = "plus", sub = "minus" } do
  for _, suffix in ipairs { "", "_" } do
    local plain = rows[name .. suffix]
    local text = "x:A other:A alpha:A=1" .. (suffix == "" and " -> result:T" or "")
    local with_alpha = signature(name .. suffix, text, function(_, x, other, alpha)
      if alpha == 1 or not core.is_tensor(other) then
        if type(other) == "boolean" then fail("%s%s: other is %s, but alpha wants a number", name, suffix, other) end
        if type(alpha) == "boolean" then fail("%s%s: alpha is %s, but must be a number", name, suffix, alpha) end
        return plain(x, alpha == 1 and other or other * alpha)
      end
      local dtype = result_type(x, other)
      other = made.times(name .. suffix, other:to_dtype(dtype), alpha)
      return plain(x, dtype == core.dtypes.bool and other:to_dtype(dtype) or other)
    end)
    local fn = define(name .. suffix, "x:A... other:A... options...", "x " .. sign .. " alpha (1) times other",
      core.front(name .. suffix, function(...) return (read(plain, with_alpha, ...)) end))
    made.methods[name .. suffix] = fn
  end
end
alias("subtract", "sub")

define("rsub", "x:T other:A alpha:A=1", "other minus alpha (1) times x", function(x, other, alpha)
  if alpha ~= 1 then x = made.times("rsub", x, alpha) end
  return other - x
end)

for _, suffix in ipairs { "", "_" } do
  local name = "lerp" .. suffix
  define(name, "x:T end:A weight:A", "x plus weight times (end - x)",
    function(x, last, weight) return (rows[name](x, last, weight)) end)
end

-- The order comes first, as in mathematics; x comes first where it is a method.
define("polygamma", "n:A x:T", "the n-th derivative of digamma at x",
  function(n, x) return (rows.polygamma(n, x)) end)
method("polygamma", "x:T n:A", "the n-th derivative of digamma at x",
  function(x, n) return (rows.polygamma(n, x)) end)
inplace "polygamma"

-- ---- bits ----

define("bitwise_not", "x:T", "the other bits; of a bool, the other value", function(x)
  if x:is_floating_point() then fail("bitwise_not: %s tensors are not supported", tostring(x.dtype)) end
  return x.dtype == core.dtypes.bool and x:logical_not() or x:bitwise_xor(-1)
end)
inplace "bitwise_not"

-- ---- powers of two and ten ----

define("float_power", "x:A exponent:A", "x to the power exponent in float64, or complex128", function(x, exponent)
  local function is_complex(v) return core.is_tensor(v) and v.dtype.is_complex end
  local dtype = (is_complex(x) or is_complex(exponent)) and core.dtypes.complex128 or core.dtypes.float64
  local function wide(v) return core.is_tensor(v) and v:to_dtype(dtype) or v end
  if not core.is_tensor(x) then
    if not core.is_tensor(exponent) then fail("float_power: x or exponent must be a tensor") end
    x = core.tensor(x, core.dtypes.float64, exponent.device)
  end
  return wide(x):pow(wide(exponent))
end)
made.methods.float_power = functions.float_power
inplace "float_power"

define("ldexp", "x:T other:A", "x times 2 to the power other", function(x, other)
  if type(other) == "boolean" then other = other and 1 or 0 end
  if not core.is_tensor(other) then return x * 2.0 ^ other end
  local dtype = result_type(x, other)
  local inexact = dtype.is_floating_point or dtype.is_complex
  return x * other:to_dtype(inexact and dtype or core.get_default_dtype()):exp2()
end)
inplace "ldexp"

define("frexp", "x:T", "mantissa and exponent: x is mantissa times 2 to the power exponent, 1/2 <= |mantissa| < 1",
  function(x) return x:frexp_mantissa(), x:frexp_exponent():to_dtype(core.dtypes.int32) end)

define("round", "x:T decimals:i=0", "the nearest number of so many decimals; halves go to the even one",
  function(x, decimals)
    if decimals == 0 then return round(x) end
    local scale = 10.0 ^ math.abs(math.max(decimals, -400))
    return decimals > 0 and round(x * scale) / scale or round(x / scale) * scale
  end)
inplace "round"

-- ---- activations ----

define("gelu", "x:T approximate:s=none", "x times the normal distribution function, or its approximation by tanh",
  function(x, approximate)
    if approximate == "none" then return x:gelu_erf() end
    return approximate == "tanh" and x:gelu_tanh() or fail("gelu: approximate is none or tanh, got %s", approximate)
  end)
inplace "gelu"

define("relu6", "x:T", "x held between 0 and 6", function(x) return x:hardtanh(0, 6) end)
inplace "relu6"

-- ---- tests in place: 1 where true, else 0, in the dtype of x ----

for _, name in ipairs {
  "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor", "logical_not",
} do
  inplace(name)
end

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

-- Integers have no infinities.
local function test(name, help, of_floats, of_others)
  define(name, "x:T", help, function(x)
    if x.dtype.is_floating_point then return of_floats(x) end
    return x:new_full(x.shape, of_others, { dtype = core.dtypes.bool })
  end)
end
test("isinf", "whether elements are infinite", function(x) return x:abs():eq(math.huge) end, false)
test("isposinf", "whether elements are infinity", function(x) return x:eq(math.huge) end, false)
test("isneginf", "whether elements are minus infinity", function(x) return x:eq(-math.huge) end, false)
test("isfinite", "whether elements are neither infinite nor NaN", function(x) return x:abs():lt(math.huge) end, true)
define("isreal", "x:T", "whether elements are real numbers: without an imaginary part", function(x)
  if x.dtype.is_complex then return x:imag():eq(0) end
  return x:new_full(x.shape, true, { dtype = core.dtypes.bool })
end)

define("isclose", "x:T y:T rtol:n=1e-05 atol:n=1e-08 equal_nan:b=false", "whether |x - y| <= atol + rtol * |y|",
  function(x, y, rtol, atol, equal_nan)
    if rtol < 0 then fail("isclose: rtol is %s, but must be 0 or more", rtol) end
    if atol < 0 then fail("isclose: atol is %s, but must be 0 or more", atol) end
    if not x:is_floating_point() then
      x, y = x:to_dtype(core.get_default_dtype()), y:to_dtype(core.get_default_dtype())
    end
    local near = (x - y):abs():le(y:abs() * rtol + atol):logical_and(y:abs():lt(math.huge))
    local same = x:eq(y) -- infinities too
    if equal_nan then same = same:logical_or(x:isnan():logical_and(y:isnan())) end
    return near:logical_or(same)
  end)

define("allclose", "x:T y:T rtol:n=1e-05 atol:n=1e-08 equal_nan:b=false", "whether all elements are close: a boolean",
  function(...) return (functions.isclose(...):all():item()) end)

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

-- The rows know nothing of value, which PyTorch multiplies the first of the two with.
for name, does in pairs { addcmul = "times", addcdiv = "over" } do
  for _, suffix in ipairs { "", "_" } do
    local row = rows[name .. suffix]
    define.widest(name .. suffix, "x:T a:T b:T value:n=1", "x plus value times a " .. does .. " b",
      function(x, a, b, value) return row(x, value == 1 and a or a * value, b) end)
  end
end

define.float32("softmin", "x:T dim:i", "softmax of -x", function(x, dim) return (-x):softmax(dim) end)

-- The incomplete gamma functions have no gradient for the first argument, as PyTorch's have none.
for name, fn in pairs(define.fronts { "igamma", "igammac" }) do
  local help = name:find "c" and "upper" or "lower"
  define(name, "a:T x:T", ("the regularized %s incomplete gamma function of a, %s x"):format(help,
    help == "lower" and "up to" or "from x on, 1 less igamma at"), function(a, x)
      if a.requires_grad and core.grad_enabled() then
        fail("%s: a has no gradient; call it on a:detach()", name)
      end
      return (fn(a, x))
    end)
end

define("mvlgamma", "x:T p:i", "log of the gamma function of p dims, which Wishart distributions have", function(x, p)
  if p < 1 then fail("mvlgamma: p is %d, but must be 1 or more", p) end
  local dtype = x:is_floating_point() and x.dtype or core.get_default_dtype()
  local halves = core.fn "sequence"(p, 0.0, -0.5, dtype, x.device)
  return (x:unsqueeze(-1) + halves):lgamma():sum(-1) + p * (p - 1) / 4 * math.log(math.pi)
end)
inplace "mvlgamma"

return made
