--- The article's program: a small model, four trainings at the same time, then forward and backward passes over
--- pieces of data, each in a Lua state of its own on a thread of its own.
--
--   ptlua scripts/examples/article.lua

local pt = require "pt"
local nn, optim = pt.nn, pt.optim

-- A model is a class with layers in its fields and a forward method.
local SimpleModel = nn.class("SimpleModel")

function SimpleModel:init() self.linear = nn.Linear(10, 10) end

function SimpleModel:forward(x) return self.linear(x) end

-- One step of training; returns the loss.
local function train(model, data, target)
  model:train()
  local optimizer = optim.SGD(model:parameters(), { lr = 0.01 })
  local criterion = nn.MSELoss()
  optimizer:zero_grad()
  local output = model(data)
  local loss = criterion(output, target)
  loss:backward()
  optimizer:step()
  return loss:item()
end

pt.manual_seed(0)
local data, target = pt.randn(100, 10), pt.randn(100, 10)
local model = SimpleModel()
local pool <close> = pt.pool(4)

-- Four jobs, each with the same model and data. Tensors are passed without a copy; a worker that writes to one gets
-- its own, so the jobs do not disturb each other and all report the same loss.
local jobs = {}
for i = 1, 4 do jobs[i] = { model, data, target } end
local losses = pool:starmap(train, jobs)
print("Average loss:", pt.tensor(losses):mean():item())

-- Forward: one piece of the data for each worker, no history kept.
local function forward(x)
  model:eval()
  local _ <close> = pt.no_grad()
  return model(x)
end

local pieces = data:chunk(4)
local outputs = pool:map(forward, pieces)
for i, output in ipairs(outputs) do
  print(("forward %d: %s, mean %+.4f"):format(i, output.shape, output:mean():item()))
end

-- Backward: each worker returns the gradients of the loss on its piece.
local targets = target:chunk(4)
local function backward(i)
  model:train()
  local loss = nn.MSELoss()(model(pieces[i]), targets[i])
  loss:backward()
  return { loss = loss:item(), weight = model.linear.weight.grad, bias = model.linear.bias.grad }
end

for i, result in ipairs(pool:map(backward, { 1, 2, 3, 4 })) do
  print(("backward %d: loss %.4f, weight.grad %s, largest %.4f"):format(i, result.loss, result.weight.shape,
    result.weight:abs():max():item()))
end
