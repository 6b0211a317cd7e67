--- Speed on a GPU, for `make bench-cuda`: the same lines as scripts/bench/peers/gpu.py, with which compare.lua compares
--- them. DEVICE=sim:0 runs the small sizes on the simulated device, to check that it runs.
local pt = require "pt"
local timing = dofile(arg[0]:match "^(.*/)" .. "timing.lua")
local nn = pt.nn

local device = os.getenv "DEVICE" or "cuda"
local simulated = device:find "^sim"
local found, why = pcall(pt.zeros, 1, { device = device })
if not found then
  print("bench-cuda: nothing to measure: " .. tostring(why))
  print "DEVICE=sim:0 runs it on the simulated device"
  os.exit(simulated and 1 or 0)
end
print(("-- %s: %s"):format(device, pt.cuda.get_device_name(device)))

-- Many calls and one wait: measures the device, or the host where that is slower.
local function measure(name, fn)
  local calls = simulated and 1 or 20
  fn()
  pt.cuda.synchronize(device)
  local best = math.huge
  for _ = 1, simulated and 1 or 5 do
    local start = pt.clock()
    for _ = 1, calls do fn() end
    pt.cuda.synchronize(device)
    best = math.min(best, (pt.clock() - start) / calls)
  end
  timing.report(name, best)
end

local function size(n) return simulated and math.max(16, n // 256) or n end

do -- the cost of a call
  local x, y = pt.randn(10, { device = device }), pt.randn(10, { device = device })
  measure("add, 10 floats", function() return x + y end)
end
do -- bandwidth
  local n = size(1 << 24)
  local x, y = pt.randn(n, { device = device }), pt.randn(n, { device = device })
  measure("add, 2^24 floats", function() return x + y end)
  measure("gelu, 2^24 floats", function() return nn.functional.gelu(x) end)
  measure("sum, 2^24 floats", function() return x:sum() end)
  local rows = pt.randn(size(1 << 14), 1024 // (simulated and 16 or 1), { device = device })
  measure("softmax, 2^14 x 1024", function() return rows:softmax(2) end)
  measure("layer_norm, 2^14 x 1024", function() return nn.functional.layer_norm(rows, { rows.shape[2] }) end)
  local host = pt.randn(n):pin_memory(device)
  measure("64 MiB to the device, pinned", function() return host:to(device, { non_blocking = true }) end)
end
for _, dtype in ipairs { "float32", "bfloat16" } do -- arithmetic
  local n = size(4096)
  local a, b = pt.randn(n, n, { device = device }):to(dtype), pt.randn(n, n, { device = device }):to(dtype)
  measure("matmul, 4096, " .. dtype, function() return a:matmul(b) end)
  local b_, h, l, d = simulated and 1 or 8, simulated and 1 or 16, simulated and 32 or 1024, 64
  local function heads() return pt.randn(b_, h, l, d, { device = device }):to(dtype) end
  local q, k, v = heads(), heads(), heads()
  measure("attention, 8 x 16 x 1024 x 64, " .. dtype, function()
    return nn.functional.scaled_dot_product_attention(q, k, v, { is_causal = true })
  end)
  local n_, side = simulated and 1 or 32, simulated and 8 or 56
  local x = pt.randn(n_, 64, side, side, { device = device }):to(dtype)
  local w = pt.randn(64, 64, 3, 3, { device = device }):to(dtype)
  measure("conv2d, 32 x 64 x 56 x 56, " .. dtype, function() return nn.functional.conv2d(x, w, { padding = 1 }) end)
end
do -- training steps
  local function step(name, width, batch)
    pt.manual_seed(1)
    local model = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
      nn.Linear(width, 10)):to(device)
    local optimizer = pt.optim.Adam(model:parameters(), { lr = 1e-3 })
    local x, y = pt.randn(batch, width, { device = device }), pt.randint(1, 11, { batch }):to(device)
    measure(name, function()
      local loss = nn.functional.cross_entropy(model(x), y)
      optimizer:zero_grad()
      loss:backward()
      optimizer:step()
    end)
  end
  step("step of 3 layers of 64, batch 32", 64, 32)
  step("step of 3 layers of 4096, batch 1024", size(4096), size(1024))
end
