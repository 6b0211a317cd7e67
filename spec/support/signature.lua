-- signature.lua: the parameters and the names of the outputs of an op, from its signature (scripts/pt/grammar.lua).

local grammar = require "pt.grammar"

---@param sig string
---@return pt.Parameter[] parameters, string[] outputs
return function(sig)
  local signature, outputs = grammar.parse(sig), {}
  for k, output in ipairs(signature.outputs) do outputs[k] = output.name end
  if #outputs == 0 then outputs[1] = "y" end
  return signature.params, outputs
end
