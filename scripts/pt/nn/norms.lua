--- Normalisation layers. Running statistics are buffers under PyTorch's names.

local pt = require "pt"
local F = require "pt.nn.functional"
local define = require "pt.nn.define"
local fail = require "pt.fail"
local signature = require "pt.signature"
local Parameter = require("pt.nn.module").Parameter

local made = {}

local function name_of(self) return getmetatable(self).__name end
local function describe(self) return ("%s of %d"):format(name_of(self), self.num_features) end

-- The options `affine` and `bias` as parameters; `bias` gives way to the one of that name.
local function make_affine(self, affine, size)
  local bias = self.bias
  self.bias = nil
  if affine then self.weight = Parameter(pt.ones(size)) end
  if affine and bias then self.bias = Parameter(pt.zeros(size)) end
end

-- ---- by statistics of the batch ----

local function setup(self)
  local n = self.num_features
  if n < 1 then fail("%s: num_features must be 1 or more, got %d", name_of(self), n) end
  make_affine(self, self.affine, { n })
  if self.track_running_stats then
    self:register_buffer("running_mean", pt.zeros(n))
    self:register_buffer("running_var", pt.ones(n))
    self:register_buffer("num_batches_tracked", pt.tensor(0))
  end
end

-- Means 0 and variances 1, as at the beginning.
local function reset(self)
  if not self.running_mean then return end
  self.running_mean:zero_()
  self.running_var:fill_(1)
  self.num_batches_tracked:zero_()
end

-- The weight of a new batch in the running statistics; without a momentum all batches count alike.
local function count_batch(self)
  self.num_batches_tracked:add_(1)
  return self.momentum or 1 / self.num_batches_tracked:item()
end

local function check_dims(self, x, least, most)
  if not pt.is_tensor(x) then fail("%s: x must be a tensor, got %s", name_of(self), signature.describe(x)) end
  if x.ndim >= least and x.ndim <= most then return end
  fail("%s: x %s must have %s dims: (batch, channels%s)", name_of(self), x.shape,
    least == most and tostring(least) or ("%d to %d"):format(least, most), most > 2 and ", ..." or "")
end

local NORM = "num_features:i eps:n=1e-5 momentum:n?=0.1 affine:b=%s track_running_stats:b=%s%s device:v? "
  .. "dtype:y? bias:b=true"

-- BatchNorm for x of least to most dims.
local function batch_norm(name, least, most, more)
  local options = NORM:format(true, true, more or "")
  local Norm = define.with_parameters(name, options,
    function(self, x)
      check_dims(self, x, least, most)
      if x:size(2) ~= self.num_features then
        fail("%s: x %s has %d channels, expected %d", name, x.shape, x:size(2), self.num_features)
      end
      local tracked = self.running_mean ~= nil
      local training, momentum = self.training or not tracked, self.momentum or 0
      if self.training and tracked then momentum = count_batch(self) end
      if self.training and not self.track_running_stats then tracked = false end
      return (F.batch_norm(x, tracked and self.running_mean or nil, tracked and self.running_var or nil, self.weight,
        self.bias, training, momentum, self.eps))
    end, setup)
  Norm.describe, Norm.reset_running_stats = describe, reset
  made[name] = Norm
  return Norm
end

batch_norm("BatchNorm1d", 2, 3)
batch_norm("BatchNorm2d", 4, 4)
batch_norm("BatchNorm3d", 5, 5)

--- BatchNorm whose statistics, in training, are those of the batches of all ranks of a job (pt.distributed) together.
--- `module.process_group`: of some ranks.
local Sync = batch_norm("SyncBatchNorm", 2, 8, " process_group:a?")
local alone = Sync.forward

function Sync:forward(x)
  local sync = self.training and require "pt.distributed.sync_batch_norm"
  if not sync or not sync.needed(self) then return alone(self, x) end
  check_dims(self, x, 2, 8)
  if x.shape[2] ~= self.num_features then
    fail("SyncBatchNorm: x %s has %d channels, the layer %d", x.shape, x.shape[2], self.num_features)
  end
  local y, mean, variance = sync.normalize(self, x)
  if self.running_mean and self.track_running_stats then
    local _ <close> = pt.no_grad()
    local momentum = count_batch(self)
    self.running_mean:lerp_(mean:to(self.running_mean.dtype), momentum)
    self.running_var:lerp_(variance:to(self.running_var.dtype), momentum)
  end
  return y
end

