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

-- ---- single options: an expression, and what PyTorch gives ----

local env = setmetatable({
  pt = pt, F = nn.functional, x = pt.tensor { { 1.0, 2, 3 }, { 4, 1, 6 } }, n = pt.tensor { { 1.0, 0 / 0 }, { 3, 4 } },
  v = pt.tensor { 1, 4, 9 }, a = pt.tensor { 1.0, 2, 3 }, b = pt.tensor { 2.0, 4, 8 }, w = pt.tensor { 1.0, 0, 3 },
}, { __index = _G })

local cases = {
  { "pt.rsub(a, b, { alpha = 2 })", { 0, 0, 2 } },
  { "pt.add(a, b, 2)", { 5, 10, 19 } },
  { "a:clone():div_(b, { rounding_mode = 'floor' })", { 0, 0, 0 } },
  { "pt.index_add(a, 1, pt.tensor { 1, 3 }, pt.ones(2), { alpha = 2 })", { 3, 2, 5 } },
  { "a:clone():index_add_(1, pt.tensor { 1, 3 }, pt.ones(2), { alpha = -1 })", { 0, 2, 2 } },
  { "pt.bernoulli(pt.zeros(3), 1)", { 1, 1, 1 } },
  { "pt.bucketize(pt.tensor { 3, 10 }, v, { out_int32 = true })", { 2, 4 }, "int32" },
  { "pt.searchsorted(v, 4, { side = 'right' })", 3 },
  { "pt.searchsorted(v, 4, { side = 'left' })", 2 },
  { "pt.searchsorted(pt.tensor { 3, 1, 5 }, pt.tensor { 3, 4 }, { sorter = pt.tensor { 2, 1, 3 }, right = true })",
    { 3, 3 } },
  { "pt.cov(x, { correction = 0, fweights = v // 3 + 1, aweights = b })",
    { { 0.29931971430778503, 0.8435373902320862 }, { 0.8435373902320862, 3.8548755645751953 } } },
  { "pt.cov(x, { aweights = pt.tensor { .5, 1, 2 } })",
    { { 0.9285714030265808, 1.7857142686843872 }, { 1.7857142686843872, 8.357142448425293 } } },
  { "pt.diff(v, { prepend = pt.tensor { 0 }, append = pt.tensor { 16 } })", { 1, 3, 5, 7 } },
  { "pt.nansum(n, { dtype = pt.float64 })", 8, "float64" },
  { "pt.nanmean(n, { dim = 1, dtype = pt.float64 })", { 2, 4 }, "float64" },
  { "pt.repeat_interleave(v, 2, { output_size = 6 })", { 1, 1, 4, 4, 9, 9 } },
  { "pt.slice_scatter(a, pt.zeros(1), { start = 2, ['end'] = 2 })", { 1, 0, 3 } },
  { "pt.tril_indices(2, 2, { dtype = pt.int32, device = 'cpu' })", { { 1, 2, 2 }, { 1, 1, 2 } }, "int32" },
  { "pt.topk(a, 2, { sorted = false })", { 3, 2 } },
  { "pt.sort(a, { stable = true })", { 1, 2, 3 } },
  { "x[2]:as_strided({ 2 }, { 2 })", { 4, 6 } },
  { "x[2]:as_strided({ 2 }, { 2 }, { storage_offset = 1 })", { 2, 4 } },
  { "a:clone():copy_(b, { non_blocking = true })", { 2, 4, 8 } },
  -- no options are none, where the place takes no list
  { "F.scaled_dot_product_attention(x, x, pt.ones(2, 2), {})", { { 1, 1 }, { 1, 1 } } },
  { "F.linear(x, x, {})", { { 14, 24 }, { 24, 53 } } },
  { "pt.softmax(pt.zeros(2), 1, {})", { 0.5, 0.5 } },
  { "x:sum({})", 17 },
  { "F.l1_loss(a, b, { weight = w })", 4 },
  { "F.mse_loss(a, b, { weight = w })", 19 },
  { "F.mse_loss(a, b, { weight = w, reduction = 'none' })", { 1, 0, 75 } },
  { "F.huber_loss(a, b, { weight = w })", 14 / 3 },
  { "F.gumbel_softmax(a, 1, true, 1e-10, 1):sum()", 1 },
  { "F.pad(a:view(1, 1, 3), { 2, -1 }, 'circular')", { { { 1, 2, 1, 2 } } } },
  { "pt.masked_fill(pt.tensor { 1.0, 2 }, pt.tensor { { true, false }, { false, true } }, 9)", { { 9, 2 }, { 1, 9 } } },
  { "pt.narrow(a, 1, pt.tensor(2), 1)", { 2 } },
  { "pt.quantile(pt.tensor(3.0), 0.5, 1, true)", 3 },
  { "pt.nanmedian(pt.tensor(3.0), 1, true)", 3 },
  { "pt.atleast_2d({ pt.tensor(1.0), a })[1]", { { 1 } } },
  { "pt.atleast_1d(pt.tensor(1.0), a)[2]", { 1, 2, 3 } },
  { "v:to(pt.float64, false, true)", { 1, 4, 9 }, "float64" },
}

