-- signature.lua: reads the signature of an op, "x:T! dim:i?=-1 -> values:T indices:T".

---@class spec.Parameter
---@field name string
---@field type string one letter, as engine/op.h explains
---@field optional boolean it may be left out
---@field inplace boolean the op has a twin that edits this tensor

---@param sig string
---@return spec.Parameter[] parameters, string[] outputs
return function(sig)
  local ins, outs = sig:match "^(.-)%s*%->%s*(.*)$"
  local parameters, outputs = {}, {}
  for name, kind, rest in (ins or sig):gmatch "([%w_]+):(%a)(%S*)" do
    parameters[#parameters + 1] = {
      name = name, type = kind, optional = rest:find "[?=*]" ~= nil, inplace = rest:find "!" ~= nil,
    }
  end
  for name in (outs or "y:T"):gmatch "([%w_]+):" do outputs[#outputs + 1] = name end
  return parameters, outputs
end
