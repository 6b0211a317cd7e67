--- A small DCGAN (Radford et al., 2015): one network draws digits, another tells them from real ones.
--
--   ptlua scripts/examples/dcgan.lua [--smoke]
--
-- Expected: the discriminator's loss stays within 1.0 to 1.5 (1.39 is a coin's): neither network wins. After 20
-- epochs strokes like those of digits can be seen.

local pt = require "pt"
local nn, optim, data = pt.nn, pt.optim, pt.data
local F = nn.functional

local smoke = arg[1] == "--smoke"
local here = arg[0]:match "^(.*)/[^/]*$" or "."
pt.manual_seed(1)

local images = data.read_idx(here .. "/data/mnist5k-images-idx3-ubyte.gz"):float():div_(127.5):sub_(1):unsqueeze(2)
local train = data.TensorDataset(images:narrow(1, 1, smoke and 128 or 4000))
local loader = data.DataLoader(train, { batch_size = 64, shuffle = true, drop_last = true, seed = 1 })

local CODE, WIDTH = 32, smoke and 4 or 16

-- (n, CODE, 1, 1) -> (n, 1, 28, 28)
local generator = nn.Sequential(
  nn.ConvTranspose2d(CODE, 2 * WIDTH, 7, { bias = false }), nn.BatchNorm2d(2 * WIDTH), nn.ReLU(),
  nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, { stride = 2, padding = 1, bias = false }), nn.BatchNorm2d(WIDTH), nn.ReLU(),
  nn.ConvTranspose2d(WIDTH, 1, 4, { stride = 2, padding = 1 }), nn.Tanh())

-- (n, 1, 28, 28) -> (n)
local discriminator = nn.Sequential(
  nn.Conv2d(1, WIDTH, 4, { stride = 2, padding = 1 }), nn.LeakyReLU(0.2),
  nn.Conv2d(WIDTH, 2 * WIDTH, 4, { stride = 2, padding = 1, bias = false }), nn.BatchNorm2d(2 * WIDTH),
  nn.LeakyReLU(0.2), nn.Dropout(0.4), nn.Conv2d(2 * WIDTH, 1, 7), nn.Flatten(1))

for _, net in ipairs { generator, discriminator } do
  net:apply(function(m)
    if m.weight and m.weight.ndim == 4 then nn.init.normal_(m.weight, 0, 0.02) end
  end)
end
-- the one that judges has the easier task and learns more slowly
local optimizer_g = optim.Adam(generator:parameters(), { lr = 1e-3, betas = { 0.5, 0.999 } })
local optimizer_d = optim.Adam(discriminator:parameters(), { lr = 1e-4, betas = { 0.5, 0.999 } })

-- How far scores are from what they should be: 0.9 for real (no certainty), 0 for drawn.
local function judge(scores, target)
  return F.binary_cross_entropy_with_logits(scores, pt.full({ #scores }, target))
end

local last
for epoch = 1, smoke and 2 or 20 do
  local total_d, total_g, count = 0, 0, 0
  for real in loader do
    local drawn = generator(pt.randn(#real, CODE, 1, 1))

    optimizer_d:zero_grad()
    local loss_d = judge(discriminator(real), 0.9) + judge(discriminator(drawn:detach()), 0)
    loss_d:backward()
    optimizer_d:step()

    optimizer_g:zero_grad()
    local loss_g = judge(discriminator(drawn), 1)
    loss_g:backward()
    optimizer_g:step()
    total_d, total_g, count = total_d + loss_d:item(), total_g + loss_g:item(), count + 1
  end
  last = total_d / count
  print(("epoch %2d  discriminator %.3f  generator %.3f"):format(epoch, last, total_g / count))
end
assert(last > 0.3 and last < 1.7, "one network has won")
