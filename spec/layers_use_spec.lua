-- pt.nn: what layers do beyond one forward: packed sequences, masks, running statistics, modes, messages.
local pt = require "pt"
local nn, F = pt.nn, pt.nn.functional
local rnn = nn.utils.rnn

local function raises(text, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(message):find(text, 1, true), ("%q lacks %q"):format(message, text))
end

local function same(x, y, tolerance)
  assert.equal(tostring(x.shape), tostring(y.shape))
  assert.is_true(x:numel() == 0 or (x - y):abs():max():item() <= (tolerance or 1e-6))
end

describe("recurrent layers", function()
  local kinds = { LSTM = nn.LSTM, GRU = nn.GRU, RNN = nn.RNN }

  for name, Kind in pairs(kinds) do
    it("give packed sequences what each gets by itself: " .. name, function()
      local layer = Kind(3, 2, { num_layers = 2, bidirectional = true })
      local list = { pt.randn(2, 3), pt.randn(5, 3), pt.randn(4, 3) }
      local packed, state = layer(rnn.pack_sequence(list, false))
      local out, lengths = rnn.pad_packed_sequence(packed)
      assert.same({ 2, 5, 4 }, lengths:tolist())
      local h = name == "LSTM" and state[1] or state
      for i, x in ipairs(list) do
        local y, own = layer(x)
        same(y, out:select(2, i):narrow(1, 1, x:size(1)))
        same(name == "LSTM" and own[1] or own, h:select(2, i))
      end
    end)

    it("go on from a state: " .. name, function()
      local layer, x = Kind(3, 2), pt.randn(6, 2, 3)
      local whole, last = layer(x)
      local first, state = layer(x:narrow(1, 1, 4))
      local second, final = layer(x:narrow(1, 5, 2), state)
      same(whole, pt.cat { first, second })
      same(name == "LSTM" and last[2] or last, name == "LSTM" and final[2] or final)
    end)

    it("are chains of their cell: " .. name, function()
      local layer, cell = Kind(3, 2), nn[name .. "Cell"](3, 2)
      for _, key in ipairs { "weight_ih", "weight_hh", "bias_ih", "bias_hh" } do cell[key] = layer[key .. "_l0"] end
      local x = pt.randn(4, 2, 3)
      local out = layer(x)
      local h, c
      for t = 1, 4 do
        h, c = cell(x[t], name == "LSTM" and h and { h, c } or h)
        same(h, out[t])
      end
    end)

    it("reset the padding's gradient: " .. name, function()
      local x = pt.randn(3, 2, 3):requires_grad_()
      local packed = Kind(3, 2)(rnn.pack_padded_sequence(x, { 3, 1 }))
      packed.data:sum():backward()
      assert.equal(0, x.grad:select(2, 2):narrow(1, 2, 2):abs():sum():item())
      assert.is_true(x.grad:select(2, 1):abs():sum():item() > 0)
    end)
  end

  it("project what an LSTM gives, as PyTorch's proj_size", function()
    local layer = nn.LSTM(3, 5, 2, { bidirectional = true, proj_size = 2 }):double()
    pt.no_grad(function()
      for i, p in ipairs(layer:parameters()) do
        p:copy_((pt.arange(p:numel()):double() * 0.7 + (i - 1)):sin():reshape(p:size()) * 0.5)
      end
    end)
    local x = pt.arange(36):double():cos():reshape(4, 3, 3):requires_grad_()
    local y, state = layer(x)
    local h, c = state[1], state[2]
    local loss = y:sum() + h:square():sum() + c:sin():sum()
    loss:backward()
    local function near(want, got)
      assert.is_true((got - pt.tensor(want, { dtype = pt.float64 })):abs():max():item() < 1e-8)
    end
    near({ 0.149376667, -0.096504773, 0.15368006, -0.059967193 }, y[1][1])
    near({ 0.319008584, -0.192060345 }, h[2][3])
    near({ -0.418037155, 0.108123054, 0.425322639, 0.707776277, 0.557938081 }, c[4][2])
    near(-2.034611776351428, x.grad:sum())
    near(7.795926936522785, layer.weight_hr_l1_reverse.grad:sum())
    local packed = rnn.pack_padded_sequence(x:detach(), { 2, 4, 3 }, { enforce_sorted = false })
    y, state = layer(packed)
    near({ 0.206267688, -0.138250861, 0.138819452, -0.058533289 }, (rnn.pad_packed_sequence(y))[2][3])
    near({ 0.255065461, -0.156907134 }, state[1][{ 2, 1 }])
    near({ 0.363459194, 0.399146158, 0.170331609, -0.692308939, -0.681009659 }, state[2][{ 2, 2 }])
    assert.equal("LSTM(3, 5, proj_size=2, num_layers=2, bidirectional=true)", tostring(layer))
    raises("LSTM: proj_size must be 0 to 4, less than hidden_size, got 5", nn.LSTM, 3, 5, { proj_size = 5 })
    raises("unknown option 'proj_size'", nn.GRU, 3, 5, { proj_size = 2 })
  end)

  it("drop between layers while training", function()
    local layer, x = nn.LSTM(3, 2, { num_layers = 2, dropout = 0.5 }), pt.randn(4, 2, 3)
    assert.is_false(pt.equal((layer(x)), (layer(x))))
    layer:eval()
    assert.is_true(pt.equal((layer(x)), (layer(x))))
  end)

  it("say what does not fit", function()
    local layer = nn.LSTM(3, 2)
    raises("LSTM 3 -> 2: x [4, 2, 5] must be (steps, batch, 3) or (steps, 3)", layer, pt.ones(4, 2, 5))
    raises("the state must be a list {h, c}", layer, pt.ones(4, 2, 3), pt.ones(1, 2, 2))
    raises("the state h [1, 1, 2] must be [1, 2, 2]", layer, pt.ones(4, 2, 3), { pt.ones(1, 1, 2), pt.ones(1, 2, 2) })
    raises("has no steps", layer, pt.ones(0, 2, 3))
    raises("nonlinearity must be tanh or relu", nn.RNN, 3, 2, { nonlinearity = "sin" })
    raises("num_layers must be 1 or more", nn.GRU, 3, 2, 0)
    raises("x [3, 4, 3] must be (batch, 3) or (3)", nn.GRUCell(3, 2), pt.ones(3, 4, 3))
  end)
end)

