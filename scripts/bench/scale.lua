--- How training scales: a model of one step on 1 to 10,000 ranks, compared, in a job, with the step itself.
--
--   ptlua scripts/bench/scale.lua [name=value ...]       the table, from the figures below
--   ptlua --nproc 2 scripts/bench/scale.lua --check      measures this host, predicts a step, runs it and compares
--
-- The time of a step is computed from: forward, backward and update (seconds on one rank, at a fixed batch size),
-- gradients (bytes), bucket (bytes), ranks on a host, latency (seconds) and bandwidth (bytes a second) of the links
-- within a host and between hosts, the share of the communication that takes the cores' time, spread (standard
-- deviation of a rank's compute, as a share of it), mtbf (hours between failures of one host), save and restart
-- (seconds). Buckets become ready at even intervals during the backward, and are sent one after the other.

local pt = require "pt"
local dist = pt.distributed

local figures = { -- a model of 100 million parameters on hosts with a GPU each and 100 Gbit/s between them
  forward = 0.060, backward = 0.120, update = 0.005, gradients = 400e6, bucket = 25 * 2 ^ 20,
  host_ranks = 8, host_latency = 3e-6, host_bandwidth = 50e9, net_latency = 10e-6, net_bandwidth = 11e9,
  cpu_share = 0, spread = 0.02, mtbf = 20000, save = 30, restart = 300,
}

-- ---- the model ----

--- Seconds of an all-reduce of so many bytes over n ranks: "direct" is pt.distributed's (all ranks exchange
--- slices with all others, in two steps), "ring" and "tree" are the methods that libraries choose from.
local function all_reduce(m, how, bytes, n)
  if n == 1 then return 0 end
  local hosts = math.ceil(n / m.host_ranks)
  local latency = hosts > 1 and m.net_latency or m.host_latency
  local bandwidth = hosts > 1 and m.net_bandwidth or m.host_bandwidth
  local volume = 2 * (n - 1) / n * bytes / bandwidth -- a ring crosses the link of a host once
  if how == "direct" then -- each rank of the host sends over it
    return 2 * latency + (n - 1) * m.message + volume * (hosts > 1 and math.min(n, m.host_ranks) or 1)
  end
  if how == "ring" then return 2 * (n - 1) * latency + volume end
  local rounds = 2 * math.ceil(math.log(n, 2))
  return rounds * latency + rounds * bytes / (hosts > 1 and m.net_bandwidth or m.host_bandwidth)
end

-- The buckets' all-reduces overlap with the backward, except for the share that takes the cores' time.
local function step(m, how, n)
  local slowest = 1 + m.spread * math.sqrt(2 * math.log(n)) -- the expected largest of n normal deviates, from above
  local forward, backward = m.forward * slowest, m.backward * slowest
  local count = math.max(1, math.ceil(m.gradients / m.bucket))
  local busy, over = 0, forward
  for k = 1, count do
    local one = all_reduce(m, how, m.gradients / count, n)
    busy = busy + one * m.cpu_share
    over = math.max(over, forward + backward * k / count) + one * (1 - m.cpu_share)
  end
  return math.max(forward + backward, over) + busy + m.update, count * all_reduce(m, how, m.gradients / count, n)
end

-- The best time between checkpoints (Young 1974) and the share of the time that remains for work.
local function checkpoints(m, n)
  local between = m.mtbf * 3600 / math.ceil(n / m.host_ranks)
  local every = math.sqrt(2 * m.save * between)
  return every, 1 / (1 + m.save / every + (every / 2 + m.restart) / between)
end

