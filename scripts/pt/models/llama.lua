--- Llama 2 and 3 (Touvron and others 2023), and the models that are built alike: Mistral, Qwen2, Qwen3. Rotary
--- positions, fewer heads of keys than of queries, RMS norms, gated units. The names are those of transformers.

local pt = require "pt"
local nn = pt.nn
local fail = require "pt.fail"
local language = require "pt.models.language"

local made = {}

local defaults = {
  vocab_size = 32000, hidden_size = 4096, intermediate_size = 11008, num_hidden_layers = 32, num_attention_heads = 32,
  num_key_value_heads = 0, head_dim = 0, hidden_act = "silu", rms_norm_eps = 1e-6, rope_theta = 10000.0,
  rope_scaling = {}, rope_parameters = {}, attention_bias = false, mlp_bias = false, tie_word_embeddings = false,
  sliding_window = 0,
}

-- ---- rotary positions (Su and others 2021) ----

-- Llama 3.1's: slow turns, of wavelengths beyond what it was trained on, become slower by the factor; fast ones stay.
local function stretched(frequency, options)
  local low, high = options.low_freq_factor or 1, options.high_freq_factor or 4
  local context = options.original_max_position_embeddings or 8192
  local turns = frequency * (context / (2 * math.pi)) -- within the old context
  local share = ((turns - low) / (high - low)):clamp(0, 1)
  return frequency * (share + (1 - share) / (options.factor or 8))
end

-- Radians for each step, of the first half of a head's numbers.
local function frequencies(config, device)
  local options = next(config.rope_parameters) and config.rope_parameters or config.rope_scaling
  local kind = options.rope_type or options.type or "default"
  local theta = options.rope_theta or config.rope_theta
  local half = config.head_dim // 2
  local f = theta ^ (pt.arange(half, { dtype = pt.float32, device = device }) * (-1 / half))
  if kind == "llama3" then return stretched(f, options) end
  if kind == "linear" then return f / options.factor end
  if kind ~= "default" then fail("LlamaForCausalLM: config: there is no rope_type '%s'", tostring(kind)) end
  return f
end

-- Cosines and sines of the angles at positions (batch, steps), for all heads.
local function angles(config, positions, dtype)
  local turned = positions:unsqueeze(-1):float() * frequencies(config, positions.device)
  turned = pt.cat({ turned, turned }, -1):unsqueeze(2)
  return turned:cos():to(dtype), turned:sin():to(dtype)
end

-- x (batch, heads, steps, width) turned: its halves are the coordinates of points.
local function rotate(x, cos, sin)
  local a, b = table.unpack(x:chunk(2, -1))
  return x * cos + pt.cat({ -b, a }, -1) * sin
end

-- ---- layers ----

local Attention = nn.class "LlamaAttention"

function Attention:init(config, layer)
  local width, size, heads = config.hidden_size, config.head_dim, config.num_attention_heads
  self.heads, self.key_heads, self.layer = heads, config.num_key_value_heads, layer
  self.window = config.windowed and config.sliding_window or 0
  self.q_proj = nn.Linear(width, heads * size, config.qkv_bias)
  self.k_proj = nn.Linear(width, self.key_heads * size, config.qkv_bias)
  self.v_proj = nn.Linear(width, self.key_heads * size, config.qkv_bias)
  self.o_proj = nn.Linear(heads * size, width, config.attention_bias)
  if config.head_norms then
    self.q_norm = nn.RMSNorm(size, { eps = config.rms_norm_eps })
    self.k_norm = nn.RMSNorm(size, { eps = config.rms_norm_eps })
  end
end

function Attention:forward(x, context)
  local q = language.split_heads(self.q_proj(x), self.heads)
  local k = language.split_heads(self.k_proj(x), self.key_heads)
  local v = language.split_heads(self.v_proj(x), self.key_heads)
  if self.q_norm then q, k = self.q_norm(q), self.k_norm(k) end
  q, k = rotate(q, context.cos, context.sin), rotate(k, context.cos, context.sin)
  return self.o_proj(language.attend(context, self.layer, q, k, v, nil, self.window))