describe("attention", function()
  local layer = nn.MultiheadAttention(4, 2)
  local q, k = pt.randn(3, 2, 4), pt.randn(5, 2, 4)

  it("gives the same without weights", function()
    local y, w = layer(q, k, k)
    assert.same({ 2, 3, 5 }, w:size())
    same(w:sum(3), pt.ones(2, 3))
    same(y, (layer(q, k, k, { need_weights = false })))
    local _, all = layer(q, k, k, { average_attn_weights = false })
    assert.same({ 2, 2, 3, 5 }, all:size())
    same(w, all:mean(2))
  end)

  it("does not look where a mask is true", function()
    local mask = pt.tensor { { false, true, false, false, true }, { true, true, true, true, false },
      { false, false, false, false, false } }
    local _, w = layer(q, k, k, { attn_mask = mask })
    assert.equal(0, w:masked_select(mask:unsqueeze(1):expand(2, 3, 5)):abs():sum():item())
    local number = pt.zeros(3, 5):masked_fill(mask, -math.huge)
    same(w, select(2, layer(q, k, k, { attn_mask = number })))
    local by_head = mask:unsqueeze(1):expand(4, 3, 5)
    same(w, select(2, layer(q, k, k, { attn_mask = by_head })))
    same((layer(q, k, k, { attn_mask = mask })), (layer(q, k, k, { attn_mask = mask, need_weights = false })))
  end)

  it("skips padding as if it were not there", function()
    local padding = pt.tensor { { false, false, false, true, true }, { false, false, false, false, false } }
    local y = layer(q, k, k, padding)
    same(y:select(2, 1), (layer(q:select(2, 1), k:select(2, 1):narrow(1, 1, 3), k:select(2, 1):narrow(1, 1, 3))))
    same(y, (layer(q, k, k, { key_padding_mask = padding, need_weights = false })))
    same(y:select(2, 2), (layer(q, k, k)):select(2, 2))
  end)

  it("is causal by flag or by mask", function()
    local mask = nn.Transformer.generate_square_subsequent_mask(3)
    assert.same({ 0, -math.huge, -math.huge }, mask[1]:tolist())
    local y = layer(q, q, q, { attn_mask = mask })
    same(y, (layer(q, q, q, { attn_mask = mask, is_causal = true, need_weights = false })))
    same(y, (layer(q, q, q, { is_causal = true, need_weights = false })))
  end)

  it("says what does not fit", function()
    raises("embed_dim 5 does not divide into 2 heads", nn.MultiheadAttention, 5, 2)
    raises("query [3, 2, 3] must be (steps, batch, 4)", layer, pt.ones(3, 2, 3), k, k)
    raises("attn_mask [2, 2] must be [3, 5] or [4, 3, 5]", layer, q, k, k, { attn_mask = pt.ones(2, 2) })
    raises("key_padding_mask [2, 3] must be [2, 5]", layer, q, k, k, pt.ones(2, 3))
    raises("activation must be relu, gelu or a function", nn.TransformerEncoderLayer, 4, 2, { activation = "sin" })
  end)

  it("stacks copies of a layer", function()
    local encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 3)
    assert.equal(3, #encoder.layers)
    assert.is_true(pt.equal(encoder.layers[1].linear1.weight, encoder.layers[3].linear1.weight))
    assert.is_false(rawequal(encoder.layers[1].linear1.weight, encoder.layers[3].linear1.weight))
    encoder:eval()
    local mask = pt.tensor { { false, false, true }, { false, false, false } }
    local y = encoder(q, { src_key_padding_mask = mask })
    same(y:select(2, 1):narrow(1, 1, 2), encoder(q:narrow(1, 1, 2)):select(2, 1))
  end)
end)

