-- The bits of a set of ops and of training runs, on each CPU level that this machine has: those that were recorded in
-- spec/golden/bits.txt. Nothing that is computed here comes from the C library or OpenBLAS, so every machine of a level
-- agrees. Recorded by gcc on x86-64. A change of a kernel that is meant to change bits records them anew:
--   PT_SPEC_RECORD=1 build/ptlua spec/busted.lua spec/golden_bits_spec.lua
local pt = require "pt"
local nn, F = pt.nn, pt.nn.functional

local read = require("spec.support.text_file").read

-- Numbers between -1 and 1 that arithmetic alone gives.
local function x(...) return ((pt.range(1, pt.ones(...):numel()) * 7919 % 4001):float() / 2000 - 1):reshape { ... } end
local function ids(classes, ...) return (pt.range(1, pt.ones(...):numel()) * 7919 % classes + 1):reshape { ... } end

-- FNV-1a over the bits of float32 numbers, in their order.
local function hash(tensors)
  local h = 0xcbf29ce484222325
  for _, t in ipairs(tensors) do
    for _, v in ipairs(t:detach():float():reshape(-1):tolist()) do
      h = (h ~ string.unpack("<I4", string.pack("<f", v))) * 0x100000001b3
    end
  end
  return ("%016x"):format(h)
end

-- Results of f, then the gradients of its operands.
local function with_gradients(f, ...)
  local leaves = { ... }
  for i, v in ipairs(leaves) do leaves[i] = v:clone():requires_grad_() end
  local y = f(table.unpack(leaves))
  local out = { y };
  (y * x(table.unpack(y:size()))):sum():backward()
  for i, v in ipairs(leaves) do out[i + 1] = v.grad end
  return out
end

-- The parameters after some steps of plain SGD with momentum.
local function trained(model, input, target, loss, steps)
  for _, p in ipairs(model:parameters()) do pt.no_grad(function() p:copy_(x(table.unpack(p:size())) * 0.2) end) end
  local optimizer = pt.optim.SGD(model:parameters(), { lr = 0.0625, momentum = 0.875 })
  for _ = 1, steps do
    optimizer:zero_grad()
    loss(model(input), target):backward()
    optimizer:step()
  end
  return model:parameters()
end

local cases = {
  functions = function()
    local out, a = {}, x(3001) * 8
    for _, name in ipairs { "exp", "tanh", "sigmoid", "sin", "cos", "erf", "silu", "log1p", "exp2", "expm1", "atan" } do
      out[#out + 1] = pt[name](name == "log1p" and a:abs() or a)
    end
    out[#out + 1] = a:abs():log()
    out[#out + 1] = F.gelu(a)
    return out
  end,
  sums = function()
    local a = x(130, 257)
    return { a:sum(), a:sum(1), a:sum(2), a:mean(), a:var(2), a:cumsum(2), a:softmax(2), a:log_softmax(1), a:norm() }
  end,
  products = function()
    return {
      x(70, 130):mm(x(130, 50)), x(130, 70):t():mm(x(130, 50)), x(5, 300):mm(x(300, 200)), x(200, 300):mv(x(300)),
      x(4, 20, 30):bmm(x(4, 30, 25)), x(40, 64):bfloat16():mm(x(64, 48):bfloat16()), x(300):dot(x(300)),
    }
  end,
  convolution = function() return with_gradients(F.conv2d, x(2, 5, 13, 11), x(7, 5, 3, 3), x(7)) end,
  winograd = function()
    local function convolve(a, w) return F.conv2d(a, w, nil, { padding = 1 }) end
    return with_gradients(convolve, x(1, 16, 12, 12), x(16, 16, 3, 3))
  end,
  strided = function()
    local function convolve(a, w) return F.conv2d(a, w, nil, { stride = 2, padding = 1 }) end
    return with_gradients(convolve, x(1, 64, 32, 32), x(64, 64, 3, 3))
  end,
  depthwise = function()
    return with_gradients(function(a, w) return F.conv2d(a, w, nil, { groups = 6 }) end, x(2, 6, 9, 9), x(6, 1, 3, 3))
  end,
  norms = function()
    local out = with_gradients(function(a, w, b) return F.layer_norm(a, { 65 }, w, b) end, x(20, 65), x(65), x(65))
    local of_batches = with_gradients(function(a) return nn.BatchNorm2d(4)(a) end, x(5, 4, 9, 7))
    return table.move(of_batches, 1, #of_batches, #out + 1, out)
  end,
  pools = function()
    return { F.max_pool2d(x(2, 3, 11, 13), 3, { stride = 2 }), F.avg_pool2d(x(2, 3, 11, 13), 3, { stride = 2 }) }
  end,
  attention = function()
    return with_gradients(function(q, k, v) return F.scaled_dot_product_attention(q, k, v, { is_causal = true }) end,
      x(1, 2, 33, 16), x(1, 2, 33, 16), x(1, 2, 33, 16))
  end,
  lstm = function()
    local layer = nn.LSTM(12, 20)
    for _, p in ipairs(layer:parameters()) do pt.no_grad(function() p:copy_(x(table.unpack(p:size()))) end) end
    return with_gradients(function(a) return (layer(a)) end, x(7, 3, 12))
  end,
  order = function()
    local values, places = x(3001):sort()
    return { values, places:float(), (x(50, 60):topk(5)), x(50, 60):median(2) }
  end,
  perceptron = function()
    local model = nn.Sequential(nn.Linear(20, 33), nn.Tanh(), nn.Linear(33, 17), nn.GELU(), nn.Linear(17, 5))
    return trained(model, x(64, 20), ids(5, 64), F.cross_entropy, 20)
  end,
  convolutional = function()
    local model = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.SiLU(),
      nn.Flatten(), nn.Linear(72, 4))
    return trained(model, x(8, 1, 12, 12), ids(4, 8), F.cross_entropy, 6)
  end,
  recurrent = function()
    local model = nn.ModuleList { nn.LSTM(6, 16), nn.Linear(16, 3) }
    function model:forward(a) return self[2]((self[1](a))):reshape(-1, 3) end
    return trained(model, x(9, 4, 6), ids(3, 36), F.cross_entropy, 5)
  end,
}

local path, levels = "spec/golden/bits.txt", { "base", "avx2", "avx512" }
local names, before = {}, pt.cpu_level()
for name in pairs(cases) do names[#names + 1] = name end
table.sort(names)

local function bits_on(level, name) -- nil where the machine does not have the level
  if not pcall(pt.set_cpu_level, level) then return nil end
  local ok, result = pcall(cases[name])
  pt.set_cpu_level(before)
  if not ok then error(result, 0) end
  return hash(result)
end

local function record()
  local file = assert(io.open(path, "w"))
  for _, name in ipairs(names) do
    for _, level in ipairs(levels) do
      assert(file:write(("%s %s %s\n"):format(name, level, assert(bits_on(level, name), "not on this machine"))))
    end
  end
  assert(file:close())
end
if os.getenv "PT_SPEC_RECORD" then record() end

local recorded = {} -- name and level -> hash
for case, bits in read(path):gmatch "(%w+ %w+) (%x+)\n" do recorded[case] = bits end

local machine = io.popen("uname -m"):read "l"
describe("the bits of #plain", function()
  for _, name in ipairs(names) do
    for _, level in ipairs(levels) do
      local case = name .. " " .. level
      it(name .. " on the CPU level " .. level .. " are the recorded ones", function()
        local bits = machine == "x86_64" and bits_on(level, name)
        if bits then assert.equal(recorded[case], bits) end
      end)
    end
  end
end)
