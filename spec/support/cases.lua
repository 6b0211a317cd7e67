-- cases.lua: specs that are tables: an expression of Lua, and the values that it must give.
local pt = require "pt"

local function plain(value)
  if pt.is_tensor(value) then
    if value.dtype.is_complex then value = pt.view_as_real(value) end
    return value:tolist()
  end
  if type(value) ~= "table" then return value end
  local list = {}
  for i, v in ipairs(value) do list[i] = plain(v) end
  return list
end

-- Where two values differ by more than rounding; nil where they agree.
local function difference(got, want, path, tolerance)
  if type(got) ~= type(want) then return ("%s: %s, expected %s"):format(path, got, want) end
  if type(got) == "table" then
    if #got ~= #want then return ("%s: %d entries, expected %d"):format(path, #got, #want) end
    for i = 1, #got do
      local text = difference(got[i], want[i], path .. "[" .. i .. "]", tolerance)
      if text then return text end
    end
  elseif got ~= want and not (got ~= got and want ~= want) then
    local near = type(got) == "number" and math.abs(got - want) <= tolerance * math.max(1, math.abs(want))
    if not near or math.type(got) ~= math.type(want) then
      return ("%s: %s, expected %s"):format(path, got, want)
    end
  end
end

local cases = {}

local function compiled(case, names) return assert(load("return " .. case[1], "=case", "t", names)) end

--- Raises unless the expression of a case {expression, value, ...} gives these values. Tensors are compared as nested
--- lists, complex numbers as pairs.
---@param case table
---@param names table what the expression may use
---@param tolerance number? relative for large, absolute for small numbers; 1e-6 by default
function cases.check(case, names, tolerance)
  local results = { compiled(case, names)() }
  assert(#results == #case - 1, ("%d results, expected %d"):format(#results, #case - 1))
  for i, value in ipairs(results) do
    local text = difference(plain(value), case[i + 1], "result " .. i, tolerance or 1e-6)
    if text then error(text, 0) end
  end
end

--- Raises unless the expression of a case {expression, words...} fails with a message that holds the words.
function cases.refuse(case, names)
  local ok, err = pcall(compiled(case, names))
  assert(not ok, "accepted")
  for i = 2, #case do assert(tostring(err):find(case[i], 1, true), err) end
end

return cases