describe("options", function()
  for _, case in ipairs(cases) do
    local text, want, dtype = table.unpack(case)
    it(text, function()
      local got = assert(load("return (" .. text .. ")", text, "t", env))()
      local like = pt.tensor(want)
      assert.equal(tostring(like.shape), tostring(got.shape))
      assert.is_true(pt.allclose(got:double(), like:double(), { rtol = 1e-6 }), tostring(got))
      if dtype then assert.equal(dtype, tostring(got.dtype)) end
    end)
  end

  it("to: another tensor only where one is wanted", function()
    local x = env.a
    for _, args in ipairs { { pt.float32 }, { "cpu" }, { "cpu", pt.float32, true }, { env.b }, { { copy = false } } } do
      if not (type(args[1]) == "table" and not pt.is_tensor(args[1])) then
        assert.is_true(rawequal(x, x:to(table.unpack(args))))
      end
    end
    for _, args in ipairs { { pt.float32, false, true }, { "cpu", pt.float32, false, true }, { { copy = true } } } do
      local y = x:to(table.unpack(args))
      assert.is_false(rawequal(x, y))
      assert.is_true(pt.equal(x, y))
    end
    assert.match("^to: unknown option 'cop'", message(x.to, x, { cop = true }))
  end)

  it("generator: the same numbers for the same seed, whatever the thread draws", function()
    local function twice(fn)
      local first = fn(pt.Generator("cpu", 7))
      pt.rand(3)
      assert.is_true(pt.equal(first, fn(pt.Generator { seed = 7 })))
    end
    for _, name in ipairs {
      "uniform_", "normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_",
      "trunc_normal_",
    } do
      twice(function(g) return nn.init[name](pt.empty(4, 3), { generator = g }) end)
    end
    twice(function(g) return nn.init.sparse_(pt.empty(4, 3), 0.5, { generator = g }) end)
    twice(function(g) return pt.bernoulli(pt.zeros(20), 0.5, { generator = g }) end)
    twice(function(g) return pt.empty(5):exponential_(2, { generator = g }) end)
  end)

  it("that cannot be are refused", function()
    assert.match("^searchsorted: right is true", message(pt.searchsorted, env.v, 4, { right = true, side = "left" }))
    assert.match("^repeat_interleave: output_size is 5", message(pt.repeat_interleave, env.v, 2, { output_size = 5 }))
    assert.match("^cov: aweights is int64", message(pt.cov, env.x, { aweights = env.v }))
    assert.match("^cov: fweights is float32", message(pt.cov, env.x, { fweights = env.a }))
    assert.match("^bernoulli: p is 2", message(pt.bernoulli, env.a, { p = 2 }))
    assert.match("^linalg.svd: driver is gesvd", message(pt.linalg.svd, env.x, { driver = "fast" }))
    assert.match("^linalg.svd: a driver is chosen on a device", message(pt.linalg.svd, env.x, { driver = "gesvd" }))
    assert.match("^mse_loss: weight %[2, 3%]", message(env.F.mse_loss, env.a, env.b, { weight = env.x }))
    assert.match("^Adam: lr must be a tensor or a number, got true",
      message(pt.optim.Adam, { env.a:clone() }, { lr = true }))
  end)

  it("lr may be a tensor; Adam's weight decay may be apart from its gradient, as AdamW's is", function()
    local p, q = pt.ones(3):requires_grad_(), pt.ones(3):requires_grad_()
    local one = pt.optim.Adam({ p }, { lr = pt.tensor(0.5), weight_decay = 0.1, decoupled_weight_decay = true })
    local other = pt.optim.AdamW({ q }, { lr = 0.5, weight_decay = 0.1 })
    assert.equal(0.5, one.param_groups[1].lr)
    for _ = 1, 3 do
      p:square():sum():backward()
      q:square():sum():backward()
      one:step()
      other:step()
    end
    assert.is_true(pt.equal(p, q))
  end)
end)