describe("batch norm", function()
  it("keeps running statistics, by momentum or as a mean", function()
    local a, b = nn.BatchNorm1d(1), nn.BatchNorm1d(1, { momentum = false })
    for _, x in ipairs { pt.tensor { { 1. }, { 3. } }, pt.tensor { { 5. }, { 9. } } } do
      a(x)
      b(x)
    end
    same(a.running_mean, pt.tensor { 0.9 * 0.2 + 0.7 })
    same(a.running_var, pt.tensor { 0.9 * (0.9 + 0.2) + 0.8 })
    same(b.running_mean, pt.tensor { 4.5 })
    same(b.running_var, pt.tensor { 5. })
    assert.equal(2, b.num_batches_tracked:item())
    a:eval()
    local before = a.running_mean:item()
    same(a(pt.tensor { { 0.88 } }), pt.tensor { { 0. } })
    assert.equal(before, a.running_mean:item())
    a:reset_running_stats()
    assert.equal(0, a.running_mean:item())
  end)

  it("checks dims", function()
    raises("BatchNorm2d of 3: x [2, 3] must have 4 dims", nn.BatchNorm2d(3), pt.ones(2, 3))
    raises("num_features must be 1 or more", nn.BatchNorm1d, 0)
  end)

  it("becomes SyncBatchNorm with the same tensors", function()
    local net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    local weight = net[2].weight
    nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert.equal("SyncBatchNorm", getmetatable(net[2]).__name)
    assert.equal(weight, net[2].weight)
    assert.same({ 1, 2, 2, 2 }, net(pt.randn(1, 1, 2, 2)):size())
  end)

  it("gets its statistics anew for an averaged model", function()
    local net = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))
    net:eval()
    local batches, i = { pt.tensor { { 1. }, { 3. } }, pt.tensor { { 5. }, { 9. } } }, 0
    pt.optim.swa_utils.update_bn(function()
      i = i + 1
      return batches[i]
    end, net)
    same(net[1].running_mean, pt.tensor { 4.5 })
    assert.equal(0.1, net[1].momentum)
    assert.is_false(net.training)
  end)
