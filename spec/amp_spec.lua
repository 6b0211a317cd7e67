-- Half precision: which op computes in which dtype under autocast, and how GradScaler moves its scale. The dtypes and
-- the scales are PyTorch's.
local pt = require "pt"
local F = pt.nn.functional

local function fails(what, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert(tostring(err):find(what, 1, true), tostring(err))
end

describe("autocast", function()
  local x, w = pt.randn(4, 3), pt.randn(3, 3)
  local h = x:to(pt.bfloat16)

  -- Name, what is called, and the dtype under autocast to bfloat16.
  local cases = {
    { "matmul", function() return x:matmul(w) end, pt.bfloat16 },
    { "mm", function() return x:mm(w) end, pt.bfloat16 },
    { "mv", function() return x:mv(w[1]) end, pt.bfloat16 },
    { "addmm", function() return pt.addmm(x, x, w) end, pt.bfloat16 },
    { "linear", function() return F.linear(x, w, w[1]) end, pt.bfloat16 },
    { "conv2d", function() return F.conv2d(pt.ones(1, 1, 4, 4), pt.ones(1, 1, 2, 2)) end, pt.bfloat16 },
    { "attention", function()
      local q = pt.randn(1, 2, 4, 8)
      return F.scaled_dot_product_attention(q, q, q)
    end, pt.bfloat16 },
    { "exp", function() return h:exp() end, pt.float32 },
    { "log", function() return h:abs():log() end, pt.float32 },
    { "pow", function() return h:pow(2) end, pt.float32 },
    { "sum", function() return h:sum() end, pt.float32 },
    { "softmax", function() return h:softmax(1) end, pt.float32 },
    { "layer_norm", function() return F.layer_norm(h, { 3 }) end, pt.float32 },
    { "mse_loss", function() return F.mse_loss(h, h) end, pt.float32 },
    { "cross_entropy", function() return F.cross_entropy(h, pt.tensor { 1, 2, 3, 1 }) end, pt.float32 },
    { "relu", function() return h:relu() end, pt.bfloat16 },
    { "var", function() return h:var() end, pt.bfloat16 },
    { "instance_norm", function() return F.instance_norm(pt.randn(2, 2, 4):to(pt.bfloat16)) end, pt.bfloat16 },
    { "add", function() return h + x end, pt.float32 },
    { "cat", function() return pt.cat { h, x } end, pt.float32 },
    { "atan2, wide first", function() return pt.atan2(x, h) end, pt.float32 },
    { "atan2, wide last", function() return pt.atan2(h, x) end, pt.float32 },
    { "addcmul, wide first", function() return pt.addcmul(x, h, h) end, pt.float32 },
    { "addcmul, wide last", function() return pt.addcmul(h, h, x) end, pt.float32 },
    { "addcmul, all narrow", function() return pt.addcmul(h, h, h) end, pt.bfloat16 },
    { "float64 is left alone", function() return x:double():mm(w:double()) end, pt.float64 },
    { "in place", function() return x:clone():mul_(2) end, pt.float32 },
  }

  for _, case in ipairs(cases) do
    it("gives PyTorch's dtype: " .. case[1], function()
      assert.equal(case[3], pt.autocast("cpu", case[2]).dtype)
    end)
  end

  it("refuses binary_cross_entropy by name", function()
    fails("binary_cross_entropy_with_logits", function()
      pt.autocast(function() return F.binary_cross_entropy(h:sigmoid(), pt.zeros(4, 3)) end)
    end)
  end)

  it("nests, is switched off within, and ends when an error passes", function()
    local function product() return x:mm(w).dtype end
    pcall(function()
      local _ <close> = pt.autocast("cpu", { dtype = pt.float16 })
      assert.equal(pt.float16, product())
      assert.equal(pt.bfloat16, pt.autocast("cpu", product))
      assert.equal(pt.float32, pt.autocast("cpu", { enabled = false }, product))
      assert.equal(pt.float16, product())
      error "out"
    end)
    assert.equal(pt.float32, product())
    fails("dtype must be float16", pt.autocast, "cpu", { dtype = pt.float64 })
    assert.equal(pt.float16, pt.autocast("float16", product))
    assert.equal(pt.bfloat16, pt.autocast("bfloat16", product))
    assert.equal(pt.float16, pt.autocast("cuda:0", product))
    fails("'banana' is neither a device", pt.autocast, "banana", product)
    fails("'float64' is neither a device", pt.autocast, "float64", product)
    fails("unknown option 'type'", pt.autocast, "cpu", { type = pt.float16 })
  end)

  it("gives float32 gradients, in a backward within it too", function()
    local p = pt.randn(3, 3):requires_grad_()
    local _ <close> = pt.autocast("cpu")
    x:mm(p):sum():backward()
    assert.equal(pt.float32, p.grad.dtype)
    assert.same(h:float():sum(1):to(pt.bfloat16):tolist(), p.grad[{ {}, 1 }]:to(pt.bfloat16):tolist())
  end)

  it("is done again by a checkpoint", function()
    local p = pt.randn(3, 3):requires_grad_()
    local function layer(v) return v:mm(p):tanh() end
    local function gradient(call)
      local y = pt.autocast("cpu", function() return call(layer, x) end)
      return pt.autograd.grad(y:sum(), p):tolist()
    end
    assert.same(gradient(function(fn, ...) return fn(...) end), gradient(pt.autograd.checkpoint))
  end)

  it("trains as float32 does", function()
    local function train(mode)
      pt.manual_seed(1)
      local model = pt.nn.Sequential(pt.nn.Linear(2, 16), pt.nn.Tanh(), pt.nn.Linear(16, 1))
      local optimizer, scaler = pt.optim.Adam(model:parameters(), { lr = 0.02 }), pt.amp.GradScaler()
      local data = pt.randn(64, 2)
      local target = data[{ {}, { 1, 1 } }] * data[{ {}, { 2, 2 } }]
      local loss
      for _ = 1, 150 do
        optimizer:zero_grad()
        loss = pt.autocast("cpu", mode, function() return F.mse_loss(model(data), target) end)
        scaler:scale(loss):backward()
        scaler:step(optimizer)
        scaler:update()
      end
      return loss:item()
    end
    local single = train { enabled = false }
    assert(single < 0.05, single)
    assert(math.abs(train { dtype = pt.float16 } - single) < 0.01)
    assert(math.abs(train { dtype = pt.bfloat16 } - single) < 0.02)
  end)
end)

describe("GradScaler", function()
  local function setup(options)
    local p = pt.ones(2):requires_grad_()
    return p, pt.optim.SGD({ p }, { lr = 0.5 }), pt.amp.GradScaler(options)
  end

  local function step(p, optimizer, scaler, factor)
    optimizer:zero_grad()
    scaler:scale((p * factor):sum()):backward()
    scaler:step(optimizer)
    scaler:update()
    return scaler:get_scale()
  end

  it("grows after good steps, shrinks and leaves the step out after a bad one", function()
    local p, optimizer, scaler = setup { init_scale = 4, growth_interval = 2 }
    local scales = {}
    for i, factor in ipairs { 1, 1, math.huge, 1, 1, 0 / 0 } do scales[i] = step(p, optimizer, scaler, factor) end
    assert.same({ 4, 8, 4, 4, 8, 4 }, scales)
    assert.same({ -1, -1 }, p:tolist())
  end)

  it("unscales once, for clipping", function()
    local p, optimizer, scaler = setup()
    assert.equal(65536, scaler:get_scale())
    scaler:scale((p * 3):sum()):backward()
    assert.same({ 3 * 65536, 3 * 65536 }, p.grad:tolist())
    scaler:unscale_(optimizer)
    assert.same({ 3, 3 }, p.grad:tolist())
    fails("unscale_: was called", scaler.unscale_, scaler, optimizer)
    scaler:step(optimizer)
    assert.same({ -0.5, -0.5 }, p:tolist())
    fails("step: was called", scaler.step, scaler, optimizer)
    fails("unscale_: is being called after step", scaler.unscale_, scaler, optimizer)
    scaler:update()
    fails("update: no gradient was checked", scaler.update, scaler)
    scaler:update(128)
    assert.equal(128, scaler:get_scale())
  end)

  it("does nothing when it is not enabled", function()
    local p, optimizer, scaler = setup { enabled = false }
    assert.equal(1, step(p, optimizer, scaler, 1))
    assert.same({ 0.5, 0.5 }, p:tolist())
    assert.same({}, scaler:state_dict())
  end)

  it("goes on from its state", function()
    local p, optimizer, scaler = setup { init_scale = 4, growth_interval = 2 }
    step(p, optimizer, scaler, 1)
    local other = pt.amp.GradScaler()
    other:load_state_dict(scaler:state_dict())
    assert.equal(8, step(p, optimizer, other, 1))
    fails("GradScaler: growth_factor must be above 1", pt.amp.GradScaler, { growth_factor = 1 })
    fails("is not that of an enabled GradScaler", scaler.load_state_dict, scaler, {})
    assert.equal(2, #scaler:scale { pt.ones(1), pt.ones(2) })
  end)
end)

-- Halves are storage: each op computes in float32, and rounds once at the end. So it is compared with itself on float32
-- tensors of the same values, gradients too.
describe("half precision:", function()
  local core, samples = require "pt.core", require "spec.support.samples"
  local compare = require "spec.support.compare"

  -- The arguments of a sample with float tensors by way of `dtype`, and the leaves among them.
  local function arguments(sample, by, dtype)
    local args, leaves = samples.arguments(sample, "float32"), {}
    local function convert(list, recipes)
      for i, recipe in pairs(recipes) do
        if samples.is_recipe(recipe) and list[i].dtype.is_floating_point then
          list[i] = list[i]:to(by):to(dtype)
          if samples.wants_grad(recipe) then leaves[#leaves + 1] = list[i]:requires_grad_() end
        elseif type(recipe) == "table" and type(list[i]) == "table" then
          convert(list[i], recipe)
        end
      end
    end
    convert(args, sample)
    return args, leaves
  end

  local function run(op, sample, by, dtype)
    local args, leaves = arguments(sample, by, dtype)
    pt.manual_seed(7)
    local outputs, total = { core.fn(op.name)(table.unpack(args, 1, args.n)) }, nil
    for k, y in ipairs(outputs) do
      outputs[k] = y:float()
      if y.requires_grad then total = (total or 0) + y:float():sum() end
    end
    local grads = total and #leaves > 0 and pt.autograd.grad(total, leaves, { allow_unused = true }) or {}
    for i, g in pairs(grads) do assert.equal(dtype, g.dtype, "gradient " .. i) end
    return outputs, grads
  end

  local function agrees(what, k, half, single, tolerance)
    local difference = compare.difference(half:float(), single, tolerance, tolerance)
    assert(difference == nil, ("%s %d: %s"):format(what, k, difference))
  end

  it("norms and covariances neither overflow nor lose what is small", function()
    local x = (pt.range(1, 12):reshape(3, 4) * 37):to(pt.float16)
    for name, fn in pairs {
      fro = function(v) return v:norm() end, third = function(v) return v:norm(3, 1) end, cov = pt.cov,
      corrcoef = pt.corrcoef,
    } do
      agrees(name, 1, fn(x), fn(x:float()), 2e-3)
      assert.equal(pt.float16, fn(x).dtype)
    end
  end)

  for _, op in ipairs(core.ops()) do
    local list = samples.of(op)
    -- LAPACK has no halves, and no complex number is made of them; those ops say so.
    if list and not op.name:find "^linalg_" and not samples.no_halves[op.name] then
      it(op.name, function()
        for _, sample in ipairs(list) do
          for dtype, tolerance in pairs { [pt.float16] = 2e-3, [pt.bfloat16] = 1.6e-2 } do
            local single, single_grads = run(op, sample, dtype, pt.float32)
            local half, half_grads = run(op, sample, dtype, dtype)
            for k, y in ipairs(single) do agrees("output", k, half[k], y, tolerance) end
            for i, g in pairs(single_grads) do agrees("gradient", i, half_grads[i], g, 2 * tolerance) end
          end
        end
      end)
    end
  end
end)
