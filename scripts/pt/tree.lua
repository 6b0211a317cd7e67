--- Tables of tensors, at any depth: parameters by name, lists of results. State dicts are such tables; objects of
--- classes are not.

local core = require "pt.core"
local StateDict = require "pt.state_dict"

local tree = {}

--- Whether a value is a table that may hold tensors.
---@param value any
---@return boolean
function tree.is_tree(value)
  if type(value) ~= "table" or core.is_tensor(value) then return false end
  local meta = getmetatable(value)
  return meta == nil or meta == StateDict
end

-- The keys of a table in order, positions first.
local function keys_of(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) == type(b) then return a < b end
    return type(a) == "number"
  end)
  return keys
end

--- The tensors in a value, in the order of its keys, appended to `leaves`.
---@param value any
---@param leaves pt.Tensor[]
---@return pt.Tensor[] leaves
function tree.gather(value, leaves)
  if core.is_tensor(value) then leaves[#leaves + 1] = value end
  for _, key in ipairs(tree.is_tree(value) and keys_of(value) or {}) do tree.gather(value[key], leaves) end
  return leaves
end

--- The value with each tensor replaced by what fn(tensor) gives, called in the order of gather.
---@param value any
---@param fn fun(x: pt.Tensor): any
---@return any
function tree.replace(value, fn)
  if core.is_tensor(value) then return fn(value) end
  if not tree.is_tree(value) then return value end
  local out = {}
  for _, key in ipairs(keys_of(value)) do out[key] = tree.replace(value[key], fn) end
  return out
end

return tree
