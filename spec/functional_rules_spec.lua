-- nn.functional: what numbers alone do not show: wrong arguments, empty batches, randomness, running statistics.
local pt = require "pt"
local compare = require "spec.support.compare"

local F = pt.nn.functional
local nan = 0 / 0

local function same(want, have, bound)
  local difference = compare.difference(have, pt.tensor(want, { dtype = have.dtype }), bound or 1e-5, bound or 1e-5)
  if difference then error(difference, 2) end
end

-- ---- wrong arguments: a call and what its message says ----

local refusals = {
  { "F.conv2d(z(3, 4), z(2, 4, 3, 3))", "conv2d: x %[3, 4%] has 2 dims, but must have 4 %(batch, channels, height" },
  { "F.conv2d(z(1, 3, 4, 4), z(2, 4, 3, 3))", "conv2d: x .* has 3 channels, weight .* wants 4" },
  { "F.conv2d(z(1, 3, 4, 4), z(2, 3, 3))", "conv2d: weight %[2, 3, 3%] has 3 dims, but must have 4" },
  { "F.conv2d(z(1, 3, 4, 4), z(2, 3, 3, 3), {strides = 2})", "conv2d: unknown option 'strides'; did you mean" },
  { "F.conv2d(z(1, 3, 4, 4), z(2, 3, 5, 5))", "conv2d: a kernel %[5, 5%] does not fit into x" },
  { "F.conv2d(z(1, 3, 4, 4), z(2, 3, 3, 3), nil, 2, 'same')", "conv2d: padding 'same' wants a stride of 1" },
  { "F.conv2d(z(1, 3, 4, 4), z(2, 3, 3, 3), nil, 1, 'all')", "conv2d: padding 'all' is not 'valid', 'same'" },
  { "F.conv2d(z(1, 3, 4, 4), z(2, 3, 3, 3), nil, {1, 2, 3})", "conv2d: stride has 3 numbers" },
  { "F.conv1d(z(1, 3, 4), z(2, 3, 3), z(3))", "conv1d: bias %[3%] for 2 output channels" },
  { "F.conv1d(z(1, 4, 4), z(3, 2, 3), nil, {groups = 2})", "conv1d: weight %[3, 2, 3%] does not divide into 2 groups" },
  { "F.conv_transpose2d(z(1, 3, 4, 4), z(3, 2, 3, 3), nil, 1, 0, 1)", "conv_transpose2d: output_padding %[1, 1%] " },
  { "F.max_pool2d(z(2, 4, 4), 5)", "max_pool2?d?: a window %[5, 5%] does not fit into x %[2, 4, 4%]" },
  { "F.max_pool2d(z(2, 4, 4), { 2, 5 }, { stride = 3 })", "a window %[2, 5%] does not fit into x %[2, 4, 4%]" },
  { "F.avg_pool1d(z(2, 1, 4), 5, { stride = 3 })", "a window %[5%] does not fit into x %[2, 1, 4%]" },
  { "F.max_pool2d(z(2, 4, 4), 2, 2, 2)", "padding 2 is more than half of kernel_size 2" },
  { "F.max_pool2d(z(4, 4), 2)", "max_pool2d: x %[4, 4%] has 2 dims" },
  { "F.avg_pool2d(z(1, 2, 4, 4), 2, {divisor_override = 0})", "avg_pool2d: divisor_override is 0" },
  { "F.adaptive_avg_pool2d(z(2, 4, 4), {1, 2, 3})", "adaptive_avg_pool2d: output_size has 3 numbers" },
  { "F.max_unpool1d(z(1, 2), pt.tensor{{1, 9}}, 2)", "max_unpool1d: id 9 of indices is not from 1 to 4" },
  { "F.max_unpool1d(z(1, 2), pt.tensor{{1, 2}}, 2, {output_size = {9}})", "max_unpool1d: output_size %[9%]" },
  { "F.unfold(z(1, 2, 3, 3), 4)", "unfold: a window %[4, 4%] does not fit into %[3, 3%]" },
  { "F.fold(z(1, 8, 3), {4, 4}, 2)", "fold: x %[1, 8, 3%], but windows" },
  { "F.pad(z(2, 3), {1, 2, 3})", "pad: pad %[1, 2, 3%] has 3 numbers" },
  { "F.pad(z(1, 3, 3), {3, 0}, 'reflect')", "pad: padding %(3, 0%) of dim 3 .* allows at most 2" },
  { "F.pad(z(1, 3, 3), {1, 1}, 'mirror')", "pad: mode 'mirror' is not 'constant'" },
  { "F.pad(z(3), {-4, 0})", "pad: 4 entries are cut from dim 1" },
  { "F.interpolate(z(1, 2, 3), 4, nil, 'bilinear')", "interpolate: mode 'bilinear' is for x with 4 dims" },
  { "F.interpolate(z(1, 2, 3))", "interpolate: takes size or scale_factor" },
  { "F.interpolate(z(1, 2, 3), 4, {align_corners = true})", "interpolate: align_corners is for linear" },
  { "F.interpolate(z(1, 2, 3), 0)", "all sizes must be 1 or more" },
  { "F.grid_sample(z(1, 2, 3, 3), z(1, 2, 2, 3))", "grid_sample: x .* and grid .* do not fit" },
  { "F.grid_sample(z(1, 2, 3, 3), z(1, 2, 2, 2), 'linear')", "grid_sample: mode 'linear' is not bilinear" },
  { "F.affine_grid(z(1, 2, 2), {1, 1, 2, 2})", "affine_grid: theta %[1, 2, 2%] for size %[1, 1, 2, 2%]" },
  { "F.pixel_shuffle(z(1, 3, 2, 2), 2)", "pixel_shuffle: 3 channels" },
  { "F.channel_shuffle(z(1, 3, 2, 2), 2)", "channel_shuffle: x .* divide into 2 groups" },
  { "F.batch_norm(z(2, 3), z(4), z(3))", "batch_norm: running_mean %[4%], but x %[2, 3%] wants one of 3" },
  { "F.batch_norm(z(2, 3))", "batch_norm: without training it takes running_mean" },
  { "F.batch_norm(z(1, 3), nil, nil, nil, nil, true)", "training needs more than 1" },
  { "F.layer_norm(z(2, 3), 4)", "layer_norm: normalized_shape is %[4%], but x %[2, 3%] does not end in it" },
  { "F.layer_norm(z(2, 3), 3, z(4))", "layer_norm: weight %[4%], but it must have the shape %[3%]" },
  { "F.group_norm(z(2, 3), 2)", "group_norm: x %[2, 3%] .* divide into 2 groups" },
  { "F.instance_norm(z(2, 3, 1))", "instance_norm: x .* has 1 values a channel" },
  { "F.dropout(z(2), 1.5)", "dropout: p must be between 0 and 1, got 1.5" },
  { "F.embedding(pt.tensor{1, 4}, z(3, 2))", "embedding: id 4 of x is not from 1 to 3" },
  { "F.embedding(pt.tensor{0}, z(3, 2))", "embedding: id 0 of x is not from 1 to 3" },
  { "F.embedding(pt.tensor{1.5}, z(3, 2))", "embedding: x is float32, but ids are int64" },
  { "F.embedding(pt.tensor{1}, z(3, 2), 4)", "embedding: padding_idx 4 is not an entry from 1 to 3" },
  { "F.embedding_bag(pt.tensor{1, 2}, z(3, 2))", "embedding_bag: a vector of ids needs offsets" },
  { "F.embedding_bag(pt.tensor{1, 2}, z(3, 2), pt.tensor{2})", "embedding_bag: offsets must begin with 1" },
  { "F.embedding_bag(pt.tensor{1, 2}, z(3, 2), pt.tensor{1, 4})", "embedding_bag: offset 4 of bag 2" },
  { "F.one_hot(pt.tensor{1, 3}, 2)", "one_hot: id 3 of x is not from 1 to 2" },
  { "F.bilinear(z(2, 3), z(2, 4), z(5, 3, 3))", "bilinear: x .* do not fit weight" },
  { "F.glu(z(3))", "glu: dim 1 of x %[3%] has 3 entries" },
  { "F.gelu(z(3), 'erf')", "gelu: approximate is 'none' or 'tanh', got 'erf'" },
  { "F.prelu(z(2, 3), z(2))", "prelu: weight %[2%], but x" },
  { "F.l1_loss(z(2), z(3))", "l1_loss: x %[2%] and target %[3%] differ in shape" },
  { "F.l1_loss(z(2), z(2), 'average')", "l1_loss: reduction 'average' is not 'none', 'mean' or 'sum'" },
  { "F.binary_cross_entropy(z(1) + 2, z(1))", "binary_cross_entropy: x has entries outside of 0 to 1; for logits" },
  { "F.cross_entropy(z(2, 3), pt.tensor{1, 4})", "cross_entropy: target 4 at position 2 is not a class from 1 to 3" },
  { "F.multi_margin_loss(z(2, 3), pt.tensor{1, 4})", "multi_margin_loss: id 4 of target is not from 1 to 3" },
  { "F.multilabel_margin_loss(z(1, 3), pt.tensor{{1, 4, 0}})", "multilabel_margin_loss: target has an id" },
  { "F.multilabel_margin_loss(z(1, 2), z(1, 2):gt(0))", "multilabel_margin_loss: target is bool, but ids are int64" },
  { "F.ctc_loss(z(4, 1, 3), pt.tensor{{1}}, {4}, {1})", "ctc_loss: target 1 of sample 1 is not a class" },
  { "F.ctc_loss(z(4, 1, 3), pt.tensor{{2}}, {5}, {1})", "ctc_loss: input_lengths 5 of sample 1" },
  { "F.scaled_dot_product_attention(z(2, 3), z(2, 4), z(2, 4))", "attention: query .* do not fit" },
}