end)

describe("layers", function()
  it("begin within PyTorch's bounds", function()
    local conv = nn.Conv2d(4, 8, 3, { groups = 2 })
    local bound = 1 / math.sqrt(2 * 9)
    assert.is_true(conv.weight:abs():max():item() <= bound and conv.bias:abs():max():item() <= bound)
    assert.is_true(conv.weight:abs():max():item() > 0.9 * bound)
    local back = nn.ConvTranspose2d(4, 8, 3, { groups = 2 })
    assert.same({ 4, 4, 3, 3 }, back.weight:size())
    assert.is_true(back.weight:abs():max():item() <= 1 / math.sqrt(4 * 9))
    local embedding = nn.Embedding(100, 50, 3)
    assert.equal(0, embedding.weight[3]:abs():sum():item())
    assert.is_true(math.abs(embedding.weight:std():item() - 1) < 0.05)
  end)

  it("drop only while training", function()
    for _, name in ipairs { "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout" } do
      local layer = nn[name](0.5)
      local nd = tonumber(name:match "%d") or 1
      local x = pt.ones(2, 50, table.unpack({ 3, 3, 3 }, 1, nd))
      assert.is_false(pt.equal(x, layer(x)))
      layer:eval()
      assert.is_true(pt.equal(x, layer(x)))
    end
  end)

  it("pool with places and back", function()
    local pool, unpool = nn.MaxPool2d(2, { return_indices = true }), nn.MaxUnpool2d(2)
    local x = pt.range(1, 16):reshape(1, 1, 4, 4):float()
    local y, places = pool(x)
    assert.same({ { 6, 8 }, { 14, 16 } }, places[{ 1, 1 }]:tolist())
    assert.equal(y:sum():item(), unpool(y, places):sum():item())
    assert.equal(1, select("#", nn.MaxPool2d(2)(x)))
  end)

  it("take rows that exist", function()
    local embedding = nn.Embedding.from_pretrained(pt.tensor { { 1., 2 }, { 3, 4 } })
    assert.same({ { 3, 4 }, { 1, 2 } }, embedding(pt.tensor { 2, 1 }):tolist())
    assert.is_false(embedding.weight.requires_grad)
    assert.is_true(nn.Embedding.from_pretrained(pt.ones(2, 2), false).weight.requires_grad)
  end)

  it("print as PyTorch's", function()
    assert.equal("Conv2d(in_channels=1, out_channels=2, kernel_size=3, stride=1, padding=0, dilation=1, groups=1, "
      .. "padding_mode=zeros)", tostring(nn.Conv2d(1, 2, 3)))
    assert.equal("LSTM(3, 2, num_layers=2, bidirectional=true)", tostring(nn.LSTM(3, 2, 2, { bidirectional = true })))
    assert.equal("GELU(approximate=none)", tostring(nn.GELU()))
    assert.equal("LayerNorm(normalized_shape={4}, eps=1e-05, elementwise_affine=true)", tostring(nn.LayerNorm(4)))
  end)

  it("MultiLabelMarginLoss is the function", function()
    local x, targets = pt.randn(2, 4), pt.tensor { { 4, 1, 0, 2 }, { 2, 0, 1, 1 } }
    same(nn.MultiLabelMarginLoss()(x, targets), F.multilabel_margin_loss(x, targets))
  end)

  it("CTCLoss is the function", function()
    local logp = pt.randn(6, 2, 4):log_softmax(3)
    local targets, lengths = pt.tensor { { 2, 3 }, { 4, 4 } }, { pt.tensor { 6, 6 }, pt.tensor { 2, 2 } }
    local loss = nn.CTCLoss()(logp, targets, lengths[1], lengths[2])
    same(loss, F.ctc_loss(logp, targets, lengths[1], lengths[2]))
  end)

  for message, call in pairs {
    ["Conv2d: 3 and 4 channels do not both divide into 2 groups"] = function() nn.Conv2d(3, 4, 1, { groups = 2 }) end,
    ["Conv2d: padding_mode must be zeros"] = function() nn.Conv2d(1, 1, 1, { padding_mode = "x" }) end,
    ["Conv2d: padding must be a number, a list, same or valid"] =
      function() nn.Conv2d(1, 1, 1, { padding = "x" }) end,
    ["Conv2d: kernel_size must be a number or a list of 2"] = function() nn.Conv2d(1, 1, { 1, 2, 3 }) end,
    ["GroupNorm: 3 channels do not divide into 2 groups"] = function() nn.GroupNorm(2, 3) end,
    ["Embedding: padding_idx 9 is not a row from 1 to 3"] = function() nn.Embedding(3, 2, 9) end,
    ["ZeroPad2d: padding must be a number or a list of 4"] = function() nn.ZeroPad2d { padding = { 1, 2 } } end,
    ["Dropout2d: p must be between 0 and 1, got 2"] = function() nn.Dropout2d(2) end,
    ["TransformerEncoder: the layer must be a module"] = function() nn.TransformerEncoder(3, 2) end,
  } do
    it("refuse: " .. message, function() raises(message, call) end)
  end
end)

