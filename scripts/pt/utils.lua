--- pt.utils: what PyTorch has under torch.utils. checkpoint is pt.autograd's, data is pt.data; tensorboard writes what
--- TensorBoard shows.

local unknown = require "pt.unknown"

local parts = {
  data = function() return require "pt.data" end,
  tensorboard = function() return require "pt.tensorboard" end,
  checkpoint = function()
    local autograd = require "pt.autograd"
    local made = { checkpoint = autograd.checkpoint, checkpoint_sequential = autograd.checkpoint_sequential }
    return setmetatable(made, { __index = unknown "pt.utils.checkpoint" })
  end,
}

local function names()
  local list = {}
  for name in pairs(parts) do list[#list + 1] = name end
  return list
end

local otherwise = unknown("pt.utils", names)

return setmetatable({}, {
  __index = function(utils, name)
    if not parts[name] then return otherwise(utils, name) end
    local part = parts[name]()
    rawset(utils, name, part)
    return part
  end,
  __names = names,
})
