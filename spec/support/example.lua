-- Runs an example of the reference as a reader would type it, and returns the text that it shows: what it printed, and
-- the values of its last line, which is an expression or a statement. `call` calls it in pcall's place.
local pt = require "pt"
local inspect = require "pt.inspect"

local function shown(value)
  local meta = getmetatable(value)
  if type(value) ~= "table" or type(meta) == "table" and meta.__tostring then return tostring(value) end
  return inspect(value, { width = 100 })
end

return function(code, call)
  local before, last = code:match "^(.*\n)([^\n]*)$"
  before, last = before or "", last or code
  local lines = {}
  local env = setmetatable({
    pt = pt, nn = pt.nn, F = pt.nn.functional, optim = pt.optim, data = pt.data, dist = pt.distributed,
  }, { __index = _G })
  local function say(...)
    local words = table.pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    lines[#lines + 1] = table.concat(words, "  ")
  end
  pt.manual_seed(1)
  local chunk = load(before .. "return " .. last, "=example", "t", env) or assert(load(code, "=example", "t", env))
  local print_of_all, tmpname, paths = print, os.tmpname, {}
  _G.print = say
  os.tmpname = function() -- luacheck: ignore
    paths[#paths + 1] = tmpname()
    return paths[#paths]
  end
  local values = table.pack((call or pcall)(chunk))
  _G.print, os.tmpname = print_of_all, tmpname -- luacheck: ignore
  for _, path in ipairs(paths) do os.remove(path) end
  if not values[1] then error(values[2], 0) end
  values = table.pack(table.unpack(values, 2, values.n))
  for i = 1, values.n do values[i] = shown(values[i]) end
  if values.n > 0 then lines[#lines + 1] = table.concat(values, "  ") end
  return table.concat(lines, "\n")
end
