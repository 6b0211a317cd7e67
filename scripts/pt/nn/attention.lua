--- Attention layers: MultiheadAttention, and the layers, stacks and whole of a Transformer.
--
-- Masks as PyTorch's layers take them: bool, true where a position must NOT be looked at, or numbers to be added.

local pt = require "pt"
local F = require "pt.nn.functional"
local class = require "pt.class"
local define = require "pt.nn.define"
local factory = require "pt.nn.factory"
local fail = require "pt.fail"
local init = require "pt.nn.initial"
local like_pytorch = require "pt.generator".like_pytorch
local layers = require "pt.nn.layers"
local module = require "pt.nn.module"
local norms = require "pt.nn.norms"
local containers = require "pt.nn.containers"
local signature = require "pt.signature"

local made = {}
local Linear, Dropout, LayerNorm = layers.Linear, layers.Dropout, norms.LayerNorm

local function name_of(self) return getmetatable(self).__name end

-- ---- multi-head attention ----

---@class pt.nn.MultiheadAttention: pt.nn.Module
local Attention = class("MultiheadAttention", module.Module)
made.MultiheadAttention = Attention

Attention.init = factory("MultiheadAttention",
  "embed_dim:i num_heads:i dropout:n=0 bias:b=true add_bias_kv:b=false add_zero_attn:b=false kdim:i? vdim:i? "
    .. "batch_first:b=false",
  function(self, embed_dim, num_heads, dropout, bias, add_bias_kv, add_zero_attn, kdim, vdim, batch_first)
    if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads ~= 0 then
      fail("MultiheadAttention: embed_dim %d does not divide into %d heads", embed_dim, num_heads)
    end
    for key, value in pairs {
      embed_dim = embed_dim, num_heads = num_heads, head_dim = embed_dim // num_heads, dropout = dropout,
      batch_first = batch_first, add_zero_attn = add_zero_attn, kdim = kdim or embed_dim, vdim = vdim or embed_dim,
    } do rawset(self, key, value) end
    local function weight(...) return module.Parameter(pt.empty(...)) end
    if self.kdim == embed_dim and self.vdim == embed_dim then
      self.in_proj_weight = weight(3 * embed_dim, embed_dim)
    else
      self.q_proj_weight = weight(embed_dim, embed_dim)
      self.k_proj_weight = weight(embed_dim, self.kdim)
      self.v_proj_weight = weight(embed_dim, self.vdim)
    end
    if bias then self.in_proj_bias = module.Parameter(pt.zeros(3 * embed_dim)) end
    if add_bias_kv then
      self.bias_k = weight(1, 1, embed_dim)
      self.bias_v = weight(1, 1, embed_dim)
    end
    self.out_proj = Linear(embed_dim, embed_dim, bias)
    if bias then init.zeros_(self.out_proj.bias) end
    for _, name in ipairs { "in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight" } do
      if self[name] then init.xavier_uniform_(self[name]) end
    end
    for _, name in ipairs { "bias_k", "bias_v" } do
      if self[name] then init.xavier_normal_(self[name]) end
    end
  end)

-- The three projections of inputs (batch, steps, width).
local function project(self, query, key, value)
  local e, b = self.embed_dim, self.in_proj_bias
  local weights = { self.q_proj_weight, self.k_proj_weight, self.v_proj_weight }
  if self.in_proj_weight then
    if rawequal(query, key) and rawequal(key, value) then -- one product for all three
      return table.unpack(query:linear(self.in_proj_weight, b):chunk(3, -1))
    end
    weights = self.in_proj_weight:chunk(3)
  end
  local out = {}
  for i, x in ipairs { query, key, value } do
    out[i] = x:linear(weights[i], b and b:narrow(1, (i - 1) * e + 1, e))
  end
  return table.unpack(out)
end

-- (batch, steps, width) -> (batch, heads, steps, width of a head)
local function split_heads(self, x) return x:unflatten(3, { self.num_heads, self.head_dim }):transpose(2, 3) end

-- A mask as numbers to be added.
local function additive(mask, dtype)
  if mask.dtype ~= pt.bool then return mask:to(dtype) end
  return pt.zeros(mask:size(), { dtype = dtype, device = mask.device }):masked_fill(mask, -math.huge)
end

