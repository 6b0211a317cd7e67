--- Sine waves foretold by two LSTM cells, trained with L-BFGS on all waves at once.
--
--   ptlua scripts/examples/time_sequence.lua [--smoke]
--
-- Expected: loss and test loss of 2.6e-5 after 8 steps; the continued wave goes on swinging.

local pt = require "pt"
local nn, optim = pt.nn, pt.optim

local smoke = arg[1] == "--smoke"
pt.set_default_dtype(pt.float64)
pt.manual_seed(0)

-- 100 waves of the same period, each with a start of its own.
local LENGTH, PERIOD, WAVES = smoke and 60 or 400, 20, smoke and 8 or 100
local starts = pt.randint(-4 * PERIOD, 4 * PERIOD + 1, { WAVES, 1 }):double()
local waves = ((pt.range(1, LENGTH):double():unsqueeze(1) + starts) / PERIOD):sin()
local held = math.max(3, WAVES // 33) -- waves kept for the test
local x, y = waves:narrow(1, held + 1, WAVES - held):narrow(2, 1, LENGTH - 1),
  waves:narrow(1, held + 1, WAVES - held):narrow(2, 2, LENGTH - 1)
local test_x, test_y = waves:narrow(1, 1, held):narrow(2, 1, LENGTH - 1),
  waves:narrow(1, 1, held):narrow(2, 2, LENGTH - 1)

local Waves = nn.class("Waves")

function Waves:init()
  local width = smoke and 8 or 51
  self.first, self.second, self.out = nn.LSTMCell(1, width), nn.LSTMCell(width, width), nn.Linear(width, 1)
end

--- x (waves, steps) -> the next value after each step, and `future` more
function Waves:forward(input, future)
  local outputs, h1, c1, h2, c2 = {}, nil, nil, nil, nil
  for t = 1, input:size(2) + (future or 0) do
    local value = t <= input:size(2) and input:narrow(2, t, 1) or outputs[t - 1]
    h1, c1 = self.first(value, h1 and { h1, c1 })
    h2, c2 = self.second(h1, h2 and { h2, c2 })
    outputs[t] = self.out(h2)
  end
  return pt.cat(outputs, 2)
end

local model = Waves()
local criterion = nn.MSELoss()
local optimizer = optim.LBFGS(model:parameters(), { lr = 0.8, max_iter = smoke and 5 or 20 })

local first, last
for step = 1, smoke and 2 or 8 do
  optimizer:step(function()
    optimizer:zero_grad()
    local loss = criterion(model(x), y)
    loss:backward()
    last = loss:item()
    first = first or last
    return loss
  end)
  local test = pt.no_grad(function() return criterion(model(test_x), test_y):item() end)
  print(("step %d  loss %.3e  test %.3e"):format(step, last, test))
end

local future = pt.no_grad(function() return model(test_x:narrow(1, 1, 1), 40) end)
print("continued: " .. tostring(future:narrow(2, LENGTH, 40):reshape(-1)[{ { 1, 40, 8 } }]))
pt.set_default_dtype(pt.float32)
assert(last < first, "the loss did not fall")
