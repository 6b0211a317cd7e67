-- What networks live on, beyond the tables of functional_*_spec.lua: what random calls beside PyTorch found; memory.

local pt = require "pt"
local F = pt.nn.functional
local options = { dtype = pt.float64 }

local function double(data) return pt.tensor(data, options) end
-- A program of its own: the number that it prints.
local function run(text)
  local pipe = assert(io.popen(("%s -e '%s'"):format(arg and arg[-1] or "build/ptlua", text:gsub("%s+", " "))))
  local out = pipe:read "a"
  pipe:close()
  return tonumber(out) or error(out)
end

describe("networks, beside PyTorch:", function()
  it("pooling with ceil_mode takes a window that begins inside, however large", function()
    local x = pt.range(1, 8, options):reshape(1, 2, 4)
    assert.same({ { { 3 }, { 7 } } }, F.max_pool1d(x, 3, { stride = 2, dilation = 2, ceil_mode = true }):tolist())
    local y = F.max_pool2d(pt.range(1, 16, options):reshape(1, 4, 4), 3, { stride = 2, dilation = 2, ceil_mode = true })
    assert.same({ { { 11 } } }, y:tolist())
    assert.error_matches(function() F.max_pool2d(pt.zeros(1, 3, 4), 5) end, "^max_pool2d: a window %[5, 5%]")
    assert.error_matches(function() F.avg_pool1d(pt.zeros(1, 4), 2, 1, 2) end, "^avg_pool1d: padding 2 is more")
  end)

  it("conv_transpose1d has gradients where output_padding is as large as stride", function()
    local x, w = double { { { 1, 2, -1 } } }:requires_grad_(), double { { { 0.5, -2 } } }:requires_grad_()
    local function transposed(a, b) return F.conv_transpose1d(a, b, nil, { output_padding = 1, dilation = 2 }) end
    local y = transposed(x, w)
    assert.same({ { { 0.5, 1, -2.5, -4, 2, 0 } } }, y:tolist())
    local g = pt.autograd.grad((y * y):sum(), { x, w })
    assert.same({ { { 10.5, 17, -8.5 - 2 } } }, g[1]:tolist())
    assert.is_true(pt.autograd.gradgradcheck(transposed, { x, w }))
  end)

  it("cross_entropy of ignored targets alone is NaN, with a gradient of zeros, also where it is recorded", function()
    for _, create_graph in ipairs { false, true } do
      local x = pt.ones(2, 3):requires_grad_()
      local loss = F.cross_entropy(x, pt.tensor { -100, -100 })
      assert.is_true(loss:isnan():item())
      local g = pt.autograd.grad(loss, { x }, { create_graph = create_graph })[1]
      assert.same({ { 0, 0, 0 }, { 0, 0, 0 } }, g:tolist())
    end
  end)

  it("attention has second derivatives beside rows that may look at nothing", function()
    local mask = pt.tensor { { true, false, true }, { false, false, false } }
    local q, k, v = pt.randn(1, 1, 2, 3, options), pt.randn(1, 1, 3, 3, options), pt.randn(1, 1, 3, 2, options)
    for _, x in ipairs { q, k, v } do x:requires_grad_() end
    assert.is_true(pt.autograd.gradgradcheck(function(a, b, c)
      return F.scaled_dot_product_attention(a, b, c, mask)
    end, { q, k, v }))
  end)

  it("ctc_loss takes long sequences, improbable ones too, with first and second gradients", function()
    local x = (pt.randn(400, 2, 5, options) * 30):log_softmax(3):requires_grad_()
    local loss = F.ctc_loss(x, pt.tensor { { 2, 2, 3 }, { 4, 2, 5 } }, { 400, 300 }, { 3, 2 }, { reduction = "none" })
    local g = pt.autograd.grad(loss:sum(), { x })[1]
    -- At each step that counts one state is taken, with certainty in all.
    assert.is_true(pt.allclose(g:sum { 1, 3 }, pt.tensor({ -400, -300 }, options)))
    assert.is_true(loss:isfinite():all():item())
    local short = pt.randn(4, 1, 3, options):requires_grad_()
    assert.is_true(pt.autograd.gradgradcheck(function(v)
      return F.ctc_loss(v:log_softmax(3), pt.tensor { { 2, 3 } }, { 4 }, { 2 })
    end, { short }))
  end)

  it("depthwise convolution agrees with one convolution for each channel, gradients and steps too", function()
    for _, case in ipairs {
      { stride = 1, padding = 1 }, { stride = 2, padding = 1 }, { stride = { 1, 3 }, padding = 2, dilation = 2 },
      { stride = 1, padding = 4 },
    } do
      local x, w, b = pt.randn(2, 3, 9, 7, options), pt.randn(3, 1, 3, 2, options), pt.randn(3, options)
      for _, t in ipairs { x, w, b } do t:requires_grad_() end
      local function with(more)
        for key, value in pairs(case) do more[key] = value end
        return more
      end
      local y, parts = F.conv2d(x, w, b, with { groups = 3 }), {}
      for c = 1, 3 do
        parts[c] = F.conv2d(x:narrow(2, c, 1), w:narrow(1, c, 1), b:narrow(1, c, 1), with {})
      end
      local want = pt.cat(parts, 2)
      assert.is_true(pt.allclose(y, want))
      local g = pt.randn_like(y)
      local got, wanted = pt.autograd.grad(y, { x, w, b }, g), pt.autograd.grad(want, { x, w, b }, g)
      for i = 1, 3 do assert.is_true(pt.allclose(got[i], wanted[i])) end
    end
  end)
end)

