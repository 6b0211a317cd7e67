-- Gradients as a script meets them: which graph is walked, what waits on the way, memory given back.
-- Values are PyTorch's.
local pt = require "pt"
local expect = require "spec.support.expect"
local autograd = pt.autograd
local fails, leaves_nothing, settled = expect.fails, expect.leaves_nothing, expect.settled

local function leaf(list) return pt.tensor(list, { dtype = pt.float64 }):requires_grad_() end

describe("backward", function()
  it("adds to the grad of leaves", function()
    local x = leaf { 1, 2, 3 }
    for _ = 1, 2 do (x * x):sum():backward() end
    assert.same({ 4, 8, 12 }, x.grad:tolist())
  end)

  it("takes inputs, which may be results of ops", function()
    local x, w = leaf { 1, 2 }, leaf { 3, 4 }
    local y = x * w
    y:pow(2):sum():backward { inputs = { y, w } }
    assert.same({ 6, 16 }, y.grad:tolist())
    assert.same({ 6, 32 }, w.grad:tolist())
    assert.is_nil(x.grad)
    fails("inputs is empty", function() y:sum():backward { inputs = {} } end)
  end)

  it("refuses a second walk, and a value edited since, by the names of the ops", function()
    local x = leaf { 1, 2 }
    local y = x:exp():sum()
    y:backward()
    fails("backward through exp a second time", y.backward, y)
    local a = x * 2
    local b = a:exp()
    b:add_(1)
    fails("backward through exp: a tensor [2] that its gradient needs was edited in place by add", function()
      b:sum():backward()
    end)
  end)

  it("forgets what a tensor was made from when an op without a gradient edits it", function()
    local x = leaf { -1, 0, 2 }
    local y = x * 2
    y:heaviside_(pt.tensor(0.5))
    assert.is_false(y.requires_grad)
    x:mul(y):sum():backward()
    assert.same({ 0, 0.5, 1 }, x.grad:tolist())
  end)

  it("leaves the grads alone when it fails", function()
    local x = leaf { 1, 2 }
    local y = x * 2
    y:register_hook(function() error "no" end)
    local both = (x * 3):sum() + y:sum()
    fails("no", both.backward, both)
    assert.is_nil(x.grad)
  end)

  it("computes only what leads to the inputs of grad", function()
    local x, w = leaf { 1, 2 }, leaf { 3, 4 }
    local seen = 0
    local h = w * 2
    h:register_hook(function() seen = seen + 1 end)
    local mid = x * h
    local y = mid:exp()
    local g = autograd.grad(y:sum(), mid)
    assert.same(y:tolist(), g:tolist())
    assert.equal(0, seen)
    mid:sum():backward() -- the part before mid was not used up
    assert.same({ 6, 8 }, x.grad:tolist())
    assert.equal(1, seen)
  end)

  it("gives zeros for unused inputs where asked", function()
    local x, w = leaf { 1, 2 }, leaf { 3 }
    local y = x:sum()
    fails("is not used", autograd.grad, y, { x, w }, { retain_graph = true })
    assert.is_nil(autograd.grad(y, { x, w }, { retain_graph = true, allow_unused = true })[2])
    assert.same({ 0 }, autograd.grad(y, { x, w }, { materialize_grads = true })[2]:tolist())
  end)

  it("walks a chain and a fan of 10^5 calls", function()
    local x = leaf { 1 }
    local y = x
    for _ = 1, 1e5 do y = y + 1 end
    assert.same({ 1 }, autograd.grad(y:sum(), x, { retain_graph = true }):tolist())
    y:sum():backward()
    assert.same({ 1 }, x.grad:tolist())
  end)

  it("runs within a backward, on the same graph", function()
    local x, ones = leaf { 1, 2 }, pt.ones(2, { dtype = pt.float64 })
    local y = x * x
    local inner, once
    y:register_hook(function()
      if once then return end
      once = true
      inner = autograd.grad(y, x, { grad_outputs = ones, retain_graph = true })
    end)
    local triple = (y * 3):sum()
    triple:backward { retain_graph = true }
    assert.same({ 2, 4 }, inner:tolist())
    assert.same({ 6, 12 }, x.grad:tolist())
    y:register_hook(function() y:backward(ones, { retain_graph = true }) end)
    fails("within one another", triple.backward, triple)
  end)
end)

