--- Containers: modules that hold modules by number. `seq[1]` is the first; state dicts call it "0", as PyTorch's do.

local fail = require "pt.fail"
local class = require "pt.class"
local module = require "pt.nn.module"

-- Adds a module at the end, checked.
local function append(self, child)
  if not module.is_module(child) then
    fail("%s: entry %d must be a module, got a %s", self:describe(), #self + 1, type(child))
  end
  self[#self + 1] = child
  return self
end

--- Runs its modules one after the other: `nn.Sequential(nn.Linear(784, 10), nn.ReLU())`.
---@class pt.nn.Sequential: pt.nn.Module
---@overload fun(...: pt.nn.Module): pt.nn.Sequential
local Sequential = class("Sequential", module.Module)

function Sequential:init(...)
  for i = 1, select("#", ...) do append(self, (select(i, ...))) end
end

Sequential.append = append

function Sequential:forward(x)
  for i = 1, #self do x = self[i](x) end
  return x
end

--- A list of modules, for forward methods that use them as they like.
---@class pt.nn.ModuleList: pt.nn.Module
---@overload fun(modules?: pt.nn.Module[]): pt.nn.ModuleList
local ModuleList = class("ModuleList", module.Module)

function ModuleList:init(list)
  self:extend(list or {})
end

ModuleList.append = append

---@param list pt.nn.Module[]
function ModuleList:extend(list)
  if type(list) ~= "table" then fail("ModuleList: expected a list of modules, got a %s", type(list)) end
  for _, child in ipairs(list) do append(self, child) end
  return self
end

return { Sequential = Sequential, ModuleList = ModuleList }
