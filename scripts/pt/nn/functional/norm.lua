--- Normalisation: by batch, layer, group, instance, channel neighbourhood, norm; and the likeness of vectors.

local core = require "pt.core"
local common = require "pt.nn.functional.common"
local dims = require "pt.dims"
local fail = require "pt.fail"
local modes = require "pt.modes".functions
local pool = require "pt.nn.functional.pool"
local broadcast_tensors = require "pt.functions.shape".functions.broadcast_tensors

local define, made = require "pt.define" "nn.functional"
local functions = made.functions
local row_norm, batch_norm_train = core.fn "row_norm", core.fn "batch_norm_train"
local text = common.text

-- The number of elements of a shape from dim `from` on.
local function product(shape, from)
  local n = 1
  for d = from, #shape do n = n * shape[d] end
  return n
end

local function check_vector(op, name, v, x, n)
  if v and (v.ndim ~= 1 or v:numel() ~= n) then
    fail("%s: %s %s, but x %s wants one of %d numbers", op, name, tostring(v.shape), tostring(x.shape), n)
  end
end

-- ---- by batch ----

-- Moves running statistics towards those of a batch of `count` values a channel.
local function track(running_mean, running_var, mean, var, count, momentum)
  modes.no_grad(function()
    if running_mean then running_mean:mul_(1 - momentum):add_(mean:to_dtype(running_mean.dtype) * momentum) end
    if running_var then
      local unbiased = var * (count / (count - 1))
      running_var:mul_(1 - momentum):add_(unbiased:to_dtype(running_var.dtype) * momentum)
    end
  end)
end

-- By given statistics: one multiplication and one addition an element.
local function by_statistics(x, mean, var, weight, bias, eps)
  local view = {}
  for d = 1, x.ndim do view[d] = d == 2 and -1 or 1 end
  local scale = (var + eps):rsqrt()
  if weight then scale = scale * weight end
  local shift = mean * scale
  shift = bias and bias - shift or -shift
  local y = x * scale:reshape(view) + shift:reshape(view)
  return y.dtype == x.dtype and y or y:to_dtype(x.dtype)
end

