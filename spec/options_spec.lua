-- Options that PyTorch's functions and layers take by name: where results go, as what and where layers are made.

local pt = require "pt"
local nn = pt.nn

local function message(fn, ...)
  local ok, text = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(text)
end

describe("out", function()
  local x, y = pt.tensor { { 1.0, -2.0 }, { 0.5, 3.0 } }, pt.tensor { { 4.0, 0.25 }, { 2.0, -1.0 } }
  local ids = { dtype = pt.int64 }

  -- name, arguments, an options table, tensors to write into; a table of options besides
  local calls = {
    { "add", { x, y }, { alpha = 2 }, pt.empty(2, 2) },
    { "sub", { x, 2 }, {}, pt.empty(2, 2) },
    { "mul", { x, y }, {}, pt.empty(2, 2) },
    { "div", { x, y }, { rounding_mode = "floor" }, pt.empty(2, 2) },
    { "exp", { x }, {}, pt.empty(2, 2) },
    { "eq", { x, y }, {}, pt.empty(2, 2, { dtype = pt.bool }) },
    { "clamp", { x }, { min = 0 }, pt.empty(2, 2) },
    { "sum", { x, 1 }, { keepdim = true }, pt.empty(1, 2) },
    { "mean", { x }, {}, pt.empty({}) },
    { "var", { x, 1 }, {}, pt.empty(2) },
    { "norm", { x }, {}, pt.empty({}) },
    { "logsumexp", { x, 1 }, {}, pt.empty(2) },
    { "amax", { x, 2 }, {}, pt.empty(2) },
    { "max", { x, 1 }, {}, { pt.empty(2), pt.empty(2, ids) } },
    { "sort", { x }, { descending = true }, { pt.empty(2, 2), pt.empty(2, 2, ids) } },
    { "argmax", { x }, {}, pt.empty({}, ids) },
    { "cumsum", { x, 1 }, {}, pt.empty(2, 2) },
    { "mm", { x, y }, {}, pt.empty(2, 2) },
    { "matmul", { x, y }, {}, pt.empty(2, 2) },
    { "addmm", { x, x, y }, { beta = 2 }, pt.empty(2, 2) },
    { "outer", { x[1], y[1] }, {}, pt.empty(2, 2) },
    { "cat", { { x, y }, 1 }, {}, pt.empty(4, 2) },
    { "stack", { { x, y } }, {}, pt.empty(2, 2, 2) },
    { "gather", { x, 1, pt.tensor { { 1, 2 } } }, {}, pt.empty(1, 2) },
    { "index_select", { x, 1, pt.tensor { 2 } }, {}, pt.empty(1, 2) },
    { "where", { x:gt(0), x, y }, {}, pt.empty(2, 2) },
    { "tril", { x }, {}, pt.empty(2, 2) },
    { "arange", { 3 }, {}, pt.empty(3) },
    { "full", { { 2 }, 7 }, {}, pt.empty(2, ids) },
    { "linalg.inv", { x }, {}, pt.empty(2, 2) },
    { "fft.fft", { x }, {}, pt.empty(2, 2, { dtype = pt.complex64 }) },
    { "special.erf", { x }, {}, pt.empty(2, 2) },
  }

  for _, call in ipairs(calls) do
    local name, args, options, out = table.unpack(call)
    it("takes the results of " .. name, function()
      local fn = pt
      for word in name:gmatch "[^.]+" do fn = fn[word] end
      local function with(more)
        local all = { table.unpack(args) }
        local last = {}
        for key, value in pairs(options) do last[key] = value end
        for key, value in pairs(more) do last[key] = value end
        if next(last) then all[#all + 1] = last end
        return table.pack(fn(table.unpack(all)))
      end
      local want, got = with {}, with { out = out }
      local list = pt.is_tensor(out) and { out } or out
      assert.equal(want.n, #list)
      assert.equal(want.n, got.n)
      for i, into in ipairs(list) do
        assert.is_true(rawequal(into, got[i]))
        assert.is_true(pt.equal(into, want[i]:to(into.dtype)))
      end
    end)
  end

  it("may be an operand, a view, and wider than the result", function()
    local z = x:clone()
    pt.mul(z, z, { out = z })
    assert.is_true(pt.equal(z, x:square()))
    local both = pt.zeros(2, 4)
    pt.add(x, y, { out = both:narrow(2, 2, 2) })
    assert.is_true(pt.equal(both:narrow(2, 2, 2), x + y))
    assert.equal(0, both:select(2, 1):sum():item())
    assert.is_true(pt.equal(pt.add(x, y, { out = pt.empty(2, 2, { dtype = pt.float64 }) }), (x + y):double()))
    assert.is_true(pt.equal(pt.add(x, y, { out = false }), x + y)) -- PyTorch's None
  end)

  it("is refused where it does not fit, and nothing is written", function()
    local z = pt.full({ 3 }, 5.0)
    assert.match("^mul: out is %[3%], but the result %[2, 2%] ", message(pt.mul, x, y, { out = z }))
    assert.match("^std: out is %[3%], but the result %[%] ", message(pt.std, x, { out = z }))
    assert.match("^add: out is int64 and cannot hold the result, float32 ",
      message(pt.add, x, y, { out = pt.empty(2, 2, ids) }))
    assert.match("^sort: out holds 1 tensors, but there are 2 results ", message(pt.sort, x, { out = pt.empty(2, 2) }))
    local values = pt.full({ 2, 2 }, 5.0)
    assert.match("^sort: out is %[3%]", message(pt.sort, x, { out = { values, pt.empty(3, ids) } }))
    assert.equal(20, values:sum():item())
    assert.match("^mul: out must be a tensor or a list", message(pt.mul, x, y, { out = 3 }))
    assert.match("^mul_: unknown option 'out'", message(x.mul_, x, y, { out = z }))
    assert.match("^equal: gives no tensor", message(pt.equal, x, y, { out = z }))
  end)

  it("is refused where a gradient is needed", function()
    local w, z = x:clone():requires_grad_(), pt.empty(2, 2)
    for _, fn in ipairs { pt.mul, pt.add, pt.hypot } do
      assert.match("out takes no part in gradients", message(fn, w, y, { out = z }))
      assert.match("out takes no part in gradients", message(fn, x, y, { out = w }))
      pt.no_grad(function() fn(w, y, { out = z }) end)
    end
  end)

  it("is left as it is by autocast", function()
    local z = pt.empty(2, 2, { dtype = pt.bfloat16 })
    pt.autocast(function()
      assert.is_true(rawequal(z, pt.mm(x, y, { out = z })))
      assert.is_true(rawequal(z, pt.addmm(x, x, y, { out = z })))
    end)
  end)
end)

describe("device and dtype of a layer", function()
  local layers = {
    Linear = { 2, 3 }, Bilinear = { 2, 3, 4 }, Embedding = { 3, 4 }, EmbeddingBag = { 3, 4 },
    Conv1d = { 1, 2, 3 }, Conv2d = { 1, 2, 3 }, Conv3d = { 1, 2, 3 },
    ConvTranspose1d = { 1, 2, 3 }, ConvTranspose2d = { 1, 2, 3 }, ConvTranspose3d = { 1, 2, 3 },
    BatchNorm1d = { 4 }, BatchNorm2d = { 4 }, BatchNorm3d = { 4 }, SyncBatchNorm = { 4 },
    InstanceNorm1d = { 4, 1e-5, 0.1, true, true }, InstanceNorm2d = { 4, 1e-5, 0.1, true, true },
    InstanceNorm3d = { 4, 1e-5, 0.1, true, true },
    LayerNorm = { 4 }, RMSNorm = { 4 }, GroupNorm = { 2, 4 }, PReLU = {},
    RNN = { 2, 3 }, LSTM = { 2, 3 }, GRU = { 2, 3 }, RNNCell = { 2, 3 }, LSTMCell = { 2, 3 }, GRUCell = { 2, 3 },
    MultiheadAttention = { 4, 2 }, TransformerEncoderLayer = { 4, 2, 8 }, TransformerDecoderLayer = { 4, 2, 8 },
    Transformer = { 4, 2, 1, 1, 8 },
  }
  for name, args in pairs(layers) do
    it("of " .. name, function()
      local all = { table.unpack(args) }
      all[#all + 1] = { device = "cpu", dtype = pt.float64 }
      pt.manual_seed(3)
      local layer = nn[name](table.unpack(all))
      assert.is_true(#layer:parameters() > 0)
      for _, p in ipairs(layer:parameters()) do assert.equal(pt.float64, p.dtype) end
      for _, b in ipairs(layer:buffers()) do assert.is_true(b.dtype == pt.float64 or b.dtype == pt.int64) end
      assert.equal(pt.float32, pt.get_default_dtype())
      assert.is_nil(tostring(layer):find "dtype")
    end)
  end

  it("may be given by position, after PyTorch's other options", function()
    assert.equal(pt.float64, nn.Linear(2, 3, true, "cpu", pt.float64).weight.dtype)
    assert.equal(pt.float64, nn.GroupNorm(2, 4, 1e-5, true, "cpu", pt.float64).weight.dtype)
  end)

  it("leaves the defaults alone where a layer cannot be made", function()
    assert.match("^Linear: a layer from 0", message(nn.Linear, 0, 3, { dtype = pt.float64 }))
    assert.match("^Linear: dtype must be a floating one, got int64 ", message(nn.Linear, 2, 3, { dtype = pt.int64 }))
    assert.match("^Linear: device 'nowhere' ", message(nn.Linear, 2, 3, { device = "nowhere" }))
    assert.equal(pt.float32, pt.get_default_dtype())
    assert.equal("cpu", pt.get_default_device())
  end)

  it("bias = false leaves a norm without one", function()
    for _, norm in ipairs { nn.BatchNorm1d(4, { bias = false }), nn.LayerNorm(4, { bias = false }),
      nn.GroupNorm(2, 4, { bias = false }), nn.InstanceNorm1d(4, { affine = true, bias = false }) } do
      assert.is_nil(norm.bias)
      assert.equal(1, #norm:parameters())
      assert.equal(24, norm(pt.randn(2, 4, 3):reshape(tostring(norm):find "Layer" and { 6, 4 } or { 2, 4, 3 })):numel())
    end
  end)
end)

describe("dtype of reductions", function()
  local whole, half = pt.tensor { 1, 2, 3 }, pt.tensor({ 1.0, 2.0, 3.0 }, { dtype = pt.float16 })

  it("is that of the result, and of what is computed", function()
    assert.is_true(pt.equal(pt.mean(whole, { dtype = pt.float64 }), pt.tensor(2.0, { dtype = pt.float64 })))
    assert.is_true(pt.equal(pt.prod(whole, { dtype = pt.float32 }), pt.tensor(6.0)))
    for _, name in ipairs { "softmax", "log_softmax" } do
      assert.is_true(pt.equal(pt[name](whole, 1, pt.float64), pt[name](whole:double(), 1)))
      assert.is_true(pt.equal(pt[name](half, 1, { dtype = pt.float32 }), pt[name](half:float(), 1)))
    end
    local z = pt.complex(pt.tensor { 1.0, 2.0 }, pt.tensor { 3.0, 4.0 })
    assert.equal(pt.complex128, pt.prod(z, { dtype = pt.complex128 }).dtype)
  end)

  it("does not change that of the gradient", function()
    local x = pt.tensor({ 0.5, -1.0, 2.0 }, { requires_grad = true })
    local weight = pt.range(1, 3):double()
    for name, fn in pairs {
      mean = function() return x:mean({ dtype = pt.float64 }) end,
      prod = function() return x:prod({ dtype = pt.float64 }) end,
      softmax = function() return (x:softmax(1, pt.float64) * weight):sum() end,
      log_softmax = function() return (x:log_softmax(1, pt.float64) * weight):sum() end,
    } do
      for _, again in ipairs { false, true } do
        local g = pt.autograd.grad(fn(), { x }, { create_graph = again })[1]
        assert.equal(pt.float32, g.dtype, name)
      end
    end
  end)
end)
