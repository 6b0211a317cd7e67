--- Whisper's encoder (Radford and others 2022) with the names of transformers: features of sound from a log-mel
--- spectrogram.

local pt = require "pt"
local nn = pt.nn
local F = nn.functional
local fail = require "pt.fail"
local language = require "pt.models.language"

local made = {}

local defaults = {
  num_mel_bins = 80, d_model = 384, encoder_layers = 4, encoder_attention_heads = 6, encoder_ffn_dim = 1536,
  max_source_positions = 1500, activation_function = "gelu", dropout = 0.0,
}

local Attention = nn.class "WhisperAttention"

function Attention:init(width, heads)
  self.heads = heads
  self.k_proj, self.v_proj = nn.Linear(width, width, false), nn.Linear(width, width)
  self.q_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)
end

function Attention:forward(x)
  local function split(y) return language.split_heads(y, self.heads) end
  local q, k, v = split(self.q_proj(x)), split(self.k_proj(x)), split(self.v_proj(x))
  return self.out_proj(language.merge_heads(F.scaled_dot_product_attention(q, k, v)))
end

local Layer = nn.class "WhisperEncoderLayer"

function Layer:init(config)
  local width = config.d_model
  self.self_attn, self.self_attn_layer_norm = Attention(width, config.encoder_attention_heads), nn.LayerNorm(width)
  self.fc1, self.fc2 = nn.Linear(width, config.encoder_ffn_dim), nn.Linear(config.encoder_ffn_dim, width)
  self.final_layer_norm, self.dropout = nn.LayerNorm(width), nn.Dropout(config.dropout)
  self.act = language.activation("WhisperEncoder", config.activation_function)
end

function Layer:forward(x)
  x = x + self.dropout(self.self_attn(self.self_attn_layer_norm(x)))
  return x + self.dropout(self.fc2(self.act(self.fc1(self.final_layer_norm(x)))))
end

---@class pt.models.WhisperEncoder: pt.nn.Module
local Encoder = nn.class "WhisperEncoder"
made.WhisperEncoder = Encoder
Encoder._prefix = "model.encoder."

-- Sines and cosines of positions, which are trained no further.
local function sinusoids(length, width)
  local half = width // 2
  local slow = (pt.arange(half) * (-math.log(10000) / (half - 1))):exp()
  local turned = pt.arange(length):unsqueeze(2) * slow
  return pt.cat({ turned:sin(), turned:cos() }, 2)
end

---@param config? table of config.json
function Encoder:init(config)
  self.config = language.config("WhisperEncoder", config or {}, defaults)
  local c = self.config
  self.conv1 = nn.Conv1d(c.num_mel_bins, c.d_model, 3, { padding = 1 })
  self.conv2 = nn.Conv1d(c.d_model, c.d_model, 3, { stride = 2, padding = 1 })
  self.embed_positions = nn.Embedding(c.max_source_positions, c.d_model)
  self.embed_positions.weight = nn.Parameter(sinusoids(c.max_source_positions, c.d_model), false)
  self.layers = nn.ModuleList()
  for _ = 1, c.encoder_layers do self.layers:append(Layer(c)) end
  self.layer_norm = nn.LayerNorm(c.d_model)
end

--- x (batch, mel bins, 2 * max_source_positions) -> states (batch, max_source_positions, width).
function Encoder:forward(x)
  local c = self.config
  if x.ndim ~= 3 or x:size(2) ~= c.num_mel_bins or x:size(3) ~= 2 * c.max_source_positions then
    fail("WhisperEncoder: x %s must be (batch, %d, %d)", tostring(x.shape), c.num_mel_bins, 2 * c.max_source_positions)
  end
  x = F.gelu(self.conv2(F.gelu(self.conv1(x)))):transpose(2, 3) + self.embed_positions.weight
  for i = 1, #self.layers do x = self.layers[i](x) end
  return self.layer_norm(x)
end

return made