describe("DataParallel", function()
  it("splits along dim", function()
    local model = nn.Linear(3, 3)
    local parallel <close> = nn.DataParallel(model, { dim = 2, workers = 2 })
    local x = pt.randn(4, 6, 3)
    assert.is_true(pt.allclose(parallel(x), model(x)))
    assert.is_true(pt.allclose(parallel:backward(nn.MSELoss(), x, x), nn.MSELoss()(model(x), x)))
    assert.match("argument 1 must be a tensor with a batch dimension, got %[3%]", message(parallel, pt.randn(3)))
    assert.match("^DataParallel: dim must be 1 or more", message(nn.DataParallel, model, { dim = 0 }))
  end)
end)

describe("cumprod", function()
  it("has PyTorch's second gradient where there are zeros", function()
    local x = pt.tensor({ 2.0, 0, 0, 3.0 }, { requires_grad = true, dtype = pt.float64 })
    local g = pt.autograd.grad(x:cumprod(1):sum(), { x }, { create_graph = true })[1]
    assert.same({ 1, 2, 0, 0 }, g:tolist())
    assert.same({ 4, 2, 32, 0 }, pt.autograd.grad(g:square():sum(), { x })[1]:tolist())
  end)
end)

describe("a device", function()
  local device = require "spec.support.device"(it, pending)
  local here = { device = device.name }

  device.it("holds what a layer makes there", function()
    for _, layer in ipairs {
      nn.Linear(2, 3, here), nn.LSTM(2, 3, here), nn.BatchNorm1d(3, here), nn.Embedding(3, 2, here),
    } do
      for _, x in ipairs(layer:parameters()) do assert.equal(device.name, x.device) end
      for _, x in ipairs(layer:buffers()) do assert.equal(device.name, x.device) end
    end
    assert.equal("cpu", pt.get_default_device())
    assert.equal(device.name, pt.tril_indices(2, 2, here).device)
  end)

  device.it("is one that copy_ comes from and goes to, with gradients; out is on that of the result", function()
    local there, x = pt.zeros(3, here), pt.tensor({ 1.0, 2, 3 }, { requires_grad = true })
    local y = there:copy_(x, { non_blocking = true })
    assert.same({ 1, 2, 3 }, y:cpu():tolist())
    y:sum():backward()
    assert.equal("cpu", x.grad.device)
    assert.same({ 1, 1, 1 }, x.grad:tolist())
    assert.same({ 1, 2, 3 }, pt.empty(3):copy_(y:detach(), true):tolist())
    local z = y:detach()
    assert.is_true(rawequal(z, pt.mul(z, z, { out = z })))
    assert.match("^mul: out is on cpu, but the result on " .. device.name, message(pt.mul, z, z, { out = pt.empty(3) }))
    assert.equal(device.name, pt.linalg.svdvals(pt.ones(2, 2, here), { driver = "gesvd" }).device)
  end)
end)