end

local MLP = nn.class "LlamaMLP"

function MLP:init(config)
  local width, inner, bias = config.hidden_size, config.intermediate_size, config.mlp_bias
  self.gate_proj, self.up_proj = nn.Linear(width, inner, bias), nn.Linear(width, inner, bias)
  self.down_proj = nn.Linear(inner, width, bias)
  self.act = language.activation("LlamaForCausalLM", config.hidden_act)
end

function MLP:forward(x) return self.down_proj(self.act(self.gate_proj(x)) * self.up_proj(x)) end

local Layer = nn.class "LlamaDecoderLayer"

function Layer:init(config, layer)
  self.self_attn, self.mlp = Attention(config, layer), MLP(config)
  self.input_layernorm = nn.RMSNorm(config.hidden_size, { eps = config.rms_norm_eps })
  self.post_attention_layernorm = nn.RMSNorm(config.hidden_size, { eps = config.rms_norm_eps })
end

function Layer:forward(x, context)
  x = x + self.self_attn(self.input_layernorm(x), context)
  return x + self.mlp(self.post_attention_layernorm(x))
end

-- ---- the models ----

local Body = nn.class "LlamaModel"

function Body:init(config)
  self.config = config
  self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
  nn.init.normal_(self.embed_tokens.weight, 0, 0.02)
  self.layers = nn.ModuleList()
  for i = 1, config.num_hidden_layers do self.layers:append(Layer(config, i)) end
  self.norm = nn.RMSNorm(config.hidden_size, { eps = config.rms_norm_eps })
end

function Body:forward(ids, context)
  local x = self.embed_tokens(ids)
  context.cos, context.sin = angles(self.config, context.positions, x.dtype)
  for i = 1, #self.layers do x = self.layers[i](x, context) end
  return self.norm(x)
end

-- A config with what follows from it.
local function complete(name, given, own)
  local all = {}
  for key, value in pairs(defaults) do all[key] = value end
  for key, value in pairs(own) do all[key] = value end
  local config = language.config(name, given, all)
  if config.num_key_value_heads == 0 then config.num_key_value_heads = config.num_attention_heads end
  if config.head_dim == 0 then config.head_dim = config.hidden_size // config.num_attention_heads end
  if config.num_attention_heads % config.num_key_value_heads ~= 0 then
    fail("%s: config: num_key_value_heads %d does not divide num_attention_heads %d", name,
      config.num_key_value_heads, config.num_attention_heads)
  end
  config.qkv_bias = config.qkv_bias or config.attention_bias
  return config
end

local function define(name, own)
  local Model = nn.class(name)
  made[name] = Model
  Model._prefix = "model."

  function Model:init(config)
    self.config = complete(name, config or {}, own)
    self.model = Body(self.config)
    self.lm_head = nn.Linear(self.config.hidden_size, self.config.vocab_size, false)
    if self.config.tie_word_embeddings then
      self._tied = { ["lm_head.weight"] = "model.embed_tokens.weight" }
      self.lm_head.weight = self.model.embed_tokens.weight
    end
  end

  --- ids (batch, steps) from 1 -> logits (batch, steps, vocabulary), of the last step only with `last`.
  function Model:forward(ids, options)
    language.check_ids(name, ids)
    options = language.options(name, options)
    local context = language.context(name, ids, options)
    local x = self.model(ids, context)
    language.finish(context)
    return self.lm_head(language.wanted(x, options))
  end
end

define("LlamaForCausalLM", {})
define("MistralForCausalLM", { intermediate_size = 14336, num_key_value_heads = 8, windowed = true })
define("Qwen2ForCausalLM", { vocab_size = 151936, intermediate_size = 22016, qkv_bias = true })
define("Qwen3ForCausalLM", { vocab_size = 151936, intermediate_size = 22016, head_dim = 128, head_norms = true })

return made
