--- nn.utils.parametrize: parameters that are computed from others whenever they are read.
--
--   local Symmetric = nn.class "Symmetric"
--   function Symmetric:forward(x) return x:triu() + x:triu(1):t() end
--   nn.utils.parametrize.register_parametrization(layer, "weight", Symmetric())
--   layer.weight                                   -- symmetric, with a gradient for ...
--   layer.parametrizations.weight.original         -- this parameter
--
-- A module with such fields gets a class of its own, whose __index computes them and whose __newindex sets what they
-- are computed from, by right_inverse of the parametrizations.

local pt = require "pt"
local class = require "pt.class"
local containers = require "pt.nn.containers"
local fail = require "pt.fail"
local module = require "pt.nn.module"
local signature = require "pt.signature"

local parametrize = {}

-- ---- the list of what computes one field ----

---@class pt.nn.ParametrizationList: pt.nn.ModuleList
---@field original pt.Tensor what the field is computed from; original0, original1, ... where there are several
local List = class("ParametrizationList", containers.ModuleList)

-- What is computed from, as a list.
local function originals(self)
  if self.count == 1 then return { self.original } end
  local list = {}
  for i = 1, self.count do list[i] = self["original" .. i - 1] end
  return list
end

-- The values that give x: what right_inverse of the parametrizations makes of it, the last one first.
local function inverted(self, owner, x)
  local values = table.pack(x)
  for i = #self, 1, -1 do
    if self[i].right_inverse == nil then
      fail("%s: it is computed by %s, which has no right_inverse, and cannot be set", owner, self[i]:describe())
    end
    values = table.pack(self[i]:right_inverse(table.unpack(values, 1, values.n)))
  end
  return values
end

-- Of a tensor x, which is a parameter or a buffer, that `first` is to compute.
function List:init(first, x, is_parameter)
  self:append(first)
  local values = table.pack(x:detach())
  if first.right_inverse ~= nil then
    local _ <close> = pt.no_grad()
    values = table.pack(first:right_inverse(x:detach()))
  end
  rawset(self, "count", values.n)
  for i = 1, values.n do
    local value = values[i]
    if not pt.is_tensor(value) then
      fail("register_parametrization: right_inverse of %s must give tensors, got %s", first:describe(),
        signature.describe(value))
    end
    local name = values.n == 1 and "original" or "original" .. i - 1
    if not is_parameter then self:register_buffer(name, value:detach())
    elseif values.n == 1 and value.dtype == x.dtype and value.shape == x.shape then -- an optimizer may hold it
      if value:data_ptr() ~= x:data_ptr() then pt.no_grad(function() x:copy_(value) end) end
      self[name] = x
    else
      self[name] = module.Parameter(value:clone(), x.requires_grad)
    end
  end
end

--- The value of the field.
function List:forward()
  local x = self[1](table.unpack(originals(self)))
  for i = 2, #self do x = self[i](x) end
  return x
end

