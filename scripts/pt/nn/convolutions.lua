--- Convolutions and what goes with them: transposed ones, pooling, padding, windows as columns, images of another size.

local pt = require "pt"
local F = require "pt.nn.functional"
local define = require "pt.nn.define"
local fail = require "pt.fail"
local signature = require "pt.signature"
local init = require "pt.nn.initial"
local Parameter = require("pt.nn.module").Parameter

local made = {}

-- A number or a list as a list of n numbers.
local function each(owner, what, value, n)
  if type(value) == "number" then
    local list = {}
    for d = 1, n do list[d] = value end
    return list
  end
  if type(value) ~= "table" or #value ~= n then fail("%s: %s must be a number or a list of %d", owner, what, n) end
  return value
end

local function name_of(self) return getmetatable(self).__name end

-- ---- convolutions ----

-- Weight and bias, both from U(-b, b) with b = 1 / sqrt(inputs of one result).
local function make_weights(self, nd, first, second, bias)
  local name = name_of(self)
  local size = { first, second, table.unpack(each(name, "kernel_size", self.kernel_size, nd)) }
  for _, n in ipairs(size) do
    if n < 1 then fail("%s: channels and kernel_size must be 1 or more", name) end
  end
  local weight = pt.empty(size)
  local bound = 1 / math.sqrt(weight:numel() / first)
  self.weight = Parameter(init.kaiming_uniform_(weight, math.sqrt(5)))
  if bias then self.bias = Parameter(init.uniform_(pt.empty(self.out_channels), -bound, bound)) end
end

local function check_groups(self)
  local name, groups = name_of(self), self.groups
  if groups < 1 or self.in_channels % groups ~= 0 or self.out_channels % groups ~= 0 then
    fail("%s: %d and %d channels do not both divide into %d groups", name, self.in_channels, self.out_channels, groups)
  end
end

local modes = { zeros = true, reflect = true, replicate = true, circular = true }

