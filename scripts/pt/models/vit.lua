--- The vision transformer (Dosovitskiy and others 2021) with torchvision's names.

local pt = require "pt"
local nn = pt.nn
local fail = require "pt.fail"
local signature = require "pt.signature"

local made = {}

local Block = nn.class "EncoderBlock"

function Block:init(width, heads, inner, dropout)
  self.ln_1 = nn.LayerNorm(width, { eps = 1e-6 })
  self.self_attention = nn.MultiheadAttention(width, heads, { batch_first = true })
  self.dropout = nn.Dropout(dropout)
  self.ln_2 = nn.LayerNorm(width, { eps = 1e-6 })
  self.mlp = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Dropout(dropout), nn.Linear(inner, width),
    nn.Dropout(dropout))
end

function Block:forward(x)
  local y = self.ln_1(x)
  x = x + self.dropout(self.self_attention(y, y, y, { need_weights = false }))
  return x + self.mlp(self.ln_2(x))
end

local Encoder = nn.class "Encoder"

function Encoder:init(steps, layers, width, heads, inner, dropout)
  self.pos_embedding = nn.Parameter(pt.randn(1, steps, width) * 0.02)
  self.dropout = nn.Dropout(dropout)
  local list = {}
  for i = 1, layers do list[i] = { "encoder_layer_" .. i - 1, Block(width, heads, inner, dropout) } end
  self.layers = nn.Sequential(list)
  self.ln = nn.LayerNorm(width, { eps = 1e-6 })
end

function Encoder:forward(x) return self.ln(self.layers(self.dropout(x + self.pos_embedding))) end

local ViT = nn.class "VisionTransformer"
made.VisionTransformer = ViT

ViT.init = signature("VisionTransformer",
  "image_size:i patch_size:i num_layers:i num_heads:i hidden_dim:i mlp_dim:i dropout:n=0 num_classes:i=1000",
  function(self, image_size, patch_size, layers, heads, width, inner, dropout, num_classes)
    if image_size % patch_size ~= 0 then
      fail("VisionTransformer: patches of %d do not divide images of %d", patch_size, image_size)
    end
    rawset(self, "image_size", image_size)
    self.conv_proj = nn.Conv2d(3, width, patch_size, { stride = patch_size })
    self.class_token = nn.Parameter(pt.zeros(1, 1, width))
    local side = image_size // patch_size
    self.encoder = Encoder(side * side + 1, layers, width, heads, inner, dropout)
    self.heads = nn.Sequential { { "head", nn.Linear(width, num_classes) } }
    nn.init.zeros_(self.heads.head.weight)
    nn.init.zeros_(self.heads.head.bias)
  end)

--- x (N, 3, image_size, image_size) -> logits (N, classes).
function ViT:forward(x)
  if x.ndim ~= 4 or x:size(-1) ~= self.image_size or x:size(-2) ~= self.image_size then
    fail("VisionTransformer: x %s must be (N, 3, %d, %d)", tostring(x.shape), self.image_size, self.image_size)
  end
  local patches = self.conv_proj(x):flatten(3):transpose(2, 3)
  local steps = pt.cat({ self.class_token:expand(x:size(1), 1, patches:size(3)), patches }, 2)
  return self.heads(self.encoder(steps):select(2, 1))
end

for name, row in pairs {
  vit_b_16 = { 16, 12, 12, 768, 3072 }, vit_b_32 = { 32, 12, 12, 768, 3072 }, vit_l_16 = { 16, 24, 16, 1024, 4096 },
  vit_l_32 = { 32, 24, 16, 1024, 4096 },
} do
  made[name] = signature(name, "num_classes:i=1000 image_size:i=224 dropout:n=0", function(num_classes, size, dropout)
    local patch, layers, heads, width, inner = table.unpack(row)
    return ViT(size, patch, layers, heads, width, inner, dropout, num_classes)
  end, false)
end

return made
