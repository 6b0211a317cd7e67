-- State dicts: the names and shapes are PyTorch's, so that its checkpoints load; what does not fit is listed in full.
local pt = require "pt"
local nn = pt.nn

-- the module, PyTorch's keys and shapes in order
local cases = {
  { "Linear(3, 2)", [[
    weight=2,3 bias=2]] },
  { "Bilinear(2, 3, 4)", [[
    weight=4,2,3 bias=4]] },
  { "Conv2d(4, 6, 3, { groups = 2, bias = false })", [[
    weight=6,2,3,3]] },
  { "ConvTranspose1d(4, 6, 3)", [[
    weight=4,6,3 bias=6]] },
  { "BatchNorm2d(3)", [[
    weight=3 bias=3 running_mean=3 running_var=3 num_batches_tracked=]] },
  { "InstanceNorm1d(3, { affine = true, track_running_stats = true })", [[
    weight=3 bias=3 running_mean=3 running_var=3 num_batches_tracked=]] },
  { "LayerNorm({ 2, 3 })", [[
    weight=2,3 bias=2,3]] },
  { "GroupNorm(2, 4)", [[
    weight=4 bias=4]] },
  { "Embedding(5, 3)", [[
    weight=5,3]] },
  { "EmbeddingBag(5, 3)", [[
    weight=5,3]] },
  { "PReLU(4)", [[
    weight=4]] },
  { "RNN(3, 2)", [[
    weight_ih_l0=2,3 weight_hh_l0=2,2 bias_ih_l0=2 bias_hh_l0=2]] },
  { "LSTM(3, 4, 2, { bidirectional = true, proj_size = 2 })", [[
    weight_ih_l0=16,3 weight_hh_l0=16,2 bias_ih_l0=16 bias_hh_l0=16 weight_hr_l0=2,4 weight_ih_l0_reverse=16,3
    weight_hh_l0_reverse=16,2 bias_ih_l0_reverse=16 bias_hh_l0_reverse=16 weight_hr_l0_reverse=2,4
    weight_ih_l1=16,4 weight_hh_l1=16,2 bias_ih_l1=16 bias_hh_l1=16 weight_hr_l1=2,4 weight_ih_l1_reverse=16,4
    weight_hh_l1_reverse=16,2 bias_ih_l1_reverse=16 bias_hh_l1_reverse=16 weight_hr_l1_reverse=2,4]] },
  { "GRU(3, 2, { bias = false })", [[
    weight_ih_l0=6,3 weight_hh_l0=6,2]] },
  { "GRUCell(3, 2)", [[
    weight_ih=6,3 weight_hh=6,2 bias_ih=6 bias_hh=6]] },
  { "MultiheadAttention(8, 2)", [[
    in_proj_weight=24,8 in_proj_bias=24 out_proj.weight=8,8 out_proj.bias=8]] },
  { "MultiheadAttention(8, 2, { kdim = 3, vdim = 5, add_bias_kv = true })", [[
    q_proj_weight=8,8 k_proj_weight=8,3 v_proj_weight=8,5 in_proj_bias=24 bias_k=1,1,8 bias_v=1,1,8
    out_proj.weight=8,8 out_proj.bias=8]] },
  { "TransformerEncoderLayer(8, 2, 16)", [[
    self_attn.in_proj_weight=24,8 self_attn.in_proj_bias=24 self_attn.out_proj.weight=8,8
    self_attn.out_proj.bias=8 linear1.weight=16,8 linear1.bias=16 linear2.weight=8,16 linear2.bias=8
    norm1.weight=8 norm1.bias=8 norm2.weight=8 norm2.bias=8]] },
  { "TransformerDecoderLayer(8, 2, 16)", [[
    self_attn.in_proj_weight=24,8 self_attn.in_proj_bias=24 self_attn.out_proj.weight=8,8
    self_attn.out_proj.bias=8 multihead_attn.in_proj_weight=24,8 multihead_attn.in_proj_bias=24
    multihead_attn.out_proj.weight=8,8 multihead_attn.out_proj.bias=8 linear1.weight=16,8 linear1.bias=16
    linear2.weight=8,16 linear2.bias=8 norm1.weight=8 norm1.bias=8 norm2.weight=8 norm2.bias=8 norm3.weight=8
    norm3.bias=8]] },
  { "Transformer(8, 2, 1, 1, 16)", [[
    encoder.layers.0.self_attn.in_proj_weight=24,8 encoder.layers.0.self_attn.in_proj_bias=24
    encoder.layers.0.self_attn.out_proj.weight=8,8 encoder.layers.0.self_attn.out_proj.bias=8
    encoder.layers.0.linear1.weight=16,8 encoder.layers.0.linear1.bias=16 encoder.layers.0.linear2.weight=8,16
    encoder.layers.0.linear2.bias=8 encoder.layers.0.norm1.weight=8 encoder.layers.0.norm1.bias=8
    encoder.layers.0.norm2.weight=8 encoder.layers.0.norm2.bias=8 encoder.norm.weight=8 encoder.norm.bias=8
    decoder.layers.0.self_attn.in_proj_weight=24,8 decoder.layers.0.self_attn.in_proj_bias=24
    decoder.layers.0.self_attn.out_proj.weight=8,8 decoder.layers.0.self_attn.out_proj.bias=8
    decoder.layers.0.multihead_attn.in_proj_weight=24,8 decoder.layers.0.multihead_attn.in_proj_bias=24
    decoder.layers.0.multihead_attn.out_proj.weight=8,8 decoder.layers.0.multihead_attn.out_proj.bias=8
    decoder.layers.0.linear1.weight=16,8 decoder.layers.0.linear1.bias=16 decoder.layers.0.linear2.weight=8,16
    decoder.layers.0.linear2.bias=8 decoder.layers.0.norm1.weight=8 decoder.layers.0.norm1.bias=8
    decoder.layers.0.norm2.weight=8 decoder.layers.0.norm2.bias=8 decoder.layers.0.norm3.weight=8
    decoder.layers.0.norm3.bias=8 decoder.norm.weight=8 decoder.norm.bias=8]] },
  { "CrossEntropyLoss({ weight = pt.ones(3) })", [[
    weight=3]] },
  { "Sequential(nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Sequential(nn.BatchNorm1d(2), nn.Flatten()), nn.Linear(6, 2))", [[
    0.weight=2,1,3 0.bias=2 2.0.weight=2 2.0.bias=2 2.0.running_mean=2 2.0.running_var=2 2.0.num_batches_tracked=
    3.weight=2,6 3.bias=2]] },
}

