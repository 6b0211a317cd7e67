--- What the convolutional networks share.

local pt = require "pt"
local nn = pt.nn

local blocks = {}

---@class pt.models.ConvOptions
---@field stride? integer 1
---@field groups? integer 1
---@field norm? table options of nn.BatchNorm2d
---@field activation? table a class of nn, or false for none; nn.ReLU

--- A convolution that keeps the size (but for its stride), a batch norm and an activation.
---@param inputs integer channels
---@param outputs integer
---@param kernel integer
---@param options? pt.models.ConvOptions
---@return pt.nn.Sequential
function blocks.conv_norm(inputs, outputs, kernel, options)
  options = options or {}
  local list = {
    nn.Conv2d(inputs, outputs, kernel, {
      stride = options.stride or 1, padding = kernel // 2, groups = options.groups or 1, bias = false,
    }),
    nn.BatchNorm2d(outputs, options.norm or {}),
  }
  if options.activation ~= false then list[3] = (options.activation or nn.ReLU)() end
  return nn.Sequential(table.unpack(list))
end

--- Weights each channel by what all channels are on average: a small network between two 1 x 1 convolutions (Hu, Shen
--- and Sun 2018).
local SqueezeExcitation = nn.class "SqueezeExcitation"
blocks.SqueezeExcitation = SqueezeExcitation

---@param channels integer
---@param squeezed integer
---@param activation table a class of nn
---@param scale table a class of nn, between 0 and 1
function SqueezeExcitation:init(channels, squeezed, activation, scale)
  self.avgpool = nn.AdaptiveAvgPool2d(1)
  self.fc1, self.fc2 = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
  self.activation, self.scale_activation = activation(), scale()
end

function SqueezeExcitation:forward(x)
  return x * self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(x)))))
end

--- n rounded to a multiple of 8, never down by more than a tenth.
function blocks.multiple_of_8(n)
  local rounded = math.max(8, math.floor(n + 4) // 8 * 8)
  return rounded < 0.9 * n and rounded + 8 or rounded
end

--- The initial values that networks of rectified convolutions are trained from; of linear layers normal numbers of this
--- deviation.
---@param model pt.nn.Module
---@param deviation number
function blocks.initialize(model, deviation)
  for _, layer in ipairs(model:modules()) do
    local name = getmetatable(layer).__name
    if name == "Conv2d" then
      nn.init.kaiming_normal_(layer.weight, { mode = "fan_out", nonlinearity = "relu" })
      if layer.bias then nn.init.zeros_(layer.bias) end
    elseif name == "Linear" and deviation then
      nn.init.normal_(layer.weight, 0, deviation)
      nn.init.zeros_(layer.bias)
    end
  end
end

return blocks
