--- T5 (Raffel and others 2020), of version 1.0 and 1.1, with the names of transformers. Positions are differences, for
--- which each head has a number to be added to its scores.

local pt = require "pt"
local nn = pt.nn
local F = nn.functional
local language = require "pt.models.language"

local made = {}

local defaults = {
  vocab_size = 32128, d_model = 512, d_kv = 64, d_ff = 2048, num_layers = 6, num_decoder_layers = 0, num_heads = 8,
  relative_attention_num_buckets = 32, relative_attention_max_distance = 128, dropout_rate = 0.1,
  layer_norm_epsilon = 1e-6, feed_forward_proj = "relu", tie_word_embeddings = true, decoder_start_token_id = 0,
}

local function norm(config) return nn.RMSNorm(config.d_model, { eps = config.layer_norm_epsilon }) end

-- ---- relative positions ----

-- The bucket, from 1, of each difference of keys' and queries' positions: near ones have one each, far ones share by
-- the logarithm. In both directions half of the buckets are for keys that follow.
local function buckets(difference, both, count, longest)
  local first = difference:new_ones(difference.shape)
  if both then
    count = count // 2
    first = first + difference:gt(0) * count
    difference = difference:abs()
  else
    difference = (-difference):clamp(0)
  end
  local exact = count // 2
  local far = (difference:clamp(exact):float() / exact):log() * ((count - exact) / math.log(longest / exact))
  far = (far:to(pt.int64) + exact):clamp(nil, count - 1)
  return first + pt.where(difference:lt(exact), difference, far)
end

-- What the heads add to the scores (1, heads, queries, keys); the queries stand at the end of the keys.
local function position_bias(self, queries, keys, device)
  local at = pt.arange(keys - queries, keys, { device = device }):unsqueeze(2)
  local difference = pt.arange(keys, { device = device }) - at
  local ids = buckets(difference, self.both, self.buckets, self.longest)
  return self.relative_attention_bias(ids):permute(3, 1, 2):unsqueeze(1)
end

-- ---- layers ----

local Attention = nn.class "T5Attention"

function Attention:init(config, both, has_bias)
  local inner = config.num_heads * config.d_kv
  self.heads, self.both = config.num_heads, both
  self.buckets, self.longest = config.relative_attention_num_buckets, config.relative_attention_max_distance
  self.q, self.k = nn.Linear(config.d_model, inner, false), nn.Linear(config.d_model, inner, false)
  self.v, self.o = nn.Linear(config.d_model, inner, false), nn.Linear(inner, config.d_model, false)
  if has_bias then self.relative_attention_bias = nn.Embedding(self.buckets, self.heads) end
end

-- x looks at `memory`; bias (.., heads, queries, keys) is added to the scores, which are not scaled.
function Attention:forward(x, memory, bias, cache, layer)
  local q = language.split_heads(self.q(x), self.heads)
  local k, v = language.split_heads(self.k(memory), self.heads), language.split_heads(self.v(memory), self.heads)
  if cache then k, v = cache:_extend(layer, k, v) end
  return self.o(language.merge_heads(F.scaled_dot_product_attention(q, k, v, { attn_mask = bias, scale = 1 })))
end

local LayerSelf = nn.class "T5LayerSelfAttention"

function LayerSelf:init(config, both, has_bias)
  self.SelfAttention, self.layer_norm = Attention(config, both, has_bias), norm(config)
  self.dropout = nn.Dropout(config.dropout_rate)
end

function LayerSelf:forward(x, bias, cache, layer)
  local y = self.layer_norm(x)
  return x + self.dropout(self.SelfAttention(y, y, bias, cache, layer))
end

local LayerCross = nn.class "T5LayerCrossAttention"

function LayerCross:init(config)
  self.EncDecAttention, self.layer_norm = Attention(config, false, false), norm(config)
  self.dropout = nn.Dropout(config.dropout_rate)
end

function LayerCross:forward(x, memory, mask)
  return x + self.dropout(self.EncDecAttention(self.layer_norm(x), memory, mask))
end

local Dense = nn.class "T5Dense"

-- feed_forward_proj is the activation, "gated-" before it where another layer is multiplied on.
function Dense:init(config)
  local gated, name = config.feed_forward_proj:match "^(gated%-)(.*)$"
  name = name == "gelu" and "gelu_new" or name or config.feed_forward_proj
  self.act, self.dropout = language.activation("T5ForConditionalGeneration", name), nn.Dropout(config.dropout_rate)
  for _, field in ipairs(gated and { "wi_0", "wi_1" } or { "wi" }) do
    self[field] = nn.Linear(config.d_model, config.d_ff, false)
  end
  self.wo = nn.Linear(config.d_ff, config.d_model, false)
end

