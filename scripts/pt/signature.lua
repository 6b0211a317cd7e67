--- Arguments as PyTorch has them: by position, or by name in a last table.
--
--   Linear.init = signature("Linear", "in_features:i out_features:i bias:b=true",
--     function(self, in_features, out_features, bias) ... end)
--
-- makes `Linear(16, 10)`, `Linear(16, 10, false)` and `Linear(16, 10, {bias = false})` the same call with
-- checked values. Types: i integer, n number, b boolean, s string, T tensor, A tensor or number, I list of
-- integers, D dim or list of dims, y dtype, l list, f function, a anything. `?` after the type: may be
-- left out (or false, PyTorch's None); `=value`: the default.

local core = require "pt.core"
local fail = require "pt.fail"
local nearest = require "pt.nearest"

local function is_number(v) return type(v) == "number" end
local function is_integer(v) return is_number(v) and math.tointeger(v) ~= nil end

local function is_integers(v)
  if type(v) ~= "table" then return false end
  for _, n in ipairs(v) do
    if not is_integer(n) then return false end
  end
  return true
end

local function is_dtype(v)
  for _, dtype in pairs(core.dtypes) do
    if dtype == v then return true end
  end
  return false
end

local kinds = {
  i = { "an integer", is_integer },
  n = { "a number", is_number },
  A = { "a tensor or a number", function(v) return is_number(v) or type(v) == "boolean" or core.is_tensor(v) end },
  I = { "a list of integers", is_integers },
  D = { "a dim or a list of dims", function(v) return is_integer(v) or is_integers(v) end },
  y = { "a dtype", is_dtype },
  b = { "true or false", function(v) return type(v) == "boolean" end },
  s = { "a string", function(v) return type(v) == "string" end },
  T = { "a tensor", core.is_tensor },
  l = { "a list", function(v) return type(v) == "table" end },
  f = { "a function", function(v) return type(v) == "function" or type(v) == "table" end },
  a = { "a value", function() return true end },
}

local function value_of(text)
  if text == "true" or text == "false" then return text == "true" end
  return math.tointeger(text) or tonumber(text) or text
end

local function parse(text)
  local params, defaults = {}, {}
  for word in text:gmatch("%S+") do
    local name, kind, mark, default = word:match("^([%w_]+):(%a)(%??)=?(.*)$")
    params[#params + 1] = { name = name, kind = kind, optional = mark == "?" or default ~= "" }
    if default ~= "" then defaults[#params] = value_of(default) end
    params[name] = #params
  end
  return params, defaults
end

local function unknown(owner, params, name)
  local names = {}
  for i, param in ipairs(params) do names[i] = param.name end
  local close = nearest(tostring(name), names)
  fail("%s: unknown option '%s'; %s", owner, name,
    close and ("did you mean '%s'?"):format(close) or "it takes " .. table.concat(names, ", "))
end

local function describe(value)
  if type(value) == "string" then return ("'%s'"):format(value) end
  if type(value) == "table" or type(value) == "userdata" then return "a " .. type(value) end
  return tostring(value)
end

-- Whether a last table holds options. A place that takes a table takes it, except one whose keys are our names.
local function is_options(table, param, params)
  if type(table) ~= "table" or getmetatable(table) ~= nil then return false end
  local key = next(table)
  if not (param and param.kind:find "[laID]") then return true end
  return type(key) == "string" and (params[key] ~= nil or param.kind:find "[ID]" ~= nil)
end

-- The values of `given` (n of them, perhaps with an options table last) in the order of the parameters.
local function arrange(owner, params, defaults, given, n)
  local last = given[n]
  if n > 0 and is_options(last, params[n], params) then
    given[n], n = nil, n - 1
    for name, value in pairs(last) do
      local at = params[name] or unknown(owner, params, name)
      if given[at] ~= nil then fail("%s: %s is given twice", owner, name) end
      given[at] = value
    end
  end
  if n > #params then fail("%s: takes %d arguments, got %d", owner, #params, n) end
  for i, param in ipairs(params) do
    local value = given[i]
    if value == nil then value = defaults[i] end
    if param.optional and value == false and param.kind ~= "b" then value = nil end
    if value == nil and not param.optional then
      fail("%s: %s is missing, %s", owner, param.name, kinds[param.kind][1])
    elseif value ~= nil and not kinds[param.kind][2](value) then
      fail("%s: %s must be %s, got %s", owner, param.name, kinds[param.kind][1], describe(value))
    end
    given[i] = param.kind == "i" and value and math.tointeger(value) or value
  end
  return given
end

---@param owner string the name for messages
---@param text string
---@param fn fun(self, ...)
---@return fun(self, ...)
local function signature(owner, text, fn)
  local params, defaults = parse(text)
  local count, bare = #params, true
  for _, param in ipairs(params) do bare = bare and param.optional end
  return function(self, ...)
    local n = select("#", ...)
    if n == 0 and bare then return fn(self, table.unpack(defaults, 1, count)) end
    return fn(self, table.unpack(arrange(owner, params, defaults, { ... }, n), 1, count))
  end
end

return signature
