--- What networks live on, timed: forward, and forward with backward. `build/ptlua scripts/bench/nets.lua [threads]`
--- prints milliseconds, the best of some runs; scripts/bench/peers/nets.py prints the same for PyTorch.

local pt = require "pt"
local F = pt.nn.functional

pt.set_num_threads(tonumber(arg and arg[1]) or 1)
local only = arg and arg[2] or ""

local function best(fn)
  local least, start = math.huge, pt.clock()
  fn()
  repeat
    local before = pt.clock()
    fn()
    least = math.min(least, pt.clock() - before)
  until pt.clock() - start > 1.5
  return least * 1000
end

-- forward(inputs) -> a tensor
local function measure(name, inputs, forward)
  if not name:find(only, 1, true) then return end
  local plain = best(function() pt.no_grad(function() forward(table.unpack(inputs)) end) end)
  for _, x in ipairs(inputs) do
    if x:is_floating_point() then x:requires_grad_() end
  end
  local gradient
  local both = best(function()
    local y = forward(table.unpack(inputs))
    gradient = gradient or pt.ones_like(y)
    y:backward(gradient)
    for _, x in ipairs(inputs) do x.grad = nil end
  end)
  print(("%-44s %14.3f ms"):format(name, plain))
  print(("%-44s %14.3f ms"):format(name .. ", with backward", both))
end

-- every convolution of ResNet-18 for a batch of 8: channels in, out, size of the input, kernel, stride
for _, c in ipairs {
  { 3, 64, 224, 7, 2 }, { 64, 64, 56, 3, 1 }, { 64, 128, 56, 3, 2 }, { 64, 128, 56, 1, 2 }, { 128, 128, 28, 3, 1 },
  { 128, 256, 28, 3, 2 }, { 128, 256, 28, 1, 2 }, { 256, 256, 14, 3, 1 }, { 256, 512, 14, 3, 2 },
  { 256, 512, 14, 1, 2 }, { 512, 512, 7, 3, 1 },
} do
  local i, o, n, k, s = table.unpack(c)
  measure(("conv2d 8x%dx%d to %d k%d s%d"):format(i, n, o, k, s), { pt.randn(8, i, n, n), pt.randn(o, i, k, k) },
    function(x, w) return F.conv2d(x, w, nil, s, k // 2) end)
end
measure("conv2d depthwise 8x128x56 k3", { pt.randn(8, 128, 56, 56), pt.randn(128, 1, 3, 3) },
  function(x, w) return F.conv2d(x, w, nil, 1, 1, 1, 128) end)
measure("conv_transpose2d 8x64x28 to 32 k4 s2", { pt.randn(8, 64, 28, 28), pt.randn(64, 32, 4, 4) },
  function(x, w) return F.conv_transpose2d(x, w, nil, 2, 1) end)
measure("batch_norm 8x64x56", { pt.randn(8, 64, 56, 56), pt.randn(64), pt.randn(64) },
  function(x, w, b) return F.batch_norm(x, nil, nil, w, b, true) end)
measure("max_pool2d 8x64x112 k3 s2", { pt.randn(8, 64, 112, 112) }, function(x) return F.max_pool2d(x, 3, 2, 1) end)
measure("avg_pool2d 8x64x112 k2", { pt.randn(8, 64, 112, 112) }, function(x) return F.avg_pool2d(x, 2) end)
measure("layer_norm 1024x4096", { pt.randn(1024, 4096), pt.randn(4096), pt.randn(4096) },
  function(x, w, b) return F.layer_norm(x, 4096, w, b) end)
measure("rms_norm 1024x4096", { pt.randn(1024, 4096), pt.randn(4096) },
  function(x, w) return F.rms_norm(x, 4096, w) end)
measure("group_norm 8x64x56 in 8", { pt.randn(8, 64, 56, 56), pt.randn(64), pt.randn(64) },
  function(x, w, b) return F.group_norm(x, 8, w, b) end)
measure("softmax 1024x4096", { pt.randn(1024, 4096) }, function(x) return F.softmax(x, 2) end)
local target = pt.randint(1, 4097, { 1024 })
measure("cross_entropy 1024x4096", { pt.randn(1024, 4096) }, function(x) return F.cross_entropy(x, target) end)
local lengths, labels, label_lengths = {}, pt.randint(2, 65, { 16, 80 }), {}
for i = 1, 16 do lengths[i], label_lengths[i] = 500, 80 end
measure("ctc_loss 500x16x64, 80 labels", { pt.randn(500, 16, 64) },
  function(x) return F.ctc_loss(x:log_softmax(3), labels, lengths, label_lengths) end)
for _, causal in ipairs { true, false } do
  measure("attention 4x8x512x64" .. (causal and " causal" or ""),
    { pt.randn(4, 8, 512, 64), pt.randn(4, 8, 512, 64), pt.randn(4, 8, 512, 64) },
    function(q, k, v) return F.scaled_dot_product_attention(q, k, v, { is_causal = causal }) end)
end
measure("lstm 64x64x256", {
  pt.randn(64, 64, 256), pt.zeros(64, 256), pt.zeros(64, 256), pt.randn(1024, 256) / 16, pt.randn(1024, 256) / 16,
  pt.randn(1024) / 16, pt.randn(1024) / 16,
}, function(x, h, c, wi, wh, bi, bh) return (pt.rnn_layer(x, h, c, wi, wh, bi, bh, "lstm")) end)
measure("interpolate bilinear 8x64x28 to 56", { pt.randn(8, 64, 28, 28) },
  function(x) return F.interpolate(x, { 56, 56 }, nil, "bilinear") end)
local ids = pt.randint(1, 30001, { 32, 128 })
measure("embedding 30000x512, 32x128 ids", { pt.randn(30000, 512) }, function(w) return F.embedding(ids, w) end)
