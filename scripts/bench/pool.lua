--- The worker pool, timed: starting, round trips, throughput, training in replicas; then what has no counterpart in
--- PyTorch: how two workers scale, matmul within the budget of threads, bytes of an idle worker.
---
---   ptlua scripts/bench/pool.lua            (peers/pool.py is the same with Python's processes)

local pt = require "pt"
local nn, optim = pt.nn, pt.optim
local clock = pt.clock

-- Seconds of one call of fn: the minimum, or the median where calls wait for other threads.
local function times(fn, rounds)
  local list = {}
  for i = 1, rounds do
    local start = clock()
    fn()
    list[i] = clock() - start
  end
  table.sort(list)
  return list[1], list[#list // 2 + 1]
end

local function report(name, seconds) print(("%-44s %14.3f us"):format(name, seconds * 1e6)) end

local function identity(x) return x end
local function numbers(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

-- ---- starting ----

local function open_and_use()
  local pool <close> = pt.pool(4)
  pool:apply(identity, 1)
end
local start = clock()
do
  local pool <close> = pt.pool(4)
  pool:apply(identity, 1)
  report("pool of 4: opened, first task done", clock() - start)
end
report("pool of 4: opened, one task, closed", select(2, times(open_and_use, 30)))

-- ---- round trips ----

local pool <close> = pt.pool(4)
report("apply, trivial function", select(2, times(function() pool:apply(identity, 1) end, 2000)))
local big = pt.randn(25 * 2 ^ 18 // 1 | 0)
report("25 MB tensor, there and back", select(2, times(function() pool:apply(identity, big) end, 300)))
local many, some = numbers(200000), numbers(20000)
report("map over 200,000 numbers", (times(function() pool:map(identity, many) end, 7)))
report("map over 20,000 numbers, chunksize 1", (times(function() pool:map(identity, some, { chunksize = 1 }) end, 5)))

do
  local there, back = pt.channel(1), pt.channel(1)
  local echo = pool:submit(function()
    for value in there:values() do back:push(value) end
  end)
  report("channel, a number there and back", select(2, times(function()
    there:push(1)
    back:pop()
  end, 2000)))
  there:close()
  echo:get()
end

-- ---- training ----

local Simple = nn.class("Simple")
function Simple:init() self.linear = nn.Linear(10, 10) end
function Simple:forward(x) return self.linear(x) end

local function train(model, data, target)
  model:train()
  local optimizer = optim.SGD(model:parameters(), { lr = 0.01 })
  optimizer:zero_grad()
  local loss = nn.MSELoss()(model(data), target)
  loss:backward()
  optimizer:step()
  return loss:item()
end

local model, data, target = Simple(), pt.randn(100, 10), pt.randn(100, 10)
local jobs = {}
for i = 1, 4 do jobs[i] = { model, data, target } end
report("starmap of the article's 4 trainings", select(2, times(function() pool:starmap(train, jobs) end, 100)))

local mlp = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
local x, y = pt.randn(64, 10), pt.randn(64, 1)
local function replica()
  local optimizer = optim.SGD(mlp:parameters(), { lr = 0.01 })
  local criterion, loss = nn.MSELoss(), nil
  for _ = 1, 1500 do
    optimizer:zero_grad()
    loss = criterion(mlp(x), y)
    loss:backward()
    optimizer:step()
  end
  return loss:item()
end
report("4 replicas x 1,500 steps of a 10-32-1 MLP", (times(function() pool:map(replica, { 1, 2, 3, 4 }) end, 3)))

-- ---- without a counterpart ----

-- The minima of two functions that take turns, so that other load on the machine affects both.
local function duel(one, other, rounds)
  local a, b = math.huge, math.huge
  for _ = 1, rounds do a, b = math.min(a, (times(one, 1))), math.min(b, (times(other, 1))) end
  return a, b
end

local function count()
  local s = 0
  for i = 1, 5000000 do s = s + i % 7 end
  return s
end
local pair <close> = pt.pool(2)
local alone, both = duel(function() pair:map(count, { 1 }) end, function() pair:map(count, { 1, 2 }) end, 20)
print(("%-44s %14.2f x"):format("2 CPU-bound workers against 1", 2 * alone / both))

local a = pt.randn(512, 512)
local function multiply(n)
  for _ = 1, n do a:matmul(a) end
end
pool:map(multiply, { 1, 1, 1, 1 })
local single, spread = duel(function() multiply(40) end, function() pool:map(multiply, { 10, 10, 10, 10 }) end, 20)
print(("%-44s %14.2f x"):format("time of 4 workers' matmuls against one's", spread / single))

local function resident()
  for line in io.lines "/proc/self/status" do
    local kilobytes = line:match "^VmRSS:%s+(%d+)"
    if kilobytes then return tonumber(kilobytes) end
  end
end
collectgarbage()
local before = resident()
local idle <close> = pt.pool(64)
idle:map(identity, numbers(64), { chunksize = 1 })
print(("%-44s %14.0f KB"):format("an idle worker", (resident() - before) / 64))
