-- Ten million training steps, or as many as there is time for, with an error every thousand: the process takes no more
-- memory after the first tenth.
local pt = require "pt"
local common = require "spec.torture.common"

local STEPS, LOOK = 10000000, 10000

local function resident()
  local file <close> = assert(io.open "/proc/self/statm")
  return 4096 * tonumber(file:read "a":match "%d+ (%d+)")
end

pt.manual_seed(1)
local w = pt.randn(4, { requires_grad = true })
local optimizer = pt.optim.SGD({ w }, { lr = 1e-3, momentum = 0.9 })
local x = pt.randn(4)
local function step(i)
  optimizer:zero_grad()
  local loss = (w * x):sum():square()
  loss:backward()
  optimizer:step()
  if i % 1000 == 0 then assert(not pcall(pt.matmul, w, pt.ones(3))) end
end

local n, settled, most = 0, nil, 0
while n < STEPS and common.goes_on() do
  for i = 1, LOOK do step(i) end
  n = n + LOOK
  if n >= STEPS // 10 then
    settled = settled or resident()
    most = math.max(most, resident())
  end
end
local grown = settled and most - settled or 0
if grown > 1 << 20 then common.fault("memory", ("grows by %d KB"):format(grown // 1024)) end
common.done("%d steps, %d KB more than after the first million", n, grown // 1024)