describe("networks, their memory:", function()
  it("attention takes memory linear in the length, forward and backward", function()
    local peak = run [[
      local q = pt.randn(1, 1, 4096, 64):requires_grad_()
      pt.nn.functional.scaled_dot_product_attention(q, q, q):sum():backward()
      print(pt.memory_stats().peak_bytes)
    ]]
    assert.is_true(peak < 20 * 2 ^ 20, peak .. " bytes") -- the scores alone would be 64 MB
  end)

  it("convolution takes little more than inputs, outputs and gradients", function()
    local peak = run [[
      local x, w = pt.randn(8, 64, 56, 56):requires_grad_(), pt.randn(64, 64, 3, 3):requires_grad_()
      pt.nn.functional.conv2d(x, w, nil, 1, 1):backward(pt.ones(8, 64, 56, 56))
      print(pt.memory_stats().peak_bytes)
    ]]
    local needed = 4 * (4 * 8 * 64 * 56 * 56 + 2 * 64 * 64 * 9)
    assert.is_true(peak < 1.5 * needed, ("%d bytes, %d needed"):format(peak, needed))
  end)

  it("an LSTM keeps of each step what its backward needs", function()
    local peak = run [[
      local lstm, x = pt.nn.LSTM(64, 64), pt.randn(1000, 8, 64)
      lstm(x):sum():backward()
      print(pt.memory_stats().peak_bytes)
    ]]
    local step = 1000 * 8 * 64 * 4 -- x, y, gates and their gradients, cells and states
    assert.is_true(peak < 22 * step, ("%.1f bytes for each of x"):format(peak / step))
  end)

  it("the collector is told of results that the graph keeps, too", function()
    local peak = run [[
      local x = pt.ones(2 ^ 20):requires_grad_()
      for _ = 1, 100 do x:exp():sum():backward() end
      print(pt.memory_stats().peak_bytes)
    ]]
    assert.is_true(peak < 128 * 2 ^ 20, peak .. " bytes") -- 400 MB are made
  end)

  it("10^4 steps of training hold memory flat", function()
    local more = run [[
      local w, x = pt.randn(4, 4):requires_grad_(), pt.randn(2, 4)
      local function held(steps)
        for _ = 1, steps do
          x:mm(w):tanh():sum():backward()
          w.grad = nil
        end
        collectgarbage()
        return pt.memory_stats().held_bytes
      end
      local before = held(1000)
      print(held(9000) - before)
    ]]
    assert.is_true(more < 2 ^ 18, more .. " bytes more")
  end)
end)
