--- EfficientNet-B0 (Tan and Le 2019) with torchvision's names.

local pt = require "pt"
local nn = pt.nn
local blocks = require "pt.models.blocks"
local signature = require "pt.signature"

local conv_norm = blocks.conv_norm
local made = {}

local Block = nn.class "MBConv"

-- In training a block is left out for some samples, with the probability `drop` (Huang and others 2016).
function Block:init(inputs, outputs, kernel, stride, expansion, drop)
  local width, list = inputs * expansion, {}
  if width ~= inputs then list[1] = conv_norm(inputs, width, 1, { activation = nn.SiLU }) end
  list[#list + 1] = conv_norm(width, width, kernel, { stride = stride, groups = width, activation = nn.SiLU })
  list[#list + 1] = blocks.SqueezeExcitation(width, math.max(1, inputs // 4), nn.SiLU, nn.Sigmoid)
  list[#list + 1] = conv_norm(width, outputs, 1, { activation = false })
  self.block = nn.Sequential(table.unpack(list))
  self.adds, self.drop = stride == 1 and inputs == outputs, drop
end

function Block:forward(x)
  local y = self.block(x)
  if not self.adds then return y end
  if self.training and self.drop > 0 then
    local kept = pt.full({ x:size(1), 1, 1, 1 }, 1 - self.drop, { dtype = x.dtype, device = x.device }):bernoulli()
    y = y * (kept / (1 - self.drop))
  end
  return x + y
end

local EfficientNet = nn.class "EfficientNet"
made.EfficientNet = EfficientNet

-- expansion, kernel, stride of the first, channels, blocks
local stages = {
  { 1, 3, 1, 16, 1 }, { 6, 3, 2, 24, 2 }, { 6, 5, 2, 40, 2 }, { 6, 3, 2, 80, 3 }, { 6, 5, 1, 112, 3 },
  { 6, 5, 2, 192, 4 }, { 6, 3, 1, 320, 1 },
}

EfficientNet.init = signature("EfficientNet", "num_classes:i=1000 dropout:n=0.2 stochastic_depth:n=0.2",
  function(self, num_classes, dropout, stochastic_depth)
    local inputs, done, total = 32, 0, 0
    for _, stage in ipairs(stages) do total = total + stage[5] end
    local list = { conv_norm(3, inputs, 3, { stride = 2, activation = nn.SiLU }) }
    for _, stage in ipairs(stages) do
      local expansion, kernel, stride, outputs, count = table.unpack(stage)
      local of_stage = {}
      for i = 1, count do
        of_stage[i] = Block(inputs, outputs, kernel, i == 1 and stride or 1, expansion, stochastic_depth * done / total)
        inputs, done = outputs, done + 1
      end
      list[#list + 1] = nn.Sequential(table.unpack(of_stage))
    end
    list[#list + 1] = conv_norm(inputs, 4 * inputs, 1, { activation = nn.SiLU })
    self.features = nn.Sequential(table.unpack(list))
    self.avgpool = nn.AdaptiveAvgPool2d(1)
    self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(4 * inputs, num_classes))
    blocks.initialize(self)
  end)

--- x (N, 3, H, W) -> logits (N, classes).
function EfficientNet:forward(x) return self.classifier(self.avgpool(self.features(x)):flatten(2)) end

made.efficientnet_b0 = signature("efficientnet_b0", "num_classes:i=1000 dropout:n=0.2", function(num_classes, dropout)
  return EfficientNet(num_classes, dropout)
end, false)

return made
