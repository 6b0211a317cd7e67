--- Classes. `local A = class("A", Base)`; `function A:init(...)` fills a new instance; `A(...)` makes one.
--
-- A class is a callable table and the metatable of its instances; an instance is a plain table. Nothing hides in
-- closures, so both can be sent to a worker. Fields of instances are looked up in the class, or by its `__index` where
-- the base has made that a function (pt.distributions computes fields so).

local fail = require "pt.fail"

local function new(self_class, ...)
  if self_class.__init then fail("%s: __init is never called; name the function init", self_class.__name) end
  local self = setmetatable({}, self_class)
  self:init(...)
  return self
end

---@param name string
---@param base? table
---@return table
local function class(name, base)
  if type(name) ~= "string" then fail("class: name must be a string, got a %s", type(name)) end
  if base ~= nil and (type(base) ~= "table" or base.__index == nil) then
    fail("class: the base of %s must be a class, got a %s", name, type(base))
  end
  local made = { init = not base and function() end or nil }
  for key, value in pairs(base or {}) do -- Lua looks metamethods up in the class itself: they are copied
    if type(key) == "string" and key:sub(1, 2) == "__" then made[key] = value end
  end
  made.__name = name
  if type(made.__index) ~= "function" then made.__index = made end
  return setmetatable(made, {
    __index = base,
    __call = new,
    __tostring = function(self) return "class " .. self.__name end,
  })
end

return class
