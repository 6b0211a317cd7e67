-- startup.lua: the time from start to exit of a program: build/ptlua scripts/tools/startup.lua PROGRAM
local pt = require "pt"

local times = {}
for i = 1, 21 do
  local start = pt.clock()
  assert(os.execute(arg[1] .. " -e ''"))
  times[i] = pt.clock() - start
end
table.sort(times)
print(("%-12s %6.1f ms, median of %d (with the shell that starts it)"):format("start-up", times[11] * 1e3, #times))
