--- Activations as layers: nn.GELU() and the like; nn.functional computes them.

local pt = require "pt"
local F = require "pt.nn.functional"
local define = require "pt.nn.define"
local Parameter = require("pt.nn.module").Parameter

local made = {}

-- A layer that is a function of nn.functional with these options.
local function activation(name, fn, options)
  local keys = {}
  for key in options:gmatch "([%w_]+):" do keys[#keys + 1] = key end
  local a, b, c = table.unpack(keys)
  if c then
    made[name] = define(name, options, function(self, x) return (F[fn](x, self[a], self[b], self[c])) end)
  elseif b then
    made[name] = define(name, options, function(self, x) return (F[fn](x, self[a], self[b])) end)
  elseif a then
    made[name] = define(name, options, function(self, x) return (F[fn](x, self[a])) end)
  else
    made[name] = define(name, options, function(_, x) return (F[fn](x)) end)
  end
end

for _, row in ipairs {
  { "Sigmoid", "sigmoid", "" },
  { "Tanh", "tanh", "" },
  { "ReLU", "relu", "inplace:b=false" },
  { "ReLU6", "relu6", "inplace:b=false" },
  { "ELU", "elu", "alpha:n=1 inplace:b=false" },
  { "CELU", "celu", "alpha:n=1 inplace:b=false" },
  { "SELU", "selu", "inplace:b=false" },
  { "GELU", "gelu", "approximate:s=none" },
  { "SiLU", "silu", "inplace:b=false" },
  { "Mish", "mish", "inplace:b=false" },
  { "LeakyReLU", "leaky_relu", "negative_slope:n=0.01 inplace:b=false" },
  { "Hardtanh", "hardtanh", "min_val:n=-1 max_val:n=1 inplace:b=false" },
  { "Hardsigmoid", "hardsigmoid", "inplace:b=false" },
  { "Hardswish", "hardswish", "inplace:b=false" },
  { "Hardshrink", "hardshrink", "lambd:n=0.5" },
  { "Softshrink", "softshrink", "lambd:n=0.5" },
  { "Tanhshrink", "tanhshrink", "" },
  { "Softplus", "softplus", "beta:n=1 threshold:n=20" },
  { "Softsign", "softsign", "" },
  { "LogSigmoid", "logsigmoid", "" },
  { "Threshold", "threshold", "threshold:n value:n inplace:b=false" },
  { "GLU", "glu", "dim:i=-1" },
  { "Softmax", "softmax", "dim:i" },
  { "Softmin", "softmin", "dim:i" },
  { "LogSoftmax", "log_softmax", "dim:i" },
} do
  activation(table.unpack(row))
end

--- Softmax over the channels of x (batch, channels, height, width), or without the batch.
made.Softmax2d = define("Softmax2d", "", function(_, x) return (F.softmax(x, -3)) end)

--- x, below 0 times a slope that is drawn for each element while training, and is the mean of the bounds otherwise.
---@class pt.nn.RReLU: pt.nn.Module
made.RReLU = define("RReLU", "lower:n=0.125 upper:n=0.3333333333333333 inplace:b=false",
  function(self, x) return (F.rrelu(x, self.lower, self.upper, self.training, self.inplace)) end)

--- x, or a learned slope times x below 0; one slope, or one for each channel.
---@class pt.nn.PReLU: pt.nn.Module
made.PReLU = define.with_parameters("PReLU", "num_parameters:i=1 init:n=0.25",
  function(self, x) return (F.prelu(x, self.weight)) end,
  function(self)
    local value = rawget(self, "init")
    self.init = nil -- the method again
    self.weight = Parameter(pt.full({ self.num_parameters }, value, { dtype = pt.get_default_dtype() }))
  end)

return made
