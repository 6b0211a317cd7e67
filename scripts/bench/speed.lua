--- The workloads of workloads.txt, timed: microseconds, GFLOP/s or GB/s, and the share of this machine's peak
--- (peak.c, which the Makefile builds and runs first).
---
---   ptlua scripts/bench/speed.lua [PATTERN]     PT_BENCH_THREADS="1 2": runs with as many threads
---   ptlua scripts/bench/speed.lua --serve       answers peers/speed.py, which has PyTorch run the same text in turn
---   ptlua scripts/bench/speed.lua --steps       names of training steps
---   ptlua scripts/bench/speed.lua --peak NAME   MB that the process has taken after three runs (step_memory.lua)

local here = arg[0]:match "^(.*/)"
local pt = require "pt"
local nn = pt.nn

-- ---- functions for the workloads, in addition to PyTorch's ----

local names = { nn = nn, F = nn.functional }

-- Whole numbers from 0 to n - 1, and positions from 1 to n.
function names.integers(n, ...) return (pt.rand(...) * n):floor():long() end
function names.ids(n, ...) return names.integers(n, ...) + 1 end
function names.first(x) return x end
function names.sgd(model) return pt.optim.SGD(model:parameters(), { lr = 0.01 }) end
function names.adam(model) return pt.optim.Adam(model:parameters(), { lr = 1e-3 }) end

function names.backward(y, x, g)
  y:backward(g)
  x.grad = nil
end

local function step(optimizer, loss)
  optimizer:zero_grad()
  loss:backward()
  optimizer:step()
end
function names.fit(model, optimizer, x, y) step(optimizer, nn.functional.mse_loss(model(x), y)) end
function names.classify(model, optimizer, x, t) step(optimizer, nn.functional.cross_entropy(model(x), t)) end
function names.classify_bf16(model, optimizer, x, t)
  local loss
  do
    local _ <close> = pt.autocast "bfloat16"
    loss = nn.functional.cross_entropy(model(x), t)
  end
  step(optimizer, loss)
end

function names.evaluated(model) return model:eval() end
function names.infer(model, x)
  local _ <close> = pt.no_grad()
  return model(x)
end

local LSTM = nn.class "LSTM"
function LSTM:init(characters, width)
  self.embedding, self.lstm = nn.Embedding(characters, width), nn.LSTM(width, width)
  self.head = nn.Linear(width, characters)
end
function LSTM:forward(i)
  local h = self.lstm(self.embedding(i))
  return self.head(h):flatten(1, 2)
end
names.char_lstm = LSTM

local Block = nn.class "Block"
function Block:init(width, heads)
  self.heads = heads
  self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
  self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
  self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
end
function Block:forward(x, cache)
  local part = self.qkv(self.ln_1(x)):chunk(3, -1)
  for k = 1, 3 do part[k] = part[k]:unflatten(3, { self.heads, -1 }):transpose(2, 3) end
  local q, k, v = part[1], part[2], part[3]
  if cache then k, v = pt.cat({ cache[1], k }, 3), pt.cat({ cache[2], v }, 3) end
  local y = nn.functional.scaled_dot_product_attention(q, k, v, { is_causal = not cache })
  x = x + self.proj(y:transpose(2, 3):flatten(3))
  return x + self.down(nn.functional.gelu(self.up(self.ln_2(x))))
end

local GPT = nn.class "GPT"
function GPT:init(characters, block, layers, heads, width)
  self.tokens, self.places = nn.Embedding(characters, width), nn.Embedding(block, width)
  self.blocks = nn.ModuleList()
  for _ = 1, layers do self.blocks:append(Block(width, heads)) end
  self.ln, self.head = nn.LayerNorm(width), nn.Linear(width, characters)
end
function GPT:forward(i, cache)
  local h = self.tokens(i) + self.places.weight:narrow(1, 1, i:size(2))
  for n, block in ipairs(self.blocks) do h = block(h, cache and cache[n]) end
  return self.head(self.ln(h)):flatten(1, 2)
end
names.gpt = GPT

-- Keys and values of the tokens before, for each layer.
function names.caches(layers, heads, before, width)
  local list = {}
  for n = 1, layers do list[n] = { pt.randn(1, heads, before, width), pt.randn(1, heads, before, width) } end
  return list
end
function names.decode(model, i, cache)
  local _ <close> = pt.no_grad()
  return model(i, cache)
end

local Residual = nn.class "Residual"
function Residual:init(from, to, stride)
  self.conv_1, self.norm_1 = nn.Conv2d(from, to, 3, stride, 1, 1, 1, false), nn.BatchNorm2d(to)
  self.conv_2, self.norm_2 = nn.Conv2d(to, to, 3, 1, 1, 1, 1, false), nn.BatchNorm2d(to)
  if from ~= to then self.conv_3, self.norm_3 = nn.Conv2d(from, to, 1, stride, 0, 1, 1, false), nn.BatchNorm2d(to) end
end
function Residual:forward(x)
  local y = self.norm_2(self.conv_2(self.norm_1(self.conv_1(x)):relu()))
  return (y + (self.conv_3 and self.norm_3(self.conv_3(x)) or x)):relu()
end

