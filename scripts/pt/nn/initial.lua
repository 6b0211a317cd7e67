--- nn.init: initial values, written in place. Every function returns its tensor.

local pt = require "pt"
local fail = require "pt.fail"
local signature = require "pt.signature"

local init = {}
local skipping = false -- nothing is written, while nn.utils.skip_init makes a module

local Skip = { __close = function(self) skipping = self.before end }

-- make(...) without initial values.
function init._skip(make, ...)
  local _ <close> = setmetatable({ before = skipping }, Skip)
  skipping = true
  local made = make(...)
  return made
end

-- fn(x, ...) with no history recorded.
local function define(name, text, fn)
  init[name] = signature(name, text, function(x, ...)
    if not pt.is_tensor(x) then fail("%s: expected a tensor, got a %s", name, type(x)) end
    if skipping then return x end
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
  conv_transpose1d = 1, conv_transpose2d = 1, conv_transpose3d = 1,
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

define("uniform_", "a:n=0 b:n=1 generator:a?", function(x, a, b, g) return x:uniform_(a, b, g) end)
define("normal_", "mean:n=0 std:n=1 generator:a?", function(x, mean, std, g) return x:normal_(mean, std, g) end)
define("constant_", "value:n", function(x, value) return x:fill_(value) end)
define("zeros_", "", function(x) return x:zero_() end)
define("ones_", "", function(x) return x:fill_(1) end)

define("xavier_uniform_", "gain:n=1 generator:a?", function(x, gain, g)
  local fan_in, fan_out = fans("xavier_uniform_", x)
  local bound = gain * math.sqrt(6 / (fan_in + fan_out))
  return x:uniform_(-bound, bound, g)
end)

define("xavier_normal_", "gain:n=1 generator:a?", function(x, gain, g)
  local fan_in, fan_out = fans("xavier_normal_", x)
  return x:normal_(0, gain * math.sqrt(2 / (fan_in + fan_out)), g)
end)

-- The standard deviation that keeps the variance of the signal.
local function kaiming(name, x, a, mode, nonlinearity)
  local fan_in, fan_out = fans(name, x)
  if mode ~= "fan_in" and mode ~= "fan_out" then fail("%s: mode must be fan_in or fan_out, got %s", name, mode) end
  return init.calculate_gain(nonlinearity, a) / math.sqrt(mode == "fan_in" and fan_in or fan_out)
end

local KAIMING = "a:n=0 mode:s=fan_in nonlinearity:s=leaky_relu generator:a?"

define("kaiming_uniform_", KAIMING, function(x, a, mode, nonlinearity, g)
  local bound = math.sqrt(3) * kaiming("kaiming_uniform_", x, a, mode, nonlinearity)
  return x:uniform_(-bound, bound, g)
end)

define("kaiming_normal_", KAIMING, function(x, a, mode, nonlinearity, g)
  return x:normal_(0, kaiming("kaiming_normal_", x, a, mode, nonlinearity), g)
end)

-- ---- matrices of a kind ----

local function check_matrix(name, x)
  if x.ndim ~= 2 then fail("%s: a matrix is needed, got %s", name, x.shape) end
end

define("eye_", "", function(x)
  check_matrix("eye_", x)
  return x:copy_(pt.eye(x:size(1), x:size(2)))
end)

--- Convolution weights (out, in / groups, kernel) that pass channels on as they are.
define("dirac_", "groups:i=1", function(x, groups)
  if x.ndim < 3 or x.ndim > 5 then fail("dirac_: a weight of 3 to 5 dims is needed, got %s", x.shape) end
  local per = x:size(1) // groups
  if groups < 1 or x:size(1) % groups ~= 0 then
    fail("dirac_: %d output channels do not go into %d groups", x:size(1), groups)
  end
  x:zero_()
  for g = 0, groups - 1 do
    for d = 1, math.min(per, x:size(2)) do
      local at = { g * per + d, d }
      for k = 3, x.ndim do at[k] = x:size(k) // 2 + 1 end
      x[at] = 1
    end
  end
  return x
end)

--- A matrix (dims but the first taken together) whose rows, or columns, are of length 1 and at right angles.
define("orthogonal_", "gain:n=1 generator:a?", function(x, gain, g)
  if x.ndim < 2 then fail("orthogonal_: a tensor of 2 or more dims is needed, got %s", x.shape) end
  if x:numel() == 0 then return x end
  local rows, columns = x:size(1), x:numel() // x:size(1)
  local wide, drawn = rows < columns, pt.empty(rows, columns, { dtype = x.dtype, device = x.device }):normal_(0, 1, g)
  local q = (wide and drawn or drawn:t()):to(pt.float64, { copy = true })
  for i = 1, q:size(1) do -- Gram and Schmidt, twice for the digits that the first pass loses
    local row = q[i]
    for _ = 1, i > 1 and 2 or 0 do
      local before = q:narrow(1, 1, i - 1)
      row:sub_(before:t():mv(before:mv(row)))
    end
    row:div_(row:square():sum():sqrt())
  end
  return x:copy_((wide and q or q:t()):reshape(x:size()):mul(gain))
end)

--- Normal numbers, but a share `sparsity` of each column is zero.
define("sparse_", "sparsity:n std:n=0.01 generator:a?", function(x, sparsity, std, g)
  check_matrix("sparse_", x)
  if not (sparsity >= 0 and sparsity <= 1) then fail("sparse_: sparsity must be between 0 and 1, got %s", sparsity) end
  local zeros = math.ceil(sparsity * x:size(1))
  x:normal_(0, std, g)
  if zeros == 0 then return x end
  for column = 1, x:size(2) do
    x:select(2, column):index_copy_(1, pt.randperm(x:size(1), { generator = g }):narrow(1, 1, zeros),
      pt.zeros(zeros, { dtype = x.dtype }))
  end
  return x
end)

--- Normal numbers held between a and b by drawing again those that lie outside.
define("trunc_normal_", "mean:n=0 std:n=1 a:n=-2 b:n=2 generator:a?", function(x, mean, std, a, b, g)
  if not (a < b and std > 0) then
    fail("trunc_normal_: a must be less than b and std above 0, got a = %s, b = %s, std = %s", a, b, std)
  end
  local near = math.max(a, math.min(mean, b))
  local often = near == mean and b - a > std -- or else candidates are uniform, taken by their density
  local function draw()
    local new = pt.empty_like(x)
    if often then
      new:normal_(mean, std, g)
      return new, new:lt(a):logical_or(new:gt(b))
    end
    new:uniform_(a, b, g)
    local density = (((near - mean) / std) ^ 2 - ((new - mean) / std):square()) / 2
    return new, pt.empty_like(x):uniform_(0, 1, g):gt(density:exp())
  end
  local value, bad = draw()
  while bad:any():item() do
    local new, again = draw()
    value, bad = value:where(bad:logical_not(), new), bad:logical_and(again)
  end
  return x:copy_(value)
end)

return init
