-- The same bits for any number of threads: every op of the table on operands that are cut among threads, with its
-- gradients, every layer, every optimizer, every example. Functions in Lua are made of these ops.
local pt = require "pt"
local core = require "pt.core"
local samples = require "spec.support.samples"
local nn = pt.nn

local before = pt.get_num_threads()
local counts = { 2, 5 } -- beside 1; more threads than cores take their pieces in any order

local function bits_of(x) -- NaN and -0 included
  if x.dtype.is_complex then x = x:view_as_real() end
  return x:double(), x:double():signbit()
end
local function same(a, b)
  if not pt.is_tensor(a) then return a == b end
  local x, minus = bits_of(a)
  local y, also_minus = bits_of(b)
  local equal = x:eq(y):logical_or(x:isnan():logical_and(y:isnan()))
  return a.dtype == b.dtype and equal:all():item() and pt.equal(minus, also_minus)
end

-- What run() returns, a list, is the same for each number of threads.
local function check(what, run)
  finally(function() pt.set_num_threads(before) end)
  local function on(threads)
    pt.set_num_threads(threads)
    pt.manual_seed(3)
    return run()
  end
  local alone = on(1)
  assert(#alone > 0, what .. " gives nothing")
  for _, threads in ipairs(counts) do
    local together = on(threads)
    assert.equal(#alone, #together)
    for i, x in ipairs(alone) do
      assert(same(x, together[i]), ("%s: result %d differs with %d threads"):format(what, i, threads))
    end
  end
end

-- ---- operands ----

local function x(...)
  return ((pt.range(1, pt.ones(...):numel()) * 0.37):sin() * 1.9):reshape { ... }
end
local function positive(...) return x(...):abs() + 0.3 end
local function ids(classes, ...) return ((x(...):abs() * 1000):long() % classes) + 1 end
local function z(...) return pt.complex(x(...), x(...) * 0.5) end
local function spd(n) -- matrices with a Cholesky factor
  local a = x(24, n, n)
  return a:matmul(a:transpose(-1, -2)) + pt.eye(n) * n
end
local f64, cpu = pt.float64, "cpu"

-- Arguments of ops whose signature alone does not give operands that are cut; several where there are several ways.
local large = {
  polygamma = { { ids(3, 40000):float(), positive(40000) } },
  hurwitz_zeta = { { positive(40000) + 1, positive(40000) } },
  igamma = { { positive(40000), positive(40000) } }, igammac = { { positive(40000), positive(40000) } },
  threshold = { { x(300, 301), 0.3, -1.5 } }, logit = { { positive(90000) / 3, 0.2 } },
  softplus = { { x(90000), 2, 1.3 } },
  bitwise_and = { { ids(99, 90000), ids(9, 90000) } }, bitwise_or = { { ids(99, 90000), ids(9, 90000) } },
  bitwise_xor = { { ids(99, 90000), ids(9, 90000) } }, bitwise_left_shift = { { ids(99, 90000), ids(9, 90000) } },
  bitwise_right_shift = { { ids(99, 90000), ids(9, 90000) } }, gcd = { { ids(99, 90000), ids(9, 90000) } },
  lcm = { { ids(99, 90000), ids(9, 90000) } },
  where = { { x(300, 301):gt(0), x(300, 301), x(301) } },
  cat = { { { x(200, 301), x(150, 301) } }, { { x(300, 200), x(300, 150) }, 2 } },
  stack = { { { x(200, 301), x(200, 301) } } },
  to_dtype = { { x(300, 301), pt.float64 }, { x(300, 301), pt.bfloat16 }, { x(300, 301), pt.int32 } },
  to_device = { { x(300, 301), cpu } }, fill = { { x(300, 301), 2.5 } }, copy = { { x(300, 301), x(301, 300):t() } },
  masked_fill = { { x(300, 301), x(300, 301):gt(0), 1.5 } }, masked_select = { { x(300, 301), x(300, 301):gt(0) } },
  as_strided_scatter = { { x(300, 301), x(150, 301), { 150, 301 }, { 602, 1 }, 0 } },
  index_select = { { x(400, 301), 1, ids(400, 500) }, { x(301, 400), 2, ids(400, 500) } },
  index_add = { { x(100, 301), 1, ids(100, 500), x(500, 301) }, { x(301, 100), 2, ids(100, 500), x(301, 500) } },
  index_copy = { { x(400, 301), 1, pt.randperm(400):narrow(1, 1, 300), x(300, 301) } },
  gather = { { x(300, 301), 1, ids(300, 400, 301) }, { x(300, 301), 2, ids(301, 300, 400) } },
  scatter = { { x(300, 301), 2, pt.range(1, 301):expand(300, 301), x(300, 301) } },
  scatter_add = {
    { x(100, 301), 1, ids(100, 500, 301), x(500, 301) }, { x(301, 100), 2, ids(100, 301, 500), x(301, 500) },
  },
  scatter_reduce = {
    { x(100, 301), 1, ids(100, 500, 301), x(500, 301), "sum" },
    { x(301, 100), 2, ids(100, 301, 500), x(301, 500), "mean" },
    { x(301, 100), 2, ids(100, 301, 500), x(301, 500), "prod" },
    { x(100, 301), 1, ids(100, 500, 301), x(500, 301), "amax" },
  },
  index = { { x(400, 301), { ids(400, 500) } }, { x(400, 301), { ids(400, 500, 1), ids(301, 90) } } },
  index_put = { { x(100, 301), { ids(100, 500) }, x(500, 301), true } },
  mm = {
    { x(300, 200), x(200, 310) }, { x(3, 2000), x(2000, 3) }, { x(2000, 5), x(5, 900) }, { x(4, 900), x(900, 800) },
    { x(150, 160):bfloat16(), x(160, 170):bfloat16() }, { x(150, 160):double(), x(160, 170):double() },
    { ids(9, 150, 160):int(), ids(9, 160, 170):int() },
  },
  bmm = { { x(30, 40, 50), x(30, 50, 60) } }, mv = { { x(900, 800), x(800) } }, dot = { { x(200000), x(200000) } },
  matmul = { { x(6, 50, 60), x(60, 70) } }, linear = { { x(300, 200), x(310, 200), x(310) } },
  addmm = { { x(310), x(300, 200), x(200, 310) } },
  complex_mul = { { z(300, 301), z(301) } }, polar = { { positive(90000), x(90000) } }, angle = { { z(90000) } },
  conj = { { z(90000) } }, real = { { z(90000) } }, imag = { { z(90000) } }, view_as_real = { { z(90000) } },
  fft_complex = { { z(40, 300), 2 }, { z(300, 40), 1 }, { z(20000), 1 } },
  fft_from_real = { { x(40, 300) }, { x(20000) } },
  fft_to_real = { { z(40, 151), 300 } },
  linalg_cholesky = { { spd(12) } }, linalg_lu = { { spd(12) } }, linalg_solve = { { spd(12), x(24, 12, 3) } },
  linalg_solve_triangular = { { spd(12), x(24, 12, 3), true } },
  linalg_qr = { { spd(12) } }, linalg_eigh = { { spd(12) } }, linalg_eig = { { spd(12) } },
  linalg_svd = { { spd(12) } }, linalg_pinv = { { x(24, 12, 8), 0, 1e-7 } },
  linalg_rows = { { ids(1, 24, 12):int(), 12 } },
  mse_loss = { { x(300, 301), x(301, 300):t() } },
  nll_loss = { { x(900, 100), ids(100, 900) } },
  nll_loss_forward = { { x(900, 100), ids(100, 900), positive(100), -100, "mean" } },
  cross_entropy = { { x(900, 100), ids(100, 900), positive(100), -100, "mean", 0.1 } },
  ctc_forward = {
    { x(30, 40, 20):log_softmax(3), ids(19, 40, 8) + 1, pt.full({ 40 }, 30):long(), pt.full({ 40 }, 8):long(), 1 },
  },
  quantize_blocks = { { x(300, 320), "q8_0" }, { x(300, 320), "q4_0" } },
  linear_blocks = { { x(40, 320), pt.quantize_blocks(x(300, 320), "q8_0"), "q8_0", x(300) } },
  dequantize_blocks = { { pt.quantize_blocks(x(300, 320), "q4_0"), "q4_0" } },
  convolution = {
    { x(4, 16, 20, 20), x(24, 16, 3, 3), x(24), { 1 }, { 1 } },
    { x(4, 16, 20, 20), x(24, 8, 3, 3), x(24), { 2 }, { 1 }, { 1 }, 2 },
    { x(4, 16, 20, 20), x(16, 1, 3, 3), x(16), { 1 }, { 1 }, { 1 }, 16 }, { x(4, 3, 40, 40), x(16, 3, 5, 5) },
    { x(4, 16, 20, 20), x(32, 16, 1, 1) }, { x(4, 16, 300), x(24, 16, 5) }, { x(2, 4, 9, 10, 11), x(6, 4, 3, 3, 3) },
    { x(4, 16, 12, 12), x(16, 8, 3, 3), x(8), { 2 }, { 1 }, { 1 }, 1, true },
  },
  convolution_weight = { { x(4, 16, 20, 20), x(4, 24, 18, 18), { 24, 16, 3, 3 } } },
  row_norm = {
    { x(300, 301), x(301), x(301), 301, 1, 1, false, 1e-5 }, { x(300, 301), x(301), nil, 301, 1, 1, true, 1e-5 },
    { x(40, 8, 300), x(8), x(8), 1200, 300, 2, false, 1e-5 },
  },
  batch_norm_train = { { x(40, 8, 300), x(8), x(8) }, { x(900, 100) } },
  max_pool = { { x(8, 16, 40, 40), { 3, 3 }, { 2, 2 }, { 1, 1 } } },
  avg_pool = { { x(8, 16, 40, 40), { 3, 3 }, { 2, 2 }, { 1, 1 } } },
  avg_pool_grad = { { x(8, 16, 20, 20), { 8, 16, 40, 40 }, { 2, 2 } } },
  attention = { { x(2, 4, 70, 32), x(2, 4, 70, 32), x(2, 4, 70, 32), nil, true, 0.2, 0 } },
  scaled_dot_product_attention = { { x(2, 4, 70, 32), x(2, 4, 90, 32), x(2, 4, 90, 32) } },
  rnn_layer = {
    { x(9, 20, 30), x(20, 40), x(20, 40), x(160, 30), x(160, 40), x(160), x(160), "lstm" },
    { x(9, 20, 30), x(20, 40), nil, x(120, 30), x(120, 40), x(120), x(120), "gru" },
    { x(9, 20, 30), x(20, 40), nil, x(40, 30), x(40, 40), x(40), x(40), "tanh" },
  },
  kthvalue = { { x(300, 301), 7 } }, topk = { { x(300, 301), 7 }, { x(90000), 50 } },
  sort = { { x(300, 301) }, { x(90000) }, { x(300, 301), 1 } },
  cumsum = { { x(300, 301), 2 }, { x(300, 301), 1 }, { x(90000), 1 } },
  searchsorted = { { x(90000):sort(), x(90000) } },
  sequence = { { 90000, 1, 0.5, f64, cpu } },
  random = {
    { x(90000), "normal", 0, 1 }, { x(90000), "uniform", 0, 1 }, { x(90000), "bernoulli", 0.5, 0 },
    { x(90000), "int", 0, 9 }, { x(90000), "exponential", 1, 0 },
  },
  random_each = { { positive(90000), "gamma" }, { positive(90000), "poisson" } }, randperm = { { 90000 } },
}

-- Ops that give another view of the same memory, and those that are such ops where memory allows it.
local views = {}
for name in ("view reshape transpose permute t expand squeeze unsqueeze narrow select slice as_strided flatten "
  .. "contiguous detach view_as_complex"):gmatch "%S+" do
  views[name] = true
end

-- Samples that follow from the signature, with 300 x 301 for 2 x 3.
local function enlarged(op)
  local list, out = assert(samples.of(op)), {}
  for s, sample in ipairs(list) do
    out[s] = {}
    for i, v in pairs(sample) do
      if samples.is_recipe(v) then
        local low, high = table.unpack(v.range or { -1.9, 2.1 })
        assert(not v.list and not v.ids and #v.shape == 2, op.name .. " needs a line in `large`")
        out[s][i] = x(300, 301) / 1.9 * ((high - low) / 2) + (low + high) / 2
      else
        out[s][i] = v
      end
    end
  end
  return out
end

-- Results of one call, then gradients of the floats among its arguments.
local function call(op, args)
  local leaves, given, count = {}, {}, 0
  local function leaf(v)
    if not pt.is_tensor(v) or not (v:is_floating_point() or v.dtype.is_complex) then return v end
    leaves[#leaves + 1] = v:detach():clone():requires_grad_()
    return leaves[#leaves]
  end
  for i, v in pairs(args) do
    count = math.max(count, i)
    given[i] = type(v) == "table" and { table.unpack(v) } or leaf(v)
    for k, inner in ipairs(type(v) == "table" and v or {}) do given[i][k] = leaf(inner) end
  end
  local ok, out = pcall(function() return { op.fn(table.unpack(given, 1, count)) } end)
  if not ok then -- edits its argument, which may then be no leaf
    local _ <close> = pt.no_grad()
    out = { op.fn(table.unpack(args, 1, count)) }
  end
  local total
  for _, y in ipairs(out) do
    if pt.is_tensor(y) and y.requires_grad then
      local real = y.dtype.is_complex and y:view_as_real() or y
      local sum = (real * real:detach():cos()):sum()
      total = total and total:to(f64) + sum:to(f64) or sum
    end
  end
  if total then pcall(total.backward, total) end -- some gradients are not defined
  for _, v in ipairs(leaves) do out[#out + 1] = v.grad end
  return out
end

describe("on any number of threads", function()
  for _, op in ipairs(core.ops()) do
    op.fn = core.fn(op.name)
    if not views[op.name] then
      it(op.name .. " gives the same bits", function()
        for i, args in ipairs(large[op.name] or enlarged(op)) do
          check(("%s, call %d"):format(op.name, i), function() return call(op, args) end)
        end
      end)
    end
  end
end)

-- ---- layers ----

-- A constructor of pt.nn, and its inputs.
local layers = {
  { "Linear(301, 200)", x(300, 301) }, { "Bilinear(30, 40, 50)", x(200, 30), x(200, 40) },
  { "Embedding(500, 60)", ids(500, 40, 50) }, { "EmbeddingBag(500, 60)", ids(500, 40, 50) },
  { "Conv1d(8, 16, 5)", x(8, 8, 300) }, { "Conv2d(8, 16, 3, { padding = 1 })", x(4, 8, 24, 24) },
  { "Conv2d(8, 16, 3, { stride = 2, padding = 1 })", x(4, 8, 24, 24) }, { "Conv3d(2, 4, 3)", x(2, 2, 12, 12, 12) },
  { "ConvTranspose1d(8, 4, 4, { stride = 2 })", x(4, 8, 150) },
  { "ConvTranspose2d(8, 4, 4, { stride = 2 })", x(4, 8, 16, 16) },
  { "BatchNorm1d(301)", x(300, 301) }, { "BatchNorm2d(8)", x(8, 8, 40, 40) }, { "InstanceNorm2d(8)", x(8, 8, 40, 40) },
  { "GroupNorm(4, 8)", x(8, 8, 40, 40) }, { "LayerNorm(301)", x(300, 301) }, { "RMSNorm(301)", x(300, 301) },
  { "LocalResponseNorm(3)", x(8, 8, 40, 40) },
  { "MaxPool2d(2)", x(8, 8, 40, 40) }, { "AvgPool2d(3)", x(8, 8, 40, 40) }, { "AdaptiveAvgPool2d(7)", x(8, 8, 40, 40) },
  { "AdaptiveMaxPool2d(7)", x(8, 8, 40, 40) }, { "LPPool2d(2, 2)", x(8, 8, 40, 40) },
  { "LSTM(40, 50, { num_layers = 2, bidirectional = true })", x(12, 20, 40) }, { "GRU(40, 50)", x(12, 20, 40) },
  { "RNN(40, 50)", x(12, 20, 40) }, { "MultiheadAttention(64, 4)", x(50, 8, 64), x(50, 8, 64), x(50, 8, 64) },
  { "TransformerEncoderLayer(64, 4, 128)", x(50, 8, 64) }, { "Dropout(0.3)", x(300, 301) },
  { "Dropout2d(0.3)", x(8, 8, 40, 40) }, { "AlphaDropout(0.3)", x(300, 301) }, { "RReLU()", x(300, 301) },
  { "PReLU(8)", x(8, 8, 40, 40) }, { "GELU()", x(300, 301) }, { "Mish()", x(300, 301) }, { "GLU()", x(300, 300) },
  { "Softmax(2)", x(300, 301) }, { "Softmin(1)", x(300, 301) },
  { "Upsample { scale_factor = 2, mode = 'bilinear' }", x(4, 4, 24, 24) },
  { "Upsample { scale_factor = 2, mode = 'bicubic' }", x(4, 4, 24, 24) }, { "PixelShuffle(2)", x(4, 8, 30, 30) },
  { "Fold({ 24, 24 }, 3)", x(4, 36, 484) }, { "Unfold(3)", x(4, 4, 24, 24) }, { "ReflectionPad2d(2)", x(8, 8, 40, 40) },
  { "CrossEntropyLoss()", x(900, 100), ids(100, 900) }, { "MSELoss()", x(300, 301), x(300, 301) * 2 },
  { "SmoothL1Loss()", x(300, 301), x(300, 301) * 2 }, { "BCEWithLogitsLoss()", x(300, 301), x(300, 301):sigmoid() },
  { "KLDivLoss()", x(300, 301):log_softmax(2), x(300, 301):softmax(2) },
  { "CosineEmbeddingLoss()", x(300, 301), x(300, 301):cos(), x(300):sign() },
  { "TripletMarginLoss()", x(300, 301), x(300, 301):cos(), x(300, 301):sin() },
}

-- Tensors of results, which may be lists.
local function flat(list, out)
  for _, y in ipairs(list) do
    if pt.is_tensor(y) then out[#out + 1] = y elseif type(y) == "table" then flat(y, out) end
  end
  return out
end

describe("on any number of threads the layer", function()
  for _, case in ipairs(layers) do
    it(case[1] .. " gives the same bits", function()
      check(case[1], function()
        local layer, inputs = assert(load("return require 'pt'.nn." .. case[1]))(), {}
        for i = 2, #case do
          inputs[i - 1] = case[i]:is_floating_point() and case[i]:detach():clone():requires_grad_() or case[i]
        end
        local out, total = flat({ layer(table.unpack(inputs)) }, {}), 0
        for _, y in ipairs(out) do
          if y.requires_grad then total = total + (y * y:detach():cos()):sum() end
        end
        total:backward()
        for _, v in ipairs(inputs) do out[#out + 1] = v.grad end
        for _, p in ipairs(layer:parameters()) do out[#out + 1] = p.grad end
        for _, b in layer:named_buffers() do out[#out + 1] = b end
        return out
      end)
    end)
  end
end)

-- ---- optimizers ----

describe("on any number of threads the optimizer", function()
  local names = {}
  for name, make in pairs(pt.optim) do
    if name:find "^%u" and make ~= pt.optim.Optimizer then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    it(name .. " makes the same steps", function()
      check(name, function()
        local p, q = nn.Parameter(x(300, 301)), nn.Parameter(x(60, 40))
        local optimizer = pt.optim[name]({ p, q }, { lr = 0.01 })
        for _ = 1, 3 do
          optimizer:step(function()
            optimizer:zero_grad()
            local loss = (p.square(p:sin() - 0.3)):mean() + (q * q * q):sum()
            loss:backward()
            return loss
          end)
        end
        return { p:detach():clone(), q:detach():clone() }
      end)
    end)
  end
end)