-- ---- empty batches: a call and the shape that comes out ----

local empties = {
  { "F.conv2d(z(0, 3, 5, 5), z(2, 3, 3, 3))", { 0, 2, 3, 3 } },
  { "F.conv_transpose1d(z(0, 3, 4), z(3, 2, 3))", { 0, 2, 6 } },
  { "F.max_pool2d(z(0, 3, 4, 4), 2)", { 0, 3, 2, 2 } },
  { "F.adaptive_avg_pool2d(z(0, 3, 4, 4), 2)", { 0, 3, 2, 2 } },
  { "F.interpolate(z(0, 3, 4, 4), {8, 8}, nil, 'bicubic')", { 0, 3, 8, 8 } },
  { "F.pad(z(0, 3, 4), {1, 1})", { 0, 3, 6 } },
  { "F.pad(z(0, 3, 4), {1, 1}, 'reflect')", { 0, 3, 6 } },
  { "F.unfold(z(0, 2, 4, 4), 2)", { 0, 8, 9 } },
  { "F.fold(z(0, 8, 9), 4, 2)", { 0, 2, 4, 4 } },
  { "F.grid_sample(z(0, 2, 4, 4), z(0, 3, 3, 2))", { 0, 2, 3, 3 } },
  { "F.pixel_shuffle(z(0, 4, 3, 3), 2)", { 0, 1, 6, 6 } },
  { "F.layer_norm(z(0, 4), 4)", { 0, 4 } },
  { "F.group_norm(z(0, 4, 3), 2)", { 0, 4, 3 } },
  { "F.batch_norm(z(0, 4), z(4), z(4))", { 0, 4 } },
  { "F.embedding(pt.zeros({0, 3}, {dtype = pt.int64}), z(5, 2))", { 0, 3, 2 } },
  { "F.softmax(z(0, 3), 2)", { 0, 3 } },
  { "F.dropout(z(0, 3))", { 0, 3 } },
  { "F.scaled_dot_product_attention(z(0, 2, 3, 4), z(0, 2, 5, 4), z(0, 2, 5, 4))", { 0, 2, 3, 4 } },
  { "F.bilinear(z(0, 2), z(0, 3), z(4, 2, 3))", { 0, 4 } },
}