describe("hooks", function()
  it("see and replace the gradient, in order, until removed", function()
    local x = leaf { 1, 2 }
    local y = x * 3
    local seen = {}
    y:register_hook(function(g) seen[#seen + 1] = g:tolist() end)
    local second = y:register_hook(function(g) return g * 10 end)
    y:register_hook(function(g) seen[#seen + 1] = g:tolist() end)
    y:sum():backward { retain_graph = true }
    assert.same({ { 1, 1 }, { 10, 10 } }, seen)
    assert.same({ 30, 30 }, x.grad:tolist())
    second:remove()
    second:remove()
    x.grad = nil
    y:sum():backward()
    assert.same({ 3, 3 }, x.grad:tolist())
  end)

  it("of a leaf stay, and run before its grad is added to", function()
    local x = leaf { 1, 2 }
    local handle = x:register_hook(function(g) return g * 2 end)
    local sums = {}
    x:register_post_accumulate_grad_hook(function(p) sums[#sums + 1] = p.grad:tolist() end)
    for _ = 1, 2 do (x * 1):sum():backward() end
    handle:remove();
    (x * 1):sum():backward()
    assert.same({ { 2, 2 }, { 4, 4 }, { 5, 5 } }, sums)
  end)

  it("may remove themselves while they run", function()
    local x = leaf { 1 }
    local n, handle = 0, nil
    handle = x:register_hook(function()
      n = n + 1
      handle:remove()
    end)
    for _ = 1, 3 do (x * 2):sum():backward() end
    assert.equal(1, n)
  end)

  it("raise their own errors, objects too", function()
    local x = leaf { 1 }
    local y = x * 2
    local object = {}
    local handle = y:register_hook(function() error(object) end)
    local ok, err = pcall(function() y:sum():backward { retain_graph = true } end)
    assert.is_false(ok)
    assert.equal(object, err)
    handle:remove()
    y:register_hook(function() return 5 end)
    fails("register_hook: what the hook returns must be a tensor, got 5", function()
      y:sum():backward { retain_graph = true }
    end)
    local z = x * 2
    z:register_hook(function() return pt.ones(7) end)
    fails("a gradient [7] in place of [1]", function() z:sum():backward() end)
    fails("does not require grad", function() pt.ones(2):register_hook(print) end)
  end)

  it("hold no memory when they refer to their own tensors", function()
    leaves_nothing(100, function()
      local x = leaf { 1, 2 }
      x:register_hook(function(g) return g * x end)
      local y = x * 2
      y:register_hook(function(g) return g * y end)
      y:retain_grad()
      y:sum():backward()
    end)
  end)

  it("of results go with the graph; retain_grad follows edits", function()
    leaves_nothing(20, function()
      local x = leaf { 1, 2 }
      local y = x * 2
      y:retain_grad()
      assert.is_true(y.retains_grad)
      y:mul_(3)
      y:pow(2):sum():backward()
      assert.same({ 12, 24 }, y.grad:tolist())
      assert.same({ 72, 144 }, x.grad:tolist())
    end)
    fails("retain_grad", function() pt.ones(2):retain_grad() end)
  end)

  it("of a result end with it, while its graph lives on", function()
    leaves_nothing(20, function()
      local x = leaf { 1, 2 }
      local y = x * 2
      y:retain_grad()
      local z = y:sum()
      y = nil -- luacheck: ignore
      collectgarbage()
      z:backward()
      assert.same({ 2, 2 }, x.grad:tolist())
    end)
  end)
end)

describe("modes", function()
  it("nest, and end when an error passes", function()
    pcall(function()
      local _ <close> = pt.no_grad()
      assert.is_false(pt.is_grad_enabled())
      pt.enable_grad(function() assert.is_true(pt.is_grad_enabled()) end)
      error "out"
    end)
    assert.is_true(pt.is_grad_enabled())
    local mode = pt.set_grad_enabled(false)
    assert.is_false(pt.is_grad_enabled())
    getmetatable(mode).__close(mode)
    assert.is_true(pt.is_grad_enabled())
  end)

  it("inference_mode makes tensors that never take part in a graph", function()
    local x, w = nil, leaf { 1, 2 }
    pt.inference_mode(function()
      x = pt.ones(2, { dtype = pt.float64 })
      x:add_(1)
      assert.is_true(pt.is_inference_mode_enabled())
      assert.is_false((w * 2).requires_grad)
    end)
    assert.is_true(x:is_inference())
    assert.is_true(pt.is_grad_enabled())
    fails("cannot be saved for backward", function() return w * x end)
    fails("cannot be edited outside", function() x:add_(1) end)
    fails("requires_grad_", function() x:requires_grad_() end)
    assert.same({ 2, 2 }, pt.autograd.grad((w * x:clone()):sum(), w):tolist())
  end)

  it("a view made under no_grad is not edited where its base has a gradient", function()
    local x = leaf { 1, 2 }
    local base = x * 2
    local view = pt.no_grad(function() return base:narrow(1, 1, 1) end)
    fails("made under pt.no_grad()", function() view:mul_(3) end)
    pt.no_grad(function() view:mul_(3) end)
    base:narrow(1, 1, 1):mul_(5)
    base:sum():backward()
    assert.same({ 10, 2 }, x.grad:tolist())
  end)

  it("detach_ cuts a result off from its history", function()
    local x = leaf { 1, 2 }
    local y = x * 2
    assert.equal(y, y:detach_())
    assert.is_true(y.is_leaf)
    assert.is_false(y.requires_grad)
    fails("is a view", function() (x * 2)[1]:detach_() end)
  end)
end)

describe("checkpoint", function()
  local w = leaf { { 1, 2 }, { 3, -4 } }
  local function block(x)
    local h = x:mm(w):tanh()
    return (h * pt.rand(2, 2, { dtype = pt.float64 })):mm(w), h:sigmoid()
  end

  local function train(call)
    local x = leaf { { 0.1, 0.2 }, { 0.3, 0.4 } }
    pt.manual_seed(3)
    local a, b = call(block, x)
    pt.rand(5)
    local loss = a:sum() + b:sum()
    local g = autograd.grad(loss, { x, w }, { create_graph = true })
    local gg = autograd.grad(g[1]:pow(2):sum(), w)
    return { loss:item(), g[1]:tolist(), g[2]:tolist(), gg:tolist(), pt.rand(3):tolist() }
  end

  it("gives the same bits as without, second order too", function()
    assert.same(train(function(fn, ...) return fn(...) end), train(autograd.checkpoint))
  end)

  it("adds to the grad of parameters and keeps less", function()
    local function bytes(call)
      local before = settled().live_bytes
      local y = pt.ones(100, 2, { dtype = pt.float64 })
      local layer = function(x)
        for _ = 1, 20 do x = x:tanh() end
        return x:mm(w)
      end
      for _ = 1, 4 do y = call(layer, y) end
      local kept = settled().live_bytes - before
      w.grad = nil
      y:sum():backward()
      return kept, w.grad:tolist()
    end
    local plain, want = bytes(function(fn, ...) return fn(...) end)
    local less, got = bytes(autograd.checkpoint)
    assert.same(want, got)
    assert(less < plain, ("%d bytes, %d without"):format(less, plain))
    w.grad = nil
  end)

  it("goes through a list of functions in pieces", function()
    local layers = {}
    for i = 1, 5 do layers[i] = function(x) return (x * i):tanh() end end
    local function gradient(fn)
      local x = leaf { 0.1, 0.2 }
      return autograd.grad(fn(x):sum(), x):tolist()
    end
    local want = gradient(function(x)
      for _, layer in ipairs(layers) do x = layer(x) end
      return x
    end)
    assert.same(want, gradient(function(x) return autograd.checkpoint_sequential(layers, 2, x) end))
    fails("segments must be 1 to 5", autograd.checkpoint_sequential, layers, 6, w)
  end)

  it("refuses what it cannot do again", function()
    local n = 0
    local y = autograd.checkpoint(function(x)
      n = n + 1
      return n == 1 and (x:exp() * x:sin()) or x:exp()
    end, w * 1)
    fails("it must do the same each time", function() y:sum():backward() end)
    local x = pt.ones(2, 2, { dtype = pt.float64 })
    y = autograd.checkpoint(function(v) return (v * w):exp() end, x)
    x:add_(1)
    fails("checkpoint: argument 1 was edited in place", function() y:sum():backward() end)
    fails("checkpoint: the first argument must be a function", autograd.checkpoint, 5)
    fails("inside", autograd.checkpoint, function() error "inside" end)
  end)

  it("leaves nothing behind", function()
    leaves_nothing(20, function(i)
      local y = autograd.checkpoint(block, w * 1)
      if i % 2 == 0 then
        autograd.grad(y:sum(), w)
      elseif i % 3 == 0 then
        pcall(autograd.checkpoint, function(x) error(x:exp()) end, w)
      end
    end)
  end)
end)

describe("detect_anomaly", function()
  it("names the op, its line, the element, and where the first NaN came from", function()
    local _ <close> = autograd.detect_anomaly()
    local x = leaf { { 4, 1 }, { 2, 0 } }
    local y = (x:sqrt() * 0):sum()
    fails("backward of sqrt gave NaN in the gradient [2, 2] of its input 1, first at element [2, 2]", y.backward, y)
    local z = (leaf { 1, -1 }:log() * 2):exp():sum()
    fails("spec/autograd_spec.lua:", z.backward, z)
    z = (leaf { 1, -1 }:log() * 2):exp():sum()
    fails("came from log (spec/autograd_spec.lua:", z.backward, z)
  end)

  it("adds the line to other failures of a walk, and ends", function()
    autograd.detect_anomaly(function()
      local x = leaf { 1, 2 }
      local a = x * 2
      local b = a:exp()
      b:add_(1)
      fails("; the forward call of exp was at spec/autograd_spec.lua:", function() b:sum():backward() end)
    end)
    local x = leaf { 0 }
    local y = x:sqrt() * 0
    y:sum():backward()
    assert.is_true(x.grad:isnan():all():item())
  end)
end)

describe("functional", function()
  local function cubes(x) return x:pow(3):sum() end
  local x = pt.tensor({ 1, 2, 3 }, { dtype = pt.float64 })
  local v = pt.tensor({ 1, -1, 2 }, { dtype = pt.float64 })

  it("vjp and jvp multiply with the Jacobian from either side", function()
    local w = pt.tensor({ { 1, 2, 3 }, { 4, 5, 6 } }, { dtype = pt.float64 })
    local function fn(t) return w:mv(t * t) end
    local y, g = autograd.functional.vjp(fn, x, pt.tensor({ 1, 10 }, { dtype = pt.float64 }))
    assert.same({ 36, 78 }, y:tolist())
    assert.same({ 82, 208, 378 }, g:tolist())
    assert.is_false(y.requires_grad or g.requires_grad)
    y, g = autograd.jvp(fn, x, v)
    assert.same({ 36, 78 }, y:tolist())
    assert.same({ 30, 60 }, g:tolist())
    assert.same({ 3, 12, 27 }, select(2, autograd.vjp(cubes, x)):tolist())
    fails("v may be left out only", autograd.vjp, fn, x)
    fails("v 1 is [3], expected [2]", autograd.vjp, fn, x, v)
  end)

  it("jacobian has the shape of the result before that of the input", function()
    local j = autograd.jacobian(function(a) return a:unsqueeze(1) * a:unsqueeze(2) end, x)
    assert.same({ 3, 3, 3 }, { table.unpack(j.shape) })
    assert.same({ { 2, 0, 0 }, { 2, 1, 0 }, { 3, 0, 1 } }, j[1]:tolist())
    local list = autograd.jacobian(function(a, b) return a * b, b end, { x, v })
    assert.same({ { 1, 0, 0 }, { 0, -1, 0 }, { 0, 0, 2 } }, list[1][1]:tolist())
    assert.same({ { 0, 0, 0 }, { 0, 0, 0 }, { 0, 0, 0 } }, list[2][1]:tolist())
    fails("no result depends on input 1", autograd.jacobian, function(_, b) return b * 1 end, { x, v },
      { strict = true })
    j = autograd.jacobian(function(a) return a * 3 end, leaf { 2 }, { create_graph = true })
    assert.same({ { 3 } }, j:tolist())
  end)

  it("hessian, and products with it", function()
    local function fn(a, b) return (a * a * b):sum() end
    local h = autograd.hessian(fn, { x, v })
    assert.same({ { 2, 0, 0 }, { 0, -2, 0 }, { 0, 0, 4 } }, h[1][1]:tolist())
    assert.same({ { 2, 0, 0 }, { 0, 4, 0 }, { 0, 0, 6 } }, h[1][2]:tolist())
    assert.same({ { 0, 0, 0 }, { 0, 0, 0 }, { 0, 0, 0 } }, h[2][2]:tolist())
    for _, name in ipairs { "hvp", "vhp" } do
      local y, product = autograd[name](cubes, x, v)
      assert.equal(36, y:item())
      assert.same({ 6, -12, 36 }, product:tolist())
    end
    fails("hessian: fn must give one tensor of one element", autograd.hessian, function(a) return a * 2 end, x)
  end)

  it("gradcheck and gradgradcheck find what is wrong", function()
    local function fn(a, b) return a:sin() * b, b:exp() end
    assert.is_true(autograd.gradcheck(fn, { leaf { 1, 2 }, leaf { 3, 4 } }))
    assert.is_true(autograd.gradgradcheck(fn, { leaf { 1, 2 }, leaf { 3, 4 } }))
    local Half = autograd.Function "Half"
    function Half.forward(ctx, a)
      ctx:save_for_backward(a)
      return a * a
    end
    function Half.backward(ctx, g) return g * ctx.saved_tensors[1] end
    fails("element 1 of result 1 for element 1 of input 1 is 1, differences give 2", autograd.gradcheck, Half.apply,
      leaf { 1, 2 })
    assert.is_false(autograd.gradcheck(Half.apply, leaf { 1 }, { raise_exception = false }))
    local First = autograd.Function "First" -- a right gradient whose own gradient is wrong
    function First.forward(ctx, a)
      ctx:save_for_backward(a)
      return a * a
    end
    function First.backward(ctx, g) return g * 2 * ctx.saved_tensors[1]:detach() end
    assert.is_true(autograd.gradcheck(First.apply, leaf { 1, 2 }))
    fails("gradgradcheck", autograd.gradgradcheck, First.apply, leaf { 1, 2 })
    fails("differences need float64", autograd.gradcheck, fn, pt.ones(2):requires_grad_())
    fails("no input requires grad", autograd.gradcheck, fn, x)
  end)
end)

describe("vmap", function()
  local core, samples = require "pt.core", require "spec.support.samples"
  local compare = require "spec.support.compare"

  -- The call of a sample with the tensors that `chosen` names replaced, for each of two versions of them.
  local function versions(args, recipes)
    local batch, dims, any = {}, {}, false
    for i = 1, args.n do
      local is = samples.is_recipe(recipes[i]) and core.is_tensor(args[i])
      dims[i] = is and 1 or false
      local second = is and args[i].dtype.is_floating_point and args[i] * 0.9 or args[i]
      batch[i] = is and pt.stack { args[i], second } or args[i]
      any = any or is
    end
    batch.n = args.n
    return any and batch, dims
  end

  local function one(batch, dims, k)
    local list = { n = batch.n }
    for i = 1, batch.n do
      if dims[i] then list[i] = batch[i]:select(1, k) else list[i] = batch[i] end
    end
    return list
  end

  for _, op in ipairs(core.ops()) do
    local list = samples.of(op)
    if list and not op.name:find "^rand" --[[ each sample would draw numbers of its own ]] and list.views ~= false then
      it("agrees with one call for each sample: " .. op.name, function()
        for s = 1, math.min(#list, 4) do
          local args = samples.arguments(list[s], "float64")
          local batch, dims = versions(args, list[s])
          local fn = core.fn(op.name)
          local got = batch and table.pack(autograd.vmap(fn, { in_dims = dims })(table.unpack(batch, 1, batch.n)))
          for k = 1, got and 2 or 0 do
            local single = one(batch, dims, k)
            local want = table.pack(fn(table.unpack(single, 1, single.n)))
            for r = 1, want.n do
              assert.same(want[r].shape, got[r]:select(1, k).shape)
              assert.equal(want[r].dtype, got[r].dtype)
              local difference = compare.difference(got[r]:select(1, k), want[r], 1e-12, 1e-14)
              assert(difference == nil, ("sample %d, result %d: %s"):format(s, r, difference))
            end
          end
        end
      end)
    end
  end

  it("maps over chosen dims, nests, and leaves arguments alone", function()
    local a, b = pt.range(1, 6):reshape(2, 3), pt.range(1, 2)
    local function product(u, v) return u * v end
    assert.same({ { 1, 2, 3 }, { 8, 10, 12 } }, autograd.vmap(product)(a, b):tolist())
    assert.same({ { 1, 8 }, { 2, 10 }, { 3, 12 } }, autograd.vmap(product, { out_dims = 2 })(a, b):tolist())
    assert.same({ 5, 7, 9 }, autograd.vmap(function(u) return u:sum() end, { in_dims = 2 })(a):tolist())
    local outer = autograd.vmap(autograd.vmap(product, { in_dims = { false, 1 } }), { in_dims = { 1, false } })
    assert.same({ { 1, 2 }, { 2, 4 }, { 3, 6 } }, outer(pt.range(1, 3), b):tolist())
  end)

  it("runs modules and functions written in Lua, and has gradients", function()
    local model = pt.nn.Sequential(pt.nn.Linear(3, 4), pt.nn.Tanh(), pt.nn.Linear(4, 2))
    local x = pt.randn(5, 3):requires_grad_()
    local y = autograd.vmap(model)(x)
    assert(compare.difference(y, model(x), 1e-5, 1e-6) == nil)
    local g = autograd.grad(y:sum(), x)
    assert(compare.difference(g, autograd.grad(model(x):sum(), x), 1e-5, 1e-6) == nil)
    local function spread(v) return v:std() + v[1] - v[{ { 2, 3 } }]:mean() end
    assert.same({ 5 }, { table.unpack(autograd.vmap(spread)(x).shape) })
  end)

  it("gives each sample its own gradient", function()
    local w = pt.tensor({ 2, 3 }, { dtype = pt.float64 })
    local x = pt.tensor({ { 1, 2 }, { 3, 4 }, { 5, 6 } }, { dtype = pt.float64 })
    local function per_sample(weight, v) return autograd.grad((weight * v):sum():pow(2), weight) end
    local g = autograd.vmap(per_sample)(w:expand(3, 2):clone():requires_grad_(), x)
    assert.same({ { 16, 32 }, { 108, 144 }, { 280, 336 } }, g:tolist())
    fails("input 1 of grad is the same for all", function()
      w:requires_grad_()
      autograd.vmap(per_sample, { in_dims = { false, 1 } })(w, x)
    end)
  end)

  it("refuses by name what has no meaning for a batch", function()
    local x = pt.ones(2, 3)
    local function with(fn) return function() return autograd.vmap(fn)(x) end end
    fails("vmap: add_ edits a tensor that is the same for all samples in place",
      with(function(v) return pt.ones(2):add_(v) end))
    fails("vmap: index_copy_ edits a sample in place",
      with(function(v) return v:clone():index_copy_(1, pt.tensor { 1 }, pt.zeros(1)) end))
    fails("add_: a sample of 0 dims holds none of 1", with(function(v) return v:sum():add_(v) end))
    fails("vmap: item is not possible", with(function(v) return v:item() end))
    fails("vmap: result 1 must be a tensor or a table of them, got a number", with(function() return 5 end))
    fails("vmap: edits in place", with(function(v) v[1] = 0 end))
    fails("a batch of 3, those before it 2", autograd.vmap(function(a) return a end), x, pt.ones(3))
    fails("no argument is a tensor", autograd.vmap(function(a) return a end), 5)
    fails("vmap: unknown option 'dims'", autograd.vmap, print, { dims = 1 })
    fails("vmap: randomness is 'error', 'different' or 'same', got 'some'", autograd.vmap, print,
      { randomness = "some" })
    for _, fn in ipairs {
      function() return pt.rand(2) end, function(v) return pt.nn.functional.dropout(v) end, pt.rand_like, pt.bernoulli,
      function() return pt.randperm(3) end, function(v) return v:clone():normal_() end,
    } do
      fails("vmap: random numbers are drawn", with(fn))
    end
    fails("normal_ cannot give one tensor other numbers for each sample", autograd.vmap(function()
      return pt.ones(2):normal_()
    end, { randomness = "different" }), x)
  end)

  it("draws numbers for each sample, or the same for all", function()
    local x = pt.full({ 4, 50 }, 0.5)
    local function distinct(y) -- samples that differ from the first
      return y:reshape(4, -1):ne(y:reshape(4, -1)[1]):any(-1):sum():item()
    end
    local layer = pt.nn.Dropout(0.5)
    for _, fn in ipairs {
      function() return pt.randn(50) end, function() return pt.randint(1000, { 50 }) end, pt.rand_like, pt.bernoulli,
      function(v) return pt.nn.functional.dropout(v, 0.5) end, layer, function() return pt.randperm(50) end,
      function(v) return v:clone():uniform_() end, function(v) return pt.multinomial(v, 20) end,
      function(v) return pt.normal(v, 1) end, function() return pt.randn(50, { dtype = pt.complex64 }):abs() end,
    } do
      assert.equal(3, distinct(autograd.vmap(fn, { randomness = "different" })(x)))
      assert.equal(0, distinct(autograd.vmap(fn, { randomness = "same" })(x)))
      assert.equal(0, distinct(autograd.vmap(fn, { randomness = "same", chunk_size = 3 })(x)))
    end
    local both = autograd.vmap(function(v)
      return autograd.vmap(function(u) return u + pt.rand(2) end, { randomness = "different" })(v)
    end, { randomness = "same" })(pt.zeros(3, 4))
    assert.same({ 3, 4, 2 }, { table.unpack(both.shape) })
    assert.is_true(pt.equal(both[1], both[2]))
    assert.is_false(pt.equal(both[1][1], both[1][2]))
    assert.is_false(pt.equal(pt.rand(2), pt.rand(2))) -- and all is as before
  end)

  it("edits samples in place, element by element", function()
    local x = pt.tensor { { 1.0, 2 }, { 3, 4 } }
    local y = autograd.vmap(function(v) return v:clone():mul_(v:sum()):add_(1):clamp_(0, 20) end)(x)
    assert.same({ { 4, 7 }, { 20, 20 } }, y:tolist())
    assert.same({ { 0, 0 }, { 0, 0 } }, autograd.vmap(function(v) return v:clone():zero_() end)(x):tolist())
  end)
end)

-- Gradients of as_strided for inputs that are not dense, each element of the result weighed; as PyTorch gives them.
describe("as_strided of a view", function()
  local function wide() return pt.range(0, 5):float():reshape(2, 3):requires_grad_() end
  local function turned() return wide():t() end
  local function spread() return wide()[{ {}, { 1, 3, 2 } }] end
  local function repeated() return wide():narrow(2, 1, 1):expand(2, 3) end
  for name, case in pairs {
    ["transposed"] = { turned, { { 2, 2 }, { 1, 2 } }, { { 1, 11 }, { 4, 0 }, { 8, 0 } } },
    ["transposed, elements read twice"] = { turned, { { 2, 3 }, { 1, 1 } }, { { 1, 3 }, { 19, 0 }, { 11, 0 } } },
    ["with gaps, which have no gradient"] = { spread, { { 2, 2 }, { 2, 1 } }, { { 1, 4 }, { 11, 0 } } },
    ["with gaps, from another place"] = { spread, { { 2, 2 }, { 2, 2 }, 1 }, { { 0, 0 }, { 12, 11 } } },
    ["expanded, each with its share"] = { repeated, { { 2, 2 }, { 3, 0 } }, { { 3, 3, 3 }, { 5, 5, 5 } } },
  } do
    it(name, function()
      local make, args, want = table.unpack(case)
      local x = make()
      local y = x:as_strided(table.unpack(args))
      local weights = {}
      for i = 1, y:numel() do weights[i] = (i - 1) * 7 % 11 + 1.0 end
      local g = autograd.grad((y * pt.tensor(weights):reshape(y.shape)):sum(), x)
      assert.is_true(pt.allclose(g, pt.tensor(want):float()), tostring(g))
    end)
  end
end)

-- Every order of three edits of a tensor and of views of it: what a view is a function of then, by its gradient.
describe("edits in place of a tensor and of its views", function()
  -- first and last element of the tensor itself, of a view of all, of two that overlap
  local ranges = { { 1, 4 }, { 1, 4 }, { 1, 3 }, { 2, 4 } }
  local function made()
    local x = leaf { 1, 1, 1, 1 }
    local base = x * 1
    return x, { base, base:view(2, 2), base:narrow(1, 1, 3), base:narrow(1, 2, 3) }
  end
  local edits = {
    { "multiplied", function(y, k) y:mul_(k) end, function(v, k) return v * k end },
    { "zeroed, then added to", function(y) y:zero_():add_(1) end, function() return 0 end },
  }
  for _, edit in ipairs(edits) do
    it(edit[1], function()
      for order = 0, 4 ^ 3 - 1 do
        for read = 1, 4 do
          local x, views = made()
          local want = { 1, 1, 1, 1 }
          for k, at in ipairs { order % 4 + 1, order // 4 % 4 + 1, order // 16 + 1 } do
            edit[2](views[at], k + 1)
            for i = ranges[at][1], ranges[at][2] do want[i] = edit[3](want[i], k + 1) end
          end
          for i = 1, 4 do
            if i < ranges[read][1] or i > ranges[read][2] then want[i] = 0 end
          end
          local y = views[read]:sum()
          if y.requires_grad then y:backward() end
          local got = x.grad and x.grad:tolist() or { 0, 0, 0, 0 }
          assert.same(want, got, ("order %d, view %d"):format(order, read))
        end
      end
    end)
  end
end)

describe("scope", function()
  it("frees what is made within it, but for what is returned or kept", function()
    local before, seen, outside = settled().tensors, nil, pt.ones(3)
    local y, list = pt.scope(function(x)
      seen = x * 2
      return seen + 1, { sum = (seen * 3):sum() }
    end, outside)
    assert.equal(before + 3, pt.memory_stats().tensors)
    assert.same({ 3, 3, 3 }, y:tolist())
    assert.equal(18, list.sum:item())
    assert.equal(3, outside:numel())
    fails("closed tensor", function() return seen + 1 end)
    do
      local scope <close> = pt.scope()
      y = scope:keep(y * 2)
      pcall(pt.scope, function() error(outside * 2) end)
      list = pt.scope(function() return outside * 5 end)
    end
    assert.same({ 6, 6, 6 }, y:tolist())
    fails("closed tensor", function() return list + 1 end)
  end)

  it("does not cut graphs", function()
    local x = leaf { 1, 2 }
    local y = pt.scope(function() return (x * x):exp():sum() end)
    y:backward()
    assert(math.abs(x.grad[1]:item() - 2 * math.exp(1)) < 1e-12)
  end)
end)

describe("when memory runs out", function()
  local core = require "pt.core"
  local Two = autograd.Function "Two"
  function Two.forward(ctx, x)
    local y = x:exp()
    ctx:save_for_backward(x, y)
    return y, x
  end
  function Two.backward(ctx, g, h) return g * ctx.saved_tensors[2] + h end

  local function script()
    local x = leaf { { 1, 2 }, { 3, 4 } }
    x:register_hook(function(g) return g * 2 end)
    local y = Two(x * 2)
    y:retain_grad()
    local z = autograd.checkpoint(function(v) return v:mm(v):tanh() end, y)
    local g = autograd.grad(z:sum(), { x, y }, { create_graph = true })
    g[1]:sum():backward()
    autograd.vmap(function(v) return v:matmul(v) + v:softmax(1):sum() end)(x):sum():backward { inputs = { x } }
    local _ <close> = autograd.detect_anomaly()
    pt.autocast("cpu", function() return x:mm(x):exp():sum() end):backward()
  end

  it("every failing allocation is an error that leaves nothing behind", function()
    finally(function() core.fail_at(0) end)
    script()
    local before, failures = settled(), 0
    for n = 1, 400, 3 do
      core.fail_at(n)
      local ok, err = pcall(script)
      core.fail_at(0)
      if not ok then
        failures = failures + 1
        assert(tostring(err):find "memory", err)
      end
      assert(pt.is_grad_enabled() and not core.is_autocast() and not core.detect_anomaly())
      local after = settled()
      for _, key in ipairs { "tensors", "nodes" } do assert.equal(before[key], after[key], key .. " at " .. n) end
    end
    assert(failures > 50)
  end)
end)

describe("a view of what has no gradient that requires grad", function()
  it("is a leaf of its own, which is not edited, nor through views of it", function()
    local base = pt.arange(6):double()
    local x = base:reshape(2, 3):requires_grad_()
    assert.error_matches(function() x:mul_(2) end, "mul_: x is a leaf that requires grad")
    assert.error_matches(function() x:t():mul_(2) end, "mul_: x is a view of a leaf that requires grad")
    assert.is_true(x.is_leaf);
    (x * x):sum():backward()
    assert.same({ { 0.0, 2.0, 4.0 }, { 6.0, 8.0, 10.0 } }, x.grad:tolist())
    pt.no_grad(function() x:t():mul_(2) end)
    assert.same({ 0.0, 2.0, 4.0, 6.0, 8.0, 10.0 }, base:tolist())
    base:add_(1) -- the memory is still one
    assert.equal(1.0, x[{ 1, 1 }]:item())
  end)
end)
