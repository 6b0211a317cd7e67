--- Autograd, timed: the cost of a recorded call, a backward pass, a hook and a function in Lua; bytes of a node; the
--- savings of a checkpoint.
---
---   ptlua scripts/bench/autograd.lua        (peers/autograd.py is the same with PyTorch)

local pt = require "pt"
local autograd = pt.autograd

pt.set_num_threads(1)

local function seconds(fn)
  local best = math.huge
  for _ = 1, 5 do
    local start = pt.clock()
    fn()
    best = math.min(best, pt.clock() - start)
  end
  return best
end

local function report(name, value, unit) print(("%-44s %14.3f %s"):format(name, value, unit)) end

-- ---- small calls ----

local N = 100000
local x = pt.ones(1):requires_grad_()

local function chain(step)
  local y = x
  for _ = 1, N do y = step(y) end
  return y
end

local function add(y) return y + 1 end
report("a recorded call", seconds(function() chain(add) end) / N * 1e6, "us")
report("the same under no_grad", seconds(function() pt.no_grad(chain, add) end) / N * 1e6, "us")
local y = chain(add)
report("a node of a walk", seconds(function() y:backward { retain_graph = true } end) / N * 1e6, "us")
y = nil -- luacheck: ignore

do
  collectgarbage()
  local before = pt.memory_stats().held_bytes
  local long = x
  for _ = 1, 10 * N do long = long + 1 end
  report("bytes of a node in a chain of 10^6", (pt.memory_stats().held_bytes - before) / (10 * N), "bytes")
  local start = pt.clock()
  long:backward()
  report("backward of the chain", pt.clock() - start, "s")
end

local hooked = chain(function(v)
  v = v + 1
  v:register_hook(function() end)
  return v
end)
local start = pt.clock()
hooked:backward()
report("a node with a hook", (pt.clock() - start) / N * 1e6, "us")

local Double = autograd.Function "Double"
function Double.forward(_, v) return v * 2 end
function Double.backward(_, g) return g * 2 end
start = pt.clock()
chain(function(v) return Double(v) end):sum():backward()
report("a function in Lua, forward and backward", (pt.clock() - start) / N * 1e6, "us")

-- ---- training steps ----

local w, v = pt.randn(4, 4):requires_grad_(), pt.randn(2, 4)
report("v:mm(w):tanh():sum():backward()", seconds(function()
  for _ = 1, 10000 do v:mm(w):tanh():sum():backward() end
end) / 10000 * 1e6, "us")

-- ---- checkpoints ----

local weight = pt.randn(256, 256):mul_(0.05):requires_grad_()
local function block(h)
  for _ = 1, 8 do h = h:mm(weight):tanh() end
  return h
end

-- The peak bytes in tensors during the backward of 8 blocks, and the time.
local function deep(call)
  collectgarbage()
  collectgarbage()
  local before, h = pt.memory_stats().live_bytes, pt.ones(1024, 256)
  local began = pt.clock()
  for _ = 1, 8 do h = call(block, h) end
  collectgarbage()
  local kept = pt.memory_stats().live_bytes - before
  h:sum():backward()
  return kept / 2 ^ 20, pt.clock() - began
end

local function plain(fn, ...) return fn(...) end

for name, call in pairs { ["as it is"] = plain, ["checkpoints"] = autograd.checkpoint } do
  local kept, time = deep(call)
  report("64 layers, " .. name .. ": kept for backward", kept, "MB")
  report("64 layers, " .. name .. ": time", time * 1e3, "ms")
end