local function report(m)
  local base = step(m, "ring", 1)
  print(("one rank: %.1f ms a step; %.0f MB of gradients in %d buckets; %g ranks on a host"):format(base * 1e3,
    m.gradients / 1e6, math.max(1, math.ceil(m.gradients / m.bucket)), m.host_ranks))
  print(" ranks  all-reduce ms (direct, ring, tree)     step ms   speed-up  efficiency  checkpoint  useful")
  local last
  for _, n in ipairs { 1, 2, 4, 8, 16, 64, 256, 1024, 4096, 10000 } do
    local best, texts = math.huge, {}
    for i, how in ipairs { "direct", "ring", "tree" } do
      local seconds, sums = step(m, how, n)
      best, texts[i] = math.min(best, seconds), ("%10.2f"):format(sums * 1e3)
    end
    local every, useful = checkpoints(m, n)
    local efficiency = base / best * useful
    if efficiency >= 0.5 then last = n end
    print(("%6d %s %14.1f %10.1f %10.1f%% %9.0f s %6.1f%%"):format(n, table.concat(texts, " "), best * 1e3,
      n * efficiency, 100 * base / best, every, 100 * useful))
  end
  print(last == 10000 and "half of the machine's speed is reached at all of these sizes"
    or ("beyond %d ranks less than half of the machine's speed is reached"):format(last or 1))
end

-- ---- this host ----

local function best_of(count, fn)
  local best = math.huge
  for _ = 1, count do
    dist.barrier()
    local start = pt.clock()
    fn()
    local seconds = pt.tensor({ pt.clock() - start }, { dtype = pt.float64 })
    dist.all_reduce(seconds, "max")
    best = math.min(best, seconds:item())
  end
  return best
end

local function check()
  local nn, optim = pt.nn, pt.optim
  local n, rank = dist.get_world_size(), dist.get_rank()
  pt.set_num_threads(1)
  local net = nn.Sequential(nn.Linear(512, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 256))
  local x, y = pt.randn(256, 512), pt.randn(256, 256)
  local bytes = 0
  for _, p in ipairs(net:parameters()) do bytes = bytes + p:numel() * 4 end
  local m = { bucket = 2 * 2 ^ 20, gradients = bytes, host_ranks = n, message = 0, spread = 0, cpu_share = 1 }
  local model = nn.parallel.DistributedDataParallel(net, { bucket_cap_mb = m.bucket / 2 ^ 20 })
  local optimizer = optim.SGD(model:parameters(), { lr = 0.01 })
  local function forward() return nn.functional.mse_loss(model(x), y) end
  local function train()
    forward():backward()
    optimizer:step()
    optimizer:zero_grad()
  end
  for _ = 1, 5 do train() end
  -- each part by itself, on all ranks at once; sums of two sizes give latency and bandwidth
  m.forward = best_of(20, forward)
  model:no_sync(function() forward():backward() end)
  m.update = best_of(20, function() optimizer:step() end)
  optimizer:zero_grad()
  m.backward = best_of(20, function() model:no_sync(train) end) - m.forward - m.update
  local small, large = pt.zeros(1), pt.zeros(m.bucket // 4 | 0)
  m.host_latency = best_of(200, function() dist.all_reduce(small) end) / 2
  local seconds = best_of(20, function() dist.all_reduce(large) end)
  m.host_bandwidth = 2 * (n - 1) / n * m.bucket / (seconds - 2 * m.host_latency)
  local predicted, measured = step(m, "direct", n), best_of(40, train)
  if rank ~= 0 then return end
  print(("measured: forward %.2f, backward %.2f, update %.2f ms; latency %.1f us, %.1f GB/s"):format(m.forward * 1e3,
    m.backward * 1e3, m.update * 1e3, m.host_latency * 1e6, m.host_bandwidth / 1e9))
  print(("step on %d ranks of this host: predicted %.2f ms, measured %.2f ms, %+.0f %%"):format(n, predicted * 1e3,
    measured * 1e3, 100 * (predicted / measured - 1)))
end

figures.message = 0.5e-6 -- seconds of a core for each message

if arg[1] == "--check" then
  dist.init_process_group()
  check()
  dist.destroy_process_group()
else
  for _, word in ipairs(arg) do
    local name, value = word:match "^([%w_]+)=(.+)$"
    if not name or not figures[name] or not tonumber(value) then error("not a figure of the model: " .. word, 0) end
    figures[name] = tonumber(value)
  end
  report(figures)
end
