-- Same name, same meaning: calls whose values, dtypes, shapes and gradients PyTorch has given. Each row stands for a
-- kind of difference that `make test-peers` once found among PyTorch's own samples.

local pt = require "pt"

local function text(v)
  if pt.is_tensor(v) then
    if v.dtype.is_complex then v = v:view_as_real() end
    return ("%s %s %s"):format(v.dtype, v.shape, text(v:detach():tolist()))
  end
  if type(v) == "table" then
    local parts = {}
    for i = 1, #v do parts[i] = text(v[i]) end
    return "{" .. table.concat(parts, ", ") .. "}"
  end
  if math.type(v) == "float" then
    return (("%.4g"):format(v):gsub("^%-(0)$", "%1"))
  end
  return tostring(v)
end

local function call(code)
  local fn = assert(load("local pt, F, nn = ... return " .. code, "=call"))
  return fn(pt, pt.nn.functional, pt.nn)
end

-- call | what it gives
local values = {
  { "pt.arange(0.5, 3, 0.5, { dtype = pt.int64 })", "int64 [5] {0, 0, 0, 0, 0}" },
  { "pt.arange(0.0, -8.000001, -4.0, { dtype = pt.int64 })", "int64 [3] {0, -4, -8}" },
  { "pt.arange(-0.9, 2.1, 2.0, { dtype = pt.int64 })", "int64 [2] {0, 2}" },
  { "pt.nonzero(pt.tensor { { 0, 1 }, { 2, 0 } }, { as_tuple = true })",
    "{int64 [2] {1, 2}, int64 [2] {2, 1}}" },
  { "pt.nonzero(pt.tensor(3), { as_tuple = true })", "{int64 [1] {1}}" },
  { "pt.tensor({ 1, 5, 3 }):slice()", "int64 [3] {1, 5, 3}" },
  { "pt.tensor({ 1, 5, 3 }):slice(1, 2)", "int64 [2] {5, 3}" },
  { "pt.tensor({ 1, 5, 3 }):slice { step = 2 }", "int64 [2] {1, 3}" },
  { "pt.tensor({ 1, 2, 3, 4 }):split { split_size_or_sections = { 1, 3 } }", "{int64 [1] {1}, int64 [3] {2, 3, 4}}" },
  { "pt.tensor({ 1, 2, 3, 4 }):reshape { shape = { 2, -1 } }", "int64 [2, 2] {{1, 2}, {3, 4}}" },
  { "pt.searchsorted(pt.tensor { 1, 3, 5 }, { input = 4 })", "int64 [] 3" },
  { "pt.lerp(pt.tensor { 0.0, 2 }, pt.tensor { 1.0, 4 }, { weight = 0.5 })", "float32 [2] {0.5, 3}" },
  { "pt.tensor({ 0.0, 2 }):lerp_(pt.tensor { 1.0, 4 }, 0.5)", "float32 [2] {0.5, 3}" },
  { "pt.zeros(2):scatter(1, pt.tensor { 2 }, { value = 7 })", "float32 [2] {0, 7}" },
  { "pt.tensor({ 2.5 }):polygamma(1)", "float32 [1] {0.4904}" },
  { "pt.tensor({ 2.5 }):polygamma_(1)", "float32 [1] {0.4904}" },
  { "pt.polygamma(1, pt.tensor { 2.5 })", "float32 [1] {0.4904}" },
  { "pt.logit(pt.tensor { 0.2, 0.9 }, 0.6)", "float32 [2] {0.4055, -0.4055}" },
  { "pt.ones(2, 3):sum_to_size(1, 3)", "float32 [1, 3] {{2, 2, 2}}" },
  { "pt.ones(2, 3):sum_to_size { size = 3 }", "float32 [3] {2, 2, 2}" },
  { "pt.tensor(5, { dtype = pt.uint8 }):sum_to_size {}", "int64 [] 5" },
  { "pt.tensordot(pt.ones(1, 2), pt.ones(3, 4), { { 1 }, { 1 } })", "float32 [2, 4] {{3, 3, 3, 3}, {3, 3, 3, 3}}" },
  { "pt.cdist(pt.zeros(1, 2), pt.ones(1, 2), { p = 1, compute_mode = 'use_mm_for_euclid_dist' })",
    "float32 [1, 1] {{2}}" },
  { "pt.add(pt.tensor { true, false }, pt.tensor { true, true }, { alpha = false })", "bool [2] {true, false}" },
  { "pt.tensor({ true, false }):index_add(1, pt.tensor { 2 }, pt.tensor { true }, { alpha = true })",
    "bool [2] {true, true}" },
  { "pt.tensor({ 1.0 }):add(pt.tensor { 1.0 }, { alpha = pt.tensor(3) })", "float32 [1] {4}" },
  { "pt.cov(pt.tensor({ 1, 3 }, { dtype = pt.float16 }), { aweights = pt.tensor { 0.5, 0.5 } })", "float32 [] 2" },
  { "pt.ldexp(pt.complex(pt.tensor { 1.0 }, pt.tensor { 0.0 }), pt.complex(pt.tensor { 1.0 }, pt.tensor { 1.0 }))",
    "float32 [1, 2] {{1.538, 1.278}}" },
  { "pt.softmax(pt.complex(pt.tensor { 0.0, 0.0 }, pt.tensor { 1.0, 2.0 }), 1, { dtype = pt.float64 })",
    "float64 [2] {0.5, 0.5}" },
  { "pt.logcumsumexp(pt.complex(pt.tensor { 0.0, 1.0 }, pt.tensor { 7.0, 7.0 }), 1)",
    "float32 [2, 2] {{0, 7}, {1.313, 7}}" },
  { "pt.linalg.norm(pt.zeros(0, 0), 1)", "float32 [] 0" },
  { "pt.linalg.norm(pt.zeros(0, 0), math.huge)", "float32 [] 0" },
  { "F.scaled_dot_product_attention(pt.ones(4, 1, 2), pt.ones(2, 3, 2), pt.ones(2, 3, 2), { enable_gqa = true }).shape",
    "{4, 1, 2}" },
  { "F.scaled_dot_product_attention(pt.ones(4, 1, 2), pt.ones(5, 4, 3, 2), pt.ones(5, 4, 3, 2),"
      .. " { enable_gqa = true }).shape",
    "{5, 4, 1, 2}" },
  { "F.dropout(pt.complex(pt.ones(2), pt.ones(2)), 1)", "float32 [2, 2] {{0, 0}, {0, 0}}" },
  { "F.feature_alpha_dropout(pt.ones(2), 0.5, false)", "float32 [2] {1, 1}" },
  { "F.grid_sample(pt.ones(1, 1, 3, 3, 3), pt.zeros(1, 1, 1, 1, 3), { mode = 'bicubic' })",
    "float32 [1, 1, 1, 1, 1] {{{{{1}}}}}" },
  { "pt.istft(pt.tensor({ { 1.0, 1 }, { 2, 2 }, { 3, 3 }, { 9, 9 } }):to(pt.complex64), 4)", "float32 [1] {-0.25}" },
  { "pt.randint(2, { high = 3, size = { 2 } })", "int64 [2] {2, 2}" },
  { "pt.randint_like(pt.zeros(2), { high = 1 })", "float32 [2] {0, 0}" },
  { "{ pt.ones(2, { dtype = pt.float16 }):std() }", "{float16 [] 0}" },
  { "select('#', pt.ones(2, { dtype = pt.float16 }):std())", "1" },
  { "pt.unravel_index(pt.tensor({ 2 }, { dtype = pt.uint8 }), { 2, 2 })", "{int64 [1] {1}, int64 [1] {2}}" },
  { "pt.constant_pad_nd(pt.tensor { true }, { 1, 0 }, true)", "bool [2] {true, true}" },
  { "pt.linalg.vander(pt.tensor(3), { N = 3 })", "int64 [1, 3] {{1, 3, 9}}" },
  { "F.bilinear(pt.ones(2):byte(), pt.ones(2):byte(), pt.ones(1, 2, 2):byte())", "uint8 [1] {4}" },
  { "pt.take_along_dim(pt.tensor(3), pt.tensor(1), 1)", "int64 [] 3" },
  { "pt.linalg.pinv(pt.eye(2), 0.1, true)", "float32 [2, 2] {{1, 0}, {0, 1}}" },
}

