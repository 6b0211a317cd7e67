--- nn.utils.quantize_: a trained module with its weights in few bits.

local fail = require "pt.fail"
local layers = require "pt.nn.layers"
local module = require "pt.nn.module"
local QuantizedLinear = require "pt.nn.quantized".QuantizedLinear
local signature = require "pt.signature"

-- Whether a module is a plain Linear, or one whose weight is (in, out) as GPT-2's, and its features divide into blocks,
-- which hold 32 numbers.
local function divides(m)
  if m._transposed then return m.weight:size(1) % 32 == 0 end
  return getmetatable(m) == layers.Linear and m.in_features % 32 == 0
end

--- Replaces the Linear layers below a module by quantised ones; returns the module. filter(layer, path) says which,
-- among those whose features divide into blocks; a layer that several parts share stays shared.
return signature("quantize_", "format:s=q8_0 filter:F?", function(root, format, filter)
  if not module.is_module(root) then fail("quantize_: expected a module, got %s", signature.describe(root)) end
  if format ~= "q8_0" and format ~= "q4_0" then
    fail("quantize_: format '%s' is not 'q8_0' or 'q4_0'", format)
  end
  local made, found = {}, {}
  for path, m in root:named_modules() do
    for name, child in m:named_children() do
      local full = path == "" and name or path .. "." .. name
      if divides(child) and (not filter or filter(child, full)) then
        made[child] = made[child] or QuantizedLinear.from_float(child, format)
        found[#found + 1] = { m, name, made[child] }
      end
    end
  end
  for _, f in ipairs(found) do
    local held = rawget(f[1], f[2]) ~= nil -- else by number, which names count from 0
    f[1][held and f[2] or math.tointeger(f[2]) + 1] = f[3]
  end
  return root
end)

