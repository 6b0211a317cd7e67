--- The answer to a name that a table of the library does not have: an error with the nearest of its names.
---
---     setmetatable(linalg, { __index = unknown("pt.linalg") })      linalg.inverze → "... did you mean 'inverse'?"
--
-- Names that begin with _ are looked up by code that tests for them: they are nil.

local fail = require "pt.fail"
local nearest = require "pt.nearest"

local silent = false -- while `get` looks

---@param space string what messages call the table
---@param names? fun(t: table): string[] further names, of what is loaded on first use
---@return fun(t: table, name: any): nil
local function unknown(space, names)
  return function(t, name)
    if silent or type(name) ~= "string" or name:sub(1, 1) == "_" then return nil end
    local all = names and names(t) or {}
    for key in next, t do
      if type(key) == "string" and key:sub(1, 1) ~= "_" then all[#all + 1] = key end
    end
    table.sort(all)
    local close = nearest(name, all)
    fail("%s: there is no '%s'%s", space, name, close and ("; did you mean '%s'?"):format(close) or "")
  end
end

-- t[name], or nil: for code that tests whether a name is there.
local function get(t, name)
  local before = silent
  silent = true
  local ok, value = pcall(function() return t[name] end)
  silent = before
  return ok and value or nil
end

return setmetatable({ get = get }, { __call = function(_, ...) return unknown(...) end })
