--- State dicts: tensors by name, in order. `sd["0.weight"]` is a tensor, `pairs(sd)` walks names and tensors in the
--- order in which they were added, `#sd` counts them; what `model:state_dict()` and `pt.load` return.
--
-- The array part holds the names in order, the hash part the tensors.

---@class pt.StateDict
local StateDict = {}

function StateDict.__newindex(self, name, tensor)
  local at = #self + 1
  for i = 1, #self do -- a name that was cleared keeps its place
    if rawget(self, i) == name then at = i end
  end
  rawset(self, at, name)
  rawset(self, name, tensor)
end

function StateDict.__pairs(self)
  local i = 0
  return function()
    local name, tensor
    repeat
      i = i + 1
      name = rawget(self, i)
      tensor = name and rawget(self, name)
    until tensor ~= nil or name == nil
    return name, tensor
  end
end

function StateDict.__tostring(self)
  local lines = {}
  for name, tensor in pairs(self) do
    lines[#lines + 1] = ("  %s: %s %s"):format(name, tensor.dtype, tensor.shape)
  end
  return ("StateDict {\n%s\n}"):format(table.concat(lines, "\n"))
end

--- `names` becomes the dict.
---@param names? string[] each once
---@param tensors? pt.Tensor[]
---@return pt.StateDict
function StateDict.new(names, tensors)
  local self = names or {}
  for i = 1, #self do self[self[i]] = tensors[i] end
  return setmetatable(self, StateDict)
end

return StateDict
