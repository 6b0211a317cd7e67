--- VGG (Simonyan and Zisserman 2015) with torchvision's names.

local pt = require "pt"
local nn = pt.nn
local initialize = require("pt.models.blocks").initialize
local signature = require "pt.signature"

local made = {}

local VGG = nn.class "VGG"
made.VGG = VGG

--- `counts` convolutions of 64, 128, 256, 512 and 512 channels, each group followed by a pooling.
---@param counts integer[] five
---@param batch_norm? boolean
---@param num_classes? integer
---@param hidden? integer width of the two hidden layers of the classifier
VGG.init = signature("VGG", "counts:I batch_norm:b=false num_classes:i=1000 dropout:n=0.5 hidden:i=4096",
  function(self, counts, batch_norm, num_classes, dropout, hidden)
    local list, inputs = {}, 3
    for i, count in ipairs(counts) do
      local width = math.min(32 << i, 512)
      for _ = 1, count do
        list[#list + 1] = nn.Conv2d(inputs, width, 3, { padding = 1 })
        if batch_norm then list[#list + 1] = nn.BatchNorm2d(width) end
        list[#list + 1] = nn.ReLU()
        inputs = width
      end
      list[#list + 1] = nn.MaxPool2d(2)
    end
    self.features = nn.Sequential(table.unpack(list))
    self.avgpool = nn.AdaptiveAvgPool2d(7)
    self.classifier = nn.Sequential(nn.Linear(512 * 7 * 7, hidden), nn.ReLU(), nn.Dropout(dropout),
      nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, num_classes))
    initialize(self, 0.01)
  end)

--- x (N, 3, H, W) -> logits (N, classes).
function VGG:forward(x) return self.classifier(self.avgpool(self.features(x)):flatten(2)) end

for depth, counts in pairs {
  [11] = { 1, 1, 2, 2, 2 }, [13] = { 2, 2, 2, 2, 2 }, [16] = { 2, 2, 3, 3, 3 }, [19] = { 2, 2, 4, 4, 4 },
} do
  for suffix, batch_norm in pairs { [""] = false, _bn = true } do
    local name = "vgg" .. depth .. suffix
    made[name] = signature(name, "num_classes:i=1000 dropout:n=0.5 hidden:i=4096", function(...)
      return VGG(counts, batch_norm, ...)
    end, false)
  end
end

return made
