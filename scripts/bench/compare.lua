--- Runs a benchmark and its PyTorch counterpart in turn and prints how many times as fast ptlua is.
--
--   ptlua scripts/bench/compare.lua [NAME ...]      PYTHON: a Python with PyTorch, python3 by default

local here = arg[0]:match "^(.*/)"
local program, python = arg[-1] or "build/ptlua", os.getenv "PYTHON" or "python3"

-- name -> number and unit, and the names in order, of all lines that are figures: `add, 10 floats   0.432 us`.
local function run(command)
  local figures, units, names = {}, {}, {}
  local pipe = assert(io.popen(command))
  for line in pipe:lines() do
    local name, value, unit = line:match "^(.-)%s+([%d.]+) (%a+)$"
    if name then
      figures[name], units[name], names[#names + 1] = tonumber(value), unit, name
    end
  end
  if not pipe:close() then
    io.stderr:write("compare.lua: failed: ", command, "\n")
    os.exit(1)
  end
  return figures, units, names
end

local chosen = { table.unpack(arg) }
if #chosen == 0 then
  for path in assert(io.popen("ls " .. here .. "peers/*.py")):lines() do
    local name = path:match "([%w_]+)%.py$"
    local twin = io.open(here .. name .. ".lua")
    if twin then
      twin:close()
      if name ~= "timing" and name ~= "speed" then chosen[#chosen + 1] = name end
    end
  end
end

print(("%-44s %14s %14s %8s"):format("", "ptlua", "PyTorch", "faster"))
for _, name in ipairs(chosen) do
  local own, units, names = run(("%s %s%s.lua"):format(program, here, name))
  local peer = run(("%s %speers/%s.py"):format(python, here, name))
  for _, key in ipairs(names) do
    if peer[key] then
      local unit, ratio = units[key], peer[key] / own[key]
      print(("%-44s %11.2f %-2s %11.2f %-2s %7.2fx"):format(key, own[key], unit, peer[key], unit, ratio))
    end
  end
end