-- function of x | x | its gradient
local gradients = {
  { "pt.frexp(x)", { math.huge, 4.0 }, "{1, 0.125}" },
  { "pt.zeros(3):index_fill(1, pt.tensor { 2, 2, 1 }, x)", 1.0, "2" },
  { "F.linear(pt.zeros(2, 3, 0), pt.zeros(5, 0, { requires_grad = true }), x)", { 1.0, 1, 1, 1, 1 },
    "{6, 6, 6, 6, 6}" },
  { "pt.logcumsumexp(x, 1)", { -8.5, 1e4, 3.0 }, "{1, 2, 0}" },
}

-- call | what the message says
local refused = {
  { "pt.add(pt.tensor { 1 }, pt.tensor { 2 }, { alpha = true })",
    "add: alpha is true, but a factor of int64 must be a number" },
  { "pt.tensor({ 1 }):index_add(1, pt.tensor { 1 }, pt.tensor { 2 }, true)", "index_add: alpha is true" },
  { "pt.zeros(3):normal_(0, -1)", "normal_: std is %-1, but must be 0 or more" },
  { "pt.normal(0, -1)", "normal: std is %-1, but must be 0 or more" },
  { "pt.renorm(pt.ones(3), 2, 1, 1)", "renorm: x %[3%] must have 2 dims or more" },
  { "pt.zeros(2):scatter(1, pt.tensor { 2 })", "scatter: takes src or value" },
  { "pt.cdist(pt.zeros(1, 2), pt.ones(1, 2), 2, 'fast')", "cdist: compute_mode 'fast' is none of PyTorch's" },
  { "pt.randint_like(pt.zeros(2))", "randint_like: high is missing" },
  { "F.max_pool2d(pt.zeros(2, 0, 4, 4), 2)", "max_pool2d: x %[2, 0, 4, 4%] has no entries in dim 2; only a batch" },
  { "F.group_norm(pt.zeros(1, 2, 0), 1)", "group_norm: x %[1, 2, 0%] has channels without entries" },
  { "pt.linalg.vander(pt.ones(1))", "linalg.vander: N is 1, but must be 2 or more" },
  { "pt.histogram(pt.ones(2), 2, { 1 })", "histogram: range must be a list of two numbers, got 1 entries" },
  { "pt.logspace(0, true, 3)", "logspace: stop must be a tensor or a number, got true" },
  { "pt.optim.SGD({ pt.ones(1):requires_grad_() }, true)", "SGD: lr must be a tensor or a number, got true" },
  { "pt.lu_unpack(3, 4)", "lu_unpack: LU must be a tensor, got 3" },
  { "F.pdist(pt.ones(2, 2), -1)", "pdist: p is %-1, but must be 0 or more" },
  { "pt.cdist(pt.ones(2, 2), pt.ones(2, 2), -1)", "cdist: p is %-1, but must be 0 or more" },
  { "F.cosine_similarity(pt.ones(2, 2), pt.ones(2, 2), 1, -1)", "cosine_similarity: eps is %-1" },
  { "pt.renorm(pt.ones(2, 2), 0, 1, 1)", "renorm: p is 0, but must be above 0" },
  { "pt.renorm(pt.ones(2, 2), 2, 1, -1)", "renorm: maxnorm is %-1, but must be 0 or more" },
  { "F.batch_norm(pt.ones(2, 2), { training = true, eps = 0 })", "batch_norm: eps is 0, but must be above 0" },
  { "pt.gradient(pt.ones(3, 3), { dim = { 2, -1 } })", "gradient: dim 2 stands twice" },
  { "F.linear_cross_entropy(pt.ones(3), pt.ones(2, 4, 3), pt.tensor(1))",
    "linear_cross_entropy: linear_weight %[2, 4, 3%]" },
  { "F.linear_cross_entropy(pt.ones(2, 3), pt.ones(2, 3), pt.ones(2, 2), { ignore_index = 1 })",
    "linear_cross_entropy: ignore_index is for class ids" },
  { "nn.utils.rnn.unpad_sequence(3, { 1 })", "unpad_sequence: x must be a tensor, got 3" },
  { "nn.utils.rnn.PackedSequence(3, 4)", "data must be a tensor, got 3" },
  { "pt.data.RandomSampler({ 1, 2 }):iter('a')", "epoch must be an integer, got 'a'" },
  { "pt.data.DataLoader({ 1, 2 }):set_epoch('a')", "set_epoch: epoch must be an integer, got 'a'" },
  { "pt.data.DataLoader({ 1, 2 })(1, 2)", "it is called by a loop" },
  { "pt.optim.Adam({ pt.ones(1) }, { betas = { 'a', 0.9 } })",
    "Adam: betas must be at least 0 and less than 1, got a" },
  { "nn.utils.fuse_linear_bn_eval(nil, nn.BatchNorm1d(2))", "fuse_linear_bn_eval: expected a module" },
  { "pt.data.random_split({ 1, 2 }, { 1, 1 }, 3)", "random_split: options must be a table, got 3" },
  { "pt.data.WeightedRandomSampler({ 1, 'a' }, 1)", "weight 2 is 'a'; it must be a number, 0 or more" },
  { "pt.optim.lr_scheduler.ChainedScheduler { 1 }", "ChainedScheduler: entry 1 is not a schedule" },
  { "nn.utils.rnn.pack_sequence { pt.ones(1), 2 }", "pack_sequence: entry 2 must be a tensor %(length, ...%), got 2" },
  { "nn.CrossMapLRN2d(3)(3)", "CrossMapLRN2d: x must be a tensor %(batch, channels, height, width%), got 3" },
  { "pt.distributions.Distribution():sample()", "Distribution: a base class, which has no values" },
  { "F.pad(pt.ones(1, 1, 2, 2), { 1 << 60, 0, 0, 0 }, 'replicate')", "pad: 1152921504606846978 has more elements" },
  { "pt.linalg.pinv(pt.eye(2), true)", "linalg.pinv: atol must be a tensor or a number, got true" },
  { "pt.linalg.matrix_rank(pt.eye(2), true)", "linalg.matrix_rank: atol must be a tensor or a number, got true" },
  { "F.pixel_shuffle(pt.zeros(1, 4, 1, 1), 2^32 // 1 | 0)", "pixel_shuffle: 4 channels" },
  { "F.interpolate(pt.zeros(1, 1, 2), { pt.ones(2) })", "interpolate: size must be a number, or a list .* entry 1" },
  { "F.ctc_loss(pt.zeros(2, 1, 2), pt.ones(1, 1), io.stdout, 1)", "ctc_loss: input_lengths must be a tensor, a list" },
  { "pt.softmax(pt.complex(pt.ones(2), pt.ones(2)), 1)", "softmax: complex tensors are not supported; a real dtype" },
  { "F.scaled_dot_product_attention(pt.ones(4, 1, 2), pt.ones(3, 3, 2), pt.ones(3, 3, 2), { enable_gqa = true })",
    "their heads %(dim %-3%) differ; with enable_gqa those of key and value must divide" },
}

