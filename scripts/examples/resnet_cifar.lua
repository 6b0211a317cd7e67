--- A residual network (He et al., 2015) on images of 32 by 32 pixels in 10 classes, with the usual augmentation.
--
--   ptlua scripts/examples/resnet_cifar.lua [--smoke] [data_batch_1.bin ...]
--
-- Without files of CIFAR-10's binary version it makes images of its own: a coloured shape for each class, on noise.
-- Expected: above 95 % of the generated test images after 5 epochs.

local pt = require "pt"
local nn, optim, data = pt.nn, pt.optim, pt.data
local T = data.transforms

local smoke = arg[1] == "--smoke"
pt.manual_seed(1)

-- ---- images ----

-- n images: class c is a square at one of five places in one of two colours.
local function generated(n)
  local images = (pt.randn(n, 3, 32, 32) * 40 + 100):clamp(0, 255)
  local labels = pt.randint(1, 11, { n })
  for i, c in ipairs(labels:tolist()) do
    local place, colour = (c - 1) % 5, (c - 1) // 5
    local top, left = 5 + place * 4, 5 + (place * 7) % 16
    images[{ i, colour + 1, { top, top + 7 }, { left, left + 7 } }] = 220
  end
  return images:to(pt.uint8), labels
end

local files = {}
for i = smoke and 2 or 1, #arg do files[#files + 1] = arg[i] end
local images, labels
if #files > 0 then images, labels = data.read_cifar(files) else images, labels = generated(smoke and 96 or 2000) end
local n_test = #labels // 5
local n_train = #labels - n_test

local prepare = { T.ToTensor(), T.Normalize({ 0.49, 0.48, 0.45 }, { 0.25, 0.24, 0.26 }) }
local augment = T.Compose { T.RandomCrop(32, 2), prepare[1], prepare[2] }
local function part(from, n, transform)
  local set = data.TensorDataset(images:narrow(1, from, n), labels:narrow(1, from, n))
  return data.MapDataset(set, transform)
end
local train = data.DataLoader(part(1, n_train, augment), {
  batch_size = 32, shuffle = true, num_workers = 2, drop_last = true, seed = 1,
})
local test = data.DataLoader(part(n_train + 1, n_test, T.Compose(prepare)), { batch_size = 50 })

-- ---- network ----

local Residual = nn.class("Residual")

function Residual:init(from, to, stride)
  self.conv1, self.bn1 = nn.Conv2d(from, to, 3, { stride = stride, padding = 1, bias = false }), nn.BatchNorm2d(to)
  self.conv2, self.bn2 = nn.Conv2d(to, to, 3, { padding = 1, bias = false }), nn.BatchNorm2d(to)
  self.shortcut = stride == 1 and from == to and nn.Identity()
    or nn.Sequential(nn.Conv2d(from, to, 1, { stride = stride, bias = false }), nn.BatchNorm2d(to))
end

function Residual:forward(x)
  local y = self.bn1(self.conv1(x)):relu()
  return (self.bn2(self.conv2(y)) + self.shortcut(x)):relu()
end

local W = smoke and 4 or 16
local model = nn.Sequential(
  nn.Conv2d(3, W, 3, { padding = 1, bias = false }), nn.BatchNorm2d(W), nn.ReLU(),
  Residual(W, W, 1), Residual(W, 2 * W, 2), Residual(2 * W, 4 * W, 2),
  nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * W, 10))
local epochs = smoke and 2 or 5
local optimizer = optim.SGD(model:parameters(), { lr = 0.1, momentum = 0.9, weight_decay = 5e-4, nesterov = true })
local scheduler = optim.lr_scheduler.OneCycleLR(optimizer, 0.1, { epochs = epochs, steps_per_epoch = #train })
local criterion = nn.CrossEntropyLoss()

-- ---- training ----

local first, last
for epoch = 1, epochs do
  model:train()
  local total, count, started = 0, 0, pt.clock()
  for x, y in train do
    optimizer:zero_grad()
    local loss = criterion(model(x), y)
    loss:backward()
    optimizer:step()
    scheduler:step()
    total, count = total + loss:item(), count + 1
    first = first or loss:item()
  end
  last = total / count
  model:eval()
  local right = 0
  pt.no_grad(function()
    for x, y in test do right = right + model(x):argmax(2):eq(y):sum():item() end
  end)
  print(("epoch %d  loss %.3f  test %.1f %%  %.1f s"):format(epoch, last, 100 * right / n_test, pt.clock() - started))
end
assert(last < first, "the loss did not fall")
