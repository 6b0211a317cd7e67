--- The figures of small work, which is all dispatch, and of large work, bandwidth or arithmetic; on one thread.
--
--   ptlua scripts/bench/basics.lua          (peers/basics.py is the same in PyTorch)

package.path = arg[0]:match "^(.*/)" .. "?.lua;" .. package.path
local pt = require "pt"
local timing = require "timing"
local nn, optim = pt.nn, pt.optim
local measure = timing.measure

pt.set_num_threads(1)
pt.manual_seed(0)

-- ---- small ----

local a, b = pt.randn(10), pt.randn(10)
measure("add, 10 floats", function() return a + b end)
local tracked = pt.randn(10, { requires_grad = true })
measure("add, 10 floats, recorded", function() return tracked + b end)
local m = pt.randn(10, 10)
measure("matmul, 10 x 10", function() return m:matmul(m) end)
measure("sum, 10 x 10, dim 2", function() return m:sum(2) end)
measure("view, 10 x 10", function() return m:view(100) end)
measure("select a row", function() return m[3] end)

-- ---- the article's step ----

local data, target = pt.randn(100, 10), pt.randn(100, 10)
local model = nn.Linear(10, 10)
local optimizer, criterion = optim.SGD(model:parameters(), { lr = 0.01 }), nn.MSELoss()
measure("article's training step", function()
  optimizer:zero_grad()
  local loss = criterion(model(data), target)
  loss:backward()
  optimizer:step()
  return loss:item()
end)

-- ---- large ----

local x, y = pt.randn(10000000), pt.randn(10000000)
measure("relu, 10^7 floats", function() return x:relu() end)
measure("add, 10^7 floats", function() return x + y end)
measure("exp, 10^7 floats", function() return x:exp() end)
measure("sum, 10^7 floats", function() return x:sum() end)
local square = pt.randn(1024, 1024)
measure("matmul, 1024 x 1024", function() return square:mm(square) end)
measure("softmax, 1024 x 1024", function() return square:softmax(2) end)
measure("transposed copy, 1024 x 1024", function() return square:t():contiguous() end)
