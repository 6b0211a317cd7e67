-- autograd.Function: functions with a gradient of their own, written in Lua. Values are PyTorch's.
local pt = require "pt"
local expect = require "spec.support.expect"
local autograd = pt.autograd
local fails, leaves_nothing = expect.fails, expect.leaves_nothing

local function leaf(list) return pt.tensor(list, { dtype = pt.float64 }):requires_grad_() end

local Exp = autograd.Function "Exp"
function Exp.forward(ctx, x, scale)
  local y = x:exp() * scale
  ctx:save_for_backward(y)
  return y
end
function Exp.backward(ctx, grad)
  local y = table.unpack(ctx.saved_tensors)
  return grad * y
end

describe("Function", function()
  it("has the gradient it was given, and the gradient of that", function()
    local x = leaf { 0.5, 1 }
    local y = Exp.apply(x, 2)
    assert.equal("<ExpBackward0>", y.grad_fn)
    local g = autograd.grad(y:sum(), x, { create_graph = true })
    assert.same(y:tolist(), g:tolist())
    assert.same(y:tolist(), autograd.grad(g:sum(), x):tolist())
    assert.is_false(Exp(pt.ones(2), 1).requires_grad)
    pt.no_grad(function() assert.is_false(Exp(x, 1).requires_grad) end)
  end)

  it("tells which gradients are needed; the others may be nil", function()
    local needs
    local Mul = autograd.Function "Mul"
    function Mul.forward(ctx, a, b)
      ctx:save_for_backward(a, nil, b)
      return a * b
    end
    function Mul.backward(ctx, g)
      needs = ctx.needs_input_grad
      local saved = ctx.saved_tensors
      assert.is_nil(saved[2])
      return needs[1] and g * saved[3] or nil, needs[2] and g * saved[1] or nil
    end
    local a, b = leaf { 2 }, pt.tensor({ 3 }, { dtype = pt.float64 })
    Mul(a, b):sum():backward()
    assert.same({ true, false }, needs)
    assert.same({ 3 }, a.grad:tolist())
    fails("a second time", function()
      local y = Mul(a, b):sum()
      y:backward()
      y:backward()
    end)
  end)

  it("gives zeros for outputs that were not used, unless told not to", function()
    local Two = autograd.Function "Two"
    local got
    function Two.forward(ctx, x, zeros)
      ctx:set_materialize_grads(zeros)
      return x * 2, x * 3
    end
    function Two.backward(_, a, b)
      got = { a, b }
      return a * 2
    end
    local x = leaf { 1, 2 }
    local first = Two(x, true)
    first:sum():backward()
    assert.same({ 0, 0 }, got[2]:tolist())
    first = Two(x, false)
    first:sum():backward()
    assert.is_nil(got[2])
  end)

  it("marks outputs without a gradient", function()
    local Sort = autograd.Function "Sort"
    function Sort.forward(ctx, x)
      local y = x:mul(2)
      local rank = x:clone()
      ctx:mark_non_differentiable(rank)
      return y, rank
    end
    function Sort.backward(_, g) return g * 2 end
    local y, rank = Sort(leaf { 1, 2 })
    assert.is_true(y.requires_grad)
    assert.is_false(rank.requires_grad)
  end)

  it("refuses a gradient of a backward that is once_differentiable", function()
    local Once = autograd.Function "Once"
    function Once.forward(ctx, x)
      ctx:save_for_backward(x)
      return x * x
    end
    Once.backward = autograd.once_differentiable(function(ctx, g) return g * 2 * ctx.saved_tensors[1] end)
    local x = leaf { 3 }
    local g = autograd.grad(Once(x):sum(), x, { create_graph = true })
    assert.same({ 6 }, g:tolist())
    fails("once_differentiable", function() g:sum():backward() end)
    Once(x):sum():backward()
    assert.same({ 6 }, x.grad:tolist())
  end)

  it("says what is wrong with it", function()
    local Bad = autograd.Function "Bad"
    local x = leaf { 1, 2 }
    fails("Bad: there is no forward", Bad.apply, x)
    function Bad.forward(_, v) return v:mul_(2) end
    fails("Bad: forward edited argument 1 in place", Bad.apply, x * 1)
    function Bad.forward(_, v) return v * 2 end
    fails("Bad: there is no backward", function() Bad(x):sum():backward() end)
    function Bad.backward(_, g) return g, g end
    fails("Bad: backward returned 2 gradients, forward took 1", function() Bad(x):sum():backward() end)
    function Bad.backward() return 5 end
    fails("Bad: backward must return a tensor or nil for argument 1", function() Bad(x):sum():backward() end)
    function Bad.backward() return pt.ones(7) end
    fails("backward of Bad gave a gradient [7] for its input 1 [2]", function() Bad(x):sum():backward() end)
  end)

  it("returns its input as a result of its own", function()
    local Flip = autograd.Function "Flip" -- a layer that turns the gradient round
    function Flip.forward(_, x) return x end
    function Flip.backward(_, g) return -g end
    local x = leaf { 1, 2 }
    local y = Flip(x)
    y:add_(1)
    y:sum():backward()
    assert.same({ -1, -1 }, x.grad:tolist())
    assert.same({ 1, 2 }, x:tolist())
  end)

  it("edits arguments that it marks dirty", function()
    local Relu = autograd.Function "Relu"
    function Relu.forward(ctx, x)
      x:clamp_(0)
      ctx:mark_dirty(x)
      ctx:save_for_backward(x)
      return x
    end
    function Relu.backward(ctx, g) return g * ctx.saved_tensors[1]:gt(0) end
    local a, w = leaf { 1, -2, 3, -4 }, pt.tensor({ 1, 2, 3, 4 }, { dtype = pt.float64 })
    local h = a * 2
    assert.equal(h, Relu(h))
    assert.same({ 2, 0, 6, 0 }, h:tolist())
    assert.same({ 2, 0, 6, 0 }, autograd.grad((h * w):sum(), a):tolist())
    h = a * 2
    Relu(h:narrow(1, 2, 2)) -- a view: the base has the edit in its history
    assert.same({ 2, 0, 6, -8 }, h:tolist())
    assert.same({ 2, 0, 6, 8 }, autograd.grad((h * w):sum(), a):tolist())
    assert.is_true(autograd.gradcheck(function(x) return Relu(x * 2) end, { a }))
    h = a * 2
    local before = h * h
    Relu(h)
    fails("edited in place", function() before:sum():backward() end)
    fails("Relu: x is a leaf that requires grad", Relu, leaf { 1 })
    fails("Relu: x is a view of a leaf that requires grad", Relu, leaf { 1, 2 }:narrow(1, 1, 1))
    pt.no_grad(function() assert.same({ 1, 0 }, Relu(leaf { 1, -1 }):tolist()) end)
    leaves_nothing(20, function()
      Relu(a * 2):sum():backward()
      Relu(a * 2)
    end)
  end)

  it("gives what it edits the history of the call, beside other results", function()
    local Scale = autograd.Function "Scale"
    function Scale.forward(ctx, x, y, v)
      x:mul_(v)
      ctx:mark_dirty(x)
      ctx:save_for_backward(v, x)
      return v * 3, x, y
    end
    function Scale.backward(ctx, g, gx, gy)
      local v, x = table.unpack(ctx.saved_tensors)
      return gx * v, gy, g * 3 + gx * x / v
    end
    local v, x, y = leaf { 2, 4 }, pt.tensor({ 5, 6 }, { dtype = pt.float64 }), leaf { 1, 1 }
    local triple, same, other = Scale(x, y, v)
    assert.equal(x, same)
    assert.is_true(x.requires_grad and not x.is_leaf)
    assert.is_true(y.is_leaf and not rawequal(other, y))
    local g = autograd.grad(triple:sum() + x:pow(2):sum() + (other * 7):sum(), { v, y }, { create_graph = true })
    assert.same({ { 103, 291 }, { 7, 7 } }, { g[1]:tolist(), g[2]:tolist() }) -- 3 + 2 v 5^2, 3 + 2 v 6^2
    assert.same({ 50, 72 }, autograd.grad(g[1]:sum(), v):tolist())
    local part = (v * 1):narrow(1, 2, 1)
    Scale(part, y:narrow(1, 1, 1), pt.tensor({ 2 }, { dtype = pt.float64 }))
    assert.same({ 0, 2 }, autograd.grad(part:sum(), v):tolist())
  end)

  it("holds edits to what was marked and returned", function()
    local Bad = autograd.Function "Bad"
    local x = leaf { 1, 2 }
    function Bad.forward(ctx, v)
      ctx:mark_dirty(v)
      return v:mul_(2):clone()
    end
    fails("Bad: an argument that was marked dirty must be returned by forward", Bad.apply, x * 1)
    function Bad.forward(ctx, v)
      ctx:mark_dirty(v * 1)
      return v
    end
    fails("Bad: mark_dirty takes arguments of forward, got another tensor", Bad.apply, x * 1)
  end)

  it("has one backward, where it saved nothing, too", function()
    local Twice = autograd.Function "Twice"
    function Twice.forward(ctx, x)
      ctx.factor = 2
      return x * 2
    end
    function Twice.backward(ctx, g) return g * ctx.factor end
    local y = Twice(leaf { 1, 2 })
    y:backward { gradient = pt.ones(2) }
    fails("backward through function a second time", y.backward, y, { gradient = pt.ones(2) })
  end)

  it("leaves nothing behind when its backward fails", function()
    local Bad = autograd.Function "Bad"
    function Bad.forward(ctx, x)
      local y = x * 2
      ctx:save_for_backward(x, y)
      return y
    end
    function Bad.backward() error "no" end
    leaves_nothing(20, function()
      local x = leaf { 1, 2 }
      local y = Bad(x)
      fails("no", autograd.grad, y:sum(), x, { create_graph = true })
    end)
  end)

  it("leaves nothing behind", function()
    leaves_nothing(100, function()
      local y = Exp(leaf { 1, 2 }, 2)
      local z = Exp(y, 1)
      z:sum():backward()
      pcall(z.backward, z)
      Exp(leaf { 1 }, 3)
    end)
  end)
end)
