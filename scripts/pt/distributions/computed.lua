--- Classes whose objects compute fields when they are read, as properties do in Python:
---
---     local Shape, get = computed(class "Shape")
---     function get:area() return self.width * self.height end      shape.area
---
--- A field that is nowhere is an error that names the nearest one; names that begin with _ are nil.

local fail = require "pt.fail"
local nearest = require "pt.nearest"

-- The names of methods and fields of a class and its bases.
local function names(of)
  local list = {}
  while type(of) == "table" do
    for _, part in ipairs { of, rawget(of, "_get") or {}, rawget(of, "_constraints") or {} } do
      for key in next, part do list[#list + 1] = key end
    end
    of = (getmetatable(of) or {}).__index
  end
  return list
end

-- Metamethod of the objects: a field that one does not hold.
local function index(self, key)
  local class = getmetatable(self)
  local value = class[key]
  if value ~= nil then return value end
  local compute = class._get[key]
  if compute then return compute(self) end
  if type(key) ~= "string" or key:sub(1, 1) == "_" then return nil end
  local close = nearest(key, names(class))
  fail("%s: there is no '%s'%s", class.__name, key, close and ("; did you mean '%s'?"):format(close) or "")
end

---@param class table made by pt.class; its base may be one of these
---@return table class
---@return table<string, fun(self): any> get what computes its fields
local function computed(class)
  class.__index = index
  class._get = setmetatable({}, { __index = class._get })
  return class, class._get
end

return computed
