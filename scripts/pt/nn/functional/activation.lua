--- Activations: element by element, and along a dim.

local core = require "pt.core"
local dims = require "pt.dims"
local draws = require "pt.draw"
local fail = require "pt.fail"

local define, made = require "pt.define" "nn.functional"
local functions = made.functions
local prelu_each = core.fn "prelu_each"

-- ---- element by element: rows of the table, with PyTorch's `inplace` ----

local wanted = {}
for name in ([[
  relu silu mish selu elu celu leaky_relu hardtanh hardsigmoid hardswish threshold
]]):gmatch "%S+" do wanted[name] = true end

local twins = {}
for name in ("relu elu leaky_relu hardtanh selu celu threshold"):gmatch "%S+" do twins[name] = true end

-- What the rows themselves would take, by name.
local checks = {
  hardtanh = function(name, low, high)
    if low > high then fail("%s: min_val %s is above max_val %s", name, low, high) end
  end,
  celu = function(name, alpha)
    if alpha == 0 then fail("%s: alpha is 0, but x is divided by it", name) end
  end,
}

for _, op in ipairs(core.ops()) do
  if wanted[op.name] then
    local fn, twin, count = core.fn(op.name), core.functions[op.name .. "_"], select(2, op.sig:gsub("%S+", "")) - 1
    local check = checks[op.name] or function() end
    define(op.name, op.sig .. " inplace:b=false", op.help, function(x, ...)
      local args = { ... }
      local inplace = table.remove(args, count + 1)
      check(op.name, ...)
      return (inplace and twin or fn)(x, table.unpack(args, 1, count))
    end)
    if twins[op.name] then
      local name = op.name .. "_"
      functions[name] = define(name, op.sig, op.help .. ", written into x", function(x, ...)
        check(name, ...)
        return (twin(x, ...))
      end)
    end
  end
end
for name in ("tanh sigmoid softplus logsigmoid softsign tanhshrink hardshrink"):gmatch "%S+" do
  functions[name] = core.fn(name)
end

local softshrink = core.fn "softshrink"
define("softshrink", "x:T lambd:n=0.5", "x moved towards 0 by lambd, 0 where it would pass it", function(x, lambd)
  if lambd < 0 then fail("softshrink: lambd is %s, but must be 0 or more", lambd) end
  return softshrink(x, lambd)
end)

define("relu6", "x:T inplace:b=false", "x held between 0 and 6", function(x, inplace)
  return functions.hardtanh(x, 0, 6, inplace)
end)

-- x, or x times a slope below 0: drawn for each element while training, else the mean of the bounds.
local function rrelu(name, x, lower, upper, training, inplace)
  if lower > upper then fail("%s: lower %s is above upper %s", name, lower, upper) end
  if not training then
    local mean = (lower + upper) / 2
    if inplace then return (x:leaky_relu_(mean)) end
    return (x:leaky_relu(mean))
  end
  local slope = draws.blank_like(nil, x)
  if draws.like_pytorch() then -- float64 numbers for those below alone
    local below = x:detach():le(0)
    local drawn = core.empty({ below:sum():item() }, core.dtypes.float64, x.device):uniform_(lower, upper)
    slope:fill_(1):masked_scatter_(below, drawn:to(x.dtype))
  else
    slope:uniform_(lower, upper):masked_fill_(x:detach():gt(0), 1)
  end
  if inplace then return (x:mul_(slope)) end
  return x * slope
end

local RRELU = "x:T lower:n=0.125 upper:n=0.3333333333333333 training:b=false"
define("rrelu", RRELU .. " inplace:b=false",
  "x, below 0 times a slope: while training one from lower to upper for each element, else their mean",
  function(...) return rrelu("rrelu", ...) end)
functions.rrelu_ = define("rrelu_", RRELU, "rrelu written into x",
  function(x, lower, upper, training) return rrelu("rrelu_", x, lower, upper, training, true) end)

define("gelu", "x:T approximate:s=none", "x times the normal distribution's share below x; approximate: none or tanh",
  function(x, approximate)
    if approximate == "none" then return (x:gelu_erf()) end
    if approximate ~= "tanh" then fail("gelu: approximate is 'none' or 'tanh', got '%s'", approximate) end
    return (x:gelu_tanh())
  end)

define.lower("prelu", "x:T weight:T", "x, or weight times x below 0; one weight, or one for each channel (dim 2)",
  function(x, weight)
    local n, c = weight:numel(), x.ndim > 1 and x:size(2) or 1
    if weight.ndim > 1 or n ~= 1 and n ~= c then
      fail("prelu: weight %s, but x %s takes 1 number or %d, one for each channel", tostring(weight.shape),
        tostring(x.shape), c)
    end
    if weight.ndim == 1 then
      local view = {}
      for d = 1, x.ndim do view[d] = d == 2 and n or 1 end
      weight = weight:reshape(view)
    end
    return (prelu_each(x, weight))
  end)

-- ---- along a dim ----

define("glu", "x:T dim:i=-1", "the first half of dim times sigmoid of the second", function(x, dim)
  dim = dims.at("glu", dim, x.ndim)
  local n = x.ndim > 0 and x:size(dim) or 1
  if n % 2 == 1 then fail("glu: dim %d of x %s has %d entries, which is odd", dim, tostring(x.shape), n) end
  return x:narrow(dim, 1, n // 2) * x:narrow(dim, n // 2 + 1, n // 2):sigmoid()
end)

functions.softmax, functions.log_softmax = core.fn "softmax", core.fn "log_softmax"
define.float32("softmin", "x:T dim:i dtype:y?", "softmax of -x", function(x, dim, dtype)
  return functions.softmax(-x, dim, dtype)
end)

--- eps stands where PyTorch has it, which no longer reads it either.
define("gumbel_softmax", "x:T tau:n=1 hard:b=false eps:n=1e-10 dim:i=-1",
  "softmax of x / tau with Gumbel noise; hard: one-hot, with the gradient of the soft one",
  function(x, tau, hard, _, dim)
    if tau <= 0 then fail("gumbel_softmax: tau is %s, but must be positive", tau) end
    local noise = -(x:new_empty(x.shape):exponential_():log())
    local soft = ((x + noise) / tau):softmax(dim)
    if not hard then return soft end
    local fixed = soft:detach()
    local chosen = (fixed * 0):scatter(dim, fixed:argmax(dim, true), 1)
    return chosen + (soft - fixed)
  end)

return functions
