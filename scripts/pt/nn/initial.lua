--- nn.init: initial values, written in place. Every function returns its tensor.

local pt = require "pt"
local fail = require "pt.fail"
local signature = require "pt.signature"

local init = {}

-- fn(x, ...) with no history recorded.
local function define(name, text, fn)
  init[name] = signature(name, text, function(x, ...)
    if not pt.is_tensor(x) then fail("%s: expected a tensor, got a %s", name, type(x)) end
    local _ <close> = pt.no_grad()
    return (fn(x, ...))
  end)
end

-- How many inputs and outputs one weight of x (out, in, ...) takes part in.
local function fans(name, x)
  if x.ndim < 2 then fail("%s: a tensor of 2 or more dims is needed, got %s", name, x.shape) end
  local field = x:numel() // math.max(1, x:size(1) * x:size(2))
  return x:size(2) * field, x:size(1) * field
end

local gains = {
  linear = 1, conv1d = 1, conv2d = 1, conv3d = 1, sigmoid = 1,
  tanh = 5 / 3, relu = math.sqrt(2), selu = 3 / 4,
}

--- By how much a nonlinearity shrinks its input.
---@param nonlinearity string
---@param param? number the slope of leaky_relu, default 0.01
---@return number
function init.calculate_gain(nonlinearity, param)
  if nonlinearity == "leaky_relu" then return math.sqrt(2 / (1 + (param or 0.01) ^ 2)) end
  return gains[nonlinearity] or fail("calculate_gain: unknown nonlinearity '%s'", nonlinearity)
end

define("uniform_", "a:n=0 b:n=1", function(x, a, b) return x:uniform_(a, b) end)
define("normal_", "mean:n=0 std:n=1", function(x, mean, std) return x:normal_(mean, std) end)
define("constant_", "value:n", function(x, value) return x:fill_(value) end)
define("zeros_", "", function(x) return x:zero_() end)
define("ones_", "", function(x) return x:fill_(1) end)

define("xavier_uniform_", "gain:n=1", function(x, gain)
  local fan_in, fan_out = fans("xavier_uniform_", x)
  local bound = gain * math.sqrt(6 / (fan_in + fan_out))
  return x:uniform_(-bound, bound)
end)

define("xavier_normal_", "gain:n=1", function(x, gain)
  local fan_in, fan_out = fans("xavier_normal_", x)
  return x:normal_(0, gain * math.sqrt(2 / (fan_in + fan_out)))
end)

-- The standard deviation that keeps the variance of the signal.
local function kaiming(name, x, a, mode, nonlinearity)
  local fan_in, fan_out = fans(name, x)
  if mode ~= "fan_in" and mode ~= "fan_out" then fail("%s: mode must be fan_in or fan_out, got %s", name, mode) end
  return init.calculate_gain(nonlinearity, a) / math.sqrt(mode == "fan_in" and fan_in or fan_out)
end

define("kaiming_uniform_", "a:n=0 mode:s=fan_in nonlinearity:s=leaky_relu", function(x, a, mode, nonlinearity)
  local bound = math.sqrt(3) * kaiming("kaiming_uniform_", x, a, mode, nonlinearity)
  return x:uniform_(-bound, bound)
end)

define("kaiming_normal_", "a:n=0 mode:s=fan_in nonlinearity:s=leaky_relu", function(x, a, mode, nonlinearity)
  return x:normal_(0, kaiming("kaiming_normal_", x, a, mode, nonlinearity))
end)

return init
