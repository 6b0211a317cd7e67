--- Shared by the benchmarks: the best of several rounds, and one line for each figure, which compare.lua also reads.
local pt = require "pt"

local timing = {}

--- Seconds of one call of fn: the best of `rounds`, each long enough to measure.
---@param fn fun()
---@param rounds? integer default 5
function timing.best(fn, rounds)
  local n, best = 1, math.huge
  fn()
  while true do -- how many calls take 50 ms
    local start = pt.clock()
    for _ = 1, n do fn() end
    local spent = pt.clock() - start
    if spent > 0.05 then break end
    n = spent < 0.005 and n * 8 or n * 2
  end
  for _ = 1, rounds or 5 do
    local start = pt.clock()
    for _ = 1, n do fn() end
    best = math.min(best, (pt.clock() - start) / n)
  end
  return best
end

--- Prints `name  1.234 us`: seconds, in microseconds.
function timing.report(name, seconds) print(("%-44s %14.3f us"):format(name, seconds * 1e6)) end

---@param name string
---@param fn fun()
function timing.measure(name, fn, rounds) timing.report(name, timing.best(fn, rounds)) end

return timing
