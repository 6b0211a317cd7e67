--- QuantizedLinear, whose weight is kept in few bits. For inference; what flows through it has gradients.

local pt = require "pt"
local core = require "pt.core"
local fail = require "pt.fail"
local class = require "pt.class"
local factory = require "pt.nn.factory"
local module = require "pt.nn.module"
local signature = require "pt.signature"

--- y = x w' + b with w in blocks of few bits.   x (..., in)   blocks (out, bytes)   bias (out)   ->   y (..., out)
-- As torchao's weight-only quantisation, in the blocks of ggml: q8_0 takes 8.5 bits for a weight, q4_0 4.5, q4_k 4.5,
-- q6_k 6.6. The layer begins with weights of zero; from_float takes those of an nn.Linear, and a state dict its own.
---@class pt.nn.QuantizedLinear: pt.nn.Module
---@overload fun(in_features: integer, out_features: integer, options?: table): pt.nn.QuantizedLinear
local QuantizedLinear = class("QuantizedLinear", module.Module)

local formats = { q8_0 = true, q4_0 = true, q4_k = true, q6_k = true }

QuantizedLinear.init = factory("QuantizedLinear", "in_features:i out_features:i format:s=q8_0 bias:b=true",
  function(self, in_features, out_features, format, bias)
    if not formats[format] then
      fail("QuantizedLinear: format '%s' is not 'q8_0', 'q4_0', 'q4_k' or 'q6_k'", format)
    end
    local _, bytes, numbers = core.element(format:upper()) -- of one block
    if in_features < 1 or out_features < 0 or in_features % numbers ~= 0 then
      fail("QuantizedLinear: a layer from %d to %d features cannot be made of %s blocks, which hold %d features each",
        in_features, out_features, format, numbers)
    end
    self.in_features, self.out_features, self.format = in_features, out_features, format
    self:register_buffer("blocks",
      pt.zeros(out_features, in_features // numbers * bytes, { dtype = pt.uint8 }))
    if bias then self.bias = module.Parameter(pt.zeros(out_features)) end
  end)

function QuantizedLinear:forward(x) return (pt.linear_blocks(x, self.blocks, self.format, self.bias)) end
function QuantizedLinear:describe()
  return ("QuantizedLinear %d -> %d"):format(self.in_features, self.out_features)
end
function QuantizedLinear:extra_repr()
  return ("in_features=%d, out_features=%d, format=%s, bias=%s"):format(self.in_features, self.out_features,
    self.format, self.bias ~= nil)
end

local from_float = signature("from_float", "format:s=q8_0", function(linear, format)
  if type(linear) ~= "table" or not pt.is_tensor(linear.weight) or linear.weight:dim() ~= 2 then
    fail("from_float: expected a module with a weight (out, in), got %s", signature.describe(linear))
  end
  local weight = linear.weight:detach()
  if linear._transposed then weight = weight:t() end
  local out, features = weight:size(1), weight:size(2)
  local layer = QuantizedLinear(features, out, { format = format, bias = linear.bias ~= nil })
  layer.blocks = pt.quantize_blocks(weight, format)
  if linear.bias then layer.bias = linear.bias end
  return layer:train(linear.training)
end)

--- The weights of an nn.Linear in blocks; the bias is shared.
---@param linear pt.nn.Linear
---@param format? string "q8_0" (default) or "q4_0"
---@return pt.nn.QuantizedLinear
function QuantizedLinear.from_float(linear, format) return from_float(linear, format) end

return { QuantizedLinear = QuantizedLinear }