describe("hooks on the way backward", function()
  local function layer()
    local l = nn.Linear(2, 1)
    l:load_state_dict { weight = pt.tensor { { 2., 3 } }, bias = pt.zeros(1) }
    return l
  end

  it("see the gradients of what went in and came out, and may replace them", function()
    local l, seen = layer(), {}
    local handle = l:register_full_backward_hook(function(m, gin, gout)
      seen = { m, gin[1]:tolist(), gout[1]:tolist() }
      return { gin[1] * 10 }
    end)
    local x = pt.tensor { { 1., 1 } }:requires_grad_();
    (l(x) * 4):sum():backward()
    assert.same({ { 8, 12 } }, seen[2])
    assert.same({ { 4 } }, seen[3])
    assert.equal(l, seen[1])
    assert.same({ { 80, 120 } }, x.grad:tolist())
    assert.same({ { 4, 4 } }, l.weight.grad:tolist())
    handle.remove()
    x.grad = nil
    l(x):sum():backward()
    assert.same({ { 2, 3 } }, x.grad:tolist())
  end)

  it("work where no input wants a gradient, and before the module's own", function()
    local l, order = layer(), {}
    l:register_full_backward_hook(function(_, gin, gout) order = { gin.n, gout[1]:item() } end)
    l:register_full_backward_pre_hook(function(_, gout) return gout[1] * 3 end)
    l(pt.tensor { { 1., 1 } }):sum():backward()
    assert.same({ 0, 3 }, order)
    assert.same({ { 3, 3 } }, l.weight.grad:tolist())
  end)

  it("are not in the way without gradients", function()
    local l = layer()
    l:register_full_backward_hook(error)
    assert.equal(5, pt.no_grad(function() return l(pt.tensor { { 1., 1 } }) end):item())
  end)

  it("must return what fits", function()
    local l = layer()
    l:register_full_backward_hook(function() return 3 end)
    local y = l(pt.ones(1, 2):requires_grad_()):sum()
    raises("a backward hook must return nothing, a gradient, or a list of 1", y.backward, y)
  end)
end)
