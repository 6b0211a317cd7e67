--- pt.nn: modules, layers, losses.

local class = require "pt.class"
local fail = require "pt.fail"
local module = require "pt.nn.module"

local nn = {
  Module = module.Module,
  Parameter = module.Parameter,
  functional = require "pt.nn.functional",
  init = require "pt.nn.initial",
}

nn.utils = require "pt.nn.utils"

for _, part in ipairs {
  "layers", "activations", "convolutions", "norms", "recurrent", "attention", "containers", "losses",
} do
  for name, layer in pairs(require("pt.nn." .. part)) do nn[name] = layer end
end

--- A new kind of module. Define `init`, which makes parameters and layers by assigning them to fields, and `forward`:
---
---     local Net = nn.class("Net")
---     function Net:init() self.linear = nn.Linear(10, 10) end
---     function Net:forward(x) return self.linear(x) end
---     local y = Net()(pt.randn(4, 10))
---@param name string
---@param base? table a class to start from, default nn.Module
---@return table
function nn.class(name, base)
  if type(name) ~= "string" then fail("nn.class: expected a name, got a %s", type(name)) end
  base = base or nn.Module
  if type(base) ~= "table" or not base.__ptmodule then fail("nn.class: the base of %s is not a module class", name) end
  return class(name, base)
end

-- What needs the worker pool is loaded when it is first used.
setmetatable(nn, {
  __index = function(_, name)
    if name ~= "DataParallel" and name ~= "parallel" then return nil end
    nn.parallel = require "pt.parallel"
    nn.DataParallel = nn.parallel.DataParallel
    return nn[name]
  end,
})

return nn
