--- Dropout: elements, or whole channels, set to zero at random while training.

local core = require "pt.core"
local draws = require "pt.draw"
local fail = require "pt.fail"

local common = require "pt.nn.functional.common"

local define, made = require "pt.define" "nn.functional"

local function check(op, p)
  if not (p >= 0 and p <= 1) then fail("%s: p must be between 0 and 1, got %s", op, p) end
end

-- An empty tensor for the draws of x, of x's sizes or of others that broadcast: real where x is complex.
local function blank(op, x, shape)
  local dtype = x.dtype
  if dtype.is_complex then dtype = dtype == core.dtypes.complex64 and core.dtypes.float32 or core.dtypes.float64 end
  if not dtype.is_floating_point then
    fail("%s: x is %s, but must be floating or complex; convert it with :to()", op, tostring(dtype))
  end
  return shape and x:new_empty(shape, { dtype = dtype }) or draws.blank_like(nil, x, dtype)
end

-- v as float32, which the noise of smaller dtypes is computed in too.
local function rounded(dtype, v)
  return dtype == core.dtypes.float64 and v or string.unpack("f", string.pack("f", v))
end

-- x times random zeros and 1 / (1 - p), of x's sizes or of `shape`.
local function drop(op, x, p, shape, inplace)
  local noise = blank(op, x, shape)
  if p == 1 then noise:zero_()
  else noise = draws.fill(nil, noise, "bernoulli", 1 - p, 0):mul_(1 / rounded(noise.dtype, 1 - p)) end
  if inplace then return x:mul_(noise) end
  return x * noise
end

define("dropout", "x:T p:n=0.5 training:b=true inplace:b=false",
  "each element zero with probability p, the others over 1 - p; in training only", function(x, p, training, inplace)
    check("dropout", p)
    if not training or p == 0 then return x end
    return drop("dropout", x, p, nil, inplace)
  end)

for nd = 1, 3 do
  local name = ("dropout%dd"):format(nd)
  define(name, "x:T p:n=0.5 training:b=true inplace:b=false",
    ("each channel of x (batch, channels, %s) zero with probability p; in training only"):format(common.places(nd)),
    function(x, p, training, inplace)
      check(name, p)
      if x.ndim ~= nd + 1 and x.ndim ~= nd + 2 then common.batched(name, x, nd) end
      if not training or p == 0 then return x end
      local shape = x.shape
      for d = x.ndim - nd + 1, x.ndim do shape[d] = 1 end
      return drop(name, x, p, shape, inplace)
    end)
end

-- Where it drops, selu's limit for minus infinity; then an affine map that restores mean and variance.
local function alpha_drop(op, x, p, training, inplace, shape)
  check(op, p)
  if not training or p == 0 then return x end
  local keep = blank(op, x, shape)
  if p == 1 then return inplace and x:mul_(0) or x * 0 end
  local limit = 1.7580993408473766
  local a = 1 / math.sqrt((limit * limit * p + 1) * (1 - p))
  keep = draws.fill(nil, keep, "bernoulli", 1 - p, 0)
  local shift = (keep - 1):mul_(limit * a):add_(limit * a * p)
  local y = x * keep:mul_(a) + shift
  return inplace and x:copy_(y) or y
end

define("alpha_dropout", "x:T p:n=0.5 training:b=false inplace:b=false",
  "dropout that keeps the mean and variance of what selu gives",
  function(x, p, training, inplace) return alpha_drop("alpha_dropout", x, p, training, inplace) end)

define("feature_alpha_dropout", "x:T p:n=0.5 training:b=false inplace:b=false",
  "alpha_dropout of whole channels (dim 2)", function(x, p, training, inplace)
    if training and x.ndim < 2 then
      fail("feature_alpha_dropout: x %s must have dims (batch, channels, ...)", tostring(x.shape))
    end
    local shape = x.shape
    for d = 3, x.ndim do shape[d] = 1 end
    return alpha_drop("feature_alpha_dropout", x, p, training, inplace, shape)
  end)

return made.functions
