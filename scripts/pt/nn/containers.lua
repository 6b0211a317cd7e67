--- Containers: modules that hold modules or parameters by number or by name. `seq[1]` is the first; state dicts call it
--- "0", as PyTorch's do.

local pt = require "pt"
local fail = require "pt.fail"
local class = require "pt.class"
local module = require "pt.nn.module"
local signature = require "pt.signature"

local function check_module(self, what, child)
  if not module.is_module(child) then
    fail("%s: %s must be a module, got a %s", self:describe(), what, type(child))
  end
  return child
end

-- Adds a module at the end.
local function append(self, child)
  local at = #self + 1
  self[at] = check_module(self, "entry " .. at, child)
  return self
end

local function extend(self, list)
  if type(list) ~= "table" then fail("%s: expected a list of entries, got a %s", self:describe(), type(list)) end
  for _, value in ipairs(list) do self:append(value) end
  return self
end

-- Puts a module before the one at `at`; those behind move up.
local function insert(self, at, child)
  local n = #self
  if math.type(at) ~= "integer" or at < 1 or at > n + 1 then
    fail("%s: insert at %s, but there are places 1 to %d", self:describe(), at, n + 1)
  end
  check_module(self, "entry " .. at, child)
  self[n + 1] = child
  for i = n, at, -1 do self[i + 1] = rawget(self, i) end
  self[at] = child
  return self
end

--- Runs its modules one after the other: `nn.Sequential(nn.Linear(784, 10), nn.ReLU())`. Names are given by a list of
--- pairs: `nn.Sequential { { "hidden", nn.Linear(784, 10) }, { "out", nn.ReLU() } }`.
---@class pt.nn.Sequential: pt.nn.Module
---@overload fun(...: pt.nn.Module): pt.nn.Sequential
local Sequential = class("Sequential", module.Module)

function Sequential:init(...)
  local first = ...
  if select("#", ...) == 1 and type(first) == "table" and not module.is_module(first) then
    for i, pair in ipairs(first) do
      if type(pair) ~= "table" or type(pair[1]) ~= "string" then
        fail("Sequential: entry %d must be a pair of a name and a module", i)
      end
      self:add_module(pair[1], pair[2])
    end
    return
  end
  for i = 1, select("#", ...) do append(self, (select(i, ...))) end
end

Sequential.append, Sequential.extend, Sequential.insert = append, extend, insert

function Sequential:forward(x)
  if #self > 0 then
    for i = 1, #self do x = self[i](x) end
    return x
  end
  for _, child in ipairs(self:children()) do x = child(x) end
  return x
end

--- A list of modules, for forward methods that use them as they like.
---@class pt.nn.ModuleList: pt.nn.Module
---@overload fun(modules?: pt.nn.Module[]): pt.nn.ModuleList
local ModuleList = class("ModuleList", module.Module)

ModuleList.init = signature("ModuleList", "modules:a?", function(self, list) extend(self, list or {}) end)

ModuleList.append, ModuleList.extend, ModuleList.insert = append, extend, insert

-- ---- by name ----

-- Methods that dicts of modules and of parameters share. `_order` of the module lists what is held, in order.
local function dict(name, option, put)
  local made = class(name, module.Module)

  made.init = signature(name, option .. ":a?", function(self, entries) self:update(entries or {}) end)

  --- Adds what a table, or a list of pairs for an order of one's own, holds.
  function made:update(entries)
    if type(entries) ~= "table" then fail("%s: expected a table, got a %s", name, type(entries)) end
    if entries[1] ~= nil then
      for i, pair in ipairs(entries) do
        if type(pair) ~= "table" then fail("%s: pair %d must be {name, value}, got a %s", name, i, type(pair)) end
        self:set(pair[1], pair[2])
      end
      return self
    end
    local keys = {}
    for key in pairs(entries) do keys[#keys + 1] = tostring(key) end
    table.sort(keys)
    for _, key in ipairs(keys) do self:set(key, entries[key]) end
    return self
  end

  --- The same as `dict[key] = value`, checked.
  function made:set(key, value)
    if type(key) ~= "string" or key == "" or key:find(".", 1, true) then
      fail("%s: a key must be a string without dots, got %s", name, key)
    end
    if made[key] ~= nil then fail("%s: '%s' is the name of a method or field; take another key", name, key) end
    put(self, key, value)
    return self
  end

  ---@return string[]
  function made:keys()
    local keys = {}
    for _, key in ipairs(self._order) do
      if rawget(self, key) ~= nil then keys[#keys + 1] = key end
    end
    return keys
  end

  function made:values()
    local list = self:keys()
    for i, key in ipairs(list) do list[i] = self[key] end
    return list
  end

  --- `for key, value in dict:items() do`, in the order in which they were added.
  function made:items()
    local keys, i = self:keys(), 0
    return function()
      i = i + 1
      return keys[i], keys[i] and self[keys[i]]
    end
  end

  --- Takes an entry out.
  function made:pop(key)
    local value = rawget(self, key)
    if value == nil or made[key] ~= nil then fail("%s: has no '%s'", name, key) end
    rawset(self, key, nil)
    return value
  end

  function made:clear()
    for _, key in ipairs(self:keys()) do rawset(self, key, nil) end
  end

  function made:contains(key) return made[key] == nil and rawget(self, key) ~= nil end
  function made.__len(self) return #self:keys() end
  function made.__pairs(self) return self:items() end
  return made
end

--- Modules by name: `nn.ModuleDict { conv = nn.Conv2d(1, 2, 3) }`, then `modules.conv(x)`.
local ModuleDict = dict("ModuleDict", "modules", function(self, key, value)
  self[key] = check_module(self, "'" .. key .. "'", value)
end)

-- Any tensor becomes a parameter.
local function parameter(self, what, x)
  if not pt.is_tensor(x) then fail("%s: %s must be a tensor, got a %s", self:describe(), what, type(x)) end
  return module.is_parameter(x) and x or module.Parameter(x)
end

--- Parameters by name.
local ParameterDict = dict("ParameterDict", "parameters", function(self, key, value)
  self:register_parameter(key, parameter(self, "'" .. key .. "'", value))
end)

--- A list of parameters.
---@class pt.nn.ParameterList: pt.nn.Module
---@overload fun(values?: pt.Tensor[]): pt.nn.ParameterList
local ParameterList = class("ParameterList", module.Module)

ParameterList.init = signature("ParameterList", "values:a?", function(self, list) extend(self, list or {}) end)

function ParameterList:append(x)
  local at = #self + 1
  self[at] = parameter(self, "entry " .. at, x)
  return self
end

ParameterList.extend = extend

return {
  Sequential = Sequential, ModuleList = ModuleList, ModuleDict = ModuleDict,
  ParameterList = ParameterList, ParameterDict = ParameterDict,
}
