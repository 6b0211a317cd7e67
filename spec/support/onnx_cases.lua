-- Models that are exported to ONNX: name, fn() -> model, inputs; for spec/onnx_spec.lua and spec/peers/onnx_files.py.

local pt = require "pt"
local nn = pt.nn
local F = nn.functional

pt.manual_seed(1)
local image, sequence, flat = pt.randn(2, 4, 8, 8), pt.randn(2, 6, 8), pt.randn(3, 8)
local signal, volume, ids = pt.randn(2, 4, 10), pt.randn(2, 4, 4, 4, 4), pt.tensor { { 1, 2, 3 }, { 4, 5, 1 } }

local cases = {}

-- A layer called with options, on inputs: { "Conv2d(4, 6, 3, { padding = 1 })", x, ... }
for _, case in ipairs {
  { "Linear(8, 3)", flat }, { "Linear(8, 3, false)", sequence }, { "Bilinear(8, 8, 3)", flat, flat },
  { "Conv1d(4, 6, 3, { padding = 1, stride = 2 })", signal },
  { "Conv2d(4, 6, 3, { groups = 2, dilation = 2 })", image },
  { "Conv3d(4, 2, 2)", volume }, { "ConvTranspose1d(4, 2, 3)", signal },
  { "ConvTranspose2d(4, 6, 3, { stride = 2, padding = 1, output_padding = 1 })", image },
  { "BatchNorm1d(8)", flat }, { "BatchNorm2d(4)", image }, { "InstanceNorm2d(4, { affine = true })", image },
  { "LayerNorm(8)", sequence }, { "LayerNorm({ 6, 8 })", sequence }, { "GroupNorm(2, 4)", image },
  { "RMSNorm(8)", sequence }, { "LocalResponseNorm(2)", image },
  { "MaxPool1d(2)", signal }, { "MaxPool2d(2)", image },
  { "MaxPool2d(3, { stride = 2, padding = 1, ceil_mode = true })", image },
  { "AvgPool2d(3, { stride = 2, padding = 1 })", image },
  { "AvgPool2d(3, { stride = 2, padding = 1, count_include_pad = false })", image },
  { "AdaptiveAvgPool2d(1)", image }, { "AdaptiveAvgPool2d(4)", image }, { "AdaptiveMaxPool2d(1)", image },
  { "LPPool2d(2, 2)", image }, { "Embedding(6, 4)", ids }, { "EmbeddingBag(6, 4)", ids },
  { "RNN(8, 5, { batch_first = true })", sequence }, { "RNN(8, 5, { nonlinearity = 'relu' })", sequence },
  { "LSTM(8, 5, 2, { bidirectional = true, batch_first = true })", sequence },
  { "LSTM(8, 5, { proj_size = 3 })", sequence }, { "GRU(8, 5, { bidirectional = true })", sequence },
  { "LSTMCell(8, 5)", flat }, { "GRUCell(8, 5)", flat }, { "RNNCell(8, 5)", flat },
  { "MultiheadAttention(8, 2, { batch_first = true })", sequence, sequence, sequence },
  { "TransformerEncoderLayer(8, 2, 16, { batch_first = true })", sequence },
  { "TransformerDecoderLayer(8, 2, 16, { batch_first = true })", sequence, sequence },
  { "Flatten()", image }, { "Unflatten(2, { 2, 4 })", flat }, { "PixelShuffle(2)", image },
  { "PixelUnshuffle(2)", image }, { "ChannelShuffle(2)", image }, { "Upsample { scale_factor = 2 }", image },
  { "Upsample { scale_factor = 2, mode = 'bilinear' }", image }, { "ZeroPad2d(1)", image },
  { "ReflectionPad2d(1)", image }, { "ReplicationPad2d(1)", image }, { "ConstantPad1d(2, 0.5)", signal },
  { "CircularPad1d(1)", signal }, { "Unfold(2)", image }, { "Fold({ 4, 4 }, 2)", pt.randn(1, 8, 9) },
  { "Dropout()", flat }, { "Identity()", flat }, { "CosineSimilarity()", flat, flat + 1 },
  { "PairwiseDistance()", flat, flat + 1 }, { "ReLU()", flat }, { "ReLU6()", flat }, { "LeakyReLU()", flat },
  { "ELU()", flat }, { "CELU(0.5)", flat }, { "SELU()", flat }, { "GELU()", flat },
  { "GELU { approximate = 'tanh' }", flat }, { "SiLU()", flat }, { "Mish()", flat }, { "Sigmoid()", flat },
  { "Tanh()", flat }, { "Softplus()", flat }, { "Softsign()", flat }, { "LogSigmoid()", flat }, { "Hardtanh()", flat },
  { "Hardsigmoid()", flat }, { "Hardswish()", flat }, { "Hardshrink()", flat }, { "Softshrink()", flat },
  { "Tanhshrink()", flat }, { "PReLU()", flat }, { "GLU()", flat }, { "RReLU()", flat }, { "Threshold(0.1, 20)", flat },
  { "Softmax(2)", flat }, { "LogSoftmax(2)", flat }, { "Softmin(2)", flat }, { "Softmax2d()", image },
} do
  cases[#cases + 1] = {
    name = case[1], inputs = { table.unpack(case, 2) },
    make = function()
      local model = load("local nn = ... return nn." .. case[1], "=case", "t")(nn)
      if case[1]:find "^BatchNorm" then
        model.running_mean:normal_()
        model.running_var:uniform_(0.5, 2)
      end
      return model:eval()
    end,
  }
end

-- Functions of tensors.
for name, case in pairs {
  arithmetic = { flat, function(x)
    return (x * 2 - x / 3 + x ^ 2):exp():clamp(0, 5):sum(2, { keepdim = true }) + x[1]
  end },
  places = { flat, function(x) return x[{ 1, { 2, 4 } }], x:argmax(2), x:topk(2, 2), x:cumsum(2), x:max(2) end },
  shapes = { flat, function(x)
    return pt.cat({ x, x:t():t() }, 2):reshape(6, 8), pt.stack { x, x }, x:flip(1), x:unsqueeze(1):expand(2, 3, 8)
  end },
  conditions = { flat, function(x)
    return pt.where(x:gt(0), x, x * 0.1), x:masked_fill(x:lt(0), 7), x:gt(0):float(), x:ne(1):logical_not()
  end },
  moments = { flat, function(x) return x:mean(), x:std(2), x:var(2), x:norm(), x:softmax(2) end },
  attention = { sequence, function(q) return F.scaled_dot_product_attention(q, q, q, { is_causal = true }) end },
} do
  cases[#cases + 1] = { name = name, inputs = { case[1] }, make = function() return case[2] end }
end

--- The tensors that a model returns, in order.
function cases.outputs(...)
  local list, results = {}, table.pack(...)
  for i = 1, results.n do
    local y = results[i]
    if pt.is_tensor(y) then list[#list + 1] = y:detach() end
    for _, item in ipairs(type(y) == "table" and not pt.is_tensor(y) and y or {}) do list[#list + 1] = item:detach() end
  end
  return list
end

return cases