-- Second gradients that are zero everywhere are zeros, not nothing.
local zeros = {
  { "F.pad(x, { 1, 1 }, 'reflect')", { 1, 1, 3 } }, { "F.pad(x, { 1, 1 }, 'circular')", { 1, 1, 3 } },
  { "F.group_norm(pt.ones(2, 3), 1, nil, x)", { 3 } }, { "pt.stft(x, 4)", { 9 } }, { "F.relu(x)", { 3 } },
}

describe("meaning:", function()
  for _, row in ipairs(values) do
    it(row[1], function() assert.equal(row[2], text(call(row[1]))) end)
  end

  for _, row in ipairs(gradients) do
    it("gradient of " .. row[1], function()
      local x = pt.tensor(row[2]):requires_grad_()
      local fn = assert(load("local pt, F, x = ... return " .. row[1], "=call"))
      fn(pt, pt.nn.functional, x):sum():backward()
      assert.equal(row[3], text(x.grad:tolist()))
    end)
  end

  for _, row in ipairs(zeros) do
    it("second gradient of " .. row[1], function()
      local x = pt.rand(row[2]):add_(0.5):requires_grad_()
      local fn = assert(load("local pt, F, x = ... return " .. row[1], "=call"))
      local y = fn(pt, pt.nn.functional, x)
      if y.dtype.is_complex then y = y:view_as_real() end
      local first = pt.autograd.grad(y:sum(), { x }, { create_graph = true })[1]
      assert.equal(0, pt.autograd.grad(first:sum(), { x })[1]:count_nonzero():item())
    end)
  end

  for _, row in ipairs(refused) do
    it("refuses " .. row[1], function() assert.error_matches(function() call(row[1]) end, row[2]) end)
  end
end)
