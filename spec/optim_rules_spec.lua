-- pt.optim: fifty steps of every optimizer beside PyTorch's results, and what is particular to some of them.
local pt = require "pt"
local optim = pt.optim

local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(message, text))
end

local function close(want, got, tolerance)
  assert.equal(#want, #got)
  for i, value in ipairs(want) do
    assert.is_true(math.abs(value - got[i]) <= tolerance * math.max(1, math.abs(value)),
      ("%d: %s, want %s"):format(i, got[i], value))
  end
end

-- name, options, the parameters -1, 0, 1 after 50 steps of PyTorch in float64
local cases = {
  { "SGD", { lr = 0.1 },
    { -0.762018820257, 0.284413098805, 1.06935692646 } },
  { "SGD", {},
    { -0.997620188203, 0.00284413098805, 1.00069356926 } },
  { "Adam", {},
    { -0.99748574159, 0.00508622004746, 1.00163005601 } },
  { "AdamW", {},
    { -0.996986826186, 0.00508405493651, 1.00112944515 } },
  { "AdamW", { lr = 0.1, betas = { 0.8, 0.95 }, maximize = true },
    { -1.09832332164, -0.37712709135, 0.821072470278 } },
  { "SGD", { lr = 0.1, momentum = 0.9, dampening = 0.5, weight_decay = 0.1 },
    { 0.100782231108, 0.147187333769, 0.0582690805521 } },
  { "SGD", { lr = 0.1, momentum = 0.8, nesterov = true, weight_decay = 0.2, maximize = true },
    { -0.0152662722538, -0.091173233145, -0.0832559439496 } },
  { "Adam", { lr = 0.1, betas = { 0.5, 0.6 }, eps = 0.001, weight_decay = 0.2 },
    { -0.294136459907, 0.113221058479, 0.342162056142 } },
  { "Adam", { lr = 0.1, amsgrad = true, maximize = true },
    { -1.25141759975, -0.508620718853, 0.836997264434 } },
  { "AdamW", { lr = 0.1, weight_decay = 0.5, amsgrad = true },
    { -0.0383691392906, 0.0664798839989, 0.0984180088618 } },
  { "RMSprop", {},
    { -1.00649607152, 0.183854016563, 1.04762050142 } },
  { "RMSprop", { lr = 0.1, alpha = 0.9, eps = 0.001, weight_decay = 0.1 },
    { -0.52451972136, 0.375279419288, 0.593124731599 } },
  { "RMSprop", { lr = 0.1, momentum = 0.5 },
    { -1.24570145667, 3.50075528133, 1.87844432677 } },
  { "RMSprop", { lr = 0.1, centered = true, maximize = true },
    { -0.936790979083, -1.85434485245, 0.518136393951 } },
  { "RMSprop", { lr = 0.1, centered = true, momentum = 0.9, weight_decay = 0.3 },
    { -0.184035644187, -0.0476407106706, 0.0999024448244 } },
  { "Adagrad", {},
    { -1.00072215832, 0.0182138670382, 1.00467747026 } },
  { "Adagrad", { lr = 0.1, lr_decay = 0.1, weight_decay = 0.1, initial_accumulator_value = 0.5,
      eps = 0.001, maximize = true },
    { -0.977890461616, -0.118708471153, 0.903172508489 } },
  { "Adadelta", {},
    { -0.998521296915, 0.00826431457591, 1.00226845825 } },
  { "Adadelta", { lr = 0.5, rho = 0.8, eps = 0.001, weight_decay = 0.1, maximize = true },
    { -0.856205928487, -0.0917528682927, 0.774695917329 } },
  { "Adamax", {},
    { -0.998560789614, 0.00628492116069, 1.00291197782 } },
  { "Adamax", { lr = 0.1, betas = { 0.5, 0.6 }, eps = 0.001, weight_decay = 0.1, maximize = true },
    { -0.630245241817, -0.194949226333, 0.527601215313 } },
  { "NAdam", {},
    { -0.998426555461, 0.00625693029781, 1.00184623686 } },
  { "NAdam", { lr = 0.1, betas = { 0.5, 0.6 }, eps = 0.001, weight_decay = 0.1, momentum_decay = 0.1, maximize = true },
    { -0.61722660568, -0.203142447257, 0.509266811242 } },
  { "NAdam", { lr = 0.1, weight_decay = 0.1, decoupled_weight_decay = true },
    { -0.542457635655, 0.21767377739, 0.675404731588 } },
  { "RAdam", {},
    { -0.997514757211, 0.0035272318401, 1.00131785928 } },
  { "RAdam", { lr = 0.1, betas = { 0.5, 0.99 }, eps = 0.001, weight_decay = 0.1, maximize = true },
    { -0.978789655752, -0.244776065255, 0.691704524479 } },
  { "RAdam", { lr = 0.1, weight_decay = 0.1, decoupled_weight_decay = true },
    { -0.448685790794, 0.220587929855, 0.68648511841 } },
  { "Rprop", {},
    { -1.00061840938, 0.0160809765625, 1.00686281563 } },
  { "Rprop", { lr = 0.1, etas = { 0.6, 1.1 }, step_sizes = { 0.01, 0.15 }, maximize = true },
    { -0.995096, -0.1189024, 0.93164 } },
  { "ASGD", {},
    { -0.976153008059, 0.0284400014921, 1.00688540483 } },
  { "ASGD", { lr = 0.1, lambd = 0.1, alpha = 0.5, t0 = 10, weight_decay = 0.1, maximize = true },
    { -0.514458084845, -0.14512344865, 0.357637016962 } },
}

local function text(case)
  local parts = {}
  for key, value in pairs(case[2]) do
    parts[#parts + 1] = key .. "=" .. (type(value) == "table" and table.concat(value, ",") or tostring(value))
  end
  table.sort(parts)
  return case[1] .. " " .. table.concat(parts, " ")
end

local function gradient(t, dtype)
  local g = {}
  for i = 1, 3 do g[i] = math.sin(t * 1.7 + i) * (t == 2 and 3 or 1) end
  return pt.tensor(g, { dtype = dtype })
end

local function steps(opt, p, from, to)
  for t = from, to do
    p.grad = gradient(t, p.dtype)
    opt:step()
  end
end

local function start(dtype) return pt.linspace(-1, 1, 3, { dtype = dtype }):requires_grad_() end

describe("fifty steps", function()
  for _, case in ipairs(cases) do
    it("are PyTorch's: " .. text(case), function()
      for dtype, tolerance in pairs { float64 = 1e-10, float32 = 1e-5 } do
        local p = start(pt[dtype])
        steps(optim[case[1]]({ p }, case[2]), p, 1, 50)
        close(case[3], p:tolist(), tolerance)
      end
    end)

    it("continue from a state dict: " .. text(case), function()
      local p = start(pt.float64)
      local first = optim[case[1]]({ p }, case[2])
      steps(first, p, 1, 20)
      local second = optim[case[1]]({ p }, { lr = 7 })
      second:load_state_dict(first:state_dict())
      steps(second, p, 21, 50)
      close(case[3], p:tolist(), 1e-10)
    end)
  end
end)

describe("every optimizer", function()
  for _, name in ipairs { "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop", "ASGD", "Lion" } do
    it("takes halves, strided and empty tensors, and passes over those without gradients: " .. name, function()
      local dense = pt.linspace(-1, 1, 6):reshape(2, 3):requires_grad_()
      local strided = pt.linspace(-1, 1, 6):reshape(2, 3):t():contiguous():t():detach():requires_grad_()
      local half = dense:detach():to(pt.bfloat16):requires_grad_()
      local empty, idle = pt.zeros(0, 3):requires_grad_(), pt.ones(2):requires_grad_()
      local opt = optim[name]({ dense, strided, half, empty, idle }, { lr = 0.01 })
      for t = 1, 3 do
        for _, p in ipairs { dense, strided, half, empty } do
          p.grad = (pt.ones(p:size(), { dtype = p.dtype }) * math.cos(t))
        end
        opt:step()
      end
      assert.is_false(strided:is_contiguous())
      assert.is_true(pt.equal(dense, strided))
      assert.is_true((dense - half:float()):abs():max():item() < 0.02)
      assert.same({ 1, 1 }, idle:tolist())
    end)

    it("goes downhill: " .. name, function()
      local x = pt.tensor { 0.5, -0.3 }:requires_grad_()
      local opt = optim[name]({ x }, { lr = 0.01 })
      for _ = 1, 30 do
        opt:zero_grad()
        x:square():sum():backward()
        opt:step()
      end
      assert.is_true(x:square():sum():item() < 0.34)
    end)
  end
end)

describe("Lion", function()
  it("is the formula", function()
    local p = pt.tensor({ 1., -2 }, { dtype = pt.float64 }):requires_grad_()
    local opt = optim.Lion({ p }, { lr = 0.1, betas = { 0.8, 0.9 }, weight_decay = 0.5 })
    local want, m = { 1, -2 }, { 0, 0 }
    for t = 1, 6 do
      local g = gradient(t, pt.float64):tolist()
      p.grad = pt.tensor({ g[1], g[2] }, { dtype = pt.float64 })
      opt:step()
      for i = 1, 2 do
        local way = 0.8 * m[i] + 0.2 * g[i]
        want[i] = want[i] * 0.95 - 0.1 * (way > 0 and 1 or way < 0 and -1 or 0)
        m[i] = 0.9 * m[i] + 0.1 * g[i]
      end
    end
    close(want, p:tolist(), 1e-12)
  end)
end)

describe("SparseAdam", function()
  local function embedding() return pt.arange(10, { dtype = pt.float64 }):reshape(5, 2) / 10 end
  local function look_up(opt, p, ids)
    opt:zero_grad()
    pt.nn.functional.embedding(pt.tensor(ids), p, { sparse = true }):sub(1):square():sum():backward()
    opt:step()
  end

  it("moves the rows that were looked up, as PyTorch's", function()
    local p = embedding():requires_grad_()
    local opt = optim.SparseAdam({ p }, { lr = 0.1 })
    for _, ids in ipairs { { 1, 3, 3 }, { 3, 5 } } do look_up(opt, p, ids) end
    local other = optim.SparseAdam({ p }, { lr = 7 })
    other:load_state_dict(opt:state_dict())
    look_up(other, p, { 1, 2 })
    close({ 0.1854923477731282, 0.2854352744692743, 0.2638813473141917, 0.3638813455105264, 0.5904797767485799,
      0.6898574920512189, 0.6, 0.7, 0.8744136235275635, 0.9744135646985216 }, p:reshape(-1):tolist(), 1e-10)
  end)

  it("takes empty tensors, gradients of zeros and halves, and goes up where told to", function()
    local empty, still, half = pt.zeros(0, 3), pt.ones(2, 2), pt.ones(3):to(pt.bfloat16)
    empty.grad, still.grad, half.grad = pt.zeros(0, 3), pt.zeros(2, 2), pt.ones(3):to(pt.bfloat16)
    optim.SparseAdam({ empty, still, half }, { lr = 0.5, maximize = true }):step()
    assert.same({ { 1, 1 }, { 1, 1 } }, still:tolist())
    assert.same({ 1.5, 1.5, 1.5 }, half:tolist())
  end)

  it("refuses what has no rows, and wrong options", function()
    raises("SparseAdam: parameter 1 is 0-dimensional", optim.SparseAdam, { pt.ones():requires_grad_() })
    raises("betas must be at least 0", optim.SparseAdam, { pt.ones(2):requires_grad_() }, { betas = { 0.9, 1 } })
  end)
end)

describe("Muon", function()
  local function run(shape, options)
    local p = pt.linspace(-1, 1, 6):reshape(2, 3)
    if shape == "tall" then p = p:t():contiguous() end
    p:requires_grad_()
    local opt = optim.Muon({ p }, options)
    for t = 1, 6 do
      local g = { {}, {} }
      for i = 1, 3 do g[1][i], g[2][i] = math.sin(t * 1.7 + i), math.cos(t * 1.3 + i) end
      p.grad = shape == "tall" and pt.tensor(g):t():contiguous() or pt.tensor(g)
      opt:step()
    end
    return p:flatten():tolist(), opt, p
  end

  it("is PyTorch's, within what bfloat16 gives", function()
    close({ -0.869934, -0.348813, -0.027219, 0.229528, 0.549312, 0.884652 }, (run("wide", { lr = 0.1 })), 0.02)
    close({ -0.841321, 0.195356, -0.442168, 0.509746, -0.095648, 0.815743 },
      (run("tall", { lr = 0.1, nesterov = false, adjust_lr_fn = "match_rms_adamw", weight_decay = 0.3 })), 0.02)
  end)

  it("takes matrices alone", function()
    raises("Muon: parameter 1 is [2]; only matrices", optim.Muon, { pt.ones(2):requires_grad_() })
    raises("unknown adjust_lr_fn 'x'", optim.Muon, { pt.ones(2, 2):requires_grad_() }, { adjust_lr_fn = "x" })
  end)

  it("continues from a state dict", function()
    local _, opt, p = run("wide", { lr = 0.1 })
    local q = p:detach():clone():requires_grad_()
    local other = optim.Muon { q }
    other:load_state_dict(opt:state_dict())
    p.grad, q.grad = pt.ones(2, 3), pt.ones(2, 3)
    opt:step()
    other:step()
    assert.is_true(pt.equal(p, q))
  end)
end)

describe("LBFGS", function()
  -- the options, PyTorch's losses, parameters and counts after three steps
  local runs = {
    { { lr = 0.002, max_iter = 10 }, { 26.464735965479207, 25.510384365755893, 24.835545871358352 },
      { -1.1922931449939977, 1.00855225881785, 0.5014773256343671 }, 30, 30 },
    { { line_search_fn = "strong_wolfe" }, { 26.464735965479207, 2.901816969294584, 0.05315684312645823 },
      { 0.9999989096197907, 0.999997948789868, 3.0000069504582725 }, 65, 49 },
    { { line_search_fn = "strong_wolfe", history_size = 2, max_iter = 7, lr = 0.5 },
      { 26.464735965479207, 7.293543888171115, 5.484570740032595 },
      { -0.9275044711569906, 0.7785101373037872, 2.920524891880091 }, 25, 19 },
  }

  local function problem()
    local p = pt.tensor({ -1.2, 1 }, { dtype = pt.float64 }):requires_grad_()
    local q = pt.tensor({ 0.5 }, { dtype = pt.float64 }):requires_grad_()
    local function closure(opt)
      opt:zero_grad()
      local loss = 100 * (p[2] - p[1] ^ 2) ^ 2 + (1 - p[1]) ^ 2 + (q - 3):square():sum() * p[1]:cos()
      loss:backward()
      return loss
    end
    return p, q, closure
  end

  for i, case in ipairs(runs) do
    it("takes PyTorch's steps, run " .. i, function()
      local p, q, closure = problem()
      local opt, losses = optim.LBFGS({ p, q }, case[1]), {}
      for step = 1, 3 do losses[step] = opt:step(function() return closure(opt) end):item() end
      close(case[2], losses, 1e-7)
      close(case[3], { p[1]:item(), p[2]:item(), q:item() }, 1e-7)
      assert.same({ case[4], case[5] }, { opt.memory.func_evals, opt.memory.n_iter })
    end)
  end

  it("continues from a state dict", function()
    local p, q, closure = problem()
    local opt = optim.LBFGS({ p, q }, runs[2][1])
    for _ = 1, 2 do opt:step(function() return closure(opt) end) end
    local other = optim.LBFGS({ p, q }, runs[2][1])
    other:load_state_dict(opt:state_dict())
    other:step(function() return closure(other) end)
    close(runs[2][3], { p[1]:item(), p[2]:item(), q:item() }, 1e-7)
  end)

  it("says what it needs", function()
    local p = pt.ones(2):requires_grad_()
    local opt = optim.LBFGS { p }
    raises("LBFGS: step needs a closure", opt.step, opt)
    raises("the closure must return the loss, got a nil", opt.step, opt, function() end)
    raises("line_search_fn is strong_wolfe or nothing", optim.LBFGS, { p }, { line_search_fn = "x" })
    raises("all parameters must be in one group", optim.LBFGS, { { params = { p } }, { params = { pt.ones(1) } } })
    raises("expected what LBFGS:state_dict() returned", opt.load_state_dict, opt, {})
  end)
end)

describe("options of the optimizers", function()
  local p = pt.ones(2):requires_grad_()
  for message, call in pairs {
    ["Rprop: etas must be"] = function() optim.Rprop({ p }, { etas = { 1.1, 1.2 } }) end,
    ["RMSprop: alpha must be 0 or more, got -1"] = function() optim.RMSprop({ p }, { alpha = -1 }) end,
    ["NAdam: betas must be at least 0 and less than 1, got 1"] =
      function() optim.NAdam({ p }, { betas = { 1, 0.9 } }) end,
    ["did you mean 'lambd'?"] = function() optim.ASGD({ p }, { lambda = 1 }) end,
  } do
    it("are checked: " .. message, function() raises(message, call) end)
  end

  it("are checked when they changed", function()
    local opt = optim.RMSprop { p }
    p.grad = pt.ones(2)
    opt.param_groups[1].eps = "x"
    raises("RMSprop: eps must be a number, got 'x'", opt.step, opt)
  end)
end)
