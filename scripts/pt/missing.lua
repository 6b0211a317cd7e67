--- The field that was probably meant where a script indexed or called one that an object does not have: fields of
--- modules may be nil, so that they raise nothing of their own.

local nearest = require "pt.nearest"

-- The value that a name had in a frame: of a local, an outer local or a global.
local function named(frame, name)
  for _, variable in ipairs(frame.variables or {}) do
    if variable.name == name then return variable.value end
  end
  for i = 1, 255 do
    local upvalue, env = debug.getupvalue(frame.func, i)
    if not upvalue then return nil end
    if upvalue == "_ENV" and type(env) == "table" then return env[name] end
  end
end

-- What the text of a path like self.layers[2] stands for in a frame, without calling anything of the script.
local function resolved(frame, text)
  local root, rest = text:match "^([%a_][%w_]*)(.*)$"
  local value = root and named(frame, root)
  for key in (rest or ""):gmatch "[%w_]+" do
    if type(value) ~= "table" then return nil end
    value = rawget(value, math.tointeger(tonumber(key)) or key)
  end
  return value
end

-- The names of an object's fields and of the methods of its classes.
local function names_of(object)
  local names, at = {}, object
  for _ = 1, 10 do
    if type(at) ~= "table" then break end
    for key in next, at do
      if type(key) == "string" and key:sub(1, 1) ~= "_" then names[#names + 1] = key end
    end
    local meta = getmetatable(at)
    at = type(meta) == "table" and meta.__index
  end
  table.sort(names)
  return names
end

--- "; did you mean 'encoder'?", or nothing.
---@param message string of Lua: attempt to index a nil value (field 'encodr')
---@param frame table a frame of a report, the innermost of the script
---@param line string? its text
---@return string
return function(message, frame, line)
  local kind, name = message:match "attempt to %a+ a nil value %((%a+) '([%w_]+)'%)"
  if not line or kind ~= "field" and kind ~= "method" then return "" end
  for text in line:gmatch("([%a_][%w_%.%[%]]*)[.:]" .. name .. "%f[^%w_]") do
    local object = resolved(frame, text)
    local class = type(object) == "table" and getmetatable(object)
    if type(class) == "table" and class.__name then
      local close = nearest(name, names_of(object))
      return ("; %s has no %s of that name%s"):format(class.__name, kind,
        close and (", did you mean '%s'?"):format(close) or "")
    end
  end
  return ""
end
