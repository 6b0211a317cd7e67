--- How most layers are made:
--
--   define("ELU", "alpha:n=1 inplace:b=false", function(self, x) return (F.elu(x, self.alpha, self.inplace)) end)
--
-- gives a class whose options are checked, become fields, and stand between the parentheses when it is printed. The
-- parentheses around a call that is returned keep forward on the stack, where error messages find the layer.

local pt = require "pt"
local class = require "pt.class"
local factory = require "pt.nn.factory"
local module = require "pt.nn.module"
local signature = require "pt.signature"

local function shown(value)
  if type(value) == "number" then return ("%g"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for i, v in ipairs(value) do parts[i] = shown(v) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

---@param name string
---@param options string a signature (pt.signature)
---@param forward fun(self: pt.nn.Module, ...): ...
---@param setup? fun(self: pt.nn.Module) makes parameters and buffers; checks the fields
---@param init fun(name: string, options: string, fn: function): function signature, or factory
---@return table
local function made_by(init, name, options, forward, setup)
  local made, keys = class(name, module.Module), {}
  for key in options:gmatch "([%w_]+):" do
    if init == signature or key ~= "device" and key ~= "dtype" then keys[#keys + 1] = key end
  end
  made.forward = forward

  made.init = init(name, options, function(self, ...)
    for i, key in ipairs(keys) do
      local value = select(i, ...)
      if pt.is_tensor(value) then self:register_buffer(key, value) else rawset(self, key, value) end
    end
    if setup then setup(self) end
  end)

  function made:extra_repr()
    local parts = {}
    for _, key in ipairs(keys) do
      local value = rawget(self, key)
      if value ~= nil and value ~= false and not pt.is_tensor(value) then
        parts[#parts + 1] = key .. "=" .. shown(value)
      end
    end
    return table.concat(parts, ", ")
  end
  return made
end

--- define(...), and define.with_parameters(...) for layers that make parameters or buffers: they take `device` and
--- `dtype` too (pt.nn.factory).
return setmetatable({ with_parameters = function(...) return made_by(factory, ...) end }, {
  __call = function(_, ...) return made_by(signature, ...) end,
})