-- One additive mask that broadcasts to (batch, heads, queries, keys), or nil.
local function merge_masks(self, attn_mask, padding, n, queries, keys, dtype)
  local merged
  if attn_mask then
    local want = { ("[%d, %d]"):format(queries, keys), ("[%d, %d, %d]"):format(n * self.num_heads, queries, keys) }
    if tostring(attn_mask.shape) == want[1] then
      merged = additive(attn_mask, dtype)
    elseif tostring(attn_mask.shape) == want[2] then
      merged = additive(attn_mask, dtype):unflatten(1, { n, self.num_heads })
    else
      fail("MultiheadAttention: attn_mask %s must be %s or %s", attn_mask.shape, want[1], want[2])
    end
  end
  if padding then
    if padding.ndim ~= 2 or padding:size(1) ~= n or padding:size(2) ~= keys then
      fail("MultiheadAttention: key_padding_mask %s must be [%d, %d]", padding.shape, n, keys)
    end
    padding = additive(padding, dtype):unsqueeze(2):unsqueeze(2)
    merged = merged and merged + padding or padding
  end
  return merged
end

-- Another key and value for each sample: the learned ones, zeros. Masks let them through.
local function extend(self, k, v, attn_mask, padding)
  local function more(x, row) return pt.cat({ x, row:expand(x:size(1), 1, x:size(3)) }, 2) end
  local function open(mask) return mask and F.pad(mask, { 0, 1 }) end
  if self.bias_k then
    k, v, attn_mask, padding = more(k, self.bias_k), more(v, self.bias_v), open(attn_mask), open(padding)
  end
  if self.add_zero_attn then
    local zero = pt.zeros(1, 1, k:size(3), { dtype = k.dtype, device = k.device })
    k, v, attn_mask, padding = more(k, zero), more(v, zero), open(attn_mask), open(padding)
  end
  return k, v, attn_mask, padding
end

local function check_inputs(self, query, key, value)
  local widths = { self.embed_dim, self.kdim, self.vdim }
  for i, x in ipairs { query, key, value } do
    local name = ({ "query", "key", "value" })[i]
    if not pt.is_tensor(x) then fail("MultiheadAttention: %s must be a tensor, got a %s", name, type(x)) end
    if x.ndim ~= query.ndim or x.ndim < 2 or x.ndim > 3 or x:size(-1) ~= widths[i] then
      fail("MultiheadAttention: %s %s must be (%s, %d)", name, x.shape,
        self.batch_first and "batch, steps" or "steps, batch", widths[i])
    end
  end
end

-- The attention of a module, or of a table with its fields (multi_head_attention_forward).
function Attention._attend(self, query, key, value, padding, need_weights, attn_mask, average, is_causal)
  check_inputs(self, query, key, value)
  local single = query.ndim == 2
  local same = rawequal(query, key) and rawequal(key, value)
  local function ready(x)
    if single then return x:unsqueeze(1) end
    return self.batch_first and x or x:transpose(1, 2)
  end
  local x = ready(query)
  local q, k, v = project(self, x, same and x or ready(key), same and x or ready(value))
  if padding and single then padding = padding:unsqueeze(1) end
  k, v, attn_mask, padding = extend(self, k, v, attn_mask, padding)
  local n, queries, keys = q:size(1), q:size(2), k:size(2)
  local causal = is_causal and not need_weights and not padding
  if is_causal and not attn_mask and not causal then
    fail("MultiheadAttention: is_causal needs an attn_mask where weights or a key_padding_mask are wanted")
  end
  local mask = not causal and merge_masks(self, attn_mask, padding, n, queries, keys, q.dtype) or nil
  q, k, v = split_heads(self, q), split_heads(self, k), split_heads(self, v)
  local dropout = self.training and self.dropout or 0
  local y, weights
  if need_weights then
    local scores = (q / math.sqrt(self.head_dim)):matmul(k:transpose(3, 4))
    weights = (mask and scores + mask or scores):softmax(-1)
    if dropout > 0 then weights = F.dropout(weights, dropout) end
    y = weights:matmul(v)
  else
    y = F.scaled_dot_product_attention(q, k, v, mask, dropout, causal)
  end
  y = self.out_proj(y:transpose(2, 3):flatten(3, 4))
  if like_pytorch() then y = y:transpose(1, 2):contiguous():transpose(1, 2) end -- its order for the next dropout
  if single then y = y:squeeze(1) elseif not self.batch_first then y = y:transpose(1, 2) end
  if not weights then return y end
  if average then weights = weights:mean(2) end
  return y, single and weights:squeeze(1) or weights
