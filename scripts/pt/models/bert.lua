--- BERT (Devlin and others 2019) with the names of transformers.

local pt = require "pt"
local nn = pt.nn
local F = nn.functional
local language = require "pt.models.language"

local made = {}

local defaults = {
  vocab_size = 30522, hidden_size = 768, num_hidden_layers = 12, num_attention_heads = 12, intermediate_size = 3072,
  hidden_act = "gelu", hidden_dropout_prob = 0.1, max_position_embeddings = 512, type_vocab_size = 2,
  layer_norm_eps = 1e-12, num_labels = 2,
}

local function norm(config) return nn.LayerNorm(config.hidden_size, { eps = config.layer_norm_eps }) end

-- ---- layers ----

local Embeddings = nn.class "BertEmbeddings"

function Embeddings:init(config)
  self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
  self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
  self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
  self.LayerNorm, self.dropout = norm(config), nn.Dropout(config.hidden_dropout_prob)
end

function Embeddings:forward(ids, types)
  local places = pt.range(1, ids:size(2), { device = ids.device })
  local x = self.word_embeddings(ids) + self.token_type_embeddings(types or ids:ones_like())
  return self.dropout(self.LayerNorm(x + self.position_embeddings(places)))
end

local SelfAttention = nn.class "BertSelfAttention"

function SelfAttention:init(config)
  local width = config.hidden_size
  self.heads = config.num_attention_heads
  self.query, self.key, self.value = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, width)
end

function SelfAttention:forward(x, mask)
  local split = language.split_heads
  local q, k, v = split(self.query(x), self.heads), split(self.key(x), self.heads), split(self.value(x), self.heads)
  return language.merge_heads(F.scaled_dot_product_attention(q, k, v, mask))
end

-- What follows attention and the inner layer: a linear layer, then the norm of its sum with what went in.
local Output = nn.class "BertOutput"

function Output:init(config, inputs)
  self.dense, self.LayerNorm = nn.Linear(inputs, config.hidden_size), norm(config)
  self.dropout = nn.Dropout(config.hidden_dropout_prob)
end

function Output:forward(y, x) return self.LayerNorm(self.dropout(self.dense(y)) + x) end

local Attention = nn.class "BertAttention"

function Attention:init(config)
  self.self, self.output = SelfAttention(config), Output(config, config.hidden_size)
end

function Attention:forward(x, mask) return self.output(self.self(x, mask), x) end

local Intermediate = nn.class "BertIntermediate"

function Intermediate:init(config)
  self.dense = nn.Linear(config.hidden_size, config.intermediate_size)
  self.act = language.activation("BertModel", config.hidden_act)
end

function Intermediate:forward(x) return self.act(self.dense(x)) end

local Layer = nn.class "BertLayer"

function Layer:init(config)
  self.attention, self.intermediate = Attention(config), Intermediate(config)
  self.output = Output(config, config.intermediate_size)
end

function Layer:forward(x, mask)
  x = self.attention(x, mask)
  return self.output(self.intermediate(x), x)
end

local Encoder = nn.class "BertEncoder"

function Encoder:init(config)
  self.layer = nn.ModuleList()
  for _ = 1, config.num_hidden_layers do self.layer:append(Layer(config)) end
end

function Encoder:forward(x, mask)
  for i = 1, #self.layer do x = self.layer[i](x, mask) end
  return x
end

local Pooler = nn.class "BertPooler"

function Pooler:init(config) self.dense = nn.Linear(config.hidden_size, config.hidden_size) end

function Pooler:forward(x) return self.dense(x:select(2, 1)):tanh() end

-- ---- the models ----

-- Normal weights of deviation 0.02, biases of 0, as BERT is trained from.
local function initialize(model)
  for _, layer in ipairs(model:modules()) do
    local name = getmetatable(layer).__name
    if name == "Linear" or name == "Embedding" then nn.init.normal_(layer.weight, 0, 0.02) end
    if name == "Linear" then nn.init.zeros_(layer.bias) end
  end
end

---@class pt.models.BertModel: pt.nn.Module
local Bert = nn.class "BertModel"
made.BertModel = Bert
Bert._prefix = "bert."

---@param config? table of config.json
---@param pooler? boolean
function Bert:init(config, pooler)
  self.config = language.config("BertModel", config or {}, defaults)
  self.embeddings, self.encoder = Embeddings(self.config), Encoder(self.config)
  if pooler ~= false then self.pooler = Pooler(self.config) end
  initialize(self)
end

--- ids (batch, steps) from 1 -> states (batch, steps, width), and what the pooler makes of the first step. mask (batch,
--- steps) is true where there is text; types (batch, steps), from 1, tell the first text from the second.
---@param ids pt.Tensor
---@param mask? pt.Tensor
---@param types? pt.Tensor
function Bert:forward(ids, mask, types)
  language.check_ids("BertModel", ids)
  local x = self.encoder(self.embeddings(ids, types), mask and mask:to(pt.bool):unsqueeze(2):unsqueeze(2))
  return x, self.pooler and self.pooler(x)
end

---@class pt.models.BertForSequenceClassification: pt.nn.Module
local Classifier = nn.class "BertForSequenceClassification"
made.BertForSequenceClassification = Classifier
Classifier._prefix = "bert."

function Classifier:init(config)
  self.bert = Bert(config)
  self.config = self.bert.config
  self.dropout = nn.Dropout(self.config.hidden_dropout_prob)
  self.classifier = nn.Linear(self.config.hidden_size, self.config.num_labels)
end

--- -> logits (batch, labels).
function Classifier:forward(ids, mask, types)
  local _, pooled = self.bert(ids, mask, types)
  return self.classifier(self.dropout(pooled))
end

-- The head that guesses words.
local Transform = nn.class "BertPredictionHeadTransform"

function Transform:init(config)
  self.dense, self.LayerNorm = nn.Linear(config.hidden_size, config.hidden_size), norm(config)
  self.act = language.activation("BertModel", config.hidden_act)
end

function Transform:forward(x) return self.LayerNorm(self.act(self.dense(x))) end

local Predictions = nn.class "BertLMPredictionHead"

function Predictions:init(config, weight)
  self.transform = Transform(config)
  self.decoder = nn.Linear(config.hidden_size, config.vocab_size)
  self.decoder.weight, self.bias = weight, self.decoder.bias
end

function Predictions:forward(x) return self.decoder(self.transform(x)) end

local Head = nn.class "BertOnlyMLMHead"

function Head:init(config, weight) self.predictions = Predictions(config, weight) end

function Head:forward(x) return self.predictions(x) end

---@class pt.models.BertForMaskedLM: pt.nn.Module
local MaskedLM = nn.class "BertForMaskedLM"
made.BertForMaskedLM = MaskedLM
MaskedLM._prefix = "bert."
MaskedLM._tied = {
  ["cls.predictions.decoder.weight"] = "bert.embeddings.word_embeddings.weight",
  ["cls.predictions.decoder.bias"] = "cls.predictions.bias",
}

function MaskedLM:init(config)
  self.bert = Bert(config, false)
  self.config = self.bert.config
  self.cls = Head(self.config, self.bert.embeddings.word_embeddings.weight)
end

--- -> logits (batch, steps, vocabulary).
function MaskedLM:forward(ids, mask, types) return self.cls((self.bert(ids, mask, types))) end

return made
