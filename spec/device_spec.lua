-- Devices: how plug-ins are found, and every op of the table on the simulated GPU against the CPU: values and
-- gradients, through any view. The last line names ops that are left to the host, with the reason.
local pt = require "pt"
local core = require "pt.core"
local samples = require "spec.support.samples"
local layouts = require "spec.support.layouts"
local compare = require "spec.support.compare"

local target = require "spec.support.device"(it, pending)

local DEVICE, OTHER = target.name, target.backend .. ":1"
local it_on_device, it_on_two = target.it, target.it_on_two

describe("devices", function()
  it("that are not there say why, and the CPU goes on", function()
    local ok, err = pcall(pt.zeros, 2, { device = "tpu" })
    assert.falsy(ok)
    assert.match("libptlua_tpu.so is not in .*PT_BACKEND_PATH", err)
    local available, why = pt.cuda.is_available()
    assert.equal(available, why == nil)
    assert.equal(available and pt.cuda.device_count() or 0, pt.cuda.device_count())
    for _, name in ipairs { "", "CUDA", "cuda:", "cuda:x", "cuda:-1", "../sim", "cpu:1" } do
      assert.falsy(pcall(pt.zeros, 2, { device = name }))
    end
    assert.same({ 2, 2 }, (pt.ones(2) + 1):tolist())
  end)

  it_on_device("have numbers, names and memory", function()
    assert.falsy(pcall(pt.zeros, 2, { device = target.backend .. ":" .. target.count }))
    assert.equal(target.backend .. ":0", pt.zeros(2, { device = target.backend }).device)
    assert(#pt.cuda.get_device_name(DEVICE) > 0)
    collectgarbage()
    collectgarbage()
    local before = pt.cuda.memory_allocated(DEVICE)
    do
      local x <close> = pt.zeros(1000, { device = DEVICE })
      assert.equal(before + x:numel() * 4, pt.cuda.memory_allocated(DEVICE))
      assert(pt.cuda.max_memory_allocated(DEVICE) >= before + 4000)
      pt.cuda.reset_peak_memory_stats(DEVICE)
      assert.equal(pt.cuda.memory_allocated(DEVICE), pt.cuda.max_memory_allocated(DEVICE))
    end
    collectgarbage()
    collectgarbage()
    assert.equal(before, pt.cuda.memory_allocated(DEVICE))
    local free, total = pt.cuda.mem_get_info(DEVICE)
    assert(free > 0 and free <= total)
    pt.cuda.synchronize(DEVICE)
    pt.cuda.empty_cache()
  end)

  it_on_device("run out of memory with an error, and go on", function()
    local ok, err = pcall(pt.zeros, 1 << 40, { device = DEVICE })
    assert.falsy(ok)
    assert.match("out of memory", err)
    assert.same({ 1, 1 }, pt.ones(2, { device = DEVICE }):tolist())
  end)

  it_on_two("hand tensors to each other, and are not mixed", function()
    local x = pt.range(1, 6):reshape(2, 3):t()
    local y = x:to(DEVICE):to(OTHER)
    assert.equal(OTHER, y.device)
    assert.same(x:tolist(), y:tolist())
    assert.equal(6, y[3][2]:item())
    assert.match("device='" .. OTHER .. "'", tostring(y))
    local ok, err = pcall(function() return x + y end)
    assert.falsy(ok)
    assert.match(OTHER, err)
    assert.match("cpu", err)
    assert.same((x + 1):tolist(), (y + 1):tolist())
  end)

  it_on_device("are used by workers", function()
    local pool <close> = pt.pool(2)
    local x = pt.ones(100, { device = DEVICE })
    local args = {}
    for i = 1, 8 do args[i] = { x, i } end
    for i, y in ipairs(pool:starmap(function(a, k) return (a * k):exp() - a end, args)) do
      assert(math.abs(y[100]:item() - (math.exp(i) - 1)) < 1e-3 * math.exp(i))
    end
  end)
end)

-- ---- the table ----

local missing, cases = {}, 0
-- Slots without a kernel on devices: what they need goes to the host and back.
local on_host = { linalg = "factorizations are LAPACK's", ctc = "each step waits for the one before" }

local tolerance = {
  float64 = { 1e-12, 1e-13 }, float32 = { 4e-6, 2e-6 }, float16 = { 4e-3, 4e-3 }, bfloat16 = { 3e-2, 3e-2 },
}
tolerance.complex64, tolerance.complex128 = tolerance.float32, tolerance.float64

-- The arguments of a sample on a device, the tensors that want gradients as leaves.
local function arguments(sample, dtype, device, layout)
  local leaves = {}
  local function prepare(x, recipe)
    if device then x = x:to(device) end
    if layout then x = layout(x) end
    if recipe and samples.wants_grad(recipe) then
      x = x:detach():requires_grad_()
      leaves[#leaves + 1] = x
    end
    return x
  end
  local function walk(v, recipe)
    if core.is_tensor(v) then return prepare(v, samples.is_recipe(recipe) and recipe) end
    if v == "cpu" and device then return device end
    if type(v) ~= "table" or getmetatable(v) then return v end
    local out = {}
    for i, item in ipairs(v) do out[i] = walk(item, type(recipe) == "table" and recipe[i]) end
    return out
  end
  local args = samples.arguments(sample, dtype)
  for i = 1, args.n do args[i] = walk(args[i], sample[i]) end
  return args, leaves
end

-- Outputs and gradients, as tensors.
local function results(op, sample, dtype, device, layout)
  local args, leaves = arguments(sample, dtype, device, layout)
  pt.manual_seed(7)
  local out = { op.fn(table.unpack(args, 1, args.n)) }
  local list, roots, incoming = {}, {}, {}
  for _, y in ipairs(out) do
    if core.is_tensor(y) then
      list[#list + 1] = y
      if y.requires_grad then
        roots[#roots + 1] = y
        local w = pt.range(1, y:numel(), { dtype = pt.float64 }):mul(1.7):sin():add(0.2)
        incoming[#incoming + 1] = w:reshape(y.shape):to(y.dtype):to(y.device)
      end
    end
  end
  if #roots > 0 and #leaves > 0 then
    local gx = pt.autograd.grad(roots, leaves, { grad_outputs = incoming, allow_unused = true })
    for i = 1, #leaves do
      if gx[i] then list[#list + 1] = gx[i] end
    end
  end
  return list
end

local function no_kernel(err)
  err = tostring(err)
  return err:find "no kernel on sim" or err:find "no sim kernel" or err:find "no kernel for"
end

-- Whether the op could be run there.
local function agree(op, sample, dtype, layout)
  local fine, want = pcall(results, op, sample, dtype, nil, layout)
  local ok, got = pcall(results, op, sample, dtype, DEVICE, layout)
  if not ok and no_kernel(got) then
    missing[op.name] = true
    return false
  end
  if not fine then
    assert(not ok, "the CPU refuses: " .. tostring(want))
    return true
  end
  if not ok then error(got, 0) end
  cases = cases + 1
  assert.equal(#want, #got)
  for i = 1, #want do
    assert.equal(want[i].dtype, got[i].dtype)
    local t = tolerance[tostring(want[i].dtype):match "%w+$"] or { 0, 0 }
    local difference = compare.difference(got[i], want[i], t[1], t[2])
    if difference then error(("%s, result %d: %s"):format(dtype, i, difference), 0) end
  end
  return true
end

describe("on the simulated GPU", function()
  for _, op in ipairs(core.ops()) do
    op.fn = core.fn(op.name)
    local list = samples.of(op) or {}
    it_on_device(op.name .. " gives the CPU's results", function()
      for _, sample in ipairs(list) do
        if not agree(op, sample, "float64") then return end
        agree(op, sample, "float32")
        if list.views ~= false then
          for name, layout in pairs(layouts) do
            if not (list.regular and name == "expanded") then agree(op, sample, "float64", layout) end
          end
        end
        if pcall(results, op, sample, "float16") then
          agree(op, sample, "float16")
          agree(op, sample, "bfloat16")
        end
      end
      for _, sample in ipairs(samples.degenerate(op)) do agree(op, sample, "float32") end
    end)
  end

  it_on_device("every op has a kernel, or one on the host with its reason", function()
    local names = {}
    for name in pairs(missing) do names[#names + 1] = name end
    table.sort(names)
    assert(#names == 0, "without a kernel: " .. table.concat(names, " "))
    local hosted = {}
    local reasons = {}
    for _, why in pairs(on_host) do reasons[#reasons + 1] = why end
    table.sort(reasons)
    for _, op in ipairs(core.ops()) do
      local why = on_host[op.name:match "^(%a+)_"]
      if why and op.name ~= "linalg_rows" then hosted[#hosted + 1] = op.name end
    end
    print(("# [device] %d cases; on the host: %s (%s)"):format(cases, table.concat(hosted, " "),
      table.concat(reasons, "; ")))
  end)
end)

-- ---- training ----

-- A small network trained for some steps; its losses and parameters.
local function train(device, make_optimizer)
  pt.manual_seed(3)
  local nn = pt.nn
  local model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 4))
  local x, y = pt.randn(64, 20), pt.randint(1, 5, { 64 })
  model:to(device)
  x, y = x:to(device), y:to(device)
  local optimizer, losses = make_optimizer(model:parameters()), {}
  for step = 1, 20 do
    local loss = nn.functional.cross_entropy(model(x), y)
    optimizer:zero_grad()
    loss:backward()
    optimizer:step()
    losses[step] = loss:item()
  end
  return losses, model
end

describe("training on the simulated GPU", function()
  local optimizers = {
    SGD = function(p) return pt.optim.SGD(p, { lr = 0.1, momentum = 0.9, nesterov = true }) end,
    AdamW = function(p) return pt.optim.AdamW(p, { lr = 0.01, weight_decay = 0.1 }) end,
    RMSprop = function(p) return pt.optim.RMSprop(p, { lr = 0.01 }) end,
  }
  for name, make in pairs(optimizers) do
    it_on_device("with " .. name .. " gives the CPU's losses", function()
      local want, got = train("cpu", make), train(DEVICE, make)
      assert(want[20] < 0.7 * want[1], "it does not learn")
      for i = 1, #want do assert(math.abs(want[i] - got[i]) < 1e-5 * (1 + want[i]), i .. ": " .. got[i]) end
    end)
  end

  it_on_device("multiplies large matrices by the BLAS of the device", function()
    for name, bound in pairs { float32 = 1e-4, float64 = 1e-12, float16 = 0.04, bfloat16 = 0.3 } do
      local a, b = pt.randn(150, 130):to(pt[name]), pt.randn(130, 140):to(pt[name])
      local want = a:to(pt.float64):matmul(b:to(pt.float64))
      for _, pair in ipairs { { a, b }, { a:t():contiguous(), b }, { a, b:t():contiguous() } } do
        local x, y = pair[1]:to(DEVICE), pair[2]:to(DEVICE)
        if not rawequal(pair[1], a) then x = x:t() end
        if not rawequal(pair[2], b) then y = y:t() end
        local far = (x:matmul(y):cpu():to(pt.float64) - want):abs():max():item()
        assert(far < bound, name .. ": " .. far)
      end
    end
  end)

  it_on_device("keeps gradients there, and state moves between devices", function()
    local _, model = train(DEVICE, optimizers.SGD)
    local _, other = train("cpu", optimizers.AdamW)
    for _, p in ipairs(model:parameters()) do
      assert.equal(DEVICE, p.device)
      assert.equal(DEVICE, p.grad.device)
    end
    other:load_state_dict(model:state_dict())
    local x = pt.randn(3, 20)
    local difference = compare.difference(other(x), model(x:to(DEVICE)), 1e-5, 1e-6)
    assert(not difference, difference)
    for _, p in ipairs(other:parameters()) do assert.equal("cpu", p.device) end
  end)

  it_on_device("leaves no memory behind", function()
    local function settle()
      collectgarbage()
      collectgarbage()
      return pt.cuda.memory_allocated(DEVICE)
    end
    train(DEVICE, optimizers.SGD)
    local before = settle()
    train(DEVICE, optimizers.SGD)
    assert.equal(before, settle())
  end)
end)
