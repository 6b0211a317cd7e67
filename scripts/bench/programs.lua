--- Whole programs, with the start of the process: an empty one, the article's, the training run on digits; and the
--- cost of large graphs and lists.
--
--   ptlua scripts/bench/programs.lua        (peers/programs.py runs the same in PyTorch)

local here = arg[0]:match "^(.*/)"
package.path = here .. "?.lua;" .. package.path
local pt = require "pt"
local timing = require "timing"

local program = arg[-1] or "build/ptlua"
local examples = here .. "../examples/"

local function whole(name, command, rounds)
  local best = math.huge
  for _ = 1, rounds do
    local start = pt.clock()
    assert(os.execute(command .. " >/dev/null"))
    best = math.min(best, pt.clock() - start)
  end
  timing.report(name, best)
end

whole("process that does nothing", program .. " -e ''", 20)
whole("article's program", program .. " " .. examples .. "article.lua", 10)
whole("training on digits, 15 epochs", program .. " " .. examples .. "train.lua", 3)

local function once(name, fn)
  collectgarbage()
  local start = pt.clock()
  fn()
  timing.report(name, pt.clock() - start)
end

once("chain of 10^6 ops, forward and backward", function()
  local x = pt.ones(1, { requires_grad = true })
  local y = x
  for _ = 1, 1000000 do y = y + 1 end
  y:backward()
  assert(x.grad:item() == 1)
end)

local list = {}
for i = 1, 3000000 do list[i] = i + 0.5 end
once("list of 3 * 10^6 numbers to a tensor", function() return pt.tensor(list) end)
list = nil -- luacheck: ignore