describe("the keys of a state dict", function()
  for _, case in ipairs(cases) do
    it("are PyTorch's: " .. case[1], function()
      local module = assert(load("local pt, nn = ... return nn." .. case[1]))(pt, nn)
      local got = {}
      for key, x in pairs(module:state_dict()) do got[#got + 1] = key .. "=" .. table.concat(x:size(), ",") end
      assert.equal((case[2]:gsub("%s+", " "):gsub("^ ", "")), table.concat(got, " "))
    end)
  end
end)

describe("load_state_dict", function()
  it("lists every difference at once, and changes nothing", function()
    local model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    local state = model:state_dict()
    local before = model[1].weight:clone()
    local other = {}
    for key, x in pairs(state) do other[key] = x + 1 end
    other["0.weight"], other["2.bias"], other["1.running_mean"] = pt.ones(3, 2), nil, nil
    other["2.weight"], other.more, other["head.x"] = pt.ones(5), pt.ones(1), pt.ones(1)
    local ok, message = pcall(model.load_state_dict, model, other)
    assert.is_false(ok)
    for _, text in ipairs { "2.bias", "1.running_mean", "more", "head.x", "0.weight", "[3, 2]", "[2, 3]", "2.weight",
      "[5]", "[1, 2]" } do
      assert.is_truthy(message:find(text, 1, true), ("%q lacks %q"):format(message, text))
    end
    assert.is_true(pt.equal(before, model[1].weight))
  end)
end)