local env = setmetatable({ F = F, pt = pt, z = pt.zeros }, { __index = _G })
local function call(text) return assert(load("return " .. text, "=row", "t", env)) end

describe("nn.functional refuses", function()
  for _, row in ipairs(refusals) do
    it(row[1], function()
      local ok, message = pcall(call(row[1]))
      if ok then error("it was accepted", 0) end
      if not tostring(message):find(row[2]) then error("it says: " .. tostring(message), 0) end
    end)
  end
end)

describe("nn.functional of an empty batch", function()
  for _, row in ipairs(empties) do
    it(row[1], function() assert.are.same(row[2], table.move(call(row[1])().shape, 1, 9, 1, {})) end)
  end
  it("means over nothing are NaN", function()
    local loss = F.mse_loss(pt.zeros(0, 3), pt.zeros(0, 3)):item()
    assert.is_true(loss ~= loss)
  end)
end)

describe("nn.functional", function()
  it("keeps running statistics as PyTorch does: the unbiased variance", function()
    local x = pt.tensor { { 1.0, 2 }, { 3, 5 }, { 5, -1 } }
    local mean, var = pt.zeros(2), pt.ones(2)
    F.batch_norm(x, mean, var, { training = true, momentum = 0.5 })
    same({ 1.5, 1 }, mean)
    same({ 2.5, 5 }, var)
    mean, var = pt.zeros(2), pt.ones(2)
    F.instance_norm(pt.tensor { { { 1.0, 3 }, { 2, 2 } }, { { 0, 4 }, { 1, 5 } } }, mean, var, { momentum = 0.1 })
    same({ 0.2, 0.25 }, mean)
    same({ 1.4, 1.3 }, var)
  end)

  it("pools windows that see more than a line of a thousand", function()
    local x = pt.randn(2, 4000)
    for _, case in ipairs { { 700, 1 }, { 500, 2 }, { 9, 3 }, { 1200, 5 } } do
      local y, ids = F.max_pool1d(x, case[1], case[2], { return_indices = true })
      assert.is_true(pt.equal(x:unfold(2, case[1], case[2]):amax(3), y))
      assert.is_true(pt.equal(x:gather(2, ids), y))
    end
  end)

  it("returns the ids of max pooling, from 1 within a plane, and unpools them", function()
    local x = pt.tensor { { { 1.0, 5, 2 }, { 7, 3, 9 } } }
    local y, ids = F.max_pool2d(x, { 2, 2 }, { stride = 1, return_indices = true })
    same({ { { 7, 9 } } }, y)
    same({ { { 4, 6 } } }, ids)
    local z = F.max_unpool2d(y, ids, { 2, 2 }, 1)
    same({ { { 0, 0, 0 }, { 7, 0, 9 } } }, z)
    local _, first = F.adaptive_max_pool1d(pt.ones(1, 4), 2, true)
    same({ { 1, 3 } }, first)
    y = F.max_pool1d(pt.tensor { { 1, nan, 2 } }, 3)
    assert.is_true(y:isnan():item())
  end)

  it("drops elements and channels, scales the rest, and does nothing outside of training", function()
    pt.manual_seed(1)
    local y = F.dropout(pt.ones(100, 100), 0.25)
    local kept = y:ne(0):double():mean():item()
    assert.is_true(math.abs(kept - 0.75) < 0.03)
    assert.is_true(math.abs(y:amax():item() - 4 / 3) < 1e-6)
    local planes = F.dropout2d(pt.ones(8, 16, 3, 3), 0.5):flatten(3)
    assert.is_true(pt.equal(planes:amin(3), planes:amax(3)))
    local x = pt.randn(200, 200)
    local a = F.alpha_dropout(F.selu(x), 0.2, true)
    assert.is_true(math.abs(a:mean():item()) < 0.05 and math.abs(a:std():item() - 1) < 0.05)
    assert.are.equal(x, F.dropout(x, { training = false }))
    assert.are.equal(0, F.dropout(x, 1):abs():sum():item())
    local inplace = pt.ones(4)
    assert.are.equal(inplace, F.dropout(inplace, 0.5, true, true))
  end)

  it("gives zeros for rows of attention that may look at nothing, and no gradient", function()
    local q, k, v = pt.randn(1, 1, 2, 4), pt.randn(1, 1, 3, 4), pt.randn(1, 1, 3, 4)
    q:requires_grad_()
    local y = F.scaled_dot_product_attention(q, k, v, pt.tensor { { false, false, false }, { true, false, true } })
    y:sum():backward()
    assert.are.equal(0, y:select(3, 1):abs():sum():item())
    assert.are.equal(0, q.grad:select(3, 1):abs():sum():item())
    assert.is_false(q.grad:isnan():any():item())
  end)

  it("draws the same attention dropout in backward", function()
    pt.manual_seed(3)
    local v = pt.ones(1, 1, 64, 1):requires_grad_()
    local q = pt.zeros(1, 1, 64, 4)
    local y = F.scaled_dot_product_attention(q, pt.zeros(1, 1, 64, 4), v, { dropout_p = 0.5 })
    y:sum():backward()
    assert.is_true(math.abs(y:sum():item() - v.grad:sum():item()) < 1e-3)
    assert.is_true(y:std():item() > 0.05)
  end)

  it("gives embeddings the same dense gradient with sparse", function()
    local ids = pt.tensor { { 1, 3 }, { 3, 2 } }
    for _, name in ipairs { "embedding", "embedding_bag" } do
      local grads = {}
      for i, sparse in ipairs { false, true } do
        local w = pt.ones(4, 2):requires_grad_()
        F[name](ids, w, { padding_idx = 2, sparse = sparse }):pow(2):sum():backward()
        grads[i] = w.grad:tolist()
      end
      assert.same(grads[1], grads[2])
      assert.same({ 0, 0 }, grads[2][2])
    end
  end)

  it("shortens rows of an embedding above max_norm, in place, and those alone", function()
    local w = pt.tensor { { 3.0, 4 }, { 0.3, 0.4 }, { 6, 8 } }
    local y = F.embedding(pt.tensor { 1, 2, 1 }, w, { max_norm = 1 })
    same({ { 0.6, 0.8 }, { 0.3, 0.4 }, { 0.6, 0.8 } }, y)
    same({ { 0.6, 0.8 }, { 0.3, 0.4 }, { 6, 8 } }, w)
  end)

  it("gives no gradient to the padding row", function()
    local w = pt.ones(3, 2):requires_grad_()
    F.embedding(pt.tensor { 1, 3, 3 }, w, 3):sum():backward()
    same({ { 1, 1 }, { 0, 0 }, { 0, 0 } }, w.grad)
  end)

  it("writes in place where asked", function()
    local x = pt.tensor { -1.0, 2 }
    assert.are.equal(x, F.relu(x, true))
    same({ 0, 2 }, x)
    assert.are.equal(x, F.leaky_relu(x:neg_(), { negative_slope = 0.5, inplace = true }))
    same({ 0, -1 }, x)
  end)

  it("samples the classes of gumbel_softmax by their probabilities", function()
    pt.manual_seed(2)
    local logits = pt.tensor { 0.7, 0.2, 0.1 }:log():expand(4000, 3)
    local y = F.gumbel_softmax(logits, { hard = true })
    same({ 0.7, 0.2, 0.1 }, y:mean(1), 0.03)
    same({ 1, 1 }, pt.stack { y:sum(2):amin(), y:sum(2):amax() })
  end)

  it("knows impossible alignments", function()
    local x = pt.zeros(2, 1, 3):log_softmax(3)
    assert.are.equal(math.huge, F.ctc_loss(x, pt.tensor { { 2, 2 } }, { 2 }, { 2 }):item())
    assert.are.equal(0, F.ctc_loss(x, pt.tensor { { 2, 2 } }, { 2 }, { 2 }, { zero_infinity = true }):item())
  end)

  it("encodes classes from 1", function()
    same({ { 0, 1, 0 }, { 0, 0, 1 } }, F.one_hot(pt.tensor { 2, 3 }))
    same({ { 1, 0, 0, 0 } }, F.one_hot(pt.tensor { 1 }, 4))
  end)

  it("has help under its full name", function()
    local found
    for _, op in ipairs(pt.ops()) do found = found or op.name == "nn.functional.conv2d" end
    assert.is_true(found)
  end)
end)