end

--- query (queries, batch, embed_dim), key and value (keys, batch, ...), or batch first -> the result like query, and
--- the weights (batch, queries, keys) unless need_weights is false.
Attention.forward = signature("MultiheadAttention",
  "query:T key:T value:T key_padding_mask:T? need_weights:b=true attn_mask:T? average_attn_weights:b=true "
    .. "is_causal:b=false", Attention._attend)

function Attention:describe() return ("MultiheadAttention %d, %d heads"):format(self.embed_dim, self.num_heads) end

-- ---- layers ----

local function activation_of(owner, value)
  if type(value) == "function" or module.is_module(value) then return value end
  if value == "relu" or value == "gelu" then return F[value] end
  fail("%s: activation must be relu, gelu or a function, got '%s'", owner, value)
end

local LAYER = "d_model:i nhead:i dim_feedforward:i=2048 dropout:n=0.1 activation:a=relu layer_norm_eps:n=1e-5 "
  .. "batch_first:b=false norm_first:b=false bias:b=true"

local function attention_of(self)
  return Attention(self.d_model, self.nhead, {
    dropout = self.dropout_p, bias = self.with_bias, batch_first = self.batch_first,
  })
end

local function take_options(self)
  rawset(self, "dropout_p", self.dropout)
  rawset(self, "with_bias", self.bias)
  self.dropout, self.bias = nil, nil
  rawset(self, "activation", activation_of(name_of(self), self.activation))
end

-- norm1, norm2, ... and dropout1, dropout2, ...
local function make_norms(self, n)
  for i = 1, n do
    self["norm" .. i] = LayerNorm(self.d_model, { eps = self.layer_norm_eps, bias = self.with_bias })
  end
  for i = 1, n do self["dropout" .. i] = Dropout(self.dropout_p) end
end

local function make_feedforward(self)
  self.linear1 = Linear(self.d_model, self.dim_feedforward, self.with_bias)
  self.dropout = Dropout(self.dropout_p)
  self.linear2 = Linear(self.dim_feedforward, self.d_model, self.with_bias)
end

local function feedforward(self, x) return self.linear2(self.dropout(self.activation(self.linear1(x)))) end

-- x plus dropout(part(x)), with the norm before or behind.
local function residual(self, x, norm, dropout, part)
  if self.norm_first then return x + dropout(part(norm(x))) end
  return norm(x + dropout(part(x)))
end

local Encoder = define.with_parameters("TransformerEncoderLayer", LAYER, nil, function(self)
  take_options(self)
  self.self_attn = attention_of(self)
  make_feedforward(self)
  make_norms(self, 2)
end)
made.TransformerEncoderLayer = Encoder

Encoder.forward = signature("TransformerEncoderLayer",
  "src:T src_mask:T? src_key_padding_mask:T? is_causal:b=false", function(self, x, mask, padding, is_causal)
    x = residual(self, x, self.norm1, self.dropout1, function(y)
      return (self.self_attn(y, y, y, {
        attn_mask = mask, key_padding_mask = padding, need_weights = false, is_causal = is_causal,
      }))
    end)
    return residual(self, x, self.norm2, self.dropout2, function(y) return feedforward(self, y) end)
  end)

local Decoder = define.with_parameters("TransformerDecoderLayer", LAYER, nil, function(self)
  take_options(self)
  self.self_attn = attention_of(self)
  self.multihead_attn = attention_of(self)
  make_feedforward(self)
  make_norms(self, 3)
end)
made.TransformerDecoderLayer = Decoder

local DECODER = "tgt:T memory:T tgt_mask:T? memory_mask:T? tgt_key_padding_mask:T? memory_key_padding_mask:T? "
  .. "tgt_is_causal:b=false memory_is_causal:b=false"