-- Sets what is computed from, so that the field becomes x.
local function assign(self, name, x)
  if not pt.is_tensor(x) then fail("%s: expected a tensor, got %s", name, signature.describe(x)) end
  local _ <close> = pt.no_grad()
  local values = inverted(self, name, x)
  local list = originals(self)
  if values.n ~= #list then
    fail("%s: right_inverse gives %d tensors, but it is made of %d", name, values.n, #list)
  end
  for i, value in ipairs(list) do
    if value.shape ~= values[i].shape then
      fail("%s: %s cannot be set to %s", name, tostring(value.shape), tostring(values[i].shape))
    end
    value:copy_(values[i])
  end
end

-- ---- classes with computed fields ----

local cache -- of the values, while parametrize.cached holds

local function value_of(self, list)
  if not cache then return list() end
  local key = rawget(self, "parametrizations")
  cache[key] = cache[key] or {}
  local value = cache[key][list]
  if value == nil then
    value = list()
    cache[key][list] = value
  end
  return value
end

-- The class of a module with computed fields, made from the class that it had.
local function computed_class(base)
  local made = class("Parametrized" .. base.__name, base)
  made._computed_from = base
  function made.__index(self, key)
    local lists = rawget(self, "parametrizations")
    local list = lists and type(key) == "string" and rawget(lists, key)
    if list and getmetatable(list) == List then return value_of(self, list) end
    return base[key]
  end
  function made.__newindex(self, key, value)
    local lists = rawget(self, "parametrizations")
    local list = lists and type(key) == "string" and rawget(lists, key)
    if list and getmetatable(list) == List then return assign(list, key, value) end
    return module.Module.__newindex(self, key, value)
  end
  return made
end

local function list_of(m, name)
  local lists = module.is_module(m) and rawget(m, "parametrizations")
  local list = lists and rawget(lists, name)
  return list and getmetatable(list) == List and list or nil
end

-- Raises unless the field keeps its shape and dtype.
local function check_value(m, name, before)
  local _ <close> = pt.no_grad()
  local after = m[name]
  if not pt.is_tensor(after) then
    fail("register_parametrization: '%s' becomes %s, not a tensor", name, signature.describe(after))
  end
  if after.shape ~= before.shape or after.dtype ~= before.dtype then
    fail("register_parametrization: '%s' becomes %s %s, but it was %s %s; { unsafe = true } allows it", name,
      tostring(after.dtype), tostring(after.shape), tostring(before.dtype), tostring(before.shape))
  end
end

local register = signature("register_parametrization",
  "tensor_name:s parametrization:a unsafe:b=false", function(m, name, parametrization, unsafe)
    if not module.is_module(m) then
      fail("register_parametrization: expected a module, got %s", signature.describe(m))
    end
    if not module.is_module(parametrization) then
      fail("register_parametrization: parametrization must be a module, got %s", signature.describe(parametrization))
    end
    parametrization:train(m.training)
    local list = list_of(m, name)
    if list then
      local before = m[name]
      list:append(parametrization)
      if not unsafe then
        local ok, err = pcall(check_value, m, name, before)
        if not ok then
          rawset(list, #list, nil)
          error(err, 0)
        end
      end
      local known = true -- so that the field keeps its value, as far as it can have it
      for i = 1, #list do known = known and list[i].right_inverse ~= nil end
      if known then assign(list, name, before:detach()) end
      return m
    end
    local x = rawget(m, name)
    if not pt.is_tensor(x) then
      fail("register_parametrization: %s has no parameter or buffer '%s'", m:describe(), name)
    end
    list = List(parametrization, x, module.is_parameter(x))
    m[name] = nil
    local base = getmetatable(m)
    if not rawget(m, "parametrizations") then
      rawset(m, "parametrizations", nil)
      m.parametrizations = containers.ModuleDict()
      setmetatable(m, computed_class(base))
    end
    m.parametrizations:set(name, list)
    if not unsafe then
      local ok, err = pcall(check_value, m, name, x)
      if not ok then
        parametrize.remove_parametrizations(m, name, false)
        error(err, 0)
      end
    end
    return m
  end)

--- Field `name` of a module is computed by `parametrization`, a module, from a parameter of that shape, which becomes
--- module.parametrizations[name].original; several are applied one after the other. If it has a method right_inverse,
--- the parameter begins with what that makes of the field's value, and assigning to the field sets the parameter by it;
--- it may give several tensors (original0, original1, ...), which forward takes. unsafe: shape and dtype may change.
---@param m pt.nn.Module
---@param tensor_name string
---@param parametrization pt.nn.Module
---@param options? {unsafe: boolean}
---@return pt.nn.Module m
function parametrize.register_parametrization(m, tensor_name, parametrization, options)
  return register(m, tensor_name, parametrization, options)
end

--- Whether a field of a module (any, without a name) is computed so.
---@type fun(m: pt.nn.Module, tensor_name?: string): boolean
parametrize.is_parametrized = signature("is_parametrized", "tensor_name:s?", function(m, name)
  if not module.is_module(m) then fail("is_parametrized: expected a module, got %s", signature.describe(m)) end
  if name then return list_of(m, name) ~= nil end
  return rawget(m, "parametrizations") ~= nil
end)

--- Ends it. The field becomes a parameter with the value that it has, or (leave_parametrized = false) what it was
--- computed from.
---@type fun(m: pt.nn.Module, tensor_name: string, leave_parametrized?: boolean): pt.nn.Module
parametrize.remove_parametrizations = signature("remove_parametrizations",
  "tensor_name:s leave_parametrized:b=true", function(m, name, leave)
    local list = list_of(m, name)
    if not list then
      fail("remove_parametrizations: '%s' of %s is not parametrized", name,
        module.is_module(m) and m:describe() or signature.describe(m))
    end
    local original = list.count == 1 and list.original
    if not leave and not original then
      fail("remove_parametrizations: '%s' is computed from %d tensors; only its value can be left", name, list.count)
    end
    local value = m[name]:detach()
    local lists = m.parametrizations
    lists[name] = nil
    if #lists:children() == 0 then
      setmetatable(m, getmetatable(m)._computed_from)
      m.parametrizations = nil
    end
    if original and leave and original.shape == value.shape and original.dtype == value.dtype then
      pt.no_grad(function() original:copy_(value) end)
    end
    if original and (not leave or original.shape == value.shape and original.dtype == value.dtype) then
      if module.is_parameter(original) then m[name] = original else m:register_buffer(name, original) end
    else
      m[name] = module.Parameter(value:clone())
    end
    return m
  end)

local Cached = { __close = function(self) cache = self.before end }

--- Within fn, or until the returned value is closed, a field is computed once, however often it is read.
---@param fn? function
function parametrize.cached(fn, ...)
  if fn ~= nil and type(fn) ~= "function" then
    fail("cached: fn must be a function, got %s", signature.describe(fn))
  end
  local scope = setmetatable({ before = cache }, Cached)
  cache = cache or setmetatable({}, { __mode = "k" })
  if fn == nil then return scope end
  local _ <close> = scope
  return fn(...)
end

return setmetatable(parametrize, { __index = require "pt.unknown"("pt.nn.utils.parametrize") })
