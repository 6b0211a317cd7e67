--- The peak memory of the building blocks of networks, forward and backward: bytes from the system, inputs included.
---
---   ptlua scripts/bench/memory.lua            each case in a process of its own
---   ptlua scripts/bench/memory.lua NAME       one of them, here

local pt = require "pt"
local F = pt.nn.functional

local function bytes_of(...)
  local sum = 0
  for _, x in ipairs { ... } do sum = sum + x:numel() * x.dtype.itemsize end
  return sum
end

-- Each prepares its inputs and returns a function that computes, and the minimum that the task needs: the bytes of
-- inputs, results and their gradients.
local cases = {
  { "attention 16384x64", function()
    local q, k, v = pt.randn(1, 1, 16384, 64), pt.randn(1, 1, 16384, 64), pt.randn(1, 1, 16384, 64)
    for _, x in ipairs { q, k, v } do x:requires_grad_() end
    return function() F.scaled_dot_product_attention(q, k, v):sum():backward() end, 8 * bytes_of(q)
  end },
  { "conv2d 8x64x56 k3", function()
    local x, w = pt.randn(8, 64, 56, 56):requires_grad_(), pt.randn(64, 64, 3, 3):requires_grad_()
    local g = pt.randn(8, 64, 56, 56)
    return function() F.conv2d(x, w, nil, 1, 1):backward(g) end, 4 * bytes_of(x) + 2 * bytes_of(w)
  end },
  { "lstm 1000 steps 32x128", function()
    local lstm, x = pt.nn.LSTM(128, 128), pt.randn(1000, 32, 128)
    -- Of each step: x and y, their gradients, the gates and theirs, and the cell and state before.
    return function() lstm(x):sum():backward() end, (4 + 8 + 3) * bytes_of(x)
  end },
  { "layer_norm 4096x4096", function()
    local x, w, b = pt.randn(4096, 4096), pt.ones(4096), pt.zeros(4096)
    for _, input in ipairs { x, w, b } do input:requires_grad_() end
    local g = pt.randn(4096, 4096)
    return function() F.layer_norm(x, 4096, w, b):backward(g) end, 4 * bytes_of(x)
  end },
  { "cross_entropy 4096x4096", function()
    local x, target = pt.randn(4096, 4096):requires_grad_(), pt.randint(1, 4097, { 4096 })
    return function() F.cross_entropy(x, target):backward() end, 2 * bytes_of(x)
  end },
}

if arg and arg[1] then
  for _, case in ipairs(cases) do
    if case[1] == arg[1] then
      local run, least = case[2]()
      run()
      local peak = pt.memory_stats().peak_bytes
      print(("%-30s %8.1f MB peak, %5.2f times what it cannot do without"):format(case[1], peak / 2 ^ 20, peak / least))
    end
  end
else
  for _, case in ipairs(cases) do
    if not os.execute(("%q %q %q"):format(arg[-1] or "build/ptlua", arg[0], case[1])) then os.exit(1) end
  end
end