function Dense:forward(x)
  local y = self.wi and self.act(self.wi(x)) or self.act(self.wi_0(x)) * self.wi_1(x)
  return self.wo(self.dropout(y))
end

local LayerFF = nn.class "T5LayerFF"

function LayerFF:init(config)
  self.DenseReluDense, self.layer_norm = Dense(config), norm(config)
  self.dropout = nn.Dropout(config.dropout_rate)
end

function LayerFF:forward(x) return x + self.dropout(self.DenseReluDense(self.layer_norm(x))) end

local Block = nn.class "T5Block"

function Block:init(config, is_decoder, first)
  self.layer = nn.ModuleList { LayerSelf(config, not is_decoder, first) }
  if is_decoder then self.layer:append(LayerCross(config)) end
  self.layer:append(LayerFF(config))
end

-- ---- stacks ----

local Stack = nn.class "T5Stack"

function Stack:init(config, is_decoder, count, embedding)
  self.is_decoder = is_decoder
  self.embed_tokens, self.block = embedding, nn.ModuleList()
  for i = 1, count do self.block:append(Block(config, is_decoder, i == 1)) end
  self.final_layer_norm, self.dropout = norm(config), nn.Dropout(config.dropout_rate)
end

-- What is added to the scores of self attention: positions, and -inf where a step may not look.
local function self_bias(self, queries, keys, mask, device)
  local bias = position_bias(self.block[1].layer[1].SelfAttention, queries, keys, device)
  if self.is_decoder and queries > 1 then
    local later = pt.ones(queries, keys, { dtype = pt.bool, device = device }):triu(keys - queries + 1)
    bias = bias:masked_fill(later, -math.huge)
  end
  if mask then bias = bias:masked_fill(mask:logical_not():unsqueeze(2):unsqueeze(2), -math.huge) end
  return bias
end

--- ids (batch, steps) -> states; of a decoder, `memory` are those of the encoder, and `mask` is of them.
function Stack:forward(ids, mask, memory, cache)
  local x, past = self.dropout(self.embed_tokens(ids)), cache and cache.length or 0
  local steps = ids:size(2)
  local bias = self_bias(self, steps, past + steps, not self.is_decoder and mask or nil, ids.device)
  local cross = self.is_decoder and mask and mask:unsqueeze(2):unsqueeze(2) or nil
  for i = 1, #self.block do
    local layers = self.block[i].layer
    x = layers[1](x, bias:to(x.dtype), cache, i)
    if self.is_decoder then x = layers[2](x, memory, cross) end
    x = layers[#layers](x)
  end
  if cache then cache.length = past + steps end
  return self.dropout(self.final_layer_norm(x))
end

-- ---- the model ----

---@class pt.models.T5ForConditionalGeneration: pt.nn.Module
local T5 = nn.class "T5ForConditionalGeneration"
made.T5ForConditionalGeneration = T5

---@param config? table of config.json
function T5:init(config)
  self.config = language.config("T5ForConditionalGeneration", config or {}, defaults)
  local c = self.config
  if c.num_decoder_layers == 0 then c.num_decoder_layers = c.num_layers end
  self.shared = nn.Embedding(c.vocab_size, c.d_model)
  self.encoder = Stack(c, false, c.num_layers, self.shared)
  self.decoder = Stack(c, true, c.num_decoder_layers, self.shared)
  self.lm_head = nn.Linear(c.d_model, c.vocab_size, false)
  self._tied = { ["encoder.embed_tokens.weight"] = "shared.weight", ["decoder.embed_tokens.weight"] = "shared.weight" }
  if c.tie_word_embeddings then
    self.lm_head.weight = self.shared.weight
    self._tied["lm_head.weight"] = "shared.weight"
  end
end

--- The encoder's states of ids (batch, steps), from 1; mask is true where there is text.
---@param ids pt.Tensor
---@param mask? pt.Tensor
function T5:encode(ids, mask)
  language.check_ids("T5ForConditionalGeneration", ids)
  return self.encoder(ids, mask and mask:to(pt.bool))
end

--- Logits (batch, steps, vocabulary) of the decoder's ids, of which the first is decoder_start_token_id + 1.
---@param ids pt.Tensor
---@param memory pt.Tensor what encode gave
---@param mask? pt.Tensor of the encoder's ids
---@param cache? pt.models.KVCache
function T5:decode(ids, memory, mask, cache)
  language.check_ids("T5ForConditionalGeneration", ids)
  local x = self.decoder(ids, mask and mask:to(pt.bool), memory, cache)
  if self.config.tie_word_embeddings then x = x * self.config.d_model ^ -0.5 end
  return self.lm_head(x)
end

--- -> logits of decoder_ids.
function T5:forward(ids, decoder_ids, mask) return self:decode(decoder_ids, self:encode(ids, mask), mask) end

return made
