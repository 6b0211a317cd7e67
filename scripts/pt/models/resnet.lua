--- ResNet (He, Zhang, Ren and Sun 2016) with torchvision's names: the stride stands in the 3 x 3 convolution (v1.5).

local pt = require "pt"
local nn = pt.nn
local F = nn.functional
local initialize = require("pt.models.blocks").initialize
local signature = require "pt.signature"

local made = {}

-- The shortcut, where the shape changes.
local function downsample(inputs, outputs, stride)
  return nn.Sequential(nn.Conv2d(inputs, outputs, 1, { stride = stride, bias = false }), nn.BatchNorm2d(outputs))
end

-- ---- blocks ----

local Basic = nn.class "BasicBlock"
Basic.expansion = 1

function Basic:init(inputs, width, stride)
  self.conv1 = nn.Conv2d(inputs, width, 3, { stride = stride, padding = 1, bias = false })
  self.bn1 = nn.BatchNorm2d(width)
  self.conv2 = nn.Conv2d(width, width, 3, { padding = 1, bias = false })
  self.bn2 = nn.BatchNorm2d(width)
  if stride ~= 1 or inputs ~= width then self.downsample = downsample(inputs, width, stride) end
end

function Basic:forward(x)
  local y = F.relu(self.bn1(self.conv1(x)))
  y = self.bn2(self.conv2(y))
  return F.relu(y + (self.downsample and self.downsample(x) or x))
end

local Bottleneck = nn.class "Bottleneck"
Bottleneck.expansion = 4

function Bottleneck:init(inputs, width, stride, groups, width_per_group)
  local inner, outputs = width * width_per_group // 64 * groups, width * 4
  self.conv1, self.bn1 = nn.Conv2d(inputs, inner, 1, { bias = false }), nn.BatchNorm2d(inner)
  self.conv2 = nn.Conv2d(inner, inner, 3, { stride = stride, padding = 1, groups = groups, bias = false })
  self.bn2 = nn.BatchNorm2d(inner)
  self.conv3, self.bn3 = nn.Conv2d(inner, outputs, 1, { bias = false }), nn.BatchNorm2d(outputs)
  if stride ~= 1 or inputs ~= outputs then self.downsample = downsample(inputs, outputs, stride) end
end

function Bottleneck:forward(x)
  local y = F.relu(self.bn1(self.conv1(x)))
  y = F.relu(self.bn2(self.conv2(y)))
  y = self.bn3(self.conv3(y))
  return F.relu(y + (self.downsample and self.downsample(x) or x))
end

-- ---- the network ----

local ResNet = nn.class "ResNet"
made.ResNet = ResNet

local function stage(block, inputs, width, count, stride, groups, width_per_group)
  local list = {}
  for i = 1, count do
    list[i] = block(inputs, width, i == 1 and stride or 1, groups, width_per_group)
    inputs = width * block.expansion
  end
  return nn.Sequential(table.unpack(list)), inputs
end

---@param layers integer[] blocks in each of the four stages
---@param bottleneck? boolean blocks of three convolutions in place of two
---@param num_classes? integer
---@param groups? integer of the 3 x 3 convolutions of bottlenecks
---@param width_per_group? integer
ResNet.init = signature("ResNet", "layers:I bottleneck:b=false num_classes:i=1000 groups:i=1 width_per_group:i=64",
  function(self, layers, bottleneck, num_classes, groups, width_per_group)
    local block, inputs = bottleneck and Bottleneck or Basic, 64
    self.conv1 = nn.Conv2d(3, 64, 7, { stride = 2, padding = 3, bias = false })
    self.bn1 = nn.BatchNorm2d(64)
    self.maxpool = nn.MaxPool2d(3, { stride = 2, padding = 1 })
    for i = 1, 4 do
      self["layer" .. i], inputs = stage(block, inputs, 32 << i, layers[i], i == 1 and 1 or 2, groups, width_per_group)
    end
    self.avgpool = nn.AdaptiveAvgPool2d(1)
    self.fc = nn.Linear(inputs, num_classes)
    initialize(self)
  end)

--- x (N, 3, H, W) -> logits (N, classes).
function ResNet:forward(x)
  x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
  x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
  return self.fc(self.avgpool(x):flatten(2))
end

for name, row in pairs {
  resnet18 = { { 2, 2, 2, 2 }, false }, resnet34 = { { 3, 4, 6, 3 }, false }, resnet50 = { { 3, 4, 6, 3 }, true },
  resnet101 = { { 3, 4, 23, 3 }, true }, resnet152 = { { 3, 8, 36, 3 }, true },
  resnext50_32x4d = { { 3, 4, 6, 3 }, true, groups = 32, width_per_group = 4 },
  wide_resnet50_2 = { { 3, 4, 6, 3 }, true, groups = 1, width_per_group = 128 },
} do
  made[name] = signature(name, "num_classes:i=1000", function(num_classes)
    return ResNet(row[1], row[2], {
      num_classes = num_classes, groups = row.groups or 1, width_per_group = row.width_per_group or 64,
    })
  end, false)
end

return made