--- ResNet-18 with a first layer for images of 32 x 32.
function names.resnet18(classes)
  local model = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, 1, 1, false), nn.BatchNorm2d(64), nn.ReLU())
  local from = 64
  for k, to in ipairs { 64, 128, 256, 512 } do
    model:append(Residual(from, to, k == 1 and 1 or 2))
    model:append(Residual(to, to, 1))
    from = to
  end
  model:append(nn.AvgPool2d(4))
  model:append(nn.Flatten())
  model:append(nn.Linear(512, classes))
  return model
end

-- ---- the list ----

-- Translates Python's calls to Lua's: `x.mm(` is `x:mm(`, but `nn.Linear(` stays.
local function translate(text)
  text = text:gsub("([%w_%)]*)%.([%a_][%w_]*)%(", function(object, name)
    local module = object == "nn" or object == "F"
    return object .. (module and "." or ":") .. name .. "("
  end)
  return (text:gsub("None", "nil"):gsub("True", "true"))
end

local function trim(text) return text:match "^%s*(.-)%s*$" end

-- { name =, group =, kind = "flop" | "byte" | nil, work = number, make = text, run = text }, in order
local function read_list()
  local list, group = {}, nil
  for line in io.lines(here .. "workloads.txt") do
    group = line:match "^== (.+)" or group
    local name, work, make, run = line:match "^([^#=|][^|]*)|([^|]*)|([^|]*)|(.*)$"
    if name then
      local kind, amount = work:match "(%a+) (%S+)"
      list[#list + 1] = {
        name = trim(name), group = group, kind = kind, work = kind and load("return " .. amount)(),
        make = translate(make), run = translate(run),
      }
    end
  end
  return list
end

local function prepare(workload)
  local env = setmetatable({}, { __index = function(_, key) return names[key] or pt[key] end })
  assert(load(workload.make, workload.name, "t", env))()
  -- An expression may be a call or not; its value is dropped.
  local run = assert(load("return function() local _ = " .. workload.run .. " end", workload.name, "t", env))()
  return run
end

-- ---- timing ----

local counts = {}

local function spend(run, n)
  local start = pt.clock()
  for _ = 1, n do run() end
  return pt.clock() - start
end

--- Seconds of one run: the mean over 20 ms of runs, after warming up.
local function measure(key, run)
  if not counts[key] then
    local n, ready = 1, pt.clock() + 0.03
    local spent = spend(run, 1)
    while spent < 0.02 or pt.clock() < ready do
      n = math.ceil(n * math.min(10, 0.022 / spent))
      spent = spend(run, n)
    end
    counts[key] = n
  end
  return spend(run, counts[key]) / counts[key]
end

local list = read_list()

if arg[1] == "--steps" then
  for _, workload in ipairs(list) do
    if workload.group == "training steps" then print(workload.name) end
  end
  return
end

if arg[1] == "--peak" then
  for _, workload in ipairs(list) do
    if workload.name == arg[2] then
      local run = prepare(workload)
      for _ = 1, 3 do run() end
    end
  end
  local file <close> = assert(io.open "/proc/self/status")
  print(tonumber(file:read("a"):match "VmHWM:%s*(%d+) kB") / 1024)
  return
end

if arg[1] == "--serve" then
  local current, run
  for line in io.lines() do
    local threads, name = line:match "^(%d+) (.*)$"
    if current ~= name then
      run = nil
      collectgarbage()
      for _, workload in ipairs(list) do
        if workload.name == name then run = prepare(workload) end
      end
      current = name
    end
    pt.set_num_threads(tonumber(threads))
    print(measure(line, run))
    io.stdout:flush()
  end
  return
end

-- ---- the table ----

-- peak.c prints `fma GFLOP/s`, `cache GB/s`, `memory GB/s`.
local function read_peaks(threads)
  local peaks = {}
  local pipe = io.popen(("%s %d"):format(os.getenv "PT_BENCH_PEAK" or "build/bench/peak", threads))
  for name, value in (pipe and pipe:read "a" or ""):gmatch "(%a+) ([%d.]+)" do peaks[name] = tonumber(value) end
  if pipe then pipe:close() end
  return peaks
end

for threads in (os.getenv "PT_BENCH_THREADS" or "1 2"):gmatch "%d+" do
  threads = tonumber(threads)
  local peaks = read_peaks(threads)
  print(("%d thread%s: %s GFLOP/s of float32 FMA, triad %s GB/s in the cache, %s GB/s in memory"):format(
    threads, threads == 1 and "" or "s", peaks.fma or "?", peaks.cache or "?", peaks.memory or "?"))
  local group
  for _, workload in ipairs(list) do
    if workload.name:find(arg[1] or "") or workload.group:find(arg[1] or "") then
      if group ~= workload.group then
        group = workload.group
        print("-- " .. group)
      end
      pt.set_num_threads(threads)
      collectgarbage()
      local run, best = prepare(workload), math.huge
      for _ = 1, 4 do best = math.min(best, measure(threads .. workload.name, run)) end
      local line = ("%-36s %12.2f us"):format(workload.name, best * 1e6)
      if workload.kind then
        local rate = workload.work / best / 1e9
        local peak = workload.kind == "flop" and peaks.fma or workload.work > 4e6 and peaks.memory or peaks.cache
        line = line .. ("  %9.1f %s"):format(rate, workload.kind == "flop" and "GFLOP/s" or "GB/s   ")
        if peak then line = line .. ("  %4.0f %%"):format(100 * rate / peak) end
      end
      print(line)
      io.stdout:flush()
    end
  end
end