-- Amounts for F.pad, the last dim first, that do what the convolution's padding says.
local function margins(self, nd)
  local list = {}
  if self.padding == "valid" then
    for i = 1, 2 * nd do list[i] = 0 end
    return list
  end
  local kernel, dilation = each("", "", self.kernel_size, nd), each("", "", self.dilation, nd)
  local padding = self.padding ~= "same" and each(name_of(self), "padding", self.padding, nd)
  for d = nd, 1, -1 do
    local total = dilation[d] * (kernel[d] - 1)
    list[#list + 1] = padding and padding[d] or total // 2
    list[#list + 1] = padding and padding[d] or total - total // 2
  end
  return list
end

local CONV = "in_channels:i out_channels:i kernel_size:S stride:S=1 padding:a=0 dilation:S=1 groups:i=1 bias:b=true "
  .. "padding_mode:s=zeros"
local TRANSPOSED = "in_channels:i out_channels:i kernel_size:S stride:S=1 padding:S=0 output_padding:S=0 groups:i=1 "
  .. "bias:b=true dilation:S=1 padding_mode:s=zeros"

local function describe(self)
  return ("%s %d -> %d"):format(name_of(self), self.in_channels, self.out_channels)
end

-- The option `bias` gives way to the parameter of that name.
local function take_bias(self)
  local bias = self.bias
  self.bias = nil
  return bias
end

for nd = 1, 3 do
  local conv, back = ("conv%dd"):format(nd), ("conv_transpose%dd"):format(nd)

  --- x (batch, in, ...) -> (batch, out, ...)   weight (out, in / groups, kernel)   bias (out)
  local Conv = define.with_parameters(("Conv%dd"):format(nd), CONV, function(self, x)
    if self.padding_mode == "zeros" then
      return (F[conv](x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups))
    end
    x = F.pad(x, margins(self, nd), self.padding_mode)
    return (F[conv](x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups))
  end, function(self)
    local bias = take_bias(self)
    check_groups(self)
    if not modes[self.padding_mode] then
      fail("%s: padding_mode must be zeros, reflect, replicate or circular, got '%s'", name_of(self),
        self.padding_mode)
    end
    if type(self.padding) == "string" and self.padding ~= "same" and self.padding ~= "valid" then
      fail("%s: padding must be a number, a list, same or valid, got '%s'", name_of(self), self.padding)
    end
    make_weights(self, nd, self.out_channels, self.in_channels // self.groups, bias)
  end)
  Conv.describe = describe
  made[("Conv%dd"):format(nd)] = Conv

  --- x (batch, in, ...) -> (batch, out, ...)   weight (in, out / groups, kernel)   bias (out)
  local Transposed = define.with_parameters(("ConvTranspose%dd"):format(nd), TRANSPOSED, function(self, x)
    return (F[back](x, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups,
      self.dilation))
  end, function(self)
    local bias = take_bias(self)
    check_groups(self)
    if self.padding_mode ~= "zeros" then
      fail("%s: padding_mode must be zeros, got '%s'", name_of(self), self.padding_mode)
    end
    make_weights(self, nd, self.in_channels, self.out_channels // self.groups, bias)
  end)
  Transposed.describe = describe
  made[("ConvTranspose%dd"):format(nd)] = Transposed
end

-- ---- pooling ----

for nd = 1, 3 do
  local function pool(name, fn, options, forward)
    made[name:format(nd)] = define(name:format(nd), options, forward(F, fn:format(nd)))
  end

  pool("MaxPool%dd", "max_pool%dd",
    "kernel_size:S stride:S? padding:S=0 dilation:S=1 return_indices:b=false ceil_mode:b=false", function(f, fn)
      return function(self, x)
        local y, indices = f[fn](x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
          self.return_indices)
        if indices then return y, indices end
        return y
      end
    end)

  pool("AvgPool%dd", "avg_pool%dd",
    "kernel_size:S stride:S? padding:S=0 ceil_mode:b=false count_include_pad:b=true divisor_override:n?",
    function(f, fn)
      return function(self, x)
        return (f[fn](x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
          self.divisor_override))
      end
    end)

  pool("AdaptiveAvgPool%dd", "adaptive_avg_pool%dd", "output_size:a", function(f, fn)
    return function(self, x) return (f[fn](x, self.output_size)) end
  end)

  pool("AdaptiveMaxPool%dd", "adaptive_max_pool%dd", "output_size:a return_indices:b=false", function(f, fn)
    return function(self, x)
      local y, indices = f[fn](x, self.output_size, self.return_indices)
      if indices then return y, indices end
      return y
    end
  end)

  pool("LPPool%dd", "lp_pool%dd", "norm_type:n kernel_size:S stride:S? ceil_mode:b=false", function(f, fn)
    return function(self, x)
      return (f[fn](x, self.norm_type, self.kernel_size, self.stride, self.ceil_mode))
    end
  end)

  pool("MaxUnpool%dd", "max_unpool%dd", "kernel_size:S stride:S? padding:S=0", function(f, fn)
    return function(self, x, indices, output_size)
      return (f[fn](x, indices, self.kernel_size, self.stride, self.padding, output_size))
    end
  end)
end

--- Max pooling over windows at random places, drawn anew in each forward; output_size or output_ratio says how many.
for nd = 2, 3 do
  local name, fn = ("FractionalMaxPool%dd"):format(nd), ("fractional_max_pool%dd"):format(nd)
  made[name] = define(name,
    "kernel_size:S output_size:D? output_ratio:a? return_indices:b=false _random_samples:T?", function(self, x)
      local y, indices = F[fn](x, self.kernel_size, self.output_size, self.output_ratio, self.return_indices,
        self._random_samples)
      if indices then return y, indices end
      return y
    end, function(self)
      if (self.output_size == nil) == (self.output_ratio == nil) then
        fail("%s: takes output_size or output_ratio", name)
      end
    end)
end

-- ---- padding ----

-- `padding` is a number, or a list for F.pad: {left, right, top, bottom, ...}.
for nd = 1, 3 do
  local function pad(name, mode, options)
    name = name:format(nd)
    made[name] = define(name, options, function(self, x)
      if not pt.is_tensor(x) then fail("%s: x must be a tensor, got %s", name, signature.describe(x)) end
      if x.ndim ~= nd + 1 and x.ndim ~= nd + 2 then
        fail("%s: x %s must have %d dims, or %d without a batch", name, x.shape, nd + 2, nd + 1)
      end
      return (F.pad(x, self.sides, mode, self.value or 0))
    end, function(self) rawset(self, "sides", each(name, "padding", self.padding, 2 * nd)) end)
  end
  pad("ConstantPad%dd", "constant", "padding:S value:n")
  pad("ZeroPad%dd", "constant", "padding:S")
  pad("ReflectionPad%dd", "reflect", "padding:S")
  pad("ReplicationPad%dd", "replicate", "padding:S")
  pad("CircularPad%dd", "circular", "padding:S")
end

-- ---- windows, sizes, order of pixels ----

made.Unfold = define("Unfold", "kernel_size:S dilation:S=1 padding:S=0 stride:S=1", function(self, x)
  return (F.unfold(x, self.kernel_size, self.dilation, self.padding, self.stride))
end)

made.Fold = define("Fold", "output_size:D kernel_size:S dilation:S=1 padding:S=0 stride:S=1", function(self, x)
  return (F.fold(x, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride))
end)

made.Upsample = define("Upsample",
  "size:a? scale_factor:a? mode:s=nearest align_corners:b? recompute_scale_factor:b?", function(self, x)
    return (F.interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor))
  end)
made.UpsamplingNearest2d = define("UpsamplingNearest2d", "size:a? scale_factor:a?", function(self, x)
  return (F.interpolate(x, self.size, self.scale_factor, "nearest"))
end)
made.UpsamplingBilinear2d = define("UpsamplingBilinear2d", "size:a? scale_factor:a?", function(self, x)
  return (F.interpolate(x, self.size, self.scale_factor, "bilinear", true))
end)

made.PixelShuffle = define("PixelShuffle", "upscale_factor:i",
  function(self, x) return (F.pixel_shuffle(x, self.upscale_factor)) end)
made.PixelUnshuffle = define("PixelUnshuffle", "downscale_factor:i",
  function(self, x) return (F.pixel_unshuffle(x, self.downscale_factor)) end)
made.ChannelShuffle = define("ChannelShuffle", "groups:i",
  function(self, x) return (F.channel_shuffle(x, self.groups)) end)

return made