-- With NaN at each place of a plane in turn: the largest of a window is NaN where the window has one, and the first
-- where it has two.
describe("max pooling finds NaN", function()
  local pools = { F.max_pool1d, F.max_pool2d, F.max_pool3d }
  local adaptive = { F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d }
  for dims = 1, 3 do
    for _, case in ipairs { { 2, 1, 0 }, { 2, 2, 0 }, { 3, 1, 1 }, { 3, 2, 1 }, {} } do
      local kernel, stride, padding = table.unpack(case)
      it(("in %d dims, windows of %s, stride %s"):format(dims, kernel or "any size", stride or "any"), function()
        local sizes = { 1, 1, 4, 5, 3 }
        local shape = table.move(sizes, 1, 2 + dims, 1, {})
        local plain = pt.arange(4 * (dims > 1 and 5 or 1) * (dims > 2 and 3 or 1)):float():reshape(shape)
        local options = { stride = stride, padding = padding, return_indices = true }
        local function pooled(x)
          if kernel then return pools[dims](x, kernel, options) end
          return adaptive[dims](x, 2, { return_indices = true })
        end
        local _, place = pooled(-plain)
        for at = 0, plain:numel() - 1 do
          local y, i = pooled(plain:masked_fill(plain:eq(at), nan))
          local hit = pooled(plain:eq(at):float()):gt(0)
          assert.is_true(pt.equal(y:isnan(), hit))
          assert.is_true(pt.all(i[hit]:eq(at + 1)):item())
        end
        local _, i = pooled(plain * nan)
        assert.is_true(pt.equal(place, i))
      end)
    end
  end
end)