--- The same network with SyncBatchNorm in the place of each BatchNorm; parameters and buffers are the same tensors.
---@param net pt.nn.Module
---@param process_group? pt.ProcessGroup
---@return pt.nn.Module
function Sync.convert_sync_batchnorm(net, process_group)
  for _, m in ipairs(net:modules()) do
    if name_of(m):find "^BatchNorm%dd$" then
      setmetatable(m, Sync)
      rawset(m, "process_group", process_group)
    end
  end
  return net
end

for nd = 1, 3 do
  local name = ("InstanceNorm%dd"):format(nd)
  local Norm = define.with_parameters(name, NORM:format(false, false, ""),
    function(self, x)
      check_dims(self, x, nd + 1, nd + 2)
      local single = x.ndim == nd + 1
      if single then x = x:unsqueeze(1) end
      local tracked, momentum = self.running_mean ~= nil, self.momentum or 0
      local y = F.instance_norm(x, self.running_mean, self.running_var, self.weight, self.bias,
        self.training or not tracked, momentum, self.eps)
      return single and y:squeeze(1) or y
    end, setup)
  Norm.describe, Norm.reset_running_stats = describe, reset
  made[name] = Norm
end

-- ---- by sample ----

local function shape_of(self)
  local shape = self.normalized_shape
  if type(shape) == "number" then rawset(self, "normalized_shape", { shape }) end
  return self.normalized_shape
end

--- Normalises the last dims, of that shape, together.   weight, bias (normalized_shape)
---@class pt.nn.LayerNorm: pt.nn.Module
made.LayerNorm = define.with_parameters("LayerNorm",
  "normalized_shape:D eps:n=1e-5 elementwise_affine:b=true bias:b=true",
  function(self, x) return (F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)) end,
  function(self)
    make_affine(self, self.elementwise_affine, shape_of(self))
  end)

--- The last dims over the root of the mean of their squares.   weight (normalized_shape)
---@class pt.nn.RMSNorm: pt.nn.Module
made.RMSNorm = define.with_parameters("RMSNorm", "normalized_shape:D eps:n? elementwise_affine:b=true",
  function(self, x) return (F.rms_norm(x, self.normalized_shape, self.weight, self.eps)) end,
  function(self)
    local shape = shape_of(self)
    if self.elementwise_affine then self.weight = Parameter(pt.ones(shape)) end
  end)

--- Normalises groups of channels, each sample by itself.   weight, bias (num_channels)
---@class pt.nn.GroupNorm: pt.nn.Module
made.GroupNorm = define.with_parameters("GroupNorm",
  "num_groups:i num_channels:i eps:n=1e-5 affine:b=true device:v? dtype:y? bias:b=true",
  function(self, x) return (F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)) end,
  function(self)
    if self.num_groups < 1 or self.num_channels % self.num_groups ~= 0 then
      fail("GroupNorm: %d channels do not divide into %d groups", self.num_channels, self.num_groups)
    end
    make_affine(self, self.affine, { self.num_channels })
  end)

made.LocalResponseNorm = define("LocalResponseNorm", "size:i alpha:n=1e-4 beta:n=0.75 k:n=1",
  function(self, x) return (F.local_response_norm(x, self.size, self.alpha, self.beta, self.k)) end)

--- x / (k + alpha / size * s)^beta, s the sum of squares of (size - 1) // 2 channels on both sides. As PyTorch's and
--- Torch7's, whose running sum never drops the first channel: its square is part of every s. nn.LocalResponseNorm is
--- the layer without this.
made.CrossMapLRN2d = define("CrossMapLRN2d", "size:i alpha:n=1e-4 beta:n=0.75 k:n=1", function(self, x)
  if not pt.is_tensor(x) or x.ndim ~= 4 then
    fail("CrossMapLRN2d: x must be a tensor (batch, channels, height, width), got %s", signature.describe(x))
  end
  local squares, reach, n = x:square(), (self.size - 1) // 2, x:size(2)
  local wide, sum = F.pad(squares, { 0, 0, 0, 0, reach, reach }), 0
  for shift = 1, 2 * reach + 1 do sum = sum + wide:narrow(2, shift, n) end
  if n > reach + 1 then
    local kept = squares:narrow(2, 1, 1):expand(x:size(1), n - reach - 1, x:size(3), x:size(4))
    sum = sum + F.pad(kept, { 0, 0, 0, 0, reach + 1, 0 })
  end
  return x / (self.k + self.alpha / self.size * sum):pow(self.beta)
end, function(self)
  if self.size < 1 then fail("CrossMapLRN2d: size must be 1 or more, got %d", self.size) end
end)

return made
