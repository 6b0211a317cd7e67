--- GPT-2 (Radford and others 2019) with the names of transformers.

local pt = require "pt"
local nn = pt.nn
local fail = require "pt.fail"
local language = require "pt.models.language"

local made = {}

local defaults = {
  vocab_size = 50257, n_positions = 1024, n_embd = 768, n_layer = 12, n_head = 12, n_inner = 0,
  activation_function = "gelu_new", layer_norm_epsilon = 1e-5, embd_pdrop = 0.1, resid_pdrop = 0.1,
}

-- A linear layer whose weight is (inputs, outputs), as GPT-2's files have it; in memory the numbers of an output follow
-- one another, as products by one token read them fastest.
local Conv1D = nn.class "Conv1D"
Conv1D._transposed = true -- so that nn.utils.quantize_ takes it for a Linear

function Conv1D:init(inputs, outputs)
  self.weight = nn.Parameter((pt.randn(outputs, inputs) * 0.02):t())
  self.bias = nn.Parameter(pt.zeros(outputs))
end

function Conv1D:forward(x) return (pt.linear(x, self.weight:t(), self.bias)) end

-- ---- layers ----

local Attention = nn.class "GPT2Attention"

function Attention:init(config, layer)
  self.heads, self.layer = config.n_head, layer
  self.c_attn, self.c_proj = Conv1D(config.n_embd, 3 * config.n_embd), Conv1D(config.n_embd, config.n_embd)
  self.dropout = nn.Dropout(config.resid_pdrop)
end

function Attention:forward(x, context)
  local q, k, v = table.unpack(self.c_attn(x):chunk(3, -1))
  local split = language.split_heads
  local y = language.attend(context, self.layer, split(q, self.heads), split(k, self.heads), split(v, self.heads))
  return self.dropout(self.c_proj(y))
end

local MLP = nn.class "GPT2MLP"

function MLP:init(config)
  local inner = config.n_inner > 0 and config.n_inner or 4 * config.n_embd
  self.c_fc, self.c_proj = Conv1D(config.n_embd, inner), Conv1D(inner, config.n_embd)
  self.act = language.activation("GPT2LMHeadModel", config.activation_function)
  self.dropout = nn.Dropout(config.resid_pdrop)
end

function MLP:forward(x) return self.dropout(self.c_proj(self.act(self.c_fc(x)))) end

local Block = nn.class "GPT2Block"

function Block:init(config, layer)
  local norm = { eps = config.layer_norm_epsilon }
  self.ln_1, self.attn = nn.LayerNorm(config.n_embd, norm), Attention(config, layer)
  self.ln_2, self.mlp = nn.LayerNorm(config.n_embd, norm), MLP(config)
end

function Block:forward(x, context)
  x = x + self.attn(self.ln_1(x), context)
  return x + self.mlp(self.ln_2(x))
end

-- ---- the model ----

local Body = nn.class "GPT2Model"

function Body:init(config)
  self.wte = nn.Embedding(config.vocab_size, config.n_embd)
  self.wpe = nn.Embedding(config.n_positions, config.n_embd)
  self.drop = nn.Dropout(config.embd_pdrop)
  self.h = nn.ModuleList()
  for i = 1, config.n_layer do self.h:append(Block(config, i)) end
  self.ln_f = nn.LayerNorm(config.n_embd, { eps = config.layer_norm_epsilon })
  for _, layer in ipairs { self.wte, self.wpe } do nn.init.normal_(layer.weight, 0, 0.02) end
end

function Body:forward(ids, options)
  local context = language.context("GPT2LMHeadModel", ids, options)
  local steps, places = context.total, self.wpe.weight:size(1)
  if steps > places then fail("GPT2LMHeadModel: %d steps, but its positions end at %d", steps, places) end
  local x = self.drop(self.wte(ids) + self.wpe(context.positions + 1))
  for i = 1, #self.h do x = self.h[i](x, context) end
  language.finish(context)
  return self.ln_f(x)
end

---@class pt.models.GPT2LMHeadModel: pt.nn.Module
local GPT2 = nn.class "GPT2LMHeadModel"
made.GPT2LMHeadModel = GPT2
GPT2._prefix = "transformer."
GPT2._tied = { ["lm_head.weight"] = "transformer.wte.weight" }

---@param config? table of config.json
function GPT2:init(config)
  self.config = language.config("GPT2LMHeadModel", config or {}, defaults)
  self.transformer = Body(self.config)
  self.lm_head = nn.Linear(self.config.n_embd, self.config.vocab_size, false)
  self.lm_head.weight = self.transformer.wte.weight
end

--- ids (batch, steps) from 1 -> logits (batch, steps, vocabulary), of the last step only with `last`.
---@param ids pt.Tensor
---@param options? {cache?: pt.models.KVCache, mask?: pt.Tensor, last?: boolean}
function GPT2:forward(ids, options)
  language.check_ids("GPT2LMHeadModel", ids)
  options = language.options("GPT2LMHeadModel", options)
  return self.lm_head(language.wanted(self.transformer(ids, options), options))
end

return made
