--- pt.nn: modules, layers, losses.

local class = require "pt.class"
local fail = require "pt.fail"
local lazy = require "pt.lazy"
local methods = require "pt.signature".methods
local module = require "pt.nn.module"

local nn = lazy({ Module = module.Module, Parameter = module.Parameter, Buffer = module.Buffer }, {
  "pt.nn.layers", "pt.nn.containers", "pt.nn.losses", "pt.nn.activations", "pt.nn.convolutions", "pt.nn.norms",
  "pt.nn.recurrent", "pt.nn.attention", "pt.nn.adaptive", "pt.nn.lazy_layers", "pt.nn.quantized", "pt.parallel",
}, { functional = "pt.nn.functional", init = "pt.nn.initial", utils = "pt.nn.utils", parallel = "pt.parallel" },
  function(value)
    if type(value) == "table" and value.__ptmodule then methods(value, "layer") end
  end, "pt.nn")

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

return nn