define("batch_norm",
  "x:T running_mean:T? running_var:T? weight:T? bias:T? training:b=false momentum:n=0.1 eps:n=1e-05",
  "x (batch, channels, ...) normalised by channel: by its own statistics in training, else by the running ones",
  function(x, running_mean, running_var, weight, bias, training, momentum, eps)
    if x:numel() == 0 and (x.ndim < 2 or training) then -- there is nothing to normalise
      local y = x:clone()
      if weight and weight:numel() > 0 then y = y * weight:select(1, 1) end
      return bias and bias:numel() > 0 and y + bias:select(1, 1) or y
    end
    if x.ndim < 2 then
      fail("batch_norm: x %s must have dims (batch, channels, ...)", tostring(x.shape))
    end
    common.floating("batch_norm", "x", x)
    local c = x:size(2)
    check_vector("batch_norm", "weight", weight, x, c)
    check_vector("batch_norm", "bias", bias, x, c)
    check_vector("batch_norm", "running_mean", running_mean, x, c)
    check_vector("batch_norm", "running_var", running_var, x, c)
    if training then
      if eps <= 0 then fail("batch_norm: eps is %s, but must be above 0", eps) end
      local y, mean, var = batch_norm_train(x, weight, bias, eps)
      if running_mean or running_var then track(running_mean, running_var, mean, var, x:numel() // c, momentum) end
      return y
    end
    if not (running_mean and running_var) then
      fail("batch_norm: without training it takes running_mean and running_var")
    end
    return by_statistics(x, running_mean, running_var, weight, bias, eps)
  end)

define.plain("instance_norm",
  "x:T running_mean:T? running_var:T? weight:T? bias:T? use_input_stats:b=true momentum:n=0.1 eps:n=1e-05",
  "each channel of each sample of x (batch, channels, ...) normalised by itself",
  function(x, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)
    if x.ndim < 3 then
      fail("instance_norm: x %s must have dims (batch, channels, ...) and one more at least", tostring(x.shape))
    end
    common.floating("instance_norm", "x", x)
    local c, n = x:size(2), product(x.shape, 3)
    check_vector("instance_norm", "weight", weight, x, c)
    check_vector("instance_norm", "bias", bias, x, c)
    check_vector("instance_norm", "running_mean", running_mean, x, c)
    check_vector("instance_norm", "running_var", running_var, x, c)
    if not use_input_stats then
      if not (running_mean and running_var) then
        fail("instance_norm: without use_input_stats it takes running_mean and running_var")
      end
      return by_statistics(x, running_mean, running_var, weight, bias, eps)
    end
    if n < 2 then
      fail("instance_norm: x %s has %d values a channel; use_input_stats needs more than 1", tostring(x.shape), n)
    end
    local y, mean, rstd = row_norm(x, weight, bias, n, n, c, false, eps)
    if (running_mean or running_var) and x:size(1) > 0 then
      local var = rstd:square():reciprocal() - eps
      track(running_mean, running_var, mean:reshape(-1, c):mean(1), var:reshape(-1, c):mean(1), n, momentum)
    end
    return y
  end)

-- ---- by sample ----

-- The last dims of x must be `shape`, and those of weight and bias all of them.
local function check_shape(op, x, shape, weight, bias)
  local lead = x.ndim - #shape
  local fits = #shape > 0 and lead >= 0
  for d, n in ipairs(shape) do fits = fits and x:size(lead + d) == n end
  if not fits then
    fail("%s: normalized_shape is %s, but x %s does not end in it", op, text(shape), tostring(x.shape))
  end
  for name, v in pairs { weight = weight or nil, bias = bias or nil } do
    if text(v.shape) ~= text(shape) then
      fail("%s: %s %s, but it must have the shape %s", op, name, tostring(v.shape), text(shape))
    end
  end
  if op ~= "rms_norm" or not x.dtype.is_complex then common.floating(op, "x", x) end
end

define.float32("layer_norm", "x:T normalized_shape:D weight:T? bias:T? eps:n=1e-05",
  "the last dims of x, of that shape, normalised together", function(x, shape, weight, bias, eps)
    shape = dims.numbers(shape)
    check_shape("layer_norm", x, shape, weight, bias)
    return (row_norm(x, weight, bias, product(shape, 1), 1, 1, false, eps))
  end)

-- The distance from 1 to the next number.
local epsilon = { float64 = 0x1p-52, float32 = 0x1p-23, float16 = 0x1p-10, bfloat16 = 0x1p-7 }

define.float32("rms_norm", "x:T normalized_shape:D weight:T? eps:n?",
  "the last dims of x, of that shape, over the root of the mean of their squares", function(x, shape, weight, eps)
    shape = dims.numbers(shape)
    check_shape("rms_norm", x, shape, weight)
    local n = product(shape, 1)
    if x.dtype.is_complex then
      local over = {}
      for d = 1, #shape do over[d] = -d end
      local part = x.dtype == core.dtypes.complex64 and "float32" or "float64"
      local scale = (x:square():mean(over, true) + (eps or epsilon[part])):rsqrt() -- complex, as PyTorch's
      return weight and x * scale * weight or x * scale
    end
    return (row_norm(x, weight, nil, n, 1, 1, true, eps or epsilon[tostring(x.dtype)]))
  end)

define.float32("group_norm", "x:T num_groups:i weight:T? bias:T? eps:n=1e-05",
  "channels of x (batch, channels, ...) normalised in groups, each sample by itself",
  function(x, groups, weight, bias, eps)
    local c = x.ndim >= 2 and x:size(2)
    if not c or c < 1 or groups < 1 or c % groups ~= 0 then
      fail("group_norm: x %s must have dims (batch, channels, ...) and channels that divide into %d groups",
        tostring(x.shape), groups)
    end
    common.floating("group_norm", "x", x)
    check_vector("group_norm", "weight", weight, x, c)
    check_vector("group_norm", "bias", bias, x, c)
    local inner = product(x.shape, 3)
    if inner == 0 then fail("group_norm: x %s has channels without entries", tostring(x.shape)) end
    return (row_norm(x, weight, bias, c // groups * inner, inner, groups, false, eps))
  end)

define.plain("local_response_norm", "x:T size:i alpha:n=0.0001 beta:n=0.75 k:n=1",
  "x over a power of k plus alpha times the mean square of `size` neighbouring channels",
  function(x, size, alpha, beta, k)
    if x.ndim < 3 then
      fail("local_response_norm: x %s must have dims (batch, channels, ...) and one more at least", tostring(x.shape))
    end
    if size < 1 then fail("local_response_norm: size is %d, but must be 1 or more", size) end
    if x:numel() == 0 then return x:clone() end
    local n, c, inner = x:size(1), x:size(2), product(x.shape, 3)
    local padded = x:new_zeros(n, c + size - 1, inner)
    local squares = padded:as_strided_scatter(x:square():reshape(n, c, inner), { n, c, inner },
      padded:stride(), size // 2 * inner)
    local mean = pool.avg_pool2d(squares:unsqueeze(2), { size, 1 }, 1):reshape(x.shape)
    return x / (mean * alpha + k):pow(beta)
  end)

-- ---- norms and likeness ----

define("normalize", "x:T p:n=2 dim:D=2 eps:n=1e-12", "x over its p-norm along dim, or over eps where that is larger",
  function(x, p, dim, eps) return x / x:norm(p, dim, true):clamp_min(eps) end)

-- The 2-norm, eps at least; the bound takes no part in the gradient, as in PyTorch.
local function length(x, dim, eps)
  local n = x:norm(2, dim, true)
  return n + (n:clamp_min(eps) - n):detach()
end

define.float32("cosine_similarity", "x:T y:T dim:i=2 eps:n=1e-08", "the cosine of the angle between vectors along dim",
  function(x, y, dim, eps)
    if eps < 0 then fail("cosine_similarity: eps is %s, but must be 0 or more", eps) end
    x, y = table.unpack(broadcast_tensors(x, y))
    return (x / length(x, dim, eps) * (y / length(y, dim, eps))):sum(dim)
  end)

define("pairwise_distance", "x:T y:T p:n=2 eps:n=1e-06 keepdim:b=false",
  "the p-norm of x - y + eps along the last dim", function(x, y, p, eps, keepdim)
    return (x - y + eps):norm(p, -1, keepdim)
  end)

define.float32("pdist", "x:T p:n=2",
  "p-norms of the differences of all pairs of rows of x (n, m), in order", function(x, p)
  if x.ndim ~= 2 then fail("pdist: x %s must be (n, m)", tostring(x.shape)) end
  if p < 0 then fail("pdist: p is %s, but must be 0 or more", p) end
  local pairs_of = require "pt".triu_indices(x:size(1), x:size(1), 1, { device = x.device })
  local a, b = pairs_of:select(1, 1), pairs_of:select(1, 2)
  return (x:index_select(1, a) - x:index_select(1, b)):norm(p, 2)
end)

return functions