Decoder.forward = signature("TransformerDecoderLayer", DECODER,
  function(self, x, memory, tgt_mask, memory_mask, tgt_padding, memory_padding, tgt_causal, memory_causal)
    x = residual(self, x, self.norm1, self.dropout1, function(y)
      return (self.self_attn(y, y, y, {
        attn_mask = tgt_mask, key_padding_mask = tgt_padding, need_weights = false, is_causal = tgt_causal,
      }))
    end)
    x = residual(self, x, self.norm2, self.dropout2, function(y)
      return (self.multihead_attn(y, memory, memory, {
        attn_mask = memory_mask, key_padding_mask = memory_padding, need_weights = false, is_causal = memory_causal,
      }))
    end)
    return residual(self, x, self.norm3, self.dropout3, function(y) return feedforward(self, y) end)
  end)

-- ---- stacks ----

-- num_layers copies of a layer, which begin with the same weights.
local function setup_stack(self)
  local first, list = self.layer, {}
  self.layer = nil
  if not module.is_module(first) then fail("%s: the layer must be a module, got a %s", name_of(self), type(first)) end
  for i = 1, self.num_layers do list[i] = first:clone() end
  self.layers = containers.ModuleList(list)
  local norm = self.norm
  self.norm = nil
  if norm then self.norm = norm end
end

local EncoderStack = define("TransformerEncoder", "layer:a num_layers:i norm:a?", nil, setup_stack)
made.TransformerEncoder = EncoderStack

EncoderStack.forward = signature("TransformerEncoder", "src:T mask:T? src_key_padding_mask:T? is_causal:b=false",
  function(self, x, mask, padding, is_causal)
    for _, layer in ipairs(self.layers) do x = layer(x, mask, padding, is_causal) end
    return self.norm and self.norm(x) or x
  end)

local DecoderStack = define("TransformerDecoder", "layer:a num_layers:i norm:a?", nil, setup_stack)
made.TransformerDecoder = DecoderStack

DecoderStack.forward = signature("TransformerDecoder", DECODER, function(self, x, ...)
  for _, layer in ipairs(self.layers) do x = layer(x, ...) end
  return self.norm and self.norm(x) or x
end)

--- Encoder and decoder; all matrices begin with xavier_uniform_.
local Transformer = define.with_parameters("Transformer",
  "d_model:i=512 nhead:i=8 num_encoder_layers:i=6 num_decoder_layers:i=6 dim_feedforward:i=2048 dropout:n=0.1 "
    .. "activation:a=relu custom_encoder:a? custom_decoder:a? layer_norm_eps:n=1e-5 batch_first:b=false "
    .. "norm_first:b=false bias:b=true",
  nil, function(self)
    local options = {}
    for _, key in ipairs {
      "dim_feedforward", "dropout", "activation", "layer_norm_eps", "batch_first", "norm_first", "bias",
    } do options[key] = self[key] end
    self.bias = nil
    local function norm() return LayerNorm(self.d_model, { eps = self.layer_norm_eps, bias = options.bias }) end
    self.encoder = self.custom_encoder
      or EncoderStack(Encoder(self.d_model, self.nhead, options), self.num_encoder_layers, norm())
    self.decoder = self.custom_decoder
      or DecoderStack(Decoder(self.d_model, self.nhead, options), self.num_decoder_layers, norm())
    self.custom_encoder, self.custom_decoder = nil, nil
    for _, p in ipairs(self:parameters()) do
      if p.ndim > 1 then init.xavier_uniform_(p) end
    end
  end)
made.Transformer = Transformer

Transformer.forward = signature("Transformer",
  "src:T tgt:T src_mask:T? tgt_mask:T? memory_mask:T? src_key_padding_mask:T? tgt_key_padding_mask:T? "
    .. "memory_key_padding_mask:T? src_is_causal:b=false tgt_is_causal:b=false memory_is_causal:b=false",
  function(self, src, tgt, src_mask, tgt_mask, memory_mask, src_padding, tgt_padding, memory_padding, src_causal,
      tgt_causal, memory_causal)
    local memory = self.encoder(src, src_mask, src_padding, src_causal)
    return self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_padding, memory_padding, tgt_causal, memory_causal)
  end)

--- The additive mask (n, n) that hides what comes later.
---@param n integer
---@return pt.Tensor
function Transformer.generate_square_subsequent_mask(n)
  return pt.full({ n, n }, -math.huge):triu(1)
end

return made
