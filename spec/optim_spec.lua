-- pt.optim: the steps against the formulas in plain Lua, state dicts, and what is refused.
local pt = require "pt"
local optim = pt.optim

local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(message, text))
end

-- ---- the formulas, element by element ----

local naive = {}

function naive.SGD(o, s, p, g)
  g = (o.maximize and -g or g) + (o.weight_decay or 0) * p
  local momentum = o.momentum or 0
  if momentum == 0 then return p - o.lr * g end
  s.b = s.b and momentum * s.b + (1 - (o.dampening or 0)) * g or g
  return p - o.lr * (o.nesterov and g + momentum * s.b or s.b)
end

local function adam(decoupled)
  return function(o, s, p, g)
    local beta1, beta2 = table.unpack(o.betas or { 0.9, 0.999 })
    local decay = o.weight_decay or decoupled and 0.01 or 0
    g = o.maximize and -g or g
    if decoupled then p = p - o.lr * decay * p else g = g + decay * p end
    s.t = (s.t or 0) + 1
    s.m = beta1 * (s.m or 0) + (1 - beta1) * g
    s.v = beta2 * (s.v or 0) + (1 - beta2) * g * g
    s.top = math.max(s.top or 0, s.v)
    local v = o.amsgrad and s.top or s.v
    return p - o.lr / (1 - beta1 ^ s.t) * s.m / (math.sqrt(v) / math.sqrt(1 - beta2 ^ s.t) + (o.eps or 1e-8))
  end
end
naive.Adam, naive.AdamW = adam(false), adam(true)

local cases = {
  { "SGD", { lr = 0.1 } },
  { "SGD", { lr = 0.1, weight_decay = 0.3 } },
  { "SGD", { lr = 0.1, momentum = 0.9 } },
  { "SGD", { lr = 0.1, momentum = 0.9, dampening = 0.5, weight_decay = 0.1 } },
  { "SGD", { lr = 0.1, momentum = 0.8, nesterov = true } },
  { "SGD", { lr = 0.1, momentum = 0.8, nesterov = true, weight_decay = 0.2, maximize = true } },
  { "Adam", { lr = 0.1 } },
  { "Adam", { lr = 0.1, betas = { 0.5, 0.6 }, eps = 1e-3, weight_decay = 0.2 } },
  { "Adam", { lr = 0.1, amsgrad = true, betas = { 0.5, 0.5 } } },
  { "Adam", { lr = 0.1, maximize = true } },
  { "AdamW", { lr = 0.1 } },
  { "AdamW", { lr = 0.1, weight_decay = 0.5, amsgrad = true, maximize = true } },
}

