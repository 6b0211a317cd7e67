--- Fields of modules that are computed from parameters before each forward: weight_norm, spectral_norm, pruning.

local pt = require "pt"
local fail = require "pt.fail"
local module = require "pt.nn.module"

local remade = {}

--- The parameter `name` of a module, taken out of it: it will be computed from others.
---@param owner string for messages
---@param m pt.nn.Module
---@param name string
---@return pt.Tensor
function remade.take(owner, m, name)
  if not module.is_module(m) then fail("%s: expected a module, got a %s", owner, type(m)) end
  for key in pairs(rawget(m, "_remade") or {}) do
    if key:match "%.(.*)$" == name then fail("%s: '%s' of %s is made so already", owner, name, m:describe()) end
  end
  local w = rawget(m, name)
  if not (pt.is_tensor(w) and module.is_parameter(w)) then
    fail("%s: %s has no parameter '%s'", owner, m:describe(), name)
  end
  m[name] = nil
  return w
end

--- Has make(m) write field `name` before each forward, and now; kept so that it can be taken away.
---@param m pt.nn.Module
---@param name string
---@param kind string what makes it so
---@param make fun(m: pt.nn.Module): pt.Tensor
---@return pt.nn.Module m
function remade.before_forward(m, name, kind, make)
  local key = kind .. "." .. name
  local hooks = rawget(m, "_remade") or {}
  rawset(m, "_remade", hooks)
  hooks[key] = function(self) self[name] = make(self) end
  m:register_forward_pre_hook(hooks[key])
  hooks[key](m)
  return m
end

--- Whether `name` is made so; without a name, whether any field is.
---@param m pt.nn.Module
---@param name string?
---@param kind string
---@return boolean
function remade.is(m, name, kind)
  for key in pairs(rawget(m, "_remade") or {}) do
    if key == kind .. "." .. (name or key:match "%.(.*)$") then return true end
  end
  return false
end

--- Ends it; the field keeps the value that it has.
---@param owner string for messages
---@param m pt.nn.Module
---@param name string
---@param kind string
function remade.forget(owner, m, name, kind)
  if not module.is_module(m) then fail("%s: expected a module, got a %s", owner, type(m)) end
  local hooks = rawget(m, "_remade")
  local key = kind .. "." .. name
  if not (hooks and hooks[key]) then fail("%s: '%s' of %s is not made so", owner, name, m:describe()) end
  for i, hook in ipairs(m._hooks.before) do
    if hook == hooks[key] then table.remove(m._hooks.before, i) end
  end
  hooks[key] = nil
end

--- Makes the computed field a parameter again, and takes away what it was made of.
---@param m pt.nn.Module
---@param name string
---@param kind string
---@param parts string[] the ends of the names of what it was made of
---@return pt.nn.Module m
function remade.settle(m, name, kind, parts)
  remade.forget("remove_" .. kind, m, name, kind)
  local value = m[name]
  for _, part in ipairs(parts) do m[name .. part] = nil end
  m[name] = nil
  m[name] = module.Parameter(value:detach():clone())
  return m
end

return remade
