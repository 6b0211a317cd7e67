--- Layers: Linear, Dropout, Flatten, Identity and the activations.
--
-- The parentheses around a call that is returned keep forward on the stack, where error messages find the layer.

local pt = require "pt"
local F = require "pt.nn.functional"
local fail = require "pt.fail"
local init = require "pt.nn.initial"
local class = require "pt.class"
local module = require "pt.nn.module"
local signature = require "pt.signature"

local layers = {}

local function layer(name)
  layers[name] = class(name, module.Module)
  return layers[name]
end

--- y = x w' + b.   x (..., in)   weight (out, in)   bias (out)   ->   y (..., out)
---@class pt.nn.Linear: pt.nn.Module
---@overload fun(in_features: integer, out_features: integer, options?: {bias: boolean}): pt.nn.Linear
local Linear = layer("Linear")

Linear.init = signature("Linear", "in_features:i out_features:i bias:b=true",
  function(self, in_features, out_features, bias)
    if in_features < 1 or out_features < 0 then
      fail("Linear: a layer from %d to %d features cannot be made", in_features, out_features)
    end
    self.in_features, self.out_features = in_features, out_features
    local bound = 1 / math.sqrt(in_features)
    self.weight = module.Parameter(init.uniform_(pt.empty(out_features, in_features), -bound, bound))
    if bias then self.bias = module.Parameter(init.uniform_(pt.empty(out_features), -bound, bound)) end
  end)

function Linear:forward(x) return (x:linear(self.weight, self.bias)) end
function Linear:describe() return ("Linear %d -> %d"):format(self.in_features, self.out_features) end
function Linear:extra_repr()
  return ("in_features=%d, out_features=%d, bias=%s"):format(self.in_features, self.out_features, self.bias ~= nil)
end

--- Zeros each element with probability p while training.
---@class pt.nn.Dropout: pt.nn.Module
---@overload fun(p?: number): pt.nn.Dropout
local Dropout = layer("Dropout")

Dropout.init = signature("Dropout", "p:n=0.5", function(self, p)
  if not (p >= 0 and p <= 1) then fail("Dropout: p must be between 0 and 1, got %s", p) end
  self.p = p
end)

function Dropout:forward(x) return (F.dropout(x, self.p, self.training)) end
function Dropout:extra_repr() return ("p=%g"):format(self.p) end

--- Merges dims; by default all but the first, which counts the samples.
---@class pt.nn.Flatten: pt.nn.Module
---@overload fun(start_dim?: integer, end_dim?: integer): pt.nn.Flatten
local Flatten = layer("Flatten")

Flatten.init = signature("Flatten", "start_dim:i=2 end_dim:i=-1", function(self, start_dim, end_dim)
  self.start_dim, self.end_dim = start_dim, end_dim
end)

function Flatten:forward(x) return (x:flatten(self.start_dim, self.end_dim)) end
function Flatten:extra_repr() return ("start_dim=%d, end_dim=%d"):format(self.start_dim, self.end_dim) end

--- Returns its argument; takes any options, as a stand-in for another layer.
---@class pt.nn.Identity: pt.nn.Module
local Identity = layer("Identity")

function Identity:forward(x) return x end

---@class pt.nn.ReLU: pt.nn.Module
local ReLU = layer("ReLU")

ReLU.init = signature("ReLU", "inplace:b=false", function(self, inplace)
  if inplace then self.inplace = true end
end)

function ReLU:forward(x) return (self.inplace and x:relu_() or x:relu()) end
function ReLU:extra_repr() return self.inplace and "inplace=true" or "" end

---@class pt.nn.Tanh: pt.nn.Module
local Tanh = layer("Tanh")
function Tanh:forward(x) return (x:tanh()) end

---@class pt.nn.Sigmoid: pt.nn.Module
local Sigmoid = layer("Sigmoid")
function Sigmoid:forward(x) return (x:sigmoid()) end

---@class pt.nn.Softmax: pt.nn.Module
---@overload fun(dim: integer): pt.nn.Softmax
local Softmax = layer("Softmax")
Softmax.init = signature("Softmax", "dim:i", function(self, dim) self.dim = dim end)
function Softmax:forward(x) return (x:softmax(self.dim)) end
function Softmax:extra_repr() return ("dim=%d"):format(self.dim) end

---@class pt.nn.LogSoftmax: pt.nn.Module
---@overload fun(dim: integer): pt.nn.LogSoftmax
local LogSoftmax = layer("LogSoftmax")
LogSoftmax.init = signature("LogSoftmax", "dim:i", function(self, dim) self.dim = dim end)
function LogSoftmax:forward(x) return (x:log_softmax(self.dim)) end
LogSoftmax.extra_repr = Softmax.extra_repr

return layers
