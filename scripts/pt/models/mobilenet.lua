--- MobileNetV2 (Sandler and others 2018) and V3 (Howard and others 2019) with torchvision's names.

local pt = require "pt"
local nn = pt.nn
local blocks = require "pt.models.blocks"
local signature = require "pt.signature"

local conv_norm = blocks.conv_norm
local made = {}

-- ---- V2 ----

local V2Block = nn.class "InvertedResidual"

function V2Block:init(inputs, outputs, stride, expansion)
  local width, list = inputs * expansion, {}
  if expansion ~= 1 then list[1] = conv_norm(inputs, width, 1, { activation = nn.ReLU6 }) end
  list[#list + 1] = conv_norm(width, width, 3, { stride = stride, groups = width, activation = nn.ReLU6 })
  list[#list + 1] = nn.Conv2d(width, outputs, 1, { bias = false })
  list[#list + 1] = nn.BatchNorm2d(outputs)
  self.conv = nn.Sequential(table.unpack(list))
  self.adds = stride == 1 and inputs == outputs
end

function V2Block:forward(x)
  local y = self.conv(x)
  return self.adds and x + y or y
end

local V2 = nn.class "MobileNetV2"
made.MobileNetV2 = V2

-- expansion, channels, blocks, stride of the first
local v2_stages = {
  { 1, 16, 1, 1 }, { 6, 24, 2, 2 }, { 6, 32, 3, 2 }, { 6, 64, 4, 2 }, { 6, 96, 3, 1 }, { 6, 160, 3, 2 },
  { 6, 320, 1, 1 },
}

V2.init = signature("MobileNetV2", "num_classes:i=1000 width_mult:n=1 dropout:n=0.2",
  function(self, num_classes, width_mult, dropout)
    local inputs = blocks.multiple_of_8(32 * width_mult)
    local last = blocks.multiple_of_8(1280 * math.max(1, width_mult))
    local list = { conv_norm(3, inputs, 3, { stride = 2, activation = nn.ReLU6 }) }
    for _, stage in ipairs(v2_stages) do
      local outputs = blocks.multiple_of_8(stage[2] * width_mult)
      for i = 1, stage[3] do
        list[#list + 1] = V2Block(inputs, outputs, i == 1 and stage[4] or 1, stage[1])
        inputs = outputs
      end
    end
    list[#list + 1] = conv_norm(inputs, last, 1, { activation = nn.ReLU6 })
    self.features = nn.Sequential(table.unpack(list))
    self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(last, num_classes))
    blocks.initialize(self, 0.01)
  end)

--- x (N, 3, H, W) -> logits (N, classes).
function V2:forward(x) return self.classifier(self.features(x):mean { -1, -2 }) end

-- ---- V3 ----

local NORM = { eps = 0.001, momentum = 0.01 }

local V3Block = nn.class "InvertedResidual"

function V3Block:init(inputs, kernel, width, outputs, squeezes, activation, stride)
  local list = {}
  if width ~= inputs then list[1] = conv_norm(inputs, width, 1, { norm = NORM, activation = activation }) end
  list[#list + 1] = conv_norm(width, width, kernel, {
    stride = stride, groups = width, norm = NORM, activation = activation,
  })
  if squeezes then
    list[#list + 1] = blocks.SqueezeExcitation(width, blocks.multiple_of_8(width // 4), nn.ReLU, nn.Hardsigmoid)
  end
  list[#list + 1] = conv_norm(width, outputs, 1, { norm = NORM, activation = false })
  self.block = nn.Sequential(table.unpack(list))
  self.adds = stride == 1 and inputs == outputs
end

function V3Block:forward(x)
  local y = self.block(x)
  return self.adds and x + y or y
end

local V3 = nn.class "MobileNetV3"
made.MobileNetV3 = V3

local R, H = "ReLU", "Hardswish"
-- kernel, inner channels, channels, squeeze and excitation, activation, stride
local v3_stages = {
  large = {
    { 3, 16, 16, false, R, 1 }, { 3, 64, 24, false, R, 2 }, { 3, 72, 24, false, R, 1 }, { 5, 72, 40, true, R, 2 },
    { 5, 120, 40, true, R, 1 }, { 5, 120, 40, true, R, 1 }, { 3, 240, 80, false, H, 2 }, { 3, 200, 80, false, H, 1 },
    { 3, 184, 80, false, H, 1 }, { 3, 184, 80, false, H, 1 }, { 3, 480, 112, true, H, 1 }, { 3, 672, 112, true, H, 1 },
    { 5, 672, 160, true, H, 2 }, { 5, 960, 160, true, H, 1 }, { 5, 960, 160, true, H, 1 },
    last = 1280,
  },
  small = {
    { 3, 16, 16, true, R, 2 }, { 3, 72, 24, false, R, 2 }, { 3, 88, 24, false, R, 1 }, { 5, 96, 40, true, H, 2 },
    { 5, 240, 40, true, H, 1 }, { 5, 240, 40, true, H, 1 }, { 5, 120, 48, true, H, 1 }, { 5, 144, 48, true, H, 1 },
    { 5, 288, 96, true, H, 2 }, { 5, 576, 96, true, H, 1 }, { 5, 576, 96, true, H, 1 },
    last = 1024,
  },
}

V3.init = signature("MobileNetV3", "size:s num_classes:i=1000 dropout:n=0.2",
  function(self, size, num_classes, dropout)
    local stages = v3_stages[size] or require "pt.fail"("MobileNetV3: size must be large or small, got '%s'", size)
    local inputs = 16
    local list = { conv_norm(3, inputs, 3, { stride = 2, norm = NORM, activation = nn.Hardswish }) }
    for _, stage in ipairs(stages) do
      local kernel, width, outputs, squeezes, activation, stride = table.unpack(stage)
      list[#list + 1] = V3Block(inputs, kernel, width, outputs, squeezes, nn[activation], stride)
      inputs = outputs
    end
    list[#list + 1] = conv_norm(inputs, 6 * inputs, 1, { norm = NORM, activation = nn.Hardswish })
    self.features = nn.Sequential(table.unpack(list))
    self.classifier = nn.Sequential(nn.Linear(6 * inputs, stages.last), nn.Hardswish(), nn.Dropout(dropout),
      nn.Linear(stages.last, num_classes))
    blocks.initialize(self, 0.01)
  end)

--- x (N, 3, H, W) -> logits (N, classes).
function V3:forward(x) return self.classifier(self.features(x):mean { -1, -2 }) end

made.mobilenet_v2 = signature("mobilenet_v2", "num_classes:i=1000 width_mult:n=1 dropout:n=0.2", V2, false)
for _, size in ipairs { "large", "small" } do
  local name = "mobilenet_v3_" .. size
  made[name] = signature(name, "num_classes:i=1000 dropout:n=0.2", function(num_classes, dropout)
    return V3(size, num_classes, dropout)
  end, false)
end

return made