local function text(case)
  local parts = {}
  for key, value in pairs(case[2]) do
    parts[#parts + 1] = key .. "=" .. (type(value) == "table" and table.concat(value, ",") or tostring(value))
  end
  table.sort(parts)
  return case[1] .. " " .. table.concat(parts, " ")
end

-- Gradients of step t that change size and sign.
local function gradient(t, i) return math.sin(t * 1.7 + i) * (t == 2 and 3 or 1) end

-- Five steps of a tensor of n elements beside the formulas; returns the largest difference.
local function run(case, p, n)
  local want, states, start = {}, {}, p:detach():to(pt.float64):flatten():tolist()
  for i = 1, n do want[i], states[i] = start[i], {} end
  local opt = optim[case[1]]({ p }, case[2])
  for t = 1, 5 do
    local g = {}
    for i = 1, n do
      g[i] = gradient(t, i)
      want[i] = naive[case[1]](case[2], states[i], want[i], g[i])
    end
    p.grad = pt.tensor(g, { dtype = pt.float64 }):to(p.dtype):reshape(p:size())
    opt:step()
  end
  local worst = 0
  for i, value in ipairs(p:detach():to(pt.float64):flatten():tolist()) do
    worst = math.max(worst, math.abs(value - want[i]))
  end
  return worst
end

describe("a step", function()
  for _, case in ipairs(cases) do
    it("is the formula: " .. text(case), function()
      assert.is_true(run(case, pt.linspace(-1, 1, 37, { dtype = pt.float64 }):requires_grad_(), 37) < 1e-12)
      assert.is_true(run(case, pt.linspace(-1, 1, 6):reshape(2, 3):requires_grad_(), 6) < 1e-5)
    end)
  end

  for _, name in ipairs { "SGD", "Adam" } do
    local options = { lr = 0.1, momentum = name == "SGD" and 0.9 or nil }

    it("of " .. name .. " takes halves, strided and empty tensors", function()
      local half = pt.linspace(-1, 1, 6):to(pt.bfloat16):requires_grad_()
      assert.is_true(run({ name, options }, half, 6) < 0.1)
      local strided = pt.linspace(-1, 1, 6):reshape(2, 3):t():detach():requires_grad_()
      assert.is_true(run({ name, options }, strided, 6) < 1e-5)
      assert.is_false(strided:is_contiguous())
      run({ name, options }, pt.zeros(0, 3):requires_grad_(), 0)
    end)

    it("of " .. name .. " passes over parameters without gradient", function()
      local a, b = pt.ones(2):requires_grad_(), pt.ones(2):requires_grad_()
      local opt = optim[name]({ a, b }, options)
      a.grad = pt.ones(2)
      opt:step()
      assert.same({ 1, 1 }, b:tolist())
      assert.is_nil(opt:state_dict().state[2])
      b.grad = pt.ones(2) -- its first step is another's second
      opt:step()
      assert.is_true(math.abs(b:tolist()[1] - 0.9) < 1e-6)
    end)
  end

  it("of many dtypes at once steps each in its own", function()
    local a = pt.ones(3, { dtype = pt.float64 }):requires_grad_()
    local b, c = pt.ones(2):requires_grad_(), pt.ones(2, { dtype = pt.float16 }):requires_grad_()
    for _, p in ipairs { a, b, c } do p.grad = pt.ones_like(p) end
    optim.SGD({ a, b, c }, 0.5):step()
    for _, p in ipairs { a, b, c } do assert.equal(0.5, p[1]:item()) end
  end)

  it("takes dense and expanded gradients", function()
    local p = pt.zeros(2, 2):requires_grad_()
    p.grad = pt.tensor { 1., 2 }:expand(2, 2)
    optim.SGD({ p }, 1):step()
    assert.same({ { -1, -2 }, { -1, -2 } }, p:tolist())
  end)

  it("keeps the parameter a leaf and counts as an edit of it", function()
    local p = pt.ones(1):requires_grad_()
    local y = (p * p):sum()
    p.grad = pt.ones(1)
    optim.SGD({ p }, 1):step()
    assert.is_true(p.is_leaf)
    assert.is_false(pcall(y.backward, y))
  end)

  it("returns what the closure returns", function()
    local p = pt.ones(1):requires_grad_()
    local opt = optim.SGD({ p }, 0.1)
    assert.equal(7, opt:step(function() p.grad = pt.ones(1) return 7 end))
    assert.is_true(p[1]:item() < 1)
  end)

  it("goes downhill", function()
    for _, name in ipairs { "SGD", "Adam", "AdamW" } do
      local x = pt.tensor { 5., -3 }:requires_grad_()
      local opt = optim[name]({ x }, 0.1)
      for _ = 1, 200 do
        opt:zero_grad()
        local loss = (x * x):sum()
        loss:backward()
        opt:step()
      end
      assert.is_true(x:abs():max():item() < 0.2, name)
    end
  end)

  it("changes nothing where it fails", function()
    local a, b = pt.ones(2):requires_grad_(), pt.ones(2):requires_grad_()
    a.grad, b.grad = pt.ones(2), pt.ones(2, { dtype = pt.float64 })
    local opt = optim.Adam({ a, b }, 0.1)
    raises("Adam: parameter 2 is float32 [2] on cpu, its gradient float64 [2] on cpu", opt.step, opt)
    assert.same({ 1, 1 }, a:tolist())
    assert.is_nil(opt:state_dict().state[1] and opt:state_dict().state[1].exp_avg)
    b.grad = pt.ones(2)
    opt:step()
    assert.is_true(math.abs(a:tolist()[1] - 0.9) < 1e-6)
  end)

  it("leaves no state where memory runs out", function()
    local core = require "pt.core"
    for n = 1, 12 do
      local p = pt.ones(1000):requires_grad_()
      p.grad = pt.ones(1000)
      local opt = optim.Adam({ p }, { lr = 0.1, amsgrad = true })
      core.fail_at(n)
      local ok = pcall(opt.step, opt)
      core.fail_at(0)
      if not ok then opt:step() end
      assert.is_true(math.abs(p[1]:item() - 0.9) < 1e-5, n)
    end
  end)
end)

describe("options", function()
  local p = pt.ones(2):requires_grad_()

  it("can differ between groups and change between steps", function()
    local a, b = pt.zeros(1):requires_grad_(), pt.zeros(1):requires_grad_()
    local opt = optim.SGD({ { params = { a } }, { params = { b }, lr = 10 } }, 1)
    a.grad, b.grad = pt.ones(1), pt.ones(1)
    opt:step()
    assert.same({ -1, -10 }, { a:item(), b:item() })
    opt.param_groups[1].lr = 2
    opt:step()
    assert.same({ -3, -20 }, { a:item(), b:item() })
    opt.param_groups[1].lr = "x"
    raises("SGD: lr must be a number, got 'x'", opt.step, opt)
  end)

  for message, call in pairs {
    ["SGD: the list of parameters is empty"] = function() optim.SGD({}, 0.1) end,
    ["SGD: lr must be 0 or more, got -1"] = function() optim.SGD({ p }, -1) end,
    ["Adam: betas must be at least 0 and less than 1, got 1"] =
      function() optim.Adam({ p }, { betas = { 0.9, 1 } }) end,
    ["SGD: nesterov needs a momentum above 0 and no dampening"] =
      function() optim.SGD({ p }, { lr = 1, nesterov = true }) end,
    ["did you mean 'momentum'?"] = function() optim.SGD({ p }, { momentun = 1 }) end,
    ["SGD: parameter 1 is the result of an op, not a leaf"] = function() optim.SGD({ p * 2 }, 1) end,
    ["SGD: parameter 2 is listed twice"] = function() optim.SGD({ p, p }, 1) end,
    ["SGD: parameter 1 must be a tensor, got a number"] = function() optim.SGD({ { params = { 1 } } }, 1) end,
    ["AdamW: unknown option 'momentum' in a group"] =
      function() optim.AdamW({ { params = { p }, momentum = 1 } }) end,
  } do
    it("are checked: " .. message, function() raises(message, call) end)
  end
end)

describe("zero_grad", function()
  it("clears or fills", function()
    local p = pt.ones(2):requires_grad_()
    local opt = optim.SGD({ p }, 1)
    p.grad = pt.ones(2)
    opt:zero_grad(false)
    assert.same({ 0, 0 }, p.grad:tolist())
    opt:zero_grad()
    assert.is_nil(p.grad)
    opt:zero_grad(false)
    assert.is_nil(p.grad)
  end)

  it("fills a gradient that has a history, or whose elements are one, by another tensor", function()
    local p = pt.ones(2):requires_grad_()
    local opt = optim.SGD({ p }, 1);
    (p ^ 3):sum():backward { create_graph = true }
    local old = p.grad
    opt:zero_grad(false)
    assert.same({ { 0, 0 }, { 3, 3 } }, { p.grad:tolist(), old:tolist() })
    assert.is_false(p.grad.requires_grad)
    p.grad = pt.ones(1):expand(2)
    opt:zero_grad(false)
    assert.same({ 0, 0 }, p.grad:tolist())
  end)
end)

describe("state dicts of optimizers", function()
  local function trained(name, options, steps)
    local p = pt.tensor { 1., 2 }:requires_grad_()
    local opt = optim[name]({ p }, options)
    for t = 1, steps do
      p.grad = pt.tensor { gradient(t, 1), gradient(t, 2) }
      opt:step()
    end
    return p, opt
  end

  for _, case in ipairs { cases[4], cases[8], cases[9] } do
    it("continue where the other was: " .. text(case), function()
      local whole = trained(case[1], case[2], 6)
      local half, first = trained(case[1], case[2], 3)
      local second = optim[case[1]]({ half }, { lr = 9 })
      second:load_state_dict(first:state_dict())
      for t = 4, 6 do
        half.grad = pt.tensor { gradient(t, 1), gradient(t, 2) }
        second:step()
      end
      assert.is_true(pt.equal(whole, half))
    end)
  end

  it("number parameters through all groups and count steps", function()
    local _, opt = trained("Adam", { lr = 1 }, 2)
    local dict = opt:state_dict()
    assert.equal(2, dict.state[1].step)
    assert.same({ 2 }, dict.state[1].exp_avg:size())
    assert.same({ 1 }, dict.param_groups[1].params)
  end)

  it("copy tensors", function()
    local p, opt = trained("SGD", { lr = 1, momentum = 0.5 }, 1)
    local dict = opt:state_dict()
    local other = optim.SGD({ p }, 1)
    other:load_state_dict(dict)
    dict.state[1].momentum_buffer:zero_()
    assert.is_true(other:state_dict().state[1].momentum_buffer:abs():max():item() > 0)
  end)

  it("must fit", function()
    local _, opt = trained("Adam", { lr = 1 }, 1)
    local other = optim.Adam { pt.ones(3):requires_grad_() }
    raises("of parameter 1 is [2], the parameter [3]", other.load_state_dict, other, opt:state_dict())
    raises("expected what Adam:state_dict() returned", other.load_state_dict, other, {})
    local two = optim.Adam { pt.ones(2):requires_grad_(), pt.ones(2):requires_grad_() }
    raises("group 1 of Adam has 2 parameters, the state dict 1", two.load_state_dict, two, opt:state_dict())
  end)
end)
